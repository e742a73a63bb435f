/* SPDX-License-Identifier: MIT */
/* Every message names its pool: each code is provoked once at least, in the ways that there are. */
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <pool/driver.h>
#include <pool/step.h>

#include "steps.h"
#include "threadless.h"

static struct fake fake;
static bool seen[32]; /* the codes that were provoked */

/* The last call of this thread failed with this code, and its message begins with the name. */
static void assert_named(int64_t result, int code, const char *name)
{
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(result, code);
  assert_int_equal(pool_failure(&error), code);
  if (strncmp(error.message, name, strlen(name)) != 0 || strncmp(error.message + strlen(name), ": ", 2) != 0)
    fail_msg("\"%s\" does not begin with \"%s: \"", error.message, name);
  seen[-code] = true;
}

#define NAMED(code, call) assert_named(call, code, "orders")

#define ORDERS(...) PLAN(.config.name = "orders", __VA_ARGS__)

static void test_message__of_a_pool_that_exists_names_it(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, ORDERS(.config.max_open = 1, .config.max_waiters = 1, .config.get_timeout_ms = 20));
  pool_bytes_t text;
  NAMED(POOL_E_INVALID, pool_get_for(pool, -2));
  NAMED(POOL_E_INVALID, pool_get_async(pool, 0, NULL, NULL));
  NAMED(POOL_E_INVALID, pool_close(pool, -2));
  NAMED(POOL_E_INVALID, pool_resume(pool));
  NAMED(POOL_E_INVALID, pool_resize(pool, -1));
  NAMED(POOL_E_INVALID, pool_set(pool, NULL, 1));
  NAMED(POOL_E_INVALID, pool_set(pool, "max_opn", 1));
  NAMED(POOL_E_INVALID, pool_set(pool, "max_open", INT64_MAX));
  NAMED(POOL_E_INVALID, pool_set(pool, "min_idle", -1));
  NAMED(POOL_E_INVALID, pool_set(pool, "min_idle", 2));
  NAMED(POOL_E_INVALID, pool_set(pool, "keepalive_ms", 1));
  NAMED(POOL_E_INVALID, pool_set(pool, "queue", 1));
  NAMED(POOL_E_INVALID, pool_value(pool, NULL, &(int64_t){0}));
  NAMED(POOL_E_INVALID, pool_value(pool, "max_opn", &(int64_t){0}));
  NAMED(POOL_E_INVALID, pool_value(pool, "name", &(int64_t){0}));
  NAMED(POOL_E_INVALID, pool_value(pool, "queue", NULL));
  NAMED(POOL_E_INVALID, pool_stats(pool, NULL));
  NAMED(POOL_E_INVALID, pool_leases(pool, NULL, 1));
  NAMED(POOL_E_INVALID, pool_report(pool, 99, &text));
  NAMED(POOL_E_INVALID, pool_report(pool, POOL_FORMAT_TEXT, NULL));
  NAMED(POOL_E_UNSUPPORTED, pool_event_fd(pool));
  NAMED(POOL_E_UNSUPPORTED, pool_step_begin(pool, 0, 0, &(pool_step_t)POOL_STEP_INIT));
  NAMED(POOL_E_SIZE, pool_stats(pool, &(pool_stats_t){.size = 1}));
  NAMED(POOL_E_WILD, pool_stats(pool, &(pool_stats_t){.size = 1 << 20}));
  pool_lease_t lease = pool_get(pool);
  NAMED(POOL_E_TIMEOUT, pool_get(pool));
  NAMED(POOL_E_TIMEOUT, pool_get_for(pool, 0));
  NAMED(POOL_E_UNSUPPORTED, pool_call(lease, "echo", text = (pool_bytes_t){NULL, 0}, NULL, NULL));
  NAMED(POOL_E_UNSUPPORTED, pool_step_end(lease, &(pool_step_t)POOL_STEP_INIT));
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_close(pool, 0), 0);
  NAMED(POOL_E_CLOSED, pool_get(pool));
  NAMED(POOL_E_CLOSED, pool_pause(pool));
  NAMED(POOL_E_CLOSED, pool_resize(pool, 2));
  NAMED(POOL_E_CLOSED, pool_set(pool, "min_idle", 1));
  fake_finish(&fake, pool);
}

