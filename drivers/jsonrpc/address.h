/* SPDX-License-Identifier: MIT */
/*
 * The address of a server: HOST:PORT, [IPV6]:PORT or unix:/PATH, each optionally followed by ?max_reply_bytes=N.
 *
 * A reply that is larger than N bytes, envelope included, breaks the connection.  Without the option the limit is 64
 * MiB (67108864).  A path cannot contain '?'.
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>

#include <pool/pool.h>

struct address {
  bool is_unix;
  char host[256];
  char port[6];
  char path[sizeof((struct sockaddr_un *)0)->sun_path];
  size_t limit; /* for one reply, in bytes */
};

/* Reads a text into an address whose bytes are all 0.  Returns 0, or a code that *error explains. */
int address_read(struct address *address, const char *text, pool_error_t *error);

#endif
