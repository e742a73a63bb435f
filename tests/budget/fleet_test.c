/* SPDX-License-Identifier: MIT */
/* Processes of a fleet share a budget: the sum, and the shares. */
#include "scene.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define LIMIT 40

static int64_t more_ns; /* for so long the demand changes again and again */

/* On the machines in turn, and on each in every language. */
static void start_somewhere(int index, const char *name)
{
  char address[20] = "127.0.0.1", port[12], budget[URL_SIZE], url[URL_SIZE];
  int machines = scene.machines.count, machine = machines ? index / scene.languages % machines : -1;
  int language = index % scene.languages;
  if (machine >= 0)
    snprintf(address, sizeof address, "10.77.%d.1", machine);
  snprintf(port, sizeof port, "%d", scene.postgres.port);
  scene_budget_url(budget, address, scene_port(), name, LIMIT, "");
  scene_pool_url(url, address, budget, "");
  const char *in_c[] = {scene.programs[0], url, NULL};
  const char *in_others[] = {scene.programs[language], address, port, POSTGRES_USER, budget, NULL};
  process_start(&scene.crowd[index], machine < 0 ? -1 : scene.machines.net[machine], language == 0 ? in_c : in_others);
}

/* ---- shares ---- */

static int sum_at(const int *wants, int count, int level)
{
  int sum = 0;
  for (int i = 0; i < count; i++)
    sum += wants[i] < level ? wants[i] : level;
  return sum;
}

static int level_of(const int *wants, int count, int limit)
{
  int level = 0;
  while (level < limit && sum_at(wants, count, level + 1) <= limit)
    level++;
  return level;
}

/* Whether each member has its share, or one more of what rounding leaves over, and all is used that is wanted. */
static bool is_fair(const int *wants, int count, int limit)
{
  int level = level_of(wants, count, limit), all = sum_at(wants, count, limit);
  int64_t sum = 0;
  for (int i = 0; i < count; i++) {
    int share = wants[i] < level ? wants[i] : level;
    struct said said = process_ask(&scene.crowd[i], 0);
    int64_t busy = said.open;
    sum += busy;
    if (busy < share || (all > limit && busy > share + 1))
      return false;
  }
  return sum >= (all < limit ? all : limit);
}

static int64_t larger(int64_t one, int64_t other)
{
  return one > other ? one : other;
}

struct took {
  int64_t fair_ns; /* until shares were fair */
  int64_t low_ns;  /* the longest time in which more than a twentieth was unused meanwhile */
};

static void change(const int *wants, int count, const char *what, struct took *took)
{
  int64_t began_ns = now_ns();
  census_limit(&scene.census, LIMIT);
  for (int i = 0; i < count; i++)
    scene_demand(i, wants[i]);
  wait_until(is_fair(wants, count, LIMIT));
  took->fair_ns = larger(took->fair_ns, now_ns() - began_ns);
  took->low_ns = larger(took->low_ns, census_read(&scene.census).longest_low_ns);
  scene_say(what, began_ns);
  scene_expect_never_above(LIMIT);
}

/* Runs for a while, and returns whether at least so many connections were there all the time. */
static bool holds(int least, int64_t ns)
{
  wait_until(census_read(&scene.census).now >= least);
  census_limit(&scene.census, LIMIT);
  int64_t began_ns = now_ns(), counts = ns / 20000000;
  wait_until(now_ns() - began_ns >= ns && census_read(&scene.census).counts >= counts);
  scene_expect_never_above(LIMIT);
  return census_read(&scene.census).least >= least;
}

/* When shares are fair nothing is closed for others: all is used that is wanted, and stays so.  Where the machine is so
   busy that users do not come to want anything, it is tried again. */
static void stay(const int *wants, int count, int64_t ns)
{
  int least = sum_at(wants, count, LIMIT) < LIMIT ? 0 : LIMIT - LIMIT / 20;
  wait_until(holds(least, ns));
}

/* The first rounds are the same in every run; those of a longer run are like dice that fall the same way again. */
static void plan(int round, int *wants, int count, char *text, size_t size)
{
  static const int first[][3] = {{20, 8, 0}, {10, 8, 1}, {5, 20, 0}, {12, 6, 2}};
  static uint32_t dice = 1;
  const int *now = round < 4 ? first[round] : NULL;
  int sum = 0;
  for (int i = 0; i < count; i++) {
    dice = dice * 1664525 + 1013904223;
    wants[i] = now ? now[i < now[0] ? 1 : 2] : (int)((dice >> 16) % 12);
    sum += wants[i];
  }
  snprintf(text, size, "round %d: %d are wanted, and shares are fair", round + 1, sum);
}

/* ---- tests ---- */

/* The first round has the start of all the programs in it. */
static void test_fleet__the_sum_is_never_above_the_limit_and_shares_are_fair_as_demand_changes(void **state)
{
  (void)state;
  enum { MEMBERS = 20 };
  int wants[MEMBERS];
  char text[80];
  struct took first = {0}, took = {0};
  int64_t began_ns = now_ns();
  for (int i = 0; i < MEMBERS; i++)
    start_somewhere(i, "demand");
  for (int round = 0; round < 4 || now_ns() - began_ns < more_ns; round++) {
    plan(round, wants, MEMBERS, text, sizeof text);
    change(wants, MEMBERS, text, round == 0 ? &first : &took);
    stay(wants, MEMBERS, 500000000);
  }
  print_message("%d members in %d languages on %d machines: after a change fair within %d ms, and below 0.95 of the "
                "limit for %d ms, at most\n",
                MEMBERS, scene.languages, scene.machines.count ? scene.machines.count : 1,
                (int)(took.fair_ns / 1000000), (int)(took.low_ns / 1000000));
}

