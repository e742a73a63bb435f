/* SPDX-License-Identifier: MIT */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

#include <pool/pool.h>

/* Nanoseconds on CLOCK_MONOTONIC.  Never the wall clock: it jumps. */
int64_t clock_now(void);

/* The moment timeout_ms from now; -1 and whatever is too far away are POOL_NO_DEADLINE. */
static inline int64_t clock_deadline(int64_t timeout_ms)
{
  int64_t now = clock_now();
  if (timeout_ms < 0 || timeout_ms > (POOL_NO_DEADLINE - now) / 1000000)
    return POOL_NO_DEADLINE;
  return now + timeout_ms * 1000000;
}

#endif
