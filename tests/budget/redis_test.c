/* SPDX-License-Identifier: MIT */
/* What is particular to the engine `redis` of budgets. */
#include "engine.h"

#include <hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/ledger.h"
#include "base/share.h"
#include "drivers/redis_server.h"

POOL_API pool_budget_engine_fn pool_budget_engine_redis;

static struct redis server;

/* ---- the test's own connection ---- */

static redisContext *admin;

/* The format is one of hiredis. */
static redisReply *command(redisContext *context, const char *format, va_list arguments)
{
  redisReply *reply = redisvCommand(context, format, arguments);
  if (!reply || reply->type == REDIS_REPLY_ERROR)
    fail_msg("%s: %s", format, reply ? reply->str : context->errstr);
  return reply;
}

static redisReply *administer(const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  redisReply *reply = command(admin, format, arguments);
  va_end(arguments);
  return reply;
}

#define DO(...) freeReplyObject(administer(__VA_ARGS__))

static void admin_connect(void)
{
  if (admin)
    redisFree(admin);
  admin = redisConnectUnix(server.socket);
  assert_int_equal(admin->err, 0);
  DO("AUTH %s", REDIS_PASSWORD);
}

static int64_t clients(void)
{
  redisReply *reply = administer("INFO clients");
  int64_t count = strtoll(strstr(reply->str, "connected_clients:") + strlen("connected_clients:"), NULL, 10);
  freeReplyObject(reply);
  return count;
}

static int64_t server_ms(void)
{
  redisReply *reply = administer("TIME");
  int64_t ms = strtoll(reply->element[0]->str, NULL, 10) * 1000 + strtoll(reply->element[1]->str, NULL, 10) / 1000;
  freeReplyObject(reply);
  return ms;
}

/* ---- the state of a ledger ---- */

/* The doubles that the state of a ledger in Redis begins with. */
enum { LEARNS = 10, FROM, ASKED, TOLD, DUE };

/* Changes one of the doubles in a field. */
static void set_double(const char *key, const char *field, size_t at, double value)
{
  redisReply *reply = administer("HGET %s %s", key, field);
  assert_int_equal(reply->type, REDIS_REPLY_STRING);
  memcpy(reply->str + at, &value, sizeof value);
  DO("HSET %s %s %b", key, field, reply->str, reply->len);
  freeReplyObject(reply);
}

static void set_state(const char *name, int index, double value)
{
  char key[64];
  snprintf(key, sizeof key, "pool:budget:{%s}", name);
  set_double(key, "state", (size_t)index * sizeof value, value);
}

/* The level is found anew at once. */
static void make_due(const char *name)
{
  set_state(name, DUE, 0);
}

static void stop_learning(const char *name)
{
  set_state(name, LEARNS, 0);
}

/* A member that had nothing has asked and left. */
static void *open_new(const char *name, int32_t limit, int64_t term_ms)
{
  struct member first = MEMBER(4711);
  void *ledger = open_ledger(name, limit, term_ms);
  sync_one(ledger, &first);
  stop_learning(name);
  leave(ledger, first.id);
  make_due(name);
  return ledger;
}

/* ---- beside the ledger in C ---- */

#define PEERS   12
#define ROUNDS  400
#define SEEDS   6
#define HOUR_NS (HOUR_MS * 1000000)

/* The same members in both ledgers. */
struct twins {
  void *redis;
  struct ledger *c;
  struct member member[PEERS];
  struct ledger_answer told[PEERS];
  int64_t now;
  uint64_t random;
};

static int32_t random_below(struct twins *twins, int32_t limit)
{
  return (int32_t)(random_next(&twins->random) % (uint32_t)limit);
}

static void sync_twin(struct twins *twins, int i)
{
  struct member *member = &twins->member[i];
  struct ledger_ask question = {.open = member->open,
                                .wants = member->wants,
                                .weight = member->weight,
                                .floor = member->floor,
                                .waits_ns = member->waits_ms < 0 ? -1 : member->waits_ms * 1000000};
  struct ledger_member *found = ledger_find(twins->c, member->id);
  twins->now += HOUR_NS / 1000000;
  if (!found)
    found = ledger_join(twins->c, member->id, "", 0, twins->now);
  ledger_sync(twins->c, found, &question, twins->now, &twins->told[i]);
  sync_one(twins->redis, member);
  make_due("twins");
}

/* What rounding leaves over may be another member's. */
static void expect_same(const struct twins *twins, int i)
{
  const struct ledger_answer *c = &twins->told[i];
  const pool_budget_answer_t *redis = &twins->member[i].told;
  int64_t left = twins->c->level == SHARE_FULL ? 0 : 1;
  if (llabs((long long)c->target - redis->target) > left)
    fail_msg("member %d: target %d, and in Redis %d", i, c->target, redis->target);
  assert_int_equal(c->pressed, redis->pressed);
  assert_int_equal(c->limit, redis->limit);
  assert_int_equal(redis->learns, 0);
}

