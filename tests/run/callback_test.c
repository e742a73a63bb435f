/* SPDX-License-Identifier: MIT */
/* Callbacks that fail, at any point, and callbacks that call the library. */
#include "support.h"

#include <string.h>

/* ---- every callback fails at every n-th call; afterwards the counts are right and the pool is whole ---- */

struct faults {
  int fail_open, fail_check, fail_reset, fail_close;
};

static void use_with_failures(struct faults faults)
{
  struct fake fake;
  fake_init(&fake);
  pool_vtable_t vtable = fake_vtable();
  pool_config_t config = POOL_CONFIG_INIT;
  vtable.check = fake_check;
  vtable.reset = fake_reset;
  config.max_open = 3;
  pool_t *pool = fake_pool(&fake, &config, &vtable);
  int failed = 0;
  for (int i = 0; i < 200; i++) {
    if (faults.fail_open && i % faults.fail_open == 0)
      fake.fail_open++;
    if (faults.fail_check && i % faults.fail_check == 0)
      fake.fail_check++;
    if (faults.fail_reset && i % faults.fail_reset == 0)
      fake.fail_reset++;
    if (faults.fail_close && i % faults.fail_close == 0)
      fake.fail_close++;
    pool_lease_t leases[3];
    for (int k = 0; k < 3; k++) {
      leases[k] = pool_get_for(pool, k == 1 ? 0 : 1000);
      failed += leases[k] == POOL_E_OPEN;
      /* One without time waits only for a moment for the place of what it found dead. */
      assert_true(leases[k] > 0 || leases[k] == POOL_E_OPEN || (k == 1 && leases[k] == POOL_E_TIMEOUT));
    }
    for (int k = 0; k < 3; k++) {
      if (leases[k] < 0)
        continue;
      fake_use(leases[k]);
      if ((i + k) % 7 == 0)
        pool_mark_unusable(leases[k]);
      assert_int_equal(pool_put(leases[k]), 0);
    }
    wait_until(stats_of(pool).open == stats_of(pool).idle); /* what a get met dead is closed in the background */
    pool_stats_t stats = stats_of(pool);
    assert_int_equal(stats.open, fake.open_now);
    assert_int_equal(stats.open, stats.idle);
    assert_int_equal(stats.opened, fake.opened);
    assert_int_equal(stats.closed, fake.closed);
    assert_true(stats.open_failures >= failed); /* the others waited for what was open */
    assert_true(stats.open <= 3);
  }
  fake.fail_open = fake.fail_check = fake.fail_reset = fake.fail_close = 0;
  pool_lease_t all[3];
  for (int k = 0; k < 3; k++)
    assert_true((all[k] = pool_get_for(pool, 1000)) > 0);
  for (int k = 0; k < 3; k++)
    assert_int_equal(pool_put(all[k]), 0);
  fake_finish(&fake, pool);
}

static void test_callback__may_fail_at_any_point(void **state)
{
  (void)state;
  for (int n = 0; n < 6; n++) {
    use_with_failures((struct faults){.fail_open = n});
    use_with_failures((struct faults){.fail_reset = n});
    use_with_failures((struct faults){.fail_close = n});
    use_with_failures((struct faults){.fail_open = n, .fail_check = 2, .fail_reset = 3, .fail_close = n});
  }
}

/* ---- what open may return ---- */

static int open_nothing(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)context, (void)deadline_ns, (void)conn, (void)error;
  return 0;
}

static int open_silently_failing(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)context, (void)deadline_ns, (void)conn, (void)error;
  return 1;
}

static int open_with_a_wild_message(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)context, (void)deadline_ns, (void)conn;
  memset(error->message, 'x', sizeof error->message);
  error->message[5] = '\n';
  return POOL_E_TIMEOUT;
}

static int close_nothing(void *context, void *conn, pool_error_t *error)
{
  (void)context, (void)conn, (void)error;
  fail_msg("nothing was opened");
  return 0;
}

static void open_fails(int (*open)(void *, int64_t, void **, pool_error_t *), int code, const char *message)
{
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool;
  vtable.open = open;
  vtable.close = close_nothing;
  assert_int_equal(pool_create(NULL, &vtable, NULL, &pool, NULL), 0);
  assert_int_equal(pool_get(pool), code);
  assert_int_equal(pool_failure(&error), code);
  if (!strstr(error.message, message))
    fail_msg("'%s' does not say '%s'", error.message, message);
  assert_null(strchr(error.message, '\n'));
  assert_int_equal(stats_of(pool).open, 0);
  pool_free(pool);
}

static void test_callback__open_that_breaks_its_promises(void **state)
{
  (void)state;
  open_fails(open_nothing, POOL_E_OPEN, "no connection");
  open_fails(open_silently_failing, POOL_E_OPEN, "without saying why");
  open_fails(open_with_a_wild_message, POOL_E_TIMEOUT, "xxxxx");
}

/* ---- the deadline reaches the callbacks ---- */

struct clocked {
  int64_t deadline_ns;
  int64_t takes_until_ns; /* open returns only then */
};

static int open_clocked(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  struct clocked *clocked = context;
  (void)error;
  clocked->deadline_ns = deadline_ns;
  while (now_ns() < deadline_ns + clocked->takes_until_ns && clocked->takes_until_ns)
    yield_ns();
  *conn = clocked;
  return 0;
}

