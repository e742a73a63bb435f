/* SPDX-License-Identifier: MIT */
/* Flushing, pausing and resizing a pool that is in use. */
#include <sched.h>
#include <string.h>

#include "steps.h"
#include "virtual.h"
#include "witness.h"

static struct fake fake;

static pool_t *make(int32_t initial, int32_t max_open)
{
  return fake_start(&fake, BY_HAND(.config.initial = initial, .config.max_open = max_open));
}

static void test_control__null_and_closed_pools_are_refused(void **state)
{
  (void)state;
  assert_int_equal(pool_flush(NULL), POOL_E_INVALID);
  assert_int_equal(pool_pause(NULL), POOL_E_INVALID);
  assert_int_equal(pool_resume(NULL), POOL_E_INVALID);
  assert_int_equal(pool_resize(NULL, 1), POOL_E_INVALID);
  assert_int_equal(pool_leases(NULL, NULL, 0), POOL_E_INVALID);
  pool_t *pool = make(1, 2);
  assert_int_equal(pool_close(pool, 0), 0);
  assert_int_equal(pool_pause(pool), POOL_E_CLOSED);
  assert_int_equal(pool_failure(NULL), POOL_E_CLOSED);
  assert_int_equal(pool_resize(pool, 3), POOL_E_CLOSED);
  assert_int_equal(pool_flush(pool), 0);
  fake_finish(&fake, pool);
}

/* ---- flush ---- */

static void test_control__flush_closes_what_is_idle(void **state)
{
  (void)state;
  pool_t *pool = make(3, 3);
  assert_int_equal(pool_flush(pool), 3);
  assert_int_equal(fake.closed, 3);
  assert_int_equal(pool_len(pool), 0);
  assert_int_equal(stats_of(pool).closed_flushed, 3);
  assert_int_equal(pool_flush(pool), 0);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(fake_number(lease), 3);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_len(pool), 1); /* the pool goes on */
  fake_finish(&fake, pool);
}

static void test_control__flush_closes_what_is_lent_when_it_comes_back(void **state)
{
  (void)state;
  pool_t *pool = make(3, 3);
  pool_lease_t a = pool_get(pool), b = pool_get(pool);
  assert_int_equal(pool_flush(pool), 3);
  assert_int_equal(fake.closed, 1);
  fake_use(a);
  fake_use(b);
  pool_lease_t fresh = pool_get(pool); /* there is room for it */
  assert_int_equal(fake_number(fresh), 3);
  assert_int_equal(pool_put(a), 0);
  assert_int_equal(fake.closed, 2);
  assert_int_equal(pool_put(b), 0);
  assert_int_equal(fake.closed, 3);
  assert_int_equal(pool_put(fresh), 0);
  assert_int_equal(fake.closed, 3);
  assert_int_equal(stats_of(pool).closed_flushed, 3);
  assert_int_equal(stats_of(pool).closed_unusable, 0);
  fake_finish(&fake, pool);
}

/* A get waits at a gate for its connection when that is flushed: the get is given the next, and the first is closed. */
static void flush_reaches_what_is_at(struct gate *gate, const struct plan *plan)
{
  struct getter getter = {0};
  pool_t *pool = fake_start(&fake, plan);
  getter_hold_up(&getter, pool, -1, gate);
  assert_int_equal(pool_flush(pool), 1);
  gate_set(gate, true);
  assert_true(getter_end(&getter) > 0);
  assert_int_equal(getter.number, 1); /* not the one that was under way */
  assert_int_equal(fake.closed, 1);
  assert_int_equal(stats_of(pool).closed_flushed, 1);
  assert_int_equal(stats_of(pool).check_failures, 0);
  fake_finish(&fake, pool);
}

static void test_control__flush_reaches_what_is_being_opened(void **state)
{
  (void)state;
  flush_reaches_what_is_at(&fake.opening, BY_HAND(.config.max_open = 1));
}

static void test_control__flush_reaches_what_openers_are_opening(void **state)
{
  (void)state;
  flush_reaches_what_is_at(&fake.opening, PLAN(.config.openers = 1, .config.max_open = 1));
}

static void test_control__flush_reaches_what_is_being_checked(void **state)
{
  (void)state;
  flush_reaches_what_is_at(&fake.checking, PLAN(.vtable.check = fake_check, .config.check_after_ms = 0,
                                                .config.initial = 1, .config.max_open = 1));
}

static void *put_it(void *data)
{
  must(pool_put(*(pool_lease_t *)data) == 0);
  return NULL;
}

static void test_control__flush_reaches_what_is_being_reset(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, PLAN(.vtable.reset = fake_reset, .config.max_open = 1));
  pool_lease_t lease = pool_get(pool);
  pthread_t putter = thread_hold_up(&fake.resetting, put_it, &lease);
  assert_int_equal(pool_flush(pool), 1);
  gate_set(&fake.resetting, true);
  thread_end(putter);
  assert_int_equal(fake.closed, 1);
  assert_int_equal(stats_of(pool).closed_flushed, 1);
  assert_int_equal(stats_of(pool).reset_failures, 0);
  fake_finish(&fake, pool);
}

