/* SPDX-License-Identifier: MIT */
/*
 * What a pool of PostgreSQL connections costs beside libpq alone, in the same rounds, and how soon callers are served
 * again after the server was killed.  The program starts a server for itself, on a Unix socket in a temporary folder.
 */
#include <getopt.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include <pool/driver.h>

#include "load.h"
#include "postgres_server.h"
#include "report.h"
#include "rounds.h"

#define FEW     8
#define MANY    64
#define CALLERS 20
#define RUNS    3

#define STATEMENTS 20000
#define WARM_UP    2000

#define MS_NS    INT64_C(1000000)
#define UP_MS    300
#define DOWN_MS  500
#define BACK_MS  1500
#define PAUSE_NS MS_NS /* of a caller that failed */

static struct postgres postgres;
static struct rounds rounds = {.count = 15, .ms = 200};

/* ---- connections ---- */

static PGconn *connect_now(void)
{
  char port[16];
  snprintf(port, sizeof port, "%d", postgres.port);
  return PQsetdbLogin(postgres.server.folder, port, NULL, NULL, "postgres", POSTGRES_USER, NULL);
}

static bool select_one(PGconn *conn)
{
  PGresult *result = PQexec(conn, "SELECT 1");
  bool good = PQresultStatus(result) == PGRES_TUPLES_OK;
  PQclear(result);
  return good;
}

static pool_t *pool_of(int connections, const char *settings)
{
  char url[300];
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool;
  snprintf(url, sizeof url,
           "postgres:///postgres?user=" POSTGRES_USER "&host=%s&port=%d&pool.initial=%d"
           "&pool.max_open=%d%s",
           postgres.server.folder, postgres.port, connections, connections, settings);
  if (pool_open(url, &pool, &error) != 0)
    give_up("no pool: %s", error.message);
  return pool;
}

static void end(pool_t *pool)
{
  pool_close(pool, -1);
  pool_free(pool);
}

/* ---- a pooled statement beside a bare one ---- */

/* The thread keeps one connection of the pool for the whole round, so both sides talk to the same server processes. */
static int64_t use_bare(void *subject, int thread, const atomic_bool *stop)
{
  int64_t done = 0;
  (void)thread;
  pool_lease_t lease = pool_get(subject);
  PGconn *conn = pool_conn(lease);
  for (; !atomic_load(stop); done++)
    if (!conn || !select_one(conn))
      give_up("a bare statement failed: %s", PQerrorMessage(conn));
  pool_put(lease);
  return done;
}

static int64_t use_pooled(void *subject, int thread, const atomic_bool *stop)
{
  int64_t done = 0;
  (void)thread;
  for (; !atomic_load(stop); done++) {
    pool_lease_t lease = pool_get(subject);
    if (lease < 0 || !select_one(pool_conn(lease)) || pool_put(lease) != 0)
      give_up("a pooled statement failed: %s", pool_strerror(pool_failure(NULL)));
  }
  return done;
}

static struct comparison compare_with_bare(int bare_threads, int pooled_threads, const char *settings)
{
  pool_t *pool = pool_of(bare_threads, settings);
  struct comparison result =
      compare((struct side){use_bare, pool, bare_threads}, (struct side){use_pooled, pool, pooled_threads}, rounds);
  end(pool);
  return result;
}

static double took_us(int64_t begun)
{
  return (double)(now_ns() - begun) / 1e3;
}

/* One after the other on the same connection, and medians of single statements: what else the machine does meets both
   alike, and does not count for much. */
