/* SPDX-License-Identifier: MIT */
/* What a pool tells of what happens: every event, with its members, once, under no lock. */
#include <string.h>
#include <unistd.h>

#include "virtual.h"
#include "witness.h"

static struct fake fake;
static struct diary diary;

static pool_config_t telling(int32_t max_open)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.name = "prices";
  config.keeper = POOL_KEEPER_MANUAL;
  config.max_open = max_open;
  diary_init(&diary, &config);
  return config;
}

/* Takes 5 ms. */
static int slow_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  virtual_advance(5 * MILLISECOND);
  return fake_open(context, deadline_ns, conn, error);
}

static pool_t *make(const pool_config_t *config)
{
  fake_init(&fake);
  pool_vtable_t vtable = fake_vtable();
  vtable.open = slow_open;
  vtable.check = fake_check;
  vtable.reset = fake_reset;
  return fake_pool(&fake, config, &vtable);
}

/* The last event of its kind, and how many of it there have been. */
static struct entry told(int32_t event, int times)
{
  assert_int_equal(diary_count(&diary, event), times);
  struct entry entry = diary_last(&diary, event);
  assert_string_equal(entry.pool, "prices");
  return entry;
}

static void assert_no_failure(const struct entry *entry)
{
  assert_int_equal(entry->code, 0);
  assert_string_equal(entry->message, "");
}

static void test_event__the_life_of_a_connection(void **state)
{
  (void)state;
  pool_config_t config = telling(1);
  pool_t *pool = make(&config);
  pool_lease_t lease = pool_get(pool);
  struct entry opened = told(POOL_EVENT_OPENED, 1);
  assert_no_failure(&opened);
  assert_true(opened.duration_ns == 5 * MILLISECOND);
  assert_true(opened.lease == 0);
  struct entry lent = told(POOL_EVENT_LENT, 1);
  assert_no_failure(&lent);
  assert_true(lent.lease == lease);
  assert_true(lent.thread == gettid());
  assert_string_equal(lent.tag, "");
  assert_int_equal(pool_tag(lease, "invoices"), 0);
  assert_int_equal(diary_count(&diary, POOL_EVENT_RETURNED), 0);
  assert_int_equal(pool_put(lease), 0);
  struct entry returned = told(POOL_EVENT_RETURNED, 1);
  assert_no_failure(&returned);
  assert_true(returned.lease == lease);
  assert_string_equal(returned.tag, "invoices");
  assert_int_equal(pool_put(lease), POOL_E_STALE); /* not another event */
  for (int i = 2; i <= 20; i++) {                  /* also where get and put take their shortest way */
    lease = pool_get(pool);
    assert_true(told(POOL_EVENT_LENT, i).lease == lease);
    assert_int_equal(pool_put(lease), 0);
    assert_true(told(POOL_EVENT_RETURNED, i).lease == lease);
    assert_string_equal(told(POOL_EVENT_RETURNED, i).tag, "");
  }
  assert_int_equal(diary_count(&diary, POOL_EVENT_OPENED), 1);
  assert_int_equal(diary_count(&diary, POOL_EVENT_WAITED), 0);
  assert_int_equal(diary_count(&diary, POOL_EVENT_CLOSED), 0);
  fake_finish(&fake, pool);
  struct entry closed = told(POOL_EVENT_CLOSED, 1);
  assert_int_equal(closed.reason, POOL_REASON_CLOSED);
  assert_true(closed.lease == 0);
  assert_int_equal(diary_lines(&diary, POOL_LOG_ERROR), 0); /* nothing of this is rare */
  assert_int_equal(diary_lines(&diary, POOL_LOG_WARN), 0);
}

static void test_event__a_wait_is_told_before_what_it_brought(void **state)
{
  (void)state;
  pool_config_t config = telling(1);
  pool_t *pool = make(&config);
  pool_lease_t lease = pool_get(pool);
  struct getter getter = {0};
  getter_queue(&getter, pool, -1);
  virtual_pass(pool, 300 * MILLISECOND);
  assert_int_equal(pool_put(lease), 0);
  pool_lease_t got = getter_end(&getter);
  struct entry waited = told(POOL_EVENT_WAITED, 1);
  assert_true(waited.duration_ns == 300 * MILLISECOND);
  assert_no_failure(&waited);
  int at = 0;
  while (diary.entries[at].event != POOL_EVENT_WAITED)
    at++;
  while (diary.entries[++at].event != POOL_EVENT_LENT || diary.entries[at].lease != got)
    assert_true(at < diary.length);
  assert_true(diary.entries[at].thread != gettid());
  fake_finish(&fake, pool);
}

