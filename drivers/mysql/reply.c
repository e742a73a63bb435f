/* SPDX-License-Identifier: MIT */
#include "mysql/reply.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_names(struct reply *reply, const MYSQL_FIELD *fields)
{
  for (unsigned i = 0; i < reply->field_count; i++) {
    json_text_say(&reply->text, i ? "," : "");
    json_text_string(&reply->text, fields[i].name, fields[i].name_length);
  }
}

static void add_types(struct reply *reply, const MYSQL_FIELD *fields)
{
  for (unsigned i = 0; i < reply->field_count; i++) {
    const char *type = column_type(&fields[i]);
    json_text_say(&reply->text, i ? "," : "");
    json_text_string(&reply->text, type, strlen(type));
    reply->kinds[i] = column_kind(&fields[i]);
  }
}

void reply_columns(struct reply *reply, const MYSQL_FIELD *fields, unsigned count)
{
  reply->began = true;
  reply->field_count = count;
  reply->kinds = calloc(count + 1, sizeof *reply->kinds);
  if (!reply->kinds) {
    reply->text.problem = JSON_TEXT_NO_MEMORY;
    reply->field_count = 0;
  }
  json_text_say(&reply->text, "{\"columns\":[");
  add_names(reply, fields);
  json_text_say(&reply->text, "],\"types\":[");
  add_types(reply, fields);
  json_text_say(&reply->text, "],\"rows\":[");
}

void reply_row(struct reply *reply)
{
  json_text_say(&reply->text, reply->rows++ ? ",[" : "[");
}

/* ---- values ---- */

/* Servers that only speak the protocol have "-inf" among their numbers: that becomes a string. */
static void add_number(struct json_text *text, const char *bytes, size_t size)
{
  while (size > 1 && *bytes == '0' && bytes[1] >= '0' && bytes[1] <= '9')
    bytes++, size--; /* of ZEROFILL, which has no sign */
  json_text_value(text, bytes, size);
}

static void add_bits(struct json_text *text, const char *bytes, size_t size)
{
  char digits[24];
  uint64_t value = 0;
  for (size_t i = 0; i < size; i++)
    value = value << 8 | (unsigned char)bytes[i];
  snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
  json_text_say(text, digits);
}

static void add_bytes(struct json_text *text, const char *bytes, size_t size)
{
  static const char digits[] = "0123456789abcdef";
  json_text_say(text, "\"\\\\x");
  for (size_t i = 0; i < size && text->problem == JSON_TEXT_GOOD; i++) {
    unsigned char byte = (unsigned char)bytes[i];
    json_text_add(text, (char[]){digits[byte >> 4], digits[byte & 15]}, 2);
  }
  json_text_say(text, "\"");
}

static void add_value(struct json_text *text, enum column_kind kind, const char *bytes, size_t size)
{
  switch (kind) {
  case COLUMN_NUMBER:
    add_number(text, bytes, size);
    return;
  case COLUMN_BITS:
    add_bits(text, bytes, size);
    return;
  case COLUMN_JSON:
    json_text_value(text, bytes, size);
    return;
  case COLUMN_BYTES:
    add_bytes(text, bytes, size);
    return;
  default:
    json_text_string(text, bytes, size);
  }
}

void reply_value(struct reply *reply, unsigned column, const char *bytes, size_t size)
{
  json_text_say(&reply->text, column ? "," : "");
  if (bytes && column < reply->field_count)
    add_value(&reply->text, reply->kinds[column], bytes, size);
  else
    json_text_say(&reply->text, "null");
  if (column + 1 == reply->field_count)
    json_text_say(&reply->text, "]");
}

/* ---- the end ---- */

void reply_end(struct reply *reply, unsigned long long affected, unsigned long long last_insert_id)
{
  char end[96];
  if (!reply->began)
    reply_columns(reply, NULL, 0);
  snprintf(end, sizeof end, "],\"affected\":%llu,\"last_insert_id\":%llu}", affected, last_insert_id);
  json_text_say(&reply->text, end);
}

void reply_fault(struct reply *reply, const struct fault *fault)
{
  char end[64];
  struct json_text *text = &reply->text;
  json_text_free(text);
  *text = (struct json_text){.limit = SIZE_MAX / 4}; /* servers keep errors short */
  json_text_say(text, "{\"message\":");
  json_text_string(text, fault->text, strlen(fault->text));
  snprintf(end, sizeof end, ",\"code\":%u,\"sqlstate\":", fault->number);
  json_text_say(text, end);
  json_text_string(text, fault->state, strlen(fault->state));
  json_text_say(text, "}");
}

void reply_free(struct reply *reply)
{
  json_text_free(&reply->text);
  free(reply->kinds);
}
