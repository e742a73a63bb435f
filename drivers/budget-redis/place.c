/* SPDX-License-Identifier: MIT */
#include "budget-redis/place.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/failure.h"
#include "support/parameters.h"

#define REPLY_BYTES (UINT64_C(256) * 1024 * 1024) /* of one that lists all members */

/* The rest is for the server. */
static const char *const budgets[] = {PARAMETERS_BUDGET};

static int say_no_memory(pool_error_t *error)
{
  return failure_set(error, POOL_E_NOMEM, 0, "no memory for the place of a budget");
}

static void wipe(char *text)
{
  if (text)
    explicit_bzero(text, strlen(text));
  free(text);
}

/* Takes the name of the budget out of a URL: what is behind the last '/' of the path. */
static bool cut_name(char *text)
{
  char *host = strchr(text, ':') + 1;
  if (strncmp(host, "//", 2) != 0)
    return false;
  host += 2;
  char *end = host + strcspn(host, "?#"), *slash = end;
  while (slash > host && *slash != '/')
    slash--;
  if (*slash != '/')
    return false;
  memmove(slash, end, strlen(end) + 1);
  return true;
}

/* The same URL without one of the parameters of budgets; the former one is wiped. */
static char *without(char *text, const char *name)
{
  struct url url;
  if (url_read(&url, text) != NULL) {
    wipe(text);
    return NULL;
  }
  char *shorter = url_without(&url, text, name, 0);
  url_free(&url);
  wipe(text);
  return shorter;
}

/* The URL of the server alone, as the driver reads it. */
static char *server_of(const char *text)
{
  char *server = strdup(text);
  for (size_t i = 0; server && i < sizeof budgets / sizeof *budgets; i++)
    server = without(server, budgets[i]);
  return server;
}

static int read_server(struct place *place, const char *text, pool_error_t *error)
{
  struct url url;
  int code = parameters_url(&url, text, error);
  url_free(&url);
  if (code)
    return code;
  char *server = server_of(text);
  if (!server)
    return say_no_memory(error);
  code = cut_name(server) ? settings_read(&place->settings, server, error)
                          : failure_set(error, POOL_E_INVALID, 0,
                                        "the name of the budget is missing: redis://HOST:PORT/DATABASE/NAME?limit=...");
  wipe(server);
  return code;
}

/* The part of a key in braces is what a cluster looks at. */
static int name_keys(struct place *place, const char *name, pool_error_t *error)
{
  static const char *const ends[PLACE_KEYS] = {"", ":members", ":classes", ":ends", ":poor", ":rich"};
  if (!*name || strpbrk(name, "{}"))
    return failure_set(error, POOL_E_INVALID, 0, "the name of a budget has at least one character, and no braces");
  for (int i = 0; i < PLACE_KEYS; i++)
    if (asprintf(&place->keys[i], "pool:budget:{%s}%s", name, ends[i]) < 0) {
      place->keys[i] = NULL;
      return say_no_memory(error);
    }
  return 0;
}

int place_read(struct place *place, const pool_budget_place_t *from, pool_error_t *error)
{
  *place = (struct place){.term_ms = from->term_ms, .limit = from->limit};
  int code = read_server(place, from->url, error);
  if (code == 0)
    code = name_keys(place, from->name, error);
  if (code)
    place_free(place);
  else
    place->settings->max_reply_bytes = REPLY_BYTES;
  return code;
}

/* The first of the servers becomes another one; those of the URL stay behind it. */
static int put_first(struct place *place, const struct address *address, pool_error_t *error)
{
  struct servers *servers = &place->settings->servers;
  if (!place->moved) {
    struct address *more = realloc(servers->addresses, (servers->count + 1) * sizeof *more);
    if (!more)
      return say_no_memory(error);
    memmove(more + 1, more, servers->count * sizeof *more);
    servers->addresses = more;
    servers->count++;
    place->moved = true;
  }
  servers->addresses[0] = *address;
  return 0;
}

int place_move(struct place *place, const char *text, pool_error_t *error)
{
  char host[256];
  struct address address = {0};
  const char *colon = strrchr(text, ':');
  int used = 0;
  sscanf(text, "MOVED %*d %n", &used);
  if (used == 0 || !colon || colon <= text + used || colon - text - used >= (ptrdiff_t)sizeof host)
    return failure_set(error, POOL_E_REMOTE, 0, "the cluster names no server for the ledger: %.100s", text);
  snprintf(host, sizeof host, "%.*s", (int)(colon - text - used), text + used);
  int code = address_set(&address, host, colon + 1, error);
  return code ? code : put_first(place, &address, error);
}

void place_turn(struct place *place)
{
  struct servers *servers = &place->settings->servers;
  servers_turn(servers);
  servers->count -= place->moved;
  place->moved = false;
}

void place_free(struct place *place)
{
  settings_free(place->settings);
  for (int i = 0; i < PLACE_KEYS; i++)
    free(place->keys[i]);
  *place = (struct place){0};
}
