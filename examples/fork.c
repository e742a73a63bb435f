/* SPDX-License-Identifier: MIT */
/*
 * A program that forks: parent and child each have connections of their own.  docs/fork.md explains it.
 *
 *   cc fork.c $(pkg-config --cflags --libs pool) -pthread -o fork && ./fork
 */
#include <pool/pool.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct connection {
  int ends[2]; /* a pair of sockets stands for a server */
};

static int open_connection(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)context, (void)deadline_ns;
  struct connection *made = malloc(sizeof *made);
  if (!made || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, made->ends) != 0) {
    snprintf(error->message, sizeof error->message, "no socket pair");
    free(made);
    return POOL_E_OPEN;
  }
  *conn = made;
  return 0;
}

static int close_connection(void *context, void *conn, pool_error_t *error)
{
  struct connection *connection = conn;
  (void)context, (void)error;
  close(connection->ends[0]);
  close(connection->ends[1]);
  free(connection);
  return 0;
}

/* In the child, within fork(): descriptors are closed, nothing is sent, and no memory is freed. */
static void abandon_connection(void *context, void *conn)
{
  const struct connection *connection = conn;
  (void)context;
  close(connection->ends[0]);
  close(connection->ends[1]);
}

/* Returns whether a connection could be lent. */
static int use(pool_t *pool, const char *name)
{
  pool_lease_t lease = pool_get_for(pool, 1000);
  printf("%s: %s\n", name, lease > 0 ? "has a connection" : "has none");
  fflush(stdout);
  pool_put(lease);
  return lease > 0;
}

int main(void)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 1;
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  vtable.open = open_connection;
  vtable.close = close_connection;
  vtable.abandon = abandon_connection;
  pool_t *pool;
  if (pool_create(&config, &vtable, NULL, &pool, NULL) != 0)
    return 1;

  pool_lease_t lease = pool_get(pool);
  pid_t child = fork();
  if (child == 0) { /* the parent's lease is stale here, and the pool is empty */
    int stale = pool_put(lease) == POOL_E_STALE;
    _exit(use(pool, "child") && stale ? 0 : 1);
  }
  int status = 1;
  waitpid(child, &status, 0);
  pool_put(lease);
  int good = use(pool, "parent") && status == 0;
  pool_close(pool, -1);
  pool_free(pool);
  return good ? 0 : 1;
}
