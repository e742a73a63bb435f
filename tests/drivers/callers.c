/* SPDX-License-Identifier: MIT */
#include "callers.h"

#include "support.h"

struct callers {
  pool_t *pool;
  _Atomic int served;
};

static void *caller_main(void *data)
{
  struct callers *callers = data;
  pool_error_t error = POOL_ERROR_INIT;
  pool_lease_t lease = pool_get_for(callers->pool, 60000);
  must(lease > 0);
  must(pool_call(lease, "SELECT 1", (pool_bytes_t){NULL, 0}, NULL, &error) == 0);
  atomic_fetch_add(&callers->served, 1);
  must_soon(atomic_load(&callers->served) == CALLERS);
  must(pool_put(lease) == 0);
  return NULL;
}

void callers_serve(pool_t *pool)
{
  struct callers callers = {.pool = pool};
  pthread_t threads[CALLERS];
  threads_start(threads, CALLERS, caller_main, &callers);
  threads_end(threads, CALLERS);
}
