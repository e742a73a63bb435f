/* SPDX-License-Identifier: MIT */
#include "jsonrpc/reply.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "jsonrpc/connection.h"
#include "support/failure.h"
#include "jsonrpc/frame.h"
#include "support/json_check.h"

#define RECEIVE_MOST ((size_t)256 * 1024)

/* A reply that was understood. */
struct reply {
  uint64_t id;
  int code;
  pool_bytes_t bytes;
};

/* 0: the text is no number that a call can have. */
static uint64_t read_id(const char *text, struct frame_span span)
{
  uint64_t id = 0;
  for (size_t i = span.begin; i < span.end; i++) {
    if (text[i] < '0' || text[i] > '9' || id > UINT64_MAX / 10 - 1)
      return 0;
    id = id * 10 + (uint64_t)(text[i] - '0');
  }
  return id;
}

static bool is_null(const char *text, struct frame_span span)
{
  size_t size = span.end - span.begin;
  return size == 0 || (size == 4 && memcmp(text + span.begin, "null", 4) == 0);
}

static int copy_bytes(const char *text, size_t size, pool_bytes_t *bytes)
{
  int code = pool_bytes_new(size, bytes);
  if (code == 0)
    memcpy(bytes->data, text, size);
  return code;
}

/* The text of the server's error. */
static int copy_error(const char *text, struct frame_span span, pool_bytes_t *bytes)
{
  size_t size = span.end - span.begin;
  if (text[span.begin] != '"')
    return copy_bytes(text + span.begin, size, bytes);
  int code = pool_bytes_new(size - 2, bytes);
  if (code)
    return code;
  char *said = bytes->data;
  bytes->size = json_check_unescape(said, text + span.begin + 1, size - 2);
  said[bytes->size] = 0;
  return 0;
}

static int copy_reply(const struct frame *frame, bool failed, pool_bytes_t *bytes)
{
  if (failed)
    return copy_error(frame->text, frame->error, bytes);
  return copy_bytes(frame->text + frame->result.begin, frame->result.end - frame->result.begin, bytes);
}

/* Understands a frame.  Returns NULL, or what is wrong with it. */
static const char *read_reply(const struct frame *frame, struct reply *reply)
{
  if (frame->problem)
    return frame->problem;
  bool failed = !is_null(frame->text, frame->error);
  if (!failed && frame->result.begin == frame->result.end)
    return "it has neither result nor error";
  reply->id = read_id(frame->text, frame->id);
  reply->code = failed ? POOL_E_REMOTE : 0;
  int code = copy_reply(frame, failed, &reply->bytes);
  if (code)
    reply->code = code;
  return NULL;
}

/* Ends the call that a reply belongs to.  False: no call ever had its id. */
static bool deliver(struct connection *connection, struct reply *reply)
{
  pthread_mutex_lock(&connection->lock);
  bool known = reply->id > 0 && reply->id <= connection->calls.last_id;
  struct pending *pending = known && !connection->broken ? pending_table_find(&connection->calls, reply->id) : NULL;
  if (pending)
    connection_end_call(connection, pending, reply->code, reply->bytes);
  pthread_mutex_unlock(&connection->lock);
  if (!pending)
    pool_bytes_free(&reply->bytes); /* its call has timed out, or never was */
  return known;
}

/* Breaks the connection because of a frame, and shows its beginning. */
static void refuse(struct connection *connection, const struct frame *frame, const char *why)
{
  int size = failure_whole_characters(frame->text, frame->size, 80);
  connection_break(connection, 0, "what the server sent is not a reply, %s: %.*s", why, size, frame->text);
}

static bool dispatch(struct connection *connection, const struct frame *frame)
{
  struct reply reply = {0};
  const char *wrong = read_reply(frame, &reply);
  if (!wrong && !deliver(connection, &reply))
    wrong = "no call had this id";
  if (wrong)
    refuse(connection, frame, wrong);
  return !wrong;
}

static void dispatch_all(struct connection *connection)
{
  struct frame frame;
  enum frame_outcome outcome;
  while ((outcome = frame_next(&connection->stream, &frame)) == FRAME_FOUND)
    if (!dispatch(connection, &frame))
      return;
  if (outcome == FRAME_GARBAGE)
    connection_break(connection, 0, "what the server sent is not JSON objects");
  else if (outcome == FRAME_TOO_LARGE)
    connection_break(connection, 0, "a reply is larger than max_reply_bytes=%zu", connection->stream.limit);
}

/* Where to receive.  Without memory for more of a reply, the calls under way end.  The reply belongs to one of them or
   to an earlier call, so it can be skipped, and the connection stays good. */
static void make_space(struct connection *connection, char **space, size_t *size)
{
  if (frame_space(&connection->stream, space, size))
    return;
  connection_end_calls(connection, POOL_E_NOMEM);
  frame_skip(&connection->stream);
  frame_space(&connection->stream, space, size);
}

void reply_receive(struct connection *connection)
{
  char *space;
  size_t size;
  make_space(connection, &space, &size);
  ssize_t received = recv(connection->descriptor, space, size < RECEIVE_MOST ? size : RECEIVE_MOST, 0);
  if (received > 0) {
    frame_received(&connection->stream, (size_t)received);
    dispatch_all(connection);
    frame_trim(&connection->stream);
  } else if (received == 0) {
    connection_break(connection, 0, "the server closed the connection%s",
                     frame_is_inside(&connection->stream) ? " in the middle of a reply" : "");
  } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
    connection_break(connection, errno, "receiving: %s", strerror(errno));
  }
}
