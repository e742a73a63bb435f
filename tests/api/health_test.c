/* SPDX-License-Identifier: MIT */
/* Healthy, busy, stuck or down: where one word ends and the next begins. */
#include <string.h>

#include "support.h"
#include "virtual.h"

static struct fake fake;

static void is(pool_t *pool, int health, const char *why)
{
  pool_bytes_t text;
  int is = pool_health(pool, 1000, &text);
  if (is != health || strcmp(text.data, why) != 0)
    fail_msg("%d: %s", is, (char *)text.data);
  assert_int_equal(strlen(text.data), text.size);
  pool_bytes_free(&text);
}

static void ignore(void *user, pool_lease_t result)
{
  (void)user;
  if (result > 0)
    pool_put(result);
}

static void wait_asynchronously(pool_t *pool)
{
  assert_true(pool_get_async(pool, -1, ignore, NULL) > 0);
}

static void test_health__is_good_as_long_as_nobody_waits(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, BY_HAND(.config.max_open = 1));
  is(pool, POOL_HEALTH_HEALTHY, "pool: healthy; 0 of 1 are open, 0 leased, 0 idle, 0 wait");
  pool_lease_t lease = pool_get(pool);
  virtual_advance(3600 * SECOND); /* a long use, that nobody minds */
  assert_int_equal(pool_health(pool, 1000, NULL), POOL_HEALTH_HEALTHY);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_health(pool, -1, NULL), POOL_HEALTH_HEALTHY);
  fake_finish(&fake, pool);
}

static void test_health__of_a_pool_is_good_with_all_the_patience_there_is(void **state)
{
  (void)state;
  static const int64_t patience_ms[] = {INT64_MAX, INT64_MAX / 1000000, INT64_MAX / 1000000 + 1};
  pool_t *pool = fake_start(&fake, BY_HAND(.config.max_open = 1));
  pool_lease_t lease = pool_get(pool);
  for (size_t i = 0; i < sizeof patience_ms / sizeof *patience_ms; i++)
    assert_int_equal(pool_health(pool, patience_ms[i], NULL), POOL_HEALTH_HEALTHY);
  wait_asynchronously(pool);
  virtual_advance(3600 * SECOND);
  for (size_t i = 0; i < sizeof patience_ms / sizeof *patience_ms; i++)
    assert_int_equal(pool_health(pool, patience_ms[i], NULL), POOL_HEALTH_BUSY);
  assert_int_equal(pool_put(lease), 0);
  pool_maintain(pool);
  fake_finish(&fake, pool);
}

static void test_health__is_busy_while_turns_go_on_and_stuck_when_they_stop(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, BY_HAND(.config.max_open = 1, .config.name = "orders"));
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(pool_tag(lease, "report"), 0);
  wait_asynchronously(pool);
  virtual_advance(999 * MILLISECOND);
  is(pool, POOL_HEALTH_BUSY,
     "orders: busy; 1 of 1 are open, 1 leased, 0 idle, 1 wait; the oldest lease is out for 999 ms (report)");
  virtual_advance(MILLISECOND);
  is(pool, POOL_HEALTH_STUCK,
     "orders: stuck: nothing came back for 1000 ms; 1 of 1 are open, 1 leased, 0 idle, 1 wait; the oldest lease is out "
     "for 1000 ms (report)");
  assert_int_equal(pool_health(pool, 5000, NULL), POOL_HEALTH_BUSY); /* of that patience */
  assert_int_equal(pool_health(pool, INT64_MAX, NULL), POOL_HEALTH_BUSY);
  assert_int_equal(pool_health(pool, INT64_MAX / 1000000 + 1, NULL), POOL_HEALTH_BUSY);
  assert_int_equal(pool_put(lease), 0); /* to the one that waits */
  wait_asynchronously(pool);
  assert_int_equal(pool_health(pool, 1000, NULL), POOL_HEALTH_BUSY);
  while (stats_of(pool).waiting > 0 || stats_of(pool).leased > 0)
    pool_maintain(pool);
  assert_int_equal(pool_health(pool, 1000, NULL), POOL_HEALTH_HEALTHY);
  fake_finish(&fake, pool);
}

static void test_health__is_stuck_although_those_that_waited_have_left(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, BY_HAND(.config.max_open = 1));
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(pool_health(pool, 1000, NULL), POOL_HEALTH_HEALTHY);
  assert_true(pool_get_async(pool, 50, ignore, NULL) > 0);
  virtual_pass(pool, 50 * MILLISECOND);
  assert_int_equal(stats_of(pool).timed_out, 1);
  assert_int_equal(pool_health(pool, 1000, NULL), POOL_HEALTH_BUSY);
  virtual_advance(SECOND);
  assert_int_equal(pool_health(pool, 1000, NULL), POOL_HEALTH_STUCK);
  wait_asynchronously(pool);
  assert_int_equal(pool_put(lease), 0);
  pool_maintain(pool); /* that one was served; the next comes so soon that it does not look */
  lease = pool_get(pool);
  assert_true(pool_get_async(pool, 50, ignore, NULL) > 0);
  virtual_pass(pool, 50 * MILLISECOND);
  assert_int_equal(pool_health(pool, 1000, NULL), POOL_HEALTH_BUSY);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_health(pool, 1000, NULL), POOL_HEALTH_HEALTHY);
  fake_finish(&fake, pool);
}