static void test_message__of_a_lease_that_is_over_names_the_pool_that_gave_it(void **state)
{
  (void)state;
  pool_t *pool = fake_start(&fake, ORDERS());
  pool_error_t error = POOL_ERROR_INIT;
  pool_bytes_t none = {NULL, 0};
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(pool_put(lease), 0);
  NAMED(POOL_E_STALE, pool_put(lease));
  NAMED(POOL_E_STALE, pool_mark_broken(lease));
  NAMED(POOL_E_STALE, pool_tag(lease, "late"));
  NAMED(POOL_E_STALE, pool_call(lease, "echo", none, NULL, &error));
  assert_non_null(strstr(error.message, "orders: no such lease"));
  NAMED(POOL_E_STALE, pool_go(lease, "echo", none, (pool_done_fn *)abort, NULL));
  NAMED(POOL_E_STALE, pool_step_end(lease, &(pool_step_t)POOL_STEP_INIT));
  fake_finish(&fake, pool);
  /* Another pool has the slot now, or none: what it did not give it does not answer for. */
  pool = fake_start(&fake, PLAN(.config.name = "prices", .config.initial = 3));
  assert_int_equal(pool_put(lease), POOL_E_STALE);
  pool_failure(&error);
  assert_string_equal(error.message, pool_strerror(POOL_E_STALE));
  fake_finish(&fake, pool);
}

static void assert_stale(int64_t result, const char *what)
{
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(result, POOL_E_STALE);
  pool_failure(&error);
  if (!strstr(error.message, what))
    fail_msg("\"%s\" does not say \"%s\"", error.message, what);
}

static void test_message__of_what_is_over_says_whether_it_was_a_ticket_a_claim_or_a_call(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = step_pool_able(ORDERS(.config.max_open = 1), POOL_STEP_JOINS);
  assert_opens(pool, -1, 0, &step);
  pool_lease_t claim = step.claim, lease = pool_step_done(claim, NULL, &step, &step);
  assert_true(lease > 0);
  assert_stale(pool_step_done(claim, NULL, &step, &step), "orders: no such claim: ");
  assert_stale(pool_step_join(claim, &step), "orders: no such claim: ");
  int64_t ticket = step_queue(pool, -1);
  assert_int_equal(pool_step_cancel(ticket, &step), 0);
  assert_stale(pool_step_cancel(ticket, &step), "no such ticket: ");
  assert_stale(pool_step_begin(pool, -1, ticket, &step), "no such ticket: ");
  assert_stale(pool_cancel(ticket), "no such ticket: ");
  assert_int_equal(step_put(lease), 0);
  assert_stale(pool_step_end(lease, &step), "orders: no such lease: ");
  step_finish(pool, 1);
  pool = fake_start(&fake, ORDERS(.vtable.go = fake_go));
  lease = pool_get(pool);
  assert_true(pool_go(lease, "echo", (pool_bytes_t){NULL, 0}, drop_reply, NULL) > 0);
  assert_int_equal(pool_call_done(fake.under_way, 0, (pool_bytes_t){NULL, 0}), 0);
  assert_stale(pool_call_done(fake.under_way, 0, (pool_bytes_t){NULL, 0}), "no such call: ");
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

static int open_in_vain(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)context, (void)deadline_ns, (void)conn;
  strcpy(error->message, "connection refused");
  return POOL_E_OPEN;
}

static void test_message__of_a_failed_open_names_the_pool(void **state)
{
  (void)state;
  const struct plan *plan = ORDERS(.vtable.open = open_in_vain, .config.retry_min_ms = 60000, .config.breaker_after = 1,
                                   .config.retry_max_ms = 60000);
  pool_t *pool = fake_start(&fake, plan);
  NAMED(POOL_E_OPEN, pool_get(pool));
  NAMED(POOL_E_OPEN, pool_get(pool)); /* the breaker is open */
  fake_finish(&fake, pool);
  pool_config_t config = plan->config;
  config.initial = 1;
  NAMED(POOL_E_OPEN, pool_create(&config, &plan->vtable, &fake, &pool, NULL));
}

static void test_message__of_a_pool_that_cannot_be_made_has_the_name_that_it_was_given(void **state)
{
  (void)state;
  pool_t *pool = NULL;
  const struct plan *plan = ORDERS(.config.max_open = 1, .config.min_idle = 2);
  pool_config_t config = plan->config;
  pool_vtable_t vtable = plan->vtable;
  NAMED(POOL_E_INVALID, pool_create(&config, &vtable, NULL, &pool, NULL));
  config.min_idle = 0;
  vtable.close = NULL;
  NAMED(POOL_E_VTABLE, pool_create(&config, &vtable, NULL, &pool, NULL));
  config.event_mask = 1 << 30;
  NAMED(POOL_E_NEWER, pool_create(&config, &plan->vtable, NULL, &pool, NULL));
  config.event_mask = 0;
  NAMED(POOL_E_DRIVER, pool_create_driver(&config, "nosuch", "", &pool, NULL));
  NAMED(POOL_E_DRIVER, pool_open_with(&config, "nosuch://host", &pool, NULL));
  NAMED(POOL_E_INVALID, pool_open_with(&config, "no URL", &pool, NULL));
  void *context;
  NAMED(POOL_E_DRIVER, pool_url_prepare("nosuch://host", &config, &vtable, &context, NULL));
  NAMED(POOL_E_INVALID, pool_url_prepare("nosuch://host?pool.max_open=-1", &config, &vtable, &context, NULL));
  NAMED(POOL_E_INVALID, pool_url_prepare("no URL", &config, &vtable, &context, NULL));
  NAMED(POOL_E_NEWER, pool_step_create(&config, 1 << 30, &pool, NULL));
  /* The name that every pool has without one says nothing of it. */
  pool_error_t error = POOL_ERROR_INIT;
  config.name = "pool";
  assert_int_equal(pool_step_create(&config, 1 << 30, &pool, &error), POOL_E_NEWER);
  assert_string_equal(error.message, "abilities has bits that this version of the library does not know");
}

