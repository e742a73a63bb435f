/* SPDX-License-Identifier: MIT */
/* Nothing overdue is lent, and none gets older than its lifetime, whether a thread or the program keeps the time, and
 * however late. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "steps.h"
#include "virtual.h"
#include "witness.h"

/* A fake server that notes when each connection was opened, checked and closed, with the time the machine slept. */
enum { MOST = 20000 };
struct server {
  struct fake fake; /* the first member: the callbacks' context */
  _Atomic int64_t opened_ns[MOST], checked_ns[MOST], closed_ns[MOST];
  int64_t put_ns[MOST]; /* of the test */
  int64_t open_takes_ns;
};

static int timed_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  struct server *server = context;
  int64_t began_ns = clock_boot();
  int code = fake_open(context, deadline_ns, conn, error);
  if (code)
    return code;
  struct fake_conn *made = *conn;
  must(made->number < MOST);
  server->opened_ns[made->number] = began_ns;
  if (server->open_takes_ns)
    virtual_advance(server->open_takes_ns);
  return 0;
}

static int timed_check(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  struct server *server = context;
  server->checked_ns[((struct fake_conn *)conn)->number] = clock_boot();
  return fake_check(context, conn, deadline_ns, error);
}

static int timed_close(void *context, void *conn, pool_error_t *error)
{
  struct server *server = context;
  server->closed_ns[((struct fake_conn *)conn)->number] = clock_boot();
  return fake_close(context, conn, error);
}

static struct server server;
static struct fake *const fake = &server.fake;

/* ---- ways of keeping the time ---- */

static const struct keeping {
  const char *name;
  int32_t keeper, openers;
  bool maintained; /* the test calls pool_maintain() when it is due */
} keepings[] = {{"a thread", POOL_KEEPER_THREAD, 0, false},   {"a thread and openers", POOL_KEEPER_THREAD, 2, false},
                {"the program", POOL_KEEPER_MANUAL, 0, true}, {"the program and openers", POOL_KEEPER_MANUAL, 2, true},
                {"nobody", POOL_KEEPER_MANUAL, 0, false},     {"nobody and openers", POOL_KEEPER_MANUAL, 2, false}};
/* The program, the first that nobody keeps, and the end. */
#define PROGRAM  (keepings + 2)
#define NOBODY   (keepings + 4)
#define KEEPINGS (keepings + sizeof keepings / sizeof *keepings)

/* Those of the test that runs. */
static const struct keeping *keeping;
static pool_t *pool; /* NULL: it is closed */
static pool_config_t config;
static int threads_before;
static struct getter getter; /* what may still run where a test fails is not in its frame */
static struct heard told;

#define LIMIT (800 * MILLISECOND)

enum { IDLE_TIMEOUT = 1, CHECK_AFTER = 2, LIFETIME = 4, ALL_POLICIES = 8 };

static void set_policies(int policies)
{
  if (policies & IDLE_TIMEOUT)
    config.idle_timeout_ms = LIMIT / MILLISECOND;
  if (policies & CHECK_AFTER)
    config.check_after_ms = LIMIT / MILLISECOND;
  if (policies & LIFETIME)
    config.max_lifetime_ms = 4 * LIMIT / MILLISECOND;
}

/* A plan of a pool on this server. */
#define TIMED(...)                                                                                                     \
  PLAN(.vtable.open = timed_open, .vtable.close = timed_close, .vtable.check = timed_check, .config.max_idle = 100,    \
       __VA_ARGS__)

/* A pool with these policies, kept as `keeping` says. */
static void start(int policies, const struct plan *plan)
{
  threads_before = thread_count_at_rest();
  memset(&server, 0, sizeof server);
  fake_init(fake);
  config = plan->config;
  config.keeper = keeping->keeper;
  config.openers = keeping->openers;
  set_policies(policies);
  pool = fake_pool(fake, &config, &plan->vtable);
}

