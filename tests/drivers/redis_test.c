/* SPDX-License-Identifier: MIT */
/* The driver redis with a real server, which is killed, stopped, cut off and misused, and with peers that lie. */
#include "support.h"

#include <hiredis.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pool/driver.h>
#include <pool/redis.h>

#include "holder.h"
#include "opened.h"
#include "peer_fake.h"
#include "phases.h"
#include "proxy.h"
#include "redis_server.h"

static struct redis server;
static pool_t *admin; /* the test's own connections */

static int64_t in_ms(int64_t ms)
{
  return now_ns() + ms * 1000000;
}

/* ---- pools ---- */

/* A pool of one connection to the server's port; `more` is what follows in the URL. */
static pool_t *pool_at(int port, const char *more)
{
  char url[URL_SIZE];
  url_format(url, "redis://:" REDIS_PASSWORD "@127.0.0.1:%d/%s", port, more);
  return open_pool(url);
}

/* ---- calls and commands ---- */

static int call(pool_lease_t lease, const char *method, const char *args, pool_bytes_t *reply, pool_error_t *error)
{
  return pool_call(lease, method, (pool_bytes_t){(char *)args, strlen(args)}, reply, error);
}

/* A call is answered by this JSON, or fails with a code and a message that has this text. */
static void expect_call(pool_lease_t lease, const char *method, const char *args, int code, const char *text)
{
  pool_bytes_t reply = {NULL, 0};
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(call(lease, method, args, &reply, &error), code);
  if (code ? !strstr(error.message, text) : strcmp(reply.data, text) != 0)
    fail_msg("%s %s: '%s' is not in: %s", method, args, text, code ? error.message : (char *)reply.data);
  pool_bytes_free(&reply);
}

/* A call of the test's own; free() frees the answer. */
static char *ask(const char *method, const char *args)
{
  pool_bytes_t reply = {NULL, 0};
  pool_error_t error = POOL_ERROR_INIT;
  pool_lease_t lease = get_lease(admin);
  if (call(lease, method, args, &reply, &error) != 0)
    fail_msg("%s %s: %s", method, args, error.message);
  put_lease(lease);
  return reply.data;
}

static void administer(const char *method, const char *args)
{
  free(ask(method, args));
}

static pool_redis_t *redis_of(pool_lease_t lease)
{
  pool_redis_t *redis = pool_conn(lease);
  assert_non_null(redis);
  return redis;
}

/* A command whose reply is of no interest. */
#define DO(lease, ...)                                                                                                 \
  do {                                                                                                                 \
    pool_error_t error_ = POOL_ERROR_INIT;                                                                             \
    if (pool_redis_command(redis_of(lease), in_ms(20000), NULL, &error_, __VA_ARGS__) != 0)                            \
      fail_msg("%s", error_.message);                                                                                  \
  } while (0)

static long long number_of(pool_lease_t lease, const char *command)
{
  redisReply *reply = NULL;
  pool_error_t error = POOL_ERROR_INIT;
  if (pool_redis_command(redis_of(lease), in_ms(20000), &reply, &error, command) != 0)
    fail_msg("%s: %s", command, error.message);
  assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
  long long number = reply->integer;
  freeReplyObject(reply);
  return number;
}

/* The connection as the server sees it has each of these texts. */
static void expect_info(pool_lease_t lease, const char *const *texts)
{
  redisReply *reply = NULL;
  assert_int_equal(pool_redis_command(redis_of(lease), in_ms(20000), &reply, NULL, "CLIENT INFO"), 0);
  for (; *texts; texts++)
    if (!strstr(reply->str, *texts))
      fail_msg("'%s' is not in: %s", *texts, reply->str);
  freeReplyObject(reply);
}

/* ---- the thin path ---- */

static void test_redis__replies_are_json(void **state)
{
  (void)state;
  pool_t *pool = pool_at(server.port, "1?pool.max_open=1");
  pool_lease_t lease = get_lease(pool);
  expect_call(lease, "SET", "[\"k\", 9007199254740993]", 0, "\"OK\"");
  expect_call(lease, "GET", "\"k\"", 0, "\"9007199254740993\"");
  expect_call(lease, "INCRBY", "[\"k\", 9214364837600034814]", 0, "9223372036854775807");
  expect_call(lease, "GET", "[\"nothing\"]", 0, "null");
  expect_call(lease, "RPUSH", "[\"l\", \"a\\u0000b\", \"\\u00e9\\n\\\"\", {\"base64\":\"/wA=\"}, 1.5]", 0, "4");
  expect_call(lease, "LRANGE", "[\"l\", 0, -1]", 0,
              "[\"a\\u0000b\",\"\xc3\xa9\\n\\\"\",{\"base64\":\"/wA=\"},\"1.5\"]");
  expect_call(lease, "LRANGE", "[\"nothing\", 0, -1]", 0, "[]");
  expect_call(lease, "EVAL", "[\"return {1,{2,redis.error_reply('X y')}}\",0]", 0, "[1,[2,{\"error\":\"X y\"}]]");
  expect_call(lease, "config get", "\"databases\"", 0, "[\"databases\",\"16\"]");
  expect_call(lease, "ECHO", "[ 99999999999999999999 ]", 0, "\"99999999999999999999\"");
  expect_call(lease, "ECHO", " -1.10e400 ", 0, "\"-1.10e400\"");
  expect_call(lease, "ECHO", "{ \"base64\" : \"\\u0061Q==\" }", 0, "\"i\"");
  expect_call(lease, "INCR", "\"l\"", POOL_E_REMOTE, "WRONGTYPE");
  expect_call(lease, "PING", " \n", 0, "\"PONG\"");
  expect_call(lease, "FLUSHALL", "", 0, "\"OK\"");
  put_lease(lease);
  assert_int_equal(pool_len(pool), 1);
  end_pool(pool);
}

static void test_redis__wrong_arguments_are_not_sent(void **state)
{
  (void)state;
  pool_t *pool = pool_at(server.port, "?pool.max_open=1");
  pool_lease_t lease = get_lease(pool);
  expect_call(lease, "GET", "[\"k\"", POOL_E_INVALID, "not JSON");
  expect_call(lease, "GET", "[[1]]", POOL_E_INVALID, "argument 1 must be");
  expect_call(lease, "GET", "[1, true]", POOL_E_INVALID, "argument 2 must be");
  expect_call(lease, "GET", "[{\"base64\":\"a\"}]", POOL_E_INVALID, "not base64");
  expect_call(lease, "GET", "[{\"base64\":\"=a==\"}]", POOL_E_INVALID, "not base64");
  expect_call(lease, "GET", "{\"a\":1}", POOL_E_INVALID, "argument 1 must be");
  expect_call(lease, "GET", "{\"base64\":\"\",\"a\":1}", POOL_E_INVALID, "argument 1 must be");
  expect_call(lease, "GET", "[1] 2", POOL_E_INVALID, "byte 5 of 5");
  expect_call(lease, " ", "", POOL_E_INVALID, "name of a command");
  expect_call(lease, "SUBSCRIBE", "\"c\"", POOL_E_UNSUPPORTED, "more than one reply");
  expect_call(lease, "client reply", "\"off\"", POOL_E_UNSUPPORTED, "without replies");
  expect_call(lease, "HELLO", "3", POOL_E_UNSUPPORTED, "RESP2");
  assert_int_equal(pool_redis_command(NULL, 0, NULL, NULL, "PING"), POOL_E_INVALID);
  assert_int_equal(pool_redis_command(redis_of(lease), 0, NULL, NULL, ""), POOL_E_INVALID);
  assert_int_equal(pool_redis_command(redis_of(lease), 0, NULL, NULL, "GET %!"), POOL_E_INVALID);
  assert_int_equal(pool_redis_command_argv(redis_of(lease), 0, NULL, NULL, 1, (const char *[]){NULL}, NULL),
                   POOL_E_INVALID);
  assert_int_equal(pool_redis_command(redis_of(lease), 1, NULL, NULL, "PING"), POOL_E_TIMEOUT);
  put_lease(lease);
  assert_int_equal(pool_len(pool), 1);
  end_pool(pool);
}

