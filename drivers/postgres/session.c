/* SPDX-License-Identifier: MIT */
#include "postgres/session.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "postgres/cancel.h"
#include "postgres/dial.h"
#include "postgres/exchange.h"
#include "postgres/fault.h"
#include "support/deadline.h"
#include "support/failure.h"

/* libpq's own receiver of notices, which calls the processor: the same one for all connections. */
static _Atomic(PQnoticeReceiver) usual_receiver;

static void be_silent(void *user, const char *text)
{
  (void)user, (void)text;
}

/* ---- what libpq keeps of a user ---- */

static void drop_notifications(PGconn *conn)
{
  for (PGnotify *notification; (notification = PQnotifies(conn));)
    PQfreemem(notification);
}

void session_begin(PGconn *conn)
{
  atomic_store(&usual_receiver, PQsetNoticeReceiver(conn, NULL, NULL)); /* changes none */
  PQsetNoticeProcessor(conn, be_silent, NULL);
}

static void forget_user(PGconn *conn)
{
  PQsetNoticeReceiver(conn, atomic_load(&usual_receiver), NULL);
  PQsetNoticeProcessor(conn, be_silent, NULL);
  PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
  PQsetErrorContextVisibility(conn, PQSHOW_CONTEXT_ERRORS);
  PQuntrace(conn);
  drop_notifications(conn);
  if (PQisnonblocking(conn))
    PQsetnonblocking(conn, 0);
}

/* ---- the check ---- */

struct heard {
  const char *password;
  char line[240];
};

/* A server that ends a session says why, and nobody has asked: so libpq takes it for a notice. */
static void hear(void *user, const char *text)
{
  struct heard *heard = user;
  failure_line_without(heard->password, heard->line, sizeof heard->line, text);
}

/* Reads what the server has sent on its own: notices, settings that changed, notifications, its farewell. */
static bool read_idle(PGconn *conn)
{
  if (pool_socket_idle(PQsocket(conn)) == 0)
    return true;
  bool good = PQconsumeInput(conn);
  good = !PQisBusy(conn) && good; /* takes the messages out of what was read */
  drop_notifications(conn);
  return good && PQstatus(conn) == CONNECTION_OK;
}

/* OK says that there was an answer. */
static enum outcome ask(PGconn *conn, int64_t deadline_ns, bool *good)
{
  PGresult *result = NULL;
  bool blocks = exchange_begin(conn);
  enum outcome outcome = exchange_query(conn, "", deadline_ns, &result);
  exchange_end(conn, blocks);
  *good = PQresultStatus(result) == PGRES_EMPTY_QUERY && PQstatus(conn) == CONNECTION_OK &&
          PQtransactionStatus(conn) == PQTRANS_IDLE;
  PQclear(result);
  return outcome;
}

static int say_late(pool_error_t *error, const char *what)
{
  return failure_set(error, POOL_E_TIMEOUT, 0, "%s: the server did not answer in time", what);
}

int session_check(PGconn *conn, int64_t deadline_ns, pool_error_t *error)
{
  struct heard heard = {.password = PQpass(conn)};
  bool good = false;
  PQsetNoticeProcessor(conn, hear, &heard);
  enum outcome outcome = PQstatus(conn) == CONNECTION_OK && read_idle(conn) ? ask(conn, deadline_ns, &good) : FAILED;
  PQsetNoticeProcessor(conn, be_silent, NULL);
  if (outcome == OK && good)
    return 0;
  if (outcome == EXPIRED)
    return say_late(error, "checking the connection");
  if (strstr(heard.line, "FATAL") || !*PQerrorMessage(conn))
    return failure_set(error, POOL_E_BROKEN, 0, "%s", *heard.line ? heard.line : "the server ended the connection");
  return fault_of_connection(conn, POOL_E_BROKEN, NULL, error);
}

/* ---- the reset ---- */

static int run(PGconn *conn, const char *sql, const char *what, int64_t deadline_ns, pool_error_t *error)
{
  PGresult *result = NULL;
  bool blocks = exchange_begin(conn);
  enum outcome outcome = exchange_query(conn, sql, deadline_ns, &result);
  exchange_end(conn, blocks);
  ExecStatusType status = PQresultStatus(result);
  int code = 0;
  if (outcome == EXPIRED)
    code = say_late(error, what);
  else if (outcome == FAILED)
    code = fault_of_connection(conn, POOL_E_BROKEN, what, error);
  else if (PQtransactionStatus(conn) != PQTRANS_IDLE)
    code = failure_set(error, POOL_E_BROKEN, 0, "%s did not leave the session idle", what);
  else if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY)
    code = fault_of_result(conn, result, error);
  PQclear(result);
  return code;
}

static int say_in_use(pool_error_t *error, const char *what)
{
  return failure_set(error, POOL_E_BROKEN, 0, "the connection was put %s, and is closed", what);
}

static int refuse_unclean(PGconn *conn, PGTransactionStatusType status, pool_error_t *error)
{
  if (PQstatus(conn) != CONNECTION_OK || status == PQTRANS_UNKNOWN)
    return fault_of_connection(conn, POOL_E_BROKEN, NULL, error);
  if (PQpipelineStatus(conn) != PQ_PIPELINE_OFF)
    return say_in_use(error, "in pipeline mode");
  return status == PQTRANS_ACTIVE ? say_in_use(error, "with a statement, a COPY or unread results under way") : 0;
}

static int64_t earlier(int64_t one, int64_t other)
{
  return one < other ? one : other;
}

bool session_is_clean(PGconn *conn, const struct options *options)
{
  if (options->reset != ROLLBACK || PQtransactionStatus(conn) != PQTRANS_IDLE ||
      PQpipelineStatus(conn) != PQ_PIPELINE_OFF || PQstatus(conn) != CONNECTION_OK)
    return false;
  forget_user(conn);
  return true;
}

int session_reset(PGconn *conn, const struct options *options, int64_t deadline_ns, pool_error_t *error)
{
  PGTransactionStatusType status = PQtransactionStatus(conn);
  int code = refuse_unclean(conn, status, error);
  if (code)
    return code;
  forget_user(conn);
  if (status == PQTRANS_IDLE && options->reset == ROLLBACK)
    return 0;
  deadline_ns = earlier(deadline_ns, deadline_clock() + options->reset_ns);
  if (status != PQTRANS_IDLE)
    code = run(conn, "ROLLBACK", "ROLLBACK", deadline_ns, error);
  if (code == 0 && options->reset == DISCARD)
    code = run(conn, "DISCARD ALL", "DISCARD ALL", deadline_ns, error);
  if (code == 0 && options->reset == STATEMENT)
    code = run(conn, options->reset_statement, "reset_statement", deadline_ns, error);
  return code;
}

/* ---- the end ---- */

/* libpq says goodbye to the server, and would wait for room to do so.  If bytes may still be on their way, the socket
   is shut down before, and nothing waits. */
void session_close(PGconn *conn)
{
  if (PQstatus(conn) == CONNECTION_OK) {
    bool active = PQtransactionStatus(conn) == PQTRANS_ACTIVE || PQpipelineStatus(conn) != PQ_PIPELINE_OFF;
    if (active) {
      cancel_send_last(conn);
      shutdown(PQsocket(conn), SHUT_RDWR);
    } else if (!PQisnonblocking(conn)) {
      PQsetnonblocking(conn, 1);
    }
  }
  dial_close(conn);
}
