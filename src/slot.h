/* SPDX-License-Identifier: MIT */
/*
 * A slot is the place of one connection, and one word decides what happens to it.
 *
 * Shared: every slot's word, by every thread that holds or guesses a lease.
 *
 * The word is `generation | calls | flags | state`, and the generation has the same bits in the word as in a lease. All
 * that matters is a single compare-and-swap on it: who moves it out of IDLE has the connection, who moves it out of
 * LEASED with the right generation has given it back.  The generation grows each time a lease ends or a slot is
 * vacated, and a lease carries it, so a stale, doubled or forged lease fails the comparison and touches nothing; no
 * valid word has its two highest bits set, so neither does a number that is none.  After 2^42 leases of one slot the
 * generation begins anew.
 *
 * Slow actors (a broken call, a mark, a flush, the keeper, the closing of a pool) only set flags.  The fast paths
 * compare with a word without flags or calls, so whatever is unusual fails the comparison and takes the slow path:
 * policies cost the fast path nothing, not even a look.
 *
 * All slots of the process stand in one array, so that a lease's low bits are its slot, without a look at anything. The
 * array is zeroed memory that takes no pages before it is used, and there is a slot for every index: a look at a stale
 * or forged lease is always a look at a slot.  Pools take and give back slots in groups.  No pool has slot 0, so that
 * no lease is 0.
 */
#ifndef SLOT_H
#define SLOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pool/pool.h>

#define SLOT_BITS        20
#define SLOT_LIMIT       (1u << SLOT_BITS)
#define SLOT_GROUP       8u
#define SLOT_CACHE_LINE  64
#define GENERATION_SHIFT SLOT_BITS
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

/* On a slot that is lent, DUE is free to say something else: lent by the step API, so that no put of the other API ends
   the lease, nor the other way round. */
#define STEPPED DUE
#define LENT_AS (CAREFUL | STEPPED)

/* One lease in 1024 is timed, the first of a new slot among them: what that costs is as much as twenty-five leases. */
#define SAMPLE_MASK (1023 * GENERATION_ONE)

struct pool;
struct block;

struct slot {
  _Atomic uint64_t word;
  _Atomic(void *) conn;
  /* The next three change only while no pool owns the slot.  They are atomic because a thread that ended a lease may
     still read them when the pool is gone and the group has moved on; what it does then is harmless (see engine.c). */
  _Atomic(struct pool *) pool;
  _Atomic(struct block *) block;
  _Atomic uint64_t bit;      /* of the block's idle word */
  uint64_t first_generation; /* when the pool took the slot; what it has grown by since is what was lent */
  struct slot *next;         /* of the pool's empty slots, of those to be reset, or of free groups */
  uint32_t index;
  _Atomic int32_t holder; /* the thread that got it last; a get that reuses its thread's last slot need not write it */
} __attribute__((aligned(SLOT_CACHE_LINE)));

_Static_assert(sizeof(struct slot) == SLOT_CACHE_LINE, "two threads with a connection each must not share a line");

extern struct slot slots[SLOT_LIMIT];

static inline struct slot *slot_of(int64_t lease)
{
  return &slots[(uint64_t)lease & (SLOT_LIMIT - 1)];
}

/* The slot of a number that anybody may have made up, or NULL. */
static inline struct slot *slot_find(int64_t lease)
{
  return (uint64_t)lease < GENERATION_END ? slot_of(lease) : NULL;
}

/* What the word of a lease's slot has above its calls, flags and state; of what is no lease, what no word has. */
static inline uint64_t lease_generation(pool_lease_t lease)
{
  return (uint64_t)lease & ~BELOW_GENERATION;
}

static inline pool_lease_t lease_of(const struct slot *slot, uint64_t word)
{
  return (pool_lease_t)((word & GENERATION_MASK) | slot->index);
}

/* A word or a lease, one generation on. */
static inline uint64_t generation_next(uint64_t word)
{
  return (word + GENERATION_ONE) & ~GENERATION_END;
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

/* The owner of a slot leaves it empty; whatever lease or claim there was is stale. */
void slot_vacate(struct slot *slot);

/* A slot passes to another pool: its first lease will be one that is timed. */
void slot_begin(struct slot *slot);

/* Takes a group of slots for a pool, NULL when all are taken; or gives one back. */
struct slot *slot_group_take(void);
void slot_group_give(struct slot *group);

void slot_table_lock(void);
void slot_table_unlock(void);

#endif
