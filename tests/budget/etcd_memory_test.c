/* SPDX-License-Identifier: MIT */
/* The engine etcd of budgets without memory: each allocation of a look fails once, and the message says so. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <jansson.h>

#include <pool/budget.h>

#include "drivers/impostor.h"
#include "memory.h"

POOL_API pool_budget_engine_fn pool_budget_engine_etcd;

/* A ledger without members. */
static void answer(struct impostor *impostor, int connection)
{
  static const char text[] =
      "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
      "{\"header\":{\"cluster_id\":\"7\"},\"kvs\":[{\"mod_revision\":\"3\",\"value\":\""
      "bGlicG9vbCBidWRnZXQgMQoxIDAgMTAgNTAwMDAwMCAwIC0xCjAgMCAwIDAgMCAwIDAgMCAwCg==\"}]}";
  if (impostor_hear(impostor, connection) && impostor_send(connection, text, sizeof text - 1) &&
      shutdown(connection, SHUT_WR) == 0)
    impostor_hear_all(impostor, connection);
}

/* jansson 2.14 gives a part of a text where it has no memory for the whole, so the ledger may be none. */
static bool is_right(int code, const pool_error_t *error, bool with_jansson)
{
  return code == 0 || (code == POOL_E_NOMEM && strstr(error->message, "no memory")) ||
         (with_jansson && code == POOL_E_INVALID);
}

/* Whether one was to fail. */
static bool look_without_memory(const pool_budget_engine_t *engine, void *ledger, int failures, bool with_jansson)
{
  pool_budget_stats_t stats = POOL_BUDGET_STATS_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  memory_fail_after(failures);
  int code = engine->look(ledger, &stats, NULL, NULL, now_ns() + 60000000000, &error);
  bool failed = memory_has_failed();
  if (!is_right(code, &error, with_jansson))
    fail_msg("%d allocations, then %d: %s", failures, code, error.message);
  assert_true(code != 0 || stats.limit == 10);
  assert_true(code == 0 || failed);
  return failed;
}

static void each_allocation_may_fail(void **state)
{
  char url[100];
  static struct impostor impostor; /* its thread goes on where the test fails */
  pool_budget_engine_t engine = {.size = sizeof engine};
  pool_error_t error = POOL_ERROR_INIT;
  void *ledger = NULL;
  (void)state;
  impostor_start(&impostor, answer);
  assert_int_equal(pool_budget_engine_etcd(POOL_BUDGET_ENGINE_VERSION, &engine), 0);
  snprintf(url, sizeof url, "etcd://127.0.0.1:%d/orders?limit=10", impostor.port);
  pool_budget_place_t place = {.size = sizeof place, .url = url, .name = "orders", .limit = 10, .term_ms = 1000};
  assert_int_equal(engine.open(&place, &ledger, &error), 0);
  for (int with_jansson = 0; with_jansson < 2; with_jansson++) {
    int failures = 0;
    if (with_jansson)
      json_set_alloc_funcs(malloc, free); /* which are the test's */
    while (look_without_memory(&engine, ledger, failures, with_jansson))
      failures++;
    assert_true(failures > (with_jansson ? 20 : 5));
  }
  engine.close(ledger);
  impostor_stop(&impostor);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_may_fail)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
