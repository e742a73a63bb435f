/* SPDX-License-Identifier: MIT */
#ifndef POOL_STEP_H
#define POOL_STEP_H

/**
 * @file step.h
 * The step API: a pool that never calls back, for bindings and event loops.
 *
 * Each operation is cut where a vtable's callback would run.  The library says what work is to be done and the caller
 * does it in his own frames and language, then reports with pool_step_done().  No function here blocks, sleeps or calls
 * back.
 *
 *  - get: pool_step_begin() until it returns a lease or an error; in between it asks for work (open, check, close) or
 *    gives a ticket: then wait, by whatever means the caller has, until somebody is told to wake that ticket.
 *  - put: pool_step_end(), and the work (reset, close) that it asks for.
 *  - close: pool_close(pool, 0), then pool_step_next() until it returns 0.
 *  - time: pool_maintain() says when to look again; each time pool_step_next() until it returns 0.
 *
 * Every function may also name one ticket in `wake`: tell its holder to call pool_step_begin() again.  Ignoring a
 * wake-up loses it, so look at it after each call, also after one that failed.
 *
 * A lease of such a pool is ended with pool_step_end(), one of a pool with a vtable with pool_put().  A pool that is
 * freed before it was closed so forgets what it still holds.
 *
 * A caller keeps his connections in a table of his own, by slot: the low 20 bits of a lease or claim.
 */

#include <pool/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POOL_WORK_NONE 0
#define POOL_WORK_OPEN 1 /**< open a connection for this slot */
#define POOL_WORK_CHECK                                                                                                \
  2 /**< find out whether the connection is still good; asked with check_after_ms or keepalive_ms */
#define POOL_WORK_RESET 3 /**< make the connection clean; not asked by this version */
#define POOL_WORK_CLOSE 4 /**< close the connection */

/** What a step asks for.  Begin with POOL_STEP_INIT; each call that accepts its size fills in all of it, also one that
    fails. */
typedef struct {
  size_t size;
  int32_t work;          /**< POOL_WORK_*: to be done by the caller and reported with pool_step_done() */
  int32_t reason;        /**< POOL_REASON_*: why a connection is to be closed */
  pool_lease_t claim;    /**< names the work to pool_step_done() */
  void *conn;            /**< what pool_step_done() stored for this slot */
  int64_t ticket;        /**< the caller's place in the queue, 0: none */
  int64_t wake;          /**< the ticket whose holder is to be told, 0: none */
  int64_t look_again_ns; /**< with a ticket: call pool_step_begin() again after so long even if nobody is told, for then
                            a failed open may be tried again or overload_after_ms be over; 0: no need */
} pool_step_t;
/* clang-format off */
#define POOL_STEP_INIT { sizeof(pool_step_t), 0, 0, 0, NULL, 0, 0, 0 }
/* clang-format on */

#ifndef POOL_NO_FUNCTIONS

/**
 * Makes a pool without callbacks; connections are opened by whoever gets them.  `initial`, `openers` and
 * `background_reset` must be 0, `events` and `log` NULL.  `keeper` means nothing: the caller keeps the time.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Errors: POOL_E_INVALID (message names the setting), POOL_E_SIZE, POOL_E_WILD, POOL_E_NEWER, POOL_E_NOMEM.
 * Freed with pool_free().  Since 0.1.
 */
POOL_API int pool_step_create(const pool_config_t *config, pool_t **pool, pool_error_t *error);

/**
 * Begins or continues a get.
 *
 * Returns a lease; or 0: then do step->work, or where that is POOL_WORK_NONE keep step->ticket, wait to be woken and
 * call again with it; or an error, and then the ticket, if there was one, is gone.
 * With timeout_ms 0 the call does not queue: it only looks.  The deadline counts from the first call; the caller keeps
 * the time and calls pool_step_cancel() when it is over.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Errors: POOL_E_CLOSED, POOL_E_TIMEOUT (with timeout_ms 0: nothing is idle and there is no room; with a ticket: it is
 * over), POOL_E_OPEN (the breaker is open, or the open of this ticket's get failed, and nothing is left that could
 * come), POOL_E_OVERLOAD, POOL_E_EVICTED, POOL_E_NOMEM, POOL_E_STALE (no such ticket), POOL_E_UNSUPPORTED (of a pool with
 * a vtable), POOL_E_INVALID, POOL_E_SIZE, POOL_E_WILD.  Since 0.1.
 *
 * @param ticket 0, or the ticket of an earlier call
 */
