/* SPDX-License-Identifier: MIT */
/*
 * Two pools of one process share a limit of 4 connections, and the program looks at their budget.
 *
 *   cc budget.c $(pkg-config --cflags --libs pool) -pthread -o budget && ./budget
 */
#include <pool/budget.h>
#include <pool/pool.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int connection;

static int open_connection(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)context, (void)deadline_ns, (void)error;
  *conn = &connection;
  return 0;
}

static int close_connection(void *context, void *conn, pool_error_t *error)
{
  (void)context, (void)conn, (void)error;
  return 0;
}

static pool_t *make_pool(const char *name)
{
  pool_config_t config = POOL_CONFIG_INIT;
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool;
  config.name = name;
  config.budget = "process:orders?limit=4";
  vtable.open = open_connection;
  vtable.close = close_connection;
  if (pool_create(&config, &vtable, NULL, &pool, &error) != 0) {
    fprintf(stderr, "no pool: %s\n", error.message);
    exit(1);
  }
  return pool;
}

static int print_member(void *user, const pool_budget_member_t *member)
{
  (void)user;
  fprintf(stderr, "%s of a program in %s: %d granted, %d open\n", member->pool, member->language, member->granted,
          member->open);
  return 0;
}

/* How many pools share the budget, which is listed; or an error. */
static int look(const char *url, pool_budget_stats_t *stats)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_budget_t *budget;
  int code = pool_budget_open(url, &budget, &error);
  if (code == 0) {
    code = pool_budget_stats(budget, stats, &error);
    if (code == 0)
      code = pool_budget_members(budget, print_member, NULL, &error);
    pool_budget_close(budget);
  }
  if (code < 0)
    fprintf(stderr, "no budget: %s\n", error.message);
  return code;
}

int main(void)
{
  pool_budget_stats_t stats = POOL_BUDGET_STATS_INIT;
  pool_budget_language("c"); /* for lists of members; packages of other languages say their own */
  pool_t *orders = make_pool("orders"), *reports = make_pool("reports");
  pool_lease_t one = pool_get(orders), other = pool_get(reports);
  int members = look("process:orders", &stats);
  pool_put(one);
  pool_put(other);
  pool_close(orders, -1);
  pool_close(reports, -1);
  pool_free(orders);
  pool_free(reports);
  printf("budget: %d pools share %" PRId64 " connections\n", members, stats.limit);
  return one > 0 && other > 0 ? 0 : 1;
}
