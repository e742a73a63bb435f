/* SPDX-License-Identifier: MIT */
/* Details that no other test is about: a small mistake in each of them went unseen once (tests/mutants). */
#include "decide/pool.h"
#include "steps.h"
#include "virtual.h"
#include "witness.h"

static struct fake fake;

/* ---- steps ---- */

/* Closes a lease's connection; returns the ticket to wake. */
static int64_t put_broken(pool_lease_t lease)
{
  assert_int_equal(pool_mark_unusable(lease), 0);
  return step_close(lease, POOL_REASON_UNUSABLE);
}

static void test_detail__a_newcomer_leaves_what_is_idle_to_the_first_who_waited_long(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = step_pool(BY_HAND(.config.max_open = 2, .config.max_idle = 2));
  pool_lease_t one = step_open(pool, NULL), two = step_open(pool, NULL);
  int64_t first = step_queue(pool, 60000), second = step_queue(pool, 60000);
  assert_true(step_put(one) == first); /* which is told, and does not run yet */
  assert_int_equal(step_put(two), 0);
  virtual_advance(SECOND);
  assert_next_wakes(pool, first, &step); /* it is handed one of them */
  assert_int_equal(pool_step_begin(pool, 0, 0, &step), POOL_E_TIMEOUT);
  assert_int_equal(pool_step_begin(pool, 60000, 0, &step), 0);
  int64_t newcomer = step.ticket;
  assert_true(newcomer > 0);
  one = pool_step_begin(pool, 60000, first, &step);
  assert_true(one > 0);
  two = pool_step_begin(pool, 60000, second, &step);
  assert_true(two > 0);
  assert_true(step_put(one) == newcomer);
  assert_true((one = pool_step_begin(pool, 60000, newcomer, &step)) > 0);
  step_put(one), step_put(two);
  step_finish(pool, 2);
}

static void test_detail__a_waiter_whose_open_failed_comes_back_to_its_place(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = step_pool(BY_HAND(.config.max_open = 2));
  pool_lease_t kept = step_open(pool, NULL), broken = step_open(pool, NULL);
  int64_t first = step_queue(pool, 60000);
  virtual_advance(MILLISECOND);
  int64_t second = step_queue(pool, 60000);
  virtual_advance(MILLISECOND);
  assert_true(put_broken(broken) == first);
  first = step_refuse(pool, first);
  assert_true(step_put(kept) == first);
  assert_true((kept = pool_step_begin(pool, 60000, first, &step)) > 0);
  assert_true(pool_step_cancel(second, &step) == 0);
  step_put(kept);
  step_finish(pool, 1);
}

static void test_detail__who_was_told_of_a_connection_that_another_took_waits_on(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = step_pool(BY_HAND(.config.max_open = 2));
  pool_lease_t lease = step_open(pool, NULL);
  int64_t refused = step_refuse(pool, 0);
  assert_true(step_put(lease) == refused);
  assert_true((lease = pool_step_begin(pool, 0, 0, &step)) > 0);
  assert_int_equal(pool_step_begin(pool, 60000, refused, &step), 0);
  assert_true(step.ticket == refused);
  while (pool_step_next(pool, &step) == 1)
    assert_int_equal(step.wake, 0); /* nobody's wait ends while that one is lent */
  assert_true(step_put(lease) == refused);
  assert_true((lease = pool_step_begin(pool, 60000, refused, &step)) > 0);
  step_put(lease);
  step_finish(pool, 1);
}

static void test_detail__who_was_refused_waits_no_longer_than_for_the_last_connection(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = step_pool(BY_HAND(.config.max_open = 2));
  pool_lease_t lease = step_open(pool, NULL);
  int64_t refused = step_refuse(pool, 0);
  assert_true(put_broken(lease) == refused);
  assert_int_equal(pool_step_begin(pool, 60000, refused, &step), POOL_E_OPEN);
  step_finish(pool, 0);
}

