/* SPDX-License-Identifier: MIT */
/* Events and lines that wait to be fetched with pool_step_event(), where a pool has no callbacks. */
#ifndef EVENT_QUEUE_H
#define EVENT_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <pool/step.h>

struct event_entry;
struct pool;

/* Under the pool's lock but for `length`, which is read without. */
struct event_queue {
  struct event_entry *first, *last;
  _Atomic int32_t length;
  int64_t lost; /* since the last that was fetched */
};

/* Copies one into the queue; where that is full, the oldest is dropped. */
void event_queue_add(struct pool *pool, const pool_step_event_t *event);

/* Takes the oldest out; false: there is none. */
bool event_queue_take(struct pool *pool, pool_step_event_t *event);

/* Whether there is one to be fetched. */
bool event_queue_waits(struct pool *pool);

/* Drops all of them.  Under the lock, or where nobody else knows the pool. */
void event_queue_clear(struct event_queue *queue);

#endif
