/* SPDX-License-Identifier: MIT */
/* The step API: every decision is handed out, none is lost, and each ticket that must be told is named. */
#include "steps.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static pool_t *capped(int32_t max_open, int32_t fairness_us)
{
  return step_pool(PLAN(.config.max_open = max_open, .config.fairness_us = fairness_us));
}

/* One failure to open opens the breaker, for longer than any test takes. */
static pool_t *breaking(int32_t max_open, const char *name)
{
  return step_pool(PLAN(.config.name = name, .config.max_open = max_open, .config.retry_min_ms = 60000,
                        .config.retry_max_ms = 60000, .config.breaker_after = 1));
}

/* A waiter may be overtaken for longer than any test takes. */
#define LONG_US 100000000

static int connections[64]; /* their addresses stand for connections */

static void test_step__the_life_of_a_connection(void **state)
{
  (void)state;
  pool_t *pool = capped(2, LONG_US);
  pool_step_t step = POOL_STEP_INIT;
  step.conn = &step;
  assert_opens(pool, 5000, 0, &step);
  assert_int_equal(step.reason, POOL_REASON_NONE);
  assert_null(step.conn);
  assert_int_equal(step.ticket, 0);
  assert_int_equal(step.wake, 0);
  assert_int_equal(step.size, sizeof step);
  pool_lease_t claim = step.claim;
  assert_true(claim > 0);
  assert_null(pool_conn(claim)); /* a claim is no lease */
  assert_int_equal(pool_put(claim), POOL_E_STALE);
  assert_int_equal(pool_step_end(claim, &step), POOL_E_STALE);
  assert_int_equal(stats_of(pool).opening, 1);
  pool_lease_t lease = pool_step_done(claim, NULL, &connections[0], &step);
  assert_true(lease > 0);
  assert_int_equal(step.work, POOL_WORK_NONE);
  assert_ptr_equal(pool_conn(lease), &connections[0]);
  assert_int_equal(pool_step_done(claim, NULL, NULL, &step), POOL_E_STALE);
  assert_int_equal(step_put(lease), 0); /* and nothing was to be reset */
  assert_int_equal(pool_step_end(lease, &step), POOL_E_STALE);
  assert_int_equal(pool_len(pool), 1);
  pool_lease_t again = pool_step_begin(pool, 0, 0, &step);
  assert_true(again > 0 && again != lease);
  assert_int_equal(slot_number(again), slot_number(lease));
  assert_ptr_equal(pool_conn(again), &connections[0]);
  assert_int_equal(pool_mark_unusable(again), 0);
  assert_int_equal(pool_step_end(again, &step), 0);
  assert_int_equal(step.work, POOL_WORK_CLOSE);
  assert_int_equal(step.reason, POOL_REASON_UNUSABLE);
  assert_ptr_equal(step.conn, &connections[0]);
  assert_int_equal(stats_of(pool).open, 1);
  assert_int_equal(pool_step_done(step.claim, &failed_work, NULL, &step), 0);
  assert_int_equal(stats_of(pool).open, 0);
  assert_int_equal(stats_of(pool).close_failures, 1);
  assert_int_equal(stats_of(pool).lent, 2);
  lease = step_open(pool, NULL); /* a program that keeps its connections elsewhere needs no pointer */
  assert_null(pool_conn(lease));
  assert_int_equal(step_put(lease), 0);
  step_finish(pool, 1);
}

/* Ends a lease whose connection is to be closed, as a program does that has the pool's words: the claim, or 0. */
static pool_lease_t close_by_word(pool_t *pool, pool_lease_t lease, bool *asks)
{
  pool_view_t view = POOL_VIEW_INIT;
  assert_int_equal(pool_step_view(pool, &view), 0);
  uint64_t number = (uint64_t)lease, base = number & ~view.slot_mask, plain = base + view.plain;
  uint64_t next = (base + view.generation) & ~view.beyond;
  _Atomic uint64_t *word = (_Atomic uint64_t *)((char *)view.slots + (number & view.slot_mask) * view.slot_bytes);
  assert_true(view.closing);
  if (!(number & view.untimed) || !atomic_compare_exchange_strong(word, &plain, next + view.closing))
    return 0;
  *asks = atomic_load((_Atomic uint32_t *)view.attention) & view.put_asks;
  return (pool_lease_t)(next | (number & view.slot_mask));
}

/* The first lease of a slot is timed. */
static pool_lease_t second_lease(pool_t *pool)
{
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(step_put(step_open(pool, &connections[0])), 0);
  pool_lease_t lease = pool_step_begin(pool, 0, 0, &step);
  assert_true(lease > 0);
  return lease;
}

static void test_step__what_is_to_be_closed_is_ended_by_its_word(void **state)
{
  (void)state;
  bool asks;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = capped(1, LONG_US);
  pool_lease_t lease = second_lease(pool), claim = close_by_word(pool, lease, &asks);
  assert_true(claim > 0 && !asks);
  assert_int_equal(close_by_word(pool, lease, &asks), 0);
  assert_int_equal(pool_step_end(lease, &step), POOL_E_STALE);
  assert_null(pool_conn(lease));
  assert_int_equal(stats_of(pool).open, 1);
  int64_t ticket = step_queue(pool, 5000); /* for the place */
  assert_int_equal(pool_step_done(claim, NULL, NULL, &step), 0);
  assert_int_equal(step.wake, ticket);
  assert_int_equal(pool_step_done(claim, NULL, NULL, &step), POOL_E_STALE);
  assert_int_equal(stats_of(pool).open, 0);
  assert_int_equal(stats_of(pool).closed_unusable, 1);
  assert_int_equal(stats_of(pool).lent, 2);
  assert_int_equal(pool_step_cancel(ticket, &step), 0);
  lease = second_lease(pool);
  assert_int_equal(pool_tag(lease, "noted"), 0);
  assert_int_equal(close_by_word(pool, lease, &asks), 0); /* the library has the tag to take away */
  assert_int_equal(pool_step_end(lease, &step), 0);
  step_finish(pool, 1);
}

static void test_step__who_hoped_for_what_is_closed_by_its_word_is_told(void **state)
{
  (void)state;
  bool asks;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = breaking(2, "hope");
  pool_lease_t lease = second_lease(pool);
  int64_t ticket = step_refuse(pool, 0);
  pool_lease_t claim = close_by_word(pool, lease, &asks);
  assert_true(claim > 0 && asks);
  assert_int_equal(pool_step_given(lease, &step), 0);
  assert_int_equal(step.wake, ticket);
  assert_int_equal(pool_step_begin(pool, -1, ticket, &step), POOL_E_OPEN);
  assert_int_equal(pool_step_done(claim, NULL, NULL, &step), 0);
  step_finish(pool, 0);
}

static void test_step__a_pool_that_tells_of_closes_shows_no_word_for_them(void **state)
{
  (void)state;
  for (int tells = 0; tells < 2; tells++) {
    pool_view_t view = POOL_VIEW_INIT;
    pool_t *pool = step_pool_able(PLAN(.config.max_open = 1), tells ? POOL_STEP_EVENTS : 0);
    assert_int_equal(pool_step_view(pool, &view), 0);
    assert_int_equal(view.closing == 0, tells);
    step_finish(pool, 0);
  }
}

static void test_step__a_view_that_is_refused_is_not_written(void **state)
{
  (void)state;
  struct fake fake;
  pool_view_t view, before;
  fake_init(&fake);
  pool_t *called = fake_pool(&fake, NULL, NULL);
  memset(&view, 0x5a, sizeof view);
  view.size = sizeof view;
  before = view;
  assert_int_equal(pool_step_view(called, &view), POOL_E_UNSUPPORTED);
  assert_int_equal(pool_step_view(NULL, &view), POOL_E_INVALID);
  assert_memory_equal(&view, &before, sizeof view);
  fake_finish(&fake, called);
}

