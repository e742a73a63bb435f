/* SPDX-License-Identifier: MIT */
/* POOL_STEP_HANDS and pool_step_pass(): a lease goes from its holder to the waiter, with what tells the waiter. */
#include "steps.h"
#include "virtual.h"

static pool_t *handing(const struct plan *plan)
{
  return step_pool_able(plan, POOL_STEP_HANDS);
}

/* Ends a lease for the first waiter. */
static pool_step_t pass(pool_lease_t lease)
{
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_pass(lease, &step), 0);
  assert_int_equal(step.work, POOL_WORK_NONE);
  return step;
}

#define assert_gives(step, ticket, lease)                                                                              \
  do {                                                                                                                 \
    assert_int_equal((step).given_to, ticket);                                                                         \
    assert_int_equal(slot_number((step).given), slot_number(lease));                                                   \
    assert_int_equal((step).wake, 0);                                                                                  \
    assert_int_equal((step).more, 0);                                                                                  \
  } while (0)

static int64_t begin_again(pool_t *pool, int64_t ticket)
{
  pool_step_t step = POOL_STEP_INIT;
  return pool_step_begin(pool, -1, ticket, &step);
}

static void test_step_hands__what_is_passed_comes_to_the_first_with_the_word_that_tells_it(void **state)
{
  (void)state;
  pool_t *pool = handing(PLAN(.config.max_open = 1));
  pool_lease_t lease = step_open(pool, NULL);
  int64_t tickets[2];
  step_queue_all(pool, tickets, 2);
  virtual_advance(MILLISECOND / 2); /* no hand-over is due */
  pool_step_t step = pass(lease);
  assert_gives(step, tickets[0], lease);
  assert_true(step.given > lease);
  assert_int_equal(stats_of(pool).waited, 1);
  assert_int_equal(stats_of(pool).wait_max_ns, MILLISECOND / 2);
  assert_int_equal(begin_again(pool, tickets[0]), POOL_E_STALE);
  step = pass(step.given);
  assert_gives(step, tickets[1], lease);
  step = pass(step.given);
  assert_int_equal(step.given_to, 0);
  assert_int_equal(stats_of(pool).idle, 1);
  step_finish(pool, 1);
}

static void test_step_hands__a_get_that_comes_takes_nothing_while_others_wait(void **state)
{
  (void)state;
  pool_t *pool = handing(PLAN(.config.max_open = 1));
  pool_lease_t lease = step_open(pool, NULL);
  int64_t first = step_queue(pool, -1);
  assert_int_equal(step_put(lease), first);
  assert_int_equal(begin_again(pool, 0), 0);
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_begin(pool, 0, 0, &step), POOL_E_TIMEOUT);
  assert_int_equal(pool_step_idle(pool, &step), 0);
  assert_int_equal(stats_of(pool).waiting, 2);
  lease = begin_again(pool, first);
  assert_true(lease > 0);
  step = pass(lease);
  assert_true(step.given_to > 0);
  pass(step.given);
  step_finish(pool, 1);
}

static void test_step_hands__one_that_was_told_and_then_given_a_lease_leaves_the_word_to_the_next(void **state)
{
  (void)state;
  pool_t *pool = handing(PLAN(.config.max_open = 2));
  int connections[2];
  pool_lease_t leases[2];
  int64_t tickets[2];
  step_open_all(pool, leases, 2, connections);
  step_queue_all(pool, tickets, 2);
  assert_int_equal(step_put(leases[0]), tickets[0]);
  pool_step_t step = pass(leases[1]);
  assert_int_equal(step.given_to, tickets[0]);
  assert_int_equal(slot_number(step.given), slot_number(leases[1]));
  assert_int_equal(step.wake, tickets[1]);
  pool_lease_t other = begin_again(pool, tickets[1]);
  assert_int_equal(slot_number(other), slot_number(leases[0]));
  pass(step.given);
  pass(other);
  step_finish(pool, 2);
}

