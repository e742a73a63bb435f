/* SPDX-License-Identifier: MIT */
#include "decide/work.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/histogram.h"
#include "slot/notes.h"
#include "slot/slot.h"
#include "decide/asker.h"
#include "decide/attend.h"
#include "decide/attention.h"
#include "decide/count.h"
#include "decide/dismiss.h"
#include "decide/give.h"
#include "decide/lend.h"
#include "decide/life.h"
#include "decide/lifetime.h"
#include "decide/overdue.h"
#include "decide/pool.h"
#include "decide/queue.h"
#include "decide/room.h"
#include "decide/step.h"
#include "decide/suspect.h"
#include "decide/uses.h"
#include "decide/waiter.h"

/* Its place is free again.  A get of the step API waits on for what others may bring. */
static pool_lease_t settle_failed_open(struct pool *pool, struct slot *slot, const struct outcome *outcome,
                                       struct step *step)
{
  pool->counts.open_failures++;
  room_note_failure(pool, outcome, step);
  room_vacate(pool, slot, step);
  struct waiter *waiter = outcome->attended ? attend_end(pool, outcome, POOL_WORK_OPEN) : NULL;
  if (waiter)
    queue_refuse(pool, waiter, outcome->error, step);
  queue_serve(pool, step);
  pool_lease_t result = outcome->until_ns && !outcome->attended ? asker_wait_on(pool, outcome, step) : 0;
  if (result < 0)
    count_failed_get_locked(pool, result, false); /* other gets are counted by event_get_ended() */
  return result;
}

static void note_opened(struct pool *pool, struct slot *slot, const struct outcome *outcome, struct step *step)
{
  pool->counts.opened++;
  if (outcome->took_ns >= 0)
    histogram_add(&pool->open_time, outcome->took_ns);
  atomic_store(&slot->conn, outcome->conn);
  if (pool->needs_watch)
    lifetime_begin(pool, slot, clock_boot(), outcome->took_ns);
  if (pool->trust_ns)
    overdue_trust(pool, slot);
  room_note_success(pool, step);
  attend_note_success(pool);
}

/* What becomes of a new connection: it is closed, lent to the get that it is for, or idle with the word *idle. */
static pool_lease_t settle_opened(struct pool *pool, struct slot *slot, const struct outcome *outcome, uint64_t *idle,
                                  struct step *step)
{
  note_opened(pool, slot, outcome, step);
  if (outcome->attended)
    attend_end(pool, outcome, POOL_WORK_OPEN);
  if (attention_closed(pool)) {
    dismiss(slot, POOL_REASON_CLOSED, step);
    if (pool->stepped && outcome->lend)
      count_failed_get_locked(pool, POOL_E_CLOSED, false);
    return POOL_E_CLOSED;
  }
  if (slot_word(slot) & DOOMED) {
    dismiss(slot, dismiss_reason(slot), step); /* flushed while it was being opened */
    queue_serve(pool, step);                   /* a waiter may have hoped for it */
    return 0;
  }
  if (outcome->lend && !(attention_of(pool) & ATTENTION_PAUSED)) {
    pool_lease_t lease = lease_of(slot, slot_move(slot, pool->lend & LENT_AS, 0, LEASED));
    queue_serve(pool, step); /* one fewer is being opened */
    return lease;
  }
  if (room_excess(pool, 1)) { /* the cap was lowered while it was being opened */
    dismiss(slot, POOL_REASON_RESIZED, step);
    queue_serve(pool, step);
    return 0;
  }
  if (pool->detached && queue_hand(pool, slot, 0, step)) {
    queue_serve(pool, step);
    return 0;
  }
  *idle = give_become_idle(pool, slot); /* under the lock: a get that comes next finds it before it opens another */
  return 0;
}

static pool_lease_t done_open(struct pool *pool, struct slot *slot, const struct outcome *outcome, struct step *step)
{
  uint64_t idle = 0;
  pthread_mutex_lock(&pool->lock);
  pool->room.opening--;
  assert_that(pool->room.opening >= 0);
  pool_lease_t result = outcome->succeeded ? settle_opened(pool, slot, outcome, &idle, step)
                                           : settle_failed_open(pool, slot, outcome, step);
  life_unlock(pool);
  if (idle)
    give_settle_idle(slot, idle, step);
  return result;
}

