/* SPDX-License-Identifier: MIT */
/* Budgets that this machine keeps: pools of one process, and processes of one user, share a limit.  And what a member
   does whose ledger is elsewhere, and is lost. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pool/budget.h>
#include <pool/group.h>

#include "run/board.h"
#include "run/budget.h"
#include "run/local.h"
#include "run/membership.h"
#include "steps.h"
#include "witness.h"

/* Budgets of either kind that no other test has: one that failed may hold permits for ever. */
static char host_url[80], host_file[80], process_url[80];

static int name_budgets(void **state)
{
  static int count;
  (void)state;
  count++;
  snprintf(process_url, sizeof process_url, "process:shared-%d?limit=6", count);
  snprintf(host_url, sizeof host_url, "host:test-%d-%d?limit=6", (int)getpid(), count);
  snprintf(host_file, sizeof host_file, "/dev/shm/libpool-%d-test-%d-%d", (int)geteuid(), (int)getpid(), count);
  return 0;
}

/* Both kinds of ledgers do the same. */
static const char *url_of(int kind)
{
  return kind == 0 ? process_url : host_url;
}

static struct fake servers[4];

static pool_t *start(int index, const char *url, const pool_config_t *like)
{
  pool_config_t config = like ? *like : (pool_config_t)POOL_CONFIG_INIT;
  static const char *const names[] = {"one", "two", "three", "four"};
  config.name = names[index];
  config.budget = url;
  fake_init(&servers[index]);
  return fake_pool(&servers[index], &config, NULL);
}

static pool_budget_stats_t sums_of(const char *url)
{
  pool_budget_stats_t sums = POOL_BUDGET_STATS_INIT;
  pool_budget_t *budget = NULL;
  assert_int_equal(pool_budget_open(url, &budget, NULL), 0);
  assert_int_equal(pool_budget_stats(budget, &sums, NULL), 0);
  pool_budget_close(budget);
  return sums;
}

/* What the ledger says of the member called so. */
struct sought {
  const char *pool;
  int32_t granted, share, wants, members;
};

static int seek(void *user, const pool_budget_member_t *member)
{
  struct sought *sought = user;
  assert_string_equal(member->language, "c");
  if (strcmp(member->pool, sought->pool) == 0) {
    assert_int_equal(member->process, getpid());
    sought->granted = member->granted;
    sought->share = member->share;
    sought->wants = member->wants;
  }
  sought->members++;
  return 0;
}

static struct sought member_of(const char *url, const char *pool)
{
  struct sought sought = {.pool = pool, .granted = -1};
  pool_budget_t *budget = NULL;
  assert_int_equal(pool_budget_open(url, &budget, NULL), 0);
  int told = pool_budget_members(budget, seek, &sought, NULL);
  assert_int_equal(told, sought.members);
  pool_budget_close(budget);
  return sought;
}

static void test_budget__the_first_language_that_is_told_is_heard(void **state)
{
  (void)state;
  assert_int_equal(pool_budget_language(NULL), POOL_E_INVALID);
  assert_int_equal(pool_budget_language(""), POOL_E_INVALID);
  assert_int_equal(pool_budget_language("sixteen letters."), POOL_E_INVALID);
  assert_int_equal(pool_budget_language("c"), 0);
  assert_int_equal(pool_budget_language("go"), 0);
  pool_t *pool = start(0, process_url, NULL);
  assert_int_equal(pool_put(pool_get(pool)), 0);
  assert_int_equal(member_of(process_url, "one").members, 1); /* which says that it is in C */
  fake_finish(&servers[0], pool);
}

/* ---- URLs ---- */

static void test_budget__a_url_that_is_wrong_says_what_to_do(void **state)
{
  (void)state;
  static const struct {
    const char *url;
    int code;
    const char *says;
  } wrong[] = {
      {"orders", POOL_E_INVALID, "a budget is a URL, as process:orders?limit=50"},
      {"process:orders", POOL_E_INVALID, "write ?limit=NUMBER"},
      {"process:orders?limit=0", POOL_E_INVALID, "limit of the budget must be from 1 to 2147483647"},
      {"process:orders?limit=-3", POOL_E_INVALID, "limit of the budget must be from 1"},
      {"process:orders?limit=4x", POOL_E_INVALID, "limit of the budget must be from 1"},
      {"process:orders?limit=99999999999999999999", POOL_E_INVALID, "limit of the budget must be from 1"},
      {"process:orders?limits=4", POOL_E_INVALID, "no parameter 'limits'; did you mean 'limit'?"},
      {"process:?limit=4", POOL_E_INVALID, "ends with its name"},
      {"process:a%20b?limit=4", POOL_E_INVALID, "ends with its name"},
      {"host:..%2Fetc?limit=4", POOL_E_INVALID, "no path; write host:NAME?limit=NUMBER"},
      {"host://elsewhere/orders?limit=4", POOL_E_INVALID, "host: has no host"},
      {"process:orders?limit=4&lost=sell", POOL_E_INVALID, "lost of the budget must be keep or yield"},
      {"process:orders?limit=4&term_ms=1", POOL_E_INVALID, "term_ms of the budget must be from 500"},
      {"process:orders?limit=4&limit=5", POOL_E_INVALID, "the URL of the budget 'orders' sets limit twice"},
      {"host:orders?limit=4&term_ms=500&term_ms=500", POOL_E_INVALID, "the budget 'orders' sets term_ms twice"},
      {"zookeeper://host/orders?limit=4", POOL_E_DRIVER, "no budget is kept by 'zookeeper:'"},
      {"fleet://user:secret@host/orders?limit=4", POOL_E_DRIVER, "no budget is kept by 'fleet:'"},
  };
  pool_vtable_t vtable = fake_vtable();
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    pool_config_t config = POOL_CONFIG_INIT;
    pool_error_t error = POOL_ERROR_INIT;
    pool_t *pool = NULL;
    config.budget = wrong[i].url;
    assert_int_equal(pool_create(&config, &vtable, &servers[0], &pool, &error), wrong[i].code);
    if (!strstr(error.message, wrong[i].says) || strstr(error.message, "secret"))
      fail_msg("%s: %s", wrong[i].url, error.message);
    assert_null(pool);
  }
}

