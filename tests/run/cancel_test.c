/* SPDX-License-Identifier: MIT */
/* Threads that are cancelled while they use a pool: no connection, place or wait is lost with them. */
#include <pool/group.h>

#include "support.h"

#include <limits.h>

enum { ROUNDS = 300 };

static pool_config_t capped(int max_open)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = max_open;
  config.get_timeout_ms = 20000;
  return config;
}

static void *get_and_put(void *data)
{
  pool_lease_t lease = pool_get_for(data, -1);
  must(lease > 0);
  must(pool_put(lease) == 0);
  return NULL;
}

static void cancel(pthread_t thread)
{
  void *result;
  assert_int_equal(pthread_cancel(thread), 0);
  assert_int_equal(pthread_join(thread, &result), 0);
  assert_ptr_equal(result, PTHREAD_CANCELED);
}

static void assert_at_rest(pool_t *pool, int open)
{
  pool_stats_t stats = stats_of(pool);
  assert_int_equal(stats.open, open);
  assert_int_equal(stats.idle, open);
  assert_int_equal(stats.leased, 0);
  assert_int_equal(stats.waiting, 0);
}

static void test_cancel__a_waiter_leaves_the_queue(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_config_t config = capped(1);
  pool_t *pool = fake_pool(&fake, &config, NULL);
  pool_lease_t lease = pool_get(pool);
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) {
    threads[i] = thread_start(get_and_put, pool);
    wait_until(stats_of(pool).waiting == i + 1);
  }
  cancel(threads[1]);
  assert_int_equal(stats_of(pool).waiting, 2);
  cancel(threads[0]);
  assert_int_equal(stats_of(pool).waiting, 1);
  assert_int_equal(stats_of(pool).cancelled, 2);
  assert_int_equal(pool_put(lease), 0);
  assert_null(thread_end(threads[2]));
  assert_at_rest(pool, 1);
  fake_finish(&fake, pool);
}

static _Atomic int cancellations;

static void count_cancellations(void *user, const pool_event_t *event)
{
  (void)user;
  cancellations += event->event == POOL_EVENT_CANCELLED && event->code == POOL_E_CANCELLED && event->duration_ns > 0;
}

static void test_cancel__is_told_as_an_event_and_keeps_no_pool(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_vtable_t vtable = fake_vtable();
  pool_config_t config = capped(1);
  vtable.release = fake_release;
  config.events = count_cancellations;
  pool_t *pool = fake_pool(&fake, &config, &vtable);
  pool_lease_t lease = pool_get(pool);
  pthread_t thread = thread_start(get_and_put, pool);
  wait_until(stats_of(pool).waiting == 1);
  cancel(thread);
  assert_int_equal(cancellations, 1);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
  assert_int_equal(fake.released, 1); /* the get of the cancelled thread is counted no more */
}

/* The cancellation meets the waiter at any moment: before it sleeps, asleep, told to look, or with a lease in its hand.
 */
static void cancel_at_any_moment(int32_t fairness_us)
{
  struct fake fake;
  fake_init(&fake);
  pool_config_t config = capped(1);
  config.fairness_us = fairness_us;
  pool_t *pool = fake_pool(&fake, &config, NULL);
  for (int round = 0; round < ROUNDS; round++) {
    pool_lease_t lease = pool_get(pool);
    assert_true(lease > 0);
    pthread_t doomed = thread_start(get_and_put, pool), other = thread_start(get_and_put, pool);
    if (round % 3)
      wait_until(stats_of(pool).waiting == 2);
    if (round % 2) {
      assert_int_equal(pool_put(lease), 0);
      assert_int_equal(pthread_cancel(doomed), 0);
    } else {
      assert_int_equal(pthread_cancel(doomed), 0);
      assert_int_equal(pool_put(lease), 0);
    }
    assert_int_equal(pthread_join(doomed, NULL), 0);
    assert_null(thread_end(other)); /* a nudge or lease that the doomed one had is passed on */
    assert_at_rest(pool, 1);
  }
  fake_finish(&fake, pool);
}

static void test_cancel__at_any_moment_passes_on_what_it_was_told(void **state)
{
  (void)state;
  cancel_at_any_moment(1000000);
}

static void test_cancel__at_any_moment_passes_on_what_it_was_given(void **state)
{
  (void)state;
  cancel_at_any_moment(0);
}

/* ---- callbacks ---- */

static _Atomic int survived;

static void point(struct gate *gate)
{
  gate_pass(gate);
  pthread_testcancel(); /* as any read or write would be */
  survived++;
}

static int cancellable_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  int code = fake_open(context, deadline_ns, conn, error);
  pthread_testcancel();
  survived++;
  return code;
}

static int cancellable_close(void *context, void *conn, pool_error_t *error)
{
  int code = fake_close(context, conn, error);
  pthread_testcancel();
  survived++;
  return code;
}

static int cancellable_reset(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  int code = fake_reset(context, conn, deadline_ns, error);
  pthread_testcancel();
  survived++;
  return code;
}

static struct gate calling;

