/* SPDX-License-Identifier: MIT */
/* A deadline is a deadline: no get that has one runs a close or a reset, whatever it meets.  Here these never end
   unless the test lets them, so that a get that runs one does not return. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "threadless.h"

#define MILLISECOND INT64_C(1000000)

enum { GET_MS = 100 };

/* ---- pools of all kinds ---- */

enum { THREADED, OPENERS, TIMED, MANUAL, MANUAL_OPENERS, KINDS };

static struct fake fake;

/* All that were opened before this one are dead. */
static _Atomic int first_good;

static int check_number(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  int code = fake_check(context, conn, deadline_ns, error);
  return ((struct fake_conn *)conn)->number < atomic_load(&first_good) ? -1 : code;
}

/* A get ends when its time is over, and then the test's thread has to be given the processor. */
#define LATE_NS (10000 * MILLISECOND)

static int kind;
static pool_t *pool;

/* A plan of a pool of the kind that is tested. */
#define OF_KIND(...)                                                                                                   \
  PLAN(.config.check_after_ms = 0, .config.openers = kind == OPENERS || kind == MANUAL_OPENERS ? 2 : 0,                \
       .config.keepalive_ms = kind == TIMED ? 3600000 : 0,                                                             \
       .config.keeper = kind == MANUAL || kind == MANUAL_OPENERS ? POOL_KEEPER_MANUAL : POOL_KEEPER_THREAD,            \
       .vtable.check = check_number, .vtable.abandon = fake_abandon, __VA_ARGS__)

static void start(const struct plan *plan)
{
  atomic_store(&first_good, 0);
  pool = fake_start(&fake, plan);
}

/* `count` connections are idle and dead, and a thread that closes one does not come back. */
static void leave_dead(int count)
{
  pool_lease_t leases[8];
  leases_get(pool, leases, count);
  leases_put(leases, count);
  gate_set(&fake.closing, false);
  atomic_store(&first_good, count);
}

static void start_with_dead(int32_t max_open, int dead)
{
  start(OF_KIND(.config.max_open = max_open));
  leave_dead(dead);
}

static void let_close(void)
{
  gate_set(&fake.closing, true);
}

/* ---- gets in time ---- */

/* A thread of the test's own, begun before none can be had any more. */
struct getter {
  int64_t timeout_ms;
  pool_lease_t lease;
  pool_error_t failure;
  int64_t took_ns;
  _Atomic bool told, done;
  pthread_t thread;
};

static void *run_getter(void *data)
{
  struct getter *getter = data;
  must_soon(atomic_load(&getter->told));
  int64_t began = now_ns();
  getter->lease = pool_get_for(pool, getter->timeout_ms);
  getter->took_ns = now_ns() - began;
  if (getter->lease < 0)
    pool_failure(&getter->failure);
  atomic_store(&getter->done, true);
  return NULL;
}

static void getter_prepare(struct getter *getter)
{
  memset(getter, 0, sizeof *getter);
  getter->failure = (pool_error_t)POOL_ERROR_INIT;
  getter->thread = thread_start(run_getter, getter);
}

static void getter_go(struct getter *getter, int64_t timeout_ms)
{
  getter->timeout_ms = timeout_ms;
  atomic_store(&getter->told, true);
}

static pool_lease_t getter_end(struct getter *getter)
{
  wait_until(atomic_load(&getter->done));
  thread_end(getter->thread);
  return getter->lease;
}

static pool_lease_t get_beside(int64_t timeout_ms)
{
  struct getter getter;
  getter_prepare(&getter);
  getter_go(&getter, timeout_ms);
  getter_end(&getter);
  if (timeout_ms >= 0)
    assert_in_range(getter.took_ns, 0, timeout_ms * MILLISECOND + LATE_NS);
  return getter.lease;
}

/* A get beside those that do not come back has a connection, and has closed nothing. */
static pool_lease_t get_without_a_close(void)
{
  pool_lease_t lease = get_beside(20000);
  assert_true(lease > 0);
  assert_int_equal(atomic_load(&fake.closed), 0);
  return lease;
}

static void put(pool_lease_t lease)
{
  assert_int_equal(pool_put(lease), 0);
}

static void end(void)
{
  fake_finish(&fake, pool);
}

/* The threads that close come back, and one get more has a place. */
static pool_lease_t get_after_the_close(void)
{
  let_close();
  pool_lease_t lease = get_beside(20000);
  assert_true(lease > 0);
  return lease;
}

/* ---- dead connections ---- */

static void test_deadline__a_get_that_meets_a_dead_connection_does_not_close_it(void **state)
{
  (void)state;
  for (kind = 0; kind < KINDS; kind++)
    for (int dead = 1; dead <= 4; dead++) {
      start_with_dead(8, dead);
      pool_lease_t lease = get_without_a_close();
      assert_int_equal(fake_number(lease), dead); /* a new one */
      let_close();
      put(lease);
      end();
    }
}

