/* SPDX-License-Identifier: MIT */
/*
 * Requests to a server to end the statement of a connection.
 *
 * libpq sends such a request over a connection of its own and waits for it without a deadline.  So it is an errand
 * (support/errand.h).
 *
 * A request may come late: it would end the next statement of the connection.  So no statement may be sent before the
 * request has ended.  An eventfd tells that end.  A request that no thread has begun is withdrawn when it is not needed
 * any more: all threads may be at another server, which is silent.
 *
 * Shared by the errand and the caller: the request, which the last of them frees.
 */
#ifndef CANCEL_H
#define CANCEL_H

#include <libpq-fe.h>
#include <stdbool.h>

struct cancel;

/* Asks the server to end the statement under way.  Returns the request, which the caller forgets; or NULL: nothing was
   sent. */
struct cancel *cancel_send(PGconn *conn);

/* A descriptor that becomes readable when the request has ended. */
int cancel_descriptor(const struct cancel *cancel);

/* The statement has ended.  Whether the request has ended as well, or was withdrawn. */
bool cancel_settle(struct cancel *cancel);

/* To be called once, whether the request has ended or not. */
void cancel_forget(struct cancel *cancel);

/* Asks it for a connection on which no statement follows, and tells nobody the end.  The request is repeated, in case
   that it overtakes the statement and has no effect. */
void cancel_send_last(PGconn *conn);

#endif
