/* SPDX-License-Identifier: MIT */
/* The driver foreign, with a library that writes down how it is called: each type, each judgement, each word, each way
   to fail; and descriptions that are broken, with the place that the message names. */
#include "support.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pool/driver.h>

#include "foreign_library.h"
#include "holder.h"

#define SECOND INT64_C(1000000000)

static char folder[] = "/tmp/foreign_test.XXXXXX";
static char path[64];

/* A description that was understood, and a connection. */
struct made {
  pool_vtable_t vtable;
  void *context;
  void *conn;
  pool_error_t error;
};

static void write_file(const char *text, size_t size)
{
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_int_equal(fwrite(text, 1, size, file), size);
  assert_int_equal(fclose(file), 0);
}

/* Prepares a description.  The URL is what stands before "?" and behind it. */
static int make(struct made *made, const char *description, const char *before, const char *behind)
{
  char url[300];
  *made = (struct made){.vtable = POOL_VTABLE_INIT, .error = POOL_ERROR_INIT};
  write_file(description, strlen(description));
  snprintf(url, sizeof url, "%s?description=%s%s", before, path, behind);
  fl_forget();
  return pool_url_prepare(url, NULL, &made->vtable, &made->context, &made->error);
}

static int open_with(struct made *made, int64_t deadline_ns)
{
  return made->vtable.open(made->context, deadline_ns, &made->conn, &made->error);
}

static int close_it(struct made *made)
{
  return made->vtable.close(made->context, made->conn, &made->error);
}

static int check_it(struct made *made)
{
  return made->vtable.check(made->context, made->conn, POOL_NO_DEADLINE, &made->error);
}

static void unmake(struct made *made)
{
  made->vtable.release(made->context);
  assert_int_equal(fl_things(), 0);
  assert_int_equal(fl_blobs(), 0);
}

static void make_well(struct made *made, const char *description, const char *before, const char *behind)
{
  if (make(made, description, before, behind) != 0)
    fail_msg("%s", made->error.message);
}

/* The message behind the name of the file, without what the library puts before it. */
static const char *message_of(const struct made *made)
{
  const char *at = strstr(made->error.message, path);
  return at ? at + strlen(path) : made->error.message;
}

#define HEAD                                                                                                           \
  "library libforeign_library.so\n"                                                                                    \
  "function fl_new() -> pointer\n"                                                                                     \
  "         fl_close(pointer) -> int\n"                                                                                \
  "         fl_check(pointer) -> int\n"                                                                                \
  "         fl_end(pointer) -> void\n"                                                                                 \
  "         fl_open(text, int, out pointer) -> int\n"
#define OPEN  "open conn = fl_new() is not null\n"
#define CLOSE "close fl_close(conn) is 0\n"

/* Opens and closes, and compares what the library has seen. */
static void expect_log(const char *description, const char *before, const char *behind, const char *log)
{
  struct made made;
  make_well(&made, description, before, behind);
  if (open_with(&made, POOL_NO_DEADLINE) != 0)
    fail_msg("%s", made.error.message);
  assert_int_equal(close_it(&made), 0);
  assert_string_equal(fl_log(), log);
  unmake(&made);
}

/* ---- arguments ---- */

static void arguments_of_each_type_arrive(void **state)
{
  (void)state;
  expect_log(HEAD "function fl_integers(int8, int16, int32, int64, uint8, uint16, uint32, uint64) -> int\n" OPEN
                  "     fl_integers(-128, -32768, -2147483648, -9223372036854775808, 255, 65535, 0xffffffff,\n"
                  "                 18446744073709551615) is 0\n" CLOSE,
             "test:", "",
             "new;integers -128 -32768 -2147483648 -9223372036854775808 255 65535 4294967295 18446744073709551615;"
             "close;");
  expect_log(HEAD "function fl_others(int, uint, long, ulong, size, float, double) -> int\n" OPEN
                  "     fl_others(-1, 2, -3, 4, 5, 0.5, -0.25) is 0\n" CLOSE,
             "test:", "", "new;others -1 2 -3 4 5 0.5 -0.25;close;");
  expect_log(HEAD "function fl_others(int, uint, long, ulong, size, float, double) -> int\n" OPEN
                  "     fl_others(1, 2, 3, 4, 5, 6, 7) is 0\n" CLOSE,
             "test:", "", "new;others 1 2 3 4 5 6 7;close;");
  expect_log(HEAD "function fl_references(ref int8, ref uint64, ref double, ref text) -> int\n" OPEN
                  "     fl_references(-1, 2, 0.5, \"x\") is 0\n"
                  "     fl_references(-1, 2, 1, null) is 0\n" CLOSE,
             "test:", "", "new;references -1 2 0.5 x;references -1 2 1 NONE;close;");
}

static void numbers_are_read_alike_in_each_language(void **state)
{
  (void)state;
  const char *description =
      HEAD "function fl_others(int, uint, long, ulong, size, float, double) -> int\n"
           "parameter half double = 0.5 \n" OPEN "     fl_others(0, 0, 0, 0, 0, -12.25, half) is 0\n" CLOSE;
  assert_non_null(setlocale(LC_ALL, "de_DE.UTF-8")); /* 0.5 is 0,5 to printf() and strtod() */
  struct made made;
  make_well(&made, description, "test:", "&half=0.25");
  assert_int_equal(open_with(&made, POOL_NO_DEADLINE), 0);
  assert_int_equal(close_it(&made), 0);
  setlocale(LC_ALL, "C");
  assert_string_equal(fl_log(), "new;others 0 0 0 0 0 -12,25 0,25;close;");
  unmake(&made);
  expect_log(description, "test:", "", "new;others 0 0 0 0 0 -12.25 0.5;close;");
}

static void texts_are_joined_and_measured(void **state)
{
  (void)state;
  expect_log(HEAD "function fl_texts(text, text, pointer, size) -> int\n"
                  "constant GREETING = \"hello\"\n"
                  "parameter name text = \"world\"\n" OPEN
                  "     fl_texts(GREETING \", \" name, \"a\\\"b\\\\\", null, length(GREETING \"!\")) is 0\n" CLOSE,
             "test:", "&name=you", "new;texts hello, you a\"b\\ NULL 6;close;");
}

