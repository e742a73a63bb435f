/* SPDX-License-Identifier: MIT */
/* What the library knows reaches the caller of the step API: when to look next, that there is more, why a get failed,
   events and lines of the log. */
#include <string.h>

#include "steps.h"
#include "virtual.h"

static int connections[64]; /* their addresses stand for connections */

static void assert_says(const char *message)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_failure(&error);
  assert_string_equal(error.message, message);
}

/* Does what pool_step_next() asks for until it asks for nothing more; returns how many opens that were. */
static int settle(pool_t *pool, pool_step_t *step)
{
  int opens = 0;
  while (pool_step_next(pool, step) == 1) {
    opens += step->work == POOL_WORK_OPEN;
    if (step->work)
      assert_int_equal(pool_step_done(step->claim, NULL, &connections[0], step), 0);
  }
  return opens;
}

/* What a binding's sleeper does when it wakes.  Returns for how long it then sleeps. */
static int64_t keep_time(pool_t *pool)
{
  pool_step_t step = POOL_STEP_INIT;
  for (int i = 0; i < 10; i++) {
    settle(pool, &step);
    if (step.due_ns > 0)
      return step.due_ns;
    pool_maintain(pool);
  }
  fail_msg("the pool never rests");
  return 0;
}

/* ---- when to look ---- */

static void test_step_told__a_pool_without_times_never_asks_for_a_look(void **state)
{
  (void)state;
  pool_t *pool = step_pool(PLAN(.config.max_open = 2));
  pool_step_t step = POOL_STEP_INIT;
  assert_true(keep_time(pool) == POOL_NO_DEADLINE);
  pool_lease_t lease = step_open(pool, &connections[0]);
  assert_opens(pool, 0, 0, &step);
  assert_int_equal(pool_step_done(step.claim, &failed_work, NULL, &step), POOL_E_OPEN);
  assert_int_equal(step.more, 0);
  assert_int_equal(pool_step_end(lease, &step), 0);
  assert_int_equal(step.more, 0);
  assert_true(keep_time(pool) == POOL_NO_DEADLINE);
  step_finish(pool, 1);
}

static void test_step_told__a_new_connection_and_its_put_each_wake_a_sleeper_that_rests(void **state)
{
  (void)state;
  pool_t *pool = step_pool(PLAN(.config.idle_timeout_ms = 60000));
  pool_step_t step = POOL_STEP_INIT;
  assert_true(keep_time(pool) == POOL_NO_DEADLINE);
  assert_opens(pool, 0, 0, &step);
  pool_lease_t lease = pool_step_done(step.claim, NULL, &connections[0], &step);
  assert_int_equal(step.more, 1);
  assert_true(keep_time(pool) == POOL_NO_DEADLINE); /* of a lease nothing is due here */
  assert_int_equal(pool_step_end(lease, &step), 0);
  assert_int_equal(step.more, 1);
  assert_true(keep_time(pool) <= 60 * SECOND);
  step_finish(pool, 1);
}

static void test_step_told__a_pool_that_rests_sleeps_until_the_first_end_and_the_first_use_says_so(void **state)
{
  (void)state;
  pool_t *pool = step_pool(PLAN(.config.idle_timeout_ms = 60000));
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(step_put(step_open(pool, &connections[0])), 0);
  int64_t sleeps = keep_time(pool);
  assert_true(sleeps > 30 * SECOND && sleeps <= 60 * SECOND);
  virtual_advance(SECOND);
  pool_lease_t lease = pool_step_begin(pool, 0, 0, &step);
  assert_true(lease > 0);
  assert_int_equal(step.more, 1);
  assert_int_equal(step_put(lease), 0);
  assert_true((sleeps = keep_time(pool)) <= 15 * SECOND); /* it has moved since the last look */
  for (int i = 0; i < 100; i++) {
    assert_true((lease = pool_step_begin(pool, 0, 0, &step)) > 0);
    assert_int_equal(step.more, 0); /* the sleeper wakes by itself soon enough */
    assert_int_equal(pool_step_end(lease, &step), 0);
    assert_int_equal(step.more, 0);
  }
  int looks = 0;
  for (; sleeps != POOL_NO_DEADLINE; looks++) {
    virtual_advance(sleeps);
    sleeps = keep_time(pool);
  }
  assert_true(looks <= 3);
  assert_int_equal(stats_of(pool).closed_idle, 1);
  step_finish(pool, 0);
}

