/* SPDX-License-Identifier: MIT */
#include "jsonrpc/poller.h"

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "jsonrpc/connection.h"
#include "support/deadline.h"
#include "jsonrpc/inbox.h"
#include "jsonrpc/reader.h"
#include "jsonrpc/reply.h"
#include "base/thread.h"

/* The state of the thread; no other thread uses it. */
struct watch {
  struct connection *first;
  struct pollfd *set;              /* the pipe, then the sockets of which the poller is the reader */
  struct connection **connections; /* of the sockets */
  size_t capacity;
  size_t count;
  int64_t until_ns;
  int wake; /* the end of the pipe to read from */
};

static bool watch_reserve(struct watch *watch)
{
  if (watch->count < watch->capacity)
    return true;
  size_t capacity = watch->capacity ? watch->capacity * 2 : 16;
  struct pollfd *set = realloc(watch->set, capacity * sizeof *set);
  if (set)
    watch->set = set;
  struct connection **connections = set ? realloc(watch->connections, capacity * sizeof(struct connection *)) : NULL;
  if (!connections)
    return false;
  watch->connections = connections;
  watch->capacity = capacity;
  return true;
}

static void watch_add(struct watch *watch, struct connection *connection, int descriptor)
{
  watch->set[watch->count] = (struct pollfd){.fd = descriptor, .events = POLLIN};
  watch->connections[watch->count++] = connection;
}

/* ---- connections ---- */

/* Ends async calls that are past their deadlines, and notes the next deadline.  The caller holds the connection's
   lock. */
static void expire(struct watch *watch, struct connection *connection, int64_t now)
{
  for (struct pending *pending = connection->calls.async.first, *next; pending; pending = next) {
    next = pending->next;
    if (pending->sending)
      continue;
    if (pending->deadline_ns > now) {
      if (pending->deadline_ns < watch->until_ns)
        watch->until_ns = pending->deadline_ns;
      return;
    }
    connection_end_call(connection, pending, POOL_E_TIMEOUT, (pool_bytes_t){NULL, 0});
  }
}

/* Becomes the reader, or stays it, unless another thread is the reader or could be.  The caller holds the connection's
   lock. */
static void hold(struct connection *connection)
{
  if (connection->held || connection->reading || connection->sleepers.first || connection->stuck)
    return;
  connection->reading = connection->held = true;
}

/* The caller holds the connection's lock. */
static void let_go(struct connection *connection)
{
  if (!connection->held)
    return;
  connection->reading = connection->held = false;
  reader_offer(connection);
}

/* Looks after one connection.  False: it has no async calls, and is not watched any more. */
static bool look_after(struct watch *watch, struct connection *connection, int64_t now)
{
  bool helpless = false;
  pthread_mutex_lock(&connection->lock);
  expire(watch, connection, now);
  bool needed = connection->calls.async.first != NULL;
  if (needed) {
    hold(connection);
    helpless = connection->held && !watch_reserve(watch);
    if (connection->held && !helpless)
      watch_add(watch, connection, connection->descriptor);
  } else {
    let_go(connection);
    inbox_unwatch(connection);
  }
  pthread_mutex_unlock(&connection->lock);
  if (helpless)
    connection_end_calls(connection, POOL_E_NOMEM);
  return needed;
}

static void look_after_all(struct watch *watch)
{
  int64_t now = deadline_clock();
  watch->until_ns = POOL_NO_DEADLINE;
  watch->count = 0;
  watch_add(watch, NULL, watch->wake);
  for (struct connection **link = &watch->first, *connection; (connection = *link);) {
    struct connection *next = connection->next_watched;
    if (look_after(watch, connection, now)) {
      link = &connection->next_watched;
    } else {
      *link = next;
      connection_release(connection);
    }
  }
}

static void let_all_go(struct watch *watch)
{
  for (struct connection *connection = watch->first; connection; connection = connection->next_watched) {
    pthread_mutex_lock(&connection->lock);
    let_go(connection);
    pthread_mutex_unlock(&connection->lock);
  }
}

/* ---- the thread ---- */

/* Runs the callbacks of calls that have ended.  False: a callback forked, and this is the child. */
static bool call_back(struct pending *finished)
{
  unsigned forks = inbox_forks();
  while (finished && forks == inbox_forks()) {
    struct pending *pending = finished;
    finished = pending->next;
    pool_call_done(pending->call, pending->code, pending->reply);
    free(pending);
  }
  return forks == inbox_forks();
}

static void drain(int wake)
{
  char bytes[16];
  while (read(wake, bytes, sizeof bytes) > 0)
    ;
}

static void sleep_and_receive(struct watch *watch)
{
  int ready = poll(watch->set, (nfds_t)watch->count, deadline_poll_timeout(watch->until_ns));
  inbox_awake();
  if (ready <= 0)
    return;
  if (watch->set[0].revents)
    drain(watch->set[0].fd);
  for (size_t i = 1; i < watch->count; i++)
    if (watch->set[i].revents)
      reply_receive(watch->connections[i]);
}

static void *poller_main(void *data)
{
  struct watch *watch = data;
  bool here = true;
  while (here) {
    struct pending *finished = inbox_take(&watch->first);
    if (finished) {
      let_all_go(watch);
      here = call_back(finished);
      continue;
    }
    look_after_all(watch);
    if (inbox_sleep(watch->until_ns))
      sleep_and_receive(watch);
  }
  return NULL;
}

static void watch_free(struct watch *watch)
{
  free(watch->set);
  free(watch->connections);
  free(watch);
}

/* The caller holds the inbox's lock. */
static bool start(int wake)
{
  struct watch *watch = calloc(1, sizeof *watch);
  if (!watch)
    return false;
  watch->wake = wake;
  if (watch_reserve(watch) && thread_detach(poller_main, watch) == 0)
    return true;
  watch_free(watch);
  return false;
}

bool poller_start(void)
{
  return inbox_start(start);
}
