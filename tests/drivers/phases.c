/* SPDX-License-Identifier: MIT */
#include "phases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <pool/driver.h>

#include "support.h"

static char heard[1024];

static void add_word(const char *word)
{
  size_t length = strlen(heard);
  snprintf(heard + length, sizeof heard - length, "%s%s", length ? " " : "", word);
}

static void hear(void *user, const char *name, const char *detail)
{
  (void)user, (void)detail;
  if (name)
    add_word(name);
  else
    strcat(heard, "!");
}

static pool_t *open_pool(const char *url)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool = NULL;
  if (pool_open(url, &pool, &error) != 0)
    fail_msg("%s", error.message);
  return pool;
}

static void end_pool(pool_t *pool)
{
  assert_int_equal(pool_close(pool, 10000), 0);
  pool_free(pool);
}

void phases_expect(const char *url, const char *expected)
{
  pool_t *pool = open_pool(url);
  pool_error_t error = POOL_ERROR_INIT;
  heard[0] = 0;
  pool_phase_listen(hear, NULL);
  pool_lease_t lease = pool_get(pool);
  pool_phase_listen(NULL, NULL);
  if (lease < 0) {
    pool_failure(&error);
    fail_msg("%s", error.message);
  }
  assert_int_equal(pool_put(lease), 0);
  assert_string_equal(heard, expected);
  end_pool(pool);
}

/* Where much else runs an open may be late already before it comes to the server's silence. */
void phases_expect_late(const char *url, const char *text)
{
  pool_t *pool = open_pool(url);
  pool_error_t error = POOL_ERROR_INIT;
  int tries = 0;
  do {
    assert_int_equal(pool_get_for(pool, 100), POOL_E_TIMEOUT);
    pool_failure(&error);
  } while (!strstr(error.message, text) && ++tries < 100);
  if (tries == 100)
    fail_msg("'%s' does not say '%s'", error.message, text);
  end_pool(pool);
}

/* ---- poolctl ---- */

static void read_steps(FILE *output)
{
  char line[2048], step[64], result[64];
  while (fgets(line, sizeof line, output)) {
    assert_int_equal(sscanf(line, "%62s %62s", step, result), 2);
    if (strcmp(result, "failed") == 0)
      strcat(step, "!");
    add_word(step);
  }
}

/* Returns the exit status. */
static int run_check(const char *poolctl, const char *url, int timeout_ms)
{
  char command[512];
  snprintf(command, sizeof command, "'%s' check --timeout %d", poolctl, timeout_ms);
  assert_int_equal(setenv("POOL_URL", url, 1), 0);
  FILE *output = popen(command, "r");
  assert_non_null(output);
  heard[0] = 0;
  read_steps(output);
  int status = pclose(output);
  assert_int_equal(unsetenv("POOL_URL"), 0);
  return WEXITSTATUS(status);
}

static void check_shows(const char *url, const char *expected, int timeout_ms, int tries)
{
  int code;
  const char *poolctl = getenv("POOLCTL");
  if (!poolctl) {
    print_message("poolctl was not built, so what it shows of the phases is not looked at\n");
    return;
  }
  do
    code = run_check(poolctl, url, timeout_ms);
  while (strcmp(heard, expected) != 0 && --tries > 0);
  assert_string_equal(heard, expected);
  assert_int_equal(code, strstr(expected, "open!") ? 1 : 0);
}

void phases_expect_check(const char *url, const char *expected)
{
  check_shows(url, expected, 60000, 1);
}

/* As above, it may be late before it comes to the silence. */
void phases_expect_late_check(const char *url, const char *expected)
{
  check_shows(url, expected, 200, 50);
}
