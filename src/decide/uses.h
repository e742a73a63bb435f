/* SPDX-License-Identifier: MIT */
/* How often a connection may be lent. */
#ifndef USES_H
#define USES_H

#include <pool/pool.h>

#include "slot/notes.h"
#include "decide/pool.h"

/* A lease begins: if it is the last that max_uses allows, its return closes the connection.  By the thread that got it;
   once more does no harm. */
void uses_count(struct pool *pool, pool_lease_t lease);

static inline void uses_see(struct pool *pool, pool_lease_t lease)
{
  if (pool->config.max_uses > 0)
    uses_count(pool, lease);
}

/* The generation of a slot has grown, but no lease has ended that anybody used.  By the slot's owner.  Where leases are
   not counted the notes are left alone: pages of theirs that nobody writes take no memory. */
static inline void uses_skip(const struct pool *pool, struct slot *slot)
{
  if (pool->config.max_uses <= 0)
    return;
  struct notes *notes = notes_of(slot);
  atomic_store(&notes->unused, atomic_load(&notes->unused) + 1);
}

#endif
