/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include "rounds.h"

static json_t *figures;

void report_begin(void)
{
  figures = json_array();
  printf("%-56s %12s  %-26s %10s  %s\n", "name", "value", "unit", "bound", "met");
}

static bool is_met(double value, struct bound bound)
{
  return bound.kind == AT_MOST ? value <= bound.limit : value >= bound.limit;
}

/* Three places for a ratio, none for a count. */
static void show(char *text, size_t size, double value)
{
  snprintf(text, size, "%.*f", value >= 1000 || value == (double)(long long)value ? 0 : value >= 10 ? 1 : 3, value);
}

/* Takes the value. */
static json_t *known_or_null(json_t *value, bool known)
{
  if (known)
    return value;
  json_decref(value);
  return json_null();
}

void report(const char *name, double value, const char *unit, struct bound bound)
{
  char shown[32], limit[48] = "";
  bool bounded = bound.kind != NO_BOUND, met = is_met(value, bound);
  show(shown, sizeof shown, value);
  if (bounded)
    snprintf(limit, sizeof limit, "%s %.6g", bound.kind == AT_MOST ? "<=" : ">=", bound.limit);
  printf("%-56s %12s  %-26s %10s  %s\n", name, shown, unit, limit, !bounded ? "" : met ? "yes" : "no");
  fflush(stdout);
  json_array_append_new(figures, json_pack("{s:s, s:f, s:s, s:o, s:o}", "name", name, "value", value, "unit", unit,
                                           "bound", known_or_null(json_string(limit), bounded), "met",
                                           known_or_null(json_boolean(met), bounded)));
}

void report_rounds(const char *contest, const char *contender, const double *ns, int count)
{
  char name[160];
  double sorted[count];
  json_t *rounds = json_array();
  for (int i = 0; i < count; i++)
    json_array_append_new(rounds, json_real(sorted[i] = ns[i]));
  snprintf(name, sizeof name, "%s: %s", contest, contender);
  report_only(name, median(sorted, (size_t)count), "ns");
  json_t *last = json_array_get(figures, json_array_size(figures) - 1);
  json_object_set_new(last, "case", json_string(contest));
  json_object_set_new(last, "contender", json_string(contender));
  json_object_set_new(last, "rounds", rounds);
}

int report_write(const char *file)
{
  int result = json_dump_file(figures, file, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
  json_decref(figures);
  figures = NULL;
  return result;
}
