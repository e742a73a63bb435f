/* SPDX-License-Identifier: MIT */
#include "census.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support.h"

#define PLACES      4096
#define ESTABLISHED 1u

struct list {
  int count;
  uint64_t connection[PLACES]; /* the client's port, and the inode of its socket */
};

static bool has(const struct list *list, uint64_t connection)
{
  for (int i = 0; i < list->count; i++)
    if (list->connection[i] == connection)
      return true;
  return false;
}

/* The kernel gives its list in pieces.  Where sockets come and go meanwhile, a piece may have again what the one before
   had. */
static void add_once(struct list *list, uint64_t connection)
{
  if (list->count < PLACES && !has(list, connection))
    list->connection[list->count++] = connection;
}

static void read_list(int port, const char *path, struct list *list)
{
  char line[512];
  FILE *file = fopen(path, "re");
  if (!file && errno == ENOENT)
    return; /* of a kernel without IPv6 */
  must(file != NULL);
  while (fgets(line, sizeof line, file)) {
    unsigned local, remote, state;
    unsigned long long inode;
    int read = sscanf(line, " %*d: %*x:%x %*x:%x %x %*x:%*x %*x:%*x %*x %*u %*u %llu", &local, &remote, &state, &inode);
    if (read == 4 && remote == (unsigned)port && state == ESTABLISHED)
      add_once(list, (uint64_t)local << 48 ^ inode);
  }
  fclose(file);
}

static void read_lists(const struct census *census, struct list *list)
{
  list->count = 0;
  for (int i = 0; i < census->lists; i++)
    read_list(census->port, census->list[i], list);
}

static int count_in_both(const struct list *one, const struct list *other)
{
  int count = 0;
  for (int i = 0; i < one->count; i++)
    count += has(other, one->connection[i]);
  return count;
}

static int count_now(const struct census *census, int limit, struct list lists[2])
{
  read_lists(census, &lists[0]);
  if (lists[0].count <= limit)
    return lists[0].count;
  read_lists(census, &lists[1]);
  return count_in_both(&lists[0], &lists[1]);
}

static void note(struct census *census, int count)
{
  int64_t now = now_ns();
  census->now = count;
  census->counts++;
  census->most = count > census->most ? count : census->most;
  census->least = count < census->least ? count : census->least;
  if (count * 20 >= census->limit * 19)
    census->low_since_ns = 0;
  else if (census->low_since_ns == 0)
    census->low_since_ns = now;
  else if (now - census->low_since_ns > census->longest_low_ns)
    census->longest_low_ns = now - census->low_since_ns;
}

static void *count_main(void *data)
{
  static const struct timespec pause = {.tv_nsec = 10000000};
  static struct list lists[2];
  struct census *census = data;
  pthread_mutex_lock(&census->lock);
  while (!census->ends) {
    int limit = census->limit;
    pthread_mutex_unlock(&census->lock);
    int count = count_now(census, limit, lists);
    pthread_mutex_lock(&census->lock);
    if (limit == census->limit)
      note(census, count);
    pthread_mutex_unlock(&census->lock);
    nanosleep(&pause, NULL);
    pthread_mutex_lock(&census->lock);
  }
  pthread_mutex_unlock(&census->lock);
  return NULL;
}

/* A socket that could speak IPv6 is in the second list, whatever it speaks. */
static void add_lists(struct census *census, const char *process)
{
  must(census->lists + 2 <= CENSUS_LISTS);
  snprintf(census->list[census->lists++], sizeof census->list[0], "/proc/%s/net/tcp", process);
  snprintf(census->list[census->lists++], sizeof census->list[0], "/proc/%s/net/tcp6", process);
}

void census_start(struct census *census, int port, const pid_t *processes, int count)
{
  char process[12];
  *census = (struct census){.port = port};
  add_lists(census, "self");
  for (int i = 0; i < count; i++) {
    snprintf(process, sizeof process, "%d", (int)processes[i]);
    add_lists(census, process);
  }
  pthread_mutex_init(&census->lock, NULL);
  must(pthread_create(&census->thread, NULL, count_main, census) == 0);
}

void census_end(struct census *census)
{
  pthread_mutex_lock(&census->lock);
  census->ends = true;
  pthread_mutex_unlock(&census->lock);
  pthread_join(census->thread, NULL);
}

void census_limit(struct census *census, int limit)
{
  pthread_mutex_lock(&census->lock);
  census->limit = limit;
  census->most = census->now;
  census->least = census->now;
  census->counts = census->low_since_ns = census->longest_low_ns = 0;
  pthread_mutex_unlock(&census->lock);
}

struct census census_read(struct census *census)
{
  pthread_mutex_lock(&census->lock);
  struct census copy = *census;
  pthread_mutex_unlock(&census->lock);
  return copy;
}
