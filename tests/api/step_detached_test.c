/* SPDX-License-Identifier: MIT */
/* POOL_STEP_DETACHED: a get waits in the queue while an open or check is done for it, and takes what comes first. */
#include "steps.h"
#include "virtual.h"

static int connections[16]; /* their addresses stand for connections */

/* How long a waiter counts on what was left over. */
#define LEFT_OVER_NS (250 * MILLISECOND)

static pool_t *detached(const struct plan *plan)
{
  int32_t checks = plan->config.check_after_ms >= 0 ? POOL_STEP_CHECKS : 0;
  return step_pool_able(plan, POOL_STEP_DETACHED | checks);
}

/* A get that waits while some work is done for it. */
static int64_t begin_with(pool_t *pool, int64_t ticket, int32_t work, pool_step_t *step)
{
  assert_int_equal(pool_step_begin(pool, -1, ticket, step), 0);
  assert_int_equal(step->work, work);
  assert_true(step->ticket > 0);
  return step->ticket;
}

/* The work has succeeded, or failed, and a ticket is to be woken; 0: none. */
static void report(pool_lease_t claim, const pool_error_t *failure, int64_t wakes)
{
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_done(claim, failure, &connections[0], &step), 0);
  assert_int_equal(step.work, POOL_WORK_NONE);
  assert_int_equal(step.wake, wakes);
}

static pool_lease_t fetch(pool_t *pool, int64_t ticket)
{
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = pool_step_begin(pool, -1, ticket, &step);
  assert_true(lease > 0);
  assert_int_equal(step.work, POOL_WORK_NONE);
  return lease;
}

static void put(pool_lease_t lease)
{
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_end(lease, &step), 0);
  assert_int_equal(step.work, POOL_WORK_NONE);
}

static pool_lease_t open_for_get(pool_t *pool)
{
  pool_step_t step = POOL_STEP_INIT;
  int64_t ticket = begin_with(pool, 0, POOL_WORK_OPEN, &step);
  report(step.claim, NULL, ticket);
  return fetch(pool, ticket);
}

static void give_up(int64_t ticket)
{
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_cancel(ticket, &step), 0);
}

/* ---- opens ---- */

static void test_step_detached__what_is_opened_for_a_get_is_lent_to_it(void **state)
{
  (void)state;
  pool_t *pool = detached(PLAN(.config.max_open = 2));
  pool_lease_t lease = open_for_get(pool);
  assert_ptr_equal(pool_conn(lease), &connections[0]);
  assert_int_equal(stats_of(pool).waited, 0);
  put(lease);
  step_finish(pool, 1);
}

static void test_step_detached__a_get_takes_what_is_put_while_its_open_is_under_way(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = detached(PLAN(.config.max_open = 2));
  pool_lease_t held = open_for_get(pool);
  int64_t ticket = begin_with(pool, 0, POOL_WORK_OPEN, &step);
  pool_lease_t claim = step.claim;
  virtual_advance(50 * MILLISECOND);
  assert_int_equal(step_put(held), ticket);
  pool_lease_t lease = fetch(pool, ticket);
  assert_int_equal(slot_number(lease), slot_number(held));
  assert_int_equal(stats_of(pool).waited, 1);
  report(claim, NULL, 0); /* is kept for the next */
  assert_int_equal(stats_of(pool).idle, 1);
  put(lease);
  step_finish(pool, 2);
}

static void test_step_detached__those_for_which_nothing_is_done_come_first_for_a_time(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = detached(PLAN(.config.max_open = 2));
  for (int late = 0; late < 2; late++) {
    pool_lease_t held = open_for_get(pool);
    int64_t opens = begin_with(pool, 0, POOL_WORK_OPEN, &step);
    pool_lease_t claim = step.claim;
    int64_t waits = begin_with(pool, 0, POOL_WORK_NONE, &step);
    virtual_advance(late ? LEFT_OVER_NS : MILLISECOND);
    assert_int_equal(step_put(held), late ? opens : waits);
    pool_lease_t lease = fetch(pool, late ? opens : waits);
    report(claim, NULL, late ? waits : opens);
    pool_lease_t other = fetch(pool, late ? waits : opens);
    step_close(lease, pool_mark_unusable(lease) ? 0 : POOL_REASON_UNUSABLE);
    step_close(other, pool_mark_unusable(other) ? 0 : POOL_REASON_UNUSABLE);
  }
  step_finish(pool, 0);
}