static int cancellable_call(void *context, void *conn, const char *method, pool_bytes_t args, pool_bytes_t *reply,
                            int64_t deadline_ns, pool_error_t *error)
{
  (void)context, (void)conn, (void)method, (void)args, (void)reply, (void)deadline_ns, (void)error;
  point(&calling);
  return 0;
}

static void on_event(void *user, const pool_event_t *event)
{
  (void)user, (void)event;
  pthread_testcancel();
  survived++;
}

static pool_t *cancellable_pool(struct fake *fake, bool with_events)
{
  fake_init(fake);
  pool_vtable_t vtable = fake_vtable();
  pool_config_t config = capped(1);
  vtable.open = cancellable_open;
  vtable.close = cancellable_close;
  vtable.reset = cancellable_reset;
  vtable.call = cancellable_call;
  if (with_events)
    config.events = on_event;
  survived = 0;
  return fake_pool(fake, &config, &vtable);
}

static _Atomic pool_lease_t kept;

static void *get_and_keep(void *pool)
{
  kept = pool_get(pool);
  pthread_testcancel();
  return NULL;
}

static void test_cancel__in_open_waits_until_the_get_is_over(void **state)
{
  (void)state;
  for (int with_events = 0; with_events < 2; with_events++) {
    struct fake fake;
    pool_t *pool = cancellable_pool(&fake, with_events);
    gate_set(&fake.opening, false);
    pthread_t thread = thread_start(get_and_keep, pool);
    wait_until(gate_waiting(&fake.opening) == 1);
    assert_int_equal(pthread_cancel(thread), 0);
    gate_set(&fake.opening, true);
    assert_ptr_equal(thread_end(thread), PTHREAD_CANCELED);
    assert_true(survived > 0);
    assert_true(kept > 0); /* the program's own, which its cleanup handler puts */
    assert_int_equal(stats_of(pool).leased, 1);
    assert_int_equal(pool_put(kept), 0);
    assert_at_rest(pool, 1);
    fake_finish(&fake, pool);
  }
}

static void *put_it(void *data)
{
  pool_lease_t lease = *(pool_lease_t *)data;
  pool_put(lease);
  pthread_testcancel();
  return NULL;
}

/* It is asked for during the open, which holds it off, and takes effect when the get begins to sleep.  Before any other
   thread was cancelled: what join() tells may be left over in the memory of a thread, which the next one gets. */
static void test_cancel__that_came_before_the_get_sleeps_is_seen_by_join(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_config_t config = capped(2);
  pool_t *pool = fake_pool(&fake, &config, NULL);
  pool_lease_t lease = pool_get(pool);
  pthread_t thread = thread_hold_up(&fake.opening, get_and_put, pool);
  fake.fail_open = INT_MAX;
  assert_int_equal(pthread_cancel(thread), 0);
  gate_set(&fake.opening, true);
  assert_ptr_equal(thread_end(thread), PTHREAD_CANCELED);
  assert_int_equal(pool_put(lease), 0);
  assert_at_rest(pool, 1);
  fake_finish(&fake, pool);
}

static void test_cancel__in_reset_or_close_loses_no_place(void **state)
{
  (void)state;
  struct fake fake;
  pool_t *pool = cancellable_pool(&fake, false);
  for (int closes = 0; closes < 2; closes++) {
    struct gate *gate = closes ? &fake.closing : &fake.resetting;
    pool_lease_t lease = pool_get(pool);
    if (closes)
      assert_int_equal(pool_mark_unusable(lease), 0);
    gate_set(gate, false);
    pthread_t thread = thread_start(put_it, &lease);
    wait_until(gate_waiting(gate) == 1);
    assert_int_equal(pthread_cancel(thread), 0);
    gate_set(gate, true);
    assert_ptr_equal(thread_end(thread), PTHREAD_CANCELED);
    assert_at_rest(pool, !closes);
  }
  assert_true(survived >= 3);
  fake_finish(&fake, pool);
}

static void *call_it(void *data)
{
  must(pool_call(*(pool_lease_t *)data, "m", (pool_bytes_t){NULL, 0}, NULL, NULL) == 0);
  pthread_testcancel();
  return NULL;
}

static void test_cancel__in_a_call_leaves_the_connection_whole(void **state)
{
  (void)state;
  struct fake fake;
  gate_init(&calling, false);
  pool_t *pool = cancellable_pool(&fake, false);
  pool_lease_t lease = pool_get(pool);
  pthread_t thread = thread_start(call_it, &lease);
  wait_until(gate_waiting(&calling) == 1);
  assert_int_equal(pthread_cancel(thread), 0);
  gate_set(&calling, true);
  assert_ptr_equal(thread_end(thread), PTHREAD_CANCELED);
  assert_int_equal(pool_put(lease), 0);
  assert_at_rest(pool, 1);
  fake_finish(&fake, pool);
}

static void *get_nested(void *data)
{
  pool_t **pools = data;
  must(pool_get(pools[0]) > 0);
  return NULL;
}

static pool_t *inner;

static int open_by_waiting(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  pool_lease_t lease = pool_get(inner);
  must(lease > 0);
  must(pool_put(lease) == 0);
  return fake_open(context, deadline_ns, conn, error);
}

