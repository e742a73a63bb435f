/* SPDX-License-Identifier: MIT */
/* The types of C that a description can name, and values of them. */
#ifndef TYPE_H
#define TYPE_H

#include <ffi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

#include "foreign/integer.h"

enum type_kind { TYPE_VOID, TYPE_INTEGER, TYPE_REAL, TYPE_TEXT, TYPE_POINTER, TYPE_TIMEVAL };

struct type {
  const char *name;
  ffi_type *ffi;
  enum type_kind kind;
  unsigned char size; /* of an integer or real */
  bool is_signed;
};

/* A value of any type; which one, its owner knows. */
union value {
  int8_t int8;
  int16_t int16;
  int32_t int32;
  int64_t int64;
  uint8_t uint8;
  uint16_t uint16;
  uint32_t uint32;
  uint64_t uint64;
  float real32;
  double real64;
  const char *text;
  void *pointer;
  struct timeval timeval;
  ffi_arg widened; /* how libffi returns integers that are smaller than a register */
};

/* Reads digits with or without '.' and '-': not by strtod(), for which '.' means something else in some languages.
   False: the text is no such number. */
bool type_read_real(double *real, const char *text);

/* The type of this name, or NULL. */
const struct type *type_find(const char *name);

/* The name that was meant, or NULL. */
const char *type_near(const char *name);

/* The least and the most of an integer type. */
struct integer type_least(const struct type *type);
struct integer type_most(const struct type *type);

/* Stores a number that fits the integer or real type. */
void type_store(const struct type *type, union value *value, struct integer integer);
void type_store_real(const struct type *type, union value *value, double real);

/* The number that an integer type's value is; of a pointer or text its address. */
struct integer type_integer(const struct type *type, const union value *value);

double type_real(const struct type *type, const union value *value);

/* Makes a value of this type from one that libffi has returned. */
void type_narrow(const struct type *type, union value *value);

#endif
