/* SPDX-License-Identifier: MIT */
#include "mysql/parameters.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mysql/number.h"
#include "support/failure.h"
#include "support/json_array.h"
#include "support/json_check.h"

#define COUNT_MOST  65535 /* of the protocol */
#define DIGITS_MOST 65    /* of a DECIMAL; of more before the point a server makes as many nines */

static int say_no_memory(pool_error_t *error)
{
  return failure_set(error, POOL_E_NOMEM, ENOMEM, "no memory for the parameters");
}

/* ---- one element ---- */

/* A place for a parameter. */
struct place {
  MYSQL_BIND *bind;
  union parameters_number *number;
};

static void put_number(const struct place *place, enum enum_field_types type)
{
  place->bind->buffer_type = type;
  place->bind->buffer = place->number;
}

/* Puts a text at `to`.  Returns the end of it. */
static char *put_text(const struct place *place, enum enum_field_types type, char *to, const char *from, size_t size)
{
  if (*from == '"')
    size = json_check_unescape(to, from + 1, size - 2);
  else
    memcpy(to, from, size);
  place->bind->buffer_type = type;
  place->bind->buffer = to;
  place->bind->buffer_length = size;
  return to + size;
}

static bool put_integer(const struct place *place, const char *from, const char *end)
{
  char *seen;
  errno = 0;
  place->number->integer = *from == '-' ? (unsigned long long)strtoll(from, &seen, 10) : strtoull(from, &seen, 10);
  if (errno || seen != end)
    return false;
  place->bind->is_unsigned = *from != '-';
  put_number(place, MYSQL_TYPE_LONGLONG);
  return true;
}

static bool is_decimal(const char *from)
{
  return strspn(from + (*from == '-'), "0123456789") <= DIGITS_MOST;
}

/* NULL: the number is too large for any type. */
static char *put_digits(const struct place *place, char *to, const char *from, const char *end)
{
  size_t size = (size_t)(end - from);
  if (put_integer(place, from, end))
    return to;
  if (!memchr(from, 'e', size) && !memchr(from, 'E', size))
    return is_decimal(from) ? put_text(place, MYSQL_TYPE_NEWDECIMAL, to, from, size) : NULL;
  place->number->real = number_read(from);
  put_number(place, MYSQL_TYPE_DOUBLE);
  return isfinite(place->number->real) ? to : NULL;
}

/* Returns the end of what was put at `to`, or NULL as put_digits(). */
static char *put_element(const struct place *place, char *to, const char *from, const char *end)
{
  switch (*from) {
  case 'n':
    place->bind->buffer_type = MYSQL_TYPE_NULL;
    return to;
  case 't':
  case 'f':
    place->number->truth = *from == 't';
    put_number(place, MYSQL_TYPE_TINY);
    return to;
  case '"':
  case '[':
  case '{':
    return put_text(place, MYSQL_TYPE_VAR_STRING, to, from, (size_t)(end - from));
  default:
    return put_digits(place, to, from, end);
  }
}

/* ---- the whole ---- */

static bool allocate(struct parameters *parameters, size_t size)
{
  parameters->size = size; /* no text is longer in there than in the array */
  parameters->binds = calloc(parameters->count + 1, sizeof *parameters->binds);
  parameters->numbers = calloc(parameters->count + 1, sizeof *parameters->numbers);
  parameters->storage = malloc(size);
  return parameters->binds && parameters->numbers && parameters->storage;
}

static int read_array(struct parameters *parameters, const char *text, size_t size, pool_error_t *error)
{
  for (const char *at = text; (at = json_array_next(at)); at = json_array_end(at))
    parameters->count++;
  if (parameters->count > COUNT_MOST)
    return failure_set(error, POOL_E_INVALID, 0, "there are %zu parameters; at most %d are possible", parameters->count,
                       COUNT_MOST);
  if (!allocate(parameters, size))
    return say_no_memory(error);
  struct place place = {parameters->binds, parameters->numbers};
  char *to = parameters->storage;
  for (const char *at = text, *end; (at = json_array_next(at)); at = end) {
    end = json_array_end(at);
    to = put_element(&place, to, at, end);
    if (!to)
      return failure_set(error, POOL_E_INVALID, 0, "parameter %zu is a number that no column can have",
                         (size_t)(place.number - parameters->numbers) + 1);
    place.bind++;
    place.number++;
  }
  return 0;
}

int parameters_read(struct parameters *parameters, pool_bytes_t args, pool_error_t *error)
{
  *parameters = (struct parameters){.given = args.size > 0};
  if (args.size == 0)
    return 0;
  char *text;
  int code = json_array_copy(&text, args, error);
  if (code)
    return code;
  code = read_array(parameters, text, args.size, error);
  json_array_free(text);
  if (code)
    parameters_free(parameters);
  return code;
}

void parameters_free(struct parameters *parameters)
{
  if (parameters->storage)
    explicit_bzero(parameters->storage, parameters->size);
  free(parameters->storage);
  free(parameters->numbers);
  free(parameters->binds);
  *parameters = (struct parameters){0};
}
