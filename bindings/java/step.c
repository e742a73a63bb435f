/* SPDX-License-Identifier: MIT */
/*
 * The step API for the class Step, by hand: get and put are one call each, with numbers alone.
 *
 * Nearly always a step says nothing but its result.  One that says more is kept, and the result is the address where,
 * as a negative number; the codes of errors are nearer to zero than any address.  Step.read() takes it from there.
 */
#include <jni.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pool/step.h>

#include "bell.h"

struct said {
  jlong result;
  pool_step_t step;
  pool_error_t failure; /* of a get: why it failed */
};

static bool says_more(const pool_step_t *step)
{
  return step->work != POOL_WORK_NONE || step->ticket || step->wake || step->more || step->due_ns;
}

static jlong keep(JNIEnv *env, jlong result, const pool_step_t *step, const pool_error_t *failure)
{
  struct said *said = malloc(sizeof *said);
  if (!said)
    (*env)->FatalError(env, "no memory for what a pool has decided"); /* as the JVM itself ends without memory */
  said->result = result;
  said->step = *step;
  said->failure = *failure;
  return -(jlong)(intptr_t)said;
}

static jlong say(JNIEnv *env, jlong result, const pool_step_t *step)
{
  static const pool_error_t none = POOL_ERROR_INIT;
  return says_more(step) ? keep(env, result, step, &none) : result;
}

/* The same for what may have ended a get.  The failure is asked for at once: a virtual thread may come back to Java on
   another thread of the system. */
static jlong say_why(JNIEnv *env, jlong result, const pool_step_t *step)
{
  pool_error_t failure = POOL_ERROR_INIT;
  if (result >= 0)
    return say(env, result, step);
  if (pool_failure(&failure) != result)
    failure.message[0] = 0;
  return keep(env, result, step, &failure);
}

static pool_t *pool_of(jlong handle)
{
  return (pool_t *)(intptr_t)handle;
}

JNIEXPORT jlong JNICALL Java_libpool_Step_begin(JNIEnv *env, jclass self, jlong pool, jlong timeout_ms, jlong ticket)
{
  (void)self;
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t result = pool_step_begin(pool_of(pool), timeout_ms, ticket, &step);
  /* Of one that only looked there is nothing to be told. */
  return timeout_ms == 0 && result == POOL_E_TIMEOUT ? say(env, result, &step) : say_why(env, result, &step);
}

JNIEXPORT jlong JNICALL Java_libpool_Step_cancel(JNIEnv *env, jclass self, jlong ticket)
{
  (void)self;
  pool_step_t step = POOL_STEP_INIT;
  pool_error_t failure = POOL_ERROR_INIT;
  pool_lease_t result = pool_step_cancel(ticket, &step);
  /* The caller gives up because the time is over, or because of something else that it knows itself. */
  bool late = result == 0 && pool_failure(&failure) == POOL_E_TIMEOUT;
  return late ? keep(env, result, &step, &failure) : say_why(env, result, &step);
}

JNIEXPORT jlong JNICALL Java_libpool_Step_end(JNIEnv *env, jclass self, jlong lease)
{
  (void)self;
  pool_step_t step = POOL_STEP_INIT;
  int result = pool_step_end(lease, &step);
  return say(env, result, &step);
}

JNIEXPORT jlong JNICALL Java_libpool_Step_done(JNIEnv *env, jclass self, jlong claim)
{
  (void)self;
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t result = pool_step_done(claim, NULL, NULL, &step);
  return say_why(env, result, &step);
}

/* The message is cut where it is too long. */
JNIEXPORT jlong JNICALL Java_libpool_Step_fail(JNIEnv *env, jclass self, jlong claim, jint code, jbyteArray message)
{
  (void)self;
  pool_step_t step = POOL_STEP_INIT;
  pool_error_t failure = {.size = sizeof failure, .code = code};
  jsize size = (*env)->GetArrayLength(env, message), most = sizeof failure.message - 1;
  (*env)->GetByteArrayRegion(env, message, 0, size < most ? size : most, (jbyte *)failure.message);
  pool_lease_t result = pool_step_done(claim, &failure, NULL, &step);
  return say_why(env, result, &step);
}

/* Of this one the result is no lease: 1 if there is something to do. */
JNIEXPORT jlong JNICALL Java_libpool_Step_next(JNIEnv *env, jclass self, jlong pool)
{
  (void)self;
  pool_step_t step = POOL_STEP_INIT;
  int result = pool_step_next(pool_of(pool), &step);
  return say(env, result, &step);
}

