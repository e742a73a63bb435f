/* SPDX-License-Identifier: MIT */
/* What every engine of budgets does, with a real server: by itself, and with pools. */
#include "engine.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/proxy.h"

/* ---- the thin path ---- */

static void test_engine__a_member_asks_is_told_and_leaves(void **state)
{
  (void)state;
  void *ledger = kind.open_new("thin", 10, HOUR_MS);
  struct member a = MEMBER(1, .wants = 20), b = MEMBER(UINT64_MAX, .wants = 20);
  wait_until((sync_one(ledger, &a), a.told.granted == 10));
  assert_int_equal(a.told.learns, 0);
  assert_int_equal(a.told.limit, 10);
  assert_int_equal(a.told.term_ms, HOUR_MS);
  assert_int_equal(a.told.gap_ms, kind.gap_ms);
  a.open = 10;
  sync_one(ledger, &a);
  wait_until((sync_one(ledger, &b), b.told.target == 5));
  assert_int_equal(b.told.granted, 0);
  assert_int_equal(b.told.pressed, 1);
  assert_int_equal(wait_told(ledger), 1);
  sync_one(ledger, &a);
  assert_int_equal(a.told.target, 5);
  assert_int_equal(a.told.granted, 10);
  a.open = 5;
  sync_one(ledger, &a);
  assert_true(wait_told(ledger) == UINT64_MAX);
  sync_one(ledger, &b);
  assert_int_equal(b.told.granted, 5);
  leave(ledger, 1);
  assert_true(wait_told(ledger) == UINT64_MAX);
  sync_one(ledger, &b);
  assert_int_equal(b.told.granted, 10);
  engine.close(ledger);
}

static void test_engine__a_look_shows_all_and_changes_nothing(void **state)
{
  (void)state;
  int seen = 0;
  pool_budget_stats_t stats = POOL_BUDGET_STATS_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  struct member a = MEMBER(1, .open = 5, .wants = 20, .waiting = 3), b = MEMBER(2, .wants = 20);
  void *ledger = open_ledger("look", 10, HOUR_MS), *looker = open_ledger("look", 0, HOUR_MS);
  assert_int_equal(engine.look(looker, &stats, see, &seen, in_ms(60000), &error), 0);
  assert_int_equal(stats.limit, 0);
  sync_one(ledger, &a);
  sync_one(ledger, &b);
  char *before = kind.read("look");
  assert_int_equal(engine.look(looker, &stats, see, &seen, in_ms(60000), &error), 2);
  char *after = kind.read("look");
  assert_string_equal(before, after);
  free(before);
  free(after);
  assert_int_equal(seen, 5);
  assert_int_equal(stats.limit, 10);
  assert_int_equal(stats.granted, 5);
  assert_int_equal(stats.members, 2);
  assert_int_equal(stats.wants, 40);
  assert_int_equal(stats.waiting, 3);
  engine.close(looker);
  engine.close(ledger);
}

static void *wake_main(void *ledger)
{
  engine.wake(ledger);
  return NULL;
}

/* Also before it was ever connected, and though many call at once. */
static void test_engine__a_wait_ends_when_another_thread_wants_it(void **state)
{
  (void)state;
  void *ledger = open_ledger("wake", 10, HOUR_MS);
  struct member member = MEMBER(1);
  pool_error_t error = POOL_ERROR_INIT;
  for (int i = 0; i < 20; i++) {
    uint64_t told;
    pthread_t threads[4];
    threads_start(threads, 4, wake_main, ledger);
    assert_int_equal(engine.wait(ledger, in_ms(60000), &told, 1, &error), 0);
    if (i == 10)
      sync_one(ledger, &member);
    threads_end(threads, 4);
  }
  engine.close(ledger);
}

struct flooded {
  void *ledger;
  _Atomic bool over;
};

static void *bear_flood(void *data)
{
  uint64_t told;
  struct flooded *flooded = data;
  struct member member = MEMBER(1);
  pool_error_t error = POOL_ERROR_INIT;
  must(engine.wait(flooded->ledger, in_ms(60000), &told, 1, &error) == 0); /* it is woken */
  must(engine.wait(flooded->ledger, in_ms(10), &told, 1, &error) == 0);
  must(ask(flooded->ledger, &member, in_ms(100), &error) == POOL_E_TIMEOUT);
  flooded->over = true;
  return NULL;
}

