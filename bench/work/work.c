/* SPDX-License-Identifier: MIT */
/*
 * Real work in C: many threads share few connections of PostgreSQL and of Redis, lent by libpool and by a mutex with a
 * stack.  bench/work/run starts the servers and says what a line of the output is.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>
#include <libpq-fe.h>

#include "naive.h"
#include "nothing.h"
#include "rounds.h"

#define THREADS     64
#define CONNECTIONS 8
#define MOST_USES   (1 << 17) /* of a thread in a round */
#define BASE        10

/* What is on the other side. */
struct server {
  const char *name;
  void *(*connect)(void);
  void (*disconnect)(void *conn);
  bool (*ask)(void *conn);
};

/* One thread's times of one round, in nanoseconds. */
struct uses {
  int64_t count;
  double *ns;
};

struct contest {
  const struct server *server;
  pool_t *pool;
  struct naive naive;
  struct uses uses[THREADS];
};

/* ---- servers ---- */

static void *connect_postgres(void)
{
  PGconn *conn = PQconnectdb("dbname=postgres"); /* the rest is in the environment */
  if (PQstatus(conn) != CONNECTION_OK)
    give_up("no connection to PostgreSQL: %s", PQerrorMessage(conn));
  return conn;
}

static void disconnect_postgres(void *conn)
{
  PQfinish(conn);
}

static bool select_one(void *conn)
{
  PGresult *result = PQexec(conn, "SELECT 1");
  bool good = PQresultStatus(result) == PGRES_TUPLES_OK;
  PQclear(result);
  return good;
}

static void *connect_redis(void)
{
  const char *port = getenv("REDIS_PORT");
  redisContext *conn = redisConnect("127.0.0.1", port ? (int)strtol(port, NULL, BASE) : 0);
  if (!conn || conn->err)
    give_up("no connection to Redis: %s", conn ? conn->errstr : "no memory");
  return conn;
}

static void disconnect_redis(void *conn)
{
  redisFree(conn);
}

static bool ping(void *conn)
{
  redisReply *reply = redisCommand(conn, "PING");
  bool good = reply && reply->type == REDIS_REPLY_STATUS;
  freeReplyObject(reply);
  return good;
}

static const struct server servers[] = {{"PostgreSQL", connect_postgres, disconnect_postgres, select_one},
                                        {"Redis", connect_redis, disconnect_redis, ping}};

/* ---- contenders ---- */

static int open_server(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  const struct server *server = context;
  (void)deadline_ns, (void)error;
  *conn = server->connect();
  return 0;
}

static int close_server(void *context, void *conn, pool_error_t *error)
{
  const struct server *server = context;
  (void)error;
  server->disconnect(conn);
  return 0;
}

static pool_t *pool_of_server(const struct server *server)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.initial = config.max_open = CONNECTIONS;
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  vtable.open = open_server;
  vtable.close = close_server;
  return pool_of(&config, vtable, (void *)server);
}

static bool ask_by_libpool(struct contest *contest)
{
  pool_lease_t lease = pool_get(contest->pool);
  return lease >= 0 && contest->server->ask(pool_conn(lease)) && pool_put(lease) == 0;
}

static bool ask_by_naive(struct contest *contest)
{
  void *conn = naive_get(&contest->naive);
  bool good = contest->server->ask(conn);
  naive_put(&contest->naive, conn);
  return good;
}

static inline __attribute__((always_inline)) int64_t work(struct contest *contest, int thread, const atomic_bool *stop,
                                                          bool (*ask)(struct contest *))
{
  struct uses *uses = &contest->uses[thread];
  for (uses->count = 0; !atomic_load(stop) && uses->count < MOST_USES; uses->count++) {
    int64_t began = now_ns();
    if (!ask(contest))
      give_up("%s did not answer", contest->server->name);
    uses->ns[uses->count] = (double)(now_ns() - began);
  }
  return uses->count;
}

static int64_t work_by_libpool(void *subject, int thread, const atomic_bool *stop)
{
  return work(subject, thread, stop, ask_by_libpool);
}

static int64_t work_by_naive(void *subject, int thread, const atomic_bool *stop)
{
  return work(subject, thread, stop, ask_by_naive);
}

/* ---- rounds ---- */

static int compare_times(const void *left, const void *right)
{
  double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

static void tell(const struct contest *contest, const char *contender, double per_second)
{
  int64_t count = 0;
  for (int i = 0; i < THREADS; i++)
    count += contest->uses[i].count;
  double *all = malloc((size_t)(count + 1) * sizeof *all), *end = all;
  if (!all || count == 0)
    give_up("nothing was measured");
  for (int i = 0; i < THREADS; end += contest->uses[i++].count)
    memcpy(end, contest->uses[i].ns, (size_t)contest->uses[i].count * sizeof *all);
  qsort(all, (size_t)count, sizeof *all, compare_times);
  printf("%s\t%s\t%.0f", contest->server->name, contender, 1e9 / per_second);
  static const int64_t thousandths[] = {500, 990, 999, 1000};
  for (size_t i = 0; i < sizeof thousandths / sizeof *thousandths; i++)
    printf("\t%.0f", all[(count - 1) * thousandths[i] / 1000]);
  putchar('\n');
  free(all);
}

static void begin(struct contest *contest, const struct server *server)
{
  contest->server = server;
  contest->pool = pool_of_server(server);
  naive_create(&contest->naive, 0, NULL);
  for (int i = 0; i < CONNECTIONS; i++)
    naive_put(&contest->naive, server->connect());
  for (int i = 0; i < THREADS; i++)
    if (!(contest->uses[i].ns = malloc(MOST_USES * sizeof *contest->uses[i].ns)))
      give_up("no memory");
}

static void end(struct contest *contest)
{
  for (int i = 0; i < THREADS; i++)
    free(contest->uses[i].ns);
  for (int i = 0; i < CONNECTIONS; i++)
    contest->server->disconnect(naive_get(&contest->naive));
  naive_destroy(&contest->naive);
  pool_close(contest->pool, -1);
  pool_free(contest->pool);
}

static void compete(const struct server *server, int rounds, int64_t round_ms)
{
  static struct contest contest;
  static const char *const names[] = {"libpool", "mutex and stack"};
  begin(&contest, server);
  struct crew *crews[] = {crew_hire(THREADS, work_by_libpool, &contest), crew_hire(THREADS, work_by_naive, &contest)};
  for (int round = -1; round < rounds; round++) /* the first warms up */
    for (size_t i = 0; i < sizeof crews / sizeof *crews; i++) {
      double per_second = crew_work(crews[i], round_ms);
      if (round >= 0)
        tell(&contest, names[i], per_second);
    }
  for (size_t i = 0; i < sizeof crews / sizeof *crews; i++)
    crew_dismiss(crews[i]);
  end(&contest);
}

int main(int argc, char **argv)
{
  if (argc != 3)
    give_up("usage: bench_work ROUNDS ROUND_MS");
  for (size_t i = 0; i < sizeof servers / sizeof *servers; i++)
    compete(&servers[i], (int)strtol(argv[1], NULL, BASE), strtol(argv[2], NULL, BASE));
  return 0;
}
