/* SPDX-License-Identifier: MIT */
#include "postgres/cancel.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/thread.h"

#define MOST_REQUESTS 16
#define REPETITIONS   2
#define PAUSE_NS      100000000

static _Atomic int requests; /* under way */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void after_fork_in_child(void)
{
  atomic_store(&requests, 0);
}

static void watch_forks(void)
{
  pthread_atfork(NULL, NULL, after_fork_in_child);
}

void cancel_watch_forks(void)
{
  pthread_once(&once, watch_forks);
}

struct request {
  PGcancel *cancel;
  int end; /* of the pipe */
  int repetitions;
};

static void request_free(struct request *request)
{
  PQfreeCancel(request->cancel);
  close(request->end);
  free(request);
}

static void *request_main(void *data)
{
  struct request *request = data;
  char why[256];
  for (int i = 0; i <= request->repetitions; i++) {
    if (i > 0)
      nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    PQcancel(request->cancel, why, sizeof why); /* if it fails, the statement goes on */
  }
  /* A byte, for a child of fork may have the pipe open as well.  SIGPIPE is blocked in this thread. */
  ssize_t written = write(request->end, "", 1);
  (void)written;
  request_free(request);
  atomic_fetch_sub(&requests, 1);
  return NULL;
}

static struct request *request_new(PGconn *conn, int end, int repetitions)
{
  struct request *request = malloc(sizeof *request);
  PGcancel *cancel = request ? PQgetCancel(conn) : NULL;
  if (!cancel) {
    free(request);
    close(end);
    return NULL;
  }
  *request = (struct request){.cancel = cancel, .end = end, .repetitions = repetitions};
  return request;
}

static int start(PGconn *conn, int repetitions)
{
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return -1;
  struct request *request = request_new(conn, ends[1], repetitions);
  if (request && atomic_fetch_add(&requests, 1) < MOST_REQUESTS && thread_detach(request_main, request) == 0)
    return ends[0];
  if (request) {
    atomic_fetch_sub(&requests, 1);
    request_free(request);
  }
  close(ends[0]);
  return -1;
}

int cancel_send(PGconn *conn)
{
  return start(conn, 0);
}

void cancel_send_last(PGconn *conn)
{
  int ended = start(conn, REPETITIONS);
  if (ended >= 0)
    close(ended);
}
