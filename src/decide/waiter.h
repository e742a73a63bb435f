/* SPDX-License-Identifier: MIT */
/*
 * A waiter is a place in a pool's queue; the queue is in order of arrival.
 *
 * Shared: the queue and all members of a waiter but `signal` belong to the holder of the pool's lock.
 *
 * A waiter is queued until it is settled: given an outcome (a lease or an error) and taken out of the queue, both at
 * one moment, under the lock.  So an expired or cancelled waiter can never be given a connection: it is no longer
 * there.
 *
 * Three kinds.  A thread's waiter lives on that thread's stack, and it sleeps on `signal`.  Those of pool_get_async()
 * and of the step API are named by tickets; they come from a table like that of the slots, and are never freed, so a
 * stale ticket is recognised and harmless.
 */
#ifndef WAITER_H
#define WAITER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pool/pool.h>

#include "base/due.h"

enum waiter_kind {
  WAITER_THREAD, /* sleeps; is woken through its signal */
  WAITER_ASYNC,  /* the keeper acts for it and calls back */
  WAITER_TICKET  /* of the step API: somebody is told to wake it */
};

struct pool;

struct waiter {
  struct waiter *next, *previous;
  _Atomic uint32_t signal; /* 1: look again */
  enum waiter_kind kind;
  bool queued;
  bool waited;        /* looked once and found nothing */
  bool counted;       /* as a wait that ended with a lease */
  bool starving;      /* every connection was held by a thread that waited, when somebody looked */
  bool starved;       /* and nothing was put until this one's wait was over */
  bool tells_starved; /* its thread is to tell so */
  bool nudged;        /* told to look, and has not looked yet; never one of pool_get_async(), which does not run */
  bool was_nudged;    /* when it left the queue */
  bool looks;         /* has found nothing a moment ago: others may be told instead, it is not */
  bool timeless;      /* came without time to wait */
  bool refused;       /* its own open failed; `error` says why */
  bool at_once;       /* ended by what a look found: the breaker refused it, or it had no time to wait */
  bool telling;       /* is in the list of those to be woken */
  int32_t works;      /* opens and checks that are under way while it waits (attend.h) */
  int32_t checks;     /* of these, checks */
  struct waiter *next_told, *previous_told;
  pool_lease_t outcome; /* once settled: a lease or an error */
  int64_t began_ns;     /* when the get began */
  int64_t since_ns;     /* 0: has not been in the queue yet */
  int64_t deadline_ns;
  int64_t again_ns;    /* when it looks again by itself; 0: it waits to be told */
  int64_t waited_ns;   /* once it is over: how long it waited */
  int64_t busy_ns;     /* of those of the step API: how long opens took that failed for it */
  int64_t attended_ns; /* since when something is under way for it */
  int64_t check_ns;    /* and when the last of these checks began */
  int32_t thread;      /* the one that waits */
  pool_error_t error;  /* why an open or check for it failed last, or why its wait ended */
  struct due due;      /* while it is queued and WAITER_ASYNC: in the queue's `deadlines` */
  pool_got_fn *got;
  void *user;
  /* Of those with a ticket; a stale one may be looked at, so waiter_reset() leaves these alone. */
  _Atomic(struct pool *) pool;
  _Atomic int64_t ticket;
  uint32_t index;
};

/* As new. */
void waiter_reset(struct waiter *waiter);

struct queue {
  struct waiter *first, *last;
  int32_t length;
  int32_t patient;           /* how many have time, so that a connection may be opened for them */
  int32_t asynchronous;      /* of these, how many are WAITER_ASYNC */
  int32_t refused;           /* how many had an open of their own that failed */
  int32_t attended;          /* for how many an open or check is under way */
  struct due_heap deadlines; /* of all that are WAITER_ASYNC, for they do not keep their time themselves */
};

/* How many wait for others, with nothing under way for them. */
static inline int32_t queue_waiting(const struct queue *queue)
{
  return queue->length - queue->attended;
}

/* The asynchronous waiter whose deadline comes first, or NULL. */
static inline struct waiter *queue_first_due(const struct queue *queue)
{
  struct due *due = queue->deadlines.first;
  return due ? (struct waiter *)((char *)due - offsetof(struct waiter, due)) : NULL;
}

/* Threads to be woken, in order.  A thread's waiter stays here until its signal is set or its thread has come by
   itself: until then its memory is there. */
struct told {
  struct waiter *first, *last;
};

void told_append(struct told *told, struct waiter *waiter);
void told_remove(struct told *told, struct waiter *waiter);

void waiter_append(struct queue *queue, struct waiter *waiter);
void waiter_insert(struct queue *queue, struct waiter *waiter); /* by its since_ns */
void waiter_remove(struct queue *queue, struct waiter *waiter);

/* Of an asynchronous waiter that is queued. */
void waiter_set_deadline(struct queue *queue, struct waiter *waiter, int64_t deadline_ns);

#endif
