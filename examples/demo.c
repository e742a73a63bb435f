/* SPDX-License-Identifier: MIT */
/*
 * Many threads call an arithmetic server over a few pooled connections, and every product is checked.
 *
 * The server runs in this very program unless another one is named with --server.  Each call gets a
 * connection and puts it back.  Every second call waits for its reply in pool_call(); the others are started
 * with pool_go(), and of those every second one puts its lease back while the call is still under way.
 *
 *   cc demo.c arith_server.c $(pkg-config --cflags --libs pool jansson) -pthread -o demo && ./demo
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <pool/driver.h>
#include <pool/pool.h>

#include "arith_server.h"

#define CALLS_LIMIT   10000000
#define THREADS_LIMIT 256
#define ERRORS_LIMIT  10 /* a server that went away fails every call: enough is enough */
#define FLIGHTS       4  /* calls that a thread keeps under way at most */

#define QUESTION_SIZE 64

enum { EXIT_USAGE = 2 };

struct options {
  const char *server;
  long calls;
  long threads;
};

struct demo {
  const struct options *options;
  pool_t *pool;
  int64_t *latencies; /* of the calls that ended, in that order */
  _Atomic long ended;
  _Atomic long errors;
  _Atomic long running;                        /* threads */
  char first_error[sizeof(pool_error_t) + 64]; /* read when all threads have ended */
};

struct flight {
  struct worker *worker;
  long number;
  int64_t began_ns;
  bool under_way;
};

struct worker {
  struct demo *demo;
  pthread_t thread;
  bool started;
  long first, end; /* the calls that are its task, by number */
  pthread_mutex_t lock;
  pthread_cond_t landed;
  struct flight flights[FLIGHTS];
};

