/* SPDX-License-Identifier: MIT */
#include "decide/event_queue.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

#include "decide/pool.h"

/* A program that fetches nothing costs no more memory than this. */
#define EVENTS_KEPT 256

struct event_entry {
  struct event_entry *next;
  pool_step_event_t event;
};

/* The first of a queue that is not empty. */
static struct event_entry *unlink_first(struct event_queue *queue)
{
  struct event_entry *entry = queue->first;
  queue->first = entry->next;
  if (!queue->first)
    queue->last = NULL;
  atomic_fetch_sub(&queue->length, 1);
  return entry;
}

static void append(struct event_queue *queue, struct event_entry *entry)
{
  entry->next = NULL;
  if (queue->last)
    queue->last->next = entry;
  else
    queue->first = entry;
  queue->last = entry;
  atomic_fetch_add(&queue->length, 1);
}

/* A place for one more; NULL: out of memory. */
static struct event_entry *take_place(struct event_queue *queue)
{
  if (atomic_load(&queue->length) < EVENTS_KEPT)
    return malloc(sizeof(struct event_entry));
  queue->lost++;
  return unlink_first(queue);
}

void event_queue_add(struct pool *pool, const pool_step_event_t *event)
{
  struct event_queue *queue = &pool->events;
  pthread_mutex_lock(&pool->lock);
  struct event_entry *entry = take_place(queue);
  if (entry) {
    entry->event = *event;
    append(queue, entry);
  } else {
    queue->lost++;
  }
  pthread_mutex_unlock(&pool->lock);
}

bool event_queue_take(struct pool *pool, pool_step_event_t *event)
{
  struct event_queue *queue = &pool->events;
  pthread_mutex_lock(&pool->lock);
  struct event_entry *entry = queue->first ? unlink_first(queue) : NULL;
  if (entry) {
    *event = entry->event;
    event->lost = queue->lost;
    queue->lost = 0;
    free(entry);
  }
  pthread_mutex_unlock(&pool->lock);
  return entry != NULL;
}

bool event_queue_waits(struct pool *pool)
{
  return atomic_load(&pool->events.length) > 0;
}

void event_queue_clear(struct event_queue *queue)
{
  while (queue->first)
    free(unlink_first(queue));
  queue->lost = 0;
}
