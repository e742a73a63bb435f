/* SPDX-License-Identifier: MIT */
/*
 * The step API for the class Step, by hand: get and put are one call each, with numbers alone.
 *
 * Nearly always a step says nothing but its result.  One that says more is kept, and the result is the address where,
 * as a negative number; the codes of errors are nearer to zero than any address.  Step.read() takes it from there.
 */
#include <dlfcn.h>
#include <jni.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <pool/budget.h>
#include <pool/group.h>
#include <pool/step.h>

#include "bell.h"

/* The kernel's own (vdso(7)), where it can be found: the way to it through the C library takes as long once more. */
static int (*read_clock)(clockid_t clock, struct timespec *now) = clock_gettime;

static void find_clock(void)
{
  void *kernel = dlopen("linux-vdso.so.1", RTLD_LAZY | RTLD_NOLOAD);
  void *found = kernel ? dlsym(kernel, "__vdso_clock_gettime") : NULL;
  if (found)
    memcpy(&read_clock, &found, sizeof found);
}

/* The JVM calls it once, before anything else here. */
JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM *machine, void *reserved)
{
  (void)machine, (void)reserved;
  find_clock();
  pool_budget_language("java");
  return JNI_VERSION_1_8;
}

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
static jlong say_failure(JNIEnv *env, jlong result, const pool_step_t *step)
{
  pool_error_t failure = POOL_ERROR_INIT;
  if (pool_failure(&failure) != result)
    failure.message[0] = 0;
  return keep(env, result, step, &failure);
}

/* In a function of its own, because to make a failure that is not needed takes longer than a get. */
static jlong say_why(JNIEnv *env, jlong result, const pool_step_t *step)
{
  return result >= 0 ? say(env, result, step) : say_failure(env, result, step);
}

static pool_t *pool_of(jlong handle)
{
  return (pool_t *)(intptr_t)handle;
}

JNIEXPORT jlong JNICALL Java_libpool_Step_begin(JNIEnv *env, jclass self, jlong pool, jlong timeout_ms, jlong ticket)
{
  (void)self;
  pool_step_t step;
  step.size = sizeof step; /* the call writes the rest; to do so before would take as long again */
  pool_lease_t result = pool_step_begin(pool_of(pool), timeout_ms, ticket, &step);
  /* Of one that only looked there is nothing to be told. */
  return timeout_ms == 0 && result == POOL_E_TIMEOUT ? say(env, result, &step) : say_why(env, result, &step);
}

JNIEXPORT jlong JNICALL Java_libpool_Step_taken(JNIEnv *env, jclass self, jlong pool, jlong timeout_ms, jlong lease)
{
  (void)self;
  pool_step_t step;
  step.size = sizeof step; /* the call writes the rest; to do so before would take as long again */
  pool_lease_t result = pool_step_taken(pool_of(pool), timeout_ms, lease, &step);
  return timeout_ms == 0 && result == POOL_E_TIMEOUT ? say(env, result, &step) : say_why(env, result, &step);
}

/* The wall clock, as the library reads it: one that jumps says so, and after a stop of the machine it has gone on. */
JNIEXPORT jlong JNICALL Java_libpool_Step_tick(JNIEnv *env, jclass self)
{
  (void)env, (void)self;
  struct timespec now;
  read_clock(CLOCK_REALTIME_COARSE, &now);
  return (jlong)now.tv_sec * 1000000000 + now.tv_nsec;
}

JNIEXPORT jlong JNICALL Java_libpool_Step_given(JNIEnv *env, jclass self, jlong lease)
{
  (void)self;
  pool_step_t step;
  step.size = sizeof step; /* the call writes the rest; to do so before would take as long again */
  int result = pool_step_given(lease, &step);
  return say(env, result, &step);
}

/* The order of the numbers is that of the class View.  Its words are of 64 bits, pointers among them. */
JNIEXPORT jboolean JNICALL Java_libpool_Step_view(JNIEnv *env, jclass self, jlong pool, jlongArray numbers)
{
  (void)self;
  pool_view_t view = POOL_VIEW_INIT;
  if (sizeof(void *) != sizeof(jlong) || pool_step_view(pool_of(pool), &view))
    return JNI_FALSE;
  const jlong all[] = {view.version,    (jlong)(intptr_t)view.slots, (jlong)(intptr_t)view.attention,
                       view.slot_mask,  view.slot_bytes,             view.idle,
                       view.lent,       view.plain,                  view.generation,
                       view.beyond,     view.untimed,                view.block_at,
                       view.bit_at,     view.hint_at,                view.get_stops,
                       view.get_asks,   view.put_asks,               view.waits,
                       view.told,       view.due};
  (*env)->SetLongArrayRegion(env, numbers, 0, sizeof all / sizeof *all, all);
  return JNI_TRUE;
}

