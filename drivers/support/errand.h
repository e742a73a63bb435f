/* SPDX-License-Identifier: MIT */
/*
 * What a server is to be told while nobody waits: that it end a statement.
 *
 * A few threads run the errands, in the order in which they are due.  When many statements reach their deadline at
 * one time, the errands wait for a thread, but not for ever.  A server that does not answer holds up most of the
 * threads; the others are for other servers.
 *
 * Shared.  One lock guards the list, the number of the threads and where they are.  While the list has an errand there
 * is a thread.
 * The functions of an errand are called without the lock, by one thread at a time.  A child of fork has none of the
 * threads, and begins without errands.
 */
#ifndef ERRAND_H
#define ERRAND_H

#include <stdbool.h>
#include <stdint.h>

struct errand {
  /* Tells the server.  Returns after how many nanoseconds it is to be told again, or ERRAND_DONE.  SIGPIPE is
     blocked. */
  int64_t (*run)(struct errand *errand);
  /* Frees it, also if it was never run. */
  void (*end)(struct errand *errand);
  int64_t until_ns; /* it is not run after this */
  uint64_t server;  /* by errand_server() */
  /* The rest is of errand.c. */
  int64_t due_ns;
  struct errand *next;
};

#define ERRAND_DONE 0

/* A number for a server.  Two that have the same share their threads, and no more. */
uint64_t errand_server(const char *host, const char *port);

/* Has it run by a thread.  False if there is no thread, or too much to do: then it is the caller's. */
bool errand_send(struct errand *errand);

/* Takes back one that was sent and has not been freed.  False: a thread is at it, or was.  True: it is the caller's
   again. */
bool errand_withdraw(struct errand *errand);

#endif
