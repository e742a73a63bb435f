/* SPDX-License-Identifier: MIT */
/* The ways of those that ask for a connection: a thread that may sleep, a ticket of the step API, an asynchronous get.
 */
#ifndef ASKER_H
#define ASKER_H

#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

#include "decide/waiter.h"

struct outcome;
struct step;

/* What a get of the step API was, once its ticket is gone. */
struct past {
  int64_t began_ns, since_ns; /* when it began, and came into the queue; 0: it did not */
  int64_t ended_ns;           /* 0: now */
  int64_t waited_ns;          /* how long it was in the queue; 0: not */
  int64_t busy_ns;            /* how long opens took that failed for it */
  bool at_once, starved;      /* as those of its waiter */
  pool_error_t error;
};

/* A lease that was taken without the lock, or 0 if the pool lends no more: closing and pausing must not be missed (I9).
   Fairness may be: it was looked at before, so each thread overtakes once at most. */
pool_lease_t asker_keep(struct pool *pool, pool_lease_t lease, struct step *step);

/* An idle connection, if nothing forbids it.  0 may come with work. */
pool_lease_t asker_take_idle(struct pool *pool, struct step *step);

/* Begins or continues a get, without a place in the queue or with one.  A lease; or 0 with work, or with the waiter
   queued; or an error.  The caller has found nothing with asker_take_idle().  A wary get has met a dead connection and
   rather opens than meets another; one that waits will queue if there is nothing now. */
pool_lease_t asker_begin(struct pool *pool, bool wary, bool waits, struct step *step);

/* Begins a get that will queue if its open takes long, where none queues and nothing was left over: a lease, or 0 with
   work.  Or 0 without: it has to queue. */
pool_lease_t asker_begin_alone(struct pool *pool, struct step *step);

/* Asks for an open for nobody in particular.  0 with work, or why there is none. */
int asker_open(struct pool *pool, struct step *step);

pool_lease_t asker_wait(struct pool *pool, struct waiter *waiter, struct step *step);

/* A waiter with a ticket; NULL without memory.  It keeps the pool from being recycled until it is given up. */
struct waiter *asker_take_ticket(struct pool *pool, enum waiter_kind kind, int64_t deadline_ns);
void asker_give_ticket(struct pool *pool, struct waiter *waiter);

/* Begins the wait of a ticket of a get that has taken a connection which is to be checked.  0; or an error, and then
   the ticket is given up and the check is for nobody in particular. */
pool_lease_t asker_join(struct pool *pool, struct waiter *waiter, struct step *step, struct past *past);

/* Begins the wait of a get that began alone and whose open is under way: 0 with step->attended, its ticket; or an
   error, and then it is over and its open was left over; or POOL_E_STALE: the open has just been reported.  *past is
   filled in unless the result is that. */
pool_lease_t asker_join_open(struct pool *pool, pool_lease_t claim, struct step *step, struct past *past);

/* asker_begin for a ticket: tests it and, when it has come to its end, gives it up, all at one moment.  *past is
   filled in unless the result is POOL_E_STALE. */
pool_lease_t asker_begin_ticket(struct pool *pool, int64_t ticket, struct step *step, struct past *past);

/* The same for a get that comes, with a ticket that it takes.  step->ticket: it waits.  False without memory. */
bool asker_begin_queued(struct pool *pool, int64_t timeout_ms, struct step *step, struct past *past,
                        pool_lease_t *result);

/* Under the lock: a get of the step API whose open failed goes on waiting, if something may still come: 0 with
   step->ticket; or an error. */
pool_lease_t asker_wait_on(struct pool *pool, const struct outcome *outcome, struct step *step);

/* Ends a ticket of the step API.  The lease that it was being given, or an error: POOL_E_CANCELLED, POOL_E_TIMEOUT if
   its time was over, or how its wait had ended before.  Unless that is POOL_E_STALE, *past is filled in, and *pool is
   kept until life_get_end(). */
pool_lease_t asker_cancel_ticket(int64_t ticket, struct pool **pool, struct past *past, struct step *step);

/* Ends a ticket of an asynchronous get; its callback will be told.  *lease is what it was being given, or 0.  0, with
 *pool, or POOL_E_STALE. */
int asker_cancel_async(int64_t ticket, struct pool **pool, pool_lease_t *lease, struct step *step);

/* Takes out a waiter whose thread is cancelled while it sleeps.  Returns the lease that it was being given, or 0. */
pool_lease_t asker_cancel_wait(struct pool *pool, struct waiter *waiter, struct step *step);

/* Queues an asynchronous waiter.  0 or an error. */
int asker_enqueue(struct pool *pool, struct waiter *waiter, struct step *step);

/* Copies the next asynchronous waiter whose callback is due, and gives up its ticket; false: none is, and *due_ns is
   when to look again. */
bool asker_next_settled(struct pool *pool, struct waiter *copy, int64_t *due_ns, struct step *step);

/* A get that left the queue to open or check has its lease: that is how its wait ended. */
void asker_count_wait(struct pool *pool, struct waiter *waiter);

#endif
