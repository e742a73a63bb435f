/* SPDX-License-Identifier: MIT */
/* Fair shares, against water that is poured in real numbers. */
#include "support.h"

#include <math.h>

#include "base/share.h"

enum { MOST = 40 };

static struct vessel vessels_at[MOST];

static struct vessel vessel_at(const void *owner, int32_t index)
{
  return ((const struct vessel *)owner)[index];
}

static struct vessels first_vessels(int32_t count)
{
  return (struct vessels){.at = vessel_at, .owner = vessels_at, .count = count};
}

static int32_t share_of(int32_t index, int64_t level)
{
  return share_at(vessels_at[index], level);
}

static int64_t level_of(int32_t count, int64_t amount)
{
  struct vessels vessels = first_vessels(count);
  return share_level(&vessels, amount);
}

static int64_t left_at(int32_t count, int64_t amount, int64_t level)
{
  struct vessels vessels = first_vessels(count);
  return share_left(&vessels, amount, level);
}

static void test_share__the_small_are_full_and_the_large_share_the_rest(void **state)
{
  (void)state;
  vessels_at[0] = (struct vessel){.high = 2, .weight = 1};
  vessels_at[1] = vessels_at[2] = (struct vessel){.high = 50, .weight = 1};
  int64_t level = level_of(3, 20);
  assert_int_equal(share_of(0, level), 2);
  assert_int_equal(share_of(1, level), 9);
  assert_int_equal(share_of(2, level), 9);
}

static void test_share__three_times_the_weight_is_three_times_the_share(void **state)
{
  (void)state;
  vessels_at[0] = (struct vessel){.high = 400, .weight = 1};
  vessels_at[1] = (struct vessel){.high = 400, .weight = 3};
  int64_t level = level_of(2, 400);
  assert_int_equal(share_of(0, level), 100);
  assert_int_equal(share_of(1, level), 300);
}

static void test_share__a_bottom_is_full_whatever_the_level(void **state)
{
  (void)state;
  vessels_at[0] = (struct vessel){.low = 7, .high = 10, .weight = 1};
  vessels_at[1] = (struct vessel){.low = 0, .high = 10, .weight = 1};
  assert_int_equal(share_of(0, level_of(2, 10)), 7);
  assert_int_equal(share_of(1, level_of(2, 10)), 3);
  assert_int_equal(level_of(2, 6), 0);
  assert_int_equal(left_at(2, 6, 0), -1);
}

static void test_share__all_is_full_where_there_is_enough(void **state)
{
  (void)state;
  vessels_at[0] = (struct vessel){.low = 3, .high = 8, .weight = 2};
  assert_true(level_of(1, 8) == SHARE_FULL);
  assert_true(level_of(1, 7) < SHARE_FULL);
  assert_int_equal(share_of(0, SHARE_FULL), 8);
  assert_true(level_of(0, 0) == SHARE_FULL);
}

/* What the largest numbers give is a share, and no overflow. */
static void test_share__the_largest_numbers_are_shared_as_others_are(void **state)
{
  (void)state;
  for (int32_t i = 0; i < 4; i++)
    vessels_at[i] = (struct vessel){.high = INT32_MAX, .weight = SHARE_WEIGHT_MOST};
  int64_t level = level_of(4, INT32_MAX);
  for (int32_t i = 0; i < 4; i++)
    assert_int_equal(share_of(i, level), INT32_MAX / 4);
  for (int32_t i = 0; i < 4; i++)
    vessels_at[i].low = INT32_MAX;
  assert_int_equal(level_of(4, INT32_MAX), 0);
}

static int32_t random_below(uint64_t *seed, int32_t most)
{
  return (int32_t)(random_next(seed) % (uint32_t)most);
}

static void fill_vessels(uint64_t *seed, int32_t count, bool weighted)
{
  int32_t most = random_below(seed, 4) == 0 ? 3000 : 20;
  for (int32_t i = 0; i < count; i++) {
    struct vessel vessel = {.low = random_below(seed, 3) == 0 ? random_below(seed, most) : 0};
    vessel.high = vessel.low + random_below(seed, most);
    vessel.weight = weighted && random_below(seed, 3) == 0 ? 1 + random_below(seed, SHARE_WEIGHT_MOST) : 1;
    vessels_at[i] = vessel;
  }
}

static double poured(struct vessel vessel, double level)
{
  return fmax(vessel.low, fmin(vessel.high, level * vessel.weight));
}

/* The level at which real water of that amount stands. */
static double true_level(int32_t count, double amount)
{
  double fits = 0, over = 1e7;
  for (int half = 0; half < 100; half++) {
    double middle = (fits + over) / 2, sum = 0;
    for (int32_t i = 0; i < count; i++)
      sum += poured(vessels_at[i], middle);
    *(sum <= amount ? &fits : &over) = middle;
  }
  return fits;
}

static int32_t count_not_full(int32_t count, int64_t level)
{
  int32_t found = 0;
  for (int32_t i = 0; i < count; i++)
    found += share_of(i, level) < vessels_at[i].high;
  return found;
}

static void check_level(int32_t count, int64_t amount, bool weighted)
{
  int64_t level = level_of(count, amount), left = left_at(count, amount, level);
  if (level == SHARE_FULL) {
    assert_true(left >= 0);
    return;
  }
  assert_true(left_at(count, amount, level + 1) < 0);
  if (left < 0) /* the bottoms alone are more */
    assert_int_equal(level, 0);
  else
    assert_true(left < count_not_full(count, level)); /* so that what is left can be given, one each */
  /* Where weights differ, what is rounded off of many may come to a heavy one. */
  double truth = true_level(count, (double)amount);
  for (int32_t i = 0; i < count; i++)
    assert_true(fabs(share_of(i, level) - poured(vessels_at[i], truth)) <= (weighted ? count : 1.001));
}

static void test_share__is_that_of_real_water_but_for_what_rounding_leaves(void **state)
{
  (void)state;
  uint64_t seed = 17;
  for (int round = 0; round < 20000; round++) {
    int32_t count = 1 + random_below(&seed, MOST);
    fill_vessels(&seed, count, round % 2);
    check_level(count, random_below(&seed, 30 * count), round % 2);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_share__the_small_are_full_and_the_large_share_the_rest),
      cmocka_unit_test(test_share__three_times_the_weight_is_three_times_the_share),
      cmocka_unit_test(test_share__a_bottom_is_full_whatever_the_level),
      cmocka_unit_test(test_share__all_is_full_where_there_is_enough),
      cmocka_unit_test(test_share__the_largest_numbers_are_shared_as_others_are),
      cmocka_unit_test(test_share__is_that_of_real_water_but_for_what_rounding_leaves),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