static void test_deadline__a_get_that_needs_the_place_of_a_dead_one_ends_in_time(void **state)
{
  (void)state;
  for (kind = 0; kind < KINDS; kind++) {
    start_with_dead(1, 1);
    assert_int_equal(get_beside(GET_MS), POOL_E_TIMEOUT);
    assert_int_equal(get_beside(GET_MS), POOL_E_TIMEOUT); /* which has to come from the queue */
    assert_int_equal(get_beside(0), POOL_E_TIMEOUT);
    put(get_after_the_close()); /* now it gets the place */
    end();
  }
}

static void test_deadline__a_get_without_time_waits_for_no_close(void **state)
{
  (void)state;
  for (kind = 0; kind < KINDS; kind++) {
    start_with_dead(1, 1);
    assert_int_equal(get_beside(0), POOL_E_TIMEOUT);
    put(get_after_the_close());
    end();
  }
}

static void test_deadline__many_gets_that_meet_dead_ones_end_in_time(void **state)
{
  (void)state;
  for (kind = 0; kind < KINDS; kind++) {
    struct getter getters[4];
    start_with_dead(20, 4); /* openers may open more than are taken, and those may be taken for dead */
    for (int i = 0; i < 4; i++)
      getter_prepare(&getters[i]);
    for (int i = 0; i < 4; i++)
      getter_go(&getters[i], 3000);
    for (int i = 0; i < 4; i++)
      if (getter_end(&getters[i]) < 0)
        fail_msg("kind %d: %s", kind, getters[i].failure.message);
    let_close();
    for (int i = 0; i < 4; i++)
      put(getters[i].lease);
    end();
  }
}

/* ---- what else a get may have to leave ---- */

/* A get is held up at a gate, and its connection can be closed by nobody yet. */
static void hold_up(struct getter *getter, struct gate *gate, int64_t timeout_ms)
{
  gate_set(&fake.closing, false);
  gate_set(gate, false);
  getter_prepare(getter);
  getter_go(getter, timeout_ms);
  wait_until(gate_waiting(gate) == 1);
}

static void flush_at(struct gate *gate)
{
  struct getter getter;
  hold_up(&getter, gate, GET_MS);
  assert_int_equal(pool_flush(pool), 1);
  gate_set(gate, true);
  assert_int_equal(getter_end(&getter), POOL_E_TIMEOUT);
  pool_lease_t lease = get_after_the_close();
  assert_int_equal(fake_number(lease), 1);
  put(lease);
  end();
}

static void test_deadline__what_was_flushed_while_it_was_opened_is_not_closed_by_the_get(void **state)
{
  (void)state;
  for (kind = 0; kind < KINDS; kind++) {
    start(OF_KIND(.config.max_open = 1));
    flush_at(&fake.opening);
  }
}

static void test_deadline__what_was_flushed_while_it_was_checked_is_not_closed_by_the_get(void **state)
{
  (void)state;
  for (kind = 0; kind < KINDS; kind++) {
    start_with_dead(1, 1);
    atomic_store(&first_good, 0);
    flush_at(&fake.checking);
  }
}

/* Nobody keeps the time, so it is the get that finds out. */
static void test_deadline__what_is_too_old_is_not_closed_by_the_get(void **state)
{
  (void)state;
  kind = MANUAL;
  for (int lifetimes = 0; lifetimes < 2; lifetimes++) {
    start(OF_KIND(.config.max_open = 8, .config.check_after_ms = -1, .config.idle_timeout_ms = lifetimes ? 0 : 20,
                  .config.max_lifetime_ms = lifetimes ? 20 : 0));
    leave_dead(3);
    int64_t began = now_ns();
    wait_until(now_ns() - began > 60 * MILLISECOND);
    pool_lease_t first = get_beside(20000), second = get_beside(20000);
    assert_true(fake_number(first) >= 3 && fake_number(second) >= 3);
    assert_int_equal(atomic_load(&fake.closed), 0);
    let_close();
    put(first);
    put(second);
    pool_maintain(pool);
    assert_in_range(atomic_load(&fake.closed), 3, 5);
    end();
  }
}

/* The pool is closed while a get opens or checks; the thread that closed it waits for the connection. */
static void test_deadline__what_comes_when_the_pool_is_closed_is_not_closed_by_the_get(void **state)
{
  (void)state;
  for (kind = 0; kind < KINDS; kind++)
    for (int checks = 0; checks < 2; checks++) {
      struct gate *gate = checks ? &fake.checking : &fake.opening;
      struct getter getter;
      start_with_dead(1, checks);
      atomic_store(&first_good, 0);
      hold_up(&getter, gate, 2000);
      assert_int_equal(pool_close(pool, 0), 1);
      gate_set(gate, true);
      assert_int_equal(getter_end(&getter), POOL_E_CLOSED);
      let_close();
      end();
    }
}

