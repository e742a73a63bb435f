/* SPDX-License-Identifier: MIT */
/* A table for people: a line for each count, and one for each kind of time. */
#include <inttypes.h>
#include <string.h>

#include "api/report.h"

/* The name of a field, without the unit: that stands with the value. */
static void write_title(FILE *file, int width, const struct metric_field *field)
{
  int length = (int)strlen(field->name) - (field->unit == METRIC_NS ? 3 : 0);
  fprintf(file, "%*.*s", width, length, field->name);
}

static void write_value(FILE *file, int width, const void *object, const struct metric_field *field)
{
  int64_t value = metric_value(object, field);
  if (field->unit == METRIC_ONE) {
    fprintf(file, "%*" PRId64, width, value);
    return;
  }
  int64_t unit = value >= 1000000000 ? 1000000000 : value >= 1000000 ? 1000000 : 1000;
  const char *name = unit == 1000000000 ? "s" : unit == 1000000 ? "ms" : "us";
  fprintf(file, "%*" PRId64 ".%03" PRId64 " %-2s", width - 7, value / unit, value % unit * 1000 / unit, name);
}

static void write_times(FILE *file, const pool_stats_t *stats, size_t time)
{
  fprintf(file, "%-17s", metric_times[time].field.name);
  for (size_t i = 0; i < METRIC_PARTS; i++)
    write_value(file, 14, metric_times_of(stats, time), &metric_parts[i]);
  fputc('\n', file);
}

static void write_pool(FILE *file, const struct reading *reading)
{
  fputs("pool ", file);
  report_json_string(file, reading->name);
  fputc('\n', file);
  for (size_t i = 0; i < METRIC_COUNTS; i++) {
    write_title(file, -17, &metric_counts[i].field);
    write_value(file, 14, &reading->stats, &metric_counts[i].field);
    fprintf(file, "  %s\n", metric_counts[i].sentence);
  }
  fprintf(file, "%17s", "");
  for (size_t i = 0; i < METRIC_PARTS; i++)
    write_title(file, 14, &metric_parts[i]);
  fputc('\n', file);
  for (size_t i = 0; i < METRIC_TIMES; i++)
    write_times(file, &reading->stats, i);
}

void report_text_write(FILE *file, const struct report *report)
{
  for (size_t i = 0; i < report->count; i++) {
    if (i > 0)
      fputc('\n', file);
    write_pool(file, &report->readings[i]);
  }
}
