/* SPDX-License-Identifier: MIT */
/* Settings by their names: what is listed can be set and read, and what is wrong changes nothing. */
#include "support.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const pool_config_t initial = POOL_CONFIG_INIT;

/* Calls `each` with every setting. */
static void with_each(void (*each)(const pool_setting_t *setting))
{
  pool_setting_t setting = POOL_SETTING_INIT;
  int count = pool_setting(0, &setting);
  assert_true(count > 20);
  for (int32_t i = 0; i < count; i++) {
    assert_int_equal(pool_setting(i, &setting), count);
    each(&setting);
  }
  assert_int_equal(pool_setting(count, &setting), POOL_E_INVALID);
  assert_int_equal(pool_setting(-1, &setting), POOL_E_INVALID);
}

static bool is_number(const pool_setting_t *setting)
{
  return setting->type != POOL_SETTING_TEXT;
}

static int64_t number_of(const pool_config_t *config, const char *name)
{
  int64_t value = INT64_MIN;
  assert_int_equal(pool_config_get_number(config, name, &value, NULL), 0);
  return value;
}

/* All but what lies between members and behind them. */
static void assert_same(const pool_config_t *one, const pool_config_t *other)
{
  pool_setting_t setting = POOL_SETTING_INIT;
  assert_ptr_equal(one->name, other->name);
  assert_ptr_equal(one->user, other->user);
  assert_true(one->size == other->size && one->events == other->events && one->log == other->log);
  for (int32_t i = 0; pool_setting(i, &setting) > 0; i++)
    if (is_number(&setting))
      assert_int_equal(number_of(one, setting.name), number_of(other, setting.name));
}

static const char *text_of(const pool_config_t *config, const char *name)
{
  static char copy[100];
  pool_bytes_t text;
  assert_int_equal(pool_config_get(config, name, &text, NULL), 0);
  assert_int_equal(text.size, strlen(text.data));
  snprintf(copy, sizeof copy, "%s", (const char *)text.data);
  pool_bytes_free(&text);
  return copy;
}

static const char *digits_of(int64_t value)
{
  static char digits[24];
  snprintf(digits, sizeof digits, "%" PRId64, value);
  return digits;
}

/* ---- the list ---- */

static void is_described(const pool_setting_t *setting)
{
  assert_true(strlen(setting->name) > 0 && strlen(setting->sentence) > 0);
  assert_int_equal(strlen(setting->choices) > 0, setting->type == POOL_SETTING_CHOICE);
  if (!is_number(setting))
    return;
  assert_true(setting->least < setting->most);
  assert_int_equal(number_of(&initial, setting->name), setting->standard);
  const char *end = setting->name + strlen(setting->name) - 3;
  if (strcmp(end, "_ms") == 0 || strcmp(end, "_us") == 0)
    assert_string_equal(setting->unit, end + 1);
}

static void test_settings__each_is_described_and_has_the_default_of_the_macro(void **state)
{
  (void)state;
  with_each(is_described);
}

static void test_settings__the_function_and_the_macro_make_the_same_struct(void **state)
{
  (void)state;
  pool_config_t made;
  memset(&made, 0xff, sizeof made);
  assert_int_equal(pool_config_init(&made, sizeof made), 0);
  assert_same(&made, &initial);
}

/* ---- right values ---- */

static void takes(const pool_setting_t *setting, int64_t value)
{
  pool_config_t config = POOL_CONFIG_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  if (pool_config_set_number(&config, setting->name, value, &error) != 0)
    fail_msg("%s", error.message);
  assert_int_equal(number_of(&config, setting->name), value);
  config = initial;
  assert_int_equal(pool_config_set(&config, setting->name, digits_of(value), &error), 0);
  assert_int_equal(number_of(&config, setting->name), value);
  pool_config_t again = POOL_CONFIG_INIT;
  assert_int_equal(pool_config_set(&again, setting->name, text_of(&config, setting->name), &error), 0);
  assert_same(&again, &config);
}

static void takes_its_range(const pool_setting_t *setting)
{
  if (!is_number(setting))
    return;
  takes(setting, setting->standard);
  takes(setting, setting->least == 1 && strcmp(setting->name, "event_mask") == 0 ? 2 : setting->least);
  takes(setting, setting->most);
  if (*setting->off_means)
    takes(setting, setting->off);
}

static void test_settings__each_takes_its_default_its_limits_and_off(void **state)
{
  (void)state;
  with_each(takes_its_range);
}

static void has_names(const pool_setting_t *setting)
{
  char names[100];
  int64_t number = 0;
  snprintf(names, sizeof names, "%s", setting->choices);
  for (char *name = strtok(names, " "); name; name = strtok(NULL, " "), number++) {
    pool_config_t config = POOL_CONFIG_INIT;
    assert_int_equal(pool_config_set(&config, setting->name, name, NULL), 0);
    assert_int_equal(number_of(&config, setting->name), number);
    assert_string_equal(text_of(&config, setting->name), name);
  }
  if (setting->type == POOL_SETTING_CHOICE)
    assert_int_equal(number, setting->most + 1);
}

