/* SPDX-License-Identifier: MIT */
#include "api/member.h"

#include <string.h>

#include "base/error.h"
#include "slot/slot.h"

_Static_assert(MOST_OPEN == (1u << INDEX_BITS) - 8, "this many slots there are, without the first group");

/* clang-format off */
const struct setting_row member_rows[] = {
#define SETTING(name, kind, unit, initial, least, most, off, off_means, section, sentence, more)                       \
  {#name, kind, unit, initial, least, most, off, off_means, sentence, offsetof(pool_config_t, name),                    \
   sizeof(((pool_config_t *)0)->name)},
#include "api/settings.def"
};
/* clang-format on */

const int32_t member_count = sizeof member_rows / sizeof *member_rows;

/* A member has the type that the kind of its row says. */
#define SETTING(name, kind, unit, initial, least, most, off, off_means, section, sentence, more)                       \
  _Static_assert(_Generic(((pool_config_t *)0)->name, int64_t: kind == TIME, const char *: kind == TEXT,               \
                          int32_t: kind != TIME && kind != TEXT),                                                      \
                 #name " has another type than its row says");
#include "api/settings.def"

const pool_config_t member_defaults = {
    .size = sizeof(pool_config_t),
#define SETTING(name, kind, unit, initial, least, most, off, off_means, section, sentence, more) .name = initial,
#include "api/settings.def"
};

const struct setting_row *member_find(const char *name)
{
  for (int32_t i = 0; i < member_count; i++)
    if (strcmp(member_rows[i].name, name) == 0)
      return &member_rows[i];
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
    __atomic_store_n((int64_t *)member, value, __ATOMIC_RELAXED); /* others may read it (decide/setting.h) */
  else
    __atomic_store_n((int32_t *)member, (int32_t)value, __ATOMIC_RELAXED);
}

/* Texts have no default in their rows. */
const char *member_get_text(const pool_config_t *config, const struct setting_row *row)
{
  const char *text = *(const char *const *)((const char *)config + row->offset);
  return text && *text ? text : row->offset == offsetof(pool_config_t, name) ? "pool" : "";
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

int member_check_all(const pool_config_t *config, pool_error_t *error)
{
  int code = 0;
  for (int32_t i = 0; i < member_count && code == 0; i++)
    if (member_rows[i].kind != TEXT)
      code = member_check(&member_rows[i], member_get(config, &member_rows[i]), error);
  return code;
}
