/* SPDX-License-Identifier: MIT */
/*
 * What pool_stats() knows, as text.
 *
 * Shared: the pools and their registry.  The numbers of a pool are read at one moment, under its lock, into memory that
 * was taken before; the text is made of them afterwards, when no lock is held.
 *
 * Two tables say what there is to tell; a format says only how to write it.  No number is written by %f, for that obeys
 * the program's locale, and a decimal comma is neither JSON nor Prometheus's.
 *
 * Prometheus tells pools apart by name.  Those of one name get a number as well, from the second on; it may change when
 * one of them ends, so a program with several pools should name them.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pool/pool.h>

#include "base/error.h"
#include "base/histogram.h"
#include "decide/count.h"
#include "decide/life.h"
#include "decide/pool.h"

/* ---- what there is to tell ---- */

/* A number of a struct.  One whose name ends in _ns is a duration. */
struct field {
  const char *name;
  size_t offset;
};

/* A number of pool_stats_t.  A metric is a counter if its name ends in _total, else a gauge.  Members that follow each
   other and have one metric are told apart by their reason: the first counts all, and its sample is what is left. */
struct member {
  struct field field;
  const char *metric, *reason, *help;
};

/* A pool_times_t of pool_stats_t, and the histogram that it is made of. */
struct duration {
  struct field field;
  size_t histogram; /* where in struct pool */
  const char *metric, *help;
};

/* clang-format off */
#define FIELD(type, name)          { #name, offsetof(type, name) }
#define MEMBER(name, metric, help) { FIELD(pool_stats_t, name), "libpool_" metric, NULL, help }
#define CLOSED(name, reason, help) { FIELD(pool_stats_t, name), "libpool_connections_closed_total", reason, help }
#define DURATION(name, help)       { FIELD(pool_stats_t, name), offsetof(struct pool, name), \
                                     "libpool_" #name "_seconds", help }
/* clang-format on */
#define COUNT_OF(table) (sizeof(table) / sizeof *(table))

static const struct member members[] = {
    MEMBER(open, "connections_open", "Places taken: idle, leased, being opened, checked, reset or closed"),
    MEMBER(idle, "connections_idle", "Connections ready to be lent"),
    MEMBER(leased, "connections_leased", "Connections lent"),
    MEMBER(opening, "connections_opening", "Connections being opened"),
    MEMBER(waiting, "waiting", "Waiters in the queue"),
    MEMBER(lent, "leases_total", "Leases that ended"),
    MEMBER(opened, "connections_opened_total", "Connections opened"),
    CLOSED(closed, "other", "Connections closed"),
    CLOSED(closed_unusable, "unusable", "Connections closed because they were marked unusable or broke"),
    CLOSED(closed_surplus, "surplus", "Connections closed because max_idle were idle"),
    CLOSED(closed_idle, "idle", "Connections closed because of idle_timeout_ms"),
    CLOSED(closed_lifetime, "lifetime", "Connections closed because of max_lifetime_ms"),
    CLOSED(closed_flushed, "flushed", "Connections closed because of a flush"),
    CLOSED(closed_resized, "resized", "Connections closed because the pool was made smaller"),
    MEMBER(open_failures, "open_failures_total", "Opens that failed"),
    MEMBER(checks, "checks_total", "Checks made"),
    MEMBER(check_failures, "check_failures_total", "Checks that found a dead connection"),
    MEMBER(resets, "resets_total", "Resets made"),
    MEMBER(reset_failures, "reset_failures_total", "Resets that failed"),
    MEMBER(close_failures, "close_failures_total", "Closes that returned an error"),
    MEMBER(waited, "waited_total", "Waits that ended with a lease"),
    MEMBER(timed_out, "timed_out_total", "Gets that ended at their deadline"),
    MEMBER(found_none, "found_none_total", "Gets without time to wait that found nothing"),
    MEMBER(overloaded, "overloaded_total", "Gets refused or shed because of overload"),
    MEMBER(cancelled, "cancelled_total", "Gets that were cancelled"),
    MEMBER(failed_fast, "failed_fast_total", "Gets that failed at once because the breaker was open"),
    MEMBER(failed_open, "failed_open_total", "Gets that failed because an open failed"),
    MEMBER(failed_closed, "failed_closed_total", "Gets that failed because the pool was closed"),
    MEMBER(failed_nomem, "failed_nomem_total", "Gets that failed for want of memory"),
    MEMBER(failed_system, "failed_system_total", "Gets that failed because the system refused a thread"),
    MEMBER(evicted, "evicted_total", "Gets whose wait was ended by pool_evict()"),
    MEMBER(breaker_opened, "breaker_opened_total", "How often the breaker opened"),
    MEMBER(leaked, "leaked_total", "Leases reported because of leak_after_ms"),
    MEMBER(starved, "starved_total", "How often every connection was held by a thread that waited for this pool"),
    MEMBER(wait_ns, "queue_seconds_total", "Sum of all waits in the queue"),
    MEMBER(wait_max_ns, "queue_longest_seconds", "The longest wait in the queue"),
};

