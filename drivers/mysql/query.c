/* SPDX-License-Identifier: MIT */
#include "mysql/query.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "mysql/cancel.h"
#include "mysql/fault.h"
#include "mysql/limit.h"
#include "mysql/number.h"
#include "mysql/reply.h"
#include "support/deadline.h"
#include "support/failure.h"

struct query {
  MYSQL *mysql;
  struct options *options;
  int64_t deadline_ns;
  struct dial_server server; /* noted before, for a connection that failed is not connected any more */
  bool is_known;
  struct reply reply;
  unsigned long long affected;
  unsigned long long last_insert_id;
  int code;
  pool_error_t *error;
};

/* ---- ends ---- */

/* Ends the query, once.  The socket is shut, because the library would read all rows to their end. */
static bool cut(struct query *query, int code, const char *why)
{
  query->code = failure_set(query->error, code, 0, "%s", why);
  shutdown(mysql_get_socket(query->mysql), SHUT_RDWR);
  return false;
}

static bool expire(struct query *query)
{
  if (query->is_known)
    cancel_statement(query->options, &query->server, mysql_thread_id(query->mysql));
  return cut(query, POOL_E_TIMEOUT, "the deadline passed while waiting for the reply");
}

/* Ends the query with an error of the server's, or of the library's, which breaks the connection. */
static bool fail(struct query *query, struct fault fault)
{
  if (deadline_is_past(query->deadline_ns) && !fault_is_servers(&fault))
    return expire(query);
  query->code = fault_is_servers(&fault) ? fault_remote(fault, query->error)
                                         : fault_say(fault, POOL_E_BROKEN, false, "the call", query->error);
  return false;
}

/* Whether rows may go on to come.  False: the query has ended. */
static bool goes_on(struct query *query)
{
  char why[112];
  switch (query->reply.text.problem) {
  case JSON_TEXT_TOO_LARGE:
    snprintf(why, sizeof why, "the reply is larger than max_reply_bytes=%lld",
             (long long)query->options->max_reply_bytes);
    return cut(query, POOL_E_BROKEN, why);
  case JSON_TEXT_NO_MEMORY:
    return cut(query, POOL_E_BROKEN, "no memory for the reply");
  default:
    return !deadline_is_past(query->deadline_ns) || expire(query);
  }
}

/* ---- a statement as it is ---- */

/* Reads a result to its end.  Only the first is written. */
static bool read_result(struct query *query, MYSQL_RES *result)
{
  struct reply *reply = &query->reply;
  bool wanted = !reply->began, good = true;
  unsigned count = mysql_num_fields(result);
  MYSQL_ROW row;
  if (wanted)
    reply_columns(reply, mysql_fetch_fields(result), count);
  while (good && (row = mysql_fetch_row(result))) {
    const unsigned long *sizes = mysql_fetch_lengths(result);
    if (wanted)
      reply_row(reply);
    for (unsigned i = 0; wanted && i < count; i++)
      reply_value(reply, i, row[i], sizes[i]);
    good = goes_on(query);
  }
  if (good && mysql_errno(query->mysql))
    good = fail(query, fault_of(query->mysql));
  mysql_free_result(result);
  return good;
}

static bool take_result(struct query *query)
{
  MYSQL *mysql = query->mysql;
  MYSQL_RES *result = mysql_use_result(mysql);
  if (result)
    return read_result(query, result);
  if (mysql_errno(mysql))
    return fail(query, fault_of(mysql));
  query->affected = mysql_affected_rows(mysql);
  query->last_insert_id = mysql_insert_id(mysql);
  return true;
}

static void run_plain(struct query *query, const char *sql)
{
  MYSQL *mysql = query->mysql;
  if (mysql_real_query(mysql, sql, strlen(sql)) != 0) {
    fail(query, fault_of(mysql));
    return;
  }
  int next = 0;
  while (next == 0 && take_result(query))
    next = mysql_next_result(mysql);
  if (next > 0)
    fail(query, fault_of(mysql));
}

/* ---- rows of a prepared statement ---- */

