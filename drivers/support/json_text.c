/* SPDX-License-Identifier: MIT */
#include "support/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/json_check.h"

#define CAPACITY_FIRST ((size_t)1024)

static bool reserve(struct json_text *text, size_t more)
{
  if (text->problem == JSON_TEXT_GOOD && more > text->limit - text->size)
    text->problem = JSON_TEXT_TOO_LARGE;
  if (text->problem != JSON_TEXT_GOOD)
    return false;
  if (text->capacity - text->size >= more)
    return true;
  size_t capacity = text->capacity ? text->capacity * 2 : CAPACITY_FIRST;
  while (capacity - text->size < more)
    capacity *= 2;
  char *data = realloc(text->data, capacity);
  if (!data) {
    text->problem = JSON_TEXT_NO_MEMORY;
    return false;
  }
  text->data = data;
  text->capacity = capacity;
  return true;
}

void json_text_add(struct json_text *text, const char *bytes, size_t size)
{
  if (size == 0 || !reserve(text, size))
    return;
  memcpy(text->data + text->size, bytes, size);
  text->size += size;
}

void json_text_say(struct json_text *text, const char *bytes)
{
  json_text_add(text, bytes, strlen(bytes));
}

/* ---- strings ---- */

static void add_escaped(struct json_text *text, unsigned char byte)
{
  static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
  char escape[8];
  for (const char *pair = letters; *pair; pair += 2)
    if (byte == (unsigned char)*pair) {
      json_text_add(text, (char[]){'\\', pair[1]}, 2);
      return;
    }
  snprintf(escape, sizeof escape, "\\u%04x", byte);
  json_text_add(text, escape, 6);
}

/* How many bytes the character at `bytes` has.  0: it is not UTF-8. */
static size_t character(const unsigned char *bytes, size_t size)
{
  unsigned char first = *bytes, least = 0x80, most = 0xbf;
  size_t length = first < 0x80                     ? 1
                  : first >= 0xc2 && first <= 0xdf ? 2
                  : (first & 0xf0) == 0xe0         ? 3
                  : first >= 0xf0 && first <= 0xf4 ? 4
                                                   : 0;
  if (length == 0 || length > size)
    return 0;
  least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : least; /* no shorter form, */
  most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : most;   /* no surrogate, nothing beyond U+10FFFF */
  for (size_t i = 1; i < length; i++) {
    if (bytes[i] < least || bytes[i] > most)
      return 0;
    least = 0x80;
    most = 0xbf;
  }
  return length;
}

bool json_text_is_utf8(const char *bytes, size_t size)
{
  size_t length = 1;
  for (size_t i = 0; i < size && length; i += length)
    length = character((const unsigned char *)bytes + i, size - i);
  return length > 0;
}

static bool is_plain(const unsigned char *bytes, size_t length)
{
  return length > 1 || (length == 1 && *bytes >= ' ' && *bytes != '"' && *bytes != '\\');
}

void json_text_string(struct json_text *text, const char *bytes, size_t size)
{
  size_t begun = 0;
  json_text_add(text, "\"", 1);
  for (size_t i = 0; i < size && text->problem == JSON_TEXT_GOOD;) {
    const unsigned char *at = (const unsigned char *)bytes + i;
    size_t length = character(at, size - i);
    if (is_plain(at, length)) {
      i += length;
      continue;
    }
    json_text_add(text, bytes + begun, i - begun);
    if (length)
      add_escaped(text, *at);
    else
      json_text_say(text, "\xef\xbf\xbd");
    begun = ++i;
  }
  json_text_add(text, bytes + begun, size - begun);
  json_text_add(text, "\"", 1);
}

/* ---- values ---- */

void json_text_value(struct json_text *text, const char *bytes, size_t size)
{
  struct json_check check;
  json_check_start(&check);
  json_check_feed(&check, bytes, size);
  if (json_check_end(&check))
    json_text_add(text, bytes, size);
  else
    json_text_string(text, bytes, size);
}

/* ---- the end ---- */

bool json_text_take(struct json_text *text, pool_bytes_t *bytes)
{
  bool good = text->problem == JSON_TEXT_GOOD && pool_bytes_new(text->size, bytes) == 0;
  if (good)
    memcpy(bytes->data, text->data, text->size);
  json_text_free(text);
  return good;
}

void json_text_free(struct json_text *text)
{
  free(text->data);
  text->data = NULL;
  text->size = text->capacity = 0;
}
