/* SPDX-License-Identifier: MIT */
#include "decide/steer.h"

#include <pthread.h>
#include <stdatomic.h>

#include <pool/pool.h>

#include "base/clock.h"
#include "slot/idle.h"
#include "slot/notes.h"
#include "slot/slot.h"
#include "decide/allowance.h"
#include "decide/attention.h"
#include "decide/count.h"
#include "decide/dismiss.h"
#include "decide/life.h"
#include "decide/lifetime.h"
#include "decide/look.h"
#include "decide/overdue.h"
#include "decide/pool.h"
#include "decide/queue.h"
#include "decide/room.h"
#include "decide/step.h"

/* Dooms whatever is open or being opened in a slot. */
static bool doom(const struct scan *scan, struct slot *slot, uint8_t reason)
{
  uint64_t word = slot_word(slot);
  while (slot_stays(word) && scan_owns(scan, slot)) {
    atomic_store(&notes_of(slot)->reason, reason);
    if (slot_raise(slot, &word, DOOMED))
      return true;
  }
  return false;
}

int32_t steer_flush(struct pool *pool)
{
  int32_t count = 0;
  struct scan scan = scan_all(&pool->rows);
  for (struct slot *slot; (slot = scan_next(&scan));)
    count += doom(&scan, slot, POOL_REASON_FLUSHED);
  atomic_store(&pool->chores.marked, true);
  return count;
}

bool steer_next_doomed(struct scan *cursor, struct step *step)
{
  *step = (struct step){0};
  for (struct slot *slot; cursor->block && (slot = scan_next(cursor));) {
    uint64_t word = slot_word(slot);
    if ((word & DOOMED) && scan_owns(cursor, slot) && dismiss_idle(slot, word, dismiss_reason(slot), step) &&
        step->work)
      return true;
  }
  return false;
}

int32_t steer_to_caps(struct pool *pool, struct step *step)
{
  assert_locked(pool);
  room_refresh(pool);
  int32_t excess = room_excess(pool, INT32_MAX), left = excess;
  struct scan scan = scan_begin(&pool->rows);
  for (struct slot *slot; left > 0 && (slot = scan_next(&scan));) {
    uint64_t word = slot_word(slot);
    /* The first thread that comes to it closes what is idle, as chores are done. */
    left -= state_of(word) == IDLE && doom(&scan, slot, POOL_REASON_RESIZED);
  }
  if (left < excess)
    atomic_store(&pool->chores.marked, true);
  queue_serve(pool, step);
  return left;
}

void steer_allow(struct pool *pool, const struct permits *permits, struct step *step)
{
  *step = (struct step){0};
  pthread_mutex_lock(&pool->lock);
  struct allowance *allowance = &pool->allowance;
  bool same = allowance->granted == permits->granted && allowance->target == permits->target &&
              allowance->cut_off == permits->cut_off;
  allowance->granted = permits->granted;
  allowance->target = permits->target;
  allowance->limit = permits->limit;
  allowance->pressed = permits->pressed;
  allowance->cut_off = permits->cut_off;
  if (!same && !attention_closed(pool)) {
    steer_to_caps(pool, step);
    step->worker_wanted = step->worker_wanted || atomic_load(&pool->chores.marked); /* to close */
    if (pool->stepped)
      step_want_keeper(pool, step); /* it is its program that must look */
  }
  life_unlock(pool);
}

int32_t steer_resize(struct pool *pool, int32_t max_open, struct step *step)
{
  assert_locked(pool);
  *step = (struct step){0};
  if (attention_closed(pool))
    return POOL_E_CLOSED;
  pool->max_open = max_open;
  pool->max_idle = room_max_idle(&pool->config, max_open);
  return steer_to_caps(pool, step);
}

/* What was idle before anything had to do with time has been so since now, as far as is known. */
void steer_follow_settings(struct pool *pool, int32_t **ring)
{
  assert_locked(pool);
  const pool_config_t *config = &pool->config;
  if (!pool->needs_watch)
    atomic_store(&pool->looks.last_ns, clock_boot());
  pool->needs_watch = look_is_needed(config);
  pool->trust_ns = overdue_trust_ns(config);
  pool->coarse = overdue_may_be_coarse(config);
  pool->max_idle = room_max_idle(config, pool->max_open);
  lifetime_changed(pool, ring);
  attention_raise(pool, ATTENTION_LIMITED, pool->trust_ns || config->max_uses > 0);
  room_refresh(pool);
}

int steer_evict(struct pool *pool, int64_t moment, struct step *step)
{
  *step = (struct step){0};
  pthread_mutex_lock(&pool->lock);
  pool->evicting = attention_of(pool) & ATTENTION_PAUSED;
  int ended = queue_evict(pool, moment, step);
  life_unlock(pool);
  return ended;
}

int steer_pause(struct pool *pool, bool *first)
{
  int busy = POOL_E_CLOSED;
  pthread_mutex_lock(&pool->lock);
  *first = pool->pauses == 0;
  if (!attention_closed(pool)) {
    pool->pauses++;
    attention_raise(pool, ATTENTION_PAUSED, true);
    busy = count_busy(pool);
  }
  life_unlock(pool);
  return busy;
}

int steer_resume(struct pool *pool)
{
  int left = POOL_E_INVALID;
  pthread_mutex_lock(&pool->lock);
  if (pool->pauses > 0) {
    left = --pool->pauses;
    pool->chores.resuming = left == 0;
    pool->evicting = pool->evicting && left > 0;
    attention_raise(pool, ATTENTION_PAUSED, left > 0);
  }
  life_unlock(pool);
  return left;
}

void steer_resumed(struct pool *pool, struct step *step)
{
  *step = (struct step){0};
  pthread_mutex_lock(&pool->lock);
  pool->chores.resuming = false;
  queue_serve(pool, step);
  step->worker_wanted = step->worker_wanted || pool->chores.wished; /* meanwhile */
  life_unlock(pool);
}

/* A program that closes a pool will ask which thread holds what, and for how long. */
static void see_leases(struct pool *pool)
{
  int64_t now = clock_boot();
  struct scan scan = scan_all(&pool->rows);
  for (struct slot *slot; (slot = scan_next(&scan));) {
    uint64_t word = slot_word(slot);
    if (state_of(word) == LEASED)
      notes_see(slot, word, now);
  }
}

bool steer_close_unused(struct pool *pool, bool *first)
{
  pthread_mutex_lock(&pool->lock);
  bool unused = count_is_unused(pool);
  *first = unused && !attention_closed(pool);
  if (*first)
    attention_raise(pool, ATTENTION_CLOSED, true);
  life_unlock(pool);
  return unused;
}

bool steer_close(struct pool *pool)
{
  pthread_mutex_lock(&pool->lock);
  bool first = !attention_closed(pool);
  attention_raise(pool, ATTENTION_CLOSED, true);
  see_leases(pool);
  life_unlock(pool);
  return first;
}