static void test_step__an_open_that_fails_takes_no_place(void **state)
{
  (void)state;
  pool_t *pool = capped(1, LONG_US);
  pool_step_t step = POOL_STEP_INIT;
  for (int i = 0; i < 20; i++) {
    assert_opens(pool, i % 2 ? -1 : 0, 0, &step);
    pool_lease_t claim = step.claim;
    assert_int_equal(pool_step_done(claim, &failed_work, &connections[0], &step), POOL_E_OPEN);
    assert_int_equal(step.work, POOL_WORK_NONE);
    assert_int_equal(pool_step_done(claim, NULL, &connections[0], &step), POOL_E_STALE);
    assert_int_equal(stats_of(pool).open, 0);
  }
  assert_int_equal(stats_of(pool).open_failures, 20);
  assert_int_equal(step_put(step_open(pool, NULL)), 0);
  step_finish(pool, 1);
}

static void test_step__tickets_are_served_in_order(void **state)
{
  (void)state;
  for (int overtaking = 0; overtaking < 2; overtaking++) {
    pool_t *pool = capped(1, overtaking ? LONG_US : 0);
    pool_step_t step = POOL_STEP_INIT;
    pool_lease_t lease = step_open(pool, &connections[0]);
    assert_int_equal(pool_step_begin(pool, 0, 0, &step), POOL_E_TIMEOUT);
    assert_int_equal(step.ticket, 0);
    int64_t tickets[3];
    step_queue_all(pool, tickets, 3);
    assert_int_equal(pool_step_begin(pool, -1, tickets[1], &step),
                     0); /* a ticket that looks without being told waits on */
    assert_int_equal(step.ticket, tickets[1]);
    for (int i = 0; i < 3; i++) {
      assert_int_equal(step_put(lease), tickets[i]);
      lease = pool_step_begin(pool, -1, tickets[i], &step);
      assert_true(lease > 0);
      assert_int_equal(step.ticket, 0);
      assert_int_equal(step.wake, 0);
      assert_ptr_equal(pool_conn(lease), &connections[0]);
      assert_int_equal(pool_step_begin(pool, -1, tickets[i], &step), POOL_E_STALE);
      assert_int_equal(pool_step_cancel(tickets[i], &step), POOL_E_STALE);
    }
    assert_int_equal(step_put(lease), 0);
    assert_int_equal(stats_of(pool).waited, 3);
    step_finish(pool, 1);
  }
}

static void test_step__each_put_wakes_one(void **state)
{
  (void)state;
  for (int overtaking = 0; overtaking < 2; overtaking++) {
    pool_t *pool = capped(3, overtaking ? LONG_US : 0);
    pool_lease_t leases[3];
    int64_t tickets[3];
    pool_step_t step = POOL_STEP_INIT;
    step_open_all(pool, leases, 3, connections);
    step_queue_all(pool, tickets, 3);
    int64_t woken[3];
    for (int i = 0; i < 3; i++)
      woken[i] = step_put(leases[i]);
    assert_int_equal(woken[0], tickets[0]);
    /* Each is told by the put, or by the one before it that was told. */
    for (int i = 0; i < 3; i++) {
      assert_true((leases[i] = pool_step_begin(pool, -1, tickets[i], &step)) > 0);
      if (i < 2)
        assert_true(woken[i + 1] == tickets[i + 1] || step.wake == tickets[i + 1]);
    }
    assert_int_equal(step.wake, 0);
    for (int i = 0; i < 3; i++)
      assert_int_equal(step_put(leases[i]), 0);
    step_finish(pool, 3);
  }
}

static void test_step__a_failed_open_wakes_the_next(void **state)
{
  (void)state;
  for (int overtaking = 0; overtaking < 2; overtaking++) {
    pool_t *pool = capped(1, overtaking ? LONG_US : 0);
    pool_step_t step = POOL_STEP_INIT, other = POOL_STEP_INIT;
    assert_opens(pool, -1, 0, &step);
    int64_t first = step_queue(pool, -1), second = step_queue(pool, -1);
    assert_int_equal(pool_step_done(step.claim, &failed_work, NULL, &step), POOL_E_OPEN);
    assert_int_equal(step.wake, first);
    assert_opens(pool, -1, first, &step);
    assert_int_equal(pool_step_done(step.claim, &failed_work, NULL, &step), POOL_E_OPEN);
    assert_int_equal(step.wake, second);
    assert_opens(pool, -1, second, &other);
    pool_lease_t lease = pool_step_done(other.claim, NULL, &connections[0], &step);
    assert_true(lease > 0);
    assert_int_equal(step_put(lease), 0);
    step_finish(pool, 1);
  }
}

static void test_step__a_finished_close_wakes_the_next(void **state)
{
  (void)state;
  pool_t *pool = capped(1, LONG_US);
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = step_open(pool, &connections[0]);
  int64_t ticket = step_queue(pool, -1);
  assert_int_equal(pool_mark_unusable(lease), 0);
  assert_int_equal(pool_step_end(lease, &step), 0);
  assert_int_equal(step.work, POOL_WORK_CLOSE);
  assert_int_equal(step.wake, 0); /* there is no room before it is closed */
  pool_step_t early = POOL_STEP_INIT;
  assert_int_equal(pool_step_begin(pool, -1, ticket, &early), 0);
  assert_int_equal(early.work, POOL_WORK_NONE);
  assert_int_equal(early.ticket, ticket);
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  assert_int_equal(step.wake, ticket);
  assert_opens(pool, -1, ticket, &step);
  assert_true((lease = pool_step_done(step.claim, NULL, NULL, &step)) > 0);
  assert_int_equal(step_put(lease), 0);
  step_finish(pool, 1);
}

static void test_step__the_end_of_an_open_lets_the_next_open(void **state)
{
  (void)state;
  for (int failed = 0; failed < 2; failed++) {
    pool_t *pool = step_pool(PLAN(.config.max_opening = 1));
    pool_step_t step = POOL_STEP_INIT;
    assert_opens(pool, 0, 0, &step);
    pool_lease_t claim = step.claim;
    assert_int_equal(pool_step_begin(pool, 0, 0, &step), POOL_E_TIMEOUT);
    int64_t ticket = step_queue(pool, -1);
    pool_lease_t lease = pool_step_done(claim, failed ? &failed_work : NULL, NULL, &step);
    assert_int_equal(lease > 0, !failed);
    assert_int_equal(step.wake, ticket);
    assert_opens(pool, -1, ticket, &step);
    pool_lease_t other = pool_step_done(step.claim, NULL, NULL, &step);
    assert_int_equal(step_put(other), 0);
    if (!failed)
      assert_int_equal(step_put(lease), 0);
    step_finish(pool, failed ? 1 : 2);
  }
}

static void test_step__the_hard_cap_holds(void **state)
{
  (void)state;
  pool_t *pool = capped(20, LONG_US);
  pool_step_t steps[20];
  for (int i = 0; i < 20; i++) {
    steps[i] = (pool_step_t)POOL_STEP_INIT;
    assert_opens(pool, -1, 0, &steps[i]);
    for (int j = 0; j < i; j++)
      assert_true(slot_number(steps[i].claim) != slot_number(steps[j].claim));
  }
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_begin(pool, 0, 0, &step), POOL_E_TIMEOUT);
  int64_t ticket = step_queue(pool, -1);
  for (int i = 0; i < 20; i++) {
    pool_lease_t lease = pool_step_done(steps[i].claim, NULL, &connections[i], &steps[i]);
    assert_true(lease > 0);
    assert_int_equal(steps[i].wake, 0);
    assert_ptr_equal(pool_conn(lease), &connections[i]);
    assert_int_equal(step_put(lease), i == 0 ? ticket : 0);
    if (i == 0) {
      assert_int_equal(pool_step_cancel(ticket, &step), 0);
      assert_int_equal(step.wake, 0);
    }
  }
  step_finish(pool, 20);
}

static void test_step__what_is_too_much_is_closed(void **state)
{
  (void)state;
  pool_t *pool = step_pool(PLAN(.config.max_idle = 1));
  pool_lease_t first = step_open(pool, &connections[0]), second = step_open(pool, &connections[1]);
  assert_int_equal(step_put(first), 0);
  step_close(second, POOL_REASON_SURPLUS);
  assert_int_equal(pool_len(pool), 1);
  step_finish(pool, 1);
}