static void test_step_detached__what_was_left_over_is_counted_on_for_a_time(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = detached(PLAN(.config.max_open = 9));
  int64_t first = begin_with(pool, 0, POOL_WORK_OPEN, &step);
  pool_lease_t claims[2] = {step.claim};
  virtual_advance(50 * MILLISECOND);
  give_up(first);
  int64_t second = begin_with(pool, 0, POOL_WORK_NONE, &step);
  assert_int_equal(step.look_again_ns, 200 * MILLISECOND);
  int64_t third = begin_with(pool, 0, POOL_WORK_OPEN, &step); /* one does not suffice for two */
  claims[1] = step.claim;
  virtual_advance(200 * MILLISECOND);
  assert_int_equal(begin_with(pool, second, POOL_WORK_OPEN, &step), second);
  pool_lease_t claim = step.claim;
  report(claims[0], NULL, second);
  pool_lease_t lease = fetch(pool, second);
  report(claim, NULL, third);
  report(claims[1], NULL, 0);
  put(lease);
  put(fetch(pool, third));
  assert_int_equal(stats_of(pool).open_failures, 0);
  step_finish(pool, 3);
}

static void test_step_detached__a_failed_open_is_told_to_the_one_it_was_for(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = detached(PLAN(.config.max_open = 1));
  int64_t first = begin_with(pool, 0, POOL_WORK_OPEN, &step);
  pool_lease_t claim = step.claim;
  int64_t second = begin_with(pool, 0, POOL_WORK_NONE, &step);
  assert_int_equal(pool_step_done(claim, &failed_work, NULL, &step), 0);
  assert_int_equal(step.wake, first);
  assert_int_equal(step.more, 1);
  assert_next_wakes(pool, second, &step);
  assert_int_equal(pool_step_begin(pool, -1, first, &step), POOL_E_OPEN);
  begin_with(pool, second, POOL_WORK_OPEN, &step);
  report(step.claim, &failed_work, second);
  assert_int_equal(pool_step_begin(pool, -1, second, &step), POOL_E_OPEN);
  assert_int_equal(stats_of(pool).failed_open, 2);
  step_finish(pool, 0);
}

static void test_step_detached__a_failed_open_of_one_who_has_left_ends_nobodys_wait(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = detached(PLAN(.config.max_open = 1));
  int64_t first = begin_with(pool, 0, POOL_WORK_OPEN, &step);
  pool_lease_t claim = step.claim;
  give_up(first);
  int64_t second = begin_with(pool, 0, POOL_WORK_NONE, &step);
  report(claim, &failed_work, second);
  begin_with(pool, second, POOL_WORK_OPEN, &step);
  report(step.claim, NULL, second);
  put(fetch(pool, second));
  step_finish(pool, 1);
}

static void test_step_detached__those_who_open_do_not_wait_for_others(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = detached(PLAN(.config.max_open = 2, .config.max_waiters = 1, .config.queue = POOL_QUEUE_SHED,
                               .config.overload_after_ms = 10));
  pool_lease_t claims[2];
  int64_t tickets[2];
  for (int i = 0; i < 2; i++) {
    tickets[i] = begin_with(pool, 0, POOL_WORK_OPEN, &step);
    claims[i] = step.claim;
  }
  assert_int_equal(stats_of(pool).waiting, 0);
  virtual_advance(200 * MILLISECOND); /* would be an overload */
  int64_t waits = begin_with(pool, 0, POOL_WORK_NONE, &step);
  assert_int_equal(stats_of(pool).waiting, 1);
  assert_int_equal(pool_step_begin(pool, -1, 0, &step), POOL_E_OVERLOAD);
  report(claims[0], NULL, tickets[0]);
  assert_int_equal(step_put(fetch(pool, tickets[0])), waits);
  pool_lease_t lease = fetch(pool, waits);
  report(claims[1], NULL, tickets[1]);
  put(lease);
  put(fetch(pool, tickets[1]));
  step_finish(pool, 2);
}

