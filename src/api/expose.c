/* SPDX-License-Identifier: MIT */
/* Which pools poolctl may see: those that the program exposes, or all. */
#include "api/expose.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pool/expose.h>

#include "base/error.h"
#include "decide/life.h"
#include "decide/pool.h"
#include "run/event.h"
#include "run/server.h"
#include "api/request.h"

static _Atomic bool all; /* those that are made from now on, too */
static bool is_unclear;  /* the environment says neither yes nor no */

static void read_environment(void)
{
  const char *text = secure_getenv("POOL_EXPOSE");
  if (!text || !text[0] || strcmp(text, "0") == 0)
    return;
  is_unclear = strcmp(text, "1") != 0;
  atomic_store(&all, !is_unclear);
}

static void expose(struct pool *pool)
{
  pthread_mutex_lock(&pool->lock);
  pool->exposed = true;
  pthread_mutex_unlock(&pool->lock);
}

void expose_begin(struct pool *pool)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  char problem[512], warning[600];
  pthread_once(&once, read_environment);
  if (is_unclear)
    event_warning(pool, "POOL_EXPOSE must be 1, or 0, or empty; the pool is not exposed to poolctl");
  if (!atomic_load(&all))
    return;
  expose(pool);
  if (server_start(request_answer, problem, sizeof problem))
    return;
  snprintf(warning, sizeof warning, MESSAGE("poolctl cannot see this pool: %s"), problem);
  event_warning(pool, warning);
}

static void expose_all(void)
{
  atomic_store(&all, true);
  life_registry_lock();
  for (struct pool *pool = life_first(); pool; pool = pool->next_pool)
    expose(pool);
  life_registry_unlock();
}

int pool_expose(pool_t *pool, pool_error_t *error)
{
  char problem[400];
  if (!server_start(request_answer, problem, sizeof problem))
    return error_in(pool ? pool->name : NULL, error, pool_supports("expose") ? POOL_E_SYSTEM : POOL_E_UNSUPPORTED, 0, "%s",
                    problem);
  if (pool)
    expose(pool);
  else
    expose_all();
  return 0;
}
