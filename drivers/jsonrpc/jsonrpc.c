/* SPDX-License-Identifier: MIT */
/*
 * The driver "jsonrpc": calls to servers that speak the protocol of Go's package net/rpc/jsonrpc, over TCP or Unix
 * sockets.
 *
 * A file calls only files below it in this list:
 *
 *   jsonrpc     the vtable
 *   call        sync and async calls
 *   poller      the thread for async calls
 *   writer      who sends: one request at a time
 *   request     the bytes of a request
 *   reader      who receives: one thread for all calls on the connection
 *   reply       what was received, and which call it ends
 *   connection  one server; the calls on it, its end
 *   inbox       what callers leave for the poller
 *   pending     a call under way; the table of them
 *   target      the server, as text
 *   frame       finds the replies in a stream
 *
 * Below them are the files of support/.  What threads share is said in connection.h, inbox.h and support/lookup.h.
 */
#include <pool/driver.h>

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "jsonrpc/target.h"
#include "jsonrpc/call.h"
#include "support/connect.h"
#include "jsonrpc/connection.h"
#include "support/disconnect.h"
#include "support/failure.h"
#include "jsonrpc/inbox.h"

static int jsonrpc_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  const struct target *target = context;
  int descriptor = -1;
  int code = connect_to(&target->address, deadline_ns, &descriptor, error);
  if (code)
    return code;
  struct connection *connection = connection_new(target->limit);
  if (!connection) {
    disconnect(descriptor);
    return failure_set(error, POOL_E_NOMEM, ENOMEM, "no memory for a connection");
  }
  connection->descriptor = descriptor;
  *conn = connection;
  return 0;
}

static int jsonrpc_close(void *context, void *conn, pool_error_t *error)
{
  struct connection *connection = conn;
  (void)context, (void)error;
  connection_break(connection, 0, "the connection was closed");
  inbox_forget(connection);
  connection_release(connection);
  return 0;
}

static int jsonrpc_check(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  struct connection *connection = conn;
  char byte;
  (void)context, (void)deadline_ns;
  pthread_mutex_lock(&connection->lock);
  bool broken = connection->broken;
  pthread_mutex_unlock(&connection->lock);
  if (broken)
    return failure_set(error, POOL_E_BROKEN, 0, "the connection broke while nobody used it");
  ssize_t seen = recv(connection->descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (seen > 0 || (seen < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)))
    return 0;
  return failure_set(error, POOL_E_BROKEN, seen < 0 ? errno : 0, "%s",
                     seen < 0 ? strerror(errno) : "the server closed the connection");
}

static void jsonrpc_abandon(void *context, void *conn)
{
  struct connection *connection = conn;
  (void)context;
  close(connection->descriptor);
  if (connection->unstick >= 0)
    close(connection->unstick);
}

static int jsonrpc_call(void *context, void *conn, const char *method, pool_bytes_t args, pool_bytes_t *reply,
                        int64_t deadline_ns, pool_error_t *error)
{
  (void)context;
  return call_sync(conn, method, args, reply, deadline_ns, error);
}

static int jsonrpc_go(void *context, void *conn, const char *method, pool_bytes_t args, pool_call_t *call)
{
  (void)context;
  return call_async(conn, method, args, call);
}

static void jsonrpc_release(void *context)
{
  free(context);
}

static int jsonrpc_prepare(const char *text, pool_vtable_t *vtable, void **context, pool_error_t *error)
{
  struct target *target = calloc(1, sizeof *target);
  if (!target)
    return failure_set(error, POOL_E_NOMEM, 0, "no memory for an address");
  int code = target_read(target, text, error);
  if (code) {
    free(target);
    return code;
  }
  vtable->open = jsonrpc_open;
  vtable->close = jsonrpc_close;
  vtable->check = jsonrpc_check;
  vtable->abandon = jsonrpc_abandon;
  vtable->call = jsonrpc_call;
  vtable->go = jsonrpc_go;
  vtable->release = jsonrpc_release;
  vtable->flags = POOL_VTABLE_MULTIPLEXED;
  *context = target;
  return 0;
}

POOL_API pool_driver_fn pool_driver_jsonrpc;

int pool_driver_jsonrpc(uint32_t version, pool_driver_t *driver)
{
  if (version != POOL_DRIVER_VERSION || driver->size < offsetof(pool_driver_t, schemes))
    return POOL_E_UNSUPPORTED;
  inbox_watch_forks();
  driver->name = "jsonrpc";
  driver->prepare = jsonrpc_prepare;
  if (driver->size >= sizeof *driver) {
    driver->version = DRIVER_VERSION;
    driver->needs = "jansson " JANSSON_VERSION;
  }
  return 0;
}
