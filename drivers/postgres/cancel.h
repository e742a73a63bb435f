/* SPDX-License-Identifier: MIT */
/*
 * Requests to a server to end the statement of a connection.
 *
 * libpq sends such a request over a connection of its own and waits for it without a deadline.  So a thread does it,
 * and nobody waits for the thread.  Few of them run at one time: if the server answers none, further ones are not sent.
 */
#ifndef CANCEL_H
#define CANCEL_H

#include <libpq-fe.h>

/* Asks the server to end the statement under way.  A request that overtakes the statement has no effect. */
void cancel_send(PGconn *conn);

/* The same for a connection that is closed next: the request is repeated, in case it overtakes the statement. */
void cancel_send_last(PGconn *conn);

/* Makes each child of fork begin without requests under way.  To be called before all else. */
void cancel_watch_forks(void);

#endif
