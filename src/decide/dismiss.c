/* SPDX-License-Identifier: MIT */
#include "decide/dismiss.h"

#include <stdatomic.h>

#include <pool/pool.h>

#include "slot/notes.h"
#include "slot/slot.h"
#include "decide/step.h"

int32_t dismiss_reason(struct slot *slot)
{
  int32_t reason = atomic_load(&notes_of(slot)->reason);
  return reason ? reason : POOL_REASON_UNUSABLE;
}

void dismiss(struct slot *slot, int32_t reason, struct step *step)
{
  uint64_t word = slot_word(slot);
  do
    if (slot_has_calls(word)) /* the last of them may end at once, and asks why */
      atomic_store(&notes_of(slot)->reason, (uint8_t)reason);
  while (!slot_begin_close(slot, &word));
  if (state_of(word) != CLOSING)
    return;
  atomic_store(&notes_of(slot)->reason, (uint8_t)reason);
  step_ask(step, POOL_WORK_CLOSE, reason, slot, word);
}

bool dismiss_idle(struct slot *slot, uint64_t word, int32_t reason, struct step *step)
{
  if (!slot_take_idle(slot, word))
    return false;
  dismiss(slot, reason, step);
  return true;
}