/* It opens no more than both allow, and closes as both want, or is slow. */
static void follow(struct twins *twins, int i)
{
  struct member *member = &twins->member[i];
  int32_t may = member->told.granted < twins->told[i].granted ? member->told.granted : twins->told[i].granted;
  int32_t shall = member->told.target < twins->told[i].target ? member->told.target : twins->told[i].target;
  int32_t to = shall < member->wants ? shall : member->wants;
  if (to > may)
    to = may;
  if (to < member->open && random_below(twins, 3) == 0)
    to = member->open - random_below(twins, member->open - to + 1);
  member->open = to;
}

static int64_t granted_of(const struct twins *twins)
{
  pool_budget_stats_t stats = POOL_BUDGET_STATS_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(engine.look(twins->redis, &stats, NULL, NULL, in_ms(60000), &error), 0);
  assert_int_equal(stats.members, twins->c->members);
  assert_true(stats.granted <= stats.limit);
  return stats.granted;
}

/* All ask in turn until nothing moves: then all that can be used is granted, as in C. */
static void settle(struct twins *twins)
{
  int64_t wanted = 0;
  for (int round = 0; round < 6; round++)
    for (int i = 0; i < PEERS; i++)
      if (ledger_find(twins->c, twins->member[i].id)) {
        struct member *member = &twins->member[i];
        int32_t most = member->told.target < twins->told[i].target ? member->told.target : twins->told[i].target;
        member->open = member->open < most ? member->open : most;
        sync_twin(twins, i);
        expect_same(twins, i);
      }
  for (int i = 0; i < twins->c->used; i++)
    if (twins->c->member[i].id) {
      int32_t wants =
          twins->c->member[i].wants > twins->c->member[i].floor ? twins->c->member[i].wants : twins->c->member[i].floor;
      wanted += wants < twins->c->limit ? wants : twins->c->limit;
    }
  int64_t granted = granted_of(twins);
  assert_true(granted >= (wanted < twins->c->limit ? wanted : twins->c->limit));
  for (int i = 0; i < PEERS; i++)
    if (ledger_find(twins->c, twins->member[i].id))
      assert_true(llabs((long long)twins->told[i].granted - twins->member[i].told.granted) <= 1);
}

static void leave_twin(struct twins *twins, int i)
{
  struct ledger_member *found = ledger_find(twins->c, twins->member[i].id);
  if (!found)
    return;
  ledger_leave(twins->c, found, twins->now);
  leave(twins->redis, twins->member[i].id);
  make_due("twins");
  twins->member[i].open = 0;
}

static void change(struct twins *twins, int i)
{
  struct member *member = &twins->member[i];
  if (random_below(twins, 2))
    member->wants = random_below(twins, 3) ? random_below(twins, 30) : random_below(twins, 4);
  if (random_below(twins, 20) == 0)
    member->weight = 1 + random_below(twins, 3);
  if (random_below(twins, 20) == 0)
    member->floor = random_below(twins, 8);
  member->waits_ms = member->wants > member->open ? random_below(twins, 5000) : -1;
}

static void compare(uint64_t seed)
{
  static const struct ledger_manners manners = {.term_ns = HOUR_NS * 1000, .gap_ns = 1000000};
  struct twins twins = {
      .redis = open_ledger("twins", 40, HOUR_MS * 100), .c = calloc(1, ledger_size(PEERS)), .random = seed};
  ledger_begin(twins.c, PEERS, 40, 1, false, &manners, 0);
  for (int i = 0; i < PEERS; i++)
    twins.member[i] = MEMBER((uint64_t)i + 1);
  sync_one(twins.redis, &twins.member[0]);
  stop_learning("twins");
  sync_twin(&twins, 0);
  for (int round = 0; round < ROUNDS; round++) {
    int i = random_below(&twins, PEERS);
    if (random_below(&twins, 30) == 0) {
      leave_twin(&twins, i);
      continue;
    }
    follow(&twins, i);
    change(&twins, i);
    sync_twin(&twins, i);
    expect_same(&twins, i);
    if (round % 40 == 39)
      settle(&twins);
  }
  engine.close(twins.redis);
  free(twins.c);
}

static void test_budget_redis__the_script_decides_as_the_ledger_in_c_does(void **state)
{
  (void)state;
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    compare(seed * UINT64_C(0x9e3779b97f4a7c15));
    DO("FLUSHALL");
  }
}

/* ---- who is told, where nobody polls ---- */

/* Members that ask when they are told, when the ledger said, and when something is another than they said. */
struct fleet {
  void *ledger;
  int count;
  struct member member[PEERS];
  int64_t next_ns[PEERS];
};

static void fleet_sync(struct fleet *fleet, int i)
{
  struct member *member = &fleet->member[i];
  int32_t said;
  do {
    said = member->open;
    sync_one(fleet->ledger, member);
    int32_t may = member->told.granted < member->told.target ? member->told.granted : member->told.target;
    member->open = member->wants < may ? member->wants : may;
    member->waits_ms = member->wants > member->open ? 1000 : -1;
  } while (member->open != said);
  fleet->next_ns[i] = in_ms(member->told.again_ms);
}

/* Each member has its share, or one more; nothing is left where somebody lacks. */
static struct vessel vessel_at(const void *owner, int32_t index)
{
  const struct member *member = &((const struct fleet *)owner)->member[index];
  return (struct vessel){member->floor, member->wants > member->floor ? member->wants : member->floor, member->weight};
}

