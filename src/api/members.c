/* SPDX-License-Identifier: MIT */
#include "members.h"

#include <string.h>

#include "error.h"
#include "slot.h"

_Static_assert(MOST_OPEN == (1u << INDEX_BITS) - 8, "so many slots there are, without the first group");

/* clang-format off */
const struct setting_row members[] = {
#define SETTING(name, kind, unit, initial, least, most, off, off_means, section, sentence, more)                       \
  {#name, kind, unit, initial, least, most, off, off_means, sentence, offsetof(pool_config_t, name),                    \
   sizeof(((pool_config_t *)0)->name)},
#include "settings.def"
};
/* clang-format on */

const int32_t member_count = sizeof members / sizeof *members;

/* A member has the type that the kind of its row says. */
#define SETTING(name, kind, unit, initial, least, most, off, off_means, section, sentence, more)                       \
  _Static_assert(_Generic(((pool_config_t *)0)->name, int64_t: kind == TIME, const char *: kind == TEXT,               \
                          int32_t: kind != TIME && kind != TEXT),                                                      \
                 #name " has another type than its row says");
#include "settings.def"

const pool_config_t member_defaults = {
    .size = sizeof(pool_config_t),
#define SETTING(name, kind, unit, initial, least, most, off, off_means, section, sentence, more) .name = initial,
#include "settings.def"
};

const struct setting_row *member_find(const char *name)
{
  for (int32_t i = 0; i < member_count; i++)
    if (strcmp(members[i].name, name) == 0)
      return &members[i];
  return NULL;
}

int64_t member_get(const pool_config_t *config, const struct setting_row *row)
{
  const char *member = (const char *)config + row->offset;
  return row->size == sizeof(int64_t) ? *(const int64_t *)member : *(const int32_t *)member;
}

void member_put(pool_config_t *config, const struct setting_row *row, int64_t value)
{
  char *member = (char *)config + row->offset;
  if (row->size == sizeof(int64_t))
    *(int64_t *)member = value;
  else
    *(int32_t *)member = (int32_t)value;
}

/* Of the texts, which have no default in their rows, there is one. */
const char *member_get_text(const pool_config_t *config, const struct setting_row *row)
{
  const char *text = *(const char *const *)((const char *)config + row->offset);
  return text ? text : "pool";
}

void member_put_text(pool_config_t *config, const struct setting_row *row, const char *text)
{
  *(const char **)((char *)config + row->offset) = text;
}

int member_check(const struct setting_row *row, int64_t value, pool_error_t *error)
{
  char words[200];
  if (row->kind != TEXT && row_allows(row, value))
    return 0;
  if (row->kind == MASK)
    return error_set(error, POOL_E_NEWER, 0,
                     "%s is %lld; that has bits which this version of the library does not know", row->name,
                     (long long)value);
  row_words(row, value, words, sizeof words);
  return error_set(error, POOL_E_INVALID, 0, "%s is %lld; it must be %s", row->name, (long long)value, words);
}

int members_check(const pool_config_t *config, pool_error_t *error)
{
  int code = 0;
  for (int32_t i = 0; i < member_count && code == 0; i++)
    if (members[i].kind != TEXT)
      code = member_check(&members[i], member_get(config, &members[i]), error);
  return code;
}
