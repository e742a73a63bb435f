/* SPDX-License-Identifier: MIT */
/* What a pool does on its own as time goes by: refills, retires, checks, resets. */
#include <stdlib.h>
#include <string.h>

#include "virtual.h"
#include "witness.h"

/* A fake server that notes when each connection was opened and closed. */
enum { MOST = 4000 };
struct server {
  struct fake fake; /* the first member: the callbacks' context */
  int64_t opened_ns[MOST], closed_ns[MOST];
};

static int timed_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  struct server *server = context;
  int code = fake_open(context, deadline_ns, conn, error);
  if (code)
    return code;
  struct fake_conn *made = *conn;
  must(made->number < MOST);
  server->opened_ns[made->number] = virtual_now();
  return 0;
}

static int timed_close(void *context, void *conn, pool_error_t *error)
{
  (void)error;
  struct server *server = context;
  struct fake_conn *closed = conn;
  server->closed_ns[closed->number] = virtual_now();
  return fake_close(context, conn, error);
}

static struct server server;
static struct fake *const fake = &server.fake;

static pool_t *make(const pool_config_t *config)
{
  memset(&server, 0, sizeof server);
  fake_init(fake);
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  vtable.open = timed_open;
  vtable.close = timed_close;
  vtable.check = fake_check;
  vtable.reset = config->background_reset ? fake_reset : NULL;
  return fake_pool(fake, config, &vtable);
}

static pool_config_t manual(void)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.keeper = POOL_KEEPER_MANUAL;
  config.max_idle = 100;
  return config;
}

static void get_and_put(pool_t *pool)
{
  pool_lease_t lease = pool_get(pool);
  assert_true(lease > 0);
  fake_use(lease);
  assert_int_equal(pool_put(lease), 0);
}

/* ---- min_idle ---- */

static void test_policy__min_idle_are_opened_as_others_are_lent(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.min_idle = 2;
  pool_t *pool = make(&config);
  pool_maintain(pool);
  assert_int_equal(pool_len(pool), 2);
  pool_lease_t leases[5];
  for (int i = 0; i < 5; i++) {
    leases[i] = pool_get(pool);
    assert_true(fake_number(leases[i]) < i + 2); /* one that was kept for it */
    pool_maintain(pool);
    assert_int_equal(pool_len(pool), 2);
    assert_int_equal(fake->opened, i + 3);
  }
  for (int i = 0; i < 5; i++)
    assert_int_equal(pool_put(leases[i]), 0);
  virtual_pass(pool, 100 * SECOND);
  assert_int_equal(fake->opened, 7); /* more than min_idle are fine */
  assert_int_equal(fake->closed, 0);
  fake_finish(fake, pool);
}

static void test_policy__min_idle_are_opened_as_others_are_closed(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.min_idle = 2;
  config.initial = 2;
  pool_t *pool = make(&config);
  for (int i = 0; i < 10; i++) {
    pool_lease_t lease = pool_get(pool);
    assert_int_equal(pool_mark_unusable(lease), 0);
    assert_int_equal(pool_put(lease), 0);
    pool_maintain(pool);
    assert_int_equal(pool_len(pool), 2);
    assert_int_equal(fake->open_now, pool_len(pool));
  }
  fake_finish(fake, pool);
}

static void test_policy__min_idle_never_opens_beyond_the_cap(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.min_idle = 2;
  config.max_open = 3;
  config.max_idle = 3;
  pool_t *pool = make(&config);
  pool_lease_t leases[3];
  for (int i = 0; i < 3; i++) {
    leases[i] = pool_get(pool);
    assert_true(leases[i] > 0);
    pool_maintain(pool);
    assert_true(pool_len(pool) == (size_t)(i == 0 ? 2 : 2 - i));
  }
  for (int i = 0; i < 3; i++) {
    assert_int_equal(pool_put(leases[i]), 0);
    pool_maintain(pool);
  }
  assert_int_equal(fake->most_open, 3);
  assert_int_equal(fake->opened, 3);
  fake_finish(fake, pool);
}

