/* SPDX-License-Identifier: MIT */
/* After fork the child has a pool that is empty and whole, and the parent notices nothing. */
#include "fork_support.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- what others hold ---- */

static struct fake_conn *abandoned[16];
static _Atomic int abandoned_count;

static void remember_abandoned(void *context, void *conn)
{
  abandoned[atomic_fetch_add(&abandoned_count, 1)] = conn;
  fake_abandon(context, conn);
}

static void test_fork__the_child_has_an_empty_pool(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  abandoned_count = 0;
  pool_vtable_t vtable = whole_vtable();
  vtable.abandon = remember_abandoned;
  pool_config_t config = capped(4);
  config.initial = 3;
  pool_t *pool = fake_pool(&fake, &config, &vtable);
  pool_lease_t leases[2] = {pool_get(pool), pool_get(pool)};
  pool_lease_t put = pool_get(pool);
  assert_int_equal(pool_put(put), 0);
  pid_t pid = fork_child();
  if (pid == 0) {
    must(fake.abandoned == 3 && fake.closed == 0); /* each that was open, once */
    must(abandoned[0] != abandoned[1] && abandoned[1] != abandoned[2] && abandoned[0] != abandoned[2]);
    is_new(pool);
    is_stale(leases[0]);
    is_stale(leases[1]);
    is_stale(put);
    is_whole(pool, 4);
    must(fake.opened == 7 && fake.closed == 0);
    is_stale(leases[0]); /* also when the slots are in use again */
    is_stale(leases[1]);
    must(pool_close(pool, -1) == 0);
    must(fake.closed == 4 && fake.abandoned == 3);
    pool_free(pool);
    must(fake.released == 1);
    _exit(0);
  }
  assert_true(succeeded(pid));
  assert_int_equal(fake.abandoned, 0);
  assert_int_equal(fake.opened, 3);
  assert_int_equal(pool_len(pool), 1);
  for (int i = 0; i < 2; i++) {
    fake_use(leases[i]);
    assert_int_equal(pool_put(leases[i]), 0);
  }
  fake_finish(&fake, pool);
  assert_int_equal(fake.released, 1);
}

static int64_t connection_of(pool_t *pool)
{
  pool_lease_info_t info = POOL_LEASE_INFO_INIT;
  must(pool_leases(pool, &info, 1) == 1);
  return info.connection;
}

static void test_fork__counts_and_numbers_begin_anew(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_config_t config = capped(1);
  pool_vtable_t vtable = whole_vtable();
  pool_t *pool = fake_pool(&fake, &config, &vtable);
  assert_int_equal(pool_mark_unusable(pool_get(pool)), 0);
  pool_lease_info_t info = POOL_LEASE_INFO_INIT;
  assert_int_equal(pool_leases(pool, &info, 1), 1);
  assert_int_equal(pool_put(info.lease), 0);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(connection_of(pool), 2);
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  pid_t pid = fork_child();
  if (pid == 0) {
    pool_stats_t stats = POOL_STATS_INIT;
    must(pool_stats(pool, &stats) == 0);
    for (int64_t *count = &stats.open; count < &stats.wait.count; count++)
      must(*count == 0);
    must(stats.found_none == 0 && stats.failed_open == 0 && stats.failed_closed == 0 && stats.failed_nomem == 0 &&
         stats.failed_system == 0);
    lease = pool_get(pool);
    must(lease > 0 && connection_of(pool) == 1);
    must(pool_get_for(pool, 0) == POOL_E_TIMEOUT);
    must(pool_put(lease) == 0);
    must(pool_stats(pool, &stats) == 0);
    must(stats.lent == 1 && stats.found_none == 1 && stats.opened == 1 && stats.open == 1);
    finish_child(&fake, pool);
  }
  assert_true(succeeded(pid));
  assert_int_equal(stats_of(pool).lent, 1);
  assert_int_equal(connection_of(pool), 2);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

static void test_fork__abandon_may_be_missing(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_config_t config = capped(2);
  config.initial = 2;
  pool_t *pool = fake_pool(&fake, &config, NULL);
  pid_t pid = fork_child();
  if (pid == 0) {
    is_new(pool);
    is_whole(pool, 2);
    finish_child(&fake, pool);
  }
  assert_true(succeeded(pid));
  fake_finish(&fake, pool);
}

static void test_fork__many_pools_and_grandchildren(void **state)
{
  (void)state;
  struct fake fakes[5];
  pool_t *pools[5];
  pool_lease_t leases[5];
  pool_vtable_t vtable = whole_vtable();
  pool_config_t config = capped(12); /* more than one group of slots */
  for (int i = 0; i < 5; i++) {
    fake_init(&fakes[i]);
    pools[i] = fake_pool(&fakes[i], &config, &vtable);
    leases[i] = pool_get(pools[i]);
  }
  pid_t pid = fork_child();
  if (pid == 0) {
    pool_lease_t own[5];
    for (int i = 0; i < 5; i++) {
      is_stale(leases[i]);
      is_whole(pools[i], 12);
      must((own[i] = pool_get(pools[i])) > 0);
      must(fakes[i].abandoned == 1);
    }
    pid_t grandchild = fork_child();
    if (grandchild == 0) {
      for (int i = 0; i < 5; i++) {
        must(fakes[i].abandoned == 13);
        is_stale(leases[i]);
        is_stale(own[i]);
        is_whole(pools[i], 12);
        must(pool_close(pools[i], -1) == 0);
        pool_free(pools[i]);
      }
      _exit(0);
    }
    must(succeeded(grandchild));
    for (int i = 0; i < 5; i++) {
      must(pool_put(own[i]) == 0);
      must(pool_close(pools[i], -1) == 0);
      pool_free(pools[i]);
      must(fakes[i].released == 1);
    }
    _exit(0);
  }
  assert_true(succeeded(pid));
  for (int i = 0; i < 5; i++) {
    assert_int_equal(pool_put(leases[i]), 0);
    fake_finish(&fakes[i], pools[i]);
  }
}

static void test_fork__closed_and_freed_pools_stay_so(void **state)
{
  (void)state;
  struct fake fakes[2];
  pool_t *pools[2];
  pool_lease_t leases[2];
  pool_vtable_t vtable = whole_vtable();
  for (int i = 0; i < 2; i++) {
    fake_init(&fakes[i]);
    pools[i] = fake_pool(&fakes[i], NULL, &vtable);
    leases[i] = pool_get(pools[i]);
  }
  assert_int_equal(pool_close(pools[0], 0), 1);
  pool_free(pools[1]);
  pid_t pid = fork_child();
  if (pid == 0) {
    must(fakes[0].abandoned == 1 && fakes[1].abandoned == 1);
    must(pool_get(pools[0]) == POOL_E_CLOSED);
    must(pool_close(pools[0], -1) == 0);
    pool_free(pools[0]);
    must(fakes[0].released == 1);
    is_stale(leases[0]);
    is_stale(leases[1]);
    must(fakes[0].closed == 0 && fakes[1].closed == 0);
    _exit(0);
  }
  assert_true(succeeded(pid));
  assert_int_equal(pool_put(leases[0]), 0);
  fake_finish(&fakes[0], pools[0]);
  assert_int_equal(pool_put(leases[1]), 0);
  assert_int_equal(fakes[1].closed, 1);
  assert_int_equal(fakes[1].released, 1);
}

/* Connections whose close says goodbye, as that of TLS does. */
struct wires {
  int others[8]; /* the ends that the pool does not have */
  _Atomic int opened, abandoned;
};

static int wire_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  struct wires *wires = context;
  int ends[2];
  (void)deadline_ns, (void)error;
  must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  wires->others[atomic_fetch_add(&wires->opened, 1)] = ends[0];
  *conn = (void *)(intptr_t)ends[1];
  return 0;
}

