/* SPDX-License-Identifier: MIT */
/*
 * A fleet that shares a budget, in virtual time: members as pools behave with a budget, the keeper of a ledger, which
 * is the library's own, and messages between them that are late, lost and overtake each other.
 *
 * Each member has a monotonic clock, so a wall clock that is set has nothing to act upon here; only the keeper's clock
 * can be set.
 */
#ifndef FLEET_H
#define FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include "budget/events.h"

#define MS    INT64_C(1000000)
#define NEVER INT64_MAX

enum { LAST_EVENTS = 100 };

struct member {
  uint64_t id; /* 0: there is none now */
  bool yields; /* when its term is over it closes what it has: lost=yield */
  int64_t cut_until_ns, stopped_until_ns;

  /* The pool. */
  int32_t demand, leased, open;
  int32_t weight, floor;
  int32_t limit;          /* as its URL says */
  bool putting;           /* a put is on its way */
  int64_t waits_since_ns; /* NEVER: nobody waits */

  /* What it was told. */
  int32_t granted, target;
  bool pressed;
  int64_t epoch, gap_ns;
  int64_t ends_ns;  /* its term, as it counts */
  int64_t stale_ns; /* the ledger may have forgotten it */

  /* What it said. */
  uint64_t turn;
  bool in_flight, told;
  int32_t said_wants;
  int64_t asked_ns, again_ns, fell_ns, timer_ns;
};

/* How long messages take, and how many of 1,000 are lost or come very late. */
struct weather {
  int32_t lost, late;
  int64_t late_ns;
};

struct fleet {
  uint64_t seed, dice;
  struct weather weather;
  int64_t now;
  struct events events;
  struct member *members;
  int32_t size;
  uint64_t ids;
  int64_t open; /* of all members */

  /* The keeper. */
  struct ledger *ledger;
  struct ledger_manners manners;
  uint64_t *turns; /* the last ask of each member that it heard */
  uint64_t *turns_of;
  int32_t *places;  /* where in the ledger each member was last */
  int64_t clock_ns; /* what it shows beyond the time that it is */
  int64_t away_until_ns;
  int32_t limit;     /* that holds */
  int32_t url_limit; /* as the URLs of new members say */
  int32_t asks; /* that reached it, without the first of each member */

  struct event last[LAST_EVENTS];
  uint64_t happened;
};

void fleet_begin(struct fleet *fleet, uint64_t seed, int32_t size, int32_t limit);
void fleet_end(struct fleet *fleet);

/* A number from 0 to below `most`. */
int64_t fleet_dice(struct fleet *fleet, int64_t most);

/* A new member at this place. */
void fleet_join(struct fleet *fleet, int32_t who, int32_t weight, int32_t floor);

/* It closes its connections and says so; or it is killed. */
void fleet_leave(struct fleet *fleet, int32_t who);
void fleet_kill(struct fleet *fleet, int32_t who);

/* What its users want changes. */
void fleet_demand(struct fleet *fleet, int32_t who, int32_t demand);

/* The keeper lost its ledger. */
void fleet_lose(struct fleet *fleet);

/* What is due next, from the queue, and done if it is an event of a member or of the keeper. */
struct event fleet_next(struct fleet *fleet);

/* The ledger's place of a member; NULL: it has none. */
struct ledger_member *fleet_find(const struct fleet *fleet, int32_t who, uint64_t id);

/* What a member may have open at this moment. */
int32_t fleet_may(const struct member *member);
int32_t fleet_wants(const struct member *member);

#endif
