/* SPDX-License-Identifier: MIT */
/*
 * The ladder that every asker walks: a thread that has just come, one that waits, a ticket of the step API, and an
 * asynchronous get, for which queue_serve() walks it.  The first rung that has an answer gives it:
 *
 *   closed    the pool lends nothing any more
 *   over      the waiter's time has passed
 *   shed      the waiter is late, and all are
 *   turn      paused, or others come first: no connection for this asker now
 *   take      an idle connection; with work where it must be checked or closed first
 *   open      a place for a new one, used by the asker or by a worker
 *   hope      nothing is left that could come: the cause
 *   wait
 *
 * A policy is a rung, or a condition of one.
 */
#include "decide/answer.h"

#include <stdatomic.h>

#include "slot/idle.h"
#include "decide/allowance.h"
#include "decide/attend.h"
#include "decide/attention.h"
#include "decide/lend.h"
#include "decide/overload.h"
#include "decide/pool.h"
#include "decide/room.h"
#include "decide/starve.h"
#include "decide/step.h"
#include "decide/suspect.h"
#include "decide/waiter.h"

static bool is_asynchronous(const struct waiter *waiter)
{
  return waiter && waiter->kind == WAITER_ASYNC;
}

/* ---- over ---- */

void answer_wish(struct pool *pool, const struct waiter *waiter, struct step *step)
{
  assert_locked(pool);
  int32_t others = pool->queue.patient - (waiter->queued && !waiter->timeless);
  if (pool->config.openers == 0 || waiter->refused || pool->crew.opening > others || idle_any(&pool->rows) ||
      !room_permits(pool, true))
    return;
  pool->chores.wished = step->worker_wanted = true;
}

static pool_lease_t end_in_time(struct pool *pool, struct waiter *waiter, struct step *step)
{
  step->starved = starve_find(pool, waiter);
  answer_wish(pool, waiter, step);
  return POOL_E_TIMEOUT;
}

/* ---- turn ---- */

/* Where leases go from holder to waiter, only the holder that comes back at once overtakes, by its home. */
static bool may_overtake(const struct pool *pool, const struct waiter *waiter)
{
  return !pool->hands || !pool->queue.first || pool->queue.first == waiter;
}

/* A thread that has just come is running and may overtake, as long as that is fair; one that has waited and woke for no
   reason may not. */
static bool has_turn(struct pool *pool, const struct asking *asking, int64_t now)
{
  const struct waiter *waiter = asking->waiter;
  uint32_t attention = attention_of(pool);
  if (attention & ATTENTION_PAUSED)
    return false;
  bool comes = (!waiter || !waiter->waited) && !(attention & ATTENTION_FAIR) && may_overtake(pool, waiter);
  return comes || asking->told || (waiter && attend_first_unchecking(pool, now) == waiter);
}

/* ---- take ---- */

/* An asynchronous waiter does not run: it gets what needs no work, and what does is checked in the background. */
static pool_lease_t take(struct pool *pool, const struct asking *asking, int64_t now, struct step *step)
{
  if (asking->waiter && attend_is_checking(asking->waiter, now))
    return lend_clean(pool, step); /* one check at a time */
  if (!is_asynchronous(asking->waiter))
    return asking->wary ? lend_clean(pool, step) : lend_any(pool, step);
  pool_lease_t lease = lend_clean(pool, step);
  if (!lease)
    suspect_next(pool, step);
  return lease;
}

/* ---- open ---- */

/* Whether an asker that finds the breaker open may be the probe: if nobody else comes to be it. */
static bool may_probe(struct pool *pool)
{
  return pool->config.openers == 0 && (pool->stepped || !atomic_load(&pool->crew.keeper_runs)) &&
         room_permits(pool, false);
}

bool answer_opens_elsewhere(const struct pool *pool, const struct waiter *waiter)
{
  assert_locked(pool);
  return pool->config.openers > 0 || is_asynchronous(waiter);
}

/* No worker can be had, so the asker opens itself. */
static bool is_helpless(struct pool *pool, const struct waiter *waiter)
{
  return !is_asynchronous(waiter) && pool->crew.workers == 0 && (attention_of(pool) & ATTENTION_WORKERLESS);
}

/* A get that does not wait leaves the wish for a connection to the next: for a place, which what is closed makes free.
 */
