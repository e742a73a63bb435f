/* SPDX-License-Identifier: MIT */
#include "redis/arguments.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "support/base64.h"
#include "support/failure.h"
#include "support/json_array.h"
#include "support/json_check.h"

#define MOST (INT_MAX / 4)

static int say_no_memory(pool_error_t *error)
{
  return failure_set(error, POOL_E_NOMEM, 0, "no memory for the arguments");
}

/* ---- one argument ---- */

/* Appends room for an argument of at most `size` bytes.  NULL without memory. */
static char *add_room(struct arguments *arguments, size_t size)
{
  char *room = calloc(1, size + 1);
  if (!room)
    return NULL;
  arguments->sizes[arguments->command.count] = size;
  arguments->texts[arguments->command.count++] = room;
  return room;
}

static int add_text(struct arguments *arguments, const char *text, size_t size, pool_error_t *error)
{
  char *room = add_room(arguments, size);
  if (!room)
    return say_no_memory(error);
  memcpy(room, text, size);
  return 0;
}

/* Adds what a string of JSON says.  Its quotes are at `from` and before `end`. */
static int add_string(struct arguments *arguments, const char *from, const char *end, pool_error_t *error)
{
  size_t size = (size_t)(end - from) - 2;
  char *room = add_room(arguments, size);
  if (!room)
    return say_no_memory(error);
  arguments->sizes[arguments->command.count - 1] = json_check_unescape(room, from + 1, size);
  return 0;
}

static const char *skip_space(const char *at)
{
  return at + strspn(at, " \t\r\n");
}

/* The string in {"base64": "..."}.  NULL: this is another object. */
static const char *find_base64(const char *object)
{
  static const char key[] = "\"base64\"";
  const char *at = skip_space(object + 1);
  if (strncmp(at, key, sizeof key - 1) != 0)
    return NULL;
  at = skip_space(skip_space(at + sizeof key - 1) + 1); /* behind the colon */
  return *at == '"' && *skip_space(json_array_end(at)) == '}' ? at : NULL;
}

static int add_base64(struct arguments *arguments, const char *from, size_t number, pool_error_t *error)
{
  int code = add_string(arguments, from, json_array_end(from), error);
  if (code)
    return code;
  int last = arguments->command.count - 1;
  long long size = base64_read(arguments->texts[last], arguments->sizes[last]);
  if (size < 0)
    return failure_set(error, POOL_E_INVALID, 0, "argument %zu is not base64", number);
  arguments->sizes[last] = (size_t)size;
  return 0;
}

/* A number is sent as it is written. */
static int add_element(struct arguments *arguments, const char *element, size_t number, pool_error_t *error)
{
  const char *end = json_array_end(element), *base64 = *element == '{' ? find_base64(element) : NULL;
  if (base64)
    return add_base64(arguments, base64, number, error);
  if (*element == '"')
    return add_string(arguments, element, end, error);
  if (*element == '-' || (*element >= '0' && *element <= '9'))
    return add_text(arguments, element, (size_t)(end - element), error);
  return failure_set(error, POOL_E_INVALID, 0,
                     "argument %zu must be a string, a number, or {\"base64\": \"...\"} for bytes that are no text",
                     number);
}

/* ---- all of them ---- */

static int add_words(struct arguments *arguments, const char *method, pool_error_t *error)
{
  int code = 0;
  while (code == 0 && *(method += strspn(method, " "))) {
    size_t size = strcspn(method, " ");
    code = add_text(arguments, method, size, error);
    method += size;
  }
  if (code == 0 && arguments->command.count == 0)
    code = failure_set(error, POOL_E_INVALID, 0, "the method is the name of a command, GET for example");
  return code;
}

static int add_elements(struct arguments *arguments, const char *text, pool_error_t *error)
{
  size_t number = 0;
  int code = 0;
  if (*text && !json_array_is_one(text))
    return add_element(arguments, text, 1, error);
  for (const char *at = text; code == 0 && *text && (at = json_array_next(at)); at = json_array_end(at))
    code = add_element(arguments, at, ++number, error);
  return code;
}

static size_t count_elements(const char *text)
{
  size_t count = 0;
  if (*text && !json_array_is_one(text))
    return 1;
  for (const char *at = text; *text && (at = json_array_next(at)); at = json_array_end(at))
    count++;
  return count;
}

static int add_all(struct arguments *arguments, const char *method, const char *text, pool_error_t *error)
{
  size_t most = count_elements(text) + strlen(method) / 2 + 1;
  arguments->texts = calloc(most, sizeof *arguments->texts);
  arguments->sizes = calloc(most, sizeof *arguments->sizes);
  if (most > MOST || !arguments->texts || !arguments->sizes)
    return say_no_memory(error);
  int code = add_words(arguments, method, error);
  if (code == 0)
    code = add_elements(arguments, text, error);
  arguments->command.arguments = (const char *const *)arguments->texts;
  arguments->command.sizes = arguments->sizes;
  return code;
}

/* Nothing but space is no arguments. */
static int check(pool_bytes_t bytes, const char *text, pool_error_t *error)
{
  struct json_check check;
  if (strlen(text) == bytes.size && *skip_space(text) == 0)
    return 0;
  json_check_start(&check);
  json_check_feed(&check, bytes.data, bytes.size);
  if (json_check_end(&check))
    return 0;
  return failure_set(error, POOL_E_INVALID, 0, "args are not JSON, such as [\"key\", 1], %s; byte %zu of %zu is wrong",
                     check.problem, check.size + 1, bytes.size);
}

int arguments_read(struct arguments *arguments, const char *method, pool_bytes_t bytes, pool_error_t *error)
{
  *arguments = (struct arguments){0};
  char *text = calloc(1, bytes.size + 1); /* with a 0 behind it */
  if (!text)
    return say_no_memory(error);
  if (bytes.size)
    memcpy(text, bytes.data, bytes.size);
  int code = check(bytes, text, error);
  if (code == 0)
    code = add_all(arguments, method, skip_space(text), error);
  explicit_bzero(text, bytes.size);
  free(text);
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
