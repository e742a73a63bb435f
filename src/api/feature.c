/* SPDX-License-Identifier: MIT */
/* What this build can do, by name. */
#include <stddef.h>
#include <string.h>

#include <pool/pool.h>

#include "base/error.h"

static const char *const features[] = {
    "api",      "drivers", "step",
#ifdef __linux__
    "expose",
#endif
#if __has_include(<sys/eventfd.h>)
    "event_fd",
#endif
#ifdef POOL_HAS_PROBES
    "probes",
#endif
};

int pool_supports(const char *feature)
{
  if (!feature)
    return error_set(NULL, POOL_E_INVALID, 0, "feature is NULL");
  for (size_t i = 0; i < sizeof features / sizeof *features; i++)
    if (strcmp(feature, features[i]) == 0)
      return 1;
  return 0;
}
