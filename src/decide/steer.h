/* SPDX-License-Identifier: MIT */
/* What an operator does to a running pool: flush, resize, evict, pause, resume, close. */
#ifndef STEER_H
#define STEER_H

#include <stdbool.h>
#include <stdint.h>

struct scan;
struct step;
struct pool;

/* Dooms all connections; or those that are idle and too many, and returns how many others are.  The doomed are then
   marked for chores_next(). */
int32_t steer_flush(struct pool *pool);

/* Closing what is idle and doomed, from the cursor on. */
bool steer_next_doomed(struct scan *cursor, struct step *step);
int32_t steer_resize(struct pool *pool, int32_t max_open, struct step *step);

/* Ends the waits that began before a moment, some at a time: returns how many, 0 when there are no more.  During a
   pause none begins from now on. */
int steer_evict(struct pool *pool, int64_t moment, struct step *step);

/* Lends no more; returns how many connections are in use.  Lends again, if nobody else paused; returns how many did. If
   none did, workers and those who wait go on with steer_resumed(), so that the caller can tell it before. */
int steer_pause(struct pool *pool, bool *first);
int steer_resume(struct pool *pool);
void steer_resumed(struct pool *pool, struct step *step);

/* Refuses all gets from now on.  Returns whether the pool was open until now. */
bool steer_close(struct pool *pool);

#endif