static bool is_fair(const struct fleet *fleet, int32_t limit)
{
  struct vessels vessels = {.at = vessel_at, .owner = fleet, .count = fleet->count};
  int64_t level = share_level(&vessels, limit), open = 0;
  for (int i = 0; i < fleet->count; i++) {
    const struct member *member = &fleet->member[i];
    int32_t share = share_at(vessel_at(fleet, i), level);
    share = share < member->wants ? share : member->wants;
    if (member->open < share || member->open > share + 1)
      return false;
    open += member->open > member->floor ? member->open : member->floor; /* which is its own */
  }
  return level == SHARE_FULL || open == limit;
}

static int64_t earliest(const struct fleet *fleet)
{
  int64_t next = in_ms(1000);
  for (int i = 0; i < fleet->count; i++)
    if (fleet->next_ns[i] < next)
      next = fleet->next_ns[i];
  return next;
}

static void fleet_turn(struct fleet *fleet)
{
  uint64_t told[PEERS];
  pool_error_t error = POOL_ERROR_INIT;
  int count = engine.wait(fleet->ledger, earliest(fleet), told, PEERS, &error);
  assert_true(count >= 0);
  for (int i = 0; i < count; i++)
    fleet_sync(fleet, (int)told[i] - 1);
  for (int i = 0; i < fleet->count; i++)
    if (fleet->next_ns[i] <= now_ns())
      fleet_sync(fleet, i);
}

static void fleet_run(struct fleet *fleet, int32_t limit)
{
  int64_t began = now_ns();
  while (!is_fair(fleet, limit)) {
    fleet_turn(fleet);
    if (now_ns() - began > LONG_NS)
      fail_msg("the shares are not fair after a minute");
  }
}

/* Until nobody is to ask soon. */
static void fleet_rest(struct fleet *fleet)
{
  while (earliest(fleet) < in_ms(500))
    fleet_turn(fleet);
}

/* The term is so long that nobody asks because of it. */
static void test_budget_redis__shares_are_fair_soon_after_each_change_though_nobody_polls(void **state)
{
  (void)state;
  struct fleet fleet = {.ledger = open_ledger("fleet", 40, HOUR_MS), .count = PEERS};
  uint64_t random = 815;
  for (int i = 0; i < PEERS; i++) {
    fleet.member[i] = MEMBER((uint64_t)i + 1, .weight = 1 + i % 3, .floor = i == 5 ? 4 : 0);
    fleet.next_ns[i] = in_ms(HOUR_MS);
  }
  sync_one(fleet.ledger, &fleet.member[0]);
  stop_learning("fleet");
  for (int i = 0; i < PEERS; i++)
    fleet_sync(&fleet, i);
  for (int change = 0; change < 40; change++) {
    int i = (int)(random_next(&random) % PEERS);
    fleet.member[i].wants = (int32_t)(random_next(&random) % 16);
    fleet_sync(&fleet, i);
    fleet_run(&fleet, 40);
  }
  engine.close(fleet.ledger);
}

/* Ten for four are three, three, two and two; when a fifth wants one, one of those that have three gives it. */
static void test_budget_redis__what_rounding_left_over_is_given_back_when_another_lacks(void **state)
{
  (void)state;
  struct fleet fleet = {.ledger = open_ledger("extras", 10, HOUR_MS), .count = 5};
  for (int i = 0; i < 5; i++) {
    fleet.member[i] = MEMBER((uint64_t)i + 1, .wants = i < 4 ? 9 : 0);
    fleet.next_ns[i] = in_ms(HOUR_MS);
  }
  sync_one(fleet.ledger, &fleet.member[0]);
  stop_learning("extras");
  for (int i = 0; i < 5; i++)
    fleet_sync(&fleet, i);
  fleet_run(&fleet, 10);
  fleet_rest(&fleet);
  fleet.member[4].wants = 1;
  fleet_sync(&fleet, 4);
  fleet_run(&fleet, 10);
  assert_int_equal(fleet.member[4].open, 1);
  fleet_rest(&fleet);
  fleet.member[4].wants = 0; /* which is for another of the four then */
  fleet_sync(&fleet, 4);
  fleet_run(&fleet, 10);
  engine.close(fleet.ledger);
}

static void test_budget_redis__a_freed_permit_is_told_to_the_member_that_waits_longest(void **state)
{
  (void)state;
  static const int64_t waits[] = {100, 5000, 1000};
  static const uint64_t order[] = {3, 4, 2};
  void *ledger = open_ledger("order", 4, HOUR_MS);
  struct member rich = MEMBER(1, .wants = 4), poor;
  sync_one(ledger, &rich);
  stop_learning("order");
  sync_one(ledger, &rich);
  assert_int_equal(rich.told.granted, 4);
  rich.open = 4;
  for (int i = 0; i < 3; i++) {
    poor = MEMBER((uint64_t)i + 2, .wants = 1, .waiting = 1, .waits_ms = waits[i]);
    sync_one(ledger, &rich);
    sync_one(ledger, &poor);
    assert_int_equal(poor.told.granted, 0);
  }
  make_due("order");
  sync_one(ledger, &rich);
  assert_int_equal(rich.told.target, 1);
  while (rich.open > 1) {
    uint64_t told;
    rich.open--;
    sync_one(ledger, &rich);
    do /* what it was told itself before it knew */
      told = wait_told(ledger);
    while (told == 1);
    assert_int_equal(told, order[2 - (rich.open - 1)]);
    poor = MEMBER(told, .wants = 1);
    sync_one(ledger, &poor);
    assert_int_equal(poor.told.granted, 1);
  }
  engine.close(ledger);
}

