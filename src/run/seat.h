/* SPDX-License-Identifier: MIT */
/*
 * Seats at a board.
 *
 * A seat is one speaker's: the thread of a budget.  It holds the seat's mutex as long as it lives, so that others find
 * out that it died: robust mutexes are given back by the kernel.  A speaker sleeps on the word of its seat, which
 * others change when a member of that seat is to be told something.  Everything here is under the board's lock; `own`
 * is the seat of the caller, or -1.
 */
#ifndef SEAT_H
#define SEAT_H

#include "run/board.h"

/* Takes a free seat for this process.  Who is the first says what the limit is. */
int seat_take(struct board *board, int32_t limit, int32_t *own, pool_error_t *error);

/* Returns whether nobody is left. */
bool seat_leave(struct board *board, bool is_host, int32_t own);

void seat_wake(struct seat *seat, bool is_host);

/* Those of other seats are told; those of this one are found by its own `wait`. */
void seat_tell_others(struct board *board, bool is_host, int32_t own);

/* The seats of those that have died are free.  Returns whether there were any. */
bool seat_reap(struct board *board, int32_t own);

#endif
