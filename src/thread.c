/* SPDX-License-Identifier: MIT */
#include "thread.h"

#include <pthread.h>
#include <unistd.h>

/* Asked for once a thread: the system call costs more than a get. */
static _Thread_local int32_t number;

int32_t thread_id(void)
{
  if (number == 0) {
#ifdef __linux__
    number = gettid();
#else
    number = (int32_t)((uintptr_t)pthread_self() >> 4);
#endif
  }
  return number;
}

void thread_id_forget(void)
{
  number = 0;
}
