/* SPDX-License-Identifier: MIT */
/* What a histogram says is compared with the samples themselves. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "base/histogram.h"

/* ---- memory: the linker sends what the library allocates through here ---- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *data, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *data, size_t size);

static _Atomic int allocations;

void *__wrap_malloc(size_t size)
{
  atomic_fetch_add(&allocations, 1);
  return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
  atomic_fetch_add(&allocations, 1);
  return __real_calloc(count, size);
}

void *__wrap_realloc(void *data, size_t size)
{
  atomic_fetch_add(&allocations, 1);
  return __real_realloc(data, size);
}

/* ---- samples ---- */

/* A number with a random count of bits, so that each magnitude is as likely as another. */
static int64_t any_duration(uint64_t *random)
{
  uint64_t bits = (uint64_t)random_next(random) << 32 | random_next(random);
  return (int64_t)(bits >> (1 + random_next(random) % 63));
}

static int compare(const void *left, const void *right)
{
  int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
  return (a > b) - (a < b);
}

/* Off by at most 1/64, and not at all below 64. */
static void close_to(int64_t told, int64_t truth)
{
  int64_t off = told > truth ? told - truth : truth - told;
  if (off > truth / 64)
    fail_msg("%lld was told for %lld", (long long)told, (long long)truth);
}

static int64_t sample_at(const int64_t *sorted, int64_t count, double share)
{
  int64_t place = 0;
  while (place < count - 1 && (double)(place + 1) < share * (double)count)
    place++;
  return sorted[place];
}

/* ---- tests ---- */

static void test_histogram__empty(void **state)
{
  (void)state;
  struct histogram histogram = {0};
  assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
  assert_int_equal(histogram_at_most(&histogram, INT64_MAX), 0);
  pool_times_t times, zeroes = {0};
  memset(&times, 0xff, sizeof times);
  histogram_summary(&histogram, &times);
  assert_memory_equal(&times, &zeroes, sizeof times);
  histogram_clear(&histogram);
}

/* One sample below another that is far larger: the median is the middle of its part, not bounded by max_ns. */
static void median_is_close(int64_t ns)
{
  struct histogram histogram = {0};
  histogram_add(&histogram, ns);
  close_to(histogram_quantile(&histogram, 0.5), ns);
  assert_true(histogram_quantile(&histogram, 1) <= ns);
  histogram_add(&histogram, INT64_MAX);
  close_to(histogram_quantile(&histogram, 0.5), ns);
  assert_int_equal(histogram.max_ns, INT64_MAX);
  histogram_clear(&histogram);
}

static void test_histogram__error_at_all_magnitudes(void **state)
{
  (void)state;
  for (int64_t ns = 0; ns < 5000; ns++)
    median_is_close(ns);
  for (int bit = 12; bit < 63; bit++)
    for (int64_t part = 32; part < 64; part++)
      for (int64_t side = -1; side <= 1; side++)
        median_is_close((part << (bit - 5)) + side);
  uint64_t random = 1;
  for (int i = 0; i < 20000; i++)
    median_is_close(any_duration(&random));
  median_is_close(INT64_MAX);
}

static void test_histogram__small_values_are_exact(void **state)
{
  (void)state;
  struct histogram histogram = {0};
  for (int64_t ns = 63; ns >= 0; ns--)
    histogram_add(&histogram, ns);
  for (int64_t ns = 0; ns < 64; ns++) {
    assert_int_equal(histogram_quantile(&histogram, (double)(ns + 1) / 64), ns);
    assert_int_equal(histogram_at_most(&histogram, ns), ns + 1);
  }
  assert_int_equal(histogram.sum_ns, 63 * 64 / 2);
  histogram_clear(&histogram);
}

static void test_histogram__a_share_is_rounded_up(void **state)
{
  (void)state;
  struct histogram histogram = {0};
  for (int64_t ns = 10; ns <= 30; ns += 10)
    histogram_add(&histogram, ns);
  assert_int_equal(histogram_quantile(&histogram, 0), 10);
  assert_int_equal(histogram_quantile(&histogram, 0.3), 10);
  assert_int_equal(histogram_quantile(&histogram, 0.5), 20);
  assert_int_equal(histogram_quantile(&histogram, 0.7), 30);
  assert_int_equal(histogram_quantile(&histogram, 1), 30);
  histogram_clear(&histogram);
}

