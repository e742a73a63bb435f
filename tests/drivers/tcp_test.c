/* SPDX-License-Identifier: MIT */
/* The driver tcp: with Redis as a real server, plain, by TLS and on a Unix socket, and with peers that lie. */
#include "support.h"

#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/ssl.h>
#include <pool/driver.h>
#include <pool/tcp.h>

#include "holder.h"
#include "opened.h"
#include "peer_fake.h"
#include "phases.h"
#include "proxy.h"
#include "redis_server.h"

static struct redis server;

static int64_t in_ms(int64_t ms)
{
  return now_ns() + ms * 1000000;
}

/* ---- pools ---- */

static pool_t *pool_at(int port, const char *more)
{
  char url[URL_SIZE];
  url_format(url, "tcp://127.0.0.1:%d%s", port, more);
  return open_pool(url);
}

/* A lease is put, and so many connections are idle then. */
static void put_leaving(pool_t *pool, pool_lease_t lease, size_t idle)
{
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_len(pool), idle);
}

/* A pool gives no connection. */
static void expect_none(pool_t *pool, int64_t timeout_ms, int code, const char *text)
{
  expect_no_lease(pool_get_for(pool, timeout_ms), code, text);
  end_pool(pool);
}

static void expect_call(pool_lease_t lease, const char *bytes, int code, const char *text)
{
  pool_bytes_t reply = {NULL, 0};
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(pool_call(lease, "send", (pool_bytes_t){(char *)bytes, strlen(bytes)}, &reply, &error), code);
  if (code ? !strstr(error.message, text) : strcmp(reply.data, text) != 0)
    fail_msg("%s: '%s' is not in: %s", bytes, text, code ? error.message : (char *)reply.data);
  pool_bytes_free(&reply);
}

static pool_tcp_t *tcp_of(pool_lease_t lease)
{
  return pool_conn(lease);
}

static void write_text(pool_lease_t lease, const char *text)
{
  assert_int_equal(pool_tcp_write(tcp_of(lease), text, strlen(text), in_ms(20000), NULL), 0);
}

/* Reads as many bytes as the text has, and they are the text. */
static void read_text(pool_lease_t lease, const char *text)
{
  char bytes[64] = "";
  for (size_t size = 0; size < strlen(text);) {
    int64_t got = pool_tcp_read(tcp_of(lease), bytes + size, strlen(text) - size, in_ms(20000), NULL);
    assert_true(got > 0);
    size += (size_t)got;
  }
  assert_string_equal(bytes, text);
}

/* The three ways to the server, as the beginning of a URL that has parameters already.  By address: a name would be
   looked up by a thread, and sanitizers do not like threads near a fork. */
static void each_way(int number, char url[URL_SIZE])
{
  if (number == 0)
    url_format(url, "tcp://127.0.0.1:%d?pool.max_open=1&pool.check_after_ms=0", server.port);
  else if (number == 1)
    url_format(url, "unix://%s?pool.max_open=1&pool.check_after_ms=0", server.socket);
  else
    url_format(url, "tls://127.0.0.1:%d?pool.max_open=1&pool.check_after_ms=0&ca=%s", server.tls_port,
               server.certificate);
}

/* ---- bytes ---- */

static void test_tcp__bytes_go_and_come_by_each_way(void **state)
{
  char url[URL_SIZE];
  (void)state;
  for (int i = 0; i < 3; i++) {
    each_way(i, url);
    pool_t *pool = open_pool(url);
    for (int j = 0; j < 3; j++) {
      pool_lease_t lease = get_lease(pool);
      write_text(lease, "PING\r\n");
      read_text(lease, "-NOAUTH Authentication required.\r\n");
      put_leaving(pool, lease, 1);
    }
    assert_int_equal(stats_of(pool).opened, 1);
    assert_int_equal(stats_of(pool).checks, 2);
    end_pool(pool);
  }
}

#define MUCH (1 << 20)

