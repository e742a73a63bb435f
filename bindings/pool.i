/* SPDX-License-Identifier: MIT */
/*
 * The interface of libpool for SWIG, one for all languages: plain C, over the step API, without directors.
 *
 * No callback passes through here, so nothing in it lets the library call into a language, and a language's errors
 * never meet a C frame.  What runs seldom goes through SWIG's wrappers; for get and put each language calls the C
 * functions in its own way.  The output is made at build time; the module's name is given on the command line.
 */
%module pool

%{
#include <pool/driver.h>
#include <pool/expose.h>
#include <pool/step.h>

#include <stdlib.h>
#include <string.h>
%}

/* ---- for every language ---- */

#define POOL_STATIC /* POOL_API is for compilers */

/* Without SWIGWORDSIZE64, which would make Java's int64_t an int. */
%include <stdint.i>
%apply long long { int64_t, pool_lease_t }
%apply int { int32_t }
%apply unsigned int { uint32_t }

/* Callbacks, the structs that hold them, and what only makes sense with them. */
%ignore pool_vtable_t;
%ignore pool_event_t;
%ignore pool_event_fn;
%ignore pool_log_fn;
%ignore pool_got_fn;
%ignore pool_done_fn;
%ignore pool_call_t;
%ignore events;
%ignore log;
%ignore user;
%ignore go;
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
%ignore pool_socket_idle;
%ignore pool_phase;
%ignore pool_phase_fn;
%ignore pool_phase_listen;
%ignore POOL_VTABLE_MULTIPLEXED;

/* What returns through pointers has a function below, or a language's own. */
%ignore pool_step_t;
%ignore pool_driver_info_t;
%ignore pool_drivers;
%ignore pool_open;
%ignore pool_open_with;
%ignore pool_url_prepare;
%ignore pool_step_create;
%ignore pool_step_begin;
%ignore pool_step_cancel;
%ignore pool_step_end;
%ignore pool_step_done;
%ignore pool_step_next;
%ignore pool_step_idle;
%ignore pool_step_open;
%ignore pool_step_end_unused;
%ignore pool_view_t;
%ignore pool_step_view;
%ignore pool_step_taken;
%ignore pool_step_given;
%ignore pool_step_pass;
%ignore pool_step_join;
%ignore pool_step_event_t;
%ignore pool_step_event;
%ignore pool_bytes_t;
%ignore pool_bytes_new;
%ignore pool_bytes_free;
%ignore pool_ref;
%ignore pool_report;
%ignore pool_stats;
%ignore pool_failure;
%ignore pool_lease_info_t;
%ignore pool_leases;
%ignore pool_health;
%ignore POOL_NO_DEADLINE;
%ignore pool_config_init;
%ignore pool_vtable_init;
%ignore pool_error_init;
%ignore pool_stats_init;
%ignore pool_lease_info_init;
%ignore pool_step_init;
%ignore pool_step_event_init;
%ignore pool_setting_init;
%ignore pool_setting_t;
%ignore type; /* of it: a keyword of Go */
%ignore pool_setting;
%ignore pool_config_set;
%ignore pool_config_get;
%ignore pool_config_get_number;
%ignore pool_value;

/* A struct knows its own size, and SWIG would leak a text. */
%ignore size;
%ignore name;
%ignore budget;

%nodefaultctor pool_stats_t;
%nodefaultctor pool_times_t;

%newobject pool_report_text;
%newobject pool_health_text;
%newobject pool_statistics;

/* ---- Ruby ---- */

#ifdef SWIGRUBY
/* The pool is an object of the hand-written part (ruby/ext/libpool), which makes, lends and closes.  A negative result
   is raised. */
%{
#include "native.h"
%}
%typemap(in) pool_t * "$1 = libpool_of($input)->pool;"
%typemap(in) pool_lease_t "$1 = libpool_lease($input);"
%typemap(out) int "$result = INT2NUM((int)libpool_checked($1));"
%typemap(out) int64_t "$result = LL2NUM(libpool_checked($1));"
%typemap(out) char *pool_report_text "$result = libpool_text($1);"
%typemap(out) char *pool_health_text "$result = libpool_text($1);"
%typemap(ret) pool_stats_t * "if (!$1) libpool_checked(pool_failure(NULL));"
/* Times are a part of their counts, which live as long. */
%typemap(ret) pool_times_t * "rb_ivar_set(vresult, rb_intern(\"stats\"), self);"
%ignore pool_config_t;
%ignore pool_config_set_number;
%ignore pool_config_set_text;
%ignore pool_config_check;
%ignore pool_config_shares;
%ignore pool_value_of;
%ignore pool_error_t;
%ignore pool_step_new;
%ignore pool_driver_new;
%ignore pool_url_settings;
%ignore pool_url_new;
%ignore pool_free;
%ignore pool_close;
%typemap(in, numinputs=0) pool_error_t *error "$1 = NULL;" /* it is raised */
%immutable; /* counts are read, never written */
%rename(Stats) pool_stats_t;
%rename(Times) pool_times_t;
%constant long long FOREVER = INT64_MAX;
%init %{
  libpool_init();
%}
#endif