static void one_by_one(void)
{
  static double bare_us[STATEMENTS], pooled_us[STATEMENTS], pool_us[STATEMENTS];
  pool_t *pool = pool_of(1, "");
  for (int i = -WARM_UP; i < STATEMENTS; i++) {
    int at = i < 0 ? 0 : i;
    pool_lease_t lease = pool_get(pool);
    int64_t begun = now_ns();
    bool good = select_one(pool_conn(lease));
    bare_us[at] = took_us(begun);
    pool_put(lease);
    begun = now_ns();
    lease = pool_get(pool);
    good = select_one(pool_conn(lease)) && good;
    pool_put(lease);
    pooled_us[at] = took_us(begun);
    begun = now_ns();
    pool_put(pool_get(pool));
    pool_us[at] = took_us(begun);
    if (!good)
      give_up("a statement failed");
  }
  double bare = median(bare_us, STATEMENTS), pooled = median(pooled_us, STATEMENTS);
  report_only("postgres.select_1.bare", bare, "us");
  report_only("postgres.select_1.pooled", pooled, "us");
  report_only("postgres.get_put", median(pool_us, STATEMENTS), "us");
  report_at_most("postgres.select_1", 100 * pooled / bare - 100, "% more", 3);
  end(pool);
}

static void cost(void)
{
  one_by_one();
  struct comparison few = compare_with_bare(FEW, FEW, "");
  report_only("postgres.8_threads_8_connections", few.ratio, "of bare");
  /* What it costs that each lease goes to another thread, and how little it costs where that is seldom. */
  struct comparison strict = compare_with_bare(FEW, MANY, "&pool.fairness_us=0");
  report_only("postgres.64_threads_over_8.fairness_us=0", strict.ratio, "of 8 with one each");
  struct comparison loose = compare_with_bare(FEW, MANY, "&pool.fairness_us=20000");
  report_only("postgres.64_threads_over_8.fairness_us=20000", loose.ratio, "of 8 with one each");
  struct comparison many = compare_with_bare(FEW, MANY, "");
  report_only("postgres.8_bare", many.first, "per s");
  report_only("postgres.64_over_8", many.second, "per s");
  report_at_least("postgres.64_threads_over_8", many.ratio, "of 8 with one each", 0.97);
}

/* ---- an outage ---- */

struct outage {
  pool_t *pool;
  _Atomic int64_t returned_ns; /* when the server took connections again; 0: it has not yet */
  int64_t recovered_ns[CALLERS];
};

static bool get_and_select(struct outage *outage)
{
  pool_lease_t lease = pool_get(outage->pool);
  if (lease < 0)
    return false;
  bool good = select_one(pool_conn(lease));
  if (!good)
    pool_mark_broken(lease);
  pool_put(lease);
  return good;
}

/* A shift (rounds.h). */
static int64_t call_on(void *subject, int caller, const atomic_bool *stop)
{
  struct outage *outage = subject;
  int64_t done = 0;
  while (!atomic_load(stop)) {
    bool good = get_and_select(outage);
    done += good;
    if (!good)
      sleep_ns(PAUSE_NS);
    else if (atomic_load(&outage->returned_ns) != 0 && outage->recovered_ns[caller] == 0)
      outage->recovered_ns[caller] = now_ns();
  }
  return done;
}

static void *work_of_callers(void *data)
{
  struct crew *crew = data;
  crew_work(crew, UP_MS + DOWN_MS + BACK_MS);
  return NULL;
}

static void await_return(void)
{
  bool up = false;
  while (!up) {
    PGconn *conn = connect_now();
    up = PQstatus(conn) == CONNECTION_OK;
    PQfinish(conn);
    if (!up)
      sleep_ns(PAUSE_NS);
  }
}

/* On the thread that started the server, for the server ends with it. */
static void go_down_and_return(struct outage *outage)
{
  sleep_ns(UP_MS * MS_NS);
  server_kill(&postgres.server);
  sleep_ns(DOWN_MS * MS_NS);
  postgres_launch(&postgres);
  await_return();
  atomic_store(&outage->returned_ns, now_ns());
}

static double recovery_ms(const struct outage *outage)
{
  int64_t longest_ns = 0;
  for (int i = 0; i < CALLERS; i++) {
    int64_t recovered_ns = outage->recovered_ns[i];
    int64_t ns = recovered_ns ? recovered_ns - outage->returned_ns : BACK_MS * MS_NS;
    longest_ns = ns > longest_ns ? ns : longest_ns;
  }
  return (double)longest_ns / 1e6;
}

