/* SPDX-License-Identifier: MIT */
/* The functions of pool/redis.h. */
#include <pool/redis.h>

#include <fcntl.h>
#include <hiredis.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "redis/exchange.h"
#include "redis/format.h"
#include "redis/session.h"
#include "support/failure.h"

/* The same error, or one in its place that nobody sees. */
static pool_error_t *or_this(pool_error_t *error, pool_error_t *own)
{
  return error && error->size == sizeof *own ? error : own;
}

static struct session *session_of(pool_redis_t *redis)
{
  return (struct session *)redis;
}

/* ---- commands ---- */

/* Gives out a reply, or frees it. */
static int give(int code, redisReply *got, struct redisReply **reply)
{
  if (code)
    return code;
  if (reply)
    *reply = got;
  else
    freeReplyObject(got);
  return 0;
}

static int run(struct session *session, const struct command *command, int64_t deadline_ns, struct redisReply **reply,
               pool_error_t *error)
{
  redisReply *got = NULL;
  int code = exchange_run(session, command, 0, &got, deadline_ns, error);
  return give(code, got, reply);
}

static int run_list(struct session *session, int count, const char *const *arguments, int64_t deadline_ns,
                    struct redisReply **reply, pool_error_t *error)
{
  size_t *sizes = calloc((size_t)count, sizeof *sizes);
  if (!sizes)
    return failure_set(error, POOL_E_NOMEM, 0, "no memory for a command");
  for (int i = 0; i < count; i++)
    sizes[i] = strlen(arguments[i]);
  int code = run(session, &(struct command){count, arguments, sizes}, deadline_ns, reply, error);
  free(sizes);
  return code;
}

int pool_redis_command_argv(pool_redis_t *redis, int64_t deadline_ns, struct redisReply **reply, pool_error_t *error,
                            int count, const char *const *arguments, const size_t *sizes)
{
  pool_error_t own = POOL_ERROR_INIT;
  error = or_this(error, &own);
  if (!redis || !arguments || count < 1)
    return failure_set(error, POOL_E_INVALID, 0, "%s", redis ? "there are no arguments" : "redis is NULL");
  for (int i = 0; i < count; i++)
    if (!arguments[i])
      return failure_set(error, POOL_E_INVALID, 0, "argument %d is NULL", i);
  struct session *session = session_of(redis);
  return sizes ? run(session, &(struct command){count, arguments, sizes}, deadline_ns, reply, error)
               : run_list(session, count, arguments, deadline_ns, reply, error);
}

/* ---- commands by a format ---- */

/* The number behind a '*' or '$', and the line's end is passed over. */
static size_t take_number(const char **at)
{
  char *end;
  size_t number = strtoul(*at + 1, &end, 10);
  *at = end + 2;
  return number;
}

/* Runs what hiredis has formatted: "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n".  Its arguments are looked at where they are. */
static int run_formatted(struct session *session, const char *formatted, int64_t deadline_ns, struct redisReply **reply,
                         pool_error_t *error)
{
  size_t count = take_number(&formatted);
  const char **arguments = calloc(count + 1, sizeof *arguments);
  size_t *sizes = calloc(count + 1, sizeof *sizes);
  for (size_t i = 0; arguments && sizes && i < count; i++) {
    sizes[i] = take_number(&formatted);
    arguments[i] = formatted;
    formatted += sizes[i] + 2;
  }
  int code = !arguments || !sizes ? failure_set(error, POOL_E_NOMEM, 0, "no memory for a command")
             : count == 0         ? failure_set(error, POOL_E_INVALID, 0, "the format has no command in it")
                          : run(session, &(struct command){(int)count, arguments, sizes}, deadline_ns, reply, error);
  free(arguments);
  free(sizes);
  return code;
}

/* Returns the bytes that hiredis has formatted, or a code. */
static int format_command(char **formatted, const char *format, va_list values, pool_error_t *error)
{
  size_t most = format_measure(format, values);
  int code = traces_measure(&(struct command){1, &format, &most}, error);
  int size = code ? 0 : redisvFormatCommand(formatted, format, values);
  if (code || size >= 0)
    return code ? code : size;
  return size == -1 ? failure_set(error, POOL_E_NOMEM, 0, "no memory for a command")
                    : failure_set(error, POOL_E_INVALID, 0, "hiredis does not understand the format");
}

int pool_redis_command(pool_redis_t *redis, int64_t deadline_ns, struct redisReply **reply, pool_error_t *error,
                       const char *format, ...)
{
  pool_error_t own = POOL_ERROR_INIT;
  char *formatted = NULL;
  va_list values;
  error = or_this(error, &own);
  if (!redis || !format)
    return failure_set(error, POOL_E_INVALID, 0, "%s is NULL", redis ? "format" : "redis");
  va_start(values, format);
  int size = format_command(&formatted, format, values, error);
  va_end(values);
  if (size < 0)
    return size;
  int code = run_formatted(session_of(redis), formatted, deadline_ns, reply, error);
  explicit_bzero(formatted, (size_t)size);
  redisFreeCommand(formatted);
  return code;
}

int pool_redis_reply(pool_redis_t *redis, int64_t deadline_ns, struct redisReply **reply, pool_error_t *error)
{
  pool_error_t own = POOL_ERROR_INIT;
  redisReply *got = NULL;
  error = or_this(error, &own);
  if (!redis || !reply)
    return failure_set(error, POOL_E_INVALID, 0, "%s is NULL", redis ? "reply" : "redis");
  int code = exchange_more(session_of(redis), &got, deadline_ns, error);
  return give(code, got, reply);
}

/* ---- hiredis itself ---- */

/* hiredis waits in the socket, which must block for that.  The wire does not care. */
static redisContext *make_context(struct session *session)
{
  int descriptor = session->stream.wire.descriptor;
  int flags = fcntl(descriptor, F_GETFL);
  if (flags < 0 || fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK) != 0)
    return NULL;
  redisContext *context = redisConnectFd(descriptor);
  if (context && context->err) {
    redisFreeKeepFd(context);
    return NULL;
  }
  return context;
}

struct redisContext *pool_redis_context(pool_redis_t *redis, pool_error_t *error)
{
  pool_error_t own = POOL_ERROR_INIT;
  struct session *session = session_of(redis);
  error = or_this(error, &own);
  if (!redis) {
    failure_set(error, POOL_E_INVALID, 0, "redis is NULL");
    return NULL;
  }
  if (session->stream.wire.ssl) {
    failure_set(error, POOL_E_UNSUPPORTED, 0, "hiredis %d.%d knows no TLS here: use pool_redis_command()",
                HIREDIS_MAJOR, HIREDIS_MINOR);
    return NULL;
  }
  if (session_whole(session, error) != 0)
    return NULL;
  if (!session->context)
    session->context = make_context(session);
  if (!session->context)
    failure_set(error, POOL_E_NOMEM, 0, "no memory for a context of hiredis");
  else
    session->traces |= TRACES_UNSEEN;
  return session->context;
}
