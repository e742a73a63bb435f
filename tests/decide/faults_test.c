/* SPDX-License-Identifier: MIT */
/* Faults that other pools have or had, each shown not to happen here.  The comments name the pool where it was found.
 */
#include "support.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pool_t *pool_of(struct fake *fake, int32_t max_open)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = max_open;
  return fake_pool(fake, &config, NULL);
}

struct thread {
  pool_t *pool;
  pool_lease_t lease;
  int64_t timeout_ms;
  _Atomic bool done;
  _Atomic pool_lease_t result;
  _Atomic int64_t took_ns;
  pthread_t thread;
};

static void *run_get(void *data)
{
  struct thread *thread = data;
  int64_t began = now_ns();
  atomic_store(&thread->result, pool_get_for(thread->pool, thread->timeout_ms));
  atomic_store(&thread->took_ns, now_ns() - began);
  atomic_store(&thread->done, true);
  return NULL;
}

static void *run_put(void *data)
{
  struct thread *thread = data;
  atomic_store(&thread->result, pool_put(thread->lease));
  atomic_store(&thread->done, true);
  return NULL;
}

static void *run_close(void *data)
{
  struct thread *thread = data;
  atomic_store(&thread->result, pool_close(thread->pool, thread->timeout_ms));
  atomic_store(&thread->done, true);
  return NULL;
}

static void start(struct thread *thread, void *(*main)(void *))
{
  thread->thread = thread_start(main, thread);
}

/* maxatome/pool, apr_reslist: a second return puts the connection in twice, and the next two users share it. */
static void test_faults__a_double_return_makes_nobody_share(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = pool_of(&fake, 2);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_put(lease), POOL_E_STALE);
  assert_int_equal(pool_len(pool), 1);
  pool_lease_t a = pool_get(pool), b = pool_get(pool);
  assert_ptr_not_equal(pool_conn(a), pool_conn(b));
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  assert_int_equal(pool_put(a), 0);
  assert_int_equal(pool_put(b), 0);
  fake_finish(&fake, pool);
}

static void *get_use_put(void *data)
{
  for (int i = 0; i < 50; i++) {
    pool_lease_t lease = pool_get(data);
    fake_use(lease);
    pool_put(lease);
  }
  return NULL;
}

/* maxatome/pool: the capacity caps only what is idle; a hundred users open a hundred connections. */
static void test_faults__the_hard_cap_is_hard(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = pool_of(&fake, 2);
  pthread_t threads[20];
  for (int i = 0; i < 20; i++)
    threads[i] = thread_start(get_use_put, pool);
  for (int i = 0; i < 20; i++)
    thread_end(threads[i]);
  assert_true(fake.most_open <= 2);
  fake_finish(&fake, pool);
}

static void *get_until_closed(void *data)
{
  for (;;) {
    pool_lease_t lease = pool_get(data);
    if (lease == POOL_E_CLOSED)
      return NULL;
    assert_true(lease > 0);
    fake_use(lease);
    pool_put(lease);
  }
}

/* maxatome/pool: a get that races a close calls a factory that is gone. */
static void test_faults__gets_race_a_close(void **state)
{
  (void)state;
  for (int round = 0; round < 200; round++) {
    struct fake fake;
    fake_init(&fake);
    pool_t *pool = pool_of(&fake, round % 3);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
      threads[i] = thread_start(get_until_closed, pool);
    wait_until(fake.opened > 0);
    pool_close(pool, 0);
    for (int i = 0; i < 3; i++)
      thread_end(threads[i]);
    fake_finish(&fake, pool);
  }
}

/* connection_pool: discarding frees a place without telling the waiters, which sleep until their timeout. */
static void test_faults__a_discarded_connection_frees_its_place_for_a_waiter(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = pool_of(&fake, 1);
  pool_lease_t lease = pool_get(pool);
  struct thread getter = {.pool = pool, .timeout_ms = 60000};
  start(&getter, run_get);
  wait_until(stats_of(pool).waiting == 1);
  pool_mark_unusable(lease);
  assert_int_equal(pool_put(lease), 0);
  thread_end(getter.thread);
  assert_true(getter.result > 0);
  assert_true(getter.took_ns < INT64_C(30000000000));
  pool_put(getter.result);
  fake_finish(&fake, pool);
}