/* As the budget of a pool it means that there is none. */
static void test_budget__an_empty_url_is_told_what_a_budget_looks_like(void **state)
{
  (void)state;
  pool_budget_t *budget = NULL;
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(pool_budget_open("", &budget, &error), POOL_E_INVALID);
  assert_non_null(strstr(error.message, "process:orders?limit=50"));
  assert_null(strstr(error.message, "postgres"));
}

static void test_budget__a_pool_without_one_shares_nothing(void **state)
{
  (void)state;
  pool_lease_t leases[2][8];
  pool_t *member = start(1, "process:shared?limit=6", NULL);
  fake_finish(&servers[1], member);
  pool_t *alone = start(0, "", NULL); /* in the memory of the other */
  member = start(1, "process:shared?limit=6", NULL);
  leases_get(alone, leases[0], 8);
  leases_get(member, leases[1], 6);
  assert_int_equal(pool_get_for(member, 20), POOL_E_TIMEOUT);
  leases_put(leases[0], 8);
  leases_put(leases[1], 6);
  fake_finish(&servers[0], alone);
  fake_finish(&servers[1], member);
}

/* ---- sharing ---- */

enum { USERS = 6, TURNS = 60 };

static void *use(void *pool)
{
  for (int i = 0; i < TURNS; i++) {
    pool_lease_t lease = pool_get(pool);
    must(lease > 0);
    fake_use(lease);
    must(pool_put(lease) == 0);
  }
  return NULL;
}

static void test_budget__the_sum_is_never_above_the_limit(void **state)
{
  (void)state;
  for (int kind = 0; kind < 2; kind++) {
    pool_t *pools[3];
    pthread_t threads[3 * USERS];
    struct fake all;
    fake_init(&all);
    for (int i = 0; i < 3; i++) {
      pool_config_t config = POOL_CONFIG_INIT;
      config.budget = url_of(kind);
      pools[i] = fake_pool(&all, &config, NULL); /* one server, that counts what is open */
    }
    for (int i = 0; i < 3; i++)
      threads_start(threads + i * USERS, USERS, use, pools[i]);
    threads_end(threads, 3 * USERS);
    assert_true(all.most_open <= 6);
    assert_true(sums_of(url_of(kind)).granted <= 6);
    assert_int_equal(sums_of(url_of(kind)).members, 3);
    for (int i = 0; i < 3; i++)
      assert_int_equal(pool_close(pools[i], 10000), 0);
    for (int i = 0; i < 3; i++)
      pool_free(pools[i]);
    assert_int_equal(all.open_now, 0);
    assert_int_equal(all.misuse, 0);
  }
}

static void test_budget__what_is_idle_in_one_is_closed_for_another(void **state)
{
  (void)state;
  for (int kind = 0; kind < 2; kind++) {
    pool_lease_t leases[6], others[4];
    pool_t *one = start(0, url_of(kind), NULL), *two = start(1, url_of(kind), NULL);
    leases_get(one, leases, 6);
    leases_put(leases, 6);
    assert_int_equal(pool_len(one), 6);
    leases_get(two, others, 4); /* each waits until a connection of the other pool was closed */
    assert_true(servers[0].closed >= 4);
    assert_true(servers[0].open_now + servers[1].open_now <= 6);
    leases_put(others, 4);
    fake_finish(&servers[0], one);
    fake_finish(&servers[1], two);
  }
}

static void test_budget__what_is_closed_goes_to_the_one_that_waits(void **state)
{
  (void)state;
  for (int kind = 0; kind < 2; kind++) {
    pool_lease_t leases[6];
    struct getter getter = {.keeps = true};
    pool_t *one = start(0, url_of(kind), NULL), *two = start(1, url_of(kind), NULL);
    leases_get(one, leases, 6);
    getter_queue(&getter, two, -1);
    assert_int_equal(pool_put(leases[0]), 0); /* above its share now, it is closed as it comes back */
    pool_lease_t lease = getter_end(&getter);
    assert_true(lease > 0);
    assert_int_equal(servers[0].closed, 1);
    assert_int_equal(pool_put(lease), 0);
    leases_put(leases + 1, 5);
    fake_finish(&servers[0], one);
    fake_finish(&servers[1], two);
  }
}

static _Atomic bool enough;

static void *use_until_enough(void *pool)
{
  while (!enough) {
    pool_lease_t lease = pool_get(pool);
    must(lease > 0);
    pause_briefly();
    must(pool_put(lease) == 0);
  }
  return NULL;
}

static void test_budget__shares_go_by_weight_and_a_floor_is_one_s_own(void **state)
{
  (void)state;
  enum { EACH = 10 };
  pool_config_t heavy = POOL_CONFIG_INIT, floored = POOL_CONFIG_INIT;
  heavy.budget_weight = 3;
  floored.budget_floor = 4;
  const char *url = "process:weighed?limit=12";
  pthread_t threads[3 * EACH];
  pool_t *pools[] = {start(0, url, &heavy), start(1, url, NULL), start(2, url, &floored)};
  enough = false;
  for (int i = 0; i < 3; i++)
    threads_start(threads + i * EACH, EACH, use_until_enough, pools[i]);
  wait_until(servers[0].open_now == 6 && servers[1].open_now == 2 && servers[2].open_now == 4);
  wait_until(member_of(url, "one").share == 6 && member_of(url, "two").share == 2 &&
             member_of(url, "three").share == 4);
  enough = true;
  threads_end(threads, 3 * EACH);
  for (int i = 0; i < 3; i++)
    fake_finish(&servers[i], pools[i]);
}

