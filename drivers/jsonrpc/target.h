/* SPDX-License-Identifier: MIT */
/*
 * The server of a pool, as text: HOST:PORT, [IPV6]:PORT or unix:/PATH, or a URL, jsonrpc://HOST:PORT with %2FPATH for
 * a Unix socket; each optionally followed by ?max_reply_bytes=N.
 *
 * A reply that is larger than N bytes, envelope included, breaks the connection.  Without the option the limit is 64
 * MiB (67108864).  A path cannot contain '?'; in a URL it can, as %3F.
 */
#ifndef TARGET_H
#define TARGET_H

#include <stddef.h>

#include <pool/pool.h>

#include "support/address.h"

struct target {
  struct address address;
  size_t limit; /* for one reply, in bytes */
};

/* Reads a text into a target whose bytes are all 0.  Returns 0, or a code that *error explains. */
int target_read(struct target *target, const char *text, pool_error_t *error);

#endif