static void test_step_detached__a_get_that_opens_is_not_shed_with_those_that_wait(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = detached(PLAN(.config.max_open = 1, .config.queue = POOL_QUEUE_SHED, .config.overload_after_ms = 10));
  int64_t opens = begin_with(pool, 0, POOL_WORK_OPEN, &step);
  pool_lease_t claim = step.claim;
  int64_t waits[2];
  for (int i = 0; i < 2; i++)
    waits[i] = begin_with(pool, 0, POOL_WORK_NONE, &step);
  virtual_advance(30 * MILLISECOND);
  for (int i = 0; i < 2; i++)
    assert_int_equal(pool_step_begin(pool, -1, waits[i], &step), POOL_E_OVERLOAD);
  report(claim, NULL, opens);
  put(fetch(pool, opens));
  step_finish(pool, 1);
}

static void test_step_detached__the_open_of_a_closed_pool_is_closed(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = detached(PLAN(.config.max_open = 2));
  int64_t ticket = begin_with(pool, 0, POOL_WORK_OPEN, &step);
  pool_lease_t claim = step.claim;
  assert_int_equal(pool_close(pool, 0), 1);
  assert_next_wakes(pool, ticket, &step);
  assert_int_equal(pool_step_begin(pool, -1, ticket, &step), POOL_E_CLOSED);
  assert_int_equal(pool_step_done(claim, NULL, &connections[0], &step), POOL_E_CLOSED);
  assert_int_equal(step.work, POOL_WORK_CLOSE);
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  assert_int_equal(stats_of(pool).failed_closed, 1);
  step_finish(pool, 0);
}

/* Works for two gets, of which one may have a connection since the cap was lowered.  Returns whose that is, and that of the
   other is closed. */
static pool_lease_t finish_one_too_many(pool_t *pool, const pool_lease_t claims[2], int64_t tickets[2])
{
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_resize(pool, 1), 1);
  assert_int_equal(pool_step_done(claims[0], NULL, &connections[0], &step), 0);
  assert_int_equal(step.work, POOL_WORK_CLOSE);
  assert_int_equal(step.reason, POOL_REASON_RESIZED);
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  report(claims[1], NULL, tickets[0]);
  return fetch(pool, tickets[0]);
}

static void test_step_detached__what_is_opened_after_the_cap_fell_is_lent_to_nobody(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = detached(PLAN(.config.max_open = 2));
  pool_lease_t claims[2];
  int64_t tickets[2];
  for (int i = 0; i < 2; i++) {
    tickets[i] = begin_with(pool, 0, POOL_WORK_OPEN, &step);
    claims[i] = step.claim;
  }
  pool_lease_t lease = finish_one_too_many(pool, claims, tickets);
  give_up(tickets[1]);
  put(lease);
  step_finish(pool, 1);
}

static void test_step_detached__a_get_without_time_opens_for_itself(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = detached(PLAN(.config.max_open = 1));
  assert_opens(pool, 0, 0, &step);
  pool_lease_t lease = pool_step_done(step.claim, NULL, &connections[0], &step);
  assert_true(lease > 0);
  put(lease);
  step_finish(pool, 1);
}

/* ---- checks ---- */

static void test_step_detached__a_get_takes_what_is_put_while_its_check_is_under_way(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = detached(PLAN(.config.max_open = 2, .config.check_after_ms = 100));
  pool_lease_t one = open_for_get(pool), other = open_for_get(pool);
  put(one);
  virtual_advance(SECOND);
  int64_t ticket = begin_with(pool, 0, POOL_WORK_CHECK, &step);
  pool_lease_t claim = step.claim;
  virtual_advance(50 * MILLISECOND);
  assert_int_equal(step_put(other), ticket);
  pool_lease_t lease = fetch(pool, ticket);
  assert_int_equal(slot_number(lease), slot_number(other));
  report(claim, NULL, 0);
  assert_int_equal(stats_of(pool).idle, 1);
  put(lease);
  step_finish(pool, 2);
}

