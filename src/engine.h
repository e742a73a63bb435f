/* SPDX-License-Identifier: MIT */
/* The engine decides who gets which connection.  It never runs a callback and never sleeps: it hands out work and names
   those to wake, and a runner (runner.c, or a binding through step.c) does it.  Why it is right is said in engine.c. */
#ifndef ENGINE_H
#define ENGINE_H

#include <pthread.h>

#include <pool/pool.h>
#include <pool/step.h>

#include "bitmap.h"
#include "breaker.h"
#include "clock.h"
#include "histogram.h"
#include "slot.h"
#include "waiter.h"
#include "watch.h"

/* Bits of pool.attention: what a get or put that succeeded must still look at. */
enum {
  ATTENTION_WAITERS = 1, /* somebody is in the queue */
  ATTENTION_NUDGED = 2,  /* the first waiter was told to look and has not looked yet */
  ATTENTION_FAIR = 4,    /* the first waiter was overtaken long enough: hand over to it, newcomers queue */
  ATTENTION_SURPLUS = 8, /* more connections are open than may be idle */
  ATTENTION_EXCESS = 16, /* more connections are open than may be open */
  ATTENTION_PAUSED = 32,
  ATTENTION_CLOSED = 64,
  ATTENTION_TRIPPED = 128,     /* the breaker is open: one suspect connection at a time is checked */
  ATTENTION_EVENTS = 256,      /* gets are told to somebody */
  ATTENTION_UNCLEAN = 512,     /* a put is to close what a get left, for nobody else does */
  ATTENTION_KEEPERLESS = 1024, /* the keeper could not be started; or an opener */
  ATTENTION_OPENERLESS = 2048,
  ATTENTION_TIMED = 4096, /* time limits what may be lent */
  ATTENTION_THREADLESS = ATTENTION_KEEPERLESS | ATTENTION_OPENERLESS,
  ATTENTION_NOT_LENDING = ATTENTION_PAUSED | ATTENTION_CLOSED,
  ATTENTION_NOT_NOW = ATTENTION_FAIR | ATTENTION_NOT_LENDING,
  ATTENTION_OF_GET = ATTENTION_NOT_NOW | ATTENTION_EVENTS | ATTENTION_TIMED | ATTENTION_THREADLESS,
  ATTENTION_OF_PUT = ATTENTION_WAITERS | ATTENTION_SURPLUS | ATTENTION_EXCESS | ATTENTION_CLOSED | ATTENTION_UNCLEAN
};

/* Where a thread finds the slot that it used last.  Found by the thread's address; each on a line of its own, for its
   thread writes it at every get. */
#define HOMES 32

struct home {
  _Atomic uintptr_t thread;
  _Atomic pool_lease_t next; /* the lease that the slot gives if nobody else used it meanwhile; a guess */
} __attribute__((aligned(SLOT_CACHE_LINE)));

/* What a pool counts as it happens, by its name in pool_stats_t.  stats.c finds out the rest when somebody asks. */
struct counts {
#define KEPT(name, ...) int64_t name;
#include "api/counts.def"
};

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
  bool stepped;     /* of the step API: has no callbacks */
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
  int32_t openers;      /* of these, those that open */
  int32_t openers_idle;
  int32_t openers_opening;
  int32_t chores_doing; /* checks, resets and closes that are done in the background right now */
  int32_t pauses;
  bool evicting;        /* nobody waits for the end of this pause */
  bool resuming;        /* the last pause was taken back, and that is being told: openers open nothing */
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
  int64_t refused_until_ns;  /* of those that wait since then at the latest, all are refused that an opener opens for */
  bool wished;               /* a get that does not wait found nothing: a thread may open one for the next, or where
                                there are no openers close what takes its place */
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
  _Atomic uint32_t opener_signal;
  _Atomic uint32_t drain_signal;

  _Atomic int event_fd; /* and one; 0: none */

  struct pool *next_pool, *previous_pool, *next_made; /* of the registry, see pool.c */
};

/* What a step asks for: the inner side of pool_step_t. */
struct step {
  int32_t work;
  int32_t reason;
  pool_lease_t claim;
  struct slot *slot;
  struct wake wake;
  struct pool *tells;  /* of which more are to be woken: engine_tell() names them */
  bool opener_wanted;  /* somebody should open, or do another chore */
  bool keeper_wanted;  /* what the keeper waits for has changed */
  bool breaker_opened; /* to be told */
  bool breaker_closed;
  bool starved;
  bool restored;             /* a scan had cleared a bit for a moment, and others may have missed an idle slot */
  int64_t until_ns;          /* of an open or check for a get of the step API: that get's deadline */
  int64_t since_ns;          /* and since when it waits; 0: it has not been in the queue yet */
  int64_t ticket;            /* of such a get, where it goes on waiting after its open failed */
  int64_t look_again_ns;     /* when a failed open may be tried again; 0: none has failed */
  _Atomic uint32_t *drained; /* who drains the pool should look */
};