static void test_policy__min_idle_is_kept_by_the_library_s_threads(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.keeper = POOL_KEEPER_THREAD;
  config.min_idle = 2;
  config.max_open = 4;
  pool_t *pool = make(&config);
  wait_until((virtual_advance(MILLISECOND), pool_len(pool) == 2));
  pool_lease_t a = pool_get(pool), b = pool_get(pool);
  assert_true(a > 0 && b > 0);
  wait_until((virtual_advance(MILLISECOND), pool_len(pool) == 2));
  assert_int_equal(fake->opened, 4);
  pool_mark_unusable(a);
  assert_int_equal(pool_put(a), 0);
  assert_int_equal(pool_put(b), 0);
  assert_int_equal(pool_len(pool), 3);
  fake_finish(fake, pool);
}

/* ---- idle_timeout ---- */

static void test_policy__a_refill_that_fails_is_not_tried_again_at_once(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.min_idle = 2;
  pool_t *pool = make(&config);
  atomic_store(&fake->fail_open, 3);
  for (int failed = 1; failed <= 3; failed++) {
    int64_t due_ns = pool_maintain(pool);
    assert_int_equal(stats_of(pool).open_failures, failed);
    assert_int_equal(due_ns, SECOND);
    assert_int_equal(pool_maintain(pool), SECOND);
    assert_int_equal(stats_of(pool).open_failures, failed);
    virtual_advance(SECOND);
  }
  pool_maintain(pool);
  assert_int_equal(pool_len(pool), 2);
  fake_finish(fake, pool);
}

static void test_policy__no_thread_comes_to_refill_a_full_pool(void **state)
{
  (void)state;
  int before = thread_count_at_rest();
  pool_config_t config = manual();
  config.keeper = POOL_KEEPER_THREAD;
  config.min_idle = 1;
  config.max_open = 1;
  pool_t *pool = make(&config);
  wait_until(pool_len(pool) == 1);
  pool_lease_t lease = pool_get(pool);
  /* An opener lingers for a moment; then the keeper is alone, and rests. */
  wait_until((virtual_advance(MILLISECOND), thread_count() == before + 1 && virtual_sleepers() == 1));
  int64_t wakes = virtual_wakes();
  for (int i = 0; i < 20; i++) {
    virtual_advance(SECOND / 10);
    wait_until(virtual_sleepers() == 1);
    assert_int_equal(thread_count(), before + 1);
  }
  assert_true(virtual_wakes() - wakes <= 2);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(fake, pool);
}

static void test_policy__the_first_connections_keep_to_the_caps(void **state)
{
  (void)state;
  for (int i = 0; i < 50; i++) {
    pool_config_t config = manual();
    config.keeper = POOL_KEEPER_THREAD;
    config.initial = config.min_idle = config.max_open = 20;
    config.openers = 4;
    pool_t *pool = make(&config);
    assert_int_equal(fake->opened, 20);
    assert_int_equal(fake->most_open, 20);
    fake_finish(fake, pool);
  }
}

static void test_policy__idle_ones_are_closed_at_their_timeout_down_to_min_idle(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.idle_timeout_ms = 1000;
  config.initial = 5;
  config.min_idle = 2;
  pool_t *pool = make(&config);
  virtual_pass(pool, SECOND - 1);
  assert_int_equal(fake->closed, 0);
  virtual_pass(pool, 1);
  assert_int_equal(fake->closed, 3);
  assert_int_equal(pool_len(pool), 2);
  virtual_pass(pool, 100 * SECOND);
  assert_int_equal(pool_len(pool), 2);
  assert_int_equal(fake->opened, 5); /* the same two: nothing was closed to be opened again */
  assert_int_equal(stats_of(pool).closed_idle, 3);
  fake_finish(fake, pool);
}

static void test_policy__without_min_idle_all_idle_ones_are_closed(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.idle_timeout_ms = 1000;
  config.initial = 5;
  pool_t *pool = make(&config);
  virtual_pass(pool, SECOND);
  assert_int_equal(fake->closed, 5);
  assert_int_equal(stats_of(pool).open, 0);
  assert_true(pool_maintain(pool) == INT64_MAX);
  get_and_put(pool);
  fake_finish(fake, pool);
}