/* It said that it wants four, and need not say that it wants less until it knows that others lack. */
static void expect_told_of_lack(int32_t open)
{
  struct member calm = MEMBER(1, .open = open, .wants = 4), young = MEMBER(2, .wants = 10);
  void *ledger = open_ledger("calm", 10, HOUR_MS);
  sync_one(ledger, &calm);
  stop_learning("calm");
  make_due("calm");
  sync_one(ledger, &calm);
  assert_int_equal(calm.told.pressed, 0);
  make_due("calm");
  sync_one(ledger, &young);
  assert_int_equal(young.told.pressed, 1);
  assert_int_equal(wait_told(ledger), 1);
  calm.wants = 0;
  make_due("calm");
  sync_one(ledger, &calm);
  assert_int_equal(calm.told.target, 0);
  engine.close(ledger);
  DO("FLUSHALL");
}

/* Also if it has not said yet what it opened with its permits. */
static void test_budget_redis__a_member_is_told_when_others_begin_to_lack(void **state)
{
  (void)state;
  expect_told_of_lack(4);
  expect_told_of_lack(0);
}

/* ---- a ledger that was lost ---- */

/* What it granted last may not be in its data. */
static void test_budget_redis__a_server_that_was_started_anew_with_its_data_learns_for_a_term(void **state)
{
  (void)state;
  struct member old, young = MEMBER(2, .wants = 10);
  void *ledger = half_open("anew", &old, HOUR_MS);
  int64_t epoch = old.told.epoch;
  DO("SAVE");
  server_kill(&server.server);
  redis_start(&server);
  admin_connect();
  sync_one(ledger, &young);
  assert_int_equal(young.told.learns, 1);
  assert_int_equal(young.told.granted, 0);
  sync_one(ledger, &old);
  assert_int_equal(old.told.granted, 6);
  assert_true(old.told.epoch == epoch);
  engine.close(ledger);
}

static void test_budget_redis__a_server_that_dropped_one_of_the_keys_has_lost_the_ledger(void **state)
{
  (void)state;
  static const char *const keys[] = {"members", "classes", "ends"};
  for (int i = 0; i < 3; i++) {
    struct member old;
    void *ledger = half_open(keys[i], &old, 300);
    int64_t epoch = old.told.epoch;
    DO("DEL pool:budget:{%s}:%s", keys[i], keys[i]);
    expect_learning(ledger, &old);
    assert_true(old.told.epoch != epoch);
    engine.close(ledger);
  }
}

static void test_budget_redis__after_a_term_without_a_word_the_ledger_learns(void **state)
{
  (void)state;
  struct member old;
  void *ledger = half_open("silent", &old, 300);
  set_state("silent", ASKED, (double)server_ms() - 1000);
  sync_one(ledger, &old);
  assert_int_equal(old.told.learns, 1);
  assert_int_equal(old.told.granted, 6);
  engine.close(ledger);
}

/* The server has heard nothing for an hour, and more are in the ledger than it forgets at one time. */
static void test_budget_redis__after_all_were_killed_another_limit_holds_when_it_has_learned(void **state)
{
  (void)state;
  enum { DEAD = 50 };
  struct member dead, young = MEMBER(DEAD + 1, .wants = 100);
  pool_budget_stats_t stats = POOL_BUDGET_STATS_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  void *ledger = open_ledger("heirs", 60, HOUR_MS), *next = open_ledger("heirs", 20, 300);
  for (uint64_t id = 1; id <= DEAD; id++) {
    dead = MEMBER(id, .open = 1, .wants = 1);
    sync_one(ledger, &dead);
  }
  stop_learning("heirs");
  set_state("heirs", ASKED, (double)server_ms() - 2 * HOUR_MS);
  for (int id = 1; id <= DEAD; id++)
    DO("ZADD pool:budget:{heirs}:ends %lld %d", (long long)server_ms() - 1, id);
  sync_one(next, &young);
  assert_int_equal(young.told.limit, 20);
  assert_int_equal(young.told.learns, 1);
  assert_int_equal(young.told.granted, 0);
  wait_until((sync_one(next, &young), young.told.granted == 20));
  assert_int_equal(engine.look(ledger, &stats, NULL, NULL, in_ms(60000), &error), 0);
  assert_int_equal(stats.members, 1);
  engine.close(next);
  engine.close(ledger);
}

/* What its members hold is not known before it is lost. */
static void test_budget_redis__another_limit_is_not_taken_where_the_server_dropped_what_ends(void **state)
{
  (void)state;
  struct member old, young = MEMBER(2, .wants = 100);
  void *ledger = half_open("ends", &old, HOUR_MS), *next = open_ledger("ends", 100, HOUR_MS);
  DO("DEL pool:budget:{ends}:ends");
  sync_one(next, &young);
  assert_true(young.told.granted <= 4);
  engine.close(next);
  engine.close(ledger);
}

