/* SPDX-License-Identifier: MIT */
/* What a pool does while connections cannot be opened. */
#include <string.h>

#include "memory.h"
#include "virtual.h"
#include "witness.h"

/* A fake server that notes when it was asked to open, and how many asked at one time. */
enum { MOST = 1000 };
struct server {
  struct fake fake; /* the first member: the callbacks' context */
  _Atomic int attempts, asking, most_asking;
  int64_t attempted_ns[MOST];
};

static int counted_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  struct server *server = context;
  int attempt = atomic_fetch_add(&server->attempts, 1);
  must(attempt < MOST);
  server->attempted_ns[attempt] = virtual_now();
  int asking = atomic_fetch_add(&server->asking, 1) + 1;
  int most = atomic_load(&server->most_asking);
  while (asking > most && !atomic_compare_exchange_weak(&server->most_asking, &most, asking))
    ;
  int code = fake_open(context, deadline_ns, conn, error);
  atomic_fetch_sub(&server->asking, 1);
  return code;
}

static struct server server;
static struct fake *const fake = &server.fake;
static struct diary diary;

static pool_t *make(const pool_config_t *config)
{
  memset(&server, 0, sizeof server);
  fake_init(fake);
  pool_vtable_t vtable = fake_vtable();
  vtable.open = counted_open;
  return fake_pool(fake, config, &vtable);
}

static pool_config_t retrying(int32_t breaker_after)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.name = "prices";
  config.keeper = POOL_KEEPER_MANUAL;
  config.retry_min_ms = 100;
  config.retry_max_ms = 1000;
  config.breaker_after = breaker_after;
  diary_init(&diary, &config);
  return config;
}

/* Gets fail, each after the back-off of the one before, until the breaker opens. */
static void open_breaker(pool_t *pool, int failures)
{
  atomic_store(&fake->fail_open, 1000000);
  for (int i = 0; i < failures; i++) {
    assert_int_equal(diary_count(&diary, POOL_EVENT_BREAKER_OPENED), 0);
    assert_int_equal(pool_get(pool), POOL_E_OPEN);
    assert_int_equal(server.attempts, i + 1);
    if (i < failures - 1)
      virtual_pass(pool, SECOND);
  }
  wait_until(diary_count(&diary, POOL_EVENT_BREAKER_OPENED) == 1); /* an opener tells it in its own time */
}

static void assert_refuses(const pool_error_t *error)
{
  assert_int_equal(error->code, POOL_E_OPEN);
  assert_int_equal(error->native, 111);
  assert_non_null(strstr(error->message, "the fake server refuses"));
}

static void assert_fails_fast(pool_t *pool, int64_t timeout_ms)
{
  int attempts = server.attempts;
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(pool_get_for(pool, timeout_ms), POOL_E_OPEN);
  assert_int_equal(pool_failure(&error), POOL_E_OPEN);
  assert_refuses(&error);
  assert_int_equal(server.attempts, attempts);
}

/* ---- back-off ---- */

static void test_breaker__retries_wait_longer_and_longer_less_up_to_a_half(void **state)
{
  (void)state;
  pool_config_t config = retrying(0);
  config.min_idle = 1;
  config.events = NULL;
  config.log = NULL;
  pool_t *pool = make(&config);
  fake->fail_open = MOST;
  virtual_pass(pool, 100 * SECOND);
  assert_in_range(server.attempts, 100, 220);
  int64_t wait_ns = 100 * MILLISECOND, least_ns = INT64_MAX, most_ns = 0;
  for (int i = 1; i < server.attempts; i++) {
    int64_t waited_ns = server.attempted_ns[i] - server.attempted_ns[i - 1];
    assert_in_range(waited_ns, wait_ns / 2, wait_ns);
    if (wait_ns == SECOND) {
      least_ns = waited_ns < least_ns ? waited_ns : least_ns;
      most_ns = waited_ns > most_ns ? waited_ns : most_ns;
    }
    wait_ns = wait_ns * 2 < SECOND ? wait_ns * 2 : SECOND;
  }
  assert_true(most_ns - least_ns > SECOND / 4); /* at random */
  assert_int_equal(stats_of(pool).breaker_opened, 0);
  assert_int_equal(stats_of(pool).open_failures, server.attempts);
  fake->fail_open = 0;
  virtual_pass(pool, SECOND);
  assert_int_equal(pool_len(pool), 1);
  fake_finish(fake, pool);
}

