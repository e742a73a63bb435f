/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <stdio.h>
#include <string.h>

/* Creating a pool with these settings is refused with this code and a message that names the field. */
static void refused(const pool_config_t *config, int code, const char *field)
{
  struct fake fake;
  fake_init(&fake);
  pool_vtable_t vtable = fake_vtable();
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool = (pool_t *)&fake;
  assert_int_equal(pool_create(config, &vtable, &fake, &pool, &error), code);
  assert_ptr_equal(pool, &fake); /* outputs are untouched on failure */
  assert_int_equal(error.code, code);
  if (!strstr(error.message, field))
    fail_msg("'%s' does not name %s", error.message, field);
  assert_int_equal(pool_failure(&error), code);
  assert_non_null(strstr(error.message, field));
  assert_int_equal(fake.opened, 0);
}

#define REFUSED(name, value)                                                                                           \
  do {                                                                                                                 \
    pool_config_t config = POOL_CONFIG_INIT;                                                                           \
    config.name = (value);                                                                                             \
    refused(&config, POOL_E_INVALID, #name);                                                                           \
  } while (0)

static void test_config__wrong_values_are_refused_by_name(void **state)
{
  (void)state;
  REFUSED(initial, -1);
  REFUSED(max_idle, 0);
  REFUSED(max_idle, -2);
  REFUSED(max_open, -1);
  REFUSED(max_open, 1 << 20);
  REFUSED(max_opening, -1);
  REFUSED(max_waiters, -1);
  REFUSED(openers, -1);
  REFUSED(openers, 1025);
  REFUSED(keeper, 2);
  REFUSED(keeper, -1);
  REFUSED(fairness_us, -1);
  REFUSED(get_timeout_ms, -2);
  REFUSED(get_timeout_ms, INT64_MAX);
  REFUSED(call_timeout_ms, -2);
  REFUSED(min_idle, -1);
  REFUSED(min_idle, INT32_MAX);
  REFUSED(queue, -1);
  REFUSED(queue, 3);
  REFUSED(retire_percent, 0);
  REFUSED(retire_percent, 101);
  REFUSED(breaker_after, -1);
  REFUSED(background_reset, -1);
  REFUSED(background_reset, 2);
  REFUSED(min_open, -1);
  REFUSED(min_open, INT32_MAX);
  REFUSED(paused, -1);
  REFUSED(paused, 2);
}

static void test_config__wrong_times_are_refused_by_name(void **state)
{
  (void)state;
  REFUSED(idle_timeout_ms, -2);
  REFUSED(idle_timeout_ms, INT64_MAX);
  REFUSED(max_lifetime_ms, -2);
  REFUSED(max_lifetime_ms, INT64_MAX);
  REFUSED(check_after_ms, -2);
  REFUSED(check_after_ms, INT64_MAX);
  REFUSED(keepalive_ms, -2);
  REFUSED(keepalive_ms, INT64_MAX);
  REFUSED(leak_after_ms, -2);
  REFUSED(leak_after_ms, INT64_MAX);
  REFUSED(retry_min_ms, -2);
  REFUSED(retry_min_ms, INT64_MAX);
  REFUSED(retry_max_ms, -2);
  REFUSED(retry_max_ms, INT64_MAX);
  REFUSED(overload_after_ms, -2);
  REFUSED(overload_after_ms, INT64_MAX);
  REFUSED(check_timeout_ms, 0);
  REFUSED(check_timeout_ms, -2);
  REFUSED(check_timeout_ms, INT64_MAX);
}

static void refused_for_both(const pool_config_t *config, const char *one, const char *other)
{
  refused(config, POOL_E_INVALID, one);
  refused(config, POOL_E_INVALID, other);
}

static void test_config__contradictions_name_both(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  config.min_idle = 3;
  config.max_idle = 2;
  refused_for_both(&config, "min_idle", "max_idle");
  config.max_idle = 5;
  config.max_open = 2;
  refused_for_both(&config, "min_idle", "max_open");
  config = (pool_config_t)POOL_CONFIG_INIT;
  config.min_open = 3;
  config.max_idle = 2;
  refused_for_both(&config, "min_open", "max_idle");
  config.max_idle = -1;
  config.max_open = 2;
  refused_for_both(&config, "min_open", "max_open");
  config = (pool_config_t)POOL_CONFIG_INIT;
  config.retry_min_ms = 101;
  config.retry_max_ms = 100;
  refused_for_both(&config, "retry_min_ms", "retry_max_ms");
}

static void refused_with(const pool_config_t *config, const pool_vtable_t *vtable, const char *one, const char *other)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool = NULL;
  assert_int_equal(pool_create(config, vtable, NULL, &pool, &error), POOL_E_INVALID);
  assert_null(pool);
  if (!strstr(error.message, one) || !strstr(error.message, other))
    fail_msg("'%s' does not name %s and %s", error.message, one, other);
}

