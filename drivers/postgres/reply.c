/* SPDX-License-Identifier: MIT */
#include "postgres/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "postgres/type.h"
#include "support/json_check.h"

#define CAPACITY_FIRST ((size_t)1024)

/* ---- bytes ---- */

static bool reserve(struct reply *reply, size_t more)
{
  if (reply->problem == REPLY_GOOD && more > reply->limit - reply->size)
    reply->problem = REPLY_TOO_LARGE;
  if (reply->problem != REPLY_GOOD)
    return false;
  if (reply->capacity - reply->size >= more)
    return true;
  size_t capacity = reply->capacity ? reply->capacity * 2 : CAPACITY_FIRST;
  while (capacity - reply->size < more)
    capacity *= 2;
  char *data = realloc(reply->data, capacity);
  if (!data) {
    reply->problem = REPLY_NO_MEMORY;
    return false;
  }
  reply->data = data;
  reply->capacity = capacity;
  return true;
}

static void append(struct reply *reply, const char *bytes, size_t size)
{
  if (!reserve(reply, size))
    return;
  memcpy(reply->data + reply->size, bytes, size);
  reply->size += size;
}

static void append_text(struct reply *reply, const char *text)
{
  append(reply, text, strlen(text));
}

/* ---- strings ---- */

static void append_escaped(struct reply *reply, unsigned char byte)
{
  static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
  char escape[8];
  for (const char *pair = letters; *pair; pair += 2)
    if (byte == (unsigned char)*pair) {
      append(reply, (char[]){'\\', pair[1]}, 2);
      return;
    }
  snprintf(escape, sizeof escape, "\\u%04x", byte);
  append(reply, escape, 6);
}

/* Whether text is one JSON value; of a text in UTF-8 a string always is. */
static bool is_json(const char *text, size_t size)
{
  struct json_check check;
  json_check_start(&check);
  json_check_feed(&check, text, size);
  return json_check_end(&check);
}

static void append_string(struct reply *reply, const char *text, size_t size)
{
  size_t begin = reply->size, plain = 0;
  append(reply, "\"", 1);
  for (size_t i = 0; i < size; i++) {
    unsigned char byte = (unsigned char)text[i];
    if (byte >= ' ' && byte != '"' && byte != '\\')
      continue;
    append(reply, text + plain, i - plain);
    append_escaped(reply, byte);
    plain = i + 1;
  }
  append(reply, text + plain, size - plain);
  append(reply, "\"", 1);
  if (reply->problem == REPLY_GOOD && !is_json(reply->data + begin, reply->size - begin))
    reply->problem = REPLY_NOT_UTF8;
}

/* ---- values ---- */

static bool is_number(const char *text, size_t size)
{
  return (*text == '-' || (*text >= '0' && *text <= '9')) && is_json(text, size);
}

static void append_value(struct reply *reply, enum type_kind kind, const char *text, size_t size)
{
  bool as_is = (kind == TYPE_NUMBER && is_number(text, size)) || (kind == TYPE_JSON && is_json(text, size));
  if (kind == TYPE_BOOL && size == 1 && (*text == 't' || *text == 'f'))
    append_text(reply, *text == 't' ? "true" : "false");
  else if (as_is)
    append(reply, text, size);
  else
    append_string(reply, text, size);
}

static void append_cell(struct reply *reply, const PGresult *result, int row, int column)
{
  const struct type *type = type_of(PQftype(result, column));
  append_text(reply, column ? "," : "");
  if (PQgetisnull(result, row, column))
    append_text(reply, "null");
  else
    append_value(reply, type && PQfformat(result, column) == 0 ? type->kind : TYPE_TEXT,
                 PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column));
}

static void append_type(struct reply *reply, Oid oid)
{
  const struct type *type = type_of(oid);
  char number[16];
  snprintf(number, sizeof number, "%u", oid);
  if (type)
    append_string(reply, type->name, strlen(type->name));
  else
    append_text(reply, number);
}

