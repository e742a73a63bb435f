/* SPDX-License-Identifier: MIT */
/*
 * Checks and decodes texts that are made at random, and compares the results with those of jansson.
 */
#include "support.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/json_check.h"

static bool check_pieces(const char *text, size_t size, size_t piece)
{
  struct json_check check;
  json_check_start(&check);
  for (size_t at = 0; at < size; at += piece)
    json_check_feed(&check, text + at, piece < size - at ? piece : size - at);
  return json_check_end(&check);
}

/* Whether the text is JSON; the result must not depend on how the text is cut. */
static bool is_json(const char *text, size_t size)
{
  bool whole = check_pieces(text, size, size + 1);
  for (size_t piece = 1; piece < 8; piece++)
    if (check_pieces(text, size, piece) != whole)
      fail_msg("cut into pieces of %zu it is judged otherwise: %.*s", piece, (int)size, text);
  return whole;
}

static const char *const good[] = {
    "0",
    "-0",
    " 12 ",
    "\t\r\n-1.50e+009\n",
    "1E400",
    "123456789012345678901234567890",
    "true",
    "false",
    "null",
    "\"\"",
    "\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\u0000\"",
    "\"\\ud83d\\ude00\\uD83D\\uDE00\"",
    "\"\x7f \xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf\"",
    "[]",
    "[ ]",
    "{}",
    "{ }",
    "[1,[2,{\"a\":[]}],\"x\"]",
    "{\"a\":{\"b\":null,\"b\":-0},\"\":[{},{}]}",
    " { \"a\" : [ 1 , true ] } ",
};

static void test_json_check__accepts_what_is_json(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
    if (!is_json(good[i], strlen(good[i])))
      fail_msg("refused: %s", good[i]);
}

