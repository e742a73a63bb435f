/* SPDX-License-Identifier: MIT */
#ifndef POOL_STEP_H
#define POOL_STEP_H

/**
 * @file step.h
 * The step API: a pool that never calls back, for bindings and event loops.
 *
 * Each operation is cut where a vtable's callback would run.  The library says what work is to be done and the caller
 * does it in its own frames and language, then reports with pool_step_done().  No function here blocks, sleeps or calls
 * back.
 *
 *  - get: pool_step_begin() until it returns a lease or an error; in between it asks for work (open, check, close) or
 *    gives a ticket: then wait, by whatever means the caller has, until somebody is told to wake that ticket.
 *  - put: pool_step_end(), and the work (reset, close) that it asks for.
 *  - close: pool_close(pool, 0), then pool_step_next() until it returns 0.
 *  - time: pool_step_next() until it returns 0; then step.due_ns says when to call pool_maintain() and begin anew.
 *    Until then sleep, unless a step says `more`.  A pool in which nothing moves and nothing is due wakes nobody.
 *  - poolctl: what an operator does to a pool that is exposed, no step of the program can say.  Watch pool_event_fd().
 *
 * Every function may also name one ticket in `wake`: tell its holder to call pool_step_begin() again.  Ignoring a
 * wake-up loses it, so look at it after each call, also after one that failed.  With POOL_STEP_HANDS it may name
 * another in `given_to`.  The same holds for `more`: the thread that sees it calls
 * pool_step_next() until that returns 0, or wakes the thread that does.
 *
 * A lease of such a pool is ended with pool_step_end(), one of a pool with a vtable with pool_put().  A pool that is
 * freed before it was closed so forgets what it still holds.
 *
 * A caller keeps its connections in a table of its own, by slot: the low 20 bits of a lease or claim.
 */

#include <pool/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POOL_WORK_NONE 0
#define POOL_WORK_OPEN 1 /**< open a connection for this slot */
#define POOL_WORK_CHECK                                                                                                \
  2 /**< find out whether the connection is still good; asked with check_after_ms or keepalive_ms */
#define POOL_WORK_RESET 3 /**< make the connection clean after a lease; asked with POOL_STEP_RESETS */
#define POOL_WORK_CLOSE 4 /**< close the connection */

/* What a caller is able to do, for pool_step_create(). */
#define POOL_STEP_CHECKS 1 /**< can check a connection: POOL_WORK_CHECK */
#define POOL_STEP_RESETS 2 /**< can reset a connection: each lease that ends asks for POOL_WORK_RESET */
#define POOL_STEP_THREADS                                                                                              \
  4 /**< each get is begun by a thread that blocks until the get is over and then holds the lease: so threads that     \
       wait for each other are found, as in a pool with a vtable */
#define POOL_STEP_EVENTS 8  /**< fetches events with pool_step_event(): those of event_mask are kept for it */
#define POOL_STEP_LOG    16 /**< fetches lines of the log with pool_step_event() */
#define POOL_STEP_DETACHED                                                                                             \
  64 /**< a get goes on waiting while an open or check is done for it: pool_step_begin() gives a ticket with the work, \
        and what comes of it goes to the waiter whose turn it is */
#define POOL_STEP_HANDS                                                                                                \
  128 /**< takes a lease to the get that waited for it: a step says so in `given`.  To change hands costs such a       \
         caller little, so a get finds no idle connection while others wait, unless it takes one by pool_view_t. And   \
         pool_step_pass() says when connections change hands */
#define POOL_STEP_JOINS                                                                                                \
  256 /**< as POOL_STEP_DETACHED, but an open may come without a ticket; pool_step_join() gives it if the open takes   \
         long */

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
  int64_t look_again_ns; /**< with a ticket: call pool_step_begin() after this time even if nobody is told: then
                            a failed open may be tried again or overload_after_ms be over; 0: no need */
  int64_t due_ns;        /**< of pool_step_next() that returns 0: in how many ns to call pool_maintain(), 0: now,
                            POOL_NO_DEADLINE: not before a step says `more`; of every other step: 0 */
  int32_t more;          /**< 1: somebody is to be told, or something is to be done, or due sooner than was said: call
                            pool_step_next() until it returns 0; with POOL_STEP_EVENTS or POOL_STEP_LOG also pool_step_event(),
                            for something may be there to be fetched.  Else 0 */
  int32_t reserved;      /**< 0 */
  int64_t given_to;      /**< with POOL_STEP_HANDS: the ticket whose get is over with the lease `given`, 0: none */
  pool_lease_t given;    /**< to be taken to the holder of that ticket, which is gone */
} pool_step_t;
/* clang-format off */
#define POOL_STEP_INIT { sizeof(pool_step_t), 0, 0, 0, NULL, 0, 0, 0, 0, 0, 0, 0, 0 }
/* clang-format on */

