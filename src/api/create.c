/* SPDX-License-Identifier: MIT */
/* A pool is made and given up. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <pool/step.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "slot/idle.h"
#include "slot/slot.h"
#include "decide/allowance.h"
#include "decide/attention.h"
#include "decide/chores.h"
#include "decide/life.h"
#include "decide/lifetime.h"
#include "decide/look.h"
#include "decide/overdue.h"
#include "decide/pool.h"
#include "decide/queue.h"
#include "decide/room.h"
#include "decide/step.h"
#include "run/crew.h"
#include "run/event.h"
#include "run/fork.h"
#include "run/keeper.h"
#include "run/membership.h"
#include "run/worker.h"
#include "api/budget.h"
#include "api/create.h"
#include "api/expose.h"
#include "api/settings.h"

/* POOL_STEP_* that say how waiters wait; of a pool with callbacks there are none. */
static void take_abilities(struct pool *pool, int32_t abilities)
{
  pool->tickets_block = abilities & POOL_STEP_THREADS;
  pool->detached = abilities & (POOL_STEP_DETACHED | POOL_STEP_JOINS);
  pool->joins = abilities & POOL_STEP_JOINS;
  pool->hands = abilities & POOL_STEP_HANDS;
}

/* Everything but what a late reader of a former pool may still touch: its lock, its words to sleep on and its blocks.
 */
static void prepare(struct pool *pool, const pool_config_t *config, const pool_vtable_t *vtable, void *context,
                    int32_t abilities, bool keyed)
{
  pthread_mutex_lock(&pool->lock);
  pool->config = *config;
  text_copy(pool->name, sizeof pool->name, config->name ? config->name : "pool");
  pool->config.name = pool->name;
  pool->config.budget = NULL; /* it is the caller's, and may have a password in it */
  atomic_store(&pool->stepped, vtable->open == NULL);
  take_abilities(pool, abilities);
  pool->can_check = vtable->check != NULL;
  pool->turn[CREW_KEEPER] = keeper_turn;
  pool->turn[CREW_WORKER] = worker_turn;
  pool->checks_all = config->check_after_ms == 0;
  pool->needs_watch = look_is_needed(config);
  pool->trust_ns = overdue_trust_ns(config);
  pool->coarse = overdue_may_be_coarse(config);
  pool->can_reset = vtable->reset != NULL;
  pool->vtable = *vtable;
  vtable_fill(&pool->vtable);
  pool->context = context;
  bool careful = pool->can_reset || pool->checks_all || event_follows_leases(config);
  pool->lend = LEASED - IDLE + (careful ? CAREFUL : 0) + (pool->stepped ? STEPPED : 0);
  pool->max_open = config->max_open;
  pool->max_idle = room_max_idle(config, config->max_open);
  pool->pauses = config->paused; /* one pool_resume() starts it */
  pool->evicting = pool->exposed = false;
  atomic_store(&pool->filling, true);
  pool->references = 1;
  pool->gone = false;
  pool->keyed = keyed;
  life_begin_anew(pool);
  pool->chores.unfilled = pool->stepped ? config->initial : 0;
  memset(pool->homes, 0, sizeof pool->homes);
  atomic_store(&pool->attention, (event_follows_leases(config) ? ATTENTION_EVENTS : 0) |
                                     (config->paused ? ATTENTION_PAUSED : 0) |
                                     (pool->trust_ns || config->max_uses > 0 ? ATTENTION_LIMITED : 0));
  pthread_mutex_unlock(&pool->lock);
}

/* The budget allows another connection, or does so in time. */
static bool is_allowed(struct pool *pool, int64_t deadline_ns)
{
  uint32_t seen = 0;
  while (!allowance_has_place(pool))
    if (!membership_await(pool, &seen, deadline_ns))
      return false;
  return true;
}

