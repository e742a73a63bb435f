/* SPDX-License-Identifier: MIT */
/*
 * A driver of release 1.0, compiled against the headers of that release that lie beside it.  Its connections answer
 * "echo" with what they were given, "fail" with the server's error and "break" with a broken connection.  Its address
 * is "quiet" or "refuse", as a URL "frozen:quiet"; with the latter no connection can be opened.  With "errno" it fails
 * as drivers must not.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <pool/driver.h>

struct server {
  int refuses;
};

static int open_one(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  struct server *server = context;
  (void)deadline_ns;
  if (error->size < sizeof *error)
    return POOL_E_SIZE;
  pool_phase("connect", NULL);
  if (server->refuses) {
    strcpy(error->message, "the frozen server refuses");
    error->native = ECONNREFUSED;
    return POOL_E_OPEN;
  }
  *conn = calloc(1, 1);
  return *conn ? 0 : POOL_E_NOMEM;
}

static int close_one(void *context, void *conn, pool_error_t *error)
{
  (void)context, (void)error;
  free(conn);
  return 0;
}

static int check_one(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)context, (void)conn, (void)deadline_ns, (void)error;
  return 0;
}

static int call(void *context, void *conn, const char *method, pool_bytes_t args, pool_bytes_t *reply,
                int64_t deadline_ns, pool_error_t *error)
{
  (void)context, (void)conn, (void)deadline_ns;
  if (error->size < sizeof *error)
    return POOL_E_SIZE;
  if (strcmp(method, "fail") == 0) {
    strcpy(error->message, "the frozen server says no");
    error->native = 42;
    return POOL_E_REMOTE;
  }
  if (strcmp(method, "break") == 0)
    return POOL_E_BROKEN;
  if (strcmp(method, "echo") != 0)
    return POOL_E_UNSUPPORTED;
  if (args.size == 0)
    return 0;
  if (pool_bytes_new(args.size, reply))
    return POOL_E_NOMEM;
  memcpy(reply->data, args.data, args.size);
  return 0;
}

static int go(void *context, void *conn, const char *method, pool_bytes_t args, pool_call_t *pool_call)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_bytes_t reply = {NULL, 0};
  int code = call(context, conn, method, args, &reply, pool_call_deadline(pool_call), &error);
  return pool_call_done(pool_call, code, reply);
}

static int prepare(const char *address, pool_vtable_t *vtable, void **context, pool_error_t *error)
{
  struct server *server;
  if (vtable->size < sizeof *vtable || error->size < sizeof *error)
    return POOL_E_SIZE;
  if (strncmp(address, "frozen:", 7) == 0)
    address += 7;
  if (strcmp(address, "errno") == 0)
    return EINVAL;
  if (strcmp(address, "quiet") != 0 && strcmp(address, "refuse") != 0) {
    strcpy(error->message, "the address is neither 'quiet' nor 'refuse'");
    return POOL_E_INVALID;
  }
  server = calloc(1, sizeof *server);
  if (!server)
    return POOL_E_NOMEM;
  server->refuses = strcmp(address, "refuse") == 0;
  vtable->open = open_one;
  vtable->close = close_one;
  vtable->check = check_one;
  vtable->call = call;
  vtable->go = go;
  vtable->release = free;
  *context = server;
  return 0;
}

POOL_API pool_driver_fn pool_driver_frozen;

int pool_driver_frozen(uint32_t version, pool_driver_t *driver)
{
  if (version != POOL_DRIVER_VERSION || driver->size < sizeof *driver)
    return POOL_E_UNSUPPORTED;
  driver->name = "frozen";
  driver->prepare = prepare;
  driver->schemes = "frozen ice";
  driver->version = "1.0";
  driver->needs = "nothing";
  return 0;
}
