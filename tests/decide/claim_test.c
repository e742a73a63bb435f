/* SPDX-License-Identifier: MIT */
/* One claim, one report; and a get that was cancelled is over, whatever is being done for it. */
#include "support.h"

#include <string.h>

enum { ROUNDS = 3000, REPORTERS = 2 };

/* ---- threads that report one claim at one moment ---- */

struct report {
  pool_lease_t result;
  pool_step_t step;
};

static struct {
  _Atomic int round, ended;
  pool_lease_t claim;
  const pool_error_t *failure;
  void *conn;
  struct report reports[REPORTERS];
} race;

static void *report_each(void *data)
{
  struct report *report = data;
  for (int i = 1; i <= ROUNDS; i++) {
    must_soon(atomic_load(&race.round) >= i);
    report->step = (pool_step_t)POOL_STEP_INIT;
    report->result = pool_step_done(race.claim, race.failure, race.conn, &report->step);
    atomic_fetch_add(&race.ended, 1);
  }
  return NULL;
}

/* Both report; returns the one that was believed. */
static struct report both_report(pool_lease_t claim, const pool_error_t *failure, void *conn)
{
  race.claim = claim;
  race.failure = failure;
  race.conn = conn;
  atomic_store(&race.ended, 0);
  atomic_fetch_add(&race.round, 1);
  wait_until(atomic_load(&race.ended) == REPORTERS);
  bool first_is_stale = race.reports[0].result == POOL_E_STALE;
  assert_true(first_is_stale != (race.reports[1].result == POOL_E_STALE));
  const struct report *stale = &race.reports[first_is_stale ? 0 : 1];
  assert_int_equal(stale->step.work, POOL_WORK_NONE);
  assert_int_equal(stale->step.wake, 0);
  return race.reports[first_is_stale ? 1 : 0];
}

static void start_reporters(pthread_t *threads)
{
  atomic_store(&race.round, 0);
  for (int i = 0; i < REPORTERS; i++)
    threads[i] = thread_start(report_each, &race.reports[i]);
}

static void end_reporters(pthread_t *threads)
{
  for (int i = 0; i < REPORTERS; i++)
    thread_end(threads[i]);
}

static pool_t *pool_of_steps(pool_config_t config)
{
  pool_t *pool;
  pool_error_t error = POOL_ERROR_INIT;
  if (pool_step_create(&config, POOL_STEP_CHECKS, &pool, &error) != 0)
    fail_msg("%s", error.message);
  return pool;
}

static pool_lease_t begin_open(pool_t *pool)
{
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_begin(pool, -1, 0, &step), 0);
  assert_int_equal(step.work, POOL_WORK_OPEN);
  return step.claim;
}

static pool_lease_t open_one(pool_t *pool)
{
  static int conn;
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = pool_step_done(begin_open(pool), NULL, &conn, &step);
  assert_true(lease > 0);
  return lease;
}

static void expect_counts(pool_t *pool, int open, int idle)
{
  pool_stats_t stats = stats_of(pool);
  assert_int_equal(stats.open, open);
  assert_int_equal(stats.idle, idle);
  assert_int_equal(stats.opening, 0);
  assert_int_equal(stats.opened - stats.closed, open);
}

static void test_claim__of_two_that_report_an_open_one_is_believed(void **state)
{
  (void)state;
  pthread_t threads[REPORTERS];
  pool_t *pool = pool_of_steps((pool_config_t)POOL_CONFIG_INIT);
  int conns[ROUNDS];
  start_reporters(threads);
  for (int i = 0; i < ROUNDS; i++) {
    bool fails = i % 3 == 0;
    struct report report = both_report(begin_open(pool), fails ? &failed_work : NULL, fails ? NULL : &conns[i]);
    pool_step_t step = POOL_STEP_INIT;
    if (fails) {
      assert_int_equal(report.result, POOL_E_OPEN);
    } else {
      assert_true(report.result > 0);
      assert_ptr_equal(pool_conn(report.result), &conns[i]);
      pool_mark_unusable(report.result);
      assert_int_equal(pool_step_end(report.result, &step), 0);
      assert_int_equal(step.work, POOL_WORK_CLOSE);
      assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
    }
    expect_counts(pool, 0, 0);
  }
  end_reporters(threads);
  assert_int_equal(stats_of(pool).lent, ROUNDS - ROUNDS / 3);
  assert_int_equal(pool_close(pool, 0), 0);
  pool_free(pool);
}

