/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/sized.h"
#include "base/text.h"

/* What pool_failure() tells.  `text` is set instead of a message where the text is a constant, so that failing often
   costs a few stores and no formatting. */
static _Thread_local struct {
  pool_error_t error;
  const char *text;
  char name[POOL_NAME_BYTES]; /* of the pool that the text is about, or "" */
} last;

/* Writes a caller's struct, which may be of another release; its message ends in any case. */
static void give(pool_error_t *theirs, const pool_error_t *ours)
{
  if (theirs && sized_write(theirs, ours, ERROR_SIZES) == 0 && theirs->size < sizeof *ours)
    text_cut(theirs->message, theirs->size - offsetof(pool_error_t, message));
}

/* Formatted aside: an argument may be the very message that is being replaced. */
static int set(const char *name, pool_error_t *error, int code, int native, const char *format, va_list arguments)
{
  pool_error_t made = {.size = sizeof made, .code = code, .native = native};
  int begun = name && *name ? snprintf(made.message, sizeof made.message, "%.*s: ", POOL_NAME_BYTES - 1, name) : 0;
  vsnprintf(made.message + begun, sizeof made.message - (size_t)begun, format, arguments);
  text_cut(made.message, sizeof made.message);
  text_clean(made.message);
  last.error = made;
  last.text = NULL;
  give(error, &made);
  return code;
}

int error_set(pool_error_t *error, int code, int native, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  set(NULL, error, code, native, format, arguments);
  va_end(arguments);
  return code;
}

int error_in(const char *name, pool_error_t *error, int code, int native, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  set(name, error, code, native, format, arguments);
  va_end(arguments);
  return code;
}

int error_text(int code, const char *text)
{
  last.error.code = code;
  last.text = text;
  last.name[0] = 0;
  return code;
}

int error_code(int code)
{
  return error_text(code, pool_strerror(code));
}

int error_code_in(const char name[POOL_NAME_BYTES], int code)
{
  error_code(code);
  memcpy(last.name, name, sizeof last.name);
  return code;
}

void error_name(const char *name, pool_error_t *error)
{
  pool_error_t why = POOL_ERROR_INIT;
  pool_failure(&why);
  error_in(name, error, why.code, why.native, "%s", why.message);
}

void error_finish(pool_error_t *error)
{
  text_cut(error->message, sizeof error->message);
  error->message[strcspn(error->message, "\r\n")] = 0; /* the rest explains, if anything */
  text_clean(error->message);
}

int pool_failure(pool_error_t *error)
{
  if (last.text) {
    snprintf(last.error.message, sizeof last.error.message, "%s%s%s", last.name, last.name[0] ? ": " : "", last.text);
    last.error.native = 0;
    last.text = NULL;
  }
  give(error, &last.error);
  return last.error.code;
}

const char *pool_strerror(int64_t code)
{
  switch (code) {
  case POOL_E_INVALID:
    return MESSAGE("a parameter or setting is invalid");
  case POOL_E_STALE:
    return MESSAGE("no such lease: it was put back already or never given");
  case POOL_E_CLOSED:
    return MESSAGE("pool is closed");
  case POOL_E_TIMEOUT:
    return MESSAGE("the deadline passed; raise the timeout or the cap, or hold connections for less time");
  case POOL_E_OPEN:
    return MESSAGE("a connection could not be opened");
  case POOL_E_REMOTE:
    return MESSAGE("the server answered with an error");
  case POOL_E_BROKEN:
    return MESSAGE("the connection broke");
  case POOL_E_OVERLOAD:
    return MESSAGE("too many are waiting or under way already");
  case POOL_E_CANCELLED:
    return MESSAGE("cancelled");
  case POOL_E_UNSUPPORTED:
    return MESSAGE("not supported by this pool, driver or build");
  case POOL_E_NOMEM:
    return MESSAGE("out of memory or slots");
  case POOL_E_SIZE:
    return MESSAGE("the size of a struct is too small; initialise it with its POOL_*_INIT");
  case POOL_E_NEWER:
    return MESSAGE("a struct sets members that this version of the library does not know");
  case POOL_E_VTABLE:
    return MESSAGE("the vtable needs open and close");
  case POOL_E_DRIVER:
    return MESSAGE("the driver could not be loaded");
  case POOL_E_SYSTEM:
    return MESSAGE("the operating system refused a resource");
  case POOL_E_OLDER:
    return MESSAGE("a struct is of a release that this version of the library no longer understands");
  case POOL_E_WILD:
    return MESSAGE("the size of a struct is larger than any struct; initialise it with its POOL_*_INIT");
  case POOL_E_EVICTED:
    return MESSAGE("all waits of the pool were ended, by the program or an operator (evict); get again");
  default:
    return code >= 0 ? MESSAGE("success") : MESSAGE("unknown error");
  }
}

const char *pool_version(void)
{
#define TEXT(x)  #x
#define VALUE(x) TEXT(x)
  return VALUE(POOL_VERSION_MAJOR) "." VALUE(POOL_VERSION_MINOR) "." VALUE(POOL_VERSION_PATCH);
}