static int wire_close(void *context, void *conn, pool_error_t *error)
{
  int end = (int)(intptr_t)conn;
  (void)context, (void)error;
  must(send(end, "bye", 3, MSG_NOSIGNAL) == 3);
  return close(end);
}

static void wire_abandon(void *context, void *conn)
{
  struct wires *wires = context;
  must(close((int)(intptr_t)conn) == 0);
  atomic_fetch_add(&wires->abandoned, 1);
}

/* What was sent over a connection and not read yet. */
static const char *sent_to(int other)
{
  static char sent[16];
  ssize_t size = recv(other, sent, sizeof sent - 1, MSG_DONTWAIT);
  sent[size > 0 ? size : 0] = 0;
  return sent;
}

/* In the child: a pool's whole life, on connections of its own. */
static void live(pool_t *pool, const struct wires *wires)
{
  pool_lease_t leases[3];
  int before = wires->opened;
  for (int i = 0; i < 3; i++)
    must((leases[i] = pool_get_for(pool, 0)) > 0);
  must(pool_mark_unusable(leases[0]) == 0);
  for (int i = 0; i < 3; i++)
    must(pool_put(leases[i]) == 0);
  must(pool_close(pool, -1) == 0);
  pool_free(pool);
  must(wires->opened == before + 3);
  for (int i = before; i < wires->opened; i++)
    must(strcmp(sent_to(wires->others[i]), "bye") == 0);
}

static void test_fork__the_child_sends_nothing(void **state)
{
  (void)state;
  for (int can_abandon = 0; can_abandon < 2; can_abandon++) {
    struct wires wires = {0};
    pool_vtable_t vtable = POOL_VTABLE_INIT;
    vtable.open = wire_open;
    vtable.close = wire_close;
    vtable.abandon = can_abandon ? wire_abandon : NULL;
    pool_config_t config = capped(3);
    config.initial = 3;
    pool_t *pool;
    assert_int_equal(pool_create(&config, &vtable, &wires, &pool, NULL), 0);
    pool_lease_t lease = pool_get(pool), unusable = pool_get(pool);
    assert_int_equal(pool_mark_unusable(unusable), 0);
    pid_t pid = fork_child();
    if (pid == 0) {
      must(wires.abandoned == (can_abandon ? 3 : 0));
      is_stale(lease);
      is_stale(unusable);
      live(pool, &wires);
      _exit(0);
    }
    assert_true(succeeded(pid));
    for (int i = 0; i < 3; i++)
      assert_string_equal(sent_to(wires.others[i]), "");
    assert_int_equal(send((int)(intptr_t)pool_conn(lease), "hello", 5, MSG_NOSIGNAL), 5);
    assert_int_equal(pool_put(lease), 0);
    assert_int_equal(pool_put(unusable), 0);
    assert_int_equal(pool_close(pool, -1), 0);
    pool_free(pool);
    int hellos = 0;
    for (int i = 0; i < 3; i++) {
      const char *sent = sent_to(wires.others[i]);
      bool is_hello = strcmp(sent, "hellobye") == 0;
      assert_true(is_hello || strcmp(sent, "bye") == 0);
      hellos += is_hello;
      close(wires.others[i]);
    }
    assert_int_equal(hellos, 1);
  }
}

