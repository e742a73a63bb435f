/* SPDX-License-Identifier: MIT */
/* Writing JSON, and walking over the elements of an array. */
#include "support.h"

#include <string.h>

#include "support/json_array.h"
#include "support/json_text.h"

static void expect(struct json_text *text, const char *expected)
{
  pool_bytes_t bytes = {NULL, 0};
  assert_true(json_text_take(text, &bytes));
  if (bytes.size != strlen(expected) || memcmp(bytes.data, expected, bytes.size) != 0)
    fail_msg("%.*s, and not %s", (int)bytes.size, (const char *)bytes.data, expected);
  pool_bytes_free(&bytes);
}

static void test_a_string_is_escaped_and_is_utf8(void **state)
{
  static const struct {
    const char *bytes;
    size_t size;
    const char *expected;
  } all[] = {
      {"", 0, "\"\""},
      {"plain", 5, "\"plain\""},
      {"\"\\/\b\f\n\r\t\0\x1f", 10, "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\""},
      {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
      {"a\xff"
       "b",
       3,
       "\"a\xef\xbf\xbd"
       "b\""},
      {"\xc3", 1, "\"\xef\xbf\xbd\""},
      {"\xc0\x80", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\""},
      {"\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
      {"\xf4\x90\x80\x80", 4, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
      {"\xe2\x82z", 3, "\"\xef\xbf\xbd\xef\xbf\xbdz\""},
  };
  (void)state;
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    struct json_text text = {.limit = 1000};
    json_text_string(&text, all[i].bytes, all[i].size);
    expect(&text, all[i].expected);
  }
}

static void test_a_value_that_is_none_becomes_a_string(void **state)
{
  struct json_text text = {.limit = 1000};
  (void)state;
  json_text_value(&text, "12.50", 5);
  json_text_say(&text, " ");
  json_text_value(&text, "[1, {}]", 7);
  json_text_say(&text, " ");
  json_text_value(&text, "NaN", 3);
  expect(&text, "12.50 [1, {}] \"NaN\"");
}

static void test_a_text_above_its_limit_takes_nothing_more(void **state)
{
  pool_bytes_t bytes = {NULL, 0};
  struct json_text text = {.limit = 5};
  (void)state;
  json_text_say(&text, "12345");
  assert_int_equal(text.problem, JSON_TEXT_GOOD);
  json_text_say(&text, "6");
  assert_int_equal(text.problem, JSON_TEXT_TOO_LARGE);
  json_text_say(&text, "");
  assert_int_equal(text.size, 5);
  assert_false(json_text_take(&text, &bytes));
}

static void test_the_elements_of_an_array_are_found(void **state)
{
  static const char array[] = " [ 1 ,\"a,]\\\"\\\\\",[[\"]\"],{\"b\":[2]}], null,-1.5e3 ] ";
  static const char *const elements[] = {"1", "\"a,]\\\"\\\\\"", "[[\"]\"],{\"b\":[2]}]", "null", "-1.5e3"};
  const char *at = array;
  (void)state;
  assert_true(json_array_is_one(array));
  for (size_t i = 0; i < sizeof elements / sizeof *elements; i++) {
    at = json_array_next(at);
    assert_non_null(at);
    assert_int_equal(json_array_end(at) - at, strlen(elements[i]));
    assert_memory_equal(at, elements[i], strlen(elements[i]));
    at = json_array_end(at);
  }
  assert_null(json_array_next(at));
  assert_null(json_array_next(" [ ] "));
  assert_false(json_array_is_one("{}"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_string_is_escaped_and_is_utf8),
      cmocka_unit_test(test_a_value_that_is_none_becomes_a_string),
      cmocka_unit_test(test_a_text_above_its_limit_takes_nothing_more),
      cmocka_unit_test(test_the_elements_of_an_array_are_found),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
