/* SPDX-License-Identifier: MIT */
/* Which thread has what: leases that are out for too long, their notes, and threads that wait for each other. */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "virtual.h"
#include "witness.h"

static struct fake fake;
static struct diary diary;

static pool_config_t watched(int32_t max_open)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.name = "prices";
  config.keeper = POOL_KEEPER_MANUAL;
  config.max_open = max_open;
  config.leak_after_ms = 1000;
  config.event_mask = 1 << POOL_EVENT_LEAKED | 1 << POOL_EVENT_LEAK_RETURNED | 1 << POOL_EVENT_STARVED;
  diary_init(&diary, &config);
  return config;
}

static pool_t *make(int32_t max_open)
{
  pool_config_t config = watched(max_open);
  fake_init(&fake);
  return fake_pool(&fake, &config, NULL);
}

/* ---- leaks ---- */

static void test_leak__is_reported_once_with_what_is_known(void **state)
{
  (void)state;
  pool_t *pool = make(2);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(pool_tag(lease, "invoices"), 0);
  virtual_pass(pool, SECOND - 1);
  assert_int_equal(diary_count(&diary, POOL_EVENT_LEAKED), 0);
  virtual_pass(pool, SECOND / 2 + 1);
  assert_int_equal(diary_count(&diary, POOL_EVENT_LEAKED), 1);
  struct entry leaked = diary_last(&diary, POOL_EVENT_LEAKED);
  assert_true(leaked.lease == lease);
  assert_true(leaked.thread == gettid());
  assert_string_equal(leaked.tag, "invoices");
  assert_string_equal(leaked.pool, "prices");
  assert_in_range(leaked.duration_ns, SECOND, 3 * SECOND / 2);
  assert_int_equal(diary_lines(&diary, POOL_LOG_WARN), 1);
  const struct entry line = diary_last_line(&diary, POOL_LOG_WARN);
  assert_non_null(strstr(line.message, "prices"));
  assert_non_null(strstr(line.message, "invoices"));
  virtual_pass(pool, 100 * SECOND);
  assert_int_equal(diary_count(&diary, POOL_EVENT_LEAKED), 1);
  assert_int_equal(stats_of(pool).leaked, 1);
  fake_use(lease); /* it is only reported */
  assert_int_equal(diary_count(&diary, POOL_EVENT_LEAK_RETURNED), 0);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(diary_count(&diary, POOL_EVENT_LEAK_RETURNED), 1);
  struct entry returned = diary_last(&diary, POOL_EVENT_LEAK_RETURNED);
  assert_true(returned.lease == lease);
  assert_string_equal(returned.tag, "invoices");
  assert_in_range(returned.duration_ns, 100 * SECOND, 102 * SECOND);
  assert_int_equal(diary_lines(&diary, POOL_LOG_INFO), 1);
  fake_finish(&fake, pool);
}

static void test_leak__each_lease_is_its_own(void **state)
{
  (void)state;
  pool_t *pool = make(1);
  for (int i = 0; i < 3; i++) {
    pool_lease_t lease = pool_get(pool);
    virtual_pass(pool, 2 * SECOND);
    assert_int_equal(diary_count(&diary, POOL_EVENT_LEAKED), i + 1);
    assert_true(diary_last(&diary, POOL_EVENT_LEAKED).lease == lease);
    assert_string_equal(diary_last(&diary, POOL_EVENT_LEAKED).tag, "");
    assert_int_equal(pool_put(lease), 0);
    assert_int_equal(diary_count(&diary, POOL_EVENT_LEAK_RETURNED), i + 1);
  }
  assert_int_equal(stats_of(pool).leaked, 3);
  fake_finish(&fake, pool);
}

