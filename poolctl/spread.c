/* SPDX-License-Identifier: MIT */
#include "spread.h"

/* Below 16 each number has a part of its own. */
static int part_of(int64_t ns)
{
  if (ns < 16)
    return ns < 0 ? 0 : (int)ns;
  int bits = 63 - __builtin_clzll((unsigned long long)ns);
  return (bits - 3) * 16 + (int)(ns >> (bits - 4) & 15);
}

/* The middle of a part. */
static int64_t value_of(int part)
{
  if (part < 16)
    return part;
  int shift = part / 16 - 1;
  return ((int64_t)(16 + part % 16) << shift) + (((int64_t)1 << shift) >> 1);
}

void spread_add(struct spread *spread, int64_t ns)
{
  _Atomic int64_t *count = &spread->counts[part_of(ns)];
  atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + 1, memory_order_relaxed);
  if (ns > atomic_load_explicit(&spread->most_ns, memory_order_relaxed))
    atomic_store_explicit(&spread->most_ns, ns, memory_order_relaxed);
}

void spread_merge(struct spread *spread, const struct spread *other)
{
  for (int i = 0; i < SPREAD_PARTS; i++)
    spread->counts[i] += other->counts[i];
  if (other->most_ns > spread->most_ns)
    spread->most_ns = other->most_ns;
}

int64_t spread_count(const struct spread *spread)
{
  int64_t count = 0;
  for (int i = 0; i < SPREAD_PARTS; i++)
    count += spread->counts[i];
  return count;
}

int64_t spread_quantile(const struct spread *spread, double permille)
{
  int64_t count = spread_count(spread), rank = (int64_t)((double)count * permille / 1000), below = 0;
  if (count == 0)
    return 0;
  for (int i = 0; i < SPREAD_PARTS; i++) {
    below += spread->counts[i];
    if (below > rank)
      return value_of(i) < spread->most_ns ? value_of(i) : spread->most_ns;
  }
  return spread->most_ns;
}

int64_t spread_between(const struct spread *spread, int64_t from_ns, int64_t to_ns)
{
  int64_t count = 0;
  for (int i = part_of(from_ns); i < part_of(to_ns); i++)
    count += spread->counts[i];
  return count;
}
