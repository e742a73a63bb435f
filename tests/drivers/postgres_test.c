/* SPDX-License-Identifier: MIT */
/*
 * The driver postgres against a real server, which the program starts once for all tests, and against sockets that only
 * look like one.
 */
#include "support.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pool/driver.h>
#include <pool/postgres.h>

#include "callers.h"
#include "dozer.h"
#include "impostor.h"
#include "opened.h"
#include "phases.h"
#include "postgres_server.h"
#include "proxy.h"

#define PASSWORD       "open-sesame-4711"
#define OTHER_PASSWORD "mellon-0815"

static struct postgres postgres;

/* ---- pools ---- */

/* A URL of the server, on its Unix socket; `rest` begins with '&'. */
static const char *url_of(char url[URL_SIZE], const char *rest)
{
  snprintf(url, URL_SIZE, "postgres:///postgres?user=" POSTGRES_USER "&host=%s&port=%d%s", postgres.server.folder,
           postgres.port, rest);
  return url;
}

static pool_t *pool_with(const char *rest)
{
  char url[URL_SIZE];
  return open_pool(url_of(url, rest));
}

static int process_of(pool_lease_t lease)
{
  return PQbackendPID(pool_conn(lease));
}

/* ---- statements ---- */

static void execute(PGconn *conn, const char *sql)
{
  PGresult *result = PQexec(conn, sql);
  ExecStatusType status = PQresultStatus(result);
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
    fail_msg("%s: %s", sql, PQerrorMessage(conn));
  PQclear(result);
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

/* A session beside the pools. */
static PGconn *observer(void)
{
  char port[16];
  snprintf(port, sizeof port, "%d", postgres.port);
  PGconn *conn = PQsetdbLogin(postgres.server.folder, port, NULL, NULL, "postgres", POSTGRES_USER, NULL);
  if (PQstatus(conn) != CONNECTION_OK)
    fail_msg("%s", PQerrorMessage(conn));
  return conn;
}

static void as_observer(const char *sql)
{
  PGconn *conn = observer();
  execute(conn, sql);
  PQfinish(conn);
}

static void terminate(int process)
{
  char sql[80];
  snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d, 10000)", process);
  as_observer(sql);
}

static void await_end_of_session(int process)
{
  char sql[80];
  PGconn *conn = observer();
  snprintf(sql, sizeof sql, "SELECT count(*) FROM pg_stat_activity WHERE pid = %d", process);
  wait_until(value(conn, sql) == 0);
  PQfinish(conn);
}

static int call(pool_lease_t lease, const char *sql, const char *args, pool_bytes_t *reply, pool_error_t *error)
{
  int code = pool_call(lease, sql, (pool_bytes_t){(void *)args, strlen(args)}, reply, error);
  tell(error->message);
  return code;
}

static void expect_reply(pool_lease_t lease, const char *sql, const char *args, const char *expected)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_bytes_t reply = {NULL, 0};
  if (call(lease, sql, args, &reply, &error) != 0)
    fail_msg("%s: %s", sql, error.message);
  assert_string_equal(reply.data, expected);
  assert_int_equal(reply.size, strlen(expected));
  pool_bytes_free(&reply);
}

static void expect_failure(pool_lease_t lease, const char *sql, const char *args, int expected, const char *text)
{
  pool_error_t error = POOL_ERROR_INIT;
  int code = call(lease, sql, args, NULL, &error);
  if (code != expected || !strstr(error.message, text))
    fail_msg("%s: %d: %s", sql, code, error.message);
}

/* ---- lent and lent again ---- */

static void test_postgres__a_connection_is_opened_lent_and_lent_again(void **state)
{
  (void)state;
  pool_t *pool = pool_with("&pool.check_after_ms=0");
  pool_lease_t lease = get_lease(pool);
  int process = process_of(lease);
  assert_int_equal(value(pool_conn(lease), "SELECT 41 + 1"), 42);
  put_lease(lease);
  lease = get_lease(pool);
  assert_int_equal(process_of(lease), process);
  put_lease(lease);
  assert_int_equal(stats_of(pool).checks, 1);
  end_pool(pool);
}

static const char *example; /* the program of examples/postgres.c */

static void test_postgres__the_example_says_what_it_should(void **state)
{
  (void)state;
  char url[URL_SIZE], command[2 * URL_SIZE], said[200] = "";
  snprintf(command, sizeof command, "'%s' '%s'", example, url_of(url, ""));
  FILE *output = popen(command, "r");
  assert_non_null(output);
  assert_non_null(fgets(said, sizeof said, output));
  assert_int_equal(pclose(output), 0);
  assert_string_equal(said, "postgres says 42\n");
}

static void test_postgres__hosts_in_the_url_and_in_the_environment(void **state)
{
  (void)state;
  char url[URL_SIZE], encoded[128] = "";
  for (const char *at = postgres.server.folder; *at; at++)
    snprintf(encoded + strlen(encoded), 4, *at == '/' ? "%%2F" : "%c", *at);
  const char *const forms[] = {"postgres://" POSTGRES_USER "@%s:%d/postgres",
                               "postgresql://" POSTGRES_USER "@%s:%d/postgres?application_name=x"};
  for (size_t i = 0; i < 4; i++) {
    const char *host = i < 2 ? encoded : i == 2 ? "localhost" : "127.0.0.1";
    snprintf(url, sizeof url, forms[i % 2], host, postgres.port);
    pool_t *pool = open_pool(url);
    put_lease(get_lease(pool));
    end_pool(pool);
  }
  setenv("PGHOST", postgres.server.folder, 1);
  snprintf(url, sizeof url, "%d", postgres.port);
  setenv("PGPORT", url, 1);
  pool_t *pool = open_pool("postgres:///postgres?user=" POSTGRES_USER);
  unsetenv("PGHOST");
  unsetenv("PGPORT");
  put_lease(get_lease(pool));
  end_pool(pool);
}

/* ---- what a user leaves behind ---- */

static void leave_transaction(PGconn *conn)
{
  execute(conn, "BEGIN");
}

static void leave_failed_transaction(PGconn *conn)
{
  execute(conn, "BEGIN");
  PQclear(PQexec(conn, "SELECT 1 / 0"));
  assert_int_equal(PQtransactionStatus(conn), PQTRANS_INERROR);
}

static void leave_settings(PGconn *conn)
{
  PQsetnonblocking(conn, 1);
  PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
}

static void leave_copy_in(PGconn *conn)
{
  PQclear(PQexec(conn, "CREATE TEMP TABLE copied (text text)"));
  PQclear(PQexec(conn, "COPY copied FROM STDIN"));
}

static void leave_copy_out(PGconn *conn)
{
  PQclear(PQexec(conn, "COPY (SELECT generate_series(1, 1000)) TO STDOUT"));
}

static void leave_results(PGconn *conn)
{
  assert_true(PQsendQuery(conn, "SELECT 1"));
}

static void leave_some_results(PGconn *conn)
{
  assert_true(PQsendQuery(conn, "SELECT generate_series(1, 1000)"));
  assert_true(PQsetSingleRowMode(conn));
  PQclear(PQgetResult(conn));
}

static void leave_pipeline(PGconn *conn)
{
  assert_true(PQenterPipelineMode(conn));
}

static void leave_statement(PGconn *conn)
{
  assert_true(PQsendQuery(conn, "SELECT pg_sleep(100)"));
}

static void test_postgres__what_is_lent_is_clean(void **state)
{
  (void)state;
  static const struct {
    void (*leave)(PGconn *conn);
    bool kept;
  } users[] = {{leave_transaction, true},   {leave_failed_transaction, true}, {leave_settings, true},
               {leave_copy_in, false},      {leave_copy_out, false},          {leave_results, false},
               {leave_some_results, false}, {leave_pipeline, false},          {leave_statement, false}};
  pool_t *pool = pool_with("&pool.max_open=1");
  for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
    pool_lease_t lease = get_lease(pool);
    int process = process_of(lease);
    users[i].leave(pool_conn(lease));
    put_lease(lease);
    lease = get_lease(pool);
    PGconn *conn = pool_conn(lease);
    assert_int_equal(process_of(lease) == process, users[i].kept);
    assert_int_equal(PQtransactionStatus(conn), PQTRANS_IDLE);
    assert_int_equal(PQpipelineStatus(conn), PQ_PIPELINE_OFF);
    assert_false(PQisnonblocking(conn));
    assert_int_equal(PQsetErrorVerbosity(conn, PQERRORS_DEFAULT), PQERRORS_DEFAULT);
    assert_null(PQgetResult(conn));
    assert_int_equal(value(conn, "SELECT 7"), 7);
    put_lease(lease);
  }
  assert_true(was_told("a COPY or unread results", 0));
  assert_true(was_told("in pipeline mode", 0));
  end_pool(pool);
}

static int count_sleepers(PGconn *conn)
{
  return value(conn, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(100)' AND state = 'active' "
                     "AND pid <> pg_backend_pid()");
}

static void test_postgres__a_statement_that_was_left_is_cancelled(void **state)
{
  (void)state;
  PGconn *conn = observer();
  pool_t *pool = pool_with("");
  pool_lease_t lease = get_lease(pool);
  leave_statement(pool_conn(lease));
  wait_until(count_sleepers(conn) > 0);
  put_lease(lease);
  wait_until(count_sleepers(conn) == 0);
  end_pool(pool);
  PQfinish(conn);
}

static void test_postgres__what_a_user_set_stays_unless_it_is_discarded(void **state)
{
  (void)state;
  static const char *const rests[] = {"&reset=rollback", "&reset=discard", "&reset_statement=RESET%20work_mem"};
  for (int i = 0; i < 3; i++) {
    pool_t *pool = pool_with(rests[i]);
    pool_lease_t lease = get_lease(pool);
    int process = process_of(lease);
    execute(pool_conn(lease), "SET work_mem = '77kB'");
    execute(pool_conn(lease), "CREATE TEMP TABLE mine (id int)");
    execute(pool_conn(lease), "BEGIN");
    put_lease(lease);
    lease = get_lease(pool);
    PGconn *conn = pool_conn(lease);
    assert_int_equal(process_of(lease), process);
    assert_int_equal(value(conn, "SELECT pg_size_bytes(current_setting('work_mem')) / 1024") == 77, i == 0);
    assert_int_equal(value(conn, "SELECT count(to_regclass('mine'))"), i == 1 ? 0 : 1);
    put_lease(lease);
    end_pool(pool);
  }
}

static void hear_notice(void *heard, const PGresult *result)
{
  (void)result;
  ++*(int *)heard;
}

static void hear_line_of_notice(void *heard, const char *text)
{
  (void)text;
  ++*(int *)heard;
}

static void test_postgres__no_function_of_a_user_is_called_for_the_next(void **state)
{
  (void)state;
  static const char *const resets[] = {"", "&reset=discard"};
  static const char notice[] = "DO $$ BEGIN RAISE NOTICE 'heard'; END $$";
  for (int i = 0; i < 2; i++) {
    int heard = 0, heard_later = 0;
    pool_t *pool = pool_with(resets[i]);
    pool_lease_t lease = get_lease(pool);
    int process = process_of(lease);
    PQsetNoticeReceiver(pool_conn(lease), hear_notice, &heard);
    execute(pool_conn(lease), notice);
    assert_int_equal(heard, 1);
    put_lease(lease);
    lease = get_lease(pool);
    assert_int_equal(process_of(lease), process);
    execute(pool_conn(lease), notice);
    assert_int_equal(heard, 1);
    PQsetNoticeProcessor(pool_conn(lease), hear_line_of_notice, &heard_later); /* what libpq's own receiver calls */
    execute(pool_conn(lease), notice);
    assert_int_equal(heard_later, 1);
    put_lease(lease);
    end_pool(pool);
  }
}

