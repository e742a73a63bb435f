/* SPDX-License-Identifier: MIT */
/* The library's own threads: what they leave to the program's signal handlers, and what becomes of a pool whose threads
 * the system no_threads.  The clock is virtual. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "threadless.h"
#include "virtual.h"

static _Atomic int errors;
static char last_error[400];

static void log_errors(void *user, int32_t level, const char *line)
{
  (void)user;
  if (level != POOL_LOG_ERROR)
    return;
  snprintf(last_error, sizeof last_error, "%s", line);
  errors++;
}

static _Atomic int warnings;

static void count_warnings(void *user, const pool_event_t *event)
{
  (void)user;
  must(event->code == POOL_E_SYSTEM && strstr(event->message, "could not start a thread"));
  warnings++;
}

static pool_config_t settings(void)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 4;
  config.log = log_errors;
  config.events = count_warnings;
  config.event_mask = 1 << POOL_EVENT_WARNING;
  no_threads = true;
  errors = thread_tries = warnings = 0;
  return config;
}

static void get_and_put(pool_t *pool)
{
  pool_lease_t lease = pool_get_for(pool, 5000);
  assert_true(lease > 0);
  assert_int_equal(pool_put(lease), 0);
}

/* ---- what is told, and when it is tried again ---- */

static void test_thread__a_missing_keeper_is_told_once_and_gets_bring_it_back(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_config_t config = settings();
  config.idle_timeout_ms = 10000;
  pool_t *pool = fake_pool(&fake, &config, NULL);
  get_and_put(pool);
  assert_int_equal(errors, 1);
  assert_int_equal(warnings, 1);
  assert_non_null(strstr(last_error, "could not start a thread"));
  assert_non_null(strstr(last_error, strerror(EAGAIN)));
  int before = thread_tries;
  for (int i = 0; i < 100; i++)
    get_and_put(pool); /* they work, and do not try again and again */
  assert_int_equal(thread_tries, before);
  for (int i = 0; i < 3; i++) {
    virtual_advance(2 * SECOND);
    get_and_put(pool); /* nothing is opened here, but time has passed */
  }
  assert_int_equal(thread_tries, before + 3);
  assert_int_equal(errors, 1);
  no_threads = false;
  virtual_advance(2 * SECOND);
  get_and_put(pool);
  assert_int_equal(thread_tries, before + 4);
  wait_until(virtual_sleepers() == 1);                     /* the keeper */
  wait_until((virtual_advance(SECOND), fake.closed == 1)); /* what it was wanted for */
  fake_finish(&fake, pool);
}

static void test_thread__is_told_again_after_it_was_there(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  int before = thread_count_at_rest();
  pool_config_t config = settings();
  config.openers = 1;
  pool_t *opening = fake_pool(&fake, &config, NULL);
  get_and_put(opening);
  assert_int_equal(errors, 1);
  no_threads = false;
  virtual_advance(2 * SECOND);
  pool_lease_t leases[2] = {pool_get(opening), pool_get(opening)};
  assert_true(leases[0] > 0 && leases[1] > 0);
  for (int i = 0; i < 2; i++)
    assert_int_equal(pool_put(leases[i]), 0);
  wait_until((virtual_advance(SECOND), thread_count() == before)); /* openers that were started have ended */
  assert_int_equal(errors, 1);
  no_threads = true;
  pool_lease_t more[3];
  for (int i = 0; i < 3; i++) {
    if (i == 2)
      assert_true(pool_get_for(opening, 0) < 0); /* for the next an opener is wanted, in vain */
    more[i] = pool_get(opening);
    assert_true(more[i] > 0);
  }
  assert_int_equal(errors, 2);
  for (int i = 0; i < 3; i++)
    assert_int_equal(pool_put(more[i]), 0);
  no_threads = false;
  fake_finish(&fake, opening);
}

static void hear(void *user, pool_lease_t result)
{
  must(result > 0 && pool_put(result) == 0);
  atomic_store((_Atomic int *)user, 1);
}

