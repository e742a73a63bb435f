/* SPDX-License-Identifier: MIT */
#include "support/json_array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "support/failure.h"
#include "support/json_check.h"

static const char *skip_space(const char *at)
{
  return at + strspn(at, " \t\r\n");
}

bool json_array_is_one(const char *text)
{
  return *skip_space(text) == '[';
}

const char *json_array_next(const char *at)
{
  at = skip_space(at);
  if (*at == ']')
    return NULL;
  at = skip_space(at + 1); /* behind the bracket or the comma */
  return *at == ']' ? NULL : at;
}

static const char *end_of_string(const char *at)
{
  for (at++; *at != '"'; at++)
    if (*at == '\\')
      at++;
  return at + 1;
}

static const char *end_of_brackets(const char *at)
{
  size_t depth = 0;
  do {
    if (*at == '"') {
      at = end_of_string(at);
      continue;
    }
    depth += *at == '[' || *at == '{';
    depth -= *at == ']' || *at == '}';
    at++;
  } while (depth > 0);
  return at;
}

const char *json_array_end(const char *element)
{
  if (*element == '"')
    return end_of_string(element);
  return *element == '[' || *element == '{' ? end_of_brackets(element) : element + strcspn(element, ",] \t\r\n");
}

static int check(pool_bytes_t args, const char *text, pool_error_t *error)
{
  struct json_check check;
  json_check_start(&check);
  json_check_feed(&check, args.data, args.size);
  if (!json_check_end(&check))
    return failure_set(error, POOL_E_INVALID, 0, "args must be a JSON array of parameters, but byte %zu of it is wrong",
                       check.size + 1);
  if (!json_array_is_one(text))
    return failure_set(error, POOL_E_INVALID, 0, "args must be a JSON array of parameters, such as [1, \"two\", null]");
  return 0;
}

int json_array_copy(char **text, pool_bytes_t args, pool_error_t *error)
{
  *text = strndup(args.data, args.size);
  if (!*text)
    return failure_set(error, POOL_E_NOMEM, ENOMEM, "no memory for the parameters");
  int code = check(args, *text, error);
  if (code == 0)
    return 0;
  json_array_free(*text);
  *text = NULL;
  return code;
}

void json_array_free(char *text)
{
  explicit_bzero(text, strlen(text));
  free(text);
}
