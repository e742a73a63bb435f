/* SPDX-License-Identifier: MIT */
/*
 * Who gets which connection.
 *
 * Shared without a lock: the words of the slots (slot.h), the idle bitmap (bitmap.h) and one word in the pool,
 * `attention`. Everything else of a pool is under its lock.  Locks are taken in this order: registry (pool.c), pool,
 * tables of slots and of tickets.
 *
 * No wake-up is lost.  A put makes its slot idle and then reads `attention`; a waiter raises ATTENTION_WAITERS and then
 * scans for idle slots.  All of these are sequentially consistent, so the put sees the waiter or the waiter sees the
 * slot.  The same holds for closing: pool_close raises ATTENTION_CLOSED and then scans.
 *
 * A get also reads `attention` after it took a slot, never only before: so a closed pool never lends.  If it must not
 * keep the slot, it gives it back as a put would, serving whom a put would serve.  While a hand-over is due nobody
 * overtakes, but for a get that was scanning already when it came to be due, and that once.
 *
 * Order with bounded barging.  As long as the first waiter is young, a put leaves its connection idle and nudges that
 * waiter: a thread that is running may take the connection first, which saves a context switch for each lease.  One
 * nudge is under way at a time (ATTENTION_NUDGED); whoever was nudged lowers the flag before it scans, so a put that
 * saw the flag and did nothing is seen by that scan.  A nudged waiter that succeeds, expires or is cancelled serves the
 * next: a nudge is never swallowed. Once the first waiter has waited for fairness_us, ATTENTION_FAIR is up: puts hand
 * their connection to it directly, newcomers queue.
 *
 * A thread that ended a lease may lose the processor right after its compare-and-swap.  When it goes on, the connection
 * may have been lent again, closed, and the pool be gone and its memory serve another pool.  What it still does then is
 * harmless: it sets a bit in a bitmap (a hint), or serves the queue of the pool that lives there now (idempotent), or
 * compares-and-swaps the slot's word with a generation that is over (fails).  That is why pools, blocks and slots are
 * reused, never freed, and why serve() takes no slot on trust: it lends only what it finds among its own pool's slots.
 *
 * Every transition that frees a place (a failed open, a close, a fork) or a connection ends in serve(), so whoever
 * waits is told, however the place was freed.
 */
#include "engine.h"

#include <string.h>

#include "clock.h"
#include "fork.h"

/* So many bits a scan may find set in vain before it clears those that follow.  A bit that is cleared is set again by
   the next put, and both wait for its cache line: for a few slots it is cheaper to look at them. */
#define STALE_BITS 8

static uint32_t attention(struct pool *pool)
{
  return atomic_load(&pool->attention);
}

/* Writes only on change: every get and put reads this word. */
static void raise_attention(struct pool *pool, uint32_t bits, bool on)
{
  uint32_t now = atomic_load(&pool->attention);
  if (on && (now & bits) != bits)
    atomic_fetch_or(&pool->attention, bits);
  else if (!on && (now & bits))
    atomic_fetch_and(&pool->attention, ~bits);
}

static bool closed(struct pool *pool)
{
  return attention(pool) & ATTENTION_CLOSED;
}

static void ask(struct step *step, int32_t work, int32_t reason, struct slot *slot, uint64_t word)
{
  step->work = work;
  step->reason = reason;
  step->slot = slot;
  step->claim = lease_of(slot, word);
}

/* ---- slots ---- */

/* Moves a slot that this thread owns into another state; others may only be setting flags or ending calls. */
static uint64_t move(struct slot *slot, uint64_t set, uint64_t clear, enum slot_state state)
{
  uint64_t word = atomic_load(&slot->word);
  uint64_t next;
  do
    next = (word & ~STATE_MASK & ~clear) | set | state;
  while (!atomic_compare_exchange_weak(&slot->word, &word, next));
  return next;
}

/* The owner of a slot wants it closed: now, or when the last call on it ends. */
static void dismiss(struct slot *slot, int32_t reason, struct step *step)
{
  uint64_t word = atomic_load(&slot->word);
  for (;;) {
    bool busy = word & CALL_MASK;
    uint64_t next = (word & ~(STATE_MASK | AWAITED | DUE)) | DOOMED | (busy ? AWAITED | RETURNING : CLOSING);
    if (atomic_compare_exchange_weak(&slot->word, &word, next)) {
      if (!busy)
        ask(step, POOL_WORK_CLOSE, reason, slot, next);
      return;
    }
  }
}

