/* SPDX-License-Identifier: MIT */
/*
 * The cold half of a slot: what is known about its time, why it ends, and which thread holds it.
 *
 * The keeper looks at the slots now and then: a word whose generation and state are what they were at the last look has
 * not moved meanwhile, so its connection has been idle, or lent, at least since then.  Moments are on clock_boot(), for
 * connections grow old while the machine sleeps.
 *
 * Shared: the members are atomic because the owner of a slot, on its slow path, writes here while the keeper may be
 * looking.  Each is a note about the past; a mixture of two makes a duration wrong by the time between two looks, and
 * nothing else.  The tag belongs to the thread that holds the lock of the slot's pool.
 */
#ifndef NOTES_H
#define NOTES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>
#include <pool/step.h>

#include "slot/slot.h"

struct notes {
  _Atomic uint64_t word;     /* generation and state at the last look */
  _Atomic int64_t since_ns;  /* when they were first seen so */
  _Atomic int64_t retire_ns; /* when it is to be retired; 0: never */
  _Atomic int64_t limit_ns;  /* when its lifetime is over, which is later */
  _Atomic int64_t checked_ns;
  _Atomic int64_t trusted_ns;    /* when it was lent, and then judged not to be overdue; 0: not known */
  _Atomic int64_t trusted_until; /* on clock_wall(): until then no later lease of it can be overdue */
  _Atomic uint32_t unused;       /* by how much the generation has grown without a lease that was used */
  _Atomic uint8_t reason;        /* why it is DOOMED or being closed, POOL_REASON_*; 0: marked or broken */
  _Atomic uint8_t wants_check;   /* in the background: CHECK_* */
  _Atomic uint8_t leak;          /* LEAK_* */
} __attribute__((aligned(SLOT_CACHE_LINE)));

_Static_assert(sizeof(struct notes) == SLOT_CACHE_LINE, "a look at a slot's times is a look at one line");

/* What only some slots have: those of the step API, those with a tag, those that failed a check or reset.  In an array
   of its own, so that the others take no pages for it. */
struct extra {
  /* A slot that is lent has no work, so there is room for what is known of a lease that renewed the trust. */
  union {
    _Atomic int64_t asked_ns;  /* when the step API asked for its work */
    _Atomic int64_t rested_ns; /* since when the connection of such a lease had been idle */
  };
  _Atomic int64_t until_ns; /* the deadline of the get that this was asked for; 0: for nobody in particular */
  union {
    _Atomic int64_t waits_ns; /* since when that get waits */
    _Atomic int64_t rested;   /* the generation of such a lease */
  };
  _Atomic int64_t attended;  /* the ticket of the get that goes on waiting meanwhile; 0: none does */
  _Atomic uint32_t busy_us;  /* how long opens took that failed for it before, an hour at most */
  _Atomic uint8_t waited;    /* that get was in the queue until it was asked for this */
  _Atomic uint8_t asked_for; /* FOR_* */
  char *tag;
  pool_error_t *cause; /* why its check or reset failed, or NULL; of the slot's owner */
};

#define STATE_AND_GENERATION (STATE_MASK | GENERATION_MASK)

/* What the step API asked for work for: a get; or, by pool_step_next(), nothing in particular: no get is lent it. */
enum { FOR_GET, FOR_NOBODY, FOR_FILL /* one of the initial connections */ };

enum { CHECK_NONE, CHECK_KEEPALIVE, CHECK_SUSPECT };
enum { LEAK_NONE, LEAK_FOUND, LEAK_TOLD };

extern struct notes all_notes[SLOT_LIMIT];
extern struct extra extras[SLOT_LIMIT];

static inline struct notes *notes_of(const struct slot *slot)
{
  return &all_notes[slot_index(slot)];
}

static inline struct extra *extra_of(const struct slot *slot)
{
  return &extras[slot_index(slot)];
}

/* Before the first note of the process. */
void notes_begin(void);

/* A slot was seen: notes the moment if it has moved.  Returns whether it has. */
bool notes_see(struct slot *slot, uint64_t word, int64_t now);

/* The generation of a slot has moved on although its connection was not used: what is known of it stays known. */
void notes_follow(struct slot *slot, uint64_t word, uint64_t next);

/* How long the slot has been what it is now, as far as is known. */
int64_t notes_age(struct slot *slot, int64_t now);
/* For how long a lease with this word has been out; -1: not known. */
int64_t notes_held(struct slot *slot, uint64_t word);

/* Nothing is known any more: the slot is empty.  Under the pool's lock.  Returns the tag, for the caller to free. */
char *notes_forget(struct slot *slot);

#endif
