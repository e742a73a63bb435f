/* SPDX-License-Identifier: MIT */
#include "fork_support.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
  return "race:make_places\n";
}

/* The address sanitizer of GCC 12 does not make its allocator ready for a fork, as malloc itself does: in a child of a
   moment at which another thread was in its allocator, or began or ended, the next allocation may wait for ever.  So
   with it, and only with it, forks wait until no other thread does any of that; all else may still be under way. */
#ifdef __SANITIZE_ADDRESS__
static pthread_rwlock_t allocating = PTHREAD_RWLOCK_INITIALIZER;

static bool others_sleep(void)
{
  bool sleep = true;
  DIR *tasks = opendir("/proc/self/task");
  must(tasks);
  for (struct dirent *task; (task = readdir(tasks));) {
    char path[300], line[300] = "";
    snprintf(path, sizeof path, "/proc/self/task/%s/stat", task->d_name);
    FILE *file = task->d_name[0] == '.' || atoi(task->d_name) == gettid() ? NULL : fopen(path, "r");
    if (!file)
      continue;
    const char *name_end = fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
    sleep &= name_end && strncmp(name_end, ") S", 3) == 0;
    fclose(file);
  }
  closedir(tasks);
  return sleep;
}

static pid_t fork_safely(bool in_storm)
{
  if (!in_storm)
    must_soon(others_sleep());
  must(pthread_rwlock_wrlock(&allocating) == 0);
  pid_t pid = fork();
  /* The child is not the thread that took it, and a lock for writing knows that. */
  if (pid == 0)
    allocating = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
  else
    must(pthread_rwlock_unlock(&allocating) == 0);
  return pid;
}

void allocation_begins(void)
{
  must(pthread_rwlock_rdlock(&allocating) == 0);
}

void allocation_ends(void)
{
  must(pthread_rwlock_unlock(&allocating) == 0);
}
#else
static pid_t fork_safely(bool in_storm)
{
  (void)in_storm;
  return fork();
}

void allocation_begins(void)
{
}

void allocation_ends(void)
{
}
#endif

int allocating_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  allocation_begins();
  int code = fake_open(context, deadline_ns, conn, error);
  allocation_ends();
  return code;
}

int allocating_close(void *context, void *conn, pool_error_t *error)
{
  (void)error;
  allocation_begins();
  int code = fake_close(context, conn, error);
  allocation_ends();
  return code;
}

static pid_t fork_in(bool storm)
{
  fflush(NULL);
  pid_t pid = fork_safely(storm);
  must(pid >= 0);
  if (pid == 0)
    alarm(60);
  return pid;
}

pid_t fork_child(void)
{
  return fork_in(false);
}

pid_t fork_child_in_storm(void)
{
  return fork_in(true);
}

bool succeeded(pid_t pid)
{
  int status;
  must(waitpid(pid, &status, 0) == pid);
  if (WIFSIGNALED(status))
    fprintf(stderr, "the child was ended by signal %d%s\n", WTERMSIG(status),
            WTERMSIG(status) == SIGALRM ? ": it hung" : "");
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void renew(struct fake *fake)
{
  gate_init(&fake->opening, true);
  gate_init(&fake->checking, true);
  gate_init(&fake->resetting, true);
  gate_init(&fake->closing, true);
}

void is_whole(pool_t *pool, int cap)
{
  pool_lease_t leases[16];
  for (int i = 0; i < cap; i++) {
    must((leases[i] = pool_get_for(pool, 0)) > 0);
    struct fake_conn *conn = pool_conn(leases[i]);
    must(conn && atomic_load(&conn->is_open));
    for (int j = 0; j < i; j++)
      must(pool_conn(leases[j]) != conn);
  }
  must(pool_get_for(pool, 0) == POOL_E_TIMEOUT);
  must(pool_get_for(pool, 1) == POOL_E_TIMEOUT);
  for (int i = 0; i < cap; i++) {
    must(pool_put(leases[i]) == 0);
    must(pool_put(leases[i]) == POOL_E_STALE);
  }
  must(pool_len(pool) == (size_t)cap);
}

void is_new(pool_t *pool)
{
  pool_stats_t stats = POOL_STATS_INIT;
  must(pool_len(pool) == 0);
  must(pool_stats(pool, &stats) == 0);
  must(stats.open == 0 && stats.idle == 0 && stats.leased == 0 && stats.opening == 0 && stats.waiting == 0);
}

void is_stale(pool_lease_t lease)
{
  must(pool_conn(lease) == NULL);
  must(pool_put(lease) == POOL_E_STALE);
  must(pool_mark_unusable(lease) == POOL_E_STALE);
  must(pool_call(lease, "x", (pool_bytes_t){NULL, 0}, NULL, NULL) == POOL_E_STALE);
}

_Noreturn void finish_child(struct fake *fake, pool_t *pool)
{
  must(pool_close(pool, -1) == 0);
  pool_free(pool);
  must(atomic_load(&fake->misuse) == 0);
  _exit(0);
}

pool_vtable_t whole_vtable(void)
{
  pool_vtable_t vtable = fake_vtable();
  vtable.abandon = fake_abandon;
  vtable.release = fake_release;
  return vtable;
}

pool_config_t capped(int32_t max_open)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = max_open;
  return config;
}

void got(void *user, pool_lease_t result)
{
  struct told *told = user;
  told->result = result;
  if (result > 0)
    must(pool_put(result) == 0);
  atomic_fetch_add(&told->times, 1);
}
