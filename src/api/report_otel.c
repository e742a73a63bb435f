/* SPDX-License-Identifier: MIT */
/*
 * What Prometheus's format says once more by the names of OpenTelemetry's conventions: db.client.connection.*, as
 * Prometheus spells them.  Boards and alerts that were made for other pools show this one.
 *
 * The time to get a connection is that of every get: one that did not wait in the queue counts as 0, for no get or put
 * reads a clock for this.
 */
#include "api/report_prometheus.h"

#include <inttypes.h>
#include <string.h>

#define NAME  "db_client_connection_"
#define LABEL NAME "pool_name"

/* OTHER: connections that are in none of the states before it. */
enum how { AS_IT_IS, ZERO_IS_NONE, OTHER };

struct value {
  const char *metric, *type, *state, *help;
  size_t offset; /* of pool_stats_t */
  enum how how;
};

struct duration {
  const char *metric, *help;
  const char *time; /* of pool_stats_t */
  bool of_every_get;
};

/* clang-format off */
#define AT(member) offsetof(pool_stats_t, member)

static const struct value values[] = {
  { NAME "count", "gauge", "idle", "Connections by state", AT(idle), AS_IT_IS },
  { NAME "count", "gauge", "used", "Connections by state", AT(leased), AS_IT_IS },
  { NAME "count", "gauge", "opening", "Connections by state", AT(opening), AS_IT_IS },
  { NAME "count", "gauge", "other", "Connections by state", AT(open), OTHER },
  { NAME "max", "gauge", NULL, "The hard cap on connections, where there is one", AT(max_open), ZERO_IS_NONE },
  { NAME "idle_max", "gauge", NULL, "How many connections may be idle", AT(max_idle), AS_IT_IS },
  { NAME "idle_min", "gauge", NULL, "How many connections are kept idle", AT(min_idle), AS_IT_IS },
  { NAME "pending_requests", "gauge", NULL, "Gets that wait for a connection", AT(waiting), AS_IT_IS },
  { NAME "timeouts_total", "counter", NULL, "Gets that ended at their deadline", AT(timed_out), AS_IT_IS },
};

static const struct duration durations[] = {
  { NAME "create_time_seconds", "Time to open a connection", "open_time", false },
  { NAME "wait_time_seconds", "Time to get a connection, of every get; without a wait in the queue 0", "wait", true },
  { NAME "use_time_seconds", "Time between get and put, of one lease in 1024 of each slot, its first among them", "use", false },
};
/* clang-format on */

static void write_value(FILE *file, const struct value *value, const struct reading *reading)
{
  const pool_stats_t *stats = &reading->stats;
  int64_t number = *(const int64_t *)((const char *)stats + value->offset);
  if (number == 0 && value->how == ZERO_IS_NONE)
    return;
  if (value->how == OTHER)
    number -= stats->idle + stats->leased + stats->opening;
  report_prometheus_metric(file, value->metric, "", LABEL, reading);
  if (value->state)
    fprintf(file, "," NAME "state=\"%s\"", value->state);
  fprintf(file, "} %" PRId64 "\n", number);
}

static size_t time_of(const char *name)
{
  size_t i = 0;
  while (strcmp(metric_times[i].field.name, name) != 0)
    i++;
  return i;
}

void report_otel_write(FILE *file, const struct report *report)
{
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    if (i == 0 || strcmp(values[i - 1].metric, values[i].metric) != 0)
      report_prometheus_head(file, values[i].metric, values[i].type, values[i].help);
    for (size_t j = 0; j < report->count; j++)
      write_value(file, &values[i], &report->readings[j]);
  }
  for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
    const struct duration *duration = &durations[i];
    report_prometheus_head(file, duration->metric, "histogram", duration->help);
    for (size_t j = 0; j < report->count; j++) {
      const struct reading *reading = &report->readings[j];
      report_prometheus_histogram(file, duration->metric, LABEL, reading, time_of(duration->time),
                                  duration->of_every_get ? reading->stats.at_once : 0);
    }
  }
}
