/* SPDX-License-Identifier: MIT */
/* After a failover all connections are dead and the new server is there: one check finds that out, and nobody pays for
   the others. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "virtual.h"

/* How long a check of a dead connection takes; an open and the check of a good one take no time. */
#define CHECK_NS (150 * MILLISECOND)

static struct fake fake;
static _Atomic int first_good; /* the connections before this one are dead */
static _Atomic int failed_checks;
static struct gate meeting; /* passed by each check that fails */

static int check_it(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)context, (void)deadline_ns, (void)error;
  if (((struct fake_conn *)conn)->number >= atomic_load(&first_good))
    return 0;
  atomic_fetch_add(&failed_checks, 1);
  gate_pass(&meeting);
  virtual_advance(CHECK_NS);
  return -1;
}

static pool_config_t config_of(int32_t openers, int32_t keeper, int64_t check_after_ms)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 40;
  config.openers = openers;
  config.keeper = keeper;
  config.check_after_ms = check_after_ms;
  return config;
}

/* A pool with `idle` idle connections and one that is lent. */
static pool_t *pool_with(const pool_config_t *config, int idle, pool_lease_t *lease)
{
  pool_lease_t leases[20];
  fake_init(&fake);
  gate_init(&meeting, true);
  atomic_store(&failed_checks, 0);
  atomic_store(&first_good, 0);
  pool_vtable_t vtable = fake_vtable();
  vtable.check = check_it;
  pool_t *pool = fake_pool(&fake, config, &vtable);
  for (int i = 0; i < idle; i++)
    assert_true((leases[i] = pool_get(pool)) > 0);
  *lease = pool_get(pool);
  for (int i = 0; i < idle; i++)
    assert_int_equal(pool_put(leases[i]), 0);
  return pool;
}

static void fail_over(pool_t *pool)
{
  wait_until(stats_of(pool).opening == 0); /* openers may have begun one more than was taken */
  atomic_store(&first_good, atomic_load(&fake.opened));
}

/* Gets, each of which holds what it gets. */
static void expect_gets(pool_t *pool, int count, int64_t timeout_ms)
{
  pool_lease_t leases[8];
  for (int i = 0; i < count; i++) {
    int64_t began = virtual_now();
    leases[i] = pool_get_for(pool, timeout_ms);
    if (leases[i] < 0) {
      pool_error_t error = POOL_ERROR_INIT;
      pool_failure(&error);
      fail_msg("get %d: %s", i, error.message);
    }
    assert_true(fake_number(leases[i]) >= atomic_load(&first_good));
    assert_in_range(virtual_now() - began, 0, 2 * CHECK_NS); /* one in the background, too, which adds up here */
  }
  for (int i = 0; i < count; i++)
    assert_int_equal(pool_put(leases[i]), 0);
}

static void finish(pool_t *pool, int most_failed)
{
  assert_in_range(atomic_load(&failed_checks), 1, most_failed);
  wait_until(atomic_load(&fake.open_now) <= 8);
  assert_in_range(atomic_load(&failed_checks), 1, most_failed);
  fake_finish(&fake, pool);
}

/* Closes and checks what is due, where the program does that. */
static void maintain(pool_t *pool, const pool_config_t *config)
{
  if (config->keeper == POOL_KEEPER_MANUAL)
    pool_maintain(pool);
}

static const int32_t openers[] = {0, 2, 4};
static const int idle[] = {10, 20};

static void test_failover__one_check_fails_where_each_is_checked(void **state)
{
  (void)state;
  for (int32_t keeper = POOL_KEEPER_THREAD; keeper <= POOL_KEEPER_MANUAL; keeper++)
    for (int i = 0; i < 3; i++)
      for (int j = 0; j < 2; j++) {
        pool_config_t config = config_of(openers[i], keeper, 0);
        pool_lease_t lease;
        pool_t *pool = pool_with(&config, idle[j], &lease);
        assert_int_equal(pool_put(lease), 0);
        fail_over(pool);
        expect_gets(pool, 5, 1000);
        maintain(pool, &config);
        finish(pool, 1);
      }
}

static void test_failover__one_check_fails_where_the_long_idle_are_checked(void **state)
{
  (void)state;
  for (int32_t keeper = POOL_KEEPER_THREAD; keeper <= POOL_KEEPER_MANUAL; keeper++)
    for (int i = 0; i < 3; i++)
      for (int j = 0; j < 2; j++) {
        pool_config_t config = config_of(openers[i], keeper, 500);
        pool_lease_t lease;
        pool_t *pool = pool_with(&config, idle[j], &lease);
        assert_int_equal(pool_put(lease), 0);
        virtual_freeze(10 * SECOND); /* nobody looked since */
        fail_over(pool);
        expect_gets(pool, 5, 1000);
        maintain(pool, &config);
        finish(pool, 1);
      }
}

static void test_failover__one_check_fails_though_somebody_looked_before(void **state)
{
  (void)state;
  for (int i = 0; i < 3; i++) {
    pool_config_t config = config_of(openers[i], POOL_KEEPER_MANUAL, 500);
    pool_lease_t lease;
    pool_t *pool = pool_with(&config, 10, &lease);
    assert_int_equal(pool_put(lease), 0);
    virtual_pass(pool, 10 * SECOND);
    fail_over(pool);
    expect_gets(pool, 5, 1000);
    maintain(pool, &config);
    finish(pool, 1);
  }
}

