/* SPDX-License-Identifier: MIT */
/* Calls: a sync call, whose caller waits, and an async one, for which the poller waits. */
#ifndef CALL_H
#define CALL_H

#include <libpq-fe.h>
#include <stddef.h>
#include <stdint.h>

#include <pool/driver.h>

/* As the call of a vtable. */
int call_sync(PGconn *conn, const char *sql, pool_bytes_t args, size_t reply_limit, pool_bytes_t *reply,
              int64_t deadline_ns, pool_error_t *error);

/* As the go of a vtable.  The call may be done, and the connection closed, before this returns. */
int call_async(PGconn *conn, const char *sql, pool_bytes_t args, size_t reply_limit, pool_call_t *call);

#endif
