/* SPDX-License-Identifier: MIT */
#include "postgres/args.h"

#include <errno.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "support/failure.h"
#include "support/json_array.h"
#include "support/json_check.h"

static size_t count_elements(const char *array)
{
  size_t count = 0;
  for (const char *at = array; (at = json_array_next(at)); at = json_array_end(at))
    count++;
  return count;
}

/* Writes the text of one element, and a 0 behind it.  Returns how many bytes that were, the 0 included. */
static size_t write_element(char *to, const char *from, const char *end)
{
  size_t size = (size_t)(end - from);
  if (*from == '"')
    size = json_check_unescape(to, from + 1, size - 2);
  else
    memcpy(to, from, size);
  to[size] = 0;
  return size + 1;
}

/* ---- the whole ---- */

static int say_no_memory(pool_error_t *error)
{
  return failure_set(error, POOL_E_NOMEM, ENOMEM, "no memory for the parameters");
}

static int fill(struct args *args, const char *text, pool_error_t *error)
{
  char *to = args->storage;
  int i = 0;
  for (const char *at = text; (at = json_array_next(at)); i++) {
    const char *end = json_array_end(at);
    size_t size = write_element(to, at, end);
    args->values[i] = *at == 'n' ? NULL : to;
    if (strlen(to) + 1 != size)
      return failure_set(error, POOL_E_INVALID, 0,
                         "parameter %d has the character \\u0000, which a text of PostgreSQL cannot have", i + 1);
    to += size;
    at = end;
  }
  return 0;
}

/* The texts are no longer than the array: each element has a comma or bracket behind it, where a 0 is written. */
static int read_array(struct args *args, const char *text, size_t size, pool_error_t *error)
{
  size_t count = count_elements(text);
  if (count > PQ_QUERY_PARAM_MAX_LIMIT)
    return failure_set(error, POOL_E_INVALID, 0, "there are %zu parameters; at most %d are possible", count,
                       PQ_QUERY_PARAM_MAX_LIMIT);
  args->count = (int)count;
  args->size = size + 1;
  args->values = calloc(count + 1, sizeof *args->values);
  args->storage = malloc(args->size);
  return args->values && args->storage ? fill(args, text, error) : say_no_memory(error);
}

int args_read(struct args *args, pool_bytes_t bytes, pool_error_t *error)
{
  *args = (struct args){0};
  if (bytes.size == 0)
    return 0;
  char *text;
  int code = json_array_copy(&text, bytes, error);
  if (code)
    return code;
  code = read_array(args, text, bytes.size, error);
  json_array_free(text);
  if (code)
    args_free(args);
  return code;
}

static bool is_ascii(const char *text)
{
  while (*text && (unsigned char)*text < 0x80)
    text++;
  return !*text;
}

int args_beyond_ascii(const struct args *args)
{
  for (int i = 0; i < args->count; i++)
    if (args->values[i] && !is_ascii(args->values[i]))
      return i + 1;
  return 0;
}

void args_free(struct args *args)
{
  if (args->storage)
    explicit_bzero(args->storage, args->size);
  free(args->storage);
  free(args->values);
  *args = (struct args){0};
}
