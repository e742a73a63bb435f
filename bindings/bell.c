/* SPDX-License-Identifier: MIT */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dup3() */
#endif
#include "bell.h"

#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

static int new_number(void)
{
  return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int bell_at(int bell, int fd)
{
  if (fd >= 0 && dup3(fd, bell, O_CLOEXEC) == bell)
    return bell;
  if (bell >= 0)
    close(bell);
  return -1;
}

/* A pool that has a descriptor is steered, so that is made last: where no other number can be had, nobody would listen.
 */
int bell_of(pool_t *pool)
{
  int bell = new_number();
  return bell_at(bell, bell < 0 ? -1 : pool_event_fd(pool));
}

int bell_of_group(pool_group_t *group)
{
  int bell = new_number();
  return bell_at(bell, bell < 0 ? -1 : pool_group_event_fd(group));
}

static void ring(int fd)
{
  const uint64_t once = 1;
  ssize_t written = fd < 0 ? 0 : write(fd, &once, sizeof once);
  (void)written; /* where there is no room for it, it rings already */
}

void bell_ring(pool_t *pool)
{
  ring(pool_event_fd(pool));
}

void bell_ring_group(pool_group_t *group)
{
  ring(pool_group_event_fd(group));
}

void bell_wait(int bell)
{
  bell_wait_for(bell, -1);
}

void bell_wait_for(int bell, int ms)
{
  struct pollfd look = {.fd = bell, .events = POLLIN};
  uint64_t rings;
  ssize_t got = poll(&look, 1, ms) == 1 ? read(bell, &rings, sizeof rings) : 0;
  (void)got; /* pool_maintain() may have been faster */
}
