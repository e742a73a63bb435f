/* SPDX-License-Identifier: MIT */
/* The recipes of the pages are settings that the library accepts, and the contradictions are refused with the words
 * shown. */
#include <stdio.h>
#include <string.h>

#include "support.h"

static const char *folder;

static FILE *page(const char *name)
{
  char path[500];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "r");
  if (!file)
    fail_msg("%s is not there", path);
  return file;
}

/* A line NAME = VALUE. */
static void set(pool_config_t *config, char *line)
{
  pool_error_t error = POOL_ERROR_INIT;
  char *equals = strstr(line, " = ");
  if (!equals)
    fail_msg("not NAME = VALUE: %s", line);
  *equals = 0;
  if (pool_config_set(config, line, equals + 3, &error) != 0)
    fail_msg("%s", error.message);
}

/* Settings that need a vtable with everything. */
static int make(const pool_config_t *config, pool_error_t *error)
{
  struct fake fake;
  fake_init(&fake);
  pool_vtable_t vtable = fake_vtable();
  vtable.check = fake_check;
  pool_t *pool;
  int code = pool_create(config, &vtable, &fake, &pool, error);
  if (code == 0) {
    pool_close(pool, -1);
    pool_free(pool);
  }
  return code;
}

static int check_recipes(const char *name)
{
  char line[300];
  int count = 0, inside = 0;
  pool_config_t config = POOL_CONFIG_INIT;
  FILE *file = page(name);
  while (fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = 0;
    if (inside && strcmp(line, "```") == 0) {
      pool_error_t error = POOL_ERROR_INIT;
      if (make(&config, &error) != 0)
        fail_msg("%s: %s", name, error.message);
      inside = 0;
      count++;
    } else if (inside) {
      set(&config, line);
    } else if (strcmp(line, "```settings") == 0) {
      inside = 1;
      config = (pool_config_t)POOL_CONFIG_INIT;
    }
  }
  fclose(file);
  return count;
}

static void every_recipe_is_accepted(void **state)
{
  (void)state;
  assert_int_equal(check_recipes("settings.md"), 6);
  assert_int_equal(check_recipes("server-down.md"), 1);
  assert_int_equal(check_recipes("overload.md"), 1);
}

/* What docs/settings.md says of contradictions, in its own words. */
static void every_contradiction_is_refused_with_the_words_shown(void **state)
{
  static const char *const settings[][2] = {
      {"min_idle=3 max_open=2", "min_idle is 3, which is more than max_open, 2"},
      {"initial=12", "initial is 12, which is more than max_idle, 10 (the default where there is no max_open)"},
      {"retry_min_ms=9000", "retry_min_ms is 9000, which is more than retry_max_ms, 5000"},
      {"keepalive_ms=60000 max_lifetime_ms=60000",
       "keepalive_ms is 60000 and max_lifetime_ms is 60000; no connection would live to be kept alive"},
  };
  char line[300], text[20000] = "";
  (void)state;
  FILE *file = page("settings.md");
  text[fread(text, 1, sizeof text - 1, file)] = 0;
  fclose(file);
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
    pool_config_t config = POOL_CONFIG_INIT;
    pool_error_t error = POOL_ERROR_INIT;
    snprintf(line, sizeof line, "%s", settings[i][0]);
    char *rest = NULL;
    for (char *word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
      char *equals = strchr(word, '=');
      *equals = 0;
      assert_int_equal(pool_config_set(&config, word, equals + 1, &error), 0);
    }
    assert_int_equal(make(&config, &error), POOL_E_INVALID);
    assert_string_equal(error.message, settings[i][1]);
    if (!strstr(text, settings[i][1]))
      fail_msg("docs/settings.md does not show: %s", settings[i][1]);
  }
}

int main(int argc, char **argv)
{
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_recipe_is_accepted),
      cmocka_unit_test(every_contradiction_is_refused_with_the_words_shown),
  };
  folder = argc > 1 ? argv[1] : "docs";
  return cmocka_run_group_tests(tests, NULL, NULL);
}
