/* SPDX-License-Identifier: MIT */
/* Settings by their names: set from text or number, read back, listed. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <pool/pool.h>

#include "base/error.h"
#include "api/member.h"
#include "base/near.h"
#include "base/sized.h"

/* ---- find ---- */

static int unknown(const char *name, pool_error_t *error)
{
  struct near near = near_begin(name);
  for (int32_t i = 0; i < member_count; i++)
    near_look(&near, member_rows[i].name);
  const char *meant = near.found;
  return error_set(error, POOL_E_INVALID, 0, "no setting is called \"%.60s\"%s%s%s", name,
                   meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
}

/* The row of a setting that the caller's struct has. */
static int find(const pool_config_t *config, const char *name, const struct setting_row **row, pool_error_t *error)
{
  if (!config || !name)
    return error_set(error, POOL_E_INVALID, 0, "%s is NULL", config ? "name" : "config");
  int code = sized_check(config->size, CONFIG_SIZES);
  if (code)
    return error_set(error, code, 0, "pool_config_t: %s", pool_strerror(code));
  *row = member_find(name);
  if (!*row)
    return unknown(name, error);
  if ((*row)->offset + (*row)->size > config->size)
    return error_set(error, POOL_E_SIZE, 0, "this pool_config_t is of a release that has no %s", name);
  return 0;
}

/* ---- set ---- */

/* Digits, perhaps behind a minus, and nothing else; false also where that is too large. */
static bool read_number(const char *text, int64_t *value)
{
  bool negative = *text == '-';
  text += negative;
  int64_t sum = 0;
  const char *digit = text;
  for (; *digit >= '0' && *digit <= '9'; digit++)
    if (__builtin_mul_overflow(sum, 10, &sum) || __builtin_add_overflow(sum, *digit - '0', &sum))
      return false;
  *value = negative ? -sum : sum;
  return digit > text && *digit == 0;
}

/* The number of a name: of "shed" in "fifo lifo shed" it is 2. */
static bool read_name(const char *names, const char *text, int64_t *value)
{
  size_t length = strlen(text);
  for (*value = 0; *names; ++*value) {
    size_t size = strcspn(names, " ");
    if (size == length && memcmp(names, text, length) == 0)
      return true;
    names += size;
    names += strspn(names, " ");
  }
  return false;
}

static bool read_value(const struct setting_row *row, const char *text, int64_t *value)
{
  return (row_has_names(row) && read_name(row->unit, text, value)) || read_number(text, value);
}

static int refuse_text(const struct setting_row *row, const char *text, pool_error_t *error)
{
  char words[200];
  row_words(row, text && isdigit((unsigned char)*text) ? INT64_MAX : 0, words, sizeof words);
  if (!text)
    return error_set(error, POOL_E_INVALID, 0, "text is NULL; %s must be %s", row->name, words);
  return error_set(error, POOL_E_INVALID, 0, "%s is \"%.60s\"; it must be %s", row->name, text, words);
}

static int set_value(pool_config_t *config, const struct setting_row *row, int64_t value, pool_error_t *error)
{
  int code = member_check(row, value, error);
  if (code == 0)
    member_put(config, row, value);
  return code;
}

int pool_config_set(pool_config_t *config, const char *name, const char *text, pool_error_t *error)
{
  const struct setting_row *row;
  int64_t value;
  int code = find(config, name, &row, error);
  if (code)
    return code;
  if (text && row->kind == TEXT) {
    member_put_text(config, row, text);
    return 0;
  }
  if (!text || !read_value(row, text, &value))
    return refuse_text(row, text, error);
  return set_value(config, row, value, error);
}

int pool_config_set_number(pool_config_t *config, const char *name, int64_t value, pool_error_t *error)
{
  const struct setting_row *row;
  int code = find(config, name, &row, error);
  if (code)
    return code;
  return set_value(config, row, value, error);
}

/* ---- read ---- */

static int copy_text(const char *from, size_t size, pool_bytes_t *text)
{
  pool_bytes_t bytes;
  int code = pool_bytes_new(size, &bytes);
  if (code)
    return code;
  memcpy(bytes.data, from, size);
  *text = bytes;
  return 0;
}

/* The name that stands for a number, or its digits. */
static int copy_value(const struct setting_row *row, int64_t value, pool_bytes_t *text)
{
  char digits[24];
  if (!row_has_names(row) || !row_allows(row, value))
    return copy_text(digits, (size_t)snprintf(digits, sizeof digits, "%" PRId64, value), text);
  const char *name = row->unit;
  for (; value > 0; value--)
    name = strchr(name, ' ') + 1;
  return copy_text(name, strcspn(name, " "), text);
}

int pool_config_get(const pool_config_t *config, const char *name, pool_bytes_t *text, pool_error_t *error)
{
  if (!text)
    return error_set(error, POOL_E_INVALID, 0, "text is NULL");
  const struct setting_row *row;
  int code = find(config, name, &row, error);
  if (code)
    return code;
  if (row->kind != TEXT)
    code = copy_value(row, member_get(config, row), text);
  else {
    const char *set = member_get_text(config, row);
    code = copy_text(set, strlen(set), text);
  }
  return code ? error_set(error, code, 0, "no memory for the value of %s", name) : 0;
}

int pool_config_get_number(const pool_config_t *config, const char *name, int64_t *value, pool_error_t *error)
{
  if (!value)
    return error_set(error, POOL_E_INVALID, 0, "value is NULL");
  const struct setting_row *row;
  int code = find(config, name, &row, error);
  if (code)
    return code;
  if (row->kind == TEXT)
    return error_set(error, POOL_E_INVALID, 0, "%s is a text; pool_config_get() reads it", name);
  *value = member_get(config, row);
  return 0;
}

/* ---- list ---- */

static int32_t type_of(const struct setting_row *row)
{
  return row->kind == TEXT ? POOL_SETTING_TEXT : row_has_names(row) ? POOL_SETTING_CHOICE : POOL_SETTING_NUMBER;
}

int pool_setting(int32_t index, pool_setting_t *setting)
{
  if (index < 0 || index >= member_count)
    return error_set(NULL, POOL_E_INVALID, 0, "there is no setting %d; there are %d, from 0 on", index, member_count);
  if (!setting)
    return error_set(NULL, POOL_E_INVALID, 0, "setting is NULL");
  const struct setting_row *row = &member_rows[index];
  const pool_setting_t ours = {.name = row->name,
                               .unit = row_has_names(row) ? "" : row->unit,
                               .choices = row_has_names(row) ? row->unit : "",
                               .off_means = row->off_means,
                               .sentence = row->sentence,
                               .standard = row->initial,
                               .least = row->least,
                               .most = row->most,
                               .off = row->off,
                               .type = type_of(row)};
  int code = sized_write(setting, &ours, SETTING_SIZES);
  return code ? error_set(NULL, code, 0, "pool_setting_t: %s", pool_strerror(code)) : member_count;
}
