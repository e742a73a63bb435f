/* SPDX-License-Identifier: MIT */
/* What a pool counts, and what can be counted at no cost to anybody: leases, from the generations of the slots. */
#include "count.h"
#include "error.h"
#include "sized.h"

int32_t engine_open_count(struct pool *pool, int32_t *threads)
{
  pthread_mutex_lock(&pool->lock);
  int32_t open = pool->open;
  *threads = pool->threads;
  engine_unlock(pool);
  return open;
}

void engine_count(struct pool *pool, pool_stats_t *stats)
{
  *stats = (pool_stats_t)POOL_STATS_INIT;
#define KEPT(name, ...) stats->name = pool->counts.name;
#define TIME(name, ...) histogram_summary(&pool->name, &stats->name);
#include "api/counts.def"
  stats->open = pool->open;
  stats->opening = pool->opening;
  stats->waiting = pool->queue.length;
  stats->idle = stats->leased = 0;
  bool closed = atomic_load(&pool->attention) & ATTENTION_CLOSED;
  int64_t generations = pool->ended;
  struct scan scan = scan_all(&pool->rows);
  for (struct slot *slot; (slot = scan_next(&scan));) {
    uint64_t word = atomic_load(&slot->word);
    stats->idle += !closed && engine_is_lendable(word);
    stats->leased += state_of(word) == LEASED;
    generations += slot_ended(slot, word);
  }
  stats->lent = count_lent(pool, generations);
}

int pool_stats(pool_t *pool, pool_stats_t *stats)
{
  pool_stats_t now;
  if (!pool || !stats)
    return error_set(NULL, POOL_E_INVALID, 0, "%s is NULL", pool ? "stats" : "pool");
  pthread_mutex_lock(&pool->lock);
  engine_count(pool, &now);
  engine_unlock(pool);
  int code = sized_write(stats, &now, STATS_SIZES);
  return code ? error_code(code) : 0;
}
