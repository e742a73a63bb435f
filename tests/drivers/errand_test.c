/* SPDX-License-Identifier: MIT */
/* Errands (drivers/support/errand.h) to a server of the test's own, which may be silent. */
#include "support.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/errand.h"

#define THREADS_MOST     16
#define AT_A_SERVER_MOST 12
#define WAITING_MOST     1000
#define MANY             (THREADS_MOST + WAITING_MOST)

static struct gate answers; /* closed: all servers are silent but that of number 0 */

struct order {
  struct errand errand; /* first */
  int again;            /* how often it is run once more */
  int64_t pause_ns, ran_ns;
  _Atomic int runs, ends, early;
};

static int64_t order_run(struct errand *errand)
{
  struct order *order = (struct order *)errand;
  if (order->runs > 0 && now_ns() < order->ran_ns + order->pause_ns)
    order->early++;
  order->runs++;
  if (errand->server)
    gate_pass(&answers);
  order->ran_ns = now_ns();
  return order->again-- > 0 ? order->pause_ns : ERRAND_DONE;
}

static void order_end(struct errand *errand)
{
  struct order *order = (struct order *)errand;
  order->ends++;
}

/* To a server of its own. */
static struct order order_until(int64_t until_ns)
{
  static uint64_t server;
  return (struct order){
      .errand = {.run = order_run, .end = order_end, .until_ns = until_ns, .server = ++server}};
}

static struct order order_new(void)
{
  return order_until(now_ns() + LONG_NS);
}

static void send_all(struct order *orders, int count)
{
  for (int i = 0; i < count; i++) {
    orders[i] = order_new();
    assert_true(errand_send(&orders[i].errand));
  }
}

/* The servers are silent to as many errands as there are threads. */
static void hold_up_all_threads(struct order *orders)
{
  gate_set(&answers, false);
  send_all(orders, THREADS_MOST);
  wait_until(gate_waiting(&answers) == THREADS_MOST);
}

static void test_errand__all_are_run_by_a_few_threads_which_end_then(void **state)
{
  static struct order orders[MANY];
  (void)state;
  int threads = thread_count_at_rest();
  hold_up_all_threads(orders);
  send_all(orders + THREADS_MOST, WAITING_MOST);
  assert_int_equal(thread_count(), threads + THREADS_MOST);
  gate_set(&answers, true);
  for (int i = 0; i < MANY; i++) {
    wait_until(orders[i].ends == 1);
    assert_int_equal(orders[i].runs, 1);
  }
  wait_until(thread_count() == threads);
}

static void test_errand__where_too_many_wait_the_next_stays_with_its_sender(void **state)
{
  static struct order orders[MANY];
  (void)state;
  struct order next = order_new();
  hold_up_all_threads(orders);
  send_all(orders + THREADS_MOST, WAITING_MOST);
  assert_false(errand_send(&next.errand));
  gate_set(&answers, true);
  wait_until(orders[MANY - 1].ends == 1);
  assert_true(errand_send(&next.errand));
  wait_until(next.ends == 1);
  assert_int_equal(next.runs, 1);
}

/* Most threads are at the server that is silent, and others for the next one. */
static void test_errand__a_silent_server_holds_up_no_other(void **state)
{
  static struct order orders[THREADS_MOST * 2];
  (void)state;
  int threads = thread_count_at_rest();
  struct order other = order_new();
  other.errand.server = 0;
  gate_set(&answers, false);
  for (int i = 0; i < THREADS_MOST * 2; i++) {
    orders[i] = order_new();
    orders[i].errand.server = 1;
    assert_true(errand_send(&orders[i].errand));
  }
  wait_until(gate_waiting(&answers) == AT_A_SERVER_MOST);
  assert_true(errand_send(&other.errand));
  wait_until(other.ends == 1);
  assert_true(errand_withdraw(&orders[THREADS_MOST].errand)); /* none but these are at work */
  assert_int_equal(gate_waiting(&answers), AT_A_SERVER_MOST);
  gate_set(&answers, true);
  for (int i = 0; i < THREADS_MOST * 2; i++)
    wait_until(orders[i].ends == (i != THREADS_MOST));
  wait_until(thread_count() == threads);
}

/* A thread that is done at a server may go to another: one that waits takes its place. */
static void test_errand__room_at_a_server_is_used_by_any_thread(void **state)
{
  static struct order orders[AT_A_SERVER_MOST * 20];
  (void)state;
  int count = AT_A_SERVER_MOST * 20;
  for (int i = 0; i < count; i++) {
    orders[i] = order_new();
    orders[i].errand.server = 1 + i / (count / 3); /* one server after the other */
    orders[i].again = i % 2;
    orders[i].pause_ns = 1000;
    assert_true(errand_send(&orders[i].errand));
  }
  for (int i = 0; i < count; i++)
    wait_until(orders[i].ends == 1 && orders[i].runs == 1 + i % 2);
}

static void test_errand__a_server_has_a_number_of_its_own(void **state)
{
  (void)state;
  assert_true(errand_server("one", "5432") == errand_server("one", "5432"));
  assert_true(errand_server("one", "5432") != errand_server("one", "5433"));
  assert_true(errand_server("one", "5432") != errand_server("two", "5432"));
  assert_true(errand_server(NULL, NULL) == errand_server("", ""));
}

