/* SPDX-License-Identifier: MIT */
#include "mysql/limit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "mysql/progress.h"
#include "support/deadline.h"

#define LONG_SLICE_NS  INT64_C(50000000)
#define SHORT_SLICE_NS INT64_C(1000000)

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

/* OpenSSL asks for no wait where the thread has an error already, whoever left it; and the library forgets none. */
void limit_expect_tls(MYSQL *mysql)
{
  ERR_clear_error();
  limit.tls = true;
  set_blocking(mysql, false);
}

bool limit_end(MYSQL *mysql)
{
  limit.under_way = false;
  if (limit.tls)
    ERR_clear_error();
  if (limit.tls && mysql)
    set_blocking(mysql, true);
  return limit.passed;
}

bool limit_is_past(void)
{
  return deadline_is_past(limit.deadline_ns);
}

static int give_up(void)
{
  limit.passed = true;
  errno = ETIMEDOUT;
  return 0;
}

/* How long to wait for reading only, where the wait could be meant for writing. */
static int64_t slice_of(my_socket descriptor)
{
  int unsent = 0;
  bool known = ioctl(descriptor, SIOCOUTQ, &unsent) == 0;
  return known && unsent == 0 ? LONG_SLICE_NS : SHORT_SLICE_NS;
}

/* Under TLS the library asks to wait for reading where OpenSSL wants to write.  A full socket is waited for in both
   directions.  One that has room is most likely to be read from; but it may have been full a moment ago, all the more
   where something is still unsent.  So that wait ends after a while, and the library tries again. */
static int wait_for_tls(my_socket descriptor)
{
  bool is_full = deadline_wait_ready(descriptor, POLLOUT, 0) == EXPIRED;
  int64_t until_ns = is_full ? limit.deadline_ns : deadline_clock() + slice_of(descriptor);
  if (deadline_is_past(limit.deadline_ns))
    return give_up();
  if (until_ns > limit.deadline_ns)
    until_ns = limit.deadline_ns;
  return deadline_wait_ready(descriptor, is_full ? POLLIN | POLLOUT : POLLIN, until_ns) == FAILED ? 0 : 1;
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
  if (is_read)
    progress_read();
  enum outcome outcome = deadline_wait_ready(descriptor, events, limit.deadline_ns);
  return outcome == OK ? 1 : outcome == EXPIRED ? give_up() : 0;
}
