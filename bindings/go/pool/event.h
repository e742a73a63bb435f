/* SPDX-License-Identifier: MIT */
/* Events, leases and tags as Go asks for them. */
#ifndef EVENT_H
#define EVENT_H

#include <pool/step.h>

static inline int event_take(uintptr_t pool, pool_step_event_t *event)
{
  *event = (pool_step_event_t)POOL_STEP_EVENT_INIT;
  return pool_step_event((pool_t *)pool, event);
}

static inline int64_t lease_list(uintptr_t pool, pool_lease_info_t *list, size_t room)
{
  list[0] = (pool_lease_info_t)POOL_LEASE_INFO_INIT;
  return pool_leases((pool_t *)pool, list, room);
}

#endif
