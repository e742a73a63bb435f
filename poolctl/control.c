/* SPDX-License-Identifier: MIT */
/* poolctl pause, resume, flush, evict and resize: PID is all pools of a process, PID/POOL one, by its number or name.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "base/text.h"
#include "commands.h"
#include "peer.h"
#include "say.h"

struct order {
  const char *verb;
  const char *past, *counted; /* what was done, and what its result counts */
  const char *argument;
  long pid;
  const char *pool; /* NULL: all */
  json_t *results;
};

/* ---- which ---- */

static bool read_target(struct order *order, const char *text)
{
  char *end;
  errno = 0;
  order->pid = strtol(text, &end, 10);
  if (errno || end == text || order->pid <= 0 || (*end && *end != '/') || (*end == '/' && !end[1]))
    return false;
  order->pool = *end == '/' ? end + 1 : NULL;
  return true;
}

static bool is_number(const char *text)
{
  return text[strspn(text, "0123456789")] == 0;
}

static bool is_meant(const json_t *pool, const char *text, bool by_number)
{
  if (!text)
    return true;
  if (by_number)
    return json_integer_value(json_object_get(pool, "id")) == strtoll(text, NULL, 10);
  const char *name = json_string_value(json_object_get(pool, "name"));
  return name && strcmp(name, text) == 0;
}

/* The pools that are meant, of those of a process. */
static json_t *choose(const json_t *pools, const char *text, bool by_number)
{
  json_t *chosen = json_array(), *pool;
  size_t i;
  json_array_foreach(pools, i, pool) if (is_meant(pool, text, by_number)) json_array_append(chosen, pool);
  return chosen;
}

static int refuse_several(const struct order *order, const json_t *chosen)
{
  char ids[200] = "";
  size_t i;
  json_t *pool;
  json_array_foreach(chosen, i, pool)
  {
    size_t length = strlen(ids);
    snprintf(ids + length, sizeof ids - length, " %ld/%" JSON_INTEGER_FORMAT, order->pid,
             json_integer_value(json_object_get(pool, "id")));
  }
  return say_failure(EXIT_USAGE, "process %ld has %zu pools that are meant; name one by its number:%s", order->pid,
                     json_array_size(chosen), ids);
}

/* A word that is all digits is a number, unless a pool has that name. */
static int find(const struct order *order, const json_t *pools, json_t **chosen)
{
  *chosen = choose(pools, order->pool, false);
  if (order->pool && json_array_size(*chosen) == 0 && is_number(order->pool)) {
    json_decref(*chosen);
    *chosen = choose(pools, order->pool, true);
  }
  char shown[SAY_WORD_ROOM];
  size_t count = json_array_size(*chosen);
  if (count == 0)
    return say_failure(EXIT_ABSENT, "process %ld exposes no %s%s%s; `poolctl top --once` lists what there is",
                       order->pid, order->pool ? "pool \"" : "pool", order->pool ? say_word(shown, order->pool) : "",
                       order->pool ? "\"" : "");
  return count > 1 && (order->pool || order->argument) ? refuse_several(order, *chosen) : EXIT_OK;
}

/* ---- asking ---- */

/* The answer of one process, or NULL with a word on stderr and *code. */
static json_t *ask(long pid, const char *request, int *code)
{
  struct peers peers;
  peers_ask(&peers, pid, request);
  json_t *answer = peers.count > 0 ? json_incref(peers.list[0].answer) : NULL;
  if (answer)
    *code = EXIT_OK;
  else if (peers.count > 0)
    *code = say_failure(EXIT_FAILED, "process %ld does not answer; is it stopped?", pid);
  else if (peers.problem[0])
    *code = say_failure(EXIT_FAILED, "%s", peers.problem);
  else
    *code = say_failure(EXIT_ABSENT,
                        "no process %ld of this user exposes pools; `poolctl top --once` lists those that do", pid);
  peers_free(&peers);
  return answer;
}

