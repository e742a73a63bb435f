/* SPDX-License-Identifier: MIT */
/*
 * The queue of a pool: in which order waiters are served.
 *
 * Order with bounded barging.  As long as no hand-over is due, a put leaves its connection idle and nudges the first
 * waiter: a thread that is running may take the connection first, which saves a context switch for each lease.  One
 * nudge is under way at a time (ATTENTION_NUDGED); the waiter that was nudged lowers the flag before it scans, so a put
 * that saw the flag and did nothing is seen by that scan.  A nudged waiter that succeeds, expires or is cancelled
 * serves the next: a nudge is never swallowed.  Once a hand-over is due (tenure.h), ATTENTION_FAIR is up: puts hand
 * their connection to the first waiter directly, newcomers queue.
 *
 * Where a program hands leases over itself (POOL_STEP_HANDS), it also says when: pool_step_pass() hands a connection to
 * the first waiter though none is due.  Only the holder that takes back its own connection overtakes, newcomers queue.
 *
 * An asynchronous waiter does not run, so it is never nudged: a connection is handed to it, after a check in the
 * background where one is due.
 *
 * Hope.  A waiter whose open failed goes on waiting as long as a connection is open, or being opened, that may still
 * come to it.  When nothing is left that could come, those whose open failed, and all while the breaker is open, end at
 * once with the cause.
 *
 * queue_serve() takes no slot on trust: it lends only what it finds among its own pool's slots, because its caller may
 * have been looking at a slot of a former pool in the same memory (give.c).
 */
#include "decide/queue.h"

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/histogram.h"
#include "base/thread.h"
#include "slot/idle.h"
#include "slot/slot.h"
#include "decide/allowance.h"
#include "decide/answer.h"
#include "decide/attend.h"
#include "decide/attention.h"
#include "decide/flow.h"
#include "decide/lend.h"
#include "decide/life.h"
#include "decide/overload.h"
#include "decide/pool.h"
#include "decide/room.h"
#include "decide/setting.h"
#include "decide/starve.h"
#include "decide/step.h"
#include "decide/tenure.h"
#include "decide/ticket.h"
#include "decide/waiter.h"

void queue_refresh(struct pool *pool, int64_t now)
{
  assert_locked(pool);
  struct waiter *first = pool->queue.first;
  attention_raise(pool, ATTENTION_WAITERS, first != NULL);
  attention_raise(pool, ATTENTION_NUDGED, first != NULL && first->nudged);
  attention_raise(pool, ATTENTION_FAIR, first != NULL && now >= tenure_over_ns(pool));
}

void queue_wake(struct pool *pool, struct waiter *waiter, struct step *step)
{
  assert_locked(pool);
  if (waiter->kind == WAITER_ASYNC) {
    step_want_keeper(pool, step);
  } else if (waiter->kind == WAITER_THREAD && !step->signal) {
    told_remove(&pool->told, waiter);
    atomic_store(&waiter->signal, 1);
    step->signal = &waiter->signal;
  } else {
    told_append(&pool->told, waiter);
    step->tells = pool;
  }
}

void queue_count_wait(struct pool *pool, struct waiter *waiter, int64_t waited_ns)
{
  assert_locked(pool);
  if (!waiter->waited || waiter->counted)
    return;
  waiter->counted = true;
  histogram_add(&pool->wait, waited_ns);
  pool->counts.waited++;
}

static void count_outcome(struct pool *pool, struct waiter *waiter, pool_lease_t outcome, int64_t now)
{
  if (!waiter->waited)
    return; /* found something on the first look */
  int64_t waited = now - waiter->since_ns;
  pool->counts.wait_ns += waited;
  if (waited > pool->counts.wait_max_ns)
    pool->counts.wait_max_ns = waited;
  if (outcome > 0)
    queue_count_wait(pool, waiter, waited);
}

static void queue_leave(struct pool *pool, struct waiter *waiter, pool_lease_t outcome, int64_t now)
{
  if (outcome > 0 && waiter->waited)
    tenure_begin(pool, slot_of(outcome), now);
  waiter_remove(&pool->queue, waiter);
  waiter->was_nudged = waiter->nudged;
  waiter->nudged = false;
  attend_leave(pool, waiter, now);
  count_outcome(pool, waiter, outcome, now);
  queue_refresh(pool, now);
}

