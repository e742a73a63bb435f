/* SPDX-License-Identifier: MIT */
/* Settings that change while the pool runs. */
#include <string.h>

#include "virtual.h"
#include "witness.h"

static struct fake fake;

static pool_config_t plain(int32_t initial, int32_t max_open)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.keeper = POOL_KEEPER_MANUAL;
  config.initial = initial;
  config.max_open = max_open;
  return config;
}

static pool_t *make(const pool_config_t *config)
{
  fake_init(&fake);
  pool_vtable_t vtable = fake_vtable();
  vtable.check = fake_check;
  return fake_pool(&fake, config, &vtable);
}

static int64_t value_of(pool_t *pool, const char *name)
{
  int64_t value = INT64_MIN;
  assert_int_equal(pool_value(pool, name, &value), 0);
  return value;
}

static void refused(pool_t *pool, int code, const char *name, int64_t value, const char *word)
{
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(pool_set(pool, name, value), code);
  assert_int_equal(pool_failure(&error), code);
  if (!strstr(error.message, word))
    fail_msg("'%s' does not say %s", error.message, word);
}

static void test_change__what_cannot_be_is_refused_by_name(void **state)
{
  (void)state;
  pool_config_t config = plain(2, 4);
  config.max_lifetime_ms = 5000;
  pool_t *pool = make(&config);
  refused(NULL, POOL_E_INVALID, "min_idle", 1, "pool is NULL");
  refused(pool, POOL_E_INVALID, NULL, 1, "name is NULL");
  refused(pool, POOL_E_INVALID, "min_idel", 1, "min_idle");
  refused(pool, POOL_E_INVALID, "min_idle", -1, "min_idle is -1");
  refused(pool, POOL_E_INVALID, "min_idle", 5, "max_open");
  refused(pool, POOL_E_INVALID, "keepalive_ms", 5000, "max_lifetime_ms");
  refused(pool, POOL_E_INVALID, "max_open", INT64_MAX, "max_open");
  refused(pool, POOL_E_INVALID, "fairness_us", 1, "cannot change while the pool runs");
  refused(pool, POOL_E_INVALID, "fairness_us", -5, "cannot change while the pool runs");
  refused(pool, POOL_E_INVALID, "event_mask", INT64_MIN, "cannot change while the pool runs");
  refused(pool, POOL_E_INVALID, "name", 1, "cannot change while the pool runs");
  assert_int_equal(value_of(pool, "min_idle"), 0);
  assert_int_equal(pool_set(pool, "max_open", 3), 0);
  assert_int_equal(value_of(pool, "max_open"), 3);
  refused(pool, POOL_E_INVALID, "min_idle", 4, "max_open, 3");
  assert_int_equal(pool_value(pool, "name", &(int64_t){0}), POOL_E_INVALID);
  assert_int_equal(pool_value(NULL, "min_idle", &(int64_t){0}), POOL_E_INVALID);
  assert_int_equal(pool_close(pool, 0), 0);
  refused(pool, POOL_E_CLOSED, "min_idle", 1, "closed");
  fake_finish(&fake, pool);
}

static void test_change__min_idle_is_opened_and_kept(void **state)
{
  (void)state;
  pool_config_t config = plain(0, 0);
  pool_t *pool = make(&config);
  assert_int_equal(pool_set(pool, "min_idle", 12), 0); /* more than max_idle is where nobody sets it */
  virtual_pass(pool, SECOND);
  assert_int_equal(pool_len(pool), 12);
  assert_int_equal(pool_set(pool, "min_idle", 1), 0);
  assert_int_equal(pool_set(pool, "idle_timeout_ms", 1000), 0);
  virtual_pass(pool, 2 * SECOND);
  assert_int_equal(pool_len(pool), 1);
  assert_int_equal(pool_set(pool, "min_open", 2), 0);
  virtual_pass(pool, SECOND);
  assert_int_equal(pool_len(pool), 2);
  fake_finish(&fake, pool);
}

static void test_change__times_that_begin_to_matter_count_from_then(void **state)
{
  (void)state;
  pool_config_t config = plain(3, 3);
  pool_t *pool = make(&config);
  virtual_pass(pool, 100 * SECOND);
  assert_int_equal(pool_set(pool, "idle_timeout_ms", 10000), 0);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(fake.closed, 0);
  virtual_pass(pool, 9 * SECOND);
  assert_int_equal(fake.closed, 0);
  virtual_pass(pool, 4 * SECOND);
  assert_int_equal(fake.closed, 2);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_set(pool, "idle_timeout_ms", 0), 0);
  virtual_pass(pool, 100 * SECOND);
  assert_int_equal(fake.closed, 2);
  fake_finish(&fake, pool);
}

