/* SPDX-License-Identifier: MIT */
/* poolctl settings: what pool_setting() tells. */
#include <inttypes.h>
#include <string.h>

#include <pool/pool.h>

#include "arguments.h"
#include "commands.h"
#include "say.h"

static const char *const types[] = {
    [POOL_SETTING_NUMBER] = "number", [POOL_SETTING_CHOICE] = "choice", [POOL_SETTING_TEXT] = "text"};

static json_t *describe(const pool_setting_t *setting)
{
  json_t *one = json_pack("{s:s, s:s, s:s, s:s}", "name", setting->name, "type", types[setting->type], "unit",
                          setting->unit, "sentence", setting->sentence);
  if (setting->choices[0])
    json_object_set_new(one, "choices", json_string(setting->choices));
  if (setting->type == POOL_SETTING_TEXT)
    return one;
  json_object_set_new(one, "default", json_integer(setting->standard));
  json_object_set_new(one, "least", json_integer(setting->least));
  json_object_set_new(one, "most", json_integer(setting->most));
  if (setting->off_means[0]) {
    json_object_set_new(one, "off", json_integer(setting->off));
    json_object_set_new(one, "off_means", json_string(setting->off_means));
  }
  return one;
}

static void print(const pool_setting_t *setting)
{
  printf("%s", setting->name);
  if (setting->choices[0])
    printf(" (one of: %s)", setting->choices);
  else if (setting->type == POOL_SETTING_NUMBER)
    printf(" = %" PRId64 " (%" PRId64 " to %" PRId64 "%s%s)", setting->standard, setting->least, setting->most,
           setting->unit[0] ? " " : "", setting->unit);
  if (setting->off_means[0])
    printf("; %" PRId64 ": %s", setting->off, setting->off_means);
  printf("\n    %s\n", setting->sentence);
}

/* The library says which name is nearly right. */
static int refuse(const char *name)
{
  pool_config_t config = POOL_CONFIG_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  pool_bytes_t text;
  char shown[SAY_WORD_ROOM];
  if (pool_config_get(&config, say_word(shown, name), &text, &error) == 0)
    pool_bytes_free(&text);
  return say_failure(EXIT_USAGE, "%s; `poolctl settings` lists them", error.message);
}

int settings_run(const struct arguments *arguments)
{
  const char *wanted = arguments->words[0];
  json_t *list = json_array();
  pool_setting_t setting = POOL_SETTING_INIT;
  for (int32_t i = 0, count = 1; i < count; i++) {
    count = pool_setting(i, &setting);
    if (count > 0 && (!wanted || strcmp(wanted, setting.name) == 0)) {
      json_array_append_new(list, describe(&setting));
      if (!arguments->json)
        print(&setting);
    }
  }
  if (wanted && json_array_size(list) == 0) {
    json_decref(list);
    return refuse(wanted);
  }
  if (arguments->json)
    return say_json(json_pack("{s:o}", "settings", list));
  json_decref(list);
  return EXIT_OK;
}
