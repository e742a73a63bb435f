/* SPDX-License-Identifier: MIT */
/*
 * A get reads `attention` after it took a slot, never only before: so a closed or paused pool never lends.  If it must
 * not keep the slot, it gives it back as a put would, serving the waiter that a put would serve.  While a hand-over is
 * due (queue.c) nobody overtakes, but for a get that was scanning already when it came to be due, and that once.
 *
 * A ticket is a number that anybody may have made up or kept for too long.  What it names is only certain under the
 * lock of the pool that its waiter belongs to: under that lock no ticket of the pool is given up or passes to another.
 */
#include "decide/asker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "base/thread.h"
#include "slot/notes.h"
#include "decide/answer.h"
#include "decide/attention.h"
#include "decide/count.h"
#include "decide/give.h"
#include "decide/lend.h"
#include "decide/life.h"
#include "decide/pool.h"
#include "decide/queue.h"
#include "decide/room.h"
#include "decide/starve.h"
#include "decide/step.h"
#include "decide/ticket.h"
#include "decide/waiter.h"
#include "decide/work.h"

pool_lease_t asker_keep(struct pool *pool, pool_lease_t lease, struct step *step)
{
  if (!lease || !(attention_of(pool) & ATTENTION_NOT_LENDING)) /* after it was taken (I9) */
    return lease;
  give_unused(lease, step);
  return 0;
}

pool_lease_t asker_take_idle(struct pool *pool, struct step *step)
{
  if (attention_of(pool) & attention_of_turn(pool))
    return 0;
  pool_lease_t lease = asker_keep(pool, lend_any(pool, step), step);
  /* A waiter may have missed a block whose row had no bit for a moment (idle.h). */
  if (step->restored && (attention_of(pool) & ATTENTION_WAITERS))
    queue_serve_unlocked(pool, step);
  return lease;
}

pool_lease_t asker_begin(struct pool *pool, bool wary, bool waits, struct step *step)
{
  struct asking asking = {.wary = wary, .waits = waits};
  pthread_mutex_lock(&pool->lock);
  /* Takes once more, for an open that was under way may have ended since the caller looked, and ends under the lock. */
  pool_lease_t result = answer(pool, &asking, 0, step); /* the time is a waiter's */
  life_unlock(pool);
  return result || step->work ? result : POOL_E_TIMEOUT;
}

pool_lease_t asker_begin_alone(struct pool *pool, struct step *step)
{
  static const struct asking asking = {.waits = true};
  pthread_mutex_lock(&pool->lock);
  bool alone = !pool->queue.first && pool->left_over.works == 0 && pool->breaker.failures == 0;
  pool_lease_t result = alone ? answer(pool, &asking, 0, step) : 0; /* the time is a waiter's */
  life_unlock(pool);
  return result > 0 ? result : 0; /* an error is for the waiter to tell */
}

static int open_for_nobody(struct pool *pool, struct step *step)
{
  if (attention_closed(pool))
    return POOL_E_CLOSED;
  if (!room_has_place(pool))
    return POOL_E_TIMEOUT;
  if (!room_permits(pool, false))
    return POOL_E_OPEN;
  if (!room_reserve(pool, step))
    return POOL_E_NOMEM;
  atomic_store(&extra_of(step->slot)->asked_for, FOR_NOBODY);
  return 0;
}

int asker_open(struct pool *pool, struct step *step)
{
  pthread_mutex_lock(&pool->lock);
  int code = open_for_nobody(pool, step);
  life_unlock(pool);
  return code;
}

pool_lease_t asker_wait(struct pool *pool, struct waiter *waiter, struct step *step)
{
  pthread_mutex_lock(&pool->lock);
  pool_lease_t result = queue_begin(pool, waiter, step);
  life_unlock(pool);
  return result;
}

