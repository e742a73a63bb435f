/* SPDX-License-Identifier: MIT */
/* Idle connections only, one more connection, and leases that were not used. */
#include <string.h>

#include "steps.h"
#include "virtual.h"

static int connections[4]; /* their addresses stand for connections */

static pool_t *capped(int32_t max_open)
{
  return step_pool(PLAN(.config.max_open = max_open));
}

static pool_lease_t take_idle(pool_t *pool)
{
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = pool_step_idle(pool, &step);
  assert_int_equal(step.work, POOL_WORK_NONE);
  assert_int_equal(step.ticket, 0);
  return lease;
}

static void end_unused(pool_lease_t lease)
{
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_end_unused(lease, &step), 0);
  assert_int_equal(step.work, POOL_WORK_NONE);
}

/* One more, which is idle then. */
static void add(pool_t *pool, void *conn)
{
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_open(pool, &step), 0);
  assert_int_equal(step.work, POOL_WORK_OPEN);
  assert_int_equal(pool_step_done(step.claim, NULL, conn, &step), 0);
  assert_int_equal(step.work, POOL_WORK_NONE);
}

static void test_step_idle__takes_all_that_is_idle_and_opens_nothing(void **state)
{
  (void)state;
  pool_t *pool = capped(3);
  assert_int_equal(take_idle(pool), 0);
  add(pool, &connections[0]);
  add(pool, &connections[1]);
  pool_lease_t first = take_idle(pool), second = take_idle(pool);
  assert_true(first > 0 && second > 0 && first != second);
  assert_int_equal(take_idle(pool), 0);
  assert_int_equal(stats_of(pool).opened, 2);
  assert_int_equal(stats_of(pool).timed_out, 0);
  assert_int_equal(step_put(first), 0);
  end_unused(second);
  assert_int_equal(pool_len(pool), 2);
  assert_int_equal(stats_of(pool).lent, 1);
  step_finish(pool, 2);
}

static void test_step_idle__leaves_to_a_pause_and_to_the_first_waiter_what_is_theirs(void **state)
{
  (void)state;
  pool_t *pool = step_pool(PLAN(.config.max_open = 1, .config.fairness_us = 0));
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = step_open(pool, &connections[0]);
  int64_t ticket = step_queue(pool, -1);
  assert_int_equal(step_put(lease), ticket);
  assert_int_equal(take_idle(pool), 0);
  lease = pool_step_begin(pool, -1, ticket, &step);
  assert_true(lease > 0);
  assert_int_equal(step_put(lease), 0);
  assert_int_equal(pool_pause(pool), 0);
  assert_int_equal(take_idle(pool), 0);
  assert_int_equal(pool_resume(pool), 0);
  lease = take_idle(pool);
  assert_true(lease > 0);
  assert_int_equal(step_put(lease), 0);
  step_finish(pool, 1);
}

static void test_step_idle__checks_and_closes_first_what_has_been_idle_for_too_long(void **state)
{
  (void)state;
  pool_t *pool = step_pool(PLAN(.config.check_after_ms = 1000, .config.idle_timeout_ms = 60000));
  pool_step_t step = POOL_STEP_INIT;
  add(pool, &connections[0]);
  virtual_advance(2 * SECOND);
  assert_int_equal(pool_step_idle(pool, &step), 0);
  assert_int_equal(step.work, POOL_WORK_CHECK);
  pool_lease_t lease = pool_step_done(step.claim, NULL, NULL, &step);
  assert_true(lease > 0);
  assert_int_equal(step_put(lease), 0);
  virtual_advance(61 * SECOND);
  assert_int_equal(pool_step_idle(pool, &step), 0);
  assert_int_equal(step.work, POOL_WORK_CLOSE);
  assert_int_equal(step.reason, POOL_REASON_IDLE);
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  assert_int_equal(pool_step_idle(pool, &step), 0);
  assert_int_equal(step.work, POOL_WORK_NONE);
  step_finish(pool, 0);
}