static void test_postgres__a_reset_that_fails_closes_the_connection(void **state)
{
  (void)state;
  static const char *const statements[] = {"SELECT%201/0", "BEGIN", "COPY%20pg_class%20TO%20STDOUT",
                                           "SELECT%20pg_sleep(100)&reset_timeout_ms=50"};
  for (int i = 0; i < 4; i++) {
    char rest[128];
    snprintf(rest, sizeof rest, "&reset_statement=%s", statements[i]);
    pool_t *pool = pool_with(rest);
    put_lease(get_lease(pool));
    assert_int_equal(stats_of(pool).open, 0);
    end_pool(pool);
  }
}

/* ---- the check ---- */

/* Waits until the server has sent something on its own. */
static void await_bytes(PGconn *conn)
{
  struct pollfd set = {.fd = PQsocket(conn), .events = POLLIN};
  assert_int_equal(poll(&set, 1, 10000), 1);
}

static void test_postgres__a_terminated_session_is_not_lent_and_says_why(void **state)
{
  (void)state;
  pool_t *pool = pool_with("&pool.check_after_ms=0");
  pool_lease_t lease = get_lease(pool);
  PGconn *conn = pool_conn(lease);
  int process = process_of(lease);
  put_lease(lease);
  size_t since = told_so_far();
  terminate(process);
  await_bytes(conn);
  lease = get_lease(pool);
  assert_int_not_equal(process_of(lease), process);
  assert_true(was_told("FATAL: terminating connection due to administrator command", since));
  put_lease(lease);
  assert_int_equal(stats_of(pool).check_failures, 1);
  end_pool(pool);
}

static void test_postgres__a_session_that_was_idle_for_too_long_is_not_lent(void **state)
{
  (void)state;
  pool_t *pool =
      pool_with("&pool.check_after_ms=0&options=-c%20idle_session_timeout%3D300"); /* not over before the put */
  pool_lease_t lease = get_lease(pool);
  int process = process_of(lease);
  size_t since = told_so_far();
  put_lease(lease);
  await_end_of_session(process);
  put_lease(get_lease(pool));
  assert_true(was_told("idle-session timeout", since));
  end_pool(pool);
}

static void test_postgres__notifications_and_notices_leave_a_connection_good(void **state)
{
  (void)state;
  pool_t *pool = pool_with("&pool.check_after_ms=0");
  pool_lease_t lease = get_lease(pool);
  PGconn *conn = pool_conn(lease);
  int process = process_of(lease);
  execute(conn, "LISTEN news");
  put_lease(lease);
  as_observer("NOTIFY news, 'good'");
  await_bytes(conn);
  lease = get_lease(pool);
  assert_int_equal(process_of(lease), process);
  assert_null(PQnotifies(conn));
  execute(conn, "DO $$ BEGIN RAISE WARNING 'nobody is to see this'; END $$");
  put_lease(lease);
  assert_int_equal(stats_of(pool).check_failures, 0);
  end_pool(pool);
}

static void test_postgres__no_check_and_no_open_waits_longer_than_it_may(void **state)
{
  (void)state;
  pool_t *pool = pool_with("&pool.check_after_ms=0&pool.check_timeout_ms=100"), *other = pool_with("");
  put_lease(get_lease(pool));
  put_lease(get_lease(other));
  server_freeze(&postgres.server);
  size_t since = told_so_far();
  pool_lease_t lease = pool_get_for(pool, 400);
  bool checked = was_told("checking the connection: the server did not answer in time", since);
  int closed = pool_close(other, -1); /* nor does a close */
  server_thaw(&postgres.server);
  assert_true(lease == POOL_E_TIMEOUT || lease == POOL_E_OPEN);
  assert_true(checked);
  assert_int_equal(closed, 0);
  pool_free(other);
  put_lease(get_lease(pool));
  end_pool(pool);
}

static void test_postgres__no_call_and_no_put_waits_for_a_server_that_hangs(void **state)
{
  (void)state;
  pool_t *pool = pool_with("&pool.call_timeout_ms=100&reset_timeout_ms=100");
  pool_lease_t caller = get_lease(pool), leaver = get_lease(pool), asker = get_lease(pool);
  PGresult *result = NULL;
  pool_error_t error = POOL_ERROR_INIT;
  leave_transaction(pool_conn(leaver));
  server_freeze(&postgres.server);
  size_t since = told_so_far();
  int called = call(caller, "SELECT 1", "", NULL, &error);
  int asked = pool_postgres_query(pool_conn(asker), "SELECT 1", now_ns() + 50000000, &result, &error);
  bool shut = PQstatus(pool_conn(asker)) == CONNECTION_BAD;
  pool_put(caller);
  pool_put(leaver);
  pool_put(asker);
  bool reset = was_told("ROLLBACK: the server did not answer in time", since);
  server_thaw(&postgres.server);
  assert_int_equal(called, POOL_E_TIMEOUT);
  assert_int_equal(asked, POOL_E_TIMEOUT);
  assert_true(shut);
  assert_true(reset);
  assert_int_equal(stats_of(pool).open, 0);
  put_lease(get_lease(pool));
  end_pool(pool);
}

/* ---- several servers ---- */

static void expect_open(const char *format, int first_port)
{
  char url[URL_SIZE];
  snprintf(url, sizeof url, format, first_port, postgres.port);
  pool_t *pool = open_pool(url);
  pool_lease_t lease;
  wait_until((lease = pool_get(pool)) > 0); /* the first get may be too slow where much else runs */
  assert_int_equal(value(pool_conn(lease), "SELECT 1"), 1);
  put_lease(lease);
  end_pool(pool);
}

#define TWO "postgres://" POSTGRES_USER "@127.0.0.1:%d,127.0.0.1:%d/postgres?"

static void test_postgres__a_dead_or_mute_server_leaves_time_for_the_next(void **state)
{
  (void)state;
  struct impostor mute;
  impostor_start(&mute, impostor_hear_all);
  expect_open(TWO, server_free_port());
  expect_open("postgres://" POSTGRES_USER "@localhost:%d,localhost:%d/postgres", server_free_port());
  expect_open(TWO "pool.get_timeout_ms=600", mute.port);
  expect_open(TWO "hostaddr=127.0.0.1,127.0.0.1&pool.get_timeout_ms=600", mute.port);
  expect_open("postgres:///postgres?user=" POSTGRES_USER "&hostaddr=127.0.0.1,127.0.0.1&port=%d,%d"
              "&target_session_attrs=prefer-standby",
              server_free_port());
  impostor_stop(&mute);
}

static void test_postgres__a_name_that_nobody_knows_is_one_server_of_several(void **state)
{
  (void)state;
  char url[URL_SIZE];
  snprintf(url, sizeof url, "postgres://" POSTGRES_USER "@no-such-host.invalid,127.0.0.1:%d/postgres", postgres.port);
  expect_open("postgres://" POSTGRES_USER "@no-such-host.invalid:%d,127.0.0.1:%d/postgres", 5432);
  pool_t *pool = open_pool("postgres://" POSTGRES_USER "@no-such-host.invalid/postgres");
  expect_no_lease(pool_get(pool), POOL_E_OPEN, "looking up no-such-host.invalid");
  end_pool(pool);
}

static void test_postgres__servers_of_the_wrong_kind_are_passed_over(void **state)
{
  (void)state;
  static const struct {
    const char *kind;
    const char *problem; /* NULL: it is the right kind */
  } kinds[] = {{"any", NULL},
               {"read-write", NULL},
               {"primary", NULL},
               {"prefer-standby", NULL},
               {"standby", "not in hot standby mode"},
               {"read-only", "not read-only"}};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    char rest[80];
    snprintf(rest, sizeof rest, "&target_session_attrs=%s", kinds[i].kind);
    pool_t *pool = pool_with(rest);
    if (kinds[i].problem)
      expect_no_lease(pool_get(pool), POOL_E_OPEN, kinds[i].problem);
    else
      put_lease(get_lease(pool));
    end_pool(pool);
  }
}

/* Which of two servers is taken. */
static int port_for(const char *kind, int first, int second)
{
  char url[URL_SIZE];
  snprintf(url, sizeof url, TWO "target_session_attrs=%s", first, second, kind);
  pool_t *pool = open_pool(url);
  pool_lease_t lease = get_lease(pool);
  int port = atoi(PQport(pool_conn(lease)));
  put_lease(lease);
  end_pool(pool);
  return port;
}

static struct postgres standby; /* runs while a test needs it */

static void start_the_standby(void)
{
  if (standby.port)
    postgres_start(&standby);
  else
    postgres_make_standby(&standby, &postgres);
}

static void test_postgres__of_two_servers_the_right_kind_is_found(void **state)
{
  (void)state;
  start_the_standby();
  int first = postgres.port, second = standby.port;
  assert_int_equal(port_for("any", second, first), second);
  assert_int_equal(port_for("primary", second, first), first);
  assert_int_equal(port_for("read-write", second, first), first);
  assert_int_equal(port_for("standby", first, second), second);
  assert_int_equal(port_for("read-only", first, second), second);
  assert_int_equal(port_for("prefer-standby", first, second), second);
  server_kill(&standby.server);
  assert_int_equal(port_for("prefer-standby", second, first), first);
}

static void test_postgres__connect_timeout_is_for_each_server(void **state)
{
  (void)state;
  struct impostor mute;
  impostor_start(&mute, impostor_hear_all);
  expect_open(TWO "connect_timeout=1&pool.get_timeout_ms=60000", mute.port);
  impostor_stop(&mute);
}

/* ---- logging in ---- */

static const char *url_of_locked(char url[URL_SIZE], const char *password)
{
  snprintf(url, URL_SIZE, "postgres://locked:%s@127.0.0.1:%d/postgres", password, postgres.port);
  return url;
}

static void test_postgres__a_password_is_wrong_or_changes(void **state)
{
  (void)state;
  char url[URL_SIZE];
  as_observer("CREATE ROLE locked LOGIN PASSWORD '" PASSWORD "'");
  pool_t *pool = open_pool(url_of_locked(url, PASSWORD));
  pool_lease_t lease = get_lease(pool);
  pool_t *wrong = open_pool(url_of_locked(url, OTHER_PASSWORD));
  expect_no_lease(pool_get(wrong), POOL_E_OPEN, "password authentication failed for user \"locked\"");
  as_observer("ALTER ROLE locked PASSWORD '" OTHER_PASSWORD "'");
  assert_int_equal(value(pool_conn(lease), "SELECT 5"), 5); /* who is logged in stays so */
  put_lease(get_lease(wrong));
  assert_int_equal(pool_mark_unusable(lease), 0);
  put_lease(lease);
  expect_no_lease(pool_get(pool), POOL_E_OPEN, "password authentication failed");
  end_pool(pool);
  end_pool(wrong);
}

/* The second server is not asked. */
static void test_postgres__a_wrong_password_is_not_tried_at_every_server(void **state)
{
  (void)state;
  char url[URL_SIZE];
  snprintf(url, sizeof url, "postgres://locked:wrong-" PASSWORD "@127.0.0.1:%d,no-such-host.invalid/postgres",
           postgres.port);
  pool_t *pool = open_pool(url);
  size_t since = told_so_far();
  expect_no_lease(pool_get(pool), POOL_E_OPEN, "password authentication failed");
  assert_false(was_told("no-such-host.invalid", since));
  end_pool(pool);
}

static void test_postgres__a_full_server_says_so(void **state)
{
  (void)state;
  as_observer("CREATE ROLE guest LOGIN CONNECTION LIMIT 2");
  char url[URL_SIZE];
  snprintf(url, sizeof url, "postgres://guest@127.0.0.1:%d/postgres", postgres.port);
  pool_t *pool = open_pool(url);
  pool_lease_t leases[2];
  leases_get(pool, leases, 2);
  size_t since = told_so_far();
  do /* again, for a connection may take longer than a get */
    assert_int_equal(pool_get_for(pool, 2000), POOL_E_TIMEOUT); /* it waits for what others put */
  while (!was_told("too many connections for role", since));
  leases_put(leases, 2);
  end_pool(pool);
}

