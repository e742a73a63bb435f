/* SPDX-License-Identifier: MIT */
/*
 * What stands around the calls of a library: one lock for all libraries that say `serial`, and SIGPIPE blocked for
 * those that say so.
 */
#ifndef GUARD_H
#define GUARD_H

#include <signal.h>
#include <stdbool.h>

#include "foreign/description.h"

struct guard {
  bool locked, blocked;
  bool was_pending;
  sigset_t before;
};

/* Returns 0, or POOL_E_TIMEOUT with *error filled: then there is nothing to leave. */
int guard_enter(struct guard *guard, const struct description *description, int64_t deadline_ns, pool_error_t *error);

/* The same without a deadline, and under the lock whatever the library says. */
void guard_enter_alone(struct guard *guard, const struct description *description);

void guard_leave(struct guard *guard);

/* Makes the lock anew in children of fork, where its owner may not exist. */
void guard_watch_forks(void);

#endif
