/* SPDX-License-Identifier: MIT */
#ifndef KEEPER_H
#define KEEPER_H

#include "engine.h"

/* Somebody must act for asynchronous waiters: makes sure that the keeper runs.  0 or POOL_E_SYSTEM. */
int keeper_want(struct pool *pool);

/* Where time matters, somebody must keep it from now on, and look at the latest at a certain moment. */
void keeper_need(struct pool *pool, int64_t due_ns);

/* An open is wanted that no caller does himself: makes sure that an opener looks. */
void keeper_want_opener(struct pool *pool);

/* The keeper shall look: its signal was changed. */
void keeper_wake(struct pool *pool);

/* The pool was closed: its threads shall end. */
void keeper_stop(struct pool *pool);

/* Does what is due in a pool that the program keeps itself.  Returns in how many nanoseconds the next thing is. */
int64_t keeper_maintain(struct pool *pool);

/* The last owner leaves a pool that the program keeps itself: what is due is done for the last time. */
void keeper_finish(struct pool *pool);

/* Threads that could not be started are tried again, once in a while. */
void keeper_again(struct pool *pool);

#endif
