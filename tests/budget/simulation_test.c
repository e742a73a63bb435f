/* SPDX-License-Identifier: MIT */
/*
 * Fleets that share a budget, in virtual time: whatever happens to members, messages, the ledger and its keeper's
 * clock, never is more open than the limit.  The allocation is the library's own code.
 *
 * POOL_SEEDS=FIRST:COUNT chooses other seeds than those of every day, and how many: of 1,000 that many in each kind.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/ledger_check.h"
#include "budget/fleet.h"

#define SECOND (1000 * MS)

/* Between two times that the keeper is out of reach, each member can reach it. */
#define REACH (5 * SECOND)

/* So long asks are counted. */
#define RATED (10 * SECOND)

enum { SYNCS_A_SECOND = 1000 };

/* What may happen to a fleet. */
struct weights {
  int kill, leave, join, lose, away, cut, clock, stop, all;
};

struct scenario {
  const char *name;
  int32_t size, limit; /* 0: the seed says */
  struct weights weights;
  bool all_keep, all_yield; /* when they are cut off; else the seed says of each */
  bool exceeds;             /* something happens that the limit does not hold against */
  int32_t kills;            /* so many at one time */
  int64_t chaos_ns, calm_ns;
  int32_t lost, late; /* of 1,000 messages */
};

struct run {
  struct fleet fleet;
  const struct scenario *scenario;
  int64_t ends_ns, calm_from_ns;
  int64_t grown_ns;           /* all members have begun, and have asked once more */
  int64_t disturbed_until_ns; /* members that are gone hold permits until then, or the ledger learns */
  int64_t down_until_ns;      /* all are gone, and none comes sooner */
  int64_t unsure_until_ns;    /* the keeper's clock was set: terms may be over there sooner */
  int64_t wasted_since_ns;    /* permits have been free, and somebody has lacked one */
  int64_t granted;
  int64_t rated;
  int32_t asks_before;
  uint64_t events;
};

/* ---- what must hold ---- */

static void broken(struct run *run, const char *what)
{
  struct fleet *fleet = &run->fleet;
  uint64_t from = fleet->happened > LAST_EVENTS ? fleet->happened - LAST_EVENTS : 0;
  for (uint64_t i = from; i < fleet->happened; i++)
    event_print(&fleet->last[i % LAST_EVENTS]);
  for (int32_t i = 0; i < fleet->size && i < 100; i++) {
    const struct member *member = &fleet->members[i];
    if (member->id)
      printf("%d (%llu): open %d, leased %d, demand %d, granted %d, target %d, weight %d, floor %d\n", i,
             (unsigned long long)member->id, member->open, member->leased, member->demand, member->granted,
             member->target, member->weight, member->floor);
  }
  fail_msg("%s, seed %llu, %d members, limit %d, at %.6f s: %s", run->scenario->name, (unsigned long long)fleet->seed,
           fleet->size, fleet->limit, (double)fleet->now / 1e9, what);
}

/* What a member may have open is never more than it was granted, as long as its ledger cannot have forgotten it. */
static void check_member(struct run *run, const struct member *member)
{
  struct fleet *fleet = &run->fleet;
  if (!member->id || member->epoch != fleet->ledger->epoch || fleet->now >= member->stale_ns ||
      fleet->now < run->unsure_until_ns)
    return;
  const struct ledger_member *place = fleet_find(fleet, (int32_t)(member - fleet->members), member->id);
  if (!place)
    broken(run, "the ledger has forgotten a member whose term is not over");
  else if (fleet_may(member) > place->granted)
    broken(run, "a member may have open more than it was granted");
}

static void check_ledger(struct run *run)
{
  const struct ledger *ledger = run->fleet.ledger;
  const char *wrong = ledger_check(ledger);
  if (wrong)
    broken(run, wrong);
}

/* A walk over all members is due once in so many events that each event has cost the same, whatever the size. */
static bool is_walk_due(struct run *run)
{
  return run->events++ % (1 + (uint64_t)run->fleet.size / 16) == 0;
}

