/* SPDX-License-Identifier: MIT */
#include <pool/driver.h>

#include <ctype.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "error.h"

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

/* Tries one folder; on failure adds what the loader said to `tried`. */
static void *load_from(const char *folder, int length, const char *name, char *tried, size_t size)
{
  char path[4096];
  if (snprintf(path, sizeof path, "%.*s/pool-%s.so", length, folder, name) >= (int)sizeof path)
    return NULL;
  void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!object) {
    size_t used = strlen(tried);
    snprintf(tried + used, size - used, "; %s", dlerror());
  }
  return object;
}

/* The folder `pool` beside libpool itself. */
static void *load_beside_library(const char *name, char *tried, size_t size)
{
  Dl_info library;
  char folder[4096];
  const void *ours = &default_folder;
  const char *slash = dladdr(ours, &library) ? strrchr(library.dli_fname, '/') : NULL;
  if (!slash)
    return NULL;
  int length = snprintf(folder, sizeof folder, "%.*s/pool", (int)(slash - library.dli_fname), library.dli_fname);
  return length < (int)sizeof folder ? load_from(folder, length, name, tried, size) : NULL;
}

static void *load(const char *name, char *tried, size_t size)
{
  const char *folders = secure_getenv("POOL_DRIVER_PATH");
  while (folders && *folders) {
    int length = (int)strcspn(folders, ":");
    void *object = length ? load_from(folders, length, name, tried, size) : NULL;
    if (object)
      return object;
    folders += length + (folders[length] == ':');
  }
  void *object = load_beside_library(name, tried, size);
  return object ? object : load_from(default_folder, (int)strlen(default_folder), name, tried, size);
}

static int find(const char *name, pool_driver_t *driver, pool_error_t *error)
{
  char tried[2048] = "";
  char entry[sizeof "pool_driver_" + NAME_LIMIT];
  if (!is_name(name))
    return error_set(error, POOL_E_INVALID, 0, "a driver's name has 1 to %d letters, digits, '-' and '_'", NAME_LIMIT);
  void *object = load(name, tried, sizeof tried);
  if (!object)
    return error_set(error, POOL_E_DRIVER, 0, "no driver '%s'%s", name, tried);
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

int pool_driver_prepare(const char *name, const char *address, pool_vtable_t *vtable, void **context,
                        pool_error_t *error)
{
  pool_driver_t driver;
  pool_error_t why = POOL_ERROR_INIT;
  if (!address || !vtable || !context)
    return error_set(error, POOL_E_INVALID, 0, "%s is NULL", !address ? "address" : !vtable ? "vtable" : "context");
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
  if (code > 0) /* somebody else's number, which would pass for success */
    code = POOL_E_DRIVER;
  if (code)
    return error_set(error, code, why.native, "%s: %s", name, why.message[0] ? why.message : pool_strerror(code));
  sized_write(vtable, &filled, VTABLE_SIZES);
  *context = made;
  return 0;
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
