/* SPDX-License-Identifier: MIT */
/*
 * The jsonrpc driver against servers that follow a script.
 *
 * Each test has a server: a thread that runs the test's script over real sockets.  A script takes connections, reads
 * requests and sends replies, good or bad.  A failure in a script ends the program, because cmocka's assertions only
 * work in the test's own thread.  The tests wait for events, not for time to pass; the exceptions are tests of
 * deadlines.
 *
 * Shared by test and script: `reached` and `gate` of the server.  With them one waits for the other.
 */
#include "support.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pool/driver.h>

#include "holder.h"

#define MEBIBYTE ((size_t)1024 * 1024)
#define PATIENCE 20 /* seconds after which a script or a call that waits has failed */

#define require(condition) ((condition) ? (void)0 : give_up(__LINE__, #condition))

static void give_up(int line, const char *condition)
{
  fprintf(stderr, "%s:%d: in a thread of the test: %s failed (errno: %s)\n", __FILE__, line, condition,
          strerror(errno));
  abort();
}

/* ---- the server ---- */

struct server;
typedef void script_fn(struct server *server);

struct server {
  script_fn *script;
  int listener;
  char address[200];
  char folder[64];
  char path[100];
  pthread_t thread;
  struct gate gate;    /* the script waits here for the test */
  _Atomic int reached; /* how far the script has come */
};

/* A connection as the server sees it. */
struct peer {
  int socket;
  FILE *input;
  char *line; /* the request that was read last, its newline included */
  size_t capacity;
  ssize_t size;
  uint64_t id;
  char *args;
};