/** An event of a pool, a line of its log, or both, with the texts inside.  Begin with POOL_STEP_EVENT_INIT. */
typedef struct {
  size_t size;
  int32_t event;       /**< POOL_EVENT_*, as in pool_event_t; 0: only a line */
  int32_t reason;      /**< POOL_REASON_* of POOL_EVENT_CLOSED */
  int32_t code;        /**< POOL_E_* of what failed, or 0 */
  int32_t level;       /**< POOL_LOG_* of `line`; 0: there is no line */
  pool_lease_t lease;  /**< which lease, or 0 */
  int64_t connection;  /**< which connection, or 0 */
  int64_t thread;      /**< the thread that holds the lease or wanted one, or 0 */
  int64_t duration_ns; /**< how long it took, or -1 */
  int64_t lost; /**< how many events and lines before this one were dropped because they were not fetched in time */
  char tag[48]; /**< what pool_tag() set for the lease, its beginning at least, or "" */
  char message[496]; /**< of failures: why; else "" */
  char line[400];    /**< what a pool with a vtable would give to its `log`, or "" */
} pool_step_event_t;
/* clang-format off */
#define POOL_STEP_EVENT_INIT { sizeof(pool_step_event_t), 0, 0, 0, 0, 0, 0, 0, 0, 0, "", "", "" }
/* clang-format on */

/** The protocol of pool_view_t: of another, call pool_step_begin() and pool_step_end() alone. */
#define POOL_VIEW_VERSION 1

/**
 * The words by which a connection is lent and put back where nothing is unusual, for a language in which a call of C
 * costs more than that does.  Begin with POOL_VIEW_INIT.  All words are read and changed by atomic operations in one
 * order for all (seq_cst).
 *
 * The word of a lease's slot is at `slots` + (lease & slot_mask) * slot_bytes.  Let base be the lease without
 * slot_mask.
 *
 * A get.  If `attention` has no bit of get_stops, guess the lease that the slot which was used last gives next: its
 * last one + generation, without `beyond`.  Compare the slot's word with base + idle and, if they are equal, replace it
 * by base + lent, in one step.  If they are not, call pool_step_begin().  Now the lease is the caller's.  If
 * `attention` has a bit of get_asks, or the lease no bit of `untimed`, pool_step_taken() says whether it remains so.
 *
 * A put.  If the lease has a bit of `untimed`, compare the slot's word with base + plain and, if they are equal,
 * replace it by base + generation, without `beyond`, + idle.  If they are not, call pool_step_end().  Now read the
 * pointer that is block_at bytes behind the word, and then the 64 bits that are bit_at bytes behind it.  If what is
 * hint_at bytes behind that pointer has none of these bits, or `attention` has a bit of put_asks, call
 * pool_step_given(). But not if of all bits of put_asks, told and due it has exactly those of waits and told: then
 * somebody was told already.  A get waits if `attention` has `waits`, and the next put is to be handed over if it has
 * `due`.
 *
 * A put of what is to be closed.  If `closing` is not 0 and the lease has a bit of `untimed`, compare the slot's word with base + plain. If they
 * are equal, replace it by base + generation, without `beyond`, + closing.  If they are
 * not, call pool_mark_unusable() and pool_step_end().  Now the lease + generation, without `beyond`, is the claim of a
 * POOL_WORK_CLOSE for POOL_REASON_UNUSABLE.  If `attention` has a bit of put_asks, call pool_step_given() with the
 * lease.
 *
 * A lease that a get has returned is out as long as the slot's word has its generation: the same bits from
 * `generation` up to `beyond`, without that.
 *
 * Static probes see nothing of either.  What is seen so is valid until pool_free(), also in a child of fork.
 */
