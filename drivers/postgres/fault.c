/* SPDX-License-Identifier: MIT */
#include "postgres/fault.h"

#include <stdio.h>
#include <string.h>

#include <pool/postgres.h>

#include "support/failure.h"

int fault_of_connection(const PGconn *conn, int code, const char *doing, pool_error_t *error)
{
  char line[sizeof error->message];
  if (failure_line_without(PQpass(conn), line, sizeof line, PQerrorMessage(conn)) == 0)
    strcpy(line, "the connection broke");
  return failure_set(error, code, 0, "%s%s%s", doing ? doing : "", doing ? ": " : "", line);
}

int32_t fault_state(const char *state)
{
  if (!state || strlen(state) != 5)
    return 0;
  return POOL_POSTGRES_STATE(state[0], state[1], state[2], state[3], state[4]);
}

int fault_of_result(const PGconn *conn, const PGresult *result, pool_error_t *error)
{
  const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
  const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
  int code = PQstatus(conn) == CONNECTION_OK ? POOL_E_REMOTE : POOL_E_BROKEN;
  if (!state || !primary) /* libpq's own, not the server's */
    return fault_of_connection(conn, code, NULL, error);
  char text[2 * sizeof error->message], line[sizeof error->message];
  snprintf(text, sizeof text, "%s (SQLSTATE %s)%s%s%s%s", primary, state, detail ? "; " : "", detail ? detail : "",
           hint ? "; " : "", hint ? hint : "");
  failure_line_without(PQpass(conn), line, sizeof line, text);
  return failure_set(error, code, fault_state(state), "%s", line);
}
