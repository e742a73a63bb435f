/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jsonrpc/frame.h"

#define LIMIT 100000

/* Puts bytes into a stream. */
static void feed(struct frame_stream *stream, const char *text, size_t size)
{
  while (size > 0) {
    char *space;
    size_t room;
    assert_true(frame_space(stream, &space, &room));
    assert_true(room > 0);
    size_t some = size < room ? size : room;
    memcpy(space, text, some);
    frame_received(stream, some);
    text += some;
    size -= some;
  }
}

static void assert_span(const struct frame *frame, struct frame_span span, const char *expected)
{
  assert_true(span.begin <= span.end && span.end <= frame->size);
  assert_int_equal(span.end - span.begin, strlen(expected));
  assert_memory_equal(frame->text + span.begin, expected, strlen(expected));
}

struct expected {
  const char *id;
  const char *result;
  const char *error;
};

/* One stream with everything that the protocol allows. */
static const char all_text[] =
    "{\"id\":1,\"result\":42,\"error\":null}\n"
    "{\"result\":{\"result\":1,\"id\":[{}]},\"error\":null,\"id\":2}"
    " \t\r\n { \"id\" : 3 ,\r\n \"result\" : [ 1, {\"a\": \"]}\"} ] ,\n\t\"error\" : null }\n"
    "{\"id\":4,\"result\":\"\\\\\\\"}{][\\\\\",\"error\":null}"
    "{\"error\":\"no \\\"such\\\" {thing\",\"id\":5,\"result\":null}"
    "{}"
    "{\"id\":18446744073709551616,\"result\":-1.5e+300,\"error\":false,\"more\":{\"error\":[true]}}"
    "{\"\\\"id\":0,\"id\\\\\":0,\"ID\":0,\"xid\":{\"id\":9},\"id\":7,\"result\":\"id\",\"id \":0}\n";
static const struct expected all[] = {
    {"1", "42", "null"},
    {"2", "{\"result\":1,\"id\":[{}]}", "null"},
    {"3", "[ 1, {\"a\": \"]}\"} ]", "null"},
    {"4", "\"\\\\\\\"}{][\\\\\"", "null"},
    {"5", "null", "\"no \\\"such\\\" {thing\""},
    {"", "", ""},
    {"18446744073709551616", "-1.5e+300", "false"},
    {"7", "\"id\"", ""},
};
#define ALL (sizeof all / sizeof all[0])

/* Takes all frames that are complete. */
static size_t take(struct frame_stream *stream, size_t from)
{
  struct frame frame;
  enum frame_outcome outcome;
  while ((outcome = frame_next(stream, &frame)) == FRAME_FOUND) {
    assert_true(from < ALL);
    assert_null(frame.problem);
    assert_int_equal(frame.text[0], '{');
    assert_int_equal(frame.text[frame.size - 1], '}');
    assert_span(&frame, frame.id, all[from].id);
    assert_span(&frame, frame.result, all[from].result);
    assert_span(&frame, frame.error, all[from].error);
    from++;
  }
  assert_int_equal(outcome, FRAME_MORE);
  return from;
}

static void test_frame__finds_frames_in_a_whole_stream(void **state)
{
  (void)state;
  struct frame_stream stream;
  frame_init(&stream, LIMIT);
  feed(&stream, all_text, sizeof all_text - 1);
  assert_int_equal(take(&stream, 0), ALL);
  assert_false(frame_is_inside(&stream));
  frame_free(&stream);
}

static void test_frame__finds_frames_byte_by_byte(void **state)
{
  (void)state;
  struct frame_stream stream;
  size_t found = 0;
  frame_init(&stream, LIMIT);
  for (size_t i = 0; i + 1 < sizeof all_text; i++) {
    feed(&stream, all_text + i, 1);
    found = take(&stream, found);
  }
  assert_int_equal(found, ALL);
  frame_free(&stream);
}

static void test_frame__finds_frames_wherever_the_stream_is_split(void **state)
{
  (void)state;
  const size_t size = sizeof all_text - 1;
  for (size_t first = 0; first <= size; first++)
    for (size_t second = first; second <= size; second += 1 + (size - first) / 40) {
      struct frame_stream stream;
      frame_init(&stream, LIMIT);
      feed(&stream, all_text, first);
      size_t found = take(&stream, 0);
      feed(&stream, all_text + first, second - first);
      found = take(&stream, found);
      feed(&stream, all_text + second, size - second);
      assert_int_equal(take(&stream, found), ALL);
      frame_free(&stream);
    }
}

