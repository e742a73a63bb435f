/* SPDX-License-Identifier: MIT */
#include "memory.h"

#include <string.h>

#include <pool/pool.h>

#include "allocations.h"
#include "nothing.h"
#include "report.h"
#include "rounds.h"

/* ---- what a pool takes ---- */

#define SMALL_POOLS 1000
#define SMALL_SLOTS 8
#define LARGE_SLOTS 1000

static double allowed_bytes(int slots)
{
  return 4096 + 128.0 * slots;
}

/* Pools that are freed leave their memory to the next ones, so these are the first of the process, and all at once. */
void memory(void)
{
  static pool_t *small[SMALL_POOLS];
  memset(small, 1, sizeof small);
  pool_free(pool_of_nothing(1));
  resident_bytes();
  int64_t before = resident_bytes();
  for (int i = 0; i < SMALL_POOLS; i++)
    small[i] = pool_of_nothing(SMALL_SLOTS);
  int64_t between = resident_bytes();
  pool_t *large = pool_of_nothing(LARGE_SLOTS);
  int64_t after = resident_bytes();
  pool_free(large);
  for (int i = 0; i < SMALL_POOLS; i++)
    pool_free(small[i]);
  report_at_most("memory.8_slots", (double)(between - before) / SMALL_POOLS, "bytes a pool",
                 allowed_bytes(SMALL_SLOTS));
  report_at_most("memory.1000_slots", (double)(after - between), "bytes a pool", allowed_bytes(LARGE_SLOTS));
}

/* ---- what a get and a put take ---- */

#define COUNTED_CYCLES 1000000
#define COUNTED_MS     300

static void count_alone(void)
{
  pool_t *pool = pool_of_nothing(8);
  cycle(pool);
  int64_t before = allocations();
  for (int i = 0; i < COUNTED_CYCLES; i++)
    cycle(pool);
  report_at_most("allocations", (double)(allocations() - before), "in a million cycles", 0);
  pool_free(pool);
}

static void count_waiting(void)
{
  pool_t *pool = pool_of_nothing(1);
  struct crew *crew = crew_hire(4, use_pool, pool);
  crew_work(crew, COUNTED_MS / 3);
  int64_t before = allocations();
  crew_work(crew, COUNTED_MS);
  report_at_most("allocations.waiting", (double)(allocations() - before), "with 4 threads waiting", 0);
  crew_dismiss(crew);
  pool_free(pool);
}

void allocate(void)
{
  count_alone();
  count_waiting();
}
