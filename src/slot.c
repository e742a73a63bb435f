/* SPDX-License-Identifier: MIT */
#include "slot.h"

#include <pthread.h>

#include "pages.h"
#include "watch.h"

struct slot slots[SLOT_LIMIT];

/* Guards the free groups and the number of groups made.  Taken with a pool's lock held, never the other way round. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slot *free_groups;
static uint32_t groups_made = 1; /* group 0 is never given */

void slot_vacate(struct slot *slot)
{
  atomic_store(&slot->conn, NULL);
  atomic_store(&slot->word, generation_next(atomic_load(&slot->word) & GENERATION_MASK) | EMPTY);
}

void slot_begin(struct slot *slot)
{
  uint64_t generation = atomic_load(&slot->word) & GENERATION_MASK;
  /* One before, for the report of the open moves it on. */
  uint64_t sampled = (generation + GENERATION_ONE + SAMPLE_MASK) & ~SAMPLE_MASK;
  atomic_store(&slot->word, (sampled - GENERATION_ONE) & GENERATION_MASK);
}

static struct slot *group_make(void)
{
  if (groups_made == 1) {
    pages_small(slots, sizeof slots);
    pages_small(watches, sizeof watches);
  }
  if (groups_made == SLOT_LIMIT / SLOT_GROUP)
    return NULL;
  struct slot *group = &slots[groups_made * SLOT_GROUP];
  for (uint32_t i = 0; i < SLOT_GROUP; i++) {
    group[i].index = groups_made * SLOT_GROUP + i;
    group[i].word = SAMPLE_MASK + GENERATION_ONE;
  }
  groups_made++;
  return group;
}

struct slot *slot_group_take(void)
{
  pthread_mutex_lock(&lock);
  struct slot *group = free_groups;
  if (group)
    free_groups = group->next;
  else
    group = group_make();
  pthread_mutex_unlock(&lock);
  return group;
}

void slot_group_give(struct slot *group)
{
  pthread_mutex_lock(&lock);
  group->next = free_groups;
  free_groups = group;
  pthread_mutex_unlock(&lock);
}

void slot_table_lock(void)
{
  pthread_mutex_lock(&lock);
}

void slot_table_unlock(void)
{
  pthread_mutex_unlock(&lock);
}
