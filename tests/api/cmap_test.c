/* SPDX-License-Identifier: MIT */
/*
 * What MongoDB's specification of connection pools (CMAP: connection monitoring and pooling) asks of a pool, by the
 * calls and events of this library.
 *
 *  CMAP                            here
 *  ----                            ----
 *  maxPoolSize                     max_open
 *  minPoolSize                     min_open
 *  maxIdleTimeMS                   idle_timeout_ms
 *  maxConnecting                   max_opening
 *  waitQueueTimeoutMS              get_timeout_ms, or the timeout of pool_get_for()
 *  backgroundThreadIntervalMS      none: library threads (or pool_maintain) act when something is due
 *  a new pool is paused            paused = 1, and pool_evict() so that no get waits for it
 *  checkOut, checkIn               pool_get_for(), pool_put()
 *  ready                           pool_resume(), if the pool is paused
 *  clear                           pool_pause(), pool_flush() and pool_evict(), if it is not paused
 *  .. interruptInUseConnections    and then pool_put() of what pool_leases() lists; an open under way is the driver's
 *                                  to interrupt
 *  a failed open clears the pool   not done by the library, which retries; an event callback may do it, as below
 *  close                           pool_close(pool, 0)
 *  generation                      not shown; what pool_flush() made stale is closed with POOL_REASON_FLUSHED
 *
 *  ConnectionPoolCreated           POOL_EVENT_POOL_CREATED, without the options, which the program has itself
 *  ConnectionPoolReady             POOL_EVENT_POOL_RESUMED
 *  ConnectionPoolCleared           POOL_EVENT_POOL_FLUSHED
 *  ConnectionPoolClosed            POOL_EVENT_POOL_CLOSED
 *  ConnectionCreated               POOL_EVENT_OPENING
 *  ConnectionReady                 POOL_EVENT_OPENED
 *  ConnectionClosed                POOL_EVENT_CLOSED with its reason; of one that was never ready
 * POOL_EVENT_OPEN_FAILED ConnectionCheckOutStarted       none: a get that begins is told to nobody; its end has how
 * long it took ConnectionCheckedOut            POOL_EVENT_LENT ConnectionCheckOutFailed        POOL_EVENT_TIMED_OUT or
 * POOL_EVENT_GET_FAILED: POOL_E_CLOSED, _EVICTED, _OPEN ConnectionCheckedIn             POOL_EVENT_RETURNED
 */
#include <string.h>

#include "virtual.h"
#include "witness.h"

static struct fake fake;
static struct diary diary;

/* Each open of a scene waits at the gate of its number; open but where the scene closes it. */
enum { GATES = 8 };
static struct gate gates[GATES];
static _Atomic int begun;

static int gated_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  int number = atomic_fetch_add(&begun, 1);
  if (number < GATES)
    gate_pass(&gates[number]);
  return fake_open(context, deadline_ns, conn, error);
}

/* CMAP's default of maxConnecting. */
#define OPTIONS(...) PLAN(.config.max_opening = 2, .vtable.open = gated_open, __VA_ARGS__)

static pool_t *pool;

/* A listener of the test's own passes on to this one, which notes. */
static pool_event_fn *note;

/* Threads that get, and the gate at which those of hold_leases() keep what they got. */
static struct getter getters[4];
static struct gate hold;

/* How many opens will be held up. */
static void make(int held, const struct plan *options)
{
  pool_config_t config = options->config;
  fake_init(&fake);
  memset(getters, 0, sizeof getters);
  gate_init(&hold, false);
  atomic_store(&begun, 0);
  for (int i = 0; i < GATES; i++)
    gate_init(&gates[i], i >= held);
  diary_init(&diary, &config);
  note = config.events;
  if (options->config.events)
    config.events = options->config.events;
  pool = fake_pool(&fake, &config, &options->vtable);
}

static void end(void)
{
  fake_finish(&fake, pool);
}

static void hold_leases(void)
{
  for (size_t i = 0; i < sizeof getters / sizeof *getters; i++)
    getters[i].release = &hold;
}

static void let_go(int count)
{
  gate_set(&hold, true);
  getters_end(getters, count);
}

/* A get comes as far as its open. */
static void begin_to_open(int number, int64_t timeout_ms)
{
  int before = begun;
  getter_start(&getters[number], pool, timeout_ms);
  wait_until(begun == before + 1);
}