/* It answers nothing else. */
static void test_engine__a_server_that_tells_without_a_pause_holds_nobody_up(void **state)
{
  (void)state;
  char url[URL_SIZE];
  static struct impostor impostor; /* its thread goes on where the test fails */
  static struct flooded flooded;
  struct member member = MEMBER(1);
  pool_error_t error = POOL_ERROR_INIT;
  impostor_start(&impostor, kind.flood);
  url_at(url, impostor.port, "flood", 10, "");
  flooded.ledger = open_at(url, "flood", 10, HOUR_MS);
  assert_int_equal(ask(flooded.ledger, &member, in_ms(500), &error), POOL_E_TIMEOUT);
  pthread_t thread = thread_start(bear_flood, &flooded);
  engine.wake(flooded.ledger);
  wait_until(flooded.over);
  thread_end(thread);
  engine.close(flooded.ledger);
  impostor_stop(&impostor);
}

/* ---- many ---- */

#define THREADS 6
#define ROUNDS  60

struct crowd {
  int32_t limit;
  _Atomic int32_t open, most, ready;
};

struct worker {
  struct crowd *crowd;
  struct member member;
  uint64_t random;
};

static void note_open(struct crowd *crowd, int32_t by)
{
  int32_t now = atomic_fetch_add(&crowd->open, by) + by, most = atomic_load(&crowd->most);
  while (now > most && !atomic_compare_exchange_weak(&crowd->most, &most, now))
    ;
}

/* It closes what is above its target before it says so, and opens what it may when it was answered. */
static void take_part(struct worker *worker, void *ledger)
{
  struct member *member = &worker->member;
  pool_error_t error = POOL_ERROR_INIT;
  member->wants = (int32_t)(random_next(&worker->random) % 12);
  int32_t keep = member->told.target < member->wants ? member->told.target : member->wants;
  if (member->open > keep) {
    note_open(worker->crowd, keep - member->open);
    member->open = keep;
  }
  must(ask(ledger, member, in_ms(60000), &error) == 0);
  int32_t may = member->told.granted < member->wants ? member->told.granted : member->wants;
  if (may > member->open) {
    note_open(worker->crowd, may - member->open);
    member->open = may;
  }
}

static void *work(void *data)
{
  struct worker *worker = data;
  pool_error_t error = POOL_ERROR_INIT;
  void *ledger = open_ledger("many", worker->crowd->limit, HOUR_MS);
  for (int i = 0; i < ROUNDS; i++)
    take_part(worker, ledger);
  note_open(worker->crowd, -worker->member.open);
  must(engine.leave(ledger, worker->member.id, in_ms(60000), &error) == 0);
  engine.close(ledger);
  return NULL;
}

static void test_engine__many_that_write_at_once_never_have_more_than_the_limit(void **state)
{
  (void)state;
  struct crowd crowd = {.limit = 20};
  struct worker workers[THREADS];
  pthread_t threads[THREADS];
  pool_budget_stats_t stats = POOL_BUDGET_STATS_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  void *ledger = kind.open_new("many", crowd.limit, HOUR_MS);
  for (int i = 0; i < THREADS; i++) {
    workers[i] = (struct worker){
        .crowd = &crowd, .member = MEMBER((uint64_t)i + 1, .weight = 1), .random = (uint64_t)i * 77 + 1};
    threads[i] = thread_start(work, &workers[i]);
  }
  threads_end(threads, THREADS);
  assert_int_equal(crowd.open, 0);
  assert_true(crowd.most <= crowd.limit);
  assert_true(crowd.most >= crowd.limit / 2);
  assert_int_equal(engine.look(ledger, &stats, NULL, NULL, in_ms(60000), &error), 0);
  assert_int_equal(stats.members, 0);
  assert_int_equal(stats.granted, 0);
  engine.close(ledger);
}

static void test_engine__shares_are_even_soon_after_each_change(void **state)
{
  (void)state;
  void *ledger = kind.open_new("even", 10, HOUR_MS);
  struct member rich = MEMBER(1, .wants = 10), poor = MEMBER(2, .wants = 3), heavy = MEMBER(3, .wants = 10);
  wait_until((sync_one(ledger, &rich), rich.told.granted == 10));
  rich.open = 10;
  wait_until((sync_one(ledger, &rich), sync_one(ledger, &poor), rich.told.target == 7));
  rich.open = 7;
  sync_one(ledger, &rich);
  wait_until((sync_one(ledger, &poor), poor.told.granted == 3));
  poor.open = 3;
  heavy.weight = 3;
  wait_until((sync_one(ledger, &heavy), sync_one(ledger, &poor), sync_one(ledger, &rich), heavy.told.target == 6));
  assert_int_equal(rich.told.target, 2);
  assert_int_equal(poor.told.target, 2);
  assert_int_equal(heavy.told.granted, 0);
  engine.close(ledger);
}

