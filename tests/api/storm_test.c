/* SPDX-License-Identifier: MIT */
/* Many threads do everything at random; afterwards nothing is lost, and at no time do two use one connection. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#define THREADS 8

struct storm {
  struct fake fake;
  pool_t *pool;
  int rounds;
  bool patient; /* no get may fail */
  _Atomic int got;
};

static unsigned random_below(unsigned *seed, unsigned limit)
{
  *seed = *seed * 1664525u + 1013904223u;
  return (*seed >> 8) % limit;
}

static int64_t random_timeout(unsigned *seed)
{
  switch (random_below(seed, 6)) {
  case 0:
    return 0;
  case 1:
    return 1;
  case 2:
    return 2;
  default:
    return 60000;
  }
}

static void end(struct storm *storm, pool_lease_t lease, unsigned *seed)
{
  fake_use(lease);
  if (random_below(seed, 20) == 0)
    assert_int_equal(pool_mark_unusable(lease), 0);
  if (random_below(seed, 10) == 0)
    yield_ns();
  fake_use(lease);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_put(lease), POOL_E_STALE);
  atomic_fetch_add(&storm->got, 1);
}

static void *weather(void *data)
{
  struct storm *storm = data;
  unsigned seed = (unsigned)(uintptr_t)&seed ^ (unsigned)now_ns();
  for (int i = 0; i < storm->rounds; i++) {
    int64_t timeout_ms = storm->patient ? -1 : random_timeout(&seed);
    pool_lease_t lease = pool_get_for(storm->pool, timeout_ms);
    if (lease > 0)
      end(storm, lease, &seed);
    else if (storm->patient || (lease != POOL_E_TIMEOUT && lease != POOL_E_OPEN && lease != POOL_E_CLOSED))
      fail_msg("get gave %lld", (long long)lease);
    else if (lease == POOL_E_CLOSED)
      return NULL;
  }
  return NULL;
}

static void blow(struct storm *storm, const pool_config_t *config, const pool_vtable_t *vtable)
{
  pthread_t threads[THREADS];
  storm->pool = fake_pool(&storm->fake, config, vtable);
  for (int i = 0; i < THREADS; i++)
    threads[i] = thread_start(weather, storm);
  for (int i = 0; i < THREADS; i++)
    thread_end(threads[i]);
  assert_int_equal(storm->fake.misuse, 0);
  if (config->max_open)
    assert_true(storm->fake.most_open <= config->max_open);
  pool_stats_t stats = stats_of(storm->pool);
  assert_int_equal(stats.leased, 0);
  assert_int_equal(stats.opening, 0);
  assert_int_equal(stats.waiting, 0);
  assert_int_equal(stats.open, storm->fake.open_now);
  assert_int_equal(stats.lent, storm->got);
  assert_true(stats.idle <= (config->max_idle > 0 ? config->max_idle : 1 << 20));
}

static void whole(struct storm *storm, int max_open)
{
  pool_lease_t leases[16];
  for (int i = 0; i < max_open; i++)
    assert_true((leases[i] = pool_get_for(storm->pool, 60000)) > 0);
  for (int i = 0; i < max_open; i++)
    assert_int_equal(pool_put(leases[i]), 0);
  fake_finish(&storm->fake, storm->pool);
}

static void test_storm__patient_waiters_are_all_served(void **state)
{
  (void)state;
  const int caps[] = {1, 2, 3, 7};
  const int fairness[] = {0, 1, 100, 1000000};
  for (int c = 0; c < 4; c++)
    for (int f = 0; f < 4; f++) {
      struct storm storm = {.rounds = 1500, .patient = true};
      fake_init(&storm.fake);
      pool_config_t config = POOL_CONFIG_INIT;
      config.max_open = caps[c];
      config.fairness_us = fairness[f];
      blow(&storm, &config, NULL);
      assert_int_equal(storm.got, 1500 * THREADS);
      whole(&storm, caps[c]);
    }
}

