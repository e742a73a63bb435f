/* SPDX-License-Identifier: MIT */
/*
 * The driver "mysql": connections to MySQL and MariaDB servers, by libmariadb.  A connection is the user's own MYSQL *.
 *
 * A file calls only files below it in this list:
 *
 *   mysql       the vtable
 *   call        sync and async calls
 *   query       a statement and its results
 *   cancel      ends a statement at the server
 *   dial        opens a connection: names, addresses, shares of the time
 *   session     the session of a connection: made, looked at, put back
 *   handshake   what happens before TLS: the name for the certificate
 *   limit       the deadline of what the library does in a thread
 *   progress    which phase its log-in is in
 *   row         a row of a prepared statement as texts
 *   reply       the results as JSON
 *   column      the types of columns
 *   parameters  the JSON array of a statement's parameters
 *   number      numbers with a fraction as text
 *   fault       what went wrong, as one line
 *   options     what a URL asks for
 *
 * Below them are the files of support/.
 */
#include <pool/driver.h>

#include <mysql.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#include "mysql/call.h"
#include "mysql/dial.h"
#include "mysql/handshake.h"
#include "mysql/options.h"
#include "mysql/session.h"
#include "support/failure.h"
#include "support/openssl.h"

static int open_connection(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  MYSQL *mysql = NULL;
  int code = dial_open(context, deadline_ns, &mysql, error);
  *conn = mysql;
  return code;
}

static int close_connection(void *context, void *conn, pool_error_t *error)
{
  (void)context, (void)error;
  dial_close(conn);
  return 0;
}

static int check_connection(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)context;
  return session_check(conn, deadline_ns, error);
}

static int reset_connection(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  return session_reset(conn, context, deadline_ns, error);
}

static void abandon_connection(void *context, void *conn)
{
  (void)context;
  close(mysql_get_socket(conn));
}

static int call_statement(void *context, void *conn, const char *method, pool_bytes_t args, pool_bytes_t *reply,
                          int64_t deadline_ns, pool_error_t *error)
{
  return call_sync(conn, context, method, args, reply, deadline_ns, error);
}

static int go_statement(void *context, void *conn, const char *method, pool_bytes_t args, pool_call_t *call)
{
  return call_async(conn, context, method, args, call);
}

static void release_context(void *context)
{
  options_release(context);
}

/* ---- the driver ---- */

static bool library_is_ready;

/* The library ignores SIGPIPE for the whole process, which its TLS needs where nobody handles that signal. */
static void begin_library(void)
{
  struct sigaction before;
  openssl_outlive_exit();
  sigaction(SIGPIPE, NULL, &before);
  library_is_ready = mysql_library_init(0, NULL, NULL) == 0 && handshake_register();
  if (before.sa_handler != SIG_DFL)
    sigaction(SIGPIPE, &before, NULL);
}

static int prepare(const char *address, pool_vtable_t *vtable, void **context, pool_error_t *error)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  struct options *options;
  pthread_once(&once, begin_library);
  if (!library_is_ready)
    return failure_set(error, POOL_E_DRIVER, 0, "libmariadb %s cannot be initialised", mysql_get_client_info());
  int code = options_read(&options, address, error);
  if (code)
    return code;
  vtable->open = open_connection;
  vtable->close = close_connection;
  vtable->check = check_connection;
  vtable->reset = reset_connection;
  vtable->abandon = abandon_connection;
  vtable->call = call_statement;
  vtable->go = go_statement;
  vtable->release = release_context;
  *context = options;
  return 0;
}

POOL_API pool_driver_fn pool_driver_mysql;

int pool_driver_mysql(uint32_t version, pool_driver_t *driver)
{
  if (version != POOL_DRIVER_VERSION || driver->size < offsetof(pool_driver_t, schemes))
    return POOL_E_UNSUPPORTED;
  driver->name = "mysql";
  driver->prepare = prepare;
  if (driver->size >= sizeof *driver) {
    driver->schemes = "mysql mariadb";
    driver->version = DRIVER_VERSION;
    driver->needs = "libmariadb " MARIADB_PACKAGE_VERSION;
  }
  return 0;
}