static void count_check(struct pool *pool, const struct outcome *outcome, struct step *step)
{
  pthread_mutex_lock(&pool->lock);
  if (outcome->attended)
    attend_end(pool, outcome, POOL_WORK_CHECK);
  pool->counts.checks++;
  pool->counts.check_failures += !outcome->succeeded;
  if (outcome->took_ns >= 0)
    histogram_add(&pool->check_time, outcome->took_ns);
  /* Else it tells nothing: a server may refuse new connections and keep the old ones. */
  if (outcome->succeeded && room_is_full(pool))
    room_note_success(pool, step);
  if (atomic_exchange(&pool->suspicion.probing, false) && pool->breaker.open)
    queue_serve(pool, step); /* the next that is suspect may be checked */
  life_unlock(pool);
}

/* The thread that closes the slot, now or later, tells why.  The slot's owner writes this; out of memory nothing is
 * told. */
static void keep_cause(struct pool *pool, struct slot *slot, const pool_error_t *cause)
{
  struct extra *extra = extra_of(slot);
  if (!pool->config.events || !cause || (!extra->cause && !(extra->cause = malloc(sizeof *cause))))
    return;
  *extra->cause = *cause;
}

/* A connection that was checked in the background goes to the first waiter if that is one that cannot look for itself:
   it may be the one that the check was for.  Returns whether it did. */
static bool hand_checked(struct pool *pool, struct slot *slot, struct step *step)
{
  pthread_mutex_lock(&pool->lock);
  struct waiter *waiter = pool->queue.first;
  bool waits = waiter && (waiter->kind == WAITER_ASYNC || pool->detached);
  bool stays = !(slot_word(slot) & DOOMED) && !room_excess(pool, 1);
  bool given = waits && stays && queue_hand(pool, slot, DUE, step);
  if (given && pool->trust_ns)
    overdue_trust(pool, slot);
  if (given)
    queue_serve(pool, step);
  life_unlock(pool);
  return given;
}

int64_t work_newest(struct pool *pool)
{
  pthread_mutex_lock(&pool->lock);
  int64_t newest = pool->connections;
  pthread_mutex_unlock(&pool->lock);
  return newest;
}

static pool_lease_t done_check(struct pool *pool, struct slot *slot, const struct outcome *outcome, struct step *step)
{
  int32_t reason;
  count_check(pool, outcome, step);
  if (!outcome->succeeded) {
    if (!outcome->cut_short)
      suspect_condemn(pool, outcome->newest, step);
    keep_cause(pool, slot, outcome->error);
    dismiss(slot, POOL_REASON_CHECK, step);
    queue_serve_unlocked(pool, step); /* a waiter may have hoped for it */
    return 0;
  }
  if (atomic_load(&pool->suspicion.lasts) && !suspect_next(pool, step))
    atomic_store(&pool->suspicion.lasts, false);
  if (pool->needs_watch)
    atomic_store(&notes_of(slot)->checked_ns, clock_boot());
  uint64_t word = slot_word(slot);
  if (word & DOOMED) {
    dismiss(slot, dismiss_reason(slot), step);
    queue_serve_unlocked(pool, step); /* a waiter may have hoped for it */
    return 0;
  }
  if (lend_is_over(pool, slot, word, &reason)) {
    dismiss(slot, reason, step);
    queue_serve_unlocked(pool, step); /* a waiter may have hoped for it */
    return 0;
  }
  if (!outcome->lend) {
    if (!hand_checked(pool, slot, step))
      give_make_idle(slot, step);
    return 0;
  }
  word = slot_move(slot, pool->lend & LENT_AS, DUE, LEASED);
  if (pool->trust_ns)
    overdue_trust(pool, slot);
  step_notice(pool, step);
  return asker_keep(pool, lease_of(slot, word), step);
}