static void test_settings__a_choice_is_set_and_read_by_its_name(void **state)
{
  (void)state;
  with_each(has_names);
  pool_config_t config = POOL_CONFIG_INIT;
  assert_int_equal(pool_config_set(&config, "queue", "shed", NULL), 0);
  assert_int_equal(config.queue, POOL_QUEUE_SHED);
  assert_int_equal(pool_config_set(&config, "keeper", "manual", NULL), 0);
  assert_int_equal(config.keeper, POOL_KEEPER_MANUAL);
  assert_int_equal(pool_config_set(&config, "paused", "true", NULL), 0);
  assert_int_equal(config.paused, 1);
  config.queue = 7; /* nobody has looked at it yet */
  assert_string_equal(text_of(&config, "queue"), "7");
}

static void test_settings__a_text_is_kept_where_it_is(void **state)
{
  (void)state;
  static const char name[] = "prices";
  pool_config_t config = POOL_CONFIG_INIT;
  int64_t value;
  assert_string_equal(text_of(&config, "name"), "pool");
  assert_int_equal(pool_config_set(&config, "name", name, NULL), 0);
  assert_ptr_equal(config.name, name);
  assert_string_equal(text_of(&config, "name"), "prices");
  assert_int_equal(pool_config_set(&config, "name", "", NULL), 0);
  assert_string_equal(text_of(&config, "name"), "pool");
  assert_int_equal(pool_config_get_number(&config, "name", &value, NULL), POOL_E_INVALID);
}

/* ---- wrong values ---- */

static pool_error_t refusal; /* of the last */

static void refused(const pool_config_t *config, const pool_config_t *before, int code, int expected)
{
  assert_int_equal(code, expected);
  assert_int_equal(refusal.code, expected);
  assert_null(strpbrk(refusal.message, "\r\n"));
  assert_same(config, before);
}

static void refuse_text(const char *name, const char *text)
{
  pool_config_t config = POOL_CONFIG_INIT;
  refusal = (pool_error_t)POOL_ERROR_INIT;
  refused(&config, &initial, pool_config_set(&config, name, text, &refusal), POOL_E_INVALID);
}

static void refuse_number(const char *name, int64_t value)
{
  pool_config_t config = POOL_CONFIG_INIT;
  refusal = (pool_error_t)POOL_ERROR_INIT;
  int expected = strcmp(name, "event_mask") == 0 ? POOL_E_NEWER : POOL_E_INVALID;
  refused(&config, &initial, pool_config_set_number(&config, name, value, &refusal), expected);
  if (!strstr(refusal.message, name) || !strstr(refusal.message, digits_of(value)))
    fail_msg("'%s' does not say that %s is %" PRId64, refusal.message, name, value);
}

static void refuses_what_is_outside(const pool_setting_t *setting)
{
  refuse_number(setting->name, INT64_MAX);
  refuse_number(setting->name, INT64_MIN);
  refuse_number(setting->name, -2);
  refuse_number(setting->name, is_number(setting) ? setting->most + 1 : 5);
  if (setting->most <= INT32_MAX)
    refuse_number(setting->name, INT64_C(1) << 32); /* which is 0 in 32 bits */
}

static void test_settings__each_refuses_what_is_outside_of_its_range(void **state)
{
  (void)state;
  with_each(refuses_what_is_outside);
}

static const char *const no_numbers[] = {"",
                                         " ",
                                         "-",
                                         "--1",
                                         "+1",
                                         " 1",
                                         "1 ",
                                         "1\n",
                                         "\t1",
                                         "1x",
                                         "x1",
                                         "0x10",
                                         "1.5",
                                         "1e3",
                                         "1,000",
                                         "5s",
                                         "many",
                                         "TRUE",
                                         "fifo lifo",
                                         "9223372036854775808",
                                         "-9223372036854775809",
                                         "99999999999999999999999999999999999999999999999999",
                                         "\xd9\xa3", /* a digit of Arabic */
                                         "\xff\xfe",
                                         "%s%n",
                                         "\x1b[31m1"};

static void refuses_what_is_no_number(const pool_setting_t *setting)
{
  for (size_t i = 0; is_number(setting) && i < sizeof no_numbers / sizeof *no_numbers; i++) {
    refuse_text(setting->name, no_numbers[i]);
    if (strncmp(refusal.message, setting->name, strlen(setting->name)) != 0 || !strstr(refusal.message, "it must be"))
      fail_msg("'%s' does not say what %s may be", refusal.message, setting->name);
  }
  refuse_text(setting->name, NULL);
  assert_non_null(strstr(refusal.message, setting->name));
}