/* CMAP's clear.  It is told first, then what follows from it; and nothing begins in between. */
static void clear(void)
{
  must(pool_pause(pool) >= 0);
  must(pool_flush(pool) >= 0);
  must(pool_evict(pool) >= 0);
}

static void ready(void)
{
  assert_int_equal(pool_resume(pool), 0);
}

static pool_lease_t check_out(void)
{
  pool_lease_t lease = pool_get_for(pool, 10000);
  assert_true(lease > 0);
  return lease;
}

static void check_in(pool_lease_t lease)
{
  assert_int_equal(pool_put(lease), 0);
}

/* Openers end after a second without work; then the keeper is alone, and nothing is due however much time passes. */
static void rest(void)
{
  wait_until(
      (virtual_advance(SECOND), yield_ns(), virtual_sleepers() == 1 && virtual_next_deadline() == POOL_NO_DEADLINE));
}

/* ---- what was told ---- */

#define ANY (-1)

struct happening {
  int32_t event;
  int64_t connection;
  int32_t why; /* the reason of a close, else the code */
};

static bool is_among(const struct happening *list, int32_t event)
{
  while (list->event && list->event != event)
    list++;
  return list->event != 0;
}

static bool is_such(const struct happening *expected, const struct entry *entry)
{
  int32_t why = entry->event == POOL_EVENT_CLOSED ? entry->reason : entry->code;
  return expected->event == entry->event &&
         (expected->connection == ANY || expected->connection == entry->connection) &&
         (expected->why == ANY || expected->why == why);
}

/* Of the kinds in a list, exactly those of the list were told, in its order. */
static void assert_told(int line, const struct happening *list)
{
  const struct happening *next = list;
  pthread_mutex_lock(&diary.lock);
  for (int i = 0; i < diary.length; i++) {
    struct entry *entry = &diary.entries[i];
    if (entry->level || !is_among(list, entry->event))
      continue;
    if (!is_such(next, entry))
      fail_msg("line %d: event %d in place of %d as number %d: connection %d, reason %d, code %d", line, entry->event,
               next->event, (int)(next - list), (int)entry->connection, entry->reason, entry->code);
    next++;
  }
  pthread_mutex_unlock(&diary.lock);
  if (next->event)
    fail_msg("line %d: event %d was not told", line, next->event);
}
#define assert_events(...) assert_told(__LINE__, (struct happening[]){__VA_ARGS__, {0, 0, 0}})

#define CREATED                                                                                                        \
  {                                                                                                                    \
    POOL_EVENT_POOL_CREATED, 0, 0                                                                                      \
  }
#define READY                                                                                                          \
  {                                                                                                                    \
    POOL_EVENT_POOL_RESUMED, 0, 0                                                                                      \
  }
#define CLEARED                                                                                                        \
  {                                                                                                                    \
    POOL_EVENT_POOL_FLUSHED, 0, 0                                                                                      \
  }
#define POOL_ENDED                                                                                                     \
  {                                                                                                                    \
    POOL_EVENT_POOL_CLOSED, 0, 0                                                                                       \
  }
#define OPENING(n)                                                                                                     \
  {                                                                                                                    \
    POOL_EVENT_OPENING, n, 0                                                                                           \
  }
#define OPENED(n)                                                                                                      \
  {                                                                                                                    \
    POOL_EVENT_OPENED, n, 0                                                                                            \
  }
#define REFUSED(n)                                                                                                     \
  {                                                                                                                    \
    POOL_EVENT_OPEN_FAILED, n, POOL_E_OPEN                                                                             \
  }
#define LENT(n)                                                                                                        \
  {                                                                                                                    \
    POOL_EVENT_LENT, n, 0                                                                                              \
  }
#define PUT(n)                                                                                                         \
  {                                                                                                                    \
    POOL_EVENT_RETURNED, n, 0                                                                                          \
  }
#define FAILED(e)                                                                                                      \
  {                                                                                                                    \
    POOL_EVENT_GET_FAILED, 0, e                                                                                        \
  }
#define TIMED_OUT                                                                                                      \
  {                                                                                                                    \
    POOL_EVENT_TIMED_OUT, 0, POOL_E_TIMEOUT                                                                            \
  }
#define CLOSED(n, reason)                                                                                              \
  {                                                                                                                    \
    POOL_EVENT_CLOSED, n, reason                                                                                       \
  }

/* ---- connections ---- */

