/* SPDX-License-Identifier: MIT */
#include "budget-etcd/roll.h"

#include <stdlib.h>

#include "support/failure.h"
#include "support/members.h"

static void write_member(const struct ledger_member *ours, int64_t now, pool_budget_member_t *theirs)
{
  *theirs = (pool_budget_member_t){.size = sizeof *theirs,
                                   .asked_ms = (now - ours->asked_ns) / 1000000,
                                   .waits_ms = ours->waits_ns == INT64_MAX ? -1 : (now - ours->waits_ns) / 1000000,
                                   .granted = ours->granted,
                                   .share = ours->target,
                                   .open = ours->open,
                                   .wants = ours->wants,
                                   .waiting = ours->waiting,
                                   .weight = ours->weight,
                                   .floor = ours->floor};
  members_who(theirs, ours->who, ours->text);
}

static int64_t learns_ms(const struct ledger *ledger, int64_t now)
{
  int64_t left_ns = ledger->learns_from_ns + ledger->manners.term_ns - now;
  return ledger->learns && left_ns > 0 ? left_ns / 1000000 : 0;
}

/* A ledger that was read has a member in each place. */
static int tell(const struct ledger *ledger, int64_t now, pool_budget_stats_t *stats, pool_budget_seen_fn *seen,
                void *user, pool_error_t *error)
{
  size_t count = (size_t)ledger->members;
  pool_budget_member_t *members = calloc(count + 1, sizeof *members);
  if (!members)
    return failure_set(error, POOL_E_NOMEM, 0, "no memory for the members of a budget");
  for (size_t i = 0; i < count; i++)
    write_member(&ledger->member[i], now, &members[i]);
  int result = members_tell(members, count, stats, seen, user);
  free(members);
  return result;
}

int roll_tell(const struct book *book, pool_budget_stats_t *stats, pool_budget_seen_fn *seen, void *user,
              pool_error_t *error)
{
  const struct ledger *ledger = book->ledger; /* NULL: there is none yet */
  int64_t now = ledger ? book_now(book) : 0;
  if (stats)
    *stats = (pool_budget_stats_t){.size = stats->size};
  if (!ledger)
    return 0;
  if (stats) {
    stats->limit = ledger->limit;
    stats->granted = ledger->granted;
    stats->members = ledger->members;
    stats->learns_ms = learns_ms(ledger, now);
  }
  return tell(ledger, now, stats, seen, user, error);
}