/* Two processes, each with a connection of its own. */
static void test_engine__another_process_is_told_of_a_freed_permit(void **state)
{
  (void)state;
  void *first = kind.open_new("freed", 10, HOUR_MS), *second = open_ledger("freed", 10, HOUR_MS);
  struct member a = MEMBER(1, .wants = 10), b = MEMBER(2, .wants = 10);
  hand_half_over(first, &a, second, &b);
  engine.close(first);
  leave(second, 1); /* of whom the other process said nothing more */
  assert_int_equal(wait_told(second), 2);
  sync_one(second, &b);
  assert_int_equal(b.told.granted, 10);
  engine.close(second);
}

/* ---- a ledger that was lost, and members that are ---- */

static void test_engine__a_new_ledger_learns_for_a_term(void **state)
{
  (void)state;
  void *ledger = open_ledger("learns", 10, 1000);
  struct member old = MEMBER(1, .open = 6, .wants = 6), young = MEMBER(2, .wants = 10);
  pool_budget_stats_t stats = POOL_BUDGET_STATS_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  sync_one(ledger, &old);
  sync_one(ledger, &young);
  assert_int_equal(old.told.granted, 6);
  assert_int_equal(young.told.granted, 0);
  assert_int_equal(young.told.learns, 1);
  assert_int_equal(engine.look(ledger, &stats, NULL, NULL, in_ms(60000), &error), 0);
  assert_in_range(stats.learns_ms, 0, 1000);
  wait_until((sync_one(ledger, &old), sync_one(ledger, &young), young.told.granted == 4));
  assert_int_equal(young.told.learns, 0);
  engine.close(ledger);
}

static void test_engine__a_server_that_lost_its_data_learns_for_a_term(void **state)
{
  (void)state;
  struct member old;
  void *ledger = half_open("lost", &old, 300);
  int64_t epoch = old.told.epoch;
  kind.lose();
  expect_learning(ledger, &old);
  assert_true(old.told.epoch != epoch);
  engine.close(ledger);
}

/* The other process is as one that was killed. */
static void test_engine__a_member_that_says_nothing_for_a_term_is_forgotten(void **state)
{
  (void)state;
  struct member old, young = MEMBER(2, .wants = 10);
  pool_budget_stats_t stats = POOL_BUDGET_STATS_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  void *dead = half_open("gone", &old, 300), *ledger = open_ledger("gone", 10, 300);
  wait_until((sync_one(ledger, &young), young.told.granted == 10));
  assert_int_equal(engine.look(ledger, &stats, NULL, NULL, in_ms(60000), &error), 0);
  assert_int_equal(stats.members, 1);
  assert_int_equal(stats.granted, 10);
  engine.close(ledger);
  engine.close(dead);
}

static void test_engine__the_first_limit_of_a_ledger_holds(void **state)
{
  (void)state;
  struct member one = MEMBER(1, .wants = 100), two = MEMBER(2, .wants = 100);
  void *first = kind.open_new("limit", 10, HOUR_MS), *second = open_ledger("limit", 20, HOUR_MS);
  sync_one(first, &one);
  sync_one(second, &two);
  assert_int_equal(two.told.limit, 10);
  assert_true(two.told.target <= 10);
  engine.close(first);
  engine.close(second);
}

static void test_engine__a_ledger_whose_last_member_left_takes_another_limit(void **state)
{
  (void)state;
  struct member one = MEMBER(1, .wants = 100), two = MEMBER(2, .wants = 100);
  void *first = kind.open_new("renewed", 10, HOUR_MS), *second = open_ledger("renewed", 20, 2 * HOUR_MS);
  sync_one(first, &one);
  sync_one(second, &two);
  assert_int_equal(two.told.limit, 10);
  leave(first, 1);
  leave(second, 2);
  sync_one(second, &two);
  assert_int_equal(two.told.limit, 20);
  assert_int_equal(two.told.granted, 20);
  assert_int_equal(two.told.term_ms, 2 * HOUR_MS);
  leave(second, 2);
  sync_one(first, &one);
  assert_int_equal(one.told.limit, 10);
  assert_int_equal(one.told.granted, 10);
  engine.close(first);
  engine.close(second);
}

