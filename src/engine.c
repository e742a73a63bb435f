/* SPDX-License-Identifier: MIT */
/*
 * Who gets which connection, and what becomes of it afterwards.
 *
 * Shared without a lock: the words of the slots (slot.h), the idle bitmap (bitmap.h) and one word in the pool,
 * `attention`. Everything else of a pool is under its lock.  Locks are taken in this order: registry (pool.c), pool,
 * tables of slots, of tickets and of histograms.
 *
 * No wake-up is lost.  A put makes its slot idle and then reads `attention`; a waiter raises ATTENTION_WAITERS and then
 * scans for idle slots.  All of these are sequentially consistent, so the put sees the waiter or the waiter sees the
 * slot.  The same holds for closing: pool_close raises ATTENTION_CLOSED and then scans.
 *
 * A get also reads `attention` after it took a slot, never only before: so a closed or paused pool never lends.  If it
 * must not keep the slot, it gives it back as a put would, serving whom a put would serve.  While a hand-over is due
 * (queue.c) nobody overtakes, but for a get that was scanning already when it came to be due, and that once.
 *
 * A flush raises DOOMED on the word of every slot that has or will have a connection.  Whoever owns a slot at that
 * moment meets the flag at the compare-and-swap by which he would lend it or make it idle; so what was there before the
 * flush is not lent after it.
 *
 * A thread that ended a lease may lose the processor right after its compare-and-swap.  When it goes on, the connection
 * may have been lent again, closed, and the pool be gone and its memory serve another pool.  What it still does then is
 * harmless: it sets a bit in a bitmap (a hint), or serves the queue of the pool that lives there now (idempotent), or
 * compares-and-swaps the slot's word with a generation that is over (fails).  That is why pools, blocks and slots are
 * reused, never freed, and why queue_serve() lends only what it finds among its own pool's slots.
 *
 * Every transition that frees a place (a failed open, a close, a fork) or a connection ends in queue_serve(), so
 * whoever waits is told, however the place was freed.
 */
#include "engine.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "config.h"
#include "count.h"
#include "fork.h"
#include "queue.h"
#include "text.h"

/* So many bits a scan may find set in vain before it clears those that follow.  A bit that is cleared is set again by
   the next put, and both wait for its cache line: for a few slots it is cheaper to look at them. */
#define STALE_BITS 8

/* If an open for min_idle or min_open fails, where no retry_min_ms says when to try again. */
#define REFILL_PAUSE_NS INT64_C(1000000000)

static uint32_t attention(struct pool *pool)
{
  return atomic_load(&pool->attention);
}

static bool closed(struct pool *pool)
{
  return attention(pool) & ATTENTION_CLOSED;
}

static struct pool *pool_of(struct slot *slot)
{
  return atomic_load_explicit(&slot->pool, memory_order_relaxed);
}

static void ask(struct step *step, int32_t work, int32_t reason, struct slot *slot, uint64_t word)
{
  step->work = work;
  step->reason = reason;
  step->slot = slot;
  step->claim = lease_of(slot, word);
}

void engine_want_keeper(struct pool *pool, struct step *step)
{
  atomic_fetch_add(&pool->keeper_signal, 1);
  step->keeper_wanted = true;
}

