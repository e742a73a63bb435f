/* SPDX-License-Identifier: MIT */
/*
 * An order by deadline: a pairing heap of members that stand in what they order.  Adding costs a few instructions;
 * removing any member costs as much as the logarithm of their number, on average.
 *
 * Shared: nothing; the owner of the heap has a lock for it.
 */
#ifndef DUE_H
#define DUE_H

#include <stdint.h>

struct due {
  int64_t at_ns;
  struct due *child, *next; /* the first of those below; the next of those at the same height */
  struct due *previous;     /* the one before, or the parent of the first; NULL: the root, or in no heap */
};

struct due_heap {
  struct due *first; /* the earliest, NULL if there is none */
};

void due_add(struct due_heap *heap, struct due *due, int64_t at_ns);

/* Of a member that is in the heap. */
void due_remove(struct due_heap *heap, struct due *due);

#endif
