/* SPDX-License-Identifier: MIT */
/* libzdb, which has no connections of nothing: these are SQLite's, in memory, and each get asks the database whether it
   is there. */
#include <stdlib.h>

#include <zdb.h>

#include "contender.h"

struct database {
  URL_T url;
  ConnectionPool_T pool;
};

static void *create(int connections)
{
  struct database *database = malloc(sizeof *database);
  if (!database || !(database->url = URL_new("sqlite:///:memory:")))
    give_up("cannot make a pool of libzdb");
  database->pool = ConnectionPool_new(database->url);
  ConnectionPool_setInitialConnections(database->pool, connections);
  ConnectionPool_setMaxConnections(database->pool, connections);
  ConnectionPool_start(database->pool);
  return database;
}

static void destroy(void *pool)
{
  struct database *database = pool;
  ConnectionPool_stop(database->pool);
  ConnectionPool_free(&database->pool);
  URL_free(&database->url);
  free(database);
}

static void *get(void *pool)
{
  Connection_T held = ConnectionPool_getConnection(((struct database *)pool)->pool);
  if (!held)
    give_up("ConnectionPool_getConnection failed");
  return held;
}

static void put(void *pool, void *held)
{
  (void)pool;
  Connection_close(held);
}

static int64_t shift(void *subject, int thread, const atomic_bool *stop)
{
  (void)thread;
  return use(subject, stop, get, put);
}

const struct contender zdb_contender = {"libzdb " ZDB_CONTENDER_VERSION, create, destroy, shift, false};