static void done_reset(struct pool *pool, struct slot *slot, const struct outcome *outcome, struct step *step)
{
  pthread_mutex_lock(&pool->lock);
  pool->counts.resets++;
  pool->counts.reset_failures += !outcome->succeeded;
  pthread_mutex_unlock(&pool->lock);
  if (outcome->succeeded) {
    give_make_idle(slot, step);
  } else {
    keep_cause(pool, slot, outcome->error);
    dismiss(slot, POOL_REASON_RESET, step);
    queue_hope_less(pool, step);
  }
}

static void done_close(struct pool *pool, struct slot *slot, bool succeeded, struct step *step)
{
  pthread_mutex_lock(&pool->lock);
  count_close(pool, dismiss_reason(slot), succeeded);
  room_vacate(pool, slot, step);
  queue_serve(pool, step); /* (I12) */
  give_trim_any(pool, step);
  life_unlock(pool);
}

/* One claim, one report (I2): the generation grows with it, so of two threads that report one claim the second is
   stale, and so is a late one when the slot has other work.  Returns the state that the slot was in, or EMPTY. */
static enum slot_state take_report(struct slot *slot, pool_lease_t claim)
{
  uint64_t word = slot_word(slot);
  if (!slot_is_at(word, claim) || !slot_is_at_work(word))
    return EMPTY;
  struct pool *pool = slot_pool(slot);
  count_vain_lease(pool);
  if (!slot_end_work(slot, claim, &word)) {
    count_no_vain_lease(pool);
    return EMPTY;
  }
  uses_skip(pool, slot);
  notes_follow(slot, word, generation_next(word));
  return state_of(word);
}

/* To look first costs less than to write, and mostly there is nothing. */
static int64_t take_note(_Atomic int64_t *note)
{
  return atomic_load(note) ? atomic_exchange(note, 0) : 0;
}

static uint8_t take_purpose(struct extra *extra)
{
  uint8_t asked_for = atomic_load(&extra->asked_for);
  return asked_for == FOR_GET ? FOR_GET : atomic_exchange(&extra->asked_for, FOR_GET);
}

/* What was noted when the step API was asked for this work. */
static void read_extra(struct slot *slot, enum slot_state state, struct outcome *outcome)
{
  struct extra *extra = extra_of(slot);
  outcome->until_ns = take_note(&extra->until_ns);
  outcome->since_ns = atomic_load(&extra->waits_ns);
  outcome->asked_ns = atomic_load(&extra->asked_ns);
  outcome->waited_ns = atomic_load(&extra->waited) ? outcome->asked_ns - outcome->since_ns : 0;
  outcome->busy_ns = (int64_t)atomic_load(&extra->busy_us) * 1000;
  if (state != OPENING && state != CHECKING)
    return;
  uint8_t asked_for = take_purpose(extra);
  outcome->attended = take_note(&extra->attended);
  outcome->lend = outcome->lend && asked_for == FOR_GET && !outcome->attended;
  outcome->fills = asked_for == FOR_FILL;
}

enum slot_state work_take(pool_lease_t claim, struct outcome *outcome)
{
  struct slot *slot = slot_find(claim);
  enum slot_state state = slot ? take_report(slot, claim) : EMPTY;
  if (state != EMPTY && slot_pool(slot)->stepped)
    read_extra(slot, state, outcome);
  return state;
}

pool_lease_t work_settle(struct slot *slot, enum slot_state state, const struct outcome *outcome, struct step *step)
{
  struct pool *pool = slot_pool(slot);
  switch (state) {
  case OPENING:
  case CHECKING:
    return state == OPENING ? done_open(pool, slot, outcome, step) : done_check(pool, slot, outcome, step);
  case RETURNING:
    done_reset(pool, slot, outcome, step);
    return 0;
  default:
    done_close(pool, slot, outcome->succeeded, step);
    return 0;
  }
}

pool_lease_t work_done(pool_lease_t claim, const struct outcome *outcome, struct step *step)
{
  struct outcome own = *outcome;
  *step = (struct step){0};
  enum slot_state state = work_take(claim, &own);
  return state == EMPTY ? POOL_E_STALE : work_settle(slot_of(claim), state, &own, step);
}
