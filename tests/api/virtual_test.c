/* SPDX-License-Identifier: MIT */
/* The clock that the other tests move. */
#include "base/park.h"
#include "virtual.h"
#include "witness.h"

struct sleeper {
  _Atomic uint32_t *word;
  int64_t deadline_ns;
  _Atomic bool woke;
  pthread_t thread;
};

static void *sleep_on(void *data)
{
  struct sleeper *sleeper = data;
  park_wait(sleeper->word, 0, sleeper->deadline_ns);
  atomic_store(&sleeper->woke, true);
  return NULL;
}

static void start(struct sleeper *sleeper, _Atomic uint32_t *word, int64_t deadline_ns)
{
  int before = virtual_sleepers();
  sleeper->word = word;
  sleeper->deadline_ns = deadline_ns;
  sleeper->thread = thread_start(sleep_on, sleeper);
  wait_until(virtual_sleepers() == before + 1);
}

static void test_virtual__sleepers_wake_exactly_at_their_deadline(void **state)
{
  (void)state;
  _Atomic uint32_t word = 0;
  struct sleeper early = {0}, late = {0};
  int64_t began_ns = virtual_now();
  start(&late, &word, began_ns + 2 * SECOND);
  start(&early, &word, began_ns + SECOND);
  assert_true(virtual_next_deadline() == began_ns + SECOND);
  virtual_advance(SECOND - 1);
  assert_int_equal(virtual_sleepers(), 2);
  virtual_advance(1);
  assert_int_equal(virtual_sleepers(), 1);
  thread_end(early.thread);
  assert_false(late.woke);
  assert_true(virtual_next_deadline() == began_ns + 2 * SECOND);
  virtual_advance(100 * SECOND);
  thread_end(late.thread);
  assert_true(virtual_next_deadline() == POOL_NO_DEADLINE);
}

static void test_virtual__a_wake_up_is_for_the_word_alone(void **state)
{
  (void)state;
  _Atomic uint32_t one = 0, other = 0;
  struct sleeper first = {0}, second = {0};
  int64_t wakes = virtual_wakes();
  start(&first, &one, POOL_NO_DEADLINE);
  start(&second, &other, POOL_NO_DEADLINE);
  atomic_store(&one, 1);
  park_wake(&one);
  thread_end(first.thread);
  assert_int_equal(virtual_sleepers(), 1);
  assert_int_equal(virtual_wakes() - wakes, 1);
  assert_false(second.woke);
  park_wait(&one, 0, POOL_NO_DEADLINE);         /* has changed */
  park_wait(&other, 0, virtual_now());          /* is over */
  assert_int_equal(virtual_wakes() - wakes, 1); /* nobody slept */
  park_wake(&other);
  thread_end(second.thread);
}

static void test_virtual__a_get_waits_as_long_as_the_clock_says(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 1;
  pool_t *pool = fake_pool(&fake, &config, NULL);
  pool_lease_t lease = pool_get(pool);
  struct getter getter = {0};
  getter_queue(&getter, pool, 3600 * 1000);
  wait_until(virtual_sleepers() == 1);
  assert_true(virtual_next_deadline() == virtual_now() + 3600 * SECOND);
  virtual_advance(3600 * SECOND - 1);
  assert_int_equal(virtual_sleepers(), 1);
  virtual_advance(1);
  assert_int_equal(getter_end(&getter), POOL_E_TIMEOUT);
  assert_true(stats_of(pool).wait_max_ns == 3600 * SECOND);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_virtual__sleepers_wake_exactly_at_their_deadline),
      cmocka_unit_test(test_virtual__a_wake_up_is_for_the_word_alone),
      cmocka_unit_test(test_virtual__a_get_waits_as_long_as_the_clock_says),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
