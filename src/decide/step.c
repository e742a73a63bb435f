/* SPDX-License-Identifier: MIT */
#include "decide/step.h"

#include "slot/slot.h"
#include "decide/pool.h"

void step_ask(struct step *step, int32_t work, int32_t reason, struct slot *slot, uint64_t word)
{
  step->work = work;
  step->reason = reason;
  step->slot = slot;
  step->claim = lease_of(slot, word);
}

void step_want_keeper(struct pool *pool, struct step *step)
{
  atomic_fetch_add(&pool->keeper_signal, 1);
  step->keeper_wanted = true;
}

void step_notice(struct pool *pool, struct step *step)
{
  if (atomic_load(&pool->looks.resting) && atomic_exchange(&pool->looks.resting, false))
    step_want_keeper(pool, step);
}

void step_tell_drainers(struct pool *pool, struct step *step)
{
  atomic_fetch_add(&pool->drain_signal, 1);
  step->drained = &pool->drain_signal;
}
