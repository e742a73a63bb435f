/* SPDX-License-Identifier: MIT */
/* Slots pass from pool to pool, whatever other threads do with them. */
#include "support.h"

#include <stdlib.h>

#include "slot/slot.h"

/* ---- all of them ---- */

static int simple_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)deadline_ns, (void)error;
  *conn = context;
  return 0;
}

static int simple_close(void *context, void *conn, pool_error_t *error)
{
  (void)error;
  return context == conn ? 0 : 1;
}

static pool_t *simple_pool(void)
{
  static int context;
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  pool_t *pool;
  vtable.open = simple_open;
  vtable.close = simple_close;
  assert_int_equal(pool_create(NULL, &vtable, &context, &pool, NULL), 0);
  return pool;
}

static int take(pool_t *pool, pool_lease_t *leases, int most)
{
  int count = 0;
  while (count < most && (leases[count] = pool_get_for(pool, 0)) > 0)
    count++;
  return count;
}

static void close_all(pool_lease_t *leases, int count)
{
  for (int i = 0; i < count; i++) {
    assert_int_equal(pool_mark_unusable(leases[i]), 0);
    assert_int_equal(pool_put(leases[i]), 0);
  }
}

/* The thread sanitizer takes twenty times as long. */
#ifdef __SANITIZE_THREAD__
enum { TURNS = 2, ROUNDS = 3000 };
#else
enum { TURNS = 4, ROUNDS = 30000 };
#endif

static void test_slot__a_pool_that_closes_its_connections_leaves_their_slots_to_others(void **state)
{
  (void)state;
  pool_lease_t *leases = calloc(SLOT_LIMIT, sizeof *leases);
  pool_t *pools[2] = {simple_pool(), simple_pool()};
  for (int round = 0; round < TURNS; round++) {
    pool_t *pool = pools[round % 2];
    int count = take(pool, leases, (int)SLOT_LIMIT);
    assert_int_equal(count, (int)SLOT_LIMIT - 1);
    assert_true(count >= 100000);
    assert_int_equal(leases[count], POOL_E_NOMEM);
    assert_int_equal(pool_get_for(pools[1 - round % 2], 0), POOL_E_NOMEM);
    close_all(leases, count);
    assert_int_equal(stats_of(pool).open, 0);
    assert_int_equal(stats_of(pool).lent, (int64_t)count * (round / 2 + 1));
  }
  for (int i = 0; i < 2; i++)
    pool_free(pools[i]);
  free(leases);
}

static void test_slot__an_index_that_no_slot_has_is_stale(void **state)
{
  (void)state;
  pool_t *pool = simple_pool();
  pool_lease_t lease = pool_get(pool);
  for (uint64_t bit = SLOT_LIMIT; bit < (uint64_t)1 << INDEX_BITS; bit <<= 1) {
    assert_int_equal(pool_put(lease | (pool_lease_t)bit), POOL_E_STALE);
    assert_int_equal(pool_mark_unusable(lease | (pool_lease_t)bit), POOL_E_STALE);
    assert_null(pool_conn(lease | (pool_lease_t)bit));
  }
  assert_int_equal(pool_put(lease), 0);
  pool_free(pool);
}

/* ---- a storm ---- */

enum { POOLS = 3, THREADS = 4 };

static struct fake fakes[POOLS];
static pool_t *pools[POOLS];
static _Atomic int64_t lent[POOLS];

static void put_stale(pool_lease_t lease)
{
  must(lease == 0 || pool_put(lease) == POOL_E_STALE);
  must(lease == 0 || pool_mark_unusable(lease) == POOL_E_STALE);
}

/* A third of the leases end with their connection, so that slots pass from pool to pool all the time. */
static void *storm(void *data)
{
  uint64_t seed = (uint64_t)(uintptr_t)data * 2654435761u + 1;
  pool_lease_t stale = 0;
  for (int i = 0; i < ROUNDS; i++) {
    uint32_t dice = random_next(&seed);
    int which = (int)(dice / 64 % POOLS);
    pool_lease_t lease = pool_get_for(pools[which], -1);
    must(lease > 0);
    must(((struct fake_conn *)pool_conn(lease))->fake == &fakes[which]);
    fake_use(lease);
    atomic_fetch_add(&lent[which], 1);
    if (dice % 3 == 0)
      must(pool_mark_unusable(lease) == 0);
    put_stale(stale);
    must(pool_put(lease) == 0);
    stale = lease;
    if (dice % 61 == 0)
      must(pool_flush(pools[which]) >= 0);
    if (dice % 53 == 0)
      must(pool_len(pools[which]) <= 2);
  }
  return NULL;
}

static void run_storm(pool_config_t *config, bool with_reset)
{
  pthread_t threads[THREADS];
  pool_vtable_t vtable = fake_vtable();
  vtable.reset = with_reset ? fake_reset : NULL;
  vtable.check = config->check_after_ms == 0 ? fake_check : NULL;
  config->max_open = 2; /* so that threads wait, and a wake-up that is lost hangs */
  for (int i = 0; i < POOLS; i++) {
    fake_init(&fakes[i]);
    atomic_store(&lent[i], 0);
    pools[i] = fake_pool(&fakes[i], config, &vtable);
  }
  for (intptr_t i = 0; i < THREADS; i++)
    threads[i] = thread_start(storm, (void *)(i + 1));
  for (int i = 0; i < THREADS; i++)
    thread_end(threads[i]);
  for (int i = 0; i < POOLS; i++) {
    assert_int_equal(stats_of(pools[i]).lent, lent[i]);
    fake_finish(&fakes[i], pools[i]);
  }
}

static void test_slot__moves_between_pools_in_a_storm(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  run_storm(&config, false);
}

static void test_slot__moves_between_pools_in_a_storm_of_resets_and_checks(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  config.check_after_ms = 0;
  run_storm(&config, true);
}

static void test_slot__moves_between_pools_while_a_keeper_looks_and_openers_open(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  config.idle_timeout_ms = 1;
  config.max_lifetime_ms = 4;
  config.openers = 2;
  run_storm(&config, false);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_slot__a_pool_that_closes_its_connections_leaves_their_slots_to_others),
      cmocka_unit_test(test_slot__an_index_that_no_slot_has_is_stale),
      cmocka_unit_test(test_slot__moves_between_pools_in_a_storm),
      cmocka_unit_test(test_slot__moves_between_pools_in_a_storm_of_resets_and_checks),
      cmocka_unit_test(test_slot__moves_between_pools_while_a_keeper_looks_and_openers_open),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