static void test_config__what_needs_a_callback_is_refused_without_it(void **state)
{
  (void)state;
  pool_vtable_t vtable = fake_vtable();
  pool_config_t config = POOL_CONFIG_INIT;
  config.check_after_ms = 0;
  refused_with(&config, &vtable, "check_after_ms", "vtable");
  config.check_after_ms = 1000;
  refused_with(&config, &vtable, "check_after_ms", "vtable");
  config.check_after_ms = -1;
  config.keepalive_ms = 1000;
  refused_with(&config, &vtable, "keepalive_ms", "vtable");
  config.keepalive_ms = 0;
  config.background_reset = 1;
  refused_with(&config, &vtable, "background_reset", "vtable");
  vtable.check = fake_check;
  vtable.reset = fake_reset;
  config.keepalive_ms = config.max_lifetime_ms = 1000;
  refused_with(&config, &vtable, "keepalive_ms", "max_lifetime_ms");
}

static void test_config__all_policies_together_are_fine(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_vtable_t vtable = fake_vtable();
  pool_config_t config = POOL_CONFIG_INIT;
  vtable.check = fake_check;
  vtable.reset = fake_reset;
  config.min_idle = config.initial = config.max_idle = config.max_open = 2;
  config.retire_percent = 100;
  config.background_reset = 1;
  config.queue = POOL_QUEUE_SHED;
  config.check_after_ms = 0;
  config.keepalive_ms = 1000;
  config.idle_timeout_ms = config.leak_after_ms = 1001;
  config.max_lifetime_ms = 2000;
  config.retry_min_ms = config.retry_max_ms = 1;
  fake_finish(&fake, fake_pool(&fake, &config, &vtable));
}

/* ---- what is allowed and cannot work ---- */

static char warnings[2000];

static void note_warning(void *user, int32_t level, const char *line)
{
  assert_int_equal(level, POOL_LOG_WARN);
  size_t length = strlen(warnings);
  snprintf(warnings + length, sizeof warnings - length, "%s\n", line + strlen("pool: "));
  ++*(int *)user;
}

static int ignore(void *context, void *conn, const char *method, pool_bytes_t args, pool_call_t *call)
{
  (void)context, (void)conn, (void)method, (void)args, (void)call;
  return POOL_E_UNSUPPORTED;
}

/* How many warnings a pool with these settings begins with; their text is in `warnings`. */
static int warnings_of(pool_config_t config, bool plain)
{
  struct fake fake;
  int count = 0;
  pool_vtable_t vtable = fake_vtable();
  if (!plain) {
    vtable.check = fake_check;
    vtable.go = ignore;
  }
  fake_init(&fake);
  warnings[0] = 0;
  config.keeper = POOL_KEEPER_MANUAL;
  config.log = note_warning;
  config.user = &count;
  fake_finish(&fake, fake_pool(&fake, &config, &vtable));
  return count;
}

static void warned(const pool_config_t *config, bool plain, const char *one, const char *other)
{
  if (warnings_of(*config, plain) != 1 || !strstr(warnings, one) || !strstr(warnings, other))
    fail_msg("'%s' does not warn of %s and %s alone", warnings, one, other);
}

/* The settings, and the two names that the only warning has. */
#define WARNED(one, other, ...)                                                                                        \
  do {                                                                                                                 \
    pool_config_t config = POOL_CONFIG_INIT, *c = &config;                                                             \
    __VA_ARGS__;                                                                                                       \
    warned(c, false, one, other);                                                                                      \
  } while (0)

