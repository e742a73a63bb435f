/* SPDX-License-Identifier: MIT */
/*
 * A statement that a call runs, from sending it to its reply, without ever waiting.
 *
 * One thread at a time uses a statement.  A sync call keeps it on the stack; an async call hands it to the poller.
 */
#ifndef STATEMENT_H
#define STATEMENT_H

#include <libpq-fe.h>
#include <stdbool.h>

#include <pool/pool.h>

#include "postgres/reply.h"

struct statement {
  PGconn *conn;
  bool blocked;          /* the connection did before */
  bool copying;          /* rows of a COPY TO STDOUT come, which are dropped */
  bool answered;         /* a last result has come */
  struct cancel *cancel; /* the request to cancel it, or NULL */
  bool settling;         /* it has ended, and the request has not */
  bool refused;          /* the statement is none for a call */
  int code;              /* how it ended, as far as is known */
  pool_error_t error;
  struct reply reply;
};

/* Sends a statement.  Returns 0, or a code that *error explains: then there is no statement. */
int statement_start(struct statement *statement, PGconn *conn, const char *sql, pool_bytes_t args, size_t reply_limit,
                    pool_error_t *error);

/* Reads what there is.  Returns the events of poll() to wait for, or 0 when the statement has ended. */
int statement_go_on(struct statement *statement);

/* The descriptor to wait for them. */
int statement_descriptor(const struct statement *statement);

/* The deadline has passed: cancels the statement at the server, and ends it here. */
void statement_expire(struct statement *statement);

/* Hands over the reply, or the server's error as JSON, and returns how the statement ended; the statement is over.
 *error explains a code. */
int statement_end(struct statement *statement, pool_bytes_t *reply, pool_error_t *error);

#endif
