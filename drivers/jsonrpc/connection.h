/* SPDX-License-Identifier: MIT */
/*
 * A connection and the calls on it.
 *
 * Shared.  Any number of callers use a connection at one time, and the poller.
 *   - `lock` guards all members but these.  A thread holds it for moments: not during a callback, and not during a
 *     system call that may wait.
 *   - `descriptor` never changes, and is closed with the last reference.  So the system cannot give its number to
 *     another file while a thread still uses it.
 *   - `stream` belongs to the reader: the thread that has set `reading`.  It alone receives (reader.h).
 *   - The sending half of the socket belongs to the writer: the thread that has set `writing`.  It sends one request as
 *     a whole (writer.h).
 *   - `watched` and `next_watched` are the inbox's (inbox.h).
 *
 * Order of locks: first the connection's, then the inbox's.
 *
 * Ends.  A call is in the table from before it is sent until it ends.  The thread that takes it out of the table ends
 * it, so a call ends once.  That thread is the reader with a reply, the caller or the poller at the deadline, or the
 * thread that breaks the connection.
 *
 * References.  The pool holds one until it closes the connection, the poller one while it watches the connection, and
 * each call one until its function returns.  A callback may put and close the connection; the memory stays until the
 * last of these threads has released it.  Each release comes after the last access of its thread, and the last release
 * frees, so no access comes after the free.
 */
#ifndef CONNECTION_H
#define CONNECTION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <pool/driver.h>

#include "jsonrpc/frame.h"
#include "jsonrpc/pending.h"

struct connection {
  int descriptor;
  _Atomic int references;
  pthread_mutex_t lock;

  bool reading;
  struct frame_stream stream;
  struct pending_list sleepers; /* sync calls that wait without being the reader */

  bool writing;
  pthread_cond_t writable; /* no thread is the writer, or the connection is broken */
  bool stuck;              /* the writer waits without being the reader */
  int unstick;             /* an eventfd that wakes it; -1 before the first time */

  struct pending_table calls;

  bool broken;
  int native;
  char why[160];

  bool watched; /* by the poller; under the inbox's lock */
  struct connection *next_watched;
  bool held; /* the poller is the reader */
};

/* NULL without memory.  The caller holds a reference and sets the descriptor. */
struct connection *connection_new(size_t reply_limit);

static inline void connection_acquire(struct connection *connection)
{
  atomic_fetch_add(&connection->references, 1);
}

void connection_release(struct connection *connection);

/* Ends a call that is in the table.  The caller holds the lock. */
void connection_end_call(struct connection *connection, struct pending *pending, int code, pool_bytes_t reply);

/* Ends all calls under way with a code. */
void connection_end_calls(struct connection *connection, int code);

/* Ends the connection and all calls on it.  Only the first reason counts. */
void connection_break(struct connection *connection, int native, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Says why the connection is broken, and returns POOL_E_BROKEN.  The caller holds the lock. */
int connection_say_broken(struct connection *connection, pool_error_t *error);

#endif