/* Closes an idle slot, if it still is what it was when the caller saw it. */
static bool dismiss_idle(struct slot *slot, uint64_t word, int32_t reason, struct step *step)
{
  while (state_of(word) == IDLE) {
    uint64_t generation = word & GENERATION_MASK;
    if (atomic_compare_exchange_weak(&slot->word, &word, (word & ~STATE_MASK) | CLOSING)) {
      dismiss(slot, reason, step);
      return true;
    }
    if ((word & GENERATION_MASK) != generation)
      return false;
  }
  return false;
}

/* Lends an idle slot.  0: it is not idle; or it must be checked or closed first, and then step->work says so. */
static pool_lease_t lend(struct pool *pool, struct slot *slot, struct step *step)
{
  uint64_t word = atomic_load(&slot->word);
  while (state_of(word) == IDLE) {
    if (word & DOOMED) {
      dismiss_idle(slot, word, POOL_REASON_UNUSABLE, step);
      return 0;
    }
    if (word & DUE) {
      uint64_t next = (word & ~(STATE_MASK | DUE)) | CHECKING;
      if (atomic_compare_exchange_weak(&slot->word, &word, next)) {
        ask(step, POOL_WORK_CHECK, POOL_REASON_NONE, slot, next);
        return 0;
      }
    } else if (atomic_compare_exchange_weak(&slot->word, &word, word + pool->lend)) {
      return lease_of(slot, word);
    }
  }
  return 0;
}

/* The same for somebody else: only what needs no work. */
static pool_lease_t lend_clean(struct pool *pool, struct slot *slot)
{
  uint64_t word = atomic_load(&slot->word);
  while (state_of(word) == IDLE && !(word & (DOOMED | DUE)))
    if (atomic_compare_exchange_weak(&slot->word, &word, word + pool->lend))
      return lease_of(slot, word);
  return 0;
}

static pool_lease_t scan_lend(struct pool *pool, struct step *step)
{
  struct scan scan = scan_begin(&pool->blocks);
  int stale = 0;
  for (struct slot *slot; (slot = scan_next(&scan));) {
    if (state_of(atomic_load(&slot->word)) != IDLE && (++stale <= STALE_BITS || !bitmap_clean(slot)))
      continue;
    pool_lease_t lease = lend(pool, slot, step);
    if (lease || step->work)
      return lease;
  }
  return 0;
}

static pool_lease_t scan_lend_clean(struct pool *pool)
{
  struct scan scan = scan_begin(&pool->blocks);
  for (struct slot *slot; (slot = scan_next(&scan));) {
    pool_lease_t lease = lend_clean(pool, slot);
    if (lease)
      return lease;
  }
  return 0;
}

static bool any_idle(struct pool *pool)
{
  struct scan scan = scan_begin(&pool->blocks);
  for (struct slot *slot; (slot = scan_next(&scan));)
    if (state_of(atomic_load(&slot->word)) == IDLE)
      return true;
  return false;
}

size_t engine_idle_count(struct pool *pool)
{
  size_t count = 0;
  struct scan scan = scan_begin(&pool->blocks);
  for (struct slot *slot; (slot = scan_next(&scan));)
    count += state_of(atomic_load(&slot->word)) == IDLE;
  return count;
}

/* ---- room: all of these under the lock ---- */

static bool has_room(struct pool *pool)
{
  return !closed(pool) && (pool->config.max_open == 0 || pool->open < pool->config.max_open) &&
         (pool->config.max_opening == 0 || pool->opening < pool->config.max_opening);
}

static void refresh_surplus(struct pool *pool)
{
  raise_attention(pool, ATTENTION_SURPLUS, pool->open > pool->config.max_idle);
}

/* Takes a place for an open.  False without memory. */
static bool reserve(struct pool *pool, struct step *step)
{
  if (!pool->empty && !(pool->empty = bitmap_grow(&pool->blocks, pool)))
    return false;
  struct slot *slot = pool->empty;
  pool->empty = slot->next;
  pool->open++;
  pool->opening++;
  refresh_surplus(pool);
  ask(step, POOL_WORK_OPEN, POOL_REASON_NONE, slot, move(slot, 0, 0, OPENING));
  return true;
}

static void vacate(struct pool *pool, struct slot *slot, struct step *step)
{
  slot_vacate(slot);
  slot->next = pool->empty;
  pool->empty = slot;
  pool->open--;
  refresh_surplus(pool);
  if (closed(pool)) {
    atomic_fetch_add(&pool->drain_signal, 1);
    step->drained = &pool->drain_signal;
  }
}

/* ---- the queue: all of these under the lock ---- */

static void refresh_attention(struct pool *pool, int64_t now)
{
  struct waiter *first = pool->queue.first;
  raise_attention(pool, ATTENTION_WAITERS, first != NULL);
  raise_attention(pool, ATTENTION_NUDGED, first != NULL && first->nudged && first->kind != WAITER_ASYNC);
  raise_attention(pool, ATTENTION_FAIR,
                  first != NULL && now - first->since_ns >= (int64_t)pool->config.fairness_us * 1000);
}

