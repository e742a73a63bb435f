/* SPDX-License-Identifier: MIT */
/* pool_flush() and pool_resize(), also for a thread that no slow server may hold up: in the background a connection
   that is to be closed is left to the library's other threads, or to pool_maintain(). */
#ifndef API_STEER_H
#define API_STEER_H

#include <stdbool.h>
#include <stdint.h>

struct pool;

int steer_flush_in(struct pool *pool, bool background);
int steer_resize_in(struct pool *pool, int32_t max_open, bool background);

#endif
