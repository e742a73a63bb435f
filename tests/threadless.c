/* SPDX-License-Identifier: MIT */
#include "threadless.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>

_Atomic bool no_threads;
_Atomic int thread_tries;

struct gate thread_beginning = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .open = true};

struct delayed {
  void *(*main)(void *);
  void *data;
};

static void *delayed_main(void *data)
{
  struct delayed delayed = *(struct delayed *)data;
  free(data);
  gate_pass(&thread_beginning);
  return delayed.main(delayed.data);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*main)(void *), void *data)
{
  union {
    void *object;
    int (*function)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  } next = {.object = dlsym(RTLD_NEXT, "pthread_create")};
  thread_tries++;
  if (atomic_load(&no_threads))
    return EAGAIN;
  struct delayed *delayed = malloc(sizeof *delayed);
  must(delayed);
  *delayed = (struct delayed){main, data};
  int error = next.function(thread, attributes, delayed_main, delayed);
  if (error)
    free(delayed);
  return error;
}