/* ---- which API a lease is of ---- */

/* Also on the fast way, which a thread takes to the slot that it used last. */
static void test_step__no_other_api_lends_or_ends(void **state)
{
  (void)state;
  pool_t *pool = capped(2, LONG_US);
  pool_lease_t lease = step_open(pool, &connections[0]);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(step_put(lease), 0);
    assert_int_equal(pool_get(pool), POOL_E_UNSUPPORTED);
    assert_int_equal(pool_get_for(pool, 0), POOL_E_UNSUPPORTED);
    pool_step_t step = POOL_STEP_INIT;
    lease = pool_step_begin(pool, 0, 0, &step);
    assert_true(lease > 0);
    assert_int_equal(pool_put(lease), POOL_E_UNSUPPORTED);
    assert_ptr_equal(pool_conn(lease), &connections[0]);
  }
  assert_int_equal(step_put(lease), 0);
  step_finish(pool, 1);
}

/* ---- what a failure says ---- */

static void test_step__the_cause_of_a_failed_open_is_told_while_the_breaker_is_open(void **state)
{
  (void)state;
  pool_t *pool = breaking(0, "prices");
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_begin(pool, 1000, 0, &step), 0);
  pool_error_t failure = {sizeof failure, POOL_E_OPEN, 111, "connection refused"};
  assert_int_equal(pool_step_done(step.claim, &failure, NULL, &step), POOL_E_OPEN);
  assert_int_equal(pool_step_begin(pool, 0, 0, &step), POOL_E_OPEN);
  pool_error_t error = POOL_ERROR_INIT;
  pool_failure(&error);
  assert_int_equal(error.native, 111);
  assert_string_equal(error.message, "prices: not tried, for opens keep failing: connection refused");
  assert_int_equal(pool_step_begin(pool, 1000, 0, &step), POOL_E_OPEN);
  pool_failure(&error);
  assert_string_equal(error.message, "prices: not tried, for opens keep failing: connection refused");
  step_finish(pool, 0);
}

static void test_step__maintaining_leaves_those_who_failed_to_be_named(void **state)
{
  (void)state;
  pool_t *pool = breaking(1, NULL);
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_begin(pool, -1, 0, &step), 0);
  pool_lease_t claim = step.claim;
  int64_t tickets[2];
  step_queue_all(pool, tickets, 2);
  assert_int_equal(pool_step_done(claim, &failed_work, NULL, &step), POOL_E_OPEN);
  assert_int_equal(step.wake, tickets[0]);
  assert_true(pool_maintain(pool) >= 0);
  assert_next_wakes(pool, tickets[1], &step);
  for (int i = 0; i < 2; i++)
    assert_int_equal(pool_step_begin(pool, -1, tickets[i], &step), POOL_E_OPEN);
  assert_int_equal(pool_step_next(pool, &step), 0);
  step_finish(pool, 0);
}

static void test_step__a_callers_own_short_deadline_says_nothing_about_the_server(void **state)
{
  (void)state;
  pool_t *pool = breaking(0, NULL);
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_begin(pool, 1000, 0, &step), 0);
  pool_error_t failure = {sizeof failure, POOL_E_TIMEOUT, 0, "too late"};
  assert_int_equal(pool_step_done(step.claim, &failure, NULL, &step), POOL_E_TIMEOUT);
  assert_opens(pool, 1000, 0, &step);
  assert_int_equal(pool_step_done(step.claim, NULL, &connections[0], &step) > 0, 1);
  pool_close(pool, 0);
  pool_free(pool);
}

static void test_step__a_failure_of_a_wrong_size_is_refused_and_nothing_is_done(void **state)
{
  (void)state;
  pool_t *pool = capped(1, LONG_US);
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_begin(pool, 1000, 0, &step), 0);
  pool_lease_t claim = step.claim;
  pool_error_t failure = {0};
  assert_int_equal(pool_step_done(claim, &failure, NULL, &step), POOL_E_SIZE);
  assert_int_equal(stats_of(pool).opening, 1);
  assert_int_equal(step_put(pool_step_done(claim, NULL, &connections[0], &step)), 0);
  step_finish(pool, 1);
}

static void test_step__how_long_work_took_is_counted(void **state)
{
  (void)state;
  pool_t *pool = step_pool(PLAN(.config.check_after_ms = 0));
  assert_int_equal(step_put(step_open(pool, &connections[0])), 0);
  pool_step_t step = POOL_STEP_INIT;
  assert_checks(pool, 0, 0, &step);
  assert_int_equal(step_put(pool_step_done(step.claim, NULL, NULL, &step)), 0);
  pool_stats_t stats = stats_of(pool);
  assert_int_equal(stats.open_time.count, 1);
  assert_int_equal(stats.check_time.count, 1);
  assert_in_range(stats.open_time.max_ns, 1, INT64_C(60000000000));
  assert_in_range(stats.check_time.max_ns, 1, INT64_C(60000000000));
  step_finish(pool, 1);
}

static void test_step__who_waits_for_another_try_is_told_when(void **state)
{
  (void)state;
  pool_t *pool = step_pool(PLAN(.config.max_open = 1, .config.retry_min_ms = 5000, .config.retry_max_ms = 60000));
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_begin(pool, 60000, 0, &step), 0);
  assert_int_equal(pool_step_done(step.claim, &failed_work, NULL, &step), POOL_E_OPEN);
  assert_int_equal(pool_step_begin(pool, 60000, 0, &step), 0);
  assert_int_equal(step.work, POOL_WORK_NONE);
  assert_true(step.ticket > 0);
  assert_in_range(step.look_again_ns, 1, INT64_C(5000000000));
  assert_int_equal(pool_step_cancel(step.ticket, &step), 0);
  assert_int_equal(step.look_again_ns, 0);
  step_finish(pool, 0);
}

/* ---- cancelling, expiring ---- */

static void test_step__a_cancelled_ticket_is_gone(void **state)
{
  (void)state;
  pool_t *pool = capped(1, LONG_US);
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = step_open(pool, NULL);
  int64_t first = step_queue(pool, -1), second = step_queue(pool, -1), third = step_queue(pool, -1);
  assert_int_equal(pool_step_cancel(second, &step), 0);
  assert_int_equal(step.wake, 0);
  assert_int_equal(pool_step_cancel(second, &step), POOL_E_STALE);
  assert_int_equal(pool_step_begin(pool, -1, second, &step), POOL_E_STALE);
  assert_int_equal(step_put(lease), first);
  assert_int_equal(pool_step_cancel(first, &step), 0); /* told, and goes: the next must be told instead */
  assert_int_equal(step.wake, third);
  assert_true((lease = pool_step_begin(pool, -1, third, &step)) > 0);
  assert_int_equal(step_put(lease), 0);
  assert_int_equal(stats_of(pool).cancelled, 2);
  assert_int_equal(stats_of(pool).waiting, 0);
  step_finish(pool, 1);
}

static void test_step__cancel_returns_the_lease_that_was_given(void **state)
{
  (void)state;
  pool_t *pool = capped(1, 0);
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = step_open(pool, &connections[0]);
  int64_t first = step_queue(pool, -1), second = step_queue(pool, -1);
  assert_int_equal(step_put(lease), first);
  assert_int_equal(pool_step_begin(pool, 0, 0, &step), POOL_E_TIMEOUT); /* it is the first one's already */
  lease = pool_step_cancel(first, &step);
  assert_true(lease > 0);
  assert_ptr_equal(pool_conn(lease), &connections[0]);
  assert_int_equal(step.wake, 0);
  assert_int_equal(pool_step_cancel(first, &step), POOL_E_STALE);
  assert_int_equal(step_put(lease), second);
  assert_true((lease = pool_step_begin(pool, -1, second, &step)) > 0);
  assert_int_equal(step_put(lease), 0);
  step_finish(pool, 1);
}