static void test_cmap__connections_have_ids_in_the_order_in_which_they_are_opened(void **state)
{
  (void)state;
  make(0, OPTIONS());
  pool_lease_t first = check_out(), second = check_out();
  assert_events(OPENING(1), OPENED(1), LENT(1), OPENING(2), OPENED(2), LENT(2));
  check_in(first);
  check_in(second);
  end();
}

static void test_cmap__a_get_says_how_long_it_took_and_what_it_opened(void **state)
{
  (void)state;
  make(1, OPTIONS());
  hold_leases();
  begin_to_open(0, -1);
  virtual_advance(70 * MILLISECOND);
  gate_set(&gates[0], true);
  wait_until(diary_count(&diary, POOL_EVENT_LENT) == 1);
  assert_events(OPENING(1), OPENED(1), LENT(1));
  assert_true(diary_last(&diary, POOL_EVENT_OPENED).duration_ns == 70 * MILLISECOND);
  assert_true(diary_last(&diary, POOL_EVENT_LENT).duration_ns == 70 * MILLISECOND);
  let_go(1);
  end();
}

static void test_cmap__what_was_put_is_there_for_the_next(void **state)
{
  (void)state;
  make(0, OPTIONS());
  check_in(check_out());
  pool_lease_t again = check_out();
  assert_events(OPENING(1), LENT(1), PUT(1), LENT(1));
  assert_true(diary_last(&diary, POOL_EVENT_LENT).duration_ns == 0);
  check_in(again);
  end();
}

static void test_cmap__what_is_put_into_a_closed_pool_is_closed(void **state)
{
  (void)state;
  make(0, OPTIONS());
  pool_lease_t lease = check_out();
  assert_int_equal(pool_close(pool, 0), 1);
  check_in(lease);
  assert_events(LENT(1), POOL_ENDED, PUT(1), CLOSED(1, POOL_REASON_CLOSED));
  end();
}

static void test_cmap__what_is_put_into_a_cleared_pool_is_closed(void **state)
{
  (void)state;
  make(0, OPTIONS());
  pool_lease_t lease = check_out();
  clear();
  check_in(lease);
  assert_events(LENT(1), CLEARED, PUT(1), CLOSED(1, POOL_REASON_FLUSHED));
  end();
}

static void test_cmap__what_is_stale_is_closed_and_not_lent(void **state)
{
  (void)state;
  make(0, OPTIONS());
  check_in(check_out());
  clear();
  ready();
  pool_lease_t lease = check_out();
  assert_events(LENT(1), PUT(1), CLEARED, CLOSED(1, POOL_REASON_FLUSHED), READY, LENT(2));
  check_in(lease);
  end();
}

static void test_cmap__what_was_idle_too_long_is_closed_and_not_lent(void **state)
{
  (void)state;
  for (int32_t keeper = POOL_KEEPER_THREAD; keeper <= POOL_KEEPER_MANUAL; keeper++) {
    make(0, OPTIONS(.config.idle_timeout_ms = 10, .config.keeper = keeper));
    check_in(check_out());
    if (keeper == POOL_KEEPER_MANUAL)
      virtual_pass(pool, 50 * MILLISECOND);
    else
      wait_until((virtual_advance(MILLISECOND), diary_count(&diary, POOL_EVENT_CLOSED) == 1));
    pool_lease_t lease = check_out();
    assert_events(CREATED, LENT(1), PUT(1), CLOSED(1, POOL_REASON_IDLE), LENT(2));
    check_in(lease);
    end();
  }
}

/* Where nobody looked meanwhile, a get finds it out; it has a deadline, so the close is left to others. */
static void test_cmap__what_was_idle_too_long_is_not_lent_where_nobody_looked_after_it(void **state)
{
  (void)state;
  make(0, OPTIONS(.config.idle_timeout_ms = 10, .config.keeper = POOL_KEEPER_MANUAL));
  check_in(check_out());
  virtual_advance(50 * MILLISECOND);
  pool_lease_t lease = check_out();
  check_in(lease);
  assert_events(LENT(1), PUT(1), LENT(2), PUT(2), CLOSED(1, POOL_REASON_IDLE));
  end();
}

/* ---- how many ---- */

