/* SPDX-License-Identifier: MIT */
/*
 * A pool, its members grouped by the code that may touch them, and what always holds.
 *
 * Code that relies on one of these cites its number.  The file in brackets has the argument.
 *
 * The word of a slot:
 * - I1: A slot has one owner at most: the thread whose compare-and-swap took it.  Only the owner changes the state.
 *   Others raise flags and count calls. [slot/slot.h]
 * - I2: No word and no lease comes twice, in one pool or in two, so a compare-and-swap with one that is over fails.
 *   [slot/slot.h]
 * - I3: A fast path compares with a word without calls and unusual flags, so whatever is unusual takes the slow way.
 *   [slot/slot.h]
 * - I4: A slot that was met without the lock is the pool's if its word was read first, then its pool, and the word is
 *   still the same when it is changed. [slot/slot.h]
 * - I5: Slots, blocks and pools are used again, never freed.  A thread that comes too late does no harm to the next.
 *   [decide/give.c]
 *
 * Hints:
 * - I6: An idle slot never stays without its bit. [slot/idle.h]
 * - I7: A home names a slot of its own pool or none that can be lent by it: a guess that the word proves. [slot/home.h]
 *
 * Those that wait:
 * - I8: No wake-up is lost: a put makes its slot idle and then reads `attention`; a waiter raises ATTENTION_WAITERS and
 *   then scans. [decide/give.c]
 * - I9: A get reads `attention` after it took a slot: a pool that is closed or paused lends nothing. [decide/asker.c]
 * - I10: A waiter is in the queue until it has its outcome, and both change at one moment.  One that has expired or was
 *   cancelled is given nothing. [decide/waiter.h]
 * - I11: No nudge is swallowed: a waiter that may have been nudged and leaves serves the next. [decide/queue.c]
 * - I12: Whatever frees a place or a connection serves the queue. [decide/give.c]
 *
 * The pool:
 * - I13: A pool is recycled when it has no owner, slot, slow get, ticket and thread any more. [decide/life.c]
 * - I14: Under the lock no callback runs, and no thread is put to sleep or woken by park.h. [src/README.md]
 * - I15: Locks are taken in one order: the registry's, a pool's, those of the tables.  Only a fork holds two of one
 *   kind, the pools'. [decide/life.c]
 */
#ifndef POOL_H
#define POOL_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pool/pool.h>

#include "base/contract.h"
#include "base/error.h"
#include "base/histogram.h"
#include "base/thread.h"
#include "slot/home.h"
#include "slot/idle.h"
#include "slot/slot.h"
#include "decide/breaker.h"
#include "decide/event_queue.h"
#include "decide/tenure.h"
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

/* Where the program of a group of the step API hears which of its pools somebody else has steered.  A pool in the list
   has `rung`, and is added under its own lock; all are taken away at once, under the lock of the group. */
struct hub {
  _Atomic int fd; /* as event_fd.h has it */
  _Atomic(struct pool *) first;
};

/* ---- parts that begin anew with each pool, and in a child of fork (life_begin_anew()) ---- */

/* The connections that there are, and whether there may be another. */
struct room {
  int32_t open;         /* slots that the pool has */
  int32_t opening;      /* of these, those whose open is under way */
  struct slot *hope;    /* a slot whose connection could come to a waiter when somebody looked */
  int64_t refill_at_ns; /* after a failed open, none is opened unasked before; 0: none failed */
};

/* What a budget allows the pool (allowance.h). */
struct budget;
struct member;
struct allowance {
  struct budget *budget;          /* NULL: none; the first three members a fork leaves */
  struct member *member;          /* of the budget; NULL: it is no member yet */
  void (*end)(struct pool *pool); /* the pool is no more, and leaves its budget */
  int32_t granted;                /* so many may be open */
  int32_t target;                 /* and of these so many shall stay */
  int32_t wants;                  /* what the budget knows that the pool wants */
  int32_t limit;                  /* of the budget, as its ledger says */
  bool cut_off;                   /* the ledger does not answer, and the term is over */
  bool pressed;                   /* others lack: the budget is to know of each place that becomes free */
  bool asked;                     /* the budget is about to ask what the pool wants */
  bool passing;                   /* a get that does not wait found no permit */
};

/* Those that may still look at the pool, so that it is not recycled, beside its connections and threads. */
struct users {
  int32_t gets;         /* slow gets under way and tickets given */
  int32_t asynchronous; /* of these, tickets of pool_get_async */
  bool maintained;      /* somebody acts for the asynchronous waiters right now */
};

