/* SPDX-License-Identifier: MIT */
#include "budget/fleet.h"

#include <stdlib.h>
#include <string.h>

#include "support.h"

#define TERM     (10000 * MS)
#define PAUSE    (50 * MS)
#define GAP      MS
#define PATIENCE (1000 * MS) /* with an answer, with a retry, and before it says that it wants less */
#define HOLD     (400 * MS)  /* no longer is a connection in use, if others want it */

static int32_t least(int32_t a, int32_t b)
{
  return a < b ? a : b;
}

static int32_t most(int32_t a, int32_t b)
{
  return a > b ? a : b;
}

static int64_t sooner(int64_t a, int64_t b)
{
  return a < b ? a : b;
}

static int64_t later(int64_t a, int64_t b)
{
  return a > b ? a : b;
}

int64_t fleet_dice(struct fleet *fleet, int64_t bound)
{
  return (int64_t)(random_next(&fleet->dice) % (uint64_t)bound);
}

void fleet_begin(struct fleet *fleet, uint64_t seed, int32_t size, int32_t limit)
{
  *fleet = (struct fleet){.seed = seed, .dice = seed * 2654435761 + 1, .size = size};
  fleet->limit = fleet->url_limit = limit;
  fleet->now = 100000000 * MS;
  fleet->manners = (struct ledger_manners){.term_ns = TERM, .pause_ns = PAUSE, .gap_ns = GAP};
  fleet->members = calloc(size, sizeof *fleet->members);
  fleet->turns = calloc(size, sizeof *fleet->turns);
  fleet->turns_of = calloc(size, sizeof *fleet->turns_of);
  fleet->ledger = malloc(ledger_size(2 * size + 100));
  fleet->places = calloc(size, sizeof *fleet->places);
  if (!fleet->members || !fleet->places || !fleet->turns || !fleet->turns_of || !fleet->ledger)
    abort();
  ledger_begin(fleet->ledger, 2 * size + 100, limit, 1, false, &fleet->manners, fleet->now);
}

void fleet_end(struct fleet *fleet)
{
  events_free(&fleet->events);
  free(fleet->members);
  free(fleet->places);
  free(fleet->turns);
  free(fleet->turns_of);
  free(fleet->ledger);
}

void fleet_lose(struct fleet *fleet)
{
  struct ledger *ledger = fleet->ledger;
  ledger_begin(ledger, ledger->room, fleet->limit, ledger->epoch + 1, true, &fleet->manners,
               fleet->now + fleet->clock_ns);
  memset(fleet->turns_of, 0, fleet->size * sizeof *fleet->turns_of);
}

/* ---- messages ---- */

static bool is_cut(const struct fleet *fleet, const struct member *member)
{
  return fleet->now < member->cut_until_ns || fleet->now < fleet->away_until_ns;
}

static void send(struct fleet *fleet, struct event event)
{
  const struct weather *weather = &fleet->weather;
  int64_t delay = MS / 10 + fleet_dice(fleet, 5 * MS);
  if (fleet_dice(fleet, 1000) < weather->lost || is_cut(fleet, &fleet->members[event.who]))
    return;
  if (fleet_dice(fleet, 1000) < weather->late)
    delay += fleet_dice(fleet, weather->late_ns);
  event.at_ns = fleet->now + delay;
  events_add(&fleet->events, event);
}

static void schedule(struct fleet *fleet, struct member *member, enum event_kind kind, int64_t at)
{
  events_add(&fleet->events,
             (struct event){.at_ns = at, .kind = kind, .who = (int32_t)(member - fleet->members), .id = member->id});
}

/* ---- the pool of a member ---- */

static int32_t cap_of(const struct member *member)
{
  return least(member->granted, member->target);
}

int32_t fleet_may(const struct member *member)
{
  return most(member->open, cap_of(member));
}

int32_t fleet_wants(const struct member *member)
{
  return least(member->demand, 2 * member->limit); /* its max_open */
}

static void set_open(struct fleet *fleet, struct member *member, int32_t open)
{
  fleet->open += open - member->open;
  member->open = open;
}

/* Users get what is idle, or may be opened; what is idle above the target is closed.  What is in use comes back. */
static void use(struct fleet *fleet, struct member *member)
{
  int32_t wants = fleet_wants(member);
  member->leased = most(member->leased, least(wants, fleet_may(member)));
  set_open(fleet, member, most(member->open, member->leased));
  set_open(fleet, member, most(member->leased, least(member->open, member->target)));
  if (member->leased >= wants)
    member->waits_since_ns = NEVER;
  else
    member->waits_since_ns = sooner(member->waits_since_ns, fleet->now);
  if (!member->putting && (member->leased > wants || member->open > member->target)) {
    member->putting = true;
    schedule(fleet, member, PUT, fleet->now + 1 + fleet_dice(fleet, HOLD));
  }
}

