/* SPDX-License-Identifier: MIT */
#include "foreign/type.h"

#include <limits.h>
#include <string.h>

#include "base/near.h"

/* A name here, and the types of C and of libffi that it stands for. */
#define ROW(name, kind, ctype, ffi)                                                                                    \
  {                                                                                                                    \
    name, &ffi, kind, sizeof(ctype), (ctype)-1 < (ctype)1                                                              \
  }

static const struct type types[] = {
    {"void", &ffi_type_void, TYPE_VOID, 0, false},
    ROW("int8", TYPE_INTEGER, int8_t, ffi_type_sint8),
    ROW("int16", TYPE_INTEGER, int16_t, ffi_type_sint16),
    ROW("int32", TYPE_INTEGER, int32_t, ffi_type_sint32),
    ROW("int64", TYPE_INTEGER, int64_t, ffi_type_sint64),
    ROW("uint8", TYPE_INTEGER, uint8_t, ffi_type_uint8),
    ROW("uint16", TYPE_INTEGER, uint16_t, ffi_type_uint16),
    ROW("uint32", TYPE_INTEGER, uint32_t, ffi_type_uint32),
    ROW("uint64", TYPE_INTEGER, uint64_t, ffi_type_uint64),
    ROW("int", TYPE_INTEGER, int, ffi_type_sint),
    ROW("uint", TYPE_INTEGER, unsigned, ffi_type_uint),
    ROW("long", TYPE_INTEGER, long, ffi_type_slong),
    ROW("ulong", TYPE_INTEGER, unsigned long, ffi_type_ulong),
#if SIZE_MAX == UINT64_MAX
    ROW("size", TYPE_INTEGER, size_t, ffi_type_uint64),
#else
    ROW("size", TYPE_INTEGER, size_t, ffi_type_uint32),
#endif
    ROW("float", TYPE_REAL, float, ffi_type_float),
    ROW("double", TYPE_REAL, double, ffi_type_double),
    {"text", &ffi_type_pointer, TYPE_TEXT, 0, false},
    {"pointer", &ffi_type_pointer, TYPE_POINTER, 0, false},
    {"timeval", &ffi_type_pointer, TYPE_TIMEVAL, 0, false},
};
#define TYPES (sizeof types / sizeof *types)

const struct type *type_find(const char *name)
{
  for (size_t i = 0; i < TYPES; i++)
    if (strcmp(types[i].name, name) == 0)
      return &types[i];
  return NULL;
}

/* What C calls a type is nearer than any spelling. */
static const char *name_in_c(const char *name)
{
  static const char *const pairs[][2] = {
      {"char", "text"},     {"string", "text"},   {"str", "text"},        {"size_t", "size"},    {"short", "int16"},
      {"unsigned", "uint"}, {"bool", "uint8"},    {"ptr", "pointer"},     {"handle", "pointer"}, {"int32_t", "int32"},
      {"int64_t", "int64"}, {"uint8_t", "uint8"}, {"uint32_t", "uint32"}, {"uint64_t", "uint64"}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
    if (strcmp(pairs[i][0], name) == 0)
      return pairs[i][1];
  return NULL;
}

const char *type_near(const char *name)
{
  const char *found = name_in_c(name);
  if (found)
    return found;
  struct near near = near_begin(name);
  for (size_t i = 0; i < TYPES; i++)
    near_look(&near, types[i].name);
  return near.found;
}

struct integer type_most(const struct type *type)
{
  unsigned bits = type->size * (unsigned)CHAR_BIT - type->is_signed;
  return integer_unsigned(bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1);
}

struct integer type_least(const struct type *type)
{
  return type->is_signed ? (struct integer){type_most(type).magnitude + 1, true} : integer_unsigned(0);
}

static void store_bits(size_t size, union value *value, uint64_t bits)
{
  switch (size) {
  case 1:
    value->uint8 = (uint8_t)bits;
    break;
  case 2:
    value->uint16 = (uint16_t)bits;
    break;
  case 4:
    value->uint32 = (uint32_t)bits;
    break;
  default:
    value->uint64 = bits;
  }
}

void type_store(const struct type *type, union value *value, struct integer integer)
{
  if (type->kind == TYPE_REAL)
    type_store_real(type, value, integer_real(integer));
  else
    store_bits(type->size, value, integer_bits(integer));
}

void type_store_real(const struct type *type, union value *value, double real)
{
  if (type->size == sizeof(float))
    value->real32 = (float)real;
  else
    value->real64 = real;
}

static int64_t signed_of(size_t size, const union value *value)
{
  return size == 1 ? value->int8 : size == 2 ? value->int16 : size == 4 ? value->int32 : value->int64;
}

static uint64_t unsigned_of(size_t size, const union value *value)
{
  return size == 1 ? value->uint8 : size == 2 ? value->uint16 : size == 4 ? value->uint32 : value->uint64;
}

struct integer type_integer(const struct type *type, const union value *value)
{
  if (type->kind != TYPE_INTEGER)
    return integer_unsigned((uintptr_t)value->pointer);
  return type->is_signed ? integer_signed(signed_of(type->size, value))
                         : integer_unsigned(unsigned_of(type->size, value));
}

double type_real(const struct type *type, const union value *value)
{
  return type->size == sizeof(float) ? (double)value->real32 : value->real64;
}

void type_narrow(const struct type *type, union value *value)
{
  if (type->kind == TYPE_INTEGER && type->size < sizeof(ffi_arg))
    store_bits(type->size, value, value->widened);
}

/* Returns what follows the digits. */
static const char *read_digits(double *number, const char *text)
{
  for (; *text >= '0' && *text <= '9'; text++)
    *number = *number * 10 + (*text - '0');
  return text;
}

bool type_read_real(double *real, const char *text)
{
  bool negative = *text == '-';
  double whole = 0, part = 0;
  const char *begin = text + negative, *end = read_digits(&whole, begin), *fraction = end + (*end == '.');
  if (end == begin)
    return false;
  const char *rest = *end == '.' ? read_digits(&part, fraction) : end;
  if (*rest || (*end == '.' && rest == fraction))
    return false;
  for (const char *digit = fraction; digit < rest; digit++)
    part /= 10;
  *real = negative ? -(whole + part) : whole + part;
  return true;
}
