/* SPDX-License-Identifier: MIT */
/*
 * The library's own threads: a pool's keeper, which keeps the time and acts for asynchronous waiters, and its openers,
 * which open connections and do other chores: resets, checks and closes.  Of the vtable's callbacks the keeper runs
 * none, lest a slow server make it late.
 *
 * Shared: under the pool's lock, how many of them there are.  They are started when something is wanted, and end after
 * LINGER_NS without work or when the pool is closed.
 *
 * Who wants something first bumps the thread's signal word, then takes the lock and looks whether a thread is there.  A
 * thread that would end takes the lock and looks whether the word is still what it was before it looked for work the
 * last time.  So either it sees the new work, or the other sees that it is gone and starts another.
 *
 * The threads are detached: nobody must wait for one that hangs in a driver's open.  The pool counts them, is not
 * recycled while there are any, and pool_close waits for them as long as it drains.
 */
#include "keeper.h"

#include <limits.h>
#include <signal.h>
#include <string.h>

#include "clock.h"
#include "error.h"
#include "event.h"
#include "event_fd.h"
#include "fork.h"
#include "park.h"
#include "queue.h"
#include "runner.h"

#define LINGER_NS INT64_C(1000000000)

/* If somebody else is maintaining, look again so soon. */
#define RETRY_NS INT64_C(1000000)

/* After a thread could not be started, gets ask for it again so soon. */
#define RESTART_NS INT64_C(1000000000)

/* Returns 0 or an errno. */
static int start(void *(*main)(void *), struct pool *pool)
{
  /* Signals are the program's business and go to its own threads; but what the thread itself does wrong, in a callback
     of the program, is for the handler that the program has for that.  Blocked, it would end the program unheard. */
  static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
  pthread_attr_t attributes;
  pthread_t thread;
  sigset_t others, before;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  sigfillset(&others);
  for (size_t i = 0; i < sizeof own / sizeof *own; i++)
    sigdelset(&others, own[i]);
  pthread_sigmask(SIG_SETMASK, &others, &before);
  int error = pthread_create(&thread, &attributes, main, pool);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return error;
}

/* Under the lock: what came of starting a thread.  `missing` is up until it succeeds.  Returns whether the program is
   to be told; then the pool is kept until that is done. */
static bool note_start(struct pool *pool, int error, uint32_t missing)
{
  bool news = error && !(atomic_load(&pool->attention) & ATTENTION_THREADLESS);
  if (error)
    atomic_store(&pool->start_again_ns, clock_now() + RESTART_NS);
  attention_raise(pool, missing, error != 0);
  pool->gets += news;
  return news;
}

static void tell_threadless(struct pool *pool, int error)
{
  uint64_t forks = fork_count();
  event_threadless(pool, error);
  engine_get_end(pool, forks);
}

static bool is_closed(struct pool *pool)
{
  return atomic_load(&pool->attention) & ATTENTION_CLOSED;
}

/* ---- asynchronous waiters ---- */

static void call_back(struct pool *pool, const struct waiter *waiter, pool_lease_t outcome)
{
  if (outcome > 0)
    runner_note(outcome);
  else if (outcome == POOL_E_TIMEOUT)
    runner_timed_out(pool, &waiter->error);
  else if (waiter->error.code == (int32_t)outcome)
    error_set(NULL, waiter->error.code, waiter->error.native, "%s: %s", pool->name, waiter->error.message);
  else
    error_code((int)outcome);
  event_get_ended(pool, outcome, waiter);
  struct callback callback;
  runner_enter(&callback, pool);
  waiter->got(waiter->user, outcome);
  runner_leave(&callback);
}

/* Where there is no vtable, who has waited in vain has no callback: pool_step_next() names him. */
static void serve_asynchronous(struct pool *pool, int64_t *due)
{
  struct waiter settled;
  struct step step;
  uint64_t forks = fork_count();
  while (!pool->stepped && forks == fork_count() && engine_next_settled(pool, &settled, due, &step)) {
    runner_wake(pool, &step);
    call_back(pool, &settled, settled.outcome);
  }
}