static void parts_of_the_url_arrive(void **state)
{
  (void)state;
  const char *description =
      HEAD "function fl_texts(text, text, pointer, size) -> int\n"
           "open fl_open(url.host, url.port or 389, conn) is 0\n"
           "     fl_texts(url.user or \"nobody\", url.password or null, url.name or null, 0) is 0\n"
           "     fl_texts(url.scheme \"://\" url.host, url.path or \"/\", url.path or null, "
           "length(url.user or \"\")) is 0\n" CLOSE;
  expect_log(description, "test://anna:s%20ecret@example:17/a/b", "",
             "open example 17;texts anna s ecret a/b 0;texts test://example /a/b /a/b 4;close;");
  expect_log(description, "test://example", "",
             "open example 389;texts nobody NULL NULL 0;texts test://example / NULL 0;close;");
}

static void a_server_is_written_as_in_a_url(void **state)
{
  static const char *const urls[][2] = {{"test://example", "open example 1;close;"},
                                        {"test://example:17", "open example:17 1;close;"},
                                        {"test://[::1]:17", "open [::1]:17 1;close;"},
                                        {"test://[fe80::1]", "open [fe80::1] 1;close;"},
                                        {"test://%2Frun%2Fa%20b", "open %2Frun%2Fa%20b 1;close;"}};
  (void)state;
  for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
    expect_log(HEAD "open fl_open(url.server, 1, conn) is 0\n" CLOSE, urls[i][0], "", urls[i][1]);
}

static void flags_and_constants_are_joined(void **state)
{
  (void)state;
  expect_log(HEAD "constant A = 1\n"
                  "         B = 0x10\n"
                  "open fl_open(\"x\", A | B | 4, conn) is 0\n" CLOSE,
             "test:", "", "open x 21;close;");
}

static void sixteen_arguments_arrive(void **state)
{
  (void)state;
  expect_log(HEAD "function fl_many(int, int, int, int, int, int, int, int, int, int, int, int, int, int, int, int) -> "
                  "int\n" OPEN "     fl_many(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16) is 0\n" CLOSE,
             "test:", "", "new;many 1496;close;");
}

static void functions_with_dots_get_what_c_gives_them(void **state)
{
  (void)state;
  expect_log(HEAD "function fl_sum(int, ..., int, int, double) -> int as sum_of_two\n"
                  "         fl_sum(int, ..., double) -> int\n" OPEN "     sum_of_two(2, 3, 4, 0.5) is 0\n"
                  "     fl_sum(0, 1.5) is 0\n" CLOSE,
             "test:", "", "new;sum 7 0.5;sum 0 1.5;close;");
}

static void what_a_call_sets_goes_into_the_next(void **state)
{
  (void)state;
  expect_log(HEAD "function fl_out(out int8, out uint64, out double, out text, out pointer) -> int\n"
                  "         fl_integers(int8, int16, int32, int64, uint8, uint16, uint32, uint64) -> int\n"
                  "         fl_texts(text, text, pointer, size) -> int\n"
                  "         fl_others(int, uint, long, ulong, size, float, double) -> int\n" OPEN
                  "     fl_out(a, b, c, d, null) is 0\n"
                  "     a is -8\n"
                  "     fl_integers(a, a, a, a, 1, 2, 3, b) is 0\n"
                  "     fl_texts(d, d, d, 0) is 0\n"
                  "     fl_others(a, 0, 0, 0, 0, 0, c) is 0\n" CLOSE,
             "test:", "",
             "new;out;integers -8 -8 -8 -8 1 2 3 18446744073709551615;texts found found found 0;others -8 0 0 0 0 0 "
             "0.25;close;");
}

/* Seconds of a timeval are from 0. */
static void a_variable_goes_into_another_type_as_the_same_number(void **state)
{
  static const struct {
    int64_t result;
    const char *log;
  } rows[] = {{3, "new;others 0 0 0 0 0 1.5 1.5;wait 3.000000 3;close;"},
              {-1, "new;others 0 0 0 0 0 -0.5 -0.5;wait 0.000000 -1;close;"}};
  struct made made;
  (void)state;
  make_well(&made,
            HEAD "function fl_double_result() -> double\n"
                 "         fl_float_result() -> float\n"
                 "         fl_int32_result() -> int32\n"
                 "         fl_others(int, uint, long, ulong, size, float, double) -> int\n"
                 "         fl_wait(timeval, long) -> int\n" OPEN
                 "     d = fl_double_result() ignored\n"
                 "     f = fl_float_result() ignored\n"
                 "     n = fl_int32_result() ignored\n"
                 "     fl_others(0, 0, 0, 0, 0, d, f) is 0\n"
                 "     fl_wait(n, n) is 0\n" CLOSE,
            "test:", "");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    fl_forget();
    fl_set_result(rows[i].result);
    assert_int_equal(open_with(&made, POOL_NO_DEADLINE), 0);
    assert_int_equal(close_it(&made), 0);
    assert_string_equal(fl_log(), rows[i].log);
  }
  unmake(&made);
}

static void a_deadline_becomes_a_timeout(void **state)
{
  struct made made;
  long seconds, micro, ms;
  (void)state;
  make_well(&made,
            HEAD "function fl_wait(timeval, long) -> int\n" OPEN
                 "     fl_wait(deadline.timeval or 3, deadline.ms or -1) is 0\n" CLOSE,
            "test:", "");
  assert_int_equal(open_with(&made, POOL_NO_DEADLINE), 0);
  assert_int_equal(close_it(&made), 0);
  assert_string_equal(fl_log(), "new;wait 3.000000 -1;close;");
  fl_forget();
  assert_int_equal(open_with(&made, now_ns() + 3600 * SECOND), 0);
  assert_int_equal(sscanf(fl_log(), "new;wait %ld.%ld %ld;", &seconds, &micro, &ms), 3);
  assert_in_range(seconds, 3000, 3600);
  assert_in_range(ms, 3000000, 3600000);
  assert_int_equal(close_it(&made), 0);
  fl_forget();
  assert_int_equal(open_with(&made, now_ns() - 1), POOL_E_TIMEOUT);
  assert_string_equal(made.error.message, "the deadline passed before the call of fl_new");
  assert_string_equal(fl_log(), "");
  unmake(&made);
}

static void what_stands_in_the_place_of_a_deadline_is_passed_without_one(void **state)
{
  (void)state;
  struct made made;
  make_well(&made,
            HEAD "function fl_int32_result() -> int32\n"
                 "         fl_wait(timeval, long) -> int\n" OPEN
                 "     n = fl_int32_result() ignored\n"
                 "     fl_wait(deadline.timeval or n, deadline.ms or n) is 0\n"
                 "     fl_wait(deadline.timeval or null, deadline.ms or deadline.s or url.port or n) is 0\n"
                 "     fl_wait(null, deadline.us or deadline.ms or 8) is 0\n" CLOSE,
            "test:", "");
  fl_set_result(7);
  assert_int_equal(open_with(&made, POOL_NO_DEADLINE), 0);
  assert_int_equal(close_it(&made), 0);
  assert_string_equal(fl_log(), "new;wait 7.000000 7;wait NULL 7;wait NULL 8;close;");
  unmake(&made);
}

