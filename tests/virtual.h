/* SPDX-License-Identifier: MIT */
/* A clock that stands still until the test moves it, and threads that sleep by it: in place of clock.c and park_*.c. It
 * is one for the whole program, and only ever goes forward. */
#ifndef VIRTUAL_H
#define VIRTUAL_H

#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

#define MILLISECOND INT64_C(1000000)
#define SECOND      INT64_C(1000000000)

int64_t virtual_now(void);

/* Moves the clock at once and wakes everybody whose deadline has come. */
void virtual_advance(int64_t ns);

/* The program is stopped for `ns`: the clock moves and wakes no thread until it is advanced again. */
void virtual_freeze(int64_t ns);

/* The machine sleeps for `ns`: the clock that counts suspensions moves, deadlines do not, and no thread wakes. */
void virtual_suspend(int64_t ns);

/* Sets the wall clock, forward or back. */
void virtual_set_wall(int64_t by_ns);

/* Moves the clock by as much, from one moment to the next that pool_maintain() asks for, and maintains the pool at each
   of them and at the end. */
void virtual_pass(pool_t *pool, int64_t ns);

/* How many threads sleep now.  One that was woken does not count, even if it does not run yet. */
int virtual_sleepers(void);

/* Whether a thread is about to sleep or to wake others at this very moment, and would hold up one that does the same.
 */
bool virtual_is_busy(void);

/* The earliest deadline anybody sleeps to; POOL_NO_DEADLINE if there is none. */
int64_t virtual_next_deadline(void);

/* How many times anybody was woken so far, by the clock or by somebody else. */
int64_t virtual_wakes(void);

#endif