static void test_errand__one_that_is_run_again_has_its_pauses(void **state)
{
  (void)state;
  struct order order = order_new(), other = order_new();
  order.again = 5;
  order.pause_ns = 2000000;
  other.again = 1;
  other.pause_ns = 3000000;
  assert_true(errand_send(&order.errand));
  assert_true(errand_send(&other.errand));
  wait_until(order.ends == 1 && other.ends == 1);
  assert_int_equal(order.runs, 6);
  assert_int_equal(other.runs, 2);
  assert_int_equal(order.early + other.early, 0);
}

/* A thread that waits for the time of one is there for another. */
static void test_errand__one_that_pauses_keeps_no_thread_from_another(void **state)
{
  struct order pausing[THREADS_MOST], other = order_new();
  (void)state;
  for (int i = 0; i < THREADS_MOST; i++) {
    pausing[i] = order_until(now_ns() + 1000000000);
    pausing[i].again = 1000000;
    pausing[i].pause_ns = 250000000;
    assert_true(errand_send(&pausing[i].errand));
  }
  assert_true(errand_send(&other.errand));
  wait_until(other.ends == 1);
  for (int i = 0; i < THREADS_MOST; i++)
    wait_until(pausing[i].ends == 1); /* when it would be run too late */
}

static void test_errand__one_that_is_late_is_freed_and_not_run(void **state)
{
  static struct order orders[THREADS_MOST];
  (void)state;
  struct order late = order_until(now_ns()), last = order_until(now_ns());
  hold_up_all_threads(orders);
  assert_true(errand_send(&late.errand));
  assert_true(errand_send(&last.errand)); /* which finds the one that is late, while no thread can */
  assert_int_equal(late.ends, 1);
  gate_set(&answers, true);
  wait_until(last.ends == 1);
  assert_int_equal(late.runs + last.runs, 0);
  for (int i = 0; i < THREADS_MOST; i++)
    wait_until(orders[i].ends == 1);
}

static void test_errand__one_that_no_thread_has_begun_can_be_withdrawn(void **state)
{
  static struct order orders[THREADS_MOST + 3];
  (void)state;
  hold_up_all_threads(orders);
  send_all(orders + THREADS_MOST, 3);
  assert_false(errand_withdraw(&orders[0].errand));
  assert_true(errand_withdraw(&orders[THREADS_MOST + 1].errand));
  assert_false(errand_withdraw(&orders[THREADS_MOST + 1].errand));
  assert_true(errand_withdraw(&orders[THREADS_MOST + 2].errand));
  gate_set(&answers, true);
  for (int i = 0; i <= THREADS_MOST; i++)
    wait_until(orders[i].ends == 1);
  for (int i = 1; i <= 2; i++)
    assert_int_equal(orders[THREADS_MOST + i].runs + orders[THREADS_MOST + i].ends, 0);
}

static void expect_errand_in_child(void)
{
  int status;
  pid_t child = fork();
  if (child == 0) {
    struct order own = order_new();
    gate_init(&answers, true);
    must(errand_send(&own.errand));
    must_soon(own.ends == 1);
    exit(0); /* with what a sanitizer has found */
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}

static void test_errand__a_child_of_fork_waits_for_no_thread_of_its_parent(void **state)
{
  static struct order orders[THREADS_MOST + 1];
  (void)state;
  hold_up_all_threads(orders);
  send_all(orders + THREADS_MOST, 1);
  expect_errand_in_child();
  gate_set(&answers, true);
  for (int i = 0; i <= THREADS_MOST; i++) {
    wait_until(orders[i].ends == 1);
    assert_int_equal(orders[i].runs, 1); /* not in the child as well */
  }
}

static void test_errand__a_child_of_fork_sends_some_where_the_threads_of_its_parent_have_ended(void **state)
{
  (void)state;
  struct order order = order_new();
  int threads = thread_count_at_rest();
  assert_true(errand_send(&order.errand));
  wait_until(order.ends == 1 && thread_count() == threads);
  expect_errand_in_child();
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_errand__all_are_run_by_a_few_threads_which_end_then),
      cmocka_unit_test(test_errand__where_too_many_wait_the_next_stays_with_its_sender),
      cmocka_unit_test(test_errand__a_silent_server_holds_up_no_other),
      cmocka_unit_test(test_errand__room_at_a_server_is_used_by_any_thread),
      cmocka_unit_test(test_errand__a_server_has_a_number_of_its_own),
      cmocka_unit_test(test_errand__one_that_is_run_again_has_its_pauses),
      cmocka_unit_test(test_errand__one_that_pauses_keeps_no_thread_from_another),
      cmocka_unit_test(test_errand__one_that_is_late_is_freed_and_not_run),
      cmocka_unit_test(test_errand__one_that_no_thread_has_begun_can_be_withdrawn),
      cmocka_unit_test(test_errand__a_child_of_fork_waits_for_no_thread_of_its_parent),
      cmocka_unit_test(test_errand__a_child_of_fork_sends_some_where_the_threads_of_its_parent_have_ended),
  };
  gate_init(&answers, true);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