static void peer_accept(struct peer *peer, struct server *server)
{
  struct timeval patience = {.tv_sec = PATIENCE};
  int on = 1;
  do
    peer->socket = accept(server->listener, NULL, NULL);
  while (peer->socket < 0 && errno == EINTR);
  require(peer->socket >= 0);
  setsockopt(peer->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* refused by a Unix socket */
  setsockopt(peer->socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(peer->socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  peer->input = fdopen(dup(peer->socket), "r");
  require(peer->input);
}

static struct peer *peer_take(struct server *server)
{
  struct peer *peer = calloc(1, sizeof *peer);
  peer_accept(peer, server);
  return peer;
}

/* Reads one request.  False at the end. */
static bool peer_read(struct peer *peer)
{
  errno = 0;
  peer->size = getline(&peer->line, &peer->capacity, peer->input);
  if (peer->size <= 0) {
    require(errno != EAGAIN && errno != EWOULDBLOCK);
    return false;
  }
  char *tail = memrchr(peer->line, ']', (size_t)peer->size);
  require(tail && sscanf(tail, "],\"id\":%" SCNu64 "}\n", &peer->id) == 1);
  *tail = 0;
  peer->args = strstr(peer->line, "\"params\":[");
  require(peer->args);
  peer->args += strlen("\"params\":[");
  return true;
}

static uint64_t peer_expect(struct peer *peer)
{
  require(peer_read(peer));
  return peer->id;
}

static void peer_write(struct peer *peer, const char *data, size_t size)
{
  while (size > 0) {
    ssize_t sent = send(peer->socket, data, size, MSG_NOSIGNAL);
    require(sent > 0);
    data += sent;
    size -= (size_t)sent;
  }
}

static void peer_say(struct peer *peer, const char *text)
{
  peer_write(peer, text, strlen(text));
}

static void peer_answer(struct peer *peer, uint64_t id, const char *result)
{
  char head[64];
  sprintf(head, "{\"id\":%" PRIu64 ",\"result\":", id);
  peer_say(peer, head);
  peer_say(peer, result);
  peer_say(peer, ",\"error\":null}\n");
}

static void peer_end(struct peer *peer)
{
  fclose(peer->input);
  close(peer->socket);
  free(peer->line);
  free(peer);
}

/* Waits until the client is gone. */
static void peer_finish(struct peer *peer)
{
  require(!peer_read(peer));
  peer_end(peer);
}

static void *server_main(void *data)
{
  struct server *server = data;
  server->script(server);
  return NULL;
}

static void listen_tcp(struct server *server, int backlog)
{
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof name;
  server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(server->listener >= 0);
  assert_int_equal(bind(server->listener, (struct sockaddr *)&name, size), 0);
  assert_int_equal(listen(server->listener, backlog), 0);
  assert_int_equal(getsockname(server->listener, (struct sockaddr *)&name, &size), 0);
  sprintf(server->address, "127.0.0.1:%d", ntohs(name.sin_port));
}

static void listen_unix(struct server *server, int backlog)
{
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  strcpy(server->folder, "/tmp/jsonrpc_test.XXXXXX");
  assert_non_null(mkdtemp(server->folder));
  sprintf(server->path, "%s/socket", server->folder);
  strcpy(name.sun_path, server->path);
  server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(server->listener >= 0);
  assert_int_equal(bind(server->listener, (struct sockaddr *)&name, sizeof name), 0);
  assert_int_equal(listen(server->listener, backlog), 0);
  sprintf(server->address, "unix:%s", server->path);
}

enum family { TCP, UNIX };

static void server_start(struct server *server, enum family family, script_fn *script)
{
  *server = (struct server){.script = script};
  gate_init(&server->gate, false);
  if (family == TCP)
    listen_tcp(server, 64);
  else
    listen_unix(server, 64);
  if (script)
    server->thread = thread_start(server_main, server);
}

static void server_stop(struct server *server)
{
  if (server->script)
    thread_end(server->thread);
  close(server->listener);
  if (server->path[0]) {
    unlink(server->path);
    rmdir(server->folder);
  }
}

/* ---- the client ---- */

static pool_t *client_with(const char *address, int64_t call_timeout_ms, int32_t max_open)
{
  pool_config_t config = POOL_CONFIG_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool = NULL;
  config.max_open = max_open;
  config.call_timeout_ms = call_timeout_ms;
  if (pool_create_driver(&config, "jsonrpc", address, &pool, &error) != 0)
    fail_msg("pool_create_driver: %s", error.message);
  return pool;
}

static pool_lease_t get(pool_t *pool)
{
  pool_lease_t lease = pool_get(pool);
  pool_error_t error = POOL_ERROR_INIT;
  if (lease <= 0) {
    pool_failure(&error);
    fail_msg("pool_get: %s", error.message);
  }
  return lease;
}

static void client_end(pool_t *pool)
{
  assert_int_equal(pool_close(pool, 10000), 0);
  pool_free(pool);
}

static pool_bytes_t text(const char *json)
{
  return (pool_bytes_t){(char *)(uintptr_t)json, strlen(json)};
}

/* A call that must succeed with this reply. */
static void call_expect(pool_lease_t lease, const char *args, const char *expected)
{
  pool_bytes_t reply = {NULL, 0};
  pool_error_t error = POOL_ERROR_INIT;
  int code = pool_call(lease, "Test.Call", text(args), &reply, &error);
  if (code)
    fail_msg("%s: %d: %s", args, code, error.message);
  assert_int_equal(reply.size, strlen(expected));
  assert_memory_equal(reply.data, expected, reply.size);
  pool_bytes_free(&reply);
}

/* A call that must fail with this code and a message that contains these words. */
static void call_fails(pool_lease_t lease, const char *args, int code, const char *words)
{
  pool_error_t error = POOL_ERROR_INIT;
  int got = pool_call(lease, "Test.Call", text(args), NULL, &error);
  if (got != code || !strstr(error.message, words))
    fail_msg("expected %d and '%s', got %d: %s", code, words, got, error.message);
}

/* A call with a deadline of its own.  It goes past the pool: any vtable of the driver works with any of its
   connections. */
static int call_within(pool_lease_t lease, const char *args, int64_t timeout_ms, pool_bytes_t *reply,
                       pool_error_t *error)
{
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  void *context;
  if (pool_driver_prepare("jsonrpc", "unused:1", &vtable, &context, error) != 0)
    return 1;
  int code =
      vtable.call(context, pool_conn(lease), "Test.Call", text(args), reply, now_ns() + timeout_ms * 1000000, error);
  vtable.release(context);
  return code;
}

static void call_within_fails(pool_lease_t lease, const char *args, int64_t timeout_ms, int code, const char *words)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_bytes_t reply;
  int got = call_within(lease, args, timeout_ms, &reply, &error);
  if (got != code || !strstr(error.message, words))
    fail_msg("expected %d and '%s', got %d: %s", code, words, got, error.message);
}

/* How an async call ended. */
struct end {
  _Atomic int times;
  int code;
  pool_bytes_t reply;
};

static void on_done(void *user, int32_t code, pool_bytes_t reply)
{
  struct end *end = user;
  end->code = code;
  end->reply = reply;
  atomic_fetch_add(&end->times, 1);
}

static void go(pool_lease_t lease, const char *args, struct end *end)
{
  *end = (struct end){0};
  assert_true(pool_go(lease, "Test.Go", text(args), on_done, end) > 0);
}

static void end_expect(struct end *end, int code, const char *expected)
{
  wait_until(atomic_load(&end->times) == 1);
  assert_int_equal(end->code, code);
  assert_int_equal(end->reply.size, strlen(expected));
  if (end->reply.size)
    assert_memory_equal(end->reply.data, expected, end->reply.size);
  pool_bytes_free(&end->reply);
}

/* ---- a server and its client ---- */

/* The set-up of most tests: a server that follows a script, a pool, and a lease of its connection. */
struct scene {
  struct server server;
  pool_t *pool;
  pool_lease_t lease; /* 0: no lease, or it was put already */
};

static void scene_set(struct scene *scene, enum family family, script_fn *script, int32_t max_open)
{
  server_start(&scene->server, family, script);
  scene->pool = client_with(scene->server.address, PATIENCE * 1000, max_open);
  scene->lease = 0;
}

static pool_lease_t scene_begin_within(struct scene *scene, enum family family, script_fn *script,
                                       int64_t call_timeout_ms)
{
  server_start(&scene->server, family, script);
  scene->pool = client_with(scene->server.address, call_timeout_ms, 1);
  return scene->lease = get(scene->pool);
}

static pool_lease_t scene_begin(struct scene *scene, enum family family, script_fn *script)
{
  return scene_begin_within(scene, family, script, PATIENCE * 1000);
}

/* With options in the address. */
static pool_lease_t scene_begin_with(struct scene *scene, script_fn *script, const char *options)
{
  char address[300];
  server_start(&scene->server, TCP, script);
  sprintf(address, "%s%s", scene->server.address, options);
  scene->pool = client_with(address, PATIENCE * 1000, 1);
  return scene->lease = get(scene->pool);
}

static void scene_put(struct scene *scene)
{
  pool_put(scene->lease);
  scene->lease = 0;
}

static void scene_end(struct scene *scene)
{
  if (scene->lease)
    scene_put(scene);
  client_end(scene->pool);
  server_stop(&scene->server);
}

/* ---- scripts that more than one test uses ---- */

/* Answers each request with its args, until the client is gone. */
static void echo_peer(struct peer *peer)
{
  while (peer_read(peer))
    peer_answer(peer, peer->id, peer->args);
  peer_end(peer);
}

static void echo(struct server *server)
{
  echo_peer(peer_take(server));
}

/* Takes one connection and waits for its end. */
static void listen_only(struct server *server)
{
  struct peer *peer = peer_take(server);
  while (peer_read(peer))
    atomic_fetch_add(&server->reached, 1);
  peer_end(peer);
}

/* ---- addresses ---- */

static int prepare(const char *address, pool_error_t *error)
{
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  void *context;
  int code = pool_driver_prepare("jsonrpc", address, &vtable, &context, error);
  if (code == 0)
    vtable.release(context);
  return code;
}

static void test_jsonrpc__good_addresses_are_accepted(void **state)
{
  (void)state;
  static const char *const good[] = {
      "localhost:1",
      "127.0.0.1:65535",
      "[::1]:8080",
      "[fe80::1%lo]:80",
      "unix:/tmp/socket",
      "example.org:00080",
      "unix:/a:b?max_reply_bytes=1",
      "host:80?max_reply_bytes=1000000",
  };
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    pool_error_t error = POOL_ERROR_INIT;
    if (prepare(good[i], &error) != 0)
      fail_msg("%s: %s", good[i], error.message);
  }
}

static void test_jsonrpc__bad_addresses_are_refused_and_explained(void **state)
{
  (void)state;
  static const struct {
    const char *address;
    const char *words;
  } bad[] = {
      {"", "port is missing"},
      {"localhost", "port is missing"},
      {":80", "host is empty"},
      {"localhost:", "1 to 65535"},
      {"localhost:0", "1 to 65535"},
      {"localhost:65536", "1 to 65535"},
      {"localhost:99999999999999999999", "1 to 65535"},
      {"localhost:http", "1 to 65535"},
      {"localhost:-1", "1 to 65535"},
      {"localhost: 80", "1 to 65535"},
      {"::1:80", "brackets"},
      {"[::1]", "']:'"},
      {"[::1", "']:'"},
      {"[::1]80", "']:'"},
      {"[]:80", "IPv6"},
      {"[localhost]:80", "IPv6"},
      {"unix:", "begins with '/'"},
      {"unix:socket", "begins with '/'"},
      {"unix:/"
       "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt",
       "at most 107"},
      {"localhost:80?", "unknown option ''"},
      {"localhost:80?timeout=1", "unknown option 'timeout'"},
      {"localhost:80?max_reply_bytes", "max_reply_bytes must be"},
      {"localhost:80?max_reply_bytes=", "max_reply_bytes must be"},
      {"localhost:80?max_reply_bytes=0", "max_reply_bytes must be"},
      {"localhost:80?max_reply_bytes=-5", "max_reply_bytes must be"},
      {"localhost:80?max_reply_bytes=1k", "max_reply_bytes must be"},
      {"localhost:80?max_reply_bytes=99999999999999999999999", "max_reply_bytes must be"},
      {"localhost:80?max_reply_bytes=1&", "unknown option ''"},
      {"localhost:80?max_reply_bytes=5&max_reply_bytes=6", "sets max_reply_bytes twice"},
      {"jsonrpc://localhost:80?max_reply_bytes=5&max_reply_bytes=5", "sets max_reply_bytes twice"},
      {"jsonrpc://", "jsonrpc://HOST:PORT"},
      {"jsonrpc://localhost", "port is missing"},
      {"jsonrpc://localhost:99999", "1 to 65535"},
      {"jsonrpc://localhost:80/path", "jsonrpc://HOST:PORT"},
      {"jsonrpc://user@localhost:80", "jsonrpc://HOST:PORT"},
      {"jsonrpc://a:80,b:80", "jsonrpc://HOST:PORT"},
      {"jsonrpc://localhost:80?timeout=1", "unknown option 'timeout'"},
      {"jsonrpc://localhost:80?max_reply_bytes=%30", "max_reply_bytes must be"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    pool_error_t error = POOL_ERROR_INIT;
    int code = prepare(bad[i].address, &error);
    if (code != POOL_E_INVALID || !strstr(error.message, bad[i].words))
      fail_msg("%s: %d: %s", bad[i].address, code, error.message);
  }
}

/* ---- calls ---- */

/* Must be the first test that calls, because the poller never ends. */
static void test_jsonrpc__sync_calls_start_no_thread(void **state)
{
  (void)state;
  struct scene scene;
  pool_lease_t lease = scene_begin(&scene, TCP, echo);
  int before = thread_count();
  for (int i = 0; i < 100; i++)
    call_expect(lease, "1", "1");
  assert_int_equal(thread_count(), before);
  scene_end(&scene);
}

static void script_wire_format(struct server *server)
{
  static const char *const expected[] = {
      "{\"method\":\"Arith.Mul\",\"params\":[{\"A\":6,\"B\":7}],\"id\":1}\n",
      "{\"method\":\"Arith.Mul\",\"params\":[null],\"id\":2}\n",
      "{\"method\":\"a\\\"b\\\\c\\n\",\"params\":[ 123456789012345678901234567890 ],\"id\":3}\n",
  };
  struct peer *peer = peer_take(server);
  for (size_t i = 0; i < 3; i++) {
    ssize_t size = getline(&peer->line, &peer->capacity, peer->input);
    require(size == (ssize_t)strlen(expected[i]) && strcmp(peer->line, expected[i]) == 0);
    peer_answer(peer, i + 1, "42");
  }
  peer_finish(peer);
}

static void wire_format(enum family family)
{
  struct scene scene;
  pool_lease_t lease = scene_begin(&scene, family, script_wire_format);
  pool_bytes_t reply;
  assert_int_equal(pool_call(lease, "Arith.Mul", text("{\"A\":6,\"B\":7}"), &reply, NULL), 0);
  assert_int_equal(reply.size, 2);
  assert_string_equal(reply.data, "42");
  pool_bytes_free(&reply);
  assert_int_equal(pool_call(lease, "Arith.Mul", (pool_bytes_t){NULL, 0}, NULL, NULL), 0);
  assert_int_equal(pool_call(lease, "a\"b\\c\n", text(" 123456789012345678901234567890 "), NULL, NULL), 0);
  scene_end(&scene);
}

static void test_jsonrpc__requests_are_as_go_writes_them_over_tcp(void **state)
{
  (void)state;
  wire_format(TCP);
}

static void test_jsonrpc__requests_are_as_go_writes_them_over_unix_sockets(void **state)
{
  (void)state;
  wire_format(UNIX);
}

static const char *const verbatim[] = {
    "18446744073709551615",
    "-0.1e-7",
    "null",
    "false",
    "\"\\u0000 \\ud83d\\ude00 }\"",
    "{ \"result\" : [ 1 , { \"error\" : \"x\" } ] }",
    "[]",
    "\"\"",
};
#define VERBATIM (sizeof verbatim / sizeof verbatim[0])

static void script_verbatim(struct server *server)
{
  struct peer *peer = peer_take(server);
  for (size_t i = 0; i < VERBATIM; i++) {
    char pretty[200];
    uint64_t id = peer_expect(peer);
    sprintf(pretty, "\r\n {\n\t\"error\" : null,\n\t\"result\" : %s\n,\n\t\"id\" : %" PRIu64 "\n}", verbatim[i], id);
    peer_say(peer, pretty);
  }
  peer_finish(peer);
}

static void test_jsonrpc__replies_are_verbatim(void **state)
{
  (void)state;
  struct scene scene;
  pool_lease_t lease = scene_begin(&scene, TCP, script_verbatim);
  for (size_t i = 0; i < VERBATIM; i++)
    call_expect(lease, "1", verbatim[i]);
  scene_end(&scene);
}

/* The server receives good requests only, and the connection stays good. */
static void test_jsonrpc__bad_args_are_not_sent(void **state)
{
  (void)state;
  static const char *const bad[] = {" ",        "x", "{\"a\":}", "1 2", "1],\"id\":7}\n{\"method\":\"x\",\"params\":[1",
                                    "\"\xff\"", "[1"};
  struct scene scene;
  struct end end = {0};
  pool_lease_t lease = scene_begin(&scene, TCP, echo);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    call_fails(lease, bad[i], POOL_E_INVALID, "not sent");
    assert_int_equal(pool_go(lease, "Test.Go", text(bad[i]), on_done, &end), POOL_E_INVALID);
  }
  assert_int_equal(pool_call(lease, "\xff", text("1"), NULL, NULL), POOL_E_INVALID);
  call_expect(lease, "{\"a\":[1,2.50,\"\\u00e4\"]}", "{\"a\":[1,2.50,\"\\u00e4\"]}");
  assert_int_equal(atomic_load(&end.times), 0);
  assert_int_equal(stats_of(scene.pool).opened, 1);
  scene_end(&scene);
}

#define LONG_ERROR 300

static void script_errors(struct server *server)
{
  struct peer *peer = peer_take(server);
  char reply[LONG_ERROR * 2 + 100];
  sprintf(reply, "{\"id\":%" PRIu64 ",\"result\":null,\"error\":\"divide by \\\"zero\\\"\"}", peer_expect(peer));
  peer_say(peer, reply);
  sprintf(reply, "{\"id\":%" PRIu64 ",\"error\":{\"code\":18446744073709551615}}", peer_expect(peer));
  peer_say(peer, reply);
  for (int i = 0; i < 2; i++) {
    int size = sprintf(reply, "{\"id\":%" PRIu64 ",\"result\":1,\"error\":\"x", peer_expect(peer));
    for (int j = 0; j < LONG_ERROR; j++)
      size += sprintf(reply + size, "ä");
    sprintf(reply + size, "\"}");
    peer_say(peer, reply);
  }
  peer_answer(peer, peer_expect(peer), "\"fine\"");
  peer_finish(peer);
}

static void test_jsonrpc__errors_of_the_server_reach_the_caller(void **state)
{
  (void)state;
  struct scene scene;
  struct end end;
  char expected[LONG_ERROR * 2 + 2] = "x";
  for (int i = 0; i < LONG_ERROR; i++)
    strcat(expected, "ä");
  pool_lease_t lease = scene_begin(&scene, TCP, script_errors);
  call_fails(lease, "1", POOL_E_REMOTE, "divide by \"zero\"");
  call_fails(lease, "1", POOL_E_REMOTE, "{\"code\":18446744073709551615}");
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(pool_call(lease, "Test.Call", text("1"), NULL, &error), POOL_E_REMOTE);
  assert_int_equal(strlen(error.message), sizeof error.message - 1); /* a whole number of characters */
  assert_memory_equal(error.message, expected, sizeof error.message - 1);
  go(lease, "1", &end);
  end_expect(&end, POOL_E_REMOTE, expected);
  call_expect(lease, "1", "\"fine\"");
  scene_end(&scene);
}

static void script_byte_by_byte(struct server *server)
{
  struct peer *peer = peer_take(server);
  while (peer_read(peer)) {
    char reply[100];
    sprintf(reply, " {\"id\":%" PRIu64 ",\"result\":[\"a}\\\"\",{}],\"error\":null}\n", peer->id);
    for (size_t i = 0; reply[i]; i++)
      peer_write(peer, reply + i, 1);
  }
  peer_end(peer);
}

static void test_jsonrpc__replies_may_come_byte_by_byte(void **state)
{
  (void)state;
  struct scene scene;
  struct end end;
  pool_lease_t lease = scene_begin(&scene, UNIX, script_byte_by_byte);
  for (int i = 0; i < 20; i++) {
    call_expect(lease, "1", "[\"a}\\\"\",{}]");
    go(lease, "1", &end);
    end_expect(&end, 0, "[\"a}\\\"\",{}]");
  }
  scene_end(&scene);
}

enum { BATCH = 50 };

static void script_backwards(struct server *server)
{
  struct peer *peer = peer_take(server);
  uint64_t ids[BATCH];
  char results[BATCH][32];
  for (int i = 0; i < BATCH; i++) {
    ids[i] = peer_expect(peer);
    snprintf(results[i], sizeof results[i], "%s", peer->args);
  }
  for (int i = BATCH - 1; i >= 0; i--)
    peer_answer(peer, ids[i], results[i]);
  peer_finish(peer);
}

static void test_jsonrpc__replies_may_come_out_of_order(void **state)
{
  (void)state;
  struct scene scene;
  struct end ends[BATCH];
  char args[32];
  pool_lease_t lease = scene_begin(&scene, TCP, script_backwards);
  for (int i = 0; i < BATCH - 1; i++) {
    sprintf(args, "%d", i);
    go(lease, args, &ends[i]);
  }
  call_expect(lease, "\"last\"", "\"last\"");
  for (int i = 0; i < BATCH - 1; i++) {
    sprintf(args, "%d", i);
    end_expect(&ends[i], 0, args);
  }
  scene_end(&scene);
}

/* ---- many threads ---- */

enum { CALLERS = 8, ROUNDS = 200 };

struct caller {
  pool_lease_t lease;
  int number;
};

static void expect_in_thread(pool_lease_t lease, const char *args)
{
  pool_bytes_t reply;
  pool_error_t error = POOL_ERROR_INIT;
  int code = pool_call(lease, "Test.Call", text(args), &reply, &error);
  if (code)
    fprintf(stderr, "%d: %s\n", code, error.message);
  require(code == 0 && strcmp(reply.data, args) == 0);
  pool_bytes_free(&reply);
}

/* Each second thread has an async call under way while it waits for a sync one. */
static void *call_often(void *data)
{
  struct caller *caller = data;
  for (int i = 0; i < ROUNDS; i++) {
    char args[64], other[64];
    struct end end = {0};
    sprintf(args, "[%d,%d]", caller->number, i);
    sprintf(other, "{\"async\":[%d,%d]}", caller->number, i);
    bool both = caller->number % 2;
    if (both)
      require(pool_go(caller->lease, "Test.Go", text(other), on_done, &end) > 0);
    expect_in_thread(caller->lease, args);
    if (!both)
      continue;
    while (atomic_load(&end.times) == 0)
      yield_ns();
    require(end.code == 0 && strcmp(end.reply.data, other) == 0);
    pool_bytes_free(&end.reply);
  }
  return NULL;
}

static void test_jsonrpc__many_threads_call_on_one_lease(void **state)
{
  (void)state;
  struct scene scene;
  struct caller callers[CALLERS];
  pthread_t threads[CALLERS];
  pool_lease_t lease = scene_begin(&scene, TCP, echo);
  for (int i = 0; i < CALLERS; i++) {
    callers[i] = (struct caller){lease, i};
    threads[i] = thread_start(call_often, &callers[i]);
  }
  for (int i = 0; i < CALLERS; i++)
    thread_end(threads[i]);
  assert_int_equal(stats_of(scene.pool).opened, 1);
  scene_end(&scene);
}

/* ---- deadlines ---- */

/* Keeps the first two requests until the third is there. */
static void script_late(struct server *server)
{
  struct peer *peer = peer_take(server);
  uint64_t late = peer_expect(peer);
  uint64_t later = peer_expect(peer);
  uint64_t next = peer_expect(peer);
  peer_answer(peer, late, "\"late\"");
  peer_answer(peer, later, "\"later\"");
  peer_answer(peer, next, "\"next\"");
  peer_answer(peer, late, "\"again\"");
  peer_answer(peer, peer_expect(peer), "\"last\"");
  peer_finish(peer);
}

static void test_jsonrpc__late_replies_are_dropped(void **state)
{
  (void)state;
  struct scene scene;
  struct end end;
  pool_lease_t lease = scene_begin(&scene, TCP, script_late);
  int64_t began = now_ns();
  call_within_fails(lease, "1", 50, POOL_E_TIMEOUT, "waiting for the reply");
  assert_true(now_ns() - began >= 50000000);
  call_within_fails(lease, "2", 50, POOL_E_TIMEOUT, "waiting for the reply");
  go(lease, "3", &end);
  end_expect(&end, 0, "\"next\"");
  call_expect(lease, "4", "\"last\"");
  assert_int_equal(stats_of(scene.pool).opened, 1);
  scene_end(&scene);
}

/* The same with async calls, which the poller ends. */
static void script_late_async(struct server *server)
{
  struct peer *peer = peer_take(server);
  uint64_t late = peer_expect(peer);
  uint64_t next = peer_expect(peer);
  peer_answer(peer, late, "\"late\"");
  peer_answer(peer, next, "\"next\"");
  peer_finish(peer);
}

static void test_jsonrpc__late_async_replies_are_dropped(void **state)
{
  (void)state;
  struct scene scene;
  struct end end;
  pool_bytes_t reply;
  pool_error_t error = POOL_ERROR_INIT;
  pool_lease_t lease = scene_begin_within(&scene, TCP, script_late_async, 50);
  int64_t began = now_ns();
  go(lease, "1", &end);
  end_expect(&end, POOL_E_TIMEOUT, "");
  assert_true(now_ns() - began >= 50000000);
  assert_int_equal(call_within(lease, "2", PATIENCE * 1000, &reply, &error), 0);
  assert_string_equal(reply.data, "\"next\"");
  pool_bytes_free(&reply);
  scene_end(&scene);
}

/* A sync call with a late deadline. */
static void *call_patiently(void *data)
{
  pool_bytes_t reply;
  pool_error_t error = POOL_ERROR_INIT;
  int code = call_within(*(pool_lease_t *)data, "1", PATIENCE * 1000, &reply, &error);
  require(code == 0 && strcmp(reply.data, "\"patient\"") == 0);
  pool_bytes_free(&reply);
  return NULL;
}

static void script_patient(struct server *server)
{
  struct peer *peer = peer_take(server);
  uint64_t id = peer_expect(peer);
  atomic_store(&server->reached, 1);
  peer_expect(peer);
  gate_pass(&server->gate);
  peer_answer(peer, id, "\"patient\"");
  peer_finish(peer);
}

static void test_jsonrpc__poller_keeps_async_deadlines_beside_a_reader(void **state)
{
  (void)state;
  struct scene scene;
  struct end end;
  pool_lease_t lease = scene_begin_within(&scene, TCP, script_patient, 100);
  pthread_t reader = thread_start(call_patiently, &lease);
  wait_until(atomic_load(&scene.server.reached) == 1);
  go(lease, "2", &end);
  end_expect(&end, POOL_E_TIMEOUT, "");
  gate_set(&scene.server.gate, true);
  thread_end(reader);
  scene_end(&scene);
}

/* Connects until the listener takes no more connections. */
static size_t fill_backlog(struct server *server, int *sockets, size_t most)
{
  struct sockaddr_storage name;
  socklen_t size = sizeof name;
  assert_int_equal(getsockname(server->listener, (struct sockaddr *)&name, &size), 0);
  for (size_t i = 0; i < most; i++) {
    sockets[i] = socket(name.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connect(sockets[i], (struct sockaddr *)&name, size) == 0)
      continue;
    struct pollfd set = {.fd = sockets[i], .events = POLLOUT};
    if (errno != EINPROGRESS || poll(&set, 1, 100) == 0)
      return i + 1;
  }
  fail_msg("the backlog never fills");
  return most;
}

static void connect_deadline(enum family family)
{
  struct server server = {0};
  int sockets[20];
  if (family == TCP)
    listen_tcp(&server, 0);
  else
    listen_unix(&server, 0);
  size_t filled = fill_backlog(&server, sockets, 20);
  pool_t *pool = client_with(server.address, PATIENCE * 1000, 1);
  int64_t began = now_ns();
  assert_int_equal(pool_get_for(pool, 100), POOL_E_TIMEOUT);
  int64_t took = now_ns() - began;
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(pool_failure(&error), POOL_E_TIMEOUT);
  if (!strstr(error.message, "connecting to ") || error.native != ETIMEDOUT)
    fail_msg("%d: %s", error.native, error.message);
  assert_true(took >= 90000000 && took < 5000000000);
  client_end(pool);
  for (size_t i = 0; i < filled; i++)
    close(sockets[i]);
  server_stop(&server);
}

static void test_jsonrpc__connecting_keeps_its_deadline_over_tcp(void **state)
{
  (void)state;
  connect_deadline(TCP);
}

static void test_jsonrpc__connecting_keeps_its_deadline_over_unix_sockets(void **state)
{
  (void)state;
  connect_deadline(UNIX);
}

static void refused(const char *address, int native)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool = client_with(address, -1, 1);
  assert_int_equal(pool_get(pool), POOL_E_OPEN);
  pool_failure(&error);
  if (error.native != native || !strstr(error.message, strerror(native)))
    fail_msg("%d: %s", error.native, error.message);
  client_end(pool);
}

