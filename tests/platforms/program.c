/* SPDX-License-Identifier: MIT */
/*
 * What differs between platforms, in one short program: how threads sleep and how they are told apart, atomic operations,
 * the sizes of types, fork.  It needs nothing but the library and the C library.
 * usage: program [BITS_OF_A_POINTER BITS_OF_TIME_T]
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <pool/driver.h>
#include <pool/pool.h>

enum { THREADS = 4, ROUNDS = 3000, WAIT_MS = 400 };

#define check(condition)                                                                                               \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      pool_error_t failure_ = POOL_ERROR_INIT;                                                                         \
      pool_failure(&failure_);                                                                                         \
      fprintf(stderr, "FAILED: line %d: %s (last failure: %d %s)\n", __LINE__, #condition, failure_.code,              \
              failure_.message);                                                                                       \
      exit(1);                                                                                                         \
    }                                                                                                                  \
  } while (0)

struct conn {
  _Atomic int users;
  int uses;
};

static _Atomic int open_now;

static int open_conn(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)context, (void)deadline_ns, (void)error;
  *conn = calloc(1, sizeof(struct conn));
  open_now++;
  return *conn ? 0 : POOL_E_OPEN;
}

static int close_conn(void *context, void *conn, pool_error_t *error)
{
  (void)context, (void)error;
  open_now--;
  free(conn);
  return 0;
}

static int check_conn(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)context, (void)conn, (void)deadline_ns, (void)error;
  return 0;
}

static pool_t *make_pool(pool_config_t config)
{
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  pool_t *pool;
  vtable.open = open_conn;
  vtable.close = close_conn;
  vtable.check = check_conn;
  check(pool_create(&config, &vtable, NULL, &pool, NULL) == 0);
  return pool;
}

static void finish(pool_t *pool)
{
  check(pool_close(pool, -1) == 0);
  pool_free(pool);
}

static int64_t now_ms(void)
{
  struct timespec now;
  check(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t processor_ms(void)
{
  struct rusage used;
  check(getrusage(RUSAGE_SELF, &used) == 0);
  return (int64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000 +
         (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000;
}

/* ---- sleeping ---- */

static void *wait_for_ever(void *data)
{
  pool_lease_t lease = pool_get_for(data, -1);
  check(lease > 0);
  check(pool_put(lease) == 0);
  return NULL;
}

static void *wait_long(void *data)
{
  pool_lease_t lease = pool_get_for(data, INT64_C(10000000000000)); /* more seconds than 32 bits hold */
  check(lease > 0);
  check(pool_put(lease) == 0);
  return NULL;
}

/* Three waiters and a keeper sleep: one until a moment, the others until they get something.  None of them needs the
   processor meanwhile. */
static void sleeping_costs_nothing(void)
{
  pool_config_t config = POOL_CONFIG_INIT;
  pthread_t threads[2];
  pool_stats_t stats = POOL_STATS_INIT;
  config.max_open = 1;
  config.keepalive_ms = 3600000;
  pool_t *pool = make_pool(config);
  pool_lease_t lease = pool_get(pool);
  check(lease > 0);
  check(pthread_create(&threads[0], NULL, wait_for_ever, pool) == 0);
  check(pthread_create(&threads[1], NULL, wait_long, pool) == 0);
  do
    check(pool_stats(pool, &stats) == 0);
  while (stats.waiting < 2);
  check(pool_get_for(pool, 50) == POOL_E_TIMEOUT); /* translators are busy with code that is new */
  int64_t began_ms = now_ms(), used_ms = processor_ms();
  check(pool_get_for(pool, WAIT_MS) == POOL_E_TIMEOUT);
  int64_t took_ms = now_ms() - began_ms;
  used_ms = processor_ms() - used_ms;
  printf("waited for %" PRId64 " ms, used the processor for %" PRId64 " ms\n", took_ms, used_ms);
  check(took_ms >= WAIT_MS - 1);
  check(used_ms < WAIT_MS / 10);
  check(pool_put(lease) == 0);
  for (int i = 0; i < 2; i++)
    check(pthread_join(threads[i], NULL) == 0);
  check(pool_stats(pool, &stats) == 0);
  check(stats.open == 1 && stats.waiting == 0 && stats.timed_out == 2);
  finish(pool);
}

/* ---- threads ---- */

static void *use(void *data)
{
  for (int i = 0; i < ROUNDS; i++) {
    pool_lease_t lease = pool_get_for(data, 60000);
    struct conn *conn = pool_conn(lease);
    check(lease > 0 && conn);
    check(atomic_fetch_add(&conn->users, 1) == 0);
    conn->uses++;
    check(atomic_fetch_sub(&conn->users, 1) == 1);
    check(pool_put(lease) == 0);
    check(pool_put(lease) == POOL_E_STALE);
  }
  return NULL;
}