static void test_step_idle__one_more_is_opened_beside_an_idle_one_and_only_where_there_is_room(void **state)
{
  (void)state;
  pool_t *pool = capped(2);
  pool_step_t step = POOL_STEP_INIT;
  add(pool, &connections[0]);
  assert_int_equal(pool_step_open(pool, &step), 0);
  pool_step_t none = POOL_STEP_INIT;
  assert_int_equal(pool_step_open(pool, &none), POOL_E_TIMEOUT);
  assert_int_equal(none.work, POOL_WORK_NONE);
  assert_int_equal(pool_step_done(step.claim, &failed_work, NULL, &step), 0); /* no get failed */
  assert_int_equal(stats_of(pool).open_failures, 1);
  add(pool, &connections[1]);
  assert_int_equal(pool_len(pool), 2);
  assert_int_equal(stats_of(pool).lent, 0);
  step_finish(pool, 2);
}

static void test_step_idle__one_more_goes_to_the_first_waiter(void **state)
{
  (void)state;
  pool_t *pool = capped(1);
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_open(pool, &step), 0);
  int64_t ticket = step_queue(pool, -1);
  assert_int_equal(pool_step_done(step.claim, NULL, &connections[0], &step), 0);
  assert_int_equal(step.wake, ticket);
  pool_lease_t lease = pool_step_begin(pool, -1, ticket, &step);
  assert_ptr_equal(pool_conn(lease), &connections[0]);
  assert_int_equal(step_put(lease), 0);
  step_finish(pool, 1);
}

static void test_step_idle__one_more_is_closed_if_the_pool_was_closed_or_flushed_meanwhile(void **state)
{
  (void)state;
  for (int closes = 0; closes < 2; closes++) {
    pool_t *pool = capped(1);
    pool_step_t step = POOL_STEP_INIT;
    assert_int_equal(pool_step_open(pool, &step), 0);
    int64_t claim = step.claim;
    if (closes)
      assert_int_equal(pool_close(pool, 0), 1);
    else
      assert_int_equal(pool_flush(pool), 1);
    assert_int_equal(pool_step_done(claim, NULL, &connections[0], &step), closes ? POOL_E_CLOSED : 0);
    assert_int_equal(step.work, POOL_WORK_CLOSE);
    assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
    if (closes) {
      assert_int_equal(pool_step_open(pool, &step), POOL_E_CLOSED);
      assert_int_equal(pool_step_idle(pool, &step), POOL_E_CLOSED);
    }
    step_finish(pool, 0);
  }
}

static void test_step_idle__one_more_waits_for_the_breaker_and_says_why(void **state)
{
  (void)state;
  pool_t *pool = step_pool(PLAN(.config.name = "sad", .config.retry_min_ms = 60000, .config.retry_max_ms = 60000,
                                .config.breaker_after = 1));
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_open(pool, &step), 0);
  assert_int_equal(pool_step_done(step.claim, &failed_work, NULL, &step), 0);
  assert_int_equal(pool_step_open(pool, &step), POOL_E_OPEN);
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(pool_failure(&error), POOL_E_OPEN);
  assert_non_null(strstr(error.message, failed_work.message));
  virtual_advance(60 * SECOND);
  add(pool, &connections[0]);
  step_finish(pool, 1);
}

static void test_step_idle__a_lease_that_was_not_used_ends_once(void **state)
{
  (void)state;
  pool_t *pool = capped(1);
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = step_open(pool, &connections[0]);
  int64_t ticket = step_queue(pool, -1);
  assert_int_equal(pool_step_end_unused(lease, &step), 0);
  assert_int_equal(step.wake, ticket);
  assert_int_equal(pool_step_end_unused(lease, &step), POOL_E_STALE);
  assert_int_equal(pool_step_end(lease, &step), POOL_E_STALE);
  assert_int_equal(pool_step_end_unused(-1, &step), POOL_E_STALE);
  lease = pool_step_begin(pool, -1, ticket, &step);
  assert_int_equal(pool_mark_unusable(lease), 0);
  assert_int_equal(pool_step_end_unused(lease, &step), 0);
  assert_int_equal(step.work, POOL_WORK_CLOSE);
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  assert_int_equal(stats_of(pool).lent, 0);
  step_finish(pool, 0);
}

