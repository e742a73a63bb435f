/* SPDX-License-Identifier: MIT */
#include "redis/arguments.h"

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis/base64.h"
#include "support/failure.h"

#define MOST (INT_MAX / 4)

static int say_no_memory(pool_error_t *error)
{
  return failure_set(error, POOL_E_NOMEM, 0, "no memory for the arguments");
}

static int add(struct arguments *arguments, const char *text, size_t size, pool_error_t *error)
{
  char *copy = malloc(size + 1);
  if (!copy)
    return say_no_memory(error);
  memcpy(copy, text, size);
  copy[size] = 0;
  arguments->sizes[arguments->command.count] = size;
  arguments->texts[arguments->command.count++] = copy;
  return 0;
}

/* ---- one argument ---- */

/* The shortest text that is read back as the same number. */
static int add_real(struct arguments *arguments, double number, pool_error_t *error)
{
  char text[40];
  int size = 0;
  for (int digits = 15; digits <= 17; digits++) {
    size = snprintf(text, sizeof text, "%.*g", digits, number);
    if (strtod(text, NULL) == number)
      break;
  }
  return add(arguments, text, (size_t)size, error);
}

static int say_wrong(size_t number, pool_error_t *error)
{
  return failure_set(error, POOL_E_INVALID, 0,
                     "argument %zu must be a string, a number, or {\"base64\": \"...\"} for bytes that are no text",
                     number);
}

static int add_bytes(struct arguments *arguments, const json_t *value, size_t number, pool_error_t *error)
{
  const json_t *text = json_object_size(value) == 1 ? json_object_get(value, "base64") : NULL;
  if (!json_is_string(text))
    return say_wrong(number, error);
  int code = add(arguments, json_string_value(text), json_string_length(text), error);
  if (code)
    return code;
  int last = arguments->command.count - 1;
  long long size = base64_read(arguments->texts[last], arguments->sizes[last]);
  if (size < 0)
    return failure_set(error, POOL_E_INVALID, 0, "argument %zu is not base64", number);
  arguments->sizes[last] = (size_t)size;
  return 0;
}

static int add_value(struct arguments *arguments, const json_t *value, size_t number, pool_error_t *error)
{
  char text[24];
  switch (json_typeof(value)) {
  case JSON_STRING:
    return add(arguments, json_string_value(value), json_string_length(value), error);
  case JSON_INTEGER:
    return add(arguments, text, (size_t)snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(value)),
               error);
  case JSON_REAL:
    return add_real(arguments, json_real_value(value), error);
  case JSON_OBJECT:
    return add_bytes(arguments, value, number, error);
  default:
    return say_wrong(number, error);
  }
}

/* ---- all of them ---- */

static int add_words(struct arguments *arguments, const char *method, pool_error_t *error)
{
  int code = 0;
  while (code == 0 && *(method += strspn(method, " "))) {
    size_t size = strcspn(method, " ");
    code = add(arguments, method, size, error);
    method += size;
  }
  if (code == 0 && arguments->command.count == 0)
    code = failure_set(error, POOL_E_INVALID, 0, "the method is the name of a command, GET for example");
  return code;
}

static bool make_room(struct arguments *arguments, size_t most)
{
  arguments->texts = calloc(most, sizeof *arguments->texts);
  arguments->sizes = calloc(most, sizeof *arguments->sizes);
  return arguments->texts && arguments->sizes;
}

static int add_all(struct arguments *arguments, const char *method, const json_t *json, pool_error_t *error)
{
  size_t count = json_is_array(json) ? json_array_size(json) : json != NULL;
  if (count > MOST || !make_room(arguments, count + strlen(method) / 2 + 1))
    return say_no_memory(error);
  int code = add_words(arguments, method, error);
  for (size_t i = 0; i < count && code == 0; i++)
    code = add_value(arguments, json_is_array(json) ? json_array_get(json, i) : json, i + 1, error);
  arguments->command.arguments = (const char *const *)arguments->texts;
  arguments->command.sizes = arguments->sizes;
  return code;
}

int arguments_read(struct arguments *arguments, const char *method, pool_bytes_t text, pool_error_t *error)
{
  json_error_t where;
  *arguments = (struct arguments){0};
  size_t blank = 0;
  while (blank < text.size && strchr(" \t\r\n", ((const char *)text.data)[blank]) && ((const char *)text.data)[blank])
    blank++;
  json_t *json = NULL;
  if (blank < text.size) {
    json = json_loadb(text.data, text.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &where);
    if (!json && json_error_code(&where) == json_error_out_of_memory)
      return say_no_memory(error);
    if (!json)
      return failure_set(
          error, POOL_E_INVALID, 0, "the arguments are not JSON, such as [\"key\", 1]: byte %d: %.100s", where.position,
          json_error_code(&where) == json_error_numeric_overflow ? "too big a number; write it as a string"
                                                                 : "it ends or is wrong there");
  }
  int code = add_all(arguments, method, json, error);
  json_decref(json);
  if (code)
    arguments_free(arguments);
  return code;
}

void arguments_free(struct arguments *arguments)
{
  for (int i = 0; i < arguments->command.count; i++) {
    explicit_bzero(arguments->texts[i], arguments->sizes[i]);
    free(arguments->texts[i]);
  }
  free(arguments->texts);
  free(arguments->sizes);
  *arguments = (struct arguments){0};
}
