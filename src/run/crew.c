/* SPDX-License-Identifier: MIT */
/*
 * The library's own threads: a pool's keeper, which keeps the time and acts for asynchronous waiters, and its workers,
 * which open connections and do other chores: resets, checks and closes.  Of the vtable's callbacks the keeper runs
 * none, so that no slow server makes it late.
 *
 * Shared: under the pool's lock, how many of them there are.  They are started when something is wanted, and end after
 * LINGER_NS without work or when the pool is closed.
 *
 * A thread that wants something first bumps the word that the other sleeps on, then takes the lock and looks whether
 * that one is there.  A thread that would end takes the lock and looks whether the word is still what it was before it
 * looked for work the last time.  So either it sees the new work, or the first sees that it is gone and starts another.
 *
 * The threads are detached: nobody must wait for one that hangs in a driver's open.  The pool counts them, is not
 * recycled while there are any, and pool_close waits for them as long as it drains.
 */
#include "run/crew.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/event_fd.h"
#include "base/forks.h"
#include "base/park.h"
#include "base/thread.h"
#include "decide/attention.h"
#include "decide/chores.h"
#include "decide/life.h"
#include "decide/pool.h"
#include "decide/queue.h"
#include "decide/room.h"
#include "decide/step.h"
#include "run/budget.h"
#include "run/event.h"

#define LINGER_NS INT64_C(1000000000)

/* How long after a thread could not be started gets ask for it again. */
#define RESTART_NS INT64_C(1000000000)

/* What came of starting a thread.  `missing` is up until it succeeds.  Returns whether the program is to be told; then
   the pool is kept until that is done. */
static bool note_start(struct pool *pool, int error, uint32_t missing)
{
  assert_locked(pool);
  bool news = error && !(atomic_load(&pool->attention) & ATTENTION_THREADLESS);
  if (error)
    atomic_store(&pool->crew.start_again_ns, clock_now() + RESTART_NS);
  attention_raise(pool, missing, error != 0);
  pool->users.gets += news;
  return news;
}

static void tell_threadless(struct pool *pool, int error)
{
  if (event_threadless(pool, error))
    life_get_end(pool, forks_count());
}

bool crew_leaves_chores(const struct pool *pool)
{
  return pool->config.keeper == POOL_KEEPER_MANUAL && pool->config.openers == 0;
}

/* ---- the loop of a thread ---- */

/* Whether a thread has times to keep though nothing is due.  Where a keyed pool has nothing open, and opens nothing
   unasked, the next open starts another thread. */
static bool keeps_time(const struct pool *pool, enum crew_role role)
{
  assert_locked(pool);
  return role == CREW_KEEPER && pool->needs_watch &&
         (!pool->keyed || pool->room.open > 0 || room_refills(&pool->config));
}

/* Whether a thread of a pool has nothing more to do, as far as can be seen before its next turn. */
static bool is_over(struct pool *pool, enum crew_role role, bool lingered, int64_t due_ns)
{
  assert_locked(pool);
  if (role == CREW_KEEPER && pool->users.asynchronous > 0)
    return false;
  return attention_closed(pool) || (lingered && due_ns == POOL_NO_DEADLINE && !keeps_time(pool, role));
}

static int64_t linger_until(const struct pool *pool, enum crew_role role)
{
  return keeps_time(pool, role) ? POOL_NO_DEADLINE : clock_now() + LINGER_NS;
}

/* A thread leaves the crew. */
static void leave(struct pool *pool, enum crew_role role, struct step *step)
{
  assert_locked(pool);
  if (role == CREW_KEEPER)
    atomic_store(&pool->crew.keeper_runs, false);
  else
    pool->crew.workers--;
  assert_that(pool->crew.workers >= pool->crew.idle);
  life_thread_ends(pool, step);
}

/* Sleeps until somebody wants something, or it is due, or the thread has lingered: returns whether it has. */
static bool sleep_until(struct pool *pool, enum crew_role role, uint32_t seen, int64_t due_ns, int64_t lingers_ns)
{
  int64_t until = due_ns < lingers_ns ? due_ns : lingers_ns;
  park_wait(crew_signal(pool, role), seen, until);
  return until == lingers_ns && clock_now() >= until;
}

/* Workers that sleep are counted, so that no thread is started where one is free. */
static void count_sleeper(struct pool *pool, enum crew_role role, int32_t by)
{
  assert_locked(pool);
  if (role == CREW_WORKER)
    pool->crew.idle += by;
}