static void test_budget__a_pool_says_what_its_budget_allows(void **state)
{
  (void)state;
  pool_lease_t leases[2];
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool = start(0, "process:told?limit=2", NULL);
  leases_get(pool, leases, 2);
  pool_stats_t stats = stats_of(pool);
  assert_int_equal(stats.budget_limit, 2);
  assert_int_equal(stats.budget_granted, 2);
  assert_int_equal(stats.budget_share, 2);
  assert_int_equal(stats.budget_cut_off, 0);
  assert_int_equal(pool_get_for(pool, 20), POOL_E_TIMEOUT);
  pool_failure(&error);
  assert_non_null(strstr(error.message, "; the budget allows 2 of 2"));
  leases_put(leases, 2);
  fake_finish(&servers[0], pool);
}

static void test_budget__an_open_with_a_permit_in_hand_asks_nobody(void **state)
{
  (void)state;
  pool_lease_t leases[3];
  pool_config_t config = POOL_CONFIG_INIT;
  config.min_open = 3; /* it is granted as many */
  config.max_idle = 3;
  pool_t *pool = start(0, "process:inhand?limit=5", &config);
  wait_until(pool_len(pool) == 3);
  int64_t asked = stats_of(pool).budget_asked;
  for (int i = 0; i < 50; i++) {
    leases_get(pool, leases, 3);
    assert_int_equal(pool_mark_unusable(leases[i % 3]), 0);
    leases_put(leases, 3);
  }
  assert_true(servers[0].opened >= 50);
  assert_true(stats_of(pool).budget_asked <= asked + 2);
  fake_finish(&servers[0], pool);
}

static void test_budget__a_get_that_does_not_wait_leaves_a_wish(void **state)
{
  (void)state;
  pool_t *pool = start(0, "process:wished?limit=2", NULL);
  pool_lease_t lease = 0;
  wait_until((lease = pool_get_for(pool, 0)) > 0);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&servers[0], pool);
}

static void test_budget__initial_and_minimal_connections_have_permits(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT, more = POOL_CONFIG_INIT;
  config.initial = 3;
  config.min_idle = 4;
  more.initial = 3;
  more.get_timeout_ms = 50;
  pool_t *pool = start(0, "process:filled?limit=4", &config), *other = NULL;
  wait_until(pool_len(pool) == 4);
  pool_vtable_t vtable = fake_vtable();
  pool_error_t error = POOL_ERROR_INIT;
  more.budget = "process:filled?limit=4";
  more.name = "late";
  assert_int_equal(pool_create(&more, &vtable, &servers[1], &other, &error), POOL_E_TIMEOUT);
  assert_non_null(strstr(error.message, "the budget has no permit"));
  fake_finish(&servers[0], pool);
}

static void test_budget__a_pool_that_never_calls_back_shares_too(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = 0;
  int conn;
  pool_t *pool = step_pool(PLAN(.config.budget = "process:stepped?limit=1"));
  assert_true(pool_event_fd(pool) >= 0);
  int64_t ticket = step_queue(pool, -1);
  for (; step.work == POOL_WORK_NONE; pause_briefly()) {
    step = (pool_step_t)POOL_STEP_INIT;
    assert_int_equal(pool_step_begin(pool, -1, ticket, &step), 0);
  }
  assert_int_equal(step.work, POOL_WORK_OPEN);
  assert_true((lease = pool_step_done(step.claim, NULL, &conn, &step)) > 0);
  assert_int_equal(pool_step_begin(pool, 0, 0, &step), POOL_E_TIMEOUT);
  assert_int_equal(pool_mark_unusable(lease), 0);
  step_close(lease, POOL_REASON_UNUSABLE);
  step_finish(pool, 0);
}

/* ---- secrets ---- */

static void *run_never(void *budget)
{
  return budget;
}

static void rouse_nobody(struct budget *budget, struct pool *pool)
{
  (void)budget;
  (void)pool;
}

/* As it is where the budget's thread has ended before the last member is gone. */
static void test_budget__without_members_it_has_no_url(void **state)
{
  (void)state;
  static char url[] = "redis://user:secret@host/secrets?limit=4";
  const struct budget_place place = {.url = url, .key = sizeof "redis://user:secret@host/secrets" - 1, .limit = 4};
  struct budget *budget = budget_take(&place, &local_process, run_never, rouse_nobody);
  assert_non_null(budget);
  assert_string_equal(budget->place.url, url);
  budget_give(budget);
  assert_null(budget->place.url);
}

/* ---- an engine by itself ---- */

static pool_budget_answer_t ask_for(const pool_budget_engine_t *engine, void *ledger, uint64_t id, int32_t wants)
{
  static const char who[] = "host\0001\0c\0one";
  pool_budget_ask_t ask = {.size = sizeof ask, .member = id, .since_ns = -1, .wants = wants, .weight = 1};
  pool_budget_answer_t answer = {.size = sizeof answer};
  ask.who = who;
  ask.who_size = sizeof who;
  must(engine->sync(ledger, &ask, &answer, POOL_NO_DEADLINE, NULL) == 0);
  return answer;
}