static void check_event(struct run *run, const struct event *event)
{
  struct fleet *fleet = &run->fleet;
  if (fleet->open > fleet->limit && !run->scenario->exceeds)
    broken(run, "more is open than the limit");
  if (!run->scenario->exceeds && !run->scenario->late && fleet->ledger->granted > fleet->limit)
    broken(run, "more is granted than the limit");
  if (event->kind >= CHAOS)
    return;
  check_member(run, &fleet->members[event->who]);
  if (is_walk_due(run))
    check_ledger(run);
}

static bool lacks(const struct member *member)
{
  return member->id && fleet_wants(member) > fleet_may(member);
}

static int64_t sum_of_may(const struct run *run)
{
  int64_t sum = 0;
  for (int32_t i = 0; i < run->fleet.size; i++)
    if (run->fleet.members[i].id)
      sum += fleet_may(&run->fleet.members[i]);
  return sum;
}

static bool any_lacks(const struct run *run)
{
  for (int32_t i = 0; i < run->fleet.size; i++)
    if (lacks(&run->fleet.members[i]))
      return true;
  return false;
}

/* Messages may be lost, so the next ask of a member has to be enough, which asks three times in a term. */
static int64_t bound(const struct run *run)
{
  int64_t gap = 2 * run->fleet.manners.gap_ns * run->fleet.ledger->members;
  return run->fleet.manners.term_ns / 2 + 3 * SECOND + 4 * gap;
}

/* Where demand changes all the time, a few permits are on their way from one to another. */
static void check_waste(struct run *run)
{
  int64_t on_their_way = run->fleet.size / 8;
  bool wasted = any_lacks(run) && sum_of_may(run) + on_their_way < run->fleet.limit && !run->fleet.ledger->learns;
  if (!wasted || run->fleet.now < run->disturbed_until_ns)
    run->wasted_since_ns = run->fleet.now;
  if (run->fleet.now - run->wasted_since_ns > bound(run))
    broken(run, "a permit is free though somebody lacks one");
}

/* On average of some seconds: the asks of members that began together come together. */
static void check_rate(struct run *run)
{
  if (run->fleet.now / RATED == run->rated)
    return;
  if (run->fleet.asks - run->asks_before > SYNCS_A_SECOND * (RATED / SECOND))
    broken(run, "the ledger was asked too often");
  run->rated = run->fleet.now / RATED;
  run->asks_before = run->fleet.asks;
}

/* Of two that lack, neither has more for its weight than the other, give or take one. */
static void check_shares(struct run *run)
{
  const struct member *least = NULL, *most = NULL;
  for (int32_t i = 0; i < run->fleet.size; i++) {
    const struct member *member = &run->fleet.members[i];
    if (member->id &&
        (!least || (int64_t)(fleet_may(member) + 1) * least->weight < (int64_t)(fleet_may(least) + 1) * member->weight))
      least = lacks(member) ? member : least;
    if (lacks(member) && fleet_may(member) > member->floor &&
        (!most || (int64_t)(fleet_may(member) - 1) * most->weight > (int64_t)(fleet_may(most) - 1) * member->weight))
      most = member;
  }
  if (least && most && (int64_t)(fleet_may(least) + 1) * most->weight < (int64_t)(fleet_may(most) - 1) * least->weight)
    broken(run, "two that lack have not the same share");
}

static void check_end(struct run *run)
{
  int64_t may = sum_of_may(run);
  if (run->fleet.open > run->fleet.limit || may > run->fleet.limit)
    broken(run, "what is open beyond the limit was not paid back");
  if (any_lacks(run) && may < run->fleet.limit)
    broken(run, "a permit stays free though somebody lacks one");
  check_ledger(run);
  check_shares(run);
}

/* ---- what happens ---- */

static int64_t dice(struct run *run, int64_t most)
{
  return fleet_dice(&run->fleet, most);
}

static void disturb(struct run *run, int64_t for_ns)
{
  int64_t term = 6 * run->fleet.manners.gap_ns * run->fleet.size;
  int64_t until = run->fleet.now + for_ns + (term > run->fleet.manners.term_ns ? term : run->fleet.manners.term_ns);
  if (until > run->disturbed_until_ns)
    run->disturbed_until_ns = until;
}

