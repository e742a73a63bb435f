/* SPDX-License-Identifier: MIT */
/*
 * Shared without a lock: the words of the slots (slot.h), the hints (idle.h) and `attention`.
 *
 * A flush raises DOOMED on the word of every slot that has or will have a connection.  The owner of a slot at that
 * moment meets the flag at the compare-and-swap by which it would lend it or make it idle; so what was there before the
 * flush is not lent after it.
 */
#include "decide/lend.h"

#include <stdatomic.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/thread.h"
#include "slot/idle.h"
#include "slot/notes.h"
#include "slot/slot.h"
#include "decide/attention.h"
#include "decide/dismiss.h"
#include "decide/overdue.h"
#include "decide/pool.h"
#include "decide/step.h"
#include "decide/uses.h"

/* While the breaker is open, connections that are suspect are checked one at a time: not every get has to meet one that
   hangs. */
static bool may_check(struct pool *pool)
{
  return !(attention_of(pool) & ATTENTION_TRIPPED) || !atomic_exchange(&pool->suspicion.probing, true);
}

bool lend_to_check(struct pool *pool, struct slot *slot, uint64_t *word, struct step *step)
{
  bool begun = slot_begin_check(slot, word);
  if (begun)
    step_ask(step, POOL_WORK_CHECK, POOL_REASON_NONE, slot, *word);
  else
    atomic_store(&pool->suspicion.probing, false);
  return begun;
}

bool lend_is_over(struct pool *pool, struct slot *slot, uint64_t word, int32_t *reason)
{
  bool taken = state_of(word) != IDLE;
  return pool->trust_ns && overdue_judge(pool, slot, word, taken, reason) == TO_BE_CLOSED;
}

/* A connection was taken that has been idle until now.  One that is overdue is not lent: its check or close is to be
   done first. */
pool_lease_t lend_examine(struct pool *pool, pool_lease_t lease, struct step *step)
{
  int32_t reason;
  struct slot *slot = slot_of(lease);
  enum verdict verdict = overdue_judge(pool, slot, lease_generation(lease), true, &reason);
  if (verdict == IN_TIME) {
    overdue_trust(pool, slot);
    return lease;
  }
  if (verdict == TO_BE_CHECKED)
    step_ask(step, POOL_WORK_CHECK, POOL_REASON_NONE, slot, slot_move(slot, 0, LENT_AS, CHECKING));
  else
    dismiss(slot, reason, step);
  step_want_keeper(pool, step); /* others may be overdue, too, and the keeper late */
  return 0;
}

/* A check was begun for a get, and a pause came too early to count it: it is not made.  The thread that holds the lock
   has looked for a pause already, and does not come here.  Nobody is served: during a pause nothing is lent. */
static void take_check_back(struct pool *pool, struct slot *slot, struct step *step)
{
  step->work = POOL_WORK_NONE;
  step->claim = 0;
  step->slot = NULL;
  atomic_store(&pool->suspicion.probing, false);
  uint64_t word = slot_move(slot, DUE, 0, IDLE);
  idle_mark(slot);
  step_notice(pool, step);
  if (word & DOOMED)
    dismiss_idle(slot, word, dismiss_reason(slot), step);
  else if (attention_closed(pool))
    dismiss_idle(slot, word, POOL_REASON_CLOSED, step);
  else
    step->restored = true;
}

/* Lends an idle slot.  0: it is not idle, or suspect while another is being checked; or it must be checked or closed
   first, and then step->work says so. */
static pool_lease_t lend_slot(struct pool *pool, struct slot *slot, struct step *step)
{
  int32_t reason;
  uint64_t word = slot_word(slot);
  while (state_of(word) == IDLE && slot_is_of(slot, pool)) {
    if (word & DOOMED) {
      dismiss_idle(slot, word, dismiss_reason(slot), step);
      return 0;
    }
    if (word & DUE) {
      if (lend_is_over(pool, slot, word, &reason)) {
        dismiss_idle(slot, word, reason, step);
        return 0;
      }
      if (!may_check(pool))
        return 0;
      if (lend_to_check(pool, slot, &word, step)) {
        if (attention_of(pool) & ATTENTION_PAUSED)
          take_check_back(pool, slot, step);
        else
          step_notice(pool, step);
        return 0;
      }
    } else if (slot_lend(slot, &word, pool->lend)) {
      if (word & RESTING)
        step_notice(pool, step);
      return lend_confirm(pool, lease_of(slot, word), step);
    }
  }
  return 0;
}

/* One try to mark what is overdue for a thread that has the time: that checks it, or closes it if it is too old for a
   check.  Where nothing can be checked it is to be closed. */
static bool mark_overdue(struct pool *pool, struct slot *slot, uint64_t *word, int32_t reason, struct step *step)
{
  if (pool->can_check)
    return slot_raise(slot, word, DUE);
  atomic_store(&notes_of(slot)->reason, (uint8_t)reason);
  if (!slot_raise(slot, word, DOOMED))
    return false;
  atomic_store(&pool->chores.marked, true);
  step->worker_wanted = true;
  return true;
}

/* The same for another asker, or for one that is wary: only what needs no work. */
pool_lease_t lend_slot_clean(struct pool *pool, struct slot *slot, struct step *step)
{
  int32_t reason;
  uint64_t word = slot_word(slot);
  while (state_of(word) == IDLE && !(word & (DOOMED | DUE)) && slot_is_of(slot, pool)) {
    bool doubtful = pool->trust_ns && overdue_is_doubtful(pool, lease_of(slot, word));
    if (doubtful && overdue_judge(pool, slot, word, false, &reason) != IN_TIME) {
      if (mark_overdue(pool, slot, &word, reason, step))
        return 0;
      continue;
    }
    if (slot_lend(slot, &word, pool->lend)) {
      if (word & RESTING)
        step_notice(pool, step);
      if (doubtful)
        overdue_trust(pool, slot);
      return lease_of(slot, word);
    }
  }
  return 0;
}

pool_lease_t lend_any(struct pool *pool, struct step *step)
{
  struct scan scan = scan_clean(&pool->rows);
  pool_lease_t lease = 0;
  int stale = 0;
  for (struct slot *slot; !lease && !step->work && (slot = idle_next(&scan, &stale));)
    lease = lend_slot(pool, slot, step);
  step->restored = step->restored || scan.restored;
  return lease;
}

pool_lease_t lend_clean(struct pool *pool, struct step *step)
{
  struct scan scan = scan_clean(&pool->rows);
  int stale = 0;
  for (struct slot *slot; (slot = idle_next(&scan, &stale));) {
    pool_lease_t lease = lend_slot_clean(pool, slot, step);
    if (lease)
      return lease;
  }
  return 0;
}

/* What is noted about a lease that was not simply this thread's last one again. */
void lend_note(pool_lease_t lease)
{
  struct slot *slot = slot_of(lease);
  slot_set_holder(slot, thread_id());
  struct pool *pool = slot_pool(slot);
  uses_see(pool, lease);
  if (is_sampled(lease) || (attention_hint(pool) & ATTENTION_EVENTS))
    notes_see(slot, lease_generation(lease) | LEASED, clock_boot());
}
