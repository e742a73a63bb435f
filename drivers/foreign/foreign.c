/* SPDX-License-Identifier: MIT */
/*
 * The driver "foreign": the connections of any C library, which a small text file describes.  docs/foreign.md says how.
 *
 * A file calls only files below it in this list:
 *
 *   foreign      the vtable
 *   sequence     the calls of open, check, reset or close, and what is said when one fails
 *   performer    a call, by libffi
 *   guard        what stands around calls: a lock, a signal
 *   sockets      the sockets that the driver connects
 *   filler       the parts of a URL, put into the calls
 *   linker       the libraries and their functions
 *   parser       the words at the beginnings of lines
 *   declaration  what is declared
 *   call         what is called
 *   judgement    which results are good
 *   term         what arguments are made of
 *   cursor       where the parser is
 *   token        the pieces of a text
 *   description  what a description says
 *   type         the types of C
 *   source       the text of a description, and messages about places of it
 *   integer      whole numbers
 *   arena        memory that is freed together
 *
 * Below them are the files of support/ and of src/base/.
 */
#include <pool/driver.h>

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/url.h"
#include "foreign/description.h"
#include "foreign/filler.h"
#include "foreign/guard.h"
#include "foreign/linker.h"
#include "foreign/parser.h"
#include "foreign/sequence.h"
#include "foreign/sockets.h"
#include "support/connect.h"
#include "support/disconnect.h"
#include "support/failure.h"
#include "support/parameters.h"

struct context {
  struct description description;
  struct address address; /* of `connect` */
  struct sockets sockets;
};

/* ---- the vtable ---- */

/* -1: the library has its own. */
static int socket_of(struct context *context, const void *conn)
{
  return context->description.host ? sockets_find(&context->sockets, conn) : -1;
}

/* Takes back what an open that failed has left. */
static void undo_open(struct context *context, struct frame *frame)
{
  pool_error_t ignored = POOL_ERROR_INIT;
  frame->deadline_ns = POOL_NO_DEADLINE;
  if (frame->variables[VARIABLE_CONN].pointer)
    sequence_close(&context->description, frame, &ignored);
}

static int make_calls(struct context *context, struct frame *frame, pool_error_t *error)
{
  void *const *conn = &frame->variables[VARIABLE_CONN].pointer;
  int code = sequence_run(&context->description, WORD_OPEN, frame, POOL_E_OPEN, error);
  if (code == 0 && !*conn)
    code = failure_set(error, POOL_E_OPEN, 0, "all calls of 'open' went well, and conn is null");
  if (code == 0 && context->description.host &&
      !sockets_add(&context->sockets, *conn, frame->variables[VARIABLE_SOCKET].int32))
    code = failure_set(error, POOL_E_NOMEM, ENOMEM, "no memory for a connection");
  if (code)
    undo_open(context, frame);
  return code;
}

static int open_library(struct context *context, int socket, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  struct guard guard;
  struct frame frame;
  sequence_begin(&frame, &context->description, NULL, socket, deadline_ns);
  int code = guard_enter(&guard, &context->description, deadline_ns, error);
  if (code)
    return code;
  code = make_calls(context, &frame, error);
  guard_leave(&guard);
  *conn = frame.variables[VARIABLE_CONN].pointer;
  return code;
}

static int foreign_open(void *data, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  struct context *context = data;
  int socket = -1, code = 0;
  if (context->description.host)
    code = connect_to(&context->address, deadline_ns, &socket, error);
  if (code == 0)
    code = open_library(context, socket, deadline_ns, conn, error);
  if (code && socket >= 0)
    disconnect(socket);
  return code;
}

static int foreign_close(void *data, void *conn, pool_error_t *error)
{
  struct context *context = data;
  struct guard guard;
  int socket = socket_of(context, conn);
  struct frame frame;
  sequence_begin(&frame, &context->description, conn, socket, POOL_NO_DEADLINE);
  guard_enter(&guard, &context->description, POOL_NO_DEADLINE, error); /* without a deadline it never fails */
  /* Before the handle is freed, for the next open may get the same. */
  if (socket >= 0)
    sockets_remove(&context->sockets, conn);
  int code = sequence_close(&context->description, &frame, error);
  guard_leave(&guard);
  if (socket >= 0)
    disconnect(socket);
  return code;
}