/* The outcome of work. */
struct outcome {
  bool succeeded;
  bool lend;        /* an open or check was for a get: the connection is lent to it */
  int64_t until_ns; /* as in the step that asked for it; 0: for nobody in particular */
  int64_t since_ns;
  int64_t newest;            /* of a check: the number of the last connection when it began */
  bool cut_short;            /* the get's own deadline ended it, which says nothing about the server */
  void *conn;                /* of an open */
  int64_t took_ns;           /* of an open or check; -1: not known */
  const pool_error_t *error; /* why it failed, or NULL */
};

/* A lease that has ended, before it is decided what becomes of its connection. */
struct ending {
  pool_lease_t lease;
  int64_t held_ns; /* -1: not known */
  int64_t connection;
  int32_t holder;
  bool awaited; /* calls are under way that the next user must not meet */
  bool leaked;  /* had been reported as such */
  bool noticed; /* the keeper rests and must be told */
  char *tag;    /* to be freed */
};

/* At most so many waits are ended, or threads named, while the lock is held once. */
#define TOLD_AT_ONCE 64

/* Ends waits that are over and names threads to be woken, after the lock: fills `signals` and returns how many.  What a
   signal points to may be gone by then; to wake it does not read it.  step->tells: there are more. */
int32_t engine_tell(struct pool *pool, _Atomic uint32_t *signals[TOLD_AT_ONCE], struct step *step);

/* Begins or continues a get, without a place in the queue or with one.  A lease; or 0 with work, or with the waiter
   queued; or an error.  The caller has found nothing with engine_take_idle().  A wary get has met a dead connection and
   rather opens than meets another; one that waits will queue if there is nothing now. */
pool_lease_t engine_begin(struct pool *pool, bool wary, bool waits, struct step *step);
pool_lease_t engine_wait(struct pool *pool, struct waiter *waiter, struct step *step);

/* Lends an idle slot of the pool: any, with work where it must be checked or closed first; or only one that needs no
   work.  0: there is none. */
pool_lease_t engine_lend_any(struct pool *pool, struct step *step);
pool_lease_t engine_lend_clean(struct pool *pool, struct step *step);

bool engine_any_idle(struct pool *pool);

/* What is idle, for pool_len() and pool_stats() alike. */
static inline bool engine_is_lendable(uint64_t word)
{
  return state_of(word) == IDLE && !(word & DOOMED);
}

/* Whether a connection is idle, or will be if the check that is under way says so. */
bool engine_any_coming(struct pool *pool);

/* Under the lock: whether the caps allow one connection more, and whether it may be opened now (`again`: see
   breaker_permits()); whether too few are idle; takes a place for an open, false without memory. */
bool engine_has_place(struct pool *pool);
bool engine_has_room(struct pool *pool, bool again);
bool engine_needs_refill(struct pool *pool);

/* How many idle connections may go for good: so many that min_idle and min_open are left, or `enough` if there are
   more.  `taken`: the one that may go is taken already. */
int64_t engine_spare(struct pool *pool, bool taken, int32_t enough);

bool engine_needs_probe(struct pool *pool);
bool engine_reserve_locked(struct pool *pool, struct step *step);

/* Under the lock: whether a connection is open, or being opened, that may still come to a waiter. */
bool engine_hopes(struct pool *pool);

/* Such a connection is none any more. */
void engine_hope_less(struct pool *pool, struct step *step);

/* What the keeper waits for has changed. */
void engine_want_keeper(struct pool *pool, struct step *step);

/* An idle connection, if nothing forbids it.  0 may come with work. */
pool_lease_t engine_take_idle(struct pool *pool, struct step *step);

/* Whether a connection that was lent on the fast path may have been idle for too long, or be too old.  Of a pool that
   limits that. */
static inline bool engine_is_doubtful(struct pool *pool, pool_lease_t lease)
{
  struct watch *watch = &watches[(uint64_t)lease & (SLOT_LIMIT - 1)];
  int64_t until = atomic_load_explicit(&watch->trusted_until, memory_order_relaxed);
  return (uint64_t)(until - clock_wall(pool->coarse) - 1) >= (uint64_t)pool->trust_ns;
}

/* A lease of a connection that was idle until right now.  Returns it; or 0 if it must not be lent as it is, with work
   if there is something to do. */
