/* SPDX-License-Identifier: MIT */
#include "foreign.h"

#include <dlfcn.h>
#include <string.h>

enum { ERRORS = 100 };

static struct signature signatures[SIGNATURE_LIMIT];
static struct function functions[SIGNATURE_LIMIT];
static int function_count;
static int seen[ERRORS];

/* ---- types ---- */

static ffi_type *bytes_members[] = {&ffi_type_pointer, NULL, NULL};
static ffi_type bytes_type = {0, 0, FFI_TYPE_STRUCT, bytes_members};

static ffi_type *size_type(void)
{
  return sizeof(size_t) == 8 ? &ffi_type_uint64 : &ffi_type_uint32;
}

static const struct {
  const char *name;
  enum kind kind;
} names[] = {{"void", NOTHING},  {"int", INT},     {"int32_t", INT},        {"uint32_t", UINT32},
             {"int64_t", INT64}, {"size_t", SIZE}, {"pool_lease_t", INT64}, {"pool_bytes_t", BYTES}};

static bool read_type(const char *text, enum kind *kind)
{
  if (strchr(text, '*')) {
    *kind = POINTER;
    return true;
  }
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(text, names[i].name) == 0) {
      *kind = names[i].kind;
      return true;
    }
  return false;
}

static ffi_type *type_of(enum kind kind)
{
  switch (kind) {
  case NOTHING:
    return &ffi_type_void;
  case INT:
    return &ffi_type_sint32;
  case UINT32:
    return &ffi_type_uint32;
  case INT64:
    return &ffi_type_sint64;
  case SIZE:
    return size_type();
  case POINTER:
    return &ffi_type_pointer;
  case BYTES:
    break;
  }
  return &bytes_type;
}

/* ---- loading ---- */

static bool prepare(struct function *function, const struct signature *signature)
{
  function->signature = signature;
  if (!read_type(signature->result, &function->result))
    return false;
  for (unsigned i = 0; i < signature->count; i++) {
    if (!read_type(signature->parameters[i], &function->parameters[i]))
      return false;
    function->types[i] = type_of(function->parameters[i]);
  }
  return ffi_prep_cif(&function->cif, FFI_DEFAULT_ABI, signature->count, type_of(function->result), function->types) ==
         FFI_OK;
}

const char *foreign_load(const char *library, const char *path)
{
  bytes_members[1] = size_type();
  void *object = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (!object)
    return dlerror();
  function_count = signatures_read(path, signatures);
  if (function_count <= 0)
    return "the list of signatures";
  for (int i = 0; i < function_count; i++) {
    functions[i].symbol = dlsym(object, signatures[i].name);
    if (!functions[i].symbol || !prepare(&functions[i], &signatures[i]))
      return signatures[i].name;
  }
  return NULL;
}

struct function *foreign_functions(int *count)
{
  *count = function_count;
  return functions;
}

struct function *foreign_find(const char *name)
{
  for (int i = 0; i < function_count; i++)
    if (strcmp(signatures[i].name, name) == 0)
      return &functions[i];
  return NULL;
}

/* ---- calling ---- */

/* What is in memory when a value of that kind is. */
union cell {
  int32_t int32;
  uint32_t uint32;
  int64_t int64;
  size_t size;
  void *pointer;
  pool_bytes_t bytes;
  ffi_arg widened; /* of results: what is narrower than this comes as wide as this */
  ffi_sarg signed_widened;
};

static void store(union cell *cell, enum kind kind, const union value *value)
{
  switch (kind) {
  case NOTHING:
    break;
  case INT:
    cell->int32 = (int32_t)value->number;
    break;
  case UINT32:
    cell->uint32 = (uint32_t)value->number;
    break;
  case INT64:
    cell->int64 = value->number;
    break;
  case SIZE:
    cell->size = (size_t)value->number;
    break;
  case POINTER:
    cell->pointer = value->pointer;
    break;
  case BYTES:
    cell->bytes = value->bytes;
    break;
  }
}

static union value result_of(const union cell *cell, enum kind kind)
{
  union value value = {.number = 0};
  if (kind == INT)
    value.number = (int32_t)cell->signed_widened;
  else if (kind == UINT32)
    value.number = (uint32_t)cell->widened;
  else if (kind == INT64)
    value.number = cell->int64;
  else if (kind == SIZE)
    value.number = (int64_t)cell->size;
  else if (kind == POINTER)
    value.pointer = cell->pointer;
  return value;
}

union value foreign_call(struct function *function, const union value *arguments)
{
  union cell cells[SIGNATURE_PARAMETERS], result = {.int64 = 0};
  void *addresses[SIGNATURE_PARAMETERS];
  void (*code)(void);
  for (unsigned i = 0; i < function->signature->count; i++) {
    store(&cells[i], function->parameters[i], &arguments[i]);
    addresses[i] = &cells[i];
  }
  memcpy(&code, &function->symbol, sizeof code);
  ffi_call(&function->cif, code, &result, addresses);
  function->calls++;
  union value value = result_of(&result, function->result);
  if (function->result == INT || function->result == INT64)
    foreign_see(value.number);
  return value;
}

void foreign_see(int64_t result)
{
  if (result < 0 && result > -ERRORS)
    seen[-result]++;
}

int foreign_seen(int error)
{
  return seen[error];
}

void *foreign_callback(void (*handler)(ffi_cif *, void *, void **, void *), void *data, ffi_type *result,
                       unsigned count, ffi_type **types)
{
  static ffi_cif cifs[16];
  static unsigned used;
  void *code;
  ffi_closure *closure = used < 16 ? ffi_closure_alloc(sizeof *closure, &code) : NULL;
  if (!closure || ffi_prep_cif(&cifs[used], FFI_DEFAULT_ABI, count, result, types) != FFI_OK ||
      ffi_prep_closure_loc(closure, &cifs[used], handler, data, code) != FFI_OK)
    return NULL;
  used++;
  return code;
}
