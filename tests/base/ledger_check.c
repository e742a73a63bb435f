/* SPDX-License-Identifier: MIT */
#include "base/ledger_check.h"

struct sums {
  int64_t granted, floors, members, lacking, to_tell;
};

static const char *check_member(const struct ledger *ledger, const struct ledger_member *member, struct sums *sums)
{
  sums->granted += member->granted;
  sums->floors += member->floor;
  sums->lacking += member->lacks;
  sums->to_tell += member->told == LEDGER_TO_BE_TOLD;
  sums->members++;
  if (member->granted < member->open)
    return "a member was granted less than it has open";
  if (ledger->learns && member->open < member->granted && member->asked_ns >= ledger->learns_from_ns &&
      member->asked_ns <= ledger->asked_ns) /* else by a clock that was set since */
    return "a ledger that learns granted more than is open";
  if (ledger->forget_ns > member->ends_ns)
    return "a term ends before the ledger looks for terms that end";
  return NULL;
}

static const char *check_sums(const struct ledger *ledger, const struct sums *sums)
{
  if (sums->granted != ledger->granted)
    return "the sum of what was granted is not that of the members";
  if (sums->floors != ledger->floors || sums->floors > ledger->limit)
    return "the sum of the floors is not that of the members, or above the limit";
  if (sums->members != ledger->members || sums->lacking != ledger->lacking || sums->to_tell != ledger->to_tell)
    return "the counts are not those of the members";
  return NULL;
}

const char *ledger_check(const struct ledger *ledger)
{
  struct sums sums = {0};
  const char *wrong = ledger->used > ledger->room ? "more places are used than there are" : NULL;
  for (int32_t i = 0; i < ledger->used && !wrong; i++)
    if (ledger->member[i].id)
      wrong = check_member(ledger, &ledger->member[i], &sums);
  return wrong ? wrong : check_sums(ledger, &sums);
}
