/* SPDX-License-Identifier: MIT */
#include "slot/idle.h"

#include <stddef.h>
#include <stdlib.h>

#include "slot/slot.h"

static struct slot *slot_at(struct block *block, uint64_t bit)
{
  return slot_listed(atomic_load(&block->index[__builtin_ctzll(bit)]));
}

/* ---- hints ---- */

void idle_raise(struct block *block, uint64_t bit)
{
  if (!(atomic_fetch_or(&block->idle, bit) & bit))
    atomic_fetch_add(&block->row->count, 1);
  if (!(atomic_load(&block->row->idle) & block->bit))
    atomic_fetch_or(&block->row->idle, block->bit);
}

struct slot *idle_clean(const struct scan *scan)
{
  struct block *block = scan->block;
  if (atomic_fetch_and(&block->idle, ~scan->bit) & scan->bit)
    atomic_fetch_sub(&block->row->count, 1);
  /* After its bit was cleared (I6), and by its place: another slot may have come to be there (I5). */
  struct slot *slot = slot_at(block, scan->bit);
  if (!slot || state_of(slot_word(slot)) != IDLE)
    return NULL;
  idle_raise(block, scan->bit);
  return slot;
}

int32_t idle_hint_count(struct row *row)
{
  int32_t count = 0;
  for (; row; row = atomic_load_explicit(&row->next, memory_order_acquire))
    count += atomic_load(&row->count);
  return count;
}

/* Relaxed: it never changes after idle_begin(). */
static struct block *first_block(const struct row *row)
{
  return atomic_load_explicit(&row->block[0], memory_order_relaxed);
}

/* Relaxed, for a scan follows, and it looks again. */
bool idle_hint(struct row *row)
{
  struct block *first = first_block(row);
  if (atomic_load_explicit(&first->idle, memory_order_relaxed))
    return true;
  uint32_t idle = atomic_load_explicit(&row->idle, memory_order_relaxed) & ~first->bit;
  while (!idle && (row = atomic_load_explicit(&row->next, memory_order_acquire)))
    idle = atomic_load_explicit(&row->idle, memory_order_relaxed);
  return idle != 0;
}

/* ---- scans ---- */

static inline struct scan begin(struct row *row, bool all, bool cleans)
{
  struct block *block = first_block(row);
  return (struct scan){.row = row,
                       .block = block,
                       .blocks = atomic_load(all ? &row->used : &row->idle) & ~block->bit,
                       .rest = atomic_load(all ? &block->taken : &block->idle),
                       .all = all,
                       .cleans = cleans};
}

struct scan scan_begin(struct row *first)
{
  return begin(first, false, false);
}

struct scan scan_clean(struct row *first)
{
  return begin(first, false, true);
}

struct scan scan_all(struct row *first)
{
  return begin(first, true, false);
}

/* The hints of a block that the row has its bit for. */
static uint64_t look_into(struct scan *scan)
{
  struct block *block = scan->block;
  uint64_t idle = atomic_load(&block->idle);
  if (idle || !scan->cleans)
    return idle;
  atomic_fetch_and(&scan->row->idle, ~block->bit);
  idle = atomic_load(&block->idle);
  if (idle) {
    atomic_fetch_or(&scan->row->idle, block->bit);
    scan->restored = true;
  }
  return idle;
}

static bool next_block(struct scan *scan)
{
  while (!scan->blocks) {
    struct row *next = atomic_load_explicit(&scan->row->next, memory_order_acquire);
    if (!next)
      return false;
    scan->row = next;
    scan->blocks = atomic_load(scan->all ? &next->used : &next->idle);
  }
  scan->block = atomic_load_explicit(&scan->row->block[__builtin_ctzll(scan->blocks)], memory_order_acquire);
  scan->blocks &= scan->blocks - 1;
  scan->rest = scan->all ? atomic_load(&scan->block->taken) : look_into(scan);
  return true;
}

struct slot *scan_next(struct scan *scan)
{
  for (;;) {
    while (!scan->rest) {
      if (!next_block(scan)) {
        scan->block = NULL;
        return NULL;
      }
    }
    scan->bit = scan->rest & -scan->rest;
    scan->rest &= scan->rest - 1;
    struct slot *slot = slot_at(scan->block, scan->bit);
    if (!slot && scan->cleans)
      slot = idle_clean(scan);
    if (slot)
      return slot;
  }
}

/* ---- slots come and go ---- */

