/* SPDX-License-Identifier: MIT */
/* Asynchronous gets: which callback is called, when, how often and on which thread. */
#include <stdio.h>
#include <string.h>

#include "threadless.h"
#include "witness.h"

static struct fake fake;

/* ---- what a callback was told ---- */

static void never(void *user, pool_lease_t result)
{
  (void)user, (void)result;
  must(!"got was called");
}

/* Until a manual pool has nothing more to do at this moment and the condition holds. */
#define maintain_until(pool, condition)                                                                                \
  do {                                                                                                                 \
    pool_maintain(pool);                                                                                               \
    wait_until((pool_maintain(pool), condition));                                                                      \
  } while (0)

static struct gate keeper_gate;

static void pass_gate(void *user, pool_lease_t result)
{
  gate_pass(&keeper_gate);
  told_got(user, result);
}

/* ---- one after the other ---- */

static void test_async__got_is_called_once_on_the_keeper(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, PLAN());
  struct heard told[3] = {0};
  for (int i = 0; i < 3; i++) {
    ask(pool, -1, &told[i]);
    assert_given(&told[i]);
    assert_false(pthread_equal(told[i].thread, pthread_self()));
    assert_true(pthread_equal(told[i].thread, told[0].thread));
    fake_use(told[i].result);
  }
  assert_true(told[0].ticket != told[1].ticket && told[1].ticket != told[2].ticket && told[0].ticket != told[2].ticket);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(pool_put(told[i].result), 0);
    assert_int_equal(pool_cancel(told[i].ticket), POOL_E_STALE);
  }
  assert_int_equal(fake.opened, 3);
  fake_finish(&fake, pool);
  for (int i = 0; i < 3; i++)
    assert_int_equal(told[i].times, 1);
}

static void test_async__never_calls_back_inside_the_call(void **state)
{
  (void)state;
  for (int by_hand = 0; by_hand < 2; by_hand++) {
    gate_init(&keeper_gate, false);
    pool_t *pool = fake_start(&fake, PLAN(.config.max_open = 4, .config.keeper = by_hand, .config.initial = 4));
    struct heard told[4] = {0};
    for (int i = 0; i < 4; i++) {
      assert_true(pool_get_async(pool, -1, by_hand ? told_got : pass_gate, &told[i]) > 0); /* would hang in the gate */
      assert_int_equal(told[i].times, 0);
    }
    gate_set(&keeper_gate, true);
    for (int i = 0; i < 4; i++) {
      wait_until((by_hand ? pool_maintain(pool) : 0, told[i].times == 1));
      assert_int_equal(told[i].order - told[0].order, i);
      assert_int_equal(pool_put(told[i].result), 0);
    }
    assert_int_equal(fake.opened, 4);
    fake_finish(&fake, pool);
  }
}

static void test_async__serves_in_order_of_arrival(void **state)
{
  (void)state;
  for (int32_t fairness_us = 0; fairness_us <= 1000000; fairness_us += 1000000) {
    pool_t *pool = fake_start(&fake, PLAN(.config.max_open = 1, .config.fairness_us = fairness_us));
    pool_lease_t lease = pool_get(pool);
    struct heard told[20] = {0};
    for (int i = 0; i < 20; i++) {
      told[i].put = true;
      ask(pool, 20000, &told[i]);
    }
    assert_int_equal(stats_of(pool).waiting, 20);
    assert_int_equal(told[0].times, 0);
    assert_int_equal(pool_put(lease), 0);
    for (int i = 0; i < 20; i++) {
      assert_given(&told[i]);
      assert_int_equal(told[i].order - told[0].order, i);
    }
    assert_int_equal(fake.opened, 1);
    fake_finish(&fake, pool);
  }
}

static void test_async__ends_at_its_deadline(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, PLAN(.config.max_open = 1));
  pool_lease_t lease = pool_get(pool);
  struct heard told[3] = {0};
  int64_t begun = now_ns();
  ask(pool, 60, &told[0]);
  ask(pool, 20, &told[1]);
  ask(pool, 20000, &told[2]);
  wait_until(told[1].times == 1);
  assert_true(now_ns() - begun >= 20 * 1000000);
  assert_int_equal(told[1].result, POOL_E_TIMEOUT);
  assert_int_equal(told[1].error.code, POOL_E_TIMEOUT);
  wait_until(told[0].times == 1);
  assert_true(now_ns() - begun >= 60 * 1000000);
  assert_int_equal(told[0].result, POOL_E_TIMEOUT);
  assert_int_equal(told[2].times, 0);
  assert_int_equal(stats_of(pool).timed_out, 2);
  assert_int_equal(pool_put(lease), 0);
  put_given(&told[2]);
  fake_finish(&fake, pool);
}

static void test_async__timeout_0_gets_what_is_idle(void **state)
{
  (void)state;
  for (int by_hand = 0; by_hand < 2; by_hand++) {
    pool_t *pool = fake_start(
        &fake, PLAN(.vtable.check = fake_check, .config.max_open = 4, .config.keeper = by_hand, .config.initial = 3));
    struct heard told[4] = {0};
    ask_all(pool, 0, told, 4);
    for (int i = 0; i < 4; i++)
      wait_until((pool_maintain(pool), told[i].times == 1));
    for (int i = 0; i < 3; i++)
      assert_true(told[i].result > 0);
    assert_int_equal(told[3].result, POOL_E_TIMEOUT); /* although there is room */
    put_all_given(told, 3);
    assert_int_equal(fake.opened, 3);
    fake_finish(&fake, pool);
    assert_int_equal(fake.opened, 3);
  }
}

