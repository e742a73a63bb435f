#include <pool/pool.h>
#include <stdio.h>
static int answer = 42;
static int open_answer(void *c, int64_t t, void **conn, pool_error_t *e)
{
  (void)c;
  (void)t;
  (void)e;
  *conn = &answer;
  return 0;
}
static int close_answer(void *c, void *conn, pool_error_t *e)
{
  (void)c;
  (void)conn;
  (void)e;
  return 0;
}
int main(void)
{
  pool_t *pool;
  pool_vtable_t v = POOL_VTABLE_INIT;
  v.open = open_answer;
  v.close = close_answer;
  if (pool_create(NULL, &v, NULL, &pool, NULL))
    return 1;
  pool_lease_t lease = pool_get(pool);
  printf("%d %s\n", *(int *)pool_conn(lease), pool_version());
  return pool_put(lease) || pool_close(pool, 0) ? 1 : (pool_free(pool), 0);
}