static void test_tcp__more_than_a_socket_holds_goes_and_comes_by_each_way(void **state)
{
  char url[URL_SIZE], *bytes = malloc(MUCH), begin[64], *got = malloc(MUCH);
  (void)state;
  memset(bytes, 'x', MUCH);
  for (int i = 0; i < 3; i++) {
    each_way(i, url);
    pool_t *pool = open_pool(url);
    pool_lease_t lease = get_lease(pool);
    write_text(lease, "AUTH " REDIS_PASSWORD "\r\n");
    read_text(lease, "+OK\r\n");
    snprintf(begin, sizeof begin, "*2\r\n$4\r\nECHO\r\n$%d\r\n", MUCH);
    write_text(lease, begin);
    assert_int_equal(pool_tcp_write(tcp_of(lease), bytes, MUCH, in_ms(20000), NULL), 0);
    write_text(lease, "\r\n");
    snprintf(begin, sizeof begin, "$%d\r\n", MUCH);
    read_text(lease, begin);
    for (size_t size = 0; size < MUCH;) {
      int64_t more = pool_tcp_read(tcp_of(lease), got + size, MUCH - size, in_ms(20000), NULL);
      assert_true(more > 0);
      size += (size_t)more;
    }
    assert_memory_equal(got, bytes, MUCH);
    read_text(lease, "\r\n");
    put_leaving(pool, lease, 1);
    end_pool(pool);
  }
  free(bytes);
  free(got);
}

static void test_tcp__a_socket_tells_when_there_is_something_to_read(void **state)
{
  (void)state;
  pool_t *pool = pool_at(server.port, "");
  pool_lease_t lease = get_lease(pool);
  struct pollfd set = {.fd = pool_tcp_fd(tcp_of(lease)), .events = POLLIN};
  assert_int_equal(poll(&set, 1, 0), 0);
  write_text(lease, "PING\r\n");
  assert_int_equal(poll(&set, 1, 20000), 1);
  read_text(lease, "-NOAUTH Authentication required.\r\n");
  put_leaving(pool, lease, 1);
  assert_int_equal(pool_tcp_fd(NULL), POOL_E_INVALID);
  assert_int_equal(pool_tcp_read(NULL, &set, 1, 0, NULL), POOL_E_INVALID);
  assert_int_equal(pool_tcp_write(NULL, &set, 1, 0, NULL), POOL_E_INVALID);
  end_pool(pool);
}

/* ---- what is not lent again ---- */

static void test_tcp__a_reply_that_nobody_read_reaches_nobody(void **state)
{
  char url[URL_SIZE];
  (void)state;
  for (int i = 0; i < 3; i++) {
    each_way(i, url);
    pool_t *pool = open_pool(url);
    pool_lease_t lease = get_lease(pool);
    struct pollfd set = {.fd = pool_tcp_fd(tcp_of(lease)), .events = POLLIN};
    write_text(lease, "PING\r\nPING\r\n");
    read_text(lease, "-NOAUTH Authentication required.\r\n"); /* by TLS the other may be in a buffer now */
    if (i < 2)
      assert_int_equal(poll(&set, 1, 20000), 1);
    else
      read_text(lease, "-");
    put_leaving(pool, lease, 0);
    end_pool(pool);
  }
}

static void test_tcp__a_read_that_was_given_up_ends_the_connection(void **state)
{
  char byte;
  struct proxy proxy;
  (void)state;
  proxy_start(&proxy, server.port);
  pool_t *pool = pool_at(proxy.port, "?pool.max_open=1");
  pool_lease_t lease = get_lease(pool);
  proxy_do(&proxy, PROXY_HOLD);
  write_text(lease, "PING\r\n");
  assert_int_equal(pool_tcp_read(tcp_of(lease), &byte, 1, in_ms(20), NULL), POOL_E_TIMEOUT);
  put_leaving(pool, lease, 0);
  proxy_do(&proxy, PROXY_PASS);
  lease = get_lease(pool);
  proxy_do(&proxy, PROXY_HOLD);
  write_text(lease, "PING\r\n");
  assert_int_equal(pool_tcp_read(tcp_of(lease), &byte, 1, 0, NULL), POOL_E_TIMEOUT);
  assert_int_equal(pool_tcp_read(tcp_of(lease), &byte, 1, INT64_MIN, NULL), POOL_E_TIMEOUT);
  proxy_do(&proxy, PROXY_DRIP);
  read_text(lease, "-NOAUTH Authentication required.\r\n"); /* it came after all */
  put_leaving(pool, lease, 1);
  end_pool(pool);
  proxy_end(&proxy);
}

