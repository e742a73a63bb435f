/* SPDX-License-Identifier: MIT */
/* What pool_close waits for: it does itself what nobody else would, and says who holds what it waits for. */
#include "support.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "virtual.h"

static struct fake fake;

/* ---- what the log says ---- */

static struct {
  pthread_mutex_t lock;
  char lines[32][400];
  int32_t levels[32];
  _Atomic int count;
} lines = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void note_line(void *user, int32_t level, const char *line)
{
  (void)user;
  pthread_mutex_lock(&lines.lock);
  must(lines.count < 32);
  lines.levels[lines.count] = level;
  snprintf(lines.lines[lines.count], sizeof *lines.lines, "%s", line);
  lines.count++;
  pthread_mutex_unlock(&lines.lock);
}

static bool was_said(int32_t level, const char *a, const char *b)
{
  bool found = false;
  pthread_mutex_lock(&lines.lock);
  for (int i = 0; i < lines.count; i++)
    found = found || (lines.levels[i] == level && strstr(lines.lines[i], a) && strstr(lines.lines[i], b));
  pthread_mutex_unlock(&lines.lock);
  return found;
}

static pool_config_t config_of(int32_t keeper, int32_t max_open)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = max_open;
  config.keeper = keeper;
  config.log = note_line;
  return config;
}

static pool_t *pool_with(const pool_config_t *config)
{
  fake_init(&fake);
  atomic_store(&lines.count, 0);
  return fake_pool(&fake, config, NULL);
}

static void *get_one(void *data)
{
  return (void *)(intptr_t)pool_get(data);
}

/* A lease that another thread got, which has ended. */
static pool_lease_t lease_of_another(pool_t *pool)
{
  pool_lease_t lease = (pool_lease_t)(intptr_t)thread_end(thread_start(get_one, pool));
  assert_true(lease > 0);
  return lease;
}

/* ---- callbacks that are due ---- */

struct answer {
  _Atomic int times;
  _Atomic pool_lease_t result;
  bool keeps;
};

static void answered(void *user, pool_lease_t result)
{
  struct answer *answer = user;
  atomic_store(&answer->result, result);
  atomic_fetch_add(&answer->times, 1);
  if (result > 0 && !answer->keeps)
    must(pool_put(result) == 0);
}

static void test_drain__a_close_calls_back_where_the_program_keeps_the_time(void **state)
{
  (void)state;
  pool_config_t config = config_of(POOL_KEEPER_MANUAL, 1);
  pool_t *pool = pool_with(&config);
  struct answer lent = {0}, refused = {0};
  pool_lease_t lease = pool_get(pool);
  assert_true(pool_get_async(pool, -1, answered, &lent) > 0);
  assert_true(pool_get_async(pool, -1, answered, &refused) > 0);
  assert_int_equal(pool_put(lease), 0); /* to the first of them, whose callback is due */
  assert_int_equal(pool_close(pool, -1), 0);
  assert_int_equal(lent.times, 1);
  assert_true(lent.result > 0);
  assert_int_equal(refused.times, 1);
  assert_int_equal(refused.result, POOL_E_CLOSED);
  fake_finish(&fake, pool);
}

static void test_drain__a_close_calls_back_though_the_keeper_cannot_know(void **state)
{
  (void)state;
  pool_config_t config = config_of(POOL_KEEPER_MANUAL, 1);
  pool_t *pool = pool_with(&config);
  struct answer kept = {.keeps = true};
  struct closer closer;
  pool_lease_t lease = pool_get(pool);
  assert_true(pool_get_async(pool, -1, answered, &kept) > 0);
  assert_int_equal(pool_put(lease), 0);
  closer_start(&closer, pool, -1);
  wait_until(kept.times == 1); /* it holds the lease */
  assert_int_equal(pool_put(kept.result), 0);
  closer_end(&closer, 0);
  fake_finish(&fake, pool);
}

