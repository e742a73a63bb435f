/* SPDX-License-Identifier: MIT */
/* The POOL_*_INIT as functions, for callers that have no C compiler. */
#include <stddef.h>
#include <string.h>

#include <pool/step.h>

#include "base/error.h"
#include "base/sized.h"
#include "api/member.h"

/* What the caller has and this library does not know becomes 0, which means in every release what it meant before. */
static int fill(void *theirs, size_t size, const void *defaults, struct sizes sizes, const char *name)
{
  if (!theirs)
    return error_set(NULL, POOL_E_INVALID, 0, "%s is NULL", name);
  int code = sized_check(size, sizes);
  if (code)
    return error_set(NULL, code, 0, "size is %zu: %s", size, pool_strerror(code));
  memset(theirs, 0, size);
  memcpy(theirs, defaults, size < sizes.known ? size : sizes.known);
  memcpy(theirs, &size, sizeof size);
  return 0;
}

int pool_config_init(pool_config_t *config, size_t size)
{
  return fill(config, size, &member_defaults, CONFIG_SIZES, "config");
}

int pool_vtable_init(pool_vtable_t *vtable, size_t size)
{
  static const pool_vtable_t defaults = POOL_VTABLE_INIT;
  return fill(vtable, size, &defaults, VTABLE_SIZES, "vtable");
}

int pool_error_init(pool_error_t *error, size_t size)
{
  static const pool_error_t defaults = POOL_ERROR_INIT;
  return fill(error, size, &defaults, ERROR_SIZES, "error");
}

int pool_stats_init(pool_stats_t *stats, size_t size)
{
  static const pool_stats_t defaults = POOL_STATS_INIT;
  return fill(stats, size, &defaults, STATS_SIZES, "stats");
}

int pool_lease_info_init(pool_lease_info_t *info, size_t size)
{
  static const pool_lease_info_t defaults = POOL_LEASE_INFO_INIT;
  return fill(info, size, &defaults, LEASE_INFO_SIZES, "info");
}

int pool_setting_init(pool_setting_t *setting, size_t size)
{
  static const pool_setting_t defaults = POOL_SETTING_INIT;
  return fill(setting, size, &defaults, SETTING_SIZES, "setting");
}

int pool_step_init(pool_step_t *step, size_t size)
{
  static const pool_step_t defaults = POOL_STEP_INIT;
  return fill(step, size, &defaults, STEP_SIZES, "step");
}

int pool_step_event_init(pool_step_event_t *event, size_t size)
{
  static const pool_step_event_t defaults = POOL_STEP_EVENT_INIT;
  return fill(event, size, &defaults, STEP_EVENT_SIZES, "event");
}