static void test_step_told__a_lease_that_ends_wakes_a_sleeper_that_rests(void **state)
{
  (void)state;
  pool_t *pool = step_pool(PLAN(.config.keepalive_ms = 60000));
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = step_open(pool, &connections[0]);
  assert_true(keep_time(pool) == POOL_NO_DEADLINE); /* a lease has no time here */
  assert_int_equal(pool_step_end(lease, &step), 0);
  assert_int_equal(step.more, 1);
  assert_true(keep_time(pool) <= 60 * SECOND);
  step_finish(pool, 1);
}

static void test_step_told__more_tickets_than_one_are_said_to_be_there(void **state)
{
  (void)state;
  pool_t *pool = step_pool(PLAN(.config.max_open = 1));
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = step_open(pool, &connections[0]);
  int64_t tickets[3];
  step_queue_all(pool, tickets, 3);
  assert_int_equal(pool_evict(pool), 3);
  for (int i = 0; i < 3; i++) {
    assert_next_wakes(pool, tickets[i], &step);
    assert_int_equal(step.more, i < 2);
  }
  for (int i = 0; i < 3; i++)
    assert_int_equal(pool_step_cancel(tickets[i], &step), POOL_E_EVICTED);
  assert_int_equal(pool_step_next(pool, &step), 0);
  assert_int_equal(step.more, 0);
  assert_int_equal(step_put(lease), 0);
  step_finish(pool, 1);
}

/* ---- abilities ---- */

static void test_step_told__settings_that_need_an_ability_are_refused_without(void **state)
{
  (void)state;
  pool_t *pool = NULL;
  pool_error_t error = POOL_ERROR_INIT;
  pool_config_t checks = POOL_CONFIG_INIT, keeps = checks, resets = checks;
  checks.check_after_ms = 0;
  keeps.keepalive_ms = 1000;
  resets.background_reset = 1;
  assert_int_equal(pool_step_create(&checks, POOL_STEP_RESETS, &pool, &error), POOL_E_INVALID);
  assert_string_equal(error.message, "check_after_ms is set, but there is no check");
  assert_int_equal(pool_step_create(&keeps, 0, &pool, &error), POOL_E_INVALID);
  assert_string_equal(error.message, "keepalive_ms is set, but there is no check");
  assert_int_equal(pool_step_create(&resets, POOL_STEP_CHECKS, &pool, &error), POOL_E_INVALID);
  assert_string_equal(error.message, "background_reset is set, but there is no reset");
  assert_null(pool);
}

static void test_step_told__a_reset_is_asked_for_after_each_lease(void **state)
{
  (void)state;
  pool_t *pool = step_pool_able(PLAN(.config.max_open = 1), POOL_STEP_RESETS);
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = step_open(pool, &connections[0]);
  int64_t ticket = step_queue(pool, -1);
  assert_int_equal(pool_step_end(lease, &step), 0);
  assert_int_equal(step.work, POOL_WORK_RESET);
  assert_ptr_equal(step.conn, &connections[0]);
  assert_int_equal(step.wake, 0);
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  assert_int_equal(step.wake, ticket);
  assert_true((lease = pool_step_begin(pool, -1, ticket, &step)) > 0);
  assert_int_equal(pool_step_end(lease, &step), 0);
  assert_int_equal(pool_step_done(step.claim, &failed_work, NULL, &step), 0);
  assert_int_equal(step.work, POOL_WORK_CLOSE);
  assert_int_equal(step.reason, POOL_REASON_RESET);
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  assert_int_equal(stats_of(pool).resets, 2);
  assert_int_equal(stats_of(pool).reset_failures, 1);
  step_finish(pool, 0);
}

static void test_step_told__a_reset_in_the_background_is_asked_for_by_next(void **state)
{
  (void)state;
  pool_t *pool = step_pool_able(PLAN(.config.background_reset = 1), POOL_STEP_RESETS);
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = step_open(pool, &connections[0]);
  assert_int_equal(pool_step_end(lease, &step), 0);
  assert_int_equal(step.work, POOL_WORK_NONE);
  assert_int_equal(step.more, 1);
  assert_int_equal(pool_len(pool), 0);
  assert_int_equal(pool_step_next(pool, &step), 1);
  assert_int_equal(step.work, POOL_WORK_RESET);
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  assert_int_equal(pool_len(pool), 1);
  assert_int_equal(pool_step_next(pool, &step), 0);
  step_finish(pool, 1);
}