/* The first is alive and cut off. */
static void test_engine__another_limit_waits_for_the_term_of_a_member_that_is_cut_off(void **state)
{
  (void)state;
  struct member one, two = MEMBER(2, .wants = 100);
  void *first = half_open("held", &one, HOUR_MS), *second = open_ledger("held", 20, HOUR_MS);
  for (int i = 0; i < 3; i++) {
    sync_one(second, &two);
    assert_int_equal(two.told.limit, 10);
    assert_true(two.told.granted <= 4);
    leave(second, 2);
  }
  engine.close(first);
  engine.close(second);
}

/* It has closed what it had, for its own term was over before. */
static void test_engine__another_limit_holds_when_the_term_of_a_member_that_is_cut_off_is_over(void **state)
{
  (void)state;
  struct member one, two = MEMBER(2, .wants = 100);
  pool_budget_stats_t stats = POOL_BUDGET_STATS_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  void *first = half_open("over", &one, 300), *second = open_ledger("over", 20, 300);
  wait_until((sync_one(second, &two), two.told.limit == 20 || (leave(second, 2), false)));
  one.open = 0;
  one.wants = 100;
  wait_until((sync_one(first, &one), sync_one(second, &two), two.open = two.told.granted, two.open > 0));
  assert_int_equal(engine.look(first, &stats, NULL, NULL, in_ms(60000), &error), 0);
  assert_true(stats.granted <= stats.limit);
  engine.close(first);
  engine.close(second);
}

static void test_engine__numbers_without_sense_are_borne(void **state)
{
  (void)state;
  struct member wild = MEMBER(UINT64_MAX, .open = INT32_MAX, .wants = INT32_MAX, .weight = INT32_MAX,
                              .floor = INT32_MAX, .waiting = INT32_MAX, .waits_ms = INT64_MIN / 2000000); /* since the far future */
  struct member other = MEMBER(2, .wants = 5);
  void *ledger = kind.open_new("wild", 10, HOUR_MS);
  wait_until((sync_one(ledger, &wild), wild.told.target == 10));
  assert_int_equal(wild.told.granted, INT32_MAX);
  sync_one(ledger, &other);
  assert_int_equal(other.told.granted, 0);
  leave(ledger, UINT64_MAX);
  sync_one(ledger, &other);
  assert_int_equal(other.told.granted, 5);
  engine.close(ledger);
}

/* ---- places ---- */

static void expect_refused(const struct wrong_url *wrong)
{
  void *ledger;
  pool_error_t error = POOL_ERROR_INIT;
  pool_budget_place_t place = {
      .size = sizeof place, .url = wrong->url, .name = wrong->name, .limit = 3, .term_ms = 3000};
  assert_int_equal(engine.open(&place, &ledger, &error), POOL_E_INVALID);
  if (!strstr(error.message, wrong->text))
    fail_msg("%s: %s", wrong->url, error.message);
}

