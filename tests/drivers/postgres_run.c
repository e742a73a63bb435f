/* SPDX-License-Identifier: MIT */
/* Runs a program beside a PostgreSQL server of its own: postgres_run COMMAND ARGUMENT...
   The program finds the server by PGHOST, PGPORT and PGUSER; its exit status is this program's. */
#include "postgres_server.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

static void tell_where(const struct postgres *postgres)
{
  char port[12];
  snprintf(port, sizeof port, "%d", postgres->port);
  setenv("PGHOST", "127.0.0.1", 1);
  setenv("PGPORT", port, 1);
  setenv("PGUSER", POSTGRES_USER, 1);
}

static int run(const struct postgres *postgres, char **arguments)
{
  pid_t process;
  int status, number = posix_spawnp(&process, arguments[0], NULL, NULL, arguments, environ);
  if (number)
    server_fail(&postgres->server, "cannot start %s: %s", arguments[0], strerror(number));
  while (waitpid(process, &status, 0) != process)
    if (errno != EINTR)
      server_fail(&postgres->server, "cannot wait for %s: %s", arguments[0], strerror(errno));
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int count, char **arguments)
{
  if (count < 2) {
    fputs("usage: postgres_run COMMAND ARGUMENT...\n", stderr);
    return 2;
  }
  struct postgres postgres;
  postgres_make(&postgres);
  postgres_start(&postgres);
  tell_where(&postgres);
  int status = run(&postgres, arguments + 1);
  postgres_remove(&postgres);
  return status;
}
