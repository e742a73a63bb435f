/* SPDX-License-Identifier: MIT */
/*
 * What pool_stats() knows, as text.
 *
 * Shared: the pools and their registry.  The numbers of a pool are read at one moment, under its lock, into memory that
 * was taken before; the text is made of them afterwards, when no lock is held.
 *
 * metric.h says what there is to tell; a format says only how to write it.  No number is written by %f, for that obeys
 * the program's locale, and a decimal comma is neither JSON nor Prometheus's.
 */
#include "api/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "decide/count.h"
#include "decide/life.h"
#include "decide/pool.h"

/* ---- reading it ---- */

static void read_bounds(const struct histogram *histogram, int64_t *at_most)
{
  for (size_t i = 0; i < REPORT_BOUNDS; i++)
    at_most[i] = histogram_at_most(histogram, report_bound_ns(i));
}

static void read_locked(struct pool *pool, struct reading *reading)
{
  assert_locked(pool);
  struct seen seen;
  reading->pool = pool;
  reading->number = 1;
  memcpy(reading->name, pool->name, sizeof reading->name);
  count_all(pool, &seen, &reading->stats);
  size_t i = 0;
#define TIME(name, ...) read_bounds(&pool->name, reading->at_most[i++]);
#include "decide/counts.def"
}

/* Reading changes nothing, so there is nothing that life_unlock() would have to look at; it must not be called with
   the registry's lock held. */
void report_read(struct pool *pool, struct reading *reading)
{
  pthread_mutex_lock(&pool->lock);
  read_locked(pool, reading);
  pthread_mutex_unlock(&pool->lock);
}

static size_t read_one(struct pool *pool, struct reading *reading)
{
  report_read(pool, reading);
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
    bool used = pool->references > 0 || pool->room.open > 0;
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

/* ---- the public face ---- */

typedef void write_fn(FILE *file, const struct report *report);

static void write_prometheus(FILE *file, const struct report *report)
{
  report_prometheus_write(file, report);
  report_otel_write(file, report);
}

static write_fn *const formats[] = {[POOL_FORMAT_TEXT] = report_text_write,
                                    [POOL_FORMAT_JSON] = report_json_write,
                                    [POOL_FORMAT_PROMETHEUS] = write_prometheus};

bool report_in_memory(void (*write)(FILE *file, const void *what), const void *what, pool_bytes_t *text)
{
  char *data = NULL;
  size_t size = 0;
  FILE *file = open_memstream(&data, &size);
  if (!file)
    return false;
  write(file, what);
  bool failed = ferror(file);
  failed |= fclose(file) != 0;
  if (failed)
    free(data);
  else
    *text = (pool_bytes_t){.data = data, .size = size};
  return !failed;
}

struct document {
  write_fn *write;
  struct report report;
};

static void write_document(FILE *file, const void *what)
{
  const struct document *document = what;
  document->write(file, &document->report);
}

static int no_memory(const struct pool *pool)
{
  return pool ? error_code_in(pool->name, POOL_E_NOMEM) : error_code(POOL_E_NOMEM);
}

int pool_report(pool_t *pool, int32_t format, pool_bytes_t *text)
{
  if (!text)
    return error_in(pool ? pool->name : NULL, NULL, POOL_E_INVALID, 0, "text is NULL");
  if (format < 0 || format >= (int32_t)(sizeof formats / sizeof *formats))
    return error_in(pool ? pool->name : NULL, NULL, POOL_E_INVALID, 0, "format is %d; it must be a POOL_FORMAT_*",
                    format);
  struct document document = {.write = formats[format]};
  if (!take_readings(pool, &document.report))
    return no_memory(pool);
  bool written = report_in_memory(write_document, &document, text);
  free(document.report.readings);
  return written ? 0 : no_memory(pool);
}
