/* SPDX-License-Identifier: MIT */
/*
 * One call by the driver jsonrpc, of the server that arith_server.c is.
 *
 *   cc first.c $(pkg-config --cflags --libs pool) -o first && ./first 127.0.0.1:1234
 */
#include <pool/driver.h>
#include <stdio.h>

int main(int argc, char **argv)
{
  const char *address = argc > 1 ? argv[1] : "127.0.0.1:1234";
  char factors[] = "{\"A\":7,\"B\":8}";
  pool_bytes_t args = {factors, sizeof factors - 1}, reply = {NULL, 0};
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool;
  if (pool_create_driver(NULL, "jsonrpc", address, &pool, &error) != 0) {
    fprintf(stderr, "no pool: %s\n", error.message);
    return 1;
  }
  pool_lease_t lease = pool_get(pool); /* a connection is opened, for none is idle yet */
  int code = lease < 0 ? pool_failure(&error) : pool_call(lease, "Arith.Mul", args, &reply, &error);
  if (code == 0)
    printf("7 * 8 = %.*s\n", (int)reply.size, (const char *)reply.data);
  else
    fprintf(stderr, "no product: %s\n", error.message);
  pool_bytes_free(&reply);
  pool_put(lease); /* a connection that broke is closed, a good one waits for its next user */
  pool_close(pool, 1000);
  pool_free(pool);
  return code == 0 ? 0 : 1;
}