static void test_step_told__a_check_that_took_too_long_has_failed(void **state)
{
  (void)state;
  pool_t *pool = step_pool(PLAN(.config.check_after_ms = 0, .config.check_timeout_ms = 500));
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(step_put(step_open(pool, &connections[0])), 0);
  assert_checks(pool, 0, 0, &step);
  virtual_advance(501 * MILLISECOND);
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  assert_int_equal(step.work, POOL_WORK_CLOSE);
  assert_int_equal(step.reason, POOL_REASON_CHECK);
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  assert_int_equal(stats_of(pool).check_failures, 1);
  step_finish(pool, 0);
}

/* ---- the connections that a pool begins with ---- */

static void test_step_told__next_asks_for_the_initial_connections_first(void **state)
{
  (void)state;
  pool_t *pool = step_pool(PLAN(.config.initial = 30, .config.min_idle = 20));
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(settle(pool, &step), 30);
  assert_int_equal(pool_len(pool), 30);
  step_finish(pool, 30);
}

static void test_step_told__an_initial_connection_that_fails_says_what_pool_create_says(void **state)
{
  (void)state;
  pool_t *pool = step_pool(PLAN(.config.initial = 3, .config.paused = 1));
  pool_step_t step = POOL_STEP_INIT;
  pool_error_t failure = {sizeof failure, POOL_E_OPEN, 111, "connection refused"};
  assert_int_equal(pool_step_next(pool, &step), 1);
  assert_int_equal(pool_step_done(step.claim, NULL, &connections[0], &step), 0);
  assert_int_equal(pool_step_next(pool, &step), 1);
  assert_int_equal(pool_step_done(step.claim, &failure, NULL, &step), POOL_E_OPEN);
  assert_says("pool: could not open initial connection 2 of 3: connection refused");
  step_finish(pool, 1);
}

/* ---- why a get failed ---- */

static void test_step_told__a_timeout_says_where_the_time_went(void **state)
{
  (void)state;
  pool_t *pool = step_pool(PLAN(.config.name = "orders", .config.max_open = 1));
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = step_open(pool, &connections[0]);
  assert_int_equal(pool_tag(lease, "checkout"), 0);
  int64_t first = step_queue(pool, 200), second = step_queue(pool, 200), third = step_queue(pool, 500);
  virtual_advance(200 * MILLISECOND);
  static const char full[] = "orders: no connection in time: 200 ms went by in the queue, 0 ms in open or check; "
                             "1 of 1 are open, 1 leased, 0 idle, 1 wait; the oldest lease is out for 200 ms (checkout)";
  assert_int_equal(pool_step_begin(pool, 200, first, &step), POOL_E_TIMEOUT);
  assert_int_equal(pool_step_cancel(second, &step), 0);
  assert_int_equal(pool_failure(NULL), POOL_E_TIMEOUT);
  assert_says(full);
  assert_int_equal(pool_pause(pool), 1);
  assert_int_equal(pool_step_cancel(third, &step), 0);
  assert_int_equal(pool_failure(NULL), POOL_E_CANCELLED);
  assert_says("orders: cancelled: 200 ms went by in the queue, 0 ms in open or check; "
              "1 of 1 are open, 1 leased, 0 idle, 0 wait; the oldest lease is out for 200 ms (checkout); "
              "the pool is paused");
  third = step_queue(pool, 100);
  virtual_advance(100 * MILLISECOND);
  assert_int_equal(pool_step_cancel(third, &step), 0);
  assert_says("orders: no connection in time: 100 ms went by in the queue, 0 ms in open or check; "
              "1 of 1 are open, 1 leased, 0 idle, 0 wait; the oldest lease is out for 300 ms (checkout); "
              "the pool is paused");
  assert_int_equal(pool_resume(pool), 0);
  assert_int_equal(step_put(lease), 0);
  step_finish(pool, 1);
}

