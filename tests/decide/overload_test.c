/* SPDX-License-Identifier: MIT */
/* What happens when more is wanted than there is. */
#include <string.h>

#include "virtual.h"
#include "witness.h"

static struct fake fake;
static struct diary diary;

static pool_t *make(int32_t queue, int32_t max_waiters)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.keeper = POOL_KEEPER_MANUAL;
  config.max_open = 1;
  config.max_waiters = max_waiters;
  config.queue = queue;
  config.overload_after_ms = 100;
  config.event_mask = 1 << POOL_EVENT_OVERLOADED | 1 << POOL_EVENT_TIMED_OUT | 1 << POOL_EVENT_CANCELLED;
  diary_init(&diary, &config);
  fake_init(&fake);
  return fake_pool(&fake, &config, NULL);
}

/* Getters queue one behind the other, and note in which turn they are served. */
static _Atomic int turns;
static void queue(struct getter *getters, int many, pool_t *pool)
{
  for (int i = 0; i < many; i++) {
    getters[i].turns = &turns;
    getter_queue(&getters[i], pool, -1);
  }
}

static void assert_served(struct getter *getter, int turn)
{
  assert_true(getter_end(getter) > 0);
  assert_int_equal(getter->turn, turn);
}

static void test_overload__too_many_waiters_are_refused(void **state)
{
  (void)state;
  pool_t *pool = make(POOL_QUEUE_FIFO, 2);
  pool_lease_t lease = pool_get(pool);
  struct getter getter = {0};
  struct heard told = {0}, refused = {0};
  getter_queue(&getter, pool, -1);
  assert_true(pool_get_async(pool, -1, told_got, &told) > 0);
  assert_int_equal(pool_get(pool), POOL_E_OVERLOAD);
  assert_int_equal(pool_failure(NULL), POOL_E_OVERLOAD);
  assert_int_equal(pool_get_async(pool, -1, told_got, &refused), POOL_E_OVERLOAD);
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT); /* does not wait, so is not one too many */
  assert_int_equal(stats_of(pool).overloaded, 2);
  assert_int_equal(diary_count(&diary, POOL_EVENT_OVERLOADED), 2);
  assert_int_equal(diary_last(&diary, POOL_EVENT_OVERLOADED).code, POOL_E_OVERLOAD);
  assert_int_equal(pool_put(lease), 0);
  assert_true(getter_end(&getter) > 0);
  wait_until((pool_maintain(pool), told.times == 1));
  assert_int_equal(pool_put(told.result), 0);
  assert_int_equal(refused.times, 0);
  fake_finish(&fake, pool);
}

static void test_overload__in_order_of_arrival_always_by_default(void **state)
{
  (void)state;
  pool_t *pool = make(POOL_QUEUE_FIFO, 0);
  pool_lease_t lease = pool_get(pool);
  struct getter getters[4] = {0};
  turns = 0;
  queue(getters, 4, pool);
  virtual_pass(pool, 10 * SECOND);
  assert_int_equal(stats_of(pool).waiting, 4);
  assert_int_equal(pool_put(lease), 0);
  for (int i = 0; i < 4; i++)
    assert_served(&getters[i], i + 1);
  assert_int_equal(stats_of(pool).overloaded, 0);
  fake_finish(&fake, pool);
}

static void test_overload__the_newest_first_once_all_are_late(void **state)
{
  (void)state;
  pool_t *pool = make(POOL_QUEUE_LIFO, 0);
  pool_lease_t lease = pool_get(pool);
  struct getter getters[4] = {0};
  turns = 0;
  queue(getters, 4, pool);
  virtual_pass(pool, 201 * MILLISECOND);
  assert_int_equal(pool_put(lease), 0);
  for (int i = 0; i < 4; i++)
    assert_served(&getters[i], 4 - i);
  assert_int_equal(stats_of(pool).overloaded, 0);
  /* The crowd is gone: order of arrival again. */
  lease = pool_get(pool);
  memset(getters, 0, sizeof getters);
  turns = 0;
  queue(getters, 4, pool);
  virtual_pass(pool, 50 * MILLISECOND);
  assert_int_equal(pool_put(lease), 0);
  for (int i = 0; i < 4; i++)
    assert_served(&getters[i], i + 1);
  fake_finish(&fake, pool);
}

static void test_overload__a_short_crowd_is_no_overload(void **state)
{
  (void)state;
  for (int32_t kind = POOL_QUEUE_LIFO; kind <= POOL_QUEUE_SHED; kind++) {
    pool_t *pool = make(kind, 0);
    pool_lease_t lease = pool_get(pool);
    struct getter getters[4] = {0};
    turns = 0;
    queue(getters, 4, pool);
    virtual_pass(pool, 190 * MILLISECOND); /* late, but not for as long again */
    assert_int_equal(stats_of(pool).waiting, 4);
    assert_int_equal(pool_put(lease), 0);
    for (int i = 0; i < 4; i++)
      assert_served(&getters[i], i + 1);
    assert_int_equal(stats_of(pool).overloaded, 0);
    fake_finish(&fake, pool);
  }
}

