/* SPDX-License-Identifier: MIT */
#ifndef FORK_H
#define FORK_H

#include <stdint.h>

/* Makes every fork from now on right.  Called once. */
void fork_watch(void);

/* How often this process came to be a child: grows with each fork, on the child's side. */
uint64_t fork_count(void);

#endif
