/* SPDX-License-Identifier: MIT */
/*
 * The driver "redis": connections to Redis and its relatives, over TCP, TLS or Unix sockets.
 *
 * A file calls only files below it in this list:
 *
 *   redis       the vtable
 *   surface     the functions of pool/redis.h
 *   later       asynchronous calls
 *   call        a command and its reply, in JSON
 *   cleanse     check and reset
 *   login       the state in which connections are lent
 *   exchange    a user's command and its reply
 *   session     one connection
 *   arguments   from JSON
 *   render      to JSON
 *   format      how much a format makes of its values
 *   traces      what a user leaves behind
 *   batch       commands to be sent
 *   stream      replies as they come
 *   settings    the servers and parameters of a URL
 *
 * Below them are the files of support/, and hiredis' formatter and reader.
 */
#include <pool/driver.h>

#include <hiredis.h>
#include <unistd.h>

#include "redis/call.h"
#include "redis/cleanse.h"
#include "redis/later.h"
#include "redis/login.h"
#include "redis/session.h"
#include "redis/settings.h"
#include "support/failure.h"

/* ---- the vtable ---- */

static int log_in(struct session *session, int64_t deadline_ns, pool_error_t *error)
{
  pool_phase("login", NULL);
  return login_run(session, false, deadline_ns, error);
}

static int redis_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  struct settings *settings = context;
  struct session *session = session_new(settings);
  if (!session)
    return failure_set(error, POOL_E_NOMEM, 0, "no memory for a connection");
  int code = servers_connect(&settings->servers, deadline_ns, &session->stream.wire, error);
  if (code == 0)
    code = log_in(session, deadline_ns, error);
  if (code)
    session_free(session);
  else
    *conn = session;
  return code;
}

static int redis_close(void *context, void *conn, pool_error_t *error)
{
  (void)context, (void)error;
  session_free(conn);
  return 0;
}

static int redis_check(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)context;
  return cleanse_check(conn, deadline_ns, error);
}

static int redis_reset(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)context;
  return cleanse_run(conn, deadline_ns, error);
}

static void redis_abandon(void *context, void *conn)
{
  (void)context;
  close(((struct session *)conn)->stream.wire.descriptor);
}

static int redis_call(void *context, void *conn, const char *method, pool_bytes_t args, pool_bytes_t *reply,
                      int64_t deadline_ns, pool_error_t *error)
{
  (void)context;
  return call_sync(conn, method, args, reply, deadline_ns, error);
}

static int redis_go(void *context, void *conn, const char *method, pool_bytes_t args, pool_call_t *call)
{
  (void)context;
  return later_begin(conn, method, args, call);
}

static void redis_release(void *context)
{
  settings_free(context);
}

static int redis_prepare(const char *text, pool_vtable_t *vtable, void **context, pool_error_t *error)
{
  struct settings *settings;
  int code = settings_read(&settings, text, error);
  if (code)
    return code;
  vtable->open = redis_open;
  vtable->close = redis_close;
  vtable->check = redis_check;
  vtable->reset = redis_reset;
  vtable->abandon = redis_abandon;
  vtable->call = redis_call;
  vtable->go = redis_go;
  vtable->release = redis_release;
  *context = settings;
  return 0;
}

POOL_API pool_driver_fn pool_driver_redis;

int pool_driver_redis(uint32_t version, pool_driver_t *driver)
{
  if (version != POOL_DRIVER_VERSION || driver->size < sizeof *driver)
    return POOL_E_UNSUPPORTED;
  driver->name = "redis";
  driver->prepare = redis_prepare;
  driver->schemes = "redis rediss";
  driver->version = DRIVER_VERSION;
  driver->needs = STREAM_NEEDS;
  return 0;
}
