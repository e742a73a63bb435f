/* SPDX-License-Identifier: MIT */
/* Groups: pools by key.  The table of keys is run/group.c. */
#include <pool/group.h>

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/budget.h"
#include "api/create.h"
#include "api/settings.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/forks.h"
#include "base/sized.h"
#include "base/text.h"
#include "base/thread.h"
#include "run/event.h"
#include "run/group.h"

#define KEYS_MOST    1000000
#define IDLE_MS_MOST INT64_C(31536000000) /* a year */

struct pool_group {
  struct group table;
  char name[POOL_NAME_BYTES];
  pool_config_t settings; /* its texts are the group's */
  pool_vtable_t vtable;
  void *context;
  pool_group_prepare_fn *prepare;
  int32_t abilities; /* of the step API */
};

static const pool_group_config_t config_defaults = POOL_GROUP_CONFIG_INIT;

/* ---- a group is made ---- */

static int check_numbers(const pool_group_config_t *config, pool_error_t *error)
{
  if (config->reserved)
    return error_set(error, POOL_E_NEWER, 0, "pool_group_config_t: %s", pool_strerror(POOL_E_NEWER));
  if (config->max_keys < 1 || config->max_keys > KEYS_MOST)
    return error_set(error, POOL_E_INVALID, 0, "max_keys is %d; it must be from 1 to %d", config->max_keys, KEYS_MOST);
  if (config->key_idle_ms != -1 && (config->key_idle_ms < 1 || config->key_idle_ms > IDLE_MS_MOST))
    return error_set(error, POOL_E_INVALID, 0, "key_idle_ms is %" PRId64 "; it must be from 1 to a year, or -1 (never)",
                     config->key_idle_ms);
  return 0;
}

/* What is wrong with the callbacks is heard now, unless `prepare` chooses them. */
static int read_vtable(struct pool_group *group, const pool_group_config_t *config, pool_error_t *error)
{
  group->vtable = (pool_vtable_t)POOL_VTABLE_INIT;
  if (config->prepare && !config->vtable)
    return 0;
  int code = vtable_read(&group->vtable, config->vtable, error);
  if (code)
    return code;
  if (!config->prepare && group->vtable.release)
    return error_set(error, POOL_E_INVALID, 0,
                     "the vtable has a release, and there is no prepare that gives each pool a context of its own");
  return config->prepare ? 0 : config_check_vtable(&group->settings, &group->vtable, error);
}

static int read_settings(struct pool_group *group, const pool_config_t *theirs, pool_error_t *error)
{
  struct budget_wish wish = {0};
  int code = config_read(&group->settings, theirs, error);
  const char *budget = code == 0 && budget_is_set(&group->settings) ? group->settings.budget : NULL;
  text_copy(group->name, sizeof group->name, code == 0 && group->settings.name ? group->settings.name : "group");
  group->settings.name = group->name;
  group->settings.budget = NULL;
  if (code || !budget)
    return code;
  code = budget_read(&wish, budget, false, error);
  budget_wish_free(&wish);
  if (code == 0 && !(group->settings.budget = strdup(budget)))
    code = error_set(error, POOL_E_NOMEM, 0, "no memory for a budget");
  return code;
}

static int check_initial(const pool_config_t *settings, pool_error_t *error)
{
  return settings->initial == 0
             ? 0
             : error_set(error, POOL_E_INVALID, 0,
                         "initial must be 0 in a group of the step API: a key is asked for by a get, which opens");
}

static int read_abilities(struct pool_group *group, const pool_group_config_t *config, int32_t abilities,
                          pool_error_t *error)
{
  group->abilities = abilities;
  if (config->vtable || config->prepare)
    return error_set(error, POOL_E_INVALID, 0, "%s must be NULL in a group of the step API, which never calls back",
                     config->vtable ? "vtable" : "prepare");
  int code = check_initial(&group->settings, error);
  return code ? code : create_check_steps(&group->settings, abilities, error);
}

