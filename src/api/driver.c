/* SPDX-License-Identifier: MIT */
/* A driver by its name. */
#include "api/driver.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/sized.h"
#include "base/thread.h"
#include "api/settings.h"

/* A look for one name in one folder after the other. */
struct look {
  struct search *search;
  const char *name;
  pool_driver_t *driver;
};

static bool look_in(void *data, const char *folder, size_t length)
{
  struct look *look = data;
  struct search *search = look->search;
  if (!search_at(search, folder, length, "pool-", look->name, ".so"))
    return false;
  if (search_load(search, look->name, look->driver))
    return true;
  search_note(search);
  return false;
}

bool driver_find(struct search *search, const char *name, pool_driver_t *driver)
{
  struct look look = {.search = search, .name = name, .driver = driver};
  return search_folders(look_in, &look);
}

int driver_prepare(const pool_driver_t *driver, const char *name, const char *address, pool_vtable_t *vtable,
                   void **context, pool_error_t *error)
{
  pool_error_t why = POOL_ERROR_INIT;
  pool_vtable_t filled = POOL_VTABLE_INIT;
  void *made = NULL;
  int code = driver->prepare(address, &filled, &made, &why);
  error_finish(&why);
  if (code > 0) /* not one of pool.h, and it would pass for success */
    code = POOL_E_DRIVER;
  if (code)
    return error_set(error, code, why.native, "%s: %s", name, why.message[0] ? why.message : pool_strerror(code));
  sized_write(vtable, &filled, VTABLE_SIZES);
  *context = made;
  return 0;
}

int driver_create(const pool_config_t *config, const pool_vtable_t *vtable, void *context, pool_t **pool,
                  pool_error_t *error)
{
  int code = pool_create(config, vtable, context, pool, error);
  if (code && vtable->release)
    vtable->release(context);
  return code;
}

static int find(const char *name, pool_driver_t *driver, pool_error_t *error)
{
  if (!search_is_name(name, strlen(name)))
    return error_set(error, POOL_E_INVALID, 0, "a driver's name has 1 to %d letters, digits, '-' and '_'",
                     SEARCH_NAME_LIMIT);
  struct search *search = malloc(sizeof *search);
  if (!search)
    return error_set(error, POOL_E_NOMEM, 0, "no memory to look for the driver '%s'", name);
  search->tried[0] = 0;
  bool found = driver_find(search, name, driver);
  int code = found ? 0 : error_set(error, POOL_E_DRIVER, 0, "no driver '%s'%s", name, search->tried);
  free(search);
  return code;
}

static int prepare(const char *name, const char *address, pool_vtable_t *vtable, void **context, pool_error_t *error)
{
  pool_driver_t driver;
  if (!name || !address || !vtable || !context)
    return error_set(error, POOL_E_INVALID, 0, "%s is NULL",
                     !name      ? "name"
                     : !address ? "address"
                     : !vtable  ? "vtable"
                                : "context");
  int code = sized_check(vtable->size, VTABLE_SIZES);
  if (code)
    return error_set(error, code, 0, "pool_vtable_t: %s", pool_strerror(code));
  code = find(name, &driver, error);
  return code ? code : driver_prepare(&driver, name, address, vtable, context, error);
}

int pool_driver_prepare(const char *name, const char *address, pool_vtable_t *vtable, void **context,
                        pool_error_t *error)
{
  int cancel_state = cancel_hold();
  int code = prepare(name, address, vtable, context, error);
  cancel_release(cancel_state);
  return code;
}

int pool_create_driver(const pool_config_t *config, const char *name, const char *address, pool_t **pool,
                       pool_error_t *error)
{
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  void *context = NULL;
  int code = pool_driver_prepare(name, address, &vtable, &context, error);
  return code ? config_refuse(config, code, error) : driver_create(config, &vtable, context, pool, error);
}
