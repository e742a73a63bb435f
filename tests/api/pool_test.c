/* SPDX-License-Identifier: MIT */
/* What the Go package maxatome/pool does, done here. */
#include "support.h"

#include <string.h>

static void test_pool__opens_initial_and_lends_them_first(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_config_t config = POOL_CONFIG_INIT;
  config.initial = 5;
  config.max_idle = 30;
  pool_t *pool = fake_pool(&fake, &config, NULL);
  assert_int_equal(fake.opened, 5);
  assert_int_equal(pool_len(pool), 5);
  pool_lease_t leases[5];
  for (int i = 0; i < 5; i++) {
    leases[i] = pool_get(pool);
    assert_true(leases[i] > 0);
    fake_use(leases[i]);
    assert_int_equal(pool_len(pool), (size_t)(4 - i));
  }
  assert_int_equal(fake.opened, 5);
  for (int i = 0; i < 5; i++)
    assert_int_equal(pool_put(leases[i]), 0);
  assert_int_equal(pool_len(pool), 5);
  fake_finish(&fake, pool);
}

static void test_pool__opens_at_once_without_a_hard_cap(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_idle = 2;
  pool_t *pool = fake_pool(&fake, &config, NULL);
  enum { MANY = 1000 };
  static pool_lease_t leases[MANY];
  for (int i = 0; i < MANY; i++) {
    leases[i] = pool_get_for(pool, 0);
    assert_true(leases[i] > 0);
  }
  for (int i = 0; i < MANY; i++)
    for (int j = i + 1; j < MANY && j < i + 20; j++)
      assert_true(pool_conn(leases[i]) != pool_conn(leases[j]));
  assert_int_equal(fake.open_now, MANY);
  for (int i = 0; i < MANY; i++)
    assert_int_equal(pool_put(leases[i]), 0);
  fake_finish(&fake, pool);
}

static void test_pool__put_beyond_max_idle_closes(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_idle = 2;
  pool_t *pool = fake_pool(&fake, &config, NULL);
  pool_lease_t leases[4];
  for (int i = 0; i < 4; i++)
    leases[i] = pool_get(pool);
  for (int i = 0; i < 4; i++)
    assert_int_equal(pool_put(leases[i]), 0);
  assert_int_equal(pool_len(pool), 2);
  assert_int_equal(fake.closed, 2);
  fake_finish(&fake, pool);
}

static void test_pool__unusable_connections_are_closed_on_put(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = fake_pool(&fake, NULL, NULL);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(pool_mark_unusable(lease), 0);
  assert_int_equal(pool_mark_unusable(lease), 0);
  assert_non_null(pool_conn(lease)); /* still the holder's */
  assert_int_equal(fake.closed, 0);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(fake.closed, 1);
  assert_int_equal(pool_len(pool), 0);
  fake_finish(&fake, pool);
}

static void test_pool__close_is_idempotent_and_final(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_config_t config = POOL_CONFIG_INIT;
  config.initial = 3;
  pool_t *pool = fake_pool(&fake, &config, NULL);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(pool_close(pool, 0), 1); /* one is still out */
  assert_int_equal(fake.closed, 2);
  assert_int_equal(pool_len(pool), 0);
  assert_int_equal(pool_get(pool), POOL_E_CLOSED);
  assert_int_equal(pool_get_for(pool, 0), POOL_E_CLOSED);
  assert_int_equal(pool_get_for(pool, -1), POOL_E_CLOSED);
  assert_int_equal(pool_failure(NULL), POOL_E_CLOSED);
  assert_int_equal(pool_close(pool, 10), 1);
  fake_use(lease);
  assert_int_equal(pool_put(lease), 0); /* put after close closes */
  assert_int_equal(fake.closed, 3);
  assert_int_equal(pool_close(pool, -1), 0);
  assert_int_equal(pool_close(pool, 0), 0);
  pool_free(pool);
  assert_int_equal(fake.misuse, 0);
}

static void test_pool__lives_until_its_last_reference_and_lease(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_vtable_t vtable = fake_vtable();
  vtable.release = fake_release;
  pool_t *pool = fake_pool(&fake, NULL, &vtable);
  pool_lease_t lease = pool_get(pool);
  assert_ptr_equal(pool_ref(pool), pool);
  pool_free(pool);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(fake.closed, 0); /* one reference is left */
  lease = pool_get(pool);
  pool_free(pool);
  assert_int_equal(fake.released, 0); /* the lease is still out */
  assert_non_null(pool_conn(lease));
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(fake.closed, 1);
  assert_int_equal(fake.released, 1);
  assert_int_equal(pool_put(lease), POOL_E_STALE);
}