static void test_jsonrpc__refused_connections_say_why(void **state)
{
  (void)state;
  struct server server;
  server_start(&server, TCP, NULL);
  close(server.listener);
  refused(server.address, ECONNREFUSED);
  server_start(&server, UNIX, NULL);
  close(server.listener);
  refused(server.address, ECONNREFUSED);
  unlink(server.path);
  refused(server.address, ENOENT);
  rmdir(server.folder);
}

static void test_jsonrpc__unknown_host_is_named(void **state)
{
  (void)state;
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool = client_with("[1:2:3]:80", -1, 1);
  assert_int_equal(pool_get(pool), POOL_E_OPEN);
  pool_failure(&error);
  assert_non_null(strstr(error.message, "looking up 1:2:3"));
  client_end(pool);
}

/* ---- bombs: texts that cost more than their bytes if a tree is made of them ---- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
/* A sanitizer has notes for each byte, and keeps memory that is freed. */
enum { LARGE_BOMB = 4 * 1024 * 1024, BOMB = 2 * 1024 * 1024, SHADOWS = 10 };
#else
enum { LARGE_BOMB = 60 * 1024 * 1024, BOMB = 8 * 1024 * 1024, SHADOWS = 1 };
#endif

struct bomb {
  struct scene scene;
  const char *head, *piece, *tail;
  size_t size;
};