static void test_budget_redis__a_clock_that_was_set_back_takes_nothing_from_anybody(void **state)
{
  (void)state;
  struct member old;
  void *ledger = half_open("clock", &old, 60000);
  int64_t epoch = old.told.epoch;
  set_state("clock", ASKED, (double)server_ms() + 50000);
  sync_one(ledger, &old);
  assert_int_equal(old.told.learns, 0);
  set_state("clock", ASKED, (double)server_ms() + 3600000);
  sync_one(ledger, &old);
  assert_int_equal(old.told.learns, 1);
  assert_int_equal(old.told.granted, 6);
  assert_true(old.told.epoch != epoch);
  engine.close(ledger);
}

/* Another connection may bring a later one first. */
static void test_budget_redis__an_ask_that_comes_late_changes_nothing(void **state)
{
  (void)state;
  struct member old;
  pool_budget_stats_t stats = POOL_BUDGET_STATS_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  void *ledger = half_open("late", &old, HOUR_MS);
  set_double("pool:budget:{late}:members", "1", 48, 1e18);
  old.open = 1;
  assert_int_equal(ask(ledger, &old, in_ms(60000), &error), POOL_E_REMOTE);
  assert_int_equal(engine.look(ledger, &stats, NULL, NULL, in_ms(60000), &error), 0);
  assert_int_equal(stats.open, 6);
  engine.close(ledger);
}

/* ---- ledgers of others ---- */

static void expect_refused(void *ledger, const char *text)
{
  struct member member = MEMBER(1, .wants = 10);
  pool_error_t error = POOL_ERROR_INIT;
  int code = ask(ledger, &member, in_ms(60000), &error);
  if (code != POOL_E_INVALID || !strstr(error.message, text) || !strstr(error.message, "delete the keys"))
    fail_msg("%d, '%s' is not in: %s", code, text, error.message);
}

static void test_budget_redis__keys_of_others_are_refused_by_name(void **state)
{
  (void)state;
  static const char *const keys[] = {"members", "classes", "ends", "poor", "rich"};
  void *ledger = open_ledger("alien", 10, HOUR_MS);
  DO("SET pool:budget:{alien} x");
  expect_refused(ledger, "pool:budget:{alien} has another type");
  DO("DEL pool:budget:{alien}");
  DO("HSET pool:budget:{alien} colour blue");
  expect_refused(ledger, "pool:budget:{alien} is no ledger");
  DO("HSET pool:budget:{alien} version 2");
  expect_refused(ledger, "pool:budget:{alien} is a ledger of version 2");
  DO("HSET pool:budget:{alien} version 1 state nonsense");
  expect_refused(ledger, "pool:budget:{alien} has a state");
  DO("DEL pool:budget:{alien}");
  for (int i = 0; i < 5; i++) {
    char text[64];
    DO("SET pool:budget:{alien}:%s x", keys[i]);
    snprintf(text, sizeof text, "pool:budget:{alien}:%s has another type", keys[i]);
    expect_refused(ledger, text);
    DO("DEL pool:budget:{alien}:%s", keys[i]);
  }
  engine.close(ledger);
}

static void test_budget_redis__keys_that_others_wrote_into_a_ledger_are_refused(void **state)
{
  (void)state;
  static const char *const keys[] = {"members", "ends", "poor", "rich"};
  struct member member = MEMBER(1, .wants = 10, .weight = 2);
  pool_error_t error = POOL_ERROR_INIT;
  void *ledger = open_ledger("spoiled", 10, HOUR_MS);
  for (int i = 0; i < 4; i++) {
    char text[64];
    sync_one(ledger, &member);
    stop_learning("spoiled");
    DO("DEL pool:budget:{spoiled}:%s", keys[i]);
    DO("SET pool:budget:{spoiled}:%s x", keys[i]);
    snprintf(text, sizeof text, "pool:budget:{spoiled}:%s has another type", keys[i]);
    make_due("spoiled");
    expect_refused(ledger, text);
    DO("DEL pool:budget:{spoiled}:%s pool:budget:{spoiled}", keys[i]);
  }
  sync_one(ledger, &member);
  DO("HSET pool:budget:{spoiled}:members 1 short");
  expect_refused(ledger, "pool:budget:{spoiled}:members has a member");
  assert_int_equal(engine.look(ledger, NULL, see, NULL, in_ms(60000), &error), POOL_E_INVALID);
  DO("DEL pool:budget:{spoiled}");
  sync_one(ledger, &member);
  DO("HSET pool:budget:{spoiled}:classes blue 1");
  make_due("spoiled");
  expect_refused(ledger, "pool:budget:{spoiled}:classes has a class");
  engine.close(ledger);
}

/* ---- servers that lie ---- */

static const char *lie; /* what the script is said to have returned */

/* Lets in everybody, and serves one connection after the other: the one that is subscribed ends. */
static void lie_to_all(struct impostor *impostor, int connection)
{
  static const char hello[] = "+OK\r\n-NOPERM of this user\r\n";
  static const char joined[] = "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n";
  char asked[1024] = "";
  if (!impostor_hear(impostor, connection) || !impostor_send(connection, hello, sizeof hello - 1) ||
      recv(connection, asked, sizeof asked - 1, 0) <= 0)
    return;
  if (strstr(asked, "SUBSCRIBE"))
    impostor_send(connection, joined, sizeof joined - 1);
  else if (impostor_send(connection, "$-1\r\n", 5) && impostor_hear(impostor, connection) &&
           impostor_send(connection, lie, strlen(lie)))
    impostor_hear_all(impostor, connection);
}

