/* SPDX-License-Identifier: MIT */
/* What a pool counts. */
#include <pthread.h>
#include <stddef.h>

#include <pool/pool.h>

#include "base/error.h"
#include "base/sized.h"
#include "decide/count.h"
#include "decide/life.h"
#include "decide/pool.h"

int pool_stats(pool_t *pool, pool_stats_t *stats)
{
  pool_stats_t now;
  struct seen seen;
  if (!pool || !stats)
    return error_in(pool ? pool->name : NULL, NULL, POOL_E_INVALID, 0, "%s is NULL", pool ? "stats" : "pool");
  pthread_mutex_lock(&pool->lock);
  count_all(pool, &seen, &now);
  life_unlock(pool);
  int code = sized_write(stats, &now, STATS_SIZES);
  return code ? error_code_in(pool->name, code) : 0;
}
