/* SPDX-License-Identifier: MIT */
/*
 * The look-up of a host's name.
 *
 * The system's resolver knows no deadline.  So a look-up with a deadline runs in a thread of its own, and the caller
 * waits for that thread until the deadline.
 *
 * Shared.  The caller and the thread share one lookup; its lock guards every member that changes.  The thread sets
 * `done`, or the caller sets `given_up`, whichever comes first.  If the caller gave up, the thread frees the lookup;
 * otherwise the caller does.
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
