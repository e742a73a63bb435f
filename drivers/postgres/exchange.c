/* SPDX-License-Identifier: MIT */
#include "postgres/exchange.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

int exchange_step(PGconn *conn)
{
  if (!PQisBusy(conn))
    return 0; /* nothing more is read meanwhile, or what a fast server sends would pile up in libpq */
  int unsent = PQflush(conn);
  if (unsent < 0 || !PQconsumeInput(conn))
    return PQisBusy(conn) ? -1 : 0; /* what came before the end can still be taken */
  if (!PQisBusy(conn))
    return 0;
  return unsent ? POLLIN | POLLOUT : POLLIN;
}

enum outcome exchange_await(PGconn *conn, int64_t deadline_ns)
{
  for (bool late = false;; late = deadline_is_past(deadline_ns)) { /* what arrived in time is still read */
    int events = exchange_step(conn);
    if (events <= 0)
      return events < 0 ? FAILED : OK;
    if (late)
      return EXPIRED; /* a hostile server may send without a pause */
    enum outcome outcome = deadline_wait_ready(PQsocket(conn), (short)events, deadline_ns);
    if (outcome != OK)
      return outcome;
  }
}

static bool is_copy(const PGresult *result)
{
  ExecStatusType status = PQresultStatus(result);
  return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

/* Whether libpq made up the result because the connection broke.  What the server said before tells more. */
static bool is_made_up(const PGresult *result)
{
  return PQresultStatus(result) == PGRES_FATAL_ERROR && !PQresultErrorField(result, PG_DIAG_SQLSTATE);
}

static void keep_last(PGresult **result, PGresult *next)
{
  if (*result && is_made_up(next)) {
    PQclear(next);
    return;
  }
  PQclear(*result);
  *result = next;
}

enum outcome exchange_finish(PGconn *conn, int64_t deadline_ns, PGresult **result)
{
  for (;;) {
    enum outcome outcome = exchange_await(conn, deadline_ns);
    if (outcome != OK)
      return outcome;
    PGresult *next = PQgetResult(conn);
    if (!next)
      return OK;
    bool copies = is_copy(next);
    keep_last(result, next);
    if (copies || PQstatus(conn) != CONNECTION_OK)
      return OK;
    if (deadline_is_past(deadline_ns))
      return EXPIRED; /* results may come without an end */
  }
}

enum outcome exchange_query(PGconn *conn, const char *sql, int64_t deadline_ns, PGresult **result)
{
  *result = NULL;
  return PQsendQuery(conn, sql) ? exchange_finish(conn, deadline_ns, result) : FAILED;
}

bool exchange_begin(PGconn *conn)
{
  bool blocks = !PQisnonblocking(conn);
  if (blocks)
    PQsetnonblocking(conn, 1);
  return blocks;
}

void exchange_end(PGconn *conn, bool blocks)
{
  if (blocks && PQstatus(conn) == CONNECTION_OK)
    PQsetnonblocking(conn, 0);
}

/* libpq sees the end behind all that came before it. */
void exchange_shut_down(PGconn *conn)
{
  shutdown(PQsocket(conn), SHUT_RDWR);
  while (PQstatus(conn) == CONNECTION_OK && PQconsumeInput(conn))
    ;
}
