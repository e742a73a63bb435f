/* SPDX-License-Identifier: MIT */
#include "bitmap.h"

#include <stdlib.h>
#include <string.h>

/* Blocks that no pool uses.  Guarded by the lock of the slot table. */
static struct block *free_blocks;

static struct slot *slot_at(struct block *block, unsigned place)
{
  struct slot *group = atomic_load_explicit(&block->group[place / SLOT_GROUP], memory_order_acquire);
  return group ? &group[place % SLOT_GROUP] : NULL;
}

struct slot *scan_next(struct scan *scan)
{
  for (;;) {
    while (scan->rest == 0) {
      scan->block = atomic_load_explicit(&scan->block->next, memory_order_acquire);
      if (!scan->block)
        return NULL;
      scan->rest = atomic_load(&scan->block->idle) | scan->always;
    }
    unsigned place = (unsigned)__builtin_ctzll(scan->rest);
    scan->rest &= scan->rest - 1;
    struct slot *slot = slot_at(scan->block, place);
    if (slot)
      return slot;
  }
}

bool bitmap_clean(struct slot *slot)
{
  struct block *block = atomic_load_explicit(&slot->block, memory_order_relaxed);
  uint64_t bit = atomic_load_explicit(&slot->bit, memory_order_relaxed);
  atomic_fetch_and(&block->idle, ~bit);
  if (state_of(atomic_load(&slot->word)) != IDLE)
    return false;
  atomic_fetch_or(&block->idle, bit);
  return true;
}

static struct block *block_take(void)
{
  slot_table_lock();
  struct block *block = free_blocks;
  if (block)
    free_blocks = atomic_load(&block->next);
  slot_table_unlock();
  if (!block)
    return calloc(1, sizeof *block);
  atomic_store(&block->next, NULL);
  return block;
}

static void block_clear(struct block *block)
{
  for (unsigned i = 0; i < block->groups; i++)
    slot_group_give(atomic_exchange(&block->group[i], NULL));
  block->groups = 0;
  atomic_store(&block->idle, 0);
}

struct slot *bitmap_grow(struct block *first, struct pool *pool)
{
  struct block *block = first;
  while (block->groups == BLOCK_GROUPS && atomic_load(&block->next))
    block = atomic_load(&block->next);
  if (block->groups == BLOCK_GROUPS) {
    struct block *next = block_take();
    if (!next)
      return NULL;
    atomic_store(&block->next, next);
    block = next;
  }
  struct slot *group = slot_group_take();
  if (!group)
    return NULL;
  for (unsigned i = 0; i < SLOT_GROUP; i++) {
    struct slot *slot = &group[i];
    atomic_store(&slot->pool, pool);
    slot_begin(slot);
    atomic_store(&slot->block, block);
    atomic_store(&slot->bit, (uint64_t)1 << (block->groups * SLOT_GROUP + i));
    slot->first_generation = atomic_load(&slot->word) & GENERATION_MASK;
    slot->next = i + 1 < SLOT_GROUP ? slot + 1 : NULL;
  }
  atomic_store(&block->group[block->groups++], group);
  return group;
}

void bitmap_release(struct block *first)
{
  block_clear(first);
  struct block *block = atomic_exchange(&first->next, NULL);
  while (block) {
    struct block *next = atomic_load(&block->next);
    block_clear(block);
    slot_table_lock();
    atomic_store(&block->next, free_blocks);
    free_blocks = block;
    slot_table_unlock();
    block = next;
  }
}