static void test_overload__the_newest_first_for_asynchronous_gets_too(void **state)
{
  (void)state;
  pool_t *pool = make(POOL_QUEUE_LIFO, 0);
  pool_lease_t lease = pool_get(pool);
  struct heard told[3] = {0};
  for (int i = 0; i < 3; i++)
    assert_true(pool_get_async(pool, -1, told_got, &told[i]) > 0);
  virtual_pass(pool, 201 * MILLISECOND);
  for (int i = 2; i >= 0; i--) {
    assert_int_equal(pool_put(lease), 0);
    pool_maintain(pool);
    assert_int_equal(told[i].times, 1);
    lease = told[i].result;
    assert_true(lease > 0);
  }
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

static void test_overload__the_late_are_shed(void **state)
{
  (void)state;
  pool_t *pool = make(POOL_QUEUE_SHED, 0);
  pool_lease_t lease = pool_get(pool);
  struct getter late[2] = {0}, young = {0};
  struct heard told = {0};
  turns = 0;
  queue(late, 2, pool);
  assert_true(pool_get_async(pool, -1, told_got, &told) > 0);
  virtual_pass(pool, 190 * MILLISECOND);
  queue(&young, 1, pool);
  virtual_pass(pool, 11 * MILLISECOND);
  assert_int_equal(pool_put(lease), 0);
  for (int i = 0; i < 2; i++)
    assert_int_equal(getter_end(&late[i]), POOL_E_OVERLOAD);
  assert_served(&young, 1); /* is still in time */
  pool_maintain(pool);
  assert_int_equal(told.times, 1);
  assert_int_equal(told.result, POOL_E_OVERLOAD);
  assert_int_equal(stats_of(pool).overloaded, 3);
  assert_int_equal(diary_count(&diary, POOL_EVENT_OVERLOADED), 3);
  fake_finish(&fake, pool);
}

/* The program that maintains the pool hears when: nothing is put, nobody comes, and no thread wakes to see that it is late. */
static void test_overload__the_late_are_shed_where_only_asynchronous_gets_wait(void **state)
{
  (void)state;
  pool_t *pool = make(POOL_QUEUE_SHED, 0);
  pool_lease_t lease = pool_get(pool);
  struct heard late = {0}, young = {0};
  assert_true(pool_get_async(pool, -1, told_got, &late) > 0);
  assert_int_equal(pool_maintain(pool), 200 * MILLISECOND);
  virtual_advance(150 * MILLISECOND);
  assert_true(pool_get_async(pool, -1, told_got, &young) > 0);
  assert_int_equal(pool_maintain(pool), 50 * MILLISECOND);
  virtual_advance(50 * MILLISECOND);
  int64_t due_ns = pool_maintain(pool);
  assert_int_equal(late.result, POOL_E_OVERLOAD);
  for (int64_t passed_ns = 0; young.times == 0; due_ns = pool_maintain(pool)) {
    assert_in_range(due_ns, 0, 200 * MILLISECOND - passed_ns);
    virtual_advance(due_ns);
    passed_ns += due_ns;
  }
  assert_int_equal(young.result, POOL_E_OVERLOAD);
  assert_int_equal(due_ns, INT64_MAX);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

static void test_overload__newcomers_make_the_late_leave(void **state)
{
  (void)state;
  pool_t *pool = make(POOL_QUEUE_SHED, 0);
  pool_lease_t lease = pool_get(pool);
  struct getter late[2] = {0}, young = {0};
  queue(late, 2, pool);
  virtual_pass(pool, 201 * MILLISECOND);
  getter_start(&young, pool, -1);
  for (int i = 0; i < 2; i++)
    assert_int_equal(getter_end(&late[i]), POOL_E_OVERLOAD);
  wait_until(stats_of(pool).waiting == 1);
  assert_int_equal(pool_put(lease), 0);
  assert_true(getter_end(&young) > 0);
  fake_finish(&fake, pool);
}

static void test_overload__ends_with_the_crowd(void **state)
{
  (void)state;
  pool_t *pool = make(POOL_QUEUE_SHED, 0);
  pool_lease_t lease = pool_get(pool);
  struct getter late = {0}, young = {0}, later[2] = {0};
  queue(&late, 1, pool);
  virtual_pass(pool, 190 * MILLISECOND);
  queue(&young, 1, pool);
  virtual_pass(pool, 11 * MILLISECOND);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(getter_end(&late), POOL_E_OVERLOAD);
  assert_true(getter_end(&young) > 0);
  lease = pool_get(pool);
  turns = 0;
  queue(later, 2, pool);
  virtual_pass(pool, 150 * MILLISECOND); /* late, but nobody was for a while before */
  assert_int_equal(pool_put(lease), 0);
  assert_served(&later[0], 1);
  assert_served(&later[1], 2);
  fake_finish(&fake, pool);
}

/* ---- a waiter that has left the queue is out of it ---- */

static void test_overload__who_is_over_never_gets_a_connection(void **state)
{
  (void)state;
  for (int32_t kind = POOL_QUEUE_FIFO; kind <= POOL_QUEUE_SHED; kind++) {
    pool_t *pool = make(kind, 0);
    pool_lease_t lease = pool_get(pool);
    struct heard expires = {0}, cancelled = {0}, served = {0};
    struct getter getter = {0};
    assert_true(pool_get_async(pool, 50, told_got, &expires) > 0);
    int64_t ticket = pool_get_async(pool, -1, told_got, &cancelled);
    assert_true(ticket > 0);
    getter_queue(&getter, pool, 50);
    assert_true(pool_get_async(pool, -1, told_got, &served) > 0);
    assert_int_equal(pool_cancel(ticket), 0);
    virtual_advance(50 * MILLISECOND);
    assert_int_equal(pool_put(lease), 0); /* before anybody has looked at the time */
    assert_int_equal(getter_end(&getter), POOL_E_TIMEOUT);
    wait_until((pool_maintain(pool), served.times == 1));
    assert_true(served.result > 0);
    assert_int_equal(expires.result, POOL_E_TIMEOUT);
    assert_int_equal(cancelled.result, POOL_E_CANCELLED);
    assert_int_equal(pool_cancel(ticket), POOL_E_STALE);
    assert_true(expires.times == 1 && cancelled.times == 1);
    assert_int_equal(diary_count(&diary, POOL_EVENT_TIMED_OUT), 2);
    assert_int_equal(diary_count(&diary, POOL_EVENT_CANCELLED), 1);
    assert_int_equal(pool_put(served.result), 0);
    assert_int_equal(pool_len(pool), 1);
    fake_finish(&fake, pool);
  }
}

struct hasty {
  pool_t *pool;
  uint64_t random;
  _Atomic int *ended;
  int served;
};

static void *get_in_haste(void *data)
{
  struct hasty *hasty = data;
  for (int i = 0; i < 500; i++) {
    pool_lease_t lease = pool_get_for(hasty->pool, random_next(&hasty->random) % 50 + 1);
    must(lease > 0 || lease == POOL_E_TIMEOUT || lease == POOL_E_OVERLOAD);
    if (lease < 0)
      continue;
    hasty->served++;
    fake_use(lease);
    if (hasty->random % 4 == 0)
      yield_ns();
    must(pool_put(lease) == 0);
  }
  atomic_fetch_add(hasty->ended, 1);
  return NULL;
}

static void test_overload__no_connection_is_lost_in_a_crowd(void **state)
{
  (void)state;
  for (int32_t kind = POOL_QUEUE_FIFO; kind <= POOL_QUEUE_SHED; kind++) {
    enum { MANY = 8 };
    pool_config_t config = POOL_CONFIG_INIT;
    config.max_open = 2;
    config.queue = kind;
    config.overload_after_ms = 5;
    fake_init(&fake);
    pool_t *pool = fake_pool(&fake, &config, NULL);
    struct hasty hasty[MANY];
    pthread_t threads[MANY];
    _Atomic int ended = 0;
    for (int i = 0; i < MANY; i++) {
      hasty[i] = (struct hasty){.pool = pool, .random = 77 + (uint64_t)i, .ended = &ended};
      threads[i] = thread_start(get_in_haste, &hasty[i]);
    }
    wait_until((virtual_advance(MILLISECOND), ended == MANY));
    int served = 0;
    for (int i = 0; i < MANY; i++) {
      thread_end(threads[i]);
      served += hasty[i].served;
    }
    assert_int_equal(stats_of(pool).lent, served);
    assert_int_equal(stats_of(pool).waiting, 0);
    assert_int_equal(stats_of(pool).leased, 0);
    assert_int_equal(pool_len(pool), 2);
    fake_finish(&fake, pool);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_overload__too_many_waiters_are_refused),
      cmocka_unit_test(test_overload__in_order_of_arrival_always_by_default),
      cmocka_unit_test(test_overload__the_newest_first_once_all_are_late),
      cmocka_unit_test(test_overload__a_short_crowd_is_no_overload),
      cmocka_unit_test(test_overload__the_newest_first_for_asynchronous_gets_too),
      cmocka_unit_test(test_overload__the_late_are_shed),
      cmocka_unit_test(test_overload__the_late_are_shed_where_only_asynchronous_gets_wait),
      cmocka_unit_test(test_overload__newcomers_make_the_late_leave),
      cmocka_unit_test(test_overload__ends_with_the_crowd),
      cmocka_unit_test(test_overload__who_is_over_never_gets_a_connection),
      cmocka_unit_test(test_overload__no_connection_is_lost_in_a_crowd),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
