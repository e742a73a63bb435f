/* SPDX-License-Identifier: MIT */
/* Gets and puts a connection as many times as it is told: for a counter of instructions.
   usage: c TIMES */
#include <stdlib.h>

#include <pool/pool.h>

static int open_nothing(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)deadline_ns, (void)error;
  *conn = context;
  return 0;
}

static int close_nothing(void *context, void *conn, pool_error_t *error)
{
  (void)context, (void)conn, (void)error;
  return 0;
}

int main(int count, char **words)
{
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  pool_t *pool;
  vtable.open = open_nothing;
  vtable.close = close_nothing;
  if (count != 2 || pool_create(NULL, &vtable, &vtable, &pool, NULL) != 0)
    return 2;
  for (long times = atol(words[1]); times > 0; times--)
    if (pool_put(pool_get(pool)) != 0)
      return 1;
  pool_free(pool);
  return 0;
}