static void test_leak__who_comes_back_in_time_is_none(void **state)
{
  (void)state;
  pool_t *pool = make(1);
  for (int i = 0; i < 50; i++) { /* the same connection is out nearly always */
    pool_lease_t lease = pool_get(pool);
    virtual_pass(pool, 999 * MILLISECOND);
    assert_int_equal(pool_put(lease), 0);
  }
  assert_int_equal(diary_count(&diary, POOL_EVENT_LEAKED), 0);
  assert_int_equal(diary_count(&diary, POOL_EVENT_LEAK_RETURNED), 0);
  fake_finish(&fake, pool);
}

static void test_leak__the_keeper_reports_too(void **state)
{
  (void)state;
  pool_config_t config = watched(1);
  config.keeper = POOL_KEEPER_THREAD;
  fake_init(&fake);
  pool_t *pool = fake_pool(&fake, &config, NULL);
  pool_lease_t lease = pool_get(pool);
  wait_until((virtual_advance(100 * MILLISECOND), diary_count(&diary, POOL_EVENT_LEAKED) == 1));
  assert_true(diary_last(&diary, POOL_EVENT_LEAKED).lease == lease);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

/* Nothing was due for an hour, so without a word it would sleep that long. */
static void test_leak__a_keeper_that_rests_is_told_of_a_get(void **state)
{
  (void)state;
  pool_config_t config = watched(1);
  config.keeper = POOL_KEEPER_THREAD;
  config.initial = 1;
  config.idle_timeout_ms = 3600000;
  fake_init(&fake);
  pool_t *pool = fake_pool(&fake, &config, NULL);
  for (int i = 0; i < 8; i++) { /* it looks until it has seen that nothing moves */
    wait_until(virtual_sleepers() == 1);
    virtual_advance(SECOND);
  }
  wait_until(virtual_sleepers() == 1);
  assert_true(virtual_next_deadline() - virtual_now() > 3000 * SECOND);
  pool_lease_t lease = pool_get(pool);
  assert_true(lease > 0);
  for (int i = 0; i < 4; i++) {
    wait_until(virtual_sleepers() == 1);
    virtual_advance(SECOND);
  }
  wait_until(virtual_sleepers() == 1);
  assert_int_equal(diary_count(&diary, POOL_EVENT_LEAKED), 1);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

/* ---- notes ---- */

static pool_lease_info_t info_of(pool_t *pool, pool_lease_t lease)
{
  pool_lease_info_t list[8];
  memset(list, 0xff, sizeof list);
  list[0].size = sizeof *list;
  int64_t count = pool_leases(pool, list, 8);
  for (int64_t i = 0; i < count && i < 8; i++)
    if (list[i].lease == lease)
      return list[i];
  fail_msg("lease %lld is not listed", (long long)lease);
  return list[0];
}

static void test_leak__a_tag_is_copied_changed_and_taken_back(void **state)
{
  (void)state;
  pool_t *pool = make(2);
  pool_lease_t lease = pool_get(pool), other = pool_get(pool);
  char text[16] = "one";
  assert_string_equal(info_of(pool, lease).tag, "");
  assert_int_equal(pool_tag(lease, text), 0);
  strcpy(text, "two");
  assert_string_equal(info_of(pool, lease).tag, "one");
  assert_string_equal(info_of(pool, other).tag, "");
  assert_int_equal(pool_tag(lease, text), 0);
  assert_string_equal(info_of(pool, lease).tag, "two");
  assert_int_equal(pool_tag(lease, NULL), 0);
  assert_string_equal(info_of(pool, lease).tag, "");
  assert_int_equal(pool_tag(lease, "three"), 0);
  assert_int_equal(pool_tag(lease, ""), 0);
  assert_string_equal(info_of(pool, lease).tag, "");
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_put(other), 0);
  fake_finish(&fake, pool);
}

static void test_leak__a_tag_ends_with_its_lease(void **state)
{
  (void)state;
  pool_t *pool = make(1);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(pool_tag(lease, "mine"), 0);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_tag(lease, "late"), POOL_E_STALE);
  assert_int_equal(pool_failure(NULL), POOL_E_STALE);
  pool_lease_t next = pool_get(pool);
  assert_int_equal(pool_tag(lease, "late"), POOL_E_STALE);
  assert_string_equal(info_of(pool, next).tag, "");
  assert_int_equal(pool_tag(next, "next"), 0);
  pool_mark_unusable(next);
  assert_int_equal(pool_put(next), 0);
  next = pool_get(pool); /* another connection, in the same place */
  assert_string_equal(info_of(pool, next).tag, "");
  assert_int_equal(pool_tag(next, "kept past the pool's end"), 0);
  for (pool_lease_t forged = -2; forged < 3; forged++)
    assert_int_equal(pool_tag(forged, "x"), POOL_E_STALE);
  assert_int_equal(pool_close(pool, 0), 1);
  assert_string_equal(info_of(pool, next).tag, "kept past the pool's end");
  assert_int_equal(pool_put(next), 0);
  fake_finish(&fake, pool);
}