struct worker {
  pool_t *pool;
  struct gate *gate;
  int64_t timeout_ms;
  _Atomic pool_lease_t lease;
};

static void *hold_main(void *data)
{
  struct worker *worker = data;
  pool_lease_t lease = pool_get_for(worker->pool, worker->timeout_ms);
  must(lease > 0);
  worker->lease = lease;
  gate_pass(worker->gate);
  fake_use(lease);
  must(pool_put(lease) == 0);
  return NULL;
}

static void test_fork__while_other_threads_hold_leases(void **state)
{
  (void)state;
  struct fake fake;
  struct gate gate;
  fake_init(&fake);
  gate_init(&gate, false);
  pool_vtable_t vtable = whole_vtable();
  pool_config_t config = capped(3);
  pool_t *pool = fake_pool(&fake, &config, &vtable);
  struct worker workers[3];
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) {
    workers[i] = (struct worker){.pool = pool, .gate = &gate, .timeout_ms = -1};
    threads[i] = thread_start(hold_main, &workers[i]);
  }
  wait_until(gate_waiting(&gate) == 3);
  pid_t pid = fork_child();
  if (pid == 0) {
    renew(&fake);
    must(fake.abandoned == 3 && fake.closed == 0);
    is_new(pool);
    for (int i = 0; i < 3; i++)
      is_stale(workers[i].lease);
    is_whole(pool, 3);
    finish_child(&fake, pool);
  }
  assert_true(succeeded(pid));
  gate_set(&gate, true);
  for (int i = 0; i < 3; i++)
    thread_end(threads[i]);
  fake_finish(&fake, pool);
  assert_int_equal(fake.abandoned, 0);
}

/* ---- what is under way ---- */

static void test_fork__while_another_thread_opens(void **state)
{
  (void)state;
  for (int32_t openers = 0; openers < 2; openers++) {
    struct fake fake;
    struct gate gate;
    fake_init(&fake);
    gate_init(&gate, true);
    gate_set(&fake.opening, false);
    pool_vtable_t vtable = whole_vtable();
    pool_config_t config = capped(1);
    config.openers = openers;
    pool_t *pool = fake_pool(&fake, &config, &vtable);
    struct worker workers[2];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
      workers[i] = (struct worker){.pool = pool, .gate = &gate, .timeout_ms = -1};
      threads[i] = thread_start(hold_main, &workers[i]);
    }
    wait_until(gate_waiting(&fake.opening) == 1 && stats_of(pool).waiting == 1 + openers);
    pid_t pid = fork_child();
    if (pid == 0) {
      renew(&fake);
      must(fake.abandoned == 0); /* there was no connection yet */
      is_new(pool);
      pool_lease_t lease = pool_get_for(pool, 9000);
      must(lease > 0);
      must(pool_get_for(pool, 0) == POOL_E_TIMEOUT);
      must(pool_put(lease) == 0);
      finish_child(&fake, pool);
    }
    assert_true(succeeded(pid));
    gate_set(&fake.opening, true);
    for (int i = 0; i < 2; i++)
      thread_end(threads[i]);
    assert_int_equal(fake.opened, 1);
    fake_finish(&fake, pool);
  }
}

static struct gate after_free;
static void *freed;

static int close_slowly(void *context, void *conn, pool_error_t *error)
{
  (void)error;
  int result = fake_close(context, conn, error);
  freed = conn;
  gate_pass(&after_free); /* the connection is no more, and the pool does not know */
  return result;
}

static void abandon_not_freed(void *context, void *conn)
{
  struct fake_conn *left = conn;
  must(conn != freed);
  must(atomic_load(&left->is_open));
  fake_abandon(context, conn);
}

struct putter {
  pool_lease_t lease;
};

static void *put_main(void *data)
{
  struct putter *putter = data;
  must(pool_mark_unusable(putter->lease) == 0);
  must(pool_put(putter->lease) == 0);
  return NULL;
}

static void test_fork__while_another_thread_closes(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  gate_init(&after_free, false);
  pool_vtable_t vtable = whole_vtable();
  vtable.close = close_slowly;
  vtable.abandon = abandon_not_freed;
  pool_config_t config = capped(2);
  config.initial = 2;
  pool_t *pool = fake_pool(&fake, &config, &vtable);
  struct putter putter = {.lease = pool_get(pool)};
  pthread_t thread = thread_start(put_main, &putter);
  wait_until(gate_waiting(&after_free) == 1);
  pid_t pid = fork_child();
  if (pid == 0) {
    renew(&fake);
    gate_init(&after_free, true);
    must(fake.abandoned == 1); /* the idle one; what was being closed is not touched again */
    is_new(pool);
    is_whole(pool, 2);
    finish_child(&fake, pool);
  }
  assert_true(succeeded(pid));
  gate_set(&after_free, true);
  thread_end(thread);
  fake_finish(&fake, pool);
}