/* ---- Java ---- */

#ifdef SWIGJAVA
/* Numbers are long and int as they are; stdint.i would make BigInteger of some. */
%apply long long { size_t }

/* A pool is a number that the class Pool keeps. */
%typemap(jni) pool_t * "jlong"
%typemap(jtype) pool_t * "long"
%typemap(jstype) pool_t * "long"
%typemap(javain) pool_t * "$javainput"
%typemap(javaout) pool_t * { return $jnicall; }
%typemap(in) pool_t * "$1 = (pool_t *)(intptr_t)$input;"
%typemap(out) pool_t * "$result = (jlong)(intptr_t)$1;"

/* Texts are UTF-8, which JNI's own functions do not speak; of Java they come with their zero byte. */
%typemap(jni) char * "jbyteArray"
%typemap(jtype) char * "byte[]"
%typemap(jstype) char * "String"
%typemap(javain) char * "Text.bytes($javainput)"
%typemap(javaout) char * { return Text.string($jnicall); }
%typemap(in) char * {
  $1 = NULL;
  if ($input && !($1 = (char *)(*jenv)->GetByteArrayElements(jenv, $input, NULL)))
    return $null;
}
%typemap(freearg) char * {
  if ($1)
    (*jenv)->ReleaseByteArrayElements(jenv, $input, (jbyte *)$1, JNI_ABORT);
}
%typemap(argout) char * ""
%typemap(out) char * "$result = text_of(jenv, $1);"

/* A failure is thrown from where it is. */
%typemap(in, numinputs=0) pool_error_t *error "$1 = NULL;"
%ignore pool_error_t;

/* Nothing of this is public, and memory is freed by those who know when: no finalizers. */
%pragma(java) moduleclassmodifiers="final class"
%pragma(java) jniclassclassmodifiers="final class"
%pragma(java) jniclasscode="static { Library.load(); }"
%typemap(javaclassmodifiers) SWIGTYPE "final class"
%typemap(javafinalize) SWIGTYPE ""
%rename(Config) pool_config_t;
%rename(Counts) pool_stats_t;
%rename(Durations) pool_times_t;
%javaconst(1);

%{
static jbyteArray text_of(JNIEnv *env, const char *text)
{
  jsize size = text ? (jsize)strlen(text) : 0;
  jbyteArray bytes = text ? (*env)->NewByteArray(env, size) : NULL;
  if (bytes)
    (*env)->SetByteArrayRegion(env, bytes, 0, size, (const jbyte *)text);
  return bytes;
}

/* Throws what PoolException.of() makes of the failure of this thread.  Where that fails it has thrown already. */
static void throw_failure(JNIEnv *env)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_failure(&error);
  jclass exceptions = (*env)->FindClass(env, "libpool/PoolException");
  jmethodID of = exceptions ? (*env)->GetStaticMethodID(env, exceptions, "of",
                                                        "(I[B)Ljava/lang/RuntimeException;")
                            : NULL;
  jbyteArray message = of ? text_of(env, error.message) : NULL;
  jobject exception = message ? (*env)->CallStaticObjectMethod(env, exceptions, of, (jint)error.code, message) : NULL;
  if (exception && !(*env)->ExceptionCheck(env))
    (*env)->Throw(env, (jthrowable)exception);
}
%}

%define %throws_if(CONDITION, NAME)
%exception NAME {
  $action
  if (CONDITION) {
    throw_failure(jenv);
    return 0;
  }
}
%enddef
%throws_if(result < 0, pool_close)
%throws_if(result < 0, pool_maintain)
%throws_if(result < 0, pool_flush)
%throws_if(result < 0, pool_pause)
%throws_if(result < 0, pool_evict)
%throws_if(result < 0, pool_resume)
%throws_if(result < 0, pool_evict)
%throws_if(result < 0, pool_resize)
%throws_if(result < 0, pool_set)
%throws_if(result == INT64_MIN, pool_value_of)
%throws_if(result < 0, pool_expose)
%throws_if(result < 0, pool_expose_all)
%throws_if(result < 0, pool_tag)
%throws_if(result < 0, pool_mark_unusable)
%throws_if(result < 0, pool_mark_broken)
%throws_if(result < 0, pool_config_set_number)
%throws_if(result < 0, pool_config_set_text)
%throws_if(result < 0, pool_config_check)
%throws_if(!result, pool_step_new)
%throws_if(!result, pool_driver_new)
%throws_if(result < 0, pool_url_settings)
%throws_if(!result, pool_url_new)
%throws_if(!result, pool_statistics)
%throws_if(!result, pool_report_text)
%throws_if(!result, pool_health_text)
#endif

