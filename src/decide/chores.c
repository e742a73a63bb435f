/* SPDX-License-Identifier: MIT */
#include "decide/chores.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "base/clock.h"
#include "slot/idle.h"
#include "slot/notes.h"
#include "slot/slot.h"
#include "decide/allowance.h"
#include "decide/attention.h"
#include "decide/dismiss.h"
#include "decide/later.h"
#include "decide/lend.h"
#include "decide/life.h"
#include "decide/look.h"
#include "decide/pool.h"
#include "decide/queue.h"
#include "decide/room.h"
#include "decide/step.h"
#include "decide/waiter.h"

/* Something that can be done for an idle slot that is marked. */
static bool tend(struct pool *pool, struct slot *slot, struct step *step)
{
  int32_t reason;
  uint64_t word = slot_word(slot);
  if (state_of(word) != IDLE || !slot_is_of(slot, pool))
    return false;
  if (word & DOOMED)
    return dismiss_idle(slot, word, dismiss_reason(slot), step) && step->work;
  _Atomic uint8_t *wants_check = &notes_of(slot)->wants_check;
  uint8_t wanted = atomic_load(wants_check) ? atomic_exchange(wants_check, CHECK_NONE) : CHECK_NONE;
  if (wanted == CHECK_NONE)
    return false;
  if (lend_is_over(pool, slot, word, &reason))
    return dismiss_idle(slot, word, reason, step) && step->work;
  if (!pool->can_check)
    return false;
  /* A look may have marked it while it was being checked. */
  if (wanted == CHECK_KEEPALIVE && !look_is_keepalive_due(&pool->config, slot, clock_boot()))
    return false;
  while (state_of(word) == IDLE && !(word & DOOMED) && slot_is_of(slot, pool))
    if (lend_to_check(pool, slot, &word, step))
      return true;
  return false;
}

static bool chores_next_marked(struct pool *pool, struct scan *cursor, struct step *step)
{
  *step = (struct step){0};
  for (;;) {
    for (struct slot *slot; cursor->block && (slot = scan_next(cursor));)
      if (tend(pool, slot, step))
        return true;
    /* Lowered before the scan: what is marked meanwhile is seen by it, or raises it again. */
    if (!atomic_exchange(&pool->chores.marked, false))
      return false;
    *cursor = scan_all(&pool->rows);
  }
}

static bool open_is_wanted(struct pool *pool, bool for_waiters)
{
  assert_locked(pool);
  if (pool->chores.resuming || !room_permits(pool, true))
    return false;
  if (room_needs_probe(pool) || room_needs_refill(pool))
    return true;
  if (!for_waiters)
    return false;
  int32_t wanting = pool->config.openers > 0 ? pool->queue.patient + pool->chores.wished : pool->queue.asynchronous;
  return wanting > pool->crew.opening && !idle_any(&pool->rows);
}

/* Counts one more chore under way: false if there is none to do, or as many are under way as may be. */
static bool take_hand(struct pool *pool, const struct scan *cursor)
{
  pthread_mutex_lock(&pool->lock);
  bool pending = pool->chores.unclean || cursor->block || atomic_load(&pool->chores.marked);
  bool taken = pending && pool->chores.doing < chores_hands(pool);
  pool->chores.doing += taken;
  pthread_mutex_unlock(&pool->lock);
  return taken;
}

void chores_done(struct pool *pool)
{
  pthread_mutex_lock(&pool->lock);
  pool->chores.doing--;
  assert_that(pool->chores.doing >= 0);
  pthread_mutex_unlock(&pool->lock);
}

static bool next_open_is_wanted(struct pool *pool, bool for_waiters)
{
  pthread_mutex_lock(&pool->lock);
  bool wanted = open_is_wanted(pool, for_waiters);
  pthread_mutex_unlock(&pool->lock);
  return wanted;
}

static bool next_open(struct pool *pool, bool for_waiters, struct step *step)
{
  pthread_mutex_lock(&pool->lock);
  bool wanted = !pool->stepped && pool->crew.opening < chores_hands(pool) && open_is_wanted(pool, for_waiters) &&
                room_reserve(pool, step);
  pool->crew.opening += wanted;
  pool->chores.wished = pool->chores.wished && pool->crew.opening <= pool->queue.patient;
  if (wanted && open_is_wanted(pool, for_waiters))
    step->worker_wanted = true; /* another worker can help */
  life_unlock(pool);
  return wanted;
}