static void test_pool__a_failed_open_says_why_and_takes_no_place(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 1;
  config.name = "prices";
  pool_t *pool = fake_pool(&fake, &config, NULL);
  pool_error_t error = POOL_ERROR_INIT;
  fake.fail_open = 3;
  for (int i = 0; i < 3; i++) {
    assert_int_equal(pool_get(pool), POOL_E_OPEN);
    assert_int_equal(pool_failure(&error), POOL_E_OPEN);
    assert_non_null(strstr(error.message, "the fake server refuses"));
    assert_non_null(strstr(error.message, "prices"));
    assert_int_equal(error.native, 111);
  }
  pool_lease_t lease = pool_get(pool);
  assert_true(lease > 0);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(stats_of(pool).open_failures, 3);
  fake_finish(&fake, pool);
}

static void test_pool__counts(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 3;
  pool_t *pool = fake_pool(&fake, &config, NULL);
  for (int i = 0; i < 100; i++) {
    pool_lease_t a = pool_get(pool), b = pool_get(pool);
    if (i == 50)
      pool_mark_unusable(a);
    assert_int_equal(pool_put(a), 0);
    assert_int_equal(pool_put(b), 0);
  }
  pool_lease_t lease = pool_get(pool);
  pool_stats_t stats = stats_of(pool);
  assert_int_equal(stats.lent, 200);
  assert_int_equal(stats.opened, 3);
  assert_int_equal(stats.closed, 1);
  assert_int_equal(stats.open, 2);
  assert_int_equal(stats.idle, 1);
  assert_int_equal(stats.leased, 1);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(stats_of(pool).lent, 201);
  /* A smaller struct of an older caller is filled as far as it goes. */
  pool_stats_t old = POOL_STATS_INIT;
  old.size = offsetof(pool_stats_t, leased);
  old.leased = -7;
  assert_int_equal(pool_stats(pool, &old), 0);
  assert_int_equal(old.idle, 2);
  assert_int_equal(old.leased, -7);
  assert_int_equal(old.size, offsetof(pool_stats_t, leased));
  fake_finish(&fake, pool);
}

static void test_pool__is_used_again_after_it_was_freed(void **state)
{
  (void)state;
  for (int round = 0; round < 300; round++) {
    struct fake fake;
    fake_init(&fake);
    pool_config_t config = POOL_CONFIG_INIT;
    config.max_open = round % 200 + 1;
    pool_t *pool = fake_pool(&fake, &config, NULL);
    static pool_lease_t leases[200];
    for (int i = 0; i < config.max_open; i++)
      assert_true((leases[i] = pool_get(pool)) > 0);
    assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
    for (int i = 0; i < config.max_open; i++)
      assert_int_equal(pool_put(leases[i]), 0);
    assert_int_equal(pool_len(pool), (size_t)config.max_open);
    fake_finish(&fake, pool);
  }
}

static int open_without_memory(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)context, (void)deadline_ns, (void)conn, (void)error;
  return POOL_E_NOMEM;
}

static void test_pool__an_open_without_memory_is_nobodys_fault(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_vtable_t vtable = fake_vtable();
  vtable.open = open_without_memory;
  pool_config_t config = POOL_CONFIG_INIT;
  pool_t *pool = NULL;
  config.initial = 1;
  assert_int_equal(pool_create(&config, &vtable, &fake, &pool, NULL), POOL_E_NOMEM);
  config.initial = 0;
  config.retry_min_ms = 1000;
  config.breaker_after = 1;
  pool = fake_pool(&fake, &config, &vtable);
  for (int i = 0; i < 3; i++)
    assert_int_equal(pool_get(pool), POOL_E_NOMEM);
  assert_int_equal(stats_of(pool).breaker_opened, 0);
  assert_int_equal(stats_of(pool).failed_nomem, 3);
  fake_finish(&fake, pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pool__opens_initial_and_lends_them_first),
      cmocka_unit_test(test_pool__opens_at_once_without_a_hard_cap),
      cmocka_unit_test(test_pool__put_beyond_max_idle_closes),
      cmocka_unit_test(test_pool__unusable_connections_are_closed_on_put),
      cmocka_unit_test(test_pool__close_is_idempotent_and_final),
      cmocka_unit_test(test_pool__lives_until_its_last_reference_and_lease),
      cmocka_unit_test(test_pool__a_failed_open_says_why_and_takes_no_place),
      cmocka_unit_test(test_pool__counts),
      cmocka_unit_test(test_pool__is_used_again_after_it_was_freed),
      cmocka_unit_test(test_pool__an_open_without_memory_is_nobodys_fault),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