static void test_async__timeout_0_opens_nothing(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, PLAN());
  struct heard told = {0};
  for (int i = 1; i <= 20; i++) {
    ask(pool, 0, &told);
    wait_until(told.times == i);
    assert_int_equal(told.result, POOL_E_TIMEOUT);
  }
  assert_int_equal(pool_close(pool, -1), 0); /* after which nobody opens any more */
  assert_int_equal(fake.opened, 0);
  fake_finish(&fake, pool);
}

/* An idle connection is to be checked for it, and another get takes that first. */
static void test_async__timeout_0_opens_nothing_for_a_get_that_came_too_late(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, BY_HAND(.vtable.check = fake_check, .config.max_open = 2, .config.openers = 1,
                                           .config.initial = 1, .config.check_after_ms = 0));
  struct heard told = {0};
  struct getter getter = {.keeps = true};
  getter_hold_up(&getter, pool, -1, &fake.checking);
  ask(pool, 0, &told);
  gate_set(&fake.checking, true);
  pool_lease_t lease = getter_end(&getter);
  assert_true(lease > 0);
  assert_int_equal(pool_pause(pool), 1);
  assert_int_equal(pool_resume(pool), 0); /* which serves the waiters */
  maintain_until(pool, told.times == 1);
  assert_int_equal(told.result, POOL_E_TIMEOUT);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_close(pool, -1), 0);
  assert_int_equal(fake.opened, 1);
  fake_finish(&fake, pool);
}

static void test_async__wrong_parameters_are_refused(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, PLAN());
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(pool_get_async(NULL, 0, never, NULL), POOL_E_INVALID);
  pool_failure(&error);
  assert_non_null(strstr(error.message, "pool"));
  assert_int_equal(pool_get_async(pool, 0, NULL, NULL), POOL_E_INVALID);
  pool_failure(&error);
  assert_non_null(strstr(error.message, "got"));
  assert_int_equal(pool_get_async(pool, -2, never, NULL), POOL_E_INVALID);
  pool_failure(&error);
  assert_non_null(strstr(error.message, "timeout_ms"));
  assert_int_equal(pool_get_async(pool, INT64_MIN, never, NULL), POOL_E_INVALID);
  assert_int_equal(pool_maintain(NULL), POOL_E_INVALID);
  struct heard told = {0};
  ask(pool, INT64_MAX, &told); /* is for ever */
  put_given(&told);
  assert_int_equal(pool_close(pool, 0), 0);
  assert_int_equal(pool_get_async(pool, -1, never, NULL), POOL_E_CLOSED);
  assert_int_equal(pool_failure(NULL), POOL_E_CLOSED);
  fake_finish(&fake, pool);
}

/* ---- cancelling ---- */

static void test_async__a_queued_one_is_cancelled(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, PLAN(.config.max_open = 1));
  pool_lease_t lease = pool_get(pool);
  struct heard told[3] = {0};
  ask_all(pool, -1, told, 3);
  assert_int_equal(pool_cancel(told[1].ticket), 0);
  assert_failed(&told[1], POOL_E_CANCELLED);
  assert_int_equal(told[1].error.code, POOL_E_CANCELLED);
  assert_false(pthread_equal(told[1].thread, pthread_self()));
  assert_int_equal(pool_cancel(told[1].ticket), POOL_E_STALE);
  assert_int_equal(pool_cancel(told[0].ticket), 0); /* the head: the next moves up */
  wait_until(told[0].times == 1);
  assert_int_equal(stats_of(pool).waiting, 1);
  assert_int_equal(stats_of(pool).cancelled, 2);
  assert_int_equal(pool_put(lease), 0);
  put_given(&told[2]);
  fake_finish(&fake, pool);
  assert_int_equal(told[0].times + told[1].times + told[2].times, 3);
}

/* Nobody keeps the pool meanwhile, so the moment between being given a lease and being called is as long as we like. */
static void test_async__cancelled_while_handed_over_the_next_gets_it(void **state)
{
  (void)state;
  for (int resets = 0; resets < 2; resets++) {
    /* With this a put hands over. */
    pool_t *pool = fake_start(
        &fake, BY_HAND(.vtable.reset = resets ? fake_reset : NULL, .config.max_open = 1, .config.fairness_us = 0));
    pool_lease_t lease = pool_get(pool);
    struct heard told[3] = {0};
    ask_all(pool, -1, told, 3);
    pool_maintain(pool);
    assert_int_equal(pool_put(lease), 0);
    assert_int_equal(stats_of(pool).waiting, 2); /* the first has it and does not know */
    assert_int_equal(stats_of(pool).leased, 1);
    assert_int_equal(pool_cancel(told[0].ticket), 0);
    assert_int_equal(pool_cancel(told[0].ticket), POOL_E_STALE);
    assert_int_equal(stats_of(pool).waiting, 1);
    assert_int_equal(stats_of(pool).leased, 1); /* the second has it now */
    pool_maintain(pool);
    assert_int_equal(told[0].times, 1);
    assert_int_equal(told[0].result, POOL_E_CANCELLED);
    assert_int_equal(told[1].times, 1);
    assert_true(told[1].result > 0);
    assert_int_equal(pool_cancel(told[1].ticket), POOL_E_STALE);
    assert_int_equal(pool_put(told[1].result), 0);
    assert_int_equal(pool_cancel(told[2].ticket), 0); /* nobody is next: it is idle */
    assert_int_equal(pool_len(pool), 1);
    pool_maintain(pool);
    assert_int_equal(told[2].result, POOL_E_CANCELLED);
    assert_int_equal(told[2].times, 1);
    assert_int_equal(stats_of(pool).lent, 2); /* those that nobody saw do not count */
    assert_int_equal(stats_of(pool).cancelled, 2);
    get_and_put_now(pool);
    fake_finish(&fake, pool);
  }
}

