/* SPDX-License-Identifier: MIT */
#include "support/parameters.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "support/failure.h"

int parameters_url(struct url *url, const char *text, pool_error_t *error)
{
  const char *problem = url_read(url, text);
  return problem ? failure_set(error, problem == url_no_memory ? POOL_E_NOMEM : POOL_E_INVALID, 0, "%s", problem) : 0;
}

static bool is_known(const char *name, const char *const *names)
{
  for (; *names; names++)
    if (strcmp(name, *names) == 0)
      return true;
  return false;
}

int parameters_refuse(size_t number, const struct near *near, const char *all, pool_error_t *error)
{
  if (near->found)
    return failure_set(error, POOL_E_INVALID, 0, PARAMETERS_UNKNOWN "did you mean %s?", number, near->found);
  return failure_set(error, POOL_E_INVALID, 0, PARAMETERS_UNKNOWN "there are %s", number, all);
}

static int refuse(size_t number, const char *name, const char *const *names, pool_error_t *error)
{
  char all[256] = "";
  struct near near = near_begin(name);
  for (const char *const *next = names; *next; next++) {
    size_t length = strlen(all);
    near_look(&near, *next);
    snprintf(all + length, sizeof all - length, "%s%s", length ? ", " : "", *next);
  }
  return parameters_refuse(number, &near, all, error);
}

int parameters_once(const struct url *url, size_t index, pool_error_t *error)
{
  return url_is_repeated(url, index)
             ? failure_set(error, POOL_E_INVALID, 0, "the URL sets %s twice", url->parameters[index].name)
             : 0;
}

int parameters_check(const struct url *url, const char *const *names, pool_error_t *error)
{
  int code = 0;
  for (size_t i = 0; i < url->parameter_count && code == 0; i++)
    code = is_known(url->parameters[i].name, names) ? parameters_once(url, i, error)
                                                    : refuse(i + 1, url->parameters[i].name, names, error);
  return code;
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

int parameters_number_of(const char *name, const char *value, uint64_t most, uint64_t *number, pool_error_t *error)
{
  uint64_t read = number_of(value, most);
  if (read == 0)
    return failure_set(error, POOL_E_INVALID, 0, "the URL's %s must be a number from 1 to %" PRIu64, name, most);
  *number = read;
  return 0;
}

int parameters_number(const struct url *url, const char *name, uint64_t most, uint64_t *number, pool_error_t *error)
{
  const char *value = url_value(url, name);
  return value ? parameters_number_of(name, value, most, number, error) : 0;
}