static void test_histogram__negative_counts_as_zero(void **state)
{
  (void)state;
  struct histogram histogram = {0};
  histogram_add(&histogram, -5);
  histogram_add(&histogram, INT64_MIN);
  assert_int_equal(histogram.count, 2);
  assert_int_equal(histogram.sum_ns, 0);
  assert_int_equal(histogram_at_most(&histogram, -1), 0);
  assert_int_equal(histogram_at_most(&histogram, 0), 2);
  histogram_clear(&histogram);
}

static void test_histogram__sum_stays_at_its_end(void **state)
{
  (void)state;
  struct histogram histogram = {0};
  histogram_add(&histogram, INT64_MAX - 1);
  histogram_add(&histogram, 5);
  histogram_add(&histogram, 5);
  assert_int_equal(histogram.sum_ns, INT64_MAX);
  assert_int_equal(histogram.max_ns, INT64_MAX - 1);
  assert_int_equal(histogram_at_most(&histogram, INT64_MAX), 3);
  histogram_clear(&histogram);
}

#define SAMPLES 20000

static void test_histogram__against_the_sorted_samples(void **state)
{
  (void)state;
  static int64_t samples[SAMPLES];
  struct histogram histogram = {0};
  uint64_t random = 2;
  int64_t sum = 0;
  for (int i = 0; i < SAMPLES; i++) {
    samples[i] = any_duration(&random) >> 15; /* so many of the longest do not overflow the sum */
    sum += samples[i];
    histogram_add(&histogram, samples[i]);
  }
  qsort(samples, SAMPLES, sizeof *samples, compare);
  for (int percent = 0; percent <= 100; percent++)
    close_to(histogram_quantile(&histogram, percent / 100.0), sample_at(samples, SAMPLES, percent / 100.0));
  pool_times_t times;
  histogram_summary(&histogram, &times);
  assert_int_equal(times.count, SAMPLES);
  assert_int_equal(times.sum_ns, sum);
  assert_int_equal(times.max_ns, samples[SAMPLES - 1]);
  close_to(times.p50_ns, sample_at(samples, SAMPLES, 0.5));
  close_to(times.p90_ns, sample_at(samples, SAMPLES, 0.9));
  close_to(times.p99_ns, sample_at(samples, SAMPLES, 0.99));
  close_to(times.p999_ns, sample_at(samples, SAMPLES, 0.999));
  /* How many are at most as long as a power of two less one is exact. */
  int64_t below = 0;
  for (int bit = 0; bit < 63; bit++) {
    int64_t bound = ((int64_t)1 << bit) - 1;
    while (below < SAMPLES && samples[below] <= bound)
      below++;
    assert_int_equal(histogram_at_most(&histogram, bound), below);
  }
  assert_int_equal(histogram_at_most(&histogram, INT64_MAX), SAMPLES);
  /* Elsewhere those that are longer are never counted, nor are those left out that are clearly shorter. */
  for (int i = 0; i < 2000; i++) {
    int64_t bound = any_duration(&random) >> 15, least = 0, most = 0;
    for (int j = 0; j < SAMPLES && samples[j] <= bound; j++) {
      most++;
      least += samples[j] < bound - bound / 32;
    }
    assert_in_range(histogram_at_most(&histogram, bound), least, most);
  }
  histogram_clear(&histogram);
}

static void test_histogram__clear_empties_it(void **state)
{
  (void)state;
  struct histogram histogram = {0}, zeroes = {0};
  for (int round = 1; round <= 3; round++) {
    for (int i = 0; i < round; i++)
      histogram_add(&histogram, 1000 * round);
    assert_int_equal(histogram.count, round);
    assert_int_equal(histogram_at_most(&histogram, INT64_MAX), round); /* chunks that come back hold no old counts */
    histogram_clear(&histogram);
    assert_memory_equal(&histogram, &zeroes, sizeof histogram);
    assert_int_equal(histogram_at_most(&histogram, INT64_MAX), 0);
  }
}

/* ---- all chunks ---- */

#define MANY 2400

static struct histogram many[MANY];

/* One sample for each chunk that a histogram can have, so many histograms that the chunks do not suffice.  From long to
   short, for then a new chunk is always the first of its list. */
