/* SPDX-License-Identifier: MIT */
/*
 * The driver postgres against a real server, which the program starts once for all tests, and against sockets that only
 * look like one.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pool/driver.h>
#include <pool/postgres.h>

#include "postgres_server.h"

static struct postgres postgres;

/* ---- pools ---- */

/* A URL of the server, on its Unix socket; `rest` begins with '&'. */
static const char *url_of(char *url, size_t size, const char *rest)
{
  snprintf(url, size, "postgres:///postgres?user=" POSTGRES_USER "&host=%s&port=%d%s", postgres.server.folder,
           postgres.port, rest);
  return url;
}

static pool_t *pool_at(const char *url)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool = NULL;
  if (pool_open(url, &pool, &error) != 0)
    fail_msg("%s", error.message);
  return pool;
}

static pool_t *pool_with(const char *rest)
{
  char url[512];
  return pool_at(url_of(url, sizeof url, rest));
}

static void end(pool_t *pool)
{
  assert_int_equal(pool_close(pool, 10000), 0);
  pool_free(pool);
}

static pool_lease_t get(pool_t *pool)
{
  pool_lease_t lease = pool_get(pool);
  if (lease < 0) {
    pool_error_t error = POOL_ERROR_INIT;
    pool_failure(&error);
    fail_msg("no connection: %s", error.message);
  }
  return lease;
}

static void put(pool_lease_t lease)
{
  assert_int_equal(pool_put(lease), 0);
}

/* The only value that a query has. */
static int value(PGconn *conn, const char *sql)
{
  PGresult *result = PQexec(conn, sql);
  if (PQresultStatus(result) != PGRES_TUPLES_OK)
    fail_msg("%s: %s", sql, PQerrorMessage(conn));
  int number = atoi(PQgetvalue(result, 0, 0));
  PQclear(result);
  return number;
}

static void test_postgres__a_connection_is_opened_lent_and_lent_again(void **state)
{
  (void)state;
  pool_t *pool = pool_with("&pool.check_after_ms=0");
  pool_lease_t lease = get(pool);
  int process = PQbackendPID(pool_conn(lease));
  assert_int_equal(value(pool_conn(lease), "SELECT 41 + 1"), 42);
  put(lease);
  lease = get(pool);
  assert_int_equal(PQbackendPID(pool_conn(lease)), process);
  put(lease);
  assert_int_equal(stats_of(pool).checks, 1);
  end(pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_postgres__a_connection_is_opened_lent_and_lent_again),
  };
  postgres_make(&postgres);
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  postgres_remove(&postgres);
  return failed;
}
