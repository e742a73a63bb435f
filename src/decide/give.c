/* SPDX-License-Identifier: MIT */
/*
 * Shared without a lock: the words of the slots (slot.h), the hints (idle.h) and `attention`.  Everything else of a
 * pool is under its lock.
 *
 * No wake-up is lost (I8).  A put makes its slot idle and then reads `attention`; a waiter raises ATTENTION_WAITERS and
 * then scans for idle slots.  All of these are sequentially consistent, so the put sees the waiter or the waiter sees
 * the slot.  The same holds for closing: pool_close raises ATTENTION_CLOSED and then scans.
 *
 * A thread that ended a lease may lose the processor right after its compare-and-swap.  When it goes on, the connection
 * may have been lent again, closed, and the pool be gone and its memory serve another pool.  What it still does then is
 * harmless: it sets a bit among the hints, or compares-and-swaps the slot's word with a generation that is over, which
 * fails.  That is why pools, blocks and slots are reused, never freed, and why queue_serve() lends only what it finds
 * among its own pool's slots.  The queue of the pool that lives there now it does not serve: a ticket there would count
 * as told, and its program would not hear of it.  Its own pool does not miss it, for the thread that has taken the slot
 * since puts or closes it, and serves.
 *
 * Every transition that frees a place (a failed open, a close) or a connection ends in queue_serve(), so waiters are
 * told, however the place was freed (I12).
 */
#include "decide/give.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/histogram.h"
#include "slot/idle.h"
#include "slot/notes.h"
#include "slot/slot.h"
#include "decide/attention.h"
#include "decide/count.h"
#include "decide/dismiss.h"
#include "decide/later.h"
#include "decide/life.h"
#include "decide/overdue.h"
#include "decide/pool.h"
#include "decide/queue.h"
#include "decide/room.h"
#include "decide/step.h"
#include "decide/uses.h"

/* More than max_idle, or than max_open: the one that came back last goes. */
static bool trim(struct pool *pool, struct slot *slot, uint64_t word, struct step *step)
{
  pthread_mutex_lock(&pool->lock);
  int32_t reason = room_excess(pool, 1)     ? POOL_REASON_RESIZED
                   : room_has_surplus(pool) ? POOL_REASON_SURPLUS
                                            : POOL_REASON_NONE;
  bool trimmed = reason && dismiss_idle(slot, word, reason, step);
  life_unlock(pool);
  return trimmed;
}

void give_trim_any(struct pool *pool, struct step *step)
{
  assert_locked(pool);
  struct scan scan = scan_begin(&pool->rows);
  for (struct slot *slot; room_has_surplus(pool) && !step->work && (slot = scan_next(&scan));) {
    uint64_t word = slot_word(slot);
    dismiss_idle(slot, word, word & DOOMED ? dismiss_reason(slot) : POOL_REASON_SURPLUS, step);
  }
}

/* No slot comes to a pool while this holds its lock: one that is its and not empty is no other's (I4). */
bool give_was_of(const struct pool *pool, const struct slot *slot, uint64_t word)
{
  assert_locked(pool);
  uint64_t now = slot_word(slot);
  return state_of(now) != EMPTY && slot_is_of(slot, pool) && slot_ended(slot, word) <= slot_ended(slot, now);
}

void give_serve(struct pool *pool, struct slot *slot, uint64_t word, struct step *step)
{
  if (!(attention_of(pool) & ATTENTION_WAITERS))
    return;
  pthread_mutex_lock(&pool->lock);
  if (give_was_of(pool, slot, word))
    queue_serve(pool, step);
  life_unlock(pool);
}

void give_idle(struct pool *pool, struct slot *slot, uint64_t word, struct step *step)
{
  uint32_t bits = attention_of(pool);
  if (bits & ATTENTION_CLOSED) {
    dismiss_idle(slot, word, POOL_REASON_CLOSED, step);
    return;
  }
  bool too_many = (bits & ATTENTION_EXCESS) || ((bits & ATTENTION_SURPLUS) && !(bits & ATTENTION_WAITERS));
  if (too_many && trim(pool, slot, word, step))
    return;
  bool told =
      (bits & (ATTENTION_WAITERS | ATTENTION_NUDGED | ATTENTION_FAIR)) == (ATTENTION_WAITERS | ATTENTION_NUDGED);
  if (told && !step->passed)
    return;
  give_serve(pool, slot, word, step);
}

uint64_t give_become_idle(struct pool *pool, struct slot *slot)
{
  uint64_t word = slot_move(slot, pool->checks_all ? DUE : 0, LENT_AS | AWAITED | DUE, IDLE);
  idle_mark(slot);
  return word;
}

void give_settle_idle(struct slot *slot, uint64_t word, struct step *step)
{
  struct pool *pool = slot_pool(slot);
  step_notice(pool, step); /* a keeper that came to rest meanwhile has not flagged it */
  if (word & DOOMED)
    dismiss_idle(slot, word, dismiss_reason(slot), step);
  else
    give_idle(pool, slot, word, step);
}

