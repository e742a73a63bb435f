/* SPDX-License-Identifier: MIT */
/*
 * The driver mysql with a MariaDB server of the test's own, which serves all tests, and with sockets that only look
 * like one.  A test that changes something of the server puts it back.
 */
#include "support.h"

#include <arpa/inet.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <pool/driver.h>

#include "callers.h"
#include "impostor.h"
#include "mysql_server.h"
#include "opened.h"
#include "phases.h"
#include "proxy.h"

#define PASSWORD       "open-sesame-4711"
#define OTHER_PASSWORD "mellon-0815"

static struct mysql_server server;
static MYSQL *admin;

/* ---- pools ---- */

/* A pool of the test's server, with these parameters. */
static pool_t *pool_with(const char *parameters)
{
  char url[URL_SIZE];
  snprintf(url, sizeof url, "mysql://app:" PASSWORD "@127.0.0.1:%d/shop?%s", server.port, parameters);
  return open_pool(url);
}

/* A pool of what listens on a port. */
static pool_t *pool_on(int port, const char *parameters)
{
  char url[URL_SIZE];
  snprintf(url, sizeof url, "mariadb://app:" PASSWORD "@127.0.0.1:%d/shop?%s", port, parameters);
  return open_pool(url);
}

/* ---- statements ---- */

/* Runs a statement and returns the first field of its first row. */
static const char *ask(MYSQL *mysql, const char *statement)
{
  static char answer[256];
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

static const char *ask_lease(pool_lease_t lease, const char *statement)
{
  return ask(pool_conn(lease), statement);
}

static unsigned long id_of(pool_lease_t lease)
{
  return mysql_thread_id(pool_conn(lease));
}

static bool has_session(unsigned long id)
{
  char statement[96];
  snprintf(statement, sizeof statement, "SELECT COUNT(*) FROM information_schema.processlist WHERE id = %lu", id);
  return atoi(ask(admin, statement)) > 0;
}

/* Ends a session as an administrator does, and waits until it has ended. */
static void kill_session(unsigned long id)
{
  char statement[48];
  snprintf(statement, sizeof statement, "KILL %lu", id);
  ask(admin, statement);
  wait_until(!has_session(id));
}

/* Runs a statement by pool_call, and returns the reply, or the code and the message of its failure. */
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
  tell(error.message);
  pool_bytes_free(&reply);
  return text;
}

static void expect_call(pool_lease_t lease, const char *sql, const char *args, int code, const char *text)
{
  const char *said = call(lease, sql, args);
  if (atoi(said) != code || !strstr(said, text))
    fail_msg("%s: %s", sql, said);
}

/* A call is refused by the server, with this number and text. */
static void expect_remote(pool_lease_t lease, const char *sql, const char *args, int number, const char *text)
{
  pool_bytes_t given = {(char *)(uintptr_t)args, strlen(args)};
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(pool_call(lease, sql, given, NULL, &error), POOL_E_REMOTE);
  assert_int_equal(error.native, number);
  if (!strstr(error.message, text))
    fail_msg("%s: %s", sql, error.message);
}

/* ---- the server ---- */

static MYSQL *administrator_of(const struct mysql_server *administered)
{
  MYSQL *mysql = mysql_init(NULL);
  if (!mysql_real_connect(mysql, NULL, MYSQL_SERVER_USER, NULL, NULL, 0, administered->socket, 0))
    fail_msg("the administrator cannot connect: %s", mysql_error(mysql));
  return mysql;
}

static void connect_admin(void)
{
  admin = administrator_of(&server);
}

static int make_server(void **state)
{
  static const char *const statements[] = {
      "CREATE DATABASE shop CHARACTER SET utf8mb4",
      "CREATE DATABASE other",
      "CREATE USER app@'%' IDENTIFIED BY '" PASSWORD "'",
      "GRANT ALL ON *.* TO app@'%'",
      "CREATE ROLE clerk",
      "GRANT clerk TO app@'%'",
      "CREATE USER guest@'%'",
      "CREATE TABLE shop.items (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20))",
  };
  (void)state;
  mysql_server_make(&server);
  connect_admin();
  for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
    ask(admin, statements[i]);
  return 0;
}

static int remove_server(void **state)
{
  (void)state;
  mysql_close(admin);
  mysql_server_remove(&server);
  return 0;
}

/* ---- tests: connections ---- */

static void test_a_connection_is_the_users_own_handle(void **state)
{
  (void)state;
  pool_t *pool = pool_with("");
  pool_lease_t lease = get_lease(pool);
  assert_string_equal(ask_lease(lease, "SELECT 6 * 7"), "42");
  assert_string_equal(ask_lease(lease, "SELECT DATABASE()"), "shop");
  assert_string_equal(ask_lease(lease, "SELECT @@character_set_client"), "utf8mb4");
  assert_string_equal(ask_lease(lease, "SELECT LENGTH(REPEAT('x', 5000000))"), "5000000");
  unsigned long id = id_of(lease);
  put_lease(lease);
  lease = get_lease(pool);
  assert_int_equal(id_of(lease), id);
  put_lease(lease);
  end_pool(pool);
  wait_until(!has_session(id));
}

static void test_a_unix_socket_is_named_by_a_parameter_or_by_the_host(void **state)
{
  char url[3][URL_SIZE], host[256], *to = host;
  (void)state;
  for (const char *from = server.socket; *from; from++)
    to += sprintf(to, *from == '/' ? "%%2F" : "%c", *from);
  snprintf(url[0], URL_SIZE, "mysql://root@localhost/shop?socket=%s", server.socket);
  snprintf(url[1], URL_SIZE, "mariadb://root@%s/shop", host);
  snprintf(url[2], URL_SIZE, "mysql://root@127.0.0.1:%d,%s/shop?pool.call_timeout_ms=200", server_free_port(), host);
  for (int i = 0; i < 3; i++) {
    pool_t *pool = open_pool(url[i]);
    pool_lease_t lease = get_lease(pool);
    assert_string_equal(ask_lease(lease, "SELECT SUBSTRING_INDEX(USER(), '@', -1)"), "localhost");
    unsigned long id = id_of(lease);
    if (i == 2)
      expect_call(lease, "SELECT SLEEP(1000)", "", POOL_E_TIMEOUT, "the deadline passed");
    put_lease(lease);
    wait_until(i < 2 || !has_session(id));
    end_pool(pool);
  }
}

static void test_parameters_reach_the_session(void **state)
{
  (void)state;
  pool_t *pool = pool_with("charset=latin1&compress=1&found_rows=1&multi_statements=yes&program_name=till"
                           "&init_statement=SET%20@till%3D7;%20SELECT%201;%20SET%20@shop%3D8");
  pool_lease_t lease = get_lease(pool);
  assert_string_equal(ask_lease(lease, "SELECT @@character_set_client"), "latin1");
  assert_string_equal(ask_lease(lease, "SELECT @till + @shop"), "15");
  assert_string_equal(ask_lease(lease, "SHOW STATUS LIKE 'Compression'"), "Compression");
  put_lease(lease);
  lease = get_lease(pool);
  assert_string_equal(ask_lease(lease, "SELECT @till + @shop"), "15");
  assert_string_equal(ask_lease(lease, "SELECT @@character_set_client"), "latin1");
  put_lease(lease);
  end_pool(pool);
}

static void test_a_server_cannot_ask_for_a_file_unless_the_url_allows_it(void **state)
{
  (void)state;
  for (int allowed = 0; allowed < 2; allowed++) {
    pool_t *pool = pool_with(allowed ? "local_infile=1" : "");
    pool_lease_t lease = get_lease(pool);
    bool read = mysql_query(pool_conn(lease), "LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE items (name)") == 0;
    assert_int_equal(read, allowed);
    put_lease(lease);
    end_pool(pool);
  }
}

/* ---- tests: URLs ---- */

static void test_a_wrong_url_is_refused_before_anything_is_connected_to(void **state)
{
  static const struct {
    const char *url, *message;
  } wrong[] = {
      {"mysql:///shop", "the host is missing"},
      {"mysql://app:" PASSWORD "@db/shop?charser=utf8",
       "parameter 1 of the URL (settings of the pool not counted) is unknown; did you mean charset?"},
      {"mysql://app:" PASSWORD "@db/shop?pool.max_open=5&zzzzzzzzzzzz=1", "parameter 1 of the URL"},
      {"mysql://app:" PASSWORD "@db/shop?zzzzzzzzzzzz=1", "there are socket, charset, reset"},
      {"mysql://app:" PASSWORD "@db/shop?charset=klingon", "charset is none that libmariadb knows"},
      {"mysql://app:" PASSWORD "@db/shop?reset=all", "connection, change_user, rollback, none"},
      {"mysql://app:" PASSWORD "@db/shop?compress=2", "compress must be 0 or 1"},
      {"mysql://app:" PASSWORD "@db/shop?max_reply_bytes=0", "max_reply_bytes must be a number from 1"},
      {"mysql://app:" PASSWORD "@db/shop?reset=none&reset=rollback", "the URL sets reset twice"},
      {"mysql://app:" PASSWORD "@db/shop?reset_timeout_ms=5s", "reset_timeout_ms must be a number from 1"},
      {"mysql://app:" PASSWORD "@db/shop?ssl_mode=on", "disabled, preferred, required, verify_ca, verify_identity"},
      {"mysql://app:" PASSWORD "@db/shop?ssl_ca=/nowhere/ca.pem", "ssl_ca cannot be read: No such file"},
      {"mysql://app:" PASSWORD "@db/shop?ssl_mode=verify_ca", "needs ssl_ca or ssl_capath"},
      {"mysql://app:" PASSWORD "@db/shop?ssl_mode=disabled&tls_version=TLSv1.3", "other parameters ask for TLS"},
      {"mysql://app:" PASSWORD "@db/shop?ssl_mode=required&ssl_verify=1", "both ssl_mode and ssl_verify"},
      {"mysql://app:" PASSWORD "@db/shop?ssl_key=/dev/null", "ssl_key needs ssl_cert"},
      {"mysql://app:" PASSWORD "@db/shop?init_statement=", "init_statement is empty"},
      {"mysql://app:" PASSWORD "@db/shop/items", "the name of one database"},
      {"mysql://app:" PASSWORD "@db/shop?socket=/run/s", "both a host and socket"},
      {"mysql:///shop?socket=run/s", "socket must be a path"},
      {"mysql://app:" PASSWORD "@db:99999/shop", "port"},
      {"mysql://app:" PASSWORD "@db/shop?socket", "a parameter of a URL is NAME=VALUE"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    pool_error_t error = POOL_ERROR_INIT;
    pool_t *pool;
    int code = open_url(wrong[i].url, &pool, &error);
    if (code != POOL_E_INVALID || !strstr(error.message, wrong[i].message))
      fail_msg("%s: %d %s", wrong[i].url, code, error.message);
  }
}

/* ---- tests: calls ---- */

#define TYPES_TABLE                                                                                                    \
  "CREATE TEMPORARY TABLE kinds (a TINYINT, b SMALLINT UNSIGNED, c MEDIUMINT, d INT UNSIGNED, e BIGINT, "              \
  "f BIGINT UNSIGNED, g DECIMAL(65,30), h DOUBLE, i BIT(12), j DATE, k TIME(3), l DATETIME(6), m TIMESTAMP NULL, "     \
  "n YEAR, o CHAR(5), p VARCHAR(9), q TEXT, r BINARY(3), s BLOB, t ENUM('no','yes'), u SET('x','y'), v JSON, "         \
  "w INT(6) ZEROFILL, x FLOAT)"

#define TYPES_ROW                                                                                                      \
  "INSERT INTO kinds VALUES (-128, 65535, -8388608, 4294967295, -9223372036854775808, 18446744073709551615, "          \
  "-12345678901234567890123456789012345.123456789012345678901234567891, 0.1, b'101000000001', '2024-02-29', "          \
  "'-838:59:58.999', '1000-01-01 00:00:00.000001', NULL, 2026, 'five', 'a\"b\\\\c', 'z\\nw', 'ab', X'00ff10', "        \
  "'yes', 'x,y', '{\"deep\":[1,2.50]}', 42, 1.5)"

#define TYPES_REPLY                                                                                                    \
  "\"types\":[\"tinyint\",\"smallint unsigned\",\"mediumint\",\"int unsigned\",\"bigint\",\"bigint unsigned\","        \
  "\"decimal\",\"double\",\"bit\",\"date\",\"time\",\"datetime\",\"timestamp\",\"year\",\"char\",\"varchar\","         \
  "\"text\",\"binary\",\"blob\",\"enum\",\"set\",\"json\",\"int unsigned\",\"float\"],"                                \
  "\"rows\":[[-128,65535,-8388608,4294967295,-9223372036854775808,18446744073709551615,"                               \
  "-12345678901234567890123456789012345.123456789012345678901234567891,0.1,2561,\"2024-02-29\",\"-838:59:58.999\","    \
  "\"1000-01-01 00:00:00.000001\",null,2026,\"five\",\"a\\\"b\\\\c\",\"z\\nw\",\"\\\\x616200\",\"\\\\x00ff10\","       \
  "\"yes\",\"x,y\",{\"deep\":[1,2.50]},42,1.5],"                                                                       \
  "[null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,"    \
  "null,null]],\"affected\":2,\"last_insert_id\":0}"

static void test_a_reply_has_the_types_and_all_digits(void **state)
{
  (void)state;
  pool_t *pool = pool_with("");
  pool_lease_t lease = get_lease(pool);
  ask_lease(lease, TYPES_TABLE);
  ask_lease(lease, TYPES_ROW);
  ask_lease(lease, "INSERT INTO kinds (a) VALUES (NULL)");
  const char *said = call(lease, "SELECT * FROM kinds", "");
  assert_string_equal(strstr(said, "\"types\""), TYPES_REPLY);
  said = call(lease, "SELECT * FROM kinds WHERE ? = 1", "[1]");
  assert_string_equal(strstr(said, "\"types\""), TYPES_REPLY);
  put_lease(lease);
  end_pool(pool);
}

static void test_a_parameter_keeps_its_type_and_its_digits(void **state)
{
  static const struct {
    const char *args, *rows;
  } all[] = {
      {"[0]", "\"types\":[\"bigint unsigned\"],\"rows\":[[0]]"},
      {"[-9223372036854775808]", "\"types\":[\"bigint\"],\"rows\":[[-9223372036854775808]]"},
      {"[18446744073709551615]", "[[18446744073709551615]]"},
      {"[18446744073709551616]", "\"types\":[\"decimal\"],\"rows\":[[18446744073709551616]]"},
      {"[-0.10]", "\"types\":[\"decimal\"],\"rows\":[[-0.10]]"},
      {"[1e-3]", "\"types\":[\"double\"],\"rows\":[[0.001]]"},
      {"[1.7976931348623157E+308]", "\"types\":[\"double\"],\"rows\":[[1.7976931348623157e+308]]"},
      {"[true]", "[[1]]"},
      {" [ false ] ", "[[0]]"},
      {"[null]", "\"types\":[\"null\"],\"rows\":[[null]]"},
      {"[\"\"]", "[[\"\"]]"},
      {"[\"\\u00e4\\ud83d\\ude00 \\u0000 \\\"\"]", "[[\"\xc3\xa4\xf0\x9f\x98\x80 \\u0000 \\\"\"]]"},
      {"[{\"a\": [1, \"]\"]}]", "[[\"{\\\"a\\\": [1, \\\"]\\\"]}\"]]"},
  };
  (void)state;
  pool_t *pool = pool_with("");
  pool_lease_t lease = get_lease(pool);
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    const char *said = call(lease, "SELECT ?", all[i].args);
    if (!strstr(said, all[i].rows))
      fail_msg("%s: %s", all[i].args, said);
  }
  assert_non_null(strstr(call(lease, "SELECT ? + ?, ?", "[1, 2, \"x\"]"), "[[3,\"x\"]]"));
  put_lease(lease);
  end_pool(pool);
}

