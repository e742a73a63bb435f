/* SPDX-License-Identifier: MIT */
/*
 * Leases are not counted one by one, for that would cost every get a write.  The generation of a slot has grown by one
 * with each lease that ended, and by one with each piece of work that was reported and each lease that was given back
 * unused; those, which are seldom, are noted.
 */
#include "decide/uses.h"

void uses_count(struct pool *pool, pool_lease_t lease)
{
  struct slot *slot = slot_of(lease);
  int64_t before = slot_ended(slot, lease_generation(lease)) - atomic_load(&notes_of(slot)->unused);
  if (before + 1 < pool->config.max_uses)
    return;
  atomic_store(&notes_of(slot)->reason, POOL_REASON_USES);
  slot_flag_lease(slot, lease, DOOMED);
}