static void test_event__asynchronous_gets_are_told_like_others(void **state)
{
  (void)state;
  pool_config_t config = telling(1);
  pool_t *pool = make(&config);
  pool_lease_t lease = pool_get(pool);
  struct heard got = {0};
  assert_true(pool_get_async(pool, -1, told_got, &got) > 0);
  virtual_pass(pool, 300 * MILLISECOND);
  assert_int_equal(pool_put(lease), 0);
  pool_maintain(pool);
  assert_true(told(POOL_EVENT_WAITED, 1).duration_ns == 300 * MILLISECOND);
  assert_true(told(POOL_EVENT_LENT, 2).lease == got.result);
  assert_int_equal(pool_put(got.result), 0);
  assert_true(told(POOL_EVENT_RETURNED, 2).lease == got.result);
  fake_finish(&fake, pool);
}

static void test_event__gets_that_fail(void **state)
{
  (void)state;
  pool_config_t config = telling(1);
  config.max_waiters = 1;
  pool_t *pool = make(&config);
  pool_lease_t lease = pool_get(pool);
  struct getter getter = {0};
  getter_queue(&getter, pool, 100);
  assert_int_equal(pool_get(pool), POOL_E_OVERLOAD);
  assert_int_equal(told(POOL_EVENT_OVERLOADED, 1).code, POOL_E_OVERLOAD);
  assert_true(told(POOL_EVENT_OVERLOADED, 1).lease == 0);
  virtual_pass(pool, 100 * MILLISECOND);
  assert_int_equal(getter_end(&getter), POOL_E_TIMEOUT);
  struct entry timed_out = told(POOL_EVENT_TIMED_OUT, 1);
  assert_int_equal(timed_out.code, POOL_E_TIMEOUT);
  assert_true(timed_out.lease == 0);
  struct heard cancelled = {0}, expired = {0};
  assert_int_equal(pool_cancel(pool_get_async(pool, -1, told_got, &cancelled)), 0);
  pool_maintain(pool);
  assert_int_equal(cancelled.result, POOL_E_CANCELLED);
  assert_int_equal(told(POOL_EVENT_CANCELLED, 1).code, POOL_E_CANCELLED);
  assert_true(pool_get_async(pool, 100, told_got, &expired) > 0);
  virtual_pass(pool, 100 * MILLISECOND);
  assert_int_equal(expired.result, POOL_E_TIMEOUT);
  told(POOL_EVENT_TIMED_OUT, 2);
  assert_int_equal(diary_count(&diary, POOL_EVENT_LENT), 1);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

static void test_event__opens_that_fail(void **state)
{
  (void)state;
  pool_config_t config = telling(1);
  pool_t *pool = make(&config);
  fake.fail_open = 1;
  assert_int_equal(pool_get(pool), POOL_E_OPEN);
  struct entry failed = told(POOL_EVENT_OPEN_FAILED, 1);
  assert_int_equal(failed.code, POOL_E_OPEN);
  assert_non_null(strstr(failed.message, "the fake server refuses"));
  assert_true(failed.lease == 0);
  assert_int_equal(diary_lines(&diary, POOL_LOG_WARN), 1);
  struct entry line = diary_last_line(&diary, POOL_LOG_WARN);
  assert_non_null(strstr(line.message, "the fake server refuses"));
  assert_non_null(strstr(line.message, "prices"));
  assert_int_equal(diary_count(&diary, POOL_EVENT_OPENED), 0);
  assert_int_equal(diary_count(&diary, POOL_EVENT_LENT), 0);
  fake_finish(&fake, pool);
}

static void test_event__the_initial_connections_are_told_of(void **state)
{
  (void)state;
  pool_config_t config = telling(3);
  config.initial = 3;
  pool_t *pool = make(&config);
  assert_true(told(POOL_EVENT_OPENED, 3).duration_ns == 5 * MILLISECOND);
  fake_finish(&fake, pool);
  assert_int_equal(diary_count(&diary, POOL_EVENT_CLOSED), 3);
}

/* ---- how a get ended ---- */

/* The one get that there was: in one count and one event, with how long it took in all. */
static void ended(pool_t *pool, int32_t event, int code, int64_t took_ns, size_t counter)
{
  struct entry end = told(event, 1);
  pool_stats_t stats = stats_of(pool);
  assert_int_equal(end.code, code);
  assert_true(end.duration_ns == took_ns);
  assert_true(end.lease == 0 && end.connection == 0);
  const int32_t ends[] = {POOL_EVENT_LENT, POOL_EVENT_TIMED_OUT, POOL_EVENT_OVERLOADED, POOL_EVENT_CANCELLED,
                          POOL_EVENT_GET_FAILED};
  int events = 0;
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
    events += diary_count(&diary, ends[i]);
  assert_int_equal(events, 1);
  assert_int_equal(stats.lent + stats.leased + stats.timed_out + stats.found_none + stats.overloaded + stats.cancelled +
                       stats.failed_fast + stats.failed_open + stats.failed_closed + stats.failed_nomem +
                       stats.failed_system + stats.evicted,
                   1);
  assert_int_equal(*(int64_t *)((char *)&stats + counter), 1);
}

/* pool_failure() says what the event said. */
static void the_words_are_the_events(int32_t event)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_failure(&error);
  assert_string_equal(told(event, 1).message, error.message);
  assert_int_equal(told(event, 1).code, error.code);
}

