/* SPDX-License-Identifier: MIT */
#include "support.h"

static void test_pool__get_and_put(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = fake_pool(&fake, NULL, NULL);
  pool_lease_t lease = pool_get(pool);
  assert_true(lease > 0);
  fake_use(lease);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_len(pool), 1);
  fake_finish(&fake, pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pool__get_and_put),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
