/* SPDX-License-Identifier: MIT */
/* What went wrong, in libpq's words and the server's: as one line. */
#ifndef FAULT_H
#define FAULT_H

#include <libpq-fe.h>
#include <stdint.h>

#include <pool/pool.h>

/* Says what libpq says of the connection, behind `doing` and a colon if that is not NULL.  Returns the code. */
int fault_of_connection(const PGconn *conn, int code, const char *doing, pool_error_t *error);

/* Says what the server answered: the message, its SQLSTATE, detail and hint.  `native` is the SQLSTATE, packed as
   POOL_POSTGRES_STATE() does.  Returns POOL_E_REMOTE, or POOL_E_BROKEN if the connection ended with it. */
int fault_of_result(const PGconn *conn, const PGresult *result, pool_error_t *error);

/* Five letters and digits in 30 bits.  0: they are none. */
int32_t fault_state(const char *state);

#endif
