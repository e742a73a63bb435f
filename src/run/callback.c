/* SPDX-License-Identifier: MIT */
#include "run/callback.h"

#include <stddef.h>

#include "base/contract.h"
#include "base/forks.h"
#include "base/text.h"
#include "base/thread.h"
#include "decide/pool.h"

/* The callbacks that this thread is in, the innermost first. */
static _Thread_local struct callback *callbacks;

void callback_enter(struct callback *callback, const struct pool *pool)
{
  assert_unlocked(pool); /* (I14) */
  callback->cancel_state = cancel_hold();
  callback->forks = forks_count();
  callback->phase[0] = 0;
  callback->pool = pool;
  callback->number = pool->number;
  callback->outer = callbacks;
  callbacks = callback;
}

bool callback_leave(struct callback *callback)
{
  assert_that(callbacks == callback);
  callbacks = callback->outer;
  cancel_release(callback->cancel_state);
  return !forks_since(callback->forks);
}

bool callback_is_inside(const struct pool *pool)
{
  const struct callback *callback = callbacks;
  while (callback && (callback->pool != pool || callback->number != pool->number))
    callback = callback->outer;
  return callback != NULL;
}

void callback_note_phase(const char *name)
{
  if (callbacks)
    text_copy(callbacks->phase, sizeof callbacks->phase, name);
}
