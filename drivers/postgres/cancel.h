/* SPDX-License-Identifier: MIT */
/*
 * Requests to a server to end the statement of a connection.
 *
 * libpq sends such a request over a connection of its own and waits for it without a deadline.  So it is an errand
 * (support/errand.h).
 *
 * A request may come late: it would end the next statement of the connection.  So no statement may be sent before the
 * request has ended.  The errand and the caller each have a descriptor of one eventfd, which tells that end.  Nothing
 * else is shared.
 */
#ifndef CANCEL_H
#define CANCEL_H

#include <libpq-fe.h>

/* Asks the server to end the statement under way.  Returns a descriptor that becomes readable when the request has
   ended, and that the caller closes; or -1: nothing was sent. */
int cancel_send(PGconn *conn);

/* The same for a connection on which no statement follows.  The request is repeated, in case that it overtakes the
   statement and has no effect. */
void cancel_send_last(PGconn *conn);

#endif
