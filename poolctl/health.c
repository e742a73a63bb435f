/* SPDX-License-Identifier: MIT */
/* poolctl health: the word for each pool that is meant, for the probes of orchestrators. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <pool/pool.h>

#include "arguments.h"
#include "base/text.h"
#include "commands.h"
#include "peer.h"
#include "say.h"

static const char *const words[] = {[POOL_HEALTH_HEALTHY] = "healthy",
                                    [POOL_HEALTH_BUSY] = "busy",
                                    [POOL_HEALTH_STUCK] = "stuck",
                                    [POOL_HEALTH_DOWN] = "down"};

/* A process that is busy needs no restart: for probes it is as good as one that is healthy. */
static const int codes[] = {[POOL_HEALTH_HEALTHY] = EXIT_OK,
                            [POOL_HEALTH_BUSY] = EXIT_OK,
                            [POOL_HEALTH_STUCK] = EXIT_STUCK,
                            [POOL_HEALTH_DOWN] = EXIT_DOWN};

struct question {
  long pid;         /* 0: of all processes */
  const char *pool; /* its name; NULL: all */
  int64_t stuck_after_ms;
  json_t *results;
  int worst;     /* POOL_HEALTH_*; -1: none was asked */
  int code;      /* of a process or pool that did not answer */
  size_t silent; /* processes that did not say what pools they have, where all were asked */
};

/* PID, PID/POOL or POOL. */
static void read_target(struct question *question, const char *text)
{
  char *end;
  long pid = strtol(text, &end, 10);
  bool is_pid = end != text && pid > 0 && (*end == 0 || (*end == '/' && end[1]));
  question->pid = is_pid ? pid : 0;
  question->pool = !is_pid ? text : *end == '/' ? end + 1 : NULL;
}

static json_t *ask_one(long pid, const json_t *pool, int64_t stuck_after_ms)
{
  struct peers peers;
  char request[80];
  snprintf(request, sizeof request, "health %" JSON_INTEGER_FORMAT " %" PRId64,
           json_integer_value(json_object_get(pool, "id")), stuck_after_ms);
  peers_ask(&peers, pid, request);
  json_t *answer = peers.count > 0 ? json_incref(peers.list[0].answer) : NULL;
  peers_free(&peers);
  return answer;
}

static int fail(long pid, const json_t *answer)
{
  const char *message = json_string_value(json_object_get(answer, "message"));
  return say_failure(EXIT_FAILED, "process %ld: %s", pid, message ? message : "it does not answer; is it stopped?");
}

static void note(struct question *question, long pid, const json_t *pool, const json_t *answer)
{
  int64_t health = json_integer_value(json_object_get(answer, "result"));
  if (health < 0 || health > POOL_HEALTH_DOWN || !json_is_true(json_object_get(answer, "ok"))) {
    question->code = fail(pid, answer);
    return;
  }
  if (health > question->worst)
    question->worst = (int)health;
  json_array_append_new(question->results,
                        json_pack("{s:i, s:O, s:O, s:s, s:O}", "pid", (int)pid, "id", json_object_get(pool, "id"),
                                  "pool", json_object_get(pool, "name"), "health", words[health], "message",
                                  json_object_get(answer, "message")));
}

static bool is_meant(const json_t *pool, const char *name)
{
  const char *is = json_string_value(json_object_get(pool, "name"));
  return !name || (is && strcmp(is, name) == 0);
}

static void ask_pools(struct question *question, const struct peer *peer)
{
  size_t i;
  json_t *pool;
  json_array_foreach(json_object_get(peer->answer, "pools"), i, pool)
  {
    if (!is_meant(pool, question->pool))
      continue;
    json_t *answer = ask_one(peer->pid, pool, question->stuck_after_ms);
    note(question, peer->pid, pool, answer);
    json_decref(answer);
  }
}

/* Of a folder that anybody may have made: it does not matter where the pool was found. */
static void tell_problem(struct question *question, const char *problem)
{
  int code = say_failure(question->worst < 0 ? EXIT_FAILED : EXIT_OK, "%s", problem);
  question->code = question->code ? question->code : code;
}

static void ask_all(struct question *question)
{
  struct peers peers;
  peers_ask(&peers, question->pid, "list");
  for (size_t i = 0; i < peers.count; i++)
    if (peers.list[i].answer)
      ask_pools(question, &peers.list[i]);
    else if (question->pid)
      question->code = fail(peers.list[i].pid, NULL);
    else
      question->silent++;
  if (peers.problem[0])
    tell_problem(question, peers.problem);
  peers_free(&peers);
}

static void print(const struct question *question)
{
  size_t i;
  json_t *result;
  json_array_foreach(question->results, i, result)
  {
    char line[600];
    const char *message = json_string_value(json_object_get(result, "message"));
    text_copy(line, sizeof line, message ? message : "?");
    printf("%s\n", line);
  }
}

/* A process that is silent may be the one that has the pool. */
static int refuse(const struct question *question, const char *word)
{
  char shown[SAY_WORD_ROOM];
  say_word(shown, word);
  if (question->silent > 0)
    return say_failure(EXIT_FAILED,
                       "no process that answered exposes \"%s\"; %zu did not answer in time; stopped, perhaps?", shown,
                       question->silent);
  return say_failure(EXIT_ABSENT, "no process of this user exposes \"%s\"; `poolctl top --once` lists what there is",
                     shown);
}

int health_run(const struct arguments *arguments)
{
  struct question question = {.stuck_after_ms = arguments->stuck_ms, .results = json_array(), .worst = -1};
  read_target(&question, arguments->words[0]);
  ask_all(&question);
  if (arguments->json)
    say_json(json_pack("{s:O}", "results", question.results));
  else
    print(&question);
  json_decref(question.results);
  if (question.code)
    return question.code;
  return question.worst < 0 ? refuse(&question, arguments->words[0]) : codes[question.worst];
}
