/* SPDX-License-Identifier: MIT */
/*
 * The poller: one thread in the process, started with the first async call.
 *
 * It becomes the reader of connections that have async calls under way and no sync call that could read.  It ends async
 * calls at their deadlines, and runs all callbacks.
 *
 * Shared: nothing.  The inbox (inbox.h) is how callers reach the poller; a connection's lock guards what the poller
 * changes there.
 *
 * Callbacks run without a lock, and while the poller is the reader of no connection.  So a callback may call, wait, put
 * and close.
 */
#ifndef POLLER_H
#define POLLER_H

#include <stdbool.h>

/* Makes sure that there is a poller.  False without memory. */
bool poller_start(void);

#endif