static void test_policy__one_that_is_lent_is_not_idle(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.idle_timeout_ms = 1000;
  config.initial = 1;
  pool_t *pool = make(&config);
  virtual_pass(pool, 900 * MILLISECOND);
  pool_lease_t lease = pool_get(pool);
  virtual_pass(pool, 100 * SECOND);
  fake_use(lease);
  assert_int_equal(fake->closed, 0);
  int64_t put_ns = virtual_now();
  assert_int_equal(pool_put(lease), 0);
  virtual_pass(pool, SECOND - 1);
  assert_int_equal(fake->closed, 0);
  virtual_pass(pool, SECOND);
  assert_int_equal(fake->closed, 1);
  assert_in_range(server.closed_ns[0] - put_ns, SECOND, 3 * SECOND / 2);
  fake_finish(fake, pool);
}

static void test_policy__use_is_noticed_to_within_a_quarter(void **state)
{
  (void)state;
  uint64_t random = 7;
  for (int round = 0; round < 200; round++) {
    pool_config_t config = manual();
    config.idle_timeout_ms = 1000;
    config.initial = 1;
    pool_t *pool = make(&config);
    int64_t used_ns = 0;
    for (int i = 0; i < 20; i++) {
      virtual_pass(pool, random_next(&random) % (900 * MILLISECOND));
      get_and_put(pool);
      used_ns = virtual_now();
    }
    assert_int_equal(fake->opened, 1); /* never idle for that long */
    virtual_pass(pool, 2 * SECOND);
    assert_int_equal(fake->closed, 1);
    assert_in_range(server.closed_ns[0] - used_ns, SECOND, 3 * SECOND / 2); /* 1.25 and a look */
    fake_finish(fake, pool);
  }
}

/* ---- max_lifetime ---- */

#define LIFETIME (4000 * SECOND)
#define INTERVAL (LIFETIME / 40)

static pool_config_t mortal(int32_t many)
{
  pool_config_t config = manual();
  config.max_lifetime_ms = LIFETIME / MILLISECOND;
  config.retire_percent = 10;
  config.initial = config.min_idle = many;
  return config;
}

static int compare(const void *a, const void *b)
{
  int64_t first = *(const int64_t *)a, second = *(const int64_t *)b;
  return (first > second) - (first < second);
}

/* The most moments in one interval of the grid that begins at `origin`. */
static int most_in_grid(const int64_t *moments, int many, int64_t origin_ns)
{
  int most = 0;
  for (int i = 0; i < many; i++) {
    int same = 0;
    for (int j = 0; j < many; j++)
      same +=
          (moments[j] - origin_ns + 100 * LIFETIME) / INTERVAL == (moments[i] - origin_ns + 100 * LIFETIME) / INTERVAL;
    most = same > most ? same : most;
  }
  return most;
}

/* The same in any window of an interval's length. */
static int most_in_window(const int64_t *moments, int many)
{
  int most = 0;
  for (int i = 0; i < many; i++) {
    int same = 0;
    for (int j = 0; j < many; j++)
      same += moments[j] >= moments[i] && moments[j] < moments[i] + INTERVAL;
    most = same > most ? same : most;
  }
  return most;
}

/* There is a grid in which no interval has more than `allowed`, and no window has more than twice that. */
static void assert_spread(const int64_t *moments, int many, int allowed)
{
  int least = many;
  for (int i = 0; i < many; i++) {
    int most = most_in_grid(moments, many, moments[i]);
    least = most < least ? most : least;
  }
  assert_in_range(least, 1, allowed);
  assert_in_range(most_in_window(moments, many), 1, 2 * allowed);
}

static void test_policy__those_of_one_age_retire_evenly_and_are_replaced(void **state)
{
  (void)state;
  pool_config_t config = mortal(40);
  pool_t *pool = make(&config);
  int64_t began_ns = virtual_now();
  for (int i = 0; i < 80; i++) {
    virtual_pass(pool, LIFETIME / 80);
    assert_int_equal(pool_len(pool), 40);
  }
  int64_t moments[40];
  for (int i = 0; i < 40; i++) {
    moments[i] = server.closed_ns[i] - began_ns;
    assert_in_range(moments[i], LIFETIME / 10 * 7, LIFETIME);
  }
  assert_spread(moments, 40, 4);
  assert_true(stats_of(pool).closed_lifetime >= 40);
  fake_finish(fake, pool);
}