JNIEXPORT jint JNICALL Java_libpool_Step_bell(JNIEnv *env, jclass self, jlong pool)
{
  (void)env, (void)self;
  return bell_of(pool_of(pool));
}

JNIEXPORT void JNICALL Java_libpool_Step_ring(JNIEnv *env, jclass self, jlong pool)
{
  (void)env, (void)self;
  bell_ring(pool_of(pool));
}

JNIEXPORT void JNICALL Java_libpool_Step_await(JNIEnv *env, jclass self, jint bell)
{
  (void)env, (void)self;
  bell_wait(bell);
}

JNIEXPORT void JNICALL Java_libpool_Step_closeBell(JNIEnv *env, jclass self, jint bell)
{
  (void)env, (void)self;
  close(bell);
}

/* NULL: there is none, or no memory for it. */
static jbyteArray message_of(JNIEnv *env, const pool_error_t *failure)
{
  jsize size = (jsize)strlen(failure->message);
  jbyteArray message = size ? (*env)->NewByteArray(env, size) : NULL;
  if (message)
    (*env)->SetByteArrayRegion(env, message, 0, size, (const jbyte *)failure->message);
  else
    (*env)->ExceptionClear(env);
  return message;
}

/* The order of the numbers is that of the class Step.  Returns the message of a failure, or NULL. */
JNIEXPORT jbyteArray JNICALL Java_libpool_Step_read(JNIEnv *env, jclass self, jlong said_at, jlongArray numbers)
{
  (void)self;
  struct said *said = (struct said *)(intptr_t)-said_at;
  const pool_step_t *step = &said->step;
  const jlong all[] = {said->result, step->work,          step->claim, step->ticket,
                       step->wake,   step->look_again_ns, step->more,  step->due_ns};
  (*env)->SetLongArrayRegion(env, numbers, 0, sizeof all / sizeof *all, all);
  jbyteArray message = message_of(env, &said->failure);
  free(said);
  return message;
}

/* ---- texts and numbers of what is seen ---- */

/* Throws where there is no memory. */
static void put_text(JNIEnv *env, jobjectArray texts, jsize at, const char *text)
{
  if ((*env)->ExceptionCheck(env))
    return;
  jsize size = (jsize)strlen(text);
  jbyteArray bytes = (*env)->NewByteArray(env, size);
  if (!bytes)
    return;
  (*env)->SetByteArrayRegion(env, bytes, 0, size, (const jbyte *)text);
  (*env)->SetObjectArrayElement(env, texts, at, bytes);
  (*env)->DeleteLocalRef(env, bytes);
}

/* The order of the numbers and texts is that of the method Step.Told.next(). */
JNIEXPORT jboolean JNICALL Java_libpool_Step_event(JNIEnv *env, jclass self, jlong pool, jlongArray numbers,
                                                   jobjectArray texts)
{
  (void)self;
  pool_step_event_t event = POOL_STEP_EVENT_INIT;
  if (pool_step_event(pool_of(pool), &event) != 1)
    return JNI_FALSE;
  const jlong all[] = {event.event,      event.reason, event.code,        event.level, event.lease,
                       event.connection, event.thread, event.duration_ns, event.lost};
  (*env)->SetLongArrayRegion(env, numbers, 0, sizeof all / sizeof *all, all);
  put_text(env, texts, 0, event.tag);
  put_text(env, texts, 1, event.message);
  put_text(env, texts, 2, event.line);
  return JNI_TRUE;
}

static void put_lease(JNIEnv *env, const pool_lease_info_t *info, jsize at, jlongArray numbers, jobjectArray tags)
{
  const jlong all[] = {info->lease, info->connection, info->thread, info->held_ns};
  const jsize count = sizeof all / sizeof *all;
  if (!(*env)->ExceptionCheck(env))
    (*env)->SetLongArrayRegion(env, numbers, at * count, count, all);
  put_text(env, tags, at, info->tag);
}

/* How many leases are out, of which as many as there is room for are written. */
JNIEXPORT jlong JNICALL Java_libpool_Step_leases(JNIEnv *env, jclass self, jlong pool, jlongArray numbers,
                                                 jobjectArray tags)
{
  static const pool_lease_info_t initial = POOL_LEASE_INFO_INIT;
  (void)self;
  jsize room = (*env)->GetArrayLength(env, tags);
  pool_lease_info_t *list = calloc((size_t)room + 1, sizeof *list);
  if (!list)
    return POOL_E_NOMEM;
  list[0] = initial;
  jlong count = pool_leases(pool_of(pool), list, (size_t)room);
  for (jsize i = 0; i < room && i < count; i++)
    put_lease(env, &list[i], i, numbers, tags);
  free(list);
  return count;
}