static void test_control__flush_reaches_what_waits_for_its_reset(void **state)
{
  (void)state;
  pool_t *pool =
      fake_start(&fake, BY_HAND(.vtable.reset = fake_reset, .config.background_reset = 1, .config.max_open = 1));
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_flush(pool), 1);
  pool_maintain(pool);
  assert_int_equal(fake.closed, 1);
  assert_int_equal(fake.reset, 0);
  lease = pool_get_for(pool, 0);
  assert_int_equal(fake_number(lease), 1);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

static void test_control__flush_is_no_failure_of_those_who_wait_without_time(void **state)
{
  (void)state;
  pool_t *pool = make(0, 1);
  struct getter getter = {0};
  getter_hold_up(&getter, pool, 1000, &fake.opening);
  assert_int_equal(pool_flush(pool), 1);
  virtual_advance(SECOND + 1); /* the flushed one came too late, and there is no time for another */
  gate_set(&fake.opening, true);
  assert_int_equal(getter_end(&getter), POOL_E_TIMEOUT);
  wait_until((pool_maintain(pool), fake.closed == fake.opened));
  get_and_put_now(pool);
  fake_finish(&fake, pool);
}

static void test_control__flush_makes_room_for_waiters(void **state)
{
  (void)state;
  pool_t *pool = make(1, 1);
  pool_lease_t lease = pool_get(pool);
  struct getter getter = {0};
  getter_queue(&getter, pool, -1);
  assert_int_equal(pool_flush(pool), 1);
  assert_int_equal(stats_of(pool).waiting, 1);
  assert_int_equal(pool_put(lease), 0);
  assert_true(getter_end(&getter) > 0);
  assert_int_equal(getter.number, 1);
  assert_int_equal(fake.most_open, 1);
  fake_finish(&fake, pool);
}

static void test_control__flush_keeps_min_idle(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, BY_HAND(.config.initial = 3, .config.min_idle = 3));
  assert_int_equal(pool_flush(pool), 3);
  pool_maintain(pool);
  assert_int_equal(pool_len(pool), 3);
  assert_int_equal(fake.opened, 6);
  fake_finish(&fake, pool);
}

/* A storm: no get that begins after a flush has returned is given what was there before the flush was called. */
struct storm {
  pool_t *pool;
  _Atomic int first_allowed, holding;
  _Atomic bool stop;
  _Atomic int64_t gets;
  int many;
  pthread_t users[6];
};

static void *use_fresh_ones(void *data)
{
  struct storm *storm = data;
  while (!atomic_load(&storm->stop)) {
    int allowed = atomic_load(&storm->first_allowed);
    pool_lease_t lease = pool_get(storm->pool);
    must(lease > 0);
    atomic_fetch_add(&storm->holding, 1);
    must(fake_number(lease) >= allowed);
    fake_use(lease);
    atomic_fetch_sub(&storm->holding, 1);
    must(pool_put(lease) == 0);
    atomic_fetch_add(&storm->gets, 1);
  }
  return NULL;
}

static void storm_begin(struct storm *storm, pool_t *pool, int users)
{
  *storm = (struct storm){.pool = pool, .many = users};
  threads_start(storm->users, users, use_fresh_ones, storm);
}

static void storm_goes_on(struct storm *storm) /* nobody hangs */
{
  int64_t gets = storm->gets;
  wait_until(storm->gets > gets + 1000);
}

static void storm_end(struct storm *storm)
{
  atomic_store(&storm->stop, true);
  threads_end(storm->users, storm->many);
}

static void test_control__nobody_is_lent_what_was_flushed(void **state)
{
  (void)state;
  struct storm storm;
  storm_begin(&storm, make(2, 3), 4);
  for (int i = 0; i < 3000; i++) {
    int opened = fake.opened;
    assert_true(pool_flush(storm.pool) >= 0);
    atomic_store(&storm.first_allowed, opened);
    virtual_advance(MILLISECOND);
    if (i % 8 == 0)
      yield_ns();
  }
  wait_until(storm.gets > 100);
  storm_end(&storm);
  assert_in_range(fake.most_open, 1, 3);
  assert_in_range(stats_of(storm.pool).closed_flushed, fake.opened - 3, fake.opened);
  fake_finish(&fake, storm.pool);
}

/* ---- pause and resume ---- */

static void test_control__a_paused_pool_lends_nothing(void **state)
{
  (void)state;
  pool_t *pool = make(1, 3);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(pool_pause(pool), 1);
  fake_use(lease);
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  assert_int_equal(fake.opened, 1); /* though there is room */
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_len(pool), 1);
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  assert_int_equal(pool_pause(pool), 0); /* quiet */
  assert_int_equal(pool_resume(pool), 1);
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  assert_int_equal(pool_resume(pool), 0);
  lease = pool_get_for(pool, 0);
  assert_true(lease > 0);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_resume(pool), POOL_E_INVALID);
  assert_int_equal(pool_failure(NULL), POOL_E_INVALID);
  assert_int_equal(pool_pause(pool), 0); /* that did not count */
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  assert_int_equal(pool_resume(pool), 0);
  assert_int_equal(fake.opened, 1);
  fake_finish(&fake, pool);
}

