/* SPDX-License-Identifier: MIT */
/* Telling what happened: to the program's events and log callbacks.  Under no lock; the pool must not go away
   meanwhile, so who tells holds a lease, a slot or a count of it. */
#ifndef EVENT_H
#define EVENT_H

#include "engine.h"

/* Whether the events that come with each get and put are wanted. */
bool event_follows_leases(const pool_config_t *config);

void event_opened(struct pool *pool, int64_t took_ns);
void event_open_failed(struct pool *pool, const pool_error_t *error, int64_t took_ns);
void event_closed(struct pool *pool, int32_t reason, const pool_error_t *cause);
void event_close_failed(struct pool *pool, const pool_error_t *error);
void event_lent(struct pool *pool, pool_lease_t lease);
void event_returned(struct pool *pool, const struct ending *ending);
void event_waited(struct pool *pool, pool_lease_t lease, int64_t waited_ns);

/* A get ended without a connection, after so long. */
void event_not_lent(struct pool *pool, int32_t code, int64_t waited_ns);

void event_leaked(struct pool *pool, pool_lease_t lease, int64_t thread, int64_t held_ns, const char *tag);

/* What a step wants to be told. */
void event_of_step(struct pool *pool, const struct step *step);

/* A thread of the library could not be started; told once until one can. */
void event_threadless(struct pool *pool, int error);

#endif