static void test_config__what_cannot_work_is_told(void **state)
{
  (void)state;
  WARNED("check_after_ms", "idle_timeout_ms", c->check_after_ms = c->idle_timeout_ms = 1000);
  WARNED("check_after_ms", "max_lifetime_ms", c->check_after_ms = c->max_lifetime_ms = 1000);
  WARNED("keepalive_ms", "idle_timeout_ms", c->keepalive_ms = 2000, c->idle_timeout_ms = 1000);
  WARNED("idle_timeout_ms", "max_lifetime_ms", c->idle_timeout_ms = 2000, c->max_lifetime_ms = 1000);
  WARNED("idle_timeout_ms", "min_idle", c->idle_timeout_ms = 1000, c->min_idle = c->max_idle = 2);
  WARNED("idle_timeout_ms", "min_open", c->idle_timeout_ms = 1000, c->min_open = c->max_open = 2);
  WARNED("min_open", "min_idle", c->min_open = c->min_idle = 2);
  WARNED("retire_percent", "max_lifetime_ms", c->retire_percent = 20);
  WARNED("breaker_after", "retry_min_ms", c->breaker_after = 3);
  WARNED("retry_max_ms", "retry_min_ms", c->retry_max_ms = 100);
  WARNED("overload_after_ms", "POOL_QUEUE_FIFO", c->overload_after_ms = 50);
  WARNED("openers", "max_opening", c->openers = 3, c->max_opening = 2);
  WARNED("openers", "max_open", c->openers = 3, c->max_open = 2);
  WARNED("event_mask", "events", c->event_mask = 1 << POOL_EVENT_OPENED);
  pool_config_t config = POOL_CONFIG_INIT;
  config.check_timeout_ms = 100;
  warned(&config, true, "check_timeout_ms", "check");
  config = (pool_config_t)POOL_CONFIG_INIT;
  config.call_timeout_ms = 100;
  warned(&config, true, "call_timeout_ms", "call");
}

#define SILENT(...)                                                                                                    \
  do {                                                                                                                 \
    pool_config_t config = POOL_CONFIG_INIT, *c = &config;                                                             \
    __VA_ARGS__;                                                                                                       \
    if (warnings_of(*c, false) != 0)                                                                                   \
      fail_msg("line %d: %s", __LINE__, warnings);                                                                     \
  } while (0)

static void test_config__what_works_is_not_warned_of(void **state)
{
  (void)state;
  assert_int_equal(warnings_of((pool_config_t)POOL_CONFIG_INIT, true), 0);
  SILENT((void)c);
  SILENT(c->max_open = 20, c->openers = 2, c->idle_timeout_ms = 600000, c->max_lifetime_ms = 1800000,
         c->check_after_ms = 500, c->retry_min_ms = 10, c->leak_after_ms = 60000); /* those of the recipes */
  SILENT(c->max_opening = 4, c->retry_min_ms = 10, c->retry_max_ms = 1000, c->breaker_after = 3,
         c->check_after_ms = 500);                                              /* and of a recipe */
  SILENT(c->check_after_ms = 2000, c->idle_timeout_ms = 1000, c->min_idle = 1); /* what stays is idle for longer */
  SILENT(c->keepalive_ms = 2000, c->idle_timeout_ms = 1000, c->min_open = 1);
  SILENT(c->check_after_ms = 0, c->idle_timeout_ms = 1000);
  SILENT(c->check_after_ms = 999, c->idle_timeout_ms = 1000);
  SILENT(c->breaker_after = 0);
  SILENT(c->min_open = 3, c->min_idle = 2, c->idle_timeout_ms = 1000);
  SILENT(c->overload_after_ms = 50, c->queue = POOL_QUEUE_SHED);
  SILENT(c->retire_percent = 20, c->max_lifetime_ms = 1000);
  SILENT(c->check_timeout_ms = 100, c->call_timeout_ms = 100);
}

static void test_config__initial_above_a_cap_names_both(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  config.initial = 3;
  config.max_idle = 2;
  refused(&config, POOL_E_INVALID, "initial");
  refused(&config, POOL_E_INVALID, "max_idle");
  config.max_idle = 3;
  config.max_open = 2;
  refused(&config, POOL_E_INVALID, "initial");
  refused(&config, POOL_E_INVALID, "max_open");
  config.max_idle = -1;
  config.max_open = 0;
  config.initial = 11; /* above the default of max_idle */
  refused(&config, POOL_E_INVALID, "max_idle");
}

static void test_config__sizes(void **state)
{
  (void)state;
  struct {
    pool_config_t config;
    char tail[16];
  } newer = {.config = POOL_CONFIG_INIT};
  newer.config.size = 0;
  refused(&newer.config, POOL_E_SIZE, "pool_config_t");
  newer.config.size = offsetof(pool_config_t, user); /* the last member of the first release */
  refused(&newer.config, POOL_E_SIZE, "pool_config_t");
  newer.config.size = 4097;
  refused(&newer.config, POOL_E_WILD, "pool_config_t");
  newer.config.size = sizeof newer;
  newer.tail[15] = 1;
  refused(&newer.config, POOL_E_NEWER, "pool_config_t");
  newer.tail[15] = 0;
  struct fake fake;
  fake_init(&fake);
  fake_finish(&fake, fake_pool(&fake, &newer.config, NULL));
}

static void refused_vtable(const pool_vtable_t *vtable, int code)
{
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = NULL;
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(pool_create(NULL, vtable, &fake, &pool, &error), code);
  assert_int_equal(error.code, code);
  assert_null(pool);
}

