/* SPDX-License-Identifier: MIT */
/* A check has a limit of its own, and never longer than the get that waits for it: a silent server costs so much and no
   more. */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include "virtual.h"

static struct fake fake;

/* How long the check takes, at most until its deadline if it keeps that, and what it says. */
static struct {
  int64_t takes_ns;
  bool keeps_deadline;
  int says;
  int first_good; /* of connections from this one on the check takes no time, and says yes */
  int64_t had_ns; /* how long it was given; POOL_NO_DEADLINE */
  int made;
} check;

static int check_it(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)context;
  if (((struct fake_conn *)conn)->number >= check.first_good)
    return 0;
  check.made++;
  check.had_ns = deadline_ns == POOL_NO_DEADLINE ? POOL_NO_DEADLINE : deadline_ns - virtual_now();
  bool late = check.keeps_deadline && check.had_ns < check.takes_ns;
  virtual_advance(late ? check.had_ns : check.takes_ns);
  if (late)
    snprintf(error->message, sizeof error->message, "no answer to the ping");
  return late ? POOL_E_TIMEOUT : check.says;
}

static pool_config_t config_of(int64_t check_timeout_ms)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 10;
  config.check_after_ms = 0;
  config.check_timeout_ms = check_timeout_ms;
  config.keeper = POOL_KEEPER_MANUAL;
  return config;
}

/* Five idle connections, whose checks behave so. */
static pool_t *pool_with(const pool_config_t *config, int64_t takes_ns, bool keeps_deadline, int says)
{
  pool_lease_t leases[5];
  fake_init(&fake);
  memset(&check, 0, sizeof check);
  pool_vtable_t vtable = fake_vtable();
  vtable.check = check_it;
  pool_t *pool = fake_pool(&fake, config, &vtable);
  for (int i = 0; i < 5; i++)
    assert_true((leases[i] = pool_get(pool)) > 0);
  for (int i = 0; i < 5; i++)
    assert_int_equal(pool_put(leases[i]), 0);
  check.takes_ns = takes_ns;
  check.keeps_deadline = keeps_deadline;
  check.says = says;
  check.first_good = 5;
  check.made = 0;
  return pool;
}

static void expect_a_new_one(pool_t *pool, int64_t timeout_ms)
{
  pool_lease_t lease = pool_get_for(pool, timeout_ms);
  assert_true(lease > 0);
  assert_int_equal(fake_number(lease), 5);
  assert_int_equal(pool_put(lease), 0);
}

static void test_check_limit__a_silent_check_does_not_eat_the_whole_get(void **state)
{
  (void)state;
  const bool keeps[] = {true, false};
  for (int i = 0; i < 2; i++) {
    pool_config_t config = config_of(5000);
    pool_t *pool = pool_with(&config, keeps[i] ? 3600 * SECOND : 6 * SECOND, keeps[i], 0);
    int64_t began = virtual_now();
    expect_a_new_one(pool, 30000);
    assert_int_equal(virtual_now() - began, keeps[i] ? 5 * SECOND : 6 * SECOND);
    assert_int_equal(check.had_ns, 5 * SECOND);
    assert_int_equal(check.made, 1);
    assert_int_equal(stats_of(pool).check_failures, 1);
    pool_maintain(pool);
    assert_int_equal(atomic_load(&fake.closed), 5); /* as dead as those whose check says no */
    fake_finish(&fake, pool);
  }
}

static void test_check_limit__is_five_seconds_if_nobody_says_otherwise(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  assert_int_equal(config.check_timeout_ms, 5000);
  config = config_of(200);
  pool_t *pool = pool_with(&config, 3600 * SECOND, true, 0);
  int64_t began = virtual_now();
  expect_a_new_one(pool, 1000);
  assert_int_equal(virtual_now() - began, 200 * MILLISECOND);
  fake_finish(&fake, pool);
}

static void test_check_limit__never_is_more_than_what_is_left(void **state)
{
  (void)state;
  const int64_t limits_ms[] = {5000, 1000, -1};
  for (int i = 0; i < 3; i++) {
    pool_config_t config = config_of(limits_ms[i]);
    pool_t *pool = pool_with(&config, 3600 * SECOND, true, 0);
    int64_t began = virtual_now();
    pool_error_t error = POOL_ERROR_INIT;
    assert_int_equal(pool_get_for(pool, 1000), POOL_E_TIMEOUT);
    pool_failure(&error);
    assert_non_null(strstr(error.message, "no answer to the ping"));
    assert_int_equal(virtual_now() - began, SECOND);
    assert_int_equal(check.had_ns, SECOND);
    fake_finish(&fake, pool);
  }
}