static void test_storm__hasty_waiters_and_failing_callbacks(void **state)
{
  (void)state;
  for (int round = 0; round < 6; round++) {
    struct storm storm = {.rounds = 1500};
    fake_init(&storm.fake);
    pool_vtable_t vtable = fake_vtable();
    pool_config_t config = POOL_CONFIG_INIT;
    if (round % 2) {
      vtable.check = fake_check;
      vtable.reset = fake_reset;
    }
    storm.fake.fail_open = 300;
    storm.fake.fail_reset = 300;
    storm.fake.fail_close = 300;
    config.max_open = round / 2 + 1;
    config.max_opening = round % 3;
    blow(&storm, &config, &vtable);
    storm.fake.fail_open = storm.fake.fail_reset = storm.fake.fail_close = 0;
    whole(&storm, config.max_open);
  }
}

static void test_storm__with_openers(void **state)
{
  (void)state;
  struct storm storm = {.rounds = 2000};
  fake_init(&storm.fake);
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 3;
  config.openers = 2;
  storm.fake.fail_open = 50;
  blow(&storm, &config, NULL);
  storm.fake.fail_open = 0;
  whole(&storm, 3);
}

static void test_storm__without_a_hard_cap(void **state)
{
  (void)state;
  struct storm storm = {.rounds = 3000, .patient = true};
  fake_init(&storm.fake);
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_idle = 2;
  blow(&storm, &config, NULL);
  fake_finish(&storm.fake, storm.pool);
}

static void test_storm__closed_in_the_middle(void **state)
{
  (void)state;
  for (int round = 0; round < 60; round++) {
    struct storm storm = {.rounds = 1 << 20};
    fake_init(&storm.fake);
    pool_config_t config = POOL_CONFIG_INIT;
    config.max_open = round % 4 + 1;
    config.openers = round % 3;
    pthread_t threads[THREADS];
    storm.pool = fake_pool(&storm.fake, &config, NULL);
    for (int i = 0; i < THREADS; i++)
      threads[i] = thread_start(weather, &storm);
    wait_until(storm.got > 100);
    pool_close(storm.pool, round % 2 ? 0 : -1);
    for (int i = 0; i < THREADS; i++)
      thread_end(threads[i]);
    fake_finish(&storm.fake, storm.pool);
  }
}

/* ---- pools come and go while leases of theirs are being put ---- */

struct late {
  _Atomic pool_lease_t lease;
  _Atomic bool stop;
};

static void *put_late(void *data)
{
  struct late *late = data;
  while (!atomic_load(&late->stop)) {
    pool_lease_t lease = atomic_exchange(&late->lease, 0);
    if (lease)
      assert_int_equal(pool_put(lease), 0);
    else
      yield_ns();
  }
  return NULL;
}

static void test_storm__pools_are_freed_before_their_leases_are_put(void **state)
{
  (void)state;
  struct late late = {0};
  pthread_t thread = thread_start(put_late, &late);
  static struct fake fakes[3000];
  for (int i = 0; i < 3000; i++) {
    fake_init(&fakes[i]);
    pool_vtable_t vtable = fake_vtable();
    vtable.release = fake_release;
    pool_t *pool = fake_pool(&fakes[i], NULL, &vtable);
    pool_lease_t lease = pool_get(pool);
    wait_until(atomic_load(&late.lease) == 0);
    atomic_store(&late.lease, lease);
    if (i % 3 == 0)
      wait_until(atomic_load(&late.lease) == 0);
    pool_free(pool);
  }
  wait_until(atomic_load(&late.lease) == 0);
  atomic_store(&late.stop, true);
  thread_end(thread);
  for (int i = 0; i < 3000; i++) {
    assert_int_equal(fakes[i].closed, 1);
    assert_int_equal(fakes[i].released, 1);
    assert_int_equal(fakes[i].misuse, 0);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_storm__patient_waiters_are_all_served),
      cmocka_unit_test(test_storm__hasty_waiters_and_failing_callbacks),
      cmocka_unit_test(test_storm__with_openers),
      cmocka_unit_test(test_storm__without_a_hard_cap),
      cmocka_unit_test(test_storm__closed_in_the_middle),
      cmocka_unit_test(test_storm__pools_are_freed_before_their_leases_are_put),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
