/* SPDX-License-Identifier: MIT */
/* A server that takes fewer connections than the pool may open is full, not dead: those whose open is refused wait for
   what comes back. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MILLISECOND INT64_C(1000000)

/* ---- a server that takes a number of connections ---- */

static struct {
  _Atomic int limit, now, tried, refused, closed;
  _Atomic int code; /* with which an open is refused */
  _Atomic int shared;
} server;

static const char full[] = "sorry, too many clients already";

static void server_start(int limit)
{
  memset(&server, 0, sizeof server);
  atomic_store(&server.limit, limit);
  atomic_store(&server.code, -1);
}

/* A connection is a number from 1 on, or 0. */
static int server_connect(void)
{
  atomic_fetch_add(&server.tried, 1);
  int now = atomic_load(&server.now);
  while (now < atomic_load(&server.limit))
    if (atomic_compare_exchange_weak(&server.now, &now, now + 1))
      return now + 1;
  atomic_fetch_add(&server.refused, 1);
  return 0;
}

static void server_disconnect(void)
{
  atomic_fetch_sub(&server.now, 1);
  atomic_fetch_add(&server.closed, 1);
}

static int open_it(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)context, (void)deadline_ns;
  if (server_connect() == 0) {
    error->native = 53300;
    snprintf(error->message, sizeof error->message, "%s", full);
    return atomic_load(&server.code);
  }
  *conn = calloc(1, sizeof(_Atomic int));
  return 0;
}

static int close_it(void *context, void *conn, pool_error_t *error)
{
  (void)context, (void)error;
  server_disconnect();
  free(conn);
  return 0;
}

static _Atomic int dead_on_check; /* how many checks fail */

static int check_it(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)context, (void)conn, (void)deadline_ns, (void)error;
  int left = atomic_load(&dead_on_check);
  while (left > 0)
    if (atomic_compare_exchange_weak(&dead_on_check, &left, left - 1))
      return -1;
  return 0;
}

static pool_t *make(const pool_config_t *config)
{
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool;
  vtable.open = open_it;
  vtable.close = close_it;
  vtable.check = check_it;
  atomic_store(&dead_on_check, 0);
  if (pool_create(config, &vtable, NULL, &pool, &error) != 0)
    fail_msg("pool_create: %s", error.message);
  return pool;
}

static void finish(pool_t *pool)
{
  assert_int_equal(pool_close(pool, 10000), 0);
  pool_free(pool);
  assert_int_equal(atomic_load(&server.now), 0);
}

static pool_config_t defaults(void)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 20;
  return config;
}

/* As docs/server-down.md has them. */
static pool_config_t guided(void)
{
  pool_config_t config = defaults();
  config.max_opening = 4;
  config.retry_min_ms = 10;
  config.retry_max_ms = 1000;
  config.breaker_after = 3;
  config.check_after_ms = 500;
  return config;
}

/* ---- a crowd that uses it ---- */

enum { USERS = 40, ROUNDS = 20, LIMIT = 11 };

struct crowd {
  pool_t *pool;
  pool_lease_t (*get)(pool_t *pool, int user);
  void (*put)(pool_lease_t lease);
  _Atomic int next_user, failed;
  pool_error_t failure;
  pthread_mutex_t lock;
};

static pool_lease_t get_in_time(pool_t *pool, int user)
{
  (void)user;
  return pool_get_for(pool, 30000);
}

static pool_lease_t get_without_limit(pool_t *pool, int user)
{
  (void)user;
  return pool_get_for(pool, -1);
}

struct answer {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  pool_lease_t result;
};

static void answered(void *user, pool_lease_t result)
{
  struct answer *answer = user;
  pthread_mutex_lock(&answer->lock);
  answer->result = result;
  pthread_cond_signal(&answer->changed);
  pthread_mutex_unlock(&answer->lock);
}

static pool_lease_t get_asynchronously(pool_t *pool, int user)
{
  struct answer answer = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
  (void)user;
  int64_t ticket = pool_get_async(pool, 30000, answered, &answer);
  if (ticket < 0)
    return ticket;
  pthread_mutex_lock(&answer.lock);
  while (answer.result == 0)
    pthread_cond_wait(&answer.changed, &answer.lock);
  pthread_mutex_unlock(&answer.lock);
  return answer.result;
}

static pool_lease_t get_by_turns(pool_t *pool, int user)
{
  return user % 2 ? get_asynchronously(pool, user) : get_in_time(pool, user);
}

