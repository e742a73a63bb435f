/* SPDX-License-Identifier: MIT */
#include "mysql/cancel.h"

#include <mysql.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mysql/limit.h"
#include "support/deadline.h"
#include "base/thread.h"

#define GRACE_NS     INT64_C(5000000000)
#define THREADS_MOST 8

struct cancel {
  struct options *options;
  struct dial_server server;
  unsigned long id; /* the server's name for the connection */
};

static _Atomic int threads;

static void cancel_free(struct cancel *cancel)
{
  options_release(cancel->options);
  free(cancel);
  atomic_fetch_sub(&threads, 1);
}

/* Runs a statement.  Returns how many rows it gives, 0 if it fails. */
static unsigned long long count_rows(MYSQL *mysql, const char *statement)
{
  MYSQL_RES *result = mysql_real_query(mysql, statement, strlen(statement)) == 0 ? mysql_store_result(mysql) : NULL;
  unsigned long long rows = result ? mysql_num_rows(result) : 0;
  mysql_free_result(result);
  return rows;
}

static bool is_the_session(const struct cancel *cancel, MYSQL *mysql)
{
  char statement[128];
  if (cancel->server.address.is_unix)
    return true;
  snprintf(statement, sizeof statement,
           "SELECT 1 FROM information_schema.processlist WHERE id = %lu AND host LIKE '%%:%s'", cancel->id,
           cancel->server.own_port);
  return count_rows(mysql, statement) == 1;
}

static void stop_statement(const struct cancel *cancel, MYSQL *mysql)
{
  char statement[48];
  snprintf(statement, sizeof statement, "KILL QUERY %lu", cancel->id);
  if (is_the_session(cancel, mysql))
    count_rows(mysql, statement);
}

static void *cancel_main(void *data)
{
  struct cancel *cancel = data;
  MYSQL *mysql;
  pool_error_t error = POOL_ERROR_INIT;
  int64_t until_ns = deadline_clock() + GRACE_NS;
  if (dial_again(cancel->options, &cancel->server, until_ns, &mysql, &error) == 0) {
    limit_begin(mysql, until_ns);
    stop_statement(cancel, mysql);
    limit_end(mysql);
    dial_close(mysql);
  }
  cancel_free(cancel);
  return NULL;
}

void cancel_statement(struct options *options, const struct dial_server *server, unsigned long id)
{
  if (atomic_fetch_add(&threads, 1) >= THREADS_MOST) {
    atomic_fetch_sub(&threads, 1);
    return;
  }
  struct cancel *cancel = calloc(1, sizeof *cancel);
  if (!cancel) {
    atomic_fetch_sub(&threads, 1);
    return;
  }
  cancel->options = options_acquire(options);
  cancel->server = *server;
  cancel->id = id;
  if (thread_detach(cancel_main, cancel) != 0)
    cancel_free(cancel);
}
