/* SPDX-License-Identifier: MIT */
/*
 * The interface of libpool for SWIG: plain C, over the step API, for all languages.
 *
 * No callback passes through here, so a language's errors never meet a C frame.  What runs once in a pool's life goes
 * through SWIG's wrappers; for get and put, a language may call the C functions its own way.  The module's name is given
 * on the command line.
 */
%module pool

%{
#include <pool/step.h>

#include <stdlib.h>
#include <string.h>
%}

/* ---- all languages ---- */

%include <stdint.i>
%apply long long { int64_t, pool_lease_t }
%apply int { int32_t }
%apply unsigned int { uint32_t }

/* Callbacks, and what only makes sense with them.  (Members are named without their structs, which have no tags.) */
%ignore events;
%ignore log;
%ignore user;
%ignore pool_vtable_t;
%ignore go;
%ignore pool_event_t;
%ignore pool_create;
%ignore pool_get;
%ignore pool_get_for;
%ignore pool_get_async;
%ignore pool_cancel;
%ignore pool_put;
%ignore pool_conn;
%ignore pool_call;
%ignore pool_go;
%ignore pool_call_done;
%ignore pool_call_deadline;
%ignore pool_event_fd;

/* Set by the functions below: SWIG would leak the name, and nobody needs to know a size. */
%ignore name;
%ignore size;

/* What returns through pointers has a function below. */
%ignore pool_step_create;
%ignore pool_bytes_t;
%ignore pool_bytes_new;
%ignore pool_bytes_free;
%ignore pool_report;
%ignore pool_lease_info_t;
%ignore pool_leases;
%ignore POOL_NO_DEADLINE;

%newobject pool_report_text;

%include <pool/pool.h>
%include <pool/step.h>

%extend pool_config_t {
  pool_config_t()
  {
    static const pool_config_t initial = POOL_CONFIG_INIT;
    pool_config_t *config = malloc(sizeof *config);
    if (config)
      *config = initial;
    return config;
  }
}

%extend pool_stats_t {
  pool_stats_t()
  {
    static const pool_stats_t initial = POOL_STATS_INIT;
    pool_stats_t *stats = malloc(sizeof *stats);
    if (stats)
      *stats = initial;
    return stats;
  }
}

%extend pool_error_t {
  pool_error_t()
  {
    static const pool_error_t initial = POOL_ERROR_INIT;
    pool_error_t *error = malloc(sizeof *error);
    if (error)
      *error = initial;
    return error;
  }
}

%inline %{
/* A pool without callbacks, or NULL and why. */
static pool_t *pool_step_new(pool_config_t *config, const char *name, pool_error_t *error)
{
  pool_t *pool = NULL;
  config->name = name && *name ? name : NULL;
  int code = pool_step_create(config, &pool, error);
  config->name = NULL;
  return code == 0 ? pool : NULL;
}

/* What pool_report() writes, or NULL. */
static char *pool_report_text(pool_t *pool, int32_t format)
{
  pool_bytes_t text = {NULL, 0};
  if (pool_report(pool, format, &text) != 0)
    return NULL;
  char *copy = strdup(text.data);
  pool_bytes_free(&text);
  return copy;
}
%}

/* ---- Go ---- */

#ifdef SWIGGO
/* Where the pool is, for the calls that bypass the wrappers. */
%inline %{
static uintptr_t pool_address(pool_t *pool)
{
  return (uintptr_t)pool;
}

static pool_t *pool_at(uintptr_t address)
{
  return (pool_t *)address;
}
%}
#endif
