/* SPDX-License-Identifier: MIT */
#include "decide/later.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include <pool/pool.h>

#include "slot/notes.h"
#include "slot/slot.h"
#include "decide/attention.h"
#include "decide/dismiss.h"
#include "decide/life.h"
#include "decide/pool.h"
#include "decide/room.h"
#include "decide/step.h"

void later_add(struct pool *pool, struct slot *slot, struct step *step)
{
  assert_locked(pool);
  slot->next = slot_link(pool->chores.unclean);
  pool->chores.unclean = slot;
  step->worker_wanted = true;
}

void later_leave(struct pool *pool, struct step *step)
{
  struct slot *slot = step->slot;
  *step = (struct step){0};
  pthread_mutex_lock(&pool->lock);
  later_add(pool, slot, step);
  attention_raise(pool, ATTENTION_UNCLEAN, pool->config.keeper == POOL_KEEPER_MANUAL && pool->config.openers == 0);
  if (attention_closed(pool))
    step_tell_drainers(pool, step); /* the thread that drains may have to do it */
  life_unlock(pool);
}

bool later_take(struct pool *pool, struct step *step)
{
  assert_locked(pool);
  struct slot *slot = pool->chores.unclean;
  if (!slot)
    return false;
  pool->chores.unclean = slot_listed(slot->next);
  attention_raise(pool, ATTENTION_UNCLEAN, pool->chores.unclean && (attention_of(pool) & ATTENTION_UNCLEAN));
  if (!pool->chores.unclean && pool->config.openers == 0)
    pool->chores.wished = false; /* it was for a place */
  uint64_t word = slot_word(slot);
  if (state_of(word) == CLOSING)
    step_ask(step, POOL_WORK_CLOSE, atomic_load(&notes_of(slot)->reason), slot, word);
  else if (word & DOOMED)
    dismiss(slot, dismiss_reason(slot), step);
  else if (attention_closed(pool))
    dismiss(slot, POOL_REASON_CLOSED, step);
  else
    step_ask(step, POOL_WORK_RESET, POOL_REASON_NONE, slot, word);
  return true;
}

bool later_next(struct pool *pool, struct step *step)
{
  *step = (struct step){0};
  pthread_mutex_lock(&pool->lock);
  bool found = later_take(pool, step);
  life_unlock(pool);
  return found;
}

bool later_is_left_alone(struct pool *pool)
{
  uint32_t bits = ATTENTION_UNCLEAN | ATTENTION_WORKERLESS;
  if ((attention_of(pool) & bits) != bits)
    return false;
  pthread_mutex_lock(&pool->lock);
  bool alone = pool->crew.workers == 0 && !room_hopes(pool);
  life_unlock(pool);
  return alone;
}
