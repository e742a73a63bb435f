/* SPDX-License-Identifier: MIT */
/*
 * A statement and its results, as JSON.
 *
 * Without parameters the statement is sent as it is; with an array of them, even an empty one, it is prepared, so a
 * question mark is a place for a parameter.  Rows are read one by one and never kept.  A reply that cannot be read to
 * its end, as it is too large or late, ends the connection.
 */
#ifndef QUERY_H
#define QUERY_H

#include <mysql.h>
#include <stdint.h>

#include <pool/driver.h>

#include "mysql/options.h"
#include "mysql/parameters.h"

/* Whether a statement can be run: 0, or a code that *error explains. */
int query_check(MYSQL *mysql, pool_error_t *error);

/* Runs it, with the meanings of the call of a vtable. */
int query_run(MYSQL *mysql, struct options *options, const char *sql, struct parameters *parameters,
              pool_bytes_t *reply, int64_t deadline_ns, pool_error_t *error);

#endif
