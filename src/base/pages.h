/* SPDX-License-Identifier: MIT */
#ifndef PAGES_H
#define PAGES_H

#include <stddef.h>

/* A large array of zeroed memory takes pages as it is used, and small ones: a huge page would make its first element
   cost two megabytes. */
void pages_small(void *array, size_t size);

#endif
