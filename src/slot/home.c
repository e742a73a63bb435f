/* SPDX-License-Identifier: MIT */
#include "slot/home.h"

#include "slot/slot.h"

/* Whether the guess of a home could still come true.  If not, its thread is gone, or loses nothing. */
static bool is_lived_in(struct home *home)
{
  if (home_thread(home) == 0)
    return false;
  pool_lease_t next = home_guess(home);
  /* Relaxed: if it has changed meanwhile, its thread will find so as well. */
  uint64_t word = atomic_load_explicit(&slot_of(next)->word, memory_order_relaxed);
  return lease_generation(next) == (word & GENERATION_MASK) ||
         lease_generation(next) == generation_next(word & GENERATION_MASK);
}

pool_lease_t home_remember(struct home homes[], uintptr_t thread, pool_lease_t lease)
{
  struct home *home = home_of(homes, thread);
  if (!is_home(home, thread) && is_lived_in(home))
    home = home_second(homes, home);
  if (!is_home(home, thread)) { /* two threads may move in at once: each writes its guess over the other's */
    if (is_lived_in(home))
      return lease;
    atomic_store_explicit(&home->thread, thread, memory_order_relaxed);
  }
  home_expect(home, lease);
  return lease;
}

pool_lease_t home_take(const struct pool *pool, struct home homes[], uint64_t lend, uintptr_t thread)
{
  struct home *home = home_of(homes, thread);
  if (!is_home(home, thread))
    home = home_second(homes, home);
  if (!is_home(home, thread))
    return 0;
  struct slot *slot = slot_of(home_guess(home));
  uint64_t word = atomic_load_explicit(&slot->word, memory_order_acquire);
  if ((word & BELOW_GENERATION) != IDLE || !slot_is_of(slot, pool) ||
      !atomic_compare_exchange_strong(&slot->word, &word, word + lend))
    return 0;
  pool_lease_t lease = lease_of(slot, word);
  home_expect(home, lease);
  return lease;
}
