/* SPDX-License-Identifier: MIT */
#include "mysql/query.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "mysql/cancel.h"
#include "mysql/fault.h"
#include "mysql/limit.h"
#include "mysql/reply.h"
#include "mysql/row.h"
#include "mysql/session.h"
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

/* The socket is shut, because the library would read all rows to their end. */
static bool shut(struct query *query)
{
  shutdown(mysql_get_socket(query->mysql), SHUT_RDWR);
  return false;
}

/* Ends the query, once. */
static bool cut(struct query *query, int code, const char *why)
{
  query->code = failure_set(query->error, code, 0, "%s", why);
  return shut(query);
}

static bool cut_for_memory(struct query *query)
{
  query->code = failure_no_room(query->error, POOL_E_BROKEN);
  return shut(query);
}

static bool expire(struct query *query)
{
  if (query->is_known)
    cancel_statement(query->options, &query->server, mysql_thread_id(query->mysql));
  return cut(query, POOL_E_TIMEOUT, "the deadline passed while waiting for the reply");
}

/* Ends the query with an error of the server's, or of the library's, which breaks the connection: what comes on it may
   be no answer to what is sent. */
static bool fail(struct query *query, struct fault fault)
{
  if (deadline_is_past(query->deadline_ns) && !fault_is_servers(&fault))
    return expire(query);
  if (!fault_is_servers(&fault)) {
    query->code = fault_say(fault, POOL_E_BROKEN, false, "the call", query->error);
    shutdown(mysql_get_socket(query->mysql), SHUT_RDWR);
    return false;
  }
  query->code = fault_remote(fault, query->error);
  reply_fault(&query->reply, &fault);
  return false;
}

/* Whether rows may go on to come.  False: the query has ended. */
static bool goes_on(struct query *query)
{
  char why[112];
  switch (query->reply.text.problem) {
  case JSON_TEXT_TOO_LARGE:
    snprintf(why, sizeof why, "the reply is larger than max_reply_bytes=%llu",
             (unsigned long long)query->options->max_reply_bytes);
    return cut(query, POOL_E_BROKEN, why);
  case JSON_TEXT_NO_MEMORY:
    return cut_for_memory(query);
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

/* ---- a prepared statement ---- */

static bool write_row(struct query *query, struct row *row)
{
  reply_row(&query->reply);
  for (unsigned i = 0; i < row->count; i++) {
    const char *bytes;
    size_t size;
    if (!row_value(row, i, &bytes, &size))
      return cut_for_memory(query);
    reply_value(&query->reply, i, bytes, size);
  }
  return true;
}

static bool fetch_rows(struct query *query, struct row *row, bool wanted)
{
  int fetched;
  while ((fetched = mysql_stmt_fetch(row->statement)) == 0 || fetched == MYSQL_DATA_TRUNCATED) {
    if (wanted && !write_row(query, row))
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
    cut_for_memory(query);
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
    return cut_for_memory(query);
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
  if (session_has_unread(mysql))
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
  if (query->code == POOL_E_REMOTE)
    json_text_take(&query->reply.text, reply);
  if (query->code)
    return query->code;
  if (query->reply.began)
    query->affected = query->reply.rows;
  reply_end(&query->reply, query->affected, query->last_insert_id);
  if (query->reply.text.problem != JSON_TEXT_GOOD && !goes_on(query))
    return query->code;
  return json_text_take(&query->reply.text, reply)
             ? 0
             : failure_no_room(query->error, POOL_E_BROKEN);
}

int query_run(MYSQL *mysql, struct options *options, const char *sql, struct parameters *parameters,
              pool_bytes_t *reply, int64_t deadline_ns, pool_error_t *error)
{
  struct query query = {.mysql = mysql, .options = options, .deadline_ns = deadline_ns, .error = error};
  query.reply.text.limit = (size_t)options->max_reply_bytes;
  if (deadline_is_past(deadline_ns))
    return failure_set(error, POOL_E_TIMEOUT, 0, "the deadline passed before the statement was sent");
  query.is_known = dial_note(mysql, &query.server);
  limit_begin(mysql, deadline_ns);
  if (parameters->given)
    run_prepared(&query, sql, parameters);
  else
    run_plain(&query, sql);
  int code = conclude(&query, reply);
  limit_end(mysql);
  reply_free(&query.reply);
  return code;
}
