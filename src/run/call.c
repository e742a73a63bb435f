/* SPDX-License-Identifier: MIT */
/*
 * Shared: the list of calls to use again, under its lock.  A call's memory is never freed, and `state` is taken from
 * UNDER_WAY to done once, so a driver that reports twice is told so and does no harm.  The memory serves other calls,
 * the one that was free for longest first; so that a late second report does not end one of those, what a driver is
 * given points into the call and not to its beginning, at another place each time.
 */
#include "run/call.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct pool_call *unused, *last_unused;

pool_call_t *call_name(struct pool_call *call, uint32_t state)
{
  return (pool_call_t *)((uintptr_t)call + state / NEXT_USE % NAMES);
}

struct pool_call *call_of(const pool_call_t *name)
{
  return (struct pool_call *)((uintptr_t)name & ~(uintptr_t)(NAMES - 1));
}

bool call_finish(struct pool_call *call, const pool_call_t *name)
{
  uint32_t state = atomic_load(&call->state);
  return (state & UNDER_WAY) && call_name(call, state) == name &&
         atomic_compare_exchange_strong(&call->state, &state, (state & ~UNDER_WAY) + NEXT_USE);
}

struct pool_call *call_take(void)
{
  pthread_mutex_lock(&lock);
  struct pool_call *call = unused;
  if (call)
    unused = call->next;
  pthread_mutex_unlock(&lock);
  if (call)
    return call;
  call = aligned_alloc(NAMES, sizeof *call);
  if (call)
    memset(call, 0, sizeof *call);
  return call;
}

void call_give(struct pool_call *call)
{
  pthread_mutex_lock(&lock);
  call->next = NULL;
  if (unused)
    last_unused->next = call;
  else
    unused = call;
  last_unused = call;
  pthread_mutex_unlock(&lock);
}

void call_table_lock(void)
{
  pthread_mutex_lock(&lock);
}

void call_table_unlock(void)
{
  pthread_mutex_unlock(&lock);
}
