/* SPDX-License-Identifier: MIT */
/* Budgets by URL: what it says, which engine keeps the ledger, and a look at it. */
#include "api/budget.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/member.h"
#include "api/search.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/near.h"
#include "base/sized.h"
#include "base/thread.h"
#include "base/url.h"
#include "run/local.h"
#include "run/membership.h"

#define TERM_MS     3000
#define TERM_MIN_MS 500
#define TERM_MAX_MS 3600000
#define LOOK_MS     5000

/* ---- the URL ---- */

static const char *const parameters[] = {"limit", "term_ms", "lost"};

static int read_number(const struct url *url, const char *name, int64_t standard, int64_t least, int64_t most,
                       int64_t *value, pool_error_t *error)
{
  const char *text = url_value(url, name);
  char *end;
  *value = standard;
  if (!text)
    return 0;
  long long number = strtoll(text, &end, 10);
  if (*text < '0' || *text > '9' || *end || number < least || number > most)
    return error_set(error, POOL_E_INVALID, 0, "%s of the budget must be from %lld to %lld", name, (long long)least,
                     (long long)most);
  *value = number;
  return 0;
}

static int read_lost(const struct url *url, bool *yields, pool_error_t *error)
{
  const char *text = url_value(url, "lost");
  *yields = text && strcmp(text, "yield") == 0;
  if (text && !*yields && strcmp(text, "keep") != 0)
    return error_set(error, POOL_E_INVALID, 0, "lost of the budget must be keep or yield");
  return 0;
}

/* The last part of the path. */
static int read_name(const struct url *url, char name[BUDGET_NAME], pool_error_t *error)
{
  const char *slash = strrchr(url->path, '/');
  const char *text = slash ? slash + 1 : url->path;
  size_t length = strlen(text);
  if (length >= BUDGET_NAME || !search_is_word(text, length))
    return error_set(error, POOL_E_INVALID, 0,
                     "the URL of a budget ends with its name, %d letters, digits, '-' and '_' at most, as in "
                     "process:orders?limit=50",
                     BUDGET_NAME - 1);
  memcpy(name, text, length + 1);
  return 0;
}

static bool is_parameter(const char *name)
{
  for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
    if (strcmp(name, parameters[i]) == 0)
      return true;
  return false;
}

static int refuse_parameter(const char *name, pool_error_t *error)
{
  struct near near = near_begin(name);
  for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
    near_look(&near, parameters[i]);
  return error_set(error, POOL_E_INVALID, 0, "a budget has no parameter '%.40s'%s%s%s", name,
                   near.found ? "; did you mean '" : "", near.found ? near.found : "", near.found ? "'?" : "");
}

/* Engines of fleets have parameters of their own, and say which. */
static int check_parameters(const struct url *url, pool_error_t *error)
{
  for (size_t i = 0; i < url->parameter_count; i++)
    if (!is_parameter(url->parameters[i].name))
      return refuse_parameter(url->parameters[i].name, error);
  return 0;
}

/* Those of an engine are checked by the engine. */
static int check_repeated(const struct url *url, const char *budget, pool_error_t *error)
{
  for (size_t i = 0; i < url->parameter_count; i++)
    if (is_parameter(url->parameters[i].name) && url_is_repeated(url, i))
      return error_set(error, POOL_E_INVALID, 0, "the URL of the budget '%s' sets %s twice", budget,
                       url->parameters[i].name);
  return 0;
}

static int read_place(struct budget_place *place, const struct url *url, const char *text, bool looks,
                      pool_error_t *error)
{
  int64_t limit;
  int code = read_name(url, place->name, error);
  if (code == 0)
    code = check_repeated(url, place->name, error);
  if (code == 0)
    code = read_number(url, "limit", 0, 1, INT32_MAX, &limit, error);
  if (code == 0 && limit == 0 && !looks)
    code = error_set(error, POOL_E_INVALID, 0, "the budget '%s' has no limit; write ?limit=NUMBER behind its name",
                     place->name);
  if (code == 0)
    code = read_number(url, "term_ms", TERM_MS, TERM_MIN_MS, TERM_MAX_MS, &place->term_ms, error);
  if (code == 0)
    code = read_lost(url, &place->yields, error);
  if (code)
    return code;
  place->limit = (int32_t)limit;
  place->key = strcspn(text, "?");
  place->url = strdup(text);
  return place->url ? 0 : error_set(error, POOL_E_NOMEM, 0, "no memory for a budget");
}

/* ---- engines ---- */

