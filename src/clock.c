/* SPDX-License-Identifier: MIT */
#include "clock.h"

#include <time.h>

#include <pool/pool.h>

int64_t clock_now(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_deadline(int64_t timeout_ms)
{
  int64_t now = clock_now();
  if (timeout_ms < 0 || timeout_ms > (POOL_NO_DEADLINE - now) / 1000000)
    return POOL_NO_DEADLINE;
  return now + timeout_ms * 1000000;
}