#define LEAST ":-9223372036854775808\r\n"
#define MOST  ":9223372036854775807\r\n"
#define ZERO  ":0\r\n"
#define ONE   ":1\r\n"
#define EPOCH "*9\r\n$1\r\n1\r\n"

static void test_budget_redis__an_answer_without_sense_is_none(void **state)
{
  static const char *const answers[] = {EPOCH MOST ONE ONE ZERO ZERO ONE ZERO ZERO,
                                        EPOCH ONE LEAST ONE ZERO ZERO ONE ZERO ZERO,
                                        EPOCH ONE ONE MOST ZERO ZERO ONE ZERO ZERO,
                                        EPOCH ONE ONE ONE ":4294967297\r\n" ZERO ONE ZERO ZERO,
                                        EPOCH ONE ONE ONE ZERO ZERO LEAST ZERO ZERO,
                                        /* Members would ask without a pause. */
                                        EPOCH ONE ONE ZERO ZERO ZERO ONE ZERO ZERO};
  (void)state;
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    char url[URL_SIZE];
    static struct impostor impostor; /* its thread goes on where the test fails */
    struct member member = MEMBER(1);
    pool_error_t error = POOL_ERROR_INIT;
    lie = answers[i];
    impostor_start(&impostor, lie_to_all);
    url_at(url, impostor.port, "lie", 10, "");
    void *ledger = open_at(url, "lie", 10, HOUR_MS);
    assert_int_equal(ask(ledger, &member, in_ms(20000), &error), POOL_E_REMOTE);
    assert_non_null(strstr(error.message, "the answer is another one"));
    engine.close(ledger);
    impostor_stop(&impostor);
  }
}

static void test_budget_redis__a_look_at_a_ledger_without_sense_is_borne(void **state)
{
  static const char *const times[] = {LEAST, MOST};
  (void)state;
  for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
    char url[URL_SIZE], list[200];
    static struct impostor impostor; /* its thread goes on where the test fails */
    pool_error_t error = POOL_ERROR_INIT;
    snprintf(list, sizeof list, "*5\r\n%s" ZERO ZERO ZERO "*2\r\n$1\r\n1\r\n$72\r\n%072d\r\n", times[i], 0);
    lie = list;
    impostor_start(&impostor, lie_to_all);
    url_at(url, impostor.port, "lie", 10, "");
    void *ledger = open_at(url, "lie", 10, HOUR_MS);
    pool_budget_stats_t stats = POOL_BUDGET_STATS_INIT;
    assert_int_equal(engine.look(ledger, &stats, NULL, NULL, in_ms(20000), &error), 0);
    assert_int_equal(stats.members, 1);
    engine.close(ledger);
    impostor_stop(&impostor);
  }
}

/* ---- places ---- */

static void test_budget_redis__a_ledger_is_reached_by_a_unix_socket(void **state)
{
  (void)state;
  char url[URL_SIZE], path[256] = "";
  struct member member = MEMBER(1, .wants = 10);
  for (const char *c = server.socket; *c; c++)
    strcat(path, *c == '/' ? "%2F" : (char[]){*c, 0});
  snprintf(url, sizeof url, "redis://:%s@%s/unix?limit=10", REDIS_PASSWORD, path);
  void *ledger = open_at(url, "unix", 10, HOUR_MS);
  sync_one(ledger, &member);
  engine.close(ledger);
}

/* ---- servers that refuse ---- */

static void test_budget_redis__a_wrong_password_is_said_without_it(void **state)
{
  (void)state;
  char url[128];
  snprintf(url, sizeof url, "redis://:swordfish@127.0.0.1:%d/0/users?limit=3", server.port);
  assert_int_equal(expect_no_entry(url, POOL_E_OPEN, "swordfish", "WRONGPASS"), POOL_E_OPEN);
}

static void test_budget_redis__scripts_that_the_server_forgot_are_given_anew(void **state)
{
  (void)state;
  struct member member = MEMBER(1, .wants = 10);
  void *ledger = open_ledger("script", 10, HOUR_MS);
  sync_one(ledger, &member);
  DO("SCRIPT FLUSH");
  sync_one(ledger, &member);
  engine.close(ledger);
}

static void test_budget_redis__a_server_without_memory_is_said(void **state)
{
  (void)state;
  struct member member = MEMBER(1, .wants = 10);
  pool_error_t error = POOL_ERROR_INIT;
  void *ledger = open_ledger("full", 10, HOUR_MS);
  sync_one(ledger, &member);
  DO("CONFIG SET maxmemory 1");
  assert_int_equal(ask(ledger, &member, in_ms(60000), &error), POOL_E_REMOTE);
  assert_non_null(strstr(error.message, "OOM"));
  DO("CONFIG SET maxmemory 0");
  sync_one(ledger, &member);
  engine.close(ledger);
}

/* ---- a cluster ---- */

static void cluster_node(struct redis *node, char bus[12])
{
  snprintf(bus, 12, "%d", server_free_port());
  *node = (struct redis){.settings = {"--cluster-enabled", "yes", "--cluster-port", bus}};
  redis_make(node);
}

