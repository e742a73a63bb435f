/* SPDX-License-Identifier: MIT */
/*
 * The engine "redis" of budgets: ledgers in Redis and its relatives, over TCP, TLS or Unix sockets.
 *
 * A file calls only files below it in this list:
 *
 *   engine      the functions of pool/budget.h
 *   roll        the members of a ledger, for those that look
 *   script      the rules, which the server runs
 *   bell        who is told
 *   line        one connection
 *   place       where a ledger is
 *
 * Below them are files of the driver redis, those of support/, and hiredis' formatter and reader.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "budget-redis/bell.h"
#include "budget-redis/line.h"
#include "budget-redis/place.h"
#include "budget-redis/roll.h"
#include "budget-redis/script.h"
#include "support/deadline.h"
#include "support/failure.h"
#include "support/members.h"

#define RUN_LENGTH 40 /* of the text by which a server knows its process */

struct keeper {
  struct place place;
  struct session *line; /* NULL: not connected */
  struct bell bell;
  char run[RUN_LENGTH + 1];
};

/* ---- connections ---- */

static void keeper_close(void *ledger)
{
  struct keeper *keeper = ledger;
  line_close(&keeper->line);
  bell_free(&keeper->bell);
  place_free(&keeper->place);
  free(keeper);
}

static int keeper_open(const pool_budget_place_t *place, void **ledger, pool_error_t *error)
{
  struct keeper *keeper = calloc(1, sizeof *keeper);
  if (!keeper)
    return failure_set(error, POOL_E_NOMEM, 0, "no memory for a budget");
  int code = bell_make(&keeper->bell, error);
  if (code == 0)
    code = place_read(&keeper->place, place, error);
  if (code)
    keeper_close(keeper);
  else
    *ledger = keeper;
  return code;
}

/* A server that was started anew, or another one in its place, may have forgotten what it had granted.  One that does
   not say what it is is always the same. */
static void note_run(struct keeper *keeper, const redisReply *reply)
{
  static const char name[] = "run_id:";
  const char *found = reply->type == REDIS_REPLY_STRING ? strstr(reply->str, name) : NULL;
  memset(keeper->run, '0', RUN_LENGTH);
  if (found && strspn(found + strlen(name), "0123456789abcdef") == RUN_LENGTH)
    memcpy(keeper->run, found + strlen(name), RUN_LENGTH);
}

static int connect_line(struct keeper *keeper, int64_t deadline_ns, pool_error_t *error)
{
  redisReply *reply;
  if (keeper->line)
    return 0;
  int code = line_open(&keeper->line, &keeper->place, (const char *[]){"INFO", "server"}, &reply, deadline_ns, error);
  if (code)
    return code;
  note_run(keeper, reply);
  freeReplyObject(reply);
  return 0;
}

/* A line whose reply did not come in time, or that broke, is closed: the next call connects anew, in the first case to
   another server. */
static int run_once(struct keeper *keeper, const struct script_words *words, redisReply **reply, int64_t deadline_ns,
                    pool_error_t *error)
{
  int code = connect_line(keeper, deadline_ns, error);
  if (code)
    return code;
  code = script_run(keeper->line, &keeper->place, words, reply, deadline_ns, error);
  if (code == POOL_E_TIMEOUT)
    place_turn(&keeper->place);
  if (keeper->line->broken)
    line_close(&keeper->line);
  return code;
}

/* A line may have ended while nobody used it, or was to a server that has not the ledger: then once more, by a new one.
   What members say may be said twice. */
static int run(struct keeper *keeper, const struct script_words *words, redisReply **reply, int64_t deadline_ns,
               pool_error_t *error)
{
  int code = run_once(keeper, words, reply, deadline_ns, error);
  return code == POOL_E_BROKEN ? run_once(keeper, words, reply, deadline_ns, error) : code;
}

/* ---- a member asks, or leaves ---- */

struct numbers {
  char text[16][24];
  int count;
};

static void add(struct script_words *words, const char *word)
{
  words->word[words->count++] = word;
}

static void add_number(struct script_words *words, struct numbers *numbers, int64_t number)
{
  char *text = numbers->text[numbers->count++];
  snprintf(text, sizeof numbers->text[0], "%" PRId64, number);
  add(words, text);
}

static void add_member(struct script_words *words, struct numbers *numbers, uint64_t member)
{
  char *text = numbers->text[numbers->count++];
  snprintf(text, sizeof numbers->text[0], "%" PRIu64, member);
  add(words, text);
}

#define MOST_MS (INT64_MAX / 4000000) /* with the time now they are still a moment */

static bool is_number(const redisReply *number, int64_t least, int64_t most)
{
  return number->type == REDIS_REPLY_INTEGER && number->integer >= least && number->integer <= most;
}

/* An epoch, three times, of which none is none, and counts. */
static bool is_answer(const redisReply *reply)
{
  if (reply->elements != 9)
    return false;
  for (size_t i = 1; i < reply->elements; i++)
    if (!is_number(reply->element[i], i <= 3 ? 1 : 0, i <= 3 ? MOST_MS : INT32_MAX))
      return false;
  return reply->element[0]->type == REDIS_REPLY_STRING;
}

