/* SPDX-License-Identifier: MIT */
#include "api/settings.h"

#include <string.h>

#include <pool/step.h>

#include "base/error.h"
#include "base/sized.h"
#include "decide/room.h"
#include "api/member.h"

static int contradiction(pool_error_t *error, const char *field, int64_t value, const char *other, int64_t limit)
{
  return error_set(error, POOL_E_INVALID, 0, "%s is %lld, which is more than %s, %lld", field, (long long)value, other,
                   (long long)limit);
}

static int check_policies_against_each_other(const pool_config_t *config, int32_t max_idle, pool_error_t *error)
{
  if (config->max_open > 0 && config->min_idle > config->max_open)
    return contradiction(error, "min_idle", config->min_idle, "max_open", config->max_open);
  if (config->min_idle > max_idle)
    return contradiction(error, "min_idle", config->min_idle, "max_idle", max_idle);
  if (config->max_open > 0 && config->min_open > config->max_open)
    return contradiction(error, "min_open", config->min_open, "max_open", config->max_open);
  if (config->min_open > max_idle) /* unused, they would be closed on return and opened again for ever */
    return contradiction(error, "min_open", config->min_open, "max_idle", max_idle);
  if (config->retry_min_ms > config->retry_max_ms)
    return contradiction(error, "retry_min_ms", config->retry_min_ms, "retry_max_ms", config->retry_max_ms);
  if (config->max_lifetime_ms > 0 && config->keepalive_ms >= config->max_lifetime_ms)
    return error_set(error, POOL_E_INVALID, 0,
                     "keepalive_ms is %lld and max_lifetime_ms is %lld; no connection would live to be kept alive",
                     (long long)config->keepalive_ms, (long long)config->max_lifetime_ms);
  return 0;
}

static int check_against_each_other(const pool_config_t *config, const char *why, pool_error_t *error)
{
  int32_t max_idle = room_max_idle(config, config->max_open);
  if (config->initial > max_idle)
    return error_set(error, POOL_E_INVALID, 0, "initial is %d, which is more than max_idle, %d%s", config->initial,
                     max_idle, why);
  if (config->max_open > 0 && config->initial > config->max_open)
    return contradiction(error, "initial", config->initial, "max_open", config->max_open);
  return check_policies_against_each_other(config, max_idle, error);
}

int config_check_max_open(const pool_config_t *config, int32_t max_open, pool_error_t *error)
{
  int code = member_check(member_find("max_open"), max_open, error);
  if (code)
    return code;
  if (max_open > 0 && config->min_idle > max_open)
    return contradiction(error, "min_idle", config->min_idle, "max_open", max_open);
  if (max_open > 0 && config->min_open > max_open)
    return contradiction(error, "min_open", config->min_open, "max_open", max_open);
  return 0;
}

int config_check_change(const pool_config_t *config, const pool_vtable_t *vtable, pool_error_t *error)
{
  int code = check_policies_against_each_other(config, room_max_idle(config, config->max_open), error);
  return code ? code : config_check_vtable(config, vtable, error);
}

int config_check_vtable(const pool_config_t *config, const pool_vtable_t *vtable, pool_error_t *error)
{
  const char *setting = config->check_after_ms >= 0 ? "check_after_ms"
                        : config->keepalive_ms > 0  ? "keepalive_ms"
                                                    : NULL;
  const char *without = vtable->open ? "the vtable has no" : "there is no"; /* of the step API */
  if (setting && !vtable->check)
    return error_set(error, POOL_E_INVALID, 0, "%s is set, but %s check", setting, without);
  if (config->background_reset && !vtable->reset)
    return error_set(error, POOL_E_INVALID, 0, "background_reset is set, but %s reset", without);
  return 0;
}

int config_read(pool_config_t *config, const pool_config_t *theirs, pool_error_t *error)
{
  *config = member_defaults;
  int code = theirs ? sized_read(config, theirs, CONFIG_SIZES) : 0;
  if (code)
    return error_set(error, code, 0, "pool_config_t: %s", pool_strerror(code));
  if (config->name && !*config->name)
    config->name = NULL; /* in many languages that is a text which nobody has set */
  if ((code = member_check_all(config, error)))
    return code;
  const char *why = config->max_idle != -1 ? ""
                    : config->max_open > 0 ? " (the value of max_open)"
                                           : " (the default where there is no max_open)";
  return check_against_each_other(config, why, error);
}

