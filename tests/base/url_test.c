/* SPDX-License-Identifier: MIT */
/* URLs taken apart: each part decoded, nothing quoted of one that is wrong. */
#include <stdlib.h>
#include <string.h>

#include "base/url.h"
#include "support.h"

static struct url url;

static void take_apart(const char *text)
{
  const char *problem = url_read(&url, text);
  if (problem)
    fail_msg("%s: %s", text, problem);
}

static int forget(void **state)
{
  (void)state;
  url_free(&url);
  return 0;
}

static void test_url__each_part_is_found(void **state)
{
  (void)state;
  take_apart("Postgres://user:secret@one.example:5432,two.example/shop?sslmode=require&pool.max_open=20");
  assert_string_equal(url.scheme, "postgres");
  assert_string_equal(url.user, "user");
  assert_string_equal(url.password, "secret");
  assert_int_equal(url.host_count, 2);
  assert_string_equal(url.hosts[0].name, "one.example");
  assert_string_equal(url.hosts[0].port, "5432");
  assert_string_equal(url.hosts[1].name, "two.example");
  assert_string_equal(url.hosts[1].port, "");
  assert_string_equal(url.path, "/shop");
  assert_int_equal(url.parameter_count, 2);
  assert_string_equal(url.parameters[0].name, "sslmode");
  assert_string_equal(url_value(&url, "pool.max_open"), "20");
  assert_null(url_value(&url, "max_open"));
}

static void test_url__parts_that_are_missing_are_empty(void **state)
{
  (void)state;
  take_apart("sqlite:shop.db");
  assert_string_equal(url.path, "shop.db");
  assert_int_equal(url.host_count, 0);
  assert_null(url.user);
  url_free(&url);
  take_apart("postgres:///shop?");
  assert_string_equal(url.path, "/shop");
  assert_int_equal(url.host_count + url.parameter_count, 0);
  url_free(&url);
  take_apart("tcp://host");
  assert_string_equal(url.path, "");
  assert_null(url.password);
  url_free(&url);
  take_apart("redis://:secret@host:1/");
  assert_string_equal(url.user, "");
  assert_string_equal(url.password, "secret");
  url_free(&url);
  take_apart("x:");
  assert_string_equal(url.path, "");
}

static void test_url__percent_is_decoded_in_each_part_and_only_once(void **state)
{
  (void)state;
  take_apart("a+b.c-d://us%40er:%3a%2F%2525%e2%82%ac@%2Ftmp%2Fa%2Cb/p%3Fq%20?%6eame=a%26b%3Dc+d&name=%41");
  assert_string_equal(url.scheme, "a+b.c-d");
  assert_string_equal(url.user, "us@er");
  assert_string_equal(url.password, ":/%25\u20ac");
  assert_string_equal(url.hosts[0].name, "/tmp/a,b");
  assert_string_equal(url.path, "/p?q ");
  assert_string_equal(url.parameters[0].value, "a&b=c+d");
  assert_string_equal(url.parameters[1].value, "A");
  assert_false(url_is_repeated(&url, 0));
  assert_true(url_is_repeated(&url, 1));
}

static void test_url__an_ipv6_address_stands_in_brackets(void **state)
{
  (void)state;
  take_apart("tcp://[::1]:80,[fe80::1%25eth0]");
  assert_string_equal(url.hosts[0].name, "::1");
  assert_string_equal(url.hosts[0].port, "80");
  assert_string_equal(url.hosts[1].name, "fe80::1%eth0");
}

static void test_url__what_is_wrong_is_refused_and_nothing_is_quoted(void **state)
{
  (void)state;
  static const char *const wrong[] = {"",
                                      ":",
                                      "//host",
                                      "host",
                                      "1a://h",
                                      "a b://h",
                                      "a:// h",
                                      "a://h\n",
                                      "a://h\x7f",
                                      "a://h/%",
                                      "a://h/%4",
                                      "a://h/%zz",
                                      "a://h/%00",
                                      "a://%00",
                                      "a://u:%00@h",
                                      "a://h?a=%00",
                                      "a://h?%00=a",
                                      "a://:80",
                                      "a://u@",
                                      "a://u@:80",
                                      "a://h,",
                                      "a://,h",
                                      "a://h,,h",
                                      "a://h:0",
                                      "a://h:65536",
                                      "a://h:99999",
                                      "a://h:123456",
                                      "a://h:-1",
                                      "a://h:8x",
                                      "a://h:1:2",
                                      "a://::1",
                                      "a://[::1",
                                      "a://[::1]x",
                                      "a://[h]",
                                      "a://h]",
                                      "a://u:p/zq@h",
                                      "a://u:1/zq@h/x",
                                      "a://u:p?zq@h",
                                      "a://u:p?zq@h=1",
                                      "a://u:1?x=zq@h",
                                      "a://u:1?pool.max_open=zq@h",
                                      "a://u@zq@h",
                                      "a://u:p#zq@h",
                                      "a://h?a",
                                      "a://h?=b",
                                      "a://h?a=b&c"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    const char *problem = url_read(&url, wrong[i]);
    if (!problem)
      fail_msg("taken: %s", wrong[i]);
    assert_null(strstr(problem, "zq"));
    assert_null(url.storage);
  }
}

