/* SPDX-License-Identifier: MIT */
/* The engine redis of budgets without memory: each allocation of a question and of a look fails once, the message says
 * so, and the next question is answered. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pool/budget.h>

#include "drivers/redis_server.h"
#include "memory.h"

POOL_API pool_budget_engine_fn pool_budget_engine_redis;

static struct redis redis;
static pool_budget_engine_t engine = {.size = sizeof engine};
static char url[200];

static int64_t soon(void)
{
  return now_ns() + LONG_NS;
}

static void *open_ledger(void)
{
  void *ledger = NULL;
  pool_budget_place_t place = {.size = sizeof place, .url = url, .name = "orders", .limit = 10, .term_ms = 3600000};
  assert_int_equal(engine.open(&place, &ledger, NULL), 0);
  return ledger;
}

static int ask(void *ledger, pool_error_t *error)
{
  static const char who[] = "host\0001\0c\0orders";
  pool_budget_ask_t ask = {.size = sizeof ask, .member = 1, .since_ns = -1, .open = 3, .wants = 3, .weight = 1};
  pool_budget_answer_t answer = {.size = sizeof answer};
  ask.who = who;
  ask.who_size = sizeof who;
  int code = engine.sync(ledger, &ask, &answer, soon(), error);
  assert_true(code != 0 || answer.granted == 3);
  return code;
}

static int note_member(void *count, const pool_budget_member_t *member)
{
  (void)member;
  ++*(int *)count;
  return 0;
}

static int look(void *ledger, pool_error_t *error)
{
  int count = 0;
  pool_budget_stats_t stats = POOL_BUDGET_STATS_INIT;
  int code = engine.look(ledger, &stats, note_member, &count, soon(), error);
  assert_true(code < 0 || (count == 1 && stats.open == 3));
  return code < 0 ? code : 0;
}

/* By a new connection, and then by one that is there. */
static int fail_each(int (*act)(void *ledger, pool_error_t *error), bool connects)
{
  int failures = 0;
  void *ledger = open_ledger();
  for (bool failed = true; failed; failures += failed) {
    pool_error_t error = POOL_ERROR_INIT;
    if (connects) {
      engine.close(ledger);
      ledger = open_ledger();
    } else {
      assert_int_equal(ask(ledger, &error), 0);
    }
    memory_fail_after(failures);
    int code = act(ledger, &error);
    failed = memory_has_failed();
    if (code != 0 && (code != POOL_E_NOMEM || !strstr(error.message, "no memory")))
      fail_msg("%d allocations, then %d: %s", failures, code, error.message);
    assert_true(code == 0 || failed);
    assert_int_equal(ask(ledger, &error), 0);
  }
  engine.close(ledger);
  return failures;
}

static void each_allocation_may_fail(void **state)
{
  (void)state;
  assert_true(fail_each(ask, true) > 5);
  assert_true(fail_each(ask, false) > 0);
  assert_true(fail_each(look, true) > 5);
  assert_true(fail_each(look, false) > 0);
}

static int make(void **state)
{
  (void)state;
  redis_make(&redis);
  snprintf(url, sizeof url, "redis://:" REDIS_PASSWORD "@127.0.0.1:%d/0/orders?limit=10", redis.port);
  return pool_budget_engine_redis(POOL_BUDGET_ENGINE_VERSION, &engine);
}

static int end(void **state)
{
  (void)state;
  redis_remove(&redis);
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_may_fail)};
  return cmocka_run_group_tests(tests, make, end);
}
