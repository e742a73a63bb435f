/* SPDX-License-Identifier: MIT */
/*
 * The C runner: get and put with a vtable's callbacks.
 *
 * The fast paths are here.  A get tries the slot that its thread used last, with the word that this slot should have:
 * one compare-and-swap whose operands do not depend on a look at the slot.  A put is one compare-and-swap as well. Each
 * then looks at the pool's `attention`, and at nothing else that others write.  Everything unusual goes to the engine.
 *
 * The slot that a thread used last stands in its home (home.h).
 */
#include "runner.h"

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "error.h"
#include "event.h"
#include "fork.h"
#include "home.h"
#include "keeper.h"
#include "park.h"
#include "probe.h"
#include "thread.h"

/* How long a get looks again and again before it sleeps: most holds are shorter than a sleep.  It looks seldom, because
   each look takes the cache line of the slot away from whoever uses it. */
#define SPIN_ROUNDS 6
#define SPIN_PAUSES 64

/* A get without time waits for nobody else, but so long for a place that it has just made: most closes are quicker. */
#define REPLACE_NS INT64_C(10000000)

/* A driver whose timer has whole milliseconds may end so much before the deadline, because of it. */
#define CUT_NS INT64_C(1000000)

/* The callbacks that this thread is in, the innermost first. */
static _Thread_local const struct callback *callbacks;

void runner_enter(struct callback *callback, const struct pool *pool)
{
  callback->cancel_state = cancel_hold();
  callback->pool = pool;
  callback->outer = callbacks;
  callbacks = callback;
}

void runner_leave(struct callback *callback)
{
  callbacks = callback->outer;
  cancel_release(callback->cancel_state);
}

bool runner_is_inside(const struct pool *pool)
{
  const struct callback *callback = callbacks;
  while (callback && callback->pool != pool)
    callback = callback->outer;
  return callback != NULL;
}

/* ---- work ---- */

static void wake_named(struct pool *pool, const struct step *step)
{
  if (step->wake.signal)
    park_wake(step->wake.signal);
  if (step->opener_wanted)
    keeper_want_opener(pool);
  if (step->keeper_wanted)
    keeper_wake(pool);
  if (step->drained)
    park_wake(step->drained);
}

/* Those that a step could not name: no system call is done under the lock, and the lock is left between batches. */
static void wake_told(struct pool *pool)
{
  _Atomic uint32_t *signals[TOLD_AT_ONCE];
  struct step step;
  do {
    int32_t count = engine_tell(pool, signals, &step);
    for (int32_t i = 0; i < count; i++)
      park_wake(signals[i]);
    wake_named(pool, &step);
  } while (step.tells);
}

void runner_wake(struct pool *pool, const struct step *step)
{
  wake_named(pool, step);
  if (step->tells)
    wake_told(step->tells);
}

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
  *conn = atomic_load_explicit(&step->slot->conn, memory_order_relaxed);
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
  int64_t own = limit_ms < 0 ? POOL_NO_DEADLINE : began + limit_ms * 1000000;
  return limit_ms < 0 || (lend && deadline_ns < own) ? deadline_ns : own;
}

/* A check that says yes, but too late. */
static int overran(struct pool *pool, int64_t took_ns, pool_error_t *error)
{
  int64_t limit_ms = pool->config.check_timeout_ms;
  if (limit_ms < 0 || took_ns <= limit_ms * 1000000)
    return 0;
  return error_set(error, POOL_E_TIMEOUT, 0, "check took %lld ms, and check_timeout_ms is %lld",
                   (long long)(took_ns / 1000000), (long long)limit_ms);
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
  int64_t newest = checks ? engine_newest(pool) : 0;
  runner_enter(&callback, pool);
  int failure = run(pool, &done, until, &conn, &error);
  runner_leave(&callback);
  int64_t ended = clock_now();
  if (checks && failure == 0)
    failure = overran(pool, ended - began, &error);
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
  pool_lease_t result = engine_done(done.claim, &outcome, step);
  if (failure && cause && (done.work == POOL_WORK_OPEN || done.work == POOL_WORK_CHECK))
    *cause = error;
  if (opened && result == POOL_E_STALE)
    pool->vtable.close(pool->context, conn, &error); /* we are in a child of fork by now, and no pool waits for it */
  if (done.work == POOL_WORK_OPEN && result != POOL_E_STALE)
    keeper_need(pool, failure ? POOL_NO_DEADLINE : watch_first_due(&pool->config, done.slot));
  runner_wake(pool, step);
  event_of_step(pool, step);
  if (done.work == POOL_WORK_OPEN && failure != 0)
    return failure;
  if (!late || !lend || result != 0)
    return result;
  if (cause)
    cause->code = POOL_E_TIMEOUT;
  return POOL_E_TIMEOUT;
}

