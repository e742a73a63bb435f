/* SPDX-License-Identifier: MIT */
/*
 * Parking with POSIX threads alone: a fixed table of mutexes and condition variables, found by the word's address.
 *
 * The waker takes and leaves the mutex between changing the word and signalling.  Without that, a waiter that has just
 * compared the word, but does not sleep yet, would miss the signal.  Two words may share an entry; the price is a
 * needless wake-up.
 */
#include "base/park.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <pool/pool.h>

struct place {
  pthread_mutex_t lock;
  pthread_cond_t changed;
};

static struct place places[64];

/* When the library is loaded: whether this is done is no question to be asked, or left open by a fork. */
static __attribute__((constructor(101))) void make_places(void)
{
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    pthread_mutex_init(&places[i].lock, NULL);
    pthread_cond_init(&places[i].changed, &attributes);
  }
  pthread_condattr_destroy(&attributes);
}

static struct place *place_of(_Atomic uint32_t *word)
{
  return &places[((uintptr_t)word >> 4) * 2654435761u >> 7 & 63];
}

/* A moment that a time_t of 32 bits cannot hold becomes its last: too early is allowed. */
static struct timespec timespec_of(int64_t deadline_ns)
{
  int64_t seconds = deadline_ns / 1000000000;
  if (sizeof(time_t) < sizeof seconds && seconds > INT32_MAX)
    seconds = INT32_MAX;
  return (struct timespec){.tv_sec = (time_t)seconds, .tv_nsec = (long)(deadline_ns % 1000000000)};
}

static void unlock(void *place)
{
  pthread_mutex_unlock(&((struct place *)place)->lock);
}

/* The waits are cancellation points.  A thread that is cancelled there leaves the place unlocked. */
static void sleep_in(struct place *place, _Atomic uint32_t *word, uint32_t seen, int64_t deadline_ns, int cancel_state)
{
  int type;
  pthread_mutex_lock(&place->lock);
  pthread_cleanup_push(unlock, place);
  pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type);
  pthread_setcancelstate(cancel_state, &cancel_state);
  if (atomic_load(word) == seen) {
    if (deadline_ns == POOL_NO_DEADLINE) {
      pthread_cond_wait(&place->changed, &place->lock);
    } else {
      struct timespec until = timespec_of(deadline_ns);
      pthread_cond_timedwait(&place->changed, &place->lock, &until);
    }
  }
  pthread_setcancelstate(cancel_state, &cancel_state);
  pthread_setcanceltype(type, &type);
  pthread_cleanup_pop(1);
}

void park_wait(_Atomic uint32_t *word, uint32_t seen, int64_t deadline_ns)
{
  sleep_in(place_of(word), word, seen, deadline_ns, PTHREAD_CANCEL_DISABLE);
}

void park_wait_cancellably(_Atomic uint32_t *word, uint32_t seen, int64_t deadline_ns)
{
  sleep_in(place_of(word), word, seen, deadline_ns, PTHREAD_CANCEL_ENABLE);
}

void park_wake(_Atomic uint32_t *word)
{
  struct place *place = place_of(word);
  pthread_mutex_lock(&place->lock);
  pthread_cond_broadcast(&place->changed);
  pthread_mutex_unlock(&place->lock);
}

/* No signal of this process reaches another, so the waiter looks again and again. */
void park_wait_shared(_Atomic uint32_t *word, uint32_t seen, int64_t deadline_ns)
{
  static const struct timespec nap = {.tv_nsec = 1000000};
  (void)deadline_ns; /* it is looked at after each nap */
  if (atomic_load(word) == seen)
    nanosleep(&nap, NULL);
}

void park_wake_shared(_Atomic uint32_t *word)
{
  (void)word;
}

void park_reset(void)
{
  make_places();
}
