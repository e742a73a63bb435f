/* SPDX-License-Identifier: MIT */
#include "decide/hold.h"

#include <stdint.h>

#include "slot/slot.h"
#include "decide/dismiss.h"
#include "decide/give.h"
#include "decide/pool.h"
#include "decide/step.h"
#include "decide/suspect.h"

void hold_end(struct slot *slot, bool broken, struct step *step)
{
  *step = (struct step){0};
  struct pool *pool = slot_pool(slot);
  if (broken)
    suspect_all(pool, step);
  bool last;
  uint64_t word = slot_end_call(slot, broken ? DOOMED : 0, &last);
  if (last)
    give_finish(slot, step);
  else if (broken && state_of(word) == IDLE)
    dismiss_idle(slot, word, dismiss_reason(slot), step);
  if (broken && !last)
    give_serve(pool, slot, word, step); /* what held the pool for this call is gone (I5) */
}
