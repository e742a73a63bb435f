/* SPDX-License-Identifier: MIT */
/* Waiters: how long they wait, and in which order they are served. */
#include <string.h>

#include "witness.h"

static pool_t *pool_of_one(struct fake *fake)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 1;
  return fake_pool(fake, &config, NULL);
}

static void test_waiter__are_served_in_order_of_arrival(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = pool_of_one(&fake);
  pool_lease_t lease = pool_get(pool);
  enum { MANY = 20 };
  struct getter getters[MANY] = {0};
  _Atomic int turns = 0;
  for (int i = 0; i < MANY; i++) {
    getters[i].turns = &turns;
    getter_start(&getters[i], pool, -1);
    wait_until(stats_of(pool).waiting == i + 1);
  }
  assert_int_equal(pool_put(lease), 0);
  for (int i = 0; i < MANY; i++) {
    thread_end(getters[i].thread);
    assert_int_equal(getters[i].turn, i + 1);
  }
  assert_int_equal(stats_of(pool).waited, MANY);
  assert_int_equal(fake.opened, 1);
  fake_finish(&fake, pool);
}

static void test_waiter__times_out_and_leaves_no_trace(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = pool_of_one(&fake);
  pool_lease_t lease = pool_get(pool);
  pool_error_t error = POOL_ERROR_INIT;
  int64_t began = now_ns();
  assert_int_equal(pool_get_for(pool, 20), POOL_E_TIMEOUT);
  assert_true(now_ns() - began >= 20 * 1000000);
  assert_int_equal(pool_failure(&error), POOL_E_TIMEOUT);
  assert_non_null(strstr(error.message, "in the queue"));
  assert_non_null(strstr(error.message, "1 are open, 1 leased"));
  pool_stats_t stats = stats_of(pool);
  assert_int_equal(stats.waiting, 0);
  assert_int_equal(stats.timed_out, 1);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_len(pool), 1); /* nobody was given it */
  fake_finish(&fake, pool);
}

static void test_waiter__of_no_time_does_not_wait(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = pool_of_one(&fake);
  pool_lease_t lease = pool_get_for(pool, 0); /* there is room: it may open */
  assert_true(lease > 0);
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  assert_int_equal(pool_put(lease), 0);
  lease = pool_get_for(pool, 0);
  assert_true(lease > 0);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_get_for(pool, -2), POOL_E_INVALID);
  fake_finish(&fake, pool);
}

static void test_waiter__too_many_are_refused(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 1;
  config.max_waiters = 2;
  pool_t *pool = fake_pool(&fake, &config, NULL);
  pool_lease_t lease = pool_get(pool);
  struct getter getters[2] = {0};
  for (int i = 0; i < 2; i++) {
    getter_start(&getters[i], pool, -1);
    wait_until(stats_of(pool).waiting == i + 1);
  }
  assert_int_equal(pool_get(pool), POOL_E_OVERLOAD);
  assert_int_equal(stats_of(pool).overloaded, 1);
  assert_int_equal(pool_put(lease), 0);
  for (int i = 0; i < 2; i++) {
    thread_end(getters[i].thread);
    assert_true(getters[i].result > 0);
  }
  fake_finish(&fake, pool);
}

