/* SPDX-License-Identifier: MIT */
/*
 * Who waits.  A thread sleeps on a condition of its own with the GVL let go; a fiber of a scheduler is blocked by that.
 *
 * A wake-up is noted under the GVL before anything else (`woken`), so it reaches also who has not lain down yet.  Who
 * is woken and then interrupted gives up its ticket, and the library tells the next.
 */
#include "native.h"

#include <ruby/fiber/scheduler.h>
#include <ruby/thread.h>
#include <time.h>

#define SIGNAL_LOOK_NS INT64_C(50000000)

int64_t sleeper_now(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void sleeper_begin(struct libpool *self, struct sleeper *sleeper)
{
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_mutex_init(&sleeper->lock, NULL);
  pthread_cond_init(&sleeper->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  sleeper->scheduler = rb_fiber_scheduler_current();
  sleeper->fiber = NIL_P(sleeper->scheduler) ? Qnil : rb_fiber_current();
  sleeper->forks = libpool_forks;
  sleeper->woken = sleeper->roused = sleeper->told = sleeper->blocked = false;
  sleeper->next = NULL;
  sleeper->previous = self->last_sleeper;
  *(self->last_sleeper ? &self->last_sleeper->next : &self->first_sleeper) = sleeper;
  self->last_sleeper = sleeper;
  sleeper->linked = true;
}

void sleeper_end(struct libpool *self, struct sleeper *sleeper)
{
  if (!sleeper->linked)
    return;
  sleeper->linked = false;
  if (sleeper->forks != libpool_forks)
    return; /* the child has begun a new list */
  *(sleeper->previous ? &sleeper->previous->next : &self->first_sleeper) = sleeper->next;
  *(sleeper->next ? &sleeper->next->previous : &self->last_sleeper) = sleeper->previous;
  pthread_cond_destroy(&sleeper->changed);
  pthread_mutex_destroy(&sleeper->lock);
}

/* ---- sleeping ---- */

static void *sleep_without_gvl(void *data)
{
  struct sleeper *sleeper = data;
  struct timespec until = {.tv_sec = (time_t)(sleeper->deadline_ns / 1000000000),
                           .tv_nsec = (long)(sleeper->deadline_ns % 1000000000)};
  pthread_mutex_lock(&sleeper->lock);
  int code = 0;
  while (!sleeper->told && code == 0)
    code = sleeper->deadline_ns == POOL_NO_DEADLINE ? pthread_cond_wait(&sleeper->changed, &sleeper->lock)
                                                    : pthread_cond_timedwait(&sleeper->changed, &sleeper->lock, &until);
  sleeper->told = false;
  pthread_mutex_unlock(&sleeper->lock);
  return NULL;
}

/* Called by a thread that wakes it, and by Ruby to interrupt it, at any moment of the sleep.  The sleeper is told once
   the lock is left, or it would wake to wait for the lock.  It is still there: it does not return without the GVL,
   which the waking thread has, nor before Ruby is done with interrupting it. */
static void tell(void *data)
{
  struct sleeper *sleeper = data;
  pthread_mutex_lock(&sleeper->lock);
  sleeper->told = true;
  pthread_mutex_unlock(&sleeper->lock);
  pthread_cond_signal(&sleeper->changed);
}

/* The main thread runs the handlers of signals.  Ruby marks it when one comes, but wakes it only where some thread of
   Ruby waits for signals, and where others sleep and none of them does, nobody would: so it looks for itself. */
static int64_t until_next_look(int64_t deadline_ns)
{
  if (rb_thread_current() != rb_thread_main())
    return deadline_ns;
  int64_t look_ns = sleeper_now() + SIGNAL_LOOK_NS;
  return look_ns < deadline_ns ? look_ns : deadline_ns;
}

void sleeper_sleep(VALUE object, struct sleeper *sleeper, int64_t deadline_ns)
{
  if (sleeper->woken)
    return;
  sleeper->deadline_ns = until_next_look(deadline_ns);
  if (NIL_P(sleeper->scheduler)) {
    rb_thread_call_without_gvl(sleep_without_gvl, sleeper, tell, sleeper);
    return;
  }
  int64_t left_ns = deadline_ns - sleeper_now();
  if (deadline_ns != POOL_NO_DEADLINE && left_ns <= 0)
    return;
  sleeper->blocked = true;
  rb_fiber_scheduler_block(sleeper->scheduler, object,
                           deadline_ns == POOL_NO_DEADLINE ? Qnil : DBL2NUM((double)left_ns / 1e9));
  sleeper->blocked = false;
}

/* ---- waking ---- */

struct call {
  VALUE scheduler, blocker, fiber;
};

static VALUE unblock(RB_BLOCK_CALL_FUNC_ARGLIST(yielded, data))
{
  (void)yielded, (void)argc, (void)argv, (void)blockarg;
  struct call *call = (struct call *)data;
  return rb_fiber_scheduler_unblock(call->scheduler, call->blocker, call->fiber);
}

/* The scheduler is Ruby code: an interrupt in the middle of it would lose the wake-up. */
static void unblock_uninterrupted(struct call *call)
{
  VALUE mask = rb_hash_new();
  rb_hash_aset(mask, rb_cObject, ID2SYM(rb_intern("never")));
  rb_block_call(rb_cThread, rb_intern("handle_interrupt"), 1, &mask, unblock, (VALUE)call);
}

static void wake(VALUE object, struct sleeper *sleeper)
{
  sleeper->woken = true;
  if (NIL_P(sleeper->scheduler)) {
    tell(sleeper);
  } else if (sleeper->blocked) { /* else it opens, and is blocked for something else */
    sleeper->blocked = false;
    struct call call = {sleeper->scheduler, object, sleeper->fiber};
    unblock_uninterrupted(&call);
  }
}

void sleeper_wake(VALUE object, struct libpool *self, int64_t ticket)
{
  if (ticket == 0)
    return;
  /* The longest waiting is mostly whom the library names. */
  for (struct sleeper *sleeper = self->first_sleeper; sleeper; sleeper = sleeper->next)
    if (sleeper->ticket == ticket) {
      wake(object, sleeper);
      return;
    }
}

void sleeper_wake_all(VALUE object, struct libpool *self, const struct sleeper *but)
{
  struct sleeper *sleeper = self->first_sleeper;
  while (sleeper) {
    bool asleep = !sleeper->woken && sleeper != but;
    if (asleep) {
      sleeper->roused = true;
      wake(object, sleeper);
    }
    /* What ran meanwhile, where a scheduler did, may have changed the list. */
    sleeper = asleep ? self->first_sleeper : sleeper->next;
  }
}

void sleeper_mark(struct libpool *self)
{
  for (struct sleeper *sleeper = self->first_sleeper; sleeper; sleeper = sleeper->next) {
    rb_gc_mark(sleeper->scheduler);
    rb_gc_mark(sleeper->fiber);
  }
}
