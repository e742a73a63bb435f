/* SPDX-License-Identifier: MIT */
#include "decide/waiter.h"

#include <string.h>

#include "base/contract.h"
#include "base/due.h"

void waiter_reset(struct waiter *waiter)
{
  memset(waiter, 0, offsetof(struct waiter, pool));
}

static void count(struct queue *queue, struct waiter *waiter, int32_t by)
{
  assert_that(waiter->queued == (by < 0));
  queue->length += by;
  queue->refused += waiter->refused ? by : 0;
  queue->attended += waiter->works > 0 ? by : 0;
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

void waiter_set_deadline(struct queue *queue, struct waiter *waiter, int64_t deadline_ns)
{
  waiter->deadline_ns = deadline_ns;
  due_remove(&queue->deadlines, &waiter->due);
  due_add(&queue->deadlines, &waiter->due, deadline_ns);
}

void waiter_append(struct queue *queue, struct waiter *waiter)
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
void waiter_insert(struct queue *queue, struct waiter *waiter)
{
  struct waiter *next = queue->first;
  while (next && next->since_ns < waiter->since_ns)
    next = next->next;
  if (!next) {
    waiter_append(queue, waiter);
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

void waiter_remove(struct queue *queue, struct waiter *waiter)
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
