/* SPDX-License-Identifier: MIT */
/*
 * Finds the replies in what a server sends: a stream of JSON objects, with or without white space between them.
 *
 * Each byte is scanned once, however the stream is cut into pieces.  The scanner knows strings and brackets, so it
 * finds the end of each object and the places of three of its members.  Bytes that cannot become an object are refused
 * at once.  The object is checked to be JSON while its bytes come in; frame_next() tells the result when it ends.
 *
 * Not thread-safe: one thread at a time uses a stream.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "support/json_check.h"

/* The place of a member's value in the object.  begin == end: there is no such member. */
struct frame_span {
  size_t begin;
  size_t end;
};

/* One object.  Its text is valid until bytes are added to the stream, or the stream is trimmed. */
struct frame {
  const char *text;
  size_t size;
  const char *problem; /* NULL: it is JSON; else a clause that says why it is not */
  struct frame_span id;
  struct frame_span result;
  struct frame_span error;
};

enum frame_outcome {
  FRAME_MORE,     /* the next object is not complete yet */
  FRAME_FOUND,    /* *frame is the next object */
  FRAME_GARBAGE,  /* the bytes cannot become an object; the stream cannot go on */
  FRAME_TOO_LARGE /* the object is larger than the limit; the stream cannot go on */
};

/* Which part of a member of the outermost object is being scanned. */
enum frame_part { FRAME_KEY, FRAME_COLON, FRAME_VALUE };

struct frame_stream {
  size_t limit; /* how large one object may be */
  char *data;
  size_t capacity;
  size_t begin;   /* of the object under way */
  size_t scanned; /* the first byte that was not looked at */
  size_t end;     /* of the bytes received */

  size_t depth; /* of brackets; 0 between objects */
  bool in_string;
  bool escaped;
  enum frame_part part;
  struct frame_span key; /* all spans count from the object's begin, so they stay right when the bytes are moved */
  struct frame_span value;
  struct frame found;
  bool skipping;  /* nothing is kept of the object under way */
  size_t skipped; /* bytes of it that are gone */
  size_t checked; /* bytes of it that `check` has seen */
  struct json_check check;
};

/* False without memory. */
bool frame_init(struct frame_stream *stream, size_t limit);
void frame_free(struct frame_stream *stream);

/* The space for the next bytes, of a size above 0.  To be called on a new stream and after FRAME_MORE.  False without
   memory; then frame_skip() makes space. */
bool frame_space(struct frame_stream *stream, char **space, size_t *size);

/* Drops the object under way.  The next one that is found is the one after it. */
void frame_skip(struct frame_stream *stream);

/* The caller has put `size` bytes there. */
void frame_received(struct frame_stream *stream, size_t size);

/* Replaces a large buffer that holds nothing by a small one. */
void frame_trim(struct frame_stream *stream);

/* Whether an object has begun and is not complete. */
bool frame_is_inside(const struct frame_stream *stream);

enum frame_outcome frame_next(struct frame_stream *stream, struct frame *frame);

#endif
