/* SPDX-License-Identifier: MIT */
#ifndef POOL_POOL_H
#define POOL_POOL_H

/**
 * @file pool.h
 * libpool: a thread-safe pool of connections.
 *
 * Words.  A *pool* keeps connections open and lends them.  A *lease* is the right to use one connection until it is
 * put back; it is a positive number, and a lease that was put back (or never existed) is recognised as such: it can
 * never reach a connection that is somebody else's by now.  (A number comes back after 2^42 leases of one slot, which
 * at a million a second is after seven weeks.)  A *vtable* holds the callbacks that open, close and use one kind of
 * connection.
 *
 * Results.  Functions return 0 or a positive value on success and a negative POOL_E_* on failure.  pool_strerror()
 * names any code; pool_failure() says why the last call of this thread that failed did so.  Output parameters are
 * written on success only, a pool_error_t on failure only.  A NULL pool_error_t is fine everywhere.
 *
 * Time.  A parameter's name ends in its unit.  A timeout of -1 means "for ever".  A deadline (`deadline_ns`) is a
 * moment on CLOCK_MONOTONIC in nanoseconds; POOL_NO_DEADLINE means that there is none.
 *
 * Threads.  Every function may be called by any thread at any moment, with the exceptions stated at pool_free(); by a
 * signal handler none but pool_strerror() and pool_version().  A lease may be put by another thread than the one that
 * got it.  A thread may be cancelled (pthread_cancel) while it sleeps for a connection in pool_get(), pool_get_for() or
 * pool_group_get(); no other function is a cancellation point, and callbacks run with cancellation disabled.
 *
 * Callbacks.  The library holds no lock while it calls one, so a callback may call any function of the library.  Where
 * that could make a call wait for itself, the function says so.  A callback must return; it must not jump, throw or
 * unwind through the library.
 *
 * Names.  All begin with pool_ or POOL_.  Where another library has functions of such names (libsolv has a
 * pool_create() and a pool_free()), define POOL_NO_FUNCTIONS before this is included and use the table of pool/api.h:
 * none of the functions is declared then.
 *
 * Structs.  Each begins with its size, which its POOL_*_INIT sets; a struct of an older or newer header is understood.
 * Only pool_bytes_t and pool_times_t have none, and never change.
 * A pool_error_t whose size is wrong is left alone.
 *
 * Headers.  This one is for those who get, put and close.  It includes the others: pool/types.h (errors, pools and
 * leases), pool/config.h (settings), pool/vtable.h (kinds of connections), pool/event.h and pool/stats.h (what is
 * seen).  Not included are pool/budget.h, pool/driver.h, pool/step.h, pool/expose.h and pool/api.h.
 */

#include <pool/config.h>
#include <pool/event.h>
#include <pool/stats.h>
#include <pool/types.h>
#include <pool/vtable.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POOL_VERSION_MAJOR 0
#define POOL_VERSION_MINOR 1
#define POOL_VERSION_PATCH 0

/** Ends a pool_get_async(): `result` is a lease or a POOL_E_*; pool_failure() has the details of the latter. */
typedef void pool_got_fn(void *user, pool_lease_t result);

/** Ends a pool_go().  `code` is 0 or a POOL_E_*.  The receiver owns the reply and frees it with pool_bytes_free(); for
    POOL_E_REMOTE it holds the server's error. */
typedef void pool_done_fn(void *user, int32_t code, pool_bytes_t reply);

#ifndef POOL_NO_FUNCTIONS

/* ---- the pool ---------------------------------------------------------------------------------------------------- */

