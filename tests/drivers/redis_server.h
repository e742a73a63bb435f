/* SPDX-License-Identifier: MIT */
/* A Redis server of the program's own: on a free port, on another one by TLS, and on a Unix socket in its folder. */
#ifndef REDIS_SERVER_H
#define REDIS_SERVER_H

#include "server.h"

#define REDIS_PASSWORD "open-sesame" /* of the default user */

struct redis {
  struct server server;
  int port, tls_port;
  char socket[96];          /* its path */
  char certificate[96];     /* its own authority, for localhost and 127.0.0.1 */
  char other[96];           /* a certificate that has nothing to do with it */
  const char *settings[16]; /* "--NAME", "VALUE", ...; NULL is behind the last */
};

/* Makes the certificates and starts the server.  The settings, if any, were set before. */
void redis_make(struct redis *redis);

/* Starts it again when it has ended, as it was but empty. */
void redis_start(struct redis *redis);

void redis_remove(struct redis *redis);

#endif
