/* SPDX-License-Identifier: MIT */
#include "mysql/cancel.h"

#include <mysql.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mysql/limit.h"
#include "support/deadline.h"
#include "support/thread.h"

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

static void *cancel_main(void *data)
{
  struct cancel *cancel = data;
  MYSQL *mysql;
  char statement[48];
  pool_error_t error = POOL_ERROR_INIT;
  int64_t until_ns = deadline_clock() + GRACE_NS;
  snprintf(statement, sizeof statement, "KILL QUERY %lu", cancel->id);
  if (dial_again(cancel->options, &cancel->server, until_ns, &mysql, &error) == 0) {
    limit_begin(mysql, until_ns);
    mysql_real_query(mysql, statement, strlen(statement)); /* fails if the statement has ended */
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
  if (!thread_start_detached(cancel_main, cancel))
    cancel_free(cancel);
}