/* What stands behind the scheme and before the host, and behind the limit. */
static void test_engine__urls_are_refused_with_what_is_wrong(void **state)
{
  (void)state;
  static const struct {
    const char *before, *behind, *text;
  } wrong[] = {
      {"://", "&colour=blue", "unknown"},
      {"://", "&verify=none", "s://"},
      {"://user@", "", "a user needs a password"},
      {"s://", "&ca=/nowhere", "the file of parameter ca"},
      {"s://", "&verify=none&verify=full", "the URL sets verify twice"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    char url[URL_SIZE];
    snprintf(url, sizeof url, "%s%s127.0.0.1%s/orders?limit=3%s", kind.scheme, wrong[i].before, kind.path,
             wrong[i].behind);
    expect_refused(&(struct wrong_url){url, "orders", wrong[i].text});
  }
  for (const struct wrong_url *own = kind.urls; own->url; own++)
    expect_refused(own);
}

/* The library has read the URL before. */
static void test_engine__what_is_wrong_is_said_with_the_name_of_the_budget(void **state)
{
  (void)state;
  char url[URL_SIZE];
  pool_budget_t *budget = NULL;
  pool_error_t error = POOL_ERROR_INIT;
  snprintf(url, sizeof url, "%ss://127.0.0.1%s/orders?verify=none&verify=none", kind.scheme, kind.path);
  assert_int_equal(pool_budget_open(url, &budget, &error), POOL_E_INVALID);
  assert_string_equal(error.message, "the budget 'orders': the URL sets verify twice");
}

/* Nobody listens at this port. */
static void test_engine__why_a_look_failed_is_said_in_a_struct_of_any_size(void **state)
{
  (void)state;
  char url[URL_SIZE];
  unsigned char before[sizeof(pool_error_t)];
  pool_budget_t *budget = NULL;
  pool_error_t error, why = POOL_ERROR_INIT;
  url_at(url, 1, "looked", 1, "");
  assert_int_equal(pool_budget_open(url, &budget, NULL), POOL_E_OPEN);
  assert_int_equal(pool_failure(&why), POOL_E_OPEN);
  assert_non_null(strstr(why.message, "127.0.0.1"));
  for (size_t size = 0; size < sizeof error; size += 40) { /* 0: it was never set */
    memset(&error, 0x5a, sizeof error);
    memcpy(before, &error, sizeof error);
    error.size = size;
    memcpy(before, &size, sizeof size);
    assert_int_equal(pool_budget_open(url, &budget, &error), POOL_E_OPEN);
    assert_memory_equal((unsigned char *)&error + size, before + size, sizeof error - size);
    if (size == 0)
      continue;
    assert_int_equal(error.code, POOL_E_OPEN);
    pool_failure(&why);
    assert_int_equal(strncmp(error.message, why.message, strlen(error.message)), 0);
  }
}

static void *hang_up(void *listener)
{
  for (int fd; (fd = accept(*(int *)listener, NULL, NULL)) >= 0;)
    close(fd);
  return NULL;
}

static void test_engine__a_ledger_that_hangs_up_cannot_be_reached(void **state)
{
  (void)state;
  char url[URL_SIZE];
  int port, listener = listen_locally(8, &port);
  pool_budget_t *budget = NULL;
  pool_error_t error = POOL_ERROR_INIT;
  url_at(url, port, "hangs", 1, "");
  pthread_t thread = thread_start(hang_up, &listener);
  assert_int_equal(pool_budget_open(url, &budget, &error), POOL_E_OPEN);
  assert_int_equal(error.code, POOL_E_OPEN);
  shutdown(listener, SHUT_RDWR);
  thread_end(thread);
  close(listener);
}

static void test_engine__a_ledger_is_reached_by_tls(void **state)
{
  (void)state;
  char url[URL_SIZE];
  uint64_t told;
  struct member member = MEMBER(1, .wants = 10);
  pool_error_t error = POOL_ERROR_INIT;
  url_by_tls(url, "tls", 10);
  void *ledger = open_at(url, "tls", 10, HOUR_MS);
  sync_one(ledger, &member);
  leave(ledger, 1);
  engine.wake(ledger);
  assert_int_equal(engine.wait(ledger, in_ms(60000), &told, 1, &error), 0);
  engine.close(ledger);
  url_at(url, *kind.tls_port, "tls", 10, ""); /* plain, where TLS is spoken */
  ledger = open_at(url, "tls", 10, HOUR_MS);
  assert_int_not_equal(ask(ledger, &member, in_ms(60000), &error), 0);
  engine.close(ledger);
}

/* ---- servers that do not answer ---- */

static void test_engine__a_server_that_stands_still_is_waited_for_until_the_deadline(void **state)
{
  (void)state;
  struct member member = MEMBER(1, .wants = 10);
  pool_error_t error = POOL_ERROR_INIT;
  void *ledger = open_ledger("still", 10, HOUR_MS);
  sync_one(ledger, &member);
  server_freeze(kind.server);
  assert_int_equal(ask(ledger, &member, in_ms(50), &error), POOL_E_TIMEOUT);
  assert_int_equal(ask(ledger, &member, in_ms(50), &error), POOL_E_TIMEOUT); /* by a new connection */
  assert_int_equal(engine.leave(ledger, 1, in_ms(50), &error), POOL_E_TIMEOUT);
  server_thaw(kind.server);
  await_sync(ledger, &member);
  engine.close(ledger);
}

/* A member that has no connection yet finds the server that answers in one call. */
static bool can_look(const char *url)
{
  pool_budget_stats_t stats = POOL_BUDGET_STATS_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  void *ledger = open_at(url, "mute", 10, HOUR_MS);
  int code = engine.look(ledger, &stats, NULL, NULL, in_ms(2000), &error);
  engine.close(ledger);
  return code >= 0;
}

static void test_engine__a_server_that_accepts_and_says_nothing_is_left_for_the_next(void **state)
{
  (void)state;
  char url[URL_SIZE];
  int mute_port, mute = listen_locally(64, &mute_port), nobody = server_free_port();
  struct member member = MEMBER(1, .wants = 10);
  pool_error_t error = POOL_ERROR_INIT;
  snprintf(url, sizeof url, "%s://%s127.0.0.1:%d,127.0.0.1:%d,127.0.0.1:%d%s/mute?limit=10", kind.scheme, kind.login,
           nobody, mute_port, *kind.port, kind.path);
  wait_until(can_look(url));
  void *ledger = open_at(url, "mute", 10, HOUR_MS);
  wait_until(ask(ledger, &member, in_ms(2000), &error) == 0);
  leave(ledger, 1);
  engine.close(ledger);
  close(mute);
}

/* Its connections stay, and new ones are accepted. */
static void test_engine__a_server_that_falls_silent_is_left_for_the_next(void **state)
{
  (void)state;
  char url[URL_SIZE];
  static struct proxy proxy; /* its thread goes on where the test fails */
  struct member member = MEMBER(1, .wants = 10);
  pool_error_t error = POOL_ERROR_INIT;
  proxy_start(&proxy, *kind.port);
  snprintf(url, sizeof url, "%s://%s127.0.0.1:%d,127.0.0.1:%d%s/silent?limit=10", kind.scheme, kind.login, proxy.port,
           *kind.port, kind.path);
  void *ledger = open_at(url, "silent", 10, HOUR_MS);
  sync_one(ledger, &member);
  proxy_do(&proxy, PROXY_HOLD);
  assert_int_equal(ask(ledger, &member, in_ms(50), &error), POOL_E_TIMEOUT);
  wait_until(ask(ledger, &member, in_ms(2000), &error) == 0);
  leave(ledger, 1);
  engine.close(ledger);
  proxy_end(&proxy);
}

/* What it had granted is known then where the server keeps its data. */
static void test_engine__a_server_that_is_gone_is_told_once_and_found_again(void **state)
{
  (void)state;
  uint64_t told;
  struct member old, young = MEMBER(2, .wants = 10);
  pool_error_t error = POOL_ERROR_INIT;
  void *ledger = half_open("killed", &old, HOUR_MS);
  int64_t epoch = old.told.epoch;
  server_kill(kind.server);
  assert_true(engine.wait(ledger, in_ms(60000), &told, 1, &error) < 0);
  assert_int_equal(ask(ledger, &old, in_ms(60000), &error), POOL_E_OPEN);
  assert_int_equal(engine.wait(ledger, in_ms(1), &told, 1, &error), 0); /* told once */
  kind.start();
  await_sync(ledger, &old);
  assert_int_equal(old.told.learns, !kind.keeps_data);
  assert_int_equal(old.told.epoch == epoch, kind.keeps_data);
  int expected = kind.keeps_data ? 4 : 0;
  wait_until((sync_one(ledger, &young), young.told.granted == expected));
  assert_int_equal(young.told.learns, !kind.keeps_data);
  engine.close(ledger);
}

/* All connections are silent for good.  Asks find that out by their deadlines, and that nothing is heard any more in a
   term or two. */
static void test_engine__what_a_network_lost_is_connected_anew(void **state)
{
  (void)state;
  char url[URL_SIZE];
  uint64_t told;
  static struct proxy proxy; /* its thread goes on where the test fails */
  struct member member = MEMBER(1, .wants = 10);
  pool_error_t error = POOL_ERROR_INIT;
  proxy_start(&proxy, *kind.port);
  url_at(url, proxy.port, "net", 10, "");
  void *ledger = open_at(url, "net", 10, 300);
  sync_one(ledger, &member);
  kind.tell("net", 1);
  assert_int_equal(wait_told(ledger), 1);
  proxy_do(&proxy, PROXY_LOSE);
  wait_until(ask(ledger, &member, in_ms(100), &error) == 0);
  wait_until((kind.tell("net", 1), ask(ledger, &member, in_ms(100), &error),
              engine.wait(ledger, in_ms(20), &told, 1, &error) == 1));
  assert_int_equal(told, 1);
  engine.close(ledger);
  proxy_end(&proxy);
}

/* ---- a child of fork ---- */

static void in_child(void *ledger)
{
  struct member young = MEMBER(2, .wants = 10);
  pool_error_t error = POOL_ERROR_INIT;
  engine.forget(ledger);
  must(ask(ledger, &young, in_ms(60000), &error) == 0);
  engine.wake(ledger);
  engine.forget(ledger);
  engine.close(ledger);
  _exit(0);
}

static void fork_at(const char *url)
{
  int status;
  uint64_t told;
  struct member member = MEMBER(1, .wants = 10);
  pool_error_t error = POOL_ERROR_INIT;
  void *ledger = open_at(url, "fork", 10, HOUR_MS);
  sync_one(ledger, &member);
  kind.fork_begins();
  pid_t child = fork();
  if (child == 0)
    in_child(ledger);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  /* Not woken, and not told by the server that it is gone. */
  assert_int_equal(engine.wait(ledger, in_ms(1), &told, 1, &error), 0);
  sync_one(ledger, &member);
  kind.fork_ended("fork", 1, 2);
  leave(ledger, 1);
  leave(ledger, 2);
  engine.close(ledger);
}

static void test_engine__a_child_of_fork_leaves_its_parents_connections_alone(void **state)
{
  (void)state;
  char url[URL_SIZE];
  url_at(url, *kind.port, "fork", 10, "");
  fork_at(url);
  url_by_tls(url, "fork", 10);
  fork_at(url);
}

/* ---- pools ---- */

static pool_t *pool_of(struct fake *fake, const char *url, const char *name)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.name = name;
  config.budget = url;
  fake_init(fake);
  return fake_pool(fake, &config, NULL);
}