static void *put_dirty_main(void *data)
{
  struct putter *putter = data;
  must(pool_put(putter->lease) == 0);
  return NULL;
}

static void test_fork__while_another_thread_resets(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_vtable_t vtable = whole_vtable();
  vtable.reset = fake_reset;
  pool_config_t config = capped(1);
  pool_t *pool = fake_pool(&fake, &config, &vtable);
  struct putter putter = {.lease = pool_get(pool)};
  gate_set(&fake.resetting, false);
  pthread_t thread = thread_start(put_dirty_main, &putter);
  wait_until(gate_waiting(&fake.resetting) == 1);
  pid_t pid = fork_child();
  if (pid == 0) {
    renew(&fake);
    must(fake.abandoned == 1);
    is_new(pool);
    is_whole(pool, 1);
    finish_child(&fake, pool);
  }
  assert_true(succeeded(pid));
  gate_set(&fake.resetting, true);
  thread_end(thread);
  assert_int_equal(pool_len(pool), 1);
  fake_finish(&fake, pool);
}

static void test_fork__while_others_wait(void **state)
{
  (void)state;
  for (int32_t fairness_us = 0; fairness_us <= 1000; fairness_us += 1000) {
    struct fake fake;
    struct gate gate;
    fake_init(&fake);
    gate_init(&gate, true);
    pool_vtable_t vtable = whole_vtable();
    pool_config_t config = capped(1);
    config.fairness_us = fairness_us;
    pool_t *pool = fake_pool(&fake, &config, &vtable);
    pool_lease_t lease = pool_get(pool);
    struct worker workers[3];
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
      workers[i] = (struct worker){.pool = pool, .gate = &gate, .timeout_ms = -1};
      threads[i] = thread_start(hold_main, &workers[i]);
    }
    struct told told[3] = {0};
    int64_t tickets[3];
    for (int i = 0; i < 3; i++)
      assert_true((tickets[i] = pool_get_async(pool, -1, got, &told[i])) > 0);
    wait_until(stats_of(pool).waiting == 6);
    pid_t pid = fork_child();
    if (pid == 0) {
      renew(&fake);
      must(thread_count() == 1);
      is_new(pool);
      is_stale(lease);
      for (int i = 0; i < 3; i++)
        must(pool_cancel(tickets[i]) == POOL_E_STALE);
      is_whole(pool, 1);
      struct told own = {0};
      int64_t ticket = pool_get_async(pool, -1, got, &own);
      must(ticket > 0);
      for (int i = 0; i < 3; i++)
        must(ticket != tickets[i]);
      must_soon(own.times == 1);
      must(own.result > 0);
      for (int i = 0; i < 3; i++)
        must(told[i].times == 0); /* they wait in the parent */
      finish_child(&fake, pool);
    }
    assert_true(succeeded(pid));
    for (int i = 0; i < 3; i++)
      assert_int_equal(told[i].times, 0);
    assert_int_equal(pool_put(lease), 0);
    for (int i = 0; i < 3; i++) {
      thread_end(threads[i]);
      wait_until(told[i].times == 1);
      assert_true(told[i].result > 0);
    }
    fake_finish(&fake, pool);
  }
}

static void test_fork__keeper_and_openers_are_started_again(void **state)
{
  (void)state;
  for (int32_t openers = 0; openers < 3; openers += 2) {
    struct fake fake;
    fake_init(&fake);
    pool_vtable_t vtable = whole_vtable();
    pool_config_t config = capped(4);
    config.openers = openers;
    pool_t *pool = fake_pool(&fake, &config, &vtable);
    struct told told = {0};
    assert_true(pool_get_async(pool, -1, got, &told) > 0);
    wait_until(told.times == 1);
    gate_set(&fake.opening, false);
    pool_lease_t lease = pool_get_for(pool, 9000); /* the one that is idle */
    assert_true(pool_get_async(pool, -1, got, &told) > 0);
    wait_until(gate_waiting(&fake.opening) == 1);
    assert_true(thread_count() >= 3);
    pid_t pid = fork_child();
    if (pid == 0) {
      renew(&fake);
      must(thread_count() == 1);
      must(fake.abandoned == 1);
      is_new(pool);
      struct told own[3] = {0};
      for (int i = 0; i < 3; i++)
        must(pool_get_async(pool, 9000, got, &own[i]) > 0);
      for (int i = 0; i < 3; i++) {
        must_soon(own[i].times == 1);
        must(own[i].result > 0);
      }
      pool_lease_t more = pool_get_for(pool, 9000); /* with openers this needs one of them */
      must(more > 0 && pool_put(more) == 0);
      finish_child(&fake, pool); /* waits for its threads, and not for those of the parent */
    }
    assert_true(succeeded(pid));
    gate_set(&fake.opening, true);
    wait_until(told.times == 2);
    assert_int_equal(pool_put(lease), 0);
    fake_finish(&fake, pool);
  }
}