static const struct duration durations[] = {
    DURATION(wait, "Time in the queue, of gets that waited and got a lease"),
    DURATION(open_time, "Time of opens that succeeded"),
    DURATION(check_time, "Time of checks"),
    DURATION(use, "Time from get to put, of one lease in 64 of each connection"),
};

static const struct field times[] = {
    FIELD(pool_times_t, count),  FIELD(pool_times_t, sum_ns),  FIELD(pool_times_t, p50_ns), FIELD(pool_times_t, p90_ns),
    FIELD(pool_times_t, p99_ns), FIELD(pool_times_t, p999_ns), FIELD(pool_times_t, max_ns),
};

/* Cumulative histograms have a bound at each 2^n - 1 ns from about 1 us to about 137 s: there a part of our histograms
   ends, so what they say is exact. */
#define BOUND_FIRST 10
#define BOUNDS      28

static int64_t bound_ns(size_t i)
{
  return ((int64_t)1 << (BOUND_FIRST + i)) - 1;
}

static bool ends_in(const char *name, const char *end)
{
  size_t length = strlen(name), end_length = strlen(end);
  return length >= end_length && strcmp(name + length - end_length, end) == 0;
}

static bool is_duration(const struct field *field)
{
  return ends_in(field->name, "_ns");
}

static int64_t value_of(const void *object, const struct field *field)
{
  return *(const int64_t *)((const char *)object + field->offset);
}

/* ---- reading it ---- */

struct reading {
  const struct pool *pool; /* where it was; nobody may look there any more */
  char name[sizeof(((struct pool *)NULL)->name)];
  int number; /* among pools of one name, from 1 */
  pool_stats_t stats;
  int64_t at_most[COUNT_OF(durations)][BOUNDS];
};

struct report {
  struct reading *readings;
  size_t count;
  bool all; /* one document of all pools, not a pool's */
};

/* Under the pool's lock. */
static void read_locked(struct pool *pool, struct reading *reading)
{
  reading->pool = pool;
  reading->number = 1;
  memcpy(reading->name, pool->name, sizeof reading->name);
  count_all(pool, &reading->stats);
  for (size_t i = 0; i < COUNT_OF(durations); i++) {
    const struct histogram *histogram = (const void *)((const char *)pool + durations[i].histogram);
    for (size_t j = 0; j < BOUNDS; j++)
      reading->at_most[i][j] = histogram_at_most(histogram, bound_ns(j));
  }
}

/* Reading changes nothing, so there is nothing that life_unlock() would have to look at; it must not be called with
   the registry's lock held. */
static size_t read_one(struct pool *pool, struct reading *reading)
{
  pthread_mutex_lock(&pool->lock);
  read_locked(pool, reading);
  pthread_mutex_unlock(&pool->lock);
  return 1;
}

/* Reads the pools that somebody owns or that still have connections, as many as there is room for.  Returns how many
   there are. */
static size_t read_all(struct reading *readings, size_t room)
{
  size_t count = 0;
  life_registry_lock();
  for (struct pool *pool = life_first(); pool; pool = pool->next_pool) {
    pthread_mutex_lock(&pool->lock);
    bool used = pool->references > 0 || pool->open > 0;
    if (used && count < room)
      read_locked(pool, &readings[count]);
    count += used;
    pthread_mutex_unlock(&pool->lock);
  }
  life_registry_unlock();
  return count;
}

/* By name; those of one name by where they are, so that they keep their order. */
static int compare(const void *left, const void *right)
{
  const struct reading *a = left, *b = right;
  int order = strcmp(a->name, b->name);
  return order ? order : ((uintptr_t)a->pool > (uintptr_t)b->pool) - ((uintptr_t)a->pool < (uintptr_t)b->pool);
}

static void sort(struct report *report)
{
  struct reading *readings = report->readings;
  qsort(readings, report->count, sizeof *readings, compare);
  for (size_t i = 1; i < report->count; i++)
    if (strcmp(readings[i].name, readings[i - 1].name) == 0)
      readings[i].number = readings[i - 1].number + 1;
}

/* Reads one pool or, for NULL, all.  False without memory. */
static bool take_readings(struct pool *pool, struct report *report)
{
  report->all = !pool;
  for (size_t room = pool ? 1 : 16;; room += report->count) {
    report->readings = malloc(room * sizeof *report->readings);
    if (!report->readings)
      return false;
    report->count = pool ? read_one(pool, report->readings) : read_all(report->readings, room);
    if (report->count <= room)
      break;
    free(report->readings);
  }
  sort(report);
  return true;
}