static int check_descriptor(const struct context *context, struct frame *frame, pool_error_t *error)
{
  int descriptor = -1;
  int code = sequence_descriptor(&context->description, frame, &descriptor, error);
  int64_t unread = code || descriptor < 0 ? 0 : pool_socket_idle(descriptor);
  if (unread == POOL_E_BROKEN)
    return failure_set(error, POOL_E_BROKEN, 0, "the server closed the connection");
  if (unread > 0 && context->description.calls[WORD_DESCRIPTOR]->silent)
    return failure_set(error, POOL_E_BROKEN, 0, "bytes wait to be read that nobody has asked for");
  return code;
}

static int run(struct context *context, enum word word, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  struct guard guard;
  struct frame frame;
  sequence_begin(&frame, &context->description, conn, socket_of(context, conn), deadline_ns);
  int code = guard_enter(&guard, &context->description, deadline_ns, error);
  if (code)
    return code;
  if (word == WORD_CHECK && context->description.calls[WORD_DESCRIPTOR])
    code = check_descriptor(context, &frame, error);
  if (code == 0)
    code = sequence_run(&context->description, word, &frame, POOL_E_BROKEN, error);
  guard_leave(&guard);
  return code;
}

static int foreign_check(void *data, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  return run(data, WORD_CHECK, conn, deadline_ns, error);
}

static int foreign_reset(void *data, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  return run(data, WORD_RESET, conn, deadline_ns, error);
}

/* What the library has itself stays as it is: none of its functions is known to be safe in a child of fork. */
static void foreign_abandon(void *data, void *conn)
{
  struct context *context = data;
  int socket = sockets_remove(&context->sockets, conn);
  if (socket >= 0)
    close(socket);
}

static void foreign_release(void *data)
{
  struct context *context = data;
  sockets_free(&context->sockets);
  description_free(&context->description);
  free(context);
}

/* ---- the preparation ---- */

static int read_url(struct description *description, const char *address, pool_error_t *error)
{
  int code = parameters_url(&description->url, address, error);
  if (code)
    return code;
  return url_value(&description->url, "description")
             ? 0
             : failure_set(error, POOL_E_INVALID, 0,
                           "a URL of the driver foreign names its description: SCHEME://...?description=/PATH.pool");
}

/* Calls what has to be called before anything else.  Two pools may be made at one time, and what begins a library is
   seldom made for that. */
static int start(struct description *description, pool_error_t *error)
{
  struct guard guard;
  struct frame frame;
  sequence_begin(&frame, description, NULL, -1, POOL_NO_DEADLINE);
  guard_enter_alone(&guard, description);
  int code = sequence_run(description, WORD_START, &frame, POOL_E_DRIVER, error);
  guard_leave(&guard);
  return code;
}

static int read_all(struct context *context, const char *address, pool_error_t *error)
{
  struct description *description = &context->description;
  int code = read_url(description, address, error);
  if (code == 0)
    code = source_read(&description->source, url_value(&description->url, "description"), error);
  if (code == 0)
    code = parser_read(description, error);
  if (code == 0)
    code = linker_find(description, error);
  if (code == 0)
    code = filler_fill(description, error);
  if (code == 0 && description->host)
    code = address_set(&context->address, description->connect_host, description->connect_port, error);
  return code ? code : start(description, error);
}

static void fill_vtable(const struct description *description, pool_vtable_t *vtable)
{
  vtable->open = foreign_open;
  vtable->close = foreign_close;
  vtable->release = foreign_release;
  if (description->calls[WORD_CHECK] || description->calls[WORD_DESCRIPTOR])
    vtable->check = foreign_check;
  if (description->calls[WORD_RESET])
    vtable->reset = foreign_reset;
  if (description->host)
    vtable->abandon = foreign_abandon;
}

static int foreign_prepare(const char *address, pool_vtable_t *vtable, void **data, pool_error_t *error)
{
  struct context *context = calloc(1, sizeof *context);
  if (!context)
    return failure_set(error, POOL_E_NOMEM, ENOMEM, "no memory for a description");
  description_init(&context->description);
  int code = read_all(context, address, error);
  if (code) {
    foreign_release(context);
    return code;
  }
  fill_vtable(&context->description, vtable);
  *data = context;
  return 0;
}

POOL_API pool_driver_fn pool_driver_foreign;

int pool_driver_foreign(uint32_t version, pool_driver_t *driver)
{
  if (version != POOL_DRIVER_VERSION || driver->size < offsetof(pool_driver_t, schemes))
    return POOL_E_UNSUPPORTED;
  guard_watch_forks();
  driver->name = "foreign";
  driver->prepare = foreign_prepare;
  if (driver->size >= sizeof *driver) {
    driver->version = DRIVER_VERSION;
    driver->needs = "libffi " FOREIGN_FFI_VERSION;
  }
  return 0;
}