/* The frames end at many places in the buffer, and it grows, moves and shrinks. */
static void test_frame__finds_frames_of_many_sizes(void **state)
{
  (void)state;
  enum { LARGEST = 3000000 };
  struct frame_stream stream;
  char *text = malloc(LARGEST + 100);
  frame_init(&stream, LARGEST + 100);
  size_t whole = 0;
  for (size_t size = 1; size < LARGEST; size += 1 + size * 2 / 3, whole++) {
    int begin = sprintf(text, "{\"id\":%zu,\"result\":\"", size);
    memset(text + begin, 'x', size);
    strcpy(text + begin + size, "\"} ");
    size_t total = (size_t)begin + size + 3;
    struct frame frame;
    feed(&stream, text, total - 2);
    assert_int_equal(frame_next(&stream, &frame), FRAME_MORE);
    assert_true(frame_is_inside(&stream));
    feed(&stream, text + total - 2, 2);
    assert_int_equal(frame_next(&stream, &frame), FRAME_FOUND);
    assert_int_equal(frame.result.end - frame.result.begin, size + 2);
    assert_int_equal(frame.size, total - 1);
    assert_int_equal(frame_next(&stream, &frame), FRAME_MORE);
  }
  assert_true(whole > 20);
  char *space;
  size_t room;
  assert_true(stream.capacity > LARGEST / 2);
  frame_trim(&stream);
  assert_true(stream.capacity < 100000); /* the space of a large reply was given back */
  assert_true(frame_space(&stream, &space, &room));
  frame_free(&stream);
  free(text);
}

/* A buffer that only doubled would become twice as large as the largest object. */
static void test_frame__buffer_is_no_larger_than_the_limit(void **state)
{
  (void)state;
  struct frame_stream stream;
  struct frame frame;
  frame_init(&stream, LIMIT);
  feed(&stream, "{\"result\":\"", 11);
  while (stream.end - stream.begin < LIMIT) {
    feed(&stream, "x", 1);
    assert_int_equal(frame_next(&stream, &frame), FRAME_MORE);
  }
  assert_true(stream.capacity >= LIMIT && stream.capacity < LIMIT + 10000);
  feed(&stream, "\"}", 2);
  assert_int_equal(frame_next(&stream, &frame), FRAME_TOO_LARGE);
  frame_free(&stream);
}

/* Skips the first object from `cut` on.  The others are found, also when bytes come in pieces of this size. */
static void skip_and_go_on(size_t cut, size_t piece)
{
  static const char first[] = "{\"id\":9,\"result\":[\"}\\\"\",{\"id\":1}],\"error\":null}";
  static const char rest[] = " {\"id\":1,\"result\":42,\"error\":null}";
  const size_t size = sizeof first - 1 + sizeof rest - 1;
  char all_of_it[sizeof first + sizeof rest];
  struct frame_stream stream;
  struct frame frame;
  bool found = false;
  sprintf(all_of_it, "%s%s", first, rest);
  frame_init(&stream, LIMIT);
  feed(&stream, all_of_it, cut);
  assert_int_equal(frame_next(&stream, &frame), FRAME_MORE);
  frame_skip(&stream);
  for (size_t at = cut; at < size; at += piece) {
    feed(&stream, all_of_it + at, piece < size - at ? piece : size - at);
    while (frame_next(&stream, &frame) == FRAME_FOUND) {
      assert_false(found);
      found = true;
      assert_span(&frame, frame.id, "1");
      assert_span(&frame, frame.result, "42");
      assert_null(frame.problem);
    }
  }
  assert_true(found);
  frame_free(&stream);
}

static void test_frame__skipped_object_leaves_the_next_one_whole(void **state)
{
  (void)state;
  for (size_t cut = 1; cut < 40; cut++)
    for (size_t piece = 1; piece < 100; piece++)
      skip_and_go_on(cut, piece);
}

/* Skipped bytes count, so that a server cannot send for ever. */
static void test_frame__skipped_object_keeps_the_limit(void **state)
{
  (void)state;
  struct frame_stream stream;
  struct frame frame;
  enum frame_outcome outcome;
  size_t fed = 1;
  frame_init(&stream, LIMIT);
  feed(&stream, "{", 1);
  assert_int_equal(frame_next(&stream, &frame), FRAME_MORE);
  frame_skip(&stream);
  for (; (outcome = frame_next(&stream, &frame)) == FRAME_MORE; fed++)
    feed(&stream, " ", 1);
  assert_int_equal(outcome, FRAME_TOO_LARGE);
  assert_int_equal(fed, LIMIT + 1);
  frame_free(&stream);
}

