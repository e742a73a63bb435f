/* SPDX-License-Identifier: MIT */
/* The ledger of a budget: each of its rules by itself. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "base/ledger.h"
#include "base/ledger_check.h"
#include "base/share.h"

enum { ROOM = 2000 };

#define MS    INT64_C(1000000)
#define TERM  (10000 * MS)
#define PAUSE (50 * MS)
#define GAP   MS

static const struct ledger_manners of_fleet = {.term_ns = TERM, .pause_ns = PAUSE, .gap_ns = GAP};
static const struct ledger_manners of_process = {.term_ns = 0};

static struct ledger *ledger;
static int64_t now, tick; /* before each ask, where there is no pause between two levels */

/* What the members said last. */
static struct ledger_ask asks[ROOM + 1];

static void begin(int32_t limit, bool learns, const struct ledger_manners *manners)
{
  now = 1000000 * MS;
  tick = manners->pause_ns ? 0 : MS;
  ledger_begin(ledger, ROOM, limit, 1, learns, manners, now);
  for (int i = 0; i <= ROOM; i++)
    asks[i] = (struct ledger_ask){.weight = 1, .waits_ns = -1};
}

static void pass(int64_t ns)
{
  now += ns;
}

static void check(void)
{
  const char *wrong = ledger_check(ledger);
  if (wrong)
    fail_msg("%s", wrong);
}

static struct ledger_member *place_of(uint64_t id)
{
  struct ledger_member *member = ledger_find(ledger, id);
  return member ? member : ledger_join(ledger, id, "host", 4, now);
}

static struct ledger_answer ask_again(uint64_t id)
{
  struct ledger_answer answer;
  pass(tick);
  ledger_sync(ledger, place_of(id), &asks[id], now, &answer);
  check();
  return answer;
}

static struct ledger_answer say(uint64_t id, int32_t open, int32_t wants)
{
  asks[id].open = open;
  asks[id].wants = wants;
  return ask_again(id);
}

/* A member that opens all that it may have. */
static struct ledger_answer use(uint64_t id, int32_t wants)
{
  struct ledger_answer answer = say(id, asks[id].open, wants);
  asks[id].open = answer.granted < answer.target ? answer.granted : answer.target;
  if (asks[id].open > wants)
    asks[id].open = wants;
  return ask_again(id);
}

static void leave(uint64_t id)
{
  ledger_leave(ledger, ledger_find(ledger, id), now);
  asks[id].open = 0;
  check();
}

/* Members that ask until nothing changes, each closing and opening at once. */
static void settle(uint64_t first, uint64_t last)
{
  for (int round = 0; round < 6; round++) {
    pass(PAUSE + 30 * MS);
    for (uint64_t id = first; id <= last; id++)
      use(id, asks[id].wants);
  }
}

static int told(uint64_t *ids, int most)
{
  int count = 0;
  int32_t cursor = 0;
  for (struct ledger_member *member; (member = ledger_next_told(ledger, &cursor)); count++)
    if (count < most)
      ids[count] = member->id;
  return count;
}

static bool is_told(uint64_t id)
{
  uint64_t ids[ROOM];
  bool found = false;
  for (int i = told(ids, ROOM) - 1; i >= 0; i--)
    found = found || ids[i] == id;
  return found;
}

static int32_t sum_of_open(void)
{
  int32_t sum = 0;
  for (int i = 0; i <= ROOM; i++)
    sum += asks[i].open;
  return sum;
}

/* ---- what is granted ---- */

static void test_ledger__what_is_free_is_granted_and_no_more(void **state)
{
  (void)state;
  begin(10, false, &of_process);
  assert_int_equal(say(1, 0, 7).granted, 7);
  assert_int_equal(say(2, 0, 7).granted, 3);
  assert_int_equal(say(3, 0, 1).granted, 0);
}

static void test_ledger__nobody_is_granted_less_than_it_has_open(void **state)
{
  (void)state;
  begin(10, false, &of_process);
  use(1, 10);
  use(2, 10);
  struct ledger_answer answer = ask_again(1);
  assert_int_equal(answer.granted, 10);
  assert_int_equal(answer.target, 5);
  assert_true(answer.pressed);
  answer = say(1, 8, 10);
  assert_int_equal(answer.granted, 8);
  assert_int_equal(ask_again(2).granted, 2);
}

static void test_ledger__a_member_that_says_less_gives_the_rest_back(void **state)
{
  (void)state;
  begin(10, false, &of_process);
  say(1, 10, 10);
  assert_int_equal(say(2, 0, 4).granted, 0);
  assert_int_equal(say(1, 6, 6).granted, 6);
  assert_int_equal(ask_again(2).granted, 4);
}

static void test_ledger__shares_are_equal_give_or_take_one_and_nothing_is_left(void **state)
{
  (void)state;
  begin(100, false, &of_fleet);
  for (uint64_t id = 1; id <= 7; id++)
    use(id, 100);
  settle(1, 7);
  assert_int_equal(sum_of_open(), 100);
  for (int id = 1; id <= 7; id++)
    assert_in_range(asks[id].open, 14, 15);
}

static void test_ledger__what_rounding_leaves_stays_where_it_is(void **state)
{
  (void)state;
  int32_t before[8];
  begin(100, false, &of_fleet);
  for (uint64_t id = 1; id <= 7; id++)
    use(id, 100);
  settle(1, 7);
  for (int id = 1; id <= 7; id++)
    before[id] = asks[id].open;
  for (int round = 0; round < 5; round++) {
    asks[7].wants = 90 + round; /* something moved, so the level is found anew */
    settle(1, 7);
    for (int id = 1; id <= 7; id++)
      assert_int_equal(asks[id].open, before[id]);
  }
}

