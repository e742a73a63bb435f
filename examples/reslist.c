/* SPDX-License-Identifier: MIT */
/* What a pool calls a lease stands beside each resource, for release and invalidate only know the resource. */
#include "reslist.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct held {
  void *resource;
  pool_lease_t lease;
  struct held *next;
};

struct reslist {
  pool_t *pool;
  reslist_constructor *construct;
  reslist_destructor *destruct;
  void *params;
  pthread_mutex_t lock;
  struct held *lent;
};

static int open_one(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  struct reslist *list = context;
  struct held *held = calloc(1, sizeof *held);
  (void)deadline_ns;
  if (held && list->construct(&held->resource, list->params) == 0) {
    *conn = held;
    return 0;
  }
  snprintf(error->message, sizeof error->message, "the constructor failed");
  free(held);
  return POOL_E_OPEN;
}

static int close_one(void *context, void *conn, pool_error_t *error)
{
  struct reslist *list = context;
  struct held *held = conn;
  (void)error;
  int code = list->destruct(held->resource, list->params);
  free(held);
  return code;
}

static void free_list(void *context)
{
  struct reslist *list = context;
  pthread_mutex_destroy(&list->lock);
  free(list);
}

int reslist_create(reslist_t **out, int min, int smax, int hmax, int64_t ttl_us, reslist_constructor *construct,
                   reslist_destructor *destruct, void *params)
{
  struct reslist *list = calloc(1, sizeof *list);
  if (!list)
    return POOL_E_NOMEM;
  *list = (struct reslist){.construct = construct, .destruct = destruct, .params = params};
  pthread_mutex_init(&list->lock, NULL);
  pool_config_t config = POOL_CONFIG_INIT;
  config.min_idle = min;
  config.max_open = hmax;
  if (ttl_us > 0)
    config.idle_timeout_ms = (ttl_us + 999) / 1000; /* what is above smax stays for so long */
  else
    config.max_idle = smax;
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  vtable.open = open_one;
  vtable.close = close_one;
  vtable.release = free_list;
  int code = pool_create(&config, &vtable, list, &list->pool, NULL);
  if (code != 0)
    free_list(list);
  else
    *out = list;
  return code;
}

int reslist_acquire(reslist_t *list, void **resource)
{
  pool_lease_t lease = pool_get(list->pool);
  if (lease < 0)
    return (int)lease;
  struct held *held = pool_conn(lease);
  held->lease = lease;
  *resource = held->resource;
  pthread_mutex_lock(&list->lock);
  held->next = list->lent;
  list->lent = held;
  pthread_mutex_unlock(&list->lock);
  return 0;
}

/* The lease of a resource, which is no longer lent; 0: it was not. */
static pool_lease_t take_back(reslist_t *list, const void *resource)
{
  pool_lease_t lease = 0;
  pthread_mutex_lock(&list->lock);
  for (struct held **at = &list->lent; *at; at = &(*at)->next)
    if ((*at)->resource == resource) {
      lease = (*at)->lease;
      *at = (*at)->next;
      break;
    }
  pthread_mutex_unlock(&list->lock);
  return lease;
}

int reslist_release(reslist_t *list, void *resource)
{
  return pool_put(take_back(list, resource));
}

int reslist_invalidate(reslist_t *list, void *resource)
{
  pool_lease_t lease = take_back(list, resource);
  int code = pool_mark_unusable(lease);
  return code != 0 ? code : pool_put(lease);
}

int64_t reslist_acquired_count(reslist_t *list)
{
  pool_stats_t stats = POOL_STATS_INIT;
  pool_stats(list->pool, &stats);
  return stats.leased;
}

void reslist_destroy(reslist_t *list)
{
  pool_t *pool = list->pool; /* the list itself may end with it */
  pool_close(pool, 0);
  pool_free(pool);
}
