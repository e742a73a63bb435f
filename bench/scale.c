/* SPDX-License-Identifier: MIT */
/* What one operation costs beside few others and beside many: waiters, pools, slots.  None may cost more because of
   what others do, but for the caches that many more things do not fit into. */
#include "scale.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <pool/step.h>

#include "nothing.h"
#include "report.h"
#include "rounds.h"

#define RUNS       5
#define OPERATIONS 1000

/* Compared with the cost beside the first of these. */
static const int sizes[] = {100, 10000, 100000};
static const double bounds[] = {0, 4, 6};

#define SIZES (sizeof sizes / sizeof *sizes)

/* Nanoseconds for one operation beside so many others. */
typedef double cost_fn(int others);

static pool_t *uncapped(void)
{
  pool_config_t config = POOL_CONFIG_INIT;
  return pool_of(&config, nothing(), NULL);
}

static void *numbers(int count)
{
  void *memory = calloc((size_t)count, sizeof(int64_t));
  if (!memory)
    give_up("no memory for %d numbers", count);
  return memory;
}

static void must_be(bool good, const char *what)
{
  if (!good)
    give_up("scale: %s failed", what);
}

/* ---- waiters ---- */

static _Atomic int told;

static void hear(void *user, pool_lease_t lease)
{
  (void)user, (void)lease;
  atomic_fetch_add(&told, 1);
}

static int64_t ask(pool_t *pool, int i)
{
  int64_t ticket = pool_get_async(pool, 3600000 + i * 7919 % 100000, hear, NULL);
  must_be(ticket > 0, "pool_get_async");
  return ticket;
}

static void cancel_all(int64_t *tickets, int count)
{
  atomic_store(&told, 0);
  for (int i = 0; i < count; i++)
    must_be(pool_cancel(tickets[i]) == 0, "pool_cancel");
  while (atomic_load(&told) < count)
    sched_yield();
}

/* An asynchronous get comes, waits and is cancelled. */
static double asynchronous_waiter(int others)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 1;
  pool_t *pool = pool_of(&config, nothing(), NULL);
  pool_lease_t lease = pool_get(pool);
  int64_t *tickets = numbers(others), *mine = numbers(OPERATIONS);
  for (int i = 0; i < others; i++)
    tickets[i] = ask(pool, i);
  int64_t began = now_ns();
  for (int i = 0; i < OPERATIONS; i++)
    mine[i] = ask(pool, i);
  cancel_all(mine, OPERATIONS);
  double cost = (double)(now_ns() - began) / OPERATIONS;
  cancel_all(tickets, others);
  must_be(pool_put(lease) == 0, "pool_put");
  pool_free(pool);
  free(tickets);
  free(mine);
  return cost;
}

static _Atomic bool server_is_full;

static int open_unless_full(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)context, (void)deadline_ns, (void)error;
  *conn = &told;
  return atomic_load(&server_is_full) ? POOL_E_OPEN : 0;
}

/* The same while opens fail, one connection is lent, and all that wait hope for that. */
static double waiter_of_full_server(int others)
{
  pool_config_t config = POOL_CONFIG_INIT;
  pool_vtable_t vtable = nothing();
  config.max_open = 2;
  config.openers = 1;
  config.retry_min_ms = -1;
  vtable.open = open_unless_full;
  atomic_store(&server_is_full, false);
  pool_t *pool = pool_of(&config, vtable, NULL);
  pool_lease_t lease = pool_get(pool);
  atomic_store(&server_is_full, true);
  int64_t *tickets = numbers(others), *mine = numbers(OPERATIONS);
  for (int i = 0; i < others; i++)
    tickets[i] = ask(pool, i);
  int64_t began = now_ns();
  for (int i = 0; i < OPERATIONS; i++)
    mine[i] = ask(pool, i);
  cancel_all(mine, OPERATIONS);
  double cost = (double)(now_ns() - began) / OPERATIONS;
  cancel_all(tickets, others);
  must_be(pool_put(lease) == 0, "pool_put");
  pool_free(pool);
  free(tickets);
  free(mine);
  return cost;
}

/* A ticket of the step API comes, waits and is cancelled. */
static int64_t queue(pool_t *pool)
{
  pool_step_t step = POOL_STEP_INIT;
  must_be(pool_step_begin(pool, 3600000, 0, &step) == 0 && step.ticket, "pool_step_begin");
  return step.ticket;
}

static double ticket(int others)
{
  pool_config_t config = POOL_CONFIG_INIT;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool;
  config.max_open = 1;
  must_be(pool_step_create(&config, 0, &pool, NULL) == 0, "pool_step_create");
  must_be(pool_step_begin(pool, 0, 0, &step) == 0 && step.work == POOL_WORK_OPEN, "pool_step_begin");
  int64_t *tickets = numbers(others);
  for (int i = 0; i < others; i++)
    tickets[i] = queue(pool);
  int64_t began = now_ns();
  for (int i = 0; i < OPERATIONS; i++)
    must_be(pool_step_cancel(queue(pool), &step) == 0, "pool_step_cancel");
  double cost = (double)(now_ns() - began) / OPERATIONS;
  for (int i = 0; i < others; i++)
    pool_step_cancel(tickets[i], &step);
  pool_free(pool);
  free(tickets);
  return cost;
}

/* ---- pools ---- */

static void free_pools(pool_t **pools, int count)
{
  for (int i = 0; i < count; i++)
    pool_free(pools[i]);
  free(pools);
}