static void test_control__gets_wait_for_the_last_resume_in_order(void **state)
{
  (void)state;
  pool_t *pool = make(1, 1);
  assert_int_equal(pool_pause(pool), 0);
  assert_int_equal(pool_pause(pool), 0);
  struct getter getters[5] = {0};
  _Atomic int turns = 0;
  for (int i = 0; i < 5; i++) {
    getters[i].turns = &turns;
    getter_queue(&getters[i], pool, 60000);
  }
  virtual_pass(pool, 30 * SECOND);
  assert_int_equal(pool_resume(pool), 1);
  assert_int_equal(stats_of(pool).waiting, 5);
  assert_int_equal(pool_resume(pool), 0);
  for (int i = 0; i < 5; i++) {
    assert_true(getter_end(&getters[i]) > 0);
    assert_int_equal(getters[i].turn, i + 1);
  }
  assert_int_equal(stats_of(pool).waited, 5);
  fake_finish(&fake, pool);
}

static void test_control__gets_of_a_paused_pool_time_out(void **state)
{
  (void)state;
  pool_t *pool = make(2, 2);
  assert_int_equal(pool_pause(pool), 0);
  struct getter getter = {0};
  struct heard told = {0}, patient = {0};
  getter_queue(&getter, pool, 1000);
  ask(pool, 1000, &told);
  ask(pool, -1, &patient);
  virtual_pass(pool, SECOND - 1);
  assert_int_equal(told.times, 0);
  assert_int_equal(getter.result, 0);
  virtual_pass(pool, 1);
  assert_int_equal(getter_end(&getter), POOL_E_TIMEOUT);
  assert_int_equal(told.times, 1);
  assert_int_equal(told.result, POOL_E_TIMEOUT);
  assert_int_equal(patient.times, 0);
  assert_int_equal(pool_resume(pool), 0);
  wait_until((pool_maintain(pool), patient.times == 1));
  assert_true(patient.result > 0);
  assert_int_equal(pool_put(patient.result), 0);
  fake_finish(&fake, pool);
}

static void test_control__what_is_put_while_paused_serves_nobody_yet(void **state)
{
  (void)state;
  pool_t *pool = make(1, 1);
  pool_lease_t lease = pool_get(pool);
  struct getter getter = {0};
  getter_queue(&getter, pool, -1);
  struct heard told = {0};
  ask(pool, -1, &told);
  assert_int_equal(pool_pause(pool), 1);
  assert_int_equal(pool_put(lease), 0);
  virtual_pass(pool, SECOND);
  assert_int_equal(pool_len(pool), 1);
  assert_int_equal(stats_of(pool).waiting, 2);
  assert_int_equal(pool_resume(pool), 0);
  assert_true(getter_end(&getter) > 0);
  wait_until((pool_maintain(pool), told.times == 1));
  assert_int_equal(pool_put(told.result), 0);
  fake_finish(&fake, pool);
}

/* The first waiter would be handed it, unlike a thread, which looks for itself and finds the pause. */
static void test_control__what_is_put_while_paused_is_handed_to_nobody(void **state)
{
  (void)state;
  pool_t *pool = make(1, 1);
  pool_lease_t lease = pool_get(pool);
  struct heard told = {0};
  ask(pool, -1, &told);
  assert_int_equal(pool_pause(pool), 1);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(stats_of(pool).waiting, 1);
  assert_int_equal(pool_pause(pool), 0);
  assert_int_equal(pool_resume(pool), 1);
  assert_int_equal(pool_resume(pool), 0);
  wait_until((pool_maintain(pool), told.times == 1));
  assert_int_equal(pool_put(told.result), 0);
  fake_finish(&fake, pool);
}

static void test_control__what_is_put_while_paused_is_handed_to_no_thread_that_is_next(void **state)
{
  (void)state;
  pool_t *pool = make(1, 1);
  pool_lease_t lease = pool_get(pool);
  struct getter getter = {0};
  getter_queue(&getter, pool, -1);
  virtual_advance(SECOND); /* so long that a hand-over is due */
  assert_int_equal(pool_pause(pool), 1);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(stats_of(pool).waiting, 1);
  assert_int_equal(pool_resume(pool), 0);
  assert_true(getter_end(&getter) > 0);
  fake_finish(&fake, pool);
}

static void test_control__closing_ends_a_pause(void **state)
{
  (void)state;
  pool_t *pool = make(1, 1);
  assert_int_equal(pool_pause(pool), 0);
  struct getter getter = {0};
  getter_queue(&getter, pool, -1);
  assert_int_equal(pool_close(pool, 0), 0);
  assert_int_equal(getter_end(&getter), POOL_E_CLOSED);
  assert_int_equal(pool_get_for(pool, 0), POOL_E_CLOSED);
  fake_finish(&fake, pool);
}

/* ---- a pause counts whatever is not idle ---- */

/* Of two connections one is idle; the pause finds what the other is, and when it has come back, nothing. */
static pool_t *with_one_idle(bool checks, bool resets, uint32_t flags)
{
  return fake_start(&fake,
                    BY_HAND(.config.initial = 2, .config.max_open = 2, .config.check_after_ms = checks ? 0 : -1,
                            .vtable.check = checks ? fake_check : NULL, .vtable.reset = resets ? fake_reset : NULL,
                            .vtable.go = fake_go, .vtable.flags = flags));
}