/* Where the library puts a value. */
struct cell {
  MYSQL_FIELD *field;
  union {
    unsigned long long integer;
    double real;
    float small;
  } value;
  unsigned long size;
  my_bool is_null;
};

struct row {
  MYSQL_STMT *statement;
  unsigned count;
  struct cell *cells;
  MYSQL_BIND *binds;
  char *buffer; /* the last text that was fetched */
  unsigned long capacity;
};

static bool is_integer(enum enum_field_types type)
{
  return type == MYSQL_TYPE_TINY || type == MYSQL_TYPE_SHORT || type == MYSQL_TYPE_INT24 || type == MYSQL_TYPE_LONG ||
         type == MYSQL_TYPE_LONGLONG || type == MYSQL_TYPE_YEAR;
}

/* A text gets no room, for how long it is shows when it is there. */
static void bind_cell(struct cell *cell, MYSQL_BIND *bind)
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

static bool row_init(struct row *row, MYSQL_STMT *statement, MYSQL_RES *metadata)
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

static void row_free(struct row *row)
{
  free(row->cells);
  free(row->binds);
  free(row->buffer);
}

/* NULL without memory. */
static const char *fetch_text(struct row *row, unsigned column)
{
  unsigned long size = row->cells[column].size, fetched;
  my_bool is_null, error;
  if (size >= row->capacity) {
    char *buffer = realloc(row->buffer, size + 1);
    if (!buffer)
      return NULL;
    row->buffer = buffer;
    row->capacity = size + 1;
  }
  MYSQL_BIND bind = {.buffer_type = MYSQL_TYPE_STRING,
                     .buffer = row->buffer,
                     .buffer_length = row->capacity,
                     .length = &fetched,
                     .is_null = &is_null,
                     .error = &error};
  return size == 0 || mysql_stmt_fetch_column(row->statement, &bind, column, 0) == 0 ? row->buffer : NULL;
}

static size_t write_number(char *to, const struct cell *cell)
{
  if (cell->field->type == MYSQL_TYPE_FLOAT)
    return number_write_float(to, cell->value.small);
  if (cell->field->type == MYSQL_TYPE_DOUBLE)
    return number_write_double(to, cell->value.real);
  return (size_t)snprintf(to, NUMBER_LONGEST, cell->field->flags & UNSIGNED_FLAG ? "%llu" : "%lld",
                          cell->value.integer);
}

static bool write_cell(struct query *query, struct row *row, unsigned column)
{
  char digits[NUMBER_LONGEST];
  const struct cell *cell = &row->cells[column];
  const char *bytes = digits;
  size_t size = cell->size;
  if (cell->is_null) {
    reply_value(&query->reply, column, NULL, 0);
    return true;
  }
  if (row->binds[column].buffer_type == MYSQL_TYPE_STRING)
    bytes = fetch_text(row, column);
  else
    size = write_number(digits, cell);
  if (!bytes)
    return cut(query, POOL_E_BROKEN, "no memory for the reply");
  reply_value(&query->reply, column, bytes, size);
  return true;
}

/* ---- a prepared statement ---- */

static bool fetch_rows(struct query *query, struct row *row, bool wanted)
{
  int fetched;
  while ((fetched = mysql_stmt_fetch(row->statement)) == 0 || fetched == MYSQL_DATA_TRUNCATED) {
    if (wanted)
      reply_row(&query->reply);
    for (unsigned i = 0; wanted && i < row->count; i++)
      if (!write_cell(query, row, i))
        return false;
    if (!goes_on(query))
      return false;
  }
  return fetched == MYSQL_NO_DATA || fail(query, fault_of_statement(row->statement));
}

static bool read_rows(struct query *query, MYSQL_STMT *statement, MYSQL_RES *metadata)
{
  struct row row;
  bool wanted = !query->reply.began;
  bool good = row_init(&row, statement, metadata);
  if (!good)
    cut(query, POOL_E_BROKEN, "no memory for the reply");
  if (good && wanted)
    reply_columns(&query->reply, mysql_fetch_fields(metadata), row.count);
  if (good && mysql_stmt_bind_result(statement, row.binds) != 0)
    good = fail(query, fault_of_statement(statement));
  good = good && fetch_rows(query, &row, wanted);
  row_free(&row);
  return good;
}

