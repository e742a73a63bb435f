/* SPDX-License-Identifier: MIT */
/*
 * A program that was written for apr_reslist: docs/migrate/apr_reslist.md shows what changed.
 *
 *   cc reslist_main.c reslist.c $(pkg-config --cflags --libs pool) -pthread -o reslist && ./reslist
 */
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
  void *resources[4];
  if (reslist_create(&list, 0, 2, 4, 60000000, construct, destruct, &made) != 0)
    return 1;
  for (int i = 0; i < 25; i++) { /* four at a time, which is more than smax */
    for (int j = 0; j < 4; j++)
      if (reslist_acquire(list, &resources[j]) != 0)
        return 1;
    for (int j = 0; j < 4; j++)
      if (i == 12 && j == 0 ? reslist_invalidate(list, resources[j]) : reslist_release(list, resources[j]))
        return 1;
  }
  int twice = reslist_release(list, resources[0]);
  printf("reslist: 100 uses of %d resources, %d lent, released twice: %s\n", made, (int)reslist_acquired_count(list),
         pool_strerror(twice));
  reslist_destroy(list);
  return 0;
}
