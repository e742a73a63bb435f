/* SPDX-License-Identifier: MIT */
/* Corners where policies meet: each of these failed once. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "virtual.h"
#include "witness.h"

/* Whether it becomes true as time goes by. */
#define comes_true(condition)                                                                                          \
  __extension__({                                                                                                      \
    int64_t began_ = now_ns();                                                                                         \
    while (!(condition) && now_ns() - began_ < INT64_C(2000000000)) {                                                  \
      virtual_advance(10 * MILLISECOND);                                                                               \
      yield_ns();                                                                                                      \
    }                                                                                                                  \
    (condition);                                                                                                       \
  })

/* Time goes by, and the keeper has done what was due, and sleeps again. */
static void pass(int64_t ns)
{
  virtual_advance(ns);
  wait_until(virtual_sleepers() >= 1);
}

/* A server whose opens do what the test says. */
static struct server {
  struct fake fake; /* the first member: the callbacks' context */
  _Atomic int attempts, timeouts;
  _Atomic int hang_first; /* how many pass the gate, then end with a timeout */
} server;
static struct fake *const fake = &server.fake;

static int corner_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  atomic_fetch_add(&server.attempts, 1);
  if (atomic_load(&server.hang_first) > 0 && atomic_fetch_sub(&server.hang_first, 1) > 0) {
    gate_pass(&fake->opening);
    return POOL_E_TIMEOUT;
  }
  if (atomic_load(&server.timeouts) > 0) {
    atomic_fetch_sub(&server.timeouts, 1);
    return POOL_E_TIMEOUT;
  }
  return fake_open(context, deadline_ns, conn, error);
}

static pool_vtable_t corner_vtable(void)
{
  memset(&server, 0, sizeof server);
  fake_init(fake);
  pool_vtable_t vtable = fake_vtable();
  vtable.open = corner_open;
  return vtable;
}

static pool_config_t manual(void)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.keeper = POOL_KEEPER_MANUAL;
  return config;
}

/* ---- pool_maintain ends while the server is down ---- */

static void test_corner__maintaining_ends_though_no_refill_succeeds(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.min_idle = 1;
  pool_vtable_t vtable = corner_vtable();
  pool_t *pool = fake_pool(fake, &config, &vtable);
  atomic_store(&fake->fail_open, 10000);
  pool_maintain(pool);
  assert_in_range(server.attempts, 1, 10);
  fake_finish(fake, pool);
}

static void test_corner__maintaining_ends_though_refills_time_out(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.min_idle = 1;
  config.retry_min_ms = 100;
  pool_vtable_t vtable = corner_vtable();
  pool_t *pool = fake_pool(fake, &config, &vtable);
  atomic_store(&server.timeouts, 10000);
  pool_maintain(pool);
  assert_in_range(server.attempts, 1, 10);
  fake_finish(fake, pool);
}

static void test_corner__openers_back_off_when_opens_time_out(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  config.openers = 1;
  config.retry_min_ms = 100;
  pool_vtable_t vtable = corner_vtable();
  pool_t *pool = fake_pool(fake, &config, &vtable);
  atomic_store(&server.timeouts, 10000);
  struct getter getter = {0};
  getter_queue(&getter, pool, 1000);
  wait_until(server.attempts > 0);
  wait_until(virtual_sleepers() == 3); /* the waiter, the worker and the keeper: no time goes by */
  assert_in_range(server.attempts, 1, 10);
  atomic_store(&server.timeouts, 0);
  assert_true(comes_true(getter.result != 0));
  getter_end(&getter);
  fake_finish(fake, pool);
}

/* ---- the breaker closes ---- */

static pool_config_t breaking(void)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 4;
  config.breaker_after = 1;
  config.retry_min_ms = 100;
  return config;
}

static bool lends(pool_t *pool)
{
  pool_lease_t lease = pool_get_for(pool, 0);
  if (lease > 0)
    pool_put(lease);
  return lease > 0;
}

