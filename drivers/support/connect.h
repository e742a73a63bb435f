/* SPDX-License-Identifier: MIT */
/* Connects a socket to a server, over TCP or a Unix socket. */
#ifndef CONNECT_H
#define CONNECT_H

#include <stdint.h>

#include <pool/pool.h>

#include "support/address.h"

/* Stores the descriptor of a connected socket that does not block.  Returns 0, or a code that *error explains. */
int connect_to(const struct address *address, int64_t deadline_ns, int *descriptor, pool_error_t *error);

#endif
