/* SPDX-License-Identifier: MIT */
#include "support/failure.h"

#include <stdarg.h>
#include <stdio.h>

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

int failure_whole_characters(const char *text, size_t size, size_t most)
{
  if (size <= most)
    return (int)size;
  while (most > 0 && ((unsigned char)text[most] & 0xc0) == 0x80)
    most--;
  return (int)most;
}