void give_make_idle(struct slot *slot, struct step *step)
{
  give_settle_idle(slot, give_become_idle(slot_pool(slot), slot), step);
}

static void reset_later(struct pool *pool, struct slot *slot, struct step *step)
{
  pthread_mutex_lock(&pool->lock);
  if (attention_closed(pool))
    dismiss(slot, POOL_REASON_CLOSED, step); /* the closing thread has perhaps looked for what is unclean already */
  else
    later_add(pool, slot, step);
  life_unlock(pool);
}

void give_finish(struct slot *slot, struct step *step)
{
  struct pool *pool = slot_pool(slot);
  uint64_t word = slot_word(slot);
  if (word & DOOMED) {
    dismiss(slot, dismiss_reason(slot), step);
    give_serve(pool, slot, word, step); /* calls may be under way, and the last of them has the slot then */
  } else if (attention_closed(pool))
    dismiss(slot, POOL_REASON_CLOSED, step);
  else if (!pool->can_reset)
    give_make_idle(slot, step);
  else if (pool->config.background_reset)
    reset_later(pool, slot, step);
  else
    step_ask(step, POOL_WORK_RESET, POOL_REASON_NONE, slot, word);
}

/* Whether the next user, a reset or a close could meet a call of this lease. */
static bool waits_for_calls(struct pool *pool, uint64_t word)
{
  bool shared = (pool->vtable.flags & POOL_VTABLE_MULTIPLEXED) && !pool->can_reset && !(word & DOOMED);
  return slot_has_calls(word) && !shared;
}

static char *take_tag(struct pool *pool, struct slot *slot)
{
  pthread_mutex_lock(&pool->lock);
  char *tag = extra_of(slot)->tag;
  extra_of(slot)->tag = NULL;
  life_unlock(pool);
  return tag;
}

void give_note(struct pool *pool, struct slot *slot, uint64_t word)
{
  if (pool->trust_ns)
    notes_see(slot, word, clock_boot());
}

int give_take_back(struct slot *slot, pool_lease_t lease, struct ending *ending)
{
  uint64_t word, next;
  if (!slot_take_back(slot, lease, &word, &next))
    return POOL_E_STALE;
  /* Else it will not be: a look that sees it only now finds that the word has changed. */
  bool leaked = atomic_load(&notes_of(slot)->leak) && atomic_exchange(&notes_of(slot)->leak, LEAK_NONE) == LEAK_TOLD;
  bool matters = is_sampled(lease) || leaked || (attention_of(slot_pool(slot)) & ATTENTION_EVENTS);
  *ending = (struct ending){.lease = lease,
                            .held_ns = matters ? notes_held(slot, word) : -1,
                            .connection = atomic_load(&slot->connection),
                            .holder = atomic_load(&slot->holder),
                            .leaked = leaked,
                            .noticed = word & RESTING,
                            .tag = word & CAREFUL ? take_tag(slot_pool(slot), slot) : NULL};
  give_note(slot_pool(slot), slot, slot_idle_word(next));
  return 0;
}

void give_settle(struct slot *slot, const struct ending *ending, struct step *step)
{
  struct pool *pool = slot_pool(slot);
  if (ending->noticed)
    step_notice(pool, step);
  if (is_sampled(ending->lease) && ending->held_ns >= 0) {
    pthread_mutex_lock(&pool->lock);
    histogram_add(&pool->use, ending->held_ns);
    pthread_mutex_unlock(&pool->lock);
  }
  /* With calls under way the last of them finishes the return, and from then on the slot is not ours. */
  uint64_t word = slot_word(slot);
  while (waits_for_calls(pool, word))
    if (slot_raise(slot, &word, AWAITED))
      return;
  if (ending->clean)
    give_make_idle(slot, step);
  else
    give_finish(slot, step);
}

int give_take_back_unused(struct slot *slot, pool_lease_t lease, struct ending *ending)
{
  uint64_t word = slot_word(slot);
  if (!slot_is_lease(word, lease))
    return POOL_E_STALE;
  /* If the lease ends now, these are another's; then nothing comes of it. */
  struct pool *pool = slot_pool(slot);
  int64_t since = pool->trust_ns ? overdue_unused_since(pool, slot, word) : 0;
  count_vain_lease(pool);
  if (give_take_back(slot, lease, ending)) {
    count_no_vain_lease(pool);
    return POOL_E_STALE;
  }
  uses_skip(pool, slot);
  if (pool->trust_ns)
    overdue_was_unused(slot, generation_next(word), since);
  return 0;
}

void give_unused(pool_lease_t lease, struct step *step)
{
  struct ending ending;
  struct slot *slot = slot_of(lease);
  if (give_take_back_unused(slot, lease, &ending))
    return;
  free(ending.tag);
  give_settle(slot, &ending, step);
}
