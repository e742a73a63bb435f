/* SPDX-License-Identifier: MIT */
/* Needs no other file of the library, for tools/settings is made with it. */
#include "api/row.h"

#include <stdio.h>
#include <string.h>

/* Where a time is off at 0, -1 is the same: "without limit" is -1 everywhere. */
static bool is_off(const struct setting_row *row, int64_t value)
{
  return row->off != NO_OFF && (value == row->off || (value == -1 && row->kind == TIME));
}

bool row_allows(const struct setting_row *row, int64_t value)
{
  if (row->kind == MASK)
    return (value & ~row->most) == 0;
  return is_off(row, value) || (value >= row->least && value <= row->most);
}

/* "fifo (0), lifo (1) or shed (2)" */
static void names_in_words(const struct setting_row *row, char *text, size_t room)
{
  size_t used = 0;
  int64_t number = 0;
  for (const char *name = row->unit; *name && used < room; number++) {
    size_t length = strcspn(name, " ");
    const char *between = number == 0 ? "" : number == row->most ? " or " : ", ";
    used += (size_t)snprintf(text + used, room - used, "%s%.*s (%lld)", between, (int)length, name, (long long)number);
    name += length;
    name += strspn(name, " ");
  }
}

static int range_in_words(const struct setting_row *row, int64_t value, char *text, size_t room)
{
  long long least = row->least, most = row->most;
  if (row->most == A_YEAR_MS)
    return snprintf(text, room, "%lld to a year", least);
  if (row->most == INT32_MAX && value <= row->most)
    return snprintf(text, room, "%lld or more", least);
  return snprintf(text, room, "%lld to %lld", least, most);
}

void row_words(const struct setting_row *row, int64_t value, char *text, size_t room)
{
  if (row->kind == TEXT)
    snprintf(text, room, "a text");
  else if (row_has_names(row))
    names_in_words(row, text, room);
  else {
    int used = range_in_words(row, value, text, room);
    if (row->off != NO_OFF)
      snprintf(text + used, room - (size_t)used, ", or %lld%s (%s)", (long long)row->off,
               row->kind == TIME && row->off == 0 ? " or -1" : "", row->off_means);
  }
}