void idle_begin(struct row *first, struct block *block, struct pool *pool)
{
  block->pool = pool;
  block->row = first;
  block->bit = 1;
  atomic_store(&first->block[0], block);
}

void idle_reset(struct row *row)
{
  for (; row; row = atomic_load(&row->next)) {
    for (unsigned i = 0; i < ROW_BLOCKS; i++) {
      struct block *block = atomic_load(&row->block[i]);
      if (block)
        atomic_store(&block->idle, 0);
    }
    atomic_store(&row->idle, 0);
    atomic_store(&row->count, 0);
  }
}

/* Of the allocator, which wants a multiple of the alignment. */
#define BLOCK_SIZE ((sizeof(struct block) + SLOT_CACHE_LINE - 1) / SLOT_CACHE_LINE * SLOT_CACHE_LINE)

static struct row *row_with_room(struct row *row)
{
  while (row->full == ROW_FULL) {
    struct row *next = atomic_load(&row->next);
    if (!next) {
      next = calloc(1, sizeof *next);
      if (!next)
        return NULL;
      atomic_store(&row->next, next);
    }
    row = next;
  }
  return row;
}

static struct block *block_with_room(struct row *row, struct pool *pool)
{
  unsigned number = (unsigned)__builtin_ctz(~row->full);
  struct block *block = atomic_load(&row->block[number]);
  if (block || !(block = aligned_alloc(SLOT_CACHE_LINE, BLOCK_SIZE)))
    return block;
  *block = (struct block){.pool = pool, .row = row, .bit = 1u << number};
  atomic_store(&row->block[number], block);
  return block;
}

struct slot *idle_take_slot(struct row *first, struct pool *pool, bool is_new)
{
  struct row *row = row_with_room(first);
  struct block *block = row ? block_with_room(row, pool) : NULL;
  struct slot *slot = block ? slot_take(pool, is_new) : NULL;
  if (!slot)
    return NULL;
  uint64_t taken = atomic_load(&block->taken);
  uint64_t bit = ~taken & (taken + 1);
  atomic_store(&slot->block, block);
  atomic_store(&slot->bit, bit);
  atomic_store(&block->index[__builtin_ctzll(bit)], slot_index(slot));
  atomic_store(&block->taken, taken | bit);
  atomic_fetch_or(&row->used, block->bit);
  if (!~(taken | bit))
    row->full |= block->bit;
  return slot;
}

void idle_give_slot(struct slot *slot)
{
  struct block *block = atomic_load(&slot->block);
  uint64_t bit = atomic_load(&slot->bit), taken = atomic_load(&block->taken) & ~bit;
  atomic_store(&block->index[__builtin_ctzll(bit)], 0);
  atomic_store(&block->taken, taken);
  if (!taken)
    atomic_fetch_and(&block->row->used, ~block->bit);
  block->row->full &= ~block->bit;
  slot_give(slot);
}

struct slot *idle_next(struct scan *scan, int *stale)
{
  struct slot *slot;
  while ((slot = scan_next(scan)) && state_of(slot_word(slot)) != IDLE)
    if (++*stale > STALE_BITS && (slot = idle_clean(scan)))
      break;
  return slot;
}

int32_t idle_count(struct row *rows, int32_t enough, int stale)
{
  struct scan scan = scan_clean(rows);
  int32_t count = 0;
  for (struct slot *slot; count < enough && (slot = idle_next(&scan, &stale));)
    count += slot_is_lendable(slot_word(slot));
  return count;
}

bool idle_any(struct row *rows)
{
  return idle_count(rows, 1, 0) > 0;
}

int32_t idle_count_lendable(struct row *rows, int32_t enough)
{
  int32_t count = 0;
  struct scan scan = scan_begin(rows);
  for (struct slot *slot; count < enough && (slot = scan_next(&scan));)
    count += slot_is_lendable(slot_word(slot));
  return count;
}

bool idle_any_coming(struct row *rows)
{
  struct scan scan = scan_all(rows);
  for (struct slot *slot; (slot = scan_next(&scan));) {
    uint64_t word = slot_word(slot);
    if (slot_is_lendable(word) || (state_of(word) == CHECKING && !(word & DOOMED)))
      return true;
  }
  return false;
}

int32_t idle_count_staying(struct row *rows, int32_t limit)
{
  int32_t staying = 0;
  struct scan scan = scan_all(rows);
  for (struct slot *slot; staying < limit && (slot = scan_next(&scan));) {
    uint64_t word = slot_word(slot);
    staying += slot_stays(word);
  }
  return staying;
}
