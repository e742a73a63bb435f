/* SPDX-License-Identifier: MIT */
/* Structs that begin with their size: that of an older or newer caller is read and written within the caller's size. */
#ifndef SIZED_H
#define SIZED_H

#include <stddef.h>

#include <pool/budget.h>
#include <pool/group.h>
#include <pool/pool.h>
#include <pool/step.h>

/* How large a struct was in its first release, in the oldest that is still understood, and is now. */
struct sizes {
  size_t first, oldest, known;
};

/* Of a struct that is understood since its first release, where `last` was the last member that callers had to have. */
#define SIZES(type, last)                                                                                              \
  ((struct sizes){offsetof(type, last) + sizeof((type *)0)->last, offsetof(type, last) + sizeof((type *)0)->last,      \
                  sizeof(type)})

/* The public structs; of what is only written, callers must have had the first members at least. */
#define CONFIG_SIZES       SIZES(pool_config_t, user)
#define VTABLE_SIZES       SIZES(pool_vtable_t, reserved)
#define ERROR_SIZES        SIZES(pool_error_t, message[0])
#define STATS_SIZES        SIZES(pool_stats_t, open)
#define LEASE_INFO_SIZES   SIZES(pool_lease_info_t, held_ns)
#define SETTING_SIZES      SIZES(pool_setting_t, reserved)
#define STEP_SIZES         SIZES(pool_step_t, look_again_ns)
#define VIEW_SIZES         SIZES(pool_view_t, put_asks)
#define BUDGET_STATS_SIZES SIZES(pool_budget_stats_t, members)
#define GROUP_CONFIG_SIZES SIZES(pool_group_config_t, reserved)
#define GROUP_STATS_SIZES  SIZES(pool_group_stats_t, waiting)
#define STEP_EVENT_SIZES   SIZES(pool_step_event_t, line)

/* Copies a caller's struct over `copy`, which holds the defaults for members that the caller does not know.  Returns 0,
   POOL_E_SIZE, POOL_E_WILD, POOL_E_OLDER, or POOL_E_NEWER if the caller sets members that this library does not know;
   then the copy is as it was. */
int sized_read(void *copy, const void *theirs, struct sizes sizes);

/* Copies ours into a caller's struct, as far as that goes, and leaves its size alone.  Returns 0, POOL_E_SIZE,
   POOL_E_WILD or POOL_E_OLDER, and then nothing was written. */
int sized_write(void *theirs, const void *ours, struct sizes sizes);

/* Whether a size can be right: 0, POOL_E_SIZE, POOL_E_WILD or POOL_E_OLDER. */
int sized_check(size_t size, struct sizes sizes);

#endif
