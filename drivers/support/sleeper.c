/* SPDX-License-Identifier: MIT */
#include "support/sleeper.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "support/deadline.h"
#include "support/failure.h"

static uint64_t choose_number(void)
{
  uint64_t number;
  if (getrandom(&number, sizeof number, 0) != sizeof number)
    number = (uint64_t)deadline_clock() * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)getpid();
  return number;
}

int sleeper_make(struct sleeper *sleeper, pool_error_t *error)
{
  *sleeper = (struct sleeper){.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .number = choose_number()};
  if (sleeper->wake < 0)
    return failure_set(error, POOL_E_SYSTEM, errno, "making an eventfd: %s", strerror(errno));
  return 0;
}

void sleeper_wake(const struct sleeper *sleeper)
{
  eventfd_write(sleeper->wake, 1);
}

bool sleeper_was_woken(const struct sleeper *sleeper)
{
  eventfd_t count;
  return eventfd_read(sleeper->wake, &count) == 0;
}

void sleeper_forget(struct sleeper *sleeper)
{
  int own = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (own >= 0) { /* under the number that other threads of the child will know */
    dup3(own, sleeper->wake, O_CLOEXEC);
    close(own);
  }
  sleeper->number = choose_number();
}

void sleeper_close(struct sleeper *sleeper)
{
  if (sleeper->wake >= 0)
    close(sleeper->wake);
}
