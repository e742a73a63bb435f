/* SPDX-License-Identifier: MIT */
#include "decide/room.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "slot/idle.h"
#include "slot/notes.h"
#include "slot/slot.h"
#include "decide/allowance.h"
#include "decide/attention.h"
#include "decide/breaker.h"
#include "decide/flow.h"
#include "decide/life.h"
#include "decide/lifetime.h"
#include "decide/pool.h"
#include "decide/setting.h"
#include "decide/step.h"
#include "decide/work.h"

/* If an open for min_idle or min_open fails, where no retry_min_ms says when to try again. */
#define REFILL_PAUSE_NS INT64_C(1000000000)

/* What a pool may idle where neither max_idle nor a hard cap says. */
#define DEFAULT_MAX_IDLE 10

int32_t room_max_idle(const pool_config_t *config, int32_t max_open)
{
  if (config->max_idle != -1)
    return config->max_idle;
  if (max_open > 0)
    return max_open;
  /* With room above min_idle: else what is opened as others are lent would be closed as they come back.  Those of
     min_open need none: no more are opened as they are lent. */
  int32_t most = config->min_idle > DEFAULT_MAX_IDLE / 2 ? 2 * config->min_idle : DEFAULT_MAX_IDLE;
  return config->min_open > most ? config->min_open : most;
}

bool room_has_place(struct pool *pool)
{
  assert_locked(pool);
  return !(attention_of(pool) & ATTENTION_NOT_LENDING) && !pool->filling && pool->room.open < allowance_cap(pool) &&
         (pool->config.max_opening == 0 || pool->room.opening < pool->config.max_opening);
}

bool room_permits(struct pool *pool, bool again)
{
  assert_locked(pool);
  return room_has_place(pool) &&
         (pool->breaker.failures == 0 ||
          breaker_permits(&pool->breaker, &pool->config, pool->room.opening, clock_now(), again));
}

/* While the breaker is open, what is being opened is a question, not a hope: it may hang as the last ones did. */
static bool is_hopeful(const struct pool *pool, const struct slot *slot)
{
  uint64_t word = slot_word(slot);
  return slot_stays(word) && !(state_of(word) == OPENING && pool->breaker.open) && slot_is_of(slot, pool);
}

/* The slot that was hopeful when somebody looked mostly still is, so slots are searched seldom. */
bool room_hopes(struct pool *pool)
{
  assert_locked(pool);
  if (pool->room.hope && is_hopeful(pool, pool->room.hope))
    return true;
  struct scan scan = scan_all(&pool->rows);
  while ((pool->room.hope = scan_next(&scan)))
    if (is_hopeful(pool, pool->room.hope))
      return true;
  return false;
}

/* Opens of the step API that perhaps never return: nobody counts on them. */
static int32_t hanging(struct pool *pool)
{
  int32_t count = 0;
  if (!pool->stepped || pool->room.opening == 0)
    return 0;
  int64_t now = clock_now();
  struct scan scan = scan_all(&pool->rows);
  for (struct slot *slot; (slot = scan_next(&scan));)
    count += state_of(slot_word(slot)) == OPENING && slot_is_of(slot, pool) &&
             now - atomic_load(&extra_of(slot)->asked_ns) >= REFILL_PAUSE_NS;
  return count;
}

/* Checks that gets have left, for they were served by something else, until they perhaps hang. */
static int32_t left_checking(const struct pool *pool)
{
  const struct left_over *left = &pool->left_over;
  return left->checks > 0 && clock_now() < left->until_ns ? left->checks : 0;
}

/* What is being checked or reset will be idle again, or its worker looks once more when it is done. */
static bool lacks_idle(struct pool *pool)
{
  int32_t opening = pool->stepped ? pool->room.opening - hanging(pool) : pool->crew.opening;
  int32_t coming = opening + pool->chores.doing + left_checking(pool);
  int32_t wanted = pool->config.min_idle - coming;
  return wanted > 0 && idle_count(&pool->rows, wanted, 0) < wanted;
}

static bool lacks_open(struct pool *pool)
{
  int32_t wanted = pool->config.min_open;
  /* No more stay than there are: then each need not be looked at. */
  return wanted > 0 && (pool->room.open < wanted || idle_count_staying(&pool->rows, wanted) < wanted);
}

bool room_needs_refill(struct pool *pool)
{
  assert_locked(pool);
  return room_refills(&pool->config) && room_permits(pool, true) &&
         (pool->room.refill_at_ns == 0 || clock_now() >= pool->room.refill_at_ns) &&
         (lacks_idle(pool) || lacks_open(pool));
}

static int32_t sum(int32_t a, int32_t b)
{
  return a < INT32_MAX - b ? a + b : INT32_MAX;
}

int64_t room_spare(struct pool *pool, bool taken, int32_t enough)
{
  int32_t min_idle = setting_now(pool->config.min_idle), min_open = setting_now(pool->config.min_open);
  int64_t spare = (int64_t)idle_count_lendable(&pool->rows, sum(min_idle, enough)) + taken - min_idle;
  if (min_open == 0)
    return spare;
  int64_t more = (int64_t)idle_count_staying(&pool->rows, sum(min_open, enough)) - min_open;
  return more < spare ? more : spare;
}

/* Room while the breaker is open means that a probe is due. */
bool room_needs_probe(struct pool *pool)
{
  assert_locked(pool);
  return pool->breaker.open && room_permits(pool, true);
}

bool room_is_full(struct pool *pool)
{
  assert_locked(pool);
  return pool->room.open - pool->room.opening >= allowance_cap(pool);
}

