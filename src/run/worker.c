/* SPDX-License-Identifier: MIT */
#include "run/worker.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/forks.h"
#include "base/thread.h"
#include "slot/idle.h"
#include "slot/notes.h"
#include "slot/slot.h"
#include "decide/attention.h"
#include "decide/chores.h"
#include "decide/later.h"
#include "decide/look.h"
#include "decide/pool.h"
#include "decide/step.h"
#include "decide/room.h"
#include "decide/work.h"
#include "run/callback.h"
#include "run/crew.h"
#include "run/event.h"
#include "run/failure.h"

/* A driver whose timer has whole milliseconds may end so much before the deadline, because of it. */
#define CUT_NS INT64_C(1000000)

/* What a callback returned is made one of the codes that its failure may have; its message ends, and says something. */
static int judge(int code, int general, const char *name, pool_error_t *error)
{
  if (code == 0)
    return 0;
  error_finish(error);
  bool passes = code == POOL_E_TIMEOUT || (code == POOL_E_NOMEM && general == POOL_E_OPEN);
  error->code = passes ? code : general;
  if (error->message[0] == 0)
    snprintf(error->message, sizeof error->message, "%s failed without saying why", name);
  return error->code;
}

static int run_open(struct pool *pool, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  int code = pool->vtable.open(pool->context, deadline_ns, conn, error);
  if (code == 0 && !*conn)
    code = error_set(error, POOL_E_OPEN, 0, "open returned no connection");
  return judge(code, POOL_E_OPEN, "open", error);
}

/* Runs one callback.  Returns 0 or why it failed. */
static int run(struct pool *pool, const struct step *step, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  const pool_vtable_t *vtable = &pool->vtable;
  *conn = slot_conn(step->slot);
  switch (step->work) {
  case POOL_WORK_OPEN:
    return run_open(pool, deadline_ns, conn, error);
  case POOL_WORK_CHECK:
    return judge(vtable->check(pool->context, *conn, deadline_ns, error), POOL_E_BROKEN, "check", error);
  case POOL_WORK_RESET:
    return judge(vtable->reset(pool->context, *conn, deadline_ns, error), POOL_E_BROKEN, "reset", error);
  default:
    return judge(vtable->close(pool->context, *conn, error), POOL_E_BROKEN, "close", error);
  }
}

/* While the slot is still ours, so that the pool cannot go away. */
static void tell(struct pool *pool, const struct step *done, int64_t connection, const struct outcome *outcome)
{
  if (done->work == POOL_WORK_OPEN && outcome->succeeded)
    event_opened(pool, connection, outcome->took_ns);
  else if (done->work == POOL_WORK_OPEN)
    event_open_failed(pool, connection, outcome->error, outcome->took_ns);
  if (done->work != POOL_WORK_CLOSE)
    return;
  if (!outcome->succeeded)
    event_close_failed(pool, outcome->error);
  event_closed(pool, connection, done->reason, extra_of(done->slot)->cause, outcome->took_ns);
}

/* The limit of a check: its own, and for a get what is left of the get's time. */
static int64_t check_until(struct pool *pool, int64_t began, int64_t deadline_ns, bool lend)
{
  int64_t limit_ms = pool->config.check_timeout_ms;
  int64_t own = limit_ms < 0 ? POOL_NO_DEADLINE : began + ns_of(limit_ms);
  return limit_ms < 0 || (lend && deadline_ns < own) ? deadline_ns : own;
}

