/* SPDX-License-Identifier: MIT */
#include "frame.h"

#include <stdlib.h>
#include <string.h>

/* How deep a value may be nested: as deep as Go's parser allows. */
#define DEPTH_LIMIT 10000u

#define CAPACITY_FIRST ((size_t)16 * 1024)
#define CAPACITY_KEPT  ((size_t)1024 * 1024) /* a larger buffer is given back once it is empty */
#define SPACE_LEAST    ((size_t)4 * 1024)

void frame_init(struct frame_stream *stream, size_t limit)
{
  *stream = (struct frame_stream){.limit = limit};
}

void frame_free(struct frame_stream *stream)
{
  free(stream->data);
  stream->data = NULL;
  stream->capacity = stream->begin = stream->scanned = stream->end = 0;
}

static void move_to_front(struct frame_stream *stream)
{
  memmove(stream->data, stream->data + stream->begin, stream->end - stream->begin);
  stream->end -= stream->begin;
  stream->scanned -= stream->begin;
  stream->begin = 0;
}

bool frame_space(struct frame_stream *stream, char **space, size_t *size)
{
  if (stream->begin == stream->end && stream->capacity > CAPACITY_KEPT)
    frame_free(stream);
  if (stream->capacity - stream->end < SPACE_LEAST && stream->begin > 0)
    move_to_front(stream);
  if (stream->capacity - stream->end < SPACE_LEAST) {
    size_t capacity = stream->capacity ? stream->capacity * 2 : CAPACITY_FIRST;
    char *data = realloc(stream->data, capacity);
    if (!data)
      return false;
    stream->data = data;
    stream->capacity = capacity;
  }
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
}

/* A value cannot begin at 0, where the object's bracket is. */
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

