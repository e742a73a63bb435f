/* SPDX-License-Identifier: MIT */
#ifndef POOL_POSTGRES_H
#define POOL_POSTGRES_H

/**
 * @file postgres.h
 * Help for programs that work with the connections of the driver `postgres` themselves.
 *
 * pool_conn() of a lease is the `PGconn *`, and all of libpq can be used on it.  The functions here are in the driver,
 * pool-postgres.so: a program links with `pkg-config --libs pool-postgres`.
 */

#include <libpq-fe.h>
#include <pool/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A SQLSTATE as `native` of pool_error_t has it: `error.native == POOL_POSTGRES_STATE('4', '0', '0', '0', '1')`. */
#define POOL_POSTGRES_STATE(a, b, c, d, e)                                                                             \
  ((int32_t)(((a) - '0') & 63) | (int32_t)(((b) - '0') & 63) << 6 | (int32_t)(((c) - '0') & 63) << 12 |                \
   (int32_t)(((d) - '0') & 63) << 18 | (int32_t)(((e) - '0') & 63) << 24)

/**
 * Runs SQL as PQexec() does, but not beyond a deadline: when it passes, the statement is cancelled at the server.
 *
 * Several statements may be in `sql`; the last result is stored.  After POOL_E_TIMEOUT the connection is good if
 * PQstatus() says so; else the server did not end the statement within a second, and the connection was shut down.
 * A statement that the server had ended before the request to cancel it came is told as it ended, though it is late.
 *
 * Blocks: until the deadline, and up to a second after it for the server to end the statement.  Threads: any, for one
 * connection one at a time.  Ownership: PQclear() frees the result.  From a callback: yes.
 * Errors: POOL_E_REMOTE (the server refused; *result is its answer, and `native` of *error its SQLSTATE),
 * POOL_E_TIMEOUT (nothing is sent if the deadline has passed before), POOL_E_BROKEN (call pool_mark_broken() with the lease), POOL_E_INVALID (an argument is NULL, or
 * results of an earlier command were not read), POOL_E_NOMEM.  Since 0.1.
 *
 * @param deadline_ns of CLOCK_MONOTONIC, or POOL_NO_DEADLINE
 * @param result      NULL: it is not wanted
 */
POOL_API int pool_postgres_query(PGconn *conn, const char *sql, int64_t deadline_ns, PGresult **result,
                                 pool_error_t *error);

#ifdef __cplusplus
}
#endif

#endif