static void wake(struct pool *pool, struct waiter *waiter, struct step *step)
{
  switch (waiter->kind) {
  case WAITER_THREAD:
    atomic_store(&waiter->signal, 1);
    step->wake.signal = &waiter->signal;
    break;
  case WAITER_ASYNC:
    atomic_fetch_add(&pool->keeper_signal, 1);
    step->wake.signal = &pool->keeper_signal;
    break;
  case WAITER_TICKET:
    step->wake.ticket = atomic_load(&waiter->ticket);
    break;
  }
}

static void count_outcome(struct pool *pool, struct waiter *waiter, pool_lease_t outcome, int64_t now)
{
  if (!waiter->waited)
    return; /* found something on the first look */
  int64_t waited = now - waiter->since_ns;
  pool->counts.wait_ns += waited;
  if (waited > pool->counts.wait_max_ns)
    pool->counts.wait_max_ns = waited;
  pool->counts.waited += outcome > 0;
  pool->counts.timed_out += outcome == POOL_E_TIMEOUT;
  pool->counts.cancelled += outcome == POOL_E_CANCELLED;
}

static void dequeue(struct pool *pool, struct waiter *waiter, pool_lease_t outcome, int64_t now)
{
  queue_remove(&pool->queue, waiter);
  waiter->nudged = false;
  count_outcome(pool, waiter, outcome, now);
  refresh_attention(pool, now);
}

/* Takes a waiter out of the queue and leaves its outcome for it to fetch. */
static void settle(struct pool *pool, struct waiter *waiter, pool_lease_t outcome, int64_t now)
{
  dequeue(pool, waiter, outcome, now);
  waiter->outcome = outcome;
  if (waiter->kind == WAITER_ASYNC)
    queue_append(&pool->settled, waiter);
}

static void nudge(struct pool *pool, struct waiter *waiter, int64_t now, struct step *step)
{
  waiter->nudged = true;
  refresh_attention(pool, now);
  wake(pool, waiter, step);
}

/* Whether an opener, not the first waiter itself, is to use the room. */
static bool opens_elsewhere(struct pool *pool)
{
  return pool->config.openers > 0 || (pool->queue.first && pool->queue.first->kind == WAITER_ASYNC);
}

static bool is_looked_for(const struct waiter *waiter)
{
  return waiter->kind == WAITER_ASYNC && waiter->nudged;
}

static void expire(struct pool *pool, int64_t now)
{
  /* Nobody is woken: whoever waits keeps his own time.  For whom the keeper acts right now, it decides. */
  for (struct waiter *first; (first = pool->queue.first) && first->deadline_ns <= now && !is_looked_for(first);)
    settle(pool, first, POOL_E_TIMEOUT, now);
}

static bool hand_over(struct pool *pool, struct waiter *waiter, int64_t now, struct step *step)
{
  pool_lease_t lease = scan_lend_clean(pool);
  if (!lease)
    return false;
  settle(pool, waiter, lease, now);
  wake(pool, waiter, step);
  return true;
}

/* Gives what there is to the first waiter: hands a connection over, or tells it to look.  An asynchronous one is not
   told to come running, for it does not run: it is handed what is there at once. */
static void serve(struct pool *pool, struct step *step)
{
  if (!pool->queue.first || closed(pool))
    return;
  int64_t now = clock_now();
  expire(pool, now);
  refresh_attention(pool, now);
  struct waiter *first = pool->queue.first;
  if (!first)
    return;
  if (has_room(pool) && opens_elsewhere(pool))
    step->open_wanted = true;
  bool direct = (attention(pool) & ATTENTION_FAIR) || first->kind == WAITER_ASYNC;
  if (direct && hand_over(pool, first, now, step))
    return;
  if (!first->nudged && (any_idle(pool) || (has_room(pool) && !opens_elsewhere(pool))))
    nudge(pool, first, now, step);
}

/* ---- put ---- */

static void serve_unlocked(struct pool *pool, struct step *step)
{
  pthread_mutex_lock(&pool->lock);
  serve(pool, step);
  engine_unlock(pool);
}

static bool has_surplus(struct pool *pool)
{
  return (attention(pool) & ATTENTION_SURPLUS) && !pool->queue.first &&
         engine_idle_count(pool) > (size_t)pool->config.max_idle;
}

/* More than max_idle: the one that came back last goes. */
static bool trim(struct pool *pool, struct slot *slot, uint64_t word, struct step *step)
{
  pthread_mutex_lock(&pool->lock);
  bool trimmed = has_surplus(pool) && dismiss_idle(slot, word, POOL_REASON_SURPLUS, step);
  engine_unlock(pool);
  return trimmed;
}