static void test_detail__who_was_refused_waits_no_longer_than_for_a_check_that_fails(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT, check = POOL_STEP_INIT;
  pool_t *pool = step_pool(BY_HAND(.config.max_open = 2, .config.check_after_ms = 0));
  step_put(step_open(pool, NULL));
  assert_checks(pool, 0, 0, &check);
  int64_t refused = step_refuse(pool, 0);
  assert_int_equal(pool_step_done(check.claim, &failed_work, NULL, &check), 0);
  assert_int_equal(check.work, POOL_WORK_CLOSE); /* which may take long */
  assert_true(check.wake == refused);
  assert_int_equal(pool_step_begin(pool, 60000, refused, &step), POOL_E_OPEN);
  assert_int_equal(pool_step_done(check.claim, NULL, NULL, &step), 0);
  step_finish(pool, 0);
}

static void test_detail__who_was_refused_looks_at_once_where_one_became_idle_meanwhile(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = step_pool(BY_HAND(.config.max_open = 2));
  pool_lease_t lease = step_open(pool, NULL);
  assert_opens(pool, 60000, 0, &step);
  assert_int_equal(step_put(lease), 0);
  assert_int_equal(pool_step_done(step.claim, &failed_work, NULL, &step), 0);
  assert_int_equal(step.look_again_ns, 1);
  assert_true((lease = pool_step_begin(pool, 60000, step.ticket, &step)) > 0);
  step_put(lease);
  step_finish(pool, 1);
}

static void test_detail__each_suspect_is_checked_in_its_turn_while_the_breaker_is_open(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool =
      step_pool(BY_HAND(.config.max_open = 3, .config.max_idle = 3, .config.check_after_ms = 0,
                        .config.retry_min_ms = 100000, .config.retry_max_ms = 100000, .config.breaker_after = 1));
  pool_lease_t one = step_open(pool, NULL), two = step_open(pool, NULL);
  assert_int_equal(pool_step_begin(pool, 0, 0, &step), 0);
  assert_true(pool_step_done(step.claim, &failed_work, NULL, &step) < 0);
  step_put(one), step_put(two);
  assert_checks(pool, 0, 0, &step);
  int64_t claim = step.claim;
  assert_int_equal(pool_step_begin(pool, 0, 0, &step), POOL_E_TIMEOUT);
  assert_true((one = pool_step_done(claim, NULL, NULL, &step)) > 0);
  assert_checks(pool, 0, 0, &step);
  assert_true((two = pool_step_done(step.claim, NULL, NULL, &step)) > 0);
  step_put(one), step_put(two);
  step_finish(pool, 2);
}

static void test_detail__opens_that_began_together_and_failed_are_one_try(void **state)
{
  (void)state;
  pool_step_t one = POOL_STEP_INIT, two = POOL_STEP_INIT, step = POOL_STEP_INIT;
  pool_t *pool = step_pool(BY_HAND(.config.max_open = 0, .config.retry_min_ms = 1000, .config.retry_max_ms = 100000));
  assert_int_equal(pool_step_begin(pool, 0, 0, &one), 0);
  assert_int_equal(pool_step_begin(pool, 0, 0, &two), 0);
  virtual_advance(MILLISECOND);
  assert_true(pool_step_done(one.claim, &failed_work, NULL, &step) < 0);
  virtual_advance(MILLISECOND);
  assert_true(pool_step_done(two.claim, &failed_work, NULL, &step) < 0);
  virtual_advance(SECOND);
  pool_lease_t lease = step_open(pool, NULL);
  step_put(lease);
  step_finish(pool, 1);
}

/* ---- overtaking, by gets that find a connection without a search ---- */

static void *use_once(void *data)
{
  pool_lease_t lease = pool_get(data);
  must(lease > 0 && pool_put(lease) == 0);
  return NULL;
}