static void test_ledger__what_rounding_leaves_stays_though_another_could_have_it(void **state)
{
  (void)state;
  begin(100, false, &of_fleet);
  use(1, 11);
  use(2, 100);
  use(3, 100);
  settle(1, 3);
  assert_int_equal(asks[2].open, 45);
  asks[1].wants = 100;
  settle(1, 3);
  assert_int_equal(asks[1].open, 33);
  assert_int_equal(asks[2].open, 34);
}

static void test_ledger__what_rounding_leaves_is_for_those_that_have_no_more_than_others(void **state)
{
  (void)state;
  begin(8, false, &of_fleet);
  asks[1].floor = 5;
  for (uint64_t id = 1; id <= 3; id++)
    use(id, 20);
  settle(1, 3);
  assert_int_equal(asks[1].open, 5);
  assert_int_equal(asks[2].open + asks[3].open, 3);
}

static void test_ledger__what_rounding_leaves_is_for_those_that_have_waited_longest(void **state)
{
  (void)state;
  begin(2, false, &of_process);
  use(1, 2);
  for (uint64_t id = 2; id <= 6; id++) {
    asks[id].waits_ns = (id == 5 ? 90 : id == 3 ? 80 : (int64_t)id) * MS;
    say(id, 0, 1);
  }
  say(1, 0, 0);
  for (uint64_t id = 2; id <= 6; id++)
    assert_int_equal(ledger_share(ledger, ledger_find(ledger, id)), id == 5 || id == 3);
}

static int earlier_first(const void *a, const void *b)
{
  int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;
  return one > other ? -1 : one < other;
}

/* From nothing to minutes, some as long as others, and some not at all. */
static int64_t some_wait(uint64_t *random)
{
  int64_t wait_ns = (int64_t)(random_next(random) % 256) << random_next(random) % 32;
  return random_next(random) % 4 == 0 ? -1 : wait_ns;
}

/* None that got one has waited shorter than one that did not, and nothing is left over. */
static void test_ledger__what_rounding_leaves_is_for_as_many_as_it_is_however_long_they_have_waited(void **state)
{
  (void)state;
  enum { POOR = 60 };
  uint64_t random = 4711;
  for (int32_t limit = 1; limit < POOR; limit++) {
    int64_t waits_ns[POOR];
    int32_t given = 0;
    begin(limit, false, &of_process);
    use(1, limit);
    for (uint64_t id = 2; id < 2 + POOR; id++) {
      waits_ns[id - 2] = asks[id].waits_ns = some_wait(&random);
      ask_again(id);
    }
    for (uint64_t id = 2; id < 2 + POOR; id++) /* all at one moment */
      place_of(id)->waits_ns = asks[id].waits_ns < 0 ? INT64_MAX : now - asks[id].waits_ns;
    for (uint64_t id = 2; id < 2 + POOR; id++)
      place_of(id)->wants = 1;
    qsort(waits_ns, POOR, sizeof *waits_ns, earlier_first);
    say(1, 0, 0);
    for (uint64_t id = 2; id < 2 + POOR; id++) {
      int32_t share = ledger_share(ledger, place_of(id));
      given += share;
      if (share > 0)
        assert_true(asks[id].waits_ns >= waits_ns[limit - 1]);
      else
        assert_true(asks[id].waits_ns <= waits_ns[limit - 1]);
    }
    assert_int_equal(given, limit);
  }
}

static void test_ledger__weights_one_and_three(void **state)
{
  (void)state;
  begin(100, false, &of_fleet);
  asks[2].weight = 3;
  use(1, 100);
  use(2, 100);
  settle(1, 2);
  assert_int_equal(asks[1].open, 25);
  assert_int_equal(asks[2].open, 75);
}

static void test_ledger__a_floor_is_kept_for_its_member_when_others_want_all(void **state)
{
  (void)state;
  begin(20, false, &of_fleet);
  asks[1].floor = 5;
  say(1, 0, 0);
  for (uint64_t id = 2; id <= 5; id++)
    use(id, 20);
  settle(2, 5);
  assert_int_equal(sum_of_open(), 15);
  assert_int_equal(say(1, 0, 5).granted, 5);
  settle(1, 5);
  assert_int_equal(asks[1].open, 5);
}

static void test_ledger__floors_beyond_the_limit_are_for_those_that_came_first(void **state)
{
  (void)state;
  begin(10, false, &of_fleet);
  asks[1].floor = 7;
  asks[2].floor = 7;
  asks[3].floor = INT32_MAX;
  for (uint64_t id = 1; id <= 3; id++)
    use(id, 20);
  settle(1, 3);
  assert_int_equal(asks[1].open, 7);
  assert_int_equal(asks[2].open, 3);
  assert_int_equal(asks[3].open, 0);
  leave(1);
  settle(2, 3);
  assert_int_equal(asks[2].open, 7);
  assert_int_equal(asks[3].open, 3);
}

/* A floor that was cut is the same each time: the level need not be found for it. */
static void test_ledger__a_floor_that_was_cut_is_no_news(void **state)
{
  (void)state;
  begin(10, false, &of_fleet);
  asks[1].floor = 20;
  say(1, 0, 3);
  pass(PAUSE * 2);
  ask_again(1);
  assert_false(ledger->moved);
  ask_again(1);
  assert_false(ledger->moved);
}

