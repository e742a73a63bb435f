/* SPDX-License-Identifier: MIT */
/*
 * The interface of the bindings: what is called seldom.  Get and put go another way, see each language's own files.
 *
 * Plain C, without directors: the bindings use the step API, so nothing here calls into a language.  The output is made
 * at build time.
 */
%module pool

%{
#include <pool/step.h>
#include <stdlib.h>
#include <string.h>
%}

/* ---- for every language ---------------------------------------------------------------------------------------- */

#define POOL_STATIC /* POOL_API is for compilers */

%include <stdint.i>

/* Callbacks, what works on them, and what each language has in its own way. */
%ignore pool_vtable_t;
%ignore pool_event_t;
%ignore pool_error_t;
%ignore pool_event_fn;
%ignore pool_log_fn;
%ignore pool_got_fn;
%ignore pool_done_fn;
%ignore pool_bytes_t;
%ignore pool_lease_info_t;
%ignore size;
%ignore events;
%ignore log;
%ignore user;

%ignore pool_create;
%ignore pool_ref;
%ignore pool_leases;
%ignore pool_event_fd;
%ignore pool_get;
%ignore pool_get_for;
%ignore pool_put;
%ignore pool_conn;
%ignore pool_get_async;
%ignore pool_cancel;
%ignore pool_call;
%ignore pool_go;
%ignore pool_call_done;
%ignore pool_call_deadline;
%ignore pool_bytes_new;
%ignore pool_bytes_free;
%ignore pool_report;
%ignore pool_socket_idle;
%ignore pool_failure;
%ignore POOL_NO_DEADLINE;
%ignore POOL_VTABLE_MULTIPLEXED;

/* A config begins with the defaults, and stats with their size. */
%extend pool_config_t {
  pool_config_t() {
    pool_config_t *config = calloc(1, sizeof *config);
    if (config)
      *config = (pool_config_t)POOL_CONFIG_INIT;
    return config;
  }
  ~pool_config_t() {
    if ($self)
      free((char *)$self->name);
    free($self);
  }
}

%extend pool_stats_t {
  pool_stats_t() {
    pool_stats_t *stats = calloc(1, sizeof *stats);
    if (stats)
      *stats = (pool_stats_t)POOL_STATS_INIT;
    return stats;
  }
  ~pool_stats_t() {
    free($self);
  }
}

%newobject report;
%{
/* NULL: pool_failure() says why. */
static pool_t *step_create(const pool_config_t *config)
{
  pool_t *pool = NULL;
  return pool_step_create(config, &pool, NULL) == 0 ? pool : NULL;
}

/* The text of pool_report(), to be freed; NULL: pool_failure() says why. */
static char *report(pool_t *pool, int32_t format)
{
  pool_bytes_t text = {NULL, 0};
  if (pool_report(pool, format, &text) != 0)
    return NULL;
  char *copy = strdup(text.data);
  pool_bytes_free(&text);
  return copy;
}
%}

/* ---- for one ---------------------------------------------------------------------------------------------------- */

#ifdef SWIGJAVA

/* Numbers are long and int as they are; stdint.i would make BigInteger of some. */
%apply long long { int64_t, pool_lease_t, size_t }
%apply int { int32_t }

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

%define %throws_below_zero(NAME)
%exception NAME {
  $action
  if (result < 0) {
    throw_failure(jenv);
    return 0;
  }
}
%enddef
%define %throws_on_null(NAME)
%exception NAME {
  $action
  if (!result) {
    throw_failure(jenv);
    return 0;
  }
}
%enddef
%throws_below_zero(pool_close)
%throws_below_zero(pool_maintain)
%throws_below_zero(pool_flush)
%throws_below_zero(pool_pause)
%throws_below_zero(pool_resume)
%throws_below_zero(pool_resize)
%throws_below_zero(pool_tag)
%throws_below_zero(pool_mark_unusable)
%throws_below_zero(pool_stats)
%throws_on_null(step_create)
%throws_on_null(report)

#endif

%include <pool/pool.h>

pool_t *step_create(const pool_config_t *config);
char *report(pool_t *pool, int32_t format);