/* `abilities` of the step API; NULL: it has callbacks. */
static int read_config(struct pool_group *group, const pool_group_config_t *theirs, const int32_t *abilities,
                       pool_error_t *error)
{
  pool_group_config_t config = config_defaults;
  int code = theirs ? sized_read(&config, theirs, GROUP_CONFIG_SIZES) : 0;
  if (code)
    return error_set(error, code, 0, "pool_group_config_t: %s", pool_strerror(code));
  group->context = config.context;
  group->prepare = config.prepare;
  if ((code = check_numbers(&config, error)) || (code = read_settings(group, config.settings, error)) ||
      (code = abilities ? read_abilities(group, &config, *abilities, error) : read_vtable(group, &config, error)))
    return config_refuse(config.settings, code, error);
  int64_t idle_ns = config.key_idle_ms == -1 ? POOL_NO_DEADLINE : ns_of(config.key_idle_ms);
  return group_begin(&group->table, config.max_keys, idle_ns, abilities)
             ? 0
             : error_set(error, POOL_E_NOMEM, 0, "no memory for a group");
}

static void free_group(struct pool_group *group)
{
  char *budget = (char *)group->settings.budget;
  if (budget)
    explicit_bzero(budget, strlen(budget)); /* it may have a password in it */
  free(budget);
  free(group);
}

static int create_group(const pool_group_config_t *config, const int32_t *abilities, pool_group_t **out,
                        pool_error_t *error)
{
  if (!out)
    return error_set(error, POOL_E_INVALID, 0, "group is NULL; there is no place for the result");
  struct pool_group *group = calloc(1, sizeof *group);
  if (!group)
    return error_set(error, POOL_E_NOMEM, 0, "no memory for a group");
  int code = read_config(group, config, abilities, error);
  if (code)
    free_group(group);
  else
    *out = group;
  return code;
}

int pool_group_create(const pool_group_config_t *config, pool_group_t **group, pool_error_t *error)
{
  return create_group(config, NULL, group, error);
}

int pool_group_step_create(const pool_group_config_t *config, int32_t abilities, pool_group_t **group,
                           pool_error_t *error)
{
  return create_group(config, &abilities, group, error);
}

/* ---- the pool of a key ---- */

struct ask {
  const void *key;
  size_t size;
  const pool_config_t *settings; /* of the step API, where this key has others than the group */
};

/* The last message of this thread gets the name of the key's pool to begin with, unless it has it. */
static int refuse(const char *name, int code, pool_error_t *error)
{
  pool_error_t why = POOL_ERROR_INIT;
  size_t length = strlen(name);
  pool_failure(&why);
  if (strncmp(why.message, name, length) != 0)
    error_in(name, error, code, why.native, "%s", why.message);
  else if (error)
    error_set(error, code, why.native, "%s", why.message);
  return code;
}

static void write_name(const struct pool_group *group, const void *key, size_t size, char name[POOL_NAME_BYTES])
{
  char text[POOL_NAME_BYTES + POOL_GROUP_KEY_MOST + 2];
  int length = snprintf(text, sizeof text, "%s/", group->name);
  memcpy(text + length, key, size);
  text[(size_t)length + size] = 0;
  for (size_t i = 0; i < size; i++)
    if (!text[(size_t)length + i])
      text[(size_t)length + i] = '?';
  text_copy(name, POOL_NAME_BYTES, text);
}

/* Those that were let go of have no connection, or their program has closed them, so nothing blocks. */
static void free_all(struct keyed *gone)
{
  for (struct keyed *next; gone; gone = next) {
    next = gone->next;
    pool_free(gone->pool);
    group_give_key(gone);
  }
}

/* The pool owns its context, which is released where there is none. */
static int create_owner(const pool_config_t *settings, const pool_vtable_t *vtable, void *context, pool_t **pool,
                        pool_error_t *error)
{
  int code = create_pool(settings, vtable, context, true, pool, error);
  if (code && vtable->release)
    vtable->release(context);
  return code;
}

