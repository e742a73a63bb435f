/* SPDX-License-Identifier: MIT */
/*
 * A statement on a pooled connection, with libpq as ever.
 *
 *   cc postgres.c $(pkg-config --cflags --libs pool libpq) -o postgres && ./postgres postgres://user@localhost/shop
 */
#include <libpq-fe.h>
#include <pool/driver.h>
#include <stdio.h>

int main(int argc, char **argv)
{
  const char *url = argc > 1 ? argv[1] : "postgres://localhost/postgres?pool.max_open=20";
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool;
  if (pool_open(url, &pool, &error) != 0) {
    fprintf(stderr, "no pool: %s\n", error.message);
    return 1;
  }
  pool_lease_t lease = pool_get(pool);
  if (lease < 0) {
    pool_failure(&error);
    fprintf(stderr, "no connection: %s\n", error.message);
    return 1;
  }
  PGresult *result = PQexec(pool_conn(lease), "SELECT current_database(), 6 * 7");
  if (PQresultStatus(result) == PGRES_TUPLES_OK)
    printf("%s says %s\n", PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1));
  PQclear(result);
  pool_put(lease); /* a transaction that is open is rolled back; a connection that broke is closed */
  pool_close(pool, 1000);
  pool_free(pool);
  return 0;
}
