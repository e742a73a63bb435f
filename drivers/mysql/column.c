/* SPDX-License-Identifier: MIT */
#include "mysql/column.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define BINARY     63  /* the number of the "character set" of bytes */
#define MYSQL_JSON 245 /* MySQL's type; MariaDB has texts whose format is json */

struct type {
  enum enum_field_types number;
  enum column_kind kind;
  const char *name;
  const char *other; /* without a sign, or for bytes; NULL: there is no such variant */
};

static const struct type types[] = {
    {MYSQL_TYPE_TINY, COLUMN_NUMBER, "tinyint", "tinyint unsigned"},
    {MYSQL_TYPE_SHORT, COLUMN_NUMBER, "smallint", "smallint unsigned"},
    {MYSQL_TYPE_INT24, COLUMN_NUMBER, "mediumint", "mediumint unsigned"},
    {MYSQL_TYPE_LONG, COLUMN_NUMBER, "int", "int unsigned"},
    {MYSQL_TYPE_LONGLONG, COLUMN_NUMBER, "bigint", "bigint unsigned"},
    {MYSQL_TYPE_DECIMAL, COLUMN_NUMBER, "decimal", NULL},
    {MYSQL_TYPE_NEWDECIMAL, COLUMN_NUMBER, "decimal", NULL},
    {MYSQL_TYPE_FLOAT, COLUMN_NUMBER, "float", NULL},
    {MYSQL_TYPE_DOUBLE, COLUMN_NUMBER, "double", NULL},
    {MYSQL_TYPE_YEAR, COLUMN_NUMBER, "year", NULL},
    {MYSQL_TYPE_BIT, COLUMN_BITS, "bit", NULL},
    {MYSQL_TYPE_DATE, COLUMN_TEXT, "date", NULL},
    {MYSQL_TYPE_NEWDATE, COLUMN_TEXT, "date", NULL},
    {MYSQL_TYPE_TIME, COLUMN_TEXT, "time", NULL},
    {MYSQL_TYPE_TIME2, COLUMN_TEXT, "time", NULL},
    {MYSQL_TYPE_DATETIME, COLUMN_TEXT, "datetime", NULL},
    {MYSQL_TYPE_DATETIME2, COLUMN_TEXT, "datetime", NULL},
    {MYSQL_TYPE_TIMESTAMP, COLUMN_TEXT, "timestamp", NULL},
    {MYSQL_TYPE_TIMESTAMP2, COLUMN_TEXT, "timestamp", NULL},
    {MYSQL_TYPE_NULL, COLUMN_TEXT, "null", NULL},
    {MYSQL_TYPE_GEOMETRY, COLUMN_BYTES, "geometry", NULL},
    {MYSQL_TYPE_STRING, COLUMN_TEXT, "char", "binary"},
    {MYSQL_TYPE_VAR_STRING, COLUMN_TEXT, "varchar", "varbinary"},
    {MYSQL_TYPE_VARCHAR, COLUMN_TEXT, "varchar", "varbinary"},
};

static const struct type text = {MYSQL_TYPE_BLOB, COLUMN_TEXT, "text", "blob"};

static const struct type *type_of(const MYSQL_FIELD *field)
{
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (types[i].number == field->type)
      return &types[i];
  return &text;
}

static bool is_json(const MYSQL_FIELD *field)
{
  MARIADB_CONST_STRING format = {NULL, 0};
  if ((int)field->type == MYSQL_JSON)
    return true;
  return mariadb_field_attr(&format, field, MARIADB_FIELD_ATTR_FORMAT_NAME) == 0 && format.length == 4 &&
         memcmp(format.str, "json", 4) == 0;
}

enum column_kind column_kind(const MYSQL_FIELD *field)
{
  const struct type *type = type_of(field);
  if (type->kind != COLUMN_TEXT || (type != &text && !type->other))
    return type->kind;
  if (is_json(field))
    return COLUMN_JSON;
  return field->charsetnr == BINARY ? COLUMN_BYTES : COLUMN_TEXT;
}

const char *column_type(const MYSQL_FIELD *field)
{
  const struct type *type = type_of(field);
  enum column_kind kind = column_kind(field);
  if (kind == COLUMN_JSON)
    return "json";
  if (field->flags & (ENUM_FLAG | SET_FLAG))
    return field->flags & ENUM_FLAG ? "enum" : "set";
  bool is_other = kind == COLUMN_NUMBER ? (field->flags & UNSIGNED_FLAG) != 0 : kind == COLUMN_BYTES;
  return is_other && type->other ? type->other : type->name;
}
