/* SPDX-License-Identifier: MIT */
#include "postgres/cancel.h"

#include <pthread.h>
#include <stdatomic.h>

#include "support/thread.h"

#define MOST_REQUESTS 16

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

static void *cancel_main(void *data)
{
  PGcancel *cancel = data;
  char why[256];
  PQcancel(cancel, why, sizeof why); /* if it fails the statement goes on, and its connection is closed */
  PQfreeCancel(cancel);
  atomic_fetch_sub(&requests, 1);
  return NULL;
}

void cancel_send(PGconn *conn)
{
  PGcancel *cancel = PQgetCancel(conn);
  if (!cancel)
    return;
  if (atomic_fetch_add(&requests, 1) < MOST_REQUESTS && thread_start_detached(cancel_main, cancel))
    return;
  atomic_fetch_sub(&requests, 1);
  PQfreeCancel(cancel);
}
