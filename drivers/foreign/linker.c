/* SPDX-License-Identifier: MIT */
#include "foreign/linker.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

#include "support/failure.h"

/* ---- libraries ---- */

static int load(const struct description *description, struct library *library, pool_error_t *error)
{
  char problem[256] = "";
  for (unsigned i = 0; i < library->count && !library->handle; i++) {
    library->handle = dlopen(library->names[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library->handle && i == 0)
      snprintf(problem, sizeof problem, "%s", dlerror());
  }
  if (library->handle)
    return 0;
  source_fail(&description->source, library->places[0], error, "the library cannot be loaded: %s", problem);
  return error->code = POOL_E_DRIVER;
}

static int load_all(struct description *description, pool_error_t *error)
{
  int code = 0;
  for (struct library *library = description->libraries; library && code == 0; library = library->next)
    code = load(description, library, error);
  return code;
}

/* The libraries stay, for none is unloaded. */
static void let_go(struct description *description)
{
  for (struct library *library = description->libraries; library; library = library->next) {
    if (library->handle)
      dlclose(library->handle);
    library->handle = NULL;
  }
}

/* ---- functions ---- */

static const char *file_of(const struct library *library)
{
  struct link_map *map = NULL;
  return dlinfo(library->handle, RTLD_DI_LINKMAP, &map) == 0 && map->l_name ? map->l_name : "";
}

/* dlsym() finds what is in the libraries that a library needs, too. */
static bool is_in(const struct library *library, void *symbol, const char **owner)
{
  Dl_info info;
  *owner = dladdr(symbol, &info) && info.dli_fname ? info.dli_fname : "another file";
  return strcmp(*owner, file_of(library)) == 0;
}

/* A call of a variable ends the process.  Only this system's library says what a symbol is. */
static bool is_variable(void *symbol)
{
  bool found = false;
#ifdef __GLIBC__
  Dl_info info;
  void *entry = NULL;
  if (dladdr1(symbol, &info, &entry, RTLD_DL_SYMENT) != 0 && entry && info.dli_saddr == symbol) {
    unsigned char type = ELF64_ST_TYPE(((const ElfW(Sym) *)entry)->st_info); /* the same in 32 bits */
    found = type == STT_OBJECT || type == STT_TLS || type == STT_COMMON;
  }
#else
  (void)symbol;
#endif
  return found;
}

static int take(const struct description *description, struct function *function, void *symbol, pool_error_t *error)
{
  if (is_variable(symbol)) {
    source_fail(&description->source, function->place, error, "'%.60s' is a variable of its library, no function",
                function->symbol);
    return error->code = POOL_E_DRIVER;
  }
  memcpy(&function->address, &symbol, sizeof symbol);
  return 0;
}

static const char *last_part(const char *path)
{
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static int find(const struct description *description, struct function *function, pool_error_t *error)
{
  const char *owner = NULL;
  for (const struct library *library = description->libraries; library; library = library->next) {
    const char *file = NULL;
    void *symbol = dlsym(library->handle, function->symbol);
    if (symbol && is_in(library, symbol, &file))
      return take(description, function, symbol, error);
    owner = symbol ? file : owner;
  }
  if (owner)
    source_fail(&description->source, function->place, error,
                "'%.60s' is in %.60s: to call it, name that with 'library'", function->symbol,
                last_part(owner));
  else
    source_fail(&description->source, function->place, error, "no library that is named has a function '%.60s'",
                function->symbol);
  return error->code = POOL_E_DRIVER;
}

/* ---- calls ---- */

static int prepare(const struct description *description, struct function *function, pool_error_t *error)
{
  for (unsigned i = 0; i < function->count; i++)
    function->ffi[i] = function->slots[i].way == BY_VALUE ? function->slots[i].type->ffi : &ffi_type_pointer;
  ffi_status status = function->variadic ? ffi_prep_cif_var(&function->cif, FFI_DEFAULT_ABI, function->fixed,
                                                            function->count, function->result->ffi, function->ffi)
                                         : ffi_prep_cif(&function->cif, FFI_DEFAULT_ABI, function->count,
                                                        function->result->ffi, function->ffi);
  return status == FFI_OK ? 0
                          : source_fail(&description->source, function->place, error,
                                        "libffi cannot call a function of these types");
}

int linker_find(struct description *description, pool_error_t *error)
{
  int code = load_all(description, error);
  for (struct function *function = description->functions; function && code == 0; function = function->next) {
    code = find(description, function, error);
    if (code == 0)
      code = prepare(description, function, error);
  }
  let_go(description);
  return code;
}