static void test_breaker__a_success_makes_the_waits_short_again(void **state)
{
  (void)state;
  pool_config_t config = retrying(0);
  config.min_idle = 1;
  pool_t *pool = make(&config);
  fake->fail_open = 10;
  virtual_pass(pool, 20 * SECOND);
  assert_int_equal(pool_len(pool), 1);
  assert_int_equal(server.attempts, 11);
  fake->fail_open = 1;
  pool_lease_t lease = pool_get(pool);
  pool_maintain(pool);
  assert_int_equal(server.attempts, 12);
  virtual_pass(pool, 100 * MILLISECOND);
  assert_int_equal(server.attempts, 13);
  assert_int_equal(pool_len(pool), 1);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(fake, pool);
}

static void test_breaker__nobody_opens_during_the_back_off(void **state)
{
  (void)state;
  pool_config_t config = retrying(0);
  pool_t *pool = make(&config);
  fake->fail_open = 1;
  assert_int_equal(pool_get(pool), POOL_E_OPEN);
  int64_t failed_ns = virtual_now();
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  struct getter hasty = {0}, patient = {0};
  getter_queue(&hasty, pool, 10);
  getter_queue(&patient, pool, -1);
  virtual_pass(pool, 10 * MILLISECOND);
  assert_int_equal(getter_end(&hasty), POOL_E_TIMEOUT);
  virtual_pass(pool, 39 * MILLISECOND);
  assert_int_equal(server.attempts, 1);
  int64_t due_ns = pool_maintain(pool);
  assert_in_range(due_ns, MILLISECOND, 51 * MILLISECOND);
  virtual_pass(pool, due_ns);
  assert_true(getter_end(&patient) > 0);
  assert_in_range(server.attempted_ns[1] - failed_ns, 50 * MILLISECOND, 100 * MILLISECOND);
  fake_finish(fake, pool);
}

static void test_breaker__waiters_are_served_by_what_comes_back_meanwhile(void **state)
{
  (void)state;
  pool_config_t config = retrying(0);
  config.max_open = 4;
  pool_t *pool = make(&config);
  pool_lease_t lease = pool_get(pool);
  fake->fail_open = 1;
  assert_int_equal(pool_get_for(pool, 0), POOL_E_OPEN);
  struct getter getters[3] = {0};
  _Atomic int turns = 0;
  for (int i = 0; i < 3; i++) {
    getters[i].turns = &turns;
    getter_queue(&getters[i], pool, -1);
  }
  assert_int_equal(pool_put(lease), 0);
  for (int i = 0; i < 3; i++) {
    assert_true(getter_end(&getters[i]) > 0);
    assert_int_equal(getters[i].turn, i + 1);
  }
  assert_int_equal(server.attempts, 2);
  fake_finish(fake, pool);
}

static void test_breaker__recovery_serves_waiters_in_order(void **state)
{
  (void)state;
  pool_config_t config = retrying(0);
  config.max_open = 1;
  pool_t *pool = make(&config);
  fake->fail_open = 1;
  assert_int_equal(pool_get(pool), POOL_E_OPEN);
  struct getter getters[5] = {0};
  _Atomic int turns = 0;
  for (int i = 0; i < 5; i++) {
    getters[i].turns = &turns;
    getter_queue(&getters[i], pool, -1);
  }
  virtual_pass(pool, 100 * MILLISECOND);
  for (int i = 0; i < 5; i++) {
    assert_true(getter_end(&getters[i]) > 0);
    assert_int_equal(getters[i].turn, i + 1);
  }
  assert_int_equal(server.attempts, 2);
  fake_finish(fake, pool);
}

static void test_breaker__without_retry_min_every_get_tries(void **state)
{
  (void)state;
  pool_config_t config = retrying(3);
  config.retry_min_ms = 0;
  pool_t *pool = make(&config);
  fake->fail_open = 20;
  for (int i = 0; i < 20; i++) {
    assert_int_equal(pool_get(pool), POOL_E_OPEN);
    assert_int_equal(server.attempts, i + 1);
  }
  assert_int_equal(diary_count(&diary, POOL_EVENT_BREAKER_OPENED), 0);
  assert_int_equal(stats_of(pool).breaker_opened, 0);
  assert_int_equal(stats_of(pool).failed_fast, 0);
  assert_true(pool_maintain(pool) == INT64_MAX);
  pool_lease_t lease = pool_get(pool);
  assert_true(lease > 0);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(fake, pool);
}

