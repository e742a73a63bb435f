/* SPDX-License-Identifier: MIT */
/* Settings of a running pool: changed and read by name. */
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <pool/pool.h>

#include "base/error.h"
#include "decide/attention.h"
#include "decide/life.h"
#include "decide/lifetime.h"
#include "decide/pool.h"
#include "decide/steer.h"
#include "run/crew.h"
#include "api/member.h"
#include "api/settings.h"

/* Code that reads one of these without the lock does so by setting_now(). */
static bool may_change(const char *name)
{
  static const char *const names[] = {"max_open",        "min_idle",         "min_open",
                                      "get_timeout_ms",  "check_timeout_ms", "idle_timeout_ms",
                                      "max_lifetime_ms", "keepalive_ms",     "leak_after_ms"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(name, names[i]) == 0)
      return true;
  return false;
}

/* The settings as they are now. */
static pool_config_t current(struct pool *pool)
{
  assert_locked(pool);
  pool_config_t config = pool->config;
  config.max_open = pool->max_open;
  return config;
}

/* As it was given to pool_create(), as far as settings depend on it. */
static pool_vtable_t vtable_of(const struct pool *pool)
{
  pool_vtable_t vtable = pool->vtable;
  vtable.open = pool->stepped ? NULL : vtable.open;
  vtable.check = pool->can_check ? vtable.check : NULL;
  vtable.reset = pool->can_reset ? vtable.reset : NULL;
  return vtable;
}

static int check(struct pool *pool, const char *name, int64_t value)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_config_t config = current(pool);
  pool_vtable_t vtable = vtable_of(pool);
  if (attention_closed(pool))
    return error_code_in(pool->name, POOL_E_CLOSED);
  int code = member_find(name) && !may_change(name)
                 ? error_set(&error, POOL_E_INVALID, 0,
                             "%s cannot change while the pool runs; set it before the pool is made, or make a new pool",
                             name)
                 : pool_config_set_number(&config, name, value, &error);
  if (code == 0)
    code = config_check_change(&config, &vtable, &error);
  if (code)
    error_name(pool->name, NULL);
  return code;
}

/* `ring`: room for the ends of lifetimes. */
static int set(struct pool *pool, const char *name, int64_t value, int32_t **ring)
{
  pthread_mutex_lock(&pool->lock);
  int code = check(pool, name, value);
  if (code == 0) {
    member_put(&pool->config, member_find(name), value);
    steer_follow_settings(pool, ring);
  }
  life_unlock(pool);
  if (code == 0)
    crew_need_keeper(pool, 0); /* what is due now may be due sooner */
  return code;
}

int pool_set(pool_t *pool, const char *name, int64_t value)
{
  if (!pool || !name)
    return error_in(pool ? pool->name : NULL, NULL, POOL_E_INVALID, 0, "%s is NULL", pool ? "name" : "pool");
  if (strcmp(name, "max_open") == 0 && value >= INT32_MIN && value <= INT32_MAX) {
    int left = pool_resize(pool, (int32_t)value);
    return left < 0 ? left : 0;
  }
  int32_t *ring = calloc(lifetime_ring_size(&pool->config), sizeof *ring);
  if (!ring)
    return error_in(pool->name, NULL, POOL_E_NOMEM, 0, "no memory to change a setting");
  int code = set(pool, name, value, &ring);
  free(ring);
  return code;
}

int pool_value(pool_t *pool, const char *name, int64_t *value)
{
  if (!pool)
    return error_set(NULL, POOL_E_INVALID, 0, "pool is NULL");
  pthread_mutex_lock(&pool->lock);
  pool_config_t config = current(pool);
  pthread_mutex_unlock(&pool->lock);
  int code = pool_config_get_number(&config, name, value, NULL);
  if (code)
    error_name(pool->name, NULL);
  return code;
}