void queue_settle(struct pool *pool, struct waiter *waiter, pool_lease_t outcome, int64_t now)
{
  assert_locked(pool);
  assert_that(outcome && !waiter->outcome); /* (I10) */
  queue_leave(pool, waiter, outcome, now);
  waiter->outcome = outcome;
  waiter->waited_ns = waiter->waited ? now - waiter->since_ns : 0;
  if (waiter->kind == WAITER_ASYNC)
    waiter_append(&pool->settled, waiter);
}

/* The same, and the waiter is woken. */
static void end_wait(struct pool *pool, struct waiter *waiter, pool_lease_t code, int64_t now, struct step *step)
{
  queue_settle(pool, waiter, code, now);
  queue_wake(pool, waiter, step);
}

/* A worker opens for these. */
static bool is_opened_for(const struct pool *pool, const struct waiter *waiter)
{
  return !waiter->timeless && answer_opens_elsewhere(pool, waiter);
}

void queue_refuse_older(struct pool *pool, const pool_error_t *error, int64_t moment)
{
  assert_locked(pool);
  /* From the newest on, and no further than those that were refused before. */
  for (struct waiter *waiter = pool->queue.last; waiter && waiter->since_ns > pool->refused_until_ns;
       waiter = waiter->previous)
    if (!waiter->refused && is_opened_for(pool, waiter) && waiter->since_ns <= moment) {
      waiter->error = *error;
      waiter->refused = true;
      pool->queue.refused++;
    }
  if (moment > pool->refused_until_ns)
    pool->refused_until_ns = moment;
}

/* If nothing is left that could come, ends the waits of those that may not open, or whose open failed; at most `left`.
   Returns how many more it might have ended. */
static int32_t despair(struct pool *pool, int64_t now, int32_t left, struct step *step)
{
  if (!pool->queue.first || (!pool->breaker.open && pool->queue.refused == 0) || room_hopes(pool))
    return left;
  for (struct waiter *waiter = pool->queue.first, *next; waiter && left > 0; waiter = next) {
    next = waiter->next;
    if (waiter->works > 0 || (!waiter->refused && !pool->breaker.open))
      continue;
    if (!waiter->refused)
      waiter->error = breaker_cause(&pool->breaker);
    end_wait(pool, waiter, waiter->error.code, now, step);
    left--;
  }
  return left;
}

bool queue_end(struct pool *pool, int code, struct step *step)
{
  assert_locked(pool);
  int64_t now = clock_now();
  int32_t ended = 0;
  for (; pool->queue.first && ended < TOLD_AT_ONCE; ended++)
    end_wait(pool, pool->queue.first, code, now, step);
  if (pool->told.first)
    step->tells = pool;
  return ended > 0 || step->tells;
}

int32_t queue_evict(struct pool *pool, int64_t moment, struct step *step)
{
  assert_locked(pool);
  int64_t now = clock_now();
  int32_t ended = 0;
  for (struct waiter *waiter = pool->queue.first, *next; waiter && ended < TOLD_AT_ONCE; waiter = next) {
    next = waiter->next;
    if (waiter->since_ns > moment)
      continue;
    waiter->error.code = POOL_E_EVICTED;
    waiter->error.native = 0;
    snprintf(waiter->error.message, sizeof waiter->error.message, "all waits of the pool were ended, by the program or an operator (evict); get again");
    end_wait(pool, waiter, POOL_E_EVICTED, now, step);
    ended++;
  }
  return ended;
}

/* The list changed hands, or is about to: whether the caller has to come again. */
static void note_rest(struct pool *pool, struct step *step)
{
  step->tells = pool->told.first || pool->unserved ? pool : NULL;
}