/**
 * Makes a pool and opens its first `initial` connections, one after the other.  If one of them fails, those that
 * were opened are closed and the whole call fails with the driver's message.  Where it fails no callback follows, the
 * vtable's release neither: the context stays the caller's.
 *
 * Blocks: as long as the opens take; each has get_timeout_ms.
 * Ownership: config and vtable are copied.  The context must live until the vtable's release is called.  That is
 * when the last reference was given up and each connection has been put and closed. Every get and call under way has
 * ended by then, and no library thread of the pool runs any more. It may be long after pool_free(), and on any thread.
 * A program without a release calls pool_close(pool, -1), which returns 0 when no callback of the vtable will follow,
 * then pool_free(). The pool is given back with pool_free(). Threads: any.  From a callback: yes. Errors:
 * POOL_E_INVALID (message names the setting), POOL_E_VTABLE, POOL_E_SIZE, POOL_E_WILD, POOL_E_NEWER; of an initial
 * connection POOL_E_OPEN, POOL_E_TIMEOUT; of a budget POOL_E_DRIVER; POOL_E_NOMEM; POOL_E_SYSTEM (forks cannot be
 * watched).  Since 0.1.  Idea: NewChannelPool of the Go packages fatih/pool and maxatome/pool.
 *
 * @param config  settings, or NULL for the defaults
 * @param vtable  the callbacks
 * @param context handed to each callback
 * @param pool    receives the pool
 * @param error   receives what went wrong, or NULL
 */
POOL_API int pool_create(const pool_config_t *config, const pool_vtable_t *vtable, void *context, pool_t **pool,
                         pool_error_t *error);

/**
 * Counts one more owner of the pool; each owner calls pool_free() once.
 *
 * Blocks: no.  Threads: any that owns a reference.  From a callback: yes.
 * Returns the same pool (NULL for NULL).  Since 0.1.
 */
POOL_API pool_t *pool_ref(pool_t *pool);

/**
 * Gives up one reference.  The last one closes the pool as pool_close(pool, 0) does; connections that are lent then are
 * closed when they are put, and the memory is reused after that.  NULL is fine.
 *
 * Blocks: while idle connections are being closed.  Threads: any, but a thread must not use the pool's pointer while
 * it gives up its reference, nor later; leases may still be put.  Waiters of other threads get POOL_E_CLOSED.
 * From a callback: yes.  Since 0.1.
 */
POOL_API void pool_free(pool_t *pool);

/**
 * Closes the pool: from now on nobody gets a connection, all waiters get POOL_E_CLOSED, idle connections are closed,
 * others are closed when they are put or when their opening ends.  May be called again, also to go on draining.
 *
 * Blocks: while idle connections are being closed, then up to drain_ms (0: not at all, -1: without limit) until the
 * last connection has come back and been closed and no library thread of the pool runs.  An open under way never delays
 * it beyond that.  While it waits it does what pool_maintain() would with POOL_KEEPER_MANUAL: it runs the callbacks
 * that are due.  If its own thread holds a lease it says so in the log at once, and after three seconds which
 * other threads hold leases. Where it is certain that nobody could put what it waits for (drain_ms is -1, whatever is
 * open is lent to its thread, and the process has no other) it returns POOL_E_INVALID at once, and the message names
 * the lease: put it and call again; the pool is closed by then. Threads: any.  From a callback of the same pool: with
 * drain_ms 0 only, else POOL_E_INVALID: it would wait for itself.  Returns how many connections are still open (0: all
 * is closed), and pool_leases() says who holds them; or POOL_E_INVALID.  Since 0.1.
 */
POOL_API int pool_close(pool_t *pool, int64_t drain_ms);

/**
 * Does what is due: ends asynchronous gets that are served, cancelled or past their deadline, and looks after idle
 * times, lifetimes, checks, leaks and retries.  Needed with POOL_KEEPER_MANUAL, where without openers it also runs the
 * callbacks that are due (close, check, reset, and open for min_idle, min_open or to find out whether a server is
 * back); harmless otherwise.
 *
 * Blocks: no longer than the callbacks take, each of which has get_timeout_ms.  Threads: any; one at a time does the
 * work.  From a callback: yes, and does nothing if that runs within pool_maintain() of the same pool.
 * Returns the nanoseconds until the next thing is due (INT64_MAX: nothing is), or POOL_E_INVALID.  Since 0.1.
 */
