/* SPDX-License-Identifier: MIT */
#include "budget-redis/script.h"

#include <string.h>

#include <script_text.h> /* made of script.lua */

#include "budget-redis/line.h"
#include "support/failure.h"

#define BEFORE (3 + PLACE_KEYS) /* the words: EVALSHA, the script, the number of keys, the keys */
#define OURS   "BUDGET "        /* begins what the script itself says */

/* With its text the script is kept by the server, and is known by its hash from then on. */
static int run_by(struct session *line, bool by_text, const struct place *place, const struct script_words *words,
                  redisReply **reply, int64_t deadline_ns, pool_error_t *error)
{
  static const char *const keys = "6";
  _Static_assert(PLACE_KEYS == 6, "the number of keys, as a text");
  const char *all[BEFORE + SCRIPT_WORDS] = {by_text ? "EVAL" : "EVALSHA", by_text ? script_text : SCRIPT_HASH, keys};
  size_t sizes[BEFORE + SCRIPT_WORDS] = {strlen(all[0]), by_text ? sizeof script_text : sizeof SCRIPT_HASH - 1, 1};
  for (int i = 0; i < PLACE_KEYS; i++) {
    all[3 + i] = place->keys[i];
    sizes[3 + i] = strlen(place->keys[i]);
  }
  for (int i = 0; i < words->count; i++) {
    all[BEFORE + i] = words->word[i];
    sizes[BEFORE + i] = words->size[i] ? words->size[i] : strlen(words->word[i]);
  }
  return line_ask(line, BEFORE + words->count, all, sizes, reply, deadline_ns, error);
}

static bool says(const redisReply *reply, const char *word)
{
  return reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, word, strlen(word)) == 0;
}

/* An error becomes *error, and is freed. */
static int judge(redisReply *reply, pool_error_t *error)
{
  if (reply->type == REDIS_REPLY_ARRAY)
    return 0;
  int code = POOL_E_REMOTE;
  const char *text = reply->type == REDIS_REPLY_ERROR ? reply->str : "the reply is no list";
  const char *ours = strstr(text, OURS);
  if (ours)
    code = failure_set(error, POOL_E_INVALID, 0, "the ledger of the budget: %.400s", ours + strlen(OURS));
  else
    failure_set(error, code, 0, "the ledger of the budget: the server says: %.400s", text);
  freeReplyObject(reply);
  return code;
}

/* Whether the next line is to be to another server. */
static bool is_elsewhere(const redisReply *reply, const struct place *place)
{
  return says(reply, "MOVED ") || (says(reply, "READONLY") && place->settings->servers.count > 1);
}

static int move(struct session *line, struct place *place, redisReply *reply, pool_error_t *error)
{
  int code = 0;
  if (says(reply, "MOVED "))
    code = place_move(place, reply->str, error);
  else
    place_turn(place);
  if (code == 0) {
    failure_set(error, POOL_E_BROKEN, 0, "the ledger of the budget: the server says: %.300s", reply->str);
    code = session_break(line, error);
  }
  freeReplyObject(reply);
  return code;
}

int script_run(struct session *line, struct place *place, const struct script_words *words, redisReply **reply,
               int64_t deadline_ns, pool_error_t *error)
{
  int code = run_by(line, false, place, words, reply, deadline_ns, error);
  if (code == 0 && says(*reply, "NOSCRIPT")) {
    freeReplyObject(*reply);
    code = run_by(line, true, place, words, reply, deadline_ns, error);
  }
  if (code)
    return code;
  return is_elsewhere(*reply, place) ? move(line, place, *reply, error) : judge(*reply, error);
}
