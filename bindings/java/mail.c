/* SPDX-License-Identifier: MIT */
/* Pools with a driver for the class Mail, by hand: the library's threads leave letters, and a thread of Java takes
 * them. */
#include <dlfcn.h>
#include <jni.h>
#include <stdint.h>
#include <string.h>

#include "inbox.h"

static pool_t *pool_of(jlong handle)
{
  return (pool_t *)(intptr_t)handle;
}

static inbox_t *inbox_of(jlong handle)
{
  return (inbox_t *)(intptr_t)handle;
}

/* Where the library was loaded from, beside which it looks for drivers.  NULL: that cannot be told. */
JNIEXPORT jbyteArray JNICALL Java_libpool_Mail_core(JNIEnv *env, jclass self)
{
  (void)self;
  Dl_info library;
  jsize size = dladdr((const void *)pool_version, &library) ? (jsize)strlen(library.dli_fname) : 0;
  jbyteArray path = size ? (*env)->NewByteArray(env, size) : NULL;
  if (path)
    (*env)->SetByteArrayRegion(env, path, 0, size, (const jbyte *)library.dli_fname);
  return path;
}

/* 0: no memory. */
JNIEXPORT jlong JNICALL Java_libpool_Mail_open(JNIEnv *env, jclass self)
{
  (void)env, (void)self;
  return (jlong)(intptr_t)inbox_new();
}

/* NULL: no memory. */
static jbyteArray bytes_of(JNIEnv *env, const pool_bytes_t *bytes)
{
  jbyteArray copy = bytes->size <= INT32_MAX ? (*env)->NewByteArray(env, (jsize)bytes->size) : NULL;
  if (copy && bytes->size)
    (*env)->SetByteArrayRegion(env, copy, 0, (jsize)bytes->size, (const jbyte *)bytes->data);
  else if (!copy)
    (*env)->ExceptionClear(env);
  return copy;
}

/* A letter's number is a reference to its object, so that nothing is looked up, or allocated, when it comes.  0: no
   memory. */
static int64_t number_of(JNIEnv *env, jobject letter)
{
  jobject object = (*env)->NewGlobalRef(env, letter);
  if (!object)
    (*env)->ExceptionClear(env);
  return (int64_t)(intptr_t)object;
}

static jobject object_of(int64_t number)
{
  return (jobject)(intptr_t)number;
}

static void forget(JNIEnv *env, int64_t number)
{
  (*env)->DeleteGlobalRef(env, object_of(number));
}

/* What is too large for Java's memory has failed; a lease is not lost. */
JNIEXPORT jbyteArray JNICALL Java_libpool_Mail_take(JNIEnv *env, jclass self, jlong inbox, jobjectArray objects,
                                                    jlongArray results)
{
  (void)self;
  letter_t *letter = inbox_take(inbox_of(inbox));
  if (!letter) {
    (*env)->SetObjectArrayElement(env, objects, 0, NULL);
    return NULL;
  }
  jbyteArray text = bytes_of(env, &letter->text);
  const jlong result = !text && letter->result == 0 ? POOL_E_NOMEM : letter->result;
  (*env)->SetObjectArrayElement(env, objects, 0, object_of(letter->number));
  (*env)->SetLongArrayRegion(env, results, 0, 1, &result);
  forget(env, letter->number);
  letter_free(letter);
  return text;
}

JNIEXPORT void JNICALL Java_libpool_Mail_interrupt(JNIEnv *env, jclass self, jlong inbox)
{
  (void)env, (void)self;
  inbox_interrupt(inbox_of(inbox));
}

JNIEXPORT jlong JNICALL Java_libpool_Mail_get(JNIEnv *env, jclass self, jlong pool)
{
  (void)env, (void)self;
  return pool_get_for(pool_of(pool), 0);
}

JNIEXPORT jlong JNICALL Java_libpool_Mail_look(JNIEnv *env, jclass self, jlong pool)
{
  (void)env, (void)self;
  return inbox_look(pool_of(pool));
}

JNIEXPORT jlong JNICALL Java_libpool_Mail_ask(JNIEnv *env, jclass self, jlong inbox, jlong pool, jlong timeout_ms,
                                              jobject letter)
{
  (void)self;
  int64_t number = number_of(env, letter);
  jlong ticket = number ? inbox_get(inbox_of(inbox), pool_of(pool), timeout_ms, number) : POOL_E_NOMEM;
  if (number && ticket == POOL_E_NOMEM)
    forget(env, number);
  return ticket;
}

JNIEXPORT void JNICALL Java_libpool_Mail_cancel(JNIEnv *env, jclass self, jlong ticket)
{
  (void)env, (void)self;
  pool_cancel(ticket);
}

/* The method ends in a zero byte. */
JNIEXPORT jint JNICALL Java_libpool_Mail_call(JNIEnv *env, jclass self, jlong inbox, jlong lease, jbyteArray method,
                                              jbyteArray args, jobject letter)
{
  (void)self;
  jint result = POOL_E_NOMEM;
  int64_t number = number_of(env, letter);
  jbyte *name = number ? (*env)->GetByteArrayElements(env, method, NULL) : NULL;
  jbyte *data = name ? (*env)->GetByteArrayElements(env, args, NULL) : NULL;
  if (data) {
    pool_bytes_t bytes = {(void *)data, (size_t)(*env)->GetArrayLength(env, args)};
    result = inbox_call(inbox_of(inbox), lease, (const char *)name, bytes, number);
    (*env)->ReleaseByteArrayElements(env, args, data, JNI_ABORT);
  }
  if (name)
    (*env)->ReleaseByteArrayElements(env, method, name, JNI_ABORT);
  if (number && result)
    forget(env, number);
  return result;
}

JNIEXPORT void JNICALL Java_libpool_Mail_put(JNIEnv *env, jclass self, jlong lease)
{
  (void)env, (void)self;
  pool_put(lease);
}