static void join(struct run *run, int32_t who)
{
  static const int32_t weights[] = {1, 1, 1, 2, 3};
  int32_t weight = run->fleet.seed % 3 == 0 ? weights[dice(run, 5)] : 1;
  int32_t floor = run->fleet.seed % 4 == 0 && run->scenario->all_keep ? (int32_t)dice(run, 4) : 0;
  fleet_join(&run->fleet, who, weight, floor);
  if (run->scenario->all_keep || run->scenario->all_yield)
    run->fleet.members[who].yields = run->scenario->all_yield;
}

/* Where all were replaced, one that is gone comes again by itself. */
static bool is_to_join(const struct run *run, const struct member *member)
{
  bool comes_again = run->down_until_ns > 0 && run->fleet.now >= run->down_until_ns;
  return !member->turn || (comes_again && !member->id);
}

static void demand(struct run *run, int32_t who)
{
  int32_t fair = run->fleet.limit / run->fleet.size + 1;
  if (is_to_join(run, &run->fleet.members[who]))
    join(run, who);
  const int32_t most[] = {1, fair + 1, 2 * fair + 2, run->fleet.limit + 2};
  fleet_demand(&run->fleet, who, (int32_t)dice(run, most[dice(run, 4)]));
  int64_t pause = 100 * MS + dice(run, 4 * SECOND * (1 + run->fleet.size / 1000));
  if (run->fleet.now + pause < run->calm_from_ns)
    events_add(&run->fleet.events, (struct event){.at_ns = run->fleet.now + pause, .kind = DEMAND, .who = who});
}

static void gone(struct run *run, int32_t who, bool kills)
{
  if (!run->fleet.members[who].id || run->fleet.now < run->fleet.members[who].stopped_until_ns)
    return;
  disturb(run, 0);
  (kills ? fleet_kill : fleet_leave)(&run->fleet, who);
}

static void set_clock(struct run *run)
{
  run->fleet.clock_ns += (dice(run, 2) ? 1 : -1) * (dice(run, 2) ? 3600 : 30) * SECOND;
  if (run->fleet.clock_ns + run->fleet.now < 0)
    run->fleet.clock_ns = 0;
  run->unsure_until_ns = run->fleet.now + run->fleet.manners.term_ns;
  disturb(run, 0);
}

/* It begins with what its place wanted last. */
static void rejoin(struct run *run, int32_t who)
{
  int32_t wants = run->fleet.members[who].demand;
  join(run, who);
  fleet_demand(&run->fleet, who, wants);
}

/* All go at one time, and those that come in their places name another limit. */
static void replace_all(struct run *run)
{
  bool kills = dice(run, 2);
  run->down_until_ns = run->fleet.now + dice(run, 30 * SECOND);
  run->fleet.url_limit = 1 + (int32_t)dice(run, 4 * run->fleet.size);
  for (int32_t who = 0; who < run->fleet.size; who++)
    gone(run, who, kills);
}

/* A seed's own choice of what happens: each kind is as likely as its weight says. */
static void strike(struct run *run)
{
  static const char *const names[] = {"kill", "leave", "join", "lose", "away", "cut", "clock", "stop", "all"};
  const struct weights *weights = &run->scenario->weights;
  const int *weight = &weights->kill;
  int kinds = sizeof *weights / sizeof *weight, sum = 0, kind = 0;
  int32_t who = (int32_t)dice(run, run->fleet.size);
  struct member *member = &run->fleet.members[who];
  for (int i = 0; i < kinds; i++)
    sum += weight[i];
  for (int64_t thrown = dice(run, sum); thrown >= weight[kind]; kind++)
    thrown -= weight[kind];
  int64_t time = dice(run, 30 * SECOND);
  run->fleet.last[(run->fleet.happened - 1) % LAST_EVENTS].what = names[kind];
  run->fleet.last[(run->fleet.happened - 1) % LAST_EVENTS].who = who;
  if (kind == 0)
    for (int32_t i = 0; i <= run->scenario->kills; i++)
      gone(run, (who + i) % run->fleet.size, true);
  else if (kind == 1)
    gone(run, who, false);
  else if (kind == 2 && !member->id && run->fleet.now >= run->down_until_ns)
    rejoin(run, who);
  else if (kind == 3)
    fleet_lose(&run->fleet);
  else if (kind == 4 && run->fleet.now >= run->fleet.away_until_ns + REACH)
    run->fleet.away_until_ns = run->fleet.now + time;
  else if (kind == 5)
    member->cut_until_ns = run->fleet.now + time;
  else if (kind == 6)
    set_clock(run);
  else if (kind == 7)
    member->stopped_until_ns = run->fleet.now + time;
  else if (kind == 8)
    replace_all(run);
  disturb(run, kind >= 3 ? time : 0);
}

