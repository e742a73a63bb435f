/* SPDX-License-Identifier: MIT */
/* Groups of pools by key as Go calls them, without Go pointers but for where an error goes. */
#ifndef GROUP_OF_GO_H
#define GROUP_OF_GO_H

#include "bell.h"

#include <pool/group.h>

/* 0: settings that are the library's default. */
static inline uintptr_t group_make(uintptr_t settings, const char *name, int32_t abilities, int64_t key_idle_ms,
                                   int32_t max_keys, pool_error_t *error)
{
  pool_group_config_t config = POOL_GROUP_CONFIG_INIT;
  pool_config_t named = *(pool_config_t *)settings;
  pool_group_t *group = NULL;
  *error = (pool_error_t)POOL_ERROR_INIT;
  named.name = *name ? name : named.name;
  config.settings = &named;
  config.key_idle_ms = key_idle_ms ? key_idle_ms : config.key_idle_ms;
  config.max_keys = max_keys ? max_keys : config.max_keys;
  pool_group_step_create(&config, abilities, &group, error);
  return (uintptr_t)group;
}

static inline uintptr_t group_pool(uintptr_t group, const char *key, size_t size, uintptr_t settings,
                                   pool_error_t *error)
{
  pool_t *pool = NULL;
  *error = (pool_error_t)POOL_ERROR_INIT;
  pool_group_step_pool((pool_group_t *)group, size ? key : "", size, (pool_config_t *)settings, &pool, error);
  return (uintptr_t)pool;
}

struct news {
  uintptr_t pool; /* as a number: its object has a reference */
  int64_t due_ns;
  int what;
};

static inline void group_next(uintptr_t group, struct news *news)
{
  pool_t *pool = NULL;
  news->what = pool_group_step_next((pool_group_t *)group, &pool, &news->due_ns);
  news->pool = (uintptr_t)pool;
  pool_free(pool);
}

static inline int group_bell(uintptr_t group)
{
  return bell_of_group((pool_group_t *)group);
}

static inline void group_close(uintptr_t group)
{
  pool_group_close((pool_group_t *)group, 0);
}

static inline void group_free(uintptr_t group)
{
  pool_group_free((pool_group_t *)group);
}

static inline int group_sums(uintptr_t group, pool_group_stats_t *stats)
{
  *stats = (pool_group_stats_t)POOL_GROUP_STATS_INIT;
  return pool_group_stats((pool_group_t *)group, stats);
}

#endif
