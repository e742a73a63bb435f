/* SPDX-License-Identifier: MIT */
#include "run/failure.h"

#include <pthread.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/error.h"
#include "decide/attention.h"
#include "decide/count.h"
#include "decide/life.h"
#include "decide/pool.h"
#include "decide/room.h"

static const char *remark(struct pool *pool, const struct late *late)
{
  return attention_of(pool) & ATTENTION_PAUSED ? "; the pool is paused"
         : late->starved                       ? "; each was held by a thread that itself waited for this pool"
                                               : "";
}

/* Says what used up the time, and what there is. */
static int ended_empty(struct pool *pool, int code, const struct late *late)
{
  pool_stats_t now;
  pool_error_t last = {.code = 0};
  const pool_error_t *cause = late->cause && late->cause->code ? late->cause : NULL;
  if (!cause && room_cause(pool, &last))
    cause = &last; /* nobody opened because of that */
  if (late->timeless && !cause)
    return error_code(code);
  pthread_mutex_lock(&pool->lock);
  count_all(pool, &now);
  life_unlock(pool);
  return error_set(NULL, code, cause ? cause->native : 0,
                   "%s: %s: %lld ms went by in the queue, %lld ms in open or check%s%s; "
                   "%lld are open, %lld leased, %lld idle, %lld wait%s",
                   pool->name, code == POOL_E_TIMEOUT ? "no connection in time" : "cancelled",
                   (long long)(late->queued_ns / 1000000), (long long)(late->busy_ns / 1000000), cause ? ": " : "",
                   cause ? cause->message : "", (long long)now.open, (long long)now.leased, (long long)now.idle,
                   (long long)now.waiting, remark(pool, late));
}

/* The breaker is open: the message of the last open that failed. */
static int fail_fast(struct pool *pool)
{
  pool_error_t cause;
  room_cause(pool, &cause);
  return error_set(NULL, POOL_E_OPEN, cause.native, "%s: not tried, for opens keep failing: %s", pool->name,
                   cause.message);
}

int failure_of_get(struct pool *pool, int code, const struct late *late)
{
  if (code == POOL_E_TIMEOUT || code == POOL_E_CANCELLED)
    return ended_empty(pool, code, late);
  if (late->cause && late->cause->code == code)
    return error_set(NULL, code, late->cause->native, "%s: %s", pool->name, late->cause->message);
  return code == POOL_E_OPEN ? fail_fast(pool) : error_code(code);
}

int failure_of_check(struct pool *pool, int64_t took_ns, pool_error_t *error)
{
  int64_t limit_ms = pool->config.check_timeout_ms;
  if (limit_ms < 0 || took_ns <= ns_of(limit_ms))
    return 0;
  return error_set(error, POOL_E_TIMEOUT, 0, "check took %lld ms, and check_timeout_ms is %lld",
                   (long long)(took_ns / 1000000), (long long)limit_ms);
}
