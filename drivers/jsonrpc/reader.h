/* SPDX-License-Identifier: MIT */
/*
 * The reader of a connection: the one thread that receives, for all calls on it.
 *
 * A sync call that waits for its reply becomes the reader if there is none.  It delivers the replies of others too,
 * until its own is there; the other sync calls sleep.  So a program that only uses pool_call() has no thread of the
 * driver, except while a name is looked up.  The poller becomes the reader for async calls (poller.h), and a writer
 * that is stuck for itself (writer.h).
 *
 * No reply is left unread.  A thread calls reader_offer() when it stops being the reader, and when it leaves the
 * connection while there is no reader.  That wakes one candidate: a sync call that sleeps, else a writer that is stuck,
 * else the poller.  A candidate that is woken and does not need the role any more offers it again.
 */
#ifndef READER_H
#define READER_H

struct connection;
struct pending;

/* Wakes a thread that needs the role of the reader, if no thread has it.  The caller holds the lock. */
void reader_offer(struct connection *connection);

/* Waits until a sync call that was sent has ended; at its deadline ends it with POOL_E_TIMEOUT. */
void reader_await(struct connection *connection, struct pending *pending);

#endif
