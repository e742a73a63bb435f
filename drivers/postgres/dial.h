/* SPDX-License-Identifier: MIT */
/*
 * Opens a connection before a deadline, whatever the names, the network and the servers do.
 *
 * The servers are tried in the order of the URL, and each address of a name on its own.  Each try has its share of the
 * time that is left, so a server that does not answer leaves time for the next one.  libpq gets addresses in digits,
 * for its own look-up of names knows no deadline; it keeps the name for certificates and the file of passwords.
 */
#ifndef DIAL_H
#define DIAL_H

#include <libpq-fe.h>
#include <stdint.h>

#include <pool/pool.h>

#include "postgres/options.h"

/* Stores a connection that has logged in.  Returns 0, or a code that *error explains. */
int dial_open(const struct options *options, int64_t deadline_ns, PGconn **conn, pool_error_t *error);

/* Closes a connection: libpq says goodbye where it has logged in. */
void dial_close(PGconn *conn);

#endif
