/* SPDX-License-Identifier: MIT */
/*
 * When the first waiter is late, and has been for as long again, everybody will be late: a queue in order of arrival
 * then serves only those that have all but given up.  The newest first, or refusing the late, serves some in time.
 * Ideas: adaptive LIFO and CoDel.
 */
#include "decide/overload.h"

#include <stdio.h>

#include <pool/pool.h>

#include "base/clock.h"
#include "decide/attend.h"
#include "decide/pool.h"
#include "decide/waiter.h"

bool overload_is_late(struct pool *pool, const struct waiter *waiter, int64_t now)
{
  assert_locked(pool);
  return waiter && now - waiter->since_ns >= ns_of(pool->config.overload_after_ms);
}

bool overload_is_on(struct pool *pool, int64_t now)
{
  assert_locked(pool);
  if (pool->config.queue == POOL_QUEUE_FIFO)
    return false;
  const struct waiter *first = attend_first(pool);
  if (!overload_is_late(pool, first, now))
    pool->late_since_ns = 0;
  else if (pool->late_since_ns == 0)
    pool->late_since_ns = first->since_ns + ns_of(pool->config.overload_after_ms);
  return pool->late_since_ns && now - pool->late_since_ns >= ns_of(pool->config.overload_after_ms);
}

void overload_blame(struct pool *pool, struct waiter *waiter)
{
  assert_locked(pool);
  waiter->error.code = POOL_E_OVERLOAD;
  waiter->error.native = 0;
  snprintf(waiter->error.message, sizeof waiter->error.message,
           "waited in vain for overload_after_ms, %lld ms, as everybody did before; take load away or raise max_open",
           (long long)pool->config.overload_after_ms);
}

int64_t overload_sheds_at(struct pool *pool, const struct waiter *waiter, int64_t now)
{
  assert_locked(pool);
  int64_t after = ns_of(pool->config.overload_after_ms);
  const struct waiter *first = attend_first(pool);
  if (pool->config.queue != POOL_QUEUE_SHED || !first)
    return 0;
  int64_t late_since = pool->late_since_ns ? pool->late_since_ns : first->since_ns + after;
  int64_t moment = late_since > waiter->since_ns ? late_since + after : waiter->since_ns + after;
  return moment > now ? moment : now + after;
}

bool overload_sheds(struct pool *pool, struct waiter *waiter, int64_t now)
{
  assert_locked(pool);
  bool late = pool->config.queue == POOL_QUEUE_SHED && waiter->works == 0 && overload_is_on(pool, now) &&
              overload_is_late(pool, waiter, now);
  if (late)
    overload_blame(pool, waiter);
  return late;
}