/* ---- the breaker ---- */

static void test_breaker__opens_after_so_many_failures_and_tells_the_cause(void **state)
{
  (void)state;
  pool_config_t config = retrying(3);
  pool_t *pool = make(&config);
  open_breaker(pool, 3);
  struct entry opened = diary_last(&diary, POOL_EVENT_BREAKER_OPENED);
  assert_non_null(strstr(opened.message, "the fake server refuses"));
  assert_string_equal(opened.pool, "prices");
  assert_int_equal(diary_lines(&diary, POOL_LOG_ERROR), 1);
  assert_non_null(strstr(diary_last_line(&diary, POOL_LOG_ERROR).message, "the fake server refuses"));
  assert_fails_fast(pool, -1);
  assert_fails_fast(pool, 0);
  assert_fails_fast(pool, 1000);
  assert_int_equal(stats_of(pool).failed_fast, 3);
  assert_int_equal(stats_of(pool).breaker_opened, 1);
  assert_int_equal(stats_of(pool).waiting, 0);
  fake_finish(fake, pool);
}

/* Whichever allocation fails, a get says why there is no connection, and the next failure says it in full. */
static void test_breaker__without_memory_for_the_cause_its_code_speaks(void **state)
{
  (void)state;
  int failures = 0;
  for (bool failed = true; failed; failures++) {
    pool_config_t config = retrying(1);
    config.openers = 0;
    pool_t *pool = make(&config);
    fake->fail_open = 1000000;
    memory_fail_after(failures);
    assert_int_equal(pool_get(pool), POOL_E_OPEN);
    failed = memory_has_failed();
    assert_int_equal(pool_get(pool), POOL_E_OPEN);
    pool_error_t error = POOL_ERROR_INIT;
    pool_failure(&error);
    assert_non_null(strstr(error.message, failed ? pool_strerror(POOL_E_OPEN) : "the fake server refuses"));
    virtual_pass(pool, SECOND);
    assert_int_equal(pool_get(pool), POOL_E_OPEN);
    assert_true(server.attempts > 1);
    pool_failure(&error);
    assert_refuses(&error);
    fake_finish(fake, pool);
  }
  assert_true(failures > 1);
}

static void test_breaker__failures_in_a_row_only_count(void **state)
{
  (void)state;
  pool_config_t config = retrying(2);
  pool_t *pool = make(&config);
  for (int i = 0; i < 5; i++) {
    fake->fail_open = 1;
    assert_int_equal(pool_get(pool), POOL_E_OPEN);
    virtual_pass(pool, SECOND);
    pool_lease_t lease = pool_get(pool);
    assert_true(lease > 0);
    pool_mark_unusable(lease);
    assert_int_equal(pool_put(lease), 0);
  }
  assert_int_equal(stats_of(pool).breaker_opened, 0);
  fake_finish(fake, pool);
}

static void test_breaker__all_waiters_end_when_it_opens(void **state)
{
  (void)state;
  pool_config_t config = retrying(2);
  config.max_opening = 1;
  pool_t *pool = make(&config);
  fake->fail_open = MOST;
  assert_int_equal(pool_get(pool), POOL_E_OPEN);
  struct getter getters[5] = {0};
  for (int i = 0; i < 5; i++)
    getter_queue(&getters[i], pool, -1);
  struct heard told = {0};
  assert_true(pool_get_async(pool, -1, told_got, &told) > 0);
  virtual_pass(pool, 100 * MILLISECOND);
  for (int i = 0; i < 5; i++) {
    assert_int_equal(getter_end(&getters[i]), POOL_E_OPEN);
    assert_refuses(&getters[i].error);
  }
  wait_until((pool_maintain(pool), told.times == 1));
  assert_int_equal(told.result, POOL_E_OPEN);
  assert_refuses(&told.error);
  assert_int_equal(server.attempts, 2);
  wait_until(diary_count(&diary, POOL_EVENT_BREAKER_OPENED) == 1); /* an opener tells it in its own time */
  assert_int_equal(stats_of(pool).waiting, 0);
  fake_finish(fake, pool);
}

