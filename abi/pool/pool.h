/* SPDX-License-Identifier: MIT */
#ifndef POOL_POOL_H
#define POOL_POOL_H

/**
 * @file pool.h
 * libpool: a thread-safe pool of connections.
 *
 * Words.  A *pool* keeps connections open and lends them.  A *lease* is the right to use one connection until it is
 * put back; it is a positive number, and a lease that was put back (or never existed) is recognised as such for ever:
 * it can never reach a connection that is somebody else's by now.  A *vtable* holds the callbacks that open, close
 * and use one kind of connection.
 *
 * Results.  Functions return 0 or a positive value on success and a negative POOL_E_* on failure.  pool_strerror()
 * names any code; pool_failure() says why the last call of this thread failed.  Output parameters are written on
 * success only, a pool_error_t on failure only.  A NULL pool_error_t is fine everywhere.
 *
 * Time.  A parameter's name ends in its unit.  A timeout of -1 means "for ever".  A deadline (`deadline_ns`) is a
 * moment on CLOCK_MONOTONIC in nanoseconds; POOL_NO_DEADLINE means that there is none.
 *
 * Threads.  Every function may be called by any thread at any moment, with the exceptions stated at pool_free().  A
 * lease may be put by another thread than the one that got it.
 *
 * Callbacks.  The library holds no lock while it calls one, so a callback may call any function of the library.  Where
 * that could make a call wait for itself, the function says so.  A callback must return; it must not jump, throw or
 * unwind through the library.
 *
 * Structs.  Each begins with its size, which its POOL_*_INIT sets; a struct of an older or newer header is understood.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(POOL_STATIC)
#define POOL_API
#elif defined(__GNUC__)
#define POOL_API __attribute__((visibility("default")))
#else
#define POOL_API
#endif

#define POOL_VERSION_MAJOR 0
#define POOL_VERSION_MINOR 1
#define POOL_VERSION_PATCH 0

/* ---- error codes: explicit, never renumbered, never used again ------------------------------------------------ */

#define POOL_E_INVALID     (-1)  /**< a parameter or setting is wrong; the message names it */
#define POOL_E_STALE       (-2)  /**< no such lease: put back already, of another time, or never given */
#define POOL_E_CLOSED      (-3)  /**< the pool is closed */
#define POOL_E_TIMEOUT     (-4)  /**< the deadline passed; the message says in which phase */
#define POOL_E_OPEN        (-5)  /**< a connection could not be opened; the message is the driver's */
#define POOL_E_REMOTE      (-6)  /**< the server answered a call with an error; the connection is good */
#define POOL_E_BROKEN      (-7)  /**< the connection broke; it will be closed when its lease is put back */
#define POOL_E_OVERLOAD    (-8)  /**< too many are waiting already, or too many calls are in flight */
#define POOL_E_CANCELLED   (-9)  /**< pool_cancel() ended it */
#define POOL_E_UNSUPPORTED (-10) /**< this pool, driver or build cannot do that */
#define POOL_E_NOMEM       (-11) /**< memory, or the table of slots, is used up */
#define POOL_E_SIZE        (-12) /**< the size member of a struct cannot be right */
#define POOL_E_NEWER       (-13) /**< a struct sets members that this library does not know */
#define POOL_E_VTABLE      (-14) /**< the vtable has no open or no close */
#define POOL_E_DRIVER      (-15) /**< the driver was not found or could not be loaded */
#define POOL_E_SYSTEM      (-16) /**< the operating system refused a thread or another means */

#define POOL_NO_DEADLINE INT64_MAX /**< a deadline that never comes */

/* ---- types ---------------------------------------------------------------------------------------------------- */

/** A pool: opaque and counted, see pool_ref(). */
typedef struct pool pool_t;

/** The right to use one connection.  Positive and below 2^62; the low 20 bits are the number of the slot. */
typedef int64_t pool_lease_t;

/** Bytes and how many; what is inside is the driver's business.  A reply is freed with pool_bytes_free(). */
typedef struct {
  void *data;
  size_t size;
} pool_bytes_t;

/** What went wrong. `native` is the driver's own number (an errno, say), or 0.  The message is one line. */
typedef struct {
  size_t size;
  int32_t code;
  int32_t native;
  char message[240];
} pool_error_t;
/* clang-format off */
#define POOL_ERROR_INIT { sizeof(pool_error_t), 0, 0, { 0 } }
/* clang-format on */

#define POOL_KEEPER_THREAD 0 /**< a library thread keeps time, started when something needs it */
#define POOL_KEEPER_MANUAL 1 /**< the program calls pool_maintain() */