static void test_change__a_lifetime_is_for_what_is_opened_from_then_on(void **state)
{
  (void)state;
  static const int64_t lifetimes_ms[] = {20000, 5000, 60000, 0, 10000};
  pool_config_t config = plain(4, 4);
  pool_t *pool = make(&config);
  for (size_t i = 0; i < sizeof lifetimes_ms / sizeof *lifetimes_ms; i++) {
    int closed = fake.closed;
    assert_int_equal(pool_set(pool, "max_lifetime_ms", lifetimes_ms[i]), 0);
    virtual_pass(pool, SECOND);
    assert_int_equal(fake.closed, closed);
    assert_true(pool_flush(pool) >= 1);
    for (int new = 0; new < 4; new ++)
      assert_int_equal(pool_put(pool_get(pool)), 0);
    closed = fake.closed;
    virtual_pass(pool, lifetimes_ms[i] ? lifetimes_ms[i] * MILLISECOND / 2 : 1000 * SECOND);
    assert_int_equal(fake.closed, closed);
  }
  virtual_pass(pool, 5 * SECOND);
  assert_int_equal(pool_len(pool), 0);
  fake_finish(&fake, pool);
}

static void test_change__leaks_and_keepalive_begin_and_end(void **state)
{
  (void)state;
  pool_config_t config = plain(2, 2);
  pool_t *pool = make(&config);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(pool_set(pool, "leak_after_ms", 1000), 0);
  assert_int_equal(pool_set(pool, "keepalive_ms", 500), 0);
  virtual_pass(pool, 3 * SECOND);
  assert_int_equal(stats_of(pool).leaked, 1);
  assert_in_range(stats_of(pool).checks, 4, 6);
  assert_int_equal(pool_set(pool, "leak_after_ms", 0), 0);
  assert_int_equal(pool_set(pool, "keepalive_ms", 0), 0);
  assert_int_equal(pool_put(lease), 0);
  int64_t checks = stats_of(pool).checks;
  lease = pool_get(pool);
  virtual_pass(pool, 10 * SECOND);
  assert_int_equal(stats_of(pool).leaked, 1);
  assert_int_equal(stats_of(pool).checks, checks);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

static void test_change__a_keeper_that_was_not_needed_begins(void **state)
{
  (void)state;
  pool_config_t config = plain(0, 4);
  config.keeper = POOL_KEEPER_THREAD;
  pool_t *pool = make(&config);
  assert_int_equal(pool_set(pool, "get_timeout_ms", 1234), 0);
  assert_int_equal(value_of(pool, "get_timeout_ms"), 1234);
  assert_int_equal(pool_set(pool, "min_idle", 2), 0);
  wait_until(pool_len(pool) == 2);
  fake_finish(&fake, pool);
}

/* ---- under load ---- */

struct load {
  pool_t *pool;
  _Atomic bool stop;
};

static void *use(void *context)
{
  struct load *load = context;
  while (!load->stop) {
    pool_lease_t lease = pool_get(load->pool);
    must(lease > 0 && pool_put(lease) == 0);
    pool_maintain(load->pool);
  }
  return NULL;
}

static void test_change__settings_change_under_load(void **state)
{
  (void)state;
  static const char *const names[] = {"min_idle", "idle_timeout_ms", "max_lifetime_ms", "leak_after_ms",
                                      "max_open", "min_open",        "check_timeout_ms"};
  pool_config_t config = plain(0, 4);
  config.fairness_us = 0;
  struct load load = {make(&config), false};
  uint64_t random = 7;
  pthread_t threads[3];
  for (int i = 0; i < 3; i++)
    threads[i] = thread_start(use, &load);
  for (int i = 0; i < 2000; i++) {
    const char *name = names[random_next(&random) % (sizeof names / sizeof *names)];
    int code = pool_set(load.pool, name, (int64_t)(random_next(&random) % 5));
    assert_true(code == 0 || code == POOL_E_INVALID);
    virtual_advance(MILLISECOND);
  }
  load.stop = true;
  for (int i = 0; i < 3; i++)
    thread_end(threads[i]);
  fake_finish(&fake, load.pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_change__what_cannot_be_is_refused_by_name),
      cmocka_unit_test(test_change__min_idle_is_opened_and_kept),
      cmocka_unit_test(test_change__times_that_begin_to_matter_count_from_then),
      cmocka_unit_test(test_change__a_lifetime_is_for_what_is_opened_from_then_on),
      cmocka_unit_test(test_change__leaks_and_keepalive_begin_and_end),
      cmocka_unit_test(test_change__a_keeper_that_was_not_needed_begins),
      cmocka_unit_test(test_change__settings_change_under_load),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