static void test_cmap__several_connections_are_lent_at_one_time(void **state)
{
  (void)state;
  make(0, OPTIONS());
  hold_leases();
  for (int i = 0; i < 3; i++)
    getter_start(&getters[i], pool, -1);
  wait_until(pool_leases(pool, NULL, 0) == 3);
  assert_true(fake.opened == 3);
  let_go(3);
  assert_events(LENT(ANY), LENT(ANY), LENT(ANY));
  end();
}

static void test_cmap__there_are_never_more_than_the_most(void **state)
{
  (void)state;
  make(0, OPTIONS(.config.max_open = 3));
  pool_lease_t first = check_out(), second = check_out();
  check_in(check_out());
  pool_lease_t third = check_out();
  getter_queue(&getters[0], pool, -1);
  check_in(first);
  assert_true(getter_end(&getters[0]) > 0);
  assert_events(CREATED, OPENING(1), LENT(1), OPENING(2), LENT(2), OPENING(3), LENT(3), PUT(3), LENT(3), PUT(1),
                LENT(1), PUT(1));
  assert_int_equal(fake.most_open, 3);
  check_in(second);
  check_in(third);
  end();
}

static void test_cmap__the_least_are_opened_unasked(void **state)
{
  (void)state;
  make(0, OPTIONS(.config.max_open = 50, .config.min_open = 5, .config.idle_timeout_ms = 100));
  wait_until(pool_len(pool) == 5);
  pool_lease_t lease = check_out();
  assert_events(CREATED, OPENING(1), OPENING(2), OPENING(3), OPENING(4), OPENING(5), LENT(ANY));
  check_in(lease);
  end();
}

/* ---- how many are opened at one time ---- */

static void test_cmap__one_opens_after_the_other_where_it_is_set_so(void **state)
{
  (void)state;
  make(2, OPTIONS(.config.max_opening = 1, .config.max_open = 2));
  hold_leases();
  begin_to_open(0, -1);
  getter_queue(&getters[1], pool, -1);
  gate_set(&gates[0], true);
  wait_until(begun == 2);
  gate_set(&gates[1], true);
  wait_until(diary_count(&diary, POOL_EVENT_LENT) == 2);
  assert_events(OPENING(1), OPENED(1), OPENING(2), OPENED(2));
  let_go(2);
  end();
}

static void test_cmap__a_third_opens_when_one_of_two_is_open(void **state)
{
  (void)state;
  make(3, OPTIONS(.config.max_open = 10));
  hold_leases();
  for (int i = 0; i < 2; i++)
    begin_to_open(i, -1);
  getter_queue(&getters[2], pool, -1);
  gate_set(&gates[0], true);
  wait_until(begun == 3);
  assert_events(OPENING(1), OPENING(2), OPENED(1), OPENING(3));
  gate_set(&gates[1], true);
  gate_set(&gates[2], true);
  wait_until(diary_count(&diary, POOL_EVENT_LENT) == 3);
  assert_int_equal(diary_count(&diary, POOL_EVENT_OPENED), 3);
  let_go(3);
  end();
}

static void test_cmap__who_may_not_open_yet_waits_no_longer_than_its_timeout(void **state)
{
  (void)state;
  make(2, OPTIONS(.config.max_open = 10));
  for (int i = 0; i < 2; i++)
    begin_to_open(i, 50);
  getter_queue(&getters[2], pool, 50);
  virtual_advance(50 * MILLISECOND);
  assert_int_equal(getter_end(&getters[2]), POOL_E_TIMEOUT);
  assert_events(TIMED_OUT);
  assert_true(diary_last(&diary, POOL_EVENT_TIMED_OUT).duration_ns == 50 * MILLISECOND);
  virtual_advance(700 * MILLISECOND);
  for (int i = 0; i < 2; i++) {
    gate_set(&gates[i], true);
    assert_int_equal(getter_end(&getters[i]), POOL_E_TIMEOUT); /* the timeout is that of the open, too */
  }
  assert_int_equal(pool_len(pool), 2); /* for the next */
  end();
}

static void test_cmap__who_may_not_open_takes_what_the_pool_opens_unasked(void **state)
{
  (void)state;
  for (int32_t openers = 0; openers <= 2; openers += 2) {
    make(2, OPTIONS(.config.min_open = 2, .config.max_open = 3, .config.openers = openers));
    hold_leases();
    wait_until(begun == (openers == 0 ? 1 : 2)); /* one library thread opens unasked, or two */
    getter_start(&getters[0], pool, -1);
    wait_until(openers == 0 ? begun == 2 : stats_of(pool).waiting == 1);
    getter_queue(&getters[1], pool, -1);
    gate_set(&gates[0], true);
    wait_until(diary_count(&diary, POOL_EVENT_LENT) == 1);
    gate_set(&gates[1], true);
    wait_until(diary_count(&diary, POOL_EVENT_LENT) == 2);
    rest();
    assert_events(OPENING(ANY), OPENING(ANY), LENT(ANY), LENT(ANY));
    let_go(2);
    end();
  }
}