static void end_member(struct frame_stream *stream)
{
  const char *key = stream->data + stream->begin + stream->key.begin;
  struct frame_span *member = member_called(&stream->found, key, stream->key.end - stream->key.begin);
  if (member && stream->value.end > stream->value.begin)
    *member = stream->value;
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

/* The first byte at or after `at` that means something in a string. */
static size_t skip_plain(const char *data, size_t at, size_t end)
{
  while (at < end && data[at] != '"' && data[at] != '\\' && (unsigned char)data[at] >= ' ')
    at++;
  return at;
}

/* Goes to the end of the string or of the bytes.  False: no string has such a byte. */
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

/* A byte of a number, of true, false or null. */
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

/* One byte of an object, outside strings.  False: no object has it there. */
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

/* Looks for the first byte of an object.  False: there is something else. */
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

/* Goes on to the end of the object or of the bytes. */
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

enum frame_outcome frame_next(struct frame_stream *stream, struct frame *frame)
{
  if (stream->depth == 0 && !scan_between(stream))
    return FRAME_GARBAGE;
  if (stream->depth == 0)
    return FRAME_MORE;
  if (!scan_object(stream))
    return FRAME_GARBAGE;
  if (stream->scanned - stream->begin > stream->limit)
    return FRAME_TOO_LARGE;
  if (stream->depth > 0)
    return FRAME_MORE;
  *frame = stream->found;
  frame->text = stream->data + stream->begin;
  frame->size = stream->scanned - stream->begin;
  stream->begin = stream->scanned;
  return FRAME_FOUND;
}

/* ---- is it JSON? ---- */

/* What may come next. */
enum expected { A_VALUE, A_VALUE_OR_END, A_KEY, A_KEY_OR_END, A_COLON, A_COMMA_OR_END };

struct text {
  const unsigned char *at;
  const unsigned char *end;
  enum expected expected;
  size_t depth;
  unsigned char is_object[DEPTH_LIMIT / 8 + 1]; /* a bit for each open bracket */
};

static bool in_object(const struct text *text)
{
  return text->depth > 0 && (text->is_object[text->depth / 8] >> text->depth % 8 & 1);
}

static bool open_nested(struct text *text, bool is_object)
{
  if (text->depth == DEPTH_LIMIT)
    return false;
  text->depth++;
  unsigned char bit = (unsigned char)(1u << text->depth % 8);
  unsigned char *place = &text->is_object[text->depth / 8];
  *place = (unsigned char)(is_object ? *place | bit : *place & ~bit);
  text->expected = is_object ? A_KEY_OR_END : A_VALUE_OR_END;
  return true;
}

static bool skip_byte(struct text *text, unsigned char byte)
{
  if (text->at == text->end || *text->at != byte)
    return false;
  text->at++;
  return true;
}

/* Skips a byte within a range. */
static bool skip_range(struct text *text, unsigned char first, unsigned char last)
{
  if (text->at == text->end || *text->at < first || *text->at > last)
    return false;
  text->at++;
  return true;
}

static bool skip_word(struct text *text, const char *word)
{
  while (*word && skip_byte(text, (unsigned char)*word))
    word++;
  return *word == 0;
}

static bool skip_digits(struct text *text)
{
  if (!skip_range(text, '0', '9'))
    return false;
  while (skip_range(text, '0', '9'))
    ;
  return true;
}

static bool skip_number(struct text *text)
{
  skip_byte(text, '-');
  if (!skip_byte(text, '0') && !skip_digits(text))
    return false;
  if (skip_byte(text, '.') && !skip_digits(text))
    return false;
  if (!skip_byte(text, 'e') && !skip_byte(text, 'E'))
    return true;
  if (!skip_byte(text, '+'))
    skip_byte(text, '-');
  return skip_digits(text);
}

static bool skip_hex(struct text *text)
{
  return skip_range(text, '0', '9') || skip_range(text, 'a', 'f') || skip_range(text, 'A', 'F');
}

/* What follows a backslash. */
static bool skip_escape(struct text *text)
{
  if (skip_byte(text, 'u'))
    return skip_hex(text) && skip_hex(text) && skip_hex(text) && skip_hex(text);
  if (text->at == text->end || *text->at == 0 || !strchr("\"\\/bfnrt", *text->at))
    return false;
  text->at++;
  return true;
}

static bool skip_continuation(struct text *text, int count)
{
  while (count > 0 && skip_range(text, 0x80, 0xbf))
    count--;
  return count == 0;
}

/* A character of more than one byte: no overlong form, no half of a pair, nothing beyond the last plane. */
static bool skip_character(struct text *text)
{
  if (skip_range(text, 0xc2, 0xdf))
    return skip_continuation(text, 1);
  if (skip_byte(text, 0xe0))
    return skip_range(text, 0xa0, 0xbf) && skip_continuation(text, 1);
  if (skip_byte(text, 0xed))
    return skip_range(text, 0x80, 0x9f) && skip_continuation(text, 1);
  if (skip_range(text, 0xe1, 0xef))
    return skip_continuation(text, 2);
  if (skip_byte(text, 0xf0))
    return skip_range(text, 0x90, 0xbf) && skip_continuation(text, 2);
  if (skip_byte(text, 0xf4))
    return skip_range(text, 0x80, 0x8f) && skip_continuation(text, 2);
  return skip_range(text, 0xf1, 0xf3) && skip_continuation(text, 3);
}

static bool skip_string(struct text *text)
{
  if (!skip_byte(text, '"'))
    return false;
  while (!skip_byte(text, '"')) {
    const unsigned char *at = text->at;
    while (at < text->end && *at >= ' ' && *at < 0x80 && *at != '"' && *at != '\\')
      at++;
    bool is_plain = at > text->at;
    text->at = at;
    if (!is_plain && !(skip_byte(text, '\\') ? skip_escape(text) : skip_character(text)))
      return false;
  }
  return true;
}

static bool skip_scalar(struct text *text)
{
  switch (*text->at) {
  case '"':
    return skip_string(text);
  case 't':
    return skip_word(text, "true");
  case 'f':
    return skip_word(text, "false");
  case 'n':
    return skip_word(text, "null");
  default:
    return skip_number(text);
  }
}

static bool skip_value(struct text *text)
{
  if (skip_byte(text, '{'))
    return open_nested(text, true);
  if (skip_byte(text, '['))
    return open_nested(text, false);
  text->expected = A_COMMA_OR_END;
  return skip_scalar(text);
}

static bool skip_key(struct text *text)
{
  text->expected = A_COLON;
  return skip_string(text);
}

static bool skip_colon(struct text *text)
{
  text->expected = A_VALUE;
  return skip_byte(text, ':');
}

/* The closing bracket of what is open. */
static bool skip_end(struct text *text)
{
  if (text->depth == 0 || !skip_byte(text, in_object(text) ? '}' : ']'))
    return false;
  text->depth--;
  text->expected = A_COMMA_OR_END;
  return true;
}

static bool skip_comma(struct text *text)
{
  if (text->depth == 0 || !skip_byte(text, ','))
    return false;
  text->expected = in_object(text) ? A_KEY : A_VALUE;
  return true;
}

static bool skip_next(struct text *text)
{
  switch (text->expected) {
  case A_VALUE:
    return skip_value(text);
  case A_VALUE_OR_END:
    return skip_end(text) || skip_value(text);
  case A_KEY:
    return skip_key(text);
  case A_KEY_OR_END:
    return skip_end(text) || skip_key(text);
  case A_COLON:
    return skip_colon(text);
  default:
    return skip_comma(text) || skip_end(text);
  }
}

static void skip_space(struct text *text)
{
  while (text->at < text->end && is_space((char)*text->at))
    text->at++;
}

bool json_is_valid(const char *json, size_t size, size_t *wrong)
{
  const unsigned char *begin = (const unsigned char *)json;
  struct text text = {.at = begin, .end = begin + size, .expected = A_VALUE};
  bool good = true;
  for (skip_space(&text); good && text.at < text.end; skip_space(&text))
    good = skip_next(&text);
  *wrong = (size_t)(text.at - begin);
  return good && text.expected == A_COMMA_OR_END && text.depth == 0;
}
