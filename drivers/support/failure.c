/* SPDX-License-Identifier: MIT */
#include "support/failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define BEGINNING 16 /* bytes of a secret; fewer would be found in texts that know nothing of it */

int failure_set(pool_error_t *error, int code, int native, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  error->code = code;
  error->native = native;
  vsnprintf(error->message, sizeof error->message, format, arguments);
  va_end(arguments);
  return code;
}

int failure_no_room(pool_error_t *error, int code)
{
  return failure_set(error, code, ENOMEM, "no memory for the reply; the call was sent");
}

int failure_whole_characters(const char *text, size_t size, size_t most)
{
  if (size <= most)
    return (int)size;
  while (most > 0 && ((unsigned char)text[most] & 0xc0) == 0x80)
    most--;
  return (int)most;
}

bool failure_quotes(const char *text, size_t size, const char *secret)
{
  return secret && *secret && memmem(text, size, secret, strnlen(secret, BEGINNING)) != NULL;
}

static bool is_space(char byte)
{
  return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* How much of a secret a text begins with; 0: less than what would be known by it. */
static size_t quoted(const char *text, const char *secret)
{
  size_t same = 0;
  while (secret[same] && text[same] == secret[same])
    same++;
  return same < BEGINNING && secret[same] ? 0 : same;
}

size_t failure_line_without(const char *password, char *to, size_t size, const char *text)
{
  size_t length = 0, hidden;
  for (; *text && length < size; text++)
    if (password && (hidden = quoted(text, password))) {
      for (int i = 0; i < 3 && length < size; i++)
        to[length++] = '*';
      text += hidden - 1;
    } else if (!is_space(*text))
      to[length++] = (unsigned char)*text < ' ' ? '?' : *text;
    else if (length > 0 && to[length - 1] != ' ')
      to[length++] = ' ';
  length = (size_t)failure_whole_characters(to, length, length < size ? length : size - 1);
  while (length > 0 && to[length - 1] == ' ')
    length--;
  to[length] = 0;
  return length;
}

size_t failure_line(char *to, size_t size, const char *text)
{
  return failure_line_without(NULL, to, size, text);
}
