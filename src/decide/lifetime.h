/* SPDX-License-Identifier: MIT */
/* When connections end of old age. */
#ifndef LIFETIME_H
#define LIFETIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pool/pool.h>

struct look;
struct slot;

/* The length of the intervals in which lifetimes end. */
int64_t lifetime_interval_ns(const pool_config_t *config);

/* How many counters a pool needs for the ends of lifetimes. */
size_t lifetime_ring_size(const pool_config_t *config);

/* When a connection goes in any case: early enough to be closed by its limit. */
int64_t lifetime_last_end(const pool_config_t *config, int64_t limit_ns);

/* A connection was opened in the slot, in `took_ns` (-1: not known): begins its life.  Under the pool's lock. */
void lifetime_begin(struct pool *pool, struct slot *slot, int64_t now, int64_t took_ns);

/* Its life is over, and nothing is known any more: the slot is empty.  Under the pool's lock.  Returns the tag, for the
 * caller to free. */
char *lifetime_end(struct pool *pool, struct slot *slot);

/* max_lifetime_ms has changed.  The ends that were chosen stay, and are counted in the intervals that there are now.
   `ring` has room for that, and is taken if the pool had none.  Under the pool's lock. */
void lifetime_changed(struct pool *pool, int32_t **ring);

/* No more than the quota end in one interval, as long as their limits permit. */
bool lifetime_may_retire(struct pool *pool, const struct look *look);

#endif