static void end(void)
{
  pool_t *ending = pool;
  virtual_advance(0); /* one that sleeps beyond its moment wakes */
  pool = NULL;
  fake_finish(fake, ending);
}

/* After a test that failed: or its threads would go on, and the next test would wait for their end. */
static int give_up(void **state)
{
  (void)state;
  virtual_advance(0);
  if (pool)
    pool_close(pool, 0);
  pool_free(pool);
  pool = NULL;
  return 0;
}

/* The library's threads have done what there is to do; the others are those that the process had before. */
static bool all_sleep(void)
{
  return thread_count() == threads_before + virtual_sleepers() && virtual_next_deadline() > virtual_now();
}

/* Lets time pass: the threads that keep it have done what is due before it goes on. */
static void pass(int64_t ns)
{
  int64_t end_ns = virtual_now() + ns;
  if (keeping->maintained)
    virtual_pass(pool, ns);
  virtual_advance(0); /* wakes a thread that slept past its deadline */
  wait_until(all_sleep());
  while (virtual_now() < end_ns) {
    int64_t next_ns = virtual_next_deadline();
    virtual_advance((next_ns < end_ns ? next_ns : end_ns) - virtual_now());
    wait_until(all_sleep());
  }
}

/* ---- gets and puts that are looked at ---- */

/* By how much a time may be missed while connections are in use: a quarter where somebody looks now and then. */
static int64_t slack_ns;

/* What a get got is not overdue. */
static void assert_in_time(pool_lease_t lease)
{
  assert_true(lease > 0);
  int number = fake_number(lease);
  int64_t now = clock_boot(),
          idle_ns = server.put_ns[number] ? now - server.put_ns[number] : now - server.opened_ns[number];
  if (config.max_lifetime_ms > 0)
    assert_in_range(now - server.opened_ns[number], 0, config.max_lifetime_ms * MILLISECOND - 1);
  if (config.idle_timeout_ms > 0)
    assert_in_range(idle_ns, 0, config.idle_timeout_ms * MILLISECOND + slack_ns - 1);
  if (config.check_after_ms > 0 && idle_ns >= config.check_after_ms * MILLISECOND + slack_ns)
    assert_true(server.checked_ns[number] == now);
}

static pool_lease_t get(void)
{
  pool_lease_t lease = pool_get(pool);
  assert_in_time(lease);
  fake_use(lease);
  return lease;
}

static void put(pool_lease_t lease)
{
  server.put_ns[fake_number(lease)] = clock_boot();
  assert_int_equal(pool_put(lease), 0);
}

static void get_and_put(void)
{
  put(get());
}

/* Several at a time, so that all that are idle are lent. */
static void get_and_put_all(void)
{
  pool_lease_t leases[5];
  for (int i = 0; i < 5; i++)
    leases[i] = get();
  for (int i = 0; i < 5; i++)
    put(leases[i]);
}

/* ---- stops ---- */

static void freeze(int64_t ns)
{
  virtual_freeze(ns);
}

/* Stops a program that was in the middle of its work, in one way or another, and looks at what it gets when it goes on.
 */
static void stop_and_get(int policies, void stop(int64_t ns), int64_t ns, bool thaws)
{
  start(policies, TIMED(.config.initial = 5));
  for (int i = 0; i < 20; i++) {
    get_and_put_all();
    pass(LIMIT / 20 + i * MILLISECOND);
  }
  get_and_put_all();
  stop(ns);
  if (thaws) /* a keeper that wakes first must not take the stop for use */
    pass(0);
  get_and_put_all();
  int opened = fake->opened, checked = fake->checked;
  get_and_put_all();
  assert_int_equal(fake->opened, opened); /* what was got just now is good */
  assert_int_equal(fake->checked, checked);
  end();
}

