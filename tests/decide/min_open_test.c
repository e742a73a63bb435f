/* SPDX-License-Identifier: MIT */
/* min_open: this many connections are kept open, idle and lent together. */
#include <string.h>

#include "virtual.h"
#include "witness.h"

static struct fake fake;

static pool_t *make(const pool_config_t *config)
{
  fake_init(&fake);
  pool_vtable_t vtable = fake_vtable();
  vtable.check = fake_check;
  return fake_pool(&fake, config, &vtable);
}

static pool_config_t keeping(int32_t min_open, int32_t max_open)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.keeper = POOL_KEEPER_MANUAL;
  config.min_open = min_open;
  config.max_open = max_open;
  return config;
}

/* How often each connection was looked at to count those that stay; the linker puts it in place of the library's. */
static _Atomic int counts;
struct row;
int32_t __real_idle_count_staying(struct row *rows, int32_t limit);
int32_t __wrap_idle_count_staying(struct row *rows, int32_t limit);

int32_t __wrap_idle_count_staying(struct row *rows, int32_t limit)
{
  counts++;
  return __real_idle_count_staying(rows, limit);
}

static void put_all(pool_lease_t *leases, int count)
{
  for (int i = 0; i < count; i++)
    assert_int_equal(pool_put(leases[i]), 0);
}

static void test_min_open__so_many_are_opened_and_no_more_as_they_are_lent(void **state)
{
  (void)state;
  pool_config_t config = keeping(3, 0);
  config.initial = 1;
  pool_t *pool = make(&config);
  assert_int_equal(fake.opened, 1);
  pool_maintain(pool);
  assert_int_equal(pool_len(pool), 3);
  pool_lease_t leases[4];
  for (int i = 0; i < 3; i++) {
    leases[i] = pool_get(pool);
    virtual_pass(pool, SECOND);
    assert_int_equal(fake.opened, 3); /* the lent ones count */
  }
  leases[3] = pool_get(pool);
  virtual_pass(pool, SECOND);
  assert_int_equal(fake.opened, 4);
  put_all(leases, 4);
  virtual_pass(pool, 1000 * SECOND);
  assert_int_equal(fake.closed, 0); /* it is a least, not a most */
  fake_finish(&fake, pool);
}

static void test_min_open__those_that_are_closed_are_replaced(void **state)
{
  (void)state;
  pool_config_t config = keeping(3, 4);
  config.initial = 3;
  config.check_after_ms = 0;
  pool_t *pool = make(&config);
  for (int i = 0; i < 5; i++) {
    pool_lease_t lease = pool_get(pool);
    assert_int_equal(i % 2 ? pool_mark_unusable(lease) : pool_mark_broken(lease), 0);
    assert_int_equal(pool_put(lease), 0);
    pool_maintain(pool);
    assert_int_equal(pool_len(pool), 3);
  }
  assert_int_equal(pool_flush(pool), 3);
  pool_maintain(pool);
  assert_int_equal(pool_len(pool), 3);
  fake.fail_check = 1;
  assert_int_equal(pool_put(pool_get(pool)), 0);
  pool_maintain(pool);
  assert_int_equal(stats_of(pool).open, 3);
  fake_finish(&fake, pool);
}

/* Where there are thousands, to look at each would take a hundred times as long as the rest. */
static void test_min_open__a_close_that_leaves_too_few_looks_at_no_other(void **state)
{
  (void)state;
  pool_config_t config = keeping(3, 9);
  config.initial = 3;
  pool_t *pool = make(&config);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(pool_mark_unusable(lease), 0);
  counts = 0;
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(fake.closed, 1);
  assert_int_equal(counts, 0);
  virtual_pass(pool, SECOND);
  assert_int_equal(fake.opened, 4);
  assert_true(counts > 0);
  fake_finish(&fake, pool);
}

static void test_min_open__what_is_idle_too_long_is_closed_down_to_it(void **state)
{
  (void)state;
  for (int32_t min_idle = 0; min_idle <= 2; min_idle++) {
    pool_config_t config = keeping(3, 10);
    config.initial = 6;
    config.min_idle = min_idle;
    config.idle_timeout_ms = 1000;
    pool_t *pool = make(&config);
    pool_lease_t leases[] = {pool_get(pool), pool_get(pool)};
    virtual_pass(pool, 3 * SECOND);
    assert_int_equal(pool_len(pool), min_idle > 1 ? min_idle : 1); /* whichever leaves more */
    assert_int_equal(stats_of(pool).open, min_idle > 1 ? 4 : 3);
    put_all(leases, 2);
    virtual_pass(pool, 100 * SECOND);
    assert_int_equal(pool_len(pool), 3);
    assert_int_equal(fake.opened, 6); /* nothing was closed to be opened again */
    fake_finish(&fake, pool);
  }
}

static void test_min_open__the_cap_holds(void **state)
{
  (void)state;
  pool_config_t config = keeping(3, 3);
  pool_t *pool = make(&config);
  pool_maintain(pool);
  pool_lease_t leases[] = {pool_get(pool), pool_get(pool), pool_get(pool)};
  assert_int_equal(pool_flush(pool), 3); /* they will go, but have their places still */
  pool_maintain(pool);
  assert_int_equal(fake.opened, 3);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(pool_put(leases[i]), 0);
    pool_maintain(pool);
    assert_int_equal(fake.opened, 4 + i);
  }
  assert_int_equal(fake.most_open, 3);
  fake_finish(&fake, pool);
}

