/* SPDX-License-Identifier: MIT */
/* What becomes of an open, check, reset or close that ended. */
#ifndef WORK_H
#define WORK_H

#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

struct step;

/* The outcome of work. */
struct outcome {
  bool succeeded;
  bool lend;        /* an open or check was for a get: the connection is lent to it */
  int64_t until_ns; /* as in the step that asked for it; 0: for nobody in particular */
  int64_t since_ns;
  int64_t newest;            /* of a check: the number of the last connection when it began */
  bool cut_short;            /* the get's own deadline ended it, which says nothing about the server */
  void *conn;                /* of an open */
  int64_t took_ns;           /* of an open or check; -1: not known */
  const pool_error_t *error; /* why it failed, or NULL */
};

/* The number of the connection whose open began last. */
int64_t work_newest(struct pool *pool);

/* Reports work.  The outcome of an open or check becomes a lease or idle. */
pool_lease_t work_done(pool_lease_t claim, const struct outcome *outcome, struct step *step);

#endif
