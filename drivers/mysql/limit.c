/* SPDX-License-Identifier: MIT */
#include "mysql/limit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "support/deadline.h"

#define TLS_SLICE_NS INT64_C(50000000)

static __thread struct {
  bool under_way;
  bool tls;
  bool passed;
  int64_t deadline_ns;
} limit;

static void set_blocking(MYSQL *mysql, bool blocks)
{
  my_socket descriptor = mysql_get_socket(mysql);
  int flags = fcntl(descriptor, F_GETFL);
  if (flags >= 0)
    fcntl(descriptor, F_SETFL, blocks ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

void limit_begin(MYSQL *mysql, int64_t deadline_ns)
{
  limit.under_way = true;
  limit.tls = limit.passed = false;
  limit.deadline_ns = deadline_ns;
  if (mysql_get_ssl_cipher(mysql))
    limit_expect_tls(mysql);
}

void limit_expect_tls(MYSQL *mysql)
{
  limit.tls = true;
  set_blocking(mysql, false);
}

bool limit_end(MYSQL *mysql)
{
  limit.under_way = false;
  if (limit.tls && mysql)
    set_blocking(mysql, true);
  return limit.passed;
}

static int give_up(void)
{
  limit.passed = true;
  errno = ETIMEDOUT;
  return 0;
}

/* Under TLS the library asks to wait for reading where OpenSSL wants to write.  A full socket is waited for in both
   directions then.  One that has room since a moment ago would be waited for in vain, so a wait ends after a while, and
   the library tries again. */
static int wait_for_tls(my_socket descriptor)
{
  int64_t until_ns = deadline_clock() + TLS_SLICE_NS;
  bool has_room = deadline_wait_ready(descriptor, POLLOUT, 0) == OK;
  if (deadline_is_past(limit.deadline_ns))
    return give_up();
  if (until_ns > limit.deadline_ns)
    until_ns = limit.deadline_ns;
  return deadline_wait_ready(descriptor, has_room ? POLLIN : POLLIN | POLLOUT, until_ns) == FAILED ? 0 : 1;
}

static int wait_as_the_library(my_socket descriptor, short events, int timeout_ms)
{
  struct pollfd set = {.fd = descriptor, .events = events};
  int64_t deadline_ns = timeout_ms > 0 ? deadline_clock() + (int64_t)timeout_ms * 1000000 : POOL_NO_DEADLINE;
  int ready;
  do
    ready = poll(&set, 1, deadline_poll_timeout(deadline_ns));
  while (ready < 0 && errno == EINTR);
  if (ready == 0)
    errno = ETIMEDOUT;
  return ready;
}

int limit_wait(my_socket descriptor, my_bool is_read, int timeout_ms)
{
  short events = is_read ? POLLIN : POLLOUT;
  if (!limit.under_way)
    return wait_as_the_library(descriptor, events, timeout_ms);
  if (limit.tls)
    return wait_for_tls(descriptor);
  enum outcome outcome = deadline_wait_ready(descriptor, events, limit.deadline_ns);
  return outcome == OK ? 1 : outcome == EXPIRED ? give_up() : 0;
}