static void pauses_with(pool_t *pool, int32_t busy)
{
  assert_int_equal(pool_pause(pool), busy);
  assert_int_equal(pool_resume(pool), 0);
}

static void *get_main(void *data)
{
  pool_lease_t lease = pool_get(data);
  must(lease > 0 && pool_put(lease) == 0);
  return NULL;
}

static void *flush_main(void *data)
{
  must(pool_flush(data) > 0);
  return NULL;
}

/* While a thread is held up at a gate with one of them, and after it. */
static void pause_counts_one_at(pool_t *pool, struct gate *gate, void *(*main)(void *), void *data)
{
  pthread_t thread = thread_hold_up(gate, main, data);
  pauses_with(pool, 1);
  gate_set(gate, true);
  thread_end(thread);
  pauses_with(pool, 0);
  fake_finish(&fake, pool);
}

static void test_control__a_pause_counts_what_is_being_opened(void **state)
{
  (void)state;
  pool_t *pool = make(1, 2);
  struct getter getters[2] = {0};
  getter_start(&getters[0], pool, -1);
  wait_until(stats_of(pool).lent == 1 && stats_of(pool).idle == 1); /* it has put it */
  pool_lease_t lease = pool_get(pool);
  getter_hold_up(&getters[1], pool, -1, &fake.opening);
  pauses_with(pool, 2);
  assert_int_equal(pool_put(lease), 0);
  pauses_with(pool, 1);
  gate_set(&fake.opening, true);
  getters_end(getters, 2);
  pauses_with(pool, 0);
  fake_finish(&fake, pool);
}

static void test_control__a_pause_counts_what_is_being_checked(void **state)
{
  (void)state;
  pool_t *pool = with_one_idle(true, false, 0);
  pause_counts_one_at(pool, &fake.checking, get_main, pool);
}

static void test_control__a_pause_counts_what_is_being_reset(void **state)
{
  (void)state;
  pool_t *pool = with_one_idle(false, true, 0);
  pool_lease_t lease = pool_get(pool);
  pause_counts_one_at(pool, &fake.resetting, put_it, &lease);
}

static void test_control__a_pause_counts_what_is_being_closed(void **state)
{
  (void)state;
  pool_t *pool = make(1, 1);
  pause_counts_one_at(pool, &fake.closing, flush_main, pool);
}

/* Also after the lease was put. */
static void test_control__a_pause_counts_calls_under_way(void **state)
{
  (void)state;
  static const uint32_t flags[] = {0, POOL_VTABLE_MULTIPLEXED};
  for (int i = 0; i < 2; i++) {
    pool_t *pool = with_one_idle(false, false, flags[i]);
    pool_lease_t lease = pool_get(pool);
    assert_true(pool_go(lease, "method", (pool_bytes_t){NULL, 0}, drop_reply, NULL) > 0);
    pauses_with(pool, 1);
    assert_int_equal(pool_put(lease), 0);
    pauses_with(pool, 1);
    assert_int_equal(pool_call_done(fake.under_way, 0, (pool_bytes_t){NULL, 0}), 0);
    pauses_with(pool, 0);
    fake_finish(&fake, pool);
  }
}

static void test_control__a_pool_may_begin_paused(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, BY_HAND(.config.initial = 1, .config.max_open = 2, .config.paused = 1));
  assert_int_equal(fake.opened, 1);
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  struct getter getter = {0};
  getter_queue(&getter, pool, -1);
  assert_int_equal(fake.opened, 1);
  assert_int_equal(pool_resume(pool), 0);
  assert_true(getter_end(&getter) > 0);
  assert_int_equal(pool_resume(pool), POOL_E_INVALID);
  fake_finish(&fake, pool);
}

static void test_control__a_pool_of_steps_may_begin_paused(void **state)
{
  (void)state;
  pool_t *pool = step_pool(PLAN(.config.paused = 1));
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_begin(pool, 0, 0, &step), POOL_E_TIMEOUT);
  int64_t ticket = step_queue(pool, -1);
  assert_int_equal(pool_resume(pool), 0);
  assert_next_wakes(pool, ticket, &step);
  assert_opens(pool, -1, ticket, &step);
  assert_int_equal(pool_step_done(step.claim, &(pool_error_t)POOL_ERROR_INIT, NULL, &step), POOL_E_OPEN);
  pool_free(pool);
}

/* ---- evict ---- */

