/* SPDX-License-Identifier: MIT */
#include "redis/cleanse.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "redis/login.h"
#include "support/deadline.h"
#include "support/failure.h"

/* ---- check ---- */

static int judge_ping(const redisReply *reply, pool_error_t *error)
{
  if (reply->type == REDIS_REPLY_STATUS && strcmp(reply->str, "PONG") == 0)
    return 0;
  if (reply->type != REDIS_REPLY_ERROR)
    return failure_set(error, POOL_E_BROKEN, 0, "the reply to PING is another one");
  return login_is_refusal(reply) ? failure_set(error, POOL_E_BROKEN, 0, "the server says: %.300s", reply->str) : 0;
}

static int ping(struct session *session, int64_t deadline_ns, pool_error_t *error)
{
  struct batch batch = {0};
  redisReply *reply;
  batch_words(&batch, "PING", NULL);
  int code = session_send(session, &batch, deadline_ns, error);
  batch_free(&batch);
  if (code == 0)
    code = session_receive(session, &reply, deadline_ns, error);
  if (code)
    return code;
  code = judge_ping(reply, error);
  freeReplyObject(reply);
  return code;
}

static int look(struct session *session, pool_error_t *error)
{
  int code = session_quiet(session, error);
  return code ? code : wire_check(&session->stream.wire, error);
}

int cleanse_check(struct session *session, int64_t deadline_ns, pool_error_t *error)
{
  int code = look(session, error);
  return code ? code : ping(session, deadline_ns, error);
}

/* ---- reset ---- */

/* What hiredis holds back: bytes that were not sent, or of replies that were not read. */
static bool holds_anything(const redisContext *context)
{
  const redisReader *reader = context->reader;
  return context->err || (context->obuf && *context->obuf) || reader->len > reader->pos || reader->ridx >= 0;
}

/* Takes back what pool_redis_context() gave. */
static int take_context(struct session *session, pool_error_t *error)
{
  struct timeval none = {0, 0};
  if (!session->context)
    return 0;
  bool dirty = holds_anything(session->context);
  redisFreeKeepFd(session->context);
  session->context = NULL;
  setsockopt(session->stream.wire.descriptor, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
  setsockopt(session->stream.wire.descriptor, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none);
  return dirty ? failure_set(error, POOL_E_BROKEN, 0, "hiredis failed, or holds commands or replies back") : 0;
}

/* Undoes what each command for itself can undo, in one round trip. */
static int undo(struct session *session, int64_t deadline_ns, pool_error_t *error)
{
  const struct settings *settings = session->settings;
  unsigned traces = session->traces;
  struct batch batch = {0};
  if (traces & TRACES_MULTI)
    batch_words(&batch, "DISCARD", NULL);
  if (traces & TRACES_WATCH)
    batch_words(&batch, "UNWATCH", NULL);
  if (traces & TRACES_SELECT)
    batch_words(&batch, "SELECT", settings->database, NULL);
  if (traces & TRACES_NAME)
    batch_words(&batch, "CLIENT", "SETNAME", settings->client_name ? settings->client_name : "", NULL);
  int code = session_send(session, &batch, deadline_ns, error);
  batch_free(&batch);
  for (unsigned trace = TRACES_MULTI; trace <= TRACES_NAME && code == 0; trace <<= 1)
    if (traces & trace)
      code = login_expect_ok(session, "cleaning up", deadline_ns, error);
  return code;
}

static int reset(struct session *session, int64_t deadline_ns, pool_error_t *error)
{
  if (session->settings->has_reset < 0)
    return failure_set(error, POOL_E_BROKEN, 0,
                       "the server does not know RESET, which came with version 6.2, and "
                       "nothing else undoes what was done");
  return login_run(session, true, deadline_ns, error);
}

int cleanse_run(struct session *session, int64_t deadline_ns, pool_error_t *error)
{
  int64_t limit_ns = deadline_clock() + session->settings->reset_timeout_ns;
  int code = session_quiet(session, error);
  if (code || session->traces == 0)
    return code;
  if (session->traces & TRACES_LASTING)
    return failure_set(error, POOL_E_BROKEN, 0, "a command changed the connection in a way that nothing undoes");
  if (session->traces & TRACES_REPLICA)
    return failure_set(error, POOL_E_BROKEN, 0, "the server is a replica and takes no writes");
  if (limit_ns < deadline_ns)
    deadline_ns = limit_ns;
  code = take_context(session, error);
  if (code == 0)
    code = session->traces & (TRACES_MODE | TRACES_UNSEEN) ? reset(session, deadline_ns, error)
                                                           : undo(session, deadline_ns, error);
  if (code == 0 && stream_has_rest(&session->stream))
    code = failure_set(error, POOL_E_BROKEN, 0, "a reply that nobody has asked for came");
  session->traces = 0;
  return code;
}
