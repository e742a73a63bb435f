/* SPDX-License-Identifier: MIT */
/*
 * One thread and one poll(2) loop for all clients.  Sockets never block: what a client has not sent yet or
 * does not take yet waits in its buffers, and the others are served meanwhile.
 */
#define _GNU_SOURCE /* accept4, pipe2 */

#include "arith_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A client whose request is longer is no client of ours. */
#define REQUEST_LIMIT ((size_t)1 << 20)
/* While so many bytes of replies wait, the client is not read from: who does not listen need not ask. */
#define REPLIES_LIMIT ((size_t)1 << 20)
#define PAUSE_MS      10

struct buffer {
  char *data;
  size_t used, room;
};

struct client {
  int socket;
  bool ended; /* it sends no more, but may still be owed replies */
  struct buffer requests;
  size_t searched; /* so many bytes of the requests are known to hold no end of line */
  struct buffer replies;
};

struct arith_server {
  pthread_t thread;
  int listener;
  int stop[2]; /* a pipe: the thread ends when the writing end is closed */
  struct client *clients;
  struct pollfd *watched; /* the pipe, the listener, the clients */
  size_t count, room;
  bool pausing; /* a client could not be accepted, and trying again at once would only burn the processor */
};

enum { WATCHED_STOP, WATCHED_LISTENER, WATCHED_CLIENTS };

/* ---- buffers ---- */

static bool buffer_reserve(struct buffer *buffer, size_t more)
{
  if (buffer->room - buffer->used >= more)
    return true;
  size_t room = 2 * buffer->room + more;
  char *data = realloc(buffer->data, room);
  if (!data)
    return false;
  buffer->data = data;
  buffer->room = room;
  return true;
}

static bool buffer_add(struct buffer *buffer, const char *data, size_t size)
{
  if (!buffer_reserve(buffer, size))
    return false;
  memcpy(buffer->data + buffer->used, data, size);
  buffer->used += size;
  return true;
}

static void buffer_drop(struct buffer *buffer, size_t size)
{
  buffer->used -= size;
  if (buffer->used > 0)
    memmove(buffer->data, buffer->data + size, buffer->used);
}

/* ---- arithmetic: as in Go, integers wrap around ---- */

static const char *multiply(int64_t a, int64_t b, int64_t *result)
{
  *result = (int64_t)((uint64_t)a * (uint64_t)b);
  return NULL;
}

static const char *divide(int64_t a, int64_t b, int64_t *result)
{
  if (b == 0)
    return "divide by zero";
  *result = b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
  return NULL;
}

static const struct {
  const char *name;
  const char *(*compute)(int64_t a, int64_t b, int64_t *result); /* returns what went wrong, or NULL */
} methods[] = {{"Arith.Mul", multiply}, {"Arith.Div", divide}};

/* ---- one request ---- */

/* As in Go, a factor that is not given is 0. */
static bool read_number(const json_t *numbers, const char *name, int64_t *number)
{
  const json_t *value = json_object_get(numbers, name);
  *number = json_integer_value(value);
  return !value || json_is_null(value) || json_is_integer(value);
}

static json_t *failure(const char *message, const char *method)
{
  return json_sprintf("%s%s", message, method);
}

/* Returns the error for the client, or NULL after success. */
static json_t *compute(const char *method, const json_t *params, int64_t *result)
{
  const json_t *numbers = json_array_get(params, 0);
  int64_t a, b;
  if (strncmp(method, "Arith.", strlen("Arith.")) != 0)
    return failure("rpc: can't find service ", method);
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
    if (strcmp(method, methods[i].name) != 0)
      continue;
    if (!json_is_object(numbers))
      return failure("jsonrpc: params must be one object in an array: ", method);
    if (!read_number(numbers, "A", &a) || !read_number(numbers, "B", &b))
      return failure("jsonrpc: A and B must be integers: ", method);
    const char *problem = methods[i].compute(a, b, result);
    return problem ? failure(problem, "") : NULL;
  }
  return failure("rpc: can't find method ", method);
}