static void test_waiter__all_are_told_of_a_close(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = pool_of_one(&fake);
  pool_lease_t lease = pool_get(pool);
  enum { MANY = 10 };
  struct getter getters[MANY] = {0};
  for (int i = 0; i < MANY; i++)
    getter_start(&getters[i], pool, i % 2 ? -1 : 60000);
  wait_until(stats_of(pool).waiting == MANY);
  assert_int_equal(pool_close(pool, 0), 1);
  for (int i = 0; i < MANY; i++) {
    thread_end(getters[i].thread);
    assert_int_equal(getters[i].result, POOL_E_CLOSED);
  }
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

/* ---- every way of freeing a place wakes a waiter ---- */

static void test_waiter__is_woken_by_the_closing_of_an_unusable_one(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = pool_of_one(&fake);
  pool_lease_t lease = pool_get(pool);
  struct getter getter = {0};
  getter_start(&getter, pool, -1);
  wait_until(stats_of(pool).waiting == 1);
  pool_mark_unusable(lease);
  assert_int_equal(pool_put(lease), 0);
  thread_end(getter.thread);
  assert_true(getter.result > 0);
  assert_int_equal(fake.opened, 2);
  fake_finish(&fake, pool);
}

static void test_waiter__is_woken_by_a_failed_reset(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_vtable_t vtable = fake_vtable();
  vtable.reset = fake_reset;
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 1;
  pool_t *pool = fake_pool(&fake, &config, &vtable);
  pool_lease_t lease = pool_get(pool);
  struct getter getter = {0};
  getter_start(&getter, pool, -1);
  wait_until(stats_of(pool).waiting == 1);
  fake.fail_reset = 1;
  assert_int_equal(pool_put(lease), 0);
  thread_end(getter.thread);
  assert_true(getter.result > 0);
  assert_int_equal(stats_of(pool).reset_failures, 1);
  fake_finish(&fake, pool);
}

static void test_waiter__is_woken_by_a_failed_open(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = pool_of_one(&fake);
  gate_set(&fake.opening, false);
  fake.fail_open = 1;
  struct getter first = {0}, second = {0};
  getter_start(&first, pool, -1);
  wait_until(gate_waiting(&fake.opening) == 1);
  getter_start(&second, pool, -1);
  wait_until(stats_of(pool).waiting == 1);
  gate_set(&fake.opening, true);
  thread_end(first.thread);
  thread_end(second.thread);
  assert_true(second.result > 0);
  /* The first waited for what the second opened, if that was under way already. */
  assert_true(first.result == POOL_E_OPEN || first.result > 0);
  fake_finish(&fake, pool);
}

static void test_waiter__is_woken_when_one_fewer_is_being_opened(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_opening = 1;
  pool_t *pool = fake_pool(&fake, &config, NULL);
  gate_set(&fake.opening, false);
  struct gate hold;
  gate_init(&hold, false);
  struct getter getters[3] = {0};
  for (int i = 0; i < 3; i++) {
    getters[i].release = &hold;
    getter_start(&getters[i], pool, -1);
    wait_until(i == 0 ? gate_waiting(&fake.opening) == 1 : stats_of(pool).waiting == i);
  }
  assert_int_equal(stats_of(pool).opening, 1);
  gate_set(&fake.opening, true);
  wait_until(fake.opened == 3); /* one after the other, while all are held */
  gate_set(&hold, true);
  for (int i = 0; i < 3; i++)
    thread_end(getters[i].thread);
  fake_finish(&fake, pool);
}

static void test_waiter__that_gives_up_passes_its_nudge_on(void **state)
{
  (void)state;
  /* Waiters with short timeouts and one with none: whatever happens, the last one is served. */
  for (int round = 0; round < 200; round++) {
    struct fake fake;
    fake_init(&fake);
    pool_t *pool = pool_of_one(&fake);
    pool_lease_t lease = pool_get(pool);
    struct getter hasty[3] = {0}, patient = {0};
    for (int i = 0; i < 3; i++)
      getter_start(&hasty[i], pool, 1);
    getter_start(&patient, pool, 60000);
    int64_t moment = now_ns() + 900000 + round * 1000;
    while (now_ns() < moment)
      ;
    assert_int_equal(pool_put(lease), 0);
    thread_end(patient.thread);
    assert_true(patient.result > 0);
    for (int i = 0; i < 3; i++)
      thread_end(hasty[i].thread);
    fake_finish(&fake, pool);
  }
}

static void test_waiter__is_never_overtaken_where_fairness_is_strict(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 1;
  config.fairness_us = 0;
  pool_t *pool = fake_pool(&fake, &config, NULL);
  pool_lease_t lease = pool_get(pool);
  struct gate hold;
  gate_init(&hold, false);
  struct getter getter = {.release = &hold};
  getter_start(&getter, pool, -1);
  wait_until(stats_of(pool).waiting == 1);
  /* The waiter holds what it gets: if we got anything, we overtook it. */
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  gate_set(&hold, true);
  thread_end(getter.thread);
  assert_true(getter.result > 0);
  fake_finish(&fake, pool);
}

/* ---- a waiter that leaves passes on its nudge ---- */

static pool_lease_t step_open(pool_t *pool, pool_step_t *step)
{
  assert_int_equal(pool_step_begin(pool, -1, 0, step), 0);
  assert_int_equal(step->work, POOL_WORK_OPEN);
  pool_lease_t lease = pool_step_done(step->claim, NULL, step, step);
  assert_true(lease > 0);
  return lease;
}

static int64_t step_queue(pool_t *pool, pool_step_t *step)
{
  assert_int_equal(pool_step_begin(pool, -1, 0, step), 0);
  assert_true(step->ticket > 0);
  return step->ticket;
}

static void test_waiter__that_is_handed_one_passes_its_nudge_on(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool;
  config.max_open = 2;
  config.fairness_us = 20000;
  assert_int_equal(pool_step_create(&config, 0, &pool, NULL), 0);
  pool_lease_t a = step_open(pool, &step), b = step_open(pool, &step);
  int64_t first = step_queue(pool, &step), second = step_queue(pool, &step), third = step_queue(pool, &step);
  int64_t queued_ns = now_ns();
  assert_int_equal(pool_step_end(a, &step), 0);
  assert_true(step.wake == first); /* nudged, and does not come */
  assert_int_equal(pool_step_end(b, &step), 0);
  assert_true(step.wake == 0); /* one nudge at a time */
  while (now_ns() < queued_ns + 25000000)
    yield_ns();
  assert_int_equal(pool_step_cancel(second, &step), 0);
  assert_true(step.wake == first); /* by now it is handed one of them */
  pool_lease_t lease = pool_step_begin(pool, -1, first, &step);
  assert_true(lease > 0);
  assert_true(step.wake == third); /* the other is there for the next */
  pool_lease_t other = pool_step_begin(pool, -1, third, &step);
  assert_true(other > 0);
  assert_int_equal(pool_step_end(lease, &step), 0);
  assert_int_equal(pool_step_end(other, &step), 0);
  pool_close(pool, 0);
  while (pool_step_next(pool, &step))
    pool_step_done(step.claim, NULL, NULL, &step);
  pool_free(pool);
}

/* ---- a waiter never outlives its pool ---- */

static struct fake later;
static pool_t *later_pool;

/* The memory of the pool that is being released serves the next one at once. */
static void make_another(void *context)
{
  later_pool = fake_pool(&later, NULL, NULL);
  fake_release(context); /* last: the test waits for that */
}

static int call_breaks(void *context, void *conn, const char *method, pool_bytes_t args, pool_bytes_t *reply,
                       int64_t deadline_ns, pool_error_t *error)
{
  (void)context, (void)conn, (void)method, (void)args, (void)reply, (void)deadline_ns, (void)error;
  return POOL_E_BROKEN;
}

static void test_waiter__gets_nothing_of_the_pool_that_comes_after_its_own(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  fake_init(&later);
  pool_vtable_t vtable = fake_vtable();
  pool_config_t config = POOL_CONFIG_INIT;
  vtable.check = fake_check;
  vtable.call = call_breaks;
  vtable.release = make_another;
  config.initial = 2;
  pool_t *pool = fake_pool(&fake, &config, &vtable);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(pool_call(lease, "x", (pool_bytes_t){NULL, 0}, NULL, NULL),
                   POOL_E_BROKEN); /* the other is suspect */
  assert_int_equal(pool_put(lease), 0);
  gate_set(&fake.checking, false);
  fake.fail_check = 1;
  struct getter getter = {0};
  getter_start(&getter, pool, 60000);
  wait_until(gate_waiting(&fake.checking) == 1);
  pool_free(pool);
  gate_set(&fake.checking, true);
  thread_end(getter.thread);
  assert_int_equal(getter.result, POOL_E_CLOSED);
  wait_until(fake.released == 1); /* a library thread closes what a get met dead */
  assert_int_equal(fake.open_now, 0);
  assert_int_equal(later.opened, 0);
  fake_finish(&later, later_pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_waiter__are_served_in_order_of_arrival),
      cmocka_unit_test(test_waiter__times_out_and_leaves_no_trace),
      cmocka_unit_test(test_waiter__of_no_time_does_not_wait),
      cmocka_unit_test(test_waiter__too_many_are_refused),
      cmocka_unit_test(test_waiter__all_are_told_of_a_close),
      cmocka_unit_test(test_waiter__is_woken_by_the_closing_of_an_unusable_one),
      cmocka_unit_test(test_waiter__is_woken_by_a_failed_reset),
      cmocka_unit_test(test_waiter__is_woken_by_a_failed_open),
      cmocka_unit_test(test_waiter__is_woken_when_one_fewer_is_being_opened),
      cmocka_unit_test(test_waiter__that_gives_up_passes_its_nudge_on),
      cmocka_unit_test(test_waiter__is_never_overtaken_where_fairness_is_strict),
      cmocka_unit_test(test_waiter__that_is_handed_one_passes_its_nudge_on),
      cmocka_unit_test(test_waiter__gets_nothing_of_the_pool_that_comes_after_its_own),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