static void test_fork__a_step_pool_begins_anew(void **state)
{
  (void)state;
  pool_config_t config = capped(2);
  pool_t *pool;
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_create(&config, 0, &pool, NULL), 0);
  assert_int_equal(pool_step_begin(pool, -1, 0, &step), 0);
  pool_lease_t lease = pool_step_done(step.claim, NULL, NULL, &step);
  assert_true(lease > 0);
  assert_int_equal(pool_step_begin(pool, -1, 0, &step), 0);
  pool_lease_t claim = step.claim;
  assert_int_equal(step.work, POOL_WORK_OPEN);
  assert_int_equal(pool_step_begin(pool, -1, 0, &step), 0);
  int64_t ticket = step.ticket;
  assert_true(ticket > 0);
  pid_t pid = fork_child();
  if (pid == 0) {
    is_new(pool);
    must(pool_step_begin(pool, -1, ticket, &step) == POOL_E_STALE);
    must(pool_step_cancel(ticket, &step) == POOL_E_STALE);
    must(pool_step_done(claim, NULL, NULL, &step) == POOL_E_STALE);
    must(pool_step_end(lease, &step) == POOL_E_STALE);
    pool_lease_t leases[2];
    for (int i = 0; i < 2; i++) {
      must(pool_step_begin(pool, -1, 0, &step) == 0 && step.work == POOL_WORK_OPEN && step.conn == NULL);
      must((leases[i] = pool_step_done(step.claim, NULL, NULL, &step)) > 0);
    }
    must(pool_step_begin(pool, -1, 0, &step) == 0 && step.ticket > 0 && step.ticket != ticket);
    int64_t own = step.ticket;
    must(pool_step_end(leases[0], &step) == 0 && step.wake == own);
    must((leases[0] = pool_step_begin(pool, -1, own, &step)) > 0);
    _exit(0);
  }
  assert_true(succeeded(pid));
  assert_true(pool_step_done(claim, &failed_work, NULL, &step) == 0);
  assert_int_equal(step.wake, ticket);
  assert_int_equal(pool_step_cancel(ticket, &step), 0);
  assert_int_equal(pool_mark_unusable(lease), 0);
  assert_int_equal(pool_step_end(lease, &step), 0);
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  assert_int_equal(pool_close(pool, -1), 0);
  pool_free(pool);
}

/* ---- fork from within a callback ---- */

enum where { NOWHERE, IN_OPEN, IN_CLOSE, IN_CHECK, IN_RESET, IN_CALL, IN_GO, IN_DONE, IN_GOT, IN_ABANDON };

static const enum where places[] = {IN_OPEN, IN_CLOSE, IN_CHECK, IN_RESET, IN_CALL, IN_GO, IN_DONE, IN_GOT};

static _Atomic enum where fork_where;
static _Atomic pid_t forked; /* -1: not yet; 0: this is the child */
static pool_call_t *kept_call;

static void fork_here(enum where where)
{
  enum where here = where;
  if (atomic_compare_exchange_strong(&fork_where, &here, NOWHERE))
    atomic_store(&forked, fork_child());
}

static int forking_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  fork_here(IN_OPEN);
  return fake_open(context, deadline_ns, conn, error);
}

static int forking_close(void *context, void *conn, pool_error_t *error)
{
  (void)error;
  fork_here(IN_CLOSE);
  return fake_close(context, conn, error);
}

static int forking_check(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)error;
  fork_here(IN_CHECK);
  return fake_check(context, conn, deadline_ns, error);
}

static int forking_reset(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)error;
  fork_here(IN_RESET);
  return fake_reset(context, conn, deadline_ns, error);
}

static int forking_call(void *context, void *conn, const char *method, pool_bytes_t args, pool_bytes_t *reply,
                        int64_t deadline_ns, pool_error_t *error)
{
  (void)context, (void)conn, (void)args, (void)deadline_ns, (void)error;
  fork_here(IN_CALL);
  return strcmp(method, "break") == 0 ? POOL_E_BROKEN : pool_bytes_new(3, reply);
}

static int forking_go(void *context, void *conn, const char *method, pool_bytes_t args, pool_call_t *call)
{
  (void)context, (void)conn, (void)method, (void)args;
  fork_here(IN_GO);
  kept_call = call;
  return 0;
}

static void forking_done(void *user, int32_t code, pool_bytes_t reply)
{
  (void)user;
  must(code == 0);
  pool_bytes_free(&reply);
  fork_here(IN_DONE);
}

static void forking_got(void *user, pool_lease_t result)
{
  struct told *told = user;
  bool was_child = atomic_load(&forked) == 0;
  fork_here(IN_GOT);
  bool stale = !was_child && atomic_load(&forked) == 0;
  if (result > 0)
    must(pool_put(result) == (stale ? POOL_E_STALE : 0));
  told->result = result;
  atomic_fetch_add(&told->times, 1);
}

