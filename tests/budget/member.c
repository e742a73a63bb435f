/* SPDX-License-Identifier: MIT */
/*
 * A process of a fleet: a pool for each URL, and threads that use its connections.  It obeys the lines of its standard
 * input and answers each with a line; it ends when there is no more input.
 *
 *     users POOL COUNT   so many threads use the pool from now on, at most USERS
 *     stats POOL         open, granted, share, cut off, permits of the budget
 *     fork POOL COUNT    a child of this process uses the pool with so many threads
 *     join               the child ends
 */
#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pool/driver.h>
#include <pool/pool.h>

#define USERS 64
#define POOLS 4

struct user {
  pthread_t thread;
  struct use *use;
  int index;
};

struct use {
  pool_t *pool;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int wanted, started;
  struct user user[USERS];
};

static struct use uses[POOLS];
static pid_t child;
static int child_pipe[2];

static void await_turn(struct user *user)
{
  struct use *use = user->use;
  pthread_mutex_lock(&use->lock);
  while (user->index >= use->wanted)
    pthread_cond_wait(&use->changed, &use->lock);
  pthread_mutex_unlock(&use->lock);
}

static void *user_main(void *data)
{
  struct user *user = data;
  for (;;) {
    await_turn(user);
    pool_lease_t lease = pool_get_for(user->use->pool, 60000);
    if (lease < 0)
      continue;
    PQclear(PQexec(pool_conn(lease), "select pg_sleep(0.1)"));
    pool_put(lease);
  }
  return NULL;
}

static void set_users(struct use *use, int count)
{
  pthread_mutex_lock(&use->lock);
  use->wanted = count < USERS ? count : USERS;
  for (; use->started < use->wanted; use->started++) {
    struct user *user = &use->user[use->started];
    *user = (struct user){.use = use, .index = use->started};
    if (pthread_create(&user->thread, NULL, user_main, user) != 0)
      break;
  }
  pthread_cond_broadcast(&use->changed);
  pthread_mutex_unlock(&use->lock);
}

static void show(const struct use *use)
{
  pool_stats_t stats = POOL_STATS_INIT;
  pool_stats(use->pool, &stats);
  printf("%lld %lld %lld %lld %lld\n", (long long)stats.open, (long long)stats.budget_granted,
         (long long)stats.budget_share, (long long)stats.budget_cut_off, (long long)stats.budget_limit);
}

/* The threads of the parent are not there; nor is a use of theirs. */
static void child_main(struct use *use, int count)
{
  char none;
  close(child_pipe[1]);
  pthread_mutex_init(&use->lock, NULL);
  pthread_cond_init(&use->changed, NULL);
  use->started = 0;
  set_users(use, count);
  while (read(child_pipe[0], &none, 1) > 0)
    ;
  _exit(0);
}

static void begin_child(struct use *use, int count)
{
  if (pipe(child_pipe) != 0 || (child = fork()) < 0)
    exit(3);
  if (child == 0)
    child_main(use, count);
  close(child_pipe[0]);
}

static void end_child(void)
{
  close(child_pipe[1]);
  waitpid(child, NULL, 0);
}

static void obey(const char *line)
{
  int index = 0, count = 0;
  if (sscanf(line, "users %d %d", &index, &count) == 2)
    set_users(&uses[index], count);
  else if (sscanf(line, "fork %d %d", &index, &count) == 2)
    begin_child(&uses[index], count);
  else if (strcmp(line, "join\n") == 0)
    end_child();
  else if (sscanf(line, "stats %d", &index) == 1) {
    show(&uses[index]);
    return;
  }
  puts("done");
}

static int begin(struct use *use, const char *url)
{
  pool_error_t error = POOL_ERROR_INIT;
  pthread_mutex_init(&use->lock, NULL);
  pthread_cond_init(&use->changed, NULL);
  int code = pool_open(url, &use->pool, &error);
  if (code)
    puts(error.message);
  return code;
}

int main(int argc, char **argv)
{
  char line[100];
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 1; i < argc && i <= POOLS; i++)
    if (begin(&uses[i - 1], argv[i]) != 0)
      return 2;
  puts("ready");
  while (fgets(line, sizeof line, stdin))
    obey(line);
  for (int i = 1; i < argc && i <= POOLS; i++)
    set_users(&uses[i - 1], 0);
  for (int i = 1; i < argc && i <= POOLS; i++)
    pool_close(uses[i - 1].pool, 5000);
  _exit(0);
}
