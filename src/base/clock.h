/* SPDX-License-Identifier: MIT */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

/* Nanoseconds on CLOCK_MONOTONIC.  Never the wall clock: it jumps. */
int64_t clock_now(void);

/* The same with the time that the machine slept, where the system counts that: what ages are counted on.  It differs
   from clock_now() by more at each suspension, so a moment on one is no moment on the other. */
int64_t clock_boot(void);

/* The wall clock, cheap and up to clock_coarse_step() late, or as it is.  It jumps over a suspension; it may also be
   set, in either direction, so it proves nothing: what it says is a reason to look at clock_boot(). */
int64_t clock_wall(bool coarse);
int64_t clock_coarse_step(void);

/* A moment on clock_boot() as one on clock_now(), if the machine does not sleep until then. */
static inline int64_t clock_from_boot(int64_t moment_ns)
{
  return moment_ns == POOL_NO_DEADLINE ? moment_ns : moment_ns - clock_boot() + clock_now();
}

static inline int64_t ns_of(int64_t ms)
{
  return ms * 1000000;
}

/* The moment timeout_ms from `now`; -1 and whatever is too far away are POOL_NO_DEADLINE. */
static inline int64_t clock_deadline_from(int64_t now, int64_t timeout_ms)
{
  if (timeout_ms < 0 || timeout_ms > (POOL_NO_DEADLINE - now) / 1000000)
    return POOL_NO_DEADLINE;
  return now + ns_of(timeout_ms);
}

static inline int64_t clock_deadline(int64_t timeout_ms)
{
  return clock_deadline_from(clock_now(), timeout_ms);
}

static inline void set_earlier(int64_t *due, int64_t moment)
{
  if (moment < *due)
    *due = moment;
}

/* The same with the moment that is `ms` after `since`; nothing where a setting is off. */
static inline void set_earlier_if_on(int64_t *due, int64_t since, int64_t ms)
{
  if (ms > 0)
    set_earlier(due, since + ns_of(ms));
}

#endif