static void test_event__a_get_that_times_out_while_it_opens(void **state)
{
  (void)state;
  pool_config_t config = telling(1);
  pool_t *pool = make(&config);
  assert_int_equal(pool_get_for(pool, 3), POOL_E_TIMEOUT);
  ended(pool, POOL_EVENT_TIMED_OUT, POOL_E_TIMEOUT, 5 * MILLISECOND, offsetof(pool_stats_t, timed_out));
  the_words_are_the_events(POOL_EVENT_TIMED_OUT);
  assert_int_equal(told(POOL_EVENT_OPENED, 1).connection, 1);
  fake_finish(&fake, pool);
}

static void test_event__a_get_that_may_not_wait(void **state)
{
  (void)state;
  pool_config_t config = telling(1);
  pool_t *pool = make(&config);
  must(pool_pause(pool) == 0);
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  ended(pool, POOL_EVENT_TIMED_OUT, POOL_E_TIMEOUT, 0, offsetof(pool_stats_t, found_none));
  must(pool_resume(pool) == 0);
  fake_finish(&fake, pool);
}

static void test_event__a_get_whose_open_fails(void **state)
{
  (void)state;
  pool_config_t config = telling(1);
  pool_t *pool = make(&config);
  fake.fail_open = 1;
  assert_int_equal(pool_get(pool), POOL_E_OPEN);
  ended(pool, POOL_EVENT_GET_FAILED, POOL_E_OPEN, 5 * MILLISECOND, offsetof(pool_stats_t, failed_open));
  the_words_are_the_events(POOL_EVENT_GET_FAILED);
  assert_non_null(strstr(told(POOL_EVENT_GET_FAILED, 1).message, "the fake server refuses"));
  fake_finish(&fake, pool);
}

static void test_event__a_get_that_the_breaker_refuses(void **state)
{
  (void)state;
  pool_config_t config = telling(1);
  config.retry_min_ms = config.retry_max_ms = 60000;
  config.breaker_after = 1;
  config.event_mask = 1 << POOL_EVENT_GET_FAILED;
  pool_t *pool = make(&config);
  fake.fail_open = 1;
  assert_int_equal(pool_get(pool), POOL_E_OPEN);
  assert_int_equal(stats_of(pool).failed_open, 1);
  assert_int_equal(pool_get_for(pool, 0), POOL_E_OPEN);
  assert_int_equal(stats_of(pool).failed_open, 1);
  assert_int_equal(stats_of(pool).failed_fast, 1);
  struct heard got = {0};
  assert_true(pool_get_async(pool, 10, told_got, &got) > 0);
  virtual_pass(pool, 20 * MILLISECOND);
  assert_int_equal(got.times, 1);
  assert_int_equal(diary_count(&diary, POOL_EVENT_GET_FAILED) + (got.result == POOL_E_TIMEOUT), 3);
  assert_int_equal(stats_of(pool).failed_fast + stats_of(pool).timed_out, 2);
  fake_finish(&fake, pool);
}

static void test_event__a_get_from_a_closed_pool(void **state)
{
  (void)state;
  for (int asynchronous = 0; asynchronous < 2; asynchronous++) {
    pool_config_t config = telling(1);
    pool_t *pool = make(&config);
    struct heard got = {0};
    pool_close(pool, 0);
    assert_int_equal(asynchronous ? pool_get_async(pool, -1, told_got, &got) : pool_get(pool), POOL_E_CLOSED);
    ended(pool, POOL_EVENT_GET_FAILED, POOL_E_CLOSED, 0, offsetof(pool_stats_t, failed_closed));
    the_words_are_the_events(POOL_EVENT_GET_FAILED);
    fake_finish(&fake, pool);
  }
}

static void test_event__a_wait_that_a_close_ends(void **state)
{
  (void)state;
  for (int asynchronous = 0; asynchronous < 2; asynchronous++) {
    pool_config_t config = telling(1);
    pool_t *pool = make(&config);
    struct getter getter = {0};
    struct heard got = {0};
    must(pool_pause(pool) == 0);
    if (asynchronous)
      assert_true(pool_get_async(pool, -1, told_got, &got) > 0);
    else
      getter_queue(&getter, pool, -1);
    virtual_pass(pool, 70 * MILLISECOND);
    pool_close(pool, 0);
    pool_maintain(pool);
    assert_int_equal(asynchronous ? got.result : getter_end(&getter), POOL_E_CLOSED);
    ended(pool, POOL_EVENT_GET_FAILED, POOL_E_CLOSED, 70 * MILLISECOND, offsetof(pool_stats_t, failed_closed));
    fake_finish(&fake, pool);
  }
}