/* A get that had little time says nothing about the server. */
static void test_check_limit__a_check_that_a_get_cut_short_condemns_nobody(void **state)
{
  (void)state;
  pool_config_t config = config_of(5000);
  pool_t *pool = pool_with(&config, 3600 * SECOND, true, 0);
  assert_int_equal(pool_get_for(pool, 100), POOL_E_TIMEOUT);
  pool_maintain(pool);
  assert_int_equal(atomic_load(&fake.closed), 1);
  assert_int_equal((int)pool_len(pool), 4);
  fake_finish(&fake, pool);
}

static void test_check_limit__none_leaves_a_check_as_long_as_the_get_has(void **state)
{
  (void)state;
  pool_config_t config = config_of(-1);
  pool_t *pool = pool_with(&config, 20 * SECOND, true, 0);
  pool_lease_t lease = pool_get_for(pool, 30000);
  assert_true(lease > 0);
  assert_true(fake_number(lease) < 5);
  assert_int_equal(check.had_ns, 30 * SECOND);
  assert_int_equal(pool_put(lease), 0);
  lease = pool_get_for(pool, -1);
  assert_true(lease > 0);
  assert_true(check.had_ns == POOL_NO_DEADLINE);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

static void test_check_limit__a_yes_that_comes_too_late_is_a_no(void **state)
{
  (void)state;
  pool_config_t config = config_of(1000);
  pool_t *pool = pool_with(&config, 1000 * MILLISECOND, false, 0);
  pool_lease_t lease = pool_get_for(pool, 30000); /* just in time */
  assert_true(lease > 0);
  assert_true(fake_number(lease) < 5);
  assert_int_equal(pool_put(lease), 0);
  check.takes_ns = 1001 * MILLISECOND;
  expect_a_new_one(pool, 30000);
  assert_int_equal(stats_of(pool).check_failures, 1);
  fake_finish(&fake, pool);
}

static void test_check_limit__holds_for_a_get_without_a_deadline_and_in_the_background(void **state)
{
  (void)state;
  pool_config_t config = config_of(700);
  pool_t *pool = pool_with(&config, 3600 * SECOND, true, 0);
  expect_a_new_one(pool, -1);
  assert_int_equal(check.had_ns, 700 * MILLISECOND);
  fake_finish(&fake, pool);

  config.check_after_ms = -1;
  config.keepalive_ms = 1000;
  pool = pool_with(&config, 3600 * SECOND, true, 0);
  virtual_pass(pool, 2 * SECOND);
  assert_true(check.made > 0);
  assert_int_equal(check.had_ns, 700 * MILLISECOND);
  pool_maintain(pool);
  assert_int_equal(atomic_load(&fake.closed), 5);
  fake_finish(&fake, pool);
}

static void test_check_limit__without_time_a_silent_check_is_limited_too(void **state)
{
  (void)state;
  pool_config_t config = config_of(300);
  pool_t *pool = pool_with(&config, 3600 * SECOND, true, 0);
  int64_t began = virtual_now();
  expect_a_new_one(pool, 0); /* a get without time checks and opens, but waits for nobody */
  assert_int_equal(virtual_now() - began, 300 * MILLISECOND);
  fake_finish(&fake, pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_check_limit__a_silent_check_does_not_eat_the_whole_get),
      cmocka_unit_test(test_check_limit__is_five_seconds_if_nobody_says_otherwise),
      cmocka_unit_test(test_check_limit__never_is_more_than_what_is_left),
      cmocka_unit_test(test_check_limit__a_check_that_a_get_cut_short_condemns_nobody),
      cmocka_unit_test(test_check_limit__none_leaves_a_check_as_long_as_the_get_has),
      cmocka_unit_test(test_check_limit__a_yes_that_comes_too_late_is_a_no),
      cmocka_unit_test(test_check_limit__holds_for_a_get_without_a_deadline_and_in_the_background),
      cmocka_unit_test(test_check_limit__without_time_a_silent_check_is_limited_too),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
