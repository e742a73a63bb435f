/* SPDX-License-Identifier: MIT */
#include "count.h"

#include <string.h>

void count_failed_get_locked(struct pool *pool, pool_lease_t code, bool at_once)
{
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
  int64_t lent = generations - pool->counts.closed - pool->counts.open_failures - atomic_load(&pool->lent_in_vain);
  if (lent > pool->lent)
    pool->lent = lent;
  return pool->lent;
}

void count_reset(struct pool *pool)
{
  memset(&pool->counts, 0, sizeof pool->counts);
  pool->lent = pool->connections = pool->ended = 0;
  atomic_store(&pool->lent_in_vain, 0);
}

void count_reset_times(struct pool *pool)
{
#define TIME(name, ...) histogram_clear(&pool->name);
#include "api/counts.def"
}
