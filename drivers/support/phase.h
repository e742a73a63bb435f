/* SPDX-License-Identifier: MIT */
/* The phases of an open that drivers have in common, for pool_phase(). */
#ifndef PHASE_H
#define PHASE_H

/* A connection to an address in digits begins.  port: "" if it is not known. */
void phase_connect(const char *digits, const char *port);

#endif
