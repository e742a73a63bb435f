/* SPDX-License-Identifier: MIT */
/*
 * The idle bitmap of a pool: a hint where to look for an idle slot.
 *
 * Shared: a pool's chain of blocks, each with one word of 64 bits, read and written by all who get and put.
 *
 * A set bit means "was idle when somebody looked".  A put sets its bit only if it finds it clear; a get that reuses its
 * thread's last slot does not touch it.  So in steady state nobody writes here.  A scanner that meets a slot that is
 * not idle clears the bit, then looks at the slot again, and sets it back if the slot has become idle meanwhile.
 *
 * What makes a hint sufficient: all operations are sequentially consistent.  A put first makes the slot idle, then
 * looks at the bit; a scanner first clears the bit, then looks at the slot.  Whatever the order, the put sees the
 * cleared bit and sets it, or the scanner sees the idle slot and sets it: an idle slot never stays without its bit.
 * While the bit is clear another scanner may miss the slot and go to sleep; so who sets it back tries to take the slot,
 * like a get that comes later.
 *
 * The chain only grows while the pool lives, and its blocks are reused as blocks, never freed.
 */
#ifndef BITMAP_H
#define BITMAP_H

#include "slot.h"

#define BLOCK_GROUPS (64 / SLOT_GROUP)

struct block {
  _Atomic uint64_t idle;
  _Atomic(struct slot *) group[BLOCK_GROUPS];
  _Atomic(struct block *) next;
  uint32_t groups; /* how many of group[] are set; under the pool's lock */
};

/* Walks over the slots whose bit is set, or over all slots of the chain. */
struct scan {
  struct block *block;
  uint64_t rest;
  uint64_t always; /* bits that are taken as set */
};

static inline void bitmap_mark(struct slot *slot)
{
  struct block *block = atomic_load_explicit(&slot->block, memory_order_relaxed);
  uint64_t bit = atomic_load_explicit(&slot->bit, memory_order_relaxed);
  if (!(atomic_load(&block->idle) & bit))
    atomic_fetch_or(&block->idle, bit);
}

static inline struct scan scan_begin(struct block *first)
{
  return (struct scan){.block = first, .rest = atomic_load(&first->idle)};
}

static inline struct scan scan_all(struct block *first)
{
  return (struct scan){.block = first, .rest = ~(uint64_t)0, .always = ~(uint64_t)0};
}

/* The next slot, or NULL. */
struct slot *scan_next(struct scan *scan);

/* Clears the bit of a slot that was met not idle, unless it has become idle again; then returns true, and the caller
   must try to take it: somebody else may have scanned while its bit was clear. */
bool bitmap_clean(struct slot *slot);

/* Adds a group of empty slots to a pool's chain; its slots then belong to the pool.  NULL without memory. */
struct slot *bitmap_grow(struct block *first, struct pool *pool);

/* Gives all groups back and leaves the first block as new. */
void bitmap_release(struct block *first);

#endif
