/* SPDX-License-Identifier: MIT */
#include "mysql_server.h"

#include <stdio.h>
#include <string.h>

#define MOST_SETTINGS 32

/* Nothing of a test's server has to outlive the machine. */
#define WITHOUT_SYNC                                                                                                   \
  "--debug-no-sync", "--innodb-flush-method=nosync", "--innodb-log-file-size=4M", "--innodb-buffer-pool-size=8M"

static void run(struct mysql_server *mysql, const char *package, const char *const *arguments)
{
  if (server_run(&mysql->server, arguments) == 0)
    return;
  server_fail(&mysql->server, "%s failed (Debian: apt-get install %s)", arguments[0], package);
}

static void make_certificates(struct mysql_server *mysql)
{
  const char *folder = mysql->server.folder;
  snprintf(mysql->authority, sizeof mysql->authority, "%s/authority.pem", folder);
  snprintf(mysql->stranger, sizeof mysql->stranger, "%s/stranger.pem", folder);
  server_certify(&mysql->server, mysql->authority, "authority.key");
  server_certify(&mysql->server, mysql->stranger, "stranger.key");
  const char *sign[] = {"openssl",
                        "req",
                        "-x509",
                        "-newkey",
                        "ec",
                        "-pkeyopt",
                        "ec_paramgen_curve:P-256",
                        "-nodes",
                        "-days",
                        "2",
                        "-subj",
                        "/CN=server",
                        "-addext",
                        "subjectAltName=DNS:localhost",
                        "-CA",
                        mysql->authority,
                        "-CAkey",
                        "authority.key",
                        "-keyout",
                        "server.key",
                        "-out",
                        "server.pem",
                        NULL};
  run(mysql, "openssl", sign);
}

/* A server that begins removes all temporary tables of its folder for these, also another server's.  So each has its
   own. */
void mysql_server_start(struct mysql_server *mysql)
{
  char port[32], socket[96], data[96], temporary[96];
  const char *arguments[MOST_SETTINGS] = {"/usr/sbin/mariadbd",
                                          "--no-defaults",
                                          data,
                                          temporary,
                                          "--bind-address=127.0.0.1",
                                          port,
                                          socket,
                                          "--ssl-cert=../server.pem",
                                          "--ssl-key=../server.key",
                                          "--ssl-ca=../authority.pem",
                                          "--performance-schema=OFF",
                                          WITHOUT_SYNC};
  int count = 0;
  while (arguments[count])
    count++;
  for (int i = 0; mysql->settings[i]; i++)
    arguments[count++] = mysql->settings[i];
  snprintf(data, sizeof data, "--datadir=%s/data", mysql->server.folder);
  snprintf(temporary, sizeof temporary, "--tmpdir=%s", mysql->server.folder);
  snprintf(port, sizeof port, "--port=%d", mysql->port);
  snprintf(socket, sizeof socket, "--socket=%s", mysql->socket);
  server_start(&mysql->server, arguments);
  server_await_socket(&mysql->server, mysql->socket);
}

void mysql_server_make(struct mysql_server *mysql)
{
  char data[96], temporary[96];
  memset(mysql, 0, sizeof *mysql);
  server_make(&mysql->server, "mysql");
  mysql->port = server_free_port();
  snprintf(mysql->socket, sizeof mysql->socket, "%s/socket", mysql->server.folder);
  snprintf(data, sizeof data, "--datadir=%s/data", mysql->server.folder);
  snprintf(temporary, sizeof temporary, "--tmpdir=%s", mysql->server.folder);
  const char *install[] = {"mariadb-install-db",
                           "--no-defaults",
                           data,
                           temporary,
                           "--skip-test-db",
                           "--skip-name-resolve",
                           "--auth-root-authentication-method=normal",
                           WITHOUT_SYNC,
                           NULL};
  run(mysql, "mariadb-server", install);
  make_certificates(mysql);
  mysql_server_start(mysql);
}

void mysql_server_remove(struct mysql_server *mysql)
{
  server_remove(&mysql->server);
}