/* A look for one engine in one folder after the other. */
struct look {
  struct search *search;
  const char *scheme;
  pool_budget_engine_t *engine;
};

static bool look_in(void *data, const char *folder, size_t length)
{
  struct look *look = data;
  pool_budget_engine_fn *make = NULL;
  if (!search_at(look->search, folder, length, SEARCH_ENGINE, look->scheme, ".so"))
    return false;
  void *symbol = search_symbol(look->search, "pool_budget_engine_", look->scheme);
  memcpy(&make, &symbol, sizeof make);
  *look->engine = (pool_budget_engine_t){.size = sizeof *look->engine};
  if (make && make(POOL_BUDGET_ENGINE_VERSION, look->engine) == 0 && look->engine->open)
    return true;
  if (make)
    snprintf(look->search->why, sizeof look->search->why, "it does not fit this version of the library");
  search_note(look->search);
  return false;
}

/* TLS is another scheme of the same engine. */
static const char *engine_name(const char *scheme)
{
  return strcmp(scheme, "rediss") == 0 ? "redis" : strcmp(scheme, "etcds") == 0 ? "etcd" : scheme;
}

static int load_engine(const char *scheme, pool_budget_engine_t *engine, pool_error_t *error)
{
  struct search *search = malloc(sizeof *search);
  if (!search)
    return error_set(error, POOL_E_NOMEM, 0, "no memory to look for the engine of a budget");
  search->tried[0] = 0;
  struct look look = {.search = search, .scheme = engine_name(scheme), .engine = engine};
  bool named = search_is_name(look.scheme, strlen(look.scheme));
  bool found = named && search_folders(look_in, &look);
  int code = found ? 0
                   : error_set(error, POOL_E_DRIVER, 0,
                               "no budget is kept by '%.32s:'; there are process:, host:, redis:, rediss:, etcd: and "
                               "etcds:%s",
                               scheme, search->tried);
  free(search);
  return code;
}

static int find_engine(struct budget_wish *wish, const struct url *url, pool_error_t *error)
{
  bool is_process = strcmp(url->scheme, "process") == 0;
  if (!is_process && strcmp(url->scheme, "host") != 0)
    return load_engine(url->scheme, &wish->engine, error);
  wish->engine = is_process ? local_process : local_host;
  if (url->host_count > 0 || url->user || strchr(url->path, '/'))
    return error_set(error, POOL_E_INVALID, 0, "%s: has no host and no path; write %s:NAME?limit=NUMBER", url->scheme,
                     url->scheme);
  return check_parameters(url, error);
}

/* What an engine has to say of a URL it says before there is a pool. */
static int try_engine(const struct budget_wish *wish, pool_error_t *error)
{
  void *ledger = NULL;
  pool_error_t why = POOL_ERROR_INIT;
  pool_budget_place_t place = {.size = sizeof place,
                               .url = wish->place.url,
                               .name = wish->place.name,
                               .term_ms = wish->place.term_ms,
                               .limit = wish->place.limit};
  int code = wish->engine.open(&place, &ledger, &why);
  if (code)
    return error_set(error, code, why.native, "the budget '%s': %s", place.name, why.message);
  wish->engine.close(ledger);
  return 0;
}

static int refuse_url(const char *problem, pool_error_t *error)
{
  if (problem == url_no_scheme)
    return error_set(error, POOL_E_INVALID, 0,
                     "a budget is a URL, as process:orders?limit=50 or redis://HOST:PORT/0/orders?limit=400");
  return error_set(error, problem == url_no_memory ? POOL_E_NOMEM : POOL_E_INVALID, 0, "the budget: %s", problem);
}

static int read_wish(struct budget_wish *wish, const char *text, bool looks, pool_error_t *error)
{
  struct url url;
  const char *problem = url_read(&url, text);
  if (problem)
    return refuse_url(problem, error);
  int code = find_engine(wish, &url, error);
  if (code == 0)
    code = read_place(&wish->place, &url, text, looks, error);
  if (code == 0)
    code = try_engine(wish, error);
  url_free(&url);
  return code;
}

int budget_read(struct budget_wish *wish, const char *text, bool looks, pool_error_t *error)
{
  *wish = (struct budget_wish){0};
  int cancel_state = cancel_hold();
  int code = read_wish(wish, text, looks, error);
  cancel_release(cancel_state);
  return code;
}

void budget_wish_free(struct budget_wish *wish)
{
  budget_place_free(&wish->place);
}

/* ---- a look ---- */

struct pool_budget {
  pool_budget_engine_t engine;
  void *ledger;
  struct budget_wish wish;
};