/* The URL of the server's Unix socket; `more` is what follows the host and a slash. */
static void unix_url(char url[URL_SIZE], const char *more)
{
  char path[200] = "";
  for (const char *c = server.socket; *c; c++)
    snprintf(path + strlen(path), sizeof path - strlen(path), *c == '/' ? "%%2F" : "%c", *c);
  url_format(url, "redis://:" REDIS_PASSWORD "@%s/%s", path, more);
}

static void test_redis__a_unix_socket_and_tls_do_the_same(void **state)
{
  char url[URL_SIZE];
  (void)state;
  unix_url(url, "3?client_name=me");
  for (int i = 0; i < 2; i++) {
    pool_t *pool = open_pool(url);
    pool_lease_t lease = get_lease(pool);
    expect_call(lease, "SET", "[\"k\", 1]", 0, "\"OK\"");
    expect_info(lease, (const char *[]){"db=3", "name=me", NULL});
    char *args = malloc(400003);
    snprintf(args, 400003, "\"%0400000d\"", 7); /* more than one record of TLS, and than a socket takes at once */
    expect_call(lease, "ECHO", args, 0, args);
    free(args);
    put_lease(lease);
    assert_int_equal(pool_len(pool), 1);
    end_pool(pool);
    url_format(url, "rediss://:" REDIS_PASSWORD "@localhost:%d/3?client_name=me&ca=%s", server.tls_port,
               server.certificate);
  }
}

/* ---- URLs ---- */

static void test_redis__a_wrong_url_is_refused_without_being_quoted(void **state)
{
  static const struct {
    const char *url, *text;
  } rows[] = {
      {"redis://:open-sesame@h/x", "number of a database"},
      {"redis://:open-sesame@h/1/2", "number of a database"},
      {"redis://:open-sesame@h?client_nam=x", "did you mean client_name?"},
      {"redis://:open-sesame@h?ca=/x", "for rediss://"},
      {"redis://:open-sesame@h?sesame=1", "there are ca"},
      {"redis://:open-sesame@h?sesame=1&sesame=1", "there are ca"},
      {"redis://:open-sesame@h?client_name=a&client_name=a", "the URL sets client_name twice"},
      {"redis://:open-sesame@h?max_reply_bytes=0", "max_reply_bytes must be a number"},
      {"redis://:open-sesame@h?max_reply_bytes=1k", "max_reply_bytes must be a number"},
      {"redis://:open-sesame@h?client_name=a%20b", "has a space"},
      {"redis://open-sesame@h", "a user needs a password"},
      {"redis://open-sesame:@h", "a user needs a password"},
      {"redis://:open-sesame@h:99999", "a port is a number"},
      {"redis://:open-sesame@", "needs a host"},
      {"redis://:open-sesame@h/%00", "zero byte"},
      {"redis:///run/redis.sock", "with %2F for '/'"},
      {"rediss://:open-sesame@h?verify=maybe", "one of: full, ca, none"},
      {"rediss://:open-sesame@h?ca=/no/file", "the file of parameter ca"},
      {"rediss://:open-sesame@h?key=/no/file", "needs cert=FILE"},
      {"rediss://:open-sesame@h?cert=/no/file", "the file of parameter cert"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    pool_t *pool;
    pool_error_t error = POOL_ERROR_INIT;
    assert_int_equal(pool_open(rows[i].url, &pool, &error), POOL_E_INVALID);
    if (!strstr(error.message, rows[i].text) || strstr(error.message, "sesame"))
      fail_msg("%s: '%s' is not in: %s", rows[i].url, rows[i].text, error.message);
  }
}

static void expect_url_fails(const char *url, int64_t timeout_ms, int code, const char *text)
{
  pool_t *pool = open_pool(url);
  expect_no_lease(pool_get_for(pool, timeout_ms), code, text);
  end_pool(pool);
}

static void test_redis__a_login_that_is_refused_says_why(void **state)
{
  char url[URL_SIZE];
  (void)state;
  url_format(url, "redis://:wrong-sesame@localhost:%d", server.port);
  expect_url_fails(url, 10000, POOL_E_OPEN, "logging in: the server says: WRONGPASS");
  url_format(url, "redis://nobody:wrong-sesame@localhost:%d", server.port);
  expect_url_fails(url, 10000, POOL_E_OPEN, "WRONGPASS");
  url_format(url, "redis://localhost:%d", server.port);
  expect_url_fails(url, 10000, POOL_E_OPEN, "the URL has no password");
  url_format(url, "redis://:" REDIS_PASSWORD "@localhost:%d/16", server.port);
  expect_url_fails(url, 10000, POOL_E_OPEN, "selecting the database: the server says: ERR DB index");
}

static void test_redis__a_server_that_quotes_the_password_is_not_quoted(void **state)
{
  char url[URL_SIZE];
  struct peer peer = {.answers = {"-ERR unknown command 'AUTH', with args beginning with: 'open-sesame'\r\n"}};
  (void)state;
  peer_start(&peer);
  url_format(url, "redis://:" REDIS_PASSWORD "@localhost:%d", peer.port);
  expect_url_fails(url, 10000, POOL_E_OPEN, "the server says: ERR");
  peer_end(&peer);
}

/* Servers quote the first hundred bytes or so of what they do not know. */
static void test_redis__a_server_that_quotes_the_beginning_of_a_long_password_is_not_quoted(void **state)
{
  char url[URL_SIZE], password[302] = "";
  struct redis other = {.settings = {"--rename-command", "AUTH", ""}};
  (void)state;
  for (size_t i = 0; i < 50; i++)
    strcat(password, "sesame");
  redis_make(&other);
  size_t before = told_so_far();
  url_format(url, "redis://:%s@localhost:%d", password, other.port);
  expect_url_fails(url, 10000, POOL_E_OPEN, "the server says: ERR");
  assert_false(was_told("sesame", before));
  redis_remove(&other);
}

static void test_redis__the_second_server_is_taken_when_the_first_is_away(void **state)
{
  char url[URL_SIZE];
  (void)state;
  url_format(url, "redis://:" REDIS_PASSWORD "@127.0.0.1:%d,127.0.0.1:%d", server_free_port(), server.port);
  pool_t *pool = open_pool(url);
  get_and_put_now(pool);
  end_pool(pool);
  url_format(url, "redis://127.0.0.1:%d,127.0.0.1:%d", server_free_port(), server_free_port());
  expect_url_fails(url, 10000, POOL_E_OPEN, "refused; connecting to");
}

/* ---- TLS ---- */

static void test_redis__a_certificate_is_verified(void **state)
{
  char url[URL_SIZE];
  (void)state;
  url_format(url, "rediss://:" REDIS_PASSWORD "@localhost:%d", server.tls_port);
  expect_url_fails(url, 10000, POOL_E_OPEN, "certificate verify failed: self-signed certificate");
  url_format(url, "rediss://:" REDIS_PASSWORD "@localhost:%d?ca=%s", server.tls_port, server.other);
  expect_url_fails(url, 10000, POOL_E_OPEN, "certificate verify failed");
  url_format(url, "rediss://:" REDIS_PASSWORD "@localhost:%d?ca=%s&server_name=elsewhere", server.tls_port,
             server.certificate);
  expect_url_fails(url, 10000, POOL_E_OPEN, "hostname mismatch");
  url_format(url, "rediss://:" REDIS_PASSWORD "@localhost:%d?ca=%s&server_name=127.0.0.2", server.tls_port,
             server.certificate);
  expect_url_fails(url, 10000, POOL_E_OPEN, "IP address mismatch");
  for (int i = 0; i < 3; i++) {
    char more[200];
    snprintf(more, sizeof more, "ca=%s&%s", server.certificate,
             i == 0   ? "verify=full"
             : i == 1 ? "verify=none"
                      : "server_name=elsewhere&verify=ca");
    url_format(url, "rediss://:" REDIS_PASSWORD "@127.0.0.1:%d?%s", server.tls_port, more);
    pool_t *pool = open_pool(url);
    get_and_put_now(pool);
    end_pool(pool);
  }
}

static void test_redis__an_open_says_its_phases(void **state)
{
  char url[URL_SIZE];
  struct peer mute = {.answers = {NULL}};
  (void)state;
  url_format(url, "redis://:" REDIS_PASSWORD "@127.0.0.1:%d,127.0.0.1:%d", server_free_port(), server.port);
  phases_expect(url, "connect! connect login");
  url_format(url, "rediss://:" REDIS_PASSWORD "@localhost:%d?ca=%s", server.tls_port, server.certificate);
  phases_expect(url, "resolve connect tls login");
  phases_expect_check(url, "prepare resolve connect tls login open check reset close");
  url_format(url, "redis://:wrong-sesame@127.0.0.1:%d", server.port);
  phases_expect_check(url, "prepare connect login! open!");
  peer_start(&mute);
  url_format(url, "redis://127.0.0.1:%d", mute.port);
  phases_expect_late(url, "the deadline passed (in phase login)");
  peer_end(&mute);
}

static void test_redis__tls_and_plain_do_not_understand_each_other(void **state)
{
  char url[URL_SIZE];
  (void)state;
  url_format(url, "rediss://:" REDIS_PASSWORD "@127.0.0.1:%d?verify=none", server.port);
  expect_url_fails(url, 200, POOL_E_TIMEOUT, "deadline");
  pool_t *pool = pool_at(server.tls_port, "");
  assert_int_equal(pool_get_for(pool, 10000), POOL_E_OPEN);
  end_pool(pool);
}

static void test_redis__a_session_ticket_is_no_reply(void **state)
{
  char url[URL_SIZE];
  (void)state;
  url_format(url, "rediss://:" REDIS_PASSWORD "@127.0.0.1:%d?ca=%s&pool.max_open=1&pool.check_after_ms=0",
             server.tls_port, server.certificate);
  pool_t *pool = open_pool(url);
  for (int i = 0; i < 3; i++)
    assert_int_equal(pool_put(get_lease(pool)), 0);
  assert_int_equal(stats_of(pool).opened, 1);
  assert_int_equal(stats_of(pool).checks, 2);
  pool_lease_t lease = get_lease(pool);
  pool_error_t error = POOL_ERROR_INIT;
  assert_null(pool_redis_context(redis_of(lease), &error));
  assert_int_equal(error.code, POOL_E_UNSUPPORTED);
  DO(lease, "SUBSCRIBE c");
  put_lease(lease);
  assert_int_equal(stats_of(pool).opened, 1);
  assert_int_equal(pool_len(pool), 1);
  end_pool(pool);
}

/* ---- what users leave behind ---- */

static void test_redis__what_a_user_leaves_behind_is_undone(void **state)
{
  static const char *const rows[][3] = {
      {"MULTI"},
      {"MULTI", "SET k 1"},
      {"WATCH k"},
      {"WATCH k", "MULTI", "INCR k"},
      {"SELECT 5"},
      {"MULTI", "SELECT 5", "EXEC"},
      {"CLIENT SETNAME other"},
      {"SUBSCRIBE a"},
      {"PSUBSCRIBE a*"},
      {"MONITOR"},
      {"AUTH guest guest"},
      {"HELLO 2 AUTH guest guest"},
      {"CLIENT TRACKING ON REDIRECT %d"},
      {"RESET"},
      {"multi", "sElEcT 5", "dIsCaRd"},
  };
  (void)state;
  administer("ACL SETUSER", "[\"guest\", \"on\", \">guest\", \"+@all\", \"~*\"]");
  pool_t *pool = pool_at(server.port, "2?pool.max_open=1&client_name=me");
  pool_lease_t lease = get_lease(pool);
  long long id = number_of(lease, "CLIENT ID");
  put_lease(lease);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    lease = get_lease(pool);
    for (int j = 0; j < 3 && rows[i][j]; j++)
      DO(lease, rows[i][j], (int)id);
    put_lease(lease);
    lease = get_lease(pool);
    expect_info(lease, (const char *[]){"db=2 ", "name=me ", "multi=-1 ", "sub=0 psub=0 ", "user=default ", "flags=N ",
                                        "redir=-1", NULL});
    if (number_of(lease, "CLIENT ID") != id)
      fail_msg("the connection was closed after %s", rows[i][0]);
    put_lease(lease);
  }
  assert_int_equal(stats_of(pool).opened, 1);
  end_pool(pool);
}