/* Nobody runs but the keeper: it tries again for those that wait, and for what is to be closed. */
static void test_thread__that_an_asynchronous_get_needs_is_tried_again(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  _Atomic int heard = 0;
  int alone = thread_count_at_rest();
  pool_config_t config = settings();
  no_threads = false;
  config.max_open = 1;
  config.max_lifetime_ms = 10000;
  pool_t *pool = fake_pool(&fake, &config, NULL);
  assert_true(pool_get_async(pool, -1, hear, &heard) > 0);
  wait_until(heard);
  wait_until((virtual_advance(SECOND / 10), thread_count() == alone + 1)); /* the keeper stays */
  no_threads = true;
  int before = thread_tries;
  wait_until((virtual_advance(SECOND), thread_tries > before)); /* it is too old, and nobody can close it */
  no_threads = false;
  heard = 0;
  assert_true(pool_get_async(pool, -1, hear, &heard) > 0);
  wait_until((virtual_advance(SECOND / 10), heard));
  assert_int_equal(fake.opened, 2);
  fake_finish(&fake, pool);
}

/* Whether a get without time to wait finds a connection, which it puts. */
static bool finds_one(pool_t *pool)
{
  pool_lease_t lease = pool_get_for(pool, 0);
  assert_true(lease > 0 || lease == POOL_E_TIMEOUT);
  return lease > 0 && pool_put(lease) == 0;
}

static void test_thread__a_budget_is_asked_once_its_thread_can_be_had(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_config_t config = settings();
  config.budget = "process:threadless?limit=4";
  pool_t *pool = fake_pool(&fake, &config, NULL);
  for (int i = 0; i < 3; i++)
    assert_false(finds_one(pool));
  no_threads = false;
  wait_until(finds_one(pool));
  fake_finish(&fake, pool);
}

static void *get_and_put_late(void *pool)
{
  pool_lease_t lease = pool_get_for(pool, -1);
  must(lease > 0 && pool_put(lease) == 0);
  return NULL;
}

static void test_thread__a_get_that_waits_for_a_budget_is_heard_once_its_thread_can_be_had(void **state)
{
  (void)state;
  struct fake fake;
  pthread_t getter;
  fake_init(&fake);
  pool_config_t config = settings();
  config.budget = "process:unheard?limit=4";
  pool_t *pool = fake_pool(&fake, &config, NULL);
  no_threads = false;
  gate_set(&thread_beginning, false);
  threads_start(&getter, 1, get_and_put_late, pool);
  int tries = thread_tries;
  no_threads = true;
  gate_set(&thread_beginning, true);
  wait_until(thread_tries > tries && virtual_sleepers() == 1);
  no_threads = false;
  virtual_advance(SECOND);
  wait_until(fake.opened == 1);
  threads_end(&getter, 1);
  fake_finish(&fake, pool);
}

static void *make_filled(void *fake)
{
  pool_config_t config = settings();
  config.budget = "process:unfilled?limit=4";
  config.initial = 1;
  config.get_timeout_ms = -1;
  return fake_pool(fake, &config, NULL);
}

static void test_thread__a_new_pool_waits_for_a_budget_until_its_thread_can_be_had(void **state)
{
  (void)state;
  struct fake fake;
  pthread_t maker;
  void *pool;
  fake_init(&fake);
  gate_set(&thread_beginning, false);
  threads_start(&maker, 1, make_filled, &fake);
  gate_set(&thread_beginning, true);
  wait_until(virtual_sleepers() == 1);
  no_threads = false;
  virtual_advance(SECOND);
  wait_until(fake.opened == 1);
  assert_int_equal(pthread_join(maker, &pool), 0);
  fake_finish(&fake, pool);
}

static void test_thread__without_openers_gets_open_themselves(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_config_t config = settings();
  config.openers = 2;
  pool_t *pool = fake_pool(&fake, &config, NULL);
  pool_lease_t leases[4];
  for (int i = 0; i < 4; i++) {
    leases[i] = pool_get_for(pool, 5000);
    assert_true(leases[i] > 0);
  }
  assert_int_equal(fake.opened, 4);
  assert_int_equal(errors, 1);
  for (int i = 0; i < 4; i++)
    assert_int_equal(pool_put(leases[i]), 0);
  no_threads = false;
  fake_finish(&fake, pool);
}

