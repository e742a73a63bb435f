/* SPDX-License-Identifier: MIT */
#include "decide/hold.h"

#include <stdatomic.h>
#include <stdint.h>

#include "slot/slot.h"
#include "decide/dismiss.h"
#include "decide/give.h"
#include "decide/pool.h"
#include "decide/queue.h"
#include "decide/step.h"
#include "decide/suspect.h"

int hold_begin(struct slot *slot, pool_lease_t lease)
{
  uint64_t word = atomic_load(&slot->word);
  uint64_t next;
  do {
    if ((word & GENERATION_MASK) != lease_generation(lease) || state_of(word) != LEASED)
      return POOL_E_STALE;
    if ((word & CALL_MASK) == CALL_MASK)
      return POOL_E_OVERLOAD;
    next = word + CALL_ONE;
    next |= next & CALL_MANY ? RESTING : 0; /* so that no fast path compares with it (slot.h) */
  } while (!atomic_compare_exchange_weak(&slot->word, &word, next));
  return 0;
}

void hold_end(struct slot *slot, bool broken, struct step *step)
{
  *step = (struct step){0};
  struct pool *pool = slot_pool(slot);
  if (broken)
    suspect_all(pool, step);
  uint64_t word = atomic_load(&slot->word);
  uint64_t next;
  bool last;
  do {
    next = (word - CALL_ONE) | (broken ? DOOMED : 0);
    last = (word & AWAITED) && !(next & CALL_MASK);
    if (last)
      next &= ~AWAITED;
  } while (!atomic_compare_exchange_weak(&slot->word, &word, next));
  if (last)
    give_finish(slot, step);
  else if (broken && state_of(next) == IDLE)
    dismiss_idle(slot, next, dismiss_reason(slot), step);
  if (broken && !last)
    queue_hope_less(pool, step);
}
