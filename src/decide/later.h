/* SPDX-License-Identifier: MIT */
/* Resets and closes that are left to others: a get has a deadline, those that do the chores have none. */
#ifndef LATER_H
#define LATER_H

#include <stdbool.h>

struct slot;
struct step;
struct pool;

/* Under the lock: leaves the reset or close of a slot to those who do the chores. */
void later_add(struct pool *pool, struct slot *slot, struct step *step);

/* A get leaves the close or reset that a step asks for to those who do the chores: it has a deadline, they have none.
   The next of these, for those who have none either. */
void later_leave(struct pool *pool, struct step *step);

/* The next reset or close that somebody left to others. */
bool later_take(struct pool *pool, struct step *step);
bool later_next(struct pool *pool, struct step *step);

/* Whether nobody else will do it: no thread can be had, and nothing is lent that a put could follow. */
bool later_is_left_alone(struct pool *pool);

#endif