/* The place up to which bytes were scanned only grows. */
static void test_frame__scans_each_byte_once(void **state)
{
  (void)state;
  struct frame_stream stream;
  struct frame frame;
  frame_init(&stream, LIMIT);
  feed(&stream, "{\"result\":[", 11);
  for (int i = 0; i < 5000; i++) {
    assert_int_equal(frame_next(&stream, &frame), FRAME_MORE);
    assert_int_equal(stream.scanned, stream.end);
    feed(&stream, "1,", 2);
  }
  frame_free(&stream);
}

static enum frame_outcome outcome_of(const char *text, size_t limit)
{
  struct frame_stream stream;
  struct frame frame;
  frame_init(&stream, limit);
  feed(&stream, text, strlen(text));
  enum frame_outcome outcome = frame_next(&stream, &frame);
  frame_free(&stream);
  return outcome;
}

static void test_frame__refuses_garbage(void **state)
{
  (void)state;
  static const char *const garbage[] = {
      "HTTP/1.1 400 Bad Request\r\n",
      "[1]",
      "\"text\"",
      "42",
      "null",
      "}",
      ",{}",
      "\x01",
      "\xff\xfe",
      "{\"a\":\x01",
      "{\"a\":'b'",
      "{<html>",
      "{\"a\nb\":1}",
      "{\"a\":\"\t\"}",
      "{#",
      "{\xef\xbb\xbf}",
  };
  for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++)
    if (outcome_of(garbage[i], LIMIT) != FRAME_GARBAGE)
      fail_msg("not recognised as garbage: %s", garbage[i]);
}

/* An object that is no JSON ends at its last bracket, and its spans stay within it. */
static void test_frame__finds_the_end_of_an_object_that_is_no_json(void **state)
{
  (void)state;
  static const char *const wrong[] = {
      "{]",  "{1:2}",         "{\"id\"}", "{\"id\":}", "{\"id\" 1}",           "{:1}",
      "{,}", "{\"id\":1 2,}", "{{}}",     "{[]:[}]",   "{\"id\":\"a\" \"b\"}", "{\"id\":::1,\"id\"::}",
  };
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    struct frame_stream stream;
    struct frame frame;
    frame_init(&stream, LIMIT);
    feed(&stream, wrong[i], strlen(wrong[i]));
    if (frame_next(&stream, &frame) != FRAME_FOUND)
      fail_msg("no end was found: %s", wrong[i]);
    assert_int_equal(frame.size, strlen(wrong[i]));
    assert_non_null(frame.problem);
    assert_true(frame.id.begin <= frame.id.end && frame.id.end <= frame.size);
    frame_free(&stream);
  }
}

static void test_frame__refuses_objects_above_the_limit(void **state)
{
  (void)state;
  assert_int_equal(outcome_of("{\"a\":\"bcd\"}", 11), FRAME_FOUND);
  assert_int_equal(outcome_of("{\"a\":\"bcd\"}", 10), FRAME_TOO_LARGE);
  assert_int_equal(outcome_of("{\"a\":\"bcd", 9), FRAME_MORE);
  assert_int_equal(outcome_of("{\"a\":\"bcd", 8), FRAME_TOO_LARGE);
  assert_int_equal(outcome_of("        \n        {\"a\":1}", 7), FRAME_FOUND); /* white space does not count */
}

static void test_frame__limit_is_of_each_object_not_of_the_stream(void **state)
{
  (void)state;
  struct frame_stream stream;
  struct frame frame;
  frame_init(&stream, 8);
  for (int i = 0; i < 10000; i++) {
    feed(&stream, "{\"a\":1}\n", 8);
    assert_int_equal(frame_next(&stream, &frame), FRAME_FOUND);
  }
  frame_free(&stream);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_frame__finds_frames_in_a_whole_stream),
      cmocka_unit_test(test_frame__finds_frames_byte_by_byte),
      cmocka_unit_test(test_frame__finds_frames_wherever_the_stream_is_split),
      cmocka_unit_test(test_frame__finds_frames_of_many_sizes),
      cmocka_unit_test(test_frame__buffer_is_no_larger_than_the_limit),
      cmocka_unit_test(test_frame__skipped_object_leaves_the_next_one_whole),
      cmocka_unit_test(test_frame__skipped_object_keeps_the_limit),
      cmocka_unit_test(test_frame__scans_each_byte_once),
      cmocka_unit_test(test_frame__refuses_garbage),
      cmocka_unit_test(test_frame__finds_the_end_of_an_object_that_is_no_json),
      cmocka_unit_test(test_frame__refuses_objects_above_the_limit),
      cmocka_unit_test(test_frame__limit_is_of_each_object_not_of_the_stream),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
