/* SPDX-License-Identifier: MIT */
/*
 * One interface file for all languages: plain C, over the step API.  No directors, no callbacks: nothing in here lets
 * the library call into a language.  Each language has a thin layer of its own on top; what is particular to one of
 * them stands at the end of each part, in a section of its own.
 */
%module pool

%{
#include <pool/pool.h>
#include <pool/step.h>

#include <stdlib.h>
%}

/* Without SWIGWORDSIZE64, which would make Java's int64_t an int. */
%include <stdint.i>
%apply long long { int64_t, pool_lease_t };
%apply int { int32_t };

/* What cannot cross: callbacks, the structs that hold them, and what belongs to them. */
%ignore pool_event_t;
%ignore pool_event_fn;
%ignore pool_log_fn;
%ignore pool_vtable_t;
%ignore pool_call_t;
%ignore pool_got_fn;
%ignore pool_done_fn;
%ignore pool_create;
%ignore pool_get_async;
%ignore pool_cancel;
%ignore pool_call;
%ignore pool_go;
%ignore pool_call_done;
%ignore pool_call_deadline;
%ignore pool_bytes_new;
%ignore pool_conn;
%ignore pool_config_t;
%ignore pool_leases;
%ignore pool_lease_info_t;
%ignore pool_event_fd;
/* Of pools with a vtable. */
%ignore pool_get;
%ignore pool_get_for;
%ignore pool_put;

/* Counts are read, never written, and a struct knows its own size. */
%immutable;
%ignore pool_stats_t::size;
%nodefaultctor pool_stats_t;
%nodefaultctor pool_times_t;
%newobject pool_statistics;
%ignore pool_stats; /* pool_statistics instead */

#ifdef SWIGRUBY
/*
 * Ruby.  The pool is an object of the hand-written part (ruby/ext/libpool), which makes, lends and closes.  A negative
 * result is raised.
 */
%{
#include "native.h"
%}
%typemap(in) pool_t * "$1 = libpool_of($input)->pool;"
%typemap(in) pool_lease_t "$1 = libpool_lease($input);"
%typemap(out) int "$result = INT2NUM((int)libpool_checked($1));"
%typemap(out) int64_t "$result = LL2NUM(libpool_checked($1));"
%typemap(in, numinputs=0) pool_bytes_t *text (pool_bytes_t bytes = {NULL, 0}) "$1 = &bytes;"
%typemap(argout) pool_bytes_t *text "$result = libpool_text(&bytes$argnum);"
%typemap(ret) pool_stats_t * "if (!$1) libpool_checked(pool_failure(NULL));"
%ignore pool_step_t;
%ignore pool_error_t;
%ignore pool_failure;
%ignore pool_ref;
%ignore pool_free;
%ignore pool_close;
%ignore pool_bytes_t;
%ignore pool_bytes_free;
%rename(Stats) pool_stats_t;
%rename(Times) pool_times_t;
%constant long long FOREVER = INT64_MAX;
%init %{
  libpool_init();
%}
#endif

%include <pool/pool.h>

%inline %{
/* The counts of this moment, to be freed by the caller; NULL if that fails. */
static pool_stats_t *pool_statistics(pool_t *pool)
{
  pool_stats_t *stats = malloc(sizeof *stats);
  if (stats) {
    *stats = (pool_stats_t)POOL_STATS_INIT;
    if (pool_stats(pool, stats) == 0)
      return stats;
    free(stats);
  }
  return NULL;
}
%}
