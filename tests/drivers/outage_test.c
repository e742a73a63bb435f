/* SPDX-License-Identifier: MIT */
/*
 * What a pool makes of a server that is killed, stopped, cut off and started again.  argv[1] is the program of the
 * arithmetic server, which runs as a process of its own.
 *
 * Shared by the test and its callers: the numbers in struct caller, which are atomic.
 */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pool/driver.h>

static const char *program;

/* ---- the server ---- */

struct server {
  pid_t process;
  int input; /* held open: the server ends with it */
  int port;
  char address[32];
};

/* Runs in the new process: it must end with the test, however that ends, and also when it is stopped. */
static _Noreturn void become_the_server(char *port, pid_t parent, int input, int output)
{
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent)
    _exit(126);
  dup2(input, 0);
  dup2(output, 1);
  execl(program, program, port[0] == '0' ? NULL : port, (char *)NULL);
  _exit(127);
}

/* Starts the server, on the port that it had before if there is one, and waits until it listens.  By vfork, for other
   threads are under way, and what pools do at a fork is not the subject here. */
static void server_start(struct server *server)
{
  int input[2], output[2];
  char port[16];
  pid_t parent = getpid();
  snprintf(port, sizeof port, "%d", server->port);
  assert_int_equal(pipe2(input, O_CLOEXEC), 0);
  assert_int_equal(pipe2(output, O_CLOEXEC), 0);
  server->process = vfork();
  if (server->process == 0)
    become_the_server(port, parent, input[0], output[1]);
  assert_true(server->process > 0);
  close(input[0]);
  close(output[1]);
  server->input = input[1];
  FILE *said = fdopen(output[0], "r");
  int found = fscanf(said, "127.0.0.1:%d", &server->port);
  fclose(said);
  assert_int_equal(found, 1);
  snprintf(server->address, sizeof server->address, "127.0.0.1:%d", server->port);
}

/* All of its sockets are closed when this returns. */
static void server_kill(struct server *server)
{
  int status;
  kill(server->process, SIGKILL);
  assert_int_equal(waitpid(server->process, &status, 0), server->process);
  server->process = 0;
  close(server->input);
}

static void server_stop(struct server *server)
{
  int status;
  kill(server->process, SIGSTOP);
  assert_int_equal(waitpid(server->process, &status, WUNTRACED), server->process);
  assert_true(WIFSTOPPED(status));
}

static void server_continue(struct server *server)
{
  kill(server->process, SIGCONT);
}

/* ---- a relay between client and server, which can fail as networks do ---- */

enum order { NONE, FORWARD, STALL, RESET, HALF_CLOSE, END };

struct pair {
  int client, server;
};

#define PAIRS 64

struct relay {
  int listener;
  int port; /* of the server */
  char address[32];
  pthread_t thread;
  int wake; /* an eventfd: there is an order */
  _Atomic enum order order;
  bool runs;
  bool stalled;
  struct pair pairs[PAIRS];
  int count;
};