static void put(struct fleet *fleet, struct member *member)
{
  member->putting = false;
  member->leased = least(least(member->leased, fleet_wants(member)), member->target);
  set_open(fleet, member, least(member->open, most(member->leased, member->target)));
}

/* ---- what it says ---- */

/* What it promises not to exceed until it is answered.  If others lack that is what it has, else it keeps what it may
   use. */
static int32_t held(const struct member *member)
{
  int32_t least_of_it = most(member->open, least(cap_of(member), member->floor));
  if (member->pressed || member->told)
    return least_of_it;
  return most(least_of_it, least(cap_of(member), fleet_wants(member)));
}

static void ask(struct fleet *fleet, struct member *member)
{
  int32_t wants = fleet_wants(member), open = held(member);
  struct ledger_ask said = {.epoch = member->epoch,
                            .open = open,
                            .wants = wants,
                            .waiting = wants - member->leased,
                            .weight = member->weight,
                            .floor = member->floor};
  said.waits_ns = member->waits_since_ns == NEVER ? -1 : fleet->now - member->waits_since_ns;
  member->granted = open;
  member->in_flight = true;
  member->told = false;
  member->said_wants = wants;
  member->asked_ns = fleet->now;
  send(fleet, (struct event){.kind = ASK,
                             .who = (int32_t)(member - fleet->members),
                             .id = member->id,
                             .turn = ++member->turn,
                             .limit = member->limit,
                             .ask = said});
}

/* When it is to ask, if nothing changes. */
static int64_t asks_at(const struct fleet *fleet, struct member *member)
{
  int32_t wants = fleet_wants(member);
  int64_t at = member->again_ns;
  if (member->in_flight)
    return member->asked_ns + PATIENCE; /* then it gives up */
  if (member->told)
    return fleet->now;
  if (wants >= member->said_wants)
    member->fell_ns = NEVER;
  else if (member->fell_ns == NEVER)
    member->fell_ns = fleet->now;
  if (member->fell_ns != NEVER)
    at = sooner(at, member->fell_ns + PATIENCE);
  if ((wants > member->said_wants && wants > cap_of(member)) ||
      (member->pressed && member->granted > held(member)))
    at = fleet->now;
  return later(at, member->asked_ns + member->gap_ns);
}

static void note_lost(struct fleet *fleet, struct member *member)
{
  if (member->in_flight && fleet->now >= member->asked_ns + PATIENCE) {
    member->in_flight = false;
    member->again_ns = fleet->now + PATIENCE / 2;
  }
  if (member->yields && fleet->now >= member->ends_ns)
    member->granted = member->target = 0;
}

/* All that a member does by itself. */
static void act(struct fleet *fleet, struct member *member)
{
  note_lost(fleet, member);
  use(fleet, member);
  if (!member->in_flight && asks_at(fleet, member) <= fleet->now)
    ask(fleet, member);
  int64_t next = later(asks_at(fleet, member), fleet->now);
  if (member->yields && member->ends_ns > fleet->now)
    next = sooner(next, member->ends_ns);
  if (next < member->timer_ns) {
    member->timer_ns = next;
    schedule(fleet, member, TIMER, next);
  }
}

static void hear_answer(struct fleet *fleet, struct member *member, const struct event *event)
{
  const struct ledger_answer *answer = &event->answer;
  if (event->turn != member->turn) /* it said something else since */
    return;
  member->in_flight = false;
  member->granted = answer->granted;
  member->target = answer->target;
  member->pressed = answer->pressed;
  member->epoch = answer->epoch;
  member->gap_ns = answer->gap_ns;
  member->again_ns = fleet->now + answer->again_ns;
  member->ends_ns = member->asked_ns + answer->term_ns - answer->term_ns / 10;
  member->stale_ns = member->asked_ns + answer->term_ns;
}

/* ---- what happens to it ---- */

void fleet_join(struct fleet *fleet, int32_t who, int32_t weight, int32_t floor)
{
  struct member *member = &fleet->members[who];
  *member = (struct member){.id = ++fleet->ids,
                            .weight = weight,
                            .floor = floor,
                            .limit = fleet->url_limit,
                            .waits_since_ns = NEVER,
                            .again_ns = fleet->now,
                            .fell_ns = NEVER,
                            .timer_ns = NEVER,
                            .yields = fleet_dice(fleet, 2) == 0};
  act(fleet, member);
}

void fleet_kill(struct fleet *fleet, int32_t who)
{
  set_open(fleet, &fleet->members[who], 0);
  fleet->members[who].id = 0;
}

void fleet_leave(struct fleet *fleet, int32_t who)
{
  struct member *member = &fleet->members[who];
  send(fleet, (struct event){.kind = LEAVE, .who = who, .id = member->id});
  fleet_kill(fleet, who);
}