static int fill(struct pool *pool, pool_error_t *error)
{
  for (int32_t i = 0; i < pool->config.initial; i++) {
    struct step step;
    pool_error_t cause = POOL_ERROR_INIT;
    if (!is_allowed(pool, clock_deadline(pool->config.get_timeout_ms)))
      return membership_is_cut_off(pool)
                 ? 0
                 : error_in(pool->name, error, POOL_E_TIMEOUT, 0,
                            "the budget has no permit for initial connection %d of %d", i + 1, pool->config.initial);
    if (!room_reserve_unasked(pool, &step))
      return error_in(pool->name, error, POOL_E_NOMEM, 0, "no memory for the initial connections");
    pool_lease_t result = worker_do(pool, &step, clock_deadline(pool->config.get_timeout_ms), false, &cause);
    if (result < 0)
      return error_in(pool->name, error, (int)result, cause.native, "could not open initial connection %d of %d: %s",
                      i + 1, pool->config.initial, cause.message);
  }
  return 0;
}

/* The pool is not known to anybody yet. */
static int join_budget(struct pool *pool, const struct budget_wish *wish, pool_error_t *error)
{
  int code = wish->place.url ? membership_join(pool, &wish->place, &wish->engine) : 0;
  return code ? error_set(error, code, 0, "no memory for a budget") : 0;
}

static int create_wishing(const pool_config_t *config, const pool_vtable_t *vtable, void *context, int32_t abilities,
                          const struct budget_wish *wish, bool keyed, pool_t **out, pool_error_t *error)
{
  int32_t *ends = NULL;
  if (fork_watch_error())
    return error_set(error, POOL_E_SYSTEM, fork_watch_error(), "forks cannot be watched: %s",
                     strerror(fork_watch_error()));
  if (config->max_lifetime_ms > 0 && !(ends = calloc(lifetime_ring_size(config), sizeof *ends)))
    return error_set(error, POOL_E_NOMEM, 0, "no memory for a pool");
  struct pool *pool = life_take();
  if (!pool) {
    free(ends);
    return error_set(error, POOL_E_NOMEM, 0, "no memory for a pool");
  }
  prepare(pool, config, vtable, context, abilities, keyed);
  pool->ends = ends;
  life_register(pool);
  *out = pool;
  int code = join_budget(pool, wish, error);
  if (code) {
    vtable_keep_context(&pool->vtable);
    pool_free(pool);
    return code;
  }
  event_pool(pool, POOL_EVENT_POOL_CREATED);
  if (config->paused)
    event_pool(pool, POOL_EVENT_POOL_PAUSED);
  return 0;
}

static int create(const pool_config_t *config, const pool_vtable_t *vtable, void *context, int32_t abilities,
                  bool keyed, pool_t **out, pool_error_t *error)
{
  struct budget_wish wish = {0};
  int code = budget_is_set(config) ? budget_read(&wish, config->budget, false, error) : 0;
  if (code == 0)
    code = create_wishing(config, vtable, context, abilities, &wish, keyed, out, error);
  budget_wish_free(&wish);
  return code;
}

/* From now on every get may open a connection, and time passes. */
static void begin(struct pool *pool)
{
  atomic_store(&pool->filling, false);
  pthread_mutex_lock(&pool->lock); /* a worker may open for a budget that has just answered */
  bool has_times = pool->room.open > 0 || room_refills(&pool->config);
  pthread_mutex_unlock(&pool->lock);
  if (has_times)
    crew_need_keeper(pool, 0);
}

static void warn(struct pool *pool, const pool_vtable_t *vtable)
{
  const char *text;
  for (size_t next = 0; (text = config_warning(&pool->config, vtable, &next));)
    event_warning(pool, text);
}

int create_pool(const pool_config_t *config, const pool_vtable_t *vtable, void *context, bool keyed, pool_t **out,
                pool_error_t *error)
{
  pool_config_t settings;
  pool_vtable_t callbacks;
  struct pool *pool;
  int code;
  if (!out)
    return error_set(error, POOL_E_INVALID, 0, "pool is NULL; there is no place for the result");
  if ((code = config_read(&settings, config, error)) || (code = vtable_read(&callbacks, vtable, error)) ||
      (code = config_check_vtable(&settings, &callbacks, error)) ||
      (code = create(&settings, &callbacks, context, 0, keyed, &pool, error)))
    return config_refuse(&settings, code, error);
  warn(pool, &callbacks);
  expose_begin(pool);
  code = fill(pool, error);
  if (code) {
    pool_error_t why = POOL_ERROR_INIT;
    pool_failure(&why);
    vtable_keep_context(&pool->vtable); /* without a pool it stays the caller's */
    pool_free(pool);
    return error_set(NULL, why.code, why.native, "%s", why.message);
  }
  begin(pool);
  *out = pool;
  return 0;
}