/* Something moves while the keeper rests. */
static void notice(struct pool *pool, struct step *step)
{
  if (atomic_load(&pool->resting) && atomic_exchange(&pool->resting, false))
    engine_want_keeper(pool, step);
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

/* Why a slot is DOOMED. */
static int32_t doom_of(struct slot *slot)
{
  int32_t reason = atomic_load(&watch_of(slot)->reason);
  return reason ? reason : POOL_REASON_UNUSABLE;
}

/* The owner of a slot wants it closed: now, or when the last call on it ends. */
static void dismiss(struct slot *slot, int32_t reason, struct step *step)
{
  uint64_t word = atomic_load(&slot->word);
  for (;;) {
    bool busy = word & CALL_MASK;
    uint64_t next = (word & ~(STATE_MASK | AWAITED | DUE)) | DOOMED | (busy ? AWAITED | RETURNING : CLOSING);
    if (busy)
      atomic_store(&watch_of(slot)->reason, (uint8_t)reason);
    if (atomic_compare_exchange_weak(&slot->word, &word, next)) {
      if (!busy) {
        atomic_store(&watch_of(slot)->reason, (uint8_t)reason);
        ask(step, POOL_WORK_CLOSE, reason, slot, next);
      }
      return;
    }
  }
}

/* Closes an idle slot, if it still is what it was when the caller saw it. */
static bool dismiss_idle(struct slot *slot, uint64_t word, int32_t reason, struct step *step)
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

/* While the breaker is open, connections that are suspect are checked one at a time: not every get has to meet one that
   hangs. */
static bool may_check(struct pool *pool)
{
  return !(attention(pool) & ATTENTION_TRIPPED) || !atomic_exchange(&pool->probing, true);
}

/* Begins the check of a slot, if it still is what it was when the caller saw it. */
static bool check_idle(struct pool *pool, struct slot *slot, uint64_t *word, struct step *step)
{
  uint64_t next = (without_resting(*word) & ~(STATE_MASK | DUE)) | CHECKING;
  if (!atomic_compare_exchange_strong(&slot->word, word, next)) {
    atomic_store(&pool->probing, false);
    return false;
  }
  ask(step, POOL_WORK_CHECK, POOL_REASON_NONE, slot, next);
  return true;
}

/* A connection that is to be checked, or was, may have come to its end meanwhile: a check does not make it young. */
static bool is_over(struct pool *pool, struct slot *slot, uint64_t word, int32_t *reason)
{
  bool taken = state_of(word) != IDLE;
  return pool->trust_ns && watch_judge(pool, slot, word, taken, reason) == TO_BE_CLOSED;
}

/* A connection was taken that has been idle until now.  One that is overdue is not lent: its check or close is to be
   done first. */
pool_lease_t engine_examine(struct pool *pool, pool_lease_t lease, struct step *step)
{
  int32_t reason;
  struct slot *slot = slot_of(lease);
  enum verdict verdict = watch_judge(pool, slot, lease_generation(lease), true, &reason);
  if (verdict == IN_TIME) {
    watch_trust(pool, slot);
    return lease;
  }
  if (verdict == TO_BE_CHECKED)
    ask(step, POOL_WORK_CHECK, POOL_REASON_NONE, slot, move(slot, 0, LENT_AS, CHECKING));
  else
    dismiss(slot, reason, step);
  engine_want_keeper(pool, step); /* others may be overdue, too, and the keeper late */
  return 0;
}

/* A check was begun for a get, and a pause came too early to count it: it is not made.  Who holds the lock has looked
   for a pause already, and does not come here. */
static void take_check_back(struct pool *pool, struct slot *slot, struct step *step)
{
  step->work = POOL_WORK_NONE;
  step->claim = 0;
  step->slot = NULL;
  atomic_store(&pool->probing, false);
  uint64_t word = move(slot, DUE, 0, IDLE);
  bitmap_mark(slot);
  if (word & DOOMED)
    dismiss_idle(slot, word, doom_of(slot), step);
  else
    engine_idle(pool, slot, word, step);
}

/* Lends an idle slot.  0: it is not idle, or suspect while another is being checked; or it must be checked or closed
   first, and then step->work says so. */
static pool_lease_t lend(struct pool *pool, struct slot *slot, struct step *step)
{
  int32_t reason;
  uint64_t word = atomic_load(&slot->word);
  while (state_of(word) == IDLE && slot_is_of(slot, pool)) {
    if (word & DOOMED) {
      dismiss_idle(slot, word, doom_of(slot), step);
      return 0;
    }
    if (word & DUE) {
      if (is_over(pool, slot, word, &reason)) {
        dismiss_idle(slot, word, reason, step);
        return 0;
      }
      if (!may_check(pool))
        return 0;
      if (check_idle(pool, slot, &word, step)) {
        if (attention(pool) & ATTENTION_PAUSED)
          take_check_back(pool, slot, step);
        else
          notice(pool, step);
        return 0;
      }
    } else if (atomic_compare_exchange_weak(&slot->word, &word, without_resting(word) + pool->lend)) {
      if (word & RESTING)
        notice(pool, step);
      return engine_confirm(pool, lease_of(slot, word), step);
    }
  }
  return 0;
}

/* The same for somebody else, or for who is wary: only what needs no work. */
static pool_lease_t lend_clean(struct pool *pool, struct slot *slot, struct step *step)
{
  int32_t reason;
  uint64_t word = atomic_load(&slot->word);
  while (state_of(word) == IDLE && !(word & (DOOMED | DUE)) && slot_is_of(slot, pool)) {
    bool doubtful = pool->trust_ns && engine_is_doubtful(pool, lease_of(slot, word));
    if (doubtful && watch_judge(pool, slot, word, false, &reason) != IN_TIME) {
      /* It is closed by those who come to check it, if it is too old for a check. */
      if (atomic_compare_exchange_weak(&slot->word, &word, word | DUE))
        return 0;
      continue;
    }
    if (atomic_compare_exchange_weak(&slot->word, &word, without_resting(word) + pool->lend)) {
      if (word & RESTING)
        notice(pool, step);
      if (doubtful)
        watch_trust(pool, slot);
      return lease_of(slot, word);
    }
  }
  return 0;
}

/* The next slot that may be idle, or NULL.  A bit that was set in vain is cleared, unless it is among the first. */
static struct slot *next_idle(struct scan *scan, int *stale)
{
  struct slot *slot;
  while ((slot = scan_next(scan)) && state_of(atomic_load(&slot->word)) != IDLE)
    if (++*stale > STALE_BITS && (slot = bitmap_clean(scan)))
      break;
  return slot;
}

pool_lease_t engine_lend_any(struct pool *pool, struct step *step)
{
  struct scan scan = scan_clean(&pool->rows);
  pool_lease_t lease = 0;
  int stale = 0;
  for (struct slot *slot; !lease && !step->work && (slot = next_idle(&scan, &stale));)
    lease = lend(pool, slot, step);
  step->restored = step->restored || scan.restored;
  return lease;
}

pool_lease_t engine_lend_clean(struct pool *pool, struct step *step)
{
  struct scan scan = scan_clean(&pool->rows);
  int stale = 0;
  for (struct slot *slot; (slot = next_idle(&scan, &stale));) {
    pool_lease_t lease = lend_clean(pool, slot, step);
    if (lease)
      return lease;
  }
  return 0;
}

bool engine_any_coming(struct pool *pool)
{
  struct scan scan = scan_all(&pool->rows);
  for (struct slot *slot; (slot = scan_next(&scan));) {
    uint64_t word = atomic_load(&slot->word);
    if (engine_is_lendable(word) || (state_of(word) == CHECKING && !(word & DOOMED)))
      return true;
  }
  return false;
}

/* How many are idle, counted no further than asked for; `stale` is how many bits are known to be set in vain,
   STALE_BITS to clear all that are.  Under the lock. */
static int32_t count_idle(struct pool *pool, int32_t enough, int stale)
{
  struct scan scan = scan_clean(&pool->rows);
  int32_t count = 0;
  for (struct slot *slot; count < enough && (slot = next_idle(&scan, &stale));)
    count += engine_is_lendable(atomic_load(&slot->word));
  return count;
}

bool engine_any_idle(struct pool *pool)
{
  return count_idle(pool, 1, 0) > 0;
}

/* The same without the lock, and all bits stay as they are. */
static int32_t count_lendable(struct pool *pool, int32_t enough)
{
  int32_t count = 0;
  struct scan scan = scan_begin(&pool->rows);
  for (struct slot *slot; count < enough && (slot = scan_next(&scan));)
    count += engine_is_lendable(atomic_load(&slot->word));
  return count;
}

size_t engine_idle_count(struct pool *pool)
{
  return (size_t)count_lendable(pool, INT32_MAX);
}

/* ---- room: all of these under the lock ---- */

bool engine_has_place(struct pool *pool)
{
  return !(attention(pool) & ATTENTION_NOT_LENDING) && !pool->filling &&
         (pool->max_open == 0 || pool->open < pool->max_open) &&
         (pool->config.max_opening == 0 || pool->opening < pool->config.max_opening);
}

bool engine_has_room(struct pool *pool, bool again)
{
  return engine_has_place(pool) && (pool->breaker.failures == 0 ||
                                    breaker_permits(&pool->breaker, &pool->config, pool->opening, clock_now(), again));
}

/* While the breaker is open, what is being opened is a question, not a hope: it may hang as the last ones did. */
static bool is_hopeful(const struct pool *pool, const struct slot *slot)
{
  uint64_t word = atomic_load(&slot->word);
  enum slot_state state = state_of(word);
  return state != EMPTY && state != CLOSING && !(word & DOOMED) && !(state == OPENING && pool->breaker.open) &&
         slot_is_of(slot, pool);
}

/* The slot that was hopeful when somebody looked mostly still is, so slots are searched seldom. */
bool engine_hopes(struct pool *pool)
{
  if (pool->hope && is_hopeful(pool, pool->hope))
    return true;
  struct scan scan = scan_all(&pool->rows);
  while ((pool->hope = scan_next(&scan)))
    if (is_hopeful(pool, pool->hope))
      return true;
  return false;
}

/* How many connections there are, and are being opened, without those that will go; counted up to a limit. */
static int32_t count_staying(struct pool *pool, int32_t limit)
{
  int32_t staying = 0;
  struct scan scan = scan_all(&pool->rows);
  for (struct slot *slot; staying < limit && (slot = scan_next(&scan));) {
    uint64_t word = atomic_load(&slot->word);
    staying += state_of(word) != EMPTY && state_of(word) != CLOSING && !(word & DOOMED);
  }
  return staying;
}

/* What is being checked or reset will be idle again, or whoever does it looks once more when it is done. */
static bool lacks_idle(struct pool *pool)
{
  int32_t coming = (pool->stepped ? pool->opening : pool->openers_opening) + pool->chores_doing;
  int32_t wanted = pool->config.min_idle - coming;
  return wanted > 0 && count_idle(pool, wanted, 0) < wanted;
}

static bool lacks_open(struct pool *pool)
{
  int32_t wanted = pool->config.min_open;
  return wanted > 0 && count_staying(pool, wanted) < wanted;
}

bool engine_needs_refill(struct pool *pool)
{
  return config_refills(&pool->config) && engine_has_room(pool, true) &&
         (pool->refill_at_ns == 0 || clock_now() >= pool->refill_at_ns) && (lacks_idle(pool) || lacks_open(pool));
}

static int32_t sum(int32_t a, int32_t b)
{
  return a < INT32_MAX - b ? a + b : INT32_MAX;
}

int64_t engine_spare(struct pool *pool, bool taken, int32_t enough)
{
  int64_t spare = (int64_t)count_lendable(pool, sum(pool->config.min_idle, enough)) + taken - pool->config.min_idle;
  if (pool->config.min_open == 0)
    return spare;
  int64_t more = (int64_t)count_staying(pool, sum(pool->config.min_open, enough)) - pool->config.min_open;
  return more < spare ? more : spare;
}

/* Room while the breaker is open means that a probe is due. */
bool engine_needs_probe(struct pool *pool)
{
  return pool->breaker.open && engine_has_room(pool, true);
}

/* Where there is no room for a probe, the check of one that is suspect has to be it. */
static bool is_full(struct pool *pool)
{
  return pool->max_open > 0 && pool->open - pool->opening >= pool->max_open;
}

static void refresh_surplus(struct pool *pool)
{
  attention_raise(pool, ATTENTION_SURPLUS, pool->open > pool->max_idle);
  attention_raise(pool, ATTENTION_EXCESS, pool->max_open > 0 && pool->open > pool->max_open);
  attention_raise(pool, ATTENTION_TRIPPED, pool->breaker.open);
}

bool engine_reserve_locked(struct pool *pool, struct step *step)
{
  struct slot *slot = bitmap_take(&pool->rows, pool, pool->ended == 0);
  if (!slot)
    return false;
  pool->open++;
  pool->opening++;
  refresh_surplus(pool);
  atomic_store(&slot->connection, ++pool->connections);
  ask(step, POOL_WORK_OPEN, POOL_REASON_NONE, slot, move(slot, 0, 0, OPENING));
  return true;
}

static void tell_drainers(struct pool *pool, struct step *step)
{
  atomic_fetch_add(&pool->drain_signal, 1);
  step->drained = &pool->drain_signal;
}

static void vacate(struct pool *pool, struct slot *slot, struct step *step)
{
  free(watch_end(pool, slot));
  slot_vacate(slot);
  pool->ended += slot_ended(slot, atomic_load(&slot->word));
  bitmap_give(slot);
  pool->open--;
  refresh_surplus(pool);
  if (closed(pool))
    tell_drainers(pool, step);
}

/* ---- put ---- */

static void serve_unlocked(struct pool *pool, struct step *step)
{
  pthread_mutex_lock(&pool->lock);
  queue_serve(pool, step);
  engine_unlock(pool);
}

/* A connection that waiters may have hoped for will not come to them: if it was the last, their waits end.  In a pool
   of the step API pool_step_next() finds that, which can say whom to wake. */
void engine_hope_less(struct pool *pool, struct step *step)
{
  if (!pool->stepped && (attention(pool) & ATTENTION_WAITERS))
    serve_unlocked(pool, step);
}

/* The bits of idle slots tell most of the time that there are not too many, without a look at the slots.  Else they are
   looked at, and bits that were set in vain are cleared. */
static bool has_surplus(struct pool *pool)
{
  if (!(attention(pool) & ATTENTION_SURPLUS) || pool->queue.first || bitmap_count(&pool->rows) <= pool->max_idle)
    return false;
  return count_idle(pool, pool->max_idle + 1, STALE_BITS) > pool->max_idle;
}

/* How many connections there are above the cap, without those that will go anyway; counted no further than asked for.
 */
static int32_t excess(struct pool *pool, int32_t enough)
{
  if (!(attention(pool) & ATTENTION_EXCESS))
    return 0;
  int32_t staying = count_staying(pool, sum(pool->max_open, enough));
  return staying > pool->max_open ? staying - pool->max_open : 0;
}

/* More than max_idle, or than max_open: the one that came back last goes. */
static bool trim(struct pool *pool, struct slot *slot, uint64_t word, struct step *step)
{
  pthread_mutex_lock(&pool->lock);
  int32_t reason = excess(pool, 1) ? POOL_REASON_RESIZED : has_surplus(pool) ? POOL_REASON_SURPLUS : POOL_REASON_NONE;
  bool trimmed = reason && dismiss_idle(slot, word, reason, step);
  engine_unlock(pool);
  return trimmed;
}

/* While there were waiters, more may have come back than may be idle: after one was closed, the next. */
static void trim_any(struct pool *pool, struct step *step)
{
  struct scan scan = scan_begin(&pool->rows);
  for (struct slot *slot; has_surplus(pool) && !step->work && (slot = scan_next(&scan));) {
    uint64_t word = atomic_load(&slot->word);
    dismiss_idle(slot, word, word & DOOMED ? doom_of(slot) : POOL_REASON_SURPLUS, step);
  }
}

void engine_idle(struct pool *pool, struct slot *slot, uint64_t word, struct step *step)
{
  uint32_t bits = attention(pool);
  if (bits & ATTENTION_CLOSED) {
    dismiss_idle(slot, word, POOL_REASON_CLOSED, step);
    return;
  }
  bool too_many = (bits & ATTENTION_EXCESS) || ((bits & ATTENTION_SURPLUS) && !(bits & ATTENTION_WAITERS));
  if (too_many && trim(pool, slot, word, step))
    return;
  if ((bits & (ATTENTION_WAITERS | ATTENTION_NUDGED | ATTENTION_FAIR)) == (ATTENTION_WAITERS | ATTENTION_NUDGED))
    return;
  if (bits & ATTENTION_WAITERS)
    serve_unlocked(pool, step);
}

/* A slot that this thread owns, clean and without calls, becomes idle.  Returns its word. */
static uint64_t become_idle(struct pool *pool, struct slot *slot)
{
  uint64_t word = move(slot, pool->checks_all ? DUE : 0, LENT_AS | AWAITED | DUE, IDLE);
  bitmap_mark(slot);
  return word;
}

/* A slot became idle, and was `word` at that moment. */
static void settle_idle(struct slot *slot, uint64_t word, struct step *step)
{
  struct pool *pool = pool_of(slot);
  notice(pool, step); /* a keeper that came to rest meanwhile has not flagged it */
  if (word & DOOMED)
    dismiss_idle(slot, word, doom_of(slot), step);
  else
    engine_idle(pool, slot, word, step);
}

static void make_idle(struct slot *slot, struct step *step)
{
  settle_idle(slot, become_idle(pool_of(slot), slot), step);
}

/* Under the lock: leaves the reset or close of a slot to those who do the chores. */
static void do_later(struct pool *pool, struct slot *slot, struct step *step)
{
  slot->next = slot_link(pool->unclean);
  pool->unclean = slot;
  step->opener_wanted = true;
}

static void reset_later(struct pool *pool, struct slot *slot, struct step *step)
{
  pthread_mutex_lock(&pool->lock);
  if (closed(pool))
    dismiss(slot, POOL_REASON_CLOSED, step); /* who closed it has looked for what is unclean already, perhaps */
  else
    do_later(pool, slot, step);
  engine_unlock(pool);
}

void engine_do_later(struct pool *pool, struct step *step)
{
  struct slot *slot = step->slot;
  *step = (struct step){0};
  pthread_mutex_lock(&pool->lock);
  do_later(pool, slot, step);
  attention_raise(pool, ATTENTION_UNCLEAN, pool->config.keeper == POOL_KEEPER_MANUAL && pool->config.openers == 0);
  if (closed(pool))
    tell_drainers(pool, step); /* who drains may have to do it */
  engine_unlock(pool);
}

bool engine_is_left_alone(struct pool *pool)
{
  uint32_t bits = ATTENTION_UNCLEAN | ATTENTION_OPENERLESS;
  if ((attention(pool) & bits) != bits)
    return false;
  pthread_mutex_lock(&pool->lock);
  bool alone = pool->openers == 0 && !engine_hopes(pool);
  engine_unlock(pool);
  return alone;
}

/* A lease of this slot has ended, and nothing is under way on it that the next user could meet. */
static void finish_return(struct slot *slot, struct step *step)
{
  struct pool *pool = pool_of(slot);
  uint64_t word = atomic_load(&slot->word);
  if (word & DOOMED) {
    dismiss(slot, doom_of(slot), step);
    engine_hope_less(pool, step);
  } else if (closed(pool))
    dismiss(slot, POOL_REASON_CLOSED, step);
  else if (!pool->can_reset)
    make_idle(slot, step);
  else if (pool->config.background_reset)
    reset_later(pool, slot, step);
  else
    ask(step, POOL_WORK_RESET, POOL_REASON_NONE, slot, word);
}

/* Whether the next user, a reset or a close could meet a call of this lease. */
static bool waits_for_calls(struct pool *pool, uint64_t word)
{
  bool shared = (pool->vtable.flags & POOL_VTABLE_MULTIPLEXED) && !pool->can_reset && !(word & DOOMED);
  return (word & CALL_MASK) && !shared;
}

static int64_t held(struct slot *slot, uint64_t word)
{
  bool known = atomic_load(&watch_of(slot)->word) == (word & (GENERATION_MASK | STATE_MASK));
  return known ? watch_age(slot, clock_boot()) : -1;
}

static char *take_tag(struct pool *pool, struct slot *slot)
{
  pthread_mutex_lock(&pool->lock);
  char *tag = extra_of(slot)->tag;
  extra_of(slot)->tag = NULL;
  engine_unlock(pool);
  return tag;
}

void engine_note_put(struct pool *pool, struct slot *slot, uint64_t word)
{
  if (pool->trust_ns)
    watch_see(slot, word, clock_boot());
}

int engine_take_back(struct slot *slot, pool_lease_t lease, struct ending *ending)
{
  uint64_t word = atomic_load(&slot->word);
  uint64_t next;
  do {
    if ((word & GENERATION_MASK) != lease_generation(lease) || state_of(word) != LEASED)
      return POOL_E_STALE;
    next = generation_next(without_resting(word) & ~STATE_MASK) | RETURNING;
  } while (!atomic_compare_exchange_weak(&slot->word, &word, next));
  /* Else it will not be: a look that sees it only now finds that the word has changed. */
  bool leaked = atomic_load(&watch_of(slot)->leak) && atomic_exchange(&watch_of(slot)->leak, LEAK_NONE) == LEAK_TOLD;
  bool matters = is_sampled(lease) || leaked || (attention(pool_of(slot)) & ATTENTION_EVENTS);
  *ending = (struct ending){.lease = lease,
                            .held_ns = matters ? held(slot, word) : -1,
                            .connection = atomic_load(&slot->connection),
                            .holder = atomic_load(&slot->holder),
                            .leaked = leaked,
                            .noticed = word & RESTING,
                            .tag = word & CAREFUL ? take_tag(pool_of(slot), slot) : NULL};
  engine_note_put(pool_of(slot), slot, (next & GENERATION_MASK) | IDLE);
  return 0;
}

void engine_settle_return(struct slot *slot, const struct ending *ending, struct step *step)
{
  struct pool *pool = pool_of(slot);
  if (ending->noticed)
    notice(pool, step);
  if (is_sampled(ending->lease) && ending->held_ns >= 0) {
    pthread_mutex_lock(&pool->lock);
    histogram_add(&pool->use, ending->held_ns);
    pthread_mutex_unlock(&pool->lock);
  }
  /* With calls under way the last of them finishes the return, and from then on the slot is not ours. */
  uint64_t word = atomic_load(&slot->word);
  while (waits_for_calls(pool, word))
    if (atomic_compare_exchange_weak(&slot->word, &word, word | AWAITED))
      return;
  finish_return(slot, step);
}

int engine_end(struct slot *slot, pool_lease_t lease, struct step *step)
{
  struct ending ending;
  int code = engine_take_back(slot, lease, &ending);
  if (code)
    return code;
  free(ending.tag);
  engine_settle_return(slot, &ending, step);
  return 0;
}

/* ---- get ---- */

void engine_return_unused(struct pool *pool, pool_lease_t lease, struct step *step)
{
  struct ending ending;
  struct slot *slot = slot_of(lease);
  uint64_t word = lease_generation(lease);
  int64_t since = pool->trust_ns ? watch_idle_since(pool, slot, word) : 0;
  count_vain_lease(pool);
  if (engine_take_back(slot, lease, &ending)) {
    count_no_vain_lease(pool);
    return;
  }
  if (pool->trust_ns)
    watch_was_unused(slot, generation_next(word), since);
  free(ending.tag);
  engine_settle_return(slot, &ending, step);
}

/* Closing and pausing must not be missed.  Fairness may: it was looked at before, so each thread overtakes once at
   most; and to give the lease back would serve somebody, whom the step could not name beside the one that the get may
   serve next. */
static pool_lease_t keep(struct pool *pool, pool_lease_t lease, struct step *step)
{
  if (!lease || !(attention(pool) & ATTENTION_NOT_LENDING))
    return lease;
  engine_return_unused(pool, lease, step);
  return 0;
}

pool_lease_t engine_take_idle(struct pool *pool, struct step *step)
{
  if (attention(pool) & ATTENTION_NOT_NOW)
    return 0;
  pool_lease_t lease = keep(pool, engine_lend_any(pool, step), step);
  if (step->restored && (attention(pool) & ATTENTION_WAITERS))
    serve_unlocked(pool, step); /* a waiter may have missed a block whose row had no bit for a moment (bitmap.h) */
  return lease;
}

/* Whether a get that finds the breaker open may be the probe: if nobody else comes to be it. */
static bool may_probe(struct pool *pool)
{
  return pool->config.openers == 0 && (pool->stepped || !atomic_load(&pool->keeper_runs)) &&
         engine_has_room(pool, false);
}

/* The breaker is open: a get may still wait for what is open, but nothing is opened for it. */
static pool_lease_t begin_tripped(struct pool *pool, struct step *step)
{
  step->opener_wanted = engine_has_room(pool, true); /* the probe is due, and perhaps nobody keeps the time */
  return engine_hopes(pool) ? POOL_E_TIMEOUT : POOL_E_OPEN;
}

/* Under the lock.  POOL_E_TIMEOUT: there is nothing for a get that does not wait. */
static pool_lease_t begin_unqueued(struct pool *pool, bool wary, bool waits, struct step *step)
{
  if (closed(pool))
    return POOL_E_CLOSED;
  if (attention(pool) & ATTENTION_NOT_NOW)
    return POOL_E_TIMEOUT;
  /* Once more, for an open that was under way may have ended since the caller looked, and ends under the lock. */
  pool_lease_t lease = wary ? engine_lend_clean(pool, step) : engine_lend_any(pool, step);
  if (lease || step->work)
    return lease;
  if (pool->breaker.open && !may_probe(pool))
    return begin_tripped(pool, step);
  if (!engine_has_room(pool, false)) {
    bool wishes = !waits && pool->unclean; /* what is closed makes room for the next */
    pool->wished = pool->wished || wishes;
    step->opener_wanted = step->opener_wanted || wishes;
    return POOL_E_TIMEOUT;
  }
  bool helpless = pool->openers == 0 && (attention(pool) & ATTENTION_OPENERLESS);
  if (pool->config.openers == 0 || helpless)
    return engine_reserve_locked(pool, step) ? 0 : POOL_E_NOMEM;
  pool->wished = pool->wished || (!waits && pool->openers_opening <= pool->queue.patient);
  step->opener_wanted = true;
  return POOL_E_TIMEOUT;
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

pool_lease_t engine_begin(struct pool *pool, bool wary, bool waits, struct step *step)
{
  *step = (struct step){0};
  pthread_mutex_lock(&pool->lock);
  pool_lease_t result = begin_unqueued(pool, wary, waits, step);
  engine_unlock(pool);
  return result;
}

pool_lease_t engine_wait(struct pool *pool, struct waiter *waiter, struct step *step)
{
  *step = (struct step){0};
  pthread_mutex_lock(&pool->lock);
  pool_lease_t result = queue_begin(pool, waiter, step);
  engine_unlock(pool);
  return result;
}

/* ---- work ---- */

static void note_success(struct pool *pool, struct step *step)
{
  pool->refill_at_ns = 0;
  if (pool->breaker.failures == 0)
    return;
  step->breaker_closed = breaker_succeeded(&pool->breaker);
  attention_raise(pool, ATTENTION_TRIPPED, false);
  engine_want_keeper(pool, step);
}

/* A caller's own short deadline says nothing about the server, nor does a lack of memory here. */
static bool is_telling(struct pool *pool, const struct outcome *outcome)
{
  int32_t code = outcome->error && outcome->lend ? outcome->error->code : POOL_E_OPEN;
  return code == POOL_E_OPEN ||
         (code == POOL_E_TIMEOUT && (!outcome->cut_short || outcome->took_ns >= pool->config.retry_max_ms * 1000000));
}

static void note_failure(struct pool *pool, const struct outcome *outcome, struct step *step)
{
  static const pool_error_t unknown = {sizeof unknown, POOL_E_OPEN, 0, "open failed without saying why"};
  if (pool->config.retry_min_ms <= 0)
    pool->refill_at_ns = clock_now() + REFILL_PAUSE_NS;
  if (!is_telling(pool, outcome)) {
    if (pool->breaker.failures > 0)
      engine_want_keeper(pool, step); /* while this was being opened there was no moment to try again */
    return;
  }
  pool_error_t cause = outcome->error ? *outcome->error : unknown;
  cause.code = POOL_E_OPEN;
  int64_t now = clock_now();
  int64_t began = outcome->took_ns > 0 ? now - outcome->took_ns : now;
  if (breaker_failed(&pool->breaker, &pool->config, began, now, &cause)) {
    step->breaker_opened = true;
    pool->counts.breaker_opened++;
    attention_raise(pool, ATTENTION_TRIPPED, true);
  }
  engine_want_keeper(pool, step); /* there is a moment to try again */
}

static pool_lease_t done_open(struct pool *pool, struct slot *slot, const struct outcome *outcome, struct step *step)
{
  pool_lease_t result = 0;
  uint64_t idle = 0;
  pthread_mutex_lock(&pool->lock);
  pool->opening--;
  if (!outcome->succeeded) {
    pool->counts.open_failures++;
    note_failure(pool, outcome, step);
    vacate(pool, slot, step);
    queue_serve(pool, step);
    if (outcome->until_ns)
      result = engine_wait_on(pool, outcome, step);
    if (result < 0)
      count_failed_get_locked(pool, result, false); /* other gets are counted by event_get_ended() */
  } else {
    pool->counts.opened++;
    if (outcome->took_ns >= 0)
      histogram_add(&pool->open_time, outcome->took_ns);
    atomic_store(&slot->conn, outcome->conn);
    if (pool->needs_watch)
      watch_begin(pool, slot, clock_boot(), outcome->took_ns);
    note_success(pool, step);
    if (closed(pool)) {
      dismiss(slot, POOL_REASON_CLOSED, step);
      result = POOL_E_CLOSED;
      if (pool->stepped && outcome->lend)
        count_failed_get_locked(pool, POOL_E_CLOSED, false);
    } else if (atomic_load(&slot->word) & DOOMED) {
      dismiss(slot, doom_of(slot), step); /* flushed while it was being opened */
      queue_serve(pool, step);            /* a waiter may have hoped for it */
    } else if (outcome->lend && !(attention(pool) & ATTENTION_PAUSED)) {
      uint64_t word = move(slot, pool->lend & LENT_AS, 0, LEASED);
      result = lease_of(slot, word);
      queue_serve(pool, step); /* one fewer is being opened */
    } else {
      idle = become_idle(pool, slot); /* under the lock: a get that comes next finds it before it opens another */
    }
  }
  engine_unlock(pool);
  if (idle)
    settle_idle(slot, idle, step);
  return result;
}

static void count_check(struct pool *pool, const struct outcome *outcome, struct step *step)
{
  pthread_mutex_lock(&pool->lock);
  pool->counts.checks++;
  pool->counts.check_failures += !outcome->succeeded;
  if (outcome->took_ns >= 0)
    histogram_add(&pool->check_time, outcome->took_ns);
  /* Else it tells nothing: a server may refuse the new and keep the old. */
  if (outcome->succeeded && is_full(pool))
    note_success(pool, step);
  if (atomic_exchange(&pool->probing, false) && pool->breaker.open)
    queue_serve(pool, step); /* the next that is suspect may be checked */
  engine_unlock(pool);
}

/* Whoever closes the slot, now or later, tells why.  Its owner writes this, and out of memory nothing is told. */
static void keep_cause(struct pool *pool, struct slot *slot, const pool_error_t *cause)
{
  struct extra *extra = extra_of(slot);
  if (!pool->config.events || !cause || (!extra->cause && !(extra->cause = malloc(sizeof *cause))))
    return;
  *extra->cause = *cause;
}

/* A connection that was checked in the background goes to the first waiter if that is one that cannot look for itself:
   it may be the one that the check was for.  Returns whether it did. */
static bool hand_checked(struct pool *pool, struct slot *slot, struct step *step)
{
  pthread_mutex_lock(&pool->lock);
  struct waiter *waiter = pool->queue.first;
  bool given = waiter && waiter->kind == WAITER_ASYNC && !(attention(pool) & ATTENTION_NOT_LENDING) &&
               !(atomic_load(&slot->word) & DOOMED);
  if (given) {
    if (pool->trust_ns)
      watch_trust(pool, slot);
    queue_settle(pool, waiter, lease_of(slot, move(slot, pool->lend & LENT_AS, DUE, LEASED)), clock_now());
    queue_wake(pool, waiter, step);
    queue_serve(pool, step);
  }
  engine_unlock(pool);
  return given;
}

/* Whether an idle connection would have been checked before its next lease, or in the background by now, whether or not
   somebody has marked it so. */
static bool is_suspect(struct pool *pool, struct slot *slot, uint64_t word)
{
  int32_t reason;
  if ((word & DUE) || atomic_load(&watch_of(slot)->wants_check) != CHECK_NONE)
    return true;
  return pool->trust_ns && engine_is_doubtful(pool, lease_of(slot, word)) &&
         watch_judge(pool, slot, word, false, &reason) == TO_BE_CHECKED;
}

int64_t engine_newest(struct pool *pool)
{
  pthread_mutex_lock(&pool->lock);
  int64_t newest = pool->connections;
  pthread_mutex_unlock(&pool->lock);
  return newest;
}

/* One connection was found dead.  Those that were suspect as well are taken for dead, for to check them one by one
   would cost one get after the other; those that were not are suspect from now on.  What was opened after the check
   began is spared: the server was there again by then. */
static void condemn(struct pool *pool, int64_t newest, struct step *step)
{
  struct scan scan = scan_begin(&pool->rows);
  for (struct slot *slot; (slot = scan_next(&scan));) {
    uint64_t word = atomic_load(&slot->word);
    bool marked = false, suspect = false;
    while (engine_is_lendable(word) && atomic_load(&slot->connection) <= newest && !marked) {
      if ((suspect = is_suspect(pool, slot, word)))
        atomic_store(&watch_of(slot)->reason, POOL_REASON_CHECK);
      marked = atomic_compare_exchange_weak(&slot->word, &word, suspect ? word | DOOMED : word | DUE);
    }
    if (marked && suspect) {
      atomic_store(&pool->chores, true);
      step->opener_wanted = true;
    }
  }
  atomic_store(&pool->suspicion, false);
}

static pool_lease_t done_check(struct pool *pool, struct slot *slot, const struct outcome *outcome, struct step *step)
{
  int32_t reason;
  count_check(pool, outcome, step);
  if (!outcome->succeeded) {
    if (!outcome->cut_short)
      condemn(pool, outcome->newest, step);
    keep_cause(pool, slot, outcome->error);
    dismiss(slot, POOL_REASON_CHECK, step);
    serve_unlocked(pool, step); /* a waiter may have hoped for it */
    return 0;
  }
  if (atomic_load(&pool->suspicion) && !engine_ask_check(pool, step))
    atomic_store(&pool->suspicion, false);
  if (pool->needs_watch)
    atomic_store(&watch_of(slot)->checked_ns, clock_boot());
  uint64_t word = atomic_load(&slot->word);
  if (word & DOOMED) {
    dismiss(slot, doom_of(slot), step);
    serve_unlocked(pool, step); /* a waiter may have hoped for it */
    return 0;
  }
  if (is_over(pool, slot, word, &reason)) {
    dismiss(slot, reason, step);
    serve_unlocked(pool, step); /* a waiter may have hoped for it */
    return 0;
  }
  if (!outcome->lend) {
    if (!hand_checked(pool, slot, step))
      make_idle(slot, step);
    return 0;
  }
  word = move(slot, pool->lend & LENT_AS, DUE, LEASED);
  if (pool->trust_ns)
    watch_trust(pool, slot);
  notice(pool, step);
  return keep(pool, lease_of(slot, word), step);
}

static void done_reset(struct pool *pool, struct slot *slot, const struct outcome *outcome, struct step *step)
{
  pthread_mutex_lock(&pool->lock);
  pool->counts.resets++;
  pool->counts.reset_failures += !outcome->succeeded;
  pthread_mutex_unlock(&pool->lock);
  if (outcome->succeeded) {
    make_idle(slot, step);
  } else {
    keep_cause(pool, slot, outcome->error);
    dismiss(slot, POOL_REASON_RESET, step);
    engine_hope_less(pool, step);
  }
}

static void count_close(struct pool *pool, int32_t reason, bool succeeded)
{
  struct counts *counts = &pool->counts;
  counts->closed++;
  counts->close_failures += !succeeded;
  counts->closed_unusable += reason == POOL_REASON_UNUSABLE;
  counts->closed_surplus += reason == POOL_REASON_SURPLUS;
  counts->closed_idle += reason == POOL_REASON_IDLE;
  counts->closed_lifetime += reason == POOL_REASON_LIFETIME;
  counts->closed_flushed += reason == POOL_REASON_FLUSHED;
  counts->closed_resized += reason == POOL_REASON_RESIZED;
}

static void done_close(struct pool *pool, struct slot *slot, bool succeeded, struct step *step)
{
  pthread_mutex_lock(&pool->lock);
  count_close(pool, atomic_load(&watch_of(slot)->reason), succeeded);
  vacate(pool, slot, step);
  queue_serve(pool, step);
  trim_any(pool, step);
  engine_unlock(pool);
}

static bool is_at_work(uint64_t word)
{
  enum slot_state state = state_of(word);
  return state == OPENING || state == CHECKING || state == CLOSING || (state == RETURNING && !(word & AWAITED));
}

/* One claim, one report: the generation grows with it, so of two threads that report one claim the second is stale, and
   so is a late one when the slot has other work.  Returns the state that the slot was in, or EMPTY. */
static enum slot_state take_report(struct slot *slot, pool_lease_t claim)
{
  uint64_t word = atomic_load(&slot->word);
  struct pool *counted = NULL;
  do {
    if ((word & GENERATION_MASK) != lease_generation(claim) || !is_at_work(word)) {
      if (counted)
        count_no_vain_lease(counted);
      return EMPTY;
    }
    if (!counted)
      count_vain_lease(counted = pool_of(slot));
  } while (!atomic_compare_exchange_weak(&slot->word, &word, generation_next(word)));
  watch_follow(slot, word, generation_next(word));
  return state_of(word);
}

/* What was noted when the step API was asked for this work. */
static void read_extra(struct slot *slot, enum slot_state state, struct outcome *outcome)
{
  struct extra *extra = extra_of(slot);
  outcome->until_ns = atomic_exchange(&extra->until_ns, 0);
  outcome->since_ns = atomic_load(&extra->waits_ns);
  if (state == OPENING || state == CHECKING)
    outcome->lend = outcome->lend && !atomic_exchange(&extra->for_nobody, 0);
}

pool_lease_t engine_done(pool_lease_t claim, const struct outcome *outcome, struct step *step)
{
  *step = (struct step){0};
  struct slot *slot = slot_find(claim);
  enum slot_state state = slot ? take_report(slot, claim) : EMPTY;
  if (state == EMPTY)
    return POOL_E_STALE;
  struct pool *pool = pool_of(slot);
  struct outcome own = *outcome;
  if (pool->stepped)
    read_extra(slot, state, &own);
  switch (state) {
  case OPENING:
  case CHECKING:
    return state == OPENING ? done_open(pool, slot, &own, step) : done_check(pool, slot, &own, step);
  case RETURNING:
    done_reset(pool, slot, outcome, step);
    return 0;
  default:
    done_close(pool, slot, outcome->succeeded, step);
    return 0;
  }
}

/* ---- chores ---- */

bool engine_reserve(struct pool *pool, struct step *step)
{
  *step = (struct step){0};
  pthread_mutex_lock(&pool->lock);
  bool reserved = engine_reserve_locked(pool, step);
  engine_unlock(pool);
  return reserved;
}

/* Something that can be done for an idle slot that is marked. */
static bool tend(struct pool *pool, struct slot *slot, struct step *step)
{
  int32_t reason;
  uint64_t word = atomic_load(&slot->word);
  if (state_of(word) != IDLE || !slot_is_of(slot, pool))
    return false;
  if (word & DOOMED)
    return dismiss_idle(slot, word, doom_of(slot), step) && step->work;
  _Atomic uint8_t *wants_check = &watch_of(slot)->wants_check;
  uint8_t wanted = atomic_load(wants_check) ? atomic_exchange(wants_check, CHECK_NONE) : CHECK_NONE;
  if (wanted == CHECK_NONE)
    return false;
  if (is_over(pool, slot, word, &reason))
    return dismiss_idle(slot, word, reason, step) && step->work;
  if (!pool->can_check)
    return false;
  /* A look may have marked it while it was being checked. */
  if (wanted == CHECK_KEEPALIVE && !watch_is_keepalive_due(&pool->config, slot, clock_boot()))
    return false;
  while (state_of(word) == IDLE && !(word & DOOMED) && slot_is_of(slot, pool))
    if (check_idle(pool, slot, &word, step))
      return true;
  return false;
}

static bool next_marked(struct pool *pool, struct scan *cursor, struct step *step)
{
  *step = (struct step){0};
  for (;;) {
    for (struct slot *slot; cursor->block && (slot = scan_next(cursor));)
      if (tend(pool, slot, step))
        return true;
    /* Lowered before the scan: what is marked meanwhile is seen by it, or raises it again. */
    if (!atomic_exchange(&pool->chores, false))
      return false;
    *cursor = scan_all(&pool->rows);
  }
}

bool engine_next_doomed(struct scan *cursor, struct step *step)
{
  *step = (struct step){0};
  for (struct slot *slot; cursor->block && (slot = scan_next(cursor));) {
    uint64_t word = atomic_load(&slot->word);
    if ((word & DOOMED) && scan_owns(cursor, slot) && dismiss_idle(slot, word, doom_of(slot), step) && step->work)
      return true;
  }
  return false;
}

/* The next reset or close that somebody left to others. */
static bool next_unclean(struct pool *pool, struct step *step)
{
  struct slot *slot = pool->unclean;
  if (!slot)
    return false;
  pool->unclean = slot_listed(slot->next);
  attention_raise(pool, ATTENTION_UNCLEAN, pool->unclean && (attention(pool) & ATTENTION_UNCLEAN));
  if (!pool->unclean && pool->config.openers == 0)
    pool->wished = false; /* it was for a place */
  uint64_t word = atomic_load(&slot->word);
  if (state_of(word) == CLOSING)
    ask(step, POOL_WORK_CLOSE, atomic_load(&watch_of(slot)->reason), slot, word);
  else if (word & DOOMED)
    dismiss(slot, doom_of(slot), step);
  else if (closed(pool))
    dismiss(slot, POOL_REASON_CLOSED, step);
  else
    ask(step, POOL_WORK_RESET, POOL_REASON_NONE, slot, word);
  return true;
}

bool engine_next_unclean(struct pool *pool, struct step *step)
{
  *step = (struct step){0};
  pthread_mutex_lock(&pool->lock);
  bool found = next_unclean(pool, step);
  engine_unlock(pool);
  return found;
}

int64_t engine_retry_at(struct pool *pool)
{
  int32_t waiting = pool->config.openers > 0 ? pool->queue.patient : pool->queue.asynchronous;
  return waiting > 0 && pool->breaker.failures > 0 && !closed(pool) ? pool->breaker.retry_at_ns : POOL_NO_DEADLINE;
}

static bool open_is_wanted(struct pool *pool, bool for_waiters)
{
  if (pool->resuming || !engine_has_room(pool, true))
    return false;
  if (engine_needs_probe(pool) || engine_needs_refill(pool))
    return true;
  if (!for_waiters)
    return false;
  int32_t wanting = pool->config.openers > 0 ? pool->queue.patient + pool->wished : pool->queue.asynchronous;
  return wanting > pool->openers_opening && !engine_any_idle(pool);
}

/* A hand for a chore: false if there is none to do, or all are busy with others. */
static bool take_hand(struct pool *pool, const struct scan *cursor)
{
  pthread_mutex_lock(&pool->lock);
  bool pending = pool->unclean || cursor->block || atomic_load(&pool->chores);
  bool taken = pending && pool->chores_doing < engine_hands(pool);
  pool->chores_doing += taken;
  pthread_mutex_unlock(&pool->lock);
  return taken;
}

void engine_chore_done(struct pool *pool)
{
  pthread_mutex_lock(&pool->lock);
  pool->chores_doing--;
  pthread_mutex_unlock(&pool->lock);
}

static bool next_open_is_wanted(struct pool *pool, bool for_waiters)
{
  pthread_mutex_lock(&pool->lock);
  bool wanted = open_is_wanted(pool, for_waiters);
  pthread_mutex_unlock(&pool->lock);
  return wanted;
}

static bool next_open(struct pool *pool, bool for_waiters, struct step *step)
{
  pthread_mutex_lock(&pool->lock);
  bool wanted = !pool->stepped && pool->openers_opening < engine_hands(pool) && open_is_wanted(pool, for_waiters) &&
                engine_reserve_locked(pool, step);
  pool->openers_opening += wanted;
  pool->wished = pool->wished && pool->openers_opening <= pool->queue.patient;
  if (wanted && open_is_wanted(pool, for_waiters))
    step->opener_wanted = true; /* another opener can help */
  engine_unlock(pool);
  return wanted;
}

int32_t engine_hands_wanted(struct pool *pool)
{
  bool chores = pool->unclean || atomic_load(&pool->chores);
  bool opens = open_is_wanted(pool, true) || engine_retry_at(pool) != POOL_NO_DEADLINE;
  return (opens ? engine_hands(pool) : pool->openers_opening) + (chores ? engine_hands(pool) : pool->chores_doing);
}

bool engine_next_chore(struct pool *pool, struct scan *cursor, bool for_waiters, struct step *step)
{
  *step = (struct step){0};
  if (take_hand(pool, cursor)) {
    pthread_mutex_lock(&pool->lock);
    bool found = next_unclean(pool, step);
    bool more = pool->unclean != NULL;
    engine_unlock(pool);
    if (found || next_marked(pool, cursor, step)) {
      /* While this one is busy, another may open, or reset what else there is. */
      step->opener_wanted = more || next_open_is_wanted(pool, for_waiters);
      return true;
    }
    engine_chore_done(pool);
  }
  return next_open(pool, for_waiters, step);
}

void engine_open_failed(struct pool *pool, const pool_error_t *error, struct step *step)
{
  *step = (struct step){0};
  pthread_mutex_lock(&pool->lock);
  queue_refuse_older(pool, error, clock_now());
  queue_serve(pool, step);
  attention_raise(pool, ATTENTION_UNCLEAN, pool->unclean || (attention(pool) & ATTENTION_UNCLEAN));
  engine_unlock(pool);
}

void engine_opener_done(struct pool *pool, int code, const pool_error_t *error, int64_t began, struct step *step)
{
  *step = (struct step){0};
  pthread_mutex_lock(&pool->lock);
  pool->openers_opening--;
  /* Where opens are tried again, the waiters wait for that. */
  if (code && pool->config.retry_min_ms <= 0) {
    queue_refuse_older(pool, error, began);
    queue_serve(pool, step);
  }
  engine_unlock(pool);
}

/* Whether somebody wants the next try of a failed open. */
static bool wants_retry(struct pool *pool)
{
  return pool->config.retry_min_ms > 0 && pool->breaker.failures > 0 && pool->opening == 0 &&
         (pool->breaker.open || pool->queue.first || config_refills(&pool->config));
}

void engine_look(struct pool *pool, struct look *look, struct step *step)
{
  *step = (struct step){0};
  *look = (struct look){.now = clock_now(), .boot = clock_boot(), .due_ns = POOL_NO_DEADLINE};
  if (!pool->needs_watch || closed(pool))
    return;
  pthread_mutex_lock(&pool->lock);
  look->open = pool->open;
  if (config_refills(&pool->config) && pool->refill_at_ns > look->now)
    look->due_ns = pool->refill_at_ns;
  if (wants_retry(pool)) {
    if (pool->breaker.retry_at_ns > look->now)
      look->due_ns = look->due_ns < pool->breaker.retry_at_ns ? look->due_ns : pool->breaker.retry_at_ns;
    else if (engine_has_room(pool, true)) /* else whoever makes room serves */
      look->chores = !pool->stepped || pool->breaker.open || (pool->queue.first && !pool->queue.first->nudged);
    if (!pool->stepped)
      queue_serve(pool, step); /* else pool_step_next() does, which can say whom to wake */
  }
  look->chores = look->chores || engine_needs_refill(pool) || (pool->stepped && atomic_load(&pool->chores));
  engine_unlock(pool);
  watch_look(pool, look);
  engine_hope_less(pool, step); /* what is too old may have been the last */
  if (look->chores) {
    atomic_store(&pool->chores, true);
    step->opener_wanted = true;
  }
}

bool engine_next_leak(struct pool *pool, struct scan *cursor, struct leak *leak)
{
  bool found = false;
  int64_t now = clock_boot();
  pthread_mutex_lock(&pool->lock);
  for (struct slot *slot; !found && cursor->block && (slot = scan_next(cursor));) {
    struct watch *watch = watch_of(slot);
    uint64_t word = atomic_load(&slot->word);
    uint8_t state = LEAK_FOUND;
    found = atomic_load(&watch->leak) == LEAK_FOUND && state_of(word) == LEASED &&
            atomic_compare_exchange_strong(&watch->leak, &state, LEAK_TOLD);
    if (!found)
      continue;
    *leak = (struct leak){.lease = lease_of(slot, word),
                          .held_ns = watch_age(slot, now),
                          .connection = atomic_load(&slot->connection),
                          .holder = atomic_load(&slot->holder)};
    const char *tag = extra_of(slot)->tag;
    text_copy(leak->tag, sizeof leak->tag, tag ? tag : "");
    pool->counts.leaked++;
  }
  engine_unlock(pool);
  return found;
}

bool engine_cause(struct pool *pool, pool_error_t *error)
{
  pthread_mutex_lock(&pool->lock);
  *error = pool->breaker.cause;
  bool failing = pool->breaker.failures > 0;
  engine_unlock(pool);
  return failing;
}

/* ---- library threads ---- */

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
  if (closed(pool))
    tell_drainers(pool, step);
  engine_unlock(pool);
}

/* ---- control ---- */

/* Dooms whatever is open or being opened in a slot. */
static bool doom(const struct scan *scan, struct slot *slot, uint8_t reason)
{
  uint64_t word = atomic_load(&slot->word);
  for (;;) {
    if (state_of(word) == EMPTY || state_of(word) == CLOSING || (word & DOOMED) || !scan_owns(scan, slot))
      return false;
    atomic_store(&watch_of(slot)->reason, reason);
    if (atomic_compare_exchange_weak(&slot->word, &word, word | DOOMED))
      return true;
  }
}

int32_t engine_flush(struct pool *pool)
{
  int32_t count = 0;
  struct scan scan = scan_all(&pool->rows);
  for (struct slot *slot; (slot = scan_next(&scan));)
    count += doom(&scan, slot, POOL_REASON_FLUSHED);
  atomic_store(&pool->chores, true);
  return count;
}

int32_t engine_resize(struct pool *pool, int32_t max_open, struct step *step)
{
  *step = (struct step){0};
  pthread_mutex_lock(&pool->lock);
  int32_t left = POOL_E_CLOSED;
  if (!closed(pool)) {
    pool->max_open = max_open;
    pool->max_idle = config_max_idle(&pool->config, max_open);
    refresh_surplus(pool);
    left = excess(pool, INT32_MAX);
    struct scan scan = scan_begin(&pool->rows);
    for (struct slot *slot; left > 0 && (slot = scan_next(&scan));) {
      uint64_t word = atomic_load(&slot->word);
      /* What is idle is closed by whoever comes first, as the chores are. */
      left -= state_of(word) == IDLE && doom(&scan, slot, POOL_REASON_RESIZED);
    }
    atomic_store(&pool->chores, true);
    if (!pool->stepped)
      queue_serve(pool, step);
  }
  engine_unlock(pool);
  return left;
}

int engine_evict(struct pool *pool, int64_t moment, struct step *step)
{
  *step = (struct step){0};
  pthread_mutex_lock(&pool->lock);
  pool->evicting = attention(pool) & ATTENTION_PAUSED;
  int ended = queue_evict(pool, moment, step);
  engine_unlock(pool);
  return ended;
}

int engine_pause(struct pool *pool, bool *first)
{
  int busy = POOL_E_CLOSED;
  pthread_mutex_lock(&pool->lock);
  *first = pool->pauses == 0;
  if (!closed(pool)) {
    pool->pauses++;
    attention_raise(pool, ATTENTION_PAUSED, true);
    busy = engine_busy_count(pool);
  }
  engine_unlock(pool);
  return busy;
}

int engine_resume(struct pool *pool)
{
  int left = POOL_E_INVALID;
  pthread_mutex_lock(&pool->lock);
  if (pool->pauses > 0) {
    left = --pool->pauses;
    pool->resuming = left == 0;
    pool->evicting = pool->evicting && left > 0;
    attention_raise(pool, ATTENTION_PAUSED, left > 0);
  }
  engine_unlock(pool);
  return left;
}

void engine_resumed(struct pool *pool, struct step *step)
{
  *step = (struct step){0};
  pthread_mutex_lock(&pool->lock);
  pool->resuming = false;
  if (!pool->stepped)
    queue_serve(pool, step); /* else pool_step_next() does, which can say whom to wake */
  step->opener_wanted = step->opener_wanted || pool->wished; /* meanwhile */
  engine_unlock(pool);
}

/* ---- closing ---- */

/* Who closes a pool will ask who holds what, and for how long. */
static void see_leases(struct pool *pool)
{
  int64_t now = clock_boot();
  struct scan scan = scan_all(&pool->rows);
  for (struct slot *slot; (slot = scan_next(&scan));) {
    uint64_t word = atomic_load(&slot->word);
    if (state_of(word) == LEASED)
      watch_see(slot, word, now);
  }
}

bool engine_close(struct pool *pool)
{
  pthread_mutex_lock(&pool->lock);
  bool first = !closed(pool);
  attention_raise(pool, ATTENTION_CLOSED, true);
  see_leases(pool);
  engine_unlock(pool);
  return first;
}

static bool next_closing(struct pool *pool, struct scan *cursor, struct step *step)
{
  pthread_mutex_lock(&pool->lock);
  struct waiter *waiter = pool->queue.first;
  if (waiter) {
    queue_settle(pool, waiter, POOL_E_CLOSED, clock_now());
    queue_wake(pool, waiter, step);
  }
  bool found = waiter || next_unclean(pool, step);
  engine_unlock(pool);
  if (found)
    return true;
  /* Not before the pool was closed: a connection that was opened until then must be met. */
  if (!cursor->row)
    *cursor = scan_all(&pool->rows);
  for (struct slot *slot; cursor->block && (slot = scan_next(cursor));) {
    uint64_t word = atomic_load(&slot->word);
    if (scan_owns(cursor, slot) && dismiss_idle(slot, word, POOL_REASON_CLOSED, step) && step->work)
      return true;
  }
  return false;
}

bool engine_next(struct pool *pool, struct scan *cursor, struct step *step)
{
  *step = (struct step){0};
  if (closed(pool))
    return next_closing(pool, cursor, step);
  struct scan marked = {0};
  if (next_marked(pool, &marked, step)) {
    atomic_store(&pool->chores, true); /* the next call begins anew, for this scan ends with the first that it finds */
    atomic_store(&extra_of(step->slot)->for_nobody, step->work == POOL_WORK_CHECK);
    return true;
  }
  pthread_mutex_lock(&pool->lock);
  bool found = queue_tell_next(pool, step);
  if (!found) {
    queue_serve(pool, step);
    found = step->wake.ticket != 0;
  }
  if (!found && (engine_needs_refill(pool) || engine_needs_probe(pool)) && engine_reserve_locked(pool, step)) {
    atomic_store(&extra_of(step->slot)->for_nobody, 1);
    found = true;
  }
  engine_unlock(pool);
  return found;
}

/* ---- calls ---- */

int engine_call_begin(struct slot *slot, pool_lease_t lease)
{
  uint64_t word = atomic_load(&slot->word);
  uint64_t next;
  do {
    if ((word & GENERATION_MASK) != lease_generation(lease) || state_of(word) != LEASED)
      return POOL_E_STALE;
    if ((word & CALL_MASK) == CALL_MASK)
      return POOL_E_OVERLOAD;
    next = word + CALL_ONE;
    next |= next & CALL_MANY ? RESTING : 0; /* so that no fast path compares with it (slot.h) */
  } while (!atomic_compare_exchange_weak(&slot->word, &word, next));
  return 0;
}

void engine_call_end(struct slot *slot, bool broken, struct step *step)
{
  *step = (struct step){0};
  struct pool *pool = pool_of(slot);
  if (broken)
    engine_suspect(pool, step);
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
    dismiss_idle(slot, next, doom_of(slot), step);
  if (broken && !last)
    engine_hope_less(pool, step);
}

void engine_suspect(struct pool *pool, struct step *step)
{
  if (!pool->can_check)
    return;
  struct scan scan = scan_begin(&pool->rows);
  for (struct slot *slot; (slot = scan_next(&scan));) {
    uint64_t word = atomic_load(&slot->word);
    while (state_of(word) == IDLE && !(word & DUE) && scan_owns(&scan, slot) &&
           !atomic_compare_exchange_weak(&slot->word, &word, word | DUE))
      ;
  }
  /* In the background one after the other: the first that turns out to be dead speaks for the others.  Where each is
     checked before it is lent there is no need, and no end: they are always suspect. */
  if (pool->needs_watch && !pool->checks_all)
    atomic_store(&pool->suspicion, engine_ask_check(pool, step));
}

bool engine_ask_check(struct pool *pool, struct step *step)
{
  struct scan scan = scan_begin(&pool->rows);
  for (struct slot *slot; (slot = scan_next(&scan));) {
    uint64_t word = atomic_load(&slot->word);
    if (!engine_is_lendable(word) || !(word & DUE) || !scan_owns(&scan, slot) ||
        atomic_exchange(&watch_of(slot)->wants_check, CHECK_SUSPECT))
      continue;
    atomic_store(&pool->chores, true);
    step->opener_wanted = true;
    return true;
  }
  return false;
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