static void test_corner__the_breaker_closes_after_a_pause(void **state)
{
  (void)state;
  pool_config_t config = breaking();
  pool_vtable_t vtable = corner_vtable();
  pool_t *pool = fake_pool(fake, &config, &vtable);
  atomic_store(&fake->fail_open, 1);
  assert_int_equal(pool_get(pool), POOL_E_OPEN);
  assert_int_equal(stats_of(pool).breaker_opened, 1);
  assert_int_equal(pool_pause(pool), 0);
  for (int i = 0; i < 100; i++) {
    pass(100 * MILLISECOND);
  }
  assert_int_equal(pool_resume(pool), 0);
  assert_true(comes_true(lends(pool)));
  fake_finish(fake, pool);
}

/* One open hangs until its caller's deadline; meanwhile another fails, the breaker opens, and the keeper looks. */
static struct gate hanging;
static _Atomic int mode; /* 0: hang, then time out; 1: refuse; 2: open */

static int scripted_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  switch (atomic_load(&mode)) {
  case 0:
    gate_pass(&hanging);
    return POOL_E_TIMEOUT;
  case 1:
    return POOL_E_OPEN;
  default:
    return fake_open(context, deadline_ns, conn, error);
  }
}

static void test_corner__the_breaker_closes_after_the_deadline_of_a_get(void **state)
{
  (void)state;
  pool_config_t config = breaking();
  pool_vtable_t vtable = corner_vtable();
  vtable.open = scripted_open;
  gate_init(&hanging, false);
  atomic_store(&mode, 0);
  pool_t *pool = fake_pool(fake, &config, &vtable);
  struct getter getter = {0};
  getter_start(&getter, pool, 1000);
  wait_until(gate_waiting(&hanging) == 1);
  atomic_store(&mode, 1);
  assert_int_equal(pool_get(pool), POOL_E_OPEN); /* the breaker opens, and the keeper is started */
  wait_until(virtual_sleepers() == 1);
  pass(SECOND);
  atomic_store(&mode, 2);
  gate_set(&hanging, true);
  assert_int_equal(getter_end(&getter), POOL_E_TIMEOUT);
  assert_true(comes_true(lends(pool)));
  fake_finish(fake, pool);
}

/* ---- the event fd ---- */

static void test_corner__the_event_fd_is_quiet_when_nothing_can_be_done(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.min_idle = 2;
  config.max_open = 2;
  pool_vtable_t vtable = corner_vtable();
  pool_t *pool = fake_pool(fake, &config, &vtable);
  int fd = pool_event_fd(pool);
  pool_lease_t a = pool_get(pool), b = pool_get(pool);
  int rounds = 0;
  for (struct pollfd entry = {.fd = fd, .events = POLLIN}; rounds < 1000 && poll(&entry, 1, 0) == 1; rounds++)
    pool_maintain(pool);
  assert_in_range(rounds, 0, 10);
  pool_put(a);
  pool_put(b);
  fake_finish(fake, pool);
}

/* ---- the step API ---- */

static pool_lease_t step_get(pool_t *pool)
{
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = pool_step_begin(pool, 0, 0, &step);
  if (lease == 0 && step.work == POOL_WORK_OPEN)
    lease = pool_step_done(step.claim, NULL, &server, &step);
  return lease;
}

static void test_corner__a_stepped_pool_is_not_due_for_what_cannot_be_done(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.min_idle = 1;
  config.max_open = 1;
  pool_t *pool;
  assert_int_equal(pool_step_create(&config, 0, &pool, NULL), 0);
  pool_lease_t lease = step_get(pool);
  assert_true(lease > 0);
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_next(pool, &step), 0); /* nothing is to be done */
  int64_t due = pool_maintain(pool);
  assert_true(due > 0);
  pool_step_end(lease, &step);
  pool_free(pool);
}