static _Atomic pool_lease_t got_lease;

static void got(void *user, pool_lease_t result)
{
  (void)user;
  got_lease = result;
}

static void test_thread__an_asynchronous_get_is_refused_and_the_next_tries_again(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_config_t config = settings();
  pool_t *pool = fake_pool(&fake, &config, NULL);
  assert_int_equal(pool_get_async(pool, -1, got, NULL), POOL_E_SYSTEM);
  assert_int_equal(pool_get_async(pool, -1, got, NULL), POOL_E_SYSTEM);
  assert_int_equal(errors, 1);
  no_threads = false;
  assert_true(pool_get_async(pool, -1, got, NULL) > 0);
  wait_until(got_lease > 0);
  assert_int_equal(pool_put(got_lease), 0);
  fake_finish(&fake, pool);
}

/* ---- signals ---- */

static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
static const int others[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGALRM, SIGCHLD, SIGPIPE};
static sigset_t seen;
static _Atomic bool looked;

static int open_and_look(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  must(pthread_sigmask(SIG_BLOCK, NULL, &seen) == 0);
  looked = true;
  return fake_open(context, deadline_ns, conn, error);
}

static void got_and_look(void *user, pool_lease_t result)
{
  (void)user;
  must(pthread_sigmask(SIG_BLOCK, NULL, &seen) == 0);
  must(pool_put(result) == 0);
  looked = true;
}

static void assert_mask(void)
{
  for (size_t i = 0; i < sizeof own / sizeof *own; i++)
    assert_false(sigismember(&seen, own[i]));
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    assert_true(sigismember(&seen, others[i]));
}

static void test_thread__faults_are_not_blocked_but_all_other_signals(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_config_t config = settings();
  pool_vtable_t vtable = fake_vtable();
  no_threads = false;
  config.openers = 1;
  vtable.open = open_and_look;
  pool_t *pool = fake_pool(&fake, &config, &vtable);
  get_and_put(pool); /* opened by an opener */
  assert_mask();
  looked = false;
  assert_true(pool_get_async(pool, -1, got_and_look, NULL) > 0); /* told by the keeper */
  wait_until(looked);
  assert_mask();
  fake_finish(&fake, pool);
}

static int open_and_crash(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)context, (void)deadline_ns, (void)error;
  volatile char *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  *conn = (void *)(intptr_t)*nowhere;
  return 0;
}

static void report_crash(int number)
{
  _exit(number == SIGSEGV ? 42 : 43);
}

static void test_thread__a_crash_in_a_callback_reaches_the_programs_handler(void **state)
{
  (void)state;
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    struct sigaction action = {.sa_handler = report_crash};
    pool_config_t config = POOL_CONFIG_INIT;
    pool_vtable_t vtable = fake_vtable();
    pool_t *pool;
    no_threads = false;
    must(sigaction(SIGSEGV, &action, NULL) == 0);
    config.openers = 1;
    vtable.open = open_and_crash;
    must(pool_create(&config, &vtable, NULL, &pool, NULL) == 0);
    pool_get(pool);
    _exit(1);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 42);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_thread__a_missing_keeper_is_told_once_and_gets_bring_it_back),
      cmocka_unit_test(test_thread__is_told_again_after_it_was_there),
      cmocka_unit_test(test_thread__a_budget_is_asked_once_its_thread_can_be_had),
      cmocka_unit_test(test_thread__a_get_that_waits_for_a_budget_is_heard_once_its_thread_can_be_had),
      cmocka_unit_test(test_thread__a_new_pool_waits_for_a_budget_until_its_thread_can_be_had),
      cmocka_unit_test(test_thread__without_openers_gets_open_themselves),
      cmocka_unit_test(test_thread__an_asynchronous_get_is_refused_and_the_next_tries_again),
      cmocka_unit_test(test_thread__that_an_asynchronous_get_needs_is_tried_again),
      cmocka_unit_test(test_thread__faults_are_not_blocked_but_all_other_signals),
      cmocka_unit_test(test_thread__a_crash_in_a_callback_reaches_the_programs_handler),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