static void test_claim__of_two_that_report_a_check_one_is_believed(void **state)
{
  (void)state;
  pthread_t threads[REPORTERS];
  pool_config_t config = POOL_CONFIG_INIT;
  config.check_after_ms = 0;
  pool_t *pool = pool_of_steps(config);
  pool_step_t step = POOL_STEP_INIT;
  start_reporters(threads);
  assert_int_equal(pool_step_end(open_one(pool), &step), 0);
  for (int i = 0; i < ROUNDS; i++) {
    bool fails = i % 3 == 0;
    assert_int_equal(pool_step_begin(pool, -1, 0, &step), 0);
    assert_int_equal(step.work, POOL_WORK_CHECK);
    struct report report = both_report(step.claim, fails ? &failed_work : NULL, NULL);
    if (fails) {
      assert_int_equal(report.result, 0);
      assert_int_equal(report.step.work, POOL_WORK_CLOSE);
      assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), POOL_E_STALE); /* other work by now */
      assert_int_equal(pool_step_done(report.step.claim, NULL, NULL, &step), 0);
      expect_counts(pool, 0, 0);
      report.result = open_one(pool);
    }
    assert_true(report.result > 0);
    assert_int_equal(pool_step_end(report.result, &step), 0);
    expect_counts(pool, 1, 1);
  }
  end_reporters(threads);
  assert_int_equal(stats_of(pool).checks, ROUNDS);
  assert_int_equal(stats_of(pool).check_failures, ROUNDS / 3);
  pool_close(pool, 0);
  while (pool_step_next(pool, &step))
    assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  pool_free(pool);
}

static void test_claim__of_two_that_report_a_close_one_is_believed(void **state)
{
  (void)state;
  pthread_t threads[REPORTERS];
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 2;
  pool_t *pool = pool_of_steps(config);
  pool_lease_t kept = open_one(pool);
  start_reporters(threads);
  for (int i = 0; i < ROUNDS; i++) {
    pool_step_t step = POOL_STEP_INIT;
    pool_lease_t lease = open_one(pool);
    pool_mark_unusable(lease);
    assert_int_equal(pool_step_end(lease, &step), 0);
    assert_int_equal(step.work, POOL_WORK_CLOSE);
    struct report report = both_report(step.claim, i % 3 == 0 ? &failed_work : NULL, NULL);
    assert_int_equal(report.result, 0);
    expect_counts(pool, 1, 0);
  }
  end_reporters(threads);
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(stats_of(pool).close_failures, ROUNDS / 3);
  assert_int_equal(pool_step_end(kept, &step), 0);
  pool_close(pool, 0);
  while (pool_step_next(pool, &step))
    assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  pool_free(pool);
}

