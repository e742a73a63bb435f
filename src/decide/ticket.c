/* SPDX-License-Identifier: MIT */
#include "decide/ticket.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/short_lock.h"
#include "decide/pool.h"
#include "decide/waiter.h"

#define TICKET_BITS  20
#define TICKET_CHUNK 64u
#define TICKET_LIMIT (1u << TICKET_BITS)

/* Guards all of these.  Taken with a pool's lock held, never the other way round. */
static pthread_mutex_t lock = SHORT_LOCK_INITIALIZER;
static _Atomic(struct waiter *) chunks[TICKET_LIMIT / TICKET_CHUNK];
static uint32_t chunks_made;
static struct waiter *free_waiters;
static uint64_t generation;

static void chunk_free(struct waiter *chunk)
{
  for (uint32_t i = TICKET_CHUNK; i-- > 0;) {
    atomic_store(&chunk[i].ticket, 0);
    chunk[i].next = free_waiters;
    free_waiters = &chunk[i];
  }
}

static bool chunk_make(void)
{
  if (chunks_made == TICKET_LIMIT / TICKET_CHUNK)
    return false;
  struct waiter *chunk = calloc(TICKET_CHUNK, sizeof *chunk);
  if (!chunk)
    return false;
  for (uint32_t i = 0; i < TICKET_CHUNK; i++)
    chunk[i].index = chunks_made * TICKET_CHUNK + i;
  chunk_free(chunk);
  atomic_store(&chunks[chunks_made++], chunk);
  return true;
}

struct waiter *ticket_take(struct pool *pool)
{
  struct waiter *waiter = NULL;
  pthread_mutex_lock(&lock);
  if (free_waiters || chunk_make()) {
    waiter = free_waiters;
    free_waiters = waiter->next;
    waiter_reset(waiter);
    atomic_store(&waiter->pool, pool);
    generation = (generation + 1) & (((uint64_t)1 << (62 - TICKET_BITS)) - 1);
    generation += generation == 0; /* no ticket is 0 */
    atomic_store(&waiter->ticket, (int64_t)(generation << TICKET_BITS | waiter->index));
  }
  pthread_mutex_unlock(&lock);
  return waiter;
}

void ticket_give(struct waiter *waiter)
{
  pthread_mutex_lock(&lock);
  atomic_store(&waiter->ticket, 0);
  waiter->next = free_waiters;
  free_waiters = waiter;
  pthread_mutex_unlock(&lock);
}

struct waiter *ticket_find(int64_t ticket)
{
  if (ticket <= 0 || ticket >> 62)
    return NULL;
  uint32_t index = (uint32_t)ticket & (TICKET_LIMIT - 1);
  struct waiter *chunk = atomic_load_explicit(&chunks[index / TICKET_CHUNK], memory_order_acquire);
  if (!chunk || atomic_load(&chunk[index % TICKET_CHUNK].ticket) != ticket)
    return NULL;
  return &chunk[index % TICKET_CHUNK];
}

void ticket_table_lock(void)
{
  pthread_mutex_lock(&lock);
}

void ticket_table_unlock(void)
{
  pthread_mutex_unlock(&lock);
}

void ticket_table_reset(void)
{
  free_waiters = NULL;
  for (uint32_t i = 0; i < chunks_made; i++)
    chunk_free(atomic_load(&chunks[i]));
}