static void test_event__a_wait_that_is_cancelled_or_runs_out(void **state)
{
  (void)state;
  for (int cancelled = 0; cancelled < 2; cancelled++) {
    pool_config_t config = telling(1);
    pool_t *pool = make(&config);
    struct heard got = {0};
    must(pool_pause(pool) == 0);
    int64_t ticket = pool_get_async(pool, 70, told_got, &got);
    virtual_pass(pool, (cancelled ? 40 : 70) * MILLISECOND);
    assert_int_equal(pool_cancel(ticket), cancelled ? 0 : POOL_E_STALE);
    pool_maintain(pool);
    if (cancelled)
      ended(pool, POOL_EVENT_CANCELLED, POOL_E_CANCELLED, 40 * MILLISECOND, offsetof(pool_stats_t, cancelled));
    else
      ended(pool, POOL_EVENT_TIMED_OUT, POOL_E_TIMEOUT, 70 * MILLISECOND, offsetof(pool_stats_t, timed_out));
    must(pool_resume(pool) == 0);
    fake_finish(&fake, pool);
  }
}

static void test_event__a_get_that_succeeds_says_how_long_it_took(void **state)
{
  (void)state;
  pool_config_t config = telling(1);
  pool_t *pool = make(&config);
  pool_lease_t lease = pool_get(pool);
  assert_true(told(POOL_EVENT_LENT, 1).duration_ns == 5 * MILLISECOND); /* it opened */
  virtual_advance(20 * MILLISECOND);
  assert_int_equal(pool_put(lease), 0);
  assert_true(told(POOL_EVENT_RETURNED, 1).duration_ns == 20 * MILLISECOND);
  lease = pool_get(pool);
  assert_true(told(POOL_EVENT_LENT, 2).duration_ns == 0); /* it was there */
  struct getter getter = {0};
  getter_queue(&getter, pool, -1);
  virtual_pass(pool, 300 * MILLISECOND);
  assert_int_equal(pool_put(lease), 0);
  assert_true(getter_end(&getter) > 0);
  assert_true(told(POOL_EVENT_LENT, 3).duration_ns == 300 * MILLISECOND); /* it waited */
  fake_finish(&fake, pool);
}

static void test_event__what_is_no_get_ends_in_nothing(void **state)
{
  (void)state;
  pool_config_t config = telling(1);
  pool_t *pool = make(&config);
  int before = diary.length;
  assert_int_equal(pool_get_for(pool, -2), POOL_E_INVALID);
  assert_int_equal(pool_get_async(pool, -1, NULL, NULL), POOL_E_INVALID);
  assert_int_equal(diary.length, before);
  fake_finish(&fake, pool);
}

static void fail_elsewhere(void *user, const pool_event_t *event)
{
  (void)user, (void)event;
  must(pool_put(-1) == POOL_E_STALE);
}

static void test_event__what_a_listener_does_leaves_the_failure(void **state)
{
  (void)state;
  pool_config_t config = telling(1);
  config.events = fail_elsewhere;
  pool_t *pool = make(&config);
  fake.fail_open = 1;
  assert_int_equal(pool_get(pool), POOL_E_OPEN);
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(pool_failure(&error), POOL_E_OPEN);
  assert_int_equal(error.native, 111);
  assert_non_null(strstr(error.message, "the fake server refuses"));
  fake_finish(&fake, pool);
}

/* ---- which connection ---- */

