/* SPDX-License-Identifier: MIT */
/* The pools of this process as members of budgets. */
#ifndef MEMBERSHIP_H
#define MEMBERSHIP_H

#include <stdbool.h>
#include <stdint.h>

#include <pool/budget.h>

struct budget_place;
struct pool;

/* A new pool becomes a member; it leaves when it is no more.  While a keyed pool has and wants nothing the ledger does
   not know it.  POOL_E_NOMEM: it does not become one. */
int membership_join(struct pool *pool, const struct budget_place *place, const pool_budget_engine_t *engine);

/* Waits until the pool was allowed something else than when *seen was read, which begins as 0.  False: not in time, or
   the ledger cannot be reached. */
bool membership_await(struct pool *pool, uint32_t *seen, int64_t deadline_ns);
bool membership_is_cut_off(struct pool *pool);

/* In the lists of members (pool_budget_language()). */
int membership_set_language(const char *language);

/* Locks of a fork, and what becomes of members in the child. */
void membership_before_fork(void);
void membership_after_fork(void);
void membership_forget(void);

#endif