/* connection_pool: what other threads hold at a fork is lost from the child's capacity for ever. */
static void test_faults__a_child_has_the_full_capacity(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = pool_of(&fake, 1);
  struct thread getter = {.pool = pool, .timeout_ms = -1};
  start(&getter, run_get);
  thread_end(getter.thread);
  assert_true(getter.result > 0);
  pid_t child = fork();
  if (child == 0) {
    alarm(60);
    pool_lease_t lease = pool_get_for(pool, 30000);
    _exit(lease > 0 && pool_put(getter.result) == POOL_E_STALE && pool_put(lease) == 0 ? 0 : 1);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_int_equal(pool_put(getter.result), 0);
  fake_finish(&fake, pool);
}

/* connection_pool, apr_reslist: the factory runs under the lock, and a return waits for somebody else's connect. */
static void test_faults__a_slow_open_delays_no_put(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = pool_of(&fake, 2);
  pool_lease_t lease = pool_get(pool);
  gate_set(&fake.opening, false);
  struct thread opening = {.pool = pool, .timeout_ms = -1};
  start(&opening, run_get);
  wait_until(gate_waiting(&fake.opening) == 1);
  /* All of these return although the open does not. */
  assert_int_equal(pool_put(lease), 0);
  lease = pool_get(pool);
  assert_true(lease > 0);
  assert_int_equal(pool_mark_unusable(lease), 0);
  assert_int_equal(stats_of(pool).opening, 1);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(fake.closed, 1);
  assert_false(opening.done);
  gate_set(&fake.opening, true);
  thread_end(opening.thread);
  assert_int_equal(pool_put(opening.result), 0);
  fake_finish(&fake, pool);
}

static void test_faults__a_slow_close_delays_no_put(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = pool_of(&fake, 3);
  pool_lease_t doomed = pool_get(pool), other = pool_get(pool);
  gate_set(&fake.closing, false);
  pool_mark_unusable(doomed);
  struct thread closing = {.lease = doomed};
  start(&closing, run_put);
  wait_until(gate_waiting(&fake.closing) == 1);
  assert_int_equal(pool_put(other), 0);
  other = pool_get(pool);
  assert_true(other > 0);
  pool_lease_t third = pool_get(pool);
  assert_true(third > 0);
  /* What is being closed still has its place: the cap is on connections, not on intentions. */
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  assert_int_equal(pool_put(third), 0);
  assert_int_equal(pool_put(other), 0);
  assert_false(closing.done);
  gate_set(&fake.closing, true);
  thread_end(closing.thread);
  fake_finish(&fake, pool);
}

static void test_faults__a_slow_reset_delays_no_put(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_vtable_t vtable = fake_vtable();
  pool_config_t config = POOL_CONFIG_INIT;
  vtable.reset = fake_reset;
  config.max_open = 2;
  pool_t *pool = fake_pool(&fake, &config, &vtable);
  pool_lease_t slow = pool_get(pool), other = pool_get(pool);
  gate_set(&fake.resetting, false);
  struct thread resetting = {.lease = slow};
  start(&resetting, run_put);
  wait_until(gate_waiting(&fake.resetting) == 1);
  /* Until it is clean, it is nobody's. */
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  assert_null(pool_conn(slow));
  pool_mark_unusable(other); /* closed without a reset */
  assert_int_equal(pool_put(other), 0);
  assert_int_equal(fake.closed, 1);
  gate_set(&fake.resetting, true);
  thread_end(resetting.thread);
  assert_int_equal(pool_len(pool), 1);
  fake_finish(&fake, pool);
}

/* connection_pool: reload hands the old connections out again.  Here closing is what ends a generation of connections.
 */
static void test_faults__what_was_out_during_a_close_is_never_lent_again(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = pool_of(&fake, 2);
  pool_lease_t lease = pool_get(pool);
  pool_close(pool, 0);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(fake.closed, 1);
  assert_int_equal(pool_get(pool), POOL_E_CLOSED);
  fake_finish(&fake, pool);
}

struct turns {
  pool_t *pool;
  pthread_barrier_t *begin;
  _Atomic bool *stop;
  int count;
  int64_t longest_ns;
};

static void *take_turns(void *data)
{
  struct turns *turns = data;
  pthread_barrier_wait(turns->begin);
  while (!atomic_load(turns->stop)) {
    int64_t began = now_ns();
    pool_lease_t lease = pool_get_for(turns->pool, -1);
    int64_t waited = now_ns() - began;
    turns->longest_ns = waited > turns->longest_ns ? waited : turns->longest_ns;
    fake_use(lease);
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); /* the work that the connection is held for */
    pool_put(lease);
    turns->count++;
  }
  return NULL;
}

