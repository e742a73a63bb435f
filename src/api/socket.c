/* SPDX-License-Identifier: MIT */
/*
 * Whether a socket could serve somebody new.
 *
 * A program that reads an answer cannot tell whose question it answers.  So whatever waits to be read, an end of file
 * among it, is one user's leftover and nobody else's beginning.
 *
 * All looks are at the socket's state or peek, and none waits: the bytes stay for a reader that may still want them.
 * Only a pending error is taken, for it can be learned in no other way; the next look then finds the end of file.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <pool/pool.h>

#include "base/error.h"
#include "base/thread.h"

static bool read_option(int fd, int option, int *value)
{
  socklen_t size = sizeof *value;
  return getsockopt(fd, SOL_SOCKET, option, value, &size) == 0;
}

/* Asked aside, because an unconnected stream reads like an end of file and a listening one like an error. */
static bool is_connected(int fd)
{
  struct sockaddr_storage peer;
  socklen_t size = sizeof peer;
  return getpeername(fd, (struct sockaddr *)&peer, &size) == 0 || errno != ENOTCONN;
}

/* At least what was seen: another thread may read meanwhile, and not every kind of socket can count. */
static int64_t count_unread(int fd, ssize_t seen)
{
  int count = 0;
  return ioctl(fd, FIONREAD, &count) == 0 && count > seen ? count : seen;
}

static int failed(int error)
{
  return error_set(NULL, POOL_E_BROKEN, error, "the socket has failed: %s", strerror(error));
}

/* Nothing was read, and it is no error: a stream ends like that, but a datagram may well be empty. */
static int64_t empty(int type)
{
  if (type == SOCK_STREAM || type == SOCK_SEQPACKET)
    return error_set(NULL, POOL_E_BROKEN, 0, "the other side has closed the connection");
  return 1;
}

static int64_t look(int fd)
{
  int type, error;
  char byte;
  if (!read_option(fd, SO_TYPE, &type) || !read_option(fd, SO_ERROR, &error))
    return error_set(NULL, POOL_E_INVALID, errno, "descriptor %d is no socket: %s", fd, strerror(errno));
  if (error)
    return failed(error);
  if (!is_connected(fd))
    return error_set(NULL, POOL_E_BROKEN, ENOTCONN, "the socket is not connected");
  ssize_t seen = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (seen > 0)
    return count_unread(fd, seen);
  if (seen == 0)
    return empty(type);
  return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : failed(errno);
}

int64_t pool_socket_idle(int fd)
{
  int cancel_state = cancel_hold();
  int64_t result = look(fd);
  cancel_release(cancel_state);
  return result;
}