static void stop_in_every_way(void stop(int64_t ns))
{
  static const int64_t lengths[] = {LIMIT / 2,           LIMIT - MILLISECOND, LIMIT,
                                    LIMIT + MILLISECOND, 3 * LIMIT,           100000 * LIMIT};
  for (keeping = keepings; keeping < KEEPINGS; keeping++)
    for (int policies = 1; policies < ALL_POLICIES; policies++)
      for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
        for (int thaws = 0; thaws <= 1; thaws++)
          stop_and_get(policies, stop, lengths[l], thaws);
}

static void test_overdue__nothing_overdue_is_lent_after_a_stop(void **state)
{
  (void)state;
  stop_in_every_way(freeze);
}

static void test_overdue__nothing_overdue_is_lent_after_the_machine_slept(void **state)
{
  (void)state;
  stop_in_every_way(virtual_suspend);
}

static void test_overdue__one_that_was_idle_all_the_time_is_judged_to_the_nanosecond(void **state)
{
  (void)state;
  for (keeping = keepings; keeping < KEEPINGS; keeping++)
    for (int late = 0; late <= 1; late++) {
      start(CHECK_AFTER, TIMED(.config.initial = 1));
      pass(0); /* a keeper has looked */
      virtual_freeze(LIMIT - 1 + late);
      get_and_put();
      assert_int_equal(fake->checked, late);
      assert_int_equal(fake->opened, 1);
      end();
    }
}

/* Random use of a few connections, with stops of all lengths; each get is looked at. */
static void use_at_random(int policies, uint64_t *random)
{
  start(policies, TIMED(.config.max_open = 4));
  pool_lease_t leases[4] = {0};
  slack_ns = keeping->maintained || keeping->keeper == POOL_KEEPER_THREAD ? LIMIT / 4 : 0;
  for (int i = 0; i < 300; i++) {
    int which = (int)(random_next(random) % 4);
    if (leases[which]) {
      put(leases[which]);
      leases[which] = 0;
    } else {
      leases[which] = get();
    }
    switch (random_next(random) % 8) {
    case 0:
      pass(random_next(random) % (2 * LIMIT));
      break;
    case 1:
      virtual_freeze(random_next(random) % (2 * LIMIT));
      break;
    case 2:
      virtual_suspend(random_next(random) % (2 * LIMIT));
      break;
    case 3:
      virtual_freeze(random_next(random) % LIMIT);
      pass(0);
      break;
    default:
      pass(random_next(random) % (LIMIT / 8));
    }
  }
  for (int i = 0; i < 4; i++)
    if (leases[i])
      put(leases[i]);
  slack_ns = 0;
  end();
}

static void test_overdue__nothing_overdue_is_lent_in_any_history(void **state)
{
  (void)state;
  uint64_t random = 11;
  for (int round = 0; round < 5; round++)
    for (keeping = keepings; keeping < KEEPINGS; keeping++)
      for (int policies = 1; policies < ALL_POLICIES; policies++)
        use_at_random(policies, &random);
}

/* ---- what is in use is left alone ---- */

static void test_overdue__what_is_used_is_neither_checked_nor_closed(void **state)
{
  (void)state;
  for (keeping = keepings; keeping < KEEPINGS; keeping++)
    for (int64_t pause_ns = MILLISECOND; pause_ns <= LIMIT * 3 / 4; pause_ns *= 3) {
      start(IDLE_TIMEOUT | CHECK_AFTER, TIMED());
      for (int i = 0; i < 100; i++) {
        get_and_put();
        pass(pause_ns);
      }
      assert_int_equal(fake->opened, 1);
      assert_int_equal(fake->checked, 0);
      end();
    }
}

static void test_overdue__long_leases_are_not_idleness_though_nobody_looks(void **state)
{
  (void)state;
  for (keeping = NOBODY; keeping < KEEPINGS; keeping++) {
    start(IDLE_TIMEOUT | CHECK_AFTER, TIMED());
    for (int i = 0; i < 10; i++) {
      pool_lease_t lease = get();
      virtual_advance((i + 1) * LIMIT / 3);
      put(lease);
      virtual_advance(LIMIT / 6);
    }
    assert_int_equal(fake->opened, 1);
    assert_int_equal(fake->checked, 0);
    end();
  }
}

