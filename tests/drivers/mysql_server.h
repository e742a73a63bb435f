/* SPDX-License-Identifier: MIT */
/* A MariaDB server of the program's own, on a free port with TLS, and on a Unix socket in its folder. */
#ifndef MYSQL_SERVER_H
#define MYSQL_SERVER_H

#include "server.h"

#define MYSQL_SERVER_USER "root" /* may do everything, without a password */

struct mysql_server {
  struct server server;
  int port;
  char socket[80];
  char authority[96];      /* the certificate that the server's is signed with; the server's is for "localhost" */
  char stranger[96];       /* another authority's certificate */
  const char *settings[8]; /* "--NAME=VALUE"; NULL is behind the last */
};

/* Makes databases and certificates, and starts the server. */
void mysql_server_make(struct mysql_server *mysql);

/* Starts the server again when it has ended. */
void mysql_server_start(struct mysql_server *mysql);

void mysql_server_remove(struct mysql_server *mysql);

#endif
