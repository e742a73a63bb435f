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

/* A valid lease or claim of a pool with a vtable, whose connections are not the caller's to close. */
static bool has_vtable(int64_t number, bool lease)
{
  struct slot *slot = slot_find(number);
  uint64_t word = slot ? atomic_load(&slot->word) : 0;
  if (!slot || (word & GENERATION_MASK) != lease_generation(number))
    return false;
  enum slot_state state = state_of(word);
  bool valid = lease ? state == LEASED : state != EMPTY && state != IDLE && state != LEASED;
  return valid && !atomic_load_explicit(&slot->pool, memory_order_relaxed)->stepped;
}

static int refuse_vtable(void)
{
  return error_set(NULL, POOL_E_UNSUPPORTED, 0, "this pool has a vtable; the step API is for pools without");
}

static pool_lease_t finish(struct step *step, pool_step_t *theirs, pool_lease_t result, int64_t ticket)
{
  if (result > 0)
    runner_note(result);
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
    return refuse_vtable();
  if (ticket == 0) {
    pool_lease_t result = timeout_ms ? engine_take_idle(pool, &step) : engine_begin(pool, NULL, false, &step);
    if (result || step.work || timeout_ms == 0)
      return finish(&step, theirs, result, 0);
    struct waiter *waiter = engine_ticket_take(pool, WAITER_TICKET, clock_deadline(timeout_ms));
    if (!waiter)
      return error_code(POOL_E_NOMEM);
    ticket = atomic_load(&waiter->ticket);
  }
  int64_t wake = step.wake.ticket; /* who was told of a connection that was given back */
  pool_lease_t result = engine_begin_ticket(pool, ticket, &step);
  step.wake.ticket = step.wake.ticket ? step.wake.ticket : wake;
  return finish(&step, theirs, result, result == 0 && step.work == POOL_WORK_NONE ? ticket : 0);
}

pool_lease_t pool_step_cancel(int64_t ticket, pool_step_t *theirs)
{
  struct step step;
  int code = check_step(theirs);
  if (code)
    return code;
  pool_lease_t result = engine_cancel_ticket(ticket, &step);
  return finish(&step, theirs, result, 0);
}

int pool_step_end(pool_lease_t lease, pool_step_t *theirs)
{
  struct step step = {0};
  int code = check_step(theirs);
  if (code)
    return code;
  if (has_vtable(lease, true))
    return refuse_vtable();
  struct slot *slot = slot_find(lease);
  return (int)finish(&step, theirs, slot ? engine_end(slot, lease, &step) : POOL_E_STALE, 0);
}

pool_lease_t pool_step_done(pool_lease_t claim, int32_t result, void *conn, pool_step_t *theirs)
{
  struct step step = {0};
  int code = check_step(theirs);
  if (code)
    return code;
  if (has_vtable(claim, false))
    return refuse_vtable();
  struct outcome outcome = {.succeeded = result == 0, .lend = true, .conn = conn, .took_ns = -1};
  pool_lease_t lease = engine_done(claim, &outcome, &step);
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
  if (!pool->stepped)
    return refuse_vtable();
  struct scan cursor = scan_all(&pool->blocks);
  bool more = engine_next(pool, &cursor, &step);
  write_step(theirs, &step, 0);
  return more;
}
