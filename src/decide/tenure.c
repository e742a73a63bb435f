/* SPDX-License-Identifier: MIT */
#include "decide/tenure.h"

#include <stddef.h>

#include "base/contract.h"
#include "slot/slot.h"
#include "decide/pool.h"
#include "decide/waiter.h"

#define TENURE_MOST  32
#define WATCH_LEASES 64

static int64_t fairness_ns(const struct pool *pool)
{
  return (int64_t)pool->config.fairness_us * 1000;
}

static int64_t tenure_ns(const struct pool *pool)
{
  int64_t fairness = fairness_ns(pool), lease = pool->tenure.lease_ns;
  if (lease <= 0 || lease >= fairness)
    return fairness;
  double times = 1 + 4 * ((double)fairness / (double)lease - 1);
  return times < TENURE_MOST ? (int64_t)(times * (double)fairness) : TENURE_MOST * fairness;
}

int64_t tenure_over_ns(const struct pool *pool)
{
  assert_locked(pool);
  int64_t waited = pool->queue.first->since_ns + fairness_ns(pool);
  return waited > pool->tenure.over_ns ? waited : pool->tenure.over_ns;
}

static void watch(struct tenure *tenure, struct slot *slot, int64_t now)
{
  tenure->watched = slot;
  tenure->watched_word = slot_word(slot);
  tenure->watched_since_ns = now;
}

/* The watch ends after WATCH_LEASES, or earlier when they took as long as the longest tenure. */
static void learn(struct pool *pool, struct slot *slot, int64_t now)
{
  struct tenure *tenure = &pool->tenure;
  if (tenure->watched) {
    int64_t leases = generations_between(tenure->watched_word, slot_word(tenure->watched));
    int64_t took = now - tenure->watched_since_ns;
    if (leases < WATCH_LEASES && took < TENURE_MOST * fairness_ns(pool))
      return;
    tenure->lease_ns = leases ? took / leases : took;
  }
  watch(tenure, slot, now);
}

/* Puts do not come evenly, so hand-overs that are late are made up for, one of each connection. */
void tenure_begin(struct pool *pool, struct slot *slot, int64_t now)
{
  assert_locked(pool);
  assert_that(pool->room.open > 0);
  learn(pool, slot, now);
  struct tenure *tenure = &pool->tenure;
  int64_t whole = tenure_ns(pool), part = whole / pool->room.open, earliest = now - (whole - part);
  int64_t begun = tenure->over_ns < earliest ? earliest : tenure->over_ns > now ? now : tenure->over_ns;
  tenure->over_ns = begun + part;
}
