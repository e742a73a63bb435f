/* SPDX-License-Identifier: MIT */
/*
 * Ten threads share three TCP connections.  docs/quick-guide.md explains this program step by step.
 *
 * usage: tcp [ADDRESS PORT]    without a server it starts one of its own, which sends back what it gets
 *
 *   cc -D_GNU_SOURCE tcp.c echo.c $(pkg-config --cflags --libs pool) -pthread -o tcp && ./tcp
 */
#include <pool/pool.h>

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "echo.h"

enum { THREADS = 10, QUESTIONS = 20 };

struct connection {
  int fd;
};

/* ---- the callbacks ---- */

static int64_t now_ns(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Says why a callback failed. */
static int fail(pool_error_t *error, int code, const char *what)
{
  error->code = code;
  error->native = errno;
  snprintf(error->message, sizeof error->message, "%s: %s", what, strerror(errno));
  return code;
}

/* Waits until the socket is ready; 0, or an errno. */
static int wait_until_ready(int fd, short events, int64_t deadline_ns)
{
  for (;;) {
    struct pollfd look = {.fd = fd, .events = events};
    int64_t left_ms = deadline_ns == POOL_NO_DEADLINE ? -1 : (deadline_ns - now_ns()) / 1000000;
    int found = deadline_ns != POOL_NO_DEADLINE && left_ms < 0 ? 0 : poll(&look, 1, (int)left_ms);
    if (found > 0)
      return 0;
    if (found == 0)
      return ETIMEDOUT;
    if (errno != EINTR)
      return errno;
  }
}

/* Connects before the deadline; 0, or an errno. */
static int connect_before(int fd, const struct sockaddr_in *server, int64_t deadline_ns)
{
  if (connect(fd, (const struct sockaddr *)server, sizeof *server) == 0)
    return 0;
  if (errno != EINPROGRESS)
    return errno;
  int code = wait_until_ready(fd, POLLOUT, deadline_ns);
  socklen_t size = sizeof code;
  if (code == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) != 0)
    code = errno;
  return code;
}

static int open_connection(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  struct connection *made = malloc(sizeof *made);
  if (!made)
    return fail(error, POOL_E_NOMEM, "connecting");
  made->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  errno = made->fd < 0 ? errno : connect_before(made->fd, context, deadline_ns);
  if (errno != 0) {
    int code = fail(error, errno == ETIMEDOUT ? POOL_E_TIMEOUT : POOL_E_OPEN, "connecting");
    if (made->fd >= 0)
      close(made->fd);
    free(made);
    return code;
  }
  *conn = made;
  return 0;
}

static int close_connection(void *context, void *conn, pool_error_t *error)
{
  struct connection *connection = conn;
  (void)context, (void)error;
  close(connection->fd);
  free(connection);
  return 0;
}

/* Unread bytes, or an end of file, mean that nobody else may use this connection. */
static int check_connection(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  const struct connection *connection = conn;
  (void)context, (void)deadline_ns;
  errno = 0;
  return pool_socket_idle(connection->fd) == 0 ? 0 : fail(error, POOL_E_BROKEN, "checking");
}

static void abandon_connection(void *context, void *conn)
{
  const struct connection *connection = conn;
  (void)context;
  close(connection->fd); /* in the child of a fork: the server hears nothing, for the parent has the socket too */
}

static void print_line(void *user, int32_t level, const char *line)
{
  (void)user;
  fprintf(stderr, "%s: %s\n", level == POOL_LOG_ERROR ? "error" : "note", line);
}

/* ---- the use of a connection ---- */

/* Sends a line and reads the answer; 0, or an errno. */
static int ask(const struct connection *connection, const char *question, char *answer, size_t room)
{
  size_t size = strlen(question), got = 0;
  if (send(connection->fd, question, size, MSG_NOSIGNAL) != (ssize_t)size)
    return EIO;
  while (got < size && got < room - 1) {
    int code = wait_until_ready(connection->fd, POLLIN, now_ns() + INT64_C(5000000000));
    ssize_t more = code == 0 ? read(connection->fd, answer + got, room - 1 - got) : 0;
    if (more <= 0)
      return code ? code : EIO;
    got += (size_t)more;
  }
  answer[got] = 0;
  return 0;
}

static int ask_once(pool_t *pool, const char *question)
{
  char answer[64];
  pool_error_t error = POOL_ERROR_INIT;

  pool_lease_t lease = pool_get_for(pool, 2000); /* waits 2 s at most */
  if (lease < 0) {
    pool_failure(&error);
    fprintf(stderr, "no connection: %s\n", error.message);
    return -1;
  }
  int code = ask(pool_conn(lease), question, answer, sizeof answer);
  if (code != 0)
    pool_mark_broken(lease); /* it is closed when it is put back, and the others are checked */
  pool_put(lease);
  return code == 0 && strcmp(answer, question) == 0 ? 0 : -1;
}

static void *ask_often(void *pool)
{
  intptr_t answers = 0;
  for (int i = 0; i < QUESTIONS; i++)
    answers += ask_once(pool, "how are you?\n") == 0;
  return (void *)answers;
}

static intptr_t ask_side_by_side(pool_t *pool)
{
  pthread_t threads[THREADS];
  intptr_t answers = 0;
  for (int i = 0; i < THREADS; i++)
    if (pthread_create(&threads[i], NULL, ask_often, pool) != 0)
      exit(1);
  for (int i = 0; i < THREADS; i++) {
    void *some;
    pthread_join(threads[i], &some);
    answers += (intptr_t)some;
  }
  return answers;
}

/* ---- the pool ---- */

static pool_t *make_pool(struct sockaddr_in *server)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.name = "echo";        /* in messages and metrics */
  config.max_open = 3;         /* the hard cap; without it there is none */
  config.openers = 2;          /* library threads open: a get ends at its timeout though an open hangs */
  config.check_after_ms = 500; /* idle for half a second: checked before it is lent */
  config.retry_min_ms = 10;    /* back-off and breaker */
  config.log = print_line;

  pool_vtable_t vtable = POOL_VTABLE_INIT;
  vtable.open = open_connection;
  vtable.close = close_connection;
  vtable.check = check_connection;
  vtable.abandon = abandon_connection;

  pool_t *pool;
  pool_error_t error = POOL_ERROR_INIT;
  if (pool_create(&config, &vtable, server, &pool, &error) != 0) {
    fprintf(stderr, "no pool: %s\n", error.message);
    exit(1);
  }
  return pool;
}

int main(int argc, char **argv)
{
  struct sockaddr_in server = {.sin_family = AF_INET};
  if (argc < 3)
    server = echo_start();
  else if (inet_pton(AF_INET, argv[1], &server.sin_addr) == 1)
    server.sin_port = htons((uint16_t)atoi(argv[2]));
  pool_t *pool = make_pool(&server);

  intptr_t answers = ask_side_by_side(pool);

  pool_stats_t stats = POOL_STATS_INIT;
  pool_stats(pool, &stats);
  pool_close(pool, -1); /* waits until each connection is back and closed */
  pool_free(pool);
  printf("tcp: %d answers, at most 3 connections open\n", (int)answers);
  return answers == THREADS * QUESTIONS && stats.open <= 3 ? 0 : 1;
}
