/* SPDX-License-Identifier: MIT */
#include "dozer.h"

#include <errno.h>
#include <signal.h>

#include "support.h"

static atomic_int stopped, awake;

static void doze(int number)
{
  int before = errno;
  (void)number;
  atomic_store(&stopped, 1);
  while (!atomic_load(&awake))
    pause_briefly();
  errno = before;
}

bool dozer_stop(pthread_t thread, const atomic_int *ended)
{
  struct sigaction action = {.sa_handler = doze}; /* without SA_RESTART, as most programs have theirs */
  atomic_store(&stopped, 0);
  atomic_store(&awake, 0);
  must(sigaction(SIGUSR1, &action, NULL) == 0 && pthread_kill(thread, SIGUSR1) == 0);
  must_soon(atomic_load(&stopped) || atomic_load(ended));
  return atomic_load(&stopped);
}

void dozer_wake(void)
{
  atomic_store(&awake, 1);
}