static int close_clocked(void *context, void *conn, pool_error_t *error)
{
  (void)context, (void)conn, (void)error;
  return 0;
}

static void test_callback__open_knows_the_deadline(void **state)
{
  (void)state;
  struct clocked clocked = {0};
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  pool_config_t config = POOL_CONFIG_INIT;
  pool_t *pool;
  vtable.open = open_clocked;
  vtable.close = close_clocked;
  config.get_timeout_ms = 7000;
  assert_int_equal(pool_create(&config, &vtable, &clocked, &pool, NULL), 0);
  pool_lease_t leases[3];
  int64_t before = now_ns();
  assert_true((leases[0] = pool_get_for(pool, 5000)) > 0);
  assert_in_range((uint64_t)(clocked.deadline_ns - before), UINT64_C(5000000000), UINT64_C(8000000000));
  assert_true((leases[1] = pool_get_for(pool, 0)) > 0);
  assert_in_range((uint64_t)(clocked.deadline_ns - before), UINT64_C(7000000000), UINT64_C(10000000000));
  assert_true((leases[2] = pool_get_for(pool, -1)) > 0);
  assert_true(clocked.deadline_ns == POOL_NO_DEADLINE);
  for (int i = 0; i < 3; i++)
    assert_int_equal(pool_put(leases[i]), 0);
  pool_free(pool);
}

static void test_callback__an_open_that_comes_too_late_is_the_next_callers(void **state)
{
  (void)state;
  struct clocked clocked = {.takes_until_ns = 1};
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool;
  vtable.open = open_clocked;
  vtable.close = close_clocked;
  assert_int_equal(pool_create(NULL, &vtable, &clocked, &pool, NULL), 0);
  assert_int_equal(pool_get_for(pool, 10), POOL_E_TIMEOUT);
  pool_failure(&error);
  assert_non_null(strstr(error.message, " in open or check: open took "));
  static const char advice[] = " ms, longer than its get had left; set openers, or let it keep its deadline";
  assert_non_null(strstr(error.message, advice));
  assert_int_equal(pool_len(pool), 1);
  pool_lease_t lease = pool_get_for(pool, 0);
  assert_true(lease > 0);
  assert_int_equal(pool_put(lease), 0);
  pool_free(pool);
}

/* ---- callbacks that call the library ---- */

struct nested {
  struct fake fake;
  pool_t *pool, *other;
  int in_open, in_close, in_reset;
};

static int open_nested(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  struct nested *nested = context;
  if (nested->in_open++ == 0) {
    /* The pool itself works from within: this opens a second connection. */
    pool_lease_t lease = pool_get(nested->pool);
    assert_true(lease > 0);
    assert_int_equal(pool_put(lease), 0);
    assert_int_equal(pool_close(nested->pool, 1), POOL_E_INVALID);
    assert_int_equal(pool_close(nested->pool, -1), POOL_E_INVALID);
    assert_int_equal(stats_of(nested->pool).opening, 1);
    lease = pool_get(nested->other);
    assert_true(lease > 0);
    assert_int_equal(pool_put(lease), 0);
  }
  return fake_open(&nested->fake, deadline_ns, conn, error);
}

static int close_nested(void *context, void *conn, pool_error_t *error)
{
  (void)error;
  struct nested *nested = context;
  nested->in_close++;
  pool_len(nested->pool);
  assert_int_equal(pool_close(nested->pool, 0) >= 0, 1);
  return fake_close(&nested->fake, conn, error);
}

static int reset_nested(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  struct nested *nested = context;
  (void)conn, (void)deadline_ns, (void)error;
  nested->in_reset++;
  pool_lease_t lease = pool_get_for(nested->other, 0);
  assert_true(lease > 0);
  return pool_put(lease);
}

static void test_callback__may_call_the_library(void **state)
{
  (void)state;
  struct nested nested = {0};
  struct fake other;
  fake_init(&nested.fake);
  fake_init(&other);
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  vtable.open = open_nested;
  vtable.close = close_nested;
  vtable.reset = reset_nested;
  nested.other = fake_pool(&other, NULL, NULL);
  assert_int_equal(pool_create(NULL, &vtable, &nested, &nested.pool, NULL), 0);
  pool_lease_t lease = pool_get(nested.pool);
  assert_true(lease > 0);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(nested.in_open, 2);
  assert_int_equal(nested.in_reset, 2);
  pool_lease_t last = pool_get(nested.pool);
  pool_mark_unusable(last);
  assert_int_equal(pool_put(last), 0); /* its close closes the pool */
  assert_int_equal(pool_get(nested.pool), POOL_E_CLOSED);
  assert_int_equal(pool_close(nested.pool, -1), 0);
  assert_int_equal(nested.in_close, 2);
  pool_free(nested.pool);
  fake_finish(&other, nested.other);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_callback__may_fail_at_any_point),
      cmocka_unit_test(test_callback__open_that_breaks_its_promises),
      cmocka_unit_test(test_callback__open_knows_the_deadline),
      cmocka_unit_test(test_callback__an_open_that_comes_too_late_is_the_next_callers),
      cmocka_unit_test(test_callback__may_call_the_library),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
