/* SPDX-License-Identifier: MIT */
/*
 * The slots of a pool, in blocks of 64, and the idle bitmap: a hint where to look for an idle slot.
 *
 * Shared: one word of 64 bits in each block, and one in each row of blocks, read and written by every get and put.
 *
 * A set bit means "was idle when somebody looked".  A put sets its bit only if it finds it clear; a get that reuses its
 * thread's last slot does not touch it.  So in steady state nobody writes here.  A scanner that meets a slot that is
 * not idle clears the bit, then looks at the slot again, and sets it back if the slot has become idle meanwhile.
 *
 * What makes a hint sufficient: all operations are sequentially consistent.  A put first makes the slot idle, then
 * looks at the bit; a scanner first clears the bit, then looks at the slot.  Whatever the order, the put sees the
 * cleared bit and sets it, or the scanner sees the idle slot and sets it: an idle slot never stays without its bit.
 * While the bit is clear another scanner may miss the slot and go to sleep; so the scanner that sets it back tries to
 * take the slot, like a get that comes later.
 *
 * A row has a bit for each of its blocks whose idle word is not zero, so that a scan looks at a few words however many
 * slots there are.  A thread that sets a bit in a block then sets the row's; a scanner that meets a block without any
 * clears the row's bit, looks at the block again, and sets it back (`restored`) if the block has become idle meanwhile.
 * Here too a second scanner may miss the block in between.
 *
 * - If it was missed because the thread that set the block's bit had not yet set the row's: that thread does so now,
 *   and looks at the pool's `attention` afterwards, where the second scanner has raised ATTENTION_WAITERS before it
 * scanned. That is why a put asks the block, not the slot, which pool it has to look at: the slot may have moved on,
 * and then the bit that it has set may be the one that the put of another slot relied on.
 * - If it was missed because a scanner had cleared the row's bit: that scanner has set it back, and then serves the
 *   waiters that it finds (give.c).
 *
 * A slot is in a pool's block while it has or opens a connection; then its place is free for another slot, and the slot
 * for another pool (slot.h).  A bit without a slot is cleared by scans like one whose slot is not idle.  Rows and
 * blocks stay with the memory of their pool for ever: a late put may mark them.
 */
#ifndef IDLE_H
#define IDLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "slot/slot.h"

struct pool;

#define BLOCK_SLOTS 64u
#define ROW_BLOCKS  32u
#define ROW_FULL    UINT32_MAX

/* How many bits a scan may find set in vain before it clears those that follow.  A bit that is cleared is set again by
   the next put, and both wait for its cache line: for a few slots it is cheaper to look at them. */
#define STALE_BITS 8

/* Each begins on a line of its own. */
struct block {
  _Atomic uint64_t idle;
  _Atomic uint64_t taken; /* places that have a slot; changed under the pool's lock */
  struct pool *pool;      /* this and the next two never change */
  struct row *row;
  uint32_t bit;                        /* of the row's words */
  _Atomic uint32_t index[BLOCK_SLOTS]; /* of the slots; 0: none */
};

struct row {
  _Atomic uint32_t idle;
  _Atomic uint32_t used; /* blocks that have slots; this and the next are changed under the pool's lock */
  uint32_t full;         /* blocks whose places all have slots */
  _Atomic int32_t count; /* bits that are set in the blocks' idle words; counted just after they change */
  _Atomic(struct block *) block[ROW_BLOCKS];
  _Atomic(struct row *) next;
};

/* Walks over the slots whose bit is set, or over all slots of the pool. */
struct scan {
  struct row *row;
  struct block *block; /* NULL: over */
  uint64_t blocks;     /* that are still to come, of the row */
  uint64_t rest;       /* likewise, of the block */
  uint64_t bit;        /* of the slot that it is at */
  bool all;
  bool cleans;   /* clears bits that are set in vain: its caller then handles `restored` */
  bool restored; /* has set back the bit of a block: the thread that takes a slot now serves the waiters */
};

/* The block's bit was clear: sets it, and the row's. */
void idle_raise(struct block *block, uint64_t bit);

/* The block of a slot, and its place there.  The second is relaxed, for both are written before the slot gets its word,
   and a mixture of two sets a bit in vain (slot.h). */
static inline struct block *idle_place(const struct slot *slot, uint64_t *bit)
{
  struct block *block = atomic_load_explicit(&slot->block, memory_order_acquire);
  *bit = atomic_load_explicit(&slot->bit, memory_order_relaxed);
  return block;
}

/* Whether a slot that was made idle has its bit.  *pool is that of the block: the slot's own, unless the slot has moved
   on. */
static inline bool idle_is_marked(const struct slot *slot, struct pool **pool)
{
  uint64_t bit;
  struct block *block = idle_place(slot, &bit);
  *pool = block->pool;
  return atomic_load(&block->idle) & bit;
}

/* Sets the bit if it is clear.  Returns the pool of the block. */
static inline struct pool *idle_mark(const struct slot *slot)
{
  uint64_t bit;
  struct block *block = idle_place(slot, &bit);
  if (!(atomic_load(&block->idle) & bit))
    idle_raise(block, bit);
  return block->pool;
}

/* The first block is there from the beginning, in the first row. */
void idle_begin(struct row *first, struct block *block, struct pool *pool);

struct scan scan_begin(struct row *first);
struct scan scan_all(struct row *first);

/* As scan_begin(), and clears bits without a slot and rows' bits: for callers with the pool's lock, which no final scan
   of a waiter meets; and for those that try to take each slot, and serve if `restored`. */
struct scan scan_clean(struct row *first);

/* The next slot, or NULL. */
struct slot *scan_next(struct scan *scan);

/* Whether the slot that the scan is at is still its pool's: for those without the lock, as slot_is_of(). */
static inline bool scan_owns(const struct scan *scan, const struct slot *slot)
{
  return slot_is_of(slot, scan->block->pool);
}

/* Clears the bit of the slot that the scan is at, which was met not idle, unless the slot at its place is idle now.
   Then returns that, and the caller must try to take it: somebody else may have scanned while its bit was clear. */
struct slot *idle_clean(const struct scan *scan);

/* How many slots have their bit: no fewer than are idle, but for those that a put is just about to mark. */
int32_t idle_hint_count(struct row *first);

/* Whether a scan for idle slots might be worth it. */
bool idle_hint(struct row *first);

/* In the child after fork, where the slots were given back: no bit is set, and none is being set by another thread. */
void idle_reset(struct row *first);

/* Under the pool's lock: takes a slot into the pool's blocks, NULL without memory; lets go of one that is empty. */
struct slot *idle_take_slot(struct row *first, struct pool *pool, bool is_new);
void idle_give_slot(struct slot *slot);

/* The next slot that may be idle, or NULL.  A bit that was set in vain is cleared, unless it is among the first. */
struct slot *idle_next(struct scan *scan, int *stale);

/* How many are idle, counted no further than asked for; `stale` is how many bits are known to be set in vain,
   STALE_BITS to clear all that are.  Under the lock. */
int32_t idle_count(struct row *rows, int32_t enough, int stale);

bool idle_any(struct row *rows);

/* The same without the lock, and all bits stay as they are. */
int32_t idle_count_lendable(struct row *rows, int32_t enough);

/* Whether a connection is idle, or will be if the check that is under way says so. */
bool idle_any_coming(struct row *rows);

/* How many connections there are, and are being opened, without those that will go; counted up to a limit. */
int32_t idle_count_staying(struct row *rows, int32_t limit);

#endif
