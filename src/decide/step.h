/* SPDX-License-Identifier: MIT */
/* What was decided, for a runner to do: a step asks for work on a slot and names threads to be woken. */
#ifndef STEP_H
#define STEP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>
#include <pool/step.h>

#include "base/clock.h"
#include "decide/waiter.h"

struct slot;

/* What a step asks for: the inner side of pool_step_t. */
struct step {
  int32_t work;
  int32_t reason;
  pool_lease_t claim;
  struct slot *slot;
  _Atomic uint32_t *signal; /* of the thread to be woken first */
  struct pool *tells;       /* of which more are to be woken: queue_tell() names them */
  struct budget *budget;    /* that is to ask what its pools want */
  bool worker_wanted;       /* somebody should open, or do another chore */
  bool keeper_wanted;       /* what the keeper waits for has changed */
  bool breaker_opened;      /* to be told */
  bool breaker_closed;
  bool starved;
  struct slot *passed;       /* its connection is for the first waiter, whether or not a hand-over is due */
  bool restored;             /* a scan had cleared a bit for a moment, and others may have missed an idle slot */
  int64_t until_ns;          /* of an open or check for a get of the step API: that get's deadline */
  int64_t since_ns;          /* and since when it waits; 0: it has not been in the queue yet */
  bool waited;               /* it was in the queue before */
  int64_t busy_ns;           /* how long opens took that failed for it before */
  int64_t ticket;            /* of such a get, where it waits, or goes on waiting after its open failed */
  int64_t attended;          /* the same where it goes on waiting while the work is done */
  int64_t look_again_ns;     /* when a failed open may be tried again; 0: none has failed */
  _Atomic uint32_t *drained; /* the thread that drains the pool should look */
  int64_t now_ns;            /* now, where the call has read the clock under the lock already; else 0 */
};

static inline int64_t step_now(const struct step *step)
{
  return step->now_ns ? step->now_ns : clock_now();
}

void step_ask(struct step *step, int32_t work, int32_t reason, struct slot *slot, uint64_t word);

/* What the keeper waits for has changed. */
void step_want_keeper(struct pool *pool, struct step *step);

/* Something moves while the keeper rests. */
void step_notice(struct pool *pool, struct step *step);
void step_tell_drainers(struct pool *pool, struct step *step);

#endif
