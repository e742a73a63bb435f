/* SPDX-License-Identifier: MIT */
#include "base/histogram.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Of a power of two. */
#define PARTS_BITS 5
#define PARTS      (1u << PARTS_BITS)

#define CHUNK_PARTS 16u

/* Chunks are allocated a shelf at a time. */
#define SHELF_BITS   8
#define SHELF_CHUNKS (1u << SHELF_BITS)
#define SHELF_LIMIT  (1u << 10)
#define CHUNK_LIMIT  (SHELF_LIMIT * SHELF_CHUNKS)

struct chunk {
  int64_t counts[CHUNK_PARTS]; /* zeroes while nobody has the chunk */
  uint32_t number;             /* its first part is number * CHUNK_PARTS */
  uint32_t next;               /* of its histogram, or of the free chunks; 0: none */
};

/* A shelf is there before anybody has the number of one of its chunks. */
static struct chunk *shelves[SHELF_LIMIT];

/* Guards the list of free chunks and the number of chunks made. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t free_chunks;
static uint32_t chunks_made = 1; /* chunk 0 is never given */

/* ---- parts ---- */

/* Values below PARTS are parts themselves; from there on each power of two has the next PARTS numbers. */
static uint32_t part_of(uint64_t ns)
{
  if (ns < PARTS)
    return (uint32_t)ns;
  uint32_t shift = 63 - PARTS_BITS - (uint32_t)__builtin_clzll(ns);
  return shift * PARTS + (uint32_t)(ns >> shift);
}

static int64_t middle_of(uint32_t part)
{
  if (part < PARTS)
    return part;
  uint32_t shift = part / PARTS - 1;
  int64_t begin = (int64_t)(PARTS + part % PARTS) << shift;
  int64_t width = (int64_t)1 << shift;
  return begin + (width - 1) / 2;
}

/* ---- chunks ---- */

static struct chunk *chunk_at(uint32_t chunk)
{
  return &shelves[chunk >> SHELF_BITS][chunk & (SHELF_CHUNKS - 1)];
}

static uint32_t chunk_make(void)
{
  if (chunks_made == CHUNK_LIMIT)
    return 0;
  struct chunk **shelf = &shelves[chunks_made >> SHELF_BITS];
  if (!*shelf && !(*shelf = calloc(SHELF_CHUNKS, sizeof **shelf)))
    return 0;
  return chunks_made++;
}

static uint32_t chunk_take(void)
{
  pthread_mutex_lock(&lock);
  uint32_t taken = free_chunks;
  if (taken)
    free_chunks = chunk_at(taken)->next;
  else
    taken = chunk_make();
  pthread_mutex_unlock(&lock);
  return taken;
}

/* Where a part is counted; NULL if that needs a chunk and there is none. */
static int64_t *counter_of(struct histogram *histogram, uint32_t part)
{
  uint32_t number = part / CHUNK_PARTS;
  uint32_t *link = &histogram->first;
  while (*link && chunk_at(*link)->number < number)
    link = &chunk_at(*link)->next;
  if (!*link || chunk_at(*link)->number != number) {
    uint32_t taken = chunk_take();
    if (!taken)
      return NULL;
    chunk_at(taken)->number = number;
    chunk_at(taken)->next = *link;
    *link = taken;
  }
  return &chunk_at(*link)->counts[part % CHUNK_PARTS];
}

/* ---- histograms ---- */

void histogram_add(struct histogram *histogram, int64_t ns)
{
  if (ns < 0)
    ns = 0;
  histogram->count++;
  if (__builtin_add_overflow(histogram->sum_ns, ns, &histogram->sum_ns))
    histogram->sum_ns = INT64_MAX;
  if (ns > histogram->max_ns)
    histogram->max_ns = ns;
  int64_t *counter = counter_of(histogram, part_of((uint64_t)ns));
  if (!counter)
    return;
  ++*counter;
  histogram->placed++;
}

int64_t histogram_at_most(const struct histogram *histogram, int64_t ns)
{
  int64_t count = 0;
  uint32_t end = ns < 0 ? 0 : part_of((uint64_t)ns + 1); /* the first part that is not all of it at most ns */
  for (uint32_t at = histogram->first; at; at = chunk_at(at)->next)
    for (uint32_t i = 0; i < CHUNK_PARTS && chunk_at(at)->number * CHUNK_PARTS + i < end; i++)
      count += chunk_at(at)->counts[i];
  return count;
}

/* The place of the last of a share of the samples, in the order of all that are in a part, from 1. */
static int64_t place_of(const struct histogram *histogram, double share)
{
  double wanted = share * (double)histogram->placed;
  int64_t place = (int64_t)wanted;
  place += (double)place < wanted || place == 0;
  return place < histogram->placed ? place : histogram->placed;
}

/* Asked for several shares at once, in ascending order: pool_stats() calls with the pool's lock held, so the parts are
   walked once, and only whole numbers are compared on the way. */
static void find_quantiles(const struct histogram *histogram, const double shares[], int64_t found_ns[], int many)
{
  int64_t passed = 0, place = place_of(histogram, shares[0]);
  int found = 0;
  for (uint32_t at = histogram->first; at && found < many; at = chunk_at(at)->next) {
    const struct chunk *chunk = chunk_at(at);
    for (uint32_t i = 0; i < CHUNK_PARTS; i++) {
      passed += chunk->counts[i];
      while (place <= passed && found < many) {
        int64_t middle = middle_of(chunk->number * CHUNK_PARTS + i);
        found_ns[found++] = middle < histogram->max_ns ? middle : histogram->max_ns;
        place = found < many ? place_of(histogram, shares[found]) : INT64_MAX;
      }
    }
  }
  for (; found < many; found++)
    found_ns[found] = 0;
}

int64_t histogram_quantile(const struct histogram *histogram, double share)
{
  int64_t found_ns;
  find_quantiles(histogram, &share, &found_ns, 1);
  return found_ns;
}

void histogram_summary(struct histogram *histogram, pool_times_t *times)
{
  static const double shares[HISTOGRAM_SHARES] = {0.5, 0.9, 0.99, 0.999};
  int64_t *found_ns = histogram->found_ns;
  if (histogram->found_at != histogram->count)
    find_quantiles(histogram, shares, found_ns, HISTOGRAM_SHARES);
  histogram->found_at = histogram->count;
  times->count = histogram->count;
  times->sum_ns = histogram->sum_ns;
  times->p50_ns = found_ns[0];
  times->p90_ns = found_ns[1];
  times->p99_ns = found_ns[2];
  times->p999_ns = found_ns[3];
  times->max_ns = histogram->max_ns;
}

void histogram_clear(struct histogram *histogram)
{
  uint32_t first = histogram->first, last = first;
  for (uint32_t at = first; at; at = chunk_at(at)->next) {
    memset(chunk_at(at)->counts, 0, sizeof chunk_at(at)->counts);
    last = at;
  }
  memset(histogram, 0, sizeof *histogram);
  if (!first)
    return;
  pthread_mutex_lock(&lock);
  chunk_at(last)->next = free_chunks;
  free_chunks = first;
  pthread_mutex_unlock(&lock);
}

void histogram_table_lock(void)
{
  pthread_mutex_lock(&lock);
}

void histogram_table_unlock(void)
{
  pthread_mutex_unlock(&lock);
}
