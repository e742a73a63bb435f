/* SPDX-License-Identifier: MIT */
/* The library's own threads: started when something is wanted, woken, and ended when nothing is. */
#ifndef CREW_H
#define CREW_H

#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

#include "decide/pool.h"
#include "decide/step.h"

/* Whether the program, not a thread of the library, does the chores: all but opening for asynchronous waiters, since
 * a program with an event loop cannot wait for a server. */
bool crew_leaves_chores(const struct pool *pool);

/* The word that a thread sleeps on. */
static inline _Atomic uint32_t *crew_signal(struct pool *pool, enum crew_role role)
{
  return role == CREW_KEEPER ? &pool->keeper_signal : &pool->worker_signal;
}

/* Somebody must act for asynchronous waiters: makes sure that the keeper runs.  0 or POOL_E_SYSTEM. */
int crew_want_keeper(struct pool *pool);

/* Where time matters, somebody must keep it from now on, and look at the latest at a certain moment. */
void crew_need_keeper(struct pool *pool, int64_t due_ns);

/* The keeper shall look: its signal was changed. */
void crew_wake_keeper(struct pool *pool);

/* The program of a pool shall look, if it watches the pool's descriptor, or that of its group. */
void crew_ring(struct pool *pool);

/* The pool was closed: its threads shall end. */
void crew_stop(struct pool *pool);

/* An open is wanted that no caller does itself: makes sure that a worker looks. */
void crew_want_worker(struct pool *pool);

/* Threads that could not be started are tried again, once in a while. */
void crew_start_again(struct pool *pool);

void crew_finish_some(struct pool *pool, const struct step *step);

/* What a step says beside its work: wakes those that it names, sends for workers, and tells what is to be told.  The
   one place that looks at its flags; for a pool of the step API that is pool_step_t. */
static inline void crew_finish(struct pool *pool, const struct step *step)
{
  if (step->signal || step->worker_wanted || step->keeper_wanted || step->drained || step->tells ||
      step->breaker_opened || step->breaker_closed || step->starved || step->budget)
    crew_finish_some(pool, step);
}

#endif
