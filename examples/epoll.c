/* SPDX-License-Identifier: MIT */
/*
 * A pool in an event loop: one thread, twenty clients, three connections, and nobody ever waits for anything but epoll.
 *
 * The pool needs two things of the loop: pool_maintain() is called when pool_event_fd() is readable, and when the time
 * is over that the last pool_maintain() returned.  Clients are told there that they have a connection.
 *
 * The connections are opened before the loop begins.  If one had to be replaced, a thread of the library would open it,
 * for a loop cannot wait for a server; so `open` does nothing here that needs the loop's thread.
 *
 * A connection is a socket pair whose other end stands for a server that sends back what it gets.
 *
 *   cc epoll.c $(pkg-config --cflags --libs pool) -o epoll && ./epoll
 */
#include <pool/pool.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 20, CONNECTIONS = 3 };

/* What the loop watches: a descriptor and what to do when it is readable. */
struct source {
  int fd;
  void (*readable)(struct source *source);
};

struct client {
  pool_lease_t lease;
  char question[32];
};

struct connection {
  struct source ours, server; /* `ours` is first: it is found as the connection itself */
  struct client *client;      /* whose answer is awaited */
};

static int loop;
static pool_t *pool;
static struct source pool_events;
static int64_t due_ns; /* when pool_maintain wants to be called again */
static int served;

static _Noreturn void die(const char *what)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_failure(&error);
  fprintf(stderr, "epoll: %s: %s\n", what, error.message[0] ? error.message : strerror(errno));
  exit(1);
}

/* ---- the loop ---- */

static int64_t now_ns(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int watch(struct source *source)
{
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};
  return epoll_ctl(loop, EPOLL_CTL_ADD, source->fd, &event);
}

/* Milliseconds, rounded up: a loop that wakes too early would only turn once more. */
static int time_left(void)
{
  if (due_ns == INT64_MAX)
    return -1;
  int64_t left_ms = (due_ns - now_ns() + 999999) / 1000000;
  return left_ms < 0 ? 0 : left_ms > 1000 ? 1000 : (int)left_ms;
}

static void maintain(void)
{
  int64_t wait_ns = pool_maintain(pool);
  due_ns = wait_ns == INT64_MAX ? INT64_MAX : now_ns() + wait_ns;
}

static void turn(void)
{
  struct epoll_event event;
  int ready = epoll_wait(loop, &event, 1, time_left());
  if (ready < 0 && errno != EINTR)
    die("epoll_wait");
  struct source *source = ready > 0 ? event.data.ptr : NULL;
  if (source)
    source->readable(source);
  if (due_ns <= now_ns())
    maintain();
}

static void pool_is_readable(struct source *source)
{
  (void)source;
  maintain();
}

/* ---- connections ---- */

static void serve(struct source *server)
{
  char bytes[32];
  ssize_t size = read(server->fd, bytes, sizeof bytes);
  if (size > 0 && write(server->fd, bytes, (size_t)size) != size)
    die("the server could not answer");
}

/* The answer is here: the connection goes back, and whoever waits for it is told by pool_maintain. */
static void take_answer(struct source *ours)
{
  struct connection *connection = (struct connection *)ours;
  struct client *client = connection->client;
  char answer[sizeof client->question];
  ssize_t size = read(ours->fd, answer, sizeof answer);
  if (!client || size != sizeof answer || memcmp(answer, client->question, sizeof answer) != 0)
    die("a wrong answer");
  connection->client = NULL;
  pool_put(client->lease);
  served++;
}

static int open_connection(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  int ends[2];
  (void)context, (void)deadline_ns;
  struct connection *connection = calloc(1, sizeof *connection);
  if (!connection || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
    error->native = errno;
    snprintf(error->message, sizeof error->message, "no socket pair: %s", strerror(errno));
    free(connection);
    return POOL_E_OPEN;
  }
  connection->ours = (struct source){ends[0], take_answer};
  connection->server = (struct source){ends[1], serve};
  if (watch(&connection->ours) != 0 || watch(&connection->server) != 0)
    die("epoll_ctl");
  *conn = connection;
  return 0;
}

/* A closed descriptor leaves epoll by itself. */
static int close_connection(void *context, void *conn, pool_error_t *error)
{
  struct connection *connection = conn;
  (void)context, (void)error;
  close(connection->ours.fd);
  close(connection->server.fd);
  free(connection);
  return 0;
}

/* ---- clients ---- */

/* A client got its connection, and asks. */
static void ask(void *user, pool_lease_t lease)
{
  struct client *client = user;
  if (lease < 0)
    die("no connection");
  struct connection *connection = pool_conn(lease);
  client->lease = lease;
  connection->client = client;
  if (write(connection->ours.fd, client->question, sizeof client->question) != sizeof client->question)
    die("could not ask");
}

int main(void)
{
  static struct client clients[CLIENTS];
  pool_config_t config = POOL_CONFIG_INIT;
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  config.keeper = POOL_KEEPER_MANUAL;
  config.initial = config.max_open = CONNECTIONS;
  vtable.open = open_connection;
  vtable.close = close_connection;

  loop = epoll_create1(EPOLL_CLOEXEC);
  if (loop < 0 || pool_create(&config, &vtable, NULL, &pool, NULL) != 0)
    die("no pool");
  pool_events = (struct source){pool_event_fd(pool), pool_is_readable};
  if (pool_events.fd < 0 || watch(&pool_events) != 0)
    die("cannot watch the pool");

  for (int i = 0; i < CLIENTS; i++) {
    snprintf(clients[i].question, sizeof clients[i].question, "I am client %d", i);
    if (pool_get_async(pool, 5000, ask, &clients[i]) < 0)
      die("cannot ask for a connection");
  }
  maintain();
  while (served < CLIENTS)
    turn();

  pool_stats_t stats = POOL_STATS_INIT;
  pool_stats(pool, &stats);
  pool_close(pool, 0);
  pool_free(pool);
  close(loop);
  printf("epoll: %d clients served by %" PRId64 " connections\n", served, stats.opened);
  return 0;
}