static void test_step__more_than_max_waiters_are_refused(void **state)
{
  (void)state;
  pool_t *pool = step_pool(PLAN(.config.max_open = 1, .config.max_waiters = 2));
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = step_open(pool, NULL);
  int64_t first = step_queue(pool, -1), second = step_queue(pool, -1);
  assert_int_equal(pool_step_begin(pool, -1, 0, &step), POOL_E_OVERLOAD);
  assert_int_equal(step.ticket, 0);
  assert_int_equal(pool_failure(NULL), POOL_E_OVERLOAD);
  assert_int_equal(pool_step_begin(pool, 0, 0, &step), POOL_E_TIMEOUT); /* does not want to wait */
  assert_int_equal(pool_step_begin(pool, -1, first, &step), 0);         /* one that waits already is not refused */
  assert_int_equal(step.ticket, first);
  assert_int_equal(pool_step_cancel(first, &step), 0);
  int64_t third = step_queue(pool, -1);
  assert_int_equal(pool_step_cancel(second, &step), 0);
  assert_int_equal(pool_step_cancel(third, &step), 0);
  assert_int_equal(step_put(lease), 0);
  step_finish(pool, 1);
}

/* ---- closing ---- */

static void test_step__close_tells_everybody(void **state)
{
  (void)state;
  for (int overtaking = 0; overtaking < 2; overtaking++) {
    pool_t *pool = capped(4, overtaking ? LONG_US : 0);
    pool_step_t step = POOL_STEP_INIT, opening = POOL_STEP_INIT;
    pool_lease_t leases[3];
    step_open_all(pool, leases, 3, connections);
    assert_opens(pool, -1, 0, &opening);
    int64_t tickets[3];
    step_queue_all(pool, tickets, 3);
    assert_int_equal(step_put(leases[0]), tickets[0]); /* told or given; then the pool is closed */
    assert_int_equal(pool_step_next(pool, &step), 0);
    assert_int_equal(pool_close(pool, 0), 4);
    assert_int_equal(pool_close(pool, 1), 4); /* closes nothing by itself */
    assert_int_equal(pool_step_begin(pool, -1, 0, &step), POOL_E_CLOSED);
    assert_int_equal(pool_step_begin(pool, 0, 0, &step), POOL_E_CLOSED);
    int told = 0, closed = 0;
    while (pool_step_next(pool, &step) == 1) {
      assert_true(step.wake > 0 || step.work == POOL_WORK_CLOSE);
      for (int i = 0; i < 3; i++)
        told += step.wake == tickets[i];
      if (step.work == POOL_WORK_CLOSE) {
        assert_int_equal(step.reason, POOL_REASON_CLOSED);
        assert_ptr_equal(step.conn, &connections[0]);
        assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
        closed++;
      }
    }
    if (!overtaking) { /* the first was given a lease before the pool was closed, and may use it */
      assert_int_equal(told, 2);
      assert_int_equal(closed, 0);
      assert_true((leases[0] = pool_step_begin(pool, -1, tickets[0], &step)) > 0);
    } else {
      assert_int_equal(told, 3);
      assert_int_equal(closed, 1);
      assert_int_equal(pool_step_begin(pool, -1, tickets[0], &step), POOL_E_CLOSED);
    }
    assert_int_equal(step.ticket, 0);
    assert_int_equal(pool_step_begin(pool, -1, tickets[1], &step), POOL_E_CLOSED);
    assert_int_equal(pool_step_begin(pool, -1, tickets[1], &step), POOL_E_STALE);
    assert_int_equal(pool_step_cancel(tickets[2], &step), POOL_E_CLOSED);
    assert_int_equal(pool_step_cancel(tickets[2], &step), POOL_E_STALE);
    for (int i = overtaking; i < 3; i++) {
      step_close(leases[i], POOL_REASON_CLOSED);
    }
    assert_int_equal(pool_step_done(opening.claim, NULL, &connections[3], &step), POOL_E_CLOSED);
    assert_int_equal(step.work, POOL_WORK_CLOSE);
    assert_int_equal(step.reason, POOL_REASON_CLOSED);
    assert_ptr_equal(step.conn, &connections[3]);
    assert_int_equal(pool_close(pool, 0), 1);
    assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
    step_finish(pool, 0);
  }
}

static void test_step__everything_that_was_flushed_is_closed(void **state)
{
  (void)state;
  pool_t *pool = capped(5, LONG_US);
  pool_lease_t leases[5];
  step_open_all(pool, leases, 5, connections);
  for (int i = 0; i < 4; i++)
    assert_int_equal(step_put(leases[i]), 0);
  assert_int_equal(pool_flush(pool), 5);
  assert_int_equal(step_close_next(pool, POOL_REASON_FLUSHED), 4);
  step_close(leases[4], POOL_REASON_FLUSHED);
  step_finish(pool, 0);
}

static void test_step__next_finds_the_checks_that_a_broken_connection_asks_for(void **state)
{
  (void)state;
  pool_t *pool = step_pool(PLAN(.config.max_open = 3, .config.keepalive_ms = 3600000));
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t leases[3];
  step_open_all(pool, leases, 3, connections);
  for (int i = 0; i < 2; i++)
    step_put(leases[i]);
  assert_int_equal(pool_step_next(pool, &step), 0);
  assert_int_equal(pool_mark_broken(leases[0]), POOL_E_STALE);
  assert_int_equal(pool_step_next(pool, &step), 0);
  assert_int_equal(pool_mark_broken(leases[2]), 0);
  assert_int_equal(pool_maintain(pool), 0); /* there is something to be done at once */
  for (int i = 0; i < 2; i++) {
    assert_int_equal(pool_step_next(pool, &step), 1);
    assert_int_equal(step.work, POOL_WORK_CHECK);
    assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  }
  assert_int_equal(pool_step_next(pool, &step), 0);
  assert_true(pool_maintain(pool) > 0);
  step_close(leases[2], POOL_REASON_UNUSABLE);
  step_finish(pool, 2);
}

static void test_step__who_waits_is_told_after_a_pause_and_a_resize(void **state)
{
  (void)state;
  pool_t *pool = capped(1, LONG_US);
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = step_open(pool, &connections[0]);
  assert_int_equal(pool_pause(pool), 1);
  int64_t ticket = step_queue(pool, -1);
  assert_int_equal(step_put(lease), 0);
  assert_int_equal(pool_resume(pool), 0);
  assert_next_wakes(pool, ticket, &step);
  lease = pool_step_begin(pool, -1, ticket, &step);
  assert_true(lease > 0);
  ticket = step_queue(pool, -1);
  assert_int_equal(pool_resize(pool, 2), 0);
  assert_next_wakes(pool, ticket, &step);
  assert_int_equal(pool_step_cancel(ticket, &step), 0);
  assert_int_equal(step_put(lease), 0);
  step_finish(pool, 1);
}

static void test_step__a_draining_close_is_told(void **state)
{
  (void)state;
  pool_t *pool = capped(2, LONG_US);
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = step_open(pool, NULL), idle = step_open(pool, NULL);
  assert_int_equal(step_put(idle), 0);
  struct closer closer;
  closer_start(&closer, pool, -1);
  wait_until(pool_step_next(pool, &step) == 1);
  assert_int_equal(step.work, POOL_WORK_CLOSE);
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  assert_int_equal(pool_step_end(lease, &step), 0);
  assert_int_equal(step.work, POOL_WORK_CLOSE);
  assert_true(closer_waits(&closer));
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  closer_end(&closer, 0);
  step_finish(pool, 0);
}

static void test_step__a_freed_pool_leaves_nothing_behind(void **state)
{
  (void)state;
  for (int round = 0; round < 300; round++) {
    pool_t *pool = capped(20, 0);
    pool_step_t step = POOL_STEP_INIT;
    pool_lease_t leases[20];
    for (int i = 0; i < 20; i++)
      leases[i] = step_open(pool, NULL);
    int64_t ticket = step_queue(pool, -1);
    for (int i = 0; i < round % 20; i++)
      step_put(leases[i]);
    pool_free(pool); /* with idle connections, leases and a ticket */
    pool_lease_t given = pool_step_cancel(ticket, &step);
    assert_true(given == POOL_E_CLOSED || given > 0);
    if (given > 0)
      step_close(given, POOL_REASON_CLOSED);
    for (int i = round % 20; i < 20; i++) {
      step_close(leases[i], POOL_REASON_CLOSED);
      assert_int_equal(pool_step_end(leases[i], &step), POOL_E_STALE);
    }
  }
}

