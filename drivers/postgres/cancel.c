/* SPDX-License-Identifier: MIT */
#include "postgres/cancel.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "support/thread.h"

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

static void request(PGcancel *cancel)
{
  char why[256];
  PQcancel(cancel, why, sizeof why); /* if it fails the statement goes on, and its connection is closed */
}

static void *request_once(void *data)
{
  request(data);
  PQfreeCancel(data);
  atomic_fetch_sub(&requests, 1);
  return NULL;
}

static void *request_often(void *data)
{
  request(data);
  for (int i = 0; i < REPETITIONS; i++) {
    nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    request(data);
  }
  PQfreeCancel(data);
  atomic_fetch_sub(&requests, 1);
  return NULL;
}

static void start(PGconn *conn, void *(*run)(void *))
{
  PGcancel *cancel = PQgetCancel(conn);
  if (!cancel)
    return;
  if (atomic_fetch_add(&requests, 1) < MOST_REQUESTS && thread_start_detached(run, cancel))
    return;
  atomic_fetch_sub(&requests, 1);
  PQfreeCancel(cancel);
}

void cancel_send(PGconn *conn)
{
  start(conn, request_once);
}

void cancel_send_last(PGconn *conn)
{
  start(conn, request_often);
}
