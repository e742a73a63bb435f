/* SPDX-License-Identifier: MIT */
/* Deadlines of drivers (drivers/support/deadline.h) that no clock has ever been at. */
#include "support.h"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "dozer.h"
#include "support/deadline.h"

static const int64_t past[] = {INT64_MIN, INT64_MIN + 1, -1000000001, -1, 0, 1};
#define PASTS (int)(sizeof past / sizeof *past)

static void test_deadline__what_is_past_has_nothing_left(void **state)
{
  (void)state;
  for (int i = 0; i < PASTS; i++) {
    assert_true(deadline_is_past(past[i]));
    assert_int_equal(deadline_left(past[i]), 0);
    assert_int_equal(deadline_poll_timeout(past[i]), 0);
    assert_int_equal(deadline_share(past[i], 3), past[i]);
  }
}

static void test_deadline__waits_until_what_is_past_end_at_once(void **state)
{
  int ends[2];
  pthread_cond_t changed;
  pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  (void)state;
  assert_int_equal(pipe(ends), 0);
  deadline_condition_init(&changed);
  pthread_mutex_lock(&lock);
  for (int i = 0; i < PASTS; i++) {
    assert_int_equal(deadline_wait_ready(ends[0], POLLIN, past[i]), EXPIRED);
    assert_int_equal(deadline_wait_ready(ends[1], POLLOUT, past[i]), OK);
    assert_false(deadline_wait(&changed, &lock, past[i]));
  }
  pthread_mutex_unlock(&lock);
  pthread_cond_destroy(&changed);
  close(ends[0]);
  close(ends[1]);
}

static void test_deadline__far_ones_are_waited_for_as_long_as_poll_can(void **state)
{
  (void)state;
  assert_int_equal(deadline_poll_timeout(POOL_NO_DEADLINE), -1);
  assert_int_equal(deadline_poll_timeout(POOL_NO_DEADLINE - 1), INT_MAX);
  assert_true(deadline_left(POOL_NO_DEADLINE - 1) > deadline_left(now_ns() + LONG_NS));
}

struct wait {
  int ends[2];
  int64_t deadline_ns;
  enum outcome outcome;
  atomic_int ended;
};

static void *wait_main(void *data)
{
  struct wait *wait = data;
  wait->outcome = deadline_wait_ready(wait->ends[0], POLLIN, wait->deadline_ns);
  wait->ended = 1;
  return NULL;
}

/* The thread is in a signal handler from before the event until after the deadline.  False: it was too late for that,
   as where much else runs. */
static bool expect_after_doze(bool comes)
{
  struct wait wait = {.deadline_ns = now_ns() + 50000000};
  assert_int_equal(pipe(wait.ends), 0);
  pthread_t thread = thread_start(wait_main, &wait);
  wait_until(now_ns() > wait.deadline_ns - 40000000);
  bool dozes = dozer_stop(thread, &wait.ended) && !deadline_is_past(wait.deadline_ns);
  if (comes)
    assert_int_equal(write(wait.ends[1], "", 1), 1);
  wait_until(deadline_is_past(wait.deadline_ns));
  dozer_wake();
  pthread_join(thread, NULL);
  if (dozes)
    assert_int_equal(wait.outcome, comes ? OK : EXPIRED);
  close(wait.ends[0]);
  close(wait.ends[1]);
  return dozes;
}

static void test_deadline__what_came_in_time_is_seen_after_it(void **state)
{
  (void)state;
  for (int dozed = 0; dozed < 10;)
    dozed += expect_after_doze(dozed % 2);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_deadline__what_is_past_has_nothing_left),
      cmocka_unit_test(test_deadline__waits_until_what_is_past_end_at_once),
      cmocka_unit_test(test_deadline__what_came_in_time_is_seen_after_it),
      cmocka_unit_test(test_deadline__far_ones_are_waited_for_as_long_as_poll_can),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