static void test_overdue__a_long_lease_is_not_idleness_where_somebody_looks(void **state)
{
  (void)state;
  for (keeping = keepings; keeping < NOBODY; keeping++) {
    start(IDLE_TIMEOUT | CHECK_AFTER, TIMED());
    for (int i = 0; i < 10; i++) {
      pool_lease_t lease = get();
      for (int j = 0; j <= 2 * i; j++) {
        get_and_put(); /* another, which never stands still */
        pass(LIMIT / 6);
      }
      put(lease);
      for (int j = 0; j < 3; j++) {
        pass(LIMIT / 6);
        pool_lease_t other = get();
        get_and_put();
        put(other);
      }
    }
    assert_int_equal(fake->opened, 2);
    assert_int_equal(fake->checked, 0);
    end();
  }
}

static void test_overdue__a_wall_clock_that_is_set_changes_nothing(void **state)
{
  (void)state;
  static const int64_t jumps[] = {3600 * SECOND, -3600 * SECOND, LIMIT, -LIMIT, LIMIT / 16, -LIMIT / 16};
  for (keeping = keepings; keeping < KEEPINGS; keeping++)
    for (size_t j = 0; j < sizeof jumps / sizeof *jumps; j++) {
      start(IDLE_TIMEOUT | CHECK_AFTER, TIMED());
      for (int i = 0; i < 20; i++) {
        get_and_put();
        virtual_set_wall(jumps[j]);
        pass(LIMIT / 10);
      }
      assert_int_equal(fake->opened, 1);
      assert_int_equal(fake->checked, 0);
      virtual_freeze(2 * LIMIT);
      get_and_put();
      assert_int_equal(fake->opened, 2);
      end();
    }
}

static void test_overdue__those_that_min_idle_keeps_are_lent_however_idle(void **state)
{
  (void)state;
  for (keeping = keepings; keeping < KEEPINGS; keeping++) {
    start(IDLE_TIMEOUT, TIMED(.config.initial = 1, .config.min_idle = 1, .config.max_open = 1));
    pass(0);
    for (int i = 0; i < 5; i++) {
      virtual_freeze(3 * LIMIT);
      assert_int_equal(pool_put(pool_get(pool)), 0);
    }
    assert_int_equal(fake->opened, 1);
    end();
  }
}

/* ---- other ways to be lent ---- */

static void test_overdue__a_get_that_changed_its_mind_makes_nothing_young(void **state)
{
  (void)state;
  for (keeping = keepings; keeping < KEEPINGS; keeping++) {
    start(CHECK_AFTER, TIMED());
    get_and_put();
    get_and_put(); /* the fast way from now on */
    virtual_freeze(LIMIT * 9 / 10);
    pool_pause(pool);
    assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
    pool_resume(pool);
    virtual_freeze(LIMIT / 10 + MILLISECOND);
    get_and_put();
    assert_int_equal(fake->checked, 1);
    end();
  }
}

static void test_overdue__who_waits_is_not_handed_what_is_overdue(void **state)
{
  (void)state;
  for (keeping = keepings; keeping < KEEPINGS; keeping++)
    for (int32_t fairness_us = 0; fairness_us <= 1000; fairness_us += 1000) {
      start(CHECK_AFTER | IDLE_TIMEOUT, TIMED(.config.fairness_us = fairness_us, .config.max_open = 1));
      get_and_put();
      get_and_put();
      pool_pause(pool);
      getter = (struct getter){0};
      getter_queue(&getter, pool, -1);
      virtual_freeze(2 * LIMIT);
      pool_resume(pool);
      assert_true(getter_end(&getter) > 0);
      assert_int_equal(getter.number, 1);
      end();
    }
}