static void nobody_overtakes(bool used_elsewhere)
{
  struct heard told[2] = {0};
  pool_t *pool = fake_start(&fake, BY_HAND(.config.max_open = 2, .config.max_idle = 2));
  pool_lease_t one = pool_get(pool), two = pool_get(pool);
  if (used_elsewhere) { /* so that the next get does not find its thread's last lease one on */
    assert_int_equal(pool_put(two), 0);
    thread_end(thread_start(use_once, pool));
    assert_int_equal(pool_put(one), 0);
    thread_end(thread_start(use_once, pool));
    thread_end(thread_start(use_once, pool));
    pool_lease_t again[2] = {pool_get(pool), pool_get(pool)};
    one = again[0], two = again[1];
  }
  ask_all(pool, 60000, told, 2);
  virtual_advance(SECOND);
  assert_int_equal(pool_pause(pool), 2);
  assert_int_equal(pool_put(one), 0);
  assert_int_equal(pool_put(two), 0);
  assert_int_equal(pool_resume(pool), 0); /* the first is handed one of them, and the other is idle */
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  pool_maintain(pool);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(told[i].times, 1);
    assert_int_equal(pool_put(told[i].result), 0);
  }
  fake_finish(&fake, pool);
}

static void test_detail__nobody_overtakes_with_the_connection_that_was_its_threads_last(void **state)
{
  (void)state;
  nobody_overtakes(false);
}

static void test_detail__nobody_overtakes_with_one_that_another_thread_used_since(void **state)
{
  (void)state;
  nobody_overtakes(true);
}

/* ---- turns: how often a connection changes hands while others wait ---- */

#define FAIRNESS_NS MILLISECOND /* the default */
#define TENURE_MOST 32          /* times fairness */

/* A get that does not wait, by a user that runs: a lease, or 0. */
static pool_lease_t overtake(pool_t *pool)
{
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = pool_step_begin(pool, 0, 0, &step);
  assert_true(lease > 0 || lease == POOL_E_TIMEOUT);
  return lease > 0 ? lease : 0;
}

static pool_lease_t look(pool_t *pool, int64_t ticket)
{
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = pool_step_begin(pool, -1, ticket, &step);
  assert_true(lease >= 0);
  return lease;
}

/* A put hands its connection over to this ticket, whose user takes it. */
static pool_lease_t hand_over(pool_t *pool, pool_lease_t lease, int64_t ticket)
{
  assert_int_equal(step_put(lease), ticket);
  assert_int_equal(overtake(pool), 0);
  pool_lease_t handed = look(pool, ticket);
  assert_true(handed > 0);
  return handed;
}

/* A user that runs puts and gets again.  Whether its connection was handed over to this ticket instead. */
static bool goes_on(pool_t *pool, pool_lease_t *lease, int64_t ticket)
{
  int64_t wake = step_put(*lease);
  *lease = overtake(pool);
  bool overtakes = *lease > 0;
  assert_true(wake == ticket || (overtakes && wake == 0));
  if (!overtakes)
    *lease = look(pool, ticket);
  else if (wake)
    assert_int_equal(look(pool, ticket), 0);
  return !overtakes;
}

static void test_detail__a_connection_changes_hands_once_in_the_time_of_fairness(void **state)
{
  (void)state;
  int64_t tickets[2];
  pool_t *pool = step_pool(PLAN(.config.max_open = 1));
  pool_lease_t lease = step_open(pool, NULL);
  step_queue_all(pool, tickets, 2);
  virtual_advance(FAIRNESS_NS);
  lease = hand_over(pool, lease, tickets[0]);
  virtual_advance(FAIRNESS_NS - 1);
  assert_false(goes_on(pool, &lease, tickets[1])); /* though this one has waited for as long */
  virtual_advance(1);
  lease = hand_over(pool, lease, tickets[1]);
  step_put(lease);
  step_finish(pool, 1);
}

static void test_detail__what_is_held_for_long_changes_hands_at_every_put(void **state)
{
  (void)state;
  enum { OPEN = 2, ROUNDS = 3 };
  int64_t tickets[OPEN * ROUNDS];
  pool_lease_t leases[OPEN];
  int conns[OPEN];
  pool_t *pool = step_pool(PLAN(.config.max_open = OPEN));
  step_open_all(pool, leases, OPEN, conns);
  step_queue_all(pool, tickets, OPEN * ROUNDS);
  for (int i = 0; i < OPEN * ROUNDS; i++) {
    if (i % OPEN == 0)
      virtual_advance(FAIRNESS_NS);
    leases[i % OPEN] = hand_over(pool, leases[i % OPEN], tickets[i]);
  }
  for (int i = 0; i < OPEN; i++)
    step_put(leases[i]);
  step_finish(pool, OPEN);
}