static void *get_and_put(void *pool)
{
  pool_lease_t lease = pool_get_for(pool, -1);
  must(lease > 0);
  must(pool_put(lease) == 0);
  return NULL;
}

/* The next pool in its memory has callbacks, and a get of it that opens after a wait has left the queue. */
static void test_step__a_freed_pool_leaves_its_abilities_to_none(void **state)
{
  (void)state;
  struct fake fake;
  step_finish(step_pool_able(PLAN(), POOL_STEP_DETACHED | POOL_STEP_JOINS | POOL_STEP_HANDS), 0);
  pool_t *pool = fake_start(&fake, PLAN(.config.max_open = 1));
  pool_lease_t lease = pool_get(pool);
  assert_true(lease > 0);
  pthread_t thread = thread_start(get_and_put, pool);
  wait_until(stats_of(pool).waiting == 1);
  assert_int_equal(pool_mark_unusable(lease), 0);
  assert_int_equal(pool_put(lease), 0);
  thread_end(thread);
  assert_int_equal(stats_of(pool).oldest_wait_ns, 0);
  fake_finish(&fake, pool);
}

/* ---- misuse ---- */

static void test_step__wrong_structs_lose_no_decision(void **state)
{
  (void)state;
  pool_t *pool = capped(1, 0);
  pool_lease_t lease = step_open(pool, NULL);
  int64_t ticket = step_queue(pool, -1);
  const size_t first = offsetof(pool_step_t, look_again_ns) + sizeof(int64_t); /* of the first release */
  const size_t sizes[] = {0, 1, sizeof(size_t), first - 1, SIZE_MAX, 1 << 20};
  for (size_t i = 0; i <= sizeof sizes / sizeof *sizes; i++) {
    pool_step_t wrong = POOL_STEP_INIT;
    pool_step_t *step = i < sizeof sizes / sizeof *sizes ? &wrong : NULL;
    int expected = POOL_E_INVALID;
    if (step) {
      wrong.size = sizes[i];
      expected = sizes[i] > 4096 ? POOL_E_WILD : POOL_E_SIZE;
    }
    assert_int_equal(pool_step_begin(pool, -1, 0, step), expected);
    assert_int_equal(pool_step_begin(pool, -1, ticket, step), expected);
    assert_int_equal(pool_step_cancel(ticket, step), expected);
    assert_int_equal(pool_step_end(lease, step), expected);
    assert_int_equal(pool_step_done(lease, NULL, NULL, step), expected);
    assert_int_equal(pool_step_next(pool, step), expected);
    assert_int_equal(pool_failure(NULL), expected);
  }
  assert_int_equal(stats_of(pool).waiting, 1);
  assert_int_equal(stats_of(pool).leased, 1);
  assert_int_equal(stats_of(pool).open, 1);
  /* A struct of a newer caller is filled as far as this library knows. */
  struct {
    pool_step_t step;
    int64_t more;
  } newer = {POOL_STEP_INIT, 77};
  newer.step.size = sizeof newer;
  assert_int_equal(pool_step_end(lease, &newer.step), 0);
  assert_int_equal(newer.step.wake, ticket);
  assert_int_equal(newer.step.size, sizeof newer);
  assert_int_equal(newer.more, 77);
  lease = pool_step_begin(pool, -1, ticket, &newer.step);
  assert_int_equal(step_put(lease), 0);
  step_finish(pool, 1);
}

static void test_step__wrong_parameters_are_refused(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = NULL;
  pool_error_t error = POOL_ERROR_INIT;
  pool_config_t config = POOL_CONFIG_INIT;
  assert_int_equal(pool_step_create(NULL, 0, NULL, &error), POOL_E_INVALID);
  assert_int_equal(pool_step_create(&config, 32, &pool, &error), POOL_E_NEWER);
  assert_non_null(strstr(error.message, "abilities"));
  config.openers = 1;
  assert_int_equal(pool_step_create(&config, 0, &pool, &error), POOL_E_INVALID);
  assert_non_null(strstr(error.message, "openers"));
  config.openers = 0;
  config.max_open = -1;
  assert_int_equal(pool_step_create(&config, 0, &pool, &error), POOL_E_INVALID);
  assert_null(pool);
  pool = step_pool(PLAN());
  assert_int_equal(pool_step_begin(NULL, 0, 0, &step), POOL_E_INVALID);
  assert_int_equal(pool_step_begin(pool, -2, 0, &step), POOL_E_INVALID);
  assert_int_equal(pool_step_begin(pool, INT64_MIN, 0, &step), POOL_E_INVALID);
  assert_int_equal(pool_step_next(NULL, &step), POOL_E_INVALID);
  assert_int_equal(step_put(step_open(pool, NULL)), 0);
  step_finish(pool, 1);
}

static void test_step__what_is_no_ticket_or_claim_is_stale(void **state)
{
  (void)state;
  pool_t *pool = capped(1, 0), *other = capped(1, 0);
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = step_open(pool, NULL), others = step_open(other, NULL);
  int64_t ticket = step_queue(pool, -1);
  const int64_t wrong[] = {-1,         INT64_MIN,  INT64_MAX,          -ticket,
                           ticket + 1, ticket - 1, ticket + (1 << 20), (int64_t)((uint64_t)ticket | UINT64_C(1) << 62),
                           1,          1 << 20,    POOL_E_TIMEOUT};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    assert_int_equal(pool_step_begin(pool, -1, wrong[i], &step), POOL_E_STALE);
    assert_int_equal(pool_step_cancel(wrong[i], &step), POOL_E_STALE);
    assert_int_equal(pool_step_end(wrong[i], &step), POOL_E_STALE);
    assert_int_equal(pool_step_done(wrong[i], NULL, NULL, &step), POOL_E_STALE);
  }
  assert_int_equal(pool_step_cancel(0, &step), POOL_E_STALE);
  assert_int_equal(pool_step_end(0, &step), POOL_E_STALE);
  assert_int_equal(pool_step_done(0, NULL, NULL, &step), POOL_E_STALE);
  assert_int_equal(pool_step_done(lease, NULL, NULL, &step), POOL_E_STALE); /* lent: no work is due */
  assert_int_equal(pool_step_begin(other, -1, ticket, &step), POOL_E_STALE);
  assert_int_equal(pool_cancel(ticket), POOL_E_STALE); /* is for pool_get_async() */
  assert_int_equal(stats_of(pool).waiting, 1);
  assert_int_equal(step_put(lease), ticket);
  lease = pool_step_begin(pool, -1, ticket, &step);
  assert_int_equal(step_put(lease), 0);
  assert_int_equal(pool_step_done(lease, NULL, NULL, &step), POOL_E_STALE);
  assert_int_equal(step_put(others), 0);
  step_finish(pool, 1);
  step_finish(other, 1);
  assert_int_equal(pool_step_end(lease, &step), POOL_E_STALE);
  assert_int_equal(pool_step_cancel(ticket, &step), POOL_E_STALE);
}

static void never(void *user, pool_lease_t result)
{
  (void)user, (void)result;
  must(!"got was called");
}

static void count_got(void *user, pool_lease_t result)
{
  int *times = user;
  must(result == POOL_E_CANCELLED);
  ++*times;
}

static void never_done(void *user, int32_t code, pool_bytes_t reply)
{
  (void)user, (void)code, (void)reply;
  must(!"done was called");
}

