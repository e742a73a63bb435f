/* SPDX-License-Identifier: MIT */
/* How an event loop learns that pool_maintain has something to do, see pool_event_fd. */
#ifndef EVENT_FD_H
#define EVENT_FD_H

#include "engine.h"

/* Whoever keeps the pool shall look: its keeper_signal was changed.  Not under the lock. */
void event_fd_signal(struct pool *pool);

/* He looks: from now on only what is new counts.  Before he looks, and by nobody else. */
void event_fd_drain(struct pool *pool);

/* The pool is gone.  Not under the lock. */
void event_fd_close(struct pool *pool);

/* In the child after fork, where nobody else is: the number is the child's own. */
void event_fd_after_fork(struct pool *pool);

#endif
