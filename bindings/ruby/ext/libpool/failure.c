/* SPDX-License-Identifier: MIT */
/* The exceptions: one class for each code, with the library's messages. */
#include "native.h"

static VALUE error_class, closed_class, timeout_class, stale_class, overload_class, open_class, unsupported_class;

static VALUE define(VALUE module, const char *name, VALUE super)
{
  VALUE class = rb_define_class_under(module, name, super);
  rb_gc_register_mark_object(class);
  return class;
}

void failure_init(VALUE module)
{
  rb_require("timeout");
  VALUE timeout_error = rb_path2class("Timeout::Error");
  error_class = define(module, "Error", rb_eRuntimeError);
  closed_class = define(module, "ClosedError", error_class);
  stale_class = define(module, "StaleError", error_class);
  overload_class = define(module, "OverloadError", error_class);
  open_class = define(module, "OpenError", error_class);
  unsupported_class = define(module, "UnsupportedError", error_class);
  timeout_class = define(module, "TimeoutError", timeout_error);
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
  rb_raise(class_of(code), "%s", message);
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

VALUE libpool_text(const char *text)
{
  if (!text)
    libpool_checked(pool_failure(NULL));
  return rb_utf8_str_new_cstr(text);
}
