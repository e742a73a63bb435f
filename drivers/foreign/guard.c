/* SPDX-License-Identifier: MIT */
#include "foreign/guard.h"

#include <pthread.h>
#include <time.h>

#include "support/deadline.h"
#include "support/failure.h"

/* ---- one at a time ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static bool taken; /* under the lock */

static bool take(int64_t deadline_ns)
{
  pthread_mutex_lock(&lock);
  bool in_time = true;
  while (taken && in_time)
    in_time = deadline_wait(&changed, &lock, deadline_ns);
  bool free = !taken;
  taken = true;
  pthread_mutex_unlock(&lock);
  return free;
}

static void give(void)
{
  pthread_mutex_lock(&lock);
  taken = false;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&lock);
}

static void begin_anew(void)
{
  pthread_mutex_init(&lock, NULL);
  deadline_condition_init(&changed);
  taken = false;
}

static void watch(void)
{
  deadline_condition_init(&changed);
  pthread_atfork(NULL, NULL, begin_anew);
}

void guard_watch_forks(void)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, watch);
}

/* ---- SIGPIPE ---- */

static void block(struct guard *guard)
{
  sigset_t pending, pipes;
  sigemptyset(&pipes);
  sigaddset(&pipes, SIGPIPE);
  sigpending(&pending);
  guard->was_pending = sigismember(&pending, SIGPIPE) == 1;
  pthread_sigmask(SIG_BLOCK, &pipes, &guard->before);
}

/* Takes the signal that the calls have caused, if any. */
static void unblock(struct guard *guard)
{
  static const struct timespec now = {0, 0};
  sigset_t pending, pipes;
  sigemptyset(&pipes);
  sigaddset(&pipes, SIGPIPE);
  if (!guard->was_pending && sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1)
    sigtimedwait(&pipes, NULL, &now);
  pthread_sigmask(SIG_SETMASK, &guard->before, NULL);
}

int guard_enter(struct guard *guard, const struct description *description, int64_t deadline_ns, pool_error_t *error)
{
  guard->locked = description->serial;
  guard->blocked = description->blocks_sigpipe;
  if (guard->locked && !take(deadline_ns))
    return failure_set(error, POOL_E_TIMEOUT, 0,
                       "the deadline passed while other calls of libraries that are 'serial' were under way");
  if (guard->blocked)
    block(guard);
  return 0;
}

void guard_enter_alone(struct guard *guard, const struct description *description)
{
  guard->locked = true;
  guard->blocked = description->blocks_sigpipe;
  take(POOL_NO_DEADLINE);
  if (guard->blocked)
    block(guard);
}

void guard_leave(struct guard *guard)
{
  if (guard->blocked)
    unblock(guard);
  if (guard->locked)
    give();
}
