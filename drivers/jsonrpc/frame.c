/* SPDX-License-Identifier: MIT */
#include "jsonrpc/frame.h"

#include <stdlib.h>
#include <string.h>

#define CAPACITY_FIRST ((size_t)16 * 1024)
#define CAPACITY_KEPT  ((size_t)1024 * 1024) /* a larger buffer is not kept when it is empty */
#define SPACE_LEAST    ((size_t)4 * 1024)

/* A stream always has a buffer, so it can skip an object without memory. */
bool frame_init(struct frame_stream *stream, size_t limit)
{
  *stream = (struct frame_stream){.limit = limit, .data = malloc(CAPACITY_FIRST), .capacity = CAPACITY_FIRST};
  return stream->data != NULL;
}

void frame_free(struct frame_stream *stream)
{
  free(stream->data);
  stream->data = NULL;
}

static void move_to_front(struct frame_stream *stream)
{
  memmove(stream->data, stream->data + stream->begin, stream->end - stream->begin);
  stream->end -= stream->begin;
  stream->scanned -= stream->begin;
  stream->begin = 0;
}

/* Drops the bytes of a skipped object, and counts them. */
static void empty(struct frame_stream *stream)
{
  stream->skipped += stream->end - stream->begin;
  stream->begin = stream->scanned = stream->end = 0;
}

void frame_skip(struct frame_stream *stream)
{
  stream->skipping = true;
  empty(stream);
}

static bool resize(struct frame_stream *stream, size_t capacity)
{
  char *data = realloc(stream->data, capacity);
  if (!data)
    return false;
  stream->data = data;
  stream->capacity = capacity;
  return true;
}

void frame_trim(struct frame_stream *stream)
{
  if (stream->begin < stream->end || stream->capacity <= CAPACITY_KEPT)
    return;
  move_to_front(stream);
  resize(stream, CAPACITY_FIRST);
}

/* Doubles the buffer, up to the size that the largest object needs. */
static size_t larger_capacity(const struct frame_stream *stream)
{
  size_t twice = stream->capacity * 2, enough = stream->limit + SPACE_LEAST, least = stream->end + SPACE_LEAST;
  size_t capacity = twice < enough ? twice : enough;
  return capacity > least ? capacity : least;
}

bool frame_space(struct frame_stream *stream, char **space, size_t *size)
{
  if (stream->skipping)
    empty(stream);
  if (stream->capacity - stream->end < SPACE_LEAST && stream->begin > 0)
    move_to_front(stream);
  if (stream->capacity - stream->end < SPACE_LEAST && !resize(stream, larger_capacity(stream)))
    return false;
  *space = stream->data + stream->end;
  *size = stream->capacity - stream->end;
  return true;
}

void frame_received(struct frame_stream *stream, size_t size)
{
  stream->end += size;
}

bool frame_is_inside(const struct frame_stream *stream)
{
  return stream->depth > 0;
}

