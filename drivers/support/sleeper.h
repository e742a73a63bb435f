/* SPDX-License-Identifier: MIT */
/* A thread that sleeps until it is told something: others wake it by an eventfd, and no two processes have the same
   number, so that what is told by that number reaches one of them. */
#ifndef SLEEPER_H
#define SLEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

struct sleeper {
  int wake; /* an eventfd */
  uint64_t number;
};

/* Returns 0, or a code that *error explains; the sleeper may be closed then too. */
int sleeper_make(struct sleeper *sleeper, pool_error_t *error);

/* Any thread, at any time. */
void sleeper_wake(const struct sleeper *sleeper);

/* Whether it was woken since this was asked last. */
bool sleeper_was_woken(const struct sleeper *sleeper);

/* In a child of fork: it has another number, and nobody in the parent wakes it. */
void sleeper_forget(struct sleeper *sleeper);

void sleeper_close(struct sleeper *sleeper);

#endif
