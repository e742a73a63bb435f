/* SPDX-License-Identifier: MIT */
#include "redis/stream.h"

#include "support/deadline.h"
#include "support/failure.h"

#define LEAST_ELEMENT 4  /* bytes: ":0\r\n" */
#define DEPTH_MOST    32 /* of arrays within arrays; hiredis 0.14 takes fewer, and later ones as many as come */

/* What frees or writes a reply calls itself for each array within another. */
static bool is_too_deep(const redisReadTask *task)
{
  int depth = 0;
  for (; task && depth <= DEPTH_MOST; task = task->parent)
    depth++;
  return depth > DEPTH_MOST;
}

/* An array takes memory when it is announced.  Those that cannot end within the limit get none. */
static void *create_array(const redisReadTask *task, array_count count)
{
  struct stream *stream = task->privdata;
  stream->announced += (uint64_t)count;
  stream->too_large = stream->announced > stream->limit / LEAST_ELEMENT;
  return stream->too_large || is_too_deep(task) ? NULL : stream->create_array(task, count);
}

bool stream_init(struct stream *stream, size_t limit)
{
  stream->reader = redisReaderCreate();
  if (!stream->reader)
    return false;
  stream->functions = *stream->reader->fn;
  stream->create_array = stream->functions.createArray;
  stream->functions.createArray = create_array;
  stream->reader->fn = &stream->functions;
  stream->reader->privdata = stream;
  stream->limit = limit;
  return true;
}

void stream_free(struct stream *stream)
{
  if (stream->reader)
    redisReaderFree(stream->reader);
}

static int say_too_large(const struct stream *stream, pool_error_t *error)
{
  return failure_set(error, POOL_E_BROKEN, 0, "a reply is longer than max_reply_bytes, which is %zu", stream->limit);
}

/* Takes a reply out of what was received.  Returns 0, and *reply is NULL where there is none yet. */
static int take(struct stream *stream, redisReply **reply, pool_error_t *error)
{
  void *taken = NULL;
  if (redisReaderGetReply(stream->reader, &taken) != REDIS_OK) {
    if (stream->too_large)
      return say_too_large(stream, error);
    return failure_set(error, POOL_E_BROKEN, 0, "this is no server of Redis, or of another version: %.100s",
                       stream->reader->errstr);
  }
  size_t rest = taken ? stream->reader->len - stream->reader->pos : 0; /* of later replies */
  if (stream->held - rest > stream->limit) {
    freeReplyObject(taken);
    return say_too_large(stream, error);
  }
  *reply = taken;
  stream->held = taken ? rest : stream->held;
  stream->announced = taken ? 0 : stream->announced;
  return 0;
}

static int read_more(struct stream *stream, int64_t deadline_ns, pool_error_t *error)
{
  char bytes[16384];
  int64_t got = wire_read(&stream->wire, bytes, sizeof bytes, deadline_ns, error);
  if (got == 0)
    return failure_set(error, POOL_E_BROKEN, 0, "the server closed the connection");
  if (got < 0)
    return (int)got;
  stream->held += (size_t)got;
  return redisReaderFeed(stream->reader, bytes, (size_t)got) == REDIS_OK
             ? 0
             : failure_set(error, POOL_E_BROKEN, 0, "no memory for a reply"); /* it cannot be found again */
}

int stream_receive(struct stream *stream, redisReply **reply, int64_t deadline_ns, pool_error_t *error)
{
  for (;;) {
    int code = take(stream, reply, error);
    if (code || *reply)
      return code;
    code = read_more(stream, deadline_ns, error);
    if (code)
      return code;
    /* A reply may come byte by byte; one that is complete is given out. */
    if (deadline_is_past(deadline_ns)) {
      code = take(stream, reply, error);
      return code || *reply ? code : failure_set(error, POOL_E_TIMEOUT, 0, "the deadline passed within a reply");
    }
  }
}

bool stream_has_rest(const struct stream *stream)
{
  return stream->held > 0;
}
