/* SPDX-License-Identifier: MIT */
/* Runs the vtable's callbacks for the work that a step asks for, and reports what came of it. */
#ifndef WORKER_H
#define WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

struct crew_turn;
struct step;

/* Does the work of a step and whatever follows from it.  Returns a lease if that was what the work was for, an error,
   or 0.  `cause` is NULL or receives why the last open or check failed. */
pool_lease_t worker_do(struct pool *pool, struct step *step, int64_t deadline_ns, bool lend, pool_error_t *cause);

/* All that a step says, where no get waits for its work. */
void worker_finish(struct pool *pool, struct step *step, int64_t deadline_ns);

/* Runs the closes and resets that gets have left, in a pool where nobody does that in the background. */
void worker_do_unclean(struct pool *pool);

/* Closes, checks, resets and opens what has to be in the background.  Returns whether it opened. */
bool worker_do_chores(struct pool *pool, bool for_waiters);

/* A turn of a worker thread: the chores. */
struct crew_turn worker_turn(struct pool *pool);

#endif
