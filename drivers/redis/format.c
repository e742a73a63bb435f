/* SPDX-License-Identifier: MIT */
#include "redis/format.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define AROUND 32  /* bytes, at most, that the protocol puts around an argument */
#define DIGITS 512 /* of a number without width and precision, at most */

/* A format, and the values for what is left of it. */
struct measure {
  const char *at;
  va_list values;
  size_t size;
};

static void add(struct measure *measure, size_t size)
{
  measure->size = size < SIZE_MAX - measure->size ? measure->size + size : SIZE_MAX;
}

/* A width or a precision, which makes so many bytes. */
static void take_room(struct measure *measure)
{
  char *end;
  if (!isdigit((unsigned char)*measure->at))
    return;
  add(measure, strtoul(measure->at, &end, 10));
  measure->at = end;
}

static bool is_one_of(char byte, const char *all)
{
  return byte && strchr(all, byte);
}

/* The value of a number.  False: hiredis knows no such number. */
static bool take_value(struct measure *measure)
{
  size_t shorts = strspn(measure->at, "h"), longs = strspn(measure->at + shorts, "l");
  char kind = *(measure->at += shorts + longs);
  bool is_integer = is_one_of(kind, "diouxX"), is_plain = shorts + longs == 0;
  if (shorts > 2 || longs > 2 || (shorts && longs) || !(is_integer || (is_plain && is_one_of(kind, "eEfFgGaA"))))
    return false;
  if (!is_integer)
    (void)va_arg(measure->values, double);
  else if (longs == 2)
    (void)va_arg(measure->values, long long);
  else if (longs == 1)
    (void)va_arg(measure->values, long);
  else
    (void)va_arg(measure->values, int);
  return true;
}

static bool take_number(struct measure *measure)
{
  measure->at += strspn(measure->at, "#0-+ ");
  take_room(measure);
  if (*measure->at == '.') {
    measure->at++;
    take_room(measure);
  }
  add(measure, DIGITS);
  return take_value(measure);
}

/* What stands behind a '%'.  False: hiredis will refuse the format here. */
static bool take(struct measure *measure)
{
  switch (*measure->at) {
  case '%':
    return true;
  case 's':
    add(measure, strlen(va_arg(measure->values, const char *)));
    return true;
  case 'b':
    (void)va_arg(measure->values, const void *);
    add(measure, va_arg(measure->values, size_t));
    return true;
  default:
    return take_number(measure);
  }
}

size_t format_measure(const char *format, va_list values)
{
  struct measure measure = {.at = format};
  bool goes_on = true;
  va_copy(measure.values, values);
  for (; goes_on && *measure.at; measure.at++) {
    add(&measure, AROUND);
    if (measure.at[0] == '%' && measure.at[1]) {
      measure.at++;
      goes_on = take(&measure);
    }
  }
  va_end(measure.values);
  return measure.size;
}
