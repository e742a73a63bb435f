/* SPDX-License-Identifier: MIT */
#include "mysql/number.h"

#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static locale_t plain;

static void make_locale(void)
{
  plain = newlocale(LC_ALL_MASK, "C", NULL);
}

/* Makes the calling thread's locale the plain one.  Returns the one before. */
static locale_t begin(void)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, make_locale);
  return uselocale(plain); /* without memory for one, the program's stays */
}

double number_read(const char *text)
{
  locale_t before = begin();
  double value = strtod(text, NULL);
  uselocale(before);
  return value;
}

size_t number_write_double(char *to, double value)
{
  locale_t before = begin();
  int size = 0;
  for (int digits = 15; digits <= 17; digits++) {
    size = snprintf(to, NUMBER_LONGEST, "%.*g", digits, value);
    if (strtod(to, NULL) == value)
      break;
  }
  uselocale(before);
  return (size_t)size;
}

size_t number_write_float(char *to, float value)
{
  locale_t before = begin();
  int size = 0;
  for (int digits = 6; digits <= 9; digits++) {
    size = snprintf(to, NUMBER_LONGEST, "%.*g", digits, (double)value);
    if (strtof(to, NULL) == value)
      break;
  }
  uselocale(before);
  return (size_t)size;
}
