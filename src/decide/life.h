/* SPDX-License-Identifier: MIT */
/* The life of a pool: registered, counted, unlocked, recycled. */
#ifndef LIFE_H
#define LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "decide/pool.h"

struct step;

void life_registry_lock(void);
void life_registry_unlock(void);

/* Under the lock of the registry, or in a child of fork, where no other thread is: the pools that are in use, by
   `next_pool`; all that were ever made, by `next_made`. */
struct pool *life_first(void);
struct pool *life_first_made(void);

/* The memory of a pool that nobody uses, or new memory; NULL: there is none.  And then it is in use. */
struct pool *life_take(void);
void life_register(struct pool *pool);

/* All parts of a pool but what its program decided are as in a new one.  Under the lock; all slots were given back. */
void life_begin_anew(struct pool *pool);

void life_unlock_unowned(struct pool *pool);

/* Leaves the lock and, if nobody needs the pool any more, gives its memory to the next pool. */
static inline void life_unlock(struct pool *pool)
{
  assert_locked(pool);
  assert_that(pool->references >= 0);
  if (pool->references == 0)
    life_unlock_unowned(pool);
  else
    pthread_mutex_unlock(&pool->lock);
}

/* A slow get begins and ends: in between the pool is not recycled.  The end is told what the beginning returned; in a
   child of fork it does nothing. */
uint64_t life_get_begin(struct pool *pool);
void life_get_end(struct pool *pool, uint64_t began);

/* Only one thread at a time acts for the asynchronous waiters; false if another does. */
bool life_maintain_begin(struct pool *pool);
void life_maintain_end(struct pool *pool, struct step *step);

/* A library thread that is none of this pool's looks at it, unless nobody needs the pool any more: meanwhile it is not
   recycled, and who drains it waits.  Under the lock of the registry.  life_thread_ends() ends it. */
bool life_visit_begin(struct pool *pool);

/* The same for any pool, by a thread that knows that it is there. */
bool life_hold(struct pool *pool);

/* A library thread of this pool ends.  Under the lock, which it leaves. */
void life_thread_ends(struct pool *pool, struct step *step);

#endif
