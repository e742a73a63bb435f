/* SPDX-License-Identifier: MIT */
#include "redis/traces.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "support/failure.h"

static bool is(const struct command *command, int index, const char *word)
{
  size_t length = strlen(word);
  return index < command->count && command->sizes[index] == length &&
         strncasecmp(command->arguments[index], word, length) == 0;
}

/* ---- before ---- */

/* clang-format off */
static const struct {
  const char *name;
  unsigned traces;
} rows[] = {
    {"MULTI", TRACES_MULTI},
    {"WATCH", TRACES_WATCH},
    {"SELECT", TRACES_SELECT},
    {"AUTH", TRACES_MODE}, {"HELLO", TRACES_MODE}, {"RESET", TRACES_MODE},
    {"SUBSCRIBE", TRACES_MODE}, {"PSUBSCRIBE", TRACES_MODE}, {"SSUBSCRIBE", TRACES_MODE},
    {"UNSUBSCRIBE", TRACES_MODE}, {"PUNSUBSCRIBE", TRACES_MODE}, {"SUNSUBSCRIBE", TRACES_MODE},
    {"MONITOR", TRACES_MODE},
    {"READONLY", TRACES_MODE}, {"READWRITE", TRACES_MODE}, {"ASKING", TRACES_MODE},
    {"SYNC", TRACES_LASTING}, {"PSYNC", TRACES_LASTING}, {"REPLCONF", TRACES_LASTING},
    {"QUIT", TRACES_LASTING},
};
/* clang-format on */

/* Subcommands of CLIENT that only look, or are about other connections; and the one that says which library it is. */
static bool is_harmless(const struct command *command)
{
  static const char *const names[] = {"ID",      "INFO",     "LIST",    "GETNAME", "GETREDIR", "TRACKINGINFO", "KILL",
                                      "UNBLOCK", "PAUSE",    "UNPAUSE", "HELP",    "SETINFO"};
  bool found = command->count < 2;
  for (size_t i = 0; i < sizeof names / sizeof *names && !found; i++)
    found = is(command, 1, names[i]);
  return found;
}

/* Servers come to know others, which nobody can say to be undone. */
static unsigned of_client(const struct command *command)
{
  if (is(command, 1, "SETNAME"))
    return TRACES_NAME;
  if (is(command, 1, "REPLY") || is(command, 1, "TRACKING") || is(command, 1, "CACHING"))
    return TRACES_MODE;
  return is_harmless(command) ? 0 : TRACES_LASTING;
}

unsigned traces_before(const struct command *command)
{
  if (is(command, 0, "CLIENT"))
    return of_client(command);
  if (is(command, 0, "SCRIPT") && is(command, 1, "DEBUG"))
    return TRACES_LASTING;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (is(command, 0, rows[i].name))
      return rows[i].traces;
  return 0;
}

/* ---- after ---- */

static bool says(const redisReply *reply, int type, const char *beginning)
{
  return reply->type == type && strncmp(reply->str, beginning, strlen(beginning)) == 0;
}

unsigned traces_after(unsigned traces, const struct command *command, const redisReply *reply, const char *database)
{
  bool failed = reply->type == REDIS_REPLY_ERROR;
  if (is(command, 0, "EXEC") && (!failed || says(reply, REDIS_REPLY_ERROR, "EXECABORT")))
    traces &= ~(unsigned)(TRACES_MULTI | TRACES_WATCH);
  if (is(command, 0, "DISCARD") && !failed)
    traces &= ~(unsigned)(TRACES_MULTI | TRACES_WATCH);
  if (is(command, 0, "UNWATCH") && says(reply, REDIS_REPLY_STATUS, "OK"))
    traces &= ~(unsigned)TRACES_WATCH;
  if (is(command, 0, "SELECT") && says(reply, REDIS_REPLY_STATUS, "OK") && is(command, 1, database))
    traces &= ~(unsigned)TRACES_SELECT;
  return traces;
}

/* ---- which may be sent ---- */

#define AROUND 32 /* bytes, at most, that the protocol puts around an argument */

/* hiredis counts the bytes of a command in an int, and looks at no sum. */
static bool is_too_long(const struct command *command)
{
  size_t left = INT_MAX - AROUND;
  for (int i = 0; i < command->count; i++) {
    if (left < AROUND || command->sizes[i] > left - AROUND)
      return true;
    left -= command->sizes[i] + AROUND;
  }
  return false;
}

int traces_measure(const struct command *command, pool_error_t *error)
{
  return is_too_long(command) ? failure_set(error, POOL_E_UNSUPPORTED, 0, "a command has at most 2 GiB") : 0;
}

int traces_admit(const struct command *command, int call, pool_error_t *error)
{
  static const char *const endless[] = {"SUBSCRIBE",    "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE",
                                        "SUNSUBSCRIBE", "MONITOR",    "SYNC",       "PSYNC"};
  if (is(command, 0, "CLIENT") && is(command, 1, "REPLY") && !is(command, 2, "ON"))
    return failure_set(error, POOL_E_UNSUPPORTED, 0, "CLIENT REPLY OFF and SKIP would leave commands without replies");
  if (is(command, 0, "HELLO") && command->count > 1 && !is(command, 1, "2"))
    return failure_set(error, POOL_E_UNSUPPORTED, 0, "the driver speaks version 2 of the protocol (RESP2) alone");
  for (size_t i = 0; call && i < sizeof endless / sizeof *endless; i++)
    if (is(command, 0, endless[i]))
      return failure_set(error, POOL_E_UNSUPPORTED, 0,
                         "%s has more than one reply: use pool_redis_command() and "
                         "pool_redis_reply() of pool/redis.h",
                         endless[i]);
  return traces_measure(command, error);
}
