/* SPDX-License-Identifier: MIT */
/* pool_socket_idle: which sockets could serve somebody new.  All of these block, and no look at them does. */
#include "support.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- two ends, `here` and `there` ---- */

struct ends {
  int here, there;
};

static struct ends unix_ends(int type)
{
  int pair[2];
  assert_int_equal(socketpair(AF_UNIX, type, 0, pair), 0);
  return (struct ends){pair[0], pair[1]};
}

static int inet_socket(int type, struct sockaddr_in *address)
{
  socklen_t size = sizeof *address;
  *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, type, 0);
  assert_true(fd >= 0);
  assert_int_equal(bind(fd, (struct sockaddr *)address, sizeof *address), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)address, &size), 0);
  return fd;
}

static struct ends tcp_ends(void)
{
  struct sockaddr_in address;
  struct ends ends;
  int listener = inet_socket(SOCK_STREAM, &address);
  assert_int_equal(listen(listener, 1), 0);
  ends.here = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(connect(ends.here, (struct sockaddr *)&address, sizeof address), 0);
  ends.there = accept(listener, NULL, NULL);
  assert_true(ends.there >= 0);
  close(listener);
  return ends;
}

static struct ends udp_ends(void)
{
  struct sockaddr_in here, there;
  struct ends ends = {inet_socket(SOCK_DGRAM, &here), inet_socket(SOCK_DGRAM, &there)};
  assert_int_equal(connect(ends.here, (struct sockaddr *)&there, sizeof there), 0);
  assert_int_equal(connect(ends.there, (struct sockaddr *)&here, sizeof here), 0);
  return ends;
}

static void close_ends(struct ends ends)
{
  close(ends.here);
  if (ends.there >= 0)
    close(ends.there);
}

static void close_there(struct ends *ends)
{
  close(ends->there);
  ends->there = -1;
}

