/* SPDX-License-Identifier: MIT */
/* What becomes of a fleet when its ledger is away, lost, slow or refuses, and when members are stopped. */
#include "scene.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "drivers/proxy.h"

#define MEMBERS 4

/* Not of one test: their threads go on where a test fails. */
static struct proxy proxies[MEMBERS];

static bool is_even(int count)
{
  for (int i = 0; i < count; i++)
    if (scene_open(i) != FEW / count)
      return false;
  return census_read(&scene.census).now == FEW;
}

/* All but the last have all there is, in even shares: none is about to close some for others. */
static void begin_full(const char *name, const char *rest)
{
  scene_start_all(MEMBERS, name, FEW, rest);
  for (int i = 0; i < MEMBERS - 1; i++)
    scene_demand(i, 8);
  wait_until(is_even(MEMBERS - 1));
}

/* Three terms, the first of which is over when the members know that they are cut off.  Hardly any is closed. */
static void stay_without_ledger(void)
{
  wait_until(scene_are_cut_off(0, MEMBERS, 1));
  census_limit(&scene.census, FEW);
  scene_run_for_terms(2);
  scene_expect_never_above(FEW);
  if (census_read(&scene.census).least < FEW - 1)
    fail_msg("while the ledger was away, %d of %d connections were left", census_read(&scene.census).least, FEW);
}

static void expect_even_again(const char *what)
{
  int64_t began_ns = now_ns();
  wait_until(scene_are_cut_off(0, MEMBERS, 0) && is_even(MEMBERS));
  scene_say(what, began_ns);
  scene_expect_never_above(FEW);
}

/* ---- the ledger is away ---- */

static void remove_data(void)
{
  const char *arguments[] = {"rm", "-rf", "appendonlydir", NULL};
  if (scene.ledger == SCENE_ETCD)
    etcd_empty(&scene.etcd);
  else
    assert_int_equal(server_run(&scene.redis.server, arguments), 0);
}

/* Another member wants something while the ledger is away, and gets it when the ledger is back. */
static void outage(const char *name, bool with_data)
{
  begin_full(name, "");
  scene_kill_ledger();
  scene_demand(MEMBERS - 1, 8);
  stay_without_ledger();
  if (!with_data)
    remove_data();
  scene_start_ledger();
  expect_even_again(with_data ? "the ledger was back with its data, and shares are fair"
                              : "the ledger was back without its data, and shares are fair");
}

static void test_fleet__members_keep_what_they_have_while_the_ledger_is_away(void **state)
{
  (void)state;
  outage("away", true);
}

static void test_fleet__a_ledger_that_came_back_empty_learns(void **state)
{
  (void)state;
  outage("empty", false);
}

static void test_fleet__members_that_yield_go_down_to_their_floors(void **state)
{
  (void)state;
  census_limit(&scene.census, FEW);
  scene_start(0, "yield", FEW, "&lost=yield", "&pool.budget_floor=2");
  scene_start(1, "yield", FEW, "&lost=yield", "");
  scene_demand(0, 10);
  scene_demand(1, 10);
  scene_await_sum(FEW);
  int64_t began_ns = now_ns();
  scene_kill_ledger();
  scene_await_sum(2);
  scene_say("the ledger is away, and members that yield have their floors", began_ns);
  scene_start_ledger();
  scene_await_sum(FEW);
  scene_expect_never_above(FEW);
}

/* ---- the ledger refuses ---- */

/* Has a shell do something, with the port of the ledger's server as $1. */
static void order(const char *line)
{
  char port[12];
  const char *arguments[] = {"timeout", "60", "sh", "-ec", line, "sh", port, NULL};
  snprintf(port, sizeof port, "%d", scene_port());
  assert_int_equal(server_run(scene.ledger == SCENE_ETCD ? &scene.etcd.server : &scene.redis.server, arguments), 0);
}

#define REDIS "redis-cli --no-auth-warning -a " REDIS_PASSWORD " -e -p $1 "
#define ETCD  "curl -sSf http://127.0.0.1:$1/v3/auth/"

static void refusal(const char *name, const char *begin, const char *end, const char *what)
{
  begin_full(name, "");
  order(begin);
  scene_demand(MEMBERS - 1, 8);
  stay_without_ledger();
  order(end);
  expect_even_again(what);
}

static void test_fleet__members_keep_what_they_have_while_the_ledger_returns_errors(void **state)
{
  (void)state;
  refusal("errors", REDIS "acl setuser default -evalsha -eval", REDIS "acl setuser default +@all",
          "the ledger returned errors, and then it did not");
}

/* From now on it asks for a password, which the members do not have; and then no more. */
static void test_fleet__members_keep_what_they_have_while_etcd_wants_a_password(void **state)
{
  (void)state;
  refusal("login",
          ETCD "user/add -d '{\"name\": \"root\", \"password\": \"mellon\"}';" ETCD
               "user/grant -d '{\"user\": \"root\", \"role\": \"root\"}';" ETCD "enable -d '{}'",
          "said=$(" ETCD "authenticate -d '{\"name\": \"root\", \"password\": \"mellon\"}');"
          "token=${said##*token\\\":\\\"};" ETCD "disable -d '{}' -H \"Authorization: ${token%\\\"*}\"",
          "etcd wanted a password, and then it did not");
}

