/* SPDX-License-Identifier: MIT */
/* A program that was written for apr_reslist: docs/migrate/apr_reslist.md shows what changed. */
#include <stdio.h>
#include <stdlib.h>

#include "reslist.h"

static int construct(void **resource, void *params)
{
  int *made = params;
  *resource = malloc(16);
  return *resource && ++*made ? 0 : 1;
}

static int destruct(void *resource, void *params)
{
  (void)params;
  free(resource);
  return 0;
}

int main(void)
{
  reslist_t *list;
  int made = 0;
  void *resource;
  if (reslist_create(&list, 0, 2, 4, 60000000, construct, destruct, &made) != 0)
    return 1;
  for (int i = 0; i < 100; i++) {
    if (reslist_acquire(list, &resource) != 0)
      return 1;
    if (i % 50 == 49 ? reslist_invalidate(list, resource) : reslist_release(list, resource))
      return 1;
  }
  int twice = reslist_release(list, resource);
  printf("reslist: 100 uses of %d resources, %d lent, released twice: %s\n", made, (int)reslist_acquired_count(list),
         pool_strerror(twice));
  reslist_destroy(list);
  return 0;
}
