/* SPDX-License-Identifier: MIT */
/*
 * What is known about the time of a slot.
 *
 * The keeper looks at the slots now and then: a word whose generation and state are what they were at the last look has
 * not moved meanwhile, so its connection has been idle, or lent, at least since then.  Moments are on clock_boot(), for
 * connections grow old while the machine sleeps.
 *
 * A keeper may be late, or there is none.  So a get of a pool that limits by time what may be lent asks a coarse clock
 * whether its connection can be overdue at all, and if so it judges by the notes.  Other gets, and puts, read no clock.
 *
 * Shared: the members are atomic because whoever takes the slow path with a slot (its owner at that moment) writes here
 * while the keeper may be looking.  Each is a note about the past; a mixture of two makes a duration wrong by the time
 * between two looks, and nothing else.  The tag belongs to who holds the lock of the slot's pool.
 */
#ifndef WATCH_H
#define WATCH_H

#include "slot.h"

struct watch {
  _Atomic uint64_t word;     /* generation and state at the last look */
  _Atomic int64_t since_ns;  /* when they were first seen so */
  _Atomic int64_t retire_ns; /* when it is to be retired; 0: never */
  _Atomic int64_t limit_ns;  /* when its lifetime is over, which is later */
  _Atomic int64_t checked_ns;
  _Atomic int64_t trusted_ns;    /* when it was lent, and then judged not to be overdue; 0: not known */
  _Atomic int64_t trusted_until; /* on clock_wall(): until then no later lease of it can be overdue */
  _Atomic uint8_t reason;        /* why it is DOOMED or being closed, POOL_REASON_*; 0: marked or broken */
  _Atomic uint8_t wants_check;   /* in the background: CHECK_* */
  _Atomic uint8_t leak;          /* LEAK_* */
} __attribute__((aligned(SLOT_CACHE_LINE)));

_Static_assert(sizeof(struct watch) == SLOT_CACHE_LINE, "whoever looks at a slot's times looks at one line");

/* What only some slots have: those of the step API, those with a tag, those that failed a check or reset.  In an array
   of its own, so that the others take no pages for it. */
struct extra {
  _Atomic int64_t asked_ns;   /* when the step API asked for its open or check */
  _Atomic int64_t until_ns;   /* the deadline of the get that this was asked for; 0: for nobody in particular */
  _Atomic int64_t waits_ns;   /* since when that get waits */
  _Atomic uint8_t for_nobody; /* what pool_step_next() asked for: a success is lent to nobody */
  char *tag;
  pool_error_t *cause; /* why its check or reset failed, or NULL; of the slot's owner */
};

enum { CHECK_NONE, CHECK_KEEPALIVE, CHECK_SUSPECT };
enum { LEAK_NONE, LEAK_FOUND, LEAK_TOLD };

extern struct watch watches[SLOT_LIMIT];
extern struct extra extras[SLOT_LIMIT];

static inline struct watch *watch_of(const struct slot *slot)
{
  return &watches[slot_index(slot)];
}

static inline struct extra *extra_of(const struct slot *slot)
{
  return &extras[slot_index(slot)];
}

/* A slot was seen: notes the moment if it has moved.  Returns whether it has. */
bool watch_see(struct slot *slot, uint64_t word, int64_t now);

/* The generation of a slot has moved on although its connection was not used: what is known of it stays known. */
void watch_follow(struct slot *slot, uint64_t word, uint64_t next);

/* How long the slot has been what it is now, as far as is known. */
int64_t watch_age(struct slot *slot, int64_t now);

struct pool;

/* When, on clock_now(), something is due that has to do with a connection that has been idle since it was opened. */
int64_t watch_first_due(const pool_config_t *config, struct slot *slot);

/* A connection was opened in the slot, in so long (-1: not known): begins its life.  Under the pool's lock. */
void watch_begin(struct pool *pool, struct slot *slot, int64_t now, int64_t took_ns);

/* How long what was lent is trusted not to be overdue; 0: nothing limits by time what a pool may lend. */
int64_t watch_trust_ns(const pool_config_t *config);

/* Whether clock_wall() may be coarse for that. */
bool watch_may_be_coarse(const pool_config_t *config);

/* What must be done before a connection that was idle until now, with this word, may be lent.  `taken`: it is LEASED
   already, and its owner asks. */
enum verdict { IN_TIME, TO_BE_CHECKED, TO_BE_CLOSED };
enum verdict watch_judge(struct pool *pool, struct slot *slot, uint64_t word, bool taken, int32_t *reason);

/* The connection was lent or opened right now, by the caller, and is not overdue. */
void watch_trust(struct pool *pool, struct slot *slot);

/* Since when a connection that was idle until now, with this word, has been so at most.  A lease that was not used
   leaves it as idle as it was. */
int64_t watch_idle_since(struct pool *pool, struct slot *slot, uint64_t word);
void watch_was_unused(struct slot *slot, uint64_t word, int64_t since);

/* How many counters a pool needs for the ends of lifetimes. */
size_t watch_ring_size(const pool_config_t *config);

/* Nothing is known any more: the slot is empty.  Under the pool's lock.  Returns the tag, for the caller to free. */
char *watch_end(struct pool *pool, struct slot *slot);

/* Whether a slot has been idle and unchecked for so long that it is to be checked. */
bool watch_is_keepalive_due(const pool_config_t *config, struct slot *slot, int64_t now);

/* Whether anything of a pool has to do with time. */
bool watch_is_needed(const pool_config_t *config);

/* What a look has found. */
struct look {
  int64_t now, boot; /* the moment, on clock_now() and on clock_boot() */
  int32_t open;      /* places taken */
  int64_t due_ns;    /* when to look again, on clock_now(); POOL_NO_DEADLINE: not before something happens */
  bool chores;       /* something is to be closed, checked or opened */
  bool leaks;        /* slots are LEAK_FOUND */
};

/* Looks at all slots of a pool and marks what is due.  One thread at a time. */
void watch_look(struct pool *pool, struct look *look);

#endif