int pool_create(const pool_config_t *config, const pool_vtable_t *vtable, void *context, pool_t **out,
                pool_error_t *error)
{
  return create_pool(config, vtable, context, false, out, error);
}

/* These two stand for callbacks.  event.c only asks whether there are any, and keeps what they would be told. */
static void events_are_fetched(void *user, const pool_event_t *event)
{
  (void)user, (void)event;
}

static void lines_are_fetched(void *user, int32_t level, const char *line)
{
  (void)user, (void)level, (void)line;
}

/* What a pool that never calls back cannot have. */
static int check_steps(const pool_config_t *config, int32_t abilities, pool_error_t *error)
{
  const int32_t known = POOL_STEP_CHECKS | POOL_STEP_RESETS | POOL_STEP_THREADS | POOL_STEP_EVENTS | POOL_STEP_LOG |
                        POOL_STEP_DETACHED | POOL_STEP_HANDS | POOL_STEP_JOINS;
  if (abilities & ~known)
    return error_set(error, POOL_E_NEWER, 0, "abilities has bits that this version of the library does not know");
  if (config->openers > 0)
    return error_set(error, POOL_E_INVALID, 0, "openers must be 0 in a pool that never calls back");
  if (config->events || config->log)
    return error_set(error, POOL_E_INVALID, 0, "%s cannot be set in a pool that never calls back",
                     config->events ? "events" : "log");
  return 0;
}

int create_check_steps(const pool_config_t *config, int32_t abilities, pool_error_t *error)
{
  pool_vtable_t stands;
  vtable_of_steps(&stands, abilities);
  int code = check_steps(config, abilities, error);
  return code ? code : config_check_vtable(config, &stands, error);
}

int create_step_pool(const pool_config_t *config, int32_t abilities, bool keyed, pool_t **out, pool_error_t *error)
{
  pool_config_t settings;
  pool_vtable_t stands;
  int code;
  if (!out)
    return error_set(error, POOL_E_INVALID, 0, "pool is NULL; there is no place for the result");
  vtable_of_steps(&stands, abilities);
  if ((code = config_read(&settings, config, error)) || (code = create_check_steps(&settings, abilities, error)))
    return config_refuse(&settings, code, error);
  settings.events = abilities & POOL_STEP_EVENTS ? events_are_fetched : NULL;
  settings.log = abilities & POOL_STEP_LOG ? lines_are_fetched : NULL;
  if ((code = create(&settings, &stands, NULL, abilities, keyed, out, error)))
    return config_refuse(&settings, code, error);
  warn(*out, &stands);
  expose_begin(*out);
  begin(*out);
  return 0;
}

int pool_step_create(const pool_config_t *config, int32_t abilities, pool_t **out, pool_error_t *error)
{
  return create_step_pool(config, abilities, false, out, error);
}

pool_t *pool_ref(pool_t *pool)
{
  if (!pool)
    return NULL;
  pthread_mutex_lock(&pool->lock);
  assert_that(pool->references > 0);
  pool->references++;
  pthread_mutex_unlock(&pool->lock);
  return pool;
}

/* Work that the caller of the step API has not asked for before the pool is given up: no one will ask for it.  Tickets
   that were to be told keep what they have, for nobody is told of it. */
static void give_up_the_rest(struct pool *pool)
{
  _Atomic uint32_t *signals[TOLD_AT_ONCE];
  struct step step;
  struct scan cursor = {0};
  while (pool->stepped && chores_next_unasked(pool, &cursor, &step)) {
    if (step.tells)
      queue_tell(pool, signals, &step);
    worker_do(pool, &step, POOL_NO_DEADLINE, false, NULL);
  }
}

void pool_free(pool_t *pool)
{
  if (!pool)
    return;
  pthread_mutex_lock(&pool->lock);
  assert_that(pool->references > 0);
  bool last = pool->references == 1;
  if (!last)
    pool->references--;
  pthread_mutex_unlock(&pool->lock);
  if (!last)
    return;
  /* The last reference is held while closing, so that the pool is not recycled meanwhile (I13). */
  pool_close(pool, 0);
  give_up_the_rest(pool);
  keeper_finish(pool);
  pthread_mutex_lock(&pool->lock);
  pool->references--;
  life_unlock(pool);
}
