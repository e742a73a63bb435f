/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <dirent.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* POOL_TESTS=PATTERN in the environment: only these tests of a program (tests/mutants). */
static __attribute__((constructor)) void choose_tests(void)
{
  const char *pattern = getenv("POOL_TESTS");
  if (pattern && *pattern)
    cmocka_set_test_filter(pattern);
}

int64_t now_ns(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void yield_ns(void)
{
  sched_yield();
}

/* Sleeps: a thread that asks for the statistics again and again keeps the pool's lock from those that work. */
void pause_briefly(void)
{
  nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
}

void must_not_be(const char *file, int line, const char *what)
{
  fprintf(stderr, "%s:%d: not true: %s\n", file, line, what);
  abort();
}

uint32_t random_next(uint64_t *state)
{
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return (uint32_t)(*state >> 32);
}

int thread_count(void)
{
  int count = 0;
  DIR *tasks = opendir("/proc/self/task");
  if (!tasks)
    fail_msg("cannot read /proc/self/task");
  for (struct dirent *task; (task = readdir(tasks));)
    count += task->d_name[0] != '.';
  closedir(tasks);
  return count;
}

static void *end_at_once(void *data)
{
  return data;
}

int thread_count_at_rest(void)
{
#ifdef __SANITIZE_THREAD__
  const int alone = 2; /* the sanitizer has one of its own, since the first was started */
#else
  const int alone = 1;
#endif
  static bool left; /* a test that failed has left threads: the next one need not wait for them again */
  thread_end(thread_start(end_at_once, NULL));
  if (left)
    assert_int_equal(thread_count(), alone);
  left = true;
  wait_until(thread_count() == alone);
  left = false;
  return alone;
}

void gate_init(struct gate *gate, bool open)
{
  pthread_mutex_init(&gate->lock, NULL);
  pthread_cond_init(&gate->changed, NULL);
  gate->open = open;
  gate->waiting = 0;
}

void gate_set(struct gate *gate, bool open)
{
  pthread_mutex_lock(&gate->lock);
  gate->open = open;
  pthread_cond_broadcast(&gate->changed);
  pthread_mutex_unlock(&gate->lock);
}

void gate_pass(struct gate *gate)
{
  pthread_mutex_lock(&gate->lock);
  gate->waiting++;
  while (!gate->open)
    pthread_cond_wait(&gate->changed, &gate->lock);
  gate->waiting--;
  pthread_mutex_unlock(&gate->lock);
}

int gate_waiting(struct gate *gate)
{
  pthread_mutex_lock(&gate->lock);
  int waiting = gate->waiting;
  pthread_mutex_unlock(&gate->lock);
  return waiting;
}

void fake_init(struct fake *fake)
{
  memset(fake, 0, sizeof *fake);
  gate_init(&fake->opening, true);
  gate_init(&fake->checking, true);
  gate_init(&fake->resetting, true);
  gate_init(&fake->closing, true);
}

pool_vtable_t fake_vtable(void)
{
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  vtable.open = fake_open;
  vtable.close = fake_close;
  return vtable;
}

/* Takes one of what was ordered. */
static bool fails(_Atomic int *failures)
{
  int left = atomic_load(failures);
  while (left > 0)
    if (atomic_compare_exchange_weak(failures, &left, left - 1))
      return true;
  return false;
}

static int fail_with(pool_error_t *error, int code, const char *message)
{
  snprintf(error->message, sizeof error->message, "%s", message);
  return code;
}

int fake_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  struct fake *fake = context;
  (void)deadline_ns;
  gate_pass(&fake->opening);
  if (!fails(&fake->good_opens) && fails(&fake->fail_open)) {
    error->native = 111;
    snprintf(error->message, sizeof error->message, "the fake server refuses");
    return -100;
  }
  struct fake_conn *made = calloc(1, sizeof *made);
  made->fake = fake;
  made->is_open = 1;
  made->number = atomic_fetch_add(&fake->opened, 1);
  int now = atomic_fetch_add(&fake->open_now, 1) + 1;
  int most = atomic_load(&fake->most_open);
  while (now > most && !atomic_compare_exchange_weak(&fake->most_open, &most, now))
    ;
  *conn = made;
  return 0;
}

int fake_close(void *context, void *conn, pool_error_t *error)
{
  struct fake *fake = context;
  struct fake_conn *closed = conn;
  gate_pass(&fake->closing);
  if (atomic_exchange(&closed->is_open, 0) == 0 || atomic_load(&closed->users) != 0)
    atomic_fetch_add(&fake->misuse, 1);
  atomic_fetch_add(&fake->closed, 1);
  atomic_fetch_sub(&fake->open_now, 1);
  free(closed);
  return fails(&fake->fail_close) ? fail_with(error, -101, "the fake close fails") : 0;
}

int fake_check(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  struct fake *fake = context;
  (void)conn, (void)deadline_ns;
  gate_pass(&fake->checking);
  atomic_fetch_add(&fake->checked, 1);
  return fails(&fake->fail_check) ? fail_with(error, -102, "the fake check fails") : 0;
}