static void test_a_reply_says_what_was_affected(void **state)
{
  (void)state;
  pool_t *pool = pool_with("");
  pool_lease_t lease = get_lease(pool);
  ask(admin, "TRUNCATE TABLE shop.items");
  assert_string_equal(call(lease, "INSERT INTO items (name) VALUES (?), (?)", "[\"one\", \"two\"]"),
                      "{\"columns\":[],\"types\":[],\"rows\":[],\"affected\":2,\"last_insert_id\":1}");
  assert_string_equal(call(lease, "UPDATE items SET name = 'three' WHERE id > 0", ""),
                      "{\"columns\":[],\"types\":[],\"rows\":[],\"affected\":2,\"last_insert_id\":0}");
  assert_string_equal(
      call(lease, "SELECT name FROM items WHERE id > 2", "[]"),
      "{\"columns\":[\"name\"],\"types\":[\"varchar\"],\"rows\":[],\"affected\":0,\"last_insert_id\":0}");
  put_lease(lease);
  end_pool(pool);
}

static void test_of_several_results_the_first_with_columns_is_the_reply(void **state)
{
  (void)state;
  ask(admin, "CREATE PROCEDURE shop.two() BEGIN SELECT 1 AS a; SELECT 2 AS b UNION SELECT 3; END");
  pool_t *pool = pool_with("");
  pool_lease_t lease = get_lease(pool);
  for (int prepared = 0; prepared < 2; prepared++) {
    const char *said = call(lease, "CALL two()", prepared ? "[]" : "");
    assert_string_equal(said,
                        "{\"columns\":[\"a\"],\"types\":[\"int\"],\"rows\":[[1]],\"affected\":1,\"last_insert_id\":0}");
  }
  assert_string_equal(ask_lease(lease, "SELECT 5"), "5");
  put_lease(lease);
  end_pool(pool);
  ask(admin, "DROP PROCEDURE shop.two");
}

static void test_an_error_of_the_server_leaves_the_connection_good(void **state)
{
  (void)state;
  pool_t *pool = pool_with("");
  pool_lease_t lease = get_lease(pool);
  unsigned long id = id_of(lease);
  expect_remote(lease, "SELECT * FROM nothing", "", 1146, "Table 'shop.nothing' doesn't exist (SQLSTATE 42S02)");
  expect_remote(lease, "SELECT nonsense FROM", "[]", 1064, "(SQLSTATE 42000)");
  expect_remote(lease, "SELECT (SELECT ? UNION SELECT 2)", "[1]", 1242, "(SQLSTATE 21000)");
  expect_remote(lease, "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'say \"no\"\\n\\\\'", "", 1644,
                "say \"no\" \\ (SQLSTATE 45000)");
  expect_call(lease, "SELECT ?", "[1, 2]", POOL_E_INVALID, "1 question marks, and args has 2 elements");
  expect_call(lease, "SELECT 1", "[1", POOL_E_INVALID, "byte 3 of it is wrong");
  expect_call(lease, "SELECT 1", "{}", POOL_E_INVALID, "must be a JSON array");
  put_lease(lease);
  lease = get_lease(pool);
  assert_int_equal(id_of(lease), id);
  put_lease(lease);
  end_pool(pool);
}

#define DIGITS_64 "1234567890123456789012345678901234567890123456789012345678901234"

static void test_a_number_that_the_server_would_change_is_not_sent(void **state)
{
  static const char *const args[] = {"[1, 1e400]", "[1, -1.5E+309]", "[1, " DIGITS_64 "99]", "[1, -" DIGITS_64 "99.5]"};
  (void)state;
  pool_t *pool = pool_with("");
  pool_lease_t lease = get_lease(pool);
  for (size_t i = 0; i < sizeof args / sizeof *args; i++)
    expect_call(lease, "SELECT ?, ?", args[i], POOL_E_INVALID, "parameter 2 is a number that no column can have");
  expect_call(lease, "SELECT ?, ?", "[-" DIGITS_64 "9, 1e-400]", 0, "[[-" DIGITS_64 "9,0]]");
  put_lease(lease);
  end_pool(pool);
}

static void test_a_call_is_refused_where_it_cannot_be_right(void **state)
{
  (void)state;
  pool_t *pool = pool_with("");
  pool_lease_t lease = get_lease(pool);
  MYSQL *mysql = pool_conn(lease);
  assert_int_equal(mysql_query(mysql, "SELECT 1"), 0);
  expect_call(lease, "SELECT 1", "", POOL_E_INVALID, "still unread");
  mysql_free_result(mysql_store_result(mysql));
  assert_int_equal(mysql_set_character_set(mysql, "latin1"), 0);
  expect_call(lease, "SELECT 1", "", POOL_E_UNSUPPORTED, "latin1");
  put_lease(lease);
  end_pool(pool);
}

static void test_a_reply_above_the_limit_ends_the_connection(void **state)
{
  (void)state;
  pool_t *pool = pool_with("max_reply_bytes=5000");
  for (int prepared = 0; prepared < 2; prepared++) {
    pool_lease_t lease = get_lease(pool);
    unsigned long id = id_of(lease);
    expect_call(lease, "SELECT seq, REPEAT('x', 100) FROM seq_1_to_10000000", prepared ? "[]" : "", POOL_E_BROKEN,
                "larger than max_reply_bytes=5000");
    put_lease(lease);
    wait_until(!has_session(id));
  }
  end_pool(pool);
}

static const char endless[] = "SELECT BENCHMARK(1000000000000000, MD5('x'))"; /* which notices no client that left */

static void test_a_call_that_times_out_is_ended_at_the_server(void **state)
{
  (void)state;
  pool_t *pool = pool_with("pool.call_timeout_ms=200");
  for (int prepared = 0; prepared < 2; prepared++) {
    pool_lease_t lease = get_lease(pool);
    unsigned long id = id_of(lease);
    expect_call(lease, endless, prepared ? "[]" : "", POOL_E_TIMEOUT, "the deadline passed");
    put_lease(lease);
    wait_until(!has_session(id));
  }
  end_pool(pool);
}

static void test_rows_without_end_do_not_pass_the_deadline(void **state)
{
  (void)state;
  pool_t *pool = pool_with("pool.call_timeout_ms=200&max_reply_bytes=1000000000");
  pool_lease_t lease = get_lease(pool);
  expect_call(lease, "SELECT seq FROM seq_1_to_1000000000000", "", POOL_E_TIMEOUT, "the deadline passed");
  put_lease(lease);
  end_pool(pool);
}