/* How long after the last one a connection came, if they are of two attempts. */
static int64_t next_attempt_ns(int listener, int64_t *last_ns)
{
  for (;;) {
    int connection = accept(listener, NULL, NULL);
    int64_t now = now_ns(), gap_ns = now - *last_ns;
    assert_true(connection >= 0);
    close(connection);
    *last_ns = now;
    if (gap_ns >= 50 * 1000000)
      return gap_ns;
  }
}

/* A ledger that comes back learns for a term, and is to hear of every member in it. */
static void test_engine__a_ledger_that_is_away_is_asked_again_within_a_term(void **state)
{
  (void)state;
  char url[URL_SIZE];
  int port, listener = listen_locally(64, &port);
  struct fake fake;
  int64_t last_ns = 0, least_ns = INT64_MAX;
  url_at(url, port, "away", 6, "&term_ms=500");
  pool_t *pool = pool_of(&fake, url, "one");
  for (int i = 0; i < 12; i++) {
    int64_t gap_ns = next_attempt_ns(listener, &last_ns);
    if (i > 5 && gap_ns < least_ns)
      least_ns = gap_ns;
  }
  assert_true(least_ns < 500 * INT64_C(1000000));
  close(listener);
  fake_finish(&fake, pool);
}

static int find_pool(void *user, const pool_budget_member_t *member)
{
  int32_t *granted = user;
  assert_int_equal(member->process, getpid());
  if (strcmp(member->pool, "one") == 0)
    *granted = member->granted;
  return 0;
}