static void test_drain__two_may_close_at_one_time(void **state)
{
  (void)state;
  pool_config_t config = config_of(POOL_KEEPER_MANUAL, 2);
  pool_t *pool = pool_with(&config);
  struct answer answers[2] = {0};
  struct closer closers[2];
  pool_lease_t a = lease_of_another(pool), b = lease_of_another(pool);
  assert_true(pool_get_async(pool, -1, answered, &answers[0]) > 0);
  assert_true(pool_get_async(pool, -1, answered, &answers[1]) > 0);
  assert_int_equal(pool_put(a), 0);
  for (int i = 0; i < 2; i++)
    closer_start(&closers[i], pool, -1);
  wait_until(answers[0].times == 1 && answers[1].times == 1);
  assert_int_equal(pool_put(b), 0);
  for (int64_t began = now_ns(); atomic_load(&closers[0].result) == 1000 || atomic_load(&closers[1].result) == 1000;) {
    virtual_advance(MILLISECOND); /* one looks again when the other has maintained */
    if (now_ns() - began > 10 * SECOND)
      fail_msg("the pool is not closed");
  }
  for (int i = 0; i < 2; i++)
    closer_end(&closers[i], 0);
  fake_finish(&fake, pool);
}

/* A get that opens while the pool is closed leaves the connection to be closed. */
static void test_drain__what_a_get_leaves_meanwhile_is_closed(void **state)
{
  (void)state;
  for (int32_t keeper = POOL_KEEPER_THREAD; keeper <= POOL_KEEPER_MANUAL; keeper++) {
    pool_config_t config = config_of(keeper, 1);
    pool_t *pool = pool_with(&config);
    struct closer closer;
    gate_set(&fake.opening, false);
    pthread_t getter = thread_start(get_one, pool);
    wait_until(gate_waiting(&fake.opening) == 1);
    closer_start(&closer, pool, -1);
    wait_until(virtual_sleepers() >= 1);
    gate_set(&fake.opening, true);
    assert_int_equal((intptr_t)thread_end(getter), POOL_E_CLOSED);
    closer_end(&closer, 0);
    fake_finish(&fake, pool);
  }
}

static void test_drain__a_limit_is_kept_where_the_program_keeps_the_time(void **state)
{
  (void)state;
  pool_config_t config = config_of(POOL_KEEPER_MANUAL, 2);
  pool_t *pool = pool_with(&config);
  struct closer closer;
  pool_lease_t lease = lease_of_another(pool);
  closer_start(&closer, pool, 50);
  wait_until(virtual_sleepers() == 1);
  assert_true(virtual_next_deadline() == virtual_now() + 50 * MILLISECOND);
  virtual_advance(50 * MILLISECOND);
  closer_end(&closer, 1);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

/* ---- who holds what ---- */

struct own {
  pool_t *pool;
  pool_lease_t lease;
  _Atomic bool holds, done;
};

static void *close_with_own_lease(void *data)
{
  struct own *own = data;
  own->lease = pool_get(own->pool);
  must(pool_tag(own->lease, "report of March") == 0);
  atomic_store(&own->holds, true);
  must(pool_close(own->pool, -1) == 0);
  atomic_store(&own->done, true);
  return NULL;
}

static void test_drain__who_waits_for_its_own_lease_is_told_at_once(void **state)
{
  (void)state;
  for (int32_t keeper = POOL_KEEPER_THREAD; keeper <= POOL_KEEPER_MANUAL; keeper++) {
    pool_config_t config = config_of(keeper, 2);
    pool_t *pool = pool_with(&config);
    struct own own = {.pool = pool};
    char number[40];
    pthread_t thread = thread_start(close_with_own_lease, &own);
    wait_until(own.holds && lines.count > 0);
    snprintf(number, sizeof number, "lease %lld", (long long)own.lease);
    assert_true(was_said(POOL_LOG_WARN, number, "report of March"));
    assert_true(was_said(POOL_LOG_WARN, number, "itself"));
    assert_false(own.done);
    assert_int_equal(pool_put(own.lease), 0); /* another thread may */
    wait_until(own.done);
    thread_end(thread);
    fake_finish(&fake, pool);
  }
}

static void test_drain__after_some_seconds_it_is_told_who_holds_what(void **state)
{
  (void)state;
  for (int32_t keeper = POOL_KEEPER_THREAD; keeper <= POOL_KEEPER_MANUAL; keeper++) {
    pool_config_t config = config_of(keeper, 3);
    pool_t *pool = pool_with(&config);
    struct closer closer;
    char number[40];
    pool_lease_t a = lease_of_another(pool), b = lease_of_another(pool);
    assert_int_equal(pool_tag(b, "nightly job"), 0);
    closer_start(&closer, pool, -1);
    wait_until(virtual_sleepers() >= 1);
    virtual_advance(SECOND);
    assert_int_equal(lines.count, 0); /* that is nothing yet */
    virtual_advance(9 * SECOND);
    wait_until(lines.count >= 2);
    snprintf(number, sizeof number, "lease %lld", (long long)a);
    assert_true(was_said(POOL_LOG_WARN, number, "10000 ms"));
    snprintf(number, sizeof number, "lease %lld", (long long)b);
    assert_true(was_said(POOL_LOG_WARN, number, "nightly job"));
    virtual_advance(60 * SECOND);
    assert_int_equal(pool_put(a), 0);
    assert_int_equal(pool_put(b), 0);
    closer_end(&closer, 0);
    assert_int_equal(lines.count, 2); /* once */
    fake_finish(&fake, pool);
  }
}

static void test_drain__nothing_is_told_where_nobody_has_to_wait(void **state)
{
  (void)state;
  pool_config_t config = config_of(POOL_KEEPER_THREAD, 2);
  pool_t *pool = pool_with(&config);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(pool_close(pool, 0), 1);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_close(pool, -1), 0);
  assert_int_equal(lines.count, 0);
  fake_finish(&fake, pool);
}

