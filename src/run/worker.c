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
#include "decide/setting.h"
#include "decide/work.h"
#include "run/callback.h"
#include "run/crew.h"
#include "run/event.h"
#include "run/failure.h"
#include "run/server.h"

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
    snprintf(error->message, sizeof error->message, MESSAGE("%s failed without saying why"), name);
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
  int64_t limit_ms = setting_now(pool->config.check_timeout_ms);
  int64_t own = limit_ms < 0 ? POOL_NO_DEADLINE : began + ns_of(limit_ms);
  return limit_ms < 0 || (lend && deadline_ns < own) ? deadline_ns : own;
}

/* A piece of work while it runs. */
struct running {
  struct step done; /* what was asked for */
  int64_t connection;
  int64_t deadline_ns; /* of the get or chore */
  int64_t until_ns;    /* of the callback */
  int64_t began_ns, ended_ns;
  int64_t newest; /* of a check */
  bool lend;
  int failure; /* 0 or why it failed */
  void *conn;
  pool_error_t error;
};

static void run_work(struct pool *pool, struct running *running)
{
  bool checks = running->done.work == POOL_WORK_CHECK;
  struct callback callback;
  if (running->done.work == POOL_WORK_OPEN) {
    server_revive();
    event_opening(pool, running->connection);
  }
  running->began_ns = clock_now();
  running->until_ns =
      checks ? check_until(pool, running->began_ns, running->deadline_ns, running->lend) : running->deadline_ns;
  running->newest = checks ? work_newest(pool) : 0;
  callback_enter(&callback, pool);
  running->failure = run(pool, &running->done, running->until_ns, &running->conn, &running->error);
  callback_leave(&callback);
  running->ended_ns = clock_now();
  if (running->failure && running->done.work == POOL_WORK_OPEN)
    failure_of_open(callback.phase, &running->error);
  if (checks && running->failure == 0)
    running->failure = failure_of_check(pool, running->ended_ns - running->began_ns, &running->error);
}

static bool is_for_a_lease(const struct running *running)
{
  return running->done.work == POOL_WORK_OPEN || running->done.work == POOL_WORK_CHECK;
}

/* A connection that comes after the deadline is the next caller's. */
static bool is_late(const struct running *running)
{
  return is_for_a_lease(running) && running->failure == 0 && running->deadline_ns != POOL_NO_DEADLINE &&
         running->ended_ns > running->deadline_ns;
}

static pool_lease_t report(struct pool *pool, struct running *running, struct step *step)
{
  struct outcome outcome = {.succeeded = running->failure == 0,
                            .lend = running->lend && !is_late(running),
                            .newest = running->newest,
                            .cut_short = running->lend && running->until_ns == running->deadline_ns &&
                                         running->ended_ns >= running->deadline_ns - CUT_NS,
                            .conn = running->conn,
                            .took_ns = running->ended_ns - running->began_ns,
                            .error = running->failure ? &running->error : NULL};
  tell(pool, &running->done, running->connection, &outcome);
  return work_done(running->done.claim, &outcome, step);
}

/* What follows from a report beside what the step asks for. */
static void follow(struct pool *pool, struct running *running, pool_lease_t result, struct step *step)
{
  bool opens = running->done.work == POOL_WORK_OPEN;
  if (opens && running->failure == 0 && result == POOL_E_STALE) /* a child of fork, and no pool waits for it */
    pool->vtable.close(pool->context, running->conn, &running->error);
  if (opens && result != POOL_E_STALE)
    crew_need_keeper(pool, running->failure ? POOL_NO_DEADLINE : look_first_due(&pool->config, running->done.slot));
  crew_finish(pool, step);
}

/* One piece of work, reported to the decisions, which may have more. */
static pool_lease_t run_and_report(struct pool *pool, struct step *step, int64_t deadline_ns, bool lend,
                                   pool_error_t *cause)
{
  struct running running = {.done = *step,
                            .connection = atomic_load(&step->slot->connection),
                            .deadline_ns = deadline_ns,
                            .lend = lend,
                            .error = POOL_ERROR_INIT};
  run_work(pool, &running);
  pool_lease_t result = report(pool, &running, step);
  if (running.failure && cause && is_for_a_lease(&running))
    *cause = running.error;
  follow(pool, &running, result, step);
  bool opens = running.done.work == POOL_WORK_OPEN;
  if (opens && running.failure != 0)
    return running.failure;
  if (!is_late(&running) || !lend || result != 0)
    return result;
  return failure_of_late(opens ? "open" : "check", running.ended_ns - running.began_ns, cause);
}

pool_lease_t worker_do(struct pool *pool, struct step *step, int64_t deadline_ns, bool lend, pool_error_t *cause)
{
  pool_lease_t result = 0;
  if (step->work == POOL_WORK_NONE)
    return 0;
  int cancel_state = cancel_hold(); /* until it is known what came of it */
  uint64_t forks = forks_count();
  while (step->work != POOL_WORK_NONE && !forks_since(forks)) {
    if (lend && (step->work == POOL_WORK_CLOSE || step->work == POOL_WORK_RESET)) {
      later_leave(pool, step);
      crew_finish(pool, step);
      break;
    }
    pool_lease_t outcome = run_and_report(pool, step, deadline_ns, lend, cause);
    if (result == 0)
      result = outcome;
  }
  cancel_release(cancel_state);
  return result;
}

void worker_finish(struct pool *pool, struct step *step, int64_t deadline_ns)
{
  crew_finish(pool, step);
  worker_do(pool, step, deadline_ns, false, NULL);
}

/* Where nobody else does, those that have no deadline close and reset what gets have left. */
void worker_do_unclean(struct pool *pool)
{
  struct step step;
  while ((atomic_load(&pool->attention) & ATTENTION_UNCLEAN) && later_next(pool, &step))
    worker_do(pool, &step, clock_deadline(setting_now(pool->config.get_timeout_ms)), false, NULL);
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
    crew_finish(pool, &step);
    pool_lease_t result =
        worker_do(pool, &step, clock_deadline(setting_now(pool->config.get_timeout_ms)), false, &error);
    if (forks_since(forks))
      break;
    if (!opens) {
      chores_done(pool);
      continue;
    }
    chores_open_done(pool, result == POOL_E_CLOSED ? 0 : (int)result, &error, began, &step);
    crew_finish(pool, &step);
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
