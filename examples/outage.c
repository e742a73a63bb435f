/* SPDX-License-Identifier: MIT */
/*
 * A server refuses connections for a while: what the log of a pool says.  docs/server-down.md shows it.
 *
 *   cc outage.c $(pkg-config --cflags --libs pool) -pthread -o outage && ./outage
 */
#include <pool/pool.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static atomic_int is_up;

static int open_connection(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)deadline_ns;
  if (!atomic_load(&is_up)) {
    snprintf(error->message, sizeof error->message, "connecting: refused");
    return POOL_E_OPEN;
  }
  *conn = context;
  return 0;
}

static int close_connection(void *context, void *conn, pool_error_t *error)
{
  (void)context, (void)conn, (void)error;
  return 0;
}

/* The server is back as soon as the pool has given up. */
static void print_line(void *user, int32_t level, const char *line)
{
  (void)user, (void)level;
  puts(line);
  if (strstr(line, "opens keep failing"))
    atomic_store(&is_up, 1);
}

static pool_t *make_pool(void)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.name = "prices";
  config.max_open = 5;
  config.retry_min_ms = 1;
  config.retry_max_ms = 10;
  config.breaker_after = 3;
  config.log = print_line;
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  vtable.open = open_connection;
  vtable.close = close_connection;
  pool_t *pool;
  if (pool_create(&config, &vtable, &is_up, &pool, NULL) != 0)
    exit(1);
  return pool;
}

int main(void)
{
  pool_t *pool = make_pool();
  pool_lease_t lease;
  while ((lease = pool_get_for(pool, 1000)) < 0)
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  pool_put(lease);
  pool_close(pool, -1);
  pool_free(pool);
  return 0;
}