int fake_reset(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  struct fake *fake = context;
  (void)conn, (void)deadline_ns;
  gate_pass(&fake->resetting);
  atomic_fetch_add(&fake->reset, 1);
  return fails(&fake->fail_reset) ? fail_with(error, -103, "the fake reset fails") : 0;
}

int fake_go(void *context, void *conn, const char *method, pool_bytes_t args, pool_call_t *call)
{
  struct fake *fake = context;
  (void)conn, (void)method, (void)args;
  fake->under_way = call;
  return 0;
}

void drop_reply(void *user, int32_t code, pool_bytes_t reply)
{
  (void)user, (void)code;
  pool_bytes_free(&reply);
}

int fake_is_clean(void *context, void *conn)
{
  struct fake *fake = context;
  struct fake_conn *on = conn;
  if (!atomic_load(&on->is_open) || atomic_load(&on->users) != 0)
    atomic_fetch_add(&fake->misuse, 1);
  return atomic_load(&fake->is_clean);
}

void fake_abandon(void *context, void *conn)
{
  struct fake *fake = context;
  (void)conn;
  atomic_fetch_add(&fake->abandoned, 1);
}

void fake_release(void *context)
{
  struct fake *fake = context;
  atomic_fetch_add(&fake->released, 1);
}

void fake_use(pool_lease_t lease)
{
  struct fake_conn *conn = pool_conn(lease);
  if (!conn)
    fail_msg("lease %lld has no connection", (long long)lease);
  if (!atomic_load(&conn->is_open) || atomic_fetch_add(&conn->users, 1) != 0)
    atomic_fetch_add(&conn->fake->misuse, 1);
  atomic_fetch_sub(&conn->users, 1);
}

int fake_number(pool_lease_t lease)
{
  struct fake_conn *conn = pool_conn(lease);
  must(conn);
  return conn->number;
}

pool_t *fake_pool(struct fake *fake, const pool_config_t *config, const pool_vtable_t *vtable)
{
  pool_vtable_t plain = fake_vtable();
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool = NULL;
  if (pool_create(config, vtable ? vtable : &plain, fake, &pool, &error) != 0)
    fail_msg("pool_create: %s", error.message);
  return pool;
}

pool_t *fake_start(struct fake *fake, const struct plan *plan)
{
  fake_init(fake);
  return fake_pool(fake, &plan->config, &plan->vtable);
}

void fake_finish(struct fake *fake, pool_t *pool)
{
  assert_int_equal(pool_close(pool, 10000), 0);
  pool_free(pool);
  assert_int_equal(atomic_load(&fake->open_now), 0);
  assert_int_equal(atomic_load(&fake->opened), atomic_load(&fake->closed));
  assert_int_equal(atomic_load(&fake->misuse), 0);
}

int listen_locally(int backlog, int *port)
{
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof name;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(listener >= 0);
  assert_int_equal(bind(listener, (struct sockaddr *)&name, size), 0);
  assert_int_equal(listen(listener, backlog), 0);
  assert_int_equal(getsockname(listener, (struct sockaddr *)&name, &size), 0);
  *port = ntohs(name.sin_port);
  return listener;
}

pool_stats_t stats_of(pool_t *pool)
{
  pool_stats_t stats = POOL_STATS_INIT;
  assert_int_equal(pool_stats(pool, &stats), 0);
  return stats;
}

pthread_t thread_start(void *(*main)(void *), void *data)
{
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, main, data), 0);
  return thread;
}

void *thread_end(pthread_t thread)
{
  void *result;
  assert_int_equal(pthread_join(thread, &result), 0);
  return result;
}

pthread_t thread_hold_up(struct gate *gate, void *(*main)(void *), void *data)
{
  gate_set(gate, false);
  pthread_t thread = thread_start(main, data);
  wait_until(gate_waiting(gate) == 1);
  return thread;
}

void threads_start(pthread_t *threads, int count, void *(*main)(void *), void *data)
{
  for (int i = 0; i < count; i++)
    threads[i] = thread_start(main, data);
}

void threads_end(const pthread_t *threads, int count)
{
  for (int i = 0; i < count; i++)
    thread_end(threads[i]);
}

static void *run_closer(void *data)
{
  struct closer *closer = data;
  atomic_store(&closer->result, pool_close(closer->pool, closer->drain_ms));
  return NULL;
}

void closer_start(struct closer *closer, pool_t *pool, int64_t drain_ms)
{
  closer->pool = pool;
  closer->drain_ms = drain_ms;
  atomic_store(&closer->result, 1000);
  closer->thread = thread_start(run_closer, closer);
}

bool closer_waits(const struct closer *closer)
{
  return atomic_load(&closer->result) == 1000;
}

void closer_end(struct closer *closer, int expected)
{
  wait_until(!closer_waits(closer));
  thread_end(closer->thread);
  assert_int_equal(atomic_load(&closer->result), expected);
}