static void test_leak__a_long_tag_is_shown_from_its_beginning(void **state)
{
  (void)state;
  pool_t *pool = make(1);
  pool_lease_t lease = pool_get(pool);
  char text[301];
  for (int i = 0; i < 300; i++)
    text[i] = (char)('a' + i % 26);
  text[300] = 0;
  assert_int_equal(pool_tag(lease, text), 0);
  pool_lease_info_t info = info_of(pool, lease);
  assert_memory_equal(info.tag, text, 47);
  assert_int_equal(info.tag[47], 0);
  virtual_pass(pool, 2 * SECOND);
  assert_memory_equal(diary_last(&diary, POOL_EVENT_LEAKED).tag, text, 47);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

static _Atomic bool stop;

static void *tag_and_look(void *data)
{
  pool_t *pool = data;
  while (!atomic_load(&stop)) {
    pool_lease_t lease = pool_get(pool);
    must(lease > 0);
    must(pool_tag(lease, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa") == 0);
    must(pool_tag(lease, lease & 1 ? NULL : "b") == 0);
    must(pool_put(lease) == 0);
    must(pool_tag(lease, "c") == POOL_E_STALE);
  }
  return NULL;
}

static void test_leak__tags_and_lists_from_many_threads(void **state)
{
  (void)state;
  pool_t *pool = make(0);
  pthread_t threads[3];
  atomic_store(&stop, false);
  for (int i = 0; i < 3; i++)
    threads[i] = thread_start(tag_and_look, pool);
  pool_lease_info_t list[8];
  for (int i = 0; i < 3000; i++) {
    list[0].size = sizeof *list;
    int64_t count = pool_leases(pool, list, 8);
    assert_in_range(count, 0, 3);
    for (int64_t j = 0; j < count; j++) {
      assert_true(list[j].lease > 0);
      if (list[j].tag[0] && strcmp(list[j].tag, "b") != 0)
        assert_string_equal(list[j].tag, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    }
  }
  atomic_store(&stop, true);
  for (int i = 0; i < 3; i++)
    thread_end(threads[i]);
  assert_int_equal(pool_leases(pool, NULL, 0), 0);
  fake_finish(&fake, pool);
}

/* ---- the list of leases ---- */

static void test_leak__leases_are_listed_as_far_as_there_is_room(void **state)
{
  (void)state;
  pool_t *pool = make(5);
  assert_int_equal(pool_leases(pool, NULL, 0), 0);
  pool_lease_t leases[3];
  for (int i = 0; i < 3; i++)
    leases[i] = pool_get(pool);
  assert_int_equal(pool_leases(pool, NULL, 0), 3);
  pool_lease_info_t list[4];
  memset(list, 0xee, sizeof list);
  list[0].size = sizeof *list;
  assert_int_equal(pool_leases(pool, list, 2), 3);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(list[i].size, sizeof *list);
    assert_true(list[i].lease == leases[0] || list[i].lease == leases[1] || list[i].lease == leases[2]);
    assert_true(list[i].thread == gettid());
  }
  assert_true(list[0].lease != list[1].lease);
  assert_int_equal(list[2].size, (size_t)0xeeeeeeeeeeeeeeee); /* beyond the room nothing is written */
  for (int i = 0; i < 3; i++)
    assert_true(info_of(pool, leases[i]).lease == leases[i]);
  list[0].size = 0;
  assert_int_equal(pool_leases(pool, list, 4), POOL_E_SIZE);
  assert_int_equal(pool_leases(pool, NULL, 4), POOL_E_INVALID);
  for (int i = 0; i < 3; i++)
    assert_int_equal(pool_put(leases[i]), 0);
  assert_int_equal(pool_leases(pool, NULL, 0), 0);
  fake_finish(&fake, pool);
}

static void test_leak__lists_of_older_and_newer_callers_are_understood(void **state)
{
  (void)state;
  pool_t *pool = make(2);
  pool_lease_t leases[2] = {pool_get(pool), pool_get(pool)};
  for (int i = 0; i < 2; i++)
    assert_int_equal(pool_tag(leases[i], "tagged"), 0);
  struct {
    size_t size;
    pool_lease_t lease;
    int64_t thread, held_ns;
  } older[2] = {{.size = sizeof *older}};
  assert_int_equal(pool_leases(pool, (pool_lease_info_t *)older, 2), 2);
  assert_true(older[0].lease + older[1].lease == leases[0] + leases[1]);
  assert_true(older[0].size == sizeof *older && older[1].size == sizeof *older);
  assert_true(older[0].thread == gettid() && older[1].thread == gettid());
  struct {
    pool_lease_info_t known;
    int64_t later;
  } newer[2];
  memset(newer, 0, sizeof newer);
  newer[0].known.size = sizeof *newer;
  assert_int_equal(pool_leases(pool, &newer[0].known, 2), 2);
  assert_true(newer[0].known.lease + newer[1].known.lease == leases[0] + leases[1]);
  assert_true(newer[0].known.lease != newer[1].known.lease);
  assert_string_equal(newer[0].known.tag, "tagged");
  assert_string_equal(newer[1].known.tag, "tagged");
  for (int i = 0; i < 2; i++)
    assert_int_equal(pool_put(leases[i]), 0);
  fake_finish(&fake, pool);
}

static void test_leak__held_counts_from_when_somebody_looked(void **state)
{
  (void)state;
  pool_t *pool = make(1);
  pool_lease_t lease = pool_get(pool);
  assert_in_range(info_of(pool, lease).held_ns, 0, 0);
  virtual_pass(pool, 10 * SECOND);
  assert_in_range(info_of(pool, lease).held_ns, 9 * SECOND, 10 * SECOND);
  assert_int_equal(pool_put(lease), 0);
  lease = pool_get(pool);
  assert_in_range(info_of(pool, lease).held_ns, 0, 0); /* another lease of the same connection */
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

/* ---- starvation ---- */

/* Holds one, and wants another. */
struct greedy {
  pool_t *pool;
  struct gate *proceed;
  int64_t timeout_ms;
  _Atomic bool holds;
  bool put_by_another;
  pool_lease_t second;
  pool_error_t error;
};

static void *get_another(void *data)
{
  struct greedy *greedy = data;
  pool_lease_t first = pool_get(greedy->pool);
  must(first > 0);
  atomic_store(&greedy->holds, true);
  gate_pass(greedy->proceed);
  greedy->error = (pool_error_t)POOL_ERROR_INIT;
  greedy->second = pool_get_for(greedy->pool, greedy->timeout_ms);
  if (greedy->second > 0)
    must(pool_put(greedy->second) == 0);
  else
    must(pool_failure(&greedy->error) == (int)greedy->second);
  int code = pool_put(first);
  must(code == (greedy->put_by_another ? POOL_E_STALE : 0));
  return NULL;
}

static pthread_t start_greedy(struct greedy *greedy)
{
  pthread_t thread = thread_start(get_another, greedy);
  wait_until(greedy->holds);
  return thread;
}

struct putter {
  pool_t *pool;
  pool_lease_t lease;
};

static void *put_when_somebody_waits(void *data)
{
  struct putter *putter = data;
  must_soon(stats_of(putter->pool).waiting == 1);
  must(pool_put(putter->lease) == 0);
  return NULL;
}

static void test_leak__threads_that_wait_for_each_other_are_reported(void **state)
{
  (void)state;
  pool_t *pool = make(2);
  struct gate proceed;
  gate_init(&proceed, false);
  struct greedy greedy[2];
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) {
    greedy[i] = (struct greedy){.pool = pool, .proceed = &proceed, .timeout_ms = 500 + 100 * i};
    threads[i] = start_greedy(&greedy[i]);
  }
  gate_set(&proceed, true);
  wait_until(stats_of(pool).waiting == 2);
  virtual_pass(pool, 499 * MILLISECOND);
  assert_int_equal(diary_count(&diary, POOL_EVENT_STARVED), 0); /* another thread might still put one of the leases */
  virtual_pass(pool, MILLISECOND);
  thread_end(threads[0]);
  assert_int_equal(diary_count(&diary, POOL_EVENT_STARVED), 1);
  assert_int_equal(diary_lines(&diary, POOL_LOG_ERROR), 1);
  assert_string_equal(diary_last(&diary, POOL_EVENT_STARVED).pool, "prices");
  thread_end(threads[1]); /* it is given what the other put */
  assert_int_equal(greedy[0].second, POOL_E_TIMEOUT);
  assert_non_null(strstr(greedy[0].error.message, "held by"));
  assert_true(greedy[1].second > 0);
  assert_int_equal(stats_of(pool).starved, 1);
  fake_finish(&fake, pool);
}

static void test_leak__a_thread_that_waits_for_itself_is_reported(void **state)
{
  (void)state;
  pool_t *pool = make(1);
  struct gate proceed;
  gate_init(&proceed, true);
  struct greedy greedy = {.pool = pool, .proceed = &proceed, .timeout_ms = 500};
  pthread_t thread = start_greedy(&greedy);
  wait_until(stats_of(pool).waiting == 1);
  virtual_pass(pool, 500 * MILLISECOND);
  thread_end(thread);
  assert_int_equal(greedy.second, POOL_E_TIMEOUT);
  assert_int_equal(diary_count(&diary, POOL_EVENT_STARVED), 1);
  fake_finish(&fake, pool);
}

static void test_leak__a_thread_that_waits_for_itself_for_ever_is_reported_after_a_while(void **state)
{
  (void)state;
  pool_t *pool = make(1);
  struct gate proceed;
  gate_init(&proceed, true);
  struct greedy greedy = {.pool = pool, .proceed = &proceed, .timeout_ms = -1};
  pthread_t thread = start_greedy(&greedy);
  wait_until(stats_of(pool).waiting == 1);
  wait_until(virtual_sleepers() >= 1);
  assert_int_equal(diary_count(&diary, POOL_EVENT_STARVED), 0);
  wait_until((virtual_advance(SECOND), diary_count(&diary, POOL_EVENT_STARVED) == 1));
  pool_close(pool, 0); /* which ends the wait */
  thread_end(thread);
  assert_int_equal(greedy.second, POOL_E_CLOSED);
  fake_finish(&fake, pool);
}

/* A thread gets leases that others put, and waits for the next: in the end each lease is its own. */
static _Atomic pid_t forked;

static void fork_when_starved(void *user, const pool_event_t *event)
{
  (void)user;
  if (event->event != POOL_EVENT_STARVED)
    return;
  pid_t pid = fork();
  if (pid == 0)
    alarm(60); /* a get that hangs cannot be ended otherwise */
  atomic_store(&forked, pid);
}

/* The pool of the child has its full capacity, so there the second get has something to lend. */
static void *get_two(void *pool)
{
  pool_lease_t first = pool_get(pool), second = pool_get_for(pool, -1);
  if (atomic_load(&forked) == 0) {
    must(pool_put(first) == POOL_E_STALE);
    must(pool_put(second) == 0);
    must(stats_of(pool).oldest_wait_ns == 0);
    must(pool_close(pool, -1) == 0);
    _exit(0);
  }
  must(pool_put(second) == 0);
  return NULL;
}

static void test_leak__a_listener_that_forks_while_its_thread_waits_leaves_no_waiter_to_the_child(void **state)
{
  (void)state;
  int status;
  pool_t *pool = fake_start(&fake, BY_HAND(.config.max_open = 1, .config.events = fork_when_starved));
  forked = -1;
  pthread_t thread = thread_start(get_two, pool);
  wait_until(stats_of(pool).waiting == 1 && virtual_sleepers() == 1);
  virtual_advance(11 * SECOND);
  wait_until(atomic_load(&forked) != -1);
  assert_int_equal(waitpid(forked, &status, 0), forked);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  pool_lease_info_t info = POOL_LEASE_INFO_INIT;
  assert_int_equal(pool_leases(pool, &info, 1), 1);
  assert_int_equal(pool_put(info.lease), 0);
  thread_end(thread);
  fake_finish(&fake, pool);
}

static void test_leak__leases_that_others_put_are_no_starvation(void **state)
{
  (void)state;
  pool_t *pool = make(2);
  pool_lease_t leases[2] = {pool_get(pool), pool_get(pool)};
  for (int job = 0; job < 50; job++) {
    struct putter putter = {.pool = pool, .lease = leases[job % 2]};
    pthread_t thread = thread_start(put_when_somebody_waits, &putter);
    leases[job % 2] = pool_get_for(pool, 10000);
    thread_end(thread);
    assert_true(leases[job % 2] > 0);
  }
  assert_int_equal(diary_count(&diary, POOL_EVENT_STARVED), 0);
  assert_int_equal(stats_of(pool).starved, 0);
  for (int i = 0; i < 2; i++)
    assert_int_equal(pool_put(leases[i]), 0);
  fake_finish(&fake, pool);
}

/* Too many want what few others put: one is late, though something was put a moment ago, when the next came to wait. */
static void test_leak__to_be_late_among_many_is_no_starvation(void **state)
{
  (void)state;
  pool_t *pool = make(2);
  struct gate proceed[2];
  struct greedy greedy[2];
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) {
    gate_init(&proceed[i], false);
    greedy[i] = (struct greedy){.pool = pool, .proceed = &proceed[i], .timeout_ms = 500 + 1000 * i};
    threads[i] = start_greedy(&greedy[i]);
  }
  gate_set(&proceed[0], true);
  wait_until(stats_of(pool).waiting == 1);
  virtual_pass(pool, 499 * MILLISECOND);
  gate_set(&proceed[1], true);
  wait_until(stats_of(pool).waiting == 2);
  virtual_pass(pool, MILLISECOND);
  thread_end(threads[0]); /* puts what it had, so that the other is served */
  thread_end(threads[1]);
  assert_int_equal(greedy[0].second, POOL_E_TIMEOUT);
  assert_true(greedy[1].second > 0);
  assert_int_equal(diary_count(&diary, POOL_EVENT_STARVED), 0);
  fake_finish(&fake, pool);
}

/* What seemed to be starvation was none, and the wait has no end: it is not looked at again and again. */
static void test_leak__who_waits_for_ever_sleeps_though_it_seemed_to_starve(void **state)
{
  (void)state;
  pool_t *pool = make(1);
  struct gate proceed;
  gate_init(&proceed, true);
  struct greedy greedy = {.pool = pool, .proceed = &proceed, .timeout_ms = -1, .put_by_another = true};
  pthread_t thread = start_greedy(&greedy);
  wait_until(stats_of(pool).waiting == 1);
  wait_until(virtual_sleepers() >= 1);
  pool_lease_info_t info = POOL_LEASE_INFO_INIT;
  assert_int_equal(pool_leases(pool, &info, 1), 1);
  assert_int_equal(pool_pause(pool), 1);
  assert_int_equal(pool_put(info.lease), 0); /* its own, by another thread; and it is not lent again */
  virtual_advance(11 * SECOND);
  int64_t wakes = -1;
  wait_until(virtual_sleepers() >= 1 && virtual_wakes() == wakes ? true : (wakes = virtual_wakes(), false));
  assert_int_equal(diary_count(&diary, POOL_EVENT_STARVED), 0);
  pool_close(pool, 0);
  thread_end(thread);
  assert_int_equal(greedy.second, POOL_E_CLOSED);
  fake_finish(&fake, pool);
}

static void test_leak__to_wait_for_somebody_who_works_is_not_starving(void **state)
{
  (void)state;
  pool_t *pool = make(2);
  struct gate proceed;
  gate_init(&proceed, true);
  pool_lease_t lease = pool_get(pool); /* our thread waits for nothing */
  struct greedy greedy = {.pool = pool, .proceed = &proceed, .timeout_ms = 500};
  pthread_t thread = start_greedy(&greedy);
  wait_until(stats_of(pool).waiting == 1);
  struct getter getter = {0};
  getter_queue(&getter, pool, 500); /* holds nothing */
  virtual_pass(pool, 499 * MILLISECOND);
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  virtual_pass(pool, MILLISECOND);
  thread_end(thread);
  getter_end(&getter);
  assert_int_equal(greedy.second, POOL_E_TIMEOUT);
  assert_null(strstr(greedy.error.message, "held by"));
  assert_int_equal(diary_count(&diary, POOL_EVENT_STARVED), 0);
  assert_int_equal(stats_of(pool).starved, 0);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_leak__is_reported_once_with_what_is_known),
      cmocka_unit_test(test_leak__each_lease_is_its_own),
      cmocka_unit_test(test_leak__who_comes_back_in_time_is_none),
      cmocka_unit_test(test_leak__the_keeper_reports_too),
      cmocka_unit_test(test_leak__a_keeper_that_rests_is_told_of_a_get),
      cmocka_unit_test(test_leak__a_tag_is_copied_changed_and_taken_back),
      cmocka_unit_test(test_leak__a_tag_ends_with_its_lease),
      cmocka_unit_test(test_leak__a_long_tag_is_shown_from_its_beginning),
      cmocka_unit_test(test_leak__tags_and_lists_from_many_threads),
      cmocka_unit_test(test_leak__leases_are_listed_as_far_as_there_is_room),
      cmocka_unit_test(test_leak__lists_of_older_and_newer_callers_are_understood),
      cmocka_unit_test(test_leak__held_counts_from_when_somebody_looked),
      cmocka_unit_test(test_leak__threads_that_wait_for_each_other_are_reported),
      cmocka_unit_test(test_leak__a_thread_that_waits_for_itself_is_reported),
      cmocka_unit_test(test_leak__a_thread_that_waits_for_itself_for_ever_is_reported_after_a_while),
      cmocka_unit_test(test_leak__a_listener_that_forks_while_its_thread_waits_leaves_no_waiter_to_the_child),
      cmocka_unit_test(test_leak__leases_that_others_put_are_no_starvation),
      cmocka_unit_test(test_leak__to_be_late_among_many_is_no_starvation),
      cmocka_unit_test(test_leak__who_waits_for_ever_sleeps_though_it_seemed_to_starve),
      cmocka_unit_test(test_leak__to_wait_for_somebody_who_works_is_not_starving),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