/* Meets every callback once, in the parent and, from the fork on, in the child as well. */
static void use_everything(pool_t *pool, enum where where)
{
  const pool_bytes_t none = {NULL, 0};
  bool child = false;
#define LEASE_IS_OLD (!child && atomic_load(&forked) == 0 && (child = true)) /* the fork was since the get */
  pool_lease_t lease = pool_get_for(pool, 9000);
  must(lease > 0);
  child = atomic_load(&forked) == 0;
  int code = pool_call(lease, "x", none, NULL, NULL);
  must(code == 0); /* also in the child: what the driver said is what the caller hears */
  if (LEASE_IS_OLD) {
    is_stale(lease);
    must((lease = pool_get_for(pool, 9000)) > 0);
  }
  must(pool_go(lease, "x", none, forking_done, NULL) > 0);
  must(pool_call_done(kept_call, 0, none) == 0); /* in the child of a fork in `go`, one of the parent's */
  if (LEASE_IS_OLD) {
    is_stale(lease);
    must((lease = pool_get_for(pool, 9000)) > 0);
  }
  must(pool_put(lease) == 0);
  child = atomic_load(&forked) == 0;
  struct told told = {0};
  must(pool_get_async(pool, 9000, forking_got, &told) > 0);
  must_soon((pool_maintain(pool), told.times == 1 || (!child && atomic_load(&forked) == 0)));
  /* A sibling breaks: the other is checked. */
  pool_lease_t one = pool_get_for(pool, 9000), two = pool_get_for(pool, 9000);
  must(one > 0 && two > 0);
  must(pool_put(one) == 0);
  if (atomic_load(&forked) != 0 || where != IN_RESET)
    must(pool_call(two, "break", none, NULL, NULL) == POOL_E_BROKEN);
  must(pool_put(two) == 0);
  must((one = pool_get_for(pool, 9000)) > 0);
  must(pool_put(one) == 0);
}

static void test_fork__from_within_a_callback(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof places / sizeof *places; i++)
    for (int is_manual = 0; is_manual < 2; is_manual++) {
      if (places[i] == IN_GOT && !is_manual)
        continue; /* that child has no thread but the keeper: see below */
      struct fake fake;
      fake_init(&fake);
      pool_vtable_t vtable = {.size = sizeof vtable,
                              .open = forking_open,
                              .close = forking_close,
                              .check = forking_check,
                              .reset = forking_reset,
                              .abandon = fake_abandon,
                              .call = forking_call,
                              .go = forking_go,
                              .release = fake_release};
      pool_config_t config = capped(2);
      config.keeper = is_manual ? POOL_KEEPER_MANUAL : POOL_KEEPER_THREAD;
      pool_t *pool = fake_pool(&fake, &config, &vtable);
      forked = -1;
      fork_where = places[i];
      use_everything(pool, places[i]);
      must(forked != -1);
      if (forked == 0) {
        renew(&fake);
        use_everything(pool, NOWHERE);
        is_whole(pool, 2);
        must(pool_close(pool, -1) == 0);
        pool_free(pool);
        must(fake.open_now == fake.abandoned); /* those of the parent; what was opened across the fork is closed */
        must(fake.released == 1);
        _exit(0);
      }
      assert_true(succeeded(forked));
      assert_int_equal(fake.abandoned, 0);
      use_everything(pool, NOWHERE);
      fake_finish(&fake, pool);
      assert_int_equal(fake.released, 1);
    }
}

/* Passed by the test when the library's thread has forked. */
static struct gate has_forked;

static void forked_child(pid_t pid)
{
  atomic_store(&forked, pid);
  gate_set(&has_forked, true);
}

/* A callback on a library thread forks: in the child that thread is the only one. */
static void fork_and_use(void *user, pool_lease_t result)
{
  struct worker *worker = user;
  must(result > 0);
  pid_t pid = fork_child();
  if (pid == 0) {
    is_stale(result);
    is_new(worker->pool);
    is_whole(worker->pool, 2);
    must(pool_close(worker->pool, -1) == POOL_E_INVALID); /* still inside a callback */
    must(pool_close(worker->pool, 0) == 0);
    pool_free(worker->pool);
    _exit(0);
  }
  must(pool_put(result) == 0);
  forked_child(pid);
}

static int fork_and_leave(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  pid_t pid = fork_child();
  if (pid == 0)
    _exit(thread_count() == 1 ? 0 : 1);
  forked_child(pid);
  return fake_open(context, deadline_ns, conn, error);
}

/* A callback that is told of a lease forks, and then one that opens. */
static void fork_on_a_library_thread(void (*gets)(void *user, pool_lease_t result),
                                     int (*opens)(void *context, int64_t deadline_ns, void **conn, pool_error_t *error))
{
  struct fake fake;
  fake_init(&fake);
  pool_vtable_t vtable = whole_vtable();
  pool_config_t config = capped(2);
  pool_t *pool = fake_pool(&fake, &config, &vtable);
  struct worker worker = {.pool = pool};
  gate_init(&has_forked, false);
  assert_true(pool_get_async(pool, -1, gets, &worker) > 0);
  gate_pass(&has_forked);
  assert_true(succeeded(forked));
  fake_finish(&fake, pool);

  fake_init(&fake);
  vtable.open = opens;
  pool = fake_pool(&fake, &config, &vtable);
  struct told told = {0};
  gate_init(&has_forked, false);
  assert_true(pool_get_async(pool, -1, got, &told) > 0);
  gate_pass(&has_forked);
  wait_until(told.times == 1);
  assert_true(told.result > 0);
  assert_true(succeeded(forked));
  fake_finish(&fake, pool);
}

static void test_fork__from_within_a_library_thread(void **state)
{
  (void)state;
  fork_on_a_library_thread(fork_and_use, fork_and_leave);
}

/* In the child of a fork on a library thread the thread may also return.  It has nothing to keep there and ends, and
   with it the child, whose exit status is then 0. */
static void leave_quietly(void)
{
  _exit(0); /* this child is not to be searched for leaks */
}

static void fork_and_return(void *user, pool_lease_t result)
{
  (void)user;
  pid_t pid = fork_child();
  if (pid == 0) {
    must(atexit(leave_quietly) == 0);
    return;
  }
  must(pool_put(result) == 0);
  forked_child(pid);
}