int config_refuse(const pool_config_t *config, int code, pool_error_t *error)
{
  static const char usual[] = "pool"; /* says nothing */
  if (config && sized_check(config->size, CONFIG_SIZES) == 0 && config->name && strcmp(config->name, usual) != 0)
    error_name(config->name, error);
  return code;
}

int pool_config_check(const pool_config_t *config, pool_error_t *error)
{
  pool_config_t copy;
  return config_read(&copy, config, error);
}

/* ---- what is set in vain ----
 *
 * Each of these is allowed, and harms only a program that relies on it.  A setting that has its default was not set. */

struct vain {
  bool holds;
  const char *text;
};
enum { MOST_VAIN = 10 };

/* What comes too late, or never. */
static void look_for_vain_times(const pool_config_t *c, struct vain list[MOST_VAIN])
{
  bool some_stay = room_refills(c);
  int64_t idle_ms = c->idle_timeout_ms > 0 ? c->idle_timeout_ms : INT64_MAX;
  int64_t life_ms = c->max_lifetime_ms > 0 ? c->max_lifetime_ms : INT64_MAX;
  int32_t max_idle = room_max_idle(c, c->max_open);
  const struct vain found[] = {
      {c->check_after_ms > 0 && c->check_after_ms >= idle_ms && !some_stay,
       MESSAGE("check_after_ms has no moment: what is idle is closed after idle_timeout_ms, which is not longer")},
      {c->check_after_ms > 0 && c->check_after_ms >= life_ms,
       MESSAGE("check_after_ms has no moment: no connection gets older than max_lifetime_ms, which is not longer")},
      {c->keepalive_ms > 0 && c->keepalive_ms >= idle_ms && !some_stay,
       MESSAGE("keepalive_ms has no moment: what is idle is closed after idle_timeout_ms, which is not longer")},
      {c->idle_timeout_ms > 0 && idle_ms >= life_ms,
       MESSAGE("idle_timeout_ms has no moment: no connection gets older than max_lifetime_ms, which is not longer")},
      {c->idle_timeout_ms > 0 && max_idle <= c->min_idle,
       MESSAGE("idle_timeout_ms closes nothing: no more than max_idle are idle, and min_idle, which is as many, stay")},
      {c->idle_timeout_ms > 0 && c->max_open > 0 && c->max_open <= c->min_open,
       MESSAGE("idle_timeout_ms closes nothing: no more than max_open are open, and min_open, which is as many, stay")},
      {c->min_open > 0 && c->min_open <= c->min_idle,
       MESSAGE("min_open changes nothing: min_idle, which is not less, keeps as many open")},
  };
  memcpy(list, found, sizeof found);
}

#define IS_SET(setting) (c->setting != member_defaults.setting)

/* What needs something else. */
static void look_for_vain_others(const pool_config_t *c, const pool_vtable_t *vtable, struct vain list[MOST_VAIN])
{
  const struct vain found[] = {
      {IS_SET(retire_percent) && c->max_lifetime_ms <= 0,
       MESSAGE("retire_percent changes nothing without max_lifetime_ms")},
      {IS_SET(check_timeout_ms) && !vtable->check,
       MESSAGE("check_timeout_ms changes nothing: the vtable has no check")},
      {IS_SET(call_timeout_ms) && !vtable->call && !vtable->go,
       MESSAGE("call_timeout_ms changes nothing: the vtable has neither call nor go")},
      {IS_SET(breaker_after) && c->breaker_after > 0 && c->retry_min_ms <= 0,
       MESSAGE("breaker_after changes nothing without retry_min_ms: there is no breaker")},
      {IS_SET(retry_max_ms) && c->retry_min_ms <= 0, MESSAGE("retry_max_ms changes nothing without retry_min_ms")},
      {IS_SET(overload_after_ms) && c->queue == POOL_QUEUE_FIFO,
       MESSAGE("overload_after_ms changes nothing with POOL_QUEUE_FIFO, which sheds nobody and keeps the order of arrival")},
      {c->max_opening > 0 && c->openers > c->max_opening,
       MESSAGE("openers is more than max_opening: not all can open at one time")},
      {c->max_open > 0 && c->openers > c->max_open,
       MESSAGE("openers is more than max_open: not all can open at one time")},
      {IS_SET(event_mask) && !c->events, MESSAGE("event_mask changes nothing without events")},
  };
  memcpy(list, found, sizeof found);
}

