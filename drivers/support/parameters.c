/* SPDX-License-Identifier: MIT */
#include "support/parameters.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/near.h"
#include "support/failure.h"

static bool is_known(const char *name, const char *const *names)
{
  for (; *names; names++)
    if (strcmp(name, *names) == 0)
      return true;
  return false;
}

/* The message does not quote the name: part of a password may be there, if it was not encoded. */
static int say_unknown(const char *name, const char *const *names, const char *scheme, pool_error_t *error)
{
  char all[256] = "";
  struct near near = near_begin(name);
  for (const char *const *next = names; *next; next++) {
    size_t length = strlen(all);
    near_look(&near, *next);
    snprintf(all + length, sizeof all - length, "%s%s", length ? ", " : "", *next);
  }
  if (near.found)
    return failure_set(error, POOL_E_INVALID, 0, "a parameter of the URL is not known; did you mean %s?", near.found);
  return failure_set(error, POOL_E_INVALID, 0, "a parameter of the URL is not known; with %s:// there are: %s", scheme,
                     all);
}

int parameters_check(const struct url *url, const char *const *names, pool_error_t *error)
{
  for (size_t i = 0; i < url->parameter_count; i++)
    if (!is_known(url->parameters[i].name, names))
      return say_unknown(url->parameters[i].name, names, url->scheme, error);
  return 0;
}

/* 0: the text is no number from 1 to `most`. */
static uint64_t number_of(const char *text, uint64_t most)
{
  uint64_t number = 0;
  for (; *text; text++) {
    uint64_t digit = (uint64_t)(*text - '0');
    if (*text < '0' || *text > '9' || digit > most || number > (most - digit) / 10)
      return 0;
    number = number * 10 + digit;
  }
  return number;
}

int parameters_number(const struct url *url, const char *name, uint64_t most, uint64_t *number, pool_error_t *error)
{
  const char *text = url_value(url, name);
  uint64_t read = text ? number_of(text, most) : 0;
  if (text && read == 0)
    return failure_set(error, POOL_E_INVALID, 0, "%s must be a number from 1 to %" PRIu64, name, most);
  if (text)
    *number = read;
  return 0;
}