static void test_breaker__fails_asynchronous_gets_too(void **state)
{
  (void)state;
  pool_config_t config = retrying(1);
  pool_t *pool = make(&config);
  open_breaker(pool, 1);
  struct heard told = {0};
  assert_true(pool_get_async(pool, -1, told_got, &told) > 0);
  assert_int_equal(told.times, 0);
  pool_maintain(pool);
  assert_int_equal(told.times, 1);
  assert_int_equal(told.result, POOL_E_OPEN);
  assert_refuses(&told.error);
  assert_int_equal(server.attempts, 1);
  fake_finish(fake, pool);
}

static void test_breaker__still_lends_what_is_idle(void **state)
{
  (void)state;
  pool_config_t config = retrying(1);
  pool_t *pool = make(&config);
  pool_lease_t lease = pool_get(pool);
  fake->fail_open = MOST;
  assert_int_equal(pool_get_for(pool, 0), POOL_E_OPEN);
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT); /* what is lent may come back */
  assert_int_equal(pool_put(lease), 0);
  lease = pool_get(pool);
  assert_true(lease > 0);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(fake, pool);
}

static void test_breaker__probes_until_one_succeeds(void **state)
{
  (void)state;
  pool_config_t config = retrying(3);
  pool_t *pool = make(&config);
  open_breaker(pool, 3);
  virtual_pass(pool, 10 * SECOND);
  assert_in_range(server.attempts, 3 + 10, 3 + 21);
  for (int i = 4; i < server.attempts; i++)
    assert_in_range(server.attempted_ns[i] - server.attempted_ns[i - 1], 200 * MILLISECOND, SECOND);
  assert_fails_fast(pool, -1);
  int attempts = server.attempts;
  fake->fail_open = 0;
  virtual_pass(pool, SECOND);
  assert_int_equal(server.attempts, attempts + 1);
  assert_int_equal(diary_count(&diary, POOL_EVENT_BREAKER_OPENED), 1);
  assert_int_equal(diary_count(&diary, POOL_EVENT_BREAKER_CLOSED), 1);
  assert_int_equal(diary_lines(&diary, POOL_LOG_INFO), 1);
  assert_int_equal(pool_len(pool), 1); /* the probe is not wasted */
  pool_lease_t lease = pool_get(pool), another = pool_get(pool);
  assert_true(lease > 0 && another > 0);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_put(another), 0);
  assert_int_equal(stats_of(pool).breaker_opened, 1);
  fake_finish(fake, pool);
}

static void test_breaker__opens_again_after_it_has_closed(void **state)
{
  (void)state;
  pool_config_t config = retrying(2);
  pool_t *pool = make(&config);
  open_breaker(pool, 2);
  fake->fail_open = 0;
  virtual_pass(pool, SECOND);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(fake->opened, 1);
  fake->fail_open = MOST;
  assert_int_equal(pool_get_for(pool, 0), POOL_E_OPEN);
  assert_int_equal(diary_count(&diary, POOL_EVENT_BREAKER_OPENED), 1); /* one failure is not two */
  virtual_pass(pool, SECOND);
  assert_int_equal(pool_get_for(pool, 0), POOL_E_OPEN);
  assert_int_equal(diary_count(&diary, POOL_EVENT_BREAKER_OPENED), 2);
  assert_int_equal(diary_count(&diary, POOL_EVENT_BREAKER_CLOSED), 1);
  assert_int_equal(pool_mark_unusable(lease), 0); /* and with it the last hope is gone */
  assert_fails_fast(pool, -1);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(fake, pool);
}

static void probe_once(int32_t openers)
{
  pool_config_t config = retrying(1);
  config.keeper = POOL_KEEPER_THREAD;
  config.openers = openers;
  pool_t *pool = make(&config);
  open_breaker(pool, 1);
  gate_set(&fake->opening, false);
  wait_until((virtual_advance(MILLISECOND), gate_waiting(&fake->opening) == 1));
  for (int i = 0; i < 20; i++) {
    virtual_advance(SECOND);
    assert_fails_fast(pool, -1);
    assert_int_equal(gate_waiting(&fake->opening), 1);
  }
  assert_int_equal(stats_of(pool).opening, 1);
  fake->fail_open = 0;
  gate_set(&fake->opening, true);
  wait_until(diary_count(&diary, POOL_EVENT_BREAKER_CLOSED) == 1);
  assert_int_equal(server.attempts, 2);
  wait_until(pool_len(pool) == 1);
  fake_finish(fake, pool);
}

