/* SPDX-License-Identifier: MIT */
/*
 * Ends a statement at the server when its call has timed out.
 *
 * A server goes on with a statement whose client has gone away, until it has something to send.  So it is an errand
 * (support/errand.h) to tell it to stop, over a connection of its own, which has GRACE_NS for all that it does.  It is
 * told again while the session is there, in case that it is told before it begins with the statement: one that is busy
 * may do so late.  The caller does not wait for it.  The connection of the call is closed in any case, so a server that
 * cannot be told loses nothing but the time.
 *
 * Which server.  A balancer may lead the new connection to another server, where the number of the old one is that of a
 * session of somebody else's.  So the server must say that the session with that number comes from the port that the
 * old connection had here.  Behind a balancer or a proxy it does not, and nothing is stopped.  A Unix socket has no
 * port: the server must say that the session comes by one, and must be the process that it was, for one that has begun
 * anew gives its numbers again.
 *
 * A server may have no room for the new connection.  It is asked again, for each session that ends makes room.
 */
#ifndef CANCEL_H
#define CANCEL_H

#include "mysql/dial.h"
#include "mysql/options.h"

/* Has a server stop the statement of a connection, which has this number there. */
void cancel_statement(struct options *options, const struct dial_server *server, unsigned long id);

#endif