static void test_control__evict_ends_all_waits_of_now_with_an_error_of_its_own(void **state)
{
  (void)state;
  pool_t *pool = make(1, 1);
  pool_lease_t lease = pool_get(pool);
  enum { MANY = 100 }; /* more than one step may end */
  static struct getter getters[MANY];
  memset(getters, 0, sizeof getters);
  struct heard told = {0};
  getters_queue(getters, MANY, pool, -1);
  ask(pool, -1, &told);
  assert_int_equal(pool_evict(pool), MANY + 1);
  for (int i = 0; i < MANY; i++) {
    assert_int_equal(getter_end(&getters[i]), POOL_E_EVICTED);
    assert_non_null(strstr(getters[i].error.message, "(evict)"));
  }
  wait_until((pool_maintain(pool), told.times == 1));
  assert_int_equal(told.result, POOL_E_EVICTED);
  assert_non_null(strstr(told.error.message, "(evict)"));
  assert_int_equal(stats_of(pool).evicted, MANY + 1);
  assert_int_equal(pool_evict(pool), 0);
  struct getter later = {0};
  getter_queue(&later, pool, -1); /* waits as ever */
  assert_int_equal(pool_put(lease), 0);
  assert_true(getter_end(&later) > 0);
  fake_finish(&fake, pool);
}

static void test_control__a_paused_evicted_and_flushed_pool_is_clear(void **state)
{
  (void)state;
  pool_t *pool = make(2, 2);
  struct getter getter = {0};
  assert_int_equal(pool_pause(pool), 0);
  getter_queue(&getter, pool, -1);
  assert_int_equal(pool_evict(pool), 1);
  assert_int_equal(pool_flush(pool), 2);
  assert_int_equal(getter_end(&getter), POOL_E_EVICTED);
  assert_int_equal(pool_resume(pool), 0);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(fake_number(lease), 2); /* a new one */
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

static void test_control__evict_reaches_those_who_wait_by_steps(void **state)
{
  (void)state;
  pool_t *pool = step_pool(PLAN(.config.paused = 1));
  pool_step_t step = POOL_STEP_INIT;
  int64_t tickets[3];
  step_queue_all(pool, tickets, 3);
  assert_int_equal(pool_evict(pool), 3);
  step.wake = 0;
  for (int i = 0; i < 3; i++) { /* each step names one of them */
    if (step.wake == 0)
      assert_int_equal(pool_step_next(pool, &step), 1);
    assert_true(step.wake == tickets[i]);
    assert_int_equal(pool_step_begin(pool, -1, tickets[i], &step), POOL_E_EVICTED);
  }
  assert_int_equal(pool_step_next(pool, &step), 0);
  assert_int_equal(stats_of(pool).evicted, 3);
  assert_int_equal(pool_step_begin(pool, -1, 0, &step), POOL_E_EVICTED); /* as long as the pool is paused */
  assert_int_equal(step.ticket, 0);
  assert_int_equal(stats_of(pool).evicted, 4);
  assert_int_equal(pool_resume(pool), 0);
  assert_opens(pool, -1, 0, &step);
  assert_int_equal(pool_step_done(step.claim, &failed_work, NULL, &step), POOL_E_OPEN);
  pool_free(pool);
}

static void test_control__evict_lets_no_step_wait_whose_open_fails_during_the_pause(void **state)
{
  (void)state;
  pool_t *pool = step_pool(PLAN());
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = step_open(pool, &fake); /* it might come back */
  assert_opens(pool, -1, 0, &step);
  assert_int_equal(pool_pause(pool), 2);
  assert_int_equal(pool_evict(pool), 0);
  assert_int_equal(pool_step_done(step.claim, &failed_work, NULL, &step), POOL_E_OPEN);
  assert_int_equal(step.ticket, 0);
  step_put(lease);
  pool_free(pool);
}

static void *pause_and_resume(void *data)
{
  struct storm *storm = data;
  for (int i = 0; i < 2000; i++) {
    must(pool_pause(storm->pool) >= 0);
    if (i % 4 == 0)
      yield_ns();
    must(pool_resume(storm->pool) >= 0);
  }
  return NULL;
}

static void test_control__many_may_pause_at_one_time(void **state)
{
  (void)state;
  struct storm storm;
  pthread_t pausers[4];
  storm_begin(&storm, make(2, 2), 3);
  threads_start(pausers, 4, pause_and_resume, &storm);
  threads_end(pausers, 4);
  storm_goes_on(&storm);
  storm_end(&storm);
  assert_int_equal(pool_resume(storm.pool), POOL_E_INVALID); /* all pauses were taken back */
  assert_int_equal(pool_len(storm.pool), 2);
  fake_finish(&fake, storm.pool);
}

/* Once all leases have come back nobody uses a connection until resume: what an administrator relies on. */
static void *pause_and_look(void *data)
{
  struct storm *storm = data;
  for (int quiet = 0; quiet < 200; quiet++) {
    must(pool_pause(storm->pool) >= 0);
    must_soon(pool_leases(storm->pool, NULL, 0) == 0);
    for (int i = 0; i < 20; i++) {
      must(atomic_load(&storm->holding) == 0);
      yield_ns();
    }
    must(pool_resume(storm->pool) == 0);
  }
  return NULL;
}

static void test_control__a_pause_becomes_quiet_and_stays_so(void **state)
{
  (void)state;
  struct storm storm;
  storm_begin(&storm, make(2, 2), 3);
  thread_end(thread_start(pause_and_look, &storm));
  storm_end(&storm);
  fake_finish(&fake, storm.pool);
}

/* ---- resize ---- */

static void test_control__waiters_open_when_the_pool_gets_larger(void **state)
{
  (void)state;
  pool_t *pool = make(1, 1);
  pool_lease_t lease = pool_get(pool);
  struct gate hold;
  gate_init(&hold, false);
  struct getter getters[3] = {0};
  for (int i = 0; i < 3; i++) {
    getters[i].release = &hold;
    getter_queue(&getters[i], pool, -1);
  }
  assert_int_equal(pool_resize(pool, 3), 0);
  wait_until(getters[0].result > 0 && getters[1].result > 0);
  assert_int_equal(stats_of(pool).waiting, 1);
  assert_int_equal(pool_resize(pool, 0), 0); /* no cap at all */
  wait_until(getters[2].result > 0);
  assert_int_equal(fake.opened, 4);
  gate_set(&hold, true);
  for (int i = 0; i < 3; i++)
    getter_end(&getters[i]);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

static void test_control__idle_ones_are_closed_when_the_pool_gets_smaller(void **state)
{
  (void)state;
  pool_t *pool = make(5, 5);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(pool_resize(pool, 2), 0);
  assert_int_equal(fake.closed, 3);
  assert_int_equal(stats_of(pool).closed_resized, 3);
  assert_int_equal(stats_of(pool).open, 2);
  pool_lease_t another = pool_get_for(pool, 0);
  assert_true(another > 0);
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_put(another), 0);
  assert_int_equal(pool_len(pool), 2);
  fake_finish(&fake, pool);
}

static void test_control__lent_ones_are_closed_on_return_down_to_the_cap_and_not_below(void **state)
{
  (void)state;
  pool_t *pool = make(5, 5);
  pool_lease_t leases[5];
  leases_get(pool, leases, 5);
  assert_int_equal(pool_resize(pool, 2), 3);
  assert_int_equal(fake.closed, 0);
  struct getter getter = {0};
  getter_queue(&getter, pool, -1);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(pool_put(leases[i]), 0);
    assert_int_equal(fake.closed, i + 1);
    assert_int_equal(getter.result, 0); /* there is none for it yet */
    assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  }
  assert_int_equal(pool_put(leases[3]), 0);
  assert_true(getter_end(&getter) > 0);
  assert_int_equal(pool_put(leases[4]), 0);
  assert_int_equal(fake.closed, 3);
  assert_int_equal(fake.opened, 5);
  assert_int_equal(pool_len(pool), 2);
  assert_int_equal(stats_of(pool).closed_resized, 3);
  fake_finish(&fake, pool);
}

