/* SPDX-License-Identifier: MIT */
/* The drivers and descriptions that there are. */
#include "api/drivers.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/thread.h"

/* Which driver or description a file is: pool-NAME.so or NAME.pool.  False: neither. */
static bool name_of(const char *file, char name[SEARCH_NAME_LIMIT + 1], bool *described)
{
  size_t length = strlen(file), skip = 0;
  *described = length > 5 && strcmp(file + length - 5, ".pool") == 0;
  if (*described)
    length -= 5;
  else if (strncmp(file, SEARCH_ENGINE, strlen(SEARCH_ENGINE)) == 0)
    return false;
  else if (length > 8 && strncmp(file, "pool-", 5) == 0 && strcmp(file + length - 3, ".so") == 0)
    skip = 5, length -= 8;
  else
    return false;
  if (!search_is_name(file + skip, length))
    return false;
  memcpy(name, file + skip, length);
  name[length] = 0;
  return true;
}

/* A walk over the files of all folders. */
struct walk {
  struct search *search;
  pool_driver_seen_fn *seen;
  void *user;
  int result; /* what `seen` returned */
  int told;
};

static void tell(struct walk *walk, const char *name, const pool_driver_t *driver, bool usable)
{
  const pool_driver_info_t info = {.size = sizeof info,
                                   .name = name,
                                   .path = walk->search->path,
                                   .schemes = driver->schemes ? driver->schemes : name,
                                   .version = driver->version ? driver->version : "",
                                   .needs = driver->needs ? driver->needs : "",
                                   .problem = usable ? "" : walk->search->why,
                                   .code = usable ? 0 : POOL_E_DRIVER};
  walk->told++;
  walk->result = walk->seen(walk->user, &info);
}

static void look_at_file(struct walk *walk, const char *folder, size_t length, const char *file)
{
  char name[SEARCH_NAME_LIMIT + 1];
  bool described;
  pool_driver_t driver = {.needs = "the driver foreign"};
  if (!name_of(file, name, &described) || !search_at(walk->search, folder, length, file, "", ""))
    return;
  if (described)
    tell(walk, name, &driver, search_may_read(walk->search));
  else {
    bool usable = search_load(walk->search, name, &driver);
    if (!usable)
      driver = (pool_driver_t){0};
    tell(walk, name, &driver, usable);
  }
}

static bool walk_folder(void *data, const char *folder, size_t length)
{
  struct walk *walk = data;
  char path[4096];
  if (length >= sizeof path)
    return false;
  memcpy(path, folder, length);
  path[length] = 0;
  struct dirent **files = NULL;
  int count = scandir(path, &files, NULL, alphasort);
  for (int i = 0; i < count; i++) {
    if (walk->result == 0)
      look_at_file(walk, folder, length, files[i]->d_name);
    free(files[i]);
  }
  free(files);
  return walk->result != 0;
}

int drivers_walk(struct search *search, pool_driver_seen_fn *seen, void *user)
{
  struct walk walk = {.search = search, .seen = seen, .user = user};
  search_folders(walk_folder, &walk);
  return walk.result ? walk.result : walk.told;
}

int pool_drivers(pool_driver_seen_fn *seen, void *user)
{
  if (!seen)
    return error_set(NULL, POOL_E_INVALID, 0, "seen is NULL");
  struct search *search = malloc(sizeof *search);
  if (!search)
    return error_set(NULL, POOL_E_NOMEM, 0, "no memory to look for drivers");
  int cancel_state = cancel_hold();
  search->tried[0] = 0;
  int result = drivers_walk(search, seen, user);
  cancel_release(cancel_state);
  free(search);
  return result;
}
