/* SPDX-License-Identifier: MIT */
/*
 * Waiters with a number: index in the low bits, a generation above, as in leases.
 *
 * Shared: the table, under its lock, which is taken with a pool's lock held, never the other way round.  Waiters of the
 * table are never freed, so a stale ticket is recognised and harmless.
 */
#ifndef TICKET_H
#define TICKET_H

#include <stdint.h>

struct waiter;
struct pool;

/* A waiter with a ticket for a pool; NULL without memory.  Given back with the pool's lock held or after the pool. */
struct waiter *ticket_take(struct pool *pool);
void ticket_give(struct waiter *waiter);

/* The waiter that once had this ticket, or NULL.  Whether it still has is only known under the lock of its pool. */
struct waiter *ticket_find(int64_t ticket);

void ticket_table_lock(void);
void ticket_table_unlock(void);

/* In the child after fork, under the lock: no ticket is valid any more. */
void ticket_table_reset(void);

#endif
