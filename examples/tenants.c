/* SPDX-License-Identifier: MIT */
/*
 * Fifty tenants share four connections: a group has a pool for each of them, and one budget for all.
 *
 *   cc tenants.c $(pkg-config --cflags --libs pool) -pthread -o tenants && ./tenants
 */
#include <pool/group.h>
#include <pool/stats.h>

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TENANTS = 50 };

static _Atomic int open_now, most_open;

/* A real program would connect to the tenant's database. */
static int open_connection(void *tenant, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)deadline_ns, (void)error;
  *conn = tenant;
  open_now++;
  if (open_now > most_open)
    most_open = open_now;
  return 0;
}

static int close_connection(void *tenant, void *conn, pool_error_t *error)
{
  (void)tenant, (void)conn, (void)error;
  open_now--;
  return 0;
}

static int of_tenant(void *context, const void *key, size_t key_size, pool_config_t *settings, pool_vtable_t *vtable,
                     void **tenant, pool_error_t *error)
{
  (void)context, (void)settings, (void)error;
  char *name = calloc(1, key_size + 1);
  if (!name)
    return POOL_E_NOMEM;
  memcpy(name, key, key_size);
  vtable->open = open_connection;
  vtable->close = close_connection;
  vtable->release = free;
  *tenant = name;
  return 0;
}

static int serve(pool_group_t *group, const char *tenant)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_lease_t lease = pool_group_get(group, tenant, strlen(tenant), 2000);
  if (lease < 0) {
    pool_failure(&error);
    fprintf(stderr, "no connection: %s\n", error.message);
    return -1;
  }
  int wrong = strcmp(pool_conn(lease), tenant);
  pool_put(lease);
  return wrong;
}

/* A tenant that is asked for all the time: its pool at hand costs no look for the key. */
static int serve_often(pool_group_t *group, const char *tenant)
{
  pool_t *pool;
  pool_error_t error = POOL_ERROR_INIT;
  if (pool_group_pool(group, tenant, strlen(tenant), &pool, &error) != 0) {
    fprintf(stderr, "no pool: %s\n", error.message);
    return -1;
  }
  int wrong = pool_set(pool, "get_timeout_ms", 2000) != 0;
  for (int i = 0; i < 100; i++) {
    pool_lease_t lease = pool_get(pool);
    wrong += lease < 0 || strcmp(pool_conn(lease), tenant);
    pool_put(lease);
  }
  wrong += pool_health(pool, -1, NULL) != POOL_HEALTH_HEALTHY;
  pool_free(pool); /* from now on the key may be let go of */
  return wrong;
}

static int add_idle(void *idle, const void *key, size_t key_size, pool_t *pool)
{
  (void)key, (void)key_size;
  *(int64_t *)idle += (int64_t)pool_len(pool);
  return 0;
}

static pool_group_t *make_group(void)
{
  pool_group_t *group;
  pool_error_t error = POOL_ERROR_INIT;
  pool_config_t settings = POOL_CONFIG_INIT;
  pool_group_config_t config = POOL_GROUP_CONFIG_INIT;
  settings.name = "shop";
  settings.budget = "process:shop?limit=4";
  config.settings = &settings;
  config.prepare = of_tenant; /* makes what open gets as its context */
  config.key_idle_ms = 600000;
  if (pool_group_create(&config, &group, &error) != 0) {
    fprintf(stderr, "no group: %s\n", error.message);
    exit(1);
  }
  return group;
}

int main(void)
{
  pool_group_t *group = make_group();
  pool_group_stats_t stats = POOL_GROUP_STATS_INIT;
  int failed = 0;
  for (int i = 0; i < 2 * TENANTS; i++) {
    char tenant[16];
    snprintf(tenant, sizeof tenant, "tenant%d", i % TENANTS);
    failed += serve(group, tenant) != 0;
  }
  failed += serve_often(group, "tenant7") != 0;
  int64_t idle = 0;
  int keys = pool_group_keys(group, add_idle, &idle);
  pool_group_stats(group, &stats);
  failed += keys != stats.keys || idle != stats.idle;
  printf("tenants: %" PRId64 " keys, at most %d connections\n", stats.keys, most_open);
  pool_group_close(group, 1000);
  pool_group_free(group);
  return failed > 0 || most_open > 4;
}
