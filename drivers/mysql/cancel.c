/* SPDX-License-Identifier: MIT */
#include "mysql/cancel.h"

#include <mysql.h>
#include <mysqld_error.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mysql/limit.h"
#include "support/deadline.h"
#include "support/errand.h"

#define GRACE_NS INT64_C(30000000000)
#define PAUSE_NS INT64_C(100000000)

struct cancel {
  struct errand errand; /* first */
  struct options *options;
  struct dial_server server;
  unsigned long id; /* the server's name for the connection */
  int64_t pause_ns; /* before the server is told again */
};

static void cancel_end(struct errand *errand)
{
  struct cancel *cancel = (struct cancel *)errand;
  options_release(cancel->options);
  free(cancel);
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
  bool is_unix = cancel->server.address.is_unix;
  snprintf(statement, sizeof statement,
           "SELECT 1 FROM information_schema.processlist WHERE id = %lu AND host LIKE '%s%s'", cancel->id,
           is_unix ? "localhost" : "%:", cancel->server.own_port);
  return count_rows(mysql, statement) == 1;
}

/* Returns whether the session was there. */
static bool stop_statement(const struct cancel *cancel, MYSQL *mysql)
{
  char statement[48];
  snprintf(statement, sizeof statement, "KILL QUERY %lu", cancel->id);
  bool there = dial_leads_to(mysql, &cancel->server) && is_the_session(cancel, mysql);
  if (there)
    count_rows(mysql, statement);
  return there;
}

static bool is_full(const pool_error_t *error)
{
  return error->native == ER_CON_COUNT_ERROR || error->native == ER_TOO_MANY_USER_CONNECTIONS ||
         error->native == ER_USER_LIMIT_REACHED;
}

/* Each pause is longer than the one before: the server has much to do, and the program wants room there as well. */
static int64_t pause_longer(struct cancel *cancel)
{
  int64_t pause_ns = cancel->pause_ns;
  cancel->pause_ns *= 2;
  return pause_ns;
}

static int64_t cancel_run(struct errand *errand)
{
  struct cancel *cancel = (struct cancel *)errand;
  MYSQL *mysql;
  pool_error_t error = POOL_ERROR_INIT;
  if (dial_again(cancel->options, &cancel->server, errand->until_ns, &mysql, &error) != 0)
    return is_full(&error) ? pause_longer(cancel) : ERRAND_DONE;
  limit_begin(mysql, errand->until_ns);
  bool there = stop_statement(cancel, mysql);
  limit_end(mysql);
  dial_close(mysql);
  return there ? pause_longer(cancel) : ERRAND_DONE;
}

void cancel_statement(struct options *options, const struct dial_server *server, unsigned long id)
{
  struct cancel *cancel = malloc(sizeof *cancel);
  if (!cancel)
    return;
  const struct address *address = &server->address;
  *cancel = (struct cancel){.errand = {.run = cancel_run,
                                       .end = cancel_end,
                                       .until_ns = deadline_clock() + GRACE_NS,
                                       .server = errand_server(address->is_unix ? address->path : address->host, address->port)},
                            .options = options_acquire(options),
                            .server = *server,
                            .id = id,
                            .pause_ns = PAUSE_NS};
  if (!errand_send(&cancel->errand))
    cancel_end(&cancel->errand);
}
