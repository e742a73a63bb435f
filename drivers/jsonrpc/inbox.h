/* SPDX-License-Identifier: MIT */
/*
 * What callers leave for the poller: connections to watch, and async calls that have ended and want their callbacks.
 *
 * Shared.  The process has one inbox.  Its lock is held for moments, often with a connection's lock; no connection's
 * lock is taken while it is held.  A connection's `next_watched` is guarded by the inbox's lock until inbox_take(), and
 * then belongs to the poller.
 *
 * Sleeping.  The poller sleeps in poll(), and the read end of a pipe is among its descriptors.  Order that is relied
 * on: a caller adds to the inbox and then sets `signalled`, and the poller decides to sleep only if `signalled` is not
 * set since inbox_take(); all of this under the lock.  So no wake-up is lost, and only a poller that sleeps costs a
 * caller a system call.
 *
 * Fork.  The child has no poller, and the inbox's lock may be in any state.  The inbox begins anew there, and the
 * child's first async call starts a poller.  The pool abandons the connections of the parent, and no thread of the
 * child looks at them.
 */
#ifndef INBOX_H
#define INBOX_H

#include <stdbool.h>
#include <stdint.h>

struct connection;
struct pending;

/* ---- for callers ---- */

/* Makes the inbox begin anew in each child of fork.  To be called before all else. */
void inbox_watch_forks(void);

/* Makes sure that the inbox has a poller.  The first time it makes the pipe and calls start() with its read end. False:
   there is no memory, descriptor or thread for it. */
bool inbox_start(bool (*start)(int wake));

void inbox_wake(void);

/* The connection has a new async call with this deadline: the poller is to watch it, with a reference of its own. */
void inbox_watch(struct connection *connection, int64_t deadline_ns);

/* The connection is closed: a poller that watches it is to release it. */
void inbox_forget(struct connection *connection);

/* The async call has ended, and its callback is due. */
void inbox_finish(struct pending *pending);

/* ---- for the poller ---- */

/* Puts the new connections before the *watched ones.  Returns the calls that have ended, oldest first. */
struct pending *inbox_take(struct connection **watched);

/* The poller does not watch the connection any more.  The caller holds the connection's lock. */
void inbox_unwatch(struct connection *connection);

/* The poller will sleep until then.  False: there is something to take first. */
bool inbox_sleep(int64_t until_ns);

void inbox_awake(void);

/* How often this process was made by a fork since the driver was loaded.  A poller that sees the number change is that
   of the parent, in the child of a callback that forked. */
unsigned inbox_forks(void);

#endif