static void test_ledger__where_all_have_what_they_want_idle_connections_stay(void **state)
{
  (void)state;
  begin(20, false, &of_fleet);
  use(1, 15);
  struct ledger_answer answer = say(1, 15, 2);
  assert_int_equal(answer.granted, 15);
  assert_int_equal(answer.target, 15);
  assert_false(answer.pressed);
}

static void test_ledger__idle_connections_are_closed_for_others_and_no_more_than_they_need(void **state)
{
  (void)state;
  begin(20, false, &of_fleet);
  for (uint64_t id = 1; id <= 2; id++) {
    use(id, 10);
    say(id, 10, 2); /* eight of them are idle */
  }
  pass(PAUSE * 2);
  struct ledger_answer answer = say(3, 0, 5);
  assert_int_equal(answer.granted, 0);
  assert_true(is_told(1) || is_told(2));
  int32_t first = ask_again(1).target, second = ask_again(2).target;
  assert_int_equal(first + second, 15);
  assert_in_range(first, 7, 8);
  say(1, first, 2);
  say(2, second, 2);
  assert_int_equal(ask_again(3).granted, 5);
}

static void test_ledger__what_is_wanted_goes_before_what_is_idle(void **state)
{
  (void)state;
  begin(20, false, &of_fleet);
  use(1, 10);
  use(2, 10);
  say(2, 10, 0);
  pass(PAUSE * 2);
  say(3, 0, 10);
  assert_int_equal(ask_again(1).target, 10);
  assert_int_equal(ask_again(2).target, 0);
}

/* ---- nonsense ---- */

static void test_ledger__a_member_that_wants_everything_gets_its_share(void **state)
{
  (void)state;
  begin(30, false, &of_fleet);
  asks[1] = (struct ledger_ask){.wants = INT32_MAX, .weight = 1, .waits_ns = INT64_MAX, .waiting = INT32_MAX};
  use(1, INT32_MAX);
  use(2, 30);
  settle(1, 2);
  assert_int_equal(asks[1].open, 15);
  assert_int_equal(asks[2].open, 15);
}

static void test_ledger__a_weight_beyond_the_most_counts_as_the_most(void **state)
{
  (void)state;
  begin(1001, false, &of_fleet);
  asks[1].weight = INT32_MAX;
  use(1, 2000);
  use(2, 2000);
  settle(1, 2);
  assert_int_equal(asks[1].open, 1000);
  assert_int_equal(asks[2].open, 1);
}

static void test_ledger__the_largest_numbers_everywhere_overflow_nothing(void **state)
{
  (void)state;
  begin(INT32_MAX, false, &of_fleet);
  for (uint64_t id = 1; id <= 100; id++) {
    asks[id] =
        (struct ledger_ask){.epoch = INT64_MAX, INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX, INT64_MAX};
    struct ledger_answer answer = ask_again(id);
    assert_int_equal(answer.granted, INT32_MAX);
  }
  assert_int_equal(ledger->granted, INT64_C(100) * INT32_MAX);
  pass(PAUSE * 4);
  assert_int_equal(ask_again(1).target, INT32_MAX); /* its floor */
  assert_int_equal(ask_again(2).target, 0);
}

static void test_ledger__a_limit_of_nothing_grants_nothing(void **state)
{
  (void)state;
  begin(0, false, &of_fleet);
  asks[1].floor = 5;
  assert_int_equal(say(1, 0, 5).granted, 0);
  settle(1, 1);
  assert_int_equal(asks[1].open, 0);
}

static void test_ledger__a_name_that_is_too_long_is_cut(void **state)
{
  (void)state;
  char text[2 * LEDGER_TEXT];
  memset(text, 'x', sizeof text);
  begin(1, false, &of_process);
  struct ledger_member *member = ledger_join(ledger, 1, text, sizeof text, now);
  assert_int_equal(member->text, LEDGER_TEXT);
  assert_memory_equal(member->who, text, LEDGER_TEXT);
}

/* What is kept as a text others may have written. */
static void test_ledger__floors_above_the_limit_leave_none_for_others(void **state)
{
  (void)state;
  struct ledger_answer answer;
  begin(10, false, &of_process);
  say(1, 0, 1);
  place_of(1)->floor = INT32_MAX;
  ledger->floors = 3 * (int64_t)INT32_MAX;
  asks[2].floor = 3;
  ledger_sync(ledger, place_of(2), &asks[2], now, &answer);
  assert_int_equal(place_of(2)->floor, 0);
}

/* ---- places ---- */

static void test_ledger__places_are_used_again_and_end(void **state)
{
  (void)state;
  begin(10, false, &of_process);
  for (uint64_t id = 1; id <= ROOM; id++)
    assert_non_null(ledger_join(ledger, id, "", 0, now));
  assert_null(ledger_join(ledger, ROOM + 1, "", 0, now));
  struct ledger_member *member = ledger_find(ledger, 7);
  leave(7);
  assert_null(ledger_find(ledger, 7));
  assert_ptr_equal(ledger_join(ledger, ROOM + 1, "", 0, now), member);
  for (uint64_t id = 1; id <= ROOM + 1; id++)
    if (id != 7)
      ledger_leave(ledger, ledger_find(ledger, id), now);
  assert_int_equal(ledger->used, 0);
  assert_int_equal(ledger->members, 0);
}

/* ---- many leave ---- */