static void test_cmap__who_may_not_open_takes_what_is_put(void **state)
{
  (void)state;
  make(0, OPTIONS(.config.max_open = 10));
  hold_leases();
  pool_lease_t lease = check_out();
  for (int i = 0; i < 2; i++) {
    gate_set(&gates[i + 1], false);
    begin_to_open(i, -1);
  }
  getter_queue(&getters[2], pool, -1);
  check_in(lease);
  wait_until(diary_count(&diary, POOL_EVENT_LENT) == 2);
  assert_events(OPENING(1), LENT(1), OPENING(2), OPENING(3), PUT(1), LENT(1));
  for (int i = 0; i < 2; i++)
    gate_set(&gates[i + 1], true);
  let_go(3);
  end();
}

/* ---- the queue ---- */

static void test_cmap__connections_go_to_threads_in_the_order_in_which_they_came(void **state)
{
  (void)state;
  make(0, OPTIONS(.config.max_open = 1));
  struct gate holds[4];
  pool_lease_t lease = check_out();
  for (int i = 0; i < 4; i++) {
    gate_init(&holds[i], false);
    getters[i].release = &holds[i];
    getter_queue(&getters[i], pool, 1000);
  }
  check_in(lease);
  for (int i = 0; i < 4; i++) {
    wait_until(getters[i].result > 0);
    for (int later = i + 1; later < 4; later++)
      assert_true(getters[later].result == 0);
    gate_set(&holds[i], true);
    getter_end(&getters[i]);
  }
  assert_events(LENT(1), PUT(1), LENT(1), PUT(1), LENT(1), PUT(1), LENT(1), PUT(1), LENT(1), PUT(1));
  end();
}

static void test_cmap__a_wait_ends_at_its_timeout_though_nothing_is_put(void **state)
{
  (void)state;
  make(0, OPTIONS(.config.max_open = 1, .config.get_timeout_ms = 50));
  pool_lease_t lease = check_out();
  getter_queue(&getters[0], pool, 50);
  virtual_advance(50 * MILLISECOND);
  assert_int_equal(getter_end(&getters[0]), POOL_E_TIMEOUT);
  check_in(lease);
  assert_events(LENT(1), TIMED_OUT, PUT(1));
  assert_true(diary_last(&diary, POOL_EVENT_TIMED_OUT).duration_ns == 50 * MILLISECOND);
  end();
}

/* ---- close ---- */

static void test_cmap__a_pool_is_created_and_closed(void **state)
{
  (void)state;
  make(0, OPTIONS());
  assert_int_equal(pool_close(pool, 0), 0);
  assert_events(CREATED, POOL_ENDED);
  end();
}

static void test_cmap__a_pool_that_is_closed_first_closes_what_is_idle(void **state)
{
  (void)state;
  make(0, OPTIONS());
  pool_lease_t first = check_out(), second = check_out(), third = check_out();
  check_in(second);
  assert_int_equal(pool_close(pool, 0), 2);
  assert_events(PUT(2), CLOSED(2, POOL_REASON_CLOSED), POOL_ENDED);
  check_in(first);
  check_in(third);
  end();
}

static void test_cmap__a_closed_pool_lends_nothing(void **state)
{
  (void)state;
  make(0, OPTIONS());
  check_in(check_out());
  assert_int_equal(pool_close(pool, 0), 0);
  assert_int_equal(pool_get_for(pool, -1), POOL_E_CLOSED);
  assert_events(CREATED, LENT(1), PUT(1), POOL_ENDED, FAILED(POOL_E_CLOSED));
  end();
}

/* ---- clear and ready ---- */

