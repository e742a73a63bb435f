/* SPDX-License-Identifier: MIT */
/*
 * The budgets of which this process has members: found, made, woken, given back.
 *
 * Shared: the list, and what its budgets have, under one lock.  A budget that nobody uses stays in memory and serves
 * again, since a step that was decided before names it still.
 */
#include "run/budget.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/contract.h"
#include "base/thread.h"
#include "decide/allowance.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct budget *budgets;

void budget_lock(void)
{
  pthread_mutex_lock(&lock);
}

void budget_unlock(void)
{
  pthread_mutex_unlock(&lock);
}

static bool is_of(const struct budget *budget, const struct budget_place *place)
{
  return budget->users > 0 && budget->place.key == place->key &&
         strncmp(budget->place.url, place->url, place->key) == 0;
}

/* One that is in use, else one that nobody uses, else a new one. */
static struct budget *find(const struct budget_place *place)
{
  struct budget *unused = NULL;
  for (struct budget *budget = budgets; budget; budget = budget->next) {
    if (is_of(budget, place))
      return budget;
    if (budget->users == 0 && !budget->runs)
      unused = budget;
  }
  if (unused || !(unused = calloc(1, sizeof *unused)))
    return unused;
  unused->next = budgets;
  return budgets = unused;
}

void budget_place_free(struct budget_place *place)
{
  if (place->url)
    explicit_bzero(place->url, strlen(place->url));
  free(place->url);
  *place = (struct budget_place){0};
}

static bool begin(struct budget *budget, const struct budget_place *place, const pool_budget_engine_t *engine,
                  budget_main_fn *main, budget_rouse_fn *rouse)
{
  char *url = strdup(place->url);
  if (!url)
    return false;
  budget_place_free(&budget->place);
  budget->engine = *engine;
  budget->place = *place;
  budget->place.url = url;
  budget->main = main;
  budget->rouse = rouse;
  budget->cut_off = budget->woken = false;
  budget->terms_end_ns = 0;
  return true;
}

struct budget *budget_take(const struct budget_place *place, const pool_budget_engine_t *engine, budget_main_fn *main,
                           budget_rouse_fn *rouse)
{
  budget_lock();
  struct budget *budget = find(place);
  if (budget && budget->users == 0 && !begin(budget, place, engine, main, rouse))
    budget = NULL;
  if (budget)
    budget->users++;
  budget_unlock();
  return budget;
}

void budget_give(struct budget *budget)
{
  budget_lock();
  budget->users--;
  assert_that(budget->users >= 0);
  budget_wake_locked(budget); /* its thread ends when nobody uses it */
  if (budget->users == 0 && !budget->runs)
    budget_place_free(&budget->place); /* else its thread does so */
  budget_unlock();
}

bool budget_has_members(const struct budget *budget)
{
  return budget->members || budget->resting;
}

void budget_wake_locked(struct budget *budget)
{
  if (budget->ledger && !budget->woken)
    budget->engine.wake(budget->ledger);
  budget->woken = true;
  if (!budget->runs && budget_has_members(budget))
    budget->runs = thread_detach(budget->main, budget) == 0; /* else those that wait try again */
}

void budget_wake(struct budget *budget, struct pool *pool)
{
  budget_lock();
  budget->rouse(budget, pool);
  budget_wake_locked(budget);
  bool missing = !budget->runs && budget_has_members(budget);
  budget_unlock();
  if (missing)
    allowance_not_asked(pool);
}

void budget_forget_all(void (*forget_members)(struct budget *budget))
{
  for (struct budget *budget = budgets; budget; budget = budget->next) {
    if (budget->ledger)
      budget->engine.forget(budget->ledger);
    budget->ledger = NULL;
    budget->runs = budget->woken = budget->cut_off = false;
    forget_members(budget);
  }
}
