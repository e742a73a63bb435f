/* SPDX-License-Identifier: MIT */
/* Whether everybody waits for too long.  Under the pool's lock. */
#ifndef OVERLOAD_H
#define OVERLOAD_H

#include <stdbool.h>
#include <stdint.h>

struct waiter;
struct pool;

bool overload_is_late(struct pool *pool, const struct waiter *waiter, int64_t now);
bool overload_is_on(struct pool *pool, int64_t now);

/* Why a waiter is refused, unlike one that was too many when it came. */
void overload_blame(struct pool *pool, struct waiter *waiter);

/* When a waiter has to look whether it is late: where nothing moves, nobody serves the queue. */
int64_t overload_sheds_at(struct pool *pool, const struct waiter *waiter, int64_t now);

/* Whether a waiter has to go because it is late and all are. */
bool overload_sheds(struct pool *pool, struct waiter *waiter, int64_t now);

#endif
