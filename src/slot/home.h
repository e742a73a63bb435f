/* SPDX-License-Identifier: MIT */
/*
 * Where a thread finds the slot of a pool that it used last.
 *
 * Shared: the pool's homes.  Each thread writes its own; two threads may take one at the same moment, or a thread one
 * of another that is gone.  What stands in a home is a guess, proved or refuted by the compare-and-swap: whatever
 * mixture of writes it holds, it names a slot of this pool or none.  Homes are in the pool and not in thread-local
 * storage, because that costs a call in a shared library or space that a dlopen may not find, and a table of pools for
 * each thread.
 */
#ifndef HOME_H
#define HOME_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

#include "slot/slot.h"

/* Where a thread finds the slot that it used last.  Found by the thread's address; each on a line of its own, for its
   thread writes it at every get. */
#define HOMES 32

struct home {
  _Atomic uintptr_t thread;
  _Atomic pool_lease_t next; /* the lease that the slot gives if nobody else used it meanwhile; a guess */
} __attribute__((aligned(SLOT_CACHE_LINE)));

/* By name: on others, powerpc among them, a compiler may say that it has the builtin and then not compile it. */
#if defined(__x86_64__) || defined(__i386__) || defined(__aarch64__) || defined(__arm__) || defined(__riscv) ||        \
    defined(__s390__)
#ifdef __has_builtin
#if __has_builtin(__builtin_thread_pointer)
#define HAS_THREAD_POINTER
#endif
#endif
#endif

static inline uintptr_t this_thread(void)
{
#ifdef HAS_THREAD_POINTER
  return (uintptr_t)__builtin_thread_pointer();
#else
  return (uintptr_t)&errno;
#endif
}

/* The same thread where it uses the step API: pool_get() then finds no home in a pool that it must not lend from. */
static inline uintptr_t this_stepping_thread(void)
{
  return this_thread() | 1;
}

static inline struct home *home_of(struct home homes[], uintptr_t thread)
{
  return &homes[(uint64_t)thread * UINT64_C(0x9e3779b97f4a7c15) >> 59];
}

/* Where it may be if that is another's. */
static inline struct home *home_second(struct home homes[], struct home *home)
{
  return &homes[(home - homes) ^ 1];
}

/* Relaxed, here, below and in home.c: what stands in a home is a guess, and the compare-and-swap on the slot's word
 * proves it (I7).
 */
static inline uintptr_t home_thread(const struct home *home)
{
  return atomic_load_explicit(&home->thread, memory_order_relaxed);
}

static inline bool is_home(const struct home *home, uintptr_t thread)
{
  return home_thread(home) == thread;
}

static inline pool_lease_t home_guess(const struct home *home)
{
  return atomic_load_explicit(&home->next, memory_order_relaxed);
}

/* The thread has this lease now: what it guesses next. */
static inline void home_expect(struct home *home, pool_lease_t lease)
{
  atomic_store_explicit(&home->next, lease_next(lease), memory_order_relaxed);
}

/* Lends the slot of this thread's home, by adding `lend` to its word, if nobody else used it meanwhile: the fast way,
   without a look at the slot. 0: not so. */
static inline pool_lease_t home_take_next(struct home homes[], uint64_t lend, uintptr_t thread)
{
  struct home *home = home_of(homes, thread);
  pool_lease_t lease = home_guess(home);
  struct slot *slot = slot_of(lease);
  uint64_t word = lease_generation(lease) | IDLE;
  if (__builtin_expect(!is_home(home, thread) || !atomic_compare_exchange_strong(&slot->word, &word, word + lend), 0))
    return 0;
  home_expect(home, lease);
  return lease;
}

/* The same, if the slot is still the pool's, whichever thread used it last. */
pool_lease_t home_take(const struct pool *pool, struct home homes[], uint64_t lend, uintptr_t thread);

/* A thread got a slot on the slow way: next time it looks there first.  Returns the lease. */
pool_lease_t home_remember(struct home homes[], uintptr_t thread, pool_lease_t lease);

#endif