/* Of the step API.  `special`: the settings of this key; NULL: the group's. */
static int create_stepped(struct pool_group *group, const pool_config_t *special, const char *name, pool_t **pool,
                          pool_error_t *error)
{
  pool_config_t settings = group->settings;
  int code = special ? config_read(&settings, special, error) : 0;
  if (code || (code = check_initial(&settings, error)))
    return code;
  settings.name = name;
  return create_step_pool(&settings, group->abilities, true, pool, error);
}

static int prepare(struct pool_group *group, const void *key, size_t size, const char *name, pool_t **pool,
                   pool_error_t *error)
{
  pool_config_t settings = group->settings;
  pool_vtable_t vtable = group->vtable;
  void *context = group->context;
  settings.name = name;
  if (!group->prepare)
    return create_pool(&settings, &vtable, context, true, pool, error);
  pool_error_t why = POOL_ERROR_INIT;
  int code = group->prepare(group->context, key, size, &settings, &vtable, &context, &why);
  if (code == 0)
    return create_owner(&settings, &vtable, context, pool, error);
  error_finish(&why);
  return error_set(error, code < 0 ? code : POOL_E_OPEN, why.native, "%s",
                   *why.message ? why.message : "prepare failed without saying why");
}

/* This thread makes the pool of a key; others wait for it. */
static int make_uncancelled(struct pool_group *group, struct keyed *keyed, const struct ask *ask, const char *name,
                            pool_t **pool)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *made = NULL;
  int code = group->table.stepped ? create_stepped(group, ask->settings, name, &made, &error)
                                  : prepare(group, ask->key, ask->size, name, &made, &error);
  if (code)
    refuse(name, code, &error);
  if (group_made(&group->table, keyed, made, &error)) {
    *pool = made;
    return 0;
  }
  if (code)
    return code;
  pool_free(made);
  return error_set(NULL, POOL_E_CLOSED, 0, "the group is closed");
}

static int make(struct pool_group *group, struct keyed *keyed, const struct ask *ask, const char *name, pool_t **pool)
{
  int cancel_state = cancel_hold();
  int code = make_uncancelled(group, keyed, ask, name, pool);
  cancel_release(cancel_state);
  return code;
}

static int check_key(const struct pool_group *group, const void *key, size_t size)
{
  if (!group || !key)
    return error_set(NULL, POOL_E_INVALID, 0, "%s is NULL", group ? "key" : "group");
  if (size < 1 || size > POOL_GROUP_KEY_MOST)
    return error_in(group->name, NULL, POOL_E_INVALID, 0,
                    "a key has 1 to %d bytes, not %zu; take a shorter one, or a digest of it", POOL_GROUP_KEY_MOST,
                    size);
  return 0;
}

/* A reference of the pool of a key. */
static int pool_of(struct pool_group *group, const struct ask *ask, int64_t deadline_ns, pool_t **pool)
{
  char name[POOL_NAME_BYTES];
  struct keyed *keyed = NULL, *gone = NULL;
  int code = check_key(group, ask->key, ask->size);
  if (code)
    return code;
  pool_error_t error = POOL_ERROR_INIT;
  enum group_found found = group_find(&group->table, ask->key, ask->size, deadline_ns, pool, &keyed, &gone, &error);
  free_all(gone);
  if (found == GROUP_HAS)
    return 0;
  write_name(group, ask->key, ask->size, name);
  if (found == GROUP_TO_MAKE)
    code = make(group, keyed, ask, name, pool);
  else
    code = error_set(NULL, error.code, error.native, "%s", error.message);
  return code ? refuse(name, code, NULL) : 0;
}

