/* SPDX-License-Identifier: MIT */
/* The members of pool_stats_t as tables, made of the rows of counts.def: for the files that write all of them. */
#ifndef METRIC_H
#define METRIC_H

#include <stdbool.h>
#include <stddef.h>

#include <pool/pool.h>

/* How many rows there are. */
enum {
  METRIC_COUNTS = 0
#define COUNT(...) +1
#include "decide/counts.def"
  ,
  METRIC_TIMES = 0
#define TIME(...) +1
#include "decide/counts.def"
  ,
  METRIC_PARTS = 7
};

enum metric_unit { METRIC_ONE, METRIC_NS };

/* A number in a struct. */
struct metric_field {
  const char *name;
  size_t offset;
  enum metric_unit unit;
};

struct metric_count {
  struct metric_field field; /* of pool_stats_t */
  bool counter;              /* it only grows */
  const char *metric;        /* Prometheus's name of it */
  const char *reason;        /* the label that tells apart the counts of one metric, or NULL */
  const char *sentence;
};

struct metric_time {
  struct metric_field field; /* of pool_stats_t: a pool_times_t */
  const char *metric;
  const char *sentence;
};

extern const struct metric_count metric_counts[METRIC_COUNTS];
extern const struct metric_time metric_times[METRIC_TIMES];
extern const struct metric_field metric_parts[METRIC_PARTS]; /* of a pool_times_t */

static inline int64_t metric_value(const void *object, const struct metric_field *field)
{
  return *(const int64_t *)((const char *)object + field->offset);
}

static inline const pool_times_t *metric_times_of(const pool_stats_t *stats, size_t i)
{
  return (const pool_times_t *)((const char *)stats + metric_times[i].field.offset);
}

#endif