static void threads_share(void)
{
  pool_config_t config = POOL_CONFIG_INIT;
  pthread_t threads[THREADS];
  pool_lease_t leases[2];
  int uses = 0;
  config.max_open = 2;
  pool_t *pool = make_pool(config);
  for (int i = 0; i < THREADS; i++)
    check(pthread_create(&threads[i], NULL, use, pool) == 0);
  for (int i = 0; i < THREADS; i++)
    check(pthread_join(threads[i], NULL) == 0);
  for (int i = 0; i < 2; i++) {
    leases[i] = pool_get(pool);
    check(leases[i] > 0);
    uses += ((struct conn *)pool_conn(leases[i]))->uses;
  }
  check(uses == THREADS * ROUNDS);
  for (int i = 0; i < 2; i++)
    check(pool_put(leases[i]) == 0);
  finish(pool);
}

/* ---- failures, and numbers as text ---- */

static void *fail(void *data)
{
  pool_error_t error = POOL_ERROR_INIT;
  (void)data;
  check(pool_get_for(NULL, 1) == POOL_E_INVALID);
  check(pool_failure(&error) == POOL_E_INVALID && strcmp(error.message, "pool is NULL") == 0);
  return NULL;
}

static void failures_are_told(void)
{
  pthread_t thread;
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool;
  check(pthread_create(&thread, NULL, fail, NULL) == 0);
  check(pthread_join(thread, NULL) == 0);
  check(pool_create_driver(NULL, "nosuch", "nowhere", &pool, &error) == POOL_E_DRIVER);
  check(strstr(error.message, "pool-nosuch.so"));
}

static void reports_have_the_numbers(void)
{
  pool_config_t config = POOL_CONFIG_INIT;
  pool_bytes_t text = {0};
  pool_stats_t stats = POOL_STATS_INIT;
  config.initial = 3;
  pool_t *pool = make_pool(config);
  check(pool_put(pool_get(pool)) == 0);
  check(pool_stats(pool, &stats) == 0 && stats.open == 3 && stats.idle == 3 && stats.opened == 3);
  check(pool_report(pool, POOL_FORMAT_JSON, &text) == 0);
  check(strstr(text.data, "\"open\":3") && strstr(text.data, "\"opened\":3"));
  pool_bytes_free(&text);
  finish(pool);
}

/* ---- asynchronous gets ---- */

static pool_lease_t held; /* of the pool in which the test sleeps meanwhile */
static pool_lease_t got_lease;

static void got(void *user, pool_lease_t result)
{
  check(user == &got_lease);
  got_lease = result;
  pool_put(held);
}

static void keepers_call_back(void)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 1;
  pool_t *pool = make_pool(config), *other = make_pool(config);
  held = pool_get(other);
  pool_lease_t lease = pool_get(pool);
  check(lease > 0 && held > 0);
  check(pool_get_async(pool, 60000, got, &got_lease) > 0);
  check(pool_put(lease) == 0);
  check(pool_put(pool_get_for(other, 60000)) == 0);
  check(got_lease > 0 && pool_put(got_lease) == 0);
  finish(pool);
  finish(other);
  check(open_now == 0);
}

/* ---- fork ---- */

static void children_begin_anew(void)
{
  pool_config_t config = POOL_CONFIG_INIT;
  int status;
  config.max_open = 1;
  pool_t *pool = make_pool(config);
  pool_lease_t lease = pool_get(pool);
  pid_t child = fork();
  check(child >= 0);
  if (child == 0) {
    check(pool_put(lease) == POOL_E_STALE);
    pool_lease_t own = pool_get_for(pool, 5000);
    check(own > 0 && own != lease);
    check(pool_get_for(pool, 20) == POOL_E_TIMEOUT);
    check(pool_put(own) == 0);
    check(pool_close(pool, -1) == 0);
    _exit(0);
  }
  check(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  check(pool_put(lease) == 0);
  finish(pool);
}

int main(int count, char **arguments)
{
  if (count == 3) { /* else this would be a test of another platform than the one that is meant */
    check(atoi(arguments[1]) == (int)sizeof(void *) * 8);
    check(atoi(arguments[2]) == (int)sizeof(time_t) * 8);
  }
  failures_are_told();
  reports_have_the_numbers();
  threads_share();
  sleeping_costs_nothing();
  keepers_call_back();
  children_begin_anew();
  puts("all is well");
  return 0;
}
