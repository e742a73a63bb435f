/* SPDX-License-Identifier: MIT */
/*
 * Calls: a sync call runs in its caller's thread, and an async one in a thread of its own.
 *
 * No other callback of the connection runs while a call is under way, so the thread has the connection for itself.
 */
#ifndef CALL_H
#define CALL_H

#include <mysql.h>
#include <stdint.h>

#include <pool/driver.h>

#include "mysql/options.h"

/* As the call of a vtable. */
int call_sync(MYSQL *mysql, struct options *options, const char *sql, pool_bytes_t args, pool_bytes_t *reply,
              int64_t deadline_ns, pool_error_t *error);

/* As the go of a vtable.  The call may be done, and the connection closed, before this returns. */
int call_async(MYSQL *mysql, struct options *options, const char *sql, pool_bytes_t args, pool_call_t *call);

#endif