static void test_cmap__a_clear_ends_the_waits_with_an_error_of_its_own(void **state)
{
  (void)state;
  make(0, OPTIONS(.config.max_open = 1));
  pool_lease_t lease = check_out();
  getters_queue(getters, 3, pool, 10000);
  clear();
  check_in(lease);
  getters_fail(getters, 3, POOL_E_EVICTED);
  assert_events(LENT(1), CLEARED, FAILED(POOL_E_EVICTED), FAILED(POOL_E_EVICTED), FAILED(POOL_E_EVICTED));
  assert_int_equal(diary_count(&diary, POOL_EVENT_TIMED_OUT), 0);
  end();
}

/* Somebody else gets, and does not wait for it. */
static void fail_at_once(void)
{
  getter_start(&getters[0], pool, -1);
  wait_until(getters[0].result != 0);
  assert_int_equal(getter_end(&getters[0]), POOL_E_EVICTED);
  assert_non_null(strstr(getters[0].error.message, "(evict)"));
}

static void test_cmap__gets_fail_at_once_after_a_clear_until_the_pool_is_ready(void **state)
{
  (void)state;
  make(0, OPTIONS());
  pool_lease_t first = check_out();
  clear();
  fail_at_once();
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT); /* would not have waited in any case */
  ready();
  pool_lease_t second = check_out();
  assert_events(LENT(1), CLEARED, FAILED(POOL_E_EVICTED), TIMED_OUT, READY, LENT(2));
  check_in(first);
  check_in(second);
  end();
}

static void test_cmap__a_pool_may_begin_cleared(void **state)
{
  (void)state;
  make(0, OPTIONS(.config.paused = 1));
  assert_int_equal(pool_evict(pool), 0); /* else gets wait until it is ready */
  fail_at_once();
  ready();
  check_in(check_out());
  assert_events(CREATED, FAILED(POOL_E_EVICTED), READY, OPENING(1), OPENED(1), LENT(1));
  end();
}

static void test_cmap__a_clear_ends_the_get_whose_connection_is_being_opened(void **state)
{
  (void)state;
  make(1, OPTIONS());
  begin_to_open(0, -1);
  clear();
  gate_set(&gates[0], true);
  wait_until(getters[0].result != 0);
  assert_int_equal(getter_end(&getters[0]), POOL_E_EVICTED);
  assert_events(OPENING(1), CLEARED, OPENED(1), FAILED(POOL_E_EVICTED));
  wait_until(diary_count(&diary, POOL_EVENT_CLOSED) == 1);
  assert_events(OPENED(1), CLOSED(1, POOL_REASON_FLUSHED));
  end();
}

static void test_cmap__asynchronous_gets_fail_at_once_after_a_clear(void **state)
{
  (void)state;
  make(0, OPTIONS());
  struct heard waiting = {0}, later = {0};
  must(pool_pause(pool) == 0);
  ask(pool, -1, &waiting);
  clear();
  assert_int_equal(pool_get_async(pool, -1, told_got, &later), POOL_E_EVICTED);
  assert_failed(&waiting, POOL_E_EVICTED);
  assert_int_equal(pool_resume(pool), 1);
  assert_int_equal(pool_get_async(pool, -1, told_got, &later), POOL_E_EVICTED);
  assert_int_equal(pool_resume(pool), 0);
  ask(pool, -1, &later);
  wait_until(later.times == 1);
  check_in(later.result);
  assert_int_equal(stats_of(pool).evicted, 3);
  end();
}

static void test_cmap__gets_of_a_pool_that_is_paused_and_not_cleared_wait(void **state)
{
  (void)state;
  make(0, OPTIONS());
  clear();
  ready();
  assert_int_equal(pool_pause(pool), 0);
  getter_queue(&getters[0], pool, -1); /* what was cleared before is over */
  assert_int_equal(pool_resume(pool), 0);
  assert_true(getter_end(&getters[0]) > 0);
  end();
}

static void test_cmap__only_the_first_pause_and_the_last_resume_are_told(void **state)
{
  (void)state;
  make(0, OPTIONS());
  assert_int_equal(pool_resume(pool), POOL_E_INVALID); /* ready already */
  assert_int_equal(pool_pause(pool), 0);
  assert_int_equal(pool_pause(pool), 0);
  assert_int_equal(pool_resume(pool), 1);
  assert_int_equal(pool_resume(pool), 0);
  assert_int_equal(pool_resume(pool), POOL_E_INVALID);
  assert_int_equal(pool_pause(pool), 0);
  assert_events(CREATED, {POOL_EVENT_POOL_PAUSED, 0, 0}, READY, {POOL_EVENT_POOL_PAUSED, 0, 0});
  end();
}

