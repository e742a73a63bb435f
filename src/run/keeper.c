/* SPDX-License-Identifier: MIT */
#include "run/keeper.h"

#include <stdatomic.h>
#include <stddef.h>

#include <pool/pool.h>

#include "base/clock.h"
#include "base/error.h"
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

/* If somebody else is maintaining, look again so soon. */
#define RETRY_NS INT64_C(1000000)

static void call_back(struct pool *pool, const struct waiter *waiter, pool_lease_t outcome)
{
  if (outcome > 0)
    lend_note(outcome);
  else if (outcome == POOL_E_TIMEOUT)
    failure_timed_out(pool, &waiter->error);
  else if (waiter->error.code == (int32_t)outcome)
    error_set(NULL, waiter->error.code, waiter->error.native, "%s: %s", pool->name, waiter->error.message);
  else
    error_code((int)outcome);
  event_get_ended(pool, outcome, waiter);
  struct callback callback;
  callback_enter(&callback, pool);
  waiter->got(waiter->user, outcome);
  callback_leave(&callback);
}

/* Where there is no vtable, who has waited in vain has no callback: pool_step_next() names him. */
static void serve_asynchronous(struct pool *pool, int64_t *due)
{
  struct waiter settled;
  struct step step;
  uint64_t forks = forks_count();
  while (!pool->stepped && forks == forks_count() && asker_next_settled(pool, &settled, due, &step)) {
    crew_wake(pool, &step);
    call_back(pool, &settled, settled.outcome);
  }
}

static void tell_leaks(struct pool *pool)
{
  struct leak leak;
  struct scan cursor = scan_all(&pool->rows);
  while (look_next_leak(pool, &cursor, &leak))
    event_leaked(pool, &leak);
}

/* Looks at the time, and sees to it that what is due gets done.  Returns when to look again. */
static int64_t look(struct pool *pool)
{
  struct step step;
  struct look look;
  look_take(pool, &look, &step);
  crew_wake(pool, &step);
  if (look.leaks)
    tell_leaks(pool);
  return pool->stepped && look.chores ? look.now : look.due_ns; /* pool_step_next() has something */
}

int64_t keeper_maintain(struct pool *pool)
{
  struct step step;
  if (!life_maintain_begin(pool))
    return RETRY_NS;
  event_fd_drain(&pool->event_fd);
  uint64_t forks = forks_count();
  int64_t due = POOL_NO_DEADLINE;
  /* Until it is known again: what is opened meanwhile may have been looked at already, or not, and asks for a look. */
  atomic_store(&pool->looks.next_ns, POOL_NO_DEADLINE);
  serve_asynchronous(pool, &due);
  int64_t look_due = forks == forks_count() ? look(pool) : POOL_NO_DEADLINE;
  if (crew_leaves_chores(pool) && !pool->stepped && forks == forks_count()) {
    worker_do_chores(pool, false);
    if (forks == forks_count())
      serve_asynchronous(pool, &due);
    if (forks == forks_count())
      look_due = look(pool); /* what was done has other times */
  }
  if (attention_closed(pool) && forks == forks_count())
    serve_asynchronous(pool, &due); /* a callback closed it, and perhaps nobody maintains it any more */
  if (forks != forks_count())
    return INT64_MAX; /* a callback forked, and in the child the pool began anew */
  due = look_due < due ? look_due : due;
  atomic_store(&pool->looks.next_ns, due);
  life_maintain_end(pool, &step);
  crew_wake(pool, &step);
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