void fleet_demand(struct fleet *fleet, int32_t who, int32_t demand)
{
  struct member *member = &fleet->members[who];
  if (member->id == 0 || fleet->now < member->stopped_until_ns)
    return;
  member->demand = demand;
  act(fleet, member);
}

/* ---- the keeper ---- */

static void tell(struct fleet *fleet)
{
  int32_t cursor = 0;
  for (struct ledger_member *told; (told = ledger_next_told(fleet->ledger, &cursor));) {
    int32_t who = told->seat;
    send(fleet, (struct event){.kind = TELL, .who = who, .id = told->id});
  }
}

struct ledger_member *fleet_find(const struct fleet *fleet, int32_t who, uint64_t id)
{
  struct ledger_member *guess = &fleet->ledger->member[fleet->places[who]];
  return fleet->places[who] < fleet->ledger->used && guess->id == id ? guess : ledger_find(fleet->ledger, id);
}

static struct ledger_member *join(struct fleet *fleet, const struct event *event)
{
  int64_t now = fleet->now + fleet->clock_ns;
  ledger_renew(fleet->ledger, event->limit, fleet->manners.term_ns, now);
  fleet->limit = fleet->ledger->limit;
  struct ledger_member *place = ledger_join(fleet->ledger, event->id, "", 0, now);
  if (place)
    place->seat = event->who;
  return place;
}

static struct ledger_member *place_of(struct fleet *fleet, const struct event *event)
{
  struct ledger_member *place = fleet_find(fleet, event->who, event->id);
  if (!place)
    place = join(fleet, event);
  if (place)
    fleet->places[event->who] = (int32_t)(place - fleet->ledger->member);
  return place;
}

/* One that was overtaken by a later ask of the same member is refused. */
static bool is_overtaken(struct fleet *fleet, const struct event *event)
{
  int32_t who = event->who;
  if (event->id == fleet->turns_of[who] && event->turn < fleet->turns[who])
    return true;
  if (event->id >= fleet->turns_of[who]) {
    fleet->turns_of[who] = event->id;
    fleet->turns[who] = event->turn;
  }
  return false;
}

static void keep(struct fleet *fleet, const struct event *event)
{
  struct event reply = {.kind = ANSWER, .who = event->who, .id = event->id, .turn = event->turn};
  struct ledger_member *place = is_overtaken(fleet, event) ? NULL : place_of(fleet, event);
  fleet->asks += event->turn > 1;
  if (!place)
    return;
  ledger_sync(fleet->ledger, place, &event->ask, fleet->now + fleet->clock_ns, &reply.answer);
  send(fleet, reply);
  tell(fleet);
}

static void forget(struct fleet *fleet, const struct event *event)
{
  struct ledger_member *place = fleet_find(fleet, event->who, event->id);
  if (place)
    ledger_leave(fleet->ledger, place, fleet->now + fleet->clock_ns);
  tell(fleet);
}

/* ---- events ---- */

/* A member that is stopped comes to it when it goes on. */
static void defer(struct fleet *fleet, struct member *member, struct event event)
{
  event.at_ns = member->stopped_until_ns;
  if (event.kind == TIMER)
    member->timer_ns = event.at_ns;
  events_add(&fleet->events, event);
}

static void happen_to_member(struct fleet *fleet, const struct event *event)
{
  struct member *member = &fleet->members[event->who];
  if (event->id != member->id || (event->kind == TIMER && event->at_ns != member->timer_ns))
    return;
  if (fleet->now < member->stopped_until_ns) {
    defer(fleet, member, *event);
    return;
  }
  if (event->kind == TIMER)
    member->timer_ns = NEVER;
  else if (event->kind == ANSWER && !is_cut(fleet, member))
    hear_answer(fleet, member, event);
  else if (event->kind == TELL && !is_cut(fleet, member))
    member->told = true;
  else if (event->kind == PUT)
    put(fleet, member);
  act(fleet, member);
}

static void happen_to_keeper(struct fleet *fleet, const struct event *event)
{
  if (fleet->now < fleet->away_until_ns)
    return;
  if (event->kind == ASK)
    keep(fleet, event);
  else
    forget(fleet, event);
}

struct event fleet_next(struct fleet *fleet)
{
  struct event event = events_next(&fleet->events);
  fleet->now = event.at_ns;
  if (event.kind != LOOK && event.kind != TIMER)
    fleet->last[fleet->happened++ % LAST_EVENTS] = event;
  if (event.kind == ASK || event.kind == LEAVE)
    happen_to_keeper(fleet, &event);
  else if (event.kind < DEMAND)
    happen_to_member(fleet, &event);
  return event;
}
