/* SPDX-License-Identifier: MIT */
/*
 * Three busy pools, to be looked at with `poolctl top`, paused with `poolctl pause PID/orders` and so on.  Their
 * connections are made up, so no server is needed.
 *
 *   cc exposed.c $(pkg-config --cflags --libs pool) -pthread -o exposed && ./exposed 60
 */
#include <pool/expose.h>
#include <pool/pool.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void sleep_us(long us)
{
  nanosleep(&(struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000}, NULL);
}

static int open_connection(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)deadline_ns, (void)error;
  sleep_us(20000);
  *conn = context;
  return 0;
}

static int close_connection(void *context, void *conn, pool_error_t *error)
{
  (void)context, (void)conn, (void)error;
  return 0;
}

/* A kind of work: how many threads do it, with how many connections, and how long it takes on average. */
static struct work {
  const char *pool, *tag;
  int threads, max_open;
  long us;
  pool_t *lends;
} works[] = {{.pool = "orders", .tag = "checkout", .threads = 24, .max_open = 8, .us = 40000},
             {.pool = "prices", .tag = "lookup", .threads = 12, .max_open = 20, .us = 2000},
             {.pool = "reports", .tag = "monthly totals", .threads = 3, .max_open = 4, .us = 4000000}};

#define WORKS (sizeof works / sizeof *works)

static void *do_work(void *data)
{
  const struct work *work = data;
  unsigned seed = (unsigned)(uintptr_t)&seed;
  for (;;) {
    pool_lease_t lease = pool_get_for(work->lends, 5000);
    if (lease < 0)
      continue; /* paused, for example */
    pool_tag(lease, work->tag);
    sleep_us(work->us / 2 + rand_r(&seed) % (int)work->us);
    pool_put(lease);
    sleep_us(rand_r(&seed) % 2000);
  }
  return NULL;
}

static int start(struct work *work)
{
  pool_config_t config = POOL_CONFIG_INIT;
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  config.name = work->pool;
  config.max_open = work->max_open;
  vtable.open = open_connection;
  vtable.close = close_connection;
  if (pool_create(&config, &vtable, work, &work->lends, &error) != 0 || pool_expose(work->lends, &error) != 0) {
    fprintf(stderr, "no pool %s: %s\n", work->pool, error.message);
    return 1;
  }
  for (int i = 0; i < work->threads; i++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, do_work, work) != 0)
      return 1;
  }
  return 0;
}

int main(int argc, char **argv)
{
  long seconds = argc > 1 ? atol(argv[1]) : 3600;
  for (size_t i = 0; i < WORKS; i++)
    if (start(&works[i]) != 0)
      return 1;
  printf("look at it with: poolctl top\n");
  fflush(stdout);
  sleep_us(seconds * 1000000);
  return 0;
}