/* While there were waiters, more may have come back than may be idle: after one was closed, the next. */
static void trim_any(struct pool *pool, struct step *step)
{
  struct scan scan = scan_begin(&pool->blocks);
  for (struct slot *slot; has_surplus(pool) && !step->work && (slot = scan_next(&scan));)
    dismiss_idle(slot, atomic_load(&slot->word), POOL_REASON_SURPLUS, step);
}

void engine_idle(struct slot *slot, uint64_t word, struct step *step)
{
  struct pool *pool = atomic_load_explicit(&slot->pool, memory_order_relaxed);
  uint32_t bits = attention(pool);
  if (bits & ATTENTION_CLOSED) {
    dismiss_idle(slot, word, POOL_REASON_CLOSED, step);
    return;
  }
  if ((bits & ATTENTION_SURPLUS) && !(bits & ATTENTION_WAITERS) && trim(pool, slot, word, step))
    return;
  if ((bits & (ATTENTION_WAITERS | ATTENTION_NUDGED | ATTENTION_FAIR)) == (ATTENTION_WAITERS | ATTENTION_NUDGED))
    return;
  if (bits & ATTENTION_WAITERS)
    serve_unlocked(pool, step);
}

/* A slot that this thread owns, clean and without calls, becomes idle. */
static void make_idle(struct slot *slot, struct step *step)
{
  uint64_t word = move(slot, 0, CAREFUL | AWAITED | DUE, IDLE);
  bitmap_mark(slot);
  if (word & DOOMED)
    dismiss_idle(slot, word, POOL_REASON_UNUSABLE, step);
  else
    engine_idle(slot, word, step);
}

/* A lease of this slot has ended, and nothing is under way on it that the next user could meet. */
static void finish_return(struct slot *slot, struct step *step)
{
  struct pool *pool = atomic_load_explicit(&slot->pool, memory_order_relaxed);
  uint64_t word = atomic_load(&slot->word);
  if (word & DOOMED)
    dismiss(slot, POOL_REASON_UNUSABLE, step);
  else if (closed(pool))
    dismiss(slot, POOL_REASON_CLOSED, step);
  else if (pool->can_reset)
    ask(step, POOL_WORK_RESET, POOL_REASON_NONE, slot, word);
  else
    make_idle(slot, step);
}

/* Whether the next user, a reset or a close could meet a call of this lease. */
static bool waits_for_calls(struct pool *pool, uint64_t word)
{
  bool shared = (pool->vtable.flags & POOL_VTABLE_MULTIPLEXED) && !pool->can_reset && !(word & DOOMED);
  return (word & CALL_MASK) && !shared;
}

int engine_end(struct slot *slot, pool_lease_t lease, struct step *step)
{
  uint64_t word = atomic_load(&slot->word);
  uint64_t next;
  bool waits;
  do {
    if ((word & GENERATION_MASK) != lease_generation(lease) || state_of(word) != LEASED)
      return POOL_E_STALE;
    waits = waits_for_calls(atomic_load_explicit(&slot->pool, memory_order_relaxed), word);
    next = generation_next(word & ~STATE_MASK) | RETURNING | (waits ? AWAITED : 0);
  } while (!atomic_compare_exchange_weak(&slot->word, &word, next));
  if (!waits)
    finish_return(slot, step);
  return 0;
}

/* ---- get ---- */

void engine_return_unused(struct pool *pool, pool_lease_t lease, struct step *step)
{
  engine_end(slot_of(lease), lease, step);
  atomic_fetch_add_explicit(&pool->lent_in_vain, 1, memory_order_relaxed);
}

pool_lease_t engine_take_idle(struct pool *pool, struct step *step)
{
  if (attention(pool) & ATTENTION_OF_GET)
    return 0;
  pool_lease_t lease = scan_lend(pool, step);
  /* Closing must not be missed.  Fairness may: it was looked at before, so each thread overtakes once at most; and to
     give the lease back would serve somebody, whom the step could not name beside the one that the get may serve next.
   */
  if (lease && closed(pool)) {
    engine_return_unused(pool, lease, step);
    return 0;
  }
  return lease;
}

/* A waiter looks for itself, under the lock.  It is queued or about to be; 0 and no work: nothing is there. */
static pool_lease_t look(struct pool *pool, struct waiter *waiter, bool told, struct step *step)
{
  /* Who has just come is running and may overtake, as long as that is fair; who has waited and woke for no reason may
   * not. */
  bool comes = !waiter->waited && !(attention(pool) & ATTENTION_FAIR);
  if (pool->queue.first != waiter && !told && !comes)
    return 0;
  pool_lease_t lease = scan_lend(pool, step);
  if (lease || step->work || !has_room(pool))
    return lease;
  if (pool->config.openers > 0 || waiter->kind == WAITER_ASYNC) {
    step->open_wanted = true;
    return 0;
  }
  return reserve(pool, step) ? 0 : POOL_E_NOMEM;
}

