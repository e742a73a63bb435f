/* SPDX-License-Identifier: MIT */
#include "base/thread.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
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

bool thread_is_alone(void)
{
  int count = 0;
  DIR *tasks = opendir("/proc/self/task");
  if (!tasks)
    return false;
  for (struct dirent *task; count < 2 && (task = readdir(tasks));)
    count += task->d_name[0] != '.';
  closedir(tasks);
  return count == 1;
}

int thread_detach(void *(*main)(void *), void *data)
{
  /* Signals go to the program's own threads.  But a fault of this thread, in a callback of the program, is for the
     handler that the program has for it: blocked, it would end the program without that. */
  static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
  pthread_attr_t attributes;
  pthread_t thread;
  sigset_t others, before;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  sigfillset(&others);
  for (size_t i = 0; i < sizeof own / sizeof *own; i++)
    sigdelset(&others, own[i]);
  pthread_sigmask(SIG_SETMASK, &others, &before);
  int error = pthread_create(&thread, &attributes, main, data);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return error;
}

void thread_id_forget(void)
{
  number = 0;
}