static void *serve(struct pool *pool, enum crew_role role)
{
  struct step step;
  bool lingered = false;
  uint64_t forks = forks_count();
  for (;;) {
    uint32_t seen = atomic_load(crew_signal(pool, role));
    struct crew_turn turn = pool->turn[role](pool);
    if (forks_since(forks))
      return NULL; /* in a child this is no thread of the pool */
    pthread_mutex_lock(&pool->lock);
    if (is_over(pool, role, lingered || turn.enough, turn.due_ns) && atomic_load(crew_signal(pool, role)) == seen)
      break;
    count_sleeper(pool, role, 1);
    int64_t lingers_ns = linger_until(pool, role);
    pthread_mutex_unlock(&pool->lock);
    lingered = sleep_until(pool, role, seen, turn.due_ns, lingers_ns);
    pthread_mutex_lock(&pool->lock);
    count_sleeper(pool, role, -1);
    pthread_mutex_unlock(&pool->lock);
  }
  leave(pool, role, &step);
  crew_finish(pool, &step);
  return NULL;
}

static void *keeper_main(void *pool)
{
  return serve(pool, CREW_KEEPER);
}

static void *worker_main(void *pool)
{
  return serve(pool, CREW_WORKER);
}

/* ---- what is wanted ---- */

static bool want_keeper(struct pool *pool, bool *started)
{
  int error = 0;
  bool news = false;
  *started = false;
  atomic_fetch_add(&pool->keeper_signal, 1);
  pthread_mutex_lock(&pool->lock);
  bool runs = atomic_load(&pool->crew.keeper_runs);
  if (!runs && !(attention_closed(pool) && pool->users.asynchronous == 0)) {
    error = thread_detach(keeper_main, pool);
    *started = runs = error == 0;
    atomic_store(&pool->crew.keeper_runs, runs);
    pool->crew.threads += runs;
    news = note_start(pool, error, ATTENTION_KEEPERLESS);
  }
  pthread_mutex_unlock(&pool->lock);
  if (news)
    tell_threadless(pool, error);
  return runs;
}

int crew_want_keeper(struct pool *pool)
{
  bool started;
  return pool->config.keeper == POOL_KEEPER_MANUAL || want_keeper(pool, &started) ? 0 : POOL_E_SYSTEM;
}

void crew_need_keeper(struct pool *pool, int64_t due_ns)
{
  if (!pool->needs_watch || pool->stepped || atomic_load(&pool->filling))
    return;
  bool started = false;
  if (pool->config.keeper == POOL_KEEPER_THREAD && !atomic_load(&pool->crew.keeper_runs))
    want_keeper(pool, &started); /* if it cannot be started, the next open tries again, and gets do now and then */
  if (started)
    return; /* it looks as it begins */
  /* One that rests has not flagged the new connection, so nobody would tell it when that moves. */
  bool rests = atomic_exchange(&pool->looks.resting, false);
  if (rests || due_ns < atomic_load(&pool->looks.next_ns)) {
    atomic_fetch_add(&pool->keeper_signal, 1);
    crew_wake_keeper(pool);
  }
}

void crew_wake_keeper(struct pool *pool)
{
  park_wake(&pool->keeper_signal);
  if (attention_closed(pool) && pool->config.keeper == POOL_KEEPER_MANUAL) {
    atomic_fetch_add(&pool->drain_signal, 1); /* the thread that drains keeps the time (close.c) */
    park_wake(&pool->drain_signal);
  }
  crew_ring(pool);
}

/* The list is complete before the descriptor is readable. */
static void ring_hub(struct pool *pool)
{
  int cancel_state = cancel_hold(); /* a thread cancelled in the write would keep the lock */
  pthread_mutex_lock(&pool->lock);
  struct hub *hub = atomic_load(&pool->hub);
  if (hub && !atomic_exchange(&pool->rung, true)) {
    pool->next_rung = atomic_load(&hub->first);
    while (!atomic_compare_exchange_weak(&hub->first, &pool->next_rung, pool))
      ;
  }
  if (hub)
    event_fd_write(&hub->fd);
  pthread_mutex_unlock(&pool->lock);
  cancel_release(cancel_state);
}

void crew_ring(struct pool *pool)
{
  if (atomic_load(&pool->hub))
    ring_hub(pool);
  else
    event_fd_signal(&pool->event_fd, &pool->lock);
}

