/* SPDX-License-Identifier: MIT */
#include "postgres_server.h"

#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Debian keeps the programs of a server out of the path.  The newest version is the last. */
static void find_binaries(struct postgres *postgres)
{
  glob_t found = {0};
  postgres->binaries[0] = 0;
  if (glob("/usr/lib/postgresql/*/bin/", 0, NULL, &found) == 0)
    snprintf(postgres->binaries, sizeof postgres->binaries, "%s", found.gl_pathv[found.gl_pathc - 1]);
  globfree(&found);
}

static const char *binary(const struct postgres *postgres, const char *name, char *path, size_t size)
{
  snprintf(path, size, "%s%s", postgres->binaries, name);
  return path;
}

void postgres_launch(struct postgres *postgres)
{
  char path[300], port[12];
  const char *arguments[40] = {binary(postgres, "postgres", path, sizeof path),
                               "-D",
                               postgres->data,
                               "-F",
                               "-h",
                               "127.0.0.1",
                               "-p",
                               port,
                               "-k",
                               postgres->server.folder};
  snprintf(port, sizeof port, "%d", postgres->port);
  int count = 10;
  for (int i = 0; postgres->settings[i]; i++)
    arguments[count++] = postgres->settings[i];
  server_start(&postgres->server, arguments);
}

void postgres_start(struct postgres *postgres)
{
  char path[300], port[12], socket[128];
  postgres_launch(postgres);
  snprintf(port, sizeof port, "%d", postgres->port);
  snprintf(socket, sizeof socket, "%s/.s.PGSQL.%d", postgres->server.folder, postgres->port);
  server_await_socket(&postgres->server, socket);
  const char *is_ready[] = {binary(postgres, "pg_isready", path, sizeof path),
                            "-q",
                            "-t",
                            "60",
                            "-h",
                            postgres->server.folder,
                            "-p",
                            port,
                            NULL};
  while (server_run(&postgres->server, is_ready) != 0)
    ; /* it listens before it has recovered */
}

void postgres_make(struct postgres *postgres)
{
  char path[300];
  memset(postgres, 0, sizeof *postgres);
  find_binaries(postgres);
  server_make(&postgres->server, "postgres");
  postgres->port = server_free_port();
  snprintf(postgres->data, sizeof postgres->data, "%s/data", postgres->server.folder);
  const char *init[] = {binary(postgres, "initdb", path, sizeof path),
                        "-D",
                        postgres->data,
                        "-U",
                        POSTGRES_USER,
                        "-A",
                        "trust",
                        "-E",
                        "UTF8",
                        "--locale=C",
                        "--no-sync",
                        "--no-instructions",
                        NULL};
  if (server_run(&postgres->server, init) != 0)
    server_fail(&postgres->server, "initdb failed (Debian: apt-get install postgresql)");
}

void postgres_make_standby(struct postgres *standby, struct postgres *primary)
{
  char path[300], port[12];
  *standby = *primary;
  standby->server.process = 0;
  standby->port = server_free_port();
  snprintf(standby->data, sizeof standby->data, "%s/standby", primary->server.folder);
  snprintf(port, sizeof port, "%d", primary->port);
  const char *copy[] = {binary(primary, "pg_basebackup", path, sizeof path),
                        "-D",
                        standby->data,
                        "-R",
                        "-h",
                        primary->server.folder,
                        "-p",
                        port,
                        "-U",
                        POSTGRES_USER,
                        "-c",
                        "fast",
                        "--no-sync",
                        NULL};
  if (server_run(&standby->server, copy) != 0)
    server_fail(&standby->server, "pg_basebackup failed");
  postgres_start(standby);
}

void postgres_remove(struct postgres *postgres)
{
  server_remove(&postgres->server);
}
