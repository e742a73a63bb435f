/* SPDX-License-Identifier: MIT */
/* The servers of a URL, which are tried in order, and whether they are spoken to by TLS. */
#ifndef SERVERS_H
#define SERVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pool/pool.h>

#include "base/url.h"
#include "support/address.h"
#include "support/tls.h"
#include "support/wire.h"

struct servers {
  struct address *addresses;
  size_t count;
  struct tls *tls; /* NULL: plain */
};

/* Takes the hosts of a URL.  A host without a port gets the default one; NULL: a port is needed.  With `by_tls` the
   parameters of tls.h are read.  Returns 0, or a code that *error explains; then there is nothing to free. */
int servers_read(struct servers *servers, const struct url *url, const char *default_port, bool by_tls,
                 pool_error_t *error);

/* Takes the path of one Unix socket. */
int servers_read_path(struct servers *servers, const char *path, pool_error_t *error);

/* Connects to the first server that can be reached, TLS included.  Each has its share of the time that is left.
   Returns 0, or a code: *error says it of each server, as far as there is room, and the wire is closed. */
int servers_connect(const struct servers *servers, int64_t deadline_ns, struct wire *wire, pool_error_t *error);

/* The first becomes the last. */
void servers_turn(struct servers *servers);

/* An empty one, all 0, is fine. */
void servers_free(struct servers *servers);

#endif
