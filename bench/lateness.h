/* SPDX-License-Identifier: MIT */
#ifndef LATENESS_H
#define LATENESS_H

/* By how much a get outlasts its timeout. */
void lateness(void);

#endif
