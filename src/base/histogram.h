/* SPDX-License-Identifier: MIT */
/*
 * How long things took: a log-linear histogram of nanoseconds.
 *
 * Each power of two is cut into 32 equal parts, so the middle of a part is off by less than 1/64 of any value in it;
 * below 64 ns each value has a part of its own.  Parts come in chunks of 16 from one array of the process, which is
 * zeroed memory that takes no pages before it is used: a sample never allocates.  A pool's durations lie close
 * together, so a histogram needs few chunks.  When all chunks are taken, a sample that needs a new one still counts in
 * count, sum_ns and max_ns, but it is in no part: quantiles and histogram_at_most() are then those of the other
 * samples.
 *
 * A histogram of zeroes is empty.  It belongs to the holder of the lock of its pool.  The chunks have a lock of their
 * own, taken with a pool's lock held, never the other way round, and only when chunks change hands.  Idea:
 * HdrHistogram.
 */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

#include <pool/pool.h>

#define HISTOGRAM_SHARES 4 /* of a summary */

struct histogram {
  int64_t count;
  int64_t placed; /* of them, those that are in a part */
  int64_t sum_ns; /* stays at INT64_MAX once it got there */
  int64_t max_ns;
  uint32_t first;                     /* of the list of chunks, in the order of their values; 0: none */
  int64_t found_at;                   /* the count of samples when a summary was made last */
  int64_t found_ns[HISTOGRAM_SHARES]; /* its quantiles, which hold until there is another sample */
};

/* Adds a sample; a negative one counts as 0. */
void histogram_add(struct histogram *histogram, int64_t ns);

/* How many samples were at most `ns`.  Exact where a part ends: at 2^n - 1, and at every value below 64; elsewhere
   the samples of the part that `ns` cuts in two are not counted. */
int64_t histogram_at_most(const struct histogram *histogram, int64_t ns);

/* The duration that a share of the samples, 0 to 1, did not exceed: the middle of its part, but never more than max_ns;
   0 if there are no samples.  For tests, which ask for any share; histogram_summary() finds its own by the same walk.
 */
int64_t histogram_quantile(const struct histogram *histogram, double share);

void histogram_summary(struct histogram *histogram, pool_times_t *times);

/* Makes it empty and gives the chunks back. */
void histogram_clear(struct histogram *histogram);

void histogram_table_lock(void);
void histogram_table_unlock(void);

#endif
