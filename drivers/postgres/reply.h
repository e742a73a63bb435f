/* SPDX-License-Identifier: MIT */
/*
 * The reply to a call: what the server answers, written as JSON row by row.
 *
 *   {"columns":["id","name"],"types":["int8","text"],"rows":[[1,"one"],[2,null]],"command":"SELECT 2","affected":2}
 *
 * Numbers have the digits that the server wrote, true and false are such, json and jsonb are embedded, all other values
 * are strings with the server's text.  NaN, Infinity and JSON nested deeper than JSON_DEPTH_MOST are strings too. Bytes
 * that are not UTF-8, as a client_encoding of another kind has them, become U+FFFD.
 *
 * A reply whose text has a problem takes nothing more; what it took is of no use then.
 */
#ifndef REPLY_H
#define REPLY_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

#include <pool/pool.h>

#include "support/json_text.h"

struct reply {
  struct json_text text;
  bool began;
  size_t rows;
};

/* Adds the rows of a result, of which there may be several. */
void reply_add(struct reply *reply, const PGresult *result);

/* Ends with what the last result says of the command. */
void reply_end(struct reply *reply, PGresult *result);

/* Writes the server's error in place of all else. */
void reply_fault(struct reply *reply, const PGresult *result);

/* Writes an error of the driver's own, in place of all else. */
void reply_refuse(struct reply *reply, const char *message);

#endif
