/* SPDX-License-Identifier: MIT */
/* What the library's threads do while nothing is due. */
#include "keeper.h"

#include <dirent.h>
#include <sys/resource.h>
#include <time.h>

#include "allocations.h"
#include "nothing.h"
#include "report.h"
#include "rounds.h"

#define SECOND_NS 1000000000
#define MINUTE_MS 60000

#define QUIET_CONNECTIONS 8
#define QUIET_SECONDS     2

#define POOLS            100
#define POOL_CONNECTIONS 1000
#define MANY_SECONDS     5

/* Processor time and sleeps of the threads that this program did not start: it has but one while this is measured. */
struct effort {
  int64_t sleeps;
  int64_t cpu_ns;
};

static int64_t read_clock(clockid_t clock)
{
  struct timespec time;
  clock_gettime(clock, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* Threads that have ended count, too. */
static struct effort effort_so_far(void)
{
  struct rusage all, own;
  getrusage(RUSAGE_SELF, &all);
  getrusage(RUSAGE_THREAD, &own);
  return (struct effort){.sleeps = all.ru_nvcsw - own.ru_nvcsw,
                         .cpu_ns = read_clock(CLOCK_PROCESS_CPUTIME_ID) - read_clock(CLOCK_THREAD_CPUTIME_ID)};
}

static struct effort effort_during(int64_t seconds)
{
  struct effort before = effort_so_far();
  sleep_ns(seconds * SECOND_NS);
  struct effort after = effort_so_far();
  int64_t cpu_ns = after.cpu_ns - before.cpu_ns;
  /* The clocks are read one after the other, so of nothing a bit less may remain. */
  return (struct effort){after.sleeps - before.sleeps, cpu_ns > 0 ? cpu_ns : 0};
}

static int library_threads(void)
{
  DIR *tasks = opendir("/proc/self/task");
  int threads = -1; /* not this one */
  if (!tasks)
    give_up("cannot read /proc/self/task");
  for (struct dirent *entry; (entry = readdir(tasks));)
    threads += entry->d_name[0] != '.';
  closedir(tasks);
  return threads;
}

static pool_config_t every_policy(int connections)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.initial = config.max_open = connections;
  config.min_idle = 1;
  config.retry_min_ms = 10;
  config.retry_max_ms = 1000;
  config.breaker_after = 3;
  return config;
}

/* The lifetime is long because a part of the connections would be due in each part of it. */
static void sleep_well(void)
{
  pool_config_t config = every_policy(QUIET_CONNECTIONS);
  config.idle_timeout_ms = config.check_after_ms = config.keepalive_ms = config.leak_after_ms = 60 * MINUTE_MS;
  config.max_lifetime_ms = 100 * config.idle_timeout_ms;
  pool_t *pool = pool_of(&config, nothing(), NULL);
  cycle(pool);
  sleep_ns(SECOND_NS / 2);
  double wakeups = (double)effort_during(QUIET_SECONDS).sleeps;
  report_at_most("keeper.idle_wakeups", wakeups, "in 2 s", 0);
  report_at_least("keeper.threads", library_threads(), "for 1 pool", 1);
  pool_free(pool);
}

/* Times as programs use them.  After the first second all connections are due for a check before they are lent. */
static void sleep_with_many(void)
{
  static pool_t *pools[POOLS];
  pool_config_t config = every_policy(POOL_CONNECTIONS);
  config.check_after_ms = 1000;
  config.leak_after_ms = MINUTE_MS;
  config.keepalive_ms = 5 * MINUTE_MS;
  config.idle_timeout_ms = 10 * MINUTE_MS;
  config.max_lifetime_ms = 30 * MINUTE_MS;
  int64_t before = resident_bytes(), begun = now_ns();
  for (int i = 0; i < POOLS; i++)
    cycle(pools[i] = pool_of(&config, nothing(), NULL));
  int64_t opened = now_ns();
  sleep_ns(2 * (int64_t)SECOND_NS);
  struct effort effort = effort_during(MANY_SECONDS);
  double share = (double)effort.cpu_ns / (MANY_SECONDS * (double)SECOND_NS);
  report_at_most("keeper.100000_slots", 100 * share, "% of a processor, idle", 1);
  report_only("keeper.100000_slots.wakeups", (double)effort.sleeps, "in 5 s");
  report_only("keeper.100000_slots.threads", library_threads(), "for 100 pools");
  report_only("keeper.100000_slots.memory", (double)(resident_bytes() - before) / 1e6, "MB");
  report_only("keeper.100000_slots.opening", (double)(opened - begun) / 1e9, "s");
  for (int i = 0; i < POOLS; i++)
    pool_free(pools[i]);
}

void keeper(void)
{
  sleep_well();
  sleep_with_many();
}