static void test_corner__a_stepped_pool_with_an_open_breaker_names_its_probe(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.retry_min_ms = 100;
  config.breaker_after = 1;
  pool_t *pool;
  assert_int_equal(pool_step_create(&config, 0, &pool, NULL), 0);
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_begin(pool, 0, 0, &step), 0);
  assert_int_equal(step.work, POOL_WORK_OPEN);
  pool_step_done(step.claim, &failed_work, NULL, &step);
  virtual_advance(SECOND);
  assert_true(pool_maintain(pool) > 0 || pool_step_next(pool, &step) == 1);
  pool_free(pool);
}

static void test_corner__what_was_opened_for_nobody_is_lent_to_nobody(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.min_idle = 1;
  pool_t *pool;
  assert_int_equal(pool_step_create(&config, 0, &pool, NULL), 0);
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_next(pool, &step), 1);
  assert_int_equal(step.work, POOL_WORK_OPEN);
  pool_lease_t lease = pool_step_done(step.claim, NULL, &server, &step);
  int64_t idle = stats_of(pool).idle;
  if (lease > 0)
    pool_step_end(lease, &step);
  pool_free(pool);
  assert_int_equal(lease, 0);
  assert_int_equal(idle, 1);
}

/* A ticket waits for the back-off to end: somebody says so when it does. */
static void test_corner__a_ticket_is_woken_when_the_back_off_is_over(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.retry_min_ms = 100;
  pool_t *pool;
  assert_int_equal(pool_step_create(&config, 0, &pool, NULL), 0);
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_begin(pool, 0, 0, &step), 0);
  pool_step_done(step.claim, &failed_work, NULL, &step);
  assert_int_equal(pool_step_begin(pool, 10000, 0, &step), 0);
  int64_t ticket = step.ticket;
  assert_true(ticket > 0);
  bool woken = false;
  int at_once = 0;
  for (int i = 0; i < 50 && !woken; i++) {
    int64_t due = pool_maintain(pool);
    at_once += due == 0;
    while (!woken && pool_step_next(pool, &step) == 1)
      woken = step.wake == ticket;
    virtual_advance(10 * MILLISECOND);
  }
  assert_true(woken);
  assert_true(pool_maintain(pool) > 0); /* there is nothing else to do */
  assert_in_range(at_once, 0, 3);
  assert_int_equal(pool_step_begin(pool, 10000, ticket, &step), 0);
  assert_int_equal(step.work, POOL_WORK_OPEN);
  pool_lease_t lease = pool_step_done(step.claim, NULL, &server, &step);
  assert_true(lease > 0);
  pool_step_end(lease, &step);
  pool_free(pool);
}

/* The only place is taken by a connection under suspicion: that is the one to probe. */
static void test_corner__the_breaker_closes_though_there_is_no_room(void **state)
{
  (void)state;
  pool_config_t config = breaking();
  config.max_open = 2;
  config.check_after_ms = 0;
  pool_vtable_t vtable = corner_vtable();
  vtable.check = fake_check;
  pool_t *pool = fake_pool(fake, &config, &vtable);
  pool_lease_t lease = pool_get(pool);
  assert_true(lease > 0);
  atomic_store(&fake->fail_open, 1000000);
  assert_int_equal(pool_get_for(pool, 0), POOL_E_OPEN);
  assert_int_equal(stats_of(pool).breaker_opened, 1);
  assert_int_equal(pool_resize(pool, 1), 0);
  pool_put(lease);
  atomic_store(&fake->fail_open, 0);
  assert_true(comes_true(lends(pool)));
  fake_finish(fake, pool);
}

/* ---- the queue ---- */

static void newest_first(const pool_config_t *config)
{
  pool_vtable_t vtable = corner_vtable();
  vtable.check = fake_check;
  pool_t *pool = fake_pool(fake, config, &vtable);
  pool_lease_t lease = pool_get(pool);
  _Atomic int turns = 0;
  struct getter getters[4];
  memset(getters, 0, sizeof getters);
  for (int i = 0; i < 4; i++) {
    getters[i].turns = &turns;
    getter_queue(&getters[i], pool, 100000);
    virtual_advance(MILLISECOND);
  }
  virtual_advance(201 * MILLISECOND);
  assert_int_equal(pool_put(lease), 0);
  for (int i = 0; i < 4; i++)
    assert_true(getter_end(&getters[i]) > 0);
  for (int i = 0; i < 4; i++)
    assert_int_equal(getters[i].turn, 4 - i);
  fake_finish(fake, pool);
}