static void test_step__the_two_kinds_of_pool_do_not_mix(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 1;
  config.initial = 1;
  config.keeper = POOL_KEEPER_MANUAL;
  pool_t *with = fake_pool(&fake, &config, NULL);
  pool_t *without = capped(1, 0);
  pool_step_t step = POOL_STEP_INIT;
  const pool_bytes_t no_args = {NULL, 0};
  assert_int_equal(pool_get(without), POOL_E_UNSUPPORTED);
  assert_int_equal(pool_get_for(without, 0), POOL_E_UNSUPPORTED);
  assert_int_equal(pool_get_async(without, -1, never, NULL), POOL_E_UNSUPPORTED);
  pool_lease_t lease = step_open(without, &connections[0]);
  assert_int_equal(step_put(lease), 0);
  assert_int_equal(pool_get(without), POOL_E_UNSUPPORTED); /* also when one is idle */
  assert_true((lease = pool_step_begin(without, 0, 0, &step)) > 0);
  assert_int_equal(pool_call(lease, "x", no_args, NULL, NULL), POOL_E_UNSUPPORTED);
  assert_int_equal(pool_go(lease, "x", no_args, never_done, NULL), POOL_E_UNSUPPORTED);
  assert_true(pool_maintain(without) == INT64_MAX);
  assert_int_equal(step_put(lease), 0);
  assert_int_equal(pool_len(without), 1);

  assert_int_equal(pool_step_begin(with, -1, 0, &step), POOL_E_UNSUPPORTED);
  assert_int_equal(pool_step_begin(with, 0, 0, &step), POOL_E_UNSUPPORTED);
  assert_int_equal(pool_step_next(with, &step), POOL_E_UNSUPPORTED);
  lease = pool_get(with);
  int times = 0;
  int64_t ticket = pool_get_async(with, -1, count_got, &times);
  assert_int_equal(pool_step_begin(without, -1, ticket, &step), POOL_E_STALE);
  assert_int_equal(pool_step_cancel(ticket, &step), POOL_E_STALE);
  assert_int_equal(pool_step_end(lease, &step), POOL_E_UNSUPPORTED);
  assert_int_equal(pool_step_done(lease, NULL, NULL, &step), POOL_E_STALE); /* a lease is no claim */
  assert_non_null(pool_conn(lease));
  assert_int_equal(pool_cancel(ticket), 0);
  pool_maintain(with);
  assert_int_equal(times, 1);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_step_end(lease, &step), POOL_E_STALE);
  assert_true((lease = pool_step_begin(without, 0, 0, &step)) > 0);
  assert_int_equal(pool_put(lease),
                   POOL_E_UNSUPPORTED); /* could not say what is to be done, nor which ticket to wake */
  assert_ptr_equal(pool_conn(lease), &connections[0]);
  assert_int_equal(step_put(lease), 0);
  assert_int_equal(pool_put(lease), POOL_E_STALE);
  step_finish(without, 1);
  assert_int_equal(pool_close(with, 0), 0);
  assert_int_equal(pool_step_next(with, &step), POOL_E_UNSUPPORTED);
  fake_finish(&fake, with);
}

/* ---- a world of users, one move at a time ---- */

enum user_state { RESTING, WAITING, OPENING, HOLDING, CLOSING };

struct user {
  enum user_state state;
  int64_t ticket;
  int64_t since; /* when the ticket was given */
  bool woken;
  bool keeps_time;     /* looks again by itself */
  bool refused;        /* its open failed, and others may have been told of what came then */
  pool_lease_t number; /* lease or claim */
};

struct world {
  pool_t *pool;
  int users, cap, opening_cap;
  struct user user[64];
  int64_t now;
  uint64_t seed;
  int served;
  bool fair, ending;
  struct user *slots[4096]; /* which user has the connection of a slot */
};

static int count(const struct world *world, enum user_state state)
{
  int found = 0;
  for (int i = 0; i < world->users; i++)
    found += world->user[i].state == state;
  return found;
}

static void world_wake(struct world *world, const pool_step_t *step)
{
  if (!step->wake)
    return;
  for (int i = 0; i < world->users; i++)
    if (world->user[i].state == WAITING && world->user[i].ticket == step->wake) {
      world->user[i].woken = true;
      return;
    }
  fail_msg("somebody is to be woken who does not wait");
}

static void occupy(struct world *world, struct user *user, int64_t number)
{
  user->number = number;
  uint32_t slot = slot_number(number) % 4096;
  assert_true(world->slots[slot] == NULL || world->slots[slot] == user); /* never two with one connection */
  world->slots[slot] = user;
}

static void leave(struct world *world, struct user *user)
{
  world->slots[slot_number(user->number) % 4096] = NULL;
  user->state = RESTING;
}

/* Of the users that have been told nothing yet, none came earlier. */
static void is_first(const struct world *world, const struct user *user)
{
  for (int i = 0; i < world->users; i++)
    if (world->user[i].state == WAITING && !world->user[i].woken && !world->user[i].refused && &world->user[i] != user)
      assert_true(world->user[i].since > user->since);
}

static void move_begin(struct world *world, struct user *user)
{
  pool_step_t step = POOL_STEP_INIT;
  bool waited = user->state == WAITING;
  bool in_turn = user->woken || world->fair; /* else running users may overtake */
  int64_t timeout_ms = waited || random_next(&world->seed) % 4 ? -1 : 0;
  user->woken = false;
  user->since = waited ? user->since : 0;
  user->refused = waited && user->refused;
  pool_lease_t result = pool_step_begin(world->pool, timeout_ms, waited ? user->ticket : 0, &step);
  user->keeps_time = step.look_again_ns > 0;
  assert_true(result >= 0 || (!waited && timeout_ms == 0 && result == POOL_E_TIMEOUT) ||
              (waited && result == POOL_E_OPEN)); /* nothing was left that could come after its open had failed */
  if (result == POOL_E_OPEN) {
    user->state = RESTING;
    world_wake(world, &step);
    return;
  }
  assert_true(step.work == POOL_WORK_NONE || step.work == POOL_WORK_OPEN);
  bool served = result > 0 || step.work;
  if (served && waited && in_turn)
    is_first(world, user);
  if (result > 0) {
    user->state = HOLDING;
    occupy(world, user, result);
    world->served++;
  } else if (step.work == POOL_WORK_OPEN) {
    user->since = waited ? user->since : ++world->now;
    user->state = OPENING;
    occupy(world, user, step.claim);
  } else if (result == 0) {
    if (waited)
      assert_int_equal(step.ticket, user->ticket);
    else
      user->since = ++world->now;
    user->state = WAITING;
    user->ticket = step.ticket;
  }
  world_wake(world, &step);
}

static void move_cancel(struct world *world, struct user *user)
{
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = pool_step_cancel(user->ticket, &step);
  assert_true(lease >= 0 || lease == POOL_E_OPEN);
  user->woken = false;
  user->state = lease > 0 ? HOLDING : RESTING;
  if (lease > 0)
    occupy(world, user, lease);
  world_wake(world, &step);
}

static void move_opened(struct world *world, struct user *user)
{
  pool_step_t step = POOL_STEP_INIT;
  bool failed = random_next(&world->seed) % 3 == 0;
  pool_lease_t lease = pool_step_done(user->number, failed ? &failed_work : NULL, user, &step);
  assert_int_equal(lease > 0, !failed);
  if (failed) {
    leave(world, user);
    assert_true(step.ticket ? lease == 0 : lease == POOL_E_OPEN);
    if (step.ticket) {
      user->state = WAITING; /* for what others hold or open */
      user->ticket = step.ticket;
      user->keeps_time = user->refused = true;
    }
  } else {
    user->state = HOLDING;
    occupy(world, user, lease);
  }
  world_wake(world, &step);
}

static void move_end(struct world *world, struct user *user)
{
  pool_step_t step = POOL_STEP_INIT;
  if (random_next(&world->seed) % 5 == 0)
    assert_int_equal(pool_mark_unusable(user->number), 0);
  assert_int_equal(pool_step_end(user->number, &step), 0);
  assert_true(step.work == POOL_WORK_NONE || step.work == POOL_WORK_CLOSE);
  leave(world, user);
  if (step.work == POOL_WORK_CLOSE) {
    user->state = CLOSING;
    occupy(world, user, step.claim);
  }
  world_wake(world, &step);
}