pool_lease_t engine_examine(struct pool *pool, pool_lease_t lease, struct step *step);

static inline pool_lease_t engine_confirm(struct pool *pool, pool_lease_t lease, struct step *step)
{
  return lease && pool->trust_ns && engine_is_doubtful(pool, lease) ? engine_examine(pool, lease, step) : lease;
}

/* A connection was put while somebody pays attention: a moment that is known. */
void engine_note_put(struct pool *pool, struct slot *slot, uint64_t word);

/* A lease that was taken and must not be kept goes back. */
void engine_return_unused(struct pool *pool, pool_lease_t lease, struct step *step);

/* A slow get begins and ends: in between the pool is not recycled. */
void engine_get_begin(struct pool *pool);
void engine_get_end(struct pool *pool, uint64_t forks);

/* What put does when the slot was made idle and the `attention` of the pool that bitmap_mark() returned is not zero. */
void engine_idle(struct pool *pool, struct slot *slot, uint64_t word, struct step *step);

/* Ends a lease that the fast path could not end: takes it back, 0 or POOL_E_STALE; then decides about the connection.
   In between the pool cannot go away. */
int engine_take_back(struct slot *slot, pool_lease_t lease, struct ending *ending);
void engine_settle_return(struct slot *slot, const struct ending *ending, struct step *step);

/* Both, where nobody is told. */
int engine_end(struct slot *slot, pool_lease_t lease, struct step *step);

/* Reports work.  The outcome of an open or check becomes a lease or idle. */
pool_lease_t engine_done(pool_lease_t claim, const struct outcome *outcome, struct step *step);

/* Work of a pool that nobody in particular was given.  False if there is none; of idle slots, none from the cursor on,
   which is zeroes in the first call. */
bool engine_next(struct pool *pool, struct scan *cursor, struct step *step);

/* A place for a connection that nobody asked for, whatever the caps say.  False without memory. */
bool engine_reserve(struct pool *pool, struct step *step);

/* What is to be done in the background: a reset, what a look or a flush has marked (`cursor` goes over the slots), an
   open for those who do not open themselves.  False if there is nothing. */
bool engine_next_chore(struct pool *pool, struct scan *cursor, bool for_waiters, struct step *step);

/* When an opener is to try again for those that wait; POOL_NO_DEADLINE: it need not.  Under the lock. */
int64_t engine_retry_at(struct pool *pool);

/* How many threads would find something to do now, those that do something already among them.  Under the lock. */
int32_t engine_hands_wanted(struct pool *pool);

/* A chore that was no open has ended. */
void engine_chore_done(struct pool *pool);

/* How many opens, and how many other chores, are done in the background at one time: one kind that hangs does not hold
   up the other. */
static inline int32_t engine_hands(const struct pool *pool)
{
  return pool->config.openers > 0 ? pool->config.openers : 1;
}

/* Looks at what time does: at the slots, and at opens that are to be tried again. */
void engine_look(struct pool *pool, struct look *look, struct step *step);

/* Dooms all connections; or those that are idle and too many, and returns how many others are.  The doomed are then
   marked for engine_next_chore(). */
int32_t engine_flush(struct pool *pool);
int32_t engine_resize(struct pool *pool, int32_t max_open, struct step *step);

/* Ends the waits that began before a moment, some at a time: returns how many, 0 when there are no more.  During a
   pause none begins from now on. */
int engine_evict(struct pool *pool, int64_t moment, struct step *step);

/* Lends no more; returns how many connections are in use.  Lends again, if nobody else paused; returns how many did. If
   none did, openers and those who wait go on with engine_resumed(), so that the caller can tell it before. */
int engine_pause(struct pool *pool, bool *first);
int engine_resume(struct pool *pool);
void engine_resumed(struct pool *pool, struct step *step);

/* Why the last open failed; whether it is the last that there was. */
bool engine_cause(struct pool *pool, pool_error_t *error);

/* The open of an opener, which began at a moment, has ended.  If it failed (code is not 0) and nothing else may come,
   so do the waits that it was for. */
void engine_opener_done(struct pool *pool, int code, const pool_error_t *error, int64_t began, struct step *step);

/* A get leaves the close or reset that a step asks for to those who do the chores: it has a deadline, they have none.
   The next of these, for those who have none either. */
void engine_do_later(struct pool *pool, struct step *step);
bool engine_next_unclean(struct pool *pool, struct step *step);

/* Whether nobody else will do it: no thread can be had, and nothing is lent that a put could follow. */
bool engine_is_left_alone(struct pool *pool);

