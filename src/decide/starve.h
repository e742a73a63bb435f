/* SPDX-License-Identifier: MIT */
/* Whether the threads that wait for a pool are those that hold all of its connections.  Under the pool's lock. */
#ifndef STARVE_H
#define STARVE_H

#include <stdbool.h>
#include <stdint.h>

struct waiter;
struct pool;

/* Whether a waiter is that of a thread which sleeps until its wait is over. */
bool starve_concerns(const struct pool *pool, const struct waiter *waiter);

/* A waiter comes.  Its thread and those that hold the connections seem to wait for each other; but another thread may
   put a lease, so it is told only when nothing was put until the wait of one of them is over, and for long enough. */
void starve_suspect(struct pool *pool, struct waiter *waiter);

/* The wait of a waiter is over, or it has no end.  Returns whether the program is to be told. */
bool starve_find(struct pool *pool, struct waiter *waiter);

/* When a waiter without a deadline would have been told of its starvation; 0: it does not seem to starve. */
int64_t starve_at(const struct pool *pool, const struct waiter *waiter);

#endif
