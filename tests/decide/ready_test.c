/* SPDX-License-Identifier: MIT */
/* A connection that is ready is taken before another is opened; and a get without time to wait has one opened for those
   who come later. */
#include "support.h"

#include <stdlib.h>

static struct fake fake;
static _Thread_local int own_openings; /* by this thread */
static _Atomic int openings;           /* begun, by any */

static int open_it(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  atomic_fetch_add(&openings, 1);
  own_openings++;
  return fake_open(context, deadline_ns, conn, error);
}

static pool_t *pool_with(const pool_config_t *config)
{
  fake_init(&fake);
  atomic_store(&openings, 0);
  own_openings = 0;
  pool_vtable_t vtable = fake_vtable();
  vtable.open = open_it;
  return fake_pool(&fake, config, &vtable);
}

/* ---- an open in the background has just ended ---- */

enum { ROUNDS = 300 };

static void test_ready__what_was_opened_in_the_background_is_taken_before_another_is_opened(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  config.min_idle = 1;
  config.max_idle = 2;
  config.max_open = 2;
  for (int i = 0; i < ROUNDS; i++) {
    pool_t *pool = pool_with(&config);
    wait_until(stats_of(pool).opened >= 1); /* from here on there is one */
    pool_lease_t lease = pool_get_for(pool, i % 2 ? 10000 : 0);
    assert_true(lease > 0);
    assert_int_equal(own_openings, 0);
    assert_int_equal(pool_put(lease), 0);
    fake_finish(&fake, pool);
  }
}

/* The only one is lent and put by another thread at any moment; nobody opens a second one as long as it is there. */
static void *open_by_get(void *data)
{
  pool_lease_t lease = pool_get(data);
  must(lease > 0);
  must(pool_put(lease) == 0);
  return NULL;
}

static void test_ready__what_another_thread_opened_and_put_is_taken_before_another_is_opened(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 2;
  for (int i = 0; i < ROUNDS; i++) {
    pool_t *pool = pool_with(&config);
    pthread_t thread = thread_start(open_by_get, pool);
    wait_until(pool_len(pool) == 1);
    pool_lease_t lease = pool_get_for(pool, i % 2 ? 10000 : 0);
    assert_true(lease > 0);
    assert_int_equal(atomic_load(&fake.opened), 1);
    thread_end(thread);
    assert_int_equal(pool_put(lease), 0);
    fake_finish(&fake, pool);
  }
}

/* An open that was late for its get is the next one's, from the moment on when that get ends. */
static void test_ready__what_came_too_late_is_taken_before_another_is_opened(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 2;
  config.openers = 1;
  for (int i = 0; i < 20; i++) {
    pool_t *pool = pool_with(&config);
    gate_set(&fake.opening, false);
    assert_int_equal(pool_get_for(pool, 1), POOL_E_TIMEOUT);
    wait_until(gate_waiting(&fake.opening) == 1);
    gate_set(&fake.opening, true);
    wait_until(stats_of(pool).opened == 1);
    pool_lease_t lease = pool_get_for(pool, i % 2 ? 10000 : 0);
    assert_true(lease > 0);
    assert_int_equal(atomic_load(&openings), 1);
    assert_int_equal(pool_put(lease), 0);
    fake_finish(&fake, pool);
  }
}

/* ---- gets without time, and openers ---- */

static void expect_one_soon(pool_t *pool, pool_lease_t *lease)
{
  wait_until((*lease = pool_get_for(pool, 0)) != POOL_E_TIMEOUT);
  assert_true(*lease > 0);
}

static void test_ready__a_get_without_time_has_one_opened_for_the_next(void **state)
{
  (void)state;
  const int32_t openers[] = {1, 2, 4};
  for (int32_t keeper = POOL_KEEPER_THREAD; keeper <= POOL_KEEPER_MANUAL; keeper++)
    for (int i = 0; i < 3; i++) {
      pool_config_t config = POOL_CONFIG_INIT;
      config.max_open = 10;
      config.openers = openers[i];
      config.keeper = keeper;
      pool_t *pool = pool_with(&config);
      gate_set(&fake.opening, false);
      for (int j = 0; j < 100; j++)
        assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
      wait_until(gate_waiting(&fake.opening) == 1);
      assert_int_equal(stats_of(pool).found_none, 100);
      gate_set(&fake.opening, true);
      pool_lease_t first, second;
      expect_one_soon(pool, &first);
      assert_in_range(atomic_load(&openings), 1, 2); /* not one for each try */
      expect_one_soon(pool, &second);
      assert_int_equal(pool_put(first), 0);
      assert_int_equal(pool_put(second), 0);
      fake_finish(&fake, pool);
    }
}

static void test_ready__a_get_without_time_tries_again_after_an_open_failed(void **state)
{
  (void)state;
  for (int32_t backs_off = 0; backs_off < 2; backs_off++) {
    pool_config_t config = POOL_CONFIG_INIT;
    config.max_open = 10;
    config.openers = 2;
    config.retry_min_ms = backs_off;
    config.breaker_after = backs_off ? 2 : 0;
    pool_t *pool = pool_with(&config);
    atomic_store(&fake.fail_open, 5);
    pool_lease_t lease;
    wait_until((lease = pool_get_for(pool, 0)) > 0);
    assert_int_equal(atomic_load(&openings), 6);
    assert_int_equal(pool_put(lease), 0);
    fake_finish(&fake, pool);
  }
}

static void test_ready__a_get_without_time_opens_nothing_where_there_is_no_room(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 1;
  config.openers = 2;
  pool_t *pool = pool_with(&config);
  pool_lease_t lease = pool_get(pool);
  for (int i = 0; i < 100; i++)
    assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  assert_int_equal(pool_put(lease), 0);
  lease = pool_get_for(pool, 0);
  assert_true(lease > 0);
  assert_int_equal(atomic_load(&openings), 1);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ready__what_was_opened_in_the_background_is_taken_before_another_is_opened),
      cmocka_unit_test(test_ready__what_another_thread_opened_and_put_is_taken_before_another_is_opened),
      cmocka_unit_test(test_ready__what_came_too_late_is_taken_before_another_is_opened),
      cmocka_unit_test(test_ready__a_get_without_time_has_one_opened_for_the_next),
      cmocka_unit_test(test_ready__a_get_without_time_tries_again_after_an_open_failed),
      cmocka_unit_test(test_ready__a_get_without_time_opens_nothing_where_there_is_no_room),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
