/* SPDX-License-Identifier: MIT */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

/* Nanoseconds on CLOCK_MONOTONIC.  Never the wall clock: it jumps. */
int64_t clock_now(void);

/* The moment timeout_ms from now; -1 and whatever is too far away are POOL_NO_DEADLINE. */
int64_t clock_deadline(int64_t timeout_ms);

#endif