static void order(redisContext *context, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  freeReplyObject(command(context, format, arguments));
  va_end(arguments);
}

/* One server has all keys, and the URL names the other. */
static void test_budget_redis__a_cluster_says_which_server_has_the_ledger(void **state)
{
  (void)state;
  struct redis named, other;
  char buses[2][12], url[128];
  struct member member = MEMBER(1, .wants = 10);
  pool_error_t error = POOL_ERROR_INIT;
  cluster_node(&named, buses[0]);
  cluster_node(&other, buses[1]);
  redisContext *contexts[] = {redisConnectUnix(named.socket), redisConnectUnix(other.socket)};
  for (int i = 0; i < 2; i++)
    order(contexts[i], "AUTH %s", REDIS_PASSWORD);
  order(contexts[1], "CLUSTER ADDSLOTSRANGE 0 16383");
  order(contexts[0], "CLUSTER MEET 127.0.0.1 %d %s", other.port, buses[1]);
  snprintf(url, sizeof url, "redis://:%s@127.0.0.1:%d/0/cluster?limit=10", REDIS_PASSWORD, named.port);
  void *ledger = open_at(url, "cluster", 10, HOUR_MS);
  wait_until(ask(ledger, &member, in_ms(60000), &error) == 0);
  assert_int_equal(member.told.limit, 10);
  leave(ledger, 1);
  engine.close(ledger);
  for (int i = 0; i < 2; i++)
    redisFree(contexts[i]);
  redis_remove(&named);
  redis_remove(&other);
}

static void test_budget_redis__a_replica_is_left_for_the_next_server(void **state)
{
  (void)state;
  struct redis replica = {.settings = {"--replicaof", "127.0.0.1 1"}};
  char url[128];
  struct member member = MEMBER(1, .wants = 10);
  redis_make(&replica);
  snprintf(url, sizeof url, "redis://:%s@127.0.0.1:%d,127.0.0.1:%d/0/replica?limit=10", REDIS_PASSWORD, replica.port,
           server.port);
  void *ledger = open_at(url, "replica", 10, HOUR_MS);
  sync_one(ledger, &member);
  assert_int_equal(member.told.limit, 10);
  leave(ledger, 1);
  engine.close(ledger);
  snprintf(url, sizeof url, "redis://:%s@127.0.0.1:%d/0/replica?limit=10", REDIS_PASSWORD, replica.port);
  ledger = open_at(url, "replica", 10, HOUR_MS);
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(ask(ledger, &member, in_ms(60000), &error), POOL_E_REMOTE);
  assert_non_null(strstr(error.message, "READONLY"));
  engine.close(ledger);
  redis_remove(&replica);
}

/* ---- how much a sync costs ---- */

static int64_t commands(void)
{
  int64_t number, sum = 0;
  redisReply *reply = administer("INFO commandstats");
  for (char *line = strtok(reply->str, "\r\n"); line; line = strtok(NULL, "\r\n"))
    if (sscanf(line, "cmdstat_%*[^:]:calls=%" SCNd64, &number) == 1)
      sum += number;
  freeReplyObject(reply);
  return sum;
}

/* Commands that the server ran for syncs of members that say another thing each time. */
static int64_t cost_of(const char *name, int32_t count)
{
  enum { SYNCS = 20 };
  void *ledger = open_ledger(name, count * 2, HOUR_MS);
  struct member member;
  for (int32_t i = 1; i <= count; i++) {
    member = MEMBER((uint64_t)i, .open = i % 3, .wants = i % 3);
    sync_one(ledger, &member);
  }
  stop_learning(name);
  member = MEMBER(1, .wants = 1);
  sync_one(ledger, &member);
  DO("CONFIG RESETSTAT");
  for (int i = 0; i < SYNCS; i++) {
    member = MEMBER((uint64_t)(i % 4) + 1, .open = i % 3, .wants = i % 3);
    sync_one(ledger, &member);
  }
  engine.close(ledger);
  return commands();
}

static void test_budget_redis__a_sync_costs_as_much_with_ten_members_as_with_ten_thousand(void **state)
{
  (void)state;
  int64_t few = cost_of("few", 10), many = cost_of("many", 10000);
  assert_true(llabs((long long)(many - few)) <= few / 4); /* the level is found more often with few */
}

/* ---- the whole ---- */

static const struct wrong_url wrong_urls[] = {
    {"redis://127.0.0.1:6379?limit=3", "orders", "the name of the budget is missing"},
    {"redis:orders?limit=3", "orders", "the name of the budget is missing"},
    {"redis:/orders?limit=3&x=://", "orders", "the name of the budget is missing"},
    {"redis://127.0.0.1/0/a%7Bb?limit=3", "a{b", "no braces"},
    {"redis://127.0.0.1/zero/orders?limit=3", "orders", "number of a database"},
    {NULL, NULL, NULL},
};

static void make(void)
{
  redis_make(&server);
  admin_connect();
}

static void start(void)
{
  redis_start(&server);
  admin_connect();
}

static void lose(void)
{
  DO("FLUSHALL");
}

static void end(void)
{
  redisFree(admin);
  redis_remove(&server);
}

