/* SPDX-License-Identifier: MIT */
#include "foreign_library.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct thing {
  bool is_open;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char written[4096];
static int64_t result;
static int open_result, check_result, close_result, known_descriptor = -1;
static const char *trouble;
static _Atomic int things, blobs, inside, most_inside;

/* ---- for the test ---- */

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
  va_list arguments;
  pthread_mutex_lock(&lock);
  size_t used = strlen(written);
  va_start(arguments, format);
  vsnprintf(written + used, sizeof written - used, format, arguments);
  va_end(arguments);
  pthread_mutex_unlock(&lock);
}

const char *fl_log(void)
{
  return written;
}

void fl_forget(void)
{
  written[0] = 0;
  result = open_result = check_result = close_result = 0;
  trouble = NULL;
  known_descriptor = -1;
  atomic_store(&most_inside, 0);
}

void fl_set_result(int64_t next)
{
  result = next;
}

void fl_set_open(int next)
{
  open_result = next;
}

void fl_set_check(int next)
{
  check_result = next;
}

void fl_set_close(int next)
{
  close_result = next;
}

void fl_set_trouble(const char *text)
{
  trouble = text;
}

void fl_set_descriptor(int descriptor)
{
  known_descriptor = descriptor;
}

int fl_things(void)
{
  return atomic_load(&things);
}

int fl_blobs(void)
{
  return atomic_load(&blobs);
}

int fl_most_inside(void)
{
  return atomic_load(&most_inside);
}

/* ---- connections ---- */

static const char *shown(const char *text)
{
  return text ? text : "NULL";
}

static struct thing *make(void)
{
  struct thing *thing = calloc(1, sizeof *thing);
  thing->is_open = true;
  atomic_fetch_add(&things, 1);
  return thing;
}

static void end(struct thing *thing)
{
  if (!thing || !thing->is_open)
    abort();
  thing->is_open = false;
  atomic_fetch_sub(&things, 1);
  free(thing);
}

struct thing *fl_new(void)
{
  note("new;");
  return make();
}

/* As SQLite does, a thing is there to be closed also if the open fails; but not with -2. */
int fl_open(const char *host, int port, struct thing **thing)
{
  note("open %s %d;", shown(host), port);
  if (open_result != -2)
    *thing = make();
  return open_result;
}

int fl_check(struct thing *thing)
{
  note("check;");
  return thing->is_open ? check_result : -1;
}

int fl_reset(struct thing *thing)
{
  note("reset;");
  return thing->is_open ? check_result : -1;
}

int fl_close(struct thing *thing)
{
  note("close;");
  end(thing);
  return close_result;
}

void fl_end(struct thing *thing)
{
  note("end;");
  end(thing);
}

/* ---- arguments ---- */

int fl_integers(int8_t a, int16_t b, int32_t c, int64_t d, uint8_t e, uint16_t f, uint32_t g, uint64_t h)
{
  note("integers %d %d %" PRId32 " %" PRId64 " %u %u %" PRIu32 " %" PRIu64 ";", a, b, c, d, e, f, g, h);
  return 0;
}

int fl_others(int a, unsigned b, long c, unsigned long d, size_t e, float f, double g)
{
  note("others %d %u %ld %lu %zu %g %g;", a, b, c, d, e, (double)f, g);
  return 0;
}

int fl_texts(const char *a, const char *b, const void *c, size_t length)
{
  note("texts %s %s %s %zu;", shown(a), shown(b), shown(c), length);
  return 0;
}

int fl_references(const int8_t *a, const uint64_t *b, const double *c, const char *const *d)
{
  note("references %d %" PRIu64 " %g %s;", *a, *b, *c, d ? shown(*d) : "NONE");
  return 0;
}

int fl_out(int8_t *a, uint64_t *b, double *c, const char **d, void **e)
{
  note("out;");
  *a = -8;
  *b = UINT64_MAX;
  *c = 0.25;
  *d = "found";
  if (e)
    *e = written;
  return 0;
}

int fl_wait(const struct timeval *a, long ms)
{
  if (a)
    note("wait %ld.%06ld %ld;", (long)a->tv_sec, (long)a->tv_usec, ms);
  else
    note("wait NULL %ld;", ms);
  return 0;
}

int fl_sum(int count, ...)
{
  va_list arguments;
  va_start(arguments, count);
  int sum = 0;
  for (int i = 0; i < count; i++)
    sum += va_arg(arguments, int);
  double last = va_arg(arguments, double);
  va_end(arguments);
  note("sum %d %g;", sum, last);
  return 0;
}

int fl_many(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j, int k, int l, int m, int n, int o,
            int p)
{
  note("many %d;", a + b * 2 + c * 3 + d * 4 + e * 5 + f * 6 + g * 7 + h * 8 + i * 9 + j * 10 + k * 11 + l * 12 +
                       m * 13 + n * 14 + o * 15 + p * 16);
  return 0;
}

/* ---- results ---- */

const int fl_number = 7;

#define RESULT(name, type)                                                                                             \
  type fl_##name##_result(void)                                                                                        \
  {                                                                                                                    \
    return (type)result;                                                                                               \
  }
RESULT(int8, int8_t)
RESULT(int16, int16_t)
RESULT(int32, int32_t)
RESULT(int64, int64_t)
RESULT(uint8, uint8_t)
RESULT(uint16, uint16_t)
RESULT(uint32, uint32_t)
RESULT(uint64, uint64_t)

/* In halves. */
double fl_double_result(void)
{
  return (double)result / 2;
}

float fl_float_result(void)
{
  return (float)result / 2;
}

const char *fl_text_result(void)
{
  return result ? "text" : NULL;
}

void *fl_pointer_result(void)
{
  return result ? written : NULL;
}

/* ---- errors ---- */

const char *fl_error(struct thing *thing)
{
  return thing->is_open ? trouble ? trouble : "trouble" : "closed";
}

const char *fl_error_of(int code)
{
  return code == 7 ? "seven" : trouble;
}

int fl_error_out(struct thing *thing, const char **text)
{
  *text = fl_error(thing);
  return 0;
}

/* ---- what is to be freed ---- */

int fl_blob(void **blob)
{
  note("blob;");
  *blob = malloc(1);
  atomic_fetch_add(&blobs, 1);
  return check_result;
}

void fl_blob_free(void *blob)
{
  note("free;");
  atomic_fetch_sub(&blobs, 1);
  free(blob);
}

/* ---- threads, signals, descriptors ---- */

int fl_alone(struct thing *thing)
{
  int now = atomic_fetch_add(&inside, 1) + 1, most = atomic_load(&most_inside);
  while (now > most && !atomic_compare_exchange_weak(&most_inside, &most, now))
    ;
  sched_yield();
  atomic_fetch_sub(&inside, 1);
  return thing->is_open ? 0 : -1;
}

int fl_write(int descriptor)
{
  note("write;");
  return write(descriptor, "x", 1) == 1 ? 0 : errno;
}

/* Writes into a pipe that nobody reads. */
int fl_pipe(void)
{
  int ends[2];
  if (pipe(ends) != 0)
    return -1;
  close(ends[0]);
  int code = fl_write(ends[1]);
  close(ends[1]);
  return code;
}

int fl_descriptor(struct thing *thing)
{
  return thing->is_open ? known_descriptor : -1;
}

int fl_descriptor_out(struct thing *thing, int *descriptor)
{
  *descriptor = fl_descriptor(thing);
  return 0;
}