static void test_step_detached__what_is_checked_after_the_cap_fell_is_lent_to_nobody(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = detached(PLAN(.config.max_open = 2, .config.check_after_ms = 100));
  pool_lease_t leases[] = {open_for_get(pool), open_for_get(pool)}, claims[2];
  int64_t tickets[2];
  for (int i = 0; i < 2; i++)
    put(leases[i]);
  virtual_advance(SECOND);
  for (int i = 0; i < 2; i++) {
    tickets[i] = begin_with(pool, 0, POOL_WORK_CHECK, &step);
    claims[i] = step.claim;
  }
  pool_lease_t lease = finish_one_too_many(pool, claims, tickets);
  give_up(tickets[1]);
  put(lease);
  step_finish(pool, 1);
}

static void test_step_detached__a_failed_check_lets_the_get_look_again(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = detached(PLAN(.config.max_open = 2, .config.check_after_ms = 100));
  put(open_for_get(pool));
  virtual_advance(SECOND);
  int64_t ticket = begin_with(pool, 0, POOL_WORK_CHECK, &step);
  assert_int_equal(pool_step_done(step.claim, &failed_work, NULL, &step), 0);
  assert_int_equal(step.work, POOL_WORK_CLOSE);
  assert_int_equal(step.wake, ticket);
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  begin_with(pool, ticket, POOL_WORK_OPEN, &step);
  report(step.claim, NULL, ticket);
  put(fetch(pool, ticket));
  step_finish(pool, 1);
}

static void test_step_detached__a_second_check_is_begun_when_the_first_takes_long(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = detached(PLAN(.config.max_open = 2, .config.check_after_ms = 0));
  pool_lease_t one = open_for_get(pool), other = open_for_get(pool);
  put(one);
  put(other);
  int64_t ticket = begin_with(pool, 0, POOL_WORK_CHECK, &step);
  pool_lease_t hangs = step.claim;
  assert_int_equal(step.look_again_ns, LEFT_OVER_NS);
  assert_int_equal(begin_with(pool, ticket, POOL_WORK_NONE, &step), ticket);
  virtual_advance(LEFT_OVER_NS);
  assert_int_equal(begin_with(pool, ticket, POOL_WORK_CHECK, &step), ticket);
  report(step.claim, NULL, ticket);
  pool_lease_t lease = fetch(pool, ticket);
  report(hangs, NULL, 0);
  put(lease);
  step_finish(pool, 2);
}

/* ---- what hangs that nobody asked for ---- */

static void test_step_detached__an_open_that_hangs_is_not_counted_as_idle_soon(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = detached(PLAN(.config.max_open = 5, .config.min_idle = 1));
  assert_int_equal(pool_step_next(pool, &step), 1);
  assert_int_equal(step.work, POOL_WORK_OPEN);
  pool_lease_t hangs = step.claim;
  assert_int_equal(pool_step_next(pool, &step), 0);
  virtual_advance(SECOND);
  assert_int_equal(pool_step_next(pool, &step), 1);
  assert_int_equal(step.work, POOL_WORK_OPEN);
  report(step.claim, NULL, 0);
  assert_int_equal(pool_step_next(pool, &step), 0);
  report(hangs, NULL, 0);
  step_finish(pool, 2);
}

/* A get that was served by an open for min_idle, while the connection that was idle is checked for it. */
static pool_lease_t leave_check_over(pool_t *pool, pool_lease_t *check)
{
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_next(pool, &step), 1);
  assert_int_equal(step.work, POOL_WORK_OPEN);
  report(step.claim, NULL, 0);
  virtual_advance(SECOND);
  int64_t ticket = begin_with(pool, 0, POOL_WORK_CHECK, &step);
  *check = step.claim;
  assert_int_equal(pool_step_next(pool, &step), 1);
  assert_int_equal(step.work, POOL_WORK_OPEN);
  report(step.claim, NULL, ticket);
  return fetch(pool, ticket);
}