static uint64_t wait_for_told(void *ledger)
{
  uint64_t told[1] = {0};
  assert_int_equal(local_process.wait(ledger, now_ns() + 60000000000, told, 1, NULL), 1);
  return told[0];
}

/* Each that leaves as it is told does so before the level may be found for the next. */
static void test_budget__those_that_lack_are_told_though_many_leave(void **state)
{
  (void)state;
  enum { MEMBERS = 1000, LEAVE = 100 };
  void *ledger;
  pool_budget_place_t place = {.size = sizeof place, .name = "leavers", .limit = 1};
  assert_int_equal(local_process.open(&place, &ledger, NULL), 0);
  for (uint64_t id = 1; id <= MEMBERS; id++)
    ask_for(&local_process, ledger, id, 1);
  uint64_t next = 1;
  for (int i = 0; i < LEAVE; i++) {
    assert_int_equal(local_process.leave(ledger, next, POOL_NO_DEADLINE, NULL), 0);
    next = wait_for_told(ledger);
  }
  assert_int_equal(ask_for(&local_process, ledger, next, 1).granted, 1);
  local_process.close(ledger);
}

static void test_budget__a_pool_for_which_there_is_no_place_is_told_and_the_others_go_on(void **state)
{
  (void)state;
  struct diary diary;
  pool_config_t config = POOL_CONFIG_INIT;
  pool_lease_t leases[4];
  void *ledger;
  pool_budget_place_t place = {.size = sizeof place, .name = "full", .limit = 4};
  diary_init(&diary, &config);
  config.get_timeout_ms = 50;
  pool_t *one = start(0, "process:full?limit=4", NULL);
  leases_get(one, leases, 1);
  assert_int_equal(local_process.open(&place, &ledger, NULL), 0);
  for (uint64_t id = 1; id < BOARD_MEMBERS; id++)
    ask_for(&local_process, ledger, id, 0);
  pool_t *two = start(1, "process:full?limit=4", &config);
  wait_until(diary_count(&diary, POOL_EVENT_BUDGET_LOST) == 1);
  struct entry lost = diary_last(&diary, POOL_EVENT_BUDGET_LOST);
  assert_int_equal(lost.code, POOL_E_OVERLOAD);
  assert_non_null(strstr(lost.message, "the budget 'full' has no place for this pool"));
  assert_int_equal(pool_get(two), POOL_E_TIMEOUT);
  assert_int_equal(stats_of(two).budget_cut_off, 1);
  leases_get(one, leases + 1, 3);
  assert_int_equal(stats_of(one).budget_cut_off, 0);
  int64_t asked = stats_of(one).budget_asked, again = stats_of(two).budget_asked + 2;
  wait_until(stats_of(two).budget_asked >= again);
  assert_int_equal(stats_of(one).budget_asked, asked);
  leases_put(leases, 4);
  assert_int_equal(local_process.leave(ledger, 1, POOL_NO_DEADLINE, NULL), 0);
  pool_lease_t lease = pool_get_for(two, -1); /* it is asked again */
  assert_true(lease > 0);
  wait_until(diary_count(&diary, POOL_EVENT_BUDGET_FOUND) == 1);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&servers[1], two);
  fake_finish(&servers[0], one);
  local_process.close(ledger);
}

/* ---- pools that are closed and not freed ---- */

static void *put(void *lease)
{
  must(pool_put(*(pool_lease_t *)lease) == 0);
  return NULL;
}

static void test_budget__a_closed_pool_gives_back_what_it_held(void **state)
{
  (void)state;
  for (int kind = 0; kind < 2; kind++) {
    pool_lease_t leases[6];
    pool_t *pool = start(0, url_of(kind), NULL);
    leases_get(pool, leases, 6);
    leases_put(leases, 5);
    assert_int_equal(pool_close(pool, 0), 1);
    wait_until(sums_of(url_of(kind)).granted == 1);
    assert_int_equal(pool_put(leases[5]), 0);
    wait_until(sums_of(url_of(kind)).granted == 0);
    fake_finish(&servers[0], pool);
  }
}

/* The ledger knows already that the pool wants none any more. */
static void test_budget__a_closed_pool_gives_back_what_it_wants_no_more(void **state)
{
  (void)state;
  for (int kind = 0; kind < 2; kind++) {
    pool_t *pool = start(0, url_of(kind), NULL);
    pool_lease_t lease = pool_get(pool);
    assert_int_equal(pool_close(pool, 0), 1);
    gate_set(&servers[0].closing, false);
    pthread_t putter = thread_hold_up(&servers[0].closing, put, &lease);
    pool_t *other = start(1, url_of(kind), NULL); /* the budget's thread looks */
    wait_until(sums_of(url_of(kind)).wants == 0);
    assert_int_equal(sums_of(url_of(kind)).granted, 1);
    gate_set(&servers[0].closing, true);
    wait_until(sums_of(url_of(kind)).granted == 0);
    thread_end(putter);
    fake_finish(&servers[0], pool);
    fake_finish(&servers[1], other);
  }
}

static void test_budget__the_floor_of_a_closed_pool_is_for_others(void **state)
{
  (void)state;
  for (int kind = 0; kind < 2; kind++) {
    pool_lease_t leases[6];
    pool_config_t config = POOL_CONFIG_INIT;
    config.budget_floor = 6;
    pool_t *closed = start(0, url_of(kind), &config);
    wait_until(stats_of(closed).budget_granted == 6);
    assert_int_equal(pool_close(closed, 0), 0);
    wait_until(sums_of(url_of(kind)).granted == 0);
    pool_t *pool = start(1, url_of(kind), NULL);
    leases_get(pool, leases, 6);
    leases_put(leases, 6);
    fake_finish(&servers[0], closed);
    fake_finish(&servers[1], pool);
  }
}

