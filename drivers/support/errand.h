/* SPDX-License-Identifier: MIT */
/*
 * What a server is to be told while nobody waits: that it end a statement.
 *
 * A few threads run the errands, in the order in which they are due.  When many statements reach their deadline at
 * one time, the errands wait for a thread, but not for ever: a server that does not answer may hold up all threads.
 *
 * Shared.  One lock guards the list and the number of the threads.  While the list has an errand there is a thread.
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
  /* The rest is of errand.c. */
  int64_t due_ns;
  struct errand *next;
};

#define ERRAND_DONE 0

/* Has it run by a thread.  False if there is no thread, or too much to do: then it is the caller's. */
bool errand_send(struct errand *errand);

/* Takes back one that was sent and has not been freed.  False: a thread is at it, or was.  True: it is the caller's
   again. */
bool errand_withdraw(struct errand *errand);

#endif
