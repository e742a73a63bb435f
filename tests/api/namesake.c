/* SPDX-License-Identifier: MIT */
/* Its symbols have no versions, and its own calls go where a program's would: the worst that a library can be. */
#include "namesake.h"

#include <stdlib.h>

struct s_Pool {
  Pool *self, *twin;
};

static int depth;

/* A function that calls itself is called directly; these go by the name. */
static __attribute__((noinline)) Pool *create_by_name(void)
{
  return pool_create();
}

static __attribute__((noinline)) void free_by_name(Pool *pool)
{
  pool_free(pool);
}

Pool *pool_create(void)
{
  Pool *pool = calloc(1, sizeof *pool);
  if (!pool)
    abort();
  pool->self = pool;
  if (depth++ == 0)
    pool->twin = create_by_name();
  depth--;
  return pool;
}

void pool_free(Pool *pool)
{
  if (pool->self != pool)
    abort();
  if (pool->twin)
    free_by_name(pool->twin);
  free(pool);
}
