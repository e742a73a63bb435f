/* SPDX-License-Identifier: MIT */
/*
 * Prometheus's text exposition format.  Durations are in seconds.
 *
 * Prometheus tells pools apart by name.  Those of one name get a number as well, from the second on; it may change when
 * one of them ends, so a program with several pools should name them.
 */
#include <inttypes.h>
#include <string.h>

#include "api/report_prometheus.h"

static void write_seconds(FILE *file, int64_t ns)
{
  fprintf(file, "%" PRId64 ".%09" PRId64, ns / 1000000000, ns % 1000000000);
}

void report_prometheus_head(FILE *file, const char *metric, const char *type, const char *help)
{
  fprintf(file, "# HELP %s %s.\n# TYPE %s %s\n", metric, help, metric, type);
}

void report_prometheus_metric(FILE *file, const char *metric, const char *suffix, const char *label,
                              const struct reading *reading)
{
  fprintf(file, "%s%s{%s=\"", metric, suffix, label);
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
  report_prometheus_metric(file, count->metric, "", "pool", reading);
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

void report_prometheus_histogram(FILE *file, const char *metric, const char *label, const struct reading *reading,
                                 size_t time, int64_t more)
{
  const pool_times_t *spent = metric_times_of(&reading->stats, time);
  for (size_t i = 0; i < REPORT_BOUNDS; i++) {
    report_prometheus_metric(file, metric, "_bucket", label, reading);
    fputs(",le=\"", file);
    write_seconds(file, report_bound_ns(i));
    fprintf(file, "\"} %" PRId64 "\n", reading->at_most[time][i] + more);
  }
  report_prometheus_metric(file, metric, "_bucket", label, reading);
  fprintf(file, ",le=\"+Inf\"} %" PRId64 "\n", spent->count + more);
  report_prometheus_metric(file, metric, "_sum", label, reading);
  fputs("} ", file);
  write_seconds(file, spent->sum_ns);
  fputc('\n', file);
  report_prometheus_metric(file, metric, "_count", label, reading);
  fprintf(file, "} %" PRId64 "\n", spent->count + more);
}

void report_prometheus_write(FILE *file, const struct report *report)
{
  for (size_t i = 0; i < METRIC_COUNTS; i++) {
    if (i > 0 && same_metric(i - 1, i))
      continue;
    const struct metric_count *count = &metric_counts[i];
    report_prometheus_head(file, count->metric, count->counter ? "counter" : "gauge", count->sentence);
    for (size_t j = 0; j < report->count; j++)
      write_samples(file, &report->readings[j], i);
  }
  for (size_t i = 0; i < METRIC_TIMES; i++) {
    report_prometheus_head(file, metric_times[i].metric, "histogram", metric_times[i].sentence);
    for (size_t j = 0; j < report->count; j++)
      report_prometheus_histogram(file, metric_times[i].metric, "pool", &report->readings[j], i, 0);
  }
}