/* ---- the library ---- */

%include <pool/types.h>
%include <pool/event.h>
%include <pool/config.h>
%include <pool/vtable.h>
%include <pool/stats.h>
%include <pool/pool.h>
%include <pool/expose.h>
%include <pool/step.h>

#ifndef SWIGRUBY
%extend pool_config_t {
  pool_config_t()
  {
    static const pool_config_t initial = POOL_CONFIG_INIT;
    pool_config_t *config = malloc(sizeof *config);
    if (config)
      *config = initial;
    return config;
  }

  ~pool_config_t()
  {
    free((char *)self->name);
    free((char *)self->budget);
    free(self);
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
#endif

%inline %{
/* What the struct keeps of the text is a copy, freed with it. */
static int pool_config_set_text(pool_config_t *config, const char *name, const char *text, pool_error_t *error)
{
  const char *before[] = {config->name, config->budget};
  char *copy = text ? strdup(text) : NULL;
  int code = pool_config_set(config, name, copy, error);
  if (copy && config->name == copy)
    free((char *)before[0]);
  else if (copy && config->budget == copy)
    free((char *)before[1]);
  else
    free(copy);
  return code;
}

/* Whether a budget is set. */
static int pool_config_shares(const pool_config_t *config)
{
  return config->budget && *config->budget;
}

/* A pool without callbacks, with the abilities POOL_STEP_*, or NULL and why.  A name that is given goes before that of
   the settings. */
static pool_t *pool_step_new(pool_config_t *config, int32_t abilities, const char *name, pool_error_t *error)
{
  pool_t *pool = NULL;
  pool_config_t named = *config;
  named.name = name && *name ? name : named.name;
  return pool_step_create(&named, abilities, &pool, error) == 0 ? pool : NULL;
}

/* A pool of connections that a driver of the library opens, or NULL and why. */
static pool_t *pool_driver_new(pool_config_t *config, const char *name, const char *driver, const char *address,
                               pool_error_t *error)
{
  pool_t *pool = NULL;
  pool_config_t named = *config;
  named.name = name && *name ? name : named.name;
  return pool_create_driver(&named, driver, address, &pool, error) == 0 ? pool : NULL;
}

/* Sets what a URL says of the settings, but for the name: for those who have to know them before there is a pool. */
static int pool_url_settings(pool_config_t *config, const char *url, pool_error_t *error)
{
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  void *context = NULL;
  const char *budget = config->budget;
  int code = pool_url_prepare(url, config, &vtable, &context, error);
  if (code == 0 && vtable.release)
    vtable.release(context);
  if (config->budget != budget) { /* the library's: what the struct has is a copy, freed with it */
    free((char *)budget);
    config->budget = strdup(config->budget);
  }
  return code;
}

/* A pool of what a URL names, or NULL and why. */
static pool_t *pool_url_new(pool_config_t *config, const char *name, const char *url, pool_error_t *error)
{
  pool_t *pool = NULL;
  pool_config_t named = *config;
  named.name = name && *name ? name : named.name;
  return pool_open_with(&named, url, &pool, error) == 0 ? pool : NULL;
}

/* A setting of a pool as it is now, or INT64_MIN. */
static int64_t pool_value_of(pool_t *pool, const char *name)
{
  int64_t value;
  return pool_value(pool, name, &value) == 0 ? value : INT64_MIN;
}

/* All pools of the process: no language has to make a NULL for it. */
static int pool_expose_all(pool_error_t *error)
{
  return pool_expose(NULL, error);
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

/* What pool_health() says: the number of the word, a digit, and behind it the line for people; or NULL. */
static char *pool_health_text(pool_t *pool, int64_t stuck_after_ms)
{
  pool_bytes_t why = {NULL, 0};
  char *text = NULL;
  int health = pool_health(pool, stuck_after_ms, &why);
  if (health >= 0 && (text = malloc(why.size + 2))) {
    text[0] = (char)('0' + health);
    memcpy(text + 1, why.data, why.size + 1);
  }
  pool_bytes_free(&why);
  return text;
}

/* The counts of this moment, or NULL. */
static pool_stats_t *pool_statistics(pool_t *pool)
{
  static const pool_stats_t initial = POOL_STATS_INIT;
  pool_stats_t *stats = malloc(sizeof *stats);
  if (stats) {
    *stats = initial;
    if (pool_stats(pool, stats) == 0)
      return stats;
    free(stats);
  }
  return NULL;
}
%}