static void test_policy__none_ever_gets_too_old_and_none_retires_young(void **state)
{
  (void)state;
  pool_config_t config = mortal(40);
  pool_t *pool = make(&config);
  virtual_pass(pool, 30 * LIFETIME);
  static int64_t moments[MOST];
  int many = 0;
  for (int i = 0; i < fake->opened; i++) {
    int64_t end_ns = server.closed_ns[i] ? server.closed_ns[i] : virtual_now();
    assert_true(end_ns - server.opened_ns[i] <= LIFETIME);
    if (!server.closed_ns[i])
      continue;
    assert_true(end_ns - server.opened_ns[i] >= LIFETIME / 10 * 7);
    moments[many++] = end_ns;
  }
  assert_in_range(many, 40 * 29, 40 * 45);
  qsort(moments, (size_t)many, sizeof *moments, compare);
  assert_in_range(most_in_window(moments, many), 1, 8);
  fake_finish(fake, pool);
}

static void test_policy__few_retire_one_by_one(void **state)
{
  (void)state;
  pool_config_t config = mortal(5);
  pool_t *pool = make(&config);
  virtual_pass(pool, LIFETIME);
  assert_true(fake->closed >= 5);
  int64_t moments[5];
  memcpy(moments, server.closed_ns, sizeof moments);
  assert_spread(moments, 5, 1); /* ten percent of five, rounded up */
  fake_finish(fake, pool);
}

/* So many may end in one long interval that its length, times their number, is no number of nanoseconds any more. */
static void test_policy__many_of_a_long_lifetime_do_not_retire_young(void **state)
{
  (void)state;
  enum { MANY = 1500 };
  const int64_t year_ms = INT64_C(31536000000);
  struct fake many;
  pool_t *pool = fake_start(&many, BY_HAND(.config.max_lifetime_ms = year_ms, .config.retire_percent = 100,
                                           .config.max_open = MANY, .config.initial = MANY));
  virtual_pass(pool, year_ms / 5 * MILLISECOND);
  assert_int_equal(many.closed, 0);
  virtual_pass(pool, year_ms * MILLISECOND);
  assert_int_equal(many.closed, MANY);
  fake_finish(&many, pool);
}

static void test_policy__one_that_is_lent_retires_on_return(void **state)
{
  (void)state;
  pool_config_t config = mortal(0);
  config.initial = 1;
  pool_t *pool = make(&config);
  pool_lease_t lease = pool_get(pool);
  virtual_pass(pool, 3 * LIFETIME);
  fake_use(lease);
  assert_int_equal(fake->closed, 0);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(fake->closed, 1);
  assert_int_equal(stats_of(pool).closed_lifetime, 1);
  assert_int_equal(pool_len(pool), 0);
  fake_finish(fake, pool);
}

static void test_policy__a_long_stop_retires_all_that_are_over_their_limit(void **state)
{
  (void)state;
  pool_config_t config = mortal(40);
  pool_t *pool = make(&config);
  pool_maintain(pool);
  virtual_advance(100 * LIFETIME);
  int64_t began_ns = virtual_now();
  pool_maintain(pool);
  assert_int_equal(fake->closed, 40);
  assert_int_equal(pool_len(pool), 40);
  virtual_pass(pool, LIFETIME); /* those in their place end apart again */
  int64_t moments[40];
  for (int i = 0; i < 40; i++)
    moments[i] = server.closed_ns[40 + i] - began_ns;
  assert_spread(moments, 40, 4);
  fake_finish(fake, pool);
}

/* ---- check_after and keepalive ---- */

static void test_policy__a_check_is_made_after_so_long_and_not_before(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.check_after_ms = 1000;
  config.initial = 1;
  pool_t *pool = make(&config);
  virtual_pass(pool, SECOND - 1);
  assert_int_equal(fake->checked, 0);
  get_and_put(pool);
  get_and_put(pool);
  assert_int_equal(fake->checked, 0);
  virtual_pass(pool, 3 * SECOND / 2); /* it was used: to within a quarter, and a look */
  assert_int_equal(fake->checked, 0); /* nobody wanted it */
  get_and_put(pool);
  assert_int_equal(fake->checked, 1);
  get_and_put(pool);
  assert_int_equal(fake->checked, 1);
  assert_int_equal(stats_of(pool).checks, 1);
  fake_finish(fake, pool);
  pool = make(&config);
  virtual_pass(pool, SECOND);
  get_and_put(pool);
  assert_int_equal(fake->checked, 1); /* it was not used: exactly then */
  fake_finish(fake, pool);
}

