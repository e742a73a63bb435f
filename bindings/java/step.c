/* SPDX-License-Identifier: MIT */
/*
 * The step API for the class Step, by hand: get and put are one call each, with numbers alone.
 *
 * Nearly always a step says nothing but its result.  One that says more is kept, and the result is the address where,
 * as a negative number; the codes of errors are nearer to zero than any address.  Step.read() takes it from there.
 */
#include <jni.h>
#include <stdlib.h>

#include <pool/step.h>

struct said {
  jlong result;
  pool_step_t step;
};

static jlong say(JNIEnv *env, jlong result, const pool_step_t *step)
{
  if (step->work == POOL_WORK_NONE && step->ticket == 0 && step->wake == 0)
    return result;
  struct said *said = malloc(sizeof *said);
  if (!said)
    (*env)->FatalError(env, "no memory for what a pool has decided"); /* as the JVM itself ends without memory */
  said->result = result;
  said->step = *step;
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

JNIEXPORT jlong JNICALL Java_libpool_Step_done(JNIEnv *env, jclass self, jlong claim, jboolean succeeded)
{
  (void)self;
  pool_step_t step = POOL_STEP_INIT;
  const pool_error_t failure = {sizeof failure, POOL_E_OPEN, 0, ""};
  pool_lease_t result = pool_step_done(claim, succeeded ? NULL : &failure, NULL, &step);
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

/* The order of the numbers is that of the class Step. */
JNIEXPORT void JNICALL Java_libpool_Step_read(JNIEnv *env, jclass self, jlong said_at, jlongArray numbers)
{
  (void)self;
  struct said *said = (struct said *)(intptr_t)-said_at;
  const pool_step_t *step = &said->step;
  const jlong all[] = {said->result, step->work, step->claim, step->ticket, step->wake};
  (*env)->SetLongArrayRegion(env, numbers, 0, sizeof all / sizeof *all, all);
  free(said);
}
