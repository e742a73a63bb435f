/* SPDX-License-Identifier: MIT */
#include "decide/allowance.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "slot/idle.h"
#include "decide/attention.h"
#include "decide/step.h"

static int32_t least(int32_t a, int32_t b)
{
  return a < b ? a : b;
}

static int64_t most_of(int64_t a, int64_t b)
{
  return a > b ? a : b;
}

static int32_t own_cap(const struct pool *pool)
{
  return pool->max_open > 0 ? pool->max_open : INT32_MAX;
}

int32_t allowance_cap(const struct pool *pool)
{
  const struct allowance *allowance = &pool->allowance;
  int32_t own = own_cap(pool);
  return allowance->budget ? least(own, least(allowance->granted, allowance->target)) : own;
}

int32_t allowance_ceiling(const struct pool *pool)
{
  return pool->allowance.budget ? least(own_cap(pool), pool->allowance.target) : own_cap(pool);
}

bool allowance_has_place(struct pool *pool)
{
  pthread_mutex_lock(&pool->lock);
  bool has = pool->room.open < allowance_cap(pool);
  pthread_mutex_unlock(&pool->lock);
  return has;
}

/* What is in use, waited for, and to be kept; what is idle beyond that is not wanted. */
static int32_t wants(struct pool *pool)
{
  int64_t most = own_cap(pool);
  int64_t idle = idle_count_lendable(&pool->rows, INT32_MAX);
  int64_t busy = idle_count_staying(&pool->rows, INT32_MAX) - idle;
  int64_t wanted = busy + pool->queue.length + pool->allowance.passing + pool->config.min_idle + pool->chores.unfilled;
  if (attention_of(pool) & ATTENTION_CLOSED)
    wanted = busy;
  else
    wanted = most_of(wanted, most_of(pool->config.min_open, pool->filling ? pool->config.initial : 0));
  return (int32_t)(wanted < 0 ? 0 : wanted < most ? wanted : most);
}

static bool lacks_permit(const struct pool *pool)
{
  return pool->allowance.budget && pool->room.open >= allowance_cap(pool) && pool->room.open < own_cap(pool);
}

void allowance_ask(struct pool *pool, bool passing, struct step *step)
{
  assert_locked(pool);
  struct allowance *allowance = &pool->allowance;
  if (!lacks_permit(pool) || allowance->asked)
    return;
  allowance->passing = allowance->passing || passing;
  int64_t most = (int64_t)pool->room.open + pool->queue.length + allowance->passing + pool->config.min_idle;
  bool known = most_of(most, pool->config.min_open) <= allowance->wants && !pool->chores.unfilled;
  if (known || wants(pool) <= allowance->wants) /* the slots are looked at where it may matter */
    return;
  allowance->asked = true;
  step->budget = allowance->budget;
}

int64_t allowance_again_at(const struct pool *pool, int64_t now)
{
  return pool->allowance.asked ? now + ALLOWANCE_AGAIN_NS : 0;
}

void allowance_note_free(struct pool *pool, struct step *step)
{
  assert_locked(pool);
  if (pool->allowance.pressed || attention_closed(pool))
    step->budget = pool->allowance.budget;
}

static void look(struct pool *pool, struct demand *demand)
{
  const struct waiter *first = pool->queue.first;
  int32_t may = least(wants(pool), allowance_cap(pool));
  demand->open = may > pool->room.open ? may : pool->room.open;
  demand->wants = wants(pool);
  demand->waiting = pool->queue.length;
  demand->closed = attention_closed(pool);
  demand->since_ns = first ? first->since_ns : -1;
}

void allowance_look(struct pool *pool, struct demand *demand)
{
  pthread_mutex_lock(&pool->lock);
  look(pool, demand);
  pool->allowance.asked = false; /* also where the wish was over by now: the next is to be heard */
  pthread_mutex_unlock(&pool->lock);
}

void allowance_demand(struct pool *pool, struct demand *demand)
{
  pthread_mutex_lock(&pool->lock);
  struct allowance *allowance = &pool->allowance;
  look(pool, demand);
  pool->counts.budget_asked++;
  allowance->wants = demand->wants;
  allowance->granted = least(allowance->granted, demand->open);
  allowance->asked = allowance->passing = false;
  pthread_mutex_unlock(&pool->lock);
}

void allowance_not_asked(struct pool *pool)
{
  pthread_mutex_lock(&pool->lock);
  pool->allowance.asked = false;
  pthread_mutex_unlock(&pool->lock);
}

/* Nothing is granted, and the budget knows of no wish. */
static void forfeit(struct allowance *allowance)
{
  allowance->granted = allowance->target = allowance->wants = 0;
  allowance->pressed = allowance->cut_off = allowance->asked = allowance->passing = false;
}

bool allowance_rest(struct pool *pool)
{
  pthread_mutex_lock(&pool->lock);
  bool rests = pool->room.open == 0 && wants(pool) == 0;
  if (rests)
    forfeit(&pool->allowance);
  pthread_mutex_unlock(&pool->lock);
  return rests;
}

void allowance_read(struct pool *pool, struct permits *permits)
{
  pthread_mutex_lock(&pool->lock);
  const struct allowance *allowance = &pool->allowance;
  *permits = (struct permits){.granted = allowance->granted,
                              .target = allowance->target,
                              .limit = allowance->limit,
                              .pressed = allowance->pressed,
                              .cut_off = allowance->cut_off};
  pthread_mutex_unlock(&pool->lock);
}

void allowance_reset(struct allowance *allowance)
{
  forfeit(allowance);
  allowance->limit = 0;
}