void crew_stop(struct pool *pool)
{
  atomic_fetch_add(&pool->keeper_signal, 1);
  atomic_fetch_add(&pool->worker_signal, 1);
  park_wake(&pool->keeper_signal);
  park_wake(&pool->worker_signal);
  if (pool->allowance.budget)
    budget_wake(pool->allowance.budget, pool); /* what is granted and not open is free */
}

/* What waits for a place that only a close makes free cannot wait for pool_maintain(), and of a closed pool nobody need
   call that any more. */
static bool needs_worker(struct pool *pool)
{
  assert_locked(pool);
  return !crew_leaves_chores(pool) || pool->queue.asynchronous > 0 ||
         ((atomic_load(&pool->attention) & ATTENTION_UNCLEAN) &&
          (pool->queue.patient > 0 || pool->chores.wished || attention_closed(pool)));
}

/* Starts a worker if one is needed.  Returns 0 or an errno; `news`: the program is to be told. */
static int start_worker(struct pool *pool, bool again, bool *news)
{
  assert_locked(pool);
  int32_t wanted = again ? 1 : chores_hands_wanted(pool);
  if (pool->crew.idle > 0 || pool->crew.workers >= wanted || (attention_closed(pool) && !pool->chores.unclean))
    return 0;
  int error = thread_detach(worker_main, pool);
  pool->crew.workers += error == 0;
  pool->crew.threads += error == 0;
  *news = note_start(pool, error, ATTENTION_WORKERLESS);
  return error;
}

/* No thread can be had: waits for an open end, and what has to be closed is left to threads without a deadline. */
static void do_without_workers(struct pool *pool, int error)
{
  struct step step;
  pool_error_t cause = POOL_ERROR_INIT;
  error_set(&cause, POOL_E_SYSTEM, error, "could not start a thread to open a connection: %s", strerror(error));
  chores_open_failed(pool, &cause, &step);
  step.worker_wanted = false; /* else this would begin anew */
  crew_finish(pool, &step);
}

/* `again`: one that could not be started is started also where nothing is to be done right now, for the gets that would
   want it open themselves meanwhile. */
static void want_worker(struct pool *pool, bool again)
{
  if (pool->stepped)
    return;
  atomic_fetch_add(&pool->worker_signal, 1);
  pthread_mutex_lock(&pool->lock);
  bool needed = needs_worker(pool);
  bool news = false;
  int error = needed ? start_worker(pool, again, &news) : 0;
  bool helpless = error && pool->crew.workers == 0 && !again;
  pthread_mutex_unlock(&pool->lock);
  if (!needed) {
    atomic_fetch_add(&pool->keeper_signal, 1);
    crew_wake_keeper(pool);
    return;
  }
  park_wake(&pool->worker_signal);
  if (news)
    tell_threadless(pool, error);
  if (helpless)
    do_without_workers(pool, error);
}

void crew_want_worker(struct pool *pool)
{
  want_worker(pool, false);
}

void crew_start_again(struct pool *pool)
{
  bool started;
  int64_t now = clock_now(), due = atomic_load(&pool->crew.start_again_ns);
  if (now < due || !atomic_compare_exchange_strong(&pool->crew.start_again_ns, &due, now + RESTART_NS))
    return;
  if (atomic_load(&pool->attention) & ATTENTION_KEEPERLESS)
    want_keeper(pool, &started);
  if (atomic_load(&pool->attention) & ATTENTION_WORKERLESS)
    want_worker(pool, true);
}

static void wake_named(struct pool *pool, const struct step *step)
{
  if (step->signal)
    park_wake(step->signal);
  if (step->worker_wanted)
    crew_want_worker(pool);
  if (step->keeper_wanted)
    crew_wake_keeper(pool);
  if (step->drained)
    park_wake(step->drained);
  if (step->budget)
    budget_wake(step->budget, pool);
}

/* Those that a step could not name: no system call is done under the lock, and the lock is left between batches. */
static void wake_told(struct pool *pool)
{
  assert_unlocked(pool); /* (I14) */
  _Atomic uint32_t *signals[TOLD_AT_ONCE];
  struct step step;
  do {
    int32_t count = queue_tell(pool, signals, &step);
    for (int32_t i = 0; i < count; i++)
      park_wake(signals[i]);
    wake_named(pool, &step);
  } while (step.tells);
}

void crew_finish_some(struct pool *pool, const struct step *step)
{
  wake_named(pool, step);
  if (step->tells && !step->tells->stepped) /* else the next step of its program tells them */
    wake_told(step->tells);
  event_of_step(pool, step);
}