static void put(pool_lease_t lease)
{
  must(pool_put(lease) == 0);
}

static void hold(pool_lease_t lease)
{
  _Atomic int *users = pool_conn(lease);
  must(users);
  if (atomic_fetch_add(users, 1) != 0)
    atomic_fetch_add(&server.shared, 1);
  nanosleep(&(struct timespec){.tv_nsec = 2 * MILLISECOND}, NULL); /* the work that the connection is held for */
  atomic_fetch_sub(users, 1);
}

static void note_failure(struct crowd *crowd)
{
  pthread_mutex_lock(&crowd->lock);
  crowd->failure = (pool_error_t)POOL_ERROR_INIT;
  pool_failure(&crowd->failure);
  pthread_mutex_unlock(&crowd->lock);
  atomic_fetch_add(&crowd->failed, 1);
}

static void *use(void *data)
{
  struct crowd *crowd = data;
  int user = atomic_fetch_add(&crowd->next_user, 1);
  for (int i = 0; i < ROUNDS; i++) {
    pool_lease_t lease = crowd->get(crowd->pool, user);
    if (lease <= 0) {
      note_failure(crowd);
      continue;
    }
    hold(lease);
    crowd->put(lease);
  }
  return NULL;
}

static void crowd_in(struct crowd *crowd)
{
  pthread_t threads[USERS];
  pthread_mutex_init(&crowd->lock, NULL);
  for (int i = 0; i < USERS; i++)
    threads[i] = thread_start(use, crowd);
  for (int i = 0; i < USERS; i++)
    thread_end(threads[i]);
  if (crowd->failed)
    fail_msg("%d of %d gets failed, such as: %s", crowd->failed, USERS * ROUNDS, crowd->failure.message);
  assert_int_equal(atomic_load(&server.shared), 0);
}

/* All of them are served, and the server is asked in vain now and then only. */
static void expect_all_served(const pool_config_t *config, pool_lease_t (*get)(pool_t *, int), int most_refused)
{
  server_start(LIMIT);
  struct crowd crowd = {.pool = make(config), .get = get, .put = put};
  int64_t began = now_ns();
  crowd_in(&crowd);
  int64_t took = now_ns() - began;
  if (atomic_load(&server.refused) > most_refused)
    fail_msg("%d opens were refused in %lld ms", atomic_load(&server.refused), (long long)(took / MILLISECOND));
  assert_in_range(took, 0, LONG_NS);
  assert_int_equal(stats_of(crowd.pool).timed_out, 0);
  finish(crowd.pool);
}

static void test_full_server__serves_all_with_the_defaults(void **state)
{
  (void)state;
  pool_config_t config = defaults();
  expect_all_served(&config, get_in_time, USERS * ROUNDS); /* a get that finds nothing idle may try once */
  expect_all_served(&config, get_without_limit, USERS * ROUNDS);
  expect_all_served(&config, get_asynchronously, USERS * ROUNDS);
  expect_all_served(&config, get_by_turns, USERS * ROUNDS);
}

static void test_full_server__serves_all_with_the_settings_of_the_guide(void **state)
{
  (void)state;
  pool_config_t config = guided();
  expect_all_served(&config, get_in_time, 100);
  expect_all_served(&config, get_without_limit, 100);
  expect_all_served(&config, get_asynchronously, 100);
  expect_all_served(&config, get_by_turns, 100);
}

static void test_full_server__serves_all_with_openers(void **state)
{
  (void)state;
  pool_config_t configs[] = {defaults(), guided()};
  for (int i = 0; i < 2; i++) {
    configs[i].openers = 2;
    expect_all_served(&configs[i], get_in_time, USERS * ROUNDS);
    expect_all_served(&configs[i], get_by_turns, USERS * ROUNDS);
  }
}

static void test_full_server__serves_all_while_it_is_refilled(void **state)
{
  (void)state;
  pool_config_t configs[] = {defaults(), guided()};
  for (int i = 0; i < 2; i++) {
    configs[i].min_idle = 15;
    configs[i].max_idle = 20;
    expect_all_served(&configs[i], get_in_time, USERS * ROUNDS);
    expect_all_served(&configs[i], get_by_turns, USERS * ROUNDS);
    configs[i].openers = 2;
    expect_all_served(&configs[i], get_in_time, USERS * ROUNDS);
  }
}