/* ---- judgements ---- */

struct judged {
  const char *type, *judgement;
  int64_t good[3], bad[3]; /* 3 of each */
};

static const struct judged judgements[] = {
    {"int8", "is 0", {0, 0, 0}, {1, -1, 127}},
    {"int8", "is not -1", {0, 1, -128}, {-1, -1, -1}},
    {"int16", "is -3..-1", {-3, -2, -1}, {-4, 0, 30000}},
    {"int32", ">= 0", {0, 1, INT32_MAX}, {-1, INT32_MIN, -5}},
    {"int32", "> 0", {1, 2, INT32_MAX}, {0, -1, INT32_MIN}},
    {"int64", "< 0", {-1, -2, INT64_MIN}, {0, 1, INT64_MAX}},
    {"int64", "<= -9223372036854775808", {INT64_MIN, INT64_MIN, INT64_MIN}, {0, -1, INT64_MAX}},
    {"uint8", "is 255", {-1, 255, -1}, {0, 1, 254}},
    {"uint16", "is 0 or 5..6", {0, 5, 6}, {1, 4, 7}},
    {"uint32", "is 0xffffffff", {-1, -1, UINT32_MAX}, {0, 1, 2}},
    {"uint64", "is 18446744073709551615", {-1, -1, -1}, {0, 1, 2}},
    {"int32", "is true", {1, -1, 5}, {0, 0, 0}},
    {"uint8", "is false", {0, 256, 512}, {1, 2, 255}},
    {"int32", "is not 0 or 3", {1, 2, 4}, {0, 3, 0}},
    {"double", "is 1", {2, 2, 2}, {1, 3, -2}},
    {"float", ">= 1", {2, 3, 4}, {1, 0, -2}},
    {"text", "is not null", {1, 1, 1}, {0, 0, 0}},
    {"text", "is null", {0, 0, 0}, {1, 1, 1}},
    {"pointer", "is not null", {1, 2, 3}, {0, 0, 0}},
};

static void results_are_judged(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof judgements / sizeof *judgements; i++) {
    const struct judged *judged = &judgements[i];
    char description[1000];
    struct made made;
    snprintf(description, sizeof description,
             HEAD "function fl_%s_result() -> %s\n" OPEN CLOSE "check fl_%s_result() %s # as it is\n", judged->type,
             judged->type, judged->type, judged->judgement);
    make_well(&made, description, "test:", "");
    assert_int_equal(open_with(&made, POOL_NO_DEADLINE), 0);
    for (int j = 0; j < 3; j++) {
      fl_set_result(judged->good[j]);
      if (check_it(&made) != 0)
        fail_msg("%s of %lld: %s", judged->judgement, (long long)judged->good[j], made.error.message);
      fl_set_result(judged->bad[j]);
      if (check_it(&made) != POOL_E_BROKEN)
        fail_msg("%s %s lets %lld pass", judged->type, judged->judgement, (long long)judged->bad[j]);
    }
    assert_int_equal(close_it(&made), 0);
    unmake(&made);
  }
}

static void a_result_that_is_wrong_is_shown(void **state)
{
  struct made made;
  (void)state;
  make_well(&made, HEAD OPEN CLOSE "check fl_check(conn) is 0 or 3\n", "test:", "");
  assert_int_equal(open_with(&made, POOL_NO_DEADLINE), 0);
  fl_set_check(-5);
  assert_int_equal(check_it(&made), POOL_E_BROKEN);
  assert_string_equal(made.error.message, "fl_check returned -5 where the description says 'is 0 or 3'");
  assert_int_equal(made.error.native, -5);
  assert_int_equal(close_it(&made), 0);
  unmake(&made);
}

/* ---- errors ---- */