static pool_lease_t begin_unqueued(struct pool *pool, struct step *step)
{
  if (closed(pool))
    return POOL_E_CLOSED;
  if (!has_room(pool) || (attention(pool) & ATTENTION_FAIR))
    return POOL_E_TIMEOUT;
  if (pool->config.openers > 0) {
    step->open_wanted = true;
    return POOL_E_TIMEOUT;
  }
  return reserve(pool, step) ? 0 : POOL_E_NOMEM;
}

static int enter(struct pool *pool, struct waiter *waiter)
{
  if (closed(pool))
    return POOL_E_CLOSED;
  bool returning = waiter->since_ns != 0;
  if (!returning && pool->config.max_waiters > 0 && pool->queue.length >= pool->config.max_waiters) {
    pool->counts.overloaded++;
    return POOL_E_OVERLOAD;
  }
  /* Who left the queue for a connection that turned out to be dead goes back to its head. */
  if (returning) {
    queue_prepend(&pool->queue, waiter);
  } else {
    waiter->since_ns = clock_now();
    queue_append(&pool->queue, waiter);
  }
  refresh_attention(pool, clock_now());
  return 0;
}

/* One that came without time to wait may look once. */
static bool is_over(const struct waiter *waiter, int64_t now)
{
  bool looks_once = waiter->deadline_ns <= waiter->since_ns && waiter->kind == WAITER_ASYNC;
  return now >= waiter->deadline_ns && !looks_once;
}

static pool_lease_t begin_queued(struct pool *pool, struct waiter *waiter, struct step *step)
{
  if (waiter->outcome) {
    /* Whoever leaves passes on what he may have been told before he was handed something else. */
    serve(pool, step);
    return waiter->kind == WAITER_ASYNC ? 0 : waiter->outcome; /* 0: its callback is due */
  }
  int64_t now;
  bool told = false;
  if (!waiter->queued) {
    int error = enter(pool, waiter);
    if (error)
      return error;
    now = clock_now();
  } else {
    told = waiter->nudged;
    waiter->nudged = false;
    now = clock_now();
    refresh_attention(pool, now);
  }
  atomic_store(&waiter->signal, 0);
  pool_lease_t result = closed(pool)           ? POOL_E_CLOSED
                        : is_over(waiter, now) ? POOL_E_TIMEOUT
                                               : look(pool, waiter, told, step);
  if (result == 0 && step->work == POOL_WORK_NONE) {
    waiter->waited = true;
    if (pool->queue.first != waiter)
      serve(pool, step);
    return 0;
  }
  dequeue(pool, waiter, result, now);
  serve(pool, step);
  return result;
}

void engine_get_begin(struct pool *pool)
{
  pthread_mutex_lock(&pool->lock);
  pool->gets++;
  pthread_mutex_unlock(&pool->lock);
}

void engine_get_end(struct pool *pool, uint64_t forks_before)
{
  if (forks_before != fork_count())
    return; /* a callback forked, and this is the child: its pools know nothing of us */
  pthread_mutex_lock(&pool->lock);
  pool->gets--;
  engine_unlock(pool);
}

pool_lease_t engine_begin(struct pool *pool, struct waiter *waiter, struct step *step)
{
  *step = (struct step){0};
  if (!waiter) {
    pool_lease_t lease = engine_take_idle(pool, step);
    if (lease || step->work)
      return lease;
  }
  pthread_mutex_lock(&pool->lock);
  pool_lease_t result = waiter ? begin_queued(pool, waiter, step) : begin_unqueued(pool, step);
  engine_unlock(pool);
  return result;
}

/* ---- work ---- */

static pool_lease_t done_open(struct pool *pool, struct slot *slot, bool succeeded, void *conn, bool lend_it,
                              struct step *step)
{
  pool_lease_t result = 0;
  bool idle = false;
  pthread_mutex_lock(&pool->lock);
  pool->opening--;
  if (!succeeded) {
    pool->counts.open_failures++;
    vacate(pool, slot, step);
    serve(pool, step);
  } else {
    pool->counts.opened++;
    atomic_store(&slot->conn, conn);
    if (closed(pool)) {
      dismiss(slot, POOL_REASON_CLOSED, step);
      result = POOL_E_CLOSED;
    } else if (lend_it) {
      uint64_t word = move(slot, pool->can_reset ? CAREFUL : 0, 0, LEASED);
      result = lease_of(slot, word);
      serve(pool, step); /* one fewer is being opened */
    } else {
      idle = true;
    }
  }
  engine_unlock(pool);
  if (idle)
    make_idle(slot, step);
  return result;
}