static bool add_reply(struct client *client, json_t *id, const json_t *error, int64_t result)
{
  json_t *value = error ? json_null() : json_integer(result);
  json_t *reply = json_pack("{s:O?, s:o, s:O?}", "id", id, "result", value, "error", error);
  char *text = reply ? json_dumps(reply, JSON_COMPACT) : NULL;
  bool added = text && buffer_add(&client->replies, text, strlen(text)) && buffer_add(&client->replies, "\n", 1);
  free(text);
  json_decref(reply);
  return added;
}

/* Returns false if the client cannot be served any longer: it does not speak our language. */
static bool answer(struct client *client, const char *line, size_t length)
{
  json_t *request = json_loadb(line, length, 0, NULL);
  const char *method = json_string_value(json_object_get(request, "method"));
  bool answered = false;
  if (method) {
    int64_t result = 0;
    json_t *error = compute(method, json_object_get(request, "params"), &result);
    answered = add_reply(client, json_object_get(request, "id"), error, result);
    json_decref(error);
  }
  json_decref(request);
  return answered;
}

static bool is_blank(const char *line, size_t length)
{
  return strspn(line, " \t\r\n") >= length;
}

/* Answers all requests that have arrived whole. */
static bool answer_all(struct client *client)
{
  struct buffer *requests = &client->requests;
  size_t done = 0;
  char *end;
  while ((end = memchr(requests->data + client->searched, '\n', requests->used - client->searched))) {
    const char *line = requests->data + done;
    size_t length = (size_t)(end + 1 - line);
    if (!is_blank(line, length) && !answer(client, line, length))
      return false;
    done += length;
    client->searched = done;
  }
  buffer_drop(requests, done);
  client->searched = requests->used;
  return requests->used <= REQUEST_LIMIT;
}

/* ---- one client; false: it is to be dropped ---- */

static bool would_block(void)
{
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static bool client_send(struct client *client)
{
  struct buffer *replies = &client->replies;
  size_t sent = 0;
  while (sent < replies->used) {
    ssize_t part = send(client->socket, replies->data + sent, replies->used - sent, MSG_NOSIGNAL);
    if (part < 0 && !would_block())
      return false;
    if (part <= 0)
      break;
    sent += (size_t)part;
  }
  buffer_drop(replies, sent);
  return true;
}

static bool client_receive(struct client *client)
{
  struct buffer *requests = &client->requests;
  if (!buffer_reserve(requests, 4096))
    return false;
  ssize_t part = recv(client->socket, requests->data + requests->used, requests->room - requests->used, 0);
  if (part < 0)
    return would_block();
  client->ended = part == 0;
  requests->used += (size_t)part;
  return answer_all(client);
}

static bool client_serve(struct client *client, short events)
{
  if (events & (POLLERR | POLLNVAL))
    return false;
  if (!client->ended && events & (POLLIN | POLLHUP) && !client_receive(client))
    return false;
  return client_send(client) && !(client->ended && client->replies.used == 0);
}

static short client_wishes(const struct client *client)
{
  bool reads = !client->ended && client->replies.used < REPLIES_LIMIT;
  return (short)((reads ? POLLIN : 0) | (client->replies.used > 0 ? POLLOUT : 0));
}

static void client_free(struct client *client)
{
  close(client->socket);
  free(client->requests.data);
  free(client->replies.data);
}

/* ---- all clients ---- */

static bool server_reserve(struct arith_server *server)
{
  if (server->count < server->room)
    return true;
  size_t room = 2 * server->room + 16;
  struct client *clients = realloc(server->clients, room * sizeof *clients);
  if (!clients)
    return false;
  server->clients = clients;
  struct pollfd *watched = realloc(server->watched, (WATCHED_CLIENTS + room) * sizeof *watched);
  if (!watched)
    return false;
  server->watched = watched;
  server->room = room;
  return true;
}

static void accept_client(struct arith_server *server)
{
  int socket = server_reserve(server) ? accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) : -1;
  server->pausing = socket < 0 && !would_block();
  if (socket < 0)
    return;
  /* A reply is one small packet, and must not wait until the client has confirmed the one before it. */
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  server->clients[server->count++] = (struct client){.socket = socket};
}

