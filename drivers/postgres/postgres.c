/* SPDX-License-Identifier: MIT */
/*
 * The driver "postgres": connections of libpq, which a program uses itself, and calls whose method is SQL.
 *
 * A file calls only files below it in this list:
 *
 *   postgres    the vtable
 *   call        sync and async calls
 *   poller      the thread for async calls
 *   statement   what a call runs
 *   reply       what the server answers, as JSON
 *   type        the types of the server
 *   args        the parameters, from JSON
 *   query       the function of pool/postgres.h
 *   session     a connection between its users
 *   dial        opens a connection
 *   exchange    a statement that ends before a deadline
 *   cancel      ends a statement at the server
 *   exit        the end of the process
 *   fault       what went wrong, as one line
 *   options     what the URL asks for
 *
 * Below them are the files of support/.
 */
#include <pool/driver.h>

#include <libpq-fe.h>
#include <stdio.h>
#include <unistd.h>

#include "postgres/call.h"
#include "postgres/dial.h"
#include "postgres/exit.h"
#include "postgres/options.h"
#include "postgres/poller.h"
#include "postgres/session.h"
#include "support/failure.h"
#include "support/openssl.h"

static int postgres_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  PGconn *opened = NULL;
  int code = dial_open(context, deadline_ns, &opened, error);
  if (code == 0)
    session_begin(opened);
  *conn = opened;
  return code;
}

static int postgres_close(void *context, void *conn, pool_error_t *error)
{
  (void)context, (void)error;
  session_close(conn);
  return 0;
}

static int postgres_check(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)context;
  return session_check(conn, deadline_ns, error);
}

static int postgres_is_clean(void *context, void *conn)
{
  return session_is_clean(conn, context);
}

static int postgres_reset(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  return session_reset(conn, context, deadline_ns, error);
}

static void postgres_abandon(void *context, void *conn)
{
  (void)context;
  int descriptor = PQsocket(conn);
  if (descriptor >= 0)
    close(descriptor);
}

static int postgres_call(void *context, void *conn, const char *method, pool_bytes_t args, pool_bytes_t *reply,
                         int64_t deadline_ns, pool_error_t *error)
{
  const struct options *options = context;
  return call_sync(conn, method, args, (size_t)options->max_reply_bytes, reply, deadline_ns, error);
}

static int postgres_go(void *context, void *conn, const char *method, pool_bytes_t args, pool_call_t *call)
{
  const struct options *options = context;
  return call_async(conn, method, args, (size_t)options->max_reply_bytes, call);
}

static void postgres_release(void *context)
{
  options_free(context);
}

static int postgres_prepare(const char *text, pool_vtable_t *vtable, void **context, pool_error_t *error)
{
  struct options *options = NULL;
  int code = options_read(&options, text, error);
  if (code)
    return code;
  vtable->open = postgres_open;
  vtable->close = postgres_close;
  vtable->check = postgres_check;
  vtable->reset = postgres_reset;
  vtable->is_clean = postgres_is_clean;
  vtable->abandon = postgres_abandon;
  vtable->call = postgres_call;
  vtable->go = postgres_go;
  vtable->release = postgres_release;
  *context = options;
  return 0;
}

POOL_API pool_driver_fn pool_driver_postgres;

int pool_driver_postgres(uint32_t version, pool_driver_t *driver)
{
  static char needs[32];
  int number = PQlibVersion();
  if (version != POOL_DRIVER_VERSION || driver->size < offsetof(pool_driver_t, schemes))
    return POOL_E_UNSUPPORTED;
  openssl_outlive_exit();
  exit_watch();
  poller_watch_forks();
  driver->name = "postgres";
  driver->prepare = postgres_prepare;
  if (driver->size >= sizeof *driver) {
    snprintf(needs, sizeof needs, "libpq %d.%d", number / 10000, number % 10000);
    driver->schemes = "postgres postgresql";
    driver->version = DRIVER_VERSION;
    driver->needs = needs;
  }
  return 0;
}
