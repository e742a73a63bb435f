/* SPDX-License-Identifier: MIT */
/* What an operator does to a running pool: flush, pause, resume, resize; and what he asks: who holds what. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "config.h"
#include "engine.h"
#include "error.h"
#include "event.h"
#include "runner.h"
#include "sized.h"
#include "text.h"

/* Closes what is idle and was doomed just now. */
static void close_doomed(struct pool *pool)
{
  struct scan cursor = scan_all(&pool->rows);
  struct step step;
  while (!pool->stepped && engine_next_doomed(&cursor, &step)) {
    runner_wake(pool, &step);
    runner_work(pool, &step, clock_deadline(pool->config.get_timeout_ms), false, NULL);
  }
  runner_do_unclean(pool);
}

int pool_flush(pool_t *pool)
{
  if (!pool)
    return error_set(NULL, POOL_E_INVALID, 0, "pool is NULL");
  event_pool(pool, POOL_EVENT_POOL_FLUSHED); /* before the first that is closed because of it */
  int count = engine_flush(pool);
  struct step step = {0};
  engine_hope_less(pool, &step);
  runner_wake(pool, &step);
  close_doomed(pool);
  return count;
}

int pool_pause(pool_t *pool)
{
  if (!pool)
    return error_set(NULL, POOL_E_INVALID, 0, "pool is NULL");
  bool first;
  int busy = engine_pause(pool, &first);
  if (busy >= 0 && first)
    event_pool(pool, POOL_EVENT_POOL_PAUSED);
  return busy < 0 ? error_code(busy) : busy;
}

int pool_resume(pool_t *pool)
{
  struct step step;
  if (!pool)
    return error_set(NULL, POOL_E_INVALID, 0, "pool is NULL");
  int left = engine_resume(pool);
  if (left < 0)
    return error_set(NULL, POOL_E_INVALID, 0, "%s is not paused", pool->name);
  if (left == 0) {
    event_pool(pool, POOL_EVENT_POOL_RESUMED);
    engine_resumed(pool, &step);
    runner_wake(pool, &step);
  }
  return left;
}

int pool_evict(pool_t *pool)
{
  struct step step;
  int64_t moment = clock_now();
  int all = 0;
  if (!pool)
    return error_set(NULL, POOL_E_INVALID, 0, "pool is NULL");
  for (int some; (some = engine_evict(pool, moment, &step)); all += some)
    runner_wake(pool, &step);
  return all;
}

int pool_resize(pool_t *pool, int32_t max_open)
{
  struct step step;
  pool_error_t error = POOL_ERROR_INIT;
  if (!pool)
    return error_set(NULL, POOL_E_INVALID, 0, "pool is NULL");
  int code = config_check_max_open(&pool->config, max_open, &error);
  if (code)
    return code;
  int left = engine_resize(pool, max_open, &step);
  if (left < 0)
    return error_code(left);
  event_resized(pool, max_open); /* before what follows from it */
  runner_wake(pool, &step);
  close_doomed(pool);
  return left;
}

/* ---- leases ---- */

static int set_tag(struct slot *slot, pool_lease_t lease, char **tag)
{
  struct pool *pool = atomic_load_explicit(&slot->pool, memory_order_relaxed);
  int code = POOL_E_STALE;
  if (!pool)
    return code;
  pthread_mutex_lock(&pool->lock);
  uint64_t word = atomic_load(&slot->word);
  while (code && (word & GENERATION_MASK) == lease_generation(lease) && state_of(word) == LEASED)
    if (atomic_compare_exchange_weak(&slot->word, &word, word | CAREFUL))
      code = 0;
  /* The lease may end now, but only its end takes the tag away, and needs the lock for that. */
  if (code == 0) {
    char *old = extra_of(slot)->tag;
    extra_of(slot)->tag = *tag;
    *tag = old;
  }
  engine_unlock(pool);
  return code;
}

int pool_tag(pool_lease_t lease, const char *text)
{
  struct slot *slot = slot_find(lease);
  if (!slot)
    return error_code(POOL_E_STALE);
  char *tag = text && text[0] ? strdup(text) : NULL;
  if (!tag && text && text[0])
    return error_code(POOL_E_NOMEM);
  if (tag)
    text_clean(tag);
  int code = set_tag(slot, lease, &tag);
  free(tag);
  return code ? error_code(code) : 0;
}

static void describe(struct slot *slot, uint64_t word, int64_t now, pool_lease_info_t *info)
{
  const char *tag = extra_of(slot)->tag;
  *info = (pool_lease_info_t)POOL_LEASE_INFO_INIT;
  watch_see(slot, word, now);
  info->lease = lease_of(slot, word);
  info->thread = atomic_load(&slot->holder);
  info->held_ns = watch_age(slot, now);
  text_copy(info->tag, sizeof info->tag, tag ? tag : "");
  info->connection = atomic_load(&slot->connection);
}

int32_t engine_busy_count(struct pool *pool)
{
  int32_t count = 0;
  struct scan scan = scan_all(&pool->rows);
  for (struct slot *slot; (slot = scan_next(&scan));) {
    uint64_t word = atomic_load(&slot->word);
    /* An idle slot with calls is a multiplexed one that was put before they were done. */
    count += state_of(word) != EMPTY && (state_of(word) != IDLE || (word & CALL_MASK));
  }
  return count;
}

bool engine_is_held_by(struct pool *pool, int32_t thread)
{
  bool held = true;
  pthread_mutex_lock(&pool->lock);
  struct scan scan = scan_all(&pool->rows);
  for (struct slot *slot; held && (slot = scan_next(&scan));) {
    uint64_t word = atomic_load(&slot->word);
    held = state_of(word) == EMPTY ||
           (state_of(word) == LEASED && !(word & CALL_MASK) && atomic_load(&slot->holder) == thread);
  }
  engine_unlock(pool);
  return held;
}

/* Into a caller's array, whose elements may be of another release; a tag that is cut ends in any case. */
static void list_lease(char *place, size_t stride, const pool_lease_info_t *info)
{
  memcpy(place, &stride, sizeof stride);
  sized_write(place, info, LEASE_INFO_SIZES);
  if (stride > offsetof(pool_lease_info_t, tag) && stride < offsetof(pool_lease_info_t, connection))
    text_cut(place + offsetof(pool_lease_info_t, tag), stride - offsetof(pool_lease_info_t, tag));
}

int64_t pool_leases(pool_t *pool, pool_lease_info_t *list, size_t room)
{
  if (!pool || (!list && room > 0))
    return error_set(NULL, POOL_E_INVALID, 0, "%s is NULL", pool ? "list" : "pool");
  size_t stride = room > 0 ? list->size : sizeof *list;
  int64_t count = 0;
  int code = sized_check(stride, LEASE_INFO_SIZES);
  if (code)
    return error_code(code);
  pthread_mutex_lock(&pool->lock);
  int64_t now = clock_boot();
  struct scan scan = scan_all(&pool->rows);
  for (struct slot *slot; (slot = scan_next(&scan));) {
    uint64_t word = atomic_load(&slot->word);
    if (state_of(word) != LEASED)
      continue;
    if ((size_t)count++ >= room)
      continue;
    pool_lease_info_t info;
    describe(slot, word, now, &info);
    list_lease((char *)list + (size_t)(count - 1) * stride, stride, &info);
  }
  engine_unlock(pool);
  return count;
}
