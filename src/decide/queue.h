/* SPDX-License-Identifier: MIT */
/* Whose turn it is.  Everything here is done under the pool's lock, but for what takes it itself: queue_tell(),
   queue_tell_tickets(), queue_serve_unlocked() and queue_hope_less(). */
#ifndef QUEUE_H
#define QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

struct slot;
struct step;
struct waiter;

/* How many waits are ended, or threads named, at most while the lock is held once. */
#define TOLD_AT_ONCE 64

/* Brings `attention` up to date with the queue. */
void queue_refresh(struct pool *pool, int64_t now);

/* A waiter is to be woken: the first thread is named in the step, others and tickets wait in the pool's list `told`
   until the lock is left. */
void queue_wake(struct pool *pool, struct waiter *waiter, struct step *step);

/* A wait has ended with a lease: counts it, once. */
void queue_count_wait(struct pool *pool, struct waiter *waiter, int64_t waited_ns);

/* Takes a waiter out of the queue and leaves its outcome for it to fetch. */
void queue_settle(struct pool *pool, struct waiter *waiter, pool_lease_t outcome, int64_t now);

/* A worker's open failed: refuses those that it was for, whose waits began before a moment. */
void queue_refuse_older(struct pool *pool, const pool_error_t *error, int64_t moment);

/* Ends all waits, some at a time.  False: none was left, and no waiter is to be told any more. */
bool queue_end(struct pool *pool, int code, struct step *step);

/* Ends the waits that began before a moment, at most TOLD_AT_ONCE; returns how many. */
int32_t queue_evict(struct pool *pool, int64_t moment, struct step *step);

/* Ends waits that are over and names threads to be woken, after the lock: fills `signals` and returns how many.  What a
   signal points to may be gone by then; to wake it does not read it.  step->tells: there are more. */
int32_t queue_tell(struct pool *pool, _Atomic uint32_t *signals[TOLD_AT_ONCE], struct step *step);

/* The tickets that a step names: one to be woken, one that got a lease and is over (POOL_STEP_HANDS); 0: none. */
struct news {
  int64_t wake;
  int64_t given_to;
  pool_lease_t given;
  int64_t took_ns;   /* that get */
  int64_t waited_ns; /* and its time in the queue */
};

/* The same for a pool of the step API: takes the next tickets from the list. */
void queue_tell_tickets(struct pool *pool, struct news *news, struct step *step);

/* Ends the waits of asynchronous waiters that are over, some at a time.  Returns when the next is: perhaps already. */
int64_t queue_expire_asynchronous(struct pool *pool, struct step *step);

/* Gives what there is to the next waiter: hands a connection over, or tells it to look. */
void queue_serve(struct pool *pool, struct step *step);
void queue_serve_unlocked(struct pool *pool, struct step *step);

/* A connection that waiters may have hoped for will not come to them. */
void queue_hope_less(struct pool *pool, struct step *step);

/* Begins or continues a wait. */
pool_lease_t queue_begin(struct pool *pool, struct waiter *waiter, struct step *step);

/* Begins the wait of a ticket for which the step's check is made meanwhile.  0 or an error. */
pool_lease_t queue_join(struct pool *pool, struct waiter *waiter, struct step *step);

/* Lends the connection that has come to the next waiter; false: none waits.  Its slot's owner calls this. */
bool queue_hand(struct pool *pool, struct slot *slot, uint64_t clear, struct step *step);

/* The open of a waiter that is queued failed. */
void queue_refuse(struct pool *pool, struct waiter *waiter, const pool_error_t *error, struct step *step);

/* Begins the wait of a ticket whose open failed.  0, POOL_E_CLOSED or POOL_E_OPEN. */
pool_lease_t queue_wait_on(struct pool *pool, struct waiter *waiter, struct step *step);

/* Begins the wait of an asynchronous waiter.  0 or an error. */
int queue_enter_asynchronous(struct pool *pool, struct waiter *waiter, struct step *step);

#endif
