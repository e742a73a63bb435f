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
  const char *settings[24]; /* "-c", "NAME=VALUE", ...; NULL is behind the last */
};

/* Makes a cluster of databases.  Settings and files in the folder can be added before it is started. */
void postgres_make(struct postgres *postgres);

/* Starts the server, also again when it has ended, and returns when it takes connections. */
void postgres_start(struct postgres *postgres);

/* The same, and returns at once. */
void postgres_launch(struct postgres *postgres);

/* Makes a hot standby of a server that runs, in the same folder and with the same settings, and starts it. */
void postgres_make_standby(struct postgres *standby, struct postgres *primary);

/* Ends the server and removes its folder, that of its standbys too. */
void postgres_remove(struct postgres *postgres);

#endif