static void test_redis__what_nothing_undoes_ends_the_connection(void **state)
{
  static const char *const rows[] = {"CLIENT NO-EVICT ON", "REPLCONF listening-port 1", "QUIT"};
  (void)state;
  pool_t *pool = pool_at(server.port, "?pool.max_open=1");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    pool_lease_t lease = get_lease(pool);
    DO(lease, rows[i]);
    put_lease(lease);
    assert_int_equal(pool_len(pool), 0);
  }
  end_pool(pool);
}

/* As Valkey's CAPA, after which the server answers otherwise. */
static void test_redis__what_the_driver_does_not_know_of_a_client_ends_the_connection(void **state)
{
  char url[URL_SIZE];
  struct peer peer = {.answers = {"-NOPERM of this user\r\n", "+OK\r\n"}};
  (void)state;
  peer_start(&peer);
  url_format(url, "redis://127.0.0.1:%d?pool.max_open=1", peer.port);
  pool_t *pool = open_pool(url);
  pool_lease_t lease = get_lease(pool);
  DO(lease, "CLIENT CAPA redirect");
  put_lease(lease);
  assert_int_equal(pool_len(pool), 0);
  end_pool(pool);
  peer_end(&peer);
}

static long long commands_so_far(void)
{
  char *info = ask("INFO", "\"stats\"");
  long long count = atoll(strstr(info, "total_commands_processed:") + 25);
  free(info);
  return count;
}

static void test_redis__a_clean_connection_is_put_without_a_command(void **state)
{
  (void)state;
  pool_t *pool = pool_at(server.port, "2?pool.max_open=1");
  assert_int_equal(pool_put(get_lease(pool)), 0);
  long long before = commands_so_far();
  for (int i = 0; i < 5; i++) {
    pool_lease_t lease = get_lease(pool);
    DO(lease, "WATCH k");
    DO(lease, "MULTI");
    DO(lease, "SELECT 3");
    DO(lease, "SELECT 2");
    DO(lease, "EXEC");
    DO(lease, "SELECT 2");
    put_lease(lease);
  }
  /* Six each round, for commands within a transaction count once; and the test's own INFO with its check. */
  assert_int_equal(commands_so_far() - before, 5 * 6 + 2);
  end_pool(pool);
}

static void test_redis__a_server_without_reset_gets_what_it_knows(void **state)
{
  struct redis old = {.settings = {"--rename-command", "RESET", ""}};
  (void)state;
  redis_make(&old);
  pool_t *pool = pool_at(old.port, "2?pool.max_open=1&client_name=me");
  pool_lease_t lease = get_lease(pool);
  DO(lease, "WATCH k");
  DO(lease, "MULTI");
  DO(lease, "SELECT 1");
  put_lease(lease);
  assert_int_equal(pool_len(pool), 1);
  for (int i = 0; i < 2; i++) { /* the second time it is known */
    lease = get_lease(pool);
    expect_info(lease, (const char *[]){"db=2 ", "multi=-1 ", "name=me ", NULL});
    DO(lease, i ? "MONITOR" : "SUBSCRIBE c");
    put_lease(lease);
    assert_int_equal(pool_len(pool), 0);
  }
  assert_int_equal(stats_of(pool).reset_failures, 2);
  end_pool(pool);
  redis_remove(&old);
}

