/* SPDX-License-Identifier: MIT */
/* The step API: the engine's decisions, handed out as they are. */
#include <pool/step.h>

#include <stddef.h>

#include "clock.h"
#include "engine.h"
#include "error.h"
#include "runner.h"
#include "sized.h"

static int write_step(pool_step_t *theirs, const struct step *step, int64_t ticket)
{
  pool_step_t ours = POOL_STEP_INIT;
  ours.work = step->work;
  ours.reason = step->reason;
  ours.claim = step->claim;
  ours.conn = step->slot ? atomic_load_explicit(&step->slot->conn, memory_order_relaxed) : NULL;
  ours.ticket = ticket;
  ours.wake = step->wake.ticket;
  /* Those who sleep in the library (in pool_close) are its own affair. */
  if (step->drained)
    runner_wake(NULL, &(struct step){.drained = step->drained});
  return sized_write(theirs, &ours, sizeof ours, sizeof ours);
}

/* Before anything happens: a struct that could not be written would lose a decision. */
static int check_step(pool_step_t *theirs)
{
  pool_step_t empty = POOL_STEP_INIT;
  if (!theirs)
    return error_set(NULL, POOL_E_INVALID, 0, "step is NULL");
  int code = sized_write(theirs, &empty, sizeof empty, sizeof empty);
  return code ? error_code(code) : 0;
}

static void give_ticket(struct pool *pool, struct waiter *waiter)
{
  pthread_mutex_lock(&pool->lock);
  ticket_give(waiter);
  engine_unlock(pool);
}

static struct waiter *take_ticket(struct pool *pool, int64_t timeout_ms)
{
  struct waiter *waiter = ticket_take(pool);
  if (waiter) {
    waiter->kind = WAITER_TICKET;
    waiter->deadline_ns = clock_deadline(timeout_ms);
  }
  return waiter;
}

static pool_lease_t finish(struct step *step, pool_step_t *theirs, pool_lease_t result, int64_t ticket)
{
  write_step(theirs, step, ticket);
  return result < 0 ? error_code((int)result) : result;
}

pool_lease_t pool_step_begin(pool_t *pool, int64_t timeout_ms, int64_t ticket, pool_step_t *theirs)
{
  struct step step = {0};
  int code = check_step(theirs);
  if (code)
    return code;
  if (!pool || timeout_ms < -1)
    return error_set(NULL, POOL_E_INVALID, 0, "%s", pool ? "timeout_ms is below -1" : "pool is NULL");
  if (!pool->stepped)
    return error_set(NULL, POOL_E_UNSUPPORTED, 0, "this pool has a vtable; use pool_get");
  struct waiter *waiter = NULL;
  if (ticket) {
    waiter = ticket_find(ticket);
    if (!waiter || atomic_load(&waiter->pool) != pool || waiter->kind != WAITER_TICKET)
      return error_code(POOL_E_STALE);
  } else {
    pool_lease_t result = engine_begin(pool, NULL, &step);
    if (result != POOL_E_TIMEOUT || timeout_ms == 0)
      return finish(&step, theirs, result, 0);
    if (!(waiter = take_ticket(pool, timeout_ms)))
      return error_code(POOL_E_NOMEM);
    ticket = atomic_load(&waiter->ticket);
  }
  pool_lease_t result = engine_begin(pool, waiter, &step);
  bool queued = result == 0 && step.work == POOL_WORK_NONE;
  if (!queued)
    give_ticket(pool, waiter);
  return finish(&step, theirs, result, queued ? ticket : 0);
}

pool_lease_t pool_step_cancel(int64_t ticket, pool_step_t *theirs)
{
  struct step step = {0};
  int code = check_step(theirs);
  if (code)
    return code;
  struct waiter *waiter = ticket_find(ticket);
  struct pool *pool = waiter ? atomic_load(&waiter->pool) : NULL;
  if (!pool)
    return error_code(POOL_E_STALE);
  pool_lease_t result = POOL_E_STALE;
  pthread_mutex_lock(&pool->lock);
  if (atomic_load(&waiter->ticket) == ticket && waiter->kind == WAITER_TICKET) {
    engine_withdraw(pool, waiter, POOL_E_CANCELLED, &step);
    result = waiter->outcome == POOL_E_CANCELLED || waiter->outcome == POOL_E_TIMEOUT ? 0 : waiter->outcome;
    pool->uncollected--;
    ticket_give(waiter);
  }
  engine_unlock(pool);
  return finish(&step, theirs, result, 0);
}

int pool_step_end(pool_lease_t lease, pool_step_t *theirs)
{
  struct step step = {0};
  int code = check_step(theirs);
  if (code)
    return code;
  struct slot *slot = slot_find(lease);
  return (int)finish(&step, theirs, slot ? engine_end(slot, lease, &step) : POOL_E_STALE, 0);
}

pool_lease_t pool_step_done(pool_lease_t claim, int32_t result, void *conn, pool_step_t *theirs)
{
  struct step step = {0};
  int code = check_step(theirs);
  if (code)
    return code;
  pool_lease_t lease = engine_done(claim, result == 0, conn, true, &step);
  return finish(&step, theirs, lease, 0);
}

int pool_step_next(pool_t *pool, pool_step_t *theirs)
{
  struct step step = {0};
  int code = check_step(theirs);
  if (code)
    return code;
  if (!pool)
    return error_set(NULL, POOL_E_INVALID, 0, "pool is NULL");
  bool more = engine_next(pool, &step);
  write_step(theirs, &step, 0);
  return more;
}