static void test_cmap__a_clear_closes_what_is_idle_at_once_and_leaves_what_is_lent(void **state)
{
  (void)state;
  make(0, OPTIONS());
  pool_lease_t first = check_out(), second = check_out();
  check_in(second);
  clear();
  assert_events(LENT(1), LENT(2), PUT(2), CLEARED, CLOSED(2, POOL_REASON_FLUSHED));
  fake_use(first);
  assert_int_equal(pool_close(pool, 0), 1);
  assert_events(CLEARED, CLOSED(2, POOL_REASON_FLUSHED), POOL_ENDED);
  check_in(first);
  end();
}

/* The program, which knows how to interrupt the users of connections, ends their leases. */
static void test_cmap__a_clear_may_end_the_leases_that_are_out(void **state)
{
  (void)state;
  make(0, OPTIONS());
  pool_lease_t leases[] = {check_out(), check_out()};
  pool_lease_info_t out[4] = {POOL_LEASE_INFO_INIT};
  clear();
  assert_int_equal(pool_leases(pool, out, 4), 2);
  for (int i = 0; i < 2; i++)
    check_in(out[i].lease);
  assert_int_equal(pool_close(pool, 0), 0);
  assert_events(LENT(1), LENT(2), CLEARED, CLOSED(ANY, POOL_REASON_FLUSHED), CLOSED(ANY, POOL_REASON_FLUSHED),
                POOL_ENDED);
  for (int i = 0; i < 2; i++)
    assert_int_equal(pool_put(leases[i]), POOL_E_STALE); /* their users cannot do harm any more */
  end();
}

static void test_cmap__an_open_that_a_clear_interrupts_ends_its_get(void **state)
{
  (void)state;
  make(1, OPTIONS());
  begin_to_open(0, -1);
  fake.fail_open = 1;
  clear();
  gate_set(&gates[0], true);
  assert_int_equal(getter_end(&getters[0]), POOL_E_OPEN);
  assert_events(OPENING(1), CLEARED, REFUSED(1), FAILED(POOL_E_OPEN));
  end();
}

static void test_cmap__a_clear_halts_what_is_opened_unasked_until_the_pool_is_ready(void **state)
{
  (void)state;
  for (int round = 0; round < 20; round++) {
    make(0, OPTIONS(.config.min_open = 1, .config.paused = 1));
    ready();
    wait_until(pool_len(pool) == 1);
    clear();
    rest();
    ready();
    wait_until(pool_len(pool) == 1);
    assert_events(CREATED, READY, OPENING(1), OPENED(1), CLEARED, CLOSED(1, POOL_REASON_FLUSHED), READY, OPENING(2),
                  OPENED(2));
    end();
  }
}

/* ---- opens that fail, where the program wants the pool to be cleared because of one ---- */

static void clear_after_a_failure(void *user, const pool_event_t *event)
{
  note(user, event);
  if (event->event == POOL_EVENT_OPEN_FAILED)
    clear();
}

#define CLEARED_BY_FAILURES(...) OPTIONS(.config.events = clear_after_a_failure, .config.paused = 1, __VA_ARGS__)

static void test_cmap__a_failed_open_that_nobody_asked_for_may_clear_the_pool(void **state)
{
  (void)state;
  make(0, CLEARED_BY_FAILURES(.config.min_open = 1));
  fake.fail_open = 1;
  ready();
  wait_until(diary_count(&diary, POOL_EVENT_POOL_FLUSHED) == 1);
  rest();
  assert_events(READY, OPENING(1), REFUSED(1), CLEARED); /* and none is opened */
  ready();
  wait_until((virtual_advance(SECOND), pool_len(pool) == 1)); /* a second after the last that failed */
  end();
}

static void test_cmap__a_failed_open_may_end_the_waits_of_all(void **state)
{
  (void)state;
  make(1, CLEARED_BY_FAILURES(.config.max_open = 1));
  ready();
  begin_to_open(0, -1);
  for (int i = 1; i < 3; i++)
    getter_queue(&getters[i], pool, -1);
  fake.fail_open = 1;
  gate_set(&gates[0], true);
  assert_int_equal(getter_end(&getters[0]), POOL_E_OPEN);
  for (int i = 1; i < 3; i++)
    assert_int_equal(getter_end(&getters[i]), POOL_E_EVICTED);
  assert_events(OPENING(1), REFUSED(1), CLEARED, FAILED(ANY), FAILED(ANY), FAILED(ANY));
  end();
}