static void test_event__each_names_its_connection(void **state)
{
  (void)state;
  pool_config_t config = telling(2);
  config.leak_after_ms = 1000;
  pool_t *pool = make(&config);
  fake.fail_open = 1;
  assert_int_equal(pool_get(pool), POOL_E_OPEN);
  assert_int_equal(told(POOL_EVENT_OPENING, 1).connection, 1);
  assert_int_equal(told(POOL_EVENT_OPEN_FAILED, 1).connection, 1);
  pool_lease_t second = pool_get(pool), third = pool_get(pool);
  assert_int_equal(told(POOL_EVENT_OPENING, 3).connection, 3);
  assert_int_equal(told(POOL_EVENT_OPENED, 2).connection, 3);
  assert_int_equal(told(POOL_EVENT_LENT, 2).connection, 3);
  pool_lease_info_t info[2] = {POOL_LEASE_INFO_INIT};
  assert_int_equal(pool_leases(pool, info, 2), 2);
  for (int i = 0; i < 2; i++)
    assert_int_equal(info[i].connection, info[i].lease == second ? 2 : 3);
  assert_int_equal(pool_put(second), 0);
  assert_int_equal(told(POOL_EVENT_RETURNED, 1).connection, 2);
  virtual_pass(pool, 2 * SECOND);
  assert_int_equal(told(POOL_EVENT_LEAKED, 1).connection, 3);
  assert_int_equal(pool_mark_unusable(third), 0);
  assert_int_equal(pool_put(third), 0);
  assert_int_equal(told(POOL_EVENT_LEAK_RETURNED, 1).connection, 3);
  assert_int_equal(told(POOL_EVENT_RETURNED, 2).connection, 3);
  assert_int_equal(told(POOL_EVENT_CLOSED, 1).connection, 3);
  pool_flush(pool);
  assert_int_equal(told(POOL_EVENT_CLOSED, 2).connection, 2);
  second = pool_get(pool); /* a slot serves again, a number does not */
  assert_int_equal(told(POOL_EVENT_LENT, 3).connection, 4);
  assert_int_equal(pool_put(second), 0);
  fake_finish(&fake, pool);
  pool = make(&config);
  diary.length = 0;
  assert_int_equal(pool_put(pool_get(pool)), 0);
  assert_int_equal(told(POOL_EVENT_LENT, 1).connection, 1); /* each pool counts its own */
  fake_finish(&fake, pool);
}

/* ---- the pool ---- */

static void are_told(const int32_t *events, int count)
{
  assert_int_equal(diary.length, count);
  for (int i = 0; i < count; i++) {
    assert_int_equal(diary.entries[i].event, events[i]);
    assert_string_equal(diary.entries[i].pool, "prices");
  }
}

static void test_event__the_life_of_a_pool(void **state)
{
  (void)state;
  pool_config_t config = telling(3);
  config.initial = 1;
  pool_t *pool = make(&config);
  assert_int_equal(pool_flush(pool), 1);
  assert_int_equal(pool_pause(pool), 0);
  assert_int_equal(pool_pause(pool), 0); /* it is paused already */
  assert_int_equal(pool_resume(pool), 1);
  assert_int_equal(pool_resume(pool), 0);
  assert_int_equal(pool_resume(pool), POOL_E_INVALID);
  assert_int_equal(pool_resize(pool, 2), 0);
  assert_int_equal(pool_resize(pool, -1), POOL_E_INVALID);
  assert_string_equal(diary_last(&diary, POOL_EVENT_POOL_RESIZED).message, "max_open is 2 now");
  assert_int_equal(pool_put(pool_get(pool)), 0);
  assert_int_equal(pool_close(pool, 0), 0);
  assert_int_equal(pool_close(pool, 0), 0);
  assert_int_equal(pool_pause(pool), POOL_E_CLOSED);
  assert_int_equal(pool_resize(pool, 1), POOL_E_CLOSED);
  pool_free(pool);
  const int32_t expected[] = {
      POOL_EVENT_POOL_CREATED, POOL_EVENT_OPENING,     POOL_EVENT_OPENED,       POOL_EVENT_POOL_FLUSHED,
      POOL_EVENT_CLOSED,       POOL_EVENT_POOL_PAUSED, POOL_EVENT_POOL_RESUMED, POOL_EVENT_POOL_RESIZED,
      POOL_EVENT_OPENING,      POOL_EVENT_OPENED,      POOL_EVENT_LENT,         POOL_EVENT_RETURNED,
      POOL_EVENT_CLOSED,       POOL_EVENT_POOL_CLOSED,
  };
  are_told(expected, sizeof expected / sizeof *expected);
}

static _Atomic int64_t wakes_when_told;

static void note_wakes(void *user, const pool_event_t *event)
{
  if (event->event == POOL_EVENT_POOL_RESUMED || event->event == POOL_EVENT_POOL_RESIZED)
    atomic_store((_Atomic int64_t *)user, virtual_wakes());
}

static void test_event__a_resume_or_resize_is_told_before_what_follows_from_it(void **state)
{
  (void)state;
  for (int resizes = 0; resizes < 2; resizes++) {
    pool_config_t config = telling(1);
    config.events = note_wakes;
    config.user = &wakes_when_told;
    config.log = NULL;
    config.paused = !resizes;
    pool_t *pool = make(&config);
    pool_lease_t lease = resizes ? pool_get(pool) : 0;
    struct getter getter = {0};
    getter_queue(&getter, pool, -1);
    wait_until(virtual_sleepers() == 1);
    int64_t before = virtual_wakes();
    assert_int_equal(resizes ? pool_resize(pool, 2) : pool_resume(pool), 0);
    assert_true(wakes_when_told == before); /* the waiter still slept */
    assert_true(getter_end(&getter) > 0);
    if (resizes)
      assert_int_equal(pool_put(lease), 0);
    fake_finish(&fake, pool);
  }
}