static void wish_for_place(struct pool *pool, const struct asking *asking, struct step *step)
{
  if (asking->waiter || asking->waits || !pool->chores.unclean)
    return;
  pool->chores.wished = step->worker_wanted = true;
}

/* A worker is to open.  Where an open has failed it waits for the moment to try again. */
static pool_lease_t open_elsewhere(struct pool *pool, const struct asking *asking, struct step *step)
{
  pool->chores.wished =
      pool->chores.wished || (!asking->waiter && !asking->waits && pool->crew.opening <= pool->queue.patient);
  step->worker_wanted = true;
  return 0;
}

/* 0 with work, POOL_E_NOMEM, or 0: not now, or not by this asker. */
static pool_lease_t open_one(struct pool *pool, const struct asking *asking, struct step *step)
{
  const struct waiter *waiter = asking->waiter;
  bool elsewhere = answer_opens_elsewhere(pool, waiter);
  if (is_asynchronous(waiter) && waiter->timeless)
    return 0;
  if (pool->breaker.open && !may_probe(pool)) {
    /* The probe is due, and perhaps nobody keeps the time. */
    step->worker_wanted = step->worker_wanted || room_permits(pool, true);
    return 0;
  }
  if (!room_permits(pool, waiter && (elsewhere || waiter->refused))) {
    allowance_ask(pool, !waiter && !asking->waits, step);
    wish_for_place(pool, asking, step);
    step->worker_wanted = step->worker_wanted || (waiter && elsewhere && room_retry_at(pool) != POOL_NO_DEADLINE);
    return 0;
  }
  if (elsewhere && !is_helpless(pool, waiter))
    return open_elsewhere(pool, asking, step);
  return room_reserve(pool, step) ? 0 : POOL_E_NOMEM;
}

/* Else a look at the slots, which costs more than the rest of the ladder, decides nothing. */
static bool may_get_place(struct pool *pool)
{
  return pool->allowance.budget || room_has_place(pool);
}

/* What is opened for a waiter that waits on meanwhile takes nothing from those that come first, so it needs no turn. */
static bool may_open(struct pool *pool, const struct asking *asking, bool turn, int64_t now)
{
  if (!pool->detached || !asking->waiter)
    return turn;
  bool idle = !turn && may_get_place(pool) && idle_any(&pool->rows); /* others are told to take it */
  return !idle && !(attention_of(pool) & ATTENTION_PAUSED) && attend_may_open(pool, asking->waiter, now);
}

/* ---- hope ---- */

bool answer_is_hopeless(struct pool *pool, const struct waiter *waiter)
{
  assert_locked(pool);
  bool attended = waiter && waiter->works > 0;
  return !attended && (pool->breaker.open || (waiter && waiter->refused)) && !room_hopes(pool);
}

static pool_lease_t refuse(struct pool *pool, struct waiter *waiter)
{
  if (!waiter)
    return POOL_E_OPEN;
  if (waiter->refused)
    return waiter->error.code;
  waiter->error = breaker_cause(&pool->breaker);
  waiter->at_once = true;
  return POOL_E_OPEN;
}

/* One without time to wait has only connections that are being checked to hope for. */
static bool has_nothing_to_come(struct pool *pool, const struct waiter *waiter)
{
  return is_asynchronous(waiter) && waiter->timeless && !idle_any_coming(&pool->rows);
}

/* ---- the ladder ---- */

pool_lease_t answer(struct pool *pool, const struct asking *asking, int64_t now, struct step *step)
{
  assert_locked(pool);
  struct waiter *waiter = asking->waiter;
  if (attention_closed(pool))
    return POOL_E_CLOSED;
  if (waiter && now >= waiter->deadline_ns)
    return end_in_time(pool, waiter, step);
  if (waiter && overload_sheds(pool, waiter, now))
    return POOL_E_OVERLOAD; /* before it takes: what comes back now is for those that are not late */
  bool turn = has_turn(pool, asking, now);
  if (turn) {
    pool_lease_t lease = take(pool, asking, now, step);
    if (lease || step->work)
      return lease;
  }
  if (may_open(pool, asking, turn, now)) {
    int code = (int)open_one(pool, asking, step);
    if (code || step->work)
      return code;
  }
  if (answer_is_hopeless(pool, waiter))
    return refuse(pool, waiter);
  return has_nothing_to_come(pool, waiter) ? POOL_E_TIMEOUT : 0;
}
