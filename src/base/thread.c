/* SPDX-License-Identifier: MIT */
#include "base/thread.h"

#include <dirent.h>
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

void thread_id_forget(void)
{
  number = 0;
}
