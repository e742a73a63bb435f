/* SPDX-License-Identifier: MIT */
/* What pools cost that wish for something of a budget: the looks of its thread at its members, and how often it is
   woken. */
#include "support.h"

#include <pool/budget.h>

#include "decide/allowance.h"
#include "run/budget.h"
#include "run/local.h"
#include "run/membership.h"

enum { POOLS = 400, LOOKS_EACH = 10 };

void __real_allowance_look(struct pool *pool, struct demand *demand);
void __wrap_allowance_look(struct pool *pool, struct demand *demand);

static _Atomic int64_t looks;

void __wrap_allowance_look(struct pool *pool, struct demand *demand)
{
  looks++;
  __real_allowance_look(pool, demand);
}

/* A ledger that answers when its gate is open. */
static struct gate answers;

static int sync_late(void *ledger, const pool_budget_ask_t *ask, pool_budget_answer_t *answer, int64_t deadline_ns,
                     pool_error_t *error)
{
  (void)deadline_ns;
  gate_pass(&answers);
  return local_process.sync(ledger, ask, answer, POOL_NO_DEADLINE, error);
}

static _Atomic int64_t wakes;

static void count_wake(void *ledger)
{
  wakes++;
  local_process.wake(ledger);
}

/* A thread of the test that waits for the answer, and how often it has woken the budget's thread. */
static _Thread_local bool awaits;
static _Atomic int sleeps, awaited_wakes;

void __real_park_wait(_Atomic uint32_t *word, uint32_t seen, int64_t deadline_ns);
void __wrap_park_wait(_Atomic uint32_t *word, uint32_t seen, int64_t deadline_ns);
void __real_budget_wake(struct budget *budget, struct pool *pool);
void __wrap_budget_wake(struct budget *budget, struct pool *pool);

void __wrap_park_wait(_Atomic uint32_t *word, uint32_t seen, int64_t deadline_ns)
{
  sleeps += awaits;
  __real_park_wait(word, seen, deadline_ns);
}

void __wrap_budget_wake(struct budget *budget, struct pool *pool)
{
  awaited_wakes += awaits;
  __real_budget_wake(budget, pool);
}

static void join(pool_t *pool)
{
  static char url[] = "process:wishes?limit=1000";
  const struct budget_place place = {.url = url, .key = sizeof "process:wishes" - 1, .name = "wishes", .limit = 1000};
  pool_budget_engine_t engine = local_process;
  engine.sync = sync_late;
  engine.wake = count_wake;
  assert_int_equal(membership_join(pool, &place, &engine), 0);
}

static void test_wishes__a_burst_costs_a_few_looks_at_each_pool(void **state)
{
  (void)state;
  static struct fake server;
  static pool_t *pools[POOLS];
  static int64_t asked[POOLS];
  fake_init(&server);
  for (int i = 0; i < POOLS; i++)
    join(pools[i] = fake_pool(&server, NULL, NULL));
  for (int i = 0; i < POOLS; i++) {
    wait_until(stats_of(pools[i]).budget_limit == 1000);
    asked[i] = stats_of(pools[i]).budget_asked;
  }
  gate_set(&answers, false);
  assert_int_equal(pool_get_for(pools[0], 0), POOL_E_TIMEOUT); /* its wish stays */
  wait_until(gate_waiting(&answers) == 1);
  int64_t woken = wakes;
  for (int i = 1; i < POOLS; i++)
    assert_int_equal(pool_get_for(pools[i], 0), POOL_E_TIMEOUT);
  assert_true(wakes - woken <= 1); /* its thread is up */
  int64_t before = looks;
  gate_set(&answers, true);
  for (int i = 0; i < POOLS; i++)
    wait_until(stats_of(pools[i]).budget_asked > asked[i]);
  if (looks - before > LOOKS_EACH * POOLS)
    fail_msg("%lld looks at %d pools", (long long)(looks - before), POOLS);
  for (int i = 0; i < POOLS; i++)
    pool_free(pools[i]);
}

static void *await(void *pool)
{
  uint32_t seen = 0;
  awaits = true;
  must(membership_await(pool, &seen, now_ns() + LONG_NS) && seen == 1);
  return NULL;
}

static void test_wishes__an_answer_that_has_come_is_not_asked_for_again(void **state)
{
  (void)state;
  struct fake server;
  fake_init(&server);
  thread_count_at_rest(); /* the budget's thread of the test before passes the same gate */
  gate_set(&answers, false);
  pool_t *pool = fake_pool(&server, NULL, NULL);
  join(pool);
  pthread_t thread = thread_start(await, pool);
  wait_until(sleeps > 0 && gate_waiting(&answers) == 1);
  gate_set(&answers, true);
  thread_end(thread);
  assert_int_equal(awaited_wakes, sleeps - 1);
  fake_finish(&server, pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_wishes__a_burst_costs_a_few_looks_at_each_pool),
      cmocka_unit_test(test_wishes__an_answer_that_has_come_is_not_asked_for_again),
  };
  gate_init(&answers, true);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