static void test_event__a_pool_that_begins_paused(void **state)
{
  (void)state;
  pool_config_t config = telling(3);
  config.paused = 1;
  pool_t *pool = make(&config);
  assert_int_equal(pool_resume(pool), 0);
  fake_finish(&fake, pool);
  const int32_t expected[] = {POOL_EVENT_POOL_CREATED, POOL_EVENT_POOL_PAUSED, POOL_EVENT_POOL_RESUMED,
                              POOL_EVENT_POOL_CLOSED};
  are_told(expected, sizeof expected / sizeof *expected);
}

static void test_event__a_pool_that_could_not_be_made_is_closed(void **state)
{
  (void)state;
  pool_config_t config = telling(3);
  config.initial = 2;
  fake_init(&fake);
  fake.good_opens = 1;
  fake.fail_open = 1;
  pool_vtable_t vtable = fake_vtable();
  pool_t *pool;
  assert_int_equal(pool_create(&config, &vtable, &fake, &pool, NULL), POOL_E_OPEN);
  assert_int_equal(diary.entries[0].event, POOL_EVENT_POOL_CREATED);
  told(POOL_EVENT_OPEN_FAILED, 1);
  told(POOL_EVENT_CLOSED, 1);
  told(POOL_EVENT_POOL_CLOSED, 1);
}

static void test_event__what_is_idle_has_one_meaning(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  pool_t *pool;
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_create(&config, 0, &pool, NULL), 0);
  assert_int_equal(pool_step_begin(pool, 0, 0, &step), 0);
  pool_lease_t lease = pool_step_done(step.claim, NULL, pool, &step);
  assert_int_equal(pool_step_end(lease, &step), 0);
  assert_int_equal(stats_of(pool).idle, 1);
  assert_int_equal(pool_len(pool), 1);
  assert_int_equal(pool_flush(pool), 1);
  assert_int_equal(pool_len(pool), 0);
  assert_int_equal(stats_of(pool).idle, 0); /* it is only there to be closed */
  assert_int_equal(stats_of(pool).open, 1);
  assert_int_equal(pool_step_next(pool, &step), 1);
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  assert_int_equal(pool_step_begin(pool, 0, 0, &step), 0);
  lease = pool_step_done(step.claim, NULL, pool, &step);
  assert_int_equal(pool_step_end(lease, &step), 0);
  pool_close(pool, 0);
  assert_int_equal(pool_len(pool), 0);
  assert_int_equal(stats_of(pool).idle, 0);
  assert_int_equal(stats_of(pool).opened - stats_of(pool).closed, stats_of(pool).open);
  pool_free(pool);
}

/* ---- why a connection was closed ---- */

static void close_unusable(pool_t *pool)
{
  pool_lease_t lease = pool_get(pool);
  pool_mark_unusable(lease);
  pool_put(lease);
}

static void close_surplus(pool_t *pool)
{
  pool_lease_t leases[] = {pool_get(pool), pool_get(pool), pool_get(pool)};
  for (int i = 0; i < 3; i++)
    pool_put(leases[i]);
}

static void close_all(pool_t *pool)
{
  pool_close(pool, 0);
}

static void close_dead(pool_t *pool)
{
  virtual_pass(pool, SECOND);
  fake.fail_check = 1;
  pool_lease_t lease = pool_get(pool);
  pool_put(lease);
}

static void close_dirty(pool_t *pool)
{
  pool_lease_t lease = pool_get(pool);
  fake.fail_reset = 1;
  pool_put(lease);
}

static void close_idle(pool_t *pool)
{
  virtual_pass(pool, 5 * SECOND);
}

static void close_old(pool_t *pool)
{
  pool_lease_t lease = pool_get(pool);
  virtual_pass(pool, 100 * SECOND);
  pool_put(lease);
}

static void close_flushed(pool_t *pool)
{
  pool_flush(pool);
}

static void close_too_many(pool_t *pool)
{
  pool_lease_t leases[] = {pool_get(pool), pool_get(pool)};
  pool_resize(pool, 1);
  for (int i = 0; i < 2; i++)
    pool_put(leases[i]);
}

