/* SPDX-License-Identifier: MIT */
/*
 * How a language hears that poolctl or a budget has steered a pool whose connections it opens itself: a thread of the
 * language waits at the pool's bell, and then wakes all that wait for a connection, and the pool's keeper.
 *
 * The keeper does not wait there itself, for it may be closing a connection that hangs.
 *
 * A bell is a descriptor that refers to what pool_event_fd() does, but it belongs to the thread that waits, which
 * closes it.  So that thread may be at it after the pool is gone.  In a child of fork it is the parent's: make another.
 */
#ifndef BELL_H
#define BELL_H

#include <pool/group.h>
#include <pool/pool.h>

/* -1: poolctl does not see this pool and no budget limits it, or no descriptor is to be had. */
int bell_of(pool_t *pool);

/* The same of a group of such pools, which has one for all of them. */
int bell_of_group(pool_group_t *group);
void bell_ring_group(pool_group_t *group);

/* Rings the bell of a pool, if it may have one. */
void bell_ring(pool_t *pool);

/* Sleeps until it has been rung, and silences it.  May return for no reason. */
void bell_wait(int bell);

/* The same for this many milliseconds at most; -1: without limit. */
void bell_wait_for(int bell, int ms);

#endif
