/* SPDX-License-Identifier: MIT */
#include "slot/slot.h"

#include <pthread.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/contract.h"
#include "base/pages.h"

struct slot slots[SLOT_LIMIT];

/* Guards the free slots and the number of slots made.  Taken with a pool's lock held, never the other way round. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slot *free_slots;
static uint32_t slots_made = 1; /* slot 0 is never given */
static uint64_t first_word;

void slot_vacate(struct slot *slot)
{
  assert_that(state_of(slot_word(slot)) != EMPTY);
  atomic_store(&slot->conn, NULL);
  atomic_store(&slot->word, generation_next(slot_word(slot) & GENERATION_MASK) | EMPTY);
}

/* A slot passes to another pool: no lease of the pool before can be one of this, and the first is one that is timed. */
static void begin(struct slot *slot)
{
  uint64_t generation = slot_word(slot) & GENERATION_MASK;
  /* One before, for the report of the open moves it on; and one on in any case (I2). */
  uint64_t sampled = (generation + 2 * GENERATION_ONE + SAMPLE_MASK) & ~SAMPLE_MASK;
  atomic_store(&slot->word, (sampled - GENERATION_ONE) & GENERATION_MASK);
}

/* Where generations begin: at random, and not at 0, so that no small number is a lease. */
static uint64_t choose_first_word(void)
{
  uint32_t salt = 0;
  if (getrandom(&salt, sizeof salt, GRND_NONBLOCK) != sizeof salt)
    salt = (uint32_t)(((uint64_t)clock_now() ^ (uintptr_t)slots >> 12) * UINT64_C(0x9e3779b97f4a7c15) >> 32);
  return ((salt ? salt : 1) * (SAMPLE_MASK + GENERATION_ONE)) & GENERATION_MASK;
}

static struct slot *make(void)
{
  if (slots_made == 1) {
    pages_small(slots, sizeof slots);
    first_word = choose_first_word();
  }
  if (slots_made == SLOT_LIMIT)
    return NULL;
  struct slot *slot = &slots[slots_made++];
  atomic_store(&slot->word, first_word);
  return slot;
}

struct slot *slot_take(struct pool *pool, bool is_new)
{
  pthread_mutex_lock(&lock);
  struct slot *slot = free_slots;
  if (slot)
    free_slots = slot_listed(slot->next);
  else
    slot = make();
  pthread_mutex_unlock(&lock);
  if (slot && (is_new || !slot_is_of(slot, pool))) {
    atomic_store(&slot->pool, pool);
    begin(slot);
  }
  if (slot)
    slot->first_generation = slot_word(slot) & GENERATION_MASK;
  return slot;
}

void slot_give(struct slot *slot)
{
  assert_that(state_of(slot_word(slot)) == EMPTY);
  pthread_mutex_lock(&lock);
  slot->next = slot_link(free_slots);
  free_slots = slot;
  pthread_mutex_unlock(&lock);
}

void slot_table_lock(void)
{
  pthread_mutex_lock(&lock);
}

void slot_table_unlock(void)
{
  pthread_mutex_unlock(&lock);
}

bool slot_flag_lease(struct slot *slot, pool_lease_t lease, uint64_t flags)
{
  uint64_t word = slot_word(slot);
  while (slot_is_lease(word, lease))
    if (slot_raise(slot, &word, flags))
      return true;
  return false;
}

bool slot_take_back(struct slot *slot, pool_lease_t lease, uint64_t *before, uint64_t *after)
{
  *before = slot_word(slot);
  do {
    if (!slot_is_lease(*before, lease))
      return false;
    *after = generation_next(without_resting(*before) & ~STATE_MASK) | RETURNING;
  } while (!atomic_compare_exchange_weak(&slot->word, before, *after));
  return true;
}

int slot_begin_call(struct slot *slot, pool_lease_t lease)
{
  uint64_t word = slot_word(slot);
  uint64_t next;
  do {
    if (!slot_is_lease(word, lease))
      return POOL_E_STALE;
    if ((word & CALL_MASK) == CALL_MASK)
      return POOL_E_OVERLOAD;
    next = word + CALL_ONE;
    next |= next & CALL_MANY ? RESTING : 0; /* so that no fast path compares with it */
  } while (!atomic_compare_exchange_weak(&slot->word, &word, next));
  return 0;
}

uint64_t slot_end_call(struct slot *slot, uint64_t flags, bool *last)
{
  uint64_t word = slot_word(slot);
  uint64_t next;
  assert_that(slot_has_calls(word));
  do {
    next = (word - CALL_ONE) | flags;
    *last = (word & AWAITED) && !slot_has_calls(next);
    if (*last)
      next &= ~AWAITED;
  } while (!atomic_compare_exchange_weak(&slot->word, &word, next));
  return next;
}

bool slot_begin_check(struct slot *slot, uint64_t *word)
{
  uint64_t next = (without_resting(*word) & ~(STATE_MASK | DUE)) | CHECKING;
  bool begun = atomic_compare_exchange_strong(&slot->word, word, next);
  *word = begun ? next : *word;
  return begun;
}

bool slot_take_idle(struct slot *slot, uint64_t word)
{
  uint64_t generation = word & GENERATION_MASK;
  while (state_of(word) == IDLE && (word & GENERATION_MASK) == generation)
    if (atomic_compare_exchange_weak(&slot->word, &word, (word & ~(STATE_MASK | RESTING)) | CLOSING))
      return true;
  return false;
}

bool slot_begin_close(struct slot *slot, uint64_t *word)
{
  assert_that(state_of(*word) != EMPTY && state_of(*word) != IDLE);
  uint64_t state = slot_has_calls(*word) ? AWAITED | RETURNING : CLOSING;
  uint64_t next = (*word & ~(STATE_MASK | AWAITED | DUE)) | DOOMED | state;
  bool begun = atomic_compare_exchange_weak(&slot->word, word, next);
  *word = begun ? next : *word;
  return begun;
}

bool slot_end_work(struct slot *slot, int64_t claim, uint64_t *before)
{
  *before = slot_word(slot);
  while (slot_is_at(*before, claim) && slot_is_at_work(*before))
    if (atomic_compare_exchange_weak(&slot->word, before, generation_next(*before)))
      return true;
  return false;
}

uint64_t slot_move(struct slot *slot, uint64_t set, uint64_t clear, enum slot_state state)
{
  uint64_t word = slot_word(slot);
  uint64_t next;
  assert_that(state_of(word) != IDLE);
  do
    next = (word & ~STATE_MASK & ~clear) | set | state;
  while (!atomic_compare_exchange_weak(&slot->word, &word, next));
  return next;
}
