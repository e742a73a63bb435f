/* SPDX-License-Identifier: MIT */
#include "postgres/statement.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "postgres/args.h"
#include "postgres/cancel.h"
#include "postgres/exchange.h"
#include "postgres/fault.h"
#include "support/failure.h"

#define TURN 64 /* results that are taken before the caller looks at the clock */

static const char no_copy[] = "a call cannot COPY from or to the client; use pool_conn() and libpq";

/* ---- the start ---- */

static int refuse_busy(PGconn *conn, pool_error_t *error)
{
  if (PQstatus(conn) != CONNECTION_OK)
    return fault_of_connection(conn, POOL_E_BROKEN, NULL, error);
  if (PQtransactionStatus(conn) == PQTRANS_ACTIVE || PQpipelineStatus(conn) != PQ_PIPELINE_OFF)
    return failure_set(error, POOL_E_INVALID, 0,
                       "the connection has a command under way or is in pipeline mode; end that before a call");
  return 0;
}

/* The parameters are UTF-8.  A session with another encoding would take them for other characters, and store those. */
static int refuse_misread(PGconn *conn, const struct args *args, pool_error_t *error)
{
  const char *encoding = pg_encoding_to_char(PQclientEncoding(conn)); /* servers may say it in other words */
  bool changes = strcmp(encoding, "UTF8") != 0 && strcmp(encoding, "SQL_ASCII") != 0;
  int number = changes ? args_beyond_ascii(args) : 0;
  if (number == 0)
    return 0;
  return failure_set(error, POOL_E_UNSUPPORTED, 0,
                     "not sent: parameter %d has characters that the session's client_encoding %.32s would change; "
                     "use client_encoding=UTF8",
                     number, encoding);
}

static int send_statement(PGconn *conn, const char *sql, const struct args *args, pool_error_t *error)
{
  if (PQsendQueryParams(conn, sql, args->count, NULL, args->values, NULL, NULL, 0)) {
    PQsetSingleRowMode(conn);
    return 0;
  }
  bool broken = PQstatus(conn) != CONNECTION_OK || PQtransactionStatus(conn) == PQTRANS_ACTIVE;
  return fault_of_connection(conn, broken ? POOL_E_BROKEN : POOL_E_NOMEM, "not sent", error);
}

static int begin_statement(struct statement *statement, const char *sql, const struct args *args, pool_error_t *error)
{
  statement->blocked = exchange_begin(statement->conn);
  int code = send_statement(statement->conn, sql, args, error);
  if (code)
    exchange_end(statement->conn, statement->blocked);
  return code;
}

int statement_start(struct statement *statement, PGconn *conn, const char *sql, pool_bytes_t bytes, size_t reply_limit,
                    pool_error_t *error)
{
  struct args args;
  *statement = (struct statement){.conn = conn, .error = POOL_ERROR_INIT, .reply.text.limit = reply_limit};
  int code = refuse_busy(conn, error);
  if (code == 0)
    code = args_read(&args, bytes, error);
  if (code)
    return code;
  code = refuse_misread(conn, &args, error);
  if (code == 0)
    code = begin_statement(statement, sql, &args, error);
  args_free(&args);
  return code;
}

/* ---- results ---- */

/* What still comes is of no use. */
static void cancel(struct statement *statement)
{
  if (!statement->cancel)
    statement->cancel = cancel_send(statement->conn);
}

/* The first error tells most: what follows comes from it. */
static void take_fault(struct statement *statement, const PGresult *result)
{
  statement->answered = true;
  if (statement->code || statement->reply.text.problem != JSON_TEXT_GOOD)
    return;
  statement->code = fault_of_result(statement->conn, result, &statement->error);
  if (PQresultErrorField(result, PG_DIAG_SQLSTATE))
    reply_fault(&statement->reply, result);
  else
    reply_refuse(&statement->reply, statement->error.message);
}

/* The server ends the COPY with an error, or after all its rows. */
static void end_copy(struct statement *statement, ExecStatusType status)
{
  statement->refused = true;
  if (status == PGRES_COPY_IN)
    PQputCopyEnd(statement->conn, no_copy);
  else
    cancel(statement);
  statement->copying = status != PGRES_COPY_IN;
}

static void take_rows(struct statement *statement, PGresult *result, bool last)
{
  bool good = statement->reply.text.problem == JSON_TEXT_GOOD;
  statement->answered |= last;
  if (statement->code || statement->refused)
    return;
  if (last)
    reply_end(&statement->reply, result);
  else
    reply_add(&statement->reply, result);
  if (good && statement->reply.text.problem != JSON_TEXT_GOOD && !last)
    cancel(statement);
}

