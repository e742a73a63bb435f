/* SPDX-License-Identifier: MIT */
/* Whatever comes from outside (a pool's name, a tag, a driver's message) is shown in one line, of whole characters. */
#include <stdio.h>
#include <string.h>

#include "virtual.h"
#include "witness.h"

static struct fake fake;
static struct diary diary;

/* What would begin another line, or move the cursor of a terminal; and what none of that remains of. */
static const char *const forgeries[] = {"a\nERROR b",
                                        "a\rERROR b",
                                        "a\033[2Kb",
                                        "a\xc2\x85 ERROR b",
                                        "a\xe2\x80\xa8"
                                        "b",
                                        "a\xe2\x80\xa9"
                                        "b",
                                        "a\x7f\b\b\b\bERROR",
                                        "a\x85\x9b\xff"
                                        "b",
                                        "a\v\f\t\x01"
                                        "b"};
enum { FORGERIES = sizeof forgeries / sizeof *forgeries };

static void assert_is_a_line(const char *text)
{
  const unsigned char *at = (const unsigned char *)text;
  for (; *at; at++)
    if (*at < ' ' || *at >= 0x7f)
      fail_msg("byte %02x in '%s'", *at, text);
}

/* All that a pool of this name has told. */
static void assert_lines(void)
{
  assert_true(diary.length > 0);
  for (int i = 0; i < diary.length; i++) {
    assert_is_a_line(diary.entries[i].pool);
    assert_is_a_line(diary.entries[i].tag);
    assert_is_a_line(diary.entries[i].message);
  }
}

static pool_t *make(const char *name, pool_vtable_t *vtable)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.name = name;
  config.keeper = POOL_KEEPER_MANUAL;
  config.max_open = 1;
  config.leak_after_ms = 1000;
  diary_init(&diary, &config);
  fake_init(&fake);
  return fake_pool(&fake, &config, vtable);
}

static void test_line__a_name_forges_none(void **state)
{
  (void)state;
  for (int i = 0; i < FORGERIES; i++) {
    pool_t *pool = make(forgeries[i], NULL);
    pool_error_t error = POOL_ERROR_INIT;
    fake.fail_open = 1;
    assert_int_equal(pool_get(pool), POOL_E_OPEN);
    assert_int_equal(pool_failure(&error), POOL_E_OPEN);
    assert_is_a_line(error.message);
    assert_int_equal(diary_lines(&diary, POOL_LOG_WARN), 1);
    assert_lines();
    for (int format = POOL_FORMAT_TEXT; format <= POOL_FORMAT_PROMETHEUS; format++) {
      pool_bytes_t text = {NULL, 0};
      assert_int_equal(pool_report(pool, format, &text), 0);
      for (char *line = strtok(text.data, "\n"); line; line = strtok(NULL, "\n"))
        assert_is_a_line(line);
      pool_bytes_free(&text);
    }
    fake_finish(&fake, pool);
  }
}

static void test_line__a_tag_forges_none(void **state)
{
  (void)state;
  for (int i = 0; i < FORGERIES; i++) {
    pool_t *pool = make("tags", NULL);
    pool_lease_info_t info = POOL_LEASE_INFO_INIT;
    pool_lease_t lease = pool_get(pool);
    assert_int_equal(pool_tag(lease, forgeries[i]), 0);
    assert_int_equal(pool_leases(pool, &info, 1), 1);
    assert_is_a_line(info.tag);
    assert_int_equal(info.tag[0], 'a');
    virtual_pass(pool, 3 * SECOND);
    assert_int_equal(diary_count(&diary, POOL_EVENT_LEAKED), 1);
    assert_int_equal(diary_lines(&diary, POOL_LOG_WARN), 1);
    assert_int_equal(pool_put(lease), 0);
    assert_int_equal(diary_lines(&diary, POOL_LOG_INFO), 1);
    assert_lines();
    fake_finish(&fake, pool);
  }
}

/* ---- what drivers say ---- */

static const char *said;

static int say(pool_error_t *error)
{
  snprintf(error->message, sizeof error->message, "%s", said);
  return -1;
}

static int open_saying(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  return fake.opened ? say(error) : fake_open(context, deadline_ns, conn, error);
}

static int close_saying(void *context, void *conn, pool_error_t *error)
{
  fake_close(context, conn, error);
  return say(error);
}

static int reset_saying(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)context, (void)conn, (void)deadline_ns;
  return say(error);
}

static int call_saying(void *context, void *conn, const char *method, pool_bytes_t args, pool_bytes_t *reply,
                       int64_t deadline_ns, pool_error_t *error)
{
  (void)context, (void)conn, (void)method, (void)args, (void)reply, (void)deadline_ns;
  say(error);
  return POOL_E_REMOTE;
}

