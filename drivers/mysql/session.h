/* SPDX-License-Identifier: MIT */
/* The session of a connection: made as the URL wants it, looked at, and put back. */
#ifndef SESSION_H
#define SESSION_H

#include <mysql.h>
#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

#include "mysql/options.h"

/* Makes a new session as the URL wants it.  A limit is under way.  Returns 0, or a code that *error explains. */
int session_begin(MYSQL *mysql, const struct options *options, pool_error_t *error);

/* Whether something of the last statement is still to be read: what is sent now would get that for its answer. */
bool session_has_unread(MYSQL *mysql);

/* As the check and the reset of a vtable. */
int session_check(MYSQL *mysql, int64_t deadline_ns, pool_error_t *error);
int session_reset(MYSQL *mysql, const struct options *options, int64_t deadline_ns, pool_error_t *error);

#endif