static void test_full_server__serves_all_though_nobody_keeps_the_time(void **state)
{
  (void)state;
  pool_config_t configs[] = {defaults(), guided()};
  for (int i = 0; i < 2; i++) {
    configs[i].keeper = POOL_KEEPER_MANUAL;
    expect_all_served(&configs[i], get_in_time, USERS * ROUNDS);
    configs[i].min_idle = 15;
    configs[i].max_idle = 20;
    expect_all_served(&configs[i], get_in_time, USERS * ROUNDS);
    configs[i].openers = 2;
    expect_all_served(&configs[i], get_in_time, USERS * ROUNDS);
  }
}

static void test_full_server__serves_all_in_every_order(void **state)
{
  (void)state;
  pool_config_t config = guided();
  config.fairness_us = 0;
  expect_all_served(&config, get_in_time, 100);
  config.queue = POOL_QUEUE_LIFO;
  expect_all_served(&config, get_in_time, 100);
  config.check_after_ms = 0;
  expect_all_served(&config, get_in_time, 100);
  config.max_opening = 0;
  config.breaker_after = 0;
  config.retry_min_ms = 1;
  expect_all_served(&config, get_in_time, 10000);
}

/* ---- the same by steps ---- */

static struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int64_t told[1024]; /* tickets whose holders have not looked yet */
  int count;
} tellings = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void tell(const pool_step_t *step)
{
  if (!step->wake)
    return;
  pthread_mutex_lock(&tellings.lock);
  must(tellings.count < 1024);
  tellings.told[tellings.count++] = step->wake;
  pthread_cond_broadcast(&tellings.changed);
  pthread_mutex_unlock(&tellings.lock);
}

static bool take_telling(int64_t ticket)
{
  for (int i = 0; i < tellings.count; i++)
    if (tellings.told[i] == ticket) {
      tellings.told[i] = tellings.told[--tellings.count];
      return true;
    }
  return false;
}

static void await_telling(const pool_step_t *step)
{
  int64_t until = now_ns() + (step->look_again_ns ? step->look_again_ns : 30000 * MILLISECOND);
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  int64_t wall = (int64_t)time.tv_sec * 1000000000 + time.tv_nsec + (until - now_ns());
  time = (struct timespec){.tv_sec = wall / 1000000000, .tv_nsec = wall % 1000000000};
  pthread_mutex_lock(&tellings.lock);
  while (!take_telling(step->ticket) && now_ns() < until)
    pthread_cond_timedwait(&tellings.changed, &tellings.lock, &time);
  pthread_mutex_unlock(&tellings.lock);
}

static pool_lease_t do_work(pool_step_t *step)
{
  static const pool_error_t refused = {sizeof refused, POOL_E_OPEN, 53300, "sorry, too many clients already"};
  pool_lease_t claim = step->claim;
  switch (step->work) {
  case POOL_WORK_OPEN: {
    bool good = server_connect() != 0;
    return pool_step_done(claim, good ? NULL : &refused, good ? calloc(1, sizeof(_Atomic int)) : NULL, step);
  }
  case POOL_WORK_CLOSE:
    free(step->conn);
    server_disconnect();
    return pool_step_done(claim, NULL, NULL, step);
  default:
    return pool_step_done(claim, NULL, NULL, step);
  }
}

static pool_lease_t get_by_steps(pool_t *pool, int user)
{
  (void)user;
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = pool_step_begin(pool, 30000, 0, &step);
  for (;;) {
    tell(&step);
    if (lease)
      return lease;
    if (step.work) {
      lease = do_work(&step);
      if (lease == 0 && !step.work && !step.ticket) {
        tell(&step);
        lease = pool_step_begin(pool, 30000, 0, &step);
      }
      continue;
    }
    await_telling(&step);
    lease = pool_step_begin(pool, 30000, step.ticket, &step);
  }
}

static void put_by_steps(pool_lease_t lease)
{
  pool_step_t step = POOL_STEP_INIT;
  must(pool_step_end(lease, &step) == 0);
  for (tell(&step); step.work; tell(&step))
    must(do_work(&step) == 0);
}

static void do_next(pool_t *pool)
{
  pool_step_t step = POOL_STEP_INIT;
  while (pool_step_next(pool, &step))
    for (tell(&step); step.work; tell(&step))
      do_work(&step);
}

