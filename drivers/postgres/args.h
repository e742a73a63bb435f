/* SPDX-License-Identifier: MIT */
/*
 * The parameters of a statement: a JSON array, whose elements become the texts that libpq sends.
 *
 * null becomes NULL, a string its characters; a number, true or false keeps its text, so no digit is lost; an array or
 * object is sent as the JSON that it is.
 */
#ifndef ARGS_H
#define ARGS_H

#include <pool/pool.h>

struct args {
  int count;
  const char **values; /* NULL for null */
  char *storage;       /* the texts; wiped before it is freed, for one may be a password */
  size_t size;
};

/* Reads an array; no bytes at all are no parameters.  Returns 0, or a code that *error explains: then nothing is to be
   freed. */
int args_read(struct args *args, pool_bytes_t bytes, pool_error_t *error);

/* The number of the first parameter that has not only ASCII characters, from 1.  0: there is none. */
int args_beyond_ascii(const struct args *args);

void args_free(struct args *args);

#endif
