/* SPDX-License-Identifier: MIT */
/* When a pool asks its budget: by itself, without the thread of one. */
#include "support.h"

#include "decide/allowance.h"
#include "decide/pool.h"
#include "decide/step.h"

/* A pool that takes something for its budget which never answers. */
static pool_t *start(struct fake *server)
{
  static int nothing;
  pool_t *pool = fake_start(server, PLAN());
  pool->allowance.budget = (struct budget *)(void *)&nothing;
  return pool;
}

static void finish(struct fake *server, pool_t *pool)
{
  pool->allowance.budget = NULL;
  fake_finish(server, pool);
}

/* Whether the budget is to be asked because so many wait. */
static bool asks(pool_t *pool, int waiters)
{
  struct step step = {0};
  pthread_mutex_lock(&pool->lock);
  pool->queue.length = waiters;
  allowance_ask(pool, false, &step);
  pool->queue.length = 0; /* they have left by the time the budget's thread looks */
  pthread_mutex_unlock(&pool->lock);
  return step.budget != NULL;
}

static void test_allowance__one_ask_is_enough_until_the_budget_looks(void **state)
{
  (void)state;
  struct fake server;
  pool_t *pool = start(&server);
  assert_false(asks(pool, 0));
  assert_true(asks(pool, 1));
  assert_false(asks(pool, 1));
  finish(&server, pool);
}

static void test_allowance__a_wish_is_heard_after_one_that_was_over_when_the_budget_looked(void **state)
{
  (void)state;
  struct fake server;
  struct demand demand;
  pool_t *pool = start(&server);
  assert_true(asks(pool, 1));
  allowance_look(pool, &demand);
  assert_int_equal(demand.wants, 0);
  assert_true(asks(pool, 1));
  finish(&server, pool);
}

static void test_allowance__a_pool_that_rests_has_no_permit_and_asks_again(void **state)
{
  (void)state;
  struct fake server;
  pool_t *pool = start(&server);
  pool->allowance.granted = pool->allowance.target = 2;
  get_and_put_now(pool);
  assert_false(allowance_rest(pool)); /* a connection is idle */
  assert_true(allowance_has_place(pool));
  pool_lease_t lease = pool_get_for(pool, 0);
  assert_int_equal(pool_mark_unusable(lease), 0);
  assert_int_equal(pool_put(lease), 0);
  assert_true(allowance_rest(pool));
  assert_false(allowance_has_place(pool));
  assert_true(asks(pool, 1));
  finish(&server, pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_allowance__one_ask_is_enough_until_the_budget_looks),
      cmocka_unit_test(test_allowance__a_wish_is_heard_after_one_that_was_over_when_the_budget_looked),
      cmocka_unit_test(test_allowance__a_pool_that_rests_has_no_permit_and_asks_again),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
