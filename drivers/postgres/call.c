/* SPDX-License-Identifier: MIT */
#include "postgres/call.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "postgres/poller.h"
#include "postgres/statement.h"
#include "support/deadline.h"
#include "support/failure.h"

/* Waits for the end of a statement, but not beyond the deadline. */
static void await(struct statement *statement, int64_t deadline_ns)
{
  int events;
  bool late = false; /* what arrived in time is still read */
  for (; (events = statement_go_on(statement)) != 0; late = deadline_is_past(deadline_ns)) {
    enum outcome outcome =
        late ? EXPIRED : deadline_wait_ready(statement_descriptor(statement), (short)events, deadline_ns);
    if (outcome == OK)
      continue;
    if (outcome == FAILED)
      statement->code = failure_set(&statement->error, POOL_E_BROKEN, errno, "the socket cannot be waited for");
    else
      statement_expire(statement);
    return;
  }
}

int call_sync(PGconn *conn, const char *sql, pool_bytes_t args, size_t reply_limit, pool_bytes_t *reply,
              int64_t deadline_ns, pool_error_t *error)
{
  struct statement statement;
  int code = statement_start(&statement, conn, sql, args, reply_limit, error);
  if (code)
    return code;
  await(&statement, deadline_ns);
  return statement_end(&statement, reply, error);
}

int call_async(PGconn *conn, const char *sql, pool_bytes_t args, size_t reply_limit, pool_call_t *call)
{
  pool_error_t error = POOL_ERROR_INIT;
  struct poller_call *watched = calloc(1, sizeof *watched);
  if (!watched)
    return POOL_E_NOMEM;
  watched->call = call;
  watched->deadline_ns = pool_call_deadline(call);
  if (!poller_start()) {
    free(watched);
    return POOL_E_SYSTEM;
  }
  int code = statement_start(&watched->statement, conn, sql, args, reply_limit, &error);
  if (code == 0)
    poller_watch(watched);
  else
    free(watched);
  return code;
}