static struct waiter *take_ticket(struct pool *pool, enum waiter_kind kind, int64_t now, int64_t deadline_ns)
{
  assert_locked(pool);
  struct waiter *waiter = ticket_take(pool);
  if (!waiter)
    return NULL;
  waiter->kind = kind;
  waiter->began_ns = now;
  waiter->deadline_ns = deadline_ns;
  waiter->thread = thread_id();
  pool->users.gets++;
  pool->users.asynchronous += kind == WAITER_ASYNC;
  return waiter;
}

struct waiter *asker_take_ticket(struct pool *pool, enum waiter_kind kind, int64_t deadline_ns)
{
  pthread_mutex_lock(&pool->lock);
  struct waiter *waiter = take_ticket(pool, kind, clock_now(), deadline_ns);
  pthread_mutex_unlock(&pool->lock);
  return waiter;
}

static void give_ticket(struct pool *pool, struct waiter *waiter)
{
  assert_locked(pool);
  told_remove(&pool->told, waiter); /* it ended before its holder was told */
  pool->users.gets--;
  pool->users.asynchronous -= waiter->kind == WAITER_ASYNC;
  ticket_give(waiter);
}

void asker_give_ticket(struct pool *pool, struct waiter *waiter)
{
  pthread_mutex_lock(&pool->lock);
  give_ticket(pool, waiter);
  life_unlock(pool);
}

/* The waiter of a ticket, with the lock of its pool taken; or NULL. */
static struct waiter *lock_ticket(int64_t ticket, enum waiter_kind kind, struct pool **pool)
{
  struct waiter *waiter = ticket_find(ticket);
  if (!waiter)
    return NULL;
  *pool = atomic_load(&waiter->pool);
  pthread_mutex_lock(&(*pool)->lock);
  /* Only now it is certain: under this lock no ticket of this pool is given up or passes to another. */
  bool same = atomic_load(&waiter->ticket) == ticket && atomic_load(&waiter->pool) == *pool && waiter->kind == kind;
  if (same && (waiter->queued || waiter->outcome)) /* else it is on its way to its place, and nobody was told of it */
    return waiter;
  life_unlock(*pool);
  return NULL;
}

/* The error is long, and mostly there is none. */
static void note_past(struct past *past, const struct waiter *waiter)
{
  past->began_ns = waiter->began_ns;
  past->since_ns = waiter->since_ns;
  past->waited_ns = waiter->waited_ns;
  past->busy_ns = waiter->busy_ns;
  past->at_once = waiter->at_once;
  past->starved = waiter->starved;
  past->error.code = waiter->error.code;
  if (waiter->error.code)
    past->error = waiter->error;
}

static pool_lease_t begin_ticket(struct pool *pool, struct waiter *waiter, struct step *step, struct past *past)
{
  assert_locked(pool);
  pool_lease_t result = queue_begin(pool, waiter, step);
  step->until_ns = waiter->deadline_ns;
  step->since_ns = waiter->since_ns;
  step->waited = waiter->waited;
  step->busy_ns = waiter->busy_ns;
  if (result < 0)
    count_failed_get_locked(pool, result, waiter->at_once);
  note_past(past, waiter);
  if (result || (step->work && !step->attended))
    give_ticket(pool, waiter);
  return result;
}

pool_lease_t asker_begin_ticket(struct pool *pool, int64_t ticket, struct step *step, struct past *past)
{
  struct pool *owner;
  struct waiter *waiter = lock_ticket(ticket, WAITER_TICKET, &owner);
  if (!waiter)
    return POOL_E_STALE;
  pool_lease_t result = owner == pool ? begin_ticket(pool, waiter, step, past) : POOL_E_STALE;
  life_unlock(owner);
  return result;
}

bool asker_begin_queued(struct pool *pool, int64_t timeout_ms, struct step *step, struct past *past,
                        pool_lease_t *result)
{
  pthread_mutex_lock(&pool->lock);
  step->now_ns = clock_now();
  step->until_ns = clock_deadline_from(step->now_ns, timeout_ms);
  struct waiter *waiter = take_ticket(pool, WAITER_TICKET, step->now_ns, step->until_ns);
  if (waiter) {
    int64_t ticket = atomic_load(&waiter->ticket);
    *result = begin_ticket(pool, waiter, step, past);
    bool waits = *result == 0 && (step->work == POOL_WORK_NONE || step->attended);
    step->ticket = waits ? ticket : 0;
  }
  life_unlock(pool);
  return waiter != NULL;
}

