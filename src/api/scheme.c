/* SPDX-License-Identifier: MIT */
/* Which driver a scheme has: the one of that name, else a description of that name, else one that says so. */
#include "api/scheme.h"

#include <string.h>
#include <unistd.h>

#include "api/driver.h"
#include "api/drivers.h"
#include "base/error.h"
#include "base/near.h"

/* ---- a description ---- */

struct look {
  struct search *search;
  const char *name;
};

static bool is_described_in(void *data, const char *folder, size_t length)
{
  struct look *look = data;
  struct search *search = look->search;
  if (!search_at(search, folder, length, "", look->name, ".pool"))
    return false;
  if (search_may_read(search))
    return true;
  if (access(search->path, F_OK) == 0) /* one that is missing is nothing to speak of */
    search_note(search);
  return false;
}

int scheme_foreign(struct scheme *scheme, struct search *search, pool_error_t *error)
{
  strcpy(scheme->name, "foreign");
  if (driver_find(search, scheme->name, &scheme->driver))
    return 0;
  return error_set(error, POOL_E_DRIVER, 0, "descriptions need the driver 'foreign'%s", search->tried);
}

static int take_description(struct scheme *scheme, struct search *search, pool_error_t *error)
{
  scheme->description = strdup(search->path);
  return scheme->description ? scheme_foreign(scheme, search, error)
                             : error_set(error, POOL_E_NOMEM, 0, "no memory to look for a driver");
}

/* ---- what drivers say ---- */

/* A question to each driver. */
struct question {
  struct search *search;
  const char *scheme;
  struct near near;
  char owner[SEARCH_NAME_LIMIT + 1]; /* the driver that has the scheme among its own */
  char meant[SEARCH_NAME_LIMIT + 1]; /* the scheme that is nearest, of all drivers */
};

static bool has_word(const char *words, const char *word)
{
  size_t length = strlen(word);
  for (; *words; words += strspn(words, " ")) {
    size_t size = strcspn(words, " ");
    if (size == length && strncmp(words, word, length) == 0)
      return true;
    words += size;
  }
  return false;
}

static void compare(struct question *question, const char *word, size_t length)
{
  char scheme[sizeof question->meant];
  if (length >= sizeof scheme)
    return;
  memcpy(scheme, word, length);
  scheme[length] = 0;
  near_look(&question->near, scheme);
  if (question->near.found)
    strcpy(question->meant, scheme);
  question->near.found = NULL;
}

/* What a driver that cannot be loaded has among its own schemes is not known, so it is named.  The one of the scheme's
   own name was named before. */
static void note_problem(struct question *question, const pool_driver_info_t *driver)
{
  if (strcmp(driver->name, question->scheme) != 0)
    search_note(question->search);
}

static int ask(void *user, const pool_driver_info_t *driver)
{
  struct question *question = user;
  if (driver->code) {
    note_problem(question, driver);
    return 0;
  }
  if (has_word(driver->schemes, question->scheme)) {
    strcpy(question->owner, driver->name);
    return 1;
  }
  compare(question, driver->name, strlen(driver->name));
  for (const char *word = driver->schemes; *word; word += strspn(word, " ")) {
    compare(question, word, strcspn(word, " "));
    word += strcspn(word, " ");
  }
  return 0;
}

static int take_owner(struct scheme *scheme, struct search *search, const char *name, pool_error_t *error)
{
  struct question question = {.search = search, .scheme = name, .near = near_begin(name)};
  drivers_walk(search, ask, &question);
  if (question.owner[0] && driver_find(search, question.owner, &scheme->driver)) {
    strcpy(scheme->name, question.owner);
    return 0;
  }
  bool meant = question.meant[0];
  return error_set(error, POOL_E_DRIVER, 0, "no driver for the scheme '%.32s'%s%s%s%s", name,
                   meant ? " (did you mean '" : "", question.meant, meant ? "'?)" : "", search->tried);
}

int scheme_find(struct scheme *scheme, struct search *search, const char *name, pool_error_t *error)
{
  struct look look = {.search = search, .name = name};
  bool is_name = search_is_name(name, strlen(name));
  if (is_name && driver_find(search, name, &scheme->driver)) {
    strcpy(scheme->name, name);
    return 0;
  }
  if (is_name && search_folders(is_described_in, &look))
    return take_description(scheme, search, error);
  return take_owner(scheme, search, name, error);
}