/* One pool has all there is until another one wants some. */
static void test_engine__pools_share_a_limit(void **state)
{
  (void)state;
  char url[URL_SIZE];
  int32_t granted = 0;
  struct fake fakes[2];
  pool_t *pools[2];
  pool_lease_t leases[6], others[3];
  pool_budget_t *budget;
  pool_error_t error = POOL_ERROR_INIT;
  url_at(url, *kind.port, "pools", 6, "&term_ms=500");
  for (int i = 0; i < 2; i++)
    pools[i] = pool_of(&fakes[i], url, i == 0 ? "one" : "two");
  leases_get(pools[0], leases, 6);
  if (pool_budget_open(url, &budget, &error) != 0)
    fail_msg("%s", error.message);
  assert_int_equal(pool_budget_members(budget, find_pool, &granted, &error), 2);
  assert_int_equal(granted, 6);
  pool_budget_close(budget);
  leases_put(leases, 6);
  for (int i = 0; i < 3; i++)
    assert_true((others[i] = pool_get(pools[1])) > 0);
  assert_true(fakes[0].open_now + fakes[1].open_now <= 6);
  leases_put(others, 3);
  fake_finish(&fakes[0], pools[0]);
  get_and_put_now(pools[1]);
  fake_finish(&fakes[1], pools[1]);
}

static int end_with(void *number, const pool_budget_member_t *member)
{
  (void)member;
  return *(const int *)number;
}

static void test_engine__a_list_ends_with_what_its_reader_returns(void **state)
{
  (void)state;
  char url[URL_SIZE];
  struct fake fake;
  pool_lease_t lease;
  pool_budget_t *budget = NULL;
  pool_error_t error = POOL_ERROR_INIT;
  url_at(url, *kind.port, "ends", 1, "&term_ms=500");
  pool_t *pool = pool_of(&fake, url, "one");
  assert_true((lease = pool_get(pool)) > 0);
  pool_put(lease);
  assert_int_equal(pool_budget_open(url, &budget, &error), 0);
  for (int number = -5; number <= 5; number += 10)
    assert_int_equal(pool_budget_members(budget, end_with, &number, &error), number);
  assert_int_equal(error.code, 0);
  pool_budget_close(budget);
  fake_finish(&fake, pool);
}