static void test_breaker__one_probe_at_a_time(void **state)
{
  (void)state;
  probe_once(0);
  probe_once(3); /* though more threads could */
}

static void test_breaker__closing_the_pool_ends_the_probes(void **state)
{
  (void)state;
  pool_config_t config = retrying(1);
  pool_t *pool = make(&config);
  open_breaker(pool, 1);
  assert_int_equal(pool_close(pool, 0), 0);
  assert_int_equal(pool_get(pool), POOL_E_CLOSED);
  virtual_pass(pool, 10 * SECOND);
  assert_int_equal(server.attempts, 1);
  assert_true(pool_maintain(pool) == INT64_MAX);
  fake_finish(fake, pool);
}

static void test_breaker__max_opening_is_never_exceeded(void **state)
{
  (void)state;
  pool_config_t config = retrying(0);
  config.keeper = POOL_KEEPER_THREAD;
  config.max_opening = 2;
  config.min_idle = 4;
  config.max_open = 12;
  pool_t *pool = make(&config);
  gate_set(&fake->opening, false);
  struct getter getters[8] = {0};
  for (int i = 0; i < 8; i++)
    getter_start(&getters[i], pool, -1);
  wait_until(gate_waiting(&fake->opening) == 2 && stats_of(pool).waiting >= 6);
  fake->good_opens = 2;
  fake->fail_open = 3;
  gate_set(&fake->opening, true);
  for (int i = 0; i < 8; i++) {
    wait_until((virtual_advance(10 * MILLISECOND), getters[i].result != 0));
    getter_end(&getters[i]);
  }
  wait_until((virtual_advance(10 * MILLISECOND), pool_len(pool) >= 4));
  assert_int_equal(server.most_asking, 2);
  fake_finish(fake, pool);
}

static void test_breaker__a_get_sends_for_the_probe_where_nobody_keeps_the_time(void **state)
{
  (void)state;
  pool_config_t config = retrying(1);
  config.openers = 1;
  config.event_mask = 1 << POOL_EVENT_BREAKER_OPENED;
  pool_t *pool = make(&config);
  open_breaker(pool, 1);
  atomic_store(&fake->fail_open, 0);
  virtual_advance(SECOND); /* and pool_maintain is never called */
  pool_lease_t lease;
  wait_until((lease = pool_get_for(pool, 0)) > 0);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(fake, pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_breaker__retries_wait_longer_and_longer_less_up_to_a_half),
      cmocka_unit_test(test_breaker__a_success_makes_the_waits_short_again),
      cmocka_unit_test(test_breaker__nobody_opens_during_the_back_off),
      cmocka_unit_test(test_breaker__waiters_are_served_by_what_comes_back_meanwhile),
      cmocka_unit_test(test_breaker__recovery_serves_waiters_in_order),
      cmocka_unit_test(test_breaker__without_retry_min_every_get_tries),
      cmocka_unit_test(test_breaker__opens_after_so_many_failures_and_tells_the_cause),
      cmocka_unit_test(test_breaker__without_memory_for_the_cause_its_code_speaks),
      cmocka_unit_test(test_breaker__failures_in_a_row_only_count),
      cmocka_unit_test(test_breaker__all_waiters_end_when_it_opens),
      cmocka_unit_test(test_breaker__fails_asynchronous_gets_too),
      cmocka_unit_test(test_breaker__still_lends_what_is_idle),
      cmocka_unit_test(test_breaker__probes_until_one_succeeds),
      cmocka_unit_test(test_breaker__opens_again_after_it_has_closed),
      cmocka_unit_test(test_breaker__one_probe_at_a_time),
      cmocka_unit_test(test_breaker__closing_the_pool_ends_the_probes),
      cmocka_unit_test(test_breaker__max_opening_is_never_exceeded),
      cmocka_unit_test(test_breaker__a_get_sends_for_the_probe_where_nobody_keeps_the_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
