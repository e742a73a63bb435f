/* SPDX-License-Identifier: MIT */
/*
 * Getting, with a vtable's callbacks.
 *
 * The fast path is here.  A get tries the slot that its thread used last (home.h), with the word that this slot should
 * have: one compare-and-swap whose operands do not depend on a look at the slot.  It then looks at the pool's
 * `attention`, and at nothing else that others write.  Everything unusual goes to decide/.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/forks.h"
#include "base/park.h"
#include "base/thread.h"
#include "slot/home.h"
#include "slot/idle.h"
#include "slot/slot.h"
#include "decide/asker.h"
#include "decide/attention.h"
#include "decide/give.h"
#include "decide/later.h"
#include "decide/lend.h"
#include "decide/life.h"
#include "decide/overdue.h"
#include "decide/pool.h"
#include "decide/setting.h"
#include "decide/step.h"
#include "decide/uses.h"
#include "decide/waiter.h"
#include "run/crew.h"
#include "run/event.h"
#include "run/failure.h"
#include "run/probe.h"
#include "run/worker.h"

/* How long a get looks again and again before it sleeps: most holds are shorter than a sleep.  It looks seldom, because
   each look takes the cache line of the slot away from the thread that uses it. */
#define SPIN_ROUNDS 6
#define SPIN_PAUSES 64

/* How long a get without time waits for the place of a connection that it found dead: most closes are quicker. */
#define REPLACE_NS INT64_C(10000000)

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
  give_unused(lease, &step);
  crew_finish(pool, &step);
  worker_do(pool, &step, POOL_NO_DEADLINE, true, NULL);
}

static __attribute__((noinline)) pool_lease_t invalid_get(const struct pool *pool, int64_t timeout_ms)
{
  if (!pool)
    return error_set(NULL, POOL_E_INVALID, 0, "pool is NULL");
  return error_in(pool->name, NULL, POOL_E_INVALID, 0, "timeout_ms is %lld; it must be 0 or more, or -1 for ever",
                  (long long)timeout_ms);
}

/* Waits a moment for a connection that is about to come back: takes no lock, and writes nothing as long as there is
   nothing to take. */
static pool_lease_t spin(struct pool *pool, struct step *step)
{
  for (int round = 0; round < SPIN_ROUNDS; round++) {
    if (attention_hint(pool) & (ATTENTION_NOT_NOW | ATTENTION_WAITERS))
      break;
    for (int i = 0; i < SPIN_PAUSES; i++)
      pause_processor();
    pool_lease_t lease = home_take(pool, pool->homes, pool->lend, this_thread());
    if (lease && !(atomic_load(&pool->attention) & ATTENTION_NOT_NOW))
      return lend_confirm(pool, lease, step);
    if (lease) {
      give_unused(lease, step);
      return 0;
    }
    if (idle_hint(&pool->rows))
      lease = asker_take_idle(pool, step);
    if (lease || step->work)
      return lease;
  }
  return 0;
}