/* Fills in as many pieces as there is room for. */
static char *bomb_text(const struct bomb *bomb)
{
  char *made = malloc(bomb->size + 200), *at = made + sprintf(made, "%s", bomb->head);
  size_t size = strlen(bomb->piece);
  for (; at + size < made + bomb->size; at += size)
    memcpy(at, bomb->piece, size);
  strcpy(at, bomb->tail);
  return made;
}

/* The peak of this process's memory in KiB, since the last time that the peak was reset. */
static long memory_peak(bool reset)
{
  long peak = 0;
  char line[200];
  if (reset) {
    FILE *refs = fopen("/proc/self/clear_refs", "w");
    assert_non_null(refs);
    fputs("5", refs);
    fclose(refs);
  }
  FILE *status = fopen("/proc/self/status", "r");
  assert_non_null(status);
  while (fgets(line, sizeof line, status))
    if (strncmp(line, "VmHWM:", 6) == 0)
      peak = strtol(line + 6, NULL, 10);
  fclose(status);
  return peak;
}

/* The client may close the connection before it has read all of the reply. */
static void script_bomb(struct server *server)
{
  const struct bomb *bomb = (const struct bomb *)server;
  struct peer *peer = peer_take(server);
  char *made = bomb_text(bomb);
  gate_pass(&server->gate);
  peer_expect(peer);
  for (const char *at = made, *end = made + strlen(made); at < end;) {
    ssize_t sent = send(peer->socket, at, (size_t)(end - at), MSG_NOSIGNAL);
    if (sent <= 0)
      break;
    at += sent;
  }
  free(made);
  while (peer_read(peer))
    ;
  peer_end(peer);
}

/* One call, whose reply is a bomb.  It ends in time, and takes memory for the text, its copy and little more. */
static void defuse(size_t size, const char *head, const char *piece, const char *tail, int code)
{
  struct bomb bomb = {.head = head, .piece = piece, .tail = tail, .size = size};
  pool_lease_t lease = scene_begin_within(&bomb.scene, UNIX, script_bomb, 2000);
  wait_until(gate_waiting(&bomb.scene.server.gate) == 1); /* its text is ready */
  long before = memory_peak(true);
  gate_set(&bomb.scene.server.gate, true);
  int64_t began = now_ns();
  pool_bytes_t reply = {NULL, 0};
  pool_error_t error = POOL_ERROR_INIT;
  int got = pool_call(lease, "Test.Call", text("1"), &reply, &error);
  int64_t took = now_ns() - began;
  long needed = memory_peak(false) - before;
  pool_bytes_free(&reply);
  scene_end(&bomb.scene);
  if (got != code && got != POOL_E_TIMEOUT)
    fail_msg("%s%s: %d: %s", head, piece, got, error.message);
  if (took > INT64_C(4000000000))
    fail_msg("%s%s: %d ms with a deadline of 2 s", head, piece, (int)(took / 1000000));
  if (needed > (long)size / 1024 * 3 * SHADOWS)
    fail_msg("%s%s: %ld KiB for a text of %d KiB", head, piece, needed, (int)(size / 1024));
}