/* 20 callers are at it while the server is killed and comes back. */
static void failover_under_load(void)
{
  double recoveries_ms[RUNS];
  int64_t failed_checks = 0;
  for (int i = 0; i < RUNS; i++) {
    struct outage outage = {.pool = pool_of(CALLERS, "&pool.retry_min_ms=10&pool.retry_max_ms=50&pool.breaker_after=3"
                                                     "&pool.get_timeout_ms=1000")};
    struct crew *crew = crew_hire(CALLERS, call_on, &outage);
    pthread_t work;
    pthread_create(&work, NULL, work_of_callers, crew);
    go_down_and_return(&outage);
    pthread_join(work, NULL);
    crew_dismiss(crew);
    recoveries_ms[i] = recovery_ms(&outage);
    pool_stats_t stats = {.size = sizeof stats};
    pool_stats(outage.pool, &stats);
    failed_checks += stats.check_failures;
    end(outage.pool);
  }
  report_only("postgres.failover.recovery.median", median(recoveries_ms, RUNS), "ms");
  report_at_most("postgres.failover.recovery", recoveries_ms[RUNS - 1], "ms, longest", 250);
  report_only("postgres.failover.failed_checks", (double)failed_checks / RUNS, "in an outage");
}

/* 20 connections are idle while the server is killed and comes back. */
static void failover_while_idle(void)
{
  pool_t *pool = pool_of(CALLERS, "&pool.check_after_ms=0");
  struct outage outage = {.pool = pool};
  int good = 0;
  server_kill(&postgres.server);
  postgres_start(&postgres);
  int64_t began = now_ns();
  for (int i = 0; i < CALLERS; i++)
    good += get_and_select(&outage);
  pool_stats_t stats = {.size = sizeof stats};
  pool_stats(pool, &stats);
  report_at_least("postgres.idle_failover.served", good, "of 20 gets", CALLERS);
  report_at_most("postgres.idle_failover.failed_checks", (double)stats.check_failures, "of 20 connections", 1);
  report_only("postgres.idle_failover.time", (double)(now_ns() - began) / 1e6, "ms for 20 gets");
  end(pool);
}

/* ---- the command line ---- */

static _Noreturn void refuse(void)
{
  fprintf(stderr, "usage: bench_postgres [--json FILE] [--rounds N] [--round-ms N]\n");
  exit(2);
}

static int64_t number(const char *text)
{
  char *last;
  long value = strtol(text, &last, 10);
  if (last == text || *last || value < 1 || value > 60000)
    refuse();
  return value;
}

/* Returns where the JSON goes, or NULL. */
static const char *understand(int argc, char **argv)
{
  static const struct option options[] = {{"json", required_argument, NULL, 'j'},
                                          {"rounds", required_argument, NULL, 'r'},
                                          {"round-ms", required_argument, NULL, 'm'},
                                          {NULL, 0, NULL, 0}};
  const char *json = NULL;
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
    if (option == 'j')
      json = optarg;
    else if (option == 'r')
      rounds.count = (int)number(optarg);
    else if (option == 'm')
      rounds.ms = number(optarg);
    else
      refuse();
  if (optind < argc)
    refuse();
  return json;
}

int main(int argc, char **argv)
{
  const char *json = understand(argc, argv);
  prctl(PR_SET_TIMERSLACK, 1UL);
  struct load before = load_now();
  postgres_make(&postgres);
  postgres_start(&postgres);
  report_begin();
  cost();
  failover_while_idle();
  failover_under_load();
  report_only("load_of_others", load_of_others_since(&before), "processors"); /* the server's own included */
  postgres_remove(&postgres);
  if (json && report_write(json) != 0)
    give_up("cannot write %s", json);
  return 0;
}