static void test_tcp__a_write_that_was_given_up_ends_the_connection(void **state)
{
  char *bytes = calloc(1, 8 * MUCH);
  pool_error_t error = POOL_ERROR_INIT;
  char url[URL_SIZE];
  (void)state;
  for (int i = 0; i < 3; i++) {
    each_way(i, url);
    pool_t *pool = open_pool(url);
    pool_lease_t lease = get_lease(pool);
    server_freeze(&server.server);
    assert_int_equal(pool_tcp_write(tcp_of(lease), bytes, 8 * MUCH, in_ms(50), &error), POOL_E_TIMEOUT);
    server_thaw(&server.server);
    assert_int_equal(pool_tcp_write(tcp_of(lease), bytes, 1, in_ms(20000), &error), POOL_E_BROKEN);
    put_leaving(pool, lease, 0);
    end_pool(pool);
  }
  free(bytes);
}

static void test_tcp__the_end_of_the_stream_ends_the_connection(void **state)
{
  char byte, url[URL_SIZE];
  (void)state;
  for (int i = 0; i < 3; i++) {
    each_way(i, url);
    pool_t *pool = open_pool(url);
    pool_lease_t lease = get_lease(pool);
    write_text(lease, "QUIT\r\n");
    read_text(lease, "+OK\r\n");
    assert_int_equal(pool_tcp_read(tcp_of(lease), &byte, 1, in_ms(20000), NULL), 0);
    put_leaving(pool, lease, 0);
    end_pool(pool);
  }
}

static void test_tcp__a_check_finds_that_the_server_has_closed(void **state)
{
  char url[URL_SIZE];
  (void)state;
  for (int i = 0; i < 3; i++) {
    each_way(i, url);
    pool_t *pool = open_pool(url);
    put_leaving(pool, get_lease(pool), 1);
    server_kill(&server.server);
    redis_start(&server);
    put_leaving(pool, get_lease(pool), 1);
    assert_int_equal(stats_of(pool).check_failures, 1);
    assert_int_equal(stats_of(pool).opened, 2);
    end_pool(pool);
  }
}

static void test_tcp__a_write_to_a_server_that_has_gone_raises_no_signal(void **state)
{
  char url[URL_SIZE];
  (void)state;
  for (int i = 0; i < 3; i++) {
    int code = 0;
    each_way(i, url);
    pool_t *pool = open_pool(url);
    pool_lease_t lease = get_lease(pool);
    server_kill(&server.server);
    while (code == 0)
      code = pool_tcp_write(tcp_of(lease), "PING\r\n", 6, in_ms(20000), NULL);
    assert_int_equal(code, POOL_E_BROKEN);
    redis_start(&server);
    put_leaving(pool, lease, 0);
    end_pool(pool);
  }
}

static void test_tcp__a_part_of_a_record_of_tls_is_no_silence(void **state)
{
  char url[URL_SIZE];
  struct proxy proxy;
  (void)state;
  proxy_start(&proxy, server.tls_port);
  url_format(url, "tls://127.0.0.1:%d?ca=%s", proxy.port, server.certificate);
  pool_t *pool = open_pool(url);
  pool_lease_t lease = get_lease(pool);
  struct pollfd set = {.fd = pool_tcp_fd(tcp_of(lease)), .events = POLLIN};
  write_text(lease, "PING\r\n");
  read_text(lease, "-NOAUTH Authentication required.\r\n"); /* and what TLS sends on its own */
  proxy_do(&proxy, PROXY_DRIP);
  write_text(lease, "PING\r\n");
  assert_int_equal(poll(&set, 1, 20000), 1);
  proxy_do(&proxy, PROXY_HOLD);
  put_leaving(pool, lease, 0);
  end_pool(pool);
  proxy_end(&proxy);
}

/* ---- opening ---- */

static void test_tcp__an_open_ends_at_the_deadline(void **state)
{
  char url[URL_SIZE];
  (void)state;
  server_freeze(&server.server);
  url_format(url, "tls://127.0.0.1:%d?verify=none", server.tls_port);
  expect_none(open_pool(url), 50, POOL_E_TIMEOUT, "deadline");
  server_thaw(&server.server);
  url_format(url, "tcp://127.0.0.1:%d", server_free_port());
  expect_none(open_pool(url), 20000, POOL_E_OPEN, "Connection refused");
  expect_none(open_pool("unix:///no/such/socket"), 20000, POOL_E_OPEN, "No such file");
  expect_none(open_pool("tcp://no-such-host.invalid:1"), 20000, POOL_E_OPEN, "no-such-host.invalid");
}