static void test_ledger__those_that_leave_at_once_have_the_level_found_once(void **state)
{
  (void)state;
  const uint64_t last = 300;
  begin(10, false, &of_process);
  for (uint64_t id = 1; id <= last; id++)
    asks[id].wants = 1;
  settle(1, last);
  pass(TERM);
  leave(1);
  int64_t due_ns = ledger->level_due_ns;
  assert_true(due_ns > now);
  for (uint64_t id = 2; id <= last / 2; id++)
    leave(id);
  assert_int_equal(ledger->level_due_ns, due_ns);
  assert_int_equal(ledger_due(ledger), due_ns); /* for others lack */
  now = due_ns;
  told(NULL, 0);
  ledger_settle(ledger, now);
  check();
  assert_int_equal(ledger_due(ledger), INT64_MAX);
  assert_true(told(NULL, 0) > 0);
  settle(last / 2 + 1, last);
  assert_int_equal(sum_of_open(), 10);
}

static void test_ledger__where_nobody_lacks_no_level_is_due_for_those_that_leave(void **state)
{
  (void)state;
  begin(10, false, &of_process);
  for (uint64_t id = 1; id <= 3; id++)
    use(id, 1);
  settle(1, 3);
  leave(1);
  leave(2);
  assert_int_equal(ledger_due(ledger), INT64_MAX);
}

/* ---- terms ---- */

static void test_ledger__a_member_whose_term_is_over_is_forgotten_and_not_before(void **state)
{
  (void)state;
  begin(10, false, &of_fleet);
  say(1, 10, 10);
  for (int i = 0; i < 4; i++) {
    pass(TERM / 5);
    assert_int_equal(say(2, 0, 10).granted, 0);
  }
  pass(TERM / 5 - 1);
  assert_int_equal(ask_again(2).granted, 0);
  pass(1);
  ask_again(2);
  assert_null(ledger_find(ledger, 1));
  assert_int_equal(ask_again(2).granted, 10);
}

static void test_ledger__a_member_that_asks_is_not_forgotten(void **state)
{
  (void)state;
  begin(10, false, &of_fleet);
  say(1, 10, 10);
  for (int i = 0; i < 10; i++) {
    pass(TERM / 3);
    say(1, 10, 10);
    assert_int_equal(say(2, 0, 10).granted, 0);
  }
}

static void test_ledger__without_a_term_nobody_is_forgotten(void **state)
{
  (void)state;
  begin(10, true, &of_process); /* and nothing is learned: nobody could hold what this ledger does not know */
  assert_int_equal(say(1, 0, 10).granted, 10);
  pass(TERM * 1000);
  assert_int_equal(say(2, 0, 10).granted, 0);
  struct ledger_answer answer = ask_again(1);
  assert_true(answer.term_ns == INT64_MAX && answer.again_ns == INT64_MAX);
}

static void test_ledger__a_member_is_to_ask_three_times_in_a_term(void **state)
{
  (void)state;
  begin(10, false, &of_fleet);
  struct ledger_answer answer = say(1, 0, 1);
  assert_int_equal(answer.term_ns, TERM);
  assert_int_equal(answer.again_ns, TERM / 3);
  assert_int_equal(answer.gap_ns, 2 * GAP);
}

static void test_ledger__terms_grow_with_the_members(void **state)
{
  (void)state;
  begin(10, false, &of_fleet);
  for (uint64_t id = 1; id < ROOM; id++)
    say(id, 0, 0);
  struct ledger_answer answer = say(ROOM, 0, 0);
  assert_int_equal(answer.gap_ns, 2 * ROOM * GAP);
  assert_int_equal(answer.term_ns, 3 * answer.gap_ns);
  assert_int_equal(answer.again_ns, answer.gap_ns);
  assert_int_equal(ledger_find(ledger, ROOM)->ends_ns, now + answer.term_ns);
}

/* ---- what is not known ---- */

/* A member asks ten times in a term. */
static void learn_for(uint64_t id, int64_t ns)
{
  for (int i = 0; i < 10; i++) {
    struct ledger_answer answer = ask_again(id);
    assert_true(answer.learns);
    assert_int_equal(answer.granted, asks[id].open);
    pass(ns / 10);
  }
}

static void test_ledger__a_new_one_learns_for_a_term(void **state)
{
  (void)state;
  begin(10, true, &of_fleet);
  struct ledger_answer answer = say(1, 4, 10);
  assert_true(answer.learns);
  assert_int_equal(answer.granted, 4);
  assert_int_equal(answer.target, 4);
  assert_int_equal(answer.again_ns, TERM / 10);
  learn_for(1, TERM / 2);
  assert_int_equal(say(1, 3, 10).granted, 3);
  assert_int_equal(say(2, 6, 6).granted, 6); /* this is what was to be learned */
  learn_for(1, TERM / 2);
  answer = ask_again(1);
  assert_false(answer.learns);
  assert_int_equal(answer.granted, 4);
}

static void test_ledger__one_that_learns_does_so_for_a_term_of_as_many_as_it_knows_by_then(void **state)
{
  (void)state;
  begin(10, true, &of_fleet);
  for (uint64_t id = 1; id <= ROOM; id++)
    say(id, 0, 1);
  int64_t term = ask_again(1).term_ns;
  assert_true(term > TERM);
  learn_for(1, term);
  assert_int_equal(ask_again(1).granted, 1);
}

