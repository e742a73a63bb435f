/* SPDX-License-Identifier: MIT */
/* How long things took, in parts that are a sixteenth of a power of two wide.  One thread adds, others may read. */
#ifndef SPREAD_H
#define SPREAD_H

#include <stdatomic.h>
#include <stdint.h>

#define SPREAD_PARTS (60 * 16)

struct spread {
  _Atomic int64_t counts[SPREAD_PARTS];
  _Atomic int64_t most_ns;
};

void spread_add(struct spread *spread, int64_t ns);
void spread_merge(struct spread *spread, const struct spread *other);
int64_t spread_count(const struct spread *spread);

/* What so many of a thousand are not longer than, off by a 32nd at most; 0 of nothing. */
int64_t spread_quantile(const struct spread *spread, double permille);

/* How many took at least `from` and less than `to`, both powers of two. */
int64_t spread_between(const struct spread *spread, int64_t from_ns, int64_t to_ns);

#endif
