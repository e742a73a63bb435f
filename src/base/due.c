/* SPDX-License-Identifier: MIT */
#include "base/due.h"

#include <stddef.h>

/* Joins two trees; each may be NULL. */
static struct due *join(struct due *one, struct due *other)
{
  if (!one || !other)
    return one ? one : other;
  struct due *above = other->at_ns < one->at_ns ? other : one;
  struct due *below = above == one ? other : one;
  below->next = above->child;
  if (below->next)
    below->next->previous = below;
  below->previous = above;
  above->child = below;
  return above;
}

static struct due *alone(struct due *due)
{
  due->next = due->previous = NULL;
  return due;
}

/* Joins trees that stand side by side: in pairs, then the pairs from the last to the first. */
static struct due *join_all(struct due *first)
{
  struct due *pairs = NULL, *whole = NULL;
  while (first) {
    struct due *second = first->next;
    struct due *rest = second ? second->next : NULL;
    struct due *pair = join(alone(first), second ? alone(second) : NULL);
    pair->next = pairs;
    pairs = pair;
    first = rest;
  }
  while (pairs) {
    struct due *rest = pairs->next;
    whole = join(whole, alone(pairs));
    pairs = rest;
  }
  return whole;
}

void due_add(struct due_heap *heap, struct due *due, int64_t at_ns)
{
  *due = (struct due){.at_ns = at_ns};
  heap->first = join(heap->first, due);
}

void due_remove(struct due_heap *heap, struct due *due)
{
  struct due *below = join_all(due->child);
  due->child = NULL;
  if (due == heap->first) {
    heap->first = below;
    return;
  }
  if (due->previous->child == due)
    due->previous->child = due->next;
  else
    due->previous->next = due->next;
  if (due->next)
    due->next->previous = due->previous;
  alone(due);
  heap->first = join(heap->first, below);
}
