/* SPDX-License-Identifier: MIT */
#ifndef MEMORY_H
#define MEMORY_H

/* What earlier figures leave behind would serve its pools, so it comes first. */
void memory(void);

void allocate(void);

#endif
