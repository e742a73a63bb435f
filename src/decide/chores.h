/* SPDX-License-Identifier: MIT */
/* Work that nobody in particular asked for. */
#ifndef CHORES_H
#define CHORES_H

#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

#include "decide/pool.h"

struct step;

/* How many opens, and how many other chores, are done in the background at one time: one kind that hangs does not hold
   up the other. */
static inline int32_t chores_hands(const struct pool *pool)
{
  return pool->config.openers > 0 ? pool->config.openers : 1;
}

/* A chore that was no open has ended. */
void chores_done(struct pool *pool);

/* How many threads would find something to do now, those that do something already among them.  Under the lock. */
int32_t chores_hands_wanted(struct pool *pool);

/* What is to be done in the background: a reset, what a look or a flush has marked (`cursor` goes over the slots), an
   open for gets that do not open themselves.  False if there is nothing. */
bool chores_next(struct pool *pool, struct scan *cursor, bool for_waiters, struct step *step);

/* No thread can be had to open for those that wait. */
void chores_open_failed(struct pool *pool, const pool_error_t *error, struct step *step);

/* The open of a worker, which began at a moment, has ended.  If it failed (code is not 0) and nothing else may come,
   so do the waits that it was for. */
void chores_open_done(struct pool *pool, int code, const pool_error_t *error, int64_t began, struct step *step);

/* Work of a pool that nobody in particular was given.  False if there is none; of idle slots, none from the cursor on,
   which is zeroes in the first call. */
bool chores_next_unasked(struct pool *pool, struct scan *cursor, struct step *step);

#endif