static void test_cmap__what_was_lent_before_a_failed_open_is_stale_after_it(void **state)
{
  (void)state;
  make(0, CLEARED_BY_FAILURES());
  ready();
  pool_lease_t lease = check_out();
  fake.fail_open = 1;
  getter_start(&getters[0], pool, -1);
  wait_until(diary_count(&diary, POOL_EVENT_POOL_FLUSHED) == 1);
  check_in(lease);
  assert_int_equal(getter_end(&getters[0]), POOL_E_OPEN);
  assert_events(OPENING(1), OPENED(1), LENT(1), OPENING(2), REFUSED(2), CLEARED, PUT(1),
                CLOSED(1, POOL_REASON_FLUSHED));
  end();
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cmap__connections_have_ids_in_the_order_in_which_they_are_opened),
      cmocka_unit_test(test_cmap__a_get_says_how_long_it_took_and_what_it_opened),
      cmocka_unit_test(test_cmap__what_was_put_is_there_for_the_next),
      cmocka_unit_test(test_cmap__what_is_put_into_a_closed_pool_is_closed),
      cmocka_unit_test(test_cmap__what_is_put_into_a_cleared_pool_is_closed),
      cmocka_unit_test(test_cmap__what_is_stale_is_closed_and_not_lent),
      cmocka_unit_test(test_cmap__what_was_idle_too_long_is_closed_and_not_lent),
      cmocka_unit_test(test_cmap__what_was_idle_too_long_is_not_lent_where_nobody_looked_after_it),
      cmocka_unit_test(test_cmap__several_connections_are_lent_at_one_time),
      cmocka_unit_test(test_cmap__there_are_never_more_than_the_most),
      cmocka_unit_test(test_cmap__the_least_are_opened_unasked),
      cmocka_unit_test(test_cmap__one_opens_after_the_other_where_it_is_set_so),
      cmocka_unit_test(test_cmap__a_third_opens_when_one_of_two_is_open),
      cmocka_unit_test(test_cmap__who_may_not_open_yet_waits_no_longer_than_its_timeout),
      cmocka_unit_test(test_cmap__who_may_not_open_takes_what_the_pool_opens_unasked),
      cmocka_unit_test(test_cmap__who_may_not_open_takes_what_is_put),
      cmocka_unit_test(test_cmap__connections_go_to_threads_in_the_order_in_which_they_came),
      cmocka_unit_test(test_cmap__a_wait_ends_at_its_timeout_though_nothing_is_put),
      cmocka_unit_test(test_cmap__a_pool_is_created_and_closed),
      cmocka_unit_test(test_cmap__a_pool_that_is_closed_first_closes_what_is_idle),
      cmocka_unit_test(test_cmap__a_closed_pool_lends_nothing),
      cmocka_unit_test(test_cmap__a_clear_ends_the_waits_with_an_error_of_its_own),
      cmocka_unit_test(test_cmap__gets_fail_at_once_after_a_clear_until_the_pool_is_ready),
      cmocka_unit_test(test_cmap__a_pool_may_begin_cleared),
      cmocka_unit_test(test_cmap__a_clear_ends_the_get_whose_connection_is_being_opened),
      cmocka_unit_test(test_cmap__asynchronous_gets_fail_at_once_after_a_clear),
      cmocka_unit_test(test_cmap__gets_of_a_pool_that_is_paused_and_not_cleared_wait),
      cmocka_unit_test(test_cmap__only_the_first_pause_and_the_last_resume_are_told),
      cmocka_unit_test(test_cmap__a_clear_closes_what_is_idle_at_once_and_leaves_what_is_lent),
      cmocka_unit_test(test_cmap__a_clear_may_end_the_leases_that_are_out),
      cmocka_unit_test(test_cmap__an_open_that_a_clear_interrupts_ends_its_get),
      cmocka_unit_test(test_cmap__a_clear_halts_what_is_opened_unasked_until_the_pool_is_ready),
      cmocka_unit_test(test_cmap__a_failed_open_that_nobody_asked_for_may_clear_the_pool),
      cmocka_unit_test(test_cmap__a_failed_open_may_end_the_waits_of_all),
      cmocka_unit_test(test_cmap__what_was_lent_before_a_failed_open_is_stale_after_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
