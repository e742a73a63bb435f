/* SPDX-License-Identifier: MIT */
/* An etcd of the program's own: on a free port, and on another one by TLS. */
#ifndef ETCD_SERVER_H
#define ETCD_SERVER_H

#include "server.h"

struct etcd {
  struct server server;
  int port, tls_port, peer_port;
  char certificate[96]; /* its own authority, for localhost and 127.0.0.1 */
};

void etcd_make(struct etcd *etcd);

/* Starts it again when it has ended, with the data that it has. */
void etcd_start(struct etcd *etcd);

/* Removes its data; it does not run. */
void etcd_empty(struct etcd *etcd);

void etcd_remove(struct etcd *etcd);

#endif
