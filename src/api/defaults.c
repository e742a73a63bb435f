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

/* clang-format off */
#define INIT_OF(kind, KIND, name)                                                                                      \
  int pool_##kind##_init(pool_##kind##_t *name, size_t size)                                                           \
  {                                                                                                                    \
    static const pool_##kind##_t defaults = POOL_##KIND##_INIT;                                                        \
    return fill(name, size, &defaults, KIND##_SIZES, #name);                                                           \
  }
INIT_OF(vtable, VTABLE, vtable)
INIT_OF(error, ERROR, error)
INIT_OF(stats, STATS, stats)
INIT_OF(lease_info, LEASE_INFO, info)
INIT_OF(setting, SETTING, setting)
INIT_OF(step, STEP, step)
INIT_OF(group_config, GROUP_CONFIG, config)
INIT_OF(group_stats, GROUP_STATS, stats)
INIT_OF(step_event, STEP_EVENT, event)
/* clang-format on */
