/* SPDX-License-Identifier: MIT */
#include "jsonrpc/writer.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "jsonrpc/connection.h"
#include "support/deadline.h"
#include "support/failure.h"
#include "jsonrpc/inbox.h"
#include "jsonrpc/reader.h"
#include "jsonrpc/reply.h"
#include "jsonrpc/request.h"

/* ---- a socket that takes no more ---- */

/* The writer will wait without being the reader; makes sure that an offer can wake it.  The caller holds the lock. */
static bool get_stuck(struct connection *connection)
{
  if (connection->unstick < 0)
    connection->unstick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  connection->stuck = connection->unstick >= 0;
  return connection->stuck;
}

/* The caller holds the lock. */
static void get_unstuck(struct connection *connection)
{
  eventfd_t count;
  connection->stuck = false;
  eventfd_read(connection->unstick, &count);
}

/* Waits until the socket takes more, as the reader if there is no other. */
static enum outcome wait_writable(struct connection *connection, int64_t deadline_ns)
{
  pthread_mutex_lock(&connection->lock);
  bool reads = !connection->reading;
  bool can_wait = reads || get_stuck(connection);
  if (reads)
    connection->reading = true;
  int wake = reads ? -1 : connection->unstick; /* poll() ignores a descriptor of -1 */
  pthread_mutex_unlock(&connection->lock);
  if (!can_wait)
    return FAILED;
  struct pollfd set[2] = {{.fd = connection->descriptor, .events = reads ? POLLOUT | POLLIN : POLLOUT},
                          {.fd = wake, .events = POLLIN}};
  int ready = poll(set, 2, deadline_poll_timeout(deadline_ns));
  int native = errno;
  /* The deadline counts also when the socket is ready: it may take a few bytes each time of a long request. */
  enum outcome outcome = ready < 0 && errno != EINTR ? FAILED : deadline_is_past(deadline_ns) ? EXPIRED : OK;
  if (reads && ready > 0 && (set[0].revents & ~POLLOUT))
    reply_receive(connection);
  pthread_mutex_lock(&connection->lock);
  if (reads)
    connection->reading = false;
  else
    get_unstuck(connection);
  reader_offer(connection);
  pthread_mutex_unlock(&connection->lock);
  errno = native;
  return outcome;
}

static enum outcome send_request(struct connection *connection, struct request *request, int64_t deadline_ns)
{
  for (;;) {
    struct msghdr message = {.msg_iov = request->parts + request->first, .msg_iovlen = (size_t)(3 - request->first)};
    ssize_t sent = sendmsg(connection->descriptor, &message, MSG_NOSIGNAL);
    if (sent >= 0 && request_advance(request, (size_t)sent))
      return OK;
    if (sent >= 0 || errno == EINTR)
      continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK)
      return FAILED;
    enum outcome outcome = wait_writable(connection, deadline_ns);
    if (outcome != OK)
      return outcome;
  }
}

/* ---- the turn to write ---- */

/* The caller holds the lock. */
static int take_turn(struct connection *connection, int64_t deadline_ns, pool_error_t *error)
{
  bool in_time = !deadline_is_past(deadline_ns);
  while (in_time && !connection->broken && connection->writing)
    in_time = deadline_wait(&connection->writable, &connection->lock, deadline_ns);
  if (connection->broken)
    return connection_say_broken(connection, error);
  if (connection->writing || !in_time) {
    if (!connection->writing)
      pthread_cond_signal(&connection->writable); /* this thread may have taken the wake-up */
    return request_say_expired(error);
  }
  connection->writing = true;
  return 0;
}

/* The caller holds the lock. */
static void leave_turn(struct connection *connection)
{
  connection->writing = false;
  pthread_cond_signal(&connection->writable);
}

/* ---- a call ---- */

/* Takes the turn and puts the call into the table.  From then on an async call may end, and be freed, as soon as the
   lock is left: the sender keeps its id only. */
static int begin_send(struct connection *connection, struct request *request, struct pending *pending, uint64_t *id,
                      pool_error_t *error)
{
  pthread_mutex_lock(&connection->lock);
  int code = take_turn(connection, pending->deadline_ns, error);
  if (code == 0 && !pending_table_add(&connection->calls, pending)) {
    leave_turn(connection);
    code = failure_set(error, POOL_E_NOMEM, 0, "not sent: no memory for one more call");
  }
  if (code == 0)
    request_set_id(request, *id = pending->id);
  pthread_mutex_unlock(&connection->lock);
  return code;
}

/* Says why a request was not sent. */
static int say_unsent(const struct request *request, enum outcome outcome, int native, pool_error_t *error)
{
  if (outcome == FAILED)
    return failure_set(error, POOL_E_BROKEN, native, "sending: %s", strerror(native));
  if (request->begun)
    return failure_set(error, POOL_E_BROKEN, 0, "the deadline passed when a part of the request was sent");
  return request_say_expired(error);
}

/* Leaves the turn.  A call that was sent is watched from now on; one that was not sent is taken back, unless it has
   ended.  True: it was taken back. */
static bool end_send(struct connection *connection, uint64_t id, bool sent)
{
  pthread_mutex_lock(&connection->lock);
  /* By its id: an async call that has ended may be freed already. */
  struct pending *pending = pending_table_find(&connection->calls, id);
  if (pending && !sent)
    pending_table_remove(&connection->calls, pending);
  if (pending && sent && pending->call) {
    pending->sending = false;
    inbox_watch(connection, pending->deadline_ns);
  }
  leave_turn(connection);
  reader_offer(connection);
  pthread_mutex_unlock(&connection->lock);
  return pending && !sent;
}

int writer_send(struct connection *connection, struct request *request, struct pending *pending, pool_error_t *error)
{
  int64_t deadline_ns = pending->deadline_ns;
  uint64_t id;
  int code = begin_send(connection, request, pending, &id, error);
  if (code)
    return code;
  enum outcome outcome = send_request(connection, request, deadline_ns);
  int native = errno;
  if (end_send(connection, id, outcome == OK))
    code = say_unsent(request, outcome, native, error);
  if (outcome == FAILED || (outcome == EXPIRED && request->begun)) {
    pool_error_t why;
    say_unsent(request, outcome, native, &why);
    connection_break(connection, why.native, "%s", why.message);
  }
  return code;
}
