/* SPDX-License-Identifier: MIT */
/*
 * Fair shares: weighted max-min, as water poured into vessels that stand side by side.
 *
 * A vessel is as wide as its weight, has a bottom that is always full (low), and is full at `high`.  The level is how
 * high the water stands in the vessels that are neither.  A share is a whole number, so a little is left over:
 * share_left() says how much, and the caller gives it to vessels that are not full, one each.
 */
#ifndef SHARE_H
#define SHARE_H

#include <stdint.h>

/* With a higher weight one step of the level would be more than one unit. */
#define SHARE_WEIGHT_MOST 1000

struct vessel {
  int32_t low;
  int32_t high;   /* at least `low` */
  int32_t weight; /* 1 to SHARE_WEIGHT_MOST */
};

/* Vessels that their owner keeps in a form of its own. */
struct vessels {
  struct vessel (*at)(const void *owner, int32_t index);
  const void *owner;
  int32_t count;
};

/* At this level all vessels are full. */
#define SHARE_FULL INT64_MAX

/* What a vessel holds at a level. */
int32_t share_at(struct vessel vessel, int64_t level);

/* The highest level, in thousandths of a unit for each unit of weight, at which the shares are not more than `amount`.
   0 where the bottoms alone are more. */
int64_t share_level(const struct vessels *vessels, int64_t amount);

/* What is left of `amount` at a level: less than there are vessels that are not full, where the level is that of
   share_level(); less than 0 where the bottoms alone are more. */
int64_t share_left(const struct vessels *vessels, int64_t amount, int64_t level);

#endif