/* Also where it was to look for room to open another. */
static void test_step_hands__one_that_was_told_of_room_and_then_given_a_lease_leaves_the_word_to_the_next(void **state)
{
  (void)state;
  for (int detached = 0; detached < 2; detached++) {
    pool_t *pool = step_pool_able(PLAN(.config.max_open = 2), POOL_STEP_HANDS | (detached ? POOL_STEP_DETACHED : 0));
    int64_t tickets[3];
    pool_step_t step = POOL_STEP_INIT;
    pool_pause(pool);
    step_queue_all(pool, tickets, 3);
    pool_resume(pool);
    assert_int_equal(pool_step_next(pool, &step), 1);
    assert_int_equal(step.wake, tickets[0]);
    assert_int_equal(pool_step_begin(pool, -1, tickets[0], &step), 0);
    assert_int_equal(step.work, POOL_WORK_OPEN);
    assert_int_equal(step.wake, tickets[1]);
    pool_lease_t lease = pool_step_done(step.claim, NULL, NULL, &step);
    step = pass(detached ? step.given : lease);
    assert_int_equal(step.given_to, tickets[1]);
    assert_int_equal(step.wake, tickets[2]);
    pool_lease_t given = step.given;
    assert_int_equal(pool_step_cancel(tickets[2], &step), 0);
    pass(given);
    step_finish(pool, 1);
  }
}

static void test_step_hands__a_wait_that_ended_is_given_nothing(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = handing(PLAN(.config.max_open = 1));
  pool_lease_t lease = step_open(pool, NULL);
  int64_t cancelled = step_queue(pool, -1), late = step_queue(pool, 1), waits = step_queue(pool, -1);
  assert_int_equal(pool_step_cancel(cancelled, &step), 0);
  virtual_advance(2 * MILLISECOND);
  step = pass(lease);
  assert_gives(step, waits, lease);
  assert_int_equal(begin_again(pool, late), POOL_E_TIMEOUT);
  pass(step.given);
  step_finish(pool, 1);
}

static void test_step_hands__a_paused_pool_hands_over_when_it_resumes(void **state)
{
  (void)state;
  pool_t *pool = handing(PLAN(.config.max_open = 1, .config.fairness_us = 0));
  pool_lease_t lease = step_open(pool, NULL);
  int64_t ticket = step_queue(pool, -1);
  pool_pause(pool);
  assert_int_equal(pass(lease).given_to, 0);
  pool_resume(pool);
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_next(pool, &step), 1);
  assert_gives(step, ticket, lease);
  pass(step.given);
  step_finish(pool, 1);
}

static void test_step_hands__a_ticket_that_was_not_told_yet_fetches_or_gives_up_its_lease_itself(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  for (int cancels = 0; cancels < 2; cancels++) {
    pool_t *pool = handing(PLAN(.config.max_open = 1, .config.fairness_us = 0));
    pool_lease_t lease = step_open(pool, NULL);
    int64_t ticket = step_queue(pool, -1);
    pool_pause(pool);
    pass(lease);
    pool_resume(pool); /* it is handed over, and pool_step_next() would say so */
    lease = cancels ? pool_step_cancel(ticket, &step) : begin_again(pool, ticket);
    assert_true(lease > 0);
    assert_int_equal(pool_step_next(pool, &step), 0);
    pass(lease);
    step_finish(pool, 1);
  }
}

static void test_step_hands__what_was_opened_goes_to_its_waiter_with_the_report(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = step_pool_able(PLAN(.config.max_open = 1), POOL_STEP_HANDS | POOL_STEP_DETACHED);
  assert_int_equal(pool_step_begin(pool, -1, 0, &step), 0);
  assert_int_equal(step.work, POOL_WORK_OPEN);
  int64_t ticket = step.ticket;
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  assert_int_equal(step.given_to, ticket);
  pass(step.given);
  step_finish(pool, 1);
}

