/* SPDX-License-Identifier: MIT */
/* The engine decides who gets which connection.  It never runs a callback and never sleeps: it hands out work and names
   those to wake, and a runner (runner.c, or a binding through step.c) does it.  Why it is right is said in engine.c. */
#ifndef ENGINE_H
#define ENGINE_H

#include <pthread.h>

#include <pool/pool.h>
#include <pool/step.h>

#include "bitmap.h"
#include "slot.h"
#include "waiter.h"

/* Bits of pool.attention: what a get or put that succeeded must still look at. */
enum {
  ATTENTION_WAITERS = 1, /* somebody is in the queue */
  ATTENTION_NUDGED = 2,  /* the first waiter was told to look and has not looked yet */
  ATTENTION_FAIR = 4,    /* the first waiter was overtaken long enough: hand over to it, newcomers queue */
  ATTENTION_SURPLUS = 8, /* more connections are open than may be idle */
  ATTENTION_CLOSED = 16,
  ATTENTION_OF_GET = ATTENTION_FAIR | ATTENTION_CLOSED,
  ATTENTION_OF_PUT = ATTENTION_WAITERS | ATTENTION_SURPLUS | ATTENTION_CLOSED
};

/* Where a thread finds the slot that it used last.  Found by the thread's address; each on a line of its own, for its
   thread writes it at every get. */
#define HOMES 32

struct home {
  _Atomic uintptr_t thread;
  _Atomic pool_lease_t next; /* the lease that the slot gives if nobody else used it meanwhile; a guess */
} __attribute__((aligned(SLOT_CACHE_LINE)));

struct pool {
  /* Read by every get and put, written rarely: a line of its own. */
  uint64_t lend; /* what is added to the word of an idle slot to lend it */
  _Atomic uint32_t attention;

  /* Written once, before anybody else knows the pool. */
  pool_config_t config; /* with max_idle resolved, and its name pointing to `name` */
  char name[48];
  pool_vtable_t vtable; /* with every callback filled in */
  bool can_check, can_reset;
  bool stepped; /* of the step API: has no callbacks */
  void *context;

  struct home homes[HOMES];
  struct block blocks __attribute__((aligned(SLOT_CACHE_LINE)));

  /* Everything from here on is under the lock. */
  pthread_mutex_t lock __attribute__((aligned(SLOT_CACHE_LINE)));
  struct queue queue;
  struct queue settled; /* asynchronous waiters whose callback is due */
  struct slot *empty;   /* slots to open connections in */
  int32_t open;         /* slots that are not empty */
  int32_t opening;
  int32_t references;
  int32_t gets;         /* slow gets under way and tickets given: each may still look at the pool */
  int32_t asynchronous; /* of these, tickets of pool_get_async */
  int32_t threads;      /* of the library, for this pool */
  int32_t openers;      /* of these, those that open */
  int32_t openers_idle;
  int32_t openers_opening;
  bool keeper_runs;
  bool maintained; /* somebody acts for the asynchronous waiters right now */
  bool gone;       /* nobody needs the pool any more */
  pool_stats_t counts;
  _Atomic int64_t lent_in_vain; /* leases that a get took back at once: not counted as lent */

  /* Words to sleep on; they grow. */
  _Atomic uint32_t keeper_signal;
  _Atomic uint32_t opener_signal;
  _Atomic uint32_t drain_signal;

  struct pool *next_pool, *previous_pool; /* of the registry, see pool.c */
};

/* What a step asks for: the inner side of pool_step_t. */
struct step {
  int32_t work;
  int32_t reason;
  pool_lease_t claim;
  struct slot *slot;
  struct wake wake;
  bool open_wanted;          /* an opener should look */
  _Atomic uint32_t *drained; /* who drains the pool should look */
};

/* Begins or continues a get; `waiter` is NULL to not queue.  A lease; or 0 with work, or with the waiter queued; or an
 * error. */
pool_lease_t engine_begin(struct pool *pool, struct waiter *waiter, struct step *step);

/* An idle connection, if nothing forbids it.  0 may come with work. */
pool_lease_t engine_take_idle(struct pool *pool, struct step *step);

/* A lease that was taken and must not be kept goes back. */
void engine_return_unused(struct pool *pool, pool_lease_t lease, struct step *step);

/* Whether a scan for idle connections might be worth it. */
static inline bool engine_idle_hint(struct pool *pool)
{
  struct block *block = &pool->blocks;
  do
    if (atomic_load_explicit(&block->idle, memory_order_relaxed))
      return true;
  while ((block = atomic_load_explicit(&block->next, memory_order_acquire)));
  return false;
}

