/* SPDX-License-Identifier: MIT */
/* The parts of Prometheus's text format, for metrics of our own names and of others'. */
#ifndef REPORT_PROMETHEUS_H
#define REPORT_PROMETHEUS_H

#include <stdint.h>
#include <stdio.h>

#include "api/report.h"

/* What it is, before the first sample of a metric. */
void report_prometheus_head(FILE *file, const char *metric, const char *type, const char *help);

/* The beginning of a sample: the pool's name under this label.  The caller may add a label, and closes the brace. */
void report_prometheus_metric(FILE *file, const char *metric, const char *suffix, const char *label,
                              const struct reading *reading);

/* The samples of a pool for a metric made of a histogram; `more` are counted as 0 beside those that it has. */
void report_prometheus_histogram(FILE *file, const char *metric, const char *label, const struct reading *reading,
                                 size_t time, int64_t more);

#endif
