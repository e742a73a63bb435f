/* SPDX-License-Identifier: MIT */
#include "jsonrpc/reader.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>

#include "jsonrpc/connection.h"
#include "support/deadline.h"
#include "jsonrpc/inbox.h"
#include "jsonrpc/reply.h"

void reader_offer(struct connection *connection)
{
  if (connection->reading)
    return;
  if (connection->sleepers.first) {
    pthread_cond_signal(&connection->sleepers.first->changed);
  } else if (connection->stuck) {
    eventfd_write(connection->unstick, 1);
  } else if (connection->calls.async.first) {
    inbox_wake();
  }
}

/* Reads until the call is done or its deadline passes.  False when that is past.  The caller holds the lock. */
static bool lead(struct connection *connection, struct pending *pending)
{
  enum outcome outcome = OK;
  connection->reading = true;
  while (!pending->done && outcome == OK) {
    pthread_mutex_unlock(&connection->lock);
    outcome = deadline_wait_ready(connection->descriptor, POLLIN, pending->deadline_ns);
    if (outcome == OK)
      reply_receive(connection);
    else if (outcome == FAILED)
      connection_break(connection, errno, "waiting for a reply: %s", strerror(errno));
    pthread_mutex_lock(&connection->lock);
    if (outcome == OK && !pending->done && deadline_is_past(pending->deadline_ns))
      outcome = EXPIRED; /* replies of other calls may come without a pause */
  }
  connection->reading = false;
  return outcome != EXPIRED;
}

/* Sleeps until the call is done, there is no reader, or the deadline passes.  False when that is past.  The caller
   holds the lock. */
static bool follow(struct connection *connection, struct pending *pending)
{
  bool in_time = true;
  pending_list_insert(&connection->sleepers, connection->sleepers.last, pending);
  while (in_time && !pending->done && connection->reading)
    in_time = deadline_wait(&pending->changed, &connection->lock, pending->deadline_ns);
  pending_list_remove(&connection->sleepers, pending);
  return in_time;
}

void reader_await(struct connection *connection, struct pending *pending)
{
  bool in_time = true;
  pthread_mutex_lock(&connection->lock);
  while (!pending->done && in_time)
    in_time = connection->reading ? follow(connection, pending) : lead(connection, pending);
  if (!pending->done) {
    pending_table_remove(&connection->calls, pending);
    pending->code = POOL_E_TIMEOUT;
  }
  reader_offer(connection);
  pthread_mutex_unlock(&connection->lock);
}
