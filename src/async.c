/* SPDX-License-Identifier: MIT */
#include "clock.h"
#include "engine.h"
#include "error.h"
#include "keeper.h"
#include "runner.h"

int64_t pool_get_async(pool_t *pool, int64_t timeout_ms, pool_got_fn *got, void *user)
{
  if (!pool || !got || timeout_ms < -1)
    return error_set(NULL, POOL_E_INVALID, 0, "%s", !pool  ? "pool is NULL"
                                                    : !got ? "got is NULL; there is nobody to give the lease to"
                                                           : "timeout_ms is below -1");
  if (pool->stepped)
    return error_code(POOL_E_UNSUPPORTED);
  struct waiter *waiter = ticket_take(pool);
  if (!waiter)
    return error_code(POOL_E_NOMEM);
  waiter->kind = WAITER_ASYNC;
  waiter->deadline_ns = clock_deadline(timeout_ms);
  waiter->got = got;
  waiter->user = user;
  waiter->error.code = 0;
  int64_t ticket = atomic_load(&waiter->ticket);
  struct step step;
  /* First the thread, then the place in the queue: without a keeper nobody would ever look at it. */
  int code = keeper_want(pool);
  if (!code)
    code = engine_enqueue(pool, waiter, &step);
  if (code) {
    ticket_give(waiter);
    return error_code(code);
  }
  runner_wake(pool, &step);
  return ticket;
}

int pool_cancel(int64_t ticket)
{
  struct waiter *waiter = ticket_find(ticket);
  struct pool *pool = waiter ? atomic_load(&waiter->pool) : NULL;
  if (!pool)
    return error_code(POOL_E_STALE);
  struct step step = {0}, returned = {0};
  pool_lease_t lease = 0;
  pthread_mutex_lock(&pool->lock);
  bool ours = atomic_load(&waiter->ticket) == ticket && waiter->kind == WAITER_ASYNC;
  bool cancelled = ours && engine_withdraw(pool, waiter, POOL_E_CANCELLED, &step);
  if (ours && !cancelled && waiter->queued && waiter->outcome > 0) {
    lease = waiter->outcome; /* given, but the callback has not run */
    waiter->outcome = POOL_E_CANCELLED;
    pool->counts.cancelled++;
    cancelled = true;
  }
  atomic_fetch_add(&pool->keeper_signal, 1);
  engine_unlock(pool);
  if (!cancelled)
    return error_code(POOL_E_STALE);
  runner_wake(pool, &step);
  runner_wake(pool, &(struct step){.wake.signal = &pool->keeper_signal});
  if (lease && engine_end(slot_find(lease), lease, &returned) == 0) {
    runner_wake(pool, &returned);
    runner_work(pool, &returned, POOL_NO_DEADLINE, false, NULL);
  }
  return 0;
}
