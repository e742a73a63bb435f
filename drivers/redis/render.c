/* SPDX-License-Identifier: MIT */
#include "redis/render.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "redis/base64.h"

/* Where the text goes.  The first pass has no place and counts, the second writes. */
struct sink {
  char *to;
  size_t size;
};

static void put(struct sink *sink, const char *text, size_t size)
{
  if (sink->to)
    memcpy(sink->to + sink->size, text, size);
  sink->size += size;
}

#define PUT(sink, text) put(sink, text, sizeof(text) - 1)

/* ---- texts ---- */

/* How many bytes of a character of UTF-8 begin here.  0: it is none, as one that is longer than it needs to be, a half
   of a pair, or beyond the last. */
static size_t character(const unsigned char *text, size_t left)
{
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  unsigned char first = *text;
  if (first < 0x80)
    return 1;
  size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || size > left)
    return 0;
  uint32_t code = first & (0x7fu >> size);
  for (size_t i = 1; i < size; i++) {
    if ((text[i] & 0xc0) != 0x80)
      return 0;
    code = code << 6 | (text[i] & 0x3fu);
  }
  return code < least[size] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : size;
}

static bool is_text(const char *text, size_t size)
{
  for (size_t i = 0, step; i < size; i += step)
    if ((step = character((const unsigned char *)text + i, size - i)) == 0)
      return false;
  return true;
}

static void put_escaped(struct sink *sink, unsigned char byte)
{
  char escaped[8];
  const char *at = strchr("\"\\\nn\rr\tt", byte);
  int size = byte == '"' || byte == '\\' ? snprintf(escaped, sizeof escaped, "\\%c", byte)
             : at && byte                ? snprintf(escaped, sizeof escaped, "\\%c", at[1])
                                         : snprintf(escaped, sizeof escaped, "\\u%04x", byte);
  put(sink, escaped, (size_t)size);
}

static void put_text(struct sink *sink, const char *text, size_t size)
{
  PUT(sink, "\"");
  for (size_t i = 0, begin = 0; i <= size; i++) {
    unsigned char byte = i < size ? (unsigned char)text[i] : 0;
    if (byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7f)
      continue;
    put(sink, text + begin, i - begin);
    if (i < size)
      put_escaped(sink, byte);
    begin = i + 1;
  }
  PUT(sink, "\"");
}

static void put_bytes(struct sink *sink, const char *bytes, size_t size)
{
  PUT(sink, "{\"base64\":\"");
  if (sink->to)
    base64_write(sink->to + sink->size, (const unsigned char *)bytes, size);
  sink->size += base64_size(size);
  PUT(sink, "\"}");
}

static void put_string(struct sink *sink, const redisReply *reply)
{
  if (is_text(reply->str, reply->len))
    put_text(sink, reply->str, reply->len);
  else
    put_bytes(sink, reply->str, reply->len);
}

/* ---- replies ---- */

static void put_reply(struct sink *sink, const redisReply *reply);

/* hiredis refuses arrays that are more than a few deep. */
static void put_array(struct sink *sink, const redisReply *reply)
{
  PUT(sink, "[");
  for (size_t i = 0; i < reply->elements; i++) {
    if (i)
      PUT(sink, ",");
    put_reply(sink, reply->element[i]);
  }
  PUT(sink, "]");
}

static void put_reply(struct sink *sink, const redisReply *reply)
{
  char number[24];
  switch (reply->type) {
  case REDIS_REPLY_ARRAY:
    put_array(sink, reply);
    break;
  case REDIS_REPLY_INTEGER:
    put(sink, number, (size_t)snprintf(number, sizeof number, "%lld", reply->integer));
    break;
  case REDIS_REPLY_NIL:
    PUT(sink, "null");
    break;
  case REDIS_REPLY_ERROR:
    PUT(sink, "{\"error\":");
    put_string(sink, reply);
    PUT(sink, "}");
    break;
  default:
    put_string(sink, reply);
  }
}

int render_reply(const redisReply *reply, pool_bytes_t *json)
{
  struct sink sink = {0};
  put_reply(&sink, reply);
  if (pool_bytes_new(sink.size, json) != 0)
    return POOL_E_NOMEM;
  sink = (struct sink){.to = json->data};
  put_reply(&sink, reply);
  return 0;
}
