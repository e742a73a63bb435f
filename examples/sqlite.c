/* SPDX-License-Identifier: MIT */
/*
 * A pool of SQLite databases, by a description: the program is linked with SQLite and libpool, and with no driver.
 *
 * Four threads write into one table through two connections.  One of them forgets to end its transaction; the
 * description's reset rolls it back before the connection is lent again.
 *
 *   cc sqlite.c $(pkg-config --cflags --libs pool sqlite3) -pthread -o sqlite && ./sqlite
 */
#include <pool/driver.h>

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS = 4, ROWS = 25 };

static pool_t *pool;

static _Noreturn void die(const char *what, const char *why)
{
  fprintf(stderr, "sqlite: %s: %s\n", what, why);
  exit(1);
}

static pool_lease_t get(void)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_lease_t lease = pool_get(pool);
  if (lease < 0 && pool_failure(&error))
    die("no connection", error.message);
  return lease;
}

static void run(pool_lease_t lease, const char *statement)
{
  sqlite3 *database = pool_conn(lease); /* the library's own handle */
  if (sqlite3_exec(database, statement, NULL, NULL, NULL) != SQLITE_OK)
    die(statement, sqlite3_errmsg(database));
}

static void *write_rows(void *data)
{
  for (int i = 0; i < ROWS; i++) {
    pool_lease_t lease = get();
    run(lease, "INSERT INTO goods VALUES (7)");
    pool_put(lease);
  }
  return data;
}

static void forget_to_commit(void)
{
  pool_lease_t lease = get();
  run(lease, "BEGIN; INSERT INTO goods VALUES (1000000)");
  pool_put(lease);
}

static int sum(pool_lease_t lease)
{
  sqlite3_stmt *statement;
  int result = -1;
  if (sqlite3_prepare_v2(pool_conn(lease), "SELECT sum(price) FROM goods", -1, &statement, NULL) == SQLITE_OK &&
      sqlite3_step(statement) == SQLITE_ROW)
    result = sqlite3_column_int(statement, 0);
  sqlite3_finalize(statement);
  return result;
}

int main(void)
{
  char folder[] = "/tmp/pool_sqlite.XXXXXX", url[160], file[60];
  pthread_t threads[THREADS];
  pool_error_t error = POOL_ERROR_INIT;
  if (!mkdtemp(folder))
    die("mkdtemp", folder);
  snprintf(file, sizeof file, "%s/shop.db", folder);
  snprintf(url, sizeof url, "sqlite://%s?busy_ms=60000&pool.initial=2&pool.max_open=2", file);
  if (pool_open(url, &pool, &error) != 0)
    die("no pool", error.message);
  pool_lease_t lease = get();
  run(lease, "CREATE TABLE goods (price)");
  pool_put(lease);
  forget_to_commit();
  for (int i = 0; i < THREADS; i++)
    if (pthread_create(&threads[i], NULL, write_rows, NULL) != 0)
      die("pthread_create", "no thread");
  for (int i = 0; i < THREADS; i++)
    pthread_join(threads[i], NULL);
  lease = get();
  int worth = sum(lease);
  pool_put(lease);
  printf("sqlite: %d rows through %zu connections, worth %d\n", THREADS * ROWS, pool_len(pool), worth);
  pool_close(pool, 1000);
  pool_free(pool);
  unlink(file);
  rmdir(folder);
  return 0;
}
