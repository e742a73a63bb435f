/* SPDX-License-Identifier: MIT */
/*
 * What a budget allows a pool, and what the pool wants of it.
 *
 * For a pool a budget is a cap that changes, in two numbers: it never opens a connection while it has as many as it was
 * granted, and it closes what it has above its target, as pool_resize() does.  Everything here is under the pool's
 * lock.
 */
#ifndef ALLOWANCE_H
#define ALLOWANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "decide/pool.h"

struct step;

/* After so long a wish is said again, for the budget may have had no thread to hear it. */
#define ALLOWANCE_AGAIN_NS INT64_C(1000000000)

/* What a pool would have, and what of it. */
struct demand {
  int32_t open;     /* places taken */
  int32_t wants;    /* what it would have open if it had permits enough */
  int32_t waiting;  /* waiters */
  int64_t since_ns; /* since when the first of them waits; -1: none does */
  bool closed;      /* what it has less than it said it never wants again */
};

/* What a budget answers, or what holds without an answer. */
struct permits {
  int32_t granted, target, limit;
  bool pressed, cut_off;
};

/* The most that may be open, by max_open and by what was granted; INT32_MAX: there is no cap. */
int32_t allowance_cap(const struct pool *pool);

/* What is open above this is closed. */
int32_t allowance_ceiling(const struct pool *pool);

/* Whether one more may be opened.  Takes the lock. */
bool allowance_has_place(struct pool *pool);

/* An open is not allowed now: if that is for want of a permit, and the budget does not know of it, it is to be asked.
   `passing`: by a get that does not wait for it. */
void allowance_ask(struct pool *pool, bool passing, struct step *step);

/* When a waiter whose wish nobody has heard yet is to look again; 0: never. */
int64_t allowance_again_at(const struct pool *pool, int64_t now);

/* A place became free: if others lack a permit, or the pool is closed, the budget is to know. */
void allowance_note_free(struct pool *pool, struct step *step);

/* Reads what the pool wants.  Takes the lock. */
void allowance_look(struct pool *pool, struct demand *demand);

/* The same, and the budget knows it from now on.  What it says is open the pool may open whatever the answer is, and
   until then no more than that. */
void allowance_demand(struct pool *pool, struct demand *demand);

/* Nobody can ask for the pool now: its next wish is to be heard again.  Takes the lock. */
void allowance_not_asked(struct pool *pool);

/* A pool that has and wants nothing is granted nothing from now on.  False: it has or wants something. */
bool allowance_rest(struct pool *pool);

/* What holds now.  Takes the lock. */
void allowance_read(struct pool *pool, struct permits *permits);

/* For a new pool, and in a child of fork: nothing is granted yet. */
void allowance_reset(struct allowance *allowance);

#endif
