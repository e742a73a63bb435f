/* SPDX-License-Identifier: MIT */
/*
 * The step API for the class Step, by hand: get and put are one call each, with numbers alone.
 *
 * Nearly always a step says nothing but its result.  One that says more is kept, and the result is the address where,
 * as a negative number; the codes of errors are nearer to zero than any address.  Step.read() takes it from there.
 */
#include <jni.h>
#include <stdlib.h>
#include <string.h>

#include <pool/step.h>

struct said {
  jlong result;
  pool_step_t step;
  pool_error_t failure; /* of a get that was not tried: it says why, in the words of who failed last */
};

static jlong say(JNIEnv *env, jlong result, const pool_step_t *step)
{
  if (step->work == POOL_WORK_NONE && step->ticket == 0 && step->wake == 0 && result != POOL_E_OPEN)
    return result;
  struct said *said = malloc(sizeof *said);
  if (!said)
    (*env)->FatalError(env, "no memory for what a pool has decided"); /* as the JVM itself ends without memory */
  said->result = result;
  said->step = *step;
  said->failure = (pool_error_t)POOL_ERROR_INIT;
  if (result == POOL_E_OPEN)
    pool_failure(&said->failure);
  return -(jlong)(intptr_t)said;
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
  return say(env, result, &step);
}

JNIEXPORT jlong JNICALL Java_libpool_Step_cancel(JNIEnv *env, jclass self, jlong ticket)
{
  (void)self;
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t result = pool_step_cancel(ticket, &step);
  return say(env, result, &step);
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
  return say(env, result, &step);
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
  return say(env, result, &step);
}

/* Of this one the result is only whether there is anything, and no lease. */
JNIEXPORT jlong JNICALL Java_libpool_Step_next(JNIEnv *env, jclass self, jlong pool)
{
  (void)self;
  pool_step_t step = POOL_STEP_INIT;
  int result = pool_step_next(pool_of(pool), &step);
  return say(env, result < 0 ? result : 0, &step);
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
  const jlong all[] = {said->result, step->work, step->claim, step->ticket, step->wake, step->look_again_ns};
  (*env)->SetLongArrayRegion(env, numbers, 0, sizeof all / sizeof *all, all);
  jbyteArray message = message_of(env, &said->failure);
  free(said);
  return message;
}
