/* SPDX-License-Identifier: MIT */
/*
 * The socket where poolctl asks about the pools of this process, and the one thread that serves it.
 *
 * Shared: the descriptors, under the lock, for a fork closes them in the child.  All else of a client is the thread's
 * own.  Nothing is locked while a request is answered, and nothing but memory is asked for under the lock.
 *
 * A client is a process of the same user, and may be broken.  It cannot hurt: there are at most CLIENTS, of which a
 * newcomer takes the place of the eldest; a request has one line of LINE bytes; a client that has not sent it, or has
 * not taken the answer, after PATIENCE_NS is left; and after an answer the thread rests for longer than that took.
 */
#include "run/server.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/clock.h"
#include "base/folder.h"
#include "base/forks.h"
#include "base/thread.h"

_Atomic bool server_lost;

#ifdef __linux__ /* SO_PEERCRED says whose process a client is, and /proc leads to a folder by its descriptor */

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENTS     16
#define LINE        128
#define BACKLOG     16
#define PATIENCE_NS INT64_C(10000000000)
#define RESTS       4                  /* so many times as long as an answer took */
#define REST_MAX_NS INT64_C(250000000) /* a request that made a callback wait took long, but not of the processor */
#define RETRY_NS    INT64_C(100000000) /* after a client could not be accepted, or there could be no wait */

struct client {
  int fd;           /* -1: there is none */
  int64_t until_ns; /* for what it does now */
  int64_t came_ns;
  bool last; /* it is left when it has the answer */
  size_t got;
  char line[LINE];
  pool_bytes_t answer; /* being sent, from `sent` on; data is NULL: there is none */
  size_t sent;
};

static struct {
  pthread_mutex_t lock;
  bool runs;
  server_answer_fn *answer;
  int folder, listener;
  pid_t process;
  char name[16];
  struct client clients[CLIENTS];
  int64_t accepts_ns, answers_ns; /* not before */
} server = {.lock = PTHREAD_MUTEX_INITIALIZER, .folder = -1, .listener = -1};

/* ---- clients ---- */

static void client_close(struct client *client)
{
  pthread_mutex_lock(&server.lock);
  close(client->fd);
  client->fd = -1;
  pthread_mutex_unlock(&server.lock);
  free(client->answer.data);
  client->answer = (pool_bytes_t){0};
}

static void client_expect_line(struct client *client)
{
  client->got = client->sent = 0;
  client->until_ns = clock_now() + PATIENCE_NS;
}

static bool is_own(int fd)
{
  struct ucred peer;
  socklen_t size = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}

/* A free place, if need be that of the client that came first. */
static struct client *make_place(void)
{
  struct client *eldest = &server.clients[0];
  for (struct client *client = server.clients; client < server.clients + CLIENTS; client++) {
    if (client->fd < 0)
      return client;
    if (client->came_ns < eldest->came_ns)
      eldest = client;
  }
  client_close(eldest);
  return eldest;
}

