/* SPDX-License-Identifier: MIT */
/* Into the program's code and back. */
#ifndef CALLBACK_H
#define CALLBACK_H

#include <stdbool.h>

struct pool;

/* Marks that this thread is inside a callback of a pool, so that a close that would wait for itself is recognised;
   until it leaves, it is not cancelled. */
struct callback {
  int cancel_state;
  const struct pool *pool;
  const struct callback *outer;
};

void callback_enter(struct callback *callback, const struct pool *pool);
void callback_leave(struct callback *callback);
bool callback_is_inside(const struct pool *pool);

#endif
