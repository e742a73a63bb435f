/* SPDX-License-Identifier: MIT */
/* Commands out and replies in: a wire, and hiredis' reader behind it. */
#ifndef STREAM_H
#define STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hiredis.h>

#include <pool/pool.h>

#include "support/wire.h"

/* The number of an array's elements, whose type differs between versions of hiredis. */
#if HIREDIS_MAJOR > 0
typedef size_t array_count;
#else
typedef int array_count;
#endif

/* The libraries that it is made of, in the versions that it was built with. */
#define STREAM_NEEDS "hiredis " STREAM_VERSION(HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH) ", " OPENSSL_VERSION_TEXT

#define STREAM_VERSION(a, b, c) STREAM_TEXT(a) "." STREAM_TEXT(b) "." STREAM_TEXT(c)
#define STREAM_TEXT(x)          #x

struct stream {
  struct wire wire;
  redisReader *reader;
  redisReplyObjectFunctions functions;                                 /* hiredis' own, but for arrays */
  void *(*create_array)(const redisReadTask *task, array_count count); /* hiredis' own */
  size_t limit;                                                        /* the most bytes of one reply */
  size_t held;                                                         /* the bytes of the reply that is being read */
  uint64_t announced; /* elements of arrays of that reply, which is more than have come */
  bool too_large;     /* they cannot end within the limit */
};

/* Prepares the reader.  The wire is connected later.  False without memory. */
bool stream_init(struct stream *stream, size_t limit);

/* Frees the reader, and leaves the wire alone. */
void stream_free(struct stream *stream);

/* Waits for a reply.  An error of the server is a reply as others.  Returns 0, POOL_E_TIMEOUT or POOL_E_BROKEN. */
int stream_receive(struct stream *stream, redisReply **reply, int64_t deadline_ns, pool_error_t *error);

/* Whether bytes of a reply were received and not given out. */
bool stream_has_rest(const struct stream *stream);

#endif
