/* SPDX-License-Identifier: MIT */
/*
 * The driver "tcp": sockets over TCP, TLS or Unix sockets, for protocols of the program's own.
 *
 * A file calls only files below it in this list:
 *
 *   tcp         the vtable, and the functions of pool/tcp.h
 *   call        bytes out, a reply in
 *   stream      one connection
 *   settings    the servers and parameters of a URL
 *
 * Below them are the files of support/.
 */
#include <pool/driver.h>
#include <pool/tcp.h>

#include <stdlib.h>
#include <unistd.h>

#include <openssl/opensslv.h>

#include "support/failure.h"
#include "tcp/call.h"
#include "tcp/settings.h"
#include "tcp/stream.h"

/* ---- pool/tcp.h ---- */

static struct stream *stream_of(pool_tcp_t *tcp)
{
  return (struct stream *)tcp;
}

int pool_tcp_fd(const pool_tcp_t *tcp)
{
  return tcp ? ((const struct stream *)tcp)->wire.descriptor : POOL_E_INVALID;
}

/* Fills in what a caller without interest in errors does not have. */
static pool_error_t *or_this(pool_error_t *error, pool_error_t *own)
{
  return error && error->size == sizeof *own ? error : own;
}

int64_t pool_tcp_read(pool_tcp_t *tcp, void *data, size_t size, int64_t deadline_ns, pool_error_t *error)
{
  pool_error_t own = POOL_ERROR_INIT;
  error = or_this(error, &own);
  if (!tcp || !data || size == 0)
    return failure_set(error, POOL_E_INVALID, 0, "%s", tcp ? "there is no room to read into" : "tcp is NULL");
  return stream_read(stream_of(tcp), data, size, deadline_ns, error);
}

int pool_tcp_write(pool_tcp_t *tcp, const void *data, size_t size, int64_t deadline_ns, pool_error_t *error)
{
  pool_error_t own = POOL_ERROR_INIT;
  error = or_this(error, &own);
  if (!tcp || (!data && size > 0))
    return failure_set(error, POOL_E_INVALID, 0, "%s is NULL", tcp ? "data" : "tcp");
  return stream_write(stream_of(tcp), data, size, deadline_ns, error);
}

/* ---- the vtable ---- */

static int tcp_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  const struct settings *settings = context;
  struct stream *stream = calloc(1, sizeof *stream);
  if (!stream)
    return failure_set(error, POOL_E_NOMEM, 0, "no memory for a connection");
  int code = servers_connect(&settings->servers, deadline_ns, &stream->wire, error);
  if (code)
    free(stream);
  else
    *conn = stream;
  return code;
}

static int tcp_close(void *context, void *conn, pool_error_t *error)
{
  struct stream *stream = conn;
  (void)context, (void)error;
  wire_close(&stream->wire);
  free(stream);
  return 0;
}

/* As check and as reset. */
static int tcp_check(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)context, (void)deadline_ns;
  return stream_check(conn, error);
}

static void tcp_abandon(void *context, void *conn)
{
  (void)context;
  close(((struct stream *)conn)->wire.descriptor);
}

static int tcp_call(void *context, void *conn, const char *method, pool_bytes_t args, pool_bytes_t *reply,
                    int64_t deadline_ns, pool_error_t *error)
{
  return call_sync(conn, context, method, args, reply, deadline_ns, error);
}

static void tcp_release(void *context)
{
  settings_free(context);
}

static int tcp_prepare(const char *text, pool_vtable_t *vtable, void **context, pool_error_t *error)
{
  struct settings *settings;
  int code = settings_read(&settings, text, error);
  if (code)
    return code;
  vtable->open = tcp_open;
  vtable->close = tcp_close;
  vtable->check = tcp_check;
  vtable->reset = tcp_check;
  vtable->abandon = tcp_abandon;
  vtable->call = tcp_call;
  vtable->release = tcp_release;
  *context = settings;
  return 0;
}

POOL_API pool_driver_fn pool_driver_tcp;

int pool_driver_tcp(uint32_t version, pool_driver_t *driver)
{
  if (version != POOL_DRIVER_VERSION || driver->size < sizeof *driver)
    return POOL_E_UNSUPPORTED;
  driver->name = "tcp";
  driver->prepare = tcp_prepare;
  driver->schemes = "tcp tls unix";
  driver->version = DRIVER_VERSION;
  driver->needs = OPENSSL_VERSION_TEXT;
  return 0;
}