static pool_lease_t done_check(struct pool *pool, struct slot *slot, bool succeeded, struct step *step)
{
  if (!succeeded || (atomic_load(&slot->word) & DOOMED)) {
    pthread_mutex_lock(&pool->lock);
    pool->counts.check_failures++;
    engine_unlock(pool);
    dismiss(slot, POOL_REASON_CHECK, step);
    return 0;
  }
  uint64_t word = move(slot, pool->can_reset ? CAREFUL : 0, 0, LEASED);
  pool_lease_t lease = lease_of(slot, word);
  if (!closed(pool))
    return lease;
  engine_return_unused(pool, lease, step);
  return 0;
}

static void done_reset(struct pool *pool, struct slot *slot, bool succeeded, struct step *step)
{
  if (succeeded) {
    make_idle(slot, step);
    return;
  }
  pthread_mutex_lock(&pool->lock);
  pool->counts.reset_failures++;
  engine_unlock(pool);
  dismiss(slot, POOL_REASON_RESET, step);
}

static void done_close(struct pool *pool, struct slot *slot, bool succeeded, struct step *step)
{
  pthread_mutex_lock(&pool->lock);
  pool->counts.closed++;
  pool->counts.close_failures += !succeeded;
  vacate(pool, slot, step);
  serve(pool, step);
  trim_any(pool, step);
  engine_unlock(pool);
}

pool_lease_t engine_done(pool_lease_t claim, bool succeeded, void *conn, bool lend_it, struct step *step)
{
  *step = (struct step){0};
  struct slot *slot = slot_find(claim);
  uint64_t word = slot ? atomic_load(&slot->word) : 0;
  if (!slot || (word & GENERATION_MASK) != lease_generation(claim))
    return POOL_E_STALE;
  struct pool *pool = atomic_load_explicit(&slot->pool, memory_order_relaxed);
  switch (state_of(word)) {
  case OPENING:
    return done_open(pool, slot, succeeded, conn, lend_it, step);
  case CHECKING:
    return done_check(pool, slot, succeeded, step);
  case RETURNING:
    if (word & AWAITED)
      return POOL_E_STALE;
    done_reset(pool, slot, succeeded, step);
    return 0;
  case CLOSING:
    done_close(pool, slot, succeeded, step);
    return 0;
  default:
    return POOL_E_STALE;
  }
}

/* ---- openers ---- */

bool engine_reserve(struct pool *pool, struct step *step)
{
  *step = (struct step){0};
  pthread_mutex_lock(&pool->lock);
  bool reserved = reserve(pool, step);
  engine_unlock(pool);
  return reserved;
}

static bool open_is_wanted(struct pool *pool)
{
  int32_t wanting = pool->config.openers > 0 ? pool->queue.length : pool->queue.asynchronous;
  return wanting > pool->openers_opening && has_room(pool) && !any_idle(pool);
}

bool engine_next_open(struct pool *pool, struct step *step)
{
  *step = (struct step){0};
  pthread_mutex_lock(&pool->lock);
  bool wanted = open_is_wanted(pool) && reserve(pool, step);
  pool->openers_opening += wanted;
  step->open_wanted = wanted && open_is_wanted(pool); /* another opener can help */
  engine_unlock(pool);
  return wanted;
}

/* Ends the wait of the first that an opener opens for. */
static void fail_first(struct pool *pool, int code, const pool_error_t *error, struct step *step)
{
  /* Who was told of an idle connection will take that: the open was not for him. */
  bool idle = any_idle(pool);
  struct waiter *waiter = pool->queue.first;
  while (waiter && ((idle && waiter->nudged) || (pool->config.openers == 0 && waiter->kind != WAITER_ASYNC)))
    waiter = waiter->next;
  if (!waiter)
    return;
  waiter->error = *error;
  settle(pool, waiter, code, clock_now());
  wake(pool, waiter, step);
}

void engine_open_failed(struct pool *pool, int code, const pool_error_t *error, struct step *step)
{
  *step = (struct step){0};
  pthread_mutex_lock(&pool->lock);
  fail_first(pool, code, error, step);
  engine_unlock(pool);
}

void engine_opener_done(struct pool *pool, int code, const pool_error_t *error, struct step *step)
{
  *step = (struct step){0};
  pthread_mutex_lock(&pool->lock);
  pool->openers_opening--;
  if (code)
    fail_first(pool, code, error, step);
  engine_unlock(pool);
}

/* ---- waiters with a ticket ---- */

