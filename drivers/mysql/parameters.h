/* SPDX-License-Identifier: MIT */
/*
 * The parameters of a statement: a JSON array, whose elements take the places of its question marks.
 *
 * null becomes NULL, a string its characters, true and false 1 and 0.  An integer of 64 bits becomes a BIGINT, a number
 * with an exponent a DOUBLE, and any other number a DECIMAL, so no digit is lost.  An array or object is sent as the
 * text that it is.
 */
#ifndef PARAMETERS_H
#define PARAMETERS_H

#include <mysql.h>
#include <stdbool.h>
#include <stddef.h>

#include <pool/pool.h>

union parameters_number {
  char truth;
  unsigned long long integer;
  double real;
};

struct parameters {
  bool given; /* also if there are none in the array */
  size_t count;
  MYSQL_BIND *binds;
  union parameters_number *numbers; /* one for each */
  char *storage;                    /* the texts; wiped before it is freed, for one may be a password */
  size_t size;
};

/* Reads an array; no bytes at all are no parameters.  Returns 0, or a code that *error explains: then nothing is to be
   freed. */
int parameters_read(struct parameters *parameters, pool_bytes_t args, pool_error_t *error);

void parameters_free(struct parameters *parameters);

#endif
