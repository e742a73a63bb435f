/* SPDX-License-Identifier: MIT */
/* What an operator does to a running pool: flush, resize, set, evict, pause, resume, close. */
#ifndef STEER_H
#define STEER_H

#include <stdbool.h>
#include <stdint.h>

struct scan;
struct permits;
struct step;
struct pool;

/* Dooms all connections and returns how many; chores_next() finds those that are idle. */
int32_t steer_flush(struct pool *pool);

/* Closing what is idle and doomed, from the cursor on. */
bool steer_next_doomed(struct scan *cursor, struct step *step);

/* The caps have changed: dooms what is idle and too many, serves, and returns how many others are too many.  Under the
   lock. */
int32_t steer_to_caps(struct pool *pool, struct step *step);

/* The budget has answered.  Takes the lock. */
void steer_allow(struct pool *pool, const struct permits *permits, struct step *step);

/* A new cap.  Dooms what is idle and too many, and returns how many others are too many; POOL_E_CLOSED.
   Under the lock. */
int32_t steer_resize(struct pool *pool, int32_t max_open, struct step *step);

/* Settings have changed: what follows from them does.  `ring` see lifetime_changed().  Under the lock. */
void steer_follow_settings(struct pool *pool, int32_t **ring);

/* Ends the waits that began before a moment, some at a time: returns how many, 0 when there are no more.  During a
   pause none begins from now on. */
int steer_evict(struct pool *pool, int64_t moment, struct step *step);

/* Lends no more.  Returns how many connections are in use, or POOL_E_CLOSED; *first: it was not paused before. */
int steer_pause(struct pool *pool, bool *first);

/* Takes one pause back and returns how many are left, or POOL_E_INVALID.  If none is, workers and waiters go on with
   steer_resumed(), so that the caller can tell it before. */
int steer_resume(struct pool *pool);
void steer_resumed(struct pool *pool, struct step *step);

/* Refuses all gets from now on.  Returns whether the pool was open until now. */
bool steer_close(struct pool *pool);

/* The same for a pool that has neither connections nor gets at this moment, and only for one: so no get that begins
   later finds it open.  Returns whether that is so; *first: it was open until now. */
bool steer_close_unused(struct pool *pool, bool *first);

#endif