static void test_config__vtables(void **state)
{
  (void)state;
  refused_vtable(NULL, POOL_E_VTABLE);
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  refused_vtable(&vtable, POOL_E_VTABLE);
  vtable.open = fake_open;
  refused_vtable(&vtable, POOL_E_VTABLE);
  vtable.open = NULL;
  vtable.close = fake_close;
  refused_vtable(&vtable, POOL_E_VTABLE);
  vtable = fake_vtable();
  vtable.flags = 2;
  refused_vtable(&vtable, POOL_E_NEWER);
  vtable = fake_vtable();
  vtable.reserved = 1;
  refused_vtable(&vtable, POOL_E_NEWER);
  vtable = fake_vtable();
  vtable.size = 8;
  refused_vtable(&vtable, POOL_E_SIZE);
}

static void test_config__null_is_fine_where_it_says_so(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_vtable_t vtable = fake_vtable();
  pool_t *pool = NULL;
  assert_int_equal(pool_create(NULL, &vtable, &fake, NULL, NULL), POOL_E_INVALID);
  assert_int_equal(pool_create(NULL, NULL, &fake, &pool, NULL), POOL_E_VTABLE);
  assert_int_equal(pool_create(NULL, &vtable, NULL, &pool, NULL), 0);
  pool_free(pool);
  pool_free(NULL);
  assert_null(pool_ref(NULL));
  assert_int_equal(pool_get(NULL), POOL_E_INVALID);
  assert_int_equal(pool_get_for(NULL, 0), POOL_E_INVALID);
  assert_int_equal(pool_get_async(NULL, 0, NULL, NULL), POOL_E_INVALID);
  assert_int_equal(pool_close(NULL, 0), POOL_E_INVALID);
  assert_int_equal(pool_maintain(NULL), POOL_E_INVALID);
  assert_int_equal(pool_len(NULL), 0);
  assert_int_equal(pool_stats(NULL, NULL), POOL_E_INVALID);
  assert_int_equal(pool_step_next(NULL, NULL), POOL_E_INVALID);
  pool_bytes_free(NULL);
}

static void test_config__a_failed_fill_closes_all_and_fails_whole(void **state)
{
  (void)state;
  for (int good = 0; good < 5; good++) {
    struct fake fake;
    fake_init(&fake);
    pool_vtable_t vtable = fake_vtable();
    pool_config_t config = POOL_CONFIG_INIT;
    pool_error_t error = POOL_ERROR_INIT;
    pool_t *pool = NULL;
    vtable.release = fake_release;
    config.initial = 5;
    fake.good_opens = good;
    fake.fail_open = 1;
    assert_int_equal(pool_create(&config, &vtable, &fake, &pool, &error), POOL_E_OPEN);
    assert_null(pool);
    assert_non_null(strstr(error.message, "the fake server refuses"));
    assert_int_equal(error.native, 111);
    assert_int_equal(fake.opened, good);
    assert_int_equal(fake.closed, good);
    assert_int_equal(fake.released, 0); /* without a pool the context stays the caller's */
  }
}

static void test_config__codes_have_texts_and_the_version_is_the_headers(void **state)
{
  (void)state;
  for (int64_t code = -20; code <= 1; code++)
    assert_true(strlen(pool_strerror(code)) > 0);
  assert_string_equal(pool_strerror(-12345), "unknown error");
  assert_string_equal(pool_strerror(INT64_MIN), "unknown error");
  int major, minor, patch;
  assert_int_equal(sscanf(pool_version(), "%d.%d.%d", &major, &minor, &patch), 3);
  assert_int_equal(major, POOL_VERSION_MAJOR);
  assert_int_equal(minor, POOL_VERSION_MINOR);
  assert_int_equal(patch, POOL_VERSION_PATCH);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_config__wrong_values_are_refused_by_name),
      cmocka_unit_test(test_config__wrong_times_are_refused_by_name),
      cmocka_unit_test(test_config__contradictions_name_both),
      cmocka_unit_test(test_config__what_needs_a_callback_is_refused_without_it),
      cmocka_unit_test(test_config__all_policies_together_are_fine),
      cmocka_unit_test(test_config__what_cannot_work_is_told),
      cmocka_unit_test(test_config__what_works_is_not_warned_of),
      cmocka_unit_test(test_config__initial_above_a_cap_names_both),
      cmocka_unit_test(test_config__sizes),
      cmocka_unit_test(test_config__vtables),
      cmocka_unit_test(test_config__null_is_fine_where_it_says_so),
      cmocka_unit_test(test_config__a_failed_fill_closes_all_and_fails_whole),
      cmocka_unit_test(test_config__codes_have_texts_and_the_version_is_the_headers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
