/* SPDX-License-Identifier: MIT */
/*
 * Deadlines, and waits that end at one.
 *
 * A deadline is a time of CLOCK_MONOTONIC in nanoseconds, or POOL_NO_DEADLINE.
 */
#ifndef DEADLINE_H
#define DEADLINE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pool/pool.h>

/* How one attempt to wait or to send ended. */
enum outcome { OK, EXPIRED, FAILED };

/* The time now. */
int64_t deadline_clock(void);

bool deadline_is_past(int64_t deadline_ns);

/* How long it is until then in nanoseconds; 0: it is past. */
int64_t deadline_left(int64_t deadline_ns);

/* The moment at which the first of several tries ends, so that there is time for the others. */
int64_t deadline_share(int64_t deadline_ns, size_t tries);

/* The timeout for poll() in milliseconds.  It is rounded up: a thread that wakes too early would only call poll() again
   at once. */
int deadline_poll_timeout(int64_t deadline_ns);

/* A condition for deadline_wait(). */
void deadline_condition_init(pthread_cond_t *condition);

/* Waits for the condition.  The caller holds the lock.  False when the deadline has passed. */
bool deadline_wait(pthread_cond_t *changed, pthread_mutex_t *lock, int64_t deadline_ns);

/* Waits for an event of one descriptor.  FAILED: errno says why. */
enum outcome deadline_wait_ready(int descriptor, short events, int64_t deadline_ns);

#endif
