/* SPDX-License-Identifier: MIT */
/* The phases that an open says: what its failure is told with, and what a listener hears. */
#include <stdio.h>
#include <string.h>

#include "support.h"

/* What an open says and returns; the last phase is under way then. */
struct script {
  const char *phases[4]; /* NULL is behind the last */
  const char *message;
  int code;
  pool_t *inner; /* a lease of it is taken and put, too */
};

static int connection; /* any address will do */

static int open_by_script(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  const struct script *script = context;
  (void)deadline_ns;
  for (int i = 0; i < 4 && script->phases[i]; i++)
    pool_phase(script->phases[i], NULL);
  if (script->inner)
    pool_put(pool_get(script->inner));
  snprintf(error->message, sizeof error->message, "%s", script->message ? script->message : "");
  *conn = &connection;
  return script->code;
}

static int close_nothing(void *context, void *conn, pool_error_t *error)
{
  (void)context, (void)conn, (void)error;
  return 0;
}

static pool_t *pool_of(struct script *script, const pool_config_t *config)
{
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  pool_t *pool = NULL;
  vtable.open = open_by_script;
  vtable.close = close_nothing;
  assert_int_equal(pool_create(config, &vtable, script, &pool, NULL), 0);
  return pool;
}

static void end(pool_t *pool)
{
  assert_int_equal(pool_close(pool, -1), 0);
  pool_free(pool);
}

/* The message of a get whose open follows the script. */
static const char *failure_of(struct script script)
{
  static pool_error_t error;
  pool_config_t config = POOL_CONFIG_INIT;
  config.name = "p";
  pool_t *pool = pool_of(&script, &config);
  error = (pool_error_t)POOL_ERROR_INIT;
  assert_int_equal(pool_get(pool), script.code);
  assert_int_equal(pool_failure(&error), script.code);
  end(pool);
  return error.message;
}

#define FAILURE(...) failure_of((struct script){.code = POOL_E_OPEN, __VA_ARGS__})

static void test_phase__the_last_is_in_the_message_of_an_open_that_failed(void **state)
{
  (void)state;
  assert_string_equal(FAILURE(.phases = {"connect", "tls"}, .message = "no answer"), "p: no answer (in phase tls)");
  assert_string_equal(FAILURE(.phases = {"login"}), "p: open failed without saying why (in phase login)");
  assert_string_equal(FAILURE(.phases = {"connect"}, .message = "refused; that's it\nand more"),
                      "p: refused; that's it (in phase connect)");
}

static void test_phase__it_is_not_said_twice_nor_where_there_is_none(void **state)
{
  (void)state;
  assert_string_equal(FAILURE(.phases = {"tls"}, .message = "TLS handshake: late"), "p: TLS handshake: late");
  assert_string_equal(FAILURE(.message = "no answer"), "p: no answer");
  assert_string_equal(FAILURE(.phases = {""}, .message = "no answer"), "p: no answer");
}

static void test_phase__a_timeout_says_it_as_well(void **state)
{
  (void)state;
  const char *message = failure_of((struct script){.phases = {"login"}, .message = "late", .code = POOL_E_TIMEOUT});
  assert_non_null(strstr(message, "late (in phase login)"));
}

static void test_phase__a_name_is_cut_and_is_one_line_as_the_message_is(void **state)
{
  (void)state;
  assert_string_equal(FAILURE(.phases = {"a\nb"}, .message = "no"), "p: no (in phase a?b)");
  assert_string_equal(FAILURE(.phases = {"a name of a phase that is too long"}, .message = "no"),
                      "p: no (in phase a name of a phase that is too l)");
  char longest[sizeof((pool_error_t *)0)->message];
  memset(longest, 'x', sizeof longest - 1);
  longest[sizeof longest - 1] = 0;
  assert_null(strstr(FAILURE(.phases = {"tls"}, .message = longest), "tls"));
}

static void test_phase__that_of_another_pools_open_is_not_taken_for_ones_own(void **state)
{
  (void)state;
  struct script inside = {.phases = {"inside"}};
  pool_t *inner = pool_of(&inside, NULL);
  assert_string_equal(FAILURE(.phases = {"outside"}, .message = "no", .inner = inner), "p: no (in phase outside)");
  end(inner);
}

static void test_phase__one_open_knows_nothing_of_the_last(void **state)
{
  (void)state;
  struct script script = {.phases = {"login"}, .message = "no", .code = POOL_E_OPEN};
  pool_t *pool = pool_of(&script, NULL);
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(pool_get(pool), POOL_E_OPEN);
  script.phases[0] = NULL;
  assert_int_equal(pool_get(pool), POOL_E_OPEN);
  pool_failure(&error);
  assert_null(strstr(error.message, "login"));
  end(pool);
}

/* ---- listening ---- */

static void hear(void *user, const char *name, const char *detail)
{
  char *text = user;
  sprintf(text + strlen(text), "%s(%s) ", name ? name : "!", detail ? detail : "");
}

static void test_phase__a_listener_hears_all_of_its_thread(void **state)
{
  (void)state;
  char text[200] = "";
  struct script script = {.phases = {"connect", "login"}};
  pool_t *pool = pool_of(&script, NULL);
  pool_phase("connect", "to nobody");
  pool_phase_listen(hear, text);
  pool_lease_t lease = pool_get(pool);
  pool_phase("here", "outside of a callback");
  pool_phase(NULL, "for a reason");
  pool_phase_listen(NULL, NULL);
  pool_phase("connect", "to nobody");
  assert_string_equal(text, "connect() login() here(outside of a callback) !(for a reason) ");
  assert_int_equal(pool_put(lease), 0);
  end(pool);
}

static void test_phase__a_listener_does_not_hear_other_threads(void **state)
{
  (void)state;
  char text[200] = "";
  struct script script = {.phases = {"connect"}};
  pool_config_t config = POOL_CONFIG_INIT;
  config.openers = 1;
  pool_t *pool = pool_of(&script, &config);
  pool_phase_listen(hear, text);
  pool_lease_t lease = pool_get(pool);
  pool_phase_listen(NULL, NULL);
  assert_true(lease > 0);
  assert_string_equal(text, "");
  assert_int_equal(pool_put(lease), 0);
  end(pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_phase__the_last_is_in_the_message_of_an_open_that_failed),
      cmocka_unit_test(test_phase__it_is_not_said_twice_nor_where_there_is_none),
      cmocka_unit_test(test_phase__a_timeout_says_it_as_well),
      cmocka_unit_test(test_phase__a_name_is_cut_and_is_one_line_as_the_message_is),
      cmocka_unit_test(test_phase__that_of_another_pools_open_is_not_taken_for_ones_own),
      cmocka_unit_test(test_phase__one_open_knows_nothing_of_the_last),
      cmocka_unit_test(test_phase__a_listener_hears_all_of_its_thread),
      cmocka_unit_test(test_phase__a_listener_does_not_hear_other_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