typedef struct {
  size_t size;
  int32_t version;      /**< POOL_VIEW_VERSION */
  int32_t reserved;     /**< 0 */
  void *slots;          /**< the word, of 64 bits, of slot 0 */
  void *attention;      /**< 32 bits */
  uint64_t slot_mask;   /**< of a lease */
  uint64_t slot_bytes;  /**< from one slot to the next */
  uint64_t idle;        /**< what the word of an idle connection has below its generation */
  uint64_t lent;        /**< and that of one which this pool lends */
  uint64_t plain;       /**< and that of one whose put asks for nothing else, as a reset or an event would */
  uint64_t generation;  /**< what is added to a lease or word when it ends */
  uint64_t beyond;      /**< what is taken away after that */
  uint64_t untimed;     /**< of a lease; if it has none of these bits, it is timed */
  uint64_t block_at;    /**< in bytes, from a slot's word */
  uint64_t bit_at;      /**< likewise */
  uint64_t hint_at;     /**< in bytes, from where the pointer points to */
  uint32_t get_stops;   /**< of `attention` */
  uint32_t get_asks;    /**< likewise */
  uint32_t put_asks;    /**< likewise */
  uint32_t reserved_32; /**< 0 */
  uint32_t waits;       /**< of `attention`: somebody waits */
  uint32_t told;        /**< and was told to look for what is idle, and has not yet */
  uint32_t due;         /**< and it is its turn */
  uint32_t reserved_33; /**< 0 */
  uint64_t closing;     /**< what the word of a connection has that is being closed; 0: call pool_step_end() for that */
} pool_view_t;
/* clang-format off */
#define POOL_VIEW_INIT { sizeof(pool_view_t), 0, 0, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
/* clang-format on */

#ifndef POOL_NO_FUNCTIONS

/**
 * Makes a pool without callbacks; the thread that gets a connection opens it.  The settings mean what they mean in a
 * pool with a vtable, but for these:
 *
 *  - `initial`: the first `initial` calls of pool_step_next() ask for these opens, whatever else there is to do.  If
 *    one fails, pool_step_done() returns what pool_create() would return and pool_failure() has its message: close what
 *    was opened and free the pool.
 *  - `background_reset`: pool_step_next() asks for the reset of a connection, not pool_step_end().
 *  - `check_after_ms` and `keepalive_ms` need POOL_STEP_CHECKS, as they need a check there. A check that took
 *    longer than `check_timeout_ms` has failed, whatever is reported; to end one, and `call_timeout_ms`, are the
 *    caller's business.
 *  - `openers` must be 0, for the caller decides which thread opens; `events` and `log` must be NULL: their place is
 *    taken by POOL_STEP_EVENTS, POOL_STEP_LOG and pool_step_event().  `event_mask` is obeyed.
 *  - `keeper` means nothing: the caller keeps the time.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Errors: POOL_E_INVALID (message names the setting), POOL_E_SIZE, POOL_E_WILD, POOL_E_NEWER (also: a bit of
 * `abilities` that this version does not know), of a budget POOL_E_DRIVER; POOL_E_NOMEM, POOL_E_SYSTEM. Freed with
 * pool_free().  Since 0.1.
 *
 * @param abilities POOL_STEP_*, or 0
 */
POOL_API int pool_step_create(const pool_config_t *config, int32_t abilities, pool_t **pool, pool_error_t *error);

/**
 * Begins or continues a get.
 *
 * Returns a lease; or 0: then do step->work, or where that is POOL_WORK_NONE keep step->ticket, wait to be woken and
 * call again with it. Or an error, and then the ticket, if there was one, is gone.  With POOL_STEP_DETACHED and time to
 * wait a step may have both: have the work done by others, and wait with the ticket meanwhile.  An error may then come
 * with work, which is to be done for nobody in particular.
 * With timeout_ms 0 the call does not queue: it only looks.  The deadline counts from the first call; the caller keeps
 * the time and calls pool_step_cancel() when it is over.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Errors: POOL_E_CLOSED, POOL_E_TIMEOUT (with timeout_ms 0: nothing is idle and there is no room; with a ticket: it is
 * over), POOL_E_OPEN (the breaker is open, or the open of this ticket's get failed, and nothing is left that could
 * come), POOL_E_OVERLOAD, POOL_E_EVICTED, POOL_E_NOMEM, POOL_E_STALE (no such ticket, perhaps because a step gave it a
 * lease), POOL_E_UNSUPPORTED (of a pool with a vtable), POOL_E_INVALID, POOL_E_SIZE, POOL_E_WILD.  After POOL_E_TIMEOUT
 * pool_failure() says where the time went, how many are open, leased and wait, and why the last open failed.
 * Since 0.1.
 *
 * @param ticket 0, or the ticket of an earlier call
 */
POOL_API pool_lease_t pool_step_begin(pool_t *pool, int64_t timeout_ms, int64_t ticket, pool_step_t *step);