/* connection_pool, apr_reslist, HikariCP, database/sql: some threads get a thousand turns, others a few. */
static void test_faults__turns_are_fair(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = pool_of(&fake, 2);
  enum { MANY = 20 };
  _Atomic bool stop = false;
  pthread_barrier_t begin; /* a thread that is started late would have fewer turns */
  pthread_barrier_init(&begin, NULL, MANY);
  struct turns turns[MANY] = {0};
  pthread_t threads[MANY];
  for (int i = 0; i < MANY; i++) {
    turns[i] = (struct turns){.pool = pool, .begin = &begin, .stop = &stop};
    threads[i] = thread_start(take_turns, &turns[i]);
  }
  wait_until(stats_of(pool).lent > MANY * 50);
  atomic_store(&stop, true);
  int least = 1 << 30, most = 0;
  for (int i = 0; i < MANY; i++) {
    thread_end(threads[i]);
    least = turns[i].count < least ? turns[i].count : least;
    most = turns[i].count > most ? turns[i].count : most;
  }
  pthread_barrier_destroy(&begin);
  /* The exact shares and waits are the benchmark's; here only that nobody starves, on a machine however busy. */
  assert_true(least * 4 >= most);
  fake_finish(&fake, pool);
}

/* puddle: a close during an open that a try began waits for ever and leaks what the open yields. */
static void test_faults__a_close_does_not_hang_on_an_open(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = pool_of(&fake, 2);
  gate_set(&fake.opening, false);
  struct thread opening = {.pool = pool, .timeout_ms = 0};
  start(&opening, run_get);
  wait_until(gate_waiting(&fake.opening) == 1);
  assert_int_equal(pool_close(pool, 0), 1);
  assert_int_equal(pool_close(pool, 1), 1);
  gate_set(&fake.opening, true);
  thread_end(opening.thread);
  assert_int_equal(opening.result, POOL_E_CLOSED);
  assert_int_equal(fake.opened, 1);
  wait_until(fake.closed == 1); /* by a library thread: the get has a deadline */
  fake_finish(&fake, pool);
}

/* puddle: a stale handle is accepted while another user has the connection, and lends it to a third. */
static void test_faults__a_stale_lease_is_refused_while_another_is_out(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = pool_of(&fake, 1);
  pool_lease_t a = pool_get(pool);
  assert_int_equal(pool_put(a), 0);
  pool_lease_t b = pool_get(pool);
  assert_int_equal(pool_put(a), POOL_E_STALE);
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  fake_use(b);
  assert_int_equal(pool_put(b), 0);
  fake_finish(&fake, pool);
}

/* puddle: a get that triggered an open waits for that open, although a connection comes back long before. */
static void test_faults__a_returned_connection_serves_who_waits_for_an_open(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 4;
  config.openers = 3;
  pool_t *pool = fake_pool(&fake, &config, NULL);
  pool_lease_t lease = pool_get(pool);
  assert_true(lease > 0);
  gate_set(&fake.opening, false);
  struct thread first = {.pool = pool, .timeout_ms = -1}, second = {.pool = pool, .timeout_ms = -1};
  start(&first, run_get);
  wait_until(gate_waiting(&fake.opening) == 1);
  start(&second, run_get);
  wait_until(gate_waiting(&fake.opening) == 2);
  assert_int_equal(pool_put(lease), 0);
  thread_end(first.thread);
  assert_true(first.result > 0);
  assert_int_equal(gate_waiting(&fake.opening), 2); /* both opens are still stuck */
  assert_int_equal(pool_put(first.result), 0);
  thread_end(second.thread);
  assert_true(second.result > 0);
  assert_int_equal(pool_put(second.result), 0);
  gate_set(&fake.opening, true);
  fake_finish(&fake, pool);
}

/* puddle: a connection whose opening began before a reset is lent after it.  Here: before a close. */
static void test_faults__an_open_from_before_a_close_is_not_lent_after_it(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_config_t config = POOL_CONFIG_INIT;
  config.openers = 1;
  pool_t *pool = fake_pool(&fake, &config, NULL);
  gate_set(&fake.opening, false);
  struct thread getter = {.pool = pool, .timeout_ms = -1};
  start(&getter, run_get);
  wait_until(gate_waiting(&fake.opening) == 1);
  pool_close(pool, 0);
  thread_end(getter.thread);
  assert_int_equal(getter.result, POOL_E_CLOSED);
  gate_set(&fake.opening, true);
  fake_finish(&fake, pool);
}

static void *barge(void *data)
{
  struct turns *turns = data;
  while (!atomic_load(turns->stop)) {
    pool_lease_t lease = pool_get_for(turns->pool, 0);
    if (lease > 0)
      pool_put(lease);
  }
  return NULL;
}