static void test_corner__the_newest_are_first_though_overtaking_is_fair_for_long(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.max_open = 1;
  config.queue = POOL_QUEUE_LIFO;
  config.fairness_us = INT32_MAX;
  newest_first(&config);
}

static void test_corner__the_newest_are_first_though_each_is_checked(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.max_open = 1;
  config.queue = POOL_QUEUE_LIFO;
  config.check_after_ms = 0;
  newest_first(&config);
}

static void test_corner__a_wait_that_ends_with_an_open_is_counted(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.max_open = 1;
  pool_vtable_t vtable = corner_vtable();
  pool_t *pool = fake_pool(fake, &config, &vtable);
  pool_lease_t lease = pool_get(pool);
  struct getter getter = {0};
  getter_queue(&getter, pool, 10000);
  virtual_advance(SECOND);
  pool_mark_unusable(lease);
  pool_put(lease);
  assert_true(getter_end(&getter) > 0);
  assert_int_equal(stats_of(pool).waited, 1);
  assert_int_equal(stats_of(pool).wait.count, 1);
  fake_finish(fake, pool);
}

/* ---- pauses ---- */

static void test_corner__a_paused_pool_does_not_lend_what_was_being_opened(void **state)
{
  (void)state;
  pool_config_t config = manual();
  pool_vtable_t vtable = corner_vtable();
  pool_t *pool = fake_pool(fake, &config, &vtable);
  gate_set(&fake->opening, false);
  struct getter getter = {0};
  getter_start(&getter, pool, 100000);
  wait_until(gate_waiting(&fake->opening) == 1);
  assert_int_equal(pool_pause(pool), 1); /* not quiet: it is being opened */
  gate_set(&fake->opening, true);
  wait_until(getter.result != 0 || (stats_of(pool).opening == 0 && stats_of(pool).waiting == 1));
  pool_lease_t result = getter.result;
  assert_int_equal(pool_resume(pool), 0);
  assert_true(getter_end(&getter) > 0);
  fake_finish(fake, pool);
  assert_int_equal(result, 0);
}

/* ---- pool_leases ---- */

static void test_corner__a_list_of_a_wrong_size_is_not_written_to(void **state)
{
  (void)state;
  pool_config_t config = manual();
  pool_vtable_t vtable = corner_vtable();
  pool_t *pool = fake_pool(fake, &config, &vtable);
  pool_lease_t leases[3];
  for (int i = 0; i < 3; i++)
    leases[i] = pool_get(pool);
  static char memory[65536];
  static const size_t sizes[] = {0, 1, 7, 31, 5000, 20000};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    memset(memory, 0x55, sizeof memory);
    memcpy(memory, &sizes[i], sizeof sizes[i]);
    assert_int_equal(pool_leases(pool, (pool_lease_info_t *)memory, 3), sizes[i] > 4096 ? POOL_E_WILD : POOL_E_SIZE);
    for (size_t at = sizeof(size_t); at < sizeof memory; at++)
      assert_int_equal(memory[at], 0x55);
  }
  for (int i = 0; i < 3; i++)
    pool_put(leases[i]);
  memcpy(memory, &sizes[1], sizeof sizes[1]);
  assert_int_equal(pool_leases(pool, (pool_lease_info_t *)memory, 3), POOL_E_SIZE); /* also when none is out */
  fake_finish(fake, pool);
}

/* ---- the keeper and slots in other hands ---- */

static void *put_it(void *data)
{
  pool_put(*(pool_lease_t *)data);
  return NULL;
}

