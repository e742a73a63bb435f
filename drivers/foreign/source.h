/* SPDX-License-Identifier: MIT */
/* The text of a description, and what is wrong at a place of it. */
#ifndef SOURCE_H
#define SOURCE_H

#include <stddef.h>

#include <pool/pool.h>

#define SOURCE_SIZE_LIMIT ((size_t)64 * 1024)

/* Both count from 1; a column is a byte.  Line 0: the whole. */
struct place {
  unsigned line, column;
};

struct source {
  const char *path;
  char *text; /* ends with a zero byte */
  size_t size;
};

/* Reads a file.  Returns 0, or a code that *error explains.  The path must live as long as the source. */
int source_read(struct source *source, const char *path, pool_error_t *error);

void source_free(struct source *source);

/* Fills in *error with PATH:LINE:COLUMN and the message, and returns POOL_E_INVALID. */
int source_fail(const struct source *source, struct place place, pool_error_t *error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
