/* SPDX-License-Identifier: MIT */
/* Gets and puts by the step API.  Each helper expects a step to ask for one thing, and does that. */
#ifndef STEPS_H
#define STEPS_H

#include "support.h"

/* A pool without a vtable, whose caller can check where the settings ask for that; fails the test if it cannot be made.
   And one whose caller has the abilities POOL_STEP_*. */
pool_t *step_pool(const struct plan *plan);
pool_t *step_pool_able(const struct plan *plan, int32_t abilities);

/* A get, a new one or that of a ticket, has some work to do; the claim is in the step. */
#define assert_works(pool, timeout_ms, of_ticket, of_kind, step)                                                       \
  do {                                                                                                                 \
    assert_int_equal(pool_step_begin(pool, timeout_ms, of_ticket, step), 0);                                           \
    assert_int_equal((step)->work, of_kind);                                                                           \
    assert_int_equal((step)->ticket, 0);                                                                               \
  } while (0)
#define assert_opens(pool, timeout_ms, of_ticket, step) assert_works(pool, timeout_ms, of_ticket, POOL_WORK_OPEN, step)
#define assert_checks(pool, timeout_ms, of_ticket, step)                                                               \
  assert_works(pool, timeout_ms, of_ticket, POOL_WORK_CHECK, step)

/* The next thing that waits for anybody to do it is to wake this ticket. */
#define assert_next_wakes(pool, ticket, step)                                                                          \
  do {                                                                                                                 \
    assert_int_equal(pool_step_next(pool, step), 1);                                                                   \
    assert_int_equal((step)->wake, ticket);                                                                            \
  } while (0)

/* A get that has to open, and opens; and several, whose connections follow each other. */
pool_lease_t step_open(pool_t *pool, void *conn);
void step_open_all(pool_t *pool, pool_lease_t *leases, int count, int *conns);

/* A get that has to wait; and several.  The tickets follow each other in the queue. */
int64_t step_queue(pool_t *pool, int64_t timeout_ms);
void step_queue_all(pool_t *pool, int64_t *tickets, int count);

/* A get that has to open, fails, and waits on for what others hold; 0 in place of a ticket begins one. */
int64_t step_refuse(pool_t *pool, int64_t ticket);

/* Ends a lease that nothing is to be done about; returns the ticket to wake. */
int64_t step_put(pool_lease_t lease);

/* Ends a lease whose connection is to be closed for a POOL_REASON_*, and closes it; returns the ticket to wake. */
int64_t step_close(pool_lease_t lease, int32_t reason);

/* Closes what waits for that, for one reason; returns how many. */
int step_close_next(pool_t *pool, int32_t reason);

/* Closes the pool and the connections that it still holds, of which there are `expected`, and frees it. */
void step_finish(pool_t *pool, int expected);

uint32_t slot_number(int64_t lease);

#endif
