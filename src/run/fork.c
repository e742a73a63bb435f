/* SPDX-License-Identifier: MIT */
/*
 * What becomes of all pools in a fork.
 *
 * Shared: everything; so the forking thread first takes every lock, in the usual order (I15), and the child's copy is
 * consistent. The child leaves the locks and resets each pool: it has its full capacity, all leases and tickets of the
 * parent are stale, and what the parent has open is handed to the driver's abandon, which sends nothing.
 *
 * No lock of the library is outside this: those of pools that nobody uses any more are taken too, and the places where
 * threads sleep without a futex are made anew in the child.
 */
#include "run/fork.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include <pool/pool.h>

#include "base/event_fd.h"
#include "base/forks.h"
#include "base/histogram.h"
#include "base/park.h"
#include "base/thread.h"
#include "slot/idle.h"
#include "slot/slot.h"
#include "decide/attention.h"
#include "decide/life.h"
#include "decide/lifetime.h"
#include "decide/pool.h"
#include "decide/ticket.h"
#include "run/board.h"
#include "run/call.h"
#include "run/group.h"
#include "run/membership.h"
#include "run/server.h"

/* Why forks cannot be watched, an errno; written before anybody else runs. */
static int watch_error;

/* Returns the connection that is to be abandoned, or NULL. */
static void *give_up(struct pool *pool, struct slot *slot)
{
  void *conn = slot_conn(slot);
  enum slot_state state = state_of(slot_word(slot));
  if (state != EMPTY) {
    free(lifetime_end(pool, slot));
    slot_vacate(slot);
  }
  idle_give_slot(slot);
  /* What another thread was closing may be freed already; its descriptor, if there is one, is lost to the child. */
  return state != CLOSING ? conn : NULL;
}

/* What a get left to be closed nobody has begun to close. */
static void keep_unclosed(struct pool *pool)
{
  for (struct slot *slot = pool->chores.unclean; slot; slot = slot_listed(slot->next))
    slot_move(slot, 0, 0, RETURNING);
}

static void abandon_all(struct pool *pool)
{
  struct scan scan = scan_all(&pool->rows);
  for (struct slot *slot; (slot = scan_next(&scan));) {
    pthread_mutex_lock(&pool->lock);
    void *conn = give_up(pool, slot);
    pthread_mutex_unlock(&pool->lock);
    if (conn)
      pool->vtable.abandon(pool->context, conn);
  }
}

static void reset(struct pool *pool)
{
  event_fd_after_fork(&pool->event_fd);
  keep_unclosed(pool);
  abandon_all(pool);
  pthread_mutex_lock(&pool->lock);
  idle_reset(&pool->rows);
  /* Waiters of threads were on stacks that are no more; those with tickets were given back with their table. */
  life_begin_anew(pool);
  /* What the program decided holds in the child as well. */
  atomic_fetch_and(&pool->attention, ATTENTION_NOT_LENDING | ATTENTION_EVENTS | ATTENTION_LIMITED);
  pthread_mutex_unlock(&pool->lock);
}

static void before_fork(void)
{
  group_before_fork();
  membership_before_fork();
  life_registry_lock();
  for (struct pool *pool = life_first_made(); pool; pool = pool->next_made)
    pthread_mutex_lock(&pool->lock);
  slot_table_lock();
  ticket_table_lock();
  histogram_table_lock();
  call_table_lock();
  server_lock();
  board_names_lock();
}

static void unlock_pools(void)
{
  for (struct pool *pool = life_first_made(); pool; pool = pool->next_made)
    pthread_mutex_unlock(&pool->lock);
  life_registry_unlock();
}

static void after_fork_in_parent(void)
{
  board_names_unlock();
  server_unlock();
  call_table_unlock();
  histogram_table_unlock();
  ticket_table_unlock();
  slot_table_unlock();
  unlock_pools();
  membership_after_fork();
  group_after_fork();
}

static void after_fork_in_child(void)
{
  forks_add();
  board_forget();
  board_names_unlock();
  server_leave();
  server_unlock();
  call_table_unlock();
  histogram_table_unlock();
  thread_id_forget();
  ticket_table_reset();
  ticket_table_unlock();
  slot_table_unlock();
  park_reset();
  int cancel_state = cancel_hold(); /* descriptors are closed, and fork is no cancellation point */
  unlock_pools();
  membership_forget();
  membership_after_fork();
  group_forget();
  group_after_fork();
  for (struct pool *pool = life_first(); pool; pool = pool->next_pool)
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
  watch_error = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

int fork_watch_error(void)
{
  return watch_error;
}
