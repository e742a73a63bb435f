/* SPDX-License-Identifier: MIT */
/* max_uses: a connection is lent so often and no more, whichever thread gets it and in whichever way. */
#include "steps.h"
#include "witness.h"

static struct fake fake;
static struct diary diary;

static void get_and_put(pool_t *pool, int times)
{
  for (int i = 0; i < times; i++)
    assert_int_equal(pool_put(pool_get(pool)), 0);
}

static void test_uses__a_connection_is_closed_after_so_many_leases(void **state)
{
  (void)state;
  struct plan plan = *PLAN(.config.max_uses = 3, .config.event_mask = 1 << POOL_EVENT_CLOSED);
  diary_init(&diary, &plan.config);
  pool_t *pool = fake_start(&fake, &plan);
  get_and_put(pool, 2);
  assert_int_equal(fake.closed, 0);
  get_and_put(pool, 1);
  assert_int_equal(fake.closed, 1);
  assert_int_equal(diary_last(&diary, POOL_EVENT_CLOSED).reason, POOL_REASON_USES);
  get_and_put(pool, 7);
  assert_int_equal(fake.opened, 4);
  assert_int_equal(fake.closed, 3);
  assert_int_equal(stats_of(pool).closed_uses, 3);
  assert_int_equal(stats_of(pool).lent, 10);
  fake_finish(&fake, pool);
}

static void test_uses__one_lease_is_the_first_and_the_last(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, PLAN(.config.max_uses = 1, .config.initial = 2));
  get_and_put(pool, 5);
  assert_int_equal(fake.opened, 5);
  assert_int_equal(fake.closed, 5);
  fake_finish(&fake, pool);
}

static void test_uses__without_the_setting_there_is_no_end(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, PLAN());
  get_and_put(pool, 3000);
  assert_int_equal(fake.opened, 1);
  assert_int_equal(fake.closed, 0);
  fake_finish(&fake, pool);
}

static void test_uses__a_check_is_no_lease(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, PLAN(.config.max_uses = 4, .config.check_after_ms = 0, .vtable.check = fake_check));
  get_and_put(pool, 8);
  assert_int_equal(fake.checked, 6); /* but the first of each connection, which was just opened */
  assert_int_equal(fake.opened, 2);
  assert_int_equal(fake.closed, 2);
  fake_finish(&fake, pool);
}

static void test_uses__a_time_limit_beside_it_changes_nothing(void **state)
{
  (void)state;
  pool_t *pool = fake_start(
      &fake, PLAN(.config.max_uses = 5, .config.max_lifetime_ms = 1000000, .config.idle_timeout_ms = 1000000));
  get_and_put(pool, 12);
  assert_int_equal(fake.opened, 3);
  assert_int_equal(fake.closed, 2);
  fake_finish(&fake, pool);
}

/* Of each connection, by its number: how often it was lent. */
#define MOST 20000
static _Atomic int lent[MOST];
static _Atomic int longest;

static void *storm(void *data)
{
  for (int i = 0; i < 2000; i++) {
    pool_lease_t lease = pool_get_for(data, -1);
    must(lease > 0);
    int number = fake_number(lease);
    must(number < MOST);
    int times = atomic_fetch_add(&lent[number], 1) + 1;
    if (times > atomic_load(&longest))
      atomic_store(&longest, times);
    fake_use(lease);
    must(pool_put(lease) == 0);
  }
  return NULL;
}

static void test_uses__in_a_storm_none_is_lent_too_often(void **state)
{
  (void)state;
  enum { THREADS = 4, USES = 7 };
  pool_t *pool = fake_start(&fake, PLAN(.config.max_uses = USES, .config.max_open = 2));
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++)
    threads[i] = thread_start(storm, pool);
  for (int i = 0; i < THREADS; i++)
    thread_end(threads[i]);
  assert_int_equal(longest, USES);
  assert_int_equal(stats_of(pool).lent, THREADS * 2000);
  fake_finish(&fake, pool);
}

static void test_uses__asynchronous_gets_and_steps_count_too(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, PLAN(.config.max_uses = 2));
  for (int i = 0; i < 6; i++) {
    struct heard heard = {0};
    assert_true(pool_get_async(pool, -1, told_got, &heard) > 0);
    wait_until(heard.times == 1);
    assert_int_equal(pool_put(heard.result), 0);
  }
  wait_until(fake.closed == 3);
  assert_int_equal(fake.opened, 3);
  fake_finish(&fake, pool);

  pool_step_t step = POOL_STEP_INIT;
  pool = step_pool(PLAN(.config.max_uses = 2));
  pool_lease_t lease = step_open(pool, NULL);
  assert_int_equal(pool_step_end(lease, &step), 0);
  assert_int_equal(step.work, POOL_WORK_NONE);
  assert_true((lease = pool_step_begin(pool, 0, 0, &step)) > 0);
  assert_int_equal(pool_step_end(lease, &step), 0);
  assert_int_equal(step.work, POOL_WORK_CLOSE);
  assert_int_equal(step.reason, POOL_REASON_USES);
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  step_finish(pool, 0);
}

static void test_uses__a_lease_that_a_pause_took_back_was_none(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, PLAN(.config.max_uses = 3));
  get_and_put(pool, 1);
  for (int i = 0; i < 5; i++) {
    assert_int_equal(pool_pause(pool), 0);
    assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
    assert_int_equal(pool_resume(pool), 0);
  }
  get_and_put(pool, 1);
  assert_int_equal(fake.closed, 0);
  get_and_put(pool, 1);
  assert_int_equal(fake.closed, 1);
  fake_finish(&fake, pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_uses__a_connection_is_closed_after_so_many_leases),
      cmocka_unit_test(test_uses__one_lease_is_the_first_and_the_last),
      cmocka_unit_test(test_uses__without_the_setting_there_is_no_end),
      cmocka_unit_test(test_uses__a_check_is_no_lease),
      cmocka_unit_test(test_uses__a_time_limit_beside_it_changes_nothing),
      cmocka_unit_test(test_uses__in_a_storm_none_is_lent_too_often),
      cmocka_unit_test(test_uses__asynchronous_gets_and_steps_count_too),
      cmocka_unit_test(test_uses__a_lease_that_a_pause_took_back_was_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