static void test_step_detached__a_check_that_its_get_left_is_counted_as_idle_soon(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = detached(PLAN(.config.max_open = 5, .config.min_idle = 1, .config.check_after_ms = 100));
  pool_lease_t check, lease = leave_check_over(pool, &check);
  assert_int_equal(pool_step_next(pool, &step), 0);
  report(check, NULL, 0);
  assert_int_equal(pool_step_next(pool, &step), 0);
  assert_int_equal(stats_of(pool).open, 2);
  put(lease);
  step_finish(pool, 2);
}

static void test_step_detached__a_check_that_its_get_left_and_that_hangs_is_not_counted(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = detached(PLAN(.config.max_open = 5, .config.min_idle = 1, .config.check_after_ms = 100));
  pool_lease_t hangs, lease = leave_check_over(pool, &hangs);
  assert_int_equal(pool_step_next(pool, &step), 0);
  assert_int_equal(pool_maintain(pool), LEFT_OVER_NS);
  virtual_advance(LEFT_OVER_NS);
  assert_int_equal(pool_step_next(pool, &step), 1);
  assert_int_equal(step.work, POOL_WORK_OPEN);
  report(step.claim, NULL, 0);
  report(hangs, NULL, 0);
  put(lease);
  step_finish(pool, 3);
}

/* ---- opens that begin alone ---- */

static pool_t *joining(const struct plan *plan)
{
  return step_pool_able(plan, POOL_STEP_JOINS);
}

/* The get of this claim joins the queue. */
static int64_t join(pool_lease_t claim)
{
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_join(claim, &step), 0);
  assert_int_equal(step.work, POOL_WORK_NONE);
  assert_true(step.ticket > 0);
  return step.ticket;
}

static pool_lease_t open_alone(pool_t *pool)
{
  pool_step_t step = POOL_STEP_INIT;
  assert_opens(pool, -1, 0, &step);
  pool_lease_t claim = step.claim, lease = pool_step_done(claim, NULL, &connections[0], &step);
  assert_true(lease > 0);
  assert_int_equal(pool_step_join(claim, &step), POOL_E_STALE);
  return lease;
}

static void test_step_detached__an_open_that_begins_alone_brings_the_lease(void **state)
{
  (void)state;
  pool_t *pool = joining(PLAN(.config.max_open = 1));
  pool_lease_t lease = open_alone(pool);
  assert_int_equal(pool_step_join(lease, &(pool_step_t)POOL_STEP_INIT), POOL_E_STALE);
  assert_int_equal(stats_of(pool).waited, 0);
  put(lease);
  step_finish(pool, 1);
}

static void test_step_detached__a_get_joins_where_it_began_and_not_behind_those_who_came_later(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = joining(PLAN(.config.max_open = 2));
  assert_opens(pool, -1, 0, &step);
  pool_lease_t claim = step.claim;
  virtual_advance(MILLISECOND);
  assert_opens(pool, -1, 0, &step);
  assert_int_equal(pool_step_done(step.claim, &failed_work, NULL, &step), 0);
  int64_t later = step.ticket;
  assert_true(later > 0);
  virtual_advance(MILLISECOND);
  int64_t first = join(claim);
  report(claim, NULL, first);
  pool_lease_t lease = fetch(pool, first);
  assert_int_equal(step_put(lease), later);
  put(fetch(pool, later));
  step_finish(pool, 1);
}

static void test_step_detached__a_get_that_has_joined_takes_what_is_put(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = joining(PLAN(.config.max_open = 2));
  for (int early = 0; early < 2; early++) {
    pool_lease_t held = open_alone(pool);
    assert_opens(pool, -1, 0, &step);
    pool_lease_t claim = step.claim;
    if (early)
      put(held);
    int64_t ticket = join(claim);
    if (!early)
      assert_int_equal(step_put(held), ticket);
    pool_lease_t lease = fetch(pool, ticket);
    assert_int_equal(slot_number(lease), slot_number(held));
    report(claim, NULL, 0); /* is kept for the next */
    step_close(lease, pool_mark_unusable(lease) ? 0 : POOL_REASON_UNUSABLE);
    lease = pool_step_idle(pool, &step);
    step_close(lease, pool_mark_unusable(lease) ? 0 : POOL_REASON_UNUSABLE);
  }
  step_finish(pool, 0);
}

