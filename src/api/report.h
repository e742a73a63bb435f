/* SPDX-License-Identifier: MIT */
/* What was read of the pools, and the formats that it is written in: a file for each, with the tables of metric.h. */
#ifndef REPORT_H
#define REPORT_H

#include <stdio.h>

#include "api/metric.h"
#include "decide/pool.h"

/* Cumulative histograms have a bound at each 2^n - 1 ns from about 1 us to about 137 s: there a part of our histograms
   ends, so what they say is exact. */
#define REPORT_BOUND_FIRST 10
#define REPORT_BOUNDS      28

static inline int64_t report_bound_ns(size_t i)
{
  return ((int64_t)1 << (REPORT_BOUND_FIRST + i)) - 1;
}

/* A pool at one moment. */
struct reading {
  const struct pool *pool; /* where it was; it may be gone, so this is compared and never followed */
  char name[sizeof(((struct pool *)NULL)->name)];
  int number; /* among pools of one name, from 1 */
  pool_stats_t stats;
  int64_t at_most[METRIC_TIMES][REPORT_BOUNDS];
};

struct report {
  struct reading *readings;
  size_t count;
  bool all; /* one document of all pools, not a pool's */
};

/* Reads one pool; neither its lock nor the registry's is held. */
void report_read(struct pool *pool, struct reading *reading);

/* Has a text written into memory that grows; the caller frees it.  False without memory. */
bool report_in_memory(void (*write)(FILE *file, const void *what), const void *what, pool_bytes_t *text);

void report_text_write(FILE *file, const struct report *report);
void report_json_write(FILE *file, const struct report *report);
void report_prometheus_write(FILE *file, const struct report *report);
void report_otel_write(FILE *file, const struct report *report); /* the second part of that */

/* The members of the object of a pool, without its braces. */
void report_json_members(FILE *file, const struct reading *reading);

/* A string of JSON; the text's names of pools are written so too. */
void report_json_string(FILE *file, const char *text);

#endif
