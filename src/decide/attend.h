/* SPDX-License-Identifier: MIT */
/*
 * Waiters for which an open or check is under way while they wait: those of POOL_STEP_DETACHED.
 *
 * Such a waiter keeps its place.  It takes what comes first, and what comes of its own work goes to the waiter whose
 * turn it is.  So a waiter may leave before its work has ended: the work is then left over, and the next waiter counts
 * on it instead of opening one more.  It does so for a time only, for what was left over may hang.
 *
 * Everything here is done under the pool's lock.
 */
#ifndef ATTEND_H
#define ATTEND_H

#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

struct outcome;
struct pool;
struct step;
struct waiter;

/* A waiter goes on waiting while the work of the step is done for it. */
void attend_begin(struct pool *pool, struct waiter *waiter, struct step *step, int64_t now);

/* Work for the waiter with this ticket has ended.  Returns the waiter, or NULL: it has left. */
struct waiter *attend_end(struct pool *pool, const struct outcome *outcome, int32_t work);

/* A waiter has left the queue: its work is left over. */
void attend_leave(struct pool *pool, struct waiter *waiter, int64_t now);

/* Whether a connection may be opened for a waiter that is queued: nothing is under way for it, and what is left over
   does not suffice for all such waiters; or it has nothing but a check that takes long. */
bool attend_may_open(struct pool *pool, const struct waiter *waiter, int64_t now);

/* The moment when a waiter that counts on such work looks again; 0: it does not. */
int64_t attend_again_at(struct pool *pool, const struct waiter *waiter, int64_t now);

/* An open has succeeded: what is left over is hopeful again. */
void attend_note_success(struct pool *pool);

/* The waiter whose turn it is, or NULL.  One for which something is under way is likely to be served by that: those for
   which nothing is come before it, but not for long. */
struct waiter *attend_next(struct pool *pool, int64_t now);

/* The first for which nothing is under way, or no check; or NULL. */
struct waiter *attend_first(struct pool *pool);
struct waiter *attend_first_unchecking(struct pool *pool, int64_t now);

/* Whether a check is under way for the waiter that does not take unusually long: it begins no other. */
bool attend_is_checking(const struct waiter *waiter, int64_t now);

#endif