/* Opens and checks for waiters that have left, of POOL_STEP_DETACHED (attend.h). */
struct left_over {
  int32_t works;
  int32_t checks;   /* of these */
  int32_t given_up; /* of these, those that took too long */
  int32_t rounds;   /* how often that was so since an open succeeded */
  int64_t until_ns; /* how long waiters count on the others */
};

/* The threads of the library. */
struct crew {
  int32_t threads; /* for this pool */
  int32_t workers; /* of these, those that open and do chores */
  int32_t idle;    /* of these, those that sleep */
  int32_t opening; /* and those that open */
  _Atomic bool keeper_runs;
  _Atomic int64_t start_again_ns; /* ATTENTION_THREADLESS: nobody tries before */
};

/* Work that nobody in particular asked for. */
struct chores {
  struct slot *unclean; /* slots whose reset or close is to be done in the background */
  int32_t doing;        /* checks, resets and closes that are done in the background right now */
  bool wished;          /* a get that does not wait found nothing: a thread may open one for the next, or where there
                           are no workers close what takes its place */
  bool resuming;        /* the last pause was taken back, and that is being told: workers open nothing */
  int32_t unfilled;     /* of `initial`, those that pool_step_next() has still to ask for */
  _Atomic bool marked;  /* slots are marked to be closed or checked */
};

/* The keeper's looks at the time. */
struct looks {
  _Atomic bool resting;      /* the keeper looks, or rests: it is to be told when something moves */
  _Atomic int64_t next_ns;   /* when it looks again; it never does later */
  _Atomic int64_t last_ns;   /* when the last look began that has ended, on clock_boot() */
  _Atomic uint32_t signal;   /* what keeper_signal was when the last look of a pool of the step API began */
  int64_t retiring_interval; /* of lifetimes, and how many ended in it; these two are of the thread that maintains */
  int32_t retired;
};

/* Whether those that wait hold all connections (starve.c). */
struct starving {
  pool_lease_t witness; /* a lease whose holder did not wait when somebody looked: threads do not starve */
  uint64_t generations; /* how far those of all slots had come when waiters seemed to starve */
  int64_t since_ns;     /* and since when they had come no further; 0: not known */
};

/* What one dead connection says about the others (suspect.c). */
struct suspicion {
  _Atomic bool lasts;   /* suspect connections are checked in the background, one after the other */
  _Atomic bool probing; /* while the breaker is open: a suspect connection is being checked */
};

/* Whether connections come to those that want them (flow.c). */
struct flow {
  int64_t joined_ns; /* when a get looked last that came to wait */
  int64_t opened_ns; /* and an open */
  int64_t came;      /* how many leases had ended and connections were opened at the last look */
  int64_t timed_out; /* and how many gets had ended at their deadline */
  int64_t wanted_ns; /* since when a connection is wanted and none came; 0: not so */
};

static inline void flow_reset(struct flow *flow)
{
  *flow = (struct flow){0};
}

static inline void room_reset(struct room *room)
{
  *room = (struct room){0};
}

static inline void users_reset(struct users *users)
{
  *users = (struct users){0};
}

static inline void left_over_reset(struct left_over *left_over)
{
  *left_over = (struct left_over){0};
}

static inline void crew_reset(struct crew *crew)
{
  crew->threads = crew->workers = crew->idle = crew->opening = 0;
  atomic_store(&crew->keeper_runs, false);
  atomic_store(&crew->start_again_ns, 0);
}

static inline void chores_reset(struct chores *chores)
{
  chores->unclean = NULL;
  chores->doing = chores->unfilled = 0;
  chores->wished = chores->resuming = false;
  atomic_store(&chores->marked, false);
}

static inline void looks_reset(struct looks *looks)
{
  atomic_store(&looks->resting, false);
  atomic_store(&looks->next_ns, POOL_NO_DEADLINE);
  atomic_store(&looks->last_ns, 0);
  looks->retiring_interval = looks->retired = 0;
}

static inline void starving_reset(struct starving *starving)
{
  *starving = (struct starving){0};
}

static inline void suspicion_reset(struct suspicion *suspicion)
{
  atomic_store(&suspicion->lasts, false);
  atomic_store(&suspicion->probing, false);
}

struct pool {
  /* Read by every get and put, written rarely: a line of its own. */
  uint64_t lend; /* what is added to the word of an idle slot to lend it */
  _Atomic uint32_t attention;
  _Atomic bool coarse; /* which wall clock tells a get whether it must look closer */
  _Atomic int64_t
      trust_ns; /* how long a lease renews the trust in its connection; 0: nothing limits by time what is lent */