static void test_step_idle__leases_that_were_not_used_do_not_count_for_max_uses_but_the_last(void **state)
{
  (void)state;
  pool_t *pool = step_pool(PLAN(.config.max_uses = 3));
  pool_step_t step = POOL_STEP_INIT;
  add(pool, &connections[0]);
  for (int used = 0; used < 2; used++) {
    for (int i = 0; i < 5; i++)
      end_unused(take_idle(pool));
    assert_int_equal(step_put(take_idle(pool)), 0);
  }
  assert_int_equal(pool_step_end_unused(take_idle(pool), &step), 0);
  assert_int_equal(step.work, POOL_WORK_CLOSE);
  assert_int_equal(step.reason, POOL_REASON_USES);
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  step_finish(pool, 0);
}

/* Whether a connection is there after 70 s during which it was lent every 5 s. */
static bool lives_through(bool used, bool looks)
{
  pool_t *pool = step_pool(PLAN(.config.idle_timeout_ms = 60000));
  pool_step_t step = POOL_STEP_INIT;
  bool lives = true;
  add(pool, &connections[0]);
  for (int i = 0; lives && i < 14; i++) {
    virtual_advance(5 * SECOND);
    if (looks)
      pool_maintain(pool);
    pool_lease_t lease = pool_step_idle(pool, &step);
    lives = lease > 0;
    if (looks && lives)
      pool_maintain(pool);
    if (lives)
      assert_int_equal(used ? pool_step_end(lease, &step) : pool_step_end_unused(lease, &step), 0);
    else
      assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  }
  step_finish(pool, lives);
  return lives;
}

static void test_step_idle__a_lease_that_was_not_used_leaves_its_connection_as_idle_as_it_was(void **state)
{
  (void)state;
  for (int looks = 0; looks < 2; looks++) {
    assert_true(lives_through(true, looks));
    assert_false(lives_through(false, looks));
  }
}

static void test_step_idle__the_end_that_is_told_is_that_of_a_lease(void **state)
{
  (void)state;
  pool_t *pool = step_pool_able(PLAN(.config.max_open = 1), POOL_STEP_EVENTS);
  pool_step_event_t event = POOL_STEP_EVENT_INIT;
  add(pool, &connections[0]);
  while (pool_step_event(pool, &event) == 1)
    ;
  pool_lease_t lease = take_idle(pool);
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_end_unused(lease, &step), 0);
  assert_int_equal(step.more, 1);
  assert_int_equal(pool_step_event(pool, &event), 1);
  assert_int_equal(event.event, POOL_EVENT_LENT);
  assert_int_equal(pool_step_event(pool, &event), 1);
  assert_int_equal(event.event, POOL_EVENT_RETURNED);
  assert_int_equal(event.lease, lease);
  step_finish(pool, 1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_step_idle__takes_all_that_is_idle_and_opens_nothing),
      cmocka_unit_test(test_step_idle__leaves_to_a_pause_and_to_the_first_waiter_what_is_theirs),
      cmocka_unit_test(test_step_idle__checks_and_closes_first_what_has_been_idle_for_too_long),
      cmocka_unit_test(test_step_idle__one_more_is_opened_beside_an_idle_one_and_only_where_there_is_room),
      cmocka_unit_test(test_step_idle__one_more_goes_to_the_first_waiter),
      cmocka_unit_test(test_step_idle__one_more_is_closed_if_the_pool_was_closed_or_flushed_meanwhile),
      cmocka_unit_test(test_step_idle__one_more_waits_for_the_breaker_and_says_why),
      cmocka_unit_test(test_step_idle__a_lease_that_was_not_used_ends_once),
      cmocka_unit_test(test_step_idle__leases_that_were_not_used_do_not_count_for_max_uses_but_the_last),
      cmocka_unit_test(test_step_idle__a_lease_that_was_not_used_leaves_its_connection_as_idle_as_it_was),
      cmocka_unit_test(test_step_idle__the_end_that_is_told_is_that_of_a_lease),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
