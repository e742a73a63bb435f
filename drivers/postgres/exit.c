/* SPDX-License-Identifier: MIT */
#include "postgres/exit.h"

#include <pthread.h>
#include <stdlib.h>

#include "support/deadline.h"

#define PATIENCE_NS INT64_C(1000000000) /* libkrb5 may wait for a server of tickets */

static struct {
  pthread_mutex_t lock;
  pthread_cond_t left;
  int inside;
  bool ends;
  pthread_t ending;
} process = {.lock = PTHREAD_MUTEX_INITIALIZER};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void at_exit(void)
{
  int64_t until_ns = deadline_clock() + PATIENCE_NS;
  bool in_time = true;
  pthread_mutex_lock(&process.lock);
  process.ends = true;
  process.ending = pthread_self();
  while (process.inside > 0 && in_time)
    in_time = deadline_wait(&process.left, &process.lock, until_ns);
  pthread_mutex_unlock(&process.lock);
}

/* The child has one thread, which is not inside. */
static void after_fork_in_child(void)
{
  pthread_mutex_init(&process.lock, NULL);
  deadline_condition_init(&process.left);
  process.inside = 0;
}

static void watch(void)
{
  deadline_condition_init(&process.left);
  pthread_atfork(NULL, NULL, after_fork_in_child);
  atexit(at_exit);
}

void exit_watch(void)
{
  pthread_once(&once, watch);
}

bool exit_enter(void)
{
  pthread_mutex_lock(&process.lock);
  bool enters = !process.ends || pthread_equal(process.ending, pthread_self());
  process.inside += enters;
  pthread_mutex_unlock(&process.lock);
  return enters;
}

void exit_leave(void)
{
  pthread_mutex_lock(&process.lock);
  process.inside--;
  pthread_cond_signal(&process.left);
  pthread_mutex_unlock(&process.lock);
}