static void accept_client(void)
{
  struct client *client = make_place();
  pthread_mutex_lock(&server.lock); /* a fork now would take the descriptor along unknown */
  int fd = accept4(server.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  int error = errno;
  bool own = fd >= 0 && is_own(fd);
  if (own)
    client->fd = fd;
  else if (fd >= 0)
    close(fd);
  pthread_mutex_unlock(&server.lock);
  if (own) {
    client->came_ns = clock_now();
    client->last = false;
    client_expect_line(client);
  } else if (fd < 0 && error != EAGAIN && error != ECONNABORTED && error != EINTR)
    server.accepts_ns = clock_now() + RETRY_NS; /* descriptors are used up, say; the caller stays in the backlog */
}

static void client_refuse(struct client *client, const char *why)
{
  char *text = NULL;
  int length = asprintf(&text, "{\"ok\":false,\"code\":%d,\"message\":\"%s\"}\n", POOL_E_INVALID, why);
  client->last = true;
  client->answer = length < 0 ? (pool_bytes_t){0} : (pool_bytes_t){.data = text, .size = (size_t)length};
}

static void client_answer(struct client *client)
{
  int64_t began = clock_now();
  if (!server.answer(client->line, &client->answer))
    client->answer = (pool_bytes_t){0};
  int64_t ended = clock_now(), rest = (ended - began) * RESTS;
  server.answers_ns = ended + (rest < REST_MAX_NS ? rest : REST_MAX_NS);
}

/* What was read is a request, or too much. */
static void client_obey(struct client *client, char *end)
{
  uint64_t forks = forks_count();
  if (!end)
    client_refuse(client, "a request has at most 127 bytes");
  else if (end + 1 < client->line + client->got)
    client_refuse(client, "the next request must wait for the answer");
  else {
    *end = 0;
    client_answer(client);
  }
  if (forks_since(forks))
    return;
  client->until_ns = clock_now() + PATIENCE_NS;
  if (!client->answer.data)
    client_close(client);
}

static void client_read(struct client *client)
{
  ssize_t size = recv(client->fd, client->line + client->got, LINE - client->got, 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (size <= 0) {
    client_close(client);
    return;
  }
  client->got += (size_t)size;
  char *end = memchr(client->line, '\n', client->got);
  if (end || client->got == LINE)
    client_obey(client, end);
}

static void client_write(struct client *client)
{
  const char *data = client->answer.data;
  ssize_t size = send(client->fd, data + client->sent, client->answer.size - client->sent, MSG_NOSIGNAL);
  if (size < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (size > 0)
    client->sent += (size_t)size;
  if (size < 0 || (client->sent == client->answer.size && client->last)) {
    client_close(client);
    return;
  }
  if (client->sent < client->answer.size)
    return;
  free(client->answer.data);
  client->answer = (pool_bytes_t){0};
  client_expect_line(client);
}

static void client_tend(struct client *client, short events, int64_t now)
{
  if (now >= client->until_ns || (events & (POLLERR | POLLNVAL)))
    client_close(client);
  else if (events & POLLOUT)
    client_write(client);
  else if (events & POLLIN)
    client_read(client);
  else if (events & POLLHUP)
    client_close(client);
}

/* ---- the thread ---- */

/* What is waited for.  Returns until when at the latest. */
static int64_t collect(struct pollfd polled[1 + CLIENTS], int64_t now)
{
  int64_t until = POOL_NO_DEADLINE;
  bool accepts = now >= server.accepts_ns, answers = now >= server.answers_ns;
  polled[0] = (struct pollfd){.fd = accepts ? server.listener : -1, .events = POLLIN};
  if (!accepts)
    until = server.accepts_ns;
  for (int i = 0; i < CLIENTS; i++) {
    struct client *client = &server.clients[i];
    bool sends = client->answer.data != NULL;
    short events = sends ? POLLOUT : answers ? POLLIN : 0;
    polled[1 + i] = (struct pollfd){.fd = client->fd, .events = events};
    if (client->fd < 0)
      continue;
    int64_t due = !sends && !answers && server.answers_ns < client->until_ns ? server.answers_ns : client->until_ns;
    until = due < until ? due : until;
  }
  return until;
}

static void wait_for(struct pollfd polled[1 + CLIENTS], int64_t until, int64_t now)
{
  static const struct timespec nap = {.tv_nsec = RETRY_NS};
  int64_t ms = until == POOL_NO_DEADLINE ? -1 : until > now ? (until - now) / 1000000 + 1 : 0;
  int ready = poll(polled, 1 + CLIENTS, (int)ms);
  if (ready < 0 && errno != EINTR)
    nanosleep(&nap, NULL); /* the program may have forbidden itself so many descriptors */
  for (int i = 0; ready <= 0 && i <= CLIENTS; i++)
    polled[i].revents = 0;
}

static void *serve(void *unused)
{
  uint64_t forks = forks_count();
  while (!forks_since(forks)) { /* a callback may have forked: in the child this is no thread of the library */
    struct pollfd polled[1 + CLIENTS];
    int64_t now = clock_now();
    wait_for(polled, collect(polled, now), now);
    now = clock_now();
    for (int i = 0; i < CLIENTS && !forks_since(forks); i++)
      if (server.clients[i].fd >= 0)
        client_tend(&server.clients[i], polled[1 + i].revents, now);
    if (!forks_since(forks) && polled[0].revents)
      accept_client();
  }
  return unused;
}

/* ---- beginning and end ---- */

/* The first folder that there is; the problem is that of the last. */
static int open_folder(char *problem, size_t room)
{
  int fd = -1;
  for (int i = 0; i < FOLDERS && fd < 0; i++)
    fd = folder_open(i, true, problem, room);
  return fd;
}

/* A file in the folder, however long the folder's own path is. */
static struct sockaddr_un address_of(const char *name, const char *suffix)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s%s", server.folder, name, suffix);
  return address;
}

/* Somebody listens there, who has this number too: it would be seen no more. */
static bool is_taken(void)
{
  struct sockaddr_un address = address_of(server.name, "");
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  bool taken = fd >= 0 && (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 || errno == EAGAIN);
  if (fd >= 0)
    close(fd);
  return taken;
}

/* The socket gets its name when it listens, so that a reader never takes it for that of a process that is gone. */
static bool bind_listener(void)
{
  struct sockaddr_un address = address_of(server.name, ".new");
  const char *new = strrchr(address.sun_path, '/') + 1;
  unlinkat(server.folder, new, 0); /* of a process of this number that ended here */
  if (bind(server.listener, (struct sockaddr *)&address, sizeof address) != 0)
    return false;
  bool bound = fchmodat(server.folder, new, 0600, 0) == 0 && listen(server.listener, BACKLOG) == 0 &&
               renameat(server.folder, new, server.folder, server.name) == 0;
  int error = errno;
  if (!bound)
    unlinkat(server.folder, new, 0);
  errno = error;
  return bound;
}

static void close_all(void)
{
  for (struct client *client = server.clients; client < server.clients + CLIENTS; client++) {
    if (client->fd >= 0)
      close(client->fd);
    free(client->answer.data);
    *client = (struct client){.fd = -1};
  }
  if (server.listener >= 0)
    close(server.listener);
  if (server.folder >= 0)
    close(server.folder);
  server.listener = server.folder = -1;
  server.accepts_ns = server.answers_ns = 0;
}

static bool start(char *problem, size_t room)
{
  for (int i = 0; i < CLIENTS; i++)
    server.clients[i].fd = -1;
  if ((server.folder = open_folder(problem, room)) < 0)
    return false;
  server.process = getpid();
  snprintf(server.name, sizeof server.name, "%ld", (long)server.process);
  if (is_taken()) {
    snprintf(problem, room, MESSAGE("another copy of libpool in this process has the socket for poolctl already"));
    close_all();
    return false;
  }
  server.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (server.listener < 0 || !bind_listener()) {
    snprintf(problem, room, MESSAGE("no socket for poolctl: %s"), strerror(errno));
    close_all();
    return false;
  }
  int error = thread_detach(serve, NULL);
  if (error) {
    snprintf(problem, room, MESSAGE("no thread to serve poolctl: %s"), strerror(error));
    unlinkat(server.folder, server.name, 0);
    close_all();
  }
  return error == 0;
}

bool server_start(server_answer_fn *answer, char *problem, size_t room)
{
  int cancel_state = cancel_hold();
  pthread_mutex_lock(&server.lock);
  if (!server.runs) {
    server.answer = answer; /* the thread reads it */
    server.runs = start(problem, room);
  }
  bool runs = server.runs;
  pthread_mutex_unlock(&server.lock);
  cancel_release(cancel_state);
  return runs;
}

void server_start_again(void)
{
  char problem[512];
  if (atomic_exchange(&server_lost, false))
    server_start(server.answer, problem, sizeof problem);
}

void server_lock(void)
{
  pthread_mutex_lock(&server.lock);
}

void server_unlock(void)
{
  pthread_mutex_unlock(&server.lock);
}

void server_leave(void)
{
  if (!server.runs)
    return;
  close_all();
  server.runs = false;
  atomic_store(&server_lost, true);
}

/* As the process ends.  The thread goes on until it is over, but no new client finds it. */
static __attribute__((destructor)) void take_name_back(void)
{
  if (pthread_mutex_trylock(&server.lock) != 0)
    return;
  if (server.runs && server.process == getpid())
    unlinkat(server.folder, server.name, 0);
  pthread_mutex_unlock(&server.lock);
}

#else

bool server_start(server_answer_fn *answer, char *problem, size_t room)
{
  (void)answer;
  snprintf(problem, room, MESSAGE("this system cannot say whose process asks"));
  return false;
}

void server_start_again(void)
{
}

void server_lock(void)
{
}

void server_unlock(void)
{
}

void server_leave(void)
{
}

#endif