POOL_API int64_t pool_maintain(pool_t *pool);

/**
 * For POOL_KEEPER_MANUAL: a descriptor that becomes readable when pool_maintain() should be called earlier than
 * its last return value said, for example because an asynchronous get was served: any event loop can watch
 * it.  What is due by time alone is told by what pool_maintain() returns.  pool_maintain() makes it unreadable again;
 * do not read it yourself.
 *
 * Of a pool of the step API (pool/step.h) that is exposed to poolctl: it becomes readable when an operator has paused,
 * resumed, flushed, resized or evicted the pool.  Then call pool_maintain(), and pool_step_next() until that returns 0.
 * A pool whose program has not asked for its descriptor can be looked at, and not steered.
 *
 * Blocks: no.  Ownership: the pool's, which closes it at its end.  Threads: any.  From a callback: yes.
 * Returns the descriptor, always the same; or POOL_E_INVALID, POOL_E_UNSUPPORTED (the keeper is a thread, the pool is
 * of the step API and not exposed, or the system has no eventfd), POOL_E_SYSTEM.  In a child of fork the same number is
 * a new eventfd.  Since 0.1.
 */
POOL_API int pool_event_fd(pool_t *pool);

/* ---- get and put ------------------------------------------------------------------------------------------------- */

/**
 * Gets a connection: an idle one, else a new one if the caps allow, else the next that is put, in order of arrival
 * within fairness_us.  The same as pool_get_for() with the configured get_timeout_ms.
 *
 * If a connection cannot be opened, the get waits for what others put or open. It tries again when back-off permits,
 * as long as a connection exists that may still come to it.  If there is none, it fails at once with POOL_E_OPEN.  A
 * get never runs close or reset: library threads, pool_maintain() or a later put do.
 *
 * Blocks: up to get_timeout_ms; not at all if a connection is idle and needs no check.
 * Ownership: the lease is put with pool_put(), once.
 * Threads: any.  From a callback: yes; it may wait for the caller's own leases, so give it a timeout.
 * Errors: POOL_E_CLOSED, POOL_E_TIMEOUT, POOL_E_OPEN, POOL_E_OVERLOAD, POOL_E_NOMEM, POOL_E_SYSTEM (no thread to open
 * with), POOL_E_EVICTED, POOL_E_INVALID (pool is NULL), POOL_E_UNSUPPORTED (of a pool of the step API).  Since 0.1.
 * Idea: Get of maxatome/pool; speed from HikariCP's reuse by thread, order from puddle.
 */
POOL_API pool_lease_t pool_get(pool_t *pool);

/**
 * pool_get() with a timeout of its own.  0 does not wait for others: an idle connection is taken or, where the caps
 * allow and there are no openers, a new one opened, for which get_timeout_ms is the limit.  With openers, one of them
 * begins to open a connection, for a later call.
 *
 * A connection whose opening outlasts the deadline is kept for the next caller, and this call ends with POOL_E_TIMEOUT.
 *
 * Blocks: up to timeout_ms, if the vtable's open and check keep their deadlines or there are openers; with 0 as long as
 * an open or a check takes.  Ownership: as pool_get().  Threads: any.  From
 * a callback: yes, as pool_get(). Errors: those of pool_get(), and POOL_E_INVALID for less than -1.  Since 0.1.
 *
 * @param timeout_ms milliseconds, 0: do not wait, -1: for ever
 */
POOL_API pool_lease_t pool_get_for(pool_t *pool, int64_t timeout_ms);

