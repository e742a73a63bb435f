/* SPDX-License-Identifier: MIT */
/* What a fork makes of a pool's policies: what the program has decided holds in the child too, what the pool has
   learned is the parent's alone. */
#include "fork_support.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

static pool_vtable_t vtable_for_keepers(void)
{
  pool_vtable_t vtable = whole_vtable();
  vtable.open = allocating_open;
  vtable.close = allocating_close;
  vtable.check = fake_check;
  return vtable;
}

/* ---- the keeper ---- */

enum { SOON_MS = 30 };

/* What a keeper has to do, and the count that shows it. */
static const struct policy {
  int64_t idle_timeout_ms, max_lifetime_ms, keepalive_ms, leak_after_ms;
  size_t count;
} policies[] = {
    {.idle_timeout_ms = SOON_MS, .count = offsetof(pool_stats_t, closed_idle)},
    {.max_lifetime_ms = SOON_MS, .count = offsetof(pool_stats_t, closed_lifetime)},
    {.keepalive_ms = SOON_MS, .count = offsetof(pool_stats_t, checks)},
    {.leak_after_ms = SOON_MS, .count = offsetof(pool_stats_t, leaked)},
};

static pool_config_t config_of(const struct policy *policy)
{
  pool_config_t config = capped(4);
  config.idle_timeout_ms = policy->idle_timeout_ms;
  config.max_lifetime_ms = policy->max_lifetime_ms;
  config.keepalive_ms = policy->keepalive_ms;
  config.leak_after_ms = policy->leak_after_ms;
  return config;
}

static int64_t count_of(pool_t *pool, const struct policy *policy)
{
  pool_stats_t stats = POOL_STATS_INIT;
  must(pool_stats(pool, &stats) == 0);
  return *(const int64_t *)((const char *)&stats + policy->count);
}

/* One connection is left idle and another is held until the keeper has done something. */
static void see_the_keeper(pool_t *pool, const struct policy *policy)
{
  int64_t before = count_of(pool, policy);
  pool_lease_t lease = pool_get_for(pool, 9000), idle = pool_get_for(pool, 9000);
  must(lease > 0 && idle > 0);
  must(pool_put(idle) == 0);
  must_soon(count_of(pool, policy) > before);
  must(pool_mark_unusable(lease) == 0);
  must(pool_put(lease) == 0);
}

static void test_fork__the_keeper_is_started_again(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
    struct fake fake;
    fake_init(&fake);
    pool_vtable_t vtable = vtable_for_keepers();
    pool_config_t config = config_of(&policies[i]);
    pool_t *pool = fake_pool(&fake, &config, &vtable);
    see_the_keeper(pool, &policies[i]);
    pid_t pid = fork_child();
    if (pid == 0) {
      renew(&fake);
      must(thread_count() == 1);
      is_new(pool);
      pool_lease_t lease = pool_get_for(pool, 9000);
      must(lease > 0);
      must_soon(thread_count() >= 2);
      must(pool_put(lease) == 0);
      see_the_keeper(pool, &policies[i]);
      finish_child(&fake, pool);
    }
    assert_true(succeeded(pid));
    assert_int_equal(fake.abandoned, 0);
    see_the_keeper(pool, &policies[i]);
    fake_finish(&fake, pool);
  }
}