static void move_closed(struct world *world, struct user *user)
{
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_done(user->number, NULL, NULL, &step), 0);
  assert_int_equal(step.work, POOL_WORK_NONE);
  leave(world, user);
  world_wake(world, &step);
}

static bool move(struct world *world, struct user *user)
{
  switch (user->state) {
  case RESTING:
    if (world->ending)
      return false;
    move_begin(world, user);
    return true;
  case WAITING:
    if (!world->ending && random_next(&world->seed) % 50 == 0)
      move_cancel(world, user);
    else if (user->woken || user->keeps_time ||
             random_next(&world->seed) % 40 == 0) /* a look for no reason does no harm */
      move_begin(world, user);
    else
      return false;
    return true;
  case OPENING:
    move_opened(world, user);
    return true;
  case HOLDING:
    move_end(world, user);
    return true;
  default:
    move_closed(world, user);
    return true;
  }
}

/* Each user that could be served has been told, or the pool has told another, which will tell it. */
static void nobody_is_forgotten(const struct world *world)
{
  int waiting = 0, woken = 0;
  for (int i = 0; i < world->users; i++) {
    waiting += world->user[i].state == WAITING;
    woken += world->user[i].state == WAITING && (world->user[i].woken || world->user[i].keeps_time);
  }
  if (!waiting || woken)
    return;
  int idle = (int)pool_len(world->pool);
  int open = idle + count(world, OPENING) + count(world, HOLDING) + count(world, CLOSING);
  assert_int_equal(idle, 0);
  assert_true(open == world->cap || (world->opening_cap && count(world, OPENING) == world->opening_cap));
}

static void run_world(int users, int cap, int opening_cap, int32_t fairness_us, uint64_t seed)
{
  static struct world world;
  memset(&world, 0, sizeof world);
  world.pool =
      step_pool(PLAN(.config.max_open = cap, .config.max_opening = opening_cap, .config.fairness_us = fairness_us));
  world.users = users;
  world.cap = cap;
  world.opening_cap = opening_cap;
  world.fair = fairness_us == 0;
  world.seed = seed;
  for (int i = 0; i < 4000; i++) {
    move(&world, &world.user[random_next(&world.seed) % (uint32_t)users]);
    nobody_is_forgotten(&world);
    assert_true(stats_of(world.pool).open <= cap);
  }
  assert_true(world.served > 30);
  world.ending = true;
  for (bool moved = true; moved;) {
    moved = false;
    for (int i = 0; i < users; i++)
      moved |= move(&world, &world.user[i]);
    nobody_is_forgotten(&world);
  }
  assert_int_equal(count(&world, RESTING), users); /* all were served */
  pool_stats_t stats = stats_of(world.pool);
  assert_int_equal(stats.waiting, 0);
  assert_int_equal(stats.leased, 0);
  assert_int_equal(stats.open, stats.idle);
  step_finish(world.pool, (int)stats.open);
}

static void test_step__a_world_of_users(void **state)
{
  (void)state;
  for (uint64_t seed = 1; seed <= 10; seed++) {
    run_world(10, 3, 0, 0, seed * 4711);
    run_world(10, 3, 0, LONG_US, seed * 4711);
    run_world(30, 5, 1, 0, seed * 4711);
    run_world(30, 5, 2, 1000, seed * 4711);
    run_world(5, 1, 0, 20, seed * 4711);
    run_world(64, 20, 3, 20, seed * 4711);
  }
}

/* ---- the same with threads ---- */

enum { THREADS = 8, ROUNDS = 2000 };

struct sleeper {
  int64_t ticket; /* 0: waits for nothing */
  bool woken;
};

struct crowd {
  pool_t *pool;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  struct sleeper sleepers[THREADS];
  int64_t early[4 * THREADS]; /* woken before they could lie down */
  int early_count;
  _Atomic int thread, holders, most, open, cap;
  _Atomic(void *) users[64]; /* which user has which connection */
};

static void crowd_wake(struct crowd *crowd, const pool_step_t *step)
{
  if (!step->wake)
    return;
  bool found = false;
  pthread_mutex_lock(&crowd->lock);
  for (int i = 0; i < THREADS; i++)
    if (crowd->sleepers[i].ticket == step->wake)
      found = crowd->sleepers[i].woken = true;
  if (!found) {
    if (crowd->early_count == 4 * THREADS) { /* the oldest were told too late, and were cancelled meanwhile */
      memmove(crowd->early, crowd->early + 1, sizeof crowd->early - sizeof *crowd->early);
      crowd->early_count--;
    }
    crowd->early[crowd->early_count++] = step->wake;
  }
  pthread_cond_broadcast(&crowd->changed);
  pthread_mutex_unlock(&crowd->lock);
}

/* Until it is woken, or for as long as it was told to wait before it looks again; 0: without limit. */
static void crowd_sleep(struct crowd *crowd, int number, int64_t ticket, int64_t look_again_ns)
{
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  int64_t ns = until.tv_nsec + look_again_ns;
  until = (struct timespec){.tv_sec = until.tv_sec + ns / 1000000000, .tv_nsec = ns % 1000000000};
  bool over = false;
  struct sleeper *sleeper = &crowd->sleepers[number];
  pthread_mutex_lock(&crowd->lock);
  *sleeper = (struct sleeper){.ticket = ticket};
  for (int i = 0; i < crowd->early_count; i++)
    if (crowd->early[i] == ticket) {
      sleeper->woken = true;
      crowd->early[i] = crowd->early[--crowd->early_count];
      break;
    }
  while (!sleeper->woken && !over)
    if (look_again_ns)
      over = pthread_cond_timedwait(&crowd->changed, &crowd->lock, &until) != 0;
    else
      pthread_cond_wait(&crowd->changed, &crowd->lock); /* a wake-up that is lost hangs here */
  sleeper->ticket = 0;
  pthread_mutex_unlock(&crowd->lock);
}

static pool_lease_t crowd_get(struct crowd *crowd, int number, uint64_t *seed)
{
  int64_t ticket = 0;
  for (;;) {
    pool_step_t step = POOL_STEP_INIT;
    pool_lease_t lease = pool_step_begin(crowd->pool, -1, ticket, &step);
    crowd_wake(crowd, &step);
    must(lease >= 0 || lease == POOL_E_OPEN); /* after its open failed nothing was left that could come */
    ticket = 0;
    if (lease > 0)
      return lease;
    if (lease < 0)
      continue;
    if (step.work == POOL_WORK_OPEN) {
      bool failed = random_next(seed) % 8 == 0;
      if (!failed)
        must(atomic_fetch_add(&crowd->open, 1) < atomic_load(&crowd->cap));
      lease = pool_step_done(step.claim, failed ? &failed_work : NULL, crowd, &step);
      crowd_wake(crowd, &step);
      must((lease > 0) == !failed && step.work == POOL_WORK_NONE);
      if (lease > 0)
        return lease;
      if (!step.ticket)
        continue;
    }
    must(step.work == POOL_WORK_NONE && step.ticket > 0);
    ticket = step.ticket;
    if (random_next(seed) % 16 == 0) {
      lease = pool_step_cancel(ticket, &step);
      crowd_wake(crowd, &step);
      must(lease >= 0 || lease == POOL_E_OPEN);
      if (lease > 0)
        return lease;
      ticket = 0;
    } else if (random_next(seed) % 16 != 0) {
      crowd_sleep(crowd, number, ticket, step.look_again_ns);
    }
  }
}