/* The keeper looks while a connection is being reset. */
static void look_during_reset(const pool_config_t *config, int64_t held_ns)
{
  pool_vtable_t vtable = corner_vtable();
  vtable.reset = fake_reset;
  pool_t *pool = fake_pool(fake, config, &vtable);
  pool_lease_t lease = pool_get(pool);
  assert_true(lease > 0);
  wait_until(virtual_sleepers() == 1);
  for (int64_t held = 0; held < held_ns; held += 50 * MILLISECOND) {
    pass(50 * MILLISECOND);
  }
  gate_set(&fake->resetting, false);
  pthread_t thread = thread_start(put_it, &lease);
  wait_until(gate_waiting(&fake->resetting) == 1);
  for (int i = 0; i < 4; i++) {
    pass(500 * MILLISECOND);
  }
  wait_until(virtual_sleepers() == 1);
  gate_set(&fake->resetting, true);
  thread_end(thread);
  bool closed = comes_true(fake->closed == 1);
  fake_finish(fake, pool);
  assert_true(closed);
}

static void test_corner__idle_time_counts_after_a_long_reset(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  config.idle_timeout_ms = 1000;
  look_during_reset(&config, 2 * SECOND);
}

static void test_corner__a_lifetime_may_end_during_a_reset(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_lifetime_ms = 1000;
  look_during_reset(&config, 0);
}

/* A check takes long, and the keeper looks meanwhile: the lease that follows is watched all the same. */
static void test_corner__a_leak_after_a_long_check_is_found(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  config.leak_after_ms = 1000;
  config.check_after_ms = 0;
  config.initial = 1;
  pool_vtable_t vtable = corner_vtable();
  vtable.check = fake_check;
  pool_t *pool = fake_pool(fake, &config, &vtable);
  wait_until(virtual_sleepers() == 1);
  for (int i = 0; i < 10; i++) {
    pass(250 * MILLISECOND);
  }
  gate_set(&fake->checking, false);
  struct gate release;
  gate_init(&release, false);
  struct getter getter = {.release = &release};
  getter_start(&getter, pool, 1000000);
  wait_until(gate_waiting(&fake->checking) == 1);
  for (int i = 0; i < 10; i++) {
    pass(250 * MILLISECOND);
  }
  gate_set(&fake->checking, true);
  wait_until(stats_of(pool).leased == 1);
  bool found = comes_true(stats_of(pool).leaked == 1);
  gate_set(&release, true);
  assert_true(getter_end(&getter) > 0);
  fake_finish(fake, pool);
  assert_true(found);
}

/* ---- a pool that is freed in a callback ---- */

static struct heard told;

static pool_t *to_free;
static void free_on_leak(void *user, const pool_event_t *event)
{
  (void)user;
  if (event->event == POOL_EVENT_LEAKED)
    pool_free(to_free);
}

static void test_corner__a_pool_freed_while_it_is_maintained_ends_its_gets(void **state)
{
  (void)state;
  for (int openers = 0; openers < 2; openers++) {
    pool_config_t config = manual();
    config.max_open = 1;
    config.openers = openers;
    config.leak_after_ms = 1000;
    config.events = free_on_leak;
    pool_vtable_t vtable = corner_vtable();
    vtable.release = fake_release;
    memset(&told, 0, sizeof told);
    to_free = fake_pool(fake, &config, &vtable);
    pool_lease_t lease = pool_get(to_free);
    assert_true(lease > 0);
    assert_true(pool_get_async(to_free, -1, told_got, &told) > 0);
    pool_maintain(to_free);
    virtual_advance(2 * SECOND);
    pool_maintain(to_free);
    assert_int_equal(pool_put(lease), 0);
    wait_until(fake->open_now == 0);
    assert_true(comes_true(fake->released == 1));
    assert_int_equal(told.times, 1);
    assert_int_equal(told.result, POOL_E_CLOSED);
    assert_int_equal(fake->released, 1);
  }
}

/* ---- one kind of chore does not hold up the other ---- */