static void the_librarys_own_words_say_what_is_wrong(void **state)
{
  static const char *const words[][2] = {
      {"error fl_error(conn)\n", "fl_check: trouble"},
      {"error fl_error_of(code)\n", "fl_check: seven"},
      {"error fl_error_out(conn, message) is 0\n", "fl_check: trouble"},
      {"error fl_error_of(0)\n      fl_error(conn)\n", "fl_check: trouble"},
      {"error fl_error_of(0)\n", "fl_check returned 7 where the description says 'is 0'"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    char description[1000];
    struct made made;
    snprintf(description, sizeof description,
             HEAD "function fl_error(pointer) -> text\n"
                  "         fl_error_of(int) -> text\n"
                  "         fl_error_out(pointer, out text) -> int\n" OPEN CLOSE "check fl_check(conn) is 0\n%s",
             words[i][0]);
    make_well(&made, description, "test:", "");
    assert_int_equal(open_with(&made, POOL_NO_DEADLINE), 0);
    fl_set_check(7);
    assert_int_equal(check_it(&made), POOL_E_BROKEN);
    assert_string_equal(made.error.message, words[i][1]);
    assert_int_equal(made.error.native, 7);
    assert_int_equal(close_it(&made), 0);
    unmake(&made);
  }
}

static void a_description_may_say_what_is_wrong_itself(void **state)
{
  struct made made;
  (void)state;
  make_well(&made,
            HEAD "function fl_error(pointer) -> text\n" OPEN CLOSE
                 "check fl_check(conn) is 0 else \"it is tired\"\nerror fl_error(conn)\n",
            "test:", "");
  assert_int_equal(open_with(&made, POOL_NO_DEADLINE), 0);
  fl_set_check(7);
  assert_int_equal(check_it(&made), POOL_E_BROKEN);
  assert_string_equal(made.error.message, "fl_check: it is tired");
  assert_int_equal(close_it(&made), 0);
  unmake(&made);
}

static void no_message_has_a_password_in_it(void **state)
{
  struct made made;
  const char *description =
      HEAD "function fl_error(pointer) -> text\n"
           "         fl_texts(text, text, pointer, size) -> int\n"
           "secret key text = null\n" OPEN "     fl_texts(url.user, url.password, key, length(url.host)) is 0\n" CLOSE
           "check fl_check(conn) is 0\n"
           "error fl_error(conn)\n";
  (void)state;
  make_well(&made, description, "test://anna:hunter2@example", "&key=tr%3Fsor-that-is-long");
  assert_int_equal(open_with(&made, POOL_NO_DEADLINE), 0);
  assert_string_equal(fl_log(), "new;texts anna hunter2 tr?sor-that-is-long 7;");
  fl_set_check(1);
  const char *const texts[] = {"no hunter2 here", "tr?sor-that-is-long", "key 'tr?sor-that-is-l...'",
                               "password 'hunter2'"};
  for (size_t i = 0; i < 4; i++) {
    fl_set_trouble(texts[i]);
    assert_int_equal(check_it(&made), POOL_E_BROKEN);
    assert_string_equal(made.error.message, "fl_check: the library's message has a password in it and is not shown");
  }
  assert_int_equal(close_it(&made), 0);
  unmake(&made);
}

/* ---- each path of failure ---- */

#define SEVERAL                                                                                                        \
  HEAD "function fl_blob(out pointer) -> int\n"                                                                        \
       "         fl_blob_free(pointer) -> void\n"                                                                      \
       "open fl_open(\"x\", 1, conn) is 0\n"                                                                           \
       "     fl_blob(blob) is 0\n"                                                                                     \
       "     fl_check(conn) is 0\n"                                                                                    \
       "check fl_blob(blob) ignored\n"                                                                                 \
       "      fl_check(conn) is 0\n"                                                                                   \
       "free fl_blob_free(blob)\n" CLOSE

static void what_a_failed_open_leaves_is_closed_once(void **state)
{
  struct made made;
  (void)state;
  make_well(&made, SEVERAL, "test:", "");
  fl_set_open(1); /* with a handle all the same */
  assert_int_equal(open_with(&made, POOL_NO_DEADLINE), POOL_E_OPEN);
  assert_string_equal(fl_log(), "open x 1;close;");
  fl_forget();
  fl_set_open(-2); /* without one */
  assert_int_equal(open_with(&made, POOL_NO_DEADLINE), POOL_E_OPEN);
  assert_string_equal(fl_log(), "open x 1;");
  fl_forget();
  fl_set_check(3); /* in the middle */
  assert_int_equal(open_with(&made, POOL_NO_DEADLINE), POOL_E_OPEN);
  assert_string_equal(fl_log(), "open x 1;blob;free;close;");
  unmake(&made);
}

static void what_a_call_has_made_is_freed_whichever_way_the_word_ends(void **state)
{
  struct made made;
  (void)state;
  make_well(&made, SEVERAL, "test:", "");
  assert_int_equal(open_with(&made, POOL_NO_DEADLINE), 0);
  assert_string_equal(fl_log(), "open x 1;blob;check;free;");
  fl_forget();
  assert_int_equal(check_it(&made), 0);
  assert_string_equal(fl_log(), "blob;check;free;");
  fl_forget();
  fl_set_check(1);
  assert_int_equal(check_it(&made), POOL_E_BROKEN);
  assert_string_equal(fl_log(), "blob;check;free;");
  fl_forget();
  assert_int_equal(close_it(&made), 0);
  assert_string_equal(fl_log(), "close;");
  unmake(&made);
}

static void an_open_without_a_connection_has_failed(void **state)
{
  struct made made;
  (void)state;
  make_well(&made, HEAD "open fl_open(\"x\", 1, conn) ignored\n" CLOSE, "test:", "");
  fl_set_open(-2);
  assert_int_equal(open_with(&made, POOL_NO_DEADLINE), POOL_E_OPEN);
  assert_string_equal(made.error.message, "all calls of 'open' went well, and conn is null");
  unmake(&made);
}

static void a_close_that_fails_says_so_and_goes_on(void **state)
{
  struct made made;
  (void)state;
  make_well(&made, HEAD OPEN "close fl_check(conn) is 0\n      fl_close(conn) is 0\n", "test:", "");
  assert_int_equal(open_with(&made, POOL_NO_DEADLINE), 0);
  fl_set_check(4);
  fl_set_close(5);
  assert_int_equal(close_it(&made), POOL_E_BROKEN);
  assert_string_equal(made.error.message, "fl_check returned 4 where the description says 'is 0'");
  assert_string_equal(fl_log(), "new;check;close;");
  unmake(&made);
}

static void a_connection_that_may_be_freed_is_not_asked_about(void **state)
{
  struct made made;
  (void)state;
  make_well(&made, HEAD "function fl_error(pointer) -> text\n" OPEN CLOSE "error fl_error(conn)\n", "test:", "");
  assert_int_equal(open_with(&made, POOL_NO_DEADLINE), 0);
  fl_set_close(5);
  assert_int_equal(close_it(&made), POOL_E_BROKEN);
  assert_string_equal(made.error.message, "fl_close returned 5 where the description says 'is 0'");
  unmake(&made);
}

/* ---- conditions ---- */

static void calls_are_made_on_their_conditions(void **state)
{
  (void)state;
  const char *description =
      HEAD "function fl_texts(text, text, pointer, size) -> int\n"
           "parameter extra text = null\n" OPEN
           "     fl_texts(url.user, url.password or \"\", null, length(url.host)) is 0 when url.user\n"
           "     fl_texts(\"nobody\", \"\", null, 0) is 0 when not url.user\n"
           "     fl_texts(extra, \"\", null, 0) is 0 when extra\n"
           "     fl_texts(\"good\", \"\", null, 0) is 0 when fl_check(conn) is 0\n"
           "     fl_texts(\"bad\", \"\", null, 0) is 0 when not fl_check(conn) is 0\n" CLOSE;
  expect_log(description, "test://anna@example", "", "new;texts anna  NULL 7;check;texts good  NULL 0;check;close;");
  expect_log(description, "test:", "&extra=more",
             "new;texts nobody  NULL 0;texts more  NULL 0;check;texts good  NULL 0;check;close;");
}

/* ---- locks, signals, sockets ---- */

static void *check_often(void *data)
{
  struct made *made = data;
  pool_error_t error = POOL_ERROR_INIT;
  for (int i = 0; i < 200; i++)
    must(made->vtable.check(made->context, made->conn, POOL_NO_DEADLINE, &error) == 0);
  return NULL;
}

static void serial_libraries_have_one_call_at_a_time(void **state)
{
  struct made made;
  pthread_t threads[4];
  (void)state;
  make_well(&made, HEAD "function fl_alone(pointer) -> int\nserial\n" OPEN CLOSE "check fl_alone(conn) is 0\n",
            "test:", "");
  assert_int_equal(open_with(&made, POOL_NO_DEADLINE), 0);
  threads_start(threads, 4, check_often, &made);
  threads_end(threads, 4);
  assert_int_equal(fl_most_inside(), 1);
  pid_t child = fork();
  if (child == 0)
    _exit(check_it(&made)); /* the lock is new in a child */
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_int_equal(close_it(&made), 0);
  unmake(&made);
}

static void sigpipe_ends_no_program(void **state)
{
  struct made made;
  char description[600];
  (void)state;
  signal(SIGPIPE, SIG_DFL);
  snprintf(description, sizeof description,
           HEAD "function fl_pipe() -> int\nsigpipe blocked\n" OPEN CLOSE "check fl_pipe() is %d\n", EPIPE);
  make_well(&made, description, "test:", "");
  assert_int_equal(open_with(&made, POOL_NO_DEADLINE), 0);
  if (check_it(&made) != 0)
    fail_msg("%s", made.error.message);
  sigset_t pending;
  sigpending(&pending);
  assert_int_equal(sigismember(&pending, SIGPIPE), 0);
  assert_int_equal(close_it(&made), 0);
  unmake(&made);
}

static void a_socket_of_the_drivers_own_is_given_watched_and_closed(void **state)
{
  struct made made;
  struct holder holder;
  char url[64], byte;
  int port, listener = listen_locally(5, &port);
  (void)state;
  snprintf(url, sizeof url, "test://127.0.0.1:%d", port);
  make_well(&made,
            HEAD "function fl_write(int) -> int\n"
                 "connect url.host, url.port or 22\n" OPEN "     fl_write(socket) is 0\n"
                 "descriptor socket silent\n"
                 "check fl_check(conn) is 0\n" CLOSE,
            url, "");
  assert_int_equal(open_with(&made, now_ns() + 10 * SECOND), 0);
  int peer = accept(listener, NULL, NULL);
  assert_int_equal(recv(peer, &byte, 1, 0), 1);
  assert_int_equal(check_it(&made), 0);
  assert_string_equal(fl_log(), "new;write;check;");
  pid_t child = fork();
  if (child == 0) {
    made.vtable.abandon(made.context, made.conn);
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_int_equal(check_it(&made), 0);
  assert_int_equal(send(peer, "late", 4, 0), 4);
  wait_until(check_it(&made) != 0);
  assert_string_equal(made.error.message, "bytes wait to be read that nobody has asked for");
  holder_start(&holder);
  assert_int_equal(close_it(&made), 0);
  assert_true(holder_sees_end(peer)); /* though a child has a copy */
  holder_end(&holder);
  close(peer);
  close(listener);
  assert_int_equal(open_with(&made, now_ns() + 10 * SECOND), POOL_E_OPEN);
  unmake(&made);
}

static void the_librarys_descriptor_is_watched(void **state)
{
  static const char *const words[] = {"descriptor fl_descriptor(conn)\n",
                                      "descriptor fl_descriptor_out(conn, descriptor) is 0\n"};
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    struct made made;
    char description[800];
    int ends[2];
    snprintf(description, sizeof description,
             HEAD "function fl_descriptor(pointer) -> int\n"
                  "         fl_descriptor_out(pointer, out int) -> int\n" OPEN CLOSE "%s",
             words[i]);
    make_well(&made, description, "test:", "");
    assert_int_equal(open_with(&made, POOL_NO_DEADLINE), 0);
    assert_int_equal(check_it(&made), 0); /* -1: it has none now */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    fl_set_descriptor(ends[0]);
    assert_int_equal(check_it(&made), 0);
    assert_int_equal(send(ends[1], "x", 1, 0), 1);
    assert_int_equal(check_it(&made), 0); /* not 'silent' */
    assert_int_equal(recv(ends[0], (char[1]){0}, 1, 0), 1);
    close(ends[1]);
    assert_int_equal(check_it(&made), POOL_E_BROKEN);
    assert_string_equal(made.error.message, "the server closed the connection");
    close(ends[0]);
    assert_int_equal(close_it(&made), 0);
    unmake(&made);
  }
}

/* ---- in a pool ---- */

static void a_pool_lends_the_librarys_own_handle(void **state)
{
  char url[200];
  pool_t *pool;
  pool_error_t error = POOL_ERROR_INIT;
  const char *description =
      HEAD "function fl_reset(pointer) -> int\n" OPEN CLOSE "reset fl_reset(conn) is 0\ncheck fl_check(conn) is 0\n";
  (void)state;
  write_file(description, strlen(description));
  fl_forget();
  snprintf(url, sizeof url, "anything:?description=%s&pool.max_open=2&pool.check_after_ms=0", path);
  assert_int_equal(pool_open(url, &pool, &error), 0);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(fl_check(pool_conn(lease)), 0);
  assert_int_equal(pool_put(lease), 0);
  assert_string_equal(fl_log(), "new;check;reset;");
  fl_forget();
  lease = pool_get(pool);
  assert_true(lease > 0);
  assert_string_equal(fl_log(), "check;");
  fl_set_check(1); /* what fails a reset, too, so the connection is closed */
  assert_int_equal(pool_put(lease), 0);
  assert_string_equal(fl_log(), "check;reset;close;");
  assert_int_equal(fl_things(), 0);
  pool_close(pool, 1000);
  pool_free(pool);
}

static void a_get_and_put_call_nothing_where_nothing_is_due(void **state)
{
  char url[200];
  pool_t *pool;
  pool_error_t error = POOL_ERROR_INIT;
  const char *description = HEAD OPEN CLOSE "check fl_check(conn) is 0\n";
  (void)state;
  write_file(description, strlen(description));
  fl_forget();
  snprintf(url, sizeof url, "anything:?description=%s&pool.initial=1&pool.max_open=1", path);
  assert_int_equal(pool_open(url, &pool, &error), 0);
  for (int i = 0; i < 100; i++)
    get_and_put_now(pool);
  assert_string_equal(fl_log(), "new;");
  pool_close(pool, 1000);
  pool_free(pool);
}

/* ---- what is broken ---- */

struct broken {
  const char *description, *message; /* that begins behind the path */
};

static const struct broken broken[] = {
    {"", ": no library is named: write 'library' and its name, such as libsqlite3.so.0"},
    {"library libforeign_library.so\n", ": nothing says how to open a connection: write 'open' and a call"},
    {HEAD OPEN, ": nothing says how to close a connection: write 'close' and a call"},
    {HEAD "open fl_check(null) is 0\n" CLOSE,
     ": no call of 'open' sets conn, the connection: write 'conn = FUNCTION(...)', or conn for an 'out pointer'"},
    {"libary libz.so.1\n", ":1:1: 'libary' is no word that begins a line; did you mean 'library'?"},
    {"xyzzy 1\n", ":1:1: 'xyzzy' is no word that begins a line, as library, function, open, check and close do"},
    {"(\n", ":1:1: a word such as library, function, open or close is missing before '('"},
    {"  library libz.so.1\n",
     ":1:3: a line begins with a word; one that begins with a space goes on with the word above"},
    {"library\n", ":1:8: the name of a library, such as libsqlite3.so.0, is missing at the end of the line"},
    {"library", ":1:8: the name of a library, such as libsqlite3.so.0, is missing at the end of the file"},
    {"library libz/z.so\n", ":1:9: a library is a name, such as libz.so.1, or a path that begins with '/'"},
    {"library libz.so.1\nlibrary libz.so.1\n", ":2:9: 'libz.so.1' is declared twice, first in line 1"},
    {"library a or b or c or d or e\n", ":1:29: a library has at most 4 names"},
    {"library a b\n", ":1:11: 'b' is not expected here; the line should end"},
    {HEAD "library libmissing.so.7\n" OPEN CLOSE,
     ":7:9: the library cannot be loaded: libmissing.so.7: cannot open shared object file: No such file or directory"},
    {HEAD "function fl_missing() -> int\n" OPEN CLOSE, ":7:10: no library that is named has a function 'fl_missing'"},
#ifdef __GLIBC__ /* others do not say what a symbol is */
    {HEAD "function fl_number() -> int\n" OPEN CLOSE, ":7:10: 'fl_number' is a variable of its library, no function"},
#endif
    {HEAD "function getpid() -> int\n" OPEN CLOSE,
     ":7:10: 'getpid' is in libc.so.6: to call it, name that with 'library'"},
    {"function f(int31) -> int\n", ":1:12: 'int31' is no type; did you mean 'int32'?"},
    {"function f(char) -> int\n", ":1:12: 'char' is no type; did you mean 'text'?"},
    {"function f(size_t) -> int\n", ":1:12: 'size_t' is no type; did you mean 'size'?"},
    {"function f(struct) -> int\n", ":1:12: 'struct' is no type, as int, uint64, size, double, text and pointer are"},
    {"function f(void) -> int\n",
     ":1:12: void is no type of an argument; a function without arguments is written NAME()"},
    {"function f(out timeval) -> int\n", ":1:12: timeval is the address of one already, without 'out' or 'ref'"},
    {"function f(int, ..., float) -> int\n", ":1:22: behind '...' C passes float as double"},
    {"function f(int, ..., int8) -> int\n", ":1:22: behind '...' C passes int8 as int"},
    {"function f(...) -> int\n", ":1:12: '...' stands once, behind the arguments that are always there"},
    {"function f(int int) -> int\n", ":1:16: ',' or ')' is missing before 'int'"},
    {"function f(int,) -> int\n", ":1:16: a type is missing before ')'"},
    {"function f(int)\n", ":1:16: '->' is missing at the end of the line"},
    {"function f(int) -> timeval\n", ":1:20: timeval is a type of arguments; a result is a pointer"},
    {"function f(int, int, int, int, int, int, int, int, int, int, int, int, int, int, int, int, int) -> int\n",
     ":1:92: a function has at most 16 arguments here"},
    {"function f.g() -> int\n", ":1:10: a name is of letters, digits and '_'; 'f.g' is none"},
    {"function f() -> int\n         f() -> void\n", ":2:10: 'f' is declared twice, first in line 1"},
    {"function f() -> int as\n", ":1:23: a name is missing at the end of the line"},
    {"function 5() -> int\n", ":1:10: the name of a function is missing before '5'"},
    {"constant A\n", ":1:11: '=' is missing at the end of the line"},
    {"constant A =\n", ":1:13: a value is missing at the end of the line"},
    {"constant A = null\n", ":1:14: a constant is one number or text"},
    {"constant A = \"a\" \"b\"\n", ":1:14: a constant is one number or text"},
    {"constant A = 1\nconstant A = 2\n", ":2:10: 'A' is declared twice, first in line 1"},
    {"constant conn = 1\n", ":1:10: 'conn' means something else already"},
    {"constant null = 1\n", ":1:10: 'null' means something else already"},
    {"constant A = 1x\n", ":1:14: this is no number; numbers are 12, -1, 0x1f or 0.5, of at most 64 bits"},
    {"constant A = 18446744073709551616\n",
     ":1:14: this is no number; numbers are 12, -1, 0x1f or 0.5, of at most 64 bits"},
    {"constant A = -9223372036854775809\n",
     ":1:14: this is no number; numbers are 12, -1, 0x1f or 0.5, of at most 64 bits"},
    {"constant A = 1.5e\n", ":1:14: this is no number; numbers are 12, -1, 0x1f or 0.5, of at most 64 bits"},
    {"constant A = \"x\n", ":1:14: a text ends with '\"' on the same line"},
    {"constant A = \"x", ":1:14: a text ends with '\"' on the same line"},
    {"constant A = \"\\x\"\n", ":1:15: in a text '\\' is followed by '\"', '\\', 'n' or 't'"},
    {"constant A = -1 | 2\n", ":1:17: '|' stands between integers from 0"},
    {"constant A = 1 | \"x\"\n", ":1:18: an integer is missing before \"x\""},
    {"constant A = 1;\n", ":1:15: this character means nothing here; a comment begins with '#', a text with '\"'"},
    {"parameter a pointer\n", ":1:13: a parameter is an integer, a double or a text"},
    {"parameter a int = \"x\"\n", ":1:19: a wants int here; this is a text"},
    {"parameter a int8 = 200\n", ":1:20: this does not fit int8, which is from -128 to 127"},
    {"parameter a int = 5 in 6..9\n", ":1:19: the default is none of the values that are allowed"},
    {"parameter a int in 9..6\n", ":1:20: a range is from the smaller to the larger number"},
    {"parameter a int in 9\n", ":1:21: '..' is missing at the end of the line"},
    {"parameter a double in 1..2\n", ":1:23: a range is for integers, and texts to choose from are for text"},
    {"parameter a text = \"c\" in \"a\" or \"b\"\n", ":1:20: the default is none of the values that are allowed"},
    {"parameter a text in 5\n", ":1:21: a text that the parameter may be is missing before '5'"},
    {"parameter description text\n", ":1:11: the parameter 'description' names the file of a description"},
    {"parameter a text\nsecret a text\n", ":2:8: 'a' is declared twice, first in line 1"},
    {"serial\nserial\n", ":2:1: 'serial' stands once in a description"},
    {"sigpipe\n", ":1:8: 'blocked' is missing at the end of the line"},
    {"library libforeign_library.so\nfunction fl_text_result() -> text\nstart t = fl_text_result() ignored\n"
     "connect t, 1\n",
     ":4:9: 't' has no value here: no call before this one sets it"},
    {"connect url.host\n", ":1:17: ',' is missing at the end of the line"},
    {"connect url.host, \"x\"\n", ":1:19: connect wants uint16 here; this is a text"},
    {HEAD "open fl_now() is 0\n", ":7:6: 'fl_now' is no function that is declared above; did you mean 'fl_new'?"},
    {HEAD "open conn = fl_new()\n",
     ":7:13: the result of fl_new (pointer) is judged by nothing: write 'is not null' behind it, for example, or "
     "'ignored'"},
    {HEAD OPEN "close fl_close(conn)\n",
     ":8:7: the result of fl_close (int) is judged by nothing: write 'is 0' behind it, for example, or 'ignored'"},
    {HEAD OPEN "close fl_end(conn) is 0\n", ":8:20: fl_end returns void, so there is nothing to judge"},
    {HEAD OPEN "     x = fl_end(conn)\n", ":8:6: fl_end returns void, so 'x' gets nothing"},
    {HEAD "open conn = fl_new(1) is not null\n", ":7:20: fl_new has 0 arguments"},
    {HEAD OPEN "close fl_close() is 0\n", ":8:16: fl_close has 1 argument"},
    {HEAD OPEN "close fl_close(conn, 1) is 0\n", ":8:20: fl_close has 1 argument"},
    {HEAD OPEN "close fl_close conn is 0\n", ":8:16: '(' is missing before 'conn'"},
    {HEAD OPEN "close fl_close(conn\n", ":9:1: ')' is missing at the end of the file"},
    {HEAD OPEN "close fl_close(5) is 0\n", ":8:16: fl_close wants pointer here; this is an integer"},
    {HEAD "open fl_open(5, 1, conn) is 0\n", ":7:14: fl_open wants text here; this is an integer"},
    {HEAD "open fl_open(\"x\", url.host, conn) is 0\n", ":7:19: fl_open wants int here; this is a part of the URL"},
    {HEAD "open fl_open(\"x\", 3000000000, conn) is 0\n",
     ":7:19: this does not fit int, which is from -2147483648 to 2147483647"},
    {HEAD "open fl_open(\"x\", 1, 5) is 0\n",
     ":7:22: the name of a variable, because this argument is 'out', is missing before '5'"},
    {HEAD "open fl_open(\"x\", deadline.ms, conn) is 0\n",
     ":7:19: some callers have no deadline: write what they get, 'deadline.ms or 30000'"},
    {HEAD "open fl_open(url.hots, 1, conn) is 0\n",
     ":7:14: 'url.hots' is no constant, parameter, variable or part of the URL; did you mean 'url.host'?"},
    {HEAD "open fl_open(\"x\", deadline.min or 1, conn) is 0\n",
     ":7:19: 'deadline.min' is no constant, parameter, variable or part of the URL; did you mean 'deadline.ms'?"},
    {HEAD "open fl_check(conn) is 0\n", ":7:15: 'conn' has no value here: no call before this one sets it"},
    {HEAD OPEN "close conn = fl_new() is not null\n", ":8:7: 'conn' is not set here"},
    {HEAD OPEN OPEN CLOSE, ":8:13: a call above has set conn already, and its connection would be lost"},
    {HEAD OPEN "     conn is 0\n", ":8:14: a result of type pointer is judged by 'is null' or 'is not null'"},
    {HEAD OPEN "     fl_check(conn) is null\n", ":8:24: a result of type int is never null: compare it with a number"},
    {HEAD OPEN "     fl_check(conn) is\n", ":8:23: an integer is missing at the end of the line"},
    {HEAD OPEN "     fl_check(conn) >= x\n", ":8:24: 'x' is no constant, parameter, variable or part of the URL"},
    {HEAD OPEN "     fl_check(conn) is 0 or 1 or 2 or 3 or 4\n", ":8:44: at most 4 values or ranges"},
    {HEAD OPEN "     fl_check(conn) is 5..4\n", ":8:24: a range is from the smaller to the larger number"},
    {HEAD OPEN "     fl_check(conn) is 0 else 5\n", ":8:31: a text for the message is missing before '5'"},
    {HEAD OPEN "     fl_check(conn) is 0 when\n", ":8:30: a value is missing at the end of the line"},
    {HEAD OPEN "     fl_check(conn) is 0 when 5\n",
     ":8:31: a condition is a call with a judgement, a part of the URL, or a parameter whose default is null"},
    {HEAD OPEN "     fl_check(conn) is 0 when fl_check(conn)\n",
     ":8:45: 'is', with what the result should be, is missing at the end of the line"},
    {HEAD OPEN CLOSE "error fl_check(conn)\n",
     ":9:7: the result of fl_check (int) is judged by nothing: write 'is 0' behind it, for example, or 'ignored'"},
    {HEAD OPEN CLOSE "error fl_check(conn) is 0\n",
     ":9:7: the text of an error is a result of type text, or an 'out text' called message"},
    {HEAD OPEN CLOSE "descriptor fl_end(conn)\n",
     ":9:12: a descriptor is a result that is an integer, or an 'out int' called descriptor"},
    {HEAD OPEN CLOSE "free fl_end(conn)\n", ":9:6: 'free' is for a variable that another call has set"},
    {HEAD OPEN CLOSE "descriptor socket\n", ":9:12: 'socket' is no function that is declared above"},
};

static void a_broken_description_says_where_and_what_would_be_right(void **state)
{
  int wrong = 0;
  (void)state;
  for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
    struct made made;
    int code = make(&made, broken[i].description, "test:", "");
    if (code == 0)
      made.vtable.release(made.context);
    if (code && strcmp(message_of(&made), broken[i].message) == 0)
      continue;
    print_error("---\n%s--- said:   %s\n--- should: %s\n", broken[i].description, code ? message_of(&made) : "nothing",
                broken[i].message);
    wrong++;
  }
  assert_int_equal(wrong, 0);
}