static int tell_pool_of(struct pool_group *group, const struct ask *ask, pool_t **pool, pool_error_t *error)
{
  if (!pool)
    return error_set(error, POOL_E_INVALID, 0, "pool is NULL; there is no place for the result");
  int code = pool_of(group, ask, POOL_NO_DEADLINE, pool);
  if (code && error)
    pool_failure(error);
  return code;
}

int pool_group_pool(pool_group_t *group, const void *key, size_t key_size, pool_t **pool, pool_error_t *error)
{
  return tell_pool_of(group, &(struct ask){key, key_size, NULL}, pool, error);
}

static int64_t left_ms(int64_t deadline_ns)
{
  int64_t left = deadline_ns - clock_now();
  return deadline_ns == POOL_NO_DEADLINE ? -1 : left > 0 ? (left + 999999) / 1000000 : 0;
}

static void give_pool_back(void *pool)
{
  pool_free(pool);
}

/* Gives the pool back, also where the thread is cancelled while it sleeps. */
static pool_lease_t get_of(pool_t *pool, int64_t timeout_ms)
{
  pool_lease_t lease;
  pthread_cleanup_push(give_pool_back, pool);
  lease = pool_get_for(pool, timeout_ms);
  pthread_cleanup_pop(1);
  return lease;
}

pool_lease_t pool_group_get(pool_group_t *group, const void *key, size_t key_size, int64_t timeout_ms)
{
  pool_t *pool = NULL;
  if (timeout_ms < -1)
    return error_set(NULL, POOL_E_INVALID, 0, "timeout_ms is below -1");
  int64_t deadline_ns = timeout_ms > 0 ? clock_deadline(timeout_ms) : timeout_ms ? POOL_NO_DEADLINE : 0;
  int code = pool_of(group, &(struct ask){key, key_size, NULL}, deadline_ns, &pool);
  if (code)
    return code;
  int64_t left = left_ms(deadline_ns);
  return get_of(pool, timeout_ms > 0 && left == 0 ? 1 : left); /* 0 would have get_timeout_ms to open */
}

/* ---- the step API ---- */

static int need_steps(const pool_group_t *group, pool_error_t *error)
{
  if (!group)
    return error_set(error, POOL_E_INVALID, 0, "group is NULL");
  return group->table.stepped ? 0
                              : error_in(group->name, error, POOL_E_UNSUPPORTED, 0,
                                         "the pools of this group have callbacks; use pool_group_step_create()");
}

int pool_group_step_pool(pool_group_t *group, const void *key, size_t key_size, const pool_config_t *settings,
                         pool_t **pool, pool_error_t *error)
{
  int code = need_steps(group, error);
  return code ? code : tell_pool_of(group, &(struct ask){key, key_size, settings}, pool, error);
}

int pool_group_step_next(pool_group_t *group, pool_t **pool, int64_t *due_ns)
{
  bool told = false;
  int code = need_steps(group, NULL);
  if (code)
    return code;
  if (!pool || !due_ns)
    return error_set(NULL, POOL_E_INVALID, 0, "%s is NULL", pool ? "due_ns" : "pool");
  *due_ns = POOL_NO_DEADLINE;
  enum group_news news = group_news(&group->table, pool, &told, due_ns);
  if (news == GROUP_GONE) {
    pool_close(*pool, 0);
    if (!told)
      event_pool(*pool, POOL_EVENT_POOL_CLOSED);
  }
  return (int)news;
}

int pool_group_event_fd(pool_group_t *group)
{
  int code = need_steps(group, NULL);
  if (code)
    return code;
  int fd = group_event_fd(&group->table), error = errno;
  if (fd < 0 && error == ENOSYS)
    return error_code_in(group->name, POOL_E_UNSUPPORTED);
  return fd < 0 ? error_in(group->name, NULL, POOL_E_SYSTEM, error, "no eventfd for this group: %s", strerror(error))
                : fd;
}

/* ---- all of them ---- */

