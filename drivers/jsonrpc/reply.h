/* SPDX-License-Identifier: MIT */
/*
 * Replies: receives what the server sent, and ends the calls that the replies belong to.
 *
 * The reply of a call is the text of the result as the server sent it, byte for byte, so that a number loses nothing
 * that JSON can say.  POOL_E_REMOTE comes with the server's error: the string, or if it is no string, its JSON text.
 *
 * A reply is checked to be JSON while it comes in, without a tree of it.  So it costs no more than its bytes: once in
 * the stream, and once more for the caller.  Brackets may be nested 2048 deep.
 *
 * Without memory a call ends with POOL_E_NOMEM, and the connection stays good: the reply that there is no room for is
 * skipped byte by byte.
 */
#ifndef REPLY_H
#define REPLY_H

struct connection;

/* Receives a part of what is there, and ends calls with it; breaks the connection when that fails.  The caller is the
   reader, and does not hold the lock.  The part is small, so that the reader can look at its deadline between two of
   them, and the poller at other connections. */
void reply_receive(struct connection *connection);

#endif
