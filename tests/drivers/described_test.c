/* SPDX-License-Identifier: MIT */
/* The descriptions that come with the driver foreign, with the real libraries and, where there is one, the real server:
   the program uses the library's own handle, servers are killed, stopped and started again, and files vanish. */
#include "support.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#define LDAP_DEPRECATED 1
#include <ldap.h>
#include <libmemcached/memcached.h>
#include <libssh2.h>
#include <pwd.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pool/driver.h>

#include "phases.h"
#include "server.h"

static char folder[] = "/tmp/described_test.XXXXXX";

static const char *in_folder(const char *name)
{
  static char paths[4][120];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static void write_file(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void write_file(const char *name, const char *format, ...)
{
  va_list arguments;
  FILE *file = fopen(in_folder(name), "w");
  assert_non_null(file);
  va_start(arguments, format);
  vfprintf(file, format, arguments);
  va_end(arguments);
  assert_int_equal(fclose(file), 0);
}

static void read_file(const char *name, char *text, size_t size)
{
  FILE *file = fopen(in_folder(name), "r");
  assert_non_null(file);
  text[fread(text, 1, size - 1, file)] = 0;
  fclose(file);
}

/* ---- pools ---- */

/* One connection, checked each time before it is lent. */
static pool_t *pool_of(const char *url)
{
  char whole[600];
  pool_t *pool;
  pool_error_t error = POOL_ERROR_INIT;
  snprintf(whole, sizeof whole, "%s%cpool.max_open=1&pool.check_after_ms=0&pool.check_timeout_ms=60000", url,
           strchr(url, '?') ? '&' : '?');
  if (pool_open(whole, &pool, &error) != 0)
    fail_msg("%s", error.message);
  return pool;
}

static void end_pool(pool_t *pool)
{
  assert_int_equal(pool_close(pool, 1000), 0);
  pool_free(pool);
}

static pool_lease_t lease_from(pool_t *pool)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_lease_t lease = pool_get_for(pool, 60000);
  if (lease < 0) {
    pool_failure(&error);
    fail_msg("%s", error.message);
  }
  return lease;
}

static void give(pool_lease_t lease)
{
  assert_int_equal(pool_put(lease), 0);
}

static void check_it(pool_t *pool)
{
  give(lease_from(pool));
}

/* A get fails, and says this. */
static void expect_failure(pool_t *pool, int64_t timeout_ms, int code, const char *words)
{
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(pool_get_for(pool, timeout_ms), code);
  pool_failure(&error);
  if (!strstr(error.message, words))
    fail_msg("'%s' does not say '%s'", error.message, words);
}

/* ---- SQLite ---- */

static int number_in(sqlite3 *database, const char *statement)
{
  sqlite3_stmt *prepared;
  assert_int_equal(sqlite3_prepare_v2(database, statement, -1, &prepared, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_step(prepared), SQLITE_ROW);
  int number = sqlite3_column_int(prepared, 0);
  sqlite3_finalize(prepared);
  return number;
}

static void execute(sqlite3 *database, const char *statement)
{
  assert_int_equal(sqlite3_exec(database, statement, NULL, NULL, NULL), SQLITE_OK);
}

static pool_t *sqlite_pool(const char *name, const char *behind)
{
  char url[200];
  snprintf(url, sizeof url, "sqlite://%s%s", in_folder(name), behind);
  return pool_of(url);
}

static void sqlite_lends_databases(void **state)
{
  (void)state;
  pool_t *pool = sqlite_pool("shop.db", "?busy_ms=100");
  pool_lease_t lease = lease_from(pool);
  execute(pool_conn(lease), "CREATE TABLE goods(price); INSERT INTO goods VALUES(7)");
  give(lease);
  lease = lease_from(pool);
  assert_int_equal(number_in(pool_conn(lease), "SELECT price FROM goods"), 7);
  give(lease);
  end_pool(pool);
}

/* One for each function that is called to open. */
static void sqlite_opens_in_phases(void **state)
{
  char url[200];
  (void)state;
  snprintf(url, sizeof url, "sqlite://%s", in_folder("phases.db"));
  phases_expect(url, "sqlite3_open_v2 sqlite3_busy_timeout sqlite3_exec");
  phases_expect_check(url, "prepare sqlite3_open_v2 sqlite3_busy_timeout sqlite3_exec open check reset close");
}

static void sqlite_rolls_back_what_was_left_open(void **state)
{
  (void)state;
  pool_t *pool = sqlite_pool("left.db", "");
  pool_lease_t lease = lease_from(pool);
  sqlite3 *database = pool_conn(lease);
  execute(database, "CREATE TABLE goods(price); BEGIN; INSERT INTO goods VALUES(7)");
  give(lease);
  lease = lease_from(pool);
  assert_ptr_equal(pool_conn(lease), database);
  assert_int_equal(number_in(database, "SELECT count(*) FROM goods"), 0);
  give(lease);
  end_pool(pool);
}

static void sqlite_notices_that_a_file_vanished(void **state)
{
  (void)state;
  pool_t *pool = sqlite_pool("gone.db", "");
  pool_lease_t lease = lease_from(pool);
  execute(pool_conn(lease), "CREATE TABLE goods(price)");
  give(lease);
  assert_int_equal(unlink(in_folder("gone.db")), 0);
  lease = lease_from(pool); /* of a file that was made anew */
  assert_int_equal(number_in(pool_conn(lease), "SELECT count(*) FROM sqlite_master"), 0);
  give(lease);
  assert_int_equal(stats_of(pool).check_failures, 1);
  end_pool(pool);
}

static void sqlite_says_why_a_database_cannot_be_opened(void **state)
{
  (void)state;
  pool_t *pool = pool_of("sqlite:///nowhere/at/all.db");
  expect_failure(pool, 60000, POOL_E_OPEN, "sqlite3_open_v2: unable to open database file");
  end_pool(pool);
  write_file("text.db", "this is no database, and it is long enough to be read as one: %0500d", 0);
  pool = sqlite_pool("text.db", "");
  expect_failure(pool, 60000, POOL_E_OPEN, "sqlite3_exec: file is not a database");
  end_pool(pool);
}

/* ---- memcached ---- */

static void start_memcached(struct server *server, int port)
{
  char number[16];
  snprintf(number, sizeof number, "%d", port);
  server_start(server, (const char *[]){"memcached", "-l", "127.0.0.1", "-p", number, "-t", "1", NULL});
  server_await_port(server, port);
}

static void remember(memcached_st *memcached, const char *value)
{
  memcached_return_t code = memcached_set(memcached, "key", 3, value, strlen(value), 0, 0);
  assert_int_equal(code, MEMCACHED_SUCCESS);
}

static void expect_remembered(memcached_st *memcached, const char *value)
{
  size_t size;
  uint32_t flags;
  memcached_return_t code;
  char *found = memcached_get(memcached, "key", 3, &size, &flags, &code);
  assert_int_equal(code, MEMCACHED_SUCCESS);
  assert_int_equal(size, strlen(value));
  assert_memory_equal(found, value, size);
  free(found);
}

static void memcached_is_killed_stopped_and_started_again(void **state)
{
  struct server server;
  int port = server_free_port();
  char url[100];
  (void)state;
  server_make(&server, "memcache"); /* it refuses to run as root */
  start_memcached(&server, port);
  snprintf(url, sizeof url, "memcached://127.0.0.1:%d", port);
  pool_t *pool = pool_of(url);
  pool_lease_t lease = lease_from(pool);
  remember(pool_conn(lease), "value");
  give(lease);
  lease = lease_from(pool);
  expect_remembered(pool_conn(lease), "value");
  give(lease);
  server_freeze(&server);
  assert_int_equal(pool_get_for(pool, 200), POOL_E_TIMEOUT);
  server_thaw(&server);
  check_it(pool);
  server_kill(&server);
  expect_failure(pool, 60000, POOL_E_OPEN, "memcached_version: ");
  start_memcached(&server, port);
  check_it(pool);
  end_pool(pool);
  server_remove(&server);
}

/* ---- HTTP ---- */

/* A server of HTTP that counts connections, and writes down the head of its last request. */
struct http {
  int listener, port;
  _Atomic int connections, requests;
  _Atomic int peer; /* the descriptor of the last connection */
  pthread_mutex_t lock;
  char head[2000];
  pthread_t thread;
};

static void answer(struct http *http, int peer)
{
  static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: who=me\r\n\r\n";
  char head[sizeof http->head];
  size_t size = 0;
  ssize_t got;
  while ((got = recv(peer, head + size, sizeof head - size - 1, 0)) > 0) {
    head[size += (size_t)got] = 0;
    if (!strstr(head, "\r\n\r\n"))
      continue;
    pthread_mutex_lock(&http->lock);
    memcpy(http->head, head, size + 1);
    pthread_mutex_unlock(&http->lock);
    size = 0;
    atomic_fetch_add(&http->requests, 1);
    must(send(peer, reply, sizeof reply - 1, MSG_NOSIGNAL) == (ssize_t)sizeof reply - 1);
  }
}

static void *serve_http(void *data)
{
  struct http *http = data;
  for (int peer; (peer = accept(http->listener, NULL, NULL)) >= 0; close(peer)) {
    atomic_fetch_add(&http->connections, 1);
    atomic_store(&http->peer, peer);
    answer(http, peer);
  }
  return NULL;
}

static void http_begin(struct http *http)
{
  memset(http, 0, sizeof *http);
  pthread_mutex_init(&http->lock, NULL);
  http->listener = listen_locally(5, &http->port);
  http->thread = thread_start(serve_http, http);
}

/* Ends the listener first: no further connection is taken. */
static void http_end(struct http *http)
{
  shutdown(http->listener, SHUT_RDWR);
  shutdown(atomic_load(&http->peer), SHUT_RDWR);
  thread_end(http->thread);
  close(http->listener);
}

static bool has_sent(struct http *http, const char *words)
{
  pthread_mutex_lock(&http->lock);
  bool found = strstr(http->head, words) != NULL;
  pthread_mutex_unlock(&http->lock);
  return found;
}

static void curl_keeps_its_connection_and_forgets_what_was_set(void **state)
{
  struct http http;
  char url[100];
  (void)state;
  http_begin(&http);
  snprintf(url, sizeof url, "curl://anna:sesame@127.0.0.1:%d/api?protocol=http", http.port);
  pool_t *pool = pool_of(url);
  pool_lease_t lease = lease_from(pool);
  assert_true(has_sent(&http, "HEAD /api HTTP/1.1\r\n"));
  assert_true(has_sent(&http, "Authorization: Basic YW5uYTpzZXNhbWU=\r\n"));
  CURL *curl = pool_conn(lease);
  curl_easy_setopt(curl, CURLOPT_COOKIE, "of=anna");
  curl_easy_setopt(curl, CURLOPT_COOKIEFILE, "");
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "PURGE");
  assert_int_equal(curl_easy_perform(curl), CURLE_OK);
  assert_true(has_sent(&http, "PURGE /api HTTP/1.1\r\n") && has_sent(&http, "of=anna"));
  give(lease);
  lease = lease_from(pool);
  assert_ptr_equal(pool_conn(lease), curl);
  assert_int_equal(curl_easy_perform(curl), CURLE_OK);
  assert_true(has_sent(&http, "GET /api HTTP/1.1\r\n"));
  assert_true(has_sent(&http, "Authorization: Basic"));
  assert_false(has_sent(&http, "Cookie"));
  give(lease);
  assert_int_equal(atomic_load(&http.connections), 1);
  http_end(&http);
  expect_failure(pool, 60000, POOL_E_OPEN, "curl_easy_perform: ");
  end_pool(pool);
}

/* ---- LDAP ---- */

static void start_slapd(struct server *server, int port)
{
  char url[64];
  snprintf(url, sizeof url, "ldap://127.0.0.1:%d", port);
  server_start(server, (const char *[]){"/usr/sbin/slapd", "-f", in_folder("slapd.conf"), "-h", url, "-d", "0", NULL});
  server_await_port(server, port);
}

static void make_directory(void)
{
  mkdir(in_folder("directory"), 0700);
  write_file("slapd.conf",
             "include /etc/ldap/schema/core.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n"
             "pidfile %s/slapd.pid\nidletimeout 0\ndatabase mdb\nmaxsize 1048576\nsuffix \"dc=example\"\n"
             "rootdn \"cn=admin,dc=example\"\nrootpw sesame\ndirectory %s/directory\n",
             folder, folder);
}

static void expect_identity(LDAP *ldap, const char *identity)
{
  struct berval *found = NULL;
  assert_int_equal(ldap_whoami_s(ldap, &found, NULL, NULL), LDAP_SUCCESS);
  assert_string_equal(found->bv_len ? found->bv_val : "", identity);
  ber_bvfree(found);
}

static void ldap_stays_bound_as_the_user_of_the_url(void **state)
{
  struct server server;
  int port = server_free_port();
  char url[200];
  (void)state;
  make_directory();
  server_make(&server, NULL);
  start_slapd(&server, port);
  snprintf(url, sizeof url, "ldap://cn=admin%%2Cdc=example:sesame@127.0.0.1:%d?rebind=1&timeout_s=60", port);
  pool_t *pool = pool_of(url);
  pool_lease_t lease = lease_from(pool);
  LDAP *ldap = pool_conn(lease);
  expect_identity(ldap, "dn:cn=admin,dc=example");
  assert_int_equal(ldap_simple_bind_s(ldap, NULL, NULL), LDAP_SUCCESS);
  expect_identity(ldap, "");
  give(lease);
  lease = lease_from(pool);
  assert_ptr_equal(pool_conn(lease), ldap);
  expect_identity(ldap, "dn:cn=admin,dc=example");
  give(lease);
  server_freeze(&server);
  assert_int_equal(pool_get_for(pool, 200), POOL_E_TIMEOUT);
  server_thaw(&server);
  check_it(pool);
  server_kill(&server);
  expect_failure(pool, 60000, POOL_E_OPEN, "ldap_simple_bind_s: Can't contact LDAP server");
  start_slapd(&server, port);
  check_it(pool);
  end_pool(pool);
  snprintf(url, sizeof url, "ldap://cn=admin%%2Cdc=example:hunter2@127.0.0.1:%d", port);
  pool = pool_of(url);
  expect_failure(pool, 60000, POOL_E_OPEN, "ldap_simple_bind_s: Invalid credentials");
  end_pool(pool);
  server_remove(&server);
}

/* ---- SSH ---- */

static void make_key(const char *name, const char *type, const char *passphrase)
{
  char command[300];
  snprintf(command, sizeof command, "ssh-keygen -q -t %s -m PEM -N '%s' -f %s", type, passphrase, in_folder(name));
  assert_int_equal(system(command), 0);
}

static void make_sshd(int port)
{
  char key[1000];
  make_key("host", "ed25519", "");
  make_key("user", "ecdsa", "open sesame");
  read_file("user.pub", key, sizeof key);
  write_file("authorized", "%s", key);
  read_file("host.pub", key, sizeof key);
  write_file("known", "[127.0.0.1]:%d %s", port, key);
  write_file("empty", "%s", "");
  write_file("sshd.conf",
             "Port %d\nListenAddress 127.0.0.1\nHostKey %s/host\nPidFile %s/sshd.pid\nAuthorizedKeysFile "
             "%s/authorized\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\nLogLevel "
             "ERROR\n",
             port, folder, folder, folder);
  if (geteuid() == 0)
    mkdir("/run/sshd", 0755); /* where Debian's sshd separates privileges */
}

static pool_t *ssh_pool(int port, const char *known, const char *passphrase)
{
  char url[500];
  snprintf(url, sizeof url, "ssh://%s@127.0.0.1:%d?known_hosts=%s&key=%s&passphrase=%s", getpwuid(geteuid())->pw_name,
           port, in_folder(known), in_folder("user"), passphrase);
  return pool_of(url);
}

static void expect_output(LIBSSH2_SESSION *session, const char *command, const char *output)
{
  char text[100];
  size_t size = 0;
  LIBSSH2_CHANNEL *channel = libssh2_channel_open_session(session);
  assert_non_null(channel);
  assert_int_equal(libssh2_channel_exec(channel, command), 0);
  for (ssize_t got; (got = libssh2_channel_read(channel, text + size, sizeof text - size - 1)) > 0;)
    size += (size_t)got;
  text[size] = 0;
  assert_string_equal(text, output);
  libssh2_channel_free(channel);
}

static void ssh_logs_in_to_hosts_that_are_known(void **state)
{
  struct server server;
  int port = server_free_port();
  (void)state;
  make_sshd(port);
  server_make(&server, NULL);
  server_start(&server, (const char *[]){"/usr/sbin/sshd", "-D", "-e", "-f", in_folder("sshd.conf"), NULL});
  server_await_port(&server, port);
  pool_t *pool = ssh_pool(port, "known", "open%20sesame");
  pool_lease_t lease = lease_from(pool);
  expect_output(pool_conn(lease), "echo hello", "hello\n");
  give(lease);
  check_it(pool);
  end_pool(pool);
  pool = ssh_pool(port, "empty", "open%20sesame");
  expect_failure(pool, 60000, POOL_E_OPEN, "libssh2_knownhost_checkp: the host and its key are not in known_hosts");
  end_pool(pool);
  pool = ssh_pool(port, "known", "hunter2");
  expect_failure(pool, 60000, POOL_E_OPEN, "libssh2_userauth_publickey_fromfile_ex: ");
  end_pool(pool);
  server_remove(&server);
  pool = ssh_pool(port, "known", "open%20sesame");
  expect_failure(pool, 60000, POOL_E_OPEN, "connecting to 127.0.0.1");
  end_pool(pool);
}

/* ---- what is no such server ---- */

static const char *const servers[] = {"memcached://127.0.0.1:%d", "curl://127.0.0.1:%d?protocol=http",
                                      "ldap://127.0.0.1:%d", "ssh://anna:sesame@127.0.0.1:%d?known_hosts=/dev/null"};

/* Sends what means nothing to anybody, and closes. */
static void *send_garbage(void *data)
{
  static const char garbage[] = "\0\xff\x30\x84\x7f\xff\xff\xff 418 SSH-9 \r\n\r\n\x80";
  const int *listener = data;
  for (int peer; (peer = accept(*listener, NULL, NULL)) >= 0; close(peer)) {
    send(peer, garbage, sizeof garbage, MSG_NOSIGNAL);
    shutdown(peer, SHUT_WR);
    for (char bytes[256]; recv(peer, bytes, sizeof bytes, 0) > 0;)
      ;
  }
  return NULL;
}

static void a_server_of_another_kind_is_refused(void **state)
{
  int port, listener = listen_locally(5, &port);
  pthread_t thread = thread_start(send_garbage, &listener);
  (void)state;
  for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
    char url[100];
    snprintf(url, sizeof url, servers[i], port);
    pool_t *pool = pool_of(url);
    pool_lease_t lease = pool_get_for(pool, 60000);
    if (lease != POOL_E_OPEN)
      fail_msg("%s: %lld", url, (long long)lease);
    end_pool(pool);
  }
  shutdown(listener, SHUT_RDWR);
  thread_end(thread);
  close(listener);
}

