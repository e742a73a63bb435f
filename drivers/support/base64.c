/* SPDX-License-Identifier: MIT */
#include "support/base64.h"

#include <stdint.h>
#include <string.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_size(size_t size)
{
  return (size + 2) / 3 * 4;
}

void base64_write(char *to, const unsigned char *bytes, size_t size)
{
  for (size_t i = 0; i < size; i += 3) {
    size_t left = size - i;
    uint32_t group =
        (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) | (left > 2 ? bytes[i + 2] : 0);
    *to++ = letters[group >> 18];
    *to++ = letters[group >> 12 & 63];
    *to++ = left > 1 ? letters[group >> 6 & 63] : '=';
    *to++ = left > 2 ? letters[group & 63] : '=';
  }
}

static int value_of(char letter)
{
  const char *found = letter ? strchr(letters, letter) : NULL;
  return found ? (int)(found - letters) : -1;
}

long long base64_read(char *text, size_t size)
{
  unsigned char *to = (unsigned char *)text;
  size_t padding = size >= 2 && text[size - 1] == '=' ? 1 + (text[size - 2] == '=') : 0;
  if (size % 4 != 0)
    return -1;
  for (size_t i = 0; i < size; i += 4) {
    uint32_t group = 0;
    size_t ends = i + 4 == size ? padding : 0;
    for (size_t j = 0; j < 4; j++) {
      int value = j >= 4 - ends ? 0 : value_of(text[i + j]);
      if (value < 0)
        return -1;
      group = group << 6 | (uint32_t)value;
    }
    for (size_t j = 0; j < 3 - ends; j++)
      *to++ = (unsigned char)(group >> (16 - 8 * j));
  }
  return (long long)(size / 4 * 3 - padding);
}