static void test_min_open__a_refill_that_fails_is_tried_again_after_a_second(void **state)
{
  (void)state;
  pool_config_t config = keeping(2, 0);
  pool_t *pool = make(&config);
  fake.fail_open = 2;
  for (int failed = 1; failed <= 2; failed++) {
    assert_int_equal(pool_maintain(pool), SECOND);
    assert_int_equal(stats_of(pool).open_failures, failed);
    virtual_advance(SECOND);
  }
  pool_maintain(pool);
  assert_int_equal(pool_len(pool), 2);
  fake_finish(&fake, pool);
}

static void test_min_open__a_smaller_cap_is_refused(void **state)
{
  (void)state;
  pool_config_t config = keeping(3, 5);
  pool_t *pool = make(&config);
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(pool_resize(pool, 2), POOL_E_INVALID);
  pool_failure(&error);
  assert_non_null(strstr(error.message, "min_open"));
  assert_non_null(strstr(error.message, "max_open"));
  assert_int_equal(pool_resize(pool, 3), 0);
  pool_maintain(pool);
  assert_int_equal(pool_len(pool), 3);
  fake_finish(&fake, pool);
}

static void test_min_open__all_of_them_may_be_idle(void **state)
{
  (void)state;
  pool_config_t config = keeping(40, 0); /* where nothing else says how many may be */
  pool_t *pool = make(&config);
  virtual_pass(pool, SECOND);
  pool_lease_t leases[40];
  for (int i = 0; i < 40; i++)
    leases[i] = pool_get(pool);
  put_all(leases, 40);
  assert_int_equal(pool_len(pool), 40);
  assert_int_equal(fake.opened, 40);
  fake_finish(&fake, pool);
}

/* ---- by threads of the library, which are asleep when something happens; the clock stands still ---- */

static pool_t *at_rest(int32_t min_open, int32_t min_idle, int32_t paused)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.min_open = min_open;
  config.min_idle = min_idle;
  config.max_open = 5;
  config.paused = paused;
  pool_t *pool = make(&config);
  wait_until(paused || pool_len(pool) == 3);
  /* An opener lingers for a second; then the keeper is alone, and nothing is due. */
  wait_until(
      (virtual_advance(SECOND), yield_ns(), virtual_sleepers() == 1 && virtual_next_deadline() == POOL_NO_DEADLINE));
  return pool;
}

static void test_min_open__threads_replace_what_was_closed_while_all_was_at_rest(void **state)
{
  (void)state;
  for (int idle = 0; idle < 2; idle++) {
    pool_t *pool = at_rest(idle ? 0 : 3, idle ? 3 : 0, 0);
    assert_int_equal(pool_flush(pool), 3);
    wait_until(fake.opened == 6 && pool_len(pool) == 3);
    fake_finish(&fake, pool);
  }
}

static void test_min_open__threads_open_when_a_pool_that_began_paused_is_resumed(void **state)
{
  (void)state;
  for (int idle = 0; idle < 2; idle++) {
    pool_t *pool = at_rest(idle ? 0 : 3, idle ? 3 : 0, 1);
    assert_int_equal(fake.opened, 0);
    assert_int_equal(pool_resume(pool), 0);
    wait_until(pool_len(pool) == 3);
    fake_finish(&fake, pool);
  }
}

/* ---- by steps ---- */

static int open_next(pool_t *pool)
{
  pool_step_t step = POOL_STEP_INIT;
  int opened = 0;
  pool_maintain(pool);
  while (pool_step_next(pool, &step) == 1) {
    if (step.work == POOL_WORK_OPEN) {
      assert_int_equal(pool_step_done(step.claim, NULL, &fake, &step), 0);
      opened++;
    } else {
      assert_int_equal(step.work, POOL_WORK_CLOSE);
      assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
    }
  }
  return opened;
}

static void test_min_open__steps_ask_for_as_many(void **state)
{
  (void)state;
  pool_config_t config = keeping(3, 4);
  config.idle_timeout_ms = 1000;
  pool_t *pool = NULL;
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_create(&config, 0, &pool, NULL), 0);
  assert_int_equal(open_next(pool), 3);
  pool_lease_t lease = pool_step_begin(pool, 0, 0, &step);
  assert_true(lease > 0);
  assert_int_equal(open_next(pool), 0);
  assert_int_equal(pool_mark_unusable(lease), 0);
  assert_int_equal(pool_step_end(lease, &step), 0);
  assert_int_equal(step.work, POOL_WORK_CLOSE);
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  assert_int_equal(pool_maintain(pool), 0); /* there is something to be done */
  assert_int_equal(open_next(pool), 1);
  for (int i = 0; i < 10; i++) {
    virtual_advance(SECOND);
    assert_int_equal(open_next(pool), 0);
  }
  assert_int_equal(stats_of(pool).closed_idle, 0);
  assert_int_equal(pool_len(pool), 3);
  pool_free(pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_min_open__so_many_are_opened_and_no_more_as_they_are_lent),
      cmocka_unit_test(test_min_open__those_that_are_closed_are_replaced),
      cmocka_unit_test(test_min_open__a_close_that_leaves_too_few_looks_at_no_other),
      cmocka_unit_test(test_min_open__what_is_idle_too_long_is_closed_down_to_it),
      cmocka_unit_test(test_min_open__the_cap_holds),
      cmocka_unit_test(test_min_open__a_refill_that_fails_is_tried_again_after_a_second),
      cmocka_unit_test(test_min_open__a_smaller_cap_is_refused),
      cmocka_unit_test(test_min_open__all_of_them_may_be_idle),
      cmocka_unit_test(test_min_open__threads_replace_what_was_closed_while_all_was_at_rest),
      cmocka_unit_test(test_min_open__threads_open_when_a_pool_that_began_paused_is_resumed),
      cmocka_unit_test(test_min_open__steps_ask_for_as_many),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
