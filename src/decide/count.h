/* SPDX-License-Identifier: MIT */
/*
 * What a pool counts of its gets: each ends in exactly one count.  A get that succeeded is counted at no cost, by the
 * generation of its slot; one that failed is counted here, when its asker is told, by the code that it is told.
 */
#ifndef COUNT_H
#define COUNT_H

#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

/* A get ended with an error; `at_once`: because the breaker refused it, or it had no time to wait.  The second is under
   the lock. */
void count_failed_get(struct pool *pool, pool_lease_t code, bool at_once);
void count_failed_get_locked(struct pool *pool, pool_lease_t code, bool at_once);

/* A lease that its get takes back at once is not counted as lent: before it ends, and if it could not be ended. */
void count_vain_lease(struct pool *pool);
void count_no_vain_lease(struct pool *pool);

/* How many leases have ended; `generations` is by how much those of all slots have grown.  Under the lock. */
int64_t count_lent(struct pool *pool, int64_t generations);

/* A pool begins, or begins anew in a child of fork.  Under the lock. */
void count_reset(struct pool *pool);

/* A connection was closed.  Under the lock. */
void count_close(struct pool *pool, int32_t reason, bool succeeded);

/* How many places are taken, and how many library threads the pool has. */
int32_t count_open(struct pool *pool, int32_t *threads);

/* How many connections are in use, under the lock: lent, with a call under way, being opened, checked, reset or closed.
 */
int32_t count_busy(struct pool *pool);

/* Whether it has neither connections nor gets, those with a ticket among them.  Under the lock. */
bool count_is_unused(const struct pool *pool);

/* Whether whatever is open is lent to one thread, and no call is under way on it. */
bool count_is_held_by(struct pool *pool, int32_t thread);

/* The lease that is out for longest, as far as is known. */
struct oldest {
  int64_t held_ns; /* 0: none is out, or that was seen for the first time */
  char tag[48];    /* the beginning of its tag, or "" */
};

/* What a look at all slots found.  A connection is good if nothing says that it is not. */
struct seen {
  int64_t lent;
  int32_t idle, good_idle, leased, good_leased;
  struct oldest oldest;
};

/* Looks, and notes which leases are out.  Under the lock, which it keeps. */
void count_see(struct pool *pool, struct seen *seen);

/* Everything that pool_stats() tells, and what the look at the slots found.  Under the lock, which it keeps. */
void count_all(struct pool *pool, struct seen *seen, pool_stats_t *stats);

/* Forgets how long things took, and gives the memory for that back. */
void count_reset_times(struct pool *pool);

#endif