static void test_ledger__nothing_is_learned_while_nobody_can_ask(void **state)
{
  (void)state;
  begin(10, true, &of_fleet);
  say(1, 0, 10);
  learn_for(1, TERM / 2);
  pass(TERM / 2 - TERM / 20 - MS); /* out of reach, for no more than half a term */
  learn_for(1, TERM / 2 + MS);
  pass(TERM / 20);
  assert_int_equal(ask_again(1).granted, 10);
}

/* Its members may have been forgotten by then. */
static void test_ledger__after_a_silence_all_is_learned_anew(void **state)
{
  (void)state;
  begin(10, true, &of_fleet);
  say(1, 0, 10);
  learn_for(1, TERM / 2);
  pass(TERM);
  learn_for(1, TERM);
  assert_int_equal(ask_again(1).granted, 10);
}

static void test_ledger__those_that_it_learned_of_ask_one_behind_the_other(void **state)
{
  (void)state;
  begin(10, true, &of_fleet);
  for (uint64_t id = 1; id <= 10; id++)
    say(id, 0, 1);
  learn_for(1, TERM - MS);
  for (uint64_t id = 1; id <= 10; id++)
    assert_true(ask_again(id).again_ns >= MS + 2 * GAP * ((int64_t)id - 1));
}

static void test_ledger__it_learns_after_a_silence_what_its_members_hold(void **state)
{
  (void)state;
  begin(10, false, &of_fleet);
  use(1, 5);
  use(2, 5);
  pass(TERM * 2); /* nobody reached it; both hold what they had */
  struct ledger_answer answer = say(1, 5, 10);
  assert_true(answer.learns);
  assert_int_equal(answer.granted, 5);
  assert_int_equal(ask_again(2).granted, 5);
}

/* The term of the first is over, but that of the second is not: neither could ask. */
static void test_ledger__it_learns_after_a_silence_that_is_shorter_than_a_term(void **state)
{
  (void)state;
  begin(10, false, &of_fleet);
  use(1, 5);
  pass(TERM / 3 - MS);
  use(2, 5);
  pass(TERM * 2 / 3 + 2 * MS);
  struct ledger_answer answer = say(2, 5, 10);
  assert_true(answer.learns);
  assert_int_equal(answer.granted, 5);
}

static void test_ledger__that_nobody_was_a_member_is_no_silence(void **state)
{
  (void)state;
  begin(10, false, &of_fleet);
  use(1, 5);
  leave(1);
  pass(TERM * 5);
  assert_int_equal(say(2, 0, 10).granted, 10);
}

/* ---- another limit ---- */

static void test_ledger__when_all_have_left_the_next_limit_holds(void **state)
{
  (void)state;
  begin(10, false, &of_fleet);
  use(1, 30);
  ledger_renew(ledger, 20, TERM, now); /* somebody is there */
  assert_int_equal(use(2, 30).limit, 10);
  leave(1);
  leave(2);
  ledger_renew(ledger, 20, 2 * TERM, now);
  struct ledger_answer answer = use(3, 30);
  assert_int_equal(answer.limit, 20);
  assert_int_equal(answer.granted, 20);
  assert_int_equal(answer.term_ns, 2 * TERM);
  assert_false(answer.learns);
}

/* It may be cut off, and live by what it was granted. */
static void test_ledger__another_limit_waits_for_the_last_term_though_that_member_says_nothing(void **state)
{
  (void)state;
  begin(10, false, &of_fleet);
  use(1, 30);
  pass(TERM - MS);
  ledger_renew(ledger, 4, TERM, now);
  assert_int_equal(ledger->limit, 10);
  pass(MS);
  ledger_renew(ledger, 4, TERM, now);
  assert_int_equal(ledger->limit, 4);
  assert_int_equal(ledger->members, 0);
}

/* They were killed, or cut off all together and kept what they had. */
static void test_ledger__another_limit_grants_nothing_that_those_before_may_hold(void **state)
{
  (void)state;
  for (int32_t limit = 4; limit <= 20; limit += 16) {
    begin(10, false, &of_fleet);
    assert_int_equal(use(1, 30).granted, 10);
    pass(2 * TERM);
    ledger_renew(ledger, limit, TERM, now);
    assert_int_equal(use(2, 30).granted, 0);
    assert_int_equal(use(1, 30).granted, 10);
    pass(TERM / 10);
    assert_int_equal(use(2, 30).granted, 0);
    for (int i = 0; i < 30; i++) {
      settle(1, 2);
      assert_true(sum_of_open() <= (limit > 10 ? limit : 10));
    }
    assert_int_equal(sum_of_open(), limit);
  }
}

static void test_ledger__floors_of_those_before_are_nobody_s_when_the_limit_is_lower(void **state)
{
  (void)state;
  begin(10, false, &of_fleet);
  asks[1].floor = 8;
  use(1, 30);
  pass(2 * TERM);
  ledger_renew(ledger, 5, TERM, now);
  asks[2].floor = 3;
  use(2, 30);
  assert_int_equal(ledger->floors, 3);
}

/* ---- clocks that are set ---- */

static void test_ledger__a_clock_that_is_set_forward_lets_nobody_have_more(void **state)
{
  (void)state;
  begin(10, false, &of_fleet);
  use(1, 5);
  use(2, 5);
  pass(3600000 * MS);
  assert_int_equal(say(2, 5, 10).granted, 5);
  assert_int_equal(say(1, 5, 10).granted, 5);
}

