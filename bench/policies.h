/* SPDX-License-Identifier: MIT */
#ifndef POLICIES_H
#define POLICIES_H

void policies(void);

#endif