/** Settings of a pool.  Begin with POOL_CONFIG_INIT and change what you need; the library copies what it keeps. */
typedef struct {
  size_t size;
  const char *name;        /**< shown in messages; at most 47 bytes are kept; NULL means "pool" */
  int32_t initial;         /**< opened by pool_create(), at least 0 (the ancestor's initialCap) */
  int32_t max_idle;        /**< more than that are closed on return (the ancestor's maxCap); at least 1, or -1: as many
                                as max_open, or 10 where there is no hard cap */
  int32_t max_open;        /**< hard cap on connections open, being opened or being closed; 0: none */
  int32_t max_opening;     /**< at most so many are being opened at one time; 0: no limit */
  int32_t max_waiters;     /**< at most so many wait for a connection, the next gets POOL_E_OVERLOAD; 0: no limit */
  int32_t openers;         /**< 0: who needs a connection opens it in its own thread; n: up to n library threads do, and
                                a caller takes a returned or an opened connection, whichever comes first */
  int32_t keeper;          /**< POOL_KEEPER_* */
  int32_t fairness_us;     /**< how long the first waiter may be overtaken by running threads; then it is handed the
                                next connection directly.  0: never overtaken */
  int64_t get_timeout_ms;  /**< how long pool_get() takes at most, at least 1, or -1: no limit; the deadline covers
                              queue,  open and check together */
  int64_t call_timeout_ms; /**< deadline of pool_call() and pool_go(), -1: none */
} pool_config_t;
/* clang-format off */
#define POOL_CONFIG_INIT { sizeof(pool_config_t), NULL, 0, -1, 0, 0, 0, 0, POOL_KEEPER_THREAD, 1000, 30000, -1 }
/* clang-format on */

/** A call under way, in the hands of a driver: see pool_vtable_t::go. */
typedef struct pool_call pool_call_t;

/** The connection takes many calls at one time, from any threads: it may be lent while calls of an earlier lease are
    still under way, and a call that timed out leaves it good. */
#define POOL_VTABLE_MULTIPLEXED 1u

/**
 * The callbacks for one kind of connection; `context` is the pointer that was given to pool_create().  `open` and
 * `close` are required, the others may be NULL.  Each runs on the thread that needs it (that of a pool_get, pool_put,
 * pool_close, ..., or one of the library's openers) and under no lock.  For one connection at most one of open, check,
 * reset and close runs at one time, and none of them while a call is under way, except that the check of a multiplexed
 * connection may meet calls.  Idea from the function tables of ADBC drivers: checked and filled once, then called
 * freely.
 */
typedef struct {
  size_t size;
  /** Opens a connection before the deadline and stores it (not NULL).  Returns 0, or not 0 with *error filled:
      POOL_E_TIMEOUT is passed on as such, everything else reaches the caller as POOL_E_OPEN. */
  int (*open)(void *context, int64_t deadline_ns, void **conn, pool_error_t *error);
  /** Closes a connection.  The place is free afterwards whatever is returned; not 0 is counted as a failed close. */
  int (*close)(void *context, void *conn);
  /** Returns 0 if the connection is still good.  Called before lending one that is under suspicion. */
  int (*check)(void *context, void *conn, int64_t deadline_ns);
  /** Makes a returned connection clean for its next user and returns 0, or not 0: then it is closed. */
  int (*reset)(void *context, void *conn, int64_t deadline_ns);
  /** Called in the child after fork, from within fork(): frees descriptors and sends nothing.  Must only do what is
      safe there: close(2) is.  NULL leaves the connection as it is. */
  void (*abandon)(void *context, void *conn);
  /** Makes a call and waits for its reply, whose data comes from pool_bytes_new().  0; POOL_E_REMOTE with the server's
      error in *error; POOL_E_INVALID, POOL_E_UNSUPPORTED, POOL_E_OVERLOAD, POOL_E_NOMEM or POOL_E_SYSTEM: not sent;
      POOL_E_TIMEOUT; else the connection is broken. */
  int (*call)(void *context, void *conn, const char *method, pool_bytes_t args, pool_bytes_t *reply,
              int64_t deadline_ns, pool_error_t *error);
  /** Starts a call and returns 0; whoever learns its end calls pool_call_done() exactly once, on any thread, from
     within go if need be.  Not 0, with the meaning of `call`: nothing was started and pool_call_done() must not be
     called. */
  int (*go)(void *context, void *conn, const char *method, pool_bytes_t args, pool_call_t *call);
  /** Called once, when the pool is gone and no callback will follow: frees the context. */
  void (*release)(void *context);
  uint32_t flags;    /**< POOL_VTABLE_*; unknown bits are refused */
  uint32_t reserved; /**< 0 */
} pool_vtable_t;
/* clang-format off */
#define POOL_VTABLE_INIT { sizeof(pool_vtable_t), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0 }
/* clang-format on */