static void test_cancel__a_get_inside_a_callback_is_no_cancellation_point(void **state)
{
  (void)state;
  struct fake fakes[2];
  pool_config_t config = capped(1);
  pool_vtable_t vtable = fake_vtable();
  fake_init(&fakes[0]);
  fake_init(&fakes[1]);
  inner = fake_pool(&fakes[1], &config, NULL);
  vtable.open = open_by_waiting;
  pool_t *pools[2] = {fake_pool(&fakes[0], &config, &vtable), inner};
  pool_lease_t lease = pool_get(inner);
  pthread_t thread = thread_start(get_nested, pools);
  wait_until(stats_of(inner).waiting == 1);
  assert_int_equal(pthread_cancel(thread), 0);
  assert_int_equal(pool_put(lease), 0);
  assert_null(thread_end(thread)); /* it has no cancellation point of its own */
  assert_int_equal(stats_of(pools[0]).leased, 1);
  assert_at_rest(inner, 1);
  fake_finish(&fakes[1], inner);
  pool_close(pools[0], 0);
  pool_free(pools[0]);
}

/* ---- groups ---- */

static pool_group_t *group_of(struct fake *fake, pool_group_prepare_fn *prepare)
{
  pool_config_t settings = capped(1);
  pool_group_config_t config = POOL_GROUP_CONFIG_INIT;
  pool_vtable_t vtable = fake_vtable();
  pool_group_t *group = NULL;
  fake_init(fake);
  config.settings = &settings;
  config.vtable = &vtable;
  config.context = fake;
  config.prepare = prepare;
  config.max_keys = 1;
  assert_int_equal(pool_group_create(&config, &group, NULL), 0);
  return group;
}

static void *get_and_put_key(void *group)
{
  pool_lease_t lease = pool_group_get(group, "key", 3, -1);
  must(lease > 0 && pool_put(lease) == 0);
  return NULL;
}

static void finish_group(struct fake *fake, pool_group_t *group)
{
  assert_int_equal(pool_group_close(group, 10000), 0);
  pool_group_free(group);
  assert_int_equal(fake->open_now, 0);
}

static void test_cancel__of_a_get_by_key_keeps_no_key(void **state)
{
  (void)state;
  struct fake fake;
  pool_group_t *group = group_of(&fake, NULL);
  pool_group_stats_t sums = POOL_GROUP_STATS_INIT;
  pool_lease_t lease = pool_group_get(group, "key", 3, -1);
  pthread_t thread = thread_start(get_and_put_key, group);
  wait_until(pool_group_stats(group, &sums) == 0 && sums.waiting == 1);
  cancel(thread);
  assert_int_equal(pool_mark_unusable(lease), 0);
  assert_int_equal(pool_put(lease), 0);
  wait_until(pool_group_stats(group, &sums) == 0 && sums.open == 0);
  lease = pool_group_get(group, "other", 5, 0); /* there is room for one, and nobody has the first */
  assert_true(lease > 0);
  assert_int_equal(pool_put(lease), 0);
  finish_group(&fake, group);
}

static struct gate preparing;

static int prepare_by_waiting(void *context, const void *key, size_t size, pool_config_t *settings,
                              pool_vtable_t *vtable, void **key_context, pool_error_t *error)
{
  (void)context, (void)key, (void)size, (void)settings, (void)vtable, (void)key_context, (void)error;
  point(&preparing);
  return 0;
}

static void test_cancel__in_prepare_the_pool_of_the_key_is_made(void **state)
{
  (void)state;
  struct fake fake;
  pool_group_t *group = group_of(&fake, prepare_by_waiting);
  gate_init(&preparing, false);
  pthread_t thread = thread_start(get_and_put_key, group);
  wait_until(gate_waiting(&preparing) == 1);
  assert_int_equal(pthread_cancel(thread), 0);
  gate_set(&preparing, true);
  assert_null(thread_end(thread));
  pool_lease_t lease = pool_group_get(group, "key", 3, 0);
  assert_true(lease > 0);
  assert_int_equal(pool_put(lease), 0);
  finish_group(&fake, group);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cancel__that_came_before_the_get_sleeps_is_seen_by_join),
      cmocka_unit_test(test_cancel__a_waiter_leaves_the_queue),
      cmocka_unit_test(test_cancel__is_told_as_an_event_and_keeps_no_pool),
      cmocka_unit_test(test_cancel__at_any_moment_passes_on_what_it_was_told),
      cmocka_unit_test(test_cancel__at_any_moment_passes_on_what_it_was_given),
      cmocka_unit_test(test_cancel__in_open_waits_until_the_get_is_over),
      cmocka_unit_test(test_cancel__in_reset_or_close_loses_no_place),
      cmocka_unit_test(test_cancel__in_a_call_leaves_the_connection_whole),
      cmocka_unit_test(test_cancel__a_get_inside_a_callback_is_no_cancellation_point),
      cmocka_unit_test(test_cancel__of_a_get_by_key_keeps_no_key),
      cmocka_unit_test(test_cancel__in_prepare_the_pool_of_the_key_is_made),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