static void test_corner__a_check_that_hangs_holds_up_no_open(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 3;
  config.openers = 1;
  config.keepalive_ms = 1000;
  fake_init(fake);
  pool_vtable_t vtable = fake_vtable();
  vtable.check = fake_check;
  pool_t *pool = fake_pool(fake, &config, &vtable);
  gate_set(&fake->checking, false);
  assert_int_equal(pool_put(pool_get(pool)), 0);
  assert_true(comes_true(gate_waiting(&fake->checking) == 1));
  pool_lease_t lease = pool_get(pool); /* while the only idle one is being checked */
  assert_true(lease > 0);
  assert_int_equal(fake->opened, 2);
  gate_set(&fake->checking, true);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(fake, pool);
}

static void test_corner__resets_that_hang_hold_up_no_open(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 3;
  config.openers = 1;
  config.background_reset = 1;
  fake_init(fake);
  pool_vtable_t vtable = fake_vtable();
  vtable.reset = fake_reset;
  pool_t *pool = fake_pool(fake, &config, &vtable);
  gate_set(&fake->resetting, false);
  pool_lease_t leases[2] = {pool_get(pool), pool_get(pool)};
  assert_int_equal(pool_put(leases[0]), 0);
  assert_int_equal(pool_put(leases[1]), 0);
  wait_until(gate_waiting(&fake->resetting) == 1);
  pool_lease_t lease = pool_get(pool);
  assert_true(lease > 0);
  assert_int_equal(fake->opened, 3);
  gate_set(&fake->resetting, true);
  assert_int_equal(pool_put(lease), 0);
  wait_until(pool_len(pool) == 3);
  fake_finish(fake, pool);
}

/* ---- where nothing moves ---- */

static void test_corner__the_late_are_shed_though_nothing_moves(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.max_open = 1;
  config.queue = POOL_QUEUE_SHED;
  config.overload_after_ms = 100;
  fake_init(fake);
  pool_t *pool = fake_pool(fake, &config, NULL);
  pool_lease_t lease = pool_get(pool);
  struct getter getter = {0};
  struct heard asked = {0};
  getter_queue(&getter, pool, -1);
  assert_true(pool_get_async(pool, -1, told_got, &asked) > 0);
  virtual_pass(pool, 199 * MILLISECOND);
  assert_int_equal(stats_of(pool).waiting, 2);
  virtual_pass(pool, 2 * MILLISECOND);
  assert_int_equal(getter_end(&getter), POOL_E_OVERLOAD);
  wait_until((pool_maintain(pool), asked.times == 1));
  assert_int_equal(asked.result, POOL_E_OVERLOAD);
  assert_int_equal(stats_of(pool).overloaded, 2);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(fake, pool);
}

/* ---- what is known of a lease ---- */

static void test_corner__the_first_lease_of_each_pool_is_timed(void **state)
{
  (void)state;
  for (int i = 0; i < 3; i++) {
    fake_init(fake);
    pool_t *pool = fake_pool(fake, NULL, NULL);
    for (int j = 0; j < 10; j++) {
      pool_lease_t lease = pool_get(pool);
      virtual_advance(MILLISECOND);
      assert_int_equal(pool_put(lease), 0);
    }
    assert_int_equal(stats_of(pool).use.count, 1);
    assert_int_equal(stats_of(pool).use.max_ns, MILLISECOND);
    fake_finish(fake, pool);
  }
}

static void test_corner__closing_looks_who_holds_what(void **state)
{
  (void)state;
  pool_lease_info_t info = POOL_LEASE_INFO_INIT;
  fake_init(fake);
  pool_t *pool = fake_pool(fake, NULL, NULL);
  assert_int_equal(pool_put(pool_get(pool)), 0);
  pool_lease_t lease = pool_get(pool); /* not one that is timed */
  virtual_advance(SECOND);
  assert_int_equal(pool_close(pool, 0), 1);
  virtual_advance(SECOND);
  assert_int_equal(pool_leases(pool, &info, 1), 1);
  assert_true(info.lease == lease);
  assert_int_equal(info.held_ns, SECOND);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(fake, pool);
}

/* ---- deadlines and causes ---- */

static int slow_check(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)error;
  virtual_advance(50 * MILLISECOND);
  return fake_check(context, conn, deadline_ns, error);
}

