/* SPDX-License-Identifier: MIT */
/*
 * What a get and a put cost, and how fair the queue is.
 *
 * Every bound on speed is on a ratio to something measured in the same rounds (rounds.h), so that it means the same on
 * any machine.  The times and throughputs beside it are those of this machine and have no bound.
 */
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include <pool/pool.h>

#include "allocations.h"
#include "load.h"
#include "naive.h"
#include "report.h"
#include "rounds.h"

/* Between two looks at the stop flag. */
#define BATCH 64

struct tuning {
  int rounds;
  int64_t round_ms;
  int64_t fair_ms;
};

static struct tuning tuning = {.rounds = 15, .round_ms = 80, .fair_ms = 3000};

/* ---- a pool whose connections are nothing ---- */

static int connection;

static int open_nothing(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)context, (void)deadline_ns, (void)error;
  *conn = &connection;
  return 0;
}

static int close_nothing(void *context, void *conn)
{
  (void)context, (void)conn;
  return 0;
}

static pool_t *open_pool(int connections)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.initial = config.max_open = connections;
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  vtable.open = open_nothing;
  vtable.close = close_nothing;
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool;
  if (pool_create(&config, &vtable, NULL, &pool, &error) != 0)
    give_up("pool_create: %s", error.message);
  return pool;
}

static void cycle(pool_t *pool)
{
  pool_lease_t lease = pool_get(pool);
  if (lease < 0 || pool_put(lease) != 0)
    give_up("a get or put failed: %s", pool_strerror(pool_failure(NULL)));
}

/* ---- shifts ---- */

static int64_t use_pool(void *subject, int thread, const atomic_bool *stop)
{
  (void)thread;
  int64_t cycles = 0;
  for (; !atomic_load_explicit(stop, memory_order_relaxed); cycles += BATCH)
    for (int i = 0; i < BATCH; i++)
      cycle(subject);
  return cycles;
}

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

/* ---- get and put ---- */

static struct comparison compare(shift_fn *first, void *first_subject, int first_threads, shift_fn *second,
                                 void *second_subject, int second_threads)
{
  struct crew *one = crew_hire(first_threads, first, first_subject);
  struct crew *other = crew_hire(second_threads, second, second_subject);
  struct comparison result = crews_compare(one, other, tuning.rounds, tuning.round_ms);
  crew_dismiss(one);
  crew_dismiss(other);
  return result;
}

static void get_put_1_thread(void)
{
  struct word word = {0};
  pool_t *pool = open_pool(8);
  struct comparison result = compare(use_pool, pool, 1, swap_twice, &word, 1);
  pool_free(pool);
  report_at_most("get_put_1_thread", result.ratio, "times two bare swaps", 1.3);
  report_only("get_put_1_thread.pool", 1e9 / result.first, "ns");
  report_only("get_put_1_thread.swaps", 1e9 / result.second, "ns");
}

/* The same pool with fewer and with more threads. */
static struct comparison compare_threads(int connections, int fewer, int more)
{
  pool_t *pool = open_pool(connections);
  struct comparison result = compare(use_pool, pool, fewer, use_pool, pool, more);
  pool_free(pool);
  return result;
}

static void get_put_2_threads(void)
{
  struct word words[2] = {0};
  struct comparison result = compare_threads(8, 1, 2);
  struct comparison possible = compare(swap_twice, words, 1, swap_twice, words, 2);
  report_at_least("get_put_2_threads", result.ratio, "times 1 thread", 1.8);
  report_only("get_put_2_threads.swaps", possible.ratio, "times 1 thread, bare swaps");
  report_only("get_put_2_threads.pool", result.second / 1e6, "million cycles/s");
}

static void crowd(void)
{
  struct comparison result = compare_threads(8, 2, 16);
  report_at_least("16_threads_8_connections", result.ratio, "times 2 threads", 0.75);
  report_only("16_threads_8_connections.pool", result.second / 1e6, "million cycles/s");
}

static void contended(void)
{
  struct naive naive;
  naive_create(&naive, 1, &connection);
  pool_t *pool = open_pool(1);
  struct comparison result = compare(use_naive, &naive, 2, use_pool, pool, 2);
  pool_free(pool);
  naive_destroy(&naive);
  report_at_least("2_threads_1_connection", result.ratio, "times mutex and stack", 1.5);
  report_only("2_threads_1_connection.pool", result.second / 1e6, "million cycles/s");
  report_only("2_threads_1_connection.naive", result.first / 1e6, "million cycles/s");
}

/* ---- fairness ---- */

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

