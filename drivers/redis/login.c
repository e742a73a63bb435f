/* SPDX-License-Identifier: MIT */
#include "redis/login.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "support/deadline.h"
#include "support/failure.h"

#define RESET_DOING "resetting"

/* ---- what the server says ---- */

/* An error of the server's, as a message.  Servers quote the arguments of a command that they do not know, and so a
   password may be in it. */
static int say_refused(const struct session *session, const char *doing, const redisReply *reply, pool_error_t *error)
{
  const char *password = session->settings->password;
  int size = failure_whole_characters(reply->str, reply->len, 300);
  if (failure_quotes(reply->str, reply->len, password))
    size = (int)strcspn(reply->str, " ");
  if (failure_quotes(reply->str, (size_t)size, password))
    size = 0;
  const char *hint = strncmp(reply->str, "NOAUTH", 6) == 0 && !password ? " (the URL has no password)" : "";
  return failure_set(error, POOL_E_OPEN, 0, "%s: the server says: %.*s%s", doing, size, reply->str, hint);
}

bool login_is_refusal(const redisReply *reply)
{
  /* A server that is busy with a script serves again, and a user may have the right to all but PING. */
  return strncmp(reply->str, "BUSY", 4) != 0 && strncmp(reply->str, "NOPERM", 6) != 0;
}

static int judge_ok(const struct session *session, const char *doing, const redisReply *reply, pool_error_t *error)
{
  if (reply->type == REDIS_REPLY_STATUS && strcmp(reply->str, "OK") == 0)
    return 0;
  if (reply->type == REDIS_REPLY_ERROR)
    return say_refused(session, doing, reply, error);
  return failure_set(error, POOL_E_OPEN, 0, "%s: the reply is not OK; this is no server of Redis", doing);
}

int login_expect_ok(struct session *session, const char *doing, int64_t deadline_ns, pool_error_t *error)
{
  redisReply *reply;
  int code = session_receive(session, &reply, deadline_ns, error);
  if (code)
    return code;
  code = judge_ok(session, doing, reply, error);
  freeReplyObject(reply);
  return code;
}

/* ---- the last command: PING with a text that nobody can have sent before ---- */

#define MARK_SIZE 64

static void make_mark(char mark[MARK_SIZE])
{
  static _Atomic uint64_t last;
  snprintf(mark, MARK_SIZE, "libpool-%" PRId64 "-%" PRIu64, deadline_clock(), atomic_fetch_add(&last, 1) + 1);
}

/* A subscribed connection answers with an array of two. */
static bool is_mark(const redisReply *reply, const char *mark)
{
  if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2)
    reply = reply->element[1];
  return reply->type == REDIS_REPLY_STRING && reply->len == strlen(mark) && memcmp(reply->str, mark, reply->len) == 0;
}

static int judge_mark(const struct session *session, const redisReply *reply, const char *mark, pool_error_t *error)
{
  if (is_mark(reply, mark) || (reply->type == REDIS_REPLY_ERROR && !login_is_refusal(reply)))
    return 0;
  if (reply->type == REDIS_REPLY_ERROR)
    return say_refused(session, "asking whether it serves", reply, error);
  return failure_set(error, POOL_E_OPEN, 0, "the reply to PING is another one; this is no server of Redis");
}

static int expect_mark(struct session *session, const char *mark, int64_t deadline_ns, pool_error_t *error)
{
  redisReply *reply;
  int code = session_receive(session, &reply, deadline_ns, error);
  if (code)
    return code;
  code = judge_mark(session, reply, mark, error);
  freeReplyObject(reply);
  return code;
}

/* ---- RESET ---- */

static bool is_reset_unknown(const redisReply *reply)
{
  return reply->type == REDIS_REPLY_ERROR && strstr(reply->str, "unknown command") && strcasestr(reply->str, "reset");
}

/* Whether this is the end of what was there before.  Returns 1: go on; 0, or a code. */
static int judge_reset(struct session *session, const redisReply *reply, const char *mark, pool_error_t *error)
{
  _Atomic int *has_reset = &session->settings->has_reset;
  if (reply->type == REDIS_REPLY_STATUS && strcmp(reply->str, "RESET") == 0) {
    atomic_store(has_reset, 1);
    return 0;
  }
  if (is_reset_unknown(reply) && atomic_load(has_reset) == 0)
    atomic_store(has_reset, -1);
  return is_reset_unknown(reply) || is_mark(reply, mark)
             ? failure_set(error, POOL_E_BROKEN, 0,
                           "the server does not take RESET, which came with version 6.2, and "
                           "nothing else undoes what was done")
             : 1;
}

static int pass_reset(struct session *session, const char *mark, int64_t deadline_ns, pool_error_t *error)
{
  for (;;) {
    redisReply *reply;
    int code = session_receive(session, &reply, deadline_ns, error);
    if (code)
      return code;
    code = judge_reset(session, reply, mark, error);
    freeReplyObject(reply);
    if (code != 1)
      return code;
    if (deadline_is_past(deadline_ns)) /* messages may come without a pause */
      return failure_set(error, POOL_E_TIMEOUT, 0, RESET_DOING ": the deadline passed");
  }
}

/* ---- the whole ---- */

static void add_login(struct batch *batch, const struct settings *settings)
{
  if (settings->user && settings->password)
    batch_words(batch, "AUTH", settings->user, settings->password, NULL);
  else if (settings->password)
    batch_words(batch, "AUTH", settings->password, NULL);
  if (settings->client_name)
    batch_words(batch, "CLIENT", "SETNAME", settings->client_name, NULL);
  if (strcmp(settings->database, "0") != 0)
    batch_words(batch, "SELECT", settings->database, NULL);
}

static int expect_login(struct session *session, int64_t deadline_ns, pool_error_t *error)
{
  const struct settings *settings = session->settings;
  int code = settings->password ? login_expect_ok(session, "logging in", deadline_ns, error) : 0;
  if (code == 0 && settings->client_name)
    code = login_expect_ok(session, "setting client_name", deadline_ns, error);
  if (code == 0 && strcmp(settings->database, "0") != 0)
    code = login_expect_ok(session, "selecting the database", deadline_ns, error);
  return code;
}

/* A server that has too many clients says so and closes, so there may be a reply to what could not be sent. */
static int send_or_hear(struct session *session, const struct batch *batch, int64_t deadline_ns, pool_error_t *error)
{
  redisReply *reply = NULL;
  pool_error_t nothing = POOL_ERROR_INIT;
  int code = session_send(session, batch, deadline_ns, error);
  if (code != POOL_E_BROKEN || stream_receive(&session->stream, &reply, 0, &nothing) != 0)
    return code;
  if (reply->type == REDIS_REPLY_ERROR)
    say_refused(session, "logging in", reply, error);
  freeReplyObject(reply);
  return code;
}

int login_run(struct session *session, bool reset, int64_t deadline_ns, pool_error_t *error)
{
  struct batch batch = {0};
  char mark[MARK_SIZE];
  make_mark(mark);
  if (reset)
    batch_words(&batch, "RESET", NULL);
  add_login(&batch, session->settings);
  batch_words(&batch, "PING", mark, NULL);
  int code = send_or_hear(session, &batch, deadline_ns, error);
  batch_free(&batch);
  if (code == 0 && reset)
    code = pass_reset(session, mark, deadline_ns, error);
  if (code == 0)
    code = expect_login(session, deadline_ns, error);
  return code ? code : expect_mark(session, mark, deadline_ns, error);
}