static void chaos(struct run *run)
{
  int64_t pause = dice(run, run->scenario->chaos_ns / 5);
  strike(run);
  if (run->fleet.now + pause < run->calm_from_ns - 30 * SECOND)
    events_add(&run->fleet.events, (struct event){.at_ns = run->fleet.now + pause, .kind = CHAOS});
}

static void look(struct run *run)
{
  check_waste(run);
  check_rate(run);
  int64_t pause = run->fleet.size > 1000 ? SECOND : 100 * MS;
  events_add(&run->fleet.events, (struct event){.at_ns = run->fleet.now + pause, .kind = LOOK});
}

static void begin(struct run *run, const struct scenario *scenario, uint64_t seed)
{
  int32_t size = scenario->size, limit = scenario->limit;
  uint64_t sizes = seed * 7919 + 3;
  if (size == 0)
    size = 2 + (int32_t)(random_next(&sizes) % (seed % 5 == 0 ? 40 : 6));
  if (limit == 0)
    limit = 1 + (int32_t)(random_next(&sizes) % (uint32_t)(4 * size));
  fleet_begin(&run->fleet, seed, size, limit);
  run->scenario = scenario;
  run->fleet.weather = (struct weather){.lost = scenario->lost, .late = scenario->late, .late_ns = 3 * SECOND};
  run->calm_from_ns = run->fleet.now + size * 4 * MS + scenario->chaos_ns + 30 * SECOND;
  run->ends_ns = run->calm_from_ns + scenario->calm_ns;
  run->wasted_since_ns = run->fleet.now;
  run->rated = run->fleet.now / RATED;
  for (int32_t who = 0; who < size; who++) /* they begin one behind the other, four milliseconds apart */
    events_add(&run->fleet.events, (struct event){.at_ns = run->fleet.now + who * 4 * MS, .kind = DEMAND, .who = who});
  look(run);
  events_add(&run->fleet.events, (struct event){.at_ns = run->fleet.now + SECOND + size * 4 * MS, .kind = CHAOS});
}

/* In the end nothing is lost or late, and nobody's wishes change. */
static void run_seed(const struct scenario *scenario, uint64_t seed)
{
  struct run run = {0};
  begin(&run, scenario, seed);
  while (run.fleet.now < run.ends_ns) {
    struct event event = fleet_next(&run.fleet);
    if (event.kind == DEMAND)
      demand(&run, event.who);
    else if (event.kind == CHAOS)
      chaos(&run);
    else if (event.kind == LOOK)
      look(&run);
    if (run.fleet.now >= run.calm_from_ns)
      run.fleet.weather = (struct weather){0};
    check_event(&run, &event);
  }
  check_end(&run);
  fleet_end(&run.fleet);
}

static void run_seeds(const struct scenario *scenario, uint64_t count)
{
  unsigned long long first = 1, thousand = 1000;
  const char *chosen = getenv("POOL_SEEDS");
  if (chosen && sscanf(chosen, "%llu:%llu", &first, &thousand) != 2)
    fail_msg("POOL_SEEDS is FIRST:COUNT, not %s", chosen);
  count = (count * thousand + 999) / 1000;
  for (uint64_t seed = first; seed < first + count; seed++)
    run_seed(scenario, seed);
}