static void test_redis__messages_are_read_as_they_come(void **state)
{
  (void)state;
  pool_t *pool = pool_at(server.port, "?pool.max_open=1");
  pool_lease_t lease = get_lease(pool);
  redisReply *reply = NULL;
  DO(lease, "SUBSCRIBE news");
  assert_int_equal(pool_redis_reply(redis_of(lease), in_ms(1), &reply, NULL), POOL_E_TIMEOUT);
  administer("PUBLISH", "[\"news\", \"one\"]");
  assert_int_equal(pool_redis_reply(redis_of(lease), in_ms(20000), &reply, NULL), 0);
  assert_int_equal(reply->elements, 3);
  assert_string_equal(reply->element[2]->str, "one");
  freeReplyObject(reply);
  for (int i = 0; i < 100; i++)
    administer("PUBLISH", "[\"news\", \"more\"]");
  put_lease(lease); /* with messages on their way */
  lease = get_lease(pool);
  expect_call(lease, "ECHO", "\"mine\"", 0, "\"mine\"");
  put_lease(lease);
  assert_int_equal(stats_of(pool).opened, 1);
  end_pool(pool);
}

/* ---- hiredis itself ---- */

static redisContext *context_of(pool_lease_t lease)
{
  pool_error_t error = POOL_ERROR_INIT;
  redisContext *context = pool_redis_context(redis_of(lease), &error);
  if (!context)
    fail_msg("%s", error.message);
  return context;
}

static void test_redis__hiredis_works_on_a_pooled_connection(void **state)
{
  (void)state;
  pool_t *pool = pool_at(server.port, "2?pool.max_open=1");
  for (int i = 0; i < 3; i++) {
    pool_lease_t lease = get_lease(pool);
    redisContext *context = context_of(lease);
    redisReply *slow = redisCommand(context, "BLPOP nothing 0.02"); /* the timeout of the last lease is gone */
    assert_non_null(slow);
    freeReplyObject(slow);
    assert_ptr_equal(context, context_of(lease));
    redisReply *reply = redisCommand(context, "INCR %s", "by-hiredis");
    assert_int_equal(reply->integer, i + 1);
    freeReplyObject(reply);
    freeReplyObject(redisCommand(context, "SELECT 7"));
    assert_int_equal(redisSetTimeout(context, (struct timeval){.tv_usec = 1000}), REDIS_OK);
    assert_int_equal(number_of(lease, "DBSIZE"), 0);
    put_lease(lease);
  }
  pool_lease_t lease = get_lease(pool);
  assert_int_equal(number_of(lease, "DBSIZE"), 1);
  assert_int_equal(number_of(lease, "DEL by-hiredis"), 1);
  put_lease(lease);
  assert_int_equal(stats_of(pool).opened, 1);
  end_pool(pool);
}

static void test_redis__replies_that_hiredis_has_not_read_reach_nobody(void **state)
{
  (void)state;
  pool_t *pool = pool_at(server.port, "?pool.max_open=1");
  pool_lease_t lease = get_lease(pool);
  redisContext *context = context_of(lease);
  int done = 0;
  for (int i = 0; i < 100; i++)
    assert_int_equal(redisAppendCommand(context, "ECHO stale"), REDIS_OK);
  assert_int_equal(redisBufferWrite(context, &done), REDIS_OK);
  assert_int_equal(done, 1);
  put_lease(lease); /* the replies are in the socket, or on their way */
  lease = get_lease(pool);
  expect_call(lease, "ECHO", "\"mine\"", 0, "\"mine\"");
  assert_int_equal(stats_of(pool).opened, 1);
  assert_int_equal(redisAppendCommand(context_of(lease), "ECHO stale"), REDIS_OK);
  put_lease(lease); /* it is in hiredis' own buffer */
  assert_int_equal(pool_len(pool), 0);
  end_pool(pool);
}

/* ---- deadlines ---- */

static void test_redis__a_late_reply_reaches_nobody(void **state)
{
  struct proxy proxy;
  redisReply *reply = NULL;
  (void)state;
  proxy_start(&proxy, server.port);
  pool_t *pool = pool_at(proxy.port, "?pool.max_open=1&pool.call_timeout_ms=50");
  for (int i = 0; i < 2; i++) {
    pool_lease_t lease = get_lease(pool);
    proxy_do(&proxy, PROXY_HOLD);
    if (i)
      expect_call(lease, "ECHO", "\"late\"", POOL_E_TIMEOUT, "deadline");
    else
      assert_int_equal(pool_redis_command(redis_of(lease), in_ms(50), &reply, NULL, "ECHO late"), POOL_E_TIMEOUT);
    assert_int_equal(pool_redis_command(redis_of(lease), in_ms(10000), &reply, NULL, "ECHO next"), POOL_E_BROKEN);
    proxy_do(&proxy, PROXY_PASS);
    put_lease(lease);
    assert_int_equal(pool_len(pool), 0);
    lease = get_lease(pool);
    assert_int_equal(pool_redis_command(redis_of(lease), in_ms(20000), &reply, NULL, "ECHO mine"), 0);
    assert_string_equal(reply->str, "mine");
    freeReplyObject(reply);
    put_lease(lease);
  }
  end_pool(pool);
  proxy_end(&proxy);
}

static void test_redis__a_reply_that_drips_ends_at_the_deadline(void **state)
{
  struct proxy proxy;
  (void)state;
  proxy_start(&proxy, server.port);
  pool_t *pool = pool_at(proxy.port, "?pool.max_open=1&pool.call_timeout_ms=100");
  pool_lease_t lease = get_lease(pool);
  proxy_do(&proxy, PROXY_DRIP);
  expect_call(lease, "COMMAND", "", POOL_E_TIMEOUT, "the deadline passed");
  proxy_do(&proxy, PROXY_CUT);
  put_lease(lease);
  assert_int_equal(pool_len(pool), 0);
  end_pool(pool);
  proxy_end(&proxy);
}

static void test_redis__a_stopped_server_is_met_by_the_deadline(void **state)
{
  (void)state;
  pool_t *pool =
      pool_at(server.port, "?pool.max_open=2&pool.check_after_ms=0&reset_timeout_ms=50&pool.get_timeout_ms=-1");
  pool_lease_t lease = get_lease(pool), other = get_lease(pool);
  DO(other, "MULTI");
  server_freeze(&server.server);
  put_lease(lease);
  expect_no_lease(pool_get_for(pool, 200), POOL_E_TIMEOUT, "");
  put_lease(other); /* its reset has 50 ms */
  assert_int_equal(stats_of(pool).reset_failures, 1);
  server_thaw(&server.server);
  lease = get_lease(pool);
  expect_call(lease, "ECHO", "\"mine\"", 0, "\"mine\"");
  put_lease(lease);
  end_pool(pool);
}

/* ---- how the pool says that it is ---- */

struct load {
  pool_t *pool;
  _Atomic bool ends;
};

/* More of these than there are connections: somebody always waits. */
static void *put_load(void *data)
{
  struct load *load = data;
  while (!atomic_load(&load->ends)) {
    pool_bytes_t reply = {NULL, 0};
    pool_lease_t lease = pool_get_for(load->pool, 10000);
    if (lease < 0) {
      pause_briefly(); /* nothing is open, and opens fail at once */
      continue;
    }
    call(lease, "PING", "", &reply, NULL);
    pool_bytes_free(&reply);
    pause_briefly();
    pool_put(lease);
  }
  return NULL;
}

