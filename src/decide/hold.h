/* SPDX-License-Identifier: MIT */
/* Calls hold the connection that they use: they are counted in the word of its slot. */
#ifndef HOLD_H
#define HOLD_H

#include <stdbool.h>

#include <pool/pool.h>

struct slot;
struct step;

/* A call begins on a leased connection, or ends.  begin: 0, POOL_E_STALE or POOL_E_OVERLOAD. */
int hold_begin(struct slot *slot, pool_lease_t lease);
void hold_end(struct slot *slot, bool broken, struct step *step);

#endif
