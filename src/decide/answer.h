/* SPDX-License-Identifier: MIT */
/* What an asker gets: the one place that answers.  Everything here is done under the pool's lock. */
#ifndef ANSWER_H
#define ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

struct step;
struct waiter;

/* An asker: a thread before it queues, or a waiter in the queue. */
struct asking {
  struct waiter *waiter; /* NULL: has no place in the queue */
  bool told;             /* it is this waiter's turn, wherever it stands */
  bool wary;             /* has met a dead connection: rather opens than meets another */
  bool waits;            /* will queue if there is nothing now */
};

/* A lease; or 0 with work, which the asker does for itself; or an error; or 0 without work: it has to wait. */
pool_lease_t answer(struct pool *pool, const struct asking *asking, int64_t now, struct step *step);

/* The time of a get is over.  It may have been so short that no worker has begun for it: it leaves the wish for the
   next. */
void answer_wish(struct pool *pool, const struct waiter *waiter, struct step *step);

/* Whether a waiter whose open failed, or that meets an open breaker, has nothing to wait for. */
bool answer_is_hopeless(struct pool *pool, const struct waiter *waiter);

/* Whether a worker, not the asker itself, opens for it. */
bool answer_opens_elsewhere(const struct pool *pool, const struct waiter *waiter);

#endif