/* How long it took until the pool says this of itself; nothing may come back for 300 ms. */
static int64_t ms_until(pool_t *pool, int health)
{
  int64_t began = now_ns();
  wait_until(pool_health(pool, 300, NULL) == health);
  return (now_ns() - began) / 1000000;
}

static void assert_why(pool_t *pool, int health, const char *text)
{
  pool_bytes_t why;
  assert_int_equal(pool_health(pool, 300, &why), health);
  if (!strstr(why.data, text))
    fail_msg("'%s' is not in: %s", text, (char *)why.data);
  pool_bytes_free(&why);
}

static void test_redis__a_probe_tells_busy_from_stuck_and_down(void **state)
{
  (void)state;
  enum { THREADS = 6 };
  pthread_t threads[THREADS];
  struct load load = {.pool = pool_at(server.port, "?pool.name=probed&pool.max_open=2")};
  pool_t *pool = load.pool;
  assert_int_equal(pool_health(pool, 300, NULL), POOL_HEALTH_HEALTHY);
  for (int i = 0; i < THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, put_load, &load), 0);
  int64_t busy = ms_until(pool, POOL_HEALTH_BUSY);
  server_freeze(&server.server);
  int64_t stuck = ms_until(pool, POOL_HEALTH_STUCK), opened = stats_of(pool).opened;
  pool_bytes_t why;
  int word = pool_health(pool, 300, &why);
  int64_t opened_then = stats_of(pool).opened;
  server_thaw(&server.server); /* before anything fails: the tests that follow need it */
  assert_int_equal(word, POOL_HEALTH_STUCK);
  assert_non_null(strstr(why.data, "probed: stuck: nothing came back for "));
  pool_bytes_free(&why);
  assert_int_equal(opened_then, opened); /* no connection was taken, and none was opened */
  int64_t again = ms_until(pool, POOL_HEALTH_BUSY);
  server_kill(&server.server);
  int64_t down = ms_until(pool, POOL_HEALTH_DOWN);
  assert_why(pool, POOL_HEALTH_DOWN, "probed: down: opens fail: ");
  print_message("busy after %d ms, stuck after %d, busy again after %d, down after %d\n", (int)busy, (int)stuck,
                (int)again, (int)down);
  redis_start(&server);
  ms_until(pool, POOL_HEALTH_BUSY);
  atomic_store(&load.ends, true);
  for (int i = 0; i < THREADS; i++)
    pthread_join(threads[i], NULL);
  assert_int_equal(pool_health(pool, 300, NULL), POOL_HEALTH_HEALTHY);
  end_pool(pool);
}

/* ---- servers that go away ---- */

static void test_redis__a_restart_costs_one_failed_check(void **state)
{
  pool_lease_t leases[4];
  (void)state;
  pool_t *pool = pool_at(server.port, "?pool.max_open=4&pool.check_after_ms=0");
  leases_get(pool, leases, 4);
  leases_put(leases, 4);
  server_kill(&server.server);
  redis_start(&server);
  pool_lease_t lease = get_lease(pool);
  expect_call(lease, "PING", "", 0, "\"PONG\"");
  assert_int_equal(stats_of(pool).check_failures, 1);
  put_lease(lease);
  leases_get(pool, leases, 4);
  for (int i = 0; i < 4; i++)
    expect_call(leases[i], "PING", "", 0, "\"PONG\"");
  leases_put(leases, 4);
  end_pool(pool);
}

static void test_redis__a_call_that_breaks_brings_its_siblings_under_suspicion(void **state)
{
  pool_lease_t leases[4];
  (void)state;
  pool_t *pool = pool_at(server.port, "?pool.max_open=4");
  leases_get(pool, leases, 4);
  leases_put(leases + 1, 3);
  administer("CLIENT KILL", "[\"TYPE\", \"normal\", \"SKIPME\", \"yes\"]");
  expect_call(leases[0], "PING", "", POOL_E_BROKEN, "");
  assert_int_equal(pool_put(leases[0]), 0);
  leases_get(pool, leases, 4);
  for (int i = 0; i < 4; i++)
    expect_call(leases[i], "PING", "", 0, "\"PONG\"");
  leases_put(leases, 4);
  assert_true(stats_of(pool).check_failures >= 1);
  end_pool(pool);
}

static void test_redis__a_cut_network_is_found_by_the_check(void **state)
{
  struct proxy proxy;
  (void)state;
  proxy_start(&proxy, server.port);
  pool_t *pool = pool_at(proxy.port, "?pool.max_open=1&pool.check_after_ms=0");
  assert_int_equal(pool_put(get_lease(pool)), 0);
  proxy_do(&proxy, PROXY_CUT);
  pool_lease_t lease = get_lease(pool);
  expect_call(lease, "PING", "", 0, "\"PONG\"");
  put_lease(lease);
  assert_int_equal(stats_of(pool).check_failures, 1);
  end_pool(pool);
  proxy_end(&proxy);
}

static void test_redis__a_changed_password_stops_new_connections_alone(void **state)
{
  (void)state;
  pool_t *pool = pool_at(server.port, "?pool.max_open=2&pool.check_after_ms=0");
  pool_lease_t lease = get_lease(pool);
  administer("CONFIG SET", "[\"requirepass\", \"closed-sesame\"]");
  put_lease(lease);
  lease = get_lease(pool); /* its check is good */
  expect_no_lease(pool_get_for(pool, 1000), POOL_E_TIMEOUT, "WRONGPASS");
  DO(lease, "SUBSCRIBE c"); /* RESET logs out, so this one ends */
  put_lease(lease);
  assert_int_equal(pool_len(pool), 0);
  administer("CONFIG SET", "[\"requirepass\", \"" REDIS_PASSWORD "\"]");
  assert_int_equal(pool_put(get_lease(pool)), 0);
  end_pool(pool);
}

static void test_redis__a_full_server_says_so(void **state)
{
  (void)state;
  pool_t *pool = pool_at(server.port, "?pool.max_open=2");
  pool_lease_t lease = get_lease(pool);
  administer("CONFIG SET", "[\"maxclients\", 1]");
  expect_no_lease(pool_get_for(pool, 1000), POOL_E_TIMEOUT, "max number of clients");
  for (int i = 0; i < 20; i++) { /* however the server's close and the login meet */
    char url[URL_SIZE];
    unix_url(url, "0");
    expect_url_fails(url, 10000, POOL_E_OPEN, "max number of clients");
  }
  administer("CONFIG SET", "[\"maxclients\", 1000]");
  put_lease(lease);
  end_pool(pool);
}

static void test_redis__a_replica_is_left(void **state)
{
  (void)state;
  pool_t *pool = pool_at(server.port, "?pool.max_open=1");
  administer("REPLICAOF", "[\"127.0.0.1\", 1]");
  pool_lease_t lease = get_lease(pool);
  expect_call(lease, "SET", "[\"k\", 1]", POOL_E_REMOTE, "READONLY");
  expect_call(lease, "GET", "\"k\"", 0, "null"); /* the lease goes on */
  put_lease(lease);
  assert_int_equal(pool_len(pool), 0);
  administer("REPLICAOF", "[\"NO\", \"ONE\"]");
  lease = get_lease(pool);
  expect_call(lease, "DEL", "\"k\"", 0, "0");
  put_lease(lease);
  end_pool(pool);
}

/* ---- peers that lie ---- */

#define LOGGED_IN "-NOPERM of this user\r\n"