static void test_policy__a_failed_check_costs_the_get_a_new_one(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.check_after_ms = 1000;
  config.initial = 1;
  config.max_open = 1;
  pool_t *pool = make(&config);
  virtual_pass(pool, SECOND);
  fake->fail_check = 1;
  pool_lease_t lease = pool_get_for(pool, 0);
  assert_true(lease > 0);
  assert_int_equal(fake_number(lease), 1);
  assert_int_equal(fake->checked, 1);
  assert_int_equal(fake->closed, 1);
  assert_int_equal(stats_of(pool).check_failures, 1);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(fake, pool);
}

static void test_policy__zero_checks_always(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.check_after_ms = 0;
  config.initial = 1;
  pool_t *pool = make(&config);
  for (int i = 0; i < 20; i++) {
    get_and_put(pool);
    assert_int_equal(fake->checked, i + 1);
  }
  fake_finish(fake, pool);
}

static void test_policy__keepalive_checks_in_the_background(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.keepalive_ms = 1000;
  config.initial = 3;
  pool_t *pool = make(&config);
  pool_lease_t lease = pool_get(pool); /* is not idle */
  for (int i = 0; i < 5; i++) {
    virtual_pass(pool, SECOND - 1);
    assert_int_equal(fake->checked, 2 * i);
    virtual_pass(pool, 1);
    assert_int_equal(fake->checked, 2 * (i + 1));
    assert_int_equal(pool_len(pool), 2);
  }
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(fake->closed, 0);
  fake_finish(fake, pool);
}

static void test_policy__keepalive_is_no_use(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.keepalive_ms = 1000;
  config.idle_timeout_ms = 3500;
  config.initial = 2;
  pool_t *pool = make(&config);
  int64_t began_ns = virtual_now();
  virtual_pass(pool, 10 * SECOND);
  assert_int_equal(fake->checked, 6);
  assert_int_equal(fake->closed, 2);
  assert_true(server.closed_ns[0] - began_ns == 3500 * MILLISECOND);
  assert_int_equal(stats_of(pool).closed_idle, 2);
  fake_finish(fake, pool);
}

static void test_policy__what_keepalive_finds_dead_is_replaced(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.keepalive_ms = 1000;
  config.initial = config.min_idle = 2;
  pool_t *pool = make(&config);
  fake->fail_check = 1;
  virtual_pass(pool, SECOND);
  assert_int_equal(stats_of(pool).check_failures, 1);
  assert_int_equal(fake->closed, 2); /* the one speaks for the other, which was to be checked as well */
  assert_int_equal(fake->opened, 4);
  assert_int_equal(pool_len(pool), 2);
  virtual_pass(pool, SECOND);
  assert_int_equal(fake->closed, 2);
  fake_finish(fake, pool);
}

static void test_policy__one_dead_connection_makes_its_siblings_suspect(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.keepalive_ms = 1000;
  config.initial = 2;
  pool_t *pool = make(&config);
  virtual_pass(pool, 900 * MILLISECOND);
  get_and_put(pool); /* this one is young, the other is about to be checked */
  fake->fail_check = 1;
  virtual_pass(pool, 100 * MILLISECOND);
  assert_int_equal(fake->closed, 1);
  get_and_put(pool); /* if it was not checked in the background already, it is now */
  assert_int_equal(fake->checked, 2);
  get_and_put(pool);
  assert_int_equal(fake->checked, 2);
  assert_int_equal(fake->opened, 2);
  fake_finish(fake, pool);
}