/**
 * Puts a connection back.  It serves the first waiter, becomes idle, or is closed: if it was marked unusable or broke,
 * if its reset fails, if max_idle connections are idle already, or if the pool is closed.  If a pool_go() of it is
 * under way and the vtable is not multiplexed, all that happens when the call is done.
 *
 * Blocks: no, but runs the vtable's reset or close where needed.
 * Threads: any; two threads that put one lease at one moment: one succeeds.  From a callback: yes.
 * Errors: POOL_E_STALE, and then nothing was touched; POOL_E_UNSUPPORTED for a lease of the step API.  Since 0.1.
 */
POOL_API int pool_put(pool_lease_t lease);

/**
 * Marks a leased connection as unusable: it is closed when it is put.  The others are under no suspicion.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Errors: POOL_E_STALE.  Since 0.1.  Idea: MarkUnusable of
 * fatih/pool.
 */
POOL_API int pool_mark_unusable(pool_lease_t lease);

/**
 * Says that a leased connection broke: it is closed when it is put, as after pool_mark_unusable(), and the others are
 * under suspicion, as after a pool_call() that ended with POOL_E_BROKEN: those that are idle are checked before they
 * are lent, if the vtable can.  For those who use what pool_conn() gives them; a connection that is no longer of use
 * for a reason of its own is marked with pool_mark_unusable().
 *
 * Blocks: no longer than a scan of the slots.  Threads: any.  From a callback: yes.  Errors: POOL_E_STALE.  Since 0.1.
 */
POOL_API int pool_mark_broken(pool_lease_t lease);

/**
 * The connection of a lease, as the vtable's open stored it; NULL if the lease is stale.  Valid until the lease is put.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Since 0.1.
 */
POOL_API void *pool_conn(pool_lease_t lease);

/**
 * Asks for a connection and returns at once; `got` is called exactly once with the lease or an error.
 *
 * `got` runs on the pool's keeper thread or, with POOL_KEEPER_MANUAL, inside pool_maintain(); never inside this call.
 * A new connection is opened by a library thread, also with openers = 0.  Blocks: no.  Threads: any.
 * From a callback: yes.
 * Returns a ticket for pool_cancel(), positive; or POOL_E_INVALID, POOL_E_UNSUPPORTED (of a pool of the step API),
 * POOL_E_CLOSED, POOL_E_OVERLOAD, POOL_E_EVICTED (of a pool that is paused), POOL_E_NOMEM, POOL_E_SYSTEM, and then
 * `got` is not called.  What `got` may receive in place of a lease: POOL_E_CLOSED, POOL_E_TIMEOUT, POOL_E_OPEN,
 * POOL_E_OVERLOAD, POOL_E_CANCELLED, POOL_E_EVICTED, POOL_E_NOMEM, POOL_E_SYSTEM.  Since 0.1.
 *
 * @param timeout_ms milliseconds, 0: only what is idle now, -1: for ever
 */
POOL_API int64_t pool_get_async(pool_t *pool, int64_t timeout_ms, pool_got_fn *got, void *user);

/**
 * Cancels a pool_get_async(): its callback gets POOL_E_CANCELLED, on the keeper.  If it was being given a connection at
 * this moment, the connection goes to the next.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Errors: POOL_E_STALE: the callback has run, is running or was about to: the result stands.  Since 0.1.
 */
POOL_API int pool_cancel(int64_t ticket);

/**
 * Notes beside a lease what it is used for, until it is put; pool_leases() and the events of a leak show it.  The text
 * is copied, with a question mark for what is no text of one line; NULL or "" takes the note back.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Errors: POOL_E_STALE, POOL_E_NOMEM.  Since 0.1.
 */
POOL_API int pool_tag(pool_lease_t lease, const char *tag);

/* ---- calls ------------------------------------------------------------------------------------------------------- */

