/* SPDX-License-Identifier: MIT */
/* Pools that are compared: how each is made, and one loop for all of them, which the compiler repeats for each. */
#ifndef CONTENDER_H
#define CONTENDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "nothing.h"
#include "rounds.h"

#define MOST_CONNECTIONS 64
#define SHORT_HOLD_NS    100000 /* a hold up to this keeps the processor, and a longer one sleeps */

struct contest {
  int threads;
  int connections;
  int64_t hold_ns;
  void *pool; /* the contender's own */
};

struct contender {
  const char *name;
  void *(*create)(int connections);
  void (*destroy)(void *pool);
  shift_fn *shift; /* its subject is a contest */
  bool waits;      /* a get with no free connection waits for one; others take part where there are enough */
};

/* These two are there only where their library is. */
extern const struct contender apr_contender, zdb_contender;

static inline void hold(int64_t ns)
{
  if (ns > SHORT_HOLD_NS)
    sleep_ns(ns);
  else if (ns > 0)
    for (int64_t end = now_ns() + ns; now_ns() < end;)
      ;
}

/* Gets, holds and puts until the end of the round.  A hold that ends later does not count: every thread that waits then
   gets its turn still. */
static inline __attribute__((always_inline)) int64_t use(const struct contest *contest, const atomic_bool *stop,
                                                         void *(*get)(void *), void (*put)(void *, void *))
{
  int64_t cycles = 0;
  int batch = contest->hold_ns ? 1 : BATCH;
  while (!atomic_load_explicit(stop, memory_order_relaxed)) {
    for (int i = 0; i < batch; i++) {
      void *held = get(contest->pool);
      hold(contest->hold_ns);
      put(contest->pool, held);
    }
    if (!contest->hold_ns || !atomic_load_explicit(stop, memory_order_relaxed))
      cycles += batch;
  }
  return cycles;
}

#endif
