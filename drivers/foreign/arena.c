/* SPDX-License-Identifier: MIT */
#include "foreign/arena.h"

#include <stdlib.h>
#include <string.h>

struct arena_block {
  struct arena_block *next;
  size_t size;
  max_align_t data[];
};

void *arena_take(struct arena *arena, size_t size)
{
  struct arena_block *block = calloc(1, sizeof *block + size);
  if (!block)
    return NULL;
  block->size = size;
  block->next = arena->blocks;
  arena->blocks = block;
  return block->data;
}

char *arena_text(struct arena *arena, const char *text, size_t size)
{
  char *copy = arena_take(arena, size + 1);
  return copy ? memcpy(copy, text, size) : NULL;
}

void arena_free(struct arena *arena)
{
  while (arena->blocks) {
    struct arena_block *block = arena->blocks;
    arena->blocks = block->next;
    explicit_bzero(block->data, block->size);
    free(block);
  }
}