static bool take_rows(struct query *query, MYSQL_STMT *statement)
{
  if (mysql_stmt_field_count(statement) == 0) {
    query->affected = mysql_stmt_affected_rows(statement);
    query->last_insert_id = mysql_stmt_insert_id(statement);
    return true;
  }
  MYSQL_RES *metadata = mysql_stmt_result_metadata(statement);
  if (!metadata)
    return cut(query, POOL_E_BROKEN, "no memory for the reply");
  bool good = read_rows(query, statement, metadata);
  mysql_free_result(metadata);
  return good;
}

static bool prepare(struct query *query, MYSQL_STMT *statement, const char *sql, struct parameters *parameters)
{
  if (mysql_stmt_prepare(statement, sql, strlen(sql)) != 0)
    return fail(query, fault_of_statement(statement));
  unsigned long places = mysql_stmt_param_count(statement);
  if (places != parameters->count) {
    query->code = failure_set(query->error, POOL_E_INVALID, 0,
                              "not run: the statement has %lu question marks, and args has %zu elements", places,
                              parameters->count);
    return false;
  }
  if (places > 0 && mysql_stmt_bind_param(statement, parameters->binds) != 0)
    return fail(query, fault_of_statement(statement));
  return mysql_stmt_execute(statement) == 0 || fail(query, fault_of_statement(statement));
}

static void run_prepared(struct query *query, const char *sql, struct parameters *parameters)
{
  MYSQL_STMT *statement = mysql_stmt_init(query->mysql);
  if (!statement) {
    query->code = failure_set(query->error, POOL_E_NOMEM, ENOMEM, "not sent: no memory for a statement");
    return;
  }
  int next = prepare(query, statement, sql, parameters) ? 0 : -1;
  while (next == 0 && take_rows(query, statement))
    next = mysql_stmt_next_result(statement);
  if (next > 0)
    fail(query, fault_of_statement(statement));
  mysql_stmt_close(statement);
}

/* ---- the whole ---- */

int query_check(MYSQL *mysql, pool_error_t *error)
{
  if (mysql_get_socket(mysql) < 0)
    return failure_set(error, POOL_E_BROKEN, 0, "the connection has broken before");
  if (mysql->status != MYSQL_STATUS_READY || mysql_more_results(mysql))
    return failure_set(error, POOL_E_INVALID, 0, "not sent: results of an earlier statement are still unread");
  if (strncmp(mysql_character_set_name(mysql), "utf8", 4) != 0)
    return failure_set(error, POOL_E_UNSUPPORTED, 0,
                       "not sent: the session's character set is %.32s, and JSON is UTF-8; "
                       "use charset=utf8mb4",
                       mysql_character_set_name(mysql));
  return 0;
}

static int conclude(struct query *query, pool_bytes_t *reply)
{
  if (query->code)
    return query->code;
  if (query->reply.began)
    query->affected = query->reply.rows;
  reply_end(&query->reply, query->affected, query->last_insert_id);
  if (!goes_on(query))
    return query->code;
  return json_text_take(&query->reply.text, reply)
             ? 0
             : failure_set(query->error, POOL_E_BROKEN, ENOMEM, "no memory for the reply");
}

int query_run(MYSQL *mysql, struct options *options, const char *sql, struct parameters *parameters,
              pool_bytes_t *reply, int64_t deadline_ns, pool_error_t *error)
{
  struct query query = {.mysql = mysql, .options = options, .deadline_ns = deadline_ns, .error = error};
  query.reply.text.limit = (size_t)options->max_reply_bytes;
  if (deadline_is_past(deadline_ns))
    return failure_set(error, POOL_E_TIMEOUT, 0, "the deadline passed before the statement was sent");
  query.is_known = dial_note(options, mysql, &query.server);
  limit_begin(mysql, deadline_ns);
  if (parameters->given)
    run_prepared(&query, sql, parameters);
  else
    run_plain(&query, sql);
  int code = conclude(&query, reply);
  limit_end(mysql);
  json_text_free(&query.reply.text);
  return code;
}
