/* SPDX-License-Identifier: MIT */
#include "redis/render.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/base64.h"
#include "support/json_text.h"

static void add_bytes(struct json_text *text, const char *bytes, size_t size)
{
  size_t letters = base64_size(size);
  char *encoded = malloc(letters + 1);
  json_text_say(text, "{\"base64\":\"");
  if (encoded) {
    base64_write(encoded, (const unsigned char *)bytes, size);
    json_text_add(text, encoded, letters);
  } else {
    text->problem = JSON_TEXT_NO_MEMORY;
  }
  json_text_say(text, "\"}");
  free(encoded);
}

static void add_string(struct json_text *text, const redisReply *reply)
{
  if (json_text_is_utf8(reply->str, reply->len))
    json_text_string(text, reply->str, reply->len);
  else
    add_bytes(text, reply->str, reply->len);
}

static void add_integer(struct json_text *text, long long integer)
{
  char number[24];
  snprintf(number, sizeof number, "%lld", integer);
  json_text_say(text, number);
}

static void add_reply(struct json_text *text, const redisReply *reply);

/* The stream refuses arrays that are more than a few deep. */
static void add_array(struct json_text *text, const redisReply *reply)
{
  json_text_say(text, "[");
  for (size_t i = 0; i < reply->elements; i++) {
    if (i)
      json_text_say(text, ",");
    add_reply(text, reply->element[i]);
  }
  json_text_say(text, "]");
}

static void add_reply(struct json_text *text, const redisReply *reply)
{
  switch (reply->type) {
  case REDIS_REPLY_ARRAY:
    add_array(text, reply);
    break;
  case REDIS_REPLY_INTEGER:
    add_integer(text, reply->integer);
    break;
  case REDIS_REPLY_NIL:
    json_text_say(text, "null");
    break;
  case REDIS_REPLY_ERROR:
    json_text_say(text, "{\"error\":");
    add_string(text, reply);
    json_text_say(text, "}");
    break;
  default:
    add_string(text, reply);
  }
}

int render_reply(const redisReply *reply, pool_bytes_t *json)
{
  struct json_text text = {.limit = SIZE_MAX / 4};
  add_reply(&text, reply);
  return json_text_take(&text, json) ? 0 : POOL_E_NOMEM;
}