static void expect_all_served_by_steps(pool_config_t config, int most_refused)
{
  server_start(LIMIT);
  struct crowd crowd = {.get = get_by_steps, .put = put_by_steps};
  assert_int_equal(pool_step_create(&config, POOL_STEP_CHECKS, &crowd.pool, NULL), 0);
  crowd_in(&crowd);
  if (atomic_load(&server.refused) > most_refused)
    fail_msg("%d opens were refused", atomic_load(&server.refused));
  pool_close(crowd.pool, 0);
  do_next(crowd.pool);
  finish(crowd.pool);
}

static void test_full_server__serves_all_by_steps(void **state)
{
  (void)state;
  expect_all_served_by_steps(defaults(), USERS * ROUNDS);
  expect_all_served_by_steps(guided(), 100);
  pool_config_t config = guided();
  config.fairness_us = 0;
  expect_all_served_by_steps(config, 100);
}

/* ---- waiters, one by one ---- */

struct failing {
  pool_error_t error;
  _Atomic pool_lease_t result;
};

static void note_why(void *user, pool_lease_t result)
{
  struct failing *failing = user;
  failing->error = (pool_error_t)POOL_ERROR_INIT;
  pool_failure(&failing->error);
  atomic_store(&failing->result, result);
}

struct getter {
  pool_t *pool;
  int64_t timeout_ms;
  pool_lease_t lease;
  pool_error_t failure;
  int64_t took_ns;
  _Atomic bool done;
  pthread_t thread;
};

static void *run_getter(void *data)
{
  struct getter *getter = data;
  int64_t began = now_ns();
  getter->failure = (pool_error_t)POOL_ERROR_INIT;
  getter->lease = pool_get_for(getter->pool, getter->timeout_ms);
  getter->took_ns = now_ns() - began;
  if (getter->lease < 0)
    pool_failure(&getter->failure);
  atomic_store(&getter->done, true);
  return NULL;
}

static void getter_start(struct getter *getter, pool_t *pool, int64_t timeout_ms)
{
  *getter = (struct getter){.pool = pool, .timeout_ms = timeout_ms};
  getter->thread = thread_start(run_getter, getter);
}

static void getter_end(struct getter *getter)
{
  wait_until(atomic_load(&getter->done));
  thread_end(getter->thread);
}

/* Settings that a program may try whose server has room for one. */
enum { THREADED, OPENERS, GUIDED, GUIDED_OPENERS, MANUAL, MANUAL_GUIDED, VARIANTS };

static pool_config_t variant(int number)
{
  bool is_guided = number == GUIDED || number == GUIDED_OPENERS || number == MANUAL_GUIDED;
  pool_config_t config = is_guided ? guided() : defaults();
  config.openers = number == OPENERS || number == GUIDED_OPENERS ? 2 : 0;
  config.keeper = number == MANUAL || number == MANUAL_GUIDED ? POOL_KEEPER_MANUAL : POOL_KEEPER_THREAD;
  return config;
}

static void test_full_server__who_waits_in_vain_times_out_and_says_why(void **state)
{
  (void)state;
  for (int i = 0; i < VARIANTS; i++) {
    server_start(1);
    pool_config_t config = variant(i);
    pool_t *pool = make(&config);
    pool_lease_t lease = pool_get(pool);
    assert_true(lease > 0);
    struct getter getter;
    getter_start(&getter, pool, 300);
    getter_end(&getter);
    assert_int_equal(getter.lease, POOL_E_TIMEOUT);
    assert_in_range(getter.took_ns, 299 * MILLISECOND, LONG_NS);
    if (!strstr(getter.failure.message, full))
      fail_msg("variant %d: %s", i, getter.failure.message);
    assert_int_equal(getter.failure.native, 53300);
    assert_in_range(atomic_load(&server.tried), 2, 30);
    assert_int_equal(pool_put(lease), 0);
    finish(pool);
  }
}

static void test_full_server__who_waits_in_vain_asynchronously_is_told_why(void **state)
{
  (void)state;
  for (int i = 0; i < VARIANTS - 2; i++) {
    server_start(1);
    pool_config_t config = variant(i);
    pool_t *pool = make(&config);
    pool_lease_t lease = pool_get(pool);
    struct failing failing = {0};
    assert_true(pool_get_async(pool, 300, note_why, &failing) > 0);
    wait_until(atomic_load(&failing.result) != 0);
    assert_int_equal(failing.result, POOL_E_TIMEOUT);
    if (!strstr(failing.error.message, full))
      fail_msg("variant %d: %s", i, failing.error.message);
    assert_int_equal(failing.error.native, 53300);
    put(lease);
    finish(pool);
  }
}

