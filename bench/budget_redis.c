/* SPDX-License-Identifier: MIT */
/*
 * What a budget costs.  Its Redis: the time of the script for each sync, the commands in it, and the memory, with few
 * members and with many, where one program speaks for all members, so that what is measured is the server's own time.
 * And its members.
 */
#include <hiredis.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pool/budget.h>

#include "budget_members.h"
#include "redis_server.h"
#include "report.h"

#define TERM_MS 2000
#define SYNCS   20000
#define MOST    10000

POOL_API pool_budget_engine_fn pool_budget_engine_redis;

static struct redis server;
static pool_budget_engine_t engine = {.size = sizeof engine};
static redisContext *admin;
static uint64_t random_state = 88172645463325252u;

struct member {
  int32_t open, wants;
  pool_budget_answer_t told;
};

static struct member members[MOST + 1];

static int64_t in_ms(int64_t ms)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return ((int64_t)now.tv_sec * 1000 + ms) * 1000000 + now.tv_nsec;
}

static uint32_t random_below(uint32_t limit)
{
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return (uint32_t)(random_state >> 32) % limit;
}

static void check(int code, const pool_error_t *error)
{
  if (code < 0)
    server_fail(&server.server, "%s", error->message);
}

/* ---- what the server says ---- */

static redisReply *administer(const char *command)
{
  redisReply *reply = redisCommand(admin, command);
  if (!reply || reply->type == REDIS_REPLY_ERROR)
    server_fail(&server.server, "%s: %s", command, reply ? reply->str : admin->errstr);
  return reply;
}

/* The time of the script for each call, and how many commands it ran. */
static void report_commands(const char *size, double worked_us)
{
  char name[64];
  double each = 0, calls = 0, inside = 0, number;
  redisReply *reply = administer("INFO commandstats");
  for (char *line = strtok(reply->str, "\r\n"); line; line = strtok(NULL, "\r\n")) {
    if (sscanf(line, "cmdstat_evalsha:calls=%lf,usec=%*f,usec_per_call=%lf", &calls, &each) == 2)
      continue;
    if (sscanf(line, "cmdstat_%*[^:]:calls=%lf", &number) == 1)
      inside += number;
  }
  freeReplyObject(reply);
  snprintf(name, sizeof name, "budget.redis.%s.sync", size);
  report_at_most(name, each, "us, elapsed", 100);
  snprintf(name, sizeof name, "budget.redis.%s.work", size);
  report_only(name, worked_us / calls, "us of the server, in all");
  snprintf(name, sizeof name, "budget.redis.%s.commands", size);
  report_only(name, inside / calls, "commands");
}

static double figure(const char *section, const char *name)
{
  redisReply *reply = administer(section);
  const char *found = strstr(reply->str, name);
  double value = found ? strtod(found + strlen(name), NULL) : 0;
  freeReplyObject(reply);
  return value;
}

static double memory(void)
{
  return figure("INFO memory", "used_memory:");
}

/* What the server has worked, with all that is around the script; other programs of the machine do not count. */
static double work_us(void)
{
  return (figure("INFO cpu", "used_cpu_user:") + figure("INFO cpu", "used_cpu_sys:")) * 1e6;
}

/* ---- members ---- */

static void sync_one(void *ledger, uint32_t number)
{
  static const char who[] = "machine-0815\0004711\0ruby\0orders of the shop";
  struct member *member = &members[number];
  pool_error_t error = POOL_ERROR_INIT;
  pool_budget_ask_t ask = {.size = sizeof ask,
                           .member = number,
                           .since_ns = member->wants > member->open ? 0 : -1,
                           .open = member->open,
                           .wants = member->wants,
                           .waiting = member->wants - member->open,
                           .weight = 1,
                           .who_size = sizeof who,
                           .who = who};
  member->told.size = sizeof member->told;
  check(engine.sync(ledger, &ask, &member->told, in_ms(60000), &error), &error);
}

/* It opens what it may, and closes what it shall. */
static void follow(uint32_t number)
{
  struct member *member = &members[number];
  int32_t least = member->told.granted < member->told.target ? member->told.granted : member->told.target;
  member->open = member->wants < least ? member->wants : least;
}

/* Demand changes, and who is told asks at once. */
static void run(void *ledger, uint32_t count, uint32_t most, int syncs)
{
  uint64_t told[64];
  pool_error_t error = POOL_ERROR_INIT;
  for (int i = 0; i < syncs; i++) {
    uint32_t number = 1 + (uint32_t)i % count;
    if (random_below(4) == 0)
      members[number].wants = (int32_t)random_below(most);
    follow(number);
    sync_one(ledger, number);
    int heard = engine.wait(ledger, 0, told, 64, &error);
    check(heard, &error);
    for (int k = 0; k < heard; k++, i++) {
      follow((uint32_t)told[k]);
      sync_one(ledger, (uint32_t)told[k]);
    }
  }
}

/* It would last a term, which with many members is a minute.  `learns` is the 11th of the doubles of the state. */
static void stop_learning(void)
{
  const double no = 0;
  redisReply *state = administer("HGET pool:budget:{bench} state");
  memcpy(state->str + 10 * sizeof no, &no, sizeof no);
  freeReplyObject(redisCommand(admin, "HSET pool:budget:{bench} state %b", state->str, (size_t)state->len));
  freeReplyObject(state);
}

/* Each member wants up to so much, so that many of them, or few, want the same. */
static void measure(const char *size, uint32_t count, uint32_t most)
{
  char url[128];
  void *ledger;
  pool_error_t error = POOL_ERROR_INIT;
  snprintf(url, sizeof url, "redis://:%s@127.0.0.1:%d/0/bench", REDIS_PASSWORD, server.port);
  pool_budget_place_t place = {
      .size = sizeof place, .url = url, .name = "bench", .limit = (int32_t)(count * most / 3), .term_ms = TERM_MS};
  freeReplyObject(administer("FLUSHALL"));
  double before = memory();
  check(engine.open(&place, &ledger, &error), &error);
  for (uint32_t i = 1; i <= count; i++) {
    members[i] = (struct member){.wants = (int32_t)random_below(most)};
    sync_one(ledger, i);
  }
  stop_learning();
  run(ledger, count, most, (int)count);
  freeReplyObject(administer("CONFIG RESETSTAT"));
  double began_us = work_us();
  run(ledger, count, most, SYNCS);
  report_commands(size, work_us() - began_us);
  char name[64];
  snprintf(name, sizeof name, "budget.redis.%s.memory", size);
  report_only(name, (memory() - before) / 1024, "KiB, connections included");
  engine.close(ledger);
}

static void measure_both(void)
{
  char url[128];
  snprintf(url, sizeof url, "redis://:%s@127.0.0.1:%d/0/", REDIS_PASSWORD, server.port);
  measure_members("host", "host:bench-", 1);
  measure_members("redis", url, 20);
}

int main(int count, char **words)
{
  redis_make(&server);
  admin = redisConnectUnix(server.socket);
  freeReplyObject(administer("AUTH " REDIS_PASSWORD));
  pool_budget_engine_redis(POOL_BUDGET_ENGINE_VERSION, &engine);
  report_begin();
  measure("ten", 10, 6);
  measure("ten_thousand", MOST, 6);
  measure("ten_thousand_kinds", MOST, 100 * MOST);
  redisFree(admin);
  measure_both();
  redis_remove(&server);
  return count == 3 && strcmp(words[1], "--json") == 0 && report_write(words[2]) != 0;
}