/* ---- the fleets ---- */

static void test_simulation__members_come_go_and_die_and_messages_are_lost(void **state)
{
  (void)state;
  static const struct scenario scenario = {.name = "come and go",
                                           .weights = {3, 2, 5},
                                           .all_keep = true,
                                           .chaos_ns = 40 * SECOND,
                                           .calm_ns = 40 * SECOND,
                                           .lost = 10,
                                           .late = 20};
  run_seeds(&scenario, 400);
}

static void test_simulation__the_ledger_is_lost_away_and_its_clock_is_set(void **state)
{
  (void)state;
  static const struct scenario scenario = {.name = "keeper",
                                           .weights = {1, 1, 2, 3, 3, 0, 2},
                                           .all_keep = true,
                                           .chaos_ns = 60 * SECOND,
                                           .calm_ns = 60 * SECOND,
                                           .late = 20};
  run_seeds(&scenario, 250);
}

static void test_simulation__members_that_are_cut_off_yield(void **state)
{
  (void)state;
  static const struct scenario scenario = {.name = "yield",
                                           .weights = {1, 1, 2, 1, 1, 4},
                                           .all_yield = true,
                                           .chaos_ns = 60 * SECOND,
                                           .calm_ns = 60 * SECOND,
                                           .lost = 10,
                                           .late = 20};
  run_seeds(&scenario, 200);
}

/* What is above the limit is paid back. */
static void test_simulation__members_that_are_cut_off_keep_and_others_are_stopped(void **state)
{
  (void)state;
  static const struct scenario scenario = {.name = "keep",
                                           .weights = {1, 1, 2, 1, 1, 4, 1, 3},
                                           .exceeds = true,
                                           .chaos_ns = 60 * SECOND,
                                           .calm_ns = 60 * SECOND,
                                           .lost = 10,
                                           .late = 20};
  run_seeds(&scenario, 200);
}

/* Some are cut off meanwhile, and live by what the limit before granted them until their terms are over. */
static void test_simulation__all_are_replaced_by_others_with_another_limit(void **state)
{
  (void)state;
  static const struct scenario scenario = {.name = "another limit",
                                           .weights = {1, 1, 2, 0, 1, 4, .all = 3},
                                           .all_yield = true,
                                           .chaos_ns = 120 * SECOND,
                                           .calm_ns = 60 * SECOND,
                                           .lost = 10,
                                           .late = 20};
  run_seeds(&scenario, 200);
}

static void test_simulation__of_a_hundred_thirty_are_killed(void **state)
{
  (void)state;
  static const struct scenario scenario = {.name = "hundred",
                                           .size = 100,
                                           .limit = 200,
                                           .weights = {1, 0, 40, 1},
                                           .all_keep = true,
                                           .kills = 30,
                                           .chaos_ns = 10 * SECOND,
                                           .calm_ns = 40 * SECOND};
  run_seeds(&scenario, 20);
}

static void test_simulation__ten_thousand_members(void **state)
{
  (void)state;
  static const struct scenario scenario = {.name = "ten thousand",
                                           .size = 10000,
                                           .limit = 20000,
                                           .weights = {1, 1, 4},
                                           .all_keep = true,
                                           .kills = 300,
                                           .chaos_ns = 5 * SECOND,
                                           .calm_ns = 70 * SECOND};
  run_seeds(&scenario, 2);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_simulation__members_come_go_and_die_and_messages_are_lost),
      cmocka_unit_test(test_simulation__the_ledger_is_lost_away_and_its_clock_is_set),
      cmocka_unit_test(test_simulation__members_that_are_cut_off_yield),
      cmocka_unit_test(test_simulation__members_that_are_cut_off_keep_and_others_are_stopped),
      cmocka_unit_test(test_simulation__all_are_replaced_by_others_with_another_limit),
      cmocka_unit_test(test_simulation__of_a_hundred_thirty_are_killed),
      cmocka_unit_test(test_simulation__ten_thousand_members),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
