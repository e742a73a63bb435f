/* SPDX-License-Identifier: MIT */
#include "postgres/reply.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "postgres/type.h"

/* ---- values ---- */

static void add_text(struct reply *reply, const char *text)
{
  json_text_say(&reply->text, text);
}

static void add_string(struct reply *reply, const char *text)
{
  json_text_string(&reply->text, text, strlen(text));
}

static void add_value(struct reply *reply, enum type_kind kind, const char *text, size_t size)
{
  if (kind == TYPE_BOOL && size == 1 && (*text == 't' || *text == 'f'))
    add_text(reply, *text == 't' ? "true" : "false");
  else if (kind == TYPE_NUMBER || kind == TYPE_JSON)
    json_text_value(&reply->text, text, size);
  else
    json_text_string(&reply->text, text, size);
}

static void add_cell(struct reply *reply, const PGresult *result, int row, int column)
{
  const struct type *type = type_of(PQftype(result, column));
  add_text(reply, column ? "," : "");
  if (PQgetisnull(result, row, column))
    add_text(reply, "null");
  else
    add_value(reply, type && PQfformat(result, column) == 0 ? type->kind : TYPE_TEXT, PQgetvalue(result, row, column),
              (size_t)PQgetlength(result, row, column));
}

static void add_type(struct reply *reply, Oid oid)
{
  const struct type *type = type_of(oid);
  char number[16];
  snprintf(number, sizeof number, "%u", oid);
  if (type)
    add_string(reply, type->name);
  else
    add_text(reply, number);
}

static void begin(struct reply *reply, const PGresult *result)
{
  int columns = PQnfields(result);
  add_text(reply, "{\"columns\":[");
  for (int i = 0; i < columns; i++) {
    add_text(reply, i ? "," : "");
    add_string(reply, PQfname(result, i));
  }
  add_text(reply, "],\"types\":[");
  for (int i = 0; i < columns; i++) {
    add_text(reply, i ? "," : "");
    add_type(reply, PQftype(result, i));
  }
  add_text(reply, "],\"rows\":[");
  reply->began = true;
}

/* ---- results ---- */

void reply_add(struct reply *reply, const PGresult *result)
{
  if (!reply->began)
    begin(reply, result);
  for (int row = 0; row < PQntuples(result) && reply->text.problem == JSON_TEXT_GOOD; row++) {
    add_text(reply, reply->rows++ ? ",[" : "[");
    for (int column = 0; column < PQnfields(result); column++)
      add_cell(reply, result, row, column);
    add_text(reply, "]");
  }
}

/* A number that the server sent as digits.  Anything else is null. */
static void add_count(struct reply *reply, const char *digits)
{
  bool good = digits && *digits && strspn(digits, "0123456789") == strlen(digits);
  add_text(reply, good ? digits : "null");
}

void reply_end(struct reply *reply, PGresult *result)
{
  reply_add(reply, result);
  add_text(reply, "],\"command\":");
  add_string(reply, PQcmdStatus(result));
  add_text(reply, ",\"affected\":");
  add_count(reply, PQcmdTuples(result));
  add_text(reply, "}");
}

/* ---- errors ---- */

static void start_again(struct reply *reply)
{
  json_text_free(&reply->text);
  reply->text = (struct json_text){.limit = SIZE_MAX / 4}; /* libpq keeps errors short */
}

static void add_member(struct reply *reply, const char *name, const char *text)
{
  add_text(reply, reply->text.size ? ",\"" : "{\"");
  add_text(reply, name);
  add_text(reply, "\":");
  if (text)
    add_string(reply, text);
  else
    add_text(reply, "null");
}

void reply_fault(struct reply *reply, const PGresult *result)
{
  static const struct {
    const char *name;
    int field;
  } members[] = {
      {"message", PG_DIAG_MESSAGE_PRIMARY}, {"code", PG_DIAG_SQLSTATE},     {"severity", PG_DIAG_SEVERITY_NONLOCALIZED},
      {"detail", PG_DIAG_MESSAGE_DETAIL},   {"hint", PG_DIAG_MESSAGE_HINT}, {"constraint", PG_DIAG_CONSTRAINT_NAME}};
  start_again(reply);
  for (size_t i = 0; i < sizeof members / sizeof *members; i++)
    add_member(reply, members[i].name, PQresultErrorField(result, members[i].field));
  add_text(reply, ",\"position\":");
  add_count(reply, PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION));
  add_text(reply, "}");
}

void reply_refuse(struct reply *reply, const char *message)
{
  start_again(reply);
  add_member(reply, "message", message);
  add_member(reply, "code", NULL);
  add_text(reply, "}");
}