static void test_policy__a_get_meets_one_dead_connection_at_most(void **state)
{
  (void)state;
  for (int32_t max_open = 5; max_open <= 10; max_open += 5) {
    pool_config_t config = manual();
    config.check_after_ms = 1000;
    config.initial = 5;
    config.max_open = max_open;
    pool_t *pool = make(&config);
    virtual_pass(pool, SECOND);
    fake->fail_check = 5;
    pool_lease_t lease = pool_get(pool);
    assert_int_equal(fake_number(lease), 5);
    assert_int_equal(fake->checked, 1);
    assert_int_equal(pool_put(lease), 0);
    virtual_pass(pool, SECOND);
    wait_until((pool_maintain(pool), fake->closed == 5)); /* that one speaks for all that were suspect */
    assert_int_equal(fake->checked, 1);
    fake_finish(fake, pool);
  }
}

/* ---- background_reset ---- */

static pool_config_t resetting(int32_t keeper)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.keeper = keeper;
  config.background_reset = 1;
  config.max_open = 1;
  return config;
}

/* A put of a connection of which the driver says this. */
static void put_as(pool_t *pool, int is_clean)
{
  pool_lease_t lease = pool_get(pool);
  assert_true(lease > 0);
  atomic_store(&fake->is_clean, is_clean);
  assert_int_equal(pool_put(lease), 0);
}

static void test_policy__what_is_clean_is_not_reset(void **state)
{
  (void)state;
  for (int background = 0; background < 2; background++) {
    pool_t *pool = fake_start(fake, BY_HAND(.vtable.reset = fake_reset, .vtable.is_clean = fake_is_clean,
                                            .config.max_open = 1, .config.background_reset = background));
    put_as(pool, 1);
    put_as(pool, 1);
    pool_maintain(pool);
    assert_int_equal(fake->reset, 0);
    assert_int_equal(stats_of(pool).resets, 0);
    put_as(pool, 0);
    pool_maintain(pool);
    put_as(pool, -1); /* is not 1 */
    pool_maintain(pool);
    assert_int_equal(fake->reset, 2);
    assert_int_equal(fake->opened, 1);
    fake_finish(fake, pool);
  }
}

static void test_policy__what_is_clean_is_closed_all_the_same_if_it_is_to_go(void **state)
{
  (void)state;
  fake_init(fake);
  pool_t *pool = fake_start(fake, BY_HAND(.vtable.reset = fake_reset, .vtable.is_clean = fake_is_clean));
  fake->is_clean = 1;
  pool_lease_t broken = pool_get(pool), flushed = pool_get(pool), late = pool_get(pool);
  assert_true(broken > 0 && flushed > 0 && late > 0);
  assert_int_equal(pool_mark_unusable(broken), 0);
  assert_int_equal(pool_put(broken), 0);
  assert_int_equal(fake->closed, 1);
  pool_flush(pool);
  assert_int_equal(pool_put(flushed), 0);
  assert_int_equal(fake->closed, 2);
  pool_close(pool, 0);
  assert_int_equal(pool_put(late), 0);
  assert_int_equal(fake->closed, 3);
  assert_int_equal(fake->reset, 0);
  fake_finish(fake, pool);
}

static void test_policy__put_does_not_run_a_background_reset(void **state)
{
  (void)state;
  pool_config_t config = resetting(POOL_KEEPER_MANUAL);
  pool_t *pool = make(&config);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(fake->reset, 0);
  assert_int_equal(pool_put(lease), POOL_E_STALE);
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT); /* it is not clean yet */
  assert_true(stats_of(pool).leased == 0 && stats_of(pool).idle == 0 && stats_of(pool).open == 1);
  pool_maintain(pool);
  assert_int_equal(fake->reset, 1);
  get_and_put(pool);
  assert_int_equal(fake->opened, 1);
  pool_maintain(pool);
  assert_int_equal(fake->reset, 2);
  fake_finish(fake, pool);
}

static void test_policy__a_failed_background_reset_closes(void **state)
{
  (void)state;
  pool_config_t config = resetting(POOL_KEEPER_MANUAL);
  pool_t *pool = make(&config);
  pool_lease_t lease = pool_get(pool);
  struct getter getter = {0};
  getter_queue(&getter, pool, -1);
  fake->fail_reset = 1;
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(fake->closed, 0);
  pool_maintain(pool);
  assert_int_equal(fake->closed, 1);
  assert_int_equal(stats_of(pool).reset_failures, 1);
  assert_true(getter_end(&getter) > 0); /* there is room for a new one */
  assert_int_equal(getter.number, 1);
  fake_finish(fake, pool);
}