static struct sockaddr_in loopback(int port)
{
  return (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void relay_drop(struct relay *relay, int number)
{
  struct pair *pair = &relay->pairs[number];
  close(pair->client);
  close(pair->server);
  *pair = relay->pairs[--relay->count];
}

static void relay_accept(struct relay *relay)
{
  struct sockaddr_in name = loopback(relay->port);
  struct pair pair = {.client = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC),
                      .server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  must(relay->count < PAIRS && pair.client >= 0 && pair.server >= 0);
  relay->pairs[relay->count++] = pair;
  if (connect(pair.server, (struct sockaddr *)&name, sizeof name) != 0)
    relay_drop(relay, relay->count - 1);
}

/* False when one of the two is at its end. */
static bool forward(int from, int to)
{
  char bytes[4096];
  ssize_t size = recv(from, bytes, sizeof bytes, MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR))
    return true;
  return size > 0 && send(to, bytes, (size_t)size, MSG_NOSIGNAL) == size;
}

static void reset_clients(struct relay *relay)
{
  struct linger at_once = {.l_onoff = 1};
  while (relay->count > 0) {
    must(setsockopt(relay->pairs[0].client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    relay_drop(relay, 0);
  }
}

static void half_close_clients(struct relay *relay)
{
  for (int i = 0; i < relay->count; i++)
    shutdown(relay->pairs[i].client, SHUT_WR);
}

static enum order relay_obey(struct relay *relay, enum order order)
{
  uint64_t orders;
  must(read(relay->wake, &orders, sizeof orders) == sizeof orders);
  relay->stalled = order == STALL;
  if (order == RESET || order == END)
    reset_clients(relay);
  if (order == HALF_CLOSE)
    half_close_clients(relay);
  atomic_store(&relay->order, NONE);
  return order;
}

static void relay_forward(struct relay *relay, const struct pollfd *watched, int count)
{
  for (int i = count - 1; i >= 0; i--) {
    struct pair *pair = &relay->pairs[i];
    if ((watched[2 * i].revents && !forward(pair->client, pair->server)) ||
        (watched[2 * i + 1].revents && !forward(pair->server, pair->client)))
      relay_drop(relay, i);
  }
}

static void *relay_main(void *data)
{
  struct relay *relay = data;
  struct pollfd watched[2 + 2 * PAIRS];
  for (;;) {
    int count = relay->stalled ? 0 : relay->count;
    watched[0] = (struct pollfd){.fd = relay->wake, .events = POLLIN};
    watched[1] = (struct pollfd){.fd = relay->stalled ? -1 : relay->listener, .events = POLLIN};
    for (int i = 0; i < count; i++) {
      watched[2 + 2 * i] = (struct pollfd){.fd = relay->pairs[i].client, .events = POLLIN};
      watched[3 + 2 * i] = (struct pollfd){.fd = relay->pairs[i].server, .events = POLLIN};
    }
    must(poll(watched, 2 + 2 * (nfds_t)count, -1) > 0);
    relay_forward(relay, watched + 2, count);
    if (watched[1].revents)
      relay_accept(relay);
    if (watched[0].revents && relay_obey(relay, atomic_load(&relay->order)) == END)
      return NULL;
  }
}

static void relay_start(struct relay *relay, const struct server *server)
{
  int port;
  *relay = (struct relay){.port = server->port};
  relay->wake = eventfd(0, EFD_CLOEXEC);
  assert_true(relay->wake >= 0);
  relay->listener = listen_locally(PAIRS, &port);
  snprintf(relay->address, sizeof relay->address, "127.0.0.1:%d", port);
  relay->thread = thread_start(relay_main, relay);
  relay->runs = true;
}

/* It has been done when this returns. */
static void relay_do(struct relay *relay, enum order order)
{
  uint64_t one = 1;
  atomic_store(&relay->order, order);
  assert_int_equal(write(relay->wake, &one, sizeof one), sizeof one);
  wait_until(atomic_load(&relay->order) == NONE);
}

static void relay_end(struct relay *relay)
{
  relay_do(relay, END);
  relay->runs = false;
  thread_end(relay->thread);
  close(relay->listener);
  close(relay->wake);
}

/* ---- the client ---- */

static pool_config_t capped(int32_t max_open)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = max_open;
  config.call_timeout_ms = 10000;
  return config;
}

static pool_config_t with_breaker(int32_t max_open)
{
  pool_config_t config = capped(max_open);
  config.retry_min_ms = 10;
  config.retry_max_ms = 100;
  config.breaker_after = 3;
  return config;
}

static pool_t *client(pool_t **pool, const pool_config_t *config, const char *address)
{
  pool_error_t error = POOL_ERROR_INIT;
  if (pool_create_driver(config, "jsonrpc", address, pool, &error) != 0)
    fail_msg("pool_create_driver: %s", error.message);
  return *pool;
}

/* Nobody uses the pool now: its counts add up, and it comes to its end. */
static void client_end(pool_t **place)
{
  pool_t *pool = *place;
  wait_until(stats_of(pool).opening == 0 && stats_of(pool).open == stats_of(pool).idle);
  pool_stats_t stats = stats_of(pool);
  assert_int_equal(stats.leased, 0);
  assert_int_equal(stats.waiting, 0);
  assert_int_equal(stats.opened - stats.closed, stats.open);
  assert_int_equal(pool_close(pool, 10000), 0);
  stats = stats_of(pool);
  assert_int_equal(stats.open, 0);
  assert_int_equal(stats.opened, stats.closed);
  pool_free(pool);
  *place = NULL;
}

static int multiply(pool_lease_t lease, int a, int b)
{
  char args[64], expected[32];
  pool_bytes_t reply = {NULL, 0};
  int size = snprintf(args, sizeof args, "{\"A\":%d,\"B\":%d}", a, b);
  int code = pool_call(lease, "Arith.Mul", (pool_bytes_t){args, (size_t)size}, &reply, NULL);
  snprintf(expected, sizeof expected, "%d", a * b);
  must(code != 0 || strcmp(reply.data, expected) == 0);
  pool_bytes_free(&reply);
  return code;
}

static void expect_to_work(pool_t *pool)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_lease_t lease = pool_get(pool);
  int code = lease > 0 ? multiply(lease, 6, 7) : (int)lease;
  if (code != 0 && pool_failure(&error))
    fail_msg("%d: %s", code, error.message);
  assert_int_equal(pool_put(lease), 0);
}

static bool is_refused(pool_t *pool)
{
  pool_error_t error = POOL_ERROR_INIT;
  return pool_get(pool) == POOL_E_OPEN && pool_failure(&error) && strstr(error.message, "Connection refused");
}

static void expect_refusal(pool_t *pool)
{
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(pool_get(pool), POOL_E_OPEN);
  assert_int_equal(pool_failure(&error), POOL_E_OPEN);
  if (!strstr(error.message, "Connection refused"))
    fail_msg("the cause is not in the message: %s", error.message);
}

/* ---- callers: threads that call in a loop ---- */

#define CALLERS 4

struct caller {
  struct crowd *crowd;
  _Atomic(void *) conn; /* what it uses at this moment */
  _Atomic int good;
  _Atomic int broken;
  _Atomic int timed_out;
  _Atomic int refused; /* gets that failed */
};

struct crowd {
  pool_t *pool;
  struct caller callers[CALLERS];
  pthread_t threads[CALLERS];
  bool runs;
  int visits;       /* how often the test itself had a lease of the pool */
  struct gate rest; /* passed before each get */
  _Atomic bool stop;
};

/* Each writes its own before it reads those of the others, so of two that use one connection one sees it. */
static void claim(struct caller *caller, void *conn)
{
  atomic_store(&caller->conn, conn);
  for (struct caller *other = caller->crowd->callers; other < caller->crowd->callers + CALLERS; other++)
    must(other == caller || atomic_load(&other->conn) != conn);
}

static void call_once(struct caller *caller, pool_lease_t lease, int number)
{
  claim(caller, pool_conn(lease));
  int code = multiply(lease, number, (int)(caller - caller->crowd->callers) + 2);
  atomic_store(&caller->conn, NULL);
  must(code == 0 || code == POOL_E_BROKEN || code == POOL_E_TIMEOUT);
  must(pool_put(lease) == 0);
  /* Counted when all is over, so that the counts of the pool can be compared with these. */
  atomic_fetch_add(code == 0 ? &caller->good : code == POOL_E_BROKEN ? &caller->broken : &caller->timed_out, 1);
}

static void *caller_main(void *data)
{
  struct caller *caller = data;
  for (int number = 0; !atomic_load(&caller->crowd->stop); number = (number + 1) % 1000) {
    gate_pass(&caller->crowd->rest);
    pool_lease_t lease = pool_get(caller->crowd->pool);
    if (lease > 0) {
      call_once(caller, lease, number);
    } else {
      must(lease == POOL_E_OPEN);
      atomic_fetch_add(&caller->refused, 1);
      yield_ns();
    }
  }
  return NULL;
}

static void crowd_start(struct crowd *crowd, pool_t *pool)
{
  memset(crowd, 0, sizeof *crowd);
  crowd->pool = pool;
  gate_init(&crowd->rest, true);
  for (int i = 0; i < CALLERS; i++) {
    crowd->callers[i].crowd = crowd;
    crowd->threads[i] = thread_start(caller_main, &crowd->callers[i]);
  }
  crowd->runs = true;
}

static int counted(const struct caller *caller, size_t count)
{
  return atomic_load((const _Atomic int *)((const char *)caller + count));
}

static int total(const struct crowd *crowd, size_t count)
{
  int sum = 0;
  for (int i = 0; i < CALLERS; i++)
    sum += counted(&crowd->callers[i], count);
  return sum;
}

#define TOTAL(crowd, count) total(crowd, offsetof(struct caller, count))

/* Each caller has counted so many more. */
static void await_more(const struct crowd *crowd, size_t count, int more)
{
  int before[CALLERS];
  for (int i = 0; i < CALLERS; i++)
    before[i] = counted(&crowd->callers[i], count);
  for (int i = 0; i < CALLERS; i++)
    wait_until(counted(&crowd->callers[i], count) >= before[i] + more);
}

#define AWAIT_MORE(crowd, count, more) await_more(crowd, offsetof(struct caller, count), more)

static void crowd_stop(struct crowd *crowd)
{
  crowd->runs = false;
  gate_set(&crowd->rest, true);
  atomic_store(&crowd->stop, true);
  for (int i = 0; i < CALLERS; i++)
    thread_end(crowd->threads[i]);
}

/* And the pool has counted what the callers have. */
static void crowd_end(struct crowd *crowd)
{
  crowd_stop(crowd);
  assert_int_equal(stats_of(crowd->pool).lent,
                   crowd->visits + TOTAL(crowd, good) + TOTAL(crowd, broken) + TOTAL(crowd, timed_out));
}

/* All callers are between two calls when this returns, and go on with crowd_continue(). */
static void crowd_rest(struct crowd *crowd)
{
  gate_set(&crowd->rest, false);
  wait_until(gate_waiting(&crowd->rest) == CALLERS);
}

static void crowd_continue(struct crowd *crowd)
{
  gate_set(&crowd->rest, true);
}

/* Whoever calls over a dead connection learns it; but with that all that are idle are under suspicion, and none of them
   costs a caller a second call. */
static void expect_one_broken_each(const struct crowd *crowd)
{
  for (int i = 0; i < CALLERS; i++)
    assert_in_range(crowd->callers[i].broken, 0, 1);
  assert_true(TOTAL(crowd, broken) > 0);
}

/* ---- what a test has ---- */

struct outage {
  struct server server;
  struct relay relay;
  struct crowd crowd;
  pool_t *pool;
};

static int setup(void **state)
{
  struct outage *outage = calloc(1, sizeof *outage);
  *state = outage;
  server_start(&outage->server);
  return 0;
}

/* A test that failed leaves things behind.  Without a server, and without stalls, the callers come to an end. */
static int teardown(void **state)
{
  struct outage *outage = *state;
  if (outage->server.process > 0)
    server_kill(&outage->server);
  if (outage->relay.runs)
    relay_end(&outage->relay);
  if (outage->crowd.runs)
    crowd_stop(&outage->crowd);
  pool_free(outage->pool);
  free(outage);
  return 0;
}

/* ---- killed and started again ---- */

#define IDLE 20

static void test_outage__killed_and_back(void **state)
{
  struct outage *outage = *state;
  struct server *server = &outage->server;
  struct crowd *crowd = &outage->crowd;
  pool_config_t config = capped(CALLERS + IDLE);
  config.initial = CALLERS + IDLE;
  pool_t *pool = client(&outage->pool, &config, server->address);
  crowd_start(crowd, pool);
  AWAIT_MORE(crowd, good, 10);
  assert_int_equal(TOTAL(crowd, broken) + TOTAL(crowd, refused), 0);
  crowd_rest(crowd);
  server_kill(server);
  crowd_continue(crowd);
  AWAIT_MORE(crowd, refused, 1);
  server_start(server);
  AWAIT_MORE(crowd, good, 10);
  expect_one_broken_each(crowd);
  assert_int_equal(TOTAL(crowd, timed_out), 0);
  crowd_end(crowd);
  pool_stats_t stats = stats_of(pool);
  assert_true(stats.check_failures > 0);
  assert_int_equal(stats.closed_unusable, TOTAL(crowd, broken));
  client_end(&outage->pool);
}

static void test_outage__a_get_meets_one_dead_connection_at_most(void **state)
{
  struct outage *outage = *state;
  struct server *server = &outage->server;
  pool_config_t config = capped(IDLE);
  config.initial = IDLE;
  pool_t *pool = client(&outage->pool, &config, server->address);
  pool_lease_t lease = pool_get(pool);
  server_kill(server);
  server_start(server);
  assert_int_equal(multiply(lease, 6, 7), POOL_E_BROKEN);
  assert_int_equal(pool_put(lease), 0);
  for (int i = 0; i < IDLE + 5; i++) {
    int64_t failures = stats_of(pool).check_failures;
    expect_to_work(pool);
    assert_true(stats_of(pool).check_failures <= failures + 1);
  }
  client_end(&outage->pool);
}

static void test_outage__killed_thrice_in_use(void **state)
{
  struct outage *outage = *state;
  struct server *server = &outage->server;
  struct crowd *crowd = &outage->crowd;
  pool_config_t config = capped(3); /* fewer than callers: some wait */
  pool_t *pool = client(&outage->pool, &config, server->address);
  crowd_start(crowd, pool);
  for (int i = 0; i < 3; i++) {
    AWAIT_MORE(crowd, good, 10);
    server_kill(server);
    server_start(server);
  }
  AWAIT_MORE(crowd, good, 10);
  crowd_end(crowd);
  assert_true(stats_of(pool).opened >= 3 + 3);
  client_end(&outage->pool);
}

static void test_outage__checked_connections_cost_no_call(void **state)
{
  struct outage *outage = *state;
  struct server *server = &outage->server;
  pool_config_t config = capped(3);
  config.initial = 3;
  config.check_after_ms = 0;
  pool_t *pool = client(&outage->pool, &config, server->address);
  expect_to_work(pool);
  server_kill(server);
  server_start(server);
  for (int i = 0; i < 6; i++)
    expect_to_work(pool);
  assert_true(stats_of(pool).check_failures >= 1);
  assert_int_equal(stats_of(pool).closed_unusable, 0);
  client_end(&outage->pool);
}

/* ---- the breaker ---- */

struct seen {
  _Atomic int opened, closed;
  char why[256];
};

static void see(void *user, const pool_event_t *event)
{
  struct seen *seen = user;
  if (event->event == POOL_EVENT_BREAKER_OPENED) {
    if (atomic_load(&seen->opened) == 0)
      snprintf(seen->why, sizeof seen->why, "%s", event->message);
    atomic_fetch_add(&seen->opened, 1);
  } else {
    atomic_fetch_add(&seen->closed, 1);
  }
}

static void test_outage__the_breaker_spares_the_server(void **state)
{
  struct outage *outage = *state;
  struct server *server = &outage->server;
  struct crowd *crowd = &outage->crowd;
  struct seen seen = {0};
  pool_config_t config = with_breaker(8);
  config.events = see;
  config.event_mask = 1 << POOL_EVENT_BREAKER_OPENED | 1 << POOL_EVENT_BREAKER_CLOSED;
  config.user = &seen;
  pool_t *pool = client(&outage->pool, &config, server->address);
  crowd_start(crowd, pool);
  AWAIT_MORE(crowd, good, 10);
  server_kill(server);
  wait_until(atomic_load(&seen.opened) > 0);
  assert_true(seen.why[0] != 0);
  wait_until(is_refused(pool)); /* while it was dying it may have listened still */
  for (int i = 0; i < 20; i++)
    expect_refusal(pool);
  /* Thousands of gets, and for them an attempt in half of retry_min_ms at most. */
  pool_stats_t before = stats_of(pool);
  int64_t began = now_ns();
  wait_until(stats_of(pool).failed_fast >= before.failed_fast + 2000);
  int64_t attempts = stats_of(pool).open_failures - before.open_failures;
  assert_true(attempts <= (now_ns() - began) / 5000000 + 1);
  assert_int_equal(atomic_load(&seen.closed), 0);
  server_start(server);
  AWAIT_MORE(crowd, good, 10);
  wait_until(atomic_load(&seen.closed) == 1);
  assert_int_equal(atomic_load(&seen.opened), 1);
  crowd_end(crowd);
  assert_int_equal(stats_of(pool).breaker_opened, 1);
  for (int i = 0; i < 8; i++)
    expect_to_work(pool);
  client_end(&outage->pool);
}

/* ---- refilled in the background ---- */

static void test_outage__refilled_under_load(void **state)
{
  struct outage *outage = *state;
  struct server *server = &outage->server;
  struct crowd *crowd = &outage->crowd;
  pool_config_t config = with_breaker(12);
  config.min_idle = CALLERS + 2; /* more than the callers could leave behind */
  pool_t *pool = client(&outage->pool, &config, server->address);
  crowd_start(crowd, pool);
  AWAIT_MORE(crowd, good, 10);
  wait_until(stats_of(pool).idle >= CALLERS + 2);
  server_kill(server);
  AWAIT_MORE(crowd, refused, 1);
  server_start(server);
  AWAIT_MORE(crowd, good, 10);
  wait_until(stats_of(pool).idle >= CALLERS + 2);
  crowd_end(crowd);
  assert_true(stats_of(pool).open <= 12);
  wait_until(stats_of(pool).idle >= CALLERS + 2);
  for (int i = 0; i < 8; i++)
    expect_to_work(pool);
  client_end(&outage->pool);
}

/* Nobody asks the pool for anything but its counts: what happens, it does on its own. */
static void test_outage__refilled_without_being_asked(void **state)
{
  struct outage *outage = *state;
  struct server *server = &outage->server;
  pool_config_t config = with_breaker(8);
  config.min_idle = 4;
  config.keepalive_ms = 50;
  pool_t *pool = client(&outage->pool, &config, server->address);
  wait_until(stats_of(pool).idle == 4);
  server_kill(server);
  wait_until(stats_of(pool).open == 0 && stats_of(pool).open_failures >= 3);
  assert_true(stats_of(pool).check_failures >= 1); /* the dead speak for those that were suspect */
  server_start(server);
  wait_until(stats_of(pool).idle == 4);
  for (int i = 0; i < 4; i++)
    expect_to_work(pool);
  assert_int_equal(stats_of(pool).closed_unusable, 0);
  client_end(&outage->pool);
}

static void test_outage__keepalive_finds_the_dead(void **state)
{
  struct outage *outage = *state;
  struct server *server = &outage->server;
  pool_config_t config = capped(5);
  config.initial = 5;
  config.keepalive_ms = 50;
  pool_t *pool = client(&outage->pool, &config, server->address);
  wait_until(stats_of(pool).checks >= 10);
  assert_int_equal(stats_of(pool).check_failures, 0);
  assert_int_equal(stats_of(pool).open, 5);
  server_kill(server);
  wait_until(stats_of(pool).open == 0);
  pool_stats_t stats = stats_of(pool);
  assert_int_equal(stats.idle, 0);
  assert_in_range(stats.check_failures, 1, 5); /* the dead speak for those that were suspect */
  assert_int_equal(stats.closed, 5);
  assert_int_equal(stats.opened, 5);
  expect_refusal(pool);
  server_start(server);
  expect_to_work(pool);
  client_end(&outage->pool);
}

/* ---- stopped ---- */

enum { CALL_MS = 1500, GET_MS = 50 };

/* Replies that were under way when the server stopped still set callers free. */
static bool all_wait_for_replies(struct crowd *crowd)
{
  pool_lease_t lease = pool_get_for(crowd->pool, GET_MS);
  if (lease > 0) {
    pool_put(lease);
    crowd->visits++;
  }
  return lease == POOL_E_TIMEOUT;
}

static void test_outage__stopped_and_continued(void **state)
{
  struct outage *outage = *state;
  struct server *server = &outage->server;
  struct crowd *crowd = &outage->crowd;
  pool_config_t config = capped(CALLERS);
  config.initial = CALLERS;
  config.check_after_ms = 0; /* the check finds nothing wrong with a server that is slow */
  config.call_timeout_ms = CALL_MS;
  pool_t *pool = client(&outage->pool, &config, server->address);
  crowd_start(crowd, pool);
  AWAIT_MORE(crowd, good, 10);
  server_stop(server);
  int64_t stopped = now_ns();
  wait_until(all_wait_for_replies(crowd));
  int64_t began = now_ns();
  assert_int_equal(pool_get_for(pool, GET_MS), POOL_E_TIMEOUT);
  assert_in_range(now_ns() - began, GET_MS * INT64_C(1000000), CALL_MS * INT64_C(1000000));
  assert_int_equal(TOTAL(crowd, timed_out), 0);
  AWAIT_MORE(crowd, timed_out, 1);
  assert_in_range(now_ns() - stopped, (CALL_MS - 100) * INT64_C(1000000), 3 * CALL_MS * INT64_C(1000000));
  server_continue(server);
  AWAIT_MORE(crowd, good, 10);
  crowd_end(crowd);
  /* A call that timed out leaves a connection good that takes many calls at one time. */
  assert_int_equal(TOTAL(crowd, broken) + TOTAL(crowd, refused), 0);
  assert_int_equal(stats_of(pool).opened, CALLERS);
  assert_int_equal(stats_of(pool).check_failures, 0);
  client_end(&outage->pool);
}

static void test_outage__stopped_and_killed(void **state)
{
  struct outage *outage = *state;
  struct server *server = &outage->server;
  struct crowd *crowd = &outage->crowd;
  pool_config_t config = capped(CALLERS);
  config.initial = CALLERS;
  pool_t *pool = client(&outage->pool, &config, server->address);
  crowd_start(crowd, pool);
  AWAIT_MORE(crowd, good, 10);
  server_stop(server);
  wait_until(stats_of(pool).leased == CALLERS);
  server_kill(server);
  AWAIT_MORE(crowd, refused, 1);
  server_start(server);
  AWAIT_MORE(crowd, good, 10);
  crowd_end(crowd);
  assert_true(TOTAL(crowd, broken) > 0); /* callers that waited for a reply when it died */
  assert_int_equal(TOTAL(crowd, timed_out), 0);
  client_end(&outage->pool);
}

/* ---- cut off ---- */

static void test_outage__reset_and_half_closed_in_use(void **state)
{
  struct outage *outage = *state;
  struct server *server = &outage->server;
  struct relay *relay = &outage->relay;
  struct crowd *crowd = &outage->crowd;
  const enum order cuts[] = {RESET, HALF_CLOSE};
  relay_start(relay, server);
  for (int i = 0; i < 2; i++) {
    pool_config_t config = capped(CALLERS + IDLE);
    config.initial = CALLERS + IDLE;
    pool_t *pool = client(&outage->pool, &config, relay->address);
    crowd_start(crowd, pool);
    AWAIT_MORE(crowd, good, 10);
    crowd_rest(crowd);
    relay_do(relay, cuts[i]);
    crowd_continue(crowd);
    AWAIT_MORE(crowd, good, 10);
    expect_one_broken_each(crowd);
    relay_do(relay, cuts[i]); /* and once more, at any moment */
    AWAIT_MORE(crowd, good, 10);
    assert_int_equal(TOTAL(crowd, refused) + TOTAL(crowd, timed_out), 0);
    crowd_end(crowd);
    client_end(&outage->pool);
  }
  relay_end(relay);
}

static void test_outage__reset_and_half_closed_while_idle(void **state)
{
  struct outage *outage = *state;
  struct server *server = &outage->server;
  struct relay *relay = &outage->relay;
  const enum order cuts[] = {RESET, HALF_CLOSE};
  relay_start(relay, server);
  for (int i = 0; i < 2; i++) {
    pool_config_t config = capped(5);
    config.initial = 5;
    config.check_after_ms = 0;
    pool_t *pool = client(&outage->pool, &config, relay->address);
    expect_to_work(pool);
    relay_do(relay, cuts[i]);
    for (int j = 0; j < 10; j++)
      expect_to_work(pool);
    assert_true(stats_of(pool).check_failures >= 1);
    assert_int_equal(stats_of(pool).closed_unusable, 0);
    client_end(&outage->pool);
  }
  relay_end(relay);
}

static void test_outage__stalled_and_flowing_again(void **state)
{
  struct outage *outage = *state;
  struct server *server = &outage->server;
  struct relay *relay = &outage->relay;
  struct crowd *crowd = &outage->crowd;
  pool_config_t config = capped(CALLERS);
  config.initial = CALLERS;
  config.call_timeout_ms = 200;
  relay_start(relay, server);
  pool_t *pool = client(&outage->pool, &config, relay->address);
  crowd_start(crowd, pool);
  AWAIT_MORE(crowd, good, 10);
  relay_do(relay, STALL);
  AWAIT_MORE(crowd, timed_out, 2);
  relay_do(relay, FORWARD); /* now the replies to what timed out come first */
  AWAIT_MORE(crowd, good, 10);
  assert_int_equal(TOTAL(crowd, broken), 0);
  assert_int_equal(stats_of(pool).opened, CALLERS);
  relay_do(relay, STALL);
  AWAIT_MORE(crowd, timed_out, 1);
  relay_do(relay, RESET); /* the stall is over, and the connections are dead */
  AWAIT_MORE(crowd, good, 10);
  crowd_end(crowd);
  assert_int_equal(TOTAL(crowd, refused), 0);
  client_end(&outage->pool);
  relay_end(relay);
}

int main(int argc, char **argv)
{
  if (argc != 2) {
    fprintf(stderr, "usage: outage_test PROGRAM\n");
    return 2;
  }
  program = argv[1];
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_outage__killed_and_back, setup, teardown),
      cmocka_unit_test_setup_teardown(test_outage__a_get_meets_one_dead_connection_at_most, setup, teardown),
      cmocka_unit_test_setup_teardown(test_outage__killed_thrice_in_use, setup, teardown),
      cmocka_unit_test_setup_teardown(test_outage__checked_connections_cost_no_call, setup, teardown),
      cmocka_unit_test_setup_teardown(test_outage__the_breaker_spares_the_server, setup, teardown),
      cmocka_unit_test_setup_teardown(test_outage__refilled_under_load, setup, teardown),
      cmocka_unit_test_setup_teardown(test_outage__refilled_without_being_asked, setup, teardown),
      cmocka_unit_test_setup_teardown(test_outage__keepalive_finds_the_dead, setup, teardown),
      cmocka_unit_test_setup_teardown(test_outage__stopped_and_continued, setup, teardown),
      cmocka_unit_test_setup_teardown(test_outage__stopped_and_killed, setup, teardown),
      cmocka_unit_test_setup_teardown(test_outage__reset_and_half_closed_in_use, setup, teardown),
      cmocka_unit_test_setup_teardown(test_outage__reset_and_half_closed_while_idle, setup, teardown),
      cmocka_unit_test_setup_teardown(test_outage__stalled_and_flowing_again, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
