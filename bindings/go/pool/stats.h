/* SPDX-License-Identifier: MIT */
/* The counts as Go asks for them: all in one call. */
#ifndef STATS_H
#define STATS_H

#include <pool/stats.h>

static inline void stats_read(uintptr_t pool, pool_stats_t *stats)
{
  *stats = (pool_stats_t)POOL_STATS_INIT;
  pool_stats((pool_t *)pool, stats);
}

#endif