static int tell(struct order *order, const json_t *pool, json_t *answer)
{
  char name[64];
  json_t *result = json_pack("{s:i, s:O, s:O}", "pid", (int)order->pid, "id", json_object_get(pool, "id"), "pool",
                             json_object_get(pool, "name"));
  json_object_update(result, answer);
  json_array_append_new(order->results, result);
  const char *text = json_string_value(json_object_get(pool, "name"));
  text_copy(name, sizeof name, text ? text : "?");
  if (!json_is_true(json_object_get(answer, "ok"))) {
    const char *message = json_string_value(json_object_get(answer, "message"));
    return say_failure(EXIT_FAILED, "%ld/%s: %s", order->pid, name, message ? message : "no reason was given");
  }
  return EXIT_OK;
}

static int steer(struct order *order, const json_t *pool)
{
  char request[100];
  int code;
  snprintf(request, sizeof request, "%s %" JSON_INTEGER_FORMAT "%s%.30s", order->verb,
           json_integer_value(json_object_get(pool, "id")), order->argument ? " " : "",
           order->argument ? order->argument : "");
  json_t *answer = ask(order->pid, request, &code);
  if (answer)
    code = tell(order, pool, answer);
  json_decref(answer);
  return code;
}

static int steer_all(struct order *order)
{
  int code, worst = EXIT_OK;
  json_t *list = ask(order->pid, "list", &code), *chosen = NULL, *pool;
  size_t i;
  if (!list)
    return code;
  worst = find(order, json_object_get(list, "pools"), &chosen);
  if (worst == EXIT_OK)
    json_array_foreach(chosen, i, pool)
    {
      code = steer(order, pool);
      worst = code ? code : worst;
    }
  json_decref(chosen);
  json_decref(list);
  return worst;
}

/* ---- the commands ---- */

static void print(const struct order *order)
{
  size_t i;
  json_t *result;
  json_array_foreach(order->results, i, result)
  {
    char name[64];
    const char *text = json_string_value(json_object_get(result, "pool"));
    text_copy(name, sizeof name, text ? text : "?");
    if (!json_is_true(json_object_get(result, "ok")))
      continue;
    printf("%ld/%" JSON_INTEGER_FORMAT " %s: ", order->pid, json_integer_value(json_object_get(result, "id")), name);
    printf("%s; %" JSON_INTEGER_FORMAT " %s\n", order->past, json_integer_value(json_object_get(result, "result")),
           order->counted);
  }
}

static int run(const struct arguments *arguments, struct order order)
{
  char shown[SAY_WORD_ROOM];
  if (!read_target(&order, arguments->words[0]))
    return say_failure(EXIT_USAGE, "\"%s\" is no PID or PID/POOL; `poolctl top --once` lists them",
                       say_word(shown, arguments->words[0]));
  order.results = json_array();
  int code = steer_all(&order);
  if (arguments->json)
    say_json(json_pack("{s:O}", "results", order.results));
  else
    print(&order);
  json_decref(order.results);
  return code;
}

int pause_run(const struct arguments *arguments)
{
  return run(arguments, (struct order){.verb = "pause", .past = "paused", .counted = "connections are still in use"});
}

int resume_run(const struct arguments *arguments)
{
  return run(arguments, (struct order){.verb = "resume", .past = "resumed", .counted = "pauses remain"});
}

int flush_run(const struct arguments *arguments)
{
  return run(arguments, (struct order){.verb = "flush", .past = "flushed", .counted = "connections are being closed"});
}

int evict_run(const struct arguments *arguments)
{
  return run(arguments, (struct order){.verb = "evict", .past = "evicted", .counted = "waits were ended"});
}

int resize_run(const struct arguments *arguments)
{
  const char *number = arguments->words[1];
  char shown[SAY_WORD_ROOM];
  if (!is_number(number) || !number[0] || strlen(number) > 9)
    return say_failure(EXIT_USAGE, "\"%s\" is no number of connections; it must be 0 (no limit) or more",
                       say_word(shown, number));
  return run(arguments,
             (struct order){
                 .verb = "resize", .past = "resized", .counted = "connections are too many still", .argument = number});
}
