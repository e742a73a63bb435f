/* SPDX-License-Identifier: MIT */
/* The exceptions: one class for each code, with the library's messages. */
#include "native.h"

#include <ruby/encoding.h>
#include <stdio.h>

static VALUE deadline_class, error_class, closed_class, timeout_class, stale_class, overload_class, open_class,
    unsupported_class, remote_class, broken_class, evicted_class;

static VALUE define(VALUE module, const char *name, VALUE super)
{
  VALUE class = rb_define_class_under(module, name, super);
  rb_gc_register_mark_object(class);
  return class;
}

void failure_init(VALUE module)
{
  rb_require("timeout");
  deadline_class = rb_path2class("Timeout::Error");
  rb_gc_register_mark_object(deadline_class);
  error_class = define(module, "Error", rb_eRuntimeError);
  closed_class = define(module, "ClosedError", error_class);
  stale_class = define(module, "StaleError", error_class);
  overload_class = define(module, "OverloadError", error_class);
  open_class = define(module, "OpenError", error_class);
  remote_class = define(module, "RemoteError", error_class);
  broken_class = define(module, "BrokenError", error_class);
  evicted_class = define(module, "EvictedError", error_class);
  unsupported_class = define(module, "UnsupportedError", error_class);
  timeout_class = define(module, "TimeoutError", deadline_class);
}

static VALUE class_of(int64_t code)
{
  switch (code) {
  case POOL_E_INVALID:
  case POOL_E_NEWER:
    return rb_eArgError;
  case POOL_E_STALE:
    return stale_class;
  case POOL_E_CLOSED:
    return closed_class;
  case POOL_E_TIMEOUT:
    return timeout_class;
  case POOL_E_OPEN:
    return open_class;
  case POOL_E_OVERLOAD:
    return overload_class;
  case POOL_E_REMOTE:
    return remote_class;
  case POOL_E_BROKEN:
    return broken_class;
  case POOL_E_EVICTED:
    return evicted_class;
  case POOL_E_UNSUPPORTED:
    return unsupported_class;
  case POOL_E_NOMEM:
    return rb_eNoMemError;
  default:
    return error_class;
  }
}

void failure_raise(int64_t code, const char *message)
{
  failure_raise_text(code, rb_utf8_str_new_cstr(message));
}

void failure_raise_text(int64_t code, VALUE message)
{
  rb_exc_raise(rb_exc_new_str(class_of(code), message));
}

/* By Kernel#raise, for a cause that is set in any other way remains behind as $!. */
void failure_raise_with(int64_t code, const char *message, VALUE cause)
{
  if (NIL_P(cause))
    failure_raise(code, message);
  VALUE options = rb_hash_new();
  rb_hash_aset(options, ID2SYM(rb_intern("cause")), cause);
  VALUE arguments[] = {rb_exc_new_str(class_of(code), rb_utf8_str_new_cstr(message)), options};
  rb_funcallv_kw(rb_mKernel, rb_intern("raise"), 2, arguments, RB_PASS_KEYWORDS);
  rb_exc_raise(arguments[0]); /* not reached */
}

int64_t libpool_checked(int64_t result)
{
  if (result >= 0)
    return result;
  pool_error_t error = POOL_ERROR_INIT;
  if (pool_failure(&error) == result)
    failure_raise(result, error.message);
  failure_raise(result, pool_strerror(result));
}

static bool is_text(VALUE value)
{
  return RB_TYPE_P(value, T_STRING) && rb_enc_str_coderange(value) != ENC_CODERANGE_BROKEN &&
         (rb_enc_get(value) == rb_utf8_encoding() || rb_enc_str_asciionly_p(value));
}

/* What else is under way, as a throw, has no class that could be asked for. */
bool failure_is_exception(VALUE value)
{
  return !RB_SPECIAL_CONST_P(value) && !RB_TYPE_P(value, T_IMEMO) && RTEST(rb_obj_is_kind_of(value, rb_eException));
}

bool failure_is_own(VALUE value)
{
  return failure_is_exception(value) &&
         (RTEST(rb_obj_is_kind_of(value, rb_eStandardError)) || RTEST(rb_obj_is_kind_of(value, rb_eScriptError)));
}

/* The gem async has a class of its own for this, and may be loaded later. */
static bool is_deadline(VALUE error)
{
  return rb_obj_class(error) == deadline_class || strcmp(rb_obj_classname(error), "Async::TimeoutError") == 0;
}

/*
 * No method is called, which might raise in its turn: the text is taken from where Exception keeps it.  Who is killed,
 * interrupted, or was given a time by Timeout.timeout or async, says nothing about the server; Net::OpenTimeout and
 * others do.
 */
void failure_describe(VALUE error, pool_error_t *failure)
{
  bool tells = failure_is_own(error) && !is_deadline(error);
  failure->code = tells ? POOL_E_OPEN : POOL_E_TIMEOUT;
  if (!failure_is_exception(error))
    return;
  VALUE text = rb_attr_get(error, rb_intern("mesg"));
  if (is_text(text))
    snprintf(failure->message, sizeof failure->message, "%s: %.*s", rb_obj_classname(error), (int)RSTRING_LEN(text),
             RSTRING_PTR(text));
  else
    snprintf(failure->message, sizeof failure->message, "%s", rb_obj_classname(error));
  size_t end = strlen(failure->message);
  if (end == sizeof failure->message - 1) { /* cut off, perhaps in the middle of a character */
    while (end > 0 && ((unsigned char)failure->message[end - 1] & 0xC0) == 0x80)
      end--;
    if (end > 0 && (unsigned char)failure->message[end - 1] >= 0xC0)
      end--;
    failure->message[end] = 0;
  }
}

VALUE libpool_text(const char *text)
{
  if (!text)
    libpool_checked(pool_failure(NULL));
  return rb_utf8_str_new_cstr(text);
}
