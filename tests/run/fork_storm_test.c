/* SPDX-License-Identifier: MIT */
/* Forks while other threads get and put without a rest: whatever they were doing, the child has a pool that is whole.
 */
#include "fork_support.h"

#include <string.h>
#include <unistd.h>

/* Under a sanitizer a fork takes many times as long, for it copies what the sanitizer remembers too. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { STORM_THREADS = 4, STORM_FORKS = 100 };
#else
enum { STORM_THREADS = 4, STORM_FORKS = 1000 };
#endif

/* Threads of the library begin and end at any moment, which the children do not survive under the address sanitizer
   (see fork_support.c).  So with it, and only with it, the storm is one of the test's own threads. */
#ifdef __SANITIZE_ADDRESS__
static const bool library_has_threads = false;
#else
static const bool library_has_threads = true;
#endif

struct storm {
  struct fake fake;
  pool_t *pool;
  _Atomic int stop;
  _Atomic int64_t got;
};

static void storm_got(void *user, pool_lease_t result)
{
  struct storm *storm = user;
  must(result > 0 || result == POOL_E_TIMEOUT);
  if (result > 0) {
    fake_use(result);
    must(pool_put(result) == 0);
  }
  atomic_fetch_add(&storm->got, 1);
}

static void end(pool_lease_t lease, const char *tag)
{
  if (tag)
    allocation_begins();
  must(!tag || pool_tag(lease, tag) == 0);
  must(pool_put(lease) == 0);
  if (tag)
    allocation_ends();
}

static void *storm_main(void *data)
{
  struct storm *storm = data;
  uint64_t seed = (uint64_t)(uintptr_t)&seed | 1;
  int64_t asked = 0;
  while (!atomic_load(&storm->stop)) {
    uint32_t dice = random_next(&seed);
    pool_lease_t lease = pool_get_for(storm->pool, dice % 3 ? -1 : 0);
    must(lease > 0 || lease == POOL_E_TIMEOUT);
    if (lease < 0)
      continue;
    fake_use(lease);
    if (dice % 16 == 0)
      must(pool_mark_unusable(lease) == 0);
    end(lease, dice % 32 == 2 ? "in a storm" : NULL);
    if (library_has_threads && dice % 64 == 1 && pool_get_async(storm->pool, dice % 2 ? 5 : -1, storm_got, storm) > 0)
      asked++;
  }
  return (void *)(intptr_t)asked;
}

static void run_storm(const pool_config_t *config, int forks)
{
  static struct storm storm;
  memset(&storm, 0, sizeof storm);
  fake_init(&storm.fake);
  pool_vtable_t vtable = whole_vtable();
  vtable.open = allocating_open;
  vtable.close = allocating_close;
  vtable.check = fake_check;
  vtable.reset = config->openers ? fake_reset : NULL;
  storm.pool = fake_pool(&storm.fake, config, &vtable);
  pthread_t threads[STORM_THREADS];
  for (int i = 0; i < STORM_THREADS; i++)
    threads[i] = thread_start(storm_main, &storm);
  if (library_has_threads)
    wait_until(storm.got > 0); /* they run */
  for (int round = 0; round < forks; round++) {
    int64_t lent = stats_of(storm.pool).lent;
    wait_until(stats_of(storm.pool).lent > lent); /* they are at it */
    pid_t pid = fork_child_in_storm();
    if (pid == 0) {
      renew(&storm.fake);
      is_new(storm.pool);
      if (config->openers == 0 && config->idle_timeout_ms <= 0) {
        is_whole(storm.pool, config->max_open);
      } else {
        pool_lease_t lease = pool_get_for(storm.pool, 9000);
        must(lease > 0 && pool_put(lease) == 0);
      }
      if (library_has_threads && round % 4 == 0) {
        struct told told = {0};
        must(pool_get_async(storm.pool, 9000, got, &told) > 0);
        must_soon(told.times == 1);
        must(told.result > 0);
      }
      must(pool_close(storm.pool, -1) == 0);
      pool_free(storm.pool);
      must(storm.fake.released == 1);
      _exit(0);
    }
    assert_true(succeeded(pid));
  }
  storm.stop = 1;
  int64_t asked = 0;
  for (int i = 0; i < STORM_THREADS; i++)
    asked += (int64_t)(intptr_t)thread_end(threads[i]);
  wait_until(storm.got == asked);
  assert_int_equal(storm.fake.abandoned, 0);
  assert_true(storm.fake.most_open <= config->max_open);
  fake_finish(&storm.fake, storm.pool);
}

static void test_fork__in_a_storm(void **state)
{
  (void)state;
  pool_config_t config = capped(3);
  run_storm(&config, STORM_FORKS);
}

static void test_fork__in_a_storm_with_openers(void **state)
{
  (void)state;
  if (!library_has_threads)
    skip();
  pool_config_t config = capped(3);
  config.openers = 2;
  config.fairness_us = 0;
  run_storm(&config, STORM_FORKS / 4);
}

/* All that a keeper does is due all the time. */
static void test_fork__in_a_storm_with_a_keeper(void **state)
{
  (void)state;
  if (!library_has_threads)
    skip();
  pool_config_t config = capped(3);
  config.min_idle = 1;
  config.check_after_ms = 0;
  config.keepalive_ms = 1;
  config.idle_timeout_ms = 2;
  config.max_lifetime_ms = 20;
  config.leak_after_ms = 1;
  run_storm(&config, STORM_FORKS / 4);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fork__in_a_storm),
      cmocka_unit_test(test_fork__in_a_storm_with_openers),
      cmocka_unit_test(test_fork__in_a_storm_with_a_keeper),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
