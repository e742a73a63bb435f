/* SPDX-License-Identifier: MIT */
/*
 * A pool in libuv's loop: one thread, twenty clients, three connections, and nobody ever waits for anything but uv_run.
 *
 * The pool needs two handles of the loop: a uv_poll_t calls pool_maintain() when pool_event_fd() is readable, and a
 * uv_timer_t when the time is over that the last pool_maintain() returned.  Clients are told there that they have a
 * connection.
 *
 * The connections are opened before the loop begins.  If one had to be replaced, a thread of the library would open it,
 * for a loop cannot wait for a server; so `open` leaves the loop alone, and a connection joins it with its first
 * client.
 *
 * A connection is a socket pair whose other end stands for a server that sends back what it gets.
 *
 *   cc libuv.c $(pkg-config --cflags --libs pool libuv) -o libuv && ./libuv
 */
#include <pool/pool.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

enum { CLIENTS = 20, CONNECTIONS = 3 };

struct client {
  pool_lease_t lease;
  char question[32];
};

struct connection {
  uv_pipe_t ours, server; /* each has the connection as its data */
  int handles;            /* of these, not closed yet */
  uv_os_sock_t ends[2];   /* what they will read and write */
  struct client *client;  /* whose answer is awaited */
  char bytes[2][32];      /* what ours and the server's end read */
};

static uv_loop_t *loop;
static pool_t *pool;
static uv_poll_t pool_events;
static uv_timer_t pool_timer;
static int served;
static int64_t opened;

static _Noreturn void die(const char *what)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_failure(&error);
  fprintf(stderr, "libuv: %s: %s\n", what, error.message);
  exit(1);
}

/* ---- the pool in the loop ---- */

static void when_due(uv_timer_t *timer);

static void maintain(void)
{
  int64_t wait_ns = pool_maintain(pool);
  uv_timer_stop(&pool_timer);
  if (wait_ns == INT64_MAX)
    return;
  uv_update_time(loop); /* the loop's clock stood still during the callbacks */
  uv_timer_start(&pool_timer, when_due, (uint64_t)(wait_ns / 1000000 + 1), 0);
}

static void when_due(uv_timer_t *timer)
{
  (void)timer;
  maintain();
}

static void when_readable(uv_poll_t *events, int status, int readable)
{
  (void)events, (void)readable;
  if (status < 0)
    die(uv_strerror(status));
  maintain();
}

/* With the last handles the loop ends. */
static void finish(void)
{
  pool_stats_t stats = POOL_STATS_INIT;
  pool_stats(pool, &stats);
  opened = stats.opened;
  pool_close(pool, 0);
  uv_close((uv_handle_t *)&pool_events, NULL);
  uv_close((uv_handle_t *)&pool_timer, NULL);
}

/* ---- connections ---- */

static void find_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
  struct connection *connection = handle->data;
  (void)suggested;
  char *bytes = connection->bytes[handle == (uv_handle_t *)&connection->server];
  *room = uv_buf_init(bytes, sizeof connection->bytes[0]);
}

static void say(uv_pipe_t *pipe, char *bytes, size_t size)
{
  uv_buf_t buffer = uv_buf_init(bytes, (unsigned)size);
  if (uv_try_write((uv_stream_t *)pipe, &buffer, 1) != (int)size)
    die("could not write");
}

static void serve(uv_stream_t *server, ssize_t size, const uv_buf_t *bytes)
{
  if (size > 0)
    say((uv_pipe_t *)server, bytes->base, (size_t)size);
}

/* The answer is here: the connection goes back, and whoever waits for it is told by pool_maintain. */
static void take_answer(uv_stream_t *ours, ssize_t size, const uv_buf_t *answer)
{
  struct connection *connection = ours->data;
  struct client *client = connection->client;
  if (size == 0)
    return; /* that is libuv's EAGAIN */
  if (!client || size != sizeof client->question || memcmp(answer->base, client->question, (size_t)size) != 0)
    die("a wrong answer");
  connection->client = NULL;
  pool_put(client->lease);
  if (++served == CLIENTS)
    finish();
}

static void watch(struct connection *connection, uv_pipe_t *pipe, uv_file end, uv_read_cb read)
{
  uv_pipe_init(loop, pipe, 0);
  pipe->data = connection;
  connection->handles++;
  if (uv_pipe_open(pipe, end) != 0 || uv_read_start((uv_stream_t *)pipe, find_room, read) != 0)
    die("cannot watch a connection");
}

static int open_connection(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  uv_os_sock_t ends[2];
  (void)context, (void)deadline_ns;
  struct connection *connection = calloc(1, sizeof *connection);
  int problem = connection ? uv_socketpair(SOCK_STREAM, 0, ends, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE) : UV_ENOMEM;
  if (problem) {
    error->native = problem;
    snprintf(error->message, sizeof error->message, "no socket pair: %s", uv_strerror(problem));
    free(connection);
    return POOL_E_OPEN;
  }
  connection->ends[0] = ends[0];
  connection->ends[1] = ends[1];
  *conn = connection;
  return 0;
}

static void join_loop(struct connection *connection)
{
  if (connection->handles > 0)
    return;
  watch(connection, &connection->ours, connection->ends[0], take_answer);
  watch(connection, &connection->server, connection->ends[1], serve);
}

static void leave_unjoined(struct connection *connection)
{
  close(connection->ends[0]);
  close(connection->ends[1]);
  free(connection);
}

static void forget(uv_handle_t *handle)
{
  struct connection *connection = handle->data;
  if (--connection->handles == 0)
    free(connection);
}

/* For the pool it is closed now; libuv needs the memory a little longer. */
static int close_connection(void *context, void *conn, pool_error_t *error)
{
  struct connection *connection = conn;
  (void)context, (void)error;
  if (connection->handles == 0) {
    leave_unjoined(connection);
    return 0;
  }
  uv_close((uv_handle_t *)&connection->ours, forget);
  uv_close((uv_handle_t *)&connection->server, forget);
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
  join_loop(connection);
  say(&connection->ours, client->question, sizeof client->question);
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

  loop = uv_default_loop();
  if (pool_create(&config, &vtable, NULL, &pool, NULL) != 0 || pool_event_fd(pool) < 0)
    die("no pool");
  uv_timer_init(loop, &pool_timer);
  uv_poll_init(loop, &pool_events, pool_event_fd(pool));
  uv_poll_start(&pool_events, UV_READABLE, when_readable);

  for (int i = 0; i < CLIENTS; i++) {
    snprintf(clients[i].question, sizeof clients[i].question, "I am client %d", i);
    if (pool_get_async(pool, 5000, ask, &clients[i]) < 0)
      die("cannot ask for a connection");
  }
  maintain();
  uv_run(loop, UV_RUN_DEFAULT);

  pool_free(pool);
  if (uv_loop_close(loop) != 0)
    die("something is left in the loop");
  printf("libuv: %d clients served by %" PRId64 " connections\n", served, opened);
  return 0;
}
