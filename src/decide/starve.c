/* SPDX-License-Identifier: MIT */
#include "decide/starve.h"

#include <stdatomic.h>

#include <pool/pool.h>

#include "base/clock.h"
#include "slot/idle.h"
#include "slot/slot.h"
#include "decide/pool.h"
#include "decide/room.h"
#include "decide/waiter.h"

/* Where more threads wait, or more connections are open, it is not searched whether all of them wait for each other. */
#define STARVATION_LIMIT 256

/* A waiter without a deadline that seems to starve looks again after this, and is told. */
#define STARVED_AFTER_NS INT64_C(10000000000)

bool starve_concerns(const struct pool *pool, const struct waiter *waiter)
{
  assert_locked(pool);
  return waiter->kind == WAITER_THREAD || (waiter->kind == WAITER_TICKET && pool->tickets_block);
}

static bool waits(struct pool *pool, int32_t thread)
{
  for (struct waiter *waiter = pool->queue.first; waiter; waiter = waiter->next)
    if (starve_concerns(pool, waiter) && waiter->thread == thread)
      return true;
  return false;
}

static bool is_held_by_other(pool_lease_t lease, int32_t thread)
{
  return lease && slot_is_lease(slot_word(slot_of(lease)), lease) && atomic_load(&slot_of(lease)->holder) != thread;
}

/* Whether every connection is held by a thread that waits here.  *generations is how far all slots have come: it grows
   with each lease that ends.  One lease whose holder does not wait is remembered: as long as it is out, and its holder
   does not come to wait, nothing needs to be searched. */
static bool starves(struct pool *pool, int32_t thread, uint64_t *generations)
{
  bool holds_one = false;
  *generations = 0;
  if (is_held_by_other(pool->starving.witness, thread) || pool->queue.length > STARVATION_LIMIT ||
      pool->room.open > STARVATION_LIMIT)
    return false;
  struct scan scan = scan_all(&pool->rows);
  for (struct slot *slot; (slot = scan_next(&scan));) {
    uint64_t word = slot_word(slot);
    *generations += word & GENERATION_MASK;
    if (state_of(word) == EMPTY)
      continue;
    pool->starving.witness = lease_of(slot, word);
    int32_t holder = atomic_load(&slot->holder);
    if (state_of(word) != LEASED || !waits(pool, holder))
      return false;
    holds_one = holds_one || holder == thread;
  }
  pool->starving.witness = 0;
  return holds_one;
}

void starve_suspect(struct pool *pool, struct waiter *waiter)
{
  assert_locked(pool);
  uint64_t generations;
  if (!starve_concerns(pool, waiter) || room_permits(pool, false) || !starves(pool, waiter->thread, &generations))
    return;
  for (struct waiter *each = pool->queue.first; each; each = each->next)
    each->starving = true;
  if (pool->starving.generations != generations || pool->starving.since_ns == 0)
    pool->starving.since_ns = clock_now();
  pool->starving.generations = generations;
}

/* Where there are too few connections for the waiters, one may be late although leases came back until a moment ago. */
static bool has_evidence(struct pool *pool, const struct waiter *waiter)
{
  uint64_t generations;
  int64_t now = clock_now();
  return starves(pool, waiter->thread, &generations) && generations == pool->starving.generations &&
         now - pool->starving.since_ns >= (now - waiter->since_ns) / 2;
}

bool starve_find(struct pool *pool, struct waiter *waiter)
{
  assert_locked(pool);
  if (!waiter->starving || !has_evidence(pool, waiter)) {
    waiter->starving = false;
    return false;
  }
  for (struct waiter *each = pool->queue.first; each; each = each->next) {
    each->starving = false;
    each->starved = true;
  }
  pool->counts.starved++;
  return true;
}

int64_t starve_at(const struct pool *pool, const struct waiter *waiter)
{
  assert_locked(pool);
  if (!waiter->starving || waiter->deadline_ns != POOL_NO_DEADLINE)
    return 0;
  int64_t since = waiter->since_ns > pool->starving.since_ns ? waiter->since_ns : pool->starving.since_ns;
  return since + STARVED_AFTER_NS;
}
