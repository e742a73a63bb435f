/* SPDX-License-Identifier: MIT */
/* What an operator does to a running pool: flush, pause, resume, evict, resize. */
#include "api/steer.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pool/pool.h>

#include "base/clock.h"
#include "base/error.h"
#include "slot/idle.h"
#include "decide/life.h"
#include "decide/pool.h"
#include "decide/queue.h"
#include "decide/setting.h"
#include "decide/steer.h"
#include "decide/step.h"
#include "run/crew.h"
#include "run/event.h"
#include "run/worker.h"
#include "api/settings.h"

/* Closes what is idle and was doomed just now, or leaves that to those who work in the background. */
static void close_doomed(struct pool *pool, bool background)
{
  if (background) {
    crew_want_worker(pool);
    return;
  }
  struct scan cursor = scan_all(&pool->rows);
  struct step step;
  while (!pool->stepped && steer_next_doomed(&cursor, &step))
    worker_finish(pool, &step, clock_deadline(setting_now(pool->config.get_timeout_ms)));
  worker_do_unclean(pool);
}

int steer_flush_in(struct pool *pool, bool background)
{
  event_pool(pool, POOL_EVENT_POOL_FLUSHED); /* before the first that is closed because of it */
  int count = steer_flush(pool);
  struct step step = {0};
  queue_hope_less(pool, &step);
  crew_finish(pool, &step);
  close_doomed(pool, background);
  return count;
}

int pool_flush(pool_t *pool)
{
  return pool ? steer_flush_in(pool, false) : error_set(NULL, POOL_E_INVALID, 0, "pool is NULL");
}

int pool_pause(pool_t *pool)
{
  if (!pool)
    return error_set(NULL, POOL_E_INVALID, 0, "pool is NULL");
  bool first;
  int busy = steer_pause(pool, &first);
  if (busy >= 0 && first)
    event_pool(pool, POOL_EVENT_POOL_PAUSED);
  return busy < 0 ? error_code_in(pool->name, busy) : busy;
}

int pool_resume(pool_t *pool)
{
  struct step step;
  if (!pool)
    return error_set(NULL, POOL_E_INVALID, 0, "pool is NULL");
  int left = steer_resume(pool);
  if (left < 0)
    return error_in(pool->name, NULL, POOL_E_INVALID, 0, "this pool is not paused");
  if (left == 0) {
    event_pool(pool, POOL_EVENT_POOL_RESUMED);
    steer_resumed(pool, &step);
    crew_finish(pool, &step);
  }
  return left;
}

int pool_evict(pool_t *pool)
{
  struct step step;
  int64_t moment = clock_now();
  int all = 0;
  if (!pool)
    return error_set(NULL, POOL_E_INVALID, 0, "pool is NULL");
  for (int some; (some = steer_evict(pool, moment, &step)); all += some)
    crew_finish(pool, &step);
  return all;
}

/* Under one lock with what it is checked against, for pool_set() changes that. */
static int resize(struct pool *pool, int32_t max_open, struct step *step)
{
  pool_error_t error = POOL_ERROR_INIT;
  pthread_mutex_lock(&pool->lock);
  int code = config_check_max_open(&pool->config, max_open, &error);
  int left = code ? code : steer_resize(pool, max_open, step);
  life_unlock(pool);
  if (code)
    error_name(pool->name, NULL);
  else if (left < 0)
    error_code_in(pool->name, left);
  return left;
}

int steer_resize_in(struct pool *pool, int32_t max_open, bool background)
{
  struct step step;
  int left = resize(pool, max_open, &step);
  if (left < 0)
    return left;
  event_resized(pool, max_open); /* before what follows from it */
  crew_finish(pool, &step);
  close_doomed(pool, background);
  return left;
}

int pool_resize(pool_t *pool, int32_t max_open)
{
  return pool ? steer_resize_in(pool, max_open, false) : error_set(NULL, POOL_E_INVALID, 0, "pool is NULL");
}
