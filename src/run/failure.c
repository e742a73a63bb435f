/* SPDX-License-Identifier: MIT */
#include "run/failure.h"

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "slot/slot.h"
#include "decide/attention.h"
#include "decide/count.h"
#include "decide/give.h"
#include "decide/life.h"
#include "decide/pool.h"
#include "decide/room.h"
#include "decide/setting.h"

static const char *remark(struct pool *pool, const struct late *late)
{
  return attention_of(pool) & ATTENTION_PAUSED ? "; the pool is paused"
         : late->starved                       ? "; each was held by a thread that itself waited for this pool"
                                               : "";
}

/* " of N", where there is a limit. */
static const char *limit(char text[24], int64_t most)
{
  text[0] = 0;
  if (most > 0)
    snprintf(text, 24, " of %lld", (long long)most);
  return text;
}

void failure_counts(const struct pool *pool, const pool_stats_t *now, const struct seen *seen,
                    char text[FAILURE_COUNTS])
{
  char open[24], waiting[24];
  const struct oldest *oldest = &seen->oldest;
  int used = snprintf(text, FAILURE_COUNTS, "; %lld%s are open, %lld leased, %lld idle, %lld%s wait",
                      (long long)now->open, limit(open, now->max_open), (long long)now->leased, (long long)now->idle,
                      (long long)now->waiting, limit(waiting, pool->config.max_waiters));
  if (now->budget_limit > 0 || now->budget_cut_off)
    used += snprintf(text + used, FAILURE_COUNTS - (size_t)used, "; the budget allows %lld of %lld%s",
                     (long long)now->budget_granted, (long long)now->budget_limit,
                     now->budget_cut_off ? " and cannot be reached" : "");
  if (oldest->held_ns > 0)
    snprintf(text + used, FAILURE_COUNTS - (size_t)used, "; the oldest lease is out for %lld ms%s%s%s",
             (long long)(oldest->held_ns / 1000000), oldest->tag[0] ? " (" : "", oldest->tag,
             oldest->tag[0] ? ")" : "");
}

static void counts_of(struct pool *pool, char text[FAILURE_COUNTS])
{
  pool_stats_t now;
  struct seen seen;
  pthread_mutex_lock(&pool->lock);
  count_all(pool, &seen, &now);
  life_unlock(pool);
  failure_counts(pool, &now, &seen, text);
}

/* Says what used up the time, and what there is. */
static int ended_empty(struct pool *pool, int code, const struct late *late)
{
  char counts[FAILURE_COUNTS];
  pool_error_t last = {.code = 0};
  const pool_error_t *cause = late->cause && late->cause->code ? late->cause : NULL;
  if (!cause && room_cause(pool, &last))
    cause = &last; /* nobody opened because of that */
  if (late->timeless && !cause)
    return error_code_in(pool->name, code);
  counts_of(pool, counts);
  return error_in(pool->name, NULL, code, cause ? cause->native : 0,
                  "%s: %lld ms went by in the queue, %lld ms in open or check%s%s%s%s",
                  code == POOL_E_TIMEOUT ? "no connection in time" : "cancelled",
                  (long long)(late->queued_ns / 1000000), (long long)(late->busy_ns / 1000000), cause ? ": " : "",
                  cause ? cause->message : "", counts, remark(pool, late));
}

/* The breaker is open: the message of the last open that failed. */
static int fail_fast(struct pool *pool)
{
  pool_error_t cause;
  room_cause(pool, &cause);
  return error_in(pool->name, NULL, POOL_E_OPEN, cause.native, "not tried, for opens keep failing: %s", cause.message);
}

int failure_of_get(struct pool *pool, int code, const struct late *late)
{
  if (code == POOL_E_TIMEOUT || code == POOL_E_CANCELLED)
    return ended_empty(pool, code, late);
  if (late->cause && late->cause->code == code)
    return error_in(pool->name, NULL, code, late->cause->native, "%s", late->cause->message);
  return code == POOL_E_OPEN ? fail_fast(pool) : error_code_in(pool->name, code);
}

void failure_name(pool_lease_t lease, char name[POOL_NAME_BYTES])
{
  struct slot *slot = slot_find(lease);
  struct pool *pool = slot ? slot_pool(slot) : NULL;
  name[0] = 0;
  if (!pool)
    return;
  pthread_mutex_lock(&pool->lock);
  if (give_was_of(pool, slot, (uint64_t)lease))
    memcpy(name, pool->name, POOL_NAME_BYTES);
  pthread_mutex_unlock(&pool->lock);
}

int failure_of_lease(pool_lease_t lease, int code)
{
  char name[POOL_NAME_BYTES];
  failure_name(lease, name);
  return name[0] ? error_code_in(name, code) : error_code(code);
}

int failure_of_ticket(void)
{
  return error_text(POOL_E_STALE, MESSAGE("no such ticket: its get is over, or it was never given"));
}

int failure_of_claim(pool_lease_t claim)
{
  char name[POOL_NAME_BYTES];
  failure_name(claim, name);
  return error_in(name, NULL, POOL_E_STALE, 0, "no such claim: its work was reported already or never asked for");
}

int failure_of_call(pool_lease_t lease, int code, pool_error_t *error)
{
  failure_of_lease(lease, code);
  return pool_failure(error);
}

void failure_of_open(const char *phase, pool_error_t *error)
{
  size_t length = strlen(error->message), room = sizeof error->message - length;
  if (phase[0] && strlen(phase) + sizeof " (in phase )" <= room && !strcasestr(error->message, phase))
    snprintf(error->message + length, room, " (in phase %s)", phase);
}

int failure_of_check(struct pool *pool, int64_t took_ns, pool_error_t *error)
{
  int64_t limit_ms = setting_now(pool->config.check_timeout_ms);
  if (limit_ms < 0 || took_ns <= ns_of(limit_ms))
    return 0;
  return error_set(error, POOL_E_TIMEOUT, 0, "check took %lld ms, and check_timeout_ms is %lld",
                   (long long)(took_ns / 1000000), (long long)limit_ms);
}

int failure_of_late(const char *callback, int64_t took_ns, pool_error_t *error)
{
  if (error && error->code != 0) {
    error->code = POOL_E_TIMEOUT;
    return POOL_E_TIMEOUT;
  }
  return error_set(error, POOL_E_TIMEOUT, 0,
                   "%s took %lld ms, longer than its get had left; set openers, or let it keep its deadline", callback,
                   (long long)(took_ns / 1000000));
}