/* What it does is to keep some idle; in the child it begins with the first connection that somebody needs. */
static void test_fork__the_pool_is_refilled_again(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_vtable_t vtable = vtable_for_keepers();
  pool_config_t config = capped(4);
  config.min_idle = 2;
  pool_t *pool = fake_pool(&fake, &config, &vtable);
  pool_lease_t lease = pool_get(pool);
  wait_until(pool_len(pool) == 2);
  pid_t pid = fork_child();
  if (pid == 0) {
    renew(&fake);
    is_new(pool);
    pool_lease_t own = pool_get_for(pool, 9000);
    must(own > 0);
    must_soon(pool_len(pool) == 2);
    must(pool_put(own) == 0);
    finish_child(&fake, pool);
  }
  assert_true(succeeded(pid));
  pool_lease_t another = pool_get(pool);
  wait_until(pool_len(pool) == 2);
  assert_int_equal(pool_put(another), 0);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

/* ---- the breaker ---- */

/* Whether or not there is a breaker: the child does not wait for what the parent waits for. */
static void test_fork__the_breaker_begins_anew(void **state)
{
  (void)state;
  for (int32_t breaker_after = 0; breaker_after < 2; breaker_after++) {
    struct fake fake;
    fake_init(&fake);
    pool_vtable_t vtable = whole_vtable();
    pool_config_t config = capped(2);
    config.retry_min_ms = config.retry_max_ms = 3600000;
    config.breaker_after = breaker_after;
    pool_t *pool = fake_pool(&fake, &config, &vtable);
    int refused = breaker_after ? POOL_E_OPEN : POOL_E_TIMEOUT;
    fake.fail_open = 1;
    assert_int_equal(pool_get_for(pool, 9000), POOL_E_OPEN);
    assert_int_equal(pool_get_for(pool, 1), refused);
    pid_t pid = fork_child();
    if (pid == 0) {
      pool_stats_t stats = POOL_STATS_INIT;
      is_new(pool);
      must(pool_stats(pool, &stats) == 0);
      must(stats.breaker_opened == 0 && stats.failed_fast == 0 && stats.open_failures == 0);
      is_whole(pool, 2);
      finish_child(&fake, pool);
    }
    assert_true(succeeded(pid));
    assert_int_equal(pool_get_for(pool, 1), refused);
    assert_int_equal(stats_of(pool).breaker_opened, breaker_after);
    assert_int_equal(fake.opened, 0);
    fake_finish(&fake, pool);
  }
}

/* In the child too it opens and closes. */
static void test_fork__the_breaker_works_in_the_child(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_vtable_t vtable = whole_vtable();
  pool_config_t config = capped(2);
  config.retry_min_ms = config.retry_max_ms = 10;
  config.breaker_after = 1;
  pool_t *pool = fake_pool(&fake, &config, &vtable);
  fake.fail_open = 1;
  assert_int_equal(pool_get_for(pool, 9000), POOL_E_OPEN);
  pid_t pid = fork_child();
  if (pid == 0) {
    fake.fail_open = 3;
    pool_lease_t lease;
    must(pool_get_for(pool, 9000) == POOL_E_OPEN); /* this opens it */
    must(pool_get_for(pool, 9000) == POOL_E_OPEN);
    must_soon((lease = pool_get_for(pool, 9000)) > 0);
    must(fake.fail_open == 0);
    must(pool_put(lease) == 0);
    /* The probe may have succeeded, but its connection not be idle yet, when this one was opened. */
    pool_stats_t stats = POOL_STATS_INIT;
    must_soon((pool_stats(pool, &stats), stats.idle == stats.open));
    is_whole(pool, 2);
    finish_child(&fake, pool);
  }
  assert_true(succeeded(pid));
  fake_finish(&fake, pool);
}

/* ---- decisions of the program ---- */

static void test_fork__a_pause_holds(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_vtable_t vtable = whole_vtable();
  pool_config_t config = capped(2);
  config.initial = 2;
  pool_t *pool = fake_pool(&fake, &config, &vtable);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(pool_pause(pool), 1);
  assert_int_equal(pool_pause(pool), 1);
  pid_t pid = fork_child();
  if (pid == 0) {
    must(pool_get_for(pool, 0) == POOL_E_TIMEOUT);
    must(pool_resume(pool) == 1);
    must(pool_get_for(pool, 1) == POOL_E_TIMEOUT);
    must(pool_resume(pool) == 0);
    must(pool_resume(pool) == POOL_E_INVALID);
    is_whole(pool, 2);
    must(pool_pause(pool) == 0); /* no lease of the parent's is out here */
    finish_child(&fake, pool);
  }
  assert_true(succeeded(pid));
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  assert_int_equal(pool_resume(pool), 1);
  assert_int_equal(pool_resume(pool), 0);
  pool_lease_t other = pool_get_for(pool, 0);
  assert_true(other > 0);
  assert_int_equal(pool_put(other), 0);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

static void test_fork__a_new_size_holds(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_vtable_t vtable = whole_vtable();
  pool_config_t config = capped(5);
  pool_t *pool = fake_pool(&fake, &config, &vtable);
  pool_lease_t leases[3];
  for (int i = 0; i < 3; i++)
    leases[i] = pool_get(pool);
  assert_int_equal(pool_resize(pool, 2), 1);
  pid_t pid = fork_child();
  if (pid == 0) {
    is_whole(pool, 2);
    must(pool_resize(pool, 4) == 0);
    is_whole(pool, 4);
    finish_child(&fake, pool);
  }
  assert_true(succeeded(pid));
  for (int i = 0; i < 3; i++)
    assert_int_equal(pool_put(leases[i]), 0);
  assert_int_equal(pool_len(pool), 2);
  fake_finish(&fake, pool);
}

static void test_fork__what_the_parent_flushed_is_gone(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_vtable_t vtable = whole_vtable();
  pool_config_t config = capped(2);
  pool_t *pool = fake_pool(&fake, &config, &vtable);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(pool_flush(pool), 1);
  pid_t pid = fork_child();
  if (pid == 0) {
    must(fake.abandoned == 1 && fake.closed == 0);
    is_whole(pool, 2);
    must(fake.closed == 0); /* the new ones are not flushed */
    must(pool_flush(pool) == 2 && fake.closed == 2);
    is_whole(pool, 2);
    finish_child(&fake, pool);
  }
  assert_true(succeeded(pid));
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(stats_of(pool).closed_flushed, 1);
  fake_finish(&fake, pool);
}

/* ---- notes ---- */

/* In the child; without the address sanitizer nobody knows. */
static void must_not_leak(void)
{
#ifdef __SANITIZE_ADDRESS__
  must(__lsan_do_recoverable_leak_check() == 0);
#endif
}

/* What a driver may do where it knows that malloc survives the fork. */
static void abandon_and_free(void *context, void *conn)
{
  fake_abandon(context, conn);
  free(conn);
}

static void test_fork__tags_are_the_parents(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_vtable_t vtable = whole_vtable();
  vtable.abandon = abandon_and_free;
  pool_config_t config = capped(3);
  pool_t *pool = fake_pool(&fake, &config, &vtable);
  pool_lease_t leases[3];
  for (int i = 0; i < 3; i++) {
    leases[i] = pool_get(pool);
    assert_int_equal(pool_tag(leases[i], "of the parent"), 0);
  }
  pid_t pid = fork_child();
  if (pid == 0) {
    pool_lease_info_t info = POOL_LEASE_INFO_INIT;
    must(pool_leases(pool, &info, 1) == 0);
    must(pool_tag(leases[0], "of the child") == POOL_E_STALE);
    pool_lease_t lease = pool_get_for(pool, 0), tagged = pool_get_for(pool, 0);
    must(lease > 0 && tagged > 0);
    must(pool_put(tagged) == 0);
    must(pool_leases(pool, &info, 1) == 1 && info.lease == lease && info.tag[0] == 0);
    must(pool_tag(lease, "of the child") == 0);
    must(pool_leases(pool, &info, 1) == 1 && strcmp(info.tag, "of the child") == 0);
    must(pool_put(lease) == 0);
    is_whole(pool, 3);
    must(pool_close(pool, -1) == 0);
    pool_free(pool);
    must_not_leak();
    _exit(0);
  }
  assert_true(succeeded(pid));
  pool_lease_info_t infos[3] = {POOL_LEASE_INFO_INIT};
  assert_int_equal(pool_leases(pool, infos, 3), 3);
  for (int i = 0; i < 3; i++) {
    assert_string_equal(infos[i].tag, "of the parent");
    assert_int_equal(pool_put(leases[i]), 0);
  }
  fake_finish(&fake, pool);
}

/* ---- the descriptor of an event loop ---- */

static bool is_readable(int descriptor)
{
  struct pollfd watched = {.fd = descriptor, .events = POLLIN};
  return poll(&watched, 1, 0) == 1;
}

static void test_fork__the_event_fd_is_not_shared(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_vtable_t vtable = whole_vtable();
  pool_config_t config = capped(1);
  config.initial = 1;
  config.keeper = POOL_KEEPER_MANUAL;
  pool_t *pool = fake_pool(&fake, &config, &vtable);
  struct told told = {0};
  int descriptor = pool_event_fd(pool);
  assert_true(descriptor >= 0);
  assert_false(is_readable(descriptor));
  pid_t pid = fork_child();
  if (pid == 0) {
    struct told own = {0};
    must(pool_event_fd(pool) == descriptor);
    must(!is_readable(descriptor));
    must(pool_get_async(pool, -1, got, &own) > 0);
    must_soon(is_readable(descriptor));
    _exit(0); /* as it is */
  }
  assert_true(succeeded(pid));
  assert_false(is_readable(descriptor));
  assert_true(pool_get_async(pool, -1, got, &told) > 0);
  wait_until(is_readable(descriptor));
  wait_until((pool_maintain(pool), told.times == 1));
  assert_true(told.result > 0);
  assert_false(is_readable(descriptor));
  fake_finish(&fake, pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fork__the_keeper_is_started_again),
      cmocka_unit_test(test_fork__the_pool_is_refilled_again),
      cmocka_unit_test(test_fork__the_breaker_begins_anew),
      cmocka_unit_test(test_fork__the_breaker_works_in_the_child),
      cmocka_unit_test(test_fork__a_pause_holds),
      cmocka_unit_test(test_fork__a_new_size_holds),
      cmocka_unit_test(test_fork__what_the_parent_flushed_is_gone),
      cmocka_unit_test(test_fork__tags_are_the_parents),
      cmocka_unit_test(test_fork__the_event_fd_is_not_shared),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
