/* SPDX-License-Identifier: MIT */
/*
 * A get and a put beside other pools in C: by 1 to 64 threads, over 1 to 64 connections, held for 0, 10 us and 1 ms.
 *
 * The floor is no pool: as many threads as there are connections make two atomic changes each, and hold.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "contender.h"
#include "load.h"
#include "naive.h"
#include "report.h"

#define MOST_THREADS 64

static struct rounds rounds = {.count = 9, .ms = 20};
static int step = 2; /* between numbers of threads */

/* ---- contenders that are always there ---- */

static void *create_libpool(int connections)
{
  return pool_of_nothing(connections);
}

static void destroy_libpool(void *pool)
{
  pool_free(pool);
}

static void *get_libpool(void *pool)
{
  pool_lease_t lease = pool_get(pool);
  if (lease < 0)
    give_up("a get failed: %s", pool_strerror(pool_failure(NULL)));
  return (void *)(intptr_t)lease;
}

static void put_libpool(void *pool, void *held)
{
  (void)pool;
  if (pool_put((pool_lease_t)(intptr_t)held) != 0)
    give_up("a put failed: %s", pool_strerror(pool_failure(NULL)));
}

static int64_t use_libpool(void *subject, int thread, const atomic_bool *stop)
{
  (void)thread;
  return use(subject, stop, get_libpool, put_libpool);
}

static void *create_naive(int connections)
{
  struct naive *naive = malloc(sizeof *naive);
  if (!naive)
    give_up("no memory");
  naive_create(naive, connections, naive);
  return naive;
}

static void destroy_naive(void *pool)
{
  naive_destroy(pool);
  free(pool);
}

static void *get_naive(void *pool)
{
  return naive_get(pool);
}

static void put_naive(void *pool, void *held)
{
  naive_put(pool, held);
}

static int64_t use_naive(void *subject, int thread, const atomic_bool *stop)
{
  (void)thread;
  return use(subject, stop, get_naive, put_naive);
}

/* For each thread. */
struct word {
  _Atomic uint64_t value;
} __attribute__((aligned(ROUNDS_CACHE_LINE)));

static void *create_floor(int connections)
{
  struct word *words = aligned_alloc(ROUNDS_CACHE_LINE, (size_t)connections * sizeof *words);
  if (!words)
    give_up("no memory");
  memset(words, 0, (size_t)connections * sizeof *words);
  return words;
}

static void *swap_first(void *pool)
{
  _Atomic uint64_t *word = &((struct word *)pool)->value;
  uint64_t seen = atomic_load_explicit(word, memory_order_relaxed);
  atomic_compare_exchange_strong(word, &seen, seen + 1);
  return word;
}

static void swap_again(void *pool, void *held)
{
  (void)held;
  swap_first(pool);
}

static int64_t use_floor(void *subject, int thread, const atomic_bool *stop)
{
  struct contest own = *(struct contest *)subject;
  own.pool = (struct word *)own.pool + thread;
  return thread < own.connections ? use(&own, stop, swap_first, swap_again) : 0;
}

static const struct contender libpool_contender = {"libpool", create_libpool, destroy_libpool, use_libpool, true};
static const struct contender naive_contender = {"mutex and stack", create_naive, destroy_naive, use_naive, true};
static const struct contender floor_contender = {"no pool", create_floor, free, use_floor, true};

static const struct contender *const contenders[] = {
    &libpool_contender,
#ifdef APR_CONTENDER_VERSION
    &apr_contender,
#endif
#ifdef ZDB_CONTENDER_VERSION
    &zdb_contender,
#endif
    &naive_contender,   &floor_contender,
};

#define CONTENDERS (sizeof contenders / sizeof *contenders)

/* ---- contests ---- */

struct entry {
  const struct contender *contender;
  struct contest contest;
  struct crew *crew;
  double *ns; /* of each round */
};

static void enter(struct entry *entry, const struct contender *contender, struct contest contest)
{
  *entry =
      (struct entry){.contender = contender, .contest = contest, .ns = calloc((size_t)rounds.count, sizeof(double))};
  if (!entry->ns)
    give_up("no memory");
  entry->contest.pool = contender->create(contest.connections);
  entry->crew = crew_hire(contest.threads, contender->shift, &entry->contest);
  crew_work(entry->crew, rounds.ms); /* warms up */
}

