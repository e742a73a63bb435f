/* SPDX-License-Identifier: MIT */
#include "base/share.h"

#define UNITS 1000 /* of a level; no less than SHARE_WEIGHT_MOST */

int32_t share_at(struct vessel vessel, int64_t level)
{
  int64_t share = level == SHARE_FULL ? vessel.high : level * vessel.weight / UNITS;
  if (share >= vessel.high)
    return vessel.high;
  return share < vessel.low ? vessel.low : (int32_t)share;
}

int64_t share_left(const struct vessels *vessels, int64_t amount, int64_t level)
{
  for (int32_t i = 0; i < vessels->count; i++)
    amount -= share_at(vessels->at(vessels->owner, i), level);
  return amount;
}

/* The sum of the shares grows with the level, so the level is found by halves. */
int64_t share_level(const struct vessels *vessels, int64_t amount)
{
  if (share_left(vessels, amount, SHARE_FULL) >= 0)
    return SHARE_FULL;
  int64_t fits = 0, over = (amount > 0 ? amount : 0) * UNITS + UNITS; /* one vessel alone holds more there */
  while (over - fits > 1) {
    int64_t middle = fits + (over - fits) / 2;
    if (share_left(vessels, amount, middle) >= 0)
      fits = middle;
    else
      over = middle;
  }
  return fits;
}
