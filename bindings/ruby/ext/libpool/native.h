/* SPDX-License-Identifier: MIT */
/*
 * A pool of Ruby objects over the step API: the library decides, Ruby does it.
 *
 * Shared: a pool belongs to one Ractor, and there to the thread that holds the GVL.  It is let go in one place, while a
 * thread sleeps (sleeper.c).  What Ractors share is the table of pages in shelf.c; and a collector, which may run in
 * another Ractor, frees objects that nobody has any more.  No
 * exception leaves Ruby code that was called with something in hand: rb_ensure reports to the library first.
 *
 * Interrupts (Timeout, Thread#raise, Thread#kill) arrive only where Ruby code runs or a thread sleeps.  Between the
 * moment when a lease is got and the rb_ensure that ends it there is neither.
 */
#ifndef LIBPOOL_NATIVE_H
#define LIBPOOL_NATIVE_H

#include <ruby.h>

#include <pool/group.h>
#include <pool/pool.h>
#include <pool/step.h>
#include <pthread.h>
#include <stdbool.h>

#define NOBODY UINT32_MAX /* the end of a list of slots */

/* A thread or fiber that waits.  On the stack of who waits. */
struct sleeper {
  struct sleeper *next, *previous;
  int64_t ticket; /* 0: waits for the pool to be drained */
  bool linked;
  bool woken;      /* under the GVL, as ticket is */
  bool roused;     /* for no reason, with all others: its next look is not passed on to them */
  uint64_t forks;  /* in which process */
  VALUE scheduler; /* of a fiber that is blocked, or nil */
  bool blocked;    /* by it, for the pool */
  VALUE fiber;
  pthread_mutex_t lock; /* for `told`, which ends a sleep */
  pthread_cond_t changed;
  bool told;
  int64_t deadline_ns;
};

/* What Libpool::Pool is inside. */
struct libpool {
  pool_t *pool; /* NULL: not initialised */
  VALUE open;   /* procs; nil where there is none, but for open */
  VALUE close;
  VALUE check;
  VALUE reset;
  VALUE abandon;
  VALUE discard_on; /* after which exceptions a connection is closed; false: after none, and no throw or kill */
  VALUE log;        /* and who is told what happens */
  VALUE events;
  VALUE failure;  /* the exception of the last failed open, if none has succeeded since, or nil */
  uint32_t first; /* slot of the first connection, see shelf.c */
  struct sleeper *first_sleeper, *last_sleeper;
  struct lease *first_lease;  /* of objects of Lease that have not ended theirs */
  struct lease *first_lost;   /* of those that were collected */
  int64_t next_search_ns;     /* when to look again for leases of threads that have ended */
  int64_t next_collection_ns; /* and for those that nobody refers to */
  struct alarm *alarm;        /* of its keeper; NULL: it has none */
  bool unkept;                /* no thread was to be had for its keeper: each step tries again */
  bool keeps_time;            /* a thread does what is due; else the program does */
  bool listens;               /* a thread waits for poolctl, or for what a budget allows */
  bool deaf;                  /* there was no thread to be had for that */
  bool keyed;                 /* it is of a Group, which listens for all of its pools */
  bool shares;                /* it has a budget */
  bool filling;               /* the first connections are being opened */
  int busy;                   /* how many blocks run that nobody in particular wanted */
  int64_t get_timeout_ms;
  uint64_t forks; /* in which process this is valid */
  bool closing;
};

/* ---- object.c: Libpool::Pool ---- */

void object_init(VALUE module);
struct libpool *libpool_of(VALUE object);
struct libpool *libpool_new(VALUE object); /* not initialised yet, or it raises */
VALUE object_allocate(VALUE class);

/* ---- fork.c ---- */

void fork_init(VALUE module);

/* How often this process is a child of a fork of the first. */
extern uint64_t libpool_forks;

/* ---- settings.c ---- */

/* *initial: how many connections it begins with. */
pool_t *settings_create(struct libpool *self, VALUE options, int32_t *initial);
pool_t *settings_create_driver(struct libpool *self, VALUE options, const char *driver, const char *address);
/* `abilities`: of each pool of the group. */
pool_group_t *settings_create_group(VALUE options, int32_t *abilities);
pool_t *settings_create_keyed(struct libpool *self, VALUE options, pool_group_t *group, int32_t abilities, VALUE key);
pool_t *settings_create_url(struct libpool *self, VALUE options, const char *url);

/* Seconds as milliseconds, rounded up; nil: -1, for ever. */
int64_t settings_timeout_ms(VALUE seconds);

/* ---- lending.c: get and put ---- */

/* A lease, or an exception. */
pool_lease_t lending_begin(VALUE object, struct libpool *self, int64_t timeout_ms);

/* A lease if one is to be had at once without opening, else 0. */
pool_lease_t lending_begin_idle(VALUE object, struct libpool *self);

/* Puts a connection that was not opened for the pool into it, idle.  False: there is no room. */
bool lending_adopt(VALUE object, struct libpool *self, VALUE connection);

/* Ends a lease.  0 or POOL_E_STALE. */
int lending_end(VALUE object, struct libpool *self, pool_lease_t lease);

/* Does what waits for anybody to do it.  In how many ns to look at the time again. */
int64_t lending_tidy(VALUE object, struct libpool *self);