static int64_t now_ns(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- what is asked and what is answered ---- */

static int64_t factor(long number)
{
  return number % 97 - 48;
}

/* The bytes are those of the buffer. */
static pool_bytes_t ask(char question[QUESTION_SIZE], long number)
{
  int length = snprintf(question, QUESTION_SIZE, "{\"A\":%ld,\"B\":%" PRId64 "}", number, factor(number));
  return (pool_bytes_t){question, (size_t)length};
}

static bool is_product(pool_bytes_t reply, long number)
{
  char text[32] = "";
  char *end = text;
  if (reply.size == 0 || reply.size >= sizeof text)
    return false;
  memcpy(text, reply.data, reply.size);
  return strtoll(text, &end, 10) == number * factor(number) && end == text + reply.size;
}

static void note_error(struct demo *demo, long number, const char *what)
{
  if (atomic_fetch_add(&demo->errors, 1) == 0)
    snprintf(demo->first_error, sizeof demo->first_error, "call %ld: %s", number, what);
}

/* Takes the reply.  The message is that of a failed call. */
static void end_call(struct demo *demo, long number, int64_t began_ns, pool_bytes_t reply, const char *message)
{
  demo->latencies[atomic_fetch_add(&demo->ended, 1)] = now_ns() - began_ns;
  if (message)
    note_error(demo, number, message);
  else if (!is_product(reply, number))
    note_error(demo, number, "the product is wrong");
  pool_bytes_free(&reply);
}

/* ---- pool_call ---- */

static void call_and_wait(struct demo *demo, long number)
{
  char question[QUESTION_SIZE];
  pool_bytes_t reply = {NULL, 0};
  pool_error_t error = POOL_ERROR_INIT;
  int64_t began_ns = now_ns();
  pool_lease_t lease = pool_get(demo->pool);
  int64_t code = lease < 0 ? lease : pool_call(lease, "Arith.Mul", ask(question, number), &reply, NULL);
  if (code < 0)
    pool_failure(&error);
  end_call(demo, number, began_ns, reply, code < 0 ? error.message : NULL);
  if (lease > 0)
    pool_put(lease);
}

/* ---- pool_go ---- */

static void land(struct flight *flight)
{
  struct worker *worker = flight->worker;
  pthread_mutex_lock(&worker->lock);
  flight->under_way = false;
  pthread_cond_signal(&worker->landed);
  pthread_mutex_unlock(&worker->lock);
}

/* Runs on a thread of the driver. */
static void reply_came(void *user, int32_t code, pool_bytes_t reply)
{
  struct flight *flight = user;
  end_call(flight->worker->demo, flight->number, flight->began_ns, reply, code < 0 ? pool_strerror(code) : NULL);
  land(flight);
}

static void wait_for(struct flight *flight)
{
  struct worker *worker = flight->worker;
  pthread_mutex_lock(&worker->lock);
  while (flight->under_way)
    pthread_cond_wait(&worker->landed, &worker->lock);
  pthread_mutex_unlock(&worker->lock);
}

static void call_in_flight(struct flight *flight, long number, bool put_at_once)
{
  struct demo *demo = flight->worker->demo;
  char question[QUESTION_SIZE];
  wait_for(flight);
  flight->under_way = true;
  flight->number = number;
  flight->began_ns = now_ns();
  pool_lease_t lease = pool_get(demo->pool);
  int64_t code = lease < 0 ? lease : pool_go(lease, "Arith.Mul", ask(question, number), reply_came, flight);
  if (code < 0) {
    pool_error_t error = POOL_ERROR_INIT;
    pool_failure(&error);
    end_call(demo, number, flight->began_ns, (pool_bytes_t){NULL, 0}, error.message);
    land(flight);
  }
  if (!put_at_once)
    wait_for(flight);
  if (lease > 0)
    pool_put(lease);
}

/* ---- the threads ---- */

static void *work(void *data)
{
  struct worker *worker = data;
  struct demo *demo = worker->demo;
  for (long number = worker->first; number < worker->end && atomic_load(&demo->errors) < ERRORS_LIMIT; number++) {
    if (number % 2 == 0)
      call_and_wait(demo, number);
    else
      call_in_flight(&worker->flights[number / 4 % FLIGHTS], number, number % 4 == 3);
  }
  for (int i = 0; i < FLIGHTS; i++)
    wait_for(&worker->flights[i]);
  atomic_fetch_sub(&demo->running, 1);
  return NULL;
}

static void worker_start(struct worker *worker, struct demo *demo, long index)
{
  const struct options *options = demo->options;
  worker->demo = demo;
  worker->first = options->calls * index / options->threads;
  worker->end = options->calls * (index + 1) / options->threads;
  pthread_mutex_init(&worker->lock, NULL);
  pthread_cond_init(&worker->landed, NULL);
  for (int i = 0; i < FLIGHTS; i++)
    worker->flights[i].worker = worker;
  atomic_fetch_add(&demo->running, 1);
  int code = pthread_create(&worker->thread, NULL, work, worker);
  worker->started = code == 0;
  if (code) {
    atomic_fetch_sub(&demo->running, 1);
    note_error(demo, worker->first, strerror(code));
  }
}

static void worker_end(struct worker *worker)
{
  if (worker->started)
    pthread_join(worker->thread, NULL);
  pthread_cond_destroy(&worker->landed);
  pthread_mutex_destroy(&worker->lock);
}

/* ---- progress ---- */

static void show_bar(int percent, int *shown)
{
  static const char full[] = "##################################################";
  if (percent == *shown)
    return;
  printf("\r[%-50.*s] %3d %%", percent / 2, full, percent);
  *shown = percent;
}

static void show_lines(int percent, int *shown)
{
  while (*shown + 10 <= percent) {
    *shown += 10;
    printf("%d %% done\n", *shown);
  }
}

static void watch(struct demo *demo)
{
  bool terminal = isatty(STDOUT_FILENO);
  bool running = true;
  int shown = 0;
  while (running) {
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    /* In this order, so that the last look sees all that the threads did. */
    running = atomic_load(&demo->running) > 0;
    int percent = (int)(atomic_load(&demo->ended) * 100 / demo->options->calls);
    (terminal ? show_bar : show_lines)(percent, &shown);
    fflush(stdout);
  }
  if (terminal)
    puts("");
}

/* ---- the report ---- */

static int compare(const void *left, const void *right)
{
  int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
  return (a > b) - (a < b);
}

static double percentile_ms(const int64_t *sorted_ns, long count, long percent)
{
  return count == 0 ? 0 : (double)sorted_ns[(count * percent + 99) / 100 - 1] / 1e6;
}

static void report(struct demo *demo)
{
  pool_stats_t stats = POOL_STATS_INIT;
  long ended = atomic_load(&demo->ended), errors = atomic_load(&demo->errors);
  pool_stats(demo->pool, &stats);
  qsort(demo->latencies, (size_t)ended, sizeof *demo->latencies, compare);
  printf("\n%-20s %12ld\n%-20s %12ld\n%-20s %12" PRId64 "\n", "calls", ended, "errors", errors, "connections opened",
         stats.opened);
  printf("%-20s %9.3f ms%s\n", "longest wait", (double)stats.wait_max_ns / 1e6,
         stats.wait_max_ns == 0 ? " (no get had to wait)" : "");
  printf("%-20s %9.3f ms\n", "p50 latency", percentile_ms(demo->latencies, ended, 50));
  printf("%-20s %9.3f ms\n\n", "p99 latency", percentile_ms(demo->latencies, ended, 99));
  fflush(stdout);
  if (errors > 0)
    fprintf(stderr, "demo: the first error was: %s\n", demo->first_error);
  printf("demo: %ld calls, %ld errors, %" PRId64 " connections opened\n", ended, errors, stats.opened);
}

/* ---- from pool to server to program ---- */

static int run_workers(struct demo *demo)
{
  long threads = demo->options->threads;
  struct worker *workers = calloc((size_t)threads, sizeof *workers);
  demo->latencies = calloc((size_t)demo->options->calls, sizeof *demo->latencies);
  if (workers && demo->latencies) {
    for (long i = 0; i < threads; i++)
      worker_start(&workers[i], demo, i);
    watch(demo);
    for (long i = 0; i < threads; i++)
      worker_end(&workers[i]);
    report(demo);
  } else {
    note_error(demo, 0, "no memory");
    fprintf(stderr, "demo: no memory for %ld calls\n", demo->options->calls);
  }
  free(demo->latencies);
  free(workers);
  return atomic_load(&demo->errors) > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run_pool(const struct options *options, const char *address)
{
  struct demo demo = {.options = options};
  pool_config_t config = POOL_CONFIG_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  config.name = "demo";
  config.initial = 5;
  config.max_idle = 30;
  config.get_timeout_ms = 5000;
  config.call_timeout_ms = 10000;
  int code = pool_create_driver(&config, "jsonrpc", address, &demo.pool, &error);
  if (code) {
    bool unreachable = code == POOL_E_OPEN || code == POOL_E_TIMEOUT;
    fprintf(stderr, "demo: %s %s: %s\n", unreachable ? "cannot reach the server at" : "cannot make a pool for", address,
            error.message);
    return code == POOL_E_INVALID ? EXIT_USAGE : EXIT_FAILURE;
  }
  int status = run_workers(&demo);
  if (pool_close(demo.pool, 5000) != 0)
    fprintf(stderr, "demo: connections are still open\n");
  pool_free(demo.pool);
  return status;
}

static int run(const struct options *options)
{
  struct arith_server *server;
  char address[ARITH_SERVER_ADDRESS_SIZE];
  if (options->server)
    return run_pool(options, options->server);
  int code = arith_server_start(&server, 0, address, sizeof address);
  if (code) {
    fprintf(stderr, "demo: cannot start the arithmetic server: %s\n", strerror(code));
    return EXIT_FAILURE;
  }
  int status = run_pool(options, address);
  arith_server_stop(server);
  return status;
}

static const char usage[] =
    "usage: demo [--server HOST:PORT] [--calls N] [--threads N]\n"
    "\n"
    "Calls Arith.Mul of a JSON-RPC server over a pool of connections and checks every product.\n"
    "\n"
    "  --server HOST:PORT  talk to this server instead of one inside this program\n"
    "  --calls N           make so many calls in all (20000)\n"
    "  --threads N         from so many threads (8)\n"
    "  --help              print this\n";

/* Exits if the text is no number that makes sense. */
static long read_number(const char *option, const char *text, long limit)
{
  char *end;
  errno = 0;
  long number = strtol(text, &end, 10);
  if (errno == 0 && end != text && *end == 0 && number >= 1 && number <= limit)
    return number;
  fprintf(stderr, "demo: %s takes a number from 1 to %ld, not '%s'\n", option, limit, text);
  exit(EXIT_USAGE);
}

static void read_options(int argc, char **argv, struct options *options)
{
  static const struct option known[] = {{"server", required_argument, NULL, 's'},
                                        {"calls", required_argument, NULL, 'c'},
                                        {"threads", required_argument, NULL, 't'},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};
  for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
    switch (option) {
    case 's':
      options->server = optarg;
      break;
    case 'c':
      options->calls = read_number("--calls", optarg, CALLS_LIMIT);
      break;
    case 't':
      options->threads = read_number("--threads", optarg, THREADS_LIMIT);
      break;
    case 'h':
      fputs(usage, stdout);
      exit(EXIT_SUCCESS);
    default: /* getopt_long has said what is wrong */
      fputs(usage, stderr);
      exit(EXIT_USAGE);
    }
  }
  if (optind < argc) {
    fprintf(stderr, "demo: unexpected argument '%s'\n%s", argv[optind], usage);
    exit(EXIT_USAGE);
  }
}

int main(int argc, char **argv)
{
  struct options options = {.server = NULL, .calls = 20000, .threads = 8};
  read_options(argc, argv, &options);
  return run(&options);
}
