/* SPDX-License-Identifier: MIT */
/* Healthy, busy, stuck or down: what the pool itself knows, for the probes of orchestrators. */
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pool/pool.h>

#include "base/clock.h"
#include "base/error.h"
#include "decide/attention.h"
#include "decide/breaker.h"
#include "decide/count.h"
#include "decide/flow.h"
#include "decide/life.h"
#include "decide/pool.h"
#include "run/failure.h"
#include "api/report.h"

/* Where gets wait for ever, something that is stuck would never be late. */
#define FOR_EVER_MS 30000

/* A pool at one moment. */
struct sight {
  const struct pool *pool;
  pool_stats_t stats;
  struct seen seen;
  int64_t dry_ns;
  bool closed, failing, dry;
  pool_error_t cause; /* of the last open that failed */
  int health;
};

static int64_t stuck_after_ns(const struct pool *pool, int64_t stuck_after_ms)
{
  if (stuck_after_ms < 0)
    stuck_after_ms = pool->config.get_timeout_ms > 0 ? pool->config.get_timeout_ms : FOR_EVER_MS;
  return clock_deadline_from(0, stuck_after_ms);
}

static void see(struct pool *pool, int64_t stuck_after_ms, struct sight *sight)
{
  pthread_mutex_lock(&pool->lock);
  int64_t now = clock_now();
  flow_look(pool, now, &sight->seen);
  count_all(pool, &sight->seen, &sight->stats);
  sight->pool = pool;
  sight->dry_ns = flow_dry_ns(pool, now);
  sight->dry = sight->seen.good_idle == 0 && sight->dry_ns >= stuck_after_ns(pool, stuck_after_ms);
  sight->closed = attention_closed(pool);
  sight->failing = pool->breaker.failures > 0;
  sight->cause = breaker_cause(&pool->breaker);
  life_unlock(pool);
}

/* A get that comes now has to wait for what others hold. */
static bool is_full(const struct sight *sight)
{
  return sight->dry_ns > 0 && sight->seen.good_idle == 0 && sight->seen.leased > 0 && sight->stats.opening == 0;
}

static int judge(const struct sight *sight)
{
  const struct seen *seen = &sight->seen;
  if (sight->closed)
    return POOL_HEALTH_DOWN;
  if (sight->failing && seen->good_idle == 0 && (seen->good_leased == 0 || sight->dry))
    return POOL_HEALTH_DOWN;
  if (sight->dry && !sight->stats.paused)
    return POOL_HEALTH_STUCK;
  return sight->stats.waiting > 0 || is_full(sight) ? POOL_HEALTH_BUSY : POOL_HEALTH_HEALTHY;
}

static const char *const words[] = {[POOL_HEALTH_HEALTHY] = "healthy",
                                    [POOL_HEALTH_BUSY] = "busy",
                                    [POOL_HEALTH_STUCK] = "stuck",
                                    [POOL_HEALTH_DOWN] = "down"};

static void write_reason(FILE *file, const void *what)
{
  const struct sight *sight = what;
  char counts[FAILURE_COUNTS];
  failure_counts(sight->pool, &sight->stats, &sight->seen, counts);
  fprintf(file, "%s: %s", sight->pool->name, words[sight->health]);
  if (sight->closed)
    fputs(": the pool is closed", file);
  else if (sight->failing)
    fprintf(file, ": opens fail: %s", sight->cause.message);
  if (sight->health == POOL_HEALTH_STUCK)
    fprintf(file, ": nothing came back for %" PRId64 " ms", sight->dry_ns / 1000000);
  fputs(counts, file);
  fputs(sight->stats.paused ? "; the pool is paused" : "", file);
}

int pool_health(pool_t *pool, int64_t stuck_after_ms, pool_bytes_t *why)
{
  struct sight sight;
  if (!pool)
    return error_set(NULL, POOL_E_INVALID, 0, "pool is NULL");
  if (stuck_after_ms == 0 || stuck_after_ms < -1)
    return error_in(pool->name, NULL, POOL_E_INVALID, 0, "stuck_after_ms is %lld; it must be 1 or more, or -1",
                    (long long)stuck_after_ms);
  see(pool, stuck_after_ms, &sight);
  sight.health = judge(&sight);
  if (why && !report_in_memory(write_reason, &sight, why))
    return error_code_in(pool->name, POOL_E_NOMEM);
  return sight.health;
}