/** Counts of a pool, taken at one moment without stopping it.  The first five are states, the others only grow. */
typedef struct {
  size_t size;
  int64_t open;           /**< all places taken: idle, leased, being opened, checked, reset or closed */
  int64_t idle;           /**< ready to be lent */
  int64_t leased;         /**< lent */
  int64_t opening;        /**< being opened */
  int64_t waiting;        /**< waiters in the queue */
  int64_t lent;           /**< leases that ended; counted at no cost to get and put */
  int64_t opened;         /**< connections opened */
  int64_t closed;         /**< connections closed */
  int64_t open_failures;  /**< opens that failed */
  int64_t check_failures; /**< checks that found a dead connection */
  int64_t reset_failures; /**< resets that failed */
  int64_t close_failures; /**< closes that returned an error */
  int64_t waited;         /**< waits that ended with a lease */
  int64_t timed_out;      /**< waits that ended at their deadline */
  int64_t overloaded;     /**< refused because max_waiters were waiting */
  int64_t cancelled;      /**< ended by pool_cancel() */
  int64_t wait_ns;        /**< sum of all waits in the queue */
  int64_t wait_max_ns;    /**< the longest of them */
} pool_stats_t;
/* clang-format off */
#define POOL_STATS_INIT { sizeof(pool_stats_t), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
/* clang-format on */

/** Ends a pool_get_async(): `result` is a lease or a POOL_E_*; pool_failure() has the details of the latter. */
typedef void pool_got_fn(void *user, pool_lease_t result);

/** Ends a pool_go().  `code` is 0 or a POOL_E_*.  The receiver owns the reply and frees it with pool_bytes_free(); for
    POOL_E_REMOTE it holds the server's error. */
typedef void pool_done_fn(void *user, int32_t code, pool_bytes_t reply);

/* ---- the pool ------------------------------------------------------------------------------------------------- */

/**
 * Makes a pool and opens its first `initial` connections, one after the other.  If one of them fails, those that
 * were opened are closed and the whole call fails with the driver's message.
 *
 * Blocks: as long as the opens take; each has get_timeout_ms.
 * Ownership: config and vtable are copied.  The context must live until the vtable's release is called or, without one,
 * until pool_free() was called and the last lease put.  The pool is given back with pool_free().
 * Threads: any.  From a callback: yes.
 * Errors: POOL_E_INVALID (message names the setting), POOL_E_VTABLE, POOL_E_SIZE, POOL_E_NEWER, POOL_E_OPEN,
 * POOL_E_TIMEOUT, POOL_E_NOMEM, POOL_E_SYSTEM. Since 0.1.  Idea: NewChannelPool of the Go packages fatih/pool and
 * maxatome/pool.
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
 * Blocks: while idle connections are being closed.  Threads: any, but nobody may use the pool's pointer after giving up
 * his reference, nor during it; leases may still be put.  Waiters of other threads get POOL_E_CLOSED.
 * From a callback: yes.  Since 0.1.
 */
POOL_API void pool_free(pool_t *pool);

/**
 * Closes the pool: from now on nobody gets a connection, all waiters get POOL_E_CLOSED, idle connections are closed,
 * others are closed when they are put or when their opening ends.  May be called again, also to go on draining.
 *
 * Blocks: while idle connections are being closed, then up to drain_ms (0: not at all, -1: without limit) until the
 * last connection has come back and been closed and no library thread of the pool runs.  An open under way never delays
 * it beyond that.  Threads: any.  From a callback of the same pool: with drain_ms 0 only, else POOL_E_INVALID, for it
 * would wait for itself. Returns how many connections are still open (0: all is closed), or POOL_E_INVALID.  Since 0.1.
 */
POOL_API int pool_close(pool_t *pool, int64_t drain_ms);

/**
 * Does what is due: ends asynchronous gets that are served, cancelled or past their deadline.  Needed with
 * POOL_KEEPER_MANUAL, harmless otherwise.
 *
 * Blocks: no, but runs the callbacks of pool_get_async().  Threads: any.  From a callback: yes.
 * Returns the nanoseconds until the next thing is due (INT64_MAX: nothing is), or POOL_E_INVALID.  Since 0.1.
 */
POOL_API int64_t pool_maintain(pool_t *pool);

/* ---- get and put ---------------------------------------------------------------------------------------------- */

/**
 * Gets a connection: an idle one, else a new one if the caps allow, else the next that is put, in order of arrival.
 * The same as pool_get_for() with the configured get_timeout_ms.
 *
 * Blocks: up to get_timeout_ms; not at all if a connection is idle.
 * Ownership: the lease is put with pool_put(), once.
 * Threads: any.  From a callback: yes; it may wait for the caller's own leases, so give it a timeout.
 * Errors: POOL_E_CLOSED, POOL_E_TIMEOUT, POOL_E_OPEN, POOL_E_OVERLOAD, POOL_E_NOMEM, POOL_E_INVALID.
 * Since 0.1.  Idea: Get of maxatome/pool; speed from HikariCP's reuse by thread, order from puddle.
 */