static void test_ledger__after_a_clock_was_set_back_terms_and_pauses_are_as_long_as_ever(void **state)
{
  (void)state;
  begin(10, false, &of_fleet);
  use(1, 5);
  use(2, 5);
  now -= 360000 * MS;
  ask_again(2);
  for (int i = 0; i < 3; i++) {
    pass(TERM / 3);
    assert_int_equal(ask_again(2).granted, 5);
  }
  pass(MS);
  assert_int_equal(say(2, 5, 10).granted, 10); /* the other's term is over */
}

static void test_ledger__a_clock_that_is_a_little_behind_takes_nothing_away(void **state)
{
  (void)state;
  begin(10, false, &of_fleet);
  use(1, 5);
  int64_t ends = ledger_find(ledger, 1)->ends_ns;
  pass(-20 * MS);
  ask_again(1);
  assert_int_equal(ledger_find(ledger, 1)->ends_ns, ends);
}

/* ---- overdraft ---- */

static void test_ledger__what_a_member_holds_beyond_the_limit_is_paid_back(void **state)
{
  (void)state;
  begin(20, false, &of_fleet);
  use(1, 20);
  asks[2] = (struct ledger_ask){.open = 10, .wants = 10, .weight = 1, .waits_ns = -1};
  ask_again(2); /* it was cut off */
  assert_int_equal(ledger->granted, 30);
  assert_int_equal(say(3, 0, 5).granted, 0);
  pass(PAUSE * 2);
  assert_true(is_told(1) || ask_again(1).target < 20);
  settle(1, 3);
  assert_int_equal(ledger->granted, 20);
  assert_int_equal(sum_of_open(), 20);
  assert_in_range(asks[1].open, 7, 8);
  assert_int_equal(asks[3].open, 5);
}

static void test_ledger__those_that_have_too_much_are_told_of_an_overdraft_though_nobody_lacks(void **state)
{
  (void)state;
  begin(20, false, &of_fleet);
  use(1, 20);
  pass(PAUSE * 2);
  say(2, 10, 10);
  assert_true(is_told(1));
  assert_int_equal(ask_again(1).target, 10);
}

/* ---- who is told ---- */

static void test_ledger__a_free_permit_is_told_to_the_one_whose_waiter_waits_longest(void **state)
{
  (void)state;
  begin(3, false, &of_process);
  use(1, 3);
  asks[2].waits_ns = 10 * MS;
  asks[3].waits_ns = 30 * MS;
  asks[4].waits_ns = 20 * MS;
  for (uint64_t id = 2; id <= 4; id++)
    say(id, 0, 1);
  told(NULL, 0);
  say(1, 2, 2);
  uint64_t ids[ROOM];
  assert_int_equal(told(ids, ROOM), 1);
  assert_int_equal(ids[0], 3);
  say(1, 0, 0);
  assert_int_equal(told(ids, ROOM), 2);
}

static void test_ledger__nobody_is_told_of_a_permit_that_is_not_free(void **state)
{
  (void)state;
  begin(3, false, &of_process);
  use(1, 3);
  say(2, 0, 1);
  ask_again(1); /* it knows that others lack */
  told(NULL, 0);
  ask_again(1);
  assert_int_equal(told(NULL, 0), 0);
}

static void test_ledger__what_a_member_leaves_is_told_to_those_that_lack(void **state)
{
  (void)state;
  begin(4, false, &of_process);
  use(1, 4);
  say(2, 0, 2);
  say(3, 0, 2);
  told(NULL, 0);
  leave(1);
  uint64_t ids[ROOM];
  assert_int_equal(told(ids, ROOM), 2);
  assert_int_equal(ask_again(2).granted, 2);
  assert_int_equal(ask_again(3).granted, 2);
}

static void test_ledger__those_that_have_too_much_are_told_once_until_they_ask(void **state)
{
  (void)state;
  begin(10, false, &of_process);
  use(1, 10);
  say(2, 0, 10);
  assert_true(is_told(1));
  ask_again(2);
  assert_int_equal(told(NULL, 0), 0);
  assert_int_equal(ask_again(1).target, 5);
  assert_int_equal(told(NULL, 0), 0);
}

static void test_ledger__a_member_that_does_not_know_of_the_lack_is_told(void **state)
{
  (void)state;
  begin(10, false, &of_process);
  use(1, 5);
  use(2, 5);
  say(3, 0, 1);
  assert_true(is_told(1) || is_told(2));
}

/* It may have opened with its permits by now, and need them no more. */
static void test_ledger__a_member_with_permits_that_does_not_know_of_the_lack_is_told(void **state)
{
  (void)state;
  begin(2, false, &of_process);
  say(1, 1, 1);
  struct ledger_answer answer = say(2, 0, 1);
  assert_int_equal(answer.granted, 1);
  assert_false(answer.pressed);
  told(NULL, 0);
  assert_int_equal(say(1, 1, 2).granted, 1);
  assert_true(is_told(2));
}

/* Each of the two has its share, so none lacks; but the second has said nothing since there was enough. */
static void test_ledger__those_with_permits_are_told_though_all_have_their_shares(void **state)
{
  (void)state;
  begin(2, false, &of_process);
  say(1, 1, 1);
  say(2, 0, 1);
  asks[2].open = 1;
  ask_again(2);
  told(NULL, 0);
  say(1, 1, 2);
  assert_int_equal(ledger->lacking, 0);
  assert_true(is_told(2));
  assert_int_equal(say(2, 0, 0).granted, 0);
  assert_int_equal(ask_again(1).granted, 2);
}

