/* SPDX-License-Identifier: MIT */
/* The keeper's turn: what is due by time, and for asynchronous waiters. */
#ifndef KEEPER_H
#define KEEPER_H

#include <stdint.h>

struct crew_turn;
struct pool;

/* A turn of the keeper's thread. */
struct crew_turn keeper_turn(struct pool *pool);

/* Does what is due in a pool that the program keeps itself.  Returns in how many nanoseconds the next thing is. */
int64_t keeper_maintain(struct pool *pool);

/* The last owner leaves a pool that the program keeps itself: what is due is done for the last time. */
void keeper_finish(struct pool *pool);

#endif
