/* SPDX-License-Identifier: MIT */
#include "run/keeper.h"

#include <stdatomic.h>

#include <pool/pool.h>

#include "base/clock.h"
#include "base/event_fd.h"
#include "base/forks.h"
#include "slot/idle.h"
#include "decide/asker.h"
#include "decide/attention.h"
#include "decide/lend.h"
#include "decide/life.h"
#include "decide/look.h"
#include "decide/pool.h"
#include "decide/step.h"
#include "decide/waiter.h"
#include "run/callback.h"
#include "run/crew.h"
#include "run/event.h"
#include "run/failure.h"
#include "run/worker.h"

/* When to look again if another thread is maintaining. */
#define RETRY_NS INT64_C(1000000)

static void call_back(struct pool *pool, const struct waiter *waiter, pool_lease_t outcome)
{
  struct late late = {
      .timeless = waiter->timeless, .queued_ns = clock_now() - waiter->began_ns, .cause = &waiter->error};
  if (outcome > 0)
    lend_note(outcome);
  else
    failure_of_get(pool, (int)outcome, &late);
  event_get_ended(pool, outcome, waiter);
  struct callback callback;
  callback_enter(&callback, pool);
  waiter->got(waiter->user, outcome);
  callback_leave(&callback);
}

/* What returns a bool here says whether this is still the same process (base/forks.h). */

/* Where there is no vtable, a waiter whose time has passed has no callback: pool_step_next() names it. */
static bool serve_asynchronous(struct pool *pool, int64_t *due)
{
  struct waiter settled;
  struct step step;
  uint64_t forks = forks_count();
  while (!pool->stepped && !forks_since(forks) && asker_next_settled(pool, &settled, due, &step)) {
    crew_finish(pool, &step);
    call_back(pool, &settled, settled.outcome);
  }
  return !forks_since(forks);
}

static void tell_leaks(struct pool *pool)
{
  struct leak leak;
  struct scan cursor = scan_all(&pool->rows);
  while (look_next_leak(pool, &cursor, &leak))
    event_leaked(pool, &leak);
}

/* Looks at the time, and sees to it that what is due gets done.  *due is when to look again. */
static bool look(struct pool *pool, int64_t *due)
{
  struct step step;
  struct look look;
  uint64_t forks = forks_count();
  look_take(pool, &look, &step);
  crew_finish(pool, &step);
  if (look.leaks)
    tell_leaks(pool);
  *due = pool->stepped && look.chores ? look.now : look.due_ns; /* pool_step_next() has something */
  return !forks_since(forks);
}

/* A worker that could not be started is missed by asynchronous waiters, and by what is to be closed, and no get may come
   that looks. */
static void start_missing(struct pool *pool, int64_t *due)
{
  if (atomic_load(&pool->attention) & ATTENTION_WORKERLESS)
    crew_start_again(pool);
  if (atomic_load(&pool->attention) & ATTENTION_WORKERLESS)
    set_earlier(due, atomic_load(&pool->crew.start_again_ns));
}

static bool do_what_is_due(struct pool *pool, int64_t *due)
{
  int64_t served = POOL_NO_DEADLINE, looked;
  uint64_t forks = forks_count();
  if (!serve_asynchronous(pool, &served) || !look(pool, &looked))
    return false;
  if (crew_leaves_chores(pool) && !pool->stepped) {
    worker_do_chores(pool, false);
    if (forks_since(forks) || !serve_asynchronous(pool, &served) ||
        !look(pool, &looked)) /* what was done has other times */
      return false;
  }
  /* A callback may have closed it, and perhaps nobody maintains it any more. */
  if (attention_closed(pool) && !serve_asynchronous(pool, &served))
    return false;
  *due = looked < served ? looked : served;
  start_missing(pool, due);
  return true;
}

int64_t keeper_maintain(struct pool *pool)
{
  struct step step;
  if (!life_maintain_begin(pool))
    return RETRY_NS;
  event_fd_drain(&pool->event_fd);
  int64_t due;
  atomic_store(&pool->looks.signal, atomic_load(&pool->keeper_signal));
  /* Until it is known again: what is opened meanwhile may have been looked at already, or not, and asks for a look. */
  atomic_store(&pool->looks.next_ns, POOL_NO_DEADLINE);
  if (!do_what_is_due(pool, &due))
    return INT64_MAX; /* in the child the pool began anew */
  atomic_store(&pool->looks.next_ns, due);
  life_maintain_end(pool, &step);
  crew_finish(pool, &step);
  if (due == POOL_NO_DEADLINE)
    return INT64_MAX;
  int64_t now = clock_now();
  return due > now ? due - now : 0;
}

struct crew_turn keeper_turn(struct pool *pool)
{
  int64_t wait_ns = keeper_maintain(pool), now = clock_now();
  return (struct crew_turn){.due_ns = wait_ns < POOL_NO_DEADLINE - now ? now + wait_ns : POOL_NO_DEADLINE};
}

void keeper_finish(struct pool *pool)
{
  if (pool->config.keeper == POOL_KEEPER_MANUAL)
    keeper_maintain(pool);
}
