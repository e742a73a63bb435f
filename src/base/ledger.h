/* SPDX-License-Identifier: MIT */
/*
 * The ledger of a budget: who was granted how many permits.  It knows no pool, no thread and no clock, and has no
 * pointer, so that it may lie in shared memory, or travel.  Whoever keeps one says what time it is, and keeps others
 * away meanwhile.  What a member asked reaches the ledger in the order in which it asked: where messages may overtake
 * each other, the keeper refuses those that come too late.
 *
 * What always holds:
 * - L1: `granted` is the sum of what the members were granted, and nobody is granted less than it has open.
 * - L2: Nobody is granted more while the sum is at the limit or above, so the sum exceeds the limit only by what
 * members had open that the ledger did not know.
 * - L3: The target of a member is its share by weighted max-min of what all want, or, where all can have what they
 * want, of what all have open.  A member above its target closes, and says so.
 * - L4: While the ledger learns, each member gets what it has open, and nobody gets more.
 * - L5: A permit that is free and wanted is told to a member that lacks one, the one whose first waiter waits longest
 *   first.
 */
#ifndef LEDGER_H
#define LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of a member: its host, process, language and pool, one behind the other, each with a 0 at its end. */
#define LEDGER_TEXT 128

enum ledger_told { LEDGER_NOT_TOLD, LEDGER_TO_BE_TOLD, LEDGER_TOLD };

struct ledger_member {
  uint64_t id; /* 0: the place is free */
  int64_t ends_ns;
  int64_t waits_ns; /* since when its first waiter waits; INT64_MAX: none waits */
  int64_t asked_ns;
  int32_t seat;                                /* for the keeper of the ledger */
  int32_t open, wants, waiting, weight, floor; /* as it said */
  int32_t granted, target;                     /* as it was told */
  bool has_extra;                              /* it got one of those that rounding left over */
  bool lacks;                                  /* it was granted less than its share */
  bool pressed;                                /* it was told that others lack */
  uint8_t told;                                /* enum ledger_told: it is to ask */
  uint16_t text;                               /* bytes used of it */
  char who[LEDGER_TEXT];
};

/* How a ledger behaves, as its keeper wants it. */
struct ledger_manners {
  int64_t term_ns;  /* a member that does not ask for so long is forgotten; 0: never */
  int64_t pause_ns; /* the level is found anew no sooner than that, and later with many members */
  int64_t gap_ns;   /* on average so long is between two asks, of all members together, and more */
};

struct ledger {
  int64_t epoch;
  struct ledger_manners manners;
  int32_t limit;
  int32_t room; /* places behind this struct */
  int32_t used; /* of these, the first so many have been used */
  int32_t members;
  int32_t lacking; /* of these, those that lack */
  int32_t to_tell; /* of these, those that are to be told */
  int32_t next;    /* of those that have too much: the next that is told, or one behind it */
  int64_t granted;
  int64_t floors;
  int64_t learns_from_ns;
  int64_t asked_ns;     /* when anybody asked last */
  int64_t told_ns;      /* the next may be told a while after this */
  int64_t forget_ns;    /* nobody's term ends sooner */
  int64_t level;        /* see share.h */
  int64_t level_due_ns; /* not found anew sooner */
  bool learns;
  bool keeps; /* all can have what they want: the level is that of what they have open */
  bool moved; /* somebody said something else than before since the level was found */
  struct ledger_member member[];
};

/*
 * What a member says, and what it is told.
 *
 * `open` is the most that it may have open before it is answered, for what it does not say may be granted to others at
 * once.  So a member that says less than it was granted opens no more than it said until its last ask is answered,
 * however long that takes; and it takes no answer to an ask before that one.
 */
struct ledger_ask {
  int64_t epoch;                               /* of the ledger that answered it last; 0: none did */
  int32_t open, wants, waiting, weight, floor; /* none below 0; a weight is 1 to SHARE_WEIGHT_MOST, or taken as such */
  int64_t waits_ns;                            /* for how long its first waiter waits; -1: none does */
};

struct ledger_answer {
  int64_t epoch;
  int32_t granted; /* it shall never have more open */
  int32_t target;  /* it shall close what it has above that, as it comes back */
  int32_t limit;
  bool pressed; /* others lack: it shall say soon when it has less open */
  bool learns;
  int64_t term_ns;  /* what it was granted holds so long from before it asked; INT64_MAX: for ever */
  int64_t gap_ns;   /* it shall ask no sooner, unless it is told */
  int64_t again_ns; /* and no later */
};

size_t ledger_size(int32_t room);

/* A new ledger.  `learns`: there may be members that an earlier one granted permits. */
void ledger_begin(struct ledger *ledger, int32_t room, int32_t limit, int64_t epoch, bool learns,
                  const struct ledger_manners *manners, int64_t now);

/* The place of a member; NULL: it has none.  No member has the id 0. */
struct ledger_member *ledger_find(struct ledger *ledger, uint64_t id);

/* A member is about to join whose URL says this limit and term: they hold from now on, if no other's term runs.  What
   those that are gone may still hold the ledger learns as after any silence. */
void ledger_renew(struct ledger *ledger, int32_t limit, int64_t term_ns, int64_t now);

/* A place for a member that has none; NULL: all are taken. */
struct ledger_member *ledger_join(struct ledger *ledger, uint64_t id, const char *who, size_t size, int64_t now);

/* A member leaves, or is gone: what it was granted is free, and told to those that lack.  Where many leave, the level
   is not found anew for each of them, but by the next that asks, or by ledger_settle(). */
void ledger_leave(struct ledger *ledger, struct ledger_member *member, int64_t now);

/* When the level is to be found though nobody may ask: a member left, and others lack.  INT64_MAX: it need not be. */
int64_t ledger_due(const struct ledger *ledger);

/* Finds the level anew, and tells those that lack. */
void ledger_settle(struct ledger *ledger, int64_t now);

/* A member asks. */
void ledger_sync(struct ledger *ledger, struct ledger_member *member, const struct ledger_ask *ask, int64_t now,
                 struct ledger_answer *answer);

/* What a member's share is now, which it may not have been told yet. */
int32_t ledger_share(const struct ledger *ledger, const struct ledger_member *member);

/* A keeper died while it wrote: sums and counts are made anew of the members. */
void ledger_mend(struct ledger *ledger, int64_t now);

/* A member that was to be told knows that it is to ask. */
void ledger_note_told(struct ledger *ledger, struct ledger_member *member);

/* The next member that is to be told to ask, from *cursor on, which begins as 0; it knows then. */
struct ledger_member *ledger_next_told(struct ledger *ledger, int32_t *cursor);

#endif