static void test_step_told__a_timeout_says_why_the_last_open_failed(void **state)
{
  (void)state;
  pool_t *pool = step_pool(PLAN(.config.name = "orders", .config.max_open = 2));
  pool_step_t step = POOL_STEP_INIT;
  pool_error_t failure = {sizeof failure, POOL_E_OPEN, 53, "too many clients"};
  pool_lease_t lease = step_open(pool, &connections[0]);
  assert_opens(pool, 300, 0, &step);
  virtual_advance(20 * MILLISECOND);
  assert_int_equal(pool_step_done(step.claim, &failure, NULL, &step), 0);
  assert_true(step.ticket > 0);
  virtual_advance(280 * MILLISECOND);
  assert_int_equal(pool_step_begin(pool, 300, step.ticket, &step), POOL_E_TIMEOUT);
  pool_error_t error = POOL_ERROR_INIT;
  pool_failure(&error);
  assert_int_equal(error.native, 53);
  assert_non_null(
      strstr(error.message, " 20 ms in open or check: too many clients; 1 of 2 are open, 1 leased, 0 idle, 0 wait"));
  assert_int_equal(step_put(lease), 0);
  step_finish(pool, 1);
}

static void test_step_told__threads_that_wait_for_each_other_are_found_where_tickets_are_threads(void **state)
{
  (void)state;
  for (int32_t abilities = 0; abilities <= POOL_STEP_THREADS; abilities += POOL_STEP_THREADS) {
    pool_t *pool = step_pool_able(PLAN(.config.max_open = 1), abilities | POOL_STEP_EVENTS);
    pool_step_t step = POOL_STEP_INIT;
    pool_lease_t lease = step_open(pool, &connections[0]);
    int64_t ticket = step_queue(pool, 1000); /* of the thread that holds the only connection */
    virtual_advance(1000 * MILLISECOND);
    assert_int_equal(pool_step_cancel(ticket, &step), 0);
    pool_error_t error = POOL_ERROR_INIT;
    pool_failure(&error);
    bool said = strstr(error.message, "; each was held by a thread that itself waited for this pool") != NULL;
    assert_int_equal(said, abilities != 0);
    assert_int_equal(stats_of(pool).starved, abilities != 0);
    assert_int_equal(step_put(lease), 0);
    step_finish(pool, 1);
  }
}

/* ---- events ---- */

static bool next_event(pool_t *pool, pool_step_event_t *event)
{
  *event = (pool_step_event_t)POOL_STEP_EVENT_INIT;
  return pool_step_event(pool, event) == 1;
}

static void assert_events(pool_t *pool, const int32_t *expected, int count)
{
  pool_step_event_t event;
  for (int i = 0; i < count; i++) {
    assert_true(next_event(pool, &event));
    assert_int_equal(event.event, expected[i]);
    assert_int_equal(event.lost, 0);
  }
  assert_false(next_event(pool, &event));
}
#define EVENTS(pool, ...)                                                                                              \
  assert_events(pool, (const int32_t[]){__VA_ARGS__}, sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t))

static void test_step_told__every_event_of_a_connection_and_a_get_comes_in_order(void **state)
{
  (void)state;
  pool_t *pool = step_pool_able(PLAN(.config.max_open = 1), POOL_STEP_EVENTS | POOL_STEP_CHECKS);
  pool_step_t step = POOL_STEP_INIT;
  EVENTS(pool, POOL_EVENT_POOL_CREATED);
  assert_opens(pool, 1000, 0, &step);
  assert_int_equal(step.more, 1);
  assert_int_equal(pool_step_done(step.claim, &failed_work, NULL, &step), POOL_E_OPEN);
  EVENTS(pool, POOL_EVENT_OPENING, POOL_EVENT_OPEN_FAILED, POOL_EVENT_GET_FAILED);
  pool_lease_t lease = step_open(pool, &connections[0]);
  EVENTS(pool, POOL_EVENT_OPENING, POOL_EVENT_OPENED, POOL_EVENT_LENT);
  int64_t late = step_queue(pool, 100), ticket = step_queue(pool, -1);
  virtual_advance(100 * MILLISECOND);
  assert_int_equal(pool_step_cancel(late, &step), 0);
  EVENTS(pool, POOL_EVENT_TIMED_OUT);
  assert_int_equal(pool_step_end(lease, &step), 0);
  assert_true((lease = pool_step_begin(pool, -1, ticket, &step)) > 0);
  EVENTS(pool, POOL_EVENT_RETURNED, POOL_EVENT_WAITED, POOL_EVENT_LENT);
  assert_int_equal(pool_step_begin(pool, 0, 0, &step), POOL_E_TIMEOUT);
  assert_int_equal(pool_step_end(lease, &step), 0);
  assert_true((lease = pool_step_begin(pool, 0, 0, &step)) > 0); /* also on the way of a get that waits for nothing */
  assert_int_equal(pool_mark_unusable(lease), 0);
  step_close(lease, POOL_REASON_UNUSABLE);
  EVENTS(pool, POOL_EVENT_TIMED_OUT, POOL_EVENT_RETURNED, POOL_EVENT_LENT, POOL_EVENT_RETURNED, POOL_EVENT_CLOSED);
  assert_int_equal(pool_step_next(pool, &step), 0);
  assert_int_equal(step.more, 0);
  step_finish(pool, 0);
}

