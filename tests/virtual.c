/* SPDX-License-Identifier: MIT */
/*
 * The virtual clock.
 *
 * Shared: under one lock, the list of threads that sleep.  A thread that wakes one takes it out of the list, so the
 * list tells at any moment which sleep for good.  The time itself is read without the lock and written with it.
 */
#include "virtual.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/park.h"

/* So often pool_maintain() may say that it is due right now before that counts as a fault. */
#define PATIENCE 10000000

struct sleeper {
  struct sleeper *next;
  _Atomic uint32_t *word;
  int64_t deadline_ns;
  bool woken;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t woken = PTHREAD_COND_INITIALIZER;
static struct sleeper *sleepers;
static int64_t wakes;

/* Far from 0, so that a deadline is not mistaken for a duration, nor one that was never set for one that is over. */
static _Atomic int64_t now = INT64_C(1000000) * SECOND;

int64_t clock_now(void)
{
  return atomic_load(&now);
}

/* How far the other clocks are from this one; the wall clock shows a date as it might. */
static _Atomic int64_t slept, wall = INT64_C(1700000000) * SECOND;

#define COARSE_STEP (4 * MILLISECOND)

int64_t clock_boot(void)
{
  return atomic_load(&now) + atomic_load(&slept);
}

int64_t clock_wall(bool coarse)
{
  int64_t time = clock_boot() + atomic_load(&wall);
  return coarse ? time - time % COARSE_STEP : time;
}

int64_t clock_coarse_step(void)
{
  return COARSE_STEP;
}

int64_t virtual_now(void)
{
  return atomic_load(&now);
}

/* ---- under the lock ---- */

static bool is_due(const struct sleeper *sleeper)
{
  return sleeper->deadline_ns != POOL_NO_DEADLINE && sleeper->deadline_ns <= atomic_load(&now);
}

/* Wakes those on a word, or with NULL those whose deadline has come. */
static void wake(_Atomic uint32_t *word)
{
  for (struct sleeper **link = &sleepers, *sleeper; (sleeper = *link);) {
    if (word ? sleeper->word != word : !is_due(sleeper)) {
      link = &sleeper->next;
      continue;
    }
    *link = sleeper->next;
    sleeper->woken = true;
    wakes++;
  }
  pthread_cond_broadcast(&woken);
}

/* ---- sleeping ---- */

void park_wait(_Atomic uint32_t *word, uint32_t seen, int64_t deadline_ns)
{
  struct sleeper sleeper = {.word = word, .deadline_ns = deadline_ns};
  pthread_mutex_lock(&lock);
  if (atomic_load(word) == seen && !is_due(&sleeper)) {
    sleeper.next = sleepers;
    sleepers = &sleeper;
    while (!sleeper.woken)
      pthread_cond_wait(&woken, &lock);
  }
  pthread_mutex_unlock(&lock);
}

/* A thread that sleeps by this clock is not cancelled. */
void park_wait_cancellably(_Atomic uint32_t *word, uint32_t seen, int64_t deadline_ns)
{
  park_wait(word, seen, deadline_ns);
}

void park_wake(_Atomic uint32_t *word)
{
  pthread_mutex_lock(&lock);
  wake(word);
  pthread_mutex_unlock(&lock);
}

void park_wait_shared(_Atomic uint32_t *word, uint32_t seen, int64_t deadline_ns)
{
  park_wait(word, seen, deadline_ns);
}

void park_wake_shared(_Atomic uint32_t *word)
{
  park_wake(word);
}

void park_reset(void)
{
  pthread_mutex_init(&lock, NULL);
  pthread_cond_init(&woken, NULL);
  sleepers = NULL;
}

/* ---- for tests ---- */

void virtual_advance(int64_t ns)
{
  pthread_mutex_lock(&lock);
  atomic_fetch_add(&now, ns);
  wake(NULL);
  pthread_mutex_unlock(&lock);
}

void virtual_freeze(int64_t ns)
{
  atomic_fetch_add(&now, ns);
}

void virtual_suspend(int64_t ns)
{
  atomic_fetch_add(&slept, ns);
}

void virtual_set_wall(int64_t by_ns)
{
  atomic_fetch_add(&wall, by_ns);
}

void virtual_pass(pool_t *pool, int64_t ns)
{
  int64_t end_ns = virtual_now() + ns;
  int at_once = 0;
  for (int64_t due_ns; (due_ns = pool_maintain(pool)) <= end_ns - virtual_now();) {
    virtual_advance(due_ns);
    at_once = due_ns > 0 ? 0 : at_once + 1;
    if (due_ns < 0 || at_once > PATIENCE) {
      fprintf(stderr, "pool_maintain() returns %lld again and again\n", (long long)due_ns);
      abort();
    }
    if (due_ns == 0)
      sched_yield(); /* what is due is another thread's */
  }
  virtual_advance(end_ns - virtual_now());
  pool_maintain(pool);
}

int virtual_sleepers(void)
{
  int count = 0;
  pthread_mutex_lock(&lock);
  for (struct sleeper *sleeper = sleepers; sleeper; sleeper = sleeper->next)
    count++;
  pthread_mutex_unlock(&lock);
  return count;
}

bool virtual_is_busy(void)
{
  return pthread_mutex_trylock(&lock) != 0 || pthread_mutex_unlock(&lock) != 0;
}

int64_t virtual_next_deadline(void)
{
  int64_t earliest_ns = POOL_NO_DEADLINE;
  pthread_mutex_lock(&lock);
  for (struct sleeper *sleeper = sleepers; sleeper; sleeper = sleeper->next)
    if (sleeper->deadline_ns < earliest_ns)
      earliest_ns = sleeper->deadline_ns;
  pthread_mutex_unlock(&lock);
  return earliest_ns;
}

int64_t virtual_wakes(void)
{
  pthread_mutex_lock(&lock);
  int64_t count = wakes;
  pthread_mutex_unlock(&lock);
  return count;
}
