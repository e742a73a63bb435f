/* SPDX-License-Identifier: MIT */
/* Calls hold the connection that they use: they are counted in the word of its slot (slot_begin_call()). */
#ifndef HOLD_H
#define HOLD_H

#include <stdbool.h>

struct slot;
struct step;

/* A call ends; if its lease was put meanwhile and it was the last, the return is finished. */
void hold_end(struct slot *slot, bool broken, struct step *step);

#endif