/* Texts that fill the buffers of a socket many times go both ways, in calls and by the user's own hand. */
static void exchange_long_texts(pool_lease_t lease)
{
  enum { SIZE = 400000 };
  int little = 4096;
  setsockopt(mysql_get_socket(pool_conn(lease)), SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
  char *args = malloc(SIZE + 8);
  assert_non_null(args);
  strcpy(args, "[\"");
  memset(args + 2, 'y', SIZE);
  strcpy(args + 2 + SIZE, "\"]");
  assert_non_null(strstr(call(lease, "SELECT LENGTH(?)", args), "[[400000]]"));
  free(args);
  ask_lease(lease, "SET @long = REPEAT('x', 400000)");
  assert_int_equal(strlen(ask_lease(lease, "SELECT @long")), 255);
  assert_non_null(strstr(call(lease, "SELECT @long", ""), "xxxx"));
  MYSQL *mysql = pool_conn(lease);
  char *statement = calloc(1, SIZE);
  assert_non_null(statement);
  memset(statement, ' ', SIZE - 1);
  memcpy(statement, "SELECT 1", 8);
  assert_string_equal(ask(mysql, statement), "1");
  free(statement);
}

static void test_long_texts_go_both_ways(void **state)
{
  static const char *const parameters[] = {"", "ssl_mode=required", "compress=1"};
  (void)state;
  for (int i = 0; i < 3; i++) {
    pool_t *pool = pool_with(parameters[i]);
    pool_lease_t lease = get_lease(pool);
    exchange_long_texts(lease);
    put_lease(lease);
    end_pool(pool);
  }
}

/* ---- tests: async calls ---- */

struct answer {
  _Atomic int done;
  int32_t code;
  char text[512];
};

static void take_answer(void *user, int32_t code, pool_bytes_t reply)
{
  struct answer *answer = user;
  answer->code = code;
  snprintf(answer->text, sizeof answer->text, "%.*s", (int)reply.size, (const char *)reply.data);
  pool_bytes_free(&reply);
  answer->done = 1;
}

static int64_t go(pool_lease_t lease, const char *sql, const char *args, struct answer *answer)
{
  pool_bytes_t given = {(char *)(uintptr_t)args, strlen(args)};
  *answer = (struct answer){.done = 0};
  return pool_go(lease, sql, given, take_answer, answer);
}

static void test_an_async_call_ends_once_with_its_reply(void **state)
{
  struct answer answers[3];
  (void)state;
  pool_t *pool = pool_with("pool.max_open=3&pool.call_timeout_ms=10000");
  static const char *const statements[] = {"SELECT ?", "SELECT * FROM nothing WHERE ?", "SELECT SLEEP(?)"};
  for (int i = 0; i < 3; i++) {
    pool_lease_t lease = get_lease(pool);
    assert_true(go(lease, statements[i], "[0]", &answers[i]) > 0);
    put_lease(lease); /* it is reset and lent when the call is done */
  }
  for (int i = 0; i < 3; i++)
    wait_until(answers[i].done);
  assert_int_equal(answers[0].code, 0);
  assert_non_null(strstr(answers[0].text, "[[0]]"));
  assert_int_equal(answers[1].code, POOL_E_REMOTE);
  assert_string_equal(answers[1].text,
                      "{\"message\":\"Table 'shop.nothing' doesn't exist\",\"code\":1146,\"sqlstate\":\"42S02\"}");
  assert_int_equal(answers[2].code, 0);
  end_pool(pool);
}

static void test_an_async_call_keeps_its_deadline(void **state)
{
  struct answer answer;
  (void)state;
  pool_t *pool = pool_with("pool.call_timeout_ms=200");
  pool_lease_t lease = get_lease(pool);
  unsigned long id = id_of(lease);
  assert_int_equal(go(lease, "SELECT 1", "nonsense", &answer), POOL_E_INVALID);
  assert_true(go(lease, "SELECT SLEEP(1000)", "", &answer) > 0);
  wait_until(answer.done);
  assert_int_equal(answer.code, POOL_E_TIMEOUT);
  put_lease(lease);
  wait_until(!has_session(id));
  end_pool(pool);
}

/* As when the server has become slow: all reach their deadline at one time. */
struct burst {
  pool_t *pool;
  pool_lease_t leases[24];
  unsigned long ids[24];
};
#define CALLS (int)(sizeof((struct burst *)NULL)->ids / sizeof(unsigned long))

static void burst_prepare(struct burst *burst)
{
  burst->pool = pool_with("pool.max_open=24&pool.call_timeout_ms=500");
  leases_get(burst->pool, burst->leases, CALLS);
  for (int i = 0; i < CALLS; i++)
    burst->ids[i] = id_of(burst->leases[i]);
}

/* The pool ends also the sessions of calls whose deadline passed before they were sent, where much else runs. */
static void burst_expire(struct burst *burst)
{
  struct answer answers[CALLS];
  for (int i = 0; i < CALLS; i++)
    assert_true(go(burst->leases[i], endless, "", &answers[i]) > 0);
  for (int i = 0; i < CALLS; i++) {
    wait_until(answers[i].done);
    assert_int_equal(answers[i].code, POOL_E_TIMEOUT);
  }
  leases_put(burst->leases, CALLS);
  end_pool(burst->pool);
}

static void burst_await_end(const struct burst *burst)
{
  for (int i = 0; i < CALLS; i++)
    wait_until(!has_session(burst->ids[i]));
}

static void test_calls_that_time_out_at_one_time_all_end_at_the_server(void **state)
{
  struct burst burst;
  (void)state;
  burst_prepare(&burst);
  burst_expire(&burst);
  burst_await_end(&burst);
}

/* Opens sessions until the server takes no more.  Returns how many. */
static int fill_server(MYSQL **sessions, int most)
{
  for (int count = 0; count < most; count++) {
    sessions[count] = mysql_init(NULL);
    if (!mysql_real_connect(sessions[count], NULL, MYSQL_SERVER_USER, NULL, NULL, 0, server.socket, 0)) {
      assert_int_equal(mysql_errno(sessions[count]), ER_CON_COUNT_ERROR);
      mysql_close(sessions[count]);
      return count;
    }
  }
  fail_msg("the server takes more than %d sessions", most);
  return 0;
}

/* Each session that ends makes room for the next cancel. */
static void test_calls_that_time_out_at_a_full_server_all_end_there(void **state)
{
  struct burst burst;
  MYSQL *sessions[CALLS];
  (void)state;
  burst_prepare(&burst);
  ask(admin, "SET GLOBAL max_connections = 30");
  int count = fill_server(sessions, CALLS);
  burst_expire(&burst);
  mysql_close(sessions[--count]);
  burst_await_end(&burst);
  while (count > 0)
    mysql_close(sessions[--count]);
  ask(admin, "SET GLOBAL max_connections = 151");
}

/* Calls on connections of which nothing answers any more: a thread each tries to cancel one, and no thread is left. */
static void hold_up_all_cancels(struct proxy *proxy)
{
  enum { THREADS_MOST = 16 };
  struct answer answers[THREADS_MOST];
  pool_lease_t leases[THREADS_MOST];
  pool_t *pool = pool_on(proxy->port, "pool.max_open=16&pool.call_timeout_ms=100");
  leases_get(pool, leases, THREADS_MOST);
  proxy_do(proxy, PROXY_HOLD);
  for (int i = 0; i < THREADS_MOST; i++)
    assert_true(go(leases[i], "SELECT 1", "", &answers[i]) > 0);
  for (int i = 0; i < THREADS_MOST; i++)
    wait_until(answers[i].done);
  leases_put(leases, THREADS_MOST);
  end_pool(pool);
}

/* Restarts the server, and returns a session that it gives this number, which a session had before. */
static MYSQL *restart_until(unsigned long id)
{
  MYSQL *session = NULL;
  server_kill(&server.server);
  mysql_server_start(&server);
  mysql_close(admin);
  for (connect_admin(); !session || mysql_thread_id(session) < id; session = administrator_of(&server))
    mysql_close(session);
  assert_int_equal(mysql_thread_id(session), id);
  return session;
}

static bool someone_sleeps(void)
{
  return atoi(ask(admin, "SELECT COUNT(*) FROM information_schema.processlist WHERE info = 'SELECT SLEEP(1000)'")) > 0;
}

static void test_a_server_that_began_anew_ends_no_statement_for_the_one_before(void **state)
{
  struct proxy proxy;
  char url[URL_SIZE];
  (void)state;
  int threads = thread_count_at_rest() + 1; /* the proxy's */
  snprintf(url, sizeof url, "mysql://root@localhost/shop?pool.call_timeout_ms=100&socket=%s", server.socket);
  proxy_start(&proxy, server.port);
  hold_up_all_cancels(&proxy);
  pool_t *pool = open_pool(url);
  pool_lease_t lease = get_lease(pool);
  unsigned long id = id_of(lease);
  expect_call(lease, "SELECT SLEEP(1000)", "", POOL_E_TIMEOUT, "the deadline passed");
  put_lease(lease);
  end_pool(pool);
  MYSQL *session = restart_until(id);
  assert_int_equal(mysql_send_query(session, "SELECT SLEEP(1000)", 18), 0);
  wait_until(someone_sleeps());
  proxy_do(&proxy, PROXY_CUT); /* which passes all from now on */
  wait_until(thread_count() == threads);
  assert_true(someone_sleeps());
  mysql_close(session);
  kill_session(id);
  proxy_end(&proxy);
}

/* ---- tests: what is left behind ---- */

static bool takes_several_statements(MYSQL *mysql)
{
  if (mysql_query(mysql, "DO 1; DO 2") != 0)
    return false;
  while (mysql_next_result(mysql) == 0)
    ;
  return true;
}

static void leave_everything_behind(MYSQL *mysql)
{
  static const char *const statements[] = {"SET @left = 1",
                                           "SET SESSION sort_buffer_size = 1048576",
                                           "SET NAMES latin1",
                                           "CREATE TEMPORARY TABLE left_behind (a INT)",
                                           "SELECT GET_LOCK('left', 0)",
                                           "SET ROLE clerk",
                                           "USE other",
                                           "SET autocommit = 0",
                                           "INSERT INTO shop.items (name) VALUES ('left')"};
  for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
    ask(mysql, statements[i]);
  assert_false(takes_several_statements(mysql));
  assert_int_equal(mysql_set_server_option(mysql, MYSQL_OPTION_MULTI_STATEMENTS_ON), 0);
}

static void test_a_session_is_put_back(void **state)
{
  static const char *const resets[] = {"reset=connection", "reset=change_user", "init_statement=SET%20ROLE%20NONE"};
  (void)state;
  ask(admin, "TRUNCATE TABLE shop.items");
  for (int i = 0; i < 3; i++) {
    pool_t *pool = pool_with(resets[i]);
    pool_lease_t lease = get_lease(pool);
    unsigned long id = id_of(lease);
    char buffer_size[32];
    snprintf(buffer_size, sizeof buffer_size, "%s", ask_lease(lease, "SELECT @@sort_buffer_size"));
    leave_everything_behind(pool_conn(lease));
    put_lease(lease);
    lease = get_lease(pool);
    MYSQL *mysql = pool_conn(lease);
    assert_int_equal(id_of(lease), id);
    assert_string_equal(ask(mysql, "SELECT @left"), "NULL");
    assert_string_equal(ask(mysql, "SELECT @@sort_buffer_size"), buffer_size);
    assert_string_equal(ask(mysql, "SELECT @@character_set_client"), "utf8mb4");
    assert_string_equal(ask(mysql, "SELECT @@character_set_results"), "utf8mb4");
    assert_string_equal(mysql_character_set_name(mysql), "utf8mb4");
    assert_string_equal(ask(mysql, "SELECT IS_FREE_LOCK('left')"), "1");
    assert_string_equal(ask(mysql, "SELECT DATABASE()"), "shop");
    assert_string_equal(ask(mysql, "SELECT @@autocommit"), "1");
    assert_string_equal(ask(mysql, "SELECT CURRENT_ROLE()"), i == 2 ? "NULL" : "clerk"); /* MariaDB keeps it */
    assert_true(takes_several_statements(mysql)); /* and this */
    assert_string_equal(ask(mysql, "SELECT COUNT(*) FROM items"), "0");
    assert_int_equal(mysql_query(mysql, "SELECT * FROM left_behind"), 1);
    put_lease(lease);
    end_pool(pool);
  }
}

/* ---- functions of a user ---- */

static _Atomic int functions_called;

static int begin_file(void **file, const char *name, void *user)
{
  (void)name;
  *file = user;
  atomic_fetch_add(&functions_called, 1);
  return 0;
}

static int read_file(void *file, char *bytes, unsigned size)
{
  (void)file, (void)bytes, (void)size;
  return 0;
}

static void end_file(void *file)
{
  (void)file;
}

static int say_error(void *file, char *text, unsigned size)
{
  (void)file, (void)text, (void)size;
  return 0;
}

static void hear_progress(const MYSQL *mysql, unsigned stage, unsigned stages, double progress, const char *text,
                          unsigned size)
{
  (void)mysql, (void)stage, (void)stages, (void)progress, (void)text, (void)size;
  atomic_fetch_add(&functions_called, 1);
}

#if MARIADB_PACKAGE_VERSION_ID > 30301
static void hear_status(void *user, enum enum_mariadb_status_info type, ...)
{
  (void)user, (void)type;
  atomic_fetch_add(&functions_called, 1);
}
#endif

static void load_a_file(pool_lease_t lease)
{
  ask_lease(lease, "LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE shop.items (name)");
}

static void test_no_function_of_a_user_is_called_for_the_next(void **state)
{
  static const char *const resets[] = {"connection", "change_user", "rollback", "none"};
  (void)state;
  for (int i = 0; i < 4; i++) {
    char parameters[80];
    snprintf(parameters, sizeof parameters, "local_infile=1&reset=%s", resets[i]);
    pool_t *pool = pool_with(parameters);
    pool_lease_t lease = get_lease(pool);
    MYSQL *mysql = pool_conn(lease);
    unsigned long id = id_of(lease);
    mysql_set_local_infile_handler(mysql, begin_file, read_file, end_file, say_error, &functions_called);
    mysql_optionsv(mysql, MYSQL_PROGRESS_CALLBACK, hear_progress);
#if MARIADB_PACKAGE_VERSION_ID > 30301
    mysql_optionsv(mysql, MARIADB_OPT_STATUS_CALLBACK, hear_status, &functions_called);
#endif
    load_a_file(lease);
    assert_int_not_equal(atomic_exchange(&functions_called, 0), 0);
    put_lease(lease);
    lease = get_lease(pool);
    assert_int_equal(id_of(lease), id);
    load_a_file(lease);
    ask_lease(lease, "USE other");
    assert_int_equal(atomic_load(&functions_called), 0);
    assert_string_equal(mysql->db, "other"); /* the library itself still hears of it */
    put_lease(lease);
    end_pool(pool);
  }
}

static void test_a_session_without_a_database_has_none_again(void **state)
{
  char url[URL_SIZE];
  (void)state;
  snprintf(url, sizeof url, "mysql://app:" PASSWORD "@127.0.0.1:%d", server.port);
  pool_t *pool = open_pool(url);
  pool_lease_t lease = get_lease(pool);
  unsigned long id = id_of(lease);
  ask_lease(lease, "USE shop");
  put_lease(lease);
  lease = get_lease(pool);
  assert_string_equal(ask_lease(lease, "SELECT DATABASE()"), "NULL");
  assert_int_equal(id_of(lease), id);
  put_lease(lease);
  end_pool(pool);
}

static void test_a_user_that_was_changed_is_changed_back(void **state)
{
  static const char *const resets[] = {"reset=connection", "reset=change_user", "reset=rollback"};
  (void)state;
  for (int i = 0; i < 3; i++) {
    pool_t *pool = pool_with(resets[i]);
    pool_lease_t lease = get_lease(pool);
    unsigned long id = id_of(lease);
    assert_int_equal(mysql_change_user(pool_conn(lease), "guest", "", NULL), 0);
    put_lease(lease);
    lease = get_lease(pool);
    assert_int_equal(id_of(lease), id);
    assert_non_null(strstr(ask_lease(lease, "SELECT CURRENT_USER()"), "app@"));
    assert_string_equal(ask_lease(lease, "SELECT DATABASE()"), "shop");
    put_lease(lease);
    end_pool(pool);
  }
}

static void test_a_transaction_is_rolled_back_by_the_cheap_reset_too(void **state)
{
  (void)state;
  ask(admin, "TRUNCATE TABLE shop.items");
  pool_t *pool = pool_with("reset=rollback");
  pool_lease_t lease = get_lease(pool);
  ask_lease(lease, "SET @kept = 5");
  ask_lease(lease, "START TRANSACTION");
  ask_lease(lease, "INSERT INTO items (name) VALUES ('left')");
  put_lease(lease);
  lease = get_lease(pool);
  assert_string_equal(ask_lease(lease, "SELECT COUNT(*) FROM items"), "0");
  assert_string_equal(ask_lease(lease, "SELECT @kept"), "5");
  put_lease(lease);
  end_pool(pool);
}

static void test_without_a_reset_a_transaction_ends_its_connection(void **state)
{
  (void)state;
  pool_t *pool = pool_with("reset=none");
  pool_lease_t lease = get_lease(pool);
  unsigned long id = id_of(lease);
  ask_lease(lease, "SET @kept = 6");
  put_lease(lease);
  lease = get_lease(pool);
  assert_string_equal(ask_lease(lease, "SELECT @kept"), "6");
  ask_lease(lease, "START TRANSACTION READ ONLY");
  size_t since = told_so_far();
  put_lease(lease);
  assert_true(was_told("a transaction was left open", since));
  wait_until(!has_session(id));
  end_pool(pool);
}

static MYSQL_STMT *leave_unread(MYSQL *mysql, int how)
{
  static const char rows[] = "SELECT seq FROM seq_1_to_100000";
  MYSQL_STMT *statement = mysql_stmt_init(mysql);
  if (how == 0) {
    assert_int_equal(mysql_stmt_prepare(statement, rows, sizeof rows - 1), 0);
    assert_int_equal(mysql_stmt_execute(statement), 0);
  } else {
    assert_int_equal(mysql_query(mysql, how == 1 ? rows : "SELECT 1; SELECT 2"), 0);
    if (how == 2)
      mysql_free_result(mysql_store_result(mysql));
  }
  return statement;
}

static void test_unread_results_end_their_connection(void **state)
{
  (void)state;
  pool_t *pool = pool_with("multi_statements=1");
  for (int how = 0; how < 3; how++) {
    pool_lease_t lease = get_lease(pool);
    unsigned long id = id_of(lease);
    MYSQL_STMT *statement = leave_unread(pool_conn(lease), how);
    size_t since = told_so_far();
    put_lease(lease);
    assert_true(was_told("results of a statement were left unread", since));
    wait_until(!has_session(id));
    mysql_stmt_close(statement);
  }
  end_pool(pool);
}

static void test_a_statement_that_was_only_sent_ends_its_connection(void **state)
{
  static const char *const parameters[] = {"", "reset=change_user", "reset=rollback", "reset=none", "compress=1",
                                           "ssl_mode=required"};
  static char longer[16000], longest[41000];
  const char *const statements[] = {"SELECT 7, SLEEP(0.01)", "INSERT INTO items (name) VALUES ('sent')", longer,
                                    longest};
  (void)state;
  snprintf(longer, sizeof longer, "SELECT LENGTH('%015000d')", 1);
  snprintf(longest, sizeof longest, "SELECT LENGTH('%040000d')", 1);
  for (size_t i = 0; i < 4 * sizeof parameters / sizeof *parameters; i++) {
    const char *statement = statements[i % 4];
    pool_t *pool = pool_with(parameters[i / 4]);
    pool_lease_t lease = get_lease(pool);
    unsigned long id = id_of(lease);
    expect_call(lease, "SELECT ?", "[1]", 0, "[[1]]"); /* whose statement is closed, which has no answer */
    put_lease(lease);
    lease = get_lease(pool);
    assert_int_equal(id_of(lease), id);
    assert_int_equal(mysql_send_query(pool_conn(lease), statement, strlen(statement)), 0);
    expect_call(lease, "SELECT 1", "", POOL_E_INVALID, "still unread");
    size_t since = told_so_far();
    put_lease(lease);
    assert_true(was_told("results of a statement were left unread", since));
    lease = get_lease(pool);
    assert_int_not_equal(id_of(lease), id);
    expect_call(lease, "SELECT 2", "", 0, "[[2]]");
    put_lease(lease);
    end_pool(pool);
  }
}

/* The library counts the packets of an answer by bytes. */
static void test_an_answer_of_any_length_leaves_its_connection_good(void **state)
{
  static const char *const parameters[] = {"reset=none", "reset=none&init_statement=SET%20autocommit%3D0",
                                           "reset=none&compress=1"};
  static char longest[41000];
  (void)state;
  snprintf(longest, sizeof longest, "SELECT LENGTH('%040000d')", 1);
  for (int i = 0; i < 3; i++) {
    pool_t *pool = pool_with(parameters[i]);
    pool_lease_t lease = get_lease(pool);
    unsigned long id = id_of(lease);
    put_lease(lease);
    for (int rows = 230; rows < 270; rows++) {
      char statement[64];
      lease = get_lease(pool);
      assert_int_equal(id_of(lease), id);
      snprintf(statement, sizeof statement, "SELECT seq FROM mysql.seq_1_to_%d", rows);
      assert_string_equal(ask_lease(lease, statement), "1");
      expect_call(lease, statement, "", 0, "[230]");
      expect_call(lease, statement, "[]", 0, "[230]");
      assert_string_equal(ask_lease(lease, statement), "1");
      ask_lease(lease, "ROLLBACK");
      put_lease(lease);
      lease = get_lease(pool);
      assert_string_equal(ask_lease(lease, longest), "40000");
      assert_int_equal(mysql_query(pool_conn(lease), longest), 0);
      MYSQL_RES *result = mysql_use_result(pool_conn(lease));
      while (mysql_fetch_row(result))
        ;
      mysql_free_result(result);
      if (i == 1)
        ask_lease(lease, "ROLLBACK");
      put_lease(lease);
    }
    end_pool(pool);
  }
}

/* Of one that is compressed the pieces are counted, and after 256 the count is as after a command. */
static void test_a_compressed_answer_of_any_length_leaves_its_connection_good(void **state)
{
  bool met = false;
  (void)state;
  pool_t *pool = pool_with("reset=none&compress=1");
  for (int rows = 250; rows < 275; rows++) {
    char statement[80];
    pool_lease_t lease = get_lease(pool);
    MYSQL *mysql = pool_conn(lease);
    snprintf(statement, sizeof statement, "SELECT REPEAT('x', 16000) FROM mysql.seq_1_to_%d", rows);
    assert_int_equal(mysql_query(mysql, statement), 0);
    mysql_free_result(mysql_store_result(mysql));
    met |= mysql->net.pkt_nr == 1;
    put_lease(lease);
  }
  assert_true(met);
  assert_int_equal(stats_of(pool).opened, 1);
  end_pool(pool);
}

static void test_a_statement_that_is_left_prepared_does_no_harm(void **state)
{
  static const char sql[] = "SELECT 1";
  (void)state;
  pool_t *pool = pool_with("");
  pool_lease_t lease = get_lease(pool);
  MYSQL_STMT *statement = mysql_stmt_init(pool_conn(lease));
  assert_int_equal(mysql_stmt_prepare(statement, sql, sizeof sql - 1), 0);
  put_lease(lease);
  mysql_stmt_close(statement);
  lease = get_lease(pool);
  assert_string_equal(ask_lease(lease, "SHOW SESSION STATUS LIKE 'Com_stmt_prepare'"), "Com_stmt_prepare");
  put_lease(lease);
  end_pool(pool);
}

/* ---- tests: what a server does ---- */

static void test_a_wrong_password_is_said_and_no_other_server_is_tried(void **state)
{
  char url[URL_SIZE];
  (void)state;
  snprintf(url, sizeof url, "mysql://app:" OTHER_PASSWORD "@127.0.0.1:%d,127.0.0.1:1/shop", server.port);
  pool_t *pool = open_pool(url);
  size_t since = told_so_far();
  int number = expect_no_lease(pool_get_for(pool, 30000), POOL_E_OPEN, "Access denied for user");
  assert_int_equal(number, ER_ACCESS_DENIED_ERROR);
  assert_false(was_told("127.0.0.1:1:", since));
  end_pool(pool);
}

static void test_a_password_that_was_changed_ends_what_logs_in_again(void **state)
{
  (void)state;
  pool_t *pool = pool_with("reset=change_user");
  pool_lease_t lease = get_lease(pool);
  ask(admin, "SET PASSWORD FOR app@'%' = PASSWORD('" OTHER_PASSWORD "')");
  assert_string_equal(ask_lease(lease, "SELECT 7"), "7");
  size_t since = told_so_far();
  put_lease(lease);
  assert_true(was_told("resetting the session: Access denied", since));
  expect_no_lease(pool_get_for(pool, 30000), POOL_E_OPEN, "Access denied");
  ask(admin, "SET PASSWORD FOR app@'%' = PASSWORD('" PASSWORD "')");
  lease = get_lease(pool);
  put_lease(lease);
  end_pool(pool);
}

static void test_a_failed_init_statement_is_not_quoted(void **state)
{
  (void)state;
  pool_t *pool = pool_with("init_statement=SET%20nonsense%20" OTHER_PASSWORD);
  expect_no_lease(pool_get_for(pool, 30000), POOL_E_OPEN, "init_statement failed with error 1064 (42000)");
  end_pool(pool);
}

static void test_an_init_statement_without_end_does_not_pass_the_deadline(void **state)
{
  (void)state;
  pool_t *pool = pool_with("init_statement=SELECT%20seq%20FROM%20seq_1_to_1000000000000");
  expect_no_lease(pool_get_for(pool, 300), POOL_E_TIMEOUT, "the deadline passed (in phase setup)");
  end_pool(pool);
}

static void test_a_full_server_says_so_and_serves_when_there_is_room(void **state)
{
  MYSQL *sessions[20];
  (void)state;
  pool_t *pool = pool_with("");
  ask(admin, "SET GLOBAL max_connections = 10");
  int count = fill_server(sessions, 20);
  int number = expect_no_lease(pool_get_for(pool, 30000), POOL_E_OPEN, "Too many connections");
  assert_int_equal(number, ER_CON_COUNT_ERROR);
  ask(admin, "SET GLOBAL max_connections = 151");
  put_lease(get_lease(pool));
  while (count > 0)
    mysql_close(sessions[--count]);
  end_pool(pool);
}

static void test_sessions_that_the_server_ended_are_found_by_the_check(void **state)
{
  (void)state;
  pool_t *pool = pool_with("pool.check_after_ms=0&pool.max_open=3");
  pool_lease_t leases[3];
  leases_get(pool, leases, 3);
  ask_lease(leases[1], "SET SESSION wait_timeout = 1");
  unsigned long ids[3] = {id_of(leases[0]), id_of(leases[1]), id_of(leases[2])};
  ask_lease(leases[2], "SET SESSION wait_timeout = 1");
  leases_put(leases, 3);
  kill_session(ids[0]);
  kill_session(ids[1]);
  size_t since = told_so_far();
  leases_get(pool, leases, 3);
  assert_true(was_told("the server", since));
  for (int i = 0; i < 3; i++)
    assert_string_equal(ask_lease(leases[i], "SELECT 8"), "8");
  assert_in_range(stats_of(pool).check_failures, 1, 2); /* a get that met one does not meet the next */
  leases_put(leases, 3);
  end_pool(pool);
}

static void test_an_idle_session_that_the_server_timed_out_is_replaced(void **state)
{
  (void)state;
  pool_t *pool = pool_with("pool.check_after_ms=0&reset=none");
  pool_lease_t lease = get_lease(pool);
  unsigned long id = id_of(lease);
  ask_lease(lease, "SET SESSION wait_timeout = 1");
  put_lease(lease);
  wait_until(!has_session(id));
  lease = get_lease(pool);
  assert_string_equal(ask_lease(lease, "SELECT 8"), "8");
  put_lease(lease);
  assert_int_equal(stats_of(pool).check_failures, 1);
  end_pool(pool);
}

static void test_a_killed_session_breaks_a_call_and_is_not_lent_again(void **state)
{
  (void)state;
  pool_t *pool = pool_with("");
  pool_lease_t lease = get_lease(pool);
  kill_session(id_of(lease));
  expect_call(lease, "SELECT 1", "", POOL_E_BROKEN, "the call: ");
  expect_call(lease, "SELECT 1", "", POOL_E_BROKEN, "");
  put_lease(lease);
  lease = get_lease(pool);
  assert_string_equal(ask_lease(lease, "SELECT 9"), "9");
  kill_session(id_of(lease));
  put_lease(lease); /* nobody has noticed, so the reset does */
  lease = get_lease(pool);
  assert_string_equal(ask_lease(lease, "SELECT 9"), "9");
  put_lease(lease);
  end_pool(pool);
}

static void test_a_server_that_was_killed_is_used_again_when_it_is_back(void **state)
{
  (void)state;
  pool_t *pool = pool_with("pool.check_after_ms=0&pool.max_open=2");
  pool_lease_t leases[2];
  leases_get(pool, leases, 2);
  put_lease(leases[0]);
  server_kill(&server.server);
  expect_call(leases[1], "SELECT 1", "", POOL_E_BROKEN, "the call: ");
  put_lease(leases[1]);
  expect_no_lease(pool_get_for(pool, 30000), POOL_E_OPEN, "connecting to 127.0.0.1:");
  mysql_server_start(&server);
  mysql_close(admin);
  connect_admin();
  leases_get(pool, leases, 2);
  assert_string_equal(ask_lease(leases[0], "SELECT 1"), "1");
  leases_put(leases, 2);
  end_pool(pool);
}

static void test_a_server_that_hangs_keeps_nobody_beyond_his_deadline(void **state)
{
  (void)state;
  pool_t *checked = pool_with("pool.check_after_ms=0&pool.check_timeout_ms=100");
  pool_t *called = pool_with("pool.call_timeout_ms=100&reset_timeout_ms=100");
  pool_t *tls = pool_with("ssl_mode=required&reset_timeout_ms=100");
  put_lease(get_lease(checked));
  pool_lease_t lease = get_lease(called), left = get_lease(called), secret = get_lease(tls);
  server_freeze(&server.server);
  expect_no_lease(pool_get_for(checked, 300), POOL_E_TIMEOUT, "the deadline passed");
  expect_call(lease, "SELECT 1", "", POOL_E_TIMEOUT, "the deadline passed");
  put_lease(lease);
  size_t since = told_so_far();
  put_lease(left);
  put_lease(secret);
  assert_true(was_told("resetting the session: the deadline passed", since));
  end_pool(called);
  end_pool(tls);
  server_thaw(&server.server);
  put_lease(get_lease(checked));
  end_pool(checked);
}

/* ---- tests: several servers ---- */

static void keep_silent(struct impostor *impostor, int connection)
{
  impostor_hear_all(impostor, connection);
}

static void test_the_next_server_is_tried_when_one_is_dead_or_silent(void **state)
{
  char url[URL_SIZE];
  struct impostor silent;
  (void)state;
  impostor_start(&silent, keep_silent);
  snprintf(url, sizeof url, "mysql://app:" PASSWORD "@127.0.0.1:%d,127.0.0.1:%d,localhost:%d/shop", server_free_port(),
           silent.port, server.port);
  pool_t *pool = open_pool(url);
  pool_lease_t lease = pool_get_for(pool, 4000);
  assert_true(lease > 0);
  assert_string_equal(ask_lease(lease, "SELECT DATABASE()"), "shop");
  put_lease(lease);
  end_pool(pool);
  impostor_stop(&silent);
}

/* ---- tests: TLS ---- */

/* Gets a connection with TLS: its version, or why there is none. */
static const char *connect_tls(const char *host, const char *parameters)
{
  static char said[512];
  char url[URL_SIZE];
  pool_error_t error = POOL_ERROR_INIT;
  snprintf(url, sizeof url, "mysql://app:" PASSWORD "@%s:%d/shop?%s", host, server.port, parameters);
  pool_t *pool = open_pool(url);
  pool_lease_t lease = pool_get(pool);
  if (lease > 0) {
    assert_string_equal(ask_lease(lease, "SELECT 1"), "1");
    const char *version = mysql_get_ssl_cipher(pool_conn(lease)) ? "encrypted" : "plain";
    snprintf(said, sizeof said, "%s", version);
    put_lease(lease);
    put_lease(get_lease(pool));
    assert_int_equal(stats_of(pool).reset_failures, 0);
  } else {
    pool_failure(&error);
    tell(error.message);
    snprintf(said, sizeof said, "%s", error.message);
  }
  end_pool(pool);
  return said;
}

static void expect_tls(const char *host, const char *format, const char *file, const char *expected)
{
  char parameters[256];
  snprintf(parameters, sizeof parameters, format, file);
  const char *said = connect_tls(host, parameters);
  if (!strstr(said, expected))
    fail_msg("%s %s: %s", host, parameters, said);
}

static void test_tls_checks_the_certificate_as_the_url_says(void **state)
{
  (void)state;
  expect_tls("localhost", "ssl_ca=%s", server.authority, "encrypted");
  expect_tls("localhost", "ssl_ca=%s&reset=change_user", server.authority, "encrypted");
  expect_tls("127.0.0.1", "ssl_ca=%s", server.authority, "Validation of SSL server certificate failed");
  expect_tls("127.0.0.1", "ssl_mode=VERIFY_CA&ssl_ca=%s", server.authority, "encrypted");
  expect_tls("localhost", "ssl_ca=%s", server.stranger, "self-signed certificate in certificate chain");
  expect_tls("localhost", "ssl_mode=verify_ca&ssl_ca=%s", server.stranger,
             "self-signed certificate in certificate chain");
  expect_tls("localhost", "ssl_verify=%s", "1", "self-signed certificate in certificate chain");
  expect_tls("127.0.0.1", "ssl_mode=%s", "required", "encrypted");
  expect_tls("127.0.0.1", "ssl_mode=%s", "preferred", "encrypted");
  expect_tls("127.0.0.1", "ssl_mode=%s", "disabled", "plain");
}

/* As every program does that reads a file of certificates to its end. */
static void leave_an_error_of_openssl(void)
{
  BIO *nothing = BIO_new_mem_buf("", 0);
  assert_null(PEM_read_bio_X509(nothing, NULL, NULL, NULL));
  BIO_free(nothing);
  assert_int_not_equal(ERR_peek_error(), 0);
}

static void test_an_error_that_the_program_left_in_openssl_is_none_of_a_connection(void **state)
{
  char parameters[160];
  (void)state;
  snprintf(parameters, sizeof parameters, "ssl_mode=verify_ca&ssl_ca=%s&pool.check_after_ms=0", server.authority);
  pool_t *pool = pool_with(parameters);
  leave_an_error_of_openssl();
  pool_lease_t lease = get_lease(pool);
  unsigned long id = id_of(lease);
  leave_an_error_of_openssl();
  expect_call(lease, "SELECT SLEEP(0.01)", "[]", 0, "[[0]]");
  leave_an_error_of_openssl();
  put_lease(lease); /* resets it */
  leave_an_error_of_openssl();
  lease = get_lease(pool); /* checks it */
  assert_int_equal(id_of(lease), id);
  put_lease(lease);
  end_pool(pool);
}

/* What OpenSSL does when a process ends is not for those that use it. */
static void test_a_program_may_end_while_connections_are_opened(void **state)
{
  char command[URL_SIZE + 300];
  (void)state;
  snprintf(command, sizeof command,
           LEAVER " 'mysql://app:" PASSWORD "@127.0.0.1:%d/shop?ssl_mode=required&pool.max_open=20&pool.min_open=20"
                  "&pool.openers=4'",
           server.port);
  for (int i = 0; i < 20; i++)
    assert_int_equal(system(command), 0);
}

static void test_no_error_of_openssl_is_left_to_the_program(void **state)
{
  (void)state;
  pool_t *pool = pool_with("ssl_mode=required&ssl_cipher=none-such");
  expect_no_lease(pool_get(pool), POOL_E_OPEN, "no cipher match");
  assert_int_equal(ERR_peek_error(), 0);
  end_pool(pool);
}

/* ---- tests: what is no server ---- */

#define LONG_PASSWORD     1u
#define WITH_DATABASE     8u
#define PROTOCOL_41       512u
#define TLS               2048u
#define SECURE_CONNECTION 32768u
#define PLUGIN_AUTH       (1u << 19)

/* Sends the greeting of a server with these capabilities beside the usual ones. */
static bool greet(int connection, unsigned capabilities)
{
  static const char plugin[] = "mysql_native_password";
  unsigned char packet[128] = {0}, *at = packet + 4;
  capabilities |= LONG_PASSWORD | WITH_DATABASE | PROTOCOL_41 | SECURE_CONNECTION;
  *at++ = 10;
  at = (unsigned char *)stpcpy((char *)at, "5.5.5-10.11.0-impostor") + 1;
  at += 4;
  memset(at, 'a', 8);
  at += 9;
  *at++ = capabilities & 255;
  *at++ = capabilities >> 8 & 255;
  *at++ = 45;
  *at++ = 2;
  *at++ = 0;
  *at++ = capabilities >> 16 & 255;
  *at++ = (unsigned char)(capabilities >> 24);
  *at++ = 21;
  at += 10;
  memset(at, 'b', 12);
  at += 13;
  if (capabilities & PLUGIN_AUTH)
    at = mempcpy(at, plugin, sizeof plugin);
  packet[0] = (unsigned char)(at - packet - 4);
  return impostor_send(connection, packet, (size_t)(at - packet));
}

static void send_packet(int connection, unsigned char number, const char *bytes, size_t size)
{
  unsigned char packet[64] = {(unsigned char)size, 0, 0, number};
  memcpy(packet + 4, bytes, size);
  impostor_send(connection, packet, size + 4);
}

static void send_garbage(struct impostor *impostor, int connection)
{
  char bytes[4096];
  memset(bytes, 'x', sizeof bytes);
  impostor_send(connection, bytes, sizeof bytes);
  impostor_hear_all(impostor, connection);
}

static void speak_ssh(struct impostor *impostor, int connection)
{
  static const char hello[] = "SSH-2.0-OpenSSH_9.2\r\n";
  impostor_send(connection, hello, sizeof hello - 1);
  impostor_hear_all(impostor, connection);
}

static void speak_http(struct impostor *impostor, int connection)
{
  static const char answer[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
  (void)impostor;
  impostor_send(connection, answer, sizeof answer - 1);
}

static void close_early(struct impostor *impostor, int connection)
{
  (void)impostor, (void)connection;
}

static void close_in_the_greeting(struct impostor *impostor, int connection)
{
  (void)impostor;
  impostor_send(connection, "\x50\0\0\0\n5.5", 8);
}

static _Atomic size_t sent_without_end;

/* One packet after the other, of the greatest size, all of them parts of one greeting. */
static void send_without_end(struct impostor *impostor, int connection)
{
  static const char part[0xffffff];
  char head[] = {'\xff', '\xff', '\xff', 0};
  (void)impostor;
  while (impostor_send(connection, head, sizeof head) && impostor_send(connection, part, sizeof part)) {
    sent_without_end += sizeof part;
    head[3]++;
  }
}

/* A greeting whose bytes come one by one, for longer than anybody wants to wait. */
static void drip(struct impostor *impostor, int connection)
{
  struct pollfd client = {.fd = connection, .events = POLLIN};
  (void)impostor;
  bool there = impostor_send(connection, "\x00\xf0\0\0\n", 5);
  while (there && poll(&client, 1, 5) == 0)
    there = impostor_send(connection, "5", 1);
}

static void greet_and_keep_silent(struct impostor *impostor, int connection)
{
  greet(connection, PLUGIN_AUTH);
  impostor_hear_all(impostor, connection);
}

static void greet_for_tls_and_keep_silent(struct impostor *impostor, int connection)
{
  greet(connection, PLUGIN_AUTH | TLS);
  impostor_hear_all(impostor, connection);
}

static void greet_for_tls_and_send_garbage(struct impostor *impostor, int connection)
{
  greet(connection, PLUGIN_AUTH | TLS);
  if (impostor_hear(impostor, connection))
    send_garbage(impostor, connection);
}

static void test_what_is_no_server_is_an_error_in_time(void **state)
{
  static const struct {
    void (*serve)(struct impostor *impostor, int connection);
    const char *parameters;
    int code; /* 0: either */
  } impostors[] = {
      {send_garbage, "", 0},
      {speak_ssh, "", 0},
      {speak_http, "", POOL_E_OPEN},
      {close_early, "", POOL_E_OPEN},
      {close_in_the_greeting, "", POOL_E_OPEN},
      {send_without_end, "", 0},
      {drip, "", POOL_E_TIMEOUT},
      {keep_silent, "", POOL_E_TIMEOUT},
      {greet_and_keep_silent, "", POOL_E_TIMEOUT},
      {greet_for_tls_and_keep_silent, "ssl_mode=required", POOL_E_TIMEOUT},
      {greet_for_tls_and_send_garbage, "ssl_mode=required", POOL_E_OPEN},
  };
  (void)state;
  for (size_t i = 0; i < sizeof impostors / sizeof *impostors; i++) {
    struct impostor impostor;
    impostor_start(&impostor, impostors[i].serve);
    pool_t *pool = pool_on(impostor.port, impostors[i].parameters);
    pool_lease_t lease = pool_get_for(pool, impostors[i].code == POOL_E_OPEN ? 30000 : 200);
    bool expected = impostors[i].code ? lease == impostors[i].code : lease == POOL_E_OPEN || lease == POOL_E_TIMEOUT;
    if (!expected)
      fail_msg("impostor %zu: %d", i, (int)lease);
    end_pool(pool);
    impostor_stop(&impostor);
  }
  assert_in_range(sent_without_end, 0, 64000000);
}

static void test_an_open_that_is_late_says_in_which_phase(void **state)
{
  static const struct {
    void (*serve)(struct impostor *impostor, int connection);
    const char *parameters, *text;
  } impostors[] = {
      {keep_silent, "", "waiting for the greeting: the deadline passed"},
      {greet_and_keep_silent, "ssl_mode=disabled", "logging in: the deadline passed (in phase login)"},
      {greet_for_tls_and_keep_silent, "ssl_mode=required", "TLS handshake: the deadline passed"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof impostors / sizeof *impostors; i++) {
    char url[URL_SIZE];
    struct impostor impostor;
    impostor_start(&impostor, impostors[i].serve);
    url_format(url, "mysql://app@127.0.0.1:%d/shop?%s", impostor.port, impostors[i].parameters);
    phases_expect_late(url, impostors[i].text);
    impostor_stop(&impostor);
  }
}

static void test_an_open_says_its_phases(void **state)
{
  char url[URL_SIZE];
  (void)state;
  url_format(url, "mysql://app:" PASSWORD "@127.0.0.1:%d/shop?ssl_mode=disabled", server.port);
  phases_expect(url, "connect greeting login");
  url_format(url,
             "mysql://app:" PASSWORD "@127.0.0.1:%d,127.0.0.1:%d/shop?ssl_mode=required&init_statement=SET%%20@a=1",
             server_free_port(), server.port);
  phases_expect(url, "connect! connect greeting tls login setup");
  url_format(url, "mysql://app:" PASSWORD "@localhost:%d/shop?ssl_ca=%s", server.port, server.authority);
  phases_expect_check(url, "prepare resolve connect greeting tls login open check reset close");
  url_format(url, "mysql://app:" PASSWORD "@127.0.0.1:%d/shop?ssl_ca=%s", server.port, server.stranger);
  phases_expect_check(url, "prepare connect greeting tls! open!");
  url_format(url, "mysql://app:" OTHER_PASSWORD "@127.0.0.1:%d/shop?ssl_mode=required", server.port);
  phases_expect_check(url, "prepare connect greeting tls login! open!");
}

static void greet_without_plugins(struct impostor *impostor, int connection)
{
  greet(connection, 0);
  impostor_hear_all(impostor, connection);
}

static void test_a_server_without_tls_hears_nothing_where_tls_is_asked_for(void **state)
{
  struct impostor impostor;
  (void)state;
  impostor_start(&impostor, greet_and_keep_silent);
  pool_t *pool = pool_on(impostor.port, "ssl_mode=required");
  expect_no_lease(pool_get_for(pool, 30000), POOL_E_OPEN, "the server has no TLS");
  end_pool(pool);
  impostor_stop(&impostor);
  assert_int_equal(impostor.heard_size, 0);
}

static void test_a_server_without_plugins_cannot_relax_tls(void **state)
{
  struct impostor impostor;
  (void)state;
  impostor_start(&impostor, greet_without_plugins);
  pool_t *pool = pool_on(impostor.port, "ssl_mode=required");
  expect_no_lease(pool_get_for(pool, 30000), POOL_E_OPEN, "SSL is required");
  end_pool(pool);
  impostor_stop(&impostor);
  assert_int_equal(impostor.heard_size, 0);
}

static void ask_for_the_password(struct impostor *impostor, int connection)
{
  static const char wish[] = "\xfemysql_clear_password";
  if (!greet(connection, PLUGIN_AUTH) || !impostor_hear(impostor, connection))
    return;
  send_packet(connection, 2, wish, sizeof wish);
  impostor_hear_all(impostor, connection);
}

static void test_a_server_that_asks_for_the_password_in_clear_does_not_get_it(void **state)
{
  struct impostor impostor;
  (void)state;
  impostor_start(&impostor, ask_for_the_password);
  pool_t *pool = pool_on(impostor.port, "");
  expect_no_lease(pool_get_for(pool, 30000), POOL_E_OPEN, "restricted_auth");
  end_pool(pool);
  impostor_stop(&impostor);
  assert_true(impostor_has_heard(&impostor, "app"));
  assert_false(impostor_has_heard(&impostor, PASSWORD));
}

static const char ok[] = "\0\0\0\2\0\0";

static const char repetition[] = "\xff\x15\x04#28000there is no " PASSWORD " here";

/* Refuses a user, and repeats the password that it was given. */
static void repeat_the_password(struct impostor *impostor, int connection)
{
  static const char wish[] = "\xfemysql_clear_password";
  if (!greet(connection, PLUGIN_AUTH) || !impostor_hear(impostor, connection))
    return;
  send_packet(connection, 2, wish, sizeof wish);
  if (impostor_hear(impostor, connection))
    send_packet(connection, 4, repetition, sizeof repetition - 1);
  impostor_hear_all(impostor, connection);
}

/* Lets anybody in, and repeats the password in the answer to the first command. */
static void repeat_the_password_later(struct impostor *impostor, int connection)
{
  if (!greet(connection, PLUGIN_AUTH) || !impostor_hear(impostor, connection))
    return;
  send_packet(connection, 2, ok, sizeof ok);
  if (impostor_hear(impostor, connection))
    send_packet(connection, 1, repetition, sizeof repetition - 1);
  impostor_hear_all(impostor, connection);
}

static void test_a_password_that_a_server_repeats_is_not_told(void **state)
{
  struct impostor impostor;
  size_t since = told_so_far();
  (void)state;
  impostor_start(&impostor, repeat_the_password);
  pool_t *pool = pool_on(impostor.port, "auth=mysql_native_password,mysql_clear_password");
  expect_no_lease(pool_get_for(pool, 30000), POOL_E_OPEN, "there is no *** here");
  end_pool(pool);
  impostor_stop(&impostor);
  assert_true(impostor_has_heard(&impostor, PASSWORD));
  impostor_start(&impostor, repeat_the_password_later);
  pool = pool_on(impostor.port, "reset=none");
  pool_lease_t lease = get_lease(pool);
  expect_remote(lease, "SELECT 1", "", ER_ACCESS_DENIED_ERROR, "there is no *** here");
  put_lease(lease);
  end_pool(pool);
  impostor_stop(&impostor);
  assert_false(was_told(PASSWORD, since));
}


/* Lets anybody in, and answers the first command with a result that is none. */
static void answer_with_garbage(struct impostor *impostor, int connection)
{
  if (!greet(connection, PLUGIN_AUTH) || !impostor_hear(impostor, connection))
    return;
  send_packet(connection, 2, ok, sizeof ok);
  if (impostor_hear(impostor, connection))
    send_packet(connection, 1, "\3garbage garbage", 16);
}

static void test_a_garbled_answer_breaks_the_connection(void **state)
{
  struct impostor impostor;
  (void)state;
  impostor_start(&impostor, answer_with_garbage);
  pool_t *pool = pool_on(impostor.port, "");
  pool_lease_t lease = get_lease(pool);
  expect_call(lease, "SELECT 1", "", POOL_E_BROKEN, "the call: ");
  put_lease(lease);
  end_pool(pool);
  impostor_stop(&impostor);
}

/* Lets anybody in, answers the first command with a column that is none, and says OK to whatever comes then. */
static void answer_with_a_bad_column(struct impostor *impostor, int connection)
{
  if (!greet(connection, PLUGIN_AUTH) || !impostor_hear(impostor, connection))
    return;
  send_packet(connection, 2, ok, sizeof ok);
  if (!impostor_hear(impostor, connection))
    return;
  send_packet(connection, 1, "\1", 1);
  send_packet(connection, 2, "\3def", 4);
  send_packet(connection, 3, "\xfe\0\0\2", 5);
  while (impostor_hear(impostor, connection))
    send_packet(connection, 1, ok, sizeof ok);
}

static void test_no_call_follows_one_whose_answer_was_garbled(void **state)
{
  struct impostor impostor;
  (void)state;
  impostor_start(&impostor, answer_with_a_bad_column);
  pool_t *pool = pool_on(impostor.port, "");
  pool_lease_t lease = get_lease(pool);
  expect_call(lease, "SELECT 1", "", POOL_E_BROKEN, "the call: ");
  expect_call(lease, "SELECT 2", "", POOL_E_BROKEN, ""); /* it might have the first one's answer */
  put_lease(lease);
  end_pool(pool);
  impostor_stop(&impostor);
}

static const char *const numbers_of_a_kind[] = {"-inf", "-nan", "--5", "-", "-\"x", "-0", "-1.5e-7", "-007", "007", ""};
#define NUMBERS (sizeof numbers_of_a_kind / sizeof *numbers_of_a_kind)

/* Lets anybody in, and answers the first command with a column of the type DOUBLE. */
static void answer_with_numbers(struct impostor *impostor, int connection)
{
  static const char column[] = "\3def\0\0\0\1v\0\x0c\x3f\0\x20\0\0\0\5\0\0\x1f\0", end[] = "\xfe\0\0\2";
  unsigned char number = 1;
  if (!greet(connection, PLUGIN_AUTH) || !impostor_hear(impostor, connection))
    return;
  send_packet(connection, 2, ok, sizeof ok);
  if (!impostor_hear(impostor, connection))
    return;
  send_packet(connection, number++, "\1", 1);
  send_packet(connection, number++, column, sizeof column);
  send_packet(connection, number++, end, sizeof end);
  for (size_t i = 0; i < NUMBERS; i++) {
    char row[32];
    const char *text = numbers_of_a_kind[i];
    send_packet(connection, number++, row, (size_t)snprintf(row, sizeof row, "%c%s", (char)strlen(text), text));
  }
  send_packet(connection, number++, end, sizeof end);
  impostor_hear_all(impostor, connection);
}

static void test_a_number_that_is_none_leaves_the_reply_json(void **state)
{
  struct impostor impostor;
  (void)state;
  impostor_start(&impostor, answer_with_numbers);
  pool_t *pool = pool_on(impostor.port, "reset=none");
  pool_lease_t lease = get_lease(pool);
  expect_call(lease, "SELECT v", "", 0,
              "\"types\":[\"double\"],\"rows\":[[\"-inf\"],[\"-nan\"],[\"--5\"],[\"-\"],[\"-\\\"x\"],[-0],[-1.5e-7],"
              "[\"-007\"],[7],[\"\"]],");
  put_lease(lease);
  end_pool(pool);
  impostor_stop(&impostor);
}

static struct gate hearing;

/* Lets anybody in, and hears nothing until the gate is open. */
static void let_in_and_stop_hearing(struct impostor *impostor, int connection)
{
  if (!greet(connection, PLUGIN_AUTH) || !impostor_hear(impostor, connection))
    return;
  send_packet(connection, 2, ok, sizeof ok);
  gate_pass(&hearing);
}

/* Sends until nothing more can be sent. */
static void fill_socket(MYSQL *mysql)
{
  static const char bytes[65536];
  struct pollfd socket = {.fd = mysql_get_socket(mysql), .events = POLLOUT};
  do
    while (send(socket.fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
      ;
  while (poll(&socket, 1, 100) > 0); /* what was sent may still move on */
}

static void test_a_close_does_not_wait_for_room_to_say_good_bye(void **state)
{
  struct impostor impostor;
  (void)state;
  gate_init(&hearing, false);
  impostor_start(&impostor, let_in_and_stop_hearing);
  pool_t *pool = pool_on(impostor.port, "");
  pool_lease_t lease = get_lease(pool);
  fill_socket(pool_conn(lease));
  assert_int_equal(pool_mark_unusable(lease), 0);
  put_lease(lease);
  end_pool(pool);
  gate_set(&hearing, true);
  impostor_stop(&impostor);
}

static struct gate farewell; /* open: it may be said */

/* Lets anybody in, then says unasked that the session has ended. */
static void say_farewell(struct impostor *impostor, int connection)
{
  static const char killed[] = "\xff\x87\x07#70100Connection was killed";
  if (!greet(connection, PLUGIN_AUTH) || !impostor_hear(impostor, connection))
    return;
  send_packet(connection, 2, ok, sizeof ok);
  gate_pass(&farewell); /* the library would read both packets at once, and look at the first alone */
  send_packet(connection, 0, killed, sizeof killed - 1);
  impostor_hear_all(impostor, connection);
}

static void test_what_a_server_says_unasked_ends_the_connection(void **state)
{
  struct impostor impostor;
  (void)state;
  gate_init(&farewell, false);
  impostor_start(&impostor, say_farewell);
  pool_t *pool = pool_on(impostor.port, "");
  pool_lease_t lease = get_lease(pool);
  gate_set(&farewell, true);
  int descriptor = mysql_get_socket(pool_conn(lease));
  struct pollfd set = {.fd = descriptor, .events = POLLIN};
  assert_int_equal(poll(&set, 1, 10000), 1);
  size_t since = told_so_far();
  put_lease(lease);
  assert_true(was_told("what nobody asked for", since));
  end_pool(pool);
  impostor_stop(&impostor);
}

/* ---- tests: a balancer ---- */

static _Atomic int relayed; /* connections that have ended */

/* Moves bytes one way.  False: that end has closed. */
static bool move(int from, int to)
{
  char bytes[4096];
  ssize_t size = recv(from, bytes, sizeof bytes, 0);
  return size > 0 && impostor_send(to, bytes, (size_t)size);
}

/* Leads a connection to the server, which sees another port than the client's. */
static void lead(int client, bool (*greet_client)(int upstream, int client))
{
  struct sockaddr_in name = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)server.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int upstream = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct pollfd set[] = {{.fd = client, .events = POLLIN}, {.fd = upstream, .events = POLLIN}};
  bool open = connect(upstream, (struct sockaddr *)&name, sizeof name) == 0 && greet_client(upstream, client);
  while (open && poll(set, 2, -1) > 0)
    open = (!set[0].revents || move(client, upstream)) && (!set[1].revents || move(upstream, client));
  close(upstream);
  relayed++;
}

static void relay(struct impostor *impostor, int client)
{
  (void)impostor;
  lead(client, move);
}

/* A call reaches its deadline, and the cancel cannot know whose statement it would end. */
static void expire_behind_a_balancer(const char *url)
{
  int before = relayed;
  pool_t *pool = open_pool(url);
  pool_lease_t lease = get_lease(pool);
  unsigned long id = id_of(lease);
  expect_call(lease, "SELECT SLEEP(1000)", "", POOL_E_TIMEOUT, "the deadline passed");
  put_lease(lease);
  wait_until(relayed == before + 2); /* that of the call, and that of the thread which asks the server */
  assert_true(has_session(id));
  kill_session(id);
  end_pool(pool);
}

static void test_behind_a_balancer_no_statement_is_stopped(void **state)
{
  struct impostor balancer;
  char url[URL_SIZE];
  (void)state;
  impostor_start(&balancer, relay);
  snprintf(url, sizeof url, "mysql://app:" PASSWORD "@127.0.0.1:%d/shop?pool.call_timeout_ms=200", balancer.port);
  expire_behind_a_balancer(url);
  impostor_stop(&balancer);
}

static void test_behind_a_balancer_with_a_unix_socket_no_statement_is_stopped(void **state)
{
  struct impostor balancer;
  char path[96], url[URL_SIZE];
  (void)state;
  snprintf(path, sizeof path, "%s/balancer", server.server.folder);
  impostor_start_unix(&balancer, path, relay);
  snprintf(url, sizeof url, "mysql://app:" PASSWORD "@localhost/shop?pool.call_timeout_ms=200&socket=%s", path);
  expire_behind_a_balancer(url);
  impostor_stop(&balancer);
  unlink(path);
}

/* Hands on the server's greeting, which is one piece, without what this proxy does not know. */
static bool greet_without_tracking(int upstream, int client)
{
  unsigned char greeting[256];
  ssize_t size = recv(upstream, greeting, sizeof greeting, 0);
  const unsigned char *version = greeting + 5, *end = size > 5 ? memchr(version, 0, (size_t)size - 5) : NULL;
  if (!end)
    return false;
  greeting[end - greeting + 19] &= (unsigned char)~(CLIENT_SESSION_TRACKING >> 16);
  return impostor_send(client, greeting, (size_t)size);
}

static void relay_without_tracking(struct impostor *impostor, int client)
{
  (void)impostor;
  lead(client, greet_without_tracking);
}

static void test_behind_a_proxy_that_tracks_nothing_the_database_is_chosen_again(void **state)
{
  static const char *const resets[] = {"connection", "change_user", "rollback"};
  struct impostor proxy;
  (void)state;
  impostor_start(&proxy, relay_without_tracking);
  for (int i = 0; i < 6; i++) {
    char url[URL_SIZE];
    snprintf(url, sizeof url, "mysql://app:" PASSWORD "@127.0.0.1:%d/%s?reset=%s", proxy.port, i < 3 ? "shop" : "",
             resets[i % 3]);
    pool_t *pool = open_pool(url);
    pool_lease_t lease = get_lease(pool);
    unsigned long id = id_of(lease);
    assert_false(((MYSQL *)pool_conn(lease))->server_capabilities & CLIENT_SESSION_TRACKING);
    ask_lease(lease, "USE other");
    put_lease(lease);
    lease = get_lease(pool);
    assert_int_equal(id_of(lease), id);
    assert_string_equal(ask_lease(lease, "SELECT DATABASE()"), i < 3 ? "shop" : "NULL");
    put_lease(lease);
    end_pool(pool);
  }
  impostor_stop(&proxy);
}

/* ---- tests: fork and threads ---- */

static void test_a_child_of_fork_has_connections_of_its_own(void **state)
{
  (void)state;
  pool_t *pool = pool_with("ssl_mode=required&pool.max_open=2");
  pool_lease_t leases[2];
  int status;
  leases_get(pool, leases, 2);
  unsigned long id = id_of(leases[1]);
  put_lease(leases[0]);
  pid_t child = fork();
  if (child == 0) {
    pool_lease_t own = pool_get_for(pool, 10000);
    must(own > 0);
    MYSQL *mysql = pool_conn(own);
    must(mysql_thread_id(mysql) != id && mysql_ping(mysql) == 0);
    must(pool_put(own) == 0);
    must(pool_close(pool, 10000) == 0);
    _exit(0);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_string_equal(ask_lease(leases[1], "SELECT 10"), "10");
  put_lease(leases[1]);
  put_lease(get_lease(pool));
  end_pool(pool);
}

static int aborted_sessions(void)
{
  return atoi(ask(admin, "SELECT variable_value FROM information_schema.global_status WHERE variable_name = "
                         "'ABORTED_CLIENTS'"));
}

/* A child of fork may have a copy of the socket.  A session that ends without a goodbye is counted as aborted. */
static void test_a_connection_ends_at_once_though_there_is_a_copy(void **state)
{
  static const char *const modes[] = {"ssl_mode=required", "ssl_mode=disabled"};
  char byte;
  (void)state;
  for (int i = 0; i < 2; i++) {
    int before = aborted_sessions();
    pool_t *pool = pool_with(modes[i]);
    pool_lease_t lease = get_lease(pool);
    unsigned long id = id_of(lease);
    int copy = dup(mysql_get_socket(pool_conn(lease)));
    put_lease(lease);
    server_freeze(&server.server);
    end_pool(pool);
    ssize_t got = recv(copy, &byte, 1, MSG_DONTWAIT);
    server_thaw(&server.server);
    assert_int_equal(got, 0);
    wait_until(!has_session(id));
    assert_int_equal(aborted_sessions(), before);
    close(copy);
  }
}

static void *use_many_times(void *data)
{
  pool_t *pool = data;
  char args[32], row[32];
  for (int i = 0; i < 40; i++) {
    pool_bytes_t reply = {NULL, 0};
    pool_error_t error = POOL_ERROR_INIT;
    pool_lease_t lease = pool_get(pool);
    must(lease > 0);
    snprintf(args, sizeof args, "[%d]", i);
    snprintf(row, sizeof row, "[[%d]]", i);
    pool_bytes_t given = {args, strlen(args)};
    must(pool_call(lease, "SELECT ?", given, &reply, &error) == 0);
    must(memmem(reply.data, reply.size, row, strlen(row)));
    pool_bytes_free(&reply);
    must(mysql_query(pool_conn(lease), "SET @mine = CONNECTION_ID()") == 0);
    must(pool_put(lease) == 0);
  }
  return NULL;
}

static void test_many_threads_use_few_connections(void **state)
{
  (void)state;
  pool_t *pool = pool_with("pool.max_open=3&pool.check_after_ms=0");
  pthread_t threads[6];
  threads_start(threads, 6, use_many_times, pool);
  threads_end(threads, 6);
  assert_in_range(stats_of(pool).opened, 1, 3);
  end_pool(pool);
}

/* ---- tests: the driver ---- */

static int find_mysql(void *user, const pool_driver_info_t *driver)
{
  if (strcmp(driver->name, "mysql") != 0)
    return 0;
  assert_string_equal(driver->schemes, "mysql mariadb");
  assert_non_null(strstr(driver->needs, "libmariadb 3."));
  assert_string_equal(driver->problem, "");
  *(bool *)user = true;
  return 0;
}

static void test_the_driver_says_what_it_is(void **state)
{
  bool found = false;
  (void)state;
  assert_true(pool_drivers(find_mysql, &found) > 0);
  assert_true(found);
}

/* ---- tests: a network that fails ---- */

static const char *const plain = "ssl_mode=disabled", *const secret = "ssl_mode=required";

/* A pool of the server behind a proxy. */
static pool_t *pool_through(const struct proxy *proxy, const char *tls, const char *rest)
{
  char parameters[256];
  snprintf(parameters, sizeof parameters, "pool.check_after_ms=0&%s%s", tls, rest);
  return pool_on(proxy->port, parameters);
}

static void fall_silent_in_a_call(struct proxy *proxy, const char *tls, enum proxy_order silence)
{
  pool_t *pool = pool_through(proxy, tls, "&pool.call_timeout_ms=50");
  pool_lease_t lease = get_lease(pool);
  proxy_do(proxy, silence);
  expect_call(lease, "SELECT 1", "", POOL_E_TIMEOUT, "the deadline passed");
  put_lease(lease);
  assert_int_equal(stats_of(pool).open, 0);
  proxy_do(proxy, PROXY_PASS);
  put_lease(get_lease(pool));
  end_pool(pool);
}

static void fall_silent_in_a_reset(struct proxy *proxy, const char *tls, enum proxy_order silence)
{
  pool_t *pool = pool_through(proxy, tls, "&reset_timeout_ms=50");
  pool_lease_t lease = get_lease(pool);
  ask_lease(lease, "START TRANSACTION");
  proxy_do(proxy, silence);
  size_t since = told_so_far();
  put_lease(lease);
  assert_true(was_told("resetting the session: the deadline passed", since));
  assert_int_equal(stats_of(pool).open, 0);
  proxy_do(proxy, PROXY_PASS);
  put_lease(get_lease(pool));
  end_pool(pool);
}

/* Neither the check nor the new connection after it has an answer. */
static void fall_silent_in_a_check(struct proxy *proxy, const char *tls, enum proxy_order silence)
{
  pool_t *pool = pool_through(proxy, tls, "&pool.check_timeout_ms=50");
  put_lease(get_lease(pool));
  proxy_do(proxy, silence);
  size_t since = told_so_far();
  pool_lease_t lease = pool_get_for(pool, 250);
  assert_true(lease == POOL_E_TIMEOUT || lease == POOL_E_OPEN);
  assert_true(was_told("asking whether the server is there: the deadline passed", since));
  proxy_do(proxy, PROXY_PASS);
  put_lease(get_lease(pool));
  end_pool(pool);
}

/* One is closed while it is idle, one in a statement, and one while more is to be sent than the network takes. */
static void fall_silent_in_a_close(struct proxy *proxy, const char *tls, enum proxy_order silence)
{
  pool_t *pool = pool_through(proxy, tls, "&reset=none");
  pool_lease_t idle = get_lease(pool), asker = get_lease(pool), sender = get_lease(pool);
  proxy_do(proxy, silence);
  assert_int_equal(mysql_send_query(pool_conn(asker), "SELECT 1", 8), 0);
  if (silence == PROXY_HOLD)
    fill_socket(pool_conn(sender));
  assert_int_equal(pool_mark_unusable(asker), 0);
  assert_int_equal(pool_mark_unusable(sender), 0);
  put_lease(asker);
  put_lease(sender);
  put_lease(idle);
  assert_int_equal(stats_of(pool).open, 1);
  end_pool(pool);
  proxy_do(proxy, PROXY_CUT); /* what the server was sent is no statement */
}

static void test_no_deadline_is_passed_where_the_network_falls_silent(void **state)
{
  static void (*const falls[])(struct proxy * proxy, const char *tls, enum proxy_order silence) = {
      fall_silent_in_a_call, fall_silent_in_a_reset, fall_silent_in_a_check, fall_silent_in_a_close};
  struct proxy proxy;
  (void)state;
  proxy_start(&proxy, server.port);
  for (size_t i = 0; i < sizeof falls / sizeof *falls; i++) {
    falls[i](&proxy, plain, PROXY_HOLD);
    falls[i](&proxy, secret, PROXY_HOLD);
    falls[i](&proxy, secret, PROXY_MUTE);
  }
  proxy_end(&proxy);
}

/* The network is away, and forgets the connections. */
static void test_a_network_that_was_cut_costs_one_failed_check(void **state)
{
  struct proxy proxy;
  pool_lease_t leases[6];
  (void)state;
  proxy_start(&proxy, server.port);
  for (int i = 0; i < 2; i++) {
    pool_t *pool = pool_through(&proxy, plain, "&pool.max_open=6&pool.check_timeout_ms=100");
    leases_get(pool, leases, 6);
    leases_put(leases, 6);
    proxy_do(&proxy, PROXY_HOLD);
    if (i)
      assert_true(pool_get_for(pool, 500) < 0);
    proxy_do(&proxy, PROXY_LOSE);
    leases_get(pool, leases, 6);
    for (int j = 0; j < 6; j++)
      assert_string_equal(ask_lease(leases[j], "SELECT 1"), "1");
    assert_int_equal(stats_of(pool).check_failures, 1);
    leases_put(leases, 6);
    end_pool(pool);
  }
  proxy_end(&proxy);
}

static void test_a_slow_network_is_only_slow(void **state)
{
  static const enum proxy_order orders[] = {PROXY_DRIP, PROXY_LATE};
  (void)state;
  for (int i = 0; i < 2; i++) {
    struct proxy proxy;
    proxy_start(&proxy, server.port);
    proxy_do(&proxy, orders[i]);
    pool_t *pool = pool_through(&proxy, i ? secret : plain, "");
    pool_lease_t lease = get_lease(pool);
    unsigned long id = id_of(lease);
    assert_string_equal(ask_lease(lease, "SELECT 41 + 1"), "42");
    put_lease(lease);
    lease = get_lease(pool);
    assert_int_equal(id_of(lease), id);
    expect_call(lease, "SELECT 43", "", 0, "[[43]]");
    put_lease(lease);
    assert_int_equal(stats_of(pool).checks, 1);
    end_pool(pool);
    proxy_end(&proxy);
  }
}

static void test_half_an_answer_and_a_reset_end_the_connection(void **state)
{
  struct proxy proxy;
  (void)state;
  proxy_start(&proxy, server.port);
  for (int i = 0; i < 2; i++) {
    pool_t *pool = pool_through(&proxy, i ? secret : plain, "");
    pool_lease_t caller = get_lease(pool), leaver = get_lease(pool), idle = get_lease(pool);
    put_lease(idle);
    proxy_do(&proxy, PROXY_HALF);
    expect_call(caller, "SELECT 1", "", POOL_E_BROKEN, "");
    put_lease(leaver);
    put_lease(caller);
    expect_no_lease(pool_get_for(pool, 30000), POOL_E_OPEN, "");
    wait_until(stats_of(pool).open == 0); /* what is dead is closed in the background */
    proxy_do(&proxy, PROXY_PASS);
    put_lease(get_lease(pool));
    end_pool(pool);
  }
  proxy_end(&proxy);
}

/* ---- tests: failover ---- */

static void make_another_server(struct mysql_server *other)
{
  mysql_server_make(other);
  MYSQL *mysql = administrator_of(other);
  ask(mysql, "CREATE DATABASE shop");
  ask(mysql, "CREATE USER app@'%' IDENTIFIED BY '" PASSWORD "'");
  ask(mysql, "GRANT ALL ON shop.* TO app@'%'");
  mysql_close(mysql);
}

static void test_the_second_server_serves_all_callers_of_the_first(void **state)
{
  struct mysql_server first;
  char url[URL_SIZE];
  pool_lease_t leases[CALLERS];
  (void)state;
  make_another_server(&first);
  snprintf(url, sizeof url,
           "mysql://app:" PASSWORD "@127.0.0.1:%d,127.0.0.1:%d/shop?pool.max_open=%d&pool.check_after_ms=0", first.port,
           server.port, CALLERS);
  pool_t *pool = open_pool(url);
  leases_get(pool, leases, CALLERS);
  leases_put(leases, CALLERS);
  server_kill(&first.server);
  put_lease(get_lease(pool));
  callers_serve(pool);
  assert_int_equal(stats_of(pool).check_failures, 1);
  pool_lease_t lease = get_lease(pool);
  assert_int_equal(atoi(ask_lease(lease, "SELECT @@port")), server.port);
  put_lease(lease);
  end_pool(pool);
  mysql_server_remove(&first);
}

static void test_no_password_was_told_anywhere(void **state)
{
  (void)state;
  assert_true(was_told("mysql", 0));
  assert_false(was_told(PASSWORD, 0));
  assert_false(was_told(OTHER_PASSWORD, 0));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_connection_is_the_users_own_handle),
      cmocka_unit_test(test_a_unix_socket_is_named_by_a_parameter_or_by_the_host),
      cmocka_unit_test(test_parameters_reach_the_session),
      cmocka_unit_test(test_a_server_cannot_ask_for_a_file_unless_the_url_allows_it),
      cmocka_unit_test(test_a_wrong_url_is_refused_before_anything_is_connected_to),
      cmocka_unit_test(test_a_reply_has_the_types_and_all_digits),
      cmocka_unit_test(test_a_parameter_keeps_its_type_and_its_digits),
      cmocka_unit_test(test_a_number_that_the_server_would_change_is_not_sent),
      cmocka_unit_test(test_a_reply_says_what_was_affected),
      cmocka_unit_test(test_of_several_results_the_first_with_columns_is_the_reply),
      cmocka_unit_test(test_an_error_of_the_server_leaves_the_connection_good),
      cmocka_unit_test(test_a_call_is_refused_where_it_cannot_be_right),
      cmocka_unit_test(test_a_reply_above_the_limit_ends_the_connection),
      cmocka_unit_test(test_a_call_that_times_out_is_ended_at_the_server),
      cmocka_unit_test(test_rows_without_end_do_not_pass_the_deadline),
      cmocka_unit_test(test_long_texts_go_both_ways),
      cmocka_unit_test(test_an_async_call_ends_once_with_its_reply),
      cmocka_unit_test(test_an_async_call_keeps_its_deadline),
      cmocka_unit_test(test_calls_that_time_out_at_one_time_all_end_at_the_server),
      cmocka_unit_test(test_calls_that_time_out_at_a_full_server_all_end_there),
      cmocka_unit_test(test_a_server_that_began_anew_ends_no_statement_for_the_one_before),
      cmocka_unit_test(test_a_session_is_put_back),
      cmocka_unit_test(test_no_function_of_a_user_is_called_for_the_next),
      cmocka_unit_test(test_a_session_without_a_database_has_none_again),
      cmocka_unit_test(test_a_user_that_was_changed_is_changed_back),
      cmocka_unit_test(test_a_transaction_is_rolled_back_by_the_cheap_reset_too),
      cmocka_unit_test(test_without_a_reset_a_transaction_ends_its_connection),
      cmocka_unit_test(test_unread_results_end_their_connection),
      cmocka_unit_test(test_a_statement_that_was_only_sent_ends_its_connection),
      cmocka_unit_test(test_an_answer_of_any_length_leaves_its_connection_good),
      cmocka_unit_test(test_a_compressed_answer_of_any_length_leaves_its_connection_good),
      cmocka_unit_test(test_a_statement_that_is_left_prepared_does_no_harm),
      cmocka_unit_test(test_a_wrong_password_is_said_and_no_other_server_is_tried),
      cmocka_unit_test(test_a_password_that_was_changed_ends_what_logs_in_again),
      cmocka_unit_test(test_a_failed_init_statement_is_not_quoted),
      cmocka_unit_test(test_an_init_statement_without_end_does_not_pass_the_deadline),
      cmocka_unit_test(test_a_full_server_says_so_and_serves_when_there_is_room),
      cmocka_unit_test(test_sessions_that_the_server_ended_are_found_by_the_check),
      cmocka_unit_test(test_an_idle_session_that_the_server_timed_out_is_replaced),
      cmocka_unit_test(test_a_killed_session_breaks_a_call_and_is_not_lent_again),
      cmocka_unit_test(test_a_server_that_was_killed_is_used_again_when_it_is_back),
      cmocka_unit_test(test_a_server_that_hangs_keeps_nobody_beyond_his_deadline),
      cmocka_unit_test(test_the_next_server_is_tried_when_one_is_dead_or_silent),
      cmocka_unit_test(test_tls_checks_the_certificate_as_the_url_says),
      cmocka_unit_test(test_an_error_that_the_program_left_in_openssl_is_none_of_a_connection),
      cmocka_unit_test(test_a_program_may_end_while_connections_are_opened),
      cmocka_unit_test(test_no_error_of_openssl_is_left_to_the_program),
      cmocka_unit_test(test_what_is_no_server_is_an_error_in_time),
      cmocka_unit_test(test_an_open_that_is_late_says_in_which_phase),
      cmocka_unit_test(test_an_open_says_its_phases),
      cmocka_unit_test(test_a_server_without_tls_hears_nothing_where_tls_is_asked_for),
      cmocka_unit_test(test_a_server_without_plugins_cannot_relax_tls),
      cmocka_unit_test(test_a_server_that_asks_for_the_password_in_clear_does_not_get_it),
      cmocka_unit_test(test_a_password_that_a_server_repeats_is_not_told),
      cmocka_unit_test(test_a_garbled_answer_breaks_the_connection),
      cmocka_unit_test(test_no_call_follows_one_whose_answer_was_garbled),
      cmocka_unit_test(test_a_number_that_is_none_leaves_the_reply_json),
      cmocka_unit_test(test_a_close_does_not_wait_for_room_to_say_good_bye),
      cmocka_unit_test(test_what_a_server_says_unasked_ends_the_connection),
      cmocka_unit_test(test_behind_a_balancer_no_statement_is_stopped),
      cmocka_unit_test(test_behind_a_balancer_with_a_unix_socket_no_statement_is_stopped),
      cmocka_unit_test(test_behind_a_proxy_that_tracks_nothing_the_database_is_chosen_again),
      cmocka_unit_test(test_a_child_of_fork_has_connections_of_its_own),
      cmocka_unit_test(test_a_connection_ends_at_once_though_there_is_a_copy),
      cmocka_unit_test(test_many_threads_use_few_connections),
      cmocka_unit_test(test_the_driver_says_what_it_is),
      cmocka_unit_test(test_no_deadline_is_passed_where_the_network_falls_silent),
      cmocka_unit_test(test_a_network_that_was_cut_costs_one_failed_check),
      cmocka_unit_test(test_a_slow_network_is_only_slow),
      cmocka_unit_test(test_half_an_answer_and_a_reset_end_the_connection),
      cmocka_unit_test(test_the_second_server_serves_all_callers_of_the_first),
      cmocka_unit_test(test_no_password_was_told_anywhere),
  };
  return cmocka_run_group_tests(tests, make_server, remove_server);
}