static void test_fleet__members_keep_what_they_have_while_the_ledger_is_full(void **state)
{
  (void)state;
  refusal("full", REDIS "config set maxmemory 1", REDIS "config set maxmemory 0",
          "the ledger was full, and then it was not");
}

static void test_fleet__a_ledger_that_was_wiped_grants_nothing_twice(void **state)
{
  (void)state;
  scene_start_all(4, "wiped", FEW, "");
  for (int i = 0; i < 3; i++)
    scene_demand(i, 8);
  scene_await_sum(FEW);
  order(REDIS "flushall");
  scene_demand(3, 8);
  wait_until(scene_open(3) == 3 && census_read(&scene.census).now == FEW);
  scene_expect_never_above(FEW);
}

/* ---- a network that fails ---- */

/* The first half is cut off: what it holds, the others may be granted too, unless it yields. */
static void cut_half_off(const char *name, const char *rest, int overdraft)
{
  struct proxy *proxy = &proxies[0];
  proxy_start(proxy, scene_port());
  census_limit(&scene.census, FEW);
  for (int i = 0; i < MEMBERS; i++)
    scene_start_at(i, i < MEMBERS / 2 ? proxy->port : scene_port(), name, rest, "");
  for (int i = 0; i < MEMBERS; i++)
    scene_demand(i, 8);
  wait_until(is_even(MEMBERS));
  proxy_do(proxy, PROXY_HOLD);
  scene_await_sum(FEW + overdraft);
  wait_until(scene_sum(MEMBERS / 2, MEMBERS) == FEW && scene_are_cut_off(0, MEMBERS / 2, 1));
  scene_run_for_terms(1);
  scene_expect_never_above(FEW + overdraft);
  proxy_do(proxy, PROXY_PASS);
  int64_t began_ns = now_ns();
  wait_until(scene_are_cut_off(0, MEMBERS, 0) && is_even(MEMBERS));
  scene_say("half was cut off, and what was too much is paid back", began_ns);
  census_limit(&scene.census, FEW);
  scene_run_for_terms(1);
  scene_expect_never_above(FEW);
  scene_clear(NULL);
  proxy_end(proxy);
}

static void test_fleet__members_that_are_cut_off_keep_theirs_and_the_overdraft_is_paid_back(void **state)
{
  (void)state;
  cut_half_off("half", "", FEW / 2);
}

static void test_fleet__members_that_are_cut_off_and_yield_make_no_overdraft(void **state)
{
  (void)state;
  scene.term_ms = 3000; /* a tenth of it is long beside the 100 ms for which a connection is in use */
  cut_half_off("yielded", "&lost=yield", 0);
}

/* Each has a network of its own, for a proxy that waits passes nothing else. */
static void test_fleet__a_network_of_100_ms_a_round_trip_takes_nothing_from_anybody(void **state)
{
  (void)state;
  census_limit(&scene.census, FEW);
  for (int i = 0; i < MEMBERS; i++) {
    proxy_start(&proxies[i], scene_port());
    proxies[i].late_ms = 100;
    proxy_do(&proxies[i], PROXY_LATE);
    scene_start_at(i, proxies[i].port, "slow", "", "");
  }
  int64_t began_ns = now_ns();
  for (int i = 0; i < MEMBERS - 1; i++)
    scene_demand(i, 8);
  scene_await_sum(FEW);
  scene_demand(MEMBERS - 1, 8);
  wait_until(is_even(MEMBERS));
  scene_say("each round trip takes 100 ms, and shares are fair", began_ns);
  scene_run_for_terms(2);
  scene_expect_never_above(FEW);
  wait_until(scene_are_cut_off(0, MEMBERS, 0));
  scene_clear(NULL);
  for (int i = 0; i < MEMBERS; i++)
    proxy_end(&proxies[i]);
}

/* ---- members that stand still ---- */

/* What a stopped member had may be granted to others, for nobody can close it.  That is paid back when it goes on.  On
   one machine there are no terms, and its permits stay its own. */
static void test_fleet__what_a_stopped_member_held_is_paid_back(void **state)
{
  (void)state;
  scene_start_all(3, "stopped", FEW, "");
  for (int i = 0; i < 3; i++)
    scene_demand(i, 8);
  wait_until(is_even(3));
  int held = scene.ledger == SCENE_HOST ? 0 : 4;
  census_limit(&scene.census, FEW);
  process_signal(&scene.crowd[0], SIGSTOP);
  scene_await_sum(FEW + held);
  scene_run_for_terms(2);
  scene_expect_never_above(FEW + held);
  process_signal(&scene.crowd[0], SIGCONT);
  int64_t began_ns = now_ns();
  wait_until(is_even(3));
  scene_say("a stopped member went on, and the overdraft is paid back", began_ns);
  census_limit(&scene.census, FEW);
  scene_run_for_terms(1);
  scene_expect_never_above(FEW);
}