static void test_step_told__an_event_has_what_a_callback_would_get(void **state)
{
  (void)state;
  pool_step_event_t event;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = step_pool_able(PLAN(.config.name = "orders", .config.event_mask = 1 << POOL_EVENT_OPEN_FAILED),
                                POOL_STEP_EVENTS | POOL_STEP_LOG);
  pool_error_t failure = {sizeof failure, POOL_E_OPEN, 111, "connection refused"};
  assert_opens(pool, 0, 0, &step);
  virtual_advance(7 * MILLISECOND);
  pool_step_done(step.claim, &failure, NULL, &step);
  assert_true(next_event(pool, &event));
  assert_int_equal(event.event, POOL_EVENT_OPEN_FAILED);
  assert_int_equal(event.code, POOL_E_OPEN);
  assert_int_equal(event.connection, 1);
  assert_int_equal(event.duration_ns, 7 * MILLISECOND);
  assert_string_equal(event.message, "connection refused");
  assert_int_equal(event.level, POOL_LOG_WARN);
  assert_string_equal(event.line, "orders: could not open a connection: connection refused");
  assert_false(next_event(pool, &event)); /* the mask has nothing else */
  step_finish(pool, 0);
}

static void test_step_told__what_a_close_gave_up_is_an_event_and_no_line(void **state)
{
  (void)state;
  pool_step_event_t event;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = step_pool_able(PLAN(.config.event_mask = 1 << POOL_EVENT_OPEN_FAILED), POOL_STEP_EVENTS | POOL_STEP_LOG);
  assert_opens(pool, 0, 0, &step);
  pool_close(pool, 0);
  pool_step_done(step.claim, &failed_work, NULL, &step);
  assert_true(next_event(pool, &event));
  assert_int_equal(event.event, POOL_EVENT_OPEN_FAILED);
  assert_string_equal(event.message, "refused");
  assert_string_equal(event.line, "");
  step_finish(pool, 0);
}

static void test_step_told__a_leak_is_found_by_a_look_and_told_with_its_tag(void **state)
{
  (void)state;
  pool_step_event_t event;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = step_pool_able(PLAN(.config.leak_after_ms = 1000), POOL_STEP_LOG);
  pool_lease_t lease = step_open(pool, &connections[0]);
  assert_int_equal(pool_tag(lease, "report.c:42"), 0);
  pool_lease_info_t info = POOL_LEASE_INFO_INIT;
  assert_int_equal(pool_leases(pool, &info, 1), 1);
  assert_string_equal(info.tag, "report.c:42");
  assert_true(info.lease == lease);
  for (int64_t sleeps; (sleeps = keep_time(pool)) != POOL_NO_DEADLINE;)
    virtual_advance(sleeps);
  assert_true(next_event(pool, &event));
  assert_int_equal(event.event, 0);
  assert_int_equal(event.level, POOL_LOG_WARN);
  assert_non_null(strstr(event.line, ", report.c:42 is out for "));
  assert_string_equal(event.tag, "report.c:42");
  assert_int_equal(stats_of(pool).leaked, 1);
  assert_int_equal(pool_step_end(lease, &step), 0);
  assert_true(next_event(pool, &event));
  assert_int_equal(event.level, POOL_LOG_INFO);
  assert_non_null(strstr(event.line, " came back after "));
  step_finish(pool, 1);
}

