/* SPDX-License-Identifier: MIT */
/*
 * A slot is the place of one connection, and one word decides what happens to it.
 *
 * Shared: every slot's word, by every thread that holds or guesses a lease.
 *
 * The word is `generation | calls | flags | state`, and the generation has the same bits in the word as in a lease. All
 * that matters is a single compare-and-swap on it: the thread that moves it out of IDLE has the connection, and the one
 * that moves it out of LEASED with the right generation has given it back.  The generation grows each time a lease ends
 * or a slot is vacated, and a lease carries it, so a stale, doubled or forged lease fails the comparison and touches
 * nothing; no valid word has its two highest bits set, so neither does a number that is none.  After 2^42 leases of one
 * slot the generation begins anew.
 *
 * Slow actors (a broken call, a mark, a flush, the keeper, the closing of a pool) only set flags.  The fast paths
 * compare with a word without flags or calls, so whatever is unusual fails the comparison and takes the slow path:
 * policies cost the fast path nothing, not even a look.
 *
 * All slots of the process stand in one array, so that a lease's low bits are its slot, without a look at anything. The
 * array is zeroed memory that takes no pages before it is used.  A lease has room for 2^20 slots, and the array has
 * POOL_SLOTS of them, a power of two: a look at a stale or forged lease is always a look at a slot.  Bits of a lease's
 * index that no slot has are compared as if they were of its generation.  They stand where a word counts calls, so they
 * match only a word with so many calls that these bits are set, and such a word always has RESTING as well, which no
 * fast path compares with.  No pool has slot 0, so that no lease is 0.
 *
 * A pool takes a slot for each connection that it opens, and gives it back when the connection is closed.  Then the
 * slot may pass to another pool, while threads that looked at it before still go on.  What they do is harmless:
 *
 * - The generation grows whenever a slot is vacated, and by one more whenever it passes to another pool.  So no word
 * and no lease is ever the same in two pools, and whatever compares and swaps a word that it read in the one fails in
 * the other.
 * - A thread that meets a slot in a pool's blocks without the pool's lock first reads its word, then its pool
 * (slot_is_of).  The pool is written before the slot gets its first word there.  So if the pool is the right one,
 * either the word is of that pool, or it is an older one, with which no comparison succeeds any more.
 * - A home (home.h) holds a lease that its own pool would give, so its comparison cannot succeed in another.
 * - A put that has made the slot idle and then loses the processor may mark a block of the next pool, or a place in a
 *   block that is another slot's: a bit that is set in vain, which a scan clears.  It looks at the `attention` of the
 * pool whose block it has marked (idle.h says why), and leaves it alone if its slot is another's (decide/give.c).
 * - What else is noted of a slot (notes.h) are notes about the past.
 *
 * Two copies of the library in one process do not take each other's leases: each begins its generations at random.
 */
#ifndef SLOT_H
#define SLOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pool/pool.h>

struct block;

/* How many slots there are: a power of two, chosen when the library is built. */
#ifndef POOL_SLOTS
#define POOL_SLOTS (1u << 17)
#endif

#define INDEX_BITS       20 /* of a lease: a part of the ABI */
#define SLOT_LIMIT       ((uint32_t)(POOL_SLOTS))
#define SLOT_CACHE_LINE  64
#define GENERATION_SHIFT INDEX_BITS
#define GENERATION_ONE   ((uint64_t)1 << GENERATION_SHIFT)
#define GENERATION_END   ((uint64_t)1 << 62)
#define GENERATION_MASK  (GENERATION_END - GENERATION_ONE)
#define BELOW_GENERATION (GENERATION_ONE - 1)

enum slot_state {
  EMPTY,     /* no connection; a slot of zeroes is empty */
  OPENING,   /* somebody runs open */
  IDLE,      /* may be lent */
  LEASED,    /* lent */
  CHECKING,  /* somebody runs check, to lend it */
  RETURNING, /* put back, not clean yet: a call is under way or somebody runs reset */
  CLOSING    /* somebody runs close */
};

#define STATE_MASK ((uint64_t)7)
#define DOOMED     ((uint64_t)1 << 3) /* close it when it comes back */
#define DUE        ((uint64_t)1 << 4) /* check it before it is lent */
#define CAREFUL    ((uint64_t)1 << 5) /* lent by a pool that resets, or with a tag: its return takes the slow path */
#define AWAITED    ((uint64_t)1 << 6) /* put while calls are under way: the last of them finishes the return */
#define RESTING                                                                                                        \
  ((uint64_t)1 << 7) /* it is to be noticed when this is lent or put: the keeper sleeps, or the put is noted */
#define CALL_ONE  ((uint64_t)1 << 8)
#define CALL_MASK (GENERATION_ONE - CALL_ONE)
#define CALL_MANY (CALL_MASK & ~(uint64_t)(SLOT_LIMIT - 1)) /* where a lease might have bits of an index too high */

/* On a slot that is lent, DUE is free to say something else: lent by the step API, so that no put of the other API ends
   the lease, nor the other way round. */