/* ---- what is wrong with a ledger ---- */

static void test_budget__another_limit_is_told_and_the_ledger_s_holds(void **state)
{
  (void)state;
  struct diary diary;
  pool_lease_t leases[6];
  pool_config_t config = POOL_CONFIG_INIT;
  diary_init(&diary, &config);
  pool_t *one = start(0, "process:twice?limit=6", NULL);
  pool_lease_t first = pool_get(one);
  pool_t *two = start(1, "process:twice?limit=60", &config);
  leases_get(two, leases, 5);
  assert_int_equal(pool_get_for(two, 20), POOL_E_TIMEOUT);
  assert_int_equal(sums_of("process:twice?limit=60").limit, 6);
  assert_int_equal(diary_count(&diary, POOL_EVENT_WARNING), 1);
  assert_non_null(strstr(diary_last(&diary, POOL_EVENT_WARNING).message, "limit 6 in its ledger, not 60"));
  leases_put(leases, 5);
  assert_int_equal(pool_put(first), 0);
  fake_finish(&servers[0], one);
  fake_finish(&servers[1], two);
}

static void test_budget__a_file_that_is_no_ledger_is_refused_and_stays(void **state)
{
  (void)state;
  struct stat file;
  pool_config_t config = POOL_CONFIG_INIT;
  struct diary diary;
  diary_init(&diary, &config);
  config.get_timeout_ms = 10;
  int fd = open(host_file, O_CREAT | O_WRONLY | O_EXCL, 0600);
  assert_int_equal(write(fd, "a letter", 8), 8);
  close(fd);
  pool_t *pool = start(0, host_url, &config);
  wait_until(diary_count(&diary, POOL_EVENT_BUDGET_LOST) == 1);
  assert_non_null(
      strstr(diary_last(&diary, POOL_EVENT_BUDGET_LOST).message, "is no ledger of this version of libpool"));
  assert_int_equal(pool_get(pool), POOL_E_TIMEOUT);
  assert_int_equal(stat(host_file, &file), 0);
  assert_int_equal(file.st_size, 8);
  assert_int_equal(unlink(host_file), 0);
  pool_lease_t lease = pool_get_for(pool, -1); /* it is asked again */
  assert_true(lease > 0);
  wait_until(diary_count(&diary, POOL_EVENT_BUDGET_FOUND) == 1);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&servers[0], pool);
}

static void test_budget__a_file_that_others_may_write_is_refused(void **state)
{
  (void)state;
  struct diary diary;
  pool_config_t config = POOL_CONFIG_INIT;
  diary_init(&diary, &config);
  config.budget_floor = 1; /* what it has without its ledger */
  int fd = open(host_file, O_CREAT | O_WRONLY | O_EXCL, 0600);
  assert_int_equal(fchmod(fd, 0666), 0);
  close(fd);
  pool_t *pool = start(0, host_url, &config);
  pool_lease_t lease = pool_get(pool);
  assert_true(lease > 0);
  assert_non_null(strstr(diary_last(&diary, POOL_EVENT_BUDGET_LOST).message, "not this user's alone"));
  assert_int_equal(pool_get_for(pool, 20), POOL_E_TIMEOUT);
  assert_int_equal(stats_of(pool).budget_cut_off, 1);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&servers[0], pool);
  assert_int_equal(unlink(host_file), 0);
}

#define NO_MOUNT 77

/* This process has a /dev/shm of its own. */
static bool leave_memory(const char *options)
{
  return unshare(CLONE_NEWNS | (geteuid() == 0 ? 0 : CLONE_NEWUSER)) == 0 &&
         mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
         mount("none", "/dev/shm", "tmpfs", 0, options) == 0;
}

/* A process whose /dev/shm has room for one page. */
static int live_without_room(void)
{
  struct diary diary;
  pool_config_t config = POOL_CONFIG_INIT;
  if (!leave_memory("nr_blocks=1"))
    return NO_MOUNT;
  diary_init(&diary, &config);
  config.budget_floor = 1;
  pool_t *pool = start(0, host_url, &config);
  pool_lease_t lease = pool_get(pool);
  must(lease > 0 && pool_put(lease) == 0);
  must(strstr(diary_last(&diary, POOL_EVENT_BUDGET_LOST).message, strerror(ENOSPC)));
  return 0;
}

static int count_files(const char *folder)
{
  int count = 0;
  DIR *entries = opendir(folder);
  must(entries != NULL);
  for (struct dirent *entry; (entry = readdir(entries));)
    count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
  closedir(entries);
  return count;
}

/* A process in which nothing leads to a file that has no name. */
static int live_without_proc(void)
{
  if (!leave_memory("") || mount("none", "/proc", "tmpfs", 0, "") != 0)
    return NO_MOUNT;
  pool_t *pool = start(0, host_url, NULL);
  pool_lease_t lease = pool_get(pool);
  must(lease > 0 && pool_put(lease) == 0);
  must(count_files("/dev/shm") == 1);
  return 0;
}