static void test_drain__waiting_for_ever_for_oneself_is_refused(void **state)
{
  (void)state;
  if (thread_count_at_rest() > 1)
    return; /* the sanitizer has a thread, so it is not certain that nobody puts */
  for (int32_t keeper = POOL_KEEPER_THREAD; keeper <= POOL_KEEPER_MANUAL; keeper++) {
    pool_config_t config = config_of(keeper, 3);
    pool_t *pool = pool_with(&config);
    pool_error_t error = POOL_ERROR_INIT;
    char number[40];
    pool_lease_t lease = pool_get(pool), other = pool_get(pool);
    assert_int_equal(pool_tag(lease, "report of March"), 0);
    assert_int_equal(pool_put(other), 0); /* what is idle is no reason to wait */
    assert_int_equal(pool_close(pool, -1), POOL_E_INVALID);
    assert_int_equal(pool_failure(&error), POOL_E_INVALID);
    snprintf(number, sizeof number, "lease %lld", (long long)lease);
    assert_non_null(strstr(error.message, number));
    assert_non_null(strstr(error.message, "report of March"));
    assert_non_null(strstr(error.message, "put it first"));
    assert_int_equal(pool_get_for(pool, 0), POOL_E_CLOSED);
    assert_int_equal(pool_put(lease), 0);
    assert_int_equal(pool_close(pool, -1), 0);
    fake_finish(&fake, pool);
  }
}

static void *put_it(void *data)
{
  must_soon(virtual_sleepers() >= 1);
  must(pool_put(*(pool_lease_t *)data) == 0);
  return NULL;
}

static void test_drain__where_another_thread_may_put_it_waits(void **state)
{
  (void)state;
  pool_config_t config = config_of(POOL_KEEPER_THREAD, 1);
  pool_t *pool = pool_with(&config);
  pool_lease_t lease = pool_get(pool);
  pthread_t thread = thread_start(put_it, &lease);
  assert_int_equal(pool_close(pool, -1), 0);
  thread_end(thread);
  assert_int_equal(lines.count, 1); /* it was warned of */
  fake_finish(&fake, pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_drain__a_close_calls_back_where_the_program_keeps_the_time),
      cmocka_unit_test(test_drain__a_close_calls_back_though_the_keeper_cannot_know),
      cmocka_unit_test(test_drain__two_may_close_at_one_time),
      cmocka_unit_test(test_drain__what_a_get_leaves_meanwhile_is_closed),
      cmocka_unit_test(test_drain__a_limit_is_kept_where_the_program_keeps_the_time),
      cmocka_unit_test(test_drain__who_waits_for_its_own_lease_is_told_at_once),
      cmocka_unit_test(test_drain__after_some_seconds_it_is_told_who_holds_what),
      cmocka_unit_test(test_drain__nothing_is_told_where_nobody_has_to_wait),
      cmocka_unit_test(test_drain__waiting_for_ever_for_oneself_is_refused),
      cmocka_unit_test(test_drain__where_another_thread_may_put_it_waits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
