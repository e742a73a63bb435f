/* SPDX-License-Identifier: MIT */
/* One object for a pool, or one of all pools with a list.  Durations are in nanoseconds. */
#include <inttypes.h>

#include "api/report.h"

void report_json_string(FILE *file, const char *text)
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

static void write_member(FILE *file, const void *object, const struct metric_field *field)
{
  fprintf(file, "\"%s\":%" PRId64, field->name, metric_value(object, field));
}

static void write_times(FILE *file, const pool_stats_t *stats, size_t time)
{
  fprintf(file, ",\"%s\":", metric_times[time].field.name);
  for (size_t i = 0; i < METRIC_PARTS; i++) {
    fputc(i == 0 ? '{' : ',', file);
    write_member(file, metric_times_of(stats, time), &metric_parts[i]);
  }
  fputc('}', file);
}

void report_json_members(FILE *file, const struct reading *reading)
{
  fputs("\"name\":", file);
  report_json_string(file, reading->name);
  for (size_t i = 0; i < METRIC_COUNTS; i++) {
    fputc(',', file);
    write_member(file, &reading->stats, &metric_counts[i].field);
  }
  for (size_t i = 0; i < METRIC_TIMES; i++)
    write_times(file, &reading->stats, i);
}

static void write_pool(FILE *file, const struct reading *reading)
{
  fputc('{', file);
  report_json_members(file, reading);
  fputc('}', file);
}

void report_json_write(FILE *file, const struct report *report)
{
  if (report->all)
    fputs("{\"pools\":[", file);
  for (size_t i = 0; i < report->count; i++) {
    if (i > 0)
      fputc(',', file);
    write_pool(file, &report->readings[i]);
  }
  if (report->all)
    fputs("]}", file);
  fputc('\n', file);
}