POOL_API pool_lease_t pool_step_begin(pool_t *pool, int64_t timeout_ms, int64_t ticket, pool_step_t *step);

/**
 * Gives up a place in the queue.
 *
 * Returns 0; or a lease, if the ticket was being given one at this moment: use it or end it.
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Errors: POOL_E_STALE; POOL_E_CLOSED, POOL_E_OPEN, POOL_E_OVERLOAD, POOL_E_EVICTED: the wait had ended so already, and
 * the ticket is gone too; POOL_E_INVALID (step is NULL), POOL_E_SIZE, POOL_E_WILD.  Since 0.1.
 */
POOL_API pool_lease_t pool_step_cancel(int64_t ticket, pool_step_t *step);

/**
 * Ends a lease; step->work may ask for a reset or a close.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Errors: POOL_E_STALE, POOL_E_UNSUPPORTED (of a pool with a vtable), POOL_E_INVALID (step is NULL), POOL_E_SIZE,
 * POOL_E_WILD.  Since 0.1.
 */
POOL_API int pool_step_end(pool_lease_t lease, pool_step_t *step);

/**
 * Reports work as done.
 *
 * Returns a lease, after an open or check that succeeded for a get; else 0, with more work perhaps (a failed check asks
 * for a close), or with step->ticket: the open failed, but a connection may still come to this get, so wait as after
 * pool_step_begin().  Or an error: POOL_E_CLOSED after an open that the pool no longer wants (step->work asks for the
 * close); after an open that failed POOL_E_OPEN, or POOL_E_TIMEOUT as the failure says, and the get is over.
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Errors: these, POOL_E_STALE (no such claim), POOL_E_NOMEM, POOL_E_UNSUPPORTED (of a pool with a vtable),
 * POOL_E_INVALID (step is NULL), POOL_E_SIZE, POOL_E_WILD, POOL_E_NEWER.  Since 0.1.
 *
 * How long an open or check took, from when it was asked for, goes into pool_stats() and the breaker.
 *
 * @param claim   from the step that asked for the work
 * @param failure NULL: it succeeded; else why it did not: its message becomes the breaker's cause.  Its code is
 *                POOL_E_TIMEOUT if the caller's own deadline was too short, which says nothing about the server, else
 *                POOL_E_OPEN; any other is taken for that
 * @param conn    after an open: what pool_conn() shall return; else ignored
 */
POOL_API pool_lease_t pool_step_done(pool_lease_t claim, const pool_error_t *failure, void *conn, pool_step_t *step);

/**
 * The next thing that waits for anybody to do it: closing what a closed pool still holds, telling waiters; closing and
 * checking what time or a pool_flush() or pool_resize() has marked, opening for min_idle and min_open or to find out
 * whether the server is back.  Call it until it returns 0 after each pool_maintain(), pool_flush(), pool_resize(),
 * pool_resume() and pool_evict().  What is opened or checked so is lent to nobody: pool_step_done() then returns 0.
 *
 * Returns 1 with *step filled in, or 0 if there is nothing.
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Errors: POOL_E_INVALID (what is NULL), POOL_E_UNSUPPORTED (of a pool with a vtable), POOL_E_SIZE, POOL_E_WILD.
 * Since 0.1.
 */
POOL_API int pool_step_next(pool_t *pool, pool_step_t *step);

/**
 * POOL_STEP_INIT for callers that have no C compiler, as pool_config_init() is POOL_CONFIG_INIT.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Errors: those of pool_config_init().  Since 0.1.
 */
POOL_API int pool_step_init(pool_step_t *step, size_t size);

#endif /* POOL_NO_FUNCTIONS */

#ifdef __cplusplus
}
#endif

#endif