static void test_event__closing_says_why(void **state)
{
  (void)state;
  const struct {
    void (*provoke)(pool_t *pool);
    int32_t reason;
    size_t counter; /* in pool_stats_t, or 0 */
  } cases[] = {
      {close_unusable, POOL_REASON_UNUSABLE, offsetof(pool_stats_t, closed_unusable)},
      {close_surplus, POOL_REASON_SURPLUS, offsetof(pool_stats_t, closed_surplus)},
      {close_all, POOL_REASON_CLOSED, 0},
      {close_dead, POOL_REASON_CHECK, offsetof(pool_stats_t, check_failures)},
      {close_dirty, POOL_REASON_RESET, offsetof(pool_stats_t, reset_failures)},
      {close_idle, POOL_REASON_IDLE, offsetof(pool_stats_t, closed_idle)},
      {close_old, POOL_REASON_LIFETIME, offsetof(pool_stats_t, closed_lifetime)},
      {close_flushed, POOL_REASON_FLUSHED, offsetof(pool_stats_t, closed_flushed)},
      {close_too_many, POOL_REASON_RESIZED, offsetof(pool_stats_t, closed_resized)},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    pool_config_t config = telling(5);
    config.initial = 1;
    config.max_idle = 2;
    config.idle_timeout_ms = 5000;
    config.max_lifetime_ms = 100000;
    config.check_after_ms = 1000;
    pool_t *pool = make(&config);
    cases[i].provoke(pool);
    struct entry closed = told(POOL_EVENT_CLOSED, 1);
    assert_int_equal(closed.reason, cases[i].reason);
    assert_true(closed.lease == 0);
    pool_stats_t stats = stats_of(pool);
    assert_int_equal(stats.closed, 1);
    if (cases[i].counter)
      assert_true(*(int64_t *)((char *)&stats + cases[i].counter) == 1);
    fake_finish(&fake, pool);
  }
}

/* ---- which are told ---- */

static void test_event__the_mask_chooses(void **state)
{
  (void)state;
  for (int32_t event = POOL_EVENT_OPENED; event <= POOL_EVENT_RETURNED; event++) {
    pool_config_t config = telling(1);
    config.event_mask = 1 << event;
    pool_t *pool = make(&config);
    fake.fail_open = 1;
    assert_int_equal(pool_get(pool), POOL_E_OPEN);
    pool_lease_t lease = pool_get(pool);
    assert_int_equal(pool_put(lease), 0);
    fake_finish(&fake, pool);
    for (int32_t other = POOL_EVENT_OPENED; other <= POOL_EVENT_WARNING; other++)
      assert_int_equal(diary_count(&diary, other), other == event);
    assert_int_equal(diary_lines(&diary, POOL_LOG_WARN), 1); /* the log is not of these */
  }
}

static void test_event__the_log_does_without_events(void **state)
{
  (void)state;
  pool_config_t config = telling(1);
  config.events = NULL;
  pool_t *pool = make(&config);
  fake.fail_open = 1;
  assert_int_equal(pool_get(pool), POOL_E_OPEN);
  assert_int_equal(diary_lines(&diary, POOL_LOG_WARN), 1);
  assert_int_equal(diary.length, 1);
  fake_finish(&fake, pool);
}

static void refused_for_steps(const pool_config_t *config, const char *member)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool = NULL;
  assert_int_equal(pool_step_create(config, 0, &pool, &error), POOL_E_INVALID);
  assert_null(pool);
  assert_non_null(strstr(error.message, member));
}

static void test_event__pools_that_never_call_back_refuse_both(void **state)
{
  (void)state;
  pool_config_t config = telling(1);
  config.log = NULL;
  refused_for_steps(&config, "events");
  config = telling(1);
  config.events = NULL;
  refused_for_steps(&config, "log");
}

/* ---- from within ---- */

/* Uses its pool at every event, but not within that. */
struct busybody {
  pool_t *pool;
  _Atomic int seen[POOL_EVENT_WARNING + 1];
  bool closes;
};

static _Thread_local int depth;

static void use_the_pool(void *user, const pool_event_t *event)
{
  struct busybody *busybody = user;
  atomic_fetch_add(&busybody->seen[event->event], 1);
  if (depth > 0 || !busybody->pool)
    return;
  depth++;
  pool_stats_t stats = POOL_STATS_INIT;
  must(pool_stats(busybody->pool, &stats) == 0);
  must(pool_leases(busybody->pool, NULL, 0) >= 0);
  pool_lease_t lease = pool_get_for(busybody->pool, 0);
  must(lease > 0 ? pool_put(lease) == 0 : lease == POOL_E_TIMEOUT || lease == POOL_E_CLOSED || lease == POOL_E_OPEN);
  must(pool_maintain(busybody->pool) >= 0);
  if (busybody->closes)
    must(pool_close(busybody->pool, 0) >= 0);
  depth--;
}

static void log_and_use_the_pool(void *user, int32_t level, const char *line)
{
  const pool_event_t event = {.event = level};
  (void)line;
  use_the_pool(user, &event);
}

