/* SPDX-License-Identifier: MIT */
/*
 * Closing a pool, and waiting until it is empty.
 *
 * The thread that waits sleeps on `drain_signal`, which grows whenever a place becomes free, a library thread ends, or
 * a get leaves something to close.  Where the program keeps the time it may be waiting for what nobody else would do,
 * such as an asynchronous get's callback that puts a lease: so it maintains the pool itself.  Maintaining moves
 * `drain_signal`, so what has come up meanwhile is known by `keeper_signal`, which moves before the thread that
 * drains is woken.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pool/pool.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/park.h"
#include "base/thread.h"
#include "slot/idle.h"
#include "decide/chores.h"
#include "decide/count.h"
#include "decide/pool.h"
#include "decide/steer.h"
#include "decide/step.h"
#include "run/callback.h"
#include "run/crew.h"
#include "run/event.h"
#include "run/keeper.h"
#include "run/worker.h"

/* When the log says which thread holds what. */
#define PATIENCE_NS INT64_C(3000000000)

/* How many leases are told of at most. */
#define TOLD_LEASES 16

struct drain {
  struct pool *pool;
  bool endless;
  int64_t began_ns, deadline_ns;
  pool_lease_info_t leases[TOLD_LEASES]; /* some of those that are out */
  int64_t count;                         /* of these */
};

static void list(struct drain *drain)
{
  drain->leases[0].size = sizeof *drain->leases;
  int64_t count = pool_leases(drain->pool, drain->leases, TOLD_LEASES);
  drain->count = count < TOLD_LEASES ? count : TOLD_LEASES;
}

/* A lease that this thread holds itself, or NULL. */
static const pool_lease_info_t *own_lease(const struct drain *drain)
{
  for (int64_t i = 0; i < drain->count; i++)
    if (drain->leases[i].thread == thread_id())
      return &drain->leases[i];
  return NULL;
}

/* Whether all that is open is lent to this thread, the process has no other, and so nobody could put anything.  All
   callbacks that this thread had to run have run. */
static bool is_hopeless(struct drain *drain, int32_t threads)
{
  return drain->endless && threads == 0 && thread_is_alone() && count_is_held_by(drain->pool, thread_id());
}

static int refuse(const struct drain *drain, const pool_lease_info_t *lease)
{
  return error_in(drain->pool->name, NULL, POOL_E_INVALID, 0,
                  "pool_close would wait for ever: lease %" PRId64
                  "%s%s is held by the only thread of the process, the "
                  "one that waits; put it first, or use drain_ms 0",
                  lease->lease, lease->tag[0] ? ", " : "", lease->tag);
}

/* The first time that a drain has to wait.  0, or an error if it would wait for itself. */
static int begin_to_wait(struct drain *drain, int32_t threads)
{
  list(drain);
  const pool_lease_info_t *own = own_lease(drain);
  if (!own)
    return 0;
  if (is_hopeless(drain, threads))
    return refuse(drain, own);
  for (int64_t i = 0; i < drain->count; i++)
    if (drain->leases[i].thread == thread_id())
      event_drain_own(drain->pool, &drain->leases[i]);
  return 0;
}

static void tell_who_holds_what(struct drain *drain)
{
  int64_t waited_ms = (clock_now() - drain->began_ns) / 1000000;
  list(drain);
  for (int64_t i = 0; i < drain->count; i++)
    event_drain_waits(drain->pool, &drain->leases[i], waited_ms);
}

/* Whether it maintains the pool, for nobody else need do that any more. */
static bool maintains(const struct pool *pool)
{
  return !pool->stepped && pool->config.keeper == POOL_KEEPER_MANUAL;
}

/* Does what nobody else would.  Returns when there is more to do. */
static int64_t help(struct pool *pool)
{
  worker_do_unclean(pool);
  if (!maintains(pool))
    return POOL_NO_DEADLINE;
  int64_t due = keeper_maintain(pool), now = clock_now();
  return due < POOL_NO_DEADLINE - now ? now + due : POOL_NO_DEADLINE;
}

static int64_t earlier(int64_t a, int64_t b)
{
  return a < b ? a : b;
}

static int wait_until_empty(struct drain *drain)
{
  struct pool *pool = drain->pool;
  bool waits = false;
  int64_t tells_ns =
      drain->began_ns < POOL_NO_DEADLINE - PATIENCE_NS ? drain->began_ns + PATIENCE_NS : POOL_NO_DEADLINE;
  for (;;) {
    uint32_t kept = atomic_load(&pool->keeper_signal);
    int64_t due_ns = help(pool);
    uint32_t seen = atomic_load(&pool->drain_signal);
    int32_t threads, open = count_open(pool, &threads);
    if ((open == 0 && threads == 0) || clock_now() >= drain->deadline_ns)
      return open;
    if (maintains(pool) && atomic_load(&pool->keeper_signal) != kept)
      continue;
    int code = waits ? 0 : begin_to_wait(drain, threads);
    if (code)
      return code;
    waits = true;
    if (clock_now() >= tells_ns) {
      tell_who_holds_what(drain);
      tells_ns = POOL_NO_DEADLINE;
    }
    park_wait(&pool->drain_signal, seen, earlier(earlier(due_ns, tells_ns), drain->deadline_ns));
  }
}

int pool_close(pool_t *pool, int64_t drain_ms)
{
  if (!pool || drain_ms < -1 || (drain_ms != 0 && callback_is_inside(pool)))
    return error_in(pool ? pool->name : NULL, NULL, POOL_E_INVALID, 0, "%s",
                    !pool           ? "pool is NULL"
                    : drain_ms < -1 ? "drain_ms is below -1"
                                    : "a callback of a pool cannot wait for that pool to drain; use drain_ms 0");
  struct drain drain = {
      .pool = pool, .endless = drain_ms < 0, .began_ns = clock_now(), .deadline_ns = clock_deadline(drain_ms)};
  struct step step;
  struct scan cursor = {0};
  bool first = steer_close(pool);
  while (!pool->stepped && chores_next_unasked(pool, &cursor, &step))
    worker_finish(pool, &step, drain.deadline_ns);
  if (first)
    event_pool(pool, POOL_EVENT_POOL_CLOSED);
  crew_stop(pool);
  int32_t threads;
  return drain_ms == 0 ? count_open(pool, &threads) : wait_until_empty(&drain);
}
