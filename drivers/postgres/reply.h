/* SPDX-License-Identifier: MIT */
/*
 * The reply to a call: what the server answers, written as JSON row by row.
 *
 *   {"columns":["id","name"],"types":["int8","text"],"rows":[[1,"one"],[2,null]],"command":"SELECT 2","affected":2}
 *
 * Numbers have the digits that the server wrote, true and false are such, json and jsonb are embedded, all other values
 * are strings with the server's text.  NaN, Infinity and JSON nested deeper than JSON_DEPTH_MOST are strings too.
 *
 * A reply that has a problem takes nothing more; what it took is of no use then.
 */
#ifndef REPLY_H
#define REPLY_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

#include <pool/pool.h>

enum reply_problem { REPLY_GOOD, REPLY_TOO_LARGE, REPLY_NOT_UTF8, REPLY_NO_MEMORY };

struct reply {
  char *data;
  size_t size;
  size_t capacity;
  size_t limit; /* of the size */
  bool began;
  size_t rows;
  enum reply_problem problem;
};

/* Adds the rows of a result, of which there may be several. */
void reply_add(struct reply *reply, const PGresult *result);

/* Ends with what the last result says of the command. */
void reply_end(struct reply *reply, PGresult *result);

/* Writes the server's error in place of all else. */
void reply_fault(struct reply *reply, const PGresult *result);

/* Writes an error of the driver's own, in place of all else. */
void reply_refuse(struct reply *reply, const char *message);

/* Hands the bytes over.  Empty if there is no memory. */
pool_bytes_t reply_take(struct reply *reply);

void reply_free(struct reply *reply);

#endif
