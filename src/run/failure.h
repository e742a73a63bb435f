/* SPDX-License-Identifier: MIT */
/* What a failed get says: a thread's, an asynchronous one's and one of the step API alike. */
#ifndef FAILURE_H
#define FAILURE_H

#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

#include "base/error.h"

struct seen;

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

/* The name of the pool that gave a lease or claim, where the slot is still its; else "". */
void failure_name(pool_lease_t lease, char name[POOL_NAME_BYTES]);

/* The same of a lease, whose pool the message names. */
int failure_of_lease(pool_lease_t lease, int code);
int failure_of_call(pool_lease_t lease, int code, pool_error_t *error);

/* Of a ticket or claim that is over, or never was. */
int failure_of_ticket(void);
int failure_of_claim(pool_lease_t claim);

/* What there is, behind a semicolon, with the limits and the lease that is out for longest. */
#define FAILURE_COUNTS 320
void failure_counts(const struct pool *pool, const pool_stats_t *now, const struct seen *seen,
                    char text[FAILURE_COUNTS]);

/* Adds the phase in which an open failed to what its driver says, where that does not have it.  "": it said none. */
void failure_of_open(const char *phase, pool_error_t *error);

/* A check that says yes, but took longer than check_timeout_ms, has failed.  0, or why. */
int failure_of_check(struct pool *pool, int64_t took_ns, pool_error_t *error);

/* An open or check that succeeded when the time of its get was over.  What failed before that is the better reason. */
int failure_of_late(const char *callback, int64_t took_ns, pool_error_t *error);

#endif