static void test_postgres__a_full_cluster_says_so(void **state)
{
  (void)state;
  as_observer("CREATE ROLE visitor LOGIN");
  char url[URL_SIZE];
  snprintf(url, sizeof url, "postgres://visitor@127.0.0.1:%d/postgres?pool.max_open=50", postgres.port);
  pool_t *pool = open_pool(url);
  pool_lease_t leases[50], lease;
  int count = 0;
  size_t since = told_so_far();
  /* A get may also end because a connection takes long. */
  while (!was_told("non-replication superuser connections", since) && !was_told("too many clients", since)) {
    if ((lease = pool_get_for(pool, 600)) > 0)
      leases[count++] = lease;
    assert_true(count < 50);
  }
  assert_true(count > 2);
  leases_put(leases, count);
  end_pool(pool);
}

static void test_postgres__certificates_are_verified_as_the_url_says(void **state)
{
  (void)state;
  char url[URL_SIZE];
  static const struct {
    const char *host, *mode, *problem;
  } tries[] = {{"127.0.0.1", "require", NULL},
               {"127.0.0.1", "verify-ca", NULL},
               {"localhost", "verify-full", "does not match host name \"localhost\""},
               {"127.0.0.1", "verify-full", "does not match host name"}};
  for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
    snprintf(url, sizeof url, "postgres://" POSTGRES_USER "@%s:%d/postgres?sslmode=%s&sslrootcert=%s/server.crt",
             tries[i].host, postgres.port, tries[i].mode, postgres.server.folder);
    pool_t *pool = open_pool(url);
    if (tries[i].problem) {
      expect_no_lease(pool_get(pool), POOL_E_OPEN, tries[i].problem);
    } else {
      pool_lease_t lease = get_lease(pool);
      assert_true(PQsslInUse(pool_conn(lease)));
      put_lease(lease);
      put_lease(get_lease(pool));
    }
    end_pool(pool);
  }
}

/* What a thread cannot close any more is no leak, which a sanitizer would look for. */
static void expect_good_ends(int times, const char *rest)
{
  char command[URL_SIZE + 300];
  snprintf(command, sizeof command,
           "ASAN_OPTIONS=detect_leaks=0 " LEAVER " 'postgres://" POSTGRES_USER "@127.0.0.1:%d/postgres?%s'",
           postgres.port, rest);
  for (int i = 0; i < times; i++)
    assert_int_equal(system(command), 0);
}

/* What OpenSSL and libkrb5 do when a process ends is not for those that use them. */
static void test_postgres__a_program_may_end_while_connections_are_opened(void **state)
{
  (void)state;
  expect_good_ends(20, "sslmode=require&gssencmode=disable&pool.max_open=10&pool.min_open=10&pool.openers=4");
  expect_good_ends(40, "sslmode=disable&pool.max_open=32&pool.min_open=32&pool.openers=16");
}

/* Over TLS the server's messages on its own are found as well. */
static void test_postgres__a_connection_with_tls_is_checked(void **state)
{
  (void)state;
  char url[URL_SIZE];
  snprintf(url, sizeof url, "postgres://" POSTGRES_USER "@127.0.0.1:%d/postgres?sslmode=require&pool.check_after_ms=0",
           postgres.port);
  pool_t *pool = open_pool(url);
  pool_lease_t lease = get_lease(pool);
  PGconn *conn = pool_conn(lease);
  int process = process_of(lease);
  put_lease(lease);
  lease = get_lease(pool);
  assert_int_equal(process_of(lease), process);
  put_lease(lease);
  size_t since = told_so_far();
  terminate(process);
  await_bytes(conn);
  put_lease(get_lease(pool));
  assert_true(was_told("terminating connection due to administrator command", since));
  end_pool(pool);
}

/* ---- phases ---- */

static void test_postgres__an_open_says_its_phases(void **state)
{
  (void)state;
  char url[URL_SIZE];
  phases_expect(url_of(url, ""), "connect login");
  url_format(url, TWO, server_free_port(), postgres.port);
  phases_expect(url, "connect! connect tls login");
  url_format(url, "postgres://" POSTGRES_USER "@no-such-host.invalid,127.0.0.1:%d/postgres?sslmode=disable",
             postgres.port);
  phases_expect(url, "resolve! connect login");
}

static void answer_yes_and_keep_silent(struct impostor *impostor, int connection)
{
  if (impostor_hear(impostor, connection) && impostor_send(connection, "S", 1))
    impostor_hear_all(impostor, connection);
}

static void test_postgres__an_open_that_is_late_says_in_which_phase(void **state)
{
  (void)state;
  char url[URL_SIZE];
  struct impostor mute, half;
  impostor_start(&mute, impostor_hear_all);
  impostor_start(&half, answer_yes_and_keep_silent);
  url_format(url, "postgres://" POSTGRES_USER "@127.0.0.1:%d/postgres?sslmode=disable", mute.port);
  phases_expect_late(url, "logging in at 127.0.0.1: no answer in time (in phase login)");
  phases_expect_late_check(url, "prepare connect login! open!");
  url_format(url, "postgres://" POSTGRES_USER "@127.0.0.1:%d/postgres?sslmode=require", half.port);
  phases_expect_late(url, "TLS handshake with 127.0.0.1: no answer in time");
  impostor_stop(&half);
  impostor_stop(&mute);
}

static void test_postgres__poolctl_shows_each_phase(void **state)
{
  (void)state;
  char url[URL_SIZE];
  url_format(url, "postgres://" POSTGRES_USER "@127.0.0.1:%d/postgres?sslmode=verify-ca&sslrootcert=%s/server.crt",
             postgres.port, postgres.server.folder);
  phases_expect_check(url, "prepare connect tls login open check reset close");
  url_format(url, "postgres://" POSTGRES_USER "@127.0.0.1:%d/postgres?sslmode=verify-full&sslrootcert=%s/server.crt",
             postgres.port, postgres.server.folder);
  phases_expect_check(url, "prepare connect tls! open!");
}

/* ---- servers of another kind ---- */

struct answer {
  const char *bytes;
  size_t size;
  bool endless;
};

struct hostile {
  struct impostor impostor; /* the first member */
  const struct answer *answer;
  const struct answer *greeting; /* goes before, and is answered; NULL: none */
};

/* Logged in, and ready for a statement. */
static const struct answer welcome = {"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I", 15, false};

/* Asks for the password as it is. */
static const struct answer demand = {"R\0\0\0\x08\0\0\0\3", 9, false};

static void be_hostile(struct impostor *impostor, int client)
{
  const struct hostile *hostile = (const struct hostile *)impostor;
  const struct answer *answer = hostile->answer, *greeting = hostile->greeting;
  /* A client that neither reads nor goes must not keep this thread from its end. */
  setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){.tv_sec = 1}, sizeof(struct timeval));
  bool asked = impostor_hear(impostor, client);
  if (asked && greeting)
    asked = impostor_send(client, greeting->bytes, greeting->size) && impostor_hear(impostor, client);
  while (asked && send(client, answer->bytes, answer->size, MSG_NOSIGNAL) >= 0 && answer->endless)
    ;
  if (greeting)
    impostor_hear(impostor, client);
}

static void hostile_start(struct hostile *hostile, const struct answer *answer, const struct answer *greeting)
{
  *hostile = (struct hostile){.answer = answer, .greeting = greeting};
  impostor_start(&hostile->impostor, be_hostile);
}

static void test_postgres__a_server_of_another_kind_is_none(void **state)
{
  (void)state;
  static const struct answer answers[] = {
      {"HTTP/1.1 400 Bad Request\r\n\r\n", 28, false},
      {"HTTP/1.1 400 Bad Request\r\n\r\n", 28, true},
      {"", 0, false},
      {"-ERR unknown command\r\n", 22, false},
      {"R\0\0\0\x08\0\0\0\0", 9, true},  /* logged in, over and over */
      {"N\0\0\0\x0aSDBG\0\0", 11, true}, /* a notice without end */
      {"E\x7f\xff\xff\xff"
       "SFATAL",
       11, true}, /* an error of 2 GB */
      {"E\0\0\0\x0f"
       "SFATAL\0Mno\0\0",
       16, false},
      {"R\0\0\0\x0c\0\0\0\x05salt", 13, false}, /* asks for the password, and goes */
      {"\xff\xfe\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0", 16, true},
  };
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    struct hostile hostile;
    char url[URL_SIZE];
    hostile_start(&hostile, &answers[i], NULL);
    snprintf(url, sizeof url,
             "postgres://u:" PASSWORD "@127.0.0.1:%d/d?sslmode=disable&gssencmode=disable"
             "&pool.get_timeout_ms=150",
             hostile.impostor.port);
    pool_t *pool = open_pool(url);
    pool_lease_t lease = pool_get(pool);
    assert_true(lease == POOL_E_OPEN || lease == POOL_E_TIMEOUT);
    end_pool(pool);
    impostor_stop(&hostile.impostor);
  }
}

#define ROW_HEAD "T\0\0\0\x1a\0\1v\0\0\0\0\0\0\0\0\0\0\x17\0\4\xff\xff\xff\xff\0\0" /* one int4 */

static void test_postgres__a_server_that_lies_after_the_login_harms_nobody(void **state)
{
  (void)state;
  static const struct answer answers[] = {
      {"D\0\0\0\x0b\0\1\0\0\0\1x", 12, true}, /* a row without columns */
      {"T\0\0\0\x06\x7f\xff", 7, false},      /* columns that do not come */
      {"Z\0\0\0\5I", 6, true},                /* ready, over and over */
      {"E\0\0\0\5\0", 6, true},               /* an error that says nothing */
      {"N\0\0\0\5\0", 6, true},
      {"G\0\0\0\x07\0\0\0", 8, false}, /* a COPY that nobody asked for */
      {"H\0\0\0\x07\0\0\0d\0\0\0\5x", 14, true},
      {"W\0\0\0\x07\0\0\0", 8, false},
      {ROW_HEAD "D\0\0\0\x0c\0\1\0\0\0\2],", 40, true}, /* a number that is none */
      {"H\0\0\0\x07\0\0\0d\0\0\0\5x", 14, false},
      {"C\0\0\0\x0aSELECT\0", 11, true},
      {"\xff\xff\xff\xff\xff", 5, true},
      {"", 0, false},
  };
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    struct hostile hostile;
    char url[URL_SIZE];
    hostile_start(&hostile, &answers[i], &welcome);
    snprintf(url, sizeof url,
             "postgres://u@127.0.0.1:%d/d?sslmode=disable&gssencmode=disable"
             "&pool.call_timeout_ms=100&max_reply_bytes=10000",
             hostile.impostor.port);
    pool_t *pool = open_pool(url);
    pool_lease_t lease = get_lease(pool);
    pool_error_t error = POOL_ERROR_INIT;
    int code = call(lease, "SELECT 1", "", NULL, &error);
    if (code == 0 || !error.message[0])
      fail_msg("answer %zu: %d", i, code);
    put_lease(lease);
    end_pool(pool);
    impostor_stop(&hostile.impostor);
  }
}

static pool_t *pool_of_hostile(const struct hostile *hostile, int timeout_ms)
{
  char url[URL_SIZE];
  snprintf(url, sizeof url,
           "postgres://u:" PASSWORD "@127.0.0.1:%d/d?sslmode=disable&gssencmode=disable&pool.get_timeout_ms=%d",
           hostile->impostor.port, timeout_ms);
  return open_pool(url);
}

