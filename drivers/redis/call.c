/* SPDX-License-Identifier: MIT */
#include "redis/call.h"

#include "redis/exchange.h"
#include "redis/render.h"
#include "support/failure.h"

int call_run(struct session *session, const struct arguments *arguments, pool_bytes_t *json, int64_t deadline_ns,
             pool_error_t *error)
{
  redisReply *reply;
  int code = exchange_run(session, &arguments->command, 1, &reply, deadline_ns, error);
  if (code)
    return code;
  if (render_reply(reply, json) != 0)
    code = failure_no_room(error, POOL_E_NOMEM);
  freeReplyObject(reply);
  return code;
}

int call_sync(struct session *session, const char *method, pool_bytes_t args, pool_bytes_t *reply, int64_t deadline_ns,
              pool_error_t *error)
{
  struct arguments arguments;
  int code = arguments_read(&arguments, method, args, error);
  if (code)
    return code;
  code = call_run(session, &arguments, reply, deadline_ns, error);
  arguments_free(&arguments);
  return code;
}