static void test_redis__a_server_of_another_kind_is_recognised(void **state)
{
  static const char *const answers[] = {"HTTP/1.1 400 Bad Request\r\n\r\n",
                                        "SSH-2.0-OpenSSH_9.2p1\r\n",
                                        "+PONG\r\n",
                                        ":1\r\n",
                                        "*1\r\n$1\r\nx\r\n",
                                        "$-1\r\n"};
  (void)state;
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    char url[URL_SIZE];
    struct peer peer = {.answers = {answers[i]}, .at_once = i == 1};
    peer_start(&peer);
    url_format(url, "redis://127.0.0.1:%d", peer.port);
    expect_url_fails(url, 10000, POOL_E_OPEN, "this is no server of Redis");
    peer_end(&peer);
  }
}

/* A call to a peer that logs in everybody and then says this fails, and its connection is closed. */
static void expect_hostile(struct peer peer, int code, const char *text)
{
  char url[URL_SIZE];
  peer.answers[1] = peer.answers[0];
  peer.answers[0] = LOGGED_IN;
  peer_start(&peer);
  url_format(url, "redis://127.0.0.1:%d?pool.max_open=1&pool.call_timeout_ms=%d&max_reply_bytes=100000", peer.port,
             code == POOL_E_TIMEOUT ? 50 : 20000);
  pool_t *pool = open_pool(url);
  pool_lease_t lease = get_lease(pool);
  expect_call(lease, "PING", "", code, text);
  put_lease(lease);
  assert_int_equal(pool_len(pool), 0);
  end_pool(pool);
  peer_end(&peer);
}

static void test_redis__hostile_replies_are_limited(void **state)
{
  (void)state;
  expect_hostile((struct peer){.answers = {"garbage\r\n"}}, POOL_E_BROKEN, "no server of Redis");
  expect_hostile((struct peer){.answers = {"+aaaaaaaaaaaaaaaaaaaaaaaaaaaa"}, .endless = true}, POOL_E_BROKEN,
                 "longer than max_reply_bytes");
  expect_hostile((struct peer){.answers = {"$100000000\r\naaaaaaaaaaaaaaaa"}, .closes = true}, POOL_E_BROKEN,
                 "closed the connection");
  expect_hostile((struct peer){.answers = {"*20000\r\n$5\r\nabcde\r\n"}, .endless = true}, POOL_E_BROKEN, "");
  expect_hostile((struct peer){.answers = {"*2147483647\r\n"}}, POOL_E_BROKEN, "longer than max_reply_bytes");
  expect_hostile((struct peer){.answers = {"*20000\r\n*20000\r\n"}}, POOL_E_BROKEN, "longer than max_reply_bytes");
  expect_hostile((struct peer){.answers = {"*99999999999999999999\r\n"}}, POOL_E_BROKEN, "no server of Redis");
  expect_hostile((struct peer){.answers = {"*1\r\n"}, .endless = true}, POOL_E_BROKEN, "no server of Redis");
  expect_hostile((struct peer){.answers = {"$-5\r\n"}}, POOL_E_BROKEN, "no server of Redis");
  expect_hostile((struct peer){.answers = {"$9223372036854775807\r\n"}}, POOL_E_TIMEOUT, "deadline");
  expect_hostile((struct peer){.answers = {"*3\r\n:1\r\n"}, .closes = true}, POOL_E_BROKEN, "closed the connection");
  expect_hostile((struct peer){.answers = {""}, .closes = true}, POOL_E_BROKEN, "closed the connection");
  expect_hostile((struct peer){.answers = {"%1\r\n+a\r\n+b\r\n"}}, POOL_E_BROKEN, "no server of Redis");
}

/* No check looks at the socket, and the command has left nothing behind. */
static void test_redis__a_reply_that_nobody_asked_for_is_given_to_nobody(void **state)
{
  char url[URL_SIZE];
  struct peer peer = {.answers = {LOGGED_IN, "+OK\r\n+MORE\r\n"}};
  (void)state;
  peer_start(&peer);
  url_format(url, "redis://127.0.0.1:%d?pool.max_open=1&pool.check_after_ms=3600000", peer.port);
  pool_t *pool = open_pool(url);
  pool_lease_t lease = get_lease(pool);
  expect_call(lease, "SET", "[\"a\", 1]", 0, "\"OK\"");
  put_lease(lease);
  assert_int_equal(pool_len(pool), 0);
  lease = get_lease(pool);
  expect_call(lease, "SET", "[\"a\", 1]", 0, "\"OK\"");
  expect_call(lease, "GET", "[\"a\"]", POOL_E_BROKEN, "a reply that nobody has asked for");
  put_lease(lease);
  end_pool(pool);
  peer_end(&peer);
}

static void test_redis__a_reply_that_nobody_asked_for_ends_the_connection(void **state)
{
  char url[URL_SIZE];
  struct peer peer = {.answers = {LOGGED_IN, "+OK\r\n+PONG\r\n"}};
  (void)state;
  peer_start(&peer);
  url_format(url, "redis://127.0.0.1:%d?pool.max_open=1&pool.check_after_ms=0", peer.port);
  pool_t *pool = open_pool(url);
  pool_lease_t lease = get_lease(pool);
  expect_call(lease, "SET", "[\"a\", 1]", 0, "\"OK\"");
  put_lease(lease);
  assert_int_equal(pool_put(get_lease(pool)), 0);
  assert_int_equal(stats_of(pool).opened, 2);
  end_pool(pool);
  peer_end(&peer);
  peer = (struct peer){.answers = {LOGGED_IN, "+OK\r\n", "+OK\r\n+OK\r\n"}};
  peer_start(&peer);
  url_format(url, "redis://127.0.0.1:%d", peer.port);
  pool = open_pool(url);
  lease = get_lease(pool);
  DO(lease, "MULTI");
  put_lease(lease); /* DISCARD is answered twice */
  assert_int_equal(pool_len(pool), 0);
  end_pool(pool);
  peer_end(&peer);
}

static void test_redis__a_check_judges_what_the_server_says(void **state)
{
  static const struct {
    const char *answer;
    bool good;
  } rows[] = {{"-LOADING the dataset\r\n", false},
              {"-NOAUTH required\r\n", false},
              {"-BUSY with a script\r\n", true},
              {"-NOPERM of this user\r\n", true},
              {"+PONG\r\n", true},
              {"+OK\r\n", false}};
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char url[URL_SIZE];
    struct peer peer = {.answers = {LOGGED_IN, rows[i].answer}};
    peer_start(&peer);
    url_format(url, "redis://127.0.0.1:%d?pool.max_open=1&pool.check_after_ms=0", peer.port);
    pool_t *pool = open_pool(url);
    assert_int_equal(pool_put(get_lease(pool)), 0);
    assert_int_equal(pool_put(get_lease(pool)), 0);
    assert_int_equal(stats_of(pool).check_failures, rows[i].good ? 0 : 1);
    end_pool(pool);
    peer_end(&peer);
  }
}

/* ---- commands without measure ---- */