static void test_claim__a_late_report_is_stale_whatever_the_slot_does_by_then(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 1;
  config.check_after_ms = 0;
  pool_t *pool = pool_of_steps(config);
  static int conn, other;
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t opened = begin_open(pool);
  pool_lease_t lease = pool_step_done(opened, NULL, &conn, &step);
  assert_int_equal(pool_step_done(opened, &failed_work, NULL, &step), POOL_E_STALE); /* lent */
  assert_ptr_equal(pool_conn(lease), &conn);
  assert_int_equal(pool_step_end(lease, &step), 0);
  assert_int_equal(pool_step_done(opened, &failed_work, NULL, &step), POOL_E_STALE); /* idle */
  assert_int_equal(pool_step_begin(pool, -1, 0, &step), 0);
  pool_lease_t checked = step.claim;
  assert_int_equal(pool_step_done(opened, &failed_work, NULL, &step), POOL_E_STALE); /* being checked */
  assert_int_equal(pool_step_done(checked, &failed_work, NULL, &step), 0);
  pool_lease_t closed = step.claim;
  assert_int_equal(pool_step_done(opened, NULL, &other, &step), POOL_E_STALE); /* being closed */
  assert_int_equal(pool_step_done(checked, NULL, NULL, &step), POOL_E_STALE);
  expect_counts(pool, 1, 0);
  assert_int_equal(pool_step_done(closed, NULL, NULL, &step), 0);
  assert_int_equal(pool_step_done(closed, NULL, NULL, &step), POOL_E_STALE); /* empty */
  pool_lease_t again = begin_open(pool);
  assert_int_equal(pool_step_done(opened, NULL, &other, &step), POOL_E_STALE); /* being opened for another */
  assert_int_equal(pool_step_done(closed, NULL, NULL, &step), POOL_E_STALE);
  assert_int_equal(stats_of(pool).opening, 1);
  lease = pool_step_done(again, NULL, &conn, &step);
  assert_ptr_equal(pool_conn(lease), &conn);
  pool_mark_unusable(lease);
  assert_int_equal(pool_step_end(lease, &step), 0);
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  expect_counts(pool, 0, 0);
  assert_int_equal(pool_close(pool, 0), 0);
  pool_free(pool);
}

/* ---- cancelled while the connection is checked ---- */

struct answer {
  _Atomic int times;
  _Atomic pool_lease_t result;
};

static void answered(void *user, pool_lease_t result)
{
  struct answer *answer = user;
  atomic_store(&answer->result, result);
  atomic_fetch_add(&answer->times, 1);
}

static void test_claim__a_get_can_be_cancelled_while_its_connection_is_checked(void **state)
{
  (void)state;
  for (int fails = 0; fails < 2; fails++)
    for (int others = 0; others < 2; others++) {
      struct fake fake;
      fake_init(&fake);
      pool_config_t config = POOL_CONFIG_INIT;
      config.max_open = 1;
      config.check_after_ms = 0;
      pool_vtable_t vtable = fake_vtable();
      vtable.check = fake_check;
      pool_t *pool = fake_pool(&fake, &config, &vtable);
      assert_int_equal(pool_put(pool_get(pool)), 0);
      gate_set(&fake.checking, false);
      atomic_store(&fake.fail_check, fails);
      struct answer answer = {0}, other = {0};
      int64_t ticket = pool_get_async(pool, -1, answered, &answer);
      assert_true(ticket > 0);
      wait_until(gate_waiting(&fake.checking) == 1);
      if (others)
        assert_true(pool_get_async(pool, -1, answered, &other) > 0);
      assert_int_equal(pool_cancel(ticket), 0);
      wait_until(answer.times == 1); /* at once, though the check goes on */
      assert_int_equal(answer.result, POOL_E_CANCELLED);
      assert_int_equal(pool_cancel(ticket), POOL_E_STALE);
      gate_set(&fake.checking, true);
      if (others) {
        wait_until(other.times == 1); /* the next has it, or its place */
        assert_true(other.result > 0);
        assert_int_equal(pool_put(other.result), 0);
      }
      wait_until(stats_of(pool).checks >= 1);
      assert_int_equal(answer.times, 1);
      pool_lease_t lease = pool_get(pool);
      assert_true(lease > 0);
      assert_int_equal(pool_put(lease), 0);
      fake_finish(&fake, pool);
    }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_claim__of_two_that_report_an_open_one_is_believed),
      cmocka_unit_test(test_claim__of_two_that_report_a_check_one_is_believed),
      cmocka_unit_test(test_claim__of_two_that_report_a_close_one_is_believed),
      cmocka_unit_test(test_claim__a_late_report_is_stale_whatever_the_slot_does_by_then),
      cmocka_unit_test(test_claim__a_get_can_be_cancelled_while_its_connection_is_checked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