static int64_t fill_all(void)
{
  int64_t placed = 0;
  for (int i = 0; i < MANY; i++) {
    for (int bit = 62; bit >= 5; bit--) {
      histogram_add(&many[i], (int64_t)3 << (bit - 1));
      histogram_add(&many[i], (int64_t)1 << bit);
    }
    assert_int_equal(many[i].count, 2 * 58);
    assert_true(many[i].max_ns == (int64_t)3 << 61);
    placed += histogram_at_most(&many[i], INT64_MAX);
  }
  return placed;
}

static void clear_all(void)
{
  for (int i = 0; i < MANY; i++)
    histogram_clear(&many[i]);
}

static void test_histogram__goes_on_without_chunks(void **state)
{
  (void)state;
  struct histogram old = {0};
  histogram_add(&old, 1000);
  int64_t placed = fill_all();
  assert_true(placed < MANY * 2 * 58); /* there were not enough */
  assert_true(placed > 1 << 17);
  /* A new chunk is not to be had: the sample is counted but in no part. */
  histogram_add(&old, INT64_C(1000000000));
  assert_int_equal(old.count, 2);
  assert_int_equal(old.sum_ns, 1000001000);
  assert_int_equal(old.max_ns, 1000000000);
  assert_int_equal(histogram_at_most(&old, INT64_MAX), 1);
  close_to(histogram_quantile(&old, 1), 1000);
  /* A chunk that is there goes on counting. */
  histogram_add(&old, 1000);
  assert_int_equal(histogram_at_most(&old, INT64_MAX), 2);
  /* A histogram without any part has no quantiles. */
  struct histogram *last = &many[MANY - 1];
  assert_int_equal(histogram_at_most(last, INT64_MAX), 0);
  assert_int_equal(histogram_quantile(last, 0.5), 0);
  histogram_clear(&old);
  clear_all();
  /* All came back: as many can be had again, and the one that `old` had. */
  assert_int_equal(fill_all(), placed + 1);
  clear_all();
}

static void test_histogram__never_allocates(void **state)
{
  (void)state;
  struct histogram histogram = {0};
  uint64_t random = 3;
  pool_times_t times;
  int before = atomic_load(&allocations);
  pool_bytes_t bytes;
  assert_int_equal(pool_bytes_new(8, &bytes), 0);
  pool_bytes_free(&bytes);
  assert_int_equal(atomic_load(&allocations), before + 1); /* the library would be noticed */
  for (int i = 0; i < 10000; i++)
    histogram_add(&histogram, any_duration(&random));
  histogram_summary(&histogram, &times);
  histogram_clear(&histogram);
  assert_int_equal(atomic_load(&allocations), before + 1);
}

/* ---- many threads, each with histograms of its own ---- */

static void *fill_and_clear(void *data)
{
  uint64_t random = *(const uint64_t *)data;
  struct histogram mine[4] = {{0}};
  for (int round = 0; round < 300; round++) {
    struct histogram *histogram = &mine[round % 4];
    histogram_clear(histogram);
    for (int i = 1; i <= 100; i++) {
      histogram_add(histogram, any_duration(&random));
      must(histogram_at_most(histogram, INT64_MAX) == i);
    }
  }
  for (int i = 0; i < 4; i++)
    histogram_clear(&mine[i]);
  return NULL;
}

static void test_histogram__threads_share_the_chunks(void **state)
{
  (void)state;
  pthread_t threads[4];
  uint64_t random[4] = {11, 12, 13, 14};
  for (int i = 0; i < 4; i++)
    threads[i] = thread_start(fill_and_clear, &random[i]);
  for (int i = 0; i < 4; i++)
    thread_end(threads[i]);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_histogram__empty),
      cmocka_unit_test(test_histogram__error_at_all_magnitudes),
      cmocka_unit_test(test_histogram__small_values_are_exact),
      cmocka_unit_test(test_histogram__a_share_is_rounded_up),
      cmocka_unit_test(test_histogram__negative_counts_as_zero),
      cmocka_unit_test(test_histogram__sum_stays_at_its_end),
      cmocka_unit_test(test_histogram__against_the_sorted_samples),
      cmocka_unit_test(test_histogram__clear_empties_it),
      cmocka_unit_test(test_histogram__goes_on_without_chunks),
      cmocka_unit_test(test_histogram__never_allocates),
      cmocka_unit_test(test_histogram__threads_share_the_chunks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