static void begin(struct reply *reply, const PGresult *result)
{
  int columns = PQnfields(result);
  append_text(reply, "{\"columns\":[");
  for (int i = 0; i < columns; i++) {
    append_text(reply, i ? "," : "");
    append_string(reply, PQfname(result, i), strlen(PQfname(result, i)));
  }
  append_text(reply, "],\"types\":[");
  for (int i = 0; i < columns; i++) {
    append_text(reply, i ? "," : "");
    append_type(reply, PQftype(result, i));
  }
  append_text(reply, "],\"rows\":[");
  reply->began = true;
}

/* ---- results ---- */

void reply_add(struct reply *reply, const PGresult *result)
{
  if (!reply->began)
    begin(reply, result);
  for (int row = 0; row < PQntuples(result) && reply->problem == REPLY_GOOD; row++) {
    append_text(reply, reply->rows++ ? ",[" : "[");
    for (int column = 0; column < PQnfields(result); column++)
      append_cell(reply, result, row, column);
    append_text(reply, "]");
  }
}

void reply_end(struct reply *reply, PGresult *result)
{
  const char *command = PQcmdStatus(result), *affected = PQcmdTuples(result);
  reply_add(reply, result);
  append_text(reply, "],\"command\":");
  append_string(reply, command, strlen(command));
  append_text(reply, ",\"affected\":");
  append_text(reply, *affected && is_number(affected, strlen(affected)) ? affected : "null");
  append_text(reply, "}");
}

/* ---- errors ---- */

static void start_again(struct reply *reply)
{
  reply->size = 0;
  reply->problem = REPLY_GOOD;
  reply->limit = SIZE_MAX / 4; /* libpq keeps errors short */
}

/* A server may say in another encoding why nobody can log in. */
static void append_any_string(struct reply *reply, const char *text)
{
  size_t begin = reply->size;
  append_string(reply, text, strlen(text));
  if (reply->problem != REPLY_NOT_UTF8)
    return;
  reply->problem = REPLY_GOOD;
  for (size_t i = begin; i < reply->size; i++)
    if ((unsigned char)reply->data[i] >= 0x80)
      reply->data[i] = '?';
}

static void append_member(struct reply *reply, const char *name, const char *text)
{
  append_text(reply, reply->size ? ",\"" : "{\"");
  append_text(reply, name);
  append_text(reply, "\":");
  if (text)
    append_any_string(reply, text);
  else
    append_text(reply, "null");
}

void reply_fault(struct reply *reply, const PGresult *result)
{
  static const struct {
    const char *name;
    int field;
  } members[] = {
      {"message", PG_DIAG_MESSAGE_PRIMARY}, {"code", PG_DIAG_SQLSTATE},     {"severity", PG_DIAG_SEVERITY_NONLOCALIZED},
      {"detail", PG_DIAG_MESSAGE_DETAIL},   {"hint", PG_DIAG_MESSAGE_HINT}, {"constraint", PG_DIAG_CONSTRAINT_NAME}};
  const char *position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
  start_again(reply);
  for (size_t i = 0; i < sizeof members / sizeof *members; i++)
    append_member(reply, members[i].name, PQresultErrorField(result, members[i].field));
  append_text(reply, ",\"position\":");
  append_text(reply, position && is_number(position, strlen(position)) ? position : "null");
  append_text(reply, "}");
}

void reply_refuse(struct reply *reply, const char *message)
{
  start_again(reply);
  append_member(reply, "message", message);
  append_member(reply, "code", NULL);
  append_text(reply, "}");
}

/* ---- the end ---- */

pool_bytes_t reply_take(struct reply *reply)
{
  pool_bytes_t bytes = {NULL, 0};
  if (reply->problem == REPLY_GOOD && pool_bytes_new(reply->size, &bytes) == 0)
    memcpy(bytes.data, reply->data, reply->size);
  reply_free(reply);
  return bytes;
}

void reply_free(struct reply *reply)
{
  free(reply->data);
  reply->data = NULL;
}