static void test_jsonrpc__bombs_cost_no_more_than_their_bytes(void **state)
{
  (void)state;
  defuse(LARGE_BOMB, "{\"id\":1,\"error\":null,\"result\":[{}", ",{}", "]}", 0);
  defuse(BOMB, "{\"id\":1,\"error\":null,\"result\":[[]", ",[1]", "]}", 0);
  defuse(BOMB, "{\"id\":1,\"error\":null,\"result\":", "[", "]}", POOL_E_BROKEN);
  defuse(BOMB, "{\"id\":1,\"error\":null,\"result\":", "{\"\":", "}}", POOL_E_BROKEN);
  defuse(BOMB, "{\"id\":1,\"error\":null,\"result\":\"", "x", "\"}", 0);
  defuse(BOMB, "{\"id\":1,\"error\":null,\"result\":\"", "\\ud83d\\ude00", "\"}", 0);
  defuse(BOMB, "{\"id\":1,\"error\":null,\"result\":1", "0", "}", 0);
  defuse(BOMB, "{\"id\":1,\"error\":null,\"result\":1", " ", "}", 0);
  defuse(BOMB, "{\"error\":null,\"result\":1,\"id\":1", "0", "}", POOL_E_BROKEN);
  defuse(BOMB, "{\"error\":null,\"result\":1,\"id\":7", ",\"id\":1", "}", 0); /* of several ids the last one counts */
  defuse(BOMB, "{\"id\":1,\"result\":null,\"error\":\"", "\\u0041", "\"}", POOL_E_REMOTE);
  defuse(BOMB, "{\"id\":1,\"result\":null,\"error\":[0", ",0", "]}", POOL_E_REMOTE);
  defuse(BOMB, " ", " ", "{\"id\":1,\"result\":1,\"error\":null}", 0);
}

static void test_jsonrpc__bombs_as_args_cost_no_more_than_their_bytes(void **state)
{
  (void)state;
  struct bomb bomb = {.head = "[{}", .piece = ",{}", .tail = "]", .size = LARGE_BOMB};
  struct end end;
  char *args = bomb_text(&bomb);
  pool_lease_t lease = scene_begin_within(&bomb.scene, UNIX, NULL, 1000); /* the server never reads */
  for (int async = 0; async < 2; async++) {
    long before = memory_peak(true);
    int64_t began = now_ns();
    int code = async ? (int)pool_go(lease, "Test.Go", text(args), on_done, &end)
                     : pool_call(lease, "Test.Call", text(args), NULL, NULL);
    assert_true(code == POOL_E_TIMEOUT || code == POOL_E_BROKEN); /* broken: a part was sent */
    assert_true(now_ns() - began < INT64_C(3000000000));
    assert_true(memory_peak(false) - before < (long)LARGE_BOMB / 1024 / 4 * SHADOWS);
  }
  scene_end(&bomb.scene);
  free(args);
}

/* The poller reads a bomb, and keeps the deadlines of other connections meanwhile. */
static void test_jsonrpc__bomb_on_one_connection_delays_no_deadline_of_another(void **state)
{
  (void)state;
  struct bomb bomb = {
      .head = "{\"id\":1,\"error\":null,\"result\":[{}", .piece = ",{}", .tail = "]}", .size = LARGE_BOMB};
  struct scene silent;
  struct end slow, timed;
  pool_lease_t lease = scene_begin(&bomb.scene, UNIX, script_bomb);
  pool_lease_t waiting = scene_begin_within(&silent, UNIX, listen_only, 100);
  wait_until(gate_waiting(&bomb.scene.server.gate) == 1);
  go(lease, "1", &slow);
  gate_set(&bomb.scene.server.gate, true);
  int64_t most = 0;
  for (int i = 0; i < 5 || atomic_load(&slow.times) == 0; i++) {
    int64_t since = now_ns();
    go(waiting, "1", &timed);
    end_expect(&timed, POOL_E_TIMEOUT, "");
    most = now_ns() - since > most ? now_ns() - since : most;
  }
  assert_true(most < INT64_C(3000000000)); /* the deadline is 100 ms; a busy machine may be late */
  assert_int_equal(slow.code, 0);
  pool_bytes_free(&slow.reply);
  scene_end(&bomb.scene);
  scene_end(&silent);
}

/* ---- broken connections ---- */

enum { CAPRICIOUS = 400, BURST = 8, GOERS = 4 };

/* Answers some requests of each connection, then closes it, perhaps with requests unread. */
static void script_capricious(struct server *server)
{
  uint64_t dice = 7;
  for (int i = 0; i < CAPRICIOUS; i++) {
    struct peer *peer = peer_take(server);
    for (uint32_t left = random_next(&dice) % (3 * BURST); left > 0 && peer_read(peer); left--)
      if (random_next(&dice) % 8)
        peer_answer(peer, peer->id, peer->args);
    peer_end(peer);
  }
  atomic_store(&server->reached, 1);
  shutdown(server->listener, SHUT_RDWR);
}

struct goer {
  struct scene *scene;
  _Atomic int started, ended;
};

static void on_done_count(void *user, int32_t code, pool_bytes_t reply)
{
  struct goer *goer = user;
  must(code == 0 || code == POOL_E_BROKEN || code == POOL_E_TIMEOUT);
  pool_bytes_free(&reply);
  atomic_fetch_add(&goer->ended, 1);
}

static void *go_often(void *data)
{
  struct goer *goer = data;
  while (!atomic_load(&goer->scene->server.reached)) {
    pool_lease_t lease = pool_get(goer->scene->pool);
    if (lease <= 0)
      continue; /* the last connection is gone, or the queue of the listener was full */
    for (int i = 0; i < BURST; i++)
      if (pool_go(lease, "Test.Go", text("[1]"), on_done_count, goer) > 0)
        atomic_fetch_add(&goer->started, 1);
    pool_put(lease);
  }
  return NULL;
}

/* A call may end before its sender returns from pool_go(). */
static void test_jsonrpc__each_go_ends_once_while_the_server_closes_at_random(void **state)
{
  (void)state;
  struct scene scene;
  pthread_t threads[GOERS];
  struct goer goers[GOERS];
  scene_set(&scene, UNIX, script_capricious, 2);
  for (int i = 0; i < GOERS; i++) {
    goers[i] = (struct goer){.scene = &scene};
    threads[i] = thread_start(go_often, &goers[i]);
  }
  for (int i = 0; i < GOERS; i++)
    thread_end(threads[i]);
  server_stop(&scene.server);
  for (int i = 0; i < GOERS; i++) {
    wait_until(atomic_load(&goers[i].ended) == atomic_load(&goers[i].started));
    assert_true(goers[i].started > 0);
  }
  client_end(scene.pool);
}

struct broken {
  struct scene scene;
  const char *reply; /* to the second request; %d is its id */
};

static void script_broken(struct server *server)
{
  struct broken *broken = (struct broken *)server;
  struct peer *peer = peer_take(server);
  char reply[1000];
  peer_expect(peer);
  sprintf(reply, broken->reply, (int)peer_expect(peer));
  peer_say(peer, reply);
  shutdown(peer->socket, SHUT_WR);
  peer_finish(peer);
}

/* An async and a sync call are under way when the server sends `reply`.  Both end, later calls fail at once, and the
   pool closes the connection. */
static void breaks(const char *reply, const char *options, const char *words)
{
  struct broken broken = {.reply = reply};
  struct end end;
  pool_lease_t lease = scene_begin_with(&broken.scene, script_broken, options);
  go(lease, "1", &end);
  call_fails(lease, "2", POOL_E_BROKEN, words);
  end_expect(&end, POOL_E_BROKEN, "");
  call_fails(lease, "3", POOL_E_BROKEN, words);
  assert_true(pool_go(lease, "Test.Go", text("4"), on_done, &end) == POOL_E_BROKEN);
  scene_put(&broken.scene);
  assert_int_equal(stats_of(broken.scene.pool).open, 0);
  scene_end(&broken.scene);
}

static void test_jsonrpc__cut_off_replies_break_the_connection(void **state)
{
  (void)state;
  breaks("", "", "closed the connection");
  breaks("{\"id\":%d,\"resu", "", "in the middle of a reply");
  breaks("{\"id\":%d,\"result\":\"abc", "", "in the middle of a reply");
}

static void test_jsonrpc__garbage_breaks_the_connection(void **state)
{
  (void)state;
  breaks("HTTP/1.1 400 Bad Request\r\n\r\n", "", "not JSON objects");
  breaks("[{\"id\":%d,\"result\":1,\"error\":null}]", "", "not JSON objects");
  breaks("{\"id\":%d,\"result\":{],\"error\":null}", "", "not a reply");
  breaks("{\"id\":%d,\"result\":nil,\"error\":null}", "", "not a reply");
  breaks("{\"id\":%d,\"error\":null}", "", "neither result nor error");
  breaks("{}", "", "neither result nor error");
}

