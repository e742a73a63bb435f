/* SPDX-License-Identifier: MIT */
/*
 * The jsonrpc driver when memory ends at any allocation, and when something happens between any two of its steps.
 *
 * The driver's files are built into this program, with functions of this file in place of the system's.  So a test can
 * let the n-th allocation fail, for each n.  Or it can act at the moment when its call has left its n-th lock: do what
 * another thread could do at that moment, and wait until the poller has seen it.
 *
 * The test is its own server: it holds the other ends of the connections.
 */
#define JSONRPC_FAULTS_TEST
#include "jsonrpc_faults.h"

#include "support.h"

#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

pool_driver_fn pool_driver_jsonrpc;

/* ---- allocations that fail ---- */

enum victims { EVERYBODY, OTHER_THREADS };

static struct {
  _Atomic int countdown; /* at 1 the next one fails; 0: none does */
  _Atomic bool for_ever; /* all after it fail as well */
  _Atomic int victims;
  _Atomic int failed;
  _Atomic int live; /* allocations of the driver that were not freed */
} memory;

static pthread_t main_thread;

static void memory_fails(int nth, bool for_ever, enum victims victims)
{
  atomic_store(&memory.failed, 0);
  atomic_store(&memory.victims, victims);
  atomic_store(&memory.for_ever, for_ever);
  atomic_store(&memory.countdown, nth);
}

/* Returns whether any allocation failed. */
static bool memory_is_back(void)
{
  atomic_store(&memory.countdown, 0);
  return atomic_load(&memory.failed) > 0;
}

static bool is_to_fail(void)
{
  if (atomic_load(&memory.victims) == OTHER_THREADS && pthread_equal(pthread_self(), main_thread))
    return false;
  int left = atomic_load(&memory.countdown);
  while (left > 1 && !atomic_compare_exchange_weak(&memory.countdown, &left, left - 1))
    ;
  if (left != 1)
    return false;
  if (!atomic_load(&memory.for_ever) && !atomic_compare_exchange_strong(&memory.countdown, &left, 0))
    return false;
  atomic_fetch_add(&memory.failed, 1);
  errno = ENOMEM;
  return true;
}

static void *counted(void *made)
{
  if (made)
    atomic_fetch_add(&memory.live, 1);
  return made;
}

void *fault_malloc(size_t size)
{
  return is_to_fail() ? NULL : counted(malloc(size));
}

void *fault_calloc(size_t count, size_t size)
{
  return is_to_fail() ? NULL : counted(calloc(count, size));
}

void *fault_realloc(void *old, size_t size)
{
  if (is_to_fail())
    return NULL;
  void *made = realloc(old, size);
  return old ? made : counted(made);
}

void fault_free(void *old)
{
  if (old)
    atomic_fetch_sub(&memory.live, 1);
  free(old);
}

int fault_asprintf(char **made, const char *format, ...)
{
  va_list arguments;
  if (is_to_fail())
    return -1;
  va_start(arguments, format);
  int size = vasprintf(made, format, arguments);
  va_end(arguments);
  if (size >= 0)
    counted(*made);
  return size;
}

int fault_bytes_new(size_t size, pool_bytes_t *bytes)
{
  return is_to_fail() ? POOL_E_NOMEM : pool_bytes_new(size, bytes);
}

/* ---- events between two steps ---- */

static _Thread_local int locks_held;
static _Thread_local int steps_left; /* at 1 the next step ends with `meanwhile` */
static _Thread_local void (*meanwhile)(void);
static _Thread_local void (*before_poll)(void);
static _Atomic int polls; /* how often a thread began to wait for descriptors */
static _Atomic int polls_of_sockets;

int fault_lock(pthread_mutex_t *mutex)
{
  locks_held++;
  return pthread_mutex_lock(mutex);
}

int fault_unlock(pthread_mutex_t *mutex)
{
  int result = pthread_mutex_unlock(mutex);
  if (--locks_held == 0 && steps_left > 0 && --steps_left == 0)
    meanwhile();
  return result;
}

int fault_poll(struct pollfd *set, nfds_t count, int timeout)
{
  if (before_poll)
    before_poll();
  if (count > 1)
    atomic_fetch_add(&polls_of_sockets, 1);
  atomic_fetch_add(&polls, 1);
  return poll(set, count, timeout);
}

/* ---- a resolver ---- */