static void test_control__what_was_too_many_is_kept_if_the_pool_grows_again(void **state)
{
  (void)state;
  pool_t *pool = make(4, 4);
  pool_lease_t leases[4];
  leases_get(pool, leases, 4);
  assert_int_equal(pool_resize(pool, 1), 3);
  assert_int_equal(pool_resize(pool, 4), 0);
  leases_put(leases, 4);
  assert_int_equal(pool_len(pool), 4);
  assert_int_equal(fake.closed, 0);
  fake_finish(&fake, pool);
}

static int idle_after_use_of(pool_t *pool, int many)
{
  pool_lease_t leases[20];
  for (int i = 0; i < many; i++) {
    leases[i] = pool_get_for(pool, 0);
    assert_true(leases[i] > 0);
  }
  leases_put(leases, many);
  return (int)pool_len(pool);
}

static void test_control__max_idle_follows_the_cap_where_it_was_left_to_it(void **state)
{
  (void)state;
  pool_t *pool = make(0, 3);
  assert_int_equal(idle_after_use_of(pool, 3), 3);
  assert_int_equal(pool_resize(pool, 15), 0);
  assert_int_equal(idle_after_use_of(pool, 15), 15);
  assert_int_equal(pool_resize(pool, 0), 0);
  assert_int_equal(idle_after_use_of(pool, 20), 10); /* the default without a cap */
  fake_finish(&fake, pool);
  pool = fake_start(&fake, BY_HAND(.config.max_idle = 2, .config.max_open = 3));
  assert_int_equal(pool_resize(pool, 15), 0);
  assert_int_equal(idle_after_use_of(pool, 15), 2);
  fake_finish(&fake, pool);
}

static void refused(pool_t *pool, int32_t max_open, const char *other)
{
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(pool_resize(pool, max_open), POOL_E_INVALID);
  assert_int_equal(pool_failure(&error), POOL_E_INVALID);
  if (!strstr(error.message, "max_open") || !strstr(error.message, other))
    fail_msg("'%s' does not name max_open and %s", error.message, other);
}

static void test_control__wrong_sizes_are_refused_by_name(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, BY_HAND(.config.initial = 3, .config.min_idle = 3, .config.max_open = 5));
  refused(pool, 2, "min_idle");
  refused(pool, -1, "max_open");
  refused(pool, 1 << 20, "max_open");
  assert_int_equal(fake.closed, 0);
  assert_int_equal(pool_resize(pool, 3), 0);
  fake_finish(&fake, pool);
}

/* Both begin at one moment, for neither sleeps before. */
struct contest {
  pool_t *pool;
  _Atomic int begun, ended;
  int resized;
};

enum { CONTESTS = 20000 };

