/* SPDX-License-Identifier: MIT */
/* The rows of settings.def as a table, and what follows from a row alone: which values it may have, and in words. */
#ifndef ROW_H
#define ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pool/event.h>

/* Slots come in groups, and the first group does not exist. */
#define MOST_OPEN 1048568

/* A longer time than this is meant as "off". */
#define A_YEAR_MS INT64_C(31536000000)

#define EVENTS_KNOWN ((1 << (POOL_EVENT_BUDGET_FOUND + 1)) - 2)

#define NO_OFF INT64_MIN

enum kind { COUNT, TIME, CHOICE, SWITCH, MASK, TEXT };

struct setting_row {
  const char *name;
  enum kind kind;
  const char *unit; /* or the names of choices */
  int64_t initial, least, most, off;
  const char *off_means;
  const char *sentence;
  size_t offset, size; /* of the member of pool_config_t */
};

/* Which values a setting may have, as "1 to a year, or -1 (never)".  Where `value` needs no upper limit to be seen as
   wrong, "1 or more" is enough. */
void row_words(const struct setting_row *row, int64_t value, char *text, size_t room);

/* Whether a setting may have this value. */
bool row_allows(const struct setting_row *row, int64_t value);

/* Whether the setting is one of several names. */
static inline bool row_has_names(const struct setting_row *row)
{
  return row->kind == CHOICE || row->kind == SWITCH;
}

#endif
