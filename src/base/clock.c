/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <time.h>

#ifdef CLOCK_BOOTTIME
#define BOOT CLOCK_BOOTTIME
#else
#define BOOT CLOCK_MONOTONIC
#endif

#ifdef CLOCK_REALTIME_COARSE
#define COARSE CLOCK_REALTIME_COARSE
#else
#define COARSE CLOCK_REALTIME
#endif

static inline int64_t of(const struct timespec *time)
{
  return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

int64_t clock_now(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return of(&now);
}

int64_t clock_boot(void)
{
  struct timespec now;
  clock_gettime(BOOT, &now);
  return of(&now);
}

int64_t clock_wall(bool coarse)
{
  struct timespec now;
  clock_gettime(coarse ? COARSE : CLOCK_REALTIME, &now);
  return of(&now);
}

int64_t clock_coarse_step(void)
{
  struct timespec step;
  clock_getres(COARSE, &step);
  return of(&step);
}