static void test_async__what_is_no_ticket_cancels_nothing(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, BY_HAND(.config.max_open = 1));
  pool_lease_t lease = pool_get(pool);
  struct heard told = {0};
  int64_t ticket = pool_get_async(pool, -1, told_got, &told);
  const int64_t wrong[] = {0,
                           -1,
                           INT64_MIN,
                           INT64_MAX,
                           -ticket,
                           ticket + 1,
                           ticket - 1,
                           lease,
                           1,
                           1 << 20,
                           (1 << 20) - 1,
                           ticket + (1 << 20),
                           ticket ^ (INT64_C(1) << 61),
                           (int64_t)((uint64_t)ticket | UINT64_C(1) << 62),
                           ticket & 0xfffff};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    assert_int_equal(pool_cancel(wrong[i]), POOL_E_STALE);
    assert_int_equal(pool_failure(NULL), POOL_E_STALE);
  }
  pool_maintain(pool);
  assert_int_equal(told.times, 0);
  assert_int_equal(pool_put(lease), 0);
  pool_maintain(pool);
  assert_int_equal(told.times, 1);
  assert_true(told.result > 0);
  assert_int_equal(pool_put(told.result), 0);
  fake_finish(&fake, pool);
}

/* ---- closing ---- */

static void test_async__close_ends_those_who_wait(void **state)
{
  (void)state;
  for (int by_hand = 0; by_hand < 2; by_hand++)
    for (int freed = 0; freed < 2; freed++) {
      pool_t *pool =
          fake_start(&fake, PLAN(.vtable.release = fake_release, .config.max_open = 1, .config.keeper = by_hand));
      pool_lease_t lease = pool_get(pool);
      struct heard told[5] = {0};
      ask_all(pool, -1, told, 5);
      if (freed)
        pool_free(pool);
      else
        assert_int_equal(pool_close(pool, 0), 1);
      for (int i = 0; i < 5; i++) {
        wait_until((by_hand && !freed ? pool_maintain(pool) : 0, told[i].times == 1));
        assert_int_equal(told[i].result, POOL_E_CLOSED);
        assert_int_equal(told[i].error.code, POOL_E_CLOSED);
      }
      assert_int_equal(fake.released, 0);
      assert_int_equal(pool_put(lease), 0);
      if (!freed)
        fake_finish(&fake, pool);
      wait_until(fake.released == 1);
      assert_int_equal(fake.open_now, 0);
    }
}

/* ---- opening ---- */

static void test_async__an_open_that_fails_says_why(void **state)
{
  (void)state;
  for (int32_t openers = 0; openers < 3; openers++)
    for (int by_hand = 0; by_hand < 2; by_hand++) {
      pool_t *pool = fake_start(&fake, PLAN(.config.max_open = 2, .config.keeper = by_hand, .config.openers = openers));
      fake.fail_open = 1000000;
      for (int i = 0; i < 3; i++) {
        struct heard told = {0};
        ask(pool, 20000, &told);
        maintain_until(pool, told.times == 1);
        assert_int_equal(told.result, POOL_E_OPEN);
        assert_int_equal(told.error.code, POOL_E_OPEN);
        assert_int_equal(told.error.native, 111);
        assert_non_null(strstr(told.error.message, "the fake server refuses"));
      }
      struct heard told[6] = {0};
      ask_all(pool, 20000, told, 6);
      for (int i = 0; i < 6; i++) {
        maintain_until(pool, told[i].times == 1);
        assert_int_equal(told[i].result, POOL_E_OPEN);
      }
      assert_int_equal(stats_of(pool).waiting, 0);
      fake.fail_open = 0;
      memset(told, 0, sizeof told);
      ask(pool, 20000, &told[0]);
      maintain_until(pool, told[0].times == 1);
      assert_true(told[0].result > 0);
      assert_int_equal(pool_put(told[0].result), 0);
      fake_finish(&fake, pool);
    }
}

static _Atomic int odd_code;
static _Atomic int odd_opens;

static int odd_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)context, (void)deadline_ns, (void)error;
  atomic_fetch_add(&odd_opens, 1);
  *conn = NULL;
  return atomic_load(&odd_code);
}

static void test_async__whatever_an_open_returns_ends_the_wait(void **state)
{
  (void)state;
  const int codes[] = {0 /* without a connection */,
                       POOL_E_TIMEOUT,
                       POOL_E_UNSUPPORTED,
                       POOL_E_CLOSED,
                       POOL_E_STALE,
                       POOL_E_OVERLOAD,
                       POOL_E_INVALID,
                       1,
                       -1000,
                       INT32_MIN};
  for (int32_t openers = 0; openers < 2; openers++)
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
      pool_t *pool = fake_start(&fake, PLAN(.vtable.open = odd_open, .config.openers = openers));
      odd_code = codes[i];
      odd_opens = 0;
      struct heard told = {0};
      ask(pool, 20000, &told);
      wait_until(told.times == 1);
      assert_true(told.result == (codes[i] == POOL_E_TIMEOUT ? POOL_E_TIMEOUT : POOL_E_OPEN));
      assert_true(strlen(told.error.message) > 0);
      assert_in_range(odd_opens, 1, 3);
      assert_true(pool_get_for(pool, 20000) == (codes[i] == POOL_E_TIMEOUT ? POOL_E_TIMEOUT : POOL_E_OPEN));
      fake_finish(&fake, pool);
    }
}

