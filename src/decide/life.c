/* SPDX-License-Identifier: MIT */
/*
 * The life of a pool: made, counted, recycled.
 *
 * Shared: the registry, under its lock, which is taken before any other.  It has three lists: every pool that was ever
 * made, those that are in use, and those that may serve again.
 *
 * Memory of a pool is never freed, because a thread that has ended a lease may still read it (give.c says why that is
 * harmless); it serves the next pool instead.  Such a late thread may also take the lock of a pool that nobody uses,
 * and another may be preparing it.  So a fork takes the locks of all that were ever made.  Only the fork holds two of
 * these locks at once, and it holds the registry's, so their order does not matter.
 */
#include "decide/life.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/event_fd.h"
#include "base/forks.h"
#include "base/short_lock.h"
#include "base/thread.h"
#include "slot/idle.h"
#include "slot/notes.h"
#include "slot/slot.h"
#include "decide/allowance.h"
#include "decide/attention.h"
#include "decide/breaker.h"
#include "decide/count.h"
#include "decide/event_queue.h"
#include "decide/pool.h"
#include "decide/step.h"

static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static struct pool *made;           /* all, by next_made; only grows */
static struct pool *pools, *newest; /* in use, in order of making */
static struct pool *unused;         /* may serve again */
static int64_t count;               /* of pools that were registered */

void life_registry_lock(void)
{
  pthread_mutex_lock(&registry);
}

void life_registry_unlock(void)
{
  pthread_mutex_unlock(&registry);
}

struct pool *life_first(void)
{
  return pools;
}

struct pool *life_first_made(void)
{
  return made;
}

struct pool *life_take(void)
{
  pthread_mutex_lock(&registry);
  struct pool *pool = unused;
  if (pool)
    unused = pool->next_pool;
  pthread_mutex_unlock(&registry);
  if (pool)
    return pool;
  pool = aligned_alloc(SLOT_CACHE_LINE, sizeof *pool);
  if (!pool)
    return NULL;
  memset(pool, 0, sizeof *pool);
  pool->lock = (pthread_mutex_t)SHORT_LOCK_INITIALIZER;
  idle_begin(&pool->rows, &pool->block, pool);
  pthread_mutex_lock(&registry);
  if (!made)
    notes_begin();
  pool->next_made = made;
  made = pool;
  pthread_mutex_unlock(&registry);
  return pool;
}

void life_register(struct pool *pool)
{
  pthread_mutex_lock(&registry);
  pool->number = ++count;
  pool->previous_pool = newest;
  pool->next_pool = NULL;
  if (newest)
    newest->next_pool = pool;
  else
    pools = pool;
  newest = pool;
  pthread_mutex_unlock(&registry);
}

static void waiting_reset(struct pool *pool)
{
  memset(&pool->queue, 0, sizeof pool->queue);
  memset(&pool->settled, 0, sizeof pool->settled);
  memset(&pool->told, 0, sizeof pool->told);
  pool->unserved = false;
  pool->tenure = (struct tenure){0};
  pool->late_since_ns = pool->refused_until_ns = 0;
}

void life_begin_anew(struct pool *pool)
{
  assert_locked(pool);
  waiting_reset(pool);
  room_reset(&pool->room);
  allowance_reset(&pool->allowance);
  breaker_reset(&pool->breaker);
  users_reset(&pool->users);
  left_over_reset(&pool->left_over);
  crew_reset(&pool->crew);
  chores_reset(&pool->chores);
  looks_reset(&pool->looks);
  atomic_store(&pool->looks.signal, atomic_load(&pool->keeper_signal));
  starving_reset(&pool->starving);
  suspicion_reset(&pool->suspicion);
  flow_reset(&pool->flow);
  event_queue_clear(&pool->events);
  count_reset(pool);
  count_reset_times(pool);
}

/* What a pool has in memory of its own, and its descriptor. */
static void release_memory(struct pool *pool)
{
  event_fd_close(&pool->event_fd, &pool->lock);
  free(pool->ends);
  pool->ends = NULL;
  breaker_free_cause(&pool->breaker);
  event_queue_clear(&pool->events);
  count_reset_times(pool);
}

static void recycle(struct pool *pool)
{
  void (*release)(void *context) = pool->vtable.release;
  void *context = pool->context;
  if (pool->allowance.budget)
    pool->allowance.end(pool);
  release_memory(pool);
  pthread_mutex_lock(&registry);
  if (pool->previous_pool)
    pool->previous_pool->next_pool = pool->next_pool;
  else
    pools = pool->next_pool;
  if (pool->next_pool)
    pool->next_pool->previous_pool = pool->previous_pool;
  else
    newest = pool->previous_pool;
  pool->next_pool = unused;
  unused = pool;
  pthread_mutex_unlock(&registry);
  int cancel_state = cancel_hold();
  release(context);
  cancel_release(cancel_state);
}

/* Whether somebody may still come to a pool that has no owner, with nothing but its pointer (I13). */
static bool is_needed(const struct pool *pool)
{
  assert_that(pool->room.open >= 0 && pool->users.gets >= 0 && pool->crew.threads >= 0);
  bool needed = pool->room.open > 0 || pool->users.gets > 0 || pool->crew.threads > 0;
  assert_that(needed || (!pool->queue.first && !pool->settled.first && !pool->told.first && !pool->chores.unclean));
  return needed;
}

void life_unlock_unowned(struct pool *pool)
{
  bool gone = !pool->gone && !is_needed(pool);
  if (gone)
    pool->gone = true;
  pthread_mutex_unlock(&pool->lock);
  if (gone)
    recycle(pool);
}

uint64_t life_get_begin(struct pool *pool)
{
  pthread_mutex_lock(&pool->lock);
  pool->users.gets++;
  pthread_mutex_unlock(&pool->lock);
  return forks_count();
}

void life_get_end(struct pool *pool, uint64_t began)
{
  if (forks_since(began))
    return; /* a callback forked, and this is the child: its pools know nothing of us */
  pthread_mutex_lock(&pool->lock);
  pool->users.gets--;
  life_unlock(pool);
}

bool life_maintain_begin(struct pool *pool)
{
  pthread_mutex_lock(&pool->lock);
  bool free = !pool->users.maintained;
  pool->users.maintained = true;
  pool->crew.threads += free; /* the pool must not be recycled meanwhile */
  pthread_mutex_unlock(&pool->lock);
  return free;
}

void life_maintain_end(struct pool *pool, struct step *step)
{
  pthread_mutex_lock(&pool->lock);
  pool->users.maintained = false;
  life_thread_ends(pool, step);
}

bool life_visit_begin(struct pool *pool)
{
  pthread_mutex_lock(&pool->lock);
  bool visited = !pool->gone && pool->exposed;
  pool->crew.threads += visited;
  pthread_mutex_unlock(&pool->lock);
  return visited;
}

bool life_hold(struct pool *pool)
{
  pthread_mutex_lock(&pool->lock);
  bool held = !pool->gone;
  pool->crew.threads += held;
  pthread_mutex_unlock(&pool->lock);
  return held;
}

void life_thread_ends(struct pool *pool, struct step *step)
{
  assert_locked(pool);
  *step = (struct step){0};
  pool->crew.threads--;
  if (attention_closed(pool))
    step_tell_drainers(pool, step);
  life_unlock(pool);
}
