/* SPDX-License-Identifier: MIT */
/* Where policies meet many threads on the real clock: each of these failed once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decide/pool.h"
#include "support.h"

static struct fake fake;

/* ---- lifetimes of what never rests ---- */

static _Atomic bool stop;

static void *use_hotly(void *data)
{
  pool_t *pool = data;
  while (!atomic_load(&stop))
    pool_put(pool_get(pool));
  return NULL;
}

static void test_corner__a_hot_connection_gets_no_older_than_its_lifetime(void **state)
{
  (void)state;
  fake_init(&fake);
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 1;
  config.max_lifetime_ms = 4;
  pool_vtable_t vtable = fake_vtable();
  pool_t *pool = fake_pool(&fake, &config, &vtable);
  atomic_store(&stop, false);
  pthread_t thread = thread_start(use_hotly, pool);
  wait_until(fake.opened >= 20); /* one after the other, though none ever rests */
  atomic_store(&stop, true);
  thread_end(thread);
  fake_finish(&fake, pool);
}

/* ---- closing while a connection goes to be reset ---- */

static _Atomic pool_lease_t lease;
static _Atomic int round_number, rounds_done;
enum { ROUNDS = 20000 };

/* Two threads that spin take long where others have the processors. */
#define ENOUGH_NS INT64_C(5000000000)

static void *put_them(void *data)
{
  (void)data;
  for (int i = 1; i <= ROUNDS; i++) {
    while (atomic_load(&round_number) < i)
      ;
    pool_put(atomic_load(&lease));
    atomic_store(&rounds_done, i);
  }
  return NULL;
}

static void test_corner__closing_waits_for_no_reset_that_nobody_does(void **state)
{
  (void)state;
  fake_init(&fake);
  pool_config_t config = POOL_CONFIG_INIT;
  config.background_reset = 1;
  pool_vtable_t vtable = fake_vtable();
  vtable.reset = fake_reset;
  atomic_store(&round_number, 0);
  atomic_store(&rounds_done, 0);
  pthread_t thread = thread_start(put_them, NULL);
  int stuck = 0;
  uint64_t random = 88172645463325252ull;
  int64_t began = now_ns();
  for (int i = 1; i <= ROUNDS; i++) {
    pool_t *pool = fake_pool(&fake, &config, &vtable);
    atomic_store(&lease, pool_get(pool));
    atomic_store(&round_number, i);
    for (uint32_t n = random_next(&random) % 400; n > 0; n--)
      __asm__ volatile("");
    stuck += pool_close(pool, 30000) != 0;
    while (atomic_load(&rounds_done) < i)
      ;
    pool_free(pool);
    if (stuck || now_ns() - began > ENOUGH_NS) {
      atomic_store(&round_number, ROUNDS);
      break;
    }
  }
  thread_end(thread);
  assert_int_equal(stuck, 0);
  assert_int_equal(fake.open_now, 0);
}

/* ---- a program that maintains a pool though its keeper is a thread ---- */

static _Atomic int passes;

static void *maintain_it(void *data)
{
  while (!atomic_load(&stop)) {
    pool_maintain(data);
    atomic_fetch_add(&passes, 1);
  }
  return NULL;
}

static void test_corner__maintaining_does_not_put_the_keeper_to_sleep(void **state)
{
  (void)state;
  for (int round = 0; round < 40; round++) {
    fake_init(&fake);
    pool_config_t config = POOL_CONFIG_INIT;
    config.idle_timeout_ms = 10;
    pool_vtable_t vtable = fake_vtable();
    pool_t *pool = fake_pool(&fake, &config, &vtable);
    pool_lease_t held = pool_get(pool);
    wait_until(atomic_load(&pool->looks.resting));
    atomic_store(&stop, false);
    atomic_store(&passes, 0);
    pthread_t thread = thread_start(maintain_it, pool);
    wait_until(passes > 10 * round);
    pool_put(held);
    atomic_store(&stop, true);
    thread_end(thread);
    wait_until(fake.closed == 1);
    fake_finish(&fake, pool);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_corner__a_hot_connection_gets_no_older_than_its_lifetime),
      cmocka_unit_test(test_corner__closing_waits_for_no_reset_that_nobody_does),
      cmocka_unit_test(test_corner__maintaining_does_not_put_the_keeper_to_sleep),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
