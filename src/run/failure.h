/* SPDX-License-Identifier: MIT */
/* What a failed get says: a thread's, an asynchronous one's and one of the step API alike. */
#ifndef FAILURE_H
#define FAILURE_H

#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

/* What became of a get. */
struct late {
  bool timeless;     /* it had no time to wait */
  bool starved;      /* every connection was held by a thread that itself waited */
  int64_t queued_ns; /* how long it was in the queue */
  int64_t busy_ns;   /* and busy with open and check */
  const pool_error_t
      *cause; /* why an open or check for it failed last, or why its wait ended; NULL or code 0: not so */
};

/* Sets what pool_failure() says of a get that ended with `code`; returns it. */
int failure_of_get(struct pool *pool, int code, const struct late *late);

/* Adds the phase in which an open failed to what its driver says, where that does not have it.  "": it said none. */
void failure_of_open(const char *phase, pool_error_t *error);

/* A check that says yes, but took longer than check_timeout_ms, has failed.  0, or why. */
int failure_of_check(struct pool *pool, int64_t took_ns, pool_error_t *error);

#endif