static void test_full_server__who_waits_in_vain_by_steps_is_told_why(void **state)
{
  (void)state;
  const int64_t timeout_ms = 1000;
  for (int i = 0; i < 2; i++) {
    server_start(1);
    pool_config_t config = i ? guided() : defaults();
    pool_t *pool;
    assert_int_equal(pool_step_create(&config, POOL_STEP_CHECKS, &pool, NULL), 0);
    pool_lease_t lease = get_by_steps(pool, 0);
    assert_true(lease > 0);
    pool_step_t step = POOL_STEP_INIT;
    pool_lease_t result = pool_step_begin(pool, timeout_ms, 0, &step);
    int64_t began = now_ns();
    while (result == 0) {
      if (step.work) {
        result = do_work(&step);
        assert_true(result != 0 || step.ticket); /* a place in the queue */
      } else if (now_ns() - began >= timeout_ms * MILLISECOND) {
        result = pool_step_begin(pool, timeout_ms, step.ticket, &step);
      } else {
        await_telling(&(pool_step_t){.ticket = step.ticket, .look_again_ns = 20 * MILLISECOND});
        result = pool_step_begin(pool, timeout_ms, step.ticket, &step);
      }
    }
    pool_error_t error = POOL_ERROR_INIT;
    if (result != POOL_E_OPEN || now_ns() - began < timeout_ms * MILLISECOND) /* but for an open that ended late */
      assert_int_equal(result, POOL_E_TIMEOUT);
    assert_int_equal(pool_failure(&error), result);
    assert_non_null(strstr(error.message, full));
    assert_int_equal(error.native, 53300);
    put_by_steps(lease);
    pool_close(pool, 0);
    do_next(pool);
    finish(pool);
  }
}

/* All those that wait lose their last hope at one moment. */
static void expect_all_to_fail(pool_t *pool, struct getter *getters, int count)
{
  (void)pool;
  for (int i = 0; i < count; i++) {
    getter_end(&getters[i]);
    assert_int_equal(getters[i].lease, POOL_E_OPEN);
    assert_non_null(strstr(getters[i].failure.message, full));
    assert_int_equal(getters[i].failure.native, 53300);
  }
}

static void start_waiters(pool_t *pool, struct getter *getters, int count)
{
  int waiting = (int)stats_of(pool).waiting;
  for (int i = 0; i < count; i++)
    getter_start(&getters[i], pool, 30000);
  wait_until(stats_of(pool).waiting == waiting + count && atomic_load(&server.refused) > 0);
}

enum { WAITERS = 5 };

static void lose_by_mark(pool_t *pool, pool_lease_t lease)
{
  (void)pool;
  assert_int_equal(pool_mark_unusable(lease), 0);
}

static void lose_by_break(pool_t *pool, pool_lease_t lease)
{
  (void)pool;
  assert_int_equal(pool_mark_broken(lease), 0);
}

static void lose_by_flush(pool_t *pool, pool_lease_t lease)
{
  (void)lease;
  assert_in_range(pool_flush(pool), 1, 1 + WAITERS); /* also what waiters try to open at this moment */
}

static void test_full_server__all_fail_at_once_when_the_last_hope_is_gone(void **state)
{
  (void)state;
  void (*const losses[])(pool_t *, pool_lease_t) = {lose_by_mark, lose_by_break, lose_by_flush};
  for (int i = 0; i < VARIANTS; i++) {
    for (int j = 0; j < 3; j++) {
      server_start(1);
      pool_config_t config = variant(i);
      pool_t *pool = make(&config);
      pool_lease_t lease = pool_get(pool);
      assert_true(lease > 0);
      struct getter getters[WAITERS];
      start_waiters(pool, getters, WAITERS);
      atomic_store(&server.limit, 0);
      losses[j](pool, lease);
      pool_put(lease);
      expect_all_to_fail(pool, getters, WAITERS);
      finish(pool);
    }
  }
}

