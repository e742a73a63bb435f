/* SPDX-License-Identifier: MIT */
/*
 * poolctl bench: threads that each take a connection, keep it, and give it back, again and again: of a pool first, then
 * by opening and closing one for each use.
 *
 * What is measured is how long a thread waits for its connection, and how many uses there are in a second.  Each thread
 * counts for itself.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <pool/driver.h>

#include "arguments.h"
#include "base/clock.h"
#include "commands.h"
#include "lend.h"
#include "say.h"
#include "spread.h"

#define BAR      40 /* columns of the histogram, and of the progress */
#define PROGRESS 20

struct run {
  const struct arguments *arguments;
  const char *name;
  pool_t *pool; /* NULL: without one */
  pool_vtable_t vtable;
  void *context;
  _Atomic bool over;
  int64_t took_ns;
  pthread_mutex_t lock;
  pool_error_t error; /* the first failure, under the lock */
  struct hand *hands;
};

struct hand {
  struct run *run;
  pthread_t thread;
  struct spread spread;
  _Atomic int64_t uses, failures;
};

/* ---- a thread ---- */

static void hold(const struct arguments *arguments)
{
  int64_t ns = arguments->hold_us * 1000;
  if (ns > 0)
    nanosleep(&(struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000}, NULL);
}

static pool_bytes_t bytes_of(const char *text)
{
  return (pool_bytes_t){(char *)(text ? text : ""), text ? strlen(text) : 0};
}

static int64_t deadline(const struct arguments *arguments)
{
  return clock_now() + arguments->timeout_ms * 1000000;
}

static int use_lease(struct hand *hand, pool_lease_t lease, pool_error_t *error)
{
  const struct arguments *arguments = hand->run->arguments;
  pool_bytes_t reply = {NULL, 0};
  int code = 0;
  if (arguments->method)
    code = pool_call(lease, arguments->method, bytes_of(arguments->with), &reply, error);
  pool_bytes_free(&reply);
  hold(arguments);
  return code;
}

static int borrow(struct hand *hand, pool_error_t *error)
{
  int64_t began = clock_now();
  pool_lease_t lease = pool_get(hand->run->pool);
  if (lease < 0)
    return pool_failure(error);
  spread_add(&hand->spread, clock_now() - began);
  int code = use_lease(hand, lease, error);
  pool_put(lease);
  return code;
}

static int use_connection(struct hand *hand, void *conn, pool_error_t *error)
{
  struct run *run = hand->run;
  const struct arguments *arguments = run->arguments;
  pool_bytes_t reply = {NULL, 0};
  int code = 0;
  if (arguments->method)
    code = run->vtable.call(run->context, conn, arguments->method, bytes_of(arguments->with), &reply,
                            deadline(arguments), error);
  pool_bytes_free(&reply);
  hold(arguments);
  return code;
}

static int open_one(struct hand *hand, pool_error_t *error)
{
  struct run *run = hand->run;
  void *conn = NULL;
  pool_error_t ignored = POOL_ERROR_INIT;
  int64_t began = clock_now();
  int code = run->vtable.open(run->context, deadline(run->arguments), &conn, error);
  if (code)
    return code;
  spread_add(&hand->spread, clock_now() - began);
  code = use_connection(hand, conn, error);
  run->vtable.close(run->context, conn, &ignored);
  return code;
}

static void note_failure(struct hand *hand, const pool_error_t *error)
{
  struct run *run = hand->run;
  hand->failures++;
  pthread_mutex_lock(&run->lock);
  if (run->error.code == 0)
    run->error = *error;
  pthread_mutex_unlock(&run->lock);
  nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); /* a server that refuses is not flooded */
}

/* At least one use, however short the run is. */
static void *work(void *data)
{
  struct hand *hand = data;
  do {
    pool_error_t error = POOL_ERROR_INIT;
    int code = hand->run->pool ? borrow(hand, &error) : open_one(hand, &error);
    error.code = code;
    if (code)
      note_failure(hand, &error);
    else
      hand->uses++;
  } while (!atomic_load_explicit(&hand->run->over, memory_order_relaxed));
  return NULL;
}

/* ---- a run ---- */

struct sum {
  struct spread spread;
  int64_t uses, failures;
};

