/* SPDX-License-Identifier: MIT */
/* apr_reslist of the Apache Portable Runtime. */
#include <stdlib.h>

#include <apr_reslist.h>

#include "contender.h"

struct list {
  apr_pool_t *memory;
  apr_reslist_t *resources;
};

static int resource;

static apr_status_t construct(void **made, void *context, apr_pool_t *memory)
{
  (void)context, (void)memory;
  *made = &resource;
  return APR_SUCCESS;
}

static apr_status_t destruct(void *made, void *context, apr_pool_t *memory)
{
  (void)made, (void)context, (void)memory;
  return APR_SUCCESS;
}

static void *create(int connections)
{
  struct list *list = malloc(sizeof *list);
  if (!list || apr_initialize() != APR_SUCCESS || apr_pool_create(&list->memory, NULL) != APR_SUCCESS ||
      apr_reslist_create(&list->resources, connections, connections, connections, 0, construct, destruct, NULL,
                         list->memory) != APR_SUCCESS)
    give_up("cannot make an apr_reslist");
  return list;
}

static void destroy(void *pool)
{
  struct list *list = pool;
  apr_pool_destroy(list->memory);
  apr_terminate();
  free(list);
}

static void *get(void *pool)
{
  void *held;
  if (apr_reslist_acquire(((struct list *)pool)->resources, &held) != APR_SUCCESS)
    give_up("apr_reslist_acquire failed");
  return held;
}

static void put(void *pool, void *held)
{
  if (apr_reslist_release(((struct list *)pool)->resources, held) != APR_SUCCESS)
    give_up("apr_reslist_release failed");
}

static int64_t shift(void *subject, int thread, const atomic_bool *stop)
{
  (void)thread;
  return use(subject, stop, get, put);
}

const struct contender apr_contender = {"apr_reslist " APR_CONTENDER_VERSION, create, destroy, shift, true};