static void *resize_each_time(void *data)
{
  struct contest *contest = data;
  for (int i = 1; i <= CONTESTS; i++) {
    while (atomic_load(&contest->begun) < i)
      sched_yield();
    contest->resized = pool_resize(contest->pool, 1);
    atomic_store(&contest->ended, i);
  }
  return NULL;
}

static void test_control__of_two_changes_that_exclude_each_other_one_is_refused(void **state)
{
  (void)state;
  struct contest contest = {.pool = fake_start(&fake, BY_HAND(.config.max_open = 4, .config.max_idle = 4))};
  uint64_t random = 7;
  int both = 0;
  pthread_t thread = thread_start(resize_each_time, &contest);
  for (int i = 1; i <= CONTESTS; i++) {
    const char *name = i % 2 ? "min_idle" : "min_open";
    atomic_store(&contest.begun, i);
    for (uint32_t rounds = random_next(&random) % 500; rounds > 0; rounds--)
      __asm__ volatile("");
    int set = pool_set(contest.pool, name, 4);
    while (atomic_load(&contest.ended) < i)
      sched_yield();
    both += set == 0 && contest.resized >= 0;
    assert_int_equal(pool_set(contest.pool, name, 0), 0);
    assert_int_equal(pool_resize(contest.pool, 4), 0);
  }
  threads_end(&thread, 1);
  assert_int_equal(both, 0);
  fake_finish(&fake, contest.pool);
}

static void test_control__sizes_change_under_load(void **state)
{
  (void)state;
  struct storm storm;
  uint64_t random = 11;
  storm_begin(&storm, make(4, 4), 6);
  for (int i = 0; i < 3000; i++) {
    assert_true(pool_resize(storm.pool, (int32_t)(random_next(&random) % 8) + 1) >= 0);
    virtual_advance(MILLISECOND);
    if (i % 8 == 0)
      yield_ns();
  }
  assert_true(pool_resize(storm.pool, 2) >= 0);
  wait_until(stats_of(storm.pool).open <= 2);
  for (int i = 0; i < 1000; i++)
    assert_in_range(stats_of(storm.pool).open, 0, 2);
  storm_goes_on(&storm);
  storm_end(&storm);
  assert_in_range(pool_len(storm.pool), 1, 2);
  assert_in_range(fake.most_open, 1, 8);
  fake_finish(&fake, storm.pool);
}

/* ---- from within callbacks ---- */

enum place { IN_OPEN, IN_CLOSE, IN_CHECK, IN_RESET, IN_GOT, IN_EVENT, PLACES };

/* Does one deed, the first time that its place is reached. */
static struct {
  pool_t *pool;
  enum place place;
  int64_t (*deed)(pool_t *pool);
  _Atomic bool armed;
  _Atomic int64_t result;
} meddler;

static void meddle(enum place place)
{
  if (meddler.place == place && atomic_exchange(&meddler.armed, false))
    atomic_store(&meddler.result, meddler.deed(meddler.pool));
}

static int meddling_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  meddle(IN_OPEN);
  return fake_open(context, deadline_ns, conn, error);
}

static int meddling_close(void *context, void *conn, pool_error_t *error)
{
  (void)error;
  meddle(IN_CLOSE);
  return fake_close(context, conn, error);
}

static int meddling_check(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)error;
  meddle(IN_CHECK);
  return fake_check(context, conn, deadline_ns, error);
}

static int meddling_reset(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)error;
  meddle(IN_RESET);
  return fake_reset(context, conn, deadline_ns, error);
}

static void meddling_event(void *user, const pool_event_t *event)
{
  (void)user, (void)event;
  meddle(IN_EVENT);
}

static void meddling_got(void *user, pool_lease_t result)
{
  meddle(IN_GOT);
  told_got(user, result);
}

static int64_t flush(pool_t *pool)
{
  return pool_flush(pool);
}

static int64_t pause_and_resume_once(pool_t *pool)
{
  int out = pool_pause(pool);
  return out < 0 ? out : pool_resume(pool);
}

static int64_t resize(pool_t *pool)
{
  return pool_resize(pool, 1);
}

static int64_t close_now(pool_t *pool)
{
  return pool_close(pool, 0);
}

static int64_t close_and_drain(pool_t *pool)
{
  return pool_close(pool, -1) == POOL_E_INVALID ? 0 : -1;
}

static int64_t stats(pool_t *pool)
{
  pool_stats_t now = POOL_STATS_INIT;
  return pool_stats(pool, &now);
}

static int64_t leases(pool_t *pool)
{
  return pool_leases(pool, NULL, 0);
}

static int64_t get(pool_t *pool)
{
  pool_lease_t lease = pool_get_for(pool, 0);
  return lease > 0 ? pool_put(lease) : lease == POOL_E_TIMEOUT ? 0 : lease;
}

static int64_t maintain(pool_t *pool)
{
  return pool_maintain(pool);
}

