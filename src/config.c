/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "error.h"
#include "sized.h"
#include "slot.h"

/* What a pool may idle where neither max_idle nor a hard cap says. */
#define DEFAULT_MAX_IDLE 10

/* Slots come in groups, and the first group does not exist. */
#define OPEN_LIMIT ((int32_t)(SLOT_LIMIT - SLOT_GROUP))

/* A year: whoever means longer means -1. */
#define TIMEOUT_LIMIT_MS INT64_C(31536000000)

static int too_small(pool_error_t *error, const char *field, int64_t value, const char *least)
{
  return error_set(error, POOL_E_INVALID, 0, "%s is %lld; it must be %s", field, (long long)value, least);
}

static int check_counts(const pool_config_t *config, pool_error_t *error)
{
  if (config->initial < 0)
    return too_small(error, "initial", config->initial, "0 or more");
  if (config->max_idle == 0 || config->max_idle < -1)
    return too_small(error, "max_idle", config->max_idle, "1 or more, or -1 for as many as max_open");
  if (config->max_open < 0)
    return too_small(error, "max_open", config->max_open, "1 or more, or 0 for no hard cap");
  if (config->max_open > OPEN_LIMIT)
    return error_set(error, POOL_E_INVALID, 0, "max_open is %d; it must be at most %d", config->max_open, OPEN_LIMIT);
  if (config->max_opening < 0)
    return too_small(error, "max_opening", config->max_opening, "1 or more, or 0 for no limit");
  if (config->max_waiters < 0)
    return too_small(error, "max_waiters", config->max_waiters, "1 or more, or 0 for no limit");
  if (config->openers < 0 || config->openers > 1024)
    return too_small(error, "openers", config->openers, "0 to 1024");
  if (config->keeper != POOL_KEEPER_THREAD && config->keeper != POOL_KEEPER_MANUAL)
    return too_small(error, "keeper", config->keeper, "POOL_KEEPER_THREAD or POOL_KEEPER_MANUAL");
  return 0;
}

static int check_times(const pool_config_t *config, pool_error_t *error)
{
  if (config->fairness_us < 0)
    return too_small(error, "fairness_us", config->fairness_us, "0 or more");
  if (config->get_timeout_ms == 0)
    return too_small(error, "get_timeout_ms", 0, "1 or more, or -1 for ever; pool_get_for(pool, 0) is for not waiting");
  if (config->get_timeout_ms < -1 || config->get_timeout_ms > TIMEOUT_LIMIT_MS)
    return too_small(error, "get_timeout_ms", config->get_timeout_ms, "1 to a year, or -1 for ever");
  if (config->call_timeout_ms < -1 || config->call_timeout_ms > TIMEOUT_LIMIT_MS)
    return too_small(error, "call_timeout_ms", config->call_timeout_ms, "0 to a year, or -1 for ever");
  return 0;
}

static int check_against_each_other(const pool_config_t *config, const char *why, pool_error_t *error)
{
  if (config->initial > config->max_idle)
    return error_set(error, POOL_E_INVALID, 0, "initial is %d, which is more than max_idle, %d%s", config->initial,
                     config->max_idle, why);
  if (config->max_open > 0 && config->initial > config->max_open)
    return error_set(error, POOL_E_INVALID, 0, "initial is %d, which is more than max_open, %d", config->initial,
                     config->max_open);
  return 0;
}

int config_read(pool_config_t *config, const pool_config_t *theirs, pool_error_t *error)
{
  *config = (pool_config_t)POOL_CONFIG_INIT;
  int code = theirs ? sized_read(config, theirs, sizeof *config, sizeof *config) : 0;
  if (code)
    return error_set(error, code, 0, "pool_config_t: %s", pool_strerror(code));
  if ((code = check_counts(config, error)) || (code = check_times(config, error)))
    return code;
  const char *why = "";
  if (config->max_idle == -1) {
    config->max_idle = config->max_open > 0 ? config->max_open : DEFAULT_MAX_IDLE;
    why = config->max_open > 0 ? " (the value of max_open)" : " (the default where there is no max_open)";
  }
  return check_against_each_other(config, why, error);
}

/* ---- what stands in for callbacks that a vtable does not have ---- */

static int no_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)context, (void)deadline_ns, (void)conn;
  return error_set(error, POOL_E_UNSUPPORTED, 0, "this pool has no vtable; use the step API");
}

static int no_close(void *context, void *conn)
{
  (void)context, (void)conn;
  return 0;
}

static int no_check(void *context, void *conn, int64_t deadline_ns)
{
  (void)context, (void)conn, (void)deadline_ns;
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
  return error_set(NULL, POOL_E_UNSUPPORTED, 0,
                   "this kind of connection cannot call asynchronously; its vtable has no go");
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
  vtable->abandon = vtable->abandon ? vtable->abandon : no_abandon;
  vtable->call = vtable->call ? vtable->call : no_call;
  vtable->go = vtable->go ? vtable->go : no_go;
  vtable->release = vtable->release ? vtable->release : no_release;
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
  int code = sized_read(vtable, theirs, sizeof *vtable, sizeof *vtable);
  if (code)
    return error_set(error, code, 0, "pool_vtable_t: %s", pool_strerror(code));
  if (!vtable->open || !vtable->close)
    return error_set(error, POOL_E_VTABLE, 0, "the vtable has no %s", vtable->open ? "close" : "open");
  if ((vtable->flags & ~POOL_VTABLE_MULTIPLEXED) || vtable->reserved)
    return error_set(error, POOL_E_NEWER, 0, "the vtable sets flags that this version of the library does not know");
  return 0;
}