static void test_ledger__nobody_is_told_while_it_learns(void **state)
{
  (void)state;
  begin(10, true, &of_fleet);
  say(1, 0, 10);
  say(2, 0, 10);
  say(3, 0, 10);
  leave(3);
  assert_int_equal(told(NULL, 0), 0);
}

/* Both those that lack and those that have too much. */
static void test_ledger__no_more_are_told_than_the_manners_allow(void **state)
{
  (void)state;
  begin(ROOM, false, &of_fleet);
  for (uint64_t id = 1; id < ROOM; id++)
    use(id, 2);
  pass(TERM / 3);
  int all = 0, first = told(NULL, 0);
  say(ROOM, 0, ROOM);
  for (int i = 0; i < 1000; i++, pass(MS)) {
    ask_again(ROOM);
    all += told(NULL, 0);
  }
  assert_in_range(all, 1, 500 + 64);
  assert_true(first <= 64);
}

/* The member whose turn is next: those that were told ask at once. */
static uint64_t next_in_turn(int64_t *turns, uint64_t last)
{
  uint64_t ids[ROOM], next = 1;
  for (int i = told(ids, ROOM) - 1; i >= 0; i--)
    turns[ids[i]] = now;
  for (uint64_t id = 1; id <= last; id++)
    next = turns[id] < turns[next] ? id : next;
  now = turns[next] > now ? turns[next] : now;
  return next;
}

/* Those that were told ask so soon that nobody can be told then. */
static void test_ledger__those_that_a_burst_left_out_are_told_soon_after_it(void **state)
{
  (void)state;
  enum { LAST = 100 };
  int64_t turns[LAST + 1];
  begin(100, false, &of_fleet);
  use(1, 100);
  assert_int_equal(asks[1].open, 100);
  for (int round = 0; round < 2; round++) {
    for (uint64_t id = 2; id <= LAST; id++)
      turns[id] = now + say(id, 0, 1).again_ns;
    ask_again(1);
    pass(PAUSE + LAST * MS);
    told(NULL, 0);
  }
  turns[1] = now + use(1, 1).again_ns;
  int64_t began = now;
  while (sum_of_open() < 100) {
    uint64_t id = next_in_turn(turns, LAST);
    turns[id] = now + use(id, 1).again_ns;
  }
  assert_true(now - began < 1000 * MS);
}

static void test_ledger__the_level_is_found_no_sooner_than_its_manners_say(void **state)
{
  (void)state;
  begin(10, false, &of_fleet);
  pass(2 * GAP); /* so that the first can be told */
  use(1, 10);
  struct ledger_answer answer = use(2, 10);
  assert_true(answer.again_ns <= PAUSE * 2);
  assert_int_equal(ask_again(1).target, 10);
  pass(answer.again_ns);
  assert_int_equal(ask_again(1).target, 5);
}

/* ---- a keeper that died while it wrote ---- */

static void test_ledger__is_mended_from_its_members(void **state)
{
  (void)state;
  begin(10, false, &of_process);
  asks[2].floor = 2;
  for (uint64_t id = 1; id <= 4; id++)
    use(id, 5);
  ledger_find(ledger, 3)->open = 9; /* it was being written */
  ledger->granted = ledger->floors = 77;
  ledger->members = ledger->lacking = ledger->to_tell = ledger->next = 55;
  ledger_mend(ledger, now);
  assert_null(ledger_find(ledger, 3));
  assert_int_equal(ledger->members, 3);
  assert_int_equal(ledger->floors, 2);
  check();
  asks[3].open = 0;
  settle(1, 4);
  assert_int_equal(sum_of_open(), 10);
}

/* ---- everything together ---- */

/* Members that say anything, whether it makes sense or not. */
static void test_ledger__holds_whatever_members_say(void **state)
{
  (void)state;
  uint64_t seed = 23;
  const int32_t numbers[] = {0, 1, 2, 5, 9, 40, 1000, INT32_MAX};
  begin(40, true, &of_fleet);
  for (int step = 0; step < 30000; step++) {
    uint64_t id = 1 + random_next(&seed) % 30;
    int32_t *said = &asks[id].open;
    for (int i = 0; i < 5; i++)
      said[i] = numbers[random_next(&seed) % 8];
    asks[id].weight += asks[id].weight == 0;
    if (random_next(&seed) % 20 == 0 && ledger_find(ledger, id))
      leave(id);
    int64_t before = ledger->granted;
    struct ledger_answer answer = ask_again(id);
    assert_true(ledger->granted <= 40 || ledger->granted <= before || answer.granted == asks[id].open);
    assert_true(answer.again_ns >= answer.gap_ns);
    pass((int64_t)(random_next(&seed) % 100) * (random_next(&seed) % 50 == 0 ? 100 * MS : MS));
    told(NULL, 0);
  }
}

static int make_room(void **state)
{
  (void)state;
  ledger = malloc(ledger_size(ROOM));
  return ledger ? 0 : -1;
}

