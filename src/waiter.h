/* SPDX-License-Identifier: MIT */
/*
 * A waiter is a place in a pool's queue; the queue is in order of arrival.
 *
 * Shared: the queue and all members of a waiter but `signal` belong to who holds the pool's lock.
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

#include "due.h"

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
  bool waited;  /* looked once and found nothing */
  bool counted; /* as a wait that ended with a lease */
  bool starved; /* every connection was held by a thread that waited */
  bool nudged;  /* told to look, and has not looked yet */
  bool telling; /* is in a list of those to be told */
  struct waiter *next_told, *previous_told;
  pool_lease_t outcome; /* once settled: a lease or an error */
  int64_t since_ns;     /* 0: has not been in the queue yet */
  int64_t deadline_ns;
  int64_t waited_ns; /* once it is over: how long it waited */
  int32_t thread;    /* who waits */
  /* of those with a ticket */
  _Atomic(struct pool *) pool;
  _Atomic int64_t ticket;
  uint32_t index;
  struct due due; /* while it is queued and WAITER_ASYNC: in the queue's `deadlines` */
  struct waiter *next_asynchronous, *previous_asynchronous;
  pool_got_fn *got;
  void *user;
  /* why, where the outcome is POOL_E_OPEN of somebody else's open */
  pool_error_t error;
};

struct queue {
  struct waiter *first, *last;
  int32_t length;
  int32_t patient;      /* how many have time, so that a connection may be opened for them */
  int32_t asynchronous; /* of these, how many are WAITER_ASYNC */
  /* All that are WAITER_ASYNC, in the order of the queue and of their deadlines: nobody else keeps their time. */
  struct waiter *first_asynchronous, *last_asynchronous;
  struct due_heap deadlines;
};

/* The asynchronous waiter whose deadline comes first, or NULL. */
static inline struct waiter *queue_first_due(const struct queue *queue)
{
  struct due *due = queue->deadlines.first;
  return due ? (struct waiter *)((char *)due - offsetof(struct waiter, due)) : NULL;
}

/* Came without time to wait.  Known once it is in the queue. */
static inline bool is_timeless(const struct waiter *waiter)
{
  return waiter->deadline_ns <= waiter->since_ns;
}

/* Waiters to be told, in order.  A thread's waiter stays here until its signal is set or its thread has come by
   itself: until then its memory is there. */
struct told {
  struct waiter *first, *last;
};

void told_append(struct told *told, struct waiter *waiter);
void told_remove(struct told *told, struct waiter *waiter);

/* Whom to wake, decided under the lock and done after it. */
struct wake {
  _Atomic uint32_t *signal;
  int64_t ticket;
};

void queue_append(struct queue *queue, struct waiter *waiter);
void queue_prepend(struct queue *queue, struct waiter *waiter);
void queue_remove(struct queue *queue, struct waiter *waiter);

/* A waiter with a ticket for a pool; NULL without memory.  Given back with the pool's lock held or after the pool. */
struct waiter *ticket_take(struct pool *pool);
void ticket_give(struct waiter *waiter);

/* The waiter that once had this ticket, or NULL.  Whether it still has is only known under the lock of its pool. */
struct waiter *ticket_find(int64_t ticket);

void ticket_table_lock(void);
void ticket_table_unlock(void);

/* In the child after fork, under the lock: no ticket is valid any more. */
void ticket_table_reset(void);

#endif