/**
 * Calls a method of the server over a leased connection and waits for the reply.
 *
 * Blocks: up to call_timeout_ms.
 * Ownership: args are borrowed during the call; the reply is freed with pool_bytes_free().
 * Threads: any; more than one call at a time on one lease only if the driver is multiplexed.  From a callback: yes.
 * Errors: POOL_E_REMOTE (the server's error, in *error; the connection is good), POOL_E_TIMEOUT (of a driver that is
 * not multiplexed the connection is unusable then), POOL_E_BROKEN (unusable), POOL_E_CANCELLED (by the driver;
 * unusable), POOL_E_STALE; and, with the connection as it was, POOL_E_UNSUPPORTED, POOL_E_INVALID, POOL_E_OVERLOAD (too
 * many calls are under way, 4095 at most on one connection), POOL_E_NOMEM, POOL_E_SYSTEM. Of these nothing was sent,
 * but where POOL_E_NOMEM says that there was no memory for the reply.  Where the connection is
 * unusable its idle siblings are checked before they are lent, if the vtable can.  Since 0.1.  Idea: Call of
 * maxatome/pool's RpcAble.
 *
 * @param reply receives the reply; NULL if it is of no interest
 */
POOL_API int pool_call(pool_lease_t lease, const char *method, pool_bytes_t args, pool_bytes_t *reply,
                       pool_error_t *error);

/**
 * Starts a call and returns; `done` is called exactly once, on a thread of the driver or inside this call.
 *
 * The lease may be put before the call is done, also from inside `done`.
 * Blocks: no longer than the driver needs to send.  Ownership: args are borrowed during this call.
 * Threads: any.  From a callback: yes.
 * Returns a positive number.  Errors: those of pool_call() with the same meanings, and then `done` is not called.
 * Since 0.1.  Idea: Go of maxatome/pool's RpcAble.
 */
POOL_API int64_t pool_go(pool_lease_t lease, const char *method, pool_bytes_t args, pool_done_fn *done, void *user);

/* ---- control ----------------------------------------------------------------------------------------------------- */

/**
 * Replaces all connections: those that are idle are closed now, those that are lent or in other hands when they come
 * back, those that are being opened as soon as they are open.  None of them is lent again after this call has returned.
 * The pool goes on; what is opened from now on is new.
 *
 * Blocks: no, but runs the vtable's close.  Threads: any.  From a callback: yes.
 * Returns how many connections are concerned, or POOL_E_INVALID.  Since 0.1.  Idea: Reset of puddle, generations of
 * MongoDB's CMAP.
 */
POOL_API int pool_flush(pool_t *pool);

/**
 * Lends nothing until pool_resume(): gets wait, until their deadline.  Puts are as ever.  Pauses are counted: each
 * needs a resume of its own, so two threads may pause at one time.  A child of fork inherits them.
 *
 * Blocks: no; the leases that are out stay valid.  Threads: any.  From a callback: yes.
 * Returns how many connections are in use: lent, with a call under way, or being opened, checked, reset or closed.  0
 * means that the pool is quiet: until pool_resume() nothing begins but what time asks for (keepalive_ms and the ends of
 * what is idle).  Or POOL_E_INVALID, POOL_E_CLOSED.  Since 0.1.
 * Idea: PAUSE of pgbouncer.
 */
POOL_API int pool_pause(pool_t *pool);

/**
 * Takes one pool_pause() back; after the last, waiters are served again.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Returns how many pauses remain; or POOL_E_INVALID if there was none.  Since 0.1.
 */
POOL_API int pool_resume(pool_t *pool);

/**
 * Ends the waits of all gets that are in the queue now, with POOL_E_EVICTED.  Gets that come later wait as ever; but
 * those that would have to wait in a pool that is paused get POOL_E_EVICTED at once, until its last pool_resume().  It
 * goes with the other functions of this section where nobody should wait for what is to come: after pool_pause(), so
 * that a get fails now and not at its deadline. Before or after pool_flush(), so that none of the gets that hoped for
 * the old server is served by the new one.  A get that is opening or checking a connection right now is not in the
 * queue.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Returns how many waits it ended, or POOL_E_INVALID.  Since 0.1.  Idea: the clear of MongoDB's CMAP.
 */
