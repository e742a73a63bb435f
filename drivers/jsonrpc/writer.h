/* SPDX-License-Identifier: MIT */
/*
 * The writer of a connection: one thread at a time sends a request, as a whole.
 *
 * A caller waits for its turn, puts its call into the table, sends the request and leaves the turn.
 *
 * No deadlock with a server that does not read before it is read from: a writer that is stuck, because the socket takes
 * no more, becomes the reader meanwhile if there is none.  Otherwise it sleeps where reader_offer() can wake it.
 */
#ifndef WRITER_H
#define WRITER_H

#include <pool/pool.h>

struct connection;
struct pending;
struct request;

/* Sends a call.  0: the call has ended, or another thread will end it.  Else the call was taken back, and *error says
   why.  An async call may end, and its memory be freed, before this returns. */
int writer_send(struct connection *connection, struct request *request, struct pending *pending, pool_error_t *error);

#endif
