/* SPDX-License-Identifier: MIT */
/* Messages of others: as one line, and without the password that they repeat. */
#include "support.h"

#include <string.h>

#include "support/failure.h"

#define SHORT "sesame"
#define LONG  "sixteen-bytes-16-and-some-more"

static void expect_line(const char *password, const char *text, const char *expected)
{
  char line[80];
  assert_int_equal(failure_line_without(password, line, sizeof line, text), strlen(expected));
  assert_string_equal(line, expected);
}

static void test_a_password_is_hidden_also_where_its_end_was_cut_off(void **state)
{
  (void)state;
  expect_line(SHORT, "no '" SHORT "', and no \n" SHORT " ", "no '***', and no ***");
  expect_line(LONG, "no '" LONG "' here", "no '***' here");
  expect_line(LONG, "no 'sixteen-bytes-16-and...' here", "no '***...' here");
  expect_line(LONG, "no sixteen-bytes-16", "no ***");
}

static void test_what_is_no_password_stays(void **state)
{
  (void)state;
  expect_line(SHORT, "open sesam", "open sesam");
  expect_line(LONG, "sixteen-bytes-1 here", "sixteen-bytes-1 here");
  expect_line("", "all of it", "all of it");
  expect_line(NULL, "all of it", "all of it");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_password_is_hidden_also_where_its_end_was_cut_off),
      cmocka_unit_test(test_what_is_no_password_stays),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