static void test_settings__each_refuses_what_is_no_number_and_says_what_it_may_be(void **state)
{
  (void)state;
  with_each(refuses_what_is_no_number);
}

/* Every text of two bytes, and every one of three of some: what is taken is a number and nothing else. */
static void test_settings__short_texts_are_digits_or_refused(void **state)
{
  (void)state;
  static const char some[] = "-+ 019x\xc3\n";
  pool_config_t config = POOL_CONFIG_INIT;
  for (int i = 1; i < 65536; i++) {
    char text[4] = {(char)(i >> 8), (char)i, 0, 0}, *begin = text[0] ? text : text + 1;
    for (const char *third = some; *third || third == some; third++, text[2] = *third) {
      bool is_digits = *begin && strspn(begin, "0123456789") == strlen(begin);
      bool is_zero = begin[0] == '-' && begin[1] && strspn(begin + 1, "0") == strlen(begin + 1);
      if ((pool_config_set(&config, "initial", begin, NULL) == 0) != (is_digits || is_zero))
        fail_msg("'%s' is taken, or is not", begin);
      if (!text[1])
        break;
    }
  }
}

static void test_settings__the_messages(void **state)
{
  (void)state;
  const struct {
    const char *name, *text, *message;
  } expected[] = {
      {"max_open", "-1", "max_open is -1; it must be 1 to 1048568, or 0 (no hard cap)"},
      {"max_open", "many", "max_open is \"many\"; it must be 1 to 1048568, or 0 (no hard cap)"},
      {"max_open", NULL, "text is NULL; max_open must be 1 to 1048568, or 0 (no hard cap)"},
      {"max_waiters", "-3", "max_waiters is -3; it must be 1 or more, or 0 (no limit)"},
      {"max_waiters", "2147483648", "max_waiters is 2147483648; it must be 1 to 2147483647, or 0 (no limit)"},
      {"retire_percent", "0", "retire_percent is 0; it must be 1 to 100"},
      {"get_timeout_ms", "0", "get_timeout_ms is 0; it must be 1 to a year, or -1 (for ever)"},
      {"get_timeout_ms", "5s", "get_timeout_ms is \"5s\"; it must be 1 to a year, or -1 (for ever)"},
      {"keepalive_ms", "-2", "keepalive_ms is -2; it must be 1 to a year, or 0 or -1 (never)"},
      {"queue", "random", "queue is \"random\"; it must be fifo (0), lifo (1) or shed (2)"},
      {"queue", "3", "queue is 3; it must be fifo (0), lifo (1) or shed (2)"},
      {"paused", "yes", "paused is \"yes\"; it must be false (0) or true (1)"},
      {"initial", "\x1b[1m\n", "initial is \"?[1m?\"; it must be 0 or more"},
  };
  for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
    refuse_text(expected[i].name, expected[i].text);
    assert_string_equal(refusal.message, expected[i].message);
  }
  refuse_number("name", 5);
  assert_string_equal(refusal.message, "name is 5; it must be a text");
}

/* ---- wrong names ---- */

static void test_settings__a_name_that_is_nearly_right_is_told(void **state)
{
  (void)state;
  const struct {
    const char *given, *meant;
  } names[] = {{"max_opn", "max_open"},
               {"maxOpen", "max_open"},
               {"MAX_OPEN", "max_open"},
               {"max-open", "max_open"},
               {"max_open ", "max_open"},

               {"min_ilde", "min_idle"},
               {"idle_timeout", "idle_timeout_ms"},
               {"get_timeout", "get_timeout_ms"},
               {"leak_after_s", "leak_after_ms"},
               {"fairness", "fairness_us"},
               {"quue", "queue"},
               {"initials", "initial"},
               {"names", "name"},
               {"retirePercent", "retire_percent"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char end[60];
    snprintf(end, sizeof end, "\"; did you mean %s?", names[i].meant);
    refuse_text(names[i].given, "1");
    if (!strstr(refusal.message, end) || !strstr(refusal.message, names[i].given))
      fail_msg("'%s' does not name %s and %s", refusal.message, names[i].given, names[i].meant);
  }
}

static void test_settings__other_names_are_refused_as_they_are(void **state)
{
  (void)state;
  static char endless[3000];
  memset(endless, 'a', sizeof endless - 1);
  const char *names[] = {"",     " ",       "_",  "x",    "events", "log",   "user",
                         "size", "timeout", "\n", "\xff", "%s%s%n", "_-_-_", endless};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    pool_bytes_t text;
    int64_t value;
    refuse_text(names[i], "1");
    assert_non_null(strstr(refusal.message, "no setting is called \""));
    assert_null(strstr(refusal.message, "did you mean"));
    assert_int_equal(pool_config_set_number(&(pool_config_t)POOL_CONFIG_INIT, names[i], 1, NULL), POOL_E_INVALID);
    assert_int_equal(pool_config_get(&initial, names[i], &text, NULL), POOL_E_INVALID);
    assert_int_equal(pool_config_get_number(&initial, names[i], &value, NULL), POOL_E_INVALID);
  }
}

