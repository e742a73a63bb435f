/* SPDX-License-Identifier: MIT */
/*
 * The driver mysql, with a MariaDB server of the test's own: killed, stopped, restarted, full, and hostile servers in
 * its place.  One server serves all tests; a test that changes something of it puts it back.
 */
#include "support.h"

#include <mysql.h>
#include <mysqld_error.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pool/driver.h>

#include "mysql_server.h"

#define PASSWORD "S3cret-of-the-test"
#define SECOND   INT64_C(1000000000)

static struct mysql_server server;
static MYSQL *admin;

/* ---- the server ---- */

static void run(const char *statement)
{
  if (mysql_query(admin, statement) != 0)
    fail_msg("%s: %s", statement, mysql_error(admin));
  MYSQL_RES *result = mysql_store_result(admin);
  if (result)
    mysql_free_result(result);
}

static void connect_admin(void)
{
  admin = mysql_init(NULL);
  if (!mysql_real_connect(admin, NULL, MYSQL_SERVER_USER, NULL, NULL, 0, server.socket, 0))
    fail_msg("the administrator cannot connect: %s", mysql_error(admin));
}

static int make_server(void **state)
{
  (void)state;
  mysql_server_make(&server);
  connect_admin();
  run("CREATE DATABASE shop");
  run("CREATE DATABASE other");
  run("CREATE USER app@'%' IDENTIFIED BY '" PASSWORD "'");
  run("GRANT ALL ON *.* TO app@'%'");
  return 0;
}

static int remove_server(void **state)
{
  (void)state;
  mysql_close(admin);
  mysql_server_remove(&server);
  return 0;
}

/* ---- pools ---- */

static void url_of(char *url, size_t size, const char *parameters)
{
  snprintf(url, size, "mysql://app:" PASSWORD "@127.0.0.1:%d/shop?%s", server.port, parameters);
}

static pool_t *pool_with(const char *parameters)
{
  char url[1024];
  pool_t *pool;
  pool_error_t error = POOL_ERROR_INIT;
  url_of(url, sizeof url, parameters);
  if (pool_open(url, &pool, &error) != 0)
    fail_msg("no pool: %s", error.message);
  return pool;
}

static void finish(pool_t *pool)
{
  assert_int_equal(pool_close(pool, 10000), 0);
  pool_free(pool);
}

static pool_lease_t take(pool_t *pool)
{
  pool_lease_t lease = pool_get_for(pool, 30000);
  if (lease <= 0) {
    pool_error_t error = POOL_ERROR_INIT;
    pool_failure(&error);
    fail_msg("no connection: %s", error.message);
  }
  return lease;
}

/* Runs a statement on the user's own connection, and returns the first field of its first row. */
static const char *ask(pool_lease_t lease, const char *statement)
{
  static char answer[256];
  MYSQL *mysql = pool_conn(lease);
  if (mysql_query(mysql, statement) != 0)
    fail_msg("%s: %s", statement, mysql_error(mysql));
  MYSQL_RES *result = mysql_store_result(mysql);
  if (!result)
    return "";
  MYSQL_ROW row = mysql_fetch_row(result);
  snprintf(answer, sizeof answer, "%s", !row ? "no row" : row[0] ? row[0] : "NULL");
  mysql_free_result(result);
  return answer;
}

/* ---- tests ---- */

static void test_a_connection_is_the_users_own_handle(void **state)
{
  (void)state;
  pool_t *pool = pool_with("");
  pool_lease_t lease = take(pool);
  assert_string_equal(ask(lease, "SELECT 6 * 7"), "42");
  assert_string_equal(ask(lease, "SELECT DATABASE()"), "shop");
  assert_string_equal(ask(lease, "SELECT @@character_set_client"), "utf8mb4");
  assert_int_equal(pool_put(lease), 0);
  finish(pool);
}

/* ---- calls ---- */

/* Runs a statement by pool_call, and returns the reply as a text, or the code and the message of its failure. */
static const char *call(pool_lease_t lease, const char *sql, const char *args)
{
  static char text[1 << 16];
  pool_bytes_t reply = {NULL, 0}, given = {(char *)(uintptr_t)args, strlen(args)};
  pool_error_t error = POOL_ERROR_INIT;
  int code = pool_call(lease, sql, given, &reply, &error);
  if (code)
    snprintf(text, sizeof text, "%d %s", code, error.message);
  else
    snprintf(text, sizeof text, "%.*s", (int)reply.size, (const char *)reply.data);
  pool_bytes_free(&reply);
  return text;
}

#define rows_of(types, rows, count)                                                                                    \
  "\"types\":[" types "],\"rows\":[" rows "],\"affected\":" #count ",\"last_insert_id\":0}"

static void test_a_call_gives_rows_as_json(void **state)
{
  (void)state;
  pool_t *pool = pool_with("");
  pool_lease_t lease = take(pool);
  assert_string_equal(call(lease, "SELECT 1 AS one, 'two' AS b, NULL AS n", ""),
                      "{\"columns\":[\"one\",\"b\",\"n\"]," rows_of("\"int\",\"varchar\",\"null\"", "[1,\"two\",null]", 1));
  assert_string_equal(call(lease, "SELECT ? AS a, ? AS b, ? AS c, ? AS d", "[18446744073709551615, \"x\\ny\", null, true]"),
                      "{\"columns\":[\"a\",\"b\",\"c\",\"d\"]," rows_of("\"bigint unsigned\",\"varchar\",\"null\",\"tinyint\"", "[18446744073709551615,\"x\\ny\",null,1]", 1));
  assert_string_equal(call(lease, "SELECT ? AS a", "[12345678901234567890.12345678901234567890]"), "");
  pool_put(lease);
  finish(pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_connection_is_the_users_own_handle),
      cmocka_unit_test(test_a_call_gives_rows_as_json),
  };
  return cmocka_run_group_tests(tests, make_server, remove_server);
}
