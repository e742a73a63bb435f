/* SPDX-License-Identifier: MIT */
/* What the tests of fork share: children, and what is true in them. */
#ifndef FORK_SUPPORT_H
#define FORK_SUPPORT_H

#include "support.h"

#include <sys/types.h>

/* Forks; a child that hangs is killed.  Its checks are must(): a failed one ends it with a signal. */
pid_t fork_child(void);

/* The same while others are at work that never rests.  What they allocate and free themselves stands between
   allocation_begins() and allocation_ends(), which matters to the address sanitizer only. */
pid_t fork_child_in_storm(void);
void allocation_begins(void);
void allocation_ends(void);

/* fake_open and fake_close for pools whose library threads open and close at any moment. */
int allocating_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error);
int allocating_close(void *context, void *conn, pool_error_t *error);

/* Waits for the child: whether its exit status is 0. */
bool succeeded(pid_t pid);

/* In the child: the locks of the gates are as the parent's other threads left them. */
void renew(struct fake *fake);

/* In the child: the pool lends as many connections as it may have, and no more. */
void is_whole(pool_t *pool, int cap);

/* In the child: nothing is left of what the parent did with its pool. */
void is_new(pool_t *pool);

void is_stale(pool_lease_t lease);

_Noreturn void finish_child(struct fake *fake, pool_t *pool);

/* With abandon and release. */
pool_vtable_t whole_vtable(void);

pool_config_t capped(int32_t max_open);

/* What an asynchronous get was told, and the callback that hears it and puts the lease. */
struct told {
  _Atomic int times;
  _Atomic pool_lease_t result;
};
void got(void *user, pool_lease_t result);

#endif
