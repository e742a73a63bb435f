/* SPDX-License-Identifier: MIT */
/* The native part of a get and a put of Java, which it does where its own code has not found what it needs, as many times
   as it is told: for a counter of instructions.  It reads nothing of the virtual machine where nothing has to be said.
   usage: java TIMES */
#include <stdlib.h>

#include <jni.h>

#include <pool/step.h>

JNIEXPORT jlong JNICALL Java_libpool_Step_begin(JNIEnv *env, jclass self, jlong pool, jlong timeout_ms, jlong ticket);
JNIEXPORT jlong JNICALL Java_libpool_Step_end(JNIEnv *env, jclass self, jlong lease);

int main(int count, char **words)
{
  pool_t *pool;
  pool_step_t step = POOL_STEP_INIT;
  if (count != 2 || pool_step_create(NULL, 0, &pool, NULL) != 0 || pool_step_begin(pool, 0, 0, &step) != 0)
    return 2;
  pool_lease_t lease = pool_step_done(step.claim, NULL, &step, &step);
  if (lease <= 0 || pool_step_end(lease, &step) != 0)
    return 2;
  for (long times = atol(words[1]); times > 0; times--)
    if (Java_libpool_Step_end(NULL, NULL, Java_libpool_Step_begin(NULL, NULL, (jlong)(intptr_t)pool, 0, 0)) != 0)
      return 1;
  pool_free(pool);
  return 0;
}
