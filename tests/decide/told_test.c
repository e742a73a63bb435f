/* SPDX-License-Identifier: MIT */
/* Threads are woken after the lock of their pool was left, however many waits end at once. */
#include "support.h"

#include <unistd.h>

#include "decide/pool.h"
#include "decide/step.h"
#include "base/park.h"
#include "decide/queue.h"

enum { WAITERS = 200 };

static struct pool *watched;
static _Atomic int wakes, under_lock;

void __real_park_wake(_Atomic uint32_t *word);
void __wrap_park_wake(_Atomic uint32_t *word);

static bool is_held_by_this_thread(pthread_mutex_t *lock)
{
#ifdef __GLIBC__
  return lock->__data.__owner == gettid();
#else
  (void)lock;
  return false; /* only glibc's mutex says which thread has it */
#endif
}

/* In place of park_wake(): the linker puts it there. */
void __wrap_park_wake(_Atomic uint32_t *word)
{
  struct pool *pool = watched;
  atomic_fetch_add(&wakes, 1);
  if (pool && is_held_by_this_thread(&pool->lock))
    atomic_fetch_add(&under_lock, 1);
  __real_park_wake(word);
}

static void *get(void *pool)
{
  return (void *)(intptr_t)pool_get_for(pool, -1);
}

static void test_told__all_wake_outside_the_lock_when_the_breaker_opens(void **state)
{
  (void)state;
  struct fake fake;
  pthread_t threads[WAITERS];
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_opening = 1;
  config.retry_min_ms = config.retry_max_ms = 60000;
  config.breaker_after = 1;
  config.keeper = POOL_KEEPER_MANUAL;
  fake_init(&fake);
  atomic_store(&fake.fail_open, 1);
  gate_set(&fake.opening, false);
  pool_t *pool = fake_pool(&fake, &config, NULL);
  watched = pool;
  for (int i = 0; i < WAITERS; i++)
    threads[i] = thread_start(get, pool);
  wait_until(stats_of(pool).waiting == WAITERS - 1);
  gate_set(&fake.opening, true);
  for (int i = 0; i < WAITERS; i++)
    assert_int_equal((intptr_t)thread_end(threads[i]), POOL_E_OPEN);
  assert_true(wakes > 0);
  assert_int_equal(under_lock, 0);
  watched = NULL;
  fake_finish(&fake, pool);
}

static void test_told__late_threads_wake_outside_the_lock_when_they_are_shed(void **state)
{
  (void)state;
  struct fake fake;
  pthread_t threads[WAITERS];
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 1;
  config.queue = POOL_QUEUE_SHED;
  config.overload_after_ms = 20;
  fake_init(&fake);
  pool_t *pool = fake_pool(&fake, &config, NULL);
  pool_lease_t lease = pool_get(pool);
  assert_true(lease > 0);
  watched = pool;
  for (int i = 0; i < WAITERS; i++)
    threads[i] = thread_start(get, pool);
  /* Each looks for itself when it may be late; the first of them ends the waits of the others. */
  for (int i = 0; i < WAITERS; i++)
    assert_int_equal((intptr_t)thread_end(threads[i]), POOL_E_OVERLOAD);
  assert_int_equal(under_lock, 0);
  watched = NULL;
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

/* Many waits are over at one moment: the step that finds them ends some, and the pool is paused before the next. */
static void nobody(void *user, pool_lease_t lease)
{
  (void)lease;
  atomic_fetch_add((_Atomic int *)user, 1);
}

static void test_told__a_pause_ends_the_telling(void **state)
{
  (void)state;
  struct fake fake;
  _Atomic int times = 0;
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 1;
  config.keeper = POOL_KEEPER_MANUAL;
  fake_init(&fake);
  pool_t *pool = fake_pool(&fake, &config, NULL);
  pool_lease_t lease = pool_get(pool);
  for (int i = 0; i < 3 * TOLD_AT_ONCE; i++)
    assert_true(pool_get_async(pool, 500, nobody, (void *)&times) > 0);
  int64_t ended = now_ns() + INT64_C(600000000); /* after the deadline of the last */
  wait_until(now_ns() > ended);
  _Atomic uint32_t *signals[TOLD_AT_ONCE];
  struct step step = {0};
  pthread_mutex_lock(&pool->lock);
  queue_serve(pool, &step);
  pthread_mutex_unlock(&pool->lock);
  assert_ptr_equal(step.tells, pool);
  assert_true(pool_pause(pool) >= 0);
  assert_int_equal(queue_tell(pool, signals, &step), 0);
  assert_null(step.tells);
  assert_int_equal(pool_resume(pool), 0);
  assert_int_equal(pool_put(lease), 0);
  while (times < 3 * TOLD_AT_ONCE)
    assert_true(pool_maintain(pool) >= 0);
  fake_finish(&fake, pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_told__all_wake_outside_the_lock_when_the_breaker_opens),
      cmocka_unit_test(test_told__late_threads_wake_outside_the_lock_when_they_are_shed),
      cmocka_unit_test(test_told__a_pause_ends_the_telling),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
