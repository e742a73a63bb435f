/* SPDX-License-Identifier: MIT */
#include "budget_members.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nothing.h"
#include "report.h"
#include "rounds.h"

#define ROUNDS      21
#define HANDOVERS   15
#define TRIES       5
#define CONNECTIONS 4

static int run; /* no other run of this program has the same budgets */

static void name_of(char name[80], const char *reach, const char *what)
{
  snprintf(name, 80, "budget.%s.%s", reach, what);
}

/* `url` NULL: no budget. */
static pool_t *member(const char *url, const char *name, int limit, int connections)
{
  char text[300];
  pool_config_t config = POOL_CONFIG_INIT;
  snprintf(text, sizeof text, "%s%s-%d?limit=%d", url ? url : "", name, run, limit);
  config.max_open = connections;
  config.budget = url ? text : NULL;
  config.get_timeout_ms = 60000;
  return pool_of(&config, nothing(), NULL);
}

/* All connections are open when the rounds begin. */
static void fill(pool_t *pool)
{
  pool_lease_t leases[CONNECTIONS];
  for (int i = 0; i < CONNECTIONS; i++)
    if ((leases[i] = pool_get(pool)) < 0)
      give_up("a member of a budget got no connection: %d", (int)leases[i]);
  for (int i = 0; i < CONNECTIONS; i++)
    pool_put(leases[i]);
}

/* ---- get and put ---- */

static void measure_cycles(const char *reach, const char *url)
{
  char name[80];
  pool_t *without = member(NULL, "", 0, CONNECTIONS), *with = member(url, "cycles", 10, CONNECTIONS);
  fill(without);
  fill(with);
  struct comparison result = compare((struct side){use_pool, without, 1}, (struct side){use_pool, with, 1},
                                     (struct rounds){.count = ROUNDS, .ms = 50});
  name_of(name, reach, "get_and_put");
  report_at_least(name, result.ratio, "of that without a budget", 0.95);
  pool_close(without, 1000);
  pool_close(with, 1000);
}

/* ---- from a put to the get of another process ---- */

struct shared {
  _Atomic int64_t put_ns;
};

/* The other process: it takes both permits, says so, and gives one back when it is told.  That is one more than its share
   then, so it is closed. */
_Noreturn static void hold(const char *url, struct shared *shared, int in, int out)
{
  char order;
  pool_t *pool = member(url, "handover", 2, 2);
  pool_lease_t kept = pool_get(pool);
  while (kept > 0 && read(in, &order, 1) == 1) {
    pool_lease_t lease = pool_get(pool);
    if (lease < 0 || write(out, "h", 1) != 1 || read(in, &order, 1) != 1)
      break;
    shared->put_ns = now_ns();
    pool_put(lease);
  }
  pool_put(kept);
  pool_close(pool, 1000);
  _exit(0);
}

struct wait {
  pool_t *pool;
  int64_t got_ns;
};

static void *wait_for_permit(void *data)
{
  struct wait *wait = data;
  pool_lease_t lease = pool_get(wait->pool);
  wait->got_ns = now_ns();
  if (lease < 0)
    give_up("no permit came: %d", (int)lease);
  pool_put(lease);
  return NULL;
}

static void expect_byte(int from)
{
  char byte;
  if (read(from, &byte, 1) != 1)
    give_up("the other process has ended");
}

/* The waiter is known to the ledger when the permit comes free. */
static double hand_over(pool_t *pool, const struct shared *shared, int in, int out)
{
  pthread_t thread;
  struct wait wait = {.pool = pool};
  if (write(out, "g", 1) != 1)
    give_up("the other process has ended");
  expect_byte(in);
  if (pthread_create(&thread, NULL, wait_for_permit, &wait) != 0)
    give_up("no thread");
  while (stats_of(pool).waiting == 0)
    sleep_ns(100000);
  sleep_ns(100000000);
  if (write(out, "p", 1) != 1)
    give_up("the other process has ended");
  pthread_join(thread, NULL);
  return (double)(wait.got_ns - shared->put_ns) / 1e6;
}

static void measure_handover(const char *reach, const char *url, double asked_ms)
{
  int to[2], from[2];
  char name[80];
  double took_ms[HANDOVERS];
  struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED || pipe(to) != 0 || pipe(from) != 0)
    give_up("no memory, or no pipe");
  pid_t other = fork();
  if (other == 0) {
    close(to[1]);
    hold(url, shared, to[0], from[1]);
  }
  pool_t *pool = member(url, "handover", 2, 2);
  for (int i = 0; i < HANDOVERS; i++)
    took_ms[i] = hand_over(pool, shared, from[0], to[1]);
  close(to[1]);
  waitpid(other, NULL, 0);
  pool_close(pool, 1000);
  name_of(name, reach, "handover");
  report_at_most(name, median(took_ms, HANDOVERS), "ms from a put to a get elsewhere", asked_ms);
}

/* ---- threads and memory ---- */

struct cost {
  double kib, threads;
};

static double number_in(const char *path, const char *name)
{
  char line[200];
  double number = 0;
  FILE *file = fopen(path, "r");
  while (file && fgets(line, sizeof line, file))
    if (strncmp(line, name, strlen(name)) == 0)
      number = strtod(line + strlen(name), NULL);
  if (file)
    fclose(file);
  return number;
}

static struct cost cost_now(void)
{
  return (struct cost){number_in("/proc/self/smaps_rollup", "Private_Dirty:"),
                       number_in("/proc/self/status", "Threads:")};
}

/* What the second pool of a process adds, in a process of its own.  The pool has its connections. */
static struct cost cost_of_pool(const char *url)
{
  int ends[2];
  struct cost cost;
  if (pipe(ends) != 0)
    give_up("no pipe");
  pid_t child = fork();
  if (child == 0) {
    fill(member(NULL, "", 0, CONNECTIONS));
    struct cost before = cost_now();
    fill(member(url, "cost", 10, CONNECTIONS));
    cost = cost_now();
    cost = (struct cost){cost.kib - before.kib, cost.threads - before.threads};
    _exit(write(ends[1], &cost, sizeof cost) != sizeof cost);
  }
  close(ends[1]);
  if (read(ends[0], &cost, sizeof cost) != sizeof cost)
    give_up("a process that measured itself has ended");
  close(ends[0]);
  waitpid(child, NULL, 0);
  return cost;
}

static void measure_cost(const char *reach, const char *url)
{
  char name[80];
  double kib[TRIES], threads[TRIES];
  for (int i = 0; i < TRIES; i++) {
    struct cost without = cost_of_pool(NULL), with = cost_of_pool(url);
    kib[i] = with.kib - without.kib;
    threads[i] = with.threads - without.threads;
  }
  name_of(name, reach, "process_memory");
  report_at_most(name, median(kib, TRIES), "KiB of a process", 64);
  name_of(name, reach, "threads");
  report_at_most(name, median(threads, TRIES), "of a process", 1);
}

void measure_members(const char *reach, const char *url, double asked_ms)
{
  run = (int)getpid();
  measure_cost(reach, url);
  measure_handover(reach, url, asked_ms);
  measure_cycles(reach, url);
}