/* apr_reslist: each time somebody overtakes a waiter, its timeout begins anew. */
static void test_faults__a_timeout_is_a_deadline(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = pool_of(&fake, 1);
  pool_lease_t lease = pool_get(pool);
  struct thread getter = {.pool = pool, .timeout_ms = 50};
  start(&getter, run_get);
  wait_until(stats_of(pool).waiting == 1);
  /* Woken again and again, and each time overtaken: a waiter of the past. */
  for (int i = 0; i < 1000 && !getter.done; i++) {
    struct thread hasty = {.pool = pool, .timeout_ms = 0};
    run_get(&hasty);
    assert_int_equal(hasty.result, POOL_E_TIMEOUT);
  }
  thread_end(getter.thread);
  assert_int_equal(getter.result, POOL_E_TIMEOUT);
  assert_true(getter.took_ns >= 50 * 1000000);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

/* The same with a thread that really takes what is put: a patient waiter is served in spite of it. */
static void test_faults__nobody_overtakes_for_ever(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = pool_of(&fake, 1);
  _Atomic bool stop = false;
  struct turns busy = {.pool = pool, .stop = &stop};
  pthread_t barger = thread_start(barge, &busy);
  for (int i = 0; i < 100; i++) {
    pool_lease_t lease = pool_get_for(pool, 60000);
    assert_true(lease > 0);
    fake_use(lease);
    assert_int_equal(pool_put(lease), 0);
  }
  atomic_store(&stop, true);
  thread_end(barger);
  fake_finish(&fake, pool);
}

/* Vitess: a connection is given to a waiter whose time is over.  Here it goes to the next. */
static void test_faults__an_expired_waiter_is_given_nothing(void **state)
{
  (void)state;
  for (int round = 0; round < 100; round++) {
    struct fake fake;
    fake_init(&fake);
    pool_t *pool = pool_of(&fake, 1);
    pool_lease_t lease = pool_get(pool);
    struct thread late = {.pool = pool, .timeout_ms = 1}, next = {.pool = pool, .timeout_ms = -1};
    start(&late, run_get);
    start(&next, run_get);
    int64_t moment = now_ns() + 1000000;
    while (now_ns() < moment)
      yield_ns();
    assert_int_equal(pool_put(lease), 0);
    thread_end(late.thread);
    if (late.result > 0)
      assert_int_equal(pool_put(late.result), 0);
    else
      assert_int_equal(late.result, POOL_E_TIMEOUT);
    thread_end(next.thread);
    assert_true(next.result > 0);
    assert_int_equal(pool_put(next.result), 0);
    fake_finish(&fake, pool);
  }
}

static void test_faults__a_drain_ends_with_the_last_put(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = pool_of(&fake, 1);
  pool_lease_t lease = pool_get(pool);
  struct thread closing = {.pool = pool, .timeout_ms = -1};
  start(&closing, run_close);
  wait_until(pool_get_for(pool, 0) == POOL_E_CLOSED);
  assert_false(closing.done);
  assert_int_equal(pool_put(lease), 0);
  thread_end(closing.thread);
  assert_int_equal(closing.result, 0);
  fake_finish(&fake, pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_faults__a_double_return_makes_nobody_share),
      cmocka_unit_test(test_faults__the_hard_cap_is_hard),
      cmocka_unit_test(test_faults__gets_race_a_close),
      cmocka_unit_test(test_faults__a_discarded_connection_frees_its_place_for_a_waiter),
      cmocka_unit_test(test_faults__a_child_has_the_full_capacity),
      cmocka_unit_test(test_faults__a_slow_open_delays_no_put),
      cmocka_unit_test(test_faults__a_slow_close_delays_no_put),
      cmocka_unit_test(test_faults__a_slow_reset_delays_no_put),
      cmocka_unit_test(test_faults__what_was_out_during_a_close_is_never_lent_again),
      cmocka_unit_test(test_faults__turns_are_fair),
      cmocka_unit_test(test_faults__a_close_does_not_hang_on_an_open),
      cmocka_unit_test(test_faults__a_stale_lease_is_refused_while_another_is_out),
      cmocka_unit_test(test_faults__a_returned_connection_serves_who_waits_for_an_open),
      cmocka_unit_test(test_faults__an_open_from_before_a_close_is_not_lent_after_it),
      cmocka_unit_test(test_faults__a_timeout_is_a_deadline),
      cmocka_unit_test(test_faults__nobody_overtakes_for_ever),
      cmocka_unit_test(test_faults__an_expired_waiter_is_given_nothing),
      cmocka_unit_test(test_faults__a_drain_ends_with_the_last_put),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
