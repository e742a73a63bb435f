/* SPDX-License-Identifier: MIT */
/*
 * A process has its socket in one of two folders, under the name of its number (base/folder.h).  All are asked at one
 * time, so one that is stopped makes nobody wait longer than PATIENCE_MS.
 *
 * A socket that refuses to be connected to belongs to a process that is gone: its name is removed.  The library gives a
 * socket its name when it listens, so one that is only about to listen is never met.
 */
#include "peer.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/folder.h"
#include "say.h"

#define PATIENCE_MS 1000
#define ANSWER_MAX  (64u << 20)
#define PIECE       65536

/* ---- connecting ---- */

/* A descriptor, or -1.  *silent: a process is there, and has long accepted nobody. */
static int connect_to(int folder, const char *name, bool *silent)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%.20s", folder, name);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
    return fd;
  *silent = fd >= 0 && errno == EAGAIN;
  if (errno == ECONNREFUSED)
    unlinkat(folder, name, 0);
  if (fd >= 0)
    close(fd);
  return -1;
}

static void add(struct peers *peers, long pid, int fd)
{
  struct peer *longer = realloc(peers->list, (peers->count + 1) * sizeof *longer);
  if (!longer) {
    if (fd >= 0)
      close(fd);
    return;
  }
  peers->list = longer;
  peers->list[peers->count++] = (struct peer){.pid = pid, .fd = fd};
}

/* The number that a name is, or 0. */
static long number_of(const char *name)
{
  char *end;
  long pid = name[0] >= '1' && name[0] <= '9' ? strtol(name, &end, 10) : 0;
  return pid > 0 && !*end ? pid : 0;
}

/* Connects to those in a folder, which is closed. */
static void find_in(struct peers *peers, int folder, long wanted)
{
  DIR *entries = fdopendir(folder);
  if (!entries) {
    close(folder);
    return;
  }
  for (struct dirent *entry; (entry = readdir(entries));) {
    long pid = number_of(entry->d_name);
    if (pid == 0 || (wanted && pid != wanted))
      continue;
    bool silent = false;
    int fd = connect_to(folder, entry->d_name, &silent);
    if (fd >= 0 || silent)
      add(peers, pid, fd);
  }
  closedir(entries);
}

/* ---- asking ---- */

static void leave(struct peer *peer)
{
  if (peer->fd >= 0)
    close(peer->fd);
  peer->fd = -1;
}

/* A request is short enough for an empty socket. */
static void send_request(struct peer *peer, const char *request)
{
  char line[128];
  int length = snprintf(line, sizeof line, "%s\n", request);
  if (peer->fd >= 0 && send(peer->fd, line, (size_t)length, MSG_NOSIGNAL) != length)
    leave(peer);
}

static void finish(struct peer *peer)
{
  leave(peer);
  json_t *answer = json_loadb(peer->text, peer->size, 0, NULL);
  if (json_is_object(answer))
    peer->answer = answer;
  else
    json_decref(answer);
}

static void hear(struct peer *peer)
{
  char *longer = peer->size < ANSWER_MAX ? realloc(peer->text, peer->size + PIECE) : NULL;
  if (!longer) {
    leave(peer);
    return;
  }
  peer->text = longer;
  ssize_t size = recv(peer->fd, peer->text + peer->size, PIECE, 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (size <= 0) {
    leave(peer);
    return;
  }
  peer->size += (size_t)size;
  if (peer->text[peer->size - 1] == '\n')
    finish(peer);
}

static void hear_all(struct peers *peers)
{
  int64_t until = clock_now() / 1000000 + PATIENCE_MS, left;
  struct pollfd *polled = calloc(peers->count + 1, sizeof *polled);
  while (polled && (left = until - clock_now() / 1000000) > 0) {
    bool waits = false;
    for (size_t i = 0; i < peers->count; i++) {
      polled[i] = (struct pollfd){.fd = peers->list[i].fd, .events = POLLIN};
      waits = waits || peers->list[i].fd >= 0;
    }
    if (!waits || (poll(polled, peers->count, (int)left) < 0 && errno != EINTR))
      break;
    for (size_t i = 0; i < peers->count; i++)
      if (peers->list[i].fd >= 0 && polled[i].revents)
        hear(&peers->list[i]);
  }
  free(polled);
}

static int compare(const void *left, const void *right)
{
  const struct peer *a = left, *b = right;
  return (a->pid > b->pid) - (a->pid < b->pid);
}

void peers_ask(struct peers *peers, long pid, const char *request)
{
  *peers = (struct peers){0};
  for (int i = 0; i < FOLDERS; i++) {
    char problem[sizeof peers->problem];
    int folder = folder_open(i, false, problem, sizeof problem);
    if (folder >= 0)
      find_in(peers, folder, pid);
    else if (problem[0])
      snprintf(peers->problem, sizeof peers->problem, "%s", problem);
  }
  for (size_t i = 0; i < peers->count; i++)
    send_request(&peers->list[i], request);
  hear_all(peers);
  if (peers->count > 0)
    qsort(peers->list, peers->count, sizeof *peers->list, compare);
}

void peers_free(struct peers *peers)
{
  for (size_t i = 0; i < peers->count; i++) {
    leave(&peers->list[i]);
    free(peers->list[i].text);
    json_decref(peers->list[i].answer);
  }
  free(peers->list);
  *peers = (struct peers){0};
}