/* Users that run put and get again each `lease_ns`, until so many that wait were served; the longest tenure of a
   connection is `tenure_ns`. */
static void serve_within(int64_t lease_ns, int64_t tenure_ns)
{
  enum { OPEN = 2, WAITING = 20 };
  int64_t tickets[WAITING];
  pool_lease_t leases[OPEN];
  int conns[OPEN], served = 0;
  pool_t *pool = step_pool(PLAN(.config.max_open = OPEN));
  step_open_all(pool, leases, OPEN, conns);
  step_queue_all(pool, tickets, WAITING);
  for (int64_t waited = lease_ns; served < WAITING; waited += lease_ns) {
    virtual_advance(lease_ns);
    for (int i = 0; i < OPEN && served < WAITING; i++)
      served += goes_on(pool, &leases[i], tickets[served]);
    assert_true(served <= OPEN * waited / FAIRNESS_NS);
    assert_true(served == WAITING || waited < FAIRNESS_NS + tenure_ns * served / OPEN + lease_ns);
  }
  for (int i = 0; i < OPEN; i++)
    step_put(leases[i]);
  step_finish(pool, OPEN);
}

static void test_detail__a_waiter_is_overtaken_no_longer_than_its_place_allows(void **state)
{
  (void)state;
  serve_within(FAIRNESS_NS, FAIRNESS_NS);
  serve_within(FAIRNESS_NS / 2, 5 * FAIRNESS_NS);
  serve_within(FAIRNESS_NS / 20, TENURE_MOST * FAIRNESS_NS);
}

/* How long a user that puts and gets again each `lease_ns` keeps its connection, once that is known. */
static int64_t tenure_of(int64_t lease_ns)
{
  enum { WAITING = TENURE_MOST + 8 };
  int64_t tickets[WAITING], tenure = 0;
  pool_t *pool = step_pool(PLAN(.config.max_open = 1));
  pool_lease_t lease = step_open(pool, NULL);
  step_queue_all(pool, tickets, WAITING);
  for (int served = 0; served < WAITING;) {
    virtual_advance(lease_ns);
    tenure += lease_ns;
    if (goes_on(pool, &lease, tickets[served]) && ++served < WAITING)
      tenure = 0;
  }
  step_put(lease);
  step_finish(pool, 1);
  return tenure;
}

static void test_detail__the_shorter_leases_are_the_longer_a_running_user_keeps_its_connection(void **state)
{
  (void)state;
  assert_int_equal(tenure_of(3 * FAIRNESS_NS), 3 * FAIRNESS_NS);
  assert_int_equal(tenure_of(FAIRNESS_NS), FAIRNESS_NS);
  assert_int_equal(tenure_of(FAIRNESS_NS / 2), 5 * FAIRNESS_NS);
  assert_int_equal(tenure_of(FAIRNESS_NS / 4), 13 * FAIRNESS_NS);
  assert_int_equal(tenure_of(FAIRNESS_NS / 100), TENURE_MOST * FAIRNESS_NS);
}

static void test_detail__what_is_held_for_long_again_changes_hands_at_every_put(void **state)
{
  (void)state;
  enum { SHORT = 10, KNOWN = TENURE_MOST + 5, LONG = KNOWN + 5, WAITING = SHORT + LONG };
  int64_t tickets[WAITING];
  pool_t *pool = step_pool(PLAN(.config.max_open = 1));
  pool_lease_t lease = step_open(pool, NULL);
  step_queue_all(pool, tickets, WAITING);
  for (int served = 0; served < SHORT;) {
    virtual_advance(FAIRNESS_NS / 10);
    served += goes_on(pool, &lease, tickets[served]);
  }
  int overtaken = 0;
  for (int served = SHORT; served < WAITING;) {
    virtual_advance(FAIRNESS_NS);
    bool changes = goes_on(pool, &lease, tickets[served]);
    overtaken += served >= SHORT + KNOWN && !changes;
    served += changes;
  }
  assert_int_equal(overtaken, 0);
  step_put(lease);
  step_finish(pool, 1);
}

