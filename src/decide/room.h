/* SPDX-License-Identifier: MIT */
/* How many connections there may be, and whether one more may be opened now.  Everything here is done under the pool's
   lock, if nothing else is said. */
#ifndef ROOM_H
#define ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

#include "decide/setting.h"

struct outcome;
struct slot;
struct step;

/* Whether connections are opened that nobody asked for. */
static inline bool room_refills(const pool_config_t *config)
{
  return setting_now(config->min_idle) > 0 || setting_now(config->min_open) > 0;
}

/* How many may be idle, where the hard cap is max_open. */
int32_t room_max_idle(const pool_config_t *config, int32_t max_open);

/* Whether the caps allow one connection more. */
bool room_has_place(struct pool *pool);

/* The same, and it may be opened now.  `again`: see breaker_permits(). */
bool room_permits(struct pool *pool, bool again);

/* Whether a connection is open, or being opened, that may still come to a waiter. */
bool room_hopes(struct pool *pool);

/* Whether one is to be opened for min_idle or min_open. */
bool room_needs_refill(struct pool *pool);

/* How many idle connections may go for good without going below min_idle and min_open; counted no further than
   `enough`.  `taken`: the one that may go is taken already.  Needs no lock. */
int64_t room_spare(struct pool *pool, bool taken, int32_t enough);

/* Whether the breaker is open and it is time to try whether the server is back. */
bool room_needs_probe(struct pool *pool);

/* Where there is no room for a probe, the check of one that is suspect has to be it. */
bool room_is_full(struct pool *pool);

/* Brings the bits of `attention` up to date with the number of connections. */
void room_refresh(struct pool *pool);

/* Takes a place: the step asks for its open.  False without memory. */
bool room_reserve(struct pool *pool, struct step *step);

/* The same for a connection that nobody asked for, of the step API. */
bool room_refill(struct pool *pool, struct step *step);

/* The same whatever the caps say, for a connection that nobody asked for.  Not under the lock. */
bool room_reserve_unasked(struct pool *pool, struct step *step);

/* The connection of a slot is closed, or could not be opened: its place is free. */
void room_vacate(struct pool *pool, struct slot *slot, struct step *step);

/* Whether more are idle than may be.  The hints of idle slots say most of the time that there are not, without a look
   at the slots.  Else they are looked at, and hints that were set in vain are cleared. */
bool room_has_surplus(struct pool *pool);

/* How many connections there are above the cap, without those that will go anyway; counted no further than asked for.
 */
int32_t room_excess(struct pool *pool, int32_t enough);

/* When a worker is to try again for those that wait; POOL_NO_DEADLINE: it need not. */
int64_t room_retry_at(struct pool *pool);

/* An open succeeded, or a check that stands for one; or an open failed. */
void room_note_success(struct pool *pool, struct step *step);
void room_note_failure(struct pool *pool, const struct outcome *outcome, struct step *step);

/* Why the last open failed; whether none has succeeded since.  Not under the lock. */
bool room_cause(struct pool *pool, pool_error_t *error);

#endif