/* ---- JSON ---- */

static void write_json_string(FILE *file, const char *text)
{
  fputc('"', file);
  for (; *text; text++) {
    if (*text == '"' || *text == '\\')
      fputc('\\', file);
    if ((unsigned char)*text < ' ' || *text == 0x7f)
      fprintf(file, "\\u%04x", (unsigned)*text);
    else
      fputc(*text, file);
  }
  fputc('"', file);
}

static void write_json_member(FILE *file, const void *object, const struct field *field)
{
  fprintf(file, "\"%s\":%" PRId64, field->name, value_of(object, field));
}

static void write_json_times(FILE *file, const pool_stats_t *stats, const struct field *field)
{
  fprintf(file, ",\"%s\":", field->name);
  for (size_t i = 0; i < COUNT_OF(times); i++) {
    fputc(i == 0 ? '{' : ',', file);
    write_json_member(file, (const char *)stats + field->offset, &times[i]);
  }
  fputc('}', file);
}

static void write_json_pool(FILE *file, const struct reading *reading)
{
  fputs("{\"name\":", file);
  write_json_string(file, reading->name);
  for (size_t i = 0; i < COUNT_OF(members); i++) {
    fputc(',', file);
    write_json_member(file, &reading->stats, &members[i].field);
  }
  for (size_t i = 0; i < COUNT_OF(durations); i++)
    write_json_times(file, &reading->stats, &durations[i].field);
  fputc('}', file);
}

static void write_json(FILE *file, const struct report *report)
{
  if (report->all)
    fputs("{\"pools\":[", file);
  for (size_t i = 0; i < report->count; i++) {
    if (i > 0)
      fputc(',', file);
    write_json_pool(file, &report->readings[i]);
  }
  if (report->all)
    fputs("]}", file);
  fputc('\n', file);
}

/* ---- Prometheus ---- */

static void write_seconds(FILE *file, int64_t ns)
{
  fprintf(file, "%" PRId64 ".%09" PRId64, ns / 1000000000, ns % 1000000000);
}

static void write_head(FILE *file, const char *metric, const char *type, const char *help)
{
  fprintf(file, "# HELP %s %s.\n# TYPE %s %s\n", metric, help, metric, type);
}

/* The beginning of a sample; who calls it may add a label, and closes the brace. */
static void write_metric(FILE *file, const char *metric, const char *suffix, const struct reading *reading)
{
  fprintf(file, "%s%s{pool=\"", metric, suffix);
  for (const char *at = reading->name; *at; at++) {
    if (*at == '"' || *at == '\\' || *at == '\n')
      fputc('\\', file);
    fputc(*at == '\n' ? 'n' : *at, file);
  }
  fputc('"', file);
  if (reading->number > 1)
    fprintf(file, ",number=\"%d\"", reading->number);
}

static bool same_metric(size_t i, size_t j)
{
  return j < COUNT_OF(members) && strcmp(members[i].metric, members[j].metric) == 0;
}

static void write_sample(FILE *file, const struct reading *reading, size_t i, int64_t value)
{
  const struct member *member = &members[i];
  write_metric(file, member->metric, "", reading);
  if (member->reason)
    fprintf(file, ",reason=\"%s\"", member->reason);
  fputs("} ", file);
  if (is_duration(&member->field))
    write_seconds(file, value);
  else
    fprintf(file, "%" PRId64, value);
  fputc('\n', file);
}

/* The samples of a pool for the metric of a member, which is the first with that metric. */
static void write_samples(FILE *file, const struct reading *reading, size_t first)
{
  int64_t left = value_of(&reading->stats, &members[first].field);
  for (size_t i = first + 1; same_metric(first, i); i++) {
    int64_t value = value_of(&reading->stats, &members[i].field);
    write_sample(file, reading, i, value);
    left -= value;
  }
  write_sample(file, reading, first, left);
}

static void write_bucket(FILE *file, const struct reading *reading, const char *metric, int64_t ns, int64_t count)
{
  write_metric(file, metric, "_bucket", reading);
  fputs(",le=\"", file);
  write_seconds(file, ns);
  fprintf(file, "\"} %" PRId64 "\n", count);
}