static void test_overdue__who_waits_is_handed_what_was_put_after_a_long_lease(void **state)
{
  (void)state;
  for (keeping = keepings; keeping < KEEPINGS; keeping++)
    for (int32_t fairness_us = 0; fairness_us <= 1000; fairness_us += 1000) {
      start(CHECK_AFTER | IDLE_TIMEOUT, TIMED(.config.fairness_us = fairness_us, .config.max_open = 1));
      get_and_put(); /* a first lease is timed, and noted in any case */
      pool_lease_t lease = get();
      getter = (struct getter){0};
      getter_queue(&getter, pool, -1);
      virtual_freeze(2 * LIMIT);
      put(lease);
      assert_true(getter_end(&getter) > 0);
      assert_int_equal(getter.number, 0);
      assert_int_equal(fake->checked, 0);
      end();
    }
}

static void test_overdue__a_thread_s_last_one_may_have_been_another_s_since(void **state)
{
  (void)state;
  for (keeping = keepings; keeping < KEEPINGS; keeping++) {
    start(CHECK_AFTER, TIMED());
    get_and_put();
    get_and_put();
    getter = (struct getter){0};
    getter_start(&getter, pool, -1);
    assert_true(getter_end(&getter) > 0);
    virtual_freeze(LIMIT);
    get_and_put();
    assert_int_equal(fake->checked, 1);
    end();
  }
}

static void test_overdue__what_is_too_old_is_not_checked_first(void **state)
{
  (void)state;
  for (keeping = keepings; keeping < KEEPINGS; keeping++) {
    start(CHECK_AFTER | LIFETIME, TIMED(.config.initial = 1));
    pass(2 * LIMIT); /* its check is due */
    virtual_freeze(2 * LIMIT);
    get_and_put();
    assert_int_equal(fake->checked, 0);
    assert_int_equal(fake->opened, 2);
    end();
  }
}

static void test_overdue__an_asynchronous_get_is_not_given_what_is_overdue(void **state)
{
  (void)state;
  for (keeping = keepings; keeping < KEEPINGS; keeping++) {
    start(CHECK_AFTER,
          TIMED(.config.max_open = 1)); /* a new one needs no check, and while one is checked there is room */
    get_and_put();
    get_and_put();
    virtual_freeze(2 * LIMIT);
    told = (struct heard){0};
    ask(pool, -1, &told);
    wait_until((keeping->keeper == POOL_KEEPER_THREAD || pool_maintain(pool) >= 0) && told.times == 1);
    assert_in_time(told.result);
    assert_in_range(fake->checked, 1, 2); /* the keeper may have it checked once more before it is lent */
    assert_int_equal(pool_put(told.result), 0);
    end();
  }
}

static void test_overdue__an_asynchronous_get_takes_the_place_of_what_is_too_old(void **state)
{
  (void)state;
  for (keeping = keepings; keeping < KEEPINGS; keeping++)
    for (int policies = IDLE_TIMEOUT; policies <= LIFETIME; policies += LIFETIME - IDLE_TIMEOUT) {
      start(policies, TIMED(.config.max_open = 1));
      get_and_put();
      get_and_put();
      virtual_freeze(4 * LIMIT);
      told = (struct heard){0};
      ask(pool, -1, &told);
      wait_until((keeping->keeper == POOL_KEEPER_THREAD || pool_maintain(pool) >= 0) && told.times == 1);
      assert_in_time(told.result);
      assert_int_equal(fake_number(told.result), 1);
      assert_int_equal(fake->checked, 0);
      assert_int_equal(pool_put(told.result), 0);
      end();
    }
}

/* ---- the step API ---- */

static int connections[2];