struct waiter *engine_ticket_take(struct pool *pool, enum waiter_kind kind, int64_t deadline_ns)
{
  struct waiter *waiter = ticket_take(pool);
  if (!waiter)
    return NULL;
  pthread_mutex_lock(&pool->lock);
  waiter->kind = kind;
  waiter->deadline_ns = deadline_ns;
  pool->gets++;
  pool->asynchronous += kind == WAITER_ASYNC;
  pthread_mutex_unlock(&pool->lock);
  return waiter;
}

static void give_ticket(struct pool *pool, struct waiter *waiter)
{
  pool->gets--;
  pool->asynchronous -= waiter->kind == WAITER_ASYNC;
  ticket_give(waiter);
}

void engine_ticket_give(struct pool *pool, struct waiter *waiter)
{
  pthread_mutex_lock(&pool->lock);
  give_ticket(pool, waiter);
  engine_unlock(pool);
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
  if (atomic_load(&waiter->ticket) == ticket && atomic_load(&waiter->pool) == *pool && waiter->kind == kind)
    return waiter;
  engine_unlock(*pool);
  return NULL;
}

pool_lease_t engine_begin_ticket(struct pool *pool, int64_t ticket, struct step *step)
{
  *step = (struct step){0};
  struct pool *owner;
  struct waiter *waiter = lock_ticket(ticket, WAITER_TICKET, &owner);
  if (!waiter)
    return POOL_E_STALE;
  pool_lease_t result = POOL_E_STALE;
  if (owner == pool) {
    result = begin_queued(pool, waiter, step);
    if (result || step->work)
      give_ticket(pool, waiter);
  }
  engine_unlock(owner);
  return result;
}

pool_lease_t engine_cancel_ticket(int64_t ticket, struct step *step)
{
  *step = (struct step){0};
  struct pool *pool;
  struct waiter *waiter = lock_ticket(ticket, WAITER_TICKET, &pool);
  if (!waiter)
    return POOL_E_STALE;
  if (!waiter->outcome)
    settle(pool, waiter, POOL_E_CANCELLED, clock_now());
  pool_lease_t outcome = waiter->outcome;
  give_ticket(pool, waiter);
  serve(pool, step);
  engine_unlock(pool);
  return outcome == POOL_E_CANCELLED || outcome == POOL_E_TIMEOUT ? 0 : outcome;
}

int engine_cancel_async(int64_t ticket, struct pool **pool, pool_lease_t *lease, struct step *step)
{
  *step = (struct step){0};
  *lease = 0;
  struct waiter *waiter = lock_ticket(ticket, WAITER_ASYNC, pool);
  if (!waiter)
    return POOL_E_STALE;
  /* In a queue: else the keeper acts for it right now, and the result stands. */
  bool ours = waiter->queued && waiter->outcome >= 0;
  if (ours && waiter->outcome == 0) {
    settle(*pool, waiter, POOL_E_CANCELLED, clock_now());
    serve(*pool, step);
  } else if (ours) {
    *lease = waiter->outcome;
    waiter->outcome = POOL_E_CANCELLED;
    (*pool)->counts.cancelled++;
  }
  atomic_fetch_add(&(*pool)->keeper_signal, 1);
  engine_unlock(*pool);
  return ours ? 0 : POOL_E_STALE;
}

int engine_enqueue(struct pool *pool, struct waiter *waiter, struct step *step)
{
  *step = (struct step){0};
  pthread_mutex_lock(&pool->lock);
  int error = enter(pool, waiter);
  if (!error) {
    waiter->waited = true;
    /* Before it can expire: one without time to wait still gets what is idle now, after a check if need be. */
    bool first = pool->queue.first == waiter;
    bool given = first && hand_over(pool, waiter, waiter->since_ns, step);
    if (first && !given && any_idle(pool))
      nudge(pool, waiter, waiter->since_ns, step);
    else if (!given)
      serve(pool, step);
    step->open_wanted = step->open_wanted || (!waiter->outcome && !waiter->nudged && has_room(pool));
    atomic_fetch_add(&pool->keeper_signal, 1); /* there is a deadline to keep */
  }
  engine_unlock(pool);
  return error;
}

static void take_out(struct pool *pool, struct waiter *waiter, struct waiter *copy)
{
  memcpy(copy, waiter, sizeof *copy);
  give_ticket(pool, waiter);
}

static void expire_asynchronous(struct pool *pool, int64_t *due_ns)
{
  int64_t now = clock_now();
  *due_ns = POOL_NO_DEADLINE;
  for (struct waiter *waiter = pool->queue.first, *next; waiter; waiter = next) {
    next = waiter->next;
    if (waiter->kind != WAITER_ASYNC || waiter->nudged)
      continue;
    if (waiter->deadline_ns <= now)
      settle(pool, waiter, POOL_E_TIMEOUT, now);
    else if (waiter->deadline_ns < *due_ns)
      *due_ns = waiter->deadline_ns;
  }
}

