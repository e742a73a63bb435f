/* SPDX-License-Identifier: MIT */
#include "base/forks.h"

#include <stdatomic.h>

static _Atomic uint64_t forks;

/* Relaxed: it changes only where a thread is alone. */
uint64_t forks_count(void)
{
  return atomic_load_explicit(&forks, memory_order_relaxed);
}

void forks_add(void)
{
  atomic_fetch_add(&forks, 1);
}
