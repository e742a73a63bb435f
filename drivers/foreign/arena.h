/* SPDX-License-Identifier: MIT */
/* Memory that is freed together, and wiped first: there may be passwords in it. */
#ifndef ARENA_H
#define ARENA_H

#include <stddef.h>

struct arena {
  struct arena_block *blocks;
};

/* Bytes of 0, or NULL without memory. */
void *arena_take(struct arena *arena, size_t size);

/* A copy of `size` bytes as a text, or NULL without memory. */
char *arena_text(struct arena *arena, const char *text, size_t size);

void arena_free(struct arena *arena);

#endif