static void test_async__openers_open_side_by_side(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, PLAN(.config.max_open = 5, .config.openers = 3));
  gate_set(&fake.opening, false);
  struct heard told[5] = {0};
  ask_all(pool, -1, told, 5);
  wait_until(gate_waiting(&fake.opening) == 3);
  assert_int_equal(stats_of(pool).opening, 3);
  gate_set(&fake.opening, true);
  for (int i = 0; i < 5; i++)
    assert_given(&told[i]);
  assert_true(fake.most_open <= 5);
  put_all_given(told, 5);
  fake_finish(&fake, pool);
}

/* An opener that rests must not be counted on twice. */
static void test_async__one_opener_at_rest_is_not_enough_for_two(void **state)
{
  (void)state;
  for (int round = 0; round < 20; round++) {
    pool_t *pool = fake_start(&fake, PLAN(.config.max_open = 3, .config.openers = 2));
    struct heard told[3] = {0};
    ask(pool, -1, &told[0]);
    wait_until(told[0].times == 1);
    gate_set(&fake.opening, false);
    ask(pool, -1, &told[1]);
    ask(pool, -1, &told[2]);
    wait_until(gate_waiting(&fake.opening) == 2);
    gate_set(&fake.opening, true);
    put_all_given(told, 3);
    fake_finish(&fake, pool);
  }
}

static void test_async__a_returned_connection_serves_while_an_open_hangs(void **state)
{
  (void)state;
  for (int32_t openers = 0; openers < 2; openers++) {
    pool_t *pool = fake_start(&fake, PLAN(.config.max_open = 2, .config.openers = openers));
    pool_lease_t lease = pool_get(pool);
    gate_set(&fake.opening, false);
    struct heard told = {0};
    ask(pool, -1, &told);
    wait_until(gate_waiting(&fake.opening) == 1);
    assert_int_equal(told.times, 0);
    assert_int_equal(pool_put(lease), 0);
    put_given(&told);
    assert_int_equal(pool_close(pool, 0), 1); /* the open under way delays nobody */
    gate_set(&fake.opening, true);
    fake_finish(&fake, pool);
    assert_int_equal(fake.opened, 2);
  }
}

/* The first open hangs, all others succeed at once. */
static struct gate first_open;
static _Atomic int opens;

static int open_first_hangs(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  if (atomic_fetch_add(&opens, 1) == 0)
    gate_pass(&first_open);
  return fake_open(context, deadline_ns, conn, error);
}

static void test_async__a_threads_hanging_open_delays_nobody_else(void **state)
{
  (void)state;
  gate_init(&first_open, false);
  opens = 0;
  pool_t *pool = fake_start(&fake, PLAN(.vtable.open = open_first_hangs, .config.max_open = 3));
  struct getter getter = {.keeps = true};
  getter_hold_up(&getter, pool, -1, &first_open);
  struct heard told[2] = {0};
  for (int i = 0; i < 2; i++) {
    ask(pool, 9000, &told[i]);
    assert_given(&told[i]);
  }
  gate_set(&first_open, true);
  assert_int_equal(pool_put(getter_end(&getter)), 0);
  put_all_given(told, 2);
  fake_finish(&fake, pool);
}

/* A thread waits behind an asynchronous get.  The room is given to that one's open, which fails: the room is the
   thread's now, and somebody must tell it. */
static void test_async__a_thread_behind_a_failed_open_is_told(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, PLAN(.config.max_open = 1));
  pool_lease_t lease = pool_get(pool);
  struct heard told = {0};
  ask(pool, -1, &told);
  struct getter getter = {.keeps = true};
  getter_queue(&getter, pool, 9000);
  fake.fail_open = 1;
  assert_int_equal(pool_mark_unusable(lease), 0);
  assert_int_equal(pool_put(lease), 0);
  assert_failed(&told, POOL_E_OPEN);
  assert_int_equal(pool_put(getter_end(&getter)), 0);
  fake_finish(&fake, pool);
}

/* The first was told of an idle connection and has not looked yet when the open that it had asked for fails.  Whoever
   gets the error, the idle connection must reach somebody. */
static void test_async__a_failed_open_swallows_no_nudge(void **state)
{
  (void)state;
  /* With this a put tells the first to look. */
  pool_t *pool = fake_start(&fake, BY_HAND(.config.max_open = 2, .config.fairness_us = 1000000000));
  pool_lease_t lease = pool_get(pool);
  gate_set(&fake.opening, false);
  fake.fail_open = 1;
  struct heard told[2] = {0};
  ask(pool, -1, &told[0]);
  ask(pool, -1, &told[1]);
  pool_maintain(pool);
  wait_until(gate_waiting(&fake.opening) == 1);
  assert_int_equal(pool_put(lease), 0);
  gate_set(&fake.opening, true);
  wait_until(stats_of(pool).open_failures == 1);
  maintain_until(pool, told[0].times + told[1].times == 2);
  for (int i = 0; i < 2; i++)
    if (told[i].result > 0)
      assert_int_equal(pool_put(told[i].result), 0);
    else
      assert_int_equal(told[i].result, POOL_E_OPEN);
  fake_finish(&fake, pool);
}