/* One piece of work, reported to the engine, which may have more. */
static pool_lease_t run_and_report(struct pool *pool, struct step *step, int64_t deadline_ns, bool lend,
                                   pool_error_t *cause)
{
  struct step done = *step;
  pool_error_t error = POOL_ERROR_INIT;
  void *conn;
  struct callback callback;
  int64_t connection = atomic_load(&done.slot->connection);
  if (done.work == POOL_WORK_OPEN)
    event_opening(pool, connection);
  int64_t began = clock_now();
  bool checks = done.work == POOL_WORK_CHECK;
  int64_t until = checks ? check_until(pool, began, deadline_ns, lend) : deadline_ns;
  int64_t newest = checks ? work_newest(pool) : 0;
  callback_enter(&callback, pool);
  int failure = run(pool, &done, until, &conn, &error);
  callback_leave(&callback);
  int64_t ended = clock_now();
  if (checks && failure == 0)
    failure = failure_of_check(pool, ended - began, &error);
  bool opened = done.work == POOL_WORK_OPEN && failure == 0;
  bool good = opened || (done.work == POOL_WORK_CHECK && failure == 0);
  /* A connection that comes after the deadline is the next caller's. */
  bool late = good && deadline_ns != POOL_NO_DEADLINE && ended > deadline_ns;
  struct outcome outcome = {.succeeded = failure == 0,
                            .lend = lend && !late,
                            .newest = newest,
                            .cut_short = lend && until == deadline_ns && ended >= deadline_ns - CUT_NS,
                            .conn = conn,
                            .took_ns = ended - began,
                            .error = failure ? &error : NULL};
  tell(pool, &done, connection, &outcome);
  pool_lease_t result = work_done(done.claim, &outcome, step);
  if (failure && cause && (done.work == POOL_WORK_OPEN || done.work == POOL_WORK_CHECK))
    *cause = error;
  if (opened && result == POOL_E_STALE)
    pool->vtable.close(pool->context, conn, &error); /* we are in a child of fork by now, and no pool waits for it */
  if (done.work == POOL_WORK_OPEN && result != POOL_E_STALE)
    crew_need_keeper(pool, failure ? POOL_NO_DEADLINE : look_first_due(&pool->config, done.slot));
  crew_wake(pool, step);
  event_of_step(pool, step);
  if (done.work == POOL_WORK_OPEN && failure != 0)
    return failure;
  if (!late || !lend || result != 0)
    return result;
  if (cause)
    cause->code = POOL_E_TIMEOUT;
  return POOL_E_TIMEOUT;
}

pool_lease_t worker_do(struct pool *pool, struct step *step, int64_t deadline_ns, bool lend, pool_error_t *cause)
{
  pool_lease_t result = 0;
  if (step->work == POOL_WORK_NONE)
    return 0;
  int cancel_state = cancel_hold(); /* until the engine knows what came of it */
  while (step->work != POOL_WORK_NONE) {
    if (lend && (step->work == POOL_WORK_CLOSE || step->work == POOL_WORK_RESET)) {
      later_leave(pool, step);
      crew_wake(pool, step);
      break;
    }
    pool_lease_t outcome = run_and_report(pool, step, deadline_ns, lend, cause);
    if (result == 0)
      result = outcome;
  }
  cancel_release(cancel_state);
  return result;
}

/* Where nobody else does, those that have no deadline close and reset what gets have left. */
void worker_do_unclean(struct pool *pool)
{
  struct step step;
  while ((atomic_load(&pool->attention) & ATTENTION_UNCLEAN) && later_next(pool, &step))
    worker_do(pool, &step, clock_deadline(pool->config.get_timeout_ms), false, NULL);
}

bool worker_do_chores(struct pool *pool, bool for_waiters)
{
  bool opened = false;
  struct step step;
  struct scan cursor = {0};
  uint64_t forks = forks_count();
  while (!forks_since(forks) && chores_next(pool, &cursor, for_waiters, &step)) {
    pool_error_t error = POOL_ERROR_INIT;
    bool opens = step.work == POOL_WORK_OPEN;
    int64_t began = clock_now();
    crew_wake(pool, &step);
    pool_lease_t result = worker_do(pool, &step, clock_deadline(pool->config.get_timeout_ms), false, &error);
    if (forks_since(forks))
      break;
    if (!opens) {
      chores_done(pool);
      continue;
    }
    chores_open_done(pool, result == POOL_E_CLOSED ? 0 : (int)result, &error, began, &step);
    crew_wake(pool, &step);
    opened = true;
  }
  return opened;
}

struct crew_turn worker_turn(struct pool *pool)
{
  bool opened = worker_do_chores(pool, true);
  pthread_mutex_lock(&pool->lock);
  int64_t retry_ns = room_retry_at(pool);
  pthread_mutex_unlock(&pool->lock);
  /* Where one connection was opened, others may soon be wanted; other chores come seldom. */
  return (struct crew_turn){.due_ns = retry_ns, .enough = !opened};
}
