/* SPDX-License-Identifier: MIT */
/* A pool, its members grouped by the code that may touch them. */
#ifndef POOL_H
#define POOL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

#include "base/histogram.h"
#include "slot/home.h"
#include "slot/idle.h"
#include "slot/slot.h"
#include "decide/breaker.h"
#include "decide/waiter.h"

/* What a pool counts as it happens, by its name in pool_stats_t.  count.c finds out the rest when somebody asks. */
struct counts {
#define KEPT(name, ...) int64_t name;
#include "decide/counts.def"
};

/* What a library thread of a pool is for, and one turn of its work (crew.c). */
enum crew_role { CREW_KEEPER, CREW_WORKER, CREW_ROLES };

struct crew_turn {
  int64_t due_ns; /* when there is more to do; POOL_NO_DEADLINE: not before somebody wants it */
  bool enough;    /* the thread need not linger */
};

typedef struct crew_turn crew_turn_fn(struct pool *pool);

struct pool {
  /* Read by every get and put, written rarely: a line of its own. */
  uint64_t lend; /* what is added to the word of an idle slot to lend it */
  _Atomic uint32_t attention;
  bool coarse;      /* which wall clock tells a get whether it must look closer */
  int64_t trust_ns; /* how long a lease renews the trust in its connection; 0: nothing limits by time what is lent */

  /* Written once, before anybody else knows the pool. */
  pool_config_t config; /* its name points to `name`; max_open and max_idle are below */
  char name[48];
  pool_vtable_t vtable; /* with every callback filled in */
  bool can_check, can_reset;
  bool stepped; /* of the step API: has no callbacks */
  crew_turn_fn *turn[CREW_ROLES];
  bool checks_all;  /* before each lending */
  bool needs_watch; /* something has to do with time */
  void *context;

  struct home homes[HOMES];
  struct block block __attribute__((aligned(SLOT_CACHE_LINE))); /* the first; the others are allocated */
  struct row rows;

  /* Everything from here on is under the lock. */
  pthread_mutex_t lock __attribute__((aligned(SLOT_CACHE_LINE)));
  struct queue queue;
  struct queue settled; /* asynchronous waiters whose callback is due */
  struct told told;     /* threads that a step could not name */
  bool unserved;        /* too many waits were over for one step: the next goes on and serves */
  int32_t max_open, max_idle;
  struct slot *unclean; /* slots whose reset or close is to be done in the background */
  int32_t open;         /* slots that the pool has */
  int32_t opening;
  int32_t references;
  int32_t gets;         /* slow gets under way and tickets given: each may still look at the pool */
  int32_t asynchronous; /* of these, tickets of pool_get_async */
  int32_t threads;      /* of the library, for this pool */
  int32_t workers;      /* of these, those that open */
  int32_t workers_idle;
  int32_t workers_opening;
  int32_t chores_doing; /* checks, resets and closes that are done in the background right now */
  int32_t pauses;
  bool evicting;        /* nobody waits for the end of this pause */
  bool resuming;        /* the last pause was taken back, and that is being told: workers open nothing */
  _Atomic bool filling; /* pool_create opens the first connections: nobody else does */
  _Atomic bool keeper_runs;
  _Atomic int64_t start_again_ns; /* ATTENTION_THREADLESS: no get tries before */
  _Atomic bool resting;           /* the keeper waits to be told when something moves */
  _Atomic int64_t looks_at_ns;    /* when the keeper looks again; it never does later */
  _Atomic int64_t looked_ns;      /* when the last look began that has ended, on clock_boot() */
  _Atomic bool chores;            /* slots are marked to be closed or checked */
  bool maintained;                /* somebody acts for the asynchronous waiters right now */
  bool gone;                      /* nobody needs the pool any more */
  struct breaker breaker;
  int64_t refill_at_ns;      /* after a failed open, none is opened unasked before; 0: none failed */
  int64_t late_since_ns;     /* since when the first waiter is late; 0: it is not */
  pool_lease_t witness;      /* a lease whose holder did not wait when somebody looked: threads do not starve */
  uint64_t starving;         /* how far the generations of all slots had come when waiters seemed to starve */
  int64_t starving_ns;       /* and since when they had come no further; 0: not known */
  struct slot *hope;         /* a slot whose connection could come to a waiter when somebody looked */
  int64_t refused_until_ns;  /* of those that wait since then at the latest, all are refused that a worker opens for */
  bool wished;               /* a get that does not wait found nothing: a thread may open one for the next, or where
                                there are no workers close what takes its place */
  _Atomic bool suspicion;    /* suspect connections are checked in the background, one after the other */
  _Atomic bool probing;      /* while the breaker is open: a suspect connection is being checked */
  int32_t *ends;             /* how many lifetimes end in each interval, a ring; NULL: lifetimes have no limit */
  int64_t retiring_interval; /* of lifetimes, and how many ended in it; of who maintains */
  int32_t retired;
  struct counts counts;
  int64_t ended; /* generations that were over in slots that the pool has given back */
  struct histogram wait, open_time, check_time, use;
  _Atomic int64_t lent_in_vain; /* leases that a get took back at once: not counted as lent */
  int64_t lent;                 /* the last answer, see count_lent() */
  int64_t connections;          /* how many opens have begun: the number of the last connection */

  /* Words to sleep on; they grow. */
  _Atomic uint32_t keeper_signal;
  _Atomic uint32_t worker_signal;
  _Atomic uint32_t drain_signal;

  _Atomic int event_fd; /* and one; 0: none */

  struct pool *next_pool, *previous_pool, *next_made; /* of the registry, see pool.c */
};

#endif