static void test_overdue__a_step_asks_for_the_check_or_close_first(void **state)
{
  (void)state;
  for (int policies = 1; policies < ALL_POLICIES; policies++)
    for (int suspended = 0; suspended <= 1; suspended++) {
      pool_step_t step = POOL_STEP_INIT;
      config = PLAN()->config;
      set_policies(policies);
      pool = step_pool(&(struct plan){.config = config});
      step_put(step_open(pool, &connections[0]));
      for (int i = 0; i < 5; i++) {
        virtual_advance(LIMIT / 4);
        pool_lease_t lease = pool_step_begin(pool, 0, 0, &step);
        assert_true(lease > 0 && step.work == POOL_WORK_NONE);
        step_put(lease);
      }
      suspended ? virtual_suspend(4 * LIMIT) : virtual_freeze(4 * LIMIT);
      assert_works(pool, 0, 0, policies == CHECK_AFTER ? POOL_WORK_CHECK : POOL_WORK_CLOSE, &step);
      assert_true(step.conn == &connections[0]);
      if (policies == CHECK_AFTER) {
        step_put(pool_step_done(step.claim, NULL, NULL, &step));
      } else {
        assert_int_equal(step.reason, policies & LIFETIME ? POOL_REASON_LIFETIME : POOL_REASON_IDLE);
        assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
      }
      pool_free(pool);
      pool = NULL;
    }
}

/* Of two that are overdue one is closed, and the other stays because of min_open. */
static void test_overdue__a_step_asks_for_no_check_that_its_caller_cannot_make(void **state)
{
  (void)state;
  pool_lease_t leases[2], lease = 0;
  pool = step_pool(PLAN(.config.max_open = 2, .config.min_open = 1, .config.fairness_us = 0,
                        .config.idle_timeout_ms = LIMIT / MILLISECOND));
  step_open_all(pool, leases, 2, connections);
  step_put(leases[0]);
  step_put(leases[1]);
  virtual_freeze(4 * LIMIT);
  pool_pause(pool);
  int64_t ticket = step_queue(pool, -1);
  pool_resume(pool);
  for (; !lease; ticket = 0) {
    pool_step_t step = POOL_STEP_INIT;
    lease = pool_step_begin(pool, -1, ticket, &step);
    assert_true(lease > 0 || step.work == POOL_WORK_CLOSE);
    if (step.work)
      assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  }
  step_put(lease);
  pool_free(pool);
  pool = NULL;
}

static void test_overdue__an_asynchronous_get_is_given_what_stays_however_idle(void **state)
{
  (void)state;
  for (keeping = NOBODY; keeping < KEEPINGS; keeping++) {
    start(IDLE_TIMEOUT, TIMED(.config.max_open = 2, .config.min_open = 1, .vtable.check = NULL));
    pool_lease_t leases[2];
    leases_get(pool, leases, 2);
    leases_put(leases, 2);
    virtual_freeze(4 * LIMIT);
    told = (struct heard){0};
    ask(pool, -1, &told);
    wait_until(pool_maintain(pool) >= 0 && told.times == 1);
    assert_true(told.result > 0);
    assert_int_equal(fake->opened, 2);
    assert_int_equal(pool_put(told.result), 0);
    end();
  }
}

/* ---- lifetimes ---- */

#define LIFE (4000 * MILLISECOND)

#define MORTAL(...) TIMED(.config.max_lifetime_ms = LIFE / MILLISECOND, __VA_ARGS__)

/* None that was idle stayed open beyond its limit. */
static void assert_none_too_old(void)
{
  for (int i = 0; i < fake->opened; i++) {
    int64_t end_ns = server.closed_ns[i] ? server.closed_ns[i] : clock_boot();
    assert_in_range(end_ns - server.opened_ns[i], 0, LIFE);
  }
}

enum shrinking { BY_RESIZE, BY_FLUSH, BY_TRIM, GROWING, WAYS };

