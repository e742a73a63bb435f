/* SPDX-License-Identifier: MIT */
#include "postgres/poller.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/deadline.h"
#include "support/failure.h"
#include "base/thread.h"

static struct {
  pthread_mutex_t lock;
  bool started;
  int wake[2]; /* a pipe: the thread sleeps with its read end */
  struct poller_call *incoming;
  unsigned forks;
} poller = {.lock = PTHREAD_MUTEX_INITIALIZER};

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The state of the thread; no other thread uses it. */
struct watch {
  struct poller_call *first;
  struct pollfd *set; /* the pipe, then a socket for each call in the order of the list */
  size_t capacity;
  int wake;
};

/* ---- fork ---- */

/* The child has one thread, so no lock is needed. */
static void after_fork_in_child(void)
{
  if (poller.started) {
    close(poller.wake[0]);
    close(poller.wake[1]);
  }
  pthread_mutex_init(&poller.lock, NULL);
  poller.started = false;
  poller.incoming = NULL;
  poller.forks++;
}

static void watch_forks(void)
{
  pthread_atfork(NULL, NULL, after_fork_in_child);
}

void poller_watch_forks(void)
{
  pthread_once(&once, watch_forks);
}

/* ---- the end of calls ---- */

/* Tells the library.  Its callback may fork: in the child this returns false, and the thread is not the poller there.
 */
static bool finish(struct poller_call *finished)
{
  unsigned forks = poller.forks;
  while (finished && forks == poller.forks) {
    struct poller_call *call = finished;
    pool_error_t error = POOL_ERROR_INIT;
    pool_bytes_t reply;
    finished = call->next;
    int code = statement_end(&call->statement, &reply, &error);
    pool_call_done(call->call, code, reply);
    free(call);
  }
  return forks == poller.forks;
}

/* ---- the calls under way ---- */

static void take_incoming(struct watch *watch)
{
  pthread_mutex_lock(&poller.lock);
  while (poller.incoming) {
    struct poller_call *call = poller.incoming;
    poller.incoming = call->next;
    call->next = watch->first;
    watch->first = call;
  }
  pthread_mutex_unlock(&poller.lock);
}

/* Goes on with a call whose socket is ready.  False: it has ended. */
static bool look_after(struct poller_call *call, int64_t now)
{
  if (call->ready)
    call->events = statement_go_on(&call->statement);
  call->ready = false;
  if (call->events && call->deadline_ns > now)
    return true;
  if (call->events)
    statement_expire(&call->statement);
  return false;
}

/* Returns the calls that have ended. */
static struct poller_call *look_after_all(struct watch *watch)
{
  struct poller_call *finished = NULL, *call;
  int64_t now = deadline_clock();
  for (struct poller_call **link = &watch->first; (call = *link);) {
    if (look_after(call, now)) {
      link = &call->next;
      continue;
    }
    *link = call->next;
    call->next = finished;
    finished = call;
  }
  return finished;
}

/* ---- sleeping ---- */

static bool reserve(struct watch *watch, size_t count)
{
  if (count <= watch->capacity)
    return true;
  size_t capacity = count * 2;
  struct pollfd *set = realloc(watch->set, capacity * sizeof *set);
  if (!set)
    return false;
  watch->set = set;
  watch->capacity = capacity;
  return true;
}

/* Without memory for all calls it looks at the first of them, and at the others when these have ended. */
static size_t fill_set(struct watch *watch, int64_t *until_ns)
{
  size_t count = 1;
  for (struct poller_call *call = watch->first; call && reserve(watch, count + 1); call = call->next) {
    watch->set[count++] = (struct pollfd){.fd = statement_descriptor(&call->statement), .events = (short)call->events};
    if (call->deadline_ns < *until_ns)
      *until_ns = call->deadline_ns;
  }
  watch->set[0] = (struct pollfd){.fd = watch->wake, .events = POLLIN};
  return count;
}

static void drain(int wake)
{
  char bytes[64];
  while (read(wake, bytes, sizeof bytes) > 0)
    ;
}

static void sleep_until_ready(struct watch *watch)
{
  int64_t until_ns = POOL_NO_DEADLINE;
  size_t count = fill_set(watch, &until_ns), i = 1;
  if (poll(watch->set, (nfds_t)count, deadline_poll_timeout(until_ns)) <= 0)
    return;
  if (watch->set[0].revents)
    drain(watch->wake);
  for (struct poller_call *call = watch->first; call && i < count; call = call->next, i++)
    call->ready = watch->set[i].revents != 0;
}

/* ---- the thread ---- */

static void *poller_main(void *data)
{
  struct watch *watch = data;
  for (;;) {
    take_incoming(watch);
    struct poller_call *finished = look_after_all(watch);
    if (!finished)
      sleep_until_ready(watch);
    else if (!finish(finished))
      return NULL;
  }
}

/* The caller holds the lock. */
static bool start_locked(void)
{
  struct watch *watch = calloc(1, sizeof *watch);
  if (!watch || !reserve(watch, 1) || pipe2(poller.wake, O_CLOEXEC | O_NONBLOCK) != 0) {
    if (watch)
      free(watch->set);
    free(watch);
    return false;
  }
  watch->wake = poller.wake[0];
  if (thread_detach(poller_main, watch) == 0)
    return true;
  close(poller.wake[0]);
  close(poller.wake[1]);
  free(watch->set);
  free(watch);
  return false;
}

bool poller_start(void)
{
  pthread_mutex_lock(&poller.lock);
  if (!poller.started)
    poller.started = start_locked();
  bool started = poller.started;
  pthread_mutex_unlock(&poller.lock);
  return started;
}

void poller_watch(struct poller_call *call)
{
  call->ready = true;
  pthread_mutex_lock(&poller.lock);
  call->next = poller.incoming;
  poller.incoming = call;
  ssize_t written = write(poller.wake[1], "", 1);
  (void)written; /* a full pipe wakes the thread as well */
  pthread_mutex_unlock(&poller.lock);
}
