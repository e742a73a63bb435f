/* SPDX-License-Identifier: MIT */
/*
 * Prometheus's text exposition format.  Durations are in seconds.
 *
 * Prometheus tells pools apart by name.  Those of one name get a number as well, from the second on; it may change when
 * one of them ends, so a program with several pools should name them.
 */
#include <inttypes.h>
#include <string.h>

#include "api/report.h"

static void write_seconds(FILE *file, int64_t ns)
{
  fprintf(file, "%" PRId64 ".%09" PRId64, ns / 1000000000, ns % 1000000000);
}

static void write_head(FILE *file, const char *metric, const char *type, const char *help)
{
  fprintf(file, "# HELP %s %s.\n# TYPE %s %s\n", metric, help, metric, type);
}

/* The beginning of a sample; the caller may add a label, and closes the brace. */
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
  return j < METRIC_COUNTS && strcmp(metric_counts[i].metric, metric_counts[j].metric) == 0;
}

static void write_sample(FILE *file, const struct reading *reading, size_t i, int64_t value)
{
  const struct metric_count *count = &metric_counts[i];
  write_metric(file, count->metric, "", reading);
  if (count->reason)
    fprintf(file, ",reason=\"%s\"", count->reason);
  fputs("} ", file);
  if (count->field.unit == METRIC_NS)
    write_seconds(file, value);
  else
    fprintf(file, "%" PRId64, value);
  fputc('\n', file);
}

/* The samples of a pool for the metric of a count, which is the first with that metric. */
static void write_samples(FILE *file, const struct reading *reading, size_t first)
{
  int64_t left = metric_value(&reading->stats, &metric_counts[first].field);
  for (size_t i = first + 1; same_metric(first, i); i++) {
    int64_t value = metric_value(&reading->stats, &metric_counts[i].field);
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
  const char *metric = metric_times[i].metric;
  const pool_times_t *spent = metric_times_of(&reading->stats, i);
  for (size_t j = 0; j < REPORT_BOUNDS; j++)
    write_bucket(file, reading, metric, report_bound_ns(j), reading->at_most[i][j]);
  write_metric(file, metric, "_bucket", reading);
  fprintf(file, ",le=\"+Inf\"} %" PRId64 "\n", spent->count);
  write_metric(file, metric, "_sum", reading);
  fputs("} ", file);
  write_seconds(file, spent->sum_ns);
  fputc('\n', file);
  write_metric(file, metric, "_count", reading);
  fprintf(file, "} %" PRId64 "\n", spent->count);
}

void report_prometheus_write(FILE *file, const struct report *report)
{
  for (size_t i = 0; i < METRIC_COUNTS; i++) {
    if (i > 0 && same_metric(i - 1, i))
      continue;
    const struct metric_count *count = &metric_counts[i];
    write_head(file, count->metric, count->counter ? "counter" : "gauge", count->sentence);
    for (size_t j = 0; j < report->count; j++)
      write_samples(file, &report->readings[j], i);
  }
  for (size_t i = 0; i < METRIC_TIMES; i++) {
    write_head(file, metric_times[i].metric, "histogram", metric_times[i].sentence);
    for (size_t j = 0; j < report->count; j++)
      write_histogram(file, &report->readings[j], i);
  }
}