static int free_room(void **state)
{
  (void)state;
  free(ledger);
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ledger__what_is_free_is_granted_and_no_more),
      cmocka_unit_test(test_ledger__nobody_is_granted_less_than_it_has_open),
      cmocka_unit_test(test_ledger__a_member_that_says_less_gives_the_rest_back),
      cmocka_unit_test(test_ledger__shares_are_equal_give_or_take_one_and_nothing_is_left),
      cmocka_unit_test(test_ledger__what_rounding_leaves_stays_where_it_is),
      cmocka_unit_test(test_ledger__what_rounding_leaves_stays_though_another_could_have_it),
      cmocka_unit_test(test_ledger__what_rounding_leaves_is_for_those_that_have_no_more_than_others),
      cmocka_unit_test(test_ledger__what_rounding_leaves_is_for_those_that_have_waited_longest),
      cmocka_unit_test(test_ledger__what_rounding_leaves_is_for_as_many_as_it_is_however_long_they_have_waited),
      cmocka_unit_test(test_ledger__weights_one_and_three),
      cmocka_unit_test(test_ledger__a_floor_is_kept_for_its_member_when_others_want_all),
      cmocka_unit_test(test_ledger__floors_beyond_the_limit_are_for_those_that_came_first),
      cmocka_unit_test(test_ledger__a_floor_that_was_cut_is_no_news),
      cmocka_unit_test(test_ledger__where_all_have_what_they_want_idle_connections_stay),
      cmocka_unit_test(test_ledger__idle_connections_are_closed_for_others_and_no_more_than_they_need),
      cmocka_unit_test(test_ledger__what_is_wanted_goes_before_what_is_idle),
      cmocka_unit_test(test_ledger__a_member_that_wants_everything_gets_its_share),
      cmocka_unit_test(test_ledger__a_weight_beyond_the_most_counts_as_the_most),
      cmocka_unit_test(test_ledger__the_largest_numbers_everywhere_overflow_nothing),
      cmocka_unit_test(test_ledger__a_limit_of_nothing_grants_nothing),
      cmocka_unit_test(test_ledger__a_name_that_is_too_long_is_cut),
      cmocka_unit_test(test_ledger__floors_above_the_limit_leave_none_for_others),
      cmocka_unit_test(test_ledger__places_are_used_again_and_end),
      cmocka_unit_test(test_ledger__those_that_leave_at_once_have_the_level_found_once),
      cmocka_unit_test(test_ledger__where_nobody_lacks_no_level_is_due_for_those_that_leave),
      cmocka_unit_test(test_ledger__a_member_whose_term_is_over_is_forgotten_and_not_before),
      cmocka_unit_test(test_ledger__a_member_that_asks_is_not_forgotten),
      cmocka_unit_test(test_ledger__without_a_term_nobody_is_forgotten),
      cmocka_unit_test(test_ledger__a_member_is_to_ask_three_times_in_a_term),
      cmocka_unit_test(test_ledger__terms_grow_with_the_members),
      cmocka_unit_test(test_ledger__a_new_one_learns_for_a_term),
      cmocka_unit_test(test_ledger__one_that_learns_does_so_for_a_term_of_as_many_as_it_knows_by_then),
      cmocka_unit_test(test_ledger__nothing_is_learned_while_nobody_can_ask),
      cmocka_unit_test(test_ledger__after_a_silence_all_is_learned_anew),
      cmocka_unit_test(test_ledger__those_that_it_learned_of_ask_one_behind_the_other),
      cmocka_unit_test(test_ledger__it_learns_after_a_silence_what_its_members_hold),
      cmocka_unit_test(test_ledger__it_learns_after_a_silence_that_is_shorter_than_a_term),
      cmocka_unit_test(test_ledger__that_nobody_was_a_member_is_no_silence),
      cmocka_unit_test(test_ledger__when_all_have_left_the_next_limit_holds),
      cmocka_unit_test(test_ledger__another_limit_waits_for_the_last_term_though_that_member_says_nothing),
      cmocka_unit_test(test_ledger__another_limit_grants_nothing_that_those_before_may_hold),
      cmocka_unit_test(test_ledger__floors_of_those_before_are_nobody_s_when_the_limit_is_lower),
      cmocka_unit_test(test_ledger__a_clock_that_is_set_forward_lets_nobody_have_more),
      cmocka_unit_test(test_ledger__after_a_clock_was_set_back_terms_and_pauses_are_as_long_as_ever),
      cmocka_unit_test(test_ledger__a_clock_that_is_a_little_behind_takes_nothing_away),
      cmocka_unit_test(test_ledger__what_a_member_holds_beyond_the_limit_is_paid_back),
      cmocka_unit_test(test_ledger__those_that_have_too_much_are_told_of_an_overdraft_though_nobody_lacks),
      cmocka_unit_test(test_ledger__a_free_permit_is_told_to_the_one_whose_waiter_waits_longest),
      cmocka_unit_test(test_ledger__nobody_is_told_of_a_permit_that_is_not_free),
      cmocka_unit_test(test_ledger__what_a_member_leaves_is_told_to_those_that_lack),
      cmocka_unit_test(test_ledger__those_that_have_too_much_are_told_once_until_they_ask),
      cmocka_unit_test(test_ledger__a_member_that_does_not_know_of_the_lack_is_told),
      cmocka_unit_test(test_ledger__a_member_with_permits_that_does_not_know_of_the_lack_is_told),
      cmocka_unit_test(test_ledger__those_with_permits_are_told_though_all_have_their_shares),
      cmocka_unit_test(test_ledger__nobody_is_told_while_it_learns),
      cmocka_unit_test(test_ledger__no_more_are_told_than_the_manners_allow),
      cmocka_unit_test(test_ledger__those_that_a_burst_left_out_are_told_soon_after_it),
      cmocka_unit_test(test_ledger__the_level_is_found_no_sooner_than_its_manners_say),
      cmocka_unit_test(test_ledger__is_mended_from_its_members),
      cmocka_unit_test(test_ledger__holds_whatever_members_say),
  };
  return cmocka_run_group_tests(tests, make_room, free_room);
}
