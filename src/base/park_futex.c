/* SPDX-License-Identifier: MIT */
/*
 * Parking with Linux's futex.
 *
 * The system call, and not the C library's time_t, says how many bits the moment has: with 32-bit pointers a program
 * may have a time_t of 64 bits, of which SYS_futex reads 32.  A wait until such a moment ends at once, and the waiter
 * burns the processor.  So the moment is laid out here, for the call that reads 64 bits where there is one.  Kernels
 * before 5.1, and filters of system calls from that time, refuse that call; then the older one does it.
 */
#include "base/park.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <pool/pool.h>

/* The kernel's numbers, from linux/futex.h, which is not installed everywhere. */
#define WAIT_BITSET 9
#define WAKE        1
#define PRIVATE     128 /* the word is this process's alone */
#define MATCH_ANY   0xffffffffu

/* Of 64 bits: any system call with a 64-bit long, x32's, and the newer of those with a 32-bit long. */
struct moment {
  int64_t seconds, nanoseconds;
};

#if LONG_MAX == INT32_MAX && !defined(__x86_64__)
#define LONG_IS_SHORT
#endif

#if defined(LONG_IS_SHORT) && defined(SYS_futex)
struct old_moment {
  int32_t seconds, nanoseconds;
};

static long wait_old(_Atomic uint32_t *word, int how, uint32_t seen, const struct moment *until)
{
  struct old_moment old = {0};
  if (until) {
    old.seconds = until->seconds < INT32_MAX ? (int32_t)until->seconds : INT32_MAX;
    old.nanoseconds = (int32_t)until->nanoseconds;
  }
  return syscall(SYS_futex, word, WAIT_BITSET | how, seen, until ? &old : NULL, NULL, MATCH_ANY);
}
#endif

#if defined(LONG_IS_SHORT) && defined(SYS_futex_time64) && defined(SYS_futex)
static void wait_until(_Atomic uint32_t *word, int how, uint32_t seen, const struct moment *until)
{
  static atomic_bool refused; /* relaxed: at worst the call is refused once more */
  if (!atomic_load_explicit(&refused, memory_order_relaxed)) {
    long result = syscall(SYS_futex_time64, word, WAIT_BITSET | how, seen, until, NULL, MATCH_ANY);
    if (result == 0 || (errno != ENOSYS && errno != EPERM))
      return;
    atomic_store_explicit(&refused, true, memory_order_relaxed);
  }
  wait_old(word, how, seen, until);
}
#elif defined(LONG_IS_SHORT) && defined(SYS_futex)
static void wait_until(_Atomic uint32_t *word, int how, uint32_t seen, const struct moment *until)
{
  wait_old(word, how, seen, until);
}
#else
#ifndef SYS_futex
#define SYS_futex SYS_futex_time64 /* a platform that never had another */
#endif
static void wait_until(_Atomic uint32_t *word, int how, uint32_t seen, const struct moment *until)
{
  syscall(SYS_futex, word, WAIT_BITSET | how, seen, until, NULL, MATCH_ANY);
}
#endif

static void wait(_Atomic uint32_t *word, int how, uint32_t seen, int64_t deadline_ns)
{
  struct moment until = {.seconds = deadline_ns / 1000000000, .nanoseconds = deadline_ns % 1000000000};
  /* WAIT_BITSET, because its timeout is a moment on CLOCK_MONOTONIC and not a duration. */
  wait_until(word, how, seen, deadline_ns == POOL_NO_DEADLINE ? NULL : &until);
}

void park_wait(_Atomic uint32_t *word, uint32_t seen, int64_t deadline_ns)
{
  wait(word, PRIVATE, seen, deadline_ns);
}

void park_wait_shared(_Atomic uint32_t *word, uint32_t seen, int64_t deadline_ns)
{
  wait(word, 0, seen, deadline_ns);
}

/* The system call is no cancellation point.  But it holds nothing, so it may be left at any moment.  The state comes
   first: glibc before 2.37 gives pthread_join() NULL where enabling lets a cancellation in that was asked for before.
 */
void park_wait_cancellably(_Atomic uint32_t *word, uint32_t seen, int64_t deadline_ns)
{
  int type, state;
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
  park_wait(word, seen, deadline_ns);
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
  pthread_setcanceltype(type, &type);
}

void park_wake(_Atomic uint32_t *word)
{
  syscall(SYS_futex, word, WAKE | PRIVATE, INT_MAX, NULL, NULL, 0);
}

void park_wake_shared(_Atomic uint32_t *word)
{
  syscall(SYS_futex, word, WAKE, INT_MAX, NULL, NULL, 0);
}

void park_reset(void)
{
}