/* Likewise if the first leaves before an opener has come for it. */
static void test_async__an_expired_first_leaves_the_room_to_the_next(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, BY_HAND(.config.max_open = 1));
  pool_lease_t lease = pool_get(pool);
  struct heard told = {0};
  ask(pool, 300, &told);
  pool_maintain(pool);
  struct getter getter = {.keeps = true};
  getter_queue(&getter, pool, 9000);
  gate_set(&thread_beginning, false);
  assert_int_equal(pool_mark_unusable(lease), 0);
  assert_int_equal(pool_put(lease), 0); /* the room is the first one's, and an opener is sent for */
  maintain_until(pool, told.times == 1);
  assert_int_equal(told.result, POOL_E_TIMEOUT);
  assert_true(getter_end(&getter) > 0);
  gate_set(&thread_beginning, true);
  assert_int_equal(pool_put(getter.result), 0);
  fake_finish(&fake, pool);
}

/* ---- suspicion: the check runs on the keeper, outside the queue ---- */

static int call_breaks(void *context, void *conn, const char *method, pool_bytes_t args, pool_bytes_t *reply,
                       int64_t deadline_ns, pool_error_t *error)
{
  (void)context, (void)conn, (void)method, (void)args, (void)reply, (void)deadline_ns, (void)error;
  return POOL_E_BROKEN;
}

static void test_async__a_suspect_is_checked_in_the_background(void **state)
{
  (void)state;
  for (int64_t timeout_ms = -1; timeout_ms < 1; timeout_ms++)
    for (int dead = 0; dead < 2; dead++) {
      pool_t *pool = fake_start(&fake, PLAN(.vtable.check = fake_check, .vtable.call = call_breaks,
                                            .config.max_open = 3, .config.initial = 3));
      pool_lease_t lease = pool_get(pool);
      assert_int_equal(pool_call(lease, "x", (pool_bytes_t){NULL, 0}, NULL, NULL), POOL_E_BROKEN);
      assert_int_equal(pool_put(lease), 0);
      gate_set(&fake.checking, false);
      fake.fail_check = dead;
      struct heard told = {0};
      ask(pool, timeout_ms, &told);
      wait_until(gate_waiting(&fake.checking) == 1);
      assert_int_equal(told.times, 0);
      gate_set(&fake.checking, true);
      wait_until(told.times == 1);
      if (timeout_ms == 0 && dead) {
        assert_int_equal(told.result, POOL_E_TIMEOUT);
      } else {
        assert_true(told.result > 0);
        assert_int_equal(pool_put(told.result), 0);
      }
      /* One that is dead speaks for the other that is suspect. */
      wait_until(fake.closed == (dead ? 3 : 1));
      assert_int_equal(fake.checked, 1);
      assert_int_equal(fake.opened, timeout_ms != 0 && dead ? 4 : 3);
      fake_finish(&fake, pool);
    }
}

static pool_t *check_pool;
static int64_t check_ticket;
static struct heard in_check;

/* While one is being checked for the first, another comes. */
static int check_and_queue(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)error;
  if (!check_ticket)
    check_ticket = pool_get_async(check_pool, -1, told_got, &in_check);
  return fake_check(context, conn, deadline_ns, error);
}

static void test_async__a_waiter_for_which_a_connection_was_found_dead_keeps_its_place(void **state)
{
  (void)state;
  pool_t *pool =
      fake_start(&fake, BY_HAND(.vtable.check = check_and_queue, .vtable.call = call_breaks, .config.max_open = 2,
                                .config.max_waiters = 2, .config.initial = 2, .config.fairness_us = 1000000000));
  check_pool = pool;
  check_ticket = 0;
  memset(&in_check, 0, sizeof in_check);
  pool_lease_t leases[2] = {pool_get(pool), pool_get(pool)};
  assert_int_equal(pool_put(leases[0]), 0);
  assert_int_equal(pool_call(leases[1], "x", (pool_bytes_t){NULL, 0}, NULL, NULL), POOL_E_BROKEN);
  fake.fail_check = 1;
  struct heard told = {0};
  ask(pool, -1, &told); /* the suspect is checked for it */
  maintain_until(pool, told.times == 1);
  assert_true(check_ticket > 0);
  assert_true(told.result > 0);
  assert_int_equal(fake.checked, 1);
  assert_int_equal(pool_put(leases[1]), 0);
  assert_int_equal(pool_put(told.result), 0);
  maintain_until(pool, in_check.times == 1);
  assert_true(in_check.result > 0);
  assert_true(told.order < in_check.order);
  assert_int_equal(pool_put(in_check.result), 0);
  fake_finish(&fake, pool);
}

/* ---- limits and threads ---- */

static void test_async__more_than_max_waiters_are_refused(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, PLAN(.config.max_open = 1, .config.max_waiters = 3));
  pool_lease_t lease = pool_get(pool);
  struct heard told[4] = {0};
  ask_all(pool, -1, told, 3);
  assert_int_equal(pool_get_async(pool, -1, never, NULL), POOL_E_OVERLOAD);
  assert_int_equal(pool_failure(NULL), POOL_E_OVERLOAD);
  assert_int_equal(pool_get_for(pool, 100), POOL_E_OVERLOAD);
  assert_int_equal(stats_of(pool).overloaded, 2);
  assert_int_equal(pool_cancel(told[1].ticket), 0);
  ask(pool, -1, &told[3]);
  assert_int_equal(pool_close(pool, 0), 1);
  for (int i = 0; i < 4; i++)
    wait_until(told[i].times == 1);
  assert_int_equal(told[1].result, POOL_E_CANCELLED);
  assert_int_equal(told[3].result, POOL_E_CLOSED);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