/* ---- what is due ---- */

/* Closes, checks, resets and opens what has to be in the background.  Returns whether it opened. */
static bool do_chores(struct pool *pool, bool for_waiters)
{
  bool opened = false;
  struct step step;
  struct scan cursor = {0};
  uint64_t forks = fork_count();
  while (forks == fork_count() && engine_next_chore(pool, &cursor, for_waiters, &step)) {
    pool_error_t error = POOL_ERROR_INIT;
    bool opens = step.work == POOL_WORK_OPEN;
    int64_t began = clock_now();
    runner_wake(pool, &step);
    pool_lease_t result = runner_work(pool, &step, clock_deadline(pool->config.get_timeout_ms), false, &error);
    if (forks != fork_count())
      break;
    if (!opens) {
      engine_chore_done(pool);
      continue;
    }
    engine_opener_done(pool, result == POOL_E_CLOSED ? 0 : (int)result, &error, began, &step);
    runner_wake(pool, &step);
    opened = true;
  }
  return opened;
}

static void tell_leaks(struct pool *pool)
{
  struct leak leak;
  struct scan cursor = scan_all(&pool->rows);
  while (engine_next_leak(pool, &cursor, &leak))
    event_leaked(pool, &leak);
}

/* Whether the program, not a thread of the library, does the chores: all but opening for asynchronous waiters, since
 * who runs an event loop cannot wait for a server. */
static bool does_chores_itself(const struct pool *pool)
{
  return pool->config.keeper == POOL_KEEPER_MANUAL && pool->config.openers == 0;
}

/* Looks at the time, and sees to it that what is due gets done.  Returns when to look again. */
static int64_t look(struct pool *pool)
{
  struct step step;
  struct look look;
  engine_look(pool, &look, &step);
  runner_wake(pool, &step);
  if (look.leaks)
    tell_leaks(pool);
  return pool->stepped && look.chores ? look.now : look.due_ns; /* pool_step_next() has something */
}

static int64_t maintain(struct pool *pool)
{
  struct step step;
  if (!engine_maintain_begin(pool))
    return RETRY_NS;
  event_fd_drain(pool);
  uint64_t forks = fork_count();
  int64_t due = POOL_NO_DEADLINE;
  /* Until it is known again: what is opened meanwhile may have been looked at already, or not, and asks for a look. */
  atomic_store(&pool->looks_at_ns, POOL_NO_DEADLINE);
  serve_asynchronous(pool, &due);
  int64_t look_due = forks == fork_count() ? look(pool) : POOL_NO_DEADLINE;
  if (does_chores_itself(pool) && !pool->stepped && forks == fork_count()) {
    do_chores(pool, false);
    if (forks == fork_count())
      serve_asynchronous(pool, &due);
    if (forks == fork_count())
      look_due = look(pool); /* what was done has other times */
  }
  if (is_closed(pool) && forks == fork_count())
    serve_asynchronous(pool, &due); /* a callback closed it, and perhaps nobody maintains it any more */
  if (forks != fork_count())
    return INT64_MAX; /* a callback forked, and in the child the pool began anew */
  due = look_due < due ? look_due : due;
  atomic_store(&pool->looks_at_ns, due);
  engine_maintain_end(pool, &step);
  runner_wake(pool, &step);
  if (due == POOL_NO_DEADLINE)
    return INT64_MAX;
  int64_t now = clock_now();
  return due > now ? due - now : 0;
}

static bool keeper_may_end(struct pool *pool, uint32_t seen, bool lingered)
{
  bool idle = is_closed(pool) || (lingered && !pool->needs_watch);
  return idle && pool->asynchronous == 0 && atomic_load(&pool->keeper_signal) == seen;
}

static int64_t moment_after(int64_t ns)
{
  int64_t now = clock_now();
  return ns < POOL_NO_DEADLINE - now ? now + ns : POOL_NO_DEADLINE;
}