#define STEPPED DUE
#define LENT_AS (CAREFUL | STEPPED)

/* One lease in 1024 is timed, the first of a new slot among them: what that costs is as much as twenty-five leases. */
#define SAMPLE_MASK (1023 * GENERATION_ONE)

struct pool;

struct slot {
  _Atomic uint64_t word;
  _Atomic(void *) conn;
  /* The next three change only while no pool owns the slot. */
  _Atomic(struct pool *) pool;
  _Atomic(struct block *) block;
  _Atomic uint64_t bit;       /* of the block's idle word */
  uint64_t first_generation;  /* when the pool took the slot; what it has grown by since is what was lent */
  _Atomic int64_t connection; /* which one of the pool's: counted from 1 as opens begin */
  uint32_t next;              /* the index of the next of the pool's slots to be reset, or of free slots; 0: none */
  _Atomic int32_t holder; /* the thread that got it last; a get that reuses its thread's last slot need not write it */
} __attribute__((aligned(SLOT_CACHE_LINE)));

_Static_assert((SLOT_LIMIT & (SLOT_LIMIT - 1)) == 0 && SLOT_LIMIT >= 1u << 10 && SLOT_LIMIT <= 1u << INDEX_BITS,
               "POOL_SLOTS is a power of two from 2^10 to 2^20");
_Static_assert(sizeof(struct slot) == SLOT_CACHE_LINE, "two threads with a connection each must not share a line");

extern struct slot slots[SLOT_LIMIT];

static inline struct slot *slot_of(int64_t lease)
{
  return &slots[(uint64_t)lease & (SLOT_LIMIT - 1)];
}

static inline uint32_t slot_index(const struct slot *slot)
{
  return (uint32_t)(slot - slots);
}

/* Slots in a list name the next by its index. */
static inline struct slot *slot_listed(uint32_t index)
{
  return index ? &slots[index] : NULL;
}

static inline uint32_t slot_link(const struct slot *slot)
{
  return slot ? slot_index(slot) : 0;
}

/* The slot of a number that anybody may have made up, or NULL. */
static inline struct slot *slot_find(int64_t lease)
{
  return (uint64_t)lease < GENERATION_END ? slot_of(lease) : NULL;
}

/* What the word of a lease's slot has above its calls, flags and state; of what is no lease, what no word has. */
static inline uint64_t lease_generation(pool_lease_t lease)
{
  return (uint64_t)lease & ~(uint64_t)(SLOT_LIMIT - 1);
}

static inline pool_lease_t lease_of(const struct slot *slot, uint64_t word)
{
  return (pool_lease_t)((word & GENERATION_MASK) | slot_index(slot));
}

/* A word or a lease, one generation on. */
static inline uint64_t generation_next(uint64_t word)
{
  return (word + GENERATION_ONE) & ~GENERATION_END;
}

static inline int64_t generations_between(uint64_t earlier, uint64_t later)
{
  return (int64_t)((((later & GENERATION_MASK) - (earlier & GENERATION_MASK)) & GENERATION_MASK) >> GENERATION_SHIFT);
}

/* The lease that a slot will give after this one, if nothing else happens to it. */
static inline pool_lease_t lease_next(pool_lease_t lease)
{
  return (pool_lease_t)generation_next((uint64_t)lease);
}

static inline bool is_sampled(pool_lease_t lease)
{
  return ((uint64_t)lease & SAMPLE_MASK) == 0;
}

static inline enum slot_state state_of(uint64_t word)
{
  return (enum slot_state)(word & STATE_MASK);
}

/* ---- what a slot is ---- */

static inline uint64_t slot_word(const struct slot *slot)
{
  return atomic_load(&slot->word);
}

/* Whether this is the word of a lease or claim that is not over. */
static inline bool slot_is_at(uint64_t word, int64_t number)
{
  return (word & GENERATION_MASK) == lease_generation(number);
}

/* Whether this is the word of a lease that is out. */
static inline bool slot_is_lease(uint64_t word, pool_lease_t lease)
{
  return slot_is_at(word, lease) && state_of(word) == LEASED;
}

/* Whether somebody runs open, check, reset or close on it. */
static inline bool slot_is_at_work(uint64_t word)
{
  enum slot_state state = state_of(word);
  return state == OPENING || state == CHECKING || state == CLOSING || (state == RETURNING && !(word & AWAITED));
}

/* Whether it has or will have a connection that is not to be closed. */
static inline bool slot_stays(uint64_t word)
{
  return state_of(word) != EMPTY && state_of(word) != CLOSING && !(word & DOOMED);
}

static inline bool slot_has_calls(uint64_t word)
{
  return word & CALL_MASK;
}

/* The pool of a slot that the caller owns or holds the lock for, or that has just been the caller's.  Relaxed, for the
   word that made the slot the caller's was read before, and the pool changes only while no pool owns the slot. */
static inline struct pool *slot_pool(const struct slot *slot)
{
  return atomic_load_explicit(&slot->pool, memory_order_relaxed);
}