int32_t chores_hands_wanted(struct pool *pool)
{
  assert_locked(pool);
  bool chores = pool->chores.unclean || atomic_load(&pool->chores.marked);
  bool opens = open_is_wanted(pool, true) || room_retry_at(pool) != POOL_NO_DEADLINE;
  return (opens ? chores_hands(pool) : pool->crew.opening) + (chores ? chores_hands(pool) : pool->chores.doing);
}

bool chores_next(struct pool *pool, struct scan *cursor, bool for_waiters, struct step *step)
{
  *step = (struct step){0};
  if (take_hand(pool, cursor)) {
    pthread_mutex_lock(&pool->lock);
    bool found = later_take(pool, step);
    bool more = pool->chores.unclean != NULL;
    life_unlock(pool);
    if (found || chores_next_marked(pool, cursor, step)) {
      /* While this one is busy, another may open, or reset what else there is. */
      step->worker_wanted = more || next_open_is_wanted(pool, for_waiters);
      return true;
    }
    chores_done(pool);
  }
  return next_open(pool, for_waiters, step);
}

void chores_open_failed(struct pool *pool, const pool_error_t *error, struct step *step)
{
  *step = (struct step){0};
  pthread_mutex_lock(&pool->lock);
  queue_refuse_older(pool, error, clock_now());
  queue_serve(pool, step);
  attention_raise(pool, ATTENTION_UNCLEAN, pool->chores.unclean || (attention_of(pool) & ATTENTION_UNCLEAN));
  life_unlock(pool);
}

void chores_open_done(struct pool *pool, int code, const pool_error_t *error, int64_t began, struct step *step)
{
  *step = (struct step){0};
  pthread_mutex_lock(&pool->lock);
  pool->crew.opening--;
  assert_that(pool->crew.opening >= 0);
  /* Where opens are tried again, the waiters wait for that. */
  if (code && pool->config.retry_min_ms <= 0) {
    queue_refuse_older(pool, error, began);
    queue_serve(pool, step);
  }
  life_unlock(pool);
}

static bool next_closing(struct pool *pool, struct scan *cursor, struct step *step)
{
  pthread_mutex_lock(&pool->lock);
  bool found = queue_end(pool, POOL_E_CLOSED, step) || later_take(pool, step);
  life_unlock(pool);
  if (found)
    return true;
  /* Not before the pool was closed: a connection that was opened until then must be met. */
  if (!cursor->row)
    *cursor = scan_all(&pool->rows);
  for (struct slot *slot; cursor->block && (slot = scan_next(cursor));) {
    uint64_t word = slot_word(slot);
    if (scan_owns(cursor, slot) && dismiss_idle(slot, word, POOL_REASON_CLOSED, step) && step->work)
      return true;
  }
  return false;
}

/* Of a pool of the step API, the connections that it begins with. */
static bool next_initial(struct pool *pool, struct step *step)
{
  pthread_mutex_lock(&pool->lock);
  bool found = pool->chores.unfilled > 0 && pool->room.open < allowance_cap(pool) && room_reserve(pool, step);
  if (found) {
    pool->chores.unfilled--;
    atomic_store(&extra_of(step->slot)->asked_for, FOR_FILL);
  }
  life_unlock(pool);
  return found;
}

bool chores_next_unasked(struct pool *pool, struct scan *cursor, struct step *step)
{
  *step = (struct step){0};
  if (attention_closed(pool))
    return next_closing(pool, cursor, step);
  if (next_initial(pool, step))
    return true;
  struct scan marked = {0};
  if (chores_next_marked(pool, &marked, step)) {
    atomic_store(&pool->chores.marked,
                 true); /* the next call begins anew, for this scan ends with the first that it finds */
    atomic_store(&extra_of(step->slot)->asked_for, step->work == POOL_WORK_CHECK ? FOR_NOBODY : FOR_GET);
    return true;
  }
  pthread_mutex_lock(&pool->lock);
  bool found = later_take(pool, step);
  queue_serve(pool, step);
  found = found || step->tells;
  if (!found && (room_needs_refill(pool) || room_needs_probe(pool)) && room_refill(pool, step)) {
    atomic_store(&extra_of(step->slot)->asked_for, FOR_NOBODY);
    found = true;
  }
  life_unlock(pool);
  return found;
}