static struct gate resolver;
static _Atomic int looked_up;

/* Knows one name, and answers when the gate is open. */
int fault_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found)
{
  if (strcmp(host, "slow.test") != 0 || (hints->ai_flags & AI_NUMERICHOST))
    return getaddrinfo(host, port, hints, found);
  gate_pass(&resolver);
  int problem = getaddrinfo("127.0.0.1", port, hints, found);
  atomic_fetch_add(&looked_up, 1);
  return problem;
}

/* ---- connections whose other ends are here ---- */

static struct {
  int listener;
  char folder[64];
  char path[100];
  char address[200];
} server;

static int set_up(void **state)
{
  (void)state;
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  main_thread = pthread_self();
  json_set_alloc_funcs(fault_malloc, fault_free);
  strcpy(server.folder, "/tmp/jsonrpc_faults.XXXXXX");
  if (!mkdtemp(server.folder))
    return 1;
  sprintf(server.path, "%s/socket", server.folder);
  sprintf(server.address, "unix:%s", server.path);
  strcpy(name.sun_path, server.path);
  server.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  return server.listener < 0 || bind(server.listener, (struct sockaddr *)&name, sizeof name) != 0 ||
         listen(server.listener, 100) != 0;
}

static int tear_down(void **state)
{
  (void)state;
  close(server.listener);
  unlink(server.path);
  return rmdir(server.folder);
}

static int prepare(pool_vtable_t *vtable, void **context, pool_error_t *error)
{
  pool_driver_t driver = {.size = sizeof driver};
  assert_int_equal(pool_driver_jsonrpc(POOL_DRIVER_VERSION, &driver), 0);
  *vtable = (pool_vtable_t)POOL_VTABLE_INIT;
  return driver.prepare(server.address, vtable, context, error);
}

/* A pool of at most `connections`. */
static pool_t *pool_of(int32_t connections)
{
  pool_config_t config = POOL_CONFIG_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  pool_vtable_t vtable;
  void *context;
  pool_t *pool;
  config.max_open = connections;
  config.call_timeout_ms = 20000;
  assert_int_equal(prepare(&vtable, &context, &error), 0);
  assert_int_equal(pool_create(&config, &vtable, context, &pool, &error), 0);
  return pool;
}

static void pool_end(pool_t *pool)
{
  assert_int_equal(pool_close(pool, 10000), 0);
  pool_free(pool);
}

/* Leases a new connection, and stores the other end of it. */
static pool_lease_t connect_to(pool_t *pool, int *peer)
{
  pool_lease_t lease = pool_get(pool);
  assert_true(lease > 0);
  *peer = accept(server.listener, NULL, NULL);
  assert_true(*peer >= 0);
  return lease;
}

/* The set-up of most tests: a pool, a lease of its connection, and the other end of that. */
struct scene {
  pool_t *pool;
  pool_lease_t lease;
  int peer; /* -1: closed already */
};

static void scene_begin(struct scene *scene)
{
  scene->pool = pool_of(1);
  scene->lease = connect_to(scene->pool, &scene->peer);
}

static void scene_end(struct scene *scene)
{
  pool_put(scene->lease);
  pool_end(scene->pool);
  if (scene->peer >= 0)
    close(scene->peer);
}

static pool_bytes_t text(const char *json)
{
  return (pool_bytes_t){(char *)(uintptr_t)json, strlen(json)};
}

static void say(int peer, const char *words)
{
  size_t size = strlen(words);
  must(send(peer, words, size, MSG_NOSIGNAL) == (ssize_t)size);
}

static void say_result(int peer, int id, const char *result)
{
  char reply[200];
  sprintf(reply, "{\"id\":%d,\"result\":%s,\"error\":null}\n", id, result);
  say(peer, reply);
}

