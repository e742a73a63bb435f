/* SPDX-License-Identifier: MIT */
/* The function of pool/postgres.h. */
#include <pool/postgres.h>

#include <poll.h>
#include <stdbool.h>

#include "postgres/cancel.h"
#include "postgres/exchange.h"
#include "postgres/fault.h"
#include "support/deadline.h"
#include "support/failure.h"

#define GRACE_NS INT64_C(1000000000) /* for the server to end a statement that was cancelled */

static int refuse(const PGconn *conn, const char *sql, int64_t deadline_ns, pool_error_t *error)
{
  if (!conn || !sql)
    return failure_set(error, POOL_E_INVALID, 0, "%s is NULL", conn ? "sql" : "conn");
  if (PQstatus(conn) != CONNECTION_OK)
    return fault_of_connection(conn, POOL_E_BROKEN, NULL, error);
  if (PQtransactionStatus(conn) == PQTRANS_ACTIVE || PQpipelineStatus(conn) != PQ_PIPELINE_OFF)
    return failure_set(error, POOL_E_INVALID, 0,
                       "a command is under way on this connection: read its results until PQgetResult() returns NULL, "
                       "and leave pipeline mode");
  if (deadline_is_past(deadline_ns))
    return failure_set(error, POOL_E_TIMEOUT, 0, "the deadline passed before the statement was sent");
  return 0;
}

/* The connection is good if the statement and the request to cancel it have ended: the request cannot meet the next
   statement then. */
static bool await_cancelled(PGconn *conn, PGresult **result)
{
  int64_t until_ns = deadline_clock() + GRACE_NS;
  struct cancel *cancel = cancel_send(conn);
  bool ended = exchange_finish(conn, until_ns, result) == OK && PQstatus(conn) == CONNECTION_OK &&
               PQtransactionStatus(conn) != PQTRANS_ACTIVE; /* as a COPY that has begun would be */
  if (!cancel)
    return ended;
  bool settled = cancel_settle(cancel) || deadline_wait_ready(cancel_descriptor(cancel), POLLIN, until_ns) == OK;
  cancel_forget(cancel);
  return ended && settled;
}

static int judge_result(PGconn *conn, const PGresult *result, pool_error_t *error)
{
  if (!result)
    return fault_of_connection(conn, POOL_E_BROKEN, NULL, error);
  ExecStatusType status = PQresultStatus(result);
  return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE ? fault_of_result(conn, result, error) : 0;
}

static bool was_cancelled(const PGresult *result)
{
  return fault_state(PQresultErrorField(result, PG_DIAG_SQLSTATE)) == POOL_POSTGRES_STATE('5', '7', '0', '1', '4');
}

/* A statement that had ended before the request came has done what it does, and says so. */
static int expire(PGconn *conn, PGresult **result, pool_error_t *error)
{
  if (await_cancelled(conn, result))
    return was_cancelled(*result)
               ? failure_set(error, POOL_E_TIMEOUT, 0, "the deadline passed, and the statement was cancelled")
               : judge_result(conn, *result, error);
  cancel_send_last(conn); /* the first request may have come before the statement, and the server goes on with that */
  exchange_shut_down(conn);
  return failure_set(error, POOL_E_TIMEOUT, 0,
                     "the deadline passed, and the server did not end the statement; the connection was shut down");
}

static int judge(PGconn *conn, enum outcome outcome, PGresult **result, pool_error_t *error)
{
  if (outcome == EXPIRED)
    return expire(conn, result, error);
  return judge_result(conn, outcome == OK ? *result : NULL, error);
}

int pool_postgres_query(PGconn *conn, const char *sql, int64_t deadline_ns, PGresult **result, pool_error_t *error)
{
  pool_error_t unwanted = POOL_ERROR_INIT;
  PGresult *got = NULL;
  error = error ? error : &unwanted;
  if (result)
    *result = NULL;
  int code = refuse(conn, sql, deadline_ns, error);
  if (code)
    return code;
  bool blocks = exchange_begin(conn);
  enum outcome outcome = exchange_query(conn, sql, deadline_ns, &got);
  code = judge(conn, outcome, &got, error);
  exchange_end(conn, blocks);
  if (result && (code == 0 || code == POOL_E_REMOTE))
    *result = got;
  else
    PQclear(got);
  return code;
}