static void test_event__no_lock_is_held_meanwhile(void **state)
{
  (void)state;
  for (int closes = 0; closes < 2; closes++) {
    struct busybody busybody = {.closes = closes};
    pool_config_t config = telling(2);
    config.events = use_the_pool;
    config.log = log_and_use_the_pool;
    config.user = &busybody;
    config.leak_after_ms = 1000;
    config.retry_min_ms = 10;
    config.breaker_after = 1;
    pool_t *pool = make(&config);
    busybody.pool = pool;
    pool_lease_t lease = pool_get(pool);
    assert_true(closes ? lease < 0 || lease > 0 : lease > 0);
    virtual_pass(pool, 2 * SECOND);
    if (lease > 0)
      assert_int_equal(pool_put(lease), 0);
    fake.fail_open = 1000000;
    pool_flush(pool);
    assert_true(pool_get(pool) < 0);
    fake.fail_open = 0;
    virtual_pass(pool, 10 * SECOND);
    if (!closes) {
      assert_true(busybody.seen[POOL_EVENT_LEAKED] >= 1);
      assert_true(busybody.seen[POOL_EVENT_LEAK_RETURNED] >= 1);
      assert_true(busybody.seen[POOL_EVENT_BREAKER_OPENED] >= 1);
      assert_true(busybody.seen[POOL_EVENT_BREAKER_CLOSED] >= 1);
    }
    fake_finish(&fake, pool);
  }
}

/* ---- many at one time ---- */

struct tally {
  _Atomic int64_t counts[POOL_EVENT_WARNING + 1];
};

static void count(void *user, const pool_event_t *event)
{
  struct tally *tally = user;
  atomic_fetch_add(&tally->counts[event->event], 1);
}

static void *get_often(void *data)
{
  for (int i = 0; i < 2000; i++) {
    pool_lease_t lease = pool_get(data);
    must(lease > 0);
    if (i % 50 == 0)
      must(pool_mark_unusable(lease) == 0);
    must(pool_put(lease) == 0);
  }
  return NULL;
}

static void test_event__none_is_lost_and_none_told_twice(void **state)
{
  (void)state;
  static struct tally tally;
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 2;
  config.events = count;
  config.user = &tally;
  fake_init(&fake);
  pool_t *pool = fake_pool(&fake, &config, NULL);
  pthread_t threads[6];
  for (int i = 0; i < 6; i++)
    threads[i] = thread_start(get_often, pool);
  for (int i = 0; i < 6; i++)
    thread_end(threads[i]);
  pool_stats_t stats = stats_of(pool);
  assert_int_equal(tally.counts[POOL_EVENT_LENT], 6 * 2000);
  assert_int_equal(tally.counts[POOL_EVENT_RETURNED], 6 * 2000);
  assert_in_range(tally.counts[POOL_EVENT_WAITED], 0, stats.waited); /* a wait of no time is none */
  assert_int_equal(tally.counts[POOL_EVENT_OPENED], stats.opened);
  assert_int_equal(tally.counts[POOL_EVENT_CLOSED], stats.closed);
  fake_finish(&fake, pool);
  assert_int_equal(tally.counts[POOL_EVENT_CLOSED], fake.closed);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_event__the_life_of_a_connection),
      cmocka_unit_test(test_event__a_wait_is_told_before_what_it_brought),
      cmocka_unit_test(test_event__asynchronous_gets_are_told_like_others),
      cmocka_unit_test(test_event__gets_that_fail),
      cmocka_unit_test(test_event__opens_that_fail),
      cmocka_unit_test(test_event__the_initial_connections_are_told_of),
      cmocka_unit_test(test_event__a_get_that_times_out_while_it_opens),
      cmocka_unit_test(test_event__a_get_that_may_not_wait),
      cmocka_unit_test(test_event__a_get_whose_open_fails),
      cmocka_unit_test(test_event__a_get_that_the_breaker_refuses),
      cmocka_unit_test(test_event__a_get_from_a_closed_pool),
      cmocka_unit_test(test_event__a_wait_that_a_close_ends),
      cmocka_unit_test(test_event__a_wait_that_is_cancelled_or_runs_out),
      cmocka_unit_test(test_event__a_get_that_succeeds_says_how_long_it_took),
      cmocka_unit_test(test_event__what_is_no_get_ends_in_nothing),
      cmocka_unit_test(test_event__what_a_listener_does_leaves_the_failure),
      cmocka_unit_test(test_event__each_names_its_connection),
      cmocka_unit_test(test_event__the_life_of_a_pool),
      cmocka_unit_test(test_event__a_resume_or_resize_is_told_before_what_follows_from_it),
      cmocka_unit_test(test_event__a_pool_that_begins_paused),
      cmocka_unit_test(test_event__a_pool_that_could_not_be_made_is_closed),
      cmocka_unit_test(test_event__what_is_idle_has_one_meaning),
      cmocka_unit_test(test_event__closing_says_why),
      cmocka_unit_test(test_event__the_mask_chooses),
      cmocka_unit_test(test_event__the_log_does_without_events),
      cmocka_unit_test(test_event__pools_that_never_call_back_refuse_both),
      cmocka_unit_test(test_event__no_lock_is_held_meanwhile),
      cmocka_unit_test(test_event__none_is_lost_and_none_told_twice),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