static void serve_clients(struct arith_server *server)
{
  size_t kept = 0;
  for (size_t i = 0; i < server->count; i++) {
    struct client *client = &server->clients[i];
    short events = server->watched[WATCHED_CLIENTS + i].revents;
    if (!events || client_serve(client, events))
      server->clients[kept++] = *client;
    else
      client_free(client);
  }
  server->count = kept;
}

/* Returns false when the server is to stop. */
static bool wait_for_clients(struct arith_server *server)
{
  struct pollfd *watched = server->watched;
  watched[WATCHED_STOP] = (struct pollfd){.fd = server->stop[0], .events = POLLIN};
  watched[WATCHED_LISTENER] = (struct pollfd){.fd = server->listener, .events = server->pausing ? 0 : POLLIN};
  for (size_t i = 0; i < server->count; i++) {
    const struct client *client = &server->clients[i];
    watched[WATCHED_CLIENTS + i] = (struct pollfd){.fd = client->socket, .events = client_wishes(client)};
  }
  int ready = poll(watched, WATCHED_CLIENTS + server->count, server->pausing ? PAUSE_MS : -1);
  if (ready < 0)
    memset(watched, 0, (WATCHED_CLIENTS + server->count) * sizeof *watched);
  return watched[WATCHED_STOP].revents == 0;
}

static void *serve(void *data)
{
  struct arith_server *server = data;
  while (wait_for_clients(server)) {
    serve_clients(server);
    if (server->pausing || server->watched[WATCHED_LISTENER].revents)
      accept_client(server);
  }
  return NULL;
}

/* ---- start and stop ---- */

static int server_listen(struct arith_server *server, uint16_t port, char *address, size_t size)
{
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof name;
  server->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  /* The connections of a server that was killed may linger on the port. */
  if (server->listener < 0 || setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) != 0 ||
      bind(server->listener, (struct sockaddr *)&name, length) != 0 || listen(server->listener, SOMAXCONN) != 0 ||
      getsockname(server->listener, (struct sockaddr *)&name, &length) != 0)
    return errno;
  int written = snprintf(address, size, "127.0.0.1:%d", ntohs(name.sin_port));
  return (size_t)written < size ? 0 : ENAMETOOLONG;
}

static void close_if_open(int descriptor)
{
  if (descriptor >= 0)
    close(descriptor);
}

static void server_free(struct arith_server *server)
{
  for (size_t i = 0; i < server->count; i++)
    client_free(&server->clients[i]);
  close_if_open(server->listener);
  close_if_open(server->stop[0]);
  close_if_open(server->stop[1]);
  free(server->clients);
  free(server->watched);
  free(server);
}

int arith_server_start(struct arith_server **server, uint16_t port, char *address, size_t size)
{
  struct arith_server *made = calloc(1, sizeof *made);
  if (!made)
    return ENOMEM;
  made->listener = made->stop[0] = made->stop[1] = -1;
  int code = server_reserve(made) ? server_listen(made, port, address, size) : ENOMEM;
  if (code == 0 && pipe2(made->stop, O_CLOEXEC) != 0)
    code = errno;
  if (code == 0)
    code = pthread_create(&made->thread, NULL, serve, made);
  if (code)
    server_free(made);
  else
    *server = made;
  return code;
}

void arith_server_stop(struct arith_server *server)
{
  if (!server)
    return;
  close(server->stop[1]);
  server->stop[1] = -1;
  pthread_join(server->thread, NULL);
  server_free(server);
}
