/* SPDX-License-Identifier: MIT */
/* The budgets of which this process has members. */
#ifndef BUDGET_H
#define BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <pool/budget.h>

#define BUDGET_NAME 48 /* bytes of a name, with the 0 at its end */

struct member;
struct budget;

struct pool;

typedef void *budget_main_fn(void *budget);

/* A pool wants or has something: where its member rests, it rests no more.  Under the lock. */
typedef void budget_rouse_fn(struct budget *budget, struct pool *pool);

/* Where a budget is, as its URL says. */
struct budget_place {
  char *url;  /* as it was given; it may have a password in it */
  size_t key; /* so many bytes of it tell budgets apart */
  char name[BUDGET_NAME];
  int32_t limit;
  int64_t term_ms;
  bool yields;
};

/* Everything but the first two members is under the lock of all budgets; of the ledger the budget's thread calls all
   but `wake`, without the lock. */
struct budget {
  pool_budget_engine_t engine;
  struct budget_place place;
  struct budget *next;
  struct member *members;     /* that have or want something, or stay members in any case */
  struct member *next_looked; /* of those: the next that the thread looks at; NULL: the first */
  struct member *resting;     /* keyed pools that have and want nothing: the ledger does not know them */
  budget_main_fn *main;
  budget_rouse_fn *rouse;
  void *ledger;                 /* NULL: to be opened by the thread */
  int32_t users;                /* members, and those that are about to become one */
  bool runs;                    /* it has a thread */
  bool woken;                   /* since the thread last rested: it looks again before it sleeps */
  bool cut_off;                 /* the ledger did not answer last */
  int64_t terms_end_ns;         /* no term of a member ends later */
  int64_t retry_ns, backoff_ns; /* it is asked again at a moment, and after a failure so much later */
  pool_error_t error;           /* why it did not answer last */
};

/* The lock of all budgets.  It is taken before that of a pool. */
void budget_lock(void);
void budget_unlock(void);

/* The budget of a place, which is copied.  NULL without memory.  Given back with budget_give(). */
struct budget *budget_take(const struct budget_place *place, const pool_budget_engine_t *engine, budget_main_fn *main,
                           budget_rouse_fn *rouse);
void budget_give(struct budget *budget);

/* Its thread looks at once what its members want, for a pool wants or has something; it is started where there is none.
   Budgets are never freed, so one that is over may be woken in vain. */
void budget_wake(struct budget *budget, struct pool *pool);
void budget_wake_locked(struct budget *budget);
bool budget_has_members(const struct budget *budget);

/* Wipes its URL, for nobody needs it any more, and leaves an empty place. */
void budget_place_free(struct budget_place *place);

/* In a child of fork, where no other thread is: no budget has a thread or a ledger. */
void budget_forget_all(void (*forget_members)(struct budget *budget));

#endif