bool engine_next_settled(struct pool *pool, struct waiter *copy, int64_t *due_ns, struct step *step)
{
  *step = (struct step){0};
  pthread_mutex_lock(&pool->lock);
  expire_asynchronous(pool, due_ns);
  struct waiter *settled = pool->settled.first;
  if (settled) {
    queue_remove(&pool->settled, settled);
    take_out(pool, settled, copy);
    serve(pool, step);
  }
  engine_unlock(pool);
  return settled != NULL;
}

void engine_take_out(struct pool *pool, struct waiter *waiter, struct waiter *copy)
{
  pthread_mutex_lock(&pool->lock);
  take_out(pool, waiter, copy);
  engine_unlock(pool);
}

bool engine_maintain_begin(struct pool *pool)
{
  pthread_mutex_lock(&pool->lock);
  bool free = !pool->maintained;
  pool->maintained = true;
  pool->threads += free; /* the pool must not be recycled meanwhile */
  pthread_mutex_unlock(&pool->lock);
  return free;
}

void engine_maintain_end(struct pool *pool, struct step *step)
{
  pthread_mutex_lock(&pool->lock);
  pool->maintained = false;
  engine_thread_ends(pool, step);
}

void engine_thread_ends(struct pool *pool, struct step *step)
{
  *step = (struct step){0};
  pool->threads--;
  if (closed(pool)) {
    atomic_fetch_add(&pool->drain_signal, 1);
    step->drained = &pool->drain_signal;
  }
  engine_unlock(pool);
}

struct waiter *engine_nudged(struct pool *pool)
{
  pthread_mutex_lock(&pool->lock);
  struct waiter *waiter = pool->queue.first;
  while (waiter && !(waiter->kind == WAITER_ASYNC && waiter->nudged))
    waiter = waiter->next;
  engine_unlock(pool);
  return waiter;
}

/* ---- closing ---- */

void engine_close(struct pool *pool)
{
  pthread_mutex_lock(&pool->lock);
  raise_attention(pool, ATTENTION_CLOSED, true);
  engine_unlock(pool);
}

bool engine_next(struct pool *pool, struct step *step)
{
  *step = (struct step){0};
  if (!closed(pool))
    return false;
  pthread_mutex_lock(&pool->lock);
  struct waiter *waiter = pool->queue.first;
  if (waiter) {
    settle(pool, waiter, POOL_E_CLOSED, clock_now());
    wake(pool, waiter, step);
  }
  engine_unlock(pool);
  if (waiter)
    return true;
  struct scan scan = scan_all(&pool->blocks);
  for (struct slot *slot; (slot = scan_next(&scan));)
    if (dismiss_idle(slot, atomic_load(&slot->word), POOL_REASON_CLOSED, step) && step->work)
      return true;
  return false;
}

/* ---- calls ---- */

int engine_call_begin(struct slot *slot, pool_lease_t lease)
{
  uint64_t word = atomic_load(&slot->word);
  do {
    if ((word & GENERATION_MASK) != lease_generation(lease) || state_of(word) != LEASED)
      return POOL_E_STALE;
    if ((word & CALL_MASK) == CALL_MASK)
      return POOL_E_OVERLOAD;
  } while (!atomic_compare_exchange_weak(&slot->word, &word, word + CALL_ONE));
  return 0;
}

void engine_call_end(struct slot *slot, bool broken, struct step *step)
{
  *step = (struct step){0};
  struct pool *pool = atomic_load_explicit(&slot->pool, memory_order_relaxed);
  if (broken)
    engine_suspect(pool);
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
    finish_return(slot, step);
  else if (broken && state_of(next) == IDLE)
    dismiss_idle(slot, next, POOL_REASON_UNUSABLE, step);
}

void engine_suspect(struct pool *pool)
{
  if (!pool->can_check)
    return;
  struct scan scan = scan_begin(&pool->blocks);
  for (struct slot *slot; (slot = scan_next(&scan));) {
    uint64_t word = atomic_load(&slot->word);
    while (state_of(word) == IDLE && !(word & DUE) && !atomic_compare_exchange_weak(&slot->word, &word, word | DUE))
      ;
  }
}

/* ---- the rest ---- */

void engine_unlock(struct pool *pool)
{
  bool gone = !pool->gone && pool->references == 0 && pool->open == 0 && pool->gets == 0 && pool->threads == 0;
  if (gone)
    pool->gone = true;
  pthread_mutex_unlock(&pool->lock);
  if (gone)
    pool_recycle(pool);
}
