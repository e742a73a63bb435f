/* SPDX-License-Identifier: MIT */
#include "redis/session.h"

#include <stdio.h>
#include <stdlib.h>

#include "support/deadline.h"
#include "support/failure.h"

struct session *session_new(struct settings *settings)
{
  struct session *session = calloc(1, sizeof *session);
  if (!session)
    return NULL;
  session->settings = settings;
  session->stream.wire.descriptor = -1;
  if (!stream_init(&session->stream, (size_t)settings->max_reply_bytes)) {
    free(session);
    return NULL;
  }
  pthread_mutex_init(&session->lock, NULL);
  deadline_condition_init(&session->changed);
  return session;
}

void session_free(struct session *session)
{
  if (session->context)
    redisFreeKeepFd(session->context);
  if (session->stream.wire.descriptor >= 0)
    wire_close(&session->stream.wire);
  stream_free(&session->stream);
  pthread_cond_destroy(&session->changed);
  pthread_mutex_destroy(&session->lock);
  free(session);
}

int session_enter(struct session *session, int64_t deadline_ns, pool_error_t *error)
{
  bool in_time = true;
  pthread_mutex_lock(&session->lock);
  while (session->busy && in_time)
    in_time = deadline_wait(&session->changed, &session->lock, deadline_ns);
  bool taken = !session->busy;
  session->busy = true; /* or is it already */
  pthread_mutex_unlock(&session->lock);
  /* The caller is not one of those whose replies are under way, so the connection is as good as it was. */
  return taken ? 0 : failure_set(error, POOL_E_TIMEOUT, 0, "not sent: the deadline passed behind earlier commands");
}

void session_leave(struct session *session)
{
  pthread_mutex_lock(&session->lock);
  session->busy = false;
  pthread_cond_signal(&session->changed);
  pthread_mutex_unlock(&session->lock);
}

int session_break(struct session *session, const pool_error_t *error)
{
  if (!session->broken)
    snprintf(session->why, sizeof session->why, "%.399s", error->message);
  session->broken = true;
  return error->code;
}

int session_whole(const struct session *session, pool_error_t *error)
{
  return session->broken ? failure_set(error, POOL_E_BROKEN, 0, "the connection broke before: %s", session->why) : 0;
}

int session_quiet(const struct session *session, pool_error_t *error)
{
  int code = session_whole(session, error);
  if (code || session->traces & TRACES_MODE || !stream_has_rest(&session->stream))
    return code;
  return failure_set(error, POOL_E_BROKEN, 0, "a reply that nobody has asked for is waiting");
}

int session_send(struct session *session, const struct batch *batch, int64_t deadline_ns, pool_error_t *error)
{
  if (batch->failed)
    return failure_set(error, POOL_E_NOMEM, 0, "no memory for a command");
  int code = wire_write(&session->stream.wire, batch->data, batch->size, deadline_ns, error);
  return code ? session_break(session, error) : 0;
}

int session_receive(struct session *session, redisReply **reply, int64_t deadline_ns, pool_error_t *error)
{
  int code = stream_receive(&session->stream, reply, deadline_ns, error);
  return code ? session_break(session, error) : 0;
}