/* So many messages in one piece that a client has never read all that is there. */
static struct answer flood_of(const char *message, size_t size)
{
  static char flood[1 << 16];
  size_t filled = 0;
  for (; filled + size <= sizeof flood; filled += size)
    memcpy(flood + filled, message, size);
  return (struct answer){flood, filled, true};
}

static void test_postgres__a_server_that_never_pauses_ends_nothing_but_the_time(void **state)
{
  (void)state;
  struct hostile hostile;
  struct answer flood = flood_of("E\x7f\xff\xff\xff", 5);
  hostile_start(&hostile, &flood, NULL);
  pool_t *pool = pool_of_hostile(&hostile, 150);
  expect_no_lease(pool_get(pool), POOL_E_TIMEOUT, "in time");
  end_pool(pool);
  impostor_stop(&hostile.impostor);
  static const struct answer messages[] = {{"N\0\0\0\5\0", 6, true}, {"C\0\0\0\x0bSELECT\0", 12, true}};
  for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
    pool_error_t error = POOL_ERROR_INIT;
    PGresult *result;
    flood = flood_of(messages[i].bytes, messages[i].size);
    hostile_start(&hostile, &flood, &welcome);
    pool = pool_of_hostile(&hostile, 20000);
    pool_lease_t lease = get_lease(pool);
    int code = pool_postgres_query(pool_conn(lease), "SELECT 1", now_ns() + 150000000, &result, &error);
    if (code != POOL_E_TIMEOUT)
      fail_msg("message %zu: %d: %s", i, code, error.message);
    PQclear(result);
    assert_int_equal(PQstatus(pool_conn(lease)), CONNECTION_BAD);
    put_lease(lease);
    end_pool(pool);
    impostor_stop(&hostile.impostor);
  }
}

static void test_postgres__a_password_that_a_server_repeats_is_not_told(void **state)
{
  (void)state;
  struct hostile hostile;
  static const char refusal[] = "SFATAL\0C28P01\0Mthere is no " PASSWORD " here\0";
  char message[sizeof refusal + 5] = {'E', 0, 0, 0, sizeof refusal + 4};
  memcpy(message + 5, refusal, sizeof refusal);
  const struct answer answer = {message, sizeof message, false};
  hostile_start(&hostile, &answer, &demand);
  pool_t *pool = pool_of_hostile(&hostile, 20000);
  size_t since = told_so_far();
  expect_no_lease(pool_get(pool), POOL_E_OPEN, "there is no *** here");
  assert_false(was_told(PASSWORD, since));
  end_pool(pool);
  impostor_stop(&hostile.impostor);
}

/* ---- calls ---- */

#define HEAD "{\"columns\":[\"v\"],\"types\":["

static void test_postgres__values_keep_their_types_and_digits(void **state)
{
  (void)state;
  static const struct {
    const char *sql, *type, *value;
  } values[] = {
      {"NULL::int", "\"int4\"", "null"},
      {"true", "\"bool\"", "true"},
      {"false", "\"bool\"", "false"},
      {"9223372036854775807", "\"int8\"", "9223372036854775807"},
      {"(-32768)::int2", "\"int2\"", "-32768"},
      {"12345678901234567890.123456789012345678900::numeric", "\"numeric\"",
       "12345678901234567890.123456789012345678900"},
      {"'NaN'::numeric", "\"numeric\"", "\"NaN\""},
      {"'-Infinity'::float8", "\"float8\"", "\"-Infinity\""},
      {"0.1::float8", "\"float8\"", "0.1"},
      {"1e300::float8", "\"float8\"", "1e+300"},
      {"4294967295::oid", "\"oid\"", "4294967295"},
      {"'{\"a\": [1, 2.50, null]}'::json", "\"json\"", "{\"a\": [1, 2.50, null]}"},
      {"'{\"b\":1}'::jsonb", "\"jsonb\"", "{\"b\": 1}"},
      {"'null'::jsonb", "\"jsonb\"", "null"},
      {"'\\x00ff'::bytea", "\"bytea\"", "\"\\\\x00ff\""},
      {"E'a\"\\\\\\n\\t\\x01\\u00e4'::text", "\"text\"", "\"a\\\"\\\\\\n\\t\\u0001\xc3\xa4\""},
      {"'123'::text", "\"text\"", "\"123\""},
      {"ARRAY[1,2]", "\"int4[]\"", "\"{1,2}\""},
      {"'2026-01-02'::date", "\"date\"", "\"2026-01-02\""},
      {"'{}'::tsmultirange", "4533", "\"{}\""},
  };
  pool_t *pool = pool_with("");
  pool_lease_t lease = get_lease(pool);
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    char sql[200], expected[300];
    snprintf(sql, sizeof sql, "SELECT %s AS v", values[i].sql);
    snprintf(expected, sizeof expected, HEAD "%s],\"rows\":[[%s]],\"command\":\"SELECT 1\",\"affected\":1}",
             values[i].type, values[i].value);
    expect_reply(lease, sql, "", expected);
  }
  put_lease(lease);
  end_pool(pool);
}

static void test_postgres__parameters_keep_their_digits(void **state)
{
  (void)state;
  pool_t *pool = pool_with("");
  pool_lease_t lease = get_lease(pool);
  expect_reply(lease, "SELECT $1::numeric AS v", "[12345678901234567890.123]",
               HEAD "\"numeric\"],\"rows\":[[12345678901234567890.123]],\"command\":\"SELECT 1\",\"affected\":1}");
  expect_reply(lease, "SELECT $1::text AS v", "[null]",
               HEAD "\"text\"],\"rows\":[[null]],\"command\":\"SELECT 1\",\"affected\":1}");
  expect_reply(lease, "SELECT $1::bool AND NOT $2 AS v", " [ true , false ] ",
               HEAD "\"bool\"],\"rows\":[[true]],\"command\":\"SELECT 1\",\"affected\":1}");
  expect_reply(lease, "SELECT $1::text AS v", "[\"\\u00e4\\\"],[\\ud83d\\ude00\"]",
               HEAD
               "\"text\"],\"rows\":[[\"\xc3\xa4\\\"],[\xf0\x9f\x98\x80\"]],\"command\":\"SELECT 1\",\"affected\":1}");
  expect_reply(lease, "SELECT $1::jsonb -> 'a' -> 1 AS v", "[{\"a\": [\"]\", {\"b\": \"\\\"\"}]}]",
               HEAD "\"jsonb\"],\"rows\":[[{\"b\": \"\\\"\"}]],\"command\":\"SELECT 1\",\"affected\":1}");
  expect_reply(lease, "SELECT $1 || $2 AS v", "[\"\",\"x\"]",
               HEAD "\"text\"],\"rows\":[[\"x\"]],\"command\":\"SELECT 1\",\"affected\":1}");
  expect_reply(lease, "SELECT 1 AS v WHERE false", "[]",
               HEAD "\"int4\"],\"rows\":[],\"command\":\"SELECT 0\",\"affected\":0}");
  put_lease(lease);
  end_pool(pool);
}

static void test_postgres__commands_say_how_many_rows_they_changed(void **state)
{
  (void)state;
  pool_t *pool = pool_with("");
  pool_lease_t lease = get_lease(pool);
#define NOTHING "{\"columns\":[],\"types\":[],\"rows\":[],\"command\":"
  expect_reply(lease, "CREATE TEMP TABLE seen (id int)", "", NOTHING "\"CREATE TABLE\",\"affected\":null}");
  expect_reply(lease, "INSERT INTO seen SELECT generate_series(1, 3)", "", NOTHING "\"INSERT 0 3\",\"affected\":3}");
  expect_reply(lease, "", "", NOTHING "\"\",\"affected\":null}");
  expect_reply(lease, "DELETE FROM seen WHERE id > $1 RETURNING id, id + 1", "[1]",
               "{\"columns\":[\"id\",\"?column?\"],\"types\":[\"int4\",\"int4\"],\"rows\":[[2,3],[3,4]],"
               "\"command\":\"DELETE 2\",\"affected\":2}");
  put_lease(lease);
  end_pool(pool);
}

static void test_postgres__bad_arguments_are_refused_and_nothing_is_sent(void **state)
{
  (void)state;
  static const char *const bad[] = {
      "{}", "1", "[1",  "[1,]",  "[01]", "x", "[\"\xff\"]", "[\"\\ud800\"]", "[1] []", "\"[\"", "[\"a\\u0000b\"]",
      "[",  "]", "nul", "[nul]", "[1 2]"};
  pool_t *pool = pool_with("");
  pool_lease_t lease = get_lease(pool);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    expect_failure(lease, "SELECT $1", bad[i], POOL_E_INVALID, "parameter");
  char *many = malloc(200000);
  strcpy(many, "[0");
  for (int i = 0, at = 2; i < 65535; i++, at += 2)
    strcpy(many + at, ",0");
  strcat(many, "]");
  expect_failure(lease, "SELECT 1", many, POOL_E_INVALID, "at most 65535");
  free(many);
  assert_int_equal(PQtransactionStatus(pool_conn(lease)), PQTRANS_IDLE);
  execute(pool_conn(lease), "SELECT 1");
  assert_true(PQsendQuery(pool_conn(lease), "SELECT 1"));
  expect_failure(lease, "SELECT 1", "", POOL_E_INVALID, "under way");
  put_lease(lease);
  end_pool(pool);
}

static void test_postgres__errors_of_the_server_leave_the_connection_good(void **state)
{
  (void)state;
  pool_t *pool = pool_with("");
  pool_lease_t lease = get_lease(pool);
  int process = process_of(lease);
  expect_failure(lease, "SELECT 1 / 0", "", POOL_E_REMOTE, "division by zero (SQLSTATE 22012)");
  expect_failure(lease, "SELECT 1 / (3 - g) FROM generate_series(1, 5) AS g", "", POOL_E_REMOTE, "division by zero");
  expect_failure(lease, "SELECT x", "", POOL_E_REMOTE, "column \"x\" does not exist (SQLSTATE 42703)");
  expect_failure(lease, "SELECT 1; SELECT 2", "", POOL_E_REMOTE, "multiple commands");
  expect_failure(lease, "SELECT $1::int", "[\"x\"]", POOL_E_REMOTE, "invalid input syntax");
  expect_failure(lease, "SELECT $1, $2", "[1]", POOL_E_REMOTE, "SQLSTATE");
  expect_failure(lease, "COPY pg_class TO STDOUT", "", POOL_E_REMOTE, "cannot COPY");
  expect_failure(lease, "CREATE TEMP TABLE filled (text text)", "[]", 0, "");
  expect_failure(lease, "COPY filled FROM STDIN", "", POOL_E_REMOTE, "cannot COPY");
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(call(lease, "SELECT 1 / 0", "", NULL, &error), POOL_E_REMOTE);
  assert_int_equal(error.native, POOL_POSTGRES_STATE('2', '2', '0', '1', '2'));
  expect_reply(lease, "SELECT 1 AS v", "", HEAD "\"int4\"],\"rows\":[[1]],\"command\":\"SELECT 1\",\"affected\":1}");
  assert_int_equal(process_of(lease), process);
  put_lease(lease);
  end_pool(pool);
}

static void test_postgres__a_reply_has_a_limit(void **state)
{
  (void)state;
  pool_t *pool = pool_with("&max_reply_bytes=1000");
  pool_lease_t lease = get_lease(pool);
  int process = process_of(lease);
  expect_failure(lease, "SELECT generate_series(1, 1000000000)", "", POOL_E_REMOTE, "larger than max_reply_bytes");
  expect_failure(lease, "SELECT repeat('x', 2000)", "", POOL_E_REMOTE, "larger than max_reply_bytes");
  for (int i = 0; i < 10; i++) { /* no cancel comes so late that it ends the next statement */
    expect_failure(lease, "SELECT generate_series(1, 1000)", "", POOL_E_REMOTE, "larger than max_reply_bytes");
    expect_failure(lease, "SELECT pg_sleep(0.001)", "", 0, "");
  }
  assert_int_equal(process_of(lease), process);
  put_lease(lease);
  end_pool(pool);
}