/* An engine fills in a whole struct, and the caller's may be smaller, or none.  What else an engine says of a server,
   that it was late or answered something else, means to a caller that the ledger cannot be reached. */
static int refuse_as_engine(int code, pool_error_t *why, pool_error_t *error)
{
  bool passes = code == POOL_E_INVALID || code == POOL_E_UNSUPPORTED || code == POOL_E_NOMEM || code == POOL_E_SYSTEM;
  code = passes ? code : POOL_E_OPEN;
  error_finish(why);
  return error_set(error, code, why->native, "%s", why->message[0] ? why->message : pool_strerror(code));
}

/* The caller's own, which may end the list with any number, also one of an error. */
struct hearing {
  pool_budget_seen_fn *seen;
  void *user;
  int result;
};

static int hear(void *data, const pool_budget_member_t *member)
{
  struct hearing *hearing = data;
  return hearing->result = hearing->seen(hearing->user, member);
}

/* What engines and `seen` wait for are cancellation points. */
static int look_uncancelled(struct pool_budget *budget, pool_budget_stats_t *stats, pool_budget_seen_fn *seen,
                            void *user, pool_error_t *error)
{
  pool_error_t why = POOL_ERROR_INIT;
  struct hearing hearing = {.seen = seen, .user = user};
  int cancel_state = cancel_hold();
  int code = budget->engine.look(budget->ledger, stats, seen ? hear : NULL, &hearing, clock_deadline(LOOK_MS), &why);
  cancel_release(cancel_state);
  return code < 0 && !hearing.result ? refuse_as_engine(code, &why, error) : code;
}

static void close_ledger(struct pool_budget *budget)
{
  int cancel_state = cancel_hold();
  budget->engine.close(budget->ledger);
  cancel_release(cancel_state);
}

static int open_ledger(struct pool_budget *budget, pool_error_t *error)
{
  const struct budget_place *place = &budget->wish.place;
  pool_error_t why = POOL_ERROR_INIT;
  pool_budget_stats_t stats = POOL_BUDGET_STATS_INIT;
  pool_budget_place_t theirs = {
      .size = sizeof theirs, .url = place->url, .name = place->name, .term_ms = place->term_ms, .limit = 0};
  budget->engine = budget->wish.engine;
  int code = budget->engine.open(&theirs, &budget->ledger, &why);
  if (code)
    return refuse_as_engine(code, &why, error);
  code = look_uncancelled(budget, &stats, NULL, NULL, error);
  if (code)
    close_ledger(budget);
  return code;
}

int pool_budget_open(const char *url, pool_budget_t **budget, pool_error_t *error)
{
  if (!url || !budget)
    return error_set(error, POOL_E_INVALID, 0, "%s is NULL", url ? "budget" : "url");
  struct pool_budget *made = calloc(1, sizeof *made);
  if (!made)
    return error_set(error, POOL_E_NOMEM, 0, "no memory for a budget");
  int code = budget_read(&made->wish, url, true, error);
  if (code == 0)
    code = open_ledger(made, error);
  if (code == 0) {
    *budget = made;
    return 0;
  }
  budget_wish_free(&made->wish);
  free(made);
  return code;
}

int pool_budget_stats(pool_budget_t *budget, pool_budget_stats_t *stats, pool_error_t *error)
{
  pool_budget_stats_t all = POOL_BUDGET_STATS_INIT;
  if (!budget || !stats)
    return error_set(error, POOL_E_INVALID, 0, "%s is NULL", budget ? "stats" : "budget");
  int code = sized_check(stats->size, BUDGET_STATS_SIZES);
  if (code)
    return error_set(error, code, 0, "pool_budget_stats_t: %s", pool_strerror(code));
  code = look_uncancelled(budget, &all, NULL, NULL, error);
  return code ? code : sized_write(stats, &all, BUDGET_STATS_SIZES);
}

int pool_budget_members(pool_budget_t *budget, pool_budget_seen_fn *seen, void *user, pool_error_t *error)
{
  pool_budget_stats_t all = POOL_BUDGET_STATS_INIT;
  if (!budget || !seen)
    return error_set(error, POOL_E_INVALID, 0, "%s is NULL", budget ? "seen" : "budget");
  return look_uncancelled(budget, &all, seen, user, error);
}

void pool_budget_close(pool_budget_t *budget)
{
  if (!budget)
    return;
  close_ledger(budget);
  budget_wish_free(&budget->wish);
  free(budget);
}

int pool_budget_language(const char *language)
{
  return membership_set_language(language);
}
