/* SPDX-License-Identifier: MIT */
/* libpool as a language without a C compiler has it: loaded, looked up by name, and called through libffi from the
 * signatures in abi/signatures.txt. */
#ifndef FOREIGN_H
#define FOREIGN_H

#include <stdbool.h>
#include <stdint.h>

#include <ffi.h>

#include <pool/api.h>

#include "signature.h"

/* An argument or a result, of whatever type the signature says. */
union value {
  int64_t number;
  void *pointer;
  void (*code)(void); /* a pointer too */
  pool_bytes_t bytes;
};

enum kind { NOTHING, INT, UINT32, INT64, SIZE, POINTER, BYTES };

struct function {
  const struct signature *signature;
  void *symbol;
  enum kind result, parameters[SIGNATURE_PARAMETERS];
  ffi_cif cif;
  ffi_type *types[SIGNATURE_PARAMETERS];
  int calls;
};

/* Loads the library and prepares each function of the list.  Returns NULL, or what cannot be
   found or understood. */
const char *foreign_load(const char *library, const char *signatures);

/* All functions in the order of the list. */
struct function *foreign_functions(int *count);

/* NULL: there is none. */
struct function *foreign_find(const char *name);

union value foreign_call(struct function *function, const union value *arguments);

/* How often a POOL_E_* was the result of a call, by its number without the sign. */
int foreign_seen(int error);
void foreign_see(int64_t result);

/* Code made at run time, which calls `handler` with the addresses of its arguments; `data` is handed on.  Lives until
   the program ends.  NULL: the system does not allow it. */
void *foreign_callback(void (*handler)(ffi_cif *, void *result, void **arguments, void *data), void *data,
                       ffi_type *result, unsigned count, ffi_type **types);

#endif
