/* SPDX-License-Identifier: MIT */
/* Whether all who wait get the same. */
#include "fairness.h"

#include <string.h>

#include <pool/pool.h>

#include "nothing.h"
#include "report.h"
#include "rounds.h"
#include "tuning.h"

#define FAIR_THREADS     20
#define FAIR_CONNECTIONS 2
#define FAIR_HOLD_NS     1000000
#define FAIR_ROUNDS      3

/* What one thread went through in all rounds. */
struct turns {
  int64_t count;
  int64_t held_ns;
  int64_t longest_wait_ns;
  int64_t longest_hold_ns;
  int64_t most_others; /* that were served during one wait */
} __attribute__((aligned(ROUNDS_CACHE_LINE)));

struct holding {
  pool_t *pool;
  _Atomic int64_t served;
  struct turns turns[FAIR_THREADS];
};

static int64_t larger(int64_t a, int64_t b)
{
  return a > b ? a : b;
}

static int64_t hold_leases(void *subject, int thread, const atomic_bool *stop)
{
  struct holding *holding = subject;
  struct turns *turns = &holding->turns[thread];
  int64_t count = 0;
  while (!atomic_load(stop)) {
    int64_t served = atomic_load(&holding->served);
    int64_t asked = now_ns();
    pool_lease_t lease = pool_get(holding->pool);
    int64_t got = now_ns();
    int64_t others = atomic_fetch_add(&holding->served, 1) - served;
    sleep_ns(FAIR_HOLD_NS);
    int64_t held = now_ns() - got;
    /* Those who still wait at the end get their turn, but after the time that counts. */
    bool counts = !atomic_load(stop);
    if (lease < 0 || pool_put(lease) != 0)
      give_up("a get or put failed: %s", pool_strerror(pool_failure(NULL)));
    turns->longest_wait_ns = larger(turns->longest_wait_ns, got - asked);
    turns->longest_hold_ns = larger(turns->longest_hold_ns, held);
    turns->most_others = larger(turns->most_others, others);
    turns->held_ns += counts ? held : 0;
    count += counts;
  }
  turns->count += count;
  return count;
}

static int64_t hold_nothing(void *subject, int thread, const atomic_bool *stop)
{
  (void)subject, (void)thread;
  int64_t count = 0;
  while (!atomic_load(stop)) {
    sleep_ns(FAIR_HOLD_NS);
    count += !atomic_load(stop);
  }
  return count;
}

static void report_turns(const struct holding *holding)
{
  const struct turns *turns = holding->turns;
  int64_t least = turns->count, most = 0, count = 0, held_ns = 0;
  int64_t longest_wait_ns = 0, longest_hold_ns = 0, most_others = 0;
  for (; turns < holding->turns + FAIR_THREADS; turns++) {
    least = turns->count < least ? turns->count : least;
    most = larger(most, turns->count);
    count += turns->count;
    held_ns += turns->held_ns;
    longest_wait_ns = larger(longest_wait_ns, turns->longest_wait_ns);
    longest_hold_ns = larger(longest_hold_ns, turns->longest_hold_ns);
    most_others = larger(most_others, turns->most_others);
  }
  double ideal_ns = (double)FAIR_HOLD_NS * FAIR_THREADS / FAIR_CONNECTIONS;
  double hold_ns = (double)held_ns / (double)count;
  report_at_least("fairness.turns", (double)least / (double)most, "least/most of a thread", 0.95);
  report_at_most("fairness.longest_wait", (double)longest_wait_ns / ideal_ns, "times the ideal 10 ms", 1.3);
  report_only("fairness.longest_wait_as_held", (double)longest_wait_ns / (hold_ns * FAIR_THREADS / FAIR_CONNECTIONS),
              "times the ideal as held");
  report_only("fairness.most_others", (double)most_others, "served during one wait");
  report_only("fairness.mean_hold", hold_ns / 1e6, "ms");
  report_only("fairness.longest_hold", (double)longest_hold_ns / 1e6, "ms");
}

void fairness(void)
{
  struct holding holding = {.pool = pool_of_nothing(FAIR_CONNECTIONS)};
  struct crew *bare = crew_hire(FAIR_CONNECTIONS, hold_nothing, NULL);
  struct crew *crew = crew_hire(FAIR_THREADS, hold_leases, &holding);
  crew_work(crew, 50);
  memset(holding.turns, 0, sizeof holding.turns);
  double ratios[FAIR_ROUNDS];
  for (int i = 0; i < FAIR_ROUNDS; i++) {
    double alone = crew_work(bare, tuning.fair_ms / FAIR_ROUNDS);
    ratios[i] = crew_work(crew, tuning.fair_ms / FAIR_ROUNDS) / alone;
  }
  crew_dismiss(bare);
  crew_dismiss(crew);
  pool_free(holding.pool);
  report_at_least("fairness.throughput", median(ratios, FAIR_ROUNDS), "times holds without a pool", 0.97);
  report_turns(&holding);
}