static void test_jsonrpc__unknown_ids_break_the_connection(void **state)
{
  (void)state;
  breaks("{\"id\":3,\"result\":1,\"error\":null}", "", "no call had this id");
  breaks("{\"id\":0,\"result\":1,\"error\":null}", "", "no call had this id");
  breaks("{\"id\":-2,\"result\":1,\"error\":null}", "", "no call had this id");
  breaks("{\"id\":2.0,\"result\":1,\"error\":null}", "", "no call had this id");
  breaks("{\"id\":\"%d\",\"result\":1,\"error\":null}", "", "no call had this id");
  breaks("{\"id\":18446744073709551618,\"result\":1,\"error\":null}", "", "no call had this id");
  breaks("{\"id\":null,\"result\":null,\"error\":\"invalid request\"}", "", "invalid request");
  breaks("{\"result\":1,\"error\":null}", "", "no call had this id");
}

static void test_jsonrpc__replies_above_the_limit_break_the_connection(void **state)
{
  (void)state;
  breaks("{\"id\":%d,\"result\":\"0123456789\",\"error\":null}", "?max_reply_bytes=42",
         "larger than max_reply_bytes=42");
  breaks("{\"id\":%d,\"result\":\"0123456789012345678901234567890123456789", "?max_reply_bytes=42",
         "max_reply_bytes=42");
}

static void script_exactly(struct server *server)
{
  struct peer *peer = peer_take(server);
  peer_expect(peer);
  peer_say(peer, "   \n{\"id\":1,\"result\":\"0123456789\",\"error\":null}"); /* 43 bytes and white space */
  peer_finish(peer);
}

static void test_jsonrpc__replies_may_be_as_large_as_the_limit(void **state)
{
  (void)state;
  struct scene scene;
  pool_lease_t lease = scene_begin_with(&scene, script_exactly, "?max_reply_bytes=43");
  call_expect(lease, "1", "\"0123456789\"");
  scene_end(&scene);
}

/* Closes two connections, then echoes on a third. */
static void script_cut_both(struct server *server)
{
  struct peer *first = peer_take(server);
  struct peer *second = peer_take(server);
  gate_pass(&server->gate);
  peer_end(first);
  peer_end(second);
  atomic_store(&server->reached, 1);
  echo(server);
}

static void test_jsonrpc__check_finds_dead_connections(void **state)
{
  (void)state;
  struct scene scene;
  scene_set(&scene, TCP, script_cut_both, 2);
  pool_lease_t first = get(scene.pool), second = get(scene.pool);
  pool_put(second);
  gate_set(&scene.server.gate, true);
  wait_until(atomic_load(&scene.server.reached) == 1);
  call_fails(first, "1", POOL_E_BROKEN, "");
  pool_put(first);
  pool_lease_t third = get(scene.pool);
  call_expect(third, "1", "1");
  pool_put(third);
  pool_stats_t stats = stats_of(scene.pool);
  assert_int_equal(stats.check_failures, 1);
  assert_int_equal(stats.opened, 3);
  scene_end(&scene);
}

/* ---- what callbacks may do ---- */

struct chain {
  pool_t *pool;
  pool_lease_t lease;
  struct end end; /* of the last call */
  int left;
  _Atomic int failures;
};

/* Makes a call whose callback gets the chain.  The call and what the callback does must succeed. */
static void chain_run(struct chain *chain, const char *args, pool_done_fn *callback)
{
  assert_true(pool_go(chain->lease, "Test.Go", text(args), callback, chain) > 0);
  end_expect(&chain->end, 0, args);
  assert_int_equal(atomic_load(&chain->failures), 0);
}

static void on_done_put(void *user, int32_t code, pool_bytes_t reply)
{
  struct chain *chain = user;
  if (code != 0 || pool_put(chain->lease) != 0)
    atomic_fetch_add(&chain->failures, 1);
  on_done(&chain->end, code, reply);
}

static void test_jsonrpc__callback_may_put(void **state)
{
  (void)state;
  struct scene scene;
  scene_set(&scene, TCP, echo, 1);
  for (int i = 0; i < 50; i++) {
    struct chain chain = {.lease = get(scene.pool)};
    chain_run(&chain, "7", on_done_put);
  }
  assert_int_equal(stats_of(scene.pool).opened, 1);
  scene_end(&scene);
}

static void on_done_close(void *user, int32_t code, pool_bytes_t reply)
{
  struct chain *chain = user;
  pool_mark_unusable(chain->lease);
  if (pool_put(chain->lease) != 0 || stats_of(chain->pool).closed != 1)
    atomic_fetch_add(&chain->failures, 1);
  on_done(&chain->end, code, reply);
}

static void test_jsonrpc__callback_may_close_the_connection(void **state)
{
  (void)state;
  struct scene scene;
  scene_set(&scene, TCP, echo, 1);
  struct chain chain = {.pool = scene.pool, .lease = get(scene.pool)};
  chain_run(&chain, "7", on_done_close);
  server_stop(&scene.server); /* returns when the server has seen the end of the connection */
  client_end(scene.pool);
}

static void script_gated_echo(struct server *server)
{
  struct peer *peer = peer_take(server);
  gate_pass(&server->gate);
  echo_peer(peer);
}

/* The end of the call closes the connection before the callback runs. */
static void test_jsonrpc__end_of_a_call_closes_an_unusable_connection(void **state)
{
  (void)state;
  struct scene scene;
  struct end end;
  pool_lease_t lease = scene_begin(&scene, TCP, script_gated_echo);
  go(lease, "7", &end);
  pool_mark_unusable(lease);
  scene_put(&scene);
  assert_int_equal(stats_of(scene.pool).closed, 0);
  gate_set(&scene.server.gate, true);
  end_expect(&end, 0, "7");
  assert_int_equal(stats_of(scene.pool).closed, 1);
  server_stop(&scene.server);
  client_end(scene.pool);
}

enum { SHORT_LIVES = 200 };

static void script_short_lives(struct server *server)
{
  for (int i = 0; i < SHORT_LIVES; i++)
    echo(server);
}

static void on_done_discard(void *user, int32_t code, pool_bytes_t reply)
{
  struct chain *chain = user;
  pool_mark_unusable(chain->lease);
  pool_put(chain->lease);
  on_done(&chain->end, code, reply);
}

static void test_jsonrpc__callback_may_close_the_connection_before_go_returns(void **state)
{
  (void)state;
  struct scene scene;
  scene_set(&scene, UNIX, script_short_lives, 1);
  for (int i = 0; i < SHORT_LIVES; i++) {
    struct chain chain = {.lease = get(scene.pool)};
    chain_run(&chain, "7", on_done_discard);
  }
  scene_end(&scene);
}

static void on_done_free(void *user, int32_t code, pool_bytes_t reply)
{
  struct chain *chain = user;
  pool_put(chain->lease);
  pool_free(chain->pool);
  on_done(&chain->end, code, reply);
}

static void test_jsonrpc__callback_may_free_the_pool(void **state)
{
  (void)state;
  struct scene scene;
  scene_set(&scene, UNIX, echo, 1);
  struct chain chain = {.pool = scene.pool, .lease = get(scene.pool)};
  chain_run(&chain, "7", on_done_free);
  server_stop(&scene.server);
}

/* Calls, waits for the reply, and starts the next one on the same connection. */
static void on_done_go_on(void *user, int32_t code, pool_bytes_t reply)
{
  struct chain *chain = user;
  pool_bytes_t other;
  if (code != 0 || pool_call(chain->lease, "Test.Call", text("[1]"), &other, NULL) != 0) {
    atomic_fetch_add(&chain->failures, 1);
  } else {
    pool_bytes_free(&other);
  }
  if (--chain->left == 0) {
    on_done(&chain->end, code, reply);
    return;
  }
  pool_bytes_free(&reply);
  if (pool_go(chain->lease, "Test.Go", text("[2]"), on_done_go_on, chain) <= 0)
    atomic_fetch_add(&chain->failures, 1);
}

static void test_jsonrpc__callback_may_call_and_go(void **state)
{
  (void)state;
  struct scene scene;
  struct chain chain = {.lease = scene_begin(&scene, TCP, echo), .left = 100};
  assert_true(pool_go(chain.lease, "Test.Go", text("[2]"), on_done_go_on, &chain) > 0);
  call_expect(chain.lease, "[3]", "[3]");
  end_expect(&chain.end, 0, "[2]");
  assert_int_equal(atomic_load(&chain.failures), 0);
  scene_end(&scene);
}

/* ---- large requests and replies ---- */

/* A JSON string of this many bytes. */
static char *long_text(size_t size)
{
  char *json = malloc(size + 1);
  memset(json, 'x', size);
  json[0] = json[size - 1] = '"';
  json[size] = 0;
  return json;
}

/* Reads and writes in small pieces. */
static void script_slow_echo(struct server *server)
{
  struct peer *peer = peer_take(server);
  setvbuf(peer->input, NULL, _IOFBF, 1000);
  while (peer_read(peer)) {
    char head[64];
    sprintf(head, "{\"id\":%" PRIu64 ",\"error\":null,\"result\":", peer->id);
    peer_say(peer, head);
    size_t size = strlen(peer->args);
    for (size_t sent = 0; sent < size; sent += 10000)
      peer_write(peer, peer->args + sent, size - sent < 10000 ? size - sent : 10000);
    peer_say(peer, "}");
  }
  peer_end(peer);
}