static void *keeper_main(void *data)
{
  struct pool *pool = data;
  struct step step;
  bool lingered = false;
  uint64_t forks = fork_count();
  for (;;) {
    uint32_t seen = atomic_load(&pool->keeper_signal);
    int64_t wait = maintain(pool);
    if (forks != fork_count())
      return NULL; /* in a child this is no keeper */
    pthread_mutex_lock(&pool->lock);
    if (keeper_may_end(pool, seen, lingered)) {
      atomic_store(&pool->keeper_runs, false);
      engine_thread_ends(pool, &step);
      break;
    }
    pthread_mutex_unlock(&pool->lock);
    int64_t longest = pool->needs_watch ? INT64_MAX : LINGER_NS;
    int64_t until = moment_after(wait < longest ? wait : longest);
    park_wait(&pool->keeper_signal, seen, until);
    lingered = wait >= LINGER_NS && clock_now() >= until;
  }
  runner_wake(pool, &step);
  return NULL;
}

static bool want(struct pool *pool, bool *started)
{
  int error = 0;
  bool news = false;
  *started = false;
  atomic_fetch_add(&pool->keeper_signal, 1);
  pthread_mutex_lock(&pool->lock);
  bool runs = atomic_load(&pool->keeper_runs);
  if (!runs && !(is_closed(pool) && pool->asynchronous == 0)) {
    error = start(keeper_main, pool);
    *started = runs = error == 0;
    atomic_store(&pool->keeper_runs, runs);
    pool->threads += runs;
    news = note_start(pool, error, ATTENTION_KEEPERLESS);
  }
  pthread_mutex_unlock(&pool->lock);
  if (news)
    tell_threadless(pool, error);
  return runs;
}

int keeper_want(struct pool *pool)
{
  bool started;
  return pool->config.keeper == POOL_KEEPER_MANUAL || want(pool, &started) ? 0 : POOL_E_SYSTEM;
}

void keeper_need(struct pool *pool, int64_t due_ns)
{
  if (!pool->needs_watch || pool->stepped || atomic_load(&pool->filling))
    return;
  bool started = false;
  if (pool->config.keeper == POOL_KEEPER_THREAD && !atomic_load(&pool->keeper_runs))
    want(pool, &started); /* if it cannot be started, the next open tries again, and gets do now and then */
  if (started)
    return; /* it looks as it begins */
  /* One that rests has not flagged the new connection, so nobody would tell it when that moves. */
  bool rests = atomic_exchange(&pool->resting, false);
  if (rests || due_ns < atomic_load(&pool->looks_at_ns)) {
    atomic_fetch_add(&pool->keeper_signal, 1);
    keeper_wake(pool);
  }
}

void keeper_wake(struct pool *pool)
{
  park_wake(&pool->keeper_signal);
  if (is_closed(pool) && pool->config.keeper == POOL_KEEPER_MANUAL) {
    atomic_fetch_add(&pool->drain_signal, 1); /* who drains keeps the time (drain.c) */
    park_wake(&pool->drain_signal);
  }
  event_fd_signal(pool);
}

void keeper_stop(struct pool *pool)
{
  atomic_fetch_add(&pool->keeper_signal, 1);
  atomic_fetch_add(&pool->opener_signal, 1);
  park_wake(&pool->keeper_signal);
  park_wake(&pool->opener_signal);
}

int64_t keeper_maintain(struct pool *pool)
{
  return maintain(pool);
}

void keeper_finish(struct pool *pool)
{
  if (pool->config.keeper == POOL_KEEPER_MANUAL)
    maintain(pool);
}

int64_t pool_maintain(pool_t *pool)
{
  if (!pool)
    return error_set(NULL, POOL_E_INVALID, 0, "pool is NULL");
  int64_t due = maintain(pool);
  /* A keeper that sleeps knows only what it saw itself. */
  if (atomic_load(&pool->keeper_runs)) {
    atomic_fetch_add(&pool->keeper_signal, 1);
    park_wake(&pool->keeper_signal);
  }
  return due;
}

/* ---- openers ---- */

static bool opener_may_end(struct pool *pool, uint32_t seen, bool lingered)
{
  return (lingered || is_closed(pool)) && atomic_load(&pool->opener_signal) == seen;
}