static void test_step_hands__one_for_whom_something_is_opened_is_told_of_what_is_passed(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = step_pool_able(PLAN(.config.max_open = 2), POOL_STEP_HANDS | POOL_STEP_DETACHED);
  assert_int_equal(pool_step_begin(pool, -1, 0, &step), 0);
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  pool_lease_t lease = step.given;
  assert_int_equal(pool_step_begin(pool, -1, 0, &step), 0);
  pool_lease_t claim = step.claim;
  int64_t ticket = step.ticket;
  step = pass(lease);
  assert_int_equal(step.wake, ticket);
  assert_int_equal(step.given_to, 0);
  assert_int_equal(stats_of(pool).idle, 1);
  assert_true((lease = begin_again(pool, ticket)) > 0);
  assert_int_equal(pool_step_done(claim, NULL, NULL, &step), 0);
  pass(lease);
  step_finish(pool, 2);
}

static void test_step_hands__without_that_ability_the_first_fetches_what_was_passed(void **state)
{
  (void)state;
  pool_t *pool = step_pool(PLAN(.config.max_open = 1));
  pool_lease_t lease = step_open(pool, NULL);
  int64_t ticket = step_queue(pool, -1);
  pool_step_t step = pass(lease);
  assert_int_equal(step.wake, ticket);
  assert_int_equal(step.given_to, 0);
  assert_int_equal(stats_of(pool).leased, 1);
  lease = begin_again(pool, ticket);
  assert_true(lease > 0);
  pass(lease);
  step_finish(pool, 1);
}

static void test_step_hands__what_is_reset_first_is_passed_to_nobody(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = step_pool_able(PLAN(.config.max_open = 1), POOL_STEP_HANDS | POOL_STEP_RESETS);
  pool_lease_t lease = step_open(pool, NULL);
  int64_t ticket = step_queue(pool, -1);
  assert_int_equal(pool_step_pass(lease, &step), 0);
  assert_int_equal(step.work, POOL_WORK_RESET);
  assert_int_equal(step.given_to, 0);
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  assert_int_equal(step.wake, ticket);
  lease = begin_again(pool, ticket);
  assert_int_equal(pool_step_end(lease, &step), 0);
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  step_finish(pool, 1);
}

/* A pause was over, and no step of the program has told the ticket of its lease yet. */
static void test_step_hands__a_lease_that_was_not_told_of_is_not_lost_with_its_pool(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = handing(PLAN(.config.max_open = 1));
  pool_lease_t lease = step_open(pool, NULL);
  int64_t ticket = step_queue(pool, -1);
  assert_int_equal(pool_pause(pool), 1);
  assert_int_equal(step_put(lease), 0);
  virtual_advance(SECOND); /* a hand-over is due */
  assert_int_equal(pool_resume(pool), 0);
  pool_free(pool);
  lease = pool_step_cancel(ticket, &step);
  assert_true(lease > 0);
  step_close(lease, POOL_REASON_CLOSED);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_step_hands__what_is_passed_comes_to_the_first_with_the_word_that_tells_it),
      cmocka_unit_test(test_step_hands__a_get_that_comes_takes_nothing_while_others_wait),
      cmocka_unit_test(test_step_hands__one_that_was_told_and_then_given_a_lease_leaves_the_word_to_the_next),
      cmocka_unit_test(
          test_step_hands__one_that_was_told_of_room_and_then_given_a_lease_leaves_the_word_to_the_next),
      cmocka_unit_test(test_step_hands__a_wait_that_ended_is_given_nothing),
      cmocka_unit_test(test_step_hands__a_paused_pool_hands_over_when_it_resumes),
      cmocka_unit_test(test_step_hands__a_ticket_that_was_not_told_yet_fetches_or_gives_up_its_lease_itself),
      cmocka_unit_test(test_step_hands__what_was_opened_goes_to_its_waiter_with_the_report),
      cmocka_unit_test(test_step_hands__one_for_whom_something_is_opened_is_told_of_what_is_passed),
      cmocka_unit_test(test_step_hands__without_that_ability_the_first_fetches_what_was_passed),
      cmocka_unit_test(test_step_hands__what_is_reset_first_is_passed_to_nobody),
      cmocka_unit_test(test_step_hands__a_lease_that_was_not_told_of_is_not_lost_with_its_pool),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
