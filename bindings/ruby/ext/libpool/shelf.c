/* SPDX-License-Identifier: MIT */
/*
 * Where the connections are: by slot, for the slots' numbers are the process's.  Each pool has a list of its own of the
 * places that hold something, for the garbage collector.  A slot belongs to one pool, and so its place to one Ractor;
 * pages are made by any of them, and stay.
 */
#include "native.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { SLOT_BITS = 20, PAGE_BITS = 8, PAGE_SLOTS = 1 << PAGE_BITS };

struct place {
  VALUE connection;
  pool_lease_t lease; /* the last lease that somebody asked to be noted */
  uint32_t next, previous;
  bool taken;
  bool detached;
};

static struct place *_Atomic pages[1 << (SLOT_BITS - PAGE_BITS)];

static uint32_t slot_of(pool_lease_t number)
{
  return (uint32_t)number & ((1u << SLOT_BITS) - 1);
}

static struct place *place(uint32_t slot)
{
  struct place *page = atomic_load_explicit(&pages[slot >> PAGE_BITS], memory_order_acquire);
  return &page[slot & (PAGE_SLOTS - 1)];
}

void shelf_reserve(pool_lease_t number)
{
  struct place *_Atomic *page = &pages[slot_of(number) >> PAGE_BITS];
  if (*page)
    return;
  struct place *none = NULL, *made = ruby_xcalloc(PAGE_SLOTS, sizeof *made); /* may collect garbage of other pages */
  if (!atomic_compare_exchange_strong(page, &none, made))
    ruby_xfree(made);
}

void shelf_put(struct libpool *self, pool_lease_t number, VALUE connection)
{
  uint32_t slot = slot_of(number);
  struct place *here = place(slot);
  *here = (struct place){.connection = connection, .next = self->first, .previous = NOBODY, .taken = true};
  if (self->first != NOBODY)
    place(self->first)->previous = slot;
  self->first = slot;
}

VALUE shelf_get(pool_lease_t number)
{
  return place(slot_of(number))->connection;
}

VALUE shelf_take(struct libpool *self, pool_lease_t number)
{
  struct place *here = place(slot_of(number));
  if (!here->taken)
    return Qnil;
  if (here->previous == NOBODY)
    self->first = here->next;
  else
    place(here->previous)->next = here->next;
  if (here->next != NOBODY)
    place(here->next)->previous = here->previous;
  VALUE connection = here->connection;
  *here = (struct place){.connection = Qnil};
  return connection;
}

void shelf_mark(struct libpool *self)
{
  for (uint32_t slot = self->first; slot != NOBODY; slot = place(slot)->next)
    rb_gc_mark_movable(place(slot)->connection);
}

void shelf_compact(struct libpool *self)
{
  for (uint32_t slot = self->first; slot != NOBODY; slot = place(slot)->next)
    place(slot)->connection = rb_gc_location(place(slot)->connection);
}

void shelf_clear(struct libpool *self, VALUE array)
{
  while (self->first != NOBODY) {
    VALUE connection = place(self->first)->connection;
    if (!NIL_P(array))
      rb_ary_push(array, connection); /* may raise: only then it is taken away */
    shelf_take(self, self->first);
  }
}

bool shelf_find(struct libpool *self, VALUE connection, uint32_t *slot)
{
  for (*slot = self->first; *slot != NOBODY; *slot = place(*slot)->next)
    if (place(*slot)->connection == connection)
      return true;
  return false;
}

void shelf_note(pool_lease_t lease)
{
  struct place *here = place(slot_of(lease));
  here->lease = lease;
  here->detached = false;
}

pool_lease_t shelf_noted(uint32_t slot)
{
  return place(slot)->lease;
}

void shelf_detach(pool_lease_t lease)
{
  place(slot_of(lease))->detached = true;
}

bool shelf_keeps(pool_lease_t lease)
{
  struct place *here = place(slot_of(lease));
  return here->lease == lease && !here->detached;
}