static void large_both_ways(enum family family)
{
  struct scene scene;
  struct end end;
  char *args = long_text(8 * MEBIBYTE);
  pool_lease_t lease = scene_begin(&scene, family, script_slow_echo);
  call_expect(lease, args, args);
  go(lease, args, &end); /* the reply to this one comes while the next one is sent */
  call_expect(lease, args, args);
  end_expect(&end, 0, args);
  scene_end(&scene);
  free(args);
}

static void test_jsonrpc__large_requests_and_replies_pass_over_tcp(void **state)
{
  (void)state;
  large_both_ways(TCP);
}

static void test_jsonrpc__large_requests_and_replies_pass_over_unix_sockets(void **state)
{
  (void)state;
  large_both_ways(UNIX);
}

/* Returns when a request is coming in that does not fit into the socket's buffers. */
static void await_congestion(struct peer *peer)
{
  int waiting = 0;
  while (waiting < 100000) {
    require(ioctl(peer->socket, FIONREAD, &waiting) == 0);
    yield_ns();
  }
}

static void answer_late_and_large(struct peer *peer, uint64_t id)
{
  char *large = long_text(8 * MEBIBYTE);
  peer_answer(peer, id, large);
  free(large);
}

/* Reads a large request only after the client has read a large reply.  The reply is to a call that has timed out, so no
   call waits for it. */
static void script_congested(struct server *server)
{
  struct peer *peer = peer_take(server);
  uint64_t late = peer_expect(peer);
  await_congestion(peer);
  answer_late_and_large(peer, late);
  echo_peer(peer);
}

static void test_jsonrpc__stuck_writer_reads(void **state)
{
  (void)state;
  struct scene scene;
  char *args = long_text(8 * MEBIBYTE);
  pool_lease_t lease = scene_begin(&scene, UNIX, script_congested);
  call_within_fails(lease, "1", 30, POOL_E_TIMEOUT, "waiting");
  call_expect(lease, args, args);
  scene_end(&scene);
  free(args);
}

/* The same, with a reply to a third call before the large one. */
static void script_congested_late(struct server *server)
{
  struct peer *peer = peer_take(server);
  uint64_t late = peer_expect(peer);
  uint64_t reader = peer_expect(peer);
  atomic_store(&server->reached, 1);
  await_congestion(peer);
  peer_answer(peer, reader, "\"patient\"");
  answer_late_and_large(peer, late);
  echo_peer(peer);
}

struct large_call {
  pool_lease_t lease;
  const char *args;
};

static void *call_large(void *data)
{
  struct large_call *call = data;
  expect_in_thread(call->lease, call->args);
  return NULL;
}

static void test_jsonrpc__stuck_writer_reads_after_the_reader_has_left(void **state)
{
  (void)state;
  struct scene scene;
  char *args = long_text(8 * MEBIBYTE);
  pool_lease_t lease = scene_begin(&scene, UNIX, script_congested_late);
  call_within_fails(lease, "1", 30, POOL_E_TIMEOUT, "waiting");
  pthread_t reader = thread_start(call_patiently, &lease);
  wait_until(atomic_load(&scene.server.reached) == 1);
  struct large_call large = {lease, args};
  pthread_t writer = thread_start(call_large, &large);
  thread_end(reader);
  thread_end(writer);
  assert_int_equal(stats_of(scene.pool).opened, 1);
  scene_end(&scene);
  free(args);
}

static void script_never_reads(struct server *server)
{
  struct peer *peer = peer_take(server);
  gate_pass(&server->gate);
  peer_end(peer);
}

static void test_jsonrpc__deadline_within_a_request_breaks_the_connection(void **state)
{
  (void)state;
  struct scene scene;
  struct end end = {0};
  char *args = long_text(MEBIBYTE);
  pool_lease_t lease = scene_begin_within(&scene, UNIX, script_never_reads, 500);
  call_fails(lease, args, POOL_E_BROKEN, "a part of the request");
  call_fails(lease, "1", POOL_E_BROKEN, "a part of the request");
  assert_int_equal(pool_go(lease, "Test.Go", text("1"), on_done, &end), POOL_E_BROKEN);
  scene_put(&scene);
  assert_int_equal(stats_of(scene.pool).open, 0);
  gate_set(&scene.server.gate, true);
  scene_end(&scene);
  free(args);
}

static void test_jsonrpc__deadline_within_an_async_request_breaks_the_connection(void **state)
{
  (void)state;
  struct scene scene;
  struct end first, second = {0};
  char *args = long_text(MEBIBYTE);
  pool_lease_t lease = scene_begin_within(&scene, UNIX, script_never_reads, 500);
  go(lease, "1", &first);
  assert_int_equal(pool_go(lease, "Test.Go", text(args), on_done, &second), POOL_E_BROKEN);
  wait_until(atomic_load(&first.times) == 1);
  assert_true(first.code == POOL_E_TIMEOUT || first.code == POOL_E_BROKEN);
  assert_int_equal(atomic_load(&second.times), 0);
  gate_set(&scene.server.gate, true);
  scene_end(&scene);
  free(args);
}

static void *write_large(void *data)
{
  struct large_call *call = data;
  require(pool_call(call->lease, "Test.Call", text(call->args), NULL, NULL) != 0);
  return NULL;
}

static void test_jsonrpc__callers_keep_their_deadlines_in_the_queue_of_writers(void **state)
{
  (void)state;
  struct scene scene;
  pthread_t writers[4];
  char *args = long_text(MEBIBYTE);
  struct large_call large = {scene_begin_within(&scene, UNIX, script_never_reads, 500), args};
  for (int i = 0; i < 4; i++)
    writers[i] = thread_start(write_large, &large);
  for (int i = 0; i < 4; i++)
    thread_end(writers[i]);
  gate_set(&scene.server.gate, true);
  scene_end(&scene);
  free(args);
}

/* ---- closing while calls are under way ---- */

static void test_jsonrpc__pool_may_be_freed_with_calls_under_way(void **state)
{
  (void)state;
  struct scene scene;
  struct end ends[BATCH];
  pool_lease_t lease = scene_begin_within(&scene, TCP, listen_only, 200);
  for (int i = 0; i < BATCH; i++)
    go(lease, "1", &ends[i]);
  pool_mark_unusable(lease);
  scene_put(&scene);
  pool_free(scene.pool);
  for (int i = 0; i < BATCH; i++)
    end_expect(&ends[i], POOL_E_TIMEOUT, "");
  server_stop(&scene.server);
  assert_int_equal(atomic_load(&scene.server.reached), BATCH);
}

/* Uses the vtable itself, because the pool never closes a connection while a call waits. */
static void *call_vtable(void *data)
{
  void **arguments = data;
  pool_vtable_t *vtable = arguments[0];
  pool_bytes_t reply;
  pool_error_t error = POOL_ERROR_INIT;
  int code = vtable->call(arguments[1], arguments[2], "Test.Call", text("1"), &reply, POOL_NO_DEADLINE, &error);
  require(code == POOL_E_BROKEN && strstr(error.message, "was closed"));
  return NULL;
}

static void test_jsonrpc__close_ends_calls(void **state)
{
  (void)state;
  struct server server;
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  void *context, *conn;
  pthread_t threads[CALLERS];
  server_start(&server, TCP, listen_only);
  assert_int_equal(pool_driver_prepare("jsonrpc", server.address, &vtable, &context, NULL), 0);
  assert_int_equal(vtable.open(context, POOL_NO_DEADLINE, &conn, &error), 0);
  void *arguments[] = {&vtable, context, conn};
  for (int i = 0; i < CALLERS; i++)
    threads[i] = thread_start(call_vtable, arguments);
  wait_until(atomic_load(&server.reached) == CALLERS);
  assert_int_equal(vtable.check(context, conn, POOL_NO_DEADLINE, &error), 0);
  assert_int_equal(vtable.close(context, conn, &error), 0);
  for (int i = 0; i < CALLERS; i++)
    thread_end(threads[i]);
  vtable.release(context);
  server_stop(&server);
}

/* ---- fork ---- */

/* The child makes calls of both kinds on a connection of its own.  Returns its exit code. */
static int be_a_child(pool_t *pool, pool_lease_t of_the_parent)
{
  pool_bytes_t reply = {NULL, 0};
  struct end end = {0};
  if (pool_call(of_the_parent, "Test.Call", text("1"), NULL, NULL) != POOL_E_STALE)
    return 10;
  pool_lease_t lease = pool_get(pool);
  if (lease <= 0)
    return 11;
  if (pool_call(lease, "Test.Call", text("[1]"), &reply, NULL) != 0 || strcmp(reply.data, "[1]") != 0)
    return 12;
  if (pool_go(lease, "Test.Go", text("[2]"), on_done, &end) <= 0)
    return 13;
  for (int64_t began = now_ns(); atomic_load(&end.times) == 0; yield_ns())
    if (now_ns() - began > INT64_C(10000000000))
      return 14;
  if (end.code != 0 || strcmp(end.reply.data, "[2]") != 0)
    return 15;
  pool_put(lease);
  return pool_close(pool, 0) == 0 ? 0 : 16;
}

