/* SPDX-License-Identifier: MIT */
#include "mysql/call.h"

#include <stdlib.h>
#include <string.h>

#include "mysql/parameters.h"
#include "mysql/query.h"
#include "support/failure.h"
#include "base/thread.h"

int call_sync(MYSQL *mysql, struct options *options, const char *sql, pool_bytes_t args, pool_bytes_t *reply,
              int64_t deadline_ns, pool_error_t *error)
{
  struct parameters parameters;
  int code = query_check(mysql, error);
  if (code == 0)
    code = parameters_read(&parameters, args, error);
  if (code)
    return code;
  code = query_run(mysql, options, sql, &parameters, reply, deadline_ns, error);
  parameters_free(&parameters);
  return code;
}

/* ---- async ---- */

struct call {
  MYSQL *mysql;
  struct options *options;
  pool_call_t *call;
  struct parameters parameters;
  char *sql; /* wiped before it is freed, for it may set a password */
};

static void call_free(struct call *call)
{
  if (call->sql)
    explicit_bzero(call->sql, strlen(call->sql));
  free(call->sql);
  parameters_free(&call->parameters);
  free(call);
}

static void *call_main(void *data)
{
  struct call *call = data;
  pool_call_t *name = call->call;
  pool_bytes_t reply = {NULL, 0};
  pool_error_t error = POOL_ERROR_INIT;
  int code =
      query_run(call->mysql, call->options, call->sql, &call->parameters, &reply, pool_call_deadline(name), &error);
  call_free(call);
  pool_call_done(name, code, reply);
  return NULL;
}

int call_async(MYSQL *mysql, struct options *options, const char *sql, pool_bytes_t args, pool_call_t *name)
{
  pool_error_t error = POOL_ERROR_INIT;
  int code = query_check(mysql, &error);
  if (code)
    return code;
  struct call *call = calloc(1, sizeof *call);
  if (!call)
    return POOL_E_NOMEM;
  *call = (struct call){.mysql = mysql, .options = options, .call = name, .sql = strdup(sql)};
  code = call->sql ? parameters_read(&call->parameters, args, &error) : POOL_E_NOMEM;
  if (code == 0 && thread_detach(call_main, call) != 0)
    code = POOL_E_SYSTEM;
  if (code)
    call_free(call);
  return code;
}
