/* SPDX-License-Identifier: MIT */
#include "nothing.h"

#include "rounds.h"

static int connection;

static int open_nothing(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)context, (void)deadline_ns, (void)error;
  *conn = &connection;
  return 0;
}

static int close_nothing(void *context, void *conn, pool_error_t *error)
{
  (void)context, (void)conn, (void)error;
  return 0;
}

static int check_nothing(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)context, (void)conn, (void)deadline_ns, (void)error;
  return 0;
}

pool_vtable_t nothing(void)
{
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  vtable.open = open_nothing;
  vtable.close = close_nothing;
  vtable.check = check_nothing;
  return vtable;
}

pool_t *pool_of(const pool_config_t *config, pool_vtable_t vtable, void *context)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool;
  if (pool_create(config, &vtable, context, &pool, &error) != 0)
    give_up("pool_create: %s", error.message);
  return pool;
}

pool_t *pool_of_nothing(int connections)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.initial = config.max_open = connections;
  return pool_of(&config, nothing(), NULL);
}

pool_stats_t stats_of(pool_t *pool)
{
  pool_stats_t stats = POOL_STATS_INIT;
  if (pool_stats(pool, &stats) != 0)
    give_up("pool_stats: %s", pool_strerror(pool_failure(NULL)));
  return stats;
}

void cycle(pool_t *pool)
{
  pool_lease_t lease = pool_get(pool);
  if (lease < 0 || pool_put(lease) != 0)
    give_up("a get or put failed: %s", pool_strerror(pool_failure(NULL)));
}

int64_t use_pool(void *subject, int thread, const atomic_bool *stop)
{
  (void)thread;
  int64_t cycles = 0;
  for (; !atomic_load_explicit(stop, memory_order_relaxed); cycles += BATCH)
    for (int i = 0; i < BATCH; i++)
      cycle(subject);
  return cycles;
}