static void test_detail__waiters_that_were_served_early_do_not_make_the_next_wait_longer(void **state)
{
  (void)state;
  enum { EARLY = 5 };
  int64_t tickets[EARLY + 1];
  pool_t *pool = step_pool(PLAN(.config.max_open = 1));
  pool_lease_t lease = step_open(pool, NULL);
  step_queue_all(pool, tickets, EARLY + 1);
  for (int i = 0; i < EARLY; i++) {
    assert_int_equal(step_put(lease), tickets[i]);
    lease = look(pool, tickets[i]);
    assert_true(lease > 0);
  }
  virtual_advance(FAIRNESS_NS);
  lease = hand_over(pool, lease, tickets[EARLY]);
  step_put(lease);
  step_finish(pool, 1);
}

static void test_detail__a_pool_inherits_no_turn_from_another(void **state)
{
  (void)state;
  pool_t *pool = step_pool(PLAN(.config.max_open = 1, .config.fairness_us = 1000000000));
  pool_lease_t lease = step_open(pool, NULL);
  int64_t ticket = step_queue(pool, -1);
  assert_int_equal(step_put(lease), ticket);
  step_put(look(pool, ticket)); /* the next turn is far off */
  step_finish(pool, 1);
  pool = step_pool(PLAN(.config.max_open = 1)); /* in the same memory */
  lease = step_open(pool, NULL);
  ticket = step_queue(pool, -1);
  virtual_advance(FAIRNESS_NS);
  step_put(hand_over(pool, lease, ticket));
  step_finish(pool, 1);
}

static void test_detail__a_failed_open_refuses_none_that_came_after_it_began(void **state)
{
  (void)state;
  struct heard told[2] = {0};
  pool_t *pool = fake_start(&fake, PLAN(.config.max_open = 1, .config.openers = 1));
  fake.fail_open = 1;
  gate_set(&fake.opening, false);
  ask(pool, 60000, &told[0]);
  wait_until(gate_waiting(&fake.opening) == 1);
  virtual_advance(MILLISECOND);
  ask(pool, 60000, &told[1]);
  gate_set(&fake.opening, true);
  assert_failed(&told[0], POOL_E_OPEN);
  for (; told[1].times == 0; yield_ns()) /* the next try comes after a pause */
    virtual_advance(MILLISECOND);
  assert_true(told[1].result > 0);
  assert_int_equal(pool_put(told[1].result), 0);
  virtual_advance(2 * SECOND);
  fake_finish(&fake, pool);
}

/* ---- which thread does what ---- */

static void test_detail__a_get_without_time_has_one_opened_for_the_next(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, PLAN(.config.openers = 1));
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  wait_until(pool_len(pool) == 1);
  get_and_put_now(pool);
  assert_int_equal(fake.opened, 1);
  virtual_advance(2 * SECOND);
  fake_finish(&fake, pool);
}

static void test_detail__a_get_runs_no_close_and_the_next_put_does(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, BY_HAND(.config.max_open = 2, .vtable.check = fake_check, .config.initial = 1,
                                           .config.check_after_ms = 0));
  fake.fail_check = 1;
  pool_lease_t lease = pool_get_for(pool, 1000);
  assert_true(lease > 0);
  assert_int_equal(fake_number(lease), 1);
  assert_int_equal(fake.closed, 0);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(fake.closed, 1);
  fake_finish(&fake, pool);
}

static int64_t check_takes_ns, check_deadline_ns;

static int slow_check(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  check_deadline_ns = deadline_ns;
  virtual_advance(check_takes_ns);
  must(((struct fake *)context)->checked < 10);
  return fake_check(context, conn, deadline_ns, error);
}

/* A plan of a pool of one connection that is checked before it is lent, and of room for another. */
#define CHECKED(...)                                                                                                   \
  BY_HAND(.vtable.check = slow_check, .config.initial = 1, .config.check_after_ms = 0, .config.max_open = 2,           \
          __VA_ARGS__)

static void test_detail__a_check_has_its_own_limit_and_never_more_than_the_get_has(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, CHECKED());
  check_takes_ns = 0;
  pool_lease_t lease = pool_get_for(pool, 60000);
  assert_true(lease > 0);
  assert_true(check_deadline_ns == virtual_now() + 5 * SECOND);
  assert_int_equal(pool_put(lease), 0);
  assert_true((lease = pool_get_for(pool, 1000)) > 0);
  assert_true(check_deadline_ns == virtual_now() + SECOND);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