struct ended {
  _Atomic int64_t result;
  pool_error_t error;
};

static void end(void *user, pool_lease_t result)
{
  struct ended *ended = user;
  pool_failure(&ended->error);
  atomic_store(&ended->result, result);
}

static void assert_ended(struct ended *ended, int code)
{
  wait_until(atomic_load(&ended->result));
  assert_int_equal(ended->result, code);
  assert_int_equal(strncmp(ended->error.message, "orders: ", 8), 0);
  seen[-code] = true;
  *ended = (struct ended){.error = POOL_ERROR_INIT};
}

static void test_message__of_a_wait_that_was_ended_names_the_pool(void **state)
{
  (void)state;
  struct ended ended = {.error = POOL_ERROR_INIT};
  pool_t *pool = fake_start(&fake, ORDERS(.config.max_open = 1, .config.max_waiters = 1));
  pool_lease_t lease = pool_get(pool);
  int64_t ticket = pool_get_async(pool, -1, end, &ended);
  NAMED(POOL_E_OVERLOAD, pool_get(pool));
  NAMED(POOL_E_OVERLOAD, pool_get_async(pool, -1, end, &ended));
  assert_int_equal(pool_cancel(ticket), 0);
  assert_ended(&ended, POOL_E_CANCELLED);
  assert_true(pool_get_async(pool, -1, end, &ended) > 0);
  assert_int_equal(pool_evict(pool), 1);
  assert_ended(&ended, POOL_E_EVICTED);
  assert_true(pool_get_async(pool, 5, end, &ended) > 0);
  assert_ended(&ended, POOL_E_TIMEOUT);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

/* The method is the code that the call ends with. */
static int call(void *context, void *conn, const char *method, pool_bytes_t args, pool_bytes_t *reply,
                int64_t deadline_ns, pool_error_t *error)
{
  (void)context, (void)conn, (void)args, (void)reply, (void)deadline_ns;
  strcpy(error->message, "division by zero");
  return atoi(method);
}

static void test_message__of_a_call_names_the_pool_but_for_what_the_server_says(void **state)
{
  (void)state;
  pool_error_t error = POOL_ERROR_INIT;
  pool_bytes_t none = {NULL, 0};
  pool_t *pool = fake_start(&fake, ORDERS(.vtable.call = call));
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(pool_call(lease, "-6", none, NULL, &error), POOL_E_REMOTE);
  assert_string_equal(error.message, "division by zero");
  seen[-POOL_E_REMOTE] = true;
  NAMED(POOL_E_NOMEM, pool_call(lease, "-11", none, NULL, NULL));
  NAMED(POOL_E_BROKEN, pool_call(lease, "-7", none, NULL, NULL));
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
}

static void test_message__of_a_thread_that_the_system_refuses_names_the_pool(void **state)
{
  (void)state;
  struct ended ended = {.error = POOL_ERROR_INIT};
  pool_t *pool = fake_start(&fake, ORDERS());
  atomic_store(&no_threads, true);
  NAMED(POOL_E_SYSTEM, pool_get_async(pool, -1, end, &ended));
  atomic_store(&no_threads, false);
  fake_finish(&fake, pool);
}

static void test_message__was_seen_for_every_code(void **state)
{
  (void)state;
  for (int code = -1; strcmp(pool_strerror(code), "unknown error") != 0; code--)
    if (code != POOL_E_OLDER && !seen[-code]) /* no release has been given up yet */
      fail_msg("no test provokes code %d: %s", code, pool_strerror(code));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_message__of_a_pool_that_exists_names_it),
      cmocka_unit_test(test_message__of_a_lease_that_is_over_names_the_pool_that_gave_it),
      cmocka_unit_test(test_message__of_what_is_over_says_whether_it_was_a_ticket_a_claim_or_a_call),
      cmocka_unit_test(test_message__of_a_failed_open_names_the_pool),
      cmocka_unit_test(test_message__of_a_pool_that_cannot_be_made_has_the_name_that_it_was_given),
      cmocka_unit_test(test_message__of_a_wait_that_was_ended_names_the_pool),
      cmocka_unit_test(test_message__of_a_call_names_the_pool_but_for_what_the_server_says),
      cmocka_unit_test(test_message__of_a_thread_that_the_system_refuses_names_the_pool),
      cmocka_unit_test(test_message__was_seen_for_every_code), /* the last */
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