const char *config_warning(const pool_config_t *config, const pool_vtable_t *vtable, size_t *next)
{
  struct vain all[2 * MOST_VAIN] = {{false, NULL}};
  look_for_vain_times(config, all);
  look_for_vain_others(config, vtable, all + MOST_VAIN);
  while (*next < 2 * MOST_VAIN)
    if (all[(*next)++].holds)
      return all[*next - 1].text;
  return NULL;
}

/* ---- what stands in for callbacks that a vtable does not have ---- */

static int no_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)context, (void)deadline_ns, (void)conn;
  return error_set(error, POOL_E_UNSUPPORTED, 0, "this pool has no vtable; use the step API");
}

static int no_close(void *context, void *conn, pool_error_t *error)
{
  (void)context, (void)conn, (void)error;
  return 0;
}

static int no_check(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)context, (void)conn, (void)deadline_ns, (void)error;
  return 0;
}

static int never_clean(void *context, void *conn)
{
  (void)context, (void)conn;
  return 0;
}

static void no_abandon(void *context, void *conn)
{
  (void)context, (void)conn;
}

static int no_call(void *context, void *conn, const char *method, pool_bytes_t args, pool_bytes_t *reply,
                   int64_t deadline_ns, pool_error_t *error)
{
  (void)context, (void)conn, (void)method, (void)args, (void)reply, (void)deadline_ns;
  return error_set(error, POOL_E_UNSUPPORTED, 0, "this kind of connection cannot call; its vtable has no call");
}

static int no_go(void *context, void *conn, const char *method, pool_bytes_t args, pool_call_t *call)
{
  (void)context, (void)conn, (void)method, (void)args, (void)call;
  return POOL_E_UNSUPPORTED;
}

const char *vtable_refuses_go(const pool_vtable_t *vtable)
{
  return vtable->go == no_go ? MESSAGE("this kind of connection cannot call asynchronously; its vtable has no go")
                             : MESSAGE("the driver does not support this call, or not asynchronously; pool_call() "
                                       "makes it or says why");
}

static void no_release(void *context)
{
  (void)context;
}

void vtable_fill(pool_vtable_t *vtable)
{
  vtable->open = vtable->open ? vtable->open : no_open;
  vtable->close = vtable->close ? vtable->close : no_close;
  vtable->check = vtable->check ? vtable->check : no_check;
  vtable->reset = vtable->reset ? vtable->reset : no_check;
  vtable->is_clean = vtable->is_clean ? vtable->is_clean : never_clean;
  vtable->abandon = vtable->abandon ? vtable->abandon : no_abandon;
  vtable->call = vtable->call ? vtable->call : no_call;
  vtable->go = vtable->go ? vtable->go : no_go;
  vtable->release = vtable->release ? vtable->release : no_release;
}

void vtable_of_steps(pool_vtable_t *vtable, int32_t abilities)
{
  *vtable = (pool_vtable_t)POOL_VTABLE_INIT;
  vtable->check = abilities & POOL_STEP_CHECKS ? no_check : NULL;
  vtable->reset = abilities & POOL_STEP_RESETS ? no_check : NULL;
  vtable->call = no_call; /* how a connection is used is not the library's business there */
}

void vtable_keep_context(pool_vtable_t *vtable)
{
  vtable->release = no_release;
}

int vtable_read(pool_vtable_t *vtable, const pool_vtable_t *theirs, pool_error_t *error)
{
  *vtable = (pool_vtable_t)POOL_VTABLE_INIT;
  if (!theirs)
    return error_set(error, POOL_E_VTABLE, 0, "the vtable is NULL; give one with open and close");
  int code = sized_read(vtable, theirs, VTABLE_SIZES);
  if (code)
    return error_set(error, code, 0, "pool_vtable_t: %s", pool_strerror(code));
  if (!vtable->open || !vtable->close)
    return error_set(error, POOL_E_VTABLE, 0, "the vtable has no %s", vtable->open ? "close" : "open");
  if ((vtable->flags & ~POOL_VTABLE_MULTIPLEXED) || vtable->reserved)
    return error_set(error, POOL_E_NEWER, 0, "the vtable sets flags that this version of the library does not know");
  return 0;
}