static void shrink(enum shrinking way)
{
  pool_lease_t leases[60];
  switch (way) {
  case BY_RESIZE:
    pool_resize(pool, 3);
    break;
  case BY_FLUSH:
    pool_flush(pool);
    break;
  case BY_TRIM:
    for (int i = 0; i < 40; i++)
      pool_mark_unusable(leases[i] = get());
    for (int i = 0; i < 40; i++)
      put(leases[i]);
    break;
  default:
    for (int i = 0; i < 60; i++)
      leases[i] = get();
    for (int i = 0; i < 60; i++)
      put(leases[i]);
  }
}

static void test_overdue__none_gets_older_than_its_lifetime_when_the_pool_changes_its_size(void **state)
{
  (void)state;
  static const int32_t percents[] = {1, 2, 10, 33, 100};
  keeping = PROGRAM;
  for (int way = 0; way < WAYS; way++)
    for (size_t p = 0; p < sizeof percents / sizeof *percents; p++)
      for (int64_t when_ns = LIFE / 10; when_ns < LIFE; when_ns += LIFE / 10) {
        start(0, MORTAL(.config.retire_percent = percents[p], .config.initial = way == BY_TRIM ? 50 : 40,
                        .config.max_idle = 60));
        pass(when_ns);
        shrink(way);
        if (way != GROWING)
          assert_true(stats_of(pool).open <= 40);
        pass(3 * LIFE);
        assert_none_too_old();
        assert_int_equal(stats_of(pool).open, 0);
        end();
      }
}

/* Those that remain were given their ends when forty shared an interval's share. */
static void test_overdue__the_limit_wins_where_few_are_left(void **state)
{
  (void)state;
  keeping = PROGRAM;
  for (int percent = 1; percent <= 10; percent += 9) {
    start(0, MORTAL(.config.retire_percent = percent, .config.initial = 40));
    pass(LIFE / 2);
    assert_int_equal(pool_resize(pool, 30), 0);
    pass(LIFE / 2);
    assert_none_too_old();
    assert_int_equal(stats_of(pool).open, 0);
    assert_int_equal(stats_of(pool).closed_lifetime, 30);
    end();
  }
}

static void test_overdue__after_a_day_of_sleep_all_that_are_too_old_go_at_once(void **state)
{
  (void)state;
  for (keeping = keepings; keeping < NOBODY; keeping++)
    for (int frozen = 0; frozen <= 1; frozen++) {
      start(0, MORTAL(.config.initial = 40, .config.min_idle = 40));
      pass(LIFE / 2);
      frozen ? virtual_freeze(86400 * SECOND) : virtual_suspend(86400 * SECOND);
      int64_t woke_ns = clock_boot();
      pass(0);
      pass(LIFE / 2); /* a thread sleeps on until the moment it knows of */
      assert_true(stats_of(pool).closed_lifetime >= 40);
      for (int i = 0; i < 40; i++)
        assert_in_range(server.closed_ns[i], woke_ns, woke_ns + (keeping < PROGRAM && !frozen ? LIFE / 2 : 0));
      end();
    }
}

static void test_overdue__a_stop_that_ends_before_the_limit_keeps_the_ends_apart(void **state)
{
  (void)state;
  keeping = PROGRAM;
  start(0, MORTAL(.config.initial = 40, .config.min_idle = 40));
  pass(LIFE / 2);
  virtual_freeze(LIFE * 3 / 10); /* some should have gone by now */
  pool_maintain(pool);
  assert_int_equal(fake->closed, 4);
  pass(LIFE / 5);
  assert_none_too_old();
  end();
}

static void test_overdue__one_that_is_lent_at_its_limit_is_closed_when_it_comes_back(void **state)
{
  (void)state;
  for (keeping = keepings; keeping < NOBODY; keeping++) {
    start(0, MORTAL());
    pool_lease_t lease = get();
    pass(2 * LIFE);
    assert_int_equal(fake->closed, 0);
    put(lease);
    assert_int_equal(fake->closed, 1);
    end();
  }
}

