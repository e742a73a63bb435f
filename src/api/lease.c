/* SPDX-License-Identifier: MIT */
/* What the holder of a lease may do with it, and what an operator may ask: which thread holds what. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <pool/pool.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/sized.h"
#include "base/text.h"
#include "slot/idle.h"
#include "slot/notes.h"
#include "slot/slot.h"
#include "decide/give.h"
#include "decide/life.h"
#include "decide/pool.h"
#include "decide/step.h"
#include "decide/suspect.h"
#include "run/crew.h"
#include "run/failure.h"

static int mark(pool_lease_t lease, bool suspects)
{
  struct step step = {0};
  struct slot *slot = slot_find(lease);
  /* The pool is read while the lease is certainly good: later it may be put by another thread. */
  struct pool *pool = slot ? slot_pool(slot) : NULL;
  if (!slot || !slot_flag_lease(slot, lease, DOOMED))
    return failure_of_lease(lease, POOL_E_STALE);
  if (suspects)
    suspect_all(pool, &step);
  give_serve(pool, slot, (uint64_t)lease, &step);
  crew_finish(pool, &step);
  return 0;
}

int pool_mark_unusable(pool_lease_t lease)
{
  return mark(lease, false);
}

/* What the end of a broken call does, for a connection that is used without pool_call(). */
int pool_mark_broken(pool_lease_t lease)
{
  return mark(lease, true);
}

void *pool_conn(pool_lease_t lease)
{
  struct slot *slot = slot_find(lease);
  if (!slot)
    return NULL;
  void *conn = atomic_load(&slot->conn);
  /* Looked at after reading: if the lease is still good now, what was read was its own. */
  return slot_is_lease(slot_word(slot), lease) ? conn : NULL;
}

static int set_tag(struct slot *slot, pool_lease_t lease, char **tag)
{
  struct pool *pool = slot_pool(slot);
  if (!pool)
    return POOL_E_STALE;
  pthread_mutex_lock(&pool->lock);
  bool good = slot_flag_lease(slot, lease, CAREFUL);
  /* The lease may end now, but only its end takes the tag away, and needs the lock for that. */
  if (good) {
    char *old = extra_of(slot)->tag;
    extra_of(slot)->tag = *tag;
    *tag = old;
  }
  life_unlock(pool);
  return good ? 0 : POOL_E_STALE;
}

int pool_tag(pool_lease_t lease, const char *text)
{
  struct slot *slot = slot_find(lease);
  if (!slot)
    return failure_of_lease(lease, POOL_E_STALE);
  char *tag = text && text[0] ? strdup(text) : NULL;
  if (!tag && text && text[0])
    return failure_of_lease(lease, POOL_E_NOMEM);
  if (tag)
    text_clean(tag);
  int code = set_tag(slot, lease, &tag);
  free(tag);
  return code ? failure_of_lease(lease, code) : 0;
}

static void describe(struct slot *slot, uint64_t word, int64_t now, pool_lease_info_t *info)
{
  const char *tag = extra_of(slot)->tag;
  *info = (pool_lease_info_t)POOL_LEASE_INFO_INIT;
  notes_see(slot, word, now);
  info->lease = lease_of(slot, word);
  info->thread = atomic_load(&slot->holder);
  info->held_ns = notes_age(slot, now);
  text_copy(info->tag, sizeof info->tag, tag ? tag : "");
  info->connection = atomic_load(&slot->connection);
}

/* Into a caller's array, whose elements may be of another release; a tag that is cut ends in any case. */
static void list_lease(char *place, size_t stride, const pool_lease_info_t *info)
{
  memcpy(place, &stride, sizeof stride);
  sized_write(place, info, LEASE_INFO_SIZES);
  if (stride > offsetof(pool_lease_info_t, tag) && stride < offsetof(pool_lease_info_t, connection))
    text_cut(place + offsetof(pool_lease_info_t, tag), stride - offsetof(pool_lease_info_t, tag));
}

int64_t pool_leases(pool_t *pool, pool_lease_info_t *list, size_t room)
{
  if (!pool || (!list && room > 0))
    return error_in(pool ? pool->name : NULL, NULL, POOL_E_INVALID, 0, "%s is NULL", pool ? "list" : "pool");
  size_t stride = room > 0 ? list->size : sizeof *list;
  int64_t count = 0;
  int code = sized_check(stride, LEASE_INFO_SIZES);
  if (code)
    return error_code_in(pool->name, code);
  pthread_mutex_lock(&pool->lock);
  int64_t now = clock_boot();
  struct scan scan = scan_all(&pool->rows);
  for (struct slot *slot; (slot = scan_next(&scan));) {
    uint64_t word = slot_word(slot);
    if (state_of(word) != LEASED)
      continue;
    if ((size_t)count++ >= room)
      continue;
    pool_lease_info_t info;
    describe(slot, word, now, &info);
    list_lease((char *)list + (size_t)(count - 1) * stride, stride, &info);
  }
  life_unlock(pool);
  return count;
}
