/* SPDX-License-Identifier: MIT */
#ifndef THREAD_H
#define THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* The number of this thread, as the system's tools show it. */
int32_t thread_id(void);

/* Whether the process certainly has no other thread. */
bool thread_is_alone(void);

/* Starts a thread that nobody waits for.  Returns 0 or an errno. */
int thread_detach(void *(*main)(void *), void *data);

/* In the child after fork: the thread that forked has another number now. */
void thread_id_forget(void);

/* Holds off a pthread_cancel() of this thread, which would tear it out of what it has begun: out of a callback with the
   connection's place, or out of the library between two steps.  It takes effect at the next cancellation point after
   the release.  Returns what the release needs. */
static inline int cancel_hold(void)
{
  int before;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
  return before;
}

static inline void cancel_release(int before)
{
  pthread_setcancelstate(before, &before);
}

#endif