static void test_policy__a_library_thread_resets(void **state)
{
  (void)state;
  pool_config_t config = resetting(POOL_KEEPER_THREAD);
  pool_t *pool = make(&config);
  gate_set(&fake->resetting, false);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(pool_put(lease), 0);
  wait_until(gate_waiting(&fake->resetting) == 1);
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  struct getter getter = {0};
  getter_queue(&getter, pool, -1);
  gate_set(&fake->resetting, true);
  assert_true(getter_end(&getter) > 0);
  wait_until(fake->reset == 2);
  assert_int_equal(fake->opened, 1);
  fake_finish(fake, pool);
}

/* ---- when the pool is to be maintained ---- */

static void test_policy__maintain_tells_exactly_when_the_next_thing_is_due(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.initial = 2;
  pool_t *pool = make(&config);
  assert_true(pool_maintain(pool) == INT64_MAX); /* no policy, nothing due */
  fake_finish(fake, pool);

  config.idle_timeout_ms = 1000;
  config.keepalive_ms = 300;
  pool = make(&config);
  assert_true(pool_maintain(pool) == 300 * MILLISECOND);
  virtual_advance(120 * MILLISECOND);
  assert_true(pool_maintain(pool) == 180 * MILLISECOND);
  assert_true(pool_maintain(pool) == 180 * MILLISECOND);
  virtual_advance(180 * MILLISECOND);
  assert_true(pool_maintain(pool) == 300 * MILLISECOND);
  virtual_pass(pool, 600 * MILLISECOND);
  assert_true(pool_maintain(pool) == 100 * MILLISECOND); /* the idle timeout */
  virtual_advance(100 * MILLISECOND);
  assert_true(pool_maintain(pool) == INT64_MAX);
  fake_finish(fake, pool);

  config = mortal(0);
  config.initial = 1;
  pool = make(&config);
  int64_t due_ns = pool_maintain(pool);
  assert_true(due_ns >= LIFETIME / 10 * 7 && due_ns <= LIFETIME);
  virtual_advance(due_ns - 1);
  assert_true(pool_maintain(pool) == 1);
  virtual_advance(1);
  pool_maintain(pool);
  assert_int_equal(fake->closed, 1);
  fake_finish(fake, pool);
}

static void test_policy__an_empty_pool_is_never_due(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.idle_timeout_ms = config.keepalive_ms = config.check_after_ms = config.leak_after_ms = 1000;
  config.max_lifetime_ms = 10000;
  config.retry_min_ms = 10;
  pool_t *pool = make(&config);
  assert_true(pool_maintain(pool) == INT64_MAX);
  pool_close(pool, 0);
  assert_true(pool_maintain(pool) == INT64_MAX);
  fake_finish(fake, pool);
}

/* Lets time pass until the last thing that moved has come to rest, and only the keeper sleeps, until then. */
/* Of the library's threads; the others are those that the process had before. */
static int threads_before;
static bool only_the_keeper_runs(void)
{
  return thread_count() == threads_before + 1;
}

static bool sleeps_until(int64_t due_ns)
{
  int64_t next_ns = virtual_next_deadline();
  if (next_ns < due_ns)
    virtual_advance(next_ns - virtual_now());
  return next_ns == due_ns && virtual_sleepers() == 1 && only_the_keeper_runs();
}

static void test_policy__the_keeper_of_an_idle_pool_sleeps_until_something_is_due(void **state)
{
  (void)state;
  threads_before = thread_count_at_rest();
  pool_config_t config = manual();
  config.keeper = POOL_KEEPER_THREAD;
  config.initial = config.min_idle = 4;
  config.idle_timeout_ms = 60000;
  config.keepalive_ms = config.check_after_ms = 10000;
  config.max_lifetime_ms = 3600000;
  config.leak_after_ms = 20000;
  config.retry_min_ms = 10;
  pool_t *pool = make(&config);
  for (int round = 0; round < 5; round++) {
    int64_t due_ns = virtual_now() + 10 * SECOND;
    wait_until(sleeps_until(due_ns));
    assert_true(due_ns - virtual_now() > 5 * SECOND);
    int64_t wakes = virtual_wakes();
    while (virtual_now() < due_ns - 10 * MILLISECOND)
      virtual_advance(10 * MILLISECOND);
    virtual_advance(due_ns - virtual_now() - 1);
    assert_true(virtual_wakes() == wakes);
    assert_int_equal(virtual_sleepers(), 1);
    assert_int_equal(fake->checked, 4 * round);
    virtual_advance(1);
    wait_until(fake->checked == 4 * (round + 1) && only_the_keeper_runs()); /* the thread that checked is gone */
  }
  assert_int_equal(fake->opened, 4); /* none in place of what was being checked */
  fake_finish(fake, pool);
}

