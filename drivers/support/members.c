/* SPDX-License-Identifier: MIT */
#include "support/members.h"

#include <stdlib.h>
#include <string.h>

#include "support/deadline.h"

/* The next of the texts that stand one behind the other, or "". */
static const char *next_text(const char **at, const char *end)
{
  const char *text = *at, *stop = text < end ? memchr(text, 0, (size_t)(end - text)) : NULL;
  *at = stop ? stop + 1 : end;
  return stop ? text : "";
}

void members_who(pool_budget_member_t *member, const char *who, size_t size)
{
  const char *end = who + size;
  member->host = next_text(&who, end);
  member->process = strtoll(next_text(&who, end), NULL, 10);
  member->language = next_text(&who, end);
  member->pool = next_text(&who, end);
}

int64_t members_wait_ns(const pool_budget_ask_t *ask)
{
  int64_t now = deadline_clock();
  return ask->since_ns < 0 || ask->since_ns > now ? -1 : now - ask->since_ns;
}

static void add_up(const pool_budget_member_t *members, size_t count, pool_budget_stats_t *stats)
{
  for (size_t i = 0; i < count; i++) {
    stats->open += members[i].open;
    stats->wants += members[i].wants;
    stats->waiting += members[i].waiting;
  }
}

static int longest_first(const void *a, const void *b)
{
  int64_t one = ((const pool_budget_member_t *)a)->waits_ms, other = ((const pool_budget_member_t *)b)->waits_ms;
  return one > other ? -1 : one < other;
}

int members_tell(pool_budget_member_t *members, size_t count, pool_budget_stats_t *stats, pool_budget_seen_fn *seen,
                 void *user)
{
  if (stats)
    add_up(members, count, stats);
  if (!seen)
    return 0;
  qsort(members, count, sizeof *members, longest_first);
  for (size_t i = 0; i < count; i++) {
    int result = seen(user, &members[i]);
    if (result)
      return result;
  }
  return (int)count;
}
