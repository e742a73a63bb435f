/* SPDX-License-Identifier: MIT */
/*
 * Connections that were opened together would end together.  So each gets its end when it is opened: in the latest
 * interval before its lifetime is over in which fewer than the quota end yet.  Of all that are open the share p % may
 * end in one interval; there are n = 100 / p intervals and one more to choose from, so one has room, and none of them
 * is far from the end.  Spacing instead of jitter is an idea of pgbouncer's.
 *
 * The ends were spread by the number that was open then.  Where fewer are open now, or the look comes late, the quota
 * puts some off, but never beyond the limit: none that is idle gets older than max_lifetime_ms, whatever the quota.
 */
#include "decide/lifetime.h"

#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "slot/idle.h"
#include "slot/notes.h"
#include "slot/slot.h"
#include "decide/look.h"
#include "decide/pool.h"
#include "decide/setting.h"

static int64_t intervals(const pool_config_t *config)
{
  return (100 + config->retire_percent - 1) / config->retire_percent;
}

int64_t lifetime_interval_ns(const pool_config_t *config)
{
  return ns_of(setting_now(config->max_lifetime_ms)) / (4 * intervals(config)) + 1;
}

static int32_t quota(struct pool *pool, int64_t open)
{
  return (int32_t)((open * pool->config.retire_percent + 99) / 100);
}

/* A lifetime reaches over 4 n intervals. */
size_t lifetime_ring_size(const pool_config_t *config)
{
  return (size_t)(4 * intervals(config) + 2);
}

static int32_t *ends_in(struct pool *pool, int64_t interval)
{
  return &pool->ends[(uint64_t)interval % lifetime_ring_size(&pool->config)];
}

int64_t lifetime_last_end(const pool_config_t *config, int64_t limit_ns)
{
  return limit_ns - lifetime_interval_ns(config) / 2;
}

static int64_t choose_end(struct pool *pool, int64_t limit_ns)
{
  int64_t length = lifetime_interval_ns(&pool->config);
  int64_t chosen = limit_ns / length - 1;
  int64_t first = chosen - intervals(&pool->config);
  int32_t most = quota(pool, pool->room.open);
  while (chosen > first && *ends_in(pool, chosen) >= most)
    chosen--;
  int32_t place = ++*ends_in(pool, chosen);
  int64_t end = chosen * length + length / (most + 1) * (place < most ? place : most);
  int64_t last = lifetime_last_end(&pool->config, limit_ns); /* not before this interval */
  return end < last ? end : last;
}

/* Its server counts from when the open began.  But one that took long must not leave a connection that is at its end
   when it comes. */
static int64_t limit_of(const pool_config_t *config, int64_t now, int64_t took_ns)
{
  int64_t lifetime = ns_of(config->max_lifetime_ms);
  int64_t age = took_ns < 0 ? 0 : took_ns < lifetime / 4 ? took_ns : lifetime / 4;
  return now - age + lifetime;
}

void lifetime_begin(struct pool *pool, struct slot *slot, int64_t now, int64_t took_ns)
{
  assert_locked(pool);
  struct notes *notes = notes_of(slot);
  atomic_store(&notes->checked_ns, now);
  /* It will be idle now, or it is lent and moves. */
  notes_see(slot, slot_idle_word(slot_word(slot)), now);
  if (pool->config.max_lifetime_ms > 0) {
    int64_t limit_ns = limit_of(&pool->config, now, took_ns);
    atomic_store(&notes->limit_ns, limit_ns);
    atomic_store(&notes->retire_ns, choose_end(pool, limit_ns));
  }
}

static void leave_interval(struct pool *pool, int64_t interval)
{
  int32_t left = --*ends_in(pool, interval);
  assert_that(left >= 0);
}

char *lifetime_end(struct pool *pool, struct slot *slot)
{
  assert_locked(pool);
  int64_t end = atomic_load(&notes_of(slot)->retire_ns);
  if (end)
    leave_interval(pool, end / lifetime_interval_ns(&pool->config));
  return notes_forget(slot);
}

void lifetime_changed(struct pool *pool, int32_t **ring)
{
  assert_locked(pool);
  if (!pool->ends) {
    pool->ends = *ring;
    *ring = NULL;
  }
  if (!pool->ends)
    return;
  memset(pool->ends, 0, lifetime_ring_size(&pool->config) * sizeof *pool->ends);
  struct scan scan = scan_all(&pool->rows);
  for (struct slot *slot; (slot = scan_next(&scan));) {
    int64_t end = slot_is_of(slot, pool) ? atomic_load(&notes_of(slot)->retire_ns) : 0;
    if (end)
      ++*ends_in(pool, end / lifetime_interval_ns(&pool->config));
  }
}

bool lifetime_may_retire(struct pool *pool, const struct look *look)
{
  int64_t interval = look->boot / lifetime_interval_ns(&pool->config);
  if (pool->looks.retiring_interval != interval) {
    pool->looks.retiring_interval = interval;
    pool->looks.retired = 0;
  }
  return pool->looks.retired < quota(pool, look->open);
}
