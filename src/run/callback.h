/* SPDX-License-Identifier: MIT */
/* Into the program's code and back. */
#ifndef CALLBACK_H
#define CALLBACK_H

#include <stdbool.h>
#include <stdint.h>

#define CALLBACK_PHASE 32

struct pool;

/* Marks that this thread is inside a callback of a pool, so that a close that would wait for itself is recognised;
   until it leaves, it is not cancelled. */
struct callback {
  int cancel_state;
  uint64_t forks;             /* when it began */
  char phase[CALLBACK_PHASE]; /* that it said last, or "" */
  const struct pool *pool;
  int64_t number; /* of the pool, which may end meanwhile, and its memory be another's */
  struct callback *outer;
};

void callback_enter(struct callback *callback, const struct pool *pool);

/* Returns whether this is still the same process.  If not, the callback forked, and this is the child: there the pool
   began anew, and what the caller was about is the parent's. */
bool callback_leave(struct callback *callback);
bool callback_is_inside(const struct pool *pool);

/* Notes the phase that the innermost callback begins.  Outside of callbacks nothing is noted. */
void callback_note_phase(const char *name);

#endif