static void test_tcp__an_open_says_its_phases(void **state)
{
  char url[URL_SIZE];
  (void)state;
  url_format(url, "unix://%s", server.socket);
  phases_expect(url, "connect");
  url_format(url, "tls://127.0.0.1:%d,127.0.0.1:%d?ca=%s", server_free_port(), server.tls_port, server.certificate);
  phases_expect(url, "connect! connect tls");
  url_format(url, "tls://127.0.0.1:%d?ca=%s", server.tls_port, server.other);
  phases_expect_check(url, "prepare connect tls! open!");
  url_format(url, "tls://127.0.0.1:%d?verify=none", server.tls_port);
  server_freeze(&server.server);
  phases_expect_late(url, "TLS handshake: the deadline passed");
  server_thaw(&server.server);
}

static void test_tcp__a_handshake_with_one_that_knows_no_tls_fails(void **state)
{
  static const char *const answers[] = {"HTTP/1.1 400 Bad Request\r\n\r\n", "\x15\x03\x03\xff\xff", ""};
  (void)state;
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    char url[URL_SIZE];
    struct peer peer = {.answers = {answers[i]}, .closes = true};
    peer_start(&peer);
    url_format(url, "tls://127.0.0.1:%d?verify=none", peer.port);
    expect_none(open_pool(url), 20000, POOL_E_OPEN, "TLS handshake");
    peer_end(&peer);
  }
}

static void test_tcp__the_next_server_is_taken_when_one_is_away_or_not_trusted(void **state)
{
  char url[URL_SIZE];
  (void)state;
  url_format(url, "tcp://127.0.0.1:%d,[::1]:%d,127.0.0.1:%d", server_free_port(), server_free_port(), server.port);
  pool_t *pool = open_pool(url);
  put_leaving(pool, get_lease(pool), 1);
  end_pool(pool);
  struct peer peer = {.answers = {"no"}, .closes = true};
  peer_start(&peer);
  url_format(url, "tls://127.0.0.1:%d,127.0.0.1:%d?ca=%s", peer.port, server.tls_port, server.certificate);
  pool = open_pool(url);
  put_leaving(pool, get_lease(pool), 1);
  end_pool(pool);
  url_format(url, "tls://127.0.0.1:%d,127.0.0.1:%d?ca=%s", peer.port, server.tls_port, server.other);
  expect_none(open_pool(url), 20000, POOL_E_OPEN, "TLS handshake: certificate verify failed");
  peer_end(&peer);
  struct peer mute = {.answers = {NULL}};
  peer_start(&mute);
  url_format(url, "tls://127.0.0.1:%d,127.0.0.1:%d?ca=%s", mute.port, server.tls_port, server.certificate);
  pool = open_pool(url);
  pool_lease_t lease = pool_get_for(pool, 2000); /* one second is the first one's share */
  assert_true(lease > 0);
  put_leaving(pool, lease, 1);
  end_pool(pool);
  peer_end(&mute);
}

static void test_tcp__a_client_certificate_is_shown(void **state)
{
  char url[URL_SIZE], key[128];
  struct redis strict = {.settings = {"--tls-auth-clients", "yes"}};
  (void)state;
  redis_make(&strict);
  snprintf(key, sizeof key, "%s/key.pem", strict.server.folder);
  url_format(url, "tls://localhost:%d?ca=%s&cert=%s&key=%s&reply_until=%%0A", strict.tls_port, strict.certificate,
             strict.certificate, key);
  pool_t *pool = open_pool(url);
  pool_lease_t lease = get_lease(pool);
  expect_call(lease, "PING\r\n", 0, "-NOAUTH Authentication required.\r");
  put_leaving(pool, lease, 1);
  end_pool(pool);
  url_format(url, "tls://localhost:%d?ca=%s&reply_until=%%0A", strict.tls_port, strict.certificate);
  pool = open_pool(url);
  lease = pool_get_for(pool, 20000); /* in TLS 1.3 the client is done before the server has looked */
  if (lease > 0) {
    expect_call(lease, "PING\r\n", POOL_E_BROKEN, "");
    put_leaving(pool, lease, 0);
  }
  end_pool(pool);
  redis_remove(&strict);
}

