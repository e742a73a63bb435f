/* SPDX-License-Identifier: MIT */
#include "decide/flow.h"

#include "decide/count.h"
#include "decide/pool.h"

/* Somebody waits or opens, or has waited in vain since the last look. */
static bool is_wanted(const struct pool *pool)
{
  return pool->queue.first || pool->room.opening > 0 || pool->counts.timed_out != pool->flow.timed_out;
}

void flow_look(struct pool *pool, int64_t now, struct seen *seen)
{
  assert_locked(pool);
  struct flow *flow = &pool->flow;
  count_see(pool, seen);
  int64_t came = seen->lent + pool->counts.opened;
  bool wanted = is_wanted(pool), was_wanted = flow->wanted_ns && came == flow->came && seen->idle == 0;
  if (!wanted && !was_wanted)
    flow->wanted_ns = 0;
  else if (came != flow->came || !flow->wanted_ns)
    flow->wanted_ns = now;
  flow->came = came;
  flow->timed_out = pool->counts.timed_out;
}

/* A look is at every slot: the more there are, the fewer of those that want a connection look. */
static void want(struct pool *pool, int64_t now, int64_t *looked_ns, int64_t pause_ns)
{
  assert_locked(pool);
  struct seen seen;
  if (pool->flow.wanted_ns && now - *looked_ns < pause_ns)
    return;
  *looked_ns = now;
  flow_look(pool, now, &seen);
  if (!pool->flow.wanted_ns)
    pool->flow.wanted_ns = now;
}

void flow_open(struct pool *pool, int64_t now)
{
  int64_t open = pool->room.open;
  want(pool, now, &pool->flow.opened_ns, open > FLOW_MANY ? open * FLOW_SLOT_NS : 0);
}

void flow_wait(struct pool *pool, int64_t now)
{
  int64_t pause_ns = pool->room.open * FLOW_SLOT_NS;
  want(pool, now, &pool->flow.joined_ns, pause_ns > FLOW_WAIT_NS ? pause_ns : FLOW_WAIT_NS);
}

int64_t flow_dry_ns(const struct pool *pool, int64_t now)
{
  assert_locked(pool);
  return pool->flow.wanted_ns ? now - pool->flow.wanted_ns + 1 : 0;
}
