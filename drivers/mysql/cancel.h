/* SPDX-License-Identifier: MIT */
/*
 * Ends a statement at the server when its call has timed out.
 *
 * A server goes on with a statement whose client has gone away, until it has something to send.  So a thread tells it
 * to stop, over a connection of its own, which has GRACE_NS for all that it does.  The caller does not wait for it. The
 * connection of the call is closed in any case, so a server that cannot be told loses nothing but the time.
 *
 * Shared: how many such threads there are.  When many calls time out at once, a few of them tell the server.
 */
#ifndef CANCEL_H
#define CANCEL_H

#include "mysql/dial.h"
#include "mysql/options.h"

/* Has a server stop the statement of a connection, which has this number there. */
void cancel_statement(struct options *options, const struct dial_server *server, unsigned long id);

#endif