/* A slow get begins and ends: in between the pool is not recycled. */
void engine_get_begin(struct pool *pool);
void engine_get_end(struct pool *pool, uint64_t forks);

/* What put does when the slot was made idle and `attention` is not zero. */
void engine_idle(struct slot *slot, uint64_t word, struct step *step);

/* Ends a lease that the fast path could not end.  0 or POOL_E_STALE. */
int engine_end(struct slot *slot, pool_lease_t lease, struct step *step);

/* Reports work.  With `lend` the outcome of an open becomes a lease, else it becomes idle. */
pool_lease_t engine_done(pool_lease_t claim, bool succeeded, void *conn, bool lend, struct step *step);

/* Work of a pool that nobody in particular was given: after close.  False if there is none. */
bool engine_next(struct pool *pool, struct step *step);

/* A place for a connection that nobody asked for.  False without memory. */
bool engine_reserve(struct pool *pool, struct step *step);

/* An open for those who do not open themselves; false if none is wanted. */
bool engine_next_open(struct pool *pool, struct step *step);

/* The open of an opener has ended.  If it failed (code is not 0), so does the wait of the first that it was for. */
void engine_opener_done(struct pool *pool, int code, const pool_error_t *error, struct step *step);

/* Nobody can be found to open: ends the wait of the first that hoped for it. */
void engine_open_failed(struct pool *pool, int code, const pool_error_t *error, struct step *step);

/* A waiter with a ticket; NULL without memory.  It keeps the pool from being recycled until it is given up. */
struct waiter *engine_ticket_take(struct pool *pool, enum waiter_kind kind, int64_t deadline_ns);
void engine_ticket_give(struct pool *pool, struct waiter *waiter);

/* engine_begin for a ticket: tests it and, when it has come to its end, gives it up, all at one moment. */
pool_lease_t engine_begin_ticket(struct pool *pool, int64_t ticket, struct step *step);

/* Ends a ticket of the step API.  0, the lease that it was being given, or an error. */
pool_lease_t engine_cancel_ticket(int64_t ticket, struct step *step);

/* Ends a ticket of an asynchronous get; its callback will be told.  *lease is what it was being given, or 0.  0, with
 *pool, or POOL_E_STALE. */
int engine_cancel_async(int64_t ticket, struct pool **pool, pool_lease_t *lease, struct step *step);

/* Queues an asynchronous waiter.  0 or an error. */
int engine_enqueue(struct pool *pool, struct waiter *waiter, struct step *step);

/* Copies the next asynchronous waiter whose callback is due, and gives up its ticket; false: none is, and *due_ns is
   when to look again. */
bool engine_next_settled(struct pool *pool, struct waiter *copy, int64_t *due_ns, struct step *step);

/* The same for a waiter that engine_begin ended. */
void engine_take_out(struct pool *pool, struct waiter *waiter, struct waiter *copy);

/* Only one thread at a time acts for the asynchronous waiters; false if another does. */
bool engine_maintain_begin(struct pool *pool);
void engine_maintain_end(struct pool *pool, struct step *step);

/* A library thread of this pool ends.  Under the lock, which it leaves. */
void engine_thread_ends(struct pool *pool, struct step *step);

/* An asynchronous waiter that was told to look, or NULL. */
struct waiter *engine_nudged(struct pool *pool);

/* Refuses all gets from now on. */
void engine_close(struct pool *pool);

/* A call begins on a leased connection, or ends.  begin: 0, POOL_E_STALE or POOL_E_OVERLOAD. */
int engine_call_begin(struct slot *slot, pool_lease_t lease);
void engine_call_end(struct slot *slot, bool broken, struct step *step);

/* Suspects all idle connections of a pool: they are checked before they are lent. */
void engine_suspect(struct pool *pool);

/* How many places are taken, and how many library threads the pool has. */
int32_t engine_open_count(struct pool *pool, int32_t *threads);

/* How many are idle right now. */
size_t engine_idle_count(struct pool *pool);

void engine_count(struct pool *pool, pool_stats_t *stats);

/* Leaves the lock and, if nobody needs the pool any more, gives its memory to the next pool. */
void engine_unlock(struct pool *pool);

/* In pool.c: gives the memory of a pool to the next, and the list of all pools that are in use. */
void pool_recycle(struct pool *pool);
void pool_registry_lock(void);
void pool_registry_unlock(void);
struct pool *pool_first(void);

#endif
