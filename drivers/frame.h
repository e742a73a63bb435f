/* SPDX-License-Identifier: MIT */
/*
 * Finds the replies in what a server sends: a stream of JSON objects, with or without white space between them.
 *
 * Each byte is scanned once, however the stream is cut into pieces.  The scanner knows strings and brackets, so it
 * finds the end of each object and where three of its members stand.  What cannot become an object is recognised at
 * once.  Whether an object is JSON all through is checked as its bytes come in, and said when it ends.
 *
 * Not thread-safe: one thread at a time uses a stream.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "json_check.h"

/* Where a member's value stands within the object.  begin == end: there is no such member. */
struct frame_span {
  size_t begin;
  size_t end;
};

/* One object.  Its text is valid until bytes are added to the stream, or the stream is trimmed. */
struct frame {
  const char *text;
  size_t size;
  const char *problem; /* NULL: it is JSON; else a clause that says why not */
  struct frame_span id;
  struct frame_span result;
  struct frame_span error;
};

enum frame_outcome {
  FRAME_MORE,     /* the next object is not complete yet */
  FRAME_FOUND,    /* here is one */
  FRAME_GARBAGE,  /* this cannot become an object; the stream is of no more use */
  FRAME_TOO_LARGE /* it is larger than the limit; likewise */
};

/* Which part of a member of the outermost object is being scanned. */
enum frame_part { FRAME_KEY, FRAME_COLON, FRAME_VALUE };

struct frame_stream {
  size_t limit; /* how large one object may be */
  char *data;
  size_t capacity;
  size_t begin;   /* of the object under way */
  size_t scanned; /* up to here bytes were looked at */
  size_t end;     /* of the bytes received */

  size_t depth; /* of brackets; 0 between objects */
  bool in_string;
  bool escaped;
  enum frame_part part;
  struct frame_span key; /* these, like those in `found`, count from the object's begin, and so survive a move */
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

/* Where the next bytes are to be put, and how many fit (more than 0).  To be called when frame_next() has said
   FRAME_MORE, or first of all.  False without memory, and then frame_skip() makes space. */
bool frame_space(struct frame_stream *stream, char **space, size_t *size);

/* Forgets the object under way, and goes on with the one after it. */
void frame_skip(struct frame_stream *stream);

/* So many bytes were put there. */
void frame_received(struct frame_stream *stream, size_t size);

/* Gives back a large buffer that holds nothing. */
void frame_trim(struct frame_stream *stream);

/* Whether there are bytes of an object that is not complete. */
bool frame_is_inside(const struct frame_stream *stream);

enum frame_outcome frame_next(struct frame_stream *stream, struct frame *frame);

#endif
