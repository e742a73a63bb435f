/* SPDX-License-Identifier: MIT */
/* Many callers come at once where few connections are idle and opening takes long.  Who opens one for each caller has
   them all in the end, and serves nobody sooner than those that come back. */
#include "spike.h"

#include "nothing.h"
#include "report.h"
#include "rounds.h"

#define CALLERS 50
#define IDLE    5
#define OPENERS 2
#define OPEN_MS 150
#define USE_MS  2
#define RUNS    5

/* One run. */
struct attack {
  pool_t *pool;
  _Atomic int64_t open_ns; /* how long an open takes */
  int64_t begun_ns[CALLERS];
  int64_t ended_ns; /* the last put */
  _Atomic int64_t puts;
  int64_t open_at_end;
};

/* Of all runs. */
struct outcome {
  double typical_ms;
  double longest_ms;
  int64_t most_open;  /* when the last lease was put */
  int64_t most_later; /* when every open under way had ended */
};

static int connection;

static int open_slowly(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  struct attack *attack = context;
  (void)deadline_ns, (void)error;
  sleep_ns(atomic_load(&attack->open_ns));
  *conn = &connection;
  return 0;
}

static void prepare(struct attack *attack, int openers)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.initial = IDLE;
  config.max_open = CALLERS;
  config.openers = openers;
  pool_vtable_t vtable = nothing();
  vtable.open = open_slowly;
  atomic_store(&attack->open_ns, 0);
  attack->pool = pool_of(&config, vtable, attack);
  atomic_store(&attack->open_ns, OPEN_MS * 1000000);
  atomic_store(&attack->puts, 0);
}

static int64_t use_once(void *subject, int thread, const atomic_bool *stop)
{
  struct attack *attack = subject;
  (void)stop;
  attack->begun_ns[thread] = now_ns();
  pool_lease_t lease = pool_get(attack->pool);
  sleep_ns(USE_MS * 1000000);
  if (lease < 0 || pool_put(lease) != 0)
    give_up("a get or put failed: %s", pool_strerror(pool_failure(NULL)));
  if (atomic_fetch_add(&attack->puts, 1) + 1 == CALLERS) {
    attack->ended_ns = now_ns();
    attack->open_at_end = stats_of(attack->pool).open;
  }
  return 1;
}

/* The first to run is the last to have come to the barrier, and so tells when that let them go. */
static double makespan_ms(const struct attack *attack)
{
  int64_t begun = attack->ended_ns;
  for (int i = 0; i < CALLERS; i++)
    begun = attack->begun_ns[i] < begun ? attack->begun_ns[i] : begun;
  return (double)(attack->ended_ns - begun) / 1e6;
}

static int64_t open_later(pool_t *pool)
{
  while (stats_of(pool).opening > 0)
    sleep_ns(1000000);
  return stats_of(pool).open;
}

static int64_t larger(int64_t a, int64_t b)
{
  return a > b ? a : b;
}

static struct outcome attack_with(int openers)
{
  struct attack attack;
  struct outcome outcome = {0};
  double spans[RUNS];
  struct crew *callers = crew_hire(CALLERS, use_once, &attack);
  for (int i = 0; i < RUNS; i++) {
    prepare(&attack, openers);
    crew_work(callers, 0);
    spans[i] = makespan_ms(&attack);
    outcome.most_open = larger(outcome.most_open, attack.open_at_end);
    outcome.most_later = larger(outcome.most_later, open_later(attack.pool));
    pool_free(attack.pool);
  }
  crew_dismiss(callers);
  outcome.typical_ms = median(spans, RUNS);
  outcome.longest_ms = spans[RUNS - 1];
  return outcome;
}

void spike(void)
{
  struct outcome with = attack_with(OPENERS), without = attack_with(0);
  report_at_most("spike.makespan", with.typical_ms, "ms, median; ideal 20", 30);
  report_only("spike.makespan.longest", with.longest_ms, "ms");
  report_at_most("spike.open", (double)with.most_open, "at the last put", 8);
  report_only("spike.open.later", (double)with.most_later, "when all opens ended");
  report_only("spike.makespan.without_openers", without.typical_ms, "ms, median");
  report_only("spike.open.without_openers", (double)without.most_open, "at the last put");
}