/* Takes connections, as a machine does whose programs hang. */
static void a_server_that_says_nothing_ends_no_later_than_the_deadline(void **state)
{
  int port, listener = listen_locally(5, &port);
  (void)state;
  for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
    char url[100];
    snprintf(url, sizeof url, servers[i], port);
    pool_t *pool = pool_of(url);
    int64_t began = now_ns();
    pool_lease_t lease = pool_get_for(pool, 200);
    if (lease != POOL_E_TIMEOUT)
      fail_msg("%s: %lld", url, (long long)lease);
    assert_true(now_ns() - began < INT64_C(25000000000)); /* not what each library waits by itself: 30 s or for ever */
    end_pool(pool);
  }
  close(listener);
}

/* ---- the folder ---- */

static int make_folder(void **state)
{
  (void)state;
  signal(SIGPIPE, SIG_DFL);
  return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
  char command[200];
  (void)state;
  snprintf(command, sizeof command, "rm -r '%s'", folder);
  return system(command);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sqlite_lends_databases),
      cmocka_unit_test(sqlite_opens_in_phases),
      cmocka_unit_test(sqlite_rolls_back_what_was_left_open),
      cmocka_unit_test(sqlite_notices_that_a_file_vanished),
      cmocka_unit_test(sqlite_says_why_a_database_cannot_be_opened),
      cmocka_unit_test(memcached_is_killed_stopped_and_started_again),
      cmocka_unit_test(curl_keeps_its_connection_and_forgets_what_was_set),
      cmocka_unit_test(ldap_stays_bound_as_the_user_of_the_url),
      cmocka_unit_test(ssh_logs_in_to_hosts_that_are_known),
      cmocka_unit_test(a_server_of_another_kind_is_refused),
      cmocka_unit_test(a_server_that_says_nothing_ends_no_later_than_the_deadline),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