/* hiredis counts the bytes of a command in an int.  The pages are of zeros, and take no memory. */
static void test_redis__a_command_of_more_bytes_than_hiredis_counts_is_not_sent(void **state)
{
  const size_t size = sizeof(size_t) > 4 ? (size_t)1 << 32 : 0;
  (void)state;
  void *zeros = mmap(NULL, size + 1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (size == 0 || zeros == MAP_FAILED)
    skip();
  pool_t *pool = pool_at(server.port, "?pool.max_open=1");
  pool_lease_t lease = get_lease(pool);
  pool_error_t error = POOL_ERROR_INIT;
  const char *arguments[] = {"SET", "k", zeros};
  const size_t sizes[] = {3, 1, size};
  assert_int_equal(pool_redis_command_argv(redis_of(lease), in_ms(20000), NULL, &error, 3, arguments, sizes),
                   POOL_E_UNSUPPORTED);
  static const char *const formats[] = {"SET k %b", "SET %s%5d%.2f%% %b", "SET %llu%hhd%ld %b"};
  const size_t most = INT32_MAX;
  assert_int_equal(pool_redis_command(redis_of(lease), in_ms(20000), NULL, &error, formats[0], zeros, size),
                   POOL_E_UNSUPPORTED);
  assert_int_equal(
      pool_redis_command(redis_of(lease), in_ms(20000), NULL, &error, formats[1], "k", 1, 1.5, zeros, most),
      POOL_E_UNSUPPORTED);
  assert_int_equal(
      pool_redis_command(redis_of(lease), in_ms(20000), NULL, &error, formats[2], 1ull, 1, 1l, zeros, size + 1),
      POOL_E_UNSUPPORTED);
  assert_string_equal(error.message, "a command has at most 2 GiB");
  expect_call(lease, "ECHO", "\"mine\"", 0, "\"mine\"");
  put_lease(lease);
  end_pool(pool);
  munmap(zeros, size + 1);
}

/* ---- replies that nobody has asked for ---- */

/* Sends a reply, and returns when it is at the other side. */
static void send_reply(int peer, const char *reply)
{
  int unsent;
  assert_int_equal(send(peer, reply, strlen(reply), MSG_NOSIGNAL), strlen(reply));
  wait_until(ioctl(peer, SIOCOUTQ, &unsent) == 0 && unsent == 0);
}

struct echo {
  pool_t *pool;
  pool_lease_t lease; /* 0: none yet */
  pool_error_t error;
  int code;
};

static void *echo_main(void *data)
{
  struct echo *echo = data;
  pool_bytes_t reply = {NULL, 0};
  if (!echo->lease)
    echo->lease = pool_get(echo->pool);
  echo->code = call(echo->lease, "ECHO", "\"mine\"", &reply, &echo->error);
  pool_bytes_free(&reply);
  return NULL;
}

/* A second reply to one command comes before the next one is sent: by the same lease, or by the next. */
static void expect_no_other_reply(int listener, pool_t *pool, bool by_next)
{
  char bytes[256];
  struct echo echo = {.pool = pool, .error = POOL_ERROR_INIT};
  pthread_t thread = thread_start(echo_main, &echo);
  int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  assert_true(recv(peer, bytes, sizeof bytes, 0) > 0);
  send_reply(peer, LOGGED_IN);
  assert_true(recv(peer, bytes, sizeof bytes, 0) > 0);
  send_reply(peer, "+mine\r\n");
  thread_end(thread);
  assert_int_equal(echo.code, 0);
  if (by_next) {
    put_lease(echo.lease);
    echo.lease = get_lease(pool);
  }
  send_reply(peer, "+another's\r\n");
  echo_main(&echo);
  assert_int_equal(echo.code, POOL_E_BROKEN);
  assert_non_null(strstr(echo.error.message, "12 bytes are waiting, of a reply that nobody has read"));
  put_lease(echo.lease);
  assert_int_equal(pool_len(pool), 0);
  close(peer);
}

static void test_redis__a_reply_before_its_command_is_none(void **state)
{
  char url[URL_SIZE];
  int port, listener = listen_locally(5, &port);
  (void)state;
  url_format(url, "redis://127.0.0.1:%d?pool.max_open=1&pool.check_after_ms=3600000", port);
  pool_t *pool = open_pool(url);
  expect_no_other_reply(listener, pool, false);
  expect_no_other_reply(listener, pool, true);
  end_pool(pool);
  close(listener);
}

/* ---- asynchronous calls ---- */

struct heard {
  _Atomic int count, wrong;
};

static void hear_number(void *user, int32_t code, pool_bytes_t reply)
{
  struct heard *heard = user;
  int number = atomic_fetch_add(&heard->count, 1) + 1;
  if (code != 0 || atoi(reply.data) != number)
    atomic_fetch_add(&heard->wrong, 1);
  pool_bytes_free(&reply);
}

static void hear_error(void *user, int32_t code, pool_bytes_t reply)
{
  struct heard *heard = user;
  if (code != POOL_E_REMOTE || strncmp(reply.data, "WRONGTYPE", 9) != 0)
    atomic_fetch_add(&heard->wrong, 1);
  pool_bytes_free(&reply);
  atomic_fetch_add(&heard->count, 1);
}

static void test_redis__asynchronous_calls_end_in_their_order(void **state)
{
  char key[] = "\"counter\"", push[] = "[\"counter\",1]";
  struct heard numbers = {0}, errors = {0};
  (void)state;
  administer("DEL", key);
  pool_t *pool = pool_at(server.port, "?pool.max_open=1");
  for (int i = 1; i <= 10; i++) {
    pool_lease_t lease = get_lease(pool);
    for (int j = 0; j < 20; j++)
      assert_true(pool_go(lease, "INCR", (pool_bytes_t){key, sizeof key - 1}, hear_number, &numbers) > 0);
    assert_true(pool_go(lease, "RPUSH", (pool_bytes_t){push, sizeof push - 1}, hear_error, &errors) > 0);
    if (i % 2) /* a call between them has its turn */
      expect_call(lease, "ECHO", "\"mine\"", 0, "\"mine\"");
    put_lease(lease); /* calls are under way */
    wait_until(atomic_load(&errors.count) == i);
  }
  assert_int_equal(numbers.count, 200);
  assert_int_equal(numbers.wrong, 0);
  assert_int_equal(errors.wrong, 0);
  pool_lease_t lease = get_lease(pool);
  assert_int_equal(pool_go(lease, "GET", (pool_bytes_t){key, 3}, hear_number, &numbers), POOL_E_INVALID);
  assert_int_equal(pool_go(lease, "MONITOR", (pool_bytes_t){NULL, 0}, hear_number, &numbers), POOL_E_UNSUPPORTED);
  pool_error_t error = POOL_ERROR_INIT;
  pool_failure(&error);
  assert_non_null(strstr(error.message, "pool_call() makes it or says why"));
  put_lease(lease);
  assert_int_equal(stats_of(pool).opened, 1);
  end_pool(pool);
}

/* A callback that forks, and one behind it, which is the parent's alone. */
struct forker {
  pid_t parent, child;
  _Atomic int heard;
};

/* Before a sanitizer looks for leaks: what the threads of the parent had is the child's, and nobody frees it. */
static void end_at_once(void)
{
  _exit(0);
}

static void hear_and_fork(void *user, int32_t code, pool_bytes_t reply)
{
  struct forker *forker = user;
  pool_bytes_free(&reply);
  must(code == 0);
  forker->child = fork();
  if (forker->child != 0)
    atomic_fetch_add(&forker->heard, 1);
  else
    atexit(end_at_once);
}

static void hear_as_the_parent(void *user, int32_t code, pool_bytes_t reply)
{
  struct forker *forker = user;
  pool_bytes_free(&reply);
  if (getpid() != forker->parent)
    _exit(1);
  must(code == 0);
  atomic_fetch_add(&forker->heard, 1);
}

/* The child ends with its only thread, when that returns to the driver. */
static void test_redis__in_the_child_of_a_callback_no_call_goes_on(void **state)
{
  char args[] = "[\"gate\",0]";
  struct forker forker = {.parent = getpid()};
  int status;
  (void)state;
  pool_t *pool = pool_at(server.port, "?pool.max_open=1");
  pool_lease_t lease = get_lease(pool);
  thread_count_at_rest();
  assert_true(pool_go(lease, "BLPOP", (pool_bytes_t){args, sizeof args - 1}, hear_and_fork, &forker) > 0);
  assert_true(pool_go(lease, "PING", (pool_bytes_t){NULL, 0}, hear_as_the_parent, &forker) > 0);
  administer("RPUSH", "[\"gate\",1]");
  wait_until(atomic_load(&forker.heard) == 2);
  assert_true(forker.child > 0);
  assert_int_equal(waitpid(forker.child, &status, 0), forker.child);
  assert_int_equal(status, 0);
  put_lease(lease);
  end_pool(pool);
}

/* ---- threads and forks ---- */

#define CALLERS 4

struct caller {
  pool_t *pool;
  int number;
};

/* Gets its own words back, or nothing: in each third round the deadline is too short. */
static void *say_own_words(void *data)
{
  const struct caller *caller = data;
  for (int i = 0; i < 100; i++) {
    redisReply *reply = NULL;
    pool_lease_t lease = pool_get_for(caller->pool, 30000);
    must(lease > 0);
    int64_t deadline_ns = i % 3 ? in_ms(30000) : now_ns() + 100000;
    int code = pool_redis_command(pool_conn(lease), deadline_ns, &reply, NULL, "ECHO %d-%d", caller->number, i);
    must(code == 0 || (i % 3 == 0 && code == POOL_E_TIMEOUT));
    char expected[32];
    snprintf(expected, sizeof expected, "%d-%d", caller->number, i);
    must(code != 0 || strcmp(reply->str, expected) == 0);
    if (code == 0)
      freeReplyObject(reply);
    if (i % 5 == 0 && code == 0)
      must(pool_redis_command(pool_conn(lease), in_ms(30000), NULL, NULL, i % 2 ? "SUBSCRIBE c" : "MULTI") == 0);
    must(pool_put(lease) == 0);
  }
  return NULL;
}

static void test_redis__no_thread_reads_the_reply_of_another(void **state)
{
  struct caller callers[CALLERS];
  pthread_t threads[CALLERS];
  (void)state;
  pool_t *pool = pool_at(server.port, "?pool.max_open=2");
  for (int i = 0; i < CALLERS; i++) {
    callers[i] = (struct caller){pool, i};
    threads[i] = thread_start(say_own_words, &callers[i]);
  }
  threads_end(threads, CALLERS);
  end_pool(pool);
}

static void test_redis__a_child_has_connections_of_its_own(void **state)
{
  int status;
  (void)state;
  pool_t *pool = pool_at(server.port, "?pool.max_open=2");
  pool_lease_t lease = get_lease(pool);
  long long id = number_of(lease, "CLIENT ID");
  thread_count_at_rest(); /* those of asynchronous calls have ended */
  pid_t child = fork();
  if (child == 0) {
    redisReply *reply = NULL;
    pool_lease_t own = pool_get_for(pool, 20000);
    bool good = own > 0 && pool_redis_command(pool_conn(own), in_ms(20000), &reply, NULL, "CLIENT ID") == 0 &&
                reply->integer != id;
    _exit(good ? 0 : 1);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_int_equal(number_of(lease, "CLIENT ID"), id);
  put_lease(lease);
  end_pool(pool);
}

static bool server_has(long long id)
{
  char word[32];
  snprintf(word, sizeof word, "id=%lld ", id);
  char *list = ask("CLIENT", "[\"LIST\"]");
  bool found = strstr(list, word) != NULL;
  free(list);
  return found;
}

static void test_redis__the_server_sees_the_end_though_a_child_has_a_copy(void **state)
{
  struct holder holder;
  (void)state;
  pool_t *pool = pool_at(server.port, "?pool.max_open=1");
  pool_lease_t lease = get_lease(pool);
  long long id = number_of(lease, "CLIENT ID");
  put_lease(lease);
  assert_true(server_has(id));
  holder_start(&holder);
  end_pool(pool);
  wait_until(!server_has(id));
  holder_end(&holder);
}

static void test_redis__no_password_was_told_anywhere(void **state)
{
  (void)state;
  assert_true(was_told("redis", 0));
  assert_false(was_told("sesame", 0));
}

/* ---- all of them ---- */

static int start_server(void **state)
{
  (void)state;
  redis_make(&server);
  admin = pool_at(server.port, "?pool.max_open=1&pool.check_after_ms=0");
  return 0;
}

static int end_server(void **state)
{
  (void)state;
  end_pool(admin);
  redis_remove(&server);
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_redis__replies_are_json),
      cmocka_unit_test(test_redis__wrong_arguments_are_not_sent),
      cmocka_unit_test(test_redis__a_unix_socket_and_tls_do_the_same),
      cmocka_unit_test(test_redis__a_wrong_url_is_refused_without_being_quoted),
      cmocka_unit_test(test_redis__a_login_that_is_refused_says_why),
      cmocka_unit_test(test_redis__a_server_that_quotes_the_password_is_not_quoted),
      cmocka_unit_test(test_redis__a_server_that_quotes_the_beginning_of_a_long_password_is_not_quoted),
      cmocka_unit_test(test_redis__the_second_server_is_taken_when_the_first_is_away),
      cmocka_unit_test(test_redis__a_certificate_is_verified),
      cmocka_unit_test(test_redis__an_open_says_its_phases),
      cmocka_unit_test(test_redis__tls_and_plain_do_not_understand_each_other),
      cmocka_unit_test(test_redis__a_session_ticket_is_no_reply),
      cmocka_unit_test(test_redis__what_a_user_leaves_behind_is_undone),
      cmocka_unit_test(test_redis__what_nothing_undoes_ends_the_connection),
      cmocka_unit_test(test_redis__what_the_driver_does_not_know_of_a_client_ends_the_connection),
      cmocka_unit_test(test_redis__a_clean_connection_is_put_without_a_command),
      cmocka_unit_test(test_redis__a_server_without_reset_gets_what_it_knows),
      cmocka_unit_test(test_redis__messages_are_read_as_they_come),
      cmocka_unit_test(test_redis__hiredis_works_on_a_pooled_connection),
      cmocka_unit_test(test_redis__replies_that_hiredis_has_not_read_reach_nobody),
      cmocka_unit_test(test_redis__a_late_reply_reaches_nobody),
      cmocka_unit_test(test_redis__a_reply_that_drips_ends_at_the_deadline),
      cmocka_unit_test(test_redis__a_stopped_server_is_met_by_the_deadline),
      cmocka_unit_test(test_redis__a_probe_tells_busy_from_stuck_and_down),
      cmocka_unit_test(test_redis__a_restart_costs_one_failed_check),
      cmocka_unit_test(test_redis__a_call_that_breaks_brings_its_siblings_under_suspicion),
      cmocka_unit_test(test_redis__a_cut_network_is_found_by_the_check),
      cmocka_unit_test(test_redis__a_changed_password_stops_new_connections_alone),
      cmocka_unit_test(test_redis__a_full_server_says_so),
      cmocka_unit_test(test_redis__a_replica_is_left),
      cmocka_unit_test(test_redis__a_server_of_another_kind_is_recognised),
      cmocka_unit_test(test_redis__hostile_replies_are_limited),
      cmocka_unit_test(test_redis__a_reply_that_nobody_asked_for_is_given_to_nobody),
      cmocka_unit_test(test_redis__a_reply_that_nobody_asked_for_ends_the_connection),
      cmocka_unit_test(test_redis__a_check_judges_what_the_server_says),
      cmocka_unit_test(test_redis__a_command_of_more_bytes_than_hiredis_counts_is_not_sent),
      cmocka_unit_test(test_redis__a_reply_before_its_command_is_none),
      cmocka_unit_test(test_redis__asynchronous_calls_end_in_their_order),
      cmocka_unit_test(test_redis__in_the_child_of_a_callback_no_call_goes_on),
      cmocka_unit_test(test_redis__no_thread_reads_the_reply_of_another),
      cmocka_unit_test(test_redis__a_child_has_connections_of_its_own),
      cmocka_unit_test(test_redis__the_server_sees_the_end_though_a_child_has_a_copy),
      cmocka_unit_test(test_redis__no_password_was_told_anywhere),
  };
  return cmocka_run_group_tests(tests, start_server, end_server);
}
