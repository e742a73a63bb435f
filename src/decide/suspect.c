/* SPDX-License-Identifier: MIT */
#include "decide/suspect.h"

#include <stdatomic.h>

#include <pool/pool.h>

#include "slot/idle.h"
#include "slot/notes.h"
#include "slot/slot.h"
#include "decide/overdue.h"
#include "decide/pool.h"
#include "decide/step.h"

/* Whether an idle connection would have been checked before its next lease, or in the background by now, whether or not
   somebody has marked it so. */
static bool is_suspect(struct pool *pool, struct slot *slot, uint64_t word)
{
  int32_t reason;
  if ((word & DUE) || atomic_load(&notes_of(slot)->wants_check) != CHECK_NONE)
    return true;
  return pool->trust_ns && overdue_is_doubtful(pool, lease_of(slot, word)) &&
         overdue_judge(pool, slot, word, false, &reason) == TO_BE_CHECKED;
}

void suspect_condemn(struct pool *pool, int64_t newest, struct step *step)
{
  struct scan scan = scan_begin(&pool->rows);
  for (struct slot *slot; (slot = scan_next(&scan));) {
    uint64_t word = slot_word(slot);
    bool marked = false, suspect = false;
    while (slot_is_lendable(word) && atomic_load(&slot->connection) <= newest && !marked) {
      if ((suspect = is_suspect(pool, slot, word)))
        atomic_store(&notes_of(slot)->reason, POOL_REASON_CHECK);
      marked = slot_raise(slot, &word, suspect ? DOOMED : DUE);
    }
    if (marked && suspect) {
      atomic_store(&pool->chores.marked, true);
      step->worker_wanted = true;
    }
  }
  atomic_store(&pool->suspicion.lasts, false);
}

void suspect_all(struct pool *pool, struct step *step)
{
  if (!pool->can_check)
    return;
  struct scan scan = scan_begin(&pool->rows);
  for (struct slot *slot; (slot = scan_next(&scan));) {
    uint64_t word = slot_word(slot);
    while (state_of(word) == IDLE && !(word & DUE) && scan_owns(&scan, slot) && !slot_raise(slot, &word, DUE))
      ;
  }
  /* In the background one after the other: the first that turns out to be dead speaks for the others.  Where each is
     checked before it is lent there is no need, and no end: they are always suspect. */
  if (pool->needs_watch && !pool->checks_all)
    atomic_store(&pool->suspicion.lasts, suspect_next(pool, step));
}

bool suspect_next(struct pool *pool, struct step *step)
{
  struct scan scan = scan_begin(&pool->rows);
  for (struct slot *slot; (slot = scan_next(&scan));) {
    uint64_t word = slot_word(slot);
    if (!slot_is_lendable(word) || !(word & DUE) || !scan_owns(&scan, slot) ||
        atomic_exchange(&notes_of(slot)->wants_check, CHECK_SUSPECT))
      continue;
    atomic_store(&pool->chores.marked, true);
    step->worker_wanted = true;
    return true;
  }
  return false;
}
