/* SPDX-License-Identifier: MIT */
/* How an idle slot is lent. */
#ifndef LEND_H
#define LEND_H

#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

#include "decide/overdue.h"
#include "decide/pool.h"

struct step;

/* Begins the check of a slot, if it still is what it was when the caller saw it. */
bool lend_to_check(struct pool *pool, struct slot *slot, uint64_t *word, struct step *step);

/* A connection that is to be checked, or was, may have come to its end meanwhile: a check does not make it young. */
bool lend_is_over(struct pool *pool, struct slot *slot, uint64_t word, int32_t *reason);

/* A lease of a connection that was idle until right now.  Returns it; or 0 if it must not be lent as it is, with work
   if there is something to do. */
pool_lease_t lend_examine(struct pool *pool, pool_lease_t lease, struct step *step);

/* Lends an idle slot of the pool: any, with work where it must be checked or closed first; or only one that needs no
   work.  0: there is none. */
pool_lease_t lend_any(struct pool *pool, struct step *step);
pool_lease_t lend_clean(struct pool *pool, struct step *step);

/* The same of this slot, if it is still the pool's. */
pool_lease_t lend_slot_clean(struct pool *pool, struct slot *slot, struct step *step);

/* Notes which thread holds a lease that it did not hold last; and since when, if it is timed or told of. */
void lend_note(pool_lease_t lease);

/* A lease that was taken on a fast path: returned if its connection is certainly not overdue, else examined. */
static inline pool_lease_t lend_confirm(struct pool *pool, pool_lease_t lease, struct step *step)
{
  return lease && pool->trust_ns && overdue_is_doubtful(pool, lease) ? lend_examine(pool, lease, step) : lease;
}

#endif