static void test_postgres__text_that_is_not_utf8_is_replaced(void **state)
{
  (void)state;
  pool_t *pool = pool_with("&client_encoding=LATIN1");
  pool_lease_t lease = get_lease(pool);
  expect_reply(lease, "SELECT 'a' || chr(228) || 'b' AS v", "",
               HEAD "\"text\"],\"rows\":[[\"a\xef\xbf\xbd"
                    "b\"]],\"command\":\"SELECT 1\",\"affected\":1}");
  put_lease(lease);
  end_pool(pool);
}

static void test_postgres__a_parameter_that_the_session_would_misread_is_not_sent(void **state)
{
  (void)state;
  static const char *const args[] = {"[\"a\", \"\u00e4\"]", "[\"a\", \"\\u00e4\"]", "[\"a\", [\"\u00e4\"]]"};
  pool_t *pool = pool_with("&client_encoding=LATIN1");
  pool_lease_t lease = get_lease(pool);
  for (int i = 0; i < 3; i++)
    expect_failure(lease, "SELECT $1::text || $2::text", args[i], POOL_E_UNSUPPORTED,
                   "parameter 2 has characters that the session's client_encoding LATIN1 would change");
  expect_failure(lease, "SELECT $1::text || $2::text", "[\"a\", \"b\"]", 0, "");
  execute(pool_conn(lease), "SET client_encoding TO 'UTF8'");
  for (int i = 0; i < 3; i++)
    expect_failure(lease, "SELECT $1::text || $2::text", args[i], 0, "");
  execute(pool_conn(lease), "SET client_encoding TO 'SQL_ASCII'"); /* the server takes the bytes as they are */
  expect_reply(lease, "SELECT length($1::text) AS v", "[\"\u00e4\"]",
               HEAD "\"int4\"],\"rows\":[[1]],\"command\":\"SELECT 1\",\"affected\":1}");
  put_lease(lease);
  end_pool(pool);
}

static void test_postgres__a_call_ends_at_its_deadline_and_at_the_server(void **state)
{
  (void)state;
  PGconn *conn = observer();
  pool_t *pool = pool_with("&pool.call_timeout_ms=100");
  pool_lease_t lease = get_lease(pool);
  expect_failure(lease, "SELECT pg_sleep(100)", "", POOL_E_TIMEOUT, "asked to cancel the statement");
  wait_until(count_sleepers(conn) == 0);
  put_lease(lease);
  lease = get_lease(pool);
  expect_failure(lease, "SELECT generate_series(1, 100000000000)", "", POOL_E_TIMEOUT, "deadline passed");
  put_lease(lease);
  put_lease(get_lease(pool));
  end_pool(pool);
  PQfinish(conn);
}

struct late_call {
  pool_lease_t lease;
  int code;
  atomic_int ended;
};

static void *call_late(void *data)
{
  struct late_call *late = data;
  pool_error_t error = POOL_ERROR_INIT;
  late->code = pool_call(late->lease, "SELECT 1 FROM pg_advisory_lock(7)", (pool_bytes_t){"", 0}, NULL, &error);
  late->ended = 1;
  return NULL;
}

static bool is_idle(PGconn *other, int process)
{
  char sql[96];
  snprintf(sql, sizeof sql, "SELECT count(*) FROM pg_stat_activity WHERE pid = %d AND state = 'idle'", process);
  return value(other, sql) == 1;
}

/* The caller gets no processor from before the answer until after the deadline.  False: it was too late for that, as
   where much else runs. */
