/* SPDX-License-Identifier: MIT */
#include "support/errand.h"

#include <pthread.h>
#include <stddef.h>

#include "base/thread.h"
#include "support/deadline.h"

#define THREADS_MOST 16
#define WAITING_MOST 1000

static struct {
  pthread_mutex_t lock;
  pthread_cond_t changed; /* there is an errand that is due */
  struct errand *first;   /* of those that no thread is at, by the time at which they are due */
  int waiting;
  int threads;
} errands = {.lock = PTHREAD_MUTEX_INITIALIZER};

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ---- fork, during which the lock is held: the child finds the list as its parent left it ---- */

static void before_fork(void)
{
  pthread_mutex_lock(&errands.lock);
}

static void after_fork_in_parent(void)
{
  pthread_mutex_unlock(&errands.lock);
}

/* The threads and the errands are the parent's. */
static void after_fork_in_child(void)
{
  deadline_condition_init(&errands.changed);
  errands.first = NULL;
  errands.waiting = errands.threads = 0;
  pthread_mutex_unlock(&errands.lock);
}

static void begin(void)
{
  deadline_condition_init(&errands.changed);
  pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* ---- the list, whose lock the caller holds ---- */

static void put_in(struct errand *errand, int64_t due_ns)
{
  struct errand **link = &errands.first;
  while (*link && (*link)->due_ns <= due_ns)
    link = &(*link)->next;
  errand->due_ns = due_ns;
  errand->next = *link;
  *link = errand;
  errands.waiting++;
}

static struct errand *take_out(struct errand **link)
{
  struct errand *errand = *link;
  if (errand) {
    *link = errand->next;
    errands.waiting--;
  }
  return errand;
}

static struct errand **find(const struct errand *errand)
{
  struct errand **link = &errands.first;
  while (*link && *link != errand)
    link = &(*link)->next;
  return link;
}

/* Waits for one that is due.  NULL: there is none any more. */
static struct errand *take_due(void)
{
  while (errands.first && !deadline_is_past(errands.first->due_ns))
    deadline_wait(&errands.changed, &errands.lock, errands.first->due_ns);
  return take_out(&errands.first);
}

/* All threads may be at a server that is silent: those who send free what is late. */
static struct errand *take_late(void)
{
  return errands.first && deadline_is_past(errands.first->until_ns) ? take_out(&errands.first) : NULL;
}

/* ---- the threads ---- */

/* Returns when it is to be run again, or ERRAND_DONE. */
static int64_t run(struct errand *errand)
{
  int64_t pause_ns = deadline_is_past(errand->until_ns) ? ERRAND_DONE : errand->run(errand);
  if (pause_ns != ERRAND_DONE)
    return deadline_clock() + pause_ns;
  errand->end(errand);
  return ERRAND_DONE;
}

static void *errand_main(void *data)
{
  struct errand *errand;
  pthread_mutex_lock(&errands.lock);
  while ((errand = take_due())) {
    pthread_mutex_unlock(&errands.lock);
    int64_t due_ns = run(errand);
    pthread_mutex_lock(&errands.lock);
    if (due_ns != ERRAND_DONE)
      put_in(errand, due_ns);
  }
  errands.threads--;
  pthread_mutex_unlock(&errands.lock);
  return data;
}

/* Those that wait for the time of an errand are no reason not to begin one more: they are few, and soon at work. */
static void begin_thread(void)
{
  if (errands.threads < THREADS_MOST && thread_detach(errand_main, NULL) == 0)
    errands.threads++;
}

bool errand_send(struct errand *errand)
{
  pthread_once(&once, begin);
  pthread_mutex_lock(&errands.lock);
  struct errand *late = take_late();
  begin_thread();
  bool taken = errands.threads > 0 && errands.waiting < WAITING_MOST;
  if (taken) {
    put_in(errand, deadline_clock());
    pthread_cond_signal(&errands.changed);
  }
  pthread_mutex_unlock(&errands.lock);
  if (late)
    late->end(late);
  return taken;
}

bool errand_withdraw(struct errand *errand)
{
  pthread_mutex_lock(&errands.lock);
  bool withdrawn = take_out(find(errand)) != NULL;
  pthread_mutex_unlock(&errands.lock);
  return withdrawn;
}