/* ---- structs ---- */

static void test_settings__null_is_told_by_name(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  refusal = (pool_error_t)POOL_ERROR_INIT;
  assert_int_equal(pool_config_set(NULL, "max_open", "1", &refusal), POOL_E_INVALID);
  assert_string_equal(refusal.message, "config is NULL");
  assert_int_equal(pool_config_set(&config, NULL, "1", &refusal), POOL_E_INVALID);
  assert_string_equal(refusal.message, "name is NULL");
  assert_int_equal(pool_config_get(&config, "max_open", NULL, &refusal), POOL_E_INVALID);
  assert_string_equal(refusal.message, "text is NULL");
  assert_int_equal(pool_config_get_number(&config, "max_open", NULL, &refusal), POOL_E_INVALID);
  assert_string_equal(refusal.message, "value is NULL");
  assert_int_equal(pool_config_check(NULL, &refusal), 0); /* the defaults */
  assert_int_equal(pool_setting(0, NULL), POOL_E_INVALID);
}

/* ---- settings that belong together ---- */

static int check(const char *const pairs[])
{
  pool_config_t config = POOL_CONFIG_INIT;
  for (; pairs[0]; pairs += 2)
    assert_int_equal(pool_config_set(&config, pairs[0], pairs[1], NULL), 0);
  refusal = (pool_error_t)POOL_ERROR_INIT;
  pool_config_t before = config;
  int code = pool_config_check(&config, &refusal);
  assert_same(&config, &before);
  return code;
}

#define CHECK(...) check((const char *const[]){__VA_ARGS__, NULL})

static void test_settings__what_contradicts_is_seen_without_a_pool(void **state)
{
  (void)state;
  assert_int_equal(CHECK("min_idle", "20", "initial", "30"), 0);
  assert_int_equal(CHECK("min_idle", "20", "initial", "40"), 0);
  assert_int_equal(CHECK("min_idle", "20", "initial", "41"), POOL_E_INVALID);
  assert_string_equal(refusal.message,
                      "initial is 41, which is more than max_idle, 40 (the default where there is no max_open)");
  assert_int_equal(CHECK("min_open", "50", "initial", "50"), 0);
  assert_int_equal(CHECK("max_open", "5", "initial", "6"), POOL_E_INVALID);
  assert_string_equal(refusal.message, "initial is 6, which is more than max_idle, 5 (the value of max_open)");
  assert_int_equal(CHECK("retry_min_ms", "10", "retry_max_ms", "5"), POOL_E_INVALID);
  assert_int_equal(CHECK("event_mask", "2", "paused", "true", "queue", "lifo", "name", "a"), 0);
}

/* What a pool is made with is what was set. */
static void test_settings__a_pool_obeys_them(void **state)
{
  (void)state;
  struct fake fake;
  pool_config_t config = POOL_CONFIG_INIT;
  fake_init(&fake);
  assert_int_equal(pool_config_set(&config, "max_open", "1", NULL), 0);
  assert_int_equal(pool_config_set(&config, "initial", "1", NULL), 0);
  assert_int_equal(pool_config_set(&config, "keeper", "manual", NULL), 0);
  pool_t *pool = fake_pool(&fake, &config, NULL);
  assert_int_equal(pool_len(pool), 1);
  pool_lease_t lease = pool_get(pool);
  assert_true(lease > 0);
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_settings__each_is_described_and_has_the_default_of_the_macro),
      cmocka_unit_test(test_settings__the_function_and_the_macro_make_the_same_struct),
      cmocka_unit_test(test_settings__each_takes_its_default_its_limits_and_off),
      cmocka_unit_test(test_settings__a_choice_is_set_and_read_by_its_name),
      cmocka_unit_test(test_settings__a_text_is_kept_where_it_is),
      cmocka_unit_test(test_settings__each_refuses_what_is_outside_of_its_range),
      cmocka_unit_test(test_settings__each_refuses_what_is_no_number_and_says_what_it_may_be),
      cmocka_unit_test(test_settings__short_texts_are_digits_or_refused),
      cmocka_unit_test(test_settings__the_messages),
      cmocka_unit_test(test_settings__a_name_that_is_nearly_right_is_told),
      cmocka_unit_test(test_settings__other_names_are_refused_as_they_are),
      cmocka_unit_test(test_settings__null_is_told_by_name),
      cmocka_unit_test(test_settings__what_contradicts_is_seen_without_a_pool),
      cmocka_unit_test(test_settings__a_pool_obeys_them),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
