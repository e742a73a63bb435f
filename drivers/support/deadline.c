/* SPDX-License-Identifier: MIT */
#include "support/deadline.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <time.h>

int64_t deadline_clock(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

bool deadline_is_past(int64_t deadline_ns)
{
  return deadline_ns != POOL_NO_DEADLINE && deadline_clock() >= deadline_ns;
}

int64_t deadline_left(int64_t deadline_ns)
{
  int64_t now = deadline_clock();
  return deadline_ns > now ? deadline_ns - now : 0;
}

int64_t deadline_share(int64_t deadline_ns, size_t tries)
{
  int64_t now = deadline_clock();
  if (deadline_ns == POOL_NO_DEADLINE || deadline_ns < now)
    return deadline_ns;
  return now + (deadline_ns - now) / (int64_t)tries;
}

int deadline_poll_timeout(int64_t deadline_ns)
{
  if (deadline_ns == POOL_NO_DEADLINE)
    return -1;
  int64_t left_ns = deadline_left(deadline_ns);
  int64_t left_ms = left_ns > 0 ? (left_ns - 1) / 1000000 + 1 : 0;
  return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

static struct timespec timespec_of(int64_t deadline_ns)
{
  if (deadline_ns < 0)
    deadline_ns = 0; /* which is past as well; a time below it would be refused, and not be waited for */
  int64_t seconds = deadline_ns / 1000000000;
  if (sizeof(time_t) < sizeof seconds && seconds > INT32_MAX)
    seconds = INT32_MAX; /* the end of a time_t of 32 bits: to wake too early is harmless */
  return (struct timespec){.tv_sec = (time_t)seconds, .tv_nsec = (long)(deadline_ns % 1000000000)};
}

void deadline_condition_init(pthread_cond_t *condition)
{
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(condition, &attributes);
  pthread_condattr_destroy(&attributes);
}

bool deadline_wait(pthread_cond_t *changed, pthread_mutex_t *lock, int64_t deadline_ns)
{
  if (deadline_ns == POOL_NO_DEADLINE)
    return pthread_cond_wait(changed, lock) == 0;
  struct timespec until = timespec_of(deadline_ns);
  return pthread_cond_timedwait(changed, lock, &until) != ETIMEDOUT || !deadline_is_past(deadline_ns);
}

enum outcome deadline_wait_ready(int descriptor, short events, int64_t deadline_ns)
{
  struct pollfd set = {.fd = descriptor, .events = events};
  for (;;) {
    int ready = poll(&set, 1, deadline_poll_timeout(deadline_ns));
    if (ready > 0)
      return OK;
    if (ready < 0 && errno != EINTR)
      return FAILED;
    if (ready == 0 && deadline_is_past(deadline_ns)) /* a signal may have kept the thread from what came in time */
      return EXPIRED;
  }
}