POOL_API int pool_evict(pool_t *pool);

/**
 * Changes the hard cap.  Larger: waiters may open at once.  Smaller: idle connections that are too many are closed now,
 * others when they come back, or when their open or check in the background is done.  Where max_idle was -1 it follows.
 *
 * Blocks: no, but runs the vtable's close.  Threads: any.  From a callback: yes.
 * Returns how many connections are still too many, and will be closed as they come back; or POOL_E_INVALID: out of
 * range, or below min_idle or min_open; POOL_E_CLOSED.  Since 0.1.  Idea: SetMaxOpenConns of database/sql.
 *
 * @param max_open as the setting: 0 means no hard cap
 */
POOL_API int pool_resize(pool_t *pool, int32_t max_open);

/**
 * Changes a setting while the pool runs: max_open (as pool_resize()), min_idle, min_open, get_timeout_ms,
 * check_timeout_ms, idle_timeout_ms, max_lifetime_ms, keepalive_ms or leak_after_ms.  It holds from now on; a new
 * max_lifetime_ms for connections that are opened from now on, and pool_flush() replaces the others.
 *
 * Of a pool of the step API: call pool_maintain() and pool_step_next() after it, for more may be due now.
 *
 * Blocks: no; with max_open it runs the vtable's close.  Threads: any.  From a callback: yes.
 * Returns 0; POOL_E_INVALID: there is no such setting, it cannot change while the pool runs, it cannot have this value,
 * or this does not go with another setting; POOL_E_CLOSED; POOL_E_NOMEM.  Since 0.1.
 *
 * @param name as in pool_config_set_number()
 */
POOL_API int pool_set(pool_t *pool, const char *name, int64_t value);

/**
 * Reads a setting of a pool by its name, as it is now: max_open as pool_resize() or an operator has left it.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Returns 0; or POOL_E_INVALID: there is no such setting, or it is a text.  Since 0.1.
 *
 * @param value receives it; of a setting that is one of several names, the number of the name
 */
POOL_API int pool_value(pool_t *pool, const char *name, int64_t *value);

/* ---- what went wrong, and what is running ------------------------------------------------------------------------ */

/**
 * How many connections are idle; 0 after close and for NULL.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Since 0.1.  Idea: Len of fatih/pool.
 */
POOL_API size_t pool_len(pool_t *pool);

/**
 * Why the last failed call of this thread failed: code, message and the driver's own number.
 *
 * Blocks: no.  Threads: each has its own.  From a callback: yes.
 * Returns the code (0: nothing failed yet); `error` may be NULL.  Since 0.1.
 */
POOL_API int pool_failure(pool_error_t *error);

/**
 * What a code means, in a few words.  Total: any number gets a text.  The text is static.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Since 0.1.
 */
POOL_API const char *pool_strerror(int64_t code);

/**
 * The version of the library that is running, as "MAJOR.MINOR.PATCH".  The text is static.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Since 0.1.
 */
POOL_API const char *pool_version(void);

/**
 * Whether the library that is running can do something, by name:
 *
 *  - "event_fd": pool_event_fd() has what it needs of the system
 *  - "probes": it was built with static probes for tracers
 *  - "step": the step API, pool/step.h
 *  - "drivers": drivers are loaded, pool/driver.h
 *  - "api": pool_get_api(), pool/api.h
 *  - "expose": pool_expose(), pool/expose.h
 *
 * A later release has names for what it adds, so an older one says no to them.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Returns 1, or 0: no, or no such name; or POOL_E_INVALID for NULL.  Since 0.1.  Idea: xkb_feature_supported of
 * libxkbcommon.
 */
POOL_API int pool_supports(const char *feature);

#endif /* POOL_NO_FUNCTIONS */

#ifdef __cplusplus
}
#endif

#endif
