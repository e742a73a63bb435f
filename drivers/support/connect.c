/* SPDX-License-Identifier: MIT */
#include "support/connect.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "support/deadline.h"
#include "support/disconnect.h"
#include "support/failure.h"
#include "support/lookup.h"
#include "support/phase.h"

static int say_not_connected(const struct address *address, int number, int64_t deadline_ns, pool_error_t *error)
{
  const char *where = address->is_unix ? address->path : address->host;
  const char *colon = address->is_unix ? "" : ":";
  int code = number == ENOMEM                                       ? POOL_E_NOMEM
             : number == ETIMEDOUT && deadline_is_past(deadline_ns) ? POOL_E_TIMEOUT
                                                                    : POOL_E_OPEN;
  return failure_set(error, code, number, "connecting to %.100s%s%s: %s", where, colon, address->port,
                     strerror(number));
}

/* Waits for the end of a connect() that did not finish at once.  Returns 0 or its error. */
static int finish_connect(int descriptor, int64_t deadline_ns)
{
  int number = 0;
  socklen_t size = sizeof number;
  enum outcome outcome = deadline_wait_ready(descriptor, POLLOUT, deadline_ns);
  if (outcome == EXPIRED)
    return ETIMEDOUT;
  if (outcome == FAILED || getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &number, &size) != 0)
    return errno;
  return number;
}

/* Whether the socket is connected to itself.  That happens when the system gives it the very port that it connects to,
   and no server listens there. */
static bool is_own_peer(int descriptor)
{
  struct sockaddr_storage own = {0}, peer = {0};
  socklen_t own_size = sizeof own, peer_size = sizeof peer;
  return getsockname(descriptor, (struct sockaddr *)&own, &own_size) == 0 &&
         getpeername(descriptor, (struct sockaddr *)&peer, &peer_size) == 0 && own_size == peer_size &&
         memcmp(&own, &peer, own_size) == 0;
}

/* Returns 0 or why it failed. */
static int connect_tcp_to(const struct addrinfo *info, int64_t deadline_ns, int *descriptor)
{
  int on = 1;
  int made = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, info->ai_protocol);
  if (made < 0)
    return errno;
  int number = connect(made, info->ai_addr, info->ai_addrlen) == 0 ? 0 : errno;
  if (number == EINPROGRESS || number == EINTR)
    number = finish_connect(made, deadline_ns);
  if (number == 0 && is_own_peer(made))
    number = ECONNREFUSED;
  if (number) {
    disconnect(made);
    return number;
  }
  setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(made, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  *descriptor = made;
  return 0;
}

static void say_phase(const struct addrinfo *info)
{
  char digits[64], port[8];
  if (getnameinfo(info->ai_addr, info->ai_addrlen, digits, sizeof digits, port, sizeof port,
                  NI_NUMERICHOST | NI_NUMERICSERV) == 0)
    phase_connect(digits, port);
}

/* Tries one of several addresses.  Returns 0 or why it failed. */
static int try_address(const struct addrinfo *info, int64_t deadline_ns, int *descriptor)
{
  say_phase(info);
  int number = connect_tcp_to(info, deadline_ns, descriptor);
  if (number && info->ai_next)
    pool_phase(NULL, strerror(number));
  return number;
}

static int connect_tcp(const struct address *address, int64_t deadline_ns, int *descriptor, pool_error_t *error)
{
  struct addrinfo *found;
  int code = lookup_name(address, deadline_ns, &found, error);
  if (code)
    return code;
  size_t left = 0;
  int number = EADDRNOTAVAIL;
  for (const struct addrinfo *info = found; info; info = info->ai_next)
    left++;
  for (const struct addrinfo *info = found; info && number; info = info->ai_next)
    number = try_address(info, deadline_share(deadline_ns, left--), descriptor);
  freeaddrinfo(found);
  return number ? say_not_connected(address, number, deadline_ns, error) : 0;
}

/* A non-blocking connect() to a Unix socket whose queue is full fails at once.  A blocking one waits as long as a send
   may. */
static int connect_unix_in_time(int descriptor, const struct sockaddr_un *name, int64_t deadline_ns)
{
  for (;;) {
    int64_t left_us = deadline_ns == POOL_NO_DEADLINE ? 0 : deadline_left(deadline_ns) / 1000;
    if (deadline_ns != POOL_NO_DEADLINE && left_us == 0)
      return ETIMEDOUT;
    struct timeval timeout = {.tv_sec = left_us / 1000000, .tv_usec = left_us % 1000000};
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    if (connect(descriptor, (const struct sockaddr *)name, sizeof *name) == 0)
      return 0;
    if (errno != EINTR && errno != EAGAIN)
      return errno;
  }
}

static int connect_unix(const struct address *address, int64_t deadline_ns, int *descriptor, pool_error_t *error)
{
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  memcpy(name.sun_path, address->path, sizeof name.sun_path);
  pool_phase("connect", address->path);
  int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int number = made < 0 ? errno : connect_unix_in_time(made, &name, deadline_ns);
  if (number == 0 && fcntl(made, F_SETFL, O_NONBLOCK) != 0)
    number = errno;
  if (number == 0) {
    *descriptor = made;
    return 0;
  }
  if (made >= 0)
    disconnect(made);
  return say_not_connected(address, number, deadline_ns, error);
}

int connect_to(const struct address *address, int64_t deadline_ns, int *descriptor, pool_error_t *error)
{
  return address->is_unix ? connect_unix(address, deadline_ns, descriptor, error)
                          : connect_tcp(address, deadline_ns, descriptor, error);
}
