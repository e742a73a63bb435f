/* SPDX-License-Identifier: MIT */
#include "support/disconnect.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

void disconnect(int descriptor)
{
  shutdown(descriptor, SHUT_RDWR);
  close(descriptor);
}

int disconnect_begin(int descriptor)
{
  return fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
}

void disconnect_end(int second)
{
  if (second >= 0)
    disconnect(second);
}
