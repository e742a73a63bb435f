/* SPDX-License-Identifier: MIT */
#include "redis/exchange.h"

#include <string.h>

#include "support/deadline.h"
#include "support/failure.h"

/* An error of the server's becomes *error, and is freed. */
static int judge(struct session *session, redisReply *reply, pool_error_t *error)
{
  if (reply->type != REDIS_REPLY_ERROR)
    return 0;
  int size = failure_whole_characters(reply->str, reply->len, sizeof error->message - 1);
  failure_set(error, POOL_E_REMOTE, 0, "%.*s", size, reply->str);
  if (strncmp(reply->str, "READONLY", 8) == 0)
    session->traces |= TRACES_REPLICA;
  freeReplyObject(reply);
  return POOL_E_REMOTE;
}

static int send_command(struct session *session, const struct command *command, int64_t deadline_ns,
                        pool_error_t *error)
{
  struct batch batch = {0};
  batch_add(&batch, command->count, command->arguments, command->sizes);
  int code = deadline_is_past(deadline_ns) && !batch.failed
                 ? failure_set(error, POOL_E_TIMEOUT, 0, "not sent: the deadline had passed")
                 : session_send(session, &batch, deadline_ns, error);
  batch_free(&batch);
  return code;
}

/* Nothing is there yet that would be taken for the reply of the next command. */
static int expect_silence(struct session *session, pool_error_t *error)
{
  int code = session_quiet(session, error);
  if (code || session->traces & TRACES_MODE)
    return code;
  code = wire_check(&session->stream.wire, error);
  return code ? session_break(session, error) : 0;
}

static int run_in_turn(struct session *session, const struct command *command, redisReply **reply, int64_t deadline_ns,
                       pool_error_t *error)
{
  int code = expect_silence(session, error);
  if (code)
    return code;
  session->traces |= traces_before(command);
  code = send_command(session, command, deadline_ns, error);
  if (code == 0)
    code = session_receive(session, reply, deadline_ns, error);
  if (code)
    return code;
  session->traces = traces_after(session->traces, command, *reply, session->settings->database);
  return judge(session, *reply, error);
}

int exchange_run(struct session *session, const struct command *command, int call, redisReply **reply,
                 int64_t deadline_ns, pool_error_t *error)
{
  int code = traces_admit(command, call, error);
  if (code == 0)
    code = session_enter(session, deadline_ns, error);
  if (code)
    return code;
  code = run_in_turn(session, command, reply, deadline_ns, error);
  session_leave(session);
  return code;
}

static int more_in_turn(struct session *session, redisReply **reply, int64_t deadline_ns, pool_error_t *error)
{
  int code = session_whole(session, error);
  if (code)
    return code;
  session->traces |= TRACES_MODE; /* nobody knows how many more there will be */
  code = stream_receive(&session->stream, reply, deadline_ns, error);
  if (code && code != POOL_E_TIMEOUT)
    return session_break(session, error);
  return code ? code : judge(session, *reply, error);
}

int exchange_more(struct session *session, redisReply **reply, int64_t deadline_ns, pool_error_t *error)
{
  int code = session_enter(session, deadline_ns, error);
  if (code)
    return code;
  code = more_in_turn(session, reply, deadline_ns, error);
  session_leave(session);
  return code;
}
