/* SPDX-License-Identifier: MIT */
/* A thread of the library that is about to end, and is wanted at that very moment: it is held up before it takes its
   pool's lock for the nth time since its time was over, for each n, and then something is wanted of it.  And threads of
   the program that come late. */
#include "support.h"

#include "decide/pool.h"
#include "steps.h"
#include "virtual.h"

/* So often a thread that ends takes the lock at most, from when it wakes. */
enum { LOCKS = 8 };

int __real_pthread_mutex_lock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock);

static struct {
  pool_t *_Atomic pool;
  pthread_t main;
  _Atomic int left; /* before its thread is held up */
  struct gate gate;
} held_up;

/* The main thread loses the processor for `ns` before it takes the lock of a pool for the nth time. */
static struct {
  pool_t *_Atomic pool;
  pthread_t main;
  int left;
  int64_t ns;
} stalled;

/* In place of pthread_mutex_lock(): the linker puts it there. */
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock)
{
  pool_t *pool = held_up.pool;
  if (pool && lock == &pool->lock && !pthread_equal(pthread_self(), held_up.main) &&
      atomic_fetch_sub(&held_up.left, 1) == 1)
    gate_pass(&held_up.gate);
  pool = stalled.pool;
  if (pool && lock == &pool->lock && pthread_equal(pthread_self(), stalled.main) && --stalled.left == 0)
    virtual_advance(stalled.ns);
  return __real_pthread_mutex_lock(lock);
}

static int alone; /* how many threads there are but the library's */

/* Its threads sleep, and have nothing to do. */
static void hold_up_the_end(pool_t *pool, int nth)
{
  held_up.main = pthread_self();
  held_up.left = nth;
  gate_init(&held_up.gate, false);
  held_up.pool = pool;
  virtual_advance(2 * SECOND);
  wait_until(gate_waiting(&held_up.gate) == 1 || thread_count() == alone || virtual_sleepers() == 1);
}

static void let_go(void)
{
  gate_set(&held_up.gate, true);
}

/* One connection is idle, and an opener sleeps.  The get starts the opener and then wakes it.  An opener that is faster
 * has opened by then, is woken without need and ends at once, so the test tries again. */
static void rest_an_opener(pool_t *pool)
{
  do {
    assert_true(pool_flush(pool) >= 0);
    assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
    wait_until(pool_len(pool) == 1 && (virtual_sleepers() == 1 || thread_count() == alone));
  } while (virtual_sleepers() == 0);
}

static void test_late__an_opener_that_is_wanted_does_not_end(void **state)
{
  (void)state;
  alone = thread_count_at_rest();
  for (int nth = 1; nth <= LOCKS; nth++) {
    struct fake fake;
    pool_t *pool = fake_start(&fake, PLAN(.config.openers = 1, .config.max_open = 2));
    rest_an_opener(pool);
    pool_lease_t lease = pool_get_for(pool, 0);
    assert_true(lease > 0);
    hold_up_the_end(pool, nth);
    assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT); /* which wants one opened for the next */
    let_go();
    wait_until(pool_len(pool) == 1);
    held_up.pool = NULL;
    assert_int_equal(pool_put(lease), 0);
    fake_finish(&fake, pool);
  }
}

static void hear(void *user, pool_lease_t result)
{
  must(result > 0 && pool_put(result) == 0);
  atomic_store((_Atomic int *)user, 1);
}

static void test_late__a_keeper_that_is_wanted_does_not_end(void **state)
{
  (void)state;
  alone = thread_count_at_rest();
  for (int nth = 1; nth <= LOCKS; nth++) {
    struct fake fake;
    _Atomic int heard = 0;
    pool_t *pool = fake_start(&fake, PLAN(.config.max_open = 1, .config.initial = 1));
    assert_true(pool_get_async(pool, 60000, hear, &heard) > 0);
    wait_until(heard && virtual_sleepers() == 1);
    heard = 0;
    hold_up_the_end(pool, nth);
    assert_true(pool_get_async(pool, 60000, hear, &heard) > 0);
    let_go();
    wait_until(heard);
    held_up.pool = NULL;
    fake_finish(&fake, pool);
  }
}

/* ---- a get that is late before it waits ---- */

static _Atomic bool over;

/* A get that sleeps after all sleeps no longer than its millisecond. */
static void *let_time_pass(void *data)
{
  (void)data;
  for (; !over; yield_ns())
    if (virtual_next_deadline() <= virtual_now() + MILLISECOND)
      virtual_advance(MILLISECOND);
  return NULL;
}

static void test_late__a_get_whose_time_is_over_before_it_waits_has_one_opened_for_the_next(void **state)
{
  (void)state;
  for (int nth = 1; nth <= LOCKS; nth++) {
    struct fake fake;
    pool_t *pool = fake_start(&fake, PLAN(.config.openers = 1, .config.max_open = 1));
    gate_set(&fake.opening, false);
    stalled.main = pthread_self();
    stalled.left = nth;
    stalled.ns = 2 * MILLISECOND;
    stalled.pool = pool;
    over = false;
    pthread_t waker = thread_start(let_time_pass, NULL);
    assert_int_equal(pool_get_for(pool, 1), POOL_E_TIMEOUT);
    stalled.pool = NULL;
    over = true;
    thread_end(waker);
    gate_set(&fake.opening, true);
    wait_until(pool_len(pool) == 1);
    fake_finish(&fake, pool);
  }
}