pool_lease_t runner_work(struct pool *pool, struct step *step, int64_t deadline_ns, bool lend, pool_error_t *cause)
{
  pool_lease_t result = 0;
  if (step->work == POOL_WORK_NONE)
    return 0;
  int cancel_state = cancel_hold(); /* until the engine knows what came of it */
  while (step->work != POOL_WORK_NONE) {
    if (lend && (step->work == POOL_WORK_CLOSE || step->work == POOL_WORK_RESET)) {
      engine_do_later(pool, step);
      runner_wake(pool, step);
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
void runner_do_unclean(struct pool *pool)
{
  struct step step;
  while ((atomic_load(&pool->attention) & ATTENTION_UNCLEAN) && engine_next_unclean(pool, &step))
    runner_work(pool, &step, clock_deadline(pool->config.get_timeout_ms), false, NULL);
}

/* ---- get ---- */

static inline void pause_processor(void)
{
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");
#endif
}

/* A lease that a get took and must not keep goes back as if it had been put. */
static void return_unused(struct pool *pool, pool_lease_t lease)
{
  struct step step = {0};
  engine_return_unused(pool, lease, &step);
  runner_wake(pool, &step);
  runner_work(pool, &step, POOL_NO_DEADLINE, true, NULL);
}

static __attribute__((noinline)) pool_lease_t invalid_get(const struct pool *pool, int64_t timeout_ms)
{
  if (!pool)
    return error_set(NULL, POOL_E_INVALID, 0, "pool is NULL");
  return error_set(NULL, POOL_E_INVALID, 0, "timeout_ms is %lld; it must be 0 or more, or -1 for ever",
                   (long long)timeout_ms);
}

/* Waits a moment for a connection that is about to come back: takes no lock, and writes nothing as long as there is
   nothing to take. */
static pool_lease_t spin(struct pool *pool, struct step *step)
{
  for (int round = 0; round < SPIN_ROUNDS; round++) {
    if (atomic_load_explicit(&pool->attention, memory_order_relaxed) & ATTENTION_NOT_NOW)
      break;
    for (int i = 0; i < SPIN_PAUSES; i++)
      pause_processor();
    pool_lease_t lease = home_take(pool, this_thread());
    if (lease && !(atomic_load(&pool->attention) & ATTENTION_NOT_NOW))
      return engine_confirm(pool, lease, step);
    if (lease) {
      engine_return_unused(pool, lease, step);
      return 0;
    }
    if (bitmap_hint(&pool->rows))
      lease = engine_take_idle(pool, step);
    if (lease || step->work)
      return lease;
  }
  return 0;
}

/* A get on its slow way. */
struct get {
  struct pool *pool;
  uint64_t forks;   /* when it began */
  int cancel_state; /* of its thread, which is not cancelled but while it sleeps */
  int64_t timeout_ms;
  int64_t deadline_ns; /* of the whole get; that of the waiter may be sooner */
  struct waiter waiter;
  int64_t opening_ns; /* how long it was busy with open, check and close */
  bool wary;          /* has met a dead connection */
  bool replaces;      /* has left a connection to be closed, whose place it may need */
  pool_error_t cause; /* of the last open or check that failed */
};

/* The get's own open failed: it may still wait for what others put or open. */
static pool_lease_t refuse(struct get *get, pool_lease_t result)
{
  get->waiter.refused = true;
  get->waiter.error = get->cause;
  return get->timeout_ms == 0 ? result : 0;
}

/* Does what a step asks for.  0: begin again. */
static pool_lease_t pursue(struct get *get, pool_lease_t result, struct step *step)
{
  runner_wake(get->pool, step);
  if (step->work == POOL_WORK_NONE)
    return result;
  int64_t begun = clock_now();
  bool opens = step->work == POOL_WORK_OPEN;
  get->wary = get->wary || step->work == POOL_WORK_CHECK;
  result = runner_work(get->pool, step, get->deadline_ns, true, &get->cause);
  get->opening_ns += clock_now() - begun;
  get->replaces = get->replaces || (!opens && result == 0);
  if (opens && (result == POOL_E_OPEN || result == POOL_E_TIMEOUT))
    return refuse(get, result);
  return result == POOL_E_STALE ? 0 : result;
}

static bool is_over(const struct get *get)
{
  return clock_now() >= get->deadline_ns;
}

/* An idle connection, or a new one. */
static pool_lease_t try(struct get *get)
{
  for (;;) {
    struct step step;
    pool_lease_t result = engine_begin(get->pool, get->wary, get->timeout_ms != 0, &step);
    get->waiter.at_once = result == POOL_E_OPEN || (result == POOL_E_TIMEOUT && get->timeout_ms == 0);
    result = pursue(get, result, &step);
    if (result || get->waiter.refused)
      return result;
    if (is_over(get))
      return POOL_E_TIMEOUT; /* gone by with checks of what turned out to be dead */
  }
}

/* Frames that a cancellation skips leave their marks in the address sanitizer's map of the stack. */
static void forget_frames(void)
{
#ifdef __SANITIZE_ADDRESS__
  void __asan_handle_no_return(void);
  __asan_handle_no_return();
#endif
}

/* The thread was cancelled while it slept: the waiter leaves, and what it was given or told goes to the next. */
static void cancelled(void *data)
{
  struct get *get = data;
  struct step step;
  forget_frames();
  pool_lease_t lease = engine_cancel_wait(get->pool, &get->waiter, &step);
  runner_wake(get->pool, &step);
  if (lease)
    return_unused(get->pool, lease);
  event_get_ended(get->pool, POOL_E_CANCELLED, &get->waiter);
  engine_get_end(get->pool, get->forks);
}

static void sleep_cancellably(struct get *get, int64_t until)
{
  if (get->cancel_state != PTHREAD_CANCEL_ENABLE) {
    park_wait(&get->waiter.signal, 0, until);
    return;
  }
  pthread_cleanup_push(cancelled, get);
  park_wait_cancellably(&get->waiter.signal, 0, until);
  pthread_cleanup_pop(0);
}

static pool_lease_t wait(struct get *get)
{
  struct step step = {0};
  pool_lease_t result = get->waiter.refused ? 0 : spin(get->pool, &step);
  result = pursue(get, result, &step);
  while (result == 0) {
    result = engine_wait(get->pool, &get->waiter, &step);
    bool queued = result == 0 && step.work == POOL_WORK_NONE;
    if (step.starved)
      event_of_step(get->pool, &step);
    int64_t until = get->waiter.deadline_ns;
    if (step.look_again_ns && step.look_again_ns < until)
      until = step.look_again_ns;
    result = pursue(get, result, &step);
    if (queued)
      sleep_cancellably(get, until);
  }
  return result;
}

static const char *remark(const struct get *get)
{
  return atomic_load(&get->pool->attention) & ATTENTION_PAUSED ? "; the pool is paused"
         : get->waiter.starved ? "; each was held by a thread that itself waited for this pool"
                               : "";
}

/* Says what used up the time. */
static int timed_out(const struct get *get)
{
  pool_stats_t now;
  pool_error_t last;
  const pool_error_t *cause = get->waiter.error.code == POOL_E_TIMEOUT ? &get->waiter.error : &get->cause;
  if (cause->code == 0 && engine_cause(get->pool, &last))
    cause = &last; /* nobody opened because of that */
  if (get->timeout_ms == 0 && cause->code == 0)
    return error_code(POOL_E_TIMEOUT);
  pthread_mutex_lock(&get->pool->lock);
  engine_count(get->pool, &now);
  engine_unlock(get->pool);
  int64_t queued_ns = get->waiter.since_ns ? clock_now() - get->waiter.began_ns - get->opening_ns : 0;
  return error_set(NULL, POOL_E_TIMEOUT, cause->native,
                   "%s: no connection in time: %lld ms went by in the queue, %lld ms in open or check%s%s; "
                   "%lld are open, %lld leased, %lld wait%s",
                   get->pool->name, (long long)(queued_ns / 1000000), (long long)(get->opening_ns / 1000000),
                   cause->message[0] ? ": " : "", cause->message, (long long)now.open, (long long)now.leased,
                   (long long)now.waiting, remark(get));
}

int runner_timed_out(struct pool *pool, const pool_error_t *own)
{
  pool_error_t last;
  if (own->code == 0 && !engine_cause(pool, &last))
    return error_code(POOL_E_TIMEOUT);
  const pool_error_t *cause = own->code ? own : &last;
  return error_set(NULL, POOL_E_TIMEOUT, cause->native, "%s: no connection in time: %s", pool->name, cause->message);
}

int runner_fail_fast(struct pool *pool)
{
  pool_error_t cause;
  engine_cause(pool, &cause);
  return error_set(NULL, POOL_E_OPEN, cause.native, "%s: not tried, for opens keep failing: %s", pool->name,
                   cause.message);
}

static int failed(const struct get *get, int code)
{
  const pool_error_t *cause = get->waiter.error.code == code ? &get->waiter.error : &get->cause;
  if (code == POOL_E_TIMEOUT)
    return timed_out(get);
  if (cause->code == code)
    return error_set(NULL, code, cause->native, "%s: %s", get->pool->name, cause->message);
  return code == POOL_E_OPEN ? runner_fail_fast(get->pool) : error_code(code);
}

/* What is noted about a lease that was not simply this thread's last one again. */
void runner_note(pool_lease_t lease)
{
  struct slot *slot = slot_of(lease);
  atomic_store_explicit(&slot->holder, thread_id(), memory_order_relaxed);
  struct pool *pool = atomic_load_explicit(&slot->pool, memory_order_relaxed);
  if (is_sampled(lease) || (atomic_load_explicit(&pool->attention, memory_order_relaxed) & ATTENTION_EVENTS))
    watch_see(slot, lease_generation(lease) | LEASED, clock_boot());
}

/* Only where somebody listens is there a clock on this way; 0: there is none. */
static int64_t began_ns(struct pool *pool)
{
  return atomic_load_explicit(&pool->attention, memory_order_relaxed) & ATTENTION_EVENTS ? clock_now() : 0;
}

static pool_lease_t hand_out(struct pool *pool, pool_lease_t lease, int64_t began_ns)
{
  runner_note(lease);
  event_lent(pool, lease, began_ns ? clock_now() - began_ns : 0);
  return lease;
}

/* No thread could be started to open for this get, so it opens itself. */
static pool_lease_t open_instead(struct get *get)
{
  pool_lease_t result = try(get);
  return result == POOL_E_TIMEOUT && get->cause.code == 0 ? POOL_E_SYSTEM : result;
}

/* The get has failed, late or not, and nobody else would close what it left: no thread can be had, and nothing is lent
   that a put could follow.  Else there would never be a place again. */
static void do_unclean_at_last(struct pool *pool)
{
  pool_error_t why = POOL_ERROR_INIT;
  pool_failure(&why);
  runner_do_unclean(pool);
  error_set(NULL, why.code, why.native, "%s", why.message);
}

/* Does what the first look found, tries, and waits. */
static pool_lease_t find(struct get *get, struct step *step)
{
  bool works = step->work != POOL_WORK_NONE;
  pool_lease_t result = pursue(get, 0, step);
  if (result == 0 && works && is_over(get))
    result = POOL_E_TIMEOUT; /* it begins nothing for which it has no time */
  else if (result == 0 && !get->waiter.refused)
    result = try(get);
  bool waits = get->timeout_ms != 0 || get->replaces;
  if (get->timeout_ms == 0 && waits && get->deadline_ns - clock_now() > REPLACE_NS)
    get->waiter.deadline_ns = clock_now() + REPLACE_NS;
  if (waits && (result == 0 || (result == POOL_E_TIMEOUT && !is_over(get))))
    result = wait(get);
  return result == POOL_E_SYSTEM ? open_instead(get) : result;
}

/* A get that has to open or wait. */
static __attribute__((noinline)) pool_lease_t get_patiently(struct pool *pool, int64_t timeout_ms, int64_t began_ns,
                                                            struct step *step)
{
  struct get get = {.pool = pool,
                    .forks = fork_count(),
                    .cancel_state = cancel_hold(),
                    .timeout_ms = timeout_ms,
                    .waiter = {.kind = WAITER_THREAD}};
  engine_get_begin(pool);
  get.cause.size = get.waiter.error.size = sizeof get.cause;
  get.waiter.began_ns = began_ns ? began_ns : clock_now();
  get.deadline_ns = get.waiter.deadline_ns = clock_deadline(timeout_ms ? timeout_ms : pool->config.get_timeout_ms);
  pool_lease_t result = find(&get, step);
  if (result > 0) {
    home_remember(pool, this_thread(), result);
    runner_note(result);
    if (get.waiter.waited && !get.waiter.counted)
      engine_count_wait(pool, &get.waiter);
  } else
    result = failed(&get, (int)result);
  event_get_ended(pool, result, &get.waiter);
  if (result < 0 && engine_is_left_alone(pool))
    do_unclean_at_last(pool);
  engine_get_end(pool, get.forks);
  cancel_release(get.cancel_state);
  return result;
}

/* Where a thread of the library is missing, gets look whether it can be started by now. */
static void start_missing(struct pool *pool)
{
  if (atomic_load(&pool->attention) & ATTENTION_THREADLESS)
    keeper_again(pool);
}

/* A get that did not find its thread's last slot idle. */
static __attribute__((noinline)) pool_lease_t get_slowly(struct pool *pool, int64_t timeout_ms)
{
  if (pool->stepped)
    return error_set(NULL, POOL_E_UNSUPPORTED, 0, "this pool has no vtable; use the step API");
  start_missing(pool);
  int64_t began = began_ns(pool);
  pool_lease_t lease = home_take(pool, this_thread());
  if (lease && (atomic_load(&pool->attention) & ATTENTION_NOT_NOW)) {
    return_unused(pool, lease);
    lease = 0;
  }
  if (lease && !pool->trust_ns)
    return hand_out(pool, lease, began);
  struct step step = {0};
  lease = engine_confirm(pool, lease, &step);
  if (lease)
    return hand_out(pool, lease, began);
  if (!step.work)
    lease = engine_take_idle(pool, &step);
  if (lease) {
    runner_wake(pool, &step);
    return hand_out(pool, home_remember(pool, this_thread(), lease), began);
  }
  return get_patiently(pool, timeout_ms, began, &step);
}

/* A get that succeeded, and has something else to do. */
static __attribute__((noinline)) pool_lease_t get_attentively(struct pool *pool, pool_lease_t lease, int64_t timeout_ms)
{
  if (atomic_load(&pool->attention) & ATTENTION_NOT_NOW) {
    return_unused(pool, lease);
    return get_slowly(pool, timeout_ms);
  }
  start_missing(pool);
  struct step step = {0};
  int64_t began = began_ns(pool);
  lease = engine_confirm(pool, lease, &step);
  return lease ? hand_out(pool, lease, began) : get_patiently(pool, timeout_ms, began, &step);
}

/* A get that succeeded, if what it took is not overdue. */
static __attribute__((noinline)) pool_lease_t get_in_time(struct pool *pool, pool_lease_t lease, int64_t timeout_ms)
{
  if (engine_is_doubtful(pool, lease))
    return get_attentively(pool, lease, timeout_ms);
  PROBE_LENT(pool, lease);
  return lease;
}

static inline pool_lease_t get(struct pool *pool, int64_t timeout_ms)
{
  pool_lease_t lease = home_take_next(pool, this_thread());
  if (__builtin_expect(!lease, 0))
    return get_slowly(pool, timeout_ms);
  uint32_t attention = atomic_load(&pool->attention) & ATTENTION_OF_GET;
  if (__builtin_expect(attention || is_sampled(lease), 0))
    return attention == ATTENTION_TIMED && !is_sampled(lease) ? get_in_time(pool, lease, timeout_ms)
                                                              : get_attentively(pool, lease, timeout_ms);
  PROBE_LENT(pool, lease);
  return lease;
}

pool_lease_t pool_get(pool_t *pool)
{
  return pool ? get(pool, pool->config.get_timeout_ms) : invalid_get(pool, 0);
}

pool_lease_t pool_get_for(pool_t *pool, int64_t timeout_ms)
{
  return pool && timeout_ms >= -1 ? get(pool, timeout_ms) : invalid_get(pool, timeout_ms);
}

/* ---- put ---- */

static void do_and_wake(struct pool *pool, struct step *step)
{
  runner_wake(pool, step);
  if (step->work) /* else the pool may be another by now */
    runner_work(pool, step, clock_deadline(pool->config.get_timeout_ms), false, NULL);
  /* Of whichever pool it is: what is unclean keeps that from being recycled. */
  if (atomic_load(&pool->attention) & ATTENTION_UNCLEAN)
    runner_do_unclean(pool);
}

/* A lease of the step API: its end may ask for something that only that API can tell. */
static bool belongs_to_steps(struct slot *slot, pool_lease_t lease)
{
  uint64_t word = atomic_load(&slot->word);
  return (word & GENERATION_MASK) == lease_generation(lease) && state_of(word) == LEASED &&
         atomic_load_explicit(&slot->pool, memory_order_relaxed)->stepped;
}

static __attribute__((noinline)) int put_slowly(pool_lease_t lease)
{
  struct step step = {0};
  struct ending ending;
  struct slot *slot = slot_find(lease);
  if (slot && belongs_to_steps(slot, lease))
    return error_set(NULL, POOL_E_UNSUPPORTED, 0, "this lease is of a pool without a vtable; use pool_step_end");
  uint64_t forks = fork_count();
  int code = slot ? engine_take_back(slot, lease, &ending) : POOL_E_STALE;
  if (code)
    return error_code(code);
  struct pool *pool = atomic_load_explicit(&slot->pool, memory_order_relaxed);
  event_returned(pool, &ending);
  free(ending.tag);
  if (forks != fork_count())
    return 0; /* the callback forked, and in the child the pool began anew */
  engine_settle_return(slot, &ending, &step);
  do_and_wake(pool, &step);
  return 0;
}

static __attribute__((noinline)) int put_attentively(struct pool *pool, struct slot *slot, uint64_t word)
{
  struct step step = {0};
  engine_note_put(pool, slot, word);
  engine_idle(pool, slot, word, &step);
  do_and_wake(pool, &step);
  return 0;
}

/* Its bit is clear. */
static __attribute__((noinline)) int put_unmarked(struct slot *slot, pool_lease_t lease)
{
  struct pool *pool = bitmap_mark(slot);
  PROBE_RETURNED(pool, lease);
  if (atomic_load(&pool->attention) & ATTENTION_OF_PUT)
    return put_attentively(pool, slot, generation_next(lease_generation(lease)) | IDLE);
  return 0;
}

int pool_put(pool_lease_t lease)
{
  struct slot *slot = slot_of(lease);
  uint64_t word = lease_generation(lease) | LEASED;
  uint64_t idle = generation_next(word - LEASED + IDLE);
  if (__builtin_expect(is_sampled(lease) || !atomic_compare_exchange_strong(&slot->word, &word, idle), 0))
    return put_slowly(lease);
  struct pool *pool;
  if (__builtin_expect(!bitmap_is_marked(slot, &pool), 0))
    return put_unmarked(slot, lease);
  PROBE_RETURNED(pool, lease);
  if (__builtin_expect(atomic_load(&pool->attention) & ATTENTION_OF_PUT, 0))
    return put_attentively(pool, slot, idle);
  return 0;
}

/* The pool is read while the lease is certainly good: later it may be put by another thread. */
static int mark_unusable(pool_lease_t lease, struct pool **pool)
{
  struct slot *slot = slot_find(lease);
  *pool = slot ? atomic_load_explicit(&slot->pool, memory_order_relaxed) : NULL;
  uint64_t word = slot ? atomic_load(&slot->word) : 0;
  do
    if (!slot || (word & GENERATION_MASK) != lease_generation(lease) || state_of(word) != LEASED)
      return error_code(POOL_E_STALE);
  while (!atomic_compare_exchange_weak(&slot->word, &word, word | DOOMED));
  return 0;
}

static int mark(pool_lease_t lease, bool suspects)
{
  struct pool *pool;
  struct step step = {0};
  int code = mark_unusable(lease, &pool);
  if (code)
    return code;
  if (suspects)
    engine_suspect(pool, &step);
  engine_hope_less(pool, &step);
  runner_wake(pool, &step);
  return 0;
}

int pool_mark_unusable(pool_lease_t lease)
{
  return mark(lease, false);
}

/* What the end of a broken call does, for a connection that is used without pool_call(). */
int pool_mark_broken(pool_lease_t lease)
{
  return mark(lease, true);
}

void *pool_conn(pool_lease_t lease)
{
  struct slot *slot = slot_find(lease);
  if (!slot)
    return NULL;
  void *conn = atomic_load(&slot->conn);
  /* Looked at after reading: if the lease is still good now, what was read was its own. */
  uint64_t word = atomic_load(&slot->word);
  return (word & GENERATION_MASK) == lease_generation(lease) && state_of(word) == LEASED ? conn : NULL;
}