POOL_API pool_lease_t pool_get(pool_t *pool);

/**
 * pool_get() with a timeout of its own.  0 does not wait for others: an idle connection is taken or, where the caps
 * allow and there are no openers, a new one opened, for which get_timeout_ms is the limit.
 *
 * A connection whose opening outlasts the deadline is kept for the next caller, and this call ends with POOL_E_TIMEOUT.
 * Everything else as pool_get().  Since 0.1.
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
 * Marks a leased connection as unusable: it is closed when it is put.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Errors: POOL_E_STALE.  Since 0.1.  Idea: MarkUnusable of
 * fatih/pool.
 */
POOL_API int pool_mark_unusable(pool_lease_t lease);

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
 * A new connection is opened by a library thread, also with openers = 0. Blocks: no.  Threads: any.  From a callback:
 * yes. Returns a ticket for pool_cancel(), positive; or POOL_E_INVALID, POOL_E_CLOSED, POOL_E_OVERLOAD, POOL_E_NOMEM,
 * POOL_E_SYSTEM, and then `got` is not called.  Since 0.1.
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

/* ---- calls ---------------------------------------------------------------------------------------------------- */

/**
 * Calls a method of the server over a leased connection and waits for the reply.
 *
 * Blocks: up to call_timeout_ms.
 * Ownership: args are borrowed during the call; the reply is freed with pool_bytes_free().
 * Threads: any; more than one call at a time on one lease only if the driver is multiplexed.  From a callback: yes.
 * Errors: POOL_E_REMOTE (the server's error, in *error; the connection is good), POOL_E_TIMEOUT (of a driver that is
 * not multiplexed the connection is unusable then), POOL_E_BROKEN (unusable), POOL_E_UNSUPPORTED, POOL_E_INVALID,
 * POOL_E_STALE, POOL_E_OVERLOAD.  After POOL_E_BROKEN idle siblings are checked before they are lent, if the vtable
 * can. Since 0.1.  Idea: Call of maxatome/pool's RpcAble.
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
 * Returns a positive number, or an error with the meanings of pool_call(), and then `done` is not called.
 * Since 0.1.  Idea: Go of maxatome/pool's RpcAble.
 */
POOL_API int64_t pool_go(pool_lease_t lease, const char *method, pool_bytes_t args, pool_done_fn *done, void *user);

/**
 * Ends a call that a driver's `go` was given; for drivers.  The user's callback, and a reset or close of the connection
 * where that was waiting for the call, may run inside: hold no lock, and use the connection afterwards only if the
 * driver itself keeps it alive.
 *
 * Blocks: no.  Ownership: the reply, from pool_bytes_new() or empty, goes to the receiver.  Threads: any.
 * From a callback: yes.  Errors: POOL_E_STALE if the call is done already; the reply is then freed.  Since 0.1.
 *
 * @param code 0 or a POOL_E_* with the meanings of pool_vtable_t::call
 */
POOL_API int pool_call_done(pool_call_t *call, int32_t code, pool_bytes_t reply);

/**
 * The deadline of a call; for drivers.  Blocks: no.  Threads: any, until pool_call_done().  From a callback: yes.
 * Returns a moment in ns on CLOCK_MONOTONIC, or POOL_NO_DEADLINE.  Since 0.1.
 */
POOL_API int64_t pool_call_deadline(const pool_call_t *call);

/**
 * Allocates bytes for a reply; for drivers.  Blocks: no.  Threads: any.  From a callback: yes.
 * Ownership: freed with pool_bytes_free().  Errors: POOL_E_INVALID, POOL_E_NOMEM.  Since 0.1.
 */
POOL_API int pool_bytes_new(size_t size, pool_bytes_t *bytes);

/**
 * Frees a reply and makes it empty.  NULL and empty are fine.  Blocks: no.  Threads: any.  From a callback: yes.
 * Since 0.1.
 */
POOL_API void pool_bytes_free(pool_bytes_t *bytes);

/* ---- seeing --------------------------------------------------------------------------------------------------- */

/**
 * How many connections are idle; 0 after close and for NULL.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Since 0.1.  Idea: Len of fatih/pool.
 */
POOL_API size_t pool_len(pool_t *pool);

/**
 * Fills in the counts of a pool, as many as the caller's struct has.
 *
 * Blocks: no longer than a scan of the slots.  Threads: any.  From a callback: yes.
 * Errors: POOL_E_INVALID, POOL_E_SIZE.  Since 0.1.
 */
POOL_API int pool_stats(pool_t *pool, pool_stats_t *stats);

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

#ifdef __cplusplus
}
#endif

#endif
