/* SPDX-License-Identifier: MIT */
#include "budget-etcd/bell.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/deadline.h"
#include "support/failure.h"

#define ECHO_NS INT64_C(1000000000) /* a watch that is silent for longer is none */

/* ---- its life ---- */

int32_t bell_seat(const struct bell *bell)
{
  return (int32_t)(bell->thread.number & INT32_MAX);
}

static void be_silent(struct bell *bell)
{
  http_close(&bell->line);
  json_text_free(&bell->text);
  bell->text.problem = JSON_TEXT_GOOD; /* it was that of this watch */
  bell->rung_ns = 0;
}

static void begin(struct bell *bell)
{
  *bell = (struct bell){.line = bell->line, .thread = bell->thread, .text.limit = GATEWAY_BYTES};
}

int bell_make(struct bell *bell, pool_error_t *error)
{
  begin(bell);
  http_begin(&bell->line);
  return sleeper_make(&bell->thread, error);
}

void bell_ring(const struct bell *bell)
{
  sleeper_wake(&bell->thread);
}

void bell_forget(struct bell *bell)
{
  http_forget(&bell->line);
  sleeper_forget(&bell->thread);
  begin(bell);
}

void bell_free(struct bell *bell)
{
  http_close(&bell->line);
  json_text_free(&bell->text);
  sleeper_close(&bell->thread);
}

/* ---- messages ---- */

void bell_key(const struct place *place, int32_t seat, char key[BELL_KEY])
{
  snprintf(key, BELL_KEY, "%s/told/%08" PRIx32, place->key, (uint32_t)seat);
}

/* The numbers of members, with a space between two. */
static void note_told(struct bell *bell, const char *numbers)
{
  char *end;
  const int32_t room = sizeof bell->told / sizeof *bell->told;
  for (uint64_t id; bell->count < room && (id = strtoull(numbers, &end, 10), end != numbers); numbers = end)
    bell->told[bell->count++] = id;
}

static void read_event(struct bell *bell, const json_t *event)
{
  size_t size;
  char *value = gateway_bytes(json_object_get(event, "kv"), "value", &size);
  if (value)
    note_told(bell, value);
  free(value);
}

/* Returns 0, or a code where the message says that the watch is over. */
static int judge(const json_t *result, pool_error_t *error)
{
  char line[256] = "no watch is possible";
  const char *reason = json_string_value(json_object_get(result, "cancel_reason"));
  if (json_is_object(result) && !json_is_true(json_object_get(result, "canceled")))
    return 0;
  if (reason)
    failure_line(line, sizeof line, reason);
  return failure_set(error, POOL_E_OPEN, 0, "etcd ended the watch: %s", line);
}

/* A message is a line. */
static int read_message(struct bell *bell, const char *line, size_t size, pool_error_t *error)
{
  json_t *message;
  int code = gateway_read(line, size, &message, error);
  const json_t *result = json_object_get(message, "result"), *events = json_object_get(result, "events");
  if (code == 0)
    code = judge(result, error);
  for (size_t i = 0; i < json_array_size(events); i++)
    read_event(bell, json_array_get(events, i));
  json_decref(message);
  bell->rung_ns = 0;
  bell->heard_ns = deadline_clock();
  return code;
}

/* What came before `from` has no end of a line in it. */
static int read_messages(struct bell *bell, size_t from, pool_error_t *error)
{
  const char *end;
  size_t read = 0;
  int code = 0;
  while (code == 0 && from < bell->text.size && (end = memchr(bell->text.data + from, '\n', bell->text.size - from))) {
    from = (size_t)(end - bell->text.data) + 1;
    code = read_message(bell, bell->text.data + read, from - read, error);
    read = from;
  }
  bell->text.size -= read;
  if (read)
    memmove(bell->text.data, bell->text.data + read, bell->text.size);
  return code;
}

/* Takes what has come, until the deadline.  Returns 0 with a message, POOL_E_TIMEOUT without one, or another code: the
   watch is over. */
static int hear(struct bell *bell, int64_t deadline_ns, pool_error_t *error)
{
  size_t from = bell->text.size;
  int code = http_more(&bell->line, &bell->text, deadline_ns, error);
  if (code == 0)
    code = read_messages(bell, from, error);
  if (code == 0 && bell->line.ended)
    code = failure_set(error, POOL_E_BROKEN, 0, "etcd ended the watch");
  if (code && code != POOL_E_TIMEOUT)
    be_silent(bell);
  return code;
}

/* ---- the watch ---- */

/* The first message says that it is one, or that the token is none any more. */
static int watch(struct bell *bell, struct gateway *gateway, int64_t deadline_ns, pool_error_t *error)
{
  char key[BELL_KEY];
  struct json_text body = {.limit = GATEWAY_BYTES};
  bell_key(gateway->place, bell_seat(bell), key);
  json_text_say(&body, "{\"create_request\":{");
  gateway_add_bytes(&body, "key", key, strlen(key));
  json_text_say(&body, "}}");
  int code = gateway_follow(gateway, &bell->line, "/v3/watch", &body, deadline_ns, error);
  json_text_free(&body);
  bell->heard_ns = 0;
  while (code == 0 && bell->heard_ns == 0)
    code = hear(bell, deadline_ns, error);
  if (code) {
    be_silent(bell);
    gateway_forget_token(gateway);
  }
  return code;
}

/* Nothing waits here: a watch whose echo is late is made anew. */
static void check(struct bell *bell, int64_t deadline_ns)
{
  pool_error_t error = POOL_ERROR_INIT;
  while (http_is_open(&bell->line) && !deadline_is_past(deadline_ns) && hear(bell, 0, &error) == 0)
    ;
  if (bell->rung_ns && deadline_clock() - bell->rung_ns > ECHO_NS)
    be_silent(bell);
}

int bell_watch(struct bell *bell, struct gateway *gateway, int64_t deadline_ns, pool_error_t *error)
{
  check(bell, deadline_ns);
  return http_is_open(&bell->line) ? 0 : watch(bell, gateway, deadline_ns, error);
}

bool bell_wants_echo(const struct bell *bell, const struct place *place)
{
  return !bell->rung_ns && deadline_clock() - bell->heard_ns > place->term_ms * 1000000;
}

void bell_awaits_echo(struct bell *bell)
{
  if (!bell->rung_ns)
    bell->rung_ns = deadline_clock();
}

/* ---- sleeping ---- */

static int32_t take_told(struct bell *bell, uint64_t *told, int32_t room)
{
  int32_t count = bell->count < room ? bell->count : room;
  memcpy(told, bell->told, (size_t)count * sizeof *told);
  bell->count -= count;
  memmove(bell->told, bell->told + count, (size_t)bell->count * sizeof *told);
  return count;
}

int bell_wait(struct bell *bell, int64_t until_ns, uint64_t *told, int32_t room, pool_error_t *error)
{
  for (;;) {
    int code = http_is_open(&bell->line) ? hear(bell, 0, error) : POOL_E_TIMEOUT;
    if (bell->count)
      return take_told(bell, told, room);
    if (code && code != POOL_E_TIMEOUT)
      return code;
    if (sleeper_was_woken(&bell->thread) || deadline_is_past(until_ns))
      return 0;
    if (code) /* messages may come without a pause */
      http_sleep(&bell->line, bell->thread.wake, until_ns);
  }
}