static void test_policy__gets_and_puts_do_not_wake_the_keeper(void **state)
{
  (void)state;
  pool_config_t config = manual();
  config.keeper = POOL_KEEPER_THREAD;
  config.initial = 4;
  config.idle_timeout_ms = 60000;
  pool_t *pool = make(&config);
  wait_until(virtual_sleepers() == 1);
  int64_t wakes = virtual_wakes();
  for (int i = 0; i < 1000; i++)
    get_and_put(pool);
  assert_true(virtual_wakes() - wakes <= 2); /* from a long rest, and once more where the lease that woke it is timed */
  fake_finish(fake, pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_policy__min_idle_are_opened_as_others_are_lent),
      cmocka_unit_test(test_policy__min_idle_are_opened_as_others_are_closed),
      cmocka_unit_test(test_policy__min_idle_never_opens_beyond_the_cap),
      cmocka_unit_test(test_policy__min_idle_is_kept_by_the_library_s_threads),
      cmocka_unit_test(test_policy__a_refill_that_fails_is_not_tried_again_at_once),
      cmocka_unit_test(test_policy__no_thread_comes_to_refill_a_full_pool),
      cmocka_unit_test(test_policy__the_first_connections_keep_to_the_caps),
      cmocka_unit_test(test_policy__idle_ones_are_closed_at_their_timeout_down_to_min_idle),
      cmocka_unit_test(test_policy__without_min_idle_all_idle_ones_are_closed),
      cmocka_unit_test(test_policy__one_that_is_lent_is_not_idle),
      cmocka_unit_test(test_policy__use_is_noticed_to_within_a_quarter),
      cmocka_unit_test(test_policy__those_of_one_age_retire_evenly_and_are_replaced),
      cmocka_unit_test(test_policy__none_ever_gets_too_old_and_none_retires_young),
      cmocka_unit_test(test_policy__few_retire_one_by_one),
      cmocka_unit_test(test_policy__many_of_a_long_lifetime_do_not_retire_young),
      cmocka_unit_test(test_policy__one_that_is_lent_retires_on_return),
      cmocka_unit_test(test_policy__a_long_stop_retires_all_that_are_over_their_limit),
      cmocka_unit_test(test_policy__a_check_is_made_after_so_long_and_not_before),
      cmocka_unit_test(test_policy__a_failed_check_costs_the_get_a_new_one),
      cmocka_unit_test(test_policy__zero_checks_always),
      cmocka_unit_test(test_policy__keepalive_checks_in_the_background),
      cmocka_unit_test(test_policy__keepalive_is_no_use),
      cmocka_unit_test(test_policy__what_keepalive_finds_dead_is_replaced),
      cmocka_unit_test(test_policy__one_dead_connection_makes_its_siblings_suspect),
      cmocka_unit_test(test_policy__a_get_meets_one_dead_connection_at_most),
      cmocka_unit_test(test_policy__what_is_clean_is_not_reset),
      cmocka_unit_test(test_policy__what_is_clean_is_closed_all_the_same_if_it_is_to_go),
      cmocka_unit_test(test_policy__put_does_not_run_a_background_reset),
      cmocka_unit_test(test_policy__a_failed_background_reset_closes),
      cmocka_unit_test(test_policy__a_library_thread_resets),
      cmocka_unit_test(test_policy__maintain_tells_exactly_when_the_next_thing_is_due),
      cmocka_unit_test(test_policy__an_empty_pool_is_never_due),
      cmocka_unit_test(test_policy__the_keeper_of_an_idle_pool_sleeps_until_something_is_due),
      cmocka_unit_test(test_policy__gets_and_puts_do_not_wake_the_keeper),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