/**
 * Goes on with a get that was given an open without a ticket, as POOL_STEP_JOINS allows where nobody waits: it waits
 * from now on for what comes first, as with POOL_STEP_DETACHED.
 *
 * Returns 0 with step->ticket: call pool_step_begin() with it, for something may have come meanwhile.  The
 * deadline counts from the first pool_step_begin().
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Errors: POOL_E_STALE (no such claim of an open: as a rule pool_step_done() has just got it, and returns what the get
 * has come to); POOL_E_CLOSED, POOL_E_EVICTED: the get is over, and what is opened is for the next;
 * POOL_E_UNSUPPORTED (of a pool with a vtable), POOL_E_INVALID, POOL_E_SIZE, POOL_E_WILD.  Since 0.1.
 *
 * @param claim from the step that asked for the open
 */
POOL_API int pool_step_join(pool_lease_t claim, pool_step_t *step);

/**
 * Lends an idle connection, if there is one: opens nothing and does not queue.
 *
 * Returns a lease; or 0: do step->work, which is a check or a close that comes first, and call again, or where that is
 * POOL_WORK_NONE nothing may be lent now: no connection is idle, the pool is paused, or it is the first waiter's turn.
 * The check is reported as that of a get, and pool_step_done() then returns the lease.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Errors: POOL_E_CLOSED, POOL_E_UNSUPPORTED (of a pool with a vtable), POOL_E_INVALID (what is NULL), POOL_E_SIZE,
 * POOL_E_WILD.  None is counted as a get that failed.  Since 0.1.  Idea: AcquireAllIdle of puddle.
 */
POOL_API pool_lease_t pool_step_idle(pool_t *pool, pool_step_t *step);

/**
 * Asks for one more connection, also where others are idle: step->work is POOL_WORK_OPEN.  What is opened so is lent to
 * nobody: pool_step_done() returns 0, and the connection is idle or, where gets wait, for the first of them.
 *
 * Returns 0 with the work, or why there is none.
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Errors: POOL_E_TIMEOUT (no room: max_open or max_opening is reached, or the pool is paused), POOL_E_OPEN (a failed
 * open is not to be tried again yet; pool_failure() has its message), POOL_E_CLOSED, POOL_E_NOMEM, POOL_E_UNSUPPORTED
 * (of a pool with a vtable), POOL_E_INVALID (what is NULL), POOL_E_SIZE, POOL_E_WILD.  Since 0.1.
 * Idea: CreateResource of puddle.
 */
POOL_API int pool_step_open(pool_t *pool, pool_step_t *step);

/**
 * Gives up a place in the queue.
 *
 * Returns 0; or a lease, if the ticket was being given one at this moment: use it or end it.  After 0 pool_failure()
 * has the code and the message that pool_get() would have: those of a timeout if the deadline is over, else of a
 * cancellation.
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Errors: POOL_E_STALE (likewise); POOL_E_CLOSED, POOL_E_OPEN, POOL_E_OVERLOAD, POOL_E_EVICTED: the wait had ended so
 * already, and the ticket is gone too; POOL_E_INVALID (step is NULL), POOL_E_SIZE, POOL_E_WILD.  Since 0.1.
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
 * Ends a lease as pool_step_end() does, and its connection goes to the first waiter, also where fairness_us would
 * leave it to be lent again by those that run.  So a program decides how many leases in a row make a turn.  A
 * connection that is reset first goes the way of pool_step_end(), and so does each while a waiter comes first for which
 * something is opened or checked.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Errors: POOL_E_STALE, POOL_E_UNSUPPORTED (of a pool with a vtable), POOL_E_INVALID (step is NULL), POOL_E_SIZE,
 * POOL_E_WILD.  Since 0.1.
 */
POOL_API int pool_step_pass(pool_lease_t lease, pool_step_t *step);

/**
 * Ends a lease that was not used, as pool_step_end() does: its connection has been idle for as long as if it had never
 * been lent, and the lease counts neither in pool_stats() nor for max_uses.  (The last lease that max_uses allows ends
 * its connection all the same.)
 *
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Errors: those of pool_step_end().  Since 0.1.  Idea: ReleaseUnused of puddle.
 */
POOL_API int pool_step_end_unused(pool_lease_t lease, pool_step_t *step);

