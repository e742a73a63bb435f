/* SPDX-License-Identifier: MIT */
#include "jsonrpc/call.h"

#include <pthread.h>
#include <stdlib.h>

#include "jsonrpc/connection.h"
#include "support/deadline.h"
#include "support/failure.h"
#include "jsonrpc/pending.h"
#include "jsonrpc/poller.h"
#include "jsonrpc/reader.h"
#include "jsonrpc/request.h"
#include "jsonrpc/writer.h"

/* Passes on how a call ended. */
static int conclude(struct connection *connection, struct pending *pending, pool_bytes_t *reply, pool_error_t *error)
{
  int size;
  switch (pending->code) {
  case 0:
    *reply = pending->reply;
    return 0;
  case POOL_E_REMOTE:
    size = failure_whole_characters(pending->reply.data, pending->reply.size, sizeof error->message - 1);
    failure_set(error, POOL_E_REMOTE, 0, "%.*s", size, (const char *)pending->reply.data);
    pool_bytes_free(&pending->reply);
    return POOL_E_REMOTE;
  case POOL_E_TIMEOUT:
    return failure_set(error, POOL_E_TIMEOUT, 0, "the deadline passed while waiting for the reply");
  case POOL_E_BROKEN:
    pthread_mutex_lock(&connection->lock);
    connection_say_broken(connection, error);
    pthread_mutex_unlock(&connection->lock);
    return POOL_E_BROKEN;
  default:
    return failure_no_room(error, pending->code);
  }
}

int call_sync(struct connection *connection, const char *method, pool_bytes_t args, pool_bytes_t *reply,
              int64_t deadline_ns, pool_error_t *error)
{
  struct request request;
  struct pending pending = {.deadline_ns = deadline_ns};
  int code = request_make(&request, method, args, deadline_ns, error);
  if (code)
    return code;
  deadline_condition_init(&pending.changed);
  connection_acquire(connection);
  code = writer_send(connection, &request, &pending, error);
  if (code == 0) {
    reader_await(connection, &pending);
    code = conclude(connection, &pending, reply, error);
  }
  connection_release(connection);
  pthread_cond_destroy(&pending.changed);
  request_free(&request);
  return code;
}

static struct pending *new_call(pool_call_t *call)
{
  struct pending *pending = calloc(1, sizeof *pending);
  if (!pending)
    return NULL;
  pending->call = call;
  pending->deadline_ns = pool_call_deadline(call);
  pending->sending = true;
  return pending;
}

int call_async(struct connection *connection, const char *method, pool_bytes_t args, pool_call_t *call)
{
  struct request request;
  pool_error_t error = POOL_ERROR_INIT;
  int code = request_make(&request, method, args, pool_call_deadline(call), &error);
  if (code)
    return code;
  struct pending *pending = poller_start() ? new_call(call) : NULL;
  if (pending) {
    /* The call may be done and the connection closed before writer_send() returns. */
    connection_acquire(connection);
    code = writer_send(connection, &request, pending, &error);
    connection_release(connection);
  }
  if (code)
    free(pending);
  request_free(&request);
  return pending ? code : POOL_E_NOMEM;
}