static void test_step_detached__a_get_that_has_joined_is_told_of_its_open(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = joining(PLAN(.config.max_open = 1));
  assert_opens(pool, -1, 0, &step);
  pool_lease_t claim = step.claim;
  int64_t ticket = join(claim);
  report(claim, &failed_work, ticket);
  assert_int_equal(pool_step_begin(pool, -1, ticket, &step), POOL_E_OPEN);
  ticket = begin_with(pool, 0, POOL_WORK_OPEN, &step); /* after a failure none begins alone */
  report(step.claim, NULL, ticket);
  pool_lease_t lease = fetch(pool, ticket);
  step_close(lease, pool_mark_unusable(lease) ? 0 : POOL_REASON_UNUSABLE);
  assert_opens(pool, -1, 0, &step);
  claim = step.claim;
  ticket = join(claim);
  report(claim, NULL, ticket);
  put(fetch(pool, ticket));
  step_finish(pool, 1);
}

static void test_step_detached__a_get_waits_on_after_an_open_that_began_alone_has_failed(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = joining(PLAN(.config.max_open = 2));
  pool_lease_t held = open_alone(pool);
  assert_opens(pool, -1, 0, &step);
  assert_int_equal(pool_step_done(step.claim, &failed_work, NULL, &step), 0);
  int64_t ticket = step.ticket;
  assert_int_equal(step_put(held), ticket);
  put(fetch(pool, ticket));
  step_finish(pool, 1);
  pool = joining(PLAN(.config.max_open = 2));
  assert_opens(pool, -1, 0, &step); /* nothing else may come */
  assert_int_equal(pool_step_done(step.claim, &failed_work, NULL, &step), POOL_E_OPEN);
  step_finish(pool, 0);
}

static void test_step_detached__a_get_that_leaves_after_it_joined_leaves_its_open(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = joining(PLAN(.config.max_open = 2));
  assert_opens(pool, -1, 0, &step);
  pool_lease_t claim = step.claim;
  give_up(join(claim));
  int64_t next = begin_with(pool, 0, POOL_WORK_NONE, &step); /* counts on it, and has a place therefore */
  report(claim, NULL, next);
  put(fetch(pool, next));
  assert_int_equal(stats_of(pool).opened, 1);
  step_finish(pool, 1);
}

static void test_step_detached__where_others_wait_an_open_comes_with_a_ticket(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = joining(PLAN(.config.max_open = 2));
  assert_opens(pool, -1, 0, &step);
  pool_lease_t first = step.claim;
  int64_t joined = join(first);
  int64_t other = begin_with(pool, 0, POOL_WORK_OPEN, &step);
  report(step.claim, NULL, other);
  report(first, NULL, joined);
  put(fetch(pool, joined));
  put(fetch(pool, other));
  step_finish(pool, 2);
}

static void test_step_detached__nobody_joins_the_queue_of_a_closed_pool(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = joining(PLAN(.config.max_open = 2));
  assert_opens(pool, -1, 0, &step);
  pool_lease_t claim = step.claim;
  assert_int_equal(pool_close(pool, 0), 1);
  assert_int_equal(pool_step_join(claim, &step), POOL_E_CLOSED);
  assert_int_equal(pool_step_done(claim, NULL, &connections[0], &step), POOL_E_CLOSED);
  assert_int_equal(step.work, POOL_WORK_CLOSE);
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  assert_int_equal(stats_of(pool).failed_closed, 1);
  step_finish(pool, 0);
}

enum { RACES = 3000 };
static _Atomic int64_t raced, brought;

/* Reports each claim that it is shown, and shows what it brought; 0 ends it. */
static void *report_main(void *data)
{
  (void)data;
  pool_step_t step = POOL_STEP_INIT;
  for (int64_t claim = 0; claim >= 0;) {
    while ((claim = atomic_exchange(&raced, 0)) == 0)
      yield_ns();
    if (claim > 0)
      atomic_store(&brought, 1 + pool_step_done(claim, NULL, &connections[0], &step));
  }
  return NULL;
}

