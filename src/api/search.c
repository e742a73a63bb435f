/* SPDX-License-Identifier: MIT */
#include "api/search.h"

#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

/* Where `cmake --install` puts the drivers, unless the installed tree was moved.  Several folders have a colon between
   them. */
#ifndef POOL_DRIVER_FOLDER
#define POOL_DRIVER_FOLDER "/usr/local/lib/pool"
#endif

static const char default_folders[] = POOL_DRIVER_FOLDER;

bool search_is_word(const char *name, size_t length)
{
  for (size_t i = 0; i < length; i++)
    if (!isalnum((unsigned char)name[i]) && name[i] != '-' && name[i] != '_')
      return false;
  return length > 0;
}

bool search_is_name(const char *name, size_t length)
{
  return length <= SEARCH_NAME_LIMIT && search_is_word(name, length);
}

/* Calls `visit` with each of the folders, which have a colon between them, until it says true. */
static bool visit_each(const char *folders, bool (*visit)(void *data, const char *folder, size_t length), void *data)
{
  while (folders && *folders) {
    size_t length = strcspn(folders, ":");
    if (length && visit(data, folders, length))
      return true;
    folders += length + (folders[length] == ':');
  }
  return false;
}

/* The folder `pool` beside libpool.so, or NULL.  A program that has the library inside goes by the path by which it was
   started, and that may name another place by now: nothing is beside such a program. */
static char *name_beside(void)
{
  char *beside = NULL;
#ifndef POOL_EMBEDDED
  Dl_info library;
  const void *ours = &default_folders;
  const char *slash = dladdr(ours, &library) ? strrchr(library.dli_fname, '/') : NULL;
  if (slash && asprintf(&beside, "%.*s/pool", (int)(slash - library.dli_fname), library.dli_fname) < 0)
    beside = NULL;
#endif
  return beside;
}

/* The folder beside the library, and where it was installed; where those are the same, one of them. */
static bool visit_own(bool (*visit)(void *data, const char *folder, size_t length), void *data)
{
  char *beside = name_beside();
  bool found = beside && visit(data, beside, strlen(beside));
  bool same = beside && strcmp(beside, default_folders) == 0;
  free(beside);
  return found || (!same && visit_each(default_folders, visit, data));
}

bool search_folders(bool (*visit)(void *data, const char *folder, size_t length), void *data)
{
  return visit_each(secure_getenv("POOL_DRIVER_PATH"), visit, data) || visit_own(visit, data);
}

bool search_at(struct search *search, const char *folder, size_t length, const char *before, const char *name,
               const char *after)
{
  int size = snprintf(search->path, sizeof search->path, "%.*s/%s%s%s", (int)length, folder, before, name, after);
  if (size < (int)sizeof search->path)
    return true;
  snprintf(search->path, sizeof search->path, "%.*s/...", length < 60 ? (int)length : 60, folder);
  snprintf(search->why, sizeof search->why, "the path is too long");
  search_note(search);
  return false;
}

void search_note(struct search *search)
{
  size_t used = strlen(search->tried);
  snprintf(search->tried + used, sizeof search->tried - used, "; %s: %s", search->path, search->why);
}

/* The loader mostly says first which file it speaks of, which the note does too. */
static void say_not_loaded(struct search *search)
{
  const char *why = dlerror();
  size_t length = strlen(search->path);
  if (strncmp(why, search->path, length) == 0 && strncmp(why + length, ": ", 2) == 0)
    why += length + 2;
  snprintf(search->why, sizeof search->why, "%s", why);
}

/* NULL: nothing.  The loader would wait for one who writes into a pipe. */
static const char *hinders_reading(const char *path)
{
  struct stat file;
  if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0 || stat(path, &file) != 0)
    return errno == ENOENT || errno == ENOTDIR ? "not found" : "not readable";
  return S_ISREG(file.st_mode) ? NULL : "not a file";
}

bool search_may_read(struct search *search)
{
  const char *problem = hinders_reading(search->path);
  if (problem)
    snprintf(search->why, sizeof search->why, "%s", problem);
  return !problem;
}

/* A driver calls the library's functions by their names.  The loader looks for them in the program first, and then in
   the libpool.so that the driver needs.  If the program hid the copy that it has inside, the driver would call the
   other copy, which knows none of the pools of this one. */
static bool is_seen_by_drivers(struct search *search)
{
#ifdef POOL_EMBEDDED
  void *program = dlopen(NULL, RTLD_LAZY);
  void *found = program ? dlsym(program, "pool_call_done") : NULL;
  if (program)
    dlclose(program);
  if (found != (void *)(uintptr_t)pool_call_done) {
    snprintf(search->why, sizeof search->why,
             "the program has libpool inside and hides its functions from drivers; link it with -rdynamic, or with the "
             "installed libpool.so (in Go: -tags pool_system)");
    return false;
  }
#else
  (void)search;
#endif
  return true;
}

static void *load_file(struct search *search)
{
  if (!search_may_read(search) || !is_seen_by_drivers(search))
    return NULL;
  void *object = dlopen(search->path, RTLD_NOW | RTLD_LOCAL);
  if (!object)
    say_not_loaded(search);
  return object;
}

void *search_symbol(struct search *search, const char *before, const char *name)
{
  char entry[32 + SEARCH_NAME_LIMIT];
  void *object = load_file(search);
  if (!object)
    return NULL;
  snprintf(entry, sizeof entry, "%s%s", before, name);
  for (char *c = entry; *c; c++)
    if (*c == '-')
      *c = '_';
  void *symbol = dlsym(object, entry);
  if (!symbol)
    snprintf(search->why, sizeof search->why, "it does not export %s", entry);
  return symbol;
}

bool search_load(struct search *search, const char *name, pool_driver_t *driver)
{
  pool_driver_fn *make;
  void *symbol = search_symbol(search, "pool_driver_", name);
  if (!symbol)
    return false;
  memcpy(&make, &symbol, sizeof make);
  *driver = (pool_driver_t){.size = sizeof *driver};
  int code = make(POOL_DRIVER_VERSION, driver);
  if (code == 0 && driver->prepare)
    return true;
  if (code < 0 && code != POOL_E_UNSUPPORTED)
    snprintf(search->why, sizeof search->why, "it does not begin: %s", pool_strerror(code));
  else
    snprintf(search->why, sizeof search->why, "it does not fit this version of the library");
  return false;
}