static void test_url__parameters_of_one_prefix_are_left_out(void **state)
{
  (void)state;
  static const char *const pairs[][2] = {{"a://h", "a://h"},
                                         {"Ab://H?B=C", "ab://H?B=C"},
                                         {"a://h?pool.x=1", "a://h"},
                                         {"a://h?b=%20&pool.x=1", "a://h?b=%20"},
                                         {"a://h?p%6fol.x=1&&b=2&pool.y=&c=3&", "a://h?b=2&c=3"}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    take_apart(pairs[i][0]);
    char *rest = url_without(&url, pairs[i][0], "pool.", 3);
    assert_string_equal(rest, pairs[i][1]);
    for (const char *behind = rest + strlen(rest); behind < rest + strlen(pairs[i][0]) + 1 + 3; behind++)
      assert_int_equal(*behind, 0);
    free(rest);
    url_free(&url);
  }
}

/* ---- URLs that are changed at random ---- */

/* Changes, adds or takes away a few characters. */
static void mutate(char *text, size_t room, uint64_t *state)
{
  static const char characters[] = "%%%::@@//??##&&==,,[[]].+-_ 0129aAfFzp\x01\x7f\xc3";
  for (uint32_t changes = random_next(state) % 6; changes > 0; changes--) {
    size_t length = strlen(text), at = random_next(state) % (length + 1);
    char c = characters[random_next(state) % (sizeof characters - 1)];
    if (random_next(state) % 3 == 0 && at < length)
      memmove(text + at, text + at + 1, length - at);
    else if (random_next(state) % 2 && length + 2 < room)
      memmove(text + at + 1, text + at, length - at + 1), text[at] = c;
    else if (at < length)
      text[at] = c;
  }
}

static void same_text(const char *one, const char *other)
{
  assert_int_equal(!one, !other);
  if (one)
    assert_string_equal(one, other);
}

/* Without the parameters of a prefix all else of a URL is what it was. */
static void expect_the_rest(const char *text)
{
  struct url rest;
  char *copy = url_without(&url, text, "pool.", 0);
  if (url_read(&rest, copy))
    fail_msg("%s becomes %s, which is no URL", text, copy);
  same_text(rest.scheme, url.scheme);
  same_text(rest.user, url.user);
  same_text(rest.password, url.password);
  same_text(rest.path, url.path);
  assert_int_equal(rest.host_count, url.host_count);
  for (size_t i = 0; i < url.host_count; i++)
    same_text(rest.hosts[i].name, url.hosts[i].name);
  size_t count = 0;
  for (size_t i = 0; i < url.parameter_count; i++) {
    if (strncmp(url.parameters[i].name, "pool.", 5) == 0)
      continue;
    same_text(rest.parameters[count].name, url.parameters[i].name);
    same_text(rest.parameters[count++].value, url.parameters[i].value);
  }
  assert_int_equal(rest.parameter_count, count);
  url_free(&rest);
  free(copy);
}

static void test_url__whatever_it_is_it_has_its_parts_or_a_problem(void **state)
{
  (void)state;
  static const char *const begins[] = {"postgres://user:p%40ss@[::1]:5432,b/db?pool.max_open=1&sslmode=x&p%6fol.y=%25",
                                       "tcp://h:1?a=b&&pool.a=b&", "x:/p%20q?pool.=1", "redis://:pw@%2Ftmp%2Fs/0"};
  uint64_t random = 88172645463325252;
  int taken = 0, rounds = 40000;
  for (int i = 0; i < rounds; i++) {
    char text[200];
    strcpy(text, begins[i % 4]);
    mutate(text, sizeof text, &random);
    if (url_read(&url, text)) {
      assert_null(url.storage);
      continue;
    }
    expect_the_rest(text);
    url_free(&url);
    taken++;
  }
  assert_in_range(taken, rounds / 10, rounds * 9 / 10);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(test_url__each_part_is_found, forget),
      cmocka_unit_test_teardown(test_url__parts_that_are_missing_are_empty, forget),
      cmocka_unit_test_teardown(test_url__percent_is_decoded_in_each_part_and_only_once, forget),
      cmocka_unit_test_teardown(test_url__an_ipv6_address_stands_in_brackets, forget),
      cmocka_unit_test_teardown(test_url__what_is_wrong_is_refused_and_nothing_is_quoted, forget),
      cmocka_unit_test_teardown(test_url__parameters_of_one_prefix_are_left_out, forget),
      cmocka_unit_test_teardown(test_url__whatever_it_is_it_has_its_parts_or_a_problem, forget),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