/* Opens what the pool begins with; raises what an open raises. */
void lending_fill(VALUE object, struct libpool *self, int32_t initial);

/* There is something to be done that no step has said: the keeper does it, or this thread where there is none. */
void lending_attend(VALUE object, struct libpool *self);

/* The same when somebody else has steered the pool: all that wait look for themselves, for the keeper may be late. */
void lending_heed_others(VALUE object, struct libpool *self);

/* ---- leaving.c: how a block is left ---- */

/* What is done at the end of a block; the beginning of what `body` gets. */
struct ending {
  void (*end)(struct ending *ending);
  bool spoiled; /* the block was left so that its connection is to be closed */
};

void leaving_init(void);

/* Runs the body, then the end, whatever happens. */
VALUE leaving_ensure(VALUE object, struct libpool *self, VALUE (*body)(VALUE), struct ending *ending);

/* ---- alarm.c: what wakes a pool's keeper ---- */

void alarm_init(VALUE module);
/* For a new keeper, whose object it is. */
VALUE alarm_new(struct libpool *self);
/* Runs no Ruby code.  False: there is no keeper. */
bool alarm_ring(struct libpool *self);
/* The pool gives it up. */
void alarm_detach(struct libpool *self);

/* ---- shelf.c: the connection of each slot ---- */

/* Makes room for a slot, or raises NoMemoryError. */
void shelf_reserve(pool_lease_t number);
void shelf_put(struct libpool *self, pool_lease_t number, VALUE connection);
VALUE shelf_get(pool_lease_t number);
/* nil if there is none. */
VALUE shelf_take(struct libpool *self, pool_lease_t number);
void shelf_mark(struct libpool *self);
void shelf_compact(struct libpool *self);
/* Takes all away, into an array where one is given. */
void shelf_clear(struct libpool *self, VALUE array);
/* The slot of a connection that is on the pool's shelf; false if it is not. */
bool shelf_find(struct libpool *self, VALUE connection, uint32_t *slot);
/* Which lease the slot's connection is lent for, as far as it was noted; 0: none. */
void shelf_note(pool_lease_t lease);
pool_lease_t shelf_noted(uint32_t slot);
/* A lease that is detached is ended by somebody else than who noted it. */
void shelf_detach(pool_lease_t lease);
/* Whether this is the last that was noted, and not detached. */
bool shelf_keeps(pool_lease_t lease);

/* ---- sleeper.c ---- */

void sleeper_begin(struct libpool *self, struct sleeper *sleeper);
void sleeper_end(struct libpool *self, struct sleeper *sleeper);
/* Sleeps until woken or the deadline; may raise, and may return for no reason. */
void sleeper_sleep(VALUE object, struct sleeper *sleeper, int64_t deadline_ns);
/* Wakes who has this ticket; 0 is fine. */
void sleeper_wake(VALUE object, struct libpool *self, int64_t ticket);
/* The same for all but one: to look for no reason does no harm. */
void sleeper_wake_all(VALUE object, struct libpool *self, const struct sleeper *but);
void sleeper_mark(struct libpool *self);
int64_t sleeper_now(void);

/* ---- lease.c: Libpool::Lease ---- */

void lease_init(VALUE module);
VALUE lease_new(VALUE pool);
void lease_set(VALUE object, pool_lease_t lease);
/* Ends it as lending_end does. */
int lease_end(VALUE object);
/* Whether there are leases that nobody can give back any more. */
bool lease_any_lost(struct libpool *self);
VALUE lease_list_lost(VALUE pool);
/* One is being ended: now, for what is called then may raise. */
void lease_forget_lost(struct libpool *self, pool_lease_t number);
/* Collects garbage, but not often. */
void lease_collect(struct libpool *self);
/* The pool ends, or is a child's. */
void lease_forget_all(struct libpool *self);
/* Of a pool: an array of [lease, connection, thread, seconds, tag]. */
VALUE lease_list(VALUE pool);
/* Of a Libpool::Lease, or an integer. */
pool_lease_t libpool_lease(VALUE object);
/* The same for a lease of this pool only. */
pool_lease_t lease_of_pool(VALUE object, VALUE pool);

/* ---- driver_pool.c: Libpool::DriverPool ---- */

void driver_init(VALUE module);

/* ---- group.c: Libpool::Group ---- */

void group_init(VALUE module);
/* Makes the pool of a key, or finds it, for this object. */
VALUE group_attach(VALUE pool, VALUE group, VALUE key, VALUE options, VALUE open);

/* ---- failure.c: the exceptions ---- */

void failure_init(VALUE module);
/* Raises what a negative result means, with the library's message. */
int64_t libpool_checked(int64_t result);
NORETURN(void failure_raise(int64_t code, const char *message));
NORETURN(void failure_raise_text(int64_t code, VALUE message));
/* The same with the exception of an open, or nil, as its cause. */
NORETURN(void failure_raise_with(int64_t code, const char *message, VALUE cause));
/* Of what is under way, as rb_errinfo() has it: an exception, and no throw or end of a thread. */
bool failure_is_exception(VALUE value);
/* The same, and the code that was called has raised it; others come from outside. */
bool failure_is_own(VALUE value);
/* Says why work failed. */
void failure_describe(VALUE error, pool_error_t *failure);
/* A text of the library, or its failure. */
VALUE libpool_text(const char *text);

/* ---- */

void libpool_init(void);

#endif
