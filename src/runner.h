/* SPDX-License-Identifier: MIT */
/* The C runner does what the engine decides: it runs the vtable's callbacks, lets threads sleep, and wakes them. */
#ifndef RUNNER_H
#define RUNNER_H

#include "engine.h"

/* Wakes whom a step names, and sends for openers. */
void runner_wake(struct pool *pool, const struct step *step);

/* Notes who holds a lease that he did not hold last, and since when, if it is timed or told of. */
void runner_note(pool_lease_t lease);

/* Does the work of a step and whatever follows from it.  Returns a lease if that was what the work was for, an error,
   or 0.  `cause` is NULL or receives why the last open or check failed. */
pool_lease_t runner_work(struct pool *pool, struct step *step, int64_t deadline_ns, bool lend, pool_error_t *cause);

/* Runs the closes and resets that gets have left, in a pool where nobody does that in the background. */
void runner_do_unclean(struct pool *pool);

/* Marks that this thread is inside a callback of a pool, so that a close that would wait for itself is recognised;
   until it leaves, it is not cancelled. */
struct callback {
  int cancel_state;
  const struct pool *pool;
  const struct callback *outer;
};
void runner_enter(struct callback *callback, const struct pool *pool);
void runner_leave(struct callback *callback);
bool runner_is_inside(const struct pool *pool);

/* The time of a get that was nobody's thread is over: POOL_E_TIMEOUT, with why an open for it failed last, if one did
   (`own`), or why nobody opened. */
int runner_timed_out(struct pool *pool, const pool_error_t *own);

/* The breaker is open: POOL_E_OPEN, with the message of the last open that failed. */
int runner_fail_fast(struct pool *pool);

#endif
