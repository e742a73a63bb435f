/* SPDX-License-Identifier: MIT */
#include "api/metric.h"

/* A member without a row, and a row without a member, end here. */
_Static_assert(sizeof(pool_stats_t) ==
                   offsetof(pool_stats_t, open) + METRIC_COUNTS * sizeof(int64_t) + METRIC_TIMES * sizeof(pool_times_t),
               "src/decide/counts.def has a row for each member of pool_stats_t");
_Static_assert(sizeof(pool_times_t) == METRIC_PARTS * sizeof(int64_t), "so has metric_parts of pool_times_t");

#define GAUGE   false
#define COUNTER true

/* clang-format off */
#define FIELD(type, name, unit) { #name, offsetof(type, name), METRIC_##unit }

const struct metric_count metric_counts[METRIC_COUNTS] = {
#define COUNT(name, kind, unit, metric, reason, sentence) \
  { FIELD(pool_stats_t, name, unit), kind, "libpool_" metric, reason, sentence },
#include "decide/counts.def"
};

const struct metric_time metric_times[METRIC_TIMES] = {
#define TIME(name, sentence) { FIELD(pool_stats_t, name, NS), "libpool_" #name "_seconds", sentence },
#include "decide/counts.def"
};

const struct metric_field metric_parts[METRIC_PARTS] = {
  FIELD(pool_times_t, count, ONE), FIELD(pool_times_t, sum_ns, NS), FIELD(pool_times_t, p50_ns, NS),
  FIELD(pool_times_t, p90_ns, NS), FIELD(pool_times_t, p99_ns, NS), FIELD(pool_times_t, p999_ns, NS),
  FIELD(pool_times_t, max_ns, NS),
};
/* clang-format on */