static void *opener_main(void *data)
{
  struct pool *pool = data;
  struct step step;
  bool lingered = false;
  uint64_t forks = fork_count();
  for (;;) {
    uint32_t seen = atomic_load(&pool->opener_signal);
    /* Where one connection was opened, others may soon be wanted; other chores come seldom. */
    lingered = !do_chores(pool, true) || lingered;
    if (forks != fork_count())
      return NULL; /* in a child this is no opener */
    pthread_mutex_lock(&pool->lock);
    int64_t retry_ns = engine_retry_at(pool);
    if (opener_may_end(pool, seen, lingered && retry_ns == POOL_NO_DEADLINE)) {
      pool->openers--;
      engine_thread_ends(pool, &step);
      break;
    }
    pool->openers_idle++;
    pthread_mutex_unlock(&pool->lock);
    int64_t until = clock_now() + LINGER_NS;
    park_wait(&pool->opener_signal, seen, retry_ns < until ? retry_ns : until);
    lingered = clock_now() >= until;
    pthread_mutex_lock(&pool->lock);
    pool->openers_idle--;
    pthread_mutex_unlock(&pool->lock);
  }
  runner_wake(pool, &step);
  return NULL;
}

/* What waits for a place that only a close makes free cannot wait for pool_maintain(), and of a closed pool nobody need
   call that any more. */
static bool needs_opener(struct pool *pool)
{
  return !does_chores_itself(pool) || pool->queue.asynchronous > 0 ||
         ((atomic_load(&pool->attention) & ATTENTION_UNCLEAN) &&
          (pool->queue.patient > 0 || pool->wished || is_closed(pool)));
}

/* Starts an opener if one is needed.  Returns 0 or an errno; `news`: the program is to be told. */
static int start_opener(struct pool *pool, bool again, bool *news)
{
  int32_t wanted = again ? 1 : engine_hands_wanted(pool);
  if (pool->openers_idle > 0 || pool->openers >= wanted || (is_closed(pool) && !pool->unclean))
    return 0;
  int error = start(opener_main, pool);
  pool->openers += error == 0;
  pool->threads += error == 0;
  *news = note_start(pool, error, ATTENTION_OPENERLESS);
  return error;
}

/* No thread can be had: waits for an open end, and what has to be closed is left to those who have no deadline. */
static void do_without_openers(struct pool *pool, int error)
{
  struct step step;
  pool_error_t cause = POOL_ERROR_INIT;
  error_set(&cause, POOL_E_SYSTEM, error, "could not start a thread to open a connection: %s", strerror(error));
  engine_open_failed(pool, &cause, &step);
  step.opener_wanted = false; /* else this would begin anew */
  runner_wake(pool, &step);
}

/* `again`: one that could not be started is started also where nothing is to be done right now, for the gets that would
   want it open themselves meanwhile. */
static void want_opener(struct pool *pool, bool again)
{
  if (pool->stepped)
    return;
  atomic_fetch_add(&pool->opener_signal, 1);
  pthread_mutex_lock(&pool->lock);
  bool needed = needs_opener(pool);
  bool news = false;
  int error = needed ? start_opener(pool, again, &news) : 0;
  bool helpless = error && pool->openers == 0 && !again;
  pthread_mutex_unlock(&pool->lock);
  if (!needed) {
    atomic_fetch_add(&pool->keeper_signal, 1);
    keeper_wake(pool);
    return;
  }
  park_wake(&pool->opener_signal);
  if (news)
    tell_threadless(pool, error);
  if (helpless)
    do_without_openers(pool, error);
}

void keeper_want_opener(struct pool *pool)
{
  want_opener(pool, false);
}

void keeper_again(struct pool *pool)
{
  bool started;
  int64_t now = clock_now(), due = atomic_load(&pool->start_again_ns);
  if (now < due || !atomic_compare_exchange_strong(&pool->start_again_ns, &due, now + RESTART_NS))
    return;
  if (atomic_load(&pool->attention) & ATTENTION_KEEPERLESS)
    want(pool, &started);
  if (atomic_load(&pool->attention) & ATTENTION_OPENERLESS)
    want_opener(pool, true);
}