pool_lease_t asker_join(struct pool *pool, struct waiter *waiter, struct step *step, struct past *past)
{
  pthread_mutex_lock(&pool->lock);
  pool_lease_t result = queue_join(pool, waiter, step);
  note_past(past, waiter);
  if (result < 0) {
    count_failed_get_locked(pool, result, false);
    atomic_store(&extra_of(step->slot)->asked_for, FOR_NOBODY);
    give_ticket(pool, waiter);
  }
  life_unlock(pool);
  return result;
}

/* Says for which ticket the work of this claim is, unless it is being reported: what reports it changes the word first
   and then reads the ticket. */
static bool attend(struct slot *slot, pool_lease_t claim, int64_t ticket)
{
  struct extra *extra = extra_of(slot);
  atomic_store(&extra->attended, ticket);
  return slot_is_at(slot_word(slot), claim) || atomic_exchange(&extra->attended, 0) == 0;
}

static pool_lease_t join(struct pool *pool, struct slot *slot, pool_lease_t claim, struct waiter *waiter,
                         struct step *step)
{
  if (!attend(slot, claim, atomic_load(&waiter->ticket)))
    return POOL_E_STALE;
  /* Its place is that of its get: others may have come, and failed to open, before it joined. */
  waiter->began_ns = waiter->since_ns = atomic_load(&extra_of(slot)->asked_ns);
  step->work = POOL_WORK_OPEN; /* for the waiter to be counted so */
  pool_lease_t result = queue_join(pool, waiter, step);
  step->work = POOL_WORK_NONE;
  if (result < 0) {
    pool->left_over.works++;
    count_failed_get_locked(pool, result, false);
  }
  return result;
}

pool_lease_t asker_join_open(struct pool *pool, pool_lease_t claim, struct step *step, struct past *past)
{
  struct slot *slot = slot_of(claim);
  pthread_mutex_lock(&pool->lock);
  /* Under the lock: the slot does not leave the pool before its report was settled. */
  uint64_t word = slot_word(slot);
  bool opens = pool->joins && slot_is_at(word, claim) && state_of(word) == OPENING && slot_is_of(slot, pool);
  int64_t until_ns = opens ? atomic_load(&extra_of(slot)->until_ns) : 0; /* 0: a report has taken it */
  struct waiter *waiter = until_ns ? take_ticket(pool, WAITER_TICKET, clock_now(), until_ns) : NULL;
  pool_lease_t result = waiter ? join(pool, slot, claim, waiter, step) : POOL_E_STALE;
  if (waiter)
    note_past(past, waiter);
  if (waiter && result)
    give_ticket(pool, waiter);
  life_unlock(pool);
  return result;
}

pool_lease_t asker_wait_on(struct pool *pool, const struct outcome *outcome, struct step *step)
{
  assert_locked(pool);
  if (outcome->error->code != POOL_E_OPEN)
    return outcome->error->code; /* the caller's own time was over */
  struct waiter *waiter = take_ticket(pool, WAITER_TICKET, clock_now(), outcome->until_ns);
  if (!waiter)
    return POOL_E_NOMEM;
  waiter->error = *outcome->error;
  waiter->since_ns = outcome->since_ns;
  waiter->busy_ns = outcome->busy_ns + outcome->took_ns;
  waiter->began_ns = outcome->since_ns ? outcome->since_ns : waiter->began_ns - waiter->busy_ns;
  pool_lease_t result = queue_wait_on(pool, waiter, step);
  if (result)
    give_ticket(pool, waiter);
  else
    step->ticket = atomic_load(&waiter->ticket);
  return result;
}