_Noreturn static void hold_all(const char *url, int done)
{
  struct fake fake;
  pool_lease_t lease;
  pool_t *pool = pool_of(&fake, url, "child");
  for (int i = 0; i < 6; i++)
    must((lease = pool_get(pool)) > 0);
  must(write(done, "x", 1) == 1);
  for (;;)
    pause();
}

static void test_engine__permits_of_a_process_that_was_killed_come_back(void **state)
{
  (void)state;
  char url[URL_SIZE], byte;
  int done[2];
  struct fake fake;
  url_at(url, *kind.port, "heir", 6, "&term_ms=500");
  assert_int_equal(pipe(done), 0);
  pid_t child = fork();
  if (child == 0)
    hold_all(url, done[1]);
  close(done[1]); /* so that the read ends if the child does */
  assert_int_equal(read(done[0], &byte, 1), 1);
  pool_t *pool = pool_of(&fake, url, "heir");
  pool_lease_t leases[6];
  kill(child, SIGKILL);
  assert_int_equal(waitpid(child, NULL, 0), child);
  leases_get(pool, leases, 6);
  leases_put(leases, 6);
  fake_finish(&fake, pool);
  close(done[0]);
}

/* ---- the whole ---- */

static int group_setup(void **state)
{
  (void)state;
  kind.make();
  return kind.load(POOL_BUDGET_ENGINE_VERSION, &engine);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      ENGINE_TEST(test_engine__a_member_asks_is_told_and_leaves),
      ENGINE_TEST(test_engine__a_look_shows_all_and_changes_nothing),
      ENGINE_TEST(test_engine__a_wait_ends_when_another_thread_wants_it),
      ENGINE_TEST(test_engine__a_server_that_tells_without_a_pause_holds_nobody_up),
      ENGINE_TEST(test_engine__many_that_write_at_once_never_have_more_than_the_limit),
      ENGINE_TEST(test_engine__shares_are_even_soon_after_each_change),
      ENGINE_TEST(test_engine__another_process_is_told_of_a_freed_permit),
      ENGINE_TEST(test_engine__a_new_ledger_learns_for_a_term),
      ENGINE_TEST(test_engine__a_server_that_lost_its_data_learns_for_a_term),
      ENGINE_TEST(test_engine__a_member_that_says_nothing_for_a_term_is_forgotten),
      ENGINE_TEST(test_engine__the_first_limit_of_a_ledger_holds),
      ENGINE_TEST(test_engine__a_ledger_whose_last_member_left_takes_another_limit),
      ENGINE_TEST(test_engine__another_limit_waits_for_the_term_of_a_member_that_is_cut_off),
      ENGINE_TEST(test_engine__another_limit_holds_when_the_term_of_a_member_that_is_cut_off_is_over),
      ENGINE_TEST(test_engine__numbers_without_sense_are_borne),
      ENGINE_TEST(test_engine__urls_are_refused_with_what_is_wrong),
      ENGINE_TEST(test_engine__what_is_wrong_is_said_with_the_name_of_the_budget),
      ENGINE_TEST(test_engine__why_a_look_failed_is_said_in_a_struct_of_any_size),
      ENGINE_TEST(test_engine__a_ledger_that_hangs_up_cannot_be_reached),
      ENGINE_TEST(test_engine__a_ledger_is_reached_by_tls),
      ENGINE_TEST(test_engine__a_server_that_stands_still_is_waited_for_until_the_deadline),
      ENGINE_TEST(test_engine__a_server_that_accepts_and_says_nothing_is_left_for_the_next),
      ENGINE_TEST(test_engine__a_server_that_falls_silent_is_left_for_the_next),
      ENGINE_TEST(test_engine__a_server_that_is_gone_is_told_once_and_found_again),
      ENGINE_TEST(test_engine__what_a_network_lost_is_connected_anew),
      ENGINE_TEST(test_engine__a_child_of_fork_leaves_its_parents_connections_alone),
      ENGINE_TEST(test_engine__pools_share_a_limit),
      ENGINE_TEST(test_engine__a_list_ends_with_what_its_reader_returns),
      ENGINE_TEST(test_engine__a_ledger_that_is_away_is_asked_again_within_a_term),
      ENGINE_TEST(test_engine__permits_of_a_process_that_was_killed_come_back),
  };
  int failed = cmocka_run_group_tests_name(kind.scheme, tests, group_setup, NULL);
  failed += kind.own_tests();
  kind.remove();
  return failed;
}
