/* SPDX-License-Identifier: MIT */
/* Forks beside the fork handlers of other libraries, and beside threads that look at what is gone. */
#include "fork_support.h"

#include <unistd.h>

enum { FORKS = 100, STALE = 24 };

/* Locks of two other libraries: one calls the pool under its lock, the other is called by the pool's callbacks. */
static pthread_mutex_t outer = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t inner = PTHREAD_MUTEX_INITIALIZER;

static void lock_inner(void)
{
  pthread_mutex_lock(&inner);
}

static void unlock_inner(void)
{
  pthread_mutex_unlock(&inner);
}

static void lock_outer(void)
{
  pthread_mutex_lock(&outer);
}

static void unlock_outer(void)
{
  pthread_mutex_unlock(&outer);
}

/* A library that was loaded before: this object is linked before the library, and so its constructor runs before. */
static __attribute__((constructor(101))) void load_inner(void)
{
  pthread_atfork(lock_inner, unlock_inner, unlock_inner);
}

/* One that uses the library, and so is loaded after it, but may make its first pool whenever it likes. */
static __attribute__((constructor)) void load_outer(void)
{
  pthread_atfork(lock_outer, unlock_outer, unlock_outer);
}

static int locked_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  pthread_mutex_lock(&inner);
  int code = fake_open(context, deadline_ns, conn, error);
  pthread_mutex_unlock(&inner);
  return code;
}

static int locked_close(void *context, void *conn, pool_error_t *error)
{
  pthread_mutex_lock(&inner);
  int code = fake_close(context, conn, error);
  pthread_mutex_unlock(&inner);
  return code;
}

static _Atomic int stop, rounds;

static void *use_under_lock(void *data)
{
  pool_t *pool = data;
  while (!atomic_load(&stop)) {
    allocation_begins();
    pthread_mutex_lock(&outer);
    pool_lease_t lease = pool_get_for(pool, 1000);
    must(lease > 0);
    must(pool_mark_unusable(lease) == 0); /* so that each get opens and each put closes */
    must(pool_put(lease) == 0);
    pthread_mutex_unlock(&outer);
    allocation_ends();
    atomic_fetch_add(&rounds, 1);
  }
  return NULL;
}

static pool_vtable_t locked_vtable(void)
{
  pool_vtable_t vtable = whole_vtable();
  vtable.open = locked_open;
  vtable.close = locked_close;
  return vtable;
}

static void use_once(pool_t *pool)
{
  pool_lease_t lease = pool_get_for(pool, 9000);
  must(lease > 0);
  must(pool_put(lease) == 0);
}

static void test_fork__takes_the_locks_of_callers_before_its_own_and_those_of_callbacks_after(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_vtable_t vtable = locked_vtable();
  pool_t *pool = fake_pool(&fake, NULL, &vtable);
  stop = rounds = 0;
  pthread_t thread = thread_start(use_under_lock, pool);
  alarm(60); /* a fork that hangs cannot be ended otherwise */
  for (int i = 0; i < FORKS; i++) {
    int before = rounds;
    wait_until(rounds > before);
    pid_t pid = fork_child_in_storm();
    if (pid == 0) {
      renew(&fake);
      use_once(pool);
      _exit(0);
    }
    assert_true(succeeded(pid));
  }
  alarm(0);
  stop = 1;
  thread_end(thread);
  fake_finish(&fake, pool);
}

/* Leases, tickets and claims of pools that are gone: the lock of a pool that nobody uses is taken again and again. */
static pool_lease_t stale_leases[STALE];
static int64_t stale_tickets[STALE];
static int stale_count;

static void *look_at_stale(void *data)
{
  (void)data;
  pool_step_t step = POOL_STEP_INIT;
  while (!atomic_load(&stop)) {
    for (int i = 0; i < stale_count; i++) {
      must(pool_put(stale_leases[i]) == POOL_E_STALE);
      must(pool_tag(stale_leases[i], NULL) == POOL_E_STALE);
      must(pool_step_cancel(stale_tickets[i], &step) == POOL_E_STALE);
    }
    atomic_fetch_add(&rounds, 1);
  }
  return NULL;
}

static void make_stale(void)
{
  pool_t *pools[STALE];
  pool_config_t config = capped(1);
  for (stale_count = 0; stale_count < STALE; stale_count++) {
    pool_step_t step = POOL_STEP_INIT;
    must(pool_step_create(&config, 0, &pools[stale_count], NULL) == 0);
    must(pool_step_begin(pools[stale_count], -1, 0, &step) == 0 && step.work == POOL_WORK_OPEN);
    pool_lease_t lease = pool_step_done(step.claim, NULL, &step, &step);
    must(lease > 0);
    must(pool_step_begin(pools[stale_count], -1, 0, &step) == 0 && step.ticket != 0);
    stale_leases[stale_count] = lease;
    stale_tickets[stale_count] = step.ticket;
    must(pool_step_cancel(step.ticket, &step) == 0);
    must(pool_mark_unusable(lease) == 0);
    must(pool_step_end(lease, &step) == 0 && step.work == POOL_WORK_CLOSE);
    must(pool_step_done(step.claim, NULL, NULL, &step) == 0);
  }
  for (int i = 0; i < stale_count; i++)
    pool_free(pools[i]);
}

static void test_fork__leaves_no_lock_of_a_freed_pool_taken(void **state)
{
  (void)state;
  pthread_t threads[2];
  make_stale();
  stop = rounds = 0;
  for (int i = 0; i < 2; i++)
    threads[i] = thread_start(look_at_stale, NULL);
  alarm(60);
  for (int i = 0; i < FORKS; i++) {
    int before = rounds;
    wait_until(rounds > before);
    pid_t pid = fork_child_in_storm();
    if (pid == 0) {
      /* All the memory of former pools is used again. */
      pool_t *pool;
      pool_config_t config = capped(1);
      for (int k = 0; k < STALE; k++)
        must(pool_step_create(&config, 0, &pool, NULL) == 0);
      _exit(0);
    }
    assert_true(succeeded(pid));
  }
  alarm(0);
  stop = 1;
  for (int i = 0; i < 2; i++)
    thread_end(threads[i]);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fork__takes_the_locks_of_callers_before_its_own_and_those_of_callbacks_after),
      cmocka_unit_test(test_fork__leaves_no_lock_of_a_freed_pool_taken),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
