/* SPDX-License-Identifier: MIT */
/* A server goes down under load and comes back: how soon callers learn that it is gone, how hard it is knocked at, and
   how soon all of them are served again. */
#include "failover.h"

#include <stdbool.h>
#include <stdio.h>

#include "nothing.h"
#include "report.h"
#include "rounds.h"

#define CONNECTIONS  100
#define CALLERS      32
#define MAX_OPENING  4
#define RETRY_MAX_MS 200

#define MS_NS    INT64_C(1000000)
#define UP_MS    300
#define DOWN_MS  1000
#define BACK_MS  600
#define OPEN_NS  MS_NS
#define CALL_NS  MS_NS
#define PAUSE_NS MS_NS /* of a caller that failed */

#define RUNS 3

/* More than a caller that pauses can meet. */
#define MOST_FAILURES (2 * RUNS * DOWN_MS)

/* ---- the server ---- */

/* It is up while the number of its incarnation is odd, and a connection is good while that is the one it knows. */
struct server {
  _Atomic int64_t incarnation;
  _Atomic int64_t opening;
  _Atomic int64_t most_opening;
  _Atomic int64_t refused;
};

static void note_larger(_Atomic int64_t *largest, int64_t value)
{
  int64_t seen = atomic_load(largest);
  while (seen < value && !atomic_compare_exchange_weak(largest, &seen, value))
    ;
}

static bool is_up(int64_t incarnation)
{
  return incarnation % 2 != 0;
}

static bool answers(struct server *server, const void *conn)
{
  return atomic_load(&server->incarnation) == (int64_t)(intptr_t)conn;
}

static int refuse(struct server *server, pool_error_t *error)
{
  atomic_fetch_add(&server->refused, 1);
  error->code = POOL_E_OPEN;
  snprintf(error->message, sizeof error->message, "connection refused");
  return -1;
}

static int dial(struct server *server, void **conn, pool_error_t *error)
{
  int64_t incarnation = atomic_load(&server->incarnation);
  if (!is_up(incarnation))
    return refuse(server, error);
  sleep_ns(OPEN_NS);
  *conn = (void *)(intptr_t)incarnation;
  return answers(server, *conn) ? 0 : refuse(server, error);
}

static int open_counted(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  struct server *server = context;
  (void)deadline_ns;
  note_larger(&server->most_opening, atomic_fetch_add(&server->opening, 1) + 1);
  int result = dial(server, conn, error);
  atomic_fetch_sub(&server->opening, 1);
  return result;
}

static int check(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)deadline_ns, (void)error;
  return answers(context, conn) ? 0 : -1;
}

/* ---- the callers ---- */

struct caller {
  int64_t recovered_ns; /* its first success after the outage; 0: there was none */
  int failures;         /* gets that failed while the breaker was open, in all runs */
  double failure_us[MOST_FAILURES];
};

struct outage {
  pool_t *pool;
  struct server server;
  atomic_bool breaker_open;
  _Atomic int64_t returned_ns; /* when the server was up again; 0: it was not yet */
  struct caller callers[CALLERS];
};

static void note_failure(struct caller *caller, int64_t ns)
{
  if (caller->failures < MOST_FAILURES)
    caller->failure_us[caller->failures++] = (double)ns / 1e3;
}

static bool call(struct server *server, pool_lease_t lease)
{
  void *conn = pool_conn(lease);
  if (!answers(server, conn))
    return false;
  sleep_ns(CALL_NS);
  return answers(server, conn);
}

static bool get_and_call(struct outage *outage, struct caller *caller)
{
  bool breaker_open = atomic_load(&outage->breaker_open);
  int64_t asked = now_ns();
  pool_lease_t lease = pool_get(outage->pool);
  if (lease < 0) {
    if (breaker_open && lease == POOL_E_OPEN)
      note_failure(caller, now_ns() - asked);
    return false;
  }
  bool good = call(&outage->server, lease);
  if ((!good && pool_mark_unusable(lease) != 0) || pool_put(lease) != 0)
    give_up("a put failed: %s", pool_strerror(pool_failure(NULL)));
  return good;
}

static int64_t call_on(struct outage *outage, struct caller *caller, const atomic_bool *stop)
{
  int64_t calls = 0;
  while (!atomic_load(stop)) {
    bool good = get_and_call(outage, caller);
    calls += good;
    if (!good)
      sleep_ns(PAUSE_NS);
    else if (atomic_load(&outage->returned_ns) != 0 && caller->recovered_ns == 0)
      caller->recovered_ns = now_ns();
  }
  return calls;
}