int32_t queue_tell(struct pool *pool, _Atomic uint32_t *signals[TOLD_AT_ONCE], struct step *step)
{
  int32_t count = 0;
  *step = (struct step){0};
  pthread_mutex_lock(&pool->lock);
  if (pool->unserved)
    queue_serve(pool, step);
  for (struct waiter *waiter; count < TOLD_AT_ONCE && (waiter = pool->told.first); count++) {
    told_remove(&pool->told, waiter);
    signals[count] = &waiter->signal;
    atomic_store(&waiter->signal, 1);
  }
  note_rest(pool, step);
  life_unlock(pool);
  return count;
}

/* The ticket is over with its lease, for its holder does not come to fetch it.  If it was nudged before, it is not
   coming for that either (I11). */
static void give_away(struct pool *pool, struct waiter *waiter, struct news *news, struct step *step)
{
  news->given_to = atomic_load(&waiter->ticket);
  news->given = waiter->outcome;
  news->took_ns = waiter->since_ns - waiter->began_ns + waiter->waited_ns;
  news->waited_ns = waiter->waited_ns;
  bool passes = waiter->was_nudged;
  pool->users.gets--;
  ticket_give(waiter);
  struct waiter *first = pool->queue.first;
  if (passes && first && !first->nudged && (idle_any(&pool->rows) || room_has_place(pool)))
    queue_serve(pool, step);
}

/* Room for one ticket of each kind. */
static bool tell_next(struct pool *pool, struct news *news, struct step *step)
{
  struct waiter *waiter = pool->told.first;
  bool given = waiter && pool->hands && waiter->outcome > 0;
  if (!waiter || (given ? news->given_to : news->wake))
    return false;
  told_remove(&pool->told, waiter);
  if (given)
    give_away(pool, waiter, news, step);
  else
    news->wake = atomic_load(&waiter->ticket);
  return true;
}

void queue_tell_tickets(struct pool *pool, struct news *news, struct step *step)
{
  pthread_mutex_lock(&pool->lock);
  if (pool->unserved)
    queue_serve(pool, step);
  while (tell_next(pool, news, step))
    continue;
  note_rest(pool, step);
  life_unlock(pool);
}

static void nudge(struct pool *pool, struct waiter *waiter, int64_t now, struct step *step)
{
  waiter->nudged = true;
  queue_refresh(pool, now);
  queue_wake(pool, waiter, step);
}

/* Ends the waits at the head that are over, at most `left`; returns how many more it might have ended. */
static int32_t expire(struct pool *pool, int64_t now, int32_t left)
{
  /* Nobody is woken: a waiter keeps its own time, and tells then what was found here. */
  for (struct waiter *first; left > 0 && (first = pool->queue.first) && first->deadline_ns <= now; left--) {
    first->tells_starved = starve_concerns(pool, first) && starve_find(pool, first);
    queue_settle(pool, first, POOL_E_TIMEOUT, now);
  }
  return left;
}

static int32_t shed(struct pool *pool, int64_t now, int32_t left, struct step *step)
{
  for (struct waiter *first; left > 0 && overload_is_late(pool, first = attend_first(pool), now); left--) {
    overload_blame(pool, first);
    end_wait(pool, first, POOL_E_OVERLOAD, now, step);
  }
  return left;
}

/* When an asynchronous waiter is to be looked at: at its deadline, or when the first of all is to be shed, since those
   that come behind it may be asynchronous. */
static int64_t asynchronous_due(struct pool *pool, int64_t now)
{
  struct waiter *first = queue_first_due(&pool->queue);
  if (!first)
    return POOL_NO_DEADLINE;
  int64_t due_ns = first->deadline_ns, sheds_ns = overload_sheds_at(pool, attend_first(pool), now);
  if (sheds_ns)
    set_earlier(&due_ns, sheds_ns);
  return due_ns;
}

int64_t queue_expire_asynchronous(struct pool *pool, struct step *step)
{
  assert_locked(pool);
  int64_t now = clock_now();
  int32_t left = TOLD_AT_ONCE;
  for (struct waiter *first; left > 0 && (first = queue_first_due(&pool->queue)) && first->deadline_ns <= now; left--)
    queue_settle(pool, first, POOL_E_TIMEOUT, now);
  if (overload_is_on(pool, now) && pool->config.queue == POOL_QUEUE_SHED && shed(pool, now, left, step) == 0)
    return now;
  return asynchronous_due(pool, now);
}

