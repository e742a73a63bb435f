/* SPDX-License-Identifier: MIT */
#include "park.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <pool/pool.h>

void park_wait(_Atomic uint32_t *word, uint32_t seen, int64_t deadline_ns)
{
  struct timespec until = {.tv_sec = deadline_ns / 1000000000, .tv_nsec = deadline_ns % 1000000000};
  /* WAIT_BITSET, because its timeout is a moment on CLOCK_MONOTONIC and not a duration. */
  syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, seen, deadline_ns == POOL_NO_DEADLINE ? NULL : &until, NULL,
          FUTEX_BITSET_MATCH_ANY);
}

void park_wake(_Atomic uint32_t *word)
{
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

void park_reset(void)
{
}