static void test_corner__a_check_that_outlasts_the_deadline_is_the_next_ones(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.initial = config.max_open = 1;
  config.check_after_ms = 0;
  fake_init(fake);
  pool_vtable_t vtable = fake_vtable();
  vtable.check = slow_check;
  pool_t *pool = fake_pool(fake, &config, &vtable);
  assert_int_equal(pool_put(pool_get(pool)), 0);
  assert_int_equal(pool_get_for(pool, 20), POOL_E_TIMEOUT);
  assert_int_equal(pool_len(pool), 1);
  pool_lease_t lease = pool_get_for(pool, 100);
  assert_true(lease > 0);
  assert_int_equal(fake->opened, 1);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(fake, pool);
}

static void test_corner__a_get_that_times_out_in_the_back_off_says_why(void **state)
{
  (void)state;
  pool_error_t error = POOL_ERROR_INIT, late = POOL_ERROR_INIT;
  pool_config_t config = manual();
  config.retry_min_ms = config.retry_max_ms = 1000;
  fake_init(fake);
  pool_t *pool = fake_pool(fake, &config, NULL);
  fake->fail_open = 1;
  assert_int_equal(pool_get(pool), POOL_E_OPEN);
  pool_failure(&error);
  char *cause = strchr(error.message, ':');
  assert_non_null(cause);
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  pool_failure(&late);
  assert_non_null(strstr(late.message, cause));
  fake_finish(fake, pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_corner__maintaining_ends_though_no_refill_succeeds),
      cmocka_unit_test(test_corner__maintaining_ends_though_refills_time_out),
      cmocka_unit_test(test_corner__openers_back_off_when_opens_time_out),
      cmocka_unit_test(test_corner__the_breaker_closes_after_a_pause),
      cmocka_unit_test(test_corner__the_breaker_closes_after_the_deadline_of_a_get),
      cmocka_unit_test(test_corner__the_event_fd_is_quiet_when_nothing_can_be_done),
      cmocka_unit_test(test_corner__a_stepped_pool_is_not_due_for_what_cannot_be_done),
      cmocka_unit_test(test_corner__a_stepped_pool_with_an_open_breaker_names_its_probe),
      cmocka_unit_test(test_corner__what_was_opened_for_nobody_is_lent_to_nobody),
      cmocka_unit_test(test_corner__a_ticket_is_woken_when_the_back_off_is_over),
      cmocka_unit_test(test_corner__the_breaker_closes_though_there_is_no_room),
      cmocka_unit_test(test_corner__the_newest_are_first_though_overtaking_is_fair_for_long),
      cmocka_unit_test(test_corner__the_newest_are_first_though_each_is_checked),
      cmocka_unit_test(test_corner__a_wait_that_ends_with_an_open_is_counted),
      cmocka_unit_test(test_corner__a_paused_pool_does_not_lend_what_was_being_opened),
      cmocka_unit_test(test_corner__a_list_of_a_wrong_size_is_not_written_to),
      cmocka_unit_test(test_corner__idle_time_counts_after_a_long_reset),
      cmocka_unit_test(test_corner__a_lifetime_may_end_during_a_reset),
      cmocka_unit_test(test_corner__a_leak_after_a_long_check_is_found),
      cmocka_unit_test(test_corner__a_pool_freed_while_it_is_maintained_ends_its_gets),
      cmocka_unit_test(test_corner__a_check_that_hangs_holds_up_no_open),
      cmocka_unit_test(test_corner__resets_that_hang_hold_up_no_open),
      cmocka_unit_test(test_corner__the_late_are_shed_though_nothing_moves),
      cmocka_unit_test(test_corner__the_first_lease_of_each_pool_is_timed),
      cmocka_unit_test(test_corner__closing_looks_who_holds_what),
      cmocka_unit_test(test_corner__a_check_that_outlasts_the_deadline_is_the_next_ones),
      cmocka_unit_test(test_corner__a_get_that_times_out_in_the_back_off_says_why),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