static int open_fork_and_return(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  pid_t pid = fork_child();
  if (pid == 0)
    must(atexit(leave_quietly) == 0);
  else
    forked_child(pid);
  return fake_open(context, deadline_ns, conn, error);
}

static void test_fork__a_library_thread_ends_in_the_child(void **state)
{
  (void)state;
  fork_on_a_library_thread(fork_and_return, open_fork_and_return);
}

/* ---- a call of the parent's ---- */

static void count_done(void *user, int32_t code, pool_bytes_t reply)
{
  struct told *told = user;
  pool_bytes_free(&reply);
  told->result = code;
  atomic_fetch_add(&told->times, 1);
}

static void test_fork__with_a_call_under_way(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_vtable_t vtable = whole_vtable();
  vtable.go = forking_go;
  pool_config_t config = capped(2);
  pool_t *pool = fake_pool(&fake, &config, &vtable);
  const pool_bytes_t none = {NULL, 0};
  fork_where = NOWHERE;
  struct told told[2] = {0};
  pool_lease_t kept = pool_get(pool), put = pool_get(pool);
  assert_true(pool_go(kept, "x", none, count_done, &told[0]) > 0);
  pool_call_t *first = kept_call;
  assert_true(pool_go(put, "x", none, count_done, &told[1]) > 0);
  pool_call_t *second = kept_call;
  assert_int_equal(pool_put(put), 0);
  pid_t pid = fork_child();
  if (pid == 0) {
    must(fake.abandoned == 2);
    is_new(pool);
    pool_lease_t leases[2] = {pool_get_for(pool, 0), pool_get_for(pool, 0)};
    must(leases[0] > 0 && leases[1] > 0);
    must(pool_call_done(first, POOL_E_BROKEN, none) == 0); /* reaches its done, and no connection of the child's */
    must(pool_call_done(second, 0, none) == 0);
    must(told[0].times == 1 && told[1].times == 1);
    must(pool_call_done(first, 0, none) == POOL_E_STALE);
    must(pool_put(leases[0]) == 0 && pool_put(leases[1]) == 0);
    must(pool_len(pool) == 2);
    finish_child(&fake, pool);
  }
  assert_true(succeeded(pid));
  assert_int_equal(told[0].times + told[1].times, 0);
  assert_int_equal(pool_call_done(first, 0, none), 0);
  assert_int_equal(pool_call_done(second, 0, none), 0);
  assert_int_equal(pool_put(kept), 0);
  assert_int_equal(pool_len(pool), 2);
  fake_finish(&fake, pool);
}

static void test_fork__while_a_library_thread_does_a_chore(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_vtable_t vtable = whole_vtable();
  vtable.reset = fake_reset;
  pool_config_t config = capped(1);
  config.background_reset = 1;
  pool_t *pool = fake_pool(&fake, &config, &vtable);
  pool_lease_t lease = pool_get(pool);
  gate_set(&fake.resetting, false);
  assert_int_equal(pool_put(lease), 0);
  wait_until(gate_waiting(&fake.resetting) == 1);
  pid_t pid = fork_child();
  if (pid == 0) {
    renew(&fake);
    must((lease = pool_get_for(pool, 9000)) > 0);
    must(pool_put(lease) == 0);
    must_soon(pool_len(pool) == 1); /* the child's own thread has reset it */
    finish_child(&fake, pool);
  }
  assert_true(succeeded(pid));
  gate_set(&fake.resetting, true);
  wait_until(pool_len(pool) == 1);
  fake_finish(&fake, pool);
}