static void test_full_server__what_is_lent_and_doomed_is_no_hope(void **state)
{
  (void)state;
  void (*const losses[])(pool_t *, pool_lease_t) = {lose_by_mark, lose_by_break, lose_by_flush};
  const int variants[] = {GUIDED, GUIDED_OPENERS, MANUAL_GUIDED};
  for (int i = 0; i < 3; i++)
    for (int j = 0; j < 3; j++) {
      server_start(1);
      pool_config_t config = variant(variants[i]);
      config.breaker_after = 1;
      config.retry_min_ms = config.retry_max_ms = 600000; /* no try tells it */
      pool_t *pool = make(&config);
      pool_lease_t lease = pool_get(pool);
      struct getter getters[WAITERS];
      start_waiters(pool, getters, WAITERS);
      losses[j](pool, lease);
      expect_all_to_fail(pool, getters, WAITERS); /* though it is not put yet */
      pool_put(lease);
      finish(pool);
    }
}

/* What is being reset, or was flushed while it was opened, may turn out to be no hope; its close may take long. */
static struct gate closing;
static _Atomic bool reset_fails;

static int close_slowly(void *context, void *conn, pool_error_t *error)
{
  gate_pass(&closing);
  return close_it(context, conn, error);
}

static int reset_it(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)context, (void)conn, (void)deadline_ns, (void)error;
  return atomic_load(&reset_fails) ? -1 : 0;
}

static void *put_in_thread(void *data)
{
  put(*(pool_lease_t *)data);
  return NULL;
}

static void test_full_server__no_slow_close_keeps_up_those_without_hope(void **state)
{
  (void)state;
  const int variants[] = {GUIDED, GUIDED_OPENERS, MANUAL_GUIDED};
  for (int i = 0; i < 3; i++)
    for (int resets = 0; resets < 2; resets++) {
      server_start(1);
      gate_init(&closing, false);
      pool_config_t config = variant(variants[i]);
      config.breaker_after = 1;
      config.retry_min_ms = config.retry_max_ms = 600000;
      pool_vtable_t vtable = POOL_VTABLE_INIT;
      vtable.open = open_it;
      vtable.close = close_slowly;
      vtable.check = check_it;
      vtable.reset = reset_it;
      pool_t *pool;
      atomic_store(&dead_on_check, 0);
      assert_int_equal(pool_create(&config, &vtable, NULL, &pool, NULL), 0);
      pool_lease_t lease = pool_get(pool);
      struct getter getters[WAITERS];
      start_waiters(pool, getters, WAITERS);
      atomic_store(&reset_fails, resets);
      if (!resets)
        pool_mark_unusable(lease);
      pthread_t putter = thread_start(put_in_thread, &lease); /* which closes */
      expect_all_to_fail(pool, getters, WAITERS);
      gate_set(&closing, true);
      thread_end(putter);
      finish(pool);
    }
}

static void test_full_server__all_fail_at_once_when_the_check_of_the_last_one_fails(void **state)
{
  (void)state;
  for (int i = 0; i < VARIANTS; i++) {
    server_start(1);
    pool_config_t config = variant(i);
    config.check_after_ms = 0;
    pool_t *pool = make(&config);
    pool_lease_t lease = pool_get(pool);
    struct getter getters[WAITERS];
    start_waiters(pool, getters, WAITERS);
    atomic_store(&server.limit, 0);
    atomic_store(&dead_on_check, 1);
    pool_put(lease);
    expect_all_to_fail(pool, getters, WAITERS);
    finish(pool);
  }
}

static void test_full_server__whatever_an_open_fails_with_what_comes_back_is_waited_for(void **state)
{
  (void)state;
  const int codes[] = {POOL_E_TIMEOUT, POOL_E_BROKEN, 111}; /* the first long before the deadline: the driver's own */
  const int ends[] = {POOL_E_TIMEOUT, POOL_E_OPEN, POOL_E_OPEN};
  for (int i = 0; i < VARIANTS; i++)
    for (int j = 0; j < 3; j++) {
      server_start(1);
      atomic_store(&server.code, codes[j]);
      pool_config_t config = variant(i);
      pool_t *pool = make(&config);
      pool_lease_t lease = pool_get(pool);
      struct getter getter;
      start_waiters(pool, &getter, 1);
      wait_until(atomic_load(&server.refused) >= 2);
      put(lease);
      getter_end(&getter);
      assert_true(getter.lease > 0);
      assert_in_range(atomic_load(&server.refused), 2, 20); /* with a pause before each */
      atomic_store(&server.limit, 0);
      if (i == THREADED || i == MANUAL) { /* without any hope its own open ends it */
        struct getter other;
        pool_mark_unusable(getter.lease);
        getter_start(&other, pool, 30000);
        getter_end(&other);
        assert_int_equal(other.lease, ends[j]);
        assert_non_null(strstr(other.failure.message, full));
      }
      put(getter.lease);
      finish(pool);
    }
}