static void test_deadline__a_freed_pool_closes_what_gets_have_left(void **state)
{
  (void)state;
  for (kind = 0; kind < KINDS; kind++) {
    start(OF_KIND(.config.max_open = 8, .vtable.release = fake_release));
    leave_dead(3);
    pool_lease_t lease = get_beside(20000);
    assert_true(lease > 0);
    let_close();
    pool_free(pool);
    put(lease);
    wait_until(atomic_load(&fake.released) == 1);
    assert_int_equal(atomic_load(&fake.closed), 4);
    assert_int_equal(atomic_load(&fake.misuse), 0);
  }
}

/* ---- resets ---- */

static void test_deadline__a_get_that_gives_back_at_once_does_not_reset(void **state)
{
  (void)state;
  for (kind = 0; kind < KINDS; kind++) {
    start(OF_KIND(.config.max_open = 1, .config.check_after_ms = -1, .config.keepalive_ms = 0,
                  .config.idle_timeout_ms = kind == TIMED ? 3600000 : 0, .vtable.check = NULL,
                  .vtable.reset = fake_reset));
    put(pool_get(pool));
    gate_set(&fake.resetting, false);
    assert_int_equal(pool_pause(pool), 0);
    int64_t began = now_ns();
    assert_int_equal(pool_get_for(pool, GET_MS), POOL_E_TIMEOUT); /* takes its last one, and sees the pause */
    assert_in_range(now_ns() - began, GET_MS * MILLISECOND, GET_MS * MILLISECOND + LATE_NS);
    gate_set(&fake.resetting, true);
    assert_int_equal(pool_resume(pool), 0);
    pool_lease_t lease = pool_get_for(pool, 5000);
    assert_true(lease > 0);
    assert_int_equal(fake_number(lease), 0);
    put(lease);
    end();
  }
}

/* ---- nobody maintains ---- */

static void test_deadline__the_next_put_closes_where_nobody_maintains(void **state)
{
  (void)state;
  kind = MANUAL;
  start_with_dead(8, 3);
  pool_lease_t lease = get_without_a_close();
  let_close();
  put(lease);
  assert_in_range(atomic_load(&fake.closed), 1, 3);
  pool_maintain(pool);
  assert_int_equal(atomic_load(&fake.closed), 3);
  end();
}

static void test_deadline__maintaining_closes_what_gets_have_left(void **state)
{
  (void)state;
  kind = MANUAL;
  start_with_dead(8, 3);
  pool_lease_t lease = get_beside(20000);
  let_close();
  pool_maintain(pool);
  assert_int_equal(atomic_load(&fake.closed), 3);
  put(lease);
  end();
}

/* ---- no thread can be had ---- */

static void test_deadline__holds_where_no_thread_can_be_had(void **state)
{
  (void)state;
  for (kind = 0; kind < KINDS; kind++) {
    struct getter getter;
    getter_prepare(&getter);
    atomic_store(&no_threads, true);
    start_with_dead(8, 3);
    getter_go(&getter, 2000);
    pool_lease_t lease = getter_end(&getter);
    assert_true(lease > 0);
    assert_int_equal(atomic_load(&fake.closed), 0);
    let_close();
    put(lease); /* nobody else would */
    assert_in_range(atomic_load(&fake.closed), 1, 3);
    end();
    atomic_store(&no_threads, false);
  }
}

static void test_deadline__a_place_comes_back_where_no_thread_can_be_had(void **state)
{
  (void)state;
  for (kind = 0; kind < KINDS; kind++) {
    atomic_store(&no_threads, true);
    start_with_dead(1, 1);
    let_close();
    pool_lease_t lease = pool_get_for(pool, GET_MS); /* has no place, and closes when its time is over */
    if (lease < 0)
      lease = pool_get_for(pool, GET_MS);
    assert_true(lease > 0);
    assert_int_equal(atomic_load(&fake.closed), 1);
    put(lease);
    end();
    atomic_store(&no_threads, false);
  }
}

static void test_deadline__nothing_is_left_open_where_no_thread_can_be_had(void **state)
{
  (void)state;
  for (kind = 0; kind < KINDS; kind++) {
    struct getter getter;
    getter_prepare(&getter);
    atomic_store(&no_threads, true);
    start(OF_KIND(.config.max_open = 1));
    gate_set(&fake.opening, false);
    getter_go(&getter, 2000);
    wait_until(gate_waiting(&fake.opening) == 1);
    assert_int_equal(pool_close(pool, 0), 1);
    gate_set(&fake.opening, true);
    assert_int_equal(getter_end(&getter), POOL_E_CLOSED);
    assert_int_equal(atomic_load(&fake.open_now), 0); /* by then, for nobody else need come */
    end();
    atomic_store(&no_threads, false);
  }
}