static void test_json_check__refuses_what_is_not(void **state)
{
  (void)state;
  static const char *const bad[] = {
      "",
      " ",
      "-",
      "+1",
      "01",
      "-01",
      "1.",
      ".5",
      "1.e5",
      "1e",
      "1e+",
      "0x10",
      "1 2",
      "1,2",
      "NaN",
      "Infinity",
      "tru",
      "trueish",
      "nul",
      "nulll",
      "True",
      "'a'",
      "\"",
      "\"a",
      "\"\\\"",
      "\"\\x\"",
      "\"\\u12g4\"",
      "\"\n\"",
      "\"\x1f\"",
      "\"\\ud800\"",
      "\"\\udc00\"",
      "\"\\ud800\\u0041\"",
      "\"\\ud800\\ud800\"",
      "\"\\ud800x\"",
      "\"\x80\"",
      "\"\xc0\xaf\"",
      "\"\xc1\xbf\"",
      "\"\xc3\"",
      "\"\xe0\x9f\xbf\"",
      "\"\xed\xa0\x80\"",
      "\"\xf0\x8f\xbf\xbf\"",
      "\"\xf4\x90\x80\x80\"",
      "\"\xf5\x80\x80\x80\"",
      "\"\xff\"",
      "\xef\xbb\xbf"
      "1",
      "[",
      "]",
      "[1",
      "[1,]",
      "[,1]",
      "[1 2]",
      "[1}",
      "{",
      "}",
      "{]",
      "{1:2}",
      "{\"a\"}",
      "{\"a\":}",
      "{\"a\" 1}",
      "{:1}",
      "{,}",
      "{\"a\":1,}",
      "{\"a\":1 \"b\":2}",
      "{\"a\"::1}",
      "{a:1}",
      "[:]",
      "{}{}",
      "[]]",
      "\f1",
      "//1",
      "1//",
      "[1]x",
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    if (is_json(bad[i], strlen(bad[i])))
      fail_msg("accepted: %s", bad[i]);
  assert_false(is_json("1\0", 2));
  assert_false(is_json("\"\0\"", 3));
}

static void test_json_check__says_where_it_goes_wrong(void **state)
{
  (void)state;
  struct json_check check;
  json_check_start(&check);
  assert_true(json_check_feed(&check, "[1,2", 4));
  assert_false(json_check_feed(&check, "2,x]", 4));
  assert_int_equal(check.size, 6);
  assert_false(json_check_feed(&check, "1", 1));
  assert_int_equal(check.size, 6);
  assert_false(json_check_end(&check));
  assert_string_equal(check.problem, "it is not JSON");
}

static void test_json_check__depth_has_a_limit(void **state)
{
  (void)state;
  static char text[JSON_DEPTH_MOST * 2 + 2];
  memset(text, '[', JSON_DEPTH_MOST);
  memset(text + JSON_DEPTH_MOST, ']', JSON_DEPTH_MOST);
  assert_true(check_pieces(text, JSON_DEPTH_MOST * 2, 100));
  memset(text, '[', JSON_DEPTH_MOST + 1);
  memset(text + JSON_DEPTH_MOST + 1, ']', JSON_DEPTH_MOST + 1);
  struct json_check check;
  json_check_start(&check);
  assert_false(json_check_feed(&check, text, sizeof text));
  assert_int_equal(check.size, JSON_DEPTH_MOST);
  assert_false(json_check_end(&check));
  assert_string_equal(check.problem, "its brackets are nested too deep");
}

/* ---- the same as jansson ---- */

static uint64_t seed = 1;

static uint32_t roll(uint32_t sides)
{
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return (uint32_t)(seed >> 33) % sides;
}

struct text {
  char data[4000];
  size_t size;
};

static void add(struct text *text, const char *more)
{
  size_t size = strlen(more);
  if (text->size + size < sizeof text->data) {
    memcpy(text->data + text->size, more, size);
    text->size += size;
  }
}

static void add_string(struct text *text)
{
  static const char *const pieces[] = {"a",
                                       " ",
                                       "\\n",
                                       "\\\"",
                                       "\\\\",
                                       "\\/",
                                       "\\t",
                                       "\\u0041",
                                       "\\u00e4",
                                       "\\u20ac",
                                       "\\ud83d\\ude00",
                                       "\\u0001",
                                       "\xc3\xa4",
                                       "\xe2\x82\xac",
                                       "\xf0\x9f\x98\x80",
                                       "]"};
  add(text, "\"");
  for (uint32_t count = roll(5); count > 0; count--)
    add(text, pieces[roll(sizeof pieces / sizeof pieces[0])]);
  add(text, "\"");
}

static void add_value(struct text *text, int depth)
{
  static const char *const plain[] = {
      "0", "-0", "12", "-3.25", "1e5", "2E-7", "0.5e+3", "true", "false", "null", "99999999999999999999"};
  uint32_t kind = roll(depth > 0 ? 6 : 3);
  if (roll(4) == 0)
    add(text, roll(2) ? " " : "\n");
  if (kind < 2) {
    add(text, plain[roll(sizeof plain / sizeof plain[0])]);
  } else if (kind == 2) {
    add_string(text);
  } else {
    bool object = kind > 3;
    add(text, object ? "{" : "[");
    for (uint32_t count = roll(4), i = 0; i < count; i++) {
      add(text, i ? "," : "");
      if (object) {
        add_string(text);
        add(text, ":");
      }
      add_value(text, depth - 1);
    }
    add(text, object ? "}" : "]");
  }
}

/* Changes, adds or removes one byte.  The new one is mostly a byte that JSON uses. */
static void spoil(struct text *text)
{
  static const char bytes[] = "{}[]:,\"\\ \n0123.eE+-tfnulasr/bu\x01\x1f\x7f\x80\xbf\xc0\xc3\xe0\xed\xf0\xf4\xff";
  size_t at = roll((uint32_t)text->size);
  char byte = roll(8) ? bytes[roll(sizeof bytes - 1)]
                      : (char)(1 + roll(255)) /* never 0, for jansson accepts a 0 after a number */;
  switch (roll(3)) {
  case 0:
    text->data[at] = byte;
    break;
  case 1:
    memmove(text->data + at, text->data + at + 1, text->size - at - 1);
    text->size--;
    break;
  default:
    if (text->size + 1 == sizeof text->data)
      break;
    memmove(text->data + at + 1, text->data + at, text->size - at);
    text->data[at] = byte;
    text->size++;
  }
}

/* With these flags jansson accepts what RFC 8259 accepts.  It does not read on after a number beyond a double, or after
   a member's name that contains \u0000; then its result says nothing about the text. */
static json_t *jansson(const char *text, size_t size, json_error_t *why)
{
  return json_loadb(text, size, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, why);
}

static bool says_nothing(const json_error_t *why)
{
  return json_error_code(why) == json_error_numeric_overflow || json_error_code(why) == json_error_null_byte_in_key;
}

static void test_json_check__same_verdict_as_jansson(void **state)
{
  (void)state;
  enum { ROUNDS = 60000 };
  int accepted = 0;
  for (int i = 0; i < ROUNDS; i++) {
    struct text text = {.size = 0};
    add_value(&text, 4);
    for (uint32_t times = roll(3); times > 0 && text.size > 0; times--)
      spoil(&text);
    json_error_t why;
    json_t *tree = jansson(text.data, text.size, &why);
    bool expected = tree != NULL;
    json_decref(tree);
    if (!expected && says_nothing(&why))
      continue;
    if (check_pieces(text.data, text.size, 1 + roll(20)) != expected)
      fail_msg("jansson %s it: %.*s", expected ? "accepts" : "refuses", (int)text.size, text.data);
    accepted += expected;
  }
  assert_true(accepted > ROUNDS / 5 && accepted < ROUNDS * 4 / 5); /* both results are tested */
}

static void test_json_check__strings_say_what_jansson_reads(void **state)
{
  (void)state;
  for (int i = 0; i < 20000; i++) {
    struct text text = {.size = 0};
    char said[sizeof text.data];
    json_error_t why;
    add_string(&text);
    json_t *tree = jansson(text.data, text.size, &why);
    assert_non_null(tree);
    size_t size = json_check_unescape(said, text.data + 1, text.size - 2);
    assert_int_equal(size, json_string_length(tree));
    assert_memory_equal(said, json_string_value(tree), size);
    json_decref(tree);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_json_check__accepts_what_is_json),
      cmocka_unit_test(test_json_check__refuses_what_is_not),
      cmocka_unit_test(test_json_check__says_where_it_goes_wrong),
      cmocka_unit_test(test_json_check__depth_has_a_limit),
      cmocka_unit_test(test_json_check__same_verdict_as_jansson),
      cmocka_unit_test(test_json_check__strings_say_what_jansson_reads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