static void test_step_detached__a_report_and_a_get_that_joins_meet_without_losing_a_lease(void **state)
{
  (void)state;
  pthread_t thread;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = joining(PLAN(.config.max_open = 1));
  assert_int_equal(pthread_create(&thread, NULL, report_main, NULL), 0);
  for (int i = 0; i < RACES; i++) {
    assert_opens(pool, -1, 0, &step);
    pool_lease_t claim = step.claim, lease;
    atomic_store(&brought, 0);
    atomic_store(&raced, claim);
    for (int wait = i % 16; wait-- > 0;)
      yield_ns();
    int code = pool_step_join(claim, &step);
    assert_true(code == 0 || code == POOL_E_STALE);
    int64_t ticket = step.ticket;
    must_soon(atomic_load(&brought));
    lease = atomic_load(&brought) - 1;
    assert_true(code ? lease > 0 : lease == 0);
    lease = code ? lease : fetch(pool, ticket);
    step_close(lease, pool_mark_unusable(lease) ? 0 : POOL_REASON_UNUSABLE);
  }
  atomic_store(&raced, -1);
  pthread_join(thread, NULL);
  step_finish(pool, 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_step_detached__what_is_opened_for_a_get_is_lent_to_it),
      cmocka_unit_test(test_step_detached__a_get_takes_what_is_put_while_its_open_is_under_way),
      cmocka_unit_test(test_step_detached__those_for_which_nothing_is_done_come_first_for_a_time),
      cmocka_unit_test(test_step_detached__what_was_left_over_is_counted_on_for_a_time),
      cmocka_unit_test(test_step_detached__a_failed_open_is_told_to_the_one_it_was_for),
      cmocka_unit_test(test_step_detached__a_failed_open_of_one_who_has_left_ends_nobodys_wait),
      cmocka_unit_test(test_step_detached__those_who_open_do_not_wait_for_others),
      cmocka_unit_test(test_step_detached__a_get_that_opens_is_not_shed_with_those_that_wait),
      cmocka_unit_test(test_step_detached__the_open_of_a_closed_pool_is_closed),
      cmocka_unit_test(test_step_detached__what_is_opened_after_the_cap_fell_is_lent_to_nobody),
      cmocka_unit_test(test_step_detached__a_get_without_time_opens_for_itself),
      cmocka_unit_test(test_step_detached__a_get_takes_what_is_put_while_its_check_is_under_way),
      cmocka_unit_test(test_step_detached__what_is_checked_after_the_cap_fell_is_lent_to_nobody),
      cmocka_unit_test(test_step_detached__a_failed_check_lets_the_get_look_again),
      cmocka_unit_test(test_step_detached__a_second_check_is_begun_when_the_first_takes_long),
      cmocka_unit_test(test_step_detached__an_open_that_hangs_is_not_counted_as_idle_soon),
      cmocka_unit_test(test_step_detached__a_check_that_its_get_left_is_counted_as_idle_soon),
      cmocka_unit_test(test_step_detached__a_check_that_its_get_left_and_that_hangs_is_not_counted),
      cmocka_unit_test(test_step_detached__an_open_that_begins_alone_brings_the_lease),
      cmocka_unit_test(test_step_detached__a_get_joins_where_it_began_and_not_behind_those_who_came_later),
      cmocka_unit_test(test_step_detached__a_get_that_has_joined_takes_what_is_put),
      cmocka_unit_test(test_step_detached__a_get_that_has_joined_is_told_of_its_open),
      cmocka_unit_test(test_step_detached__a_get_waits_on_after_an_open_that_began_alone_has_failed),
      cmocka_unit_test(test_step_detached__a_get_that_leaves_after_it_joined_leaves_its_open),
      cmocka_unit_test(test_step_detached__where_others_wait_an_open_comes_with_a_ticket),
      cmocka_unit_test(test_step_detached__nobody_joins_the_queue_of_a_closed_pool),
      cmocka_unit_test(test_step_detached__a_report_and_a_get_that_joins_meet_without_losing_a_lease),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