static void test_line__a_message_of_a_driver_forges_none(void **state)
{
  (void)state;
  pool_vtable_t vtable = fake_vtable();
  vtable.open = open_saying;
  vtable.close = close_saying;
  vtable.reset = reset_saying;
  vtable.call = call_saying;
  for (int i = 0; i < FORGERIES; i++) {
    said = forgeries[i];
    pool_t *pool = make("drivers", &vtable);
    pool_error_t error = POOL_ERROR_INIT;
    pool_lease_t lease = pool_get(pool);
    assert_int_equal(pool_call(lease, "m", (pool_bytes_t){NULL, 0}, NULL, &error), POOL_E_REMOTE);
    assert_is_a_line(error.message);
    assert_int_equal(pool_put(lease), 0); /* reset and close fail */
    assert_int_equal(pool_get(pool), POOL_E_OPEN);
    pool_failure(&error);
    assert_is_a_line(error.message);
    assert_int_equal(diary_count(&diary, POOL_EVENT_CLOSED), 1);
    assert_int_equal(diary_count(&diary, POOL_EVENT_OPEN_FAILED), 1);
    assert_int_equal(diary_lines(&diary, POOL_LOG_WARN), 2);
    assert_lines();
    fake_finish(&fake, pool);
  }
}

/* A failure, or none, and its message. */
static void see_line(int64_t result)
{
  pool_error_t error = POOL_ERROR_INIT;
  if (result < 0 && pool_failure(&error))
    assert_is_a_line(error.message);
}

static void test_line__a_failure_reported_by_steps_forges_none(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  config.name = "steps\nERROR";
  config.retry_min_ms = 1000;
  config.breaker_after = 1;
  for (int i = 0; i < FORGERIES; i++) {
    pool_t *pool = NULL;
    pool_step_t step = POOL_STEP_INIT;
    pool_error_t error = POOL_ERROR_INIT;
    assert_int_equal(pool_step_create(&config, 0, &pool, NULL), 0);
    assert_int_equal(pool_step_begin(pool, -1, 0, &step), 0);
    said = forgeries[i];
    say(&error);
    see_line(pool_step_done(step.claim, &error, NULL, &step));
    assert_int_equal(pool_step_begin(pool, 0, 0, &step), POOL_E_OPEN);
    pool_failure(&error);
    assert_is_a_line(error.message);
    assert_non_null(strstr(error.message, "steps?ERROR"));
    pool_free(pool);
  }
}

/* ---- what does not fit ---- */

/* Euro signs of three bytes after so many of one: each place where a text may be cut in the middle of one. */
static void euros(char *text, int shift, int count)
{
  memset(text, 'x', (size_t)shift);
  for (int i = 0; i < count; i++)
    memcpy(text + shift + 3 * i, "\xe2\x82\xac", 3);
  text[shift + 3 * count] = 0;
}

static void assert_whole(const char *text, size_t least)
{
  size_t length = strlen(text);
  if (length < least || ((unsigned char)text[length - 1] != 'x' && memcmp(text + length - 3, "\xe2\x82\xac", 3) != 0))
    fail_msg("'%s' is not cut between characters, or too early", text);
}

static void test_line__texts_are_cut_between_characters(void **state)
{
  (void)state;
  for (int shift = 0; shift < 3; shift++) {
    char text[700];
    euros(text, shift, 100);
    pool_vtable_t vtable = fake_vtable();
    vtable.open = open_saying;
    said = text;
    pool_t *pool = make(text, &vtable);
    pool_lease_info_t info = POOL_LEASE_INFO_INIT;
    pool_error_t error = POOL_ERROR_INIT;
    pool_lease_t lease = pool_get(pool);
    assert_whole(diary_last(&diary, POOL_EVENT_LENT).pool, 45);
    euros(text, shift, 200);
    assert_int_equal(pool_tag(lease, text), 0);
    assert_int_equal(pool_leases(pool, &info, 1), 1);
    assert_whole(info.tag, 45);
    for (size_t size = offsetof(pool_lease_info_t, tag) + 8; size <= offsetof(pool_lease_info_t, connection);
         size += 8) {
      info.size = size; /* of a release to come that has less room, or of one whose tag was shorter */
      assert_int_equal(pool_leases(pool, &info, 1), 1);
      assert_whole(info.tag, size - offsetof(pool_lease_info_t, tag) - 3);
    }
    virtual_pass(pool, 3 * SECOND);
    assert_whole(diary_last(&diary, POOL_EVENT_LEAKED).tag, 45);
    assert_int_equal(pool_mark_unusable(lease), 0);
    assert_int_equal(pool_put(lease), 0);
    assert_whole(diary_last_line(&diary, POOL_LOG_INFO).message, 0);
    assert_int_equal(pool_get(pool), POOL_E_OPEN);
    assert_int_equal(pool_failure(&error), POOL_E_OPEN);
    assert_whole(error.message, 237);
    for (size_t size = offsetof(pool_error_t, message) + 4; size < sizeof error; size++) {
      error.size = size;
      assert_int_equal(pool_failure(&error), POOL_E_OPEN);
      if (size > 80)
        assert_whole(error.message, size - offsetof(pool_error_t, message) - 3);
    }
    fake_finish(&fake, pool);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_line__a_name_forges_none),
      cmocka_unit_test(test_line__a_tag_forges_none),
      cmocka_unit_test(test_line__a_message_of_a_driver_forges_none),
      cmocka_unit_test(test_line__a_failure_reported_by_steps_forges_none),
      cmocka_unit_test(test_line__texts_are_cut_between_characters),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