static int64_t granted(int from, int to)
{
  int64_t sum = 0;
  for (int i = from; i < to; i++)
    sum += process_ask(&scene.crowd[i], 0).granted;
  return sum;
}

static void test_fleet__permits_of_killed_processes_come_back(void **state)
{
  (void)state;
  enum { MEMBERS = 12, KILLED = 4 };
  scene_start_all(MEMBERS, "killed", LIMIT, "");
  for (int i = 0; i < MEMBERS; i++)
    scene_demand(i, 8);
  scene_await_sum(LIMIT);
  int64_t began_ns = now_ns();
  for (int i = 0; i < KILLED; i++)
    process_signal(&scene.crowd[i], SIGKILL);
  wait_until(granted(KILLED, MEMBERS) == LIMIT);
  scene_say("a third was killed, and the others have its permits", began_ns);
  wait_until(scene_sum(KILLED, MEMBERS) == LIMIT);
  scene_say("they have opened the connections", began_ns);
  scene_expect_never_above(LIMIT);
}

static void test_fleet__a_child_of_fork_is_a_new_member(void **state)
{
  (void)state;
  scene_start_all(2, "forked", FEW, "");
  scene_demand(0, 8);
  scene_demand(1, 8);
  scene_await_sum(FEW);
  process_tell(&scene.crowd[0], "fork 0 8");
  wait_until(scene_open(1) <= 4 && scene_open(0) <= 4 && census_read(&scene.census).now == FEW);
  process_tell(&scene.crowd[0], "join");
  wait_until(scene_open(0) + scene_open(1) == FEW);
  scene_expect_never_above(FEW);
}

static void test_fleet__weights_and_floors_hold(void **state)
{
  (void)state;
  census_limit(&scene.census, FEW);
  scene_start(0, "weights", FEW, "", "&pool.budget_weight=1");
  scene_start(1, "weights", FEW, "", "&pool.budget_weight=3");
  scene_demand(0, 20);
  scene_demand(1, 20);
  wait_until(scene_open(0) == 3 && scene_open(1) == 9);
  scene_start(2, "weights", FEW, "", "&pool.budget_floor=4");
  scene_demand(2, 4);
  wait_until(scene_open(2) == 4 && scene_open(0) == 2 && scene_open(1) == 6);
  scene_expect_never_above(FEW);
}

static void test_fleet__the_first_limit_holds(void **state)
{
  (void)state;
  scene_start_all(1, "limits", FEW, "");
  scene_demand(0, 4);
  wait_until(scene_open(0) == 4);
  scene_start(1, "limits", 2 * FEW, "", "");
  scene_demand(1, 40);
  wait_until(scene_open(1) == FEW - 4);
  assert_int_equal(process_ask(&scene.crowd[1], 0).limit, FEW);
  scene_expect_never_above(FEW);
}

/* Both budgets are full, and the third pool has what it wants. */
static void test_fleet__a_process_has_pools_in_two_budgets_and_one_in_none(void **state)
{
  (void)state;
  char budgets[2][URL_SIZE], one[URL_SIZE], other[URL_SIZE], free_of_all[URL_SIZE];
  scene_budget_url(budgets[0], "127.0.0.1", scene_port(), "one", 5, "");
  scene_budget_url(budgets[1], "127.0.0.1", scene_port(), "other", 7, "");
  scene_pool_url(one, "127.0.0.1", budgets[0], "");
  scene_pool_url(other, "127.0.0.1", budgets[1], "");
  scene_pool_url(free_of_all, "127.0.0.1", "", "");
  const char *arguments[] = {scene.programs[0], one, other, free_of_all, NULL};
  census_limit(&scene.census, 5 + 7 + 9);
  process_start(&scene.crowd[0], -1, arguments);
  process_tell(&scene.crowd[0], "users 0 9");
  process_tell(&scene.crowd[0], "users 1 9");
  process_tell(&scene.crowd[0], "users 2 9");
  wait_until(process_ask(&scene.crowd[0], 0).open == 5 && process_ask(&scene.crowd[0], 1).open == 7 &&
             process_ask(&scene.crowd[0], 2).open == 9);
  scene_await_sum(5 + 7 + 9);
  scene_expect_never_above(5 + 7 + 9);
}

/* ---- */

int main(int argc, char **argv)
{
  const char *seconds = getenv("FLEET_SECONDS");
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(test_fleet__the_sum_is_never_above_the_limit_and_shares_are_fair_as_demand_changes,
                                scene_clear),
      cmocka_unit_test_teardown(test_fleet__permits_of_killed_processes_come_back, scene_clear),
      cmocka_unit_test_teardown(test_fleet__a_child_of_fork_is_a_new_member, scene_clear),
      cmocka_unit_test_teardown(test_fleet__weights_and_floors_hold, scene_clear),
      cmocka_unit_test_teardown(test_fleet__the_first_limit_holds, scene_clear),
      cmocka_unit_test_teardown(test_fleet__a_process_has_pools_in_two_budgets_and_one_in_none, scene_clear),
  };
  more_ns = seconds ? atoi(seconds) * INT64_C(1000000000) : 0;
  if (!scene_begin(argc, argv))
    return 2;
  int failed = scene_run(tests, sizeof tests / sizeof *tests);
  scene_end();
  return failed;
}