static int read_answer(const redisReply *reply, pool_budget_answer_t *answer, pool_error_t *error)
{
  if (!is_answer(reply))
    return failure_set(error, POOL_E_REMOTE, 0, "the ledger of the budget: the answer is another one");
  answer->epoch = strtoll(reply->element[0]->str, NULL, 10);
  answer->term_ms = reply->element[1]->integer;
  answer->gap_ms = reply->element[2]->integer;
  answer->again_ms = reply->element[3]->integer;
  answer->granted = (int32_t)reply->element[4]->integer;
  answer->target = (int32_t)reply->element[5]->integer;
  answer->limit = (int32_t)reply->element[6]->integer;
  answer->pressed = (int32_t)reply->element[7]->integer;
  answer->learns = (int32_t)reply->element[8]->integer;
  return 0;
}

static int64_t wait_ms(const pool_budget_ask_t *ask)
{
  int64_t wait_ns = members_wait_ns(ask);
  return wait_ns < 0 ? -1 : wait_ns / 1000000;
}

static void say(struct script_words *words, struct numbers *numbers, const struct keeper *keeper,
                const pool_budget_ask_t *ask)
{
  add(words, "sync");
  add_member(words, numbers, ask->member);
  add(words, keeper->run);
  add_number(words, numbers, keeper->place.limit);
  add_number(words, numbers, keeper->place.term_ms);
  add(words, keeper->bell.channel);
  add_number(words, numbers, ask->open);
  add_number(words, numbers, ask->wants);
  add_number(words, numbers, ask->waiting);
  add_number(words, numbers, ask->weight);
  add_number(words, numbers, ask->floor);
  add_number(words, numbers, wait_ms(ask));
  add_number(words, numbers, deadline_clock() / 1000); /* so that none that comes late undoes what a later one said */
  words->size[words->count] = (size_t)ask->who_size;
  add(words, ask->who_size ? ask->who : "");
}

/* Subscribed before it asks, so that it hears what is told from then on. */
static int keeper_sync(void *ledger, const pool_budget_ask_t *ask, pool_budget_answer_t *answer, int64_t deadline_ns,
                       pool_error_t *error)
{
  struct keeper *keeper = ledger;
  struct script_words words = {0};
  struct numbers numbers = {.count = 0};
  redisReply *reply;
  int code = bell_subscribe(&keeper->bell, &keeper->place, deadline_ns, error);
  if (code == 0)
    code = connect_line(keeper, deadline_ns, error); /* which says what run it is */
  if (code)
    return code;
  say(&words, &numbers, keeper, ask);
  code = run(keeper, &words, &reply, deadline_ns, error);
  if (code)
    return code;
  code = read_answer(reply, answer, error);
  freeReplyObject(reply);
  return code;
}

static int keeper_leave(void *ledger, uint64_t member, int64_t deadline_ns, pool_error_t *error)
{
  struct script_words words = {0};
  struct numbers numbers = {.count = 0};
  redisReply *reply;
  add(&words, "leave");
  add_member(&words, &numbers, member);
  int code = run(ledger, &words, &reply, deadline_ns, error);
  if (code == 0)
    freeReplyObject(reply);
  return code;
}

/* ---- the others ---- */

static int keeper_wait(void *ledger, int64_t until_ns, uint64_t *told, int32_t room, pool_error_t *error)
{
  return bell_wait(&((struct keeper *)ledger)->bell, until_ns, told, room, error);
}

static void keeper_wake(void *ledger)
{
  bell_ring(&((struct keeper *)ledger)->bell);
}

static int keeper_look(void *ledger, pool_budget_stats_t *stats, pool_budget_seen_fn *seen, void *user,
                       int64_t deadline_ns, pool_error_t *error)
{
  struct script_words words = {.count = 1, .word = {"look"}};
  redisReply *reply;
  int code = run(ledger, &words, &reply, deadline_ns, error);
  if (code)
    return code;
  code = roll_read(reply, stats, seen, user, error);
  freeReplyObject(reply);
  return code;
}

static void keeper_forget(void *ledger)
{
  struct keeper *keeper = ledger;
  line_forget(&keeper->line);
  bell_forget(&keeper->bell);
}

POOL_API pool_budget_engine_fn pool_budget_engine_redis;

int pool_budget_engine_redis(uint32_t version, pool_budget_engine_t *engine)
{
  if (version != POOL_BUDGET_ENGINE_VERSION || engine->size < sizeof *engine)
    return POOL_E_UNSUPPORTED;
  *engine = (pool_budget_engine_t){
      .size = sizeof *engine,
      .needs = STREAM_NEEDS,
      .open = keeper_open,
      .sync = keeper_sync,
      .leave = keeper_leave,
      .wait = keeper_wait,
      .wake = keeper_wake,
      .look = keeper_look,
      .forget = keeper_forget,
      .close = keeper_close,
  };
  return 0;
}