static void test_fork__a_lease_of_the_child_names_the_childs_thread(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_vtable_t vtable = whole_vtable();
  pool_t *pool = fake_pool(&fake, NULL, &vtable);
  pool_lease_t lease = pool_get(pool);
  pool_lease_info_t info = POOL_LEASE_INFO_INIT;
  assert_int_equal(pool_leases(pool, &info, 1), 1);
  int64_t number = info.thread;
  pid_t pid = fork_child();
  if (pid == 0) {
    must((lease = pool_get(pool)) > 0);
    must(pool_leases(pool, &info, 1) == 1);
    must(info.thread != number);
    must(pool_put(lease) == 0);
    finish_child(&fake, pool);
  }
  assert_true(succeeded(pid));
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

static void test_fork__abandons_what_a_get_left_to_be_closed(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_vtable_t vtable = whole_vtable();
  vtable.check = fake_check;
  pool_config_t config = capped(2);
  config.keeper = POOL_KEEPER_MANUAL;
  config.initial = 1;
  config.check_after_ms = 0;
  fake.fail_check = 1;
  pool_t *pool = fake_pool(&fake, &config, &vtable);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(fake.closed, 0); /* the dead one is left to the next put */
  pid_t pid = fork_child();
  if (pid == 0) {
    must(fake.abandoned == 2);
    is_new(pool);
    is_whole(pool, 2);
    finish_child(&fake, pool);
  }
  assert_true(succeeded(pid));
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

static void fork_when_returned(void *user, const pool_event_t *event)
{
  (void)user;
  if (event->event == POOL_EVENT_RETURNED && forked < 0)
    forked = fork_child();
}

static void test_fork__from_within_a_listener_to_a_put(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_vtable_t vtable = whole_vtable();
  pool_config_t config = capped(2);
  config.events = fork_when_returned;
  forked = -1;
  pool_t *pool = fake_pool(&fake, &config, &vtable);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(pool_put(lease), 0);
  if (forked == 0) {
    must(fake.abandoned == 1);
    is_new(pool);
    is_whole(pool, 2);
    finish_child(&fake, pool);
  }
  assert_true(succeeded(forked));
  assert_int_equal(pool_len(pool), 1);
  fake_finish(&fake, pool);
}

static void fork_when_refused(void *user, const pool_event_t *event)
{
  (void)user;
  if (event->event == POOL_EVENT_OVERLOADED && forked == -1)
    forked = fork_child();
}

/* In the child its ticket is given back already. */
static void test_fork__from_within_a_listener_to_an_asynchronous_get_that_is_refused(void **state)
{
  (void)state;
  struct fake fake;
  struct told told[3] = {0};
  fake_init(&fake);
  pool_vtable_t vtable = whole_vtable();
  pool_config_t config = capped(1);
  config.events = fork_when_refused;
  config.max_waiters = 1;
  forked = -1;
  pool_t *pool = fake_pool(&fake, &config, &vtable);
  pool_lease_t lease = pool_get(pool);
  assert_true(pool_get_async(pool, -1, got, &told[0]) > 0);
  assert_int_equal(pool_get_async(pool, -1, got, &told[1]), POOL_E_OVERLOAD);
  if (forked == 0) {
    renew(&fake);
    must(pool_pause(pool) == 0);
    must(pool_get_async(pool, -1, got, &told[1]) > 0);
    must(pool_get_async(pool, -1, got, &told[2]) == POOL_E_OVERLOAD);
    must(pool_resume(pool) == 0);
    must_soon(told[1].times == 1);
    must(pool_get_async(pool, -1, got, &told[2]) > 0);
    must_soon(told[1].times == 1 && told[2].times == 1);
    must(told[1].result > 0 && told[2].result > 0);
    finish_child(&fake, pool);
  }
  assert_true(succeeded(forked));
  assert_int_equal(pool_put(lease), 0);
  wait_until(told[0].times == 1);
  fake_finish(&fake, pool);
}

static pool_t *flushed_pool; /* NULL: no open flushes */

static int flushing_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  int code = fake_open(context, deadline_ns, conn, error);
  if (code == 0 && flushed_pool)
    must(pool_flush(flushed_pool) == 1);
  return code;
}

static void fork_when_server_is_back(void *user, const pool_event_t *event)
{
  (void)user;
  if (event->event != POOL_EVENT_BREAKER_CLOSED || forked != -1)
    return;
  forked = fork_child();
  flushed_pool = NULL;
}

/* What was opened is to be closed at once, but that is the parent's to do. */
static void test_fork__from_within_a_listener_before_a_close(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_vtable_t vtable = whole_vtable();
  vtable.open = flushing_open;
  pool_config_t config = capped(2);
  config.keeper = POOL_KEEPER_MANUAL;
  config.min_idle = 1;
  config.events = fork_when_server_is_back;
  config.retry_min_ms = config.retry_max_ms = config.breaker_after = 1;
  forked = -1;
  fake.fail_open = 1;
  pool_t *pool = flushed_pool = fake_pool(&fake, &config, &vtable);
  wait_until((pool_maintain(pool), forked != -1));
  if (forked == 0) {
    must(fake.closed == 0);
    is_whole(pool, 2);
    finish_child(&fake, pool);
  }
  assert_true(succeeded(forked));
  wait_until((pool_maintain(pool), fake.closed == 1));
  fake_finish(&fake, pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fork__the_child_has_an_empty_pool),
      cmocka_unit_test(test_fork__counts_and_numbers_begin_anew),
      cmocka_unit_test(test_fork__abandon_may_be_missing),
      cmocka_unit_test(test_fork__many_pools_and_grandchildren),
      cmocka_unit_test(test_fork__closed_and_freed_pools_stay_so),
      cmocka_unit_test(test_fork__the_child_sends_nothing),
      cmocka_unit_test(test_fork__while_other_threads_hold_leases),
      cmocka_unit_test(test_fork__while_another_thread_opens),
      cmocka_unit_test(test_fork__while_another_thread_closes),
      cmocka_unit_test(test_fork__while_another_thread_resets),
      cmocka_unit_test(test_fork__while_others_wait),
      cmocka_unit_test(test_fork__keeper_and_openers_are_started_again),
      cmocka_unit_test(test_fork__a_step_pool_begins_anew),
      cmocka_unit_test(test_fork__from_within_a_callback),
      cmocka_unit_test(test_fork__from_within_a_library_thread),
      cmocka_unit_test(test_fork__a_library_thread_ends_in_the_child),
      cmocka_unit_test(test_fork__with_a_call_under_way),
      cmocka_unit_test(test_fork__while_a_library_thread_does_a_chore),
      cmocka_unit_test(test_fork__a_lease_of_the_child_names_the_childs_thread),
      cmocka_unit_test(test_fork__abandons_what_a_get_left_to_be_closed),
      cmocka_unit_test(test_fork__from_within_a_listener_to_a_put),
      cmocka_unit_test(test_fork__from_within_a_listener_to_an_asynchronous_get_that_is_refused),
      cmocka_unit_test(test_fork__from_within_a_listener_before_a_close),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