static void take(struct statement *statement, PGresult *result)
{
  ExecStatusType status = PQresultStatus(result);
  switch (status) {
  case PGRES_SINGLE_TUPLE:
    take_rows(statement, result, false);
    break;
  case PGRES_TUPLES_OK:
  case PGRES_COMMAND_OK:
  case PGRES_EMPTY_QUERY:
    take_rows(statement, result, true);
    break;
  case PGRES_COPY_IN:
  case PGRES_COPY_OUT:
  case PGRES_COPY_BOTH:
    end_copy(statement, status);
    break;
  default:
    take_fault(statement, result);
  }
}

/* Drops what has come of a COPY.  Returns the events to wait for until more can come, or 0 at its end. */
static int drop_copied(struct statement *statement)
{
  char *row;
  for (int i = 0; i < TURN; i++) {
    int size = PQgetCopyData(statement->conn, &row, 1);
    if (size <= 0)
      return size < 0 ? 0 : POLLIN;
    PQfreemem(row);
  }
  return POLLIN | POLLOUT;
}

static void break_off(struct statement *statement)
{
  statement->code = fault_of_connection(statement->conn, POOL_E_BROKEN, NULL, &statement->error);
}

/* ---- going on ---- */

/* Takes one result.  False: the statement has ended. */
static bool take_next(struct statement *statement)
{
  PGresult *result = PQgetResult(statement->conn);
  if (!result)
    return false;
  take(statement, result);
  PQclear(result);
  return PQstatus(statement->conn) == CONNECTION_OK;
}

/* Returns as drop_copied() does.  A connection that breaks ends the COPY. */
static int go_on_copying(struct statement *statement)
{
  int unsent = PQflush(statement->conn);
  int events = PQconsumeInput(statement->conn) ? drop_copied(statement) : 0;
  statement->copying = events != 0;
  return events && unsent > 0 ? events | POLLOUT : events;
}

static int go_on_reading(struct statement *statement)
{
  for (int i = 0; i < TURN && !statement->copying; i++) {
    int events = exchange_step(statement->conn);
    if (events > 0)
      return events;
    if (events < 0)
      break_off(statement);
    if (events < 0 || !take_next(statement))
      return 0;
  }
  return POLLIN | POLLOUT; /* at once: the socket can be written to */
}

/* Waits for the end of the request to cancel it, which could meet the next statement. */
static int settle(struct statement *statement)
{
  statement->settling =
      statement->cancel && PQstatus(statement->conn) == CONNECTION_OK && !cancel_settle(statement->cancel);
  return statement->settling ? POLLIN : 0;
}

int statement_go_on(struct statement *statement)
{
  if (statement->settling)
    return settle(statement);
  int events = statement->copying ? go_on_copying(statement) : 0;
  if (!statement->copying)
    events = go_on_reading(statement);
  return events ? events : settle(statement);
}

int statement_descriptor(const struct statement *statement)
{
  return statement->settling ? cancel_descriptor(statement->cancel) : PQsocket(statement->conn);
}

void statement_expire(struct statement *statement)
{
  statement->code = failure_set(&statement->error, POOL_E_TIMEOUT, 0,
                                "the deadline passed, and the server was asked to cancel the statement");
  cancel_send_last(statement->conn);
  exchange_shut_down(statement->conn);
}

/* ---- the end ---- */

static int refuse(struct statement *statement, const char *message)
{
  reply_refuse(&statement->reply, message);
  return failure_set(&statement->error, POOL_E_REMOTE, 0, "%s", message);
}

static int judge(struct statement *statement)
{
  if (statement->code == POOL_E_TIMEOUT)
    return POOL_E_TIMEOUT;
  if (PQstatus(statement->conn) != CONNECTION_OK)
    return statement->code ? POOL_E_BROKEN
                           : fault_of_connection(statement->conn, POOL_E_BROKEN, NULL, &statement->error);
  if (statement->refused)
    return refuse(statement, no_copy);
  if (!statement->code && !statement->answered)
    return failure_set(&statement->error, POOL_E_BROKEN, 0,
                       "the server is ready for another statement without a result");
  switch (statement->reply.text.problem) {
  case JSON_TEXT_TOO_LARGE:
    return refuse(statement, "the reply is larger than max_reply_bytes; ask for fewer rows, or raise it in the URL");
  case JSON_TEXT_NO_MEMORY:
    return failure_no_room(&statement->error, POOL_E_NOMEM);
  default:
    return statement->code;
  }
}

int statement_end(struct statement *statement, pool_bytes_t *reply, pool_error_t *error)
{
  int code = judge(statement);
  exchange_end(statement->conn, statement->blocked);
  if (statement->cancel)
    cancel_forget(statement->cancel);
  *reply = (pool_bytes_t){NULL, 0};
  bool replies = code == 0 || code == POOL_E_REMOTE;
  if (!replies)
    json_text_free(&statement->reply.text);
  else if (!json_text_take(&statement->reply.text, reply) && code == 0)
    code = failure_no_room(&statement->error, POOL_E_NOMEM);
  if (code)
    failure_set(error, code, statement->error.native, "%s", statement->error.message);
  return code;
}
