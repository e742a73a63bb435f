/* SPDX-License-Identifier: MIT */
/* Connections that are nothing: all that is measured is the pool. */
#ifndef NOTHING_H
#define NOTHING_H

#include <stdatomic.h>
#include <stdint.h>

#include <pool/pool.h>

/* Between two looks at the stop flag of a round. */
#define BATCH 64

/* Callbacks that do nothing, and succeed. */
pool_vtable_t nothing(void);

/* Connections that are open from the beginning, no more of them, and every default. */
pool_t *pool_of_nothing(int connections);

/* These never fail: they give up. */
pool_t *pool_of(const pool_config_t *config, pool_vtable_t vtable, void *context);
pool_stats_t stats_of(pool_t *pool);

/* One get and one put. */
void cycle(pool_t *pool);

/* A shift (rounds.h) of cycles; the subject is a pool. */
int64_t use_pool(void *subject, int thread, const atomic_bool *stop);

#endif
