/* SPDX-License-Identifier: MIT */
/*
 * The look-up of a host's name.
 *
 * The system's resolver knows no deadline.  So a look-up with a deadline runs in a thread of its own, and the caller
 * waits for that thread until the deadline.
 *
 * A resolver that does not answer would cost a thread for each caller that gives up, until it gives up itself, which
 * takes seconds.  So while a few such threads are at a name, one more begins only now and then.
 *
 * Shared.  One lock guards the list of the threads and what a caller shares with its thread.  The thread sets `done`,
 * or the caller sets `lost`, whichever comes first.  A thread whose caller is lost frees the lookup; otherwise the
 * caller does.  A child of fork has none of the threads, and begins without them.
 */
#ifndef LOOKUP_H
#define LOOKUP_H

#include <netdb.h>
#include <stdint.h>

#include <pool/pool.h>

#include "support/address.h"

/* Stores the addresses of the host, which freeaddrinfo() frees.  Returns 0, or a code that *error explains. */
int lookup_name(const struct address *address, int64_t deadline_ns, struct addrinfo **found, pool_error_t *error);

#endif
