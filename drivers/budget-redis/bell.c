/* SPDX-License-Identifier: MIT */
#include "budget-redis/bell.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "budget-redis/line.h"
#include "support/deadline.h"
#include "support/failure.h"

/* ---- its life ---- */

static void name_channel(struct bell *bell)
{
  snprintf(bell->channel, sizeof bell->channel, "%016" PRIx64, bell->thread.number);
}

int bell_make(struct bell *bell, pool_error_t *error)
{
  *bell = (struct bell){.line = NULL};
  int code = sleeper_make(&bell->thread, error);
  name_channel(bell);
  return code;
}

void bell_ring(const struct bell *bell)
{
  sleeper_wake(&bell->thread);
}

void bell_forget(struct bell *bell)
{
  line_forget(&bell->line);
  sleeper_forget(&bell->thread);
  name_channel(bell);
}

void bell_free(struct bell *bell)
{
  line_close(&bell->line);
  sleeper_close(&bell->thread);
}

/* ---- the subscription ---- */

static int judge_subscribed(const redisReply *reply, pool_error_t *error)
{
  if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 3)
    return 0;
  if (reply->type == REDIS_REPLY_ERROR)
    return failure_set(error, POOL_E_OPEN, 0, "subscribing: the server says: %.300s", reply->str);
  return failure_set(error, POOL_E_OPEN, 0, "subscribing: the reply is another one; this is no server of Redis");
}

static int subscribe(struct bell *bell, struct place *place, int64_t deadline_ns, pool_error_t *error)
{
  char name[512];
  redisReply *reply;
  snprintf(name, sizeof name, "%s:%s", place->keys[0], bell->channel);
  int code = line_open(&bell->line, place, (const char *[]){"SUBSCRIBE", name}, &reply, deadline_ns, error);
  if (code)
    return code;
  code = judge_subscribed(reply, error);
  freeReplyObject(reply);
  if (code)
    line_close(&bell->line);
  bell->asked_ns = deadline_clock();
  bell->answered = true;
  return code;
}

/* The reply comes as a message does. */
static void check(struct bell *bell, int64_t term_ms, int64_t deadline_ns)
{
  pool_error_t error = POOL_ERROR_INIT;
  int64_t now = deadline_clock();
  if (!bell->line || (now - bell->asked_ns) / 1000000 < term_ms)
    return;
  if (!bell->answered || line_send(bell->line, "PING", deadline_ns, &error) != 0)
    line_close(&bell->line);
  bell->asked_ns = now;
  bell->answered = false;
}

int bell_subscribe(struct bell *bell, struct place *place, int64_t deadline_ns, pool_error_t *error)
{
  check(bell, place->term_ms, deadline_ns);
  return bell->line ? 0 : subscribe(bell, place, deadline_ns, error);
}

/* The number in a message; 0: it is another reply. */
static uint64_t member_of(const redisReply *reply)
{
  if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 || reply->element[0]->type != REDIS_REPLY_STRING ||
      strcmp(reply->element[0]->str, "message") != 0 || reply->element[2]->type != REDIS_REPLY_STRING)
    return 0;
  return strtoull(reply->element[2]->str, NULL, 10);
}

/* Takes messages that have come, no more than there is room for, whatever they say: they may come without a pause.
   Returns how many members they name, or a code.  *all: there are no others. */
static int hear(struct bell *bell, uint64_t *told, int32_t room, bool *all, pool_error_t *error)
{
  int count = 0;
  *all = !bell->line;
  for (int32_t heard = 0; bell->line && heard < room; heard++) {
    redisReply *reply;
    int code = stream_receive(&bell->line->stream, &reply, 0, error);
    *all = code == POOL_E_TIMEOUT;
    if (*all)
      break;
    if (code) {
      line_close(&bell->line);
      return count ? count : code;
    }
    bell->answered = true;
    told[count] = member_of(reply);
    count += told[count] != 0;
    freeReplyObject(reply);
  }
  return count;
}

/* ---- sleeping ---- */

/* poll() passes over a descriptor of -1. */
static void sleep_until(const struct bell *bell, int64_t until_ns)
{
  struct pollfd both[] = {{.fd = bell->thread.wake, .events = POLLIN},
                          {.fd = bell->line ? bell->line->stream.wire.descriptor : -1, .events = POLLIN}};
  poll(both, 2, deadline_poll_timeout(until_ns));
}

int bell_wait(struct bell *bell, int64_t until_ns, uint64_t *told, int32_t room, pool_error_t *error)
{
  for (;;) {
    bool all;
    int count = hear(bell, told, room, &all, error);
    if (count != 0 || sleeper_was_woken(&bell->thread) || deadline_is_past(until_ns))
      return count;
    if (all)
      sleep_until(bell, until_ns);
  }
}
