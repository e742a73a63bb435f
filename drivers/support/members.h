/* SPDX-License-Identifier: MIT */
/* The members of a budget, for those that look. */
#ifndef MEMBERS_H
#define MEMBERS_H

#include <stddef.h>

#include <pool/budget.h>

/* Who a member is, from the texts that it had its ledger keep: they stay where they are.  One that is missing is "". */
void members_who(pool_budget_member_t *member, const char *who, size_t size);

/* For how long the first waiter of a member waits; -1: none does. */
int64_t members_wait_ns(const pool_budget_ask_t *ask);

/* What they have in all is added to the statistics, which may be NULL, and each is told, those first that wait longest;
   `seen` may be NULL.  Returns how many were told, or what `seen` returned if not 0. */
int members_tell(pool_budget_member_t *members, size_t count, pool_budget_stats_t *stats, pool_budget_seen_fn *seen,
                 void *user);

#endif