static void test_health__of_a_pool_that_is_paused_is_not_stuck(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, BY_HAND(.config.max_open = 1));
  assert_int_equal(pool_pause(pool), 0);
  wait_asynchronously(pool);
  virtual_advance(10 * SECOND);
  is(pool, POOL_HEALTH_BUSY, "pool: busy; 0 of 1 are open, 0 leased, 0 idle, 1 wait; the pool is paused");
  assert_int_equal(pool_resume(pool), 0);
  fake_finish(&fake, pool);
}

static void test_health__of_an_idle_pool_is_good_though_a_get_left_in_vain(void **state)
{
  (void)state;
  pool_t *pool =
      fake_start(&fake, BY_HAND(.vtable.check = fake_check, .config.max_open = 2, .config.check_after_ms = 0));
  pool_lease_t first = pool_get(pool), second = pool_get(pool);
  assert_int_equal(pool_mark_broken(second), 0);
  assert_int_equal(pool_put(second), 0);
  assert_int_equal(pool_put(first), 0); /* is to be checked before it is lent */
  assert_int_equal(pool_pause(pool), 0);
  int64_t ticket = pool_get_async(pool, -1, ignore, NULL);
  assert_true(ticket > 0);
  assert_int_equal(pool_cancel(ticket), 0);
  pool_maintain(pool);
  assert_int_equal(pool_resume(pool), 0);
  virtual_advance(10 * SECOND);
  assert_int_equal(pool_health(pool, 1000, NULL), POOL_HEALTH_HEALTHY);
  fake_finish(&fake, pool);
}

static void test_health__is_down_when_opens_fail_and_nothing_is_left(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, BY_HAND(.config.max_open = 2));
  pool_lease_t lease = pool_get(pool);
  fake.fail_open = 1000000;
  assert_int_equal(pool_get_for(pool, 0), POOL_E_OPEN);
  assert_int_equal(pool_health(pool, 1000, NULL), POOL_HEALTH_BUSY); /* one works, and a get wanted another */
  assert_int_equal(pool_mark_broken(lease), 0);
  pool_bytes_t why;
  assert_int_equal(pool_health(pool, 1000, &why), POOL_HEALTH_DOWN);
  assert_non_null(strstr(why.data, "pool: down: opens fail: the fake server refuses; "));
  pool_bytes_free(&why);
  assert_int_equal(pool_put(lease), 0);
  fake.fail_open = 0;
  virtual_advance(2 * SECOND);
  get_and_put_now(pool);
  assert_int_equal(pool_health(pool, 1000, NULL), POOL_HEALTH_HEALTHY);
  fake_finish(&fake, pool);
}

static void test_health__of_a_pool_that_is_closed_is_down(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, BY_HAND());
  assert_int_equal(pool_close(pool, 0), 0);
  is(pool, POOL_HEALTH_DOWN, "pool: down: the pool is closed; 0 are open, 0 leased, 0 idle, 0 wait");
  fake_finish(&fake, pool);
}

static void test_health__tells_of_the_oldest_lease(void **state)
{
  (void)state;
  pool_lease_t leases[3];
  pool_t *pool = fake_start(&fake, BY_HAND(.config.max_open = 3));
  for (int i = 0; i < 3; i++) {
    leases[i] = pool_get(pool);
    assert_int_equal(stats_of(pool).leased, i + 1); /* seen */
    virtual_advance(10 * MILLISECOND);
  }
  assert_int_equal(stats_of(pool).oldest_lease_ns, 30 * MILLISECOND);
  assert_int_equal(pool_put(leases[0]), 0);
  assert_int_equal(stats_of(pool).oldest_lease_ns, 20 * MILLISECOND);
  assert_int_equal(pool_put(leases[1]), 0);
  assert_int_equal(pool_put(leases[2]), 0);
  assert_int_equal(stats_of(pool).oldest_lease_ns, 0);
  fake_finish(&fake, pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_health__is_good_as_long_as_nobody_waits),
      cmocka_unit_test(test_health__of_a_pool_is_good_with_all_the_patience_there_is),
      cmocka_unit_test(test_health__is_busy_while_turns_go_on_and_stuck_when_they_stop),
      cmocka_unit_test(test_health__is_stuck_although_those_that_waited_have_left),
      cmocka_unit_test(test_health__of_a_pool_that_is_paused_is_not_stuck),
      cmocka_unit_test(test_health__of_an_idle_pool_is_good_though_a_get_left_in_vain),
      cmocka_unit_test(test_health__is_down_when_opens_fail_and_nothing_is_left),
      cmocka_unit_test(test_health__of_a_pool_that_is_closed_is_down),
      cmocka_unit_test(test_health__tells_of_the_oldest_lease),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
