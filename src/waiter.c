/* SPDX-License-Identifier: MIT */
#include "waiter.h"

#include <pthread.h>
#include <stdlib.h>

static void count(struct queue *queue, struct waiter *waiter, int32_t by)
{
  queue->length += by;
  queue->refused += waiter->refused ? by : 0;
  if (!waiter->timeless) {
    queue->patient += by;
    queue->asynchronous += waiter->kind == WAITER_ASYNC ? by : 0;
  }
  waiter->queued = by > 0;
  if (waiter->kind == WAITER_ASYNC && by > 0)
    due_add(&queue->deadlines, &waiter->due, waiter->deadline_ns);
  else if (waiter->kind == WAITER_ASYNC)
    due_remove(&queue->deadlines, &waiter->due);
}

void queue_set_deadline(struct queue *queue, struct waiter *waiter, int64_t deadline_ns)
{
  waiter->deadline_ns = deadline_ns;
  due_remove(&queue->deadlines, &waiter->due);
  due_add(&queue->deadlines, &waiter->due, deadline_ns);
}

void queue_append(struct queue *queue, struct waiter *waiter)
{
  waiter->next = NULL;
  waiter->previous = queue->last;
  if (queue->last)
    queue->last->next = waiter;
  else
    queue->first = waiter;
  queue->last = waiter;
  count(queue, waiter, 1);
}

/* It was there before, so it is near the head. */
void queue_insert(struct queue *queue, struct waiter *waiter)
{
  struct waiter *next = queue->first;
  while (next && next->since_ns < waiter->since_ns)
    next = next->next;
  if (!next) {
    queue_append(queue, waiter);
    return;
  }
  waiter->next = next;
  waiter->previous = next->previous;
  if (next->previous)
    next->previous->next = waiter;
  else
    queue->first = waiter;
  next->previous = waiter;
  count(queue, waiter, 1);
}

void queue_remove(struct queue *queue, struct waiter *waiter)
{
  if (waiter->previous)
    waiter->previous->next = waiter->next;
  else
    queue->first = waiter->next;
  if (waiter->next)
    waiter->next->previous = waiter->previous;
  else
    queue->last = waiter->previous;
  waiter->next = waiter->previous = NULL;
  count(queue, waiter, -1);
}

void told_append(struct told *told, struct waiter *waiter)
{
  if (waiter->telling)
    return;
  waiter->telling = true;
  waiter->next_told = NULL;
  waiter->previous_told = told->last;
  if (told->last)
    told->last->next_told = waiter;
  else
    told->first = waiter;
  told->last = waiter;
}

void told_remove(struct told *told, struct waiter *waiter)
{
  if (!waiter->telling)
    return;
  waiter->telling = false;
  if (waiter->previous_told)
    waiter->previous_told->next_told = waiter->next_told;
  else
    told->first = waiter->next_told;
  if (waiter->next_told)
    waiter->next_told->previous_told = waiter->previous_told;
  else
    told->last = waiter->previous_told;
}

/* ---- tickets: index in the low bits, a generation above, as in leases ---- */

#define TICKET_BITS  20
#define TICKET_CHUNK 64u
#define TICKET_LIMIT (1u << TICKET_BITS)

/* Guards all of these.  Taken with a pool's lock held, never the other way round. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
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
    waiter->next = waiter->previous = NULL;
    waiter->outcome = 0;
    waiter->since_ns = 0;
    waiter->waited_ns = waiter->again_ns = 0;
    waiter->error.code = 0;
    waiter->waited = waiter->counted = waiter->nudged = waiter->at_once = waiter->queued = waiter->telling = false;
    waiter->timeless = waiter->refused = waiter->starving = waiter->starved = waiter->tells_starved = false;
    atomic_store(&waiter->signal, 0);
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
