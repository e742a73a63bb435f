/* SPDX-License-Identifier: MIT */
/* Where the library breaks a contract of its own, a developers' build aborts; in others nothing is looked at. */
#include "support.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "slot/slot.h"
#include "decide/life.h"
#include "decide/pool.h"
#include "decide/queue.h"
#include "decide/waiter.h"

/* Runs a function in a child.  The signal that ended it, or 0. */
static int signal_of(void (*run)(struct pool *pool), struct pool *pool)
{
  int status;
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    signal(SIGABRT, SIG_DFL);
    must(freopen("/dev/null", "w", stderr));
    run(pool);
    _exit(0);
  }
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

static int signal_with_a_pool(void (*run)(struct pool *pool))
{
  struct fake fake;
  pool_t *pool = fake_start(&fake, PLAN());
  get_and_put_now(pool);
  int ended = signal_of(run, pool);
  fake_finish(&fake, pool);
  return ended;
}

#ifdef POOL_CONTRACTS
enum { BROKEN = SIGABRT };
#else
enum { BROKEN = 0 };
#endif

static void refresh_unlocked(struct pool *pool)
{
  queue_refresh(pool, now_ns());
}

static void refresh_locked(struct pool *pool)
{
  pthread_mutex_lock(&pool->lock);
  queue_refresh(pool, now_ns());
  life_unlock(pool);
}

static void test_contract__what_needs_the_lock_aborts_without_it(void **state)
{
  (void)state;
  assert_int_equal(signal_with_a_pool(refresh_unlocked), BROKEN);
  assert_int_equal(signal_with_a_pool(refresh_locked), 0);
}

static void *lock_and_exit(void *pool)
{
  pthread_mutex_lock(&((struct pool *)pool)->lock);
  return NULL;
}

static void refresh_with_the_lock_of_another(struct pool *pool)
{
  thread_end(thread_start(lock_and_exit, pool));
  queue_refresh(pool, now_ns());
}

static void test_contract__the_lock_of_another_thread_is_not_enough(void **state)
{
  (void)state;
#ifdef __GLIBC__ /* only its mutex says which thread has it */
  assert_int_equal(signal_with_a_pool(refresh_with_the_lock_of_another), BROKEN);
#else
  assert_int_equal(signal_with_a_pool(refresh_with_the_lock_of_another), 0);
#endif
}

static void queue_twice(struct pool *pool)
{
  struct queue queue = {0};
  struct waiter waiter = {.kind = WAITER_THREAD};
  (void)pool;
  waiter_append(&queue, &waiter);
  waiter_append(&queue, &waiter);
}

static void test_contract__a_waiter_is_in_one_queue(void **state)
{
  (void)state;
  assert_int_equal(signal_with_a_pool(queue_twice), BROKEN);
}

static void move_what_is_idle(struct pool *pool)
{
  pool_lease_t lease = pool_get(pool);
  must(lease > 0);
  must(pool_put(lease) == 0);
  slot_move(slot_of(lease), 0, 0, CLOSING);
}

static void test_contract__an_idle_slot_is_nobodys_to_move(void **state)
{
  (void)state;
  assert_int_equal(signal_with_a_pool(move_what_is_idle), BROKEN);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_contract__what_needs_the_lock_aborts_without_it),
      cmocka_unit_test(test_contract__the_lock_of_another_thread_is_not_enough),
      cmocka_unit_test(test_contract__a_waiter_is_in_one_queue),
      cmocka_unit_test(test_contract__an_idle_slot_is_nobodys_to_move),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
