/* SPDX-License-Identifier: MIT */
/* Telling what happened: to the program's events and log callbacks, or to the queue that it fetches from.  Under no
   lock; the pool must not go away meanwhile, so the teller holds a lease, a slot or a count of it. */
#ifndef EVENT_H
#define EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

struct ending;
struct leak;
struct step;
struct waiter;

/* Whether the events that come with each get and put are wanted. */
bool event_follows_leases(const pool_config_t *config);

/* Whether somebody is told how long closes take. */
bool event_follows_closes(const pool_config_t *config);

void event_opening(struct pool *pool, int64_t connection);
void event_opened(struct pool *pool, int64_t connection, int64_t took_ns);
void event_open_failed(struct pool *pool, int64_t connection, const pool_error_t *error, int64_t took_ns);
void event_closed(struct pool *pool, int64_t connection, int32_t reason, const pool_error_t *cause, int64_t took_ns);
void event_close_failed(struct pool *pool, const pool_error_t *error);
void event_lent(struct pool *pool, pool_lease_t lease, int64_t took_ns);

/* Returns whether this is still the same process, as callback_leave(). */
bool event_returned(struct pool *pool, const struct ending *ending);

/* A get that took its slow way has ended, with a lease or an error: counts it and tells it.  This is the one place that
   decides which count and which event that is.  Called once for each, by the thread that tells its asker, when
   pool_failure() has the reason already. */
void event_get_ended(struct pool *pool, pool_lease_t result, const struct waiter *waiter);

/* The same for a get of the step API, which is counted where it ends.  waited_ns 0: it was not in the queue. */
void event_step_ended(struct pool *pool, pool_lease_t result, int64_t took_ns, int64_t waited_ns);

void event_leaked(struct pool *pool, const struct leak *leak);

/* POOL_EVENT_POOL_*; of a new cap, the second. */
void event_pool(struct pool *pool, int32_t event);
void event_resized(struct pool *pool, int32_t max_open);

/* Something is set that cannot work. */
void event_warning(struct pool *pool, const char *message);

/* The ledger of a budget does not answer, or answers again. */
void event_budget_lost(struct pool *pool, const char *budget, bool yields, const pool_error_t *error);
void event_budget_found(struct pool *pool, const char *budget, int32_t granted, int32_t limit);

/* What a close waits for: a lease of its own thread, or after a while (waited_ms) each lease. */
void event_drain_own(struct pool *pool, const pool_lease_info_t *lease);
void event_drain_waits(struct pool *pool, const pool_lease_info_t *lease, int64_t waited_ms);

/* What a step wants to be told. */
void event_of_step(struct pool *pool, const struct step *step);

/* A thread of the library could not be started; told once until one can.  Returns whether this is still the same
   process. */
bool event_threadless(struct pool *pool, int error);

#endif