static void expect_a_good_child(pid_t child)
{
  int status;
  require(child > 0 && waitpid(child, &status, 0) == child);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    fprintf(stderr, "the child's status is %#x\n", (unsigned)status);
  require(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Two connections of the parent have calls under way.  They are answered when the child's connection has ended. */
static void script_fork(struct server *server)
{
  struct peer *first = peer_take(server), *second = peer_take(server), *of_the_child = calloc(1, sizeof *second);
  uint64_t sync = peer_expect(first);
  atomic_store(&server->reached, 1);
  uint64_t async = peer_expect(first), alone = peer_expect(second);
  atomic_store(&server->reached, 2);
  peer_accept(of_the_child, server);
  echo_peer(of_the_child);
  peer_answer(first, sync, "\"patient\"");
  peer_answer(first, async, "\"async\"");
  peer_answer(second, alone, "\"alone\"");
  peer_finish(first);
  peer_finish(second);
}

/* Forks while a sync call is the reader of a connection and the poller that of another. */
static void test_jsonrpc__child_calls_after_a_fork_with_calls_under_way(void **state)
{
  (void)state;
  struct scene scene;
  struct end async, alone;
  scene_set(&scene, TCP, script_fork, 2);
  pool_lease_t first = get(scene.pool), second = get(scene.pool);
  pthread_t reader = thread_start(call_patiently, &first);
  wait_until(atomic_load(&scene.server.reached) == 1); /* the sync call is the reader before the poller could be */
  go(first, "2", &async);
  go(second, "3", &alone);
  wait_until(atomic_load(&scene.server.reached) == 2);
  pid_t child = fork();
  if (child == 0)
    _exit(be_a_child(scene.pool, first));
  expect_a_good_child(child);
  thread_end(reader);
  end_expect(&async, 0, "\"async\"");
  end_expect(&alone, 0, "\"alone\"");
  pool_put(first);
  pool_put(second);
  scene_end(&scene);
}

/* The script ends when the server sees the end. */
static void test_jsonrpc__the_server_sees_the_end_though_a_child_has_a_copy(void **state)
{
  (void)state;
  struct scene scene;
  struct holder holder;
  scene_begin(&scene, TCP, listen_only);
  holder_start(&holder);
  scene_end(&scene);
  holder_end(&holder);
}

static void script_fork_in_done(struct server *server)
{
  struct peer *peer = peer_take(server), *of_the_child = calloc(1, sizeof *peer);
  peer_answer(peer, peer_expect(peer), "1");
  peer_accept(of_the_child, server);
  echo_peer(of_the_child);
  echo_peer(peer);
}

static void on_done_fork(void *user, int32_t code, pool_bytes_t reply)
{
  struct chain *chain = user;
  pid_t child = fork();
  if (child == 0)
    _exit(be_a_child(chain->pool, chain->lease));
  expect_a_good_child(child);
  on_done(&chain->end, code, reply);
}

static void test_jsonrpc__callback_may_fork(void **state)
{
  (void)state;
  struct scene scene;
  pool_lease_t lease = scene_begin(&scene, UNIX, script_fork_in_done);
  struct chain chain = {.pool = scene.pool, .lease = lease};
  chain_run(&chain, "1", on_done_fork);
  call_expect(lease, "2", "2");
  scene_end(&scene);
}

/* With AddressSanitizer no other thread may allocate during fork: the child's allocator would hang. */
#if defined(__SANITIZE_ADDRESS__)
enum { FORKS = 5, BUSY = 0 };
#else
enum { FORKS = 5, BUSY = CALLERS };
#endif

static void *echo_main(void *data)
{
  echo_peer(data);
  return NULL;
}

/* Echoes on all connections at the same time. */
static void script_echo_for_forks(struct server *server)
{
  pthread_t threads[FORKS + 1];
  for (int i = 0; i <= FORKS; i++)
    threads[i] = thread_start(echo_main, peer_take(server));
  for (int i = 0; i <= FORKS; i++)
    thread_end(threads[i]);
}

/* The parent's threads and its poller call while it forks, and their calls succeed. */
static void test_jsonrpc__child_calls_after_a_fork_of_a_busy_parent(void **state)
{
  (void)state;
  struct scene scene;
  struct caller callers[CALLERS];
  pthread_t threads[CALLERS];
  pool_lease_t lease = scene_begin(&scene, TCP, script_echo_for_forks);
  for (int i = 0; i < BUSY; i++) {
    callers[i] = (struct caller){lease, i};
    threads[i] = thread_start(call_often, &callers[i]);
  }
  for (int i = 0; i < FORKS; i++) {
    pid_t child = fork();
    if (child == 0)
      _exit(be_a_child(scene.pool, lease));
    expect_a_good_child(child);
  }
  for (int i = 0; i < BUSY; i++)
    thread_end(threads[i]);
  call_expect(lease, "[3]", "[3]");
  assert_int_equal(stats_of(scene.pool).opened, 1);
  scene_end(&scene);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_jsonrpc__sync_calls_start_no_thread),
      cmocka_unit_test(test_jsonrpc__good_addresses_are_accepted),
      cmocka_unit_test(test_jsonrpc__bad_addresses_are_refused_and_explained),
      cmocka_unit_test(test_jsonrpc__requests_are_as_go_writes_them_over_tcp),
      cmocka_unit_test(test_jsonrpc__requests_are_as_go_writes_them_over_unix_sockets),
      cmocka_unit_test(test_jsonrpc__replies_are_verbatim),
      cmocka_unit_test(test_jsonrpc__bad_args_are_not_sent),
      cmocka_unit_test(test_jsonrpc__errors_of_the_server_reach_the_caller),
      cmocka_unit_test(test_jsonrpc__replies_may_come_byte_by_byte),
      cmocka_unit_test(test_jsonrpc__replies_may_come_out_of_order),
      cmocka_unit_test(test_jsonrpc__many_threads_call_on_one_lease),
      cmocka_unit_test(test_jsonrpc__late_replies_are_dropped),
      cmocka_unit_test(test_jsonrpc__late_async_replies_are_dropped),
      cmocka_unit_test(test_jsonrpc__poller_keeps_async_deadlines_beside_a_reader),
      cmocka_unit_test(test_jsonrpc__connecting_keeps_its_deadline_over_tcp),
      cmocka_unit_test(test_jsonrpc__connecting_keeps_its_deadline_over_unix_sockets),
      cmocka_unit_test(test_jsonrpc__refused_connections_say_why),
      cmocka_unit_test(test_jsonrpc__unknown_host_is_named),
      cmocka_unit_test(test_jsonrpc__bombs_cost_no_more_than_their_bytes),
      cmocka_unit_test(test_jsonrpc__bombs_as_args_cost_no_more_than_their_bytes),
      cmocka_unit_test(test_jsonrpc__bomb_on_one_connection_delays_no_deadline_of_another),
      cmocka_unit_test(test_jsonrpc__each_go_ends_once_while_the_server_closes_at_random),
      cmocka_unit_test(test_jsonrpc__cut_off_replies_break_the_connection),
      cmocka_unit_test(test_jsonrpc__garbage_breaks_the_connection),
      cmocka_unit_test(test_jsonrpc__unknown_ids_break_the_connection),
      cmocka_unit_test(test_jsonrpc__replies_above_the_limit_break_the_connection),
      cmocka_unit_test(test_jsonrpc__replies_may_be_as_large_as_the_limit),
      cmocka_unit_test(test_jsonrpc__check_finds_dead_connections),
      cmocka_unit_test(test_jsonrpc__callback_may_put),
      cmocka_unit_test(test_jsonrpc__callback_may_close_the_connection),
      cmocka_unit_test(test_jsonrpc__callback_may_close_the_connection_before_go_returns),
      cmocka_unit_test(test_jsonrpc__end_of_a_call_closes_an_unusable_connection),
      cmocka_unit_test(test_jsonrpc__callback_may_free_the_pool),
      cmocka_unit_test(test_jsonrpc__callback_may_call_and_go),
      cmocka_unit_test(test_jsonrpc__large_requests_and_replies_pass_over_tcp),
      cmocka_unit_test(test_jsonrpc__large_requests_and_replies_pass_over_unix_sockets),
      cmocka_unit_test(test_jsonrpc__stuck_writer_reads),
      cmocka_unit_test(test_jsonrpc__stuck_writer_reads_after_the_reader_has_left),
      cmocka_unit_test(test_jsonrpc__deadline_within_a_request_breaks_the_connection),
      cmocka_unit_test(test_jsonrpc__deadline_within_an_async_request_breaks_the_connection),
      cmocka_unit_test(test_jsonrpc__callers_keep_their_deadlines_in_the_queue_of_writers),
      cmocka_unit_test(test_jsonrpc__pool_may_be_freed_with_calls_under_way),
      cmocka_unit_test(test_jsonrpc__close_ends_calls),
      cmocka_unit_test(test_jsonrpc__child_calls_after_a_fork_with_calls_under_way),
      cmocka_unit_test(test_jsonrpc__the_server_sees_the_end_though_a_child_has_a_copy),
      cmocka_unit_test(test_jsonrpc__callback_may_fork),
      cmocka_unit_test(test_jsonrpc__child_calls_after_a_fork_of_a_busy_parent),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
