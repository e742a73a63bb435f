/* SPDX-License-Identifier: MIT */
/* What a get or put that succeeded must still look at: one word in the pool, read by every get and put and written
   rarely. */
#ifndef ATTENTION_H
#define ATTENTION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "decide/pool.h"

/* Bits of pool.attention: what a get or put that succeeded must still look at. */
enum {
  ATTENTION_WAITERS = 1, /* somebody is in the queue */
  ATTENTION_NUDGED = 2,  /* the first waiter was told to look and has not looked yet */
  ATTENTION_FAIR = 4,    /* a hand-over to the first waiter is due, and newcomers queue */
  ATTENTION_SURPLUS = 8, /* more connections are open than may be idle */
  ATTENTION_EXCESS = 16, /* more connections are open than may be open */
  ATTENTION_PAUSED = 32,
  ATTENTION_CLOSED = 64,
  ATTENTION_TRIPPED = 128,     /* the breaker is open: one suspect connection at a time is checked */
  ATTENTION_EVENTS = 256,      /* gets are told to somebody */
  ATTENTION_UNCLEAN = 512,     /* a put is to close what a get left, for nobody else does */
  ATTENTION_KEEPERLESS = 1024, /* the keeper could not be started; or a worker */
  ATTENTION_WORKERLESS = 2048,
  ATTENTION_LIMITED = 4096, /* time, or how often it was lent, limits what may be lent */
  ATTENTION_THREADLESS = ATTENTION_KEEPERLESS | ATTENTION_WORKERLESS,
  ATTENTION_NOT_LENDING = ATTENTION_PAUSED | ATTENTION_CLOSED,
  ATTENTION_NOT_NOW = ATTENTION_FAIR | ATTENTION_NOT_LENDING,
  ATTENTION_OF_GET = ATTENTION_NOT_NOW | ATTENTION_EVENTS | ATTENTION_LIMITED | ATTENTION_THREADLESS,
  ATTENTION_OF_STEP = ATTENTION_NOT_LENDING | ATTENTION_EVENTS | ATTENTION_LIMITED, /* of a get of the step API */
  ATTENTION_OF_PUT = ATTENTION_WAITERS | ATTENTION_SURPLUS | ATTENTION_EXCESS | ATTENTION_CLOSED | ATTENTION_UNCLEAN
};

static inline uint32_t attention_of(struct pool *pool)
{
  return atomic_load(&pool->attention);
}

static inline bool attention_closed(struct pool *pool)
{
  return attention_of(pool) & ATTENTION_CLOSED;
}

/* What makes those that come queue at once: where leases go from holder to waiter, also that others wait. */
static inline uint32_t attention_of_turn(const struct pool *pool)
{
  return pool->hands ? ATTENTION_NOT_NOW | ATTENTION_WAITERS : ATTENTION_NOT_NOW;
}

/* The same where nothing hangs on the moment: a hint whether to look closer, or whether somebody listens.  Relaxed, for
   what must not be missed is looked at by attention_of(), after a slot was taken. */
static inline uint32_t attention_hint(struct pool *pool)
{
  return atomic_load_explicit(&pool->attention, memory_order_relaxed);
}

/* Raises or lowers bits of `attention`. */
void attention_raise(struct pool *pool, uint32_t bits, bool on);

#endif