/* No thread can be had to open for those that wait. */
void engine_open_failed(struct pool *pool, const pool_error_t *error, struct step *step);

/* A waiter with a ticket; NULL without memory.  It keeps the pool from being recycled until it is given up. */
struct waiter *engine_ticket_take(struct pool *pool, enum waiter_kind kind, int64_t deadline_ns);
void engine_ticket_give(struct pool *pool, struct waiter *waiter);

/* engine_begin for a ticket: tests it and, when it has come to its end, gives it up, all at one moment.  `why` receives
   why an open for it failed last, if one did. */
pool_lease_t engine_begin_ticket(struct pool *pool, int64_t ticket, struct step *step, pool_error_t *why);

/* Under the lock: a get of the step API whose open failed goes on waiting, if something may still come: 0 with
   step->ticket; or an error. */
pool_lease_t engine_wait_on(struct pool *pool, const struct outcome *outcome, struct step *step);

/* Ends a ticket of the step API.  0, the lease that it was being given, or an error. */
pool_lease_t engine_cancel_ticket(int64_t ticket, struct step *step);

/* Ends a ticket of an asynchronous get; its callback will be told.  *lease is what it was being given, or 0.  0, with
 *pool, or POOL_E_STALE. */
int engine_cancel_async(int64_t ticket, struct pool **pool, pool_lease_t *lease, struct step *step);

/* Takes out a waiter whose thread is cancelled while it sleeps.  Returns the lease that it was being given, or 0. */
pool_lease_t engine_cancel_wait(struct pool *pool, struct waiter *waiter, struct step *step);

/* Queues an asynchronous waiter.  0 or an error. */
int engine_enqueue(struct pool *pool, struct waiter *waiter, struct step *step);

/* Copies the next asynchronous waiter whose callback is due, and gives up its ticket; false: none is, and *due_ns is
   when to look again. */
bool engine_next_settled(struct pool *pool, struct waiter *copy, int64_t *due_ns, struct step *step);

/* A get that left the queue to open or check has its lease: that is how its wait ended. */
void engine_count_wait(struct pool *pool, struct waiter *waiter);

/* Only one thread at a time acts for the asynchronous waiters; false if another does. */
bool engine_maintain_begin(struct pool *pool);
void engine_maintain_end(struct pool *pool, struct step *step);

/* A library thread of this pool ends.  Under the lock, which it leaves. */
void engine_thread_ends(struct pool *pool, struct step *step);

/* Refuses all gets from now on.  Returns whether the pool was open until now. */
bool engine_close(struct pool *pool);

/* A call begins on a leased connection, or ends.  begin: 0, POOL_E_STALE or POOL_E_OVERLOAD. */
int engine_call_begin(struct slot *slot, pool_lease_t lease);
void engine_call_end(struct slot *slot, bool broken, struct step *step);

/* Suspects all idle connections of a pool: they are checked before they are lent. */
void engine_suspect(struct pool *pool, struct step *step);

/* The number of the connection whose open began last. */
int64_t engine_newest(struct pool *pool);

/* Asks for the check of an idle connection in the background.  False: none needs one that is not asked for yet. */
bool engine_ask_check(struct pool *pool, struct step *step);

/* Closing what is idle and doomed, from the cursor on. */
bool engine_next_doomed(struct scan *cursor, struct step *step);

/* How many connections are in use: lent, with a call under way, being opened, checked, reset or closed. */
int32_t engine_busy_count(struct pool *pool);

/* Whether whatever is open is lent to one thread, and no call is under way on it. */
bool engine_is_held_by(struct pool *pool, int32_t thread);

/* How many places are taken, and how many library threads the pool has. */
int32_t engine_open_count(struct pool *pool, int32_t *threads);

/* How many are idle right now. */
size_t engine_idle_count(struct pool *pool);

/* Everything that pool_stats() tells.  Under the lock, which it keeps. */
void engine_count(struct pool *pool, pool_stats_t *stats);

/* Copies the slots that a look found to be leaks, one after the other; false: there are no more. */
struct leak {
  pool_lease_t lease;
  int64_t held_ns;
  int64_t connection;
  int32_t holder;
  char tag[48];
};
bool engine_next_leak(struct pool *pool, struct scan *cursor, struct leak *leak);

/* Leaves the lock and, if nobody needs the pool any more, gives its memory to the next pool. */
void engine_unlock(struct pool *pool);

/* In pool.c: gives the memory of a pool to the next; the pools that are in use; all that were ever made. */
void pool_recycle(struct pool *pool);
void pool_registry_lock(void);
void pool_registry_unlock(void);
struct pool *pool_first(void);
struct pool *pool_first_made(void);

#endif
