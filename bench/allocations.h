/* SPDX-License-Identifier: MIT */
/* Counts what the whole process allocates.  The functions of the C library are replaced by this program's, and the
   shared library is bound to these like any other. */
#ifndef ALLOCATIONS_H
#define ALLOCATIONS_H

#include <stdint.h>

int64_t allocations(void);

/* Bytes of memory that the process has in use right now. */
int64_t resident_bytes(void);

#endif
