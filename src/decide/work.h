/* SPDX-License-Identifier: MIT */
/* What becomes of an open, check, reset or close that ended. */
#ifndef WORK_H
#define WORK_H

#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

#include "slot/slot.h"

struct step;

/* The outcome of work. */
struct outcome {
  bool succeeded;
  bool lend;                                      /* an open or check was for a get: the connection is lent to it */
  int64_t until_ns;                               /* as in the step that asked for it; 0: for nobody in particular */
  int64_t since_ns, asked_ns, waited_ns, busy_ns; /* of the step API: likewise, and when it asked */
  bool fills;                                     /* an open for an initial connection of the step API */
  int64_t attended;                               /* the ticket of the get that waits on meanwhile; 0: none does */
  int64_t newest;                                 /* of a check: the number of the last connection when it began */
  bool cut_short;            /* the get's own deadline ended it, which says nothing about the server */
  void *conn;                /* of an open */
  int64_t took_ns;           /* of an open or check; -1: not known */
  const pool_error_t *error; /* why it failed, or NULL */
};

/* The number of the connection whose open began last. */
int64_t work_newest(struct pool *pool);

/* The claim of work, once: from then on the slot is the caller's until work_settle().  Returns the state that the slot
   was in, or EMPTY: the claim is stale.  Adds to the outcome what was noted when the step API asked. */
enum slot_state work_take(pool_lease_t claim, struct outcome *outcome);

/* The outcome of an open or check becomes a lease or idle. */
pool_lease_t work_settle(struct slot *slot, enum slot_state state, const struct outcome *outcome, struct step *step);

/* Both, where nobody is told in between. */
pool_lease_t work_done(pool_lease_t claim, const struct outcome *outcome, struct step *step);

#endif