/* The connection of a slot that the caller owns.  Relaxed, for only the owner writes it. */
static inline void *slot_conn(const struct slot *slot)
{
  return atomic_load_explicit(&slot->conn, memory_order_relaxed);
}

/* What is idle and may be lent, for pool_len() and pool_stats() alike. */
static inline bool slot_is_lendable(uint64_t word)
{
  return state_of(word) == IDLE && !(word & DOOMED);
}

/* The thread that got the slot says so.  Relaxed, for this is told to people, and orders nothing. */
static inline void slot_set_holder(struct slot *slot, int32_t thread)
{
  atomic_store_explicit(&slot->holder, thread, memory_order_relaxed);
}

/* Whether a slot that was met without a lock is the pool's.  After its word was read, and before that is changed (I4).
 */
static inline bool slot_is_of(const struct slot *slot, const struct pool *pool)
{
  return slot_pool(slot) == pool;
}

/* The word of a slot in this generation that is idle, without flags or calls. */
static inline uint64_t slot_idle_word(uint64_t generation)
{
  return (generation & GENERATION_MASK) | IDLE;
}

/* The word of a slot whose lease has been put in the fast way. */
static inline uint64_t slot_put_word(pool_lease_t lease)
{
  return generation_next(lease_generation(lease) + IDLE);
}

/* A word without RESTING, unless that belongs to its many calls. */
static inline uint64_t without_resting(uint64_t word)
{
  return word & CALL_MANY ? word : word & ~RESTING;
}

/* How often the generation has grown since the pool took the slot. */
static inline int64_t slot_ended(const struct slot *slot, uint64_t word)
{
  return generations_between(slot->first_generation, word);
}

/* ---- changes of the word ---- */

/* The fast way to end a lease: true if its word has these flags and no others, and no calls (I3).  Then the slot is
   idle. */
static inline bool slot_put(struct slot *slot, pool_lease_t lease, uint64_t flags)
{
  uint64_t word = lease_generation(lease) | flags | LEASED;
  return atomic_compare_exchange_strong(&slot->word, &word, slot_put_word(lease));
}

/* One try to raise flags, if the word still is what the caller saw.  If not, *word is what it is now. */
static inline bool slot_raise(struct slot *slot, uint64_t *word, uint64_t flags)
{
  bool raised = atomic_compare_exchange_weak(&slot->word, word, *word | flags);
  *word |= raised ? flags : 0;
  return raised;
}

/* One try to lend a slot that is idle, as above; *word stays what it was. */
static inline bool slot_lend(struct slot *slot, uint64_t *word, uint64_t lend)
{
  return atomic_compare_exchange_weak(&slot->word, word, without_resting(*word) + lend);
}

/* The owner of a slot raises flags; others may be doing the same. */
static inline void slot_flag(struct slot *slot, uint64_t flags)
{
  atomic_fetch_or(&slot->word, flags);
}

/* Raises flags on a lease.  False if it is stale. */
bool slot_flag_lease(struct slot *slot, pool_lease_t lease, uint64_t flags);

/* Ends a lease: the caller owns the slot, and calls may be under way.  False if it is stale.  *before and *after are
   its words. */
bool slot_take_back(struct slot *slot, pool_lease_t lease, uint64_t *before, uint64_t *after);

/* A call begins on a lease: 0, POOL_E_STALE or POOL_E_OVERLOAD.  A call ends, and raises flags: returns the word.
 *last: it was the last of those that a return waits for, and the caller owns the slot now. */
int slot_begin_call(struct slot *slot, pool_lease_t lease);
uint64_t slot_end_call(struct slot *slot, uint64_t flags, bool *last);

/* One try to begin the check of a slot that is idle; *word as for slot_raise(). */
bool slot_begin_check(struct slot *slot, uint64_t *word);

/* Takes a slot that was idle when the caller saw this word, so that it can be closed.  False if it is idle no more. */
bool slot_take_idle(struct slot *slot, uint64_t word);

/* One try of the owner to begin to close a slot: it is CLOSING; or with calls under way AWAITED, and the last of them
   finishes. *word as for slot_raise(). */
bool slot_begin_close(struct slot *slot, uint64_t *word);

/* Work that was claimed has ended, and the claim with it: the caller owns the slot.  False if the claim is stale.
 *before is the word that it had. */
bool slot_end_work(struct slot *slot, int64_t claim, uint64_t *before);

/* The owner of a slot leaves it empty; whatever lease or claim there was is stale (I2). */
void slot_vacate(struct slot *slot);

/* Takes a free slot for a pool, NULL when there is none; or gives one back that is empty.  A slot that comes to another
   pool, or to one that has given none back yet, begins with a lease that is timed. */
struct slot *slot_take(struct pool *pool, bool is_new);
void slot_give(struct slot *slot);

void slot_table_lock(void);
void slot_table_unlock(void);

/* Moves a slot that this thread owns into another state; others may only be setting flags or ending calls (I1). */
uint64_t slot_move(struct slot *slot, uint64_t set, uint64_t clear, enum slot_state state);

#endif