static bool expect_answer_after_doze(pool_t *pool, PGconn *other)
{
  int64_t deadline_ns = now_ns() + INT64_C(2000000000);
  struct late_call late = {.lease = get_lease(pool), .code = 1};
  int process = process_of(late.lease);
  execute(other, "SELECT pg_advisory_lock(7)");
  pthread_t thread = thread_start(call_late, &late);
  wait_until(late.ended ||
             value(other, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == 1);
  bool dozes = dozer_stop(thread, &late.ended) && now_ns() < deadline_ns;
  execute(other, "SELECT pg_advisory_unlock(7)");
  wait_until(!dozes || is_idle(other, process));
  wait_until(now_ns() > deadline_ns + INT64_C(1000000000)); /* that of the call is later than this one */
  dozer_wake();
  pthread_join(thread, NULL);
  if (dozes)
    assert_int_equal(late.code, 0);
  put_lease(late.lease);
  return dozes;
}

static void test_postgres__an_answer_that_came_in_time_is_read_after_the_deadline(void **state)
{
  (void)state;
  PGconn *other = observer();
  pool_t *pool = pool_with("&pool.call_timeout_ms=2000");
  wait_until(expect_answer_after_doze(pool, other));
  end_pool(pool);
  PQfinish(other);
}

static void test_postgres__a_call_on_a_terminated_session_is_broken_and_suspects_the_others(void **state)
{
  (void)state;
  pool_t *pool = pool_with("&pool.max_open=5");
  pool_lease_t leases[5];
  int processes[5];
  leases_get(pool, leases, 5);
  for (int i = 0; i < 5; i++)
    processes[i] = process_of(leases[i]);
  for (int i = 0; i < 5; i++)
    terminate(processes[i]);
  leases_put(leases + 1, 4);
  expect_failure(leases[0], "SELECT 1", "", POOL_E_BROKEN, "terminating connection due to administrator command");
  put_lease(leases[0]);
  leases_get(pool, leases, 5);
  for (int i = 0; i < 5; i++)
    expect_failure(leases[i], "SELECT 1", "", 0, "");
  assert_int_equal(stats_of(pool).check_failures, 1);
  leases_put(leases, 5);
  end_pool(pool);
}

/* ---- calls that nobody waits for ---- */

struct ends {
  _Atomic int count;
  _Atomic int codes[64]; /* how many ended with -code */
  char last[300];
};

static void note_end(void *user, int32_t code, pool_bytes_t reply)
{
  struct ends *ends = user;
  must(code <= 0 && code > -64);
  if (reply.data)
    snprintf(ends->last, sizeof ends->last, "%s", (const char *)reply.data);
  pool_bytes_free(&reply);
  atomic_fetch_add(&ends->codes[-code], 1);
  atomic_fetch_add(&ends->count, 1);
}

static void go(pool_lease_t lease, const char *sql, struct ends *ends)
{
  assert_true(pool_go(lease, sql, (pool_bytes_t){NULL, 0}, note_end, ends) > 0);
}

static void test_postgres__many_calls_are_under_way_at_one_time(void **state)
{
  (void)state;
  struct ends ends = {0};
  pool_t *pool = pool_with("&pool.max_open=10");
  for (int i = 0; i < 100; i++) {
    pool_lease_t lease = get_lease(pool);
    go(lease, "SELECT repeat('x', 20000)", &ends);
    put_lease(lease); /* it is lent again when the call is done */
  }
  wait_until(atomic_load(&ends.count) == 100);
  assert_int_equal(ends.codes[0], 100);
  end_pool(pool);
}

static void test_postgres__a_call_that_nobody_waits_for_fails_as_others_do(void **state)
{
  (void)state;
  struct ends ends = {0};
  PGconn *conn = observer();
  pool_t *pool = pool_with(""), *hasty = pool_with("&pool.call_timeout_ms=50");
  pool_lease_t lease = get_lease(pool), hasty_lease = get_lease(hasty);
  go(lease, "SELECT x", &ends);
  wait_until(atomic_load(&ends.count) == 1);
  assert_string_equal(ends.last, "{\"message\":\"column \\\"x\\\" does not exist\",\"code\":\"42703\","
                                 "\"severity\":\"ERROR\",\"detail\":null,\"hint\":null,\"constraint\":null,"
                                 "\"position\":8}");
  assert_int_equal(ends.codes[-POOL_E_REMOTE], 1);
  go(hasty_lease, "SELECT pg_sleep(100)", &ends);
  wait_until(atomic_load(&ends.count) == 2);
  assert_int_equal(ends.codes[-POOL_E_TIMEOUT], 1);
  put_lease(hasty_lease);
  end_pool(hasty);
  wait_until(count_sleepers(conn) == 0);
  terminate(process_of(lease));
  go(lease, "SELECT 1", &ends);
  wait_until(atomic_load(&ends.count) == 3);
  assert_int_equal(ends.codes[-POOL_E_BROKEN], 1);
  assert_true(pool_go(lease, "SELECT 1", (pool_bytes_t){(void *)"{", 1}, note_end, &ends) < 0);
  put_lease(lease);
  end_pool(pool);
  PQfinish(conn);
}

/* As when the server has become slow: all reach their deadline at one time. */
static void test_postgres__calls_that_end_at_one_time_all_end_at_the_server(void **state)
{
  (void)state;
  enum { CALLS = 20 };
  struct ends ends = {0};
  pool_lease_t leases[CALLS];
  PGconn *conn = observer();
  pool_t *pool = pool_with("&pool.max_open=20&pool.call_timeout_ms=1000");
  leases_get(pool, leases, CALLS);
  for (int i = 0; i < CALLS; i++)
    go(leases[i], "SELECT pg_sleep(100)", &ends);
  wait_until(atomic_load(&ends.count) == CALLS);
  assert_int_equal(ends.codes[-POOL_E_TIMEOUT], CALLS);
  wait_until(count_sleepers(conn) == 0);
  leases_put(leases, CALLS);
  end_pool(pool);
  PQfinish(conn);
}

/* ---- pool/postgres.h ---- */

/* Queries that end just when their deadline passes: no cancel ends the next one. */
static void test_postgres__a_cancel_meets_the_query_that_it_is_for_or_none(void **state)
{
  (void)state;
  pool_t *pool = pool_with("");
  for (int i = 0; i < 30; i++) {
    pool_error_t error = POOL_ERROR_INIT;
    pool_lease_t lease = get_lease(pool);
    PGconn *conn = pool_conn(lease);
    int code = pool_postgres_query(conn, "SELECT pg_sleep(0.005)", now_ns() + 5000000 + i * 100000, NULL, &error);
    assert_true(code == 0 || code == POOL_E_TIMEOUT);
    if (PQstatus(conn) == CONNECTION_OK)
      execute(conn, "SELECT pg_sleep(0.002)");
    put_lease(lease);
  }
  end_pool(pool);
}

/* A query reaches its deadline, and the session goes on; but where much else runs, the server may need longer than it
   has for the cancel. */
static pool_lease_t expire_in_session(pool_t *pool)
{
  for (int i = 0; i < 5; i++) {
    pool_error_t error = POOL_ERROR_INIT;
    PGresult *result = NULL;
    pool_lease_t lease = get_lease(pool);
    int code = pool_postgres_query(pool_conn(lease), "SELECT pg_sleep(100)", now_ns() + 50000000, &result, &error);
    assert_int_equal(code, POOL_E_TIMEOUT);
    assert_null(result);
    if (PQstatus(pool_conn(lease)) == CONNECTION_OK)
      return lease;
    put_lease(lease);
  }
  fail_msg("the server ends no statement that is cancelled");
  return 0;
}

/* Whether a stopped process has the request to cancel before it. */
static bool is_interrupted(int process)
{
  char path[64], line[128];
  unsigned long long pending = 0, of_thread;
  snprintf(path, sizeof path, "/proc/%d/status", process);
  FILE *status = fopen(path, "r");
  assert_non_null(status);
  while (fgets(line, sizeof line, status))
    if (sscanf(line, "SigPnd: %llx", &of_thread) == 1 || sscanf(line, "ShdPnd: %llx", &of_thread) == 1)
      pending |= of_thread;
  fclose(status);
  return pending & 1ULL << (SIGINT - 1);
}

static void *go_on_when_interrupted(void *process)
{
  wait_until(is_interrupted(*(int *)process));
  kill(*(int *)process, SIGCONT);
  return NULL;
}

/* A server that had no processor for the statement takes the request to cancel for nothing, and then runs the
   statement. */
static void expire_before_the_statement(pool_lease_t lease, void (*expire)(pool_lease_t lease))
{
  PGconn *other = observer();
  int process = process_of(lease);
  pthread_t thread;
  assert_int_equal(kill(process, SIGSTOP), 0);
  assert_int_equal(pthread_create(&thread, NULL, go_on_when_interrupted, &process), 0);
  expire(lease);
  pthread_join(thread, NULL);
  wait_until(count_sleepers(other) == 0);
  PQfinish(other);
}

static void expire_a_query(pool_lease_t lease)
{
  assert_int_equal(pool_postgres_query(pool_conn(lease), "SELECT pg_sleep(100)", now_ns() + 50000000, NULL, NULL),
                   POOL_E_TIMEOUT);
}

static void expire_a_call(pool_lease_t lease)
{
  expect_failure(lease, "SELECT pg_sleep(100)", "", POOL_E_TIMEOUT, "asked to cancel the statement");
}

static void test_postgres__a_cancel_that_comes_before_its_statement_is_sent_again(void **state)
{
  (void)state;
  pool_t *pool = pool_with("&pool.call_timeout_ms=50");
  pool_lease_t lease = get_lease(pool);
  expire_before_the_statement(lease, expire_a_query);
  put_lease(lease);
  lease = get_lease(pool);
  expire_before_the_statement(lease, expire_a_call);
  put_lease(lease);
  end_pool(pool);
}

static void test_postgres__a_query_of_the_program_ends_at_its_deadline(void **state)
{
  (void)state;
  PGconn *other = observer();
  pool_error_t error = POOL_ERROR_INIT;
  PGresult *result = NULL;
  pool_t *pool = pool_with("");
  pool_lease_t lease = expire_in_session(pool);
  PGconn *conn = pool_conn(lease);
  int process = process_of(lease);
  wait_until(count_sleepers(other) == 0); /* also in the sessions before it */
  assert_int_equal(pool_postgres_query(conn, "SELECT 1; SELECT 2 AS two", POOL_NO_DEADLINE, &result, &error), 0);
  assert_string_equal(PQgetvalue(result, 0, 0), "2");
  PQclear(result);
  assert_false(PQisnonblocking(conn));
  assert_int_equal(value(conn, "SELECT 3"), 3);
  assert_int_equal(pool_postgres_query(conn, "SELECT 1 / 0", POOL_NO_DEADLINE, &result, &error), POOL_E_REMOTE);
  assert_int_equal(error.native, POOL_POSTGRES_STATE('2', '2', '0', '1', '2'));
  assert_int_equal(PQresultStatus(result), PGRES_FATAL_ERROR);
  PQclear(result);
  assert_int_equal(pool_postgres_query(conn, "", POOL_NO_DEADLINE, NULL, NULL), 0);
  assert_int_equal(pool_postgres_query(conn, NULL, 0, NULL, &error), POOL_E_INVALID);
  assert_int_equal(pool_postgres_query(NULL, "", 0, NULL, &error), POOL_E_INVALID);
  put_lease(lease);
  lease = get_lease(pool);
  assert_int_equal(process_of(lease), process);
  terminate(process);
  assert_int_equal(pool_postgres_query(conn, "SELECT 1", POOL_NO_DEADLINE, &result, &error), POOL_E_BROKEN);
  assert_non_null(strstr(error.message, "administrator command"));
  assert_int_equal(pool_mark_broken(lease), 0);
  put_lease(lease);
  end_pool(pool);
  PQfinish(other);
}

static void test_postgres__a_query_whose_deadline_has_passed_is_not_sent(void **state)
{
  (void)state;
  pool_error_t error = POOL_ERROR_INIT;
  PGresult *result = NULL;
  pool_t *pool = pool_with("");
  pool_lease_t lease = get_lease(pool);
  PGconn *conn = pool_conn(lease);
  assert_int_equal(pool_postgres_query(conn, "CREATE TEMP TABLE late (n int)", now_ns() - 1, &result, &error),
                   POOL_E_TIMEOUT);
  assert_non_null(strstr(error.message, "before the statement was sent"));
  assert_null(result);
  assert_int_equal(value(conn, "SELECT count(to_regclass('late'))"), 0);
  put_lease(lease);
  end_pool(pool);
}

/* Runs SQL that has ended at the server when its deadline passes, as all answers are late by then.  Where much else
   runs, the statement may end later than its deadline, or the cancel be too slow for the session to go on: then it is
   another session's turn. */
static pool_lease_t query_late(pool_t *pool, struct proxy *proxy, const char *sql, int code, PGresult **result)
{
  for (int i = 0; i < 10; i++) {
    pool_lease_t lease = get_lease(pool);
    PGconn *conn = pool_conn(lease);
    proxy_do(proxy, PROXY_LATE);
    int ended = pool_postgres_query(conn, sql, now_ns() + 20000000, result, NULL);
    proxy_do(proxy, PROXY_PASS);
    bool is_broken = PQstatus(conn) != CONNECTION_OK;
    if (ended == code && is_broken == (code == POOL_E_TIMEOUT))
      return lease;
    assert_int_equal(ended, POOL_E_TIMEOUT);
    assert_null(*result);
    put_lease(lease);
  }
  fail_msg("no session ended so: %s", sql);
  return 0;
}

static void test_postgres__a_query_that_was_done_before_the_cancel_says_how_it_ended(void **state)
{
  (void)state;
  struct proxy proxy;
  char url[URL_SIZE];
  PGresult *result = NULL;
  proxy_start(&proxy, postgres.port);
  snprintf(url, sizeof url, "postgres://" POSTGRES_USER "@127.0.0.1:%d/postgres?sslmode=disable&gssencmode=disable",
           proxy.port);
  pool_t *pool = open_pool(url);
  proxy.late_ms = 100;
  pool_lease_t lease = query_late(pool, &proxy, "CREATE TEMP TABLE late (n int)", 0, &result);
  assert_string_equal(PQcmdStatus(result), "CREATE TABLE");
  PQclear(result);
  assert_int_equal(value(pool_conn(lease), "SELECT count(to_regclass('late'))"), 1);
  put_lease(lease);
  lease = query_late(pool, &proxy, "SELECT 1 / 0", POOL_E_REMOTE, &result);
  assert_string_equal(PQresultErrorField(result, PG_DIAG_SQLSTATE), "22012");
  PQclear(result);
  put_lease(lease);
  /* A COPY has begun, so no other statement could be sent. */
  put_lease(query_late(pool, &proxy, "COPY (SELECT 1) TO STDOUT", POOL_E_TIMEOUT, &result));
  end_pool(pool);
  proxy_end(&proxy);
}

/* Calls to a server that answers nothing any more: as long as there is a thread for it, one tries to cancel each. */
static pool_t *hold_up_cancels(struct proxy *proxy, int count)
{
  enum { MOST = 16 };
  struct ends ends = {0};
  char url[URL_SIZE];
  pool_lease_t leases[MOST];
  snprintf(url, sizeof url,
           "postgres://" POSTGRES_USER "@127.0.0.1:%d/postgres?sslmode=disable&gssencmode=disable&pool.max_open=%d"
           "&pool.call_timeout_ms=100",
           proxy->port, MOST);
  pool_t *pool = open_pool(url);
  leases_get(pool, leases, count);
  proxy_do(proxy, PROXY_HOLD);
  for (int i = 0; i < count; i++)
    go(leases[i], "SELECT 1", &ends);
  wait_until(atomic_load(&ends.count) == count);
  leases_put(leases, count);
  return pool;
}

/* A query ends by itself, soon behind its deadline.  Where much else runs, that may be too late for its session. */
static void end_late(pool_t *pool)
{
  bool good = false;
  for (int i = 0; i < 5 && !good; i++) {
    pool_lease_t lease = get_lease(pool);
    int code = pool_postgres_query(pool_conn(lease), "SELECT pg_sleep(0.1)", now_ns() + 20000000, NULL, NULL);
    good = code == 0 && PQstatus(pool_conn(lease)) == CONNECTION_OK;
    put_lease(lease);
  }
  assert_true(good);
}

/* What has ended by itself need not be cancelled, so it does not wait for a thread that does so.  Two servers that are
   silent have all of these. */
static void test_postgres__a_server_that_is_silent_keeps_no_statement_of_another_from_its_end(void **state)
{
  (void)state;
  struct proxy proxies[2];
  pool_t *silent[2], *pool = pool_with("&max_reply_bytes=1000&pool.call_timeout_ms=20000");
  for (int i = 0; i < 2; i++) {
    proxy_start(&proxies[i], postgres.port);
    silent[i] = hold_up_cancels(&proxies[i], 8);
  }
  pool_lease_t lease = get_lease(pool);
  int process = process_of(lease);
  expect_failure(lease, "SELECT generate_series(1, 100000)", "", POOL_E_REMOTE, "larger than max_reply_bytes");
  expect_failure(lease, "COPY pg_class TO STDOUT", "", POOL_E_REMOTE, "cannot COPY");
  expect_failure(lease, "SELECT 1", "", 0, "");
  assert_int_equal(process_of(lease), process);
  put_lease(lease);
  end_late(pool);
  end_pool(pool);
  for (int i = 0; i < 2; i++) {
    end_pool(silent[i]);
    proxy_end(&proxies[i]);
  }
}

static void test_postgres__a_server_that_is_silent_has_not_all_threads_that_cancel(void **state)
{
  (void)state;
  struct proxy proxy;
  proxy_start(&proxy, postgres.port);
  pool_t *silent = hold_up_cancels(&proxy, 16), *pool = pool_with("");
  pool_lease_t lease = get_lease(pool);
  assert_int_equal(pool_postgres_query(pool_conn(lease), "SELECT pg_sleep(60)", now_ns() + 20000000, NULL, NULL),
                   POOL_E_TIMEOUT);
  assert_int_equal(PQstatus(pool_conn(lease)), CONNECTION_OK); /* so the server has ended the statement */
  put_lease(lease);
  end_pool(pool);
  end_pool(silent);
  proxy_end(&proxy);
}

/* ---- the server ends and comes back ---- */

static void test_postgres__a_killed_server_costs_one_failed_check(void **state)
{
  (void)state;
  pool_t *pool = pool_with("&pool.max_open=6");
  pool_lease_t leases[6];
  leases_get(pool, leases, 6);
  leases_put(leases, 6);
  pool_lease_t lease = get_lease(pool);
  server_kill(&postgres.server);
  expect_failure(lease, "SELECT 1", "", POOL_E_BROKEN, "server closed the connection unexpectedly");
  put_lease(lease);
  expect_no_lease(pool_get(pool), POOL_E_OPEN, "Is the server running");
  postgres_start(&postgres);
  leases_get(pool, leases, 6);
  for (int i = 0; i < 6; i++)
    expect_failure(leases[i], "SELECT 1", "", 0, "");
  assert_int_equal(stats_of(pool).check_failures, 1);
  leases_put(leases, 6);
  end_pool(pool);
}

/* ---- threads ---- */

struct storm {
  pool_t *pool;
  _Atomic int good;
};

static void *storm_main(void *data)
{
  struct storm *storm = data;
  for (int i = 0; i < 12; i++) {
    pool_lease_t lease = pool_get(storm->pool);
    must(lease > 0);
    PGconn *conn = pool_conn(lease);
    must(PQtransactionStatus(conn) == PQTRANS_IDLE);
    pool_error_t error = POOL_ERROR_INIT;
    if (i % 4 == 0)
      must(pool_call(lease, "SELECT 1", (pool_bytes_t){NULL, 0}, NULL, &error) == 0);
    else if (i % 4 == 1)
      PQclear(PQexec(conn, "BEGIN"));
    else if (i % 4 == 2)
      must(PQsendQuery(conn, "SELECT 1"));
    else
      must(pool_postgres_query(conn, "SELECT 1", now_ns() + INT64_C(20000000000), NULL, &error) == 0);
    must(pool_put(lease) == 0);
    atomic_fetch_add(&storm->good, 1);
  }
  return NULL;
}

static void test_postgres__threads_that_leave_anything_behind_meet_clean_connections(void **state)
{
  (void)state;
  struct storm storm = {.pool = pool_with("&pool.max_open=4&pool.openers=2&pool.check_after_ms=0")};
  pthread_t threads[6];
  threads_start(threads, 6, storm_main, &storm);
  threads_end(threads, 6);
  assert_int_equal(storm.good, 72);
  end_pool(storm.pool);
}

static void test_postgres__a_child_leaves_the_sessions_of_its_parent_alone(void **state)
{
  (void)state;
  struct ends ends = {0};
  pool_t *pool = pool_with("");
  pool_lease_t lease = get_lease(pool);
  int process = process_of(lease);
  go(lease, "SELECT 1", &ends);
  wait_until(atomic_load(&ends.count) == 1);
  pid_t child = fork();
  if (child == 0) {
    pool_lease_t own = pool_get(pool);
    must(own > 0 && process_of(own) != process);
    must(pool_go(own, "SELECT 1", (pool_bytes_t){NULL, 0}, note_end, &ends) > 0);
    must_soon(atomic_load(&ends.count) == 2);
    must(pool_put(own) == 0);
    must(pool_close(pool, 5000) == 0);
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  assert_int_equal(value(pool_conn(lease), "SELECT pg_backend_pid()"), process);
  put_lease(lease);
  end_pool(pool);
}

/* A child of fork may have a copy of the socket.  A session that ends without a goodbye is counted as abandoned. */
static void test_postgres__a_connection_ends_at_once_though_there_is_a_copy(void **state)
{
  static const char abandoned[] = "SELECT sum(sessions_abandoned) FROM pg_stat_database";
  char byte;
  (void)state;
  PGconn *beside = observer();
  int before = value(beside, abandoned);
  pool_t *pool = pool_with("");
  pool_lease_t lease = get_lease(pool);
  int process = process_of(lease), copy = dup(PQsocket(pool_conn(lease)));
  put_lease(lease);
  server_freeze(&postgres.server);
  end_pool(pool);
  ssize_t got = recv(copy, &byte, 1, MSG_DONTWAIT);
  server_thaw(&postgres.server);
  assert_int_equal(got, 0);
  await_end_of_session(process);
  assert_int_equal(value(beside, abandoned), before);
  close(copy);
  PQfinish(beside);
}

/* ---- what cannot be ---- */

static void test_postgres__wrong_urls_are_refused_and_not_quoted(void **state)
{
  (void)state;
  static const struct {
    const char *url, *text;
  } urls[] = {
      {"postgres://h/d?sslmod=require", "did you mean sslmode?"},
      {"postgres://h/d?aplication_name=x", "did you mean application_name?"},
      {"postgres://h/d?reset_statment=x", "did you mean reset_statement?"},
      {"postgres://h/d?" PASSWORD "=x",
       "parameter 1 of the URL (settings of the pool not counted) is unknown; there are"},
      {"postgres://h/d?sslmode=require&sslmode=disable", "the URL sets sslmode twice"},
      {"postgres://h/d?reset=discard&reset=discard", "the URL sets reset twice"},
      {"postgres://h/d?" PASSWORD "=x&" PASSWORD "=x", "is unknown; there are"},
      {"postgres://h/d?sslmode=" PASSWORD, "the URL's sslmode has a value that libpq does not take"},
      {"postgres://h/d?target_session_attrs=writable", "target_session_attrs"},
      {"postgres://h/d?connect_timeout=soon", "connect_timeout"},
      {"postgres://h/d?keepalives=-1", "keepalives"},
      {"postgres://h/d?service=no-such-service", "the URL's service"},
      {"postgres://h/d?reset=all", "reset must be one of: rollback, discard"},
      {"postgres://h/d?reset_statement=", "reset_statement"},
      {"postgres://h/d?reset_timeout_ms=0", "reset_timeout_ms must be a number"},
      {"postgres://h/d?max_reply_bytes=1k", "max_reply_bytes must be a number"},
      {"postgres://h,i/d?hostaddr=127.0.0.1", "there are 2 in host, but 1 in hostaddr"},
      {"postgres://h/d?port=1,2", "there are 2 ports for 1 hosts"},
      {"postgres://h/d?port=99999", "port 1 is not a number from 1 to 65535"},
      {"postgres://h:99999/d", "port"},
      {"postgres://u:" PASSWORD "/x@h/d", "'@'"},
  };
  for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
    pool_error_t error = POOL_ERROR_INIT;
    pool_t *pool = NULL;
    assert_int_equal(open_url(urls[i].url, &pool, &error), POOL_E_INVALID);
    if (!strstr(error.message, urls[i].text))
      fail_msg("%s: %s", urls[i].url, error.message);
  }
}

static int note_driver(void *user, const pool_driver_info_t *driver)
{
  if (strcmp(driver->name, "postgres") == 0) {
    assert_string_equal(driver->problem, "");
    assert_string_equal(driver->schemes, "postgres postgresql");
    assert_memory_equal(driver->needs, "libpq ", 6);
    *(int *)user += 1;
  }
  return 0;
}

static void test_postgres__the_driver_says_what_it_is(void **state)
{
  (void)state;
  int found = 0;
  assert_true(pool_drivers(note_driver, &found) > 0);
  assert_int_equal(found, 1);
}

/* The server is asked, for the names are those that it has. */
static void test_postgres__types_have_the_names_of_the_server(void **state)
{
  (void)state;
  PGconn *conn = observer();
  PGresult *types = PQexec(conn, "SELECT oid, CASE WHEN typcategory = 'A' AND typname LIKE '\\_%' THEN "
                                 "substr(typname, 2) || '[]' ELSE typname END, 'NULL::' || oid::regtype FROM pg_type "
                                 "WHERE oid < 6000 AND typtype IN ('b', 'r') AND typname NOT LIKE 'pg\\_%'");
  pool_t *pool = pool_with("");
  pool_lease_t lease = get_lease(pool);
  int named = 0;
  for (int i = 0; i < PQntuples(types); i++) {
    char sql[200], name[100], number[100];
    pool_error_t error = POOL_ERROR_INIT;
    pool_bytes_t reply = {NULL, 0};
    snprintf(sql, sizeof sql, "SELECT %s AS v", PQgetvalue(types, i, 2));
    if (call(lease, sql, "", &reply, &error) != 0)
      fail_msg("%s: %s", sql, error.message);
    snprintf(name, sizeof name, HEAD "\"%s\"]", PQgetvalue(types, i, 1));
    snprintf(number, sizeof number, HEAD "%s]", PQgetvalue(types, i, 0));
    bool has_name = strncmp(reply.data, name, strlen(name)) == 0;
    if (!has_name && strncmp(reply.data, number, strlen(number)) != 0)
      fail_msg("%s: %s", name, (const char *)reply.data);
    named += has_name;
    pool_bytes_free(&reply);
  }
  assert_true(named > 60);
  PQclear(types);
  put_lease(lease);
  end_pool(pool);
  PQfinish(conn);
}

/* ---- a network that fails ---- */

static const char *const plain = "&sslmode=disable", *const secret = "&sslmode=require";

/* A pool of the server behind a proxy. */
static pool_t *pool_through(const struct proxy *proxy, const char *tls, const char *rest)
{
  char url[URL_SIZE];
  snprintf(url, sizeof url, "postgres://" POSTGRES_USER "@127.0.0.1:%d/postgres?pool.check_after_ms=0%s%s", proxy->port,
           tls, rest);
  return open_pool(url);
}

static void fall_silent_in_a_call(struct proxy *proxy, const char *tls, enum proxy_order silence)
{
  pool_t *pool = pool_through(proxy, tls, "&pool.call_timeout_ms=50");
  pool_lease_t lease = get_lease(pool);
  proxy_do(proxy, silence);
  expect_failure(lease, "SELECT 1", "", POOL_E_TIMEOUT, "the deadline passed");
  put_lease(lease);
  assert_int_equal(stats_of(pool).open, 0);
  proxy_do(proxy, PROXY_PASS);
  put_lease(get_lease(pool));
  end_pool(pool);
}

static void fall_silent_in_a_query(struct proxy *proxy, const char *tls, enum proxy_order silence)
{
  pool_error_t error = POOL_ERROR_INIT;
  PGresult *result = NULL;
  pool_t *pool = pool_through(proxy, tls, "");
  pool_lease_t lease = get_lease(pool);
  PGconn *conn = pool_conn(lease);
  proxy_do(proxy, silence);
  assert_int_equal(pool_postgres_query(conn, "SELECT 1", now_ns() + 50000000, &result, &error), POOL_E_TIMEOUT);
  assert_null(result);
  put_lease(lease);
  assert_int_equal(stats_of(pool).open, 0);
  proxy_do(proxy, PROXY_PASS);
  end_pool(pool);
}

static void fall_silent_in_a_reset(struct proxy *proxy, const char *tls, enum proxy_order silence)
{
  pool_t *pool = pool_through(proxy, tls, "&reset_timeout_ms=50");
  pool_lease_t lease = get_lease(pool);
  leave_transaction(pool_conn(lease));
  proxy_do(proxy, silence);
  size_t since = told_so_far();
  put_lease(lease);
  assert_true(was_told("ROLLBACK: the server did not answer in time", since));
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
  assert_true(was_told("checking the connection: the server did not answer in time", since));
  proxy_do(proxy, PROXY_PASS);
  put_lease(get_lease(pool));
  end_pool(pool);
}

/* One is closed while it is idle, one while more is to be sent than the network takes. */
static void fall_silent_in_a_close(struct proxy *proxy, const char *tls, enum proxy_order silence)
{
  enum { LONG = 12 << 20 };
  char *statement = malloc(LONG + 1);
  assert_non_null(statement);
  memset(statement, ' ', LONG);
  statement[LONG] = 0;
  pool_t *pool = pool_through(proxy, tls, "");
  pool_lease_t idle = get_lease(pool), sender = get_lease(pool);
  proxy_do(proxy, silence);
  PQsetnonblocking(pool_conn(sender), 1);
  assert_true(PQsendQuery(pool_conn(sender), statement));
  put_lease(sender);
  put_lease(idle);
  assert_int_equal(stats_of(pool).open, 1);
  end_pool(pool);
  proxy_do(proxy, PROXY_PASS);
  free(statement);
}

static void test_postgres__no_deadline_is_passed_where_the_network_falls_silent(void **state)
{
  (void)state;
  static void (*const falls[])(struct proxy * proxy, const char *tls, enum proxy_order silence) = {
      fall_silent_in_a_call, fall_silent_in_a_reset, fall_silent_in_a_check, fall_silent_in_a_close};
  struct proxy proxy;
  proxy_start(&proxy, postgres.port);
  fall_silent_in_a_query(&proxy, secret, PROXY_MUTE); /* once, for a cancel has a second */
  for (size_t i = 0; i < sizeof falls / sizeof *falls; i++) {
    falls[i](&proxy, plain, PROXY_HOLD);
    falls[i](&proxy, secret, PROXY_HOLD);
    falls[i](&proxy, secret, PROXY_MUTE);
  }
  proxy_end(&proxy);
}

/* The network is away, and forgets the connections. */
static void test_postgres__a_network_that_was_cut_costs_one_failed_check(void **state)
{
  (void)state;
  struct proxy proxy;
  pool_lease_t leases[6];
  proxy_start(&proxy, postgres.port);
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
      expect_failure(leases[j], "SELECT 1", "", 0, "");
    assert_int_equal(stats_of(pool).check_failures, 1);
    leases_put(leases, 6);
    end_pool(pool);
  }
  proxy_end(&proxy);
}

