/* SPDX-License-Identifier: MIT */
/* Why a check, a reset or a close failed: which events say so, and in which words. */
#include <string.h>

#include "virtual.h"
#include "witness.h"

static struct fake fake;
static struct diary diary;

static pool_config_t telling(int32_t max_open)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.name = "prices";
  config.keeper = POOL_KEEPER_MANUAL;
  config.max_open = max_open;
  diary_init(&diary, &config);
  return config;
}

static pool_t *make(const pool_config_t *config, uint32_t flags)
{
  fake_init(&fake);
  pool_vtable_t vtable = fake_vtable();
  vtable.check = fake_check;
  vtable.reset = flags ? NULL : fake_reset;
  vtable.flags = flags;
  return fake_pool(&fake, config, &vtable);
}

static void assert_closed(int32_t reason, int32_t code, const char *message)
{
  struct entry closed = diary_last(&diary, POOL_EVENT_CLOSED);
  assert_int_equal(closed.reason, reason);
  assert_int_equal(closed.code, code);
  assert_string_equal(closed.message, message);
}

static void test_reason__of_a_failed_check_comes_with_its_close(void **state)
{
  (void)state;
  pool_config_t config = telling(2);
  config.initial = 1;
  config.check_after_ms = 0;
  pool_t *pool = make(&config, 0);
  fake.fail_check = 1;
  assert_int_equal(pool_put(pool_get(pool)), 0);
  pool_maintain(pool);
  assert_int_equal(diary_count(&diary, POOL_EVENT_CLOSED), 1);
  assert_closed(POOL_REASON_CHECK, POOL_E_BROKEN, "the fake check fails");
  fake_finish(&fake, pool);
  assert_closed(POOL_REASON_CLOSED, 0, ""); /* of another time of the same places nothing is left */
}

static void test_reason__of_a_failed_reset_comes_with_its_close(void **state)
{
  (void)state;
  pool_config_t config = telling(1);
  pool_t *pool = make(&config, 0);
  pool_lease_t lease = pool_get(pool);
  fake.fail_reset = 1;
  assert_int_equal(pool_put(lease), 0);
  assert_closed(POOL_REASON_RESET, POOL_E_BROKEN, "the fake reset fails");
  assert_int_equal(pool_put(pool_get(pool)), 0);
  assert_int_equal(pool_flush(pool), 1);
  assert_closed(POOL_REASON_FLUSHED, 0, "");
  fake_finish(&fake, pool);
}

static int check_silently(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)conn, (void)deadline_ns, (void)error;
  return *(int *)context;
}

static int open_number(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)deadline_ns, (void)error;
  *conn = context;
  return 0;
}

static int close_nothing(void *context, void *conn, pool_error_t *error)
{
  (void)context, (void)conn;
  assert_true(error->size == sizeof *error);
  assert_string_equal(error->message, ""); /* nothing of what failed before */
  return 0;
}

static void test_reason__that_nobody_gave_is_said_to_be_none(void **state)
{
  (void)state;
  int code = 0;
  pool_config_t config = telling(1);
  config.initial = 1;
  config.check_after_ms = 0;
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  vtable.open = open_number;
  vtable.close = close_nothing;
  vtable.check = check_silently;
  pool_t *pool = NULL;
  assert_int_equal(pool_create(&config, &vtable, &code, &pool, NULL), 0);
  code = 7;
  assert_int_equal(pool_put(pool_get(pool)), 0);
  assert_closed(POOL_REASON_CHECK, POOL_E_BROKEN, "check failed without saying why");
  code = POOL_E_TIMEOUT;
  assert_int_equal(pool_put(pool_get(pool)), 0);
  assert_closed(POOL_REASON_CHECK, POOL_E_TIMEOUT, "check failed without saying why");
  assert_int_equal(pool_close(pool, -1), 0);
  pool_free(pool);
}

static void test_reason__of_a_failed_close_is_a_line_of_the_log(void **state)
{
  (void)state;
  pool_config_t config = telling(1);
  config.initial = 1;
  pool_t *pool = make(&config, 0);
  fake.fail_close = 1;
  assert_int_equal(pool_flush(pool), 1);
  assert_int_equal(stats_of(pool).close_failures, 1);
  assert_int_equal(diary_lines(&diary, POOL_LOG_WARN), 1);
  assert_string_equal(diary_last_line(&diary, POOL_LOG_WARN).message,
                      "prices: could not close a connection: the fake close fails");
  assert_closed(POOL_REASON_FLUSHED, 0, "");
  assert_int_equal(pool_put(pool_get(pool)), 0);
  fake_finish(&fake, pool); /* which closes without a fault */
  assert_int_equal(diary_lines(&diary, POOL_LOG_WARN), 1);
}

/* The only connection is dead, and then the place is somebody else's until the getter's time is over. */
static void test_reason__of_a_failed_check_is_the_cause_that_a_get_names(void **state)
{
  (void)state;
  pool_config_t config = telling(1);
  config.initial = 1;
  config.check_after_ms = 0;
  pool_t *pool = make(&config, 0);
  fake.fail_check = 1;
  gate_set(&fake.opening, false);
  struct getter getter = {0};
  getter_start(&getter, pool, 100);
  wait_until(gate_waiting(&fake.opening) == 1);
  virtual_advance(200 * MILLISECOND);
  gate_set(&fake.opening, true);
  assert_int_equal(getter_end(&getter), POOL_E_TIMEOUT);
  if (!strstr(getter.error.message, "the fake check fails"))
    fail_msg("'%s' does not say why", getter.error.message);
  fake_finish(&fake, pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reason__of_a_failed_check_comes_with_its_close),
      cmocka_unit_test(test_reason__of_a_failed_reset_comes_with_its_close),
      cmocka_unit_test(test_reason__that_nobody_gave_is_said_to_be_none),
      cmocka_unit_test(test_reason__of_a_failed_close_is_a_line_of_the_log),
      cmocka_unit_test(test_reason__of_a_failed_check_is_the_cause_that_a_get_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