static void test_overdue__a_lifetime_counts_from_when_the_open_began(void **state)
{
  (void)state;
  keeping = PROGRAM;
  for (int64_t takes_ns = 0; takes_ns <= LIFE / 4; takes_ns += LIFE / 8) {
    start(0, MORTAL());
    server.open_takes_ns = takes_ns;
    get_and_put();
    pass(2 * LIFE);
    assert_none_too_old();
    end();
  }
  /* One whose open took longer than a lifetime is of use all the same. */
  start(0, MORTAL());
  server.open_takes_ns = 2 * LIFE;
  assert_int_equal(pool_put(pool_get(pool)), 0);
  pass(LIFE / 4);
  assert_int_equal(pool_put(pool_get(pool)), 0);
  assert_int_equal(fake->opened, 1);
  end();
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(test_overdue__nothing_overdue_is_lent_after_a_stop, give_up),
      cmocka_unit_test_teardown(test_overdue__nothing_overdue_is_lent_after_the_machine_slept, give_up),
      cmocka_unit_test_teardown(test_overdue__one_that_was_idle_all_the_time_is_judged_to_the_nanosecond, give_up),
      cmocka_unit_test_teardown(test_overdue__nothing_overdue_is_lent_in_any_history, give_up),
      cmocka_unit_test_teardown(test_overdue__what_is_used_is_neither_checked_nor_closed, give_up),
      cmocka_unit_test_teardown(test_overdue__long_leases_are_not_idleness_though_nobody_looks, give_up),
      cmocka_unit_test_teardown(test_overdue__a_long_lease_is_not_idleness_where_somebody_looks, give_up),
      cmocka_unit_test_teardown(test_overdue__a_wall_clock_that_is_set_changes_nothing, give_up),
      cmocka_unit_test_teardown(test_overdue__those_that_min_idle_keeps_are_lent_however_idle, give_up),
      cmocka_unit_test_teardown(test_overdue__a_get_that_changed_its_mind_makes_nothing_young, give_up),
      cmocka_unit_test_teardown(test_overdue__who_waits_is_not_handed_what_is_overdue, give_up),
      cmocka_unit_test_teardown(test_overdue__who_waits_is_handed_what_was_put_after_a_long_lease, give_up),
      cmocka_unit_test_teardown(test_overdue__a_thread_s_last_one_may_have_been_another_s_since, give_up),
      cmocka_unit_test_teardown(test_overdue__what_is_too_old_is_not_checked_first, give_up),
      cmocka_unit_test_teardown(test_overdue__an_asynchronous_get_is_not_given_what_is_overdue, give_up),
      cmocka_unit_test_teardown(test_overdue__an_asynchronous_get_takes_the_place_of_what_is_too_old, give_up),
      cmocka_unit_test_teardown(test_overdue__a_step_asks_for_the_check_or_close_first, give_up),
      cmocka_unit_test_teardown(test_overdue__none_gets_older_than_its_lifetime_when_the_pool_changes_its_size,
                                give_up),
      cmocka_unit_test_teardown(test_overdue__the_limit_wins_where_few_are_left, give_up),
      cmocka_unit_test_teardown(test_overdue__after_a_day_of_sleep_all_that_are_too_old_go_at_once, give_up),
      cmocka_unit_test_teardown(test_overdue__a_stop_that_ends_before_the_limit_keeps_the_ends_apart, give_up),
      cmocka_unit_test_teardown(test_overdue__one_that_is_lent_at_its_limit_is_closed_when_it_comes_back, give_up),
      cmocka_unit_test_teardown(test_overdue__a_lifetime_counts_from_when_the_open_began, give_up),
      cmocka_unit_test_teardown(test_overdue__a_step_asks_for_no_check_that_its_caller_cannot_make, give_up),
      cmocka_unit_test_teardown(test_overdue__an_asynchronous_get_is_given_what_stays_however_idle, give_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
