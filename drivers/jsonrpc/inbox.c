/* SPDX-License-Identifier: MIT */
#include "jsonrpc/inbox.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "jsonrpc/connection.h"

static struct {
  pthread_mutex_t lock;
  bool started;
  bool signalled;   /* there is something to take */
  bool asleep;      /* the poller needs a byte in the pipe to wake */
  int64_t until_ns; /* the poller sleeps until then; POOL_NO_DEADLINE while it is awake, so that each new deadline is
                       earlier, and the poller looks at it before it sleeps */
  int wake[2];
  struct connection *incoming; /* to be watched */
  struct pending *finished;    /* calls whose callbacks are due, oldest first */
  struct pending **finished_end;
  unsigned forks;
} inbox = {.lock = PTHREAD_MUTEX_INITIALIZER, .until_ns = POOL_NO_DEADLINE, .finished_end = &inbox.finished};

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The child has one thread, so no lock is needed. */
static void after_fork_in_child(void)
{
  if (inbox.started) {
    close(inbox.wake[0]);
    close(inbox.wake[1]);
  }
  pthread_mutex_init(&inbox.lock, NULL);
  inbox.started = inbox.signalled = inbox.asleep = false;
  inbox.until_ns = POOL_NO_DEADLINE;
  inbox.incoming = NULL;
  inbox.finished = NULL;
  inbox.finished_end = &inbox.finished;
  inbox.forks++;
}

static void watch_forks(void)
{
  pthread_atfork(NULL, NULL, after_fork_in_child);
}

void inbox_watch_forks(void)
{
  pthread_once(&once, watch_forks);
}

/* The caller holds the lock. */
static bool start_locked(bool (*start)(int wake))
{
  if (pipe2(inbox.wake, O_CLOEXEC | O_NONBLOCK) != 0)
    return false;
  if (start(inbox.wake[0]))
    return true;
  close(inbox.wake[0]);
  close(inbox.wake[1]);
  return false;
}

bool inbox_start(bool (*start)(int wake))
{
  pthread_mutex_lock(&inbox.lock);
  if (!inbox.started)
    inbox.started = start_locked(start);
  bool started = inbox.started;
  pthread_mutex_unlock(&inbox.lock);
  return started;
}

/* The caller holds the lock. */
static void wake_locked(void)
{
  if (!inbox.signalled && inbox.asleep) {
    ssize_t written = write(inbox.wake[1], "", 1);
    (void)written; /* a full pipe wakes the poller as well */
  }
  inbox.signalled = true;
}

void inbox_wake(void)
{
  pthread_mutex_lock(&inbox.lock);
  wake_locked();
  pthread_mutex_unlock(&inbox.lock);
}

void inbox_watch(struct connection *connection, int64_t deadline_ns)
{
  pthread_mutex_lock(&inbox.lock);
  if (!connection->watched) {
    connection->watched = true;
    connection_acquire(connection);
    connection->next_watched = inbox.incoming;
    inbox.incoming = connection;
    wake_locked();
  } else if (deadline_ns < inbox.until_ns) {
    wake_locked();
  }
  pthread_mutex_unlock(&inbox.lock);
}

void inbox_forget(struct connection *connection)
{
  pthread_mutex_lock(&inbox.lock);
  if (connection->watched)
    wake_locked();
  pthread_mutex_unlock(&inbox.lock);
}

void inbox_finish(struct pending *pending)
{
  pending->next = NULL;
  pthread_mutex_lock(&inbox.lock);
  *inbox.finished_end = pending;
  inbox.finished_end = &pending->next;
  wake_locked();
  pthread_mutex_unlock(&inbox.lock);
}

struct pending *inbox_take(struct connection **watched)
{
  pthread_mutex_lock(&inbox.lock);
  inbox.signalled = false;
  for (struct connection *connection; (connection = inbox.incoming);) {
    inbox.incoming = connection->next_watched;
    connection->next_watched = *watched;
    *watched = connection;
  }
  struct pending *finished = inbox.finished;
  inbox.finished = NULL;
  inbox.finished_end = &inbox.finished;
  pthread_mutex_unlock(&inbox.lock);
  return finished;
}

void inbox_unwatch(struct connection *connection)
{
  pthread_mutex_lock(&inbox.lock);
  connection->watched = false;
  pthread_mutex_unlock(&inbox.lock);
}

bool inbox_sleep(int64_t until_ns)
{
  pthread_mutex_lock(&inbox.lock);
  inbox.asleep = !inbox.signalled;
  if (inbox.asleep)
    inbox.until_ns = until_ns;
  bool asleep = inbox.asleep;
  pthread_mutex_unlock(&inbox.lock);
  return asleep;
}

void inbox_awake(void)
{
  pthread_mutex_lock(&inbox.lock);
  inbox.asleep = false;
  inbox.until_ns = POOL_NO_DEADLINE;
  pthread_mutex_unlock(&inbox.lock);
}

unsigned inbox_forks(void)
{
  return inbox.forks;
}
