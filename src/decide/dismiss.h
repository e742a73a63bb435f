/* SPDX-License-Identifier: MIT */
/* How a connection begins to be closed. */
#ifndef DISMISS_H
#define DISMISS_H

#include <stdbool.h>
#include <stdint.h>

struct slot;
struct step;

/* Why a slot is DOOMED. */
int32_t dismiss_reason(struct slot *slot);

/* The owner of a slot wants it closed: now, or when the last call on it ends. */
void dismiss(struct slot *slot, int32_t reason, struct step *step);

/* Closes an idle slot, if it still is what it was when the caller saw it. */
bool dismiss_idle(struct slot *slot, uint64_t word, int32_t reason, struct step *step);

#endif