static void test_tcp__a_wrong_url_says_what_is_wrong(void **state)
{
  static const struct {
    const char *url, *text;
  } rows[] = {
      {"tcp://h", "the port is missing"},
      {"tcp:///x", "nothing follows the port"},
      {"tcp://", "the host is missing: tcp://HOST:PORT"},
      {"tcp://h:1/x", "nothing follows the port"},
      {"tcp://u:p@h:1", "no user and no password"},
      {"tcp://h:1?ca=/x", "are for tls://"},
      {"unix://h/x", "three slashes"},
      {"unix://", "three slashes"},
      {"unix:///x?verify=full", "are for tls://"},
      {"tcp://h:1?reply_unitl=x", "did you mean reply_until?"},
      {"tcp://h:1?reply_until=", "reply_until is empty"},
      {"tcp://h:1?reply_until=x&reply_bytes=1", "not both"},
      {"tcp://h:1?reply_bytes=0", "reply_bytes must be a number"},
      {"tcp://h:1?max_reply_bytes=10&reply_bytes=11", "from 1 to 10"},
      {"tcp://h:1?reply_bytes=1&reply_bytes=2", "the URL sets reply_bytes twice"},
      {"tls://h:1?verify=yes", "one of: full, ca, none"},
      {"tls://h:1?cert=/no/file", "the file of parameter cert: No such file"},
      {"tls://h:1?ca=/no/file", "the file of parameter ca: No such file"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    pool_t *pool;
    pool_error_t error = POOL_ERROR_INIT;
    assert_int_equal(pool_open(rows[i].url, &pool, &error), POOL_E_INVALID);
    if (!strstr(error.message, rows[i].text))
      fail_msg("%s: '%s' is not in: %s", rows[i].url, rows[i].text, error.message);
  }
}

/* ---- calls ---- */

static void test_tcp__a_call_reads_up_to_the_end_that_the_url_says(void **state)
{
  (void)state;
  pool_t *pool = pool_at(server.port, "?reply_until=%0D%0A");
  pool_lease_t lease = get_lease(pool);
  expect_call(lease, "PING\r\n", 0, "-NOAUTH Authentication required.");
  expect_call(lease, "AUTH " REDIS_PASSWORD "\r\n", 0, "+OK");
  put_leaving(pool, lease, 1);
  end_pool(pool);
  pool = pool_at(server.port, "?reply_bytes=34");
  lease = get_lease(pool);
  expect_call(lease, "PING\r\n", 0, "-NOAUTH Authentication required.\r\n");
  put_leaving(pool, lease, 1);
  end_pool(pool);
  pool = pool_at(server.port, "");
  lease = get_lease(pool);
  expect_call(lease, "\r\n", 0, "");
  assert_int_equal(pool_call(lease, "other", (pool_bytes_t){NULL, 0}, NULL, NULL), POOL_E_UNSUPPORTED);
  put_leaving(pool, lease, 1);
  end_pool(pool);
}

static void test_tcp__a_late_reply_is_not_that_of_the_next_call(void **state)
{
  struct proxy proxy;
  (void)state;
  proxy_start(&proxy, server.port);
  pool_t *pool = pool_at(proxy.port, "?reply_until=%0D%0A&pool.max_open=1&pool.call_timeout_ms=50");
  pool_lease_t lease = get_lease(pool);
  struct pollfd set = {.fd = pool_tcp_fd(tcp_of(lease)), .events = POLLIN};
  proxy_do(&proxy, PROXY_HOLD);
  expect_call(lease, "PING\r\n", POOL_E_TIMEOUT, "deadline");
  proxy_do(&proxy, PROXY_PASS);
  assert_int_equal(poll(&set, 1, 60000), 1);
  expect_call(lease, "AUTH " REDIS_PASSWORD "\r\n", POOL_E_BROKEN, "the connection broke while it was used");
  put_leaving(pool, lease, 0);
  end_pool(pool);
  proxy_end(&proxy);
}

/* A server may greet: a call without arguments reads that. */
static void test_tcp__what_nobody_asked_for_is_no_reply(void **state)
{
  struct peer peer = {.answers = {"hello\n", "mine\n"}, .at_once = true};
  (void)state;
  peer_start(&peer);
  pool_t *pool = pool_at(peer.port, "?reply_until=%0A&pool.max_open=1");
  for (int i = 0; i < 2; i++) {
    pool_lease_t lease = get_lease(pool);
    struct pollfd set = {.fd = pool_tcp_fd(tcp_of(lease)), .events = POLLIN};
    assert_int_equal(poll(&set, 1, 60000), 1);
    if (i)
      expect_call(lease, "", 0, "hello");
    expect_call(lease, "x\n", i ? 0 : POOL_E_BROKEN, i ? "mine" : "6 bytes are waiting");
    put_leaving(pool, lease, i);
  }
  end_pool(pool);
  peer_end(&peer);
}

/* A call to a peer that says this fails, and its connection is closed. */
static void expect_hostile(struct peer peer, const char *more, int code, const char *text)
{
  peer_start(&peer);
  pool_t *pool = pool_at(peer.port, more);
  pool_lease_t lease = get_lease(pool);
  expect_call(lease, "x", code, text);
  put_leaving(pool, lease, 0);
  end_pool(pool);
  peer_end(&peer);
}

static void test_tcp__hostile_replies_are_limited(void **state)
{
  (void)state;
  expect_hostile((struct peer){.answers = {"aaaaaaaaaaaaaaaaaaaaaaaaaaa"}, .endless = true},
                 "?reply_until=%0A&max_reply_bytes=100000", POOL_E_BROKEN, "longer than max_reply_bytes");
  expect_hostile((struct peer){.answers = {"a\nb\n"}}, "?reply_until=%0A", POOL_E_BROKEN, "2 bytes came behind");
  expect_hostile((struct peer){.answers = {"a"}, .closes = true}, "?reply_until=%0A", POOL_E_BROKEN,
                 "closed the connection within its reply");
  expect_hostile((struct peer){.answers = {"a"}}, "?reply_until=%0A&pool.call_timeout_ms=20", POOL_E_TIMEOUT,
                 "deadline");
  expect_hostile((struct peer){.answers = {"a"}}, "?reply_bytes=2&pool.call_timeout_ms=20", POOL_E_TIMEOUT, "deadline");
}

/* By the driver itself, for a pool gives a call no deadline that is past.  Without arguments nothing is sent. */
static void expect_pushed(int listener, int port, const char *end)
{
  char url[URL_SIZE];
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  pool_bytes_t none = {NULL, 0}, reply = {NULL, 0};
  void *context, *conn;
  url_format(url, "tcp://127.0.0.1:%d?%s", port, end);
  assert_int_equal(pool_driver_prepare("tcp", url, &vtable, &context, &error), 0);
  assert_int_equal(vtable.open(context, in_ms(20000), &conn, &error), 0);
  int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  assert_int_equal(send(peer, "pushed\n", 7, 0), 7);
  struct pollfd set = {.fd = pool_tcp_fd(conn), .events = POLLIN};
  assert_int_equal(poll(&set, 1, 20000), 1);
  assert_int_equal(vtable.call(context, conn, "send", none, &reply, 1, &error), 0);
  assert_memory_equal(reply.data, "pushed", 6);
  assert_int_equal(vtable.check(context, conn, in_ms(20000), &error), 0);
  pool_bytes_free(&reply);
  vtable.close(context, conn, &error);
  vtable.release(context);
  close(peer);
}

static void test_tcp__a_reply_that_is_there_is_given_though_the_deadline_has_passed(void **state)
{
  int port, listener = listen_locally(5, &port);
  (void)state;
  expect_pushed(listener, port, "reply_until=%0A");
  expect_pushed(listener, port, "reply_bytes=7");
  close(listener);
}

/* ---- TLS ---- */

/* A process has some hundred numbers for the kinds of BIOs. */
static void test_tcp__pools_by_tls_share_a_kind_of_bio(void **state)
{
  char url[URL_SIZE];
  (void)state;
  url_format(url, "tls://127.0.0.1:%d?verify=none", server.tls_port);
  end_pool(open_pool(url));
  int number = BIO_get_new_index();
  for (int i = 0; i < 3; i++)
    end_pool(open_pool(url));
  assert_int_equal(BIO_get_new_index(), number + 1);
}

/* A server that is a TLS session of the test's own. */
struct session {
  int listener, port;
  SSL_CTX *context;
  SSL *ssl;
};

static void *session_accept(void *data)
{
  struct session *session = data;
  int descriptor = accept4(session->listener, NULL, NULL, SOCK_CLOEXEC);
  session->ssl = SSL_new(session->context);
  must(descriptor >= 0 && session->ssl);
  must(SSL_set_fd(session->ssl, descriptor) == 1 && SSL_accept(session->ssl) == 1);
  return NULL;
}

/* Opens a pool that is connected with the session, and gives a lease.  There will be no other connection. */
static pool_lease_t session_begin(struct session *session, pool_t **pool)
{
  char url[URL_SIZE], key[128];
  snprintf(key, sizeof key, "%s/key.pem", server.server.folder);
  session->listener = listen_locally(5, &session->port);
  session->context = SSL_CTX_new(TLS_server_method());
  assert_int_equal(SSL_CTX_use_certificate_file(session->context, server.certificate, SSL_FILETYPE_PEM), 1);
  assert_int_equal(SSL_CTX_use_PrivateKey_file(session->context, key, SSL_FILETYPE_PEM), 1);
  url_format(url, "tls://127.0.0.1:%d?verify=none&pool.max_open=1&pool.check_after_ms=0", session->port);
  *pool = open_pool(url);
  pthread_t thread = thread_start(session_accept, session);
  pool_lease_t lease = get_lease(*pool);
  thread_end(thread);
  close(session->listener);
  return lease;
}

static void session_end(struct session *session, pool_t *pool)
{
  end_pool(pool);
  close(SSL_get_fd(session->ssl));
  SSL_free(session->ssl);
  SSL_CTX_free(session->context);
}

/* Sends so many messages of TLS itself, and then a text; returns when all is at the other side. */
static void session_send(struct session *session, int messages, const char *text)
{
  int unsent;
  for (int i = 0; i < messages; i++) {
    assert_int_equal(SSL_key_update(session->ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
    assert_int_equal(SSL_do_handshake(session->ssl), 1);
  }
  assert_true(!*text || SSL_write(session->ssl, text, (int)strlen(text)) > 0);
  wait_until(ioctl(SSL_get_fd(session->ssl), SIOCOUTQ, &unsent) == 0 && unsent == 0);
}

#define FEW  3
#define MANY 500

static void test_tcp__messages_of_tls_itself_keep_no_read_beyond_its_deadline(void **state)
{
  struct session session;
  pool_t *pool;
  char byte;
  (void)state;
  pool_lease_t lease = session_begin(&session, &pool);
  session_send(&session, FEW, "a");
  assert_int_equal(pool_tcp_read(tcp_of(lease), &byte, 1, 0, NULL), 1);
  session_send(&session, MANY, "b");
  assert_int_equal(pool_tcp_read(tcp_of(lease), &byte, 1, 0, NULL), POOL_E_TIMEOUT);
  assert_int_equal(pool_tcp_read(tcp_of(lease), &byte, 1, in_ms(20000), NULL), 1);
  assert_int_equal(byte, 'b');
  put_leaving(pool, lease, 1);
  session_end(&session, pool);
}

static void test_tcp__a_check_looks_behind_few_messages_of_tls_itself(void **state)
{
  struct session session;
  pool_t *pool;
  (void)state;
  for (int i = 0; i < 3; i++) {
    pool_lease_t lease = session_begin(&session, &pool);
    put_leaving(pool, lease, 1);
    session_send(&session, i == 2 ? MANY : FEW, i == 1 ? "late" : "");
    if (i == 0)
      put_leaving(pool, get_lease(pool), 1);
    else
      expect_no_lease(pool_get(pool), POOL_E_OPEN, "refused");
    assert_int_equal(pool_len(pool), i == 0);
    session_end(&session, pool);
  }
}

/* OpenSSL's allocations fail in a thread that says so. */
static _Thread_local bool memory_fails;

static void *ssl_malloc(size_t size, const char *file, int line)
{
  (void)file, (void)line;
  return memory_fails ? NULL : malloc(size);
}

static void *ssl_realloc(void *memory, size_t size, const char *file, int line)
{
  (void)file, (void)line;
  return memory_fails ? NULL : realloc(memory, size);
}

static void ssl_free(void *memory, const char *file, int line)
{
  (void)file, (void)line;
  free(memory);
}

/* Not that memory is short, which would mean that nothing was sent. */
static void test_tcp__a_session_that_fails_for_lack_of_memory_is_broken(void **state)
{
  struct session session;
  pool_t *pool;
  char byte;
  pool_error_t error = POOL_ERROR_INIT;
  (void)state;
  pool_lease_t lease = session_begin(&session, &pool);
  session_send(&session, FEW, "a");
  memory_fails = true;
  int64_t got = pool_tcp_read(tcp_of(lease), &byte, 1, in_ms(20000), &error);
  memory_fails = false;
  assert_int_equal(got, POOL_E_BROKEN);
  assert_int_equal(error.code, POOL_E_BROKEN);
  assert_non_null(strstr(error.message, "malloc failure"));
  put_leaving(pool, lease, 0);
  session_end(&session, pool);
}

/* ---- forks ---- */

static void test_tcp__a_child_has_connections_of_its_own(void **state)
{
  char url[URL_SIZE];
  (void)state;
  for (int i = 0; i < 3; i += 2) {
    int status;
    each_way(i, url);
    pool_t *pool = open_pool(url);
    pool_lease_t lease = get_lease(pool);
    write_text(lease, "PING\r\n");
    thread_count_at_rest();
    pid_t child = fork();
    if (child == 0) {
      pool_lease_t own = pool_get_for(pool, 20000);
      _exit(own > 0 && pool_tcp_write(tcp_of(own), "PING\r\n", 6, in_ms(20000), NULL) == 0 && pool_put(own) == 0 ? 0
                                                                                                                 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    read_text(lease, "-NOAUTH Authentication required.\r\n");
    put_leaving(pool, lease, 1);
    end_pool(pool);
  }
}

static void test_tcp__the_server_sees_the_end_though_a_child_has_a_copy(void **state)
{
  struct holder holder;
  int port, listener = listen_locally(5, &port);
  (void)state;
  pool_t *pool = pool_at(port, "");
  put_lease(get_lease(pool));
  int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  holder_start(&holder);
  end_pool(pool);
  assert_true(holder_sees_end(peer));
  holder_end(&holder);
  close(peer);
  close(listener);
}

/* ---- all of them ---- */

static int start_server(void **state)
{
  (void)state;
  redis_make(&server);
  return 0;
}

static int end_server(void **state)
{
  (void)state;
  redis_remove(&server);
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tcp__bytes_go_and_come_by_each_way),
      cmocka_unit_test(test_tcp__more_than_a_socket_holds_goes_and_comes_by_each_way),
      cmocka_unit_test(test_tcp__a_socket_tells_when_there_is_something_to_read),
      cmocka_unit_test(test_tcp__a_reply_that_nobody_read_reaches_nobody),
      cmocka_unit_test(test_tcp__a_read_that_was_given_up_ends_the_connection),
      cmocka_unit_test(test_tcp__a_write_that_was_given_up_ends_the_connection),
      cmocka_unit_test(test_tcp__the_end_of_the_stream_ends_the_connection),
      cmocka_unit_test(test_tcp__a_check_finds_that_the_server_has_closed),
      cmocka_unit_test(test_tcp__a_write_to_a_server_that_has_gone_raises_no_signal),
      cmocka_unit_test(test_tcp__a_part_of_a_record_of_tls_is_no_silence),
      cmocka_unit_test(test_tcp__an_open_ends_at_the_deadline),
      cmocka_unit_test(test_tcp__an_open_says_its_phases),
      cmocka_unit_test(test_tcp__a_handshake_with_one_that_knows_no_tls_fails),
      cmocka_unit_test(test_tcp__the_next_server_is_taken_when_one_is_away_or_not_trusted),
      cmocka_unit_test(test_tcp__a_client_certificate_is_shown),
      cmocka_unit_test(test_tcp__a_wrong_url_says_what_is_wrong),
      cmocka_unit_test(test_tcp__a_call_reads_up_to_the_end_that_the_url_says),
      cmocka_unit_test(test_tcp__a_late_reply_is_not_that_of_the_next_call),
      cmocka_unit_test(test_tcp__what_nobody_asked_for_is_no_reply),
      cmocka_unit_test(test_tcp__hostile_replies_are_limited),
      cmocka_unit_test(test_tcp__a_reply_that_is_there_is_given_though_the_deadline_has_passed),
      cmocka_unit_test(test_tcp__pools_by_tls_share_a_kind_of_bio),
      cmocka_unit_test(test_tcp__messages_of_tls_itself_keep_no_read_beyond_its_deadline),
      cmocka_unit_test(test_tcp__a_check_looks_behind_few_messages_of_tls_itself),
      cmocka_unit_test(test_tcp__a_session_that_fails_for_lack_of_memory_is_broken),
      cmocka_unit_test(test_tcp__a_child_has_connections_of_its_own),
      cmocka_unit_test(test_tcp__the_server_sees_the_end_though_a_child_has_a_copy),
  };
  if (CRYPTO_set_mem_functions(ssl_malloc, ssl_realloc, ssl_free) != 1)
    return 1; /* it has allocated something already */
  return cmocka_run_group_tests(tests, start_server, end_server);
}
