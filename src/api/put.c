/* SPDX-License-Identifier: MIT */
/* Putting.  The fast path is one compare-and-swap and a look at the pool's `attention`. */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <pool/pool.h>

#include "base/clock.h"
#include "base/error.h"
#include "slot/idle.h"
#include "slot/slot.h"
#include "decide/attention.h"
#include "decide/give.h"
#include "decide/pool.h"
#include "decide/setting.h"
#include "decide/step.h"
#include "run/crew.h"
#include "run/event.h"
#include "run/failure.h"
#include "run/probe.h"
#include "run/worker.h"

static void do_and_wake(struct pool *pool, struct step *step)
{
  crew_finish(pool, step);
  if (step->work) /* else the pool may be another by now */
    worker_do(pool, step, clock_deadline(setting_now(pool->config.get_timeout_ms)), false, NULL);
  /* Of whichever pool it is by now (I5): what is unclean keeps that from being recycled (I13). */
  if (atomic_load(&pool->attention) & ATTENTION_UNCLEAN)
    worker_do_unclean(pool);
}

/* A lease of the step API: its end may ask for something that only that API can tell. */
static bool belongs_to_steps(struct slot *slot, pool_lease_t lease)
{
  return slot_is_lease(slot_word(slot), lease) && slot_pool(slot)->stepped;
}

/* Only where no call is under way that could still change it, and nothing else is to be done with it. */
static bool is_clean(struct pool *pool, struct slot *slot)
{
  uint64_t word = slot_word(slot);
  return !slot_has_calls(word) && !(word & DOOMED) && pool->vtable.is_clean(pool->context, slot_conn(slot)) == 1;
}

static int refuse_step(pool_lease_t lease)
{
  char name[POOL_NAME_BYTES];
  failure_name(lease, name);
  return error_in(name, NULL, POOL_E_UNSUPPORTED, 0, "this lease is of a pool without a vtable; use pool_step_end");
}

static __attribute__((noinline)) int put_slowly(pool_lease_t lease)
{
  struct step step = {0};
  struct ending ending;
  struct slot *slot = slot_find(lease);
  if (slot && belongs_to_steps(slot, lease))
    return refuse_step(lease);
  int code = slot ? give_take_back(slot, lease, &ending) : POOL_E_STALE;
  if (code)
    return failure_of_lease(lease, code);
  struct pool *pool = slot_pool(slot);
  bool same = event_returned(pool, &ending);
  free(ending.tag);
  if (!same)
    return 0; /* the callback forked, and in the child the pool began anew */
  ending.clean = is_clean(pool, slot);
  give_settle(slot, &ending, &step);
  do_and_wake(pool, &step);
  return 0;
}

static __attribute__((noinline)) int put_attentively(struct pool *pool, struct slot *slot, uint64_t word)
{
  struct step step = {0};
  give_note(pool, slot, word);
  give_idle(pool, slot, word, &step);
  do_and_wake(pool, &step);
  return 0;
}

/* Its bit is clear. */
static __attribute__((noinline)) int put_unmarked(struct slot *slot, pool_lease_t lease)
{
  struct pool *pool = idle_mark(slot);
  PROBE_RETURNED(pool, lease);
  if (atomic_load(&pool->attention) & ATTENTION_OF_PUT)
    return put_attentively(pool, slot, slot_put_word(lease));
  return 0;
}

int pool_put(pool_lease_t lease)
{
  struct slot *slot = slot_of(lease);
  if (__builtin_expect(is_sampled(lease) || !slot_put(slot, lease, 0), 0))
    return put_slowly(lease);
  struct pool *pool;
  if (__builtin_expect(!idle_is_marked(slot, &pool), 0))
    return put_unmarked(slot, lease);
  PROBE_RETURNED(pool, lease);
  if (__builtin_expect(atomic_load(&pool->attention) & ATTENTION_OF_PUT, 0))
    return put_attentively(pool, slot, slot_put_word(lease));
  return 0;
}
