/* SPDX-License-Identifier: MIT */
/* Where a server listens: a host and a port, or the path of a Unix socket. */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <stdbool.h>
#include <sys/un.h>

#include <pool/pool.h>

struct address {
  bool is_unix;
  char host[256];
  char port[6];
  char path[sizeof((struct sockaddr_un *)0)->sun_path];
};

/* Sets an address whose bytes are all 0.  A host that begins with '/' is the path of a socket, and the port is of no
   interest then.  Returns 0, or a code that *error explains. */
int address_set(struct address *address, const char *host, const char *port, pool_error_t *error);

#endif
