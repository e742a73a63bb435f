/* SPDX-License-Identifier: MIT */
/* Libpool::Fork: which process this is, and how a child is cut off from a connection of its parent. */
#include "native.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

uint64_t libpool_forks;

static void count_fork(void)
{
  libpool_forks++;
}

/* A socket with somebody at the other end.  A datagram says no goodbye, and what listens has no session. */
static bool is_connection(int descriptor)
{
  int type = 0;
  struct sockaddr_storage peer;
  socklen_t type_size = sizeof type, peer_size = sizeof peer;
  return descriptor > STDERR_FILENO && getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &type_size) == 0 &&
         (type == SOCK_STREAM || type == SOCK_SEQPACKET) &&
         getpeername(descriptor, (struct sockaddr *)&peer, &peer_size) == 0;
}

/* The descriptor becomes one whose other end is closed: what reads sees the end, and what is written reaches nobody. */
static int replace(int descriptor)
{
  int ends[2], flags = fcntl(descriptor, F_GETFD);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
    return -1;
  close(ends[1]);
  int result = dup3(ends[0], descriptor, flags & FD_CLOEXEC ? O_CLOEXEC : 0);
  close(ends[0]);
  return result;
}

/* Replaces the descriptor in this process, if it is that of a connection.  Whether it is. */
static VALUE cut(VALUE module, VALUE number)
{
  (void)module;
  int descriptor = NUM2INT(number);
  if (!is_connection(descriptor))
    return Qfalse;
  if (replace(descriptor) < 0)
    rb_sys_fail("a socket could not be replaced");
  return Qtrue;
}

void fork_init(VALUE module)
{
  pthread_atfork(NULL, NULL, count_fork);
  rb_define_singleton_method(rb_define_module_under(module, "Fork"), "cut", cut, 1);
}
