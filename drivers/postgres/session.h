/* SPDX-License-Identifier: MIT */
/* A connection between its users: whether it is good, how it becomes clean, and how it ends. */
#ifndef SESSION_H
#define SESSION_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

#include "postgres/options.h"

/* Makes a new connection one that a user can have. */
void session_begin(PGconn *conn);

/* As the check of a vtable: looks at the socket, and then asks the server. */
int session_check(PGconn *conn, int64_t deadline_ns, pool_error_t *error);

/* As the is_clean of a vtable: a transaction is what a reset finds most often, and libpq knows of it. */
bool session_is_clean(PGconn *conn, const struct options *options);

/* As the reset of a vtable.  What the last user may leave behind and libpq or the server knows of: a transaction is
   rolled back; a statement under way, a COPY, results that were not read, or pipeline mode is an error. */
int session_reset(PGconn *conn, const struct options *options, int64_t deadline_ns, pool_error_t *error);

/* Closes without waiting, and ends a statement that is under way. */
void session_close(PGconn *conn);

#endif
