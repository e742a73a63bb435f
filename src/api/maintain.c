/* SPDX-License-Identifier: MIT */
/* For programs that keep the time of a pool themselves. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <pool/pool.h>

#include "base/error.h"
#include "base/event_fd.h"
#include "base/park.h"
#include "decide/pool.h"
#include "run/keeper.h"

int64_t pool_maintain(pool_t *pool)
{
  if (!pool)
    return error_set(NULL, POOL_E_INVALID, 0, "pool is NULL");
  int64_t due = keeper_maintain(pool);
  /* A keeper that sleeps knows only what it saw itself. */
  if (atomic_load(&pool->crew.keeper_runs)) {
    atomic_fetch_add(&pool->keeper_signal, 1);
    park_wake(&pool->keeper_signal);
  }
  return due;
}

/* Why nobody needs a descriptor of this pool, or NULL.  What becomes of a pool of the step API its program does itself,
   unless poolctl or a budget does it. */
static const char *why_none(const struct pool *pool)
{
  assert_locked(pool);
  if (atomic_load(&pool->hub))
    return MESSAGE("this pool is of a group of the step API; watch pool_group_event_fd()");
  if (pool->stepped)
    return pool->exposed || pool->allowance.budget
               ? NULL
               : MESSAGE("this pool uses the step API and is not exposed to poolctl; call pool_expose() first");
  return pool->config.keeper == POOL_KEEPER_MANUAL
             ? NULL
             : MESSAGE("this pool has a keeper thread; set keeper to POOL_KEEPER_MANUAL");
}

int pool_event_fd(pool_t *pool)
{
  if (!pool)
    return error_set(NULL, POOL_E_INVALID, 0, "pool is NULL");
  pthread_mutex_lock(&pool->lock);
  const char *problem = why_none(pool);
  if (problem) {
    pthread_mutex_unlock(&pool->lock);
    return error_in(pool->name, NULL, POOL_E_UNSUPPORTED, 0, "%s", problem);
  }
  /* A get that asked before there was a descriptor to signal may be served already. */
  bool made = atomic_load(&pool->event_fd) || event_fd_make(&pool->event_fd, pool->users.asynchronous > 0);
  int error = errno;
  int fd = atomic_load(&pool->event_fd) - 1;
  pthread_mutex_unlock(&pool->lock);
  if (!made && error == ENOSYS)
    return error_code_in(pool->name, POOL_E_UNSUPPORTED);
  return made ? fd : error_in(pool->name, NULL, POOL_E_SYSTEM, error, "no eventfd for this pool: %s", strerror(error));
}
