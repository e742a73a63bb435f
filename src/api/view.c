/* SPDX-License-Identifier: MIT */
/*
 * Where the words are by which a program lends and puts back itself.
 *
 * What the words mean is said in slot/slot.h, slot/idle.h and decide/attention.h; pool_step_begin() and pool_step_end()
 * do the same with them.
 */
#include <stddef.h>

#include <pool/step.h>

#include "base/error.h"
#include "base/sized.h"
#include "slot/idle.h"
#include "slot/slot.h"
#include "decide/attention.h"
#include "decide/pool.h"
#include "run/event.h"

static void describe(struct pool *pool, pool_view_t *ours)
{
  ours->version = POOL_VIEW_VERSION;
  ours->slots = &slots[0].word;
  ours->attention = &pool->attention;
  ours->slot_mask = SLOT_LIMIT - 1;
  ours->slot_bytes = sizeof(struct slot);
  ours->idle = IDLE;
  ours->lent = IDLE + pool->lend;
  ours->plain = LEASED | STEPPED;
  ours->generation = GENERATION_ONE;
  ours->beyond = GENERATION_END;
  ours->untimed = SAMPLE_MASK;
  ours->block_at = offsetof(struct slot, block) - offsetof(struct slot, word);
  ours->bit_at = offsetof(struct slot, bit) - offsetof(struct slot, word);
  ours->hint_at = offsetof(struct block, idle);
  ours->get_stops = ATTENTION_NOT_NOW;
  ours->get_asks = ATTENTION_OF_STEP;
  ours->put_asks = ATTENTION_OF_PUT;
  ours->waits = ATTENTION_WAITERS;
  ours->told = ATTENTION_NUDGED;
  ours->due = ATTENTION_FAIR;
  ours->closing = event_follows_closes(&pool->config) ? 0 : CLOSING | DOOMED;
}

int pool_step_view(pool_t *pool, pool_view_t *theirs)
{
  pool_view_t ours = POOL_VIEW_INIT;
  int code = theirs ? sized_check(theirs->size, VIEW_SIZES) : 0;
  if (!theirs || !pool)
    return error_in(pool ? pool->name : NULL, NULL, POOL_E_INVALID, 0, "%s is NULL", pool ? "view" : "pool");
  if (code)
    return error_code_in(pool->name, code);
  if (!pool->stepped)
    return error_in(pool->name, NULL, POOL_E_UNSUPPORTED, 0,
                    "this pool has a vtable; the step API is for pools without");
  describe(pool, &ours);
  sized_write(theirs, &ours, VIEW_SIZES);
  return 0;
}
