/* SPDX-License-Identifier: MIT */
#include "mysql/row.h"

#include <stdio.h>
#include <stdlib.h>

struct row_cell {
  MYSQL_FIELD *field;
  union {
    unsigned long long integer;
    double real;
    float small;
  } value;
  unsigned long size;
  my_bool is_null;
};

static bool is_integer(enum enum_field_types type)
{
  return type == MYSQL_TYPE_TINY || type == MYSQL_TYPE_SHORT || type == MYSQL_TYPE_INT24 || type == MYSQL_TYPE_LONG ||
         type == MYSQL_TYPE_LONGLONG || type == MYSQL_TYPE_YEAR;
}

/* A text gets no room: how long it is shows when it is there. */
static void bind_cell(struct row_cell *cell, MYSQL_BIND *bind)
{
  enum enum_field_types type = cell->field->type;
  bool real = type == MYSQL_TYPE_FLOAT || type == MYSQL_TYPE_DOUBLE;
  bind->buffer_type = is_integer(type) ? MYSQL_TYPE_LONGLONG : real ? type : MYSQL_TYPE_STRING;
  bind->is_unsigned = (cell->field->flags & UNSIGNED_FLAG) != 0;
  bind->buffer = &cell->value;
  bind->buffer_length = is_integer(type) || real ? sizeof cell->value : 0;
  bind->length = &cell->size;
  bind->is_null = &cell->is_null;
}

bool row_init(struct row *row, MYSQL_STMT *statement, MYSQL_RES *metadata)
{
  MYSQL_FIELD *fields = mysql_fetch_fields(metadata);
  *row = (struct row){.statement = statement, .count = mysql_num_fields(metadata)};
  row->cells = calloc(row->count, sizeof *row->cells);
  row->binds = calloc(row->count, sizeof *row->binds);
  if (!row->cells || !row->binds)
    return false;
  for (unsigned i = 0; i < row->count; i++) {
    row->cells[i].field = &fields[i];
    bind_cell(&row->cells[i], &row->binds[i]);
  }
  return true;
}

void row_free(struct row *row)
{
  free(row->cells);
  free(row->binds);
  free(row->buffer);
}

static bool reserve(struct row *row, unsigned long size)
{
  if (size < row->capacity)
    return true;
  char *buffer = realloc(row->buffer, size + 1);
  if (!buffer)
    return false;
  row->buffer = buffer;
  row->capacity = size + 1;
  return true;
}

/* The library converts dates and decimals to texts, and copies the others. */
static bool fetch_text(struct row *row, unsigned column)
{
  unsigned long size = row->cells[column].size;
  my_bool is_null, error;
  if (!reserve(row, size))
    return false;
  MYSQL_BIND bind = {.buffer_type = MYSQL_TYPE_STRING,
                     .buffer = row->buffer,
                     .buffer_length = row->capacity,
                     .length = &size,
                     .is_null = &is_null,
                     .error = &error};
  return size == 0 || mysql_stmt_fetch_column(row->statement, &bind, column, 0) == 0;
}

static size_t write_number(char *to, const struct row_cell *cell)
{
  if (cell->field->type == MYSQL_TYPE_FLOAT)
    return number_write_float(to, cell->value.small);
  if (cell->field->type == MYSQL_TYPE_DOUBLE)
    return number_write_double(to, cell->value.real);
  return (size_t)snprintf(to, NUMBER_LONGEST, cell->field->flags & UNSIGNED_FLAG ? "%llu" : "%lld",
                          cell->value.integer);
}

bool row_value(struct row *row, unsigned column, const char **bytes, size_t *size)
{
  const struct row_cell *cell = &row->cells[column];
  *bytes = NULL;
  *size = 0;
  if (cell->is_null)
    return true;
  if (row->binds[column].buffer_type != MYSQL_TYPE_STRING) {
    *size = write_number(row->digits, cell);
    *bytes = row->digits;
    return true;
  }
  *size = cell->size;
  if (!fetch_text(row, column))
    return false;
  *bytes = row->buffer;
  return true;
}