/* The next bytes that are sent from there are the last: what follows is a reset. */
static void reset_there(struct ends *ends)
{
  struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  assert_int_equal(setsockopt(ends->there, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
  close_there(ends);
}

static void send_here(struct ends ends, const char *text, size_t size)
{
  assert_int_equal(send(ends.there, text, size, MSG_NOSIGNAL), (ssize_t)size);
}

/* ---- what is expected ---- */

static void is_broken(int fd, int native, const char *message)
{
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(pool_socket_idle(fd), POOL_E_BROKEN);
  assert_int_equal(pool_failure(&error), POOL_E_BROKEN);
  assert_int_equal(error.native, native);
  assert_non_null(strstr(error.message, message));
}

static void is_no_socket(int fd, int native)
{
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(pool_socket_idle(fd), POOL_E_INVALID);
  assert_int_equal(pool_failure(&error), POOL_E_INVALID);
  assert_int_equal(error.native, native);
  assert_non_null(strstr(error.message, "is no socket"));
}

static void counts_and_leaves_what_is_unread(struct ends ends)
{
  char read_back[16] = "";
  assert_int_equal(pool_socket_idle(ends.here), 0);
  assert_int_equal(pool_socket_idle(ends.there), 0);
  send_here(ends, "late", 4);
  wait_until(pool_socket_idle(ends.here) == 4);
  assert_int_equal(pool_socket_idle(ends.here), 4);
  assert_int_equal(pool_socket_idle(ends.there), 0);
  assert_int_equal(recv(ends.here, read_back, 3, 0), 3);
  assert_int_equal(pool_socket_idle(ends.here), 1);
  assert_int_equal(recv(ends.here, read_back + 3, 3, 0), 1);
  assert_string_equal(read_back, "late");
  assert_int_equal(pool_socket_idle(ends.here), 0);
  close_ends(ends);
}

static void test_socket__counts_and_leaves_what_is_unread(void **state)
{
  (void)state;
  counts_and_leaves_what_is_unread(unix_ends(SOCK_STREAM));
  counts_and_leaves_what_is_unread(tcp_ends());
}

static void is_broken_at_the_end_of_file(struct ends ends)
{
  close_there(&ends);
  wait_until(pool_socket_idle(ends.here) != 0);
  is_broken(ends.here, 0, "closed the connection");
  is_broken(ends.here, 0, "closed the connection");
  close_ends(ends);
}

static void test_socket__is_broken_at_the_end_of_file(void **state)
{
  (void)state;
  is_broken_at_the_end_of_file(unix_ends(SOCK_STREAM));
  is_broken_at_the_end_of_file(unix_ends(SOCK_SEQPACKET));
  is_broken_at_the_end_of_file(tcp_ends());
}

/* The other side would still listen, but will never say anything. */
static void is_broken_when_half_closed(struct ends ends)
{
  assert_int_equal(shutdown(ends.there, SHUT_WR), 0);
  wait_until(pool_socket_idle(ends.here) != 0);
  is_broken(ends.here, 0, "closed the connection");
  assert_int_equal(pool_socket_idle(ends.there), 0);
  close_ends(ends);
}

static void test_socket__is_broken_when_half_closed(void **state)
{
  (void)state;
  is_broken_when_half_closed(unix_ends(SOCK_STREAM));
  is_broken_when_half_closed(tcp_ends());
}

/* The last words are counted, and behind them is the end. */
static void last_words_are_unread(struct ends ends)
{
  char words[8];
  send_here(ends, "bye", 3);
  close_there(&ends);
  wait_until(pool_socket_idle(ends.here) == 3);
  assert_int_equal(recv(ends.here, words, sizeof words, 0), 3);
  wait_until(pool_socket_idle(ends.here) != 0);
  is_broken(ends.here, 0, "closed the connection");
  close_ends(ends);
}

static void test_socket__last_words_are_unread(void **state)
{
  (void)state;
  last_words_are_unread(unix_ends(SOCK_STREAM));
  last_words_are_unread(tcp_ends());
}

/* The error is told once, with its number, and broken it stays. */
static void test_socket__is_broken_by_a_reset(void **state)
{
  (void)state;
  struct ends ends = tcp_ends();
  assert_int_equal(pool_socket_idle(ends.here), 0);
  reset_there(&ends);
  is_broken(ends.here, ECONNRESET, strerror(ECONNRESET));
  assert_int_equal(pool_socket_idle(ends.here), POOL_E_BROKEN);
  close_ends(ends);

  ends = tcp_ends();
  send_here(ends, "late", 4);
  wait_until(pool_socket_idle(ends.here) == 4);
  reset_there(&ends);
  is_broken(ends.here, ECONNRESET, strerror(ECONNRESET));
  close_ends(ends);

  /* What was sent and will never be read. */
  ends = unix_ends(SOCK_STREAM);
  assert_int_equal(send(ends.here, "ask", 3, 0), 3);
  close_there(&ends);
  is_broken(ends.here, ECONNRESET, strerror(ECONNRESET));
  assert_int_equal(pool_socket_idle(ends.here), POOL_E_BROKEN);
  close_ends(ends);
}

static void a_datagram_is_unread_though_empty(struct ends ends)
{
  char text[8];
  assert_int_equal(pool_socket_idle(ends.here), 0);
  send_here(ends, "", 0);
  wait_until(pool_socket_idle(ends.here) != 0);
  assert_int_equal(pool_socket_idle(ends.here), 1);
  assert_int_equal(recv(ends.here, text, sizeof text, MSG_DONTWAIT), 0);
  assert_int_equal(pool_socket_idle(ends.here), 0);
  send_here(ends, "late", 4);
  wait_until(pool_socket_idle(ends.here) != 0);
  assert_int_equal(pool_socket_idle(ends.here), 4);
  close_ends(ends);
}

static void test_socket__a_datagram_is_unread_though_empty(void **state)
{
  (void)state;
  a_datagram_is_unread_though_empty(unix_ends(SOCK_DGRAM));
  a_datagram_is_unread_though_empty(udp_ends());
}

/* Nobody is there any more, and the answer to our datagram says so. */
static void test_socket__is_broken_by_a_refused_datagram(void **state)
{
  (void)state;
  struct ends ends = udp_ends();
  close_there(&ends);
  assert_int_equal(send(ends.here, "ask", 3, 0), 3);
  is_broken(ends.here, ECONNREFUSED, strerror(ECONNREFUSED));
  close_ends(ends);
}

/* Sends until no more fits. */
static int64_t fill(struct ends ends)
{
  static char much[1 << 20];
  int64_t sent = 0;
  for (ssize_t now; (now = send(ends.there, much, sizeof much, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0;)
    sent += now;
  assert_true(errno == EAGAIN || errno == EWOULDBLOCK);
  return sent;
}

static void test_socket__counts_all_that_a_buffer_holds(void **state)
{
  (void)state;
  struct ends ends = unix_ends(SOCK_STREAM);
  int64_t sent = fill(ends);
  assert_true(sent > 10000);
  assert_int_equal(pool_socket_idle(ends.here), sent);
  close_ends(ends);

  /* Of what TCP took, some is still on the other side; what has come is what the system counts. */
  ends = tcp_ends();
  sent = fill(ends);
  int before, after;
  int64_t unread;
  do {
    assert_int_equal(ioctl(ends.here, FIONREAD, &before), 0);
    unread = pool_socket_idle(ends.here);
    assert_int_equal(ioctl(ends.here, FIONREAD, &after), 0);
  } while (before != after);
  assert_int_equal(unread, before);
  assert_true(unread > 10000 && unread <= sent);
  close_ends(ends);
}

static void test_socket__is_broken_when_not_connected(void **state)
{
  (void)state;
  struct sockaddr_in address;
  int listener = inet_socket(SOCK_STREAM, &address);
  is_broken(listener, ENOTCONN, "not connected");
  assert_int_equal(listen(listener, 1), 0);
  is_broken(listener, ENOTCONN, "not connected");
  close(listener);

  struct sockaddr_un nowhere = {.sun_family = AF_UNIX};
  listener = socket(AF_UNIX, SOCK_STREAM, 0);
  is_broken(listener, ENOTCONN, "not connected");
  assert_int_equal(bind(listener, (struct sockaddr *)&nowhere, sizeof(sa_family_t)), 0); /* the system finds a name */
  assert_int_equal(listen(listener, 1), 0);
  is_broken(listener, ENOTCONN, "not connected");
  close(listener);

  int datagrams = inet_socket(SOCK_DGRAM, &address);
  is_broken(datagrams, ENOTCONN, "not connected");
  close(datagrams);
}

static void test_socket__refuses_what_is_no_socket(void **state)
{
  (void)state;
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  is_no_socket(ends[0], ENOTSOCK);
  is_no_socket(ends[1], ENOTSOCK);
  close(ends[0]);
  close(ends[1]);
  is_no_socket(ends[0], EBADF);
  is_no_socket(-1, EBADF);
  is_no_socket(INT32_MAX, EBADF);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_socket__counts_and_leaves_what_is_unread),
      cmocka_unit_test(test_socket__is_broken_at_the_end_of_file),
      cmocka_unit_test(test_socket__is_broken_when_half_closed),
      cmocka_unit_test(test_socket__last_words_are_unread),
      cmocka_unit_test(test_socket__is_broken_by_a_reset),
      cmocka_unit_test(test_socket__a_datagram_is_unread_though_empty),
      cmocka_unit_test(test_socket__is_broken_by_a_refused_datagram),
      cmocka_unit_test(test_socket__counts_all_that_a_buffer_holds),
      cmocka_unit_test(test_socket__is_broken_when_not_connected),
      cmocka_unit_test(test_socket__refuses_what_is_no_socket),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