/* A digest of its keys. */
static char *read_ledger(const char *name)
{
  static const char script[] = "local all = {} "
                               "for i, rest in ipairs({'', ':members', ':classes', ':ends', ':poor', ':rich'}) do "
                               "all[i] = redis.call('DUMP', KEYS[1] .. rest) or '' end "
                               "return redis.sha1hex(table.concat(all, ' '))";
  redisReply *reply = administer("EVAL %s 1 pool:budget:{%s}", script, name);
  char *text = strdup(reply->str);
  freeReplyObject(reply);
  assert_non_null(text);
  return text;
}

/* By its channel: the process that a member is of has one of its own. */
static void tell(const char *name, uint64_t member)
{
  redisReply *reply = administer("PUBSUB CHANNELS pool:budget:{%s}:*", name);
  assert_int_equal(reply->elements, 1);
  DO("PUBLISH %s %llu", reply->element[0]->str, (unsigned long long)member);
  freeReplyObject(reply);
}

static int64_t clients_before;

static void flood(struct impostor *impostor, int connection)
{
  static const char hello[] = "+OK\r\n-NOPERM of this user\r\n";
  static const char joined[] = "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n";
  static const char message[] = "*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$1\r\n0\r\n";
  static char many[1000 * (sizeof message - 1) + 1];
  for (char *to = many; to < many + sizeof many - 1;)
    to = stpcpy(to, message);
  bool goes_on = impostor_hear(impostor, connection) && impostor_send(connection, hello, sizeof hello - 1) &&
                 impostor_hear(impostor, connection) && impostor_send(connection, joined, sizeof joined - 1);
  while (goes_on)
    goes_on = impostor_send(connection, many, sizeof many - 1);
}

static void fork_begins(void)
{
  clients_before = clients();
}

/* By the same lines. */
static void fork_ended(const char *name, uint64_t parent, uint64_t child)
{
  (void)name, (void)parent, (void)child;
  assert_int_equal(clients(), clients_before);
}

static int own_tests(void)
{
  const struct CMUnitTest tests[] = {
      ENGINE_TEST(test_budget_redis__the_script_decides_as_the_ledger_in_c_does),
      ENGINE_TEST(test_budget_redis__shares_are_fair_soon_after_each_change_though_nobody_polls),
      ENGINE_TEST(test_budget_redis__what_rounding_left_over_is_given_back_when_another_lacks),
      ENGINE_TEST(test_budget_redis__a_freed_permit_is_told_to_the_member_that_waits_longest),
      ENGINE_TEST(test_budget_redis__a_member_is_told_when_others_begin_to_lack),
      ENGINE_TEST(test_budget_redis__a_server_that_was_started_anew_with_its_data_learns_for_a_term),
      ENGINE_TEST(test_budget_redis__a_server_that_dropped_one_of_the_keys_has_lost_the_ledger),
      ENGINE_TEST(test_budget_redis__after_a_term_without_a_word_the_ledger_learns),
      ENGINE_TEST(test_budget_redis__after_all_were_killed_another_limit_holds_when_it_has_learned),
      ENGINE_TEST(test_budget_redis__another_limit_is_not_taken_where_the_server_dropped_what_ends),
      ENGINE_TEST(test_budget_redis__a_clock_that_was_set_back_takes_nothing_from_anybody),
      ENGINE_TEST(test_budget_redis__an_ask_that_comes_late_changes_nothing),
      ENGINE_TEST(test_budget_redis__keys_of_others_are_refused_by_name),
      ENGINE_TEST(test_budget_redis__keys_that_others_wrote_into_a_ledger_are_refused),
      ENGINE_TEST(test_budget_redis__an_answer_without_sense_is_none),
      ENGINE_TEST(test_budget_redis__a_look_at_a_ledger_without_sense_is_borne),
      ENGINE_TEST(test_budget_redis__a_ledger_is_reached_by_a_unix_socket),
      ENGINE_TEST(test_budget_redis__a_wrong_password_is_said_without_it),
      ENGINE_TEST(test_budget_redis__scripts_that_the_server_forgot_are_given_anew),
      ENGINE_TEST(test_budget_redis__a_server_without_memory_is_said),
      ENGINE_TEST(test_budget_redis__a_cluster_says_which_server_has_the_ledger),
      ENGINE_TEST(test_budget_redis__a_replica_is_left_for_the_next_server),
      ENGINE_TEST(test_budget_redis__a_sync_costs_as_much_with_ten_members_as_with_ten_thousand),
  };
  return cmocka_run_group_tests_name("redis, what is particular", tests, NULL, NULL);
}

const struct kind kind = {
    .scheme = "redis",
    .login = ":" REDIS_PASSWORD "@",
    .path = "/0",
    .load = pool_budget_engine_redis,
    .gap_ms = 2,
    .urls = wrong_urls,
    .server = &server.server,
    .port = &server.port,
    .tls_port = &server.tls_port,
    .certificate = server.certificate,
    .make = make,
    .start = start,
    .lose = lose,
    .remove = end,
    .open_new = open_new,
    .read = read_ledger,
    .tell = tell,
    .flood = flood,
    .fork_begins = fork_begins,
    .fork_ended = fork_ended,
    .own_tests = own_tests,
};