static void add_up(const struct run *run, struct sum *sum)
{
  *sum = (struct sum){0};
  for (int64_t i = 0; i < run->arguments->threads; i++) {
    spread_merge(&sum->spread, &run->hands[i].spread);
    sum->uses += run->hands[i].uses;
    sum->failures += run->hands[i].failures;
  }
}

/* One line that is written over, on a terminal. */
static void show_progress(const struct run *run, struct sum *sum, int64_t took_ns)
{
  char p50[SAY_TIME_ROOM], p99[SAY_TIME_ROOM], bar[PROGRESS + 1];
  int64_t all_ns = run->arguments->duration_ms * 1000000;
  size_t done = took_ns < all_ns ? (size_t)(took_ns * PROGRESS / all_ns) : PROGRESS;
  add_up(run, sum);
  memset(bar, '.', PROGRESS);
  memset(bar, '#', done);
  bar[PROGRESS] = 0;
  fprintf(stderr, "\r%-9s [%s] %10.0f/s  p50 %s  p99 %s  failures %" PRId64 "\033[K", run->name, bar,
          (double)sum->uses * 1e9 / (double)took_ns, say_time(p50, spread_quantile(&sum->spread, 500)),
          say_time(p99, spread_quantile(&sum->spread, 990)), sum->failures);
}

static void wait_for_end(struct run *run, int64_t began, struct sum *sum)
{
  bool live = say_may_move(stderr);
  int64_t end = began + run->arguments->duration_ms * 1000000;
  for (int64_t now; (now = clock_now()) < end;) {
    int64_t step = end - now < 100000000 ? end - now : 100000000;
    nanosleep(&(struct timespec){.tv_nsec = (long)step}, NULL);
    if (live)
      show_progress(run, sum, clock_now() - began);
  }
  if (live)
    fputs("\r\033[K", stderr);
}

/* Returns how many threads there are. */
static int64_t start(struct run *run)
{
  int64_t count = run->arguments->threads;
  for (int64_t i = 0; i < count; i++) {
    run->hands[i].run = run;
    int error = pthread_create(&run->hands[i].thread, NULL, work, &run->hands[i]);
    if (error) {
      say_failure(EXIT_FAILED, "only %" PRId64 " of %" PRId64 " threads can be started: %s", i, count, strerror(error));
      return i;
    }
  }
  return count;
}

static bool do_run(struct run *run, struct sum *sum)
{
  run->hands = calloc((size_t)run->arguments->threads, sizeof *run->hands);
  if (!run->hands)
    return false;
  int64_t began = clock_now(), threads = start(run);
  if (threads == run->arguments->threads)
    wait_for_end(run, began, sum);
  atomic_store(&run->over, true);
  for (int64_t i = 0; i < threads; i++)
    pthread_join(run->hands[i].thread, NULL);
  run->took_ns = clock_now() - began;
  add_up(run, sum);
  free(run->hands);
  return threads == run->arguments->threads;
}

/* ---- what came of it ---- */

static const struct quantile {
  const char *name;
  double permille;
} quantiles[] = {{"p50", 500}, {"p90", 900}, {"p99", 990}, {"p99.9", 999}};

#define QUANTILES (sizeof quantiles / sizeof *quantiles)

static double rate_of(const struct run *run, const struct sum *sum)
{
  return (double)sum->uses * 1e9 / (double)run->took_ns;
}

static json_t *describe(const struct run *run, const struct sum *sum)
{
  json_t *one =
      json_pack("{s:s, s:I, s:I, s:I, s:f}", "run", run->name, "uses", (json_int_t)sum->uses, "failures",
                (json_int_t)sum->failures, "took_ns", (json_int_t)run->took_ns, "uses_per_second", rate_of(run, sum));
  json_t *wait = json_object(), *buckets = json_array();
  for (size_t i = 0; i < QUANTILES; i++)
    json_object_set_new(wait, quantiles[i].name, json_integer(spread_quantile(&sum->spread, quantiles[i].permille)));
  json_object_set_new(wait, "max", json_integer(sum->spread.most_ns));
  for (int64_t from = 16; from < INT64_C(1) << 40; from *= 2) {
    int64_t count = spread_between(&sum->spread, from, from * 2);
    if (count > 0)
      json_array_append_new(buckets, json_pack("{s:I, s:I, s:I}", "from_ns", (json_int_t)from, "to_ns",
                                               (json_int_t)from * 2, "count", (json_int_t)count));
  }
  json_object_set_new(one, "wait_ns", wait);
  json_object_set_new(one, "histogram", buckets);
  if (run->error.code)
    json_object_set_new(one, "first_failure", json_string(run->error.message));
  return one;
}