/* A user finds out first, and says so. */
static void test_failover__one_check_fails_after_one_that_broke_in_use(void **state)
{
  (void)state;
  const int64_t check_after_ms[] = {-1, 0, 500};
  for (int32_t keeper = POOL_KEEPER_THREAD; keeper <= POOL_KEEPER_MANUAL; keeper++)
    for (int i = 0; i < 3; i++)
      for (int j = 0; j < 3; j++) {
        pool_config_t config = config_of(openers[i], keeper, check_after_ms[j]);
        pool_lease_t lease;
        pool_t *pool = pool_with(&config, 10, &lease);
        fail_over(pool);
        assert_int_equal(pool_mark_broken(lease), 0);
        assert_int_equal(pool_put(lease), 0);
        expect_gets(pool, 5, 1000);
        maintain(pool, &config);
        finish(pool, 2); /* a thread of the library may have begun one, too */
      }
}

/* ---- many at one time ---- */

static void *get_one(void *data)
{
  pool_lease_t lease = pool_get_for(data, 1000);
  must(lease > 0);
  must(((struct fake_conn *)pool_conn(lease))->number >= atomic_load(&first_good));
  return (void *)(intptr_t)lease;
}

static void test_failover__of_many_gets_each_meets_one_dead_connection_at_most(void **state)
{
  (void)state;
  for (int i = 0; i < 3; i++) {
    pool_config_t config = config_of(openers[i], POOL_KEEPER_THREAD, 0);
    pool_lease_t lease;
    pool_t *pool = pool_with(&config, 20, &lease);
    pthread_t getters[4];
    assert_int_equal(pool_put(lease), 0);
    fail_over(pool);
    gate_set(&meeting, false);
    for (int j = 0; j < 4; j++)
      getters[j] = thread_start(get_one, pool);
    wait_until(gate_waiting(&meeting) == 4); /* each one of its own, before any of them knows */
    gate_set(&meeting, true);
    for (int j = 0; j < 4; j++)
      assert_int_equal(pool_put((pool_lease_t)(intptr_t)thread_end(getters[j])), 0);
    finish(pool, 4);
  }
}

/* ---- in the background ---- */

static void test_failover__keepalive_finds_out_with_one_check(void **state)
{
  (void)state;
  for (int i = 0; i < 3; i++)
    for (int j = 0; j < 2; j++) {
      pool_config_t config = config_of(openers[i], POOL_KEEPER_MANUAL, -1);
      config.keepalive_ms = 1000;
      pool_lease_t lease;
      pool_t *pool = pool_with(&config, idle[j], &lease);
      assert_int_equal(pool_put(lease), 0);
      fail_over(pool);
      virtual_pass(pool, 3 * SECOND);
      wait_until(atomic_load(&fake.closed) == atomic_load(&first_good)); /* all of them were suspect */
      expect_gets(pool, 5, 1000);
      maintain(pool, &config);
      finish(pool, openers[i] > 1 ? openers[i] : 1); /* as many check at one time */
    }
}

/* ---- what did not die ---- */

static void test_failover__one_that_died_alone_makes_nobody_close_those_that_were_not_suspect(void **state)
{
  (void)state;
  pool_config_t config = config_of(0, POOL_KEEPER_MANUAL, -1);
  pool_lease_t lease;
  pool_t *pool = pool_with(&config, 10, &lease);
  assert_int_equal(pool_mark_broken(lease), 0);
  assert_int_equal(pool_put(lease), 0);
  for (int i = 0; i < 3; i++) {
    pool_lease_t good = pool_get(pool);
    assert_true(good > 0);
    assert_int_equal(pool_put(good), 0);
  }
  assert_int_equal(atomic_load(&fake.closed), 1);
  assert_int_equal(atomic_load(&failed_checks), 0);
  fake_finish(&fake, pool);
}

static void *get_patiently(void *pool)
{
  pool_lease_t lease = pool_get(pool);
  must(lease > 0);
  must(pool_put(lease) == 0);
  return NULL;
}

/* The check of a dead connection hangs, and meanwhile the new server was found. */
static void test_failover__what_was_opened_after_a_check_began_is_not_taken_for_dead(void **state)
{
  (void)state;
  pool_config_t config = config_of(0, POOL_KEEPER_THREAD, 0);
  pool_lease_t lease;
  pool_t *pool = pool_with(&config, 0, &lease);
  assert_int_equal(pool_put(lease), 0);
  fail_over(pool);
  gate_set(&meeting, false);
  pthread_t thread = thread_start(get_patiently, pool);
  wait_until(gate_waiting(&meeting) == 1);
  pool_lease_t good = pool_get(pool);
  assert_true(good > 0);
  assert_int_equal(pool_put(good), 0);
  gate_set(&meeting, true);
  thread_end(thread);
  wait_until(atomic_load(&fake.closed) > 0 && stats_of(pool).open == stats_of(pool).idle);
  assert_int_equal(atomic_load(&fake.closed), 1);
  assert_int_equal(atomic_load(&fake.opened), 3); /* the get has met a dead one, and rather opens than checks another */
  assert_int_equal(atomic_load(&failed_checks), 1);
  fake_finish(&fake, pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_failover__one_check_fails_where_each_is_checked),
      cmocka_unit_test(test_failover__one_check_fails_where_the_long_idle_are_checked),
      cmocka_unit_test(test_failover__one_check_fails_though_somebody_looked_before),
      cmocka_unit_test(test_failover__one_check_fails_after_one_that_broke_in_use),
      cmocka_unit_test(test_failover__of_many_gets_each_meets_one_dead_connection_at_most),
      cmocka_unit_test(test_failover__keepalive_finds_out_with_one_check),
      cmocka_unit_test(test_failover__one_that_died_alone_makes_nobody_close_those_that_were_not_suspect),
      cmocka_unit_test(test_failover__what_was_opened_after_a_check_began_is_not_taken_for_dead),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