static void test_postgres__a_slow_network_is_only_slow(void **state)
{
  (void)state;
  static const enum proxy_order orders[] = {PROXY_DRIP, PROXY_LATE};
  for (int i = 0; i < 2; i++) {
    struct proxy proxy;
    proxy_start(&proxy, postgres.port);
    proxy_do(&proxy, orders[i]);
    pool_t *pool = pool_through(&proxy, i ? secret : plain, "");
    pool_lease_t lease = get_lease(pool);
    int process = process_of(lease);
    assert_int_equal(value(pool_conn(lease), "SELECT 41 + 1"), 42);
    leave_transaction(pool_conn(lease));
    put_lease(lease);
    lease = get_lease(pool);
    assert_int_equal(process_of(lease), process);
    expect_failure(lease, "SELECT 1", "", 0, "");
    put_lease(lease);
    assert_int_equal(stats_of(pool).checks, 1);
    end_pool(pool);
    proxy_end(&proxy);
  }
}

static void test_postgres__half_an_answer_and_a_reset_end_the_connection(void **state)
{
  (void)state;
  struct proxy proxy;
  pool_error_t error = POOL_ERROR_INIT;
  proxy_start(&proxy, postgres.port);
  for (int i = 0; i < 2; i++) {
    pool_t *pool = pool_through(&proxy, i ? secret : plain, "");
    pool_lease_t caller = get_lease(pool), asker = get_lease(pool), leaver = get_lease(pool), idle = get_lease(pool);
    leave_transaction(pool_conn(leaver));
    put_lease(idle);
    proxy_do(&proxy, PROXY_HALF);
    expect_failure(caller, "SELECT 1", "", POOL_E_BROKEN, "");
    assert_int_equal(pool_postgres_query(pool_conn(asker), "SELECT 1", POOL_NO_DEADLINE, NULL, &error), POOL_E_BROKEN);
    put_lease(leaver);
    put_lease(asker);
    put_lease(caller);
    expect_no_lease(pool_get(pool), POOL_E_OPEN, "");
    wait_until(stats_of(pool).open == 0); /* what is dead is closed in the background */
    proxy_do(&proxy, PROXY_PASS);
    put_lease(get_lease(pool));
    end_pool(pool);
  }
  proxy_end(&proxy);
}