static void lives(int (*life)(void))
{
  int status;
  pid_t child = fork();
  if (child == 0)
    _exit(life());
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  if (WEXITSTATUS(status) == NO_MOUNT)
    skip();
  assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_budget__a_ledger_for_which_there_is_no_room_is_told_and_ends_no_process(void **state)
{
  (void)state;
  lives(live_without_room);
}

static void test_budget__a_ledger_is_made_where_nothing_leads_to_a_file_without_a_name(void **state)
{
  (void)state;
  lives(live_without_proc);
}

/* ---- processes ---- */

/* A child that ends with this process, and that says when it has done what it is there for. */
struct child {
  pid_t process;
  int line;
};

static void child_say(int line)
{
  must(write(line, "!", 1) == 1);
}

static void child_hear(int line)
{
  char said;
  must(read(line, &said, 1) == 1);
}

static struct child child_start(void (*live)(int line))
{
  int ends[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  struct child child = {.process = fork(), .line = ends[0]};
  if (child.process == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    live(ends[1]);
    _exit(0);
  }
  close(ends[1]);
  child_hear(child.line);
  return child;
}

static void child_end(struct child child)
{
  assert_int_equal(kill(child.process, SIGKILL), 0);
  assert_int_equal(waitpid(child.process, NULL, 0), child.process);
  close(child.line);
}

_Noreturn static void stay(void)
{
  for (;;)
    pause();
}

static void take(int line, int count, int floor)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.budget_floor = floor;
  pool_t *pool = start(3, host_url, &config);
  for (int i = 0; i < count; i++)
    must(pool_get(pool) > 0);
  child_say(line);
  stay();
}

static void take_all(int line)
{
  take(line, 6, 0);
}

static void take_its_own(int line)
{
  take(line, 1, 1);
}

static void test_budget__a_process_that_is_killed_gives_back(void **state)
{
  (void)state;
  struct child child = child_start(take_all);
  pool_t *pool = start(0, host_url, NULL);
  assert_int_equal(pool_get_for(pool, 50), POOL_E_TIMEOUT);
  struct getter getter = {.keeps = true};
  getter_queue(&getter, pool, -1);
  assert_int_equal(kill(child.process, SIGKILL), 0);
  pool_lease_t lease = getter_end(&getter); /* though nobody has waited for the child */
  assert_true(lease > 0);
  child_end(child);
  assert_int_equal(sums_of(host_url).members, 1);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&servers[0], pool);
}

/* Its share is none, as the only permit is the dead one's own, so it lacks nothing. */
static void test_budget__a_pool_whose_share_is_none_sees_that_a_process_was_killed(void **state)
{
  (void)state;
  host_url[strlen(host_url) - 1] = '1'; /* the limit */
  struct child child = child_start(take_its_own);
  pool_t *pool = start(0, host_url, NULL);
  struct getter getter = {.keeps = true};
  getter_queue(&getter, pool, -1);
  struct sought one;
  wait_until((one = member_of(host_url, "one"), one.wants == 1 && one.share == 0));
  assert_int_equal(kill(child.process, SIGKILL), 0);
  pool_lease_t lease = getter_end(&getter); /* though nobody has waited for the child */
  assert_true(lease > 0);
  child_end(child);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&servers[0], pool);
}