static bool is_space(char byte)
{
  return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static void start_object(struct frame_stream *stream)
{
  stream->depth = 1;
  stream->in_string = stream->escaped = false;
  stream->part = FRAME_KEY;
  stream->key = stream->value = (struct frame_span){0, 0};
  stream->found = (struct frame){0};
  stream->skipping = false;
  stream->skipped = stream->checked = 0;
  json_check_start(&stream->check);
}

/* 0: no value has begun, for the object's bracket is at 0. */
static void start_value(struct frame_stream *stream, size_t at)
{
  if (stream->value.begin == 0)
    stream->value.begin = at;
}

static struct frame_span *member_called(struct frame *frame, const char *key, size_t size)
{
  if (size == 4 && memcmp(key, "\"id\"", 4) == 0)
    return &frame->id;
  if (size == 8 && memcmp(key, "\"result\"", 8) == 0)
    return &frame->result;
  if (size == 7 && memcmp(key, "\"error\"", 7) == 0)
    return &frame->error;
  return NULL;
}

static void note_member(struct frame_stream *stream)
{
  const char *key = stream->data + stream->begin + stream->key.begin;
  struct frame_span *member = member_called(&stream->found, key, stream->key.end - stream->key.begin);
  if (member && stream->value.end > stream->value.begin)
    *member = stream->value;
}

static void end_member(struct frame_stream *stream)
{
  if (!stream->skipping)
    note_member(stream);
  stream->key = stream->value = (struct frame_span){0, 0};
  stream->part = FRAME_KEY;
}

static void start_string(struct frame_stream *stream, size_t at)
{
  stream->in_string = true;
  if (stream->depth > 1)
    return;
  if (stream->part == FRAME_KEY)
    stream->key.begin = at;
  else
    start_value(stream, at);
}

static void end_string(struct frame_stream *stream, size_t at)
{
  stream->in_string = false;
  if (stream->depth > 1)
    return;
  if (stream->part == FRAME_KEY) {
    stream->key.end = at + 1;
    stream->part = FRAME_COLON;
  } else {
    stream->value.end = at + 1;
  }
}

/* The first byte at or after `at` that is not an ordinary character of a string. */
static size_t skip_plain(const char *data, size_t at, size_t end)
{
  while (at < end && data[at] != '"' && data[at] != '\\' && (unsigned char)data[at] >= ' ')
    at++;
  return at;
}

/* Scans up to the end of the string or of the bytes.  False: a byte cannot be in a string. */
static bool scan_string(struct frame_stream *stream)
{
  while (stream->in_string && stream->scanned < stream->end) {
    if (!stream->escaped)
      stream->scanned = skip_plain(stream->data, stream->scanned, stream->end);
    if (stream->scanned == stream->end)
      return true;
    size_t at = stream->scanned++;
    char byte = stream->data[at];
    if ((unsigned char)byte < ' ')
      return false;
    if (!stream->escaped && byte == '"')
      end_string(stream, at - stream->begin);
    stream->escaped = !stream->escaped && byte == '\\';
  }
  return true;
}

/* Scans a byte of a number, of true, false or null. */
static bool scan_bare(struct frame_stream *stream, char byte, size_t at)
{
  if (!(byte >= '0' && byte <= '9') && !(byte >= 'a' && byte <= 'z') && byte != '-' && byte != '+' && byte != '.' &&
      byte != 'E')
    return false;
  if (stream->depth == 1) {
    start_value(stream, at);
    stream->value.end = at + 1;
  }
  return true;
}

static void open_bracket(struct frame_stream *stream, size_t at)
{
  if (stream->depth == 1)
    start_value(stream, at);
  stream->depth++;
}

static void close_bracket(struct frame_stream *stream, size_t at)
{
  if (stream->depth == 1)
    end_member(stream);
  stream->depth--;
  if (stream->depth == 1)
    stream->value.end = at + 1;
}

/* Scans one byte of an object, outside strings.  False: the byte cannot be there. */
static bool scan_byte(struct frame_stream *stream, char byte, size_t at)
{
  switch (byte) {
  case '"':
    start_string(stream, at);
    return true;
  case '{':
  case '[':
    open_bracket(stream, at);
    return true;
  case '}':
  case ']':
    close_bracket(stream, at);
    return true;
  case ',':
    if (stream->depth == 1)
      end_member(stream);
    return true;
  case ':':
    if (stream->depth == 1)
      stream->part = FRAME_VALUE;
    return true;
  default:
    return is_space(byte) || scan_bare(stream, byte, at);
  }
}

/* Looks for the first byte of an object.  False: another byte came. */
static bool scan_between(struct frame_stream *stream)
{
  while (stream->scanned < stream->end && is_space(stream->data[stream->scanned]))
    stream->scanned++;
  stream->begin = stream->scanned;
  if (stream->scanned == stream->end)
    return true;
  if (stream->data[stream->scanned] != '{')
    return false;
  start_object(stream);
  stream->scanned++;
  return true;
}

/* Checks the bytes that were scanned since the last check. */
static void check_scanned(struct frame_stream *stream)
{
  size_t done = stream->checked;
  stream->checked = stream->scanned - stream->begin;
  json_check_feed(&stream->check, stream->data + stream->begin + done, stream->checked - done);
}

/* Scans up to the end of the object or of the bytes.  False: a byte cannot be in an object. */
static bool scan_object(struct frame_stream *stream)
{
  while (stream->depth > 0 && stream->scanned < stream->end) {
    if (stream->in_string) {
      if (!scan_string(stream))
        return false;
      continue;
    }
    size_t at = stream->scanned++;
    if (!scan_byte(stream, stream->data[at], at - stream->begin))
      return false;
  }
  return true;
}

/* Scans up to the end of the object under way, or of the next one. */
static enum frame_outcome next_object(struct frame_stream *stream)
{
  if (stream->depth == 0 && !scan_between(stream))
    return FRAME_GARBAGE;
  if (stream->depth == 0)
    return FRAME_MORE;
  if (!scan_object(stream))
    return FRAME_GARBAGE;
  if (stream->skipped + (stream->scanned - stream->begin) > stream->limit)
    return FRAME_TOO_LARGE;
  if (!stream->skipping)
    check_scanned(stream);
  return stream->depth > 0 ? FRAME_MORE : FRAME_FOUND;
}

enum frame_outcome frame_next(struct frame_stream *stream, struct frame *frame)
{
  enum frame_outcome outcome;
  while ((outcome = next_object(stream)) == FRAME_FOUND && stream->skipping)
    ; /* the skipped object has ended; the next one begins at `scanned` */
  if (outcome != FRAME_FOUND)
    return outcome;
  *frame = stream->found;
  frame->text = stream->data + stream->begin;
  frame->size = stream->scanned - stream->begin;
  frame->problem = json_check_end(&stream->check) ? NULL : stream->check.problem;
  stream->begin = stream->scanned;
  return FRAME_FOUND;
}
