/* SPDX-License-Identifier: MIT */
/* Structs that begin with their size: what an older or newer caller hands in is read and written within his size. */
#ifndef SIZED_H
#define SIZED_H

#include <stddef.h>

/* Copies a caller's struct over `copy`, which holds the defaults for what he does not know.  `least` is the smallest
   size any release had, `known` is ours.  Returns 0, POOL_E_SIZE, or POOL_E_NEWER if he sets what we do not know. */
int sized_read(void *copy, const void *theirs, size_t least, size_t known);

/* Copies ours into a caller's struct, as much as he has, and leaves his size alone.  Returns 0 or POOL_E_SIZE. */
int sized_write(void *theirs, const void *ours, size_t least, size_t known);

/* Whether a size can be right: 0 or POOL_E_SIZE. */
int sized_check(size_t size, size_t least);

#endif