/**
 * Reports work as done.
 *
 * Returns a lease, after an open or check that succeeded for a get; else 0, with more work perhaps (a failed check asks
 * for a close), or with step->ticket: the open failed, but a connection may still come to this get, so wait as after
 * pool_step_begin().  Or an error: POOL_E_CLOSED after an open that the pool no longer wants (step->work asks for the
 * close); or, after an open that failed, POOL_E_OPEN, or POOL_E_TIMEOUT as the failure says: the get is over, or the
 * open was one of `initial`.  0 also for work that came with a ticket: its holder is woken.
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
 * @param conn    after an open: what pool_conn() is to return; else ignored
 */
POOL_API pool_lease_t pool_step_done(pool_lease_t claim, const pool_error_t *failure, void *conn, pool_step_t *step);

/**
 * Gives the next piece of background work: connections to close, check or reset, connections to open for `initial`,
 * min_idle, min_open or to find out whether the server is back, tickets to wake.  Call it in a loop until it returns 0
 * when a step says `more`, when step->due_ns is over or pool_event_fd() is readable and pool_maintain() was called.
 * Call it so after each pool_close(), pool_flush(), pool_resize(), pool_resume(), pool_evict() and pool_mark_broken().
 * What is opened or checked so is lent to nobody: pool_step_done() then returns 0.
 *
 * Returns 1 with *step filled in, or 0 if there is nothing; then step->due_ns says when pool_maintain() is to be
 * called. One thread that sleeps for that time, or until another sees `more` and wakes it, keeps the time of a pool.
 * Blocks: no.  Threads: any.  From a callback: yes. Errors: POOL_E_INVALID (what is NULL), POOL_E_UNSUPPORTED (of a
 * pool with a vtable), POOL_E_SIZE, POOL_E_WILD. Since 0.1.
 */
POOL_API int pool_step_next(pool_t *pool, pool_step_t *step);

/**
 * Fetches the oldest event or line of the log that was not fetched yet.  A pool keeps 256 of them; one more drops the
 * oldest, which the next that is fetched counts in `lost`.  Those that come with each get and put make these slower, as
 * in a pool with a vtable: leave them out of `event_mask` where nobody needs them.  Those of a pool that was freed are
 * gone, as in a child of fork those of its parent.
 *
 * Returns 1 with *event filled in, or 0 if there is none, and then it is as POOL_STEP_EVENT_INIT makes it.
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Errors: POOL_E_INVALID (what is NULL), POOL_E_UNSUPPORTED (of a pool with a vtable), POOL_E_SIZE, POOL_E_WILD.
 * Since 0.1.
 */
POOL_API int pool_step_event(pool_t *pool, pool_step_event_t *event);

/**
 * Says where the words of a pool are by which its connections are lent and put back, and what they mean: see
 * pool_view_t.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Errors: POOL_E_INVALID (what is NULL), POOL_E_UNSUPPORTED (of a pool with a vtable), POOL_E_SIZE, POOL_E_WILD.
 * Since 0.1.
 */
POOL_API int pool_step_view(pool_t *pool, pool_view_t *view);

/**
 * Goes on with a get that has changed a word itself and then saw something unusual: from here on it is a
 * pool_step_begin() that has found this lease.
 *
 * Returns as pool_step_begin(): another lease, perhaps, or 0 with what is to be done.
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Errors: those of pool_step_begin() without a ticket, and POOL_E_STALE (no such lease of this pool).  Since 0.1.
 */
POOL_API pool_lease_t pool_step_taken(pool_t *pool, int64_t timeout_ms, pool_lease_t lease, pool_step_t *step);

/**
 * Goes on with a put that has changed a word itself and then saw something unusual: waiters are served, and what is too
 * much is closed.
 *
 * Returns 0, with what is to be done, as pool_step_end().
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Errors: POOL_E_STALE (no such slot), POOL_E_UNSUPPORTED (of a pool with a vtable), POOL_E_INVALID (step is NULL),
 * POOL_E_SIZE, POOL_E_WILD.  Since 0.1.
 *
 * @param lease which has ended
 */
POOL_API int pool_step_given(pool_lease_t lease, pool_step_t *step);

/**
 * POOL_STEP_INIT for callers that have no C compiler, as pool_config_init() is POOL_CONFIG_INIT.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Errors: those of pool_config_init().  Since 0.1.
 */
POOL_API int pool_step_init(pool_step_t *step, size_t size);

/**
 * POOL_STEP_EVENT_INIT for callers that have no C compiler.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Errors: those of pool_config_init().  Since 0.1.
 */
POOL_API int pool_step_event_init(pool_step_event_t *event, size_t size);

#endif /* POOL_NO_FUNCTIONS */

#ifdef __cplusplus
}
#endif

#endif