/* The caller of the step API does not want to wait any more: perhaps because the time is over. */
static void end_ticket(struct pool *pool, struct waiter *waiter, struct step *step)
{
  int64_t now = clock_now();
  if (waiter->outcome) {
    step->starved = waiter->tells_starved;
    return;
  }
  bool late = now >= waiter->deadline_ns;
  step->starved = late && starve_find(pool, waiter);
  queue_settle(pool, waiter, late ? POOL_E_TIMEOUT : POOL_E_CANCELLED, now);
}

pool_lease_t asker_cancel_ticket(int64_t ticket, struct pool **pool, struct past *past, struct step *step)
{
  *step = (struct step){0};
  struct waiter *waiter = lock_ticket(ticket, WAITER_TICKET, pool);
  if (!waiter)
    return POOL_E_STALE;
  end_ticket(*pool, waiter, step);
  pool_lease_t outcome = waiter->outcome;
  if (outcome < 0)
    count_failed_get_locked(*pool, outcome, waiter->at_once);
  note_past(past, waiter);
  (*pool)->users.gets++; /* the caller's */
  give_ticket(*pool, waiter);
  queue_serve(*pool, step);
  pthread_mutex_unlock(&(*pool)->lock);
  return outcome;
}

int asker_cancel_async(int64_t ticket, struct pool **pool, pool_lease_t *lease, struct step *step)
{
  *step = (struct step){0};
  *lease = 0;
  struct waiter *waiter = lock_ticket(ticket, WAITER_ASYNC, pool);
  if (!waiter)
    return POOL_E_STALE;
  bool ours = waiter->outcome >= 0; /* else the result stands */
  if (ours && waiter->outcome == 0) {
    queue_settle(*pool, waiter, POOL_E_CANCELLED, clock_now());
    queue_serve(*pool, step);
  } else if (ours) {
    *lease = waiter->outcome;
    waiter->outcome = POOL_E_CANCELLED;
  }
  atomic_fetch_add(&(*pool)->keeper_signal, 1);
  life_unlock(*pool);
  return ours ? 0 : POOL_E_STALE;
}

pool_lease_t asker_cancel_wait(struct pool *pool, struct waiter *waiter, struct step *step)
{
  *step = (struct step){0};
  pthread_mutex_lock(&pool->lock);
  if (waiter->telling)
    told_remove(&pool->told, waiter); /* its memory goes away */
  if (waiter->queued)
    queue_settle(pool, waiter, POOL_E_CANCELLED, clock_now());
  else if (waiter->outcome > 0)
    pool->counts.cancelled++;
  pool_lease_t lease = waiter->outcome > 0 ? waiter->outcome : 0;
  queue_serve(pool, step);
  life_unlock(pool);
  return lease;
}

int asker_enqueue(struct pool *pool, struct waiter *waiter, struct step *step)
{
  *step = (struct step){0};
  pthread_mutex_lock(&pool->lock);
  int error = queue_enter_asynchronous(pool, waiter, step);
  life_unlock(pool);
  return error;
}

static void take_out(struct pool *pool, struct waiter *waiter, struct waiter *copy)
{
  memcpy(copy, waiter, sizeof *copy);
  give_ticket(pool, waiter);
}

bool asker_next_settled(struct pool *pool, struct waiter *copy, int64_t *due_ns, struct step *step)
{
  *step = (struct step){0};
  pthread_mutex_lock(&pool->lock);
  *due_ns = queue_expire_asynchronous(pool, step);
  struct waiter *settled = pool->settled.first;
  if (settled) {
    waiter_remove(&pool->settled, settled);
    take_out(pool, settled, copy);
    queue_serve(pool, step);
  }
  life_unlock(pool);
  return settled != NULL;
}

void asker_count_wait(struct pool *pool, struct waiter *waiter)
{
  pthread_mutex_lock(&pool->lock);
  queue_count_wait(pool, waiter, waiter->waited_ns);
  life_unlock(pool);
}
