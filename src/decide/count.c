/* SPDX-License-Identifier: MIT */
#include "decide/count.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/histogram.h"
#include "slot/idle.h"
#include "slot/slot.h"
#include "decide/attend.h"
#include "decide/attention.h"
#include "decide/pool.h"

void count_failed_get_locked(struct pool *pool, pool_lease_t code, bool at_once)
{
  assert_locked(pool);
  struct counts *counts = &pool->counts;
  switch (code) {
  case POOL_E_TIMEOUT:
    counts->found_none += at_once;
    counts->timed_out += !at_once;
    break;
  case POOL_E_OVERLOAD:
    counts->overloaded++;
    break;
  case POOL_E_CANCELLED:
    counts->cancelled++;
    break;
  case POOL_E_CLOSED:
    counts->failed_closed++;
    break;
  case POOL_E_NOMEM:
    counts->failed_nomem++;
    break;
  case POOL_E_EVICTED:
    counts->evicted++;
    break;
  case POOL_E_SYSTEM:
    counts->failed_system++;
    break;
  default: /* POOL_E_OPEN: what an open may return beside it has become that */
    counts->failed_fast += at_once;
    counts->failed_open += !at_once;
  }
}

void count_failed_get(struct pool *pool, pool_lease_t code, bool at_once)
{
  pthread_mutex_lock(&pool->lock);
  count_failed_get_locked(pool, code, at_once);
  pthread_mutex_unlock(&pool->lock);
}

void count_vain_lease(struct pool *pool)
{
  atomic_fetch_add(&pool->lent_in_vain, 1);
}

void count_no_vain_lease(struct pool *pool)
{
  atomic_fetch_sub(&pool->lent_in_vain, 1);
}

/* Each generation that was not a lease was a place that became empty, counted under the lock at that moment; or a lease
   in vain, counted before its generation grew.  So this is never too many.  It may be too few for a moment, and then
   the last answer stands: it was not too many either. */
int64_t count_lent(struct pool *pool, int64_t generations)
{
  assert_locked(pool);
  int64_t lent = generations - pool->counts.closed - pool->counts.open_failures - atomic_load(&pool->lent_in_vain);
  if (lent > pool->lent)
    pool->lent = lent;
  return pool->lent;
}

void count_reset(struct pool *pool)
{
  assert_locked(pool);
  memset(&pool->counts, 0, sizeof pool->counts);
  pool->lent = pool->connections = pool->ended = 0;
  atomic_store(&pool->lent_in_vain, 0);
}

void count_reset_times(struct pool *pool)
{
#define TIME(name, ...) histogram_clear(&pool->name);
#include "decide/counts.def"
}

void count_close(struct pool *pool, int32_t reason, bool succeeded)
{
  assert_locked(pool);
  struct counts *counts = &pool->counts;
  counts->closed++;
  counts->close_failures += !succeeded;
  counts->closed_unusable += reason == POOL_REASON_UNUSABLE;
  counts->closed_surplus += reason == POOL_REASON_SURPLUS;
  counts->closed_idle += reason == POOL_REASON_IDLE;
  counts->closed_lifetime += reason == POOL_REASON_LIFETIME;
  counts->closed_flushed += reason == POOL_REASON_FLUSHED;
  counts->closed_resized += reason == POOL_REASON_RESIZED;
  counts->closed_uses += reason == POOL_REASON_USES;
}

int32_t count_open(struct pool *pool, int32_t *threads)
{
  pthread_mutex_lock(&pool->lock);
  int32_t open = pool->room.open;
  *threads = pool->crew.threads;
  pthread_mutex_unlock(&pool->lock);
  return open;
}

int32_t count_busy(struct pool *pool)
{
  assert_locked(pool);
  int32_t count = 0;
  struct scan scan = scan_all(&pool->rows);
  for (struct slot *slot; (slot = scan_next(&scan));) {
    uint64_t word = slot_word(slot);
    /* An idle slot with calls is a multiplexed one that was put before they were done. */
    count += state_of(word) != EMPTY && (state_of(word) != IDLE || slot_has_calls(word));
  }
  return count;
}

bool count_is_held_by(struct pool *pool, int32_t thread)
{
  bool held = true;
  pthread_mutex_lock(&pool->lock);
  struct scan scan = scan_all(&pool->rows);
  for (struct slot *slot; held && (slot = scan_next(&scan));) {
    uint64_t word = slot_word(slot);
    held = state_of(word) == EMPTY ||
           (state_of(word) == LEASED && !slot_has_calls(word) && atomic_load(&slot->holder) == thread);
  }
  pthread_mutex_unlock(&pool->lock);
  return held;
}

void count_all(struct pool *pool, pool_stats_t *stats)
{
  assert_locked(pool);
  *stats = (pool_stats_t)POOL_STATS_INIT;
#define KEPT(name, ...) stats->name = pool->counts.name;
#define TIME(name, ...) histogram_summary(&pool->name, &stats->name);
#include "decide/counts.def"
  stats->open = pool->room.open;
  stats->opening = pool->room.opening;
  stats->waiting = attend_waiting(pool);
  stats->idle = stats->leased = 0;
  bool closed = atomic_load(&pool->attention) & ATTENTION_CLOSED;
  int64_t generations = pool->ended;
  struct scan scan = scan_all(&pool->rows);
  for (struct slot *slot; (slot = scan_next(&scan));) {
    uint64_t word = slot_word(slot);
    stats->idle += !closed && slot_is_lendable(word);
    stats->leased += state_of(word) == LEASED;
    generations += slot_ended(slot, word);
  }
  stats->lent = count_lent(pool, generations);
}