static void test_async__threads_run_only_while_needed(void **state)
{
  (void)state;
  int before = thread_count_at_rest();
  pool_t *pool = fake_start(&fake, PLAN(.config.initial = 3));
  pool_lease_t leases[5];
  leases_get(pool, leases, 5);
  leases_put(leases, 5);
  assert_int_equal(thread_count(), before); /* a get that opens itself needs no help */
  struct heard told = {.put = true};
  ask(pool, -1, &told);
  wait_until(told.times == 1);
  assert_int_equal(thread_count(), before + 1); /* the keeper; nothing had to be opened */
  wait_until(thread_count() == before);         /* it ends when it was not needed for a while */
  ask(pool, -1, &told);                         /* and is started again */
  wait_until(told.times == 2);
  assert_int_equal(thread_count(), before + 1);
  assert_int_equal(pool_close(pool, -1), 0);
  wait_until(thread_count() == before);
  fake_finish(&fake, pool);
  /* A pool that the program keeps has no keeper, ever. */
  pool = fake_start(&fake, BY_HAND(.config.initial = 3));
  ask(pool, -1, &told);
  assert_int_equal(thread_count(), before);
  pool_maintain(pool);
  assert_int_equal(told.times, 3);
  assert_int_equal(thread_count(), before);
  fake_finish(&fake, pool);
  /* Openers end with their pool. */
  pool = fake_start(&fake, PLAN(.config.max_open = 8, .config.openers = 4));
  gate_set(&fake.opening, false);
  for (int i = 0; i < 8; i++)
    ask(pool, -1, &told);
  wait_until(gate_waiting(&fake.opening) == 4);
  assert_int_equal(thread_count(), before + 5);
  gate_set(&fake.opening, true);
  wait_until(told.times == 11);
  fake_finish(&fake, pool);
  wait_until(thread_count() == before);
}

static void test_async__without_threads_it_says_so(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, PLAN(.config.max_open = 2));
  atomic_store(&no_threads, true);
  assert_int_equal(pool_get_async(pool, -1, never, NULL), POOL_E_SYSTEM);
  assert_int_equal(pool_failure(NULL), POOL_E_SYSTEM);
  assert_int_equal(stats_of(pool).waiting, 0);
  pool_lease_t lease = pool_get(pool); /* needs none */
  assert_true(lease > 0);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
  /* With a keeper, but no thread that could open. */
  pool = fake_start(&fake, BY_HAND(.config.max_open = 2));
  struct heard told[3] = {0};
  ask_all(pool, -1, told, 3);
  for (int i = 0; i < 3; i++) {
    maintain_until(pool, told[i].times == 1);
    assert_int_equal(told[i].result, POOL_E_SYSTEM);
    assert_non_null(strstr(told[i].error.message, "thread"));
  }
  fake_finish(&fake, pool);
  /* Threads that would wait for openers open themselves. */
  pool = fake_start(&fake, PLAN(.config.max_open = 2, .config.openers = 2));
  lease = pool_get_for(pool, 9000);
  assert_true(lease > 0);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
  atomic_store(&no_threads, false);
}

/* ---- kept by the program ---- */

static void test_async__maintain_says_when_it_is_needed_next(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, BY_HAND(.config.max_open = 1));
  assert_true(pool_maintain(pool) == INT64_MAX);
  pool_lease_t lease = pool_get(pool);
  struct heard told[3] = {0};
  ask(pool, -1, &told[0]);
  assert_true(pool_maintain(pool) == INT64_MAX);
  ask(pool, 5000, &told[1]);
  int64_t due = pool_maintain(pool);
  assert_true(due > 0 && due <= INT64_C(5000000000));
  ask(pool, 30, &told[2]);
  due = pool_maintain(pool);
  assert_true(due >= 0 && due <= 30 * 1000000);
  maintain_until(pool, told[2].times == 1);
  assert_int_equal(told[2].result, POOL_E_TIMEOUT);
  assert_int_equal(told[0].times + told[1].times, 0); /* nothing happens outside pool_maintain */
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(told[0].times + told[1].times, 0);
  assert_true(pool_maintain(pool) > INT64_C(1000000000));
  assert_int_equal(told[0].times, 1);
  assert_true(pthread_equal(told[0].thread, pthread_self()));
  assert_int_equal(pool_put(told[0].result), 0);
  assert_true(pool_maintain(pool) == INT64_MAX);
  assert_int_equal(told[1].times, 1);
  assert_int_equal(pool_put(told[1].result), 0);
  assert_true(pool_maintain(pool) == INT64_MAX);
  fake_finish(&fake, pool);
}

struct everything {
  pool_t *pool;
  struct heard inner;
  int what;
  _Atomic int times;
  _Atomic pool_lease_t result;
};

static void do_everything(void *user, pool_lease_t result)
{
  struct everything *all = user;
  gate_pass(&keeper_gate);
  must(pool_close(all->pool, -1) == POOL_E_INVALID);
  must(pool_close(all->pool, 1) == POOL_E_INVALID);
  switch (all->what) {
  case 0:
    must(pool_get_async(all->pool, -1, told_got, &all->inner) > 0);
    break;
  case 1:
    must(result > 0 && pool_put(result) == 0);
    break;
  case 2:
    must(pool_close(all->pool, 0) >= 0);
    break;
  case 3:
    must(pool_maintain(all->pool) >= 0);
    break;
  case 4: {
    pool_lease_t lease = pool_get_for(all->pool, 0);
    must(lease > 0 && pool_put(lease) == 0);
    break;
  }
  case 5:
    pool_free(all->pool);
    break;
  default:
    break;
  }
  atomic_store(&all->result, result);
  atomic_fetch_add(&all->times, 1);
}

