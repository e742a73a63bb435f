/* SPDX-License-Identifier: MIT */
/* What a get and a put cost, alone and beside other threads. */
#include "cycles.h"

#include "naive.h"
#include "nothing.h"
#include "report.h"
#include "rounds.h"
#include "tuning.h"

static int64_t use_naive(void *subject, int thread, const atomic_bool *stop)
{
  (void)thread;
  int64_t cycles = 0;
  for (; !atomic_load_explicit(stop, memory_order_relaxed); cycles += BATCH)
    for (int i = 0; i < BATCH; i++)
      naive_put(subject, naive_get(subject));
  return cycles;
}

/* For each thread. */
struct word {
  _Atomic uint64_t value;
} __attribute__((aligned(ROUNDS_CACHE_LINE)));

/* The least that a get and a put could do: one decision each. */
static int64_t swap_twice(void *subject, int thread, const atomic_bool *stop)
{
  _Atomic uint64_t *word = &((struct word *)subject)[thread].value;
  int64_t cycles = 0;
  for (; !atomic_load_explicit(stop, memory_order_relaxed); cycles += BATCH)
    for (int i = 0; i < BATCH; i++) {
      uint64_t seen = atomic_load_explicit(word, memory_order_relaxed);
      if (atomic_compare_exchange_strong(word, &seen, seen + 1))
        seen++;
      atomic_compare_exchange_strong(word, &seen, seen + 1);
    }
  return cycles;
}

void get_put_1_thread(void)
{
  struct word word = {0};
  pool_t *pool = pool_of_nothing(8);
  struct comparison result =
      compare((struct side){use_pool, pool, 1}, (struct side){swap_twice, &word, 1}, tuning.rounds);
  pool_free(pool);
  report_at_most("get_put_1_thread", result.ratio, "times two bare swaps", 1.3);
  report_only("get_put_1_thread.pool", 1e9 / result.first, "ns");
  report_only("get_put_1_thread.swaps", 1e9 / result.second, "ns");
}

/* The same pool with fewer and with more threads. */
static struct comparison compare_threads(int connections, int fewer, int more)
{
  pool_t *pool = pool_of_nothing(connections);
  struct comparison result =
      compare((struct side){use_pool, pool, fewer}, (struct side){use_pool, pool, more}, tuning.rounds);
  pool_free(pool);
  return result;
}

void get_put_2_threads(void)
{
  struct word words[2] = {0};
  struct comparison result = compare_threads(8, 1, 2);
  struct comparison possible =
      compare((struct side){swap_twice, words, 1}, (struct side){swap_twice, words, 2}, tuning.rounds);
  report_at_least("get_put_2_threads", result.ratio, "times 1 thread", 1.8);
  report_only("get_put_2_threads.swaps", possible.ratio, "times 1 thread, bare swaps");
  report_only("get_put_2_threads.pool", result.second / 1e6, "million cycles/s");
}

void crowd(void)
{
  struct comparison result = compare_threads(8, 2, 16);
  report_at_least("16_threads_8_connections", result.ratio, "times 2 threads", 0.75);
  report_only("16_threads_8_connections.pool", result.second / 1e6, "million cycles/s");
}

void contended(void)
{
  struct naive naive;
  naive_create(&naive, 1, &naive);
  pool_t *pool = pool_of_nothing(1);
  struct comparison result =
      compare((struct side){use_naive, &naive, 2}, (struct side){use_pool, pool, 2}, tuning.rounds);
  pool_free(pool);
  naive_destroy(&naive);
  report_at_least("2_threads_1_connection", result.ratio, "times mutex and stack", 1.5);
  report_only("2_threads_1_connection.pool", result.second / 1e6, "million cycles/s");
  report_only("2_threads_1_connection.naive", result.first / 1e6, "million cycles/s");
}