static void test_step_told__who_does_not_fetch_is_told_how_many_were_lost(void **state)
{
  (void)state;
  pool_step_event_t event;
  pool_t *pool = step_pool_able(PLAN(.config.event_mask = 1 << POOL_EVENT_POOL_PAUSED), POOL_STEP_EVENTS);
  for (int i = 0; i < 300; i++) {
    pool_pause(pool);
    pool_resume(pool);
  }
  assert_true(next_event(pool, &event));
  assert_int_equal(event.lost, 300 - 256);
  int count = 1;
  for (; next_event(pool, &event); count++)
    assert_int_equal(event.lost, 0);
  assert_int_equal(count, 256);
  step_finish(pool, 0);
}

static void test_step_told__nothing_is_kept_for_who_fetches_nothing(void **state)
{
  (void)state;
  pool_step_event_t event;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = step_pool(PLAN(.config.max_open = 1));
  assert_opens(pool, 0, 0, &step);
  assert_int_equal(step.more, 0);
  pool_step_done(step.claim, &failed_work, NULL, &step);
  assert_false(next_event(pool, &event));
  step_finish(pool, 0);
}

static void test_step_told__an_expired_ticket_gets_nothing(void **state)
{
  (void)state;
  for (int overtaking = 0; overtaking < 2; overtaking++) {
    pool_t *pool = step_pool(PLAN(.config.max_open = 1, .config.fairness_us = overtaking ? 100000000 : 0));
    pool_step_t step = POOL_STEP_INIT;
    pool_lease_t lease = step_open(pool, NULL);
    int64_t expiring = step_queue(pool, 1), silent = step_queue(pool, 1), patient = step_queue(pool, -1);
    virtual_advance(2 * MILLISECOND);
    assert_int_equal(pool_step_begin(pool, 1, expiring, &step), POOL_E_TIMEOUT);
    assert_int_equal(step.ticket, 0);
    assert_int_equal(pool_step_begin(pool, 1, expiring, &step), POOL_E_STALE);
    assert_int_equal(step_put(lease), patient); /* a ticket that nobody cancelled is in no one's way */
    assert_true((lease = pool_step_begin(pool, -1, patient, &step)) > 0);
    assert_int_equal(pool_step_cancel(silent, &step), 0);
    assert_int_equal(pool_step_cancel(silent, &step), POOL_E_STALE);
    assert_int_equal(step_put(lease), 0);
    assert_int_equal(stats_of(pool).timed_out, 2);
    step_finish(pool, 1);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_step_told__a_pool_without_times_never_asks_for_a_look),
      cmocka_unit_test(test_step_told__a_new_connection_and_its_put_each_wake_a_sleeper_that_rests),
      cmocka_unit_test(test_step_told__a_pool_that_rests_sleeps_until_the_first_end_and_the_first_use_says_so),
      cmocka_unit_test(test_step_told__a_lease_that_ends_wakes_a_sleeper_that_rests),
      cmocka_unit_test(test_step_told__more_tickets_than_one_are_said_to_be_there),
      cmocka_unit_test(test_step_told__settings_that_need_an_ability_are_refused_without),
      cmocka_unit_test(test_step_told__a_reset_is_asked_for_after_each_lease),
      cmocka_unit_test(test_step_told__a_reset_in_the_background_is_asked_for_by_next),
      cmocka_unit_test(test_step_told__a_check_that_took_too_long_has_failed),
      cmocka_unit_test(test_step_told__next_asks_for_the_initial_connections_first),
      cmocka_unit_test(test_step_told__an_initial_connection_that_fails_says_what_pool_create_says),
      cmocka_unit_test(test_step_told__a_timeout_says_where_the_time_went),
      cmocka_unit_test(test_step_told__a_timeout_says_why_the_last_open_failed),
      cmocka_unit_test(test_step_told__threads_that_wait_for_each_other_are_found_where_tickets_are_threads),
      cmocka_unit_test(test_step_told__every_event_of_a_connection_and_a_get_comes_in_order),
      cmocka_unit_test(test_step_told__an_event_has_what_a_callback_would_get),
      cmocka_unit_test(test_step_told__what_a_close_gave_up_is_an_event_and_no_line),
      cmocka_unit_test(test_step_told__a_leak_is_found_by_a_look_and_told_with_its_tag),
      cmocka_unit_test(test_step_told__who_does_not_fetch_is_told_how_many_were_lost),
      cmocka_unit_test(test_step_told__nothing_is_kept_for_who_fetches_nothing),
      cmocka_unit_test(test_step_told__an_expired_ticket_gets_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