  /* Written once, before anybody else knows the pool, but for what pool_set() changes. */
  pool_config_t config; /* its name points to `name`; max_open and max_idle are below */
  char name[POOL_NAME_BYTES];
  pool_vtable_t vtable; /* with every callback filled in */
  bool can_check, can_reset;
  _Atomic bool stepped; /* of the step API: has no callbacks; the end of a step reads it of what may be a later pool */
  bool tickets_block; /* and a ticket is that of a thread which sleeps, as a waiter in the library does */
  bool detached;      /* and a get waits on while an open or check is done for it (attend.h) */
  bool hands;         /* and leases go from holder to waiter, with what tells the waiter (queue.c) */
  bool joins;         /* and may begin to wait after its open has begun */
  crew_turn_fn *turn[CREW_ROLES];
  bool checks_all;          /* before each lending */
  _Atomic bool needs_watch; /* something has to do with time */
  void *context;

  /* Under the lock of the registry (life.c). */
  int64_t number; /* of all that the process made */
  struct pool *next_pool, *previous_pool, *next_made;

  /* Written by every get: each thread its own line. */
  struct home homes[HOMES];

  /* Written by gets and puts where a hint changes (idle.h). */
  struct block block __attribute__((aligned(SLOT_CACHE_LINE))); /* the first; the others are allocated */
  struct row rows;

  /* Everything from here on is under the lock, but for atomic members: these may be read without it. */
  pthread_mutex_t lock __attribute__((aligned(SLOT_CACHE_LINE)));

  /* What the program decided: it holds in a child of fork as well. */
  int32_t max_open, max_idle;
  int32_t references;
  int32_t pauses;
  bool exposed;         /* poolctl may see and steer it */
  bool evicting;        /* nobody waits for the end of this pause */
  bool gone;            /* nobody needs the pool any more */
  bool keyed;           /* of a group: one of many, most of which have and want nothing */
  _Atomic bool filling; /* pool_create opens the first connections: nobody else does */

  /* Those that wait. */
  struct queue queue;
  struct queue settled; /* asynchronous waiters whose callback is due */
  struct told told;     /* threads that a step could not name */
  bool unserved;        /* too many waits were over for one step: the next goes on and serves */
  struct tenure tenure;
  int64_t late_since_ns;    /* since when the first waiter is late; 0: it is not */
  int64_t refused_until_ns; /* of those that wait since then at the latest, all are refused that a worker opens for */

  struct room room;
  struct allowance allowance;
  struct breaker breaker;
  struct users users;
  struct left_over left_over;
  struct crew crew;
  struct chores chores;
  struct looks looks;
  struct starving starving;
  struct suspicion suspicion;
  struct flow flow;

  struct event_queue events; /* that the caller of the step API fetches */

  /* What is counted (count.c). */
  struct counts counts;
  int64_t ended;                /* generations that were over in slots that the pool has given back */
  int64_t lent;                 /* the last answer, see count_lent() */
  int64_t at_once;              /* and that of count_at_once() */
  int64_t connections;          /* how many opens have begun: the number of the last connection */
  _Atomic int64_t lent_in_vain; /* leases that a get took back at once: not counted as lent */
  struct histogram wait, open_time, check_time, use;

  int32_t *ends; /* how many lifetimes end in each interval, a ring; NULL: lifetimes have no limit */

  /* Words to sleep on; they grow, from one pool to the next as well. */
  _Atomic uint32_t keeper_signal;
  _Atomic uint32_t worker_signal;
  _Atomic uint32_t drain_signal;

  _Atomic int event_fd; /* and one; 0: none */

  _Atomic(struct hub *) hub; /* NULL: it has a descriptor of its own, or nobody hears of it; changes under the lock */
  struct pool *next_rung;
  _Atomic bool rung; /* it is in the list of its hub, or on the way from there to the program */
};

/* Whether this thread holds the lock of a pool; where that is not known, whether one does. */
static inline bool holds_lock(const struct pool *pool)
{
#ifdef __GLIBC__ /* only its mutex says which thread has it */
  return pool->lock.__data.__owner == thread_id();
#else
  return pthread_mutex_trylock((pthread_mutex_t *)&pool->lock) == EBUSY;
#endif
}

/* What knows no pool (base/, slot/, breaker.c and waiter.c) cannot ask: the functions that call it do. */
#define assert_locked(pool) assert_that(holds_lock(pool))
#ifdef __GLIBC__
#define assert_unlocked(pool) assert_that(!holds_lock(pool))
#else
#define assert_unlocked(pool) ((void)(pool)) /* another thread may hold it */
#endif

#endif
