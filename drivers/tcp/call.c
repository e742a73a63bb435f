/* SPDX-License-Identifier: MIT */
#include "tcp/call.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "support/deadline.h"
#include "support/failure.h"

/* A reply that grows as it is read. */
struct growing {
  char *data;
  size_t size, room;
};

static int make_room(struct growing *growing, size_t limit, pool_error_t *error)
{
  if (growing->size >= limit)
    return failure_set(error, POOL_E_BROKEN, 0, "the reply is longer than max_reply_bytes, which is %zu", limit);
  if (growing->size < growing->room)
    return 0;
  size_t room = growing->room ? growing->room * 2 : 4096;
  if (room > limit)
    room = limit;
  char *data = realloc(growing->data, room);
  if (!data)
    return failure_no_room(error, POOL_E_BROKEN); /* it is unread, so nothing else can be */
  growing->data = data;
  growing->room = room;
  return 0;
}

static int read_more(struct stream *stream, struct growing *growing, size_t limit, int64_t deadline_ns,
                     pool_error_t *error)
{
  int code = make_room(growing, limit, error);
  if (code)
    return code;
  int64_t got = stream_read(stream, growing->data + growing->size, growing->room - growing->size, deadline_ns, error);
  if (got == 0)
    return failure_set(error, POOL_E_BROKEN, 0, "the server closed the connection within its reply");
  if (got < 0)
    return (int)got;
  growing->size += (size_t)got;
  return 0;
}

/* To be asked where there is a part of a reply: one that is complete is given out. */
static int keep_deadline(int64_t deadline_ns, pool_error_t *error)
{
  return deadline_is_past(deadline_ns)
             ? failure_set(error, POOL_E_TIMEOUT, 0, "the deadline passed while the reply was read")
             : 0;
}

static int read_count(struct stream *stream, struct growing *growing, size_t count, int64_t deadline_ns,
                      pool_error_t *error)
{
  int code = 0;
  while (code == 0 && growing->size < count) {
    code = read_more(stream, growing, count, deadline_ns, error);
    if (code == 0 && growing->size < count)
      code = keep_deadline(deadline_ns, error);
  }
  return code;
}

/* Where the reply ends: behind the mark.  0: the mark has not come.  Only what follows `from` is new. */
static size_t end_of(const struct growing *growing, size_t from, const char *mark)
{
  size_t length = strlen(mark);
  size_t begin = from > length ? from - length + 1 : 0;
  const char *found = growing->size > begin ? memmem(growing->data + begin, growing->size - begin, mark, length) : NULL;
  return found ? (size_t)(found - growing->data) + length : 0;
}

/* What follows the mark is nobody's reply. */
static int read_until(struct stream *stream, struct growing *growing, const struct settings *settings,
                      int64_t deadline_ns, pool_error_t *error)
{
  for (size_t end = 0; end == 0;) {
    size_t before = growing->size;
    int code = read_more(stream, growing, settings->max_reply_bytes, deadline_ns, error);
    if (code)
      return code;
    end = end_of(growing, before, settings->reply_until);
    if (end && end < growing->size)
      return failure_set(error, POOL_E_BROKEN, 0, "%zu bytes came behind the end of the reply", growing->size - end);
    code = end ? 0 : keep_deadline(deadline_ns, error);
    if (code)
      return code;
  }
  growing->size -= strlen(settings->reply_until);
  return 0;
}

static int read_reply(struct stream *stream, const struct settings *settings, pool_bytes_t *reply, int64_t deadline_ns,
                      pool_error_t *error)
{
  struct growing growing = {0};
  int code = settings->reply_until ? read_until(stream, &growing, settings, deadline_ns, error)
                                   : read_count(stream, &growing, (size_t)settings->reply_bytes, deadline_ns, error);
  if (code)
    stream->broken = true; /* what comes next is not the reply of the next call */
  if (code == 0 && pool_bytes_new(growing.size, reply) != 0)
    code = failure_no_room(error, POOL_E_NOMEM);
  if (code == 0 && growing.size > 0)
    memcpy(reply->data, growing.data, growing.size);
  free(growing.data);
  return code;
}

int call_sync(struct stream *stream, const struct settings *settings, const char *method, pool_bytes_t args,
              pool_bytes_t *reply, int64_t deadline_ns, pool_error_t *error)
{
  if (strcmp(method, "send") != 0)
    return failure_set(error, POOL_E_UNSUPPORTED, 0,
                       "sockets have one method, send, which sends the arguments as they are; parameters of the URL "
                       "say where a reply ends: reply_until=TEXT or reply_bytes=N");
  bool is_answered = settings->reply_until || settings->reply_bytes > 0;
  int code = is_answered && args.size > 0 ? stream_check(stream, error) : 0; /* what has come is not the reply */
  if (code == 0)
    code = stream_write(stream, args.data, args.size, deadline_ns, error);
  if (code == 0)
    return read_reply(stream, settings, reply, deadline_ns, error);
  stream->broken = true;
  return code;
}
