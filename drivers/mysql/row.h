/* SPDX-License-Identifier: MIT */
/* A row of a prepared statement, as texts: where the library puts the values, and how those are read. */
#ifndef ROW_H
#define ROW_H

#include <mysql.h>
#include <stdbool.h>
#include <stddef.h>

#include "mysql/number.h"

struct row {
  MYSQL_STMT *statement;
  unsigned count;
  struct row_cell *cells; /* where numbers and sizes are put */
  MYSQL_BIND *binds;      /* for mysql_stmt_bind_result() */
  char digits[NUMBER_LONGEST];
  char *buffer; /* the last text that was fetched */
  unsigned long capacity;
};

/* The metadata are those of the statement, and live longer than the row.  False without memory; row_free() in any
   case. */
bool row_init(struct row *row, MYSQL_STMT *statement, MYSQL_RES *metadata);
void row_free(struct row *row);

/* A value of the row that was fetched, until the next one is asked for.  NULL is NULL.  False without memory. */
bool row_value(struct row *row, unsigned column, const char **bytes, size_t *size);

#endif
