/* SPDX-License-Identifier: MIT */
/*
 * What becomes of all pools in a fork.
 *
 * Shared: everything; so the forking thread first takes every lock, in the usual order, and the child's copy is
 * consistent. The child leaves the locks and resets each pool: it has its full capacity, all leases and tickets of the
 * parent are stale, and what the parent has open is handed to the driver's abandon, which sends nothing.
 *
 * No lock of the library is outside this: those of pools that nobody uses any more are taken too, and the places where
 * threads sleep without a futex are made anew in the child.
 *
 * A callback may fork, and then its child returns into the library with what the parent was doing.  Whoever runs
 * callbacks remembers fork_count() and, if it has changed, leaves everything alone: in the child the pool began anew.
 */
#include "fork.h"

#include <stdlib.h>
#include <string.h>

#include "count.h"
#include "event_fd.h"
#include "park.h"
#include "rpc.h"
#include "thread.h"

static _Atomic uint64_t forks;

uint64_t fork_count(void)
{
  return atomic_load_explicit(&forks, memory_order_relaxed);
}

static void abandon(struct pool *pool, struct slot *slot)
{
  void *conn = atomic_load(&slot->conn);
  enum slot_state state = state_of(atomic_load(&slot->word));
  if (state != EMPTY) {
    free(watch_end(pool, slot));
    slot_vacate(slot);
  }
  bitmap_give(slot);
  /* What another thread was closing may be freed already; its descriptor, if there is one, is lost to the child. */
  if (conn && state != CLOSING)
    pool->vtable.abandon(pool->context, conn);
}

/* What a get left to be closed nobody has begun to close. */
static void keep_unclosed(struct pool *pool)
{
  for (struct slot *slot = pool->unclean; slot; slot = slot_listed(slot->next))
    atomic_store(&slot->word, (atomic_load(&slot->word) & ~STATE_MASK) | RETURNING);
}

static void reset(struct pool *pool)
{
  event_fd_after_fork(pool);
  /* Waiters of threads were on stacks that are no more; those with tickets were given back with their table. */
  memset(&pool->queue, 0, sizeof pool->queue);
  memset(&pool->settled, 0, sizeof pool->settled);
  memset(&pool->told, 0, sizeof pool->told);
  pool->unserved = pool->resuming = false;
  keep_unclosed(pool);
  struct scan scan = scan_all(&pool->rows);
  for (struct slot *slot; (slot = scan_next(&scan));)
    abandon(pool, slot);
  bitmap_reset(&pool->rows);
  pool->open = pool->opening = pool->gets = pool->asynchronous = 0;
  pool->threads = pool->openers = pool->openers_idle = pool->openers_opening = pool->chores_doing = 0;
  pool->maintained = false;
  pool->unclean = pool->hope = NULL;
  pool->wished = false;
  atomic_store(&pool->suspicion, false);
  atomic_store(&pool->probing, false);
  pool->refill_at_ns = pool->late_since_ns = pool->witness = 0;
  atomic_store(&pool->keeper_runs, false);
  atomic_store(&pool->resting, false);
  atomic_store(&pool->looks_at_ns, POOL_NO_DEADLINE);
  atomic_store(&pool->chores, false);
  breaker_reset(&pool->breaker);
  count_reset(pool);
  count_reset_times(pool);
  /* What the program decided holds in the child as well. */
  atomic_fetch_and(&pool->attention, ATTENTION_NOT_LENDING | ATTENTION_EVENTS | ATTENTION_TIMED);
}

static void before_fork(void)
{
  pool_registry_lock();
  for (struct pool *pool = pool_first_made(); pool; pool = pool->next_made)
    pthread_mutex_lock(&pool->lock);
  slot_table_lock();
  ticket_table_lock();
  histogram_table_lock();
  rpc_lock();
}

static void unlock_pools(void)
{
  for (struct pool *pool = pool_first_made(); pool; pool = pool->next_made)
    pthread_mutex_unlock(&pool->lock);
  pool_registry_unlock();
}

static void after_fork_in_parent(void)
{
  rpc_unlock();
  histogram_table_unlock();
  ticket_table_unlock();
  slot_table_unlock();
  unlock_pools();
}

static void after_fork_in_child(void)
{
  atomic_fetch_add(&forks, 1);
  rpc_unlock();
  histogram_table_unlock();
  thread_id_forget();
  ticket_table_reset();
  ticket_table_unlock();
  slot_table_unlock();
  park_reset();
  int cancel_state = cancel_hold(); /* descriptors are closed, and fork is no cancellation point */
  unlock_pools();
  for (struct pool *pool = pool_first(); pool; pool = pool->next_pool)
    reset(pool);
  cancel_release(cancel_state);
}

/* When the library is loaded, before any other constructor of its object.  Handlers run in the opposite order of their
   registration before a fork.  So those of a library that calls this one run first and take its locks first, as its own
   threads do.  The allocator's must run last, for memory is allocated and freed under our locks: one that registers
   handlers does so at the latest in its first call, and that is made here. */
static __attribute__((constructor(101))) void fork_watch(void)
{
  void *volatile memory = malloc(1);
  free(memory);
  pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}
