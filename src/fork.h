/* SPDX-License-Identifier: MIT */
#ifndef FORK_H
#define FORK_H

#include <stdint.h>

/* How often this process came to be a child: grows with each fork, on the child's side. */
uint64_t fork_count(void);

#endif
