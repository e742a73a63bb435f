/* SPDX-License-Identifier: MIT */
/* The members of a ledger, for those that look at it. */
#ifndef ROLL_H
#define ROLL_H

#include <hiredis.h>

#include <pool/budget.h>

/* Reads what the script answers to `look`: what there is in all, and each member, those first that have waited longest.
   `stats` and `seen` may be NULL.  Returns how many were seen, what `seen` returned, or a code that *error explains. */
int roll_read(const redisReply *reply, pool_budget_stats_t *stats, pool_budget_seen_fn *seen, void *user,
              pool_error_t *error);

#endif