JNIEXPORT jobject JNICALL Java_libpool_Step_memory(JNIEnv *env, jclass self, jlong address, jlong bytes)
{
  (void)self;
  return (*env)->NewDirectByteBuffer(env, (void *)(intptr_t)address, bytes);
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
  pool_step_t step;
  step.size = sizeof step; /* the call writes the rest; to do so before would take as long again */
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

/* ---- groups: the class Group ---- */

static pool_group_t *group_of(jlong group)
{
  return (pool_group_t *)(intptr_t)group;
}

/* The address and null, or the code and why. */
static jbyteArray answer(JNIEnv *env, jlongArray results, int code, const void *made, const pool_error_t *error)
{
  jlong result = code ? code : (jlong)(intptr_t)made;
  (*env)->SetLongArrayRegion(env, results, 0, 1, &result);
  return code ? message_of(env, error) : NULL;
}

/* The bytes, with a zero byte behind them, to be freed; NULL without memory. */
static char *bytes_of(JNIEnv *env, jbyteArray bytes, jsize *size)
{
  *size = (*env)->GetArrayLength(env, bytes);
  char *copy = calloc(1, (size_t)*size + 1);
  if (copy)
    (*env)->GetByteArrayRegion(env, bytes, 0, *size, (jbyte *)copy);
  return copy;
}

/* Numbers of which the library has a default are 0 where they are not set. */
JNIEXPORT jbyteArray JNICALL Java_libpool_Step_groupMake(JNIEnv *env, jclass self, jlong settings, jbyteArray name,
                                                         jint abilities, jlong key_idle_ms, jint max_keys,
                                                         jlongArray results)
{
  (void)self;
  jsize size;
  pool_group_t *group = NULL;
  pool_error_t error = POOL_ERROR_INIT;
  pool_group_config_t config = POOL_GROUP_CONFIG_INIT;
  pool_config_t named = *(const pool_config_t *)(intptr_t)settings;
  char *text = bytes_of(env, name, &size);
  named.name = text;
  config.settings = &named;
  config.key_idle_ms = key_idle_ms ? key_idle_ms : config.key_idle_ms;
  config.max_keys = max_keys ? max_keys : config.max_keys;
  int code = text ? pool_group_step_create(&config, abilities, &group, &error) : POOL_E_NOMEM;
  free(text);
  return answer(env, results, code, group, &error);
}

JNIEXPORT jbyteArray JNICALL Java_libpool_Step_groupPool(JNIEnv *env, jclass self, jlong group, jbyteArray key,
                                                         jlong settings, jlongArray results)
{
  (void)self;
  jsize size;
  pool_t *pool = NULL;
  pool_error_t error = POOL_ERROR_INIT;
  char *text = bytes_of(env, key, &size);
  int code = text ? pool_group_step_pool(group_of(group), text, (size_t)size, (const pool_config_t *)(intptr_t)settings,
                                         &pool, &error)
                  : POOL_E_NOMEM;
  free(text);
  return answer(env, results, code, pool, &error);
}

/* What is to be done, for which pool, and in how many nanoseconds to ask again. */
JNIEXPORT void JNICALL Java_libpool_Step_groupNext(JNIEnv *env, jclass self, jlong group, jlongArray numbers)
{
  (void)self;
  pool_t *pool = NULL;
  int64_t due_ns = 0;
  int news = pool_group_step_next(group_of(group), &pool, &due_ns);
  pool_free(pool); /* its object has a reference */
  const jlong all[] = {news, (jlong)(intptr_t)pool, due_ns};
  (*env)->SetLongArrayRegion(env, numbers, 0, sizeof all / sizeof *all, all);
}

JNIEXPORT jint JNICALL Java_libpool_Step_groupBell(JNIEnv *env, jclass self, jlong group)
{
  (void)env, (void)self;
  return bell_of_group(group_of(group));
}

JNIEXPORT void JNICALL Java_libpool_Step_awaitFor(JNIEnv *env, jclass self, jint bell, jint ms)
{
  (void)env, (void)self;
  bell_wait_for(bell, ms);
}

JNIEXPORT void JNICALL Java_libpool_Step_groupClose(JNIEnv *env, jclass self, jlong group)
{
  (void)env, (void)self;
  pool_group_close(group_of(group), 0);
  bell_ring_group(group_of(group));
}

JNIEXPORT void JNICALL Java_libpool_Step_groupFree(JNIEnv *env, jclass self, jlong group)
{
  (void)env, (void)self;
  bell_ring_group(group_of(group));
  pool_group_free(group_of(group));
}

/* In the order of the record GroupStats. */
JNIEXPORT void JNICALL Java_libpool_Step_groupStats(JNIEnv *env, jclass self, jlong group, jlongArray numbers)
{
  (void)self;
  pool_group_stats_t stats = POOL_GROUP_STATS_INIT;
  pool_group_stats(group_of(group), &stats);
  const jlong all[] = {stats.keys, stats.made, stats.let_go, stats.refused,
                       stats.open, stats.idle, stats.leased, stats.waiting};
  (*env)->SetLongArrayRegion(env, numbers, 0, sizeof all / sizeof *all, all);
}
