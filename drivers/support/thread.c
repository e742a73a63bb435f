/* SPDX-License-Identifier: MIT */
#include "support/thread.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

bool thread_start_detached(void *(*run)(void *), void *data)
{
  pthread_attr_t attributes;
  pthread_t thread;
  /* The thread blocks all signals but those that it causes itself, in a callback of the program: the program's threads
     get its signals, and its handlers see what went wrong in its callbacks. */
  static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
  sigset_t others, before;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  sigfillset(&others);
  for (size_t i = 0; i < sizeof own / sizeof *own; i++)
    sigdelset(&others, own[i]);
  pthread_sigmask(SIG_SETMASK, &others, &before);
  bool started = pthread_create(&thread, &attributes, run, data) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return started;
}
