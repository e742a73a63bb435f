/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <pool/pool.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/forks.h"
#include "decide/asker.h"
#include "decide/give.h"
#include "decide/pool.h"
#include "decide/step.h"
#include "decide/waiter.h"
#include "run/crew.h"
#include "run/event.h"
#include "run/failure.h"
#include "run/worker.h"

int64_t pool_get_async(pool_t *pool, int64_t timeout_ms, pool_got_fn *got, void *user)
{
  if (!pool || !got || timeout_ms < -1)
    return error_in(pool ? pool->name : NULL, NULL, POOL_E_INVALID, 0, "%s",
                    !pool  ? "pool is NULL"
                    : !got ? "got is NULL; there is nobody to give the lease to"
                           : "timeout_ms is below -1");
  if (pool->stepped)
    return error_in(pool->name, NULL, POOL_E_UNSUPPORTED, 0, "this pool has no vtable; use the step API");
  struct waiter *waiter = asker_take_ticket(pool, WAITER_ASYNC, clock_deadline(timeout_ms));
  if (!waiter) {
    const struct waiter none = {.began_ns = clock_now()};
    error_code_in(pool->name, POOL_E_NOMEM);
    event_get_ended(pool, POOL_E_NOMEM, &none);
    return POOL_E_NOMEM;
  }
  waiter->got = got;
  waiter->user = user;
  waiter->error.code = 0;
  waiter->at_once = timeout_ms == 0;
  int64_t ticket = atomic_load(&waiter->ticket);
  struct step step;
  /* First the thread, then the place in the queue: without a keeper nobody would ever call back.  It does not end in
     between, for the ticket is counted. */
  int code = crew_want_keeper(pool);
  if (!code)
    code = asker_enqueue(pool, waiter, &step);
  if (code) {
    uint64_t forks = forks_count();
    error_code_in(pool->name, code);
    event_get_ended(pool, code, waiter);
    if (!forks_since(forks)) /* in a child it was given back with the table */
      asker_give_ticket(pool, waiter);
    return code;
  }
  crew_finish(pool, &step);
  crew_wake_keeper(pool);
  return ticket;
}

int pool_cancel(int64_t ticket)
{
  struct step step;
  struct pool *pool;
  pool_lease_t lease;
  int code = asker_cancel_async(ticket, &pool, &lease, &step);
  if (code)
    return failure_of_ticket();
  crew_finish(pool, &step);
  crew_wake_keeper(pool);
  if (lease) {
    step = (struct step){0};
    give_unused(lease, &step);
    worker_finish(pool, &step, POOL_NO_DEADLINE);
  }
  return 0;
}