/* ---- failover ---- */

static void test_postgres__the_second_server_serves_all_callers_of_the_first(void **state)
{
  (void)state;
  char url[URL_SIZE];
  pool_lease_t leases[CALLERS];
  start_the_standby();
  snprintf(url, sizeof url, TWO "pool.max_open=%d&pool.check_after_ms=0", postgres.port, standby.port, CALLERS);
  pool_t *pool = open_pool(url);
  leases_get(pool, leases, CALLERS);
  leases_put(leases, CALLERS);
  server_kill(&postgres.server);
  put_lease(get_lease(pool));
  callers_serve(pool);
  assert_int_equal(stats_of(pool).check_failures, 1);
  pool_lease_t lease = get_lease(pool);
  assert_int_equal(atoi(PQport(pool_conn(lease))), standby.port);
  put_lease(lease);
  end_pool(pool);
  server_kill(&standby.server);
  postgres_start(&postgres);
}

static void test_postgres__no_password_was_ever_told(void **state)
{
  (void)state;
  assert_true(told_so_far() > 10000);
  assert_false(was_told(PASSWORD, 0));
  assert_false(was_told(OTHER_PASSWORD, 0));
}

/* ---- the program ---- */

static void write_file(const char *name, const char *text, char path[160])
{
  snprintf(path, 160, "%s/%s", postgres.server.folder, name);
  FILE *file = fopen(path, "w");
  if (!file || fputs(text, file) < 0 || fclose(file) != 0 || chmod(path, 0644) != 0)
    abort();
}

/* The certificate is for a host that no test connects to. */
static void start_the_server(void)
{
  static char rules[160], rules_setting[200];
  static const char *const certify[] = {"openssl", "req",        "-x509", "-newkey",    "rsa:2048",
                                        "-nodes",  "-days",      "10",    "-subj",      "/CN=elsewhere.example",
                                        "-keyout", "server.key", "-out",  "server.crt", NULL};
  static char certificate[200], key[200];
  postgres_make(&postgres);
  write_file("rules",
             "local all,replication all trust\n"
             "host all locked 127.0.0.1/32 scram-sha-256\n"
             "host all all 127.0.0.1/32 trust\n",
             rules);
  if (server_run(&postgres.server, certify) != 0)
    abort();
  snprintf(rules_setting, sizeof rules_setting, "hba_file=%s", rules);
  snprintf(certificate, sizeof certificate, "ssl_cert_file=%s/server.crt", postgres.server.folder);
  snprintf(key, sizeof key, "ssl_key_file=%s/server.key", postgres.server.folder);
  const char *settings[] = {"-c", rules_setting,        "-c", "ssl=on", "-c", certificate, "-c", key,
                            "-c", "max_connections=30", NULL};
  memcpy(postgres.settings, settings, sizeof settings);
  postgres_start(&postgres);
  chmod(postgres.server.folder, 0755); /* for the certificate */
}

int main(int argc, char **argv)
{
  if (argc != 2) {
    fprintf(stderr, "usage: postgres_test EXAMPLE\n");
    return 2;
  }
  example = argv[1];
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_postgres__a_connection_is_opened_lent_and_lent_again),
      cmocka_unit_test(test_postgres__the_example_says_what_it_should),
      cmocka_unit_test(test_postgres__hosts_in_the_url_and_in_the_environment),
      cmocka_unit_test(test_postgres__what_is_lent_is_clean),
      cmocka_unit_test(test_postgres__a_statement_that_was_left_is_cancelled),
      cmocka_unit_test(test_postgres__what_a_user_set_stays_unless_it_is_discarded),
      cmocka_unit_test(test_postgres__no_function_of_a_user_is_called_for_the_next),
      cmocka_unit_test(test_postgres__a_reset_that_fails_closes_the_connection),
      cmocka_unit_test(test_postgres__a_terminated_session_is_not_lent_and_says_why),
      cmocka_unit_test(test_postgres__a_session_that_was_idle_for_too_long_is_not_lent),
      cmocka_unit_test(test_postgres__notifications_and_notices_leave_a_connection_good),
      cmocka_unit_test(test_postgres__no_check_and_no_open_waits_longer_than_it_may),
      cmocka_unit_test(test_postgres__no_call_and_no_put_waits_for_a_server_that_hangs),
      cmocka_unit_test(test_postgres__a_dead_or_mute_server_leaves_time_for_the_next),
      cmocka_unit_test(test_postgres__a_name_that_nobody_knows_is_one_server_of_several),
      cmocka_unit_test(test_postgres__servers_of_the_wrong_kind_are_passed_over),
      cmocka_unit_test(test_postgres__of_two_servers_the_right_kind_is_found),
      cmocka_unit_test(test_postgres__connect_timeout_is_for_each_server),
      cmocka_unit_test(test_postgres__a_password_is_wrong_or_changes),
      cmocka_unit_test(test_postgres__a_wrong_password_is_not_tried_at_every_server),
      cmocka_unit_test(test_postgres__a_full_server_says_so),
      cmocka_unit_test(test_postgres__a_full_cluster_says_so),
      cmocka_unit_test(test_postgres__certificates_are_verified_as_the_url_says),
      cmocka_unit_test(test_postgres__a_program_may_end_while_connections_are_opened),
      cmocka_unit_test(test_postgres__a_connection_with_tls_is_checked),
      cmocka_unit_test(test_postgres__an_open_says_its_phases),
      cmocka_unit_test(test_postgres__an_open_that_is_late_says_in_which_phase),
      cmocka_unit_test(test_postgres__poolctl_shows_each_phase),
      cmocka_unit_test(test_postgres__a_server_of_another_kind_is_none),
      cmocka_unit_test(test_postgres__a_server_that_lies_after_the_login_harms_nobody),
      cmocka_unit_test(test_postgres__a_server_that_never_pauses_ends_nothing_but_the_time),
      cmocka_unit_test(test_postgres__a_password_that_a_server_repeats_is_not_told),
      cmocka_unit_test(test_postgres__values_keep_their_types_and_digits),
      cmocka_unit_test(test_postgres__parameters_keep_their_digits),
      cmocka_unit_test(test_postgres__commands_say_how_many_rows_they_changed),
      cmocka_unit_test(test_postgres__bad_arguments_are_refused_and_nothing_is_sent),
      cmocka_unit_test(test_postgres__errors_of_the_server_leave_the_connection_good),
      cmocka_unit_test(test_postgres__a_reply_has_a_limit),
      cmocka_unit_test(test_postgres__text_that_is_not_utf8_is_replaced),
      cmocka_unit_test(test_postgres__a_parameter_that_the_session_would_misread_is_not_sent),
      cmocka_unit_test(test_postgres__a_call_ends_at_its_deadline_and_at_the_server),
      cmocka_unit_test(test_postgres__an_answer_that_came_in_time_is_read_after_the_deadline),
      cmocka_unit_test(test_postgres__a_call_on_a_terminated_session_is_broken_and_suspects_the_others),
      cmocka_unit_test(test_postgres__many_calls_are_under_way_at_one_time),
      cmocka_unit_test(test_postgres__a_call_that_nobody_waits_for_fails_as_others_do),
      cmocka_unit_test(test_postgres__calls_that_end_at_one_time_all_end_at_the_server),
      cmocka_unit_test(test_postgres__a_cancel_meets_the_query_that_it_is_for_or_none),
      cmocka_unit_test(test_postgres__a_cancel_that_comes_before_its_statement_is_sent_again),
      cmocka_unit_test(test_postgres__a_query_of_the_program_ends_at_its_deadline),
      cmocka_unit_test(test_postgres__a_query_whose_deadline_has_passed_is_not_sent),
      cmocka_unit_test(test_postgres__a_query_that_was_done_before_the_cancel_says_how_it_ended),
      cmocka_unit_test(test_postgres__a_server_that_is_silent_keeps_no_statement_of_another_from_its_end),
      cmocka_unit_test(test_postgres__a_server_that_is_silent_has_not_all_threads_that_cancel),
      cmocka_unit_test(test_postgres__a_killed_server_costs_one_failed_check),
      cmocka_unit_test(test_postgres__threads_that_leave_anything_behind_meet_clean_connections),
      cmocka_unit_test(test_postgres__a_child_leaves_the_sessions_of_its_parent_alone),
      cmocka_unit_test(test_postgres__a_connection_ends_at_once_though_there_is_a_copy),
      cmocka_unit_test(test_postgres__wrong_urls_are_refused_and_not_quoted),
      cmocka_unit_test(test_postgres__the_driver_says_what_it_is),
      cmocka_unit_test(test_postgres__types_have_the_names_of_the_server),
      cmocka_unit_test(test_postgres__no_deadline_is_passed_where_the_network_falls_silent),
      cmocka_unit_test(test_postgres__a_network_that_was_cut_costs_one_failed_check),
      cmocka_unit_test(test_postgres__a_slow_network_is_only_slow),
      cmocka_unit_test(test_postgres__half_an_answer_and_a_reset_end_the_connection),
      cmocka_unit_test(test_postgres__the_second_server_serves_all_callers_of_the_first),
      cmocka_unit_test(test_postgres__no_password_was_ever_told),
  };
  start_the_server();
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  postgres_remove(&postgres);
  return failed;
}
