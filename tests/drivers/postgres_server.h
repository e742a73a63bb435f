/* SPDX-License-Identifier: MIT */
/* A PostgreSQL server of the program's own, on a free port and on a Unix socket in its folder. */
#ifndef POSTGRES_SERVER_H
#define POSTGRES_SERVER_H

#include "server.h"

#define POSTGRES_USER "keeper" /* who may do everything; trusted on the Unix socket and on 127.0.0.1 */

struct postgres {
  struct server server;
  int port;
  char binaries[256]; /* the folder of its programs */
  char data[96];
  const char *settings[16]; /* "-c", "NAME=VALUE", ...; NULL is behind the last */
};

/* Makes a cluster of databases and starts its server. */
void postgres_make(struct postgres *postgres);

/* Starts the server again when it has ended. */
void postgres_start(struct postgres *postgres);

/* Has it read its configuration again. */
void postgres_reload(struct postgres *postgres);

void postgres_remove(struct postgres *postgres);

#endif