static void test_async__callbacks_may_call_everything(void **state)
{
  (void)state;
  for (int by_hand = 0; by_hand < 2; by_hand++)
    for (int what = 0; what < 6; what++) {
      pool_t *pool = fake_start(&fake, PLAN(.vtable.release = fake_release, .config.max_open = 2,
                                            .config.keeper = by_hand, .config.initial = 2));
      struct everything all = {.pool = pool, .what = what};
      struct heard other = {.put = true};
      gate_init(&keeper_gate, by_hand);
      ask(pool, -1, &other);
      assert_true(pool_get_async(pool, -1, do_everything, &all) > 0);
      if (what == 5) {
        pool_ref(pool); /* given up by the callback */
        if (!by_hand)
          pool_free(pool);
      }
      gate_set(&keeper_gate, true);
      if (by_hand)
        pool_maintain(pool);
      wait_until(all.times == 1);
      assert_int_equal(other.times, 1);
      assert_true(all.result > 0);
      if (what == 0) {
        wait_until((pool_maintain(pool), all.inner.times == 1));
        assert_int_equal(pool_put(all.inner.result), 0);
      }
      if (what != 1)
        assert_int_equal(pool_put(all.result), 0);
      if (what != 5 || by_hand)
        fake_finish(&fake, pool);
      wait_until(fake.released == 1);
      assert_int_equal(fake.open_now, 0);
      assert_int_equal(fake.misuse, 0);
    }
}

/* ---- everything at once ---- */

enum { STORM_THREADS = 8, STORM_GETS = 2500, STORM_AHEAD = 16 };

struct request {
  struct storm *storm;
  _Atomic int times;
  _Atomic pool_lease_t result;
  _Atomic int cancelled; /* pool_cancel said so */
};

struct storm {
  pool_t *pool;
  struct request requests[STORM_THREADS * STORM_GETS];
  _Atomic int ended, stop, thread;
  _Atomic pool_lease_t parked[8]; /* leases that somebody else will put */
};

static void storm_got(void *user, pool_lease_t result)
{
  struct request *request = user;
  struct storm *storm = request->storm;
  must(result > 0 || result == POOL_E_TIMEOUT || result == POOL_E_CANCELLED || result == POOL_E_OPEN);
  must(atomic_fetch_add(&request->times, 1) == 0);
  atomic_store(&request->result, result);
  if (result > 0) {
    fake_use(result);
    pool_lease_t earlier = atomic_exchange(&storm->parked[(uint64_t)result % 8], result);
    if (earlier)
      must(pool_put(earlier) == 0);
  }
  atomic_fetch_add(&storm->ended, 1);
}

static void put_parked(struct storm *storm)
{
  for (int i = 0; i < 8; i++) {
    pool_lease_t lease = atomic_exchange(&storm->parked[i], 0);
    if (lease)
      must(pool_put(lease) == 0);
  }
}

static void *storm_main(void *data)
{
  struct storm *storm = data;
  int number = atomic_fetch_add(&storm->thread, 1);
  struct request *requests = &storm->requests[number * STORM_GETS];
  uint64_t seed = (uint64_t)number * 77 + 1;
  int64_t tickets[STORM_GETS];
  for (int i = 0; i < STORM_GETS; i++) {
    uint32_t dice = random_next(&seed);
    requests[i].storm = storm;
    if (i >= STORM_AHEAD)
      must_soon((put_parked(storm), atomic_load(&requests[i - STORM_AHEAD].times) == 1));
    tickets[i] = pool_get_async(storm->pool, dice % 8 == 0 ? (int64_t)(dice / 8 % 3) : -1, storm_got, &requests[i]);
    must(tickets[i] > 0);
    if (dice % 5 == 0) {
      int which = i - (int)(dice / 5 % 4) < 0 ? 0 : i - (int)(dice / 5 % 4);
      if (pool_cancel(tickets[which]) == 0)
        must(atomic_fetch_add(&requests[which].cancelled, 1) == 0);
    }
    if (dice % 7 == 0) {
      pool_lease_t lease = pool_get_for(storm->pool, dice / 7 % 2);
      must(lease > 0 || lease == POOL_E_TIMEOUT || lease == POOL_E_OPEN);
      if (lease > 0) {
        fake_use(lease);
        if (dice % 3 == 0)
          must(pool_mark_unusable(lease) == 0);
        must(pool_put(lease) == 0);
      }
    }
    if (dice % 11 == 0)
      put_parked(storm);
  }
  return NULL;
}

static void *storm_maintain_main(void *data)
{
  struct storm *storm = data;
  while (!atomic_load(&storm->stop)) {
    must(pool_maintain(storm->pool) >= 0);
    put_parked(storm);
    yield_ns();
  }
  return NULL;
}

#define STORMY(...) PLAN(.config.max_open = 4, .vtable.release = fake_release, __VA_ARGS__)

