/* SPDX-License-Identifier: MIT */
/*
 * Whether connections come to those that want them: how long ago the last one came, and which lease is out for longest.
 *
 * A get or put that meets nothing unusual leaves no trace of the time, so somebody has to look: an open that begins, a
 * get that comes to wait, and those that ask.  The first two look once in FLOW_SLOT_NS for each slot, as a look at one
 * takes some nanoseconds.
 */
#ifndef FLOW_H
#define FLOW_H

#include <stdint.h>

#include <pool/pool.h>

struct pool;
struct seen;

#define FLOW_SLOT_NS INT64_C(4000)
#define FLOW_WAIT_NS INT64_C(20000000) /* and a get no sooner than that */
#define FLOW_MANY    256 /* slots, up to which every open looks, as an open takes much longer */

/* Under the pool's lock: a connection is wanted from now on, by an open that begins or a get that comes to wait. */
void flow_open(struct pool *pool, int64_t now);
void flow_wait(struct pool *pool, int64_t now);

/* Under the pool's lock: looks.  `now` is on clock_now(). */
void flow_look(struct pool *pool, int64_t now, struct seen *seen);

/* For how long a connection has been wanted, and no lease has ended and none was opened meanwhile; 0: it is not. */
int64_t flow_dry_ns(const struct pool *pool, int64_t now);

#endif
