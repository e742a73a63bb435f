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

/* A pool that has a descriptor is steered, so that is made last: where no other number can be had, nobody would listen.
 */
int bell_of(pool_t *pool)
{
  int bell = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int fd = bell < 0 ? -1 : pool_event_fd(pool);
  if (fd >= 0 && dup3(fd, bell, O_CLOEXEC) == bell)
    return bell;
  if (bell >= 0)
    close(bell);
  return -1;
}

void bell_ring(pool_t *pool)
{
  const uint64_t once = 1;
  int fd = pool_event_fd(pool);
  ssize_t written = fd < 0 ? 0 : write(fd, &once, sizeof once);
  (void)written; /* where there is no room for it, it rings already */
}

void bell_wait(int bell)
{
  struct pollfd look = {.fd = bell, .events = POLLIN};
  uint64_t rings;
  ssize_t got = poll(&look, 1, -1) == 1 ? read(bell, &rings, sizeof rings) : 0;
  (void)got; /* pool_maintain() may have been faster */
}
