/* SPDX-License-Identifier: MIT */
/* A number that is no valid lease gets an error from every function, and touches nothing. */
#include "support.h"

#include "slot/slot.h"

static void nothing(void *user, int32_t code, pool_bytes_t reply)
{
  (void)code;
  pool_bytes_free(&reply);
  atomic_fetch_add((_Atomic int *)user, 1);
}

/* Every function that takes a lease refuses this one. */
static void refused(pool_lease_t lease)
{
  pool_step_t step = POOL_STEP_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  pool_bytes_t none = {NULL, 0}, reply = {(void *)"untouched", 9};
  _Atomic int done = 0;
  assert_int_equal(pool_put(lease), POOL_E_STALE);
  assert_int_equal(pool_failure(NULL), POOL_E_STALE);
  assert_int_equal(pool_mark_unusable(lease), POOL_E_STALE);
  assert_null(pool_conn(lease));
  assert_int_equal(pool_call(lease, "Arith.Mul", none, &reply, &error), POOL_E_STALE);
  assert_int_equal(error.code, POOL_E_STALE);
  assert_int_equal(reply.size, 9);
  assert_int_equal(pool_go(lease, "Arith.Mul", none, nothing, (void *)&done), POOL_E_STALE);
  assert_int_equal(done, 0);
  assert_int_equal(pool_step_end(lease, &step), POOL_E_STALE);
  assert_int_equal(step.work, POOL_WORK_NONE);
}

static void test_lease__zero_negative_and_forged(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_config_t config = POOL_CONFIG_INIT;
  config.initial = 2;
  pool_t *pool = fake_pool(&fake, &config, NULL);
  pool_lease_t lease = pool_get(pool);
  const pool_lease_t wrong[] = {0,
                                -1,
                                INT64_MIN,
                                INT64_MAX,
                                1,
                                (1 << 20) - 1,
                                (pool_lease_t)1 << 61,
                                ((pool_lease_t)1 << 62) - 1,
                                -lease,
                                lease + 1,                     /* another slot */
                                lease + (1 << 20),             /* the next generation */
                                lease - (1 << 20),             /* the one before */
                                lease | (pool_lease_t)1 << 62, /* the same bits below */
                                (pool_lease_t)((uint64_t)lease | (uint64_t)1 << 63),
                                (pool_lease_t)((uint64_t)lease | (uint64_t)3 << 62)};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    refused(wrong[i]);
  fake_use(lease);
  assert_int_equal(pool_len(pool), 1);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_len(pool), 2);
  fake_finish(&fake, pool);
}

static void test_lease__double_and_stale(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 1;
  pool_t *pool = fake_pool(&fake, &config, NULL);
  pool_lease_t first = pool_get(pool);
  assert_int_equal(pool_put(first), 0);
  refused(first);
  pool_lease_t second = pool_get(pool); /* the same connection, another's now */
  assert_true(second != first);
  refused(first);
  fake_use(second);
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  assert_int_equal(pool_mark_unusable(second), 0);
  assert_int_equal(pool_put(second), 0);
  refused(second);
  assert_int_equal(fake.closed, 1);
  fake_finish(&fake, pool);
  refused(first);
  refused(second);
}

static void test_lease__of_a_pool_that_is_gone(void **state)
{
  (void)state;
  struct fake fake, other;
  fake_init(&fake);
  fake_init(&other);
  pool_t *pool = fake_pool(&fake, NULL, NULL);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
  pool_t *next = fake_pool(&other, NULL, NULL); /* gets the memory of the first */
  pool_lease_t good = pool_get(next);
  refused(lease);
  fake_use(good);
  assert_int_equal(pool_put(good), 0);
  fake_finish(&other, next);
}

static void test_lease__stays_in_its_range(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 1;
  pool_t *pool = fake_pool(&fake, &config, NULL);
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(pool_put(lease), 0);
  /* Shortly before the end of all generations. */
  struct slot *slot = slot_of(lease);
  atomic_store(&slot->word, (GENERATION_END - 3 * GENERATION_ONE) | IDLE);
  pool_lease_t before = 0;
  for (int i = 0; i < 8; i++) {
    lease = pool_get(pool);
    assert_true(lease > 0 && lease < (pool_lease_t)1 << 62);
    assert_true(lease != before);
    fake_use(lease);
    assert_int_equal(pool_put(lease), 0);
    refused(lease);
    before = lease;
  }
  fake_finish(&fake, pool);
}

/* ---- many threads put one lease at one moment ---- */

#define ROUNDS 2000

struct race {
  _Atomic pool_lease_t lease;
  _Atomic int round, done, won, stale;
  int rounds;
};

static void *put_each_round(void *data)
{
  struct race *race = data;
  for (int round = 1; round <= race->rounds; round++) {
    while (atomic_load(&race->round) < round)
      yield_ns();
    int code = pool_put(atomic_load(&race->lease));
    atomic_fetch_add(code == 0 ? &race->won : &race->stale, 1);
    atomic_fetch_add(&race->done, 1);
  }
  return NULL;
}

static void race_for_puts(const pool_vtable_t *vtable, struct fake *fake)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 1;
  pool_t *pool = fake_pool(fake, &config, vtable);
  struct race race = {.rounds = ROUNDS};
  pthread_t threads[2];
  for (int i = 0; i < 2; i++)
    threads[i] = thread_start(put_each_round, &race);
  for (int round = 1; round <= race.rounds; round++) {
    pool_lease_t lease = pool_get(pool);
    assert_true(lease > 0);
    atomic_store(&race.lease, lease);
    atomic_store(&race.round, round);
    wait_until(atomic_load(&race.done) == 2 * round);
    assert_int_equal(race.won, round);
    assert_int_equal(race.stale, round);
  }
  for (int i = 0; i < 2; i++)
    thread_end(threads[i]);
  fake_finish(fake, pool);
}

static void test_lease__two_threads_put_it_at_one_moment(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  race_for_puts(NULL, &fake);
}

static void test_lease__two_threads_put_it_at_one_moment_with_reset(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_vtable_t vtable = fake_vtable();
  vtable.reset = fake_reset;
  race_for_puts(&vtable, &fake);
  assert_int_equal(fake.reset, ROUNDS);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lease__zero_negative_and_forged),
      cmocka_unit_test(test_lease__double_and_stale),
      cmocka_unit_test(test_lease__of_a_pool_that_is_gone),
      cmocka_unit_test(test_lease__stays_in_its_range),
      cmocka_unit_test(test_lease__two_threads_put_it_at_one_moment),
      cmocka_unit_test(test_lease__two_threads_put_it_at_one_moment_with_reset),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