static void test_budget__a_child_of_fork_is_a_new_member(void **state)
{
  (void)state;
  for (int kind = 0; kind < 2; kind++) {
    int status;
    pool_t *pool = start(0, url_of(kind), NULL);
    pool_lease_t leases[4];
    leases_get(pool, leases, 4);
    pid_t child = fork();
    if (child == 0) {
      pool_lease_t own = pool_get_for(pool, 10000);
      must(own > 0 && pool_put(own) == 0);
      pool_free(pool);
      _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    leases_put(leases, 4);
    fake_finish(&servers[0], pool);
  }
}

static void test_budget__the_last_member_takes_the_ledger_away(void **state)
{
  (void)state;
  struct stat file;
  pool_t *pool = start(0, host_url, NULL);
  assert_int_equal(pool_put(pool_get(pool)), 0);
  assert_int_equal(stat(host_file, &file), 0);
  assert_int_equal(file.st_mode & 0777, 0600);
  fake_finish(&servers[0], pool);
  wait_until(stat(host_file, &file) != 0);
  pool_budget_t *budget = NULL;
  assert_int_equal(pool_budget_open(host_url, &budget, NULL), POOL_E_OPEN);
}

/* A last member that was killed when it had said so, and before it took the name away. */
static void test_budget__a_ledger_whose_last_member_died_as_it_took_it_away_is_followed_by_another(void **state)
{
  (void)state;
  struct board_place place = {.is_host = true, .limit = 6};
  struct board *board;
  snprintf(place.name, sizeof place.name, "%s", strstr(host_file, "test-"));
  assert_int_equal(board_open(&place, &board, NULL), 0);
  assert_int_equal(board_lock(board, POOL_NO_DEADLINE, NULL), 0);
  board->gone = true;
  board_unlock(board);
  board_close(&place, board);
  pool_t *pool = start(0, host_url, NULL);
  assert_int_equal(pool_put(pool_get_for(pool, 10000)), 0);
  fake_finish(&servers[0], pool);
}

/* As two copies of the library in one process do, and processes of one number in containers that share their memory. */
static void test_budget__budgets_that_begin_at_one_moment_make_one_ledger(void **state)
{
  for (int i = 0; i < 50; i++) {
    struct diary diary;
    pool_config_t config = POOL_CONFIG_INIT;
    char other_url[80];
    name_budgets(state);
    snprintf(other_url, sizeof other_url, "HOST%s", strchr(host_url, ':')); /* another text is another budget */
    diary_init(&diary, &config);
    pool_t *one = start(0, host_url, &config), *two = start(1, other_url, &config);
    wait_until(stats_of(one).budget_limit == 6 && stats_of(two).budget_limit == 6);
    assert_int_equal(diary_count(&diary, POOL_EVENT_BUDGET_LOST), 0);
    assert_int_equal(sums_of(host_url).members, 2);
    fake_finish(&servers[0], one);
    fake_finish(&servers[1], two);
  }
}

/* A process that has the lock of the ledger and does not go on. */
static void hold_lock(int line)
{
  struct board_place place = {.is_host = true};
  struct board *board;
  snprintf(place.name, sizeof place.name, "%s", strstr(host_file, "test-"));
  must(board_open(&place, &board, NULL) == 0 && board_lock(board, POOL_NO_DEADLINE, NULL) == 0);
  child_say(line);
  stay();
}

static void test_budget__a_goodbye_is_said_again_where_the_ledger_could_not_be_locked(void **state)
{
  (void)state;
  pool_lease_t leases[6];
  pool_t *two = start(1, host_url, NULL);
  wait_until(stats_of(two).budget_limit == 6);
  pool_t *one = start(0, host_url, NULL); /* the newest is asked first */
  leases_get(one, leases, 6);
  struct child holder = child_start(hold_lock);
  leases_put(leases, 6);
  fake_finish(&servers[0], one);
  assert_int_equal(pool_get_for(two, 3000), POOL_E_TIMEOUT);
  child_end(holder);
  leases_get(two, leases, 6);
  leases_put(leases, 6);
  assert_int_equal(sums_of(host_url).members, 1);
  fake_finish(&servers[1], two);
}

static void test_budget__a_key_rests_when_the_ledger_has_heard_of_it(void **state)
{
  (void)state;
  pool_lease_t leases[6];
  pool_t *one = NULL, *two = NULL;
  pool_group_t *group = NULL;
  pool_config_t settings = POOL_CONFIG_INIT;
  pool_group_config_t config = POOL_GROUP_CONFIG_INIT;
  pool_vtable_t vtable = fake_vtable();
  fake_init(&servers[0]);
  settings.budget = host_url;
  config.settings = &settings;
  config.vtable = &vtable;
  config.context = &servers[0];
  assert_int_equal(pool_group_create(&config, &group, NULL), 0);
  assert_int_equal(pool_group_pool(group, "two", 3, &two, NULL), 0);
  assert_int_equal(pool_group_pool(group, "one", 3, &one, NULL), 0);
  leases_get(two, leases, 3);
  leases_get(one, leases + 3, 3);
  assert_int_equal(pool_get_for(two, 20), POOL_E_TIMEOUT); /* so the ledger is told at once what is wanted no more */
  leases_put(leases + 3, 3);
  wait_until(sums_of(host_url).wants == 3);
  struct child holder = child_start(hold_lock);
  assert_true(pool_flush(one) >= 0);
  assert_int_equal(pool_get_for(two, 3000), POOL_E_TIMEOUT);
  child_end(holder);
  leases_get(two, leases + 3, 3);
  leases_put(leases, 6);
  pool_free(one);
  pool_free(two);
  assert_int_equal(pool_group_close(group, 10000), 0);
  pool_group_free(group);
}

/* A process with a seat at the ledger, which it leaves while the ledger cannot be locked. */
static void leave_when_told(int line)
{
  void *ledger;
  pool_budget_place_t place = {.size = sizeof place, .name = strstr(host_file, "test-"), .limit = 6};
  must(local_host.open(&place, &ledger, NULL) == 0);
  must(ask_for(&local_host, ledger, 1, 6).granted == 6);
  child_say(line);
  child_hear(line);
  local_host.close(ledger);
}

static void test_budget__a_seat_comes_back_that_could_not_be_left(void **state)
{
  (void)state;
  int status;
  struct child leaver = child_start(leave_when_told), holder = child_start(hold_lock);
  child_say(leaver.line);
  assert_int_equal(waitpid(leaver.process, &status, 0), leaver.process);
  assert_int_equal(status, 0);
  child_end(holder);
  pool_t *pool = start(0, host_url, NULL);
  assert_int_equal(pool_put(pool_get_for(pool, 30000)), 0);
  fake_finish(&servers[0], pool);
  close(leaver.line);
}

/* The answer of the budget may come at any moment while a pool is made; ThreadSanitizer sees what is not under a lock. */
static void test_budget__a_pool_may_open_as_soon_as_it_is_made(void **state)
{
  (void)state;
  for (int i = 0; i < 300; i++) {
    struct fake fake;
    pool_t *pool = fake_start(&fake, PLAN(.config.budget = process_url, .config.min_idle = 1));
    wait_until(pool_len(pool) == 1);
    fake_finish(&fake, pool);
  }
}

/* ---- a ledger that is lost ---- */

#define MILLISECOND INT64_C(1000000)

enum { FAR_TERM_MS = 1000, FAR_PATIENCE_MS = 1000 }; /* for the first answer, as there is time to connect */

/* It answers once, and refuses from then on. */
static struct {
  _Atomic int asked, woken;
  int64_t ends_ns; /* when the term of the first answer is over for the member */
  _Atomic int64_t latest_ns; /* the latest deadline of those that asked before that */
} far;

static int far_open(const pool_budget_place_t *place, void **ledger, pool_error_t *error)
{
  (void)place, (void)error;
  *ledger = &far;
  return 0;
}

static int far_sync(void *ledger, const pool_budget_ask_t *ask, pool_budget_answer_t *answer, int64_t deadline_ns,
                    pool_error_t *error)
{
  (void)ledger, (void)ask;
  if (far.asked++ == 0) {
    far.ends_ns = deadline_ns - FAR_PATIENCE_MS * MILLISECOND + FAR_TERM_MS * 9 / 10 * MILLISECOND;
    *answer = (pool_budget_answer_t){.size = sizeof *answer,
                                     .epoch = 1,
                                     .granted = 1,
                                     .target = 1,
                                     .limit = 1,
                                     .term_ms = FAR_TERM_MS,
                                     .again_ms = FAR_TERM_MS / 3};
    return 0;
  }
  if (now_ns() < far.ends_ns && deadline_ns > far.latest_ns)
    far.latest_ns = deadline_ns;
  error->code = POOL_E_OPEN;
  strcpy(error->message, "there is no ledger");
  return POOL_E_OPEN;
}

static int far_leave(void *ledger, uint64_t member, int64_t deadline_ns, pool_error_t *error)
{
  (void)ledger, (void)member, (void)deadline_ns, (void)error;
  return 0;
}

static int far_wait(void *ledger, int64_t until_ns, uint64_t *told, int32_t room, pool_error_t *error)
{
  (void)ledger, (void)told, (void)room, (void)error;
  while (!far.woken && now_ns() < until_ns)
    pause_briefly();
  far.woken = 0;
  return 0;
}

static void far_wake(void *ledger)
{
  (void)ledger;
  far.woken = 1;
}

static void far_forget(void *ledger)
{
  (void)ledger;
}

/* A member must know that its term is over before the ledger grants others what it had. */
static void test_budget__no_question_outlasts_the_term_of_a_member_that_is_cut_off(void **state)
{
  (void)state;
  static char url[] = "far:orders?limit=1";
  static const pool_budget_engine_t engine = {.size = sizeof engine,
                                              .open = far_open,
                                              .sync = far_sync,
                                              .leave = far_leave,
                                              .wait = far_wait,
                                              .wake = far_wake,
                                              .forget = far_forget,
                                              .close = far_forget};
  const struct budget_place place = {
      .url = url, .key = sizeof "far:orders" - 1, .name = "orders", .limit = 1, .term_ms = FAR_TERM_MS};
  struct fake fake;
  pool_t *pool = fake_start(&fake, PLAN(.config.max_open = 1));
  assert_int_equal(membership_join(pool, &place, &engine), 0);
  wait_until(stats_of(pool).budget_cut_off);
  assert_true(far.asked > 2 && far.latest_ns > 0);
  if (far.latest_ns > far.ends_ns)
    fail_msg("a question may end %lld ms after the term", (long long)((far.latest_ns - far.ends_ns) / MILLISECOND));
  fake_finish(&fake, pool);
}

int main(void)
{
#define NAMED(name) cmocka_unit_test_setup(name, name_budgets)
  const struct CMUnitTest tests[] = {
      NAMED(test_budget__the_first_language_that_is_told_is_heard),
      cmocka_unit_test(test_budget__a_url_that_is_wrong_says_what_to_do),
      cmocka_unit_test(test_budget__an_empty_url_is_told_what_a_budget_looks_like),
      cmocka_unit_test(test_budget__a_pool_without_one_shares_nothing),
      NAMED(test_budget__the_sum_is_never_above_the_limit),
      NAMED(test_budget__what_is_idle_in_one_is_closed_for_another),
      NAMED(test_budget__what_is_closed_goes_to_the_one_that_waits),
      cmocka_unit_test(test_budget__shares_go_by_weight_and_a_floor_is_one_s_own),
      cmocka_unit_test(test_budget__a_pool_says_what_its_budget_allows),
      cmocka_unit_test(test_budget__an_open_with_a_permit_in_hand_asks_nobody),
      cmocka_unit_test(test_budget__a_get_that_does_not_wait_leaves_a_wish),
      cmocka_unit_test(test_budget__initial_and_minimal_connections_have_permits),
      cmocka_unit_test(test_budget__a_pool_that_never_calls_back_shares_too),
      cmocka_unit_test(test_budget__without_members_it_has_no_url),
      cmocka_unit_test(test_budget__those_that_lack_are_told_though_many_leave),
      cmocka_unit_test(test_budget__a_pool_for_which_there_is_no_place_is_told_and_the_others_go_on),
      NAMED(test_budget__a_closed_pool_gives_back_what_it_held),
      NAMED(test_budget__a_closed_pool_gives_back_what_it_wants_no_more),
      NAMED(test_budget__the_floor_of_a_closed_pool_is_for_others),
      cmocka_unit_test(test_budget__another_limit_is_told_and_the_ledger_s_holds),
      NAMED(test_budget__a_file_that_is_no_ledger_is_refused_and_stays),
      NAMED(test_budget__a_file_that_others_may_write_is_refused),
      NAMED(test_budget__a_ledger_for_which_there_is_no_room_is_told_and_ends_no_process),
      NAMED(test_budget__a_ledger_is_made_where_nothing_leads_to_a_file_without_a_name),
      NAMED(test_budget__a_process_that_is_killed_gives_back),
      NAMED(test_budget__a_pool_whose_share_is_none_sees_that_a_process_was_killed),
      NAMED(test_budget__a_child_of_fork_is_a_new_member),
      NAMED(test_budget__the_last_member_takes_the_ledger_away),
      NAMED(test_budget__a_ledger_whose_last_member_died_as_it_took_it_away_is_followed_by_another),
      cmocka_unit_test(test_budget__budgets_that_begin_at_one_moment_make_one_ledger),
      NAMED(test_budget__a_goodbye_is_said_again_where_the_ledger_could_not_be_locked),
      NAMED(test_budget__a_key_rests_when_the_ledger_has_heard_of_it),
      NAMED(test_budget__a_seat_comes_back_that_could_not_be_left),
      cmocka_unit_test(test_budget__no_question_outlasts_the_term_of_a_member_that_is_cut_off),
      NAMED(test_budget__a_pool_may_open_as_soon_as_it_is_made),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
