/* SPDX-License-Identifier: MIT */
#include "decide/count.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/histogram.h"
#include "base/text.h"
#include "slot/idle.h"
#include "slot/notes.h"
#include "slot/slot.h"
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
  pool->lent = pool->at_once = pool->connections = pool->ended = 0;
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

bool count_is_unused(const struct pool *pool)
{
  assert_locked(pool);
  return pool->room.open == 0 && pool->queue.length == 0 && pool->users.gets == 0;
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

static void see_lease(struct slot *slot, uint64_t word, int64_t now, struct seen *seen)
{
  seen->leased++;
  seen->good_leased += !(word & DOOMED);
  notes_see(slot, word, now);
  int64_t held = notes_age(slot, now);
  if (seen->leased > 1 && held <= seen->oldest.held_ns)
    return;
  const char *tag = extra_of(slot)->tag;
  seen->oldest.held_ns = held;
  text_copy(seen->oldest.tag, sizeof seen->oldest.tag, tag ? tag : "");
}

void count_see(struct pool *pool, struct seen *seen)
{
  assert_locked(pool);
  int64_t now = 0, generations = pool->ended; /* the clock is read for leases alone */
  struct scan scan = scan_all(&pool->rows);
  *seen = (struct seen){0};
  for (struct slot *slot; (slot = scan_next(&scan));) {
    uint64_t word = slot_word(slot);
    generations += slot_ended(slot, word);
    seen->idle += slot_is_lendable(word);
    seen->good_idle += slot_is_lendable(word) && !(word & DUE);
    if (state_of(word) == LEASED)
      see_lease(slot, word, now = now ? now : clock_boot(), seen);
  }
  seen->lent = count_lent(pool, generations);
}

/* Every lease began with a get that had waited, or had not.  What is read of slots that move may be too few for a
   moment, and then the last answer stands, so that this only grows. */
static int64_t count_at_once(struct pool *pool, const struct seen *seen)
{
  int64_t at_once = seen->lent + seen->leased - pool->counts.waited;
  if (at_once > pool->at_once)
    pool->at_once = at_once;
  return pool->at_once;
}

static int64_t oldest_wait_ns(const struct pool *pool)
{
  return pool->queue.first ? clock_now() - pool->queue.first->since_ns : 0;
}

void count_all(struct pool *pool, struct seen *seen, pool_stats_t *stats)
{
  assert_locked(pool);
  uint32_t attention = atomic_load(&pool->attention);
  count_see(pool, seen);
  *stats = (pool_stats_t)POOL_STATS_INIT;
#define KEPT(name, ...) stats->name = pool->counts.name;
#define TIME(name, ...) histogram_summary(&pool->name, &stats->name);
#include "decide/counts.def"
  stats->open = pool->room.open;
  stats->opening = pool->room.opening;
  stats->waiting = queue_waiting(&pool->queue);
  stats->idle = attention & ATTENTION_CLOSED ? 0 : seen->idle;
  stats->leased = seen->leased;
  stats->lent = seen->lent;
  stats->at_once = count_at_once(pool, seen);
  stats->max_open = pool->max_open;
  if (pool->allowance.budget) {
    stats->budget_limit = pool->allowance.limit;
    stats->budget_granted = pool->allowance.granted;
    stats->budget_share = pool->allowance.target;
    stats->budget_cut_off = pool->allowance.cut_off;
  }
  stats->max_idle = pool->max_idle;
  stats->min_idle = pool->config.min_idle;
  stats->paused = (attention & ATTENTION_PAUSED) != 0;
  stats->breaker_open = pool->breaker.open;
  stats->oldest_wait_ns = oldest_wait_ns(pool);
  stats->oldest_lease_ns = seen->oldest.held_ns;
}
