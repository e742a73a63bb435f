/* SPDX-License-Identifier: MIT */
/*
 * Statements that end before a deadline.
 *
 * One thread at a time uses a connection.  An exchange is between exchange_begin() and exchange_end(); the connection
 * does not block meanwhile.
 */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

#include "support/deadline.h"

/* Nothing may be under way.  Returns whether the connection blocked before, for exchange_end(). */
bool exchange_begin(PGconn *conn);

/* After what was begun has ended, or the connection is to be closed. */
void exchange_end(PGconn *conn, bool blocks);

/* Moves bytes both ways as far as the socket lets it.  Returns the events of poll() to wait for until a result can be
   taken, 0 if one can be taken at once, or -1 if the connection broke. */
int exchange_step(PGconn *conn);

/* Waits until a result can be taken.  FAILED: the connection broke. */
enum outcome exchange_await(PGconn *conn, int64_t deadline_ns);

/* Runs SQL without parameters and stores the last result: one of several, a COPY that begins, or NULL for none.  OK
   says that there was an end, not that the server agreed.  FAILED: the connection broke, or SQL was not sent. */
enum outcome exchange_query(PGconn *conn, const char *sql, int64_t deadline_ns, PGresult **result);

/* Reads to the end of what is under way, so that the connection is ready for the next statement.  The last result is
   stored as above. */
enum outcome exchange_finish(PGconn *conn, int64_t deadline_ns, PGresult **result);

/* Breaks the connection, so that neither side waits for the other. */
void exchange_shut_down(PGconn *conn);

#endif
