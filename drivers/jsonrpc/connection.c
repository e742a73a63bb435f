/* SPDX-License-Identifier: MIT */
#include "jsonrpc/connection.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/deadline.h"
#include "support/failure.h"
#include "jsonrpc/inbox.h"

struct connection *connection_new(size_t reply_limit)
{
  struct connection *connection = calloc(1, sizeof *connection);
  if (!connection)
    return NULL;
  if (!frame_init(&connection->stream, reply_limit)) {
    free(connection);
    return NULL;
  }
  connection->descriptor = connection->unstick = -1;
  atomic_store(&connection->references, 1);
  pthread_mutex_init(&connection->lock, NULL);
  deadline_condition_init(&connection->writable);
  return connection;
}

void connection_release(struct connection *connection)
{
  if (atomic_fetch_sub(&connection->references, 1) > 1)
    return;
  close(connection->descriptor);
  if (connection->unstick >= 0)
    close(connection->unstick);
  frame_free(&connection->stream);
  pthread_cond_destroy(&connection->writable);
  pthread_mutex_destroy(&connection->lock);
  pending_table_free(&connection->calls);
  free(connection);
}

void connection_end_call(struct connection *connection, struct pending *pending, int code, pool_bytes_t reply)
{
  pending_table_remove(&connection->calls, pending);
  pending->code = code;
  pending->reply = reply;
  if (pending->call) {
    inbox_finish(pending);
  } else {
    pending->done = true;
    pthread_cond_signal(&pending->changed);
  }
}

/* The caller holds the lock. */
static void end_calls_locked(struct connection *connection, int code)
{
  for (struct pending *pending; (pending = pending_table_any(&connection->calls));)
    connection_end_call(connection, pending, code, (pool_bytes_t){NULL, 0});
}

void connection_end_calls(struct connection *connection, int code)
{
  pthread_mutex_lock(&connection->lock);
  end_calls_locked(connection, code);
  pthread_mutex_unlock(&connection->lock);
}

void connection_break(struct connection *connection, int native, const char *format, ...)
{
  pthread_mutex_lock(&connection->lock);
  if (!connection->broken) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(connection->why, sizeof connection->why, format, arguments);
    va_end(arguments);
    connection->native = native;
    connection->broken = true;
    /* Wakes the threads that wait for the socket, and tells the server. */
    shutdown(connection->descriptor, SHUT_RDWR);
    end_calls_locked(connection, POOL_E_BROKEN);
    pthread_cond_broadcast(&connection->writable);
  }
  pthread_mutex_unlock(&connection->lock);
}

int connection_say_broken(struct connection *connection, pool_error_t *error)
{
  return failure_set(error, POOL_E_BROKEN, connection->native, "%s", connection->why);
}
