/* SPDX-License-Identifier: MIT */
#include "holder.h"

#include "support.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Without the handlers of fork, which would let go of the copies. */
void holder_start(struct holder *holder)
{
  int ends[2];
  char none;
  assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
  holder->process = _Fork();
  if (holder->process == 0) {
    close(ends[1]);
    _exit((int)read(ends[0], &none, 1));
  }
  assert_true(holder->process > 0);
  close(ends[0]);
  holder->alive = ends[1];
}

void holder_end(struct holder *holder)
{
  int status;
  close(holder->alive);
  assert_int_equal(waitpid(holder->process, &status, 0), holder->process);
  assert_int_equal(status, 0);
}

bool holder_sees_end(int descriptor)
{
  char bytes[256];
  struct pollfd set = {.fd = descriptor, .events = POLLIN};
  ssize_t got = 1;
  while (got > 0 && poll(&set, 1, (int)(LONG_NS / 1000000)) > 0)
    got = recv(descriptor, bytes, sizeof bytes, 0);
  return got == 0;
}
