/* SPDX-License-Identifier: MIT */
#include "budget-redis/roll.h"

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "support/failure.h"
#include "support/members.h"

#define NEVER  INT64_C(9999999999999) /* as in the script: nobody waits */
#define RECORD 72                     /* bytes before the texts: eight words, three doubles, a channel */

/* ---- one member ---- */

/* The numbers of a record stand in it as the script packs them: in eight words, and in doubles. */
static int32_t word_at(const char *record, int index)
{
  uint32_t word;
  memcpy(&word, record + 4 * index, sizeof word);
  return (int32_t)le32toh(word);
}

/* What the server says is trusted to be a number, and no more. */
static int64_t time_of(int64_t time)
{
  return time >= 0 && time <= NEVER ? time : NEVER;
}

static int64_t time_at(const char *record, int index)
{
  uint64_t bits;
  double time;
  memcpy(&bits, record + 32 + 8 * index, sizeof bits);
  bits = le64toh(bits);
  memcpy(&time, &bits, sizeof time);
  return time >= 0 && time <= NEVER ? (int64_t)time : NEVER;
}

static bool read_member(pool_budget_member_t *member, const redisReply *record, int64_t now)
{
  if (record->type != REDIS_REPLY_STRING || record->len < RECORD)
    return false;
  *member = (pool_budget_member_t){.size = sizeof *member,
                                   .open = word_at(record->str, 0),
                                   .wants = word_at(record->str, 1),
                                   .waiting = word_at(record->str, 2),
                                   .weight = word_at(record->str, 3),
                                   .floor = word_at(record->str, 4),
                                   .granted = word_at(record->str, 5),
                                   .share = word_at(record->str, 6)};
  int64_t since = time_at(record->str, 0);
  member->waits_ms = since == NEVER ? -1 : now - since;
  member->asked_ms = now - time_at(record->str, 1);
  members_who(member, record->str + RECORD, record->len - RECORD);
  return true;
}

/* ---- all ---- */

static int say_foreign(pool_error_t *error)
{
  return failure_set(error, POOL_E_INVALID, 0,
                     "the ledger of the budget: a member is there that no budget wrote; delete the keys of the budget, "
                     "or give it another name");
}

static int64_t number_at(const redisReply *reply, size_t index)
{
  return reply->element[index]->type == REDIS_REPLY_INTEGER ? reply->element[index]->integer : 0;
}

static int read_members(const redisReply *list, int64_t now, pool_budget_member_t *members, pool_error_t *error)
{
  for (size_t i = 0; i + 1 < list->elements; i += 2)
    if (!read_member(&members[i / 2], list->element[i + 1], now))
      return say_foreign(error);
  return 0;
}

int roll_read(const redisReply *reply, pool_budget_stats_t *stats, pool_budget_seen_fn *seen, void *user,
              pool_error_t *error)
{
  if (stats)
    *stats = (pool_budget_stats_t){.size = stats->size};
  if (reply->elements == 0) /* there is no ledger yet */
    return 0;
  if (reply->elements != 5 || reply->element[4]->type != REDIS_REPLY_ARRAY)
    return failure_set(error, POOL_E_REMOTE, 0, "the ledger of the budget: the answer is another one");
  size_t count = reply->element[4]->elements / 2;
  pool_budget_member_t *members = calloc(count + 1, sizeof *members);
  if (!members)
    return failure_set(error, POOL_E_NOMEM, 0, "no memory for the members of a budget");
  int code = read_members(reply->element[4], time_of(number_at(reply, 0)), members, error);
  if (code == 0 && stats) {
    stats->limit = number_at(reply, 1);
    stats->granted = number_at(reply, 2);
    stats->learns_ms = number_at(reply, 3);
    stats->members = (int64_t)count;
  }
  if (code == 0)
    code = members_tell(members, count, stats, seen, user);
  free(members);
  return code;
}