/* ---- what is wrong in a URL ---- */

static void a_wrong_url_says_what_the_description_wants(void **state)
{
  static const char *const urls[][3] = {
      {"test://anna@example", "&n=1", ": the URL has a user, which this description does not use"},
      {"test://a,b", "&n=1", ": the URL has several hosts, and this description takes one"},
      {"test:", "&n=1", ":11:14: the URL needs a host"},
      {"test://a/b", "&n=1", ": the URL has a path, which this description does not use"},
      {"test://a", "", ":8:11: the URL needs the parameter n, which has no default"},
      {"test://a", "&n=11", ":8:11: the parameter n is an integer from 1 to 10"},
      {"test://a", "&n=x", ":8:11: the parameter n is an integer from 1 to 10"},
      {"test://a", "&n=", ":8:11: the parameter n is an integer from 1 to 10"},
      {"test://a", "&n=1&n=1", ": the URL sets n twice"},
      {"test://a", "&n=1&description=b", ": the URL sets description twice"},
      {"test://a", "&n=1&mode=c", ":9:11: the parameter mode is one of: a, b"},
      {"test://a", "&n=1&ratio=1x", ":10:11: the parameter ratio is a number, such as 12 or 0.5"},
      {"test://a", "&n=1&mod=a",
       ": parameter 3 of the URL (settings of the pool not counted) is unknown; did you mean mode?"},
      {"test://a", "&n=1&xyzzy=hunter2",
       ": parameter 3 of the URL (settings of the pool not counted) is unknown; there are those that the description "
       "has"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
    struct made made;
    int code = make(&made,
                    HEAD "function fl_others(int, uint, long, ulong, size, float, double) -> int\n"
                         "parameter n int in 1..10\n"
                         "parameter mode text = \"a\" in \"a\" or \"b\"\n"
                         "parameter ratio double = 1\n"
                         "open fl_open(url.host, n, conn) is 0\n" CLOSE,
                    urls[i][0], urls[i][1]);
    assert_int_equal(code, POOL_E_INVALID);
    assert_string_equal(message_of(&made), urls[i][2]);
  }
}

static void what_is_no_file_is_no_description(void **state)
{
  struct made made;
  char big[66000], pipe_path[80], url[200];
  (void)state;
  memset(big, '#', sizeof big - 1);
  big[sizeof big - 1] = 0;
  assert_int_equal(make(&made, big, "test:", ""), POOL_E_DRIVER);
  assert_string_equal(message_of(&made), ": a description has at most 64 KiB");
  snprintf(pipe_path, sizeof pipe_path, "%s/pipe", folder);
  assert_int_equal(mkfifo(pipe_path, 0600), 0);
  const char *const names[][2] = {{pipe_path, "a description is a file"},
                                  {folder, "a description is a file"},
                                  {"/nowhere/at.all", "No such file or directory"}};
  for (size_t i = 0; i < 3; i++) {
    snprintf(url, sizeof url, "test:?description=%s", names[i][0]);
    assert_int_equal(pool_url_prepare(url, NULL, &made.vtable, &made.context, &made.error), POOL_E_DRIVER);
    assert_non_null(strstr(made.error.message, names[i][1]));
  }
  unlink(pipe_path);
  assert_int_equal(pool_url_prepare("foreign:x", NULL, &made.vtable, &made.context, &made.error), POOL_E_INVALID);
  assert_non_null(strstr(made.error.message, "names its description: SCHEME://...?description=/PATH.pool"));
  write_file("library \0 x", 11);
  snprintf(url, sizeof url, "test:?description=%s", path);
  assert_int_equal(pool_url_prepare(url, NULL, &made.vtable, &made.context, &made.error), POOL_E_INVALID);
  assert_string_equal(message_of(&made),
                      ":1:9: this character means nothing here; a comment begins with '#', a text with '\"'");
}

static void a_start_that_fails_is_an_error_of_the_driver(void **state)
{
  struct made made;
  (void)state;
  const char *description = HEAD "function fl_error_of(int) -> text\n"
                                 "         fl_out(out int8, out uint64, out double, out text, out pointer) -> int\n"
                                 "start fl_out(a, b, c, d, null) is 5\n" OPEN CLOSE;
  assert_int_equal(make(&made, description, "test:", ""), POOL_E_DRIVER);
  assert_non_null(strstr(made.error.message, "fl_out returned 0 where the description says 'is 5'"));
  assert_string_equal(fl_log(), "out;");
}

static int make_folder(void **state)
{
  (void)state;
  if (!mkdtemp(folder))
    return -1;
  snprintf(path, sizeof path, "%s/test.pool", folder);
  return 0;
}

static int remove_folder(void **state)
{
  (void)state;
  unlink(path);
  return rmdir(folder);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(arguments_of_each_type_arrive),
      cmocka_unit_test(numbers_are_read_alike_in_each_language),
      cmocka_unit_test(texts_are_joined_and_measured),
      cmocka_unit_test(parts_of_the_url_arrive),
      cmocka_unit_test(a_server_is_written_as_in_a_url),
      cmocka_unit_test(flags_and_constants_are_joined),
      cmocka_unit_test(sixteen_arguments_arrive),
      cmocka_unit_test(functions_with_dots_get_what_c_gives_them),
      cmocka_unit_test(what_a_call_sets_goes_into_the_next),
      cmocka_unit_test(a_variable_goes_into_another_type_as_the_same_number),
      cmocka_unit_test(a_deadline_becomes_a_timeout),
      cmocka_unit_test(what_stands_in_the_place_of_a_deadline_is_passed_without_one),
      cmocka_unit_test(results_are_judged),
      cmocka_unit_test(a_result_that_is_wrong_is_shown),
      cmocka_unit_test(the_librarys_own_words_say_what_is_wrong),
      cmocka_unit_test(a_description_may_say_what_is_wrong_itself),
      cmocka_unit_test(no_message_has_a_password_in_it),
      cmocka_unit_test(what_a_failed_open_leaves_is_closed_once),
      cmocka_unit_test(what_a_call_has_made_is_freed_whichever_way_the_word_ends),
      cmocka_unit_test(an_open_without_a_connection_has_failed),
      cmocka_unit_test(a_close_that_fails_says_so_and_goes_on),
      cmocka_unit_test(a_connection_that_may_be_freed_is_not_asked_about),
      cmocka_unit_test(calls_are_made_on_their_conditions),
      cmocka_unit_test(serial_libraries_have_one_call_at_a_time),
      cmocka_unit_test(sigpipe_ends_no_program),
      cmocka_unit_test(a_socket_of_the_drivers_own_is_given_watched_and_closed),
      cmocka_unit_test(the_librarys_descriptor_is_watched),
      cmocka_unit_test(a_pool_lends_the_librarys_own_handle),
      cmocka_unit_test(a_get_and_put_call_nothing_where_nothing_is_due),
      cmocka_unit_test(a_broken_description_says_where_and_what_would_be_right),
      cmocka_unit_test(a_wrong_url_says_what_the_description_wants),
      cmocka_unit_test(what_is_no_file_is_no_description),
      cmocka_unit_test(a_start_that_fails_is_an_error_of_the_driver),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