static void forget_requests(int peer)
{
  char bytes[10000];
  while (recv(peer, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
    ;
}

/* How an async call ended. */
struct end {
  _Atomic int times;
  int code;
  _Atomic int polls; /* their number at that time */
};

static void on_done(void *user, int32_t code, pool_bytes_t reply)
{
  struct end *end = user;
  pool_bytes_free(&reply);
  end->code = code;
  atomic_store(&end->polls, atomic_load(&polls));
  atomic_fetch_add(&end->times, 1);
}

/* ---- memory ends ---- */

static void test_jsonrpc_faults__opening_without_memory(void **state)
{
  (void)state;
  bool failed = true;
  for (int nth = 1; failed; nth++) {
    pool_error_t error = POOL_ERROR_INIT;
    pool_vtable_t vtable;
    void *context, *conn;
    memory_fails(nth, false, EVERYBODY);
    int code = prepare(&vtable, &context, &error);
    if (code == 0) {
      code = vtable.open(context, POOL_NO_DEADLINE, &conn, &error);
      if (code == 0)
        vtable.close(context, conn, &error);
      vtable.release(context);
      close(accept(server.listener, NULL, NULL));
    }
    failed = memory_is_back();
    assert_int_equal(code, failed ? POOL_E_NOMEM : 0);
    assert_int_equal(atomic_load(&memory.live), 0);
    assert_true(nth > 1 || failed);
  }
}

enum { LARGE = 300000 };

static _Atomic int requests; /* that came */

/* Answers requests, each a line, as their methods say: "large", "error" or else 1. */
static void *answer_all(void *data)
{
  FILE *input = fdopen(dup(*(int *)data), "r");
  char *line = NULL, *large = malloc(LARGE + 100);
  size_t capacity = 0;
  memset(large, 'x', LARGE);
  for (int id; getline(&line, &capacity, input) > 0;) {
    char *tail = strrchr(line, ']');
    must(tail && sscanf(tail, "],\"id\":%d}", &id) == 1);
    atomic_fetch_add(&requests, 1);
    if (strstr(line, "\"method\":\"large\"")) {
      sprintf(large + LARGE, "\",\"id\":%d}", id);
      say(*(int *)data, "{\"result\":\"");
      for (const char *at = large, *end = large + strlen(large); at < end;) {
        ssize_t sent = send(*(int *)data, at, (size_t)(end - at), MSG_NOSIGNAL);
        must(sent > 0);
        at += sent;
      }
      continue;
    }
    char reply[100];
    bool wrong = strstr(line, "\"method\":\"error\"") != NULL;
    sprintf(reply, wrong ? "{\"id\":%d,\"error\":\"\\u00e4\\n\"}" : "{\"id\":%d,\"result\":1,\"error\":null}", id);
    say(*(int *)data, reply);
  }
  free(line);
  free(large);
  fclose(input);
  return NULL;
}

static int call(pool_lease_t lease, const char *method)
{
  pool_bytes_t reply = {NULL, 0};
  int code = pool_call(lease, method, text("[1]"), &reply, NULL);
  pool_bytes_free(&reply);
  return code;
}

/* A call that ends without memory says whether it was sent. */
static int call_that_says(pool_lease_t lease, const char *method)
{
  pool_error_t error = POOL_ERROR_INIT;
  int before = atomic_load(&requests), code = call(lease, method);
  if (code != POOL_E_NOMEM)
    return code;
  pool_failure(&error);
  wait_until(strstr(error.message, "not sent") || atomic_load(&requests) > before);
  if (!strstr(error.message, "not sent") && !strstr(error.message, "was sent"))
    fail_msg("\"%s\" does not say whether it was sent", error.message);
  return code;
}

static int go_and_wait(pool_lease_t lease, const char *method)
{
  struct end end = {0};
  int64_t number = pool_go(lease, method, text("[1]"), on_done, &end);
  if (number <= 0) {
    assert_int_equal(atomic_load(&end.times), 0);
    return (int)number;
  }
  wait_until(atomic_load(&end.times) == 1);
  return end.code;
}

/* Lets the n-th allocation of a call fail, for all n, on one connection.  After each call it must be good. */
static void calls_without_memory(int (*make)(pool_lease_t lease, const char *method), const char *method, int good_code,
                                 bool for_ever)
{
  struct scene scene;
  scene_begin(&scene);
  pool_lease_t lease = scene.lease;
  pthread_t thread = thread_start(answer_all, &scene.peer);
  bool failed = true;
  for (int nth = 1; failed; nth++) {
    memory_fails(nth, for_ever, EVERYBODY);
    int code = make(lease, method);
    failed = memory_is_back();
    if (code != good_code && !(code == POOL_E_NOMEM && failed))
      fail_msg("%s: without the %dth allocation: %d", method, nth, code);
    assert_int_equal(call(lease, "plain"), 0);
    assert_int_equal(call(lease, "error"), POOL_E_REMOTE);
    assert_int_equal(call(lease, "large"), 0);
    assert_true(nth > 1 || failed);
  }
  pool_put(lease);
  pool_end(scene.pool);
  thread_end(thread);
  close(scene.peer);
}

static void test_jsonrpc_faults__calls_without_memory_leave_the_connection_good(void **state)
{
  (void)state;
  for (int for_ever = 0; for_ever < 2; for_ever++) {
    calls_without_memory(call_that_says, "plain", 0, for_ever);
    calls_without_memory(call_that_says, "large", 0, for_ever);
    calls_without_memory(call_that_says, "error", POOL_E_REMOTE, for_ever);
  }
}

/* The first of these calls starts the poller, or fails to. */
static void test_jsonrpc_faults__async_calls_without_memory_leave_the_connection_good(void **state)
{
  (void)state;
  for (int for_ever = 0; for_ever < 2; for_ever++) {
    calls_without_memory(go_and_wait, "plain", 0, for_ever);
    calls_without_memory(go_and_wait, "large", 0, for_ever);
    calls_without_memory(go_and_wait, "error", POOL_E_REMOTE, for_ever);
  }
}

static void test_jsonrpc_faults__bad_names_are_told_from_no_memory(void **state)
{
  (void)state;
  struct scene scene;
  scene_begin(&scene);
  memory_fails(1, true, EVERYBODY);
  assert_int_equal(call(scene.lease, "\xc3"), POOL_E_INVALID);
  assert_int_equal(call(scene.lease, "good"), POOL_E_NOMEM);
  memory_is_back();
  scene_end(&scene);
}

/* More calls are under way than the table has buckets.  It grows or cannot; the replies find all calls. */
static void test_jsonrpc_faults__table_of_calls_that_cannot_grow(void **state)
{
  (void)state;
  enum { CALLS = 100 };
  struct scene scene;
  scene_begin(&scene);
  for (int nth = 1; nth < 4 * CALLS; nth += 7) {
    struct end ends[CALLS] = {0};
    bool under_way[CALLS];
    static int id;
    memory_fails(nth, nth % 2, EVERYBODY);
    for (int i = 0; i < CALLS; i++) {
      int64_t number = pool_go(scene.lease, "x", text("1"), on_done, &ends[i]);
      under_way[i] = number > 0;
      assert_true(under_way[i] || number == POOL_E_NOMEM);
    }
    memory_is_back();
    forget_requests(scene.peer);
    for (int i = 0; i < CALLS; i++)
      if (under_way[i])
        say_result(scene.peer, ++id, "1");
    for (int i = 0; i < CALLS; i++)
      wait_until(atomic_load(&ends[i].times) == under_way[i]);
  }
  scene_end(&scene);
}

/* The poller has no memory for one more socket.  The call on that socket ends with POOL_E_NOMEM, and its connection
   stays good. */
static void test_jsonrpc_faults__poller_without_memory(void **state)
{
  (void)state;
  enum { MANY = 60 };
  pool_t *pool = pool_of(MANY);
  pool_lease_t leases[MANY];
  struct end ends[MANY] = {0};
  int peers[MANY], without = 0;
  for (int i = 0; i < MANY; i++)
    leases[i] = connect_to(pool, &peers[i]);
  memory_fails(1, true, OTHER_THREADS);
  for (int i = 0; i < MANY; i++)
    assert_true(pool_go(leases[i], "x", text("1"), on_done, &ends[i]) > 0);
  wait_until(atomic_load(&memory.failed) > 0);
  memory_is_back();
  for (int i = 0; i < MANY; i++)
    say_result(peers[i], 1, "1");
  for (int i = 0; i < MANY; i++) {
    wait_until(atomic_load(&ends[i].times) == 1);
    assert_true(ends[i].code == 0 || ends[i].code == POOL_E_NOMEM);
    without += ends[i].code == POOL_E_NOMEM;
    say_result(peers[i], 2, "2");
    assert_int_equal(call(leases[i], "x"), 0);
  }
  assert_true(without > 0);
  for (int i = 0; i < MANY; i++)
    pool_put(leases[i]);
  pool_end(pool);
  for (int i = 0; i < MANY; i++)
    close(peers[i]);
}

/* ---- something happens at a moment ---- */

static struct scene the_scene;
static struct end first, second;

/* Waits until the poller has run a callback, has freed its call, and waits again. */
static void wait_for_poller(void)
{
  wait_until(atomic_load(&first.times) + atomic_load(&second.times) > 0);
  const struct end *end = atomic_load(&first.times) ? &first : &second;
  wait_until(atomic_load(&polls) > atomic_load(&end->polls));
}

static void close_peer(void)
{
  if (the_scene.peer >= 0)
    close(the_scene.peer);
  the_scene.peer = -1;
}

static void server_closes(void)
{
  close_peer();
  wait_for_poller();
}

/* A reply to call 2.  Before the second call has its id, this reply breaks the connection. */
static void server_answers(void)
{
  say_result(the_scene.peer, 2, "1");
  wait_for_poller();
}

static void server_talks_nonsense(void)
{
  say(the_scene.peer, "nonsense");
  wait_for_poller();
}

/* A first call is under way, and the poller reads because of it. */
static void begin_with_a_call(void)
{
  scene_begin(&the_scene);
  memset(&first, 0, sizeof first);
  memset(&second, 0, sizeof second);
  int before = atomic_load(&polls_of_sockets);
  assert_true(pool_go(the_scene.lease, "x", text("1"), on_done, &first) > 0);
  wait_until(atomic_load(&polls_of_sockets) > before);
}

/* Lets the event happen after the n-th step of what this thread does next. */
static void at_step(int nth, void (*event)(void))
{
  meanwhile = event;
  steps_left = nth;
}

/* Whether it happened; it will not any more. */
static bool has_happened(void)
{
  bool happened = steps_left == 0;
  steps_left = 0;
  return happened;
}

/* Makes a second call, and lets the event happen after its n-th step.  False: it has fewer steps. */
static bool go_and_meanwhile(int nth, void (*event)(void))
{
  begin_with_a_call();
  at_step(nth, event);
  int64_t number = pool_go(the_scene.lease, "x", text("1"), on_done, &second);
  bool happened = has_happened();
  if (!happened)
    server_closes();
  if (number > 0) {
    wait_until(atomic_load(&second.times) == 1);
    assert_true(second.code == POOL_E_BROKEN || (second.code == 0 && event == server_answers));
  } else {
    assert_int_equal(number, POOL_E_BROKEN);
    assert_int_equal(atomic_load(&second.times), 0);
  }
  close_peer();
  wait_until(atomic_load(&first.times) == 1);
  scene_end(&the_scene);
  return happened;
}

static void at_each_step_of_go(void (*event)(void))
{
  int nth = 1;
  while (go_and_meanwhile(nth, event))
    nth++;
  assert_true(nth > 3);
}

static void test_jsonrpc_faults__server_disconnects_at_each_step_of_go(void **state)
{
  (void)state;
  at_each_step_of_go(server_closes);
}

static void test_jsonrpc_faults__reply_comes_at_each_step_of_go(void **state)
{
  (void)state;
  at_each_step_of_go(server_answers);
}

static void test_jsonrpc_faults__nonsense_comes_at_each_step_of_go(void **state)
{
  (void)state;
  at_each_step_of_go(server_talks_nonsense);
}

/* A call that waits has steps after its reply, too; then it succeeds. */
static void test_jsonrpc_faults__server_disconnects_at_each_step_of_call(void **state)
{
  (void)state;
  int nth = 1;
  for (bool happened = true; happened; nth++) {
    begin_with_a_call();
    say_result(the_scene.peer, 1, "1");
    wait_until(atomic_load(&first.times) == 1);
    say_result(the_scene.peer, 2, "1");
    at_step(nth, server_closes);
    int code = call(the_scene.lease, "x");
    happened = has_happened();
    assert_true(code == 0 || code == POOL_E_BROKEN);
    scene_end(&the_scene);
  }
  assert_true(nth > 3);
}

/* ---- a deadline is a deadline ---- */

static int64_t the_deadline;
static size_t drained;

/* A server that takes what was sent each time that the client begins to wait. */
static void take_a_little(void)
{
  char bytes[65536];
  while (now_ns() < the_deadline)
    ;
  for (ssize_t some; (some = recv(the_scene.peer, bytes, sizeof bytes, MSG_DONTWAIT)) > 0;)
    drained += (size_t)some;
}

/* The socket is ready each time, so only the deadline ends the call. */
static void test_jsonrpc_faults__server_that_takes_little_at_a_time_cannot_stretch_a_deadline(void **state)
{
  (void)state;
  enum { SIZE = 8000000 };
  pool_error_t error = POOL_ERROR_INIT;
  pool_vtable_t vtable;
  void *context, *conn;
  pool_bytes_t reply, args = {malloc(SIZE), SIZE};
  memset(args.data, 'x', SIZE);
  *(char *)args.data = ((char *)args.data)[SIZE - 1] = '"';
  assert_int_equal(prepare(&vtable, &context, &error), 0);
  assert_int_equal(vtable.open(context, POOL_NO_DEADLINE, &conn, &error), 0);
  the_scene.peer = accept(server.listener, NULL, NULL);
  drained = 0;
  before_poll = take_a_little;
  int code, seconds = 0;
  do /* a busy machine may need all the time before the first byte is sent; the connection is whole then */
    the_deadline = now_ns() + ++seconds * INT64_C(1000000000);
  while ((code = vtable.call(context, conn, "x", args, &reply, the_deadline, &error)) == POOL_E_TIMEOUT &&
         seconds < 30);
  assert_int_equal(code, POOL_E_BROKEN);
  before_poll = NULL;
  assert_non_null(strstr(error.message, "deadline"));
  assert_true(drained < SIZE / 2);
  vtable.close(context, conn, &error);
  vtable.release(context);
  free(args.data);
  close(the_scene.peer);
}

/* ---- names ---- */

static int open_slowly(const char *address, int64_t timeout_ms, pool_error_t *error)
{
  pool_driver_t driver = {.size = sizeof driver};
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  void *context, *conn;
  assert_int_equal(pool_driver_jsonrpc(POOL_DRIVER_VERSION, &driver), 0);
  assert_int_equal(driver.prepare(address, &vtable, &context, error), 0);
  int code = vtable.open(context, now_ns() + timeout_ms * 1000000, &conn, error);
  if (code == 0)
    vtable.close(context, conn, error);
  vtable.release(context);
  return code;
}

static void test_jsonrpc_faults__resolver_that_hangs_cannot_stretch_a_deadline(void **state)
{
  (void)state;
  pool_error_t error = POOL_ERROR_INIT;
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof name;
  char address[50];
  int live = atomic_load(&memory.live), listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(listener, (struct sockaddr *)&name, size), 0);
  assert_int_equal(listen(listener, 10), 0);
  assert_int_equal(getsockname(listener, (struct sockaddr *)&name, &size), 0);
  sprintf(address, "slow.test:%d", ntohs(name.sin_port));
  gate_init(&resolver, false);
  assert_int_equal(open_slowly(address, 50, &error), POOL_E_TIMEOUT); /* otherwise it hangs here */
  assert_non_null(strstr(error.message, "looking up slow.test"));
  gate_set(&resolver, true);
  wait_until(atomic_load(&looked_up) == 1);
  wait_until(atomic_load(&memory.live) == live); /* what came too late was freed */
  assert_int_equal(open_slowly(address, 20000, &error), 0);
  assert_int_equal(atomic_load(&looked_up), 2);
  wait_until(atomic_load(&memory.live) == live);
  close(listener);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_jsonrpc_faults__opening_without_memory),
      cmocka_unit_test(test_jsonrpc_faults__async_calls_without_memory_leave_the_connection_good),
      cmocka_unit_test(test_jsonrpc_faults__calls_without_memory_leave_the_connection_good),
      cmocka_unit_test(test_jsonrpc_faults__bad_names_are_told_from_no_memory),
      cmocka_unit_test(test_jsonrpc_faults__table_of_calls_that_cannot_grow),
      cmocka_unit_test(test_jsonrpc_faults__poller_without_memory),
      cmocka_unit_test(test_jsonrpc_faults__server_disconnects_at_each_step_of_go),
      cmocka_unit_test(test_jsonrpc_faults__reply_comes_at_each_step_of_go),
      cmocka_unit_test(test_jsonrpc_faults__nonsense_comes_at_each_step_of_go),
      cmocka_unit_test(test_jsonrpc_faults__server_disconnects_at_each_step_of_call),
      cmocka_unit_test(test_jsonrpc_faults__server_that_takes_little_at_a_time_cannot_stretch_a_deadline),
      cmocka_unit_test(test_jsonrpc_faults__resolver_that_hangs_cannot_stretch_a_deadline),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