static void write_histogram(FILE *file, const struct reading *reading, size_t i)
{
  const char *metric = durations[i].metric;
  const pool_times_t *spent = (const void *)((const char *)&reading->stats + durations[i].field.offset);
  for (size_t j = 0; j < BOUNDS; j++)
    write_bucket(file, reading, metric, bound_ns(j), reading->at_most[i][j]);
  write_metric(file, metric, "_bucket", reading);
  fprintf(file, ",le=\"+Inf\"} %" PRId64 "\n", spent->count);
  write_metric(file, metric, "_sum", reading);
  fputs("} ", file);
  write_seconds(file, spent->sum_ns);
  fputc('\n', file);
  write_metric(file, metric, "_count", reading);
  fprintf(file, "} %" PRId64 "\n", spent->count);
}

static void write_prometheus(FILE *file, const struct report *report)
{
  for (size_t i = 0; i < COUNT_OF(members); i++) {
    if (i > 0 && same_metric(i - 1, i))
      continue;
    write_head(file, members[i].metric, ends_in(members[i].metric, "_total") ? "counter" : "gauge", members[i].help);
    for (size_t j = 0; j < report->count; j++)
      write_samples(file, &report->readings[j], i);
  }
  for (size_t i = 0; i < COUNT_OF(durations); i++) {
    write_head(file, durations[i].metric, "histogram", durations[i].help);
    for (size_t j = 0; j < report->count; j++)
      write_histogram(file, &report->readings[j], i);
  }
}

/* ---- text for people ---- */

/* The name of a field, without the unit: that stands with the value. */
static void write_title(FILE *file, int width, const struct field *field)
{
  int length = (int)strlen(field->name) - (is_duration(field) ? 3 : 0);
  fprintf(file, "%*.*s", width, length, field->name);
}

static void write_value(FILE *file, int width, const void *object, const struct field *field)
{
  int64_t value = value_of(object, field);
  if (!is_duration(field)) {
    fprintf(file, "%*" PRId64, width, value);
    return;
  }
  int64_t unit = value >= 1000000000 ? 1000000000 : value >= 1000000 ? 1000000 : 1000;
  const char *name = unit == 1000000000 ? "s" : unit == 1000000 ? "ms" : "us";
  fprintf(file, "%*" PRId64 ".%03" PRId64 " %-2s", width - 7, value / unit, value % unit * 1000 / unit, name);
}

static void write_text_times(FILE *file, const pool_stats_t *stats, const struct field *field)
{
  write_title(file, -17, field);
  for (size_t i = 0; i < COUNT_OF(times); i++)
    write_value(file, 14, (const char *)stats + field->offset, &times[i]);
  fputc('\n', file);
}

static void write_text_pool(FILE *file, const struct reading *reading)
{
  fputs("pool ", file);
  write_json_string(file, reading->name);
  fputc('\n', file);
  for (size_t i = 0; i < COUNT_OF(members); i++) {
    write_title(file, -17, &members[i].field);
    write_value(file, 14, &reading->stats, &members[i].field);
    fprintf(file, "  %s\n", members[i].help);
  }
  fprintf(file, "%17s", "");
  for (size_t i = 0; i < COUNT_OF(times); i++)
    write_title(file, 14, &times[i]);
  fputc('\n', file);
  for (size_t i = 0; i < COUNT_OF(durations); i++)
    write_text_times(file, &reading->stats, &durations[i].field);
}

static void write_text(FILE *file, const struct report *report)
{
  for (size_t i = 0; i < report->count; i++) {
    if (i > 0)
      fputc('\n', file);
    write_text_pool(file, &report->readings[i]);
  }
}

/* ---- the public face ---- */

typedef void write_fn(FILE *file, const struct report *report);

static write_fn *const formats[] = {
    [POOL_FORMAT_TEXT] = write_text, [POOL_FORMAT_JSON] = write_json, [POOL_FORMAT_PROMETHEUS] = write_prometheus};

/* Writes into memory that grows.  False without memory. */
static bool write_report(write_fn *write, const struct report *report, pool_bytes_t *text)
{
  char *data = NULL;
  size_t size = 0;
  FILE *file = open_memstream(&data, &size);
  if (!file)
    return false;
  write(file, report);
  bool failed = ferror(file);
  failed |= fclose(file) != 0;
  if (failed)
    free(data);
  else
    *text = (pool_bytes_t){.data = data, .size = size};
  return !failed;
}

int pool_report(pool_t *pool, int32_t format, pool_bytes_t *text)
{
  if (!text)
    return error_set(NULL, POOL_E_INVALID, 0, "text is NULL");
  if (format < 0 || format >= (int32_t)COUNT_OF(formats))
    return error_set(NULL, POOL_E_INVALID, 0, "format is %d; it must be a POOL_FORMAT_*", format);
  struct report report;
  if (!take_readings(pool, &report))
    return error_code(POOL_E_NOMEM);
  bool written = write_report(formats[format], &report, text);
  free(report.readings);
  return written ? 0 : error_code(POOL_E_NOMEM);
}