static bool hand_over(struct pool *pool, struct waiter *waiter, int64_t now, struct step *step)
{
  /* What was passed first: another may be idle because its user is just about to come back. */
  pool_lease_t lease = step->passed ? lend_slot_clean(pool, step->passed, step) : 0;
  if (!lease)
    lease = lend_clean(pool, step);
  if (!lease)
    return false;
  waiter->waited = true;
  queue_settle(pool, waiter, lease, now);
  queue_wake(pool, waiter, step);
  return true;
}

/* An asynchronous waiter does not run: the ladder is walked for it. */
static void serve_asynchronous(struct pool *pool, struct waiter *next, int64_t now, struct step *step)
{
  struct asking asking = {.waiter = next, .told = true, .waits = true};
  pool_lease_t result = answer(pool, &asking, now, step);
  if (result)
    end_wait(pool, next, result, now, step);
}

/* There is a place for it, but an open has failed since it looked: it has to know when it may try. */
static bool waits_unknowing(struct pool *pool, const struct waiter *waiter)
{
  return waiter->again_ns == 0 && room_has_place(pool);
}

/* The one that would find something: an idle connection, or a place for one. */
static void serve_detached(struct pool *pool, struct waiter *next, int64_t now, struct step *step)
{
  bool idle = idle_any(&pool->rows);
  struct waiter *unchecking = idle && attend_is_checking(next, now) ? attend_first_unchecking(pool, now) : NULL;
  if (unchecking)
    next = unchecking;
  if (!idle && next->works > 0)
    next = attend_first(pool);
  if (!next || next->nudged || next->looks)
    return;
  if (idle || waits_unknowing(pool, next) || (room_permits(pool, next->refused) && attend_may_open(pool, next, now)))
    nudge(pool, next, now, step);
}

/* A waiter that runs is told to look for itself, if it would find something. */
static void serve_running(struct pool *pool, struct waiter *next, int64_t now, struct step *step)
{
  bool elsewhere = answer_opens_elsewhere(pool, pool->queue.first);
  bool room = room_permits(pool, elsewhere || next->refused);
  if (elsewhere && (room || room_retry_at(pool) != POOL_NO_DEADLINE))
    step->worker_wanted = true;
  bool passed = step->passed && next->works == 0; /* else something comes for it already */
  bool direct = passed || (attention_of(pool) & ATTENTION_FAIR) || next != pool->queue.first;
  if (direct && hand_over(pool, next, now, step))
    return;
  if (pool->detached)
    serve_detached(pool, next, now, step);
  else if (!next->nudged && (idle_any(&pool->rows) || (!elsewhere && (room || waits_unknowing(pool, next)))))
    nudge(pool, next, now, step);
}

static void serve_next(struct pool *pool, struct waiter *next, int64_t now, struct step *step)
{
  if (next->kind == WAITER_ASYNC)
    serve_asynchronous(pool, next, now, step);
  else
    serve_running(pool, next, now, step);
}

void queue_serve(struct pool *pool, struct step *step)
{
  assert_locked(pool);
  pool->unserved = false;
  if (pool->told.first)
    step->tells = pool; /* by an earlier step, which has not come to it yet */
  if (attention_of(pool) & ATTENTION_NOT_LENDING)
    return;
  if (room_needs_refill(pool) || room_needs_probe(pool))
    step->worker_wanted = true;
  allowance_ask(pool, false, step);
  if (pool->queue.first) {
    int64_t now = step_now(step);
    int32_t left = expire(pool, now, despair(pool, now, TOLD_AT_ONCE, step));
    bool overloaded = overload_is_on(pool, now);
    if (overloaded && pool->config.queue == POOL_QUEUE_SHED)
      left = shed(pool, now, left, step);
    queue_refresh(pool, now);
    if (left == 0) {
      pool->unserved = true; /* the head may be over as well, and must not be served */
      step->tells = pool;
      return;
    }
    bool newest = overloaded && pool->config.queue == POOL_QUEUE_LIFO;
    struct waiter *next = newest ? pool->queue.last : attend_next(pool, now);
    if (next)
      serve_next(pool, next, now, step);
  }
}