/* Reaches every place: opens, checks, resets, closes, and gets with a callback. */
static void use_all(pool_t *pool)
{
  struct heard told = {0};
  for (int i = 0; i < 2; i++) {
    pool_lease_t a = pool_get_for(pool, 0);
    pool_lease_t b = pool_get_for(pool, 0);
    if (b > 0)
      pool_mark_unusable(b);
    if (a > 0)
      assert_int_equal(pool_put(a), 0);
    if (b > 0)
      assert_int_equal(pool_put(b), 0);
  }
  if (pool_get_async(pool, 0, meddling_got, &told) > 0) {
    wait_until((pool_maintain(pool), told.times == 1));
    if (told.result > 0)
      assert_int_equal(pool_put(told.result), 0);
  }
}

static void test_control__callbacks_may_call_everything(void **state)
{
  (void)state;
  int64_t (*const deeds[])(pool_t *) = {
      flush, pause_and_resume_once, resize, close_now, close_and_drain, stats, leases, get, maintain};
  for (size_t deed = 0; deed < sizeof deeds / sizeof *deeds; deed++) {
    for (enum place place = 0; place < PLACES; place++) {
      atomic_store(&meddler.armed, false);
      meddler.pool = fake_start(&fake, BY_HAND(.config.max_open = 2, .config.initial = 1, .config.check_after_ms = 0,
                                               .config.events = meddling_event, .vtable.open = meddling_open,
                                               .vtable.close = meddling_close, .vtable.check = meddling_check,
                                               .vtable.reset = meddling_reset));
      meddler.place = place;
      meddler.deed = deeds[deed];
      meddler.result = INT64_MIN;
      atomic_store(&meddler.armed, true);
      use_all(meddler.pool);
      if (meddler.result < 0)
        fail_msg("deed %zu at place %d: %lld", deed, (int)place, (long long)meddler.result);
      fake_finish(&fake, meddler.pool);
    }
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_control__null_and_closed_pools_are_refused),
      cmocka_unit_test(test_control__flush_closes_what_is_idle),
      cmocka_unit_test(test_control__flush_closes_what_is_lent_when_it_comes_back),
      cmocka_unit_test(test_control__flush_reaches_what_is_being_opened),
      cmocka_unit_test(test_control__flush_reaches_what_openers_are_opening),
      cmocka_unit_test(test_control__flush_reaches_what_is_being_checked),
      cmocka_unit_test(test_control__flush_reaches_what_is_being_reset),
      cmocka_unit_test(test_control__flush_reaches_what_waits_for_its_reset),
      cmocka_unit_test(test_control__flush_is_no_failure_of_those_who_wait_without_time),
      cmocka_unit_test(test_control__flush_makes_room_for_waiters),
      cmocka_unit_test(test_control__flush_keeps_min_idle),
      cmocka_unit_test(test_control__nobody_is_lent_what_was_flushed),
      cmocka_unit_test(test_control__a_paused_pool_lends_nothing),
      cmocka_unit_test(test_control__gets_wait_for_the_last_resume_in_order),
      cmocka_unit_test(test_control__gets_of_a_paused_pool_time_out),
      cmocka_unit_test(test_control__what_is_put_while_paused_serves_nobody_yet),
      cmocka_unit_test(test_control__what_is_put_while_paused_is_handed_to_nobody),
      cmocka_unit_test(test_control__what_is_put_while_paused_is_handed_to_no_thread_that_is_next),
      cmocka_unit_test(test_control__closing_ends_a_pause),
      cmocka_unit_test(test_control__a_pause_counts_what_is_being_opened),
      cmocka_unit_test(test_control__a_pause_counts_what_is_being_checked),
      cmocka_unit_test(test_control__a_pause_counts_what_is_being_reset),
      cmocka_unit_test(test_control__a_pause_counts_what_is_being_closed),
      cmocka_unit_test(test_control__a_pause_counts_calls_under_way),
      cmocka_unit_test(test_control__a_pool_may_begin_paused),
      cmocka_unit_test(test_control__evict_ends_all_waits_of_now_with_an_error_of_its_own),
      cmocka_unit_test(test_control__a_paused_evicted_and_flushed_pool_is_clear),
      cmocka_unit_test(test_control__evict_reaches_those_who_wait_by_steps),
      cmocka_unit_test(test_control__evict_lets_no_step_wait_whose_open_fails_during_the_pause),
      cmocka_unit_test(test_control__a_pool_of_steps_may_begin_paused),
      cmocka_unit_test(test_control__many_may_pause_at_one_time),
      cmocka_unit_test(test_control__a_pause_becomes_quiet_and_stays_so),
      cmocka_unit_test(test_control__waiters_open_when_the_pool_gets_larger),
      cmocka_unit_test(test_control__idle_ones_are_closed_when_the_pool_gets_smaller),
      cmocka_unit_test(test_control__lent_ones_are_closed_on_return_down_to_the_cap_and_not_below),
      cmocka_unit_test(test_control__what_was_too_many_is_kept_if_the_pool_grows_again),
      cmocka_unit_test(test_control__max_idle_follows_the_cap_where_it_was_left_to_it),
      cmocka_unit_test(test_control__wrong_sizes_are_refused_by_name),
      cmocka_unit_test(test_control__of_two_changes_that_exclude_each_other_one_is_refused),
      cmocka_unit_test(test_control__sizes_change_under_load),
      cmocka_unit_test(test_control__callbacks_may_call_everything),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
