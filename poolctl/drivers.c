/* SPDX-License-Identifier: MIT */
/* poolctl drivers: what pool_drivers() finds. */
#include <stdbool.h>

#include <pool/driver.h>

#include "arguments.h"
#include "base/text.h"
#include "commands.h"
#include "say.h"

static int collect(void *user, const pool_driver_info_t *driver)
{
  json_t *list = user;
  json_t *one = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:s}", "name", driver->name, "schemes", driver->schemes,
                          "version", driver->version, "needs", driver->needs, "path", driver->path, "usable",
                          driver->problem[0] == 0, "problem", driver->problem);
  json_array_append_new(list, one ? one : json_string("a path that is not UTF-8"));
  return 0;
}

static void print(json_t *list)
{
  size_t i;
  json_t *driver;
  printf("%-12s %-24s %-10s %-24s %s\n", "DRIVER", "SCHEMES", "VERSION", "NEEDS", "FILE");
  json_array_foreach(list, i, driver)
  {
    const char *name = "?", *schemes = "", *version = "", *needs = "", *path = "", *problem = "";
    json_unpack(driver, "{s:s, s:s, s:s, s:s, s:s, s:s}", "name", &name, "schemes", &schemes, "version", &version,
                "needs", &needs, "path", &path, "problem", &problem);
    printf("%-12s %-24s %-10s %-24s %s\n", name, schemes, version, needs, path);
    if (problem[0])
      printf("  cannot be used: %s\n", problem);
  }
}

int drivers_run(const struct arguments *arguments)
{
  json_t *list = json_array();
  int count = pool_drivers(collect, list);
  bool none = count <= 0;
  if (arguments->json)
    say_json(json_pack("{s:o}", "drivers", list));
  else {
    if (!none)
      print(list);
    json_decref(list);
  }
  if (count < 0)
    return say_failure(EXIT_FAILED, "the drivers cannot be listed: %s", pool_strerror(count));
  if (none)
    return say_failure(EXIT_ABSENT, "no driver is installed; install one (libpool-drivers), or name its folder in "
                                    "POOL_DRIVER_PATH");
  return EXIT_OK;
}
