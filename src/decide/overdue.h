/* SPDX-License-Identifier: MIT */
/* Whether a connection that was idle may be lent without a look at the server. */
#ifndef OVERDUE_H
#define OVERDUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

#include "base/clock.h"
#include "slot/notes.h"
#include "slot/slot.h"
#include "decide/pool.h"

/* Whether a connection that was lent on the fast path may have been idle for too long, or be too old.  Of a pool that
   limits that. */
static inline bool overdue_is_doubtful(struct pool *pool, pool_lease_t lease)
{
  struct notes *notes = notes_of(slot_of(lease));
  /* Relaxed, for the lease's own compare-and-swap came before, and an older moment is one that was trusted as well. */
  int64_t until = atomic_load_explicit(&notes->trusted_until, memory_order_relaxed);
  return (uint64_t)(until - clock_wall(pool->coarse) - 1) >= (uint64_t)pool->trust_ns;
}

enum verdict { IN_TIME, TO_BE_CHECKED, TO_BE_CLOSED };

/* How long what was lent is trusted not to be overdue; 0: nothing limits by time what a pool may lend. */
int64_t overdue_trust_ns(const pool_config_t *config);

/* Whether clock_wall() may be coarse for that. */
bool overdue_may_be_coarse(const pool_config_t *config);

/* The connection was lent or opened right now, by the caller, and is not overdue. */
void overdue_trust(struct pool *pool, struct slot *slot);

/* Since when a connection that was idle until now, with this word, has been so at most; the same of one that is lent,
   where the lease was not used.  Such a lease leaves it as idle as it was. */
int64_t overdue_idle_since(struct pool *pool, struct slot *slot, uint64_t word);
int64_t overdue_unused_since(struct pool *pool, struct slot *slot, uint64_t word);
void overdue_was_unused(struct slot *slot, uint64_t word, int64_t since);

/* What must be done before a connection that was idle until now, with this word, may be lent.  `taken`: it is LEASED
   already, and its owner asks. */
enum verdict overdue_judge(struct pool *pool, struct slot *slot, uint64_t word, bool taken, int32_t *reason);

#endif