/* The get opens itself then, and what that says is what the get says. */
static void test_deadline__an_open_that_fails_where_no_thread_can_be_had_fails_its_get(void **state)
{
  (void)state;
  for (kind = 0; kind < KINDS; kind++) {
    pool_error_t error = POOL_ERROR_INIT;
    atomic_store(&no_threads, true);
    start(OF_KIND(.config.max_open = 1));
    atomic_store(&fake.fail_open, 1000);
    assert_int_equal(pool_get_for(pool, GET_MS), POOL_E_OPEN);
    pool_failure(&error);
    assert_non_null(strstr(error.message, "the fake server refuses"));
    end();
    atomic_store(&no_threads, false);
  }
}

/* It has met a dead connection, which nobody can close yet. */
static void test_deadline__no_get_says_that_its_time_is_over_before_it_is(void **state)
{
  (void)state;
  for (kind = OPENERS; kind < KINDS; kind += MANUAL_OPENERS - OPENERS) {
    atomic_store(&no_threads, true);
    start_with_dead(1, 1);
    let_close();
    pool_lease_t lease = pool_get_for(pool, 600 * GET_MS);
    assert_true(lease > 0 || lease == POOL_E_SYSTEM);
    if (lease > 0)
      put(lease);
    end();
    atomic_store(&no_threads, false);
  }
}

/* ---- children ---- */

static void run_child(int closing)
{
  let_close();
  must(atomic_load(&fake.abandoned) == 4 - closing); /* three dead ones and one that is lent */
  pool_lease_t lease = pool_get_for(pool, 5000);
  must(lease > 0);
  must(pool_put(lease) == 0);
  must(pool_close(pool, 5000) == 0);
  must(atomic_load(&fake.closed) == 1);
  _exit(0);
}

static void test_deadline__a_child_has_nothing_to_close_of_its_parent(void **state)
{
  (void)state;
#ifdef __SANITIZE_THREAD__
  return; /* which ends a child that starts a thread */
#endif
  for (kind = 0; kind < KINDS; kind++) {
    start_with_dead(8, 3);
    pool_lease_t lease = get_beside(20000);
    assert_true(lease > 0);
    int closing = kind == MANUAL ? 0 : kind == OPENERS || kind == MANUAL_OPENERS ? 2 : 1; /* by library threads */
    wait_until(gate_waiting(&fake.closing) == closing);
    pthread_mutex_lock(&fake.closing.lock); /* so that the child can use it */
    pid_t child = fork();
    if (child == 0) {
      gate_init(&fake.closing, true);
      run_child(closing);
    }
    pthread_mutex_unlock(&fake.closing.lock);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    let_close();
    put(lease);
    end();
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_deadline__a_get_that_meets_a_dead_connection_does_not_close_it),
      cmocka_unit_test(test_deadline__a_get_that_needs_the_place_of_a_dead_one_ends_in_time),
      cmocka_unit_test(test_deadline__a_get_without_time_waits_for_no_close),
      cmocka_unit_test(test_deadline__many_gets_that_meet_dead_ones_end_in_time),
      cmocka_unit_test(test_deadline__what_was_flushed_while_it_was_opened_is_not_closed_by_the_get),
      cmocka_unit_test(test_deadline__what_was_flushed_while_it_was_checked_is_not_closed_by_the_get),
      cmocka_unit_test(test_deadline__what_is_too_old_is_not_closed_by_the_get),
      cmocka_unit_test(test_deadline__what_comes_when_the_pool_is_closed_is_not_closed_by_the_get),
      cmocka_unit_test(test_deadline__a_freed_pool_closes_what_gets_have_left),
      cmocka_unit_test(test_deadline__a_get_that_gives_back_at_once_does_not_reset),
      cmocka_unit_test(test_deadline__the_next_put_closes_where_nobody_maintains),
      cmocka_unit_test(test_deadline__maintaining_closes_what_gets_have_left),
      cmocka_unit_test(test_deadline__holds_where_no_thread_can_be_had),
      cmocka_unit_test(test_deadline__a_place_comes_back_where_no_thread_can_be_had),
      cmocka_unit_test(test_deadline__nothing_is_left_open_where_no_thread_can_be_had),
      cmocka_unit_test(test_deadline__an_open_that_fails_where_no_thread_can_be_had_fails_its_get),
      cmocka_unit_test(test_deadline__no_get_says_that_its_time_is_over_before_it_is),
      cmocka_unit_test(test_deadline__a_child_has_nothing_to_close_of_its_parent),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
