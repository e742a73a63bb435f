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
  uint64_t word = atomic_load(&slot->word);
  for (;;) {
    bool busy = word & CALL_MASK;
    uint64_t next = (word & ~(STATE_MASK | AWAITED | DUE)) | DOOMED | (busy ? AWAITED | RETURNING : CLOSING);
    if (busy)
      atomic_store(&notes_of(slot)->reason, (uint8_t)reason);
    if (atomic_compare_exchange_weak(&slot->word, &word, next)) {
      if (!busy) {
        atomic_store(&notes_of(slot)->reason, (uint8_t)reason);
        step_ask(step, POOL_WORK_CLOSE, reason, slot, next);
      }
      return;
    }
  }
}

bool dismiss_idle(struct slot *slot, uint64_t word, int32_t reason, struct step *step)
{
  while (state_of(word) == IDLE) {
    uint64_t generation = word & GENERATION_MASK;
    if (atomic_compare_exchange_weak(&slot->word, &word, (word & ~(STATE_MASK | RESTING)) | CLOSING)) {
      dismiss(slot, reason, step);
      return true;
    }
    if ((word & GENERATION_MASK) != generation)
      return false;
  }
  return false;
}