static void test_full_server__who_comes_when_nothing_is_left_fails_at_once(void **state)
{
  (void)state;
  for (int i = 0; i < VARIANTS; i++) {
    if (i == GUIDED_OPENERS)
      continue; /* there the openers try until the breaker opens */
    server_start(0);
    pool_config_t config = variant(i);
    pool_t *pool = make(&config);
    struct getter getter;
    getter_start(&getter, pool, 30000);
    expect_all_to_fail(pool, &getter, 1);
    assert_in_range(getter.took_ns, 0, 20000 * MILLISECOND);
    finish(pool);
  }
}

/* The breaker is open, and what is lent comes back. */
static void test_full_server__an_open_breaker_lends_what_comes_back(void **state)
{
  (void)state;
  for (int i = 0; i < 3; i++) {
    server_start(2);
    pool_config_t config = variant(i == 0 ? GUIDED : i == 1 ? GUIDED_OPENERS : MANUAL_GUIDED);
    config.breaker_after = 1;
    pool_t *pool = make(&config);
    pool_lease_t a = pool_get(pool), b = pool_get(pool);
    struct getter getters[2];
    start_waiters(pool, getters, 1);
    wait_until(stats_of(pool).breaker_opened == 1);
    getter_start(&getters[1], pool, 30000); /* comes while it is open */
    wait_until(stats_of(pool).waiting == 2);
    put(a);
    wait_until(getters[0].done || getters[1].done);
    assert_int_equal(atomic_load(&server.closed), 0);
    put(b);
    for (int j = 0; j < 2; j++) {
      getter_end(&getters[j]);
      assert_true(getters[j].lease > 0);
      put(getters[j].lease);
    }
    assert_int_equal(stats_of(pool).failed_fast, 0);
    finish(pool);
  }
}

static void test_full_server__is_used_when_it_takes_more_again(void **state)
{
  (void)state;
  for (int i = 0; i < VARIANTS; i++) {
    server_start(1);
    pool_config_t config = variant(i);
    config.retry_max_ms = config.retry_min_ms > 0 ? 50 : config.retry_max_ms;
    pool_t *pool = make(&config);
    pool_lease_t lease = pool_get(pool);
    struct getter getters[WAITERS];
    start_waiters(pool, getters, WAITERS);
    atomic_store(&server.limit, 20);
    for (int j = 0; j < WAITERS; j++) { /* though nothing is put */
      getter_end(&getters[j]);
      assert_true(getters[j].lease > 0);
    }
    for (int j = 0; j < WAITERS; j++)
      put(getters[j].lease);
    put(lease);
    finish(pool);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_full_server__serves_all_with_the_defaults),
      cmocka_unit_test(test_full_server__serves_all_with_the_settings_of_the_guide),
      cmocka_unit_test(test_full_server__serves_all_with_openers),
      cmocka_unit_test(test_full_server__serves_all_while_it_is_refilled),
      cmocka_unit_test(test_full_server__serves_all_though_nobody_keeps_the_time),
      cmocka_unit_test(test_full_server__serves_all_in_every_order),
      cmocka_unit_test(test_full_server__serves_all_by_steps),
      cmocka_unit_test(test_full_server__who_waits_in_vain_times_out_and_says_why),
      cmocka_unit_test(test_full_server__who_waits_in_vain_asynchronously_is_told_why),
      cmocka_unit_test(test_full_server__who_waits_in_vain_by_steps_is_told_why),
      cmocka_unit_test(test_full_server__all_fail_at_once_when_the_last_hope_is_gone),
      cmocka_unit_test(test_full_server__what_is_lent_and_doomed_is_no_hope),
      cmocka_unit_test(test_full_server__no_slow_close_keeps_up_those_without_hope),
      cmocka_unit_test(test_full_server__all_fail_at_once_when_the_check_of_the_last_one_fails),
      cmocka_unit_test(test_full_server__whatever_an_open_fails_with_what_comes_back_is_waited_for),
      cmocka_unit_test(test_full_server__who_comes_when_nothing_is_left_fails_at_once),
      cmocka_unit_test(test_full_server__an_open_breaker_lends_what_comes_back),
      cmocka_unit_test(test_full_server__is_used_when_it_takes_more_again),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