void queue_serve_unlocked(struct pool *pool, struct step *step)
{
  pthread_mutex_lock(&pool->lock);
  queue_serve(pool, step);
  life_unlock(pool);
}

/* If it was the last, their waits end. */
void queue_hope_less(struct pool *pool, struct step *step)
{
  if (attention_of(pool) & ATTENTION_WAITERS)
    queue_serve_unlocked(pool, step);
}

/* A waiter that left the queue for a connection that could not be opened, or turned out to be dead, goes back to
   its place. */
static void take_place(struct pool *pool, struct waiter *waiter, int64_t now)
{
  if (waiter->since_ns) {
    waiter_insert(&pool->queue, waiter);
    if (!waiter->refused && waiter->since_ns <= pool->refused_until_ns)
      pool->refused_until_ns = waiter->since_ns - 1; /* was not there when others were refused */
  } else {
    waiter->since_ns = now;
    waiter->timeless = waiter->deadline_ns <= now;
    waiter->thread = thread_id();
    waiter_append(&pool->queue, waiter);
    flow_wait(pool, now);
  }
  queue_refresh(pool, now);
}

static int enter(struct pool *pool, struct waiter *waiter, int64_t now)
{
  if (attention_of(pool) & ATTENTION_CLOSED)
    return POOL_E_CLOSED;
  if (pool->evicting && waiter->deadline_ns > now)
    return waiter->refused ? waiter->error.code : POOL_E_EVICTED;
  if (waiter->since_ns == 0 && waiter->works == 0 && pool->config.max_waiters > 0 &&
      queue_waiting(&pool->queue) >= pool->config.max_waiters)
    return POOL_E_OVERLOAD;
  take_place(pool, waiter, now);
  return 0;
}

/* When a waiter has to look again although nobody tells it to; 0: never. */
static int64_t looks_again_at(struct pool *pool, const struct waiter *waiter, int64_t now)
{
  int64_t moments[] = {pool->breaker.failures > 0 && pool->breaker.retry_at_ns > now ? pool->breaker.retry_at_ns : 0,
                       overload_sheds_at(pool, waiter, now), starve_at(pool, waiter),
                       attend_again_at(pool, waiter, now), allowance_again_at(pool, now)};
  int64_t first = 0;
  for (size_t i = 0; i < sizeof moments / sizeof *moments; i++)
    if (moments[i] && (first == 0 || moments[i] < first))
      first = moments[i];
  return first;
}

/* A waiter has looked and found nothing. */
static void stay(struct pool *pool, struct waiter *waiter, bool comes, int64_t now, struct step *step)
{
  if (comes)
    starve_suspect(pool, waiter);
  else if (starve_at(pool, waiter) && now >= starve_at(pool, waiter))
    step->starved = starve_find(pool, waiter);
  waiter->waited = waiter->waited || waiter->works == 0; /* else it may be served by what is done for it */
  waiter->looks = true;
  if (pool->queue.first != waiter || pool->detached)
    queue_serve(pool, step);
  waiter->looks = false;
  step->worker_wanted = step->worker_wanted || pool->chores.unclean; /* what is closed makes room */
  step->look_again_ns = waiter->again_ns = looks_again_at(pool, waiter, now);
}

pool_lease_t queue_begin(struct pool *pool, struct waiter *waiter, struct step *step)
{
  assert_locked(pool);
  told_remove(&pool->told, waiter);
  if (waiter->outcome) {
    step->starved = waiter->tells_starved;
    if (waiter->outcome == POOL_E_TIMEOUT)
      answer_wish(pool, waiter, step);
    /* This waiter may have been nudged and then handed a lease: the nudge is passed on (I11). */
    queue_serve(pool, step);
    return waiter->outcome;
  }
  int64_t now = step_now(step);
  bool told = waiter->nudged, comes = !waiter->queued;
  int error = comes ? enter(pool, waiter, now) : 0;
  if (error)
    return error;
  if (!comes) {
    waiter->nudged = false;
    queue_refresh(pool, now);
  }
  atomic_store(&waiter->signal, 0);
  /* It is in the queue, and ATTENTION_WAITERS is up, before it looks (I8). */
  struct asking asking = {.waiter = waiter, .told = told, .waits = true};
  pool_lease_t result = answer(pool, &asking, now, step);
  if (result == 0 && step->work == POOL_WORK_NONE) {
    stay(pool, waiter, comes, now, step);
    return 0;
  }
  waiter->waited = waiter->waited || (result > 0 && waiter->works > 0);
  if (result == 0 && pool->detached)
    attend_begin(pool, waiter, step, now);
  else
    queue_leave(pool, waiter, result, now);
  waiter->waited_ns = waiter->waited ? now - waiter->since_ns : 0;
  queue_serve(pool, step);
  return result;
}