static void test_detail__a_check_that_overran_its_limit_has_failed(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, CHECKED());
  check_takes_ns = 6 * SECOND;
  pool_lease_t lease = pool_get_for(pool, 60000);
  assert_true(lease > 0);
  assert_int_equal(fake_number(lease), 1);
  assert_int_equal(stats_of(pool).check_failures, 1);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

static void test_detail__a_connection_whose_lifetime_ends_during_its_check_is_not_lent(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, CHECKED(.config.max_lifetime_ms = 10000, .config.check_timeout_ms = -1));
  check_takes_ns = 11 * SECOND;
  pool_lease_t lease = pool_get_for(pool, 60000);
  assert_true(lease > 0);
  assert_int_equal(fake_number(lease), 1);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

static void test_detail__one_check_is_enough_for_an_asynchronous_get(void **state)
{
  (void)state;
  struct heard told = {0};
  pool_t *pool = fake_start(&fake, CHECKED(.config.max_open = 1));
  check_takes_ns = 0;
  ask(pool, 60000, &told);
  wait_until((pool_maintain(pool), told.times == 1)); /* a thread checks it, and takes its time */
  assert_given(&told);
  assert_int_equal(fake.checked, 1);
  assert_int_equal(pool_put(told.result), 0);
  virtual_advance(2 * SECOND);
  fake_finish(&fake, pool);
}

/* ---- what was there before ---- */

static void test_detail__a_thread_takes_no_connection_of_the_pool_that_has_its_last_slot_now(void **state)
{
  (void)state;
  struct fake one, two;
  pool_t *pool = fake_start(&one, BY_HAND(.config.max_open = 1));
  pool_lease_t lease = pool_get(pool);
  struct slot *slot = slot_of(lease);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_flush(pool), 1);
  pool_t *other = fake_start(&two, BY_HAND(.config.max_open = 1, .config.initial = 1));
  assert_ptr_equal(slot->pool, other);
  assert_true((lease = pool_get(pool)) > 0);
  assert_ptr_equal(((struct fake_conn *)pool_conn(lease))->fake, &one);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&one, pool);
  fake_finish(&two, other);
}

static void test_detail__a_connection_inherits_no_lifetime_from_another_pools(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, BY_HAND(.config.max_open = 1, .config.initial = 1, .config.max_lifetime_ms = 1000));
  fake_finish(&fake, pool);
  pool = fake_start(&fake, BY_HAND(.config.max_open = 1, .config.initial = 1, .config.idle_timeout_ms = 1000000));
  virtual_advance(200 * SECOND);
  pool_lease_t lease = pool_get(pool);
  assert_true(lease > 0);
  assert_int_equal(fake.opened, 1);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

static void test_detail__a_connection_is_not_closed_for_the_reason_of_the_one_before(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, BY_HAND(.config.max_open = 1, .config.initial = 1));
  assert_int_equal(pool_flush(pool), 1);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(pool_mark_unusable(lease), 0);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(stats_of(pool).closed_flushed, 1);
  assert_int_equal(stats_of(pool).closed_unusable, 1);
  fake_finish(&fake, pool);
}

/* A pool in the memory of one that could not refill. */
static void test_detail__a_pool_begins_anew_in_the_memory_of_another(void **state)
{
  (void)state;
  pool_t *before = fake_start(&fake, BY_HAND(.config.max_open = 2, .config.min_idle = 1));
  fake.fail_open = 1;
  pool_maintain(before);
  assert_int_equal(stats_of(before).open_failures, 1);
  fake_finish(&fake, before);
  pool_t *pool = fake_start(&fake, BY_HAND(.config.max_open = 2, .config.min_idle = 1));
  assert_ptr_equal(pool, before);
  assert_int_equal(stats_of(pool).open_failures, 0);
  pool_maintain(pool);
  assert_int_equal(fake.opened, 1);
  fake_finish(&fake, pool);
}

static struct gate listening;