/* ---- the outage ---- */

static void watch_breaker(void *user, const pool_event_t *event)
{
  struct outage *outage = user;
  atomic_store(&outage->breaker_open, event->event == POOL_EVENT_BREAKER_OPENED);
}

static void prepare(struct outage *outage)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.initial = config.max_open = CONNECTIONS;
  config.max_opening = MAX_OPENING;
  config.get_timeout_ms = 1000;
  config.check_after_ms = 100;
  config.retry_min_ms = 10;
  config.retry_max_ms = RETRY_MAX_MS;
  config.breaker_after = 3;
  config.events = watch_breaker;
  config.event_mask = 1 << POOL_EVENT_BREAKER_OPENED | 1 << POOL_EVENT_BREAKER_CLOSED;
  config.user = outage;
  pool_vtable_t vtable = nothing();
  vtable.open = open_counted;
  vtable.check = check;
  atomic_store(&outage->server.incarnation, 1);
  atomic_store(&outage->breaker_open, false);
  atomic_store(&outage->returned_ns, 0);
  for (int i = 0; i < CALLERS; i++)
    outage->callers[i].recovered_ns = 0;
  outage->pool = pool_of(&config, vtable, &outage->server);
}

static int64_t go_down_and_return(struct outage *outage)
{
  sleep_ns(UP_MS * MS_NS);
  atomic_fetch_add(&outage->server.incarnation, 1);
  sleep_ns(DOWN_MS * MS_NS);
  atomic_store(&outage->returned_ns, now_ns());
  atomic_fetch_add(&outage->server.incarnation, 1);
  return 0;
}

/* The last thread of the crew is the server. */
static int64_t take_part(void *subject, int thread, const atomic_bool *stop)
{
  struct outage *outage = subject;
  return thread < CALLERS ? call_on(outage, &outage->callers[thread], stop) : go_down_and_return(outage);
}

/* Who was not served again needed all the time there was, at least. */
static double recovery_ms(const struct outage *outage)
{
  int64_t longest_ns = 0;
  for (int i = 0; i < CALLERS; i++) {
    int64_t recovered_ns = outage->callers[i].recovered_ns;
    int64_t ns = recovered_ns ? recovered_ns - outage->returned_ns : BACK_MS * MS_NS;
    longest_ns = ns > longest_ns ? ns : longest_ns;
  }
  return (double)longest_ns / 1e6;
}

/* ---- the figures ---- */

static void report_failures(const struct outage *outage)
{
  static double failures_us[CALLERS * MOST_FAILURES];
  size_t count = 0;
  for (int i = 0; i < CALLERS; i++)
    for (int j = 0; j < outage->callers[i].failures; j++)
      failures_us[count++] = outage->callers[i].failure_us[j];
  report_at_least("failover.failed_fast", (double)count, "gets, breaker open", 1);
  if (count == 0)
    return;
  report_only("failover.fail_fast.median", median(failures_us, count), "us");
  report_at_most("failover.fail_fast", failures_us[count * 99 / 100], "us, 99 of 100", 1000);
  report_only("failover.fail_fast.longest", failures_us[count - 1], "us");
}

void failover(void)
{
  static struct outage outage;
  double recoveries_ms[RUNS];
  int64_t failed_checks = 0;
  struct crew *crew = crew_hire(CALLERS + 1, take_part, &outage);
  for (int i = 0; i < RUNS; i++) {
    prepare(&outage);
    crew_work(crew, UP_MS + DOWN_MS + BACK_MS);
    recoveries_ms[i] = recovery_ms(&outage);
    failed_checks += stats_of(outage.pool).check_failures;
    pool_close(outage.pool, -1); /* the next pool has the same server */
    pool_free(outage.pool);
  }
  crew_dismiss(crew);
  report_only("failover.recovery.median", median(recoveries_ms, RUNS), "ms");
  report_at_most("failover.recovery", recoveries_ms[RUNS - 1], "ms, longest", RETRY_MAX_MS + 50);
  report_failures(&outage);
  report_at_most("failover.most_opening", (double)outage.server.most_opening, "at one time", MAX_OPENING);
  report_only("failover.dials", (double)outage.server.refused / RUNS, "refused in an outage");
  report_only("failover.failed_checks", (double)failed_checks / RUNS, "in an outage");
}
