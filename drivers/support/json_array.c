/* SPDX-License-Identifier: MIT */
#include "support/json_array.h"

#include <string.h>

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
