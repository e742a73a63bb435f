/* SPDX-License-Identifier: MIT */
/* A fork takes each lock that the library has: else a child could find it taken by a thread that is not there. */
#include "support.h"

#include <sys/wait.h>
#include <unistd.h>

enum { LOCKS = 1000 };

int __real_pthread_mutex_lock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock);

static struct locks {
  pthread_mutex_t *of[LOCKS];
  int count;
} used, taken, *noting;
static pthread_t noting_thread;

static bool has(const struct locks *locks, const pthread_mutex_t *lock)
{
  for (int i = 0; i < locks->count; i++)
    if (locks->of[i] == lock)
      return true;
  return false;
}

/* In place of pthread_mutex_lock(), which only the library calls here: the linker puts it there. */
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock)
{
  if (pthread_equal(pthread_self(), noting_thread) && noting && !has(noting, lock)) {
    must(noting->count < LOCKS);
    noting->of[noting->count++] = lock;
  }
  return __real_pthread_mutex_lock(lock);
}

/* ---- a driver without locks ---- */

static intptr_t opened;
static pool_call_t *call_under_way;

static int open_number(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)context, (void)deadline_ns, (void)error;
  *conn = (void *)++opened;
  return 0;
}

static int close_number(void *context, void *conn, pool_error_t *error)
{
  (void)context, (void)conn, (void)error;
  return 0;
}

static int check_number(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)context, (void)conn, (void)deadline_ns, (void)error;
  return 0;
}

static int go(void *context, void *conn, const char *method, pool_bytes_t args, pool_call_t *call)
{
  (void)context, (void)conn, (void)method, (void)args;
  call_under_way = call;
  return 0;
}

static void be_done(void *user, int32_t code, pool_bytes_t reply)
{
  (void)user, (void)code;
  pool_bytes_free(&reply);
}

static void put_at_once(void *user, pool_lease_t result)
{
  must(result > 0 && pool_put(result) == 0);
  ++*(int *)user;
}

/* ---- what there is to do with a pool ---- */

static void use_leases(pool_t *pool)
{
  int heard = 0;
  pool_lease_t lease = pool_get(pool);
  assert_true(lease > 0);
  assert_int_equal(pool_tag(lease, "here"), 0);
  assert_true(pool_go(lease, "x", (pool_bytes_t){NULL, 0}, be_done, NULL) > 0);
  assert_int_equal(pool_call_done(call_under_way, 0, (pool_bytes_t){NULL, 0}), 0);
  assert_int_equal(pool_mark_unusable(lease), 0);
  assert_int_equal(pool_put(lease), 0);
  assert_true(pool_get_async(pool, 1000, put_at_once, &heard) > 0);
  while (!heard)
    pool_maintain(pool);
}

static void control(pool_t *pool)
{
  stats_of(pool);
  pool_flush(pool);
  pool_pause(pool);
  pool_resume(pool);
  pool_resize(pool, 3);
  pool_leases(pool, NULL, 0);
  pool_maintain(pool);
}

static void use_steps(void)
{
  pool_t *pool = NULL;
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_create(NULL, 0, &pool, NULL), 0);
  assert_int_equal(pool_step_begin(pool, 0, 0, &step), 0);
  pool_lease_t lease = pool_step_done(step.claim, NULL, &step, &step);
  assert_true(lease > 0);
  assert_int_equal(pool_step_end(lease, &step), 0);
  pool_free(pool);
}

static pool_t *make(void)
{
  pool_t *pool = NULL;
  pool_config_t config = POOL_CONFIG_INIT;
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  config.keeper = POOL_KEEPER_MANUAL;
  config.max_open = 2;
  config.initial = 1;
  config.check_after_ms = 0;
  vtable.open = open_number;
  vtable.close = close_number;
  vtable.check = check_number;
  vtable.go = go;
  assert_int_equal(pool_create(&config, &vtable, NULL, &pool, NULL), 0);
  return pool;
}

static void test_fork__takes_each_lock_that_the_library_takes(void **state)
{
  (void)state;
  noting_thread = pthread_self();
  noting = &used;
  pool_t *freed = make(), *pool = make();
  use_leases(pool);
  control(pool);
  use_steps();
  assert_int_equal(pool_close(freed, 0), 0);
  pool_free(freed);
  noting = &taken;
  pid_t pid = fork();
  if (pid == 0)
    _exit(0);
  noting = NULL;
  int status;
  assert_true(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
  assert_true(used.count >= 8); /* of three pools; registry, slots, tickets, histograms and calls */
  for (int i = 0; i < used.count; i++)
    if (!has(&taken, used.of[i]))
      fail_msg("the fork did not take the lock at %p, the %dth that was used", (void *)used.of[i], i + 1);
  assert_int_equal(pool_close(pool, 0), 0);
  pool_free(pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fork__takes_each_lock_that_the_library_takes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
