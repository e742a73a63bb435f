/* SPDX-License-Identifier: MIT */
/* Budgets as Go looks at them: what a callback of the library hears is kept, so that no C code calls Go. */
#ifndef BUDGET_LOOK_H
#define BUDGET_LOOK_H

#include <pool/budget.h>

#include <stdlib.h>
#include <string.h>

struct member {
  pool_budget_member_t is; /* its texts are the following */
  char host[64], language[16], pool[64];
};

struct members {
  struct member *first;
  int64_t count, room;
};

static inline int members_grow(struct members *members)
{
  int64_t room = members->room ? 2 * members->room : 16;
  struct member *first = (struct member *)realloc(members->first, (size_t)room * sizeof *first);
  if (!first)
    return POOL_E_NOMEM;
  members->first = first;
  members->room = room;
  return 0;
}

/* Into what is filled with zeros. */
static inline void member_text(char *text, size_t size, const char *from)
{
  strncpy(text, from, size - 1);
}

static inline int members_add(void *data, const pool_budget_member_t *is)
{
  struct members *members = (struct members *)data;
  if (members->count == members->room && members_grow(members))
    return POOL_E_NOMEM;
  struct member *member = &members->first[members->count++];
  memset(member, 0, sizeof *member);
  member->is = *is;
  member_text(member->host, sizeof member->host, is->host);
  member_text(member->language, sizeof member->language, is->language);
  member_text(member->pool, sizeof member->pool, is->pool);
  return 0;
}

static inline int budget_look(pool_budget_t *budget, struct members *members, pool_error_t *error)
{
  return pool_budget_members(budget, members_add, members, error);
}

static inline pool_budget_t *budget_of(const char *url, int *code, pool_error_t *error)
{
  pool_budget_t *budget = NULL;
  *error = (pool_error_t)POOL_ERROR_INIT;
  *code = pool_budget_open(url, &budget, error);
  return budget;
}

static inline int budget_sums(pool_budget_t *budget, pool_budget_stats_t *stats, pool_error_t *error)
{
  *error = (pool_error_t)POOL_ERROR_INIT;
  *stats = (pool_budget_stats_t)POOL_BUDGET_STATS_INIT;
  return pool_budget_stats(budget, stats, error);
}

#endif
