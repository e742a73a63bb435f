/* SPDX-License-Identifier: MIT */
/*
 * The reply to a call: what the server answers, as JSON.
 *
 *   {"columns":["id","name"],"types":["int","varchar"],"rows":[[1,"one"],[2,null]],"affected":2,"last_insert_id":0}
 *
 * Numbers have the digits that the server wrote, JSON is embedded, bytes are "\x" and two digits for each, all other
 * values are strings with the server's text.  Of several results the first with columns is the reply.
 */
#ifndef REPLY_H
#define REPLY_H

#include <mysql.h>
#include <stdbool.h>
#include <stddef.h>

#include "mysql/column.h"
#include "mysql/fault.h"
#include "support/json_text.h"

struct reply {
  struct json_text text;
  bool began;
  unsigned field_count; /* of the result that is written */
  enum column_kind *kinds;
  unsigned long long rows;
};

/* Begins with a result. */
void reply_columns(struct reply *reply, const MYSQL_FIELD *fields, unsigned count);

/* Adds a row: first reply_row(), then each value in its order.  NULL is NULL. */
void reply_row(struct reply *reply);
void reply_value(struct reply *reply, unsigned column, const char *bytes, size_t size);

void reply_end(struct reply *reply, unsigned long long affected, unsigned long long last_insert_id);

/* Replaces all by an error of the server: {"message":...,"code":1146,"sqlstate":"42S02"}. */
void reply_fault(struct reply *reply, const struct fault *fault);

void reply_free(struct reply *reply);

#endif