static void run_storm(const struct plan *plan)
{
  static struct storm storm;
  memset(&storm, 0, sizeof storm);
  storm.pool = fake_start(&fake, plan);
  fake.good_opens = 10;
  fake.fail_open = 10;
  pthread_t threads[STORM_THREADS], maintaining[2];
  threads_start(maintaining, 2, storm_maintain_main, &storm);
  threads_start(threads, STORM_THREADS, storm_main, &storm);
  threads_end(threads, STORM_THREADS);
  wait_until(storm.ended == STORM_THREADS * STORM_GETS);
  storm.stop = 1;
  threads_end(maintaining, 2);
  put_parked(&storm);
  int64_t cancelled = 0;
  for (int i = 0; i < STORM_THREADS * STORM_GETS; i++) {
    assert_int_equal(storm.requests[i].times, 1);
    assert_int_equal(storm.requests[i].cancelled, storm.requests[i].result == POOL_E_CANCELLED);
    cancelled += storm.requests[i].cancelled;
  }
  fake.fail_open = 0;
  assert_true(fake.most_open <= 4);
  wait_until(stats_of(storm.pool).open == stats_of(storm.pool).idle); /* an opener may be about to finish */
  pool_stats_t stats = stats_of(storm.pool);
  assert_int_equal(stats.cancelled, cancelled);
  assert_int_equal(stats.waiting, 0);
  assert_int_equal(stats.leased, 0);
  assert_int_equal(stats.opening, 0);
  pool_lease_t leases[4];
  leases_get(storm.pool, leases, 4);
  leases_put(leases, 4);
  fake_finish(&fake, storm.pool);
  wait_until(fake.released == 1);
  for (int i = 0; i < STORM_THREADS * STORM_GETS; i++)
    assert_int_equal(storm.requests[i].times, 1);
}

static void test_async__a_storm(void **state)
{
  (void)state;
  run_storm(STORMY());
}

static void test_async__a_storm_that_is_fair(void **state)
{
  (void)state;
  run_storm(STORMY(.config.fairness_us = 0));
}

static void test_async__a_storm_with_openers(void **state)
{
  (void)state;
  run_storm(STORMY(.config.openers = 2, .config.fairness_us = 50, .vtable.reset = fake_reset));
}

static void test_async__a_storm_kept_by_hand(void **state)
{
  (void)state;
  run_storm(STORMY(.config.keeper = POOL_KEEPER_MANUAL));
}

/* Gets that race with the pool's closing are called back all the same, or were refused. */
struct race {
  pool_t *pool;
  struct heard told[200];
  int accepted;
};

static void *race_main(void *data)
{
  struct race *race = data;
  for (int i = 0; i < 200; i++) {
    race->told[i].put = true;
    int64_t ticket = pool_get_async(race->pool, -1, told_got, &race->told[i]);
    if (ticket < 0) {
      must(ticket == POOL_E_CLOSED);
      break;
    }
    race->accepted = i + 1;
  }
  return NULL;
}

static void test_async__a_close_in_the_middle_forgets_nobody(void **state)
{
  (void)state;
  for (int round = 0; round < 30; round++) {
    pool_t *pool = fake_start(&fake, PLAN(.config.max_open = 2));
    static struct race races[3];
    memset(races, 0, sizeof races);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
      races[i].pool = pool;
      threads[i] = thread_start(race_main, &races[i]);
    }
    if (round % 3)
      wait_until(stats_of(pool).lent >= round);
    assert_int_equal(pool_close(pool, -1), 0);
    for (int i = 0; i < 3; i++) {
      thread_end(threads[i]);
      for (int j = 0; j < races[i].accepted; j++)
        wait_until(races[i].told[j].times == 1);
    }
    fake_finish(&fake, pool);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_async__got_is_called_once_on_the_keeper),
      cmocka_unit_test(test_async__never_calls_back_inside_the_call),
      cmocka_unit_test(test_async__serves_in_order_of_arrival),
      cmocka_unit_test(test_async__ends_at_its_deadline),
      cmocka_unit_test(test_async__timeout_0_gets_what_is_idle),
      cmocka_unit_test(test_async__timeout_0_opens_nothing),
      cmocka_unit_test(test_async__timeout_0_opens_nothing_for_a_get_that_came_too_late),
      cmocka_unit_test(test_async__wrong_parameters_are_refused),
      cmocka_unit_test(test_async__a_queued_one_is_cancelled),
      cmocka_unit_test(test_async__cancelled_while_handed_over_the_next_gets_it),
      cmocka_unit_test(test_async__what_is_no_ticket_cancels_nothing),
      cmocka_unit_test(test_async__close_ends_those_who_wait),
      cmocka_unit_test(test_async__an_open_that_fails_says_why),
      cmocka_unit_test(test_async__whatever_an_open_returns_ends_the_wait),
      cmocka_unit_test(test_async__openers_open_side_by_side),
      cmocka_unit_test(test_async__one_opener_at_rest_is_not_enough_for_two),
      cmocka_unit_test(test_async__a_returned_connection_serves_while_an_open_hangs),
      cmocka_unit_test(test_async__a_threads_hanging_open_delays_nobody_else),
      cmocka_unit_test(test_async__a_thread_behind_a_failed_open_is_told),
      cmocka_unit_test(test_async__a_failed_open_swallows_no_nudge),
      cmocka_unit_test(test_async__an_expired_first_leaves_the_room_to_the_next),
      cmocka_unit_test(test_async__a_suspect_is_checked_in_the_background),
      cmocka_unit_test(test_async__a_waiter_for_which_a_connection_was_found_dead_keeps_its_place),
      cmocka_unit_test(test_async__more_than_max_waiters_are_refused),
      cmocka_unit_test(test_async__threads_run_only_while_needed),
      cmocka_unit_test(test_async__without_threads_it_says_so),
      cmocka_unit_test(test_async__maintain_says_when_it_is_needed_next),
      cmocka_unit_test(test_async__callbacks_may_call_everything),
      cmocka_unit_test(test_async__a_storm),
      cmocka_unit_test(test_async__a_storm_that_is_fair),
      cmocka_unit_test(test_async__a_storm_with_openers),
      cmocka_unit_test(test_async__a_storm_kept_by_hand),
      cmocka_unit_test(test_async__a_close_in_the_middle_forgets_nobody),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