static double pool(int others)
{
  pool_t **pools = numbers(others), **mine = numbers(OPERATIONS);
  for (int i = 0; i < others; i++)
    pools[i] = uncapped();
  int64_t began = now_ns();
  for (int i = 0; i < OPERATIONS; i++) {
    mine[i] = uncapped();
    must_be(pool_put(pool_get(mine[i])) == 0, "pool_put");
  }
  free_pools(mine, OPERATIONS);
  double cost = (double)(now_ns() - began) / OPERATIONS;
  free_pools(pools, others);
  return cost;
}

/* ---- slots ---- */

static pool_lease_t *lend(pool_t *pool, int count)
{
  pool_lease_t *leases = numbers(count);
  for (int i = 0; i < count; i++)
    must_be((leases[i] = pool_get_for(pool, 0)) > 0, "pool_get_for");
  return leases;
}

static void close_all(pool_lease_t *leases, int count)
{
  for (int i = 0; i < count; i++)
    must_be(pool_mark_unusable(leases[i]) == 0 && pool_put(leases[i]) == 0, "pool_put");
  free(leases);
}

/* A connection is opened, lent, put and closed. */
static double opens_and_closes(pool_t *pool)
{
  int64_t began = now_ns();
  for (int i = 0; i < OPERATIONS; i++) {
    pool_lease_t lease = pool_get_for(pool, 0);
    must_be(pool_mark_unusable(lease) == 0 && pool_put(lease) == 0, "pool_put");
  }
  return (double)(now_ns() - began) / OPERATIONS;
}

/* Connections go from hand to hand: none that is got is the one that its thread put last. */
static double gets_and_puts(pool_t *pool)
{
  pool_lease_t leases[2];
  int64_t began = now_ns();
  for (int i = 0; i < OPERATIONS; i++) {
    leases[0] = pool_get_for(pool, 0);
    leases[1] = pool_get_for(pool, 0);
    must_be(pool_put(leases[0]) == 0 && pool_put(leases[1]) == 0, "pool_put");
  }
  return (double)(now_ns() - began) / OPERATIONS;
}

static double beside_leases(int others, double (*cost)(pool_t *pool))
{
  pool_t *pool = uncapped();
  pool_lease_t *leases = lend(pool, others);
  double result = cost(pool);
  close_all(leases, others);
  pool_free(pool);
  return result;
}

static double after_leases(int others, double (*cost)(pool_t *pool))
{
  pool_t *pool = uncapped();
  close_all(lend(pool, others), others);
  double result = cost(pool);
  pool_free(pool);
  return result;
}

/* As many are idle as may be, one is lent, and it is put and got: each put asks whether it is one too many. */
static double get_beside_idle(int others)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_idle = others;
  pool_t *pool = pool_of(&config, nothing(), NULL);
  pool_lease_t *leases = lend(pool, others + 2);
  for (int i = 2; i < others; i++)
    must_be(pool_put(leases[i]) == 0, "pool_put");
  double cost = gets_and_puts(pool);
  pool_put(leases[0]), pool_put(leases[1]), pool_put(leases[others]), pool_put(leases[others + 1]);
  pool_free(pool);
  free(leases);
  return cost;
}

#define SURPLUS 100

/* As many are idle as may be, and each that is put is one too many. */
static double put_above_idle(int others)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_idle = others;
  pool_t *pool = pool_of(&config, nothing(), NULL);
  pool_lease_t *leases = lend(pool, others + SURPLUS);
  for (int i = 0; i < others; i++)
    must_be(pool_put(leases[i]) == 0, "pool_put");
  int64_t began = now_ns();
  for (int i = others; i < others + SURPLUS; i++)
    must_be(pool_put(leases[i]) == 0, "pool_put");
  double cost = (double)(now_ns() - began) / SURPLUS;
  pool_free(pool);
  free(leases);
  return cost;
}

static double open_beside(int others)
{
  return beside_leases(others, opens_and_closes);
}

static double get_beside(int others)
{
  return beside_leases(others, gets_and_puts);
}

static double open_after(int others)
{
  return after_leases(others, opens_and_closes);
}

static double get_after(int others)
{
  return after_leases(others, gets_and_puts);
}

/* ---- all of them ---- */

static void compare_sizes(const char *name, cost_fn *cost, bool bounded)
{
  double costs[SIZES][RUNS], typical[SIZES];
  char text[100];
  for (int run = 0; run < RUNS; run++)
    for (size_t i = 0; i < SIZES; i++)
      costs[i][run] = cost(sizes[i]);
  for (size_t i = 0; i < SIZES; i++) {
    typical[i] = median(costs[i], RUNS);
    snprintf(text, sizeof text, "scale.%s.%d", name, sizes[i]);
    report_only(text, typical[i], "ns");
  }
  for (size_t i = 1; i < SIZES; i++) {
    snprintf(text, sizeof text, "scale.%s.%d_to_%d", name, sizes[i], sizes[0]);
    report(text, typical[i] / typical[0], "ratio", (struct bound){bounded ? AT_MOST : NO_BOUND, bounds[i]});
  }
}

void scale(void)
{
  compare_sizes("asynchronous_waiters", asynchronous_waiter, true);
  compare_sizes("waiters_of_full_server", waiter_of_full_server, true);
  compare_sizes("tickets", ticket, true);
  compare_sizes("pools", pool, true);
  compare_sizes("get_and_put_beside_leases", get_beside, true);
  compare_sizes("get_and_put_beside_idle", get_beside_idle, true);
  /* Before it closes one the pool makes sure that so many are idle, for gets leave the hints of idle slots as they are.
   */
  compare_sizes("put_above_max_idle", put_above_idle, false);
  compare_sizes("get_and_put_after_leases", get_after, true);
  compare_sizes("open_and_close_beside_leases", open_beside, true);
  compare_sizes("open_and_close_after_leases", open_after, true);
}