static void print_line(const struct run *run, const struct sum *sum)
{
  char took[SAY_TIME_ROOM];
  printf("%-9s %12.0f", run->name, rate_of(run, sum));
  for (size_t i = 0; i < QUANTILES; i++)
    printf(" %9s", say_time(took, spread_quantile(&sum->spread, quantiles[i].permille)));
  printf(" %9s %9" PRId64 "\n", say_time(took, sum->spread.most_ns), sum->failures);
}

static void print_histogram(const struct run *run, const struct sum *sum)
{
  int64_t all = spread_count(&sum->spread);
  printf("\n%s: how long a thread waited for a connection\n", run->name);
  for (int64_t from = 16; all > 0 && from < INT64_C(1) << 40; from *= 2) {
    char at[SAY_TIME_ROOM];
    int64_t count = spread_between(&sum->spread, from, from * 2);
    if (count == 0)
      continue;
    printf("%12s %6.2f %% ", say_time(at, from), (double)count * 100 / (double)all);
    for (int64_t i = 0; i < (count * BAR + all - 1) / all; i++)
      putchar('#');
    putchar('\n');
  }
}

static void print_all(const struct run *runs, const struct sum *sums, int count)
{
  printf("%-9s %12s %9s %9s %9s %9s %9s %9s\n", "", "uses/s", "p50", "p90", "p99", "p99.9", "max", "failures");
  for (int i = 0; i < count; i++)
    print_line(&runs[i], &sums[i]);
  if (count == 2 && sums[0].uses > 0 && sums[1].uses > 0)
    printf("The pool is %.1f times as fast.\n", rate_of(&runs[0], &sums[0]) / rate_of(&runs[1], &sums[1]));
  for (int i = 0; i < count; i++)
    print_histogram(&runs[i], &sums[i]);
}

static int report(const struct arguments *arguments, const struct run *runs, const struct sum *sums, int count)
{
  int code = EXIT_OK;
  if (arguments->json) {
    json_t *list = json_array();
    for (int i = 0; i < count; i++)
      json_array_append_new(list, describe(&runs[i], &sums[i]));
    say_json(json_pack("{s:I, s:I, s:o}", "threads", (json_int_t)arguments->threads, "hold_us",
                       (json_int_t)arguments->hold_us, "runs", list));
  } else
    print_all(runs, sums, count);
  for (int i = 0; i < count; i++)
    if (sums[i].failures > 0)
      code = say_failure(EXIT_FAILED, "%s: %" PRId64 " uses failed; the first: %s", runs[i].name, sums[i].failures,
                         runs[i].error.message);
  return code;
}

static int run_both(const struct arguments *arguments, struct run *runs)
{
  static struct sum sums[2]; /* large */
  int count = arguments->alone ? 1 : 2;
  for (int i = 0; i < count; i++)
    if (!do_run(&runs[i], &sums[i]))
      return EXIT_FAILED;
  return report(arguments, runs, sums, count);
}

static int refuse(const pool_error_t *error)
{
  return say_failure(lend_exit_code(error->code), "%s", error->message);
}

int bench_run(const struct arguments *arguments)
{
  static struct run runs[2] = {{.name = "pool", .vtable = POOL_VTABLE_INIT, .lock = PTHREAD_MUTEX_INITIALIZER},
                               {.name = "no pool", .vtable = POOL_VTABLE_INIT, .lock = PTHREAD_MUTEX_INITIALIZER}};
  pool_error_t error = POOL_ERROR_INIT;
  int code = pool_url_prepare(arguments->url, NULL, &runs[1].vtable, &runs[1].context, &error);
  if (code)
    return refuse(&error);
  runs[0].arguments = runs[1].arguments = arguments;
  code = lend_open(arguments, (int32_t)arguments->threads, &runs[0].pool, &error);
  if (code)
    code = refuse(&error);
  else if (arguments->method && !runs[1].vtable.call)
    code = say_failure(EXIT_FAILED, "the driver of this URL cannot call; leave --method out");
  else
    code = run_both(arguments, runs);
  if (runs[0].pool)
    pool_close(runs[0].pool, 1000);
  pool_free(runs[0].pool);
  if (runs[1].vtable.release)
    runs[1].vtable.release(runs[1].context);
  return code;
}
