/* SPDX-License-Identifier: MIT */
#include "jsonrpc/pending.h"

#include <stdlib.h>

#define BUCKETS_FIRST 16u

void pending_list_insert(struct pending_list *list, struct pending *before, struct pending *pending)
{
  pending->previous = before;
  pending->next = before ? before->next : list->first;
  *(pending->next ? &pending->next->previous : &list->last) = pending;
  *(before ? &before->next : &list->first) = pending;
}

void pending_list_remove(struct pending_list *list, struct pending *pending)
{
  *(pending->previous ? &pending->previous->next : &list->first) = pending->next;
  *(pending->next ? &pending->next->previous : &list->last) = pending->previous;
  pending->previous = pending->next = NULL;
}

/* The deadlines of one pool's calls come nearly in order, so the loop has few rounds. */
static void insert_by_deadline(struct pending_list *list, struct pending *pending)
{
  struct pending *before = list->last;
  while (before && before->deadline_ns > pending->deadline_ns)
    before = before->previous;
  pending_list_insert(list, before, pending);
}

static struct pending **bucket_of(struct pending_table *table, uint64_t id)
{
  return &table->buckets[id & (table->bucket_count - 1)];
}

/* Doubles the buckets before there are many calls in each.  False without memory: if there are buckets already, the
   table only becomes slower. */
static bool grow(struct pending_table *table)
{
  size_t old_count = table->bucket_count;
  struct pending **old = table->buckets;
  size_t count = old_count ? old_count * 2 : BUCKETS_FIRST;
  struct pending **buckets = calloc(count, sizeof(struct pending *));
  if (!buckets)
    return false;
  table->buckets = buckets;
  table->bucket_count = count;
  for (size_t i = 0; i < old_count; i++)
    for (struct pending *pending = old[i], *next; pending; pending = next) {
      next = pending->next_of_bucket;
      struct pending **bucket = bucket_of(table, pending->id);
      pending->next_of_bucket = *bucket;
      *bucket = pending;
    }
  free(old);
  return true;
}

bool pending_table_add(struct pending_table *table, struct pending *pending)
{
  if (table->count >= table->bucket_count && !grow(table) && !table->buckets)
    return false;
  pending->id = ++table->last_id;
  struct pending **bucket = bucket_of(table, pending->id);
  pending->next_of_bucket = *bucket;
  *bucket = pending;
  table->count++;
  if (pending->call)
    insert_by_deadline(&table->async, pending);
  return true;
}

struct pending *pending_table_find(struct pending_table *table, uint64_t id)
{
  struct pending *pending = *bucket_of(table, id);
  while (pending && pending->id != id)
    pending = pending->next_of_bucket;
  return pending;
}

void pending_table_remove(struct pending_table *table, struct pending *pending)
{
  struct pending **link = bucket_of(table, pending->id);
  while (*link != pending)
    link = &(*link)->next_of_bucket;
  *link = pending->next_of_bucket;
  table->count--;
  if (pending->call)
    pending_list_remove(&table->async, pending);
}

struct pending *pending_table_any(struct pending_table *table)
{
  for (size_t i = 0; i < table->bucket_count; i++)
    if (table->buckets[i])
      return table->buckets[i];
  return NULL;
}

void pending_table_free(struct pending_table *table)
{
  free(table->buckets);
}