static void give_back(struct keyed **list, int32_t count)
{
  for (int32_t i = 0; i < count; i++) {
    pool_free(list[i]->pool);
    group_give_key(list[i]);
  }
  free(list);
}

static struct keyed **list_of(struct pool_group *group, int32_t *count)
{
  struct keyed **list = group_list(&group->table, count);
  if (!list)
    error_in(group->name, NULL, POOL_E_NOMEM, 0, "no memory for a list of keys");
  return list;
}

static void add_up(pool_group_stats_t *sums, pool_t *pool)
{
  pool_stats_t stats = POOL_STATS_INIT;
  pool_stats(pool, &stats);
  sums->open += stats.open;
  sums->idle += stats.idle;
  sums->leased += stats.leased;
  sums->waiting += stats.waiting;
}

int pool_group_stats(pool_group_t *group, pool_group_stats_t *stats)
{
  pool_group_stats_t sums = POOL_GROUP_STATS_INIT;
  int32_t count;
  if (!group || !stats)
    return error_set(NULL, POOL_E_INVALID, 0, "%s is NULL", group ? "stats" : "group");
  int code = sized_check(stats->size, GROUP_STATS_SIZES);
  if (code)
    return error_set(NULL, code, 0, "pool_group_stats_t: %s", pool_strerror(code));
  struct keyed **list = list_of(group, &count);
  if (!list)
    return POOL_E_NOMEM;
  for (int32_t i = 0; i < count; i++)
    add_up(&sums, list[i]->pool);
  give_back(list, count);
  pthread_mutex_lock(&group->table.lock);
  sums.keys = count;
  sums.made = group->table.made;
  sums.let_go = group->table.let_go;
  sums.refused = group->table.refused;
  pthread_mutex_unlock(&group->table.lock);
  return sized_write(stats, &sums, GROUP_STATS_SIZES);
}

int pool_group_keys(pool_group_t *group, pool_group_seen_fn *seen, void *user)
{
  int32_t count;
  int result = 0;
  if (!group || !seen)
    return error_set(NULL, POOL_E_INVALID, 0, "%s is NULL", group ? "seen" : "group");
  struct keyed **list = list_of(group, &count);
  if (!list)
    return POOL_E_NOMEM;
  int cancel_state = cancel_hold();
  for (int32_t i = 0; i < count && result == 0; i++)
    result = seen(user, list[i]->key, list[i]->size, list[i]->pool);
  give_back(list, count);
  cancel_release(cancel_state);
  return result ? result : count;
}

/* How many are still open, or an error. */
static int close_all(struct keyed *const *list, int32_t count, int64_t deadline_ns)
{
  int64_t open = 0;
  for (int32_t i = 0; i < count; i++) {
    int left = pool_close(list[i]->pool, left_ms(deadline_ns));
    if (left < 0)
      return left;
    open += left;
  }
  return open < INT32_MAX ? (int)open : INT32_MAX;
}

int pool_group_close(pool_group_t *group, int64_t drain_ms)
{
  int32_t count;
  if (!group || drain_ms < -1)
    return error_set(NULL, POOL_E_INVALID, 0, "%s", group ? "drain_ms is below -1" : "group is NULL");
  int64_t deadline_ns = drain_ms < 0 ? POOL_NO_DEADLINE : clock_deadline(drain_ms);
  group_close(&group->table);
  struct keyed **list = list_of(group, &count);
  if (!list)
    return POOL_E_NOMEM;
  int left = close_all(list, count, 0); /* none waits for another to be drained */
  if (left > 0 && drain_ms != 0)
    left = close_all(list, count, deadline_ns);
  give_back(list, count);
  return left;
}

void pool_group_free(pool_group_t *group)
{
  if (!group)
    return;
  group_close(&group->table);
  for (struct keyed *keyed; (keyed = group_take_any(&group->table));) {
    pool_free(keyed->pool);
    group_give_key(keyed);
  }
  group_end(&group->table);
  free_group(group);
}