static void fairness(void)
{
  struct holding holding = {.pool = open_pool(FAIR_CONNECTIONS)};
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

/* ---- allocations ---- */

#define COUNTED_CYCLES 1000000
#define COUNTED_MS     300

static void count_alone(void)
{
  pool_t *pool = open_pool(8);
  cycle(pool);
  int64_t before = allocations();
  for (int i = 0; i < COUNTED_CYCLES; i++)
    cycle(pool);
  report_at_most("allocations", (double)(allocations() - before), "in a million cycles", 0);
  pool_free(pool);
}

static void count_waiting(void)
{
  pool_t *pool = open_pool(1);
  struct crew *crew = crew_hire(4, use_pool, pool);
  crew_work(crew, COUNTED_MS / 3);
  int64_t before = allocations();
  crew_work(crew, COUNTED_MS);
  report_at_most("allocations.waiting", (double)(allocations() - before), "with 4 threads waiting", 0);
  crew_dismiss(crew);
  pool_free(pool);
}

static void allocate(void)
{
  count_alone();
  count_waiting();
}

/* ---- memory ---- */

#define SMALL_POOLS 1000
#define SMALL_SLOTS 8
#define LARGE_SLOTS 1000

static double allowed_bytes(int slots)
{
  return 4096 + 128.0 * slots;
}

/* Pools that are freed leave their memory to the next ones, so these are the first of the process, and all at once. */
static void memory(void)
{
  static pool_t *small[SMALL_POOLS];
  memset(small, 1, sizeof small);
  pool_free(open_pool(1));
  resident_bytes();
  int64_t before = resident_bytes();
  for (int i = 0; i < SMALL_POOLS; i++)
    small[i] = open_pool(SMALL_SLOTS);
  int64_t between = resident_bytes();
  pool_t *large = open_pool(LARGE_SLOTS);
  int64_t after = resident_bytes();
  pool_free(large);
  for (int i = 0; i < SMALL_POOLS; i++)
    pool_free(small[i]);
  report_at_most("memory.8_slots", (double)(between - before) / SMALL_POOLS, "bytes a pool",
                 allowed_bytes(SMALL_SLOTS));
  report_at_most("memory.1000_slots", (double)(after - between), "bytes a pool", allowed_bytes(LARGE_SLOTS));
}

/* ---- lateness ---- */

#define LATE_GETS 50
#define LATE_MS   20

static void lateness(void)
{
  pool_t *pool = open_pool(1);
  pool_lease_t lease = pool_get(pool);
  double late_us[LATE_GETS];
  for (int i = 0; i < LATE_GETS; i++) {
    int64_t asked = now_ns();
    if (pool_get_for(pool, LATE_MS) != POOL_E_TIMEOUT)
      give_up("a get from an exhausted pool did not time out");
    late_us[i] = (double)(now_ns() - asked) / 1e3 - LATE_MS * 1e3;
  }
  pool_put(lease);
  pool_free(pool);
  report_only("timeout_lateness", median(late_us, LATE_GETS), "us, median");
  report_only("timeout_lateness.longest", late_us[LATE_GETS - 1], "us");
}

/* ---- choosing ---- */

struct figure {
  const char *name;
  void (*measure)(void);
  bool chosen;
};

/* memory() comes first: what the others leave behind would serve its pools. */
static struct figure figures[] = {
    {"memory", memory, false},
    {"get_put_1_thread", get_put_1_thread, false},
    {"get_put_2_threads", get_put_2_threads, false},
    {"16_threads_8_connections", crowd, false},
    {"2_threads_1_connection", contended, false},
    {"fairness", fairness, false},
    {"allocations", allocate, false},
    {"timeout_lateness", lateness, false},
};

#define FIGURES (sizeof figures / sizeof figures[0])

static void show_usage(FILE *file)
{
  fprintf(file, "usage: bench_core [OPTION]... [FIGURE]...\n"
                "Measures what the pool costs and shows which bounds are met.\n\n"
                "  --json FILE     writes the figures to FILE, too\n"
                "  --rounds N      rounds of each side of a comparison (15)\n"
                "  --round-ms N    length of a round in milliseconds (80)\n"
                "  --seconds N     length of the measurement of fairness (3)\n"
                "  --help          shows this\n\n"
                "Figures, all of them if none is named:\n");
  for (size_t i = 0; i < FIGURES; i++)
    fprintf(file, "  %s\n", figures[i].name);
}

static _Noreturn void refuse(const char *what, const char *text)
{
  fprintf(stderr, "bench_core: %s%s\n\n", what, text);
  show_usage(stderr);
  exit(2);
}

static double number(const char *text, double least, double most)
{
  char *end;
  double value = strtod(text, &end);
  if (end == text || *end || !(value >= least && value <= most))
    refuse("not a usable number: ", text);
  return value;
}

static void choose(const char *name)
{
  for (size_t i = 0; i < FIGURES; i++)
    if (strcmp(figures[i].name, name) == 0) {
      figures[i].chosen = true;
      return;
    }
  refuse("no such figure: ", name);
}

/* Returns where the JSON goes, or NULL. */
static const char *understand(int argc, char **argv)
{
  static const struct option options[] = {
      {"json", required_argument, NULL, 'j'},     {"rounds", required_argument, NULL, 'r'},
      {"round-ms", required_argument, NULL, 'm'}, {"seconds", required_argument, NULL, 's'},
      {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
  };
  const char *json = NULL;
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
    switch (option) {
    case 'j':
      json = optarg;
      break;
    case 'r':
      tuning.rounds = (int)number(optarg, 1, 10000);
      break;
    case 'm':
      tuning.round_ms = (int64_t)number(optarg, 1, 60000);
      break;
    case 's':
      tuning.fair_ms = (int64_t)(1000 * number(optarg, 0.1, 3600));
      break;
    case 'h':
      show_usage(stdout);
      exit(0);
    default:
      show_usage(stderr);
      exit(2);
    }
  bool all = optind == argc;
  for (size_t i = 0; i < FIGURES; i++)
    figures[i].chosen = all;
  for (int i = optind; i < argc; i++)
    choose(argv[i]);
  return json;
}

int main(int argc, char **argv)
{
  const char *json = understand(argc, argv);
  prctl(PR_SET_TIMERSLACK, 1UL); /* a hold of 1 ms is to last 1 ms */
  struct load before = load_now();
  report_begin();
  for (size_t i = 0; i < FIGURES; i++)
    if (figures[i].chosen)
      figures[i].measure();
  report_only("load_of_others", load_of_others_since(&before), "processors");
  if (json && report_write(json) != 0)
    give_up("cannot write %s", json);
  return 0;
}