/* A get on its slow way. */
struct get {
  struct pool *pool;
  uint64_t begun;   /* for life_get_end() */
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
  crew_finish(get->pool, step);
  if (step->work == POOL_WORK_NONE)
    return result;
  int64_t begun = clock_now();
  bool opens = step->work == POOL_WORK_OPEN;
  get->wary = get->wary || step->work == POOL_WORK_CHECK;
  result = worker_do(get->pool, step, get->deadline_ns, true, &get->cause);
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
    struct step step = {0};
    pool_lease_t result = asker_begin(get->pool, get->wary, get->timeout_ms != 0, &step);
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
  pool_lease_t lease = asker_cancel_wait(get->pool, &get->waiter, &step);
  crew_finish(get->pool, &step);
  if (lease)
    return_unused(get->pool, lease);
  event_get_ended(get->pool, POOL_E_CANCELLED, &get->waiter);
  life_get_end(get->pool, get->begun);
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

/* A callback forked, and this is the child: its pool does not know the waiter. */
static void wait_anew(struct get *get)
{
  get->waiter = (struct waiter){.kind = WAITER_THREAD,
                                .began_ns = get->waiter.began_ns,
                                .deadline_ns = get->waiter.deadline_ns,
                                .error.size = sizeof get->waiter.error};
  get->begun = life_get_begin(get->pool);
}

static pool_lease_t wait(struct get *get)
{
  struct step step = {0};
  pool_lease_t result = get->waiter.refused ? 0 : spin(get->pool, &step);
  result = pursue(get, result, &step);
  while (result == 0) {
    step = (struct step){0};
    result = asker_wait(get->pool, &get->waiter, &step);
    bool queued = result == 0 && step.work == POOL_WORK_NONE;
    int64_t until = get->waiter.deadline_ns;
    if (step.look_again_ns && step.look_again_ns < until)
      until = step.look_again_ns;
    result = pursue(get, result, &step);
    if (forks_since(get->begun))
      wait_anew(get);
    else if (queued)
      sleep_cancellably(get, until);
  }
  return result;
}

static int failed(const struct get *get, int code)
{
  const struct waiter *waiter = &get->waiter;
  struct late late = {.timeless = get->timeout_ms == 0,
                      .starved = waiter->starved,
                      .queued_ns = waiter->since_ns ? clock_now() - waiter->began_ns - get->opening_ns : 0,
                      .busy_ns = get->opening_ns,
                      .cause = waiter->error.code == code ? &waiter->error : &get->cause};
  return failure_of_get(get->pool, code, &late);
}

/* Only where somebody listens is there a clock on this way; 0: there is none. */
static int64_t began_ns(struct pool *pool)
{
  return attention_hint(pool) & ATTENTION_EVENTS ? clock_now() : 0;
}

static pool_lease_t hand_out(struct pool *pool, pool_lease_t lease, int64_t began_ns)
{
  lend_note(lease);
  event_lent(pool, lease, began_ns ? clock_now() - began_ns : 0);
  return lease;
}

/* No thread could be started to open for this get, so it opens itself. */
static pool_lease_t open_instead(struct get *get)
{
  get->waiter.refused = false; /* a worker may have said so while there was one */
  pool_lease_t result = try(get);
  if (result == 0)
    return get->cause.code; /* of its open; nobody else can open while it waits on */
  bool in_time = get->cause.code == 0 || !is_over(get);
  return result == POOL_E_TIMEOUT && in_time ? POOL_E_SYSTEM : result;
}

/* The get has failed, late or not, and nobody else would close what it left: no thread can be had, and nothing is lent
   that a put could follow.  Else there would never be a place again. */
static void do_unclean_at_last(struct pool *pool)
{
  pool_error_t why = POOL_ERROR_INIT;
  pool_failure(&why);
  worker_do_unclean(pool);
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
  bool wishes = !is_over(get) || get->pool->config.openers > 0; /* for the next, where a worker opens */
  if (get->timeout_ms == 0 && waits && get->deadline_ns - clock_now() > REPLACE_NS)
    get->waiter.deadline_ns = clock_now() + REPLACE_NS;
  if (waits && (result == 0 || (result == POOL_E_TIMEOUT && wishes)))
    result = wait(get);
  return result == POOL_E_SYSTEM ? open_instead(get) : result;
}

/* A get that has to open or wait. */
static __attribute__((noinline)) pool_lease_t get_patiently(struct pool *pool, int64_t timeout_ms, int64_t began_ns,
                                                            struct step *step)
{
  struct get get = {
      .pool = pool, .cancel_state = cancel_hold(), .timeout_ms = timeout_ms, .waiter = {.kind = WAITER_THREAD}};
  get.begun = life_get_begin(pool);
  get.cause.size = get.waiter.error.size = sizeof get.cause;
  get.waiter.began_ns = began_ns ? began_ns : clock_now();
  get.deadline_ns = get.waiter.deadline_ns =
      clock_deadline(timeout_ms ? timeout_ms : setting_now(pool->config.get_timeout_ms));
  pool_lease_t result = find(&get, step);
  if (result > 0) {
    home_remember(pool->homes, this_thread(), result);
    lend_note(result);
    if (get.waiter.waited && !get.waiter.counted)
      asker_count_wait(pool, &get.waiter);
  } else
    result = failed(&get, (int)result);
  event_get_ended(pool, result, &get.waiter);
  if (result < 0 && later_is_left_alone(pool))
    do_unclean_at_last(pool);
  life_get_end(pool, get.begun);
  cancel_release(get.cancel_state);
  return result;
}

/* Where a thread of the library is missing, gets look whether it can be started by now. */
static void start_missing(struct pool *pool)
{
  if (atomic_load(&pool->attention) & ATTENTION_THREADLESS)
    crew_start_again(pool);
}

/* A get that did not find its thread's last slot idle. */
static __attribute__((noinline)) pool_lease_t get_slowly(struct pool *pool, int64_t timeout_ms)
{
  if (pool->stepped)
    return error_in(pool->name, NULL, POOL_E_UNSUPPORTED, 0, "this pool has no vtable; use the step API");
  start_missing(pool);
  int64_t began = began_ns(pool);
  pool_lease_t lease = home_take(pool, pool->homes, pool->lend, this_thread());
  if (lease && (atomic_load(&pool->attention) & ATTENTION_NOT_NOW)) {
    return_unused(pool, lease);
    lease = 0;
  }
  if (lease && !pool->trust_ns)
    return hand_out(pool, lease, began);
  struct step step = {0};
  lease = lend_confirm(pool, lease, &step);
  if (lease)
    return hand_out(pool, lease, began);
  if (!step.work)
    lease = asker_take_idle(pool, &step);
  if (lease) {
    crew_finish(pool, &step);
    return hand_out(pool, home_remember(pool->homes, this_thread(), lease), began);
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
  lease = lend_confirm(pool, lease, &step);
  return lease ? hand_out(pool, lease, began) : get_patiently(pool, timeout_ms, began, &step);
}

/* A get that succeeded, if what it took is within its limits. */
static __attribute__((noinline)) pool_lease_t get_limited(struct pool *pool, pool_lease_t lease, int64_t timeout_ms)
{
  if (pool->trust_ns && overdue_is_doubtful(pool, lease))
    return get_attentively(pool, lease, timeout_ms);
  uses_see(pool, lease);
  PROBE_LENT(pool, lease);
  return lease;
}

static inline pool_lease_t get(struct pool *pool, int64_t timeout_ms)
{
  pool_lease_t lease = home_take_next(pool->homes, pool->lend, this_thread());
  if (__builtin_expect(!lease, 0))
    return get_slowly(pool, timeout_ms);
  /* After the slot was taken (I9). */
  uint32_t attention = atomic_load(&pool->attention) & ATTENTION_OF_GET;
  if (__builtin_expect(attention || is_sampled(lease), 0))
    return attention == ATTENTION_LIMITED && !is_sampled(lease) ? get_limited(pool, lease, timeout_ms)
                                                                : get_attentively(pool, lease, timeout_ms);
  PROBE_LENT(pool, lease);
  return lease;
}

pool_lease_t pool_get(pool_t *pool)
{
  return pool ? get(pool, setting_now(pool->config.get_timeout_ms)) : invalid_get(pool, 0);
}

pool_lease_t pool_get_for(pool_t *pool, int64_t timeout_ms)
{
  return pool && timeout_ms >= -1 ? get(pool, timeout_ms) : invalid_get(pool, timeout_ms);
}

size_t pool_len(pool_t *pool)
{
  return pool && !(atomic_load(&pool->attention) & ATTENTION_CLOSED)
             ? (size_t)idle_count_lendable(&pool->rows, INT32_MAX)
             : 0;
}