static void hear_slowly(void *user, pool_lease_t result)
{
  gate_pass(&listening);
  told_got(user, result);
}

static void test_detail__a_pool_is_released_when_its_last_thread_has_left_the_programs_callback(void **state)
{
  (void)state;
  struct heard told = {0};
  gate_init(&listening, false);
  pool_t *pool = fake_start(&fake, PLAN(.vtable.release = fake_release, .config.max_open = 1));
  pool_lease_t lease = pool_get(pool);
  assert_true(pool_get_async(pool, 1000, hear_slowly, &told) > 0);
  wait_until(virtual_sleepers() == 1);
  virtual_advance(2 * SECOND);
  wait_until(gate_waiting(&listening) == 1);
  pool_free(pool);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(fake.closed, 1);
  assert_int_equal(fake.released, 0);
  gate_set(&listening, true);
  wait_until(fake.released == 1);
  assert_int_equal(told.result, POOL_E_TIMEOUT);
}

static void listen_to_failures(void *user, const pool_event_t *event)
{
  (void)user;
  if (event->event == POOL_EVENT_GET_FAILED)
    gate_pass(&listening);
}

static void *get_for_long(void *pool)
{
  return (void *)(intptr_t)pool_get_for(pool, 60000);
}

static void test_detail__a_pool_is_released_when_its_last_get_has_ended(void **state)
{
  (void)state;
  gate_init(&listening, false);
  pool_t *pool =
      fake_start(&fake, BY_HAND(.config.max_open = 1, .vtable.release = fake_release,
                                .config.events = listen_to_failures, .config.event_mask = 1 << POOL_EVENT_GET_FAILED));
  pool_lease_t lease = pool_get(pool);
  pthread_t thread = thread_start(get_for_long, pool);
  wait_until(virtual_sleepers() == 1);
  pool_free(pool);
  wait_until(gate_waiting(&listening) == 1);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(fake.closed, 1);
  assert_int_equal(fake.released, 0);
  gate_set(&listening, true);
  assert_int_equal((intptr_t)thread_end(thread), POOL_E_CLOSED);
  assert_int_equal(fake.released, 1);
}

static _Atomic int has_closed;

static void *close_and_drain(void *pool)
{
  int left = pool_close(pool, -1);
  has_closed = 1;
  return (void *)(intptr_t)left;
}

static void test_detail__a_close_that_drains_waits_for_threads_in_the_programs_callbacks(void **state)
{
  (void)state;
  struct heard told = {0};
  gate_init(&listening, false);
  has_closed = 0;
  pool_t *pool = fake_start(&fake, PLAN(.config.max_open = 1));
  pool_lease_t lease = pool_get(pool);
  assert_true(pool_get_async(pool, 1000, hear_slowly, &told) > 0);
  wait_until(virtual_sleepers() == 1);
  virtual_advance(2 * SECOND);
  wait_until(gate_waiting(&listening) == 1);
  assert_int_equal(pool_put(lease), 0);
  pthread_t thread = thread_start(close_and_drain, pool);
  wait_until(virtual_sleepers() == 1 || has_closed);
  assert_false(has_closed);
  gate_set(&listening, true);
  assert_int_equal((intptr_t)thread_end(thread), 0);
  pool_free(pool);
}

/* ---- callbacks that would wait for their own pool ---- */

static pool_t *outer_pool, *inner_pool;
static int refused_with;

static int open_with_inner(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  pool_lease_t lease = pool_get(inner_pool);
  must(lease > 0 && pool_put(lease) == 0);
  refused_with = pool_close(outer_pool, 1000);
  return fake_open(context, deadline_ns, conn, error);
}

static void test_detail__a_callback_knows_its_pool_after_those_of_another_pool(void **state)
{
  (void)state;
  struct fake outer, inner;
  outer_pool = fake_start(&outer, BY_HAND(.config.max_open = 1, .vtable.open = open_with_inner));
  inner_pool = fake_start(&inner, BY_HAND(.config.max_open = 1));
  pool_lease_t lease = pool_get(outer_pool);
  assert_true(lease > 0);
  assert_int_equal(refused_with, POOL_E_INVALID);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&outer, outer_pool);
  fake_finish(&inner, inner_pool);
}