pool_lease_t queue_join(struct pool *pool, struct waiter *waiter, struct step *step)
{
  assert_locked(pool);
  int64_t now = clock_now();
  attend_begin(pool, waiter, step, now);
  int error = enter(pool, waiter, now);
  if (error) {
    waiter->works = waiter->checks = 0;
    step->attended = 0;
  }
  return error;
}

/* To the waiter whose turn it is. */
bool queue_hand(struct pool *pool, struct slot *slot, uint64_t clear, struct step *step)
{
  assert_locked(pool);
  int64_t now = clock_now();
  expire(pool, now, TOLD_AT_ONCE);
  bool newest = pool->config.queue == POOL_QUEUE_LIFO && overload_is_on(pool, now);
  struct waiter *waiter = newest ? pool->queue.last : attend_next(pool, now);
  if (!waiter || (attention_of(pool) & ATTENTION_NOT_LENDING) || waiter->deadline_ns <= now)
    return false;
  queue_settle(pool, waiter, lease_of(slot, slot_move(slot, pool->lend & LENT_AS, clear, LEASED)), now);
  queue_wake(pool, waiter, step);
  return true;
}

void queue_refuse(struct pool *pool, struct waiter *waiter, const pool_error_t *error, struct step *step)
{
  assert_locked(pool);
  pool->queue.refused += !waiter->refused;
  waiter->refused = waiter->waited = true;
  waiter->error = *error;
  queue_wake(pool, waiter, step); /* to learn when it may try again */
}

pool_lease_t queue_wait_on(struct pool *pool, struct waiter *waiter, struct step *step)
{
  assert_locked(pool);
  int64_t now = clock_now();
  if (attention_of(pool) & ATTENTION_CLOSED)
    return POOL_E_CLOSED;
  waiter->refused = true;
  if (now >= waiter->deadline_ns || pool->evicting || answer_is_hopeless(pool, waiter))
    return POOL_E_OPEN;
  waiter->waited = true;
  take_place(pool, waiter, now);
  /* What became idle before this waiter was there to be told of. */
  step->look_again_ns = waiter->again_ns = idle_any(&pool->rows) ? now : looks_again_at(pool, waiter, now);
  return 0;
}

int queue_enter_asynchronous(struct pool *pool, struct waiter *waiter, struct step *step)
{
  assert_locked(pool);
  int error = enter(pool, waiter, clock_now());
  if (error)
    return error;
  waiter->waited = true;
  bool paused = attention_of(pool) & ATTENTION_PAUSED;
  if (waiter->timeless) {
    /* What is idle now, after a check if need be: nothing else has the time. */
    waiter_set_deadline(&pool->queue, waiter, clock_deadline(setting_now(pool->config.get_timeout_ms)));
    if (pool->queue.first == waiter && !paused)
      serve_asynchronous(pool, waiter, waiter->since_ns, step);
    else
      queue_settle(pool, waiter, POOL_E_TIMEOUT, waiter->since_ns);
  } else {
    queue_serve(pool, step);
    waiter->at_once = waiter->outcome == POOL_E_OPEN;
    step->worker_wanted = step->worker_wanted ||
                          (!waiter->outcome && (room_permits(pool, true) || room_retry_at(pool) != POOL_NO_DEADLINE));
  }
  step_want_keeper(pool, step); /* there is a deadline to keep */
  return 0;
}
