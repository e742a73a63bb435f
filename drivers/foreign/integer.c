/* SPDX-License-Identifier: MIT */
#include "foreign/integer.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* -1: the character is no digit. */
static int digit_of(char c)
{
  static const char digits[] = "0123456789abcdef";
  const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;
  return at ? (int)(at - digits) : -1;
}

static bool read_magnitude(uint64_t *magnitude, const char *text, unsigned base)
{
  *magnitude = 0;
  if (!*text)
    return false;
  for (; *text; text++) {
    int digit = digit_of(*text);
    if (digit < 0 || digit >= (int)base || *magnitude > (UINT64_MAX - (unsigned)digit) / base)
      return false;
    *magnitude = *magnitude * base + (unsigned)digit;
  }
  return true;
}

bool integer_read(struct integer *integer, const char *text)
{
  bool negative = *text == '-';
  text += negative;
  bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
  if (!read_magnitude(&integer->magnitude, hexadecimal ? text + 2 : text, hexadecimal ? 16 : 10))
    return false;
  integer->negative = negative && integer->magnitude > 0;
  return integer_compare(*integer, INTEGER_LEAST) >= 0;
}

const char *integer_text(struct integer integer, char room[INTEGER_ROOM])
{
  snprintf(room, INTEGER_ROOM, "%s%" PRIu64, integer.negative ? "-" : "", integer.magnitude);
  return room;
}