void room_refresh(struct pool *pool)
{
  assert_locked(pool);
  attention_raise(pool, ATTENTION_SURPLUS, pool->room.open > pool->max_idle);
  attention_raise(pool, ATTENTION_EXCESS, pool->room.open > allowance_ceiling(pool));
  attention_raise(pool, ATTENTION_TRIPPED, pool->breaker.open);
}

bool room_reserve(struct pool *pool, struct step *step)
{
  assert_locked(pool);
  struct slot *slot = idle_take_slot(&pool->rows, pool, pool->ended == 0);
  if (!slot)
    return false;
  pool->room.open++;
  pool->room.opening++;
  room_refresh(pool);
  atomic_store(&slot->connection, ++pool->connections);
  int64_t now = clock_now();
  if (pool->stepped)
    atomic_store(&extra_of(slot)->asked_ns, now);
  flow_open(pool, now);
  step_ask(step, POOL_WORK_OPEN, POOL_REASON_NONE, slot, slot_move(slot, 0, 0, OPENING));
  return true;
}

bool room_refill(struct pool *pool, struct step *step)
{
  assert_locked(pool);
  int32_t hang = hanging(pool);
  if (!room_reserve(pool, step))
    return false;
  if (hang > 0) /* the more hang, the more slowly others are tried */
    pool->room.refill_at_ns = clock_now() + hang * REFILL_PAUSE_NS;
  return true;
}

bool room_reserve_unasked(struct pool *pool, struct step *step)
{
  *step = (struct step){0};
  pthread_mutex_lock(&pool->lock);
  bool reserved = room_reserve(pool, step);
  life_unlock(pool);
  return reserved;
}

void room_vacate(struct pool *pool, struct slot *slot, struct step *step)
{
  assert_locked(pool);
  free(lifetime_end(pool, slot));
  slot_vacate(slot);
  pool->ended += slot_ended(slot, slot_word(slot));
  idle_give_slot(slot);
  pool->room.open--;
  room_refresh(pool);
  allowance_note_free(pool, step);
  if (pool->keyed && pool->room.open == 0 && atomic_load(&pool->crew.keeper_runs))
    step_want_keeper(pool, step); /* it may end */
  if (attention_closed(pool))
    step_tell_drainers(pool, step);
}

bool room_has_surplus(struct pool *pool)
{
  assert_locked(pool);
  if (!(attention_of(pool) & ATTENTION_SURPLUS) || pool->queue.first || idle_hint_count(&pool->rows) <= pool->max_idle)
    return false;
  return idle_count(&pool->rows, pool->max_idle + 1, STALE_BITS) > pool->max_idle;
}

int32_t room_excess(struct pool *pool, int32_t enough)
{
  assert_locked(pool);
  if (!(attention_of(pool) & ATTENTION_EXCESS))
    return 0;
  int32_t ceiling = allowance_ceiling(pool);
  int32_t staying = idle_count_staying(&pool->rows, sum(ceiling, enough));
  return staying > ceiling ? staying - ceiling : 0;
}

int64_t room_retry_at(struct pool *pool)
{
  assert_locked(pool);
  int32_t waiting = pool->config.openers > 0 ? pool->queue.patient : pool->queue.asynchronous;
  return waiting > 0 && pool->breaker.failures > 0 && !attention_closed(pool) ? pool->breaker.retry_at_ns
                                                                              : POOL_NO_DEADLINE;
}

void room_note_success(struct pool *pool, struct step *step)
{
  assert_locked(pool);
  pool->room.refill_at_ns = 0;
  if (pool->breaker.failures == 0)
    return;
  step->breaker_closed = breaker_succeeded(&pool->breaker);
  attention_raise(pool, ATTENTION_TRIPPED, false);
  step_want_keeper(pool, step);
}

/* A caller's own short deadline says nothing about the server, nor does a lack of memory here. */
static bool is_telling(struct pool *pool, const struct outcome *outcome)
{
  int32_t code = outcome->error && outcome->lend ? outcome->error->code : POOL_E_OPEN;
  return code == POOL_E_OPEN ||
         (code == POOL_E_TIMEOUT && (!outcome->cut_short || outcome->took_ns >= ns_of(pool->config.retry_max_ms)));
}

void room_note_failure(struct pool *pool, const struct outcome *outcome, struct step *step)
{
  assert_locked(pool);
  static const pool_error_t unknown = {sizeof unknown, POOL_E_OPEN, 0, MESSAGE("open failed without saying why")};
  if (pool->config.retry_min_ms <= 0)
    pool->room.refill_at_ns = clock_now() + REFILL_PAUSE_NS;
  if (!is_telling(pool, outcome)) {
    if (pool->breaker.failures > 0)
      step_want_keeper(pool, step); /* while this was being opened there was no moment to try again */
    return;
  }
  pool_error_t cause = outcome->error ? *outcome->error : unknown;
  cause.code = POOL_E_OPEN;
  int64_t now = clock_now();
  int64_t began = outcome->took_ns > 0 ? now - outcome->took_ns : now;
  if (breaker_failed(&pool->breaker, &pool->config, began, now, &cause)) {
    step->breaker_opened = true;
    pool->counts.breaker_opened++;
    attention_raise(pool, ATTENTION_TRIPPED, true);
  }
  step_want_keeper(pool, step); /* there is a moment to try again */
}

bool room_cause(struct pool *pool, pool_error_t *error)
{
  pthread_mutex_lock(&pool->lock);
  *error = breaker_cause(&pool->breaker);
  bool failing = pool->breaker.failures > 0;
  life_unlock(pool);
  return failing;
}
