/* SPDX-License-Identifier: MIT */
/*
 * Parking: a thread sleeps on a 32-bit word until another wakes it.
 *
 * These two functions are all that the library asks of a platform for sleeping.  park_futex.c has them for Linux,
 * park_pthread.c for POSIX systems whose condition variables know CLOCK_MONOTONIC; CMake chooses.
 *
 * Contract.  The waker first changes the word, then calls park_wake; the waiter calls park_wait with the value that it
 * saw. If the word has another value by then, park_wait returns at once, so no wake-up is lost.  It may also return
 * without any reason; callers look at the word again.  park_wake never reads the word: its memory may belong to a
 * thread that has seen the change and gone on, and then the worst that happens is a needless wake-up of the
 * thread that uses that address now.
 */
#ifndef PARK_H
#define PARK_H

#include <stdatomic.h>
#include <stdint.h>

/* Sleeps while *word is `seen`, at most until deadline_ns. */
void park_wait(_Atomic uint32_t *word, uint32_t seen, int64_t deadline_ns);

/* The same as a cancellation point: with cancellation disabled before and after, and enabled in between. */
void park_wait_cancellably(_Atomic uint32_t *word, uint32_t seen, int64_t deadline_ns);

/* Wakes all threads that sleep on the word. */
void park_wake(_Atomic uint32_t *word);

/* The same two for a word in memory that processes share. */
void park_wait_shared(_Atomic uint32_t *word, uint32_t seen, int64_t deadline_ns);
void park_wake_shared(_Atomic uint32_t *word);

/* For a child after fork: nobody sleeps any more. */
void park_reset(void);

#endif