static void test_fleet__a_member_with_another_password_has_its_floor(void **state)
{
  (void)state;
  char budget[URL_SIZE], url[URL_SIZE];
  scene_start_all(1, "password", FEW, "");
  scene_demand(0, 4);
  scene_await_sum(4);
  snprintf(budget, sizeof budget, "redis://:mellon@127.0.0.1:%d/0/password?limit=%d&term_ms=%d", scene.redis.port, FEW,
           scene.term_ms);
  scene_pool_url(url, "127.0.0.1", budget, "&pool.budget_floor=1");
  const char *arguments[] = {scene.programs[0], url, NULL};
  process_start(&scene.crowd[1], -1, arguments);
  process_tell(&scene.crowd[1], "users 0 8");
  scene_await_sum(5);
  assert_int_equal(process_ask(&scene.crowd[1], 0).cut_off, 1);
  scene_run_for_terms(1);
  scene_expect_never_above(5);
}

/* ---- a clock that is set ---- */

/* The clock of the programs that are started meanwhile is as many seconds off as the result says. */
static _Atomic int64_t *begin_clock(const char *library, char path[64])
{
  snprintf(path, 64, "/tmp/pool-clock-%d", (int)getpid());
  int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  assert_true(file >= 0);
  assert_int_equal(ftruncate(file, sizeof(int64_t)), 0);
  void *memory = mmap(NULL, sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  assert_true(memory != MAP_FAILED);
  close(file);
  setenv("CLOCK_OFFSET", path, 1);
  setenv("LD_PRELOAD", library, 1);
  return memory;
}

static void end_clock(_Atomic int64_t *offset, const char *path)
{
  unsetenv("LD_PRELOAD");
  unsetenv("CLOCK_OFFSET");
  munmap(offset, sizeof *offset);
  unlink(path);
}

/* That of the ledger's server is set too where it is Redis, which counts the terms by it. */
static void test_fleet__nothing_happens_when_the_clock_of_the_machine_is_set(void **state)
{
  (void)state;
  static const int64_t hours[] = {3600, -3600, 0};
  const char *library = getenv("FLEET_CLOCK");
  char path[64];
  if (!library || !*library) {
    print_message("no clock is set, for a program with a sanitizer takes no library before its own\n");
    skip();
  }
  _Atomic int64_t *offset = begin_clock(library, path);
  if (scene.ledger == SCENE_REDIS) {
    scene_kill_ledger();
    scene_start_ledger();
  }
  begin_full("clock", "");
  for (int i = 0; i < 3; i++) {
    census_limit(&scene.census, FEW);
    atomic_store(offset, hours[i]);
    scene_run_for_terms(1);
    scene_demand(MEMBERS - 1, i % 2 == 0 ? 8 : 0);
    wait_until(is_even(i % 2 == 0 ? MEMBERS : MEMBERS - 1));
    assert_true(scene_are_cut_off(0, MEMBERS, 0));
    scene_expect_never_above(FEW);
  }
  end_clock(offset, path);
}

/* ---- */

#define TEST(name) cmocka_unit_test_teardown(test_fleet__##name, scene_clear)
#define RUN(tests) scene_run(tests, sizeof(tests) / sizeof *(tests))

static int run(void)
{
  const struct CMUnitTest everywhere[] = {
      TEST(what_a_stopped_member_held_is_paid_back),
      TEST(nothing_happens_when_the_clock_of_the_machine_is_set),
  };
  const struct CMUnitTest far[] = {
      TEST(members_keep_what_they_have_while_the_ledger_is_away),
      TEST(a_ledger_that_came_back_empty_learns),
      TEST(members_that_yield_go_down_to_their_floors),
      TEST(members_that_are_cut_off_keep_theirs_and_the_overdraft_is_paid_back),
      TEST(members_that_are_cut_off_and_yield_make_no_overdraft),
  };
  const struct CMUnitTest redis[] = {
      TEST(a_network_of_100_ms_a_round_trip_takes_nothing_from_anybody),
      TEST(members_keep_what_they_have_while_the_ledger_returns_errors),
      TEST(members_keep_what_they_have_while_the_ledger_is_full),
      TEST(a_ledger_that_was_wiped_grants_nothing_twice),
      TEST(a_member_with_another_password_has_its_floor),
  };
  const struct CMUnitTest etcd[] = {
      TEST(members_keep_what_they_have_while_etcd_wants_a_password),
  };
  int failed = RUN(everywhere);
  if (!failed && scene.ledger != SCENE_HOST)
    failed = RUN(far);
  if (!failed && scene.ledger == SCENE_REDIS)
    failed = RUN(redis);
  if (!failed && scene.ledger == SCENE_ETCD)
    failed = RUN(etcd);
  return failed;
}

int main(int argc, char **argv)
{
  if (!scene_begin(argc, argv))
    return 2;
  int failed = run();
  scene_end();
  return failed;
}