static void close_own_pool(void *user, const pool_event_t *event)
{
  (void)user;
  if (event->event == POOL_EVENT_POOL_FLUSHED)
    refused_with = pool_close(outer_pool, 1000);
}

static void test_detail__a_listener_cannot_wait_for_the_pool_that_calls_it(void **state)
{
  (void)state;
  outer_pool = fake_start(&fake, BY_HAND(.config.max_open = 1, .config.events = close_own_pool));
  pool_lease_t lease = pool_get(outer_pool);
  refused_with = 0;
  assert_int_equal(pool_flush(outer_pool), 1);
  assert_int_equal(refused_with, POOL_E_INVALID);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, outer_pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_detail__a_newcomer_leaves_what_is_idle_to_the_first_who_waited_long),
      cmocka_unit_test(test_detail__a_waiter_whose_open_failed_comes_back_to_its_place),
      cmocka_unit_test(test_detail__who_was_told_of_a_connection_that_another_took_waits_on),
      cmocka_unit_test(test_detail__who_was_refused_waits_no_longer_than_for_the_last_connection),
      cmocka_unit_test(test_detail__who_was_refused_waits_no_longer_than_for_a_check_that_fails),
      cmocka_unit_test(test_detail__who_was_refused_looks_at_once_where_one_became_idle_meanwhile),
      cmocka_unit_test(test_detail__each_suspect_is_checked_in_its_turn_while_the_breaker_is_open),
      cmocka_unit_test(test_detail__opens_that_began_together_and_failed_are_one_try),
      cmocka_unit_test(test_detail__nobody_overtakes_with_the_connection_that_was_its_threads_last),
      cmocka_unit_test(test_detail__nobody_overtakes_with_one_that_another_thread_used_since),
      cmocka_unit_test(test_detail__a_connection_changes_hands_once_in_the_time_of_fairness),
      cmocka_unit_test(test_detail__what_is_held_for_long_changes_hands_at_every_put),
      cmocka_unit_test(test_detail__a_waiter_is_overtaken_no_longer_than_its_place_allows),
      cmocka_unit_test(test_detail__the_shorter_leases_are_the_longer_a_running_user_keeps_its_connection),
      cmocka_unit_test(test_detail__what_is_held_for_long_again_changes_hands_at_every_put),
      cmocka_unit_test(test_detail__waiters_that_were_served_early_do_not_make_the_next_wait_longer),
      cmocka_unit_test(test_detail__a_pool_inherits_no_turn_from_another),
      cmocka_unit_test(test_detail__a_failed_open_refuses_none_that_came_after_it_began),
      cmocka_unit_test(test_detail__a_get_without_time_has_one_opened_for_the_next),
      cmocka_unit_test(test_detail__a_get_runs_no_close_and_the_next_put_does),
      cmocka_unit_test(test_detail__a_check_has_its_own_limit_and_never_more_than_the_get_has),
      cmocka_unit_test(test_detail__a_check_that_overran_its_limit_has_failed),
      cmocka_unit_test(test_detail__a_connection_whose_lifetime_ends_during_its_check_is_not_lent),
      cmocka_unit_test(test_detail__one_check_is_enough_for_an_asynchronous_get),
      cmocka_unit_test(test_detail__a_thread_takes_no_connection_of_the_pool_that_has_its_last_slot_now),
      cmocka_unit_test(test_detail__a_connection_inherits_no_lifetime_from_another_pools),
      cmocka_unit_test(test_detail__a_connection_is_not_closed_for_the_reason_of_the_one_before),
      cmocka_unit_test(test_detail__a_pool_begins_anew_in_the_memory_of_another),
      cmocka_unit_test(test_detail__a_pool_is_released_when_its_last_thread_has_left_the_programs_callback),
      cmocka_unit_test(test_detail__a_pool_is_released_when_its_last_get_has_ended),
      cmocka_unit_test(test_detail__a_close_that_drains_waits_for_threads_in_the_programs_callbacks),
      cmocka_unit_test(test_detail__a_callback_knows_its_pool_after_those_of_another_pool),
      cmocka_unit_test(test_detail__a_listener_cannot_wait_for_the_pool_that_calls_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