static void *crowd_main(void *data)
{
  struct crowd *crowd = data;
  int number = atomic_fetch_add(&crowd->thread, 1);
  uint64_t seed = (uint64_t)number * 31 + 7;
  for (int i = 0; i < ROUNDS; i++) {
    pool_lease_t lease = crowd_get(crowd, number, &seed);
    _Atomic(void *) *user = &crowd->users[slot_number(lease) % 64];
    must(atomic_exchange(user, &seed) == NULL);
    if (random_next(&seed) % 8 == 0)
      yield_ns();
    if (random_next(&seed) % 20 == 0)
      must(pool_mark_unusable(lease) == 0);
    must(atomic_exchange(user, NULL) == &seed);
    pool_step_t step = POOL_STEP_INIT;
    must(pool_step_end(lease, &step) == 0);
    crowd_wake(crowd, &step);
    if (step.work) {
      must(step.work == POOL_WORK_CLOSE);
      atomic_fetch_sub(&crowd->open, 1);
      must(pool_step_done(step.claim, NULL, NULL, &step) == 0 && step.work == POOL_WORK_NONE);
      crowd_wake(crowd, &step);
    }
  }
  return NULL;
}

static void test_step__a_crowd_of_threads(void **state)
{
  (void)state;
  const int32_t fairness_us[] = {0, 5, 1000};
  for (size_t i = 0; i < sizeof fairness_us / sizeof *fairness_us; i++) {
    static struct crowd crowd;
    memset(&crowd, 0, sizeof crowd);
    pthread_mutex_init(&crowd.lock, NULL);
    pthread_cond_init(&crowd.changed, NULL);
    crowd.cap = 3;
    crowd.pool =
        step_pool(PLAN(.config.max_open = 3, .config.max_opening = i == 1, .config.fairness_us = fairness_us[i]));
    pthread_t threads[THREADS];
    threads_start(threads, THREADS, crowd_main, &crowd);
    threads_end(threads, THREADS);
    pool_stats_t stats = stats_of(crowd.pool);
    assert_int_equal(stats.waiting, 0);
    assert_int_equal(stats.leased, 0);
    assert_int_equal(stats.open, stats.idle);
    assert_int_equal(stats.open, crowd.open);
    step_finish(crowd.pool, (int)stats.open);
  }
}

/* ---- one ticket in two hands ---- */

struct contest {
  pool_t *pool;
  _Atomic int64_t ticket;
  _Atomic int stop, leases, cancelled;
};

static void end_quietly(pool_lease_t lease)
{
  pool_step_t step = POOL_STEP_INIT;
  must(pool_step_end(lease, &step) == 0); /* stale if two were given the same */
}

/* Somebody else's clock says that the time is over, while the owner looks. */
static void *cancel_main(void *data)
{
  struct contest *contest = data;
  while (!atomic_load(&contest->stop)) {
    int64_t ticket = atomic_load(&contest->ticket);
    pool_step_t step = POOL_STEP_INIT;
    pool_lease_t result = ticket ? pool_step_cancel(ticket, &step) : POOL_E_STALE;
    must(result >= 0 || result == POOL_E_STALE);
    if (result == 0)
      atomic_fetch_add(&contest->cancelled, 1);
    if (result > 0)
      end_quietly(result);
  }
  return NULL;
}

static void test_step__begin_and_cancel_at_one_moment(void **state)
{
  (void)state;
  struct contest contest = {.pool = capped(1, 0)};
  pthread_t threads[2];
  threads_start(threads, 2, cancel_main, &contest);
  int stale = 0;
  int64_t begun = now_ns();
  for (int round = 0; round < 3000 || (stale < 100 && now_ns() - begun < INT64_C(2000000000)); round++) {
    pool_step_t step = POOL_STEP_INIT;
    pool_lease_t held = 0;
    while (held <= 0) { /* or another thread may be about to end what it was given */
      held = pool_step_begin(contest.pool, 0, 0, &step);
      if (held == 0)
        held = pool_step_done(step.claim, NULL, NULL, &step);
    }
    assert_int_equal(pool_step_begin(contest.pool, -1, 0, &step), 0);
    int64_t ticket = step.ticket;
    assert_true(ticket > 0);
    atomic_store(&contest.ticket, ticket);
    end_quietly(held);
    pool_lease_t result;
    do
      result = pool_step_begin(contest.pool, -1, ticket, &step);
    while (result == 0 && step.ticket == ticket);
    assert_true(result > 0 || result == POOL_E_STALE);
    if (result > 0)
      end_quietly(result);
    else
      stale++;
    atomic_store(&contest.ticket, 0);
  }
  contest.stop = 1;
  threads_end(threads, 2);
  assert_true(stale > 0); /* else the test has not met what it is for */
  /* No ticket is in use twice. */
  pool_lease_t lease;
  pool_step_t step = POOL_STEP_INIT;
  assert_true((lease = pool_step_begin(contest.pool, 0, 0, &step)) > 0);
  enum { MANY = 300 };
  int64_t tickets[MANY];
  for (int i = 0; i < MANY; i++) {
    tickets[i] = step_queue(contest.pool, -1);
    for (int j = 0; j < i; j++)
      assert_true(slot_number(tickets[i]) != slot_number(tickets[j]));
  }
  assert_int_equal(stats_of(contest.pool).waiting, MANY);
  for (int i = 0; i < MANY; i++)
    assert_int_equal(pool_step_cancel(tickets[i], &step), 0);
  end_quietly(lease);
  step_finish(contest.pool, 1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_step__the_life_of_a_connection),
      cmocka_unit_test(test_step__what_is_to_be_closed_is_ended_by_its_word),
      cmocka_unit_test(test_step__who_hoped_for_what_is_closed_by_its_word_is_told),
      cmocka_unit_test(test_step__a_pool_that_tells_of_closes_shows_no_word_for_them),
      cmocka_unit_test(test_step__a_view_that_is_refused_is_not_written),
      cmocka_unit_test(test_step__an_open_that_fails_takes_no_place),
      cmocka_unit_test(test_step__tickets_are_served_in_order),
      cmocka_unit_test(test_step__each_put_wakes_one),
      cmocka_unit_test(test_step__a_failed_open_wakes_the_next),
      cmocka_unit_test(test_step__a_finished_close_wakes_the_next),
      cmocka_unit_test(test_step__the_end_of_an_open_lets_the_next_open),
      cmocka_unit_test(test_step__the_hard_cap_holds),
      cmocka_unit_test(test_step__what_is_too_much_is_closed),
      cmocka_unit_test(test_step__no_other_api_lends_or_ends),
      cmocka_unit_test(test_step__the_cause_of_a_failed_open_is_told_while_the_breaker_is_open),
      cmocka_unit_test(test_step__maintaining_leaves_those_who_failed_to_be_named),
      cmocka_unit_test(test_step__a_callers_own_short_deadline_says_nothing_about_the_server),
      cmocka_unit_test(test_step__a_failure_of_a_wrong_size_is_refused_and_nothing_is_done),
      cmocka_unit_test(test_step__how_long_work_took_is_counted),
      cmocka_unit_test(test_step__who_waits_for_another_try_is_told_when),
      cmocka_unit_test(test_step__a_cancelled_ticket_is_gone),
      cmocka_unit_test(test_step__cancel_returns_the_lease_that_was_given),
      cmocka_unit_test(test_step__more_than_max_waiters_are_refused),
      cmocka_unit_test(test_step__close_tells_everybody),
      cmocka_unit_test(test_step__a_draining_close_is_told),
      cmocka_unit_test(test_step__everything_that_was_flushed_is_closed),
      cmocka_unit_test(test_step__next_finds_the_checks_that_a_broken_connection_asks_for),
      cmocka_unit_test(test_step__who_waits_is_told_after_a_pause_and_a_resize),
      cmocka_unit_test(test_step__a_freed_pool_leaves_nothing_behind),
      cmocka_unit_test(test_step__a_freed_pool_leaves_its_abilities_to_none),
      cmocka_unit_test(test_step__wrong_structs_lose_no_decision),
      cmocka_unit_test(test_step__wrong_parameters_are_refused),
      cmocka_unit_test(test_step__what_is_no_ticket_or_claim_is_stale),
      cmocka_unit_test(test_step__the_two_kinds_of_pool_do_not_mix),
      cmocka_unit_test(test_step__a_world_of_users),
      cmocka_unit_test(test_step__a_crowd_of_threads),
      cmocka_unit_test(test_step__begin_and_cancel_at_one_moment),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
