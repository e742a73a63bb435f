/* SPDX-License-Identifier: MIT */
/* The members of a ledger, for those that look. */
#ifndef ROLL_H
#define ROLL_H

#include <pool/budget.h>

#include "budget-etcd/book.h"

/* Says what the ledger has in all, and each member, those first that wait longest; `seen` may be NULL.  Returns how
   many were told, what `seen` returned if not 0, or a code that *error explains. */
int roll_tell(const struct book *book, pool_budget_stats_t *stats, pool_budget_seen_fn *seen, void *user,
              pool_error_t *error);

#endif