static void leave(struct entry *entry)
{
  crew_dismiss(entry->crew);
  entry->contender->destroy(entry->contest.pool);
  free(entry->ns);
}

static void name_contest(char *text, size_t size, struct contest contest)
{
  const char *hold = contest.hold_ns == 0 ? "no hold" : contest.hold_ns < 1000000 ? "held 10 us" : "held 1 ms";
  snprintf(text, size, "%d thread%s, %d connection%s, %s", contest.threads, contest.threads == 1 ? "" : "s",
           contest.connections, contest.connections == 1 ? "" : "s", hold);
}

/* Nanoseconds for a get and a put.  Where none ended in a round, they took the round at least. */
static double work(struct crew *crew)
{
  double rate = crew_work(crew, rounds.ms);
  return rate > 0 ? 1e9 / rate : (double)rounds.ms * 1e6;
}

static void compete(struct contest contest)
{
  char name[80];
  struct entry entries[CONTENDERS];
  size_t count = 0;
  name_contest(name, sizeof name, contest);
  for (size_t i = 0; i < CONTENDERS; i++)
    if (contenders[i]->waits || contest.threads <= contest.connections)
      enter(&entries[count++], contenders[i], contest);
  for (int round = 0; round < rounds.count; round++)
    for (size_t i = 0; i < count; i++)
      entries[i].ns[round] = work(entries[i].crew);
  for (size_t i = 0; i < count; i++) {
    report_rounds(name, entries[i].contender->name, entries[i].ns, rounds.count);
    leave(&entries[i]);
  }
}

static void compete_in_all(void)
{
  static const int64_t holds_ns[] = {0, 10000, 1000000};
  for (size_t hold = 0; hold < sizeof holds_ns / sizeof *holds_ns; hold++)
    for (int connections = 1; connections <= MOST_CONNECTIONS; connections *= 8)
      for (int threads = 1; threads <= MOST_THREADS; threads *= step)
        compete((struct contest){.threads = threads, .connections = connections, .hold_ns = holds_ns[hold]});
}

/* ---- the command line ---- */

static void show_usage(FILE *file)
{
  fprintf(file, "usage: bench_peers [OPTION]...\n"
                "Measures a get and a put beside other pools in C.\n\n"
                "  --json FILE     writes the figures to FILE, too\n"
                "  --rounds N      rounds of each side of a comparison (9)\n"
                "  --round-ms N    length of a round in milliseconds (20)\n"
                "  --few           1, 8 and 64 threads only\n"
                "  --help          shows this\n");
}

static int positive(const char *text)
{
  char *end;
  long value = strtol(text, &end, 10);
  if (*end || value < 1 || value > 60000) {
    fprintf(stderr, "bench_peers: not a usable number: %s\n\n", text);
    show_usage(stderr);
    exit(2);
  }
  return (int)value;
}

/* Returns where the JSON goes, or NULL. */
static const char *understand(int argc, char **argv)
{
  static const struct option options[] = {
      {"json", required_argument, NULL, 'j'}, {"rounds", required_argument, NULL, 'r'},
      {"few", no_argument, NULL, 'f'},        {"round-ms", required_argument, NULL, 'm'},
      {"help", no_argument, NULL, 'h'},       {NULL, 0, NULL, 0},
  };
  const char *json = NULL;
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
    if (option == 'j')
      json = optarg;
    else if (option == 'r')
      rounds.count = positive(optarg);
    else if (option == 'm')
      rounds.ms = positive(optarg);
    else if (option == 'f')
      step = 8;
    else {
      show_usage(option == 'h' ? stdout : stderr);
      exit(option == 'h' ? 0 : 2);
    }
  return json;
}

int main(int argc, char **argv)
{
  const char *json = understand(argc, argv);
  prctl(PR_SET_TIMERSLACK, 1UL); /* a hold of 1 ms is to last 1 ms */
  struct load before = load_now();
#ifndef APR_CONTENDER_VERSION
  puts("not measured, for its library is not there: apr_reslist");
#endif
#ifndef ZDB_CONTENDER_VERSION
  puts("not measured, for its library is not there: libzdb");
#endif
  report_begin();
  compete_in_all();
  report_only("load_of_others", load_of_others_since(&before), "processors");
  if (json && report_write(json) != 0)
    give_up("cannot write %s", json);
  return 0;
}