/* ---- a put, a mark or the end of a call that is late ---- */

static struct fake server;

static void *put(void *lease)
{
  must(pool_put(*(pool_lease_t *)lease) == 0);
  return NULL;
}

static void *mark(void *lease)
{
  must(pool_mark_unusable(*(pool_lease_t *)lease) == 0);
  return NULL;
}

static void *break_call(void *lease)
{
  (void)lease;
  must(pool_call_done(server.under_way, POOL_E_BROKEN, (pool_bytes_t){NULL, 0}) == 0);
  return NULL;
}

static void note_end(void *user, pool_lease_t result)
{
  must(result == POOL_E_CANCELLED);
  atomic_store((_Atomic int *)user, 1);
}

/* A get and a put, so that the next lease of the slot is not timed, and that lease. */
static pool_lease_t second_lease(pool_t *pool)
{
  assert_int_equal(pool_put(pool_get(pool)), 0);
  return pool_get(pool);
}

static pool_lease_t second_step_lease(pool_t *pool)
{
  static int connection;
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(step_put(step_open(pool, &connection)), 0);
  return pool_step_begin(pool, 0, 0, &step);
}

/* Somebody waits, and what this does to a lease is done, but it is held up before it looks who waits. */
static pthread_t hold_up(void *(*does)(void *), pool_t *pool, pool_lease_t *lease, int64_t *ticket, _Atomic int *ended)
{
  *lease = second_lease(pool);
  *ticket = pool_get_async(pool, 60000, note_end, ended);
  assert_true(*lease > 0 && *ticket > 0);
  assert_true(does != break_call || pool_go(*lease, "m", (pool_bytes_t){NULL, 0}, drop_reply, NULL) > 0);
  held_up.main = pthread_self();
  held_up.left = 1;
  gate_init(&held_up.gate, false);
  held_up.pool = pool;
  pthread_t thread = thread_start(does, lease);
  wait_until(gate_waiting(&held_up.gate) == 1);
  return thread;
}

/* The first half of a put by the words of pool_view_t. */
static void make_idle(const pool_view_t *view, pool_lease_t lease)
{
  uint64_t number = (uint64_t)lease, base = number & ~view->slot_mask, word = base + view->plain;
  _Atomic uint64_t *of = (_Atomic uint64_t *)((char *)view->slots + (number & view->slot_mask) * view->slot_bytes);
  assert_true(atomic_compare_exchange_strong(of, &word, ((base + view->generation) & ~view->beyond) + view->idle));
}

/* The second half, where the hint is there: the ticket that is to be told. */
static int64_t look_who_waits(const pool_view_t *view, pool_lease_t lease)
{
  pool_step_t step = POOL_STEP_INIT;
  uint32_t bits = atomic_load((_Atomic uint32_t *)view->attention) & (view->put_asks | view->told | view->due);
  if (bits && bits != (view->waits | view->told))
    assert_int_equal(pool_step_given(lease, &step), 0);
  return step.wake;
}

/* Another pool has the memory by the time that it goes on. */
static void come_to_another_pool(void *(*does)(void *))
{
  pool_lease_t lease;
  int64_t ticket;
  _Atomic int ended = 0;
  pool_view_t view = POOL_VIEW_INIT;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = fake_start(
      &server, BY_HAND(.config.max_open = 1, .vtable.go = fake_go, .vtable.flags = POOL_VTABLE_MULTIPLEXED));
  pthread_t thread = hold_up(does, pool, &lease, &ticket, &ended);
  if (does != put)
    assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_cancel(ticket), 0);
  pool_maintain(pool);
  assert_int_equal(ended, 1);
  fake_finish(&server, pool);
  pool_t *next = step_pool(PLAN(.config.max_open = 1));
  assert_ptr_equal(next, pool); /* its memory */
  assert_int_equal(pool_step_view(next, &view), 0);
  lease = second_step_lease(next);
  ticket = step_queue(next, -1);
  make_idle(&view, lease);
  let_go();
  thread_end(thread);
  held_up.pool = NULL;
  assert_true(look_who_waits(&view, lease) == ticket);
  lease = pool_step_begin(next, -1, ticket, &step);
  assert_true(lease > 0);
  assert_int_equal(step_put(lease), 0);
  step_finish(next, 1);
}

static void test_late__a_put_that_comes_to_another_pool_tells_nobody_of_it(void **state)
{
  (void)state;
  come_to_another_pool(put);
}

static void test_late__a_mark_that_comes_to_another_pool_tells_nobody_of_it(void **state)
{
  (void)state;
  come_to_another_pool(mark);
}

static void test_late__a_call_that_breaks_and_comes_to_another_pool_tells_nobody_of_it(void **state)
{
  (void)state;
  come_to_another_pool(break_call);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_late__an_opener_that_is_wanted_does_not_end),
      cmocka_unit_test(test_late__a_keeper_that_is_wanted_does_not_end),
      cmocka_unit_test(test_late__a_get_whose_time_is_over_before_it_waits_has_one_opened_for_the_next),
      cmocka_unit_test(test_late__a_put_that_comes_to_another_pool_tells_nobody_of_it),
      cmocka_unit_test(test_late__a_mark_that_comes_to_another_pool_tells_nobody_of_it),
      cmocka_unit_test(test_late__a_call_that_breaks_and_comes_to_another_pool_tells_nobody_of_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
