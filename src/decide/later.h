/* SPDX-License-Identifier: MIT */
/* Resets and closes that are left to others: a get has a deadline, those that do the chores have none. */
#ifndef LATER_H
#define LATER_H

#include <stdbool.h>

struct slot;
struct step;
struct pool;

/* Adds a slot whose reset or close is left to others.  Under the lock. */
void later_add(struct pool *pool, struct slot *slot, struct step *step);

/* A get leaves the close or reset that a step asks for.  Not under the lock. */
void later_leave(struct pool *pool, struct step *step);

/* The step asks for the next reset or close that was left.  False: there is none.  The first is under the lock, the
   second is not. */
bool later_take(struct pool *pool, struct step *step);
bool later_next(struct pool *pool, struct step *step);

/* Whether nobody else will do it: no thread can be had, and nothing is lent that a put could follow. */
bool later_is_left_alone(struct pool *pool);

#endif
