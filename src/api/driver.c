/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pool/driver.h>
#include <pool/pool.h>

#include "base/error.h"
#include "base/sized.h"
#include "base/thread.h"

/* Where `cmake --install` puts the drivers, unless the installed tree was moved. */
#ifndef POOL_DRIVER_FOLDER
#define POOL_DRIVER_FOLDER "/usr/local/lib/pool"
#endif

#define NAME_LIMIT 32

static const char default_folder[] = POOL_DRIVER_FOLDER;

static bool is_name(const char *name)
{
  size_t length = name ? strlen(name) : 0;
  for (size_t i = 0; i < length; i++)
    if (!isalnum((unsigned char)name[i]) && name[i] != '-' && name[i] != '_')
      return false;
  return length > 0 && length <= NAME_LIMIT;
}

/* A search for a driver.  Not on the stack: that may be as small as PTHREAD_STACK_MIN, and the loader needs it. */
struct search {
  const char *name;
  char path[4096];
  char tried[2048]; /* what the loader said of each file, with "; " before it */
};

/* Tries one folder. */
static void *load_from(struct search *search, const char *folder, int length, const char *below)
{
  int size = snprintf(search->path, sizeof search->path, "%.*s%s/pool-%s.so", length, folder, below, search->name);
  if (size >= (int)sizeof search->path)
    return NULL;
  void *object = dlopen(search->path, RTLD_NOW | RTLD_LOCAL);
  if (!object) {
    size_t used = strlen(search->tried);
    snprintf(search->tried + used, sizeof search->tried - used, "; %s", dlerror());
  }
  return object;
}

/* The folder `pool` beside libpool itself. */
static void *load_beside_library(struct search *search)
{
  Dl_info library;
  const void *ours = &default_folder;
  const char *slash = dladdr(ours, &library) ? strrchr(library.dli_fname, '/') : NULL;
  return slash ? load_from(search, library.dli_fname, (int)(slash - library.dli_fname), "/pool") : NULL;
}

static void *load(struct search *search)
{
  const char *folders = secure_getenv("POOL_DRIVER_PATH");
  while (folders && *folders) {
    int length = (int)strcspn(folders, ":");
    void *object = length ? load_from(search, folders, length, "") : NULL;
    if (object)
      return object;
    folders += length + (folders[length] == ':');
  }
  void *object = load_beside_library(search);
  return object ? object : load_from(search, default_folder, (int)strlen(default_folder), "");
}

/* Loads the driver's file, which stays.  NULL, with an error: there is none. */
static void *find_file(const char *name, pool_error_t *error)
{
  struct search *search = malloc(sizeof *search);
  if (!search) {
    error_set(error, POOL_E_NOMEM, 0, "no memory to look for the driver '%s'", name);
    return NULL;
  }
  search->name = name;
  search->tried[0] = 0;
  void *object = load(search);
  if (!object)
    error_set(error, POOL_E_DRIVER, 0, "no driver '%s'%s", name, search->tried);
  free(search);
  return object;
}

static int find(const char *name, pool_driver_t *driver, pool_error_t *error)
{
  char entry[sizeof "pool_driver_" + NAME_LIMIT];
  if (!is_name(name))
    return error_set(error, POOL_E_INVALID, 0, "a driver's name has 1 to %d letters, digits, '-' and '_'", NAME_LIMIT);
  void *object = find_file(name, error);
  if (!object)
    return pool_failure(NULL);
  snprintf(entry, sizeof entry, "pool_driver_%s", name);
  for (char *c = entry; *c; c++)
    if (*c == '-')
      *c = '_';
  pool_driver_fn *make;
  void *symbol = dlsym(object, entry);
  memcpy(&make, &symbol, sizeof make);
  *driver = (pool_driver_t){.size = sizeof *driver};
  if (!make)
    return error_set(error, POOL_E_DRIVER, 0, "the driver '%s' does not export %s", name, entry);
  int code = make(POOL_DRIVER_VERSION, driver);
  if (code || !driver->prepare)
    return error_set(error, POOL_E_DRIVER, code, "the driver '%s' does not fit this version of the library", name);
  return 0;
}

static int prepare(const char *name, const char *address, pool_vtable_t *vtable, void **context, pool_error_t *error)
{
  pool_driver_t driver;
  pool_error_t why = POOL_ERROR_INIT;
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
  if (code)
    return code;
  pool_vtable_t filled = POOL_VTABLE_INIT;
  void *made = NULL;
  code = driver.prepare(address, &filled, &made, &why);
  error_finish(&why);
  if (code > 0) /* not one of pool.h, and it would pass for success */
    code = POOL_E_DRIVER;
  if (code)
    return error_set(error, code, why.native, "%s: %s", name, why.message[0] ? why.message : pool_strerror(code));
  sized_write(vtable, &filled, VTABLE_SIZES);
  *context = made;
  return 0;
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
  if (code)
    return code;
  code = pool_create(config, &vtable, context, pool, error);
  if (code && vtable.release)
    vtable.release(context);
  return code;
}
