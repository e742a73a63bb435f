/* SPDX-License-Identifier: MIT */
#include "decide/attention.h"

#include "decide/pool.h"

/* Writes only on change: every get and put reads this word. */
void attention_raise(struct pool *pool, uint32_t bits, bool on)
{
  uint32_t now = atomic_load(&pool->attention);
  if (on && (now & bits) != bits)
    atomic_fetch_or(&pool->attention, bits);
  else if (!on && (now & bits))
    atomic_fetch_and(&pool->attention, ~bits);
}
